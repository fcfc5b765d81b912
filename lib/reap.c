// SPDX-License-Identifier: BSD-3-Clause
/*
 * Reaping: what a process that died left half-done is finished or undone, and what it had is given
 * back, while others go on. Session.c sees to it that there is one reaper at a time for a session,
 * and that the dead store no more. May be cut off at any point and repeated.
 *
 * In this order, steps 1 and 2 for all lanes of the session, then the others:
 * one lane's log may change the state of what another one owns, as when a thread publishes what
 * another has reserved.
 *	1. recover its log. Memory is ahead of the medium, so the slots are flushed first, then what
 *	   they undo or repeat (lib/core/recover.c). Toggles go to word F: a slab may have an owner
 *	2. flush the lines of the slabs it owned, and fence: their words A may be ahead, too
 *	3. what it was giving or taking, its ring and holds: pages that nothing covers are free
 *	4. its reservations and slabs
 *	5. the lane itself
 * Until step 3 its ring keeps what it freed out of other hands; before that it counts (V10).
 *
 * What the dead were changing (destinations of their last operations, objects these name) is
 * nobody's until then. Who shares data shares a lock, and a lock is handed on after the reaping
 * (lib/locks.h); who opens a pool is let in after it (lib/session.c). Who has other ways to
 * know of a death calls pobj_pool_reap(). An operation that runs out of memory or lanes
 * reaps, too.
 */
#include "lib/core/recover.h"
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "lib/session.h"
#include "pobj.h"

/* Call @each for the head page of every span that @by owns. */
static void each_owned(struct pobj_heap *h, struct pobj_side_lane *by,
		       void (*each)(struct pobj_heap *h, struct pobj_side_lane *by, u64 page))
{
	const u64 owner = (u64)(by - h->lanes) + 1;
	u64 group, pages, page;

	for (group = 0; group < h->group_cnt; group++) {
		if (!pobj_side_load(&h->groups[group].map))
			continue;	/* nobody has pages of it */
		pages = pobj_side_load(&h->groups[group].owned) & POBJ_MAP_PAGES;
		for (; pages; pages &= pages - 1) {
			page = group * POBJ_GROUP_PAGES + (u64)__builtin_ctzll(pages);
			if (pobj_side_load(&h->pages[page].owner) == owner)
				each(h, by, page);
		}
	}
}

static void span_flush(struct pobj_heap *h, struct pobj_side_lane *by, u64 page)
{
	(void)by;
	pobj_flush(&h->media, pobj_heap_line(h, page), POBJ_M_LINE);
}

static void span_give_up(struct pobj_heap *h, struct pobj_side_lane *by, u64 page)
{
	struct pobj_line l;

	pobj_line_read(&h->media, h->g, page, &l);
	if (l.kind == POBJ_M_FREE || l.kind == POBJ_M_CONT) {
		/*
		 * Reserved, being made or being dissolved: the record says how many pages. Or owned
		 * by mistake, for an instant: then the record means nothing, so each is judged.
		 */
		pobj_span_reap(h, by, page, pobj_side_load(&h->pages[page].slot));
		return;
	}
	if (l.kind == POBJ_M_SLAB) {
		memset(h->pages[page].reserved_a, 0, sizeof(h->pages[page].reserved_a));
		memset(h->pages[page].reserved_b, 0, sizeof(h->pages[page].reserved_b));
	}
	pobj_span_disown(h, by, page);
}

/*
 * What the lane's ring and holds kept out of other hands. Of large ones the pages are given back;
 * of a slab it may not have been told that it has room.
 */
