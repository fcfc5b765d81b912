// SPDX-License-Identifier: BSD-3-Clause
/*
 * Eight processes work on one pool at random and are killed at random times, one or several at
 * once. Others follow them. Every object has its owner's stamp, so one that was handed out twice is
 * noticed. Now and then all stop, and then:
 *
 *	what they share is as it must be (audit.h)
 *	each id names an object with its stamp, and no other id names it
 *	there are no objects but these: every operation happened wholly or not at all
 *
 * At the end all is freed, and the pool holds as many objects as a new one.
 *
 * POBJ_KILLS=10000 kills longer, POBJ_SEED=1 begins with other numbers.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "audit.h"
#include "lib/heap.h"
#include "lib/session.h"
#include "pobj.h"
#include "pool_fixture.h"

#define WORKERS		8
#define SLOTS		48		/* ids of a worker */
#define TYPES		3
#define KILLS		300
#define QUIET_EVERY	20		/* kills */
#define MORE_MS		10		/* between two kills, at most */
#define ROOM_SIZE	1000		/* of the objects that the pool is filled with */
#define ROOM_IN_PAGE	4U

struct root {
	PMEMoid d[WORKERS][SLOTS];
};

/* Shared by test and workers. */
static struct stage {
	int quiet;			/* all stop */
	int leave;			/* all close the pool and end */
	int stopped[WORKERS];
	int table[WORKERS];		/* whose ids are whose */
	uint64_t ops;
	char text[AUDIT_TEXT];		/* what went wrong first */
} *stage;

#define GET(x)		__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define SET(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_SEQ_CST)

static const char *pool_path;

/* xorshift64*. */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL >> 16;
}

static uint64_t stamp_of(unsigned int table, unsigned int slot)
{
	return 0x5a5a000000000000ULL | table << 16 | slot;
}

static bool stamp_fits(const void *object, unsigned int table, unsigned int slot)
{
	const uint64_t *word = object;

	return word && word[0] == stamp_of(table, slot) && word[1] == ~word[0];
}

/* ---- a worker ----------------------------------------------------------------------------- */

struct worker {
	unsigned int number;
	unsigned int table;
	uint64_t random;
	PMEMobjpool *pop;
	struct root *root;
};

static void __attribute__((noreturn)) worker_fail(const char *what, unsigned int slot)
{
	snprintf(stage->text, sizeof(stage->text), "slot %u: %s: %s", slot, what,
		 pmemobj_errormsg());
	_exit(1);
}

static void worker_open(struct worker *w)
{
	w->pop = pmemobj_open(pool_path, "random");
	if (!w->pop)
		worker_fail("open", 0);
	w->root = pmemobj_direct(pmemobj_root(w->pop, sizeof(struct root)));
	if (!w->root)
		worker_fail("root", 0);
}

static uint64_t pick(struct worker *w, uint64_t cnt)
{
	return random_next(&w->random) % cnt;
}

/* Mostly small ones of few classes, so that slabs change hands; some large ones. */
static size_t pick_size(struct worker *w)
{
	static const size_t size[] = { 64, 64, 64, 64, 256, 1000, 4000, 16384, 20000, 70000 };

	return size[pick(w, ARRAY_SIZE(size))];
}

static int stamp(PMEMobjpool *pop, void *ptr, void *arg)
{
	uint64_t *word = ptr;

	word[0] = *(uint64_t *)arg;
	word[1] = ~word[0];
	pmemobj_persist(pop, word, 2 * sizeof(*word));
	return 0;
}

/* May a call fail so? A full pool, or one whose lanes the dead still have. */
static void allow(const char *what, unsigned int slot)
{
	if (errno != ENOMEM && errno != EAGAIN)
		worker_fail(what, slot);
}

static void op_alloc(struct worker *w, unsigned int slot)
{
	uint64_t s = stamp_of(w->table, slot);

	if (pmemobj_alloc(w->pop, &w->root->d[w->table][slot], pick_size(w), pick(w, TYPES),
			  stamp, &s))
		allow("alloc", slot);
}

static void op_free(struct worker *w, unsigned int slot)
{
	PMEMoid *oidp = &w->root->d[w->table][slot];

	pmemobj_free(oidp);
	if (!OID_IS_NULL(*oidp))
		allow("free", slot);
}

static void op_realloc(struct worker *w, unsigned int slot)
{
	if (pmemobj_realloc(w->pop, &w->root->d[w->table][slot], pick_size(w), pick(w, TYPES)))
		allow("realloc", slot);
}

