/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/base.h - object ids, durability, locks' and objects' common ground.
 *
 * Names, types and documented semantics are those of libpmemobj (its man pages are the
 * reference); where pobj promises more, the comment here says so.
 */
#ifndef LIBPMEMOBJ_BASE_H
#define LIBPMEMOBJ_BASE_H 1

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open pool: the address at which it is mapped. */
typedef struct pmemobjpool PMEMobjpool;

#define PMEMOBJ_MAX_LAYOUT ((size_t)1024)

/* Flags of pmemobj_mem*, pmemobj_xflush and pmemobj_xpersist. */
#define PMEMOBJ_F_MEM_NODRAIN		(1U << 0)	/* caller drains */
#define PMEMOBJ_F_MEM_NONTEMPORAL	(1U << 1)	/* data will not be read soon */
#define PMEMOBJ_F_MEM_TEMPORAL		(1U << 2)	/* data will be read soon */
#define PMEMOBJ_F_MEM_WC		(1U << 3)	/* write-combining: as NONTEMPORAL */
#define PMEMOBJ_F_MEM_WB		(1U << 4)	/* write-back: as TEMPORAL */
#define PMEMOBJ_F_MEM_NOFLUSH		(1U << 5)	/* caller flushes */
#define PMEMOBJ_F_RELAXED		(1U << 31)	/* no 8-byte atomicity needed */

/* A persistent reference: which pool, and where in it. */
typedef struct pmemoid {
	uint64_t pool_uuid_lo;
	uint64_t off;
} PMEMoid;

static const PMEMoid OID_NULL = { 0, 0 };

#define OID_IS_NULL(o)	((o).off == 0)
#define OID_EQUALS(lhs, rhs) \
	((lhs).off == (rhs).off && (lhs).pool_uuid_lo == (rhs).pool_uuid_lo)

/*
 * Address of an object; NULL for OID_NULL and for pools that are not open in this process. Any
 * number of pools may be open: the id says which.
 *
 * Inline below. Define PMEMOBJ_DIRECT_NON_INLINE before the include to call the library instead.
 */
void *pmemobj_direct(PMEMoid oid);

/* Object id of an address; OID_NULL if no open pool holds it. */
PMEMoid pmemobj_oid(const void *addr);

/* The type number given at allocation; 0 for OID_NULL and if the pool is not open here. */
uint64_t pmemobj_type_num(PMEMoid oid);

/* Bytes that the caller may use, at least those asked for; 0 for OID_NULL. */
size_t pmemobj_alloc_usable_size(PMEMoid oid);

/* Pool of an object or address; NULL if it is not open here. */
PMEMobjpool *pmemobj_pool_by_oid(PMEMoid oid);
PMEMobjpool *pmemobj_pool_by_ptr(const void *addr);

/* ---- pmemobj_direct, inline --------------------------------------------------------------- */

/*
 * The pool that this thread asked for last, filled by the library. It holds while @invalidate
 * equals _pobj_cache_invalidate, which grows with every close and in a forked child. Both are
 * part of the binary interface: names, sizes and offsets stay.
 */
struct _pobj_pcache {
	PMEMobjpool *pop;
	uint64_t uuid_lo;
	int invalidate;
};

extern int _pobj_cache_invalidate;

#ifdef __GNUC__
extern __thread struct _pobj_pcache _pobj_cached_pool;

static inline void *pmemobj_direct_inline(PMEMoid oid)
{
	const struct _pobj_pcache *last = &_pobj_cached_pool;

	if (!oid.off)
		return NULL;
	/* Pairs with the release in close: whoever sees the new value finds the pool gone. */
	if (last->uuid_lo == oid.pool_uuid_lo &&
	    last->invalidate == __atomic_load_n(&_pobj_cache_invalidate, __ATOMIC_ACQUIRE))
		return (char *)last->pop + oid.off;
	return (pmemobj_direct)(oid);
}

/* A call is inline; &pmemobj_direct and (pmemobj_direct)(oid) are the library's function. */
#ifndef PMEMOBJ_DIRECT_NON_INLINE
#define pmemobj_direct(...) pmemobj_direct_inline(__VA_ARGS__)
#endif
#endif

