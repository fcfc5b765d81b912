/* SPDX-License-Identifier: BSD-3-Clause */
/* To die in: reaping another who died. */
#ifndef SELFTESTS_KILL_REAP_H
#define SELFTESTS_KILL_REAP_H

#include "selftests/kill/cases/action.h"
#include "selftests/kill/cases/object.h"
#include "selftests/kill/cases/pool.h"

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

#endif
