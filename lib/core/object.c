// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Objects by reference: page of the head line, and index. A log that held offsets would need a way
 * from any page to the head of its span; a reference finds state, size and offset in one line.
 */
#include "lib/core/object.h"
#include "lib/core/line.h"

static int object_in_slab(const struct pobj_geom *g, u64 page, u32 idx, const struct pobj_line *l,
			  struct pobj_object *o)
{
	const u64 pair = offsetof(struct pobj_m_line, slab) + idx / 64 * 2 * sizeof(u64);

	o->off = pobj_geom_page(g, page) + (u64)idx * l->size;
	o->a = pobj_geom_line(g, page) + pair;
	o->f = o->a + sizeof(u64);
	o->bit = 1ULL << idx % 64;
	o->allocated = (l->a[idx / 64] ^ l->f[idx / 64]) & o->bit;
	return 0;
}

int pobj_object_find(const struct pobj_media *m, const struct pobj_geom *g, u64 ref,
		     struct pobj_object *o, struct pobj_finding *f)
{
	const u64 page = pobj_ref_page(ref);
	const u32 idx = pobj_ref_idx(ref);
	struct pobj_line l;
	int err;

	memset(o, 0, sizeof(*o));
	if (page >= g->page_cnt)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_TARGET, 0, page, g->page_cnt);
	if (pobj_line_read(m, g, page, &l))
		return pobj_found(f, -EIO, POBJ_DIAG_MEDIA, pobj_geom_line(g, page), 0, 0);
	err = pobj_line_check(g, page, &l, f);
	if (err)
		return err;
	if (l.kind == POBJ_M_SLAB && idx < l.cnt)
		return object_in_slab(g, page, idx, &l, o);
	if (idx == POBJ_M_REF_LARGE && (pobj_line_is_free(&l) || l.kind == POBJ_M_LARGE)) {
		o->off = pobj_geom_page(g, page);
		o->a = pobj_geom_line(g, page);
		o->allocated = l.kind == POBJ_M_LARGE;
		return 0;
	}
	if (pobj_line_is_free(&l))
		return 0;
	return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_TARGET, pobj_geom_line(g, page), idx,
			  l.kind == POBJ_M_SLAB ? l.cnt : POBJ_M_REF_LARGE);
}
