// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The device goes away under the region: mappings turn into SIGBUS, calls into errors, pinned
 * pages hold the removal up, and nothing of it outlives the region.
 */
#include "child.h"
#include "fault.h"

#include <pthread.h>
#include <sys/uio.h>

FIXTURE(unbind)
{
	struct t_pool p;
};

FIXTURE_VARIANT(unbind)
{
	int node;
};

FIXTURE_VARIANT_ADD(unbind, node0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(unbind, node1)
{
	.node = 1,
};

FIXTURE_SETUP(unbind)
{
	T_POOL_MAKE(&self->p, variant->node);
}

FIXTURE_TEARDOWN(unbind)
{
	t_kill_all();
	t_pool_drop(&self->p);
	t_bind_all();
}

/* After the device is back: a new region on it. */
static int claim_anew(struct t_pool *p)
{
	int ret;

	ret = t_dev_bind(&p->dev);
	if (!ret)
		ret = t_claim(p->ctl, &p->dev, &p->id);
	if (ret)
		return ret;
	p->fd = t_attach(p->ctl, p->id, 0, NULL);
	return p->fd < 0 ? p->fd : t_recover(p->fd, NULL);
}

/* Maps, waits for the unbinding, and says how its accesses went. */
static int child_maps(int sock, void *arg)
{
	struct t_pool *p = arg;
	struct t_fault f;
	int fd = t_attach(t_ctl(), p->id, 0, NULL);
	__u8 *huge, *small, *late, *side;

	T_CHILD(fd >= 0);
	huge = t_map(fd, 2 * T_HUGE, p->free);
	small = t_map(fd, 2 * T_PAGE, p->free + 4 * T_HUGE);
	late = t_map(fd, T_HUGE, p->free + 8 * T_HUGE);
	side = t_map(fd, T_PAGE, POBJ_MMAP_SIDECAR);
	T_CHILD(huge != MAP_FAILED && small != MAP_FAILED && late != MAP_FAILED);
	T_CHILD(side != MAP_FAILED);
	huge[5] = 1;
	small[5] = 2;
	side[5] = 3;
	T_CHILD(!t_put(sock, 1) && !t_get(sock, NULL));
	f = t_load(huge + 5);
	T_CHILD(f.sig == SIGBUS && f.code == BUS_ADRERR && f.addr == huge + 5);
	f = t_store(huge + T_HUGE + 4097);
	T_CHILD(f.sig == SIGBUS && f.code == BUS_ADRERR && f.addr == huge + T_HUGE + 4097);
	f = t_store(small + 5);
	T_CHILD(f.sig == SIGBUS && f.code == BUS_ADRERR && f.addr == small + 5);
	f = t_load(late);
	T_CHILD(f.sig == SIGBUS && f.code == BUS_ADRERR && f.addr == late);
	/* The sidecar is memory. It may go or stay, but not crash. */
	f = t_load(side + 5);
	T_CHILD(!f.sig || f.sig == SIGBUS);
	msync(huge, T_HUGE, MS_SYNC);
	fsync(fd);
	T_CHILD(!t_put(sock, 1));
	t_get(sock, NULL);
	T_CHILD(t_try_map(fd, T_PAGE, T_RW, MAP_SHARED, 0) == -ENXIO);
	T_CHILD(t_recover(fd, NULL) == -ENODEV);
	t_unmap_all();
	return 0;
}

TEST_F(unbind, while_mapped)
{
	struct pobj_ioc_info i;
	struct pobj_region r;
	struct t_child c;
	__u8 uuid[16], *p;
	int ret;

	ASSERT_EQ(0, t_spawn(&c, child_maps, &self->p));
	ASSERT_EQ(0, t_get(c.sock, NULL));
	ASSERT_EQ(0, t_dev_unbind(&self->p.dev));
	t_put(c.sock, 1);
	ASSERT_EQ(0, t_get(c.sock, NULL));

	/* The region is still there to be released, and says why. */
	ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &r));
	EXPECT_TRUE(r.flags & POBJ_REGION_DEAD);
	EXPECT_EQ(2, r.sessions);
	t_uuid(uuid);
	EXPECT_EQ(-ENODEV, t_recover(self->p.fd, NULL));
	EXPECT_EQ(-ENODEV, t_format(self->p.fd, uuid, POBJ_FORMAT_FORCE));
	ret = t_info(self->p.fd, &i);
	EXPECT_TRUE(ret == -ENODEV || (!ret && i.out_region.flags & POBJ_REGION_DEAD));
	TH_LOG("INFO of a dead region: %d", ret);
	ret = t_attach(self->p.ctl, self->p.id, 0, NULL);
	EXPECT_EQ(-ENODEV, ret);
	ret = t_attach_uuid(self->p.ctl, self->p.uuid, 0);
	EXPECT_TRUE(ret == -ENODEV || ret == -ENOENT);
	EXPECT_EQ(-ENXIO, t_try_map(self->p.fd, T_PAGE, T_RW, MAP_SHARED, 0));
	EXPECT_EQ(-ENXIO, t_try_map(self->p.fd, T_PAGE, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR));
	EXPECT_EQ(-EBUSY, t_release(self->p.ctl, self->p.id));
	t_put(c.sock, 1);
	EXPECT_EQ(0, t_join(&c));
	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
	EXPECT_EQ(0, t_list(self->p.ctl, NULL, 0));

	/* Nothing of the data was lost. */
	ASSERT_EQ(0, claim_anew(&self->p));
	p = t_map(self->p.fd, 5 * T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(1, p[5]);
	EXPECT_EQ(2, p[4 * T_HUGE + 5]);
}

