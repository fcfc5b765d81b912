// SPDX-License-Identifier: BSD-3-Clause
/*
 * PMEMrwlock: who writes, and who reads, each as a word that only it answers for.
 *
 *	writer	   a word of locks.h. HELD: a writer has come, no reader may enter any more; OWNED:
 *		   the readers have left, it writes
 *	readers[7] 63..33 tag, 32..8 session, 7..0 how many read holds it has. With another tag, or
 *		   with no holds, the word is anybody's to take
 *
 * A reader enters first and looks for a writer second; a writer comes first and looks for readers
 * second; so at least one sees the other, and it is the reader who steps back. Each step is one
 * word, and the word says whose it is: those of a dead session are taken back by whoever waits for
 * them, whatever it was about to do.
 *
 * Writers go first, as the man page wants: while one waits, new readers wait, too. But a thread
 * that reads already may enter once more, or it would wait for a writer that waits for it. That is
 * safe only in a word that a hold of its own is in: this word was never free since the writer came,
 * so the writer did not pass it yet. A thread remembers its holds for that, OWN_MAX of them.
 *
 * Seven sessions can read at once, with 255 holds in a word; more wait until a word is free.
 */
#include <errno.h>
#include <limits.h>

#include "lib/locks.h"
#include "libpmemobj/thread.h"

#define READERS		7
#define HOLDS_MASK	0xffULL
#define READ_SHIFT	8
#define READ_TAG_SHIFT	33

struct rwlock {
	u64 writer;
	u64 readers[READERS];
};

_Static_assert(sizeof(struct rwlock) == sizeof(PMEMrwlock), "rwlock fits");

static struct rwlock *rwlock_of(PMEMrwlock *rwlockp)
{
	return (struct rwlock *)rwlockp->padding;
}

/* ---- what this thread reads ---------------------------------------------------------------- */

#define OWN_MAX	64

/**
 * struct own - read holds of this thread, all in one word
 * @run_id: with @session: an entry of a pool that was closed with locks held is not taken for more
 */
struct own {
	struct rwlock *lock;
	u64 *word;
	u64 run_id;
	u64 session;
	u32 holds;
};

static __thread struct own own[OWN_MAX];
static __thread u32 own_cnt;

/* The entry for @l (in @word, if that is not NULL). */
static struct own *own_find(const struct pobj_pool *p, const struct rwlock *l, const u64 *word)
{
	u32 i;

	for (i = 0; i < own_cnt; i++) {
		if (own[i].lock == l && (!word || own[i].word == word) &&
		    own[i].session == p->session && own[i].run_id == p->sidecar->run_id)
			return &own[i];
	}
	return NULL;
}

static void own_drop(struct own *o)
{
	*o = own[--own_cnt];
}

/* Drop what is left of pools that were closed. */
static void own_tidy(void)
{
	const struct pobj_pool *p;
	PMEMobjpool *pop;
	u32 i = 0;

	while (i < own_cnt) {
		pop = pmemobj_pool_by_ptr(own[i].lock);
		p = pop ? pobj_pool_raw(pop) : NULL;
		if (p && own[i].session == p->session && own[i].run_id == p->sidecar->run_id)
			i++;
		else
			own_drop(&own[i]);
	}
}

/* One more hold of @l in @word. */
static void own_add(const struct pobj_pool *p, struct rwlock *l, u64 *word)
{
	struct own *o = own_find(p, l, word);

	if (o)
		o->holds++;
	else
		own[own_cnt++] = (struct own){ .lock = l, .word = word, .holds = 1,
					       .run_id = p->sidecar->run_id,
					       .session = p->session };
}

/* Is there room for one more entry? */
static bool own_room(void)
{
	if (own_cnt == OWN_MAX)
		own_tidy();
	return own_cnt < OWN_MAX;
}

/* ---- words of readers ---------------------------------------------------------------------- */

/* A word of this session and run, with no holds. */
static u64 read_mine(const struct pobj_pool *p)
{
	return p->sidecar->run_id << READ_TAG_SHIFT |
	       (p->session & POBJ_WORD_SESSION_MASK) << READ_SHIFT;
}

