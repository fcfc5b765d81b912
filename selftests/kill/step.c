// SPDX-License-Identifier: BSD-3-Clause
/*
 * Kill a process at every instruction of every operation that others can tell from the one before
 * (points.h), while a survivor has the pool open. Each time the survivor reaps the dead, and then:
 *
 *	what they shared is as it must be (audit.h)
 *	the operation happened, with all its objects, contents, ids and words, or none of it did
 *	the survivor goes on: allocates and frees at the same destination, in the same slab
 *	all that there was is given back: no slab stays, no page
 *
 * An operation of several calls may have happened up to one of them.
 *
 * Kills at the instructions between two points must leave what a kill at the first one does: the
 * variant "instructions" tries some. POBJ_KILL_EVERY=1 makes the whole program do that and nothing
 * else, at each instruction of each operation; POBJ_KILL_SHARDS=2: in so many processes.
 * Where nothing is stored for more than POBJ_KILL_BOUND instructions (a fifth of that in operations
 * that scan) it takes longer and longer steps. Then it prints the score (score.h).
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "audit.h"
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "lib/session.h"
#include "pobj.h"
#include "pool_fixture.h"
#include "points.h"
#include "score.h"

#define DESTS	16
#define WORDS	128
#define TYPE	7
#define LARGE	20000			/* bytes of a large object */
#define NEVER	UINT64_MAX

/* Id 3 lies across two lines. */
struct root {
	uint64_t head;
	PMEMoid d[DESTS];
	uint64_t word[WORDS];
	struct {
		PMEMoid first;
		PMEMmutex lock;
	} list;
};

#define ELEMENT		128		/* bytes of an element of the list */
#define ENTRY		16		/* where its entry is: next, prev */

/* ---- what must be there ------------------------------------------------------------------- */

#define ANY	UINT64_MAX		/* contents that are not looked at */

/* An object as it must be. @stamp: its first word; 0: all zero. */
struct thing {
	uint64_t size;			/* 0: none */
	uint64_t type;
	uint64_t stamp;
};

/* The pool as it must be. @loose: objects that nothing names; @list: elements of the list. */
struct model {
	struct thing d[DESTS];
	uint64_t word[WORDS];
	uint64_t loose;
	uint64_t list;
};

/* What an operation does: @group 0 is the first of its calls. */
struct item {
	enum { END, OBJECT, WORD, LOOSE, LIST } kind;
	unsigned int group;
	unsigned int at;
	unsigned int cnt;
	struct thing thing;
	uint64_t value;
};

#define STAMP(size, type)	((uint64_t)(type) << 32 | (size))
#define MAKES(group, d, size, type) \
	{ OBJECT, group, d, 1, { size, type, STAMP(size, type) }, 0 }
#define HOLDS(group, d, size, type, stamp) \
	{ OBJECT, group, d, 1, { size, type, stamp }, 0 }
#define FREES(group, d)			{ OBJECT, group, d, 1, { 0, 0, 0 }, 0 }
#define SETS(group, word, cnt, value)	{ WORD, group, word, cnt, { 0, 0, 0 }, value }
#define LEAVES(group, cnt)		{ LOOSE, group, 0, cnt, { 0, 0, 0 }, 0 }
#define LISTS(group, cnt)		{ LIST, group, 0, cnt, { 0, 0, 0 }, 0 }

/* Shared by test and children. */
static struct stage {
	struct model before;		/* when the operation begins */
	char text[AUDIT_TEXT];		/* what went wrong in a child */
	uint64_t points;
	int victim;			/* 1: who is to be reaped was killed; 0: it ended */
	struct points_death death;
	struct points_death victim_death;
} *stage;

/* Who has the pool open: the survivor in the test, or the child that is to die. */
struct hand {
	PMEMobjpool *pop;
	struct root *root;
	struct pobj_action act[WORDS];
	unsigned int acts;
	pthread_t thread;
	pthread_barrier_t barrier;
};

static struct hand me;

#define OPS_ITEMS	8

/**
 * struct op - an operation to die in
 * @setup: by the survivor, before
 * @prologue: by the child, before
 * @run: by the child, armed
 * @item: what it does
 * @alone: nobody else has the pool open
 * @reaps: it reaps another who died in what @item tells
 * @scans: it looks through all slots, lanes or groups, or calls much of libc: thousands of
 *	instructions without a store that others see
 */
struct op {
	void (*setup)(struct hand *h);
	void (*prologue)(struct hand *h);
	void (*run)(struct hand *h);
	struct item item[OPS_ITEMS];
	bool alone;
	bool reaps;
	bool scans;
};

static const char *pool_path;

/* ---- what hands do ------------------------------------------------------------------------ */

static void __attribute__((noreturn)) fail(const char *what)
{
	snprintf(stage->text, sizeof(stage->text), "%s: %s", what, pmemobj_errormsg());
	printf("# %s\n", stage->text);
	fflush(stdout);
	_exit(1);
}

static void hand_open(struct hand *h)
{
	h->pop = pmemobj_open(pool_path, "step");
	if (!h->pop)
		fail("open");
}

/* Not in open: it waits for a lock. */
static void hand_root(struct hand *h)
{
	h->root = pmemobj_direct(pmemobj_root(h->pop, sizeof(struct root)));
	if (!h->root)
		fail("root");
	points.each = (char *)h->root;
	points.each_end = (char *)h->root + sizeof(*h->root);
	points.bulk = (char *)h->pop + pobj_pool_raw(h->pop)->super.geom.data_off;
	points.bulk_end = (char *)h->pop + pobj_pool_raw(h->pop)->media.size;
}

static void note(unsigned int d, uint64_t size, uint64_t type, uint64_t stamp)
{
	if (!points.armed)
		stage->before.d[d] = (struct thing){ size, type, stamp };
}

static int stamp(PMEMobjpool *pop, void *ptr, void *arg)
{
	memcpy(ptr, arg, sizeof(uint64_t));
	pmemobj_persist(pop, ptr, sizeof(uint64_t));
	return 0;
}

static void put_typed(struct hand *h, unsigned int d, uint64_t size, uint64_t type)
{
	uint64_t s = STAMP(size, type);

	if (pmemobj_alloc(h->pop, &h->root->d[d], size, type, stamp, &s))
		fail("alloc");
	note(d, size, type, s);
}

