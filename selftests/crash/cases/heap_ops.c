// SPDX-License-Identifier: BSD-3-Clause
/* What else a program does: it stores ids itself, grows the root, opens again. And all of it. */
#include "selftests/crash/cases/heap_ops.h"

/* ---- the caller's own stores -------------------------------------------------------------- */

static void id_store(u32 d, struct heap_id id, bool persist)
{
	__le64 *p = (__le64 *)heap_dest(d);

	pobj_store64(&heap_pool->media, p + 1, id.off);
	pobj_store64(&heap_pool->media, p, id.uuid);
	if (persist)
		pmemobj_persist(heap_pop(), p, 16);
}

/* An id moves to another place. */
static void op_move(void)
{
	heap_after.dest[1] = heap_after.dest[0];
	heap_after.dest[0] = (struct heap_id){ 0, 0 };
	id_store(1, heap_after.dest[1], true);
	id_store(0, heap_after.dest[0], true);
}

/* Another pool's id with the offset of an object of ours. */
static void op_foreign(void)
{
	heap_after.dest[2] = (struct heap_id){ 77, heap_after.dest[0].off };
	id_store(2, heap_after.dest[2], true);
}

/* H6 of the protocol: an id is stored, not persisted, and freed by. */
static void op_free_unpersisted(void)
{
	u32 x = heap_model_named(0);

	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	heap_after.dest[3] = (struct heap_id){ 0, 0 };
	id_store(3, heap_after.dest[0], false);
	pmemobj_free(heap_dest(3));
}

/* Locks are worth nothing after power was lost, and disturb nothing. */
static void op_locks(void)
{
	void *spare = (u8 *)heap_list(0) + HEAP_SPARE;

	pmemobj_mutex_zero(heap_pop(), (PMEMmutex *)((PMEMoid *)heap_list(1) + 1));
	pmemobj_rwlock_zero(heap_pop(), spare);
	pmemobj_cond_zero(heap_pop(), spare);
}

void op_root(void)
{
	heap_after.root_size += 256;
	heap_undo_if(OID_IS_NULL(pmemobj_root(heap_pop(), heap_after.root_size)));
}

void op_reopen(void)
{
	heap_reopen();
}

/* The next thread of that lane has fences that do not cover what recovered it. */
static void op_free_reopen(void)
{
	op_free0_remote();
	heap_model_learn();
	heap_before = heap_after;
	heap_thread(0);
	op_reopen();
}

const struct heap_op heap_ops[] = {
	{ "alloc to 0", op_alloc0, false },
	{ "alloc to 2, which straddles", op_alloc2, false },
	{ "alloc within the object at 0", op_alloc_inner, false },
	{ "alloc another class to 3", op_alloc_other, false },
	{ "alloc another type to 1", op_alloc_type, false },
	{ "alloc of many types to 1", op_alloc_mixed, false },
	{ "alloc without destination", op_alloc_none, false },
	{ "alloc to the stack", op_alloc_stack, false },
	{ "alloc by the other thread", op_alloc0_remote, false },
	{ "alloc that its constructor cancels", op_alloc_cancelled, false },
	{ "zalloc to 1", op_zalloc, false },
	{ "strdup to 3", op_strdup, false },
	{ "free from 0", op_free0, false },
	{ "free from 0, which is durable", op_free0_durable, false },
	{ "free from 1", op_free1, false },
	{ "free from 2", op_free2, false },
	{ "free from 3", op_free3, false },
	{ "free from the stack", op_free_stack, false },
	{ "free within the object at 0", op_free_inner, false },
	{ "free from 0 by the other thread", op_free0_remote, false },
	{ "realloc at 0", op_realloc, false },
	{ "realloc at 0 by the other thread", op_realloc_remote, false },
	{ "publish 1", op_publish1, false },
	{ "publish 1 by the other thread", op_publish1_remote, false },
	{ "publish 2 of a word", op_publish2, false },
	{ "publish 2 of two slabs", op_publish_slabs, false },
	{ "publish with an id", op_publish_id, false },
	{ "publish with frees", op_publish_swap, false },
	{ "publish frees by the other thread", op_publish_frees_remote, false },
	{ "publish more than the log holds", op_publish_big, false },
	{ "reserve here, publish there", op_publish_across, false },
	{ "reserve zeros here, publish there", op_publish_zeros_across, false },
	{ "reserve and cancel", op_cancel, false },
	{ "list: a new one at the head", op_list_new, false },
	{ "list: a new one inside", op_list_new_inside, false },
	{ "list: remove", op_list_remove, false },
	{ "list: remove and free", op_list_free, false },
	{ "list: remove and free by the other thread", op_list_free_remote, false },
	{ "list: move to another", op_list_move, false },
	{ "list: take out and insert", op_list_insert, true },
	{ "zero locks", op_locks, false },
	{ "move an id", op_move, true },
	{ "store a foreign id", op_foreign, true },
	{ "free by an id that is not persisted", op_free_unpersisted, true },
	{ "grow the root", op_root, false },
	{ "close and open", op_reopen, false },
	{ "free by the other thread, close and open", op_free_reopen, true },
};

const u32 heap_op_cnt = ARRAY_SIZE(heap_ops);
