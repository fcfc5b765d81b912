// SPDX-License-Identifier: BSD-3-Clause
/*
 * Constructors that call the library: they allocate, free, reserve and publish objects of the kind
 * that is being constructed, deep into each other, until their lane's slabs run over, or the pool
 * is full.
 */
#include "pool_fixture.h"
#include "audit.h"
#include "lib/heap.h"

static uint64_t count(PMEMobjpool *pop)
{
	uint64_t n = 0;
	PMEMoid o;

	POBJ_FOREACH(pop, o)
		n++;
	return n;
}

#define LANES_TAKEN(pop) ({							\
	struct audit __a;							\
	EXPECT_EQ(0, audit_pool(pop, &__a))					\
		TH_LOG("%s", __a.text);						\
	(int)__a.lanes;								\
})

/* ---- deep into each other ---------------------------------------------------------------- */

#define DEPTH	24
#define EACH	100
#define RESERVED 50		/* of which half are published */

/* What constructors made: each object says its number. */
struct nest {
	PMEMoid oid[DEPTH * EACH * 2];
	size_t size;
	int cnt;
	int depth;
	int cancel_at;		/* depth at which to cancel; 0: nowhere */
	bool wrong;
};

static void nest_note(struct nest *n, PMEMoid oid)
{
	uint64_t *p = pmemobj_direct(oid);

	p[0] = (uint64_t)n->cnt;
	p[1] = ~p[0];
	n->oid[n->cnt++] = oid;
}

static void nest_alloc(PMEMobjpool *p, struct nest *n)
{
	PMEMoid oid;
	int i;

	for (i = 0; i < EACH; i++) {
		oid = OID_NULL;
		if (pmemobj_alloc(p, &oid, n->size, 1, NULL, NULL)) {
			n->wrong = true;
			return;
		}
		nest_note(n, oid);
		if (i % 3 == 0)
			pmemobj_free(&n->oid[--n->cnt]);
	}
}

static void nest_reserve(PMEMobjpool *p, struct nest *n, struct pobj_action act[RESERVED])
{
	PMEMoid oid;
	int i;

	for (i = 0; i < RESERVED; i++) {
		oid = pmemobj_reserve(p, &act[i], n->size, 1);
		if (OID_IS_NULL(oid))
			n->wrong = true;
		else if (i % 2)
			nest_note(n, oid);
	}
}

static void nest_publish(PMEMobjpool *p, struct nest *n, struct pobj_action act[RESERVED])
{
	int i;

	for (i = 0; i < RESERVED && !n->wrong; i++) {
		if (i % 2)
			n->wrong |= pmemobj_publish(p, &act[i], 1) != 0;
		else
			pmemobj_cancel(p, &act[i], 1);
	}
}

static int nest(PMEMobjpool *p, void *at, void *arg)
{
	struct pobj_action act[RESERVED];
	struct nest *n = arg;
	const int depth = ++n->depth;
	uint64_t *mine = at;
	PMEMoid oid = OID_NULL;
	int ret;

	mine[0] = 1000000 + (uint64_t)depth;
	mine[1] = ~mine[0];
	nest_alloc(p, n);
	nest_reserve(p, n, act);
	if (depth < DEPTH) {
		/* Those below are constructed while this one is. */
		ret = pmemobj_alloc(p, &oid, n->size, 1, nest, n);
		if (ret != (depth + 1 == n->cancel_at ? -1 : 0))
			n->wrong = true;
	}
	nest_publish(p, n, act);
	if (mine[0] != 1000000 + (uint64_t)depth || mine[1] != ~mine[0])
		n->wrong = true;
	return depth == n->cancel_at;
}

