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
	heap_callers(true);
	id_store(1, heap_after.dest[1], true);
	id_store(0, heap_after.dest[0], true);
	heap_callers(false);
}

/* Another pool's id with the offset of an object of ours. */
static void op_foreign(void)
{
	heap_after.dest[2] = (struct heap_id){ 77, heap_after.dest[0].off };
	heap_callers(true);
	id_store(2, heap_after.dest[2], true);
	heap_callers(false);
}

/*
 * H6 of the protocol: an id is stored, not persisted, and freed by. Until the free returned the
 * destination may be what was last persisted, or half of it the new id, whether the object is there
 * or not. After that none of it.
 */
static void op_free_unpersisted(void)
{
	const u32 x = heap_model_named(0);
	const struct heap_id old = heap_after.dest[3], new = heap_after.dest[0];
	const struct heap_id half = { old.uuid, new.off };

	if (x == HEAP_NONE)
		return;
	heap_slack.dest = 3;
	heap_slack.before[heap_slack.before_cnt++] = half;
	heap_slack.before[heap_slack.before_cnt++] = new;
	if (old.off != new.off || old.uuid != new.uuid)
		heap_slack.after[heap_slack.after_cnt++] = old;
	if (half.uuid && half.uuid != new.uuid)
		heap_slack.after[heap_slack.after_cnt++] = half;
	heap_after.obj[x].live = false;
	heap_after.dest[3] = (struct heap_id){ 0, 0 };
	id_store(3, new, false);
	pmemobj_free(heap_dest(3));
}

void op_root(void)
{
	/* It never shrinks, and others need room, too. */
	if (heap_after.root_size >= 2 * HEAP_ROOT)
		return;
	heap_after.root_size += 256;
	heap_undo_if(OID_IS_NULL(pmemobj_root(heap_pop(), heap_after.root_size)));
}

static int construct_root(PMEMobjpool *pop, void *ptr, void *arg)
{
	(void)arg;
	pmemobj_memset_persist(pop, (u8 *)ptr + heap_before.root_size, 1, 256);
	return 0;
}

void op_root_construct(void)
{
	if (heap_after.root_size >= 2 * HEAP_ROOT)
		return;
	heap_after.root_size += 256;
	heap_undo_if(OID_IS_NULL(pmemobj_root_construct(heap_pop(), heap_after.root_size,
							construct_root, NULL)));
}

void op_reopen(void)
{
	heap_reopen();
}

/* The next thread of that lane has fences that do not cover what recovered it. */
void op_free_reopen(void)
{
	op_free0_remote();
	heap_model_learn();
	heap_before = heap_after;
	heap_thread(0);
	op_reopen();
}

