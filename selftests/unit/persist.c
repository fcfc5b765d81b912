// SPDX-License-Identifier: BSD-3-Clause
/* lib/persist.c: flush, fence, copies and reads on every medium; what the environment changes. */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <x86intrin.h>

#include "lib/persist.h"
#include "libpmemobj/base.h"
#include "kselftest_harness.h"
#include "rounds.h"

#define PAGE	4096UL
#define MAX_LEN	600
#define LEN_STEP	((size_t)rounds_stride(MAX_LEN))

/* ---- msync as the library calls it: the program's own symbol goes before libc's ----------- */

static int synced;			/* calls */
static char *synced_at[64];
static size_t synced_len[64];
static int sync_errno;			/* what the next call fails with */

int msync(void *p, size_t len, int flags)
{
	if (synced < 64) {
		synced_at[synced] = p;
		synced_len[synced] = len;
	}
	synced++;
	if (flags != MS_SYNC) {
		errno = EINVAL;
		return -1;
	}
	if (sync_errno) {
		errno = sync_errno;
		sync_errno = 0;
		return -1;
	}
	return syscall(SYS_msync, p, len, flags);
}

/* ---- media ------------------------------------------------------------------------------- */

static void *map_file(size_t size, int *fd)
{
	void *p;

	*fd = memfd_create("persist", 0);
	if (*fd < 0 || ftruncate(*fd, size))
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

static char *medium(struct pobj_media *m, enum pobj_medium kind, size_t size)
{
	int fd;

	memset(m, 0, sizeof(*m));
	m->base = map_file(size, &fd);
	m->size = size;
	close(fd);
	pobj_persist_setup(m, kind);
	return m->base;
}

static const unsigned int all_flags[] = {
	0,
	PMEMOBJ_F_MEM_NODRAIN,
	PMEMOBJ_F_MEM_NONTEMPORAL,
	PMEMOBJ_F_MEM_WC | PMEMOBJ_F_MEM_NODRAIN,
	PMEMOBJ_F_MEM_TEMPORAL,
	PMEMOBJ_F_MEM_WB,
	PMEMOBJ_F_MEM_NOFLUSH,
	PMEMOBJ_F_MEM_NOFLUSH | PMEMOBJ_F_MEM_NONTEMPORAL,
	PMEMOBJ_F_MEM_TEMPORAL | PMEMOBJ_F_MEM_NONTEMPORAL,
	PMEMOBJ_F_RELAXED,
	PMEMOBJ_F_RELAXED | PMEMOBJ_F_MEM_NONTEMPORAL,
	1U << 17,			/* unknown: ignored */
};

static const enum pobj_medium all_media[] = {
	POBJ_MEDIUM_CACHED, POBJ_MEDIUM_EADR, POBJ_MEDIUM_PAGES, POBJ_MEDIUM_DRAM
};

static void fill_random(unsigned char *p, size_t len)
{
	static unsigned int seed = 1;

	while (len--) {
		seed = seed * 1103515245 + 12345;
		*p++ = seed >> 16;
	}
}

/* Index of a flag set whose result differs from libc's, or -1. What lies around is compared. */
#define ROOM	(MAX_LEN + 3 * 64)

static int differing(const struct pobj_media *m, unsigned char *mem, size_t to, ssize_t from,
		     size_t len)
{
	static unsigned char start[2 * ROOM], expected[2 * ROOM], outside[ROOM];
	unsigned int i;

	/* from < 0: a fill; from >= 2 * ROOM: a source outside the pool */
	if (!start[0] && !start[1]) {
		fill_random(start, sizeof(start));
		fill_random(outside, sizeof(outside));
	}
	for (i = 0; i < ARRAY_SIZE(all_flags); i++) {
		memcpy(mem, start, sizeof(start));
		memcpy(expected, start, sizeof(start));
		if (from < 0) {
			memset(expected + to, 0x1a5, len);
			pobj_persist_set(m, mem + to, 0x1a5, len, all_flags[i]);
		} else if (from >= 2 * ROOM) {
			memcpy(expected + to, outside + from - 2 * ROOM, len);
			pobj_persist_move(m, mem + to, outside + from - 2 * ROOM, len,
					  all_flags[i]);
		} else {
			memmove(expected + to, expected + from, len);
			pobj_persist_move(m, mem + to, mem + from, len, all_flags[i]);
		}
		m->fence(m);
		if (memcmp(mem, expected, sizeof(start)))
			return i;
	}
	return -1;
}

FIXTURE(copies) {
	struct pobj_media m;
	unsigned char *mem;
};

FIXTURE_VARIANT(copies) {
	enum pobj_medium kind;
	const char *threshold;
	size_t align_step;
};

FIXTURE_VARIANT_ADD(copies, cached) {
	.kind = POBJ_MEDIUM_CACHED, .align_step = 1,
};

FIXTURE_VARIANT_ADD(copies, cached_always_nontemporal) {
	.kind = POBJ_MEDIUM_CACHED, .threshold = "0", .align_step = 5,
};

FIXTURE_VARIANT_ADD(copies, eadr) {
	.kind = POBJ_MEDIUM_EADR, .align_step = 9,
};

FIXTURE_VARIANT_ADD(copies, pages) {
	.kind = POBJ_MEDIUM_PAGES, .align_step = 13,
};

FIXTURE_VARIANT_ADD(copies, dram) {
	.kind = POBJ_MEDIUM_DRAM, .align_step = 7,
};

FIXTURE_SETUP(copies)
{
	if (variant->threshold)
		setenv("PMEM_MOVNT_THRESHOLD", variant->threshold, 1);
	self->mem = (void *)medium(&self->m, variant->kind, PAGE);
	ASSERT_NE(NULL, self->mem);
}

FIXTURE_TEARDOWN(copies)
{
}

TEST_F_TIMEOUT(copies, from_elsewhere, 120)
{
	size_t to, len;

	for (to = 0; to <= 64; to += variant->align_step)
		for (len = 0; len <= MAX_LEN; len += LEN_STEP) {
			size_t from = (to * 7 + len) % 64;

			ASSERT_EQ(-1, differing(&self->m, self->mem, 64 + to, 2 * ROOM + from, len))
				TH_LOG("to %zu from %zu len %zu", to, from, len);
		}
}

TEST_F_TIMEOUT(copies, over_its_source, 120)
{
	static const int gaps[] = {
		1, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 200, 255, 256, 300, 513
	};
	size_t to, len, i;

	for (to = 0; to < 64; to += variant->align_step)
		for (i = 0; i < ARRAY_SIZE(gaps); i++)
			for (len = to % 13; len <= MAX_LEN; len += 13 * LEN_STEP) {
				size_t lo = 64 + to, hi = lo + gaps[i];

				ASSERT_EQ(-1, differing(&self->m, self->mem, hi, lo, len))
					TH_LOG("up by %d to %zu len %zu", gaps[i], hi, len);
				ASSERT_EQ(-1, differing(&self->m, self->mem, lo, hi, len))
					TH_LOG("down by %d to %zu len %zu", gaps[i], lo, len);
			}
	ASSERT_EQ(-1, differing(&self->m, self->mem, 77, 77, MAX_LEN));
}

TEST_F_TIMEOUT(copies, fill, 120)
{
	size_t to, len;

	for (to = 0; to <= 64; to += variant->align_step)
		for (len = 0; len <= MAX_LEN; len += LEN_STEP)
			ASSERT_EQ(-1, differing(&self->m, self->mem, 64 + to, -1, len))
				TH_LOG("to %zu len %zu", to, len);
}

/* Nothing is read or written beyond the ends: source and destination end at a hole, or begin. */
TEST_F(copies, stay_inside)
{
	size_t len, i;
	int prot = PROT_READ | PROT_WRITE;
	char *src = mmap(NULL, 3 * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *dst = mmap(NULL, 3 * PAGE, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, src);
	ASSERT_NE(MAP_FAILED, dst);
	for (i = 0; i < 3; i += 2) {
		ASSERT_EQ(0, mprotect(src + i * PAGE, PAGE, PROT_NONE));
		ASSERT_EQ(0, mprotect(dst + i * PAGE, PAGE, PROT_NONE));
	}
	self->m.base = dst + PAGE;
	for (len = 0; len <= MAX_LEN; len += LEN_STEP)
		for (i = 0; i < ARRAY_SIZE(all_flags); i++) {
			pobj_persist_move(&self->m, dst + 2 * PAGE - len, src + 2 * PAGE - len, len,
					  all_flags[i]);
			pobj_persist_move(&self->m, dst + PAGE, src + PAGE, len, all_flags[i]);
			pobj_persist_set(&self->m, dst + 2 * PAGE - len, 7, len, all_flags[i]);
			pobj_persist_set(&self->m, dst + PAGE, 7, len, all_flags[i]);
		}
	self->m.fence(&self->m);
}

/*
 * M1: after every single instruction, each aligned word that is to be written as a whole is old
 * or new. The CPU's trap flag stops us there; emulators do not have it.
 */
static struct {
	const volatile u64 *word;
	u64 old[ROOM / 8];
	u64 new[ROOM / 8];
	size_t first;
	size_t end;
	int steps;
	int torn;
} watch;

static void watch_step(int sig)
{
	size_t i;

	for (i = watch.first; i < watch.end; i++) {
		u64 v = watch.word[i];

		if (v != watch.old[i] && v != watch.new[i])
			watch.torn++;
	}
	watch.steps++;
}

/* Move (or, without @src, fill) under watch. Both lie in [mem, mem + ROOM), or @src elsewhere. */
static void step(const struct pobj_media *m, unsigned char *mem, unsigned char *dst,
		 const unsigned char *src, size_t len, unsigned int flags)
{
	unsigned char *new = (unsigned char *)watch.new;

	watch.word = (u64 *)mem;
	memcpy(watch.old, mem, ROOM);
	if (!src)
		memset(mem + (dst - mem), 0x5a, len);
	else
		memmove(dst, src, len);
	memcpy(new, mem, ROOM);
	memcpy(mem, watch.old, ROOM);
	watch.first = (dst - mem + 7) / 8;
	watch.end = (dst - mem + len) / 8;
	__writeeflags(__readeflags() | 0x100);
	if (src)
		pobj_persist_move(m, dst, src, len, flags);
	else
		pobj_persist_set(m, dst, 0x5a, len, flags);
	__writeeflags(__readeflags() & ~0x100ULL);
}

FIXTURE(steps) {
};

FIXTURE_SETUP(steps)
{
}

FIXTURE_TEARDOWN(steps)
{
}

TEST_F_TIMEOUT(steps, whole_words, 120)
{
	static const size_t lens[] = { 15, 16, 33, 100, 257 };
	static const unsigned int flags[] = {
		0, PMEMOBJ_F_MEM_NONTEMPORAL, PMEMOBJ_F_MEM_NOFLUSH
	};
	static unsigned char outside[ROOM];
	struct pobj_media m;
	unsigned char *mem = (void *)medium(&m, POBJ_MEDIUM_CACHED, PAGE);
	size_t to, i, k;

	if (signal(SIGTRAP, watch_step) == SIG_ERR)
		SKIP(return, "no signals");
	fill_random(outside, ROOM);
	fill_random(mem, ROOM);
	for (to = 0; to < 64; to += 11)
		for (i = 0; i < ARRAY_SIZE(lens); i++)
			for (k = 0; k < ARRAY_SIZE(flags); k++) {
				unsigned char *dst = mem + 64 + to;

				step(&m, mem, dst, outside + i, lens[i], flags[k]);
				step(&m, mem, dst, NULL, lens[i], flags[k]);
				step(&m, mem, dst, outside + to, lens[i], flags[k]);
				step(&m, mem, dst, dst + 9 + i, lens[i], flags[k]);
				step(&m, mem, dst, dst - 9 - i, lens[i], flags[k]);
				ASSERT_EQ(0, watch.torn) {
					TH_LOG("to %zu len %zu flags 0x%x", to, lens[i], flags[k]);
				}
			}
	if (!watch.steps)
		SKIP(return, "no single steps here");
}

/* ---- what is flushed ---------------------------------------------------------------------- */

static char *flushed_from, *flushed_to;
static int flushes, fences;

static void note_flush(const struct pobj_media *m, const void *p, u64 len)
{
	flushed_from = (char *)p;
	flushed_to = (char *)p + len;
	flushes++;
}

static int note_fence(const struct pobj_media *m)
{
	fences++;
	return 0;
}

TEST(flush_what_was_stored_and_no_fence)
{
	struct pobj_media m;
	char *p = medium(&m, POBJ_MEDIUM_CACHED, PAGE);
	char src[300] = { 0 };

	m.flush = note_flush;
	m.fence = note_fence;
	pobj_persist_move(&m, p + 5, src, 300, PMEMOBJ_F_MEM_NONTEMPORAL);
	EXPECT_EQ(1, flushes);
	EXPECT_EQ(p + 5, flushed_from);
	EXPECT_EQ(p + 305, flushed_to);
	pobj_persist_set(&m, p + 70, 1, 9, 0);
	EXPECT_EQ(2, flushes);
	EXPECT_EQ(p + 70, flushed_from);
	EXPECT_EQ(p + 79, flushed_to);

	pobj_persist_move(&m, p, src, 300, PMEMOBJ_F_MEM_NOFLUSH);
	pobj_persist_set(&m, p, 1, 300, PMEMOBJ_F_MEM_NOFLUSH);
	pobj_persist_move(&m, p, src, 0, 0);
	pobj_persist_set(&m, p, 1, 0, 0);
	EXPECT_EQ(2, flushes);
	EXPECT_EQ(0, fences);
}

TEST(flush_of_any_range_on_any_medium)
{
	struct pobj_media m;
	size_t at, len, i;

	for (i = 0; i < ARRAY_SIZE(all_media); i++) {
		char *p = medium(&m, all_media[i], PAGE);

		ASSERT_NE(NULL, p);
		/* The line of offset PAGE is a fault on no medium: it is not touched. */
		for (at = 0; at <= 130; at++)
			for (len = 0; len <= 200; len += LEN_STEP) {
				m.flush(&m, p + at, len);
				m.flush(&m, p + PAGE - at, len < at ? len : at);
			}
		m.flush(&m, p + PAGE, 0);
		EXPECT_EQ(0, m.fence(&m));
		EXPECT_EQ(all_media[i] == POBJ_MEDIUM_PAGES, m.lines_tear);
	}
}

/* ---- pages ------------------------------------------------------------------------------- */

TEST(pages_wait_for_the_fence_and_go_out_once)
{
	struct pobj_media m;
	char *p = medium(&m, POBJ_MEDIUM_PAGES, 64 * PAGE);

	EXPECT_EQ(0, m.fence(&m));
	EXPECT_EQ(0, synced);
	m.flush(&m, p + 3 * PAGE + 17, 8);
	m.flush(&m, p + 3 * PAGE + 4000, 8);
	m.flush(&m, p + 9 * PAGE - 1, 2);
	m.flush(&m, p, 0);
	EXPECT_EQ(0, synced);
	EXPECT_EQ(0, m.fence(&m));
	ASSERT_EQ(2, synced);
	EXPECT_EQ(p + 3 * PAGE, synced_at[0]);
	EXPECT_EQ(PAGE, synced_len[0]);
	EXPECT_EQ(p + 8 * PAGE, synced_at[1]);
	EXPECT_EQ(2 * PAGE, synced_len[1]);
	EXPECT_EQ(0, m.fence(&m));
	EXPECT_EQ(2, synced);
}

TEST(pages_that_touch_become_one_range)
{
	struct pobj_media m;
	char *p = medium(&m, POBJ_MEDIUM_PAGES, 64 * PAGE);

	m.flush(&m, p + 2 * PAGE, 1);
	m.flush(&m, p + 6 * PAGE, 1);
	m.flush(&m, p + 4 * PAGE, 1);
	m.flush(&m, p + 3 * PAGE, 1);
	m.flush(&m, p + 5 * PAGE, 1);
	m.flush(&m, p + 40 * PAGE, 3 * PAGE);
	m.flush(&m, p + 41 * PAGE, 1);
	EXPECT_EQ(0, m.fence(&m));
	ASSERT_EQ(2, synced);
	EXPECT_EQ(p + 2 * PAGE, synced_at[0]);
	EXPECT_EQ(5 * PAGE, synced_len[0]);
	EXPECT_EQ(p + 40 * PAGE, synced_at[1]);
	EXPECT_EQ(3 * PAGE, synced_len[1]);
}

TEST(many_ranges_join_the_nearest)
{
	struct pobj_media m;
	char *p = medium(&m, POBJ_MEDIUM_PAGES, 4096 * PAGE);
	bool covered[4096] = { 0 };
	size_t sum = 0;
	int i, k;

	/* Sixteen a hundred pages apart, then some near them, below and above. */
	for (i = 0; i < 16; i++)
		m.flush(&m, p + (100 * i + 50) * PAGE, 1);
	m.flush(&m, p + 553 * PAGE, 1);
	m.flush(&m, p + 546 * PAGE, 1);
	m.flush(&m, p + 40 * PAGE, 1);
	m.flush(&m, p + 1560 * PAGE, 1);
	EXPECT_EQ(0, synced);
	EXPECT_EQ(0, m.fence(&m));
	ASSERT_EQ(16, synced);
	for (i = 0; i < 16; i++) {
		sum += synced_len[i];
		for (k = 0; k < (int)(synced_len[i] / PAGE); k++)
			covered[(synced_at[i] - p) / PAGE + k] = true;
	}
	for (i = 0; i < 16; i++)
		EXPECT_TRUE(covered[100 * i + 50]);
	EXPECT_TRUE(covered[553] && covered[546] && covered[40] && covered[1560]);
	/* 13 single pages, 546 to 553, 40 to 50, 1550 to 1560 */
	EXPECT_EQ((13 + 8 + 11 + 11) * PAGE, sum);

	/* Scattered at random: nothing is lost, and never more than sixteen. */
	srand(1);
	for (k = 0; k < 50; k++) {
		char *at[200];

		synced = 0;
		for (i = 0; i < 200; i++) {
			at[i] = p + (rand() % 4096) * PAGE;
			m.flush(&m, at[i], 1);
		}
		EXPECT_EQ(0, m.fence(&m));
		ASSERT_GE(16, synced);
		for (i = 0; i < 200; i++) {
			int j = 0;

			while (j < synced && !(synced_at[j] <= at[i] &&
					       at[i] < synced_at[j] + synced_len[j]))
				j++;
			ASSERT_NE(synced, j);
		}
	}
}

TEST(fence_returns_the_first_error_once_and_tries_all)
{
	struct pobj_media m;
	char *p = medium(&m, POBJ_MEDIUM_PAGES, 16 * PAGE);

	m.flush(&m, p, 1);
	m.flush(&m, p + 4 * PAGE, 1);
	m.flush(&m, p + 8 * PAGE, 1);
	sync_errno = EIO;
	EXPECT_EQ(-EIO, m.fence(&m));
	EXPECT_EQ(3, synced);
	EXPECT_EQ(0, m.fence(&m));
	EXPECT_EQ(3, synced);
}

/* As the kernel sees it. The one place where valgrind rightly complains. */
TEST(fence_of_a_range_that_is_gone)
{
	struct pobj_media m;
	char *p = medium(&m, POBJ_MEDIUM_PAGES, 16 * PAGE);

	m.flush(&m, p + 3 * PAGE, 1);
	ASSERT_EQ(0, munmap(p + 3 * PAGE, PAGE));
	EXPECT_EQ(-ENOMEM, m.fence(&m));
	EXPECT_EQ(0, m.fence(&m));
}

TEST(fence_leaves_other_pools_alone)
{
	struct pobj_media a, b;
	char *p = medium(&a, POBJ_MEDIUM_PAGES, 16 * PAGE);
	char *q = medium(&b, POBJ_MEDIUM_PAGES, 16 * PAGE);

	a.flush(&a, p, 1);
	b.flush(&b, q + PAGE, 1);
	a.flush(&a, p + 2 * PAGE, 1);
	EXPECT_EQ(0, b.fence(&b));
	ASSERT_EQ(1, synced);
	EXPECT_EQ(q + PAGE, synced_at[0]);
	EXPECT_EQ(0, a.fence(&a));
	ASSERT_EQ(3, synced);
	EXPECT_EQ(p, synced_at[1]);
	EXPECT_EQ(p + 2 * PAGE, synced_at[2]);
}

/* A range that a larger pool left behind at the same address does no harm. */
TEST(fence_stays_inside_the_medium)
{
	struct pobj_media m;
	char *p = medium(&m, POBJ_MEDIUM_PAGES, 16 * PAGE);

	m.flush(&m, p + 3 * PAGE, 2 * PAGE);
	m.flush(&m, p + 9 * PAGE, 1);
	m.size = 4 * PAGE;
	ASSERT_EQ(0, munmap(p + 4 * PAGE, 12 * PAGE));
	EXPECT_EQ(0, m.fence(&m));
	ASSERT_EQ(1, synced);
	EXPECT_EQ(PAGE, synced_len[0]);
}

TEST(seventeen_pools_at_once)
{
	struct pobj_media m[17];
	char *p[17];
	int i;

	for (i = 0; i < 17; i++) {
		p[i] = medium(&m[i], POBJ_MEDIUM_PAGES, PAGE);
		sync_errno = i == 16 ? EIO : 0;
		m[i].flush(&m[i], p[i], 1);
	}
	/* The oldest went out at once; its error waits for a fence. */
	ASSERT_EQ(1, synced);
	EXPECT_EQ(p[0], synced_at[0]);
	EXPECT_EQ(-EIO, m[16].fence(&m[16]));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(0, m[i].fence(&m[i]));
	EXPECT_EQ(17, synced);
}

static int fence_of_other;

static void *fence_elsewhere(void *arg)
{
	struct pobj_media *m = arg;

	fence_of_other = m->fence(m);
	return NULL;
}

TEST(fence_is_about_the_calling_thread)
{
	struct pobj_media m;
	char *p = medium(&m, POBJ_MEDIUM_PAGES, 4 * PAGE);
	pthread_t t;

	m.flush(&m, p, 1);
	ASSERT_EQ(0, pthread_create(&t, NULL, fence_elsewhere, &m));
	pthread_join(t, NULL);
	EXPECT_EQ(0, fence_of_other);
	EXPECT_EQ(0, synced);
	EXPECT_EQ(0, m.fence(&m));
	EXPECT_EQ(1, synced);
}

TEST(dram_and_lines_never_sync)
{
	struct pobj_media m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all_media); i++) {
		char *p = medium(&m, all_media[i], PAGE);

		if (all_media[i] == POBJ_MEDIUM_PAGES)
			continue;
		pobj_persist_set(&m, p, 1, PAGE, 0);
		EXPECT_EQ(0, m.fence(&m));
	}
	EXPECT_EQ(0, synced);
}

