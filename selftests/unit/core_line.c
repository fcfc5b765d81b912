// SPDX-License-Identifier: BSD-3-Clause
/*
 * lib/core/line.c: which lines a page may have, how long the span is that begins there, and the way
 * from its other pages to its head; and what the check and references make of these lines.
 */
#include "kselftest_harness.h"
#include "core_pool.h"

#include "lib/core/object.h"

#define BYTES	(512U << 10)	/* some 1500 pages of 256 bytes: two sections and a bit */
#define SECTION	((u64)POBJ_M_SECTION_PAGES)
#define ROOT	POBJ_M_F_ROOT
#define MIXED	POBJ_M_F_MIXED

FIXTURE(line) {
	struct core_pool p;
	const struct pobj_geom *g;
};

#define SELF	FIXTURE_DATA(line) * self

FIXTURE_SETUP(line)
{
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	self->g = &self->p.s.geom;
	ASSERT_LT(2 * SECTION + 100, self->g->page_cnt);
}

FIXTURE_TEARDOWN(line)
{
	core_read_bad_off = ~0ULL;
	core_pool_free(&self->p);
}

static void set(SELF, u64 page, u32 kind, u32 flags, u32 cnt, u32 size)
{
	core_set(&self->p, pobj_geom_line(self->g, page),
		 pobj_line_header(kind, flags, cnt, size));
}

static void set_cont(SELF, u64 page, u64 distance)
{
	set(self, page, POBJ_M_CONT, 0, 0, (u32)distance);
}

/* A large object of @pages, with the CONT lines that it must have. */
static void large(SELF, u64 page, u64 pages)
{
	u64 at;

	core_set(&self->p, pobj_geom_line(self->g, page) + 16, pages * 256);
	for (at = page + 1; at < page + pages; at++) {
		if (at % SECTION == 0)
			set_cont(self, at, at - page);
	}
	set(self, page, POBJ_M_LARGE, 0, 0, (u32)pages);
}

static void slab(SELF, u64 page, u32 flags, u32 cnt, u32 size, u64 pages)
{
	u64 i;

	for (i = 1; i < pages; i++)
		set_cont(self, page + i, i);
	set(self, page, POBJ_M_SLAB, flags, cnt, size);
}

/* ---- a line by itself -------------------------------------------------------------------- */

static int verdict(SELF, u64 page, u32 kind, u32 flags, u32 cnt, u32 size, u64 *pages)
{
	struct pobj_finding f = { 0 };
	struct pobj_line l;
	int err;

	set(self, page, kind, flags, cnt, size);
	if (pobj_line_read(&self->p.m, self->g, page, &l))
		return -EIO;
	err = pobj_line_check(self->g, page, &l, &f);
	if (err && (f.diag != POBJ_DIAG_LINE || f.off != pobj_geom_line(self->g, page)))
		return -EDOM;
	*pages = l.pages;
	return err;
}

