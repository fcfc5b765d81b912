// SPDX-License-Identifier: BSD-3-Clause
/*
 * lib/core/super.c: format, load and repair. One damaged copy costs nothing and is made good byte
 * for byte, two are an error with a finding; the checksum hides no impossible field.
 */
#include "kselftest_harness.h"
#include "core_pool.h"

#define BYTES	32768
#define SUPER	sizeof(struct pobj_m_super)
#define FIELD(f) offsetof(struct pobj_m_super, f)

FIXTURE(super) {
	struct core_pool p;
	u8 *good;
};

FIXTURE_SETUP(super)
{
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	self->good = core_alloc(BYTES);
	memcpy(self->good, self->p.mem, BYTES);
}

FIXTURE_TEARDOWN(super)
{
	core_pool_free(&self->p);
	free(self->good);
}

TEST_F(super, format_makes_two_equal_copies_and_nothing_else)
{
	const struct pobj_geom *g = &self->p.s.geom;
	u64 i;

	EXPECT_EQ(0, memcmp(self->p.mem, self->p.mem + 4096, SUPER));
	for (i = 8192; i < g->line_off + g->page_cnt * 64; i++)
		ASSERT_EQ(0, self->p.mem[i]);
	/* Neither data pages nor the space behind the copies are anybody's business. */
	for (i = g->data_off; i < BYTES; i++)
		ASSERT_EQ(0xa5, self->p.mem[i]);
	for (i = SUPER; i < 4096; i++)
		ASSERT_EQ(0xa5, self->p.mem[i]);
	EXPECT_EQ(1, self->p.s.seq);
	EXPECT_EQ(1234567, self->p.s.ctime);
	EXPECT_EQ(0640, self->p.s.mode);
	EXPECT_EQ(0, self->p.s.bad_copies);
	EXPECT_EQ(0x0707070707070707ULL, pobj_super_uuid_lo(&self->p.s));
	EXPECT_STREQ("core", pobj_super_layout(&self->p.s));
	EXPECT_TRUE(pobj_super_present(&self->p.m));
	EXPECT_EQ(0, core_problems(&self->p));
}

TEST_F(super, format_of_zeros_touches_the_copies_only)
{
	struct pobj_format_args *a = calloc(1, sizeof(*a));
	struct pobj_super *s = malloc(sizeof(*s));

	memset(self->p.mem, 0, BYTES);
	a->geom = self->p.s.geom;
	a->layout = "core";
	a->zeroed = true;
	memset(a->uuid, 7, 16);
	a->mode = 0640;
	a->ctime = 1234567;
	self->p.mem[8192] = 1;		/* would be wiped */
	ASSERT_EQ(0, pobj_super_format(&self->p.m, a));
	EXPECT_EQ(1, self->p.mem[8192]);
	EXPECT_EQ(0, memcmp(self->p.mem, self->good, SUPER));
	EXPECT_EQ(0, pobj_super_load(&self->p.m, s, NULL));
	free(s);
	free(a);
}

TEST_F(super, layout_of_1023_bytes_fits_1024_do_not)
{
	struct pobj_format_args *a = calloc(1, sizeof(*a));
	struct pobj_super *s = malloc(sizeof(*s));
	char layout[1025];

	memset(layout, 'x', sizeof(layout));
	layout[1024] = 0;
	a->geom = self->p.s.geom;
	a->uuid[0] = 1;
	a->layout = layout;
	EXPECT_EQ(-EINVAL, pobj_super_format(&self->p.m, a));
	EXPECT_EQ(0, memcmp(self->p.mem, self->good, BYTES));
	layout[1023] = 0;
	ASSERT_EQ(0, pobj_super_format(&self->p.m, a));
	ASSERT_EQ(0, pobj_super_load(&self->p.m, s, NULL));
	EXPECT_STREQ(layout, pobj_super_layout(s));
	EXPECT_EQ(1023, strlen(pobj_super_layout(s)));
	layout[0] = 0;
	ASSERT_EQ(0, pobj_super_format(&self->p.m, a));
	ASSERT_EQ(0, pobj_super_load(&self->p.m, s, NULL));
	EXPECT_STREQ("", pobj_super_layout(s));
	free(s);
	free(a);
}

