// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Page lines: what a span is, from one cache line. The line describes itself (size, count, flags)
 * and names no compiled table, so pools with custom classes recover without configuration.
 *
 * From a page within a span, its CONT line leads to the head. Dissolving a span costs one word, the
 * header of its head; so CONT lines stay behind, and one that says something is told from one
 * left over by the head that it names.
 */
#include "lib/core/line.h"

#define SLAB_OBJECT_MIN		16

int pobj_line_read(const struct pobj_media *m, const struct pobj_geom *g, u64 page,
		   struct pobj_line *l)
{
	struct pobj_m_line raw;
	u64 h;
	u32 i;

	if (m->read(m, &raw, pobj_geom_line(g, page), sizeof(raw)))
		return -EIO;
	h = le64_to_cpu(raw.header);
	memset(l, 0, sizeof(*l));
	l->kind = (h >> POBJ_M_HDR_KIND_SHIFT) & 0xf;
	l->flags = (h >> POBJ_M_HDR_FLAG_SHIFT) & 0xfff;
	l->cnt = (h >> POBJ_M_HDR_CNT_SHIFT) & 0xffff;
	l->size = h >> POBJ_M_HDR_SIZE_SHIFT;
	l->type = le64_to_cpu(raw.type);
	for (i = 0; i < POBJ_M_SLAB_PAIRS; i++) {
		l->a[i] = le64_to_cpu(raw.slab[i].a);
		l->f[i] = le64_to_cpu(raw.slab[i].f);
	}
	l->large_size = le64_to_cpu(raw.large.size);
	switch (l->kind) {
	case POBJ_M_SLAB:
		l->pages = pobj_geom_pages(g, l->cnt * ((u64)l->size + pobj_line_type_bytes(l)));
		break;
	case POBJ_M_LARGE:
	case POBJ_M_LOG:
		l->pages = l->size;
		break;
	default:
		l->pages = 1;
	}
	return 0;
}

/* L3: no object beyond cnt is allocated. */
static bool slab_state_ok(const struct pobj_line *l)
{
	u32 i, used;
	u64 beyond;

	for (i = 0; i < POBJ_M_SLAB_PAIRS; i++) {
		used = l->cnt > i * 64 ? l->cnt - i * 64 : 0;
		beyond = used >= 64 ? 0 : ~0ULL << used;
		if ((l->a[i] ^ l->f[i]) & beyond)
			return false;
	}
	return true;
}

/* L3 */
static bool slab_ok(const struct pobj_line *l)
{
	return l->cnt && l->cnt <= POBJ_M_SLAB_MAX && l->size >= SLAB_OBJECT_MIN &&
	       !(l->size % 8) && (!(l->flags & POBJ_M_F_MIXED) || !l->type) && slab_state_ok(l);
}

int pobj_line_check(const struct pobj_geom *g, u64 page, const struct pobj_line *l,
		    struct pobj_finding *f)
{
	u64 off = pobj_geom_line(g, page);
	bool ok;

	if (l->kind >= POBJ_M_KIND_CNT || (l->flags & ~POBJ_M_F_KNOWN) ||
	    ((l->flags & POBJ_M_F_ROOT) && l->kind != POBJ_M_LARGE) ||
	    ((l->flags & POBJ_M_F_MIXED) && l->kind != POBJ_M_SLAB))
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LINE, off, l->kind | l->flags << 4, 0);
	if (l->pages < 1 || l->pages > g->page_cnt - page)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LINE, off, l->pages,
				  g->page_cnt - page);
	switch (l->kind) {
	case POBJ_M_FREE:
		ok = !l->flags && !l->cnt && !l->size;
		break;
	case POBJ_M_SLAB:
		ok = slab_ok(l);
		break;
	case POBJ_M_LARGE:
		ok = !l->cnt && l->large_size && l->large_size <= l->pages << g->page_shift &&
		     pobj_geom_pages(g, l->large_size) == l->pages;
		break;
	case POBJ_M_LOG:
		ok = !l->cnt && l->pages == 1;
		break;
	default:	/* CONT */
		ok = !l->flags && !l->cnt && l->size >= 1 && l->size <= page;
	}
	return ok ? 0 : pobj_found(f, -EUCLEAN, POBJ_DIAG_LINE, off, l->cnt, l->size);
}

int pobj_line_head(const struct pobj_media *m, const struct pobj_geom *g, u64 page,
		   struct pobj_line *l, u64 *head)
{
	u64 at = page;

	if (page >= g->page_cnt)
		return -ENOENT;
	if (pobj_line_read(m, g, at, l))
		return -EIO;
	if (l->kind == POBJ_M_CONT) {
		if (pobj_line_check(g, page, l, NULL))
			return -ENOENT;
		at = page - l->size;
		if (pobj_line_read(m, g, at, l))
			return -EIO;
	}
	if (pobj_line_is_free(l) || pobj_line_check(g, at, l, NULL) || l->pages <= page - at)
		return -ENOENT;
	*head = at;
	return 0;
}