TEST_F(line, slabs)
{
	static const struct {
		u32 flags, cnt, size, pages;
	} want[] = {
		{ 0, 1, 16, 1 }, { 0, 1, 8, 0 }, { 0, 1, 0, 0 }, { 0, 0, 64, 0 }, { 0, 1, 20, 0 },
		{ 0, 192, 16, 12 }, { 0, 193, 16, 0 }, { 0, 448, 16, 0 }, { 0, 65535, 16, 0 },
		{ 0, 16, 64, 4 }, { 0, 17, 64, 5 }, { 0, 1, 256, 1 }, { 0, 1, 264, 2 },
		/* A type number for each, behind the last. */
		{ MIXED, 16, 64, 5 }, { MIXED, 1, 248, 1 }, { MIXED, 1, 256, 2 },
		{ MIXED, 31, 8, 0 }, { MIXED, 10, 16, 1 }, { MIXED, 11, 16, 2 },
		{ MIXED, 192, 16, 18 }, { MIXED, 193, 16, 0 }, { MIXED, 3, 80, 2 },
		{ ROOT, 16, 64, 0 }, { POBJ_M_F_INTERNAL, 16, 64, 4 }, { 0x008, 16, 64, 0 },
		/* Products beyond 32 bits. */
		{ 0, 1, ~7U, 0 }, { 0, 192, 1U << 31, 0 }, { MIXED, 1, ~7U, 0 },
		{ 0, 3, 0x55555560, 0 }, { MIXED, 2, 1U << 31, 0 },
	};
	u64 pages;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		ASSERT_EQ(want[i].pages ? 0 : -EUCLEAN,
			  verdict(self, 5, POBJ_M_SLAB, want[i].flags, want[i].cnt, want[i].size,
				  &pages))
			TH_LOG("case %zu", i);
		if (want[i].pages)
			ASSERT_EQ(want[i].pages, pages) TH_LOG("case %zu", i);
	}
	/* The type numbers, too, are within the pool. */
	EXPECT_EQ(0, verdict(self, self->g->page_cnt - 4, POBJ_M_SLAB, 0, 16, 64, &pages));
	EXPECT_EQ(-EUCLEAN,
		  verdict(self, self->g->page_cnt - 4, POBJ_M_SLAB, MIXED, 16, 64, &pages));
	/* The line's own type number says nothing in a mixed slab. */
	core_set(&self->p, pobj_geom_line(self->g, 5) + 8, 1);
	EXPECT_EQ(0, verdict(self, 5, POBJ_M_SLAB, 0, 16, 64, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_SLAB, MIXED, 16, 64, &pages));
}

TEST_F(line, other_kinds)
{
	const u64 line = pobj_geom_line(self->g, 5);
	u64 pages;
	u32 kind;

	EXPECT_EQ(0, verdict(self, 5, POBJ_M_FREE, 0, 0, 0, &pages));
	EXPECT_EQ(1, pages);
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_FREE, MIXED, 0, 0, &pages));
	for (kind = POBJ_M_CONT + 1; kind < 16; kind++)
		EXPECT_EQ(-EUCLEAN, verdict(self, 5, kind, 0, 0, 1, &pages));

	/* A way to a head leads backwards, to a page that there is. */
	for (kind = 1; kind <= 5; kind++) {
		EXPECT_EQ(0, verdict(self, 5, POBJ_M_CONT, 0, 0, kind, &pages));
		EXPECT_EQ(1, pages);
	}
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_CONT, 0, 0, 0, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_CONT, 0, 0, 6, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_CONT, 0, 0, ~0U, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 0, POBJ_M_CONT, 0, 0, 1, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_CONT, 0, 1, 1, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_CONT, MIXED, 0, 1, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_CONT, POBJ_M_F_INTERNAL, 0, 1, &pages));

	core_set(&self->p, line + 16, 3 * 256);
	EXPECT_EQ(0, verdict(self, 5, POBJ_M_LARGE, 0, 0, 3, &pages));
	EXPECT_EQ(3, pages);
	EXPECT_EQ(0, verdict(self, 5, POBJ_M_LARGE, ROOT, 0, 3, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_LARGE, MIXED, 0, 3, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_LARGE, 0, 0, 4, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_LARGE, 0, 0, 2, &pages));
	EXPECT_EQ(0, verdict(self, 5, POBJ_M_LOG, 0, 0, 1, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 5, POBJ_M_LOG, MIXED, 0, 1, &pages));
}

TEST_F(line, type_numbers_stand_behind_the_objects)
{
	struct pobj_line l;
	u32 idx;

	slab(self, 7, MIXED, 21, 40, 4);
	ASSERT_EQ(0, pobj_line_read(&self->p.m, self->g, 7, &l));
	EXPECT_EQ(4, l.pages);
	EXPECT_EQ(8, pobj_line_type_bytes(&l));
	for (idx = 0; idx < 21; idx++)
		EXPECT_EQ(CORE_PAGE(self->g, 7) + 840 + 8 * idx,
			  pobj_line_type_off(self->g, 7, &l, idx));
	/* The last one ends where the last page does not. */
	EXPECT_GE(CORE_PAGE(self->g, 11), pobj_line_type_off(self->g, 7, &l, 20) + 8);
	l.flags = 0;
	EXPECT_EQ(0, pobj_line_type_bytes(&l));
	/* Nothing of it is cut off at 32 bits. */
	l.cnt = 192;
	l.size = 1U << 31;
	EXPECT_EQ(CORE_PAGE(self->g, 7) + (192ULL << 31) + 191 * 8,
		  pobj_line_type_off(self->g, 7, &l, 191));
}

