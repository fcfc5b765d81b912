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
 * P14. Publishing without a log (one word of one line) must not come while frees of this lane are
 *      live: they are retired first.
 * P15. A process killed in such a publish, between the store of the bits and their flush, leaves
 *      memory ahead of the medium with no live entry to show for it: survivors would see objects
 *      that a later power cut takes away. So a NOP that names the line goes before the bits, in the
 *      same round; whoever recovers the lane flushes that line (recover.c R2).
 */
#include "lib/core/lane.h"
#include "lib/core/object.h"

/* What stands where @c will change it. */
static u64 old_value(const struct pobj_lane *l, const struct pobj_change *c)
{
	if (c->target & POBJ_M_TARGET_OBJECT)
		return !(c->value & 1);
	return le64_to_cpu(pobj_env_load64(pobj_media_ptr(l->m, c->target)));
}

/* Extension lines for changes [POBJ_M_PAIRS, cnt), with the tag that the slot will have. */
static int undo_write_ext(struct pobj_lane *l, const struct pobj_change *c, u32 cnt, u64 tag)
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
			raw.word[2 * i] = cpu_to_le64(c[done + i].target);
			raw.word[2 * i + 1] = cpu_to_le64(old_value(l, &c[done + i])); /* P8 */
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

/* Flush the lines of [off, off + len). */
static void flush_at(const struct pobj_lane *l, u64 off, u64 len)
{
	pobj_flush(l->m, pobj_media_ptr(l->m, off), len);
}

/* Are all targets allowed, and objects in the state that the change leaves? */
static int changes_check(const struct pobj_lane *l, const struct pobj_change *c, u32 cnt)
{
	struct pobj_object o;
	bool ground;
	u32 i;
	int err;

	for (i = 0; i < cnt; i++) {
		if (c[i].target & POBJ_M_TARGET_OBJECT) {
			err = pobj_object_find(l->m, l->g, c[i].target & ~POBJ_M_TARGET_OBJECT, &o,
					       NULL);
			if (!err && (!o.bit || o.allocated == (c[i].value & 1)))
				err = -EINVAL;
		} else {
			err = pobj_lane_may_undo(l->m, l->g, l->lane, c[i].target, &ground);
		}
		if (err)
			return err == -EIO ? err : -EINVAL;
	}
	return 0;
}

/* Toggle the state of an object in a slab. P10: plain in A, or LOCKed in F. */
static void object_toggle(const struct pobj_lane *l, const struct pobj_object *o, bool owned)
{
	__le64 *a = pobj_media_ptr(l->m, o->a);
	__le64 *f = pobj_media_ptr(l->m, o->f);

	if (owned)
		pobj_store64(l->m, a, le64_to_cpu(pobj_env_load64(a)) ^ o->bit);
	else
		pobj_store_xor(l->m, f, o->bit);
}

/* P5, round 2: objects first, their LOCK wants no flush before it; then words, in order. */
static void changes_make(struct pobj_lane *l, const struct pobj_change *c, u32 cnt)
{
	struct pobj_object o;
	__le64 *dst;
	u32 i;

	for (i = 0; i < cnt; i++) {
		if (!(c[i].target & POBJ_M_TARGET_OBJECT))
			continue;
		pobj_object_find(l->m, l->g, c[i].target & ~POBJ_M_TARGET_OBJECT, &o, NULL);
		object_toggle(l, &o, c[i].value & POBJ_OWNED);
	}
	for (i = 0; i < cnt; i++) {
		if (c[i].target & POBJ_M_TARGET_OBJECT)
			continue;
		dst = pobj_media_ptr(l->m, c[i].target);
		pobj_store64(l->m, dst, c[i].value);
	}
	for (i = 0; i < cnt; i++) {
		if (c[i].target & POBJ_M_TARGET_OBJECT)
			flush_at(l, pobj_geom_line(l->g, pobj_ref_page(c[i].target &
								       ~POBJ_M_TARGET_OBJECT)),
				 POBJ_M_LINE);
		else
			flush_at(l, c[i].target, sizeof(u64));
	}
}

/* Round 3: the entries so far are over. */
static int lane_retire(struct pobj_lane *l)
{
	static const u64 nothing[6];
	int err;

	pobj_lane_write(l, POBJ_M_ENTRY_NOP, nothing, 0);
	err = pobj_fence(l->m);
	if (!err)
		l->retired = l->seq;
	return err;
}

