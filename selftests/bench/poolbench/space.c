// SPDX-License-Identifier: BSD-3-Clause
/*
 * space.c - how much fits, and how long it takes to find that nothing more does.
 */
#include "selftests/bench/poolbench/poolbench.h"

#include <errno.h>
#include <unistd.h>

int do_fill(int argc, char **argv)
{
	size_t mib = strtoul(argv[1], NULL, 0), size = strtoul(argv[2], NULL, 0);
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 0) : ~0UL, n;
	unsigned long off_line = 0;
	PMEMobjpool *pop;

	if (mib)
		unlink(argv[0]);
	pop = mib ? pmemobj_create(argv[0], LAYOUT, mib << 20, 0600) :
		    pmemobj_open(argv[0], LAYOUT);
	CHECK(pop);
	for (n = 0; n < count; n++) {
		PMEMoid oid;
		uintptr_t off;

		if (pmemobj_alloc(pop, &oid, size, 1, NULL, NULL)) {
			CHECK(errno == ENOMEM);
			break;
		}
		off = (uintptr_t)pmemobj_direct(oid) % 64;
		if (off > off_line)
			off_line = off;
	}
	pmemobj_close(pop);
	printf("objects %lu\noff_line %lu\n", n, off_line);
	return 0;
}

static double fail_us(PMEMobjpool *pop, size_t size)
{
	double t = now_us();
	PMEMoid oid;
	int ret = pmemobj_alloc(pop, &oid, size, 1, NULL, NULL);

	t = now_us() - t;
	CHECK(ret && errno == ENOMEM);
	return t;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int do_full(int argc, char **argv)
{
	size_t size = strtoul(argv[1], NULL, 0);
	double later[1000], first;
	PMEMobjpool *pop = pmemobj_open(argv[0], LAYOUT);

	CHECK(pop);
	first = fail_us(pop, size);
	for (int i = 0; i < 1000; i++)
		later[i] = fail_us(pop, size);
	qsort(later, 1000, sizeof(*later), compare);
	pmemobj_close(pop);
	printf("first %.1f\nlater %.3f\n", first, later[500]);
	return 0;
}