/* ---- the check --------------------------------------------------------------------------- */

struct first {
	u64 off;
	u64 cnt;
};

static int first_finding(void *arg, const struct pobj_finding *f)
{
	struct first *first = arg;

	if (!first->cnt++)
		first->off = f->off;
	return 0;
}

/* The check finds @problems; the first one is at the line of @page. */
static bool finds(SELF, u64 problems, u64 page)
{
	struct first first = { 0 };
	struct pobj_census c;

	if (pobj_check_pool(&self->p.m, &self->p.s, &c, first_finding, &first))
		return false;
	if (c.problems != problems)
		printf("# %llu problems\n", (unsigned long long)c.problems);
	return c.problems == problems && first.cnt == problems &&
	       (!problems || first.off == pobj_geom_line(self->g, page));
}

TEST_F(line, slab_pages_name_their_head)
{
	u64 i, d;

	slab(self, 20, 0, 16, 64, 4);
	slab(self, 24, MIXED, 16, 64, 5);
	ASSERT_TRUE(finds(self, 0, 0));
	for (i = 1; i < 9; i++) {
		if (i == 4)
			continue;
		/* 20 to 23 are one, 24 to 28 the other. */
		for (d = 0; d < 12; d++) {
			set_cont(self, 20 + i, d);
			ASSERT_TRUE(finds(self, d != (i < 4 ? i : i - 4), 20 + i))
				TH_LOG("page %llu: %llu", (unsigned long long)i,
				       (unsigned long long)d);
		}
		set(self, 20 + i, POBJ_M_FREE, 0, 0, 0);
		ASSERT_TRUE(finds(self, 1, 20 + i));
		set(self, 20 + i, POBJ_M_LOG, 0, 0, 1);
		ASSERT_TRUE(finds(self, 1, 20 + i));
		set(self, 20 + i, POBJ_M_CONT, 0, 1, i % 4);
		ASSERT_TRUE(finds(self, 1, 20 + i));
		set(self, 20 + i, POBJ_M_CONT, MIXED, 0, i % 4);
		ASSERT_TRUE(finds(self, 1, 20 + i));
		set_cont(self, 20 + i, i < 4 ? i : i - 4);
	}
	ASSERT_TRUE(finds(self, 0, 0));
	/* A mixed slab has a page more than its objects need. */
	set(self, 28, POBJ_M_FREE, 0, 0, 0);
	EXPECT_TRUE(finds(self, 1, 28));
}

TEST_F(line, large_objects_name_their_head_in_each_section)
{
	const u64 first = SECTION - 7, pages = SECTION + 20;
	u64 i, page;

	large(self, first, pages);
	ASSERT_TRUE(finds(self, 0, 0));
	for (i = 1; i < pages; i++) {
		page = first + i;
		set(self, page, POBJ_M_FREE, 0, 0, 0);
		ASSERT_TRUE(finds(self, page % SECTION == 0, page));
		set_cont(self, page, 1);
		ASSERT_TRUE(finds(self, page % SECTION == 0, page));
		set_cont(self, page, i);
		ASSERT_TRUE(finds(self, 0, 0));
		set(self, page, POBJ_M_LOG, 0, 0, 1);
		ASSERT_TRUE(finds(self, 1, page));
		set(self, page, POBJ_M_FREE, 0, 0, 1);
		ASSERT_TRUE(finds(self, 1, page));
		set_cont(self, page, i);
	}
	/* It begins or ends at a section. */
	large(self, first, 8);
	large(self, 2 * SECTION, 3);
	set(self, SECTION, POBJ_M_FREE, 0, 0, 0);
	EXPECT_TRUE(finds(self, 1, SECTION));
	large(self, first, 7);
	EXPECT_TRUE(finds(self, 0, 0));
}

