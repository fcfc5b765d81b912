// SPDX-License-Identifier: BSD-3-Clause
/*
 * Allocating, resizing and freeing one object at a time: every function and typed macro, every kind
 * of destination, constructors, sizes, a full pool, and what is refused.
 */
#include <stdint.h>
#include <wchar.h>

#include "compat.h"

POBJ_LAYOUT_BEGIN(objects);
POBJ_LAYOUT_ROOT(objects, struct compat_root);
POBJ_LAYOUT_TOID(objects, struct point);
POBJ_LAYOUT_TOID(objects, struct text);
POBJ_LAYOUT_END(objects);

struct point {
	uint64_t x, y, z;
};

struct text {
	size_t len;
	char bytes[];
};

/* ---- the typed macros -------------------------------------------------------------------- */

static int make_point(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct point *p = ptr;

	*p = (struct point){ 1, 2, *(int *)arg };
	pmemobj_persist(pop, p, sizeof(*p));
	return 0;
}

TEST_F(heap, typed_new)
{
	ID(point) p = TOID_NULL(struct point);
	int three = 3;

	ASSERT_EQ(0, POBJ_NEW(self->pop, &p, struct point, make_point, &three));
	EXPECT_EQ(3, D_RO(p)->z);
	EXPECT_EQ(TOID_TYPE_NUM(struct point), pmemobj_type_num(p.oid));
	EXPECT_TRUE(TOID_VALID(p));
	EXPECT_TRUE(OID_INSTANCEOF(p.oid, struct point));
	EXPECT_FALSE(OID_INSTANCEOF(p.oid, struct text));
	EXPECT_GE(pmemobj_alloc_usable_size(p.oid), sizeof(struct point));
	ASSERT_EQ(0, POBJ_NEW(self->pop, NULL, struct point, make_point, &three));
	EXPECT_EQ(2, objects_of_type(self->pop, TOID_TYPE_NUM(struct point)));
	POBJ_FREE(&p);
	EXPECT_TRUE(TOID_IS_NULL(p));
	EXPECT_EQ(1, objects(self->pop));
}

TEST_F(heap, typed_alloc_and_zero)
{
	ID(text) t = TOID_NULL(struct text), u = t, v = t;
	size_t i;

	/* So that zeros do not come by chance. */
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, POBJ_ALLOC(self->pop, &t, struct text, 500, NULL, NULL));
		pattern_fill(D_RW(t), 0, 500, i);
		((PMEMoid *)self->root)[i] = t.oid;
	}
	for (i = 0; i < 300; i++)
		pmemobj_free(&((PMEMoid *)self->root)[i]);
	EXPECT_EQ(0, objects(self->pop));
	ASSERT_EQ(0, POBJ_ZNEW(self->pop, &u, struct text));
	ASSERT_EQ(0, POBJ_ZALLOC(self->pop, &v, struct text, 500));
	EXPECT_TRUE(all_zero(D_RO(u), 0, sizeof(struct text)));
	EXPECT_TRUE(all_zero(D_RO(v), 0, 500));
	EXPECT_TRUE(TOID_VALID(u));
	EXPECT_TRUE(TOID_VALID(v));
	ASSERT_EQ(0, POBJ_ZALLOC(self->pop, NULL, struct text, 500));
	EXPECT_EQ(3, objects(self->pop));
}

TEST_F(heap, typed_realloc)
{
	ID(text) t = TOID_NULL(struct text);
	size_t usable;

	ASSERT_EQ(0, POBJ_REALLOC(self->pop, &t, struct text, 100));
	EXPECT_TRUE(TOID_VALID(t));
	pattern_fill(D_RW(t), 0, 100, 1);
	ASSERT_EQ(0, POBJ_REALLOC(self->pop, &t, struct text, 4000));
	EXPECT_TRUE(pattern_holds(D_RO(t), 0, 100, 1));
	EXPECT_TRUE(TOID_VALID(t));
	usable = pmemobj_alloc_usable_size(t.oid);
	EXPECT_GE(usable, 4000);
	pattern_fill(D_RW(t), 0, usable, 2);
	ASSERT_EQ(0, POBJ_ZREALLOC(self->pop, &t, struct text, 20000));
	EXPECT_TRUE(pattern_holds(D_RO(t), 0, usable, 2));
	EXPECT_TRUE(all_zero(D_RO(t), usable, 20000));
	EXPECT_EQ(1, objects(self->pop));
	POBJ_FREE(&t);
	EXPECT_EQ(0, objects(self->pop));
}

/* ---- functions --------------------------------------------------------------------------- */

