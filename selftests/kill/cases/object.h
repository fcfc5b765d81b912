/* SPDX-License-Identifier: BSD-3-Clause */
/* To die in: allocating, freeing and reallocating an object. */
#ifndef SELFTESTS_KILL_OBJECT_H
#define SELFTESTS_KILL_OBJECT_H

#include "selftests/kill/engine/death.h"

/* ---- allocate ----------------------------------------------------------------------------- */

static void with_64(struct hand *h)
{
	put(h, 1, 64);
}

static void with_128(struct hand *h)
{
	put(h, 8, 128);
}

static void with_nothing(struct hand *h)
{
}

static void put_64(struct hand *h)
{
	put(h, 0, 64);
}

static void put_large(struct hand *h)
{
	put(h, 0, LARGE);
}

static void put_straddling(struct hand *h)
{
	put(h, 3, 64);
}

static void put_nowhere(struct hand *h)
{
	PMEMoid oid;

	if (pmemobj_alloc(h->pop, &oid, 64, TYPE, NULL, NULL))
		fail("alloc");
}

OP(alloc_small) = {
	.prologue = with_64, .run = put_64, .item = { MAKES(0, 0, 64, TYPE) },
};

OP(alloc_across_lines) = {
	.prologue = with_64, .run = put_straddling,
	.item = { MAKES(0, 3, 64, TYPE) },
};

OP(alloc_to_no_pool) = {
	.prologue = with_64, .run = put_nowhere, .item = { LEAVES(0, 1) },
};

OP(alloc_in_new_slab) = {
	.prologue = with_128, .run = put_64, .item = { MAKES(0, 0, 64, TYPE) },
};

OP(alloc_with_new_lane) = {
	.prologue = with_nothing, .run = put_64,
	.item = { MAKES(0, 0, 64, TYPE) },
	.scans = true,
};

OP(alloc_large) = {
	.prologue = with_64, .run = put_large, .item = { MAKES(0, 0, LARGE, TYPE) },
};

static void slab_to_adopt(struct hand *h)
{
	unsigned int d;

	for (d = 2; d < 6; d++)
		put(h, d, 64);
	drop(h, 4);
	let_go(h);
}

OP(alloc_adopts) = {
	.setup = slab_to_adopt, .prologue = with_128, .run = put_64,
	.item = { MAKES(0, 0, 64, TYPE) },
};

/* The only object of its slab is free, and may not be had: its free is not retired. */
static void slab_in_quarantine(struct hand *h)
{
	put(h, 2, POBJ_CLASS_MAX);
	let_go(h);
	drop(h, 2);
}

static void put_16384(struct hand *h)
{
	put(h, 0, POBJ_CLASS_MAX);
}

OP(alloc_adopts_none) = {
	.setup = slab_in_quarantine, .prologue = with_128, .run = put_16384,
	.item = { MAKES(0, 0, POBJ_CLASS_MAX, TYPE) },
};

static void many_types(struct hand *h)
{
	unsigned int d;

	for (d = 4; d < 8; d++)
		put_typed(h, d, 64, TYPE + d);
}

static void put_fifth_type(struct hand *h)
{
	put_typed(h, 0, 64, 99);
}

OP(alloc_mixed) = {
	.prologue = many_types, .run = put_fifth_type, .item = { MAKES(0, 0, 64, 99) },
};

static void zalloc_small(struct hand *h)
{
	if (pmemobj_zalloc(h->pop, &h->root->d[0], 320, TYPE))
		fail("zalloc");
}

static void zalloc_large(struct hand *h)
{
	if (pmemobj_zalloc(h->pop, &h->root->d[0], LARGE, TYPE))
		fail("zalloc");
}

static void dup_text(struct hand *h)
{
	if (pmemobj_strdup(h->pop, &h->root->d[0], "A hundred bottles of beer", TYPE))
		fail("strdup");
}

OP(zalloc) = {
	.prologue = with_64, .run = zalloc_small, .item = { HOLDS(0, 0, 320, TYPE, 0) },
};

