/* SPDX-License-Identifier: BSD-3-Clause */
/* Bugs that must be found: see seeds.c. */
#ifndef POBJ_SCHED_SEEDS_H
#define POBJ_SCHED_SEEDS_H

#include "selftests/sched/cases/cases.h"

/**
 * struct seed - a seeded bug
 * @first, @second: the pair of kinds that finds it, with one preemption and one kill at most
 * @weak: the rule of lib/core/weak.h that is broken, and no store
 * @preempts: if one is not enough; then schedules are taken at random until it is found, in the
 *	long run only
 */
struct seed {
	struct sched_seed bug;
	const char *first;
	const char *second;
	u32 weak;
	u32 preempts;
};

extern const struct seed seeds[];
extern const u32 seed_cnt;

#endif
