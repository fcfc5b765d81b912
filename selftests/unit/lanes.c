// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lanes in the hands of threads: all of them taken, threads that end with reservations, pools that
 * are closed by others, and forked children.
 */
#include <signal.h>
#include <time.h>

#include "pool_fixture.h"
#include "audit.h"
#include "hand.h"
#include "lib/heap.h"

#define LANES		31		/* for threads, of a pool of 8 MiB */
#define QUICK_NS	5000000		/* of CPU time */
#define TRIES		20

static PMEMobjpool *pop;

/* ---- what a thread does ------------------------------------------------------------------ */

/* What it is given, and what it found. */
struct job {
	PMEMobjpool *pop;
	PMEMoid oid;
	PMEMoid *at;
	struct pobj_action act[2];
	size_t size;
	uint64_t type;
	char text[256];
};

static struct job job_of(PMEMobjpool *p, size_t size, uint64_t type)
{
	return (struct job){ .pop = p, .size = size, .type = type };
}

static int failed(struct job *j)
{
	int err = errno;

	snprintf(j->text, sizeof(j->text), "%s", pmemobj_errormsg());
	return -err;
}

static int do_alloc(void *arg)
{
	struct job *j = arg;

	errno = 0;
	return pmemobj_alloc(j->pop, j->at ? j->at : &j->oid, j->size, j->type, NULL, NULL) ?
	       failed(j) : 0;
}

static int do_free(void *arg)
{
	struct job *j = arg;
	int err = pobj_xfree(j->at ? j->at : &j->oid, 0);

	if (err)
		snprintf(j->text, sizeof(j->text), "%s", pmemobj_errormsg());
	return err;
}

/* A small one and a large one. */
static int do_reserve(void *arg)
{
	struct job *j = arg;

	errno = 0;
	if (OID_IS_NULL(pmemobj_reserve(j->pop, &j->act[0], j->size, j->type)) ||
	    OID_IS_NULL(pmemobj_reserve(j->pop, &j->act[1], 100000, j->type)))
		return failed(j);
	return 0;
}

static int do_publish(void *arg)
{
	struct job *j = arg;

	errno = 0;
	return pmemobj_publish(j->pop, j->act, 2) ? failed(j) : 0;
}

static int do_cancel(void *arg)
{
	struct job *j = arg;

	pmemobj_cancel(j->pop, j->act, 2);
	return 0;
}

static uint64_t count(PMEMobjpool *p)
{
	uint64_t n = 0;
	PMEMoid o;

	POBJ_FOREACH(p, o)
		n++;
	return n;
}

/* Lanes that somebody has, in a pool that keeps all of its rules. */
#define LANES_TAKEN(p) ({							\
	struct audit __a;							\
	EXPECT_EQ(0, audit_pool(p, &__a))					\
		TH_LOG("%s", __a.text);						\
	(int)__a.lanes;								\
})

#define CLEAN(path) do {							\
	struct pobj_pool_census __c;						\
	EXPECT_EQ(0, pobj_pool_check(path, NULL, NULL, &__c))			\
		TH_LOG("%s", pobj_errormsg());					\
	EXPECT_EQ(0, __c.problems);						\
	EXPECT_EQ(0, __c.live_entries);						\
} while (0)

