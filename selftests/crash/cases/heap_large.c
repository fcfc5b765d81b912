// SPDX-License-Identifier: BSD-3-Clause
/* Operations on large objects, and on slabs whose pages these need. */
#include "selftests/crash/cases/heap_ops.h"

void op_large0(void)
{
	heap_alloc_to(0, NULL, LARGE, 1);
}

static void op_large_none(void)
{
	heap_alloc_to(HEAP_NONE, NULL, LARGE, 2);
}

static void op_realloc_large(void)
{
	u32 x = heap_model_named(0);

	if (x != HEAP_NONE)
		heap_realloc_to(0, heap_after.obj[x].size < LARGE ? LARGE :
				   heap_after.obj[x].size < LARGER ? LARGER : SMALL);
}

/* By the other thread, which does not know what ours left unfenced. */
static void op_large_remote(void)
{
	heap_thread(1);
	heap_alloc_to(2, NULL, LARGE, 1);
}

/* More than there can be: empty slabs are dissolved in vain. */
static void op_too_large(void)
{
	heap_alloc_to(HEAP_NONE, NULL, tiny_super.geom.page_cnt << tiny_super.geom.page_shift, 1);
}

/*
 * This thread dissolves slabs, in vain; the other one takes their pages. In the end it frees the
 * large object, in which the last of the slabs began: if that comes back, the small object behind
 * lies in it.
 */
static void op_dissolve_across(void)
{
	op_too_large();
	heap_thread(1);
	heap_alloc_to(2, NULL, LARGE, 1);
	heap_model_learn();
	heap_before = heap_after;
	heap_alloc_to(3, NULL, 1024, 5);
	heap_model_learn();
	heap_before = heap_after;
	heap_free_from(2);
}

/* Slabs of another class take pages that a large object or other slabs had. */
static void op_fill(void)
{
	heap_after = heap_before;
	heap_alloc_to(3, NULL, 1024, 5);
}

const struct heap_op heap_large_ops[] = {
	{ "large to 0", op_large0, false },
	{ "large without destination", op_large_none, false },
	{ "large to 2 by the other thread", op_large_remote, false },
	{ "larger than the pool", op_too_large, false },
	{ "larger than the pool, then large by the other thread", op_dissolve_across, true },
	{ "small to 0", op_alloc0, false },
	{ "free from 0", op_free0, false },
	{ "free from 2", op_free2, false },
	{ "free from 0 by the other thread", op_free0_remote, false },
	{ "realloc at 0", op_realloc_large, false },
	{ "publish large with an id and a free", op_publish_large, false },
	{ "publish large by the other thread", op_publish_large_alone, false },
	{ "reserve and cancel large", op_cancel_large, false },
	{ "4 pages to 3", op_fill, false },
	{ "free from 3", op_free3, false },
	{ "grow the root", op_root, false },
	{ "close and open", op_reopen, false },
};

const u32 heap_large_op_cnt = ARRAY_SIZE(heap_large_ops);
