// SPDX-License-Identifier: BSD-3-Clause
/*
 * Actions: reserve objects, say what else shall change, and publish all of it at once.
 *
 * A reservation is volatile: two words for 64 objects in the sidecar, one that the owner of
 * the slab stores and one that everybody else toggles (lib/core/side.h V2, V4, V5), as with
 * the state on the medium. So one thread may reserve, and another publish or cancel. It
 * belongs to the session: no process but ours touches the slab until it is published,
 * cancelled, or the session ends.
 */
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "libpmemobj/action_base.h"

enum kind { KIND_RESERVED = 1, KIND_FREE, KIND_SET };

/**
 * struct action - what is in a struct pobj_action
 * @type, @pad: as in the public one
 * @off, @usable: public, too
 * @ref, @pages: the object
 * @kind: enum kind
 * @value: of the word at @off
 */
struct action {
	u32 type;
	u32 pad[3];
	u64 off;
	u64 usable;
	u64 ref;
	u64 pages;
	u64 kind;
	u64 value;
};

_Static_assert(sizeof(struct action) <= sizeof(struct pobj_action), "an action fits");
_Static_assert(offsetof(struct action, off) == offsetof(struct pobj_action, heap.offset),
	       "public offset");
_Static_assert(offsetof(struct action, usable) == offsetof(struct pobj_action, heap.usable_size),
	       "public size");

/* ---- reservations ------------------------------------------------------------------------ */

/* The object of a reservation, for the lane at hand. False: spans overlap, by damaged lines. */
static inline bool action_spot(const struct pobj_tlane *tl, struct pobj_heap *h,
			       const struct action *a, struct pobj_spot *spot)
{
	spot->page = pobj_ref_page(a->ref);
	spot->off = a->off;
	spot->size = a->usable;
	spot->pages = a->pages;
	spot->line = pobj_heap_line(h, spot->page);
	spot->idx = pobj_ref_idx(a->ref);
	spot->slab = NULL;
	spot->root = false;
	if (!pobj_spot_is_large(spot) &&
	    __atomic_load_n(&h->pages[spot->page].owner, __ATOMIC_ACQUIRE) == tl->log.lane + 1) {
		spot->slab = pobj_own_slab(h, tl, spot->page);
		return spot->slab;
	}
	return true;
}

/* Mark as reserved, or no more. The owner of the slab: plainly; others: LOCKed. */
static inline void reserved_toggle(struct pobj_heap *h, u64 page, u32 idx, bool owner)
{
	struct pobj_side_page *side = &h->pages[page];
	const u64 bit = 1ULL << idx % 64;
	u64 *a = &side->reserved_a[idx / 64];

	if (owner)
		__atomic_store_n(a, *a ^ bit, __ATOMIC_RELEASE);
	else
		__atomic_fetch_xor(&side->reserved_b[idx / 64], bit, __ATOMIC_ACQ_REL);
}

/* Reserved no more. @slab: the lane's own, or NULL. */
static inline void reserved_end(struct pobj_tlane *tl, u64 ref, struct pobj_slab *slab)
{
	reserved_toggle(tl->p->heap, pobj_ref_page(ref), pobj_ref_idx(ref), slab);
	if (slab && POBJ_UNLIKELY(!slab->set))
		pobj_slabs_aside_give_up(tl);
}

