// SPDX-License-Identifier: BSD-3-Clause
/* Which mutant is on, and which points were seen: mutant.h. Built into the mutated library. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "selftests/mutants/mutant.h"

static unsigned int unseen[POBJ_MUTANTS_MAX];

unsigned int pobj_mutant;
#ifdef POBJ_MUTANT_ORDERS
__thread unsigned int pobj_mutant_relax;
#endif
unsigned int *pobj_mutant_seen = unseen;

/* Before anything of the library runs. Children share the map: they inherit it, or open it anew. */
__attribute__((constructor(101))) static void mutant_init(void)
{
	const char *file = getenv("POBJ_MUTANT_SEEN"), *n = getenv("POBJ_MUTANT");
	void *map;
	int fd;

	if (n)
		pobj_mutant = (unsigned int)strtoul(n, NULL, 10);
	if (!file)
		return;
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	map = mmap(NULL, sizeof(unseen), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		abort();
	pobj_mutant_seen = map;
}
