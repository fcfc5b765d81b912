// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Lane logs, 3: operations. How words and objects of a pool change together.
 *
 * P5. Words change in three rounds: (1) old values into the log, extension lines and slot, with
 *     whatever the caller flushed before; (2) the words; (3) a NOP that retires the entry. Without
 *     the fence before (2), a new word could be durable and its old value not; without that
 *     before (3), the entry could be retired with a word still on its way; without that after
 *     (3), a plain store of the caller right after return would look like an unfinished
 *     operation, and be undone.
 * P6. Live undo entries are always undone, never finished: they did not return.
 * P7. An extension line carries the tag of its entry. An entry whose lines do not all carry it
 *     never began: power failed in round (1), when no word had changed. That can be the newest
 *     entry only.
 * P8. All old values are taken before the first word changes. So the order of putting them back
 *     does not matter, even if a hostile log names a word twice.
 *
 * Objects. allocated = A xor F (pobj_media.h).
 *
 * P10. The owner of a slab stores A, plainly; everybody else toggles F, LOCKed. So the owner's
 *      store and a toggle of another lose nothing of each other. One word with plain stores would
 *      lose a toggle: an id pointing to a free object.
 * P11. Freeing is redone, not undone: entry, fence, then state and id without a fence. That is
 *      durable at return because recovery repeats it, and may be repeated because the object is
 *      out of circulation: not handed out until the entry is retired, but by the same lane through
 *      an undo entry, which recovery takes back before it comes to the free (newest first).
 * P12. An id is written off, then uuid, and nulled in that order; recovery nulls it only if it
 *      holds {uuid of this pool, the object} or {0, the object}: another pool's id may have that
 *      offset.
 * P13. An id that straddles two lines is nulled with a fence at the end.
 * P14. Publishing without a log (one word of one line) comes after a fence, and the NOP
 *      that goes with it (P15) retires this lane's frees. If that NOP is lost and the word
 *      is not, a free that is repeated takes the new life of its object back, as if nothing
 *      had been published: fine for one object; of several it would take some. So for
 *      several the frees are retired first.
 * P15. A process killed in such a publish, between the store of the bits and their flush, leaves
 *      memory ahead of the medium with no live entry to show for it: survivors would see objects
 *      that a later power cut takes away. So a NOP that names the line goes before the bits, in the
 *      same round; whoever recovers the lane flushes that line (recover.c R2).
 * P16. What a free stores behind its fence is flushed by the lane's next fence. Nobody needs it
 *      sooner, since the entry is live; and the next free mostly touches the same lines
 *      again, which would be written back twice in a round.
 *
 * Asked, and answered here:
 * - Two rounds for an allocation whose caller promises not to store to the destination before the
 *   lane's next operation? No: with the retirement riding on the next operation, an entry that is
 *   live after return cannot be told from one that is not finished, and would be undone.
 * - Media that tear lines (page cache)? Entries have a checksum over all their words
 *   (lane.c); state on its own is never more than one word of 8 bytes (P14), all else is
 *   under an entry.
 * - A reaper that puts an id back where a live thread has stored since? Nobody may store there
 *   before the dead lane is recovered (lib/reap.c), so words are put back by plain stores.
 */
#include "lib/core/lane.h"
#include "lib/core/object.h"

/* Fence. What an entry says is then durable, too, and what a free left (P16). */
static inline int lane_fence(struct pobj_lane *l)
{
	int err;

	if (l->late[0]) {
		pobj_flush_line(l->m, l->late[0]);
		if (l->late[1])
			pobj_flush_line(l->m, l->late[1]);
		l->late[0] = NULL;
	}
	err = pobj_fence(l->m);

	if (!err)
		l->sealed = l->said;
	return err;
}

/* ---- steps ------------------------------------------------------------------------------- */