int pobj_lane_change(struct pobj_lane *l, const struct pobj_change *c, u32 cnt)
{
	u64 head[6] = { 0 };
	u32 i;
	int err;

	if (!cnt || cnt > POBJ_M_PACKED_MAX)
		return -EINVAL;
	if (cnt > POBJ_M_PAIRS && cnt > pobj_lane_capacity(l))
		return -ENOSPC;
	err = changes_check(l, c, cnt);
	if (err)
		return err;

	/* P5, round 1: old values. */
	err = undo_write_ext(l, c, cnt, pobj_tag(l->seq + 1, POBJ_M_ENTRY_UNDO));
	if (err)
		return err;
	for (i = 0; i < cnt && i < POBJ_M_PAIRS; i++) {
		head[2 * i] = c[i].target;
		head[2 * i + 1] = old_value(l, &c[i]);
	}
	pobj_lane_write(l, POBJ_M_ENTRY_UNDO, head, cnt);
	err = pobj_fence(l->m);
	if (err)
		return err;
	l->retired = l->seq - 1;			/* P3: that fence covered all before */

	/* Round 2: the changes. */
	changes_make(l, c, cnt);
	err = pobj_fence(l->m);
	if (err)
		return err;
	l->retired = l->seq;
	return lane_retire(l);
}

int pobj_lane_free(struct pobj_lane *l, u64 ref, u64 dest, bool owned)
{
	u64 word[6] = { ref, dest };
	struct pobj_object o;
	__le64 *id;
	int err;

	err = pobj_object_find(l->m, l->g, ref, &o, NULL);
	if (!err && !o.allocated)
		err = -EINVAL;
	if (!err && dest)
		err = pobj_lane_may_null(l->m, l->g, dest);
	if (err)
		return err == -EIO ? err : -EINVAL;
	/*
	 * Round 1. The destination is flushed along: the caller may have stored the id and never
	 * persisted it, and an older one must not come back after return (H6 of the protocol).
	 */
	pobj_lane_write(l, POBJ_M_ENTRY_FREE, word, 0);
	if (dest)
		flush_at(l, dest, 2 * sizeof(u64));
	err = pobj_fence(l->m);
	if (err)
		return err;
	l->retired = l->seq - 1;

	/* No fence behind this: the entry is redone until it is retired (P11). */
	if (o.bit)
		object_toggle(l, &o, owned);
	else
		pobj_store64(l->m, (__le64 *)pobj_media_ptr(l->m, o.a), 0);
	flush_at(l, o.a, sizeof(u64));
	if (!dest)
		return 0;
	id = pobj_media_ptr(l->m, dest);
	pobj_store64(l->m, id + 1, 0);			/* P12: off, then uuid */
	pobj_store64(l->m, id, 0);
	flush_at(l, dest, 2 * sizeof(u64));
	if (dest % POBJ_M_LINE <= POBJ_M_LINE - 2 * sizeof(u64))
		return 0;
	/* P13: an id in two lines would tear with the caller's next store to it. */
	err = pobj_fence(l->m);
	if (!err)
		l->retired = l->seq;
	return err;
}

int pobj_lane_publish(struct pobj_lane *l, u64 page, u32 pair, u64 bits)
{
	struct pobj_m_line *line = pobj_media_ptr(l->m, pobj_geom_line(l->g, page));
	u64 a = le64_to_cpu(pobj_env_load64(&line->slab[pair].a));
	u64 word[6] = { 0 };
	int err;

	/* What the bits announce is durable first: contents, and effects of this lane's frees. */
	err = pobj_fence(l->m);
	if (err)
		return err;
	/* P14: a live free of these very objects would clear their new life. */
	if (l->retired < l->seq) {
		l->retired = l->seq;
		err = lane_retire(l);
		if (err)
			return err;
	}
	/* P15: tell who recovers after a kill which line to flush. */
	word[0] = page + 1;
	pobj_lane_write(l, POBJ_M_ENTRY_NOP, word, 0);
	pobj_store64(l->m, &line->slab[pair].a, a ^ bits);
	pobj_flush(l->m, line, sizeof(*line));
	err = pobj_fence(l->m);
	if (!err)
		l->retired = l->seq;
	return err;
}
