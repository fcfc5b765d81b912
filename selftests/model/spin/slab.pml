/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules V2 to V6 and V10 (lib/core/side.h) and P10, P11 (lib/core/change.c): one slab of two
 * objects, whose state is A xor F and whose reservations are two words; an owner who hands out, a
 * thread of the same session that publishes what he reserved, another process that frees and then
 * adopts or dissolves; kills; a reaper.
 *
 *	owner		fills from pobj_slab_take(), reserves, gives up (pobj_slabs_give_up())
 *	publisher	pmemobj_publish() by a lane that does not own the slab; or cancels
 *	freer		object_free() from outside, or as one of several changes that are undone
 *			together (a reallocation); adopts (slab_adopt()), dissolves
 *			(group_dissolve())
 *	reaper		pobj_reap_session()
 *
 * What must hold: an object has one user at a time (life[]); a live log entry names nothing that
 * another one has meanwhile; no toggle is lost: what is allocated in the end is what the users
 * have; nothing stays reserved or listed; a slab that is gone had no objects.
 *
 * Seeded: BUG_1 the state is read before the reservations; BUG_2 the lists before the state; BUG_3
 * an object is listed after its state changed; BUG_4 it is taken from the list before its entry is
 * retired; BUG_5 a slab with reservations is given up; BUG_6 the publisher stores A; BUG_7 whoever
 * dissolves does not look at the lists; BUG_8 the publisher changes the reservation first; BUG_9
 * the reaper repeats the dead's free without regard to what the state is; BUG_10 the freer stores F
 * plainly; BUG_11 whoever looks for objects does not look again when a reaper has taken a free
 * back; BUG_12 whoever dissolves does not.
 */
#define OBJECTS	2
#define PROCS	4
#define OWNER	0
#define PUBLISHER 1
#define FREER	2
#define REAPER	3

/* The line (struct pobj_m_line), the page record, and the rings of the lanes: one bit an object. */
bool there = true;
byte a, f;
byte reserved_a, reserved_b;
byte owner = OWNER + 1;
byte ring[PROCS];
/*
 * Logs: live entries, by the objects they name. undo takes an allocation back and back a free, redo
 * repeats a free.
 */
byte undo[PROCS], back[PROCS], redo[PROCS];
bool reaped[PROCS];
byte reaps;

/* The users: who has an object, or is about to. 0: nobody; 255: it is allocated, and known. */
#define USED	255
byte life[OBJECTS];
/* Between the threads of the session: what is reserved and handed to the publisher. */
byte handed;

/* Owner and publisher are of one process: they die together, and no later than the reaper looks. */
#define mortal(i)	((i) == OWNER || (i) == FREER)
#define died(i)		alive[PUBLISHER] = alive[PUBLISHER] && (i) != OWNER
#include "kill.pml"

/* The same object for all: the word's bits. */
#define bit(x)	(1 << (x))
#define state	(a ^ f)

/* One look, in the order of V4. */
inline slab_look(me)
{
#ifdef BUG_1
	avail = a;
	avail = 3 & ~(avail ^ f);
	tmp = reserved_a;
	d_step { avail = avail & ~(tmp ^ reserved_b); tmp = 0 };
#else
	tmp = reserved_a;
	d_step { avail = 3 & ~(tmp ^ reserved_b); tmp = 0 };
#ifdef BUG_2
	avail = avail & ~(ring[OWNER + FREER - me]);
#endif
	tmp = a;
	d_step { avail = avail & ~(tmp ^ f); tmp = 0 };
#endif
#ifndef BUG_2
	if
	:: me != OWNER -> avail = avail & ~ring[OWNER]
	:: else
	fi;
	if
	:: me != PUBLISHER -> avail = avail & ~ring[PUBLISHER]
	:: else
	fi;
	if
	:: me != FREER -> avail = avail & ~ring[FREER]
	:: else
	fi
#endif
}

/* slab_refill(): until no reaper was done with a log meanwhile (V10). */
inline slab_refill(me)
{
#ifdef BUG_11
	slab_look(me);
#else
	do
	:: seen = reaps;
		slab_look(me);
		if
		:: reaps == seen -> break
		:: else
		fi
	od;
	seen = 0;
#endif
}

/* bit_hand_out(): the lowest one. */
inline hand_out()
{
	d_step {
		x = (avail & 1 -> 0 : 1);
		assert(life[x] == 0);
		life[x] = me + 1;
		avail = avail & ~bit(x)
	}
}

/* step_make() with POBJ_STEP_A: the owner alone stores A, a load and a store. */
inline toggle_a(x)
{
	tmp = a;
	d_step { a = tmp ^ bit(x); tmp = 0 }
}

/* POBJ_STEP_F: one LOCKed instruction. */
inline toggle_f(x)
{
#ifdef BUG_10
	tmp = f;
	d_step { f = tmp ^ bit(x); tmp = 0 }
#else
	f = f ^ bit(x)
#endif
}

