// SPDX-License-Identifier: BSD-3-Clause
/* The objects of a pool, one after the other: each is met once, by its type too, and no root is. */
#include "compat.h"

POBJ_LAYOUT_BEGIN(iterate);
POBJ_LAYOUT_ROOT(iterate, struct compat_root);
POBJ_LAYOUT_TOID(iterate, struct one);
POBJ_LAYOUT_TOID(iterate, struct two);
POBJ_LAYOUT_TOID(iterate, struct none);
POBJ_LAYOUT_END(iterate);

struct one {
	uint64_t n;
	char more[120];
};

struct two {
	uint64_t n;
	char more[1000];
};

struct none {
	int n;
};

typedef ID(one) one_t;
typedef ID(two) two_t;
typedef ID(none) none_t;

TEST_F(heap, empty)
{
	one_t one;
	PMEMoid o, next;
	int met = 0;

	EXPECT_TRUE(OID_IS_NULL(pmemobj_first(self->pop)));
	EXPECT_TRUE(OID_IS_NULL(pmemobj_next(OID_NULL)));
	EXPECT_TRUE(TOID_IS_NULL(POBJ_FIRST(self->pop, struct one)));
	EXPECT_TRUE(OID_IS_NULL(POBJ_FIRST_TYPE_NUM(self->pop, 99)));
	POBJ_FOREACH(self->pop, o)
		met++;
	POBJ_FOREACH_SAFE(self->pop, o, next)
		met++;
	POBJ_FOREACH_TYPE(self->pop, one)
		met++;
	EXPECT_EQ(0, met);
}

TEST_F(heap, the_only_one)
{
	one_t one = TOID_NULL(struct one), found;

	ASSERT_EQ(0, POBJ_ZNEW(self->pop, &one, struct one));
	EXPECT_TRUE(OID_EQUALS(one.oid, pmemobj_first(self->pop)));
	EXPECT_TRUE(OID_IS_NULL(pmemobj_next(one.oid)));
	found = POBJ_FIRST(self->pop, struct one);
	EXPECT_TRUE(TOID_EQUALS(one, found));
	found = POBJ_NEXT(found);
	EXPECT_TRUE(TOID_IS_NULL(found));
	EXPECT_TRUE(TOID_IS_NULL(POBJ_FIRST(self->pop, struct two)));
	/* Large ones, alone. */
	POBJ_FREE(&one);
	ASSERT_EQ(0, POBJ_ZALLOC(self->pop, &one, struct one, 3 * MIB));
	EXPECT_TRUE(OID_EQUALS(one.oid, pmemobj_first(self->pop)));
	EXPECT_TRUE(OID_IS_NULL(pmemobj_next(one.oid)));
	HEAP_REOPEN();
	EXPECT_TRUE(OID_EQUALS(one.oid, pmemobj_first(self->pop)));
	POBJ_FREE(&one);
	EXPECT_TRUE(OID_IS_NULL(pmemobj_first(self->pop)));
}

TEST_F(heap, root_is_hidden)
{
	PMEMoid root = pmemobj_root(self->pop, 0), o;
	size_t size;

	/* Wherever it moves to. */
	for (size = sizeof(struct compat_root); size < 4 * MIB; size *= 3) {
		root = pmemobj_root(self->pop, size);
		ASSERT_FALSE(OID_IS_NULL(root));
		EXPECT_EQ(0, objects(self->pop));
		EXPECT_EQ(0, objects_of_type(self->pop, TOID_TYPE_NUM(struct none)));
	}
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &o, 64, 1, NULL, NULL));
	EXPECT_EQ(1, objects(self->pop));
	HEAP_REOPEN();
	EXPECT_EQ(1, objects(self->pop));
#ifndef THEIRS
	/* By a flag, not by its number. */
	EXPECT_EQ(0, objects_of_type(self->pop, 0));
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &o, 64, 0, NULL, NULL));
	EXPECT_EQ(1, objects_of_type(self->pop, 0));
	EXPECT_EQ(2, objects(self->pop));
	pmemobj_free(&o);
	EXPECT_EQ(0, objects_of_type(self->pop, 0));
