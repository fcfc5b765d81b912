// SPDX-License-Identifier: BSD-3-Clause
/*
 * ops.c - the operations, each in a loop of op->n.
 */
#include "selftests/bench/objbench/objbench.h"

#include <string.h>

#define for_n(i, op) for (int i = 0; (i) < (op)->n; (i)++)

/* ---- allocate, free ---------------------------------------------------------------------- */

static void run_alloc(struct bench *b, const struct op *op)
{
	for_n(i, op)
		CHECK(!pmemobj_alloc(b->pop, &b->arena->slot[i], op->size, 1, NULL, NULL));
}

static int fill(PMEMobjpool *pop, void *ptr, void *arg)
{
	const struct op *op = arg;

	memset(ptr, 0x5a, op->size);
	pmemobj_persist(pop, ptr, op->size);
	return 0;
}

static void run_alloc_constr(struct bench *b, const struct op *op)
{
	for_n(i, op)
		CHECK(!pmemobj_alloc(b->pop, &b->arena->slot[i], op->size, 1, fill, (void *)op));
}

static void run_zalloc(struct bench *b, const struct op *op)
{
	for_n(i, op)
		CHECK(!pmemobj_zalloc(b->pop, &b->arena->slot[i], op->size, 1));
}

static void run_free(struct bench *b, const struct op *op)
{
	for_n(i, op)
		pmemobj_free(&b->arena->slot[i]);
}

static void run_pair(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		CHECK(!pmemobj_alloc(b->pop, &b->arena->slot[i], op->size, 1, NULL, NULL));
		pmemobj_free(&b->arena->slot[i]);
	}
}

static void run_replace(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		PMEMoid *slot = &b->arena->slot[rand_r(&b->seed) % op->n];

		pmemobj_free(slot);
		CHECK(!pmemobj_alloc(b->pop, slot, op->size, 1, NULL, NULL));
	}
}

static void run_realloc(struct bench *b, const struct op *op)
{
	for_n(i, op)
		CHECK(!pmemobj_realloc(b->pop, &b->arena->slot[i], op->size * 2, 1));
}

static void *neighbour(void *arg)
{
	struct bench *b = arg;

	for (;;) {
		sem_wait(&b->neighbour.ask);
		run_alloc(b, b->neighbour.op);
		sem_post(&b->neighbour.done);
	}
	return NULL;
}

/* Let another thread that stays alive allocate, so that the free is one of a foreign object. */
static void pre_alloc_foreign(struct bench *b, const struct op *op)
{
	if (!b->neighbour.is_there) {
		sem_init(&b->neighbour.ask, 0, 0);
		sem_init(&b->neighbour.done, 0, 0);
		CHECK(!pthread_create(&b->neighbour.thread, NULL, neighbour, b));
		b->neighbour.is_there = 1;
	}
	b->neighbour.op = op;
	sem_post(&b->neighbour.ask);
	sem_wait(&b->neighbour.done);
}

/* ---- transactions ------------------------------------------------------------------------ */

#ifndef OBJBENCH_NO_TX
/* The id is stored outside of the transaction. */
static void run_tx_alloc(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		PMEMoid oid = OID_NULL;

		TX_BEGIN(b->pop) {
			oid = pmemobj_tx_alloc(op->size, 1);
		} TX_END
		b->arena->slot[i] = oid;
	}
}

static void run_tx_alloc_link(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		TX_BEGIN(b->pop) {
			pmemobj_tx_add_range_direct(&b->arena->slot[i], sizeof(PMEMoid));
			b->arena->slot[i] = pmemobj_tx_alloc(op->size, 1);
		} TX_END
	}
}

static void run_tx_free(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		TX_BEGIN(b->pop) {
			pmemobj_tx_free(b->arena->slot[i]);
		} TX_END
	}
}

static void run_tx_add(struct bench *b, const struct op *op)
{
	size_t step = op->size < 64 ? 8 : op->size / 8;

	for_n(i, op) {
		uint64_t *range = &b->arena->words[i * step % (WORDS - 256)];

		TX_BEGIN(b->pop) {
			pmemobj_tx_add_range_direct(range, op->size);
			memset(range, i, op->size);
		} TX_END
	}
}

