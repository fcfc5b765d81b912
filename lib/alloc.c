// SPDX-License-Identifier: BSD-3-Clause
/*
 * The atomic API: allocate, reallocate and free an object together with the id that names it.
 *
 * An id that lies in the pool of the object is logged with it. One elsewhere (on the stack, in
 * another pool) is written last: a crash before that leaves an object that iteration finds.
 *
 * A constructor works on an object that is taken and nobody's yet; it may call the library. What
 * it writes it persists, or leaves flushed: the first fence of the operation covers it. We
 * flush only what we wrote.
 */
#include <wchar.h>

#include "lib/errormsg.h"
#include "lib/heap.h"
#include "libpmemobj/atomic_base.h"
#include "pobj.h"

/* What an allocation shall be. */
struct wish {
	u64 size;
	u64 type;
	u64 flags;
	pmemobj_constr constructor;
	void *arg;
};

#define XALLOC_KNOWN	(POBJ_XALLOC_ZERO | POBJ_XALLOC_NO_FLUSH)

/* ---- common steps ------------------------------------------------------------------------ */

int pobj_take(struct pobj_tlane *tl, u64 size, u64 type, bool unlogged, struct pobj_spot *spot)
{
	spot->root = false;
	return size <= tl->p->heap->class_max ? pobj_slab_take(tl, size, type, unlogged, spot) :
					pobj_large_take(tl, size, type, spot);
}

void pobj_settle(struct pobj_tlane *tl, const struct pobj_spot *spot, bool back)
{
	if (!pobj_spot_is_large(spot))
		pobj_slab_settle(spot->slab, spot->idx, back);
	else if (back)
		pobj_large_cancel(tl, spot);
	else
		pobj_large_settle(tl, spot);
}

int pobj_take_failed(struct pobj_pool *p, u64 size, int err)
{
	if (err == -ENOMEM)
		return pobj_err(err, "%s: no room for an object of %llu bytes", p->path,
				(unsigned long long)size);
	return pobj_err_sys(err, "%s: an object cannot be written", p->path);
}

static void *spot_ptr(const struct pobj_tlane *tl, const struct pobj_spot *spot)
{
	return pobj_media_ptr(&tl->p->media, spot->off);
}

static PMEMoid spot_oid(const struct pobj_tlane *tl, const struct pobj_spot *spot)
{
	return (PMEMoid){ tl->p->uuid_lo, spot->off };
}

/* What dest_find() found wrong, or that the id is not in this pool. */
static int dest_elsewhere(const struct pobj_tlane *tl, const PMEMoid *oidp, u64 *off)
{
	*off = 0;
	if ((uintptr_t)oidp % sizeof(u64))
		return pobj_err(-EINVAL, "%s: the id's place is not aligned to 8 bytes",
				tl->p->path);
	if (oidp && pobj_heap_off(tl->p->heap, oidp))
		return pobj_err(-EINVAL, "%s: the id's place is not within an object",
				tl->p->path);
	return 0;
}

/* Where the id goes: *@off is its offset if it lies in this pool, else 0. 0; -EINVAL. */
static inline int dest_find(const struct pobj_tlane *tl, const PMEMoid *oidp, u64 *off)
{
	const struct pobj_heap *h = tl->p->heap;

	*off = (u64)((const char *)oidp - (const char *)h->media.base);
	if (POBJ_UNLIKELY(!pobj_words_ok(h, *off, sizeof(*oidp))))
		return dest_elsewhere(tl, oidp, off);
	return 0;
}

/* Write an id that is not logged, after the object is what it says. */
static void dest_write(PMEMoid *oidp, PMEMoid oid)
{
	PMEMobjpool *other;

	if (!oidp)
		return;
	*oidp = oid;
	other = pmemobj_pool_by_ptr(oidp);
	if (other)
		pmemobj_persist(other, oidp, sizeof(*oidp));
}

/* ---- allocate ---------------------------------------------------------------------------- */

/* Make a taken object allocated, and its id at @dest; both or neither. */
static int alloc_commit(struct pobj_tlane *tl, const struct pobj_spot *spot, PMEMoid *oidp,
			u64 dest)
{
	struct pobj_heap *h = tl->p->heap;
	struct pobj_step s;
	int err;

	if (pobj_spot_is_large(spot))
		pobj_large_step(h, spot, 0, true, &s);
	else
		pobj_spot_step(spot, false, &s);
	if (dest)
		return pobj_lane_alloc_step(&tl->log, &s, dest, tl->p->uuid_lo, spot->off);
	err = pobj_lane_publish_step(&tl->log, &s, spot->page);
	if (!err)
		dest_write(oidp, spot_oid(tl, spot));
	return err;
}

