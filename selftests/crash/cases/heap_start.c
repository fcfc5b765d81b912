// SPDX-License-Identifier: BSD-3-Clause
/* Pool states to begin with, made by the operations themselves. */
#include "selftests/crash/cases/heap_ops.h"

static void step(void (*run)(void))
{
	heap_before = heap_after;
	run();
	heap_model_learn();
	heap_thread(0);
}

static void steps(void (*run)(void), u32 cnt)
{
	while (cnt--)
		step(run);
}

static void start_empty(void)
{
}

static void start_half(void)
{
	step(op_alloc0);
	step(op_alloc2);
	step(op_alloc_inner);
	step(op_alloc_other);
	step(op_alloc_none);
	step(op_alloc_type);
	step(op_alloc_stack);
}

/* What is named stands in slabs of the other lane. */
static void start_remote(void)
{
	step(op_alloc0_remote);
	step(op_alloc_other);
	step(op_alloc_none);
}

static void fill_with(u64 size, u64 type)
{
	u32 live;

	do {
		heap_before = heap_after;
		live = heap_after.cnt;
		heap_alloc_to(HEAP_NONE, NULL, size, type);
		heap_model_learn();
	} while (heap_after.cnt != live);
}

/* Both lists have some. */
static void start_lists(void)
{
	steps(op_list_new, 3);
	step(op_list_move);
	step(op_list_new_inside);
}

/* Nothing is left but for one object of SMALL. */
static void start_one_free(void)
{
	step(op_alloc0);
	step(op_alloc2);
	fill_with(1024, 7);
	fill_with(256, 7);
	fill_with(SMALL, 1);
	step(op_free2);
}

static void start_full(void)
{
	start_one_free();
	step(op_alloc2);
}

/* Slabs with holes, empty slabs, frees that are not retired. */
static void start_fragmented(void)
{
	steps(op_alloc_none, 3);
	step(op_alloc0);
	steps(op_alloc_none, 2);
	step(op_alloc2);
	step(op_alloc_other);
	step(op_free3);
	step(op_free2);
	step(op_free0);
}

/* Types enough that further ones get mixed slabs. */
static void start_mixed(void)
{
	step(op_alloc0);
	step(op_alloc_type);
	steps(op_alloc_mixed, 5);
}

static void start_large(void)
{
	step(op_large0);
}

/* Pages lie in two runs, and slabs are in the way. */
static void start_large_full(void)
{
	step(op_alloc2);
	step(op_large0);
	fill_with(4096, 7);
	fill_with(1024, 7);
	fill_with(SMALL, 1);
}

/* Of @cnt objects of @size made first: the first of @n that lie side by side. */
static u32 neighbours_find(u32 cnt, u32 n, u64 size)
{
	u32 i;

	for (i = 0; i + n <= cnt; i++) {
		if (heap_after.obj[i + n - 1].off == heap_after.obj[i].off + (n - 1) * size)
			return i;
	}
	abort();
}

/*
 * All pages are in slabs, and of the large ones of these so many are empty, side by side, that a
 * large object begins with the first and ends in the last. They are few: while they are dissolved
 * each may be there or not, in all combinations.
 */
static void start_large_dissolve(void)
{
	const u32 n = LARGE / HOLLOW + 1;
	u32 i, cnt, first;
	PMEMoid oid;

	fill_with(HOLLOW, 7);
	cnt = heap_after.cnt;
	fill_with(1024, 7);
	fill_with(SMALL, 1);
	first = neighbours_find(cnt, n, HOLLOW);
	for (i = first; i < first + n; i++) {
		heap_before = heap_after;
		oid = heap_oid_of(i);
		heap_after.obj[i].live = false;
		pmemobj_free(&oid);
	}
	heap_thread(0);
}

/* The same, nobody owns them, and so either thread can dissolve them all. */
static void start_large_unowned(void)
{
	start_large_dissolve();
	heap_reopen();
}

/* ---- borders ----------------------------------------------------------------------------- */

static void step_by(u32 thread, void (*run)(void))
{
	heap_before = heap_after;
	heap_thread(thread);
	run();
	heap_model_learn();
	heap_thread(0);
}

static struct pobj_tlane *tlane(u32 thread)
{
	struct pobj_tlane *tl;

	heap_thread(thread);
	tl = pobj_last_seat.tl;
	heap_thread(0);
	return tl;
}

/* The next entry of both lanes' logs goes to slot @slot. */
static void slots_at(u32 slot)
{
	u32 t, left;

	for (t = 0; t < HEAP_THREADS; t++) {
		while (tlane(t)->log.seq < POBJ_M_SLOT_CNT ||
		       (tlane(t)->log.seq + 1) % POBJ_M_SLOT_CNT != slot) {
			left = (slot + 2 * POBJ_M_SLOT_CNT - 1 - tlane(t)->log.seq %
				POBJ_M_SLOT_CNT) % POBJ_M_SLOT_CNT;
			if (left % 2) {		/* three entries: two and one */
				step_by(t, op_alloc_other);
				step_by(t, op_free3);
			} else {
				step_by(t, op_words1);
			}
		}
	}
}