/* ---- all lanes taken --------------------------------------------------------------------- */

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Each call fails for want of a lane, at once, and changes nothing. 0, or the line that did not. */
static int without_a_lane(void *arg)
{
	struct job *j = arg;
	const PMEMoid before = j->oid;
	PMEMoid oid = OID_NULL;
	struct pobj_action act;
	uint64_t ns[TRIES], from;
	int i;

	for (i = 0; i < TRIES; i++) {
		from = cpu_ns();
		errno = 0;
		if (!pmemobj_alloc(j->pop, &oid, 64, 1, NULL, NULL) || errno != EAGAIN)
			return __LINE__;
		ns[i] = cpu_ns() - from;
	}
	qsort(ns, TRIES, sizeof(*ns), by_size);
	if (ns[TRIES / 2] > QUICK_NS)
		return __LINE__;
	if (!OID_IS_NULL(oid) || !strstr(pmemobj_errormsg(), "all 31 lanes are in use"))
		return __LINE__;
	errno = 0;
	if (!OID_IS_NULL(pmemobj_reserve(j->pop, &act, 64, 1)) || errno != EAGAIN)
		return __LINE__;
	errno = 0;
	if (!OID_IS_NULL(pmemobj_reserve(j->pop, &act, 100000, 1)) || errno != EAGAIN)
		return __LINE__;
	pmemobj_set_value(j->pop, &act, pmemobj_direct(j->oid), 4711);
	errno = 0;
	if (!pmemobj_publish(j->pop, &act, 1) || errno != EAGAIN)
		return __LINE__;
	if (*(uint64_t *)pmemobj_direct(j->oid) == 4711)
		return __LINE__;
	if (pobj_xfree(&j->oid, 0) != -EAGAIN || !OID_EQUALS(before, j->oid))
		return __LINE__;
	errno = 0;
	if (!pmemobj_realloc(j->pop, &j->oid, 1000, 1) || errno != EAGAIN ||
	    !OID_EQUALS(before, j->oid))
		return __LINE__;
	/* To look takes no lane. */
	if (count(j->pop) != LANES || pmemobj_type_num(j->oid) != 1 ||
	    pmemobj_alloc_usable_size(j->oid) != 64)
		return __LINE__;
	return 0;
}

static const char *path;

/* In another process, while all lanes are taken here. */
static int guest_without_a_lane(void *arg)
{
	PMEMobjpool *p = pmemobj_open(path, "test");
	struct job j = job_of(p, 64, 1);
	int line;

	if (!p)
		return 1;
	j.oid = POBJ_FIRST_TYPE_NUM(p, 1);
	line = without_a_lane(&j);
	pmemobj_close(p);
	return line ? 2 : 0;
}

TEST_F(pool, one_lane_for_each_thread)
{
	struct hand h[LANES + 2];
	struct job j[LANES + 2];
	struct pobj_pool_info info;
	int i;

	CREATE();
	path = self->path;
	ASSERT_EQ(0, pobj_pool_info(self->path, &info));
	ASSERT_EQ(LANES + 1, info.lane_cnt);
	for (i = 0; i < LANES + 2; i++) {
		ASSERT_EQ(0, hand_start(&h[i]));
		j[i] = job_of(self->pop, 64, 1);
	}
	for (i = 0; i < LANES; i++)
		ASSERT_EQ(0, hand_do(&h[i], do_alloc, &j[i]))
			TH_LOG("%s", j[i].text);
	EXPECT_EQ(LANES, LANES_TAKEN(self->pop));
	j[LANES].oid = j[0].oid;
	EXPECT_EQ(0, hand_do(&h[LANES], without_a_lane, &j[LANES]));
	EXPECT_EQ(0, files_in_child(guest_without_a_lane, NULL));
	/* The others do not mind. */
	for (i = 1; i < LANES; i++) {
		EXPECT_EQ(0, hand_do(&h[i], do_free, &j[i]));
		EXPECT_EQ(0, hand_do(&h[i], do_alloc, &j[i]));
	}
	/* One ends: the next goes on, and then there is none again. */
	hand_end(&h[7]);
	EXPECT_EQ(LANES - 1, LANES_TAKEN(self->pop));
	EXPECT_EQ(0, hand_do(&h[LANES], do_free, &j[LANES]));
	EXPECT_EQ(0, hand_do(&h[LANES], do_alloc, &j[LANES]));
	EXPECT_EQ(LANES, LANES_TAKEN(self->pop));
	EXPECT_EQ(-EAGAIN, hand_do(&h[LANES + 1], do_alloc, &j[LANES + 1]));
	EXPECT_NE(NULL, strstr(j[LANES + 1].text, "lanes"));
	for (i = 0; i < LANES + 2; i++) {
		if (i != 7)
			hand_end(&h[i]);
	}
	EXPECT_EQ(0, LANES_TAKEN(self->pop));
	EXPECT_EQ(LANES, count(self->pop));
	pmemobj_close(self->pop);
	CLEAN(self->path);
}

