// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* mmap of a region file: what may be mapped, how, where it is, and what becomes of the data. */
#include "child.h"
#include "fault.h"
#include "image.h"

FIXTURE(map)
{
	struct t_pool p;
	__u64 bytes;
	__u64 sidecar;
};

FIXTURE_VARIANT(map)
{
	int node;
};

FIXTURE_VARIANT_ADD(map, node0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(map, node1)
{
	.node = 1,
};

FIXTURE_SETUP(map)
{
	T_POOL_MAKE(&self->p, variant->node);
	self->bytes = self->p.info.out_region.bytes;
	self->sidecar = self->p.info.out_sidecar_bytes;
}

FIXTURE_TEARDOWN(map)
{
	t_kill_all();
	t_pool_drop(&self->p);
}

static int try_map(int fd, int prot, int flags, __u64 off)
{
	return t_try_map(fd, T_PAGE, prot, flags, off);
}

/* ---- contents that may not be seen -------------------------------------------------------- */

TEST_F(map, not_formatted)
{
	struct pobj_ioc_info i;

	close(self->p.fd);
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
	ASSERT_EQ(0, t_img_wipe(&self->p.dev));
	ASSERT_EQ(0, t_claim(self->p.ctl, &self->p.dev, &self->p.id));
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	EXPECT_EQ(-EUCLEAN, try_map(self->p.fd, T_RW, MAP_SHARED, 0));
	EXPECT_EQ(-EUCLEAN, try_map(self->p.fd, PROT_READ, MAP_SHARED, 0));
	EXPECT_EQ(-EUCLEAN, try_map(self->p.fd, PROT_READ, MAP_SHARED, self->p.free));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(0, i.out_region.flags & (POBJ_REGION_POOL | POBJ_REGION_RECOVERED));
	EXPECT_EQ(0, i.out_sidecar_bytes);
	EXPECT_EQ(-ENXIO, try_map(self->p.fd, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR));
	EXPECT_EQ(-EMEDIUMTYPE, t_recover(self->p.fd, NULL));
	EXPECT_EQ(-EUCLEAN, try_map(self->p.fd, T_RW, MAP_SHARED, 0));

	/* Formatted, it counts as recovered. */
	ASSERT_EQ(0, t_format(self->p.fd, self->p.uuid, 0));
	EXPECT_EQ(0, try_map(self->p.fd, T_RW, MAP_SHARED, 0));
	EXPECT_EQ(0, try_map(self->p.fd, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR));
}

TEST_F(map, not_recovered_in_this_claim)
{
	struct pobj_ioc_recover r;
	struct pobj_ioc_info i;

	ASSERT_EQ(0, t_pool_cycle(&self->p));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_TRUE(i.out_region.flags & POBJ_REGION_POOL);
	EXPECT_FALSE(i.out_region.flags & POBJ_REGION_RECOVERED);
	EXPECT_EQ(0, i.out_recoveries);
	EXPECT_EQ(-EUCLEAN, try_map(self->p.fd, T_RW, MAP_SHARED, 0));
	EXPECT_EQ(-EUCLEAN, try_map(self->p.fd, PROT_READ, MAP_SHARED, 0));
	ASSERT_EQ(0, t_recover(self->p.fd, &r));
	EXPECT_EQ(0, r.out_flags);
	EXPECT_EQ(0, try_map(self->p.fd, T_RW, MAP_SHARED, 0));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_TRUE(i.out_region.flags & POBJ_REGION_RECOVERED);
	EXPECT_EQ(1, i.out_recoveries);
}

static int child_maps(int sock, void *arg)
{
	struct t_pool *p = arg;
	int ctl = t_ctl(), fd = t_attach(ctl, p->id, 0, NULL);
	__u64 *data;

	T_CHILD(fd >= 0);
	data = t_map(fd, T_HUGE, p->free);
	T_CHILD(data != MAP_FAILED);
	data[0] = 0x1122334455667788;
	T_CHILD(!t_put(sock, 1));
	t_get(sock, NULL);
	return 0;
}

TEST_F(map, after_the_last_session_died)
{
	struct pobj_ioc_recover r;
	struct pobj_ioc_info i;
	struct t_child c;
	__u64 *data;

	close(self->p.fd);
	self->p.fd = -1;
	ASSERT_EQ(0, t_spawn(&c, child_maps, &self->p));
	ASSERT_EQ(0, t_get(c.sock, NULL));
	EXPECT_EQ(-SIGKILL, t_kill(&c));
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_FALSE(i.out_region.flags & POBJ_REGION_RECOVERED);
	EXPECT_EQ(-EUCLEAN, try_map(self->p.fd, T_RW, MAP_SHARED, 0));
	EXPECT_EQ(0, try_map(self->p.fd, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR));
	ASSERT_EQ(0, t_recover(self->p.fd, &r));
	EXPECT_EQ(0, r.out_flags);
	ASSERT_EQ(0, t_recover(self->p.fd, &r));
	EXPECT_EQ(POBJ_RECOVER_WAS_DONE, r.out_flags);
	data = t_map(self->p.fd, T_PAGE, self->p.free);
	ASSERT_NE(MAP_FAILED, data);
	EXPECT_EQ(0x1122334455667788, data[0]);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(1, i.out_recoveries);
}

/* How a session ends, and whether the pool must be recovered after the last one. */
struct end {
	struct t_pool *p;
	__u32 flags;
	int prot;
	bool map, unmap, exits;
};

static int child_ends(int sock, void *arg)
{
	struct end *e = arg;
	int fd = t_attach(t_ctl(), e->p->id, e->flags, NULL);
	void *data, *side;

	T_CHILD(fd >= 0);
	side = t_mmap(fd, T_PAGE, PROT_READ, MAP_SHARED, POBJ_MMAP_SIDECAR);
	T_CHILD(side != MAP_FAILED);
	if (e->map) {
		data = mmap(NULL, T_HUGE, e->prot, MAP_SHARED, fd, e->p->free);
		T_CHILD(data != MAP_FAILED);
		if (e->unmap)
			munmap(data, T_HUGE);
	}
	T_CHILD(!t_put(sock, 1));
	if (e->exits) {
		t_get(sock, NULL);
		return 0;
	}
	for (;;)
		pause();
}

TEST_F(map, what_counts_as_a_death)
{
	const struct {
		struct end end;
		const char *what;
		bool must_recover;
	} how[] = {
		{ { &self->p, 0, T_RW, true, false, false }, "killed, mapped", true },
		{ { &self->p, 0, T_RW, true, false, true }, "exit, mapped", true },
		/* What it did while it was mapped, nobody knows. */
		{ { &self->p, 0, T_RW, true, true, false }, "killed, unmapped", true },
		{ { &self->p, 0, PROT_READ, true, false, false }, "killed, mapped to read", true },
		{ { &self->p, 0, T_RW, false, false, false }, "killed, never mapped", false },
		{ { &self->p, POBJ_ATTACH_RDONLY, PROT_READ, true, false, false },
		  "killed, attached to read", false },
	};
	struct pobj_region r;
	struct t_child c;
	bool alone;
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(how); i++) {
		struct end end = how[i / 2].end;

		/* As the last session, or with another that goes later, in good order. */
		alone = i & 1;
		if (alone) {
			close(self->p.fd);
			EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
		}
		ASSERT_EQ(0, t_spawn(&c, child_ends, &end));
		ASSERT_EQ(0, t_get(c.sock, NULL));
		if (end.exits) {
			t_put(c.sock, 1);
			EXPECT_EQ(0, t_join(&c));
		} else {
			EXPECT_EQ(-SIGKILL, t_kill(&c));
		}
		EXPECT_EQ(!alone, t_sessions(self->p.ctl, self->p.id, !alone));
		if (!alone) {
			EXPECT_EQ(0, try_map(self->p.fd, T_RW, MAP_SHARED, 0));
			close(self->p.fd);
			EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
		}
		ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &r));
		EXPECT_EQ(!how[i / 2].must_recover, !!(r.flags & POBJ_REGION_RECOVERED))
			TH_LOG("%s, alone %d", how[i / 2].what, alone);
		self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
		ASSERT_LE(0, self->p.fd);
		EXPECT_EQ(how[i / 2].must_recover ? -EUCLEAN : 0,
			  try_map(self->p.fd, T_RW, MAP_SHARED, 0));
		ASSERT_EQ(0, t_recover(self->p.fd, NULL));
	}
}

