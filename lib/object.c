// SPDX-License-Identifier: BSD-3-Clause
/*
 * Objects by their ids. An offset leads to a page, the page's line to the head of the span (itself, or
 * a CONT line names it), and the head says what stands there. All of it is read from the medium and
 * judged: an id may be dangling, or never have been one.
 */
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "lib/registry.h"

static u64 media_load(const __le64 *p)
{
	return le64_to_cpu((__le64)__atomic_load_n((const u64 *)p, __ATOMIC_ACQUIRE));
}

static u32 header_kind(u64 header)
{
	return (header >> POBJ_M_HDR_KIND_SHIFT) & 0xf;
}

static inline int object_in_slab(struct pobj_heap *h, const struct pobj_tlane *tl, u64 header,
				 struct pobj_spot *spot)
{
	const u64 in = spot->off - h->data_off - (spot->page << h->page_shift);
	const u32 size = (u32)(header >> POBJ_M_HDR_SIZE_SHIFT);
	const u32 cnt = (header >> POBJ_M_HDR_CNT_SHIFT) & 0xffff;
	const struct pobj_m_line *line = spot->line;
	u32 idx;

	if (POBJ_UNLIKELY(!size || in >> 32 || cnt > POBJ_M_SLAB_MAX))
		return -EINVAL;
	idx = (u32)in / size;
	if (POBJ_UNLIKELY(idx >= cnt || (u32)in != idx * size))
		return -EINVAL;
	spot->idx = idx;
	spot->size = size;
	spot->pages = 0;
	spot->root = false;
	spot->slab = NULL;
	if (tl && __atomic_load_n(&h->pages[spot->page].owner, __ATOMIC_ACQUIRE) ==
		  tl->log.lane + 1)
		spot->slab = tl->slab[h->pages[spot->page].slot];
	return (media_load(&line->slab[idx / 64].a) ^ media_load(&line->slab[idx / 64].f)) >>
	       idx % 64 & 1 ? 0 : -EINVAL;
}

/* What is not in a slab. */
static int object_is_large(struct pobj_heap *h, u64 header, struct pobj_spot *spot)
{
	if (header_kind(header) != POBJ_M_LARGE || spot->off != pobj_geom_page(h->g, spot->page))
		return -EINVAL;
	spot->idx = POBJ_M_REF_LARGE;
	spot->pages = header >> POBJ_M_HDR_SIZE_SHIFT;
	spot->size = spot->pages << h->g->page_shift;
	spot->slab = NULL;
	spot->root = (header >> POBJ_M_HDR_FLAG_SHIFT) & POBJ_M_F_ROOT;
	return spot->pages && spot->pages <= h->g->page_cnt - spot->page ? 0 : -EINVAL;
}

int pobj_object_at(struct pobj_heap *h, const struct pobj_tlane *tl, u64 off,
		   struct pobj_spot *spot)
{
	const u64 mixed = (u64)POBJ_M_F_MIXED << POBJ_M_HDR_FLAG_SHIFT;
	const u64 in = off - h->data_off;
	struct pobj_m_line *line;
	u64 header, back;

	if (POBJ_UNLIKELY(in >= h->data_bytes))
		return -EINVAL;
	spot->page = in >> h->page_shift;
	spot->off = off;
	line = pobj_heap_line(h, spot->page);
	header = media_load(&line->header);
	if (header_kind(header) == POBJ_M_CONT) {
		back = header >> POBJ_M_HDR_SIZE_SHIFT;
		if (POBJ_UNLIKELY(back > spot->page))
			return -EINVAL;
		spot->page -= back;
		line -= back;
		header = media_load(&line->header);
	}
	spot->line = line;
	/* Kind and flags in one look. */
	if (POBJ_UNLIKELY((header & 0xffff & ~mixed) != POBJ_M_SLAB))
		return object_is_large(h, header, spot);
	return object_in_slab(h, tl, header, spot);
}

u64 pobj_spot_type(const struct pobj_heap *h, const struct pobj_spot *spot)
{
	const u64 header = media_load(&spot->line->header);

	if (pobj_spot_is_large(spot) ||
	    !((header >> POBJ_M_HDR_FLAG_SHIFT) & POBJ_M_F_MIXED))
		return media_load(&spot->line->type);
	return media_load(pobj_media_ptr(&h->media,
					 pobj_mixed_type_off(pobj_geom_page(h->g, spot->page),
							     (u32)spot->size,
							     (header >> POBJ_M_HDR_CNT_SHIFT) & 0xffff,
							     spot->idx)));
}

/* ---- API --------------------------------------------------------------------------------- */

/* The heap of an id's pool, or NULL. */
static struct pobj_heap *heap_of(PMEMoid oid)
{
	PMEMobjpool *pop = pmemobj_pool_by_oid(oid);

	return pop ? pobj_pool_raw(pop)->heap : NULL;
}

uint64_t pmemobj_type_num(PMEMoid oid)
{
	struct pobj_heap *h = heap_of(oid);
	struct pobj_spot spot;

	return h && !pobj_object_at(h, NULL, oid.off, &spot) ? pobj_spot_type(h, &spot) : 0;
}

size_t pmemobj_alloc_usable_size(PMEMoid oid)
{
	struct pobj_heap *h = heap_of(oid);
	struct pobj_spot spot;

	return h && !pobj_object_at(h, NULL, oid.off, &spot) ? spot.size : 0;
}