/* Zero it, construct it. 0; -ECANCELED. */
static int object_fill(struct pobj_tlane *tl, const struct pobj_spot *spot, const struct wish *w)
{
	void *ptr = spot_ptr(tl, spot);

	if (w->flags & POBJ_XALLOC_ZERO)
		pobj_persist_set(&tl->p->media, ptr, 0, spot->size, 0);
	if (w->constructor && w->constructor(pobj_pool_pop(tl->p), ptr, w->arg))
		return pobj_err(-ECANCELED, "%s: the constructor cancelled", tl->p->path);
	return 0;
}

/* 0 or -1 with errno and message. */
static int object_alloc(PMEMobjpool *pop, PMEMoid *oidp, const struct wish *w)
{
	struct pobj_tlane *tl = pobj_tlane_of(pop);
	struct pobj_spot spot;
	u64 dest;
	int err;

	if (!tl || dest_find(tl, oidp, &dest))
		return -1;
	if (POBJ_UNLIKELY(!w->size || (w->flags & ~XALLOC_KNOWN))) {
		pobj_err(-EINVAL, w->size ? "%s: flags 0x%llx are not known" :
			 "%s: an object of 0 bytes (flags 0x%llx)", tl->p->path,
			 (unsigned long long)w->flags);
		return -1;
	}
	err = pobj_take(tl, w->size, w->type, false, &spot);
	if (POBJ_UNLIKELY(err)) {
		pobj_take_failed(tl->p, w->size, err);
		return -1;
	}
	if (w->flags | (uintptr_t)w->constructor) {
		err = object_fill(tl, &spot, w);
		if (err) {
			pobj_settle(tl, &spot, true);
			return -1;
		}
	}
	err = alloc_commit(tl, &spot, oidp, dest);
	if (POBJ_UNLIKELY(err)) {
		pobj_take_failed(tl->p, w->size, pobj_heap_broken(tl->p, err));
		return -1;
	}
	pobj_settle(tl, &spot, false);
	return 0;
}

int pmemobj_alloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num,
		  pmemobj_constr constructor, void *arg)
{
	const struct wish w = { size, type_num, 0, constructor, arg };

	return object_alloc(pop, oidp, &w);
}

int pmemobj_xalloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num,
		   uint64_t flags, pmemobj_constr constructor, void *arg)
{
	const struct wish w = { size, type_num, flags, constructor, arg };

	return object_alloc(pop, oidp, &w);
}

int pmemobj_zalloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num)
{
	const struct wish w = { size, type_num, POBJ_XALLOC_ZERO, NULL, NULL };

	return object_alloc(pop, oidp, &w);
}

/* ---- free -------------------------------------------------------------------------------- */

/* Find an object that the caller may free or move. 0 or -EINVAL with a message. */
static inline int object_find(struct pobj_tlane *tl, PMEMoid oid, struct pobj_spot *spot)
{
	if (POBJ_UNLIKELY(oid.pool_uuid_lo != tl->p->uuid_lo))
		return pobj_err(-EINVAL, "%s: the object is of another pool", tl->p->path);
	if (POBJ_UNLIKELY(pobj_object_at(tl->p->heap, tl, oid.off, spot) || spot->root))
		return pobj_err(-EINVAL, "%s: no allocated object is at offset 0x%llx",
				tl->p->path, (unsigned long long)oid.off);
	return 0;
}

static int object_free(PMEMoid *oidp, bool durable)
{
	struct pobj_tlane *tl = pobj_tlane_of_oid(*oidp);
	struct pobj_spot spot;
	struct pobj_step step;
	u64 dest;
	int err;

	if (POBJ_UNLIKELY(!tl))
		return -errno;
	err = dest_find(tl, oidp, &dest);
	if (!err)
		err = object_find(tl, *oidp, &spot);
	if (err)
		return err;
	if (pobj_spot_is_large(&spot)) {
		pobj_span_build(tl->p->heap, spot.page, spot.pages);	/* V8 */
		pobj_large_step(tl->p->heap, &spot, 0, false, &step);
		step.target = POBJ_M_TARGET_OBJECT | pobj_spot_ref(&spot);
	} else {
		pobj_spot_step(&spot, true, &step);
	}
	if (!pobj_weak(POBJ_WEAK_RING))
		pobj_ring_add(tl, pobj_spot_ref(&spot), spot.pages);	/* V3 */
	err = pobj_lane_free_step(&tl->log, &step, dest, durable);
	if (POBJ_UNLIKELY(err))
		return pobj_take_failed(tl->p, 0, pobj_heap_broken(tl->p, err));
	if (!dest)
		dest_write(oidp, (PMEMoid){ 0, 0 });
	if (spot.slab) {
		spot.slab->avail[spot.idx / 64] |= 1ULL << spot.idx % 64;
	} else if (!pobj_spot_is_large(&spot)) {
		pobj_slab_hint(tl->p->heap, spot.page);
	} else {
		/* Pages without number: not kept from others until this thread's next calls. */
		err = pobj_ring_retire(tl);
		if (err)
			return pobj_take_failed(tl->p, 0, pobj_heap_broken(tl->p, err));
	}
	return 0;
}

void pmemobj_free(PMEMoid *oidp)
{
	if (oidp && oidp->off)
		object_free(oidp, false);
}

