// SPDX-License-Identifier: BSD-3-Clause
/*
 * PMEMmutex, PMEMrwlock and PMEMcond among threads and processes: what they return, that they
 * exclude, how they time out, and that they are as new in each run of the pool, whatever the words
 * of an earlier one say. What a kill leaves is tested in lock_kill.c.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "pool_fixture.h"
#include "rounds.h"

struct root {
	PMEMmutex mutex;
	PMEMrwlock rwlock;
	PMEMcond cond;
	PMEMcond room;
	uint64_t a, b;		/* always changed together */
	uint64_t queue, taken;
	int flag[16];
	PMEMrwlock many[80];
};

static PMEMobjpool *pop;
static struct root *r;

static struct root *root_of(PMEMobjpool *of)
{
	return pmemobj_direct(pmemobj_root(of, sizeof(struct root)));
}

#define START() do {								\
	CREATE();								\
	pop = self->pop;							\
	r = root_of(pop);							\
	ASSERT_NE(NULL, r);							\
} while (0)

static void raise_flag(int i)
{
	__atomic_add_fetch(&r->flag[i], 1, __ATOMIC_SEQ_CST);
}

static int flag(int i)
{
	return __atomic_load_n(&r->flag[i], __ATOMIC_SEQ_CST);
}

static bool wait_flag(int i, int value)
{
	int ms;

	for (ms = 0; ms < 10000 && flag(i) < value; ms++)
		usleep(1000);
	return flag(i) >= value;
}

static struct timespec in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static long ms_since(const struct timespec *from)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (t.tv_sec - from->tv_sec) * 1000 + (t.tv_nsec - from->tv_nsec) / 1000000;
}

/* A thread that takes the lock, raises flag 0, and gives it back when flag 1 is raised. */
enum kind { MUTEX, READ, WRITE };

static int lock(enum kind kind)
{
	return kind == MUTEX ? pmemobj_mutex_lock(pop, &r->mutex) :
	       kind == READ ? pmemobj_rwlock_rdlock(pop, &r->rwlock) :
			      pmemobj_rwlock_wrlock(pop, &r->rwlock);
}

static int try_lock(enum kind kind)
{
	return kind == MUTEX ? pmemobj_mutex_trylock(pop, &r->mutex) :
	       kind == READ ? pmemobj_rwlock_tryrdlock(pop, &r->rwlock) :
			      pmemobj_rwlock_trywrlock(pop, &r->rwlock);
}

static int timed_lock(enum kind kind, const struct timespec *t)
{
	return kind == MUTEX ? pmemobj_mutex_timedlock(pop, &r->mutex, t) :
	       kind == READ ? pmemobj_rwlock_timedrdlock(pop, &r->rwlock, t) :
			      pmemobj_rwlock_timedwrlock(pop, &r->rwlock, t);
}

static int unlock(enum kind kind)
{
	return kind == MUTEX ? pmemobj_mutex_unlock(pop, &r->mutex) :
			       pmemobj_rwlock_unlock(pop, &r->rwlock);
}

static void *hold(void *arg)
{
	enum kind kind = (enum kind)(intptr_t)arg;
	intptr_t err = lock(kind);

	raise_flag(0);
	if (!err && !wait_flag(1, 1))
		err = -1;
	return (void *)(err ? err : unlock(kind));
}

/* ---- what they return ---------------------------------------------------------------------- */

TEST_F(pool, uncontended)
{
	static const enum kind kinds[] = { MUTEX, READ, WRITE };
	struct timespec past = { 1, 0 }, nonsense = { 1, 1000000000 };
	size_t i;

	START();
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		errno = 4711;
		EXPECT_EQ(0, lock(kinds[i]));
		EXPECT_EQ(0, unlock(kinds[i]));
		EXPECT_EQ(0, try_lock(kinds[i]));
		EXPECT_EQ(0, unlock(kinds[i]));
		/* No time is needed, so none is looked at. */
		EXPECT_EQ(0, timed_lock(kinds[i], &past));
		EXPECT_EQ(0, unlock(kinds[i]));
		EXPECT_EQ(0, timed_lock(kinds[i], &nonsense));
		EXPECT_EQ(0, unlock(kinds[i]));
		EXPECT_EQ(EPERM, unlock(kinds[i]));
		EXPECT_EQ(4711, errno);
	}
	EXPECT_EQ(0, pmemobj_cond_signal(pop, &r->cond));
	EXPECT_EQ(0, pmemobj_cond_broadcast(pop, &r->cond));
	EXPECT_EQ(4711, errno);
}

