// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* POBJ_IOC_CLAIM, RELEASE and LIST: who may, what may be claimed, what is exclusive. */
#include "child.h"
#include "image.h"

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/uio.h>

FIXTURE(claim)
{
	struct t_dev dev;
	int ctl;
	int fd;
};

FIXTURE_VARIANT(claim)
{
	int node;
};

FIXTURE_VARIANT_ADD(claim, node0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(claim, node1)
{
	.node = 1,
};

FIXTURE_SETUP(claim)
{
	self->ctl = t_reset();
	ASSERT_LE(0, self->ctl);
	T_NEED(!t_dev_find(&self->dev, variant->node), "no fsdax device on node %d", variant->node);
	self->fd = open(self->dev.path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, chmod("/dev/pobj", 0666));
}

FIXTURE_TEARDOWN(claim)
{
	t_kill_all();
	chmod("/dev/pobj", 0660);
	chmod(self->dev.path, 0660);
	t_release_all(self->ctl);
	close(self->fd);
	close(self->ctl);
}

/* Nobody holds the device. */
static int exclusive(const struct t_dev *d)
{
	int fd = open(d->path, O_RDWR | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST_F(claim, by_fd)
{
	struct pobj_region r;
	__u64 id;

	ASSERT_EQ(0, t_claim_fd(self->ctl, self->fd, &id));
	EXPECT_NE(0, id);
	/* The claim does not need the descriptor any more. */
	close(self->fd);
	ASSERT_EQ(0, t_region(self->ctl, id, &r));
	EXPECT_EQ(self->dev.rdev, r.dev);
	EXPECT_EQ(self->dev.bytes, r.bytes);
	EXPECT_EQ(variant->node, r.node);
	EXPECT_EQ(0, r.sessions);
	EXPECT_STREQ(self->dev.name, (char *)r.name);
	EXPECT_EQ(0, r.flags & (POBJ_REGION_RECOVERED | POBJ_REGION_DEAD | POBJ_REGION_RDONLY));
	EXPECT_TRUE(r.flags & POBJ_REGION_SYNC);
	EXPECT_EQ(0, t_release(self->ctl, id));
	EXPECT_EQ(-ENOENT, t_region(self->ctl, id, &r));
}

TEST_F(claim, by_number)
{
	__u64 id;

	ASSERT_EQ(0, t_claim_dev(self->ctl, self->dev.rdev, &id));
	EXPECT_NE(0, id);
	EXPECT_EQ(0, t_release(self->ctl, id));
}

TEST_F(claim, number_and_fd)
{
	struct pobj_ioc_claim c = { .size = sizeof(c), .fd = self->fd, .dev = self->dev.rdev };

	EXPECT_EQ(-EINVAL, t_ioctl(self->ctl, POBJ_IOC_CLAIM, &c));
	EXPECT_EQ(0, exclusive(&self->dev));
}

TEST_F(claim, no_such_number)
{
	struct stat null;
	int ret;

	EXPECT_EQ(-ENXIO, t_claim_dev(self->ctl, makedev(240, 77), NULL));
	EXPECT_EQ(-ENXIO, t_claim_dev(self->ctl, makedev(259, 0xfffff), NULL));
	EXPECT_EQ(-ENXIO, t_claim_dev(self->ctl, ~0ULL, NULL));
	/* The bits of a number above what the kernel has must not be dropped. */
	EXPECT_NE(0, t_claim_dev(self->ctl, self->dev.rdev | 1ULL << 63, NULL));
	ret = t_claim_dev(self->ctl, 0, NULL);
	EXPECT_TRUE(ret == -ENXIO || ret == -EINVAL);
	/* The number of a character device is not that of a block device. */
	ASSERT_EQ(0, stat("/dev/null", &null));
	EXPECT_NE(0, t_claim_dev(self->ctl, null.st_rdev, NULL));
	EXPECT_EQ(0, t_list(self->ctl, NULL, 0));
}

TEST_F(claim, not_a_block_device)
{
	static const char *const paths[] = { "/dev/null", "/", "/proc/version", "/dev/pobj" };
	int fd, p[2];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-ENOTBLK, t_claim_fd(self->ctl, fd, NULL))
			TH_LOG("%s", paths[i]);
		close(fd);
	}
	fd = open("/tmp/pobj-claim", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT_EQ(-ENOTBLK, t_claim_fd(self->ctl, fd, NULL));
	close(fd);
	unlink("/tmp/pobj-claim");
	ASSERT_EQ(0, pipe(p));
	EXPECT_EQ(-ENOTBLK, t_claim_fd(self->ctl, p[0], NULL));
	close(p[0]);
	close(p[1]);
}

TEST_F(claim, descriptor_not_open)
{
	int fd = dup(self->fd);

	close(fd);
	EXPECT_EQ(-EBADF, t_claim_fd(self->ctl, fd, NULL));
	EXPECT_EQ(-EBADF, t_claim_fd(self->ctl, 1 << 20, NULL));
	EXPECT_EQ(-EBADF, t_claim_fd(self->ctl, INT_MAX, NULL));
	EXPECT_EQ(-EBADF, t_claim_fd(self->ctl, -2, NULL));
	EXPECT_EQ(-EBADF, t_claim_fd(self->ctl, INT_MIN, NULL));
	fd = open(self->dev.path, O_PATH | O_CLOEXEC);
	EXPECT_EQ(-EBADF, t_claim_fd(self->ctl, fd, NULL));
	close(fd);
}

TEST_F(claim, opened_one_way)
{
	int fd = open(self->dev.path, O_RDONLY | O_CLOEXEC);

	EXPECT_EQ(-EACCES, t_claim_fd(self->ctl, fd, NULL));
	close(fd);
	fd = open(self->dev.path, O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(-EACCES, t_claim_fd(self->ctl, fd, NULL));
	close(fd);
	EXPECT_EQ(0, exclusive(&self->dev));
}

static int child_claims_number(int sock, void *arg)
{
	struct t_dev *d = arg;
	int ctl;

	T_CHILD(!t_become(T_BOB, T_BOB, NULL, 0));
	ctl = t_ctl();
	T_CHILD(ctl >= 0);
	return -t_claim_dev(ctl, d->rdev, NULL);
}

TEST_F(claim, by_number_of_another_user)
{
	EXPECT_EQ(EPERM, t_call(child_claims_number, &self->dev));
	/* Not even if the device may be opened: say so with a descriptor. */
	ASSERT_EQ(0, chmod(self->dev.path, 0666));
	EXPECT_EQ(EPERM, t_call(child_claims_number, &self->dev));
	EXPECT_EQ(0, exclusive(&self->dev));
}

static int drop_sys_admin(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -errno;
	d[CAP_SYS_ADMIN / 32].effective &= ~(1U << CAP_SYS_ADMIN % 32);
	d[CAP_SYS_ADMIN / 32].permitted &= ~(1U << CAP_SYS_ADMIN % 32);
	return syscall(SYS_capset, &h, d) ? -errno : 0;
}

static int child_claims_without_admin(int sock, void *arg)
{
	struct t_dev *d = arg;
	int ctl = t_ctl();
	__u64 id;

	/* What counts is the caller, not who opened the control file. */
	T_CHILD(!drop_sys_admin());
	T_CHILD(t_claim_dev(ctl, d->rdev, NULL) == -EPERM);
	T_CHILD(!t_claim(ctl, d, &id));
	T_CHILD(!t_release(ctl, id));
	return 0;
}

TEST_F(claim, by_number_without_capability)
{
	EXPECT_EQ(0, t_call(child_claims_without_admin, &self->dev));
}

static int child_claims_fd(int sock, void *arg)
{
	struct t_dev *d = arg;
	int ctl, ret;
	__u64 id;

	T_CHILD(!t_become(T_BOB, T_GROUP, NULL, 0));
	ctl = t_ctl();
	T_CHILD(ctl >= 0);
	ret = t_claim(ctl, d, &id);
	return -ret;
}

static int child_releases(int sock, void *arg)
{
	__u64 *what = arg;
	int ctl;

	T_CHILD(!t_become(what[0], T_GROUP, NULL, 0));
	ctl = t_ctl();
	T_CHILD(ctl >= 0);
	return -t_release(ctl, what[1]);
}

TEST_F(claim, owner_without_a_pool)
{
	struct pobj_region r;
	__u64 what[2];

	ASSERT_EQ(0, t_img_wipe(&self->dev));
	ASSERT_EQ(0, chmod(self->dev.path, 0666));
	EXPECT_EQ(0, t_call(child_claims_fd, &self->dev));
	/* The claim outlives the process that made it. */
	ASSERT_EQ(1, t_list(self->ctl, &r, 1));
	EXPECT_EQ(T_BOB, r.uid);
	EXPECT_EQ(T_GROUP, r.gid);
	EXPECT_EQ(0600, r.mode);
	EXPECT_EQ(0, r.flags & POBJ_REGION_POOL);
	what[0] = T_ALICE;
	what[1] = r.id;
	EXPECT_EQ(EPERM, t_call(child_releases, what));
	what[0] = T_BOB;
	EXPECT_EQ(0, t_call(child_releases, what));
	EXPECT_EQ(ENOENT, t_call(child_releases, what));

	EXPECT_EQ(0, t_call(child_claims_fd, &self->dev));
	ASSERT_EQ(1, t_list(self->ctl, &r, 1));
	EXPECT_EQ(0, t_release(self->ctl, r.id));

	/* One may not claim what one may not open. */
	ASSERT_EQ(0, chmod(self->dev.path, 0600));
	EXPECT_EQ(EACCES, t_call(child_claims_fd, &self->dev));
}

TEST_F(claim, release_by_another_user)
{
	__u64 what[2] = { T_BOB };

	ASSERT_EQ(0, t_img_wipe(&self->dev));
	ASSERT_EQ(0, t_claim_fd(self->ctl, self->fd, &what[1]));
	EXPECT_EQ(EPERM, t_call(child_releases, what));
	EXPECT_EQ(0, t_release(self->ctl, what[1]));
}

TEST_F(claim, exclusive)
{
	__u64 id;
	int fd;

	ASSERT_EQ(0, t_claim_fd(self->ctl, self->fd, &id));
	EXPECT_EQ(-EBUSY, t_claim_fd(self->ctl, self->fd, NULL));
	EXPECT_EQ(-EBUSY, t_claim_dev(self->ctl, self->dev.rdev, NULL));
	EXPECT_EQ(1, t_list(self->ctl, NULL, 0));
	EXPECT_EQ(-EBUSY, exclusive(&self->dev));
	EXPECT_EQ(-1, mount(self->dev.path, "/tmp", "ext4", 0, NULL));
	EXPECT_EQ(EBUSY, errno);
	/* As with a mounted file system, those who may can still look. */
	fd = open(self->dev.path, O_RDONLY | O_CLOEXEC);
	EXPECT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, t_release(self->ctl, id));
	EXPECT_EQ(0, exclusive(&self->dev));
}

TEST_F(claim, held_by_others)
{
	int fd = open(self->dev.path, O_RDWR | O_EXCL | O_CLOEXEC);
	__u64 id;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, t_claim_fd(self->ctl, self->fd, NULL));
	EXPECT_EQ(-EBUSY, t_claim_dev(self->ctl, self->dev.rdev, NULL));
	close(fd);
	EXPECT_EQ(0, t_claim_fd(self->ctl, self->fd, &id));
	EXPECT_EQ(0, t_release(self->ctl, id));
}

TEST_F(claim, mounted)
{
	char cmd[128];
	__u64 id;

	if (system("modprobe ext4"))
		SKIP(return, "no ext4");
	snprintf(cmd, sizeof(cmd), "mke2fs -F %s >/dev/null 2>&1", self->dev.path);
	ASSERT_EQ(0, system(cmd));
	mkdir("/tmp/pobj-mnt", 0700);
	ASSERT_EQ(0, mount(self->dev.path, "/tmp/pobj-mnt", "ext4", 0, NULL));
	EXPECT_EQ(-EBUSY, t_claim_fd(self->ctl, self->fd, NULL));
	EXPECT_EQ(-EBUSY, t_claim_dev(self->ctl, self->dev.rdev, NULL));
	EXPECT_EQ(0, umount("/tmp/pobj-mnt"));
	EXPECT_EQ(0, t_claim_fd(self->ctl, self->fd, &id));
	EXPECT_EQ(0, t_release(self->ctl, id));
	rmdir("/tmp/pobj-mnt");
	EXPECT_EQ(0, t_img_wipe(&self->dev));
}

TEST_F(claim, read_only_device)
{
	int on = 1, off = 0;
	__u64 id;

	ASSERT_EQ(0, ioctl(self->fd, BLKROSET, &on));
	EXPECT_EQ(-EROFS, t_claim_fd(self->ctl, self->fd, NULL));
	EXPECT_EQ(-EROFS, t_claim_dev(self->ctl, self->dev.rdev, NULL));
	EXPECT_EQ(0, t_list(self->ctl, NULL, 0));
	ASSERT_EQ(0, ioctl(self->fd, BLKROSET, &off));
	EXPECT_EQ(0, exclusive(&self->dev));
	EXPECT_EQ(0, t_claim_fd(self->ctl, self->fd, &id));
}

TEST_F(claim, raw_namespace)
{
	char path[PATH_MAX], ns[32];
	int fd;

	snprintf(path, sizeof(path), T_ND "/%s/namespace", self->dev.nd);
	ASSERT_LT(0, t_read(path, ns, sizeof(ns)));
	close(self->fd);
	ASSERT_EQ(0, t_dev_unbind(&self->dev));
	/* The pfn device lets go of the namespace. */
	ASSERT_EQ(0, t_write(path, "\n"));
	ASSERT_EQ(0, t_ns_raw(ns, true));
	fd = open(self->dev.path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, t_claim_fd(self->ctl, fd, NULL));
	EXPECT_EQ(0, t_list(self->ctl, NULL, 0));
	/* It was let go again. */
	EXPECT_EQ(0, exclusive(&self->dev));
	close(fd);
	EXPECT_EQ(0, t_ns_raw(ns, false));
	EXPECT_EQ(0, t_dev_find(&self->dev, variant->node));
	self->fd = open(self->dev.path, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(0, t_claim_fd(self->ctl, self->fd, NULL));
}

TEST_F(claim, no_dax)
{
	int loop, file, fd;
	char name[32];

	if (system("modprobe loop"))
		SKIP(return, "no loop devices");
	loop = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, loop);
	snprintf(name, sizeof(name), "/dev/loop%d", ioctl(loop, LOOP_CTL_GET_FREE));
	file = open("/tmp/pobj-loop", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_EQ(0, ftruncate(file, 16 << 20));
	fd = open(name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, LOOP_SET_FD, file));
	EXPECT_EQ(-EOPNOTSUPP, t_claim_fd(self->ctl, fd, NULL));
	EXPECT_EQ(0, t_list(self->ctl, NULL, 0));
	EXPECT_EQ(0, ioctl(fd, LOOP_CLR_FD));
	close(fd);
	close(file);
	close(loop);
	unlink("/tmp/pobj-loop");
}

TEST_F(claim, release)
{
	__u64 id;
	int fd;

	EXPECT_EQ(-ENOENT, t_release(self->ctl, 0));
	EXPECT_EQ(-ENOENT, t_release(self->ctl, ~0ULL));
	ASSERT_EQ(0, t_claim_fd(self->ctl, self->fd, &id));
	/* All 64 bits count. */
	EXPECT_EQ(-ENOENT, t_release(self->ctl, id + (1ULL << 32)));
	fd = t_attach(self->ctl, id, 0, NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBUSY, t_release(self->ctl, id));
	EXPECT_EQ(1, t_list(self->ctl, NULL, 0));
	close(fd);
	EXPECT_EQ(0, t_release(self->ctl, id));
	EXPECT_EQ(-ENOENT, t_release(self->ctl, id));
	EXPECT_EQ(-ENOENT, t_attach(self->ctl, id, 0, NULL));
}

/* A region file that is still open, even without a session, keeps the region from vanishing. */
TEST_F(claim, release_with_idle_file)
{
	struct pobj_ioc_info i;
	__u64 id;
	int fd, ret;

	ASSERT_EQ(0, t_claim_fd(self->ctl, self->fd, &id));
	fd = t_attach(self->ctl, id, 0, NULL);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_detach(fd));
	ret = t_release(self->ctl, id);
	EXPECT_TRUE(!ret || ret == -EBUSY);
	if (!ret) {
		/* Then the file is a file of nothing, and the device is free. */
		EXPECT_EQ(0, exclusive(&self->dev));
		EXPECT_EQ(-ENODEV, t_info(fd, &i));
		EXPECT_EQ(-ENXIO, t_try_map(fd, T_PAGE, T_RW, MAP_SHARED, 0));
		EXPECT_EQ(-ENXIO, t_try_map(fd, T_PAGE, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR));
	}
	close(fd);
}