/* Read holds that @word, as read, tells of; @mine is any word of this run. */
static inline u64 read_holds(u64 mine, u64 word)
{
	return (word ^ mine) >> READ_TAG_SHIFT ? 0 : word & HOLDS_MASK;
}

static u32 read_session(u64 word)
{
	return (word >> READ_SHIFT) & POBJ_WORD_SESSION_MASK;
}

/* Has a writer come, or does it write? */
static bool writer_came(const struct pobj_pool *p, u64 writer)
{
	return pobj_word_held(p, writer);
}

static bool writer_owns(const struct pobj_pool *p, u64 writer)
{
	return pobj_word_held(p, writer) && (writer & POBJ_WORD_OWNED);
}

/* Add a hold to @word if it is ours and has some, or (@anew) if nobody has any in it. */
static inline bool enter_word(u64 mine, u64 *word, bool anew)
{
	u64 seen = pobj_word_load(word);
	u64 holds;

	for (;;) {
		holds = read_holds(mine, seen);
		if (holds ? seen != mine + holds || holds == HOLDS_MASK : !anew)
			return false;
		if (pobj_word_cas(word, &seen, mine + holds + 1))
			return true;
	}
}

/* Where this session now has one more hold; NULL: there is no room. */
static u64 *enter(const struct pobj_pool *p, struct rwlock *l, const struct own *o)
{
	const u64 mine = read_mine(p);
	u64 *home = &l->readers[p->session % READERS];
	u32 i;

	if (o && enter_word(mine, o->word, false))
		return o->word;
	/* Sessions keep out of each other's way, as long as there is room. */
	if (enter_word(mine, home, true))
		return home;
	for (i = 0; i < READERS; i++) {
		if (enter_word(mine, &l->readers[i], false))
			return &l->readers[i];
	}
	for (i = 0; i < READERS; i++) {
		if (enter_word(mine, &l->readers[i], true))
			return &l->readers[i];
	}
	return NULL;
}

/* Give one hold of this session in @word back; false: it has none there. */
static bool leave(const struct pobj_pool *p, struct rwlock *l, u64 *word)
{
	const u64 mine = read_mine(p);
	u64 seen = pobj_word_load(word);
	u64 holds;

	do {
		holds = read_holds(mine, seen);
		if (!holds || seen != mine + holds)
			return false;
	} while (!pobj_word_cas(word, &seen, seen - 1));
	/* A writer sleeps at the word that it waits for: it saw it before it changed, or after. */
	if (writer_came(p, pobj_word_load(&l->writer)))
		pobj_word_wake(word, INT_MAX);
	return true;
}

/* If the holder of @word, as @seen, is gone: take its holds away. 1: done; 0; -errno. */
static int drop_dead_reader(struct pobj_pool *p, u64 *word, u64 seen, bool seldom)
{
	int gone;

	if (!read_holds(read_mine(p), seen))
		return 1;
	gone = seldom ? pobj_holder_gone_seldom(p, read_session(seen)) :
			pobj_holder_gone(p, read_session(seen));
	if (gone > 0)
		pobj_word_cas(word, &seen, 0);
	return gone;
}

/* ---- reading ------------------------------------------------------------------------------- */

/*
 * Enter, unless a writer is in the way. 0; -EBUSY: one is, *@writer as it was read; -ENOSPC: no
 * word is free; -EAGAIN: this thread has too many read locks.
 */
static int read_try(struct pobj_pool *p, struct rwlock *l, u64 *writer)
{
	struct own *o = own_find(p, l, NULL);
	u64 *word;

	if (!own_room())
		return -EAGAIN;
	*writer = pobj_word_load(&l->writer);
	if (writer_came(p, *writer) && (!o || writer_owns(p, *writer)))
		return -EBUSY;
	word = enter(p, l, o);
	if (!word)
		return -ENOSPC;
	*writer = pobj_word_load(&l->writer);
	if (!writer_came(p, *writer) ||
	    (own_find(p, l, word) && !writer_owns(p, *writer))) {
		own_add(p, l, word);
		return 0;
	}
	leave(p, l, word);
	return -EBUSY;
}

