// SPDX-License-Identifier: BSD-3-Clause
/*
 * churn.c - does a pool stay fast when it is full and has seen much?
 *
 * The pool in question is filled until there is no room, emptied at random to 90 % of that, and
 * kept there by OPS allocations and frees at random. The fresh pool, of twice the size, gets as
 * many bytes of the same sizes: as much for the CPU's caches to hold, with neither pressure nor
 * past. Then both are timed in turn, PAIRS times WINDOW operations; the median of the ratios
 * counts. Sizes are 16 to 4096 bytes, each power of two as often as the next. Destinations are in
 * the pool.
 */
#include "selftests/bench/poolbench/poolbench.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PAIRS 9
#define WINDOW 40000
#define MEAN 512 /* bytes of an object, not more than the real mean: sizes the tables */

/**
 * struct heap - one pool and what is in it
 * @slots: destinations, in the pool
 * @order: their numbers; the first @live ones are occupied
 * @sizes: of the object in each slot
 * @bytes: that are allocated
 * @target: bytes around which the level is kept
 * @refused: allocations that found no room
 */
struct heap {
	PMEMobjpool *pop;
	PMEMoid *slots;
	unsigned int *order;
	unsigned short *sizes;
	unsigned int n_slots, live;
	size_t bytes, target;
	unsigned long refused;
	uint64_t random;
};

/* xorshift64*: cheap, and the same everywhere. */
static uint32_t next_random(struct heap *h)
{
	h->random ^= h->random >> 12;
	h->random ^= h->random << 25;
	h->random ^= h->random >> 27;
	return h->random * 0x2545f4914f6cdd1dULL >> 32;
}

static size_t random_size(struct heap *h)
{
	uint32_t r = next_random(h);
	size_t base = 16UL << (r & 7);

	return base + (r >> 8) % base;
}

/* False: no room, or no slot. */
static int put(struct heap *h)
{
	size_t size = random_size(h);
	unsigned int slot;

	if (h->live == h->n_slots)
		return 0;
	slot = h->order[h->live];
	if (pmemobj_alloc(h->pop, &h->slots[slot], size, 1, NULL, NULL)) {
		CHECK(errno == ENOMEM);
		h->refused++;
		return 0;
	}
	h->sizes[slot] = size;
	h->bytes += size;
	h->live++;
	return 1;
}

static void take(struct heap *h)
{
	unsigned int i = next_random(h) % h->live, slot = h->order[i];

	pmemobj_free(&h->slots[slot]);
	h->bytes -= h->sizes[slot];
	h->order[i] = h->order[--h->live];
	h->order[h->live] = slot;
}

static void churn(struct heap *h, unsigned long ops)
{
	for (unsigned long i = 0; i < ops; i++) {
		if (h->bytes >= h->target || !put(h))
			take(h);
	}
}

static void make(struct heap *h, const char *path, size_t mib, uint64_t seed)
{
	PMEMoid table;

	memset(h, 0, sizeof(*h));
	h->random = seed;
	h->n_slots = (mib << 20) / MEAN;
	h->order = malloc(h->n_slots * sizeof(*h->order));
	h->sizes = malloc(h->n_slots * sizeof(*h->sizes));
	unlink(path);
	h->pop = pmemobj_create(path, LAYOUT, mib << 20, 0600);
	CHECK(h->order && h->sizes && h->pop);
	CHECK(!pmemobj_zalloc(h->pop, &table, h->n_slots * sizeof(PMEMoid), 2));
	h->slots = pmemobj_direct(table);
	for (unsigned int i = 0; i < h->n_slots; i++)
		h->order[i] = i;
}

static void end(struct heap *h, const char *path)
{
	pmemobj_close(h->pop);
	unlink(path);
	free(h->order);
	free(h->sizes);
}

static double ops_per_s(struct heap *h)
{
	double t = now_us();

	churn(h, WINDOW);
	return WINDOW / (now_us() - t) * 1e6;
}

int do_churn(int argc, char **argv)
{
	size_t mib = strtoul(argv[1], NULL, 0);
	unsigned long ops = strtoul(argv[2], NULL, 0);
	struct heap aged, fresh;
	char fresh_path[4096];

	make(&aged, argv[0], mib, 1);
	while (put(&aged))
		;
	printf("full_bytes %zu\n", aged.bytes);
	aged.target = aged.bytes / 10 * 9;
	while (aged.bytes > aged.target)
		take(&aged);
	aged.refused = 0;
	churn(&aged, ops);

	snprintf(fresh_path, sizeof(fresh_path), "%s.fresh", argv[0]);
	make(&fresh, fresh_path, 2 * mib, 2);
	fresh.target = aged.target;
	while (fresh.bytes < fresh.target)
		CHECK(put(&fresh));

	for (int i = 0; i < PAIRS; i++) {
		double f = ops_per_s(&fresh), a = ops_per_s(&aged);

		printf("pair %.0f %.0f\n", a, f);
	}
	printf("refused %lu\n", aged.refused);
	end(&fresh, fresh_path);
	end(&aged, argv[0]);
	return 0;
}
