// SPDX-License-Identifier: BSD-3-Clause
/*
 * Waiting for words in a pool, and for the dead who hold them.
 *
 * Every state is one word, so a kill leaves nothing half-done: a word is held by a session, and
 * either that session lives or its holds can be taken. What a dead session held is taken only after
 * its unfinished operations were recovered (rule 17): the session table of the sidecar has no entry
 * with its number any more. A dying process may still store until it is gone, and it stays in the
 * table until somebody found it gone and reaped it; so both are one question.
 *
 * A thread that ends while its process lives keeps what it holds, as with a normal mutex of
 * pthread; another thread of the process may give it back.
 *
 * All sleeping is on the low half of a word, in slices of 100 ms at most. So neither a waker that
 * was killed between its store and its wake-up, nor a sleeper that was killed after it was woken
 * in another's place, delays anybody for longer.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/core/side.h"
#include "lib/errormsg.h"
#include "lib/locks.h"
#include "lib/session.h"

#define NS_PER_S	1000000000L
#define SLICE_MIN	2000000L	/* ns */
#define SLICE_MAX	100000000L
#define SELDOM		20000000L

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error a futex is the low half of a word, which must come first
#endif

int pobj_lock_unusable(void)
{
	const int saved = errno;
	int err;

	err = pobj_err(-EINVAL,
		       "a lock in a pool that this process has not opened (a forked child opens for itself)");
	errno = saved;
	return -err;
}

/* ---- sleeping ----------------------------------------------------------------------------- */

/* ns until @t, 0 or less if that is over; exact only within a second, where it matters. */
static long ns_left(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (t->tv_sec > now.tv_sec + 1)
		return NS_PER_S;	/* long */
	if (t->tv_sec < now.tv_sec - 1)
		return 0;
	return (t->tv_sec - now.tv_sec) * NS_PER_S + t->tv_nsec - now.tv_nsec;
}

int pobj_word_sleep(const u64 *word, u64 seen, struct pobj_sleep *s)
{
	const int saved = errno;
	struct timespec slice = { 0 };
	bool last = false;
	long left, err;

	if (s->until && (s->until->tv_nsec < 0 || s->until->tv_nsec >= NS_PER_S))
		return -EINVAL;
	s->slice = s->slice ? s->slice * 2 : SLICE_MIN;
	if (s->slice > SLICE_MAX)
		s->slice = SLICE_MAX;
	slice.tv_nsec = s->slice;
	if (s->until) {
		left = ns_left(s->until);
		if (left <= 0)
			return -ETIMEDOUT;
		last = left <= slice.tv_nsec;
		if (last)
			slice.tv_nsec = left;
	}
	/* Not FUTEX_PRIVATE: other processes sleep here, too. */
	err = syscall(SYS_futex, word, FUTEX_WAIT, (u32)seen, &slice, NULL, 0) ? errno : 0;
	if (err != 0 && err != EAGAIN && err != EINTR && err != ETIMEDOUT) {
		/* Memory that cannot be slept on: poll. */
		if (slice.tv_nsec > SLICE_MIN)
			slice.tv_nsec = SLICE_MIN;
		nanosleep(&slice, NULL);
		err = ETIMEDOUT;
	}
	errno = saved;
	/* After a signal, look for the dead as well: a quick timer would keep us from it. */
	if (err != ETIMEDOUT && err != EINTR)
		return 0;
	return last && ns_left(s->until) <= 0 ? -ETIMEDOUT : -EAGAIN;
}

void pobj_word_wake(const u64 *word, int cnt)
{
	const int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE, cnt, NULL, NULL, 0);
	errno = saved;
}

/* ---- holders ------------------------------------------------------------------------------ */

/* Is there a session in the table whose number ends in @session? */
static bool session_in_table(const struct pobj_pool *p, u32 session)
{
	struct pobj_side side;
	const u64 *table;
	u64 number;
	u32 i;

	pobj_side_layout(&p->super.geom, &side);
	table = (const u64 *)((const char *)p->sidecar + side.sessions);
	for (i = 0; i < POBJ_SESSION_SLOTS; i++) {
		number = pobj_word_load(&table[i]);
		if (number && (number & POBJ_WORD_SESSION_MASK) == session)
			return true;
	}
	return false;
}

int pobj_holder_gone(struct pobj_pool *p, u32 session)
{
	const int saved = errno;
	int err;

	if (session == (p->session & POBJ_WORD_SESSION_MASK))
		return 0;
	err = pobj_session_reap(p);
	errno = saved;
	if (!session_in_table(p, session))
		return 1;
	return err < 0 ? err : 0;
}

int pobj_holder_gone_seldom(struct pobj_pool *p, u32 session)
{
	static __thread struct timespec last;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - last.tv_sec < 2 &&
	    (now.tv_sec - last.tv_sec) * NS_PER_S + now.tv_nsec - last.tv_nsec < SELDOM)
		return 0;
	last = now;
	return pobj_holder_gone(p, session);
}

/* ---- taking and giving -------------------------------------------------------------------- */

int pobj_word_try(struct pobj_pool *p, u64 *word)
{
	const u64 mine = pobj_word_mine(p);
	u64 seen = pobj_word_load(word);
	u64 waiters = 0;
	int gone;

	for (;;) {
		if (pobj_word_held(p, seen)) {
			gone = pobj_holder_gone_seldom(p, pobj_word_session(seen));
			if (gone <= 0)
				return gone ? gone : -EBUSY;
			waiters = seen & POBJ_WORD_WAITERS;
		}
		if (pobj_word_cas(word, &seen, mine | waiters))
			return 0;
	}
}

int pobj_word_take(struct pobj_pool *p, u64 *word, const u64 *done, const struct timespec *until)
{
	struct pobj_sleep s = { .until = until };
	const u64 mine = pobj_word_mine(p);
	u64 seen = pobj_word_load(word);
	u64 waiters = 0;
	int err, gone;

	for (;;) {
		if (done && seen == *done)
			return -EALREADY;
		if (!pobj_word_held(p, seen)) {
			/* Whoever slept does not know whether others do: the next giver wakes. */
			if (pobj_word_cas(word, &seen, mine | waiters))
				return 0;
			continue;
		}
		if (!(seen & POBJ_WORD_WAITERS)) {
			if (!pobj_word_cas(word, &seen, seen | POBJ_WORD_WAITERS))
				continue;
			seen |= POBJ_WORD_WAITERS;
		}
		waiters = POBJ_WORD_WAITERS;
		err = pobj_word_sleep(word, seen, &s);
		if (err == -EAGAIN || err == -ETIMEDOUT) {
			gone = err == -EAGAIN ? pobj_holder_gone(p, pobj_word_session(seen)) :
						pobj_holder_gone_seldom(p, pobj_word_session(seen));
			if (gone < 0)
				return gone;
			/* A dead session takes nothing again: the same word is the same hold. */
			if (gone && pobj_word_cas(word, &seen, mine | waiters))
				return 0;
		}
		if (err && err != -EAGAIN)
			return err;
		seen = pobj_word_load(word);
	}
}

int pobj_word_give(u64 *word, u64 mine, u64 to, int cnt)
{
	u64 seen = mine;

	if (pobj_word_cas(word, &seen, to))
		return 0;
	while (seen == (mine | POBJ_WORD_WAITERS)) {
		if (pobj_word_cas(word, &seen, to)) {
			pobj_word_wake(word, cnt);
			return 0;
		}
	}
	return -EPERM;
}