/* Ten ranges in one transaction. */
static void run_tx_add_10(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		TX_BEGIN(b->pop) {
			for (int j = 0; j < 10; j++) {
				uint64_t *range = &b->arena->words[(i * 80 + j * 8) % 4000];

				pmemobj_tx_add_range_direct(range, op->size);
				*range = i;
			}
		} TX_END
	}
}

static void run_tx_empty(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		TX_BEGIN(b->pop) {
		} TX_END
	}
}
#endif

/* ---- reserve, publish -------------------------------------------------------------------- */

static void run_publish_link(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		struct pobj_action act[3];
		PMEMoid oid = pmemobj_reserve(b->pop, &act[0], op->size, 1);

		CHECK(!OID_IS_NULL(oid));
		pmemobj_set_value(b->pop, &act[1], &b->arena->slot[i].pool_uuid_lo,
				  oid.pool_uuid_lo);
		pmemobj_set_value(b->pop, &act[2], &b->arena->slot[i].off, oid.off);
		CHECK(!pmemobj_publish(b->pop, act, 3));
	}
}

static void run_publish(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		struct pobj_action act;
		PMEMoid oid = pmemobj_reserve(b->pop, &act, op->size, 1);

		CHECK(!OID_IS_NULL(oid));
		CHECK(!pmemobj_publish(b->pop, &act, 1));
		b->arena->slot[i] = oid;
	}
}

/* Ten objects at once; each of them is an operation. */
static void run_publish_10(struct bench *b, const struct op *op)
{
	for (int i = 0; i + 10 <= op->n; i += 10) {
		for (int j = 0; j < 10; j++) {
			b->arena->slot[i + j] = pmemobj_reserve(b->pop, &b->act[j], op->size, 1);
			CHECK(!OID_IS_NULL(b->arena->slot[i + j]));
		}
		CHECK(!pmemobj_publish(b->pop, b->act, 10));
	}
}

static void run_cancel(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		struct pobj_action act;

		CHECK(!OID_IS_NULL(pmemobj_reserve(b->pop, &act, op->size, 1)));
		pmemobj_cancel(b->pop, &act, 1);
	}
}

/* ---- lists, iteration -------------------------------------------------------------------- */

static void run_list_insert(struct bench *b, const struct op *op)
{
	for_n(i, op)
		CHECK(!OID_IS_NULL(POBJ_LIST_INSERT_NEW_HEAD(b->pop, &b->arena->head, entry,
							     sizeof(struct node), NULL, NULL)));
}

static void run_list_remove(struct bench *b, const struct op *op)
{
	for_n(i, op)
		CHECK(!POBJ_LIST_REMOVE_FREE(b->pop, &b->arena->head,
					     POBJ_LIST_FIRST(&b->arena->head), entry));
}

static void run_iterate(struct bench *b, const struct op *op)
{
	PMEMoid oid = OID_NULL;

	for_n(i, op) {
		oid = OID_IS_NULL(oid) ? pmemobj_first(b->pop) : pmemobj_next(oid);
		CHECK(i || !OID_IS_NULL(oid));
	}
	b->seed += oid.off;
}

/* ---- without the heap -------------------------------------------------------------------- */

static void run_persist(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		uint64_t *word = &b->arena->words[i * 8 % WORDS];

		*word = i;
		pmemobj_persist(b->pop, word, op->size);
	}
}

static void run_memcpy(struct bench *b, const struct op *op)
{
	static char src[sizeof(b->arena->buf)];

	for_n(i, op)
		pmemobj_memcpy_persist(b->pop, b->arena->buf, src, op->size);
}

static void run_direct(struct bench *b, const struct op *op)
{
	uintptr_t sum = 0;

	for_n(i, op)
		sum += (uintptr_t)pmemobj_direct(b->arena->slot[i]);
	b->seed += sum & 1;
}

static void run_mutex(struct bench *b, const struct op *op)
{
	for_n(i, op) {
		pmemobj_mutex_lock(b->pop, &b->arena->head.lock);
		pmemobj_mutex_unlock(b->pop, &b->arena->head.lock);
	}
}