TEST_F(pool, zero)
{
	START();
	memset(&r->mutex, 0x5a, sizeof(r->mutex));
	memset(&r->rwlock, 0x5a, sizeof(r->rwlock));
	memset(&r->cond, 0x5a, sizeof(r->cond));
	pmemobj_mutex_zero(pop, &r->mutex);
	pmemobj_rwlock_zero(pop, &r->rwlock);
	pmemobj_cond_zero(pop, &r->cond);
	for (size_t i = 0; i < 64; i++) {
		EXPECT_EQ(0, r->mutex.padding[i]);
		EXPECT_EQ(0, r->rwlock.padding[i]);
		EXPECT_EQ(0, r->cond.padding[i]);
	}
	EXPECT_EQ(0, pmemobj_mutex_trylock(pop, &r->mutex));
	pmemobj_mutex_zero(pop, &r->mutex);
	EXPECT_EQ(0, pmemobj_mutex_trylock(pop, &r->mutex));
	EXPECT_EQ(0, pmemobj_mutex_unlock(pop, &r->mutex));
}

TEST_F(pool, contended)
{
	/* What one holds, what another wants, and whether he must wait. */
	static const struct { enum kind held, want; bool waits; } cases[] = {
		{ MUTEX, MUTEX, true }, { READ, READ, false }, { READ, WRITE, true },
		{ WRITE, READ, true }, { WRITE, WRITE, true },
	};
	struct timespec nonsense = { 1, -1 }, past = { 1, 0 }, from, t;
	pthread_t thread;
	void *ret;
	size_t i;
	long ms;

	START();
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const enum kind want = cases[i].want;

		memset(r->flag, 0, sizeof(r->flag));
		pthread_create(&thread, NULL, hold, (void *)(intptr_t)cases[i].held);
		ASSERT_TRUE(wait_flag(0, 1));
		if (!cases[i].waits) {
			EXPECT_EQ(0, try_lock(want));
			EXPECT_EQ(0, timed_lock(want, &past));
			EXPECT_EQ(0, unlock(want));
			EXPECT_EQ(0, unlock(want));
		} else {
			errno = 4711;
			EXPECT_EQ(EBUSY, try_lock(want));
			EXPECT_EQ(EINVAL, timed_lock(want, &nonsense));
			EXPECT_EQ(ETIMEDOUT, timed_lock(want, &past));
			clock_gettime(CLOCK_REALTIME, &from);
			t = in_ms(150);
			EXPECT_EQ(ETIMEDOUT, timed_lock(want, &t));
			ms = ms_since(&from);
			EXPECT_GE(ms, 149);
			EXPECT_LE(ms, 1000);
			EXPECT_EQ(4711, errno);
		}
		/* Whoever gave up left nothing behind. */
		raise_flag(1);
		pthread_join(thread, &ret);
		EXPECT_EQ(NULL, ret);
		t = in_ms(5000);
		EXPECT_EQ(0, timed_lock(want, &t));
		EXPECT_EQ(0, unlock(want));
		EXPECT_EQ(0, try_lock(WRITE));
		EXPECT_EQ(0, unlock(WRITE));
	}
}

/* The holder gives back while one waits: he is woken, and does not find out by chance. */
static void *wait_and_tell(void *arg)
{
	struct timespec *got = arg;

	raise_flag(2);
	if (lock(flag(3)))
		return (void *)1;
	clock_gettime(CLOCK_REALTIME, got);
	return (void *)(intptr_t)unlock(flag(3));
}

