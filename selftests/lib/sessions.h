/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of sessions (lib/session.c), for pools in files and on regions alike. The program that
 * includes this says where the pool is: place_make(), place_drop().
 *
 * The test directs a crew of processes through a shared page: each opens the pool, closes it, reaps
 * and answers when told, and can be killed at any time. What is to be done for the dead is replaced
 * (sessions.mk): it counts, and waits or fails where a test wants it to. So is the taking of locks.
 */
#ifndef POBJ_SELFTESTS_SESSIONS_H
#define POBJ_SELFTESTS_SESSIONS_H

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "files.h"
#include "lib/core/side.h"
#include "lib/errormsg.h"
#include "lib/session.h"
#include "lib/sidecar.h"
#include "libpmemobj.h"

#define CREW	6
#define MOST	4096		/* session numbers of a test */
#define NONE	(-99999)	/* no answer */

/* Make an empty pool and return its path; take it away. */
static const char *place_make(void);
static void place_drop(void);

enum order { REST, OPEN, CLOSE, REAP, REAP_BY_THREAD, LIVES, FORK, LEAVE };

enum hook { COUNT, WAIT, FAIL };

struct stage {
	enum order order[CREW];		/* REST once it is done */
	uint64_t arg[CREW];
	int answer[CREW];
	uint64_t session[CREW];
	unsigned int slot[CREW];
	enum hook hook;
	uint64_t hook_session;		/* the one that it is for, 0: all */
	int inside;			/* reapers that wait in the hook, or did */
	int go_on;
	int wrong;			/* no word named who was reaped, or a wait was in vain */
	int lock_wait;			/* who wants the lock of this slot, + 1, waits before */
	int lock_rest;			/* who got it waits behind */
	int locks;			/* slots locked, less those unlocked (but not by a kill) */
	int lock_calls;
	int lock_fails;			/* errno of locking a slot, else 0 */
	int leave;
	int reaps[MOST];
	int ended[MOST];
	int killed[MOST];
};

static struct stage *stage;
static const char *path;

#define GET(x)		__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define SET(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_SEQ_CST)
#define ADD(x)		__atomic_add_fetch(&(x), 1, __ATOMIC_SEQ_CST)

/* @cond within 20 s? */
#define SOON(cond) ({								\
	int __ms = 0;								\
	bool __is;								\
	while (!(__is = (cond)) && __ms++ < 20000)				\
		usleep(1000);							\
	__is;									\
})

static uint64_t *words_of(const struct pobj_pool *p)
{
	struct pobj_side side;

	pobj_side_layout(&p->super.geom, &side);
	return (uint64_t *)((char *)p->sidecar + side.sessions);
}

static int slots_in_use(const struct pobj_pool *p)
{
	const uint64_t *words = words_of(p);
	int cnt = 0;
	unsigned int i;

	for (i = 0; i < POBJ_SESSION_SLOTS; i++)
		cnt += !!words[i];
	return cnt;
}

static int slot_of(const struct pobj_pool *p, uint64_t session)
{
	const uint64_t *words = words_of(p);
	unsigned int i;

	for (i = 0; i < POBJ_SESSION_SLOTS; i++) {
		if (words[i] == session)
			return (int)i;
	}
	return -1;
}

/* Instead of lib/reap.c. */
int __wrap_pobj_reap_session(struct pobj_pool *p, u64 session);
int __wrap_pobj_reap_session(struct pobj_pool *p, u64 session)
{
	if (slot_of(p, session) < 0 || session >= MOST)
		ADD(stage->wrong);
	ADD(stage->reaps[session % MOST]);
	if (stage->hook_session && stage->hook_session != session)
		return 0;
	if (stage->hook == FAIL)
		return pobj_err(-EIO, "not to be reaped");
	if (stage->hook == WAIT) {
		ADD(stage->inside);
		if (!SOON(GET(stage->go_on)))
			ADD(stage->wrong);
	}
	return 0;
}

static void wait_to_go_on(void)
{
	ADD(stage->inside);
	if (!SOON(GET(stage->go_on)))
		ADD(stage->wrong);
}

