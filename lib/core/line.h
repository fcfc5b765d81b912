/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Page lines: see line.c. */
#ifndef POBJ_CORE_LINE_H
#define POBJ_CORE_LINE_H

#include "lib/core/diag.h"
#include "lib/core/geom.h"
#include "lib/core/media.h"

/**
 * struct pobj_line - a page line, read out and decoded
 * @kind: POBJ_M_FREE .. POBJ_M_BITS
 * @flags: POBJ_M_F_*
 * @cnt: objects of a slab
 * @size: slab: bytes of an object; else pages
 * @pages: pages of the span, 1 if free
 */
struct pobj_line {
	u32 kind;
	u32 flags;
	u32 cnt;
	u32 size;
	u64 pages;
	u64 type;
	u64 a[POBJ_M_SLAB_PAIRS];
	u64 f[POBJ_M_SLAB_PAIRS];
	u64 large_size;
};

static inline u64 pobj_line_header(u32 kind, u32 flags, u32 cnt, u32 size)
{
	return (u64)kind << POBJ_M_HDR_KIND_SHIFT | (u64)flags << POBJ_M_HDR_FLAG_SHIFT |
	       (u64)cnt << POBJ_M_HDR_CNT_SHIFT | (u64)size << POBJ_M_HDR_SIZE_SHIFT;
}

/* Read the line of @page and decode it; judge nothing. 0 or -EIO. */
int pobj_line_read(const struct pobj_media *m, const struct pobj_geom *g, u64 page,
		   struct pobj_line *l);

/*
 * Can a span with this line begin at @page?
 * L1. kind and flags are known; ROOT only on a large object
 * L2. the span ends within the pool
 * L3. slab: 1 <= cnt, object size >= 16 and a multiple of 8, no state beyond cnt
 * L4. large: size fits its pages and would not fit one page less; log chunk: one page
 * 0 or -EUCLEAN with @f filled.
 */
int pobj_line_check(const struct pobj_geom *g, u64 page, const struct pobj_line *l,
		    struct pobj_finding *f);

#endif