TEST_F(pool, waiters_are_woken)
{
	static const struct { enum kind held, want; } cases[] = {
		{ MUTEX, MUTEX }, { READ, WRITE }, { WRITE, READ }, { WRITE, WRITE },
	};
	struct timespec from, got;
	pthread_t thread;
	long ms, most;
	void *ret;
	size_t i;
	int n;

	START();
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		/* After 150 ms the next slice ends at 226: unwoken it takes 76 ms each time. */
		for (most = 0, n = 0; n < 5; n++) {
			memset(r->flag, 0, sizeof(r->flag));
			r->flag[3] = cases[i].want;
			ASSERT_EQ(0, lock(cases[i].held));
			pthread_create(&thread, NULL, wait_and_tell, &got);
			ASSERT_TRUE(wait_flag(2, 1));
			usleep(150000);
			clock_gettime(CLOCK_REALTIME, &from);
			ASSERT_EQ(0, unlock(cases[i].held));
			pthread_join(thread, &ret);
			EXPECT_EQ(NULL, ret);
			ms = (got.tv_sec - from.tv_sec) * 1000 +
			     (got.tv_nsec - from.tv_nsec) / 1000000;
			most += ms;
		}
		EXPECT_LE(most, 200);
	}
}

static int lock_in_child(void *arg)
{
	return pmemobj_mutex_lock(pop, &r->mutex) != EINVAL ||
	       pmemobj_rwlock_rdlock(pop, &r->rwlock) != EINVAL ||
	       pmemobj_rwlock_unlock(pop, &r->rwlock) != EINVAL ||
	       pmemobj_cond_signal(pop, &r->cond) != EINVAL ||
	       pmemobj_cond_wait(pop, &r->cond, &r->mutex) != EINVAL ||
	       !strstr(pmemobj_errormsg(), "forked child");
}

TEST_F(pool, forked_child_is_refused)
{
	START();
	EXPECT_EQ(0, files_in_child(lock_in_child, NULL));
}

/* ---- rwlock -------------------------------------------------------------------------------- */

TEST_F(pool, one_thread_reads_often)
{
	int i;

	START();
	for (i = 0; i < 300; i++)	/* more than one word counts */
		ASSERT_EQ(0, pmemobj_rwlock_rdlock(pop, &r->rwlock));
	for (i = 0; i < 300; i++) {
		EXPECT_EQ(EBUSY, pmemobj_rwlock_trywrlock(pop, &r->rwlock));
		EXPECT_EQ(EDEADLK, pmemobj_rwlock_wrlock(pop, &r->rwlock));
		ASSERT_EQ(0, pmemobj_rwlock_unlock(pop, &r->rwlock));
	}
	EXPECT_EQ(EPERM, pmemobj_rwlock_unlock(pop, &r->rwlock));
	EXPECT_EQ(0, pmemobj_rwlock_trywrlock(pop, &r->rwlock));
}

TEST_F(pool, one_thread_reads_many)
{
	int i;

	START();
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, pmemobj_rwlock_rdlock(pop, &r->many[i]));
	EXPECT_EQ(EAGAIN, pmemobj_rwlock_rdlock(pop, &r->many[64]));
	EXPECT_EQ(EAGAIN, pmemobj_rwlock_tryrdlock(pop, &r->many[64]));
	for (i = 0; i < 64; i++)
		ASSERT_EQ(0, pmemobj_rwlock_unlock(pop, &r->many[i]));
	for (i = 0; i < 65; i++)
		EXPECT_EQ(0, pmemobj_rwlock_trywrlock(pop, &r->many[i]));
	/* Those that a closed pool left behind do not count. */
	for (i = 0; i < 200; i++) {
		pmemobj_close(pop);
		pop = pmemobj_open(self->path, "test");
		r = root_of(pop);
		ASSERT_EQ(0, pmemobj_rwlock_rdlock(pop, &r->many[i % 80]));
	}
}

static void *write_and_tell(void *arg)
{
	raise_flag(2);
	if (pmemobj_rwlock_wrlock(pop, &r->rwlock))
		return (void *)1;
	raise_flag(3);
	return (void *)(intptr_t)pmemobj_rwlock_unlock(pop, &r->rwlock);
}