TEST_F(map, after_one_of_two_sessions_died)
{
	struct t_child c;

	ASSERT_EQ(0, t_spawn(&c, child_maps, &self->p));
	ASSERT_EQ(0, t_get(c.sock, NULL));
	EXPECT_EQ(-SIGKILL, t_kill(&c));
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
	EXPECT_EQ(0, try_map(self->p.fd, T_RW, MAP_SHARED, 0));
}

/* ---- what is refused ---------------------------------------------------------------------- */

TEST_F(map, private)
{
	EXPECT_EQ(-EINVAL, try_map(self->p.fd, T_RW, MAP_PRIVATE, 0));
	EXPECT_EQ(-EINVAL, try_map(self->p.fd, PROT_READ, MAP_PRIVATE, 0));
	EXPECT_EQ(-EINVAL, try_map(self->p.fd, PROT_NONE, MAP_PRIVATE, 0));
	EXPECT_EQ(-EINVAL, try_map(self->p.fd, T_RW, MAP_PRIVATE, POBJ_MMAP_SIDECAR));
	EXPECT_EQ(-EINVAL, try_map(self->p.fd, PROT_READ, MAP_PRIVATE, POBJ_MMAP_SIDECAR));
	EXPECT_EQ(0, try_map(self->p.fd, T_RW, MAP_SHARED_VALIDATE, 0));
}

