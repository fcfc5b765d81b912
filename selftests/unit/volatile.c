// SPDX-License-Identifier: BSD-3-Clause
/*
 * pmemobj_volatile: the constructor runs once in each run of the pool, among all threads and
 * processes, and once more if whoever ran it failed or was killed.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "pool_fixture.h"
#include "rounds.h"

#define CNT	256

typedef uint64_t number;

struct root {
	PMEMvlt(number) one;
	PMEMvlt(number) many[CNT];
};

struct page {
	int flag[4];
	int calls;
	int many[CNT];
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

static void raise_flag(int i)
{
	__atomic_add_fetch(&shared->flag[i], 1, __ATOMIC_SEQ_CST);
}

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

/* @arg: what it returns. */
static int construct(void *ptr, void *arg)
{
	uint64_t *value = ptr;

	__atomic_add_fetch(&shared->calls, 1, __ATOMIC_SEQ_CST);
	*value = 1;
	*value = 4711;
	return (int)(intptr_t)arg;
}

static uint64_t *get(int (*constr)(void *ptr, void *arg), intptr_t arg)
{
	return pmemobj_volatile(pop, &r->one.vlt, &r->one.value, sizeof(r->one.value), constr,
				(void *)arg);
}

TEST_F(pool, once_in_each_run)
{
	int i, n;

	START();
	for (i = 0; i < 10; i++) {
		for (n = 0; n < 3; n++) {
			uint64_t *value = get(construct, 0);

			ASSERT_EQ(&r->one.value, value);
			EXPECT_EQ(4711 + n, (*value)++);
			EXPECT_EQ(i + 1, shared->calls);
		}
		pmemobj_close(pop);
		ASSERT_EQ(0, open_pool());
	}
}

TEST_F(pool, failing_constructor)
{
	START();
	EXPECT_EQ(NULL, get(construct, 1));
	EXPECT_EQ(NULL, get(construct, -1));
	EXPECT_EQ(2, shared->calls);
	EXPECT_EQ(&r->one.value, get(construct, 0));
	EXPECT_EQ(&r->one.value, get(construct, 1));
	EXPECT_EQ(3, shared->calls);
}

TEST_F(pool, whatever_is_there)
{
	uint64_t x = 88172645463325252ULL;
	int i;

	START();
	for (i = 0; i < 2000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		r->one.vlt.runid = i % 3 == 0 ? x : i % 3 == 1 ? ~0ULL : (uint64_t)i;
		ASSERT_EQ(&r->one.value, get(construct, 0));
		ASSERT_EQ(i + 1, shared->calls);
		ASSERT_EQ(&r->one.value, get(construct, 0));
		ASSERT_EQ(i + 1, shared->calls);
	}
}

static int get_in_child(void *arg)
{
	return get(construct, 0) || errno != EINVAL || !strstr(pmemobj_errormsg(), "forked child");
}

TEST_F(pool, forked_child_is_refused)
{
	START();
	EXPECT_EQ(0, files_in_child(get_in_child, NULL));
}

/* ---- among many ---------------------------------------------------------------------------- */

static int construct_slowly(void *ptr, void *arg)
{
	__atomic_add_fetch(&shared->many[(intptr_t)arg], 1, __ATOMIC_SEQ_CST);
	usleep((intptr_t)arg % 16 ? 0 : 3000);
	*(uint64_t *)ptr = 1000 + (uint64_t)(intptr_t)arg;
	return 0;
}

static void *get_all(void *arg)
{
	intptr_t i, wrong = 0;
	uint64_t *value;

	for (i = 0; i < CNT; i++) {
		value = pmemobj_volatile(pop, &r->many[i].vlt, &r->many[i].value, sizeof(*value),
					 construct_slowly, (void *)i);
		wrong |= value != &r->many[i].value || *value != 1000 + (uint64_t)i;
	}
	return (void *)wrong;
}

