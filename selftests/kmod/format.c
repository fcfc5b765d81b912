// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* POBJ_IOC_FORMAT: what it makes, what it refuses, and that refusing changes nothing. */
#include "child.h"
#include "image.h"

FIXTURE(format)
{
	struct t_pool p;
	struct pobj_ioc_format f;
};

FIXTURE_VARIANT(format)
{
	int node;
};

FIXTURE_VARIANT_ADD(format, node0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(format, node1)
{
	.node = 1,
};

FIXTURE_SETUP(format)
{
	__u8 uuid[16];

	T_POOL_MAKE(&self->p, variant->node);
	t_uuid(uuid);
	t_format_init(&self->f, uuid, POBJ_FORMAT_FORCE);
}

FIXTURE_TEARDOWN(format)
{
	t_kill_all();
	t_pool_drop(&self->p);
}

static int format(int fd, const struct pobj_ioc_format *f, __u32 *diag)
{
	struct pobj_ioc_format copy = *f;
	int ret;

	copy.out_diag = 0xdddd;
	ret = t_ioctl(fd, POBJ_IOC_FORMAT, &copy);
	if (diag)
		*diag = copy.out_diag;
	return ret;
}

/* Both superblocks hold what was asked for, and the parts of the pool follow each other. */
static void check_pool(struct __test_metadata *_metadata, struct t_pool *p,
		       const struct pobj_ioc_format *f)
{
	struct pobj_m_super s[2];
	struct pobj_region r;
	__u64 lane_bytes;
	int copy;

	ASSERT_EQ(0, t_region(p->ctl, p->id, &r));
	EXPECT_EQ(0, memcmp(r.uuid, f->uuid, 16));
	EXPECT_EQ(f->mode, r.mode);
	EXPECT_EQ(getuid(), r.uid);
	EXPECT_EQ(getgid(), r.gid);
	EXPECT_EQ(POBJ_REGION_POOL | POBJ_REGION_RECOVERED,
		  r.flags & (POBJ_REGION_POOL | POBJ_REGION_RECOVERED));
	for (copy = 0; copy < 2; copy++) {
		struct pobj_m_super *m = &s[copy];

		ASSERT_EQ(0, t_super_read(&p->dev, copy, m));
		EXPECT_TRUE(t_super_ok(m));
		EXPECT_EQ(0, memcmp(m->uuid, f->uuid, 16));
		EXPECT_STREQ((char *)f->layout, (char *)m->layout);
		EXPECT_EQ(f->mode, le32toh(m->mode));
		EXPECT_EQ(getuid(), le32toh(m->uid));
		EXPECT_EQ(getgid(), le32toh(m->gid));
		EXPECT_LE(le64toh(m->pool_size), p->info.out_region.bytes);
		/* The whole region, but for what is no page. */
		EXPECT_LE(p->info.out_region.bytes - T_HUGE, le64toh(m->pool_size));
		EXPECT_EQ(0, le64toh(m->pool_size) % POBJ_M_LINE);
		EXPECT_LE(POBJ_M_HEADER_END, le64toh(m->lane_off));
		lane_bytes = (1ULL + POBJ_M_SLOT_CNT + le32toh(m->ext_cnt)) * POBJ_M_LINE;
		EXPECT_LE(le64toh(m->lane_off) + le32toh(m->lane_cnt) * lane_bytes,
			  le64toh(m->line_off));
		EXPECT_LE(le64toh(m->line_off) + le64toh(m->page_cnt) * POBJ_M_LINE,
			  le64toh(m->data_off));
		EXPECT_LE(le64toh(m->data_off) + (le64toh(m->page_cnt) << le32toh(m->page_shift)),
			  le64toh(m->pool_size));
		EXPECT_LT(0, le32toh(m->lane_cnt));
		EXPECT_LT(0, le64toh(m->page_cnt));
		if (f->page_shift)
			EXPECT_EQ(f->page_shift, le32toh(m->page_shift));
		if (f->lane_cnt)
			EXPECT_EQ(f->lane_cnt, le32toh(m->lane_cnt));
	}
	/* Written one after the other, so the sequences may differ; the contents do not. */
	s[0].seq = s[1].seq;
	s[0].crc = s[1].crc;
	EXPECT_EQ(0, memcmp(&s[0], &s[1], sizeof(s[0])));
}

static void check_empty(struct __test_metadata *_metadata, struct t_pool *p)
{
	struct pobj_m_super s;
	struct pobj_m_root root;
	static __u8 buf[1 << 20];
	__u64 off, i, n;
	bool clean = true;

	ASSERT_EQ(0, t_super_read(&p->dev, 0, &s));
	ASSERT_EQ(0, t_img_read(&p->dev, POBJ_M_ROOT_OFF, &root, sizeof(root)));
	EXPECT_EQ(0, root.off);
	EXPECT_EQ(0, root.size);
	/* No page is in use. */
	off = le64toh(s.line_off);
	for (n = le64toh(s.page_cnt) * POBJ_M_LINE; n; n -= i, off += i) {
		__u64 k;

		i = n < sizeof(buf) ? n : sizeof(buf);
		ASSERT_EQ(0, t_img_read(&p->dev, off, buf, i));
		for (k = 0; k < i; k += POBJ_M_LINE)
			clean &= !*(__u64 *)(buf + k);
	}
	EXPECT_TRUE(clean);
}

TEST_F(format, defaults)
{
	struct pobj_ioc_info i;
	struct pobj_m_super s;
	__u32 diag;

	self->f.mode = 0640;
	EXPECT_EQ(0, format(self->p.fd, &self->f, &diag));
	EXPECT_EQ(POBJ_DIAG_NONE, diag);
	check_pool(_metadata, &self->p, &self->f);
	check_empty(_metadata, &self->p);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_LT(0, i.out_sidecar_bytes);
	EXPECT_EQ(0, t_try_map(self->p.fd, T_PAGE, T_RW, MAP_SHARED, 0));
	ASSERT_EQ(0, t_super_read(&self->p.dev, 0, &s));
	/* So that user data can be mapped by 2 MiB. */
	EXPECT_EQ(0, le64toh(s.data_off) % T_HUGE);
}

/* It is what the next claim finds. */
TEST_F(format, comes_back)
{
	struct pobj_ioc_recover r;
	struct pobj_region reg;

	self->f.mode = 0604;
	ASSERT_EQ(0, format(self->p.fd, &self->f, NULL));
	ASSERT_EQ(0, t_pool_cycle(&self->p));
	ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &reg));
	EXPECT_EQ(0, memcmp(reg.uuid, self->f.uuid, 16));
	EXPECT_EQ(0604, reg.mode);
	EXPECT_EQ(POBJ_REGION_POOL, reg.flags & (POBJ_REGION_POOL | POBJ_REGION_RECOVERED));
	ASSERT_EQ(0, t_recover(self->p.fd, &r));
	EXPECT_EQ(0, r.out_live);
	EXPECT_EQ(0, r.out_undone);
	EXPECT_EQ(0, r.out_redone);
	EXPECT_EQ(0, r.out_repaired);
	EXPECT_LT(0, r.out_lanes);
	check_pool(_metadata, &self->p, &self->f);
}

