/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lib/locks.c, lib/mutex.c, lib/rwlock.c: words that say who holds a lock, and their hand-over
 * after a death. One PMEMrwlock: its writer's word is what a PMEMmutex is made of, too.
 *
 * Three processes lock for writing or for reading, work, unlock; kills anywhere. Who waits sleeps
 * until the word has changed and he is woken, or the slice is over (lib/locks.c bounds every sleep
 * to 100 ms); after a slice he looks whether the holder is gone. A dead session is gone once it is
 * reaped, and reaping undoes what it did half (left[]).
 *
 * What must hold: a writer is alone; nobody gets in before what a dead holder left is undone;
 * whoever lives comes through.
 *
 * Seeded: BUG_1 a dead holder's word is taken before he is reaped; BUG_2 a reader looks for a
 * writer first and enters second; BUG_3 a writer does not wait for readers that came before; BUG_4
 * holds of dead readers are not taken away; BUG_5 a word of a dead holder is stored, not exchanged
 * if it is still the one that was seen.
 */
#define PROCS	3
#define mortal(i)	true
#define died(i)		skip
#include "kill.pml"


byte writer;		/* process + 1; who sleeps is of no matter: sleeps are bounded */
byte readers[PROCS];	/* holds: here each session finds its word free */
bool gone[PROCS];	/* dead, and reaped: no word of the session table names it */
bool left[PROCS];	/* of the data under the lock: half-done by */
byte writing, reading;

/* pobj_holder_gone(): reap the dead; is the holder @h gone? */
inline pobj_holder_gone(h)
{
	if
	:: !alive[h] && !gone[h] ->
#ifdef BUG_1
		is_gone = true
#else
		left[h] = false;		/* pobj_reap_session() */
		d_step { gone[h] = true; is_gone = true }
#endif
	:: else -> is_gone = gone[h]
	fi
}

/* pobj_word_take() of the writer's word. */
inline pobj_word_take(me)
{
	do
	:: d_step { seen = writer };
		if
		:: !seen ->
			d_step { got = (writer == 0); writer = (got -> me + 1 : writer) };
			if
			:: got -> break
			:: else
			fi
		:: else ->
			/* pobj_word_sleep(): it changed, or it is time to look for the dead. */
			(writer != seen || !alive[seen - 1]);
			pobj_holder_gone(seen - 1);
			if
			:: is_gone ->
#ifdef BUG_5
				d_step { got = true; writer = me + 1 };
#else
				d_step {
					got = (writer == seen);
					writer = (got -> me + 1 : writer)
				};
#endif
				if
				:: got -> break
				:: else
				fi
			:: else
			fi
		fi
	od;
	atomic { seen = 0; got = false; is_gone = false }
}

inline wait_for_readers(me)
{
	i = 0;
	do
	:: i < PROCS ->
		if
		:: readers[i] ->
#ifdef BUG_4
			!readers[i]
#else
			(!readers[i] || !alive[i]);
			pobj_holder_gone(i);
			if
			:: is_gone -> readers[i] = 0	/* drop_dead_reader() */
			:: else
			fi
#endif
		:: else -> i++
		fi
	:: else -> break
	od;
	atomic { i = 0; is_gone = false }
}

/* Those who hold by their own account, and live. */
#define holders(set)	((((set) & 1) && alive[0]) || (((set) & 2) && alive[1]) || \
			 (((set) & 4) && alive[2]))

inline work(me, others)
{
	/* What a dead one left half-done is undone by now. */
	d_step {
		assert(!others);
		for (i : 0 .. PROCS - 1) {
			assert(alive[i] || !left[i])
		}
		i = 0
	}
}

inline write_lock(me)
{
	pobj_word_take(me);
#ifndef BUG_3
	wait_for_readers(me);
#endif
	d_step { i = 0 };
	work(me, (holders(writing) || holders(reading)));
	writing = writing | (1 << me);
	left[me] = true;
	left[me] = false;
	writing = writing & ~(1 << me);
	writer = 0				/* writer_leaves() */
}

inline read_lock(me)
{
	do
	:: d_step { seen = writer };
		if
		:: seen ->			/* wait_for_writer() */
			(writer != seen || !alive[seen - 1]);
			pobj_holder_gone(seen - 1);
			if
			:: is_gone -> d_step { writer = (writer == seen -> 0 : writer) }
			:: else
			fi
		:: else ->
			/* read_try(): enter first, look for a writer second. */
#ifdef BUG_2
			d_step { seen = writer };
			readers[me] = 1;
#else
			readers[me] = 1;
			d_step { seen = writer };
#endif
			if
			:: !seen -> break
			:: else -> readers[me] = 0	/* leave() */
			fi
		fi
	od;
	atomic { seen = 0; is_gone = false };
	work(me, holders(writing));
	reading = reading | (1 << me);
	reading = reading & ~(1 << me);
	readers[me] = 0
}

proctype process(byte me) MORTAL
{
	byte seen, i;
	bool got, is_gone;

	if
	:: write_lock(me)
	:: read_lock(me)
	fi;
#ifdef TWICE
	if
	:: write_lock(me)
	:: skip
	fi;
#endif
	done[me] = true
}

proctype judge()
{
	timeout;
	/* Nobody who lives waits. */
	assert((done[0] || !alive[0]) && (done[1] || !alive[1]) && (done[2] || !alive[2]))
}

init {
	atomic {
		run process(0);
		run process(1);
		run process(2);
		run judge();
		run killer()
	}
}
