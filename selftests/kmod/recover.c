// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * POBJ_IOC_RECOVER on images made by hand: what it repairs, what it puts back, and that it changes
 * nothing when it refuses.
 *
 * The images are written from pobj_media.h while the device is not claimed. "Live" below is an
 * entry above what the newest entry of its lane says is retired.
 */
#include "child.h"
#include "image.h"

FIXTURE(recover)
{
	struct t_pool p;
	struct pobj_m_super s;
	__u64 data;
	__u64 head;		/* bytes that check_unchanged() compares */
	__u8 *before;
};

FIXTURE_VARIANT(recover)
{
	int node;
};

FIXTURE_VARIANT_ADD(recover, node0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(recover, node1)
{
	.node = 1,
};

/* The device is free, and holds an empty pool: ready to be written. */
FIXTURE_SETUP(recover)
{
	T_POOL_MAKE(&self->p, variant->node);
	close(self->p.fd);
	self->p.fd = -1;
	ASSERT_EQ(0, t_release(self->p.ctl, self->p.id));
	ASSERT_EQ(0, t_super_read(&self->p.dev, 0, &self->s));
	ASSERT_TRUE(t_super_ok(&self->s));
	self->data = le64toh(self->s.data_off);
	self->head = self->data + (1 << 20);
	ASSERT_LE(2, le32toh(self->s.lane_cnt));
}

FIXTURE_TEARDOWN(recover)
{
	t_kill_all();
	t_pool_drop(&self->p);
	free(self->before);
}

static int claim(struct _test_data_recover *self)
{
	int ret = t_claim(self->p.ctl, &self->p.dev, &self->p.id);

	if (ret)
		return ret;
	self->p.fd = t_attach(self->p.ctl, self->p.id, 0, NULL);
	return self->p.fd < 0 ? self->p.fd : 0;
}

static int release(struct _test_data_recover *self)
{
	close(self->p.fd);
	self->p.fd = -1;
	return t_release(self->p.ctl, self->p.id);
}

/* Claim the image and recover it. */
static int recover(struct _test_data_recover *self, struct pobj_ioc_recover *r)
{
	int ret = claim(self);

	return ret ? ret : t_recover(self->p.fd, r);
}

static int put_word(struct _test_data_recover *self, __u64 off, __u64 value)
{
	__le64 word = htole64(value);

	return t_img_write(&self->p.dev, off, &word, sizeof(word));
}

static __u64 word(struct _test_data_recover *self, __u64 off)
{
	__le64 word;

	return t_img_read(&self->p.dev, off, &word, sizeof(word)) ? ~0ULL : le64toh(word);
}

static int remember(struct _test_data_recover *self)
{
	self->before = malloc(self->head);
	return t_img_read(&self->p.dev, 0, self->before, self->head);
}

/* Refused with EUCLEAN: the reason is told, not a byte changed, and the data stays closed. */
static void check_refused(struct __test_metadata *_metadata, struct _test_data_recover *self,
			  __u32 diag, __u64 from, __u64 to)
{
	__u8 *now = malloc(self->head);
	struct pobj_ioc_recover r;
	struct pobj_ioc_info i;

	ASSERT_EQ(0, remember(self));
	EXPECT_EQ(-EUCLEAN, recover(self, &r));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	/* The superblock is judged by the claim, the lanes by the recovery. */
	EXPECT_EQ(to == POBJ_M_ROOT_OFF ? POBJ_REGION_DAMAGED : POBJ_REGION_POOL,
		  i.out_region.flags & (POBJ_REGION_DAMAGED | POBJ_REGION_POOL));
	if (diag) {
		EXPECT_EQ(diag, r.out_diag);
	} else {
		EXPECT_LE(POBJ_DIAG_LANE_CRC, r.out_diag);
		EXPECT_GE(POBJ_DIAG_LANE_SEQ, r.out_diag);
	}
	if (to) {
		EXPECT_LE(from, r.out_diag_off);
		EXPECT_LT(r.out_diag_off, to);
	}
	EXPECT_EQ(0, r.out_flags);
	EXPECT_EQ(-EUCLEAN, t_try_map(self->p.fd, T_PAGE, PROT_READ, MAP_SHARED, 0));
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_FALSE(i.out_region.flags & POBJ_REGION_RECOVERED);
	EXPECT_EQ(0, i.out_recoveries);
	/* It can be asked again, and says the same. */
	diag = r.out_diag;
	EXPECT_EQ(-EUCLEAN, t_recover(self->p.fd, &r));
	EXPECT_EQ(diag, r.out_diag);
	ASSERT_EQ(0, release(self));
	ASSERT_EQ(0, t_img_read(&self->p.dev, 0, now, self->head));
	EXPECT_EQ(0, memcmp(self->before, now, self->head));
	free(now);
}

/* ---- the call ----------------------------------------------------------------------------- */

TEST_F(recover, twice)
{
	struct pobj_ioc_recover r;
	struct pobj_ioc_info i;

	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(0, r.out_flags);
	EXPECT_EQ(POBJ_DIAG_NONE, r.out_diag);
	EXPECT_EQ(le32toh(self->s.lane_cnt), r.out_lanes);
	EXPECT_EQ(0, r.out_live);
	EXPECT_EQ(0, r.out_repaired);
	ASSERT_EQ(0, t_recover(self->p.fd, &r));
	EXPECT_EQ(POBJ_RECOVER_WAS_DONE, r.out_flags);
	ASSERT_EQ(0, t_info(self->p.fd, &i));
	EXPECT_EQ(1, i.out_recoveries);
}

TEST_F(recover, not_after_format)
{
	struct pobj_ioc_recover r;
	__u8 uuid[16];

	ASSERT_EQ(0, claim(self));
	t_uuid(uuid);
	ASSERT_EQ(0, t_format(self->p.fd, uuid, POBJ_FORMAT_FORCE));
	ASSERT_EQ(0, t_recover(self->p.fd, &r));
	EXPECT_EQ(POBJ_RECOVER_WAS_DONE, r.out_flags);
}

TEST_F(recover, read_only)
{
	struct pobj_ioc_recover r;
	int fd;

	ASSERT_EQ(0, claim(self));
	fd = t_attach(self->p.ctl, self->p.id, POBJ_ATTACH_RDONLY, NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, t_recover(fd, &r));
	EXPECT_EQ(-EUCLEAN, t_try_map(fd, T_PAGE, PROT_READ, MAP_SHARED, 0));
	ASSERT_EQ(0, t_recover(self->p.fd, &r));
	EXPECT_EQ(0, t_try_map(fd, T_PAGE, PROT_READ, MAP_SHARED, 0));
	close(fd);
}

static int child_recovers(int sock, void *arg)
{
	struct pobj_ioc_recover r;
	int fd = t_attach(t_ctl(), *(__u64 *)arg, 0, NULL);

	T_CHILD(fd >= 0);
	T_CHILD(!t_put(sock, 1) && !t_get(sock, NULL));
	T_CHILD(!t_recover(fd, &r));
	T_CHILD(!t_try_map(fd, T_PAGE, T_RW, MAP_SHARED, 0));
	T_CHILD(!t_put(sock, r.out_flags));
	t_get(sock, NULL);
	return 0;
}

TEST_F_TIMEOUT(recover, at_once, 60)
{
	struct pobj_ioc_info i;
	struct t_child c[4];
	__u64 flags, done;
	int round, k;

	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, claim(self));
		for (k = 0; k < 4; k++) {
			ASSERT_EQ(0, t_spawn(&c[k], child_recovers, &self->p.id));
			ASSERT_EQ(0, t_get(c[k].sock, NULL));
		}
		for (k = 0; k < 4; k++)
			t_put(c[k].sock, 1);
		for (done = 0, k = 0; k < 4; k++) {
			EXPECT_EQ(0, t_get(c[k].sock, &flags));
			done += flags == POBJ_RECOVER_WAS_DONE;
		}
		EXPECT_EQ(3, done);
		ASSERT_EQ(0, t_info(self->p.fd, &i));
		EXPECT_EQ(1, i.out_recoveries);
		for (k = 0; k < 4; k++) {
			t_put(c[k].sock, 1);
			EXPECT_EQ(0, t_join(&c[k]));
		}
		EXPECT_EQ(1, t_sessions(self->p.ctl, self->p.id, 1));
		ASSERT_EQ(0, release(self));
	}
}

