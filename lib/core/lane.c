// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Lane logs: how words of a pool change together, and what a reader can make of a log after a
 * crash. The rules; each store below names the one it obeys. (Measured: an operation costs its
 * fence rounds, 200 ns each; lines in a round are nearly free. So: few rounds, many lines.)
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
 * P9. A log chunk is zeroed, and that is durable, before it is linked: what stood there can
 *     never pass for an extension line.
 */
#include "lib/core/lane.h"
#include "lib/core/line.h"

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

static void log_line_seal(struct pobj_m_slot *raw, u32 cnt, u64 dist, u64 tag)
{
	u64 packed = (u64)cnt << POBJ_M_PACKED_CNT_SHIFT | dist << POBJ_M_PACKED_DIST_SHIFT;

	raw->packed = cpu_to_le64(packed);
	raw->tag = cpu_to_le64(tag);
	packed |= (u64)log_line_crc(raw) << POBJ_M_PACKED_CRC_SHIFT;
	raw->packed = cpu_to_le64(packed);
}

static u64 tag_make(u64 seq, u32 kind)
{
	return seq << POBJ_M_TAG_KIND_BITS | kind;
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
	const u64 none = POBJ_M_SLOT_CNT;
	struct pobj_m_slot raw;
	struct pobj_entry *e;
	u64 i, off, want, torn = none, torn_seq = 0;

	v->newest = 0;
	v->retired = 0;
	v->torn = false;
	for (i = 0; i < POBJ_M_SLOT_CNT; i++) {
		e = &v->entry[i];
		off = pobj_geom_slot(g, lane, i);
		if (m->read(m, &raw, off, sizeof(raw)))
			return pobj_found(f, -EIO, POBJ_DIAG_MEDIA, off, 0, 0);
		e->seq = 0;
		if (!raw.tag && !raw.packed)
			continue;	/* never written; words of a torn first entry are allowed */
		if (!pobj_log_line_ok(&raw)) {
			/* One slot may be half-written: the next one (P1, P2). Judged below. */
			if (torn != none)
				return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_CRC, off,
						  le64_to_cpu(raw.tag), 0);
			torn = i;
			torn_seq = le64_to_cpu(raw.tag) >> POBJ_M_TAG_KIND_BITS;
			continue;
		}
		entry_decode(&raw, e);
		if (!e->seq || e->seq % POBJ_M_SLOT_CNT != i)
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_SEQ, off, e->seq, i);
		if (e->seq > v->newest) {
			v->newest = e->seq;
			v->retired = e->retired;
		}
	}
	if (torn != none) {
		/*
		 * The tag of a half-written slot is still that of the entry 16 before (or none);
		 * where lines tear it may also be the new one.
		 */
		want = v->newest + 1;
		if (torn != want % POBJ_M_SLOT_CNT ||
		    !(torn_seq == 0 || torn_seq + POBJ_M_SLOT_CNT == want ||
		      (m->lines_tear && torn_seq == want)))
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_CRC,
					  pobj_geom_slot(g, lane, torn), torn_seq, want);
		v->torn = true;
	}
	/* P2, P4: each other slot holds the newest sequence that belongs there. */
	for (i = 0; i < POBJ_M_SLOT_CNT; i++) {
		if (i == torn)
			continue;
		want = v->newest - ((v->newest - i) % POBJ_M_SLOT_CNT);
		if (v->newest < want || v->newest == 0)
			want = 0;
		if (v->entry[i].seq != want)
			return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_SEQ,
					  pobj_geom_slot(g, lane, i), v->entry[i].seq, want);
	}
	/* P2: no live entry is 16 old, its slot would be the torn one. */
	if (v->newest && (v->retired >= v->newest || v->newest - v->retired >= POBJ_M_SLOT_CNT))
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
				  pobj_geom_slot(g, lane, v->newest), v->retired, v->newest);
	if (v->newest >= POBJ_M_SEQ_MAX)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_SEQ,
				  pobj_geom_slot(g, lane, v->newest), v->newest, POBJ_M_SEQ_MAX);
	return 0;
}

/* ---- extension lines --------------------------------------------------------------------- */

static u64 chunk_lines(const struct pobj_geom *g)
{
	return pobj_geom_page_bytes(g) / POBJ_M_LINE - 1;
}

