/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rule V1 (lib/core/side.h): pages of one group, taken and given by compare-and-swap of its map;
 * intents, owners, rings; kills at any step; a reaper that is killed, too, and the next; doubt.
 *
 * Two lanes take runs of pages, make large objects or slabs of them (or cancel), free objects of
 * each other, those whose allocation returned, and dissolve slabs. Reapers settle what the dead
 * left (lib/reap.c); the last one settles doubts besides. The names of the inlines are those of the
 * functions in lib/span.c, lib/quarantine.c, lib/large.c, lib/slab.c, lib/reap.c that they stand
 * for.
 *
 * What must hold: a page is taken by one at a time; nobody gives back what another one has; a dead
 * lane's log undoes or repeats nothing of others; and in the end, doubts settled, a page is marked
 * used if and only if a line's span covers it.
 *
 * Seeded: BUG_1 no intent; BUG_2 the map has no version; BUG_3 hands are looked at once, after the
 * spans; BUG_4 hands once, before; BUG_5 doubt is not noted; BUG_6 the owner is not looked at after
 * the line; BUG_7 the intent ends before the owner's word is there; BUG_8 the ring is emptied
 * before the pages are given, without an intent; BUG_9 doubt is forgotten after settling, not
 * before; BUG_10 whoever reaps does not make the group's bit agree with the owner's word.
 */
#ifndef PAGES
#define PAGES	2
#endif
#ifndef LENGTH
#define LENGTH	2	/* pages of a span, at most */
#endif
#ifndef OPS
#define OPS	1
#endif
#ifndef REAPERS
#define REAPERS	1	/* all but the last can be killed */
#endif
#define LANES	2
#define PROCS	(LANES + REAPERS)
#define NOBODY	255

#define bits_of(p, n)	(((1 << (n)) - 1) << (p))
#define in_range(p, first, n)	((p) >= (first) && (p) < (first) + (n))

/* The group (struct pobj_side_group). */
byte map, version;
byte owned;
bool doubt;
/* Page records (struct pobj_side_page) and lines: pages of the span that begins here. */
byte owner[PAGES], slot[PAGES], line[PAGES];
/* Lanes (struct pobj_side_lane), and their logs: at most one live entry. */
byte intent_page[LANES], intent_cnt[LANES], ring[LANES], ring_pages[LANES];
#define SLAB	64	/* added to the pages of a slab's line */
#define PAGES_OF(p)	(line[p] & ~SLAB)
#define UNDO	1
#define FREE	2
byte entry[LANES], entry_page[LANES];
bool reaped[LANES];
byte locked[LANES];	/* slot lock of the lane's session: process + 1 */

/* Whose a page is, as the users see it: not of the protocol. */
#define NONE	0
#define OBJECT	1
#define OF(l)	(2 + (l))	/* being made an object, or freed, by lane l */
byte whose[PAGES];

#define settled(d)	(done[d] || reaped[d])
#define mortal(i)	((i) != PROCS - 1)
#define died(i)			\
	d_step {		\
		locked[0] = (locked[0] == (i) + 1 -> 0 : locked[0]);	\
		locked[1] = (locked[1] == (i) + 1 -> 0 : locked[1])	\
	}

#include "kill.pml"

#ifdef BUG_2
#define COUNT_UP	skip
#else
#define COUNT_UP	version = (version + 1) % 16
#endif

inline whose_are(page, n, from, to)
{
	for (g : page .. page + n - 1) {
		assert(whose[g] == from);
		whose[g] = to
	}
	g = 0
}

inline intent_set(by, page, n)
{
#ifndef BUG_1
	intent_cnt[by] = n;
	intent_page[by] = page + 1
#else
	skip
#endif
}

inline intent_clear(by)
{
	intent_page[by] = 0
}

/* map_change(): set all of the bits, or none. */
inline map_take(by, page, n)
{
	d_step { old = map; old_version = version };
	do
	:: d_step { old & bits_of(page, n) -> got = false }; break
	:: else ->
		d_step {
			if
			:: map == old && version == old_version ->
				map = map | bits_of(page, n);
				COUNT_UP;
				got = true;
				whose_are(page, n, NONE, OF(by))
			:: else -> old = map; old_version = version; got = false
			fi
		};
		if
		:: got -> break
		:: else
		fi
	od
}

