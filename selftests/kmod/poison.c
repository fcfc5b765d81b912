// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Bad places of the medium: reported by the machine while mapped (hwpoison), and known to the
 * device (badblocks). One page is lost, its neighbours are not.
 */
#include "child.h"
#include "fault.h"
#include "image.h"

FIXTURE(poison)
{
	struct t_pool p;
};

FIXTURE_VARIANT(poison)
{
	int node;
};

FIXTURE_VARIANT_ADD(poison, node0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(poison, node1)
{
	.node = 1,
};

FIXTURE_SETUP(poison)
{
	T_POOL_MAKE(&self->p, variant->node);
}

FIXTURE_TEARDOWN(poison)
{
	t_kill_all();
	t_pool_drop(&self->p);
	t_heal_all();
}

/* A memory failure, as the machine would report it. */
static int fail_page(const struct t_pool *p, __u64 off)
{
	char pfn[32];

	if (access("/sys/kernel/debug/hwpoison/corrupt-pfn", F_OK))
		system("modprobe -q hwpoison-inject");
	snprintf(pfn, sizeof(pfn), "%#llx", (p->dev.phys + off) / T_PAGE);
	return t_write("/sys/kernel/debug/hwpoison/corrupt-pfn", pfn);
}

/* A bad block that the device knows of. */
static int badblock(const struct t_pool *p, __u64 off, __u64 len)
{
	char path[PATH_MAX], text[64];

	snprintf(path, sizeof(path), "/sys/block/%s/badblocks", p->dev.name);
	snprintf(text, sizeof(text), "%llu %llu", off / 512, len / 512);
	return t_write(path, text);
}

/* Exactly the page at @off of the mapping is bad. */
static void check_page(struct __test_metadata *_metadata, __u8 *map, __u64 off)
{
	static const __u64 at[] = { 0, 8, 1234, T_PAGE - 1 };
	struct t_fault f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		f = t_touch(map + off + at[i], i & 1);
		EXPECT_EQ(SIGBUS, f.sig);
		EXPECT_EQ(BUS_MCEERR_AR, f.code);
		EXPECT_EQ(map + off + at[i], f.addr);
	}
	EXPECT_EQ(0, t_load(map + off - 1).sig);
	EXPECT_EQ(0, t_load(map + off + T_PAGE).sig);
	EXPECT_EQ(0, t_store(map + off - T_PAGE).sig);
	EXPECT_EQ(0, t_store(map + off + T_PAGE + 5).sig);
}

static int child_sees(int sock, void *arg)
{
	struct t_pool *p = arg;
	int fd = t_attach(t_ctl(), p->id, 0, NULL);
	struct t_fault f;
	__u8 *map;

	T_CHILD(fd >= 0);
	map = t_map(fd, T_HUGE, p->free);
	T_CHILD(map != MAP_FAILED);
	map[0] = 1;
	T_CHILD(!t_put(sock, 1) && !t_get(sock, NULL));
	f = t_load(map + 5 * T_PAGE);
	T_CHILD(f.sig == SIGBUS && f.code == BUS_MCEERR_AR && f.addr == map + 5 * T_PAGE);
	T_CHILD(!t_load(map).sig && !t_load(map + T_HUGE - 1).sig);
	return 0;
}

TEST_F(poison, while_mapped_by_2m)
{
	struct pobj_ioc_info i;
	struct t_child c;
	int pipes[2];
	__u8 *map;

	map = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 0x33, 2 * T_HUGE);
	ASSERT_EQ(0, t_spawn(&c, child_sees, &self->p));
	ASSERT_EQ(0, t_get(c.sock, NULL));
	ASSERT_EQ(0, fail_page(&self->p, self->p.free + 5 * T_PAGE));
	check_page(_metadata, map, 5 * T_PAGE);
	EXPECT_EQ(0x33, map[T_HUGE - 1]);
	EXPECT_EQ(0x33, map[T_HUGE]);
	t_put(c.sock, 1);
	EXPECT_EQ(0, t_join(&c));

	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(1, i.out_bad_cnt);
	EXPECT_EQ(T_PAGE, i.out_bad_bytes);
	/* The kernel meets it: an error, not a signal. */
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-1, write(pipes[1], map + 5 * T_PAGE, 16));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(16, write(pipes[1], map + 6 * T_PAGE, 16));
	/* A new mapping knows of it. */
	t_unmap_all();
	map = t_map(self->p.fd, T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, map);
	check_page(_metadata, map, 5 * T_PAGE);
}

