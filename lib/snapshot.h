/* SPDX-License-Identifier: BSD-3-Clause */
/* A private copy of a pool's metadata, to look at and to try a recovery on: see snapshot.c. */
#ifndef POBJ_LIB_SNAPSHOT_H
#define POBJ_LIB_SNAPSHOT_H

#include "lib/core/super.h"
#include "lib/place.h"

/**
 * struct pobj_snapshot - an opened copy
 * @media: writable, but nothing written reaches the pool
 * @super: loaded and verified
 * @fd: the pool file, block device or region file, open for reading
 * @mapped: the region mapped read-only, where the block device may not be read; else NULL
 * @place: the region, if @on_region
 * @finding: what was wrong, when taking it ended with -EUCLEAN or -EMEDIUMTYPE
 */
struct pobj_snapshot {
	struct pobj_media media;
	struct pobj_super super;
	int fd;
	bool on_region;
	void *mapped;
	struct pobj_place place;
	struct pobj_finding finding;
};

/*
 * Take a snapshot of the pool at @path. 0; -EMEDIUMTYPE, -EUCLEAN, -EIO; open(2)'s errors. With
 * @whole false the caller reads superblock, root record and lanes only.
 */
int pobj_snapshot_take(struct pobj_snapshot *s, const char *path, bool whole);
void pobj_snapshot_drop(struct pobj_snapshot *s);

#endif
