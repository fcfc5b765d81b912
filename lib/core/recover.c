// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Recovery: from whatever a power cut or a kill left to the state after the last operation that
 * finished. Reads superblock and lanes only: its time grows with the lanes, not with the heap.
 *
 * R1. Verify all, then act. Damage found in any lane leaves the pool untouched.
 * R2. Before acting, flush the live slots of each lane and fence: after a kill memory is ahead of
 *     the medium, and what we conclude from an entry must not be undone by a later power cut that
 *     forgets the entry (a NOP that never arrived would bring a finished operation's entry back).
 *     One fence serves all lanes: on some media a fence is a disk's flush.
 * R3. Newest entry first. Undo entries are put back (change.c P6, P8), frees are repeated (P11,
 *     P12).
 * R4. Flush every line an entry covers, even where nothing had to change: memory may be right and
 *     the medium not. Then fence.
 * R5. Only then retire: one slot {NOP, retired-upto = newest}, flush, fence. Tags are never
 *     cleared one by one. A crash at any point repeats the same recovery with the same result.
 * R6. Records are copied out and verified before they are used, again when acting: the medium may
 *     change between. Writes go only where pobj_lane_may_undo() and _may_null() allow.
 * R7. Judgements stand on page lines and on the links of log chains. These, the ground, are
 *     changed last, after the data of all lanes, and then nothing is judged any more: a log that
 *     rewrites the ground it stands on (no honest one does) cannot make us refuse half-way.
 */
#include "lib/core/recover.h"
#include "lib/core/lane.h"
#include "lib/core/object.h"

enum pass { PASS_VERIFY, PASS_DATA, PASS_GROUND };

/* What all steps of a recovery need. */
struct recovering {
	const struct pobj_media *m;
	const struct pobj_super *s;
	const struct pobj_geom *g;
	u32 lane;
	enum pass pass;
	struct pobj_recovery *r;
	struct pobj_finding *f;
	u64 busy[POBJ_LANES_MAX / 64];	/* lanes that have something live */
};

/*
 * Give the object the state @allocated, if it does not have it. Others may toggle their bits of the
 * word meanwhile, and may own the slab: F, LOCKed (change.c P10).
 */
static void object_settle(const struct pobj_media *m, const struct pobj_object *o, bool allocated)
{
	__le64 *a = pobj_media_ptr(m, o->a);

	if (o->allocated != allocated) {
		if (o->bit)
			pobj_store_xor(m, (__le64 *)pobj_media_ptr(m, o->f), o->bit);
		else
			pobj_store64(m, a, 0);
	}
	pobj_flush(m, a, sizeof(*a));				/* R4 */
}

/* Put back the state of an object: pair = {target, was allocated}. */
static int undo_object(const struct recovering *k, u64 off, const u64 pair[2])
{
	struct pobj_object o;
	int err;

	if (k->pass == PASS_GROUND)
		return 0;
	err = pobj_object_find(k->m, k->g, pair[0] & ~POBJ_M_TARGET_OBJECT, &o, k->f);
	if (err == -EIO)
		return err;
	/* Large objects come and go by their header word. */
	if (err || pair[1] > 1 || (o.off && !o.bit))
		return pobj_found(k->f, -EUCLEAN, POBJ_DIAG_LANE_TARGET, off, pair[0], pair[1]);
	if (k->pass == PASS_DATA && o.off)
		object_settle(k->m, &o, pair[1]);
	return 0;
}

/* Null the id at @dest if it is that of the object @o (change.c P12). */
static int null_id(const struct recovering *k, u64 dest, const struct pobj_object *o)
{
	__le64 id[2], *dst = pobj_media_ptr(k->m, dest);
	u64 uuid;

	if (k->m->read(k->m, id, dest, sizeof(id)))
		return pobj_found(k->f, -EIO, POBJ_DIAG_MEDIA, dest, 0, 0);
	if (k->pass != PASS_DATA)
		return 0;
	uuid = le64_to_cpu(id[0]);
	if (o->off && le64_to_cpu(id[1]) == o->off &&
	    (!uuid || uuid == pobj_super_uuid_lo(k->s) || pobj_weak(POBJ_WEAK_FOREIGN))) {
		pobj_store64(k->m, dst + 1, 0);
		pobj_store64(k->m, dst, 0);
	} else if (!id[1] && uuid == pobj_super_uuid_lo(k->s)) {
		/* Nulled half: off arrived, uuid did not. */
		pobj_store64(k->m, dst, 0);
	}
	pobj_flush(k->m, dst, sizeof(id));			/* R4 */
	return 0;
}

/* Repeat a free: state, then the id. A large object's state is ground. */
static int redo_free(const struct recovering *k, const struct pobj_entry *e)
{
	const u64 off = pobj_geom_slot(k->g, k->lane, e->seq), dest = e->word[1];
	struct pobj_object o;
	int err;

	err = pobj_object_find(k->m, k->g, e->word[0], &o, k->f);
	if (err == -EIO)
		return err;
	if (err)
		return pobj_found(k->f, -EUCLEAN, POBJ_DIAG_LANE_TARGET, off, e->word[0], 0);
	if (k->pass == PASS_GROUND) {
		if (o.off && !o.bit)
			object_settle(k->m, &o, false);
		return 0;
	}
	if (dest) {
		err = pobj_lane_may_null(k->m, k->g, dest);
		if (err == -EUCLEAN)
			return pobj_found(k->f, err, POBJ_DIAG_LANE_TARGET, off, dest, 0);
		if (!err)
			err = null_id(k, dest, &o);
		/* Where the id was is a log by now: it was freed, and the id with it. */
		if (err && err != -ENOENT)
			return err;
	}
	if (k->pass == PASS_DATA) {
		if (o.bit)
			object_settle(k->m, &o, false);
		k->r->redone++;
	}
	return 0;
}

/* Put back the words and objects of one slot or extension line. */
static int undo_pairs(const struct recovering *k, u64 off, const u64 *word, u32 pairs)
{
	__le64 *dst, now;
	bool ground;
	u64 target;
	u32 i;
	int err;

	for (i = 0; i < pairs; i++) {
		if (pobj_weak(POBJ_WEAK_UUID) && i == 2)
			continue;
		target = word[2 * i];
		if (target & POBJ_M_TARGET_OBJECT) {
			err = undo_object(k, off, word + 2 * i);
			if (err)
				return err;
			continue;
		}
		err = pobj_lane_may_undo(k->m, k->g, k->lane, target, &ground);
		if (err == -EUCLEAN)
			return pobj_found(k->f, err, POBJ_DIAG_LANE_TARGET, off, target, 0);
		if (err || k->m->read(k->m, &now, target, sizeof(now)))
			return pobj_found(k->f, -EIO, POBJ_DIAG_MEDIA, target, 0, 0);
		if (k->pass != (ground ? PASS_GROUND : PASS_DATA))
			continue;
		dst = pobj_media_ptr(k->m, target);
		if (le64_to_cpu(now) != word[2 * i + 1])
			pobj_store64(k->m, dst, word[2 * i + 1]);
		pobj_flush(k->m, dst, sizeof(*dst));		/* R4 */
	}
	return 0;
}

/*
 * Extension lines of @e, which stand for pairs POBJ_M_PAIRS and up. -ENODATA: the entry never
 * began (change.c P7).
 */
static int undo_ext(const struct recovering *k, const struct pobj_entry *e)
{
	const struct pobj_media *m = k->m;
	struct pobj_finding *f = k->f;
	const u64 tag = pobj_tag(e->seq, POBJ_M_ENTRY_UNDO);
	struct pobj_ext_walk w;
	struct pobj_m_slot raw;
	u64 word[6];
	u32 i, n, cnt, left = e->cnt - POBJ_M_PAIRS;
	int err;

	for (err = pobj_ext_first(&w, m, k->g, k->lane, f); left; err = pobj_ext_next(&w, f)) {
		if (err == -ENOSPC)	/* more words than the log has lines */
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
					  pobj_geom_slot(k->g, k->lane, e->seq), e->cnt, 0);
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
		err = undo_pairs(k, w.off, word, n);
		if (err)
			return err;
		left -= n;
	}
	return 0;
}

