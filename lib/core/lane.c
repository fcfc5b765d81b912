// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Lane logs, 1: the slots. How an entry is written, and what a reader can make of sixteen slots
 * after a crash. The rules P1 to P15 of lane.c, ext.c and change.c belong together; each store
 * names the one it obeys. (Measured: an operation costs its fence rounds, 200 ns each; lines in a
 * round are nearly free. So: few rounds, many lines.)
 *
 * P1. A line reaches the medium as a prefix of its stores. A record is written in word order,
 *     the tag last; so it is complete when its tag is there. Tag first: recovery would act on
 *     words that never arrived.
 * P2. The slots of a lane are used in rotation: sequence s stands in slot s mod 16. A slot is
 *     rewritten only when its entry is long retired, so a half-written entry damages none that
 *     counts; and a line is not flushed twice in a row, which costs a round of its own.
 * P3. retired-upto of an entry is the last sequence whose effects an already executed fence of
 *     this thread covers. Live are the entries (retired-upto of the newest, newest]. Claiming one
 *     more retired would lose the undo of an operation whose words are still on their way.
 * P4. Sequences never restart: after recovery or reopening they go on above the highest found.
 *     Restarted, an old slot would look newer than a new one.
 */
#include "lib/core/lane.h"

/* ---- one line ---------------------------------------------------------------------------- */

/* Checksum of a log line: everything but the checksum itself, which is half of word 6. */
static u32 log_line_crc(const struct pobj_m_slot *raw)
{
	struct pobj_m_slot line = *raw;

	line.packed &= cpu_to_le64((1ULL << POBJ_M_PACKED_CRC_SHIFT) - 1);
	return pobj_env_crc32c(~0U, &line, sizeof(line));
}

static u64 packed_field(const struct pobj_m_slot *raw, u32 shift)
{
	return (le64_to_cpu(raw->packed) >> shift) & POBJ_M_PACKED_MAX;
}

bool pobj_log_line_ok(const struct pobj_m_slot *raw)
{
	return le64_to_cpu(raw->packed) >> POBJ_M_PACKED_CRC_SHIFT == log_line_crc(raw);
}

/* ---- reading ----------------------------------------------------------------------------- */

static void entry_decode(const struct pobj_m_slot *raw, struct pobj_entry *e)
{
	u64 tag = le64_to_cpu(raw->tag);
	u32 i;

	e->seq = tag >> POBJ_M_TAG_KIND_BITS;
	e->kind = tag & ((1U << POBJ_M_TAG_KIND_BITS) - 1);
	e->cnt = packed_field(raw, POBJ_M_PACKED_CNT_SHIFT);
	e->retired = e->seq - packed_field(raw, POBJ_M_PACKED_DIST_SHIFT);
	for (i = 0; i < 6; i++)
		e->word[i] = le64_to_cpu(raw->word[i]);
}

int pobj_lane_read(const struct pobj_media *m, const struct pobj_geom *g, u32 lane,
		   struct pobj_lane_view *v, struct pobj_finding *f)
{
	const u64 none = POBJ_SLOTS;
	struct pobj_m_slot raw[POBJ_M_SLOT_CNT];	/* one read: each may be a system call */
	struct pobj_entry *e;
	u64 i, off, want, torn = none, torn_tag = 0, torn_seq = 0;

	v->newest = 0;
	v->retired = 0;
	v->torn = false;
	off = pobj_geom_slot(g, lane, 0);
	if (m->read(m, raw, off, sizeof(raw))) {
		/* Which one? */
		for (i = 0; i < POBJ_SLOTS - 1; i++) {
			off = pobj_geom_slot(g, lane, i);
			if (m->read(m, raw, off, sizeof(raw[0])))
				break;
			off = pobj_geom_slot(g, lane, i + 1);
		}
		return pobj_found(f, -EIO, POBJ_DIAG_MEDIA, off, 0, 0);
	}
	for (i = 0; i < POBJ_SLOTS; i++) {
		e = &v->entry[i];
		off = pobj_geom_slot(g, lane, i);
		e->seq = 0;
		if (!raw[i].tag && !raw[i].packed)
			continue;	/* never written; words of a torn first entry are allowed */
		if (!pobj_log_line_ok(&raw[i])) {
			/* One slot may be half-written: the next one (P1, P2). Judged below. */
			if (torn != none)
				return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_CRC, off,
						  le64_to_cpu(raw[i].tag), 0);
			torn = i;
			torn_tag = le64_to_cpu(raw[i].tag);
			torn_seq = torn_tag >> POBJ_M_TAG_KIND_BITS;
			continue;
		}
		entry_decode(&raw[i], e);
		if (!e->seq || e->seq % POBJ_SLOTS != i)
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_SEQ, off, e->seq, i);
		if (e->seq > v->newest) {
			v->newest = e->seq;
			v->retired = e->retired;
		}
	}
	if (torn != none) {
		/*
		 * The tag of a half-written slot is still whole that of the entry 16 before, or 0
		 * in the first round; where lines tear it may also be the new one.
		 */
		want = v->newest + 1;
		if (torn != want % POBJ_SLOTS ||
		    !((want <= POBJ_SLOTS ? !torn_tag : torn_seq + POBJ_SLOTS == want) ||
		      (m->lines_tear && torn_seq == want)))
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_CRC,
					  pobj_geom_slot(g, lane, torn), torn_seq, want);
		v->torn = true;
	}
	/* P2, P4: each other slot holds the newest sequence that belongs there. */
	for (i = 0; i < POBJ_SLOTS; i++) {
		if (i == torn)
			continue;
		want = v->newest - ((v->newest - i) % POBJ_SLOTS);
		if (v->newest < want || v->newest == 0)
			want = 0;
		if (v->entry[i].seq != want)
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_SEQ,
					  pobj_geom_slot(g, lane, i), v->entry[i].seq, want);
	}
	/* P2: no live entry is 16 old, its slot would be the torn one. */
	if (v->newest && (v->retired >= v->newest || v->newest - v->retired >= POBJ_SLOTS))
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
				  pobj_geom_slot(g, lane, v->newest), v->retired, v->newest);
	/* What is live needs one more, to be retired. */
	if (v->newest == POBJ_M_SEQ_MAX && !pobj_lane_is_idle(v))
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_SEQ,
				  pobj_geom_slot(g, lane, v->newest), v->newest, POBJ_M_SEQ_MAX);
	return 0;
}

/* ---- writing ----------------------------------------------------------------------------- */

void pobj_lane_init(struct pobj_lane *l, const struct pobj_media *m, const struct pobj_geom *g,
		    u32 lane, u64 seq)
{
	l->m = m;
	l->g = g;
	l->lane = lane;
	l->slots = pobj_media_ptr(m, pobj_geom_slot(g, lane, 0));
	l->seq = seq;
	l->retired = seq;
	l->said = seq;
	l->sealed = seq;
	l->last_free = 0;
	l->late[0] = NULL;
	l->late[1] = NULL;
}

int pobj_lane_take(struct pobj_lane *l, const struct pobj_media *m, const struct pobj_geom *g,
		   u32 lane, struct pobj_finding *f)
{
	struct pobj_lane_view v;
	int err;

	err = pobj_lane_read(m, g, lane, &v, f);
	if (err)
		return err;
	/* P4: a lane that is nearly used up is not taken; no lane lives to see it. */
	if (!pobj_lane_is_idle(&v) || v.newest > POBJ_M_SEQ_MAX - (1ULL << 40))
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
				  pobj_geom_slot(g, lane, v.newest), v.retired, v.newest);
	pobj_lane_init(l, m, g, lane, v.newest);
	return 0;
}
