// SPDX-License-Identifier: BSD-3-Clause
/*
 * Several processes with several threads in one pool: random allocations, frees, resizings and
 * publications, then the same with processes killed at random.
 *
 * The root is a table of slots. A thread works on a part of it; every object says in its first
 * words how long it is and who made it, and repeats the latter to its end, so that an object handed
 * out twice shows at the next step of either owner. In turns, parts go to threads of other
 * processes: their frees then meet the slabs of those who allocated. At the end the pool must hold
 * what the slots name, nothing more and nothing less.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "files.h"
#include "rounds.h"
#include "libpmemobj.h"
#include "pobj.h"

#define PROCESSES	4
#define THREADS		4
#define PARTS		(PROCESSES * THREADS)
#define PART		64		/* slots of one thread */
#define SLOTS		(PARTS * PART)
#define TYPES		4
#define MIB		((size_t)1024 * 1024)
#define POOL		(64 * MIB)
#define BIG		(64 * 1024)

#define TURNS		8
#define STEPS		4000		/* of a thread in a turn */
#define KILLS		(rounds_least(50, 10) / 10 * 10)

struct root {
	PMEMoid slot[SLOTS];
};

/* What an object begins with; the rest of its @words are @stamp as well. */
struct head {
	uint64_t words;
	uint64_t stamp;
};

struct page {
	pthread_barrier_t turn;
	uint64_t steps[PROCESSES];	/* as a sign of life */
	int told;			/* to come to an end */
	int failed;
	char text[512];
};

static struct page *shared;
static const char *path;

FIXTURE(many) {
	int unused;
};

FIXTURE_SETUP(many)
{
	PMEMobjpool *pop;

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	files_make();
	path = strdup(files_path("pool"));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	pop = pmemobj_create(path, "many", POOL, 0600);
	ASSERT_NE(NULL, pop)
		TH_LOG("%s", pmemobj_errormsg());
	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(pop, sizeof(struct root))));
	pmemobj_close(pop);
}

FIXTURE_TEARDOWN(many)
{
	files_remove();
}

/* The first failure of all processes; the others stop, too. */
static void fail(const char *what, uint64_t a, uint64_t b)
{
	if (!__atomic_exchange_n(&shared->failed, 1, __ATOMIC_SEQ_CST))
		snprintf(shared->text, sizeof(shared->text), "%s: %#llx, %#llx: %.300s", what,
			 (unsigned long long)a, (unsigned long long)b, pmemobj_errormsg());
}

static bool stop(void)
{
	return __atomic_load_n(&shared->failed, __ATOMIC_RELAXED);
}

static uint64_t rnd(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1dULL) >> 11;
}

/* ---- objects ----------------------------------------------------------------------------- */

/* Stamped from word @from to its end; the length says so afterwards. */
static void stamp(PMEMobjpool *pop, void *at, uint64_t from, uint64_t words, uint64_t value)
{
	uint64_t *w = at, i;

	for (i = from < 1 ? 1 : from; i < words; i++)
		w[i] = value;
	pmemobj_persist(pop, w, words * 8);
	__atomic_store_n(&w[0], words, __ATOMIC_RELEASE);
	pmemobj_persist(pop, w, 8);
}

/* Is what the slot names an object, whole and of one stamp? @where: for the message. */
static bool whole(PMEMoid oid, uint64_t where)
{
	uint64_t *w = pmemobj_direct(oid), i, usable = pmemobj_alloc_usable_size(oid);
	uint64_t type = pmemobj_type_num(oid);

	if (!w || type >= TYPES) {
		fail("a slot names no object", where, oid.off);
		return false;
	}
	if (w[0] < 2 || w[0] * 8 > usable) {
		fail("the length of an object", w[0], usable);
		return false;
	}
	for (i = 2; i < w[0]; i++) {
		if (w[i] != w[1]) {
			fail("an object has two stamps", w[1], w[i]);
			return false;
		}
	}
	return true;
}

struct make {
	uint64_t words;
	uint64_t stamp;
	bool cancel;
};

