// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The memory of the simulated processes: views of one shared file, private memory, and the state to
 * begin with. Lines that were stored to are listed; so to begin anew costs what the last execution
 * changed, not what there is.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "selftests/sched/engine/sched.h"

#define SHARED_LINES	(SCHED_SHARED / SCHED_LINE)
#define PRIVATE_LINES	(SCHED_SHARED_AT / SCHED_LINE)
#define LINES		(SHARED_LINES + SCHED_PROCS * PRIVATE_LINES)

/* A line: shared ones first, then those of each process. */
static u8 kept[LINES * SCHED_LINE];
static bool dirty[LINES], used[LINES];
static u32 dirty_list[LINES], used_list[LINES];
static u32 dirty_cnt, used_cnt;

static u64 arena_next[SCHED_PROCS], arena_kept[SCHED_PROCS];

static void *line_at(u32 line)
{
	const u64 at = (u64)line * SCHED_LINE;

	if (line < SHARED_LINES)
		return sched_shared(0, at);
	return (u8 *)SCHED_BASE + (at - SCHED_SHARED) / SCHED_SHARED_AT * SCHED_STRIDE +
	       (at - SCHED_SHARED) % SCHED_SHARED_AT;
}

static bool made;

static void map_at(u64 at, u64 bytes, int flags, int fd)
{
	flags |= made ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	if (mmap((void *)at, bytes, PROT_READ | PROT_WRITE, flags, fd, 0) == (void *)at)
		return;
	printf("Bail out! no memory at 0x%llx\n", (unsigned long long)at);
	exit(1);
}

void sched_world_make(void)
{
	const int fd = memfd_create("sched", 0);
	u32 i;

	if (fd < 0 || ftruncate(fd, SCHED_SHARED))
		exit(1);
	for (i = 0; i < SCHED_PROCS; i++) {
		map_at(SCHED_BASE + i * SCHED_STRIDE, SCHED_SHARED_AT,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1);
		map_at((u64)sched_shared(i, 0), SCHED_SHARED, MAP_SHARED, fd);
	}
	close(fd);
	made = true;
	sched_world_clear();
}

static void line_dirty(u32 line)
{
	if (dirty[line])
		return;
	dirty[line] = true;
	dirty_list[dirty_cnt++] = line;
}

void sched_dirty(const void *p, u64 len)
{
	const u64 view = ((u64)p - SCHED_BASE) / SCHED_STRIDE;
	const u64 in = ((u64)p - SCHED_BASE) % SCHED_STRIDE;
	u64 line, last;

	if (!len || (u64)p - SCHED_BASE >= SCHED_PROCS * SCHED_STRIDE)
		return;
	if (in >= SCHED_SHARED_AT) {
		line = (in - SCHED_SHARED_AT) / SCHED_LINE;
		last = (in - SCHED_SHARED_AT + len - 1) / SCHED_LINE;
	} else {
		line = SHARED_LINES + view * PRIVATE_LINES + in / SCHED_LINE;
		last = SHARED_LINES + view * PRIVATE_LINES + (in + len - 1) / SCHED_LINE;
	}
	for (; line <= last; line++)
		line_dirty((u32)line);
}

void sched_world_keep(void)
{
	u32 i, line;

	for (i = 0; i < dirty_cnt; i++) {
		line = dirty_list[i];
		memcpy(kept + (u64)line * SCHED_LINE, line_at(line), SCHED_LINE);
		dirty[line] = false;
		if (!used[line])
			used_list[used_cnt++] = line;
		used[line] = true;
	}
	dirty_cnt = 0;
	memcpy(arena_kept, arena_next, sizeof(arena_kept));
}

void sched_world_restore(void)
{
	u32 i, line;

	for (i = 0; i < dirty_cnt; i++) {
		line = dirty_list[i];
		memcpy(line_at(line), kept + (u64)line * SCHED_LINE, SCHED_LINE);
		dirty[line] = false;
	}
	dirty_cnt = 0;
	memcpy(arena_next, arena_kept, sizeof(arena_kept));
}

bool sched_world_is_kept(void)
{
	u32 i, line;

	for (i = 0; i < used_cnt; i++) {
		line = used_list[i];
		if (memcmp(line_at(line), kept + (u64)line * SCHED_LINE, SCHED_LINE))
			return false;
	}
	return true;
}

void sched_world_clear(void)
{
	u32 i;

	sched_world_restore();
	for (i = 0; i < used_cnt; i++) {
		memset(kept + (u64)used_list[i] * SCHED_LINE, 0, SCHED_LINE);
		memset(line_at(used_list[i]), 0, SCHED_LINE);
		used[used_list[i]] = false;
	}
	used_cnt = 0;
	for (i = 0; i < SCHED_PROCS; i++)
		arena_next[i] = SCHED_LINE;
	memcpy(arena_kept, arena_next, sizeof(arena_kept));
}

/* Of a line and its number. */
static u64 line_hash(u32 line, const u64 *w)
{
	u64 h = line * 0x9e3779b97f4a7c15ULL + 1;
	u32 i;

	for (i = 0; i < SCHED_LINE / 8; i++) {
		h = (h ^ w[i]) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return h;
}

u64 sched_world_hash(u32 procs)
{
	u64 hash = 0, in;
	const u64 *now;
	u32 i, line;

	for (i = 0; i < dirty_cnt; i++) {
		line = dirty_list[i];
		if (line >= SHARED_LINES) {
			in = (u64)(line - SHARED_LINES) * SCHED_LINE;
			if (!(procs >> in / SCHED_SHARED_AT & 1))
				continue;
		}
		now = line_at(line);
		if (memcmp(now, kept + (u64)line * SCHED_LINE, SCHED_LINE))
			hash += line_hash(line, now);	/* in any order */
	}
	return hash;
}

void *sched_alloc(size_t bytes)
{
	const u64 at = arena_next[sched_proc];
	void *p = (u8 *)SCHED_BASE + sched_proc * SCHED_STRIDE + at;

	if (bytes > SCHED_SHARED_AT - POBJ_HANDLE_BYTES - at)
		return NULL;
	arena_next[sched_proc] = at + (bytes + SCHED_LINE - 1) / SCHED_LINE * SCHED_LINE;
	/* What an execution before this one left there. */
	sched_dirty(p, bytes);
	memset(p, 0, bytes);
	return p;
}
