/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj.h - the object API, spelled as libpmemobj spells it.
 *
 * Build with: cc program.c $(pkg-config --cflags --libs libpobj-user)
 */
#ifndef LIBPMEMOBJ_H
#define LIBPMEMOBJ_H 1

#include <libpmemobj/action.h>
#include <libpmemobj/action_base.h>
#include <libpmemobj/atomic.h>
#include <libpmemobj/atomic_base.h>
#include <libpmemobj/base.h>
#include <libpmemobj/iterator.h>
#include <libpmemobj/iterator_base.h>
#include <libpmemobj/lists_atomic.h>
#include <libpmemobj/lists_atomic_base.h>
#include <libpmemobj/pool.h>
#include <libpmemobj/pool_base.h>
#include <libpmemobj/thread.h>
#include <libpmemobj/types.h>

#endif