const struct heap_op heap_ops[] = {
	{ .name = "alloc to 0", .run = op_alloc0, .entry = true },
	{ .name = "alloc to 2, which straddles", .run = op_alloc2, .entry = true },
	{ .name = "alloc within the object at 0", .run = op_alloc_inner },
	{ .name = "alloc another class to 3", .run = op_alloc_other },
	{ .name = "alloc another type to 1", .run = op_alloc_type },
	{ .name = "alloc of many types to 1", .run = op_alloc_mixed },
	{ .name = "alloc without destination", .run = op_alloc_none },
	{ .name = "alloc to the stack", .run = op_alloc_stack },
	{ .name = "alloc by the other thread", .run = op_alloc0_remote },
	{ .name = "alloc, cancelled", .run = op_alloc_cancelled },
	{ .name = "alloc of the largest class", .run = op_alloc_class_max },
	{ .name = "alloc of the smallest large", .run = op_alloc_large_min },
	{ .name = "alloc of 1024 bytes to 3", .run = op_fill },
	{ .name = "xalloc to 1", .run = op_xalloc },
	{ .name = "zalloc to 1", .run = op_zalloc },
	{ .name = "strdup to 3", .run = op_strdup },
	{ .name = "wcsdup to 3", .run = op_wcsdup },
	{ .name = "free from 0", .run = op_free0, .entry = true },
	{ .name = "xfree from 0, durable", .run = op_free0_durable },
	{ .name = "free from 1", .run = op_free1 },
	{ .name = "free from 2, which straddles", .run = op_free2, .entry = true },
	{ .name = "free from 3", .run = op_free3 },
	{ .name = "free from the stack", .run = op_free_stack },
	{ .name = "free within the object at 0", .run = op_free_inner },
	{ .name = "free from 0 by the other thread", .run = op_free0_remote, .entry = true },
	{ .name = "free the first unnamed", .run = op_free_first },
	{ .name = "free the last unnamed", .run = op_free_last },
	{ .name = "free the first by the other", .run = op_free_first_remote },
	{ .name = "free by an unpersisted id", .run = op_free_unpersisted },
	{ .name = "realloc at 0", .run = op_realloc, .entry = true },
	{ .name = "realloc at 0 by the other", .run = op_realloc_remote },
	{ .name = "realloc in place", .run = op_realloc_stays },
	{ .name = "realloc to another type", .run = op_realloc_type },
	{ .name = "realloc to 0 bytes", .run = op_realloc_free },
	{ .name = "zrealloc of a null id", .run = op_realloc_null },
	{ .name = "zrealloc at 1", .run = op_zrealloc },
	{ .name = "realloc to and from large", .run = op_realloc_large },
	{ .name = "large to 0", .run = op_large0, .entry = true },
	{ .name = "large without destination", .run = op_large_none },
	{ .name = "large by the other thread", .run = op_large_remote },
	{ .name = "larger than the pool", .run = op_too_large },
	{ .name = "dissolve here, take there", .run = op_dissolve_across },
	{ .name = "publish 1", .run = op_publish1, .entry = true },
	{ .name = "publish 1 by the other thread", .run = op_publish1_remote },
	{ .name = "publish 2 of a word", .run = op_publish2, .entry = true },
	{ .name = "publish 2 of two slabs", .run = op_publish_slabs },
	{ .name = "publish with an id", .run = op_publish_id },
	{ .name = "publish with a word", .run = op_publish_object_word },
	{ .name = "publish with frees", .run = op_publish_swap, .entry = true },
	{ .name = "publish frees by the other", .run = op_publish_frees_remote },
	{ .name = "publish 6 frees", .run = op_publish_frees_many },
	{ .name = "publish 6 frees by the other", .run = op_publish_frees_many_remote },
	{ .name = "publish a free", .run = op_publish_free_alone },
	{ .name = "publish an id and 14 words", .run = op_publish_big },
	{ .name = "publish 1 word", .run = op_words1 },
	{ .name = "publish 2 words", .run = op_words2 },
	{ .name = "publish 3 words", .run = op_words3 },
	{ .name = "publish 4 words", .run = op_words4 },
	{ .name = "publish 8 words", .run = op_words8 },
	{ .name = "publish 9 words", .run = op_words9 },
	{ .name = "publish 10 words", .run = op_words10 },
	{ .name = "publish 10 words by the other", .run = op_words_remote },
	{ .name = "publish 17 words", .run = op_words17 },
	{ .name = "publish 18 words", .run = op_words18 },
	{ .name = "publish 19 words", .run = op_words19, .entry = true },
	{ .name = "publish 27 words", .run = op_words27, .wide = true },
	{ .name = "publish 28 words", .run = op_words28, .wide = true },
	{ .name = "publish large, an id, a free", .run = op_publish_large },
	{ .name = "publish large by the other", .run = op_publish_large_alone },
	{ .name = "publish two large", .run = op_publish_two_large },
	{ .name = "publish a large free", .run = op_publish_large_free },
	{ .name = "reserve here, publish there", .run = op_publish_across },
	{ .name = "xreserve here, publish there", .run = op_publish_zeros_across },
	{ .name = "xreserve large, publish", .run = op_xreserve_large },
	{ .name = "reserve and cancel", .run = op_cancel },
	{ .name = "reserve and cancel large", .run = op_cancel_large },
	{ .name = "list: new at the head", .run = op_list_new, .entry = true },
	{ .name = "list: new before the last", .run = op_list_new_inside },
	{ .name = "list: new at the tail", .run = op_list_tail },
	{ .name = "list: new after the first", .run = op_list_after },
	{ .name = "list: new by the other thread", .run = op_list_new_remote },
	{ .name = "list: new, large", .run = op_list_new_large },
	{ .name = "list: new, cancelled", .run = op_list_cancelled },
	{ .name = "list: remove", .run = op_list_remove },
	{ .name = "list: remove and free", .run = op_list_free },
	{ .name = "list: remove and free the last", .run = op_list_free_last },
	{ .name = "list: remove and free by other", .run = op_list_free_remote },
	{ .name = "list: move to another", .run = op_list_move },
	{ .name = "list: move within", .run = op_list_within },
	{ .name = "list: insert", .run = op_list_insert },
	{ .name = "memcpy_persist", .run = op_memcpy },
	{ .name = "memcpy, drain later", .run = op_memcpy_nodrain },
	{ .name = "memcpy, flush later", .run = op_memcpy_noflush },
	{ .name = "memcpy, non-temporal", .run = op_memcpy_nontemporal },
	{ .name = "memmove over its source", .run = op_memmove },
	{ .name = "memset_persist", .run = op_memset },
	{ .name = "memset, drain later", .run = op_memset_flags },
	{ .name = "persist", .run = op_persist },
	{ .name = "xpersist", .run = op_xpersist },
	{ .name = "flush, xflush, drain", .run = op_flush_drain },
	{ .name = "zero locks", .run = op_locks_zero },
	{ .name = "lock and unlock", .run = op_locks },
	{ .name = "volatile", .run = op_volatile },
	{ .name = "the caller moves an id", .run = op_move },
	{ .name = "the caller stores a foreign id", .run = op_foreign },
	{ .name = "grow the root", .run = op_root },
	{ .name = "grow and construct the root", .run = op_root_construct },
	{ .name = "close and open", .run = op_reopen },
	{ .name = "free by the other, close, open", .run = op_free_reopen },
};

const u32 heap_op_cnt = ARRAY_SIZE(heap_ops);
