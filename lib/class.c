// SPDX-License-Identifier: BSD-3-Clause
/*
 * Size classes. Multiples of 16 up to 128, then four to each doubling: 12 % lost inside objects on
 * average, 20 % at most. An object whose size is a multiple of a line begins at one.
 *
 * A slab has as many pages as leave little of them unused, up to 192 objects (what its line
 * can tell) and to 1/256 of the pool, so that a few classes do not use up a small pool.
 */
#include "lib/heap.h"

#define UNIT		16U
#define FINE_MAX	128U	/* up to here each multiple of UNIT is a class */
#define FINE_CNT	(FINE_MAX / UNIT)
#define POOL_SHARE	256U

static u32 class_size(u32 cls)
{
	u32 step;

	if (cls < FINE_CNT)
		return (cls + 1) * UNIT;
	step = (cls - FINE_CNT) / 4;
	return (FINE_MAX << step) / 4 * (5 + (cls - FINE_CNT) % 4);
}

u32 pobj_class_of(size_t size)
{
	u32 top;

	if (size <= FINE_MAX)
		return (u32)(size + UNIT - 1) / UNIT - 1;
	/* Power of two below, and which quarter of the way to the next one. */
	top = 31 - (u32)__builtin_clz((u32)size - 1);
	return FINE_CNT + (top - 7) * 4 + (((u32)size - 1) >> (top - 2)) - 4;
}

u32 pobj_class_count(const struct pobj_geom *g, u32 size, u32 pages, bool mixed)
{
	const u64 cnt = ((u64)pages << g->page_shift) / (size + (mixed ? sizeof(u64) : 0));
	const u32 most = POBJ_M_SLAB_PAIRS * 64;

	return cnt > most ? most : (u32)cnt;
}

static u32 class_pages(const struct pobj_geom *g, u32 size)
{
	const u64 least = pobj_geom_pages(g, size);
	u64 most = g->page_cnt / POOL_SHARE, n, used, best = 0, best_used = 0;

	if (most > POBJ_GROUP_PAGES)
		most = POBJ_GROUP_PAGES;
	if (most < least)
		most = least;
	for (n = least; n <= most; n++) {
		used = (u64)pobj_class_count(g, size, (u32)n, false) * size;
		/* More pages must waste a smaller part of them, or the same. */
		if (!best || used * best >= best_used * n) {
			best = n;
			best_used = used;
		}
	}
	return (u32)best;
}

u32 pobj_classes_make(struct pobj_class *classes, const struct pobj_geom *g)
{
	u32 i, most = 0;

	for (i = 0; i < POBJ_CLASSES; i++) {
		classes[i].size = class_size(i);
		classes[i].pages = class_pages(g, classes[i].size);
		/*
		 * A slab lies in one group, also a mixed one: with small pages some classes
		 * cannot.
		 */
		if (pobj_geom_pages(g, classes[i].size + sizeof(u64)) <= POBJ_GROUP_PAGES)
			most = classes[i].size;
	}
	return most;
}
