// SPDX-License-Identifier: BSD-3-Clause
/*
 * A thread that stopped keeps next to nothing from others: it fills the pool, frees nearly all, and
 * lives on without another call. What it freed is then to be had by other threads and processes,
 * for any size and type. And a full pool says so quickly.
 */
#include <sys/mman.h>
#include <time.h>

#include "pool_fixture.h"
#include "audit.h"
#include "hand.h"
#include "lib/core/side.h"

#define POOL		(4 * MIN)
#define MOST		(POOL / 64)
#define TRIES		20
#define QUICK_NS	5000000
#define OTHER_TYPE	77

/* ---- the one who stops ------------------------------------------------------------------- */

enum pattern {
	TO_THE_LAST_50TH,	/* all in a row but for some at the end of the pool */
	BUT_EACH_50TH,
	EACH_SECOND,
};

struct filler {
	PMEMobjpool *pop;
	enum pattern pattern;
	size_t made;
	size_t freed;
	int err;
	PMEMoid oid[MOST];
};

static struct filler filler;

static int fill(void *arg)
{
	struct filler *f = arg;

	f->made = 0;
	for (;;) {
		f->oid[f->made] = OID_NULL;
		errno = 0;
		if (pmemobj_alloc(f->pop, &f->oid[f->made], 64, 1, NULL, NULL))
			break;
		f->made++;
	}
	f->err = errno;
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const PMEMoid *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

static bool goes(const struct filler *f, size_t i)
{
	switch (f->pattern) {
	case TO_THE_LAST_50TH:
		return i < f->made / 50 * 49;
	case BUT_EACH_50TH:
		return i % 50;
	case EACH_SECOND:
		return i % 2;
	}
	return false;
}

static int fill_and_free(void *arg)
{
	struct filler *f = arg;
	size_t i;

	fill(f);
	qsort(f->oid, f->made, sizeof(*f->oid), by_offset);
	f->freed = 0;
	for (i = 0; i < f->made; i++) {
		if (!goes(f, i))
			continue;
		pmemobj_free(&f->oid[i]);
		f->freed++;
	}
	return 0;
}

/* ---- those who want it ------------------------------------------------------------------- */

struct want {
	PMEMobjpool *pop;
	size_t size;
	uint64_t type;
	uint64_t got;		/* objects */
	int err;
	uint64_t ns[TRIES];	/* what it took to be refused, sorted */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Allocate until there is no more, and then some more. 0, or -1: it succeeded then. */
static int take_all(void *arg)
{
	struct want *w = arg;
	uint64_t from;
	PMEMoid oid;
	int i;

	for (;; w->got++) {
		oid = OID_NULL;
		errno = 0;
		if (pmemobj_alloc(w->pop, &oid, w->size, w->type, NULL, NULL))
			break;
	}
	w->err = errno;
	for (i = 0; i < TRIES; i++) {
		from = now_ns();
		if (!pmemobj_alloc(w->pop, &oid, w->size, w->type, NULL, NULL) || errno != ENOMEM)
			return -1;
		w->ns[i] = now_ns() - from;
	}
	qsort(w->ns, TRIES, sizeof(*w->ns), by_size);
	return 0;
}

static const char *path;

static int take_all_elsewhere(void *arg)
{
	struct want *w = arg;
	int ret;

	w->pop = pmemobj_open(path, "test");
	if (!w->pop)
		return 1;
	ret = take_all(w);
	pmemobj_close(w->pop);
	return ret ? 2 : 0;
}

/* ---- tests ------------------------------------------------------------------------------- */

FIXTURE(starve) {
	PMEMobjpool *pop;
	struct want *want;	/* shared with children */
	struct hand stopped;
	struct hand other;
};

FIXTURE_SETUP(starve)
{
	files_make();
	path = strdup(files_path("pool"));
	self->pop = pmemobj_create(path, "test", POOL, 0600);
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	self->want = mmap(NULL, sizeof(*self->want), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->want);
	ASSERT_EQ(0, hand_start(&self->stopped));
	ASSERT_EQ(0, hand_start(&self->other));
	filler.pop = self->pop;
}

FIXTURE_TEARDOWN(starve)
{
	struct audit a;

	if (self->pop) {
		EXPECT_EQ(0, audit_pool(self->pop, &a))
			TH_LOG("%s", a.text);
		pmemobj_close(self->pop);
		EXPECT_EQ(1, pmemobj_check(path, "test"));
	}
	hand_end(&self->other);
	hand_end(&self->stopped);
	files_remove();
}

/* Fill and free as @how says, then stop. */
#define STOP(how) do {								\
	filler.pattern = how;							\
	hand_do(&self->stopped, fill_and_free, &filler);			\
	EXPECT_EQ(ENOMEM, filler.err);						\
	/* No more than 3 % of the pool is for the pool itself. */		\
	ASSERT_LT(POOL / 64 / 100 * 97, filler.made);				\
} while (0)

/* A thread (@elsewhere: process) takes all it can: what @percent of what was freed would make. */
#define TAKES(bytes, type_num, elsewhere, percent) do {				\
	struct want *__w = self->want;						\
	*__w = (struct want){ .pop = self->pop, .size = bytes, .type = type_num };	\
	EXPECT_EQ(0, elsewhere ? files_in_child(take_all_elsewhere, __w) :	\
		     hand_do(&self->other, take_all, __w));			\
	EXPECT_EQ(ENOMEM, __w->err);						\
	EXPECT_LE(filler.freed * 64 / 100 * (percent), __w->got * (bytes))	\
		TH_LOG("%llu of %zu bytes", (unsigned long long)(__w->got * (bytes)),	\
		       filler.freed * 64);					\
	EXPECT_GE(filler.freed * 64, __w->got * (bytes));			\
	EXPECT_GT(QUICK_NS, __w->ns[TRIES / 2]);				\
} while (0)