static void put(struct hand *h, unsigned int d, uint64_t size)
{
	put_typed(h, d, size, TYPE);
}

static void drop(struct hand *h, unsigned int d)
{
	pmemobj_free(&h->root->d[d]);
	if (!OID_IS_NULL(h->root->d[d]))
		fail("free");
	note(d, 0, 0, 0);
}

static void resize(struct hand *h, unsigned int d, uint64_t size)
{
	if (pmemobj_realloc(h->pop, &h->root->d[d], size, TYPE))
		fail("realloc");
}

/* One more element, at the end of the list. */
static void list_add(struct hand *h)
{
	uint64_t s = STAMP(ELEMENT, TYPE);
	PMEMoid oid;

	oid = pmemobj_list_insert_new(h->pop, ENTRY, &h->root->list, OID_NULL, 0, ELEMENT, TYPE,
				      stamp, &s);
	if (OID_IS_NULL(oid))
		fail("list_insert_new");
	if (!points.armed)
		stage->before.list++;
}

/* The first element is none any more, and freed. */
static void list_drop(struct hand *h)
{
	if (pmemobj_list_remove(h->pop, ENTRY, &h->root->list, h->root->list.first, 1))
		fail("list_remove");
}

static struct pobj_action *next_act(struct hand *h)
{
	return &h->act[h->acts++];
}

static PMEMoid reserve(struct hand *h, uint64_t size)
{
	PMEMoid oid = pmemobj_reserve(h->pop, next_act(h), size, TYPE);
	uint64_t s = STAMP(size, TYPE);

	if (OID_IS_NULL(oid))
		fail("reserve");
	stamp(h->pop, pmemobj_direct(oid), &s);
	return oid;
}

static void name(struct hand *h, unsigned int d, PMEMoid oid)
{
	pmemobj_set_value(h->pop, next_act(h), &h->root->d[d].off, oid.off);
	pmemobj_set_value(h->pop, next_act(h), &h->root->d[d].pool_uuid_lo, oid.pool_uuid_lo);
}

static void defer(struct hand *h, unsigned int d)
{
	pmemobj_defer_free(h->pop, h->root->d[d], next_act(h));
	name(h, d, OID_NULL);
}

static void publish(struct hand *h)
{
	if (pmemobj_publish(h->pop, h->act, h->acts))
		fail("publish");
}

/* Give up all slabs: others may adopt them. */
static void let_go(struct hand *h)
{
	pobj_slabs_give_up(pobj_tlane_of(h->pop));
}

static void hand_clear(struct hand *h)
{
	unsigned int d;

	for (d = 0; d < DESTS; d++)
		h->root->d[d] = OID_NULL;
	memset(h->root->word, 0, sizeof(h->root->word));
	memset(&h->root->list, 0, sizeof(h->root->list));
	pmemobj_persist(h->pop, h->root, sizeof(*h->root));
}

/* ---- a child that dies -------------------------------------------------------------------- */

/* Where to die: @after instructions after a point. */
struct place {
	uint64_t point;
	uint64_t after;
};

static void kid(const struct op *op, struct place at, struct points_death *death)
{
	struct hand *h = calloc(1, sizeof(*h));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	points_begin(at.point, at.after, death);
	if (op->prologue) {
		hand_open(h);
		hand_root(h);
		op->prologue(h);
	}
	points_arm();
	op->run(h);
	stage->points = points_disarm();
	_exit(0);
}

/* Returns 1: killed; 0: it came to its end; -1: it failed. */
static int kid_wait(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 1;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status))
		snprintf(stage->text, sizeof(stage->text), "signal %d", WTERMSIG(status));
	return -1;
}

static int kid_run(const struct op *op, struct place at, struct points_death *death)
{
	pid_t pid = fork();

	if (!pid)
		kid(op, at, death);
	return kid_wait(pid);
}

/* ---- the survivor ------------------------------------------------------------------------- */

#define OBJECTS	4096

static struct audit_object objects[OBJECTS];

static void model_apply(struct model *m, const struct item *i)
{
	unsigned int n;

	if (i->kind == OBJECT)
		m->d[i->at] = i->thing;
	for (n = 0; i->kind == WORD && n < i->cnt; n++)
		m->word[i->at + n] = i->value;
	if (i->kind == LOOSE)
		m->loose += i->cnt;
	if (i->kind == LIST)
		m->list = i->cnt;
}

static const struct audit_object *object_find(uint64_t off, uint64_t cnt)
{
	uint64_t i;

	for (i = 0; i < cnt; i++) {
		if (objects[i].off == off)
			return &objects[i];
	}
	return NULL;
}

static bool thing_is(const struct thing *t, const struct audit_object *o)
{
	const uint64_t *word = (const uint64_t *)((const char *)me.pop + o->off);
	uint64_t i;

	if (o->type != t->type || o->size < t->size ||
	    o->size > (t->size <= POBJ_CLASS_MAX ? t->size * 5 / 4 + 15 : t->size + 4095))
		return false;
	for (i = 0; !t->stamp && i < t->size / sizeof(*word); i++) {
		if (word[i])
			return false;
	}
	return t->stamp == ANY || *word == t->stamp;
}

/* Are there @want elements, there and back? */
static bool list_is(uint64_t want, uint64_t cnt)
{
	const struct thing element = { ELEMENT, TYPE, STAMP(ELEMENT, TYPE) };
	PMEMoid oid = me.root->list.first;
	const struct audit_object *o;
	const PMEMoid *next, *prev;
	uint64_t i;

	for (i = 0; i < want; i++) {
		o = object_find(oid.off, cnt);
		if (!o || !thing_is(&element, o))
			return false;
		next = (const PMEMoid *)((const char *)me.pop + oid.off + ENTRY);
		if (!object_find(next->off, cnt))
			return false;
		prev = (const PMEMoid *)((const char *)me.pop + next->off + ENTRY) + 1;
		if (!OID_EQUALS(*prev, oid))
			return false;
		oid = *next;
		if (OID_EQUALS(oid, me.root->list.first) != (i == want - 1))
			return false;
	}
	return want || OID_IS_NULL(oid);
}