/* Nobody maps it any more, but the kernel still reads a page of it: the next owner must wait. */
TEST_F(claim, release_with_a_pinned_page)
{
	struct iovec iov;
	__u8 uuid[16], buf[64], *p;
	int fd, pipes[2];
	__u64 id;

	ASSERT_EQ(0, t_claim_fd(self->ctl, self->fd, &id));
	fd = t_attach(self->ctl, id, 0, NULL);
	ASSERT_LE(0, fd);
	t_uuid(uuid);
	ASSERT_EQ(0, t_format(fd, uuid, POBJ_FORMAT_FORCE));
	p = t_map(fd, T_HUGE, 64ULL << 20);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 0x6b, T_PAGE);
	ASSERT_EQ(0, pipe(pipes));
	iov = (struct iovec){ p, sizeof(buf) };
	ASSERT_EQ(sizeof(buf), vmsplice(pipes[1], &iov, 1, 0));
	t_unmap_all();
	close(fd);
	EXPECT_EQ(-EBUSY, t_release(self->ctl, id));
	EXPECT_EQ(-EBUSY, exclusive(&self->dev));
	EXPECT_EQ(sizeof(buf), read(pipes[0], buf, sizeof(buf)));
	EXPECT_EQ(0x6b, buf[63]);
	EXPECT_EQ(0, t_release(self->ctl, id));
	EXPECT_EQ(0, exclusive(&self->dev));
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(claim, id_is_never_reused)
{
	__u64 seen[32], other = 0;
	struct t_dev d;
	int i, j;

	if (!t_dev_find(&d, !variant->node))
		EXPECT_EQ(0, t_claim(self->ctl, &d, &other));
	for (i = 0; i < 32; i++) {
		ASSERT_EQ(0, t_claim_fd(self->ctl, self->fd, &seen[i]));
		ASSERT_EQ(0, t_release(self->ctl, seen[i]));
		EXPECT_NE(other, seen[i]);
		for (j = 0; j < i; j++)
			EXPECT_NE(seen[i], seen[j]);
	}
}

