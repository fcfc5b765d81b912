/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Where the parts of a pool are: see geom.c. */
#ifndef POBJ_CORE_GEOM_H
#define POBJ_CORE_GEOM_H

#include "lib/core/diag.h"
#include "lib/core/weak.h"
#include "lib/core/env.h"
#include <linux/pobj_media.h>

/**
 * struct pobj_geom - the geometry of a pool, decoded
 *
 * Invariants (pobj_geom_check):
 * G1. POBJ_M_HEADER_END <= lane_off, lane_off + lane_cnt * lane_bytes <= line_off,
 *     line_off + page_cnt * POBJ_M_LINE <= data_off,
 *     data_off + page_cnt << page_shift <= pool_size, nothing of it overflowing.
 * G2. lane_off and line_off are multiples of POBJ_M_LINE, data_off of the page size.
 * G3. 8 <= page_shift <= 30, 1 <= lane_cnt <= POBJ_LANES_MAX, ext_cnt <= 0xffff, page_cnt >= 1.
 */
struct pobj_geom {
	u64 pool_size;
	u64 lane_off;
	u64 line_off;
	u64 data_off;
	u64 page_cnt;
	u32 page_shift;
	u32 lane_cnt;
	u32 ext_cnt;
};

#define POBJ_PAGE_SHIFT_MIN	8
#define POBJ_PAGE_SHIFT_MAX	30
#define POBJ_PAGE_SHIFT		12	/* default: 4 KiB */
#define POBJ_LANES_MAX		1024
#define POBJ_EXT_CNT		23	/* default; makes a lane 40 lines, 2560 bytes */

/*
 * Lay out a pool of @pool_size bytes. @page_shift, @lane_cnt: 0 for the default. @ext_cnt is
 * taken as given (POBJ_EXT_CNT is usual). 0; -EINVAL for impossible wishes; -ENOSPC if not even
 * one page of data is left.
 */
int pobj_geom_make(struct pobj_geom *g, u64 pool_size, u32 page_shift, u32 lane_cnt, u32 ext_cnt);

/* G1..G3, and pool_size <= @media_size. 0 or -EUCLEAN with @f filled. */
int pobj_geom_check(const struct pobj_geom *g, u64 media_size, struct pobj_finding *f);

static inline u64 pobj_geom_lane_bytes(const struct pobj_geom *g)
{
	return (u64)(1 + POBJ_M_SLOT_CNT + g->ext_cnt) * POBJ_M_LINE;
}

/* Offset of the head of lane @lane. */
static inline u64 pobj_geom_lane(const struct pobj_geom *g, u32 lane)
{
	return g->lane_off + lane * pobj_geom_lane_bytes(g);
}

static inline u64 pobj_geom_slot(const struct pobj_geom *g, u32 lane, u64 seq)
{
	return pobj_geom_lane(g, lane) + (1 + seq % POBJ_SLOTS) * POBJ_M_LINE;
}

static inline u64 pobj_geom_page_bytes(const struct pobj_geom *g)
{
	return 1ULL << g->page_shift;
}

/* Offset of the line of page @page. */
static inline u64 pobj_geom_line(const struct pobj_geom *g, u64 page)
{
	return g->line_off + page * POBJ_M_LINE;
}

/* Offset of page @page itself. */
static inline u64 pobj_geom_page(const struct pobj_geom *g, u64 page)
{
	return g->data_off + (page << g->page_shift);
}

static inline u64 pobj_geom_data_bytes(const struct pobj_geom *g)
{
	return g->page_cnt << g->page_shift;
}

/* Is @off in a page? */
static inline bool pobj_geom_in_data(const struct pobj_geom *g, u64 off)
{
	return off >= g->data_off && off - g->data_off < pobj_geom_data_bytes(g);
}

/* Number of the page that holds @off; only if pobj_geom_in_data(). */
static inline u64 pobj_geom_page_of(const struct pobj_geom *g, u64 off)
{
	return (off - g->data_off) >> g->page_shift;
}

/* Pages that @bytes need. Does not overflow for bytes <= pool_size. */
static inline u64 pobj_geom_pages(const struct pobj_geom *g, u64 bytes)
{
	return (bytes >> g->page_shift) + ((bytes & (pobj_geom_page_bytes(g) - 1)) != 0);
}

/* Bytes of sidecar that a pool of this geometry has: sparse, so address space only. */
u64 pobj_geom_sidecar_bytes(const struct pobj_geom *g);

#endif