/* Is the pool as @m says? Else @text says what is not. */
static bool model_holds(const struct model *m, uint64_t cnt, char *text)
{
	const struct audit_object *o;
	uint64_t named = 0;
	unsigned int i, k;

	for (i = 0; i < DESTS; i++) {
		const PMEMoid oid = me.root->d[i];

		if (!m->d[i].size && (oid.off || oid.pool_uuid_lo)) {
			snprintf(text, AUDIT_TEXT, "id %u is not null", i);
			return false;
		}
		if (!m->d[i].size)
			continue;
		o = object_find(oid.off, cnt);
		if (!o || !thing_is(&m->d[i], o) ||
		    oid.pool_uuid_lo != pobj_pool_raw(me.pop)->uuid_lo) {
			snprintf(text, AUDIT_TEXT, "id %u is 0x%llx, which %s", i,
				 (unsigned long long)oid.off,
				 o ? "is another object" : "is none");
			return false;
		}
		named++;
		for (k = 0; k < i; k++) {
			if (me.root->d[k].off == oid.off) {
				snprintf(text, AUDIT_TEXT, "ids %u and %u are the same", i, k);
				return false;
			}
		}
	}
	for (i = 0; i < WORDS; i++) {
		if (me.root->word[i] != m->word[i]) {
			snprintf(text, AUDIT_TEXT, "word %u is %llu", i,
				 (unsigned long long)me.root->word[i]);
			return false;
		}
	}
	if (!list_is(m->list, cnt)) {
		snprintf(text, AUDIT_TEXT, "the list is not one of %llu elements",
			 (unsigned long long)m->list);
		return false;
	}
	named += m->list;
	if (cnt != named + m->loose)
		snprintf(text, AUDIT_TEXT, "%llu objects, ids name %llu", (unsigned long long)cnt,
			 (unsigned long long)named);
	return cnt == named + m->loose;
}

/* How many of the operation's calls happened? -1: none of the answers fits. */
static int op_outcome(const struct op *op, char text[AUDIT_TEXT], unsigned int *groups)
{
	const uint64_t cnt = audit_objects(me.pop, objects, OBJECTS);
	struct model m = stage->before;
	unsigned int g, i;
	int outcome = -1;

	*groups = 0;
	for (i = 0; i < OPS_ITEMS && op->item[i].kind; i++)
		*groups = op->item[i].group + 1;
	for (g = 0; outcome < 0; g++) {
		if (model_holds(&m, cnt, text))
			outcome = (int)g;
		if (g == *groups)
			break;
		for (i = 0; i < OPS_ITEMS; i++) {
			if (op->item[i].kind && op->item[i].group == g)
				model_apply(&m, &op->item[i]);
		}
	}
	return outcome;
}

/* Work on at destination 0, which the dead was about to change. */
static void go_on(void)
{
	uint64_t size = 64;
	unsigned int i;

	if (!OID_IS_NULL(me.root->d[0])) {
		size = pmemobj_alloc_usable_size(me.root->d[0]);
		drop(&me, 0);
	}
	for (i = 0; i < 3; i++)
		put(&me, i, size);
	drop(&me, 1);
	put(&me, 1, size);
	list_add(&me);
	list_drop(&me);
	for (i = 0; i < 3; i++)
		drop(&me, i);
}

/* Free all objects, give back all slabs. */
static void clean(void)
{
	const uint64_t cnt = audit_objects(me.pop, objects, OBJECTS);
	PMEMoid oid;
	uint64_t i;

	for (i = 0; i < cnt; i++) {
		oid = (PMEMoid){ pobj_pool_raw(me.pop)->uuid_lo, objects[i].off };
		pmemobj_free(&oid);
	}
	hand_clear(&me);
	pobj_heap_squeeze(pobj_tlane_of(me.pop));
	memset(&stage->before, 0, sizeof(stage->before));
}

/* ---- the tests ---------------------------------------------------------------------------- */

/* Of one test. */
static struct {
	char text[AUDIT_TEXT];
	uint64_t deaths;	/* or ends */
	uint64_t kills;
	uint64_t stride;
	uint64_t every;		/* instruction; 0: points only */
	uint64_t bound;
	int64_t room;		/* objects that a new pool holds */
	struct score_row *row;
} tally;

FIXTURE(step) {
	int unused;
};

FIXTURE_VARIANT(step) {
	const char *force;	/* PMEM_IS_PMEM_FORCE */
	uint64_t stride;	/* of points */
	uint64_t every;		/* instruction between them */
};

FIXTURE_VARIANT_ADD(step, memory) { .force = NULL, .stride = 1 };
FIXTURE_VARIANT_ADD(step, flushed) { .force = "1", .stride = 5 };
FIXTURE_VARIANT_ADD(step, instructions) { .force = NULL, .stride = 17, .every = 97 };

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

#define ROOM_SIZE	1000		/* of the objects that the pool is filled with */
#define ROOM_IN_PAGE	4U

/* POBJ_KILL_ONLY=alloc_small: no other test. */
static bool is_named(const struct __test_metadata *_metadata)
{
	const char *only = getenv("POBJ_KILL_ONLY");

	return !only || !strcmp(only, _metadata->name);
}

FIXTURE_SETUP(step)
{
	if (!is_named(_metadata))
		return;
	if (variant->force)
		setenv("PMEM_IS_PMEM_FORCE", variant->force, 1);
	memset(&tally, 0, sizeof(tally));
	tally.stride = score ? 1 : variant->stride;
	tally.every = variant->every;
	if (score && tally.every)
		tally.every = number("POBJ_KILL_EVERY", 1);
	tally.bound = number("POBJ_KILL_BOUND", 4000);
	stage = __real_mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, stage);
	files_make();
	pool_path = strdup(files_path("pool"));
	me.pop = pmemobj_create(pool_path, "step", PMEMOBJ_MIN_POOL, 0600);
	ASSERT_NE(NULL, me.pop)
		TH_LOG("%s", pmemobj_errormsg());
	hand_root(&me);
	clean();
	tally.room = audit_fill(me.pop, ROOM_SIZE, TYPE, tally.text);
	ASSERT_LT(0, tally.room)
		TH_LOG("%s", tally.text);
	clean();
}

FIXTURE_TEARDOWN(step)
{
	if (is_named(_metadata))
		files_remove();
}

