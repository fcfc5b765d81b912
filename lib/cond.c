// SPDX-License-Identifier: BSD-3-Clause
/*
 * PMEMcond: a count of signals to sleep on, and how many sleep.
 *
 *	signals	 63..32 tag, 31..0 count. All that its value says is "other than before", so a
 *		 leftover of an earlier run needs no care
 *	sleepers 63..32 tag, 31..0 a hint that saves the wake-up when nobody sleeps. The dead stay
 *		 in it, which costs a system call. It is never too low: a sleeper counts itself
 *		 before it reads @signals, a signaller reads it after it has changed @signals
 *
 * A sleeper returns when @signals has changed since it had the mutex, woken or not: it looks every
 * 100 ms at least. So a signal whose wake-up went to a sleeper that was killed reaches the others
 * late, but it does. They may return without a signal of their own, as pthread's.
 */
#include <errno.h>
#include <limits.h>

#include "lib/locks.h"
#include "libpmemobj/thread.h"

struct cond {
	u64 signals;
	u64 sleepers;
};

_Static_assert(sizeof(struct cond) <= sizeof(PMEMcond), "cond fits");

#define COUNT_MASK	0xffffffffULL

static struct cond *cond_of(PMEMcond *condp)
{
	return (struct cond *)condp->padding;
}

/* @word as this run counts: a leftover counts as 0. */
static u64 count_of(const struct pobj_pool *p, u64 word)
{
	const u64 zero = p->sidecar->run_id << 32;

	return (word ^ zero) >> 32 ? zero : word;
}

/* Add @by to *@word, but not below 0. Returns the new value. */
static u64 count_add(const struct pobj_pool *p, u64 *word, int by)
{
	u64 seen = pobj_word_load(word);
	u64 now, want;

	do {
		now = count_of(p, seen);
		if (by < 0 && !(now & COUNT_MASK))
			return now;
		want = (now & ~COUNT_MASK) | ((now + (u64)by) & COUNT_MASK);
	} while (!pobj_word_cas(word, &seen, want));
	return want;
}

void pmemobj_cond_zero(PMEMobjpool *pop, PMEMcond *condp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	pobj_store_fill(&p->media, condp, 0, sizeof(*condp));
}

static int cond_signal(PMEMobjpool *pop, PMEMcond *condp, int cnt)
{
	struct pobj_pool *p = pobj_pool_raw(pop);
	struct cond *c = cond_of(condp);

	if (!pobj_lock_usable(p))
		return pobj_lock_unusable();
	count_add(p, &c->signals, 1);
	if (count_of(p, pobj_word_load(&c->sleepers)) & COUNT_MASK)
		pobj_word_wake(&c->signals, cnt);
	return 0;
}

int pmemobj_cond_signal(PMEMobjpool *pop, PMEMcond *condp)
{
	return cond_signal(pop, condp, 1);
}

int pmemobj_cond_broadcast(PMEMobjpool *pop, PMEMcond *condp)
{
	return cond_signal(pop, condp, INT_MAX);
}

static int cond_wait(PMEMobjpool *pop, PMEMcond *condp, PMEMmutex *mutexp,
		     const struct timespec *until)
{
	struct pobj_pool *p = pobj_pool_raw(pop);
	struct pobj_sleep s = { .until = until };
	struct cond *c = cond_of(condp);
	u64 before;
	int err, relock;

	if (!pobj_lock_usable(p))
		return pobj_lock_unusable();
	/* Before anything is given up: is it a time? */
	if (until && (until->tv_nsec < 0 || until->tv_nsec >= 1000000000))
		return -pobj_word_sleep(&c->signals, 0, &s);
	count_add(p, &c->sleepers, 1);
	before = count_add(p, &c->signals, 0);	/* a leftover becomes a count of this run */
	err = pmemobj_mutex_unlock(pop, mutexp);
	if (err) {
		count_add(p, &c->sleepers, -1);
		return err;
	}
	do {
		err = pobj_word_sleep(&c->signals, before, &s);
	} while ((err == 0 || err == -EAGAIN) && pobj_word_load(&c->signals) == before);
	if (pobj_word_load(&c->signals) != before)
		err = 0;
	count_add(p, &c->sleepers, -1);
	relock = pmemobj_mutex_lock(pop, mutexp);
	return relock ? relock : -err;
}

int pmemobj_cond_timedwait(PMEMobjpool *pop, PMEMcond *restrict condp, PMEMmutex *restrict mutexp,
			   const struct timespec *restrict abs_timeout)
{
	return cond_wait(pop, condp, mutexp, abs_timeout);
}

int pmemobj_cond_wait(PMEMobjpool *pop, PMEMcond *restrict condp, PMEMmutex *restrict mutexp)
{
	return cond_wait(pop, condp, mutexp, NULL);
}
