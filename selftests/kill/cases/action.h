/* SPDX-License-Identifier: BSD-3-Clause */
/* To die in: actions, which are reserved, cancelled and published. */
#ifndef SELFTESTS_KILL_ACTION_H
#define SELFTESTS_KILL_ACTION_H

#include "selftests/kill/cases/object.h"

static void reserve_some(struct hand *h)
{
	reserve(h, 64);
	reserve(h, 64);
	reserve(h, 128);
	reserve(h, LARGE);
}

static void cancel_some(struct hand *h)
{
	pmemobj_cancel(h->pop, h->act, h->acts);
}

static void prepare_two(struct hand *h)
{
	name(h, 0, reserve(h, 64));
	name(h, 4, reserve(h, LARGE));
	pmemobj_set_value(h->pop, next_act(h), &h->root->word[2], 42);
}

static void prepare_nameless(struct hand *h)
{
	reserve(h, 64);
	reserve(h, 64);
	reserve(h, 64);
}

static void prepare_nameless_large(struct hand *h)
{
	reserve(h, LARGE);
}

static void remote_at_5(struct hand *h)
{
	put(h, 5, 64);
}

static void prepare_frees(struct hand *h)
{
	name(h, 0, reserve(h, 64));
	put(h, 6, LARGE);
	put(h, 7, 64);
	defer(h, 5);
	defer(h, 6);
	defer(h, 7);
}

static void prepare_free_of_full(struct hand *h)
{
	name(h, 4, reserve(h, 64));
	defer(h, 0);
}

static void prepare_words(struct hand *h)
{
	unsigned int i;

	for (i = 0; i < 100; i++)
		pmemobj_set_value(h->pop, next_act(h), &h->root->word[i], 7);
}

OP(reserve_four) = {
	.prologue = with_64, .run = reserve_some,
};

OP(cancel_four) = {
	.prologue = reserve_some, .run = cancel_some,
};

OP(publish_two) = {
	.prologue = prepare_two, .run = publish,
	.item = { MAKES(0, 0, 64, TYPE), MAKES(0, 4, LARGE, TYPE), SETS(0, 2, 1, 42) },
};

OP(publish_nameless) = {
	.prologue = prepare_nameless, .run = publish, .item = { LEAVES(0, 3) },
};

OP(publish_nameless_large) = {
	.prologue = prepare_nameless_large, .run = publish,
	.item = { LEAVES(0, 1) },
};

OP(publish_frees) = {
	.setup = remote_at_5, .prologue = prepare_frees, .run = publish,
	.item = { MAKES(0, 0, 64, TYPE), FREES(0, 5), FREES(0, 6), FREES(0, 7) },
};

OP(publish_free_in_full_slab) = {
	.setup = with_full, .prologue = prepare_free_of_full,
	.run = publish, .item = { FREES(0, 0), MAKES(0, 4, 64, TYPE) },
};

OP(publish_100_words) = {
	.prologue = prepare_words, .run = publish, .item = { SETS(0, 0, 100, 7) },
};

#endif
