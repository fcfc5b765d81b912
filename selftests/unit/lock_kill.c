// SPDX-License-Identifier: BSD-3-Clause
/*
 * Locks whose holders, waiters and first users are killed or stopped: the others go on within a
 * bound, exclude each other, and get nothing before the dead process is gone for good. Children are
 * stepped by ptrace, so that a kill comes after each single instruction.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "pool_fixture.h"
#include "rounds.h"

#define BOUND_MS	2000	/* 100 ms is promised; machines may be slow */
#define FIRST_CNT	512

struct root {
	PMEMmutex mutex;
	PMEMrwlock rwlock;
	PMEMcond cond;
	int held_by;		/* pid of who believes to exclude all others */
	int value;
	PMEMmutex first[FIRST_CNT];
	PMEMrwlock first_rw[FIRST_CNT];
	int first_by[FIRST_CNT];
	int first_rw_by[FIRST_CNT];
};

struct page {
	int flag[8];
	int doomed[8192];	/* pids that were sent SIGKILL */
	int doomed_cnt;
	uint64_t beat[8];
	uint64_t done[8];
};

static PMEMobjpool *pop;
static struct root *r;
static struct page *shared;
static const char *path;

static int open_pool(void)
{
	pop = pmemobj_open(path, "test");
	if (!pop)
		return -1;
	r = pmemobj_direct(pmemobj_root(pop, sizeof(*r)));
	return 0;
}

#define START() do {								\
	CREATE();								\
	pop = self->pop;							\
	path = self->path;							\
	r = pmemobj_direct(pmemobj_root(pop, sizeof(*r)));			\
	ASSERT_NE(NULL, r);							\
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,		\
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);			\
	ASSERT_NE(MAP_FAILED, shared);						\
} while (0)

static bool wait_flag(int i, int value)
{
	int n;

	for (n = 0; n < 100000; n++) {
		if (__atomic_load_n(&shared->flag[i], __ATOMIC_SEQ_CST) >= value)
			return true;
		usleep(100);
	}
	return false;
}

static void raise_flag(int i)
{
	__atomic_add_fetch(&shared->flag[i], 1, __ATOMIC_SEQ_CST);
}

static struct timespec in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* ---- what is done with a lock -------------------------------------------------------------- */

enum act { MUTEX, MUTEX_TRY, READ, WRITE, WRITE_TRY, COND, ACTS };

static int take(enum act act, long ms)
{
	struct timespec t = in_ms(ms);
	int err;

	switch (act) {
	case MUTEX:
		return pmemobj_mutex_timedlock(pop, &r->mutex, &t);
	case MUTEX_TRY:
		return pmemobj_mutex_trylock(pop, &r->mutex);
	case READ:
		return pmemobj_rwlock_timedrdlock(pop, &r->rwlock, &t);
	case WRITE:
		return pmemobj_rwlock_timedwrlock(pop, &r->rwlock, &t);
	case WRITE_TRY:
		return pmemobj_rwlock_trywrlock(pop, &r->rwlock);
	default:
		/* Holds the mutex before and after, and waits for nobody in between. */
		err = pmemobj_mutex_timedlock(pop, &r->mutex, &t);
		if (err)
			return err;
		t = in_ms(0);
		pmemobj_cond_signal(pop, &r->cond);
		err = pmemobj_cond_timedwait(pop, &r->cond, &r->mutex, &t);
		return err == ETIMEDOUT ? 0 : -1;
	}
}

static int give(enum act act)
{
	return act == READ || act == WRITE || act == WRITE_TRY ?
	       pmemobj_rwlock_unlock(pop, &r->rwlock) : pmemobj_mutex_unlock(pop, &r->mutex);
}

/* What a survivor takes after @act: it excludes whatever that did. */
static enum act after(enum act act)
{
	return act == READ || act == WRITE || act == WRITE_TRY ? WRITE : MUTEX;
}