/* Put another object in the place of the one in @slot, and free the one in the next slot. */
static void op_publish(struct worker *w, unsigned int slot)
{
	PMEMoid *d = &w->root->d[w->table][slot];
	PMEMoid *next = &w->root->d[w->table][(slot + 1) % SLOTS];
	uint64_t s = stamp_of(w->table, slot);
	struct pobj_action act[8];
	unsigned int cnt = 0;
	PMEMoid oid;

	oid = pmemobj_reserve(w->pop, &act[cnt++], pick_size(w), pick(w, TYPES));
	if (OID_IS_NULL(oid)) {
		allow("reserve", slot);
		return;
	}
	stamp(w->pop, pmemobj_direct(oid), &s);
	if (!OID_IS_NULL(*d))
		pmemobj_defer_free(w->pop, *d, &act[cnt++]);
	pmemobj_set_value(w->pop, &act[cnt++], &d->off, oid.off);
	pmemobj_set_value(w->pop, &act[cnt++], &d->pool_uuid_lo, oid.pool_uuid_lo);
	if (!OID_IS_NULL(*next)) {
		pmemobj_defer_free(w->pop, *next, &act[cnt++]);
		pmemobj_set_value(w->pop, &act[cnt++], &next->off, 0);
		pmemobj_set_value(w->pop, &act[cnt++], &next->pool_uuid_lo, 0);
	}
	if (!pick(w, 4)) {
		pmemobj_cancel(w->pop, act, cnt);
	} else if (pmemobj_publish(w->pop, act, cnt)) {
		allow("publish", slot);
		pmemobj_cancel(w->pop, act, cnt);
	}
}

static void work_once(struct worker *w)
{
	const unsigned int slot = (unsigned int)pick(w, SLOTS);
	const PMEMoid oid = w->root->d[w->table][slot];

	if (!OID_IS_NULL(oid) && !stamp_fits(pmemobj_direct(oid), w->table, slot))
		worker_fail("another's object", slot);
	switch (pick(w, 8)) {
	case 0:
		op_publish(w, slot);
		break;
	case 1:
		if (!OID_IS_NULL(oid))
			op_realloc(w, slot);
		break;
	default:
		if (OID_IS_NULL(oid))
			op_alloc(w, slot);
		else
			op_free(w, slot);
	}
}

/* By a thread of its own, which gives its lane back. */
static void *work_in_thread(void *arg)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		work_once(arg);
	return NULL;
}

static void work(struct worker *w)
{
	pthread_t thread;

	switch (pick(w, 512)) {
	case 0:
		if (pthread_create(&thread, NULL, work_in_thread, w))
			worker_fail("thread", 0);
		pthread_join(thread, NULL);
		break;
	case 1:
		pmemobj_close(w->pop);
		worker_open(w);
		break;
	default:
		work_once(w);
	}
	__atomic_add_fetch(&stage->ops, 1, __ATOMIC_RELAXED);
}

static void __attribute__((noreturn)) worker(unsigned int number, uint64_t seed)
{
	struct worker w = { .number = number, .random = seed };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	worker_open(&w);
	while (!GET(stage->leave)) {
		w.table = (unsigned int)GET(stage->table[number]);
		while (GET(stage->quiet) && !GET(stage->leave)) {
			SET(stage->stopped[number], 1);
			usleep(200);
		}
		if (GET(stage->stopped[number])) {
			SET(stage->stopped[number], 0);
			continue;
		}
		work(&w);
	}
	pmemobj_close(w.pop);
	_exit(0);
}

/* ---- the test ----------------------------------------------------------------------------- */

FIXTURE(kill) {
	PMEMobjpool *pop;
	struct root *root;
	pid_t pid[WORKERS];
	uint64_t random;
	int64_t room;
	unsigned int audits;
	char text[AUDIT_TEXT];
};

static void kill_open(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	self->pop = pmemobj_open(pool_path, "random");
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	self->root = pmemobj_direct(pmemobj_root(self->pop, sizeof(struct root)));
	ASSERT_NE(NULL, self->root);
}

FIXTURE_SETUP(kill)
{
	const char *seed = getenv("POBJ_SEED");

	self->random = seed ? strtoull(seed, NULL, 10) * 2 + 1 : 4711;
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	ASSERT_NE(MAP_FAILED, stage);
	files_make();
	pool_path = strdup(files_path("pool"));
	self->pop = pmemobj_create(pool_path, "random", PMEMOBJ_MIN_POOL, 0600);
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	pmemobj_root(self->pop, sizeof(struct root));
	self->room = audit_fill(self->pop, ROOM_SIZE, 0, self->text);
	ASSERT_LT(0, self->room)
		TH_LOG("%s", self->text);
	pmemobj_close(self->pop);
	kill_open(_metadata, self);
}

FIXTURE_TEARDOWN(kill)
{
	files_remove();
}

static void spawn(FIXTURE_DATA(kill) * self, unsigned int i)
{
	const uint64_t seed = random_next(&self->random) | 1;

	SET(stage->stopped[i], 0);
	self->pid[i] = fork();
	if (!self->pid[i])
		worker(i, seed);
}

/* Until all stop, or one of them ended by itself. */
static bool stop_all(FIXTURE_DATA(kill) * self)
{
	unsigned int i, ms = 0;
	int status;

	SET(stage->quiet, 1);
	for (i = 0; i < WORKERS && ms < 20000;) {
		if (GET(stage->stopped[i])) {
			i++;
			continue;
		}
		if (waitpid(self->pid[i], &status, WNOHANG) == self->pid[i])
			return false;
		usleep(1000);
		ms++;
	}
	return i == WORKERS;
}

