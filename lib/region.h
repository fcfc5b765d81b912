/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools on regions of /dev/pobj: see region.c. */
#ifndef POBJ_LIB_REGION_H
#define POBJ_LIB_REGION_H

#include "lib/place.h"

/* Attach the region called @name, claiming its device where needed. The region file, or -errno. */
int pobj_region_attach(const char *name, u32 flags, struct pobj_place *place);

/* POBJ_IOC_RECOVER on a region file; a failure is put into words about @what. */
int pobj_region_recover(int fd, const char *what, struct pobj_ioc_recover *r);

/* POBJ_IOC_INFO on a region file. */
int pobj_region_query(int fd, const char *what, struct pobj_ioc_info *info);

#endif
