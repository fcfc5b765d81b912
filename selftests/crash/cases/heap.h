/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The heap under exploration. heap_pool.c makes pools in memory in which the library runs as in a
 * program; heap_model.c says what they should hold and judges by the medium alone; heap_ops.h lists
 * the operations and where they are; heap_start.c has the states to begin with; heap.c puts them
 * into sequences.
 */
#ifndef POBJ_CRASH_CASES_HEAP_H
#define POBJ_CRASH_CASES_HEAP_H

#include "lib/heap.h"
#include "libpmemobj.h"
#include "selftests/crash/cases/cases.h"

/* ---- the pool (heap_pool.c) -------------------------------------------------------------- */

#define HEAP_THREADS	POWER_THREADS
#define HEAP_GARBAGE	0xa5	/* what pages hold that nobody wrote */

/**
 * struct heap_shape - a geometry, and sizes of objects that meet its borders
 * @bytes: of the pool
 * @ext: extension lines of a lane
 * @page_shift: log2 of the page size
 * @small, @other: bytes of the commonest objects, of different classes
 * @large, @larger: of large objects, with different numbers of pages
 * @hollow: of an object that has a slab of many pages for itself
 */
struct heap_shape {
	u64 bytes;
	u32 ext;
	u32 page_shift;
	u32 small;
	u32 other;
	u32 large;
	u32 larger;
	u32 hollow;
};

extern struct pobj_pool *heap_pool;	/* the one that is watched */
extern const struct heap_shape *heap_shape;	/* its geometry */

/* A fresh pool, open, with a lane for each thread. */
void heap_make(const struct heap_shape *shape);

/* End its session and begin another: nothing private and nothing shared but the medium stays. */
void heap_reopen(void);

/* Which thread runs the next operation? */
void heap_thread(u32 thread);

/* Another thread of the survivor allocates and frees after one has reaped. */
extern bool heap_survivor_works;

/* power_case.reap: the session is dead, another one of the same sidecar reaps it. */
int heap_reap(const struct pobj_media *m);

/*
 * Open a copy of the recovered image @m, whose objects are at @off: hand out until it is full, free
 * all, and see that the pool is then empty. NULL, or what is wrong.
 */
const char *heap_use(const struct pobj_media *m, const u64 *off, u32 cnt);

static inline PMEMobjpool *heap_pop(void)
{
	return pobj_pool_pop(heap_pool);
}

/* ---- the model (heap_model.c) ------------------------------------------------------------ */

#define HEAP_DESTS	4U	/* ids in the root */
#define HEAP_WORDS	30U	/* words in the root */
#define HEAP_OBJECTS	320U
#define HEAP_ROOT	768U
#define HEAP_LISTS	2U	/* heads in the root */
#define HEAP_ENTRY	32U	/* place of the list entry within an object */
#define HEAP_LIST_MAX	16U
#define HEAP_SPARE	192U	/* behind the first head: room for a lock */
#define HEAP_VOLATILE	(640U - 256U)	/* behind the first head: room for a volatile value */
#define HEAP_INNER	16U	/* place of the id within an object */
#define HEAP_NONE	(~0U)
#define HEAP_SURVIVOR	144U	/* place in the root of the ids of what a survivor allocates */
#define HEAP_SURVIVORS	2U
#define HEAP_NEW	(1ULL << 60)	/* + number: offset of an object that is not known yet */

struct heap_id {
	u64 uuid;
	u64 off;
};

/**
 * struct heap_object - an object of the model
 * @off: its offset; HEAP_NEW + its number while an operation makes it
 * @stamp: its first word; and the one at @tail, if that is not 0
 * @size: as asked for
 * @type: type number
 * @has_inner: the id @inner is at HEAP_INNER
 */
struct heap_object {
	u64 off;
	u64 stamp;
	u64 tail;
	u64 size;
	u64 type;
	struct heap_id inner;
	u32 live;
	u32 has_inner;		/* no holes: the model has a digest */
};

struct heap_model {
	struct heap_object obj[HEAP_OBJECTS];
	u64 cnt;
	struct heap_id dest[HEAP_DESTS];
	u64 word[HEAP_WORDS];
	u64 root_size;
	u32 list[HEAP_LISTS][HEAP_LIST_MAX];	/* objects, in their order */
	u32 list_cnt[HEAP_LISTS];
};