#endif
}

/* Sizes from words to pages and beyond, types in no order. */
static size_t size_of(size_t i)
{
	static const size_t sizes[] = { 8, 16, 40, 64, 100, 128, 300, 1000, 3000 };

	if (i % 500 == 499)
		return 70000 + i;
	return sizes[i % ARRAY_SIZE(sizes)];
}

static uint64_t type_of(size_t i)
{
	return TYPE_MIN + i * 7 / 3 % 4;
}

TEST_F(heap, each_is_met_once)
{
	size_t i, n = 10000, kept, cnt;
	PMEMoid *oid = calloc(n, sizeof(*oid));
	uint64_t type;

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &oid[i], size_of(i), type_of(i), NULL, NULL));
	EXPECT_EQ(n, objects(self->pop));
	/* Every third one goes. */
	for (kept = 0, i = 0; i < n; i++) {
		if (i % 3)
			oid[kept++] = oid[i];
		else
			pmemobj_free(&oid[i]);
	}
	for (i = 0; i < 2; i++) {
		cnt = 0;
		EXPECT_TRUE(objects_are(self->pop, oid, kept));
		for (type = TYPE_MIN; type < TYPE_MIN + 4; type++) {
			EXPECT_GT(objects_of_type(self->pop, type), kept / 10);
			cnt += objects_of_type(self->pop, type);
		}
		EXPECT_EQ(kept, cnt);
		HEAP_REOPEN();
	}
	for (i = 0; i < kept; i++)
		pmemobj_free(&oid[i]);
	EXPECT_TRUE(OID_IS_NULL(pmemobj_first(self->pop)));
	free(oid);
}

TEST_F(heap, many_types)
{
	size_t i, n = 600;
	PMEMoid o;

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &self->root->slot[i], 40, 1000 + 3 * i, NULL,
					   NULL));
	HEAP_REOPEN();
	for (i = 0; i < n; i++) {
		o = POBJ_FIRST_TYPE_NUM(self->pop, 1000 + 3 * i);
		EXPECT_TRUE(OID_EQUALS(o, self->root->slot[i]));
		EXPECT_TRUE(OID_IS_NULL(POBJ_NEXT_TYPE_NUM(o)));
		EXPECT_TRUE(OID_IS_NULL(POBJ_FIRST_TYPE_NUM(self->pop, 1001 + 3 * i)));
	}
	EXPECT_EQ(n, objects(self->pop));
}

TEST_F(heap, typed_loops)
{
	uint64_t sum[2] = { 0, 0 }, i;
	one_t one, one_next;
	two_t two, two_next;
	none_t none;

	for (i = 1; i <= 1000; i++) {
		one = TOID_NULL(struct one);
		two = TOID_NULL(struct two);
		ASSERT_EQ(0, POBJ_ZNEW(self->pop, &one, struct one));
		ASSERT_EQ(0, POBJ_ZNEW(self->pop, &two, struct two));
		D_RW(one)->n = i;
		D_RW(two)->n = i * 1000;
	}
	POBJ_FOREACH_TYPE(self->pop, one)
		sum[0] += D_RO(one)->n;
	POBJ_FOREACH_TYPE(self->pop, two)
		sum[1] += D_RO(two)->n;
	POBJ_FOREACH_TYPE(self->pop, none)
		sum[0] += D_RO(none)->n + 1;
	EXPECT_EQ(500500, sum[0]);
	EXPECT_EQ(500500000, sum[1]);

	/* Some are removed on the way, all others are still met. */
	sum[0] = 0;
	POBJ_FOREACH_SAFE_TYPE(self->pop, one, one_next) {
		sum[0] += D_RO(one)->n;
		if (D_RO(one)->n % 2)
			POBJ_FREE(&one);
	}
	EXPECT_EQ(500500, sum[0]);
	EXPECT_EQ(500, objects_of_type(self->pop, TOID_TYPE_NUM(struct one)));
	sum[0] = 0;
	POBJ_FOREACH_TYPE(self->pop, one)
		sum[0] += D_RO(one)->n;
	EXPECT_EQ(250500, sum[0]);
	POBJ_FOREACH_SAFE_TYPE(self->pop, two, two_next)
		POBJ_FREE(&two);
	EXPECT_EQ(500, objects(self->pop));
	EXPECT_TRUE(TOID_IS_NULL(POBJ_FIRST(self->pop, struct two)));
}

