// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* Loading and unloading the module, and the state in which it leaves a device. */
#include "child.h"
#include "fault.h"
#include "image.h"

#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/uio.h>

FIXTURE(module)
{
	struct t_pool p;
};

FIXTURE_SETUP(module)
{
	T_POOL_MAKE(&self->p, 0);
}

FIXTURE_TEARDOWN(module)
{
	t_kill_all();
	if (self->p.ctl >= 0)
		t_pool_drop(&self->p);
	if (access("/dev/pobj", F_OK))
		system("modprobe pobj");
	t_bind_all();
}

static int unload(void)
{
	return syscall(SYS_delete_module, "pobj", O_NONBLOCK) ? -errno : 0;
}

static int load(struct t_pool *p)
{
	int ret = system("modprobe pobj");

	if (ret)
		return -ENOEXEC;
	p->ctl = t_ctl();
	return p->ctl < 0 ? p->ctl : 0;
}

static bool in_use(int ret)
{
	return ret == -EAGAIN || ret == -EBUSY;
}

TEST_F(module, refused_while_in_use)
{
	__u8 *p;

	/* A control file, a region file, a mapping: each is use of its own. */
	EXPECT_TRUE(in_use(unload()));
	close(self->p.ctl);
	self->p.ctl = -1;
	EXPECT_TRUE(in_use(unload()));
	p = t_map(self->p.fd, T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_TRUE(in_use(unload()));
	EXPECT_EQ(0, t_store(p).sig);
	t_unmap_all();
	p = NULL;
	self->p.ctl = t_ctl();
	ASSERT_LE(0, self->p.ctl);
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
}

/*
 * Nothing is open any more, but the sidecar is mapped. That is ordinary memory: the module may
 * stay or go, the mapping stays.
 */
TEST_F(module, while_a_sidecar_is_mapped)
{
	int ret;
	__u8 *p = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR);

	ASSERT_NE(MAP_FAILED, p);
	close(self->p.fd);
	close(self->p.ctl);
	self->p.ctl = -1;
	self->p.fd = -1;
	p[0] = 7;
	ret = unload();
	EXPECT_TRUE(!ret || in_use(ret));
	EXPECT_EQ(0, t_store(p + 1).sig);
	EXPECT_EQ(7, p[0]);
	if (!ret) {
		ASSERT_EQ(0, load(&self->p));
		EXPECT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
		EXPECT_EQ(7, p[0]);
	}
	t_unmap_all();
	if (self->p.ctl < 0)
		self->p.ctl = t_ctl();
	ASSERT_LE(0, self->p.ctl);
	EXPECT_EQ(0, t_release(self->p.ctl, self->p.id));
}

/* "A claim lasts until ... the module is removed": an idle claim does not hold the module. */
TEST_F(module, removed_with_an_idle_claim)
{
	__u64 *p, old = self->p.id;
	int round, fd;

	for (round = 0; round < 3; round++) {
		p = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
		ASSERT_NE(MAP_FAILED, p);
		if (round)
			EXPECT_EQ(100 + round - 1, p[77]);
		p[77] = 100 + round;
		p[T_HUGE / 8] = 1;
		t_unmap_all();
		close(self->p.fd);
		self->p.fd = -1;
		EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
		close(self->p.ctl);
		self->p.ctl = -1;
		ASSERT_EQ(0, unload());
		EXPECT_EQ(-1, access("/dev/pobj", F_OK));
		/* The device is free again. */
		fd = open(self->p.dev.path, O_RDWR | O_EXCL | O_CLOEXEC);
		EXPECT_LE(0, fd);
		close(fd);
		ASSERT_EQ(0, load(&self->p));
		EXPECT_EQ(0, t_list(self->p.ctl, NULL, 0));
		ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
		self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		ASSERT_LE(0, self->p.fd);
		ASSERT_EQ(0, t_recover(self->p.fd, NULL));
	}
	TH_LOG("region numbers before and after: %llu, %llu", old, self->p.id);
}

static int child_unloads(int sock, void *arg)
{
	return -unload();
}