TEST_F(format, geometry)
{
	static const struct {
		__u32 page_shift, lane_cnt;
	} how[] = { { 12, 1 }, { 12, 2 }, { 0, 1 }, { 0, 64 }, { 16, 0 }, { 21, 3 } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(how); i++) {
		self->f.page_shift = how[i].page_shift;
		self->f.lane_cnt = how[i].lane_cnt;
		t_uuid(self->f.uuid);
		EXPECT_EQ(0, format(self->p.fd, &self->f, NULL))
			TH_LOG("page shift %u, %u lanes", how[i].page_shift, how[i].lane_cnt);
		check_pool(_metadata, &self->p, &self->f);
		ASSERT_EQ(0, t_pool_cycle(&self->p));
		EXPECT_EQ(0, t_recover(self->p.fd, NULL));
	}
}

/* A failed format leaves pool and region as they are. */
static void check_refused(struct __test_metadata *_metadata, struct t_pool *p,
			  const struct pobj_ioc_format *f, int error, __u32 want_diag)
{
	struct pobj_region r;
	struct pobj_m_super before, after;
	__u32 diag;

	ASSERT_EQ(0, t_super_read(&p->dev, 0, &before));
	EXPECT_EQ(error, format(p->fd, f, &diag));
	if (want_diag)
		EXPECT_EQ(want_diag, diag);
	ASSERT_EQ(0, t_super_read(&p->dev, 0, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	ASSERT_EQ(0, t_region(p->ctl, p->id, &r));
	EXPECT_EQ(0, memcmp(r.uuid, p->uuid, 16));
	EXPECT_EQ(0600, r.mode);
	EXPECT_TRUE(r.flags & POBJ_REGION_POOL);
	EXPECT_TRUE(r.flags & POBJ_REGION_RECOVERED);
}

TEST_F(format, pool_is_there)
{
	self->f.flags = 0;
	check_refused(_metadata, &self->p, &self->f, -EEXIST, POBJ_DIAG_SIGNATURE);
	ASSERT_EQ(0, t_pool_cycle(&self->p));
	EXPECT_EQ(-EEXIST, format(self->p.fd, &self->f, NULL));
	EXPECT_EQ(0, t_recover(self->p.fd, NULL));
	check_refused(_metadata, &self->p, &self->f, -EEXIST, POBJ_DIAG_SIGNATURE);
	self->f.flags = POBJ_FORMAT_FORCE;
	EXPECT_EQ(0, format(self->p.fd, &self->f, NULL));
	check_pool(_metadata, &self->p, &self->f);
}

/* With one superblock left, a pool is there. */
TEST_F(format, half_a_pool_is_there)
{
	__u8 garbage[POBJ_M_LINE];
	int copy;

	self->f.flags = 0;
	memset(garbage, 0xa5, sizeof(garbage));
	for (copy = 0; copy < 2; copy++) {
		close(self->p.fd);
		self->p.fd = -1;
		ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
		ASSERT_EQ(0, t_img_write(&self->p.dev, t_super_off(copy), garbage,
					 sizeof(garbage)));
		ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
		self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		ASSERT_LE(0, self->p.fd);
		EXPECT_EQ(-EEXIST, format(self->p.fd, &self->f, NULL))
			TH_LOG("copy %d damaged", copy);
		ASSERT_EQ(0, t_format(self->p.fd, self->p.uuid, POBJ_FORMAT_FORCE));
	}
}

TEST_F(format, wrong_fields)
{
	struct pobj_ioc_format f = self->f;

	memset(f.layout, 'x', sizeof(f.layout));
	check_refused(_metadata, &self->p, &f, -EINVAL, 0);

	f = self->f;
	memset(f.uuid, 0, 8);
	check_refused(_metadata, &self->p, &f, -EINVAL, 0);
	memset(f.uuid, 0, 16);
	check_refused(_metadata, &self->p, &f, -EINVAL, 0);

	f = self->f;
	f.page_shift = 63;
	check_refused(_metadata, &self->p, &f, -EINVAL, 0);
	f.page_shift = 1;
	check_refused(_metadata, &self->p, &f, -EINVAL, 0);
	f.page_shift = ~0U;
	check_refused(_metadata, &self->p, &f, -EINVAL, 0);

	f = self->f;
	f.lane_cnt = ~0U;
	check_refused(_metadata, &self->p, &f, -EINVAL, 0);

	f = self->f;
	f.mode = 010000;
	check_refused(_metadata, &self->p, &f, -EINVAL, 0);
	f.mode = ~0U;
	check_refused(_metadata, &self->p, &f, -EINVAL, 0);
}

/* The longest name, and none. */
TEST_F(format, layout)
{
	memset(self->f.layout, 'x', POBJ_LAYOUT_MAX - 1);
	self->f.layout[POBJ_LAYOUT_MAX - 1] = 0;
	EXPECT_EQ(0, format(self->p.fd, &self->f, NULL));
	check_pool(_metadata, &self->p, &self->f);
	memset(self->f.layout, 0, POBJ_LAYOUT_MAX);
	EXPECT_EQ(0, format(self->p.fd, &self->f, NULL));
	check_pool(_metadata, &self->p, &self->f);
}

/* "the rest 0": what stands behind the end of the name does not get onto the medium. */
TEST_F(format, behind_the_layout)
{
	struct pobj_m_super s;
	int i, ret;

	memset(self->f.layout, 'y', POBJ_LAYOUT_MAX - 1);
	strcpy((char *)self->f.layout, "short");
	ret = format(self->p.fd, &self->f, NULL);
	EXPECT_TRUE(!ret || ret == -EINVAL);
	if (ret)
		return;
	ASSERT_EQ(0, t_super_read(&self->p.dev, 0, &s));
	EXPECT_STREQ("short", (char *)s.layout);
	for (i = 5; i < POBJ_LAYOUT_MAX && !s.layout[i]; i++)
		;
	EXPECT_EQ(POBJ_LAYOUT_MAX, i);
}

TEST_F(format, read_only)
{
	int rw = self->p.fd;

	self->p.fd = t_attach(self->p.ctl, self->p.id, POBJ_ATTACH_RDONLY, NULL);
	ASSERT_LE(0, self->p.fd);
	check_refused(_metadata, &self->p, &self->f, -EACCES, 0);
	close(rw);
}

TEST_F(format, mapped)
{
	void *p = t_map(self->p.fd, T_PAGE, self->p.free);

	ASSERT_NE(MAP_FAILED, p);
	check_refused(_metadata, &self->p, &self->f, -EBUSY, 0);
	t_unmap_all();
	p = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR);
	ASSERT_NE(MAP_FAILED, p);
	check_refused(_metadata, &self->p, &self->f, -EBUSY, 0);
	t_unmap_all();
	EXPECT_EQ(0, format(self->p.fd, &self->f, NULL));
}

static int child_attaches(int sock, void *arg)
{
	int fd = t_attach(t_ctl(), *(__u64 *)arg, 0, NULL);

	T_CHILD(fd >= 0);
	t_put(sock, 1);
	t_get(sock, NULL);
	return 0;
}

TEST_F(format, somebody_else_is_attached)
{
	struct t_child c;

	ASSERT_EQ(0, t_spawn(&c, child_attaches, &self->p.id));
	ASSERT_EQ(0, t_get(c.sock, NULL));
	check_refused(_metadata, &self->p, &self->f, -EBUSY, 0);
	t_put(c.sock, 1);
	EXPECT_EQ(0, t_join(&c));
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	EXPECT_EQ(0, format(self->p.fd, &self->f, NULL));
}

TEST_F(format, uuid_in_use)
{
	struct t_dev other;
	struct pobj_ioc_format f = self->f;
	__u64 id;
	int fd;

	T_NEED(!t_dev_find(&other, !variant->node), "one device only");
	ASSERT_EQ(0, t_claim(self->p.ctl, &other, &id));
	fd = t_attach(self->p.ctl, id, 0, NULL);
	ASSERT_LE(0, fd);
	memcpy(f.uuid, self->p.uuid, 16);
	EXPECT_EQ(-EEXIST, format(fd, &f, NULL));
	EXPECT_EQ(0, format(fd, &self->f, NULL));
	EXPECT_EQ(-EEXIST, format(fd, &f, NULL));
	check_refused(_metadata, &self->p, &self->f, -EEXIST, 0);
	close(fd);
	EXPECT_EQ(0, t_release(self->p.ctl, id));
	/* Regions that are gone do not count. */
	EXPECT_EQ(0, format(self->p.fd, &self->f, NULL));
	check_pool(_metadata, &self->p, &self->f);
}

/* A device and its copy: two regions, which only their numbers tell apart. */
TEST_F(format, twin)
{
	struct pobj_m_super s[2];
	struct pobj_region r;
	struct t_dev other;
	__u64 id;
	int fd, copy;

	T_NEED(!t_dev_find(&other, !variant->node), "one device only");
	T_NEED(other.bytes == self->p.dev.bytes, "devices of different sizes");
	for (copy = 0; copy < 2; copy++)
		ASSERT_EQ(0, t_super_read(&self->p.dev, copy, &s[copy]));
	for (copy = 0; copy < 2; copy++)
		ASSERT_EQ(0, t_super_write(&other, copy, &s[copy]));
	ASSERT_EQ(0, t_claim(self->p.ctl, &other, &id));
	ASSERT_EQ(0, t_region(self->p.ctl, id, &r));
	EXPECT_EQ(0, memcmp(r.uuid, self->p.uuid, 16));
	EXPECT_EQ(-ENOTUNIQ, t_attach_uuid(self->p.ctl, self->p.uuid, 0));
	fd = t_attach(self->p.ctl, id, 0, NULL);
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, t_try_map(self->p.fd, T_PAGE, T_RW, MAP_SHARED, 0));

	/* The copy becomes a pool of its own; the first is alone again. */
	EXPECT_EQ(-EEXIST, t_format(fd, self->p.uuid, POBJ_FORMAT_FORCE));
	EXPECT_EQ(0, format(fd, &self->f, NULL));
	close(fd);
	fd = t_attach_uuid(self->p.ctl, self->p.uuid, 0);
	EXPECT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, t_release(self->p.ctl, id));
	EXPECT_EQ(0, t_img_wipe(&other));
}

/* Old contents do not shine through. */
TEST_F(format, over_old_contents)
{
	struct pobj_m_super s;
	static __u8 ones[8 << 20];
	__u64 id, off;

	close(self->p.fd);
	self->p.fd = -1;
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
	memset(ones, 0xff, sizeof(ones));
	for (off = 0; off < self->p.free; off += sizeof(ones))
		ASSERT_EQ(0, t_img_write(&self->p.dev, off, ones, sizeof(ones)));
	ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &id));
	self->p.id = id;
	self->p.fd = t_attach(self->p.ctl, id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	/* No pool: no force. */
	self->f.flags = 0;
	ASSERT_EQ(0, format(self->p.fd, &self->f, NULL));
	check_pool(_metadata, &self->p, &self->f);
	check_empty(_metadata, &self->p);
	ASSERT_EQ(0, t_super_read(&self->p.dev, 0, &s));
	ASSERT_EQ(0, t_pool_cycle(&self->p));
	EXPECT_EQ(0, t_recover(self->p.fd, NULL));
}

TEST_HARNESS_MAIN
