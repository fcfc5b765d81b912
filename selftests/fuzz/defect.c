// SPDX-License-Identifier: BSD-3-Clause
/*
 * Defects that the fuzzer must find, one in each build (fuzz.mk): a function of the library
 * without one of its judgements. If none of them were found, no finding would mean nothing.
 */
#include "lib/core/object.h"
#include "lib/heap.h"

#ifdef DEFECT_target
/* Any aligned word may be undone, wherever it is. */
int pobj_lane_may_undo(const struct pobj_media *m, const struct pobj_geom *g, u32 lane, u64 off,
		       bool *ground)
{
	(void)g;
	(void)lane;
	*ground = false;
	return off % sizeof(u64) || !pobj_media_holds(m, off, sizeof(u64)) ? -EUCLEAN : 0;
}
#endif

#ifdef DEFECT_geometry
int real_pobj_geom_check(const struct pobj_geom *g, u64 media_size, struct pobj_finding *f);

/* The lines may lie behind the end. */
int pobj_geom_check(const struct pobj_geom *g, u64 media_size, struct pobj_finding *f)
{
	struct pobj_geom half = *g;

	half.page_cnt /= 2;
	return real_pobj_geom_check(&half, media_size, f);
}
#endif

#ifdef DEFECT_circle
int real_pobj_ext_next(struct pobj_ext_walk *w, struct pobj_finding *f);

/* A chain of chunks may run in a circle. */
int pobj_ext_next(struct pobj_ext_walk *w, struct pobj_finding *f)
{
	w->chunks = 0;
	return real_pobj_ext_next(w, f);
}
#endif

#ifdef DEFECT_reference
int real_pobj_object_find(const struct pobj_media *m, const struct pobj_geom *g, u64 ref,
			  struct pobj_object *o, struct pobj_finding *f);

/* The index of an object may be any. */
int pobj_object_find(const struct pobj_media *m, const struct pobj_geom *g, u64 ref,
		     struct pobj_object *o, struct pobj_finding *f)
{
	const int err = real_pobj_object_find(m, g, pobj_ref(pobj_ref_page(ref), 0), o, f);

	if (!err && o->bit) {
		o->a += pobj_ref_idx(ref) / 64 * 2 * sizeof(u64);
		o->f += pobj_ref_idx(ref) / 64 * 2 * sizeof(u64);
		o->bit = 1ULL << ref % 64;
	}
	return err;
}
#endif
