/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool for the tests of the object API, and what they all ask of it. These programs are built
 * twice: against this library, and by debian.sh with -DTHEIRS against the libpmemobj that Debian
 * has, which shows that they ask for what its man pages promise. Where ours promises more, an
 * #ifdef THEIRS says so.
 *
 * Every test ends with a check of the pool.
 */
#ifndef SELFTESTS_COMPAT_H
#define SELFTESTS_COMPAT_H

#include <libpmemobj.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "files.h"

#define KIB		((size_t)1024)
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)
#define LAYOUT		"compat"
#define SLOTS		8192		/* ids in the root object */

#ifdef THEIRS
#define HEAP_BYTES	(128 * MIB)	/* each of its size classes takes 256 KiB at once */
#define TYPE_MIN	1		/* number 0 is the root's alone */
#else
#define HEAP_BYTES	(32 * MIB)
#define TYPE_MIN	0
#endif

/* checkpatch takes (struct t) before a name for a cast. */
#define ID(t)		TOID(struct t)

struct compat_root {
	PMEMoid slot[SLOTS];
	uint64_t word[64];
};

/* ---- patterns ---------------------------------------------------------------------------- */

static inline uint64_t pattern_word(uint64_t seed, size_t i)
{
	uint64_t x = (seed * 0x9e3779b97f4a7c15ULL + i + 1) * 0xbf58476d1ce4e5b9ULL;

	return x ^ x >> 29;
}

static inline unsigned char pattern_byte(uint64_t seed, size_t i)
{
	return (unsigned char)(pattern_word(seed, i / 8) >> 8 * (i % 8));
}

/* Bytes @from up to @to of an object that has pattern @seed; @p is its start. */
static inline void pattern_fill(void *p, size_t from, size_t to, uint64_t seed)
{
	unsigned char *c = p;
	uint64_t word;

	while (from < to) {
		if (from % 8 || to - from < 8) {
			c[from] = pattern_byte(seed, from);
			from++;
			continue;
		}
		word = pattern_word(seed, from / 8);
		memcpy(c + from, &word, 8);
		from += 8;
	}
}

static inline bool pattern_holds(const void *p, size_t from, size_t to, uint64_t seed)
{
	const unsigned char *c = p;
	uint64_t word;

	while (from < to) {
		if (from % 8 || to - from < 8) {
			if (c[from] != pattern_byte(seed, from))
				return false;
			from++;
			continue;
		}
		memcpy(&word, c + from, 8);
		if (word != pattern_word(seed, from / 8))
			return false;
		from += 8;
	}
	return true;
}

static inline bool all_zero(const void *p, size_t from, size_t to)
{
	size_t i;

	for (i = from; i < to; i++)
		if (((const char *)p)[i])
			return false;
	return true;
}

/* What a constructor is to write, and what it shall return. */
struct make {
	PMEMobjpool *pop;
	uint64_t seed;
	size_t size;
	int result;
	int calls;
	void *at;
};

static inline int make_pattern(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct make *m = arg;

	m->calls++;
	m->pop = pop;
	m->at = ptr;
	pattern_fill(ptr, 0, m->size, m->seed);
	pmemobj_persist(pop, ptr, m->size);
	return m->result;
}

/* ---- sets of ids ------------------------------------------------------------------------- */

static inline int oid_compare(const void *a, const void *b)
{
	const PMEMoid *x = a, *y = b;

	if (x->pool_uuid_lo != y->pool_uuid_lo)
		return x->pool_uuid_lo < y->pool_uuid_lo ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static inline void oids_sort(PMEMoid *oid, size_t cnt)
{
	qsort(oid, cnt, sizeof(*oid), oid_compare);
}

/* All objects into @oid, which has room for @room; their number, also if that is more. */
static inline size_t oids_all(PMEMobjpool *pop, PMEMoid *oid, size_t room)
{
	size_t cnt = 0;
	PMEMoid o;

	for (o = pmemobj_first(pop); !OID_IS_NULL(o); o = pmemobj_next(o)) {
		if (cnt < room)
			oid[cnt] = o;
		cnt++;
		if (cnt > 100000000)
			break;		/* going in circles */
	}
	return cnt;
}

static inline size_t objects(PMEMobjpool *pop)
{
	return oids_all(pop, NULL, 0);
}

static inline size_t objects_of_type(PMEMobjpool *pop, uint64_t type_num)
{
	PMEMoid o = POBJ_FIRST_TYPE_NUM(pop, type_num);
	size_t cnt = 0;

	for (; !OID_IS_NULL(o); o = POBJ_NEXT_TYPE_NUM(o)) {
		if (pmemobj_type_num(o) != type_num)
			return ~(size_t)0;
		cnt++;
	}
	return cnt;
}

/* Are the objects of the pool those @cnt, each once? Sorts @oid. */
static inline bool objects_are(PMEMobjpool *pop, PMEMoid *oid, size_t cnt)
{
	PMEMoid *all = malloc((cnt + 1) * sizeof(*all));
	size_t found = oids_all(pop, all, cnt + 1);
	bool same = found == cnt;

	if (same) {
		oids_sort(all, cnt);
		oids_sort(oid, cnt);
		same = !cnt || !memcmp(all, oid, cnt * sizeof(*oid));
	} else {
		printf("# %zu objects, not %zu\n", found, cnt);
	}
	free(all);
	return same;
}

/* ---- the pool ---------------------------------------------------------------------------- */

/* The same numbers in each run. */
static inline uint64_t rnd(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

FIXTURE(heap) {
	char *path;
	PMEMobjpool *pop;
	struct compat_root *root;
};

#define HEAP_OPEN(how) do {							\
	self->pop = (how);							\
	ASSERT_NE(NULL, self->pop)						\
		TH_LOG("%s", pmemobj_errormsg());				\
	self->root = pmemobj_direct(pmemobj_root(self->pop, sizeof(*self->root)));	\
	ASSERT_NE(NULL, self->root);						\
} while (0)

#define HEAP_REOPEN() do {							\
	pmemobj_close(self->pop);						\
	HEAP_OPEN(pmemobj_open(self->path, LAYOUT));				\
} while (0)

FIXTURE_SETUP(heap)
{
	files_make();
	self->path = strdup(files_path("pool"));
	HEAP_OPEN(pmemobj_create(self->path, LAYOUT, HEAP_BYTES, 0600));
}

FIXTURE_TEARDOWN(heap)
{
	if (self->pop)
		pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, LAYOUT))
		TH_LOG("%s", pmemobj_errormsg());
	files_remove();
	free(self->path);
}

/* @call is -1 or OID_NULL with errno @want. */
#define FAILS(want, call) do {							\
	errno = 0;								\
	EXPECT_EQ(-1, (call));							\
	EXPECT_EQ(want, errno)							\
		TH_LOG("%s", pmemobj_errormsg());				\
} while (0)
#define FAILS_OID(want, call) do {						\
	PMEMoid failed;								\
										\
	errno = 0;								\
	failed = (call);							\
	EXPECT_TRUE(OID_IS_NULL(failed));					\
	EXPECT_EQ(want, errno)							\
		TH_LOG("%s", pmemobj_errormsg());				\
} while (0)

#endif