TEST_F(super, format_refuses_a_geometry_beyond_the_medium)
{
	struct pobj_format_args *a = calloc(1, sizeof(*a));

	ASSERT_EQ(0, pobj_geom_make(&a->geom, BYTES + 64, 8, 2, 2));
	a->layout = "";
	a->uuid[0] = 1;
	EXPECT_EQ(-EINVAL, pobj_super_format(&self->p.m, a));
	EXPECT_EQ(0, memcmp(self->p.mem, self->good, BYTES));
	free(a);
}

/* Each byte of each copy, four ways: the other copy is taken, and both are whole afterwards. */
TEST_F(super, one_damaged_copy)
{
	struct pobj_super *s = malloc(sizeof(*s));
	struct pobj_finding f;
	u64 at, off;
	int way, copy;
	u8 old;

	for (copy = 0; copy < 2; copy++) {
		for (at = 0; at < SUPER; at++) {
			off = copy * 4096 + at;
			old = self->good[off];
			for (way = 0; way < 4; way++) {
				self->p.mem[off] = way == 0 ? 0 : way == 1 ? 0xff :
						   way == 2 ? old ^ 1 : old ^ 0x80;
				if (self->p.mem[off] == old)
					continue;
				ASSERT_EQ(0, pobj_super_load(&self->p.m, s, &f));
				ASSERT_EQ(1U << copy, s->bad_copies);
				ASSERT_EQ(0, memcmp(&s->raw, self->good, SUPER));
				ASSERT_EQ(0, pobj_super_repair(&self->p.m, s));
				ASSERT_EQ(0, s->bad_copies);
				ASSERT_EQ(0, memcmp(self->p.mem, self->good, BYTES));
			}
		}
	}
	free(s);
}

TEST_F(super, two_damaged_copies)
{
	struct pobj_super *s = malloc(sizeof(*s));
	struct pobj_finding f;
	u64 at, x = 3, other;
	int err;

	for (at = 0; at < SUPER; at++) {
		other = core_random(&x) % SUPER;
		self->p.mem[at] ^= 0x10;
		self->p.mem[4096 + other] ^= 0x20;
		f.diag = 0;
		err = pobj_super_load(&self->p.m, s, &f);
		if (at < 8 && other < 8) {
			ASSERT_EQ(-EMEDIUMTYPE, err);
			ASSERT_EQ(POBJ_DIAG_NOT_A_POOL, f.diag);
		} else {
			ASSERT_EQ(-EUCLEAN, err);
			ASSERT_EQ(POBJ_DIAG_SUPER_CRC, f.diag);
			ASSERT_EQ(at < 8 ? 4096 + 8 : 8, f.off);
		}
		ASSERT_EQ(err, pobj_super_load(&self->p.m, s, NULL));
		self->p.mem[at] ^= 0x10;
		self->p.mem[4096 + other] ^= 0x20;
		ASSERT_EQ(0, memcmp(self->p.mem, self->good, BYTES));
	}
	free(s);
}

TEST_F(super, higher_sequence_wins)
{
	struct pobj_super *s = malloc(sizeof(*s));
	int copy;

	for (copy = 0; copy < 2; copy++) {
		memcpy(self->p.mem, self->good, BYTES);
		core_set(&self->p, copy * 4096 + FIELD(seq), 2);
		core_set32(&self->p, copy * 4096 + FIELD(uid), 42);
		core_seal_super(&self->p, copy * 4096);
		ASSERT_EQ(0, pobj_super_load(&self->p.m, s, NULL));
		EXPECT_EQ(2, s->seq);
		EXPECT_EQ(42, s->uid);
		EXPECT_EQ(copy ? 1U : 2U, s->bad_copies);
		ASSERT_EQ(0, pobj_super_repair(&self->p.m, s));
		EXPECT_EQ(0, memcmp(self->p.mem, self->p.mem + 4096, SUPER));
		EXPECT_EQ(42, le32_to_cpu(((struct pobj_m_super *)self->p.mem)->uid));
		/* 2^63 and up are high, not negative */
		core_set(&self->p, copy * 4096 + FIELD(seq), ~0ULL);
		core_seal_super(&self->p, copy * 4096);
		ASSERT_EQ(0, pobj_super_load(&self->p.m, s, NULL));
		EXPECT_EQ(~0ULL, s->seq);
	}
	free(s);
}