/* ---- reservations of threads that ended --------------------------------------------------- */

/* A lane whose sequences are nearly used up is passed over, and stays nobody's. */
TEST_F(pool, used_up_lane)
{
	struct pobj_heap *h;
	struct pobj_lane l;
	PMEMoid oid;
	int i;

	CREATE();
	h = pobj_pool_raw(self->pop)->heap;
	pobj_lane_init(&l, &h->media, h->g, 1, POBJ_M_SEQ_MAX - (1ULL << 39));
	for (i = 0; i < POBJ_M_SLOT_CNT; i++) {
		l.retired = l.seq;
		pobj_lane_store_nop(&l, 0);
	}
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &oid, 64, 1, NULL, NULL))
		TH_LOG("%s", pmemobj_errormsg());
	EXPECT_EQ(2, pobj_tlane_of(self->pop)->log.lane);
	EXPECT_EQ(0, h->lanes[1].session);
	EXPECT_EQ(0, pobj_xfree(&oid, 0));
	EXPECT_EQ(1, LANES_TAKEN(self->pop));
	pmemobj_close(self->pop);
	CLEAN(self->path);
}

TEST_F(pool, reservations_outlive_their_thread)
{
	char text[AUDIT_TEXT];
	struct hand h[3];
	struct job j[3], other;
	int i;

	CREATE();
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, hand_start(&h[i]));
		/* The second one has nothing but large ones. */
		j[i] = job_of(self->pop, i == 1 ? 100000 : 64, 1);
	}
	/* One that is there already, one whose lane serves again. */
	other = job_of(self->pop, 64, 1);
	ASSERT_EQ(0, do_alloc(&other));
	ASSERT_EQ(0, hand_do(&h[0], do_reserve, &j[0]));
	ASSERT_EQ(0, hand_do(&h[1], do_reserve, &j[1]));
	hand_end(&h[0]);
	hand_end(&h[1]);
	EXPECT_EQ(3, LANES_TAKEN(self->pop));
	ASSERT_EQ(0, hand_do(&h[2], do_alloc, &j[2]));
	EXPECT_EQ(3, LANES_TAKEN(self->pop));
	EXPECT_EQ(0, do_publish(&j[0]));
	EXPECT_EQ(0, hand_do(&h[2], do_cancel, &j[1]));
	EXPECT_EQ(4, count(self->pop));
	/* The last reservation is gone: its lane goes with the thread, or when room is needed. */
	hand_end(&h[2]);
	EXPECT_LT(0, audit_fill(self->pop, 4096, 1, text))
		TH_LOG("%s", text);
	EXPECT_EQ(1, LANES_TAKEN(self->pop));
	pmemobj_close(self->pop);
	CLEAN(self->path);
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	EXPECT_EQ(4, count(self->pop));
	pmemobj_close(self->pop);
}

TEST_F(pool, parked_lanes_serve_again)
{
	struct hand h[LANES];
	struct job j[2][LANES];
	int round, i;

	CREATE();
	for (round = 0; round < 2; round++) {
		for (i = 0; i < LANES; i++) {
			ASSERT_EQ(0, hand_start(&h[i]));
			j[round][i] = job_of(self->pop, 64 + 16 * round, round);
			ASSERT_EQ(0, hand_do(&h[i], do_reserve, &j[round][i]))
				TH_LOG("round %d: %s", round, j[round][i].text);
		}
		for (i = 0; i < LANES; i++)
			hand_end(&h[i]);
		EXPECT_EQ(LANES, LANES_TAKEN(self->pop));
	}
	/* This thread is one more, too: from any lane, of any. */
	for (i = 0; i < LANES; i++) {
		if (i % 2) {
			EXPECT_EQ(0, do_publish(&j[0][i]));
			pmemobj_cancel(self->pop, j[1][i].act, 2);
		} else {
			pmemobj_cancel(self->pop, j[0][i].act, 2);
			EXPECT_EQ(0, do_publish(&j[1][i]));
		}
	}
	EXPECT_EQ(2 * LANES, count(self->pop));
	pmemobj_close(self->pop);
	CLEAN(self->path);
}

