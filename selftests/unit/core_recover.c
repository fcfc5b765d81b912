// SPDX-License-Identifier: BSD-3-Clause
/*
 * lib/core/recover.c and the reading half of lane.c, on images made by hand: what is undone, what
 * never began, what is refused; and that a refusal changes nothing, whatever was verified before.
 */
#include "kselftest_harness.h"
#include "core_pool.h"

#include "lib/core/object.h"

#define BYTES	32768
#define UNDO	POBJ_M_ENTRY_UNDO
#define NOP	POBJ_M_ENTRY_NOP

FIXTURE(recover) {
	struct core_pool p;
	const struct pobj_geom *g;
	struct pobj_recovery r;
	struct pobj_finding f;
	u8 *image;
	u64 t;			/* a word in data page 0 */
};

FIXTURE_SETUP(recover)
{
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	self->g = &self->p.s.geom;
	self->image = core_alloc(BYTES);
	self->t = CORE_PAGE(self->g, 0);
}

FIXTURE_TEARDOWN(recover)
{
	core_pool_free(&self->p);
	free(self->image);
}

#define SELF	FIXTURE_DATA(recover) * self

/* Recovery must end with @err, and on an error change no byte. */
static bool ends(SELF, int err)
{
	int got;

	memcpy(self->image, self->p.mem, BYTES);
	memset(&self->f, 0, sizeof(self->f));
	got = core_recover(&self->p, &self->r, &self->f);
	if (got != err)
		printf("# recovery: %d instead of %d, finding %u at %llx: %llx\n", got, err,
		       self->f.diag, (unsigned long long)self->f.off,
		       (unsigned long long)self->f.found);
	if (got && memcmp(self->image, self->p.mem, BYTES)) {
		printf("# a refusal has changed the image\n");
		return false;
	}
	return got == err;
}

/* A second recovery finds nothing to do. */
static bool settled(SELF)
{
	return ends(self, 0) && !self->r.undone && !self->r.live &&
	       !memcmp(self->image, self->p.mem, BYTES);
}

/* An entry of @cnt words t, t + 8, ... with old values 1000, 1001, ... in lane @lane. */
static void undo_entry(SELF, u32 lane, u64 seq, u32 cnt)
{
	struct pobj_ext_walk w;
	u64 word[6];
	u32 i, n, done;

	for (done = 0; done < cnt; done += n) {
		n = cnt - done < 3 ? cnt - done : 3;
		for (i = 0; i < n; i++) {
			word[2 * i] = self->t + 8 * (done + i);
			word[2 * i + 1] = 1000 + done + i;
			core_set(&self->p, word[2 * i], 5555);
		}
		if (!done) {
			core_slot(&self->p, lane, seq, UNDO, cnt, seq - 1, word, 2 * n);
			continue;
		}
		if (done == 3 ? pobj_ext_first(&w, &self->p.m, self->g, lane, NULL) :
				pobj_ext_next(&w, NULL))
			abort();
		core_log_line(&self->p, w.off, word, 2 * n, n, 0, core_tag(seq, UNDO));
	}
}

static bool words_are(SELF, u32 cnt, bool old)
{
	u32 i;

	for (i = 0; i < cnt; i++) {
		if (core_get(&self->p, self->t + 8 * i) != (old ? 1000 + i : 5555))
			return false;
	}
	return true;
}

/* Hang page @page into the chain of @lane by hand, at @link. */
static void chunk(SELF, u32 lane, u64 link, u64 page)
{
	core_set(&self->p, pobj_geom_line(self->g, page),
		 pobj_line_header(POBJ_M_LOG, POBJ_M_F_INTERNAL, 0, 1));
	memset(self->p.mem + CORE_PAGE(self->g, page), 0, 256);
	core_set(&self->p, CORE_PAGE(self->g, page) + 8, lane);
	core_set(&self->p, link, CORE_PAGE(self->g, page));
}

static void chunks(SELF, u32 lane, u32 cnt)
{
	u64 link = pobj_geom_lane(self->g, lane);
	u32 i;

	for (i = 0; i < cnt; i++) {
		chunk(self, lane, link, 20 + lane + 2 * i);
		link = CORE_PAGE(self->g, 20 + lane + 2 * i);
	}
}

TEST_F(recover, empty_pool)
{
	EXPECT_TRUE(settled(self));
	EXPECT_EQ(2, self->r.lanes);
	EXPECT_EQ(0, core_problems(&self->p));
}

/* Every count from 1 word to what two chunks hold, at each place in the rotation. */
TEST_F(recover, live_entries_are_undone)
{
	u64 base;
	u32 cnt;

	for (base = 0; base < 40; base++) {
		for (cnt = 1; cnt <= 27; cnt++) {
			core_pool_free(&self->p);
			core_pool_make(&self->p, BYTES, 8, 2, 2);
			chunks(self, 1, 2);
			core_nops(&self->p, 1, base);
			undo_entry(self, 1, base + 1, cnt);
			ASSERT_EQ(0, core_problems(&self->p));
			ASSERT_TRUE(ends(self, 0));
			ASSERT_EQ(cnt, self->r.undone);
			ASSERT_EQ(1, self->r.live);
			ASSERT_TRUE(words_are(self, cnt, true));
			ASSERT_EQ(core_tag(base + 2, NOP),
				  core_get(&self->p, pobj_geom_slot(self->g, 1, base + 2) + 56));
			ASSERT_TRUE(settled(self));
		}
	}
}

