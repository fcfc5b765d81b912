/* SPDX-License-Identifier: BSD-3-Clause */
/* What hands do: the steps of operations, and of what comes before and after them. */
#ifndef SELFTESTS_KILL_HAND_H
#define SELFTESTS_KILL_HAND_H

#include <stdio.h>
#include <string.h>

#include "lib/heap.h"
#include "pobj.h"
#include "selftests/kill/engine/op.h"

static void __attribute__((noreturn)) fail(const char *what)
{
	snprintf(stage->text, sizeof(stage->text), "%s: %s", what, pmemobj_errormsg());
	printf("# %s\n", stage->text);
	fflush(stdout);
	_exit(1);
}

static void hand_open(struct hand *h)
{
	h->pop = pmemobj_open(pool_path, "step");
	if (!h->pop)
		fail("open");
}

/* Not in open: it waits for a lock. */
static void hand_root(struct hand *h)
{
	h->root = pmemobj_direct(pmemobj_root(h->pop, sizeof(struct root)));
	if (!h->root)
		fail("root");
	points.each = (char *)h->root;
	points.each_end = (char *)h->root + sizeof(*h->root);
	points.bulk = (char *)h->pop + pobj_pool_raw(h->pop)->super.geom.data_off;
	points.bulk_end = (char *)h->pop + pobj_pool_raw(h->pop)->media.size;
}

static void note(unsigned int d, uint64_t size, uint64_t type, uint64_t stamp)
{
	if (!points.armed)
		stage->before.d[d] = (struct thing){ size, type, stamp };
}

static int stamp(PMEMobjpool *pop, void *ptr, void *arg)
{
	memcpy(ptr, arg, sizeof(uint64_t));
	pmemobj_persist(pop, ptr, sizeof(uint64_t));
	return 0;
}

static void put_typed(struct hand *h, unsigned int d, uint64_t size, uint64_t type)
{
	uint64_t s = STAMP(size, type);

	if (pmemobj_alloc(h->pop, &h->root->d[d], size, type, stamp, &s))
		fail("alloc");
	note(d, size, type, s);
}

static void put(struct hand *h, unsigned int d, uint64_t size)
{
	put_typed(h, d, size, TYPE);
}

static void drop(struct hand *h, unsigned int d)
{
	pmemobj_free(&h->root->d[d]);
	if (!OID_IS_NULL(h->root->d[d]))
		fail("free");
	note(d, 0, 0, 0);
}

static void resize(struct hand *h, unsigned int d, uint64_t size)
{
	if (pmemobj_realloc(h->pop, &h->root->d[d], size, TYPE))
		fail("realloc");
}

/* One more element, at the end of the list. */
static void list_add(struct hand *h)
{
	uint64_t s = STAMP(ELEMENT, TYPE);
	PMEMoid oid;

	oid = pmemobj_list_insert_new(h->pop, ENTRY, &h->root->list, OID_NULL, 0, ELEMENT, TYPE,
				      stamp, &s);
	if (OID_IS_NULL(oid))
		fail("list_insert_new");
	if (!points.armed)
		stage->before.list++;
}

/* The first element is none any more, and freed. */
static void list_drop(struct hand *h)
{
	if (pmemobj_list_remove(h->pop, ENTRY, &h->root->list, h->root->list.first, 1))
		fail("list_remove");
}

static struct pobj_action *next_act(struct hand *h)
{
	return &h->act[h->acts++];
}

static PMEMoid reserve(struct hand *h, uint64_t size)
{
	PMEMoid oid = pmemobj_reserve(h->pop, next_act(h), size, TYPE);
	uint64_t s = STAMP(size, TYPE);

	if (OID_IS_NULL(oid))
		fail("reserve");
	stamp(h->pop, pmemobj_direct(oid), &s);
	return oid;
}

static void name(struct hand *h, unsigned int d, PMEMoid oid)
{
	pmemobj_set_value(h->pop, next_act(h), &h->root->d[d].off, oid.off);
	pmemobj_set_value(h->pop, next_act(h), &h->root->d[d].pool_uuid_lo, oid.pool_uuid_lo);
}

static void defer(struct hand *h, unsigned int d)
{
	pmemobj_defer_free(h->pop, h->root->d[d], next_act(h));
	name(h, d, OID_NULL);
}

static void publish(struct hand *h)
{
	if (pmemobj_publish(h->pop, h->act, h->acts))
		fail("publish");
}

/* Give up all slabs: others may adopt them. */
static void let_go(struct hand *h)
{
	pobj_slabs_give_up(pobj_tlane_of(h->pop));
}

static void hand_clear(struct hand *h)
{
	unsigned int d;

	for (d = 0; d < DESTS; d++)
		h->root->d[d] = OID_NULL;
	memset(h->root->word, 0, sizeof(h->root->word));
	memset(&h->root->list, 0, sizeof(h->root->list));
	pmemobj_persist(h->pop, h->root, sizeof(*h->root));
}

#endif
