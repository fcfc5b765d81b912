// SPDX-License-Identifier: BSD-3-Clause
/*
 * usage: churn -c POOL          make a pool
 *        churn [-b] [-s] POOL   work on it until killed; -s: say once that work has begun
 *        churn -j POOL          recover it, compare it with what it must hold, print that
 *
 * Work for power cuts: threads allocate, free, resize and publish objects in slots of the root.
 * What operation number N of a thread does follows from N and what was in the thread's slots
 * before, so a judge who knows how many are done can tell what every slot must hold, to the byte.
 * The one that was under way is done or not done. A thread stores two numbers: which operation has
 * begun, and, after the call returned, that it is done.
 *
 * -b: publishes objects some time before their contents are there, which the judge must see.
 *
 * Exit status: 0 good; 1 the pool is not what it must be; 2 something else failed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpmemobj.h>
#include <pobj.h>

#define LAYOUT		"churn"
#define THREADS		3
#define SLOTS		48	/* of a thread */
#define TYPES		3

/* What a slot holds: @words 0: nothing. */
struct want {
	uint64_t words;
	uint64_t stamp;
	uint64_t type;
};

/**
 * struct part - of one thread
 * @begun, @done: numbers of operations, in a line of their own
 * @kept: what the slots held after operation @kept_n: as far back as a judge needs to go
 */
struct part {
	uint64_t begun;
	uint64_t done;
	uint64_t kept_n;
	uint64_t rest[5];
	PMEMoid slot[SLOTS];
	struct want kept[SLOTS];
};

struct root {
	struct part part[THREADS];
};

static bool broken;

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "churn: %s: %s\n", what, why);
	return 2;
}

/* ---- what operation number n does --------------------------------------------------------- */

enum what { SET, RESIZE, SET_TWO };

/**
 * struct op - one operation
 * @what: SET: a slot that holds something is emptied, an empty one filled; RESIZE; SET_TWO: at once
 * @at: slots
 * @to: what they hold afterwards
 */
struct op {
	enum what what;
	uint32_t at[2];
	struct want to[2];
};

static uint64_t mix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static struct want new_object(uint64_t *seed, uint64_t stamp)
{
	const uint64_t r = mix(seed);

	return (struct want){
		.words = 2 + mix(seed) % (r % 64 == 0 ? 4000 : r % 4 ? 40 : 300),
		.stamp = stamp,
		.type = r / 64 % TYPES,
	};
}

static void op_of(uint32_t thread, uint64_t n, const struct want *now, struct op *op)
{
	uint64_t seed = n * THREADS + thread, r = mix(&seed);

	memset(op, 0, sizeof(*op));
	op->at[0] = (uint32_t)(r % SLOTS);
	op->at[1] = (uint32_t)((op->at[0] + 1 + mix(&seed) % (SLOTS - 1)) % SLOTS);
	r = mix(&seed);
	if (r % 4 == 0) {
		op->what = SET_TWO;
		op->to[0] = new_object(&seed, n * 2);
		if (r % 12)
			op->to[1] = new_object(&seed, n * 2 + 1);
	} else if (!now[op->at[0]].words) {
		op->to[0] = new_object(&seed, n * 2);
	} else if (r % 4 == 1) {
		op->what = RESIZE;
		op->to[0] = new_object(&seed, 0);
		/* It keeps what it holds: it is not cut, so nothing need be said before. */
		if (op->to[0].words < now[op->at[0]].words)
			op->to[0].words = now[op->at[0]].words;
		op->to[0].stamp = now[op->at[0]].stamp;
	}
}

static void op_apply(const struct op *op, struct want *now)
{
	now[op->at[0]] = op->to[0];
	if (op->what == SET_TWO)
		now[op->at[1]] = op->to[1];
}

/* ---- working ------------------------------------------------------------------------------ */

/* The first word says how many are stamped: all but in an object that was made larger. */
static void fill(PMEMobjpool *pop, void *at, const struct want *w)
{
	uint64_t *word = at, i;

	word[0] = w->words;
	for (i = 1; i < w->words; i++)
		word[i] = w->stamp;
	pmemobj_persist(pop, at, w->words * 8);
}