/* Is it the lock of the slot @wanted - 1? That of its judge is far away. */
static bool lock_is(uint64_t byte, int wanted)
{
	return !(byte >> 62) && (int)(byte % POBJ_SESSION_SLOTS) + 1 == wanted;
}

/* Before lib/file.c, for calls from lib/session.c. */
int __real_pobj_file_lock(int fd, int cmd, short type, u64 byte);
int __wrap_pobj_file_lock(int fd, int cmd, short type, u64 byte);
int __wrap_pobj_file_lock(int fd, int cmd, short type, u64 byte)
{
	int err;

	ADD(stage->lock_calls);
	if (type == F_WRLCK && GET(stage->lock_fails))
		return -GET(stage->lock_fails);
	if (type == F_WRLCK && lock_is(byte, GET(stage->lock_wait)))
		wait_to_go_on();
	err = __real_pobj_file_lock(fd, cmd, type, byte);
	if (!err && type == F_WRLCK && lock_is(byte, GET(stage->lock_rest)))
		wait_to_go_on();
	if (!err)
		__atomic_add_fetch(&stage->locks, type == F_UNLCK ? -1 : 1, __ATOMIC_SEQ_CST);
	return err;
}

/* ---- the crew ----------------------------------------------------------------------------- */

static pid_t crew[CREW];

static void *reap_in_thread(void *p)
{
	return (void *)(intptr_t)pobj_session_reap(p);
}

static int crew_do(int n, PMEMobjpool **pop)
{
	struct pobj_pool *p = *pop ? pobj_pool_of(*pop) : NULL;
	pthread_t t;
	void *ret;

	switch (stage->order[n]) {
	case OPEN:
		*pop = pmemobj_open(path, NULL);
		if (!*pop)
			return -errno;
		p = pobj_pool_of(*pop);
		stage->slot[n] = p->slot;
		SET(stage->session[n], p->session);
		return 0;
	case CLOSE:
		pmemobj_close(*pop);
		*pop = NULL;
		return 0;
	case REAP:
		return pobj_session_reap(p);
	case REAP_BY_THREAD:
		if (pthread_create(&t, NULL, reap_in_thread, p) || pthread_join(t, &ret))
			return NONE;
		return (int)(intptr_t)ret;
	case LIVES:
		return pobj_session_lives(p, stage->arg[n]);
	case FORK:
		if (!fork()) {
			SOON(GET(stage->leave));
			_exit(0);
		}
		return 0;
	default:
		return NONE;
	}
}

static int crew_work(void *arg)
{
	int n = (int)(intptr_t)arg;
	PMEMobjpool *pop = NULL;

	for (;;) {
		if (!GET(stage->order[n])) {
			usleep(200);
			continue;
		}
		if (stage->order[n] == LEAVE)
			return 0;
		SET(stage->answer[n], crew_do(n, &pop));
		SET(stage->order[n], REST);
	}
}

static void tell(int n, enum order order, uint64_t arg)
{
	if (!crew[n])
		crew[n] = files_start(crew_work, (void *)(intptr_t)n);
	stage->arg[n] = arg;
	stage->answer[n] = NONE;
	SET(stage->order[n], order);
}

static int answer(int n)
{
	return SOON(GET(stage->order[n]) == REST) ? stage->answer[n] : NONE;
}

static int ask(int n, enum order order, uint64_t arg)
{
	tell(n, order, arg);
	return answer(n);
}

/* SIGKILL, to its end. */
static void lose(int n)
{
	kill(crew[n], SIGKILL);
	files_wait(crew[n]);
	crew[n] = 0;
	SET(stage->order[n], REST);
}

FIXTURE(session) {
	PMEMobjpool *pop;
	struct pobj_pool *p;
	uint64_t *words;
};

FIXTURE_SETUP(session)
{
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	ASSERT_NE(MAP_FAILED, stage);
	path = place_make();
	ASSERT_NE(NULL, path);
	self->pop = pmemobj_open(path, NULL);
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	self->p = pobj_pool_of(self->pop);
	self->words = words_of(self->p);
}