/* Verify, or undo, one undo entry. -ENODATA: it never began. */
static int undo_entry(const struct recovering *k, const struct pobj_entry *e)
{
	const u64 off = pobj_geom_slot(k->g, k->lane, e->seq);
	u32 n = e->cnt < POBJ_M_PAIRS ? e->cnt : POBJ_M_PAIRS;
	int err = 0;

	if (!e->cnt)
		return pobj_found(k->f, -EUCLEAN, POBJ_DIAG_LANE_FIELD, off, 0, 1);
	/* Extension lines first: they tell whether the entry began at all. */
	if (e->cnt > POBJ_M_PAIRS)
		err = undo_ext(k, e);
	return err ? err : undo_pairs(k, off, e->word, n);
}

/* POBJ_WEAK_FINISH: the id of the object is at the destination, so it is taken for one. */
static bool finish_weakly(const struct recovering *k, const struct pobj_entry *e)
{
	struct pobj_object o;
	__le64 now;

	if (e->cnt != POBJ_M_PAIRS || !(e->word[0] & POBJ_M_TARGET_OBJECT) || e->word[1] ||
	    pobj_object_find(k->m, k->g, e->word[0] & ~POBJ_M_TARGET_OBJECT, &o, NULL) ||
	    k->m->read(k->m, &now, e->word[2], sizeof(now)) || le64_to_cpu(now) != o.off)
		return false;
	if (k->pass == PASS_DATA)
		object_settle(k->m, &o, true);
	return true;
}

