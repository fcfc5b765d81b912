/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * The power-loss explorer: what could be on the medium at any moment, and is every one of these
 * images recovered to an allowed state?
 *
 * Model: a line reaches the medium as some prefix of the stores made to it;
 * lines are independent; a flush followed by a fence makes the stores before the flush certain.
 * Bulk stores have no order within their line: for them also every suffix is tried.
 *
 * Method: the library is compiled with POBJ_TRACE, so that every store, flush and fence of it
 * passes here. Of each line all contents are kept that may be on the medium. At every fence, and
 * at the end, the machine "loses power": recovery runs on an image whose lines are undecided. A
 * line is decided when recovery or the verdict first touches it, and every other decision is then
 * tried, too (depth first). So lines nobody looks at never multiply, and no state is left out
 * (but see one_odd).
 * Inside each recovery power is lost again, at each of its fences, up to a given depth. (The idea
 * of deciding lazily is that of Jaaru, ASPLOS 2021.)
 *
 * The other failure, a killed process, is tried at every store, flush and fence: memory stays as
 * it is, ahead of the medium; recovery runs on it, and during and after that power is lost, too.
 * What a survivor saw after recovery must then still hold.
 */
#ifndef POBJ_CRASH_POWER_H
#define POBJ_CRASH_POWER_H

#include "lib/core/media.h"
#include "selftests/crash/engine/digest.h"

#ifndef POWER_THREADS
#define POWER_THREADS	2U
#endif
#define POWER_FRONT	16384U	/* bytes before each image that belong to the case */

/* What exploring counted. */
struct power_count {
	u64 points;		/* moments at which power was lost, outside recovery */
	u64 nested;		/* and inside one */
	u64 kills;
	u64 recoveries;
	u64 known;		/* of these: the image had been judged before */
	u64 odd;		/* of points and nested: those that are not complete (one_odd) */
	u64 violations;
};

/* What a pool looks like after recovery. */
enum power_state { POWER_OLD, POWER_NEW, POWER_WRONG };

/**
 * struct power_case - what the operations under exploration may leave
 * @recover: bring @m back; 0, or -errno for "cannot", which @state judges
 * @state: is @m before the operation, after it, or neither; then *why says what is wrong. An
 *	operation that changes nothing visible says POWER_NEW
 * @model: NULL, or: digest of all that @state compares to. Then verdicts are kept, and an image
 *	that is recovered once more while the model is the same is not judged again
 * @depth: power is lost in recoveries inside recoveries, this deep
 * @kill: try kills, too
 * @reap: NULL, or: after a kill others go on, and one of them repairs what the dead left; tried
 *	beside @recover. Memory is whole, ahead of the medium, and may be read directly
 * @lines_tear: recover as on a medium without the prefix rule
 * @one_odd: of records that are judged by a checksum over many lines the combinations are without
 *	number; try those in which all lines are old or all new, but for any one, in any content
 */
struct power_case {
	int (*recover)(const struct pobj_media *m);
	enum power_state (*state)(const struct pobj_media *m, int err, const char **why);
	int (*reap)(const struct pobj_media *m);
	void (*model)(struct power_digest *d);
	int depth;
	bool kill;
	bool lines_tear;
	bool one_odd;
};

/*
 * Watch @m: its present contents are taken to be durable. From now on its stores are recorded,
 * and at every fence the case is explored.
 */
void power_begin(const struct pobj_media *m, const struct power_case *c);

/*
 * The operation has returned: explore once more, only the new state is allowed. Compares the record
 * with memory; a store that bypassed the hooks is a violation. Another operation may follow; what
 * this one left unfenced stays uncertain.
 */
void power_returned(void);

/* A fence covers what its thread flushed, no other's: which one is at work from here on? */
void power_thread(u32 thread);

/* While paused stores are recorded, but neither power nor process is lost. */
void power_pause(bool on);

/*
 * What is watched is as it is now again after each power_again(), when memory is, too: with what
 * was uncertain.
 */
void power_keep(void);
void power_again(void);

/*
 * [@p, @p + @len) is in the pool, but no state of it, and may be stored to without the hooks. Holds
 * until power_begin().
 */
void power_ignore(const void *p, u64 len);

/* None of it any more. */
void power_ignore_none(void);

/* Called after each fence of what is watched, outside recoveries. May not return. */
extern void (*power_fenced)(void);

/*
 * Asked before power is lost inside of @depth recoveries; @d is of all that decides what comes
 * then: false if it need not be tried again. NULL: always.
 */
extern bool (*power_wanted)(struct power_digest d, int depth);

/* Of what is watched: memory, what the medium may hold instead, what is flushed and not fenced. */
struct power_digest power_watched(void);

/*
 * The operation stores the program's own data: if it is killed nobody makes them durable, and what
 * a survivor saw of them power may still take.
 */
void power_own_data(bool on);

/* Watch no more. */
void power_stop(void);

/* The last operation has returned: explore once more, and watch no more. */
void power_end(void);

/* Counts since the start of the program; text of the first violation since it was emptied. */
extern struct power_count power_count;
extern char power_first[512];

/* Of so many sequences that lead to a violation a case may still tell. */
extern u32 power_tell;

/* Mutation: all sites of the program. */
struct pobj_site *power_sites(u32 *cnt);

/* Which one of its kind @s is in its function, in the order of lines. */
unsigned int power_site_nth(const struct pobj_site *s);

#endif
