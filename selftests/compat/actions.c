// SPDX-License-Identifier: BSD-3-Clause
/* Reservations, deferred frees and words, published together or cancelled. */
#include <pthread.h>

#include "compat.h"

POBJ_LAYOUT_BEGIN(actions);
POBJ_LAYOUT_ROOT(actions, struct compat_root);
POBJ_LAYOUT_TOID(actions, struct item);
POBJ_LAYOUT_END(actions);

struct item {
	uint64_t n;
	PMEMoid next;
};

typedef ID(item) item_t;

/* The two words of an id as two actions. */
static void set_oid(PMEMobjpool *pop, struct pobj_action *act, PMEMoid *at, PMEMoid to)
{
	pmemobj_set_value(pop, &act[0], &at->pool_uuid_lo, to.pool_uuid_lo);
	pmemobj_set_value(pop, &act[1], &at->off, to.off);
}

TEST_F(heap, reserve_publish)
{
	PMEMoid *slot = self->root->slot, o, p;
	struct pobj_action act[6];

	o = pmemobj_reserve(self->pop, &act[0], 100, 3);
	ASSERT_FALSE(OID_IS_NULL(o));
	EXPECT_EQ(POBJ_ACTION_TYPE_HEAP, act[0].type);
	EXPECT_EQ(o.off, act[0].heap.offset);
	EXPECT_LE(100, act[0].heap.usable_size);
	pattern_fill(pmemobj_direct(o), 0, 100, 1);
	pmemobj_persist(self->pop, pmemobj_direct(o), 100);
	p = pmemobj_reserve(self->pop, &act[1], 5000, 4);
	ASSERT_FALSE(OID_IS_NULL(p));
	EXPECT_NE(o.off, p.off);
	/* Nobody knows of them yet. */
	EXPECT_EQ(0, objects(self->pop));
	set_oid(self->pop, &act[2], &slot[0], o);
	set_oid(self->pop, &act[4], &slot[1], p);
	EXPECT_EQ(POBJ_ACTION_TYPE_MEM, act[5].type);
	EXPECT_TRUE(OID_IS_NULL(slot[0]));
	ASSERT_EQ(0, pmemobj_publish(self->pop, act, 6));
	EXPECT_TRUE(OID_EQUALS(o, slot[0]));
	EXPECT_TRUE(OID_EQUALS(p, slot[1]));
	EXPECT_EQ(2, objects(self->pop));
	HEAP_REOPEN();
	slot = self->root->slot;
	EXPECT_EQ(2, objects(self->pop));
	EXPECT_EQ(3, pmemobj_type_num(slot[0]));
	EXPECT_EQ(4, pmemobj_type_num(slot[1]));
	EXPECT_TRUE(pattern_holds(pmemobj_direct(slot[0]), 0, 100, 1));
	EXPECT_LE(5000, pmemobj_alloc_usable_size(slot[1]));
}

TEST_F(heap, typed)
{
	struct pobj_action act[4];
	item_t i[4];

	/* Dirt, so that zeros are made. */
	i[0] = TOID_NULL(struct item);
	ASSERT_EQ(0, POBJ_ALLOC(self->pop, &i[0], struct item, 3000, NULL, NULL));
	memset(D_RW(i[0]), 0xff, 3000);
	POBJ_FREE(&i[0]);
	i[0] = POBJ_RESERVE_NEW(self->pop, struct item, &act[0]);
	i[1] = POBJ_RESERVE_ALLOC(self->pop, struct item, 1000, &act[1]);
	i[2] = POBJ_XRESERVE_NEW(self->pop, struct item, &act[2], POBJ_XALLOC_ZERO);
	i[3] = POBJ_XRESERVE_ALLOC(self->pop, struct item, 3000, &act[3], POBJ_XALLOC_ZERO);
	ASSERT_FALSE(TOID_IS_NULL(i[0]) || TOID_IS_NULL(i[1]));
	ASSERT_FALSE(TOID_IS_NULL(i[2]) || TOID_IS_NULL(i[3]));
	EXPECT_TRUE(all_zero(D_RO(i[2]), 0, sizeof(struct item)));
	EXPECT_TRUE(all_zero(D_RO(i[3]), 0, 3000));
	ASSERT_EQ(0, pmemobj_publish(self->pop, act, 4));
	EXPECT_EQ(4, objects_of_type(self->pop, TOID_TYPE_NUM(struct item)));
	EXPECT_TRUE(TOID_VALID(i[3]));
	EXPECT_LE(1000, pmemobj_alloc_usable_size(i[1].oid));
}

