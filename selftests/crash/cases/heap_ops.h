/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations on the heap under exploration, as a program does them. Each says in heap_after what it
 * will have done, and does it. One that cannot be done (nothing to free, no room) changes nothing.
 */
#ifndef POBJ_CRASH_CASES_HEAP_OPS_H
#define POBJ_CRASH_CASES_HEAP_OPS_H

#include "selftests/crash/cases/heap.h"

#define SMALL		((u64)heap_shape->small)
#define OTHER		((u64)heap_shape->other)
#define LARGE		((u64)heap_shape->large)
#define LARGER		((u64)heap_shape->larger)
#define HOLLOW		((u64)heap_shape->hollow)

static inline u64 heap_uuid(void)
{
	return heap_pool->uuid_lo;
}

static inline struct heap_id heap_new_id(u32 x)
{
	return (struct heap_id){ heap_uuid(), heap_after.obj[x].off };
}

static inline PMEMoid heap_oid_of(u32 x)
{
	return (PMEMoid){ heap_uuid(), heap_after.obj[x].off };
}

/* What was to be done could not: the model is as before. */
static inline void heap_undo_if(bool failed)
{
	if (failed)
		heap_after = heap_before;
}

/* Stamp, null id, stamp: flushed, not fenced, as the library asks of constructors. */
void heap_contents_write(void *ptr, const struct heap_object *o);

/* The same as a constructor; @arg: its struct heap_object. */
int heap_construct(PMEMobjpool *pop, void *ptr, void *arg);

/* Allocate to destination @d; if that is HEAP_NONE, to @oidp. Returns the object's number. */
u32 heap_alloc_to(u32 d, PMEMoid *oidp, u64 size, u64 type);

/* What destination @d names: free it, or give it another size. */
void heap_free_from(u32 d);
void heap_realloc_to(u32 d, u64 size);

/* A value that no word of the model has. */
u64 heap_next_word(void);

/* A live object of no list that no id of the root or in an object names; HEAP_NONE: none. */
u32 heap_loose_object(bool last);

/* On single objects (heap_object.c) */
void op_alloc0(void);
void op_alloc2(void);
void op_alloc_other(void);
void op_alloc_type(void);
void op_alloc_mixed(void);
void op_free_reopen(void);
void op_alloc_none(void);
void op_alloc_stack(void);
void op_alloc_inner(void);
void op_alloc_cancelled(void);
void op_zalloc(void);
void op_strdup(void);
void op_free0(void);
void op_free1(void);
void op_free2(void);
void op_free3(void);
void op_free_stack(void);
void op_free_inner(void);
void op_free0_remote(void);
void op_alloc0_remote(void);
void op_free0_durable(void);
void op_realloc(void);
void op_realloc_remote(void);
void op_realloc_stays(void);
void op_realloc_type(void);
void op_realloc_free(void);
void op_realloc_null(void);
void op_zrealloc(void);
void op_xalloc(void);
void op_wcsdup(void);
void op_alloc_class_max(void);
void op_alloc_large_min(void);
void op_free_first(void);
void op_free_last(void);
void op_free_first_remote(void);

/* Actions (heap_action.c) */
void op_publish1(void);
void op_publish1_remote(void);
void op_publish2(void);
void op_publish_slabs(void);
void op_publish_id(void);
void op_publish_swap(void);
void op_publish_frees_remote(void);
void op_publish_big(void);
void op_publish_frees_many(void);
void op_publish_frees_many_remote(void);
void op_publish_free_alone(void);
void op_publish_free0(void);
void op_publish_object_word(void);
void op_words1(void);
void op_words2(void);
void op_words3(void);
void op_words4(void);
void op_words8(void);
void op_words9(void);
void op_words10(void);
void op_words17(void);
void op_words18(void);
void op_words19(void);
void op_words27(void);
void op_words28(void);
void op_words_remote(void);
void op_cancel(void);
void op_publish_across(void);
void op_publish_zeros_across(void);
void op_publish_large(void);
void op_publish_large_alone(void);
void op_cancel_large(void);
void op_publish_two_large(void);
void op_publish_large_free(void);
void op_xreserve_large(void);

/* Lists (heap_list.c) */
void op_list_new(void);
void op_list_new_inside(void);
void op_list_remove(void);
void op_list_free(void);
void op_list_free_remote(void);
void op_list_move(void);
void op_list_insert(void);
void op_list_tail(void);
void op_list_after(void);
void op_list_within(void);
void op_list_new_remote(void);
void op_list_cancelled(void);
void op_list_new_large(void);
void op_list_free_last(void);

/* Large objects (heap_large.c) */
void op_large0(void);
void op_large_none(void);
void op_realloc_large(void);
void op_large_remote(void);
void op_too_large(void);
void op_dissolve_across(void);
void op_fill(void);

/* Memory (heap_memory.c) */
void op_memcpy(void);
void op_memcpy_nodrain(void);
void op_memcpy_noflush(void);
void op_memcpy_nontemporal(void);
void op_memmove(void);
void op_memset(void);
void op_memset_flags(void);
void op_persist(void);
void op_xpersist(void);
void op_flush_drain(void);
void op_locks_zero(void);
void op_locks(void);
void op_volatile(void);

/* Else (heap_ops.c) */
void op_root(void);
void op_root_construct(void);
void op_reopen(void);

#endif
