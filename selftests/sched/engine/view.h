/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Shared memory of the C11 kind, for the explorer of schedules: see view.c.
 */
#ifndef POBJ_SCHED_VIEW_H
#define POBJ_SCHED_VIEW_H

#include "selftests/sched/engine/sched.h"

extern const struct sched_memory sched_view;

/**
 * struct view_site - a place in the code that makes atomic accesses
 * @what: load, store, change or compare
 * @order: what it asks for, __ATOMIC_*
 * @hits: accesses
 * @stale: of these, reads that could choose
 * @met: how often an acquiring load told its process something that a message of a releasing store
 *	carried: for both; where that never happens, relaxing them changes nothing
 * @weak: its accesses are relaxed
 */
struct view_site {
	const void *at;
	const char *what;
	int order;
	u64 hits;
	u64 stale;
	u64 met;
	bool weak;
};

#define VIEW_SITES	1024U

extern struct view_site view_site[VIEW_SITES];
extern u32 view_site_cnt;

/* Reads of an execution that may choose an older message. */
extern u32 view_stale_max;

/* Counted, not cut off in silence: what the tables had no room for. */
extern u64 view_overflows;

/* A read-modify-write that acquires or releases is a fence in that direction, too: x86-64. */
extern bool view_locked;

/* Races found are violations: NULL, or the first one of the execution. */
const char *view_race(void);
extern const void *view_race_site;	/* of its later access */

#endif