TEST_F(pool, writers_go_first_but_for_who_reads)
{
	pthread_t reader, writer;
	struct timespec t;
	void *ret;
	int i;

	START();
	ASSERT_EQ(0, pmemobj_rwlock_rdlock(pop, &r->rwlock));
	pthread_create(&writer, NULL, write_and_tell, NULL);
	ASSERT_TRUE(wait_flag(2, 1));
	usleep(50000);
	/* Another thread waits now, */
	pthread_create(&reader, NULL, hold, (void *)(intptr_t)READ);
	usleep(50000);
	EXPECT_EQ(0, flag(0));
	/* but whoever reads may read once more, else nobody would ever go on. */
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, pmemobj_rwlock_tryrdlock(pop, &r->rwlock));
		t = in_ms(1000);
		ASSERT_EQ(0, pmemobj_rwlock_timedrdlock(pop, &r->rwlock, &t));
	}
	for (i = 0; i < 200; i++)
		ASSERT_EQ(0, pmemobj_rwlock_unlock(pop, &r->rwlock));
	usleep(50000);
	EXPECT_EQ(0, flag(3));
	EXPECT_EQ(0, pmemobj_rwlock_unlock(pop, &r->rwlock));
	pthread_join(writer, &ret);
	EXPECT_EQ(NULL, ret);
	EXPECT_TRUE(wait_flag(0, 1));
	raise_flag(1);
	pthread_join(reader, &ret);
	EXPECT_EQ(NULL, ret);
}

static const char *path;

static int read_in_child(void *arg)
{
	pop = pmemobj_open(path, "test");
	r = root_of(pop);
	if (pmemobj_rwlock_rdlock(pop, &r->rwlock))
		return 1;
	raise_flag(4);
	if (!wait_flag(5, 1 + (int)(intptr_t)arg))
		return 2;
	if (pmemobj_rwlock_unlock(pop, &r->rwlock))
		return 3;
	pmemobj_close(pop);
	return 0;
}

TEST_F(pool, seven_sessions_read_at_once)
{
	struct timespec t;
	pid_t pid[8];
	int i;

	START();
	path = self->path;
	for (i = 0; i < 7; i++)
		pid[i] = files_start(read_in_child, (void *)(intptr_t)i);
	ASSERT_TRUE(wait_flag(4, 7));
	EXPECT_EQ(EBUSY, pmemobj_rwlock_tryrdlock(pop, &r->rwlock));
	EXPECT_EQ(EBUSY, pmemobj_rwlock_trywrlock(pop, &r->rwlock));
	t = in_ms(50);
	EXPECT_EQ(ETIMEDOUT, pmemobj_rwlock_timedrdlock(pop, &r->rwlock, &t));
	pid[7] = files_start(read_in_child, (void *)(intptr_t)7);
	usleep(100000);
	EXPECT_EQ(7, flag(4));
	raise_flag(5);			/* one leaves, the eighth may enter */
	EXPECT_TRUE(wait_flag(4, 8));
	for (i = 0; i < 8; i++)
		raise_flag(5);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, files_wait(pid[i]));
	EXPECT_EQ(0, pmemobj_rwlock_trywrlock(pop, &r->rwlock));
}

/* ---- exclusion ----------------------------------------------------------------------------- */

#define ROUNDS	(rounds_least(20000, 8) / 8 * 8)

static void *count(void *arg)
{
	intptr_t i, wrong = 0;

	for (i = 0; i < ROUNDS; i++) {
		wrong |= pmemobj_mutex_lock(pop, &r->mutex);
		wrong |= r->a != r->b;
		r->a++;
		r->b++;
		wrong |= pmemobj_mutex_unlock(pop, &r->mutex);
	}
	return (void *)wrong;
}

static void *read_and_write(void *arg)
{
	intptr_t i, wrong = 0;
	struct timespec t;

	for (i = 0; i < ROUNDS; i++) {
		switch (i % 8) {
		case 0:
			wrong |= pmemobj_rwlock_wrlock(pop, &r->rwlock);
			break;
		case 1:
			if (pmemobj_rwlock_trywrlock(pop, &r->rwlock))
				wrong |= pmemobj_rwlock_wrlock(pop, &r->rwlock);
			break;
		case 2:
			t = in_ms(1 + i % 3);
			while (pmemobj_rwlock_timedwrlock(pop, &r->rwlock, &t))
				t = in_ms(1 + i % 3);
			break;
		case 3:
			if (pmemobj_rwlock_tryrdlock(pop, &r->rwlock))
				wrong |= pmemobj_rwlock_rdlock(pop, &r->rwlock);
			break;
		case 4:
			wrong |= pmemobj_rwlock_rdlock(pop, &r->rwlock);
			wrong |= pmemobj_rwlock_rdlock(pop, &r->rwlock);
			wrong |= r->a != r->b;
			wrong |= pmemobj_rwlock_unlock(pop, &r->rwlock);
			break;
		default:
			wrong |= pmemobj_rwlock_rdlock(pop, &r->rwlock);
		}
		wrong |= r->a != r->b;
		if (i % 8 < 3) {
			r->a++;
			r->b++;
		}
		wrong |= pmemobj_rwlock_unlock(pop, &r->rwlock);
	}
	return (void *)wrong;
}

