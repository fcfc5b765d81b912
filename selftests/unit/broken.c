// SPDX-License-Identifier: BSD-3-Clause
/*
 * Writes that fail. Each fence of each operation fails in turn, alone: the operation says EIO and
 * stores no more, the pool is of no use until it is opened again, and then it is as before the
 * operation or as after it.
 */
#include <signal.h>

#include "pool_fixture.h"
#include "lib/heap.h"
#include "lib/pool.h"

#define LARGE	200000
#define MOST	64			/* fences of an operation */

/* What the operations work on: the id of the other pool does not matter. */
struct root {
	PMEMoid d[4];
	struct {
		PMEMoid first;
		PMEMmutex lock;
	} list;
	uint64_t word[8];
};

static struct root *root;
static struct pobj_pool *pool;
static PMEMobjpool *pop;
static unsigned int fences, fail_at;
static char *at_failure;
static int (*true_fence)(const struct pobj_media *m);

static int failing_fence(const struct pobj_media *m)
{
	int err = true_fence(m);

	if (++fences != fail_at)
		return err;
	memcpy(at_failure, m->base, m->size);
	return -EIO;
}

/* ---- operations: 0 or errno ---------------------------------------------------------------- */

static int alloc_named(void)
{
	return pmemobj_alloc(pop, &root->d[1], 64, 1, NULL, NULL) ? errno : 0;
}

static int alloc_nameless(void)
{
	return pmemobj_zalloc(pop, NULL, 64, 1) ? errno : 0;
}

static int alloc_large(void)
{
	return pmemobj_zalloc(pop, &root->d[1], LARGE, 1) ? errno : 0;
}

static int free_small(void)
{
	return -pobj_xfree(&root->d[0], 0);
}

static int free_large(void)
{
	return -pobj_xfree(&root->d[3], 0);
}

static int move(void)
{
	return pmemobj_realloc(pop, &root->d[0], 640, 1) ? errno : 0;
}

static int move_to_large(void)
{
	return pmemobj_zrealloc(pop, &root->d[0], LARGE, 1) ? errno : 0;
}

static int duplicate(void)
{
	return pmemobj_strdup(pop, &root->d[1], "to be or not", 1) ? errno : 0;
}

static int publish(void)
{
	struct pobj_action act[4];

	if (OID_IS_NULL(pmemobj_xreserve(pop, &act[0], 64, 1, POBJ_XALLOC_ZERO)))
		return errno;
	if (OID_IS_NULL(pmemobj_reserve(pop, &act[1], LARGE, 1)))
		return errno;
	pmemobj_defer_free(pop, root->d[0], &act[2]);
	pmemobj_set_value(pop, &act[3], &root->word[0], 1);
	return pmemobj_publish(pop, act, 4) ? errno : 0;
}

static int publish_few(void)
{
	struct pobj_action act[2];

	if (OID_IS_NULL(pmemobj_reserve(pop, &act[0], 64, 1)))
		return errno;
	pmemobj_set_value(pop, &act[1], &root->word[0], 1);
	return pmemobj_publish(pop, act, 2) ? errno : 0;
}

/* More words than the log has lines: it grows. */
static int publish_many(void)
{
	static struct pobj_action act[600];
	uint64_t *word = pmemobj_direct(root->d[3]);
	unsigned int i;

	for (i = 0; i < 600; i++)
		pmemobj_set_value(pop, &act[i], &word[i], i + 1);
	return pmemobj_publish(pop, act, 600) ? errno : 0;
}

static int list_new(void)
{
	return OID_IS_NULL(pmemobj_list_insert_new(pop, 0, &root->list, OID_NULL, 1, 64, 1, NULL,
						   NULL)) ? errno : 0;
}

static int list_remove(void)
{
	return pmemobj_list_remove(pop, 0, &root->list, root->list.first, 1) ? errno : 0;
}

static int root_grows(void)
{
	return OID_IS_NULL(pmemobj_root(pop, 50000)) ? errno : 0;
}

static const struct {
	const char *name;
	int (*run)(void);
	int objects;			/* more than before */
} operations[] = {
	{ "allocate", alloc_named, 1 }, { "allocate, no name", alloc_nameless, 1 },
	{ "allocate a large one", alloc_large, 1 }, { "free", free_small, -1 },
	{ "free a large one", free_large, -1 }, { "move", move, 0 },
	{ "move to a large one", move_to_large, 0 }, { "duplicate", duplicate, 1 },
	{ "publish", publish, 1 }, { "publish few", publish_few, 1 },
	{ "publish many words", publish_many, 0 }, { "insert into a list", list_new, 1 },
	{ "remove from a list", list_remove, -1 }, { "grow the root", root_grows, 0 },
};