/* One pass over an undo entry; one that never began is passed over. */
static int undo_if_begun(const struct recovering *k, const struct pobj_entry *e, u64 newest)
{
	struct recovering look = *k;
	int err;

	if (pobj_weak(POBJ_WEAK_FINISH) && finish_weakly(k, e))
		return 0;
	/* Acting must not begin on an entry that never began: judge it whole. */
	if (k->pass == PASS_DATA) {
		look.pass = PASS_VERIFY;
		err = undo_entry(&look, e);
		if (err)
			return err == -ENODATA ? 0 : err;
	}
	err = undo_entry(k, e);
	if (err == -ENODATA && e->seq != newest)
		return pobj_found(k->f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
				  pobj_geom_slot(k->g, k->lane, e->seq), e->seq, newest);
	if (err == -ENODATA)
		return 0;
	if (!err && k->pass == PASS_DATA)
		k->r->undone += e->cnt;
	return err;
}

/* One pass over the live entries of a lane that was read. */
static int lane_entries(const struct recovering *k, const struct pobj_lane_view *v)
{
	const struct pobj_entry *e;
	u64 seq;
	int err;

	for (seq = v->newest; seq > v->retired; seq--) {	/* R3 */
		e = &v->entry[seq % POBJ_SLOTS];
		switch (e->kind) {
		case POBJ_M_ENTRY_NOP:
			continue;
		case POBJ_M_ENTRY_UNDO:
			err = undo_if_begun(k, e, v->newest);
			break;
		case POBJ_M_ENTRY_FREE:
			err = redo_free(k, e);
			break;
		default:
			err = pobj_found(k->f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
					 pobj_geom_slot(k->g, k->lane, seq), e->kind, 0);
		}
		if (k->pass == PASS_GROUND && err == -EUCLEAN)
			err = 0;					/* R7 */
		if (err)
			return err;
		if (k->pass == PASS_DATA)
			k->r->live++;
	}
	return 0;
}