/* Two take from the queue what two put in; room for three. */
static void *put(void *arg)
{
	intptr_t i, wrong = 0;

	for (i = 0; i < ROUNDS / 4; i++) {
		wrong |= pmemobj_mutex_lock(pop, &r->mutex);
		while (r->queue == 3)
			wrong |= pmemobj_cond_wait(pop, &r->room, &r->mutex);
		r->queue++;
		wrong |= pmemobj_cond_signal(pop, &r->cond);
		wrong |= pmemobj_mutex_unlock(pop, &r->mutex);
	}
	return (void *)wrong;
}

static void *take(void *arg)
{
	intptr_t i, wrong = 0;

	for (i = 0; i < ROUNDS / 4; i++) {
		wrong |= pmemobj_mutex_lock(pop, &r->mutex);
		while (!r->queue)
			wrong |= pmemobj_cond_wait(pop, &r->cond, &r->mutex);
		r->queue--;
		r->taken++;
		wrong |= pmemobj_cond_signal(pop, &r->room);
		wrong |= pmemobj_mutex_unlock(pop, &r->mutex);
	}
	return (void *)wrong;
}

static void *(*const work[])(void *arg) = {
	count, count, read_and_write, read_and_write, put, take,
};

static int run_threads(void)
{
	pthread_t thread[4];
	intptr_t wrong = 0;
	void *ret;
	size_t pair, i;

	for (pair = 0; pair < ARRAY_SIZE(work); pair += 2) {
		for (i = 0; i < 4; i++)
			pthread_create(&thread[i], NULL, work[pair + i % 2], NULL);
		for (i = 0; i < 4; i++) {
			pthread_join(thread[i], &ret);
			wrong |= (intptr_t)ret;
		}
	}
	return (int)wrong;
}

TEST_F_TIMEOUT(pool, threads_exclude_each_other, 120)
{
	START();
	EXPECT_EQ(0, run_threads());
	EXPECT_EQ(r->a, r->b);
	EXPECT_EQ(4 * ROUNDS + 4 * ROUNDS * 3 / 8, r->a);
	EXPECT_EQ(0, r->queue);
	EXPECT_EQ(2 * ROUNDS / 4, r->taken);
}

static int two_threads_in_child(void *arg)
{
	pthread_t thread[2];
	intptr_t wrong = 0;
	void *ret;
	size_t pair, i;

	pop = pmemobj_open(path, "test");
	r = root_of(pop);
	for (pair = 0; pair < ARRAY_SIZE(work); pair += 2) {
		/* The data of one part are not the next's: begin together. */
		raise_flag(6 + (int)pair / 2);
		if (!wait_flag(6 + (int)pair / 2, 3))
			return 100;
		for (i = 0; i < 2; i++)
			pthread_create(&thread[i], NULL, work[pair + i % 2], NULL);
		for (i = 0; i < 2; i++) {
			pthread_join(thread[i], &ret);
			wrong |= (intptr_t)ret;
		}
		raise_flag(9 + (int)pair / 2);
		if (!wait_flag(9 + (int)pair / 2, 3))
			return 100;
	}
	pmemobj_close(pop);
	return (int)wrong;
}

TEST_F_TIMEOUT(pool, processes_exclude_each_other, 120)
{
	pid_t pid[3];
	int i;

	START();
	path = self->path;
	for (i = 0; i < 3; i++)
		pid[i] = files_start(two_threads_in_child, NULL);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, files_wait(pid[i]));
	EXPECT_EQ(r->a, r->b);
	EXPECT_EQ(6 * ROUNDS + 6 * ROUNDS * 3 / 8, r->a);
	EXPECT_EQ(0, r->queue);
	EXPECT_EQ(3 * (ROUNDS / 4), r->taken);
}

/* ---- cond ---------------------------------------------------------------------------------- */

static void *wait_for_a(void *arg)
{
	intptr_t err = pmemobj_mutex_lock(pop, &r->mutex);

	raise_flag(0);
	while (!err && !r->a)
		err = pmemobj_cond_wait(pop, &r->cond, &r->mutex);
	raise_flag(1);
	return (void *)(err ? err : pmemobj_mutex_unlock(pop, &r->mutex));
}