TEST_F(map, read_only_file)
{
	static const __u64 offs[] = { POBJ_MMAP_DATA, POBJ_MMAP_SIDECAR };
	struct t_fault f;
	__u8 *p, *rw;
	int fd, i;

	fd = t_attach(self->p.ctl, self->p.id, POBJ_ATTACH_RDONLY, NULL);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EACCES, try_map(fd, T_RW, MAP_SHARED, offs[i]));
		EXPECT_EQ(-EACCES, try_map(fd, PROT_WRITE, MAP_SHARED, offs[i]));
		EXPECT_EQ(-EACCES, try_map(fd, T_RW, MAP_SHARED_VALIDATE, offs[i]));
		p = t_mmap(fd, T_PAGE, PROT_READ, MAP_SHARED, offs[i]);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(-1, mprotect(p, T_PAGE, T_RW));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(-1, mprotect(p, T_PAGE, PROT_WRITE));
		f = t_load(p + 16);
		EXPECT_EQ(0, f.sig);
		f = t_store(p + 16);
		EXPECT_EQ(SIGSEGV, f.sig);
		EXPECT_EQ(SEGV_ACCERR, f.code);
		EXPECT_EQ(p + 16, f.addr);
		/* What a writer stores can be read. */
		rw = t_mmap(self->p.fd, T_PAGE, T_RW, MAP_SHARED, offs[i]);
		ASSERT_NE(MAP_FAILED, rw);
		rw[T_PAGE - 1] ^= 0xff;
		EXPECT_EQ(rw[T_PAGE - 1], p[T_PAGE - 1]);
		rw[T_PAGE - 1] ^= 0xff;
	}
	close(fd);
}

/* By 2 MiB and with the page there already: the same. */
TEST_F(map, read_only_huge)
{
	struct t_fault f;
	__u8 *p, *rw;
	int fd;

	rw = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, rw);
	memset(rw, 1, 2 * T_HUGE);
	fd = t_attach(self->p.ctl, self->p.id, POBJ_ATTACH_RDONLY, NULL);
	ASSERT_LE(0, fd);
	p = t_mmap(fd, 2 * T_HUGE, PROT_READ, MAP_SHARED, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(1, p[0]);
	EXPECT_EQ(1, p[T_HUGE]);
	f = t_store(p);
	EXPECT_EQ(SIGSEGV, f.sig);
	f = t_store(p + 2 * T_HUGE - 1);
	EXPECT_EQ(SIGSEGV, f.sig);
	EXPECT_EQ(1, rw[0]);
	EXPECT_EQ(1, rw[2 * T_HUGE - 1]);
	close(fd);
}

TEST_F(map, read_only_mapping_of_a_writable_file)
{
	struct t_fault f;
	__u8 *p = t_mmap(self->p.fd, T_HUGE, PROT_READ, MAP_SHARED, self->p.free);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, t_load(p).sig);
	f = t_store(p);
	EXPECT_EQ(SIGSEGV, f.sig);
	EXPECT_EQ(SEGV_ACCERR, f.code);
	ASSERT_EQ(0, mprotect(p, T_HUGE, T_RW));
	EXPECT_EQ(0, t_store(p).sig);
	EXPECT_EQ(0x5a, p[0]);
	ASSERT_EQ(0, mprotect(p, T_HUGE, PROT_READ));
	EXPECT_EQ(SIGSEGV, t_store(p).sig);
	ASSERT_EQ(0, mprotect(p, T_HUGE, PROT_NONE));
	EXPECT_EQ(SIGSEGV, t_load(p).sig);
	ASSERT_EQ(0, mprotect(p, T_HUGE, T_RW));
	EXPECT_EQ(0x5a, p[0]);
}

