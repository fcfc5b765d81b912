/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/lists_atomic_base.h - circular, doubly linked lists of objects; each operation is all
 * or nothing, whenever power fails.
 *
 * A head is a PMEMoid, the first element, followed by a PMEMmutex, which the functions take; all
 * zero: empty. An element has two PMEMoids, next and previous, @pe_offset bytes from its start.
 * lists_atomic.h declares both. Head and elements lie in @pop.
 *
 * Where to: @dest and @before are an element and POBJ_LIST_DEST_BEFORE or _AFTER; or OID_NULL and
 * POBJ_LIST_DEST_HEAD or _TAIL.
 */
#ifndef LIBPMEMOBJ_LISTS_ATOMIC_BASE_H
#define LIBPMEMOBJ_LISTS_ATOMIC_BASE_H 1

#include <libpmemobj/base.h>
#include <libpmemobj/pool_base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POBJ_LIST_DEST_HEAD	1
#define POBJ_LIST_DEST_TAIL	0
#define POBJ_LIST_DEST_BEFORE	1
#define POBJ_LIST_DEST_AFTER	0

/* Insert @oid, which is in no list by this field. 0; -1 with errno. */
int pmemobj_list_insert(PMEMobjpool *pop, size_t pe_offset, void *head, PMEMoid dest, int before,
			PMEMoid oid);

/* Allocate an object as pmemobj_alloc does, and insert it. OID_NULL with errno on failure. */
PMEMoid pmemobj_list_insert_new(PMEMobjpool *pop, size_t pe_offset, void *head, PMEMoid dest,
				int before, size_t size, uint64_t type_num,
				pmemobj_constr constructor, void *arg);

/* From one list into another, or to another place of the same. 0; -1 with errno. */
int pmemobj_list_move(PMEMobjpool *pop, size_t pe_old_offset, void *head_old,
		      size_t pe_new_offset, void *head_new, PMEMoid dest, int before,
		      PMEMoid oid);

/* Take @oid out, and free it if @free is not 0. 0; -1 with errno. */
int pmemobj_list_remove(PMEMobjpool *pop, size_t pe_offset, void *head, PMEMoid oid, int free);

#ifdef __cplusplus
}
#endif

#endif