/* map_change(): clear bits, which are set. */
inline map_clear(by, page, n)
{
	d_step { old = map; old_version = version; got = false };
	do
	:: d_step {
		!got ->
		if
		:: map == old && version == old_version ->
			assert((map & bits_of(page, n)) == bits_of(page, n));
			map = map & ~bits_of(page, n);
			COUNT_UP;
			got = true;
			whose_are(page, n, OF(by), NONE)
		:: else -> old = map; old_version = version
		fi
	   }
	:: got -> break
	od;
	got = false
}

/* pobj_span_own() without its intent. */
inline own(by, page)
{
	d_step { got = (owner[page] == 0); owner[page] = (got -> by + 1 : owner[page]) };
	if
	:: got -> owned = owned | (1 << page)
	:: else
	fi
}

inline disown(page)
{
	owned = owned & ~(1 << page);
	owner[page] = 0
}

inline pobj_span_disown(by, page)
{
	intent_set(by, page, 1);
	disown(page);
	intent_clear(by)
}

inline pobj_span_give(by, page, n)
{
	intent_set(by, page, n);
	if
	:: owner[page] == by + 1 -> disown(page)
	:: else
	fi;
	map_clear(by, page, n);
	intent_clear(by)
}

inline run_take(by, page, n)
{
	intent_set(by, page, n);
	map_take(by, page, n);
	if
	:: got ->
#ifdef BUG_7
		intent_clear(by);
#endif
		slot[page] = n;
		own(by, page);
		if
		:: got
		:: else -> map_clear(by, page, n)
		fi
	:: else
	fi;
	intent_clear(by)
}

/* ---- lanes ----------------------------------------------------------------------------------- */

/* pobj_large_take(), then pobj_lane_alloc_step(), pobj_large_settle(); or pobj_large_cancel(). */
inline object_alloc(me)
{
	atomic {
		if
		:: n = 1
		:: n = LENGTH
		fi;
		page = 0;
		do
		:: page + n <= PAGES && (map & bits_of(page, n)) -> page++	/* find_run() */
		:: else -> break
		od
	};
	if
	:: page + n <= PAGES ->
		run_take(me, page, n);
		if
		:: got ->
			if
			:: d_step { entry_page[me] = page; entry[me] = UNDO };
				line[page] = n;
				entry[me] = 0;				/* lane_retire() */
				pobj_span_disown(me, page);
				/* Returned: others may know of it. */
				d_step { whose_are(page, n, OF(me), OBJECT) }
#ifndef NO_SLABS
			:: d_step {
				line[page] = SLAB + n;			/* set_extend() */
				whose_are(page, n, OF(me), OBJECT)
			   };
				pobj_span_disown(me, page)
#endif
			:: owner[page] = me + 1;
				pobj_span_give(me, page, n)
			fi
		:: else
		fi
	:: else
	fi;
	d_step { n = 0; page = 0; got = false; old = 0; old_version = 0 }
}

/* object_free() of a large one, with pobj_ring_retire() at its end. */
inline object_free(me)
{
	atomic {
		page = 0;
		do
		:: page < PAGES && !(line[page] && line[page] < SLAB && whose[page] == OBJECT) ->
			page++
		:: else -> break
		od;
		if
		:: page < PAGES ->
			/* Whom an object belongs to is for the callers to agree on. */
			n = line[page];
			whose_are(page, n, OBJECT, OF(me))
		:: else -> n = 0
		fi
	};
	if
	:: n ->
		ring_pages[me] = n;
		ring[me] = page + 1;				/* pobj_ring_add() */
		d_step { entry_page[me] = page; entry[me] = FREE };
		line[page] = 0;
		entry[me] = 0;					/* pobj_lane_retire() */
#ifdef BUG_8
		ring[me] = 0;
		map_clear(me, page, n);
#else
		pobj_span_give(me, page, n);			/* pobj_ring_drop() */
#endif
		ring[me] = 0;
		ring_pages[me] = 0
	:: else
	fi;
	d_step { n = 0; page = 0; got = false; old = 0; old_version = 0 }
}

