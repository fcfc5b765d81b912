// SPDX-License-Identifier: BSD-3-Clause
/* Recovery of a log that goes on in chunks: chains that are broken, circular, or lead astray. */
#include "core_recover.h"

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

TEST_HARNESS_MAIN
