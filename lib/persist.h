/* SPDX-License-Identifier: BSD-3-Clause */
/* How data becomes durable on this machine and on a medium: see persist.c. */
#ifndef POBJ_LIB_PERSIST_H
#define POBJ_LIB_PERSIST_H

#include <stddef.h>

#include "lib/core/media.h"

/* What a mapping needs so that a store becomes durable. */
enum pobj_medium {
	POBJ_MEDIUM_CACHED,	/* byte-addressable, volatile CPU caches: flush lines, SFENCE */
	POBJ_MEDIUM_EADR,	/* byte-addressable, persistent caches: SFENCE only */
	POBJ_MEDIUM_PAGES,	/* a file in the page cache: msync */
	POBJ_MEDIUM_DRAM,	/* nothing outlives power here (tmpfs): nothing to do */
};

/*
 * Fill in m->read, flush, fence and lines_tear for a mapping on @kind; base and size are set.
 * Environment, as libpmemobj has it (read at the first call in the process):
 *	PMEM_IS_PMEM_FORCE=1	treat every file as CACHED; =0: every file as PAGES
 *	PMEM_NO_FLUSH=1		CACHED becomes EADR
 *	PMEM_NO_CLWB, PMEM_NO_CLFLUSHOPT, PMEM_NO_MOVNT =1	do without that instruction
 *	PMEM_MOVNT_THRESHOLD=n	copies of n bytes and more use non-temporal stores (256)
 * A region of /dev/pobj is not a file: only PMEM_NO_FLUSH acts on it.
 */
void pobj_persist_setup(struct pobj_media *m, enum pobj_medium kind);

/* What PMEM_IS_PMEM_FORCE makes of @kind. */
enum pobj_medium pobj_persist_forced(enum pobj_medium kind);

/* Name of the flush instruction in use: "clwb", "clflushopt", "clflush" or "none". */
const char *pobj_persist_flush_name(void);

/*
 * memmove/memset into the pool and start writing back, by @flags (PMEMOBJ_F_MEM_*); no fence. In
 * trace builds one store event and, unless NOFLUSH, one flush event.
 */
void pobj_persist_move(const struct pobj_media *m, void *dst, const void *src, size_t len,
		       unsigned int flags);
void pobj_persist_set(const struct pobj_media *m, void *dst, int c, size_t len,
		      unsigned int flags);

#endif