/* @cnt wait for 150 ms, then they are called. Returns the ms until all are back, or -1. */
static long call(int cnt, int (*how)(PMEMobjpool *pop, PMEMcond *condp))
{
	pthread_t thread[8];
	struct timespec from;
	intptr_t wrong = 0;
	void *ret;
	int i;

	memset(r->flag, 0, sizeof(r->flag));
	r->a = 0;
	for (i = 0; i < cnt; i++)
		pthread_create(&thread[i], NULL, wait_for_a, NULL);
	wrong |= !wait_flag(0, cnt);
	usleep(150000);
	wrong |= pmemobj_mutex_lock(pop, &r->mutex);
	r->a = 1;
	clock_gettime(CLOCK_REALTIME, &from);
	wrong |= how(pop, &r->cond);
	wrong |= pmemobj_mutex_unlock(pop, &r->mutex);
	for (i = 0; i < cnt; i++) {
		pthread_join(thread[i], &ret);
		wrong |= (intptr_t)ret;
	}
	wrong |= pmemobj_mutex_trylock(pop, &r->mutex);
	wrong |= pmemobj_mutex_unlock(pop, &r->mutex);
	return wrong ? -1 : ms_since(&from);
}

TEST_F(pool, cond_wakes_all_or_one_and_soon)
{
	long ms, all = 0, one = 0;
	int n;

	START();
	for (n = 0; n < 5; n++) {
		ms = call(8, pmemobj_cond_broadcast);
		ASSERT_GE(ms, 0);
		all += ms;
		ms = call(1, pmemobj_cond_signal);
		ASSERT_GE(ms, 0);
		one += ms;
	}
	/* As above: unwoken it takes 76 ms each time. */
	EXPECT_LE(all, 200);
	EXPECT_LE(one, 200);
}

TEST_F(pool, cond_times_out)
{
	struct timespec from, t, nonsense = { 1, 1000000000 };
	long ms;

	START();
	EXPECT_EQ(EPERM, pmemobj_cond_wait(pop, &r->cond, &r->mutex));
	ASSERT_EQ(0, pmemobj_mutex_lock(pop, &r->mutex));
	errno = 4711;
	EXPECT_EQ(EINVAL, pmemobj_cond_timedwait(pop, &r->cond, &r->mutex, &nonsense));
	t = (struct timespec){ 1, 0 };
	EXPECT_EQ(ETIMEDOUT, pmemobj_cond_timedwait(pop, &r->cond, &r->mutex, &t));
	clock_gettime(CLOCK_REALTIME, &from);
	t = in_ms(250);
	EXPECT_EQ(ETIMEDOUT, pmemobj_cond_timedwait(pop, &r->cond, &r->mutex, &t));
	ms = ms_since(&from);
	EXPECT_GE(ms, 249);
	EXPECT_LE(ms, 1000);
	EXPECT_EQ(4711, errno);
	EXPECT_EQ(EBUSY, pmemobj_mutex_trylock(pop, &r->mutex));	/* held again */
	EXPECT_EQ(0, pmemobj_mutex_unlock(pop, &r->mutex));
}

/* ---- fresh in each run, and only then ------------------------------------------------------ */

static int all_are_fresh(void)
{
	struct timespec t = in_ms(20);
	int wrong = 0;

	wrong |= pmemobj_mutex_trylock(pop, &r->mutex) ? 1 : 0;
	wrong |= pmemobj_rwlock_trywrlock(pop, &r->rwlock) ? 2 : 0;
	wrong |= pmemobj_rwlock_tryrdlock(pop, &r->many[0]) ? 4 : 0;
	wrong |= pmemobj_rwlock_trywrlock(pop, &r->many[1]) ? 8 : 0;
	wrong |= pmemobj_cond_timedwait(pop, &r->cond, &r->mutex, &t) != ETIMEDOUT ? 16 : 0;
	wrong |= pmemobj_rwlock_tryrdlock(pop, &r->many[1]) != EBUSY ? 32 : 0;
	return wrong;
}

TEST_F(pool, fresh_at_reopen_with_all_held)
{
	int i;

	START();
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, all_are_fresh());	/* all are held now */
		pmemobj_close(pop);
		pop = pmemobj_open(self->path, "test");
		ASSERT_NE(NULL, pop);
		r = root_of(pop);
	}
}

