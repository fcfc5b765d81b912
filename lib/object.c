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

static int object_in_slab(struct pobj_heap *h, const struct pobj_tlane *tl, u64 page, u64 header,
			  u64 off, struct pobj_spot *spot)
{
	const u32 size = (u32)(header >> POBJ_M_HDR_SIZE_SHIFT);
	const u32 cnt = (header >> POBJ_M_HDR_CNT_SHIFT) & 0xffff;
	const u64 in = off - pobj_geom_page(h->g, page);
	const struct pobj_m_line *line = spot->line;
	u32 idx;

	if (((header >> POBJ_M_HDR_FLAG_SHIFT) & 0xfff & ~POBJ_M_F_MIXED) || !size ||
	    in >= (u64)cnt * size || cnt > POBJ_M_SLAB_PAIRS * 64)
		return -EINVAL;
	idx = (u32)in / size;
	if (in != (u64)idx * size ||
	    !((media_load(&line->slab[idx / 64].a) ^ media_load(&line->slab[idx / 64].f)) &
	      1ULL << idx % 64))
		return -EINVAL;
	spot->idx = idx;
	spot->size = size;
	spot->pages = 0;
	spot->slab = NULL;
	if (tl && __atomic_load_n(&h->pages[page].owner, __ATOMIC_ACQUIRE) == tl->log.lane + 1)
		spot->slab = tl->slab[h->pages[page].slot];
	return 0;
}

int pobj_object_at(struct pobj_heap *h, const struct pobj_tlane *tl, u64 off,
		   struct pobj_spot *spot)
{
	u64 page, header, back;

	if (!pobj_geom_in_data(h->g, off))
		return -EINVAL;
	page = pobj_geom_page_of(h->g, off);
	spot->line = pobj_media_ptr(&h->media, pobj_geom_line(h->g, page));
	header = media_load(&spot->line->header);
	if (header_kind(header) == POBJ_M_CONT) {
		back = header >> POBJ_M_HDR_SIZE_SHIFT;
		if (back > page)
			return -EINVAL;
		page -= back;
		spot->line -= back;
		header = media_load(&spot->line->header);
	}
	spot->page = page;
	spot->off = off;
	spot->root = false;
	if (header_kind(header) == POBJ_M_SLAB)
		return object_in_slab(h, tl, page, header, off, spot);
	if (header_kind(header) != POBJ_M_LARGE || off != pobj_geom_page(h->g, page))
		return -EINVAL;
	spot->idx = POBJ_M_REF_LARGE;
	spot->pages = header >> POBJ_M_HDR_SIZE_SHIFT;
	spot->size = spot->pages << h->g->page_shift;
	spot->slab = NULL;
	spot->root = (header >> POBJ_M_HDR_FLAG_SHIFT) & POBJ_M_F_ROOT;
	return spot->pages && spot->pages <= h->g->page_cnt - page ? 0 : -EINVAL;
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

bool pobj_word_ok(const struct pobj_heap *h, u64 off)
{
	const struct pobj_m_line *line;

	if (off % sizeof(u64) || !pobj_geom_in_data(h->g, off))
		return false;
	line = pobj_media_ptr(&h->media, pobj_geom_line(h->g, pobj_geom_page_of(h->g, off)));
	return header_kind(media_load(&line->header)) != POBJ_M_LOG;
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