/* What is reserved at close is free again. */
TEST_F(pool, closed_with_reservations)
{
	char text[AUDIT_TEXT];
	struct hand h[2];
	struct job j[2];
	int64_t room;
	int i;

	CREATE();
	room = audit_fill(self->pop, 4096, 1, text);
	ASSERT_LT(0, room)
		TH_LOG("%s", text);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, hand_start(&h[i]));
		j[i] = job_of(self->pop, 64, 2);
		ASSERT_EQ(0, hand_do(&h[i], do_reserve, &j[i]));
	}
	hand_end(&h[0]);
	pmemobj_close(self->pop);
	hand_end(&h[1]);
	CLEAN(self->path);
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	EXPECT_EQ(0, LANES_TAKEN(self->pop));
	EXPECT_EQ(0, count(self->pop));
	EXPECT_EQ(room, audit_fill(self->pop, 4096, 1, text))
		TH_LOG("%s", text);
	pmemobj_close(self->pop);
}

/* ---- many come and go -------------------------------------------------------------------- */

#define PROCESSES	32
#define THREADS		8
#define WAVES		2

static int patiently(int (*work)(void *arg), struct job *j)
{
	int err, ms;

	for (ms = 0; ms < 20000; ms++) {
		err = work(j);
		if (err != -EAGAIN)
			return err;
		usleep(1000);
	}
	return err;
}

/* Leaves one object. */
static void *come_and_go(void *arg)
{
	const uint64_t n = (uint64_t)(uintptr_t)arg;
	struct job j[3];
	int i;

	for (i = 0; i < 3; i++)
		j[i] = job_of(pop, 48 + n % 5 * 200, n % 7);
	for (i = 0; i < 3; i++) {
		if (patiently(do_alloc, &j[i]))
			return "alloc";
	}
	if (do_free(&j[0]) || do_reserve(&j[0]) || do_free(&j[1]) || do_reserve(&j[1]))
		return "free or reserve";
	do_cancel(&j[0]);
	if (n % 3 == 0) {
		/* Ends with this. */
		return NULL;
	}
	do_cancel(&j[1]);
	return NULL;
}

static int some_threads(void *arg)
{
	const uintptr_t first = (uintptr_t)arg * THREADS;
	pthread_t t[THREADS];
	void *wrong = NULL, *ret;
	int wave, i;

	pop = pmemobj_open(path, "test");
	if (!pop)
		return 1;
	for (wave = 0; wave < WAVES; wave++) {
		for (i = 0; i < THREADS; i++) {
			if (pthread_create(&t[i], NULL, come_and_go, (void *)(first + i)))
				return 2;
		}
		for (i = 0; i < THREADS; i++) {
			pthread_join(t[i], &ret);
			if (ret)
				wrong = ret;
		}
	}
	/* Some do not say good-bye. */
	if (first / THREADS % 4)
		pmemobj_close(pop);
	return wrong ? 3 : 0;
}

static int take_all(void *arg)
{
	struct hand h[POBJ_LANES_MAX];
	const int lanes = *(int *)arg;
	struct job j;
	int i, err = 0;

	pop = pmemobj_open(path, "test");
	if (!pop)
		return 1;
	j = job_of(pop, 64, 99);
	for (i = 0; i <= lanes && !err; i++) {
		if (hand_start(&h[i]))
			return 2;
		err = hand_do(&h[i], do_alloc, &j);
	}
	pmemobj_close(pop);
	return err == -EAGAIN && i == lanes + 1 ? 0 : 3;
}