TEST_F(heap, every_function)
{
	PMEMoid o = OID_NULL;
	struct make m = { .seed = 5, .size = 200 };

	ASSERT_EQ(0, pmemobj_alloc(self->pop, &o, 200, 3, make_pattern, &m));
	EXPECT_EQ(1, m.calls);
	EXPECT_EQ(self->pop, m.pop);
	EXPECT_EQ(m.at, pmemobj_direct(o));
	EXPECT_TRUE(pattern_holds(m.at, 0, 200, 5));
	EXPECT_EQ(3, pmemobj_type_num(o));
	EXPECT_EQ(self->pop, pmemobj_pool_by_oid(o));
	EXPECT_TRUE(OID_EQUALS(o, pmemobj_oid(m.at)));
	pmemobj_free(&o);
	EXPECT_TRUE(OID_IS_NULL(o));
	EXPECT_EQ(0, o.pool_uuid_lo);

	ASSERT_EQ(0, pmemobj_xalloc(self->pop, &o, 200, 4, 0, make_pattern, &m));
	EXPECT_EQ(2, m.calls);
	EXPECT_EQ(4, pmemobj_type_num(o));
	pmemobj_free(&o);

	ASSERT_EQ(0, pmemobj_zalloc(self->pop, &o, 200, 5));
	EXPECT_TRUE(all_zero(pmemobj_direct(o), 0, 200));
	EXPECT_EQ(5, pmemobj_type_num(o));
	pmemobj_free(&o);
	pmemobj_free(&o);		/* nothing, now that it is null */
	EXPECT_EQ(0, objects(self->pop));
}

static int wants_zeros(PMEMobjpool *pop, void *ptr, void *arg)
{
	*(bool *)arg = all_zero(ptr, 0, 1000);
	return 0;
}

TEST_F(heap, xalloc_zero)
{
	PMEMoid o[64];
	bool zeros = false;
	int i;

	for (i = 0; i < 64; i++) {
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &o[i], 1000, 1, NULL, NULL));
		memset(pmemobj_direct(o[i]), 0xff, 1000);
	}
	for (i = 0; i < 64; i++)
		pmemobj_free(&o[i]);
	for (i = 0; i < 64; i++) {
		ASSERT_EQ(0, pmemobj_xalloc(self->pop, &o[i], 1000, 1, POBJ_XALLOC_ZERO,
					    wants_zeros, &zeros));
		EXPECT_TRUE(zeros);
		EXPECT_TRUE(all_zero(pmemobj_direct(o[i]), 0, 1000));
	}
}

TEST_F(heap, strdup_wcsdup)
{
	static const wchar_t wide[] = L"h\u00e4user";
	char *longer = malloc(100000);
	PMEMoid o = OID_NULL, *slot = &self->root->slot[7];

	ASSERT_EQ(0, pmemobj_strdup(self->pop, &o, "one string", 8));
	EXPECT_STREQ("one string", pmemobj_direct(o));
	EXPECT_EQ(8, pmemobj_type_num(o));
	pmemobj_free(&o);
	ASSERT_EQ(0, pmemobj_strdup(self->pop, slot, "", 8));
	EXPECT_STREQ("", pmemobj_direct(*slot));
	pmemobj_free(slot);
	memset(longer, 'x', 99999);
	longer[99999] = 0;
	ASSERT_EQ(0, pmemobj_strdup(self->pop, slot, longer, 8));
	EXPECT_STREQ(longer, pmemobj_direct(*slot));
	ASSERT_EQ(0, pmemobj_strdup(self->pop, NULL, "nobody's", 9));
	EXPECT_STREQ("nobody's", pmemobj_direct(POBJ_FIRST_TYPE_NUM(self->pop, 9)));

	ASSERT_EQ(0, pmemobj_wcsdup(self->pop, &o, wide, 10));
	EXPECT_EQ(0, wcscmp(wide, pmemobj_direct(o)));
	EXPECT_EQ(10, pmemobj_type_num(o));
	ASSERT_EQ(0, pmemobj_wcsdup(self->pop, NULL, L"", 11));
	EXPECT_EQ(4, objects(self->pop));

	o.off = 77;
	FAILS(EINVAL, pmemobj_strdup(self->pop, &o, NULL, 1));
	FAILS(EINVAL, pmemobj_wcsdup(self->pop, &o, NULL, 1));
	EXPECT_EQ(77, o.off);
	EXPECT_EQ(4, objects(self->pop));
	free(longer);
}

TEST_F(heap, type_numbers)
{
	static const uint64_t num[] = { 1, 2, 255, 256, 65536, 1ULL << 32, 1ULL << 63, UINT64_MAX };
	PMEMoid o[ARRAY_SIZE(num)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(num); i++)
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &o[i], 64, num[i], NULL, NULL));
	HEAP_REOPEN();
	for (i = 0; i < ARRAY_SIZE(num); i++) {
		EXPECT_EQ(num[i], pmemobj_type_num(o[i]));
		EXPECT_EQ(1, objects_of_type(self->pop, num[i]));
	}
#ifndef THEIRS
	EXPECT_EQ(0, pmemobj_type_num(OID_NULL));
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &o[0], 64, 0, NULL, NULL));
	EXPECT_EQ(0, pmemobj_type_num(o[0]));
	EXPECT_EQ(1, objects_of_type(self->pop, 0));
#endif
	EXPECT_EQ(0, pmemobj_alloc_usable_size(OID_NULL));
}