FIXTURE_TEARDOWN(session)
{
	int n;

	SET(stage->leave, 1);
	for (n = 0; n < CREW; n++) {
		if (crew[n])
			lose(n);
	}
	EXPECT_EQ(0, stage->wrong);
	if (self->pop)
		pmemobj_close(self->pop);
	place_drop();
}

/* The first @cnt of the crew open the pool. */
#define OPEN_CREW(cnt) do {							\
	int __n;								\
	for (__n = 0; __n < (cnt); __n++)					\
		ASSERT_EQ(0, ask(__n, OPEN, 0));				\
} while (0)

/* ---- begin and end ------------------------------------------------------------------------ */

TEST_F(session, numbers_and_words)
{
	uint64_t last = self->p->session, old;
	unsigned int n;

	EXPECT_NE(0, last);
	EXPECT_EQ(last, self->words[self->p->slot]);
	OPEN_CREW(4);
	for (n = 0; n < 4; n++) {
		EXPECT_LT(last, stage->session[n]);
		last = stage->session[n];
		EXPECT_EQ(last, self->words[stage->slot[n]]);
		EXPECT_TRUE(pobj_session_lives(self->p, last));
		EXPECT_EQ(1, ask(n, LIVES, last));
		EXPECT_EQ(1, ask(n, LIVES, self->p->session));
	}
	EXPECT_EQ(5, slots_in_use(self->p));
	EXPECT_FALSE(pobj_session_lives(self->p, 0));
	EXPECT_FALSE(pobj_session_lives(self->p, last + 1));
	/* The end, and a slot that is used again, under another number. */
	old = stage->session[1];
	EXPECT_EQ(0, ask(1, CLOSE, 0));
	EXPECT_EQ(0, self->words[stage->slot[1]]);
	EXPECT_EQ(4, stage->locks);
	EXPECT_FALSE(pobj_session_lives(self->p, old));
	EXPECT_EQ(0, ask(2, LIVES, old));
	EXPECT_EQ(0, ask(1, OPEN, 0));
	EXPECT_EQ(last + 1, stage->session[1]);
	EXPECT_EQ(last + 1, self->words[stage->slot[1]]);
	EXPECT_FALSE(pobj_session_lives(self->p, old));
	EXPECT_EQ(5, slots_in_use(self->p));
	/* Nobody died. */
	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_EQ(0, ask(0, REAP, 0));
	EXPECT_EQ(5, slots_in_use(self->p));
}

/* The locks of one's own process say nothing: it must know itself which session is its own. */
TEST_F(session, own_slot_is_spared)
{
	int calls = stage->lock_calls;

	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_TRUE(pobj_session_lives(self->p, self->p->session));
	EXPECT_EQ(0, stage->reaps[self->p->session]);
	/* Free slots are not locked: a system call for each of them would be slow. */
	EXPECT_EQ(calls, stage->lock_calls);
	/* Nor has the look dropped the lock. */
	OPEN_CREW(1);
	EXPECT_EQ(0, ask(0, REAP, 0));
	EXPECT_NE(self->p->slot, stage->slot[0]);
	EXPECT_EQ(0, stage->reaps[self->p->session]);
}

/* Between the lock and the word, of one who begins or ends. */
TEST_F(session, lock_without_a_word)
{
	OPEN_CREW(2);
	self->words[stage->slot[0]] = 0;
	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_EQ(0, ask(1, REAP, 0));
	EXPECT_EQ(0, stage->reaps[stage->session[0]]);
	self->words[stage->slot[0]] = stage->session[0];
	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_EQ(0, ask(1, REAP, 0));
	EXPECT_EQ(0, stage->reaps[stage->session[0]]);
	/* Killed there it has left nothing. */
	self->words[stage->slot[0]] = 0;
	lose(0);
	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_EQ(2, slots_in_use(self->p));
}

