/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/atomic.h - allocation with typed ids.
 *
 * @o: address of a TOID(@t), or NULL where the function takes NULL; type number, and size unless
 * it is given, are those of @t. Results are those of the functions.
 */
#ifndef LIBPMEMOBJ_ATOMIC_H
#define LIBPMEMOBJ_ATOMIC_H 1

#include <libpmemobj/atomic_base.h>
#include <libpmemobj/types.h>

/* @o as PMEMoid *, once the compiler agreed that it points to a TOID(@t) or is NULL. */
#define _POBJ_OIDP(o, t)	((PMEMoid *)(1 ? (o) : (TOID(t) *)0))

#define POBJ_NEW(pop, o, t, constr, arg)	POBJ_ALLOC(pop, o, t, sizeof(t), constr, arg)
#define POBJ_ALLOC(pop, o, t, size, constr, arg)				\
	pmemobj_alloc((pop), _POBJ_OIDP(o, t), (size), TOID_TYPE_NUM(t), (constr), (arg))

#define POBJ_ZNEW(pop, o, t)			POBJ_ZALLOC(pop, o, t, sizeof(t))
#define POBJ_ZALLOC(pop, o, t, size)						\
	pmemobj_zalloc((pop), _POBJ_OIDP(o, t), (size), TOID_TYPE_NUM(t))

#define POBJ_REALLOC(pop, o, t, size)						\
	pmemobj_realloc((pop), _POBJ_OIDP(o, t), (size), TOID_TYPE_NUM(t))
#define POBJ_ZREALLOC(pop, o, t, size)						\
	pmemobj_zrealloc((pop), _POBJ_OIDP(o, t), (size), TOID_TYPE_NUM(t))

#define POBJ_FREE(o)				pmemobj_free(&(o)->oid)

#endif
