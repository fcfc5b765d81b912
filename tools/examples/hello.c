// SPDX-License-Identifier: BSD-3-Clause
/* hello: prints what the last run stored, and stores something new. */
#include <libpmemobj.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	PMEMobjpool *pop = pmemobj_create("hello.pool", "hello", PMEMOBJ_MIN_POOL, 0600);

	if (!pop) /* it is there already */
		pop = pmemobj_open("hello.pool", "hello");
	if (!pop)
		return puts(pmemobj_errormsg()), 1;
	char *text = pmemobj_direct(pmemobj_root(pop, 64));

	printf("last run: %s\n", *text ? text : "none");
	snprintf(text, 64, "process %d was here", getpid());
	pmemobj_persist(pop, text, 64);
	pmemobj_close(pop);
}