extern struct heap_model heap_before, heap_after;

/**
 * struct heap_slack - what else power lost inside the operation may leave; nothing after it
 * @words: a bit for each word that may be old or new by itself
 * @dest: a destination that the caller stored to without persisting it; HEAP_NONE: none
 * @before: what else it may hold while the object is there, @before_cnt of them
 * @after: and when the object is free
 */
struct heap_slack {
	u64 words;
	u64 dest;
	u64 before_cnt;
	u64 after_cnt;
	struct heap_id before[3];
	struct heap_id after[2];
};

extern struct heap_slack heap_slack;

/* A model of an empty pool with a root; makes the root. */
void heap_model_begin(void);

/* A new object in heap_after; returns its number. */
u32 heap_model_add(u64 size, u64 type, u64 stamp);

/* The operation has returned: learn where it put what it made. */
void heap_model_learn(void);

/* Is the object in a list? */
bool heap_model_listed(u32 x);

/*
 * Number of the live object at @off; HEAP_NONE if there is none, or it is in a list: who has an id
 * of what was there before must not free it.
 */
u32 heap_model_at(u64 off);

/* The object that destination @d names, HEAP_NONE if none. */
u32 heap_model_named(u32 d);

/* Pages from the first on that are in use, or would be if there were no holes. */
u64 heap_first_free_page(void);

/* Where destination @d, word @w and the head of list @l are now. */
PMEMoid *heap_dest(u32 d);
u64 *heap_word(u32 w);
void *heap_list(u32 l);

/* power_case.state */
enum power_state heap_state(const struct pobj_media *m, int err, const char **why);

/* power_case.model */
void heap_digest(struct power_digest *d);

/* ---- operations (heap_ops.h) ------------------------------------------------------------- */

/* The program begins: it knows nothing of another pool (heap_object.c). */
void heap_ops_begin(void);

/* What follows is the caller's own affair half-way (@on), or the library's again. */
void heap_callers(bool on);

typedef void (*heap_run)(void);

/**
 * struct heap_op - an operation on the watched pool
 * @run: change heap_after, and the pool
 * @entry: one of those that use different entries of the log, or borders
 * @wide: it changes so many lines that power is not lost twice in its recovery
 */
struct heap_op {
	const char *name;
	void (*run)(void);
	bool entry;
	bool wide;
};

extern const struct heap_op heap_ops[];
extern const u32 heap_op_cnt;

/* Which runs begin with a state: those of `make check`, too; without those that are slow. */
enum heap_use_of { HEAP_CHECKED, HEAP_PROVED, HEAP_SLOW };

/* Pool states to begin with; each needs heap_model_begin() before. */
struct heap_start {
	const char *name;
	const struct heap_shape *shape;
	void (*run)(void);
	enum heap_use_of use;
};

extern const struct heap_start heap_starts[];
extern const u32 heap_start_cnt;

/* ---- sequences (heap.c) ------------------------------------------------------------------ */

/* What to do to the last operation of each sequence. */
struct heap_depth {
	bool kill;
	int nested;
	bool survivors;
};

/* Explore the last of @length operations @seq (indices of heap_ops) on the state @start. */
void heap_explore(const struct heap_start *start, const u32 *seq, u32 length,
		  const struct heap_depth *how);

/* The same of operations that are in no list; the first one of NULL ends them. The violations. */
u64 heap_explore_runs(const struct heap_start *start, const heap_run *runs, u32 most,
		      const struct heap_depth *how);

/* One of the fixed seeds: @cnt random operations, each explored. */
void heap_random(u32 seed, u32 cnt);

/* Others: every other operation is @op; with kills. The rest is not explored. */
void heap_random_of(u32 op, u32 seed, u32 cnt);

/* Counts by kind: the last operation's. */
struct heap_tally {
	u64 sequences;
	u64 moments;	/* in recoveries, too, and kills */
	u64 recoveries;
	u64 violations;
};

extern struct heap_tally *heap_tally;	/* by operation; NULL: nobody counts */

#endif