/* Newest first: the oldest live value is what stays. */
TEST_F(recover, several_live_entries)
{
	u64 word[2] = { self->t, 0 }, n;

	for (n = 1; n <= 15; n++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		core_nops(&self->p, 0, 30);
		for (u64 i = 1; i <= n; i++) {
			word[1] = 100 + i;
			core_slot(&self->p, 0, 30 + i, UNDO, 1, 30, word, 2);
		}
		ASSERT_TRUE(ends(self, 0));
		ASSERT_EQ(n, self->r.undone);
		ASSERT_EQ(n, self->r.live);
		ASSERT_EQ(101, core_get(&self->p, self->t));
		ASSERT_TRUE(settled(self));
	}
	/* 16 live: the first one's slot would be the next to be written. */
	core_nops(&self->p, 0, 30);
	for (n = 1; n <= 16; n++)
		core_slot(&self->p, 0, 30 + n, UNDO, 1, 30, word, 2);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_LANE_FIELD, self->f.diag);
}

TEST_F(recover, retired_entries_stay)
{
	undo_entry(self, 0, 1, 3);
	core_slot(&self->p, 0, 2, NOP, 0, 1, NULL, 0);
	EXPECT_TRUE(settled(self));
	EXPECT_TRUE(words_are(self, 3, false));
	/* A NOP that retires nothing leaves it live. */
	core_slot(&self->p, 0, 2, NOP, 0, 0, NULL, 0);
	EXPECT_TRUE(ends(self, 0));
	EXPECT_TRUE(words_are(self, 3, true));
	EXPECT_TRUE(settled(self));
}

/* Any one extension line without the entry's tag: power failed before a word had changed. */
TEST_F(recover, missing_extension_line)
{
	struct pobj_ext_walk w;
	int line, i;

	for (line = 0; line < 8; line++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		chunks(self, 1, 2);
		undo_entry(self, 1, 1, 27);
		ASSERT_EQ(0, pobj_ext_first(&w, &self->p.m, self->g, 1, NULL));
		for (i = 0; i < line; i++)
			ASSERT_EQ(0, pobj_ext_next(&w, NULL));
		core_set(&self->p, w.off + 56, line % 2 ? 0 : core_tag(77, UNDO));
		ASSERT_TRUE(ends(self, 0));
		ASSERT_EQ(0, self->r.undone);
		ASSERT_TRUE(words_are(self, 27, false));
		ASSERT_TRUE(settled(self));
	}
}

/* Only the newest can have failed to begin. */
TEST_F(recover, missing_extension_line_of_an_older_entry)
{
	const u64 word[2] = { self->t, 1 };

	undo_entry(self, 0, 1, 6);
	core_slot(&self->p, 0, 2, UNDO, 1, 0, word, 2);
	core_set(&self->p, core_own_ext(&self->p, 0, 0) + 56, 0);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_LANE_FIELD, self->f.diag);
}

TEST_F(recover, damaged_extension_line)
{
	u64 off = core_own_ext(&self->p, 0, 1);
	int byte;

	for (byte = 0; byte < 56; byte++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		undo_entry(self, 0, 1, 9);
		self->p.mem[off + byte] ^= 4;
		ASSERT_TRUE(ends(self, -EUCLEAN));
		ASSERT_EQ(POBJ_DIAG_LANE_CRC, self->f.diag);
		ASSERT_EQ(off, self->f.off);
		/* Where lines tear it was half-written: never began. */
		self->p.m.lines_tear = true;
		ASSERT_TRUE(ends(self, 0));
		ASSERT_TRUE(words_are(self, 9, false) || byte < 48);
		ASSERT_EQ(0, self->r.undone);
		self->p.m.lines_tear = false;
	}
	/* The count of pairs in a line must be what the head says. */
	core_pool_free(&self->p);
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	undo_entry(self, 0, 1, 9);
	core_set(&self->p, off + 48, 2);
	core_seal_line(&self->p, off);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_LANE_FIELD, self->f.diag);
}

/* Damage the slot of sequence @seq in byte @byte. */
static void hurt(SELF, u32 lane, u64 seq, u64 byte)
{
	self->p.mem[pobj_geom_slot(self->g, lane, seq) + byte] ^= 0x40;
}

/* The slot after the newest may be half-written, any other may not. */
TEST_F(recover, torn_slot)
{
	u64 newest, seq, next, words;
	u8 *dst;

	for (newest = 0; newest < 40; newest++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		core_nops(&self->p, 1, newest);
		memcpy(self->image, self->p.mem, BYTES);
		/* A prefix of the next entry's words over what stood there. */
		for (words = 1; words < 8; words++) {
			u8 line[64];

			memcpy(self->p.mem, self->image, BYTES);
			dst = self->p.mem + pobj_geom_slot(self->g, 1, newest + 1);
			memcpy(line, dst, 64);
			undo_entry(self, 1, newest + 1, 3);
			memcpy(line, dst, words * 8);
			memcpy(dst, line, 64);
			ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f))
				TH_LOG("newest %llu, %llu words", (unsigned long long)newest,
				       (unsigned long long)words);
			ASSERT_EQ(0, self->r.undone);
			/* Words alone look like an old entry only if nothing stood there. */
			if (newest >= 16 || words == 7)
				ASSERT_EQ(1, self->r.torn);
			memcpy(self->p.mem, self->image, BYTES);
		}
		for (seq = newest > 15 ? newest - 15 : 1; seq <= newest; seq++) {
			next = newest + 1 - 16;		/* stands where the next will */
			for (words = 0; words < 64; words++) {
				memcpy(self->p.mem, self->image, BYTES);
				hurt(self, 1, seq, words);
				if (seq == next && words < 56) {
					ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f));
					continue;
				}
				if (seq == next)	/* the tag is whole or not there */
					continue;
				ASSERT_EQ(-EUCLEAN, core_recover(&self->p, &self->r, &self->f))
					TH_LOG("newest %llu, seq %llu, byte %llu",
					       (unsigned long long)newest, (unsigned long long)seq,
					       (unsigned long long)words);
			}
		}
		memcpy(self->p.mem, self->image, BYTES);
	}
}

