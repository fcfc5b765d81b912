/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Rules that a test build can weaken, one at a time: each brings back a hazard that the rule is
 * there for, and the explorers must then find it (selftests/crash/cases/hazards.c). In all other
 * builds this is the constant 0, and nothing is left of it.
 */
#ifndef POBJ_CORE_WEAK_H
#define POBJ_CORE_WEAK_H

#ifdef POBJ_TRACE

enum pobj_weak_rule {
	POBJ_WEAK_FINISH = 1 << 0,	/* what allocated is finished if the id is there */
	POBJ_WEAK_RETIRE = 1 << 1,	/* an entry retires its predecessor without a fence */
	POBJ_WEAK_FOREIGN = 1 << 2,	/* a free nulls an id by its offset alone */
	POBJ_WEAK_STRADDLE = 1 << 3,	/* an id in two lines is nulled without a fence */
	POBJ_WEAK_UUID = 1 << 4,	/* the third pair of an entry, a uuid, is not undone */
	POBJ_WEAK_CONTENTS = 1 << 5,	/* what is published need not be durable before */
	POBJ_WEAK_REUSE = 1 << 6,	/* a lane publishes what it freed and did not retire */
	POBJ_WEAK_QUARANTINE = 1 << 7,	/* others hand out what a lane freed and did not retire */
	POBJ_WEAK_HINT = 1 << 8,	/* a NOP does not name the line that is published in */
	POBJ_WEAK_SLOTS = 1 << 9,	/* two slots in a ring */
	POBJ_WEAK_RING = 1 << 10,	/* a free is listed after its entry */
};

/* Weak for the linker, too: an explorer that weakens none need not have it. */
__attribute__((weak)) unsigned int pobj_weak_rules;

#define pobj_weak(rule)	(pobj_weak_rules & (rule))
#define POBJ_SLOTS	(pobj_weak(POBJ_WEAK_SLOTS) ? 2U : POBJ_M_SLOT_CNT)

#else

#define pobj_weak(rule)	0
#define POBJ_SLOTS	POBJ_M_SLOT_CNT

#endif

#endif
