/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/thread.h - locks that lie in a pool.
 *
 * They work between threads and between processes that have the pool open. Zeros are an unlocked
 * lock, so an object from pmemobj_zalloc needs no more. When the first process opens the pool, all
 * locks are as new, whatever they were when the last one closed it; at a further open nothing
 * changes. What a process holds when it dies or closes the pool is handed on, within about 100 ms,
 * after its unfinished operations were undone or finished; the next one gets 0. What a thread
 * holds when it ends stays held as long as its process lives, as with pthread's normal locks.
 *
 * Functions return 0 or an error number, as those of pthread; errno does not change. Timeouts are
 * absolute, CLOCK_REALTIME, and give ETIMEDOUT; the try functions give EBUSY.
 */
#ifndef LIBPMEMOBJ_THREAD_H
#define LIBPMEMOBJ_THREAD_H 1

#include <time.h>

#include <libpmemobj/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define _POBJ_CL_SIZE	64	/* a lock has a cache line's size; its alignment is a word's */

typedef union {
	long long align;
	char padding[_POBJ_CL_SIZE];
} PMEMmutex;

typedef union {
	long long align;
	char padding[_POBJ_CL_SIZE];
} PMEMrwlock;

typedef union {
	long long align;
	char padding[_POBJ_CL_SIZE];
} PMEMcond;

/* zero: make an unlocked lock. Nobody may hold it or wait for it. */
void pmemobj_mutex_zero(PMEMobjpool *pop, PMEMmutex *mutexp);
int pmemobj_mutex_lock(PMEMobjpool *pop, PMEMmutex *mutexp);
int pmemobj_mutex_timedlock(PMEMobjpool *pop, PMEMmutex *__restrict mutexp,
			    const struct timespec *__restrict abs_timeout);
int pmemobj_mutex_trylock(PMEMobjpool *pop, PMEMmutex *mutexp);
int pmemobj_mutex_unlock(PMEMobjpool *pop, PMEMmutex *mutexp);

/*
 * A thread may hold several read locks, and unlocks as often; of more than 64 PMEMrwlocks at once:
 * EAGAIN. Waiting writers go before new readers, but not before who reads already. Seven processes
 * can read at once; an eighth waits. EDEADLK: to write while this thread reads. EPERM: to unlock
 * what this process does not hold.
 */
void pmemobj_rwlock_zero(PMEMobjpool *pop, PMEMrwlock *rwlockp);
int pmemobj_rwlock_rdlock(PMEMobjpool *pop, PMEMrwlock *rwlockp);
int pmemobj_rwlock_wrlock(PMEMobjpool *pop, PMEMrwlock *rwlockp);
int pmemobj_rwlock_timedrdlock(PMEMobjpool *pop, PMEMrwlock *__restrict rwlockp,
			       const struct timespec *__restrict abs_timeout);
int pmemobj_rwlock_timedwrlock(PMEMobjpool *pop, PMEMrwlock *__restrict rwlockp,
			       const struct timespec *__restrict abs_timeout);
int pmemobj_rwlock_tryrdlock(PMEMobjpool *pop, PMEMrwlock *rwlockp);
int pmemobj_rwlock_trywrlock(PMEMobjpool *pop, PMEMrwlock *rwlockp);
int pmemobj_rwlock_unlock(PMEMobjpool *pop, PMEMrwlock *rwlockp);

/*
 * wait: gives up @mutexp while it waits, and holds it again at return, also after a timeout. It may
 * return without a signal.
 */
void pmemobj_cond_zero(PMEMobjpool *pop, PMEMcond *condp);
int pmemobj_cond_broadcast(PMEMobjpool *pop, PMEMcond *condp);
int pmemobj_cond_signal(PMEMobjpool *pop, PMEMcond *condp);
int pmemobj_cond_timedwait(PMEMobjpool *pop, PMEMcond *__restrict condp,
			   PMEMmutex *__restrict mutexp,
			   const struct timespec *__restrict abs_timeout);
int pmemobj_cond_wait(PMEMobjpool *pop, PMEMcond *__restrict condp,
		      PMEMmutex *__restrict mutexp);

#ifdef __cplusplus
}
#endif

#endif
