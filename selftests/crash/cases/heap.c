// SPDX-License-Identifier: BSD-3-Clause
/*
 * The real heap: sequences of operations of a program, from several states of the pool. Power is
 * lost, and the process killed, at every step of the last operation of each sequence; what those
 * before it left uncertain still is. Each operation is the last one of some sequence.
 */
#include <stdio.h>

#include "selftests/crash/cases/heap_ops.h"

#define HEAP_RANDOM_OBJECTS	24U

static struct power_case heap_case = {
	.recover = tiny_recover, .state = heap_state, .reap = heap_reap, .model = heap_digest,
};

struct heap_tally *heap_tally;

static bool explored;	/* the operation at hand */

void heap_callers(bool on)
{
	power_pause(on || !explored);
}

/* Locks are memory among those who live: they are no stores to the medium. */
static void heap_locks_ignore(void)
{
	u32 l;

	for (l = 0; l < HEAP_LISTS; l++)
		power_ignore((PMEMoid *)heap_list(l) + 1, sizeof(PMEMmutex));
}

static void operate(heap_run run)
{
	heap_before = heap_after;
	heap_slack = (struct heap_slack){ .dest = HEAP_NONE };
	power_ignore_none();
	heap_callers(false);
	power_own_data(false);
	heap_locks_ignore();
	run();
	heap_locks_ignore();
	power_pause(false);
	if (explored)
		power_returned();
	heap_model_learn();
	heap_thread(0);
}

/* Other processes count, too. */
static void tally(u32 op, const struct power_count *before)
{
	struct heap_tally *t = &heap_tally[op];
	const struct power_count *now = &power_count;

	if (!heap_tally)
		return;
	__atomic_add_fetch(&t->sequences, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&t->moments, now->points - before->points + now->nested -
			   before->nested + now->kills - before->kills, __ATOMIC_RELAXED);
	__atomic_add_fetch(&t->recoveries, now->recoveries - before->recoveries,
			   __ATOMIC_RELAXED);
	__atomic_add_fetch(&t->violations, now->violations - before->violations,
			   __ATOMIC_RELAXED);
}

static void begin(const struct heap_start *start)
{
	heap_make(start->shape);
	heap_model_begin();
	heap_ops_begin();
	start->run();
	power_begin(&heap_pool->media, &heap_case);
}

static void tell(const struct heap_start *start, const u32 *seq, u32 length)
{
	u32 i;

	if (!power_tell)
		return;
	power_tell--;
	printf("# %s; pool %s:", power_first, start->name);
	if (power_tell)
		power_first[0] = 0;
	for (i = 0; i < length; i++)
		printf(" %s%s", heap_ops[seq[i]].name, i + 1 < length ? ";" : "\n");
}

void heap_explore(const struct heap_start *start, const u32 *seq, u32 length,
		  const struct heap_depth *how)
{
	const struct power_count before = power_count;
	u32 i;

	heap_case.kill = how->kill;
	heap_case.depth = how->nested;
	heap_survivor_works = how->survivors;
	begin(start);
	for (i = 0; i < length; i++) {
		explored = i + 1 == length;
		operate(heap_ops[seq[i]].run);
	}
	power_stop();
	heap_survivor_works = false;
	tally(seq[length - 1], &before);
	if (power_count.violations != before.violations)
		tell(start, seq, length);
}

u64 heap_explore_runs(const struct heap_start *start, const heap_run *runs, u32 most,
		      const struct heap_depth *how)
{
	const u64 violations = power_count.violations;
	u32 i;

	heap_case.kill = how->kill;
	heap_case.depth = how->nested;
	heap_survivor_works = how->survivors;
	begin(start);
	for (i = 0; i < most && runs[i]; i++) {
		explored = i + 1 == most || !runs[i + 1];
		operate(runs[i]);
	}
	power_stop();
	return power_count.violations - violations;
}

/* ---- random operations ------------------------------------------------------------------- */

/* Small and fast: xorshift64*. */
static u32 random_below(u64 *state, u32 below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (u32)(*state * 0x2545f4914f6cdd1dULL >> 40) % below;
}

static u32 op_find(heap_run run)
{
	u32 i;

	for (i = 0; heap_ops[i].run != run; i++)
		;
	return i;
}

