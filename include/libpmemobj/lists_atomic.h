/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/lists_atomic.h - lists of one type of object.
 *
 *	POBJ_LIST_HEAD(queue, struct job);	in a pool, zeroed: struct queue
 *	struct job { POBJ_LIST_ENTRY(struct job) entry; ... };
 *
 * @head: address of a head in the pool. @elm, @listelm, @var: TOID of the type of its elements.
 * @field: the entry in the element that links this list. Results are those of the functions.
 * Reading (FIRST to FOREACH) takes no lock: where others change the list, hold head->lock of the
 * reader's own accord, but not around a change, which takes it.
 */
#ifndef LIBPMEMOBJ_LISTS_ATOMIC_H
#define LIBPMEMOBJ_LISTS_ATOMIC_H 1

#include <libpmemobj/lists_atomic_base.h>
#include <libpmemobj/thread.h>
#include <libpmemobj/types.h>

#define POBJ_LIST_HEAD(name, t)							\
	struct name {								\
		TOID(t) pe_first;						\
		PMEMmutex lock;							\
	}
#define POBJ_LIST_ENTRY(t)							\
	struct {								\
		TOID(t) pe_next;						\
		TOID(t) pe_prev;						\
	}

/* ---- reading ----------------------------------------------------------------------------- */

/* The previous one of the first is the last; both are null ids in an empty list. */
#define POBJ_LIST_FIRST(head)		((head)->pe_first)
#define POBJ_LIST_LAST(head, field)						\
	(POBJ_LIST_EMPTY(head) ? POBJ_LIST_FIRST(head) :			\
	 POBJ_LIST_PREV(POBJ_LIST_FIRST(head), field))
#define POBJ_LIST_EMPTY(head)		TOID_IS_NULL(POBJ_LIST_FIRST(head))

/* Around the circle: the next one of the last is the first. */
#define POBJ_LIST_NEXT(elm, field)	(D_RO(elm)->field.pe_next)
#define POBJ_LIST_PREV(elm, field)	(D_RO(elm)->field.pe_prev)

/* Where a loop goes next: @to, but OID_NULL when the one it compares is where the circle closes. */
static inline PMEMoid _pobj_list_step(PMEMoid to, PMEMoid compared, PMEMoid closing)
{
	return OID_EQUALS(compared, closing) ? OID_NULL : to;
}

#define POBJ_LIST_FOREACH(var, head, field)					\
	for ((var) = POBJ_LIST_FIRST(head); !TOID_IS_NULL(var);			\
	     (var).oid = _pobj_list_step(POBJ_LIST_NEXT(var, field).oid,	\
					 POBJ_LIST_NEXT(var, field).oid,	\
					 POBJ_LIST_FIRST(head).oid))
#define POBJ_LIST_FOREACH_REVERSE(var, head, field)				\
	for ((var) = POBJ_LIST_LAST(head, field); !TOID_IS_NULL(var);		\
	     (var).oid = _pobj_list_step(POBJ_LIST_PREV(var, field).oid,	\
					 (var).oid, POBJ_LIST_FIRST(head).oid))

/* ---- changing ---------------------------------------------------------------------------- */

/* Offset of @field in the elements of @head. */
#define _POBJ_LIST_OFF(head, field)	TOID_OFFSETOF(POBJ_LIST_FIRST(head), field)

/* The id of @elm, once the compiler agreed that it is of the type of @head's elements. */
#define _POBJ_LIST_OID(head, elm)						\
	((void)sizeof((elm)._type == POBJ_LIST_FIRST(head)._type), (elm).oid)

#define _POBJ_LIST_INSERT(pop, head, dest, before, elm, field)			\
	pmemobj_list_insert((pop), _POBJ_LIST_OFF(head, field), (head), (dest), (before), \
			    _POBJ_LIST_OID(head, elm))

#define POBJ_LIST_INSERT_HEAD(pop, head, elm, field)				\
	_POBJ_LIST_INSERT(pop, head, OID_NULL, POBJ_LIST_DEST_HEAD, elm, field)
#define POBJ_LIST_INSERT_TAIL(pop, head, elm, field)				\
	_POBJ_LIST_INSERT(pop, head, OID_NULL, POBJ_LIST_DEST_TAIL, elm, field)
