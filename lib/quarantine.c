// SPDX-License-Identifier: BSD-3-Clause
/*
 * Objects that are free by their state, and must not be handed out yet: a log entry that would free
 * them once more, or take their freeing back, is still live (rule V3; lib/core/change.c P11).
 *
 * A lane's ring has those freed by entries of their own, three at most; its holds those that its
 * operation in flight frees. Everybody who looks for free objects reads all of them.
 */
#include "lib/heap.h"

/* What stands at place @i of the ring is retired for good. */
static void ring_drop(struct pobj_tlane *tl, u32 i)
{
	const u64 ref = tl->side->ring[i] - 1;
	const u64 pages = tl->side->ring_pages[i];

	/* Pages first: until they are given back the ring covers them. */
	if (pages)
		pobj_span_give(tl->p->heap, tl->side, pobj_ref_page(ref), pages);
	pobj_side_store(&tl->side->ring[i], 0);
	pobj_side_store(&tl->side->ring_pages[i], 0);
	pobj_side_store(&tl->side->frees, tl->side->frees + 1);
}

int pobj_ring_retire(struct pobj_tlane *tl)
{
	int err = pobj_lane_retire(&tl->log);
	u32 i;

	for (i = 0; !err && i < POBJ_RING_CNT; i++) {
		if (tl->side->ring[i])
			ring_drop(tl, i);
	}
	return err;
}

static void mask_one(u64 entry, u64 page, u64 bits[POBJ_M_SLAB_PAIRS])
{
	const u32 idx = pobj_ref_idx(entry - 1);

	if (entry && pobj_ref_page(entry - 1) == page && idx < POBJ_M_SLAB_PAIRS * 64)
		bits[idx / 64] &= ~(1ULL << idx % 64);
}

void pobj_ring_mask(const struct pobj_tlane *tl, u64 page, u64 bits[POBJ_M_SLAB_PAIRS])
{
	u32 i;

	for (i = 0; i < POBJ_RING_CNT; i++)
		mask_one(tl->side->ring[i], page, bits);
}

void pobj_quarantine_mask(const struct pobj_heap *h, u64 page, u64 bits[POBJ_M_SLAB_PAIRS],
			  const struct pobj_tlane *but)
{
	const u32 lanes = pobj_heap_lanes(h);
	const struct pobj_side_lane *l;
	const u64 *holds;
	u64 i, cnt, ref;
	u32 lane;

	for (lane = 1; lane < lanes; lane++) {
		l = &h->lanes[lane];
		if ((but && but->side == l) || pobj_weak(POBJ_WEAK_QUARANTINE))
			continue;
		for (i = 0; i < POBJ_RING_CNT; i++)
			mask_one(pobj_side_load(&l->ring[i]), page, bits);
		holds = h->holds + (u64)lane * POBJ_HOLD_CNT;
		cnt = pobj_side_load(&l->hold_cnt);
		for (i = 0; i < cnt; i++) {
			ref = pobj_side_load(&holds[i]);
			mask_one(ref, page, bits);
			if (ref && pobj_ref_idx(ref - 1) == POBJ_M_REF_LARGE)
				i++;		/* followed by its pages */
		}
	}
}
