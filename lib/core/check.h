/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* The extensive check: see check.c. */
#ifndef POBJ_CORE_CHECK_H
#define POBJ_CORE_CHECK_H

#include "lib/core/super.h"

/* What a check counted. */
struct pobj_census {
	u64 problems;
	u64 lanes;
	u64 live;	/* live log entries */
	u64 free_pages;	/* pages with a CONT line that was left behind are free */
	u64 largest_free;
	u64 slabs;
	u64 larges;
	u64 logs;
};

/*
 * Verify all metadata of a pool nobody changes meanwhile, and whose superblock was loaded. Calls
 * @each for every finding and goes on; a value other than 0 from it ends the check and is
 * returned. Live log entries are counted, not judged as problems; what they would undo is: check
 * after recovery, or a recovered copy. Writes nothing.
 *
 * C1. Every lane can be read and its live entries could be undone.
 * C2. Spans follow each other without overlap; every line is right by itself (line.h L1..L5). All
 *     pages of a slab but the first, and those of a large object that begin a section, have a CONT
 *     line that names the head. A CONT line elsewhere says nothing.
 * C3. Root record and the one ROOT span name each other, or there is neither.
 * C4. Each log chunk is in the chain of the lane that it names, once.
 */
int pobj_check_pool(const struct pobj_media *m, const struct pobj_super *s, struct pobj_census *c,
		    int (*each)(void *arg, const struct pobj_finding *f), void *arg);

#endif