TEST_F(line, left_behind_is_free)
{
	struct pobj_census c;
	u64 page;

	/* All of a slab and of a large object is there, but for the word that makes it one. */
	slab(self, 20, 0, 16, 64, 4);
	set(self, 20, POBJ_M_FREE, 0, 0, 0);
	large(self, 100, SECTION);
	set(self, 100, POBJ_M_FREE, 0, 0, 0);
	ASSERT_EQ(0, pobj_check_pool(&self->p.m, &self->p.s, &c, NULL, NULL));
	EXPECT_EQ(0, c.problems);
	EXPECT_EQ(self->g->page_cnt, c.free_pages);
	EXPECT_EQ(self->g->page_cnt, c.largest_free);
	EXPECT_EQ(0, c.slabs + c.larges + c.logs);
	/* Also in a span that came there later, and behind a shorter one. */
	slab(self, 19, 0, 4, 64, 1);
	large(self, 20, 2);
	EXPECT_TRUE(finds(self, 0, 0));
	for (page = 0; page < self->g->page_cnt; page++)
		set_cont(self, page, page);
	EXPECT_TRUE(finds(self, 1, 0));		/* of page 0 there is nothing before */
	set_cont(self, 3, 4);
	set(self, 0, POBJ_M_FREE, 0, 0, 0);
	EXPECT_TRUE(finds(self, 1, 3));
}

/* ---- the way to the head ----------------------------------------------------------------- */

TEST_F(line, heads_are_found)
{
	const u64 first = SECTION - 7, pages = SECTION + 20;
	struct pobj_line l;
	u64 page, head, want, found = 0;
	int err;

	slab(self, 20, 0, 16, 64, 4);
	slab(self, 24, MIXED, 16, 64, 5);
	set(self, 30, POBJ_M_LOG, 0, 0, 1);
	large(self, first, pages);
	for (page = 0; page < self->g->page_cnt + 20; page++) {
		want = page >= 20 && page < 24 ? 20 : page >= 24 && page < 29 ? 24 :
		       page == 30 ? 30 :
		       page == first || page == SECTION || page == 2 * SECTION ? first : ~0ULL;
		head = 77777;
		err = pobj_line_head(&self->p.m, self->g, page, &l, &head);
		ASSERT_EQ(want == ~0ULL ? -ENOENT : 0, err)
			TH_LOG("page %llu", (unsigned long long)page);
		if (err) {
			ASSERT_EQ(77777, head);
			continue;
		}
		found++;
		ASSERT_EQ(want, head);
		ASSERT_EQ(want == first ? POBJ_M_LARGE : want == 30 ? POBJ_M_LOG : POBJ_M_SLAB,
			  l.kind);
		ASSERT_EQ(want == 20 ? 4 : want == 24 ? 5 : want == 30 ? 1 : pages, l.pages);
	}
	EXPECT_EQ(4 + 5 + 1 + 3, found);
	EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, ~0ULL, &l, &head));
}

TEST_F(line, heads_that_are_none)
{
	struct pobj_line l;
	u64 head = 0, page;
	int i;

	/* Dissolved; another, shorter or damaged; another that covers it by chance. */
	slab(self, 20, 0, 16, 64, 4);
	set(self, 20, POBJ_M_FREE, 0, 0, 0);
	for (page = 20; page < 24; page++)
		EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, page, &l, &head));
	large(self, 20, 3);
	EXPECT_EQ(0, pobj_line_head(&self->p.m, self->g, 22, &l, &head));
	EXPECT_EQ(20, head);
	EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, 23, &l, &head));
	set(self, 20, POBJ_M_LARGE, 0, 0, 4);		/* size says 3 */
	EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, 22, &l, &head));
	EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, 20, &l, &head));
	set(self, 20, POBJ_M_CONT + 3, 0, 0, 4);
	EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, 21, &l, &head));
	/* One CONT line leads to another: not a way. */
	set_cont(self, 20, 1);
	slab(self, 19, 0, 16, 64, 1);
	EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, 21, &l, &head));
	/* Beyond page 0, and with what a CONT line does not have. */
	set_cont(self, 21, 22);
	EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, 21, &l, &head));
	set_cont(self, 21, 0);
	EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, 21, &l, &head));
	set(self, 21, POBJ_M_CONT, MIXED, 0, 2);
	EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, 21, &l, &head));
	set_cont(self, 21, 2);
	EXPECT_EQ(0, pobj_line_head(&self->p.m, self->g, 21, &l, &head));
	EXPECT_EQ(19, head);
	/* Either line cannot be read. */
	for (i = 0; i < 2; i++) {
		core_read_bad_off = pobj_geom_line(self->g, i ? 19 : 21);
		EXPECT_EQ(-EIO, pobj_line_head(&self->p.m, self->g, 21, &l, &head));
	}
}

