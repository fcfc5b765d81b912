// SPDX-License-Identifier: BSD-3-Clause
/* The root object beside others: it grows among them, keeps its contents, and is constructed. */
#include "compat.h"

struct built {
	size_t size;
	int result;
	int calls;
	bool zero;
};

static int build(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct built *b = arg;

	b->calls++;
	b->zero = all_zero(ptr, 0, b->size);
	pattern_fill(ptr, 0, b->size, 3);
	pmemobj_persist(pop, ptr, b->size);
	return b->result;
}

FIXTURE(fresh) {
	PMEMobjpool *pop;
	char *path;
};

FIXTURE_SETUP(fresh)
{
	files_make();
	self->path = strdup(files_path("pool"));
	self->pop = pmemobj_create(self->path, LAYOUT, HEAP_BYTES, 0600);
	ASSERT_NE(NULL, self->pop);
}

FIXTURE_TEARDOWN(fresh)
{
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, LAYOUT));
	files_remove();
	free(self->path);
}

TEST_F(fresh, no_root)
{
	PMEMoid o;

	EXPECT_EQ(0, pmemobj_root_size(self->pop));
	FAILS_OID(EINVAL, pmemobj_root(self->pop, 0));
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &o, 100, 1, NULL, NULL));
	EXPECT_EQ(0, pmemobj_root_size(self->pop));
	FAILS_OID(ENOMEM, pmemobj_root(self->pop, HEAP_BYTES));
	FAILS_OID(ENOMEM, pmemobj_root(self->pop, PMEMOBJ_MAX_ALLOC_SIZE + 1));
	EXPECT_EQ(0, pmemobj_root_size(self->pop));
	EXPECT_EQ(1, objects(self->pop));
}

TEST_F(fresh, root_among_objects)
{
	size_t size, old = 0, n = 0, i, lost = 0;
	PMEMoid root, o[200];

	/* The space of the roots before it is dirty, and is used by others meanwhile. */
	for (size = 100; size < 3 * MIB; size += size / 2) {
		root = pmemobj_root(self->pop, size);
		ASSERT_FALSE(OID_IS_NULL(root));
		EXPECT_EQ(size, pmemobj_root_size(self->pop));
		EXPECT_TRUE(pattern_holds(pmemobj_direct(root), 0, old, 1));
		EXPECT_TRUE(all_zero(pmemobj_direct(root), old, size));
		pattern_fill(pmemobj_direct(root), 0, size, 1);
		pmemobj_persist(self->pop, pmemobj_direct(root), size);
		for (i = 0; i < 5; i++, n++) {
			struct make m = { .seed = n, .size = 1 + size / 10 };

			ASSERT_EQ(0, pmemobj_alloc(self->pop, &o[n], m.size, 1, make_pattern, &m));
		}
		EXPECT_EQ(n, objects(self->pop));
		old = size;
		pmemobj_close(self->pop);
		self->pop = pmemobj_open(self->path, LAYOUT);
		ASSERT_NE(NULL, self->pop);
		root = pmemobj_root(self->pop, 0);
		EXPECT_TRUE(pattern_holds(pmemobj_direct(root), 0, size, 1));
	}
	for (size = 100, n = 0; size < 3 * MIB; size += size / 2)
		for (i = 0; i < 5; i++, n++)
			lost += !pattern_holds(pmemobj_direct(o[n]), 0, 1 + size / 10, n);
	EXPECT_EQ(0, lost);
	/* Smaller is no change. */
	EXPECT_TRUE(OID_EQUALS(root, pmemobj_root(self->pop, 10)));
	EXPECT_EQ(old, pmemobj_root_size(self->pop));
}

TEST_F(fresh, constructed)
{
	struct built b = { .size = 1000, .result = 1 };
	PMEMoid root;

	FAILS_OID(ECANCELED, pmemobj_root_construct(self->pop, 1000, build, &b));
	EXPECT_EQ(1, b.calls);
	EXPECT_EQ(0, pmemobj_root_size(self->pop));
	b.result = 0;
	root = pmemobj_root_construct(self->pop, 1000, build, &b);
	ASSERT_FALSE(OID_IS_NULL(root));
	EXPECT_EQ(2, b.calls);
	EXPECT_TRUE(b.zero);
	EXPECT_TRUE(pattern_holds(pmemobj_direct(root), 0, 1000, 3));
	/* It is there: nothing to construct. */
	root = pmemobj_root_construct(self->pop, 1000, build, &b);
	EXPECT_EQ(2, b.calls);
	/* It grows: to construct. */
	b.size = 0;
	root = pmemobj_root_construct(self->pop, 5000, build, &b);
	ASSERT_FALSE(OID_IS_NULL(root));
	EXPECT_EQ(3, b.calls);
	EXPECT_TRUE(pattern_holds(pmemobj_direct(root), 0, 1000, 3));
	EXPECT_TRUE(all_zero(pmemobj_direct(root), 1000, 5000));
	EXPECT_EQ(5000, pmemobj_root_size(self->pop));
	EXPECT_EQ(0, objects(self->pop));
}

TEST_F(fresh, no_room_to_grow)
{
	struct built b = { .size = 100 };
	PMEMoid root = pmemobj_root_construct(self->pop, 100, build, &b), o;

	ASSERT_FALSE(OID_IS_NULL(root));
	while (!pmemobj_alloc(self->pop, &o, 100 * KIB, 1, NULL, NULL))
		;
	FAILS_OID(ENOMEM, pmemobj_root(self->pop, MIB));
	EXPECT_EQ(100, pmemobj_root_size(self->pop));
	EXPECT_TRUE(OID_EQUALS(root, pmemobj_root(self->pop, 100)));
	EXPECT_TRUE(pattern_holds(pmemobj_direct(root), 0, 100, 3));
	/* Freed pages make room; so does the place where the root was. */
	while (!OID_IS_NULL(o = pmemobj_first(self->pop)))
		pmemobj_free(&o);
	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, HEAP_BYTES / 3)));
	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, HEAP_BYTES / 2)));
	root = pmemobj_root(self->pop, 0);
	EXPECT_TRUE(pattern_holds(pmemobj_direct(root), 0, 100, 3));
	EXPECT_TRUE(all_zero(pmemobj_direct(root), 100, HEAP_BYTES / 2));
	EXPECT_EQ(0, objects(self->pop));
}

TEST_HARNESS_MAIN
