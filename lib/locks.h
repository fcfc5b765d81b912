/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words that say who holds something: what PMEMmutex, PMEMrwlock, PMEMcond and pmemobj_volatile are
 * made of. See locks.c.
 *
 *	63 ............ 28 27 ........ 3   2     1       0
 *	     tag             session     OWNED WAITERS  HELD
 *
 * tag: the low bits of the sidecar's run id. A word with another tag is a leftover of an earlier
 * run (or was just zeroed) and counts as free, whatever else it says. So there is nothing to
 * initialise: the first user of a run takes the word by compare-and-swap from the leftover, as he
 * would take a free one. At any kill that happened or it did not; and who read the leftover and was
 * stopped fails when he goes on, because no word of this run ever equals it again. A leftover with
 * the same 36 bits by chance is a hold of that session, until it ends.
 *
 * This is why the mutex is not glibc's: its words cannot be told from those that a dead run left,
 * so making it fresh takes an initialiser, for whom the others must wait. And its robust list runs
 * through the locks themselves: a pool that is closed, or an object that is freed, with a lock held
 * would break the list for the thread and for the kernel.
 *
 * session: low bits of the number of the session that holds the word. Threads are not told apart; a
 * normal mutex, which is what libpmemobj's is, does not need to.
 *
 * The words are no data: nobody flushes them, and any content found after a restart will do. So
 * they are changed by plain atomic instructions, not through core/media.h.
 */
#ifndef POBJ_LIB_LOCKS_H
#define POBJ_LIB_LOCKS_H

#include <time.h>

#include "lib/pool.h"
#include "lib/sidecar.h"

#define POBJ_WORD_HELD		1ULL
#define POBJ_WORD_WAITERS	2ULL	/* somebody sleeps: whoever gives it back wakes */
#define POBJ_WORD_OWNED		4ULL	/* rwlock: the readers have left, too */
#define POBJ_WORD_SESSION_SHIFT	3
#define POBJ_WORD_SESSION_BITS	25
#define POBJ_WORD_TAG_SHIFT	28

#define POBJ_WORD_SESSION_MASK	((1ULL << POBJ_WORD_SESSION_BITS) - 1)

/* The word of this run that nobody holds. */
static inline u64 pobj_word_free(const struct pobj_pool *p)
{
	return p->sidecar->run_id << POBJ_WORD_TAG_SHIFT;
}

/* The word that this session holds. */
static inline u64 pobj_word_mine(const struct pobj_pool *p)
{
	return pobj_word_free(p) |
	       (p->session & POBJ_WORD_SESSION_MASK) << POBJ_WORD_SESSION_SHIFT | POBJ_WORD_HELD;
}

/* Does @word, as read, say that somebody holds it? */
static inline bool pobj_word_held(const struct pobj_pool *p, u64 word)
{
	return (word & POBJ_WORD_HELD) && !((word ^ pobj_word_free(p)) >> POBJ_WORD_TAG_SHIFT);
}

static inline u32 pobj_word_session(u64 word)
{
	return (word >> POBJ_WORD_SESSION_SHIFT) & POBJ_WORD_SESSION_MASK;
}

static inline bool pobj_word_cas(u64 *word, u64 *seen, u64 want)
{
	return __atomic_compare_exchange_n(word, seen, want, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static inline u64 pobj_word_load(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* In a forked child there is no pool behind the handle. */
static inline bool pobj_lock_usable(const struct pobj_pool *p)
{
	return __builtin_expect(!!p->sidecar, 1);
}

/* EINVAL, for the caller, and the message for that. */
int pobj_lock_unusable(void);

/**
 * struct pobj_sleep - how long to wait, and how often to look for the dead meanwhile
 * @until: CLOCK_REALTIME, NULL: for good
 * @slice: ns of the next sleep, 0 at the beginning
 */
struct pobj_sleep {
	const struct timespec *until;
	long slice;
};

/*
 * Sleep as long as the low half of *@word is that of @seen, for one slice at most. 0: look at the
 * word again; -EAGAIN: the slice is over, it is time to look whether the holder lives; -ETIMEDOUT:
 * @s->until is over; -EINVAL: it is no time. Slices begin short and grow to 100 ms. errno stays.
 */
int pobj_word_sleep(const u64 *word, u64 seen, struct pobj_sleep *s);

/* Wake @cnt of those who sleep at @word. errno stays. */
void pobj_word_wake(const u64 *word, int cnt);

/*
 * Reap the dead. Is the session whose low bits are @session gone, and all that it left recovered?
 * 1: yes, its holds may be taken; 0: no; -errno: no, and what some dead session left cannot be
 * recovered, so waiting may be in vain. errno stays.
 */
int pobj_holder_gone(struct pobj_pool *p, u32 session);

/* The same, but 0 if this thread asked less than 20 ms ago: for calls that do not wait. */
int pobj_holder_gone_seldom(struct pobj_pool *p, u32 session);

/*
 * Take @word for this session. 0; -EALREADY: it is @done (if that is not NULL); -ETIMEDOUT: @until
 * is over; -EINVAL: it is no time; an error of pobj_holder_gone(). Survives a kill at any
 * instruction. Other threads of the session are kept out, too.
 */
int pobj_word_take(struct pobj_pool *p, u64 *word, const u64 *done, const struct timespec *until);

/* The same without waiting: -EBUSY if a session that lives holds it. */
int pobj_word_try(struct pobj_pool *p, u64 *word);

/* Make @word, which is @mine but for WAITERS, @to, and wake @cnt. 0; -EPERM: it is not. */
int pobj_word_give(u64 *word, u64 mine, u64 to, int cnt);

#endif
