// SPDX-License-Identifier: BSD-3-Clause
/*
 * lib/core/check.c: that it sees what is wrong, one thing at a time, tells of what it cannot read,
 * and ends when it is told to.
 */
#include "kselftest_harness.h"
#include "core_pool.h"

#define BYTES	32768
#define NONE	1000

FIXTURE(check) {
	struct core_pool p;
	const struct pobj_geom *g;
	struct pobj_census c;
};

#define SELF	FIXTURE_DATA(check) * self

static void line(SELF, u64 page, u32 kind, u32 flags, u32 cnt, u32 size)
{
	core_set(&self->p, pobj_geom_line(self->g, page),
		 pobj_line_header(kind, flags, cnt, size));
}

static void large(SELF, u64 page, u32 flags)
{
	core_set(&self->p, pobj_geom_line(self->g, page) + 16, 256);
	line(self, page, POBJ_M_LARGE, flags, 0, 1);
}

/* A slab, a large object, the root, a log chunk in its chain, and an entry that is live. */
FIXTURE_SETUP(check)
{
	u64 word[2];
	u64 i;

	core_pool_make(&self->p, BYTES, 8, 2, 2);
	self->g = &self->p.s.geom;
	for (i = 1; i < 4; i++)
		line(self, 10 + i, POBJ_M_CONT, 0, 0, (u32)i);
	line(self, 10, POBJ_M_SLAB, 0, 16, 64);
	large(self, 20, 0);
	large(self, 22, POBJ_M_F_ROOT);
	core_set(&self->p, POBJ_M_ROOT_OFF, CORE_PAGE(self->g, 22));
	core_set(&self->p, POBJ_M_ROOT_OFF + 8, 256);
	line(self, 30, POBJ_M_LOG, POBJ_M_F_INTERNAL, 0, 1);
	memset(self->p.mem + CORE_PAGE(self->g, 30), 0, 256);
	core_set(&self->p, pobj_geom_lane(self->g, 0), CORE_PAGE(self->g, 30));
	word[0] = CORE_PAGE(self->g, 20);
	word[1] = 0;
	core_slot(&self->p, 1, 1, POBJ_M_ENTRY_UNDO, 1, 0, word, 2);
}

FIXTURE_TEARDOWN(check)
{
	core_read_bad_off = ~0ULL;
	core_read_fail_once = 0;
	core_pool_free(&self->p);
}

struct told {
	u64 cnt;
	u64 stop_at;
	bool media;		/* told of what cannot be read */
	struct pobj_finding last;
};

static int tell(void *arg, const struct pobj_finding *f)
{
	struct told *t = arg;

	t->last = *f;
	t->media |= f->diag == POBJ_DIAG_MEDIA;
	return t->cnt++ == t->stop_at ? 4711 : 0;
}

static int check(SELF, struct told *t)
{
	t->cnt = 0;
	t->media = false;
	return pobj_check_pool(&self->p.m, &self->p.s, &self->c, tell, t);
}

TEST_F(check, census)
{
	ASSERT_EQ(0, pobj_check_pool(&self->p.m, &self->p.s, &self->c, NULL, NULL));
	EXPECT_EQ(0, self->c.problems);
	EXPECT_EQ(2, self->c.lanes);
	EXPECT_EQ(1, self->c.live);
	EXPECT_EQ(1, self->c.slabs);
	EXPECT_EQ(2, self->c.larges);
	EXPECT_EQ(1, self->c.logs);
	EXPECT_EQ(self->g->page_cnt - 7, self->c.free_pages);
	EXPECT_EQ(self->g->page_cnt - 31, self->c.largest_free);
}

