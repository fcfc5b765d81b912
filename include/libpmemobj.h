/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj.h - the object API, spelled as libpmemobj spells it.
 *
 * Build with: cc program.c $(pkg-config --cflags --libs libpobj-user)
 */
#ifndef LIBPMEMOBJ_H
#define LIBPMEMOBJ_H 1

#include <libpmemobj/base.h>
#include <libpmemobj/pool.h>
#include <libpmemobj/types.h>

#endif