/* ---- constructors ------------------------------------------------------------------------ */

TEST_F(heap, constructor_cancels)
{
	struct make m = { .seed = 1, .size = 4096, .result = 1 };
	PMEMoid o = OID_NULL, *slot = self->root->slot, old;
	int i;

	FAILS(ECANCELED, pmemobj_alloc(self->pop, &o, 4096, 1, make_pattern, &m));
	EXPECT_EQ(1, m.calls);
	EXPECT_TRUE(OID_IS_NULL(o));
	FAILS(ECANCELED, pmemobj_alloc(self->pop, &slot[0], 4096, 1, make_pattern, &m));
	EXPECT_TRUE(OID_IS_NULL(slot[0]));
	FAILS(ECANCELED, pmemobj_alloc(self->pop, NULL, 4096, 1, make_pattern, &m));
	m.result = -5;
	FAILS(ECANCELED, pmemobj_xalloc(self->pop, &slot[0], 4096, 1, POBJ_XALLOC_ZERO,
					make_pattern, &m));

	/* A destination that names something else keeps it. */
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &slot[1], 64, 1, NULL, NULL));
	old = slot[1];
	FAILS(ECANCELED, pmemobj_alloc(self->pop, &slot[1], 4096, 1, make_pattern, &m));
	EXPECT_TRUE(OID_EQUALS(old, slot[1]));
	EXPECT_EQ(1, objects(self->pop));

	/* More than the pool could hold. */
	m.size = 64;
	for (i = 0; i < 20000; i++)
		ASSERT_EQ(-1, pmemobj_alloc(self->pop, &slot[2], 4096, 1, make_pattern, &m));
	EXPECT_EQ(ECANCELED, errno);
	for (i = 0; i < 100; i++)
		ASSERT_EQ(-1, pmemobj_alloc(self->pop, &slot[2], MIB, 1, make_pattern, &m));
	EXPECT_EQ(ECANCELED, errno);
	EXPECT_TRUE(OID_IS_NULL(slot[2]));
	EXPECT_EQ(1, objects(self->pop));
	HEAP_REOPEN();
	EXPECT_EQ(1, objects(self->pop));
}

#ifndef THEIRS
struct nest {
	PMEMoid *slot;
	int depth;
	int result;
};

/* Allocates, resizes and frees while its own object is on the way. */
static int nesting(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct nest *n = arg;
	struct nest inner = { n->slot + 2, n->depth - 1, 0 };
	PMEMoid own;

	pattern_fill(ptr, 0, 100, n->depth);
	pmemobj_persist(pop, ptr, 100);
	if (pmemobj_zalloc(pop, &own, 100, 2) || pmemobj_realloc(pop, &own, 3000, 2))
		return 1;
	pmemobj_free(&own);
	if (pmemobj_strdup(pop, n->slot + 1, "within", 3))
		return 1;
	if (n->depth && pmemobj_alloc(pop, inner.slot, 100, 1, nesting, &inner))
		return 1;
	return pattern_holds(ptr, 0, 100, n->depth) ? n->result : 1;
}

TEST_F(heap, constructor_calls_the_library)
{
	struct nest n = { self->root->slot, 8, 0 };
	int i;

	ASSERT_EQ(0, pmemobj_alloc(self->pop, n.slot, 100, 1, nesting, &n));
	EXPECT_EQ(9, objects_of_type(self->pop, 1));
	EXPECT_EQ(9, objects_of_type(self->pop, 3));
	EXPECT_EQ(18, objects(self->pop));
	for (i = 0; i < 9; i++) {
		EXPECT_TRUE(pattern_holds(pmemobj_direct(n.slot[2 * i]), 0, 100, 8 - i));
		EXPECT_STREQ("within", pmemobj_direct(n.slot[2 * i + 1]));
	}
	/* What was finished within stays when the outer one is cancelled. */
	n = (struct nest){ self->root->slot + 100, 0, 1 };
	FAILS(ECANCELED, pmemobj_alloc(self->pop, n.slot, 100, 1, nesting, &n));
	EXPECT_TRUE(OID_IS_NULL(n.slot[0]));
	EXPECT_FALSE(OID_IS_NULL(n.slot[1]));
	EXPECT_EQ(19, objects(self->pop));
	HEAP_REOPEN();
	EXPECT_EQ(19, objects(self->pop));
}
#endif

/* ---- destinations ------------------------------------------------------------------------ */

