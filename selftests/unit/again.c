// SPDX-License-Identifier: BSD-3-Clause
/*
 * Room that comes about is found. A thread that was told that there is none asks again, after one
 * thing only has changed, and is given it; also when it asked just before the change was whole. And
 * what fails or is kept from others on the way leaves nothing behind.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "pool_fixture.h"
#include "audit.h"
#include "hand.h"
#include "lib/core/recover.h"
#include "lib/heap.h"
#include "lib/sidecar.h"

#define POOL	MIN
#define MOST	(POOL / 64)
#define VAST	(POOL / 10 * 9)
#define TYPE	1

static PMEMobjpool *pop;
static PMEMoid oids[MOST];
static size_t made;
static struct pobj_action act[MOST];

#define AUDIT() do {								\
	struct audit __a;							\
	EXPECT_EQ(0, audit_pool(pop, &__a))					\
		TH_LOG("%s", __a.text);						\
} while (0)

/* ---- what happens before a call of the library -------------------------------------------- */

static void (*before_disown)(void);
static void (*before_give)(void);
static void (*before_hint)(void);
static int hints_before;	/* this many hints come first */
static void (*after_pool_lock)(void);
static bool no_memory_for_slabs;
static int recoveries;

void __real_pobj_span_disown(struct pobj_heap *h, struct pobj_side_lane *by, u64 page);
void __wrap_pobj_span_disown(struct pobj_heap *h, struct pobj_side_lane *by, u64 page);
void __real_pobj_span_give(struct pobj_heap *h, struct pobj_side_lane *by, u64 page, u64 pages);
void __wrap_pobj_span_give(struct pobj_heap *h, struct pobj_side_lane *by, u64 page, u64 pages);
void __real_pobj_slab_hint(struct pobj_heap *h, u64 page);
void __wrap_pobj_slab_hint(struct pobj_heap *h, u64 page);
int __real_pobj_recover_lane(const struct pobj_media *m, const struct pobj_super *s, u32 lane,
			     struct pobj_recovery *r, struct pobj_finding *f);
int __wrap_pobj_recover_lane(const struct pobj_media *m, const struct pobj_super *s, u32 lane,
			     struct pobj_recovery *r, struct pobj_finding *f);
int __real_pthread_mutex_trylock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *lock);
void *__real_calloc(size_t cnt, size_t size);
void *__wrap_calloc(size_t cnt, size_t size);

static void call_once(void (**f)(void))
{
	void (*call)(void) = *f;

	*f = NULL;
	if (call)
		call();
}

void __wrap_pobj_span_disown(struct pobj_heap *h, struct pobj_side_lane *by, u64 page)
{
	call_once(&before_disown);
	__real_pobj_span_disown(h, by, page);
}

void __wrap_pobj_span_give(struct pobj_heap *h, struct pobj_side_lane *by, u64 page, u64 pages)
{
	call_once(&before_give);
	__real_pobj_span_give(h, by, page, pages);
}

void __wrap_pobj_slab_hint(struct pobj_heap *h, u64 page)
{
	if (before_hint && !hints_before--)
		call_once(&before_hint);
	__real_pobj_slab_hint(h, page);
}

int __wrap_pobj_recover_lane(const struct pobj_media *m, const struct pobj_super *s, u32 lane,
			     struct pobj_recovery *r, struct pobj_finding *f)
{
	recoveries++;
	return __real_pobj_recover_lane(m, s, lane, r, f);
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *lock)
{
	const int ret = __real_pthread_mutex_trylock(lock);

	if (!ret && after_pool_lock && lock == &pobj_pool_raw(pop)->sidecar->pool_lock)
		call_once(&after_pool_lock);
	return ret;
}

void *__wrap_calloc(size_t cnt, size_t size)
{
	if (no_memory_for_slabs && cnt == 1 && size == sizeof(struct pobj_slab))
		return NULL;
	return __real_calloc(cnt, size);
}

/* ---- threads ----------------------------------------------------------------------------- */

static int ask(void *arg)
{
	PMEMoid oid = OID_NULL;

	errno = 0;
	return pmemobj_alloc(pop, &oid, *(const size_t *)arg, TYPE, NULL, NULL) ? -errno : 0;
}

static int fill(void *arg)
{
	const size_t size = *(const size_t *)arg;

	for (made = 0; !pmemobj_alloc(pop, &oids[made], size, TYPE, NULL, NULL); made++)
		;
	return 0;
}