static int child_claims_much(int sock, void *arg)
{
	struct t_dev *d = arg;
	int ctl = t_ctl(), won = 0, i, fd;
	__u64 id;

	fd = open(d->path, O_RDWR | O_CLOEXEC);
	T_CHILD(fd >= 0 && !t_get(sock, NULL));
	for (i = 0; i < 50; i++) {
		switch (t_claim_fd(ctl, fd, &id)) {
		case 0:
			won++;
			T_CHILD(!t_release(ctl, id));
			break;
		case -EBUSY:
			break;
		default:
			T_CHILD(!"EBUSY or success");
		}
	}
	t_put(sock, won);
	return 0;
}

TEST_F(claim, at_once)
{
	struct t_child c[4];
	__u64 won, all = 0;
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, t_spawn(&c[i], child_claims_much, &self->dev));
	for (i = 0; i < 4; i++)
		t_put(c[i].sock, 1);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(0, t_get(c[i].sock, &won));
		all += won;
		EXPECT_EQ(0, t_join(&c[i]));
	}
	EXPECT_LT(0, all);
	EXPECT_EQ(0, t_list(self->ctl, NULL, 0));
	EXPECT_EQ(0, exclusive(&self->dev));
}

/* ---- list --------------------------------------------------------------------------------- */

FIXTURE(list)
{
	int ctl;
	int cnt;
	__u64 id[2];
	struct t_dev dev[2];
};

