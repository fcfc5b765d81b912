/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * objbench.h - what an operation is, and what a thread has to do it with.
 */
#ifndef SELFTESTS_OBJBENCH_H
#define SELFTESTS_OBJBENCH_H

#include <libpmemobj.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 2000	/* objects that an operation works on in a row, if they are small */
#define BATCH_LARGE 50
#define WORDS 4096

TOID_DECLARE(struct node, 7);
struct node {
	POBJ_LIST_ENTRY(struct node)
	entry;
	char data[32];
};

POBJ_LIST_HEAD(node_head, struct node);

/**
 * struct arena - what a thread has in the pool
 * @slot: destinations
 * @head: a list
 * @words, @buf: to be persisted
 */
struct arena {
	PMEMoid slot[BATCH];
	struct node_head head;
	char pad[64];
	uint64_t words[WORDS];
	char buf[8192];
};

/**
 * struct bench - one thread
 * @arena: its own
 * @seed: of rand_r()
 * @act: for publishing many at once
 * @neighbour: another thread that does what pre() of free_foreign asks for, and lives on: what it
 *	allocates stays in its lane
 */
struct bench {
	PMEMobjpool *pop;
	struct arena *arena;
	unsigned int seed;
	struct pobj_action act[BATCH];
	struct {
		pthread_t thread;
		int is_there;
		const struct op *op;
		sem_t ask, done;
	} neighbour;
};

/**
 * struct op - one operation
 * @name: the number in it is a size
 * @size: bytes of an object or range
 * @n: how many times run() does it
 * @pre, @post: not timed, before and after; may be NULL
 */
struct op {
	const char *name;
	size_t size;
	int n;
	void (*pre)(struct bench *b, const struct op *op);
	void (*run)(struct bench *b, const struct op *op);
	void (*post)(struct bench *b, const struct op *op);
};

/* Ends with one that has no name. */
extern const struct op ops[];

/* A failure here is one of the library: say which call, and end. */
#define CHECK(x)								\
	do {									\
		if (!(x)) {							\
			fprintf(stderr, "objbench: %s: %s\n", #x, pmemobj_errormsg()); \
			exit(1);						\
		}								\
	} while (0)

#endif
