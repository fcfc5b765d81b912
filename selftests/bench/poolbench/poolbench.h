/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * poolbench.h - what the commands of poolbench have in common.
 */
#ifndef SELFTESTS_POOLBENCH_H
#define SELFTESTS_POOLBENCH_H

#include <libpmemobj.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LAYOUT "poolbench"

/* A failure here is one of the library: say which call, and end. */
#define CHECK(x)								\
	do {									\
		if (!(x)) {							\
			fprintf(stderr, "poolbench: %s: %s\n", #x, pmemobj_errormsg()); \
			exit(1);						\
		}								\
	} while (0)

static inline double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* The commands; the head of main.c says what each does. @argv: what follows its name. */
int do_fill(int argc, char **argv);
int do_full(int argc, char **argv);
int do_crash(int argc, char **argv);
int do_churn(int argc, char **argv);

#endif