/* It ended, or was reaped, between the look at its word and the lock. */
TEST_F(session, ends_while_it_is_looked_at)
{
	pthread_t t;
	void *ret;

	OPEN_CREW(1);
	SET(stage->lock_wait, stage->slot[0] + 1);
	ASSERT_EQ(0, pthread_create(&t, NULL, reap_in_thread, self->p));
	ASSERT_TRUE(SOON(GET(stage->inside) == 1));
	EXPECT_EQ(0, ask(0, CLOSE, 0));
	SET(stage->lock_wait, 0);
	SET(stage->go_on, 1);
	pthread_join(t, &ret);
	EXPECT_EQ(0, (intptr_t)ret);
	EXPECT_EQ(0, stage->reaps[0]);
	EXPECT_EQ(0, stage->reaps[stage->session[0]]);
	EXPECT_EQ(1, slots_in_use(self->p));
	EXPECT_EQ(1, stage->locks);
}

/* ---- the dead ----------------------------------------------------------------------------- */

TEST_F(session, killed_one_is_reaped_once)
{
	uint64_t dead;

	OPEN_CREW(3);
	dead = stage->session[1];
	lose(1);
	/* Not before it was reaped. */
	EXPECT_TRUE(pobj_session_lives(self->p, dead));
	EXPECT_EQ(1, ask(0, REAP, 0));
	EXPECT_EQ(1, stage->reaps[dead]);
	EXPECT_FALSE(pobj_session_lives(self->p, dead));
	EXPECT_EQ(0, ask(2, LIVES, dead));
	EXPECT_EQ(0, self->words[stage->slot[1]]);
	EXPECT_EQ(0, ask(2, REAP, 0));
	EXPECT_EQ(0, ask(0, REAP, 0));
	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_EQ(1, stage->reaps[dead]);
	EXPECT_EQ(3, slots_in_use(self->p));
	EXPECT_EQ(1, ask(0, LIVES, stage->session[2]));
}

/* A lock that cannot be had for another reason than a holder is an error, and nobody's death. */
TEST_F(session, locking_fails)
{
	OPEN_CREW(2);
	lose(1);
	SET(stage->lock_fails, ENOLCK);
	EXPECT_EQ(-ENOLCK, pobj_session_reap(self->p));
	EXPECT_EQ(-ENOLCK, ask(0, REAP, 0));
	EXPECT_EQ(-ENOLCK, ask(2, OPEN, 0));
	EXPECT_EQ(0, stage->reaps[stage->session[0]] + stage->reaps[stage->session[1]]);
	EXPECT_EQ(3, slots_in_use(self->p));
	/* By POSIX one of two errors says that somebody holds it. */
	SET(stage->lock_fails, EACCES);
	EXPECT_EQ(0, pobj_session_reap(self->p));
	SET(stage->lock_fails, 0);
	EXPECT_EQ(0, ask(2, OPEN, 0));
	EXPECT_EQ(1, stage->reaps[stage->session[1]]);
	EXPECT_EQ(3, slots_in_use(self->p));
}

/* Whoever takes a slot, and cannot settle what another left, does not come in. */
TEST_F(session, not_let_in_before_the_dead_are_settled)
{
	int locks;

	OPEN_CREW(2);
	EXPECT_EQ(0, ask(0, CLOSE, 0));
	lose(1);
	locks = stage->locks;
	SET(stage->hook, FAIL);
	EXPECT_EQ(-EIO, ask(2, OPEN, 0));
	EXPECT_EQ(2, slots_in_use(self->p));
	EXPECT_EQ(locks, stage->locks);
	SET(stage->hook, COUNT);
	EXPECT_EQ(0, ask(2, OPEN, 0));
	EXPECT_EQ(2, slots_in_use(self->p));
}

