// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Geometry: from the size of a pool to the place of each part, and the judgement whether the
 * places that a superblock names are possible.
 *
 * Choices, and why:
 * - All lanes together take at most 1 % of the pool: 32 lanes at 8 MiB. Beyond that there is one
 *   more for each 512 KiB, up to 1024 from 504 MiB: room for threads is wanted in a small pool, and
 *   1 % of a middle one is better spent on pages. Those get 97.3 % of 8 MiB, 97.9 % of 64 MiB,
 *   97.6 % of 256 MiB and 98 % of 1 GiB.
 *   Lane 0 serves the pool itself (root, growth); the others are for threads.
 * - One line for each page, whether or not a span begins there: the line of a page is found by
 *   its number alone, and costs 1.6 % of 4 KiB pages.
 * - Pages begin at a multiple of 2 MiB where that costs less than 1/64 of the pool, so that user
 *   data maps with huge pages; else at a multiple of 4 KiB; in tiny pools, of the page size.
 * No part has a least size other than one lane and one page, so that tests can put every border
 * of the engine into 32 KiB.
 */
#include "lib/core/geom.h"
#include "lib/core/side.h"

#define LANE_SHARE	100		/* lanes take at most 1 / LANE_SHARE */
#define LANE_BASE_CNT	32		/* and are at most so many in a pool of LANE_BASE_BYTES, */
#define LANE_BASE_BYTES	(8ULL << 20)
#define LANE_STEP_BYTES	(512ULL << 10)	/* and one more for each so many bytes beyond that */
#define HUGE_BYTES	(2ULL << 20)
#define HUGE_SHARE	64		/* align data to 2 MiB in pools of 64 times that */

static u64 round_up_to(u64 v, u64 unit)
{
	return (v + unit - 1) / unit * unit;
}

/* Lanes of a pool whose maker did not say how many. */
static u32 lanes_default(const struct pobj_geom *g)
{
	const u64 size = g->pool_size;
	u64 cnt = size / LANE_SHARE / pobj_geom_lane_bytes(g), most = LANE_BASE_CNT;

	if (size > LANE_BASE_BYTES)
		most += (size - LANE_BASE_BYTES) / LANE_STEP_BYTES;
	if (most > POBJ_LANES_MAX)
		most = POBJ_LANES_MAX;
	if (cnt > most)
		cnt = most;
	return cnt < 2 ? 2 : (u32)cnt;
}

int pobj_geom_make(struct pobj_geom *g, u64 pool_size, u32 page_shift, u32 lane_cnt, u32 ext_cnt)
{
	u64 page, unit, rest, cnt;

	if (!page_shift)
		page_shift = POBJ_PAGE_SHIFT;
	if (page_shift < POBJ_PAGE_SHIFT_MIN || page_shift > POBJ_PAGE_SHIFT_MAX ||
	    lane_cnt > POBJ_LANES_MAX || ext_cnt > POBJ_M_PACKED_MAX)
		return -EINVAL;
	/* Far from the end of u64, so that no sum below can wrap. */
	if (pool_size > 1ULL << 62)
		return -EINVAL;

	g->pool_size = pool_size / POBJ_M_LINE * POBJ_M_LINE;
	g->page_shift = page_shift;
	g->ext_cnt = ext_cnt;
	if (!lane_cnt)
		lane_cnt = lanes_default(g);
	g->lane_cnt = lane_cnt;

	page = 1ULL << page_shift;
	if (g->pool_size >= HUGE_SHARE * HUGE_BYTES)
		unit = HUGE_BYTES;
	else if (g->pool_size >= HUGE_BYTES)
		unit = 4096;
	else
		unit = page;
	if (unit < page)
		unit = page;

	/* 128: the unit in which neighbouring lines are fetched together. */
	g->lane_off = round_up_to(POBJ_M_HEADER_END, 128);
	g->line_off = round_up_to(g->lane_off + lane_cnt * pobj_geom_lane_bytes(g), 128);
	if (g->line_off >= g->pool_size)
		return -ENOSPC;
	rest = g->pool_size - g->line_off;
	cnt = rest / (page + POBJ_M_LINE);
	/* What alignment takes away is found by going down; a unit holds few pages' worth. */
	for (; cnt; cnt -= cnt > 64 ? cnt / 64 : 1) {
		g->data_off = round_up_to(g->line_off + cnt * POBJ_M_LINE, unit);
		if (g->data_off < g->pool_size && g->pool_size - g->data_off >= page)
			break;
	}
	if (!cnt)
		return -ENOSPC;
	g->page_cnt = (g->pool_size - g->data_off) >> page_shift;
	/* Lines up to data_off there are; the pages behind it may be more than they describe. */
	if (g->page_cnt > (g->data_off - g->line_off) / POBJ_M_LINE)
		g->page_cnt = (g->data_off - g->line_off) / POBJ_M_LINE;
	return 0;
}

int pobj_geom_check(const struct pobj_geom *g, u64 media_size, struct pobj_finding *f)
{
	u64 lanes, lines;

#define BAD(field, val, want)						\
	pobj_found(f, -EUCLEAN, POBJ_DIAG_SUPER_FIELD,			\
		   offsetof(struct pobj_m_super, field), (val), (want))

	if (g->pool_size > media_size)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_TRUNCATED,
				  offsetof(struct pobj_m_super, pool_size), media_size,
				  g->pool_size);
	if (g->pool_size > 1ULL << 62 || g->pool_size % POBJ_M_LINE)
		return BAD(pool_size, g->pool_size, 0);
	if (g->page_shift < POBJ_PAGE_SHIFT_MIN || g->page_shift > POBJ_PAGE_SHIFT_MAX)
		return BAD(page_shift, g->page_shift, POBJ_PAGE_SHIFT);
	if (g->lane_cnt < 1 || g->lane_cnt > POBJ_LANES_MAX)
		return BAD(lane_cnt, g->lane_cnt, POBJ_LANES_MAX);
	if (g->ext_cnt > POBJ_M_PACKED_MAX)
		return BAD(ext_cnt, g->ext_cnt, POBJ_M_PACKED_MAX);

	if (g->lane_off < POBJ_M_HEADER_END || g->lane_off > g->pool_size ||
	    g->lane_off % POBJ_M_LINE)
		return BAD(lane_off, g->lane_off, POBJ_M_HEADER_END);
	lanes = g->lane_cnt * pobj_geom_lane_bytes(g);	/* below 2^10 * 2^23 */
	if (g->line_off < g->lane_off || g->line_off - g->lane_off < lanes ||
	    g->line_off > g->pool_size || g->line_off % POBJ_M_LINE)
		return BAD(line_off, g->line_off, g->lane_off + lanes);
	if (g->page_cnt < 1 || g->page_cnt > g->pool_size >> g->page_shift)
		return BAD(page_cnt, g->page_cnt, g->pool_size >> g->page_shift);
	lines = g->page_cnt * POBJ_M_LINE;
	if (g->data_off < g->line_off || g->data_off - g->line_off < lines ||
	    g->data_off > g->pool_size || g->data_off % pobj_geom_page_bytes(g))
		return BAD(data_off, g->data_off, g->line_off + lines);
	if (g->pool_size - g->data_off < pobj_geom_data_bytes(g))
		return BAD(page_cnt, g->page_cnt,
			   (g->pool_size - g->data_off) >> g->page_shift);
#undef BAD
	return 0;
}

u64 pobj_geom_sidecar_bytes(const struct pobj_geom *g)
{
	struct pobj_side side;

	pobj_side_layout(g, &side);
	return round_up_to(side.bytes, HUGE_BYTES);
}