TEST_F(heap, cancel)
{
	struct pobj_action act[3];
	PMEMoid o, *slot = self->root->slot;
	int i;

	/* Far more than the pool holds: each comes back. */
	for (i = 0; i < 20000; i++) {
		o = pmemobj_reserve(self->pop, act, 10000, 1);
		ASSERT_FALSE(OID_IS_NULL(o));
		pmemobj_cancel(self->pop, act, 1);
	}
	for (i = 0; i < 200; i++) {
		o = pmemobj_reserve(self->pop, act, 2 * MIB, 1);
		ASSERT_FALSE(OID_IS_NULL(o));
		pmemobj_cancel(self->pop, act, 1);
	}
	EXPECT_EQ(0, objects(self->pop));

	/* The others change nothing either. */
	ASSERT_EQ(0, pmemobj_strdup(self->pop, &slot[0], "stays", 1));
	pmemobj_defer_free(self->pop, slot[0], &act[0]);
	set_oid(self->pop, &act[1], &slot[0], OID_NULL);
	pmemobj_cancel(self->pop, act, 3);
	EXPECT_STREQ("stays", pmemobj_direct(slot[0]));
	EXPECT_EQ(1, objects(self->pop));
	pmemobj_free(&slot[0]);
	EXPECT_EQ(0, objects(self->pop));
}

TEST_F(heap, forgotten_reservations_end_with_the_pool)
{
	struct pobj_action *act = calloc(1000, sizeof(*act));
	size_t i, n;
	PMEMoid o;

	/* Once what the pool has, then again. */
	for (n = 0; n < 3; n++) {
		for (i = 0; i < 2 * HEAP_BYTES / 3 / (HEAP_BYTES / 1000); i++) {
			o = pmemobj_reserve(self->pop, &act[i], HEAP_BYTES / 1000, 1);
			ASSERT_FALSE(OID_IS_NULL(o));
		}
		EXPECT_EQ(0, objects(self->pop));
		HEAP_REOPEN();
	}
	EXPECT_EQ(0, objects(self->pop));
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &o, HEAP_BYTES / 2, 1, NULL, NULL));
	free(act);
}

TEST_F(heap, defer_free)
{
	PMEMoid *slot = self->root->slot;
	struct pobj_action act[4];
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pmemobj_zalloc(self->pop, &slot[i], 100 << 4 * i, 1));
	pmemobj_defer_free(self->pop, slot[0], &act[0]);
	EXPECT_EQ(POBJ_ACTION_TYPE_HEAP, act[0].type);
	EXPECT_EQ(3, objects(self->pop));
	EXPECT_EQ(1, pmemobj_type_num(slot[0]));
	ASSERT_EQ(0, pmemobj_publish(self->pop, act, 1));
	EXPECT_EQ(2, objects(self->pop));
	/* defer_free does not touch what points there. */
	EXPECT_FALSE(OID_IS_NULL(slot[0]));

	pmemobj_defer_free(self->pop, slot[1], &act[0]);
	pmemobj_defer_free(self->pop, slot[2], &act[1]);
	set_oid(self->pop, &act[2], &slot[1], OID_NULL);
	ASSERT_EQ(0, pmemobj_publish(self->pop, act, 4));
	EXPECT_TRUE(OID_IS_NULL(slot[1]));
	EXPECT_EQ(0, objects(self->pop));
}

TEST_F(heap, replace)
{
	PMEMoid *slot = self->root->slot, o;
	struct pobj_action act[4];
	uint64_t i;

	ASSERT_EQ(0, pmemobj_zalloc(self->pop, &slot[0], 64, 1));
	for (i = 1; i <= 20000; i++) {
		o = pmemobj_reserve(self->pop, &act[0], 64, 1);
		ASSERT_FALSE(OID_IS_NULL(o));
		ASSERT_NE(slot[0].off, o.off);
		*(uint64_t *)pmemobj_direct(o) = i;
		pmemobj_persist(self->pop, pmemobj_direct(o), 8);
		pmemobj_defer_free(self->pop, slot[0], &act[1]);
		set_oid(self->pop, &act[2], &slot[0], o);
		ASSERT_EQ(0, pmemobj_publish(self->pop, act, 4));
		ASSERT_EQ(i, *(uint64_t *)pmemobj_direct(slot[0]));
	}
	EXPECT_EQ(1, objects(self->pop));
}