static size_t reserve_all(size_t size)
{
	size_t n;

	for (n = 0; n < MOST && !OID_IS_NULL(pmemobj_reserve(pop, &act[n], size, TYPE)); n++)
		;
	return n;
}

static const size_t small = 64, vast = VAST, chunk = 20000, kilo = 1024;

static int ask_one(void *arg)
{
	made = 1;
	return pmemobj_alloc(pop, &oids[0], *(const size_t *)arg, TYPE, NULL, NULL);
}

FIXTURE(again) {
	struct hand asker;	/* was told that there is no room */
	struct hand other;
	struct hand filler;
	struct hand fresh;	/* has asked for nothing so far */
};

static struct hand *asker;
static int asked_before;

static void ask_before(void)
{
	asked_before = hand_do(asker, ask, (void *)&small);
}

static void ask_vast_before(void)
{
	asked_before = hand_do(asker, ask, (void *)&vast);
}

FIXTURE_SETUP(again)
{
	files_make();
	pop = pmemobj_create(files_path("pool"), "test", POOL, 0600);
	ASSERT_NE(NULL, pop)
		TH_LOG("%s", pmemobj_errormsg());
	ASSERT_EQ(0, hand_start(&self->asker));
	ASSERT_EQ(0, hand_start(&self->other));
	ASSERT_EQ(0, hand_start(&self->filler));
	ASSERT_EQ(0, hand_start(&self->fresh));
	asker = &self->asker;
	asked_before = 0;
}

FIXTURE_TEARDOWN(again)
{
	AUDIT();
	hand_end(&self->asker);
	AUDIT();
	pmemobj_close(pop);
	EXPECT_EQ(1, pmemobj_check(files_path("pool"), "test"));
	files_remove();
}

#define ASK(size)	hand_do(&self->asker, ask, (void *)&(size))

/* The pool is full; nobody owns its slabs. */
#define FILL() do {								\
	hand_do(&self->filler, fill, (void *)&small);				\
	hand_end(&self->filler);						\
	ASSERT_LT(10000, made);							\
	ASSERT_EQ(-ENOMEM, ASK(small));						\
} while (0)

/* Free an object in the middle of the pool, which has a slab of nobody. */
static int free_one(void *arg)
{
	pmemobj_free(&oids[made / 2 + (size_t)*(const int *)arg * 1000]);
	return 0;
}

/* ---- reservations ------------------------------------------------------------------------ */

static size_t back;

/* Many slabs, and only few of them are kept when their reservations are gone. */
static int reserve_and_cancel(void *arg)
{
	const size_t n = reserve_all(small);
	size_t i;

	(void)arg;
	for (back = i = 0; i < n; i++) {
		if (i % 50) {
			pmemobj_cancel(pop, &act[i], 1);
			back++;
		} else if (pmemobj_publish(pop, &act[i], 1)) {
			return -1;
		}
	}
	return 0;
}

TEST_F(again, after_reservations)
{
	ASSERT_EQ(0, reserve_and_cancel(NULL));
	ASSERT_LT(10000, back);
	fill((void *)&small);
	EXPECT_EQ(back, made);
}

TEST_F(again, after_reservations_of_one_who_stopped)
{
	ASSERT_EQ(0, hand_do(&self->other, reserve_and_cancel, NULL));
	ASSERT_LT(10000, back);
	fill((void *)&small);
	EXPECT_LE(back - POBJ_SLABS_OWNED * POBJ_M_SLAB_PAIRS * 64, made);
}

static size_t reserved;

static int reserve_and_stop(void *arg)
{
	(void)arg;
	reserved = reserve_all(small);
	return 0;
}

/* Others' hands end the reservations: their owner finds the room when it needs some. */
static int cancel_all(void *arg)
{
	size_t i;

	(void)arg;
	for (i = 0; i < reserved; i++) {
		if (i % 50)
			pmemobj_cancel(pop, &act[i], 1);
		else if (pmemobj_publish(pop, &act[i], 1))
			return -1;
	}
	return 0;
}

TEST_F(again, after_reservations_by_others_hands)
{
	reserve_and_stop(NULL);
	ASSERT_LT(10000, reserved);
	ASSERT_EQ(0, hand_do(&self->other, cancel_all, NULL));
	fill((void *)&small);
	EXPECT_EQ(reserved - (reserved + 49) / 50, made);
}