TEST_F(session, two_reapers_at_the_same_moment)
{
	uint64_t dead;

	OPEN_CREW(3);
	dead = stage->session[2];
	lose(2);
	SET(stage->hook, WAIT);
	tell(0, REAP, 0);
	ASSERT_TRUE(SOON(GET(stage->inside) == 1));
	/* The first one is at it. Who comes second, from whatever process or thread, goes. */
	EXPECT_EQ(0, ask(1, REAP, 0));
	EXPECT_EQ(0, ask(1, REAP_BY_THREAD, 0));
	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_EQ(1, ask(1, LIVES, dead));
	SET(stage->go_on, 1);
	EXPECT_EQ(1, answer(0));
	EXPECT_EQ(1, stage->reaps[dead]);
	EXPECT_EQ(0, ask(1, LIVES, dead));
}

TEST_F(session, two_threads_at_the_same_moment)
{
	uint64_t dead;
	pthread_t t;
	void *ret;

	OPEN_CREW(2);
	dead = stage->session[0];
	lose(0);
	SET(stage->hook, WAIT);
	ASSERT_EQ(0, pthread_create(&t, NULL, reap_in_thread, self->p));
	ASSERT_TRUE(SOON(GET(stage->inside) == 1));
	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_TRUE(pobj_session_lives(self->p, dead));
	/* The second thread has not loosened the lock either. */
	EXPECT_EQ(0, ask(1, REAP, 0));
	SET(stage->go_on, 1);
	pthread_join(t, &ret);
	EXPECT_EQ(1, (intptr_t)ret);
	EXPECT_EQ(1, stage->reaps[dead]);
	/* And the next is reaped: the threads' turn is over. */
	lose(1);
	EXPECT_EQ(1, pobj_session_reap(self->p));
}

TEST_F_TIMEOUT(session, many_reapers_raced, 120)
{
	int round, n, sum;
	uint64_t dead;

	OPEN_CREW(CREW);
	for (round = 0; round < 30; round++) {
		dead = stage->session[0];
		lose(0);
		for (n = 1; n < CREW; n++)
			tell(n, n % 2 ? REAP : REAP_BY_THREAD, 0);
		sum = pobj_session_reap(self->p);
		for (n = 1; n < CREW; n++)
			sum += answer(n);
		/* If all looked while it was another's, nobody has; but never two. */
		sum += pobj_session_reap(self->p);
		ASSERT_EQ(1, sum);
		ASSERT_EQ(1, stage->reaps[dead]);
		ASSERT_EQ(0, ask(0, OPEN, 0));
	}
}

TEST_F(session, killed_reaper)
{
	uint64_t dead, reaper;

	OPEN_CREW(3);
	dead = stage->session[0];
	reaper = stage->session[1];
	lose(0);
	SET(stage->hook, WAIT);
	tell(1, REAP, 0);
	ASSERT_TRUE(SOON(GET(stage->inside) == 1));
	lose(1);
	SET(stage->hook, COUNT);
	EXPECT_EQ(2, ask(2, REAP, 0));
	EXPECT_EQ(2, stage->reaps[dead]);
	EXPECT_EQ(1, stage->reaps[reaper]);
	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_EQ(2, slots_in_use(self->p));
}

/* Who opens may go on where any of the dead stopped. */
TEST_F(session, opener_reaps_all_dead)
{
	uint64_t dead[2];

	OPEN_CREW(3);
	dead[0] = stage->session[0];
	dead[1] = stage->session[1];
	lose(0);
	lose(1);
	EXPECT_EQ(0, ask(0, OPEN, 0));
	EXPECT_EQ(1, stage->reaps[dead[0]]);
	EXPECT_EQ(1, stage->reaps[dead[1]]);
}

/* Also if somebody else is at it already: then he waits. */
TEST_F(session, opener_waits_for_a_reaper)
{
	uint64_t dead;

	OPEN_CREW(3);
	dead = stage->session[1];
	lose(1);
	SET(stage->hook, WAIT);
	tell(2, REAP, 0);
	ASSERT_TRUE(SOON(GET(stage->inside) == 1));
	EXPECT_EQ(dead, self->words[2]);
	tell(1, OPEN, 0);
	usleep(50000);
	EXPECT_TRUE(pobj_session_lives(self->p, dead));
	SET(stage->hook, COUNT);
	SET(stage->go_on, 1);
	EXPECT_EQ(1, answer(2));
	EXPECT_EQ(0, answer(1));
	EXPECT_FALSE(pobj_session_lives(self->p, dead));
	EXPECT_EQ(1, stage->reaps[dead]);
}

