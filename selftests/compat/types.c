// SPDX-License-Identifier: BSD-3-Clause
/*
 * The typed macros, and the inline pmemobj_direct: across pools, threads, closes and forks, where
 * its cache must never answer with a pool that is gone.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "types.h"

#define POOLS	3
#define ROUNDS	200

FIXTURE(types) {
	char dir[64];
	char path[POOLS][80];
	struct pmemobjpool *pop[POOLS];
	PMEMoid root[POOLS];
};

FIXTURE_SETUP(types)
{
	int i;

	snprintf(self->dir, sizeof(self->dir), "/dev/shm/pobj-types.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	for (i = 0; i < POOLS; i++) {
		snprintf(self->path[i], sizeof(self->path[i]), "%s/%d", self->dir, i);
		self->pop[i] = pmemobj_create(self->path[i], POBJ_LAYOUT_NAME(types),
					      PMEMOBJ_MIN_POOL, 0600);
		ASSERT_NE(NULL, self->pop[i]) TH_LOG("%s", pmemobj_errormsg());
		self->root[i] = pmemobj_root(self->pop[i], 64);
		ASSERT_FALSE(OID_IS_NULL(self->root[i]));
	}
}

FIXTURE_TEARDOWN(types)
{
	int i;

	for (i = 0; i < POOLS; i++) {
		if (self->pop[i])
			pmemobj_close(self->pop[i]);
		unlink(self->path[i]);
	}
	rmdir(self->dir);
}

TEST_F(types, every_macro)
{
	EXPECT_EQ(0, every_type_macro(self->pop[0]));
	EXPECT_EQ(64, pmemobj_root_size(self->pop[0]));
}

TEST_F(types, typed_root_is_null_on_failure)
{
	TOID_DECLARE_ROOT(struct huge);
	struct huge { char bytes[1 << 30]; };

	EXPECT_TRUE(TOID_IS_NULL(POBJ_ROOT(self->pop[0], struct huge)));
	EXPECT_EQ(ENOMEM, errno);
}

/* What programs that were compiled before keep in their code. */
TEST(binary_interface_of_the_cache)
{
	EXPECT_EQ(4, sizeof(_pobj_cache_invalidate));
	EXPECT_EQ(24, sizeof(_pobj_cached_pool));
	EXPECT_EQ(0, offsetof(struct _pobj_pcache, pop));
	EXPECT_EQ(8, offsetof(struct _pobj_pcache, uuid_lo));
	EXPECT_EQ(16, offsetof(struct _pobj_pcache, invalidate));
}

TEST(an_empty_cache_knows_no_pool)
{
	PMEMoid oid = { 0, 64 };

	EXPECT_EQ(NULL, pmemobj_direct(oid));
	EXPECT_EQ(NULL, (pmemobj_direct)(oid));
	EXPECT_EQ(NULL, pmemobj_direct(OID_NULL));
}

TEST_F(types, the_id_says_which_pool)
{
	void *(*call)(PMEMoid oid) = pmemobj_direct;
	PMEMoid null = self->root[0], stranger = self->root[0];
	int round, i;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < POOLS; i++) {
			char *want = (char *)self->pop[i] + self->root[i].off;

			EXPECT_EQ(want, pmemobj_direct(self->root[i]));
			EXPECT_EQ(want, pmemobj_direct(self->root[i]));
			EXPECT_EQ(want, call(self->root[i]));
			EXPECT_TRUE(OID_EQUALS(self->root[i], pmemobj_oid(want)));
		}
	}
	null.off = 0;
	EXPECT_EQ(NULL, pmemobj_direct(null));
	EXPECT_EQ(NULL, call(null));
	stranger.pool_uuid_lo++;
	EXPECT_EQ(NULL, pmemobj_direct(stranger));
	EXPECT_EQ(NULL, pmemobj_direct(stranger));
	EXPECT_NE(NULL, pmemobj_direct(self->root[0]));
}

TEST_F(types, a_miss_evaluates_its_argument_once)
{
	int calls = 0;

	EXPECT_NE(NULL, pmemobj_direct((calls++, self->root[1])));
	EXPECT_EQ(1, calls);
	EXPECT_NE(NULL, pmemobj_direct((PMEMoid){ self->root[0].pool_uuid_lo, 64 }));
}