TEST_F(again, after_large_is_cancelled)
{
	ASSERT_FALSE(OID_IS_NULL(pmemobj_reserve(pop, &act[0], VAST, TYPE)));
	ASSERT_EQ(-ENOMEM, ASK(vast));
	pmemobj_cancel(pop, &act[0], 1);
	EXPECT_EQ(0, ASK(vast));
}

TEST_F(again, while_large_is_cancelled)
{
	ASSERT_FALSE(OID_IS_NULL(pmemobj_reserve(pop, &act[0], VAST, TYPE)));
	before_give = ask_vast_before;
	pmemobj_cancel(pop, &act[0], 1);
	EXPECT_EQ(-ENOMEM, asked_before);
	EXPECT_EQ(0, ASK(vast));
}

static int reserve_vast(void *arg)
{
	(void)arg;
	return OID_IS_NULL(pmemobj_reserve(pop, &act[0], VAST, TYPE)) ? -1 : 0;
}

TEST_F(again, after_large_is_cancelled_by_another)
{
	ASSERT_EQ(0, hand_do(&self->other, reserve_vast, NULL));
	pmemobj_cancel(pop, &act[0], 1);
	AUDIT();
	EXPECT_EQ(0, ASK(vast));
}

static struct hand *leaver;
static uint64_t lane_session;

static void leave_before(void)
{
	const struct pobj_heap *h = pobj_pool_raw(pop)->heap;
	uint64_t page = 0;

	hand_end(leaver);
	while (!h->pages[page].owner)
		page++;
	lane_session = h->lanes[h->pages[page].owner - 1].session;
}

/* Who reserved it ends meanwhile: the lane stays until it owns nothing. */
TEST_F(again, lane_stays_for_large)
{
	ASSERT_EQ(0, hand_do(&self->other, reserve_vast, NULL));
	leaver = &self->other;
	before_disown = leave_before;
	ASSERT_EQ(0, pmemobj_publish(pop, act, 1));
	EXPECT_NE(0, lane_session);
}

/* ---- slabs ------------------------------------------------------------------------------- */

/* The only slab with room is this thread's. */
static int own_one(void *arg)
{
	(void)arg;
	if (ask((void *)&small) || OID_IS_NULL(pmemobj_reserve(pop, &act[0], small, TYPE)))
		return -1;
	pmemobj_cancel(pop, &act[0], 1);
	return 0;
}

TEST_F(again, after_slab_is_given_up)
{
	ASSERT_EQ(0, hand_do(&self->other, own_one, NULL));
	FILL();
	hand_end(&self->other);
	EXPECT_EQ(0, ASK(small));
}

TEST_F(again, while_slab_is_given_up)
{
	ASSERT_EQ(0, hand_do(&self->other, own_one, NULL));
	FILL();
	before_disown = ask_before;
	hand_end(&self->other);
	EXPECT_EQ(-ENOMEM, asked_before);
	EXPECT_EQ(0, ASK(small));
}

TEST_F(again, after_memory_is_there)
{
	no_memory_for_slabs = true;
	EXPECT_EQ(-ENOMEM, ask((void *)&small));
	no_memory_for_slabs = false;
	AUDIT();
	EXPECT_EQ(0, ask((void *)&small));
}

/* ---- frees ------------------------------------------------------------------------------- */

TEST_F(again, after_ring_is_retired)
{
	int i = 0;

	FILL();
	hand_do(&self->other, free_one, &i);
	EXPECT_EQ(-ENOMEM, ASK(small));
	hand_end(&self->other);
	EXPECT_EQ(0, ASK(small));
}

TEST_F(again, after_ring_is_full)
{
	int i;

	FILL();
	for (i = 0; i < (int)POBJ_RING_CNT; i++)
		hand_do(&self->other, free_one, &i);
	EXPECT_EQ(-ENOMEM, ASK(small));
	hand_do(&self->other, free_one, &i);
	EXPECT_EQ(0, ASK(small));
	EXPECT_EQ(-ENOMEM, ASK(small));
}

static int publish_free(void *arg)
{
	(void)arg;
	pmemobj_defer_free(pop, oids[made / 2], &act[0]);
	return pmemobj_publish(pop, act, 1);
}

/* Neighbours in one slab. */
static int publish_two_frees(void *arg)
{
	(void)arg;
	pmemobj_defer_free(pop, oids[made / 2], &act[0]);
	pmemobj_defer_free(pop, oids[made / 2 + 1], &act[1]);
	return pmemobj_publish(pop, act, 2);
}