/* The writer @seen is in the way: sleep, and look whether it lives. */
static int wait_for_writer(struct pobj_pool *p, u64 *word, u64 seen, struct pobj_sleep *s)
{
	int err, gone;

	if (!(seen & POBJ_WORD_WAITERS)) {
		if (!pobj_word_cas(word, &seen, seen | POBJ_WORD_WAITERS))
			return 0;
		seen |= POBJ_WORD_WAITERS;
	}
	err = pobj_word_sleep(word, seen, s);
	if (err != -EAGAIN && err != -ETIMEDOUT)
		return err;
	gone = err == -EAGAIN ? pobj_holder_gone(p, pobj_word_session(seen)) :
				pobj_holder_gone_seldom(p, pobj_word_session(seen));
	if (gone > 0 && pobj_word_cas(word, &seen, pobj_word_free(p)))
		pobj_word_wake(word, INT_MAX);
	return gone < 0 ? gone : gone || err == -EAGAIN ? 0 : err;
}

/* Others read, in all words: wait until one of them leaves. */
static int wait_for_room(struct pobj_pool *p, struct rwlock *l, struct pobj_sleep *s)
{
	u64 *word = &l->readers[0];
	u64 seen = pobj_word_load(word);
	int err, gone;
	u32 i;

	/* Nobody wakes us, so never long. */
	s->slice = 0;
	err = read_holds(read_mine(p), seen) ? pobj_word_sleep(word, seen, s) : 0;
	if (err != -EAGAIN && err != -ETIMEDOUT)
		return err;
	for (i = 0; i < READERS; i++) {
		word = &l->readers[i];
		gone = drop_dead_reader(p, word, pobj_word_load(word), i == 0);
		if (gone)
			return gone < 0 ? gone : 0;
	}
	return err == -EAGAIN ? 0 : err;
}

static int read_lock(struct pobj_pool *p, struct rwlock *l, const struct timespec *until)
{
	struct pobj_sleep s = { .until = until };
	u64 writer;
	int err;

	for (;;) {
		err = read_try(p, l, &writer);
		if (!err)
			return 0;
		if (err == -EBUSY)
			err = wait_for_writer(p, &l->writer, writer, &s);
		else if (err == -ENOSPC)
			err = wait_for_room(p, l, &s);
		if (err)
			return err;
	}
}

static int read_unlock(struct pobj_pool *p, struct rwlock *l)
{
	struct own *o = own_find(p, l, NULL);
	u64 *word;
	u32 i;

	if (o) {
		word = o->word;
		if (!--o->holds)
			own_drop(o);
		if (leave(p, l, word))
			return 0;
	}
	/* Another thread of this process locked it, which pthread leaves undefined. */
	for (i = 0; i < READERS; i++) {
		if (leave(p, l, &l->readers[i]))
			return 0;
	}
	return -EPERM;
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Let the readers and other writers in again. */
static int writer_leaves(struct pobj_pool *p, struct rwlock *l, u64 mine)
{
	return pobj_word_give(&l->writer, mine, pobj_word_free(p), INT_MAX);
}

/* The writer word is ours: wait until nobody reads. @s NULL: do not wait, -EBUSY. */
static int wait_for_readers(struct pobj_pool *p, struct rwlock *l, struct pobj_sleep *s)
{
	const u64 mine = read_mine(p);
	int err, gone;
	u64 seen;
	u32 i = 0;

	while (i < READERS) {
		seen = pobj_word_load(&l->readers[i]);
		if (!read_holds(mine, seen)) {
			i++;
			continue;
		}
		err = s ? pobj_word_sleep(&l->readers[i], seen, s) : -EBUSY;
		if (!err)
			continue;
		gone = drop_dead_reader(p, &l->readers[i], seen, err != -EAGAIN);
		if (gone < 0)
			return gone;
		if (!gone && err != -EAGAIN)
			return err;
	}
	return 0;
}

static int write_lock(struct pobj_pool *p, struct rwlock *l, struct pobj_sleep *s)
{
	int err;

	if (own_find(p, l, NULL))
		return s ? -EDEADLK : -EBUSY;
	err = s ? pobj_word_take(p, &l->writer, NULL, s->until) : pobj_word_try(p, &l->writer);
	if (err)
		return err;
	err = wait_for_readers(p, l, s);
	if (err)
		writer_leaves(p, l, pobj_word_mine(p));
	else
		__atomic_fetch_or(&l->writer, POBJ_WORD_OWNED, __ATOMIC_SEQ_CST);
	return err;
}

/* ---- API ----------------------------------------------------------------------------------- */

void pmemobj_rwlock_zero(PMEMobjpool *pop, PMEMrwlock *rwlockp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	pobj_store_fill(&p->media, rwlockp, 0, sizeof(*rwlockp));
}

int pmemobj_rwlock_rdlock(PMEMobjpool *pop, PMEMrwlock *rwlockp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	return pobj_lock_usable(p) ? -read_lock(p, rwlock_of(rwlockp), NULL) :
				     pobj_lock_unusable();
}

int pmemobj_rwlock_timedrdlock(PMEMobjpool *pop, PMEMrwlock *restrict rwlockp,
			       const struct timespec *restrict abs_timeout)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	return pobj_lock_usable(p) ? -read_lock(p, rwlock_of(rwlockp), abs_timeout) :
				     pobj_lock_unusable();
}