/* ---- reading ----------------------------------------------------------------------------- */

TEST(read_what_is_there)
{
	struct pobj_media m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all_media); i++) {
		unsigned char *p = (void *)medium(&m, all_media[i], 8 * PAGE);
		unsigned char got[2 * PAGE + 16];

		fill_random(p, 8 * PAGE);
		EXPECT_EQ(0, m.read(&m, got, 0, 0));
		EXPECT_EQ(0, m.read(&m, got, 4093, 7));
		EXPECT_EQ(0, memcmp(got, p + 4093, 7));
		EXPECT_EQ(0, m.read(&m, got, PAGE - 3, 2 * PAGE + 5));
		EXPECT_EQ(0, memcmp(got, p + PAGE - 3, 2 * PAGE + 5));
		EXPECT_EQ(0, m.read(&m, got, 8 * PAGE - 1, 1));
		EXPECT_EQ(p[8 * PAGE - 1], got[0]);
	}
}

TEST(read_beyond_a_truncated_file)
{
	struct pobj_media m = { .size = 4 * PAGE };
	unsigned char got[3 * PAGE];
	int fd;

	m.base = map_file(m.size, &fd);
	ASSERT_NE(NULL, m.base);
	pobj_persist_setup(&m, POBJ_MEDIUM_PAGES);
	memset(m.base, 7, m.size);
	ASSERT_EQ(0, ftruncate(fd, 2 * PAGE));
	EXPECT_EQ(0, m.read(&m, got, PAGE, PAGE));
	EXPECT_EQ(-EIO, m.read(&m, got, 2 * PAGE, 8));
	EXPECT_EQ(-EIO, m.read(&m, got, PAGE, 2 * PAGE));
	EXPECT_EQ(-EIO, m.read(&m, got, 2 * PAGE - 4, 8));
	/* and it can again when the file has grown back */
	ASSERT_EQ(0, ftruncate(fd, 4 * PAGE));
	EXPECT_EQ(0, m.read(&m, got, PAGE, 2 * PAGE));
	EXPECT_EQ(7, got[0]);
	EXPECT_EQ(0, got[PAGE]);
}

