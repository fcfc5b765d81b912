/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the explorer of interleavings runs: a pool that two processes and a reaper have open
 * (pool.c), the kinds of operations (ops.c), and what must be true at the end (judge.c).
 *
 * Ids, words and the list are in a table, an object that no operation frees or moves: each process
 * has a part of its own, the list is common.
 */
#ifndef POBJ_SCHED_CASES_H
#define POBJ_SCHED_CASES_H

#define PMEMOBJ_DIRECT_NON_INLINE
#include <time.h>

#include "lib/heap.h"
#include "libpmemobj.h"
#include "selftests/sched/engine/sched.h"

#define DESTS	8U
#define WORDS	24U
#define TYPE	7U
#define SMALL	64U
#define OTHER	128U
#define WIDE	256U
#define HOLLOW	1024U		/* one object is a slab; the largest class */
#define LARGE	1100U		/* five pages */
#define VAST	9000U		/* more than a group of pages */
#define ELEMENT	128U		/* bytes of an element of the list */
#define ENTRY	16U		/* where its entry is: next, prev */

/* Id 3 lies across two lines. */
struct part {
	u64 head;
	PMEMoid d[DESTS];
	u64 word[WORDS];
	u64 fill[7];
};

struct table {
	struct part part[2];
	struct {
		PMEMoid first;
		PMEMmutex lock;
	} list;
};

_Static_assert(sizeof(struct part) % 64 == 0, "id 3 lies across two lines in both parts");

/**
 * struct hand - what a process keeps in private memory
 * @did: calls of its operation that have returned
 * @failed: errno of the one that failed
 */
struct hand {
	PMEMobjpool *pop;
	struct table *table;
	struct part *mine;
	struct pobj_action act[WORDS + 8];
	u32 acts;
	u32 did;
	int failed;
	PMEMoid out;		/* an id that is in no pool */
};

extern struct hand *hands[SCHED_PROCS];

/* ---- the model --------------------------------------------------------------------------- */

#define ANY	UINT64_MAX	/* contents that are not looked at */

/* An object as it must be; @stamp: its first word, 0: all zero. */
struct thing {
	u64 size;		/* 0: none */
	u64 type;
	u64 stamp;
};

/* A process' share of what the pool must hold; @list: elements of the list that it added. */
struct model {
	struct thing d[DESTS];
	u64 word[WORDS];
	int64_t loose;
	int64_t list;
};

/* What a call of an operation does; @call 0 is its first one. */
struct item {
	enum { END, OBJECT, WORD, LOOSE, LIST } kind;
	u32 call;
	u32 at;
	int cnt;
	struct thing thing;
	u64 value;
};

#define ITEMS	8U

/**
 * struct kind - a kind of operation
 * @other: what the process that has the other operation does before; @nobodys: the reaper does it,
 *	and nobody owns the slabs of it
 * @prologue: what this one does before
 * @late: after all that, when the pool is to be full
 * @run: the operation
 * @item: what its calls do
 * @pages: that it needs beside those that all have
 * @closed: the process does not have the pool open when it begins
 * @entry: one of the eight that stand for all
 * @full: a call of either process may find no room, and then does nothing
 */
struct kind {
	const char *name;
	void (*other)(u32 proc, u32 of);
	bool nobodys;
	void (*prologue)(u32 proc);
	void (*late)(u32 proc);
	void (*run)(u32 proc);
	struct item item[ITEMS];
	u32 pages;
	bool closed;
	bool entry;
	bool full;
};

extern const struct kind kinds[];
extern const u32 kind_cnt;
extern struct model before[2];
extern const struct kind *pair[2];
extern u64 pair_done[2];		/* how often each came to its end, and did what it should */

/* ---- pool.c ------------------------------------------------------------------------------ */

/* A pool of @pages pages, and nobody has it open. */
void pool_make(u32 pages);

/* The process at hand opens it; closes it. */
void pool_open(u32 proc);
void pool_close(u32 proc);

/* In all handles: where the areas of the sidecar are. */
extern struct pobj_side pool_side;

/* Bytes of the records of the lanes there are. */
u64 pool_lane_bytes(void);

/* What stands there, in words. */
const char *pool_name(u64 off);

/* Is no session of the dead left? */
bool pool_reaped(void);

/* ---- ops.c ------------------------------------------------------------------------------- */

/* The state to begin with, for two kinds; and the case of it. */
void pair_make(const struct kind *a, const struct kind *b);
void pair_run(u32 proc);
void pair_reap(u32 proc);

/* Null all ids of the table that are of freed objects, as the process at hand. */
void table_clear(u32 proc);

/* ---- judge.c ----------------------------------------------------------------------------- */

/* The share of process @p after @calls of its operation. */
void model_of(u32 p, u64 calls, struct model *m);

const char *judge(void);
void judge_close(u32 proc);
u64 judge_tag(void);

/* ---- args.c ------------------------------------------------------------------------------ */

/* The kind that an argument names; without it the program ends. */
const struct kind *kind_named(const char *name);

/* Value of an environment variable, above 0. */
u32 number_of(const char *variable, u32 otherwise);

double seconds_now(clockid_t clock);

#endif