TEST_F(poison, while_mapped_by_4k)
{
	struct pobj_ioc_info i;
	__u8 *map;

	map = t_map(self->p.fd, 16 * T_PAGE, self->p.free + 32 * T_PAGE);
	ASSERT_NE(MAP_FAILED, map);
	memset(map, 0x44, 16 * T_PAGE);
	ASSERT_EQ(0, fail_page(&self->p, self->p.free + 40 * T_PAGE));
	check_page(_metadata, map, 8 * T_PAGE);
	EXPECT_EQ(0x44, map[0]);
	/* The same again is no news; the next page is. */
	fail_page(&self->p, self->p.free + 40 * T_PAGE);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(T_PAGE, i.out_bad_bytes);
	EXPECT_EQ(1, i.out_bad_cnt);
	ASSERT_EQ(0, fail_page(&self->p, self->p.free + 41 * T_PAGE));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(2 * T_PAGE, i.out_bad_bytes);
	EXPECT_EQ(SIGBUS, t_load(map + 9 * T_PAGE).sig);
	EXPECT_EQ(0, t_load(map + 10 * T_PAGE).sig);
}

TEST_F(poison, before_it_is_mapped)
{
	__u8 *map;

	ASSERT_EQ(0, fail_page(&self->p, self->p.free + 7 * T_PAGE));
	map = t_map(self->p.fd, T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, map);
	check_page(_metadata, map, 7 * T_PAGE);
}

/* Claimed, nobody attached: the report must find the region. */
TEST_F(poison, while_unattached)
{
	struct pobj_ioc_info i;
	__u8 *map;

	close(self->p.fd);
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	ASSERT_EQ(0, fail_page(&self->p, self->p.free + 9 * T_PAGE));
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(1, i.out_bad_cnt);
	map = t_map(self->p.fd, T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, map);
	check_page(_metadata, map, 9 * T_PAGE);
}

/* Not claimed: nothing of ours is called. */
TEST_F(poison, while_unclaimed)
{
	close(self->p.fd);
	self->p.fd = -1;
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
	fail_page(&self->p, self->p.free + 9 * T_PAGE);
	EXPECT_EQ(0, t_dev_unbind(&self->p.dev));
	EXPECT_EQ(0, t_dev_bind(&self->p.dev));
	EXPECT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
}

TEST_F(poison, badblock_while_mapped)
{
	struct pobj_ioc_info i;
	__u8 *map;

	map = t_map(self->p.fd, 4 * T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, map);
	map[0] = 1;
	/* The sysfs file tells nobody: what counts is the next fault. */
	ASSERT_EQ(0, badblock(&self->p, self->p.free + T_HUGE + 3 * T_PAGE, T_PAGE));
	check_page(_metadata, map, T_HUGE + 3 * T_PAGE);
	EXPECT_EQ(0, t_load(map + 2 * T_HUGE).sig);
	EXPECT_EQ(0, t_load(map + T_HUGE).sig);
	EXPECT_EQ(0, t_load(map + 2 * T_HUGE - 1).sig);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(1, i.out_bad_cnt);
	EXPECT_EQ(T_PAGE, i.out_bad_bytes);
}

TEST_F(poison, badblock_smaller_than_a_page)
{
	struct pobj_ioc_info i;
	__u8 *map;

	ASSERT_EQ(0, badblock(&self->p, self->p.free + 3 * T_PAGE + 512, 512));
	ASSERT_EQ(0, badblock(&self->p, self->p.free + T_HUGE - 2 * T_PAGE - 512, 1024));
	map = t_map(self->p.fd, T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, map);
	check_page(_metadata, map, 3 * T_PAGE);
	EXPECT_EQ(SIGBUS, t_load(map + T_HUGE - 2 * T_PAGE).sig);
	EXPECT_EQ(SIGBUS, t_load(map + T_HUGE - 2 * T_PAGE - 1).sig);
	EXPECT_EQ(0, t_load(map + T_HUGE - T_PAGE).sig);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(2, i.out_bad_cnt);
	/* As the device counts, or the pages that are lost. */
	EXPECT_TRUE(i.out_bad_bytes == 1536 || i.out_bad_bytes == 3 * T_PAGE);
}

TEST_F(poison, badblock_known_at_claim)
{
	struct pobj_ioc_recover r;
	struct pobj_ioc_info i;
	__u8 *map;

	close(self->p.fd);
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
	ASSERT_EQ(0, badblock(&self->p, self->p.free + 8 * T_PAGE, 4 * T_PAGE));
	ASSERT_EQ(0, badblock(&self->p, self->p.free + 64 * T_PAGE, T_PAGE));
	ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(2, i.out_bad_cnt);
	EXPECT_EQ(5 * T_PAGE, i.out_bad_bytes);
	/* User data is not recovery's business. */
	ASSERT_EQ(0, t_recover(self->p.fd, &r));
	map = t_map(self->p.fd, T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, map);
	check_page(_metadata, map, 64 * T_PAGE);
	EXPECT_EQ(SIGBUS, t_load(map + 8 * T_PAGE).sig);
	EXPECT_EQ(SIGBUS, t_load(map + 12 * T_PAGE - 1).sig);
	EXPECT_EQ(0, t_load(map + 12 * T_PAGE).sig);
	EXPECT_EQ(0, t_load(map + 8 * T_PAGE - 1).sig);
}

