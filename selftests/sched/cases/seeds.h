/* SPDX-License-Identifier: BSD-3-Clause */
/* Bugs that must be found: see seeds.c. */
#ifndef POBJ_SCHED_SEEDS_H
#define POBJ_SCHED_SEEDS_H

#include "selftests/sched/cases/cases.h"

/**
 * struct seed - a seeded bug
 * @first, @second: the pair of kinds that finds it, with one preemption and one kill at most
 */
struct seed {
	struct sched_seed bug;
	const char *first;
	const char *second;
};

extern const struct seed seeds[];
extern const u32 seed_cnt;

#endif