static int held_in_child(void *arg)
{
	int wrong;

	pop = pmemobj_open(path, "test");
	r = root_of(pop);
	wrong = pmemobj_mutex_trylock(pop, &r->mutex) != EBUSY ||
		pmemobj_rwlock_tryrdlock(pop, &r->rwlock) != EBUSY ||
		pmemobj_rwlock_trywrlock(pop, &r->many[0]) != EBUSY;
	if (arg)
		wrong |= all_are_fresh() != 63;
	pmemobj_close(pop);
	return wrong;
}

TEST_F(pool, further_opener_resets_nothing)
{
	START();
	path = self->path;
	EXPECT_EQ(0, all_are_fresh());
	EXPECT_EQ(0, files_in_child(held_in_child, NULL));
	EXPECT_EQ(0, pmemobj_mutex_unlock(pop, &r->mutex));
	EXPECT_EQ(0, pmemobj_mutex_lock(pop, &r->mutex));
	EXPECT_EQ(0, files_in_child(held_in_child, NULL));
	EXPECT_EQ(0, pmemobj_rwlock_unlock(pop, &r->rwlock));
	EXPECT_EQ(0, pmemobj_rwlock_unlock(pop, &r->many[0]));
}

static int close_in_child(void *arg)
{
	pop = pmemobj_open(path, "test");
	r = root_of(pop);
	if (all_are_fresh())
		return 1;
	pmemobj_close(pop);
	return 0;
}

/* Who closes with locks held gives them up, though the run goes on. */
TEST_F(pool, closed_with_locks_held)
{
	struct timespec t;

	START();
	path = self->path;
	EXPECT_EQ(0, files_in_child(close_in_child, NULL));
	t = in_ms(2000);
	EXPECT_EQ(0, pmemobj_mutex_timedlock(pop, &r->mutex, &t));
	EXPECT_EQ(0, pmemobj_rwlock_timedrdlock(pop, &r->rwlock, &t));
	EXPECT_EQ(0, pmemobj_rwlock_timedwrlock(pop, &r->many[0], &t));
	EXPECT_EQ(0, pmemobj_rwlock_timedwrlock(pop, &r->many[1], &t));
}

/* Words of an earlier run may hold anything. */
TEST_F(pool, fresh_whatever_is_there)
{
	uint64_t *words[3], x = 88172645463325252ULL, held[3][8];
	int round, k, i;

	START();
	words[0] = (uint64_t *)&r->mutex;
	words[1] = (uint64_t *)&r->rwlock;
	words[2] = (uint64_t *)&r->many[1];
	EXPECT_EQ(0, all_are_fresh());
	for (k = 0; k < 3; k++)
		memcpy(held[k], words[k], 64);
	for (round = 0; round < rounds(2000); round++) {
		for (k = 0; k < 3; k++) {
			for (i = 0; i < 8; i++) {
				x ^= x << 13;
				x ^= x >> 7;
				x ^= x << 17;
				/* Noise, ones, or what was held, with a bit of the run changed. */
				words[k][i] = round % 3 == 0 ? x : round % 3 == 1 ? ~0ULL :
					held[k][i] ^ 1ULL << (33 + x % 31);
			}
		}
		ASSERT_EQ(0, pmemobj_mutex_trylock(pop, &r->mutex));
		ASSERT_EQ(EBUSY, pmemobj_mutex_trylock(pop, &r->mutex));
		ASSERT_EQ(0, pmemobj_mutex_unlock(pop, &r->mutex));
		ASSERT_EQ(0, pmemobj_rwlock_trywrlock(pop, &r->rwlock));
		ASSERT_EQ(EBUSY, pmemobj_rwlock_tryrdlock(pop, &r->rwlock));
		ASSERT_EQ(0, pmemobj_rwlock_unlock(pop, &r->rwlock));
		ASSERT_EQ(0, pmemobj_rwlock_tryrdlock(pop, &r->many[1]));
		ASSERT_EQ(EBUSY, pmemobj_rwlock_trywrlock(pop, &r->many[1]));
		ASSERT_EQ(0, pmemobj_rwlock_unlock(pop, &r->many[1]));
	}
}

TEST_HARNESS_MAIN
