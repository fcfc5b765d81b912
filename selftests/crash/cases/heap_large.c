// SPDX-License-Identifier: BSD-3-Clause
/* Operations on large objects, and on slabs whose pages these need. */
#include "selftests/crash/cases/heap_ops.h"

void op_large0(void)
{
	heap_alloc_to(0, NULL, LARGE, 1);
}

void op_large_none(void)
{
	heap_alloc_to(HEAP_NONE, NULL, LARGE, 2);
}

void op_realloc_large(void)
{
	u32 x = heap_model_named(0);

	if (x != HEAP_NONE)
		heap_realloc_to(0, heap_after.obj[x].size < LARGE ? LARGE :
				   heap_after.obj[x].size < LARGER ? LARGER : SMALL);
}

/* By the other thread, which does not know what ours left unfenced. */
void op_large_remote(void)
{
	heap_thread(1);
	heap_alloc_to(2, NULL, LARGE, 1);
}

/* More than there can be: empty slabs are dissolved in vain. */
void op_too_large(void)
{
	heap_alloc_to(HEAP_NONE, NULL, tiny_super.geom.page_cnt << tiny_super.geom.page_shift, 1);
}

/*
 * This thread dissolves slabs, in vain; the other one takes their pages. In the end it frees the
 * large object, in which the last of the slabs began: if that comes back, the small object behind
 * lies in it.
 */
void op_dissolve_across(void)
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
void op_fill(void)
{
	heap_alloc_to(3, NULL, 1024, 5);
}