TEST_F(types, a_closed_pool_is_gone_and_comes_back)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ((char *)self->pop[0] + self->root[0].off, pmemobj_direct(self->root[0]));
		pmemobj_close(self->pop[0]);
		ASSERT_EQ(NULL, pmemobj_direct(self->root[0]));
		/* Into the same addresses, as a rule: then only the counter tells. */
		pmemobj_close(self->pop[1]);
		self->pop[1] = pmemobj_open(self->path[1], NULL);
		ASSERT_EQ(NULL, pmemobj_direct(self->root[0]));
		self->pop[0] = pmemobj_open(self->path[0], NULL);
		ASSERT_NE(NULL, self->pop[0]);
	}
}

struct asker {
	PMEMoid oid;
	void *got[3];
	pthread_barrier_t turn;
};

static void turn(struct asker *a)
{
	pthread_barrier_wait(&a->turn);
	pthread_barrier_wait(&a->turn);
}

static void *ask(void *arg)
{
	struct asker *a = arg;

	a->got[0] = pmemobj_direct(a->oid);
	turn(a);
	a->got[1] = pmemobj_direct(a->oid);
	turn(a);
	a->got[2] = pmemobj_direct(a->oid);
	return NULL;
}

TEST_F(types, a_close_reaches_the_caches_of_all_threads)
{
	struct asker a = { .oid = self->root[0] };
	pthread_t thread;

	ASSERT_EQ(0, pthread_barrier_init(&a.turn, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, ask, &a));
	pthread_barrier_wait(&a.turn);
	EXPECT_EQ((char *)self->pop[0] + a.oid.off, a.got[0]);
	pmemobj_close(self->pop[0]);
	self->pop[0] = NULL;
	pthread_barrier_wait(&a.turn);
	pthread_barrier_wait(&a.turn);
	EXPECT_EQ(NULL, a.got[1]);
	self->pop[0] = pmemobj_open(self->path[0], NULL);
	ASSERT_NE(NULL, self->pop[0]);
	pthread_barrier_wait(&a.turn);
	pthread_join(thread, NULL);
	EXPECT_EQ((char *)self->pop[0] + a.oid.off, a.got[2]);
}

struct hammer {
	PMEMoid oid;
	char *want;
	int stop;
	long asked, wrong;
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;

	do {
		h->wrong += pmemobj_direct(h->oid) != h->want;
		h->asked++;
	} while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED));
	return NULL;
}

TEST_F(types, other_pools_open_and_close_meanwhile)
{
	struct hammer h = {
		.oid = self->root[2],
		.want = (char *)self->pop[2] + self->root[2].off,
	};
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, hammer, &h));
	for (i = 0; i < ROUNDS; i++) {
		pmemobj_close(self->pop[i & 1]);
		self->pop[i & 1] = pmemobj_open(self->path[i & 1], NULL);
		ASSERT_NE(NULL, self->pop[i & 1]);
		ASSERT_NE(NULL, pmemobj_direct(self->root[i & 1]));
	}
	__atomic_store_n(&h.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, h.wrong);
	EXPECT_GT(h.asked, 0);
}

/* 0, or the number of the question that was answered with an address that it must not know. */
static int child_asks(const PMEMoid *root, const char *path)
{
	PMEMobjpool *pop;

	if (pmemobj_direct(root[0]) || (pmemobj_direct)(root[0]))
		return 1;
	if (pmemobj_direct(root[1]))
		return 2;
	pop = pmemobj_open(path, NULL);
	if (!pop)
		return 3;
	if (pmemobj_direct(root[0]) != (char *)pop + root[0].off)
		return 4;
	if (pmemobj_direct(root[1]))
		return 5;
	pmemobj_close(pop);
	return pmemobj_direct(root[0]) ? 6 : 0;
}

TEST_F(types, a_forked_child_has_no_pools_of_its_parent)
{
	void *before = pmemobj_direct(self->root[0]);
	int status;
	pid_t pid;

	ASSERT_NE(NULL, before);
	pid = fork();
	ASSERT_NE(-1, pid);
	if (!pid)
		_exit(child_asks(self->root, self->path[0]));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status) TH_LOG("child: question %d", WEXITSTATUS(status));
	EXPECT_EQ(before, pmemobj_direct(self->root[0]));
}

TEST_HARNESS_MAIN
