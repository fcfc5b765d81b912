// SPDX-License-Identifier: BSD-3-Clause
/* Recovery of objects: which are freed, with which ids, which are undone, and which are refused. */
#include "core_recover.h"

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

TEST_HARNESS_MAIN