TEST_F(poison, recover_with_a_bad_lane)
{
	struct pobj_ioc_recover r;
	struct pobj_m_super s;
	struct pobj_ioc_info i;
	__u64 off;

	close(self->p.fd);
	self->p.fd = -1;
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
	ASSERT_EQ(0, t_super_read(&self->p.dev, 0, &s));
	off = t_slot_off(&s, le32toh(s.lane_cnt) / 2, 0) & ~(T_PAGE - 1);
	ASSERT_EQ(0, badblock(&self->p, off, T_PAGE));
	ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	EXPECT_EQ(-EIO, t_recover(self->p.fd, &r));
	EXPECT_EQ(POBJ_DIAG_MEDIA, r.out_diag);
	EXPECT_EQ(off, r.out_diag_off & ~(T_PAGE - 1));
	EXPECT_EQ(-EUCLEAN, t_try_map(self->p.fd, T_PAGE, PROT_READ, MAP_SHARED, 0));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(0, i.out_recoveries);
	/* Healed, it is all there. */
	close(self->p.fd);
	self->p.fd = -1;
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
	ASSERT_EQ(0, t_heal_all());
	ASSERT_EQ(0, t_dev_find(&self->p.dev, variant->node));
	ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	EXPECT_EQ(0, t_recover(self->p.fd, &r));
}

/* Each superblock has its own 4 KiB, so that one poisoned block spares the other. */
TEST_F(poison, one_bad_superblock)
{
	struct pobj_ioc_recover r;
	struct pobj_region reg;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		close(self->p.fd);
		self->p.fd = -1;
		ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
		ASSERT_EQ(0, t_heal_all());
		ASSERT_EQ(0, t_dev_find(&self->p.dev, variant->node));
		ASSERT_EQ(0, badblock(&self->p, t_super_off(copy), T_PAGE));
		ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
		ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &reg));
		EXPECT_TRUE(reg.flags & POBJ_REGION_POOL);
		EXPECT_EQ(0, memcmp(reg.uuid, self->p.uuid, 16));
		self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		ASSERT_LE(0, self->p.fd);
		EXPECT_EQ(0, t_recover(self->p.fd, &r))
			TH_LOG("copy %d is bad", copy);
		EXPECT_EQ(0, t_try_map(self->p.fd, T_PAGE, T_RW, MAP_SHARED, self->p.free));
	}
}

TEST_F(poison, both_superblocks_bad)
{
	struct pobj_ioc_recover r;
	int ret;

	close(self->p.fd);
	self->p.fd = -1;
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
	ASSERT_EQ(0, badblock(&self->p, 0, 2 * T_PAGE));
	ret = t_claim(self->p.ctl, &self->p.dev, &self->p.id);
	EXPECT_EQ(0, ret);
	if (ret)
		return;
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	EXPECT_EQ(-EIO, t_recover(self->p.fd, &r));
	EXPECT_EQ(POBJ_DIAG_MEDIA, r.out_diag);
	EXPECT_GT(2 * T_PAGE, r.out_diag_off);
	EXPECT_EQ(-EUCLEAN, t_try_map(self->p.fd, T_PAGE, PROT_READ, MAP_SHARED, 0));
	/* Whether a pool is there nobody can tell: not one to format by mistake. */
	EXPECT_NE(0, t_format(self->p.fd, self->p.uuid, 0));
}

/* Writing mends the place where the device can, or says that it cannot. */
TEST_F(poison, format_over_a_bad_lane)
{
	const __u64 mark = 0x1234567890abcdef;
	struct pobj_m_super s, now;
	struct pobj_ioc_info i;
	__u64 *map, lane[2];
	__u8 uuid[16];
	int ret;

	ASSERT_EQ(0, t_super_read(&self->p.dev, 0, &s));
	map = t_map(self->p.fd, T_PAGE, t_lane_off(&s, 4) & ~(T_PAGE - 1));
	ASSERT_NE(MAP_FAILED, map);
	map[1] = mark;
	t_unmap_all();
	ASSERT_EQ(0, badblock(&self->p, t_lane_off(&s, 1) & ~(T_PAGE - 1), T_PAGE));
	t_uuid(uuid);
	ret = t_format(self->p.fd, uuid, POBJ_FORMAT_FORCE);
	EXPECT_TRUE(!ret || ret == -EIO);
	TH_LOG("format: %d", ret);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	if (!ret) {
		EXPECT_EQ(0, i.out_bad_cnt);
		EXPECT_EQ(0, t_pool_cycle(&self->p));
		EXPECT_EQ(0, t_recover(self->p.fd, NULL));
	} else if (!t_try_map(self->p.fd, T_PAGE, PROT_READ, MAP_SHARED, 0)) {
		/* It looked before it wrote: the old pool is as it was. */
		ASSERT_EQ(0, t_super_read(&self->p.dev, 0, &now));
		EXPECT_EQ(0, memcmp(&s, &now, sizeof(s)));
		ASSERT_EQ(0, t_img_read(&self->p.dev, t_lane_off(&s, 4) & ~(T_PAGE - 1), lane, 16));
		EXPECT_EQ(mark, lane[1]);
		EXPECT_EQ(0, memcmp(i.out_region.uuid, self->p.uuid, 16));
	}
}

TEST_HARNESS_MAIN