TEST_F(map, bounds)
{
	__u64 end[2] = { self->bytes, POBJ_MMAP_SIDECAR + self->sidecar };
	int fd = self->p.fd, i;

	/* Bounds come from INFO; the data ends at a page. */
	ASSERT_EQ(0, self->bytes % T_PAGE);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, try_map(fd, T_RW, MAP_SHARED, end[i] - T_PAGE));
		EXPECT_EQ(-ENXIO, try_map(fd, T_RW, MAP_SHARED, end[i]));
		EXPECT_EQ(-ENXIO, try_map(fd, T_RW, MAP_SHARED, end[i] + T_PAGE));
		EXPECT_EQ(-ENXIO, try_map(fd, PROT_READ, MAP_SHARED, end[i]));
		EXPECT_EQ(-ENXIO, t_try_map(fd, 2 * T_PAGE, T_RW, MAP_SHARED, end[i] - T_PAGE));
	}
	EXPECT_EQ(0, t_try_map(fd, self->bytes, T_RW, MAP_SHARED, 0));
	EXPECT_EQ(0, t_try_map(fd, self->sidecar, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR));
	EXPECT_EQ(-ENXIO, t_try_map(fd, self->bytes + 1, T_RW, MAP_SHARED, 0));
	EXPECT_EQ(-ENXIO, t_try_map(fd, self->bytes + T_HUGE, T_RW, MAP_SHARED, 0));
	EXPECT_EQ(-ENXIO, t_try_map(fd, self->sidecar + 1, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR));
	EXPECT_EQ(-ENXIO, try_map(fd, T_RW, MAP_SHARED, 1ULL << 59));
	EXPECT_EQ(-ENXIO, try_map(fd, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR - T_PAGE));
	EXPECT_EQ(-ENXIO, t_try_map(fd, 2 * T_PAGE, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR - T_PAGE));
	EXPECT_EQ(-ENXIO, try_map(fd, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR << 1));
	EXPECT_EQ(-ENXIO, try_map(fd, T_RW, MAP_SHARED, POBJ_MMAP_SIDECAR << 2));
	EXPECT_GT(0, try_map(fd, T_RW, MAP_SHARED, 1ULL << 63));
	EXPECT_GT(0, try_map(fd, T_RW, MAP_SHARED, -T_PAGE));
	EXPECT_GT(0, t_try_map(fd, 2 * T_PAGE, T_RW, MAP_SHARED, -T_PAGE));
	EXPECT_EQ(-EINVAL, try_map(fd, T_RW, MAP_SHARED, 8));
	/* Nothing of this was a mapping. */
	EXPECT_EQ(0, t_detach(fd));
}

/* The last byte is there, and it is ours alone. */
TEST_F(map, last_page)
{
	__u8 *p = t_map(self->p.fd, T_PAGE, self->bytes - T_PAGE);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, t_store(p + T_PAGE - 1).sig);
	p = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR + self->sidecar - T_PAGE);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, p[T_PAGE - 1]);
	EXPECT_EQ(0, t_store(p + T_PAGE - 1).sig);
}

TEST_F(map, sync)
{
	bool sync = self->p.info.out_region.flags & POBJ_REGION_SYNC;
	int ret = try_map(self->p.fd, T_RW, MAP_SHARED_VALIDATE | MAP_SYNC, 0);

	EXPECT_TRUE(sync);
	EXPECT_EQ(sync ? 0 : -EOPNOTSUPP, ret);
	/* The sidecar is memory: it may or may not know the flag, but it must answer. */
	ret = try_map(self->p.fd, T_RW, MAP_SHARED_VALIDATE | MAP_SYNC, POBJ_MMAP_SIDECAR);
	EXPECT_TRUE(!ret || ret == -EOPNOTSUPP);
	EXPECT_EQ(-EOPNOTSUPP, try_map(self->p.fd, T_RW, MAP_SHARED_VALIDATE | 0x400000, 0));
}

/* ---- faults ------------------------------------------------------------------------------- */

static void faults(int fd, __u64 *huge, __u64 *small)
{
	struct pobj_ioc_info i;

	if (t_info(fd, &i))
		abort();
	*huge = i.out_faults_2m - *huge;
	*small = i.out_faults_4k - *small;
}

static void touch_all(__u8 *p, __u64 len)
{
	__u64 off;

	for (off = 0; off < len; off += T_PAGE)
		((volatile __u8 *)p)[off] = off >> 12;
}

TEST_F(map, by_2m)
{
	__u64 huge = 0, small = 0;
	__u8 *p;

	p = t_map(self->p.fd, 64ULL << 20, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, (uintptr_t)p % T_HUGE);
	faults(self->p.fd, &huge, &small);
	touch_all(p, 64ULL << 20);
	faults(self->p.fd, &huge, &small);
	EXPECT_EQ(32, huge);
	EXPECT_EQ(0, small);

	/* All of it at once, as the library maps it. */
	t_unmap_all();
	p = t_map(self->p.fd, self->bytes, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, (uintptr_t)p % T_HUGE);
	huge = 0;
	small = 0;
	faults(self->p.fd, &huge, &small);
	touch_all(p + self->p.free, 8 * T_HUGE);
	faults(self->p.fd, &huge, &small);
	EXPECT_EQ(8, huge);
	EXPECT_EQ(0, small);
}

