// SPDX-License-Identifier: BSD-3-Clause
/*
 * Locks of a pool on a region, between processes: they sleep on futexes in our mapping, exclude
 * each other, and are handed on after their holder was killed, with what it was at undone.
 */
#include "heap.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>

#define BOUND_MS	5000	/* 100 ms is promised; an emulated machine is slow */
#define CREW		4
#define TURNS		150

struct locked {
	PMEMmutex mutex;
	PMEMrwlock rwlock;
	PMEMcond cond;
	__u64 count;		/* under the mutex */
	__u64 turn;
	__u64 a;		/* equal, under the rwlock */
	__u64 b;
	PMEMoid object;
};

FIXTURE(locks)
{
	struct h_place place;
	PMEMobjpool *pop;
	struct locked *l;
};

FIXTURE_VARIANT(locks)
{
	int node;
};

FIXTURE_VARIANT_ADD(locks, nvdimm)
{
	.node = 1,
};

FIXTURE_VARIANT_ADD(locks, virtio)
{
	.node = H_VIRTIO,
};

FIXTURE_SETUP(locks)
{
	int ctl = t_reset(), ret;

	ASSERT_LE(0, ctl);
	close(ctl);
	ret = h_place_empty(&self->place, variant->node);
	T_NEED(ret != -ENXIO, "no device");
	ASSERT_EQ(0, ret);
	self->pop = pmemobj_create(self->place.name, H_LAYOUT, 0, 0600);
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	self->l = pmemobj_direct(pmemobj_root(self->pop, sizeof(*self->l)));
	ASSERT_NE(NULL, self->l);
}

FIXTURE_TEARDOWN(locks)
{
	t_kill_all();
	if (self->pop)
		pmemobj_close(self->pop);
	H_GOOD(h_check(self->place.name, NULL));
	close(t_reset());
	t_bind_all();
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

/* ---- what is done with a lock ------------------------------------------------------------- */

enum kind { MUTEX, READ, WRITE, COND };

/* What a child is to do; it has a copy. */
static struct {
	char name[64];
	enum kind act;
	int number;
} task;

static PMEMobjpool *pop;
static struct locked *l;

static void child_opens(void)
{
	pop = pmemobj_open(task.name, H_LAYOUT);
	T_CHILD(pop);
	l = pmemobj_direct(pmemobj_root(pop, 0));
	T_CHILD(l);
}

static int take(PMEMobjpool *p, struct locked *at, enum kind act, long ms)
{
	struct timespec t = in_ms(ms);
	int err;

	switch (act) {
	case READ:
		return pmemobj_rwlock_timedrdlock(p, &at->rwlock, &t);
	case WRITE:
		return pmemobj_rwlock_timedwrlock(p, &at->rwlock, &t);
	case MUTEX:
		return pmemobj_mutex_timedlock(p, &at->mutex, &t);
	default:
		/* Comes back with the mutex, signalled or not. */
		err = pmemobj_mutex_timedlock(p, &at->mutex, &t);
		t = in_ms(ms);
		return err ? err : pmemobj_cond_timedwait(p, &at->cond, &at->mutex, &t);
	}
}

static int give(PMEMobjpool *p, struct locked *at, enum kind act)
{
	return act == READ || act == WRITE ? pmemobj_rwlock_unlock(p, &at->rwlock) :
					     pmemobj_mutex_unlock(p, &at->mutex);
}

static int hold(int sock, void *arg)
{
	child_opens();
	T_CHILD(!take(pop, l, task.act, BOUND_MS));
	t_put(sock, 1);
	for (;;)
		pause();
}

/* Says before, waits, says after. */
static int wait_for(int sock, void *arg)
{
	int err;

	child_opens();
	t_put(sock, 1);
	err = take(pop, l, task.act, 4 * BOUND_MS);
	t_put(sock, 100 + err);
	return task.act == COND || !err ? give(pop, l, task.act) : err;
}

static int begin(struct t_child *c, const char *name, enum kind act,
		 int (*fn)(int sock, void *arg))
{
	int ret;

	strcpy(task.name, name);
	task.act = act;
	ret = t_spawn(c, fn, NULL);
	return ret ? ret : t_get(c->sock, NULL);
}

/* ---- futexes ------------------------------------------------------------------------------ */

/* Does somebody sleep on a word of [@at, @at + @bytes)? Wakes him; -1: nobody did within 5 s. */
static int wake_one(void *at, size_t bytes)
{
	long end = t_now_ms() + 5000;
	char *word;

	while (t_now_ms() < end) {
		for (word = at; word < (char *)at + bytes; word += 4) {
			if (syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) == 1)
				return (int)(word - (char *)at);
		}
	}
	return -1;
}

