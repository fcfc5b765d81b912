// SPDX-License-Identifier: BSD-3-Clause
/*
 * The real heap: sequences of operations of a program, from several states of the pool. Power is
 * lost, and the process killed, at every step of the last operation of each sequence; what those
 * before it left uncertain still is. Each operation is the last one of some sequence.
 *
 * POWER_LONG=1 in the environment: longer sequences.
 */
#include <stdio.h>

#include "selftests/crash/cases/heap.h"

static const struct heap_shape small_shape = { 24 * 1024, 2 };
static const struct heap_shape large_shape = { 80 * 1024, 2 };
static const struct heap_shape section_shape = { 200 * 1024, 2 };

static struct power_case heap_case = {
	.recover = tiny_recover, .state = heap_state, .reap = heap_reap,
	.model = heap_digest,
};

/* Locks are memory among those who live: they are no stores to the medium. */
static void heap_locks_ignore(void)
{
	u32 l;

	for (l = 0; l < HEAP_LISTS; l++)
		power_ignore((PMEMoid *)heap_list(l) + 1, sizeof(PMEMmutex));
}

static void operate(const struct heap_op *op, bool explored)
{
	heap_before = heap_after;
	power_pause(op->callers || !explored);
	heap_locks_ignore();
	op->run();
	heap_locks_ignore();
	power_pause(false);
	if (explored)
		power_returned();
	heap_model_learn();
	heap_thread(0);
}

/* @seq: indices of @ops, the first one in the lowest digit of base @cnt. */
static void explore_sequence(const struct heap_shape *shape, const struct heap_start *start,
			     const struct heap_op *ops, u32 cnt, u32 seq, u32 length)
{
	const u64 violations = power_count.violations;
	const u32 all = seq;
	u32 i;

	heap_make(shape);
	heap_model_begin();
	heap_ops_begin();
	start->run();
	power_begin(&heap_pool->media, &heap_case);
	for (i = 0; i < length; i++, seq /= cnt)
		operate(&ops[seq % cnt], i + 1 == length);
	power_stop();
	if (power_count.violations == violations || !power_tell)
		return;
	power_tell--;
	printf("# %s; pool %s:", power_first, start->name);
	if (power_tell)
		power_first[0] = 0;
	for (i = 0, seq = all; i < length; i++, seq /= cnt)
		printf(" %s%s", ops[seq % cnt].name, i + 1 < length ? ";" : "\n");
}

static void explore_all(const struct heap_shape *shape, const struct heap_start *starts,
			u32 start_cnt, const struct heap_op *ops, u32 cnt, u32 length)
{
	const u64 violations = power_count.violations;
	u32 s, seq, seqs = 1, i;

	for (i = 0; i < length; i++)
		seqs *= cnt;
	for (s = 0; s < start_cnt; s++) {
		for (seq = 0; seq < seqs; seq++) {
			explore_sequence(shape, &starts[s], ops, cnt, seq, length);
			/* Nobody wants to know more. */
			if (power_count.violations != violations && !power_tell)
				return;
		}
	}
}

/* Each operation by itself: kills, reapers, and recoveries cut off twice. */
void case_heap_kills(void)
{
	heap_case.kill = true;
	heap_case.depth = 2;
	heap_survivor_works = true;
	explore_all(&small_shape, heap_starts, heap_start_cnt, heap_ops, heap_op_cnt, 1);
	heap_survivor_works = false;
}

void case_heap_pairs(void)
{
	heap_case.kill = power_long();
	heap_case.depth = 1;
	explore_all(&small_shape, heap_starts, heap_start_cnt, heap_ops, heap_op_cnt, 2);
	heap_case.kill = false;
	if (power_long())
		explore_all(&small_shape, heap_starts, heap_start_cnt, heap_ops, heap_op_cnt, 3);
}

void case_heap_large(void)
{
	heap_case.kill = true;
	heap_case.depth = 1;
	heap_survivor_works = true;
	explore_all(&large_shape, heap_large_starts, heap_large_start_cnt, heap_large_ops,
		    heap_large_op_cnt, 1);
	heap_survivor_works = false;
	heap_case.kill = power_long();
	explore_all(&large_shape, heap_large_starts, heap_large_start_cnt, heap_large_ops,
		    heap_large_op_cnt, 2);
}

/* A section of page lines begins within a large object. */
void case_heap_sections(void)
{
	heap_case.kill = power_long();
	heap_case.depth = 1;
	explore_all(&section_shape, heap_large_starts, heap_section_start_cnt, heap_large_ops,
		    heap_large_op_cnt, 1);
}
