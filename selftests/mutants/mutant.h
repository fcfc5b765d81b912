/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What mutated sources are compiled with. All mutants are in one program; the environment says
 * which one of them is on. So what takes time, building, is done once.
 *
 *	POBJ_MUTANT=n		the mutant that is on; none without it
 *	POBJ_MUTANT_SEEN=file	a word for each point: counts how often the program came to it,
 *				and the mutant would have made a difference there (about: lost
 *				counts of races do not matter)
 *
 * Points count from 1. With -DPOBJ_MUTANT_ORDERS the memory orders are points, too: for a runner
 * that sees orders. Else they are constant, as the compiler wants them: on x86-64 most make the
 * same code.
 */
#ifndef POBJ_MUTANT_H
#define POBJ_MUTANT_H

#define POBJ_MUTANTS_MAX	8192

extern unsigned int pobj_mutant;
extern unsigned int *pobj_mutant_seen;

/* Is mutant @n on? Asked where it makes a difference, and not elsewhere. */
#define MUTANT(n) \
	(pobj_mutant_seen[n]++, __builtin_expect(pobj_mutant == (n), 0))

/* Which of @cnt statements is step @k: in order, but for mutant @n + i, which swaps i and i + 1. */
static inline unsigned int pobj_mutant_swap(unsigned int k, unsigned int n, unsigned int cnt)
{
	const unsigned int i = pobj_mutant - n;
	unsigned int j;

	for (j = 0; j + 1 < cnt; j++)
		pobj_mutant_seen[n + j]++;
	if (i >= cnt - 1)
		return k;
	return k == i ? i + 1 : k == i + 1 ? i : k;
}

#ifdef POBJ_MUTANT_ORDERS
#define MUTANT_ORDER(n, order)	(MUTANT(n) ? __ATOMIC_RELAXED : (order))
/* A caller of a function whose order is relaxed for this caller. Nothing runs in between. */
extern __thread unsigned int pobj_mutant_relax;
#define MUTANT_RELAX(n, call)	(pobj_mutant_relax = MUTANT(n), (call))
#define MUTANT_RELAXED(order)	(pobj_mutant_relax ? __ATOMIC_RELAXED : (order))
#else
#define MUTANT_ORDER(n, order)	(order)
#define MUTANT_RELAX(n, call)	(call)
#define MUTANT_RELAXED(order)	(order)
#endif

#endif