TEST_F(heap, destinations)
{
	PMEMoid stack = OID_NULL, *heap = calloc(1, sizeof(*heap)), *slot = self->root->slot;
	PMEMoid first;

	ASSERT_EQ(0, pmemobj_alloc(self->pop, &slot[SLOTS - 1], 64, 1, NULL, NULL));
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &stack, 64, 1, NULL, NULL));
	ASSERT_EQ(0, pmemobj_alloc(self->pop, heap, 64, 1, NULL, NULL));
	ASSERT_EQ(0, pmemobj_alloc(self->pop, NULL, 64, 1, NULL, NULL));
	EXPECT_EQ(4, objects(self->pop));
	EXPECT_EQ(slot[SLOTS - 1].pool_uuid_lo, stack.pool_uuid_lo);
	EXPECT_NE(slot[SLOTS - 1].off, stack.off);
	EXPECT_NE(heap->off, stack.off);

	/* One that names an object already: that stays allocated. */
	first = stack;
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &stack, 64, 1, NULL, NULL));
	EXPECT_NE(first.off, stack.off);
	EXPECT_EQ(5, objects(self->pop));
	pmemobj_free(&first);

	/* Within an object that is an element of another. */
	ASSERT_EQ(0, pmemobj_zalloc(self->pop, &slot[0], 4096, 2));
	heap[0] = slot[0];
	ASSERT_EQ(0, pmemobj_alloc(self->pop, (PMEMoid *)pmemobj_direct(slot[0]) + 100, 64, 3,
				   NULL, NULL));
	first = ((PMEMoid *)pmemobj_direct(slot[0]))[100];
	EXPECT_EQ(3, pmemobj_type_num(first));
	pmemobj_free((PMEMoid *)pmemobj_direct(slot[0]) + 100);
	EXPECT_EQ(0, objects_of_type(self->pop, 3));
	/* An id inside of the object that it names. */
	((PMEMoid *)pmemobj_direct(slot[0]))[5] = slot[0];
	pmemobj_free((PMEMoid *)pmemobj_direct(slot[0]) + 5);
	EXPECT_EQ(0, objects_of_type(self->pop, 2));

	pmemobj_free(&slot[SLOTS - 1]);
	EXPECT_TRUE(OID_IS_NULL(slot[SLOTS - 1]));
	pmemobj_free(&stack);
	EXPECT_EQ(2, objects(self->pop));
	free(heap);
}

TEST_F(heap, every_slot_of_a_line)
{
	/* An id that begins at each word of two lines, so that it straddles them once. */
	uint64_t *word = self->root->word;
	int i;

	for (i = 0; i < 14; i++) {
		PMEMoid *dest = (PMEMoid *)(void *)&word[i];

		word[i + 2] = 0x77;
		ASSERT_EQ(0, pmemobj_alloc(self->pop, dest, 64, 1, NULL, NULL));
		EXPECT_EQ(1, objects(self->pop));
		EXPECT_EQ(1, pmemobj_type_num(*dest));
		EXPECT_EQ(0, pmemobj_realloc(self->pop, dest, 5000, 1));
		EXPECT_EQ(1, objects(self->pop));
		pmemobj_free(dest);
		EXPECT_EQ(0, word[i]);
		EXPECT_EQ(0, word[i + 1]);
		EXPECT_EQ(0x77, word[i + 2]);
		EXPECT_EQ(0, objects(self->pop));
	}
}

TEST_F(heap, destination_in_another_pool)
{
	PMEMobjpool *other = pmemobj_create(files_path("other"), LAYOUT, PMEMOBJ_MIN_POOL, 0600);
	PMEMoid *far, copy;

	ASSERT_NE(NULL, other);
	far = pmemobj_direct(pmemobj_root(other, sizeof(PMEMoid) * 8));
	ASSERT_NE(NULL, far);
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &far[1], 64, 1, NULL, NULL));
	EXPECT_EQ(1, objects(self->pop));
	EXPECT_EQ(0, objects(other));
	EXPECT_EQ(self->pop, pmemobj_pool_by_oid(far[1]));
	memset(pmemobj_direct(far[1]), 0x12, 64);
	ASSERT_EQ(0, pmemobj_realloc(self->pop, &far[1], 10000, 1));
	EXPECT_EQ(0x12, ((char *)pmemobj_direct(far[1]))[63]);
	EXPECT_EQ(1, objects(self->pop));
	copy = far[1];
	HEAP_REOPEN();
	EXPECT_TRUE(OID_EQUALS(copy, far[1]));
	pmemobj_free(&far[1]);
	EXPECT_TRUE(OID_IS_NULL(far[1]));
	EXPECT_EQ(0, objects(self->pop));
	/* And the other way round, at once. */
	ASSERT_EQ(0, pmemobj_strdup(other, &self->root->slot[0], "there", 1));
	ASSERT_EQ(0, pmemobj_strdup(self->pop, &far[0], "here", 1));
	EXPECT_STREQ("there", pmemobj_direct(self->root->slot[0]));
	EXPECT_STREQ("here", pmemobj_direct(far[0]));
	EXPECT_EQ(1, objects(other));
	pmemobj_free(&self->root->slot[0]);
	pmemobj_free(&far[0]);
	EXPECT_EQ(0, objects(other));
	EXPECT_EQ(0, objects(self->pop));
	pmemobj_close(other);
	EXPECT_EQ(1, pmemobj_check(files_path("other"), LAYOUT));
}

/* ---- sizes ------------------------------------------------------------------------------- */

#define USABLE_MAX(size)	((size) + (size) / 4 + 256)

