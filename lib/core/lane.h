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
 * @slots: its slots, mapped
 * @seq: sequence of the newest entry
 * @retired: entries up to here are covered by a fence that this thread executed
 * @said: retired-upto of the newest entry
 * @sealed: retired-upto of the newest entry that is durable: no recovery looks at those any more
 * @last_free: newest FREE entry
 * @late: places that the newest free stored to and did not flush; NULL: none (change.c P16)
 */
struct pobj_lane {
	const struct pobj_media *m;
	const struct pobj_geom *g;
	u32 lane;
	struct pobj_m_slot *slots;
	u64 seq;
	u64 retired;
	u64 said;
	u64 sealed;
	u64 last_free;
	const void *late[2];
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

/* All fields, for a lane whose newest entry is @seq, and whose entries are all retired. */
void pobj_lane_init(struct pobj_lane *l, const struct pobj_media *m, const struct pobj_geom *g,
		    u32 lane, u64 seq);

/* Take up a lane that is recovered. 0; -EUCLEAN or -EIO with @f filled. */
int pobj_lane_take(struct pobj_lane *l, const struct pobj_media *m, const struct pobj_geom *g,
		   u32 lane, struct pobj_finding *f);

/* How a step changes its word. */
enum pobj_step_kind {
	POBJ_STEP_WORD,		/* store @value */
	POBJ_STEP_A,		/* toggle the bit @value: word A of a slab that is this lane's */
	POBJ_STEP_F,		/* toggle it, LOCKed: word F of a slab */
};

/**
 * struct pobj_step - a change whose place is known and allowed
 * @target: how the log names it: offset of the word, or POBJ_M_TARGET_OBJECT | reference
 * @old: old value for the log; of words pobj_lane_apply() takes it
 * @value: see enum pobj_step_kind
 * @at: the word; of an object, the word A or F of its state
 */
struct pobj_step {
	u64 target;
	u64 old;
	u64 value;
	__le64 *at;
	enum pobj_step_kind kind;
};

/*
 * Make @cnt changes, all or none: after a crash at any point the pool has all old values (before
 * return) or all new ones (after it; before it, too). Three fence rounds. What the caller flushed
 * before is durable before the first change. Targets are different; words are 8-byte aligned and
 * where pobj_lane_may_undo() says; objects are in the other state. 0; -ENOSPC: the log holds fewer,
 * pobj_lane_grow() first; what fence says (the pool must then be closed). Nothing was
 * changed unless a fence failed.
 */
int pobj_lane_apply(struct pobj_lane *l, struct pobj_step *s, u32 cnt);

/*
 * The same from names, which are judged: also -EINVAL: a target, or the state of an object. @steps:
 * room for @cnt.
 */
int pobj_lane_change(struct pobj_lane *l, const struct pobj_change *c, u32 cnt,
		     struct pobj_step *steps);

/*
 * pobj_lane_apply() for the commonest: the object of @s becomes allocated, and its id
 * {@uuid, @off} is written at @dest.
 */
int pobj_lane_alloc_step(struct pobj_lane *l, const struct pobj_step *s, u64 dest, u64 uuid,
			 u64 off);

/*
 * Free an object and null the id of it at @dest (0: none), both or neither; durable at return. The
 * step names the object, its state changes by WORD (header of a large one, to 0), A or F. One fence
 * round; two if the id straddles lines. @durable: the caller promises that what stands at @dest is
 * durable; else its line is flushed along, so that no older id can come back.
 * The entry stays live until a later operation of this lane retires it (@sealed): until then nobody
 * but this lane, in a logged operation, may hand the object out again. 0; what fence says.
 */
int pobj_lane_free_step(struct pobj_lane *l, const struct pobj_step *s, u64 dest, bool durable);

/* The same from a name, which is judged. @owned: the slab is this lane's own. Also -EINVAL. */
int pobj_lane_free(struct pobj_lane *l, u64 ref, u64 dest, bool owned);

/*
 * Make one step that needs no undo, because one word says it all: objects of one slab become
 * allocated (@value may have several bits), or a large one gets its header. @page: whose
 * line it is. One fence round; one more for several objects if frees of this lane are not
 * retired.
 */
int pobj_lane_publish_step(struct pobj_lane *l, const struct pobj_step *s, u64 page);

/* The same for all of @bits in pair @pair of the line of @page, whose slab is this lane's own. */
int pobj_lane_publish(struct pobj_lane *l, u64 page, u32 pair, u64 bits);

/* Retire all entries so far (@sealed). No fence round if they are, else one or two. */
int pobj_lane_retire(struct pobj_lane *l);

/* Changes that one entry of this lane can hold now. */
u64 pobj_lane_capacity(const struct pobj_lane *l);

/* Add the free page @page to the log. 0; what pobj_lane_change() says; -EUCLEAN. */
int pobj_lane_grow(struct pobj_lane *l, u64 page);

/*
 * May a free entry null an id at @off? In the data, aligned, in no log. 0; -EUCLEAN: no;
 * -ENOENT: that is a log's; -EIO.
 */
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
			      v->entry[v->newest % POBJ_SLOTS].kind == POBJ_M_ENTRY_NOP);
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

