// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Recovery: from whatever a power cut or a kill left to the state after the last operation that
 * finished. Reads superblock and lanes only: its time grows with the lanes, not with the heap.
 *
 * R1. Verify all, then act. Damage found in any lane leaves the pool untouched.
 * R2. Before acting on a lane, flush its newest slots and fence: after a kill memory is ahead of
 *     the medium, and what we conclude from an entry must not be undone by a later power cut that
 *     forgets the entry (a NOP that never arrived would bring a finished operation's entry back).
 *     One fence serves all lanes: on some media a fence is a disk's flush.
 * R3. Newest entry first. Undo entries are put back (lane.c P6, P8).
 * R4. Flush every line an entry covers, even where nothing had to change: memory may be right and
 *     the medium not. Then fence.
 * R5. Only then retire: one slot {NOP, retired-upto = newest}, flush, fence. Tags are never
 *     cleared one by one. A crash at any point repeats the same recovery with the same result.
 * R6. Records are copied out and verified before they are used, again in the acting pass: the
 *     medium may change between. Writes go only where pobj_lane_may_undo() allows.
 */
#include "lib/core/recover.h"
#include "lib/core/lane.h"

/* Verify or, with @act, put back the words of one slot or extension line. */
static int undo_pairs(const struct pobj_media *m, const struct pobj_geom *g, u32 lane, u64 off,
		      const u64 *word, u32 pairs, bool act, struct pobj_finding *f)
{
	__le64 *dst, now;
	u32 i;

	for (i = 0; i < pairs; i++) {
		if (!pobj_lane_may_undo(m, g, lane, word[2 * i]))
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_TARGET, off, word[2 * i], 0);
		if (!act)
			continue;
		if (m->read(m, &now, word[2 * i], sizeof(now)))
			return pobj_found(f, -EIO, POBJ_DIAG_MEDIA, word[2 * i], 0, 0);
		dst = pobj_media_ptr(m, word[2 * i]);
		if (le64_to_cpu(now) != word[2 * i + 1])
			pobj_store64(m, dst, word[2 * i + 1]);
		pobj_flush(m, dst, sizeof(*dst));		/* R4 */
	}
	return 0;
}

/*
 * Extension lines of @e, which stand for pairs POBJ_M_PAIRS and up. -ENODATA: the entry never
 * began (lane.c P7).
 */
static int undo_ext(const struct pobj_media *m, const struct pobj_geom *g, u32 lane,
		    const struct pobj_entry *e, bool act, struct pobj_finding *f)
{
	const u64 tag = e->seq << POBJ_M_TAG_KIND_BITS | POBJ_M_ENTRY_UNDO;
	struct pobj_ext_walk w;
	struct pobj_m_slot raw;
	u64 word[6];
	u32 i, n, cnt, left = e->cnt - POBJ_M_PAIRS;
	int err;

	for (err = pobj_ext_first(&w, m, g, lane, f); left; err = pobj_ext_next(&w, f)) {
		if (err == -ENOSPC)	/* more words than the log has lines */
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
					  pobj_geom_slot(g, lane, e->seq), e->cnt, 0);
		if (err)
			return err;
		if (m->read(m, &raw, w.off, sizeof(raw)))
			return pobj_found(f, -EIO, POBJ_DIAG_MEDIA, w.off, 0, 0);
		if (le64_to_cpu(raw.tag) != tag)
			return -ENODATA;
		if (!pobj_log_line_ok(&raw)) {
			if (m->lines_tear)
				return -ENODATA;
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_CRC, w.off, e->seq, 0);
		}
		n = left < POBJ_M_PAIRS ? left : POBJ_M_PAIRS;
		cnt = (le64_to_cpu(raw.packed) >> POBJ_M_PACKED_CNT_SHIFT) & POBJ_M_PACKED_MAX;
		if (cnt != n)
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD, w.off, cnt, n);
		for (i = 0; i < 6; i++)
			word[i] = le64_to_cpu(raw.word[i]);
		err = undo_pairs(m, g, lane, w.off, word, n, act, f);
		if (err)
			return err;
		left -= n;
	}
	return 0;
}

/* Verify, or undo, one undo entry. -ENODATA: it never began. */
static int undo_entry(const struct pobj_media *m, const struct pobj_geom *g, u32 lane,
		      const struct pobj_entry *e, bool act, struct pobj_finding *f)
{
	const u64 off = pobj_geom_slot(g, lane, e->seq);
	u32 n = e->cnt < POBJ_M_PAIRS ? e->cnt : POBJ_M_PAIRS;
	int err = 0;

	if (!e->cnt)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD, off, 0, 1);
	/* Extension lines first: they tell whether the entry began at all. */
	if (e->cnt > POBJ_M_PAIRS)
		err = undo_ext(m, g, lane, e, act, f);
	if (err)
		return err;
	return undo_pairs(m, g, lane, off, e->word, n, act, f);
}

