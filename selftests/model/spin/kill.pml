/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kills, for all models: processes 0 .. PROCS - 1, the first that init runs, in this order, can be
 * ended between any two of their steps, KILLS of them in all. A step is one access to what is
 * shared; what a process does with its own variables goes along with the access before it.
 *
 * The including model defines PROCS, mortal(i): who may be killed, and died(i): what the kernel
 * does for the dead (it drops locks). A killed process stays where it is, so the end of a run is
 * known by timeout (nobody can go on) and judged there; pan is told (-E) that this is no deadlock.
 */
#ifndef KILLS
#define KILLS	1
#endif

bool alive[PROCS] = true;
bool done[PROCS];
byte kills;

#define MORTAL	provided (alive[_pid - 1])

#define kill_one(i)						\
	atomic {						\
		kills < KILLS && mortal(i) && alive[i] && !done[i] ->	\
		alive[i] = false;				\
		kills++;					\
		died(i)						\
	}

proctype killer()
{
	do
	:: kill_one(0)
	:: kill_one(1)
#if PROCS > 2
	:: kill_one(2)
#endif
#if PROCS > 3
	:: kill_one(3)
#endif
	od
}