#define ENOUGH	97

FIXTURE_VARIANT(starve) {
	bool elsewhere;
};

FIXTURE_VARIANT_ADD(starve, thread) {
	.elsewhere = false,
};

FIXTURE_VARIANT_ADD(starve, process) {
	.elsewhere = true,
};

TEST_F_TIMEOUT(starve, same_type, 60)
{
	STOP(TO_THE_LAST_50TH);
	TAKES(64, 1, variant->elsewhere, ENOUGH);
}

TEST_F_TIMEOUT(starve, same_type_in_between, 60)
{
	STOP(BUT_EACH_50TH);
	TAKES(64, 1, variant->elsewhere, ENOUGH);
}

TEST_F_TIMEOUT(starve, another_type, 60)
{
	STOP(TO_THE_LAST_50TH);
	TAKES(64, OTHER_TYPE, variant->elsewhere, ENOUGH);
}

TEST_F_TIMEOUT(starve, another_class, 60)
{
	STOP(TO_THE_LAST_50TH);
	TAKES(1024, 1, variant->elsewhere, ENOUGH);
}

TEST_F_TIMEOUT(starve, large_objects, 60)
{
	STOP(TO_THE_LAST_50TH);
	TAKES((size_t)65536, 1, variant->elsewhere, ENOUGH);
}

/* Nearly all of it in one piece. */
TEST_F_TIMEOUT(starve, one_large_object, 60)
{
	const size_t bytes = POOL / 10 * 9;

	STOP(TO_THE_LAST_50TH);
	*self->want = (struct want){ .pop = self->pop, .size = bytes, .type = 1 };
	EXPECT_EQ(0, variant->elsewhere ? files_in_child(take_all_elsewhere, self->want) :
		     hand_do(&self->other, take_all, self->want));
	EXPECT_EQ(1, self->want->got);
}

static int make_and_free_large(void *arg)
{
	struct filler *f = arg;
	int i;

	for (i = 0; i < 3; i++) {
		f->oid[i] = OID_NULL;
		if (pmemobj_alloc(f->pop, &f->oid[i], POOL / 10 * 3, 1, NULL, NULL))
			return -1;
	}
	for (i = 0; i < 3; i++)
		pmemobj_free(&f->oid[i]);
	return 0;
}

/* The pages of large objects are to be had as soon as these are freed. */
TEST_F_TIMEOUT(starve, freed_large_objects, 60)
{
	ASSERT_EQ(0, hand_do(&self->stopped, make_and_free_large, &filler));
	*self->want = (struct want){ .pop = self->pop, .size = POOL / 10 * 9, .type = 1 };
	EXPECT_EQ(0, variant->elsewhere ? files_in_child(take_all_elsewhere, self->want) :
		     hand_do(&self->other, take_all, self->want));
	EXPECT_EQ(1, self->want->got);
}

/* Room in each slab, and no slab that is empty: the same kind finds it, others do not. */
TEST_F_TIMEOUT(starve, each_second, 60)
{
	size_t before;

	STOP(EACH_SECOND);
	before = filler.freed;
	filler.freed = 0;
	TAKES(1024, 1, variant->elsewhere, 0);
	TAKES(64, OTHER_TYPE, variant->elsewhere, 0);
	TAKES((size_t)65536, 1, variant->elsewhere, 0);
	filler.freed = before;
	TAKES(64, 1, variant->elsewhere, ENOUGH);
}

/* ---- in a full pool ---------------------------------------------------------------------- */