/* ---- the tests ----------------------------------------------------------------------------- */

static bool prepare(const char *path)
{
	pop = pmemobj_create(path, "broken", MIN, 0600);
	if (!pop)
		return false;
	root = pmemobj_direct(pmemobj_root(pop, sizeof(struct root)));
	if (!root || pmemobj_alloc(pop, &root->d[0], 64, 1, NULL, NULL) ||
	    pmemobj_alloc(pop, &root->d[2], 64, 1, NULL, NULL) ||
	    pmemobj_alloc(pop, &root->d[3], LARGE, 1, NULL, NULL) ||
	    OID_IS_NULL(pmemobj_list_insert_new(pop, 0, &root->list, OID_NULL, 1, 64, 1, NULL,
						NULL)))
		return false;
	pool = pobj_pool_raw(pop);
	true_fence = pool->media.fence;
	fences = 0;
	pool->media.fence = failing_fence;
	pool->heap->media.fence = failing_fence;
	return true;
}

/* All is as it was when the fence failed, but for the list's lock, which is let go. */
static bool nothing_stored(void)
{
	const size_t lock = (size_t)((char *)&root->list.lock - (char *)pop);

	memcpy(at_failure + lock, &root->list.lock, sizeof(root->list.lock));
	return !memcmp(at_failure, pool->media.base, pool->media.size);
}

static int objects(void)
{
	PMEMoid oid;
	int n = 0;

	POBJ_FOREACH(pop, oid)
		n++;
	return n;
}

/* One fence of one operation fails; false: it has fewer. */
static bool fail_one(struct __test_metadata *_metadata, const char *path, size_t op, unsigned int n)
{
	struct pobj_pool_census c;
	PMEMoid oid = OID_NULL;
	int before, now, got;
	bool failed;

	ASSERT_TRUE(prepare(path))
		TH_LOG("%s", pmemobj_errormsg());
	before = objects();
	fail_at = n;
	got = operations[op].run();
	failed = fences >= n;
	if (!failed) {
		EXPECT_EQ(0, got);
	} else {
		EXPECT_EQ(EIO, got)
			TH_LOG("%s, fence %u", operations[op].name, n);
		EXPECT_EQ(n, fences)
			TH_LOG("%s goes on behind fence %u", operations[op].name, n);
		EXPECT_TRUE(nothing_stored())
			TH_LOG("%s stores behind fence %u", operations[op].name, n);
		errno = 0;
		EXPECT_NE(0, pmemobj_alloc(pop, &oid, 64, 1, NULL, NULL));
		EXPECT_EQ(EIO, errno);
		EXPECT_EQ(-EIO, pobj_xfree(&root->d[2], 0));
		EXPECT_TRUE(nothing_stored());
	}
	pmemobj_close(pop);
	pop = pmemobj_open(path, "broken");
	ASSERT_NE(NULL, pop)
		TH_LOG("%s, fence %u: %s", operations[op].name, n, pmemobj_errormsg());
	now = objects() - before;
	EXPECT_TRUE(now == operations[op].objects || (failed && !now))
		TH_LOG("%s, fence %u: %d objects more", operations[op].name, n, now);
	root = pmemobj_direct(pmemobj_root(pop, sizeof(struct root)));
	EXPECT_EQ(0, pobj_xfree(&root->d[2], 0));
	pmemobj_close(pop);
	EXPECT_EQ(0, pobj_pool_check(path, NULL, NULL, &c));
	EXPECT_EQ(0, c.problems);
	EXPECT_EQ(0, c.live_entries);
	unlink(path);
	return failed;
}

TEST_F_TIMEOUT(pool, each_fence_fails, 120)
{
	unsigned int n, all = 0;
	size_t op;

	at_failure = malloc(MIN);
	for (op = 0; op < ARRAY_SIZE(operations); op++) {
		for (n = 1; fail_one(_metadata, self->path, op, n) && n < MOST; n++)
			;
		EXPECT_LT(1, n)
			TH_LOG("%s has no fence", operations[op].name);
		EXPECT_GT(MOST, n);
		all += n - 1;
	}
	TH_LOG("%u fences failed", all);
	free(at_failure);
}