TEST_F(again, after_free_is_published)
{
	FILL();
	ASSERT_EQ(0, hand_do(&self->other, publish_free, NULL));
	AUDIT();
	EXPECT_EQ(0, ASK(small));
}

/* The first of them is free, and hinted at, while the operation that frees both is in flight. */
TEST_F(again, not_before_frees_are_published)
{
	FILL();
	asker = &self->fresh;
	before_hint = ask_before;
	hints_before = 1;
	ASSERT_EQ(0, hand_do(&self->other, publish_two_frees, NULL));
	EXPECT_EQ(NULL, before_hint);
	EXPECT_EQ(-ENOMEM, asked_before);
	EXPECT_EQ(0, ASK(small));
	EXPECT_EQ(0, ASK(small));
}

/* Nobody has looked at the pages of a pool that was just opened. */
static void make_vast_and_reopen(void)
{
	pmemobj_alloc(pop, &oids[0], VAST, TYPE, NULL, NULL);
	made = 0;
	pmemobj_close(pop);
	pop = pmemobj_open(files_path("pool"), "test");
}

TEST_F(again, not_before_large_is_retired)
{
	make_vast_and_reopen();
	ASSERT_NE(NULL, pop);
	before_give = ask_vast_before;
	pmemobj_free(&oids[0]);
	EXPECT_EQ(-ENOMEM, asked_before);
	EXPECT_EQ(0, ASK(vast));
}

TEST_F(again, not_before_large_free_is_published)
{
	make_vast_and_reopen();
	ASSERT_NE(NULL, pop);
	before_give = ask_vast_before;
	ASSERT_EQ(0, publish_free(NULL));
	EXPECT_EQ(-ENOMEM, asked_before);
	EXPECT_EQ(0, ASK(vast));
}

/* A slab is empty, but its last object's free is not retired: it is no room for others. */
TEST_F(again, not_before_slab_is_retired)
{
	struct audit before, after;
	int i = 0;

	/* One object in a slab of nobody. */
	hand_do(&self->filler, ask_one, (void *)&small);
	hand_end(&self->filler);
	hand_do(&self->other, free_one, &i);
	audit_pool(pop, &before);
	EXPECT_EQ(1, before.slabs);
	EXPECT_EQ(0, before.objects);
	while (!ask((void *)&chunk))
		;
	audit_pool(pop, &after);
	EXPECT_EQ(1, after.slabs);
	AUDIT();
	while (!ask((void *)&kilo))
		;
	hand_end(&self->other);
	EXPECT_EQ(0, ASK(kilo));
}

/* What the dead left where nobody could tell: it is judged again before there is no room. */
TEST_F(again, after_doubts)
{
	struct pobj_heap *h = pobj_pool_raw(pop)->heap;
	uint64_t group, doubts = 0;

	ASSERT_EQ(0, ASK(small));
	for (group = 0; group < h->group_cnt; group++) {
		pobj_group_map(h, group);
		h->groups[group].map |= POBJ_MAP_PAGES;
		h->groups[group].owned |= POBJ_OWNED_DOUBT;
	}
	EXPECT_EQ(0, ASK(vast));
	for (group = 0; group < h->group_cnt; group++)
		doubts += !!(h->groups[group].owned & POBJ_OWNED_DOUBT);
	EXPECT_EQ(0, doubts);
}

/* ---- logs and the dead ------------------------------------------------------------------- */

TEST_F(again, log_chunk_is_nobodys)
{
	uint64_t *words;
	size_t i;

	ASSERT_EQ(0, pmemobj_alloc(pop, &oids[0], 16384, TYPE, NULL, NULL));
	words = pmemobj_direct(oids[0]);
	for (i = 0; i < 2000; i++)
		pmemobj_set_value(pop, &act[i], &words[i], i);
	ASSERT_EQ(0, pmemobj_publish(pop, act, 2000));
	AUDIT();
}

static int *ready;

