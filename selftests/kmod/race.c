// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Everything at once: threads of one address space, processes that are killed anywhere, claim and
 * release under the feet of those who attach. What is counted at the end must come out even, and
 * the kernel log must stay clean.
 */
#include "child.h"
#include "fault.h"

#include <pthread.h>

FIXTURE(race)
{
	struct t_pool p;
};

FIXTURE_VARIANT(race)
{
	int node;
};

FIXTURE_VARIANT_ADD(race, node0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(race, node1)
{
	.node = 1,
};

FIXTURE_SETUP(race)
{
	T_POOL_MAKE(&self->p, variant->node);
}

FIXTURE_TEARDOWN(race)
{
	t_kill_all();
	t_pool_drop(&self->p);
}

/* ---- threads ------------------------------------------------------------------------------ */

struct thread {
	struct t_pool *p;
	int seed;
	long end;
	int rounds;
	int errors;
};

static void *thread_attaches(void *arg)
{
	struct thread *t = arg;
	__u64 off = t->p->free + t->seed * T_HUGE;
	struct pobj_ioc_info i;
	volatile __u64 *map;
	int fd, ret;

	for (; t_now_ms() < t->end; t->rounds++) {
		fd = t_attach(t->p->ctl, t->p->id, 0, NULL);
		if (fd < 0) {
			t->errors++;
			break;
		}
		map = mmap(NULL, T_HUGE, T_RW, MAP_SHARED, fd, off);
		if (map == MAP_FAILED) {
			t->errors++;
			break;
		}
		/* No other thread's detaching takes away what this one maps. */
		map[t->rounds % 512] = t->rounds;
		t->errors += t_info(fd, &i) || !i.out_session;
		t->errors += map[t->rounds % 512] != t->rounds;
		if (t->rounds & 1) {
			ret = t_detach(fd);
			t->errors += ret != -EBUSY;
		}
		munmap((void *)map, T_HUGE);
		if (t->rounds & 2) {
			ret = t_detach(fd);
			t->errors += ret != 0;
		}
		close(fd);
	}
	return NULL;
}

TEST_F_TIMEOUT(race, threads, 60)
{
	struct pobj_ioc_info i;
	struct thread t[6];
	pthread_t id[6];
	int k;

	for (k = 0; k < 6; k++) {
		t[k] = (struct thread){ &self->p, k, t_now_ms() + 4000, 0, 0 };
		ASSERT_EQ(0, pthread_create(&id[k], NULL, thread_attaches, &t[k]));
	}
	for (k = 0; k < 6; k++) {
		pthread_join(id[k], NULL);
		EXPECT_EQ(0, t[k].errors);
		EXPECT_LT(0, t[k].rounds);
	}
	/* The first file was open all the time. */
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(self->p.session, i.out_session);
	EXPECT_TRUE(i.out_region.flags & POBJ_REGION_RECOVERED);
	EXPECT_EQ(0, t_detach(self->p.fd));
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
}

/* All faults of all threads meet in the same 2 MiB. */
static void *thread_faults(void *arg)
{
	struct thread *t = arg;
	volatile __u8 *map = mmap(NULL, 2 * T_HUGE, T_RW, MAP_SHARED, t->p->fd, t->p->free);
	__u64 k;

	if (map == MAP_FAILED) {
		t->errors++;
		return NULL;
	}
	for (; t_now_ms() < t->end; t->rounds++) {
		for (k = 0; k < 2 * T_HUGE; k += 64 * T_PAGE)
			map[k + t->seed] = t->seed;
		switch ((t->rounds + t->seed) % 4) {
		case 0:
			madvise((void *)map, 2 * T_HUGE, MADV_DONTNEED);
			break;
		case 1:
			mprotect((void *)(map + T_PAGE), T_PAGE, PROT_READ);
			mprotect((void *)(map + T_PAGE), T_PAGE, T_RW);
			break;
		case 2:
			msync((void *)map, T_HUGE, MS_SYNC);
			break;
		}
		for (k = 0; k < 2 * T_HUGE; k += 64 * T_PAGE)
			t->errors += map[k + t->seed] != t->seed;
	}
	munmap((void *)map, 2 * T_HUGE);
	return NULL;
}

TEST_F_TIMEOUT(race, faults, 60)
{
	struct thread t[6];
	pthread_t id[6];
	int k;

	for (k = 0; k < 6; k++) {
		t[k] = (struct thread){ &self->p, k, t_now_ms() + 4000, 0, 0 };
		ASSERT_EQ(0, pthread_create(&id[k], NULL, thread_faults, &t[k]));
	}
	for (k = 0; k < 6; k++) {
		pthread_join(id[k], NULL);
		EXPECT_EQ(0, t[k].errors);
		EXPECT_LT(0, t[k].rounds);
	}
	EXPECT_EQ(0, t_detach(self->p.fd));
}

/* ---- kills -------------------------------------------------------------------------------- */

/* Attach, recover, map, format, detach, over and over, until killed. */
static int child_does_all(int sock, void *arg)
{
	struct t_pool *p = arg;
	int ctl = t_ctl(), fd, k;
	volatile __u64 *map, *side;
	__u8 uuid[16];

	t_put(sock, 1);
	for (k = 0;; k++) {
		fd = t_attach(ctl, p->id, 0, NULL);
		T_CHILD(fd >= 0);
		t_recover(fd, NULL);
		map = mmap(NULL, 4 * T_HUGE, T_RW, MAP_SHARED, fd, p->free);
		side = mmap(NULL, T_PAGE, T_RW, MAP_SHARED, fd, POBJ_MMAP_SIDECAR);
		if (map != MAP_FAILED) {
			map[0] = k;
			map[T_HUGE / 8] = k;
			munmap((void *)map, 4 * T_HUGE);
		}
		if (side != MAP_FAILED) {
			side[0] = k;
			munmap((void *)side, T_PAGE);
		}
		if (k % 4 == 0) {
			t_uuid(uuid);
			t_format(fd, uuid, POBJ_FORMAT_FORCE);
		}
		if (k & 1)
			t_detach(fd);
		close(fd);
	}
	return 0;
}

TEST_F_TIMEOUT(race, killed_anywhere, 90)
{
	struct pobj_ioc_recover r;
	struct t_child c[3];
	int round, k, fd, ret;

	close(self->p.fd);
	self->p.fd = -1;
	for (round = 0; round < 25; round++) {
		for (k = 0; k < 3; k++) {
			ASSERT_EQ(0, t_spawn(&c[k], child_does_all, &self->p));
			ASSERT_EQ(0, t_get(c[k].sock, NULL));
		}
		t_sleep_ms(7 * round % 60);
		for (k = 0; k < 3; k++)
			EXPECT_EQ(-SIGKILL, t_kill(&c[k]));
		ASSERT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
		fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		ASSERT_LE(0, fd);
		/* Killed in the middle of formatting there may be no pool. */
		ret = t_recover(fd, &r);
		if (ret)
			EXPECT_EQ(0, t_format(fd, self->p.uuid, POBJ_FORMAT_FORCE))
				TH_LOG("recovery: %d, %u", ret, r.out_diag);
		EXPECT_EQ(0, t_try_map(fd, T_PAGE, T_RW, MAP_SHARED, self->p.free));
		EXPECT_EQ(0, t_detach(fd));
		close(fd);
	}
	EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
}

/* ---- claim and release -------------------------------------------------------------------- */

static int child_attaches_if_it_can(int sock, void *arg)
{
	struct t_pool *p = arg;
	struct pobj_region r[4];
	long end = t_now_ms() + 4000;
	int ctl = t_ctl(), fd;
	__u64 got = 0;

	t_put(sock, 1);
	while (t_now_ms() < end) {
		fd = t_attach_uuid(ctl, p->uuid, 0);
		T_CHILD(fd >= 0 || fd == -ENOENT);
		T_CHILD(t_list(ctl, r, 4) >= 0);
		if (fd < 0)
			continue;
		got++;
		/* Nobody takes away what is attached. */
		T_CHILD(t_recover(fd, NULL) == 0);
		T_CHILD(!t_try_map(fd, T_PAGE, T_RW, MAP_SHARED, p->free));
		close(fd);
	}
	t_put(sock, got);
	return 0;
}

TEST_F_TIMEOUT(race, release_against_attach, 60)
{
	struct t_child c[3];
	__u64 got, cycles = 0;
	long end;
	int k, ret;

	close(self->p.fd);
	self->p.fd = -1;
	for (k = 0; k < 3; k++) {
		ASSERT_EQ(0, t_spawn(&c[k], child_attaches_if_it_can, &self->p));
		ASSERT_EQ(0, t_get(c[k].sock, NULL));
	}
	end = t_now_ms() + 3500;
	while (t_now_ms() < end) {
		ret = t_release(self->p.ctl, self->p.id);
		if (ret) {
			ASSERT_EQ(-EBUSY, ret);
			continue;
		}
		ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
		cycles++;
		t_sleep_ms(1);
	}
	for (k = 0; k < 3; k++) {
		EXPECT_EQ(0, t_get(c[k].sock, &got));
		EXPECT_EQ(0, t_join(&c[k]));
		TH_LOG("attached %llu times", got);
	}
	TH_LOG("released %llu times", cycles);
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
}

TEST_HARNESS_MAIN
