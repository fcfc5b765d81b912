// SPDX-License-Identifier: BSD-3-Clause
/*
 * Eight processes work on one pool at random and are killed at random times, one or several at
 * once; now and then one that was just born, while it opens the pool and reaps. Others follow them.
 * Every object has its owner's stamp, so one that was handed out twice is noticed. Now and then all
 * stop, and then:
 *
 *	what they share is as it must be (audit.h)
 *	each id names an object with its stamp, and no other id names it
 *	each list is whole, there and back
 *	there are no objects but these: every operation happened wholly or not at all
 *
 * While they stand still one more process makes the root grow, and is killed, too. At the end all
 * is freed, and the pool holds as many objects as a new one.
 *
 * POBJ_KILLS=10000 kills longer, POBJ_SEED=1 begins with other numbers, POBJ_MORE_US=2000 waits
 * less between two kills.
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
#define MORE_US		10000		/* between two kills, at most */
#define LISTS		2		/* of a worker */
#define LIST_MOST	12		/* elements */
#define ENTRY		16		/* where the entry of an element is: next, prev */
#define MANY		24		/* ids in one publication, at most */
#define GROWTHS		24		/* of the root */
#define GROWTH		4096U
#define ROOM_SIZE	1000		/* of the objects that the pool is filled with */
#define ROOM_IN_PAGE	4U

struct root {
	PMEMoid d[WORKERS][SLOTS];
	struct list {
		PMEMoid first;
		PMEMmutex lock;
	} list[WORKERS][LISTS];
};

enum kind {
	OPEN, ALLOC, ALLOC_ZERO, STRING, FREE, REALLOC, PUBLISH, CANCEL, PUBLISH_MANY, LIST_INSERT,
	LIST_REMOVE, LIST_MOVE, THREAD_EXIT, CLOSE, REAP, ROOT, IDLE, KINDS
};

static const char *const kind_name[KINDS] = {
	"open", "alloc", "alloc zeroed", "string", "free", "realloc", "publish", "cancel",
	"publish many", "list insert", "list remove", "list move", "thread exit", "close", "reap",
	"root grows", "stand still"
};