static const char *where(void)
{
	static char text[64];

	snprintf(text, sizeof(text), "point %llu + %llu instructions",
		 (unsigned long long)stage->death.point, (unsigned long long)stage->death.stepped);
	return text;
}

#define AUDIT(a)								\
	EXPECT_EQ(0, audit_pool(me.pop, &(a)))					\
		TH_LOG("%s: %u violations; %s", where(), (a).violations, (a).text)

/* Close, check, open. */
static void reopen(struct __test_metadata *_metadata)
{
	struct pobj_pool_census census;

	pmemobj_close(me.pop);
	ASSERT_EQ(0, pobj_pool_check(pool_path, NULL, NULL, &census));
	EXPECT_EQ(0, census.problems);
	hand_open(&me);
	hand_root(&me);
	/* A lane at once, or a child would get the one that was ours, with another log. */
	ASSERT_NE(NULL, pobj_tlane_of(me.pop));
}

/* What a death left: before the dead were reaped, beside what was there before; and after. */
struct trace {
	struct audit_shape shape;
	uint64_t slabs;
	uint64_t larges;
	uint64_t objects;
	int outcome;
	int groups;
};

/* What must hold after @op was cut off, or came to its end, and was reaped. */
static void judge(struct __test_metadata *_metadata, const struct op *op, bool killed,
		  struct trace *trace)
{
	unsigned int groups;
	char text[AUDIT_TEXT];
	struct audit a;
	int outcome;

	hand_root(&me);
	AUDIT(a);
	EXPECT_EQ(1, a.sessions);
	outcome = op_outcome(op, text, &groups);
	EXPECT_LE(0, outcome)
		TH_LOG("%s: %s", where(), text);
	if (killed && !stage->death.point && !op->reaps)
		EXPECT_EQ(0, outcome);
	if (!killed && !op->reaps)
		EXPECT_EQ(groups, outcome);
	trace->slabs = a.slabs;
	trace->larges = a.larges;
	trace->objects = a.objects;
	trace->outcome = outcome;
	trace->groups = (int)groups;
	go_on();
	AUDIT(a);
	clean();
	AUDIT(a);
	EXPECT_EQ(0, a.objects);
	EXPECT_EQ(0, a.slabs)
		TH_LOG("%s: slabs are left", where());
	EXPECT_EQ(1, a.larges);
}

/* One death. Returns whether it was one. */
static bool die(struct __test_metadata *_metadata, const struct op *op, struct place at,
		struct trace *trace)
{
	struct audit_shape before;
	uint64_t *word = (uint64_t *)&trace->shape;
	unsigned int i;
	int killed;

	stage->text[0] = 0;
	memset(trace, 0, sizeof(*trace));
	if (op->setup)
		op->setup(&me);
	if (op->alone) {
		pmemobj_close(me.pop);
	} else {
		/* What is known of the pages is no part of what the dead leave. */
		if (tally.every)
			pobj_span_build(pobj_pool_raw(me.pop)->heap, 0,
					pobj_pool_raw(me.pop)->heap->g->page_cnt);
		audit_shape(me.pop, &before);
	}
	killed = kid_run(op, at, &stage->death);
	ASSERT_LE(0, killed)
		TH_LOG("point %llu + %llu instructions: %s", (unsigned long long)at.point,
		       (unsigned long long)at.after, stage->text);
	if (op->alone) {
		hand_open(&me);
	} else {
		audit_shape(me.pop, &trace->shape);
		for (i = 0; i < sizeof(before) / sizeof(*word); i++)
			word[i] -= ((uint64_t *)&before)[i];
	}
	ASSERT_LE(0, pobj_session_reap(pobj_pool_raw(me.pop)))
		TH_LOG("%s: %s", where(), pmemobj_errormsg());
	judge(_metadata, op, killed, trace);
	if (++tally.deaths % 64 == 0)
		reopen(_metadata);
	tally.kills += killed;
	return killed;
}

/* ---- at points, and between them ---------------------------------------------------------- */

#define TRACES	8192

/* What deaths left, each once, in one operation: at points, and between them. */
static struct traces {
	struct trace trace[TRACES];
	char where[TRACES][80];
	uint64_t kills[TRACES];
	unsigned int cnt;
} at_points, between;

static struct trace *trace_find(struct traces *set, const struct trace *trace)
{
	unsigned int i;

	for (i = 0; i < set->cnt; i++) {
		if (!memcmp(&set->trace[i], trace, sizeof(*trace)))
			return &set->trace[i];
	}
	return NULL;
}

static void trace_note(struct traces *set, const struct trace *trace)
{
	struct trace *t = trace_find(set, trace);

	if (!t) {
		if (set->cnt == TRACES)
			abort();
		t = &set->trace[set->cnt];
		*t = *trace;
		snprintf(set->where[set->cnt++], sizeof(set->where[0]), "%s", where());
	}
	set->kills[t - set->trace]++;
}

/* This kill is one more of the row's. */
static void row_count(struct score_row *row, const struct trace *trace)
{
	row->kills++;
	if (!trace->outcome)
		row->old++;
	else if (trace->outcome < trace->groups)
		row->part++;
	else
		row->new++;
}

/* Did a kill between two points leave what no kill at a point of this operation does? */
static void row_unlike(struct score_row *row)
{
	unsigned int i;

	for (i = 0; i < between.cnt; i++) {
		if (trace_find(&at_points, &between.trace[i]))
			continue;
		row->unlike += between.kills[i];
		if (!row->text[0])
			snprintf(row->text, sizeof(row->text), "%s: no kill at a point leaves that",
				 between.where[i]);
	}
}

/* Die at instructions after the point. Returns whether another point follows. */
static bool die_between(struct __test_metadata *_metadata, const struct op *op, uint64_t point)
{
	const uint64_t every = tally.every * (score ? score->shards : 1);
	struct place at = { point, 1 + (score ? tally.every * score_shard : point % every) };
	struct score_row *row = tally.row;
	struct trace trace;
	const uint64_t bound = op->scans || op->reaps ? tally.bound / 5 : tally.bound;
	uint64_t last = 0;
	bool killed;

	for (;;) {
		killed = die(_metadata, op, at, &trace);
		if (!_metadata->passed)
			return false;
		if (!killed || stage->death.point != point)
			break;
		row_count(row, &trace);
		trace_note(&between, &trace);
		last = stage->death.stepped;
		at.after += every;
		if (at.after > bound)
			at.after += (at.after - bound) / 16 * every;
	}
	if (killed)
		trace_note(&at_points, &trace);
	row->ends += killed;
	row->longs += last > bound;
	row->length += stage->death.length > last ? stage->death.length : last;
	return killed;
}