/*
 * Tags are stored whole: a damaged slot whose tag is 0 can be a torn one only where none was
 * written before. Passing over it would lose the newest entry, and with it what it must undo.
 */
TEST_F(recover, newest_tag_wiped_is_damage)
{
	core_nops(&self->p, 0, 39);
	undo_entry(self, 0, 40, 3);
	core_set(&self->p, pobj_geom_slot(self->g, 0, 40) + 56, 0);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	/* A tag is never a kind alone, not even in the first round. */
	core_pool_free(&self->p);
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	core_nops(&self->p, 0, 7);
	undo_entry(self, 0, 8, 3);
	core_set(&self->p, pobj_geom_slot(self->g, 0, 8) + 56, UNDO);
	EXPECT_TRUE(ends(self, -EUCLEAN));
}

/* In the first round a torn slot has no tag that would tell its place. */
TEST_F(recover, torn_slot_in_the_wrong_place)
{
	u64 seq;

	for (seq = 4; seq <= 16; seq++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		core_nops(&self->p, 0, 3);
		core_set(&self->p, pobj_geom_slot(self->g, 0, seq) + 48, 5);
		ASSERT_TRUE(ends(self, seq == 4 ? 0 : -EUCLEAN));
	}
}

TEST_F(recover, two_torn_slots)
{
	core_nops(&self->p, 0, 33);
	hurt(self, 0, 18, 0);
	EXPECT_TRUE(ends(self, 0));
	core_nops(&self->p, 0, 33);
	hurt(self, 0, 18, 0);
	hurt(self, 0, 19, 0);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_LANE_CRC, self->f.diag);
}

/* In the first round slot 0 was never written, and may not be the second torn one either. */
TEST_F(recover, two_torn_slots_of_the_first_round)
{
	u64 newest;

	for (newest = 1; newest < 15; newest++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		core_nops(&self->p, 0, newest);
		core_set(&self->p, pobj_geom_slot(self->g, 0, newest + 1) + 48, 5);
		ASSERT_TRUE(ends(self, 0));
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		core_nops(&self->p, 0, newest);
		core_set(&self->p, pobj_geom_slot(self->g, 0, newest + 1) + 48, 5);
		core_set(&self->p, pobj_geom_slot(self->g, 0, 16) + 48, 5);
		ASSERT_TRUE(ends(self, -EUCLEAN));
		ASSERT_EQ(POBJ_DIAG_LANE_CRC, self->f.diag);
	}
}

/* Where lines tear, the next slot may have its new tag and not its words. */
TEST_F(recover, torn_with_the_new_tag)
{
	undo_entry(self, 0, 1, 3);
	hurt(self, 0, 1, 3);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_LANE_CRC, self->f.diag);
	self->p.m.lines_tear = true;
	EXPECT_TRUE(ends(self, 0));
	EXPECT_EQ(1, self->r.torn);
	EXPECT_TRUE(words_are(self, 3, false));
}

TEST_F(recover, impossible_heads)
{
	const struct {
		u64 seq;
		u32 kind;
		u32 cnt;
		u64 retired;
		u32 diag;
	} bad[] = {
		{ 1, UNDO, 0, 0, POBJ_DIAG_LANE_FIELD },	/* no words */
		{ 1, UNDO, 10, 0, 0 },				/* more than the log holds */
		{ 1, UNDO, 65535, 0, 0 },
		{ 1, 0, 1, 0, POBJ_DIAG_LANE_FIELD },		/* kinds */
		{ 1, POBJ_M_ENTRY_FREE, 0, 0, POBJ_DIAG_LANE_TARGET },	/* id not aligned */
		{ 1, 4, 1, 0, POBJ_DIAG_LANE_FIELD },
		{ 1, 255, 1, 0, POBJ_DIAG_LANE_FIELD },
		{ 1, NOP, 0, 1, POBJ_DIAG_LANE_FIELD },		/* retires itself */
		{ 1, NOP, 0, 2, POBJ_DIAG_LANE_FIELD },		/* and the future */
		{ 1, NOP, 0, -1ULL, POBJ_DIAG_LANE_FIELD },	/* below 0 */
		{ 2, NOP, 0, 1, POBJ_DIAG_LANE_SEQ },		/* 1 is missing */
		{ 17, NOP, 0, 16, POBJ_DIAG_LANE_SEQ },
		{ POBJ_M_SEQ_MAX, NOP, 0, POBJ_M_SEQ_MAX - 1, POBJ_DIAG_LANE_SEQ },
	};
	const u64 word[6] = { self->t, 1, self->t + 8, 2, self->t + 16, 3 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		undo_entry(self, 0, 1, 3);		/* verified before, must stay */
		core_slot(&self->p, 1, bad[i].seq, bad[i].kind, bad[i].cnt, bad[i].retired, word,
			  6);
		if (bad[i].cnt > 9) {
			core_log_line(&self->p, core_own_ext(&self->p, 1, 0), word, 6, 3, 0,
				      core_tag(1, UNDO));
			core_log_line(&self->p, core_own_ext(&self->p, 1, 1), word, 6, 3, 0,
				      core_tag(1, UNDO));
		}
		EXPECT_TRUE(ends(self, -EUCLEAN))
			TH_LOG("case %zu", i);
		if (bad[i].diag)
			EXPECT_EQ(bad[i].diag, self->f.diag)
				TH_LOG("case %zu", i);
	}
}

