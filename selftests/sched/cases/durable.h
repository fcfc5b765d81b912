/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interleavings joined with power loss. Three simulated processes run on one pool
 * (selftests/sched/engine); each store, flush and fence of theirs goes to the power explorer, too
 * (selftests/crash/engine), a process being a thread of its machine: a fence covers what its own
 * process flushed. Power is lost before every fence of any process and after every call that
 * returned; every image that the caches may leave is recovered by the real recovery, in which power
 * is lost again, and judged.
 *
 *	durable_medium.c	what passes on accesses; when power is lost; bugs that are seeded
 *	durable_judge.c		what a recovered image may be
 *
 * That these moments are enough: between two of them the images that the medium may hold only
 * become more, and the answers that are allowed stay the same. So switches are tried before every
 * fence, too (sched_point_fence()), beside those before accesses that conflict: how far one process
 * is when power is lost at another's fence matters, whether or not they touch the same words.
 *
 * Stores within a line reach the medium in the order in which they were made, by whomever; those of
 * copies and fills by rising address. What made the state to begin with is recorded, too: what was
 * left unfenced then is uncertain still.
 */
#ifndef POBJ_SCHED_DURABLE_H
#define POBJ_SCHED_DURABLE_H

#include "selftests/crash/engine/power.h"
#include "selftests/sched/cases/cases.h"

/* ---- durable_medium.c -------------------------------------------------------------------- */

/* A bug of the library that is played by what stands between it and the medium. */
enum durable_bug {
	DURABLE_NO_BUG,
	DURABLE_SHARED_FENCE,	/* no fence if another process had one since the last flush */
	DURABLE_SHARED_FLUSH,	/* no flush of a line that another has flushed and not fenced */
	DURABLE_LAZY_REAPER,	/* no fences by the reaper */
};

extern enum durable_bug durable_bug;

/* How power is lost, and what is counted. */
struct durable_count {
	u64 losses;		/* moments at which power was lost, each different */
	u64 again;		/* moments that were as one before */
	u64 after_kill;		/* of the losses: somebody was dead */
};

extern struct durable_count durable_count;

/*
 * Use it: before pair_make() makes the state to begin with, and after that. Power is lost @depth
 * deep.
 */
void durable_setup(int depth);
void durable_begin(void);
void durable_end(void);

/* For the judge of an execution: the last call has returned; power is lost once more. */
void durable_returned(void);

/* The pool as the processes see it. */
const struct pobj_media *durable_media(void);

/* ---- durable_judge.c --------------------------------------------------------------------- */

/*
 * How many calls of its operation each process may have made, if power is lost now: [first, last].
 * And of these which together: bit 8 * calls of process 0 + calls of process 1.
 */
struct durable_allowed {
	u64 first[2];
	u64 last[2];
	u64 both;
};

extern struct durable_allowed durable_allowed;

/* As the hands of the processes tell, at this moment; all of them together. */
void durable_allow(void);

extern const struct power_case durable_case;

/* End of an execution: NULL, or what is wrong. */
const char *durable_judge(void);

#endif
