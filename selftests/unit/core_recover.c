// SPDX-License-Identifier: BSD-3-Clause
/*
 * lib/core/recover.c on images made by hand: words that are undone, what never began, targets that
 * are refused; that all is verified before anything is done; and the copy of the superblock.
 */
#include "core_recover.h"

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