/* Set a field of both copies, with a right checksum. */
static int load_with(struct core_pool *p, u64 field, int bytes, u64 v, struct pobj_finding *f)
{
	struct pobj_super *s = malloc(sizeof(*s));
	int copy, err;

	for (copy = 0; copy < 2; copy++) {
		if (bytes == 8)
			core_set(p, copy * 4096 + field, v);
		else if (bytes == 4)
			core_set32(p, copy * 4096 + field, (u32)v);
		else
			p->mem[copy * 4096 + field] = (u8)v;
		core_seal_super(p, copy * 4096);
	}
	f->diag = 0;
	f->off = ~0ULL;
	err = pobj_super_load(&p->m, s, f);
	free(s);
	return err;
}

TEST_F(super, features_and_build)
{
	struct core_pool *p = &self->p;
	u8 *image = core_alloc(BYTES);
	struct pobj_recovery r;
	struct pobj_finding f;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		memcpy(p->mem, self->good, BYTES);
		EXPECT_EQ(0, load_with(p, FIELD(feat_compat), 8, 1ULL << bit, &f));
		EXPECT_EQ(0, load_with(p, FIELD(feat_ro_compat), 8, 1ULL << bit, &f));
		if (bit == 63)
			continue;
		EXPECT_EQ(-EUCLEAN, load_with(p, FIELD(feat_incompat), 8,
					      1ULL << bit | POBJ_M_INCOMPAT_UNSTABLE, &f));
		EXPECT_EQ(POBJ_DIAG_INCOMPAT, f.diag);
		EXPECT_EQ(FIELD(feat_incompat), f.off);
	}
	/* Unknown read-only features: it may be looked at, but recovery writes. */
	memcpy(p->mem, self->good, BYTES);
	EXPECT_EQ(0, load_with(p, FIELD(feat_ro_compat), 8, 4, &f));
	memcpy(image, p->mem, BYTES);
	EXPECT_EQ(-EUCLEAN, core_recover(p, &r, &f));
	EXPECT_EQ(POBJ_DIAG_INCOMPAT, f.diag);
	EXPECT_EQ(4, f.found);
	EXPECT_EQ(0, memcmp(image, p->mem, BYTES));
	free(image);
	memcpy(p->mem, self->good, BYTES);
	EXPECT_EQ(0, load_with(p, FIELD(feat_incompat), 8, POBJ_M_INCOMPAT_UNSTABLE, &f));
	EXPECT_EQ(-EUCLEAN, load_with(p, FIELD(build), 8, 12345, &f));
	EXPECT_EQ(POBJ_DIAG_BUILD, f.diag);
	EXPECT_EQ(FIELD(build), f.off);
	EXPECT_EQ(12345, f.found);
	/* The tag binds unstable pools only. */
	EXPECT_EQ(0, load_with(p, FIELD(feat_incompat), 8, 0, &f));
}

TEST_F(super, impossible_fields)
{
	static const struct {
		u64 field;
		int bytes;
		u64 value;
		u32 diag;
	} bad[] = {
		{ FIELD(bytes), 4, 0, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(bytes), 4, 2047, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(bytes), 4, 2049, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(uuid), 8, 0, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(layout) + 1023, 1, 'x', POBJ_DIAG_SUPER_FIELD },
		{ FIELD(pool_size), 8, BYTES + 64, POBJ_DIAG_TRUNCATED },
		{ FIELD(pool_size), 8, ~0ULL, POBJ_DIAG_TRUNCATED },
		{ FIELD(pool_size), 8, BYTES - 1, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(lane_off), 8, 0, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(lane_off), 8, 8192, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(lane_off), 8, ~0ULL, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(line_off), 8, 8192, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(line_off), 8, ~0ULL - 63, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(data_off), 8, 0, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(data_off), 8, ~0ULL - 255, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(page_cnt), 8, 0, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(page_cnt), 8, ~0ULL, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(page_cnt), 8, 1ULL << 56, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(page_shift), 4, 7, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(page_shift), 4, 64, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(page_shift), 4, ~0U, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(lane_cnt), 4, 0, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(lane_cnt), 4, 1025, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(lane_cnt), 4, ~0U, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(ext_cnt), 4, 65536, POBJ_DIAG_SUPER_FIELD },
		{ FIELD(ext_cnt), 4, ~0U, POBJ_DIAG_SUPER_FIELD },
	};
	struct pobj_finding f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(self->p.mem, self->good, BYTES);
		EXPECT_EQ(-EUCLEAN, load_with(&self->p, bad[i].field, bad[i].bytes, bad[i].value,
					      &f));
		EXPECT_EQ(bad[i].diag, f.diag)
			TH_LOG("case %zu", i);
		/* Told where the field is; in a string, where it begins. */
		if (bad[i].bytes != 1)
			EXPECT_EQ(bad[i].field, f.off & 4095)
				TH_LOG("case %zu", i);
	}
}

