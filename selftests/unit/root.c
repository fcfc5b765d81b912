// SPDX-License-Identifier: BSD-3-Clause
/*
 * The root object of pools in files, in one process: sizes, growth, constructors, a full pool.
 */
#include "pool_fixture.h"

static bool all(const char *p, size_t from, size_t to, int byte)
{
	for (; from < to; from++) {
		if ((unsigned char)p[from] != byte)
			return false;
	}
	return true;
}

TEST_F(pool, sizes)
{
	PMEMoid oid, again;
	char *p;

	CREATE();
	EXPECT_EQ(0, pmemobj_root_size(self->pop));
	errno = 0;
	EXPECT_TRUE(OID_IS_NULL(pmemobj_root(self->pop, 0)));
	EXPECT_EQ(EINVAL, errno);
	oid = pmemobj_root(self->pop, 1);
	ASSERT_FALSE(OID_IS_NULL(oid));
	EXPECT_EQ(1, pmemobj_root_size(self->pop));
	again = pmemobj_root(self->pop, 0);
	EXPECT_TRUE(OID_EQUALS(oid, again));
	again = pmemobj_root(self->pop, 1);
	EXPECT_TRUE(OID_EQUALS(oid, again));
	*(char *)pmemobj_direct(oid) = 0x33;
	oid = pmemobj_root(self->pop, 100000);
	ASSERT_FALSE(OID_IS_NULL(oid));
	p = pmemobj_direct(oid);
	EXPECT_EQ(0x33, p[0]);
	EXPECT_TRUE(all(p, 1, 100000, 0));
	/* Asked for less: nothing changes. */
	again = pmemobj_root(self->pop, 50);
	EXPECT_TRUE(OID_EQUALS(oid, again));
	EXPECT_EQ(100000, pmemobj_root_size(self->pop));
	errno = 0;
	EXPECT_TRUE(OID_IS_NULL(pmemobj_root(self->pop, MIN)));
	EXPECT_EQ(ENOMEM, errno);
	errno = 0;
	EXPECT_TRUE(OID_IS_NULL(pmemobj_root(self->pop, SIZE_MAX)));
	EXPECT_EQ(ENOMEM, errno);
	errno = 0;
	EXPECT_TRUE(OID_IS_NULL(pmemobj_root(self->pop, 1ULL << 63)));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(100000, pmemobj_root_size(self->pop));
	again = pmemobj_root(self->pop, 0);
	EXPECT_TRUE(OID_EQUALS(oid, again));
	EXPECT_TRUE(all(p, 1, 100000, 0));
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

struct construction {
	int result;
	int calls;
	size_t old;		/* bytes that must be 0x44; the rest of size 0 */
	size_t size;
	bool right;
	PMEMoid inner;
	int inner_errno;
	bool ask;
};

static int construct(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct construction *c = arg;

	c->calls++;
	c->right = all(ptr, 0, c->old, 0x44) && all(ptr, c->old, c->size, 0);
	memset(ptr, 0x44, c->size);
	if (c->ask) {
		errno = 0;
		c->inner = pmemobj_root(pop, 10);
		c->inner_errno = errno;
	}
	return c->result;
}

TEST_F(pool, constructor)
{
	struct construction c = { .size = 3000 };
	PMEMoid oid, none;
	size_t size;

	CREATE();
	c.result = 1;
	errno = 0;
	none = pmemobj_root_construct(self->pop, 3000, construct, &c);
	EXPECT_TRUE(OID_IS_NULL(none));
	EXPECT_EQ(ECANCELED, errno);
	EXPECT_TRUE(c.right);
	EXPECT_EQ(0, pmemobj_root_size(self->pop));
	/* What a cancelled one left in the pages does not show. */
	c = (struct construction){ .size = 3000 };
	oid = pmemobj_root_construct(self->pop, 3000, construct, &c);
	ASSERT_FALSE(OID_IS_NULL(oid));
	EXPECT_EQ(1, c.calls);
	EXPECT_TRUE(c.right);
	oid = pmemobj_root_construct(self->pop, 3000, construct, &c);
	oid = pmemobj_root_construct(self->pop, 10, construct, &c);
	oid = pmemobj_root_construct(self->pop, 0, construct, &c);
	EXPECT_EQ(1, c.calls);

	for (size = 3001; size < 60000; size += size / 3) {
		c = (struct construction){ .old = pmemobj_root_size(self->pop), .size = size,
					   .result = -1 };
		none = pmemobj_root_construct(self->pop, size, construct, &c);
		EXPECT_TRUE(OID_IS_NULL(none));
		EXPECT_EQ(ECANCELED, errno);
		EXPECT_TRUE(c.right);
		EXPECT_EQ(c.old, pmemobj_root_size(self->pop));
		EXPECT_TRUE(OID_EQUALS(oid, pmemobj_root(self->pop, 0)));
		EXPECT_TRUE(all(pmemobj_direct(oid), 0, c.old, 0x44));
		c.result = 0;
		oid = pmemobj_root_construct(self->pop, size, construct, &c);
		ASSERT_FALSE(OID_IS_NULL(oid));
		EXPECT_TRUE(c.right);
		EXPECT_EQ(2, c.calls);
		EXPECT_TRUE(all(pmemobj_direct(oid), 0, size, 0x44));
	}
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

/* What a cancelled one had is free at once: most of the pool, many times. */
TEST_F(pool, cancelled_and_free)
{
	struct construction c;
	int i;

	CREATE();
	for (i = 0; i < 5; i++) {
		c = (struct construction){ .size = 5 << 20, .result = i < 4 };
		EXPECT_EQ(i < 4, OID_IS_NULL(pmemobj_root_construct(self->pop, c.size, construct,
								    &c)));
		EXPECT_EQ(1, c.calls);
	}
	pmemobj_close(self->pop);
}

/* A constructor that asks for the root would wait for itself: it is told. */
TEST_F(pool, in_its_constructor)
{
	struct construction c = { .size = 100, .ask = true };
	PMEMoid oid;

	CREATE();
	oid = pmemobj_root_construct(self->pop, 100, construct, &c);
	EXPECT_FALSE(OID_IS_NULL(oid));
	EXPECT_TRUE(OID_IS_NULL(c.inner));
	EXPECT_EQ(EDEADLK, c.inner_errno);
	EXPECT_EQ(100, pmemobj_root_size(self->pop));
	pmemobj_close(self->pop);
}

TEST_F(pool, grows_until_the_pool_is_full)
{
	size_t size, last = 0;
	char *p;
	PMEMoid oid;
	int n = 0;

	CREATE();
	for (size = 100; size < MIN; size += size / 16 + 37) {
		oid = pmemobj_root(self->pop, size);
		if (OID_IS_NULL(oid)) {
			EXPECT_EQ(ENOMEM, errno);
			break;
		}
		p = pmemobj_direct(oid);
		ASSERT_TRUE(all(p, 0, last, 0x5c));
		ASSERT_TRUE(all(p, last, size, 0));
		memset(p, 0x5c, size);
		last = size;
		n++;
		if (n % 20)
			continue;
		pmemobj_close(self->pop);
		ASSERT_EQ(1, pmemobj_check(self->path, NULL));
		self->pop = pmemobj_open(self->path, "test");
		ASSERT_NE(NULL, self->pop);
		ASSERT_EQ(last, pmemobj_root_size(self->pop));
	}
	EXPECT_GT(n, 50);
	EXPECT_GT(last, MIN / 4);
	EXPECT_EQ(last, pmemobj_root_size(self->pop));
	EXPECT_TRUE(all(pmemobj_direct(pmemobj_root(self->pop, 0)), 0, last, 0x5c));
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

/* All of the pool in one root, and one byte more. */
TEST_F(pool, largest_root)
{
	struct pobj_pool_info info;

	CREATE();
	ASSERT_EQ(0, pobj_pool_info(self->path, &info));
	EXPECT_TRUE(OID_IS_NULL(pmemobj_root(self->pop, info.page_cnt * 4096 + 1)));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, info.page_cnt * 4096)));
	EXPECT_TRUE(OID_IS_NULL(pmemobj_root(self->pop, info.page_cnt * 4096 + 1)));
	EXPECT_EQ(ENOMEM, errno);
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

/* The only room is before the root: it moves there. */
TEST_F(pool, grows_into_what_lies_before)
{
	PMEMoid before, root, other;
	uint64_t was;
	char *text;

	CREATE();
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &before, 12 * 4096, 1, NULL, NULL));
	root = pmemobj_root(self->pop, 8 * 4096);
	was = root.off;
	ASSERT_LT(before.off, was);
	text = pmemobj_direct(root);
	memset(text, 'r', 8 * 4096);
	pmemobj_persist(self->pop, text, 8 * 4096);
	while (!pmemobj_alloc(self->pop, &other, 12 * 4096, 1, NULL, NULL))
		;
	pmemobj_free(&before);
	root = pmemobj_root(self->pop, 12 * 4096);
	ASSERT_NE(0, root.off);
	EXPECT_LT(root.off, was);
	text = pmemobj_direct(root);
	EXPECT_EQ('r', text[0]);
	EXPECT_EQ('r', text[8 * 4096 - 1]);
	EXPECT_EQ(0, text[8 * 4096]);
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

TEST_F(pool, contents_last)
{
	char *p;
	int i;

	CREATE();
	for (i = 0; i < 10; i++) {
		p = pmemobj_direct(pmemobj_root(self->pop, 1000));
		ASSERT_NE(NULL, p);
		ASSERT_EQ(i, p[999]);
		p[999] = i + 1;
		pmemobj_persist(self->pop, p + 999, 1);
		pmemobj_close(self->pop);
		self->pop = pmemobj_open(self->path, "test");
		ASSERT_NE(NULL, self->pop);
	}
	pmemobj_close(self->pop);
}

TEST_HARNESS_MAIN
