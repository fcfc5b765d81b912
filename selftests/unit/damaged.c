// SPDX-License-Identifier: BSD-3-Clause
/*
 * Ids that lead to a page line which is damaged: what the pages are in truth is known to who holds
 * them, and no operation takes them for something else.
 */
#include "pool_fixture.h"
#include "lib/core/line.h"
#include "lib/heap.h"

#define SMALL	64
#define PAGE	4096UL

/* Has the line of the page at @off say that a slab begins there, with one object. */
static void line_forge(PMEMobjpool *pop, u64 off)
{
	const struct pobj_geom *g = &pobj_pool_raw(pop)->super.geom;
	const u64 page = (off - g->data_off) >> g->page_shift;
	struct pobj_m_line *l = (void *)((char *)pop + pobj_geom_line(g, page));

	l->header = cpu_to_le64(pobj_line_header(POBJ_M_SLAB, 0, 64, SMALL));
	l->slab[0].a = cpu_to_le64(1);
	l->slab[0].f = 0;
}

/*
 * A reserved large object: its first page is the lane's, with the number of pages where the number
 * of a slab would stand. Fewer pages than the lane has slabs, as many, and more.
 */
TEST_F(pool, slab_in_a_reserved_object)
{
	static const size_t pages[] = { 50, 63, 64, 65, 127, 128, 129, 1000 };
	struct pobj_action act, gone;
	PMEMobjpool *pop;
	PMEMoid oid, kept;
	u32 i;

	pop = pmemobj_create(self->path, "damaged", 64 << 20, 0600);
	ASSERT_NE(NULL, pop);
	/* Slabs of the lane, so that a wrong one would be found. */
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, pmemobj_alloc(pop, &kept, SMALL << i % 8, 100, NULL, NULL));
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		oid = pmemobj_reserve(pop, &act, pages[i] << 12, 1);
		ASSERT_FALSE(OID_IS_NULL(oid));
		line_forge(pop, oid.off);
		pmemobj_defer_free(pop, oid, &gone);
		EXPECT_EQ(-1, pmemobj_publish(pop, &gone, 1));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "no object"));
		EXPECT_EQ(0, pmemobj_publish(pop, &act, 1));
		EXPECT_LE(pages[i] << 12, pmemobj_alloc_usable_size(oid));
		pmemobj_free(&oid);
		EXPECT_TRUE(OID_IS_NULL(oid));
	}
	pmemobj_free(&kept);
	pmemobj_close(pop);
	EXPECT_EQ(1, pmemobj_check(self->path, "damaged"));
}

/*
 * Lines by which two spans overlap: one is given back, and its pages are taken for a large object
 * while objects of the other are reserved. What stands in the sidecar then is put there by hand.
 */
TEST_F(pool, reserved_where_spans_overlap)
{
	static const u64 wrong[] = { 15, 16, 1000, ~0ULL };
	struct pobj_side_page *side;
	struct pobj_action act[2];
	const struct pobj_heap *h;
	PMEMobjpool *pop;
	PMEMoid oid;
	u64 true_slot;
	u32 i;

	pop = pmemobj_create(self->path, "damaged", 64 << 20, 0600);
	ASSERT_NE(NULL, pop);
	h = pobj_pool_raw(pop)->heap;
	oid = pmemobj_reserve(pop, &act[0], SMALL, 1);
	ASSERT_FALSE(OID_IS_NULL(oid));
	ASSERT_FALSE(OID_IS_NULL(pmemobj_reserve(pop, &act[1], 2 * SMALL, 1)));
	side = &h->pages[(oid.off - h->data_off) >> h->page_shift];
	true_slot = side->slot;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		side->slot = wrong[i];
		EXPECT_EQ(-1, pmemobj_publish(pop, act, 1 + i % 2));
		EXPECT_EQ(EINVAL, errno);
		pmemobj_cancel(pop, act, 1);
	}
	/* The number of another slab of the lane. */
	side->slot = h->pages[(act[1].heap.offset - h->data_off) >> h->page_shift].slot;
	ASSERT_NE(true_slot, side->slot);
	EXPECT_EQ(-1, pmemobj_publish(pop, act, 1));
	side->slot = true_slot;
	EXPECT_EQ(0, pmemobj_publish(pop, act, 2));
	pmemobj_free(&oid);
	pmemobj_close(pop);
	EXPECT_EQ(1, pmemobj_check(self->path, "damaged"));
}

/*
 * Lines by which the root overlaps with a span that is given back: its pages are free then, and it
 * would grow into them. Nothing is copied there, and what the root has stays. That they are free is
 * put into the sidecar by hand.
 */
TEST_F(pool, root_where_spans_overlap)
{
	struct pobj_heap *h;
	PMEMoid root, oid, other;
	PMEMobjpool *pop;
	char *text;

	pop = pmemobj_create(self->path, "damaged", PMEMOBJ_MIN_POOL, 0600);
	ASSERT_NE(NULL, pop);
	ASSERT_EQ(0, pmemobj_alloc(pop, &oid, 8 * PAGE, 1, NULL, NULL));
	root = pmemobj_root(pop, 8 * PAGE);
	ASSERT_EQ(oid.off + 8 * PAGE, root.off);
	text = pmemobj_direct(root);
	memset(text, 'r', 8 * PAGE);
	/* It could grow nowhere else. */
	while (!pmemobj_alloc(pop, &other, 12 * PAGE, 1, NULL, NULL))
		;
	pmemobj_free(&oid);
	h = pobj_pool_raw(pop)->heap;
	pobj_span_give(h, pobj_tlane_of(pop)->side, pobj_geom_page_of(h->g, root.off), 8);
	EXPECT_EQ(0, pmemobj_root(pop, 12 * PAGE).off);
	EXPECT_EQ(EUCLEAN, errno);
	EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "root"));
	EXPECT_EQ('r', text[0]);
	EXPECT_EQ('r', text[8 * PAGE - 1]);
	pmemobj_close(pop);
}

TEST_HARNESS_MAIN
