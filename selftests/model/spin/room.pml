/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rule V7 (lib/core/side.h): a clear bit of the filter says that no unowned slab has room. One
 * slab, one bit.
 *
 * One lane owns the slab and gives it up (pobj_span_disown()), one frees objects in it from
 * outside (release_freed() with a hold, object_free() with the ring), two look for room
 * (group_adopt()): they adopt the slab, fill it and give it up, or clear the bit (room_clear()).
 * Kills, and a reaper that is killed, too.
 *
 * What must hold at the end: if the slab has room and no owner, the bit is set.
 *
 * Seeded: BUG_1 who clears the bit does not look again; BUG_2 he has no intent; BUG_3 who gives up
 * a slab sets the bit before, not after; BUG_4 who frees sets the bit before the state; BUG_5 the
 * freer's list is emptied before the bit is set; BUG_6 the reaper does not set bits for intents.
 */
#define LANES	4
#define OWNER	0
#define FREER	1
#define FINDER	2
#define SECOND	3
#define PROCS	4

bool room;			/* of the group */
byte owner = OWNER + 1;
byte objects = 2;		/* allocated in the slab, which has place for two */
bool intent[LANES];		/* for this page */
bool listed[LANES];		/* in ring or holds: an object of this slab */
bool reaped[LANES];
bool locked;

#define mortal(i)	true
#define died(i)		skip
#include "kill.pml"

/* pobj_slab_hint(): an owned slab is hinted at when it is given up. */
inline pobj_slab_hint()
{
	if
	:: !owner ->
		if
		:: objects < 2 ->
			if				/* filter_set(): a look, then a LOCKed or */
			:: !room -> room = true
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

inline pobj_span_disown(me)
{
	intent[me] = true;
#ifdef BUG_3
	if
	:: objects < 2 -> room = true
	:: else
	fi;
	owner = 0;
#else
	owner = 0;
	pobj_slab_hint();
#endif
	intent[me] = false
}

/* An entry that frees an object of a slab that is not its lane's. */
inline free_remote(me)
{
	listed[me] = true;
#ifdef BUG_4
	pobj_slab_hint();
#endif
	objects--;
#ifdef BUG_5
	listed[me] = false;
#endif
#ifndef BUG_4
	pobj_slab_hint();
#endif
	listed[me] = false
}

inline room_clear(me)
{
#ifndef BUG_2
	intent[me] = true;
#endif
	room = false;
#ifndef BUG_1
	if					/* group_room() */
	:: !owner ->
		if
		:: objects < 2 -> room = true
		:: else
		fi
	:: else
	fi;
#endif
	intent[me] = false
}

inline group_adopt(me)
{
	if
	:: room ->
		if
		:: !owner ->
			if
			:: objects < 2 ->
				intent[me] = true;		/* pobj_span_own() */
				d_step { got = (!owner); owner = (got -> me + 1 : owner) };
				intent[me] = false;
				if
				:: got ->
					/* slab_refill(), then an allocation or not. */
					if
					:: objects < 2 -> objects++
					:: true
					fi;
					pobj_span_disown(me)
				:: else
				fi
			:: else -> room_clear(me)
			fi
		:: else -> room_clear(me)
		fi
	:: else
	fi;
	got = false
}

proctype lane(byte me) MORTAL
{
	bool got;

	if
	:: me == OWNER ->
		if
		:: objects--				/* frees one of its own: no hint */
		:: skip
		fi;
		pobj_span_disown(me)
	:: me == FREER -> free_remote(me)
	:: else ->
		group_adopt(me)
#ifdef TWICE
		; group_adopt(me)
#endif
	fi;
	done[me] = true
}

/* pobj_reap_spans(): hints for its intent and lists, then its slabs. Cut off, it is begun again. */
inline pobj_reap_spans(d)
{
	if
	:: intent[d] ->
#ifndef BUG_6
		pobj_slab_hint();
#endif
		intent[d] = false
	:: else
	fi;
	if
	:: listed[d] ->	pobj_slab_hint(); listed[d] = false
	:: else
	fi;
	if
	:: owner == d + 1 -> pobj_span_disown(d)
	:: else
	fi
}

proctype reaper()
{
	byte d, cut;

	do
	:: d_step { d < LANES && (done[d] || reaped[d]) -> d++ }
	:: d < LANES && !alive[d] && !reaped[d] ->
		{
			pobj_reap_spans(d);
			reaped[d] = true
		} unless {
			/* Killed: the next one begins anew. */
			cut < 1 -> cut++
		}
	:: d == LANES -> break
	od
}

proctype judge()
{
	timeout;
	assert(!owner);
	assert(room || objects == 2)
}

init {
	atomic {
		run lane(OWNER);
		run lane(FREER);
		run lane(FINDER);
		run lane(SECOND);
		run reaper();
		run judge();
		run killer()
	}
}
