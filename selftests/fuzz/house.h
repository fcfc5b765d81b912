/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One place in memory for hostile images, opened again and again without a system call. An image is
 * fenced in: what lies before it (behind the handle), behind it, and between and behind the areas
 * of the sidecar is poisoned for ASan, and pages without access stand around all of it for code
 * that ASan does not see. The library reads through a function that knows the bounds.
 */
#ifndef FUZZ_HOUSE_H
#define FUZZ_HOUSE_H

#include "lib/core/check.h"
#include "lib/core/lane.h"
#include "lib/core/recover.h"
#include "lib/heap.h"

#define HOUSE_BYTES	24576U		/* of an image at most */

/* Print what is wrong, and end as a crash does. */
__attribute__((noreturn)) void house_bad(const char *what);

/* The image: house_bytes of HOUSE_BYTES. */
extern u8 *house_image;

/* Make an image of @bytes the one that stands there; what it holds is left to the caller. */
void house_take(u64 bytes);

/* Its medium. @tear: lines of it tear. */
struct pobj_media *house_media(bool tear);

/* Fences from now on that succeed; those behind them say EIO. */
extern u64 house_fences;

/*
 * At the read with this number (from now on, 1 the next one) the medium changes: its word at
 * house_shift_off becomes house_shift_value. 0: it does not.
 */
extern u64 house_shift, house_shift_off, house_shift_value;

/*
 * Open what stands there by the steps of pmemobj_open() that come after the file is mapped and
 * recovered. NULL with errno: it is refused.
 */
PMEMobjpool *house_open(bool tear);

/*
 * Let lanes 1 and up be those of a session that died with the pool open, and reap it, without
 * recovering the pool before. 0 or -errno. The pool is open.
 */
int house_reap(PMEMobjpool *pop);

void house_close(PMEMobjpool *pop);

#endif