/* Die everywhere, beginning with point 0. */
static void die_all(struct __test_metadata *_metadata, const struct op *op)
{
	struct score_row *row = tally.row;
	struct place at = { 0, 0 };
	struct trace trace;
	bool more = true;

	memset(&at_points, 0, sizeof(at_points));
	memset(&between, 0, sizeof(between));
	for (; more && _metadata->passed; at.point += tally.stride) {
		more = die(_metadata, op, at, &trace);
		if (!tally.every || !_metadata->passed || !more)
			continue;
		if (!score_shard)
			row_count(row, &trace);
		row->points++;
		row->length++;
		trace_note(&at_points, &trace);
		more = die_between(_metadata, op, at.point);
	}
	if (row) {
		if (tally.stride == 1)
			row_unlike(row);
		row->violations += !_metadata->passed;
		row->last += _metadata->passed;
		if (!_metadata->passed && !row->text[0])
			snprintf(row->text, sizeof(row->text), "%s: %s", where(), stage->text);
		EXPECT_EQ(0, row->unlike)
			TH_LOG("%s", row->text);
	}
}

/* Nothing was lost, nothing is there twice: as many objects as at first, but for logs and root. */
static void room_test(struct __test_metadata *_metadata)
{
	struct audit a;
	uint64_t root;
	int64_t room;

	reopen(_metadata);
	audit_pool(me.pop, &a);
	root = (pmemobj_root_size(me.pop) + 4095) / 4096 - (sizeof(struct root) + 4095) / 4096;
	room = tally.room - (int64_t)((a.logs + root) * ROOM_IN_PAGE);
	EXPECT_EQ(room, audit_fill(me.pop, ROOM_SIZE, TYPE, tally.text))
		TH_LOG("%s", tally.text);
	pmemobj_close(me.pop);
}

static bool is_wanted(const struct __test_metadata *_metadata)
{
	static struct score_row unscored;

	if (!is_named(_metadata) || (!getenv("POBJ_KILL_ONLY") && score && !tally.every))
		return false;
	if (tally.every)
		tally.row = score ? score_row(_metadata->name) : &unscored;
	return true;
}

static void tell(struct __test_metadata *_metadata)
{
	TH_LOG("%llu points, %llu kills", (unsigned long long)stage->points,
	       (unsigned long long)tally.kills);
	if (tally.row)
		TH_LOG("%llu instructions after %llu points, killed at %llu",
		       (unsigned long long)tally.row->length, (unsigned long long)tally.row->points,
		       (unsigned long long)tally.row->kills);
}

static void op_test(struct __test_metadata *_metadata, const struct op *op)
{
	if (!is_wanted(_metadata))
		return;
	die_all(_metadata, op);
	tell(_metadata);
	EXPECT_LT(0, tally.kills);
	room_test(_metadata);
}

#define OP(of)									\
static const struct op of;							\
TEST_F_TIMEOUT(step, of, 60)							\
{										\
	op_test(_metadata, &of);						\
}										\
static const struct op of

/* ---- allocate ----------------------------------------------------------------------------- */

static void with_64(struct hand *h)
{
	put(h, 1, 64);
}

static void with_128(struct hand *h)
{
	put(h, 8, 128);
}

static void with_nothing(struct hand *h)
{
}

static void put_64(struct hand *h)
{
	put(h, 0, 64);
}

static void put_large(struct hand *h)
{
	put(h, 0, LARGE);
}

static void put_straddling(struct hand *h)
{
	put(h, 3, 64);
}

static void put_nowhere(struct hand *h)
{
	PMEMoid oid;

	if (pmemobj_alloc(h->pop, &oid, 64, TYPE, NULL, NULL))
		fail("alloc");
}

OP(alloc_small) = {
	.prologue = with_64, .run = put_64, .item = { MAKES(0, 0, 64, TYPE) },
};

OP(alloc_across_lines) = {
	.prologue = with_64, .run = put_straddling,
	.item = { MAKES(0, 3, 64, TYPE) },
};

OP(alloc_to_no_pool) = {
	.prologue = with_64, .run = put_nowhere, .item = { LEAVES(0, 1) },
};

OP(alloc_in_new_slab) = {
	.prologue = with_128, .run = put_64, .item = { MAKES(0, 0, 64, TYPE) },
};

OP(alloc_with_new_lane) = {
	.prologue = with_nothing, .run = put_64,
	.item = { MAKES(0, 0, 64, TYPE) },
	.scans = true,
};

OP(alloc_large) = {
	.prologue = with_64, .run = put_large, .item = { MAKES(0, 0, LARGE, TYPE) },
};

static void slab_to_adopt(struct hand *h)
{
	unsigned int d;

	for (d = 2; d < 6; d++)
		put(h, d, 64);
	drop(h, 4);
	let_go(h);
}

OP(alloc_adopts) = {
	.setup = slab_to_adopt, .prologue = with_128, .run = put_64,
	.item = { MAKES(0, 0, 64, TYPE) },
};

/* The only object of its slab is free, and may not be had: its free is not retired. */
static void slab_in_quarantine(struct hand *h)
{
	put(h, 2, POBJ_CLASS_MAX);
	let_go(h);
	drop(h, 2);
}

static void put_16384(struct hand *h)
{
	put(h, 0, POBJ_CLASS_MAX);
}

OP(alloc_adopts_none) = {
	.setup = slab_in_quarantine, .prologue = with_128, .run = put_16384,
	.item = { MAKES(0, 0, POBJ_CLASS_MAX, TYPE) },
};

static void many_types(struct hand *h)
{
	unsigned int d;

	for (d = 4; d < 8; d++)
		put_typed(h, d, 64, TYPE + d);
}

static void put_fifth_type(struct hand *h)
{
	put_typed(h, 0, 64, 99);
}

OP(alloc_mixed) = {
	.prologue = many_types, .run = put_fifth_type, .item = { MAKES(0, 0, 64, 99) },
};

