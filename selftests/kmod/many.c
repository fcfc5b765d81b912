// SPDX-License-Identifier: BSD-3-Clause
/*
 * Several processes with several threads in one pool on a region: random operations, kills of some
 * and of all, and the device taken away. Who lives goes on, and cleans up after the dead; at the
 * end the pool holds what the slots name, and nothing else.
 */
#include "heap.h"

#include <pthread.h>

#include "lib/session.h"

#define PROCESSES	4
#define BIG		(512 << 10)
#define THREADS		(H_PARTS / PROCESSES)

FIXTURE(many)
{
	struct h_place place;
	struct t_child child[PROCESSES];
};

/* What a process of the test is to do; its children have a copy. */
static struct {
	char name[64];
	__u64 life;
	int process;
} task;

FIXTURE_VARIANT(many)
{
	int node;
};

FIXTURE_VARIANT_ADD(many, nvdimm)
{
	.node = 1,
};

/* What setups do; the pool is closed. */
#define MAKE_POOL() do {							\
	PMEMobjpool *__pop;							\
	int __ctl = t_reset(), __ret;						\
	ASSERT_LE(0, __ctl);							\
	close(__ctl);								\
	ASSERT_EQ(0, h_share());						\
	__ret = h_place_empty(&self->place, variant->node);			\
	T_NEED(__ret != -ENXIO, "no device");					\
	ASSERT_EQ(0, __ret);							\
	strcpy(task.name, self->place.name);					\
	task.life = 0;								\
	__pop = pmemobj_create(self->place.name, H_LAYOUT, 0, 0600);		\
	ASSERT_NE(NULL, __pop)							\
		TH_LOG("%s", pmemobj_errormsg());				\
	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(__pop, sizeof(struct h_root))));	\
	pmemobj_close(__pop);							\
} while (0)

FIXTURE_SETUP(many)
{
	MAKE_POOL();
}

FIXTURE_TEARDOWN(many)
{
	t_kill_all();
	close(t_reset());
	t_bind_all();
}

/* ---- processes ---------------------------------------------------------------------------- */