static int get_all_in_threads(void *arg)
{
	intptr_t wrong = 0;
	pthread_t thread[2];
	void *ret;
	int i;

	if (arg && open_pool())
		return 1;
	raise_flag(0);
	if (!wait_flag(0, 3))
		return 2;
	for (i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, get_all, NULL);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], &ret);
		wrong |= (intptr_t)ret;
	}
	return (int)wrong;
}

TEST_F(pool, once_among_threads_and_processes)
{
	pid_t pid[2];
	int round, i;

	START();
	for (round = 0; round < 5; round++) {
		memset(shared, 0, sizeof(*shared));
		for (i = 0; i < 2; i++)
			pid[i] = files_start(get_all_in_threads, (void *)1);
		EXPECT_EQ(0, get_all_in_threads(NULL));
		for (i = 0; i < 2; i++)
			EXPECT_EQ(0, files_wait(pid[i]));
		for (i = 0; i < CNT; i++)
			EXPECT_EQ(1, shared->many[i]);
		pmemobj_close(pop);
		ASSERT_EQ(0, open_pool());
	}
}

/* ---- kills --------------------------------------------------------------------------------- */

static int construct_for_good(void *ptr, void *arg)
{
	*(uint64_t *)ptr = 2;
	raise_flag(0);
	while (arg)
		pause();
	return 0;
}

static int get_for_good(void *arg)
{
	return open_pool() || get(construct_for_good, 1);
}

static int get_and_wait(void *arg)
{
	uint64_t *value;

	if (open_pool())
		return 1;
	raise_flag(1);
	value = get(construct, 0);
	return !value || *value != 4711;
}

TEST_F_TIMEOUT(pool, killed_constructor, 60)
{
	pid_t pid, waiter[2];
	int round;

	START();
	for (round = 0; round < rounds(100); round++) {
		memset(shared, 0, sizeof(*shared));
		r->one.vlt.runid = 0;
		pid = files_start(get_for_good, NULL);
		ASSERT_TRUE(wait_flag(0, 1));
		waiter[0] = files_start(get_and_wait, NULL);
		waiter[1] = files_start(get_and_wait, NULL);
		ASSERT_TRUE(wait_flag(1, 2));
		usleep(2000);
		EXPECT_EQ(0, shared->calls);	/* they wait, as long as it lives */
		kill(pid, SIGKILL);
		EXPECT_EQ(0, files_wait(waiter[0]));
		EXPECT_EQ(0, files_wait(waiter[1]));
		EXPECT_EQ(1000 + SIGKILL, files_wait(pid));
		EXPECT_EQ(1, shared->calls);
	}
}

static int get_stepped(void *arg)
{
	if (open_pool() || ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return 1;
	raise(SIGSTOP);
	if (!get(construct, 0))
		return 2;
	raise_flag(0);
	return 0;
}

TEST_F_TIMEOUT(pool, killed_after_each_instruction, 60)
{
	bool over = false;
	int n, i, status, again = 0;
	uint64_t *value;
	pid_t pid;

	if (!rounds_can_step())
		SKIP(return, "steps of ptrace are not instructions here");
	START();
	for (n = 0; n < 6000 && !over; n++) {
		memset(shared, 0, sizeof(*shared));
		r->one.vlt.runid = n % 2 ? 0 : 0xa5a5a5a5a5a5a5a5;
		pid = files_start(get_stepped, NULL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		for (i = 0; i < n && WIFSTOPPED(status); i++) {
			ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
			ASSERT_EQ(pid, waitpid(pid, &status, 0));
		}
		over = !WIFSTOPPED(status) || shared->flag[0];
		kill(pid, SIGKILL);
		value = get(construct, 0);
		ASSERT_EQ(&r->one.value, value);
		EXPECT_EQ(4711, *value);
		/* Twice if the first was killed in between, and never a third time. */
		EXPECT_GE(shared->calls, 1);
		EXPECT_LE(shared->calls, 2);
		again += shared->calls == 2;
		if (WIFSTOPPED(status))
			files_wait(pid);
	}
	EXPECT_TRUE(over);
	EXPECT_GT(again, 5);
}

TEST_HARNESS_MAIN
