// SPDX-License-Identifier: BSD-3-Clause
/* Operations on the two lists of the root. */
#include "selftests/crash/cases/heap_ops.h"

static u32 list_drop(u32 l, u32 at)
{
	const u32 x = heap_after.list[l][at];

	heap_after.list_cnt[l]--;
	memmove(&heap_after.list[l][at], &heap_after.list[l][at + 1],
		(heap_after.list_cnt[l] - at) * sizeof(u32));
	return x;
}

static void list_add(u32 l, u32 at, u32 x)
{
	memmove(&heap_after.list[l][at + 1], &heap_after.list[l][at],
		(heap_after.list_cnt[l] - at) * sizeof(u32));
	heap_after.list_cnt[l]++;
	heap_after.list[l][at] = x;
}

/* A new object of @size: it will be at @at; beside the one at @beside, HEAP_NONE: the head. */
static void insert_new(u64 size, u32 at, u32 beside, int before)
{
	struct heap_object o;
	PMEMoid dest = { 0, 0 };
	u32 x;

	if (heap_after.list_cnt[0] == HEAP_LIST_MAX)
		return;
	if (beside != HEAP_NONE)
		dest = heap_oid_of(heap_after.list[0][beside]);
	x = heap_model_add(size, 6, 0);
	o = heap_after.obj[x];
	list_add(0, at, x);
	dest = pmemobj_list_insert_new(heap_pop(), HEAP_ENTRY, heap_list(0), dest, before, size, 6,
				       heap_construct, &o);
	heap_undo_if(OID_IS_NULL(dest));
}

void op_list_new(void)
{
	insert_new(OTHER, 0, HEAP_NONE, 1);
}

void op_list_new_inside(void)
{
	const u32 cnt = heap_after.list_cnt[0];

	if (cnt)
		insert_new(OTHER, cnt - 1, cnt - 1, 1);
	else
		insert_new(OTHER, 0, HEAP_NONE, 1);
}

void op_list_tail(void)
{
	insert_new(OTHER, heap_after.list_cnt[0], HEAP_NONE, 0);
}

void op_list_after(void)
{
	if (heap_after.list_cnt[0])
		insert_new(OTHER, 1, 0, 0);
}

void op_list_new_remote(void)
{
	heap_thread(1);
	insert_new(OTHER, 0, HEAP_NONE, 1);
}

void op_list_new_large(void)
{
	insert_new(LARGE, 0, HEAP_NONE, 1);
}

static int construct_not(PMEMobjpool *pop, void *ptr, void *arg)
{
	heap_construct(pop, ptr, arg);
	return 1;
}

void op_list_cancelled(void)
{
	struct heap_object o = { .stamp = 1, .tail = OTHER - 8, .has_inner = true };
	const PMEMoid none = { 0, 0 };

	if (!OID_IS_NULL(pmemobj_list_insert_new(heap_pop(), HEAP_ENTRY, heap_list(0), none, 1,
						 OTHER, 6, construct_not, &o)))
		abort();
}

/* The last one comes first. */
void op_list_within(void)
{
	const u32 cnt = heap_after.list_cnt[0];
	const PMEMoid none = { 0, 0 };
	PMEMoid oid;

	if (!cnt)
		return;
	oid = heap_oid_of(heap_after.list[0][cnt - 1]);
	list_add(0, 0, list_drop(0, cnt - 1));
	heap_undo_if(pmemobj_list_move(heap_pop(), HEAP_ENTRY, heap_list(0), HEAP_ENTRY,
				       heap_list(0), none, 1, oid));
}

static void list_remove(u32 at, bool and_free)
{
	PMEMoid oid;
	u32 x;

	if (at >= heap_after.list_cnt[0])
		return;
	oid = heap_oid_of(heap_after.list[0][at]);
	x = list_drop(0, at);
	heap_after.obj[x].live = !and_free;
	heap_undo_if(pmemobj_list_remove(heap_pop(), HEAP_ENTRY, heap_list(0), oid, and_free));
}

void op_list_remove(void)
{
	list_remove(0, false);
}

void op_list_free(void)
{
	list_remove(0, true);
}

void op_list_free_last(void)
{
	if (heap_after.list_cnt[0])
		list_remove(heap_after.list_cnt[0] - 1, true);
}

void op_list_free_remote(void)
{
	heap_thread(1);
	list_remove(0, true);
}

/* The last one of the first list goes to the second. */
void op_list_move(void)
{
	u32 cnt = heap_after.list_cnt[0];
	const PMEMoid none = { 0, 0 };
	PMEMoid oid;

	if (!cnt || heap_after.list_cnt[1] == HEAP_LIST_MAX)
		return;
	oid = heap_oid_of(heap_after.list[0][cnt - 1]);
	list_add(1, 0, list_drop(0, cnt - 1));
	heap_undo_if(pmemobj_list_move(heap_pop(), HEAP_ENTRY, heap_list(0), HEAP_ENTRY,
				       heap_list(1), none, 1, oid));
}

/* And back again, out of its list and into it as an object that is there. */
void op_list_insert(void)
{
	const PMEMoid none = { 0, 0 };
	PMEMoid oid;
	u32 x;

	if (!heap_after.list_cnt[1] || heap_after.list_cnt[0] == HEAP_LIST_MAX)
		return;
	oid = heap_oid_of(heap_after.list[1][0]);
	x = list_drop(1, 0);
	heap_callers(true);
	if (pmemobj_list_remove(heap_pop(), HEAP_ENTRY, heap_list(1), oid, 0))
		abort();
	heap_callers(false);
	heap_before = heap_after;
	list_add(0, heap_after.list_cnt[0], x);
	heap_undo_if(pmemobj_list_insert(heap_pop(), HEAP_ENTRY, heap_list(0), none, 0, oid));
}