TEST_F(heap, every_size)
{
	PMEMoid o = OID_NULL;
	size_t size, usable, wrong = 0;
	char *p;

	for (size = 1; size <= 100 * KIB; size++) {
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &o, size, 1, NULL, NULL));
		p = pmemobj_direct(o);
		usable = pmemobj_alloc_usable_size(o);
		if (usable < size || usable > USABLE_MAX(size))
			wrong++;
		if (o.off % (size >= 16 ? 16 : 8))
			wrong++;
#ifndef THEIRS
		if (size == 64 && o.off % 64)
			wrong++;
#endif
		p[0] = 1;
		p[size / 2] = 2;
		p[usable - 1] = 3;
		pmemobj_free(&o);
	}
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, objects(self->pop));
}

TEST_F(heap, every_small_size_at_once)
{
	PMEMoid *slot = self->root->slot;
	size_t size, usable[2001], lost = 0;

	for (size = 1; size <= 2000; size++) {
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &slot[size], size, 1 + size % 3, NULL, NULL));
		usable[size] = pmemobj_alloc_usable_size(slot[size]);
		pattern_fill(pmemobj_direct(slot[size]), 0, usable[size], size);
		pmemobj_persist(self->pop, pmemobj_direct(slot[size]), usable[size]);
	}
	HEAP_REOPEN();
	slot = self->root->slot;
	for (size = 1; size <= 2000; size++) {
		lost += pmemobj_alloc_usable_size(slot[size]) != usable[size];
		lost += pmemobj_type_num(slot[size]) != 1 + size % 3;
		lost += !pattern_holds(pmemobj_direct(slot[size]), 0, usable[size], size);
		if (size % 2)
			pmemobj_free(&slot[size]);
	}
	EXPECT_EQ(0, lost);
	EXPECT_EQ(1000, objects(self->pop));
	for (size = 2; size <= 2000; size += 2)
		lost += !pattern_holds(pmemobj_direct(slot[size]), 0, usable[size], size);
	EXPECT_EQ(0, lost);
}

TEST_F(heap, megabytes)
{
	static const size_t sizes[] = {
		128 * KIB - 1, 128 * KIB, 256 * KIB - 16, 256 * KIB, 256 * KIB + 1, MIB - 1, MIB,
		MIB + 1, 2 * MIB - 64, 2 * MIB, 2 * MIB + 1, 3 * MIB, 10 * MIB,
	};
	PMEMoid *slot = self->root->slot;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &slot[i], sizes[i], 1 + i, NULL, NULL));
		EXPECT_LE(sizes[i], pmemobj_alloc_usable_size(slot[i]));
		pattern_fill(pmemobj_direct(slot[i]), 0, sizes[i], i);
		pmemobj_persist(self->pop, pmemobj_direct(slot[i]), sizes[i]);
	}
	EXPECT_EQ(ARRAY_SIZE(sizes), objects(self->pop));
	HEAP_REOPEN();
	slot = self->root->slot;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(1 + i, pmemobj_type_num(slot[i]));
		EXPECT_TRUE(pattern_holds(pmemobj_direct(slot[i]), 0, sizes[i], i));
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		pmemobj_free(&slot[i]);
	EXPECT_EQ(0, objects(self->pop));
	/* What was freed is one again. */
	ASSERT_EQ(0, pmemobj_zalloc(self->pop, &slot[0], 20 * MIB, 1));
	EXPECT_TRUE(all_zero(pmemobj_direct(slot[0]), 0, 20 * MIB));
	EXPECT_EQ(1, objects(self->pop));
}

/* ---- what is refused --------------------------------------------------------------------- */