static int make(PMEMobjpool *pop, void *at, void *arg)
{
	struct make *m = arg;

	stamp(pop, at, 0, m->words, m->stamp);
	return m->cancel;
}

static uint64_t some_words(uint64_t *seed)
{
	uint64_t r = rnd(seed);

	if (r % 64 == 0)
		return 2 + rnd(seed) % 4000;
	return 2 + rnd(seed) % (r % 4 ? 40 : 200);
}

/* ---- one step ---------------------------------------------------------------------------- */

struct worker {
	PMEMobjpool *pop;
	struct root *root;
	int process;
	int thread;
	uint64_t id;		/* unlike that of any other thread of the test */
	uint64_t seed;
	uint64_t stamps;
	uint64_t steps;
};

static uint64_t new_stamp(struct worker *w)
{
	return w->id << 32 | ++w->stamps;
}

static void set_oid(PMEMobjpool *pop, struct pobj_action *act, PMEMoid *at, PMEMoid to)
{
	pmemobj_set_value(pop, &act[0], &at->pool_uuid_lo, to.pool_uuid_lo);
	pmemobj_set_value(pop, &act[1], &at->off, to.off);
}

static void resize(struct worker *w, PMEMoid *slot)
{
	struct head *h = pmemobj_direct(*slot);
	uint64_t words = some_words(&w->seed), old = h->words, value = h->stamp;

	/* Less is said before it is less, more after it is more. */
	if (words < old)
		stamp(w->pop, h, words, words, value);
	if (pmemobj_realloc(w->pop, slot, words * 8, rnd(&w->seed) % TYPES)) {
		if (errno != ENOMEM)
			fail("realloc", errno, words);
		return;
	}
	if (words > old)
		stamp(w->pop, pmemobj_direct(*slot), old, words, value);
}

/* Two slots at once: each gets a new object, or none, and loses what it had. */
static void publish(struct worker *w, PMEMoid *slot[2])
{
	struct pobj_action act[8];
	size_t n = 0, i;
	PMEMoid o;

	for (i = 0; i < 2; i++) {
		uint64_t words = some_words(&w->seed);

		o = OID_NULL;
		if (rnd(&w->seed) % 4) {
			o = pmemobj_reserve(w->pop, &act[n], words * 8, rnd(&w->seed) % TYPES);
			if (OID_IS_NULL(o)) {
				if (errno != ENOMEM)
					fail("reserve", errno, words);
				pmemobj_cancel(w->pop, act, n);
				return;
			}
			n++;
			stamp(w->pop, pmemobj_direct(o), 0, words, new_stamp(w));
		}
		if (!OID_IS_NULL(*slot[i]))
			pmemobj_defer_free(w->pop, *slot[i], &act[n++]);
		set_oid(w->pop, &act[n], slot[i], o);
		n += 2;
	}
	if (rnd(&w->seed) % 8 == 0)
		pmemobj_cancel(w->pop, act, n);
	else if (pmemobj_publish(w->pop, act, n))
		fail("publish", errno, n);
}

static void step(struct worker *w, int part)
{
	uint64_t r = rnd(&w->seed), at = r % PART;
	PMEMoid *slot = &w->root->slot[part * PART + at];
	PMEMoid *pair[2] = { slot, &w->root->slot[part * PART + (at + 1) % PART] };
	struct make m;

	w->steps++;
	if (!OID_IS_NULL(*slot) && !whole(*slot, part * PART + at))
		return;
	r = rnd(&w->seed);
	if (r % 8 == 0) {
		if (OID_IS_NULL(*pair[1]) || whole(*pair[1], part * PART + (at + 1) % PART))
			publish(w, pair);
	} else if (OID_IS_NULL(*slot)) {
		m = (struct make){ some_words(&w->seed), new_stamp(w), r % 32 == 1 };
		if (!pmemobj_alloc(w->pop, slot, m.words * 8, rnd(&w->seed) % TYPES, make, &m)) {
			if (m.cancel)
				fail("alloc did not cancel", 0, 0);
		} else if (errno != (m.cancel ? ECANCELED : ENOMEM) && errno != ENOMEM) {
			fail("alloc", errno, m.words);
		}
	} else if (r % 4) {
		pmemobj_free(slot);
		if (!OID_IS_NULL(*slot))
			fail("a freed slot is not empty", slot->off, errno);
	} else {
		resize(w, slot);
	}
}