/*
 * The same when the reaper has the lock and has not begun: the word looks like that of a session
 * that lives.
 */
TEST_F(session, opener_waits_for_a_judge)
{
	uint64_t dead;

	OPEN_CREW(3);
	dead = stage->session[1];
	lose(1);
	SET(stage->lock_rest, stage->slot[1] + 1);
	tell(2, REAP, 0);
	ASSERT_TRUE(SOON(GET(stage->inside) == 1));
	SET(stage->lock_rest, 0);
	tell(1, OPEN, 0);
	usleep(50000);
	EXPECT_TRUE(pobj_session_lives(self->p, dead));
	EXPECT_EQ(OPEN, GET(stage->order[1]));
	SET(stage->go_on, 1);
	EXPECT_EQ(1, answer(2));
	EXPECT_EQ(0, answer(1));
	EXPECT_EQ(1, stage->reaps[dead]);
	EXPECT_FALSE(pobj_session_lives(self->p, dead));
}

/* Who opens takes the lowest slot that is free: a dead one's, whom it reaps. */
TEST_F(session, opener_reaps_whose_slot_it_takes)
{
	uint64_t dead, other;

	OPEN_CREW(3);
	dead = stage->session[0];
	other = stage->session[1];
	lose(0);
	lose(1);
	SET(stage->hook, WAIT);
	tell(0, OPEN, 0);
	ASSERT_TRUE(SOON(GET(stage->inside) == 1));
	/* It is at work for the dead, under the dead's number. */
	EXPECT_EQ(dead, self->words[stage->slot[0]]);
	SET(stage->hook, COUNT);
	SET(stage->hook_session, 0);
	EXPECT_EQ(1, pobj_session_reap(self->p));
	EXPECT_EQ(1, stage->reaps[other]);
	SET(stage->go_on, 1);
	EXPECT_EQ(0, answer(0));
	EXPECT_EQ(1, stage->reaps[dead]);
	EXPECT_EQ(stage->session[0], self->words[stage->slot[0]]);
	EXPECT_FALSE(pobj_session_lives(self->p, dead));
	EXPECT_TRUE(pobj_session_lives(self->p, stage->session[0]));
	EXPECT_EQ(0, pobj_session_reap(self->p));
	EXPECT_EQ(0, ask(2, REAP, 0));
	EXPECT_EQ(0, stage->reaps[stage->session[0]]);
}

/* An opener that is killed while it reaps has no session of its own yet. */
TEST_F(session, killed_opener)
{
	uint64_t dead;

	OPEN_CREW(2);
	dead = stage->session[0];
	lose(0);
	SET(stage->hook, WAIT);
	tell(0, OPEN, 0);
	ASSERT_TRUE(SOON(GET(stage->inside) == 1));
	lose(0);
	SET(stage->hook, COUNT);
	EXPECT_EQ(1, ask(1, REAP, 0));
	EXPECT_EQ(2, stage->reaps[dead]);
	EXPECT_EQ(2, slots_in_use(self->p));
}

TEST_F(session, reaping_fails)
{
	uint64_t hopeless, other;
	int locks;

	OPEN_CREW(4);
	hopeless = stage->session[0];
	other = stage->session[1];
	lose(0);
	lose(1);
	stage->hook_session = hopeless;
	SET(stage->hook, FAIL);
	EXPECT_EQ(-EIO, pobj_session_reap(self->p));
	/* The other one is reaped all the same, and that one again and again. */
	EXPECT_EQ(1, stage->reaps[other]);
	EXPECT_TRUE(pobj_session_lives(self->p, hopeless));
	EXPECT_EQ(-EIO, ask(2, REAP, 0));
	EXPECT_EQ(2, stage->reaps[hopeless]);
	locks = stage->locks;
	EXPECT_EQ(-EIO, ask(0, OPEN, 0));
	EXPECT_EQ(locks, stage->locks);
	EXPECT_EQ(3, stage->reaps[hopeless]);
	EXPECT_EQ(4, slots_in_use(self->p));
	SET(stage->hook, COUNT);
	EXPECT_EQ(1, ask(3, REAP, 0));
	EXPECT_EQ(3, slots_in_use(self->p));
	EXPECT_EQ(0, ask(0, OPEN, 0));
}

