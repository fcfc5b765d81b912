// SPDX-License-Identifier: BSD-3-Clause
/*
 * Sessions: who has a pool open, and who died with it open.
 *
 * The sidecar has a word for each slot: the number of the session that has the slot, or 0. Beside
 * it stands a record lock of one byte, which the kernel drops when the session's process is gone,
 * all its threads with it: no sooner, so that nothing of the dead is still being stored when a
 * survivor gets the byte. Where the bytes are is for the backend to say (lock_fd, lock_base and
 * lock_cmd of the handle). What word and lock say together:
 *
 *	word	lock
 *	0	free	nobody
 *	0	held	a session that begins or ends, or a look by somebody who comes late
 *	n	held	session n lives
 *	n	free	session n is dead
 *
 * That is true for whoever has the slot's other byte, which is the judge's: it is locked before the
 * first one, by who begins until his word is there, and by who reaps until all is done.
 * Without it a word n whose lock is held could as well be that of a dead session that is
 * about to be reaped.
 *
 *	begin	judge; lock; reap whom the word names; store the word; judge no more; reap all
 *		other dead; wait until those that others judge are judged
 *	end	the word to 0 (but after a failed write: then it is dead); unlock
 *	reap	word is not 0, judge, lock succeeds, word is still not 0: reap; the word to 0;
 *		unlock both
 *
 * Only who holds the lock stores the word. A kill between any two steps leaves one of the four
 * states: a reaper that is killed leaves "dead" behind, and the next one reaps the session again.
 * (selftests/model/spin/session.pml goes through all of it.)
 *
 * Whoever opens a pool may know that others died, and go on where they stopped. So what they left
 * is settled before he is let in: settled later, it would undo what he did since.
 *
 * Two traps of record locks. They do not keep apart the threads of one process, nor a process and
 * its own session: so there is one reaper in a process at a time (p->reaping), and it skips its own
 * slot. A pool that is being opened (begin) is known to one thread only, which has no slot yet.
 *
 * On files the locks are of the process kind (why: file.c). On regions they are of the open file
 * description, on the region file. They go with its last descriptor and mapping; the kernel closes
 * these after the address space, and a forked child closes what it inherits (fd.c). A child made
 * behind libc's back keeps its dead parent's session until it execs or ends: late, but not wrong.
 */
#include <fcntl.h>
#include <time.h>

#include "lib/core/side.h"
#include "lib/errormsg.h"
#include "lib/file.h"
#include "lib/session.h"
#include "lib/sidecar.h"

#define LOCK_JUDGE	(1ULL << 62)	/* from the byte of a slot to that of its judge */
#define PATIENCE_MS	10000

static u64 *slot_words(const struct pobj_pool *p)
{
	struct pobj_side side;

	pobj_side_layout(&p->super.geom, &side);
	return (u64 *)((char *)p->sidecar + side.sessions);
}