/* group_dissolve(): a slab, here always an empty one, by whoever owns it first. */
inline slab_dissolve(me)
{
	atomic {
		page = 0;
		do
		:: page < PAGES && line[page] < SLAB -> page++
		:: else -> break
		od
	};
	if
	:: page < PAGES && !owner[page] ->
		intent_set(me, page, 1);			/* pobj_span_own() */
		own(me, page);
		intent_clear(me);
		if
		:: got && line[page] > SLAB ->
			d_step {
				n = PAGES_OF(page);
				whose_are(page, n, OBJECT, OF(me))
			};
			slot[page] = n;				/* gone_add() */
			line[page] = 0;
			pobj_span_give(me, page, n)		/* gone_give() */
		:: got && line[page] < SLAB -> pobj_span_disown(me, page)
		:: else
		fi
	:: else
	fi;
	d_step { n = 0; page = 0; got = false; old = 0; old_version = 0 }
}

proctype lane(byte me) MORTAL
{
	byte ops, n, page, old, old_version, g;
	bool got;

	do
	:: ops < OPS ->
		ops++;
		object_alloc(me);
		if
		:: object_free(me)
#ifndef NO_SLABS
		:: slab_dissolve(me)
#endif
		:: skip
		fi
	:: else -> break
	od;
	done[me] = true
}

/* ---- what the dead left ---------------------------------------------------------------------- */

/* Does an intent or ring of a lane but @by speak for page @i? */
inline page_in_hands(by)
{
	d_step { hands = false; l = 0 };
	do
	:: l < LANES && l != by && !hands ->
		first = intent_page[l];
		if
		:: first -> hands = in_range(i, first - 1, intent_cnt[l])
		:: else
		fi;
		if
		:: !hands ->
			first = ring[l];
			if
			:: first ->
				d_step { n = ring_pages[l]; hands = n && in_range(i, first - 1, n) }
			:: else
			fi
		:: else
		fi;
		d_step { l++; first = 0; n = 0 }
	:: l < LANES && l == by && !hands -> l++
	:: l == LANES || hands -> break
	od;
	atomic { l = 0; first = 0 }
}

/* Does the span at @head cover page @i? */
inline head_covers(by)
{
	d_step { n = (owner[head] -> 1 : 0) };
	if
	:: n -> n = slot[head]
	:: else
	fi;
	d_step {
		if
		:: line[head] -> covered = in_range(i, head, PAGES_OF(head)); n = NOBODY
		:: else
		fi
	};
	if
	:: n == NOBODY
	:: else ->
#ifndef BUG_6
		if
		:: !n && owner[head] -> n = slot[head]
		:: else
		fi;
#endif
		covered = in_range(i, head, n);
#ifndef BUG_11
		if
		:: covered && owner[head] != by + 1 ->
			doubt = true		/* the owner may be one by mistake */
		:: else
		fi
#endif
	fi;
	n = 0
}

/* Is page @i, which is marked used, covered by nothing? Then it is one of @lost. */
inline page_is_lost(by)
{
#ifdef BUG_3
	before = false;
#else
	page_in_hands(by);
	before = hands;
#endif
	d_step { covered = false; head = i + 1 };
	do
	:: head && !covered -> head--; head_covers(by)
	:: else -> break
	od;
	if
	:: covered
	:: else ->
#ifdef BUG_4
		hands = false;
#else
		if
		:: !before -> page_in_hands(by)
		:: else
		fi;
#endif
		if
		:: !before && !hands -> lost = lost | (1 << i)
		:: else ->
#ifndef BUG_5
			doubt = true					/* group_doubt() */
#else
			skip
#endif
		fi
	fi;
	d_step { head = 0; covered = false; before = false; hands = false }
}

inline pobj_span_settle(by, page, pages)
{
	d_step { old = map; old_version = version };
	do
	:: atomic { lost = 0; i = page };
		do
		:: i < page + pages && i < PAGES ->
			if
			:: old & (1 << i) -> page_is_lost(by)
			:: else
			fi;
			i++
		:: else -> break
		od;
		if
		:: !lost -> break
		:: else ->
			d_step {
				if
				:: map == old && version == old_version ->
					map = map & ~lost;
					COUNT_UP;
					for (g : 0 .. PAGES - 1) {
						if
						:: lost & (1 << g) ->
							assert(whose[g] > OBJECT);
							assert(!alive[whose[g] - OF(0)]);
							whose[g] = NONE
						:: else
						fi
					}
					g = 0;
					i = NOBODY
				:: else -> old = map; old_version = version
				fi
			};
			if
			:: i == NOBODY -> break
			:: else
			fi
		fi
	od;
	atomic { old = 0; old_version = 0; i = 0; lost = 0 }
}