/* pobj_span_disown() when V5 allows it. */
inline give_up(me)
{
#ifndef BUG_5
	tmp = reserved_a;
	d_step { idle = !(tmp ^ reserved_b); tmp = 0 };
#else
	idle = true;
#endif
	if
	:: idle -> owner = 0
	:: else
	fi;
	d_step { avail = 0; idle = false }
}

/* ---- who hands out --------------------------------------------------------------------------- */

/* pmemobj_alloc() of an object in a slab that the lane owns. */
inline object_alloc(me)
{
	slab_refill(me);
	if
	:: avail ->
		hand_out();
		undo[me] = bit(x);				/* pobj_lane_alloc_step() */
		toggle_a(x);
		d_step { undo[me] = 0; life[x] = USED }		/* lane_retire() */
	:: else
	fi;
	d_step { avail = 0; x = 0 }
}

/* pmemobj_reserve(), for the publisher. */
inline object_reserve(me)
{
	slab_refill(me);
	if
	:: avail ->
		hand_out();
		reserved_a = reserved_a ^ bit(x);		/* reserved_toggle() */
		handed = bit(x)
	:: else
	fi;
	d_step { avail = 0; x = 0 }
}

/* object_free() by the owner of the slab: word A, and own reuse is free (P11). */
inline free_own(me)
{
	d_step {
		if
		:: life[0] == USED -> x = 0; life[0] = me + 1
		:: life[0] != USED && life[1] == USED -> x = 1; life[1] = me + 1
		:: else -> x = OBJECTS
		fi
	};
	if
	:: x < OBJECTS ->
		ring[me] = bit(x);
		redo[me] = bit(x);
		toggle_a(x);
		d_step { redo[me] = 0; life[x] = 0 };
		ring[me] = 0
	:: else
	fi;
	x = 0
}

/* object_free() by who does not own the slab. V3: listed before, until the entry is retired. */
inline free_remote(me)
{
	d_step {
		if
		:: life[0] == USED -> x = 0; life[0] = me + 1
		:: life[0] != USED && life[1] == USED -> x = 1; life[1] = me + 1
		:: else -> x = OBJECTS
		fi
	};
	if
	:: x < OBJECTS ->
#ifndef BUG_3
		ring[me] = bit(x);				/* pobj_ring_add() */
#endif
		if
		:: redo[me] = bit(x)				/* pobj_lane_free_step() */
		:: back[me] = bit(x)				/* pobj_lane_apply() */
		fi;
		if
		:: owner == me + 1 -> toggle_a(x)
		:: else -> toggle_f(x)
		fi;
#ifdef BUG_3
		ring[me] = bit(x);
#endif
		life[x] = (redo[me] -> 0 : life[x]);
#ifdef BUG_4
		ring[me] = 0;
#endif
		/* pobj_lane_retire() */
		d_step { life[x] = 0; redo[me] = 0; back[me] = 0 };
		ring[me] = 0					/* pobj_ring_drop() */
	:: else
	fi;
	x = 0
}

proctype owner_thread(byte me) MORTAL
{
	byte avail, tmp, x, seen;
	bool idle;

	if
	:: object_alloc(me)
	:: object_reserve(me)
	fi;
	if
	:: object_alloc(me)
	:: object_reserve(me)
	:: free_own(me)
	:: skip
	fi;
	give_up(me);
	/* Without the slab it is as any other. */
	if
	:: free_remote(me)
	:: skip
	fi;
	done[me] = true
}

/* pmemobj_publish() or pmemobj_cancel() of what another thread reserved. */
proctype publisher(byte me) MORTAL
{
	byte x, tmp;

	do
	:: atomic { handed -> x = (handed & 1 -> 0 : 1); handed = 0 };
		if
		:: d_step { undo[me] = bit(x); life[x] = me + 1 };	/* pobj_lane_apply() */
#ifdef BUG_8
			reserved_b = reserved_b ^ bit(x);
#endif
#ifdef BUG_6
			toggle_a(x);
#else
			toggle_f(x);				/* state, then reserved: V4 */
#endif
			undo[me] = 0;
#ifndef BUG_8
			reserved_b = reserved_b ^ bit(x);
#endif
			/* Returned: others may know of it. */
			life[x] = USED
		:: d_step { life[x] = 0; reserved_b = reserved_b ^ bit(x) }
		fi;
		x = 0
	:: atomic { done[OWNER] && !handed -> break }
	od;
	done[me] = true
}

/* ---- another process ------------------------------------------------------------------------- */

inline adopt(me)
{
	if
	:: there ->
		d_step { idle = (owner == 0); owner = (idle -> me + 1 : owner) };
		if
		:: idle && there ->
			object_alloc(me);
			give_up(me)
		:: idle && !there -> owner = 0
		:: else
		fi
	:: else
	fi;
	idle = false
}

/* slab_nothing_left(): the objects for which it does not hold. */
inline nothing_left()
{
	tmp = reserved_a;
	d_step { avail = tmp ^ reserved_b; tmp = 0 };
	tmp = a;
	d_step { avail = avail | (tmp ^ f); tmp = 0 };
#ifndef BUG_7
	avail = avail | ring[OWNER];
	avail = avail | ring[PUBLISHER];
	avail = avail | ring[FREER]
#endif
}