/* Every length of the medium from 0 to the whole: never a pool, never an access behind the end. */
TEST_F(super, truncated_medium)
{
	struct pobj_super *s = malloc(sizeof(*s));
	struct pobj_finding f;
	struct pobj_media m;
	u64 len;
	u8 *mem;
	int err;

	for (len = 1; len < BYTES; len += len < 8400 ? 1 : 61) {
		mem = core_alloc(len);
		memcpy(mem, self->good, len);
		m = core_media(mem, len);
		err = pobj_super_load(&m, s, &f);
		if (len < SUPER) {
			ASSERT_EQ(-EMEDIUMTYPE, err);
			ASSERT_EQ(POBJ_DIAG_NOT_A_POOL, f.diag);
		} else {
			ASSERT_EQ(-EUCLEAN, err);
			ASSERT_EQ(POBJ_DIAG_TRUNCATED, f.diag);
			ASSERT_EQ(len, f.found);
			ASSERT_EQ(BYTES, f.expected);
		}
		ASSERT_EQ(len >= 8, pobj_super_present(&m));
		free(mem);
	}
	m = core_media(self->p.mem, 0);
	EXPECT_EQ(-EMEDIUMTYPE, pobj_super_load(&m, s, &f));
	free(s);
}

TEST_F(super, unreadable_copies)
{
	struct pobj_super *s = malloc(sizeof(*s));
	struct pobj_finding f;
	u8 *before;

	core_read_bad_off = 100;
	ASSERT_EQ(0, pobj_super_load(&self->p.m, s, &f));
	EXPECT_EQ(1, s->bad_copies);
	core_read_bad_off = 4096 + 2000;
	ASSERT_EQ(0, pobj_super_load(&self->p.m, s, &f));
	EXPECT_EQ(2, s->bad_copies);

	/* Not written to: the kernel takes pages that failed out of its own mapping. */
	before = core_alloc(SUPER);
	memcpy(before, self->p.mem + 4096, SUPER);
	self->p.mem[4096 + 500] ^= 1;
	ASSERT_EQ(0, pobj_super_repair(&self->p.m, s));
	EXPECT_EQ(2, s->bad_copies);
	EXPECT_NE(0, memcmp(before, self->p.mem + 4096, SUPER));
	core_read_bad_off = ~0ULL;
	ASSERT_EQ(0, pobj_super_repair(&self->p.m, s));
	EXPECT_EQ(0, s->bad_copies);
	EXPECT_EQ(0, memcmp(before, self->p.mem + 4096, SUPER));
	s->bad_copies = 2;
	ASSERT_EQ(0, pobj_super_load(&self->p.m, s, &f));
	EXPECT_EQ(0, s->bad_copies);
	free(before);

	/* The one that can be read is damaged: that tells more. */
	core_read_bad_off = 4096 + 2000;
	self->p.mem[50] ^= 1;
	EXPECT_EQ(-EUCLEAN, pobj_super_load(&self->p.m, s, &f));
	EXPECT_EQ(POBJ_DIAG_SUPER_CRC, f.diag);
	core_read_bad_off = ~0ULL;
	core_reads = 0;
	core_read_fail = 1;
	EXPECT_EQ(-EIO, pobj_super_load(&self->p.m, s, &f));
	EXPECT_EQ(POBJ_DIAG_MEDIA, f.diag);
	EXPECT_FALSE(pobj_super_present(&self->p.m));
	core_read_fail = 0;
	free(s);
}