/* Extension lines for steps [POBJ_M_PAIRS, cnt), with the tag that the slot will have. */
static int undo_write_ext(struct pobj_lane *l, const struct pobj_step *s, u32 cnt, u64 tag)
{
	struct pobj_ext_walk walk;
	struct pobj_m_slot raw;
	__le64 *dst;
	u32 i, n, done = POBJ_M_PAIRS;
	int err;

	for (err = pobj_ext_first(&walk, l->m, l->g, l->lane, NULL); done < cnt;
	     err = pobj_ext_next(&walk, NULL)) {
		if (err)
			return err;
		n = cnt - done < POBJ_M_PAIRS ? cnt - done : POBJ_M_PAIRS;
		memset(&raw, 0, sizeof(raw));
		for (i = 0; i < n; i++) {
			raw.word[2 * i] = cpu_to_le64(s[done + i].target);
			raw.word[2 * i + 1] = cpu_to_le64(s[done + i].old);	/* P8 */
		}
		pobj_log_line_seal(&raw, n, 0, tag);
		dst = pobj_media_ptr(l->m, walk.off);
		pobj_store_words(l->m, dst, (const __le64 *)&raw,
				 POBJ_M_LINE / sizeof(__le64));		/* P1, P7 */
		pobj_flush(l->m, dst, POBJ_M_LINE);
		done += n;
	}
	return 0;
}

/* P10. */
static inline void step_make(const struct pobj_lane *l, const struct pobj_step *s)
{
	switch (s->kind) {
	case POBJ_STEP_WORD:
		pobj_store64(l->m, s->at, s->value);
		break;
	case POBJ_STEP_A:
		pobj_store64(l->m, s->at, le64_to_cpu(pobj_env_load64(s->at)) ^ s->value);
		break;
	case POBJ_STEP_F:
		pobj_store_xor(l->m, s->at, s->value);
		break;
	}
}

/* P5, round 2: LOCKs first, they want no flush before them; then the rest, in order. */
static pobj_env_inline void steps_make(struct pobj_lane *l, const struct pobj_step *s, u32 cnt,
				       bool locks)
{
	uintptr_t line, last = 0;
	u32 i;

	for (i = 0; locks && i < cnt; i++) {
		if (s[i].kind == POBJ_STEP_F)
			step_make(l, &s[i]);
	}
	for (i = 0; i < cnt; i++) {
		if (s[i].kind != POBJ_STEP_F)
			step_make(l, &s[i]);
	}
	for (i = 0; i < cnt; i++) {
		/* Neighbours, the two words of an id mostly, share a line. */
		line = (uintptr_t)s[i].at / POBJ_M_LINE;
		if (line != last)
			pobj_flush_line(l->m, s[i].at);
		last = line;
	}
}

static inline bool id_straddles(const __le64 *id)
{
	return (uintptr_t)id % POBJ_M_LINE == POBJ_M_LINE - sizeof(*id);
}

static inline bool same_line(const void *a, const void *b)
{
	return (uintptr_t)a / POBJ_M_LINE == (uintptr_t)b / POBJ_M_LINE;
}

static inline void flush_id(const struct pobj_lane *l, const __le64 *id)
{
	pobj_flush_line(l->m, id);
	if (id_straddles(id))
		pobj_flush_line(l->m, id + 1);
}

/* Round 3: the entries so far are over. */
static int lane_retire(struct pobj_lane *l)
{
	const void *slot = pobj_lane_store_nop(l, 0);
	int err;

	pobj_flush_line(l->m, slot);
	err = lane_fence(l);
	if (!err)
		l->retired = l->seq;
	return err;
}

int pobj_lane_retire(struct pobj_lane *l)
{
	int err;

	if (l->sealed >= l->last_free)
		return 0;
	if (l->retired < l->seq) {
		err = lane_fence(l);
		if (err)
			return err;
		l->retired = l->seq;
	}
	return lane_retire(l);
}

static pobj_env_inline int lane_apply(struct pobj_lane *l, struct pobj_step *s, u32 cnt)
{
	struct pobj_m_slot head = { .tag = 0 };
	bool locks = false;
	u32 i;
	int err;

	for (i = 0; i < cnt; i++) {
		if (s[i].kind == POBJ_STEP_WORD)
			s[i].old = le64_to_cpu(pobj_env_load64(s[i].at));
		locks |= s[i].kind == POBJ_STEP_F;
	}

	/* P5, round 1: old values. */
	if (cnt > POBJ_M_PAIRS) {
		err = undo_write_ext(l, s, cnt, pobj_tag(l->seq + 1, POBJ_M_ENTRY_UNDO));
		if (err)
			return err;
	}
	for (i = 0; i < cnt && i < POBJ_M_PAIRS; i++) {
		head.word[2 * i] = cpu_to_le64(s[i].target);
		head.word[2 * i + 1] = cpu_to_le64(s[i].old);
	}
	pobj_lane_write(l, POBJ_M_ENTRY_UNDO, &head, cnt);
	err = lane_fence(l);
	if (err)
		return err;
	l->retired = l->seq - 1;			/* P3: that fence covered all before */

	/* Round 2: the changes. */
	steps_make(l, s, cnt, locks);
	err = lane_fence(l);
	if (err)
		return err;
	l->retired = l->seq;
	return lane_retire(l);
}

