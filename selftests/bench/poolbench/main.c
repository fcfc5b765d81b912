// SPDX-License-Identifier: BSD-3-Clause
/*
 * poolbench - what a pool holds, and how long it takes where that may depend on what it holds.
 *
 * usage: poolbench fill FILE MIB SIZE [COUNT]
 *	  poolbench full FILE SIZE
 *	  poolbench crash FILE SIZE RUNS
 *	  poolbench churn FILE MIB OPS
 *	fill	allocate objects of SIZE bytes, COUNT of them or until there is no room. Creates the
 *		pool; with MIB 0 it is there. Prints how many, and the largest distance of an
 *		object from the begin of its cache line
 *	full	in a full pool: open it, and let it say that there is no room for SIZE bytes, once
 *		and 1000 times more. Prints us: the first, the median of the others
 *	crash	RUNS times: kill a process that allocates and frees objects, then open the pool in
 *		a new one. Prints us that each open took
 *	churn	OPS random allocations and frees of mixed sizes in a pool that is kept at 90 % of
 *		what it holds at first. Then the throughput of that pool and of a fresh one, in turn
 *
 * Prints lines "NAME VALUE...". The pool is left there, but for churn.
 */
#include "selftests/bench/poolbench/poolbench.h"

#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	int min_args, max_args;
} commands[] = {
	{ "fill", do_fill, 3, 4 },
	{ "full", do_full, 2, 2 },
	{ "crash", do_crash, 3, 3 },
	{ "churn", do_churn, 3, 3 },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (argc < 2 || strcmp(argv[1], commands[i].name))
			continue;
		if (argc - 2 < commands[i].min_args || argc - 2 > commands[i].max_args)
			break;
		return commands[i].run(argc - 2, argv + 2);
	}
	fprintf(stderr, "usage: poolbench fill|full|crash|churn FILE ...\n");
	return 2;
}