/* ---- the pool afterwards ----------------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const PMEMoid *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* NULL, or what is wrong; @live: objects. */
static const char *judge(size_t *live)
{
	struct pobj_pool_census c;
	static PMEMoid named[SLOTS], found[SLOTS + 1];
	size_t n = 0, all = 0, i;
	PMEMobjpool *pop;
	struct root *root;
	PMEMoid o;

	if (pobj_pool_check(path, NULL, NULL, &c))
		return pobj_errormsg();
	if (c.problems || c.live_entries)
		return "the check finds problems";
	pop = pmemobj_open(path, "many");
	if (!pop)
		return pobj_errormsg();
	root = pmemobj_direct(pmemobj_root(pop, sizeof(*root)));
	for (i = 0; i < SLOTS; i++) {
		if (OID_IS_NULL(root->slot[i]))
			continue;
		if (!whole(root->slot[i], i))
			return shared->text;
		named[n++] = root->slot[i];
	}
	qsort(named, n, sizeof(*named), by_offset);
	for (i = 1; i < n; i++)
		if (named[i].off == named[i - 1].off)
			return "two slots name one object";
	POBJ_FOREACH(pop, o) {
		if (all <= SLOTS)
			found[all] = o;
		all++;
	}
	pmemobj_close(pop);
	*live = n;
	if (all != n) {
		snprintf(shared->text, sizeof(shared->text), "%zu objects, %zu slots name one", all,
			 n);
		return shared->text;
	}
	qsort(found, n, sizeof(*found), by_offset);
	for (i = 0; i < n; i++)
		if (named[i].off != found[i].off)
			return "an object that no slot names";
	if (pobj_pool_check(path, NULL, NULL, &c) || c.problems)
		return "the check finds problems after the look";
	return NULL;
}

/* ---- processes --------------------------------------------------------------------------- */

struct process {
	struct worker w[THREADS];
	pthread_t thread[THREADS];
	PMEMobjpool *pop;
};

static bool process_open(struct process *p, int process, uint64_t life)
{
	struct root *root;
	int i;

	p->pop = pmemobj_open(path, "many");
	root = p->pop ? pmemobj_direct(pmemobj_root(p->pop, sizeof(*root))) : NULL;
	if (!root) {
		fail("open", errno, process);
		return false;
	}
	for (i = 0; i < THREADS; i++) {
		p->w[i] = (struct worker){
			.pop = p->pop, .root = root, .process = process, .thread = i,
			.id = life * PARTS + process * THREADS + i + 1,
		};
		p->w[i].seed = p->w[i].id * 0x9e3779b97f4a7c15ULL;
	}
	return true;
}

static bool process_run(struct process *p, void *(*f)(void *worker))
{
	int i;

	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&p->thread[i], NULL, f, &p->w[i])) {
			fail("pthread_create", errno, i);
			return false;
		}
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(p->thread[i], NULL);
	return !stop();
}

/* ---- all at once ------------------------------------------------------------------------- */

static void *take_turns(void *arg)
{
	struct worker *w = arg;
	int turn, i, part;

	for (turn = 0; turn < TURNS; turn++) {
		/* In the next turn somebody else works on this part. */
		part = (w->process * THREADS + w->thread + turn * 5) % PARTS;
		for (i = 0; i < rounds(STEPS) && !stop(); i++)
			step(w, part);
		pthread_barrier_wait(&shared->turn);
	}
	return NULL;
}

static int run_turns(void *arg)
{
	struct process p;

	if (!process_open(&p, (int)(intptr_t)arg, 0))
		return 1;
	if (!process_run(&p, take_turns))
		return 1;
	pmemobj_close(p.pop);
	return 0;
}