/* slab_dissolvable(), gone_add(): V6. */
inline dissolve(me)
{
	if
	:: there ->
		d_step { idle = (owner == 0); owner = (idle -> me + 1 : owner) };
		if
		:: idle && there ->
#ifdef BUG_12
			nothing_left();
#else
			do
			:: seen = reaps;
				nothing_left();
				if
				:: reaps == seen -> break
				:: else
				fi
			od;
			seen = 0;
#endif
			if
			:: !avail ->
				d_step { there = false; assert(!life[0] && !life[1]) }
			:: else
			fi;
			owner = 0
		:: idle && !there -> owner = 0
		:: else
		fi
	:: else
	fi;
	d_step { idle = false; avail = 0 }
}

proctype freer(byte me) MORTAL
{
	byte avail, tmp, x, seen;
	bool idle;

	free_remote(me);
	if
	:: adopt(me)
	:: free_remote(me)
	:: skip
	fi;
	if
	:: dissolve(me)
	:: skip
	fi;
	done[me] = true
}

/* ---- what the dead left ---------------------------------------------------------------------- */

/* Log of lane @d: P6 undoes, P11 repeats; word F in any case, a slab may have an owner. */
inline lane_recover(d)
{
	if
	:: back[d] ->
		d_step {
			x = (back[d] & 1 -> 0 : 1);
			assert(there && life[x] == d + 1);
			idle = !(state & bit(x))
		};
		if
		:: idle -> f = f ^ bit(x)
		:: else
		fi;
		back[d] = 0
	:: else
	fi;
	if
	:: undo[d] ->
		d_step {
			x = (undo[d] & 1 -> 0 : 1);
			assert(there && life[x] == d + 1);
			idle = (state & bit(x)) != 0
		};
		if
		:: idle -> f = f ^ bit(x)
		:: else
		fi;
		undo[d] = 0
	:: else
	fi;
	if
	:: redo[d] ->
		d_step {
			x = (redo[d] & 1 -> 0 : 1);
			assert(there && (life[x] == d + 1 || !life[x]));
			idle = (state & bit(x)) != 0
		};
		if
#ifdef BUG_9
		:: f = f ^ bit(x)
#else
		:: idle -> f = f ^ bit(x)
		:: else
#endif
		fi;
		redo[d] = 0
	:: else
	fi;
	d_step { x = 0; idle = false }
}

/* What a dead lane was freeing is freed, or it is there as before; what it made is not. */
inline users_settle(d)
{
	for (x : 0 .. OBJECTS - 1) {
		if
		:: life[x] == d + 1 && (state & bit(x)) -> life[x] = USED
		:: life[x] == d + 1 && !((state | (reserved_a ^ reserved_b)) & bit(x)) ->
			life[x] = 0
		:: else
		fi
	}
	x = 0
}

inline reap_spans(d)
{
	ring[d] = 0;						/* lists_empty() */
	if
	:: owner == d + 1 ->					/* span_give_up() */
		d_step {
			/* Reservations, and what was handed out, die with the session. */
			for (x : 0 .. OBJECTS - 1) {
				life[x] = (life[x] == d + 1 || (d == OWNER &&
					life[x] == PUBLISHER + 1) -> 0 : life[x])
			}
			x = 0;
			reserved_a = 0
		};
		reserved_b = 0;
		owner = 0
	:: else
	fi
}

proctype reaper(byte me)
{
	byte x;
	bool idle;

	do
	:: !alive[OWNER] && !reaped[OWNER] ->
		lane_recover(OWNER);
		lane_recover(PUBLISHER);
		d_step { users_settle(OWNER); users_settle(PUBLISHER) };
		reaps++;						/* V10 */
		reap_spans(OWNER);
		reap_spans(PUBLISHER);
		reaped[OWNER] = true
	:: !alive[FREER] && !reaped[FREER] ->
		lane_recover(FREER);
		d_step { users_settle(FREER) };
		reaps++;						/* V10 */
		reap_spans(FREER);
		reaped[FREER] = true
	:: (done[OWNER] || reaped[OWNER]) && (done[PUBLISHER] || reaped[OWNER]) &&
	   (done[FREER] || reaped[FREER]) -> break
	od;
	done[me] = true
}

proctype judge()
{
	byte x;

	timeout;
	d_step {
		assert(done[REAPER]);
		assert(!(reserved_a ^ reserved_b) || owner == OWNER + 1);
		assert(!ring[OWNER] && !ring[PUBLISHER] && !ring[FREER]);
		assert(owner == 0 || (owner == OWNER + 1 && alive[OWNER]));
		for (x : 0 .. OBJECTS - 1) {
			assert((life[x] == USED) == ((state & bit(x)) != 0))
		}
		assert(there || !state)
	}
}

init {
	atomic {
		/* One object is there, and known. */
		a = 1;
		life[0] = USED;
		run owner_thread(OWNER);
		run publisher(PUBLISHER);
		run freer(FREER);
		run reaper(REAPER);
		run judge();
		run killer()
	}
}
