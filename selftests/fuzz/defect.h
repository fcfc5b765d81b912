/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Defects of inline functions, for a file of the library that is compiled with this in front of it:
 * its calls go to the wrong one. See defect.c.
 */
#ifndef FUZZ_DEFECT_H
#define FUZZ_DEFECT_H

#ifdef DEFECT_slab
#include "lib/heap.h"

/* A slab may end behind the pool. */
static inline void wrong_line_see(const struct pobj_heap *h, u64 page, struct pobj_seen *s)
{
	const u64 header = pobj_line_word(&pobj_heap_line(h, page)->header);

	pobj_line_see(h, page, s);
	if (!s->size && page < h->g->page_cnt && (header & 0xffff) == POBJ_M_SLAB &&
	    s->cnt && s->cnt <= POBJ_M_SLAB_MAX)
		s->size = (u32)(header >> POBJ_M_HDR_SIZE_SHIFT);
}

#define pobj_line_see	wrong_line_see
#endif

#endif