TEST_F(heap, refused)
{
	PMEMoid o = { 11, 22 }, *slot = self->root->slot;
	struct make m = { .seed = 1, .size = 1 };

	FAILS(EINVAL, pmemobj_alloc(self->pop, &o, 0, 1, make_pattern, &m));
	FAILS(EINVAL, pmemobj_zalloc(self->pop, &o, 0, 1));
	FAILS(EINVAL, pmemobj_xalloc(self->pop, &o, 0, 1, 0, make_pattern, &m));
	FAILS(EINVAL, pmemobj_xalloc(self->pop, &o, 0, 1, POBJ_XALLOC_ZERO, make_pattern, &m));
	FAILS(EINVAL, pmemobj_xalloc(self->pop, &o, 64, 1, 1ULL << 20, make_pattern, &m));
	FAILS(EINVAL, pmemobj_xalloc(self->pop, &o, 64, 1, POBJ_XALLOC_ZERO | 1ULL << 10,
				     make_pattern, &m));
	FAILS(EINVAL, pmemobj_alloc(self->pop, &slot[0], 0, 1, make_pattern, &m));
	FAILS(ENOMEM, pmemobj_alloc(self->pop, &o, HEAP_BYTES, 1, make_pattern, &m));
	FAILS(ENOMEM, pmemobj_alloc(self->pop, &o, GIB, 1, make_pattern, &m));
	FAILS(ENOMEM, pmemobj_zalloc(self->pop, &o, PMEMOBJ_MAX_ALLOC_SIZE, 1));
	FAILS(ENOMEM, pmemobj_alloc(self->pop, &o, PMEMOBJ_MAX_ALLOC_SIZE + 1, 1, make_pattern,
				    &m));
	FAILS(ENOMEM, pmemobj_xalloc(self->pop, &o, SIZE_MAX / 2, 1, POBJ_XALLOC_ZERO,
				     make_pattern, &m));
	FAILS(ENOMEM, pmemobj_alloc(self->pop, &o, SIZE_MAX, 1, make_pattern, &m));
	FAILS(ENOMEM, pmemobj_alloc(self->pop, &o, SIZE_MAX - 4096, 1, make_pattern, &m));
	FAILS(ENOMEM, pmemobj_alloc(self->pop, &slot[0], HEAP_BYTES, 1, make_pattern, &m));
#ifndef THEIRS
	FAILS(EINVAL, pmemobj_xalloc(self->pop, &o, 64, 1, POBJ_CLASS_ID(1), make_pattern, &m));
	FAILS(EINVAL, pmemobj_xalloc(self->pop, &o, 64, 1, POBJ_ARENA_ID(1), make_pattern, &m));
	FAILS(EINVAL, pmemobj_alloc(self->pop, (PMEMoid *)(void *)((char *)&slot[4] + 4), 64, 1,
				    make_pattern, &m));
#endif
	EXPECT_EQ(0, m.calls);
	EXPECT_EQ(11, o.pool_uuid_lo);
	EXPECT_EQ(22, o.off);
	EXPECT_TRUE(all_zero(slot, 0, 10 * sizeof(*slot)));
	EXPECT_EQ(0, objects(self->pop));
}

#ifndef THEIRS
TEST_F(heap, freed_twice)
{
	static const size_t sizes[] = { 1, 64, 1000, 5000, 100 * KIB, 3 * MIB };
	PMEMoid *slot = self->root->slot, copy, keep = OID_NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &keep, sizes[i], 1, NULL, NULL));
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &slot[0], sizes[i], 1, NULL, NULL));
		slot[1] = slot[0];
		copy = slot[0];
		pmemobj_free(&slot[0]);
		EXPECT_TRUE(OID_IS_NULL(slot[0]));
		errno = 0;
		pmemobj_free(&slot[1]);
		EXPECT_EQ(EINVAL, errno);
		EXPECT_TRUE(OID_EQUALS(copy, slot[1]));
		errno = 0;
		pmemobj_free(&copy);
		EXPECT_EQ(EINVAL, errno);
		EXPECT_TRUE(OID_EQUALS(copy, slot[1]));
		EXPECT_EQ(1 + i, objects(self->pop));
	}
	/* After a reopen, when nobody remembers. */
	HEAP_REOPEN();
	copy = self->root->slot[1];
	errno = 0;
	pmemobj_free(&self->root->slot[1]);
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(OID_EQUALS(copy, self->root->slot[1]));
	EXPECT_EQ(ARRAY_SIZE(sizes), objects(self->pop));
}
#endif

/* ---- resizing ---------------------------------------------------------------------------- */

TEST_F(heap, realloc_there_and_back)
{
	static const size_t sizes[] = {
		1, 8, 16, 63, 64, 65, 128, 200, 1000, 1024, 4000, 4096, 5000, 16 * KIB, 60 * KIB,
		100 * KIB, 256 * KIB, 300 * KIB, MIB, 3 * MIB,
	};
	PMEMoid *slot = &self->root->slot[3], stack = OID_NULL;
	size_t i, j, kept, n = ARRAY_SIZE(sizes);

	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			PMEMoid *o = (i + j) % 2 ? slot : &stack;

			ASSERT_EQ(0, pmemobj_realloc(self->pop, o, sizes[i], 1));
			pattern_fill(pmemobj_direct(*o), 0, sizes[i], i);
			ASSERT_EQ(0, pmemobj_realloc(self->pop, o, sizes[j], 1));
			kept = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
			EXPECT_TRUE(pattern_holds(pmemobj_direct(*o), 0, kept, i))
				TH_LOG("%zu -> %zu", sizes[i], sizes[j]);
			EXPECT_LE(sizes[j], pmemobj_alloc_usable_size(*o));
			EXPECT_EQ(1, objects(self->pop));
			/* Another type number as well, in place or not. */
			pattern_fill(pmemobj_direct(*o), 0, sizes[j], j);
			ASSERT_EQ(0, pmemobj_realloc(self->pop, o, sizes[i], 2));
			EXPECT_TRUE(pattern_holds(pmemobj_direct(*o), 0, kept, j));
			EXPECT_EQ(2, pmemobj_type_num(*o));
			EXPECT_EQ(1, objects(self->pop));
			ASSERT_EQ(0, pmemobj_realloc(self->pop, o, 0, 2));
			EXPECT_TRUE(OID_IS_NULL(*o));
			EXPECT_EQ(0, objects(self->pop));
		}
	}
}