static void start_slot_last(void)
{
	step(op_alloc0);
	slots_at(POBJ_M_SLOT_CNT - 1);
}

static void start_slot_before(void)
{
	step(op_alloc0);
	slots_at(POBJ_M_SLOT_CNT - 2);
}

static void start_slot_first(void)
{
	step(op_alloc0);
	slots_at(0);
}

/* @cnt frees that are not retired but by their successors, after some objects for later ones. */
static void frees(u32 thread, u32 cnt)
{
	step(op_alloc0);
	step(op_alloc2);
	steps(op_alloc_none, cnt + 3);
	for (; cnt; cnt--)
		step_by(thread, op_free_first);
}

static void start_frees_less(void)
{
	frees(0, POBJ_RING_CNT - 1);
}

static void start_frees(void)
{
	frees(0, POBJ_RING_CNT);
}

static void start_frees_more(void)
{
	frees(0, POBJ_RING_CNT + 1);
}

static void start_frees_other_less(void)
{
	frees(1, POBJ_RING_CNT - 1);
}

static void start_frees_other(void)
{
	frees(1, POBJ_RING_CNT);
}

static void start_frees_other_more(void)
{
	frees(1, POBJ_RING_CNT + 1);
}

static void start_chunk(void)
{
	step(op_words10);
	step(op_alloc0);
}

static void start_chunks(void)
{
	step(op_words19);
	step(op_alloc0);
}

/* Both lanes have chunks. */
static void start_chunks_both(void)
{
	step(op_words18);
	step(op_words_remote);
	step(op_alloc0_remote);
}

/* @slabs slabs of one class and type, full: the next object needs another one. */
static void slabs_own(u32 slabs)
{
	step(op_alloc0);
	steps(op_alloc_none, slabs * (u32)(pobj_geom_page_bytes(&tiny_super.geom) / SMALL) - 1);
}

static void start_owned_less(void)
{
	slabs_own(POBJ_SLABS_OWNED - 1);
}

static void start_owned(void)
{
	slabs_own(POBJ_SLABS_OWNED);
}

static void start_owned_more(void)
{
	slabs_own(POBJ_SLABS_OWNED + 1);
	step(op_free_first);
}

/* The first free page is @page; a page for each object of @bytes. */
static void pages_to(u64 page, u64 bytes)
{
	step(op_alloc0);
	step(op_alloc2);
	while (heap_first_free_page() < page) {
		heap_before = heap_after;
		heap_alloc_to(HEAP_NONE, NULL, bytes, 7);
		heap_model_learn();
	}
}

static void start_group_less(void)
{
	pages_to(POBJ_GROUP_PAGES - 1, pobj_geom_page_bytes(&tiny_super.geom));
}

static void start_group(void)
{
	pages_to(POBJ_GROUP_PAGES, pobj_geom_page_bytes(&tiny_super.geom));
}

static void start_group_more(void)
{
	pages_to(POBJ_GROUP_PAGES + 1, pobj_geom_page_bytes(&tiny_super.geom));
}

static void start_last_page(void)
{
	pages_to(tiny_super.geom.page_cnt - 1, pobj_geom_page_bytes(&tiny_super.geom));
}

static void start_last_pages(void)
{
	pages_to(tiny_super.geom.page_cnt - 2, pobj_geom_page_bytes(&tiny_super.geom));
}

/* @cnt objects in a slab that holds as many as a slab can. */
static void objects_made(u32 cnt)
{
	step(op_alloc0);
	steps(op_alloc_none, cnt - 1);
}

#define OBJECTS(n)				\
	static void start_objects##n(void)	\
	{					\
		objects_made(n);		\
	}

OBJECTS(63)
OBJECTS(64)
OBJECTS(65)
OBJECTS(127)
OBJECTS(128)
OBJECTS(129)
OBJECTS(191)
OBJECTS(192)

/* One large object reaches to where a section of page lines begins, @more pages further. */
static void section_to(int more)
{
	u64 pages;

	step(op_alloc0);
	step(op_alloc2);
	pages = POBJ_SECTION_PAGES + (u64)more - heap_first_free_page();
	heap_before = heap_after;
	heap_alloc_to(HEAP_NONE, NULL, pages << tiny_super.geom.page_shift, 7);
	heap_model_learn();
}

static void start_section_less(void)
{
	section_to(-1);
}

static void start_section(void)
{
	section_to(0);
}

