// SPDX-License-Identifier: BSD-3-Clause
/*
 * Objects by their ids. An offset leads to a page, the page's line to the head of the span
 * (itself, or a CONT line names it), and the head says what stands there. All of it is read
 * from the medium and judged: an id may be dangling, or never have been one.
 */
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "lib/registry.h"

static u32 header_kind(u64 header)
{
	return (header >> POBJ_M_HDR_KIND_SHIFT) & 0xf;
}

int pobj_object_large(const struct pobj_heap *h, u64 header, struct pobj_spot *spot)
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

u64 pobj_spot_type(const struct pobj_heap *h, const struct pobj_spot *spot)
{
	const u64 header = pobj_line_word(&spot->line->header);
	const u32 cnt = (header >> POBJ_M_HDR_CNT_SHIFT) & 0xffff;
	u64 off;

	if (pobj_spot_is_large(spot) ||
	    !((header >> POBJ_M_HDR_FLAG_SHIFT) & POBJ_M_F_MIXED))
		return pobj_line_word(&spot->line->type);
	off = pobj_mixed_type_off(pobj_geom_page(h->g, spot->page), (u32)spot->size, cnt,
				  spot->idx);
	/* The pool may end before the slab does, by a line that is damaged. */
	return off - h->data_off < h->data_bytes ? pobj_line_word(pobj_media_ptr(&h->media, off)) :
						   0;
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