static void zalloc_small(struct hand *h)
{
	if (pmemobj_zalloc(h->pop, &h->root->d[0], 320, TYPE))
		fail("zalloc");
}

static void zalloc_large(struct hand *h)
{
	if (pmemobj_zalloc(h->pop, &h->root->d[0], LARGE, TYPE))
		fail("zalloc");
}

static void dup_text(struct hand *h)
{
	if (pmemobj_strdup(h->pop, &h->root->d[0], "A hundred bottles of beer", TYPE))
		fail("strdup");
}

OP(zalloc) = {
	.prologue = with_64, .run = zalloc_small, .item = { HOLDS(0, 0, 320, TYPE, 0) },
};

OP(zalloc_of_large) = {
	.prologue = with_64, .run = zalloc_large,
	.item = { HOLDS(0, 0, LARGE, TYPE, 0) },
};

OP(strdup_small) = {
	.prologue = with_64, .run = dup_text,
	.item = { HOLDS(0, 0, 26, TYPE, 0x6572646e75682041ULL) },
};

/* ---- free --------------------------------------------------------------------------------- */

static void with_two(struct hand *h)
{
	put(h, 0, 64);
	put(h, 1, 64);
}

static void with_two_let_go(struct hand *h)
{
	with_two(h);
	let_go(h);
}

static void with_other(struct hand *h)
{
	put(h, 2, 64);
}

/* A slab of one object: full. */
static void with_full(struct hand *h)
{
	put(h, 0, POBJ_CLASS_MAX);
	let_go(h);
}

static void drop_it(struct hand *h)
{
	drop(h, 0);
}

static void with_large(struct hand *h)
{
	put(h, 0, LARGE);
}

static void with_straddling(struct hand *h)
{
	put(h, 3, 64);
}

static void drop_straddling(struct hand *h)
{
	drop(h, 3);
}

OP(free_own) = {
	.prologue = with_two, .run = drop_it, .item = { FREES(0, 0) },
};

OP(free_across_lines) = {
	.prologue = with_straddling, .run = drop_straddling,
	.item = { FREES(0, 3) },
};

OP(free_remote) = {
	.setup = with_two, .prologue = with_other, .run = drop_it,
	.item = { FREES(0, 0) },
};

OP(free_unowned) = {
	.setup = with_two_let_go, .prologue = with_128, .run = drop_it,
	.item = { FREES(0, 0) },
};

OP(free_in_full_slab) = {
	.setup = with_full, .prologue = with_128, .run = drop_it,
	.item = { FREES(0, 0) },
};

OP(free_large) = {
	.prologue = with_large, .run = drop_it, .item = { FREES(0, 0) },
};

static void with_four_large(struct hand *h)
{
	unsigned int d;

	for (d = 4; d < 8; d++)
		put(h, d, LARGE);
}

static void drop_four(struct hand *h)
{
	unsigned int d;

	for (d = 4; d < 8; d++)
		drop(h, d);
}

static void with_freed(struct hand *h)
{
	with_two(h);
	drop(h, 0);
}

OP(free_four_large) = {
	.prologue = with_four_large, .run = drop_four,
	.item = { FREES(0, 4), FREES(1, 5), FREES(2, 6), FREES(3, 7) },
};

OP(alloc_of_freed) = {
	.prologue = with_freed, .run = put_64, .item = { MAKES(0, 0, 64, TYPE) },
};

/* ---- reallocate --------------------------------------------------------------------------- */

static void with_256(struct hand *h)
{
	put(h, 0, 256);
}

static void resize_64(struct hand *h)
{
	resize(h, 0, 64);
}

static void resize_256(struct hand *h)
{
	resize(h, 0, 256);
}

static void resize_large(struct hand *h)
{
	resize(h, 0, LARGE);
}

OP(realloc_up) = {
	.prologue = with_two, .run = resize_256,
	.item = { HOLDS(0, 0, 256, TYPE, STAMP(64, TYPE)) },
};

OP(realloc_down) = {
	.prologue = with_256, .run = resize_64,
	.item = { HOLDS(0, 0, 64, TYPE, STAMP(256, TYPE)) },
};

OP(realloc_to_large) = {
	.prologue = with_two, .run = resize_large,
	.item = { HOLDS(0, 0, LARGE, TYPE, STAMP(64, TYPE)) },
};

OP(realloc_from_large) = {
	.prologue = with_large, .run = resize_64,
	.item = { HOLDS(0, 0, 64, TYPE, STAMP(LARGE, TYPE)) },
};

OP(realloc_remote) = {
	.setup = with_two, .prologue = with_128, .run = resize_256,
	.item = { HOLDS(0, 0, 256, TYPE, STAMP(64, TYPE)) },
};

/* ---- actions ------------------------------------------------------------------------------ */

static void reserve_some(struct hand *h)
{
	reserve(h, 64);
	reserve(h, 64);
	reserve(h, 128);
	reserve(h, LARGE);
}

static void cancel_some(struct hand *h)
{
	pmemobj_cancel(h->pop, h->act, h->acts);
}

static void prepare_two(struct hand *h)
{
	name(h, 0, reserve(h, 64));
	name(h, 4, reserve(h, LARGE));
	pmemobj_set_value(h->pop, next_act(h), &h->root->word[2], 42);
}

static void prepare_nameless(struct hand *h)
{
	reserve(h, 64);
	reserve(h, 64);
	reserve(h, 64);
}

static void prepare_nameless_large(struct hand *h)
{
	reserve(h, LARGE);
}

static void remote_at_5(struct hand *h)
{
	put(h, 5, 64);
}

static void prepare_frees(struct hand *h)
{
	name(h, 0, reserve(h, 64));
	put(h, 6, LARGE);
	put(h, 7, 64);
	defer(h, 5);
	defer(h, 6);
	defer(h, 7);
}

static void prepare_free_of_full(struct hand *h)
{
	name(h, 4, reserve(h, 64));
	defer(h, 0);
}

static void prepare_words(struct hand *h)
{
	unsigned int i;

	for (i = 0; i < 100; i++)
		pmemobj_set_value(h->pop, next_act(h), &h->root->word[i], 7);
}

OP(reserve_four) = {
	.prologue = with_64, .run = reserve_some,
};

OP(cancel_four) = {
	.prologue = reserve_some, .run = cancel_some,
};

