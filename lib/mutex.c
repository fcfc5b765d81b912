// SPDX-License-Identifier: BSD-3-Clause
/*
 * PMEMmutex: one word of locks.h. A normal mutex, as libpmemobj's: to lock it again while holding
 * it waits for good, and any thread of the process that holds it may unlock it. When the process
 * dies, the next one gets it after the dead one's operations were recovered.
 */
#include <errno.h>

#include "lib/locks.h"
#include "libpmemobj/thread.h"

static u64 *mutex_word(PMEMmutex *mutexp)
{
	return (u64 *)mutexp->padding;
}

/* Nobody holds it, in the words of this run: one instruction. */
static inline bool mutex_take_free(const struct pobj_pool *p, u64 *word)
{
	u64 seen = pobj_word_free(p);

	return __builtin_expect(pobj_word_cas(word, &seen, pobj_word_mine(p)), 1);
}

void pmemobj_mutex_zero(PMEMobjpool *pop, PMEMmutex *mutexp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	/* Not flushed: what is there after a restart is an unlocked mutex in any case. */
	pobj_store_fill(&p->media, mutexp, 0, sizeof(*mutexp));
}

int pmemobj_mutex_lock(PMEMobjpool *pop, PMEMmutex *mutexp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	if (!pobj_lock_usable(p))
		return pobj_lock_unusable();
	if (mutex_take_free(p, mutex_word(mutexp)))
		return 0;
	return -pobj_word_take(p, mutex_word(mutexp), NULL, NULL);
}

int pmemobj_mutex_timedlock(PMEMobjpool *pop, PMEMmutex *restrict mutexp,
			    const struct timespec *restrict abs_timeout)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	if (!pobj_lock_usable(p))
		return pobj_lock_unusable();
	if (mutex_take_free(p, mutex_word(mutexp)))
		return 0;
	return -pobj_word_take(p, mutex_word(mutexp), NULL, abs_timeout);
}

int pmemobj_mutex_trylock(PMEMobjpool *pop, PMEMmutex *mutexp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	if (!pobj_lock_usable(p))
		return pobj_lock_unusable();
	if (mutex_take_free(p, mutex_word(mutexp)))
		return 0;
	return -pobj_word_try(p, mutex_word(mutexp));
}

int pmemobj_mutex_unlock(PMEMobjpool *pop, PMEMmutex *mutexp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	if (!pobj_lock_usable(p))
		return pobj_lock_unusable();
	return -pobj_word_give(mutex_word(mutexp), pobj_word_mine(p), pobj_word_free(p), 1);
}