/* ---- superblock --------------------------------------------------------------------------- */

TEST_F(recover, one_superblock_damaged)
{
	/* Where: magic, checksum, a field, the layout's end. */
	static const __u32 where[] = { 0, 8, 120, sizeof(struct pobj_m_super) - 1 };
	struct pobj_ioc_recover r;
	struct pobj_m_super s;
	struct pobj_region reg;
	size_t i, copy;
	__u8 byte;

	for (i = 0; i < 2 * ARRAY_SIZE(where); i++) {
		copy = i & 1;
		ASSERT_EQ(0, t_img_read(&self->p.dev, t_super_off(copy) + where[i / 2], &byte, 1));
		byte ^= 0x10;
		ASSERT_EQ(0, t_img_write(&self->p.dev, t_super_off(copy) + where[i / 2], &byte, 1));
		ASSERT_EQ(0, claim(self));
		ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &reg));
		EXPECT_TRUE(reg.flags & POBJ_REGION_POOL);
		EXPECT_EQ(0, memcmp(reg.uuid, self->p.uuid, 16));
		ASSERT_EQ(0, t_recover(self->p.fd, &r));
		EXPECT_EQ(1, r.out_repaired)
			TH_LOG("copy %zu, byte %u", copy, where[i / 2]);
		EXPECT_EQ(0, t_try_map(self->p.fd, T_PAGE, T_RW, MAP_SHARED, 0));
		ASSERT_EQ(0, release(self));
		ASSERT_EQ(0, t_super_read(&self->p.dev, copy, &s));
		EXPECT_TRUE(t_super_ok(&s));
		EXPECT_EQ(0, memcmp(s.uuid, self->p.uuid, 16));
	}
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(0, r.out_repaired);
}