TEST_F(heap, words_alone)
{
	struct pobj_action act[64];
	uint64_t *word = self->root->word;
	int i, n;

	for (n = 1; n <= 64; n++) {
		for (i = 0; i < n; i++)
			pmemobj_set_value(self->pop, &act[i], &word[i], n * 1000 + i);
		EXPECT_EQ(n == 1 ? 0 : (n - 1) * 1000, word[0]);
		ASSERT_EQ(0, pmemobj_publish(self->pop, act, n));
		for (i = 0; i < n; i++)
			EXPECT_EQ(n * 1000 + i, word[i]);
	}
	ASSERT_EQ(0, pmemobj_publish(self->pop, act, 0));
	pmemobj_cancel(self->pop, act, 0);
	HEAP_REOPEN();
	for (i = 0; i < 64; i++)
		EXPECT_EQ(64000 + i, self->root->word[i]);
}

TEST_F_TIMEOUT(heap, ten_thousand_at_once, 120)
{
	size_t i, n = 10000;
	struct pobj_action *act = calloc(n + 3 * SLOTS, sizeof(*act));
	PMEMoid *oid = calloc(n, sizeof(*oid));

	for (i = 0; i < n; i++) {
		oid[i] = pmemobj_reserve(self->pop, &act[i], 16 + i % 700, 1 + i % 3);
		ASSERT_FALSE(OID_IS_NULL(oid[i]));
		pattern_fill(pmemobj_direct(oid[i]), 0, 16 + i % 700, i);
		pmemobj_persist(self->pop, pmemobj_direct(oid[i]), 16 + i % 700);
	}
	EXPECT_EQ(0, objects(self->pop));
	for (i = 0; i < SLOTS; i++)
		set_oid(self->pop, &act[n + 2 * i], &self->root->slot[i], oid[i]);
	ASSERT_EQ(0, pmemobj_publish(self->pop, act, n + 2 * SLOTS));
	HEAP_REOPEN();
	for (i = 0; i < n; i++) {
		ASSERT_TRUE(i >= SLOTS || OID_EQUALS(oid[i], self->root->slot[i]));
		ASSERT_TRUE(pattern_holds(pmemobj_direct(oid[i]), 0, 16 + i % 700, i));
	}
	EXPECT_TRUE(objects_are(self->pop, oid, n));
	/* And all away, in one. */
	for (i = 0; i < n; i++)
		pmemobj_defer_free(self->pop, oid[i], &act[i]);
	for (i = 0; i < SLOTS; i++)
		set_oid(self->pop, &act[n + 2 * i], &self->root->slot[i], OID_NULL);
	ASSERT_EQ(0, pmemobj_publish(self->pop, act, n + 2 * SLOTS));
	EXPECT_EQ(0, objects(self->pop));
	EXPECT_TRUE(all_zero(self->root->slot, 0, sizeof(self->root->slot)));
	/* The log that this took is there again. */
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &oid[0], HEAP_BYTES / 2, 1, NULL, NULL));
	free(act);
	free(oid);
}

TEST_F(heap, some_published_some_cancelled)
{
	struct pobj_action act[300];
	size_t i, cnt = 0;
	PMEMoid oid[300], kept[300], o;

	/* Neighbours in one slab, every second is published. */
	for (i = 0; i < 300; i++) {
		oid[i] = pmemobj_reserve(self->pop, &act[i], 100, 1);
		ASSERT_FALSE(OID_IS_NULL(oid[i]));
	}
	for (i = 0; i < 300; i++) {
		if (i % 3)
			EXPECT_EQ(0, pmemobj_publish(self->pop, &act[i], 1));
		if (i % 3 == 0)
			pmemobj_cancel(self->pop, &act[i], 1);
	}
	for (i = 0; i < 300; i++) {
		if (i % 3)
			kept[cnt++] = oid[i];
	}
	EXPECT_TRUE(objects_are(self->pop, kept, cnt));
	/* What was cancelled can be had again, what was published cannot. */
	for (i = 0; i < 300; i++) {
		o = pmemobj_reserve(self->pop, &act[i], 100, 1);
		ASSERT_FALSE(OID_IS_NULL(o));
		ASSERT_EQ(NULL, bsearch(&o, kept, cnt, sizeof(o), oid_compare));
	}
	pmemobj_cancel(self->pop, act, 300);
	EXPECT_TRUE(objects_are(self->pop, kept, cnt));
}