static void start_section_more(void)
{
	section_to(1);
}

/* ---- all of them ------------------------------------------------------------------------- */

/*
 * Two groups of pages of which the second is small. Large objects of 33 and 34 pages: of one that
 * lies in one group each page has a line, all of which may be there or not.
 */
static const struct heap_shape small_shape = { 24 * 1024, 2, 8, 64, 128, 8200, 8500, 4096 };
/* A slab has as many objects as its line can tell: three words of 64. */
static const struct heap_shape word_shape = { 72 * 1024, 2, 12, 16, 128, 16400, 20500, 16384 };
/* A large object is 65 pages: more than two groups. */
static const struct heap_shape large_shape = { 80 * 1024, 2, 8, 64, 128, 16400, 17000, 4096 };
/* A section of page lines begins within a large object. */
static const struct heap_shape section_shape = { 200 * 1024, 2, 8, 64, 128, 16400, 17000, 4096 };

const struct heap_start heap_starts[] = {
	{ "empty", &small_shape, start_empty, HEAP_CHECKED },
	{ "half full", &small_shape, start_half, HEAP_CHECKED },
	{ "of the other lane", &small_shape, start_remote, HEAP_CHECKED },
	{ "fragmented", &small_shape, start_fragmented, HEAP_CHECKED },
	{ "mixed", &small_shape, start_mixed, HEAP_CHECKED },
	{ "with lists", &small_shape, start_lists, HEAP_CHECKED },
	{ "one free", &small_shape, start_one_free, HEAP_CHECKED },
	{ "full", &small_shape, start_full, HEAP_CHECKED },
	{ "slot 14 next", &small_shape, start_slot_before, HEAP_PROVED },
	{ "slot 15 next", &small_shape, start_slot_last, HEAP_PROVED },
	{ "slot 0 next", &small_shape, start_slot_first, HEAP_PROVED },
	{ "3 frees", &small_shape, start_frees_less, HEAP_PROVED },
	{ "4 frees", &small_shape, start_frees, HEAP_PROVED },
	{ "5 frees", &small_shape, start_frees_more, HEAP_PROVED },
	{ "3 frees by the other", &small_shape, start_frees_other_less, HEAP_PROVED },
	{ "4 frees by the other", &small_shape, start_frees_other, HEAP_PROVED },
	{ "5 frees by the other", &small_shape, start_frees_other_more, HEAP_PROVED },
	{ "a log chunk", &small_shape, start_chunk, HEAP_PROVED },
	{ "two log chunks", &small_shape, start_chunks, HEAP_PROVED },
	{ "log chunks of both", &small_shape, start_chunks_both, HEAP_PROVED },
	{ "7 slabs owned", &small_shape, start_owned_less, HEAP_PROVED },
	{ "8 slabs owned", &small_shape, start_owned, HEAP_PROVED },
	{ "9 slabs, 8 owned", &small_shape, start_owned_more, HEAP_PROVED },
	{ "group border - 1", &small_shape, start_group_less, HEAP_PROVED },
	{ "group border", &small_shape, start_group, HEAP_PROVED },
	{ "group border + 1", &small_shape, start_group_more, HEAP_PROVED },
	{ "two pages left", &small_shape, start_last_pages, HEAP_PROVED },
	{ "last page left", &small_shape, start_last_page, HEAP_PROVED },
	{ "63 objects of a slab", &word_shape, start_objects63, HEAP_PROVED },
	{ "64 objects of a slab", &word_shape, start_objects64, HEAP_PROVED },
	{ "65 objects of a slab", &word_shape, start_objects65, HEAP_PROVED },
	{ "127 objects of a slab", &word_shape, start_objects127, HEAP_PROVED },
	{ "128 objects of a slab", &word_shape, start_objects128, HEAP_PROVED },
	{ "129 objects of a slab", &word_shape, start_objects129, HEAP_PROVED },
	{ "191 objects of a slab", &word_shape, start_objects191, HEAP_PROVED },
	{ "all objects of a slab", &word_shape, start_objects192, HEAP_PROVED },
	{ "large: empty", &large_shape, start_empty, HEAP_PROVED },
	{ "large: one", &large_shape, start_large, HEAP_PROVED },
	{ "large: full", &large_shape, start_large_full, HEAP_PROVED },
	{ "of empty slabs", &large_shape, start_large_dissolve, HEAP_CHECKED },
	{ "of empty slabs of nobody", &large_shape, start_large_unowned, HEAP_CHECKED },
	{ "section border - 1", &section_shape, start_section_less, HEAP_SLOW },
	{ "section border", &section_shape, start_section, HEAP_SLOW },
	{ "section border + 1", &section_shape, start_section_more, HEAP_SLOW },
};

const u32 heap_start_cnt = ARRAY_SIZE(heap_starts);