TEST_F(recover, newer_superblock_holds)
{
	struct pobj_ioc_recover r;
	struct pobj_m_super s;
	struct pobj_region reg;
	int copy;

	for (copy = 1; copy >= 0; copy--) {
		/* A cut between the two writes: one is newer than the other. */
		ASSERT_EQ(0, t_super_read(&self->p.dev, copy, &s));
		s.seq = htole64(le64toh(s.seq) + 1);
		s.mode = htole32(copy ? 0640 : 0604);
		ASSERT_EQ(0, t_super_write(&self->p.dev, copy, &s));
		ASSERT_EQ(0, claim(self));
		ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &reg));
		EXPECT_EQ(copy ? 0640 : 0604, reg.mode);
		ASSERT_EQ(0, t_recover(self->p.fd, &r));
		EXPECT_EQ(1, r.out_repaired);
		ASSERT_EQ(0, release(self));
		ASSERT_EQ(0, t_super_read(&self->p.dev, !copy, &s));
		EXPECT_TRUE(t_super_ok(&s));
		EXPECT_EQ(copy ? 0640 : 0604, le32toh(s.mode));
	}
}

TEST_F(recover, no_magic)
{
	struct pobj_region r;
	__u8 uuid[16];

	ASSERT_EQ(0, put_word(self, POBJ_M_SUPER_OFF0, 1));
	ASSERT_EQ(0, put_word(self, POBJ_M_SUPER_OFF1, 1));
	EXPECT_EQ(-EMEDIUMTYPE, recover(self, NULL));
	ASSERT_EQ(0, t_region(self->p.ctl, self->p.id, &r));
	EXPECT_FALSE(r.flags & (POBJ_REGION_POOL | POBJ_REGION_DAMAGED));
	EXPECT_EQ(-EUCLEAN, t_try_map(self->p.fd, T_PAGE, PROT_READ, MAP_SHARED, 0));
	t_uuid(uuid);
	EXPECT_EQ(0, t_format(self->p.fd, uuid, 0));
}

