/* SPDX-License-Identifier: BSD-3-Clause */
/* A pool on a hostile image, in use for a moment: see use.c. */
#ifndef FUZZ_USE_H
#define FUZZ_USE_H

#include "selftests/fuzz/house.h"

#define USE_STEPS	20U
#define USE_BYTES	(1 + 3 * USE_STEPS)	/* flags; {what, a, b} of each step */

#define USE_TEAR	1U	/* flags: lines of the medium tear */
#define USE_REAP	2U	/* lanes are those of a dead session that is to be reaped */

enum use_found { USE_REFUSED, USE_PROBLEMS, USE_CLEAN, USE_CNT };

extern u64 use_done;	/* steps so far that changed something and succeeded */

/* Open the image of the house, and do what @script says. Does not return if a rule is broken. */
enum use_found use(const u8 script[USE_BYTES]);

/* The same by path, through pmemobj_open(), and pobjctl's questions about it. */
void use_by_path(const u8 script[USE_BYTES]);

/* A script that does a little of everything. */
extern const u8 use_all[USE_BYTES];

#endif
