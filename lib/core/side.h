/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * The sidecar: what the processes that use one pool share in DRAM, and a power cut may take. Areas,
 * in this order; untouched parts cost nothing:
 *
 *	head		identity, run id, pool lock			(lib/sidecar.h)
 *	sessions	one word for each slot: number of the session that lives there, or 0
 *	lanes		struct pobj_side_lane for each lane
 *	holds		for each lane, what its operation in flight frees
 *	groups		struct pobj_side_group for each POBJ_GROUP_PAGES pages
 *	pages		struct pobj_side_page for each page, used at the heads of owned spans
 *
 * All zero is a valid beginning: nobody owns anything, nothing is known of any page. Words are in
 * the machine's order: no other machine ever sees them.
 *
 * Who may store what (rules V1 to V10). "Owner" of a lane is the one thread that holds it;
 * of a span, the lane whose number + 1 is in @owner. All else reads. A store that several
 * may make is an atomic instruction. The reaper of a dead session acts as the owner of its
 * lanes, and there is one reaper at a time for a session.
 *
 * V1. Pages are taken by compare-and-swap of the group's @map. Before that the lane says in @intent
 *     which; after it the page lines say so (or the span is owned); then @intent is cleared. Giving
 *     back goes the same way in the other direction. So at any instant a page that is
 *     marked used is covered by a span's line, or by an owned span, or by the intent, ring
 *     or hold of a lane: what is covered by none was left by the dead, and is given back. A
 *     lane may speak for a page in vain: it wants to take what is not free any more. Who
 *     settles what the dead left cannot tell; he leaves the page and marks the group
 *     (POBJ_OWNED_DOUBT). Before saying ENOMEM such groups are settled once more.
 * V2. A span is owned by compare-and-swap of @owner from 0; the lane says in @intent which before,
 *     and sets the group's @owned bit after. Only the owner hands out objects of a slab, stores its
 *     words A, and stores @reserved_a.
 * V3. An object freed while others might hand it out is listed in the ring (or hold) of the
 *     lane that frees it before its state changes, and until the log entry that frees it is
 *     retired for good.
 * V4. Whoever looks for objects to hand out reads, in this order: reserved (a ^ b), state (A ^ F),
 *     rings and holds of all lanes. Each next one is changed before the former is (a publisher:
 *     state, then reserved) or covers it (a freer: ring, then state).
 * V5. A slab changes its owner only when none of its objects is reserved and none is being
 *     allocated. So reservations belong to the session whose lane owns the slab, and die
 *     with it.
 * V6. A slab is dissolved only by its owner, when no object of it is allocated, reserved or
 *     listed in a ring or hold; its header is 0 for good (a fence) before the pages are
 *     given back.
 * V7. @room and @types are hints: a bit that is set may be stale. A bit of @room that is clear says
 *     that no unowned slab of that key has room: who frees sets it after the state changed, who
 *     gives up a slab after @owner is 0, and who clears it looks once more after clearing
 *     it. For the first two the lane's ring, hold or intent stands until then: a reaper
 *     does it for the dead.
 * V8. @map is 0 until it is computed from the page lines, and is then set by compare-and-swap from
 *     0 once. Nobody allocates or frees pages of a group whose map is 0, so what two of
 *     them compute is the same.
 * V9. A lane's records are emptied before its @session is set to 0.
 * V10. V4 is made for what goes forward. The reaper may take a free back: then the object is
 *     allocated first, and listed no more after that; who read its state before and looks
 *     at the lists now takes it for free. So between the two the reaper counts (@reaps in
 *     the head), and whoever looks for objects to hand out, or for slabs that are empty,
 *     looks again if that moved since he began.
 */
#ifndef POBJ_CORE_SIDE_H
#define POBJ_CORE_SIDE_H

#include "lib/core/geom.h"

#define POBJ_SESSION_SLOTS	4096U

