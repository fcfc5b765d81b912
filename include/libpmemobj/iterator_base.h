/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/iterator_base.h - the objects of a pool, one after the other.
 *
 * The order is unspecified; the root is not among them. OID_NULL: there is no further one. Objects
 * that are allocated or freed meanwhile, by whomever, may be met or not; all others are met once.
 * If the object that an iteration stands on was freed, it goes on from the place where it was.
 */
#ifndef LIBPMEMOBJ_ITERATOR_BASE_H
#define LIBPMEMOBJ_ITERATOR_BASE_H 1

#include <libpmemobj/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All objects. next: OID_NULL for OID_NULL. */
PMEMoid pmemobj_next(PMEMoid oid);
PMEMoid pmemobj_first(PMEMobjpool *pop);

/*
 * Objects of one type, at the cost of what that type has: libpmemobj does not know these. The type
 * is given to next, too, because @oid may have been freed.
 */
PMEMoid pobj_first_type(PMEMobjpool *pop, uint64_t type_num);
PMEMoid pobj_next_type(PMEMoid oid, uint64_t type_num);

/* The same by the names that libpmemobj has for it. */
static inline PMEMoid POBJ_FIRST_TYPE_NUM(PMEMobjpool *pop, uint64_t type_num)
{
	return pobj_first_type(pop, type_num);
}

static inline PMEMoid POBJ_NEXT_TYPE_NUM(PMEMoid oid)
{
	return pobj_next_type(oid, pmemobj_type_num(oid));
}

#ifdef __cplusplus
}
#endif

#endif
