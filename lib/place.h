/* SPDX-License-Identifier: BSD-3-Clause */
/* Where regions are: /dev/pobj and the DAX devices of this boot. See place.c. */
#ifndef POBJ_LIB_PLACE_H
#define POBJ_LIB_PLACE_H

#include "lib/core/super.h"
#include <linux/pobj.h>

/* A device that is, or can become, a region. */
struct pobj_place {
	struct pobj_region region;	/* as the kernel lists it; id 0: not claimed */
	bool unreadable;		/* not claimed, and the caller may not read it */
	bool damaged;			/* a pool is there that cannot be used */
};

/* /dev/pobj, opened; -ENODEV, -EACCES with the message set. */
int pobj_ctl_open(void);

/*
 * Find the one place called @name: the UUID of a pool, or the name of a block device, with or
 * without /dev. @ctl may be -1: then only devices are looked at. 0; -ENODEV; -ENOTUNIQ.
 */
int pobj_place_find(int ctl, const char *name, struct pobj_place *place);

/* Claim the device of @place, which is not claimed; fills in place->region.id. */
int pobj_place_claim(int ctl, struct pobj_place *place);

/* Path below /dev of the device. */
void pobj_place_path(const struct pobj_place *place, char path[64]);

/* Call @each for claimed regions, then for unclaimed DAX devices. Its non-zero value ends it. */
int pobj_place_each(int ctl, int (*each)(const struct pobj_place *place, void *arg), void *arg);

#endif