/* More that nobody names is made than freed: a pool would be full for ever. */
static u32 random_op(u64 *state)
{
	u32 i, live = 0;

	for (i = 0; i < heap_after.cnt; i++)
		live += heap_after.obj[i].live;
	if (live > HEAP_RANDOM_OBJECTS && random_below(state, 2))
		return op_find(random_below(state, 2) ? op_free_first : op_free_last);
	return random_below(state, heap_op_cnt);
}

/* Every other seed on the smallest pool; the others on those with other borders. */
static const struct heap_start *start_of_seed(u32 seed)
{
	const struct heap_start *start = &heap_starts[0];
	u32 i, n;

	for (i = 1, n = seed % 6; seed % 2 && i < heap_start_cnt && n; i++) {
		if (heap_starts[i].shape != heap_starts[i - 1].shape &&
		    heap_starts[i].use != HEAP_SLOW) {
			start = &heap_starts[i];
			n = n > 2 ? n - 2 : 0;
		}
	}
	return start;
}

/* Operation @i is @favoured if that is odd; HEAP_NONE: all are explored. */
static void random_run(u32 seed, u32 cnt, u32 favoured)
{
	const struct heap_start *start = start_of_seed(seed);
	u64 state = seed * 0x9e3779b97f4a7c15ULL;
	struct power_count before;
	u32 i, past[3] = { 0 };

	begin(start);
	for (i = 0; i < cnt; i++) {
		before = power_count;
		explored = favoured == HEAP_NONE || i % 2;
		memmove(past, past + 1, sizeof(past) - sizeof(past[0]));
		past[2] = favoured != HEAP_NONE && i % 2 ? favoured : random_op(&state);
		operate(heap_ops[past[2]].run);
		if (explored)
			tally(past[2], &before);
		if (power_count.violations == before.violations)
			continue;
		printf("# seed %u, operation %u, the last three:\n", seed, i);
		tell(start, past, 3);
		break;		/* what comes after it says nothing */
	}
	power_stop();
}

void heap_random(u32 seed, u32 cnt)
{
	heap_case.kill = false;
	heap_case.depth = 1;
	random_run(seed, cnt, HEAP_NONE);
}

void heap_random_of(u32 op, u32 seed, u32 cnt)
{
	heap_case.kill = true;
	heap_case.depth = 1;
	random_run(seed, cnt, op);
}

/* ---- for make check ---------------------------------------------------------------------- */

/* Nobody wants to know more. */
static bool enough(u64 violations)
{
	return power_count.violations != violations && !power_tell;
}

/*
 * First of two: those that use different entries of the log, and two after which a flush or a fence
 * matters that no other pair needs (after all of them: make prove-power).
 */
static bool leads(const struct heap_op *op)
{
	return op->entry || op->run == op_free_reopen || op->run == op_alloc_mixed;
}

/* Each operation by itself, on the states in use for @use; or, with a @length of 2, after those. */
static void explore_all(enum heap_use_of use, u32 length, const struct heap_depth *how)
{
	const u64 violations = power_count.violations;
	u32 s, seq[2], last;

	for (s = 0; s < heap_start_cnt; s++) {
		if (heap_starts[s].use != use)
			continue;
		for (last = 0; last < heap_op_cnt; last++) {
			seq[length - 1] = last;
			for (seq[0] = length > 1 ? 0 : last; seq[0] < heap_op_cnt; seq[0]++) {
				if (length > 1 && !leads(&heap_ops[seq[0]]))
					continue;
				if (!how->kill || !heap_ops[last].wide)
					heap_explore(&heap_starts[s], seq, length, how);
				if (enough(violations))
					return;
				if (length == 1)
					break;
			}
		}
	}
}

void case_heap_kills(void)
{
	explore_all(HEAP_CHECKED, 1, &(struct heap_depth){ true, 2, true });
}

void case_heap_borders(void)
{
	explore_all(HEAP_PROVED, 1, &(struct heap_depth){ false, 1, false });
	explore_all(HEAP_SLOW, 1, &(struct heap_depth){ false, 1, false });
}

void case_heap_pairs(void)
{
	explore_all(HEAP_CHECKED, 2, &(struct heap_depth){ false, 1, false });
}