TEST_F_TIMEOUT(many, processes_and_threads, 120)
{
	pthread_barrierattr_t a;
	pid_t pid[PROCESSES];
	const char *verdict;
	size_t live = 0;
	int i;

	pthread_barrierattr_init(&a);
	pthread_barrierattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	ASSERT_EQ(0, pthread_barrier_init(&shared->turn, &a, PARTS));
	for (i = 0; i < PROCESSES; i++)
		pid[i] = files_start(run_turns, (void *)(intptr_t)i);
	for (i = 0; i < PROCESSES; i++)
		EXPECT_EQ(0, files_wait(pid[i]));
	ASSERT_STREQ("", shared->text);
	verdict = judge(&live);
	EXPECT_EQ(NULL, verdict)
		TH_LOG("%s", verdict);
	EXPECT_GT(live, SLOTS / 8);
}

/* ---- with kills -------------------------------------------------------------------------- */

static uint64_t life;

/* Parts stay with their process: who follows a dead one finds what it left. */
static void *work_until_told(void *arg)
{
	struct worker *w = arg;
	int part = w->process * THREADS + w->thread, i;

	for (i = 0; i < PART; i++) {
		PMEMoid *slot = &w->root->slot[part * PART + i];

		if (!OID_IS_NULL(*slot) && !whole(*slot, part * PART + i))
			return NULL;
	}
	while (!stop() && !__atomic_load_n(&shared->told, __ATOMIC_RELAXED)) {
		step(w, part);
		__atomic_add_fetch(&shared->steps[w->process], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int run_until_told(void *arg)
{
	struct process p;

	if (!process_open(&p, (int)(intptr_t)arg, life))
		return 1;
	if (!process_run(&p, work_until_told))
		return 1;
	pmemobj_close(p.pop);
	return 0;
}

/* Do all processes but @but do 100 more steps, within 10 seconds? -1: all. */
static bool go_on(int but)
{
	uint64_t before[PROCESSES];
	int i, ms;

	for (i = 0; i < PROCESSES; i++)
		before[i] = __atomic_load_n(&shared->steps[i], __ATOMIC_RELAXED);
	for (i = 0; i < PROCESSES; i++) {
		for (ms = 0; i != but; ms++) {
			if (__atomic_load_n(&shared->steps[i], __ATOMIC_RELAXED) > before[i] + 100)
				break;
			if (stop() || ms == 10000)
				return false;
			usleep(1000);
		}
	}
	return true;
}

/*
 * Kill and follow @kills processes, some while they open the pool, some after they were stopped
 * for a while, which must hold up nobody. NULL, or what went wrong. All have ended at return.
 */
static const char *kill_some(int kills)
{
	const char *wrong = NULL;
	uint64_t seed = 4242 + kills;
	pid_t pid[PROCESSES];
	int i, victim;

	for (i = 0; i < PROCESSES; i++)
		pid[i] = files_start(run_until_told, (void *)(intptr_t)i);
	for (i = 0; i < kills && !wrong; i++) {
		victim = (int)(rnd(&seed) % PROCESSES);
		usleep((useconds_t)(rnd(&seed) % 15000));
		if (i % 3 == 0) {
			/* One that is still opening may wait for another that opens or reaps. */
			if (!go_on(-1))
				wrong = "not all go on";
			kill(pid[victim], SIGSTOP);
			if (!go_on(victim))
				wrong = "others do not go on beside a stopped process";
		}
		kill(pid[victim], SIGKILL);
		if (files_wait(pid[victim]) != 1000 + SIGKILL)
			wrong = "a process ended by itself";
		if (!wrong && !go_on(victim))
			wrong = "others do not go on after a kill";
		life++;
		pid[victim] = files_start(run_until_told, (void *)(intptr_t)victim);
	}
	if (!wrong && !go_on(-1))
		wrong = "not all go on at the end";
	__atomic_store_n(&shared->told, 1, __ATOMIC_RELAXED);
	for (i = 0; i < PROCESSES; i++)
		if (files_wait(pid[i]) && !wrong)
			wrong = "a process failed";
	return stop() ? shared->text : wrong;
}

/*
 * Two die at once. The one that is followed first need not get the session that its forerunner
 * had; what that one left half-done must be settled all the same before its successor works.
 */
TEST_F_TIMEOUT(many, followed_in_another_order, 120)
{
	const char *verdict = NULL;
	pid_t pid[PROCESSES];
	size_t live = 0;
	int i, a, b;

	for (i = 0; i < PROCESSES; i++)
		pid[i] = files_start(run_until_told, (void *)(intptr_t)i);
	for (i = 0; i < KILLS / 5 && go_on(-1); i++) {
		a = i % PROCESSES;
		b = (i + 1) % PROCESSES;
		kill(pid[a], SIGKILL);
		kill(pid[b], SIGKILL);
		EXPECT_EQ(1000 + SIGKILL, files_wait(pid[a]));
		EXPECT_EQ(1000 + SIGKILL, files_wait(pid[b]));
		life++;
		pid[b] = files_start(run_until_told, (void *)(intptr_t)b);
		usleep(30000);
		life++;
		pid[a] = files_start(run_until_told, (void *)(intptr_t)a);
	}
	EXPECT_EQ(KILLS / 5, i);
	__atomic_store_n(&shared->told, 1, __ATOMIC_RELAXED);
	for (i = 0; i < PROCESSES; i++)
		files_wait(pid[i]);
	EXPECT_STREQ("", shared->text);
	verdict = judge(&live);
	EXPECT_EQ(NULL, verdict)
		TH_LOG("%s", verdict);
}

TEST_F_TIMEOUT(many, survivors_go_on, 240)
{
	const char *verdict = kill_some(KILLS);
	size_t live = 0;

	ASSERT_EQ(NULL, verdict)
		TH_LOG("%s", verdict);
	verdict = judge(&live);
	EXPECT_EQ(NULL, verdict)
		TH_LOG("%s", verdict);
	EXPECT_GT(live, SLOTS / 8);
}

/*
 * The same with one process that has the pool open all the time: what is known of it in memory
 * lives on, and in it, too, nothing may be lost to the dead.
 */
TEST_F_TIMEOUT(many, nothing_is_lost_to_the_dead, 240)
{
	PMEMobjpool *pop = pmemobj_open(path, "many");
	PMEMoid *big = calloc(POOL / BIG, sizeof(*big));
	const char *verdict;
	struct root *root;
	size_t i, n, live;

	ASSERT_NE(NULL, pop);
	verdict = kill_some(KILLS / 2);
	ASSERT_EQ(NULL, verdict)
		TH_LOG("%s", verdict);
	root = pmemobj_direct(pmemobj_root(pop, sizeof(*root)));
	for (i = 0; i < SLOTS; i++) {
		ASSERT_TRUE(OID_IS_NULL(root->slot[i]) || whole(root->slot[i], i))
			TH_LOG("%s", shared->text);
		pmemobj_free(&root->slot[i]);
		ASSERT_TRUE(OID_IS_NULL(root->slot[i]));
	}
	EXPECT_TRUE(OID_IS_NULL(pmemobj_first(pop)));
	for (n = 0; n < POOL / BIG; n++)
		if (pmemobj_alloc(pop, &big[n], BIG, 1, NULL, NULL))
			break;
	/*
	 * Empty slabs are dissolved when nothing else is left: between them lie the first of these.
	 * So some is lost in gaps, never to the dead.
	 */
	EXPECT_GT(n * BIG, POOL / 100 * 85);
	for (i = 0; i < n; i++)
		pmemobj_free(&big[i]);
	pmemobj_close(pop);
	verdict = judge(&live);
	EXPECT_EQ(NULL, verdict)
		TH_LOG("%s", verdict);
	EXPECT_EQ(0, live);
	free(big);
}

TEST_HARNESS_MAIN