static inline u64 pobj_tag(u64 seq, u32 kind)
{
	return seq << POBJ_M_TAG_KIND_BITS | kind;
}

/*
 * Fill in count, distance, checksum and tag of a line whose words are set. Inline, with
 * what stores it: two of three instructions of an operation are here.
 */
static pobj_env_inline void pobj_log_line_seal(struct pobj_m_slot *raw, u32 cnt, u64 dist, u64 tag)
{
	const u64 packed = (u64)cnt << POBJ_M_PACKED_CNT_SHIFT | dist << POBJ_M_PACKED_DIST_SHIFT;
	const __le64 w[8] = {
		raw->word[0], raw->word[1], raw->word[2], raw->word[3], raw->word[4], raw->word[5],
		cpu_to_le64(packed), cpu_to_le64(tag),	/* the checksum's own bits are 0 */
	};

	raw->packed = cpu_to_le64(packed | (u64)pobj_env_crc32c_line(w) << POBJ_M_PACKED_CRC_SHIFT);
	raw->tag = cpu_to_le64(tag);
}

/* Store one slot, whose words @raw has: tag last. Returns it, for the caller to flush. */
static pobj_env_inline const void *pobj_lane_store(struct pobj_lane *l, u32 kind,
						   struct pobj_m_slot *raw, u32 cnt)
{
	struct pobj_m_slot *dst;

	l->seq++;					/* P4 */
	l->said = l->retired;
	pobj_log_line_seal(raw, cnt, pobj_weak(POBJ_WEAK_RETIRE) ? 1 : l->seq - l->retired,
			   pobj_tag(l->seq, kind));				/* P3 */
	dst = &l->slots[l->seq % POBJ_SLOTS];	/* P2 */
	pobj_store_words(l->m, (__le64 *)dst, (const __le64 *)raw, 8);			/* P1 */
	return dst;
}

/* The same, and flush it; no fence. */
static pobj_env_inline void pobj_lane_write(struct pobj_lane *l, u32 kind, struct pobj_m_slot *raw,
					    u32 cnt)
{
	const void *slot = pobj_lane_store(l, kind, raw, cnt);

	pobj_flush_line(l->m, slot);
}

/* A NOP, which retires what went before; @hint: 1 + page whose line goes with it, or 0. */
static pobj_env_inline const void *pobj_lane_store_nop(struct pobj_lane *l, u64 hint)
{
	struct pobj_m_slot raw = { .word = { cpu_to_le64(hint) } };

	return pobj_lane_store(l, POBJ_M_ENTRY_NOP, &raw, 0);
}

#endif