int pobj_xfree(PMEMoid *oidp, uint64_t flags)
{
	int err = 0;

	if (flags & ~POBJ_XFREE_DURABLE)
		err = pobj_err(-EINVAL, "flags 0x%llx of a free are not known",
			       (unsigned long long)flags);
	else if (oidp && oidp->off)
		err = object_free(oidp, flags & POBJ_XFREE_DURABLE);
	return err;
}

/* ---- reallocate --------------------------------------------------------------------------- */

/* Does an object of @size and @type fit where @spot is? */
static bool stays(const struct pobj_tlane *tl, const struct pobj_spot *spot, u64 size, u64 type)
{
	const struct pobj_heap *h = tl->p->heap;

	if (pobj_spot_type(h, spot) != type)
		return false;
	if (pobj_spot_is_large(spot))
		return size > h->class_max && pobj_geom_pages(h->g, size) == spot->pages;
	return size <= h->class_max && h->classes[pobj_class_of(size)].size == spot->size;
}

/* A new object, the old one's contents, and the id changed: all or nothing. */
static int object_move(struct pobj_tlane *tl, PMEMoid *oidp, u64 dest,
		       const struct pobj_spot *old, u64 size, u64 type, bool zero)
{
	const struct pobj_media *m = &tl->p->media;
	struct pobj_spot new;
	struct pobj_op op;
	u64 keep;
	int err;

	err = pobj_take(tl, size, type, false, &new);
	if (err)
		return pobj_take_failed(tl->p, size, err);
	keep = old->size < new.size ? old->size : new.size;
	pobj_persist_move(m, spot_ptr(tl, &new), spot_ptr(tl, old), keep, 0);
	if (zero && new.size > keep)
		pobj_persist_set(m, (char *)spot_ptr(tl, &new) + keep, 0, new.size - keep, 0);
	pobj_op_begin(&op, tl);
	pobj_op_alloc(&op, &new, 0);
	pobj_op_free(&op, old);
	if (dest)
		pobj_op_id(&op, dest, spot_oid(tl, &new));
	err = pobj_op_commit(&op);
	if (err) {
		if (!tl->p->broken)
			pobj_settle(tl, &new, true);
		return pobj_take_failed(tl->p, size, err);
	}
	pobj_settle(tl, &new, false);
	if (!dest)
		dest_write(oidp, spot_oid(tl, &new));
	return 0;
}

static int object_realloc(PMEMobjpool *pop, PMEMoid *oidp, u64 size, u64 type, bool zero)
{
	const struct wish w = { size, type, zero ? POBJ_XALLOC_ZERO : 0, NULL, NULL };
	struct pobj_tlane *tl;
	struct pobj_spot old;
	u64 dest;

	if (!oidp) {
		pobj_err(-EINVAL, "no place of an id given");
		return -1;
	}
	if (!oidp->off)
		return size ? object_alloc(pop, oidp, &w) : 0;
	if (!size)
		return object_free(oidp, false) ? -1 : 0;
	tl = pobj_tlane_of(pop);
	if (!tl || dest_find(tl, oidp, &dest) || object_find(tl, *oidp, &old))
		return -1;
	if (stays(tl, &old, size, type))
		return 0;
	return object_move(tl, oidp, dest, &old, size, type, zero) ? -1 : 0;
}

int pmemobj_realloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num)
{
	return object_realloc(pop, oidp, size, type_num, false);
}

int pmemobj_zrealloc(PMEMobjpool *pop, PMEMoid *oidp, size_t size, uint64_t type_num)
{
	return object_realloc(pop, oidp, size, type_num, true);
}

/* ---- strings ----------------------------------------------------------------------------- */

struct bytes {
	const void *from;
	size_t len;
};

static int bytes_construct(PMEMobjpool *pop, void *ptr, void *arg)
{
	const struct bytes *b = arg;

	pobj_persist_move(&pobj_pool_raw(pop)->media, ptr, b->from, b->len, 0);
	return 0;
}

static int bytes_dup(PMEMobjpool *pop, PMEMoid *oidp, struct bytes b, u64 type)
{
	const struct wish w = { b.len, type, 0, bytes_construct, &b };

	return object_alloc(pop, oidp, &w);
}

int pmemobj_strdup(PMEMobjpool *pop, PMEMoid *oidp, const char *s, uint64_t type_num)
{
	if (!s) {
		pobj_err(-EINVAL, "no string given");
		return -1;
	}
	return bytes_dup(pop, oidp, (struct bytes){ s, strlen(s) + 1 }, type_num);
}

int pmemobj_wcsdup(PMEMobjpool *pop, PMEMoid *oidp, const wchar_t *s, uint64_t type_num)
{
	if (!s) {
		pobj_err(-EINVAL, "no string given");
		return -1;
	}
	return bytes_dup(pop, oidp, (struct bytes){ s, (wcslen(s) + 1) * sizeof(*s) }, type_num);
}