static int nothing_to_take(void *arg)
{
	struct want *w = arg;
	static const size_t sizes[] = { 16, 64, 1000, 16384, 16385, 200000, POOL / 2, POOL };
	uint64_t from;
	PMEMoid oid = OID_NULL, to;
	struct pobj_action act;
	unsigned int i, n;

	for (i = 0; i < 8; i++) {
		for (n = 0; n < TRIES; n++) {
			from = now_ns();
			errno = 0;
			if (!pmemobj_alloc(w->pop, &oid, sizes[i], n, NULL, NULL) ||
			    errno != ENOMEM || !strstr(pmemobj_errormsg(), "no room"))
				return 10 + i;
			w->ns[n] = now_ns() - from;
		}
		qsort(w->ns, TRIES, sizeof(*w->ns), by_size);
		if (w->ns[TRIES / 2] > QUICK_NS)
			return 20 + i;
		errno = 0;
		if (!OID_IS_NULL(pmemobj_reserve(w->pop, &act, sizes[i], 1)) || errno != ENOMEM)
			return 30 + i;
		/* An object that cannot move stays what it is. */
		to = filler.oid[5];
		errno = 0;
		if (sizes[i] > 64 && (!pmemobj_realloc(w->pop, &to, sizes[i], 1) ||
				      errno != ENOMEM || !OID_EQUALS(to, filler.oid[5])))
			return 40 + i;
	}
	return OID_IS_NULL(oid) ? 0 : 50;
}

/* The same one, as many as it freed, and no other one between. */
static int free_and_take(void *arg)
{
	struct filler *f = arg;
	size_t freed = 0, i;
	PMEMoid oid;

	for (i = 1; i < f->made; i += 2) {
		pmemobj_free(&f->oid[i]);
		freed++;
	}
	oid = OID_NULL;
	errno = 0;
	if (!pmemobj_alloc(f->pop, &oid, 128, 1, NULL, NULL) || errno != ENOMEM)
		return 1;
	for (i = 0; i < freed; i++) {
		if (pmemobj_alloc(f->pop, &f->oid[2 * i + 1], 64, 1, NULL, NULL))
			return 2;
	}
	oid = OID_NULL;
	return pmemobj_alloc(f->pop, &oid, 64, 1, NULL, NULL) && errno == ENOMEM ? 0 : 3;
}

FIXTURE(full) {
	PMEMobjpool *pop;
	struct hand h[2];
};

FIXTURE_SETUP(full)
{
	files_make();
	path = strdup(files_path("pool"));
	self->pop = pmemobj_create(path, "test", POOL, 0600);
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	ASSERT_EQ(0, hand_start(&self->h[0]));
	ASSERT_EQ(0, hand_start(&self->h[1]));
	filler.pop = self->pop;
	hand_do(&self->h[0], fill, &filler);
	ASSERT_EQ(ENOMEM, filler.err);
}

FIXTURE_TEARDOWN(full)
{
	struct audit a;

	EXPECT_EQ(0, audit_pool(self->pop, &a))
		TH_LOG("%s", a.text);
	EXPECT_EQ(filler.made, a.objects);
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(path, "test"));
	hand_end(&self->h[0]);
	hand_end(&self->h[1]);
	files_remove();
}

static int nothing_elsewhere(void *arg)
{
	struct want w = { .pop = pmemobj_open(path, "test") };
	int ret = w.pop ? nothing_to_take(&w) : 1;

	if (w.pop)
		pmemobj_close(w.pop);
	return ret;
}

TEST_F_TIMEOUT(full, says_so_quickly, 60)
{
	struct want w = { .pop = self->pop };

	EXPECT_EQ(0, hand_do(&self->h[0], nothing_to_take, &w));
	EXPECT_EQ(0, hand_do(&self->h[1], nothing_to_take, &w));
	EXPECT_EQ(0, files_in_child(nothing_elsewhere, NULL));
	/* And goes on: who frees one has room for one, also another thread. */
	pmemobj_free(&filler.oid[4711]);
	EXPECT_EQ(0, pmemobj_alloc(self->pop, &filler.oid[4711], 64, 1, NULL, NULL));
	EXPECT_EQ(0, hand_do(&self->h[1], nothing_to_take, &w));
}

TEST_F_TIMEOUT(full, each_second_again, 60)
{
	EXPECT_EQ(0, hand_do(&self->h[0], free_and_take, &filler));
}

/* Freed by this thread, one by one: the others find each. */
TEST_F_TIMEOUT(full, one_freed_elsewhere, 60)
{
	struct want w;
	int64_t i, sum = 0;
	int n;

	for (i = 0; i < 200; i++) {
		pmemobj_free(&filler.oid[i * 1001]);
		/* Either of them may own the slab; or none, then the first one finds it. */
		for (n = 0; n < 2; n++) {
			w = (struct want){ .pop = self->pop, .size = 64, .type = 1 };
			EXPECT_EQ(0, hand_do(&self->h[n], take_all, &w));
			sum += (int64_t)w.got;
		}
		/* What this thread's ring lists is withheld. */
		EXPECT_LE(i + 1 - POBJ_RING_CNT, sum);
		EXPECT_GE(i + 1, sum);
	}
	filler.made -= (size_t)(200 - sum);
}

TEST_HARNESS_MAIN
