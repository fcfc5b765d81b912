/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/iterator.h - iteration with typed ids, and as loops.
 *
 * In a loop of the SAFE kind the body may free the object it is at, but not the next one. Here the
 * other kind stands that, too (iterator_base.h).
 */
#ifndef LIBPMEMOBJ_ITERATOR_H
#define LIBPMEMOBJ_ITERATOR_H 1

#include <libpmemobj/iterator_base.h>
#include <libpmemobj/types.h>

/* First object of type @t, and the next one of @o's type: typed ids. */
#define POBJ_FIRST(pop, t)	_POBJ_TOID(TOID(t), pobj_first_type((pop), TOID_TYPE_NUM(t)))
#define POBJ_NEXT(o) \
	_POBJ_TOID(__typeof__(o), pobj_next_type((o).oid, TOID_TYPE_NUM_OF(o)))

/* All objects; @varoid, @nvaroid: PMEMoid. */
#define POBJ_FOREACH(pop, varoid)						\
	for ((varoid) = pmemobj_first(pop); !OID_IS_NULL(varoid);		\
	     (varoid) = pmemobj_next(varoid))
#define POBJ_FOREACH_SAFE(pop, varoid, nvaroid)					\
	for ((varoid) = pmemobj_first(pop);					\
	     !OID_IS_NULL(varoid) && ((nvaroid) = pmemobj_next(varoid), 1);	\
	     (varoid) = (nvaroid))

/* Objects of the type of @var; @var, @nvar: the same TOID. */
#define POBJ_FOREACH_TYPE(pop, var)						\
	for ((var).oid = pobj_first_type((pop), TOID_TYPE_NUM_OF(var));		\
	     !TOID_IS_NULL(var);						\
	     (var).oid = pobj_next_type((var).oid, TOID_TYPE_NUM_OF(var)))
#define POBJ_FOREACH_SAFE_TYPE(pop, var, nvar)					\
	for ((var).oid = pobj_first_type((pop), TOID_TYPE_NUM_OF(var));		\
	     !TOID_IS_NULL(var) &&						\
	     ((nvar).oid = pobj_next_type((var).oid, TOID_TYPE_NUM_OF(var)), 1);	\
	     (var) = (nvar))

#endif
