/* SPDX-License-Identifier: BSD-3-Clause */
/* The pools this process has open: see registry.c. */
#ifndef POBJ_LIB_REGISTRY_H
#define POBJ_LIB_REGISTRY_H

#include "lib/pool.h"

/* Hold this while opening, creating and closing: one at a time in a process. */
void pobj_registry_lock(void);
void pobj_registry_unlock(void);

/* Under the lock. -ENFILE when POBJ_OPEN_MAX are open; -EEXIST if the UUID is. */
int pobj_registry_add(struct pobj_pool *p);
void pobj_registry_remove(struct pobj_pool *p);

#define POBJ_OPEN_MAX	1024U

/* Under the lock: is there a pool open whose handle is @p? @p is not looked into. */
bool pobj_registry_holds(const struct pobj_pool *p);

/* Under the lock: call @each for every open pool until it returns non-zero; that is returned. */
int pobj_registry_each(int (*each)(struct pobj_pool *p, const void *arg), const void *arg);

#endif
