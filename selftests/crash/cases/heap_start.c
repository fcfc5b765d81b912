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

const struct heap_start heap_starts[] = {
	{ "empty", start_empty },
	{ "half full", start_half },
	{ "of the other lane", start_remote },
	{ "fragmented", start_fragmented },
	{ "mixed", start_mixed },
	{ "with lists", start_lists },
	{ "one free", start_one_free },
	{ "full", start_full },
};

const u32 heap_start_cnt = ARRAY_SIZE(heap_starts);

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

const struct heap_start heap_large_starts[] = {
	{ "empty", start_empty },
	{ "one large", start_large },
	{ "full", start_large_full },
	{ "of empty slabs", start_large_dissolve },
	{ "of empty slabs that nobody owns", start_large_unowned },
};

/* Without the last two: in a pool of many slabs the combinations are too many. */
const u32 heap_section_start_cnt = ARRAY_SIZE(heap_large_starts) - 2;

const u32 heap_large_start_cnt = ARRAY_SIZE(heap_large_starts);