TEST_F(heap, realloc_same_size_other_type)
{
	PMEMoid o = OID_NULL;

	ASSERT_EQ(0, pmemobj_alloc(self->pop, &o, 64, 1, NULL, NULL));
	pattern_fill(pmemobj_direct(o), 0, 64, 1);
	ASSERT_EQ(0, pmemobj_realloc(self->pop, &o, 64, 2));
	EXPECT_EQ(2, pmemobj_type_num(o));
	EXPECT_TRUE(pattern_holds(pmemobj_direct(o), 0, 64, 1));
	EXPECT_EQ(0, objects_of_type(self->pop, 1));
	EXPECT_EQ(1, objects_of_type(self->pop, 2));
#ifndef THEIRS		/* to which the usable size is no change at all */
	ASSERT_EQ(0, pmemobj_realloc(self->pop, &o, pmemobj_alloc_usable_size(o), 3));
	EXPECT_EQ(3, pmemobj_type_num(o));
	EXPECT_EQ(1, objects_of_type(self->pop, 3));
#endif
}

TEST_F(heap, zrealloc_grows_by_zeros)
{
	size_t from, to, usable, wrong = 0;
	PMEMoid *o = self->root->slot;
	PMEMoid dirt;

	for (from = 16; from < 200 * KIB; from += from / 2) {
		for (to = from + 1; to < 300 * KIB; to += to / 2) {
			ASSERT_EQ(0, pmemobj_alloc(self->pop, &dirt, to, 1, NULL, NULL));
			memset(pmemobj_direct(dirt), 0xee, to);
			ASSERT_EQ(0, pmemobj_zrealloc(self->pop, o, from, 1));
			wrong += !all_zero(pmemobj_direct(*o), 0, from);
			usable = pmemobj_alloc_usable_size(*o);
			pattern_fill(pmemobj_direct(*o), 0, usable, from);
			pmemobj_free(&dirt);
			ASSERT_EQ(0, pmemobj_zrealloc(self->pop, o, to, 1));
			if (usable > to)
				usable = to;
			wrong += !pattern_holds(pmemobj_direct(*o), 0, usable, from);
			wrong += !all_zero(pmemobj_direct(*o), usable, to);
			ASSERT_EQ(0, pmemobj_zrealloc(self->pop, o, 0, 1));
		}
	}
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(0, objects(self->pop));
}

TEST_F(heap, realloc_refused)
{
	PMEMoid *o = self->root->slot, old;

	ASSERT_EQ(0, pmemobj_alloc(self->pop, o, 1000, 1, NULL, NULL));
	pattern_fill(pmemobj_direct(*o), 0, 1000, 9);
	old = *o;
	FAILS(ENOMEM, pmemobj_realloc(self->pop, o, HEAP_BYTES, 1));
	FAILS(ENOMEM, pmemobj_zrealloc(self->pop, o, HEAP_BYTES, 2));
	FAILS(ENOMEM, pmemobj_realloc(self->pop, o, PMEMOBJ_MAX_ALLOC_SIZE + 1, 1));
	FAILS(ENOMEM, pmemobj_realloc(self->pop, o, SIZE_MAX, 1));
	EXPECT_TRUE(OID_EQUALS(old, *o));
	EXPECT_EQ(1, pmemobj_type_num(*o));
	EXPECT_TRUE(pattern_holds(pmemobj_direct(*o), 0, 1000, 9));
	EXPECT_EQ(1, objects(self->pop));
	/* Null and nothing: there is nothing to do. */
	o[1] = OID_NULL;
	EXPECT_EQ(0, pmemobj_realloc(self->pop, &o[1], 0, 1));
	EXPECT_TRUE(OID_IS_NULL(o[1]));
#ifndef THEIRS
	pmemobj_free(&old);
	errno = 0;
	EXPECT_EQ(-1, pmemobj_realloc(self->pop, o, 2000, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, objects(self->pop));
#endif
}

/* ---- a full pool ------------------------------------------------------------------------- */

/* Objects of @size, each naming the one before, until there is no room. */
static size_t fill_up(PMEMobjpool *pop, PMEMoid *last, size_t size)
{
	size_t cnt = 0;
	PMEMoid o;

	while (!pmemobj_alloc(pop, &o, size, 1, NULL, NULL)) {
		*(PMEMoid *)pmemobj_direct(o) = *last;
		pmemobj_persist(pop, pmemobj_direct(o), sizeof(o));
		*last = o;
		cnt++;
	}
	return cnt;
}

static bool free_some(PMEMoid *last, size_t cnt)
{
	PMEMoid before;

	while (cnt--) {
		before = *(PMEMoid *)pmemobj_direct(*last);
		pmemobj_free(last);
		if (!OID_IS_NULL(*last))
			return false;
		*last = before;
	}
	return true;
}

static const size_t full_sizes[] = { 16, 64, 200, 1024, 4096, 30000, 100 * KIB, MIB };

TEST_F_TIMEOUT(heap, full, 120)
{
	size_t i, cnt, again, size, usable;
	PMEMoid last, o = OID_NULL;

	for (i = 0; i < ARRAY_SIZE(full_sizes); i++) {
		size = full_sizes[i];
		last = OID_NULL;
		errno = 0;
		cnt = fill_up(self->pop, &last, size);
		EXPECT_EQ(ENOMEM, errno);
		EXPECT_EQ(cnt, objects(self->pop));
		usable = pmemobj_alloc_usable_size(last);
		EXPECT_LE(size, usable);
#ifdef THEIRS
		EXPECT_GT(cnt * (size + 16 < 128 ? 128 : size + 16), HEAP_BYTES / 2);
#else
		/* Of the smallest a page holds 192 only. */
		EXPECT_GT(cnt * usable, HEAP_BYTES / 100 * (size == 16 ? 70 : 90))
			TH_LOG("size %zu: %zu objects", size, cnt);
#endif
		FAILS(ENOMEM, pmemobj_alloc(self->pop, &o, size, 1, NULL, NULL));
		FAILS(ENOMEM, pmemobj_alloc(self->pop, &self->root->slot[0], size, 1, NULL, NULL));
		EXPECT_TRUE(OID_IS_NULL(o));
		/* Full is full for this process and for the next one. */
		HEAP_REOPEN();
		again = fill_up(self->pop, &last, size);
		EXPECT_LE(again, cnt / 20);
		cnt += again;
		ASSERT_TRUE(free_some(&last, 1));
		EXPECT_EQ(cnt - 1, objects(self->pop));
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &o, size, 1, NULL, NULL));
		EXPECT_EQ(cnt, objects(self->pop));
		pmemobj_free(&o);
		ASSERT_TRUE(free_some(&last, cnt / 2));
		again = fill_up(self->pop, &last, size);
		EXPECT_GE(again, cnt / 2 - cnt / 50);
		cnt = cnt - 1 - cnt / 2 + again;
		EXPECT_EQ(cnt, objects(self->pop));
		ASSERT_TRUE(free_some(&last, cnt));
		EXPECT_TRUE(OID_IS_NULL(last));
		EXPECT_EQ(0, objects(self->pop));
	}
	/* All the sizes later one large object fits. */
	ASSERT_EQ(0, pmemobj_zalloc(self->pop, &self->root->slot[0], HEAP_BYTES / 2, 1));
}