/* Fields that a kind of line does not have, and objects beyond the last. */
TEST_F(line, fields_of_other_kinds)
{
	const u32 internal = POBJ_M_F_INTERNAL;
	u64 pages;

	memset(self->p.mem + pobj_geom_line(self->g, 20), 0, 2 * POBJ_M_LINE);
	EXPECT_EQ(0, verdict(self, 20, POBJ_M_FREE, 0, 0, 0, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_FREE, internal, 0, 0, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_FREE, 0, 1, 0, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_FREE, 0, 0, 1, &pages));
	EXPECT_EQ(0, verdict(self, 20, POBJ_M_LOG, internal, 0, 1, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_LOG, internal, 1, 1, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_LOG, internal, 0, 2, &pages));
	EXPECT_EQ(0, verdict(self, 20, POBJ_M_CONT, 0, 0, 1, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_CONT, internal, 0, 1, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_CONT, 0, 1, 1, &pages));
	/* Of a large object the size is in the third word, of a slab word A. */
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_LARGE, 0, 0, 1, &pages));
	core_set(&self->p, pobj_geom_line(self->g, 20) + 16, 256);
	EXPECT_EQ(0, verdict(self, 20, POBJ_M_LARGE, 0, 0, 1, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_LARGE, 0, 1, 1, &pages));
	core_set(&self->p, pobj_geom_line(self->g, 20) + 16, 257);
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_LARGE, 0, 0, 1, &pages));
	core_set(&self->p, pobj_geom_line(self->g, 20) + 16, 1 << 15);
	EXPECT_EQ(0, verdict(self, 20, POBJ_M_SLAB, 0, 16, 64, &pages));
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_SLAB, 0, 15, 64, &pages));
	core_set(&self->p, pobj_geom_line(self->g, 20) + 24, 1 << 15);
	EXPECT_EQ(0, verdict(self, 20, POBJ_M_SLAB, 0, 15, 64, &pages));
	core_set(&self->p, pobj_geom_line(self->g, 20) + 32, 1);
	EXPECT_EQ(-EUCLEAN, verdict(self, 20, POBJ_M_SLAB, 0, 64, 16, &pages));
	EXPECT_EQ(0, verdict(self, 20, POBJ_M_SLAB, 0, 65, 16, &pages));
}

/* Behind the last line there is data, which may look like one. */
TEST_F(line, heads_beyond_the_pool)
{
	struct pobj_line l;
	u64 head = 0, page;

	for (page = self->g->page_cnt; page < self->g->page_cnt + 20; page++) {
		if (pobj_geom_line(self->g, page) < self->g->data_off)
			continue;
		core_set(&self->p, pobj_geom_line(self->g, page) + 16, 256);
		set(self, page, POBJ_M_LARGE, 0, 0, 1);
		EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, page, &l, &head));
		set(self, page, POBJ_M_LOG, 0, 0, 1);
		EXPECT_EQ(-ENOENT, pobj_line_head(&self->p.m, self->g, page, &l, &head));
	}
}

/* ---- references -------------------------------------------------------------------------- */

