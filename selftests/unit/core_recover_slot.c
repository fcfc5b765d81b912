// SPDX-License-Identifier: BSD-3-Clause
/*
 * The reading half of lib/core/lane.c, as recovery uses it: slots that are torn or damaged, heads
 * that cannot be, sequences with holes, and the first and last ones.
 */
#include "core_recover.h"

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

TEST_HARNESS_MAIN
