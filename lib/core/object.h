/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Objects, as logs name them: see object.c. */
#ifndef POBJ_CORE_OBJECT_H
#define POBJ_CORE_OBJECT_H

#include "lib/core/diag.h"
#include "lib/core/geom.h"
#include "lib/core/media.h"

static inline u64 pobj_ref(u64 page, u32 idx)
{
	return page << POBJ_M_REF_IDX_BITS | idx;
}

static inline u64 pobj_ref_page(u64 ref)
{
	return ref >> POBJ_M_REF_IDX_BITS;
}

static inline u32 pobj_ref_idx(u64 ref)
{
	return ref & ((1U << POBJ_M_REF_IDX_BITS) - 1);
}

/**
 * struct pobj_object - where an object and its state are
 * @off: the object; 0 if its slab is not there (then nothing can name it)
 * @a: slab: offset of word A; large: of the header word
 * @f: slab: offset of word F; large: 0
 * @bit: slab: its bit in both; large: 0
 * @allocated: its state when it was looked at
 */
struct pobj_object {
	u64 off;
	u64 a;
	u64 f;
	u64 bit;
	bool allocated;
};

/*
 * Find the object that @ref names. 0; -EUCLEAN with @f filled: none can be there; -EIO. A free
 * line is fine: the span was about to come, or has gone.
 */
int pobj_object_find(const struct pobj_media *m, const struct pobj_geom *g, u64 ref,
		     struct pobj_object *o, struct pobj_finding *f);

#endif