static void lists_empty(struct pobj_heap *h, struct pobj_side_lane *by)
{
	const u64 *holds = h->holds + (u64)(by - h->lanes) * POBJ_HOLD_CNT;
	u64 i, cnt = pobj_side_load(&by->hold_cnt), ref;

	for (i = 0; i < POBJ_RING_CNT; i++) {
		ref = pobj_side_load(&by->ring[i]);
		if (ref && pobj_side_load(&by->ring_pages[i]))
			pobj_span_settle(h, by, pobj_ref_page(ref - 1),
					 pobj_side_load(&by->ring_pages[i]));
		else if (ref)
			pobj_slab_hint(h, pobj_ref_page(ref - 1));	/* V7 */
		pobj_side_store(&by->ring[i], 0);
		pobj_side_store(&by->ring_pages[i], 0);
	}
	for (i = 0; i < cnt && i < POBJ_HOLD_CNT; i++) {
		ref = pobj_side_load(&holds[i]);
		if (ref && pobj_ref_idx(ref - 1) == POBJ_M_REF_LARGE && ++i < cnt)
			pobj_span_settle(h, by, pobj_ref_page(ref - 1), pobj_side_load(&holds[i]));
		else if (ref)
			pobj_slab_hint(h, pobj_ref_page(ref - 1));
	}
	pobj_side_store(&by->hold_cnt, 0);
}

void pobj_reap_spans(struct pobj_heap *h, struct pobj_side_lane *by)
{
	const u64 page = pobj_side_load(&by->intent_page);
	const u64 cnt = pobj_side_load(&by->intent_cnt);
	u64 i;

	if (page) {
		pobj_span_settle(h, by, page - 1, cnt);
		for (i = page - 1; i < page - 1 + cnt && i < h->g->page_cnt; i++)
			pobj_slab_hint(h, i);
		pobj_side_store(&by->intent_page, 0);
	}
	lists_empty(h, by);
	each_owned(h, by, span_give_up);
	pobj_side_store(&by->frees, by->frees + 1);
}

/*
 * Killed between the bit and the owner's word, or the other way round: the word says it. The owner
 * may be another lane of the session: one thread publishes what another reserved.
 */
static void owned_settle(struct pobj_heap *h, const struct pobj_side_lane *by)
{
	const u64 page = pobj_side_load(&by->intent_page);
	const u64 owner = page ? pobj_side_load(&h->pages[page - 1].owner) : 0;

	if (owner && owner <= h->g->lane_cnt &&
	    pobj_side_load(&h->lanes[owner - 1].session) == by->session)
		__atomic_fetch_or(&h->groups[(page - 1) / POBJ_GROUP_PAGES].owned,
				  1ULL << (page - 1) % POBJ_GROUP_PAGES, __ATOMIC_ACQ_REL);
}

/* Steps 1 and 2. */
static int lane_recover(struct pobj_pool *p, u32 lane)
{
	struct pobj_heap *h = p->heap;
	struct pobj_recovery r = { 0 };
	struct pobj_finding f = { 0 };
	int err;

	err = pobj_recover_lane(&p->media, &p->super, lane, &r, &f);		/* 1 */
	if (err)
		return pobj_err_finding(err, p->path, &f);
	owned_settle(h, &h->lanes[lane]);
	each_owned(h, &h->lanes[lane], span_flush);				/* 2 */
	err = pobj_fence(&h->media);
	if (err)
		return pobj_err_sys(pobj_heap_broken(p, err), "%s: a dead process' slabs",
				    p->path);
	return 0;
}

int pobj_reap_session(struct pobj_pool *p, u64 session)
{
	struct pobj_side_lane *lane = p->heap->lanes;
	const u32 lanes = pobj_heap_lanes(p->heap);
	int err = 0;
	u32 i;

	for (i = 1; i < lanes && !err; i++) {
		if (pobj_side_load(&lane[i].session) == session)
			err = lane_recover(p, i);
	}
	if (!err)
		__atomic_add_fetch(p->heap->reaps, 1, __ATOMIC_SEQ_CST);	/* V10 */
	for (i = 1; i < lanes && !err; i++) {
		if (pobj_side_load(&lane[i].session) != session)
			continue;
		pobj_reap_spans(p->heap, &lane[i]);				/* 3, 4 */
		pobj_side_store(&lane[i].session, 0);					/* 5, V9 */
	}
	return err;
}

/* ---- API --------------------------------------------------------------------------------- */

int pobj_pool_reap(PMEMobjpool *pop)
{
	struct pobj_pool *p = pobj_pool_of(pop);

	return p ? pobj_session_reap(p) : -EINVAL;
}