TEST_F(line, references)
{
	struct pobj_object o;
	u32 idx;

	slab(self, 24, MIXED, 16, 64, 5);
	core_set(&self->p, pobj_geom_line(self->g, 24) + 16, 0x8001);
	for (idx = 0; idx < 16; idx++) {
		ASSERT_EQ(0, pobj_object_find(&self->p.m, self->g, pobj_ref(24, idx), &o, NULL));
		EXPECT_EQ(CORE_PAGE(self->g, 24) + 64 * idx, o.off);
		EXPECT_EQ(1ULL << idx, o.bit);
		EXPECT_EQ(idx == 0 || idx == 15, o.allocated);
	}
	EXPECT_EQ(-EUCLEAN, pobj_object_find(&self->p.m, self->g, pobj_ref(24, 16), &o, NULL));
	/* The object of a large span, in a slab or a log. */
	EXPECT_EQ(-EUCLEAN, pobj_object_find(&self->p.m, self->g, pobj_ref(24, POBJ_M_REF_LARGE),
					     &o, NULL));
	set(self, 23, POBJ_M_LOG, 0, 0, 1);
	EXPECT_EQ(-EUCLEAN, pobj_object_find(&self->p.m, self->g, pobj_ref(23, POBJ_M_REF_LARGE),
					     &o, NULL));
	core_read_bad_off = pobj_geom_line(self->g, 24);
	EXPECT_EQ(-EIO, pobj_object_find(&self->p.m, self->g, pobj_ref(24, 0), &o, NULL));
	core_read_bad_off = ~0ULL;
	/* More objects than a line has bits for. */
	slab(self, 40, 0, 65535, 16, 1);
	for (idx = 0; idx < 65536; idx += 15)
		ASSERT_EQ(-EUCLEAN, pobj_object_find(&self->p.m, self->g, pobj_ref(40, idx), &o,
						     NULL));
	/* A page that was inside a span once is free to one whose span never came to be. */
	set_cont(self, 50, 3);
	ASSERT_EQ(0, pobj_object_find(&self->p.m, self->g, pobj_ref(50, POBJ_M_REF_LARGE), &o,
				      NULL));
	EXPECT_EQ(CORE_PAGE(self->g, 50), o.off);
	EXPECT_EQ(pobj_geom_line(self->g, 50), o.a);
	EXPECT_FALSE(o.allocated);
	ASSERT_EQ(0, pobj_object_find(&self->p.m, self->g, pobj_ref(50, 7), &o, NULL));
	EXPECT_EQ(0, o.off);
}

/* Taking a page with a CONT line for a new span, and failing to: the line comes back. */
TEST_F(line, recovery_puts_them_back)
{
	const u64 line = pobj_geom_line(self->g, 50), dest = CORE_PAGE(self->g, 2);
	const u64 cont = pobj_line_header(POBJ_M_CONT, 0, 0, 3);
	u64 undo[6] = { line, cont, dest, 0 };
	u64 redo[6] = { pobj_ref(50, POBJ_M_REF_LARGE), dest };
	struct pobj_recovery r;

	memset(self->p.mem + dest, 0, 16);
	large(self, 50, 2);
	core_set(&self->p, dest, 5);
	core_slot(&self->p, 1, 1, POBJ_M_ENTRY_UNDO, 2, 0, undo, 4);
	ASSERT_EQ(0, core_recover(&self->p, &r, NULL));
	EXPECT_EQ(2, r.undone);
	EXPECT_EQ(cont, core_get(&self->p, line));
	EXPECT_EQ(0, core_get(&self->p, dest));
	EXPECT_TRUE(finds(self, 0, 0));
	/* The object of an earlier free, repeated: there is none, and nothing to change. */
	core_slot(&self->p, 0, 1, POBJ_M_ENTRY_FREE, 0, 0, redo, 2);
	ASSERT_EQ(0, core_recover(&self->p, &r, NULL));
	EXPECT_EQ(1, r.redone);
	EXPECT_EQ(cont, core_get(&self->p, line));
	EXPECT_TRUE(finds(self, 0, 0));
}

TEST_HARNESS_MAIN