FIXTURE_SETUP(list)
{
	int node;

	self->ctl = t_reset();
	ASSERT_LE(0, self->ctl);
	for (node = 0; node < 2; node++) {
		if (t_dev_find(&self->dev[self->cnt], node))
			continue;
		ASSERT_EQ(0, t_claim(self->ctl, &self->dev[self->cnt], &self->id[self->cnt]));
		self->cnt++;
	}
	T_NEED(self->cnt, "no fsdax device");
}

FIXTURE_TEARDOWN(list)
{
	t_release_all(self->ctl);
	close(self->ctl);
}

static int list(int ctl, void *regions, __u32 region_bytes, __u32 cnt)
{
	struct pobj_ioc_list l = { .size = sizeof(l), .regions = (uintptr_t)regions,
				   .region_bytes = region_bytes, .cnt = cnt, .out_cnt = 99 };
	int ret = t_ioctl(ctl, POBJ_IOC_LIST, &l);

	return ret ? ret : (int)l.out_cnt;
}

TEST_F(list, all)
{
	struct pobj_region r[4];
	int i, j;

	memset(r, 0xc5, sizeof(r));
	ASSERT_EQ(self->cnt, list(self->ctl, r, sizeof(r[0]), 4));
	for (i = 0; i < self->cnt; i++) {
		for (j = 0; j < self->cnt && self->id[i] != r[j].id; j++)
			;
		ASSERT_LT(j, self->cnt);
		EXPECT_EQ(self->dev[i].rdev, r[j].dev);
		EXPECT_EQ(self->dev[i].bytes, r[j].bytes);
		EXPECT_EQ(self->dev[i].node, r[j].node);
		EXPECT_STREQ(self->dev[i].name, (char *)r[j].name);
	}
	/* Nothing is stored behind the last. */
	EXPECT_EQ(0xc5c5c5c5c5c5c5c5ULL, r[self->cnt].id);
}