TEST_F(recover, both_checksums_wrong)
{
	int copy;

	for (copy = 0; copy < 2; copy++)
		ASSERT_EQ(0, put_word(self, t_super_off(copy) + 1024, 1));
	check_refused(_metadata, self, POBJ_DIAG_SUPER_CRC, 0, POBJ_M_ROOT_OFF);
}

#define FIELD(f)	offsetof(struct pobj_m_super, f), sizeof(((struct pobj_m_super *)0)->f)

TEST_F(recover, impossible_superblock)
{
	static const struct {
		const char *what;
		size_t off, bytes;
		__u64 value;
		__u32 diag;
	} how[] = {
		{ "unknown feature", FIELD(feat_incompat), POBJ_M_INCOMPAT_UNSTABLE | 1,
		  POBJ_DIAG_INCOMPAT },
		{ "another build", FIELD(build), 12345, POBJ_DIAG_BUILD },
		{ "larger than the medium", FIELD(pool_size), 1ULL << 40, POBJ_DIAG_TRUNCATED },
		{ "lanes in the superblock", FIELD(lane_off), 64, POBJ_DIAG_SUPER_FIELD },
		{ "lanes beyond the end", FIELD(lane_off), ~63ULL, POBJ_DIAG_SUPER_FIELD },
		{ "too many lanes", FIELD(lane_cnt), ~0U, POBJ_DIAG_SUPER_FIELD },
		{ "no lanes", FIELD(lane_cnt), 0, POBJ_DIAG_SUPER_FIELD },
		{ "too many pages", FIELD(page_cnt), ~0ULL, POBJ_DIAG_SUPER_FIELD },
		{ "page shift", FIELD(page_shift), 63, POBJ_DIAG_SUPER_FIELD },
		{ "data beyond the end", FIELD(data_off), 1ULL << 62, POBJ_DIAG_SUPER_FIELD },
		{ "extensions", FIELD(ext_cnt), ~0U, POBJ_DIAG_SUPER_FIELD },
		{ "no uuid", offsetof(struct pobj_m_super, uuid), 8, 0, POBJ_DIAG_SUPER_FIELD },
	};
	struct pobj_m_super good[2], s;
	size_t i;
	int copy;

	for (copy = 0; copy < 2; copy++)
		ASSERT_EQ(0, t_super_read(&self->p.dev, copy, &good[copy]));
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		for (copy = 0; copy < 2; copy++) {
			__u64 value = htole64(how[i].value);

			s = good[copy];
			memcpy((char *)&s + how[i].off, &value, how[i].bytes);
			ASSERT_EQ(0, t_super_write(&self->p.dev, copy, &s));
		}
		TH_LOG("%s", how[i].what);
		check_refused(_metadata, self, how[i].diag, 0, POBJ_M_ROOT_OFF);
		free(self->before);
		self->before = NULL;
	}
}

TEST_F(recover, unknown_compatible_feature)
{
	struct pobj_m_super s;
	int copy;

	for (copy = 0; copy < 2; copy++) {
		ASSERT_EQ(0, t_super_read(&self->p.dev, copy, &s));
		s.feat_compat = htole64(1ULL << 40);
		ASSERT_EQ(0, t_super_write(&self->p.dev, copy, &s));
	}
	EXPECT_EQ(0, recover(self, NULL));
}

