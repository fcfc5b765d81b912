// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* A partition of a DAX device as a region: all offsets are the partition's. */
#include "child.h"
#include "fault.h"
#include "image.h"

#include <linux/blkpg.h>
#include <linux/fs.h>

#define PART_BYTES	(32ULL << 20)

FIXTURE(partition)
{
	struct t_dev whole;
	struct t_dev part[2];
	int ctl;
	int fd;
	__u64 id;
	__u64 start[2];
};

FIXTURE_VARIANT(partition)
{
	__u64 start;
};

/* Where 2 MiB pages fit, and where they do not. */
FIXTURE_VARIANT_ADD(partition, aligned)
{
	.start = 4 * T_HUGE,
};

FIXTURE_VARIANT_ADD(partition, by_4k)
{
	.start = 4 * T_HUGE + 3 * T_PAGE,
};

static int part(const struct t_dev *d, int op, int number, __u64 start, __u64 len)
{
	struct blkpg_partition p = { .start = start, .length = len, .pno = number };
	struct blkpg_ioctl_arg a = { .op = op, .datalen = sizeof(p), .data = &p };
	int fd = open(d->path, O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = t_ioctl(fd, BLKPG, &a);
	close(fd);
	return ret;
}

static void no_partitions(const struct t_dev *d)
{
	part(d, BLKPG_DEL_PARTITION, 1, 0, 0);
	part(d, BLKPG_DEL_PARTITION, 2, 0, 0);
}

FIXTURE_SETUP(partition)
{
	struct stat st;
	int i;

	self->ctl = t_reset();
	ASSERT_LE(0, self->ctl);
	T_NEED(!t_dev_find(&self->whole, 0), "no fsdax device on node 0");
	no_partitions(&self->whole);
	self->start[0] = variant->start;
	self->start[1] = variant->start + PART_BYTES;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, part(&self->whole, BLKPG_ADD_PARTITION, i + 1, self->start[i],
				  PART_BYTES));
		self->part[i] = self->whole;
		snprintf(self->part[i].path, sizeof(self->part[i].path), "%.50sp%d",
			 self->whole.path, i + 1);
		ASSERT_EQ(0, stat(self->part[i].path, &st));
		self->part[i].rdev = st.st_rdev;
		ASSERT_EQ(0, t_img_wipe(&self->part[i]));
	}
	ASSERT_EQ(0, t_claim(self->ctl, &self->part[0], &self->id));
	self->fd = t_attach(self->ctl, self->id, 0, NULL);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(partition)
{
	t_kill_all();
	t_unmap_all();
	close(self->fd);
	t_release_all(self->ctl);
	close(self->ctl);
	t_heal_all();
	if (!t_dev_find(&self->whole, 0))
		no_partitions(&self->whole);
}

TEST_F(partition, is_a_region)
{
	struct pobj_ioc_info i;
	__u64 len = 4 * T_HUGE, off, word, from = 8 * T_HUGE, here, there;
	__u8 uuid[16], *p;

	ASSERT_EQ(0, t_info(self->fd, &i));
	EXPECT_EQ(PART_BYTES, i.out_region.bytes);
	EXPECT_EQ(self->part[0].rdev, i.out_region.dev);
	EXPECT_STREQ(self->part[0].path + 5, (char *)i.out_region.name);
	EXPECT_EQ(self->whole.node, i.out_region.node);
	t_uuid(uuid);
	ASSERT_EQ(0, t_format(self->fd, uuid, 0));
	p = t_map(self->fd, len, from);
	ASSERT_NE(MAP_FAILED, p);
	for (off = 0; off < len; off += T_PAGE)
		*(__u64 *)(p + off) = off + 7;
	ASSERT_EQ(0, t_info(self->fd, &i));
	if (variant->start % T_HUGE) {
		EXPECT_EQ(0, i.out_faults_2m);
		EXPECT_EQ(len / T_PAGE, i.out_faults_4k);
	} else {
		EXPECT_EQ(len / T_HUGE, i.out_faults_2m);
		EXPECT_EQ(0, i.out_faults_4k);
	}
	EXPECT_EQ(0, msync(p, len, MS_SYNC));
	EXPECT_EQ(-ENXIO, t_try_map(self->fd, T_PAGE, T_RW, MAP_SHARED, PART_BYTES));
	EXPECT_EQ(0, t_try_map(self->fd, T_PAGE, T_RW, MAP_SHARED, PART_BYTES - T_PAGE));
	t_unmap_all();
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, t_release(self->ctl, self->id));

	/* In the whole device it is where the partition is, and nowhere else. */
	for (off = 0; off < len; off += 31 * T_PAGE) {
		here = self->start[0] + from + off;
		ASSERT_EQ(0, t_img_read(&self->whole, here, &word, sizeof(word)));
		ASSERT_EQ(off + 7, word);
	}
	ASSERT_EQ(0, t_img_read(&self->whole, self->start[0], &here, sizeof(here)));
	EXPECT_EQ(POBJ_M_MAGIC, le64toh(here));
	ASSERT_EQ(0, t_img_read(&self->whole, self->start[1], &there, sizeof(there)));
	EXPECT_NE(POBJ_M_MAGIC, le64toh(there));
}