TEST_F(recover, sequence_holes)
{
	u64 seq, x = 9;
	int i;

	for (seq = 18; seq < 33; seq++) {
		core_nops(&self->p, 0, 33);
		core_slot(&self->p, 0, seq - 16, NOP, 0, seq - 17, NULL, 0);
		ASSERT_TRUE(ends(self, -EUCLEAN));
		ASSERT_EQ(POBJ_DIAG_LANE_SEQ, self->f.diag);
		core_nops(&self->p, 0, 33);
		memset(self->p.mem + pobj_geom_slot(self->g, 0, seq), 0, 64);
		ASSERT_TRUE(ends(self, -EUCLEAN));
		/* An entry in another's slot. */
		core_nops(&self->p, 0, 33);
		core_log_line(&self->p, pobj_geom_slot(self->g, 0, seq), NULL, 0, 0, 1,
			      core_tag(seq + 1, NOP));
		ASSERT_TRUE(ends(self, -EUCLEAN));
	}
	for (i = 0; i < 2000; i++) {
		core_nops(&self->p, 0, 33);
		seq = core_random(&x) >> 8 >> core_random(&x) % 50;
		if (seq >= 17 && seq <= 34)
			continue;
		core_slot(&self->p, 0, seq, NOP, 0, seq - 1, NULL, 0);
		ASSERT_TRUE(ends(self, -EUCLEAN));
	}
}

/* Sequences begin with 1: a slot that is whole and says 0 was never written so. */
TEST_F(recover, sequence_0)
{
	u64 slot;

	for (slot = 0; slot < POBJ_M_SLOT_CNT; slot++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		core_log_line(&self->p, pobj_geom_slot(self->g, 0, slot), NULL, 0, 0, 0,
			      core_tag(0, NOP));
		EXPECT_TRUE(ends(self, -EUCLEAN));
		EXPECT_EQ(POBJ_DIAG_LANE_SEQ, self->f.diag);
		if (slot && slot <= 3)
			continue;
		core_nops(&self->p, 0, 3);
		EXPECT_TRUE(ends(self, -EUCLEAN));
		EXPECT_EQ(POBJ_DIAG_LANE_SEQ, self->f.diag);
	}
}

/* A NOP may name the line of a page. One that is none is not flushed, wherever it would lie. */
TEST_F(recover, hints_of_nops)
{
	const u64 bad[] = { self->g->page_cnt + 1, 1ULL << 58, ~0ULL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		core_slot(&self->p, 0, 1, NOP, 0, 0, &bad[i], 1);
		core_flushes = 0;
		EXPECT_TRUE(ends(self, 0));
		EXPECT_EQ(1, core_flushes);
	}
	core_slot(&self->p, 0, 1, NOP, 0, 0, &self->g->page_cnt, 1);
	core_flushes = 0;
	EXPECT_TRUE(ends(self, 0));
	EXPECT_EQ(2, core_flushes);
	core_slot(&self->p, 0, 1, NOP, 0, 0, NULL, 0);
	core_flushes = 0;
	EXPECT_TRUE(ends(self, 0));
	EXPECT_EQ(1, core_flushes);
}

/* What recovery writes must leave a lane that opens again. */
TEST_F(recover, last_sequences)
{
	u64 newest;

	for (newest = POBJ_M_SEQ_MAX; newest > POBJ_M_SEQ_MAX - 40; newest--) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		core_nops(&self->p, 0, newest - 1);
		undo_entry(self, 0, newest, 3);
		memcpy(self->image, self->p.mem, BYTES);
		if (core_recover(&self->p, &self->r, &self->f)) {
			ASSERT_EQ(0, memcmp(self->image, self->p.mem, BYTES));
			continue;
		}
		ASSERT_TRUE(settled(self))
			TH_LOG("newest %llx", (unsigned long long)newest);
	}
}

TEST_F(recover, targets)
{
	const u64 lane0 = pobj_geom_lane(self->g, 0), lane1 = pobj_geom_lane(self->g, 1);
	const u64 refused[] = {
		0, 8, 2048, 4096, 8191, 8208, 8256, lane0 + 8, lane0 + 64, lane0 + 56 + 64 * 16,
		lane1, lane1 + 64, self->g->line_off - 8, self->t + 1, self->t + 4,
		BYTES, BYTES + 8, 1ULL << 40, 1ULL << 63, ~0ULL - 7, ~0ULL,
		CORE_PAGE(self->g, 20) + 8, CORE_PAGE(self->g, 20) + 64, CORE_PAGE(self->g, 21),
		CORE_PAGE(self->g, self->g->page_cnt),
	};
	const u64 allowed[] = {
		8192, 8200, self->g->line_off, self->g->line_off + 64 * self->g->page_cnt - 8,
		self->t, CORE_PAGE(self->g, self->g->page_cnt) - 8,
	};
	u64 word[6];
	size_t i;
	int at;

	chunks(self, 0, 1);
	chunks(self, 1, 1);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		for (at = 0; at < 4; at++) {
			undo_entry(self, 0, 1, 6);
			if (at < 3) {
				core_set(&self->p, pobj_geom_slot(self->g, 0, 1) + 16 * at,
					 refused[i]);
				core_seal_line(&self->p, pobj_geom_slot(self->g, 0, 1));
			} else {
				core_set(&self->p, core_own_ext(&self->p, 0, 0) + 32, refused[i]);
				core_seal_line(&self->p, core_own_ext(&self->p, 0, 0));
			}
			ASSERT_TRUE(ends(self, -EUCLEAN))
				TH_LOG("target %zu at %d", i, at);
			ASSERT_EQ(POBJ_DIAG_LANE_TARGET, self->f.diag);
			ASSERT_EQ(refused[i], self->f.found);
		}
	}
	for (i = 0; i < ARRAY_SIZE(allowed); i++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		word[0] = allowed[i];
		word[1] = 0x1234;
		core_slot(&self->p, 0, 1, UNDO, 1, 0, word, 2);
		ASSERT_TRUE(ends(self, 0));
		ASSERT_EQ(0x1234, core_get(&self->p, allowed[i]));
	}
}