/* ---- what is put back --------------------------------------------------------------------- */

TEST_F(recover, undo_root)
{
	const __u64 pair[2][2] = { { POBJ_M_ROOT_OFF, 0 }, { POBJ_M_ROOT_OFF + 8, 0 } };
	struct pobj_ioc_recover r;
	__u64 newest;

	ASSERT_EQ(0, put_word(self, POBJ_M_ROOT_OFF, self->data));
	ASSERT_EQ(0, put_word(self, POBJ_M_ROOT_OFF + 8, 64));
	ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 0, 1, 1, 2, pair));
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(1, r.out_live);
	EXPECT_EQ(2, r.out_undone);
	EXPECT_EQ(0, r.out_redone);
	ASSERT_EQ(0, release(self));
	EXPECT_EQ(0, word(self, POBJ_M_ROOT_OFF));
	EXPECT_EQ(0, word(self, POBJ_M_ROOT_OFF + 8));
	/* The lane is over it, and goes on above. */
	ASSERT_EQ(0, t_lane_newest(&self->p.dev, &self->s, 0, &newest));
	EXPECT_LT(1, newest);
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(0, r.out_live);
	EXPECT_EQ(0, r.out_undone);
}

/* Words of the user, in the first and the last lane. */
TEST_F(recover, undo_in_many_lanes)
{
	__u32 cnt = le32toh(self->s.lane_cnt), lanes[] = { 0, 1, cnt / 2, cnt - 1 };
	struct pobj_ioc_recover r;
	__u64 seq, pair[1][2];
	size_t i;

	for (i = 0; i < 4; i++) {
		/* Sequences are each lane's own, up to the highest. */
		seq = i == 3 ? POBJ_M_SEQ_MAX - 8 : 1000 + 7 * i;
		pair[0][0] = self->p.free + 4096 * i;
		pair[0][1] = 0xabcd00 + i;
		ASSERT_EQ(0, put_word(self, pair[0][0], 0xdead));
		ASSERT_EQ(0, t_lane_past(&self->p.dev, &self->s, lanes[i], seq));
		ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, lanes[i], seq, 1, 1, pair));
	}
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(4, r.out_live);
	EXPECT_EQ(4, r.out_undone);
	ASSERT_EQ(0, release(self));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0xabcd00 + i, word(self, self->p.free + 4096 * i));
}

TEST_F(recover, undo_newest_first)
{
	const __u64 old[2][1][2] = { { { self->p.free, 1 } }, { { self->p.free, 2 } } };
	struct pobj_ioc_recover r;

	ASSERT_EQ(0, put_word(self, self->p.free, 3));
	ASSERT_EQ(0, t_lane_past(&self->p.dev, &self->s, 1, 20));
	ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 1, 20, 1, 1, old[0]));
	ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 1, 21, 2, 1, old[1]));
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(2, r.out_live);
	ASSERT_EQ(0, release(self));
	EXPECT_EQ(1, word(self, self->p.free));
}

TEST_F(recover, retired_is_over)
{
	const __u64 pair[1][2] = { { self->p.free, 1 } };
	struct pobj_ioc_recover r;

	ASSERT_EQ(0, put_word(self, self->p.free, 3));
	ASSERT_EQ(0, t_lane_past(&self->p.dev, &self->s, 0, 40));
	ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 0, 40, 1, 1, pair));
	ASSERT_EQ(0, t_nop_write(&self->p.dev, &self->s, 0, 41, 1));
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(0, r.out_undone);
	ASSERT_EQ(0, release(self));
	EXPECT_EQ(3, word(self, self->p.free));
}

