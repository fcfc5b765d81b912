/* SPDX-License-Identifier: BSD-3-Clause */
/* To die in: lists. */
#ifndef SELFTESTS_KILL_LIST_H
#define SELFTESTS_KILL_LIST_H

#include "selftests/kill/cases/object.h"

static void list_of_two(struct hand *h)
{
	list_add(h);
	list_add(h);
}

static void list_of_two_let_go(struct hand *h)
{
	list_of_two(h);
	let_go(h);
}

OP(list_begins) = {
	.prologue = with_64, .run = list_add, .item = { LISTS(0, 1) },
};

OP(list_grows) = {
	.prologue = list_of_two, .run = list_add, .item = { LISTS(0, 3) },
};

OP(list_shrinks) = {
	.prologue = list_of_two, .run = list_drop, .item = { LISTS(0, 1) },
};

OP(list_of_others_shrinks) = {
	.setup = list_of_two_let_go, .prologue = with_64, .run = list_drop,
	.item = { LISTS(0, 1) },
};

#endif