PMEMoid pmemobj_xreserve(PMEMobjpool *pop, struct pobj_action *act, size_t size,
			 uint64_t type_num, uint64_t flags)
{
	struct pobj_tlane *tl = pobj_tlane_of(pop);
	struct action *a = (struct action *)act;
	PMEMoid oid = { 0, 0 };
	struct pobj_spot spot;
	int err;

	if (POBJ_UNLIKELY(!tl))
		return oid;
	if (POBJ_UNLIKELY(!size || (flags & ~POBJ_XALLOC_ZERO))) {
		pobj_err(-EINVAL, "%s: an object of %zu bytes with flags 0x%llx", tl->p->path,
			 size, (unsigned long long)flags);
		return oid;
	}
	err = pobj_take(tl, size, type_num, true, &spot);
	if (POBJ_UNLIKELY(err)) {
		pobj_take_failed(tl->p, size, err);
		return oid;
	}
	if (flags & POBJ_XALLOC_ZERO)
		pobj_persist_set(&tl->p->media, pobj_media_ptr(&tl->p->media, spot.off), 0,
				 spot.size, 0);
	/* Another thread may publish it, whose fences do not cover what this one flushed. */
	if ((flags & POBJ_XALLOC_ZERO) || pobj_spot_is_large(&spot) || spot.slab->mixed) {
		err = pobj_fence(&tl->p->media);
		if (err) {
			pobj_take_failed(tl->p, size, pobj_heap_broken(tl->p, err));
			return oid;
		}
	}
	if (!pobj_spot_is_large(&spot)) {
		reserved_toggle(tl->p->heap, spot.page, spot.idx, spot.slab);
		pobj_slab_settle(spot.slab, spot.idx, false);
	}
	a->type = POBJ_ACTION_TYPE_HEAP;
	a->off = spot.off;
	a->usable = spot.size;
	a->ref = pobj_spot_ref(&spot);
	a->pages = spot.pages;
	a->kind = KIND_RESERVED;
	oid.pool_uuid_lo = tl->p->uuid_lo;
	oid.off = spot.off;
	return oid;
}

PMEMoid pmemobj_reserve(PMEMobjpool *pop, struct pobj_action *act, size_t size, uint64_t type_num)
{
	return pmemobj_xreserve(pop, act, size, type_num, 0);
}

/* ---- what else shall change -------------------------------------------------------------- */

void pmemobj_defer_free(PMEMobjpool *pop, PMEMoid oid, struct pobj_action *act)
{
	struct action *a = (struct action *)act;

	(void)pop;
	a->type = POBJ_ACTION_TYPE_HEAP;
	a->off = oid.off;
	a->kind = KIND_FREE;
}

void pmemobj_set_value(PMEMobjpool *pop, struct pobj_action *act, uint64_t *ptr, uint64_t value)
{
	struct action *a = (struct action *)act;

	a->type = POBJ_ACTION_TYPE_MEM;
	a->off = (u64)((char *)ptr - (char *)pop);
	a->kind = KIND_SET;
	a->value = value;
}

/* ---- publish and cancel ------------------------------------------------------------------ */

static int action_bad(const struct pobj_tlane *tl, const struct action *a)
{
	return pobj_err(-EINVAL,
			"%s: an action names no object or word of the pool (offset 0x%llx)",
			tl->p->path, (unsigned long long)a->off);
}

/* Add an action to the operation. 0 or -EINVAL with a message. */
static int action_add(struct pobj_op *op, const struct action *a)
{
	struct pobj_tlane *tl = op->tl;
	struct pobj_heap *h = tl->p->heap;
	struct pobj_spot spot;

	switch (a->kind) {
	case KIND_RESERVED:
		if (!action_spot(tl, h, a, &spot))
			break;
		pobj_op_alloc(op, &spot, 0);
		return 0;
	case KIND_FREE:
		if (pobj_object_at(h, tl, a->off, &spot) || spot.root)
			break;
		pobj_op_free(op, &spot);
		return 0;
	case KIND_SET:
		if (!pobj_word_ok(h, a->off))
			break;
		pobj_op_word(op, a->off, a->value);
		return 0;
	}
	return action_bad(tl, a);
}

/* What was reserved is so no more. */
static inline void action_settle(struct pobj_tlane *tl, const struct action *a)
{
	struct pobj_spot spot;

	if (a->kind != KIND_RESERVED || !action_spot(tl, tl->p->heap, a, &spot))
		return;
	if (pobj_spot_is_large(&spot))
		pobj_large_settle(tl, &spot);
	else
		reserved_end(tl, a->ref, spot.slab);
}

