/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Page lines: see line.c. */
#ifndef POBJ_CORE_LINE_H
#define POBJ_CORE_LINE_H

#include "lib/core/diag.h"
#include "lib/core/geom.h"
#include "lib/core/media.h"

/**
 * struct pobj_line - a page line, read out and decoded
 * @kind: POBJ_M_FREE .. POBJ_M_CONT
 * @flags: POBJ_M_F_*
 * @cnt: objects of a slab
 * @size: slab: bytes of an object; cont: pages since the head; else pages
 * @pages: pages of the span, 1 if none begins here
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

/* Bytes of an object's own type number: those of a mixed slab only. */
static inline u32 pobj_line_type_bytes(const struct pobj_line *l)
{
	return l->flags & POBJ_M_F_MIXED ? sizeof(__le64) : 0;
}

/* Offset of the type number of object @idx of the mixed slab with line @l that begins at @page. */
static inline u64 pobj_line_type_off(const struct pobj_geom *g, u64 page,
				     const struct pobj_line *l, u32 idx)
{
	return pobj_geom_page(g, page) + (u64)l->cnt * l->size + idx * sizeof(__le64);
}

/*
 * Does no span begin at a page with this line? To one who walks from head to head, such a page is
 * free: a CONT line outside of a span was left behind.
 */
static inline bool pobj_line_is_free(const struct pobj_line *l)
{
	return l->kind == POBJ_M_FREE || l->kind == POBJ_M_CONT;
}

/* Is this the line of a page @distance pages behind the head of its span? */
static inline bool pobj_line_continues(const struct pobj_line *l, u64 distance)
{
	return l->kind == POBJ_M_CONT && l->size == distance;
}

/* Read the line of @page and decode it; judge nothing. 0 or -EIO. */
int pobj_line_read(const struct pobj_media *m, const struct pobj_geom *g, u64 page,
		   struct pobj_line *l);

/*
 * Can @page have this line, judged by itself?
 * L1. kind and flags are known; ROOT only on a large object, MIXED only on a slab
 * L2. the span ends within the pool
 * L3. slab: 1 <= cnt <= POBJ_M_SLAB_MAX, object size >= 16 and a multiple of 8, no state beyond
 *     cnt; mixed: type 0
 * L4. large: size fits its pages and would not fit one page less; log chunk: one page
 * L5. cont: no flags, no cnt, and it names a page of the pool that is before this one
 * 0 or -EUCLEAN with @f filled.
 */
int pobj_line_check(const struct pobj_geom *g, u64 page, const struct pobj_line *l,
		    struct pobj_finding *f);

/*
 * Find the span that covers @page, if the page's line is its head or a CONT line that names it:
 * @head is its first page, @l the line of that. So it is found from any page of a slab, and of a
 * large object from the first page and from those that begin a section. 0; -ENOENT: the line says
 * nothing of a span, or of one that cannot be; -EIO. Any @page may be asked for. In a pool in use
 * the answer holds for as long as the caller knows that the span stays.
 */
int pobj_line_head(const struct pobj_media *m, const struct pobj_geom *g, u64 page,
		   struct pobj_line *l, u64 *head);

#endif
