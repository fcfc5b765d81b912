/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Bring a pool back after a crash: see recover.c. */
#ifndef POBJ_CORE_RECOVER_H
#define POBJ_CORE_RECOVER_H

#include "lib/core/super.h"

/**
 * struct pobj_recovery - what a recovery did
 * @lanes: lanes read
 * @live: entries that were live
 * @undone: words put back
 * @redone: frees repeated
 * @torn: slots passed over because their checksum is wrong (media with lines_tear only)
 * @repaired: superblock copies rewritten
 */
struct pobj_recovery {
	u64 lanes;
	u64 live;
	u64 undone;
	u64 redone;
	u64 torn;
	u64 repaired;
};

/*
 * Quick recovery of the whole pool: superblock, then every lane. Nobody else may use the pool
 * meanwhile. All lanes are verified before the first is changed: on -EUCLEAN or -EIO (@f says
 * where) nothing was written. May be cut off anywhere and run again. @s receives the superblock.
 */
int pobj_recover_pool(const struct pobj_media *m, struct pobj_super *s, struct pobj_recovery *r,
		      struct pobj_finding *f);

/*
 * Recovery of one lane, whose owner is dead and can store no more; others go on meanwhile.
 * For a process that was killed: memory is ahead of the medium (protocol rule 16).
 */
int pobj_recover_lane(const struct pobj_media *m, const struct pobj_super *s, u32 lane,
		      struct pobj_recovery *r, struct pobj_finding *f);

#endif
