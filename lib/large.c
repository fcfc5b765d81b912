// SPDX-License-Identifier: BSD-3-Clause
/*
 * Large objects: a span each. The header word of the span's line makes it an object, and is
 * logged as any word is; the rest of the line is written before, where nobody looks while
 * the header is 0.
 *
 * From taking to publishing the span is owned by the lane that took it (lib/core/side.h): that is
 * what covers its pages, and what tells the reaper.
 */
#include "lib/heap.h"

int pobj_large_take(struct pobj_tlane *tl, u64 size, u64 type, struct pobj_spot *spot)
{
	struct pobj_heap *h = tl->p->heap;
	const u64 pages = pobj_geom_pages(h->g, size);
	__le64 words[7] = { cpu_to_le64(type), cpu_to_le64(size) };
	u64 page;
	int err;

	if (size > pobj_geom_data_bytes(h->g))
		return -ENOMEM;
	err = pobj_span_take_large(tl, pages, &page);
	if (err) {
		err = pobj_heap_squeeze(tl);
		err = err > 0 ? pobj_span_take_large(tl, pages, &page) : err ? err : -ENOMEM;
	}
	if (err)
		return err;
	*spot = (struct pobj_spot){
		.page = page, .off = pobj_geom_page(h->g, page), .size = pages << h->g->page_shift,
		.pages = pages, .line = pobj_heap_line(h, page),
		.idx = POBJ_M_REF_LARGE,
	};
	/* Not flushed here: the header comes later in the same line, and takes them along (P1). */
	pobj_store_words(&h->media, &spot->line->type, words, 7);
	__atomic_fetch_or(&h->groups[page / POBJ_GROUP_PAGES].types, POBJ_TYPE_BIT(type),
			  __ATOMIC_ACQ_REL);
	__atomic_add_fetch(&tl->larges, 1, __ATOMIC_ACQ_REL);
	return 0;
}

void pobj_large_step(struct pobj_heap *h, const struct pobj_spot *spot, u32 flags, bool allocate,
		     struct pobj_step *step)
{
	step->target = pobj_geom_line(h->g, spot->page) + offsetof(struct pobj_m_line, header);
	step->at = &spot->line->header;
	step->value = allocate ? pobj_line_header(POBJ_M_LARGE, flags, 0, (u32)spot->pages) : 0;
	step->kind = POBJ_STEP_WORD;
}

/* One less for the lane that owns the span. */
static void owner_forgets(struct pobj_heap *h, u64 owner)
{
	struct pobj_tlane *tl = __atomic_load_n(&h->by_lane[owner - 1], __ATOMIC_ACQUIRE);

	/* The last thing done with that lane: its thread may free it when the count is 0. */
	if (tl)
		__atomic_sub_fetch(&tl->larges, 1, __ATOMIC_ACQ_REL);
}

void pobj_large_settle(struct pobj_tlane *tl, const struct pobj_spot *spot)
{
	struct pobj_heap *h = tl->p->heap;
	const u64 owner = __atomic_load_n(&h->pages[spot->page].owner, __ATOMIC_ACQUIRE);

	pobj_span_disown(h, tl->side, spot->page);
	owner_forgets(h, owner);
}

void pobj_large_cancel(struct pobj_tlane *tl, const struct pobj_spot *spot)
{
	struct pobj_heap *h = tl->p->heap;
	u64 *word = &h->pages[spot->page].owner;
	const u64 owner = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	/* Ours to act on: whoever has the action is the only one who may. */
	__atomic_store_n(word, tl->log.lane + 1, __ATOMIC_RELEASE);
	pobj_span_give(h, tl->side, spot->page, spot->pages);
	__atomic_store_n(&tl->side->frees, tl->side->frees + 1, __ATOMIC_RELEASE);
	owner_forgets(h, owner);
}