TEST_F(recover, broken_chains)
{
	const u64 bad[] = {
		1, 8, 64, 4096, self->t - 256, self->t + 64, self->t + 8, BYTES, BYTES - 64,
		BYTES + 256, 1ULL << 40, 1ULL << 63, ~0ULL, ~0ULL - 255,
		CORE_PAGE(self->g, 3),			/* not a log page */
		CORE_PAGE(self->g, 21),			/* the other lane's */
		CORE_PAGE(self->g, self->g->page_cnt),
	};
	struct pobj_census c;
	size_t i, depth;
	u64 link;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		for (depth = 0; depth < 2; depth++) {
			core_pool_free(&self->p);
			core_pool_make(&self->p, BYTES, 8, 2, 2);
			chunks(self, 0, 3);
			chunks(self, 1, 1);
			undo_entry(self, 0, 1, 27);
			undo_entry(self, 1, 1, 3);
			link = depth ? CORE_PAGE(self->g, 20) : pobj_geom_lane(self->g, 0);
			core_set(&self->p, link, bad[i]);
			ASSERT_TRUE(ends(self, -EUCLEAN))
				TH_LOG("chain %zu, depth %zu", i, depth);
			ASSERT_EQ(POBJ_DIAG_CHUNK, self->f.diag);
			ASSERT_EQ(0, pobj_check_pool(&self->p.m, &self->p.s, &c, NULL, NULL));
			ASSERT_NE(0, c.problems);
		}
	}
}

/* Inside a log page of the lane, with its number in the right place: still no chunk. */
TEST_F(recover, link_into_a_chunk)
{
	u64 page = CORE_PAGE(self->g, 20);

	chunks(self, 0, 2);
	undo_entry(self, 0, 1, 27);
	core_set(&self->p, page + 64 + 8, 0);
	core_seal_line(&self->p, page + 64);
	core_set(&self->p, page, page + 64);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_CHUNK, self->f.diag);
	EXPECT_EQ(page + 64, self->f.found);
}

/* A chunk is one page. */
TEST_F(recover, chunk_of_two_pages)
{
	chunks(self, 0, 2);
	undo_entry(self, 0, 1, 27);
	core_set(&self->p, pobj_geom_line(self->g, 20),
		 pobj_line_header(POBJ_M_LOG, POBJ_M_F_INTERNAL, 0, 2));
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_CHUNK, self->f.diag);
	/* And a page of a log: its contents alone could be anybody's. */
	core_set(&self->p, pobj_geom_line(self->g, 20), pobj_line_header(POBJ_M_LARGE, 0, 0, 1));
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_CHUNK, self->f.diag);
	core_set(&self->p, pobj_geom_line(self->g, 20), 0);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_CHUNK, self->f.diag);
}

/* C4: a log page in nobody's chain is space lost. */
TEST_F(recover, chunk_in_no_chain)
{
	chunks(self, 0, 2);
	ASSERT_EQ(0, core_problems(&self->p));
	core_set(&self->p, CORE_PAGE(self->g, 20), 0);
	EXPECT_EQ(1, core_problems(&self->p));
	EXPECT_TRUE(ends(self, 0));
}

/* A chain that runs in a circle ends all walks over it. */
TEST_F(recover, circular_chains)
{
	struct pobj_census c;
	struct pobj_lane l;
	u64 from, to;

	for (from = 0; from < 3; from++) {
		for (to = 0; to <= from; to++) {
			core_pool_free(&self->p);
			core_pool_make(&self->p, BYTES, 8, 2, 2);
			chunks(self, 0, 3);
			core_set(&self->p, CORE_PAGE(self->g, 20 + 2 * from),
				 CORE_PAGE(self->g, 20 + 2 * to));
			ASSERT_EQ(0, pobj_lane_take(&l, &self->p.m, self->g, 0, NULL));
			ASSERT_EQ(-EUCLEAN, pobj_lane_grow(&l, 5));
			ASSERT_EQ(3, pobj_lane_capacity(&l));
			ASSERT_EQ(0, pobj_check_pool(&self->p.m, &self->p.s, &c, NULL, NULL));
			ASSERT_NE(0, c.problems);
			/* An entry of more lines than the pool has: each carries the tag. */
			for (u64 n = 0; n < 2; n++)
				core_log_line(&self->p, core_own_ext(&self->p, 0, n),
					      (u64[]){ self->t, 1, self->t, 2, self->t, 3 }, 6, 3,
					      0, core_tag(1, UNDO));
			for (u64 n = 0; n < 9; n++)
				core_log_line(&self->p, CORE_PAGE(self->g, 20 + n / 3 * 2) + 64 +
					      n % 3 * 64,
					      (u64[]){ self->t, 1, self->t, 2, self->t, 3 }, 6, 3,
					      0, core_tag(1, UNDO));
			core_slot(&self->p, 0, 1, UNDO, 65535, 0,
				  (u64[]){ self->t, 1, self->t, 2, self->t, 3 }, 6);
			ASSERT_TRUE(ends(self, -EUCLEAN));
			ASSERT_EQ(POBJ_DIAG_CHUNK, self->f.diag);
		}
	}
}

/*
 * A valid live entry in lane 0 stays alone when lane 1 is refused; and the other way round.
 */
TEST_F(recover, verify_all_then_act)
{
	u32 bad;

	for (bad = 0; bad < 2; bad++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		undo_entry(self, !bad, 1, 9);
		core_slot(&self->p, bad, 1, 77, 1, 0, NULL, 0);
		ASSERT_TRUE(ends(self, -EUCLEAN));
		ASSERT_TRUE(words_are(self, 9, false));
	}
	/* A damaged superblock copy is not repaired either. */
	self->p.mem[100] ^= 1;
	EXPECT_TRUE(ends(self, -EUCLEAN));
}

/*
 * Undoing can change what was verified: links, and headers that make a page a log. Then what is
 * acted on later is not what was judged, and a refusal would come half-way.
 */