TEST_F(unbind, while_claimed)
{
	struct pobj_region r;

	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	ASSERT_EQ(0, t_dev_unbind(&self->p.dev));
	/* "A claim lasts until ... the device is unbound": gone, or there to be released. */
	if (!t_region(self->p.ctl, self->p.id, &r)) {
		EXPECT_TRUE(r.flags & POBJ_REGION_DEAD);
		EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
	}
	EXPECT_EQ(-ENOENT, t_release(self->p.ctl, self->p.id));
	EXPECT_EQ(0, claim_anew(&self->p));
	EXPECT_EQ(0, t_try_map(self->p.fd, T_PAGE, T_RW, MAP_SHARED, 0));
}

/* The device comes back while the dead region is still in use. */
TEST_F(unbind, claimed_anew_beside_the_dead)
{
	__u64 dead = self->p.id;
	struct pobj_region r;
	struct t_child c;
	int old = self->p.fd;
	__u8 *p;

	ASSERT_EQ(0, t_spawn(&c, child_maps, &self->p));
	ASSERT_EQ(0, t_get(c.sock, NULL));
	ASSERT_EQ(0, t_dev_unbind(&self->p.dev));
	ASSERT_EQ(0, claim_anew(&self->p));
	EXPECT_NE(dead, self->p.id);
	ASSERT_EQ(0, t_region(self->p.ctl, dead, &r));
	EXPECT_TRUE(r.flags & POBJ_REGION_DEAD);
	ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &r));
	EXPECT_FALSE(r.flags & POBJ_REGION_DEAD);
	p = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(1, p[5]);

	/* The old mapping does not come to life. */
	t_put(c.sock, 1);
	EXPECT_EQ(0, t_get(c.sock, NULL));
	EXPECT_EQ(1, p[5]);
	EXPECT_EQ(0, t_store(p + T_HUGE).sig);
	t_put(c.sock, 1);
	EXPECT_EQ(0, t_join(&c));
	close(old);
	EXPECT_EQ(0, t_sessions(self->p.ctl, dead, 0));
	EXPECT_EQ(0, t_release(self->p.ctl, dead));
	/* The end of the dead one is nothing to the living. */
	EXPECT_EQ(1, p[5]);
	EXPECT_EQ(0, t_store(p + T_HUGE).sig);
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	EXPECT_EQ(0, t_try_map(self->p.fd, T_PAGE, T_RW, MAP_SHARED, self->p.free));
}

TEST_F(unbind, user_of_a_dead_region_killed)
{
	struct t_child c;

	ASSERT_EQ(0, t_spawn(&c, child_maps, &self->p));
	ASSERT_EQ(0, t_get(c.sock, NULL));
	ASSERT_EQ(0, t_dev_unbind(&self->p.dev));
	EXPECT_EQ(-SIGKILL, t_kill(&c));
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
	EXPECT_EQ(0, claim_anew(&self->p));
}

static int child_unbinds(int sock, void *arg)
{
	return -t_dev_unbind(arg);
}