TEST_F(map, by_4k)
{
	static const struct {
		const char *what;
		__u64 addr;		/* into 2 MiB */
		__u64 off;
		__u64 len;
		__u64 huge, small;
	} how[] = {
		{ "address not aligned", T_PAGE, 0, 2 * T_HUGE, 0, 1024 },
		{ "offset not aligned", 0, T_PAGE, 2 * T_HUGE, 0, 1024 },
		{ "both, by the same", T_PAGE, T_PAGE, 2 * T_HUGE, 1, 512 },
		{ "too short", 0, 0, T_HUGE - T_PAGE, 0, 511 },
		{ "end not aligned", 0, 0, T_HUGE + T_PAGE, 1, 1 },
	};
	__u64 huge, small, off;
	__u8 *room, *p;
	size_t i;

	room = mmap(NULL, 8 * T_HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, room);
	room += -(uintptr_t)room % T_HUGE;
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		p = mmap(room + how[i].addr, how[i].len, T_RW, MAP_SHARED | MAP_FIXED, self->p.fd,
			 self->p.free + how[i].off);
		ASSERT_EQ(room + how[i].addr, p);
		huge = 0;
		small = 0;
		faults(self->p.fd, &huge, &small);
		touch_all(p, how[i].len);
		faults(self->p.fd, &huge, &small);
		EXPECT_EQ(how[i].huge, huge)
			TH_LOG("%s", how[i].what);
		EXPECT_EQ(how[i].small, small)
			TH_LOG("%s", how[i].what);
		for (off = 0; off < how[i].len; off += T_PAGE) {
			if (p[off] == (__u8)(off >> 12))
				continue;
			EXPECT_EQ((__u8)(off >> 12), p[off])
				TH_LOG("%s: offset %#llx", how[i].what, off);
			break;
		}
		munmap(p, how[i].len);
	}
	EXPECT_EQ(0, t_detach(self->p.fd));
}

/* Two mappings of different kinds show the same bytes. */
TEST_F(map, mixed_sizes_are_coherent)
{
	__u8 *room, *big, *small;
	__u64 off;

	big = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, big);
	room = mmap(NULL, 4 * T_HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	small = room + -(uintptr_t)room % T_HUGE + 3 * T_PAGE;
	small = mmap(small, 2 * T_HUGE, T_RW, MAP_SHARED | MAP_FIXED, self->p.fd, self->p.free);
	ASSERT_NE(MAP_FAILED, small);
	for (off = 0; off < 2 * T_HUGE; off += 5 * T_PAGE + 8)
		*(__u64 *)(big + off) = off * 3;
	for (off = 0; off < 2 * T_HUGE; off += 5 * T_PAGE + 8)
		ASSERT_EQ(off * 3, *(__u64 *)(small + off));
	for (off = 0; off < 2 * T_HUGE; off += 7 * T_PAGE + 8)
		*(__u64 *)(small + off) = off * 7;
	for (off = 0; off < 2 * T_HUGE; off += 7 * T_PAGE + 8)
		ASSERT_EQ(off * 7, *(__u64 *)(big + off));
}

TEST_F(map, shared_between_processes)
{
	struct t_child c;
	__u64 *p = t_map(self->p.fd, T_HUGE, self->p.free);

	ASSERT_NE(MAP_FAILED, p);
	p[0] = 0;
	ASSERT_EQ(0, t_spawn(&c, child_maps, &self->p));
	ASSERT_EQ(0, t_get(c.sock, NULL));
	EXPECT_EQ(0x1122334455667788, p[0]);
}

/* ---- what one may do to a mapping --------------------------------------------------------- */

TEST_F(map, not_inherited)
{
	__u8 *data = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
	__u8 *sidecar = t_map(self->p.fd, 2 * T_PAGE, POBJ_MMAP_SIDECAR);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, data);
	ASSERT_NE(MAP_FAILED, sidecar);
	data[0] = 1;
	sidecar[0] = 1;
	pid = t_fork();
	if (!pid) {
		T_CHILD(t_load(data).sig == SIGSEGV);
		T_CHILD(t_load(data + T_HUGE).sig == SIGSEGV);
		T_CHILD(t_store(data).sig == SIGSEGV);
		T_CHILD(t_load(data).code == SEGV_MAPERR);
		T_CHILD(t_load(sidecar).sig == SIGSEGV);
		T_CHILD(t_load(sidecar + T_PAGE).sig == SIGSEGV);
		_exit(0);
	}
	EXPECT_EQ(0, t_wait(pid));
	EXPECT_EQ(1, data[0]);
	EXPECT_EQ(1, sidecar[0]);
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
}

