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
 * An operation of several calls may have happened up to one of them. The operations are in cases/;
 * what kills in them, and judges, is in engine/.
 *
 * Kills at the instructions between two points must leave what a kill at the first one does: the
 * variant "instructions" tries some. POBJ_KILL_EVERY=1 makes the whole program do that and nothing
 * else, at each instruction of each operation; POBJ_KILL_SHARDS=2: in so many processes.
 * Where nothing is stored for more than POBJ_KILL_BOUND instructions (a fifth of that in operations
 * that scan) it takes longer and longer steps. Then it prints the score (score.h).
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "selftests/kill/cases/action.h"
#include "selftests/kill/cases/list.h"
#include "selftests/kill/cases/object.h"
#include "selftests/kill/cases/pool.h"
#include "selftests/kill/cases/reap.h"
#include "selftests/kill/engine/score.h"

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