TEST_F(recover, undo_of_the_ground_it_stands_on)
{
	u64 ext = core_own_ext(&self->p, 0, 0);
	u64 targets[] = {
		pobj_geom_lane(self->g, 0),		/* link to the first chunk */
		pobj_geom_line(self->g, 20),		/* header of the chunk's page */
		CORE_PAGE(self->g, 20),			/* link in the chunk */
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(targets); i++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		chunks(self, 0, 2);
		undo_entry(self, 0, 1, 27);
		core_set(&self->p, ext, targets[i]);
		core_set(&self->p, ext + 8, 0);
		core_seal_line(&self->p, ext);
		memcpy(self->image, self->p.mem, BYTES);
		if (core_recover(&self->p, &self->r, &self->f)) {
			EXPECT_EQ(0, memcmp(self->image, self->p.mem, BYTES))
				TH_LOG("case %zu: refused, and yet changed", i);
		} else {
			EXPECT_TRUE(settled(self));
		}
	}
	/* Lane 0 makes a log page of that which lane 1 has a word in. */
	core_pool_free(&self->p);
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	undo_entry(self, 1, 1, 3);
	core_slot(&self->p, 0, 1, UNDO, 1, 0,
		  (u64[]){ pobj_geom_line(self->g, 0),
			   pobj_line_header(POBJ_M_LOG, POBJ_M_F_INTERNAL, 0, 1) }, 2);
	memcpy(self->image, self->p.mem, BYTES);
	if (core_recover(&self->p, &self->r, &self->f))
		EXPECT_EQ(0, memcmp(self->image, self->p.mem, BYTES))
			TH_LOG("lane 1 was refused after lane 0 was changed");
	/* The same by two entries of one lane. */
	core_pool_free(&self->p);
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	undo_entry(self, 0, 1, 3);
	core_slot(&self->p, 0, 2, UNDO, 1, 0,
		  (u64[]){ pobj_geom_line(self->g, 0),
			   pobj_line_header(POBJ_M_LOG, POBJ_M_F_INTERNAL, 0, 1) }, 2);
	memcpy(self->image, self->p.mem, BYTES);
	if (core_recover(&self->p, &self->r, &self->f))
		EXPECT_EQ(0, memcmp(self->image, self->p.mem, BYTES))
			TH_LOG("an older entry was refused after a newer one was undone");
}

/* Each read fails in turn, and all after it: an error, and later the pool recovers. */
TEST_F(recover, unreadable_at_each_read)
{
	u64 n, total;
	int err;

	core_pool_free(&self->p);
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	chunks(self, 1, 2);
	undo_entry(self, 1, 1, 20);
	memcpy(self->image, self->p.mem, BYTES);
	core_reads = 0;
	ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f));
	total = core_reads;
	ASSERT_GT(total, 50);
	for (n = 1; n <= total; n++) {
		memcpy(self->p.mem, self->image, BYTES);
		core_reads = 0;
		core_read_fail = n;
		err = core_recover(&self->p, &self->r, &self->f);
		core_read_fail = 0;
		ASSERT_TRUE(err == -EIO || err == -EUCLEAN)
			TH_LOG("read %llu of %llu: %d", (unsigned long long)n,
			       (unsigned long long)total, err);
		ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f));
		ASSERT_TRUE(words_are(self, 20, true));
		ASSERT_EQ(0, core_problems(&self->p));
	}
}

/*
 * One of everything that recovery judges: words, words of the ground, objects of a slab to be
 * undone, a small and a large object to be freed with their ids, and a superblock copy to be
 * repaired.
 */
static void all_kinds(SELF)
{
	const u64 line = pobj_geom_line(self->g, 10), dest = CORE_PAGE(self->g, 2);

	core_pool_free(&self->p);
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	chunks(self, 1, 2);
	core_set(&self->p, line, pobj_line_header(POBJ_M_SLAB, 0, 4, 64));
	core_set(&self->p, line + 16, 0xb);
	core_set(&self->p, pobj_geom_line(self->g, 12) + 16, 256);
	core_set(&self->p, pobj_geom_line(self->g, 12),
		 pobj_line_header(POBJ_M_LARGE, 0, 0, 1));
	memset(self->p.mem + dest, 0, 32);
	core_set(&self->p, dest, pobj_super_uuid_lo(&self->p.s));
	core_set(&self->p, dest + 8, CORE_PAGE(self->g, 10));
	core_set(&self->p, dest + 16, pobj_super_uuid_lo(&self->p.s));
	core_set(&self->p, dest + 24, CORE_PAGE(self->g, 12));
	core_slot(&self->p, 0, 1, POBJ_M_ENTRY_FREE, 0, 0,
		  (u64[]){ pobj_ref(10, 0), dest }, 2);
	core_slot(&self->p, 0, 2, POBJ_M_ENTRY_FREE, 0, 0,
		  (u64[]){ pobj_ref(12, POBJ_M_REF_LARGE), dest + 16 }, 2);
	core_slot(&self->p, 0, 3, UNDO, 2, 0,
		  (u64[]){ POBJ_M_TARGET_OBJECT | pobj_ref(10, 3), 0,
			   pobj_geom_line(self->g, 14), 0 }, 4);
	core_set(&self->p, pobj_geom_line(self->g, 14) + 16, 256);
	core_set(&self->p, pobj_geom_line(self->g, 14),
		 pobj_line_header(POBJ_M_LARGE, 0, 0, 1));
	self->t = CORE_PAGE(self->g, 5);
	undo_entry(self, 1, 1, 20);
	core_set32(&self->p, 4096 + 700, 1);
}

