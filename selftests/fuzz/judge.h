/* SPDX-License-Identifier: BSD-3-Clause */
/* What recovery and check may make of a hostile image: see judge.c. */
#ifndef FUZZ_JUDGE_H
#define FUZZ_JUDGE_H

#include "lib/core/check.h"

enum judge_found { JUDGE_REFUSED, JUDGE_PROBLEMS, JUDGE_CLEAN, JUDGE_CNT };

/* Recover and check the image of the house. Does not return if a rule is broken. */
enum judge_found judge(bool tear);

/* The same with a medium that changes (house_shift): only what holds then. */
void judge_shifting(bool tear);

/* The extensive check's verdict on an image whose superblock is loaded. */
u64 judge_problems(const struct pobj_media *m, const struct pobj_super *s, u64 *live);

#endif