static int construct(PMEMobjpool *pop, void *at, void *arg)
{
	if (!broken)
		fill(pop, at, arg);
	return 0;
}

static int set_two(PMEMobjpool *pop, struct part *p, const struct op *op)
{
	struct pobj_action act[8];
	size_t n = 0, i;
	PMEMoid o[2];
	int ret;

	for (i = 0; i < 2; i++) {
		PMEMoid *slot = &p->slot[op->at[i]];

		o[i] = OID_NULL;
		if (op->to[i].words) {
			o[i] = pmemobj_reserve(pop, &act[n++], op->to[i].words * 8,
					       op->to[i].type);
			if (OID_IS_NULL(o[i]))
				return -1;
			if (!broken)
				fill(pop, pmemobj_direct(o[i]), &op->to[i]);
		}
		if (!OID_IS_NULL(*slot))
			pmemobj_defer_free(pop, *slot, &act[n++]);
		pmemobj_set_value(pop, &act[n++], &slot->pool_uuid_lo, o[i].pool_uuid_lo);
		pmemobj_set_value(pop, &act[n++], &slot->off, o[i].off);
	}
	ret = pmemobj_publish(pop, act, n);
	for (i = 0; broken && !ret && i < 2; i++) {
		usleep(200);
		if (op->to[i].words)
			fill(pop, pmemobj_direct(o[i]), &op->to[i]);
	}
	return ret;
}

static int op_do(PMEMobjpool *pop, struct part *p, struct op *op)
{
	PMEMoid *slot = &p->slot[op->at[0]];
	int ret = 0;

	switch (op->what) {
	case SET_TWO:
		return set_two(pop, p, op);
	case RESIZE:
		return pmemobj_realloc(pop, slot, op->to[0].words * 8, op->to[0].type);
	default:
		if (!op->to[0].words) {
			pmemobj_free(slot);
			return OID_IS_NULL(*slot) ? 0 : -1;
		}
		ret = pmemobj_alloc(pop, slot, op->to[0].words * 8, op->to[0].type, construct,
				    &op->to[0]);
		if (broken && !ret) {
			usleep(200);
			fill(pop, pmemobj_direct(*slot), &op->to[0]);
		}
		return ret;
	}
}

static PMEMobjpool *pool;
static struct root *root;

static void say_number(uint64_t *at, uint64_t n)
{
	__atomic_store_n(at, n, __ATOMIC_RELEASE);
	pmemobj_persist(pool, at, sizeof(*at));
}

static void *work(void *arg)
{
	const uint32_t thread = (uint32_t)(uintptr_t)arg;
	struct part *p = &root->part[thread];
	struct want now[SLOTS];
	struct op op;
	uint64_t n;

	memcpy(now, p->kept, sizeof(now));
	for (n = p->kept_n + 1;; n++) {
		op_of(thread, n, now, &op);
		say_number(&p->begun, n);
		if (op_do(pool, p, &op)) {
			fail("operation", pmemobj_errormsg());
			_exit(2);
		}
		say_number(&p->done, n);
		op_apply(&op, now);
	}
	return NULL;
}

/* ---- judging ------------------------------------------------------------------------------ */

/* Does the slot hold what it must? Stamps end where the object was made larger. */
static bool holds(PMEMoid slot, const struct want *w)
{
	const uint64_t *word = pmemobj_direct(slot);
	uint64_t i;

	if (!w->words || !word)
		return !w->words && OID_IS_NULL(slot);
	if (pmemobj_alloc_usable_size(slot) < w->words * 8 ||
	    pmemobj_type_num(slot) != w->type || word[0] > w->words || word[0] < 2)
		return false;
	for (i = 1; i < word[0]; i++) {
		if (word[i] != w->stamp)
			return false;
	}
	return true;
}