TEST_F_TIMEOUT(pool, processes_come_and_go, 120)
{
	struct pobj_pool_info info;
	pid_t pid[PROCESSES];
	int i, lanes;

	path = self->path;
	pop = pmemobj_create(path, "test", 8 * MIN, 0600);
	ASSERT_NE(NULL, pop)
		TH_LOG("%s", pmemobj_errormsg());
	ASSERT_EQ(0, pobj_pool_info(path, &info));
	lanes = (int)info.lane_cnt - 1;
	ASSERT_LT(LANES, lanes);
	for (i = 0; i < PROCESSES; i++)
		pid[i] = files_start(some_threads, (void *)(intptr_t)i);
	for (i = 0; i < PROCESSES; i++)
		EXPECT_EQ(0, files_wait(pid[i]));
	/* All of them: also those of the dead. */
	EXPECT_EQ(0, files_in_child(take_all, &lanes));
	EXPECT_EQ(PROCESSES * THREADS * WAVES + lanes, count(pop));
	EXPECT_EQ(0, LANES_TAKEN(pop));
	pmemobj_close(pop);
	CLEAN(path);
}

/* ---- pools closed meanwhile -------------------------------------------------------------- */

TEST_F(pool, thread_ends_after_the_close)
{
	struct hand h[2];
	struct job j[2];
	int i;

	CREATE();
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, hand_start(&h[i]));
		j[i] = job_of(self->pop, 64, 1);
		ASSERT_EQ(0, hand_do(&h[i], do_alloc, &j[i]));
	}
	pmemobj_close(self->pop);
	hand_end(&h[0]);
	/* The handle may well be where it was; the lane is not. */
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	EXPECT_EQ(0, LANES_TAKEN(self->pop));
	j[0] = job_of(self->pop, 64, 1);
	ASSERT_EQ(0, do_alloc(&j[0]));
	hand_end(&h[1]);
	EXPECT_EQ(1, LANES_TAKEN(self->pop));
	EXPECT_EQ(0, do_free(&j[0]));
	EXPECT_EQ(2, count(self->pop));
	pmemobj_close(self->pop);
	CLEAN(self->path);
}

TEST_F(pool, thread_goes_on_after_a_reopen)
{
	struct hand h;
	struct job j;
	int i;

	CREATE();
	ASSERT_EQ(0, hand_start(&h));
	for (i = 0; i < 10; i++) {
		j = job_of(self->pop, 64, 1);
		EXPECT_EQ(0, hand_do(&h, do_alloc, &j));
		EXPECT_EQ(1, LANES_TAKEN(self->pop));
		pmemobj_close(self->pop);
		CLEAN(self->path);
		self->pop = pmemobj_open(self->path, "test");
		ASSERT_NE(NULL, self->pop);
		/* By its id first: the pool of that thread's last call is gone. */
		EXPECT_EQ(0, hand_do(&h, do_free, &j));
		EXPECT_EQ(0, count(self->pop));
	}
	hand_end(&h);
	EXPECT_EQ(0, LANES_TAKEN(self->pop));
	pmemobj_close(self->pop);
}

#define POOLS	5