static int by_offset(const void *a, const void *b)
{
	const PMEMoid *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* None twice, and each with its number: those of constructors have theirs. */
static bool nest_ok(PMEMobjpool *pop, const struct nest *n, int constructed)
{
	static PMEMoid sorted[DEPTH * EACH * 2];
	const uint64_t *p;
	PMEMoid o;
	int i;

	for (i = 0; i < n->cnt; i++) {
		p = pmemobj_direct(n->oid[i]);
		if (p[0] != (uint64_t)i || p[1] != ~p[0])
			return false;
	}
	memcpy(sorted, n->oid, n->cnt * sizeof(*sorted));
	qsort(sorted, n->cnt, sizeof(*sorted), by_offset);
	for (i = 1; i < n->cnt; i++) {
		if (sorted[i].off == sorted[i - 1].off)
			return false;
	}
	POBJ_FOREACH(pop, o) {
		p = pmemobj_direct(o);
		constructed -= p[0] > 1000000 && p[1] == ~p[0];
	}
	return !constructed;
}

static void nest_free(PMEMobjpool *pop, struct nest *n)
{
	PMEMoid o, next;

	POBJ_FOREACH_SAFE(pop, o, next)
		pmemobj_free(&o);
	n->cnt = 0;
	n->depth = 0;
}

TEST_F_TIMEOUT(pool, nested_constructors, 60)
{
	static const size_t sizes[] = { 64, 1024, 2048 };
	static struct nest n;
	PMEMobjpool *pop;
	struct pobj_pool *p;
	PMEMoid oid = OID_NULL;
	uint64_t all;
	int i, slab;

	CREATE();
	pop = self->pop;
	p = pobj_pool_raw(pop);
	for (i = 0; i < 6; i++) {
		n.size = sizes[i / 2];
		n.cancel_at = i % 2 ? DEPTH / 2 : 0;
		/* More than a lane owns of a kind, all of them with something on its way. */
		slab = (int)pobj_class_count(&p->super.geom, (u32)n.size,
					     p->heap->classes[pobj_class_of(n.size)].pages, false);
		if (n.size > 64)
			EXPECT_LT((int)POBJ_SLABS_OWNED * slab, DEPTH * EACH / 2);
		oid = OID_NULL;
		EXPECT_EQ(0, pmemobj_alloc(pop, &oid, n.size, 1, nest, &n));
		EXPECT_FALSE(n.wrong)
			TH_LOG("%s", pmemobj_errormsg());
		EXPECT_EQ(DEPTH, n.depth);
		all = (uint64_t)n.cnt + DEPTH - i % 2;
		EXPECT_EQ(all, count(pop));
		EXPECT_TRUE(nest_ok(pop, &n, DEPTH - i % 2));
		EXPECT_EQ(1, LANES_TAKEN(pop));
		nest_free(pop, &n);
	}
	pmemobj_close(pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

/* ---- a full pool ------------------------------------------------------------------------- */

/* Fills the pool, empties it, and takes most of it at once. */
static int fill_all(PMEMobjpool *p, void *at, void *arg)
{
	int *made = arg;
	PMEMoid oid, o, next;

	memset(at, 0x77, 64);
	for (;; ++*made) {
		oid = OID_NULL;
		if (pmemobj_alloc(p, &oid, 64, 1, NULL, NULL))
			break;
		memset(pmemobj_direct(oid), 0x11, 64);
	}
	if (errno != ENOMEM)
		return 1;
	POBJ_FOREACH_SAFE(p, o, next)
		pmemobj_free(&o);
	/* Dissolves all slabs, but not the one that the object at hand is in. */
	oid = OID_NULL;
	if (pmemobj_alloc(p, &oid, MIN / 4 * 3, 2, NULL, NULL))
		return 2;
	memset(pmemobj_direct(oid), 0x22, MIN / 4 * 3);
	pmemobj_free(&oid);
	return *(char *)at != 0x77;
}

TEST_F_TIMEOUT(pool, constructor_fills_the_pool, 60)
{
	static const size_t sizes[] = { 64, 200, 16384, 100000 };
	PMEMobjpool *pop;
	PMEMoid oid;
	int i, made;

	CREATE();
	pop = self->pop;
	for (i = 0; i < 4; i++) {
		oid = OID_NULL;
		made = 0;
		ASSERT_EQ(0, pmemobj_alloc(pop, &oid, sizes[i], 1, fill_all, &made))
			TH_LOG("size %zu: %s", sizes[i], pmemobj_errormsg());
		EXPECT_LT(100000, made);
		EXPECT_EQ(1, count(pop));
		EXPECT_EQ(0x77, *(char *)pmemobj_direct(oid));
		EXPECT_EQ(1, LANES_TAKEN(pop));
		pmemobj_free(&oid);
	}
	pmemobj_close(pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

TEST_HARNESS_MAIN