TEST_F(heap, full_by_one_size_then_the_other)
{
	PMEMoid last = OID_NULL, other = OID_NULL;
	size_t cnt = fill_up(self->pop, &last, 1024), small;

	/* What is left over takes small ones, maybe; freed space takes them for sure. */
	fill_up(self->pop, &other, 64);
	ASSERT_TRUE(free_some(&last, cnt));
	small = fill_up(self->pop, &other, 64);
	EXPECT_GT(small, cnt * 6);
	while (!OID_IS_NULL(other) && free_some(&other, 1))
		;
	EXPECT_TRUE(OID_IS_NULL(other));
	EXPECT_EQ(0, objects(self->pop));
	EXPECT_GE(fill_up(self->pop, &last, 1024), cnt - cnt / 20);
}

TEST_F(heap, full_still_resizes_and_frees_by_any_way)
{
	PMEMoid last = OID_NULL, o;
	size_t cnt = fill_up(self->pop, &last, 2000);
	struct pobj_action act;

	FAILS_OID(ENOMEM, pmemobj_reserve(self->pop, &act, 2000, 1));
	FAILS(ENOMEM, pmemobj_realloc(self->pop, &last, 200000, 1));
	o = *(PMEMoid *)pmemobj_direct(last);
	pmemobj_defer_free(self->pop, last, &act);
	ASSERT_EQ(0, pmemobj_publish(self->pop, &act, 1));
	EXPECT_EQ(cnt - 1, objects(self->pop));
	ASSERT_EQ(0, pmemobj_realloc(self->pop, &o, 0, 1));
	EXPECT_EQ(cnt - 2, objects(self->pop));
}

/* ---- over reopens ------------------------------------------------------------------------ */

TEST_F(heap, contents_survive)
{
	size_t i, round, n = 0, size, wrong = 0;
	PMEMoid *slot;

	for (round = 0; round < 6; round++) {
		slot = self->root->slot;
		for (i = 0; i < n; i++) {
			size = 1 + i * 7;
			wrong += !pattern_holds(pmemobj_direct(slot[i]), 0, size, i);
			wrong += pmemobj_type_num(slot[i]) != 1 + i % 5;
		}
		ASSERT_EQ(0, wrong);
		ASSERT_EQ(n, objects(self->pop));
		for (i = n; i < n + 300; i++) {
			struct make m = { .seed = i, .size = 1 + i * 7 };

			ASSERT_EQ(0, pmemobj_alloc(self->pop, &slot[i], m.size, 1 + i % 5,
						   make_pattern, &m));
		}
		n += 300;
		HEAP_REOPEN();
	}
}

TEST_HARNESS_MAIN
