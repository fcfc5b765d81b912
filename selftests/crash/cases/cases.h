/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* What the power-loss cases share: a tiny pool in memory, and the list of cases. */
#ifndef POBJ_CRASH_CASES_H
#define POBJ_CRASH_CASES_H

#include <stdlib.h>

#include "lib/core/check.h"
#include "lib/core/lane.h"
#include "lib/core/line.h"
#include "lib/core/recover.h"
#include "selftests/crash/engine/power.h"

#define TINY_BYTES	(24 * 1024)
#define TINY_PAGE_SHIFT	8
#define TINY_LANES	2
#define TINY_EXT	2

extern struct pobj_super tiny_super;	/* of the pool under exploration */
extern u8 tiny_bytes[TINY_BYTES];
extern struct pobj_media tiny;

/* Make a fresh pool, with UUID bytes of 1. */
void tiny_make(void);
void tiny_format_args(struct pobj_format_args *a, u8 id);

/* power_case.recover: the whole pool. */
int tiny_recover(const struct pobj_media *m);

/* Does the extensive check find nothing? */
bool tiny_check(const struct pobj_media *m);

/*
 * All of it on the heap (prove.c), by child processes. Adds to @hits, by site; fills in @sum and
 * the recoveries of the operation that has the fewest. Returns how many shards were not done, one
 * more if that operation has too few.
 */
u32 prove_heap(u64 *hits, u32 site_cnt, struct power_count *sum, u64 *least);

/* One of its random runs, for those who look for a fault. */
void prove_seed(u32 seed);

/* The cases. */
void case_words_few(void);
void case_words_ext(void);
void case_words_chunk(void);
void case_words_one_lane(void);
void case_words_tear(void);
void case_grow(void);
void case_format(void);
void case_repair(void);
void case_root(void);
void case_objects(void);
void case_hazards(void);
void case_heap_kills(void);
void case_heap_borders(void);
void case_heap_pairs(void);

#endif