/*
 * The kernel finds one and the same futex for two processes that map the region at different
 * addresses. A lock that only polls would work as well, slowly; this shows that it sleeps.
 */
TEST_F_TIMEOUT(locks, sleep_in_the_mapping, 60)
{
	struct t_child c;
	__u64 value;

	ASSERT_EQ(0, take(self->pop, self->l, MUTEX, 0));
	ASSERT_EQ(0, begin(&c, self->place.name, MUTEX, wait_for));
	EXPECT_LE(0, wake_one(&self->l->mutex, sizeof(self->l->mutex)));
	EXPECT_EQ(0, give(self->pop, self->l, MUTEX));
	EXPECT_EQ(0, t_get(c.sock, &value));
	EXPECT_EQ(100, value);
	EXPECT_EQ(0, t_join(&c));

	ASSERT_EQ(0, take(self->pop, self->l, READ, 0));
	ASSERT_EQ(0, begin(&c, self->place.name, WRITE, wait_for));
	EXPECT_LE(0, wake_one(&self->l->rwlock, sizeof(self->l->rwlock)));
	EXPECT_EQ(0, give(self->pop, self->l, READ));
	EXPECT_EQ(0, t_join(&c));

	ASSERT_EQ(0, begin(&c, self->place.name, COND, wait_for));
	EXPECT_LE(0, wake_one(&self->l->cond, sizeof(self->l->cond)));
	/* A signal, now and then in case it does not wait yet, sends it home. */
	do {
		ASSERT_EQ(0, take(self->pop, self->l, MUTEX, BOUND_MS));
		pmemobj_cond_signal(self->pop, &self->l->cond);
		EXPECT_EQ(0, give(self->pop, self->l, MUTEX));
		t_sleep_ms(1);
	} while (recv(c.sock, &value, sizeof(value), MSG_DONTWAIT) != sizeof(value));
	EXPECT_EQ(100, value);
	EXPECT_EQ(0, t_join(&c));
}

/* ---- exclusion ---------------------------------------------------------------------------- */

/* Not atomic on purpose. */
static void count_up(__u64 *n)
{
	__u64 old = *(volatile __u64 *)n;

	if (old % 16 == 0)
		sched_yield();
	*(volatile __u64 *)n = old + 1;
}

static int count_and_take_turns(int sock, void *arg)
{
	int i;

	child_opens();
	for (i = 0; i < TURNS; i++) {
		T_CHILD(!pmemobj_mutex_lock(pop, &l->mutex));
		count_up(&l->count);
		T_CHILD(!pmemobj_mutex_unlock(pop, &l->mutex));

		T_CHILD(!pmemobj_rwlock_wrlock(pop, &l->rwlock));
		count_up(&l->a);
		count_up(&l->b);
		T_CHILD(!pmemobj_rwlock_unlock(pop, &l->rwlock));

		T_CHILD(!pmemobj_rwlock_rdlock(pop, &l->rwlock));
		T_CHILD(*(volatile __u64 *)&l->a == *(volatile __u64 *)&l->b);
		T_CHILD(!pmemobj_rwlock_unlock(pop, &l->rwlock));

		/* In a fixed order: each waits for all others to have had their turn. */
		T_CHILD(!pmemobj_mutex_lock(pop, &l->mutex));
		while (l->turn % CREW != task.number)
			T_CHILD(!pmemobj_cond_wait(pop, &l->cond, &l->mutex));
		l->turn++;
		pmemobj_cond_broadcast(pop, &l->cond);
		T_CHILD(!pmemobj_mutex_unlock(pop, &l->mutex));
	}
	pmemobj_close(pop);
	return 0;
}

TEST_F_TIMEOUT(locks, exclude, 60)
{
	struct t_child c[CREW];
	long from = t_now_ms();
	int i;

	strcpy(task.name, self->place.name);
	for (i = 0; i < CREW; i++) {
		task.number = i;
		ASSERT_EQ(0, t_spawn(&c[i], count_and_take_turns, NULL));
	}
	for (i = 0; i < CREW; i++)
		EXPECT_EQ(0, t_join(&c[i]));
	EXPECT_EQ(CREW * TURNS, self->l->count);
	EXPECT_EQ(CREW * TURNS, self->l->a);
	EXPECT_EQ(CREW * TURNS, self->l->b);
	EXPECT_EQ(CREW * TURNS, self->l->turn);
	/* A wake-up that is lost costs 100 ms: if all were, a minute. */
	EXPECT_GT(30000, t_now_ms() - from);
}