/* ---- among threads ----------------------------------------------------------------------- */

struct work {
	PMEMobjpool *pop;
	PMEMoid *slot;
	struct pobj_action *act;
	size_t cnt;
	int result;
};

static void *reserve_all(void *arg)
{
	struct work *w = arg;
	PMEMoid o;
	size_t i;

	for (i = 0; i < w->cnt; i++) {
		o = pmemobj_reserve(w->pop, &w->act[3 * i], 64 + i % 1000, 1);
		if (OID_IS_NULL(o)) {
			w->result = -1;
			break;
		}
		memset(pmemobj_direct(o), (int)i, 64);
		pmemobj_persist(w->pop, pmemobj_direct(o), 64);
		set_oid(w->pop, &w->act[3 * i + 1], &w->slot[i], o);
	}
	return NULL;
}

static void *publish_all(void *arg)
{
	struct work *w = arg;

	w->result = pmemobj_publish(w->pop, w->act, 3 * w->cnt);
	return NULL;
}

static void *publish_one_by_one(void *arg)
{
	struct work *w = arg;
	size_t i;

	for (i = 0; i < w->cnt; i++)
		w->result |= pmemobj_publish(w->pop, &w->act[3 * i], 3);
	return NULL;
}

static void *cancel_all(void *arg)
{
	struct work *w = arg;

	pmemobj_cancel(w->pop, w->act, 3 * w->cnt);
	return NULL;
}

static int in_thread(void *(*f)(void *arg), struct work *w)
{
	pthread_t t;

	w->result = 0;
	if (pthread_create(&t, NULL, f, w))
		return -2;
	pthread_join(t, NULL);
	return w->result;
}

static void *(*const end[])(void *arg) = {
	publish_all, cancel_all, publish_one_by_one, cancel_all,
};

TEST_F(heap, reserved_in_one_thread_ended_in_another)
{
	struct work w = { .pop = self->pop, .cnt = 1000 };
	size_t i, j, n = 0, wrong = 0;

	w.act = calloc(3 * w.cnt, sizeof(*w.act));
	for (j = 0; j < 8; j++) {
		w.slot = &self->root->slot[j * w.cnt];
		/* That thread is gone, or this one is, when the actions end. */
		ASSERT_EQ(0, j < 4 ? in_thread(reserve_all, &w) : (reserve_all(&w), w.result));
		EXPECT_EQ(n, objects(self->pop));
		ASSERT_EQ(0, in_thread(end[j % 4], &w));
		n += end[j % 4] == cancel_all ? 0 : w.cnt;
		EXPECT_EQ(n, objects(self->pop));
		for (i = 0; i < w.cnt; i++) {
			if (end[j % 4] == cancel_all)
				wrong += !OID_IS_NULL(w.slot[i]);
			else
				wrong += ((char *)pmemobj_direct(w.slot[i]))[63] != (char)i;
		}
	}
	EXPECT_EQ(0, wrong);
	free(w.act);
}

static void *reserve_publish_free(void *arg)
{
	struct work *w = arg;
	struct pobj_action act[2][3];
	PMEMoid o;
	size_t i;

	for (i = 0; i < w->cnt && !w->result; i++) {
		PMEMoid *slot = &w->slot[i % 100];

		if (!OID_IS_NULL(*slot)) {
			pmemobj_free(slot);
			continue;
		}
		o = pmemobj_reserve(w->pop, &act[0][0], 64 + i % 300, 1);
		set_oid(w->pop, &act[0][1], slot, o);
		if (OID_IS_NULL(pmemobj_reserve(w->pop, &act[1][0], 64 + i % 300, 1)))
			w->result = -1;
		pmemobj_cancel(w->pop, &act[1][0], 1);
		if (OID_IS_NULL(o) || pmemobj_publish(w->pop, act[0], 3))
			w->result = -1;
	}
	return NULL;
}

