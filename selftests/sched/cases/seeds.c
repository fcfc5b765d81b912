// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bugs that are seeded, to see that they are found: a store of the protocol that is lost, or
 * changed, or made in two steps. By what it is for (lib/core/side.h), not by the line of code.
 */
#include "lib/core/side.h"
#include "selftests/sched/cases/seeds.h"

static u64 in_side(u64 off)
{
	return off - SCHED_SIDE_AT;
}

static bool is_lane_word(u64 off, u64 first, u64 bytes)
{
	const u64 in = in_side(off) - pool_side.lanes, at = in % sizeof(struct pobj_side_lane);

	return off >= SCHED_SIDE_AT + pool_side.lanes && off < SCHED_SIDE_AT + pool_side.holds &&
	       at >= first && at < first + bytes;
}

static bool is_group_word(u64 off, u64 at)
{
	return off >= SCHED_SIDE_AT + pool_side.groups && off < SCHED_SIDE_AT + pool_side.pages &&
	       (in_side(off) - pool_side.groups) % sizeof(struct pobj_side_group) == at;
}

static bool is_page_word(u64 off, u64 first, u64 bytes)
{
	const u64 in = in_side(off) - pool_side.pages, at = in % sizeof(struct pobj_side_page);

	return off >= SCHED_SIDE_AT + pool_side.pages && off < SCHED_LOCKS_AT &&
	       at >= first && at < first + bytes;
}

/* Word F of an object's state. */
static bool is_state_f(u64 off)
{
	const struct pobj_geom *g = &sched_handle(SCHED_REAPER)->super.geom;
	const u64 at = (off - g->line_off) % POBJ_M_LINE;

	return off >= g->line_off && off < g->data_off &&
	       at >= offsetof(struct pobj_m_line, slab) &&
	       (at - offsetof(struct pobj_m_line, slab)) % 16 == 8;
}

/* ---- the seeds ---------------------------------------------------------------------------- */

static bool no_intent(u64 off, u64 *v)
{
	(void)v;
	return !is_lane_word(off, offsetof(struct pobj_side_lane, intent_page), sizeof(u64));
}

static bool no_ring(u64 off, u64 *v)
{
	(void)v;
	return !is_lane_word(off, offsetof(struct pobj_side_lane, ring),
			     POBJ_RING_CNT * sizeof(u64));
}

static bool no_holds(u64 off, u64 *v)
{
	(void)v;
	return !is_lane_word(off, offsetof(struct pobj_side_lane, hold_cnt), sizeof(u64));
}

static bool no_room(u64 off, u64 *v)
{
	(void)v;
	return !is_group_word(off, offsetof(struct pobj_side_group, room));
}

static bool no_reserved(u64 off, u64 *v)
{
	(void)v;
	return !is_page_word(off, offsetof(struct pobj_side_page, reserved_a),
			     POBJ_M_SLAB_PAIRS * sizeof(u64));
}

static bool split_owned(u64 off)
{
	return is_group_word(off, offsetof(struct pobj_side_group, owned));
}

static bool split_room(u64 off)
{
	return is_group_word(off, offsetof(struct pobj_side_group, room));
}

const struct seed seeds[] = {
	{ { "no ring", no_ring, NULL, NULL }, "alloc_refills", "free_remote" },
	{ { "no intent", no_intent, NULL, NULL }, "alloc_in_new_slab", "alloc_small" },
	{ { "no holds", no_holds, NULL, NULL }, "publish_frees", "alloc_small" },
	{ { "hints that are not set", no_room, NULL, NULL }, "free_in_full_slab", "alloc_adopts" },
	{ { "reservations that nobody sees", no_reserved, NULL, NULL },
	  "reserve_alloc_publish", "alloc_small" },
	{ { "state by plain stores", NULL, NULL, is_state_f }, "free_unowned", "free_unowned" },
	{ { "owned bits by plain stores", NULL, NULL, split_owned },
	  "alloc_adopts", "alloc_adopts" },
	{ { "hints by plain stores", NULL, NULL, split_room }, "alloc_adopts", "alloc_adopts" },
};

const u32 seed_cnt = ARRAY_SIZE(seeds);