static struct pobj_media thread_media;
static pthread_t first_thread;

static void *read_alone(void *arg)
{
	char got[8] = { 0 };
	int err;

	pthread_join(first_thread, NULL);
	err = thread_media.read(&thread_media, got, 2 * PAGE, 8);
	_exit(err == -EIO && !thread_media.read(&thread_media, got, 8, 8) && got[0] == 7 ? 0 : 1);
}

TEST(read_when_the_first_thread_has_ended)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		pthread_t t;
		int fd;

		thread_media.size = 4 * PAGE;
		thread_media.base = map_file(4 * PAGE, &fd);
		pobj_persist_setup(&thread_media, POBJ_MEDIUM_PAGES);
		memset(thread_media.base, 7, 4 * PAGE);
		if (ftruncate(fd, PAGE))
			_exit(2);
		first_thread = pthread_self();
		if (pthread_create(&t, NULL, read_alone, NULL))
			_exit(3);
		pthread_exit(NULL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST(read_in_a_sandbox)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_process_vm_writev, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(filter), .filter = filter };
	struct pobj_media m;
	char *p = medium(&m, POBJ_MEDIUM_CACHED, PAGE);
	char got[16] = { 0 };

	strcpy(p + 5, "twelve bytes");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		SKIP(return, "no seccomp filters here");
	EXPECT_EQ(0, m.read(&m, got, 5, 13));
	EXPECT_STREQ("twelve bytes", got);
}

