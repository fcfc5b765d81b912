/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Lane logs: slots in lane.c, extension lines in ext.c, operations in change.c. */
#ifndef POBJ_CORE_LANE_H
#define POBJ_CORE_LANE_H

#include "lib/core/diag.h"
#include "lib/core/geom.h"
#include "lib/core/media.h"

/**
 * struct pobj_entry - a log slot, read out, verified and decoded
 * @seq: sequence, 0 if the slot was never written
 * @kind: POBJ_M_ENTRY_*
 * @cnt: UNDO: pairs in all
 * @retired: entries up to this sequence were retired when this one was written
 */
struct pobj_entry {
	u64 seq;
	u64 retired;
	u64 word[6];
	u32 kind;
	u32 cnt;
};

/**
 * struct pobj_lane - a lane in the hands of the one thread that may write its log
 * @seq: sequence of the newest entry
 * @retired: entries up to here are covered by a fence that this thread executed
 */
struct pobj_lane {
	const struct pobj_media *m;
	const struct pobj_geom *g;
	u32 lane;
	u64 seq;
	u64 retired;
};

/*
 * One of the changes that happen together: a word of the pool and what shall stand in it; or, with
 * POBJ_M_TARGET_OBJECT, a reference to an object of a slab, and 1 to make it allocated, 0 to free
 * it, | POBJ_OWNED if the slab is this lane's own (else bits are toggled in word F).
 */
struct pobj_change {
	u64 target;
	u64 value;
};

#define POBJ_OWNED	2

/* Take up a lane that is recovered. 0; -EUCLEAN or -EIO with @f filled. */
int pobj_lane_take(struct pobj_lane *l, const struct pobj_media *m, const struct pobj_geom *g,
		   u32 lane, struct pobj_finding *f);

/*
 * Make @cnt changes, all or none: after a crash at any point the pool has all old values (before
 * return) or all new ones (after it; before it, too). Three fence rounds. What the caller flushed
 * before is durable before the first change. Targets are different; words are 8-byte aligned and
 * where pobj_lane_may_undo() says; objects are in the other state. 0; -ENOSPC: the log holds fewer,
 * pobj_lane_grow() first; -EINVAL: a target, or the state of an object; what fence says (the pool
 * must then be closed). Nothing was changed unless a fence failed.
 */
int pobj_lane_change(struct pobj_lane *l, const struct pobj_change *c, u32 cnt);

/*
 * Free the object @ref and null the id of it at @dest (0: none), both or neither; durable at
 * return. One fence round; two if the id straddles lines. @owned: the slab is this lane's own.
 * The entry stays live until a later operation of this lane retires it: until then nobody but
 * this lane, in a logged operation, may hand the object out again.
 * 0; -EINVAL: not allocated, or @dest; what fence says.
 */
int pobj_lane_free(struct pobj_lane *l, u64 ref, u64 dest, bool owned);

/*
 * Make objects of one slab, this lane's own, allocated: all of @bits in pair @pair of the line of
 * @page. One fence round; nothing to undo, because one word says it all.
 */
int pobj_lane_publish(struct pobj_lane *l, u64 page, u32 pair, u64 bits);

/* Changes that one entry of this lane can hold now. */
u64 pobj_lane_capacity(const struct pobj_lane *l);

/* Add the free page @page to the log. 0; what pobj_lane_change() says; -EUCLEAN. */
int pobj_lane_grow(struct pobj_lane *l, u64 page);

/* May a free entry null an id at @off? In the data, aligned, in no log. 0; -EUCLEAN: no; -EIO. */
int pobj_lane_may_null(const struct pobj_media *m, const struct pobj_geom *g, u64 off);

/*
 * May an undo entry of @lane name the word at @off? 0; -EUCLEAN: no; -EIO. @ground: what other
 * judgements stand on (recover.c R7).
 */
int pobj_lane_may_undo(const struct pobj_media *m, const struct pobj_geom *g, u32 lane, u64 off,
		       bool *ground);

/* ---- for recovery and check -------------------------------------------------------------- */

/**
 * struct pobj_lane_view - all slots of a lane, judged
 * @entry: by slot; seq 0 where it holds nothing
 * @newest: highest sequence, 0 if the lane was never used
 * @retired: retired-upto of the newest; live entries are (retired, newest]
 * @torn: a half-written successor of the newest was passed over
 */
struct pobj_lane_view {
	struct pobj_entry entry[POBJ_M_SLOT_CNT];
	u64 newest;
	u64 retired;
	bool torn;
};

/* Is nothing live but, at most, the NOP that retired the rest? */
static inline bool pobj_lane_is_idle(const struct pobj_lane_view *v)
{
	return !v->newest || (v->retired == v->newest - 1 &&
			      v->entry[v->newest % POBJ_M_SLOT_CNT].kind == POBJ_M_ENTRY_NOP);
}

/* Read and judge the slots of @lane. 0; -EUCLEAN or -EIO with @f filled. */
int pobj_lane_read(const struct pobj_media *m, const struct pobj_geom *g, u32 lane,
		   struct pobj_lane_view *v, struct pobj_finding *f);

/*
 * Walk the extension lines of a lane in order. @off is the current line; call pobj_ext_first(),
 * then pobj_ext_next(). 0; -ENOSPC: no more; -EUCLEAN: broken chain; -EIO.
 */
struct pobj_ext_walk {
	const struct pobj_media *m;
	const struct pobj_geom *g;
	u32 lane;
	u64 off;
	u64 left;	/* lines left in this run, this one included */
	u64 chunk;	/* chunk we are in, 0 in the lane's own lines */
	u64 chunks;	/* chunks entered so far */
};

int pobj_ext_first(struct pobj_ext_walk *w, const struct pobj_media *m, const struct pobj_geom *g,
		   u32 lane, struct pobj_finding *f);
int pobj_ext_next(struct pobj_ext_walk *w, struct pobj_finding *f);

/* Does the raw line's checksum fit? Same place in slot and extension line. */
bool pobj_log_line_ok(const struct pobj_m_slot *raw);

/* Fill in count, distance, checksum and tag of a line whose words are set. */
void pobj_log_line_seal(struct pobj_m_slot *raw, u32 cnt, u64 dist, u64 tag);

static inline u64 pobj_tag(u64 seq, u32 kind)
{
	return seq << POBJ_M_TAG_KIND_BITS | kind;
}

/* Write one slot: all words, tag last, and flush it; no fence. */
void pobj_lane_write(struct pobj_lane *l, u32 kind, const u64 word[6], u32 cnt);

#endif