/* Read the offset at @off, which is that of a chunk of @lane or 0. */
static int chunk_follow(struct pobj_ext_walk *w, u64 off, struct pobj_finding *f)
{
	struct pobj_m_chunk chunk;
	struct pobj_line line;
	__le64 raw;
	u64 next;

	if (w->m->read(w->m, &raw, off, sizeof(raw)))
		return pobj_found(f, -EIO, POBJ_DIAG_MEDIA, off, 0, 0);
	next = le64_to_cpu(raw);
	if (!next)
		return -ENOSPC;
	/* A chain longer than the pool has pages runs in a circle. */
	if (!pobj_geom_in_data(w->g, next) ||
	    (next - w->g->data_off) % pobj_geom_page_bytes(w->g) || ++w->chunks > w->g->page_cnt)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_CHUNK, off, next, w->chunks);
	if (pobj_line_read(w->m, w->g, pobj_geom_page_of(w->g, next), &line) ||
	    w->m->read(w->m, &chunk, next, sizeof(chunk)))
		return pobj_found(f, -EIO, POBJ_DIAG_MEDIA, next, 0, 0);
	if (line.kind != POBJ_M_LOG || line.pages != 1 || le64_to_cpu(chunk.lane) != w->lane)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_CHUNK, next, le64_to_cpu(chunk.lane),
				  w->lane);
	w->chunk = next;
	w->off = next + POBJ_M_LINE;
	w->left = chunk_lines(w->g);
	return 0;
}

int pobj_ext_first(struct pobj_ext_walk *w, const struct pobj_media *m, const struct pobj_geom *g,
		   u32 lane, struct pobj_finding *f)
{
	w->m = m;
	w->g = g;
	w->lane = lane;
	w->chunk = 0;
	w->chunks = 0;
	w->left = g->ext_cnt;
	w->off = pobj_geom_lane(g, lane) + (1 + POBJ_M_SLOT_CNT) * POBJ_M_LINE;
	if (w->left)
		return 0;
	return chunk_follow(w, pobj_geom_lane(g, lane) + offsetof(struct pobj_m_lane_head, chunk),
			    f);
}

int pobj_ext_next(struct pobj_ext_walk *w, struct pobj_finding *f)
{
	u64 link;

	if (w->left > 1) {
		w->left--;
		w->off += POBJ_M_LINE;
		return 0;
	}
	if (w->chunk)
		link = w->chunk + offsetof(struct pobj_m_chunk, next);
	else
		link = pobj_geom_lane(w->g, w->lane) + offsetof(struct pobj_m_lane_head, chunk);
	return chunk_follow(w, link, f);
}

/* Place of the link at the end of the chain, where the next chunk is hung in. */
static int chain_end(const struct pobj_lane *l, u64 *link, u64 *chunks, struct pobj_finding *f)
{
	struct pobj_ext_walk w = { .m = l->m, .g = l->g, .lane = l->lane };
	u64 off = pobj_geom_lane(l->g, l->lane) + offsetof(struct pobj_m_lane_head, chunk);
	int err;

	while (!(err = chunk_follow(&w, off, f)))
		off = w.chunk + offsetof(struct pobj_m_chunk, next);
	if (err != -ENOSPC)
		return err;
	*link = off;
	*chunks = w.chunks;
	return 0;
}

/* ---- what a log may name ----------------------------------------------------------------- */

bool pobj_lane_may_undo(const struct pobj_media *m, const struct pobj_geom *g, u32 lane, u64 off)
{
	struct pobj_m_chunk chunk;
	struct pobj_line line;
	u64 page, start;

	if (off % sizeof(u64))
		return false;
	if (off == POBJ_M_ROOT_OFF + offsetof(struct pobj_m_root, off) ||
	    off == POBJ_M_ROOT_OFF + offsetof(struct pobj_m_root, size) ||
	    off == pobj_geom_lane(g, lane) + offsetof(struct pobj_m_lane_head, chunk))
		return true;
	if (off >= g->line_off && off - g->line_off < g->page_cnt * POBJ_M_LINE)
		return true;
	if (!pobj_geom_in_data(g, off))
		return false;
	/* In a page of a log, the lane's own links only: a log must not rewrite logs. */
	page = pobj_geom_page_of(g, off);
	if (pobj_line_read(m, g, page, &line))
		return false;
	if (line.kind != POBJ_M_LOG)
		return true;
	start = pobj_geom_page(g, page);
	return off == start + offsetof(struct pobj_m_chunk, next) &&
	       !m->read(m, &chunk, start, sizeof(chunk)) && le64_to_cpu(chunk.lane) == lane;
}

/* ---- writing ----------------------------------------------------------------------------- */

int pobj_lane_take(struct pobj_lane *l, const struct pobj_media *m, const struct pobj_geom *g,
		   u32 lane, struct pobj_finding *f)
{
	struct pobj_lane_view v;
	int err;

	err = pobj_lane_read(m, g, lane, &v, f);
	if (err)
		return err;
	/* Nothing may be live but the NOP that retired the rest. */
	if (v.newest && (v.retired != v.newest - 1 ||
			 v.entry[v.newest % POBJ_M_SLOT_CNT].kind != POBJ_M_ENTRY_NOP))
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_LANE_FIELD,
				  pobj_geom_slot(g, lane, v.newest), v.retired, v.newest);
	l->m = m;
	l->g = g;
	l->lane = lane;
	l->seq = v.newest;
	l->retired = v.newest;
	return 0;
}