/* A page that the kernel still needs (here: in a pipe) holds up the removal. */
TEST_F(unbind, waits_for_pinned_pages)
{
	static const __u64 offs[] = { 0, 3 * T_HUGE + T_PAGE };
	struct t_child c;
	struct iovec iov;
	char buf[256];
	int pipes[2], i, status;
	__u8 *p;

	for (i = 0; i < 2; i++) {
		/* Of a 2 MiB mapping, of a 4 KiB mapping. */
		p = t_map(self->p.fd, i ? 2 * T_PAGE : T_HUGE, self->p.free + offs[i]);
		ASSERT_NE(MAP_FAILED, p);
		memset(p, 0x41 + i, T_PAGE);
		ASSERT_EQ(0, pipe(pipes));
		iov.iov_base = p;
		iov.iov_len = sizeof(buf);
		ASSERT_EQ(sizeof(buf), vmsplice(pipes[1], &iov, 1, 0));
		ASSERT_EQ(0, t_spawn(&c, child_unbinds, &self->p.dev));
		t_sleep_ms(1500);
		EXPECT_EQ(0, waitpid(c.pid, &status, WNOHANG))
			TH_LOG("unbound although a page is pinned");
		EXPECT_EQ(sizeof(buf), read(pipes[0], buf, sizeof(buf)));
		EXPECT_EQ(0x41 + i, buf[0]);
		EXPECT_EQ(0x41 + i, buf[255]);
		EXPECT_EQ(0, t_join(&c));
		EXPECT_EQ(SIGBUS, t_load(p).sig);
		close(pipes[0]);
		close(pipes[1]);
		t_unmap_all();
		close(self->p.fd);
		self->p.fd = -1;
		EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
		ASSERT_EQ(0, claim_anew(&self->p));
	}
}

/* Everything one can do, over and over, with errors at any time but no crash. */
static int child_is_busy(int sock, void *arg)
{
	struct t_pool *p = arg;
	long end = t_now_ms() + 10000;
	int ctl = t_ctl(), fd;
	__u8 *data;
	__u64 k;

	t_put(sock, 1);
	for (k = 0; t_now_ms() < end; k++) {
		fd = t_attach(ctl, p->id, 0, NULL);
		if (fd == -ENODEV || fd == -ENOENT)
			break;
		T_CHILD(fd >= 0);
		t_recover(fd, NULL);
		data = mmap(NULL, 2 * T_HUGE, T_RW, MAP_SHARED, fd, p->free + (k & 1) * T_PAGE);
		if (data != MAP_FAILED) {
			t_store(data + k % T_HUGE);
			t_load(data + T_HUGE);
			msync(data, T_HUGE, MS_SYNC);
			munmap(data, 2 * T_HUGE);
		}
		close(fd);
	}
	T_CHILD(t_now_ms() < end);
	return 0;
}

TEST_F_TIMEOUT(unbind, under_load, 90)
{
	struct t_child c[4];
	int round, k;

	for (round = 0; round < 3; round++) {
		for (k = 0; k < 4; k++) {
			ASSERT_EQ(0, t_spawn(&c[k], child_is_busy, &self->p));
			ASSERT_EQ(0, t_get(c[k].sock, NULL));
		}
		t_sleep_ms(200 + 100 * round);
		ASSERT_EQ(0, t_dev_unbind(&self->p.dev));
		for (k = 0; k < 4; k++)
			EXPECT_EQ(0, t_join(&c[k]));
		close(self->p.fd);
		self->p.fd = -1;
		EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
		EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
		ASSERT_EQ(0, claim_anew(&self->p));
	}
}

/* A shared futex needs page->mapping: of the new region, not of the dead one. */
static int child_locks(int sock, void *arg)
{
	struct t_pool *p = arg;
	int fd = t_attach(t_ctl(), p->id, 0, NULL);
	pthread_mutex_t *m;

	T_CHILD(fd >= 0);
	m = t_map(fd, T_HUGE, p->free);
	T_CHILD(m != MAP_FAILED);
	T_CHILD(!pthread_mutex_lock(m));
	t_put(sock, 1);
	pause();
	return 0;
}

TEST_F(unbind, futex_afterwards)
{
	pthread_mutexattr_t a;
	pthread_mutex_t *m;
	struct t_child c;
	int round;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	for (round = 0; round < 2; round++) {
		m = t_map(self->p.fd, T_HUGE, self->p.free);
		ASSERT_NE(MAP_FAILED, m);
		memset(m, 0, sizeof(*m));
		ASSERT_EQ(0, pthread_mutex_init(m, &a));
		ASSERT_EQ(0, t_spawn(&c, child_locks, &self->p));
		ASSERT_EQ(0, t_get(c.sock, NULL));
		EXPECT_EQ(-SIGKILL, t_kill(&c));
		EXPECT_EQ(EOWNERDEAD, pthread_mutex_lock(m));
		EXPECT_EQ(0, pthread_mutex_consistent(m));
		EXPECT_EQ(0, pthread_mutex_unlock(m));
		if (round)
			break;
		ASSERT_EQ(0, t_dev_unbind(&self->p.dev));
		t_unmap_all();
		close(self->p.fd);
		self->p.fd = -1;
		EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
		ASSERT_EQ(0, claim_anew(&self->p));
	}
}

TEST_HARNESS_MAIN