/*
 * The commonest: a few actions, on small objects and words. 0; -errno; 1: not of that kind, nothing
 * was done.
 */
static int publish_few(struct pobj_tlane *tl, const struct pobj_action *actv, size_t cnt)
{
	struct pobj_heap *h = tl->p->heap;
	const struct action *a;
	struct pobj_step s[POBJ_M_PAIRS];
	struct pobj_spot spot;
	bool aside = false;
	size_t i;
	int err;

	for (i = 0; i < cnt; i++) {
		a = (const struct action *)&actv[i];
		if (a->kind == KIND_SET) {
			if (!pobj_word_ok(h, a->off))
				return 1;
			s[i].target = a->off;
			s[i].value = a->value;
			s[i].at = pobj_media_ptr(&h->media, a->off);
			s[i].kind = POBJ_STEP_WORD;
			continue;
		}
		if (a->kind != KIND_RESERVED || pobj_ref_idx(a->ref) == POBJ_M_REF_LARGE)
			return 1;
		if (POBJ_UNLIKELY(!action_spot(tl, h, a, &spot)))
			return 1;
		pobj_spot_step(&spot, false, &s[i]);
		aside |= spot.slab && !spot.slab->set;
	}
	if (cnt > 1 && s[0].at == s[cnt - 1].at)
		return 1;
	if (cnt == 1 && s[0].kind != POBJ_STEP_WORD)
		err = pobj_lane_publish_step(&tl->log, s, pobj_ref_page(a->ref));
	else
		err = pobj_lane_apply(&tl->log, s, (u32)cnt);
	if (err)
		return pobj_heap_broken(tl->p, err);
	for (i = 0; i < cnt; i++) {
		a = (const struct action *)&actv[i];
		if (s[i].kind != POBJ_STEP_WORD)
			reserved_toggle(h, pobj_ref_page(a->ref), pobj_ref_idx(a->ref),
					s[i].kind == POBJ_STEP_A);
	}
	if (POBJ_UNLIKELY(aside))
		pobj_slabs_aside_give_up(tl);
	return 0;
}

int pmemobj_publish(PMEMobjpool *pop, struct pobj_action *actv, size_t actvcnt)
{
	struct pobj_tlane *tl = pobj_tlane_of(pop);
	struct pobj_op op;
	size_t i;
	int err = 0;

	if (POBJ_UNLIKELY(!tl))
		return -1;
	if (actvcnt - 1 < POBJ_M_PAIRS) {
		err = publish_few(tl, actv, actvcnt);
		if (err < 0)
			pobj_take_failed(tl->p, 0, err);
		if (err <= 0)
			return err ? -1 : 0;
		err = 0;
	}
	pobj_op_begin(&op, tl);
	for (i = 0; i < actvcnt && !err; i++)
		err = action_add(&op, (const struct action *)&actv[i]);
	if (err) {
		pobj_op_drop(&op);
		errno = -err;
		return -1;
	}
	err = pobj_op_commit(&op);
	if (err) {
		pobj_take_failed(tl->p, 0, err);
		return -1;
	}
	for (i = 0; i < actvcnt; i++)
		action_settle(tl, (const struct action *)&actv[i]);
	return 0;
}

void pmemobj_cancel(PMEMobjpool *pop, struct pobj_action *actv, size_t actvcnt)
{
	struct pobj_tlane *tl = pobj_tlane_of(pop);
	const struct action *a;
	struct pobj_spot spot;
	size_t i;

	for (i = 0; tl && i < actvcnt; i++) {
		a = (const struct action *)&actv[i];
		if (a->kind != KIND_RESERVED || !action_spot(tl, tl->p->heap, a, &spot))
			continue;
		if (pobj_spot_is_large(&spot)) {
			pobj_large_cancel(tl, &spot);
			continue;
		}
		if (spot.slab)
			spot.slab->avail[spot.idx / 64] |= 1ULL << spot.idx % 64;
		/* Nobody need be told: the owner of the slab looks himself. */
		reserved_end(tl, a->ref, spot.slab);
	}
}
