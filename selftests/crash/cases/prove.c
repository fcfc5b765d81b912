// SPDX-License-Identifier: BSD-3-Clause
/*
 * All that `make prove-power` tries on the heap, in shards, and the table of what it was:
 *
 *	singles		each operation on each state: kills at each store, flush and fence, reapers,
 *			survivors that go on, power lost in recoveries, two deep
 *	pairs		each operation after each other one, on each state
 *	pairs, killed	the same with kills and reapers, on some of the states
 *	triples		of the operations that use different entries of the log, or borders
 *	random		20 fixed seeds of 20,000 operations, power lost at each fence of each
 *	few		what stores so little that all this did not recover it often enough: every
 *			other one of more random operations, with kills
 *
 * A shard is one state and one last operation; of the random runs, one seed; of the few, one
 * operation.
 */
#include <stdio.h>
#include <time.h>

#include "selftests/crash/cases/heap.h"
#include "selftests/crash/engine/workers.h"

#define SEEDS		20U
#define RANDOM_OPS	20000U
#define KIND_LEAST	100000U		/* recoveries of each kind of operation */
#define FEW_OPS		2000U		/* at a time, until there are as many */
#define FEW_RUNS	200U		/* at most */

enum what { SINGLES, PAIRS, PAIRS_KILLED, TRIPLES, RANDOM, HAZARDS, FEW, WHATS };

static const char *const what_name[WHATS] = {
	"single operations", "pairs", "pairs, killed", "triples", "random operations",
	"hazards", "few recoveries",
};

static struct {
	struct power_count count[WHATS];
	u64 hits[4096];		/* of sites */
} *shared;

static u32 entry[64], entry_cnt;
static u32 shards_of[WHATS];

/* ---- what a shard is ----------------------------------------------------------------------- */

/* Kills of pairs: on those states that differ the most. */
static bool pairs_are_killed(const struct heap_start *s)
{
	return s->use == HEAP_CHECKED && s->shape == heap_starts[0].shape;
}

static void pairs(const struct heap_start *start, u32 last, const struct heap_depth *how)
{
	u32 seq[2] = { 0, last };

	for (; seq[0] < heap_op_cnt; seq[0]++)
		heap_explore(start, seq, 2, how);
}

static void triples(const struct heap_start *start, u32 last)
{
	static const struct heap_depth how = { false, 1, false };
	u32 seq[3] = { 0, 0, last }, i, k;

	for (i = 0; i < entry_cnt; i++) {
		for (k = 0; k < entry_cnt; k++) {
			seq[0] = entry[i];
			seq[1] = entry[k];
			heap_explore(start, seq, 3, &how);
		}
	}
}

static void shard_do(enum what what, u32 n)
{
	static const struct heap_depth killed = { true, 2, true }, wide = { true, 1, true };
	static const struct heap_depth plain = { false, 1, false };
	static const struct heap_depth pairs_killed = { true, 1, false };
	const struct heap_start *start = &heap_starts[n / heap_op_cnt];
	u32 seq[1] = { n % heap_op_cnt };

	switch (what) {
	case SINGLES:
		heap_explore(start, seq, 1, heap_ops[seq[0]].wide ? &wide : &killed);
		break;
	case PAIRS:
		if (start->use != HEAP_SLOW)
			pairs(start, n % heap_op_cnt, &plain);
		break;
	case PAIRS_KILLED:
		if (pairs_are_killed(start))
			pairs(start, n % heap_op_cnt, &pairs_killed);
		break;
	case TRIPLES:
		start = &heap_starts[n / entry_cnt];
		if (start->use != HEAP_SLOW)
			triples(start, entry[n % entry_cnt]);
		break;
	case HAZARDS:
		case_hazards();
		break;
	default:
		heap_random(n + 1, RANDOM_OPS);
	}
}

/* The longest first, so that all workers end at about the same time. FEW: when they have. */
static const enum what order[] = {
	HAZARDS, RANDOM, SINGLES, PAIRS_KILLED, PAIRS, TRIPLES,
};

/* Add to the count of @what what happened since @before. */
static void count_add(enum what what, const struct power_count *before)
{
	const u64 *b = (const u64 *)before, *now = (const u64 *)&power_count;
	u32 k;

	for (k = 0; k < sizeof(*before) / sizeof(u64); k++)
		__atomic_add_fetch((u64 *)&shared->count[what] + k, now[k] - b[k],
				   __ATOMIC_RELAXED);
}

static void shard_run(u32 shard)
{
	const struct power_count before = power_count;
	u32 i;

	for (i = 0; shard >= shards_of[order[i]]; i++)
		shard -= shards_of[order[i]];
	shard_do(order[i], shard);
	count_add(order[i], &before);
}