/* Nor if somebody asks for it: the child has no session, so it must not see the data. */
TEST_F(map, not_inherited_on_demand)
{
	__u8 *data = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, data);
	memset(data, 1, 2 * T_HUGE);
	ASSERT_EQ(0, madvise(data, 2 * T_HUGE, MADV_DOFORK));
	pid = t_fork();
	if (!pid) {
		T_CHILD(t_load(data).sig == SIGBUS);
		T_CHILD(t_store(data + T_HUGE).sig == SIGBUS);
		munmap(data + T_PAGE, T_PAGE);
		T_CHILD(t_load(data + 2 * T_PAGE).sig == SIGBUS);
		T_CHILD(t_load(data).sig == SIGBUS);
		/* Not even when it has got a session of its own. */
		T_CHILD(mmap(NULL, T_PAGE, T_RW, MAP_SHARED, self->p.fd, 0) != MAP_FAILED);
		munmap(data + 4 * T_PAGE, T_PAGE);
		T_CHILD(t_load(data).sig);
		T_CHILD(t_load(data + 5 * T_PAGE).sig);
		pid = t_fork();
		if (!pid) {
			T_CHILD(t_load(data).sig);
			_exit(0);
		}
		T_CHILD(!t_wait(pid));
		_exit(0);
	}
	EXPECT_EQ(0, t_wait(pid));
	EXPECT_EQ(1, data[2 * T_HUGE - 1]);
	EXPECT_EQ(0, t_store(data + 3 * T_PAGE).sig);
	EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
}

TEST_F(map, does_not_grow)
{
	static const __u64 offs[] = { 0, POBJ_MMAP_SIDECAR };
	__u8 *p;
	int i;

	for (i = 0; i < 2; i++) {
		p = t_map(self->p.fd, 2 * T_PAGE, offs[i]);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(MAP_FAILED, mremap(p, 2 * T_PAGE, 4 * T_PAGE, 0));
		EXPECT_EQ(MAP_FAILED, mremap(p, 2 * T_PAGE, 4 * T_PAGE, MREMAP_MAYMOVE));
		EXPECT_EQ(MAP_FAILED, mremap(p, T_PAGE, 4 * T_PAGE, MREMAP_MAYMOVE));
		EXPECT_EQ(MAP_FAILED, mremap(p, 0, 2 * T_PAGE, MREMAP_MAYMOVE));
		EXPECT_EQ(0, t_load(p + T_PAGE).sig);
	}
	t_unmap_all();
	EXPECT_EQ(0, t_detach(self->p.fd));
}

