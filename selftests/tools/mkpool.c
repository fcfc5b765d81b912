// SPDX-License-Identifier: BSD-3-Clause
/*
 * Pools for the test of pobjctl.
 *
 *	mkpool PATH BYTES	make one with the layout "mkpool" and a root object of 64 bytes
 *	mkpool --hold PATH	open it, say "open", close it when standard input ends
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpmemobj.h>

#define LAYOUT		"mkpool"
#define ROOT_BYTES	64

static int failed(const char *what)
{
	fprintf(stderr, "mkpool: %s: %s\n", what, pmemobj_errormsg());
	return 1;
}

static int make(const char *path, size_t bytes)
{
	PMEMobjpool *pop = pmemobj_create(path, LAYOUT, bytes, 0600);
	int ret = 0;

	if (!pop)
		return failed("create");
	if (OID_IS_NULL(pmemobj_root(pop, ROOT_BYTES)))
		ret = failed("root");
	pmemobj_close(pop);
	return ret;
}

static int hold(const char *path)
{
	PMEMobjpool *pop = pmemobj_open(path, LAYOUT);

	if (!pop)
		return failed("open");
	puts("open");
	fflush(stdout);
	while (getchar() != EOF)
		;
	pmemobj_close(pop);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--hold"))
		return hold(argv[2]);
	if (argc == 3)
		return make(argv[1], strtoull(argv[2], NULL, 0));
	fputs("usage: mkpool PATH BYTES | --hold PATH\n", stderr);
	return 2;
}
