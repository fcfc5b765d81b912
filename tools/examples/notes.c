// SPDX-License-Identifier: BSD-3-Clause
/* notes FILE [TEXT]: keep TEXT, if given, and print all that was kept. */
#include <libpmemobj.h>
#include <stdio.h>
#include <string.h>

POBJ_LAYOUT_BEGIN(notes);
POBJ_LAYOUT_TOID(notes, struct note);
POBJ_LAYOUT_END(notes);

struct note {
	char text[100];
};

/* Runs on an object that is nobody's yet: a kill in the middle leaves nothing. */
static int write_note(PMEMobjpool *pop, void *ptr, void *text)
{
	pmemobj_memcpy_persist(pop, ptr, text, strlen(text) + 1);
	return 0;
}

int main(int argc, char **argv)
{
	PMEMobjpool *pop;
	PMEMoid oid;

	if (argc < 2 || (argc > 2 && strlen(argv[2]) >= sizeof(struct note)))
		return puts("usage: notes FILE [TEXT of less than 100 bytes]"), 2;
	pop = pmemobj_open(argv[1], "notes");
	if (!pop)
		pop = pmemobj_create(argv[1], "notes", PMEMOBJ_MIN_POOL, 0600);
	if (!pop)
		return puts(pmemobj_errormsg()), 1;
	if (argc > 2 && POBJ_NEW(pop, NULL, struct note, write_note, argv[2]))
		return puts(pmemobj_errormsg()), 1;
	POBJ_FOREACH(pop, oid)
		puts(((struct note *)pmemobj_direct(oid))->text);
	pmemobj_close(pop);
	return 0;
}