TEST_F(map, moves)
{
	__u8 *p = t_map(self->p.fd, 2 * T_HUGE, self->p.free), *room, *q;

	ASSERT_NE(MAP_FAILED, p);
	p[0] = 10;
	p[T_HUGE + 17] = 11;
	room = mmap(NULL, 8 * T_HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	q = room + T_PAGE;
	q = mremap(p, 2 * T_HUGE, 2 * T_HUGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
	if (q == MAP_FAILED) {
		/* It may refuse to move, but then the old one stays. */
		EXPECT_EQ(10, p[0]);
		return;
	}
	EXPECT_EQ(10, q[0]);
	EXPECT_EQ(11, q[T_HUGE + 17]);
	EXPECT_EQ(SIGSEGV, t_load(p).sig);
	EXPECT_EQ(-EBUSY, t_detach(self->p.fd));
	munmap(q, 2 * T_HUGE);
	EXPECT_EQ(0, t_detach(self->p.fd));
}

TEST_F(map, holes)
{
	__u8 *p = t_map(self->p.fd, 4 * T_HUGE, self->p.free);
	int i;

	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < 4; i++)
		memset(p + i * T_HUGE, i + 1, T_HUGE);
	/* A page out of the middle of a mapped 2 MiB, and then half of one. */
	ASSERT_EQ(0, munmap(p + T_HUGE + 9 * T_PAGE, T_PAGE));
	EXPECT_EQ(SIGSEGV, t_load(p + T_HUGE + 9 * T_PAGE).sig);
	EXPECT_EQ(2, p[T_HUGE + 9 * T_PAGE - 1]);
	EXPECT_EQ(2, p[T_HUGE + 10 * T_PAGE]);
	ASSERT_EQ(0, munmap(p + 2 * T_HUGE + T_HUGE / 2, T_HUGE));
	EXPECT_EQ(3, p[2 * T_HUGE + T_HUGE / 2 - 1]);
	EXPECT_EQ(SIGSEGV, t_load(p + 3 * T_HUGE).sig);
	EXPECT_EQ(4, p[3 * T_HUGE + T_HUGE / 2]);
	p[3 * T_HUGE + T_HUGE / 2] = 44;
	EXPECT_EQ(1, p[0]);
	EXPECT_EQ(-EBUSY, t_detach(self->p.fd));
	ASSERT_EQ(0, munmap(p, 4 * T_HUGE));
	EXPECT_EQ(0, t_detach(self->p.fd));
}

TEST_F(map, advice)
{
	static const int advice[] = { MADV_DONTNEED, MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL,
				      MADV_WILLNEED, MADV_FREE, MADV_REMOVE, MADV_NOHUGEPAGE,
				      MADV_HUGEPAGE, MADV_MERGEABLE, MADV_COLD, MADV_PAGEOUT };
	__u8 *p = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
	size_t i;

	ASSERT_NE(MAP_FAILED, p);
	/* Whatever they answer, no byte is lost. */
	for (i = 0; i < ARRAY_SIZE(advice); i++) {
		memset(p, i + 1, 2 * T_HUGE);
		madvise(p, T_HUGE, advice[i]);
		madvise(p + T_HUGE + T_PAGE, T_PAGE, advice[i]);
		EXPECT_EQ(i + 1, p[0]);
		EXPECT_EQ(i + 1, p[T_HUGE - 1]);
		EXPECT_EQ(i + 1, p[T_HUGE + T_PAGE]);
		EXPECT_EQ(i + 1, p[2 * T_HUGE - 1]);
	}
	EXPECT_EQ(0, mlock(p, 2 * T_HUGE));
	EXPECT_EQ(0, munlock(p, 2 * T_HUGE));
	t_unmap_all();
	p = t_map(self->p.fd, 2 * T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(ARRAY_SIZE(advice), p[5]);
}

TEST_F(map, msync_and_fsync)
{
	__u8 *p = t_map(self->p.fd, T_HUGE, self->p.free);
	__u8 *s = t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, s);
	memset(p, 7, T_HUGE);
	EXPECT_EQ(0, msync(p, T_HUGE, MS_SYNC));
	EXPECT_EQ(0, msync(p + T_PAGE, T_PAGE, MS_SYNC));
	EXPECT_EQ(0, msync(p, T_HUGE, MS_ASYNC));
	EXPECT_EQ(0, msync(s, T_PAGE, MS_SYNC));
	EXPECT_EQ(0, fsync(self->p.fd));
	EXPECT_EQ(0, fdatasync(self->p.fd));
}

/* Looking at an address space from outside walks all kinds of mappings. */
TEST_F(map, proc_files)
{
	static const char *const files[] = { "maps", "smaps", "smaps_rollup", "numa_maps",
					     "pagemap", "status" };
	static char buf[1 << 16];
	char path[64];
	__u8 *p = t_map(self->p.fd, 4 * T_HUGE, self->p.free);
	unsigned char vec[512];
	size_t i;
	int fd;

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 1, 2 * T_HUGE);
	munmap(p + T_PAGE, T_PAGE);
	p[2 * T_PAGE] = 1;
	ASSERT_NE(MAP_FAILED, t_map(self->p.fd, T_PAGE, POBJ_MMAP_SIDECAR));
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		if (!strcmp(files[i], "pagemap")) {
			EXPECT_EQ(4096, pread(fd, buf, 4096, (uintptr_t)p / T_PAGE * 8));
		} else {
			while (read(fd, buf, sizeof(buf)) > 0)
				;
		}
		close(fd);
	}
	EXPECT_EQ(0, mincore(p + T_HUGE, T_HUGE, vec));
}

TEST_F(map, populated)
{
	__u64 huge = 0, small = 0;
	struct pobj_ioc_info i;
	__u8 *p;

	ASSERT_EQ(0, t_info(self->p.fd, &i));
	huge = i.out_faults_2m;
	small = i.out_faults_4k;
	p = t_mmap(self->p.fd, 4 * T_HUGE, T_RW, MAP_SHARED | MAP_POPULATE, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, t_store(p + 3 * T_HUGE).sig);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(4, i.out_faults_2m - huge);
	EXPECT_EQ(0, i.out_faults_4k - small);
}

/* System calls take buffers in the mapping like any other memory. */
TEST_F(map, as_a_buffer)
{
	__u8 *p = t_map(self->p.fd, T_HUGE, self->p.free), buf[64];
	int pipes[2];

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, pipe(pipes));
	memset(p, 3, 128);
	EXPECT_EQ(64, write(pipes[1], p, 64));
	EXPECT_EQ(64, read(pipes[0], buf, 64));
	EXPECT_EQ(3, buf[63]);
	memset(buf, 4, 64);
	EXPECT_EQ(64, write(pipes[1], buf, 64));
	EXPECT_EQ(64, read(pipes[0], p + T_HUGE - 64, 64));
	EXPECT_EQ(4, p[T_HUGE - 1]);
	close(pipes[0]);
	close(pipes[1]);
}

