// SPDX-License-Identifier: BSD-3-Clause
/*
 * objbench - how fast the operations of the object API are, and what they consist of.
 *
 * usage: objbench [-f FILE] [-m MIB] [-t THREADS] [-s SECONDS] [-r RUNS] [-k] [OP...]
 *	  fencecount objbench -c [-n OPS] [-f FILE] [-m MIB] [-k] [OP...]
 *	-f	the pool: replaced at the start, removed at the end (/dev/shm/objbench.pool)
 *	-m	its size (512)		-k	keep it
 *	-t	threads (1)		-s -r	seconds of a run, and how many (0.5, 3)
 *	-c	one run of each operation between the marks of fencecount
 *	-n	operations in it (100), rounded down to tens
 *
 * Uses libpmemobj.h alone, so that the same source measures any library that has it. Prints for
 * each operation: name, threads, operations a second of all threads (median and best of the
 * runs), ns for one (of the median). Only the operations are timed, not what comes between batches:
 * with several threads some may be filling while others are timed.
 */
#include "selftests/bench/objbench/objbench.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "selftests/bench/fencecount.h"

#define MAX 64 /* threads, runs */

struct root {
	PMEMoid arena[MAX];
};

struct thread {
	struct bench bench;
	const struct op *op;
	pthread_t id;
	double ops, seconds;
};

static PMEMobjpool *pop;
static struct thread *threads[MAX];
static int n_threads = 1, n_runs = 3, n_counted = 100;
static double run_seconds = 0.5;
static pthread_barrier_t barrier;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Once. Returns the seconds that the operations themselves took. */
static double batch(struct bench *b, const struct op *op)
{
	double t;

	if (op->pre)
		op->pre(b, op);
	t = now();
	op->run(b, op);
	t = now() - t;
	if (op->post)
		op->post(b, op);
	return t;
}

static void *worker(void *arg)
{
	struct thread *t = arg;
	double end;

	t->ops = 0;
	t->seconds = 0;
	for (int warm = 0; warm < 2; warm++)
		batch(&t->bench, t->op);
	pthread_barrier_wait(&barrier);
	end = now() + run_seconds;
	do {
		t->seconds += batch(&t->bench, t->op);
		t->ops += t->op->n;
	} while (now() < end);
	return NULL;
}

/* Operations a second in one run of all threads. */
static double run_once(const struct op *op)
{
	double rate = 0;

	pthread_barrier_init(&barrier, NULL, n_threads);
	for (int i = 0; i < n_threads; i++) {
		threads[i]->op = op;
		CHECK(!pthread_create(&threads[i]->id, NULL, worker, threads[i]));
	}
	for (int i = 0; i < n_threads; i++) {
		pthread_join(threads[i]->id, NULL);
		rate += threads[i]->ops / threads[i]->seconds;
	}
	pthread_barrier_destroy(&barrier);
	return rate;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void time_op(const struct op *op)
{
	double rate[MAX], median;

	for (int i = 0; i < n_runs; i++)
		rate[i] = run_once(op);
	qsort(rate, n_runs, sizeof(*rate), compare);
	median = rate[n_runs / 2];
	printf("%-24s %2d %12.0f %12.0f %9.2f\n", op->name, n_threads, median, rate[n_runs - 1],
	       1e9 * n_threads / median);
	fflush(stdout);
}

static void count_op(const struct op *full)
{
	struct bench *b = &threads[0]->bench;
	struct op op = *full;

	for (int warm = 0; warm < 3; warm++)
		batch(b, &op);
	if (op.n > n_counted)
		op.n = n_counted;
	if (op.n >= 10)
		op.n -= op.n % 10; /* reserve10_publish works in tens */
	if (op.pre)
		op.pre(b, &op);
	FC_BEGIN(op.name, op.n);
	op.run(b, &op);
	FC_END();
	if (op.post)
		op.post(b, &op);
}

/* Its presence makes glibc use real atomics, as in any program with threads. */
static void *idle(void *arg)
{
	pause();
	return arg;
}

static int selected(const char *name, char **names)
{
	if (!*names)
		return 1;
	for (; *names; names++) {
		if (!strcmp(*names, name))
			return 1;
	}
	return 0;
}

static int known(const char *name)
{
	for (const struct op *op = ops; op->name; op++) {
		if (!strcmp(op->name, name))
			return 1;
	}
	return 0;
}

static void make_threads(void)
{
	struct root *root;

	CHECK(!OID_IS_NULL(pmemobj_root(pop, sizeof(*root))));
	root = pmemobj_direct(pmemobj_root(pop, sizeof(*root)));
	for (int i = 0; i < n_threads; i++) {
		CHECK(!pmemobj_zalloc(pop, &root->arena[i], sizeof(struct arena), 100));
		threads[i] = calloc(1, sizeof(*threads[i]));
		CHECK(threads[i]);
		threads[i]->bench.pop = pop;
		threads[i]->bench.seed = 1 + i;
		threads[i]->bench.arena = pmemobj_direct(root->arena[i]);
	}
}

int main(int argc, char **argv)
{
	const char *path = "/dev/shm/objbench.pool";
	int opt, counting = 0, keep = 0;
	size_t mib = 512;
	pthread_t thread;

	while ((opt = getopt(argc, argv, "f:m:t:s:r:n:ck")) != -1) {
		switch (opt) {
		case 'f':
			path = optarg;
			break;
		case 'm':
			mib = strtoul(optarg, NULL, 0);
			break;
		case 't':
			n_threads = atoi(optarg);
			break;
		case 's':
			run_seconds = atof(optarg);
			break;
		case 'r':
			n_runs = atoi(optarg);
			break;
		case 'n':
			n_counted = atoi(optarg);
			break;
		case 'c':
			counting = 1;
			break;
		case 'k':
			keep = 1;
			break;
		default:
			return 2;
		}
	}
	if (n_threads < 1 || n_threads > MAX || n_runs < 1 || n_runs > MAX || n_counted < 1) {
		fprintf(stderr, "objbench: threads and runs are 1 to %d\n", MAX);
		return 2;
	}
	for (int i = optind; i < argc; i++) {
		if (!known(argv[i])) {
			fprintf(stderr, "objbench: there is no operation %s\n", argv[i]);
			return 2;
		}
	}
	unlink(path);
	pop = pmemobj_create(path, "objbench", mib << 20, 0600);
	CHECK(pop);
	make_threads();
	if (counting)
		CHECK(!pthread_create(&thread, NULL, idle, NULL));
	for (const struct op *op = ops; op->name; op++) {
		if (!selected(op->name, argv + optind))
			continue;
		if (counting)
			count_op(op);
		else
			time_op(op);
	}
	pmemobj_close(pop);
	if (!keep)
		unlink(path);
	return 0;
}