#define POBJ_GROUP_PAGES	32U	/* pages whose use one word tells */
#define POBJ_SECTION_GROUPS	16U	/* groups that are computed from the page lines at once */
#define POBJ_SECTION_PAGES	(POBJ_GROUP_PAGES * POBJ_SECTION_GROUPS)
#define POBJ_MAP_BUILT		(1ULL << 63)
#define POBJ_MAP_PAGES		0xffffffffULL
#define POBJ_MAP_VERSION	(1ULL << 32)	/* one step of it; 31 bits, wraps */

#define POBJ_OWNED_DOUBT	(1ULL << 63)	/* in @owned: see V1 */

#define POBJ_RING_CNT		4U	/* frees whose entries are not retired: three at most */
#define POBJ_HOLD_CNT		65536U	/* as many objects as one entry can name */

/**
 * struct pobj_side_lane - what others must know of a lane
 * @session: session whose lane it is, 0: nobody's
 * @intent_page: first page of the span that is changing hands, + 1; 0: none
 * @intent_cnt: its pages; stored before @intent_page
 * @frees: objects and spans freed so far: a failing search is repeated only after it rose
 * @ring: reference + 1 of objects freed, whose entries are not retired (V3); 0: none
 * @ring_pages: pages of a large one
 * @hold_cnt: how many of the lane's holds count
 *
 * Two lines, two records a pair of lines: neighbours do not disturb each other.
 */
struct pobj_side_lane {
	u64 session;
	u64 intent_page;
	u64 intent_cnt;
	u64 frees;
	u64 ring[POBJ_RING_CNT];
	u64 ring_pages[POBJ_RING_CNT];
	u64 hold_cnt;
	u64 reserved[3];
};

/**
 * struct pobj_side_group - POBJ_GROUP_PAGES pages
 * @map: 0, or POBJ_MAP_BUILT | version << 32 | a bit for each page in use. Each change has another
 *	version: who judged it by what he read elsewhere must notice any change since
 * @room: a bit for each (hashed) class and type: an unowned slab here may have room
 * @types: a bit for each (hashed) type: a span here may hold objects of it
 * @owned: a bit for each page: here begins a span that has an owner; POBJ_OWNED_DOUBT
 */
struct pobj_side_group {
	u64 map;
	u64 room;
	u64 types;
	u64 owned;
};

/**
 * struct pobj_side_page - the span that begins at a page
 * @owner: lane + 1, 0: nobody
 * @slot: for the owner's own use; pages of a reserved large object
 * @reserved_a: reserved objects, word of the owner (64 objects each)
 * @reserved_b: word of everybody else; reserved = a ^ b
 */
struct pobj_side_page {
	u64 owner;
	u64 slot;
	u64 reserved_a[POBJ_M_SLAB_PAIRS];
	u64 reserved_b[POBJ_M_SLAB_PAIRS];
};

/**
 * struct pobj_side - where the areas are, as offsets into the sidecar
 * @bytes: of all
 */
struct pobj_side {
	u64 sessions;
	u64 lanes;
	u64 holds;
	u64 groups;
	u64 pages;
	u64 bytes;
};

static inline u64 pobj_side_group_cnt(const struct pobj_geom *g)
{
	return (g->page_cnt + POBJ_GROUP_PAGES - 1) / POBJ_GROUP_PAGES;
}

static inline void pobj_side_layout(const struct pobj_geom *g, struct pobj_side *s)
{
	s->sessions = 4096;
	s->lanes = s->sessions + POBJ_SESSION_SLOTS * sizeof(u64);
	s->holds = s->lanes + (u64)POBJ_LANES_MAX * sizeof(struct pobj_side_lane);
	s->groups = s->holds + (u64)g->lane_cnt * POBJ_HOLD_CNT * sizeof(u64);
	s->pages = s->groups + pobj_side_group_cnt(g) * sizeof(struct pobj_side_group);
	s->pages = (s->pages + 4095) / 4096 * 4096;
	s->bytes = s->pages + g->page_cnt * sizeof(struct pobj_side_page);
}

#endif