int pobj_lane_apply(struct pobj_lane *l, struct pobj_step *s, u32 cnt)
{
	/* The commonest by themselves: the compiler makes straight code of them. */
	if (cnt == 2)
		return lane_apply(l, s, 2);
	if (cnt == 3)
		return lane_apply(l, s, 3);
	if (!cnt || cnt > POBJ_M_PACKED_MAX)
		return -EINVAL;
	if (cnt > POBJ_M_PAIRS && cnt > pobj_lane_capacity(l))
		return -ENOSPC;
	return lane_apply(l, s, cnt);
}

int pobj_lane_alloc_step(struct pobj_lane *l, const struct pobj_step *s, u64 dest, u64 uuid,
			 u64 off)
{
	__le64 *id = pobj_media_ptr(l->m, dest);
	struct pobj_m_slot undo;
	int err;

	/* P5, as in pobj_lane_apply(). */
	undo.word[0] = cpu_to_le64(s->target);
	undo.word[1] = s->kind == POBJ_STEP_WORD ? pobj_env_load64(s->at) : cpu_to_le64(s->old);
	undo.word[2] = cpu_to_le64(dest + sizeof(*id));
	undo.word[3] = pobj_env_load64(id + 1);
	undo.word[4] = cpu_to_le64(dest);
	undo.word[5] = pobj_env_load64(id);
	pobj_lane_write(l, POBJ_M_ENTRY_UNDO, &undo, 3);
	err = lane_fence(l);
	if (err)
		return err;
	l->retired = l->seq - 1;

	step_make(l, s);
	pobj_store64(l->m, id + 1, off);			/* P12: off, then uuid */
	pobj_store64(l->m, id, uuid);
	pobj_flush_line(l->m, s->at);
	flush_id(l, id);
	err = lane_fence(l);
	if (err)
		return err;
	l->retired = l->seq;
	return lane_retire(l);
}

int pobj_lane_free_step(struct pobj_lane *l, const struct pobj_step *s, u64 dest, bool durable)
{
	struct pobj_m_slot free = {
		.word = { cpu_to_le64(s->target & ~POBJ_M_TARGET_OBJECT), cpu_to_le64(dest) },
	};
	__le64 *id = pobj_media_ptr(l->m, dest);
	int err;

	/*
	 * Round 1. The destination is flushed along: the caller may have stored the id and never
	 * persisted it, and an older one must not come back after return (H6 of the protocol).
	 */
	pobj_lane_write(l, POBJ_M_ENTRY_FREE, &free, 0);
	l->last_free = l->seq;
	/*
	 * Not one that straddles, it has a fence at the end; and the last free's id in the
	 * same line is flushed late, that is now.
	 */
	if (dest && !durable && !id_straddles(id) &&
	    !(l->late[0] && same_line(l->late[1], id)))
		pobj_flush_line(l->m, id);
	err = lane_fence(l);
	if (err)
		return err;
	l->retired = l->seq - 1;

	/* No fence behind this: the entry is redone until it is retired (P11). */
	step_make(l, s);
	l->late[0] = s->at;
	l->late[1] = NULL;
	if (!dest)
		return 0;
	pobj_store64(l->m, id + 1, 0);				/* P12: off, then uuid */
	pobj_store64(l->m, id, 0);
	l->late[1] = id;
	if (!id_straddles(id))
		return 0;
	/* P13: an id in two lines would tear with the caller's next store to it. */
	pobj_flush_line(l->m, id + 1);
	if (pobj_weak(POBJ_WEAK_STRADDLE))
		return 0;
	err = lane_fence(l);
	if (!err)
		l->retired = l->seq;
	return err;
}