static void few_run(u32 op)
{
	const struct power_count before = power_count;
	u32 run;

	for (run = 0; run < FEW_RUNS && heap_tally[op].recoveries < KIND_LEAST; run++)
		heap_random_of(op, SEEDS + 1 + run, FEW_OPS);
	count_add(FEW, &before);
}

static void worker_end(void)
{
	struct pobj_site *s;
	u32 i, cnt;

	s = power_sites(&cnt);
	for (i = 0; i < cnt && i < ARRAY_SIZE(shared->hits); i++)
		__atomic_add_fetch(&shared->hits[i], s[i].hits, __ATOMIC_RELAXED);
}

/* ---- the summary --------------------------------------------------------------------------- */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Two columns: name, sequences, moments and recoveries in thousands. */
static void kinds_print(u64 *least)
{
	const u32 rows = (heap_op_cnt + 1) / 2;
	const struct heap_tally *t;
	u32 i, k;

	*least = ~0ULL;
	printf("# %-31s%6s%8s%7s bad   %-31s%6s%8s%7s bad\n", "thousands of", "seq.", "moments",
	       "recov.", "", "seq.", "moments", "recov.");
	for (i = 0; i < rows; i++) {
		printf("#");
		for (k = i; k < heap_op_cnt; k += rows) {
			t = &heap_tally[k];
			printf(" %-31s%6.1f%8.0f%7.0f%4llu%s", heap_ops[k].name,
			       (double)t->sequences / 1e3, (double)t->moments / 1e3,
			       (double)t->recoveries / 1e3, (unsigned long long)t->violations,
			       k < rows ? "  " : "");
			if (t->recoveries < *least)
				*least = t->recoveries;
		}
		printf("\n");
	}
}

static void what_print(struct power_count *sum)
{
	u64 *s = (u64 *)sum;
	const u64 *c;
	u32 w, k;

	memset(sum, 0, sizeof(*sum));
	for (w = 0; w < WHATS; w++) {
		c = (const u64 *)&shared->count[w];
		for (k = 0; k < sizeof(*sum) / sizeof(u64); k++)
			s[k] += c[k];
		printf("# %-18s %9llu moments%10llu in recovery%9llu kills%11llu recoveries\n",
		       what_name[w], (unsigned long long)shared->count[w].points,
		       (unsigned long long)shared->count[w].nested,
		       (unsigned long long)shared->count[w].kills,
		       (unsigned long long)shared->count[w].recoveries);
	}
}

void prove_seed(u32 seed)
{
	heap_random(seed, RANDOM_OPS);
}

u32 prove_heap(u64 *hits, u32 site_cnt, struct power_count *sum, u64 *least)
{
	double begin = now_s();
	u32 i, left, shards = 0, wide_cnt = 0;

	shared = workers_memory(sizeof(*shared));
	heap_tally = workers_memory(heap_op_cnt * sizeof(*heap_tally));
	for (i = 0; i < heap_op_cnt; i++) {
		if (heap_ops[i].entry)
			entry[entry_cnt++] = i;
		wide_cnt += heap_ops[i].wide;
	}
	shards_of[SINGLES] = heap_start_cnt * heap_op_cnt;
	shards_of[PAIRS] = shards_of[SINGLES];
	shards_of[PAIRS_KILLED] = shards_of[SINGLES];
	shards_of[TRIPLES] = heap_start_cnt * entry_cnt;
	shards_of[RANDOM] = SEEDS;
	shards_of[HAZARDS] = 1;
	for (i = 0; i < ARRAY_SIZE(order); i++)
		shards += shards_of[order[i]];
	left = workers_run(workers_cpus(), shards, shard_run, worker_end);
	left += workers_run(workers_cpus(), heap_op_cnt, few_run, worker_end);
	for (i = 0; i < site_cnt && i < ARRAY_SIZE(shared->hits); i++)
		hits[i] += shared->hits[i];
	kinds_print(least);
	printf("# %u kinds of operation, %u states, %u kinds in triples, %u workers, %.0f s\n",
	       heap_op_cnt, heap_start_cnt, entry_cnt, workers_cpus(), now_s() - begin);
	what_print(sum);
	printf("# single operations: power lost in recoveries two deep, of %u kinds one deep\n",
	       wide_cnt);
	printf("# all else: power lost in the operation, and one deep after kills\n");
	if (*least < KIND_LEAST)
		printf("# a kind of operation has less than %u recoveries\n", KIND_LEAST);
	return left + (*least < KIND_LEAST);
}