TEST_F(list, count_only)
{
	EXPECT_EQ(self->cnt, list(self->ctl, NULL, sizeof(struct pobj_region), 0));
	EXPECT_EQ(self->cnt, list(self->ctl, (void *)8, sizeof(struct pobj_region), 0));
}

TEST_F(list, fewer_than_there_are)
{
	struct pobj_region r[2];

	memset(r, 0xc5, sizeof(r));
	EXPECT_EQ(self->cnt, list(self->ctl, r, sizeof(r[0]), 1));
	EXPECT_TRUE(r[0].id == self->id[0] || r[0].id == self->id[1]);
	EXPECT_EQ(0xc5c5c5c5c5c5c5c5ULL, r[1].id);
}

TEST_F(list, more_than_there_are)
{
	struct pobj_region r[4];

	EXPECT_EQ(self->cnt, list(self->ctl, r, sizeof(r[0]), 1U << 31));
	EXPECT_EQ(self->cnt, list(self->ctl, r, sizeof(r[0]), ~0U));
}

/* Callers of another age: elements are spaced by their size, and only as much is stored. */
TEST_F(list, other_element_sizes)
{
	static const __u32 sizes[] = { 8, 9, 16, 24, 43, sizeof(struct pobj_region) - 8,
				       sizeof(struct pobj_region) + 8, 256, 4096 };
	struct pobj_region whole[4] = { 0 };
	static __u8 buf[4 * 4096];
	size_t s, known;
	int i;

	ASSERT_EQ(self->cnt, list(self->ctl, whole, sizeof(whole[0]), 4));
	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		known = sizes[s] < sizeof(whole[0]) ? sizes[s] : sizeof(whole[0]);
		memset(buf, 0xc5, sizeof(buf));
		ASSERT_EQ(self->cnt, list(self->ctl, buf, sizes[s], 4))
			TH_LOG("elements of %u bytes", sizes[s]);
		for (i = 0; i < self->cnt; i++)
			EXPECT_EQ(0, memcmp(buf + i * sizes[s], &whole[i], known))
				TH_LOG("element %d of %u bytes", i, sizes[s]);
		EXPECT_EQ(0xc5, buf[self->cnt * sizes[s]]);
	}
	for (i = 0; i < 8; i++)
		EXPECT_EQ(-EINVAL, list(self->ctl, buf, i, 4));
}

TEST_F(list, bad_array)
{
	__u8 *map = mmap(NULL, 2 * T_PAGE, T_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(0, mprotect(map + T_PAGE, T_PAGE, PROT_NONE));
	EXPECT_EQ(-EFAULT, list(self->ctl, NULL, sizeof(struct pobj_region), 1));
	EXPECT_EQ(-EFAULT, list(self->ctl, map + T_PAGE, sizeof(struct pobj_region), 1));
	EXPECT_EQ(-EFAULT, list(self->ctl, map + T_PAGE - 8, sizeof(struct pobj_region), 1));
	EXPECT_EQ(-EFAULT, list(self->ctl, (void *)-4096L, sizeof(struct pobj_region), 1));
	EXPECT_EQ(-EFAULT, list(self->ctl, (void *)(1UL << 63), sizeof(struct pobj_region), 1));
	/* Spacing that wraps around must not come back to good memory. */
	if (self->cnt > 1)
		EXPECT_GT(0, list(self->ctl, map, 0xfffffff8, 2));
}

TEST_HARNESS_MAIN
