// SPDX-License-Identifier: BSD-3-Clause
/* A tiny pool in shared memory, its sidecar, and handles for processes that have it open. */
#include <stdio.h>

#include "lib/registry.h"
#include "lib/session.h"
#include "selftests/sched/cases/cases.h"

#define PAGE_SHIFT	8
#define LANES		7U	/* one is not used; two for each process, one for the reaper */
#define EXT		2U
#define GARBAGE		0xa5	/* what pages hold that nobody wrote */

struct pobj_side pool_side;

static struct pobj_super super;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("Bail out! %s: %s\n", what, pmemobj_errormsg());
	exit(1);
}

static int plain_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	memcpy(dst, (const u8 *)m->base + off, len);
	return 0;
}

static struct pobj_media media_of(u32 proc, u64 bytes)
{
	return (struct pobj_media){
		.base = sched_shared(proc, 0), .size = bytes, .read = plain_read,
	};
}

void pool_make(u32 pages)
{
	struct pobj_format_args a = { .mode = 0600, .layout = "sched", .uuid = { 1, 1 } };
	u64 bytes = POBJ_M_HEADER_END + LANES * (1 + POBJ_M_SLOT_CNT + EXT) * POBJ_M_LINE +
		    (u64)pages * ((1 << PAGE_SHIFT) + POBJ_M_LINE);
	struct pobj_media m;

	bytes = (bytes + POBJ_M_LINE + 255) / 256 * 256;
	sched_world_clear();
	m = media_of(0, bytes);
	must(!pobj_geom_make(&a.geom, bytes, PAGE_SHIFT, LANES, EXT), "geometry");
	memset(m.base, GARBAGE, bytes);
	must(!pobj_super_format(&m, &a) && !pobj_super_load(&m, &super, NULL), "format");
	pobj_side_layout(&super.geom, &pool_side);
	must(bytes <= SCHED_SIDE_AT && SCHED_SIDE_AT + pool_side.bytes <= SCHED_LOCKS_AT, "room");
	must(!pobj_sidecar_join(sched_shared(0, SCHED_SIDE_AT), &super, "sched"), "sidecar");
}

void pool_open(u32 proc)
{
	struct pobj_pool *p = sched_handle(proc);

	p->media = media_of(proc, super.geom.pool_size);
	p->super = super;
	p->backend = &sched_backend;
	p->sidecar = sched_shared(proc, SCHED_SIDE_AT);
	p->uuid_lo = pobj_super_uuid_lo(&super);
	p->fd = -1;
	p->lock_fd = -1;
	p->lock_base = 0;
	p->broken = false;
	p->reserve = NULL;
	memcpy(p->path, "sched", 6);
	must(!pobj_heap_attach(p), "heap");
	must(!pobj_session_begin(p), "session");
	p->live_id = p->session;	/* unique, and the same in each execution */
	pobj_registry_add(p);
	hands[proc]->pop = pobj_pool_pop(p);
}

void pool_close(u32 proc)
{
	pmemobj_close(hands[proc]->pop);
}

u64 pool_lane_bytes(void)
{
	return LANES * sizeof(struct pobj_side_lane);
}

bool pool_reaped(void)
{
	const u64 *words = sched_shared(0, SCHED_SIDE_AT + pool_side.sessions);
	u32 p, i;

	for (p = 0; p < SCHED_PROCS; p++) {
		const u64 session = sched_handle(p)->session;

		for (i = 0; (sched_dead() >> p & 1) && session && i < POBJ_SESSION_SLOTS; i++) {
			if (words[i] == session)
				return false;
		}
	}
	return true;
}

/* ---- names -------------------------------------------------------------------------------- */

static const char *word_of(const char *const *names, u64 at)
{
	return names[at / 8];
}

static const char *side_name(u64 in, char *text, size_t room)
{
	static const char *const lane[] = {
		"session", "intent_page", "intent_cnt", "frees", "ring[0]", "ring[1]", "ring[2]",
		"ring[3]", "ring_pages[0]", "ring_pages[1]", "ring_pages[2]", "ring_pages[3]",
		"hold_cnt", "", "", "",
	};
	static const char *const group[] = { "map", "room", "types", "owned" };
	static const char *const page[] = { "owner", "slot", "reserved_a[0]", "reserved_a[1]",
		"reserved_a[2]", "reserved_b[0]", "reserved_b[1]", "reserved_b[2]" };

	if (in < pool_side.sessions)
		snprintf(text, room, "head+%llu", (unsigned long long)in);
	else if (in < pool_side.lanes)
		snprintf(text, room, "session %llu",
			 (unsigned long long)(in - pool_side.sessions) / 8);
	else if (in < pool_side.holds)
		snprintf(text, room, "lane %llu %s",
			 (unsigned long long)(in - pool_side.lanes) / 128,
			 word_of(lane, (in - pool_side.lanes) % 128));
	else if (in < pool_side.groups)
		snprintf(text, room, "hold");
	else if (in < pool_side.pages)
		snprintf(text, room, "group %llu %s",
			 (unsigned long long)(in - pool_side.groups) / 32,
			 word_of(group, (in - pool_side.groups) % 32));
	else
		snprintf(text, room, "page %llu %s",
			 (unsigned long long)(in - pool_side.pages) / 64,
			 word_of(page, (in - pool_side.pages) % 64));
	return text;
}

const char *pool_name(u64 off)
{
	static char text[64];
	const struct pobj_geom *g = &super.geom;

	if (off >= SCHED_LOCKS_AT)
		snprintf(text, sizeof(text), "lock %llu",
			 (unsigned long long)(off - SCHED_LOCKS_AT) / 8);
	else if (off >= SCHED_SIDE_AT)
		return side_name(off - SCHED_SIDE_AT, text, sizeof(text));
	else if (off >= g->data_off)
		snprintf(text, sizeof(text), "page %llu+%llu",
			 (unsigned long long)pobj_geom_page_of(g, off),
			 (unsigned long long)(off - g->data_off) % pobj_geom_page_bytes(g));
	else if (off >= g->line_off)
		snprintf(text, sizeof(text), "line %llu+%llu",
			 (unsigned long long)(off - g->line_off) / POBJ_M_LINE,
			 (unsigned long long)(off - g->line_off) % POBJ_M_LINE);
	else
		snprintf(text, sizeof(text), "log 0x%llx", (unsigned long long)off);
	return text;
}
