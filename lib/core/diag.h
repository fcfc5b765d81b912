/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * What was wrong with the contents of a medium: a code, where, what stood there and what was
 * expected. Made by lib/core, carried by ioctls, put into words by pobj_diag_text().
 */
#ifndef POBJ_CORE_DIAG_H
#define POBJ_CORE_DIAG_H

#include "lib/core/env.h"
#include <linux/pobj.h>

struct pobj_finding {
	u32 diag;	/* enum pobj_diag */
	u64 off;	/* where, bytes from the start of the pool */
	u64 found;
	u64 expected;
};

/* Fill @f (may be NULL) and return @err, so that a failing check is one statement. */
static inline int pobj_found(struct pobj_finding *f, int err, u32 diag, u64 off, u64 found,
			     u64 expected)
{
	if (f) {
		f->diag = diag;
		f->off = off;
		f->found = found;
		f->expected = expected;
	}
	return err;
}

/* What is wrong, and what to do about it; both never NULL, for any number. */
const char *pobj_diag_text(u32 diag);
const char *pobj_diag_advice(u32 diag);

#endif
