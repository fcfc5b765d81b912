/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tests: each lets children die in one operation, at points and between them, has the dead
 * reaped, and judges what they left.
 */
#ifndef SELFTESTS_KILL_DEATH_H
#define SELFTESTS_KILL_DEATH_H

#include "lib/session.h"
#include "pool_fixture.h"
#include "selftests/kill/engine/kid.h"
#include "selftests/kill/engine/score.h"
#include "selftests/kill/engine/survivor.h"

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

#endif