/* ---- where it is -------------------------------------------------------------------------- */

/* The physical address behind @p, 0 if the kernel does not say. */
static __u64 physical(void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry = 0;

	*(volatile __u8 *)p;
	if (pread(fd, &entry, 8, (uintptr_t)p / T_PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry >> 63 ? (entry & ((1ULL << 55) - 1)) * T_PAGE : 0;
}

TEST_F(map, placement)
{
	__u8 *p = t_map(self->p.fd, T_HUGE, self->p.free);
	char path[PATH_MAX];
	__u64 phys;

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(variant->node, self->p.info.out_region.node);
	EXPECT_EQ(self->p.dev.node, self->p.info.out_region.node);
	snprintf(path, sizeof(path), "/sys/block/%s/dax/write_cache", self->p.dev.name);
	EXPECT_EQ(t_number(path, -1), !!(self->p.info.out_region.flags & POBJ_REGION_CACHED));
	ASSERT_NE(0, self->p.dev.phys);
	phys = physical(p);
	if (!phys)
		TH_LOG("this kernel does not say where 2 MiB mappings are");
	EXPECT_TRUE(!phys || phys == self->p.dev.phys + self->p.free);
}

/* ---- persistence -------------------------------------------------------------------------- */

static __u64 mark(__u64 off, __u64 round)
{
	return (off + 1) * 0x9e3779b97f4a7c15 ^ round;
}

TEST_F(map, data_stays)
{
	__u64 len = 8 * T_HUGE, off, from = self->p.free - T_PAGE;
	__u64 word;
	__u8 *p;
	int round;

	for (round = 0; round < 3; round++) {
		p = t_map(self->p.fd, len, from);
		ASSERT_NE(MAP_FAILED, p);
		for (off = 0; round && off < len; off += 4096 + 64)
			ASSERT_EQ(mark(off, round - 1), *(__u64 *)(p + off));
		for (off = 0; off < len; off += 4096 + 64)
			*(__u64 *)(p + off) = mark(off, round);
		ASSERT_EQ(0, msync(p, len, MS_SYNC));
		if (round == 0) {
			/* Detach, attach. */
			t_unmap_all();
			ASSERT_EQ(0, t_detach(self->p.fd));
			close(self->p.fd);
			self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
			ASSERT_LE(0, self->p.fd);
		} else {
			/* Release, claim. */
			ASSERT_EQ(0, t_pool_cycle(&self->p));
			ASSERT_EQ(0, t_recover(self->p.fd, NULL));
		}
	}
	/* And the block device shows it at the same place. */
	close(self->p.fd);
	self->p.fd = -1;
	for (off = 0; off < len; off += 100 * (4096 + 64)) {
		ASSERT_EQ(0, t_img_read(&self->p.dev, from + off, &word, sizeof(word)));
		ASSERT_EQ(mark(off, 2), word);
	}
}

/* Recovery, detaching and closing touch no byte of the data. */
TEST_F(map, file_closed_before_the_mapping)
{
	__u64 *p = t_map(self->p.fd, T_HUGE, self->p.free);

	ASSERT_NE(MAP_FAILED, p);
	close(self->p.fd);
	self->p.fd = -1;
	p[100] = 100;
	t_unmap_all();
	EXPECT_EQ(0, t_sessions(self->p.ctl, self->p.id, 0));
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	ASSERT_LE(0, self->p.fd);
	/* This was no death. */
	p = t_map(self->p.fd, T_HUGE, self->p.free);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(100, p[100]);
}

/* ---- sidecar ------------------------------------------------------------------------------ */

static int child_reads_sidecar(int sock, void *arg)
{
	struct t_pool *p = arg;
	int ctl = t_ctl(), fd = t_attach(ctl, p->id, 0, NULL);
	__u64 *s;

	T_CHILD(fd >= 0);
	s = t_map(fd, p->info.out_sidecar_bytes, POBJ_MMAP_SIDECAR);
	T_CHILD(s != MAP_FAILED);
	T_CHILD(s[3] == 33);
	s[4] = 44;
	return 0;
}

TEST_F(map, sidecar_is_shared)
{
	__u64 *s = t_map(self->p.fd, self->sidecar, POBJ_MMAP_SIDECAR);
	__u64 *last;

	ASSERT_NE(MAP_FAILED, s);
	last = s + self->sidecar / 8 - 1;
	EXPECT_EQ(0, s[3]);
	EXPECT_EQ(0, *last);
	s[3] = 33;
	*last = 1;
	EXPECT_EQ(0, t_call(child_reads_sidecar, &self->p));
	EXPECT_EQ(44, s[4]);
	EXPECT_EQ(1, *last);
}

TEST_HARNESS_MAIN
