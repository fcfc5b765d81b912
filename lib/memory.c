// SPDX-License-Identifier: BSD-3-Clause
/*
 * Durability for the user's own stores: pmemobj_persist and the copies that are durable at return.
 *
 * All of this is about the calling thread: a drain waits for what this thread flushed. Every
 * function may be called by any number of threads and, on ranges of their own, at once. None
 * takes a lock, uses a lane or allocates.
 *
 * Sizes are in bytes. A length of 0 flushes nothing; a drain still happens where one is due.
 * Ranges lie in @pop, and only there; this is not checked. Nor is the handle: a pool that is not
 * open in this process is a fault, as in libpmemobj.
 *
 * Writing back can fail only where it means msync (a file that is not on pmem). The functions
 * that return nothing, or an address, then leave the words in pmemobj_errormsg() and errno set;
 * pmemobj_xpersist returns -1, too. libpmemobj ends the process.
 *
 * After a crash in the middle of any of these, each aligned 8-byte word that was to be written as
 * a whole is old or new, in no order; with PMEMOBJ_F_RELAXED, or partly covered, each byte is.
 */
#include "lib/errormsg.h"
#include "lib/persist.h"
#include "lib/pool.h"
#include "libpmemobj/base.h"

/* Out of the way of the fast paths. */
__attribute__((noinline, cold))
static int drain_failed(PMEMobjpool *pop, int err)
{
	return pobj_err_sys(err, "%s: data could not be written back and may be lost",
			    pobj_pool_raw(pop)->path);
}

static inline int drain(PMEMobjpool *pop)
{
	int err = pobj_fence(&pobj_pool_raw(pop)->media);

	return __builtin_expect(err, 0) ? drain_failed(pop, err) : 0;
}

static inline void *move(PMEMobjpool *pop, void *dest, const void *src, size_t len,
			 unsigned int flags)
{
	pobj_persist_move(&pobj_pool_raw(pop)->media, dest, src, len, flags);
	if (!(flags & (PMEMOBJ_F_MEM_NODRAIN | PMEMOBJ_F_MEM_NOFLUSH)))
		drain(pop);
	return dest;
}

static inline void *set(PMEMobjpool *pop, void *dest, int c, size_t len, unsigned int flags)
{
	pobj_persist_set(&pobj_pool_raw(pop)->media, dest, c, len, flags);
	if (!(flags & (PMEMOBJ_F_MEM_NODRAIN | PMEMOBJ_F_MEM_NOFLUSH)))
		drain(pop);
	return dest;
}

/* 0 or -1 with errno EINVAL: of all flags only PMEMOBJ_F_RELAXED has a meaning without a copy. */
static int flags_check(const char *func, unsigned int flags)
{
	if (!(flags & ~PMEMOBJ_F_RELAXED))
		return 0;
	pobj_err(-EINVAL, "%s: unknown flags 0x%x; only PMEMOBJ_F_RELAXED is allowed", func,
		 flags & ~PMEMOBJ_F_RELAXED);
	return -1;
}

/*
 * Start writing back all lines that [@addr, @addr + @len) touches. Durable after this thread's
 * next pmemobj_drain; may be durable at any time before it.
 */
void pmemobj_flush(PMEMobjpool *pop, const void *addr, size_t len)
{
	pobj_flush(&pobj_pool_raw(pop)->media, addr, len);
}

/* Wait until all that this thread flushed in @pop is durable. */
void pmemobj_drain(PMEMobjpool *pop)
{
	drain(pop);
}

/* pmemobj_flush and pmemobj_drain: one fence round. */
void pmemobj_persist(PMEMobjpool *pop, const void *addr, size_t len)
{
	pobj_flush(&pobj_pool_raw(pop)->media, addr, len);
	drain(pop);
}

/*
 * pmemobj_persist that can tell: 0, or -1 and errno EINVAL for a flag other than
 * PMEMOBJ_F_RELAXED (nothing is done then), EIO, ENOSPC or another of msync's if the range could
 * not be written back. The flag changes nothing: a flush tears no word.
 */
int pmemobj_xpersist(PMEMobjpool *pop, const void *addr, size_t len, unsigned int flags)
{
	if (flags_check(__func__, flags))
		return -1;
	pobj_flush(&pobj_pool_raw(pop)->media, addr, len);
	return drain(pop) ? -1 : 0;
}

/* pmemobj_flush; 0, or -1 and errno EINVAL for a flag other than PMEMOBJ_F_RELAXED. */
int pmemobj_xflush(PMEMobjpool *pop, const void *addr, size_t len, unsigned int flags)
{
	if (flags_check(__func__, flags))
		return -1;
	pobj_flush(&pobj_pool_raw(pop)->media, addr, len);
	return 0;
}

/*
 * Copy @len bytes to @dest in @pop and make them durable. The ranges may overlap. Returns @dest.
 * @flags:
 *	PMEMOBJ_F_MEM_NODRAIN		durable only after this thread's next drain
 *	PMEMOBJ_F_MEM_NOFLUSH		only store; the caller flushes and drains. Before all hints
 *	PMEMOBJ_F_MEM_NONTEMPORAL, _WC	hint: past the caches, whatever the length
 *	PMEMOBJ_F_MEM_TEMPORAL, _WB	hint: through the caches, whatever the length
 *	PMEMOBJ_F_RELAXED		words may be torn
 * Other flags are ignored, as libpmemobj does.
 */
void *pmemobj_memmove(PMEMobjpool *pop, void *dest, const void *src, size_t len,
		      unsigned int flags)
{
	return move(pop, dest, src, len, flags);
}

/* pmemobj_memmove for ranges that do not overlap. */
void *pmemobj_memcpy(PMEMobjpool *pop, void *dest, const void *src, size_t len, unsigned int flags)
{
	return move(pop, dest, src, len, flags);
}

/* Set @len bytes at @dest in @pop to @c and make them durable. @flags as above. Returns @dest. */
void *pmemobj_memset(PMEMobjpool *pop, void *dest, int c, size_t len, unsigned int flags)
{
	return set(pop, dest, c, len, flags);
}

/* pmemobj_memcpy without flags: durable at return. */
void *pmemobj_memcpy_persist(PMEMobjpool *pop, void *dest, const void *src, size_t len)
{
	return move(pop, dest, src, len, 0);
}

/* pmemobj_memset without flags: durable at return. */
void *pmemobj_memset_persist(PMEMobjpool *pop, void *dest, int c, size_t len)
{
	return set(pop, dest, c, len, 0);
}