TEST_F(super, absence_and_presence)
{
	struct pobj_super *s = malloc(sizeof(*s));
	struct pobj_finding f;

	memset(self->p.mem, 0, 4096);
	EXPECT_EQ(0, pobj_super_load(&self->p.m, s, &f));
	EXPECT_EQ(1, s->bad_copies);
	memset(self->p.mem + 4096 + 8, 0, 4096 - 8);
	EXPECT_EQ(-EUCLEAN, pobj_super_load(&self->p.m, s, &f));
	EXPECT_EQ(4096 + 8, f.off);
	EXPECT_TRUE(pobj_super_present(&self->p.m));
	memset(self->p.mem + 4096, 0, 8);
	EXPECT_EQ(-EMEDIUMTYPE, pobj_super_load(&self->p.m, s, &f));
	EXPECT_FALSE(pobj_super_present(&self->p.m));
	free(s);
}

/* A read that fails may have brought anything, even what was looked for. */
static int misleading_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	const __le64 magic = cpu_to_le64(POBJ_M_MAGIC);

	memset(dst, 0, len);
	memcpy(dst, &magic, len < sizeof(magic) ? len : sizeof(magic));
	return -EIO;
}

TEST_F(super, what_failed_to_be_read_is_not_there)
{
	self->p.m.read = misleading_read;
	EXPECT_FALSE(pobj_super_present(&self->p.m));
}

/* Each read fails, alone. One copy is enough, but not one that cannot be read again. */
TEST_F(super, unreadable_once)
{
	struct pobj_super *s = malloc(sizeof(*s));
	u64 n;

	for (n = 1; n <= 3; n++) {
		core_reads = 0;
		core_read_fail_once = n;
		EXPECT_EQ(n < 3 ? 0 : -EIO, pobj_super_load(&self->p.m, s, NULL));
		if (n < 3)
			EXPECT_EQ(n, s->bad_copies);
	}
	core_read_fail_once = 0;
	memset(s, 0xff, sizeof(*s));
	EXPECT_EQ(0, pobj_super_load(&self->p.m, s, NULL));
	EXPECT_EQ(0, s->bad_copies);
	free(s);
}

/* Each fence of format and repair fails, alone: they end there, and store no more. */
TEST_F(super, nothing_is_stored_behind_a_failed_fence)
{
	struct pobj_format_args a = { .geom = self->p.s.geom, .layout = "again" };
	struct pobj_super *s = malloc(sizeof(*s));
	u64 n;

	core_at_failure = core_alloc(self->p.bytes);
	memset(a.uuid, 9, sizeof(a.uuid));
	for (n = 1; n <= 4; n++) {
		core_fences = 0;
		core_fence_fail = n;
		EXPECT_EQ(-EIO, pobj_super_format(&self->p.m, &a))
			TH_LOG("fence %llu", (unsigned long long)n);
		EXPECT_EQ(n, core_fences);
		EXPECT_EQ(0, memcmp(core_at_failure, self->p.mem, self->p.bytes));
	}
	core_fence_fail = 0;
	ASSERT_EQ(0, pobj_super_format(&self->p.m, &a));
	self->p.mem[100] ^= 1;
	ASSERT_EQ(0, pobj_super_load(&self->p.m, s, NULL));
	core_fences = 0;
	core_fence_fail = 1;
	EXPECT_EQ(-EIO, pobj_super_repair(&self->p.m, s));
	EXPECT_EQ(1, s->bad_copies);
	core_fence_fail = 0;
	EXPECT_EQ(0, pobj_super_repair(&self->p.m, s));
	EXPECT_EQ(0, s->bad_copies);
	/* Nothing is bad: nothing is written. */
	core_fences = 0;
	core_flushes = 0;
	EXPECT_EQ(0, pobj_super_repair(&self->p.m, s));
	EXPECT_EQ(0, core_fences + core_flushes);
	free(core_at_failure);
	free(s);
}

/* Both copies whole, with the same sequence, and yet different: one has to give way. */
TEST_F(super, equal_sequences_differ)
{
	struct pobj_super *s = malloc(sizeof(*s));

	core_set32(&self->p, 4096 + FIELD(uid), 42);
	core_seal_super(&self->p, 4096);
	ASSERT_EQ(0, pobj_super_load(&self->p.m, s, NULL));
	EXPECT_EQ(0, s->uid);
	EXPECT_EQ(2, s->bad_copies);
	ASSERT_EQ(0, pobj_super_repair(&self->p.m, s));
	EXPECT_EQ(0, memcmp(self->p.mem, self->p.mem + 4096, SUPER));
	free(s);
}

TEST_HARNESS_MAIN
