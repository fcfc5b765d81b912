// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * virtio-pmem: behind it is a file of the host, and only a flush of the device makes data durable.
 * So it is not synchronous, MAP_SYNC would be a lie, and fsync is what counts.
 */
#include "kmod.h"

#include <sched.h>

FIXTURE(virtio)
{
	struct t_dev dev;
	int ctl;
	int fd;
	__u64 id;
	__u8 uuid[16];
};

/* The device comes up a little after its driver. */
static int find(struct t_dev *d)
{
	char name[32], path[PATH_MAX], real[PATH_MAX];
	DIR *dir = NULL;
	bool there;
	int tries;

	system("modprobe -q virtio_pmem");
	for (tries = 0; tries < 30; tries++) {
		there = t_block_dir(&dir, "/sys/bus/virtio/drivers/virtio_pmem", "virtio", name);
		if (!there)
			break;
		closedir(dir);
		dir = NULL;
		while (t_block_dir(&dir, "/sys/block", "pmem", name)) {
			snprintf(path, sizeof(path), "/sys/block/%s", name);
			if (!realpath(path, real) || !strstr(real, "/virtio") ||
			    t_dev_fill(d, name))
				continue;
			closedir(dir);
			return 0;
		}
		t_sleep_ms(100);
	}
	return -ENODEV;
}

FIXTURE_SETUP(virtio)
{
	self->ctl = t_reset();
	ASSERT_LE(0, self->ctl);
	T_NEED(!find(&self->dev), "no virtio-pmem device");
	ASSERT_EQ(0, t_claim(self->ctl, &self->dev, &self->id));
	self->fd = t_attach(self->ctl, self->id, 0, NULL);
	ASSERT_LE(0, self->fd);
	t_uuid(self->uuid);
	ASSERT_EQ(0, t_format(self->fd, self->uuid, POBJ_FORMAT_FORCE));
}

FIXTURE_TEARDOWN(virtio)
{
	t_unmap_all();
	close(self->fd);
	t_release_all(self->ctl);
	close(self->ctl);
	t_bind_all();
}

TEST_F(virtio, is_not_synchronous)
{
	struct pobj_ioc_info i;

	ASSERT_EQ(0, t_info(self->fd, &i));
	EXPECT_FALSE(i.out_region.flags & POBJ_REGION_SYNC);
	EXPECT_EQ(self->dev.node, i.out_region.node);
	EXPECT_EQ(-EOPNOTSUPP, t_try_map(self->fd, T_PAGE, T_RW,
					 MAP_SHARED_VALIDATE | MAP_SYNC, 0));
	EXPECT_EQ(0, t_try_map(self->fd, T_PAGE, T_RW, MAP_SHARED_VALIDATE, 0));
}

TEST_F(virtio, is_flushed)
{
	struct pobj_ioc_recover r;
	struct pobj_ioc_info i;
	__u8 *p;

	ASSERT_EQ(0, t_info(self->fd, &i));
	p = t_map(self->fd, T_HUGE, i.out_region.bytes / 2 & ~(T_HUGE - 1));
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 9, T_HUGE);
	EXPECT_EQ(0, msync(p, T_HUGE, MS_SYNC));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, fdatasync(self->fd));
	t_unmap_all();
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, t_release(self->ctl, self->id));
	ASSERT_EQ(0, t_claim(self->ctl, &self->dev, &self->id));
	self->fd = t_attach(self->ctl, self->id, 0, NULL);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(0, t_recover(self->fd, &r));
	p = t_map(self->fd, T_HUGE, i.out_region.bytes / 2 & ~(T_HUGE - 1));
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(9, p[T_HUGE - 1]);
}

/*
 * The kernel allocates the DAX device anew at each binding and does not clear its flags: in the
 * memory of an NVDIMM's it has that one's. dax_synchronous() then says yes, and writes are lost.
 */
TEST_F_TIMEOUT(virtio, is_not_synchronous_after_an_nvdimm, 60)
{
	struct t_dev nvdimm[2] = { 0 };
	struct pobj_region r;
	cpu_set_t one = { 0 };
	int round, node, tries;

	/* On one CPU what was freed last is what is allocated next. */
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, t_release(self->ctl, self->id));
	for (round = 0; round < 6; round++) {
		node = round & 1;
		ASSERT_EQ(0, t_dev_unbind(&self->dev));
		if (!t_dev_find(&nvdimm[node], node))
			ASSERT_EQ(0, t_dev_unbind(&nvdimm[node]));
		t_sleep_ms(100);
		ASSERT_EQ(0, t_write(T_PMEM "/bind", self->dev.nd));
		if (nvdimm[node].name[0])
			ASSERT_EQ(0, t_dev_bind(&nvdimm[node]));
		for (tries = 0; tries < 50 && access(self->dev.path, F_OK); tries++)
			t_sleep_ms(20);
		ASSERT_EQ(0, t_claim(self->ctl, &self->dev, &self->id));
		ASSERT_EQ(0, t_region(self->ctl, self->id, &r));
		EXPECT_FALSE(r.flags & POBJ_REGION_SYNC)
			TH_LOG("binding %d", round);
		ASSERT_EQ(0, t_release(self->ctl, self->id));
	}
}

TEST_HARNESS_MAIN
