// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bugs that are seeded, to see that they are found: a store of the protocol that is lost, or
 * changed, or made in two steps, or a load that comes too early. By what it is for
 * (lib/core/side.h), not by the line of code; or a rule of lib/core/weak.h.
 *
 * Not among them: "reserved" read after the state (V4). Only another thread of the session changes
 * what is reserved (V5), and threads of one process do not run at the same time here.
 */
#include "lib/core/side.h"
#include "lib/core/weak.h"
#include "lib/sidecar.h"
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

/* Words of objects' states. */
static bool is_state(u64 off)
{
	const struct pobj_geom *g = &sched_handle(SCHED_REAPER)->super.geom;
	const u64 at = (off - g->line_off) % POBJ_M_LINE;

	return off >= g->line_off && off < g->data_off && at >= offsetof(struct pobj_m_line, slab);
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

/* Word A is never changed in one step. */
static bool split_state(u64 off)
{
	return is_state(off);
}

static bool split_owned(u64 off)
{
	return is_group_word(off, offsetof(struct pobj_side_group, owned));
}

static bool split_room(u64 off)
{
	return is_group_word(off, offsetof(struct pobj_side_group, room));
}

/* V10: the reaper does not say that it is about to list no more what is allocated again. */
static bool no_count(u64 off, u64 *v)
{
	(void)v;
	return off != SCHED_SIDE_AT + offsetof(struct pobj_sidecar, reaps);
}

/* The next version is the same. */
static bool no_version(u64 off, u64 *v)
{
	const u64 bits = POBJ_MAP_BUILT | POBJ_MAP_PAGES;

	if (is_group_word(off, offsetof(struct pobj_side_group, map)))
		*v = (*v & bits) | (*(u64 *)sched_shared(0, off) & ~bits);
	return true;
}

/* V4: the lists are read before the state is, and believed until the process stores something. */
static struct look {
	bool begun;
	bool read;
	struct pobj_side_lane lane[POBJ_LANES_MAX];
} look[SCHED_PROCS];

static void looks_forget(void)
{
	u32 p;

	for (p = 0; p < SCHED_PROCS; p++)
		look[p].begun = false;
}

static bool look_ends(u64 off, u64 *v)
{
	(void)off;
	(void)v;
	look[sched_proc].begun = false;
	return true;
}

static void lists_read(u64 off)
{
	struct look *l = &look[sched_proc];

	if (is_page_word(off, offsetof(struct pobj_side_page, reserved_a),
			 2 * POBJ_M_SLAB_PAIRS * sizeof(u64))) {
		l->begun = true;
		l->read = false;
	} else if (is_state(off) && l->begun && !l->read) {
		memcpy(l->lane, sched_shared(0, SCHED_SIDE_AT + pool_side.lanes),
		       pool_lane_bytes());
		l->read = true;
	}
}

static u64 lists_as_read(u64 off, u64 v)
{
	const struct look *l = &look[sched_proc];

	if (!l->begun || !l->read || !is_lane_word(off, offsetof(struct pobj_side_lane, ring),
						   POBJ_RING_CNT * sizeof(u64)))
		return v;
	return *(u64 *)((u8 *)l->lane + (in_side(off) - pool_side.lanes));
}

#define LOST(name, store)	{ name, store, NULL, NULL, NULL, NULL }
#define SPLIT(name, split)	{ name, NULL, NULL, split, NULL, NULL }
#define WEAK(name)		{ name, NULL, NULL, NULL, NULL, NULL }

const struct seed seeds[] = {
	{ LOST("no ring", no_ring), "alloc_refills", "free_remote", 0, 0 },
	{ LOST("no intent", no_intent), "alloc_in_new_slab", "alloc_small", 0, 0 },
	{ LOST("no holds", no_holds), "publish_frees", "alloc_small", 0, 0 },
	{ LOST("hints that are not set", no_room), "free_in_full_slab", "alloc_adopts", 0, 0 },
	{ LOST("reservations that nobody sees", no_reserved),
	  "reserve_alloc_publish", "alloc_small", 0, 0 },
	{ SPLIT("state by plain stores", split_state), "free_unowned", "free_unowned", 0, 0 },
	{ SPLIT("owned bits by plain stores", split_owned),
	  "alloc_adopts", "alloc_adopts", 0, 0 },
	{ SPLIT("hints by plain stores", split_room), "alloc_adopts", "alloc_adopts", 0, 0 },
	{ LOST("reapings that are not counted", no_count),
	  "alloc_refills", "realloc_remote", 0, 0 },
	{ { "lists are read before the state", look_ends, lists_as_read, NULL, lists_read,
	    looks_forget }, "alloc_refills", "free_remote", 0, 0 },
	{ WEAK("a free is listed after its entry"),
	  "alloc_refills", "free_remote", POBJ_WEAK_RING, 0 },
	{ WEAK("freed by others and not retired, handed out"),
	  "alloc_refills", "free_remote", POBJ_WEAK_QUARANTINE, 0 },
	{ LOST("maps of one version", no_version),
	  "alloc_adopts_none", "reserve_again", 0, 3 },
};

const u32 seed_cnt = ARRAY_SIZE(seeds);
