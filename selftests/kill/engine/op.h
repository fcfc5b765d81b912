/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An operation to die in: what the pool is to hold before and after it, who does it, and what test
 * and children share of it.
 */
#ifndef SELFTESTS_KILL_OP_H
#define SELFTESTS_KILL_OP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit.h"
#include "libpmemobj.h"
#include "selftests/kill/engine/points.h"

#define DESTS	16
#define WORDS	128
#define TYPE	7
#define LARGE	20000			/* bytes of a large object */

/* Id 3 lies across two lines. */
struct root {
	uint64_t head;
	PMEMoid d[DESTS];
	uint64_t word[WORDS];
	struct {
		PMEMoid first;
		PMEMmutex lock;
	} list;
};

#define ELEMENT		128		/* bytes of an element of the list */
#define ENTRY		16		/* where its entry is: next, prev */

/* ---- what must be there ------------------------------------------------------------------- */

#define ANY	UINT64_MAX		/* contents that are not looked at */

/* An object as it must be. @stamp: its first word; 0: all zero. */
struct thing {
	uint64_t size;			/* 0: none */
	uint64_t type;
	uint64_t stamp;
};

/* The pool as it must be. @loose: objects that nothing names; @list: elements of the list. */
struct model {
	struct thing d[DESTS];
	uint64_t word[WORDS];
	uint64_t loose;
	uint64_t list;
};

/* What an operation does: @group 0 is the first of its calls. */
struct item {
	enum { END, OBJECT, WORD, LOOSE, LIST } kind;
	unsigned int group;
	unsigned int at;
	unsigned int cnt;
	struct thing thing;
	uint64_t value;
};

#define STAMP(size, type)	((uint64_t)(type) << 32 | (size))
#define MAKES(group, d, size, type) \
	{ OBJECT, group, d, 1, { size, type, STAMP(size, type) }, 0 }
#define HOLDS(group, d, size, type, stamp) \
	{ OBJECT, group, d, 1, { size, type, stamp }, 0 }
#define FREES(group, d)			{ OBJECT, group, d, 1, { 0, 0, 0 }, 0 }
#define SETS(group, word, cnt, value)	{ WORD, group, word, cnt, { 0, 0, 0 }, value }
#define LEAVES(group, cnt)		{ LOOSE, group, 0, cnt, { 0, 0, 0 }, 0 }
#define LISTS(group, cnt)		{ LIST, group, 0, cnt, { 0, 0, 0 }, 0 }

/* Shared by test and children. */
static struct stage {
	struct model before;		/* when the operation begins */
	char text[AUDIT_TEXT];		/* what went wrong in a child */
	uint64_t points;
	int victim;			/* 1: who is to be reaped was killed; 0: it ended */
	struct points_death death;
	struct points_death victim_death;
} *stage;

/* Who has the pool open: the survivor in the test, or the child that is to die. */
struct hand {
	PMEMobjpool *pop;
	struct root *root;
	struct pobj_action act[WORDS];
	unsigned int acts;
	pthread_t thread;
	pthread_barrier_t barrier;
};

static struct hand me;

#define OPS_ITEMS	8

/**
 * struct op - an operation to die in
 * @setup: by the survivor, before
 * @prologue: by the child, before
 * @run: by the child, armed
 * @item: what it does
 * @alone: nobody else has the pool open
 * @reaps: it reaps another who died in what @item tells
 * @scans: it looks through all slots, lanes or groups, or calls much of libc: thousands of
 *	instructions without a store that others see
 */
struct op {
	void (*setup)(struct hand *h);
	void (*prologue)(struct hand *h);
	void (*run)(struct hand *h);
	struct item item[OPS_ITEMS];
	bool alone;
	bool reaps;
	bool scans;
};

static const char *pool_path;

#endif