int pmemobj_rwlock_tryrdlock(PMEMobjpool *pop, PMEMrwlock *rwlockp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);
	struct rwlock *l = rwlock_of(rwlockp);
	u64 writer, seen;
	int err, gone;

	if (!pobj_lock_usable(p))
		return pobj_lock_unusable();
	for (;;) {
		err = read_try(p, l, &writer);
		if (err != -EBUSY && err != -ENOSPC)
			return -err;
		/* A dead one in the way is as good as none; one session in seven, for room. */
		if (err == -EBUSY) {
			gone = pobj_holder_gone_seldom(p, pobj_word_session(writer));
			if (gone > 0 && pobj_word_cas(&l->writer, &writer, pobj_word_free(p)))
				pobj_word_wake(&l->writer, INT_MAX);
		} else {
			seen = pobj_word_load(&l->readers[0]);
			gone = drop_dead_reader(p, &l->readers[0], seen, true);
		}
		if (gone <= 0)
			return gone ? -gone : EBUSY;
	}
}

int pmemobj_rwlock_wrlock(PMEMobjpool *pop, PMEMrwlock *rwlockp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);
	struct pobj_sleep s = { 0 };

	return pobj_lock_usable(p) ? -write_lock(p, rwlock_of(rwlockp), &s) : pobj_lock_unusable();
}

int pmemobj_rwlock_timedwrlock(PMEMobjpool *pop, PMEMrwlock *restrict rwlockp,
			       const struct timespec *restrict abs_timeout)
{
	struct pobj_pool *p = pobj_pool_raw(pop);
	struct pobj_sleep s = { .until = abs_timeout };

	return pobj_lock_usable(p) ? -write_lock(p, rwlock_of(rwlockp), &s) : pobj_lock_unusable();
}

int pmemobj_rwlock_trywrlock(PMEMobjpool *pop, PMEMrwlock *rwlockp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	return pobj_lock_usable(p) ? -write_lock(p, rwlock_of(rwlockp), NULL) :
				     pobj_lock_unusable();
}

int pmemobj_rwlock_unlock(PMEMobjpool *pop, PMEMrwlock *rwlockp)
{
	struct pobj_pool *p = pobj_pool_raw(pop);
	struct rwlock *l = rwlock_of(rwlockp);

	if (!pobj_lock_usable(p))
		return pobj_lock_unusable();
	/* Nobody reads while one writes: what is ours and OWNED is what the caller holds. */
	if (writer_owns(p, pobj_word_load(&l->writer)))
		return -writer_leaves(p, l, pobj_word_mine(p) | POBJ_WORD_OWNED);
	return -read_unlock(p, l);
}