/* Survivors that only try get there, too. */
static int try_for(enum act act, long ms)
{
	int err = EBUSY;

	for (; ms > 0 && err == EBUSY; ms--) {
		err = act == WRITE ? pmemobj_rwlock_trywrlock(pop, &r->rwlock) :
				     pmemobj_mutex_trylock(pop, &r->mutex);
		if (err == EBUSY)
			usleep(1000);
	}
	return err;
}

/* ---- holders ------------------------------------------------------------------------------- */

/* A thread of the holder that stores until the process is gone. */
static void *store_on(void *arg)
{
	for (;;)
		__atomic_add_fetch(&shared->beat[0], 1, __ATOMIC_RELAXED);
	return NULL;
}

static int hold(void *arg)
{
	pthread_t thread;

	if (open_pool() || take((enum act)(intptr_t)arg, BOUND_MS))
		return 1;
	pthread_create(&thread, NULL, store_on, NULL);
	raise_flag(0);
	for (;;)
		pause();
}

TEST_F_TIMEOUT(pool, holder_killed, 240)
{
	struct timespec from, now;
	uint64_t beat;
	enum act act;
	long ms, worst = 0;
	pid_t pid;
	int i, err;

	START();
	for (i = 0; i < rounds(200) * ACTS; i++) {
		act = i % ACTS;
		shared->flag[0] = 0;
		pid = files_start(hold, (void *)(intptr_t)act);
		ASSERT_TRUE(wait_flag(0, 1));
		EXPECT_EQ(EBUSY, after(act) == WRITE ?
				 pmemobj_rwlock_trywrlock(pop, &r->rwlock) :
				 pmemobj_mutex_trylock(pop, &r->mutex));
		clock_gettime(CLOCK_REALTIME, &from);
		kill(pid, SIGKILL);
		err = i / ACTS % 2 ? try_for(after(act), BOUND_MS) : take(after(act), BOUND_MS);
		beat = __atomic_load_n(&shared->beat[0], __ATOMIC_SEQ_CST);
		clock_gettime(CLOCK_REALTIME, &now);
		ASSERT_EQ(0, err)
			TH_LOG("act %d, round %d", act, i);
		ms = (now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000;
		worst = ms > worst ? ms : worst;
		/* The dead process has stored for the last time before its lock was handed on. */
		if (i % 8 == 0)
			usleep(2000);
		EXPECT_EQ(beat, __atomic_load_n(&shared->beat[0], __ATOMIC_SEQ_CST));
		EXPECT_EQ(1000 + SIGKILL, files_wait(pid));
		EXPECT_EQ(0, give(after(act)));
	}
	TH_LOG("the longest wait took %ld ms", worst);
}

/* A survivor that waits already when the holder dies. */
static int wait_long(void *arg)
{
	enum act act = (enum act)(intptr_t)arg;
	struct timespec now;

	if (open_pool())
		return 1;
	raise_flag(1);
	if (take(act, 30000))
		return 2;
	clock_gettime(CLOCK_REALTIME, &now);
	shared->done[0] = (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	return give(act);
}

TEST_F_TIMEOUT(pool, holder_killed_while_others_wait, 120)
{
	static const struct { enum act held, want; } cases[] = {
		{ MUTEX, MUTEX }, { READ, WRITE }, { WRITE, READ }, { WRITE, WRITE },
		{ MUTEX, COND },
	};
	struct timespec from;
	pid_t pid[2];
	long ms;
	size_t i;

	START();
	for (i = 0; i < 4 * ARRAY_SIZE(cases); i++) {
		memset(shared->flag, 0, sizeof(shared->flag));
		pid[0] = files_start(hold, (void *)(intptr_t)cases[i / 4].held);
		ASSERT_TRUE(wait_flag(0, 1));
		pid[1] = files_start(wait_long, (void *)(intptr_t)cases[i / 4].want);
		ASSERT_TRUE(wait_flag(1, 1));
		usleep(300000);
		clock_gettime(CLOCK_REALTIME, &from);
		kill(pid[0], SIGKILL);
		EXPECT_EQ(0, files_wait(pid[1]));
		EXPECT_EQ(1000 + SIGKILL, files_wait(pid[0]));
		ms = (long)(shared->done[0] - (uint64_t)from.tv_sec * 1000 -
			    from.tv_nsec / 1000000);
		EXPECT_LE(ms, BOUND_MS);
	}
}

/* A thread that ends is no dead process: what it holds stays held, and others may give it back. */
static void *take_and_end(void *arg)
{
	return (void *)(intptr_t)take((enum act)(intptr_t)arg, BOUND_MS);
}

TEST_F(pool, thread_ends_with_lock_held)
{
	pthread_t thread;
	void *ret;

	START();
	pthread_create(&thread, NULL, take_and_end, (void *)(intptr_t)MUTEX);
	pthread_join(thread, &ret);
	ASSERT_EQ(NULL, ret);
	EXPECT_EQ(ETIMEDOUT, take(MUTEX, 300));
	EXPECT_EQ(0, give(MUTEX));
	EXPECT_EQ(0, take(MUTEX, 0));
}

/* ---- many at once -------------------------------------------------------------------------- */

static bool doomed(int pid)
{
	int i, cnt = __atomic_load_n(&shared->doomed_cnt, __ATOMIC_SEQ_CST);

	for (i = cnt - 1; i >= 0; i--) {
		if (shared->doomed[i] == pid)
			return true;
	}
	return false;
}

/* Inside: nobody else may be, but one who was killed there. False: somebody is. */
static bool go_in(int *by)
{
	int old = __atomic_exchange_n(by, getpid(), __ATOMIC_SEQ_CST);

	return !old || doomed(old);
}

static bool go_out(int *by)
{
	return __atomic_exchange_n(by, 0, __ATOMIC_SEQ_CST) == getpid();
}

static int churn(void *arg)
{
	int me = (int)(intptr_t)arg, n = 0;
	bool good = true;

	if (open_pool())
		return 1;
	for (;;) {
		switch (n++ % 6) {
		case 0:
		case 1:
			if (pmemobj_mutex_lock(pop, &r->mutex))
				return 2;
			good &= go_in(&r->held_by);
			if (n % 7 == 0)
				sched_yield();
			good &= go_out(&r->held_by);
			if (n % 4 == 0) {
				struct timespec t = in_ms(1);

				pmemobj_cond_timedwait(pop, &r->cond, &r->mutex, &t);
				good &= go_in(&r->held_by);
				good &= go_out(&r->held_by);
			}
			pmemobj_cond_signal(pop, &r->cond);
			if (pmemobj_mutex_unlock(pop, &r->mutex))
				return 3;
			break;
		case 2:
			if (pmemobj_rwlock_wrlock(pop, &r->rwlock))
				return 4;
			good &= go_in(&r->value);
			if (n % 7 == 0)
				sched_yield();
			good &= go_out(&r->value);
			if (pmemobj_rwlock_unlock(pop, &r->rwlock))
				return 5;
			break;
		default:
			if (pmemobj_rwlock_rdlock(pop, &r->rwlock))
				return 6;
			good &= !r->value || doomed(r->value);
			if (n % 5 == 0)
				sched_yield();
			good &= !r->value || doomed(r->value);
			if (pmemobj_rwlock_unlock(pop, &r->rwlock))
				return 7;
		}
		if (!good)
			return 8;
		shared->beat[me]++;
	}
}

static void doom(pid_t pid)
{
	shared->doomed[shared->doomed_cnt] = pid;
	__atomic_add_fetch(&shared->doomed_cnt, 1, __ATOMIC_SEQ_CST);
	kill(pid, SIGKILL);
}

TEST_F_TIMEOUT(pool, random_kills, 240)
{
	uint64_t before[4];
	unsigned int seed = 4711;
	pid_t pid[4];
	int i, k, n, status;

	START();
	for (k = 0; k < 4; k++)
		pid[k] = files_start(churn, (void *)(intptr_t)k);
	for (i = 0; i < rounds(400); i++) {
		k = rand_r(&seed) % 4;
		usleep(rand_r(&seed) % 10000);
		ASSERT_EQ(0, waitpid(pid[k], &status, WNOHANG))
			TH_LOG("process %d, round %d: code %d", k, i, WEXITSTATUS(status));
		doom(pid[k]);
		if (i % 8 == 0) {	/* the other three go on */
			memcpy(before, shared->beat, sizeof(before));
			for (n = 0; n < 4; n++) {
				int ms = 0;

				while (n != k && ms < BOUND_MS &&
				       __atomic_load_n(&shared->beat[n], __ATOMIC_SEQ_CST) ==
				       before[n]) {
					usleep(1000);
					ms++;
				}
				EXPECT_LT(ms, BOUND_MS);
			}
		}
		EXPECT_EQ(1000 + SIGKILL, files_wait(pid[k]));
		pid[k] = files_start(churn, (void *)(intptr_t)k);
	}
	for (k = 0; k < 4; k++) {
		EXPECT_EQ(0, waitpid(pid[k], &status, WNOHANG));
		doom(pid[k]);
		files_wait(pid[k]);
	}
}

/* ---- first uses ---------------------------------------------------------------------------- */

/* All begin at the same lock, which nobody used in this run, then at the next, .. */
static int use_all(void *arg)
{
	bool good = true;
	int i;

	if (open_pool())
		return 1;
	raise_flag(0);
	while (!__atomic_load_n(&shared->flag[1], __ATOMIC_SEQ_CST))
		;
	for (i = 0; i < FIRST_CNT; i++) {
		if (pmemobj_mutex_lock(pop, &r->first[i]))
			return 2;
		good &= go_in(&r->first_by[i]);
		good &= go_out(&r->first_by[i]);
		if (pmemobj_mutex_unlock(pop, &r->first[i]))
			return 3;
		if (pmemobj_rwlock_wrlock(pop, &r->first_rw[i]))
			return 4;
		good &= go_in(&r->first_rw_by[i]);
		good &= go_out(&r->first_rw_by[i]);
		if (pmemobj_rwlock_unlock(pop, &r->first_rw[i]))
			return 5;
		if (pmemobj_rwlock_rdlock(pop, &r->first_rw[i]))
			return 6;
		good &= !r->first_rw_by[i] || doomed(r->first_rw_by[i]);
		if (pmemobj_rwlock_unlock(pop, &r->first_rw[i]))
			return 7;
	}
	return good ? 0 : 8;
}

TEST_F_TIMEOUT(pool, first_users_killed, 240)
{
	unsigned int seed = 4711;
	pid_t pid[4];
	int round, k, code;
	size_t i;

	START();
	for (round = 0; round < rounds(100); round++) {
		for (i = 0; i < sizeof(r->first); i++)
			((char *)r->first)[i] = (char)rand_r(&seed);
		for (i = 0; i < sizeof(r->first_rw); i++)
			((char *)r->first_rw)[i] = (char)rand_r(&seed);
		memset(r->first_by, 0, sizeof(r->first_by));
		memset(r->first_rw_by, 0, sizeof(r->first_rw_by));
		memset(shared->flag, 0, sizeof(shared->flag));
		for (k = 0; k < 4; k++)
			pid[k] = files_start(use_all, NULL);
		ASSERT_TRUE(wait_flag(0, 4));
		raise_flag(1);
		for (k = 0; k < 2; k++) {
			usleep(rand_r(&seed) % 2000);
			doom(pid[k]);
		}
		for (k = 0; k < 4; k++) {
			code = files_wait(pid[k]);
			EXPECT_TRUE(code == 0 || (k < 2 && code == 1000 + SIGKILL))
				TH_LOG("round %d: process %d: %d", round, k, code);
		}
	}
}

/* ---- every instruction --------------------------------------------------------------------- */

static int step_child(void *arg)
{
	enum act act = (enum act)(intptr_t)arg;
	int err;

	if (open_pool() || ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 1;
	raise(SIGSTOP);
	err = take(act, 20000);
	if (!err) {
		raise_flag(0);
		if (!go_in(&r->held_by))
			return 3;
		usleep(1000);
		if (!go_out(&r->held_by))
			return 4;
		give(act);
	}
	raise_flag(1);
	return err == EBUSY ? 0 : err ? 2 : 0;
}

/* Let the child make @cnt steps; false: it ended before. Signals other than stops: none come. */
static bool step(pid_t pid, int cnt)
{
	int status, i;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return false;
	for (i = 0; i < cnt; i++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return false;
	}
	return true;
}

/* Words of another run; in odd rounds as after pmemobj_zalloc. */
static void make_stale(int n)
{
	memset(&r->mutex, n % 2 ? 0 : 0xa5, sizeof(r->mutex));
	memset(&r->rwlock, n % 2 ? 0 : 0xa5, sizeof(r->rwlock));
	memset(&r->cond, n % 2 ? 0 : 0xa5, sizeof(r->cond));
}

TEST_F_TIMEOUT(pool, first_user_killed_after_each_instruction, 300)
{
	bool inside, over;
	enum act act;
	int n, err;
	pid_t pid;

	if (!rounds_can_step())
		SKIP(return, "steps of ptrace are not instructions here");
	START();
	for (act = 0; act < ACTS; act++) {
		over = false;
		inside = false;
		for (n = 0; n < 6000 && !over; n++) {
			make_stale(n);
			shared->flag[0] = 0;
			pid = files_start(step_child, (void *)(intptr_t)act);
			over = !step(pid, n) || shared->flag[0];
			doom(pid);
			err = take(after(act), 0);
			EXPECT_EQ(1000 + SIGKILL, files_wait(pid));
			if (err) {
				inside = true;
				ASSERT_EQ(0, take(after(act), BOUND_MS))
					TH_LOG("act %d, step %d", act, n);
			}
			EXPECT_EQ(0, give(after(act)));
			r->held_by = 0;
		}
		EXPECT_TRUE(over);
		EXPECT_TRUE(inside);	/* or the steps were not where they should be */
	}
}

TEST_F_TIMEOUT(pool, first_user_stopped_after_each_instruction, 300)
{
	int n, err, code, waited;
	enum act act;
	bool over;
	pid_t pid;

	if (!rounds_can_step())
		SKIP(return, "steps of ptrace are not instructions here");
	START();
	for (act = 0; act < ACTS; act++) {
		over = false;
		waited = 0;
		for (n = 0; n < 6000 && !over; n++) {
			make_stale(n);
			memset(shared->flag, 0, sizeof(shared->flag));
			pid = files_start(step_child, (void *)(intptr_t)act);
			over = !step(pid, n) || shared->flag[0];
			/* Whoever is stopped holds it, or he is in nobody's way. */
			err = take(after(act), 0);
			if (!err) {
				waited++;
				r->held_by = getpid();
			}
			ptrace(PTRACE_DETACH, pid, NULL, NULL);
			if (!err) {
				usleep(act == MUTEX_TRY || act == WRITE_TRY ? 0 : 200);
				EXPECT_EQ(0, __atomic_load_n(&shared->flag[0], __ATOMIC_SEQ_CST))
					TH_LOG("act %d, step %d: taken from a holder", act, n);
				EXPECT_TRUE(go_out(&r->held_by));
				EXPECT_EQ(0, give(after(act)));
			}
			code = files_wait(pid);
			EXPECT_EQ(0, code)
				TH_LOG("act %d, step %d: %d", act, n, code);
			ASSERT_EQ(0, take(after(act), BOUND_MS));
			EXPECT_EQ(0, give(after(act)));
		}
		EXPECT_TRUE(over);
		EXPECT_GT(waited, 10);
	}
}

TEST_HARNESS_MAIN
