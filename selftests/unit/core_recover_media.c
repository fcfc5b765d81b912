// SPDX-License-Identifier: BSD-3-Clause
/*
 * Recovery of everything at once, and on media that fail: each read, fence and place in its turn.
 */
#include "core_recover.h"

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

TEST_HARNESS_MAIN