/* An undo entry that goes on in an extension line; it never began if the line is not there. */
static int write_long_undo(struct _test_data_recover *self, __u64 seq, bool complete)
{
	struct pobj_m_slot slot = { 0 }, ext = { 0 };
	int ret, i;

	for (i = 0; i < 5; i++) {
		struct pobj_m_slot *line = i < POBJ_M_PAIRS ? &slot : &ext;

		line->word[i % 3 * 2] = htole64(self->p.free + 64 * i);
		line->word[i % 3 * 2 + 1] = htole64(100 + i);
		ret = put_word(self, self->p.free + 64 * i, 7);
		if (ret)
			return ret;
	}
	ret = t_lane_past(&self->p.dev, &self->s, 0, seq);
	if (ret)
		return ret;
	t_slot_seal(&ext, complete ? seq : seq - 1, POBJ_M_ENTRY_UNDO, 2, 0);
	t_slot_seal(&slot, seq, POBJ_M_ENTRY_UNDO, 5, 1);
	ret = t_img_write(&self->p.dev, t_ext_off(&self->s, 0, 0), &ext, sizeof(ext));
	if (ret)
		return ret;
	return t_img_write(&self->p.dev, t_slot_off(&self->s, 0, seq), &slot, sizeof(slot));
}

TEST_F(recover, undo_with_extension)
{
	struct pobj_ioc_recover r;
	int i;

	ASSERT_LT(0, le32toh(self->s.ext_cnt));
	ASSERT_EQ(0, write_long_undo(self, 77, true));
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(1, r.out_live);
	EXPECT_EQ(5, r.out_undone);
	ASSERT_EQ(0, release(self));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(100 + i, word(self, self->p.free + 64 * i));
}

TEST_F(recover, undo_without_its_extension)
{
	struct pobj_ioc_recover r;
	int i;

	ASSERT_LT(0, le32toh(self->s.ext_cnt));
	ASSERT_EQ(0, write_long_undo(self, 77, false));
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(0, r.out_undone);
	ASSERT_EQ(0, release(self));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(7, word(self, self->p.free + 64 * i));
}

/* A slot that was being overwritten: new words, old tag. That is how a power cut leaves it. */
TEST_F(recover, torn_slot)
{
	struct pobj_ioc_recover r;
	int seq;

	for (seq = 1; seq <= POBJ_M_SLOT_CNT; seq++)
		ASSERT_EQ(0, t_nop_write(&self->p.dev, &self->s, 0, seq, 1));
	ASSERT_EQ(0, put_word(self, t_slot_off(&self->s, 0, POBJ_M_SLOT_CNT + 1), self->p.free));
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(0, r.out_undone);
	/* A lane in its first round: words, no tag at all. */
	ASSERT_EQ(0, release(self));
	ASSERT_EQ(0, put_word(self, t_slot_off(&self->s, 1, 1), self->p.free));
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(0, r.out_undone);
}

/*
 * A slab of 64-byte objects on page 0: object 0 is X, the destination D = {uuid, offset} is in
 * object 1. Returns whether X is allocated.
 */
static int write_slab(struct _test_data_recover *self, __u64 d_uuid, __u64 d_off)
{
	__u32 page = 1U << le32toh(self->s.page_shift), cnt = page / 64 > 192 ? 192 : page / 64;
	struct pobj_m_line line = { 0 };
	int ret;

	line.header = htole64((__u64)POBJ_M_SLAB << POBJ_M_HDR_KIND_SHIFT |
			      (__u64)cnt << POBJ_M_HDR_CNT_SHIFT | 64ULL << POBJ_M_HDR_SIZE_SHIFT);
	line.type = htole64(1);
	line.slab[0].a = htole64(3);
	ret = t_img_write(&self->p.dev, le64toh(self->s.line_off), &line, sizeof(line));
	if (!ret)
		ret = put_word(self, self->data + 64, d_uuid);
	return ret ? ret : put_word(self, self->data + 72, d_off);
}

static __u64 allocated(struct _test_data_recover *self)
{
	struct pobj_m_line line;

	if (t_img_read(&self->p.dev, le64toh(self->s.line_off), &line, sizeof(line)))
		return ~0ULL;
	return le64toh(line.slab[0].a) ^ le64toh(line.slab[0].f);
}