/* Pairs with slot_set(): who sees a session gone sees what its reaper did. */
static u64 slot_get(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void slot_set(u64 *word, u64 session)
{
	__atomic_store_n(word, session, __ATOMIC_RELEASE);
}

/* 1: the byte is ours, 0: another process has it, or -errno. Never waits. */
static int byte_lock(const struct pobj_pool *p, u64 byte, u32 slot)
{
	int err = pobj_file_lock(p->lock_fd, p->lock_cmd, F_WRLCK, byte);

	if (err == -EAGAIN || err == -EACCES)
		return 0;
	if (err)
		return pobj_err_sys(err, "%s: cannot lock session slot %u", p->path, slot);
	return 1;
}

static int slot_lock(const struct pobj_pool *p, u32 slot)
{
	return byte_lock(p, p->lock_base + slot, slot);
}

static void slot_unlock(const struct pobj_pool *p, u32 slot)
{
	pobj_file_lock(p->lock_fd, p->lock_cmd, F_UNLCK, p->lock_base + slot);
}

static int judge_lock(const struct pobj_pool *p, u32 slot)
{
	return byte_lock(p, LOCK_JUDGE + p->lock_base + slot, slot);
}

static void judge_unlock(const struct pobj_pool *p, u32 slot)
{
	pobj_file_lock(p->lock_fd, p->lock_cmd, F_UNLCK, LOCK_JUDGE + p->lock_base + slot);
}

/* ---- the dead ---------------------------------------------------------------------------- */

/* With both locks of the slot: reap whom the word names. 1, 0: there is nobody, or -errno. */
static int word_reap(struct pobj_pool *p, u64 *word)
{
	/* Read now that nobody else stores it: it may have ended, or been reaped. */
	const u64 dead = slot_get(word);
	int err;

	if (!dead)
		return 0;
	err = pobj_reap_session(p, dead);
	if (!err)
		slot_set(word, 0);
	return err ? err : 1;
}

/* 1: reaped a session, 0: it lives, or another process judges it (then *busy); or -errno. */
static int slot_reap(struct pobj_pool *p, u32 slot, u64 *word, bool *busy)
{
	int ret = judge_lock(p, slot);

	if (!ret)
		*busy = true;
	if (ret <= 0)
		return ret;
	ret = slot_lock(p, slot);
	if (ret > 0) {
		ret = word_reap(p, word);
		slot_unlock(p, slot);
	}
	judge_unlock(p, slot);
	return ret;
}

/* As pobj_session_reap(); *busy: others judge some. */
static int dead_reap(struct pobj_pool *p, bool *busy)
{
	u64 *words = slot_words(p);
	int ret, err = 0, reaped = 0;
	bool idle = false;
	u32 i;

	if (!__atomic_compare_exchange_n(&p->reaping, &idle, true, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return 0;
	for (i = 0; i < POBJ_SESSION_SLOTS; i++) {
		if (i == p->slot || !slot_get(&words[i]))
			continue;
		ret = slot_reap(p, i, &words[i], busy);
		if (ret < 0)
			err = ret;	/* others may be reaped all the same */
		else
			reaped += ret;
	}
	__atomic_store_n(&p->reaping, false, __ATOMIC_RELEASE);
	return err ? err : reaped;
}

int pobj_session_reap(struct pobj_pool *p)
{
	bool busy;

	return dead_reap(p, &busy);
}

bool pobj_session_lives(struct pobj_pool *p, u64 session)
{
	const u64 *words = slot_words(p);
	u32 i;

	for (i = 0; session && i < POBJ_SESSION_SLOTS; i++) {
		if (slot_get(&words[i]) == session)
			return true;
	}
	return false;
}

/* ---- begin and end ----------------------------------------------------------------------- */

/* Reap all dead, and wait for those who are at it elsewhere. */
static int dead_settle(struct pobj_pool *p)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	bool busy;
	u32 ms;
	int ret;

	for (ms = 0; ms < PATIENCE_MS; ms++) {
		busy = false;
		ret = dead_reap(p, &busy);
		if (ret < 0 || !busy)
			return ret < 0 ? ret : 0;
		nanosleep(&nap, NULL);
	}
	return pobj_err(-EBUSY,
			"%s: a process that cleans up after a dead one does not get on; is it stopped?",
			p->path);
}

/*
 * With the judge's byte. 1: the slot is ours, its last session is reaped if it died; 0; or
 * -errno.
 */
static int slot_begin(struct pobj_pool *p, u32 slot)
{
	u64 *word = &slot_words(p)[slot];
	int ret = slot_lock(p, slot);

	if (ret <= 0)
		return ret;
	ret = word_reap(p, word);
	if (ret < 0) {
		slot_unlock(p, slot);
		return ret;
	}
	p->slot = slot;
	p->session = __atomic_add_fetch(&p->sidecar->sessions, 1, __ATOMIC_RELAXED);
	slot_set(word, p->session);
	return 1;
}

static int slot_take(struct pobj_pool *p)
{
	int ret;
	u32 i;

	for (i = 0; i < POBJ_SESSION_SLOTS; i++) {
		ret = judge_lock(p, i);
		if (ret > 0) {
			ret = slot_begin(p, i);
			judge_unlock(p, i);
		}
		if (ret)
			return ret < 0 ? ret : 0;
	}
	return pobj_err(-EUSERS, "%s: %u processes have the pool open, no more can", p->path,
			POBJ_SESSION_SLOTS);
}

int pobj_session_begin(struct pobj_pool *p)
{
	int err = slot_take(p);

	return err ? err : dead_settle(p);
}

void pobj_session_end(struct pobj_pool *p)
{
	if (!p->session)
		return;
	/* After a failed write its lanes are left as they are: for a reaper to recover. */
	if (!p->broken)
		slot_set(&slot_words(p)[p->slot], 0);
	slot_unlock(p, p->slot);
	p->session = 0;
}