TEST_F(heap, threads_at_once)
{
	struct work w[4];
	pthread_t t[4];
	size_t i, live = 0;

	for (i = 0; i < 4; i++) {
		w[i] = (struct work){ .pop = self->pop, .slot = &self->root->slot[i * 100],
				      .cnt = 20000 };
		ASSERT_EQ(0, pthread_create(&t[i], NULL, reserve_publish_free, &w[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		EXPECT_EQ(0, w[i].result);
	}
	for (i = 0; i < 400; i++)
		live += !OID_IS_NULL(self->root->slot[i]);
	EXPECT_EQ(live, objects(self->pop));
}

/* ---- what is refused --------------------------------------------------------------------- */

TEST_F(heap, refused)
{
	struct pobj_action act;

	FAILS_OID(EINVAL, pmemobj_xreserve(self->pop, &act, 64, 1, 1ULL << 20));
	FAILS_OID(EINVAL, pmemobj_xreserve(self->pop, &act, 64, 1, POBJ_XALLOC_NO_FLUSH));
	FAILS_OID(ENOMEM, pmemobj_reserve(self->pop, &act, HEAP_BYTES, 1));
	FAILS_OID(ENOMEM, pmemobj_reserve(self->pop, &act, PMEMOBJ_MAX_ALLOC_SIZE + 1, 1));
#ifndef THEIRS
	/* Theirs dies of size 0, and finds a place for the largest. */
	FAILS_OID(ENOMEM, pmemobj_reserve(self->pop, &act, SIZE_MAX, 1));
	FAILS_OID(ENOMEM, pmemobj_xreserve(self->pop, &act, SIZE_MAX, 1, POBJ_XALLOC_ZERO));
	FAILS_OID(EINVAL, pmemobj_reserve(self->pop, &act, 0, 1));
	FAILS_OID(EINVAL, pmemobj_xreserve(self->pop, &act, 0, 1, POBJ_XALLOC_ZERO));
	FAILS_OID(EINVAL, pmemobj_xreserve(self->pop, &act, 64, 1, POBJ_CLASS_ID(1)));
	FAILS_OID(EINVAL, pmemobj_xreserve(self->pop, &act, 64, 1, POBJ_ARENA_ID(1)));
#endif
	EXPECT_EQ(0, objects(self->pop));
}

#ifndef THEIRS
TEST_F(heap, a_reserved_object_is_not_there_for_others)
{
	struct pobj_action act[2];
	PMEMoid o = pmemobj_reserve(self->pop, &act[0], 64, 1), copy = o;

	ASSERT_FALSE(OID_IS_NULL(o));
	errno = 0;
	pmemobj_free(&copy);
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(OID_EQUALS(copy, o));
	ASSERT_EQ(0, pmemobj_publish(self->pop, act, 1));
	EXPECT_EQ(1, objects(self->pop));
	pmemobj_free(&copy);
	EXPECT_EQ(0, objects(self->pop));
}
#endif

TEST_F(heap, full_by_reservations)
{
	size_t size = 10000, max = HEAP_BYTES / size + 1, n = 0, i;
	struct pobj_action *act = calloc(max, sizeof(*act));
	PMEMoid o;

	while (n < max && !OID_IS_NULL(pmemobj_reserve(self->pop, &act[n], size, 1)))
		n++;
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_GT(n * size, HEAP_BYTES / 10 * 8);
	FAILS(ENOMEM, pmemobj_alloc(self->pop, &o, size, 1, NULL, NULL));
	for (i = 0; i < n / 2; i++)
		pmemobj_cancel(self->pop, &act[i], 1);
	ASSERT_EQ(0, pmemobj_publish(self->pop, &act[n / 2], n - n / 2));
	EXPECT_EQ(n - n / 2, objects(self->pop));
	for (i = 0; i < n / 2; i++)
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &o, size, 1, NULL, NULL));
	EXPECT_EQ(n, objects(self->pop));
	free(act);
}

TEST_HARNESS_MAIN