/* A null @listelm: at the end. */
#define POBJ_LIST_INSERT_AFTER(pop, head, listelm, elm, field)			\
	_POBJ_LIST_INSERT(pop, head, _POBJ_LIST_OID(head, listelm), POBJ_LIST_DEST_AFTER, elm, \
			  field)
/* A null @listelm: at the head. */
#define POBJ_LIST_INSERT_BEFORE(pop, head, listelm, elm, field)			\
	_POBJ_LIST_INSERT(pop, head, _POBJ_LIST_OID(head, listelm), POBJ_LIST_DEST_BEFORE, elm, \
			  field)

/* These give the new object as a PMEMoid; its type number is that of the elements. */
#define _POBJ_LIST_INSERT_NEW(pop, head, dest, before, field, size, constr, arg) \
	pmemobj_list_insert_new((pop), _POBJ_LIST_OFF(head, field), (head), (dest), (before), \
				(size), TOID_TYPE_NUM_OF(POBJ_LIST_FIRST(head)), (constr), (arg))

#define POBJ_LIST_INSERT_NEW_HEAD(pop, head, field, size, constr, arg)		\
	_POBJ_LIST_INSERT_NEW(pop, head, OID_NULL, POBJ_LIST_DEST_HEAD, field, size, constr, arg)
#define POBJ_LIST_INSERT_NEW_TAIL(pop, head, field, size, constr, arg)		\
	_POBJ_LIST_INSERT_NEW(pop, head, OID_NULL, POBJ_LIST_DEST_TAIL, field, size, constr, arg)
#define POBJ_LIST_INSERT_NEW_AFTER(pop, head, listelm, field, size, constr, arg) \
	_POBJ_LIST_INSERT_NEW(pop, head, _POBJ_LIST_OID(head, listelm),		\
			      POBJ_LIST_DEST_AFTER, field, size, constr, arg)
#define POBJ_LIST_INSERT_NEW_BEFORE(pop, head, listelm, field, size, constr, arg) \
	_POBJ_LIST_INSERT_NEW(pop, head, _POBJ_LIST_OID(head, listelm),		\
			      POBJ_LIST_DEST_BEFORE, field, size, constr, arg)

#define _POBJ_LIST_REMOVE(pop, head, elm, field, free)				\
	pmemobj_list_remove((pop), _POBJ_LIST_OFF(head, field), (head),		\
			    _POBJ_LIST_OID(head, elm), (free))

#define POBJ_LIST_REMOVE(pop, head, elm, field)	_POBJ_LIST_REMOVE(pop, head, elm, field, 0)
#define POBJ_LIST_REMOVE_FREE(pop, head, elm, field)				\
	_POBJ_LIST_REMOVE(pop, head, elm, field, 1)

/* From @head, where @field links @elm, to @head_new, where @field_new will. */
#define _POBJ_LIST_MOVE(pop, head, head_new, dest, before, elm, field, field_new) \
	pmemobj_list_move((pop), _POBJ_LIST_OFF(head, field), (head),		\
			  _POBJ_LIST_OFF(head_new, field_new), (head_new), (dest), (before), \
			  _POBJ_LIST_OID(head_new, elm))

#define POBJ_LIST_MOVE_ELEMENT_HEAD(pop, head, head_new, elm, field, field_new)	\
	_POBJ_LIST_MOVE(pop, head, head_new, OID_NULL, POBJ_LIST_DEST_HEAD, elm, field,	\
			field_new)
#define POBJ_LIST_MOVE_ELEMENT_TAIL(pop, head, head_new, elm, field, field_new)	\
	_POBJ_LIST_MOVE(pop, head, head_new, OID_NULL, POBJ_LIST_DEST_TAIL, elm, field,	\
			field_new)
#define POBJ_LIST_MOVE_ELEMENT_AFTER(pop, head, head_new, listelm, elm, field, field_new) \
	_POBJ_LIST_MOVE(pop, head, head_new, _POBJ_LIST_OID(head_new, listelm),	\
			POBJ_LIST_DEST_AFTER, elm, field, field_new)
#define POBJ_LIST_MOVE_ELEMENT_BEFORE(pop, head, head_new, listelm, elm, field, field_new) \
	_POBJ_LIST_MOVE(pop, head, head_new, _POBJ_LIST_OID(head_new, listelm),	\
			POBJ_LIST_DEST_BEFORE, elm, field, field_new)

#endif
