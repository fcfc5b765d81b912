/* SPDX-License-Identifier: BSD-3-Clause */
/* libpmemobj/pool.h - pools, with the typed macros. */
#ifndef LIBPMEMOBJ_POOL_H
#define LIBPMEMOBJ_POOL_H 1

#include <libpmemobj/pool_base.h>
#include <libpmemobj/types.h>

/* pmemobj_root for a root of type @t: a TOID(t), null on failure. */
#define POBJ_ROOT(pop, t)	_POBJ_TOID(TOID(t), pmemobj_root((pop), sizeof(t)))

#endif