/* The DAX device has one holder: not two partitions at once, nor a partition and the whole. */
TEST_F(partition, excludes_its_relatives)
{
	int fd;

	EXPECT_EQ(-EBUSY, t_claim(self->ctl, &self->part[1], &self->id));
	EXPECT_EQ(-EBUSY, t_claim(self->ctl, &self->whole, &self->id));
	fd = open(self->whole.path, O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT_GT(0, fd);
	EXPECT_EQ(1, t_list(self->ctl, NULL, 0));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, t_release_all(self->ctl));
	ASSERT_EQ(0, t_claim(self->ctl, &self->part[1], &self->id));
	EXPECT_EQ(0, t_release(self->ctl, self->id));
	ASSERT_EQ(0, t_claim(self->ctl, &self->whole, &self->id));
}

/* Bad blocks are counted by the disk: those of the partition are the region's. */
TEST_F(partition, bad_blocks)
{
	const __u64 bad[] = { self->start[0] - T_PAGE, self->start[0] + 10 * T_HUGE + T_PAGE,
			      self->start[1] };
	char path[PATH_MAX], text[64];
	struct pobj_ioc_info i;
	__u8 uuid[16], *p;
	int k;

	t_uuid(uuid);
	ASSERT_EQ(0, t_format(self->fd, uuid, 0));
	snprintf(path, sizeof(path), "/sys/block/%s/badblocks", self->whole.name);
	for (k = 0; k < 3; k++) {
		snprintf(text, sizeof(text), "%llu 8", bad[k] / 512);
		ASSERT_EQ(0, t_write(path, text));
	}
	ASSERT_EQ(0, t_info(self->fd, &i));
	EXPECT_EQ(1, i.out_bad_cnt);
	EXPECT_EQ(T_PAGE, i.out_bad_bytes);
	p = t_map(self->fd, 12 * T_HUGE, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, t_load(p).sig);
	EXPECT_EQ(SIGBUS, t_load(p + 10 * T_HUGE + T_PAGE).sig);
	EXPECT_EQ(0, t_load(p + 10 * T_HUGE).sig);
	EXPECT_EQ(0, t_load(p + 10 * T_HUGE + 2 * T_PAGE).sig);
	t_unmap_all();
	p = t_map(self->fd, 16 * T_PAGE, PART_BYTES - 16 * T_PAGE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, t_load(p + 16 * T_PAGE - 1).sig);
}

TEST_F(partition, memory_failure)
{
	const __u64 off = 10 * T_HUGE + T_PAGE;
	struct pobj_ioc_info i;
	char pfn[32];
	__u8 uuid[16], *p;

	t_uuid(uuid);
	ASSERT_EQ(0, t_format(self->fd, uuid, 0));
	p = t_map(self->fd, 12 * T_HUGE, 0);
	ASSERT_NE(MAP_FAILED, p);
	p[off] = 1;
	system("modprobe -q hwpoison-inject");
	snprintf(pfn, sizeof(pfn), "%#llx", (self->whole.phys + self->start[0] + off) / T_PAGE);
	ASSERT_EQ(0, t_write("/sys/kernel/debug/hwpoison/corrupt-pfn", pfn));
	EXPECT_EQ(SIGBUS, t_load(p + off).sig);
	EXPECT_EQ(0, t_load(p + off - 1).sig);
	EXPECT_EQ(0, t_load(p + off + T_PAGE).sig);
	/* Outside the partition: not ours. */
	snprintf(pfn, sizeof(pfn), "%#llx", (self->whole.phys + self->start[0]) / T_PAGE - 1);
	t_write("/sys/kernel/debug/hwpoison/corrupt-pfn", pfn);
	ASSERT_EQ(0, t_info(self->fd, &i));
	EXPECT_EQ(1, i.out_bad_cnt);
	EXPECT_EQ(T_PAGE, i.out_bad_bytes);
}

TEST_F(partition, unbound)
{
	__u8 uuid[16], *p;

	t_uuid(uuid);
	ASSERT_EQ(0, t_format(self->fd, uuid, 0));
	p = t_map(self->fd, T_HUGE, 8 * T_HUGE);
	ASSERT_NE(MAP_FAILED, p);
	p[0] = 1;
	ASSERT_EQ(0, t_dev_unbind(&self->whole));
	EXPECT_EQ(SIGBUS, t_load(p).sig);
	t_unmap_all();
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, t_release(self->ctl, self->id));
	EXPECT_EQ(0, t_dev_bind(&self->whole));
}

TEST_HARNESS_MAIN