/* Each worker goes on with the ids of the next one: so that most frees are of others' slabs. */
static void go_on(void)
{
	unsigned int i;

	for (i = 0; i < WORKERS; i++)
		SET(stage->table[i], (GET(stage->table[i]) + 1) % WORKERS);
	SET(stage->quiet, 0);
}

static int by_offset(const void *a, const void *b)
{
	const PMEMoid *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* Are the ids and the objects the same set? */
static void ids_test(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	static struct audit_object object[WORKERS * SLOTS + 1];
	static PMEMoid id[WORKERS * SLOTS];
	uint64_t cnt, ids = 0, i;
	unsigned int t, s;

	for (t = 0; t < WORKERS; t++) {
		for (s = 0; s < SLOTS; s++) {
			const PMEMoid oid = self->root->d[t][s];

			if (OID_IS_NULL(oid)) {
				EXPECT_EQ(0, oid.pool_uuid_lo);
				continue;
			}
			EXPECT_TRUE(stamp_fits(pmemobj_direct(oid), t, s))
				TH_LOG("table %u, slot %u: another's object", t, s);
			id[ids++] = oid;
		}
	}
	qsort(id, ids, sizeof(*id), by_offset);
	cnt = audit_objects(self->pop, object, WORKERS * SLOTS + 1);
	EXPECT_EQ(ids, cnt);
	for (i = 0; i < ids && ids == cnt; i++)
		EXPECT_EQ(id[i].off, object[i].off);
}

static void quiet_test(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	struct audit a;

	ASSERT_LE(0, pobj_session_reap(pobj_pool_raw(self->pop)))
		TH_LOG("%s", pmemobj_errormsg());
	EXPECT_EQ(0, audit_pool(self->pop, &a))
		TH_LOG("%u violations; %s", a.violations, a.text);
	ids_test(_metadata, self);
	self->audits++;
}

static void audit_all(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	const bool stopped = stop_all(self);

	ASSERT_EQ(0, stage->text[0])
		TH_LOG("%s", stage->text);
	ASSERT_TRUE(stopped);
	quiet_test(_metadata, self);
	go_on();
}

/* Kill some at once, and let others follow. Returns how many. */
static unsigned int kill_some(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	const unsigned int first = (unsigned int)(random_next(&self->random) % WORKERS);
	const unsigned int more = (unsigned int)(random_next(&self->random) % 8);
	const unsigned int cnt = more > 2 ? 1 : more + 1;
	unsigned int i;
	int status;

	usleep((useconds_t)(random_next(&self->random) % (MORE_MS * 1000)));
	for (i = 0; i < cnt; i++)
		kill(self->pid[(first + i) % WORKERS], SIGKILL);
	for (i = 0; i < cnt; i++) {
		const unsigned int k = (first + i) % WORKERS;

		ASSERT_EQ(self->pid[k], waitpid(self->pid[k], &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status))
			TH_LOG("%s", stage->text);
	}
	/* Some time without them. */
	if (!(random_next(&self->random) % 4))
		usleep(1000);
	for (i = 0; i < cnt; i++)
		spawn(self, (first + i) % WORKERS);
	return cnt;
}

static void end_all(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	unsigned int i;
	int status;

	SET(stage->leave, 1);
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(self->pid[i], waitpid(self->pid[i], &status, 0));
		EXPECT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status))
			TH_LOG("%s", stage->text);
	}
}

/* Free what there is, and see that nothing was lost. */
static void room_test(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	struct pobj_pool_census census;
	unsigned int t, s;
	struct audit a;

	for (t = 0; t < WORKERS; t++) {
		for (s = 0; s < SLOTS; s++)
			pmemobj_free(&self->root->d[t][s]);
	}
	quiet_test(_metadata, self);
	audit_pool(self->pop, &a);
	EXPECT_EQ(0, a.objects);
	EXPECT_EQ(self->room - (int64_t)(a.logs * ROOM_IN_PAGE),
		  audit_fill(self->pop, ROOM_SIZE, 0, self->text))
		TH_LOG("%s", self->text);
	pmemobj_close(self->pop);
	ASSERT_EQ(0, pobj_pool_check(pool_path, NULL, NULL, &census));
	EXPECT_EQ(0, census.problems);
}

TEST_F_TIMEOUT(kill, random, 3600)
{
	const char *env = getenv("POBJ_KILLS");
	const uint64_t kills = env ? strtoull(env, NULL, 10) : KILLS;
	uint64_t done = 0, audited = 0;
	unsigned int i;

	for (i = 0; i < WORKERS; i++) {
		stage->table[i] = (int)i;
		spawn(self, i);
	}
	while (done < kills && _metadata->passed) {
		done += kill_some(_metadata, self);
		if (done / QUIET_EVERY == audited)
			continue;
		audited = done / QUIET_EVERY;
		audit_all(_metadata, self);
	}
	end_all(_metadata, self);
	TH_LOG("%llu kills, %llu operations, %u audits", (unsigned long long)done,
	       (unsigned long long)stage->ops, self->audits);
	EXPECT_LT(kills * 10, stage->ops);
	room_test(_metadata, self);
}

TEST_HARNESS_MAIN