OP(publish_two) = {
	.prologue = prepare_two, .run = publish,
	.item = { MAKES(0, 0, 64, TYPE), MAKES(0, 4, LARGE, TYPE), SETS(0, 2, 1, 42) },
};

OP(publish_nameless) = {
	.prologue = prepare_nameless, .run = publish, .item = { LEAVES(0, 3) },
};

OP(publish_nameless_large) = {
	.prologue = prepare_nameless_large, .run = publish,
	.item = { LEAVES(0, 1) },
};

OP(publish_frees) = {
	.setup = remote_at_5, .prologue = prepare_frees, .run = publish,
	.item = { MAKES(0, 0, 64, TYPE), FREES(0, 5), FREES(0, 6), FREES(0, 7) },
};

OP(publish_free_in_full_slab) = {
	.setup = with_full, .prologue = prepare_free_of_full,
	.run = publish, .item = { FREES(0, 0), MAKES(0, 4, 64, TYPE) },
};

OP(publish_100_words) = {
	.prologue = prepare_words, .run = publish, .item = { SETS(0, 0, 100, 7) },
};

/* ---- lists -------------------------------------------------------------------------------- */

static void list_of_two(struct hand *h)
{
	list_add(h);
	list_add(h);
}

static void list_of_two_let_go(struct hand *h)
{
	list_of_two(h);
	let_go(h);
}

OP(list_begins) = {
	.prologue = with_64, .run = list_add, .item = { LISTS(0, 1) },
};

OP(list_grows) = {
	.prologue = list_of_two, .run = list_add, .item = { LISTS(0, 3) },
};

OP(list_shrinks) = {
	.prologue = list_of_two, .run = list_drop, .item = { LISTS(0, 1) },
};

OP(list_of_others_shrinks) = {
	.setup = list_of_two_let_go, .prologue = with_64, .run = list_drop,
	.item = { LISTS(0, 1) },
};

/* ---- threads, open and close -------------------------------------------------------------- */

static void *work_and_exit(void *arg)
{
	struct hand *h = arg;

	put(h, 4, 64);
	put(h, 5, 64);
	put(h, 6, LARGE);
	drop(h, 5);
	drop(h, 6);
	pthread_barrier_wait(&h->barrier);
	pthread_barrier_wait(&h->barrier);
	points_step();
	return NULL;
}

static void with_thread(struct hand *h)
{
	pthread_barrier_init(&h->barrier, NULL, 2);
	if (pthread_create(&h->thread, NULL, work_and_exit, h))
		fail("thread");
	pthread_barrier_wait(&h->barrier);
}

static void end_thread(struct hand *h)
{
	pthread_barrier_wait(&h->barrier);
	pthread_join(h->thread, NULL);
	points_step();
}

static void *reserve_and_exit(void *arg)
{
	points_step();
	reserve_some(arg);
	return NULL;
}

static void *cancel_and_exit(void *arg)
{
	points_step();
	put(arg, 0, 64);
	cancel_some(arg);
	return NULL;
}

static void in_thread(struct hand *h, void *(*run)(void *arg))
{
	if (pthread_create(&h->thread, NULL, run, h))
		fail("thread");
	pthread_join(h->thread, NULL);
	points_step();
}

static void park(struct hand *h)
{
	in_thread(h, reserve_and_exit);
}

static void unpark(struct hand *h)
{
	in_thread(h, cancel_and_exit);
}

OP(thread_exits) = {
	.prologue = with_thread, .run = end_thread,
	.scans = true,
};

OP(thread_exits_with_reservations) = {
	.prologue = with_64, .run = park,
	.scans = true,
};

OP(thread_takes_parked_lane) = {
	.prologue = park, .run = unpark, .item = { MAKES(0, 0, 64, TYPE) },
	.scans = true,
};

static void *publish_and_exit(void *arg)
{
	points_step();
	publish(arg);
	return NULL;
}

/* Reservations of a lane that is in use: others toggle them. */
static void cancel_by_other(struct hand *h)
{
	in_thread(h, cancel_and_exit);
}

static void publish_by_other(struct hand *h)
{
	in_thread(h, publish_and_exit);
}

OP(other_thread_cancels) = {
	.prologue = reserve_some, .run = cancel_by_other, .item = { MAKES(0, 0, 64, TYPE) },
	.scans = true,
};

OP(other_thread_publishes) = {
	.prologue = prepare_two, .run = publish_by_other,
	.item = { MAKES(0, 0, 64, TYPE), MAKES(0, 4, LARGE, TYPE), SETS(0, 2, 1, 42) },
	.scans = true,
};

static void busy(struct hand *h)
{
	with_two(h);
	reserve_some(h);
	put(h, 4, LARGE);
	put(h, 5, LARGE);
	drop(h, 0);
	drop(h, 4);
}

static void close_pool(struct hand *h)
{
	pmemobj_close(h->pop);
}

OP(close_shared) = {
	.prologue = busy, .run = close_pool,
	.scans = true,
};

OP(close_last) = {
	.prologue = busy, .run = close_pool, .alone = true,
	.scans = true,
};

OP(open_shared) = {
	.run = hand_open,
	.scans = true,
};

OP(open_first) = {
	.run = hand_open, .alone = true,
	.scans = true,
};

static void grow_root(struct hand *h)
{
	if (OID_IS_NULL(pmemobj_root(h->pop, pmemobj_root_size(h->pop) + 8192)))
		fail("root");
}

OP(root_grows) = {
	.prologue = with_two, .run = grow_root,
};

/* ---- a full pool -------------------------------------------------------------------------- */

/* Leave room for two slabs. */
static void fill(struct hand *h)
{
	const struct pobj_class *c = pobj_pool_raw(h->pop)->heap->classes;
	const uint64_t left = c[pobj_class_of(64)].pages + c[pobj_class_of(128)].pages;

	put(h, 15, (audit_largest_free(h->pop) - left) * 4096);
}

static void two_empty_slabs(struct hand *h)
{
	put(h, 0, 64);
	drop(h, 0);
	let_go(h);
	put(h, 0, 128);
	drop(h, 0);
}

static void put_320(struct hand *h)
{
	put(h, 0, 320);
}

OP(dissolve) = {
	.setup = fill, .prologue = two_empty_slabs, .run = put_320,
	.item = { MAKES(0, 0, 320, TYPE) },
	.scans = true,
};

