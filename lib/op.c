// SPDX-License-Identifier: BSD-3-Clause
/*
 * Operations on several words and objects: put together from what the caller wants, then
 * made at once by the lane's log (lib/core/change.c P5; one word that says it all needs no
 * log, P14, P15).
 */
#include <stdlib.h>

#include "lib/heap.h"

/* An array of @size each that has room for one more; NULL: no memory. */
static void *more_room(void *array, const void *inline_array, size_t size, u32 cnt, u32 *room)
{
	void *more;

	if (cnt < *room)
		return array;
	if (array == inline_array) {
		more = malloc(size * *room * 4);
		if (more)
			memcpy(more, array, size * cnt);
	} else {
		more = realloc(array, size * *room * 4);
	}
	if (more)
		*room *= 4;
	return more;
}

struct pobj_step *pobj_op_more(struct pobj_op *op)
{
	struct pobj_step *more;

	more = more_room(op->step, op->step_inline, sizeof(*more), op->cnt, &op->room);
	if (!more) {
		op->err = -ENOMEM;
		return NULL;
	}
	op->step = more;
	return &op->step[op->cnt++];
}

void pobj_op_id(struct pobj_op *op, u64 off, PMEMoid oid)
{
	const __le64 *now = pobj_media_ptr(&op->tl->p->heap->media, off);

	/* P12: off, then uuid. What stays the same need not be logged. */
	if (le64_to_cpu(pobj_env_load64(now + 1)) != oid.off)
		pobj_op_word(op, off + offsetof(PMEMoid, off), oid.off);
	if (le64_to_cpu(pobj_env_load64(now)) != oid.pool_uuid_lo)
		pobj_op_word(op, off + offsetof(PMEMoid, pool_uuid_lo), oid.pool_uuid_lo);
}

void pobj_op_free(struct pobj_op *op, const struct pobj_spot *spot)
{
	struct pobj_heap *h = op->tl->p->heap;
	struct pobj_spot *more;
	struct pobj_step *s = pobj_op_step(op);

	if (!s)
		return;
	if (pobj_spot_is_large(spot)) {
		pobj_span_build(h, spot->page, spot->pages);	/* V8 */
		pobj_large_step(h, spot, 0, false, s);
	} else {
		pobj_spot_step(spot, true, s);
	}
	more = more_room(op->freed, op->freed_inline, sizeof(*more), op->freed_cnt,
			 &op->freed_room);
	if (!more) {
		op->err = -ENOMEM;
		return;
	}
	op->freed = more;
	op->freed[op->freed_cnt++] = *spot;
}

/* Make the lane's log hold the operation. 0; -ENOMEM; fence's errors. */
static int log_grow(struct pobj_op *op)
{
	struct pobj_tlane *tl = op->tl;
	struct pobj_heap *h = tl->p->heap;
	u64 page;
	int err = 0;

	if (op->cnt > POBJ_M_PACKED_MAX)
		return -ENOMEM;
	while (!err && pobj_lane_capacity(&tl->log) < op->cnt) {
		err = pobj_span_take_small(tl, 1, &page);
		if (err) {
			err = pobj_heap_squeeze(tl);
			err = err > 0 ? pobj_span_take_small(tl, 1, &page) :
			      err ? err : -ENOMEM;
		}
		if (err)
			break;
		err = pobj_lane_grow(&tl->log, page);
		if (err)
			return pobj_heap_broken(tl->p, err);
		pobj_span_disown(h, tl->side, page);
	}
	return err;
}

/* V3: what others might hand out while the operation is in flight. */
static void hold_freed(struct pobj_op *op)
{
	struct pobj_tlane *tl = op->tl;
	u64 cnt = 0;
	u32 i;

	for (i = 0; i < op->freed_cnt && cnt + 2 <= POBJ_HOLD_CNT; i++) {
		if (op->freed[i].slab)
			continue;		/* nobody but us hands out of it */
		pobj_side_store(&tl->holds[cnt++], pobj_spot_ref(&op->freed[i]) + 1);
		if (pobj_spot_is_large(&op->freed[i]))
			pobj_side_store(&tl->holds[cnt++], op->freed[i].pages);
	}
	if (cnt)
		pobj_side_store(&tl->side->hold_cnt, cnt);
}

static void release_freed(struct pobj_op *op)
{
	struct pobj_tlane *tl = op->tl;
	struct pobj_heap *h = tl->p->heap;
	const struct pobj_spot *f;
	u32 i;

	for (i = 0; i < op->freed_cnt; i++) {
		f = &op->freed[i];
		if (pobj_spot_is_large(f))
			pobj_span_give(h, tl->side, f->page, f->pages);
		else if (f->slab)
			f->slab->avail[f->idx / 64] |= 1ULL << f->idx % 64;
	}
	/* While the holds stand: if we die in between, the reaper does it (V7). */
	for (i = 0; i < op->freed_cnt; i++) {
		f = &op->freed[i];
		if (!pobj_spot_is_large(f) && !f->slab)
			pobj_slab_hint(h, f->page);
	}
	if (tl->side->hold_cnt)
		pobj_side_store(&tl->side->hold_cnt, 0);
	pobj_side_store(&tl->side->frees, tl->side->frees + 1);
}

/* Does one word say it all? Then all of it is in the first step. */
static inline bool op_is_one_word(struct pobj_op *op)
{
	u64 bits = 0;
	u32 i;

	if (op->freed_cnt || op->step[op->cnt - 1].at != op->step[0].at ||
	    (op->cnt > 1 && op->step[0].kind == POBJ_STEP_WORD))
		return false;
	for (i = 0; i < op->cnt; i++) {
		if (op->step[i].at != op->step[0].at)
			return false;
		bits |= op->step[i].value;
	}
	op->step[0].value = op->cnt > 1 ? bits : op->step[0].value;
	return true;
}

/* Page of the line in which the word lies, if it lies in one. */
static bool page_of_line(const struct pobj_heap *h, const __le64 *at, u64 *page)
{
	const u64 off = (u64)((const char *)at - (const char *)h->lines);

	*page = off / POBJ_M_LINE;
	return *page < h->g->page_cnt;
}

static int op_make(struct pobj_op *op)
{
	struct pobj_tlane *tl = op->tl;
	u64 page;
	int err;

	if (op_is_one_word(op) && page_of_line(tl->p->heap, op->step[0].at, &page))
		return pobj_lane_publish_step(&tl->log, &op->step[0], page);
	if (op->freed_cnt)
		hold_freed(op);
	err = pobj_lane_apply(&tl->log, op->step, op->cnt);
	if (!err && op->freed_cnt)
		release_freed(op);
	return err;
}

void pobj_op_drop(struct pobj_op *op)
{
	if (op->step != op->step_inline)
		free(op->step);
	if (op->freed != op->freed_inline)
		free(op->freed);
}

int pobj_op_commit(struct pobj_op *op)
{
	int err = op->err;

	if (!err && op->cnt > POBJ_M_PAIRS)
		err = log_grow(op);
	if (!err && op->cnt) {
		err = op_make(op);
		if (err)
			pobj_heap_broken(op->tl->p, err);
	}
	pobj_op_drop(op);
	return err;
}