TEST_F(heap, typed_first_and_next)
{
	one_t one = TOID_NULL(struct one);
	uint64_t i, n = 0;

	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, POBJ_ZNEW(self->pop, NULL, struct one));
		ASSERT_EQ(0, POBJ_ZNEW(self->pop, NULL, struct two));
	}
	for (one = POBJ_FIRST(self->pop, struct one); !TOID_IS_NULL(one); one = POBJ_NEXT(one)) {
		EXPECT_TRUE(TOID_VALID(one));
		n++;
	}
	EXPECT_EQ(300, n);
}

TEST_F(heap, safe_loop_removes)
{
	PMEMoid o, next;
	size_t i, met = 0;

	for (i = 0; i < 3000; i++)
		ASSERT_EQ(0, pmemobj_alloc(self->pop, NULL, size_of(i), type_of(i), NULL, NULL));
	POBJ_FOREACH_SAFE(self->pop, o, next) {
		met++;
		if (met % 2)
			pmemobj_free(&o);
	}
	EXPECT_EQ(3000, met);
	EXPECT_EQ(1500, objects(self->pop));
	POBJ_FOREACH_SAFE(self->pop, o, next)
		pmemobj_free(&o);
	EXPECT_EQ(0, objects(self->pop));
}

#ifndef THEIRS
TEST_F(heap, plain_loop_removes)
{
	size_t i, met = 0;
	PMEMoid o, gone;
	one_t one, gone_one;

	for (i = 0; i < 3000; i++)
		ASSERT_EQ(0, pmemobj_alloc(self->pop, NULL, size_of(i), 1 + i % 2, NULL, NULL));
	POBJ_FOREACH(self->pop, o) {
		met++;
		gone = o;
		if (met % 3 == 0)
			pmemobj_free(&gone);
	}
	EXPECT_EQ(3000, met);
	EXPECT_EQ(2000, objects(self->pop));
	met = objects_of_type(self->pop, 1);
	POBJ_FOREACH_TYPE(self->pop, one) {
		met--;
		gone_one = one;
		POBJ_FREE(&gone_one);
	}
	EXPECT_EQ(0, met);
	EXPECT_EQ(0, objects_of_type(self->pop, 1));
	/* All at once behind the back of the one that walks. */
	o = pmemobj_first(self->pop);
	while (!OID_IS_NULL(pmemobj_first(self->pop))) {
		gone = pmemobj_first(self->pop);
		pmemobj_free(&gone);
	}
	EXPECT_TRUE(OID_IS_NULL(pmemobj_next(o)));
}

TEST_F(heap, old_ones_are_met_while_others_come_and_go)
{
	PMEMoid *old = calloc(2000, sizeof(*old)), o, *seen = calloc(20000, sizeof(*seen));
	size_t i, n = 0, old_met = 0;
	PMEMoid young[50];

	for (i = 0; i < 2000; i++)
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &old[i], size_of(i), type_of(i), NULL, NULL));
	oids_sort(old, 2000);
	for (i = 0; i < ARRAY_SIZE(young); i++)
		young[i] = OID_NULL;
	POBJ_FOREACH(self->pop, o) {
		ASSERT_LT(n, 20000);
		seen[n] = o;
		old_met += !!bsearch(&o, old, 2000, sizeof(o), oid_compare);
		pmemobj_free(&young[n % 50]);
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &young[n % 50], size_of(n), type_of(n), NULL,
					   NULL));
		n++;
	}
	EXPECT_EQ(2000, old_met);
	free(old);
	free(seen);
}
#endif

TEST_HARNESS_MAIN
