/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/session.c: slot words and record locks; begin, end, reap, wait for reapers; kills, two
 * reapers at once.
 *
 * PROCS - 1 processes begin a session, work, reap whom they find dead, end. Two slots suffice for
 * two that live while a third one's is being reaped; who finds no slot is told so and goes away.
 * "left" is what an unfinished session leaves half-done: whoever is let in must find nothing of it
 * that was there when he came.
 *
 * What must hold: one reaper at a time for a session; a session that lives is not reaped; who is
 * let in finds all reaped that died before he came; nothing is left at last, once all are gone and
 * another one opens the pool.
 *
 * The first byte (judging[]) is the judge's, and held for the whole reaping: so who does not get it
 * waits for whoever has it, and who has it and does not get the second knows that the session
 * lives.
 *
 * Seeded: BUG_1 the word is read before the locks are there; BUG_2 there is no first byte: whoever
 * does not get the lock cannot tell a session that lives from one that is about to be reaped; BUG_3
 * nobody waits for those who reap elsewhere; BUG_4 the word is 0 before the session is reaped;
 * BUG_5 the word of a slot that is taken is not looked at; BUG_6 a session ends by unlocking first.
 */
#ifndef PROCS
#define PROCS	4	/* the last: who comes when all are gone */
#endif
#ifndef SLOTS
#define SLOTS	2
#endif
#define NONE	255

byte word[SLOTS];
byte lock[SLOTS];	/* who holds the slot's byte: process + 1 */
byte judging[SLOTS];	/* the byte of those who judge the slot */
byte numbers;

/* By session number: it has unfinished work; who reaps it; its process, + 1, while it lives. */
#define SESSIONS	(PROCS + 1)
bool left[SESSIONS];
byte at_it[SESSIONS];
byte lives[SESSIONS];

#define mortal(i)	((i) < PROCS - 1)
#define died(i)						\
	d_step {					\
		for (slot : 0 .. SLOTS - 1) {		\
			lock[slot] = (lock[slot] == (i) + 1 -> 0 : lock[slot]);	\
			judging[slot] = (judging[slot] == (i) + 1 -> 0 : judging[slot])	\
		}					\
		for (slot : 0 .. SESSIONS - 1) {	\
			at_it[slot] = (at_it[slot] == (i) + 1 -> 0 : at_it[slot]);	\
			lives[slot] = (lives[slot] == (i) + 1 -> 0 : lives[slot])	\
		}					\
		slot = 0				\
	}
byte slot;		/* the killer's own */
#include "kill.pml"

/* pobj_file_lock(): never waits. */
inline try_lock(whose)
{
	d_step {
		got = (whose == 0);
		whose = (got -> me + 1 : whose)
	}
}

/* pobj_reap_session(): in steps, so that it can be cut off. */
inline pobj_reap_session(dead)
{
	d_step {
		assert(!lives[dead]);
		assert(!at_it[dead]);
		at_it[dead] = me + 1
	};
	left[dead] = false;
	at_it[dead] = 0
}

/* With both locks of the slot. */
inline word_reap(i)
{
#ifndef BUG_1
	n = word[i];
#endif
	if
	:: n ->
#ifdef BUG_4
		word[i] = 0;
#endif
		pobj_reap_session(n);
		word[i] = 0
	:: else
	fi;
	n = 0
}

/* slot_reap(): who has the first byte and does not get the second knows that the session lives. */
inline slot_reap(i)
{
#ifdef BUG_2
	got = true;
#else
	try_lock(judging[i]);
#endif
	if
	:: got ->
		try_lock(lock[i]);
		if
		:: got -> word_reap(i); lock[i] = 0
		:: else
		fi;
#ifndef BUG_2
		judging[i] = 0
#endif
	:: else -> busy = true
	fi
}

inline pobj_session_reap()
{
	d_step { i = 0; busy = false };
	do
	:: i < SLOTS ->
		n = (i == mine -> 0 : word[i]);
		if
		:: n -> slot_reap(i)
		:: else
		fi;
		d_step { i++; n = 0 }
	:: else -> break
	od;
	atomic { i = 0; got = false }
}

/* Reap all dead, and wait for those who are at it elsewhere. */
inline dead_settle()
{
	do
	:: pobj_session_reap();
		if
#ifdef BUG_3
		:: true -> break
#else
		:: !busy -> break
		/* It sleeps meanwhile: until somebody moves. */
		:: busy -> !judging[0] || (SLOTS > 1 && !judging[SLOTS - 1])
#endif
		fi
	od;
	busy = false
}

inline slot_take()
{
	i = 0;
	do
	:: i < SLOTS ->
#ifdef BUG_2
		got = true;
#else
		try_lock(judging[i]);
#endif
		if
		:: got ->
			try_lock(lock[i]);
#ifdef BUG_1
			if
			:: got -> n = word[i]
			:: else
			fi;
#endif
			if
			:: got ->
#ifndef BUG_5
				word_reap(i);
#endif
				/* With the first byte: whoever has it later sees the word. */
				d_step { numbers++; n = numbers };
				d_step {
					word[i] = n;
					lives[n] = me + 1;
					mine = i;
					session = n;
					n = 0
				}
			:: else
			fi;
#ifndef BUG_2
			judging[i] = 0;
#endif
			if
			:: mine != NONE -> break
			:: else -> i++
			fi
		:: else -> i++
		fi
	:: else -> break
	od;
	atomic { i = 0; got = false }
}

proctype process(byte me) MORTAL
{
	byte i, n, session, before, mine = NONE;
	bool got, busy;

	/* What those left who died before it came: none of it may be there when it is let in. */
	d_step {
		for (n : 1 .. SESSIONS - 1) {
			before = before | ((left[n] && !lives[n]) << n)
		}
		n = 0
	};
	slot_take();
	if
	:: mine != NONE ->
		dead_settle();
		d_step {
			for (n : 1 .. SESSIONS - 1) {
				assert(!(before & (1 << n)) || !left[n])
			}
			n = 0;
			before = 0
		};
		left[session] = true;			/* an operation */
		left[session] = false;
#ifdef TWICE
		if
		:: pobj_session_reap()
		:: skip
		fi;
#endif
		/* pobj_session_end() */
		lives[session] = 0;
#ifdef BUG_6
		lock[mine] = 0;
		word[mine] = 0
#else
		word[mine] = 0;
		lock[mine] = 0
#endif
	:: else
	fi;
	done[me] = true
}

#define over(i)	(done[i] || !alive[i])

/* All are gone: somebody opens the pool. */
proctype late(byte me)
{
	byte i, n, session, mine = NONE;
	bool got, busy;

	over(0) && over(1) && over(PROCS - 2);
	slot_take();
	assert(mine != NONE);
	dead_settle();
	d_step {
		for (n : 1 .. SESSIONS - 1) {
			assert(!left[n])
		}
		n = 0;
		for (i : 0 .. SLOTS - 1) {
			assert(i == mine || (!word[i] && !lock[i] && !judging[i]))
		}
	};
	done[me] = true
}

proctype judge()
{
	timeout;
	/* Nobody waits for what never comes. */
	assert(done[PROCS - 1])
}

init {
	atomic {
		run process(0);
		run process(1);
#if PROCS > 3
		run process(2);
#endif
		run late(PROCS - 1);
		run judge();
		run killer()
	}
}
