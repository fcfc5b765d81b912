// SPDX-License-Identifier: BSD-3-Clause
/* Many types in a small pool: they share slabs, and each object still has its own type. */
#include <signal.h>

#include "pool_fixture.h"
#include "audit.h"

#define TYPES	500
#define EACH	3
#define BYTES	48
#define PAGES	64	/* 1500 objects of 48 bytes and their types need 21, typed slabs 500 */

/* Small and large numbers, none twice; also 0, and all bits. */
static uint64_t type_of(int i)
{
	if (i < 4)
		return (uint64_t)i;
	return i == TYPES - 1 ? UINT64_MAX : (uint64_t)i * (i % 2 ? 0x9e3779b97f4a7c15ULL : 64);
}

static uint64_t stamp_of(int i, int n)
{
	return (uint64_t)i * EACH + n + 1;
}

static int stamp(PMEMobjpool *pop, void *at, void *arg)
{
	uint64_t *w = at;
	int i;

	for (i = 0; i < BYTES / 8; i++)
		w[i] = *(uint64_t *)arg;
	pmemobj_persist(pop, at, BYTES);
	return 0;
}

/* One of each type, @n times for all. Every other one by way of a reservation. */
static bool make_all(PMEMobjpool *pop)
{
	struct pobj_action act;
	PMEMoid oid;
	uint64_t s;
	int i, n;

	for (n = 0; n < EACH; n++) {
		for (i = 0; i < TYPES; i++) {
			s = stamp_of(i, n);
			oid = OID_NULL;
			if ((i + n) % 2) {
				if (pmemobj_alloc(pop, &oid, BYTES, type_of(i), stamp, &s))
					return false;
				continue;
			}
			oid = pmemobj_reserve(pop, &act, BYTES, type_of(i));
			if (OID_IS_NULL(oid))
				return false;
			stamp(pop, pmemobj_direct(oid), &s);
			if (pmemobj_publish(pop, &act, 1))
				return false;
		}
	}
	return true;
}

/* Whole, of the right type, not met before? Not inline: gcc -fsanitize=null errs on TLS there. */
static __attribute__((noinline)) bool one_ok(PMEMoid o, int i, unsigned char *seen)
{
	const uint64_t *w = pmemobj_direct(o);
	int k;

	if (pmemobj_type_num(o) != type_of(i) || (w[0] - 1) / EACH != i || seen[w[0]]++)
		return false;
	for (k = 1; k < BYTES / 8; k++) {
		if (w[k] != w[0])
			return false;
	}
	return true;
}

/* Does each type have its three, and nobody anything else? */
static bool all_there(PMEMobjpool *pop)
{
	static unsigned char seen[TYPES * EACH + 1];
	int i, n, sum = 0;
	PMEMoid o;

	memset(seen, 0, sizeof(seen));
	for (i = 0; i < TYPES; i++) {
		n = 0;
		for (o = POBJ_FIRST_TYPE_NUM(pop, type_of(i)); !OID_IS_NULL(o);
		     o = POBJ_NEXT_TYPE_NUM(o)) {
			if (!one_ok(o, i, seen))
				return false;
			n++;
		}
		if (n != EACH)
			return false;
	}
	POBJ_FOREACH(pop, o)
		sum++;
	return sum == TYPES * EACH;
}

static bool free_all(PMEMobjpool *pop)
{
	PMEMoid o, next;
	bool ok = true;

	POBJ_FOREACH_SAFE(pop, o, next)
		ok = !pobj_xfree(&o, 0) && ok;
	return ok;
}

static const char *path;

static int make_and_die(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(path, "test");

	if (!pop || !make_all(pop))
		return 1;
	raise(SIGKILL);
	return 2;
}

#define IN_FEW_PAGES(path) do {							\
	struct pobj_pool_census __c;						\
	EXPECT_EQ(0, pobj_pool_check(path, NULL, NULL, &__c));			\
	EXPECT_EQ(0, __c.problems);						\
	EXPECT_GE(PAGES, __c.pages - __c.free_pages);				\
	EXPECT_LT(TYPES, __c.pages);						\
} while (0)

/* All objects gone, the whole pool in one piece is to be had, but for a log chunk or two. */
#define ALL_FITS(pop) do {							\
	struct pobj_pool_info __info;						\
	PMEMoid __o = OID_NULL;							\
	EXPECT_TRUE(free_all(pop));						\
	EXPECT_EQ(0, pobj_pool_info(self->path, &__info));			\
	EXPECT_EQ(0, pmemobj_alloc(pop, &__o,					\
				   (__info.page_cnt - 2) * __info.page_bytes, 1, NULL, NULL))	\
		TH_LOG("%s", pmemobj_errormsg());				\
	pmemobj_free(&__o);							\
} while (0)

TEST_F(pool, many_types_take_few_pages)
{
	struct audit a;

	CREATE();
	ASSERT_TRUE(make_all(self->pop))
		TH_LOG("%s", pmemobj_errormsg());
	EXPECT_TRUE(all_there(self->pop));
	EXPECT_EQ(0, audit_pool(self->pop, &a))
		TH_LOG("%s", a.text);
	pmemobj_close(self->pop);
	IN_FEW_PAGES(self->path);
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	EXPECT_TRUE(all_there(self->pop));
	/* Again, in the room that they had. */
	EXPECT_TRUE(free_all(self->pop));
	EXPECT_TRUE(make_all(self->pop));
	EXPECT_TRUE(all_there(self->pop));
	EXPECT_EQ(0, audit_pool(self->pop, &a))
		TH_LOG("%s", a.text);
	pmemobj_close(self->pop);
	IN_FEW_PAGES(self->path);
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	ALL_FITS(self->pop);
	pmemobj_close(self->pop);
}

TEST_F(pool, types_survive_their_maker)
{
	struct audit a;

	CREATE();
	path = self->path;
	/* Reaped while somebody has the pool open, */
	EXPECT_EQ(1000 + SIGKILL, files_in_child(make_and_die, NULL));
	EXPECT_TRUE(all_there(self->pop));
	pmemobj_close(self->pop);
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	EXPECT_TRUE(all_there(self->pop));
	EXPECT_EQ(0, audit_pool(self->pop, &a))
		TH_LOG("%s", a.text);
	ALL_FITS(self->pop);
	pmemobj_close(self->pop);
	/* and recovered when nobody has. */
	EXPECT_EQ(1000 + SIGKILL, files_in_child(make_and_die, NULL));
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	EXPECT_TRUE(all_there(self->pop));
	pmemobj_close(self->pop);
	IN_FEW_PAGES(self->path);
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	ALL_FITS(self->pop);
	pmemobj_close(self->pop);
}

/* A place in a mixed slab goes to one type after the other. */
TEST_F(pool, types_of_one_place)
{
	PMEMoid first = OID_NULL, oid;
	int i, same = 0;

	CREATE();
	for (i = 0; i < TYPES; i++) {
		oid = OID_NULL;
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &oid, BYTES, type_of(i), NULL, NULL));
		EXPECT_EQ(type_of(i), pmemobj_type_num(oid));
		EXPECT_TRUE(OID_EQUALS(oid, POBJ_FIRST_TYPE_NUM(self->pop, type_of(i))));
		if (i > 10) {
			same += OID_EQUALS(oid, first);
			EXPECT_TRUE(OID_IS_NULL(POBJ_FIRST_TYPE_NUM(self->pop, type_of(i - 1))));
		}
		first = oid;
		pmemobj_free(&oid);
	}
	EXPECT_LT(TYPES / 8, same);
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, "test"));
}

TEST_HARNESS_MAIN