/* ---- allocation: what its variants share ------------------------------------------------- */

/*
 * Largest object: 2^32 - 1 pages of 4 KiB. What a pool really has room for is less; asking for more
 * than that is ENOMEM.
 */
#define PMEMOBJ_MAX_ALLOC_SIZE	((size_t)0xffffffffU << 12)

/*
 * Flags of pmemobj_xalloc and pmemobj_xreserve. Class and arena numbers take 16 bits each and are
 * or'ed to the flags; both are EINVAL as long as pmemobj_ctl_* does not exist. NO_FLUSH is for
 * transactions only.
 */
#define POBJ_XALLOC_ZERO	((uint64_t)1 << 0)	/* zeroed, and that is durable */
#define POBJ_XALLOC_NO_FLUSH	((uint64_t)1 << 1)	/* commit does not flush the object */
#define POBJ_ARENA_ID(id)	((uint64_t)(id) << 32)	/* 0: the arena of the thread */
#define POBJ_CLASS_ID(id)	((uint64_t)(id) << 48)	/* 0: by size */
#define POBJ_XALLOC_ARENA_MASK	POBJ_ARENA_ID(0xffff)
#define POBJ_XALLOC_CLASS_MASK	POBJ_CLASS_ID(0xffff)

/* ---- transient variables in a pool ------------------------------------------------------- */

/* Says for which life of the pool the value beside it was made. Zero it when the object is made. */
struct pmemvlt {
	uint64_t runid;
};

/* A value of type @t with its pmemvlt: struct { vlt; value; }. */
#define PMEMvlt(t) struct { struct pmemvlt vlt; t value; }

/*
 * @ptr, after @constr(@ptr, @arg) was called once in this life of the pool, which ends when the
 * last process closes it. @size: bytes at @ptr. NULL if the constructor returned non-zero; then
 * the next call tries again. Thread-safe, among processes as well. Every access goes through here.
 */
void *pmemobj_volatile(PMEMobjpool *pop, struct pmemvlt *vlt, void *ptr, size_t size,
		       int (*constr)(void *ptr, void *arg), void *arg);

/* ---- durability: also on ranges that no object covers ------------------------------------ */

/* memcpy, memmove, memset whose result is durable at return. Overlap as in their models. */
void *pmemobj_memcpy_persist(PMEMobjpool *pop, void *dest, const void *src, size_t len);
void *pmemobj_memset_persist(PMEMobjpool *pop, void *dest, int c, size_t len);
void *pmemobj_memcpy(PMEMobjpool *pop, void *dest, const void *src, size_t len,
		     unsigned int flags);
void *pmemobj_memmove(PMEMobjpool *pop, void *dest, const void *src, size_t len,
		      unsigned int flags);
void *pmemobj_memset(PMEMobjpool *pop, void *dest, int c, size_t len,
		     unsigned int flags);

/* flush: start writing back. drain: wait for this thread's flushes. persist: both. */
void pmemobj_persist(PMEMobjpool *pop, const void *addr, size_t len);
void pmemobj_flush(PMEMobjpool *pop, const void *addr, size_t len);
void pmemobj_drain(PMEMobjpool *pop);

/* With flags (PMEMOBJ_F_RELAXED). 0; -1 and errno EINVAL for an unknown flag. */
int pmemobj_xpersist(PMEMobjpool *pop, const void *addr, size_t len, unsigned int flags);
int pmemobj_xflush(PMEMobjpool *pop, const void *addr, size_t len, unsigned int flags);

/* ---- versions and errors ----------------------------------------------------------------- */

#define PMEMOBJ_MAJOR_VERSION 2
#define PMEMOBJ_MINOR_VERSION 4

/* NULL if a program compiled against this version can use the library; else says why not. */
const char *pmemobj_check_version(unsigned int major_required,
				  unsigned int minor_required);

/* Text for the last error of this thread; never NULL. The same as pobj_errormsg(). */
const char *pmemobj_errormsg(void);

#ifdef __cplusplus
}
#endif

#endif