/* Verify, or act on, the live entries of a lane that was read. */
static int lane_entries(const struct pobj_media *m, const struct pobj_geom *g, u32 lane,
			const struct pobj_lane_view *v, bool act, struct pobj_recovery *r,
			struct pobj_finding *f)
{
	const struct pobj_entry *e;
	u64 seq;
	int err;

	for (seq = v->newest; seq > v->retired; seq--) {	/* R3 */
		e = &v->entry[seq % POBJ_M_SLOT_CNT];
		switch (e->kind) {
		case POBJ_M_ENTRY_NOP:
			break;
		case POBJ_M_ENTRY_UNDO:
			/* Acting must not begin on an entry that never began: judge it whole. */
			err = undo_entry(m, g, lane, e, false, f);
			if (err == -ENODATA && seq != v->newest)
				return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
						  pobj_geom_slot(g, lane, seq), seq, v->newest);
			if (!err && act) {
				err = undo_entry(m, g, lane, e, true, f);
				if (!err)
					r->undone += e->cnt;
			}
			if (err && err != -ENODATA)
				return err;
			break;
		default:
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
					  pobj_geom_slot(g, lane, seq), e->kind, 0);
		}
		if (act && e->kind != POBJ_M_ENTRY_NOP)
			r->live++;
	}
	return 0;
}

/* Is there nothing to do but to make the newest slot durable? */
static bool lane_is_idle(const struct pobj_lane_view *v)
{
	return !v->newest || (v->retired == v->newest - 1 &&
			      v->entry[v->newest % POBJ_M_SLOT_CNT].kind == POBJ_M_ENTRY_NOP);
}

static int lane_verify(const struct pobj_media *m, const struct pobj_geom *g, u32 lane,
		       struct pobj_lane_view *v, struct pobj_finding *f)
{
	int err = pobj_lane_read(m, g, lane, v, f);

	return err ? err : lane_entries(m, g, lane, v, false, NULL, f);
}

/* R2: the first half, for one lane; the caller fences. */
static void lane_flush_slots(const struct pobj_media *m, const struct pobj_geom *g, u32 lane,
			     const struct pobj_lane_view *v)
{
	u64 seq;

	for (seq = v->newest; seq > v->retired; seq--)
		pobj_flush(m, pobj_media_ptr(m, pobj_geom_slot(g, lane, seq)), POBJ_M_LINE);
}

/* R3 to R5 for one lane whose live slots are durable. */
static int lane_replay(const struct pobj_media *m, const struct pobj_geom *g, u32 lane,
		       const struct pobj_lane_view *v, struct pobj_recovery *r,
		       struct pobj_finding *f)
{
	static const u64 nothing[6];
	struct pobj_lane l = { .m = m, .g = g, .lane = lane };
	int err;

	err = lane_entries(m, g, lane, v, true, r, f);
	if (!err)
		err = pobj_fence(m);				/* R4 */
	if (err)
		return err;
	l.seq = v->newest;
	l.retired = v->newest;
	pobj_lane_write(&l, POBJ_M_ENTRY_NOP, nothing, 0);	/* R5 */
	return pobj_fence(m);
}

int pobj_recover_lane(const struct pobj_media *m, const struct pobj_geom *g, u32 lane,
		      struct pobj_recovery *r, struct pobj_finding *f)
{
	struct pobj_lane_view v;
	int err;

	err = lane_verify(m, g, lane, &v, f);
	if (err)
		return err;
	r->lanes++;
	r->torn += v.torn;
	lane_flush_slots(m, g, lane, &v);
	err = pobj_fence(m);
	if (err || lane_is_idle(&v))
		return err;
	return lane_replay(m, g, lane, &v, r, f);
}

int pobj_recover_pool(const struct pobj_media *m, struct pobj_super *s, struct pobj_recovery *r,
		      struct pobj_finding *f)
{
	const struct pobj_geom *g = &s->geom;
	struct pobj_lane_view v;
	u32 lane, busy = 0;
	int err;

	memset(r, 0, sizeof(*r));
	err = pobj_super_load(m, s, f);
	if (err)
		return err;
	for (lane = 0; lane < g->lane_cnt; lane++) {		/* R1 */
		err = lane_verify(m, g, lane, &v, f);
		if (err)
			return err;
		r->torn += v.torn;
		busy += !lane_is_idle(&v);
	}
	r->lanes = g->lane_cnt;
	for (lane = 0; lane < g->lane_cnt; lane++) {		/* R2 */
		err = pobj_lane_read(m, g, lane, &v, f);
		if (err)
			return err;
		lane_flush_slots(m, g, lane, &v);
	}
	err = pobj_fence(m);
	for (lane = 0; busy && !err && lane < g->lane_cnt; lane++) {
		err = pobj_lane_read(m, g, lane, &v, f);
		if (!err && !lane_is_idle(&v))
			err = lane_replay(m, g, lane, &v, r, f);
	}
	if (err)
		return err;
	if (s->bad_copies) {
		err = pobj_super_repair(m, s);
		if (!err)
			r->repaired++;
	}
	return err;
}