TEST_F(pool, lanes_in_several_pools)
{
	PMEMobjpool *pops[POOLS];
	struct job j[2][POOLS];
	struct hand h[2];
	char name[16];
	int i, n;

	for (i = 0; i < POOLS; i++) {
		snprintf(name, sizeof(name), "pool%d", i);
		pops[i] = pmemobj_create(files_path(name), "test", MIN, 0600);
		ASSERT_NE(NULL, pops[i]);
	}
	for (n = 0; n < 2; n++) {
		ASSERT_EQ(0, hand_start(&h[n]));
		for (i = 0; i < POOLS; i++) {
			j[n][i] = job_of(pops[i], 64, i);
			ASSERT_EQ(0, hand_do(&h[n], do_alloc, &j[n][i]));
		}
	}
	for (i = 0; i < POOLS; i++)
		EXPECT_EQ(2, LANES_TAKEN(pops[i]));
	/* Back and forth, by ids alone; then one pool less. */
	for (i = POOLS; i-- > 0;) {
		ASSERT_EQ(0, hand_do(&h[0], do_free, &j[0][i]));
		ASSERT_EQ(0, hand_do(&h[0], do_alloc, &j[0][i]));
		EXPECT_EQ(2, LANES_TAKEN(pops[i]));
	}
	/* It was the last one that the thread used. */
	ASSERT_EQ(0, hand_do(&h[0], do_free, &j[0][2]));
	ASSERT_EQ(0, hand_do(&h[0], do_alloc, &j[0][2]));
	pmemobj_close(pops[2]);
	EXPECT_EQ(-EINVAL, hand_do(&h[0], do_free, &j[0][2]));
	EXPECT_NE(NULL, strstr(j[0][2].text, "not open"));
	hand_end(&h[0]);
	for (i = 0; i < POOLS; i++) {
		if (i == 2)
			continue;
		EXPECT_EQ(1, LANES_TAKEN(pops[i]));
		EXPECT_EQ(0, hand_do(&h[1], do_free, &j[1][i]));
		EXPECT_EQ(1, count(pops[i]));
	}
	hand_end(&h[1]);
	for (i = 0; i < POOLS; i++) {
		if (i == 2)
			continue;
		EXPECT_EQ(0, LANES_TAKEN(pops[i]));
		pmemobj_close(pops[i]);
	}
	for (i = 0; i < POOLS; i++) {
		snprintf(name, sizeof(name), "pool%d", i);
		CLEAN(files_path(name));
	}
}

/* Frees whose entries are live when another thread closes: none is repeated or taken back. */
TEST_F(pool, closed_by_another_thread)
{
	struct { PMEMoid oid[8]; } *root;
	struct hand h;
	struct job j;
	int frees, i;

	for (frees = 1; frees <= 6; frees++) {
		CREATE();
		root = pmemobj_direct(pmemobj_root(self->pop, sizeof(*root)));
		ASSERT_NE(NULL, root);
		ASSERT_EQ(0, hand_start(&h));
		for (i = 0; i < 8; i++) {
			j = job_of(self->pop, i % 2 ? 64 : 100000, i);
			j.at = &root->oid[i];
			ASSERT_EQ(0, hand_do(&h, do_alloc, &j));
		}
		for (i = 0; i < frees; i++) {
			j.at = &root->oid[i];
			ASSERT_EQ(0, hand_do(&h, do_free, &j));
		}
		pmemobj_close(self->pop);
		CLEAN(self->path);
		self->pop = pmemobj_open(self->path, "test");
		ASSERT_NE(NULL, self->pop);
		root = pmemobj_direct(pmemobj_root(self->pop, sizeof(*root)));
		EXPECT_EQ(8 - frees, count(self->pop));
		for (i = 0; i < 8; i++) {
			EXPECT_EQ(i < frees, OID_IS_NULL(root->oid[i]));
			if (i >= frees)
				EXPECT_EQ(i, pmemobj_type_num(root->oid[i]));
		}
		/* All that was freed is to be had, and stays with the new owner. */
		for (i = 0; i < frees; i++) {
			j = job_of(self->pop, i % 2 ? 64 : 100000, i);
			j.at = &root->oid[i];
			ASSERT_EQ(0, hand_do(&h, do_alloc, &j));
		}
		hand_end(&h);
		EXPECT_EQ(8, count(self->pop));
		pmemobj_close(self->pop);
		CLEAN(self->path);
		ASSERT_EQ(0, unlink(self->path));
	}
}

/* ---- forked children --------------------------------------------------------------------- */

static int nobody_calls(PMEMobjpool *p, void *at, void *arg)
{
	return -1;
}

static bool refused(bool failed)
{
	const bool ret = failed && errno == EINVAL && *pmemobj_errormsg();

	errno = 0;
	return ret;
}