/* ---- the dead ----------------------------------------------------------------------------- */

static const struct {
	enum kind held;
	enum kind want;
} pairs[] = { { MUTEX, MUTEX }, { READ, WRITE }, { WRITE, READ }, { WRITE, WRITE } };

/* Who comes after the kill, and who waited before it. */
TEST_F_TIMEOUT(locks, holder_killed, 60)
{
	struct t_child holder, waiter;
	__u64 value;
	size_t i;
	long from;

	for (i = 0; i < 2 * ARRAY_SIZE(pairs); i++) {
		enum kind held = pairs[i / 2].held, want = pairs[i / 2].want;

		ASSERT_EQ(0, begin(&holder, self->place.name, held, hold));
		EXPECT_EQ(ETIMEDOUT, take(self->pop, self->l, want, 20));
		if (i % 2) {
			ASSERT_EQ(0, begin(&waiter, self->place.name, want, wait_for));
			t_sleep_ms(50);
		}
		from = t_now_ms();
		EXPECT_EQ(-SIGKILL, t_kill(&holder));
		if (i % 2) {
			EXPECT_EQ(0, t_get(waiter.sock, &value));
			EXPECT_EQ(100, value);
			EXPECT_EQ(0, t_join(&waiter));
		} else {
			EXPECT_EQ(0, take(self->pop, self->l, want, BOUND_MS));
			EXPECT_EQ(0, give(self->pop, self->l, want));
		}
		EXPECT_GT(BOUND_MS, t_now_ms() - from);
	}
}

static int die_inside(PMEMobjpool *p, void *ptr, void *arg)
{
	memset(ptr, 0x77, 64);
	raise(SIGKILL);
	return 0;
}

/* Holds the mutex, has replaced an object, and dies in the next allocation. */
static int die_at_work(int sock, void *arg)
{
	struct pobj_action act;

	child_opens();
	T_CHILD(!pmemobj_mutex_lock(pop, &l->mutex));
	T_CHILD(!pmemobj_zalloc(pop, &l->object, 500, 1));
	T_CHILD(!OID_IS_NULL(pmemobj_reserve(pop, &act, 300000, 2)));
	pmemobj_free(&l->object);
	pmemobj_alloc(pop, &l->object, 64, 1, die_inside, NULL);
	return 99;
}

/* The next holder sees nothing half-done: the dead one was reaped first. */
TEST_F_TIMEOUT(locks, handed_on_after_recovery, 60)
{
	struct t_child c;
	int i;

	strcpy(task.name, self->place.name);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, t_spawn(&c, die_at_work, NULL));
		EXPECT_EQ(-SIGKILL, t_join(&c));
		ASSERT_EQ(0, take(self->pop, self->l, MUTEX, BOUND_MS));
		EXPECT_TRUE(OID_IS_NULL(self->l->object));
		EXPECT_TRUE(OID_IS_NULL(pmemobj_first(self->pop)));
		ASSERT_EQ(0, pmemobj_zalloc(self->pop, &self->l->object, 64, 1));
		EXPECT_EQ(0, *(__u64 *)pmemobj_direct(self->l->object));
		pmemobj_free(&self->l->object);
		EXPECT_EQ(0, give(self->pop, self->l, MUTEX));
	}
}

/* All who knew of the lock are gone: at the next opening it is free. */
TEST_F_TIMEOUT(locks, all_killed, 60)
{
	struct t_child c[2];

	pmemobj_close(self->pop);
	self->pop = NULL;
	ASSERT_EQ(0, begin(&c[0], self->place.name, MUTEX, hold));
	ASSERT_EQ(0, begin(&c[1], self->place.name, WRITE, hold));
	EXPECT_EQ(-SIGKILL, t_kill(&c[0]));
	EXPECT_EQ(-SIGKILL, t_kill(&c[1]));
	self->pop = pmemobj_open(self->place.name, H_LAYOUT);
	ASSERT_NE(NULL, self->pop);
	self->l = pmemobj_direct(pmemobj_root(self->pop, 0));
	EXPECT_EQ(0, pmemobj_mutex_trylock(self->pop, &self->l->mutex));
	EXPECT_EQ(0, pmemobj_rwlock_trywrlock(self->pop, &self->l->rwlock));
	EXPECT_EQ(0, give(self->pop, self->l, MUTEX));
	EXPECT_EQ(0, give(self->pop, self->l, WRITE));
}

TEST_HARNESS_MAIN