/* ---- forked children ---------------------------------------------------------------------- */

static int nothing(void *arg)
{
	return 0;
}

TEST_F(session, child_does_not_live_for_its_parent)
{
	uint64_t dead;

	OPEN_CREW(2);
	dead = stage->session[0];
	ASSERT_EQ(0, ask(0, FORK, 0));
	usleep(50000);		/* time for the child's fork handler */
	lose(0);
	EXPECT_TRUE(SOON(pobj_session_reap(self->p)));
	EXPECT_EQ(1, stage->reaps[dead]);
	EXPECT_EQ(0, ask(1, LIVES, dead));
}

TEST_F(session, childs_end_is_not_its_parents)
{
	int i;

	OPEN_CREW(1);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, files_in_child(nothing, NULL));
	EXPECT_EQ(0, ask(0, REAP, 0));
	EXPECT_EQ(1, ask(0, LIVES, self->p->session));
}

/* ---- come and go -------------------------------------------------------------------------- */

#define GUESTS	100

/* Opens, stays a while, and ends as @arg says: closes, or is killed at a moment of its own. */
static int guest(void *arg)
{
	unsigned int x = (unsigned int)(uintptr_t)arg;
	PMEMobjpool *pop = pmemobj_open(path, NULL);
	struct pobj_pool *p = pop ? pobj_pool_of(pop) : NULL;
	uint64_t session;

	if (!p)
		return 1;
	session = p->session;
	usleep(x % 7 * 500);
	if (words_of(p)[p->slot] != session || GET(stage->reaps[session % MOST]))
		return 2;
	if (x % 5 == 0)
		pobj_session_reap(p);
	if (x % 3 == 0) {
		SET(stage->killed[session], 1);
		raise(SIGKILL);
	}
	SET(stage->ended[session], 1);
	pmemobj_close(pop);
	return 0;
}

static void *reap_until_told(void *arg)
{
	intptr_t sum = 0;
	int ret;

	while (!GET(stage->leave)) {
		ret = pobj_session_reap(arg);
		sum += ret < 0 ? 1000000 : ret;
		usleep(100);
	}
	return (void *)sum;
}

TEST_F_TIMEOUT(session, hundred_come_and_go, 180)
{
	unsigned int i, s, at_once = CREW, began = 0;
	pid_t pid[CREW];
	pthread_t t[2];
	int ret, want;
	void *sum[2];

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, reap_until_told, self->p));
	for (i = 0; i < GUESTS + at_once; i++) {
		if (i >= at_once) {
			want = (i - at_once) % 3 ? 0 : 1000 + SIGKILL;
			ret = files_wait(pid[i % at_once]);
			EXPECT_EQ(want, ret);
		}
		if (i < GUESTS)
			pid[i % at_once] = files_start(guest, (void *)(uintptr_t)i);
	}
	SET(stage->leave, 1);
	for (i = 0; i < 2; i++) {
		pthread_join(t[i], &sum[i]);
		EXPECT_GT(1000000, (intptr_t)sum[i]);
	}
	EXPECT_LE(0, pobj_session_reap(self->p));
	EXPECT_EQ(1, slots_in_use(self->p));
	for (s = 1; s < MOST; s++) {
		began += stage->killed[s] + stage->ended[s];
		/* Nobody was killed while reaping, so each of the dead has been reaped once. */
		EXPECT_EQ(stage->killed[s], stage->reaps[s])
			TH_LOG("session %u", s);
	}
	EXPECT_EQ(GUESTS, began);
	EXPECT_LE(self->p->session + GUESTS, self->p->sidecar->sessions);
}

#endif