static int reserve_and_wait(void *arg)
{
	size_t i;

	(void)arg;
	pop = pmemobj_open(files_path("pool"), "test");
	if (!pop)
		return 1;
	/* No slab is empty, and none is full. */
	reserve_and_stop(NULL);
	for (i = 0; i < reserved; i += 50) {
		if (pmemobj_publish(pop, &act[i], 1))
			return 2;
	}
	__atomic_store_n(ready, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

TEST_F(again, after_a_death)
{
	pid_t pid;

	ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ASSERT_NE(MAP_FAILED, ready);
	pid = files_start(reserve_and_wait, NULL);
	while (!__atomic_load_n(ready, __ATOMIC_ACQUIRE))
		usleep(1000);
	EXPECT_EQ(-ENOMEM, ASK(small));
	kill(pid, SIGKILL);
	EXPECT_EQ(1000 + SIGKILL, files_wait(pid));
	EXPECT_EQ(0, ASK(small));
}

TEST_F(again, while_dead_is_reaped)
{
	pid_t pid;

	ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ASSERT_NE(MAP_FAILED, ready);
	pid = files_start(reserve_and_wait, NULL);
	while (!__atomic_load_n(ready, __ATOMIC_ACQUIRE))
		usleep(1000);
	EXPECT_EQ(-ENOMEM, ASK(small));
	kill(pid, SIGKILL);
	EXPECT_EQ(1000 + SIGKILL, files_wait(pid));
	before_disown = ask_before;
	EXPECT_EQ(1, pobj_pool_reap(pop));
	EXPECT_EQ(-ENOMEM, asked_before);
	EXPECT_EQ(0, ASK(small));
}

/* What another thread flushed is covered by no fence of who closes. */
TEST_F(again, close_recovers_lanes_of_others)
{
	int i = 0;

	FILL();
	hand_do(&self->other, free_one, &i);
	recoveries = 0;
	pmemobj_close(pop);
	EXPECT_EQ(1, recoveries);
	pop = pmemobj_open(files_path("pool"), "test");
	ASSERT_NE(NULL, pop);
}

static void die(void)
{
	kill(getpid(), SIGKILL);
}

/* Two slabs. Killed when the objects are free, and before anybody is told. */
static int die_in_publish(void *arg)
{
	(void)arg;
	pop = pmemobj_open(files_path("pool"), "test");
	if (!pop)
		return 1;
	before_hint = die;
	pmemobj_defer_free(pop, oids[made / 4], &act[0]);
	pmemobj_defer_free(pop, oids[made / 2], &act[1]);
	return pmemobj_publish(pop, act, 2) ? 2 : 3;
}

TEST_F(again, after_a_death_in_publish)
{
	FILL();
	EXPECT_EQ(1000 + SIGKILL, files_in_child(die_in_publish, NULL));
	EXPECT_EQ(1, pobj_pool_reap(pop));
	AUDIT();
	EXPECT_EQ(0, ASK(small));
	EXPECT_EQ(0, ASK(small));
}

/* ---- the pool's lock --------------------------------------------------------------------- */

TEST_F(again, root_is_nobodys)
{
	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(pop, 4096)));
	AUDIT();
}

static int die_in_root(void *arg)
{
	pop = pmemobj_open(files_path("pool"), "test");
	if (!pop)
		return 1;
	*(void (**)(void))arg = die;
	return OID_IS_NULL(pmemobj_root(pop, 8192)) ? 2 : 3;
}

/* Whoever is given the lock of a dead one waits until that one is reaped. */
TEST_F(again, root_after_a_death)
{
	EXPECT_EQ(1000 + SIGKILL, files_in_child(die_in_root, &before_disown));
	EXPECT_FALSE(OID_IS_NULL(pmemobj_root(pop, 16384)));
	EXPECT_EQ(0, pobj_pool_reap(pop));
}

static int make_root_and_wait(void *arg)
{
	(void)arg;
	pop = pmemobj_open(files_path("pool"), "test");
	if (!pop || OID_IS_NULL(pmemobj_root(pop, 4096)))
		return 1;
	__atomic_store_n(ready, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

/* It had not said yet who it is; who had the lock before lives on, and is not waited for. */
TEST_F_TIMEOUT(again, root_after_a_nameless_death, 10)
{
	pid_t pid;

	ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ASSERT_NE(MAP_FAILED, ready);
	pid = files_start(make_root_and_wait, NULL);
	while (!__atomic_load_n(ready, __ATOMIC_ACQUIRE))
		usleep(1000);
	EXPECT_EQ(1000 + SIGKILL, files_in_child(die_in_root, &after_pool_lock));
	EXPECT_FALSE(OID_IS_NULL(pmemobj_root(pop, 16384)));
	kill(pid, SIGKILL);
	files_wait(pid);
	pobj_pool_reap(pop);
}

TEST_HARNESS_MAIN