static void *work(void *arg)
{
	struct h_worker *w = arg;

	while (!h_failed() && !__atomic_load_n(&h_shared->leave, __ATOMIC_RELAXED)) {
		h_step(w);
		__atomic_add_fetch(&h_shared->steps[w->part], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Parts stay with their process: who follows a dead one finds what it left. */
static int work_until_told(int sock, void *arg)
{
	struct h_worker w[THREADS];
	pthread_t thread[THREADS];
	PMEMobjpool *pop;
	int i, k, part;

	pop = pmemobj_open(task.name, H_LAYOUT);
	if (!pop) {
		h_fail("open", errno, task.process);
		return 1;
	}
	for (i = 0; i < THREADS; i++) {
		part = task.process * THREADS + i;
		h_worker_init(&w[i], pop, part, task.life * H_PARTS + part);
		for (k = part * H_PART; !h_failed() && k < (part + 1) * H_PART; k++) {
			if (!OID_IS_NULL(w[i].root->slot[k]) && !h_whole(w[i].root->slot[k], k))
				return 1;
		}
	}
	for (i = 0; i < THREADS; i++)
		T_CHILD(!pthread_create(&thread[i], NULL, work, &w[i]));
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	if (h_failed())
		return 1;
	pmemobj_close(pop);
	return 0;
}

static int start(struct t_child *c, int process)
{
	task.process = process;
	task.life++;
	return t_spawn(c, work_until_told, NULL);
}

/* Do the threads of all processes but @but do @more steps, within 20 seconds? -1: all. */
static bool steps_are_done(int but, __u64 more)
{
	long end = t_now_ms() + 20000;
	__u64 before[H_PARTS];
	int i;

	for (i = 0; i < H_PARTS; i++)
		before[i] = __atomic_load_n(&h_shared->steps[i], __ATOMIC_RELAXED);
	for (i = 0; i < H_PARTS; i++) {
		while (i / THREADS != but &&
		       __atomic_load_n(&h_shared->steps[i], __ATOMIC_RELAXED) < before[i] + more) {
			if (h_failed() || t_now_ms() > end)
				return false;
			t_sleep_ms(1);
		}
	}
	return true;
}

static bool go_on(int but)
{
	return steps_are_done(but, 20);
}

#define START_ALL() do {							\
	int __i;								\
	for (__i = 0; __i < PROCESSES; __i++)					\
		ASSERT_EQ(0, start(&self->child[__i], __i));			\
} while (0)

/* ---- kills -------------------------------------------------------------------------------- */

#define KILLS	24

/* NULL, or what went wrong: one after the other is killed and followed, some while they open. */
static const char *kill_some(struct t_child *child, int kills)
{
	__u64 seed = 4242;
	int i, victim;

	for (i = 0; i < kills; i++) {
		victim = (int)(h_rnd(&seed) % PROCESSES);
		t_sleep_ms((long)(h_rnd(&seed) % 30));
		if (i % 4 == 0) {
			if (!go_on(-1))
				return "not all go on";
			kill(child[victim].pid, SIGSTOP);
			if (!go_on(victim))
				return "others do not go on beside a stopped process";
		}
		if (t_kill(&child[victim]) != -SIGKILL)
			return "a process ended by itself";
		if (i % 4 == 0 && !go_on(victim))
			return "others do not go on after a kill";
		if (start(&child[victim], victim))
			return "no new process";
	}
	return go_on(-1) ? NULL : "not all go on at the end";
}

#define KILLED_SOME(verdict) do {						\
	const char *__k = (verdict);						\
	ASSERT_EQ(NULL, __k)							\
		TH_LOG("%s: %s", __k, h_shared->text);				\
} while (0)

TEST_F_TIMEOUT(many, survivors_go_on, 120)
{
	size_t live;
	int i;

	START_ALL();
	KILLED_SOME(kill_some(self->child, KILLS));
	__atomic_store_n(&h_shared->leave, 1, __ATOMIC_RELAXED);
	for (i = 0; i < PROCESSES; i++)
		EXPECT_EQ(0, t_join(&self->child[i]));
	ASSERT_STREQ("", h_shared->text);
	H_GOOD(h_judge(self->place.name, &live));
	EXPECT_GT(live, H_SLOTS / 4);
}

/*
 * One process has the pool open all the time, and so the sidecar with what is known of the heap.
 * All others are killed; it reaps them, frees every object, and gets nearly all of the pool back.
 */
TEST_F_TIMEOUT(many, nothing_is_lost_to_the_dead, 120)
{
	PMEMobjpool *pop = pmemobj_open(self->place.name, H_LAYOUT);
	struct pobj_pool_info info;
	struct h_root *root;
	size_t i, n, live;
	PMEMoid *big;
	int k;

	ASSERT_NE(NULL, pop);
	START_ALL();
	KILLED_SOME(kill_some(self->child, KILLS / 4));
	for (k = 0; k < PROCESSES; k++)
		kill(self->child[k].pid, SIGKILL);
	for (k = 0; k < PROCESSES; k++)
		EXPECT_EQ(-SIGKILL, t_join(&self->child[k]));
	/* What they were at is undone or finished by that, not before. */
	EXPECT_EQ(PROCESSES, pobj_session_reap(pobj_pool_of(pop)));
	ASSERT_EQ(0, pobj_pool_info(self->place.name, &info));
	EXPECT_EQ(1, info.users);
	root = pmemobj_direct(pmemobj_root(pop, sizeof(*root)));
	for (i = 0; i < H_SLOTS; i++) {
		ASSERT_TRUE(OID_IS_NULL(root->slot[i]) || h_whole(root->slot[i], i))
			TH_LOG("%s", h_shared->text);
		pmemobj_free(&root->slot[i]);
		ASSERT_TRUE(OID_IS_NULL(root->slot[i]));
	}
	EXPECT_TRUE(OID_IS_NULL(pmemobj_first(pop)));
	big = calloc(info.bytes / BIG, sizeof(*big));
	for (n = 0; n < info.bytes / BIG; n++) {
		if (pmemobj_alloc(pop, &big[n], BIG, 1, NULL, NULL))
			break;
	}
	EXPECT_GT(n * BIG, info.page_cnt * info.page_bytes / 100 * 95);
	for (i = 0; i < n; i++)
		pmemobj_free(&big[i]);
	free(big);
	pmemobj_close(pop);
	H_GOOD(h_judge(self->place.name, &live));
	EXPECT_EQ(0, live);
}

/* Nobody is left to reap: the module recovers the pool before anybody maps it. */
TEST_F_TIMEOUT(many, all_killed_at_once, 120)
{
	struct pobj_pool_info info;
	__u64 seed = 99, undone = 0;
	size_t live;
	int i, round;

	for (round = 0; round < 5; round++) {
		START_ALL();
		ASSERT_TRUE(go_on(-1))
			TH_LOG("%s", h_shared->text);
		t_sleep_ms((long)(h_rnd(&seed) % 20));
		for (i = 0; i < PROCESSES; i++)
			kill(self->child[i].pid, SIGKILL);
		for (i = 0; i < PROCESSES; i++)
			EXPECT_EQ(-SIGKILL, t_join(&self->child[i]));
		ASSERT_EQ(0, pobj_pool_info(self->place.name, &info));
		EXPECT_EQ(0, info.users);
		EXPECT_EQ(0, info.region.flags & POBJ_INFO_RECOVERED);
		undone += info.live_entries;
		H_GOOD(h_judge(self->place.name, &live));
		EXPECT_GT(live, 0);
	}
	EXPECT_GT(undone, 0);
	TH_LOG("%llu live entries were recovered", undone);
}

/* ---- the device goes ---------------------------------------------------------------------- */

FIXTURE(unplugged)
{
	struct h_place place;
	struct t_child child[PROCESSES];
};

FIXTURE_VARIANT(unplugged)
{
	int node;
};

FIXTURE_VARIANT_ADD(unplugged, nvdimm)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(unplugged, virtio)
{
	.node = H_VIRTIO,
};

FIXTURE_SETUP(unplugged)
{
	MAKE_POOL();
}

FIXTURE_TEARDOWN(unplugged)
{
	t_kill_all();
	close(t_reset());
	t_bind_all();
}

static int hold_the_mutex(int sock, void *arg)
{
	PMEMobjpool *pop = pmemobj_open(task.name, H_LAYOUT);
	struct h_root *root = pop ? pmemobj_direct(pmemobj_root(pop, 0)) : NULL;

	T_CHILD(root);
	T_CHILD(!pmemobj_mutex_lock(pop, &root->mutex));
	t_put(sock, 1);
	for (;;)
		pause();
}

static int want_the_mutex(int sock, void *arg)
{
	PMEMobjpool *pop = pmemobj_open(task.name, H_LAYOUT);
	struct h_root *root = pop ? pmemobj_direct(pmemobj_root(pop, 0)) : NULL;

	T_CHILD(root);
	t_put(sock, 1);
	return pmemobj_mutex_lock(pop, &root->mutex) ? 2 : 3;
}

static int open_the_dead(int sock, void *arg)
{
	alarm(15);
	return pmemobj_open(task.name, H_LAYOUT) ? 0 : errno;
}

/*
 * In the middle of operations: whoever works ends by SIGBUS, or by an error where a fence is an
 * fsync. Who waits for a lock does, too, or is told that it cannot be had; nobody hangs. When the
 * device is back it is as after a kill.
 */
TEST_F_TIMEOUT(unplugged, in_use, 60)
{
	struct t_child holder, waiter;
	size_t live;
	long from;
	int i, ret;

	START_ALL();
	ASSERT_EQ(0, t_spawn(&holder, hold_the_mutex, NULL));
	ASSERT_EQ(0, t_get(holder.sock, NULL));
	ASSERT_EQ(0, t_spawn(&waiter, want_the_mutex, NULL));
	ASSERT_EQ(0, t_get(waiter.sock, NULL));
	ASSERT_TRUE(steps_are_done(-1, self->place.sync ? 50 : 3))
		TH_LOG("%s", h_shared->text);
	from = t_now_ms();
	ASSERT_EQ(0, t_dev_unbind(&self->place.dev));
	for (i = 0; i < PROCESSES; i++) {
		ret = t_join(&self->child[i]);
		EXPECT_TRUE(ret == -SIGBUS || (ret == 1 && !self->place.sync))
			TH_LOG("%d: %s", ret, h_shared->text);
	}
	ret = t_join(&waiter);
	EXPECT_TRUE(ret == -SIGBUS || ret == 2)
		TH_LOG("waiter: %d", ret);
	EXPECT_GT(20000, t_now_ms() - from);
	TH_LOG("all ended after %ld ms; %s", t_now_ms() - from, h_shared->text);
	ret = t_call(open_the_dead, NULL);
	EXPECT_LT(0, ret)
		TH_LOG("open: %d", ret);
	EXPECT_EQ(-SIGKILL, t_kill(&holder));
	t_bind_all();
	for (i = 0; i < 50 && h_place_find(&self->place, variant->node); i++)
		t_sleep_ms(100);
	memset(h_shared, 0, sizeof(*h_shared));
	H_GOOD(h_judge(self->place.name, &live));
	EXPECT_LT(0, live);
}

TEST_HARNESS_MAIN
