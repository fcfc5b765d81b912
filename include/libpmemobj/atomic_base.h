/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/atomic_base.h - allocate to a destination, resize and free: each all or nothing,
 * whenever power fails or the process dies.
 *
 * @oidp is the destination. In a pool it changes together with the heap; in other memory it is a
 * plain store, after the heap changed. NULL: the object can then be found by iteration only. Every
 * function is thread-safe, among processes as well; who uses one destination from two threads
 * serialises them himself. On success the result is durable at return.
 *
 * 0, or -1 with errno, and the destination and the heap are as before:
 *	EINVAL		size 0, unknown flag, class or arena, null string
 *	ENOMEM		no room, or more than PMEMOBJ_MAX_ALLOC_SIZE
 *	ECANCELED	the constructor returned non-zero
 *	EAGAIN		all lanes of the pool are taken by live threads
 */
#ifndef LIBPMEMOBJ_ATOMIC_BASE_H
#define LIBPMEMOBJ_ATOMIC_BASE_H 1

#include <wchar.h>

#include <libpmemobj/base.h>
#include <libpmemobj/pool_base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The flags that pmemobj_xalloc takes. */
#define POBJ_XALLOC_VALID_FLAGS \
	(POBJ_XALLOC_ZERO | POBJ_XALLOC_ARENA_MASK | POBJ_XALLOC_CLASS_MASK)

/*
 * A new object of @size bytes. @constructor (or NULL) fills it before anything refers to it and
 * makes durable what it writes; it may call this library. If it never returns, nothing happened.
 * Without a constructor the contents are undefined.
 */
int pmemobj_alloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num,
		  pmemobj_constr constructor, void *arg);

/* The same with flags: POBJ_XALLOC_ZERO, POBJ_CLASS_ID, POBJ_ARENA_ID. */
int pmemobj_xalloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num,
		   uint64_t flags, pmemobj_constr constructor, void *arg);

/* A new object of zeros. */
int pmemobj_zalloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num);

/*
 * Change size and type of *@oidp; what fits of the contents is kept, and *@oidp changes if the
 * object moves. OID_NULL: allocate. Size 0: free. zrealloc: bytes that are added are zero.
 */
int pmemobj_realloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num);
int pmemobj_zrealloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num);

/* A new object that holds a copy of @s and its terminator. */
int pmemobj_strdup(PMEMobjpool *pop, PMEMoid *oidp, const char *s, uint64_t type_num);
int pmemobj_wcsdup(PMEMobjpool *pop, PMEMoid *oidp, const wchar_t *s, uint64_t type_num);

/* Free *@oidp, which becomes OID_NULL; nothing if it is that. Works in a full pool. */
void pmemobj_free(PMEMoid *oidp);

#ifdef __cplusplus
}
#endif

#endif