/* Shared by test and workers. */
static struct stage {
	int quiet;			/* all stop */
	int leave;			/* all close the pool and end */
	int stopped[WORKERS];
	int table[WORKERS];		/* whose ids are whose */
	uint64_t ops;
	uint64_t done[KINDS];
	uint64_t killed[KINDS];
	int doing[WORKERS + 1];		/* the last is who makes the root grow */
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

/* No byte of it is 0, nor of its complement: it can be a string. */
static uint64_t stamp_of(unsigned int table, unsigned int slot)
{
	return 0x5a5a5a5a01010101ULL + (table << 8) + slot;
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

/* What the worker does from here on. */
static void doing(const struct worker *w, enum kind kind)
{
	SET(stage->doing[w->number], (int)kind);
	__atomic_add_fetch(&stage->done[kind], 1, __ATOMIC_RELAXED);
}

/* It may have moved. */
static void worker_root(struct worker *w)
{
	w->root = pmemobj_direct(pmemobj_root(w->pop, sizeof(struct root)));
	if (!w->root)
		worker_fail("root", 0);
}

static void worker_open(struct worker *w)
{
	doing(w, OPEN);
	w->pop = pmemobj_open(pool_path, "random");
	if (!w->pop)
		worker_fail("open", 0);
	worker_root(w);
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

	doing(w, ALLOC);
	if (pmemobj_alloc(w->pop, &w->root->d[w->table][slot], pick_size(w), pick(w, TYPES),
			  stamp, &s))
		allow("alloc", slot);
}

static int stamp_zeroed(PMEMobjpool *pop, void *ptr, void *arg)
{
	const uint64_t *word = ptr;
	size_t i;

	for (i = 0; i < 8; i++) {
		if (word[i])
			worker_fail("zeroed, and is not zero", 0);
	}
	return stamp(pop, ptr, arg);
}

static void op_alloc_zero(struct worker *w, unsigned int slot)
{
	uint64_t s = stamp_of(w->table, slot);

	doing(w, ALLOC_ZERO);
	if (pmemobj_xalloc(w->pop, &w->root->d[w->table][slot], pick_size(w), pick(w, TYPES),
			   POBJ_XALLOC_ZERO, stamp_zeroed, &s))
		allow("xalloc", slot);
}

static void op_string(struct worker *w, unsigned int slot)
{
	uint64_t text[3] = { stamp_of(w->table, slot), ~stamp_of(w->table, slot), 0 };

	doing(w, STRING);
	if (pmemobj_strdup(w->pop, &w->root->d[w->table][slot], (const char *)text,
			   pick(w, TYPES)))
		allow("strdup", slot);
}

static void op_free(struct worker *w, unsigned int slot)
{
	PMEMoid *oidp = &w->root->d[w->table][slot];

	doing(w, FREE);
	pmemobj_free(oidp);
	if (!OID_IS_NULL(*oidp))
		allow("free", slot);
}

static void op_realloc(struct worker *w, unsigned int slot)
{
	doing(w, REALLOC);
	if (pmemobj_realloc(w->pop, &w->root->d[w->table][slot], pick_size(w), pick(w, TYPES)))
		allow("realloc", slot);
}

/* Actions that are put together, and happen at once or not at all. */
struct batch {
	struct pobj_action act[4 * MANY];
	unsigned int cnt;
};

static void batch_name(struct worker *w, struct batch *b, PMEMoid *d, PMEMoid oid)
{
	pmemobj_set_value(w->pop, &b->act[b->cnt++], &d->off, oid.off);
	pmemobj_set_value(w->pop, &b->act[b->cnt++], &d->pool_uuid_lo, oid.pool_uuid_lo);
}

/* Put another object in the place of the one in @slot, if there is one. */
static bool batch_replace(struct worker *w, struct batch *b, unsigned int slot)
{
	PMEMoid *d = &w->root->d[w->table][slot];
	uint64_t s = stamp_of(w->table, slot);
	PMEMoid oid = pmemobj_reserve(w->pop, &b->act[b->cnt], pick_size(w), pick(w, TYPES));

	if (OID_IS_NULL(oid)) {
		allow("reserve", slot);
		return false;
	}
	b->cnt++;
	stamp(w->pop, pmemobj_direct(oid), &s);
	if (!OID_IS_NULL(*d))
		pmemobj_defer_free(w->pop, *d, &b->act[b->cnt++]);
	batch_name(w, b, d, oid);
	return true;
}

static void batch_free(struct worker *w, struct batch *b, unsigned int slot)
{
	PMEMoid *d = &w->root->d[w->table][slot];

	if (OID_IS_NULL(*d))
		return;
	pmemobj_defer_free(w->pop, *d, &b->act[b->cnt++]);
	batch_name(w, b, d, OID_NULL);
}

static void batch_end(struct worker *w, struct batch *b, enum kind kind)
{
	if (!pick(w, 4))
		kind = CANCEL;
	doing(w, kind);
	if (kind == CANCEL) {
		pmemobj_cancel(w->pop, b->act, b->cnt);
	} else if (pmemobj_publish(w->pop, b->act, b->cnt)) {
		allow("publish", 0);
		pmemobj_cancel(w->pop, b->act, b->cnt);
	}
}

/* Replace the object in @slot, and free the one in the next slot. */
static void op_publish(struct worker *w, unsigned int slot)
{
	struct batch b = { .cnt = 0 };

	doing(w, PUBLISH);
	if (!batch_replace(w, &b, slot))
		return;
	batch_free(w, &b, (slot + 1) % SLOTS);
	batch_end(w, &b, PUBLISH);
}

/* More frees than the ring holds, more words than a slot of the log does. */
static void op_publish_many(struct worker *w, unsigned int slot)
{
	const unsigned int cnt = 2 + (unsigned int)pick(w, MANY - 1);
	struct batch b = { .cnt = 0 };
	unsigned int i;

	doing(w, PUBLISH_MANY);
	for (i = 0; i < cnt; i++) {
		if (pick(w, 3))
			batch_free(w, &b, (slot + i) % SLOTS);
		else if (!batch_replace(w, &b, (slot + i) % SLOTS))
			break;
	}
	batch_end(w, &b, PUBLISH_MANY);
}

/* ---- lists: their elements bear the number that follows those of the slots ----------------- */

static PMEMoid *entry_of(PMEMoid oid)
{
	return (PMEMoid *)((char *)pmemobj_direct(oid) + ENTRY);
}

static unsigned int list_length(const struct list *l)
{
	PMEMoid oid = l->first;
	unsigned int n = 0;

	while (!OID_IS_NULL(oid) && n <= LIST_MOST) {
		n++;
		oid = *entry_of(oid);
		if (OID_EQUALS(oid, l->first))
			break;
	}
	return n;
}

static void op_list_insert(struct worker *w, unsigned int list)
{
	struct list *l = &w->root->list[w->table][list];
	uint64_t s = stamp_of(w->table, SLOTS);

	doing(w, LIST_INSERT);
	if (OID_IS_NULL(pmemobj_list_insert_new(w->pop, ENTRY, l, pick(w, 2) ? l->first : OID_NULL,
						(int)pick(w, 2), pick(w, 2) ? 64 : 200,
						pick(w, TYPES), stamp, &s)))
		allow("list_insert_new", SLOTS + list);
}

static void op_list_remove(struct worker *w, unsigned int list)
{
	struct list *l = &w->root->list[w->table][list];

	doing(w, LIST_REMOVE);
	if (pmemobj_list_remove(w->pop, ENTRY, l, pick(w, 2) ? l->first : *entry_of(l->first), 1))
		allow("list_remove", SLOTS + list);
}

static void op_list_move(struct worker *w, unsigned int list)
{
	struct list *from = &w->root->list[w->table][list];
	struct list *to = &w->root->list[w->table][(list + 1) % LISTS];

	doing(w, LIST_MOVE);
	if (list_length(to) == LIST_MOST)
		return;
	if (pmemobj_list_move(w->pop, ENTRY, from, ENTRY, to, OID_NULL, (int)pick(w, 2),
			      from->first))
		allow("list_move", SLOTS + list);
}

static void op_list(struct worker *w)
{
	const unsigned int list = (unsigned int)pick(w, LISTS);
	const unsigned int length = list_length(&w->root->list[w->table][list]);

	if (!length || (length < LIST_MOST && pick(w, 2)))
		op_list_insert(w, list);
	else if (pick(w, 2))
		op_list_remove(w, list);
	else
		op_list_move(w, list);
}

static void op_make(struct worker *w, unsigned int slot)
{
	switch (pick(w, 4)) {
	case 0:
		op_alloc_zero(w, slot);
		break;
	case 1:
		op_string(w, slot);
		break;
	default:
		op_alloc(w, slot);
	}
}

static void op_reap(struct worker *w)
{
	doing(w, REAP);
	if (pobj_pool_reap(w->pop) < 0)
		worker_fail("reap", 0);
}

static void work_once(struct worker *w)
{
	const unsigned int slot = (unsigned int)pick(w, SLOTS);
	const PMEMoid oid = w->root->d[w->table][slot];

	if (!OID_IS_NULL(oid) && !stamp_fits(pmemobj_direct(oid), w->table, slot))
		worker_fail("another's object", slot);
	switch (pick(w, 16)) {
	case 0:
	case 1:
		op_publish(w, slot);
		break;
	case 2:
		op_publish_many(w, slot);
		break;
	case 3:
	case 4:
		if (!OID_IS_NULL(oid))
			op_realloc(w, slot);
		break;
	case 5:
	case 6:
	case 7:
		op_list(w);
		break;
	default:
		if (OID_IS_NULL(oid))
			op_make(w, slot);
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
	doing(arg, THREAD_EXIT);
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
	case 2:
		doing(w, CLOSE);
		pmemobj_close(w->pop);
		worker_open(w);
		break;
	case 3:
	case 4:
		op_reap(w);
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
		if (GET(stage->quiet))
			SET(stage->doing[number], IDLE);
		while (GET(stage->quiet) && !GET(stage->leave)) {
			SET(stage->stopped[number], 1);
			usleep(200);
		}
		if (GET(stage->stopped[number])) {
			SET(stage->stopped[number], 0);
			worker_root(&w);
			continue;
		}
		work(&w);
	}
	pmemobj_close(w.pop);
	_exit(0);
}

/* Make the root grow, and end. */
static void __attribute__((noreturn)) grower(void)
{
	struct worker w = { .number = WORKERS };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	worker_open(&w);
	doing(&w, ROOT);
	if (OID_IS_NULL(pmemobj_root(w.pop, pmemobj_root_size(w.pop) + GROWTH)))
		allow("root grows", 0);
	_exit(0);
}

/* ---- the test ----------------------------------------------------------------------------- */

FIXTURE(kill) {
	PMEMobjpool *pop;
	struct root *root;
	pid_t pid[WORKERS];
	uint64_t random;
	int64_t room;
	uint64_t kills;
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

/* Who kept the others waiting, if it did not say so itself. */
static void late_tell(unsigned int i, const char *what, int status)
{
	if (!stage->text[0])
		snprintf(stage->text, sizeof(stage->text), "worker %u %s, status %#x; at %d", i,
			 what, (unsigned int)status, (int)GET(stage->doing[i]));
}

/* Until all stop, or one of them ended by itself. */
static bool stop_all(FIXTURE_DATA(kill) * self)
{
	unsigned int i, ms = 0;
	int status;

	SET(stage->quiet, 1);
	for (i = 0; i < WORKERS && ms < 60000;) {
		if (GET(stage->stopped[i])) {
			i++;
			continue;
		}
		if (waitpid(self->pid[i], &status, WNOHANG) == self->pid[i]) {
			late_tell(i, "ended by itself", status);
			return false;
		}
		usleep(1000);
		ms++;
	}
	if (i < WORKERS)
		late_tell(i, "does not stop", 0);
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

#define IDS_MOST	(WORKERS * (SLOTS + LISTS * (LIST_MOST + 1)))

static PMEMoid id[IDS_MOST];

/* The ids of a list's elements, at @at. Returns how many. */
static unsigned int list_test(struct __test_metadata *_metadata, const struct list *l,
			      unsigned int table, PMEMoid *at)
{
	PMEMoid oid = l->first;
	unsigned int n = 0;
	const PMEMoid *next;

	while (!OID_IS_NULL(oid)) {
		EXPECT_TRUE(stamp_fits(pmemobj_direct(oid), table, SLOTS))
			TH_LOG("table %u: another's object in a list", table);
		EXPECT_GE(LIST_MOST, n);
		if (!_metadata->passed)
			break;
		at[n++] = oid;
		next = entry_of(oid);
		EXPECT_TRUE(OID_EQUALS(entry_of(*next)[1], oid))
			TH_LOG("table %u: a list is broken", table);
		oid = *next;
		if (OID_EQUALS(oid, l->first))
			break;
	}
	return n;
}

/* Are the ids and the objects the same set? */
static void ids_test(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	static struct audit_object object[IDS_MOST + 1];
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
		for (s = 0; s < LISTS; s++)
			ids += list_test(_metadata, &self->root->list[t][s], t, &id[ids]);
	}
	qsort(id, ids, sizeof(*id), by_offset);
	cnt = audit_objects(self->pop, object, IDS_MOST + 1);
	EXPECT_EQ(ids, cnt);
	for (i = 0; i < ids && ids == cnt; i++)
		EXPECT_EQ(id[i].off, object[i].off);
}

static void root_find(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	self->root = pmemobj_direct(pmemobj_root(self->pop, sizeof(struct root)));
	ASSERT_NE(NULL, self->root);
}

/* The process is killed; count it by what it was at. */
static void kill_count(FIXTURE_DATA(kill) * self, unsigned int number)
{
	stage->killed[GET(stage->doing[number])]++;
	self->kills++;
}

/* Somebody makes the root grow, and may be killed in it. */
static void root_grow(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self)
{
	const pid_t pid = fork();
	int status;

	if (!pid)
		grower();
	/* Most of it is the open before: until that is over, and a little more. */
	while (GET(stage->doing[WORKERS]) != ROOT && !waitpid(pid, &status, WNOHANG | WNOWAIT))
		usleep(20);
	usleep((useconds_t)(random_next(&self->random) % 60));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, stage->text[0])
		TH_LOG("%s", stage->text);
	if (WIFSIGNALED(status))
		kill_count(self, WORKERS);
	SET(stage->doing[WORKERS], OPEN);
	root_find(_metadata, self);
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
	if (!(random_next(&self->random) % 4) &&
	    pmemobj_root_size(self->pop) < sizeof(struct root) + GROWTHS * GROWTH)
		root_grow(_metadata, self);
	quiet_test(_metadata, self);
	go_on();
}

static void kill_one(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self, unsigned int i)
{
	int status;

	ASSERT_EQ(self->pid[i], waitpid(self->pid[i], &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status))
		TH_LOG("%s", stage->text);
	kill_count(self, i);
}

/* Kill some at once, and let others follow. */
static void kill_some(struct __test_metadata *_metadata, FIXTURE_DATA(kill) * self, uint64_t us)
{
	const unsigned int first = (unsigned int)(random_next(&self->random) % WORKERS);
	const unsigned int more = (unsigned int)(random_next(&self->random) % 8);
	const unsigned int cnt = more > 2 ? 1 : more + 1;
	unsigned int i;

	usleep((useconds_t)(random_next(&self->random) % us));
	for (i = 0; i < cnt; i++)
		kill(self->pid[(first + i) % WORKERS], SIGKILL);
	for (i = 0; i < cnt; i++)
		kill_one(_metadata, self, (first + i) % WORKERS);
	/* Some time without them. */
	if (!(random_next(&self->random) % 4))
		usleep(1000);
	for (i = 0; i < cnt; i++)
		spawn(self, (first + i) % WORKERS);
	/* The one that opens the pool, and reaps the others. */
	if (!(random_next(&self->random) % 4)) {
		usleep((useconds_t)(random_next(&self->random) % 2000));
		kill(self->pid[first], SIGKILL);
		kill_one(_metadata, self, first);
		spawn(self, first);
	}
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
	uint64_t root;

	for (t = 0; t < WORKERS; t++) {
		for (s = 0; s < SLOTS; s++)
			pmemobj_free(&self->root->d[t][s]);
		for (s = 0; s < LISTS; s++) {
			struct list *l = &self->root->list[t][s];

			while (!OID_IS_NULL(l->first))
				ASSERT_EQ(0, pmemobj_list_remove(self->pop, ENTRY, l, l->first, 1));
		}
	}
	quiet_test(_metadata, self);
	audit_pool(self->pop, &a);
	EXPECT_EQ(0, a.objects);
	root = (pmemobj_root_size(self->pop) + 4095) / 4096 - (sizeof(struct root) + 4095) / 4096;
	EXPECT_EQ(self->room - (int64_t)((a.logs + root) * ROOM_IN_PAGE),
		  audit_fill(self->pop, ROOM_SIZE, 0, self->text))
		TH_LOG("%s", self->text);
	pmemobj_close(self->pop);
	ASSERT_EQ(0, pobj_pool_check(pool_path, NULL, NULL, &census));
	EXPECT_EQ(0, census.problems);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void tell(struct __test_metadata *_metadata, const FIXTURE_DATA(kill) * self)
{
	unsigned int i;

	TH_LOG("%-14s%12s%12s", "", "begun", "killed in");
	for (i = 0; i < KINDS; i++)
		TH_LOG("%-14s%12llu%12llu", kind_name[i], (unsigned long long)stage->done[i],
		       (unsigned long long)stage->killed[i]);
	TH_LOG("%llu kills, %llu operations, %u audits, %s", (unsigned long long)self->kills,
	       (unsigned long long)stage->ops, self->audits,
	       _metadata->passed ? "0 violations" : "VIOLATIONS");
}

TEST_F_TIMEOUT(kill, random, 7200)
{
	const uint64_t kills = number("POBJ_KILLS", KILLS), us = number("POBJ_MORE_US", MORE_US);
	uint64_t audited = 0;
	unsigned int i;

	for (i = 0; i < WORKERS; i++) {
		stage->table[i] = (int)i;
		spawn(self, i);
	}
	while (self->kills < kills && _metadata->passed) {
		kill_some(_metadata, self, us);
		if (self->kills / QUIET_EVERY == audited)
			continue;
		audited = self->kills / QUIET_EVERY;
		audit_all(_metadata, self);
	}
	end_all(_metadata, self);
	EXPECT_LT(kills * 10, stage->ops);
	room_test(_metadata, self);
	tell(_metadata, self);
}

TEST_HARNESS_MAIN