/* ---- reap --------------------------------------------------------------------------------- */

static const struct op *victim;
static uint64_t victim_at;

/* Somebody dies in @victim, at point @victim_at. */
static void lose_one(struct hand *h)
{
	const struct place at = { victim_at, 0 };

	stage->victim = kid_run(victim, at, &stage->victim_death);
	if (stage->victim < 0)
		_exit(1);
}

static void reap(struct hand *h)
{
	if (pobj_session_reap(pobj_pool_raw(h->pop)) != 1)
		fail("reap");
}

/* All points of a reaper; its victim dies at each @every-th. */
static void reap_test(struct __test_metadata *_metadata, const struct op *of, uint64_t every)
{
	struct op op = *of;
	uint64_t most = 0, victims = 0;

	if (!is_wanted(_metadata))
		return;
	victim = of;
	op.reaps = true;
	op.prologue = lose_one;
	op.run = reap;
	/* Where every instruction counts, few victims must do: a reaper takes long. */
	if (tally.every)
		every = 31;
	for (victim_at = 0; _metadata->passed; victim_at += every) {
		die_all(_metadata, &op);
		victims++;
		if (stage->points > most)
			most = stage->points;
		if (!stage->victim)
			break;
	}
	TH_LOG("%llu victims, up to %llu points of the reaper, %llu kills",
	       (unsigned long long)victims, (unsigned long long)most,
	       (unsigned long long)tally.kills);
	tell(_metadata);
	EXPECT_LT(1, victims);
	room_test(_metadata);
}

#define REAP(of, every)								\
TEST_F_TIMEOUT(step, reap_##of, 60)								\
{										\
	reap_test(_metadata, &of, every);				\
}

REAP(alloc_in_new_slab, 5)
REAP(alloc_adopts, 5)
REAP(free_four_large, 17)
REAP(realloc_remote, 5)
REAP(publish_frees, 13)
REAP(cancel_four, 5)
REAP(thread_exits, 5)
REAP(dissolve, 11)

/* Whoever opens the pool, and gets the dead one's slot, reaps it. */
static void lose_one_before(struct hand *h)
{
	if (victim->setup)
		victim->setup(h);
	lose_one(h);
}

static void open_reap_test(struct __test_metadata *_metadata)
{
	struct op op = { .setup = lose_one_before, .run = hand_open, .reaps = true };

	if (!is_wanted(_metadata))
		return;
	victim = &publish_frees;
	victim_at = 40;
	memcpy(op.item, publish_frees.item, sizeof(op.item));
	die_all(_metadata, &op);
	tell(_metadata);
}

TEST_F_TIMEOUT(step, open_reaps, 60)
{
	open_reap_test(_metadata);
}

/* ---- what must be noticed ----------------------------------------------------------------- */

/* @op is not what it says: somewhere that must show. */
static void seeded_test(struct __test_metadata *_metadata, const struct op *op)
{
	struct score_row row = { 0 };
	bool seen;

	if (getenv("POBJ_KILL_ONLY") || !tally.every)
		return;
	tally.row = &row;
	tally.stride = 1;
	tally.every = score ? score->shards * 3 : 3;
	die_all(_metadata, op);
	seen = row.violations || row.unlike;
	TH_LOG("the above is what a seeded bug brings about: %s", row.text);
	_metadata->passed = 1;
	EXPECT_TRUE(seen);
}

/* Four calls that claim to be one. */
TEST_F_TIMEOUT(step, seeded_calls_as_one, 60)
{
	const struct op op = {
		.prologue = with_four_large, .run = drop_four,
		.item = { FREES(0, 4), FREES(0, 5), FREES(0, 6), FREES(0, 7) },
	};

	seeded_test(_metadata, &op);
}

/* Stores that no point follows. All they bring about is allowed. */
static void put_behind_their_backs(struct hand *h)
{
	volatile uint64_t *word = &h->root->word[2];
	uint64_t i;

	put(h, 0, 64);
	if (mprotect((void *)((uintptr_t)word & ~(POINTS_PAGE - 1)), POINTS_PAGE,
		     PROT_READ | PROT_WRITE))
		fail("mprotect");
	for (i = 1; i < 6; i++)
		*word = i;
}

TEST_F_TIMEOUT(step, seeded_store_unseen, 60)
{
	const struct op op = {
		.prologue = with_64, .run = put_behind_their_backs,
		.item = { MAKES(0, 0, 64, TYPE), SETS(1, 2, 1, 1), SETS(2, 2, 1, 2),
			  SETS(3, 2, 1, 3), SETS(4, 2, 1, 4), SETS(5, 2, 1, 5) },
	};

	seeded_test(_metadata, &op);
}

/* ---- the score ---------------------------------------------------------------------------- */

/* A part of the work. What the harness tells goes to @log. */
static void __attribute__((noreturn)) shard(unsigned int i, const char *log, int argc, char **argv)
{
	char path[256];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	score_shard = i;
	snprintf(path, sizeof(path), "%s.%u.tap", log, i);
	if (!freopen(path, "w", stdout))
		abort();
	exit(test_harness_run(argc, argv));
}

static int prove(int argc, char **argv)
{
	const unsigned int shards = (unsigned int)number("POBJ_KILL_SHARDS", 1);
	struct __fixture_metadata *f;
	struct __test_metadata *t;
	unsigned int i, failed = 0;
	int status;

	score_begin(shards);
	for (f = __fixture_list; f; f = f->next) {
		for (t = f->tests; t; t = t->next)
			t->timeout = 3600;
	}
	for (i = 0; i < shards; i++) {
		if (!fork())
			shard(i, argv[0], argc, argv);
	}
	while (wait(&status) > 0)
		failed += !!status;
	if (score_print() || failed) {
		printf("FAILED: %u of %u shards, see %s.*.tap\n", failed, shards, argv[0]);
		return 1;
	}
	return 0;
}

static void __attribute__((constructor)) __constructor_order_last(void)
{
	if (!__constructor_order)
		__constructor_order = _CONSTRUCTOR_ORDER_BACKWARD;
}

int main(int argc, char **argv)
{
	if (getenv("POBJ_KILL_EVERY"))
		return prove(argc, argv);
	return test_harness_run(argc, argv);
}