OP(zalloc_of_large) = {
	.prologue = with_64, .run = zalloc_large,
	.item = { HOLDS(0, 0, LARGE, TYPE, 0) },
};

OP(strdup_small) = {
	.prologue = with_64, .run = dup_text,
	.item = { HOLDS(0, 0, 26, TYPE, 0x6572646e75682041ULL) },
};

/* ---- free --------------------------------------------------------------------------------- */

static void with_two(struct hand *h)
{
	put(h, 0, 64);
	put(h, 1, 64);
}

static void with_two_let_go(struct hand *h)
{
	with_two(h);
	let_go(h);
}

static void with_other(struct hand *h)
{
	put(h, 2, 64);
}

/* A slab of one object: full. */
static void with_full(struct hand *h)
{
	put(h, 0, POBJ_CLASS_MAX);
	let_go(h);
}

static void drop_it(struct hand *h)
{
	drop(h, 0);
}

static void with_large(struct hand *h)
{
	put(h, 0, LARGE);
}

static void with_straddling(struct hand *h)
{
	put(h, 3, 64);
}

static void drop_straddling(struct hand *h)
{
	drop(h, 3);
}

OP(free_own) = {
	.prologue = with_two, .run = drop_it, .item = { FREES(0, 0) },
};

OP(free_across_lines) = {
	.prologue = with_straddling, .run = drop_straddling,
	.item = { FREES(0, 3) },
};

OP(free_remote) = {
	.setup = with_two, .prologue = with_other, .run = drop_it,
	.item = { FREES(0, 0) },
};

OP(free_unowned) = {
	.setup = with_two_let_go, .prologue = with_128, .run = drop_it,
	.item = { FREES(0, 0) },
};

OP(free_in_full_slab) = {
	.setup = with_full, .prologue = with_128, .run = drop_it,
	.item = { FREES(0, 0) },
};

OP(free_large) = {
	.prologue = with_large, .run = drop_it, .item = { FREES(0, 0) },
};

static void with_four_large(struct hand *h)
{
	unsigned int d;

	for (d = 4; d < 8; d++)
		put(h, d, LARGE);
}

static void drop_four(struct hand *h)
{
	unsigned int d;

	for (d = 4; d < 8; d++)
		drop(h, d);
}

static void with_freed(struct hand *h)
{
	with_two(h);
	drop(h, 0);
}

OP(free_four_large) = {
	.prologue = with_four_large, .run = drop_four,
	.item = { FREES(0, 4), FREES(1, 5), FREES(2, 6), FREES(3, 7) },
};

OP(alloc_of_freed) = {
	.prologue = with_freed, .run = put_64, .item = { MAKES(0, 0, 64, TYPE) },
};

/* ---- reallocate --------------------------------------------------------------------------- */

static void with_256(struct hand *h)
{
	put(h, 0, 256);
}

static void resize_64(struct hand *h)
{
	resize(h, 0, 64);
}

static void resize_256(struct hand *h)
{
	resize(h, 0, 256);
}

static void resize_large(struct hand *h)
{
	resize(h, 0, LARGE);
}

OP(realloc_up) = {
	.prologue = with_two, .run = resize_256,
	.item = { HOLDS(0, 0, 256, TYPE, STAMP(64, TYPE)) },
};

OP(realloc_down) = {
	.prologue = with_256, .run = resize_64,
	.item = { HOLDS(0, 0, 64, TYPE, STAMP(256, TYPE)) },
};

OP(realloc_to_large) = {
	.prologue = with_two, .run = resize_large,
	.item = { HOLDS(0, 0, LARGE, TYPE, STAMP(64, TYPE)) },
};

OP(realloc_from_large) = {
	.prologue = with_large, .run = resize_64,
	.item = { HOLDS(0, 0, 64, TYPE, STAMP(LARGE, TYPE)) },
};

OP(realloc_remote) = {
	.setup = with_two, .prologue = with_128, .run = resize_256,
	.item = { HOLDS(0, 0, 256, TYPE, STAMP(64, TYPE)) },
};

#endif