/* ---- the environment --------------------------------------------------------------------- */

static void set_env(const char *a, const char *b, const char *c)
{
	static const char * const all[] = {
		"PMEM_IS_PMEM_FORCE", "PMEM_NO_FLUSH", "PMEM_NO_CLWB", "PMEM_NO_CLFLUSHOPT",
		"PMEM_NO_MOVNT", "PMEM_MOVNT_THRESHOLD"
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		unsetenv(all[i]);
	if (a)
		putenv((char *)a);
	if (b)
		putenv((char *)b);
	if (c)
		putenv((char *)c);
}

/* What a new process calls its flush instruction, by the first letters: w, o, f, n. */
static int flush_kind(const char *a, const char *b, const char *c)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		const char *name;

		set_env(a, b, c);
		name = pobj_persist_flush_name();
		_exit(!strcmp(name, "clwb") ? 'w' : !strcmp(name, "clflushopt") ? 'o' :
		      !strcmp(name, "clflush") ? 'f' : !strcmp(name, "none") ? 'n' : '?');
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int best_kind(bool clwb, bool clflushopt)
{
	unsigned int eax = 7, ebx, ecx = 0, edx;

	__asm__ __volatile__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	if (clwb && (ebx & (1U << 24)))
		return 'w';
	return clflushopt && (ebx & (1U << 23)) ? 'o' : 'f';
}

TEST(environment_chooses_the_instruction)
{
	EXPECT_EQ(best_kind(true, true), flush_kind(NULL, NULL, NULL));
	EXPECT_EQ(best_kind(false, true), flush_kind("PMEM_NO_CLWB=1", NULL, NULL));
	EXPECT_EQ(best_kind(true, false), flush_kind("PMEM_NO_CLFLUSHOPT=1", NULL, NULL));
	EXPECT_EQ('f', flush_kind("PMEM_NO_CLWB=1", "PMEM_NO_CLFLUSHOPT=1", NULL));
	EXPECT_EQ('n', flush_kind("PMEM_NO_FLUSH=1", NULL, NULL));
	EXPECT_EQ('n', flush_kind("PMEM_NO_FLUSH=1", "PMEM_NO_CLWB=1", "PMEM_NO_CLFLUSHOPT=1"));
	EXPECT_EQ(best_kind(true, true), flush_kind("PMEM_NO_FLUSH=0", NULL, NULL));
	/* Only 0 and 1 have a meaning. */
	EXPECT_EQ(best_kind(true, true), flush_kind("PMEM_NO_FLUSH=yes", "PMEM_NO_CLWB=", NULL));
}

/* The hooks that each instruction has: to tell media from each other. */
static void *flush_of(enum pobj_medium kind)
{
	struct pobj_media m = { 0 };

	pobj_persist_setup(&m, kind);
	return (void *)m.flush;
}

TEST(no_flush_makes_caches_persistent)
{
	set_env("PMEM_NO_FLUSH=1", NULL, NULL);
	EXPECT_EQ(flush_of(POBJ_MEDIUM_EADR), flush_of(POBJ_MEDIUM_CACHED));
	EXPECT_NE(flush_of(POBJ_MEDIUM_PAGES), flush_of(POBJ_MEDIUM_CACHED));
	EXPECT_EQ(POBJ_MEDIUM_PAGES, pobj_persist_forced(POBJ_MEDIUM_PAGES));
}

TEST(no_flush_0_flushes_persistent_caches)
{
	set_env("PMEM_NO_FLUSH=0", NULL, NULL);
	EXPECT_EQ(flush_of(POBJ_MEDIUM_CACHED), flush_of(POBJ_MEDIUM_EADR));
	EXPECT_NE(flush_of(POBJ_MEDIUM_DRAM), flush_of(POBJ_MEDIUM_CACHED));
}

TEST(nothing_is_forced_without_a_word)
{
	size_t i;

	set_env(NULL, NULL, NULL);
	for (i = 0; i < ARRAY_SIZE(all_media); i++)
		EXPECT_EQ(all_media[i], pobj_persist_forced(all_media[i]));
	EXPECT_NE(flush_of(POBJ_MEDIUM_EADR), flush_of(POBJ_MEDIUM_CACHED));
	EXPECT_EQ(flush_of(POBJ_MEDIUM_EADR), flush_of(POBJ_MEDIUM_DRAM));
}

TEST(files_forced_to_pmem)
{
	size_t i;

	set_env("PMEM_IS_PMEM_FORCE=1", NULL, NULL);
	for (i = 0; i < ARRAY_SIZE(all_media); i++)
		EXPECT_EQ(POBJ_MEDIUM_CACHED, pobj_persist_forced(all_media[i]));
	/* A region is not a file: what it is set up as, it stays. */
	EXPECT_NE(flush_of(POBJ_MEDIUM_PAGES), flush_of(POBJ_MEDIUM_CACHED));
}

TEST(files_forced_to_pages)
{
	size_t i;

	set_env("PMEM_IS_PMEM_FORCE=0", NULL, NULL);
	for (i = 0; i < ARRAY_SIZE(all_media); i++)
		EXPECT_EQ(POBJ_MEDIUM_PAGES, pobj_persist_forced(all_media[i]));
}

/* It is read once, at the first call. */
TEST(environment_is_read_once)
{
	set_env(NULL, NULL, NULL);
	EXPECT_EQ(POBJ_MEDIUM_DRAM, pobj_persist_forced(POBJ_MEDIUM_DRAM));
	set_env("PMEM_IS_PMEM_FORCE=1", NULL, NULL);
	EXPECT_EQ(POBJ_MEDIUM_DRAM, pobj_persist_forced(POBJ_MEDIUM_DRAM));
}

TEST_HARNESS_MAIN