/* No library at all: shows whether the machine itself scales at the moment. */
static void run_alu(struct bench *b, const struct op *op)
{
	uint64_t x = b->seed;

	for_n(i, op) {
		for (int j = 0; j < 100; j++)
			x = x * 6364136223846793005ULL + 1442695040888963407ULL;
	}
	b->seed += x >> 33;
}

const struct op ops[] = {
	{ "alloc64", 64, BATCH, NULL, run_alloc, run_free },
	{ "alloc256", 256, BATCH, NULL, run_alloc, run_free },
	{ "alloc1024", 1024, BATCH, NULL, run_alloc, run_free },
	{ "alloc_ctor64", 64, BATCH, NULL, run_alloc_constr, run_free },
	{ "zalloc64", 64, BATCH, NULL, run_zalloc, run_free },
	{ "zalloc256", 256, BATCH, NULL, run_zalloc, run_free },
	{ "zalloc1024", 1024, BATCH, NULL, run_zalloc, run_free },
	{ "free64", 64, BATCH, run_alloc, run_free, NULL },
	{ "free256", 256, BATCH, run_alloc, run_free, NULL },
	{ "free_foreign64", 64, BATCH, pre_alloc_foreign, run_free, NULL },
	{ "allocfree64", 64, BATCH, NULL, run_pair, NULL },
	{ "allocfree256", 256, BATCH, NULL, run_pair, NULL },
	{ "random_replace64", 64, BATCH, run_alloc, run_replace, run_free },
	{ "random_replace256", 256, BATCH, run_alloc, run_replace, run_free },
	{ "realloc64to128", 64, BATCH, run_alloc, run_realloc, run_free },
	{ "alloc512K", 512 << 10, BATCH_LARGE, NULL, run_alloc, run_free },
	{ "free512K", 512 << 10, BATCH_LARGE, run_alloc, run_free, NULL },
#ifndef OBJBENCH_NO_TX
	{ "tx_empty", 0, BATCH, NULL, run_tx_empty, NULL },
	{ "tx_alloc64", 64, BATCH, NULL, run_tx_alloc, run_free },
	{ "tx_alloc256", 256, BATCH, NULL, run_tx_alloc, run_free },
	{ "tx_alloc_link64", 64, BATCH, NULL, run_tx_alloc_link, run_free },
	{ "tx_alloc_link256", 256, BATCH, NULL, run_tx_alloc_link, run_free },
	{ "tx_free64", 64, BATCH, run_alloc, run_tx_free, NULL },
	{ "tx_add8", 8, BATCH, NULL, run_tx_add, NULL },
	{ "tx_add64", 64, BATCH, NULL, run_tx_add, NULL },
	{ "tx_add1024", 1024, BATCH, NULL, run_tx_add, NULL },
	{ "tx_add8x10", 8, BATCH, NULL, run_tx_add_10, NULL },
#endif
	{ "reserve_publish64", 64, BATCH, NULL, run_publish, run_free },
	{ "reserve_publish_link64", 64, BATCH, NULL, run_publish_link, run_free },
	{ "reserve_publish_link256", 256, BATCH, NULL, run_publish_link, run_free },
	{ "reserve10_publish64", 64, BATCH, NULL, run_publish_10, run_free },
	{ "reserve_cancel64", 64, BATCH, NULL, run_cancel, NULL },
	{ "list_insert_new64", 64, BATCH, NULL, run_list_insert, run_list_remove },
	{ "list_remove_free64", 64, BATCH, run_list_insert, run_list_remove, NULL },
	{ "first_next_iter", 64, BATCH, run_alloc, run_iterate, run_free },
	{ "persist8", 8, BATCH, NULL, run_persist, NULL },
	{ "memcpy_persist64", 64, BATCH, NULL, run_memcpy, NULL },
	{ "memcpy_persist4096", 4096, BATCH, NULL, run_memcpy, NULL },
	{ "direct", 64, BATCH, run_alloc, run_direct, run_free },
	{ "mutex_lock_unlock", 0, BATCH, NULL, run_mutex, NULL },
	{ "alu", 0, BATCH, NULL, run_alu, NULL },
	{ 0 }
};