/* R2: the first half, for one lane; the caller fences. Changes nothing. */
static void lane_flush_slots(const struct recovering *k, const struct pobj_lane_view *v)
{
	const struct pobj_entry *e;
	u64 seq;

	for (seq = v->newest; seq > v->retired; seq--) {
		pobj_flush(k->m, pobj_media_ptr(k->m, pobj_geom_slot(k->g, k->lane, seq)),
			   POBJ_M_LINE);
		e = &v->entry[seq % POBJ_SLOTS];
		if (e->kind == POBJ_M_ENTRY_NOP && e->word[0] && e->word[0] <= k->g->page_cnt)
			pobj_flush(k->m, pobj_media_ptr(k->m, pobj_geom_line(k->g, e->word[0] - 1)),
				   POBJ_M_LINE);			/* change.c P15 */
	}
}

/* R5 for one lane; the caller fences. */
static void lane_retire(const struct recovering *k, const struct pobj_lane_view *v)
{
	struct pobj_lane l;
	const void *slot;

	pobj_lane_init(&l, k->m, k->g, k->lane, v->newest);
	slot = pobj_lane_store_nop(&l, 0);
	pobj_flush_line(k->m, slot);
}

/* Verify @cnt lanes from @first on and flush their slots; returns how many are busy, or -errno. */
static int lanes_verify(struct recovering *k, u32 first, u32 cnt)
{
	struct pobj_lane_view v;
	u32 busy = 0;
	int err;

	k->pass = PASS_VERIFY;
	for (k->lane = first; k->lane < first + cnt; k->lane++) {	/* R1 */
		err = pobj_lane_read(k->m, k->g, k->lane, &v, k->f);
		if (!err)
			err = lane_entries(k, &v);
		if (err)
			return err;
		k->r->lanes++;
		k->r->torn += v.torn;
		if (!pobj_lane_is_idle(&v)) {
			k->busy[k->lane / 64] |= 1ULL << k->lane % 64;
			busy++;
		}
		lane_flush_slots(k, &v);
	}
	err = pobj_fence(k->m);						/* R2 */
	return err ? err : (int)busy;
}

static int lanes_act(struct recovering *k, u32 first, u32 cnt)
{
	struct pobj_lane_view v;
	bool retire;
	int err;

	/* Data, ground (R7), fence (R4), retirement, fence (R5). */
	for (k->pass = PASS_DATA; k->pass <= PASS_GROUND + 1; k->pass++) {
		retire = k->pass > PASS_GROUND;
		err = retire ? pobj_fence(k->m) : 0;
		for (k->lane = first; !err && k->lane < first + cnt; k->lane++) {
			if (!(k->busy[k->lane / 64] & 1ULL << k->lane % 64))
				continue;
			err = pobj_lane_read(k->m, k->g, k->lane, &v, k->f);
			if (err)
				continue;
			if (retire)
				lane_retire(k, &v);
			else
				err = lane_entries(k, &v);
		}
		if (err)
			return err;
	}
	return pobj_fence(k->m);
}

static int lanes_recover(const struct pobj_media *m, const struct pobj_super *s, u32 first, u32 cnt,
			 struct pobj_recovery *r, struct pobj_finding *f)
{
	struct recovering k = { .m = m, .s = s, .g = &s->geom, .r = r, .f = f };
	int busy;

	busy = lanes_verify(&k, first, cnt);
	return busy > 0 ? lanes_act(&k, first, cnt) : busy;
}

int pobj_recover_lane(const struct pobj_media *m, const struct pobj_super *s, u32 lane,
		      struct pobj_recovery *r, struct pobj_finding *f)
{
	return lanes_recover(m, s, lane, 1, r, f);
}

int pobj_recover_pool(const struct pobj_media *m, struct pobj_super *s, struct pobj_recovery *r,
		      struct pobj_finding *f)
{
	int err;

	memset(r, 0, sizeof(*r));
	err = pobj_super_load(m, s, f);
	if (!err)
		err = pobj_super_writable(s, f);
	if (!err)
		err = lanes_recover(m, s, 0, s->geom.lane_cnt, r, f);
	if (!err && s->bad_copies) {
		err = pobj_super_repair(m, s);
		r->repaired += !err && !s->bad_copies;
	}
	return err;
}
