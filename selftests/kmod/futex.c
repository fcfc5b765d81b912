// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Futexes between processes, in data and sidecar: PMEMmutex and the library's own locks stand on
 * them. Without page->mapping a shared futex is EFAULT, and glibc aborts the waiter.
 */
#include "child.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

FIXTURE(futex)
{
	struct t_pool p;
	__u64 off;
};

FIXTURE_VARIANT(futex)
{
	int node;
	bool sidecar;
	bool small;
};

FIXTURE_VARIANT_ADD(futex, data0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(futex, data1)
{
	.node = 1,
};

/* In a mapping of 4 KiB pages. */
FIXTURE_VARIANT_ADD(futex, data0_small)
{
	.node = 0,
	.small = true,
};

FIXTURE_VARIANT_ADD(futex, sidecar0)
{
	.node = 0,
	.sidecar = true,
};

FIXTURE_VARIANT_ADD(futex, sidecar1)
{
	.node = 1,
	.sidecar = true,
};

/**
 * struct shared - what the processes share
 * @lock: robust, process-shared
 * @counter: changed under @lock
 * @word: for FUTEX_WAIT
 * @waiting: processes about to wait
 */
struct shared {
	pthread_mutex_t lock;
	__u64 counter;
	__u32 word;
	__u32 waiting;
};

/* How a child gets at it, on its own. */
struct place {
	__u64 id;
	__u64 off;
	size_t len;
	size_t at;
};

static struct place place;

FIXTURE_SETUP(futex)
{
	T_POOL_MAKE(&self->p, variant->node);
	self->off = variant->sidecar ? POBJ_MMAP_SIDECAR : self->p.free;
	place.id = self->p.id;
	place.off = self->off;
	/* Behind the middle of 2 MiB, so that tail pages are met. */
	place.len = variant->small || variant->sidecar ? 4 * T_PAGE : T_HUGE;
	place.at = place.len - T_PAGE + 128;
	if (self->p.info.out_sidecar_bytes < place.len && variant->sidecar) {
		place.len = T_PAGE;
		place.at = 0;
	}
}

FIXTURE_TEARDOWN(futex)
{
	t_kill_all();
	t_pool_drop(&self->p);
}

static struct shared *map_shared(int fd)
{
	char *p = t_map(fd, place.len, place.off);

	return p == MAP_FAILED ? NULL : (struct shared *)(p + place.at);
}

static struct shared *attach_shared(void)
{
	int fd = t_attach(t_ctl(), place.id, 0, NULL);

	T_CHILD(fd >= 0);
	return map_shared(fd);
}

static int make_shared(struct shared *s)
{
	pthread_mutexattr_t a;

	memset(s, 0, sizeof(*s));
	if (pthread_mutexattr_init(&a) ||
	    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED) ||
	    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST))
		return -1;
	return pthread_mutex_init(&s->lock, &a);
}

static long futex(__u32 *word, int op, __u32 val, struct timespec *timeout)
{
	long ret = syscall(SYS_futex, word, op, val, timeout, NULL, 0);

	return ret < 0 ? -errno : ret;
}

static int child_counts(int sock, void *arg)
{
	struct shared *s = attach_shared();
	__u64 seen;
	int i, ret;

	T_CHILD(s);
	T_CHILD(!t_put(sock, 1) && !t_get(sock, NULL));
	for (i = 0; i < 1000; i++) {
		ret = pthread_mutex_lock(&s->lock);
		T_CHILD(!ret);
		seen = s->counter;
		/* Let the other run into the lock. */
		if (i % 4 == 0)
			sched_yield();
		s->counter = seen + 1;
		ret = pthread_mutex_unlock(&s->lock);
		T_CHILD(!ret);
	}
	return 0;
}

TEST_F_TIMEOUT(futex, contention, 90)
{
	struct shared *s = map_shared(self->p.fd);
	struct t_child c[2];
	int i;

	ASSERT_NE(NULL, s);
	ASSERT_EQ(0, make_shared(s));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, t_spawn(&c[i], child_counts, NULL));
		ASSERT_EQ(0, t_get(c[i].sock, NULL));
	}
	for (i = 0; i < 2; i++)
		t_put(c[i].sock, 1);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, t_join(&c[i]));
	EXPECT_EQ(2000, s->counter);
}

static int child_holds(int sock, void *arg)
{
	struct shared *s = attach_shared();

	T_CHILD(s);
	T_CHILD(!pthread_mutex_lock(&s->lock));
	s->counter++;
	t_put(sock, 1);
	pause();
	return 0;
}

static int child_inherits(int sock, void *arg)
{
	struct shared *s = attach_shared();
	int ret;

	T_CHILD(s);
	t_put(sock, 1);
	ret = pthread_mutex_lock(&s->lock);
	T_CHILD(ret == EOWNERDEAD);
	T_CHILD(s->counter == 1);
	s->counter++;
	T_CHILD(!pthread_mutex_consistent(&s->lock));
	T_CHILD(!pthread_mutex_unlock(&s->lock));
	return 0;
}