/* A free entry of the object @ref, whose id is at @dest. */
static int write_free(struct _test_data_recover *self, __u64 ref, __u64 dest)
{
	struct pobj_m_slot slot = { .word = { htole64(ref), htole64(dest) } };

	t_slot_seal(&slot, 9, POBJ_M_ENTRY_FREE, 0, 1);
	if (t_lane_past(&self->p.dev, &self->s, 0, 9))
		return -EIO;
	return t_img_write(&self->p.dev, t_slot_off(&self->s, 0, 9), &slot, sizeof(slot));
}

TEST_F(recover, redo_free)
{
	struct pobj_ioc_recover r;
	__u64 uuid;

	memcpy(&uuid, self->s.uuid, 8);
	uuid = le64toh(uuid);
	ASSERT_EQ(0, write_slab(self, uuid, self->data));
	ASSERT_EQ(0, write_free(self, 0, self->data + 64));
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(1, r.out_live);
	EXPECT_EQ(1, r.out_redone);
	ASSERT_EQ(0, release(self));
	EXPECT_EQ(2, allocated(self));
	EXPECT_EQ(0, word(self, self->data + 64));
	EXPECT_EQ(0, word(self, self->data + 72));
}

/* D was given something else since: it is the user's. */
TEST_F(recover, redo_free_with_a_new_destination)
{
	struct pobj_ioc_recover r;

	ASSERT_EQ(0, write_slab(self, 0x1234567, self->data));
	ASSERT_EQ(0, write_free(self, 0, self->data + 64));
	ASSERT_EQ(0, recover(self, &r));
	ASSERT_EQ(0, release(self));
	EXPECT_EQ(2, allocated(self));
	EXPECT_EQ(0x1234567, word(self, self->data + 64));
	EXPECT_EQ(self->data, word(self, self->data + 72));
}

/* An allocation that did not return: object free again, old id back. */
TEST_F(recover, undo_allocation)
{
	const __u64 pair[3][2] = {
		{ POBJ_M_TARGET_OBJECT, 0 }, { self->data + 72, 0x40 }, { self->data + 64, 0x77 },
	};
	struct pobj_ioc_recover r;
	__u64 uuid;

	memcpy(&uuid, self->s.uuid, 8);
	uuid = le64toh(uuid);
	ASSERT_EQ(0, write_slab(self, uuid, self->data));
	ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 0, 1, 1, 3, pair));
	ASSERT_EQ(0, recover(self, &r));
	EXPECT_EQ(1, r.out_live);
	ASSERT_EQ(0, release(self));
	EXPECT_EQ(2, allocated(self));
	EXPECT_EQ(0x77, word(self, self->data + 64));
	EXPECT_EQ(0x40, word(self, self->data + 72));
}

/* ---- what is refused ---------------------------------------------------------------------- */

TEST_F_TIMEOUT(recover, wild_target, 60)
{
	const __u64 size = le64toh(self->s.pool_size), good[1][2] = { { self->p.free, 1 } };
	const struct {
		const char *what;
		__u64 target;
		__u32 diag;
	} how[] = {
		{ "end of the pool", size, POBJ_DIAG_LANE_TARGET },
		{ "beyond the end", size + 4096, POBJ_DIAG_LANE_TARGET },
		{ "last word of all", ~7ULL, POBJ_DIAG_LANE_TARGET },
		{ "superblock", 64, POBJ_DIAG_LANE_TARGET },
		{ "second superblock", POBJ_M_SUPER_OFF1, POBJ_DIAG_LANE_TARGET },
		{ "slot", t_slot_off(&self->s, 0, 3), POBJ_DIAG_LANE_TARGET },
		{ "slot of another lane", t_slot_off(&self->s, 0, 3), POBJ_DIAG_LANE_TARGET },
		/* Impossible in itself: either name will do. */
		{ "not aligned", self->p.free + 4, 0 },
	};
	__u64 slot = t_slot_off(&self->s, 1, 5);
	size_t i;

	/* A good entry in another lane must wait until all lanes were seen. */
	ASSERT_EQ(0, put_word(self, self->p.free, 3));
	ASSERT_EQ(0, put_word(self, self->data, 4));
	ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 0, 1, 1, 1, good));
	ASSERT_EQ(0, t_lane_past(&self->p.dev, &self->s, 1, 5));
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		const __u64 pair[2][2] = { { self->data, 9 }, { how[i].target, 9 } };

		ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 1, 5, 1, 2, pair));
		TH_LOG("%s", how[i].what);
		check_refused(_metadata, self, how[i].diag, slot, slot + POBJ_M_LINE);
		EXPECT_EQ(3, word(self, self->p.free));
		EXPECT_EQ(4, word(self, self->data));
		free(self->before);
		self->before = NULL;
	}
}