int pobj_lane_publish_step(struct pobj_lane *l, const struct pobj_step *s, u64 page)
{
	const void *slot;
	int err;

	/* What is announced is durable first: contents, and effects of this lane's frees. */
	err = pobj_weak(POBJ_WEAK_CONTENTS) ? 0 : lane_fence(l);
	if (err)
		return err;
	l->retired = l->seq;
	/* P14 */
	if (l->sealed < l->last_free && s->kind != POBJ_STEP_WORD &&
	    (s->value & (s->value - 1)) && !pobj_weak(POBJ_WEAK_REUSE)) {
		err = lane_retire(l);
		if (err)
			return err;
	}
	/* P15: tell who recovers after a kill which line to flush. */
	slot = pobj_lane_store_nop(l, pobj_weak(POBJ_WEAK_HINT) ? 0 : page + 1);
	step_make(l, s);
	pobj_flush_line(l->m, slot);
	pobj_flush_line(l->m, s->at);
	err = lane_fence(l);
	if (!err)
		l->retired = l->seq;
	return err;
}

/* ---- from names ------------------------------------------------------------------------- */

/* The state word of @o that this lane changes. */
static void object_step(const struct pobj_lane *l, const struct pobj_object *o, u64 target,
			bool owned, struct pobj_step *s)
{
	s->target = target;
	s->old = o->allocated;
	s->value = o->bit;
	s->at = pobj_media_ptr(l->m, owned ? o->a : o->f);
	s->kind = owned ? POBJ_STEP_A : POBJ_STEP_F;
}

/* Is the target allowed, and an object in the state that the change leaves? */
static int change_resolve(const struct pobj_lane *l, const struct pobj_change *c,
			  struct pobj_step *s)
{
	struct pobj_object o;
	bool ground;
	int err;

	if (c->target & POBJ_M_TARGET_OBJECT) {
		err = pobj_object_find(l->m, l->g, c->target & ~POBJ_M_TARGET_OBJECT, &o, NULL);
		if (!err && (!o.bit || o.allocated == (c->value & 1)))
			err = -EINVAL;
		if (!err)
			object_step(l, &o, c->target, c->value & POBJ_OWNED, s);
	} else {
		err = pobj_lane_may_undo(l->m, l->g, l->lane, c->target, &ground);
		s->target = c->target;
		s->value = c->value;
		s->at = pobj_media_ptr(l->m, c->target);
		s->kind = POBJ_STEP_WORD;
	}
	return err && err != -EIO ? -EINVAL : err;
}

int pobj_lane_change(struct pobj_lane *l, const struct pobj_change *c, u32 cnt,
		     struct pobj_step *steps)
{
	u32 i;
	int err;

	if (cnt > POBJ_M_PACKED_MAX)
		return -EINVAL;
	for (i = 0; i < cnt; i++) {
		err = change_resolve(l, &c[i], &steps[i]);
		if (err)
			return err;
	}
	return pobj_lane_apply(l, steps, cnt);
}

int pobj_lane_free(struct pobj_lane *l, u64 ref, u64 dest, bool owned)
{
	struct pobj_object o;
	struct pobj_step s;
	int err;

	err = pobj_object_find(l->m, l->g, ref, &o, NULL);
	if (!err && !o.allocated)
		err = -EINVAL;
	if (!err && dest)
		err = pobj_lane_may_null(l->m, l->g, dest);
	if (err)
		return err == -EIO ? err : -EINVAL;
	object_step(l, &o, POBJ_M_TARGET_OBJECT | ref, owned || !o.bit, &s);
	if (!o.bit) {
		s.kind = POBJ_STEP_WORD;
		s.value = 0;
	}
	return pobj_lane_free_step(l, &s, dest, false);
}

int pobj_lane_publish(struct pobj_lane *l, u64 page, u32 pair, u64 bits)
{
	struct pobj_m_line *line = pobj_media_ptr(l->m, pobj_geom_line(l->g, page));
	struct pobj_step s = { .at = &line->slab[pair].a, .value = bits, .kind = POBJ_STEP_A };

	return pobj_lane_publish_step(l, &s, page);
}