/* An idle claim, but a page of it is in a pipe: the removal waits for that, and only for that. */
TEST_F(module, removed_with_a_pinned_page)
{
	struct t_child c;
	struct iovec iov;
	char buf[64];
	int pipes[2], status;
	__u8 *p;

	p = t_map(self->p.fd, T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 0x6c, T_PAGE);
	ASSERT_EQ(0, pipe(pipes));
	iov = (struct iovec){ p, sizeof(buf) };
	ASSERT_EQ(sizeof(buf), vmsplice(pipes[1], &iov, 1, 0));
	t_unmap_all();
	close(self->p.fd);
	close(self->p.ctl);
	self->p.ctl = -1;
	self->p.fd = -1;
	ASSERT_EQ(0, t_spawn(&c, child_unloads, NULL));
	t_sleep_ms(1500);
	EXPECT_EQ(0, waitpid(c.pid, &status, WNOHANG));
	EXPECT_EQ(sizeof(buf), read(pipes[0], buf, sizeof(buf)));
	EXPECT_EQ(0x6c, buf[63]);
	EXPECT_EQ(0, t_join(&c));
	close(pipes[0]);
	close(pipes[1]);
	ASSERT_EQ(0, load(&self->p));
	EXPECT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
}

TEST_F(module, removed_with_a_dead_region)
{
	close(self->p.fd);
	self->p.fd = -1;
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	ASSERT_EQ(0, t_dev_unbind(&self->p.dev));
	close(self->p.ctl);
	self->p.ctl = -1;
	EXPECT_EQ(0, unload());
	EXPECT_EQ(0, t_dev_bind(&self->p.dev));
	ASSERT_EQ(0, load(&self->p));
	EXPECT_EQ(0, t_list(self->p.ctl, NULL, 0));
	EXPECT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
}

static int child_maps(int sock, void *arg)
{
	struct t_pool *p = arg;
	int fd = t_attach(t_ctl(), p->id, 0, NULL);
	__u8 *map;

	T_CHILD(fd >= 0);
	map = t_map(fd, 2 * T_HUGE, p->free);
	T_CHILD(map != MAP_FAILED);
	map[0] = 1;
	t_put(sock, 1);
	t_get(sock, NULL);
	return 0;
}

/* The last user is killed, and the module is removed at once. */
TEST_F(module, removed_right_after_a_death)
{
	struct t_child c;
	long end;
	int round, ret;

	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, t_spawn(&c, child_maps, &self->p));
		ASSERT_EQ(0, t_get(c.sock, NULL));
		close(self->p.fd);
		close(self->p.ctl);
		self->p.ctl = -1;
		self->p.fd = -1;
		EXPECT_EQ(-SIGKILL, t_kill(&c));
		end = t_now_ms() + 5000;
		do {
			ret = unload();
		} while (in_use(ret) && t_now_ms() < end);
		ASSERT_EQ(0, ret);
		ASSERT_EQ(0, load(&self->p));
		ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
		self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		ASSERT_LE(0, self->p.fd);
		ASSERT_EQ(0, t_recover(self->p.fd, NULL));
	}
}

/*
 * After release the pages are as they were: a DAX file system can have them, which the kernel
 * checks (it warns of a page that still has a mapping).
 */
TEST_F_TIMEOUT(module, leaves_the_device_clean, 60)
{
	__u64 len = 16 * T_HUGE;
	char cmd[128];
	__u8 *p;
	int fd;

	if (system("modprobe ext4"))
		SKIP(return, "no ext4");
	p = t_map(self->p.fd, self->p.info.out_region.bytes, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (fd = 0; fd < self->p.info.out_region.bytes / T_HUGE; fd++)
		EXPECT_EQ(0, t_load(p + fd * T_HUGE).sig);
	t_unmap_all();
	/* And some by 4 KiB. */
	p = t_map(self->p.fd, 16 * T_PAGE, self->p.free + T_HUGE + T_PAGE);
	ASSERT_NE(MAP_FAILED, p);
	for (fd = 0; fd < 16; fd++)
		EXPECT_EQ(0, t_store(p + fd * T_PAGE).sig);
	t_unmap_all();
	close(self->p.fd);
	self->p.fd = -1;
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));

	snprintf(cmd, sizeof(cmd), "mke2fs -F -b 4096 %s >/dev/null 2>&1", self->p.dev.path);
	ASSERT_EQ(0, system(cmd));
	mkdir("/tmp/pobj-dax", 0700);
	ASSERT_EQ(0, mount(self->p.dev.path, "/tmp/pobj-dax", "ext4", 0, "dax"));
	fd = open("/tmp/pobj-dax/f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, ftruncate(fd, len));
	p = mmap(NULL, len, T_RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	EXPECT_NE(MAP_FAILED, p);
	if (p != MAP_FAILED) {
		memset(p, 1, len);
		munmap(p, len);
	}
	close(fd);
	EXPECT_EQ(0, umount("/tmp/pobj-dax"));
	rmdir("/tmp/pobj-dax");
	EXPECT_EQ(0, t_img_wipe(&self->p.dev));

	/* And back again. */
	ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	ASSERT_EQ(0, t_format(self->p.fd, self->p.uuid, 0));
	p = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, t_store(p).sig);
}

TEST_HARNESS_MAIN