/* One thing wrong at a time: found, and told where. */
TEST_F(check, one_fault_each)
{
	const u64 root = POBJ_M_ROOT_OFF;
	const struct {
		u64 off, value;
		u32 diag;
	} fault[] = {
		{ pobj_geom_line(self->g, 10), pobj_line_header(POBJ_M_SLAB, 0, 0, 64),
		  POBJ_DIAG_LINE },
		{ pobj_geom_line(self->g, 12), 0, POBJ_DIAG_LINE },	/* no way to the head */
		{ pobj_geom_line(self->g, 12), pobj_line_header(POBJ_M_CONT, 0, 0, 1),
		  POBJ_DIAG_LINE },
		{ pobj_geom_line(self->g, 12), pobj_line_header(POBJ_M_CONT, 0, 1, 2),
		  POBJ_DIAG_LINE },
		{ pobj_geom_line(self->g, 20), pobj_line_header(POBJ_M_LARGE, POBJ_M_F_ROOT, 0, 1),
		  POBJ_DIAG_ROOT },					/* two roots */
		{ pobj_geom_line(self->g, 22), 0, POBJ_DIAG_ROOT },
		{ root, CORE_PAGE(self->g, 20), POBJ_DIAG_ROOT },
		{ root, 0, POBJ_DIAG_ROOT },
		{ root + 8, 255, POBJ_DIAG_ROOT },
		{ pobj_geom_lane(self->g, 0), 0, POBJ_DIAG_CHUNK },	/* lost */
		{ pobj_geom_lane(self->g, 1), CORE_PAGE(self->g, 30), POBJ_DIAG_CHUNK },
		{ pobj_geom_slot(self->g, 1, 5), 1, 0 },	/* words alone mean nothing */
		{ pobj_geom_slot(self->g, 1, 5) + 56, core_tag(5, 1), POBJ_DIAG_LANE_CRC },
	};
	struct told t = { .stop_at = NONE };
	u64 before;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fault); i++) {
		before = core_get(&self->p, fault[i].off);
		core_set(&self->p, fault[i].off, fault[i].value);
		EXPECT_EQ(0, check(self, &t));
		EXPECT_EQ(!fault[i].diag, !t.cnt)
			TH_LOG("fault %zu", i);
		if (t.cnt)
			EXPECT_EQ(fault[i].diag, t.last.diag)
				TH_LOG("fault %zu", i);
		EXPECT_EQ(t.cnt, self->c.problems);
		core_set(&self->p, fault[i].off, before);
	}
	EXPECT_EQ(0, check(self, &t));
	EXPECT_EQ(0, t.cnt);
	/* No root, and the record says so; or only the size is left. */
	line(self, 22, POBJ_M_FREE, 0, 0, 0);
	core_set(&self->p, root, 0);
	EXPECT_EQ(0, check(self, &t));
	EXPECT_EQ(1, t.cnt);
	core_set(&self->p, root + 8, 0);
	EXPECT_EQ(0, check(self, &t));
	EXPECT_EQ(0, t.cnt);
}

/* Each read fails, alone: told, and all else is still looked at. */
TEST_F(check, unreadable_once)
{
	struct told t = { .stop_at = NONE };
	u64 n, total;

	core_reads = 0;
	ASSERT_EQ(0, check(self, &t));
	total = core_reads;
	ASSERT_LT(self->g->page_cnt, total);
	for (n = 1; n <= total; n++) {
		core_reads = 0;
		core_read_fail_once = n;
		EXPECT_EQ(0, check(self, &t));
		EXPECT_TRUE(t.media)
			TH_LOG("read %llu", (unsigned long long)n);
		EXPECT_EQ(2, self->c.lanes);
	}
}

/* Whoever is told may end it, at each problem: it is told of no more. */
TEST_F(check, ends_when_told_to)
{
	struct told t = { .stop_at = NONE };
	u64 n, all;

	core_set(&self->p, pobj_geom_slot(self->g, 0, 5) + 56, core_tag(5, 1));
	core_set(&self->p, pobj_geom_lane(self->g, 1), 8);
	line(self, 11, POBJ_M_FREE, 0, 0, 0);
	line(self, 12, POBJ_M_CONT, 1, 0, 2);
	line(self, 20, POBJ_M_LARGE, POBJ_M_F_ROOT, 0, 1);
	line(self, 40, 9, 0, 0, 0);
	core_set(&self->p, POBJ_M_ROOT_OFF + 8, 1);
	core_read_bad_off = pobj_geom_line(self->g, 13);
	ASSERT_EQ(0, check(self, &t));
	all = t.cnt;
	EXPECT_LE(8, all);
	for (n = 0; n < all; n++) {
		t.stop_at = n;
		EXPECT_EQ(4711, check(self, &t));
		EXPECT_EQ(n + 1, t.cnt);
	}
}

TEST_HARNESS_MAIN