void pobj_lane_write(struct pobj_lane *l, u32 kind, const u64 word[6], u32 cnt)
{
	struct pobj_m_slot raw;
	__le64 *dst;
	u32 i;

	for (i = 0; i < 6; i++)
		raw.word[i] = cpu_to_le64(word[i]);
	l->seq++;					/* P4 */
	log_line_seal(&raw, cnt, l->seq - l->retired, tag_make(l->seq, kind));	/* P3 */
	dst = pobj_media_ptr(l->m, pobj_geom_slot(l->g, l->lane, l->seq));	/* P2 */
	pobj_store_words(l->m, dst, (const __le64 *)&raw, POBJ_M_LINE / sizeof(__le64)); /* P1 */
	pobj_flush(l->m, dst, POBJ_M_LINE);
}

u64 pobj_lane_capacity(const struct pobj_lane *l)
{
	u64 link, chunks, words;

	if (chain_end(l, &link, &chunks, NULL))
		return POBJ_M_PAIRS;
	words = POBJ_M_PAIRS * (1 + l->g->ext_cnt + chunks * chunk_lines(l->g));
	return words < POBJ_M_PACKED_MAX ? words : POBJ_M_PACKED_MAX;
}

/* Extension lines for words [POBJ_M_PAIRS, cnt), with the tag that the slot will have. */
static int undo_write_ext(struct pobj_lane *l, const struct pobj_word *w, u32 cnt, u64 tag)
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
			dst = pobj_media_ptr(l->m, w[done + i].target);
			raw.word[2 * i] = cpu_to_le64(w[done + i].target);
			raw.word[2 * i + 1] = pobj_env_load64(dst);	/* P8 */
		}
		log_line_seal(&raw, n, 0, tag);
		dst = pobj_media_ptr(l->m, walk.off);
		pobj_store_words(l->m, dst, (const __le64 *)&raw,
				 POBJ_M_LINE / sizeof(__le64));		/* P1, P7 */
		pobj_flush(l->m, dst, POBJ_M_LINE);
		done += n;
	}
	return 0;
}

int pobj_lane_set_words(struct pobj_lane *l, const struct pobj_word *w, u32 cnt)
{
	static const u64 nothing[6];
	u64 head[6] = { 0 };
	__le64 *dst;
	u32 i;
	int err;

	if (!cnt || cnt > POBJ_M_PACKED_MAX)
		return -EINVAL;
	if (cnt > pobj_lane_capacity(l))
		return -ENOSPC;
	for (i = 0; i < cnt; i++) {
		if (!pobj_lane_may_undo(l->m, l->g, l->lane, w[i].target))
			return -EINVAL;
	}

	/* P5, round 1: old values. */
	err = undo_write_ext(l, w, cnt, tag_make(l->seq + 1, POBJ_M_ENTRY_UNDO));
	if (err)
		return err;
	for (i = 0; i < cnt && i < POBJ_M_PAIRS; i++) {
		head[2 * i] = w[i].target;
		head[2 * i + 1] =
			le64_to_cpu(pobj_env_load64(pobj_media_ptr(l->m, w[i].target)));
	}
	pobj_lane_write(l, POBJ_M_ENTRY_UNDO, head, cnt);
	err = pobj_fence(l->m);
	if (err)
		return err;

	/* Round 2: the words. */
	for (i = 0; i < cnt; i++) {
		dst = pobj_media_ptr(l->m, w[i].target);
		pobj_store64(l->m, dst, w[i].value);
	}
	for (i = 0; i < cnt; i++)
		pobj_flush(l->m, pobj_media_ptr(l->m, w[i].target), sizeof(u64));
	err = pobj_fence(l->m);
	if (err)
		return err;
	l->retired = l->seq;				/* P3: that fence covers it */

	/* Round 3: it is over. */
	pobj_lane_write(l, POBJ_M_ENTRY_NOP, nothing, 0);
	err = pobj_fence(l->m);
	if (!err)
		l->retired = l->seq;
	return err;
}

int pobj_lane_grow(struct pobj_lane *l, u64 page)
{
	struct pobj_word w[2];
	__le64 *chunk;
	u64 link, chunks;
	int err;

	err = chain_end(l, &link, &chunks, NULL);
	if (err)
		return err;
	/* P9: durable by the first fence of the link's own entry, before the link exists. */
	chunk = pobj_media_ptr(l->m, pobj_geom_page(l->g, page));
	pobj_store_fill(l->m, chunk, 0, pobj_geom_page_bytes(l->g));
	pobj_store64(l->m, chunk + offsetof(struct pobj_m_chunk, lane) / sizeof(*chunk), l->lane);
	pobj_flush(l->m, chunk, pobj_geom_page_bytes(l->g));
	w[0].target = pobj_geom_line(l->g, page) + offsetof(struct pobj_m_line, header);
	w[0].value = pobj_line_header(POBJ_M_LOG, POBJ_M_F_INTERNAL, 0, 1);
	w[1].target = link;
	w[1].value = pobj_geom_page(l->g, page);
	return pobj_lane_set_words(l, w, 2);
}