TEST_F(futex, owner_killed)
{
	struct shared *s = map_shared(self->p.fd);
	struct t_child owner, heir;

	ASSERT_NE(NULL, s);
	ASSERT_EQ(0, make_shared(s));
	ASSERT_EQ(0, t_spawn(&owner, child_holds, NULL));
	ASSERT_EQ(0, t_get(owner.sock, NULL));
	/* One waits when it happens, one comes later. */
	ASSERT_EQ(0, t_spawn(&heir, child_inherits, NULL));
	ASSERT_EQ(0, t_get(heir.sock, NULL));
	t_sleep_ms(300);
	EXPECT_EQ(EBUSY, pthread_mutex_trylock(&s->lock));
	EXPECT_EQ(-SIGKILL, t_kill(&owner));
	EXPECT_EQ(0, t_join(&heir));
	EXPECT_EQ(2, s->counter);
	EXPECT_EQ(0, pthread_mutex_lock(&s->lock));
	EXPECT_EQ(0, pthread_mutex_unlock(&s->lock));
}

TEST_F(futex, owner_killed_without_a_waiter)
{
	struct shared *s = map_shared(self->p.fd);
	struct t_child owner;

	ASSERT_NE(NULL, s);
	ASSERT_EQ(0, make_shared(s));
	ASSERT_EQ(0, t_spawn(&owner, child_holds, NULL));
	ASSERT_EQ(0, t_get(owner.sock, NULL));
	EXPECT_EQ(-SIGKILL, t_kill(&owner));
	EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(&s->lock));
	EXPECT_EQ(0, pthread_mutex_consistent(&s->lock));
	EXPECT_EQ(0, pthread_mutex_unlock(&s->lock));
}

static int child_waits(int sock, void *arg)
{
	struct timespec limit = { .tv_sec = 20 };
	struct shared *s = attach_shared();
	long ret;

	T_CHILD(s);
	__atomic_add_fetch(&s->waiting, 1, __ATOMIC_SEQ_CST);
	do {
		ret = futex(&s->word, FUTEX_WAIT, 0, &limit);
	} while (ret == -EINTR);
	T_CHILD(!ret || ret == -EAGAIN);
	return ret ? 1 : 0;
}

TEST_F(futex, wait_and_wake)
{
	struct shared *s = map_shared(self->p.fd);
	struct timespec soon = { .tv_nsec = 1000 };
	struct t_child c[3];
	long end, woken = 0;
	int i;

	ASSERT_NE(NULL, s);
	ASSERT_EQ(0, make_shared(s));
	EXPECT_EQ(-EAGAIN, futex(&s->word, FUTEX_WAIT, 1, NULL));
	EXPECT_EQ(-ETIMEDOUT, futex(&s->word, FUTEX_WAIT, 0, &soon));
	EXPECT_EQ(0, futex(&s->word, FUTEX_WAKE, 10, NULL));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, t_spawn(&c[i], child_waits, NULL));
	end = t_now_ms() + 15000;
	while (__atomic_load_n(&s->waiting, __ATOMIC_SEQ_CST) != 3 && t_now_ms() < end)
		t_sleep_ms(5);
	/* One, then the others: each is woken once, in whatever mapping it waits. */
	while (woken < 1 && t_now_ms() < end) {
		woken += futex(&s->word, FUTEX_WAKE, 1, NULL);
		t_sleep_ms(1);
	}
	EXPECT_EQ(1, woken);
	while (woken < 3 && t_now_ms() < end) {
		woken += futex(&s->word, FUTEX_WAKE, INT_MAX, NULL);
		t_sleep_ms(1);
	}
	EXPECT_EQ(3, woken);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, t_join(&c[i]));
}

/* Two addresses of one word in one process are one futex; neighbours are not. */
TEST_F(futex, identity)
{
	struct shared *a = map_shared(self->p.fd), *b = map_shared(self->p.fd);
	struct t_child c;

	ASSERT_TRUE(a && b && a != b);
	ASSERT_EQ(0, make_shared(a));
	ASSERT_EQ(0, t_spawn(&c, child_waits, NULL));
	while (!__atomic_load_n(&a->waiting, __ATOMIC_SEQ_CST))
		t_sleep_ms(5);
	t_sleep_ms(200);
	EXPECT_EQ(0, futex(&a->word + 1, FUTEX_WAKE, 1, NULL));
	EXPECT_EQ(0, futex((__u32 *)((char *)a - T_PAGE + (place.at < T_PAGE ? T_PAGE + 64 : 0)),
			   FUTEX_WAKE, 1, NULL));
	EXPECT_EQ(1, futex(&b->word, FUTEX_WAKE, 1, NULL));
	EXPECT_EQ(0, t_join(&c));
}

/* The same futex word before and after the region had no user at all. */
TEST_F(futex, after_a_new_claim)
{
	struct shared *s = map_shared(self->p.fd);
	struct t_child c;

	ASSERT_NE(NULL, s);
	ASSERT_EQ(0, make_shared(s));
	EXPECT_EQ(0, futex(&s->word, FUTEX_WAKE, 1, NULL));
	ASSERT_EQ(0, t_pool_cycle(&self->p));
	ASSERT_EQ(0, t_recover(self->p.fd, NULL));
	place.id = self->p.id;
	s = map_shared(self->p.fd);
	ASSERT_NE(NULL, s);
	ASSERT_EQ(0, make_shared(s));
	ASSERT_EQ(0, t_spawn(&c, child_holds, NULL));
	ASSERT_EQ(0, t_get(c.sock, NULL));
	EXPECT_EQ(-SIGKILL, t_kill(&c));
	EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(&s->lock));
}

TEST_HARNESS_MAIN