/* 0: the part is as it must be; else the number of slots that are not. */
static uint32_t judge_part(uint32_t thread, uint64_t *live)
{
	struct part *p = &root->part[thread];
	struct want now[SLOTS];
	uint32_t bad = 0, i, pass;
	struct op op;
	uint64_t n;

	if (p->begun < p->done || p->begun > p->done + 1)
		return SLOTS;
	memcpy(now, p->kept, sizeof(now));
	for (n = p->kept_n + 1; n <= p->done; n++) {
		op_of(thread, n, now, &op);
		op_apply(&op, now);
	}
	/* Not done; and if one was under way, done, then for good. */
	for (pass = 0; pass < 2; pass++) {
		for (bad = i = 0; i < SLOTS; i++)
			bad += !holds(p->slot[i], &now[i]);
		if (!bad || p->begun == p->done || pass)
			break;
		op_of(thread, n, now, &op);
		op_apply(&op, now);
	}
	if (!bad) {
		if (p->begun > p->done)
			say_number(pass ? &p->done : &p->begun, pass ? n : p->done);
		pmemobj_memcpy_persist(pool, p->kept, now, sizeof(now));
		say_number(&p->kept_n, p->done);
	}
	for (i = 0; i < SLOTS; i++)
		*live += !!now[i].words;
	return bad;
}

static int judge(const char *path)
{
	uint64_t live = 0, found = 0, done = 0;
	struct pobj_pool_recovery r;
	struct pobj_pool_census c;
	uint32_t bad = 0, i;
	PMEMoid o;

	if (pobj_pool_recover(path, &r) || pobj_pool_check(path, NULL, NULL, &c))
		return fail(path, pobj_errormsg());
	pool = pmemobj_open(path, LAYOUT);
	if (!pool)
		return fail(path, pmemobj_errormsg());
	root = pmemobj_direct(pmemobj_root(pool, sizeof(*root)));
	if (!root)
		return fail("root", pmemobj_errormsg());
	for (i = 0; i < THREADS; i++) {
		bad += judge_part(i, &live);
		done += root->part[i].done;
	}
	POBJ_FOREACH(pool, o)
		found++;
	pmemobj_close(pool);
	printf("done %llu live %llu undone %llu redone %llu bad %u unnamed %lld problems %llu\n",
	       (unsigned long long)done, (unsigned long long)live, (unsigned long long)r.undone,
	       (unsigned long long)r.redone, bad, (long long)(found - live),
	       (unsigned long long)c.problems);
	return bad || found != live || c.problems || c.live_entries;
}

int main(int argc, char **argv)
{
	bool create = false, verdict = false, say = false;
	pthread_t t[THREADS];
	uintptr_t i;
	int opt;

	while ((opt = getopt(argc, argv, "bcjs")) != -1) {
		create |= opt == 'c';
		verdict |= opt == 'j';
		broken |= opt == 'b';
		say |= opt == 's';
		if (opt == '?')
			return 2;
	}
	if (optind != argc - 1)
		return fail("usage", "churn [-b] [-s] | -c | -j POOL");
	if (verdict)
		return judge(argv[optind]);
	pool = create ? pmemobj_create(argv[optind], LAYOUT, 0, 0600) :
			pmemobj_open(argv[optind], LAYOUT);
	root = pool ? pmemobj_direct(pmemobj_root(pool, sizeof(*root))) : NULL;
	if (!root)
		return fail(argv[optind], pmemobj_errormsg());
	if (create) {
		pmemobj_close(pool);
		return 0;
	}
	/* Whether the last one is done, the judge finds out; he keeps what the slots hold, too. */
	for (i = 0; i < THREADS; i++) {
		if (root->part[i].begun != root->part[i].kept_n)
			return fail(argv[optind], "judge it first");
	}
	for (i = 0; i < THREADS; i++) {
		if (pthread_create(&t[i], NULL, work, (void *)i))
			return fail("thread", strerror(errno));
	}
	if (say) {
		while (!root->part[0].done || !root->part[1].done || !root->part[2].done)
			usleep(1000);
		puts("work has begun");
		fflush(stdout);
	}
	pause();
	return 2;
}