/* ---- the dead ------------------------------------------------------------------------------ */

/* A process that frees one of its objects, reserves another, and does not get further. */
static int die(void *arg)
{
	PMEMobjpool *mine = pmemobj_open(arg, "broken");
	struct pobj_action act;
	PMEMoid oid[2];

	if (!mine || pmemobj_alloc(mine, &oid[0], 64, 9, NULL, NULL) ||
	    pmemobj_alloc(mine, &oid[1], 64, 9, NULL, NULL) ||
	    OID_IS_NULL(pmemobj_reserve(mine, &act, 64, 9)))
		return 1;
	root = pmemobj_direct(pmemobj_root(mine, sizeof(struct root)));
	if (pobj_xfree(&root->d[0], 0) || pobj_xfree(&oid[0], 0))
		return 1;
	kill(getpid(), SIGKILL);
	return 1;
}

/* The lane that another session has, or 0. */
static u32 lane_of_the_dead(void)
{
	const struct pobj_heap *h = pool->heap;
	u32 lane;

	for (lane = 1; lane < h->g->lane_cnt; lane++) {
		if (h->lanes[lane].session && h->lanes[lane].session != pool->session)
			return lane;
	}
	return 0;
}

static void end_whole(struct __test_metadata *_metadata, const char *path)
{
	struct pobj_pool_census c;

	pmemobj_close(pop);
	EXPECT_EQ(0, pobj_pool_check(path, NULL, NULL, &c));
	EXPECT_EQ(0, c.problems);
	EXPECT_EQ(0, c.live_entries);
	unlink(path);
}

/* Each fence of the reaping fails: told as that, and done at the next occasion. */
TEST_F(pool, each_fence_of_reaping_fails)
{
	unsigned int n, failed;
	int before;

	at_failure = malloc(MIN);
	for (n = 1; n < MOST; n++) {
		ASSERT_TRUE(prepare(self->path));
		fail_at = 0;
		before = objects();
		EXPECT_EQ(1000 + SIGKILL, files_in_child(die, self->path));
		fences = 0;
		fail_at = n;
		errno = 0;
		EXPECT_EQ(pobj_pool_reap(pop), fences < n ? 1 : -EIO);
		failed = fences >= n;
		if (failed) {
			EXPECT_EQ(n, fences);
			EXPECT_TRUE(nothing_stored());
			EXPECT_TRUE(strstr(pmemobj_errormsg(), "recovery cannot write") ||
				    strstr(pmemobj_errormsg(), "a dead process' slabs"))
				TH_LOG("%s", pmemobj_errormsg());
		}
		fail_at = 0;
		if (pool->broken) {
			pmemobj_close(pop);
			pop = pmemobj_open(self->path, "broken");
			ASSERT_NE(NULL, pop);
		} else {
			EXPECT_EQ(failed ? 1 : 0, pobj_pool_reap(pop));
		}
		EXPECT_EQ(before, objects());
		end_whole(_metadata, self->path);
		if (!failed)
			break;
	}
	EXPECT_LT(4, n);
	EXPECT_GT(MOST, n);
	free(at_failure);
}

/* A log of the dead that is damaged: nothing of it is given back, however often it is tried. */
TEST_F(pool, damaged_log_of_the_dead)
{
	const struct pobj_heap *h;
	struct pobj_lane_view v;
	char *slot;
	u32 lane;
	int i;

	at_failure = malloc(MIN);
	ASSERT_TRUE(prepare(self->path));
	fail_at = 0;
	EXPECT_EQ(1000 + SIGKILL, files_in_child(die, self->path));
	h = pool->heap;
	lane = lane_of_the_dead();
	ASSERT_NE(0, lane);
	ASSERT_EQ(0, pobj_lane_read(&h->media, h->g, lane, &v, NULL));
	slot = pobj_media_ptr(&h->media, pobj_geom_slot(h->g, lane, v.newest));
	slot[8] ^= 1;
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EUCLEAN, pobj_pool_reap(pop));
		EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "offset"));
		EXPECT_EQ(lane, lane_of_the_dead());
	}
	slot[8] ^= 1;
	EXPECT_EQ(1, pobj_pool_reap(pop));
	EXPECT_EQ(0, lane_of_the_dead());
	end_whole(_metadata, self->path);
	free(at_failure);
}

TEST_HARNESS_MAIN