TEST_F(recover, wild_object)
{
	const __u64 size = le64toh(self->s.pool_size), dest = self->data + 64;
	const __u64 wild[][2] = {
		{ le64toh(self->s.page_cnt) << POBJ_M_REF_IDX_BITS, dest },	/* page */
		{ ~0ULL, dest },
		{ 200, dest },							/* index */
		{ POBJ_M_REF_LARGE, dest },					/* not large */
		{ 0, size + 64 },						/* destination */
		{ 0, dest + 4 },
		{ 0, 64 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		ASSERT_EQ(0, write_slab(self, 1, self->data));
		ASSERT_EQ(0, write_free(self, wild[i][0], wild[i][1]));
		TH_LOG("case %zu", i);
		check_refused(_metadata, self, 0, 0, 0);
		free(self->before);
		self->before = NULL;
	}
}

TEST_F(recover, unknown_kind)
{
	struct pobj_m_slot slot = { .word = { htole64(self->p.free), htole64(1) } };
	__u64 off = t_slot_off(&self->s, 0, 3);

	ASSERT_EQ(0, t_lane_past(&self->p.dev, &self->s, 0, 3));
	t_slot_seal(&slot, 3, 9, 1, 1);
	ASSERT_EQ(0, t_img_write(&self->p.dev, off, &slot, sizeof(slot)));
	check_refused(_metadata, self, POBJ_DIAG_LANE_FIELD, off, off + POBJ_M_LINE);
}

TEST_F(recover, damaged_live_slot)
{
	const __u64 pair[1][2] = { { self->p.free, 1 } };
	__u64 off = t_slot_off(&self->s, 0, 20);

	ASSERT_EQ(0, t_lane_past(&self->p.dev, &self->s, 0, 20));
	ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 0, 20, 1, 1, pair));
	ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 0, 21, 2, 1, pair));
	ASSERT_EQ(0, put_word(self, off, self->data));
	check_refused(_metadata, self, 0, 0, 0);
}

TEST_F(recover, missing_live_slot)
{
	const __u64 pair[1][2] = { { self->p.free, 1 } };

	/* The newest says that the two before it are live: they are not there. */
	ASSERT_EQ(0, t_lane_past(&self->p.dev, &self->s, 0, 21));
	ASSERT_EQ(0, t_undo_write(&self->p.dev, &self->s, 0, 23, 3, 1, pair));
	check_refused(_metadata, self, 0, 0, 0);
}

TEST_F(recover, sequence_in_the_wrong_slot)
{
	struct pobj_m_slot slot = { .word = { htole64(self->p.free), htole64(1) } };

	t_slot_seal(&slot, 5, POBJ_M_ENTRY_UNDO, 1, 1);
	ASSERT_EQ(0, t_img_write(&self->p.dev, t_slot_off(&self->s, 0, 6), &slot, sizeof(slot)));
	check_refused(_metadata, self, 0, 0, 0);
}

TEST_HARNESS_MAIN
