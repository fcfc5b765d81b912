/* SPDX-License-Identifier: BSD-3-Clause */
/* libpmemobj/pool.h - pools, with the typed macros. */
#ifndef LIBPMEMOBJ_POOL_H
#define LIBPMEMOBJ_POOL_H 1

#include <libpmemobj/pool_base.h>

#endif