static bool all_kinds_hold(SELF)
{
	const u64 line = pobj_geom_line(self->g, 10), dest = CORE_PAGE(self->g, 2);

	return words_are(self, 20, true) && core_get(&self->p, line + 16) == 0xb &&
	       core_get(&self->p, line + 24) == 0x9 && !core_get(&self->p, dest) &&
	       !core_get(&self->p, dest + 8) && !core_get(&self->p, dest + 16) &&
	       !core_get(&self->p, dest + 24) &&
	       !core_get(&self->p, pobj_geom_line(self->g, 12)) &&
	       !core_get(&self->p, pobj_geom_line(self->g, 14)) && !core_problems(&self->p);
}

TEST_F(recover, all_kinds_at_once)
{
	all_kinds(self);
	ASSERT_TRUE(ends(self, 0));
	EXPECT_EQ(2, self->r.redone);
	EXPECT_EQ(22, self->r.undone);
	EXPECT_EQ(4, self->r.live);
	EXPECT_EQ(1, self->r.repaired);
	EXPECT_TRUE(all_kinds_hold(self));
	EXPECT_TRUE(settled(self));
}

/* R1: of all that is only when every lane is verified. */
TEST_F(recover, all_kinds_and_another_lane_refused)
{
	all_kinds(self);
	core_slot(&self->p, 1, 1, 77, 1, 0, NULL, 0);
	EXPECT_TRUE(ends(self, -EUCLEAN));
}

/* Each read fails in turn, alone: who went on with what was not read would not be stopped. */
TEST_F(recover, unreadable_once)
{
	u64 n, total;
	int err;

	all_kinds(self);
	core_reads = 0;
	ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f));
	total = core_reads;
	ASSERT_GT(total, 80);
	for (n = 1; n <= total; n++) {
		all_kinds(self);
		core_reads = 0;
		core_read_fail_once = n;
		err = core_recover(&self->p, &self->r, &self->f);
		core_read_fail_once = 0;
		/*
		 * Of the superblock the damaged copy tells more than one that cannot be read, and
		 * what cannot be read is not repaired.
		 */
		EXPECT_TRUE(n == 1 ? err == -EUCLEAN : err == -EIO ||
			    (!err && (n == 2 || n > total - 32)))
			TH_LOG("read %llu of %llu: %d", (unsigned long long)n,
			       (unsigned long long)total, err);
		ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f));
		ASSERT_TRUE(all_kinds_hold(self));
	}
}

/* Each fence fails in turn, alone: recovery ends there, stores no more, and can be repeated. */
TEST_F(recover, nothing_is_stored_behind_a_failed_fence)
{
	u64 n, total;

	core_at_failure = core_alloc(BYTES);
	all_kinds(self);
	core_fences = 0;
	ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f));
	total = core_fences;
	ASSERT_EQ(4, total);
	for (n = 1; n <= total; n++) {
		all_kinds(self);
		core_fences = 0;
		core_fence_fail = n;
		EXPECT_EQ(-EIO, core_recover(&self->p, &self->r, &self->f))
			TH_LOG("fence %llu", (unsigned long long)n);
		core_fence_fail = 0;
		EXPECT_EQ(n, core_fences);
		EXPECT_EQ(0, memcmp(core_at_failure, self->p.mem, BYTES));
		ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f));
		ASSERT_TRUE(all_kinds_hold(self));
	}
	free(core_at_failure);
}