/* Nothing of the parent's works; what the child opens does. */
static int forked(void *arg)
{
	struct job *j = arg;
	PMEMoid oid = OID_NULL, old = j->oid;
	struct pobj_action act;

	errno = 0;
	if (!refused(pmemobj_alloc(j->pop, &oid, 64, 1, nobody_calls, NULL)) ||
	    !refused(pmemobj_zalloc(j->pop, &oid, 100000, 1)) ||
	    !refused(OID_IS_NULL(pmemobj_reserve(j->pop, &act, 64, 1))) ||
	    !refused(pmemobj_publish(j->pop, j->act, 2)) ||
	    !refused(pmemobj_realloc(j->pop, &old, 128, 1)) ||
	    !refused(pobj_xfree(&old, 0) == -EINVAL) ||
	    !refused(OID_IS_NULL(pmemobj_root(j->pop, 64))))
		return 5;
	if (!OID_IS_NULL(oid) || !OID_EQUALS(old, j->oid) || pmemobj_direct(old))
		return 1;
	pmemobj_cancel(j->pop, j->act, 2);
	pmemobj_close(j->pop);
	j->pop = pmemobj_open(path, "test");
	if (!j->pop)
		return 2;
	/* The reservations are the parent's still. */
	if (do_free(j) || do_alloc(j) || count(j->pop) != 1)
		return 3;
	pmemobj_close(j->pop);
	return 0;
}

static int fork_now(void *arg)
{
	return files_in_child(forked, arg);
}

TEST_F(pool, forked_child_opens_for_itself)
{
	struct hand h;
	PMEMoid oid, last = OID_NULL;
	struct job j;

	CREATE();
	path = self->path;
	ASSERT_EQ(0, hand_start(&h));
	j = job_of(self->pop, 64, 1);
	ASSERT_EQ(0, hand_do(&h, do_alloc, &j));
	ASSERT_EQ(0, hand_do(&h, do_reserve, &j));
	/* From the thread that has the lane. The child frees the object, and leaves another one. */
	EXPECT_EQ(0, hand_do(&h, fork_now, &j));
	EXPECT_EQ(1, LANES_TAKEN(self->pop));
	EXPECT_EQ(1, count(self->pop));
	EXPECT_EQ(-EINVAL, hand_do(&h, do_free, &j));
	EXPECT_EQ(0, hand_do(&h, do_publish, &j));
	EXPECT_EQ(3, count(self->pop));
	/* From one that has none. */
	POBJ_FOREACH_SAFE(self->pop, j.oid, oid) {
		if (OID_IS_NULL(oid)) {
			last = j.oid;
			break;
		}
		EXPECT_EQ(0, do_free(&j));
	}
	j.oid = last;
	EXPECT_EQ(1, count(self->pop));
	hand_end(&h);
	EXPECT_EQ(0, fork_now(&j));
	pmemobj_close(self->pop);
	CLEAN(self->path);
}

/* Opens the pool, takes a lane and reserves an object, and is killed. */
static int die_with_a_lane(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(arg, NULL);
	struct pobj_action act;

	if (!pop || OID_IS_NULL(pmemobj_reserve(pop, &act, 64, 1)))
		return 1;
	kill(getpid(), SIGKILL);
	return 2;
}

TEST_F(pool, reaped_when_asked)
{
	CREATE();
	EXPECT_EQ(0, pobj_pool_reap(self->pop));
	EXPECT_EQ(1000 + SIGKILL, files_in_child(die_with_a_lane, (void *)self->path));
	EXPECT_EQ(1, pobj_pool_reap(self->pop));
	EXPECT_EQ(0, LANES_TAKEN(self->pop));
	EXPECT_EQ(0, pobj_pool_reap(self->pop));
	EXPECT_EQ(-EINVAL, pobj_pool_reap(NULL));
	pmemobj_close(self->pop);
	EXPECT_EQ(-EINVAL, pobj_pool_reap(self->pop));
	CLEAN(self->path);
}

TEST_HARNESS_MAIN
