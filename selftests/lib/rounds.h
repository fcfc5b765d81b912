/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How often a test repeats itself. Under a tool that makes everything many times slower
 * (selftests/second) a part of the rounds must do, and what was left out is said in the output.
 */
#ifndef POBJ_SELFTESTS_ROUNDS_H
#define POBJ_SELFTESTS_ROUNDS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* @full, or one of POBJ_TEST_SHARE parts of it, if that is set; @least at any rate. */
static inline int rounds_part(const char *what, int full, int least)
{
	const char *env = getenv("POBJ_TEST_SHARE");
	int share = env ? atoi(env) : 1;
	int cnt = share > 1 ? full / share : full;

	if (cnt < least)
		cnt = least;
	if (cnt >= full)
		return full;
	fprintf(stderr, "# %s: %d of %d rounds\n", what, cnt, full);
	return cnt;
}

/* Asked and told once at each place that says so. */
#define rounds_least(full, least) ({						\
	static int rounds_;							\
	int n_ = __atomic_load_n(&rounds_, __ATOMIC_RELAXED);			\
										\
	if (!n_) {								\
		n_ = rounds_part(__func__, (full), (least));			\
		__atomic_store_n(&rounds_, n_, __ATOMIC_RELAXED);		\
	}									\
	n_;									\
})

#define rounds(full)		rounds_least(full, 1)
/* 1, or how far to go at once in a walk over @full values. Odd: it meets all remainders. */
#define rounds_stride(full)	((full) / rounds(full) | 1)

/*
 * Is a step of ptrace one instruction of the program? Not where the program is interpreted: then
 * POBJ_NO_STEPS is set, and tests that count instructions skip themselves.
 */
static inline bool rounds_can_step(void)
{
	return !getenv("POBJ_NO_STEPS");
}

#endif