/* Ids that a free must leave alone, and those of which only a half was nulled. */
TEST_F(recover, ids_of_others_stay)
{
	const u64 ours = pobj_super_uuid_lo(&self->p.s), off = CORE_PAGE(self->g, 10);
	const u64 dest = CORE_PAGE(self->g, 2);
	const struct {
		u64 uuid, off;
		bool nulled;
	} id[] = {
		{ ours, off, true }, { 0, off, true }, { ours, 0, true }, { 0, 0, true },
		{ ours + 1, off, false },		/* another pool's, at the same offset */
		{ ours + 1, 0, false },
		{ ours, off + 64, false },		/* another object's */
		{ 0, off + 64, false }, { ours + 1, off + 64, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(id); i++) {
		core_pool_free(&self->p);
		core_pool_make(&self->p, BYTES, 8, 2, 2);
		core_set(&self->p, pobj_geom_line(self->g, 10),
			 pobj_line_header(POBJ_M_SLAB, 0, 4, 64));
		core_set(&self->p, pobj_geom_line(self->g, 10) + 16, 3);
		core_set(&self->p, dest, id[i].uuid);
		core_set(&self->p, dest + 8, id[i].off);
		core_slot(&self->p, 0, 1, POBJ_M_ENTRY_FREE, 0, 0,
			  (u64[]){ pobj_ref(10, 0), dest }, 2);
		ASSERT_TRUE(ends(self, 0));
		EXPECT_EQ(id[i].nulled ? 0 : id[i].uuid, core_get(&self->p, dest))
			TH_LOG("id %zu", i);
		EXPECT_EQ(id[i].nulled ? 0 : id[i].off, core_get(&self->p, dest + 8));
		EXPECT_EQ(1, core_get(&self->p, pobj_geom_line(self->g, 10) + 24));
		EXPECT_TRUE(settled(self));
	}
}

/* Of a free whose object no more exists, an id with offset 0 is not the object's. */
TEST_F(recover, free_of_what_is_gone)
{
	const u64 ours = pobj_super_uuid_lo(&self->p.s), dest = CORE_PAGE(self->g, 2);

	core_set(&self->p, dest, ours + 1);
	core_set(&self->p, dest + 8, 0);
	core_slot(&self->p, 0, 1, POBJ_M_ENTRY_FREE, 0, 0, (u64[]){ pobj_ref(10, 3), dest }, 2);
	ASSERT_TRUE(ends(self, 0));
	EXPECT_EQ(ours + 1, core_get(&self->p, dest));
	EXPECT_EQ(1, self->r.redone);
	EXPECT_TRUE(settled(self));
}

/* Frees of what is no object; and of one whose id stood where a log is now. */
TEST_F(recover, objects_that_cannot_be_freed)
{
	u64 word[2] = { pobj_ref(10, 4), CORE_PAGE(self->g, 2) };

	core_set(&self->p, pobj_geom_line(self->g, 10),
		 pobj_line_header(POBJ_M_SLAB, 0, 4, 64));
	core_set(&self->p, pobj_geom_line(self->g, 10) + 16, 3);
	core_slot(&self->p, 0, 1, POBJ_M_ENTRY_FREE, 0, 0, word, 2);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	EXPECT_EQ(POBJ_DIAG_LANE_TARGET, self->f.diag);
	word[0] = pobj_ref(self->g->page_cnt, 0);
	core_slot(&self->p, 0, 1, POBJ_M_ENTRY_FREE, 0, 0, word, 2);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	chunks(self, 1, 1);
	word[0] = pobj_ref(10, 1);
	word[1] = CORE_PAGE(self->g, 21) + 64;
	core_slot(&self->p, 0, 1, POBJ_M_ENTRY_FREE, 0, 0, word, 2);
	EXPECT_TRUE(ends(self, 0));
	EXPECT_EQ(1, self->r.redone);
	EXPECT_EQ(2, core_get(&self->p, pobj_geom_line(self->g, 10) + 24));
}

/* Large objects are undone by their header word: by name they are refused. */
TEST_F(recover, objects_that_cannot_be_undone)
{
	u64 word[2] = { POBJ_M_TARGET_OBJECT | pobj_ref(10, POBJ_M_REF_LARGE), 1 };

	core_set(&self->p, pobj_geom_line(self->g, 10) + 16, 256);
	core_set(&self->p, pobj_geom_line(self->g, 10),
		 pobj_line_header(POBJ_M_LARGE, 0, 0, 1));
	core_slot(&self->p, 0, 1, UNDO, 1, 0, word, 2);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	word[1] = 0;
	core_slot(&self->p, 0, 1, UNDO, 1, 0, word, 2);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	/* No such object; a state that is neither. */
	core_set(&self->p, pobj_geom_line(self->g, 10),
		 pobj_line_header(POBJ_M_SLAB, 0, 4, 64));
	word[0] = POBJ_M_TARGET_OBJECT | pobj_ref(10, 4);
	core_slot(&self->p, 0, 1, UNDO, 1, 0, word, 2);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	core_set(&self->p, pobj_geom_line(self->g, 10) + 16, 0);
	word[0] = POBJ_M_TARGET_OBJECT | pobj_ref(10, 3);
	word[1] = 2;
	core_slot(&self->p, 0, 1, UNDO, 1, 0, word, 2);
	EXPECT_TRUE(ends(self, -EUCLEAN));
	word[1] = 1;
	core_slot(&self->p, 0, 1, UNDO, 1, 0, word, 2);
	EXPECT_TRUE(ends(self, 0));
	EXPECT_EQ(8, core_get(&self->p, pobj_geom_line(self->g, 10) + 24));
	/* Its slab never came to be: nothing is put back, nowhere. */
	core_pool_free(&self->p);
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	core_slot(&self->p, 0, 1, UNDO, 1, 0, word, 2);
	memcpy(self->image, self->p.mem, BYTES);
	ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f));
	memcpy(self->image + pobj_geom_slot(self->g, 0, 2),
	       self->p.mem + pobj_geom_slot(self->g, 0, 2), POBJ_M_LINE);
	EXPECT_EQ(0, memcmp(self->image, self->p.mem, BYTES));
}

/* A place that cannot be read is told as such, and before anything is changed. */
TEST_F(recover, unreadable_places)
{
	u64 off;
	int err;

	core_pool_free(&self->p);
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	chunks(self, 1, 2);
	undo_entry(self, 0, 1, 9);
	undo_entry(self, 1, 1, 20);
	memcpy(self->image, self->p.mem, BYTES);
	for (off = 8192; off < BYTES; off += 64) {
		memcpy(self->p.mem, self->image, BYTES);
		core_read_bad_off = off;
		err = core_recover(&self->p, &self->r, &self->f);
		core_read_bad_off = ~0ULL;
		if (!err)
			continue;
		EXPECT_EQ(-EIO, err)
			TH_LOG("offset %llx", (unsigned long long)off);
		EXPECT_EQ(POBJ_DIAG_MEDIA, self->f.diag);
		EXPECT_EQ(0, memcmp(self->image, self->p.mem, BYTES))
			TH_LOG("offset %llx: changed", (unsigned long long)off);
		memcpy(self->p.mem, self->image, BYTES);
	}
}

TEST_F(recover, one_lane_only)
{
	struct pobj_recovery r = { 0 };

	undo_entry(self, 0, 1, 3);
	self->t += 512;
	undo_entry(self, 1, 1, 3);
	ASSERT_EQ(0, pobj_recover_lane(&self->p.m, &self->p.s, 1, &r, &self->f));
	EXPECT_TRUE(words_are(self, 3, true));
	self->t -= 512;
	EXPECT_TRUE(words_are(self, 3, false));
	EXPECT_EQ(1, r.lanes);
	EXPECT_EQ(3, r.undone);
	ASSERT_EQ(0, pobj_recover_lane(&self->p.m, &self->p.s, 1, &r, &self->f));
	EXPECT_EQ(3, r.undone);
	EXPECT_EQ(1, r.live);
}

TEST_F(recover, superblock_copy_is_repaired)
{
	memcpy(self->image, self->p.mem, BYTES);
	self->p.mem[4096 + 700] ^= 1;
	ASSERT_EQ(0, core_recover(&self->p, &self->r, &self->f));
	EXPECT_EQ(1, self->r.repaired);
	EXPECT_EQ(0, memcmp(self->image, self->p.mem, BYTES));
	EXPECT_TRUE(settled(self));
	EXPECT_EQ(0, self->r.repaired);
}

TEST_HARNESS_MAIN