inline pobj_spans_resettle()
{
	if
	:: doubt ->
#ifndef BUG_9
		doubt = false;
#endif
		pobj_span_settle(NOBODY, 0, PAGES);
#ifdef BUG_9
		doubt = false
#endif
	:: else
	fi
}

/* Step 1: the log, and owned_settle(). */
inline lane_recover(d)
{
	if
	:: entry[d] ->
		d_step {
			page = entry_page[d];
			assert(!line[page] || whose[page] == OF(d));
			line[page] = 0
		};
		d_step { entry[d] = 0; page = 0 }
	:: else
	fi;
#ifndef BUG_10
	page = intent_page[d];
	if
	:: page && owner[page - 1] == d + 1 -> owned = owned | (1 << (page - 1))
	:: else
	fi;
	page = 0
#endif
}

/* A slab that the dead was about to dissolve: it is there, and anybody's. */
inline slab_is_back(page, d)
{
	if
	:: line[page] > SLAB && whose[page] == OF(d) ->
		whose_are(page, PAGES_OF(page), OF(d), OBJECT)
	:: else
	fi
}

/* Steps 3 and 4. */
inline pobj_reap_spans(d)
{
	if
	:: intent_page[d] ->
		d_step { page = intent_page[d] - 1; pages = intent_cnt[d] };
		pobj_span_settle(d, page, pages);
		intent_page[d] = 0
	:: else
	fi;
	if
	:: ring[d] && ring_pages[d] ->				/* lists_empty() */
		d_step { page = ring[d] - 1; pages = ring_pages[d] };
		pobj_span_settle(d, page, pages)
	:: else
	fi;
	ring[d] = 0;
	ring_pages[d] = 0;
	d_step { todo = owned; page = 0 };			/* each_owned() */
	do
	:: page < PAGES ->
		if
		:: (todo & (1 << page)) && owner[page] == d + 1 ->
			if					/* span_give_up() */
			:: line[page] ->
				d_step { slab_is_back(page, d) };
				pobj_span_disown(d, page)
			:: else ->
				pages = slot[page];		/* pobj_span_reap() */
				intent_set(d, page, pages);
				disown(page);
				pobj_span_settle(d, page, pages);
				intent_clear(d)
			fi
		:: else
		fi;
		page++
	:: else -> break
	od;
	atomic { page = 0; pages = 0; todo = 0 }
}

/* Step 5. What is an object by its line is one that others may know of now. */
inline lane_leave(d)
{
	d_step {
		for (i : 0 .. PAGES - 1) {
			if
			:: line[i] && whose[i] == OF(d) -> whose_are(i, PAGES_OF(i), OF(d), OBJECT)
			:: else
			fi
		}
		i = 0;
		reaped[d] = true;
		locked[d] = 0;
		d = 0
	}
}

#define dead(d)	(!alive[d] && !reaped[d] && !locked[d])

proctype reaper(byte me) MORTAL
{
	byte d, l, first, n, head, i, lost, g, page, pages, todo, old, old_version;
	bool hands, before, covered;

	do
	:: d_step {
		dead(0) || dead(1) ->
		d = (dead(0) -> 0 : 1);
		locked[d] = me + 1
	   };
		lane_recover(d);
		pobj_reap_spans(d);
		lane_leave(d)
	:: settled(0) && settled(1) -> break
	:: me == PROCS - 1 && doubt -> pobj_spans_resettle()
	od;
	done[me] = true
}

/* Nobody is left: what does it look like? */
proctype judge()
{
	byte l, first, n, head, i, lost, g, old, old_version;
	bool hands, before, covered;

	timeout;
	/* Nobody can go on: it must be because all is done. */
	assert(settled(0) && settled(1) && done[PROCS - 1]);
	pobj_spans_resettle();
	d_step {
		assert(!doubt && !owned);
		for (i : 0 .. LANES - 1) {
			assert(!intent_page[i] && !ring[i] && !ring_pages[i] && !entry[i])
		}
		for (i : 0 .. PAGES - 1) {
			assert(!owner[i]);
			if
			:: line[i] ->
				for (g : i .. i + PAGES_OF(i) - 1) {
					assert(!(lost & (1 << g)));	/* in two spans */
					lost = lost | (1 << g)
				}
			:: else
			fi
		}
		assert(lost == map)
	}
}

init {
	atomic {
		run lane(0);
		run lane(1);
#if REAPERS > 1
		run reaper(2);
#endif
		run reaper(PROCS - 1);
		run judge();
		run killer()
	}
}
