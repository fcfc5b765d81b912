// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Lane logs, 2: extension lines, for entries that do not fit a slot. A lane has some of its own;
 * when these are used up it goes on in a chain of log chunks, pages that stay with the lane.
 *
 * P9. A log chunk is zeroed, and that is durable, before it is linked: what stood there can
 *     never pass for an extension line.
 *
 * A log can make its reader write. So it is settled here, too, what it may name: words of the root
 * record, of page lines, of user data; of logs, only the links of the lane's own chain.
 */
#include "lib/core/lane.h"
#include "lib/core/line.h"

/* ---- the walk ---------------------------------------------------------------------------- */

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

/* 1: the data at @off is in a page of a log, 0: it is not, or -EIO. */
static int in_log(const struct pobj_media *m, const struct pobj_geom *g, u64 off)
{
	struct pobj_line line;

	if (pobj_line_read(m, g, pobj_geom_page_of(g, off), &line))
		return -EIO;
	return line.kind == POBJ_M_LOG;
}

int pobj_lane_may_null(const struct pobj_media *m, const struct pobj_geom *g, u64 off)
{
	const u64 last = off + sizeof(u64);
	int first_log, last_log;

	if (off % sizeof(u64) || last < off || !pobj_geom_in_data(g, off) ||
	    !pobj_geom_in_data(g, last))
		return -EUCLEAN;
	first_log = in_log(m, g, off);
	last_log = in_log(m, g, last);
	if (first_log < 0 || last_log < 0)
		return -EIO;
	return first_log || last_log ? -ENOENT : 0;
}

int pobj_lane_may_undo(const struct pobj_media *m, const struct pobj_geom *g, u32 lane, u64 off,
		       bool *ground)
{
	struct pobj_m_chunk chunk;
	u64 start;
	int log;

	*ground = false;
	if (off % sizeof(u64))
		return -EUCLEAN;
	if (off == POBJ_M_ROOT_OFF + offsetof(struct pobj_m_root, off) ||
	    off == POBJ_M_ROOT_OFF + offsetof(struct pobj_m_root, size))
		return 0;
	*ground = true;
	if (off == pobj_geom_lane(g, lane) + offsetof(struct pobj_m_lane_head, chunk) ||
	    (off >= g->line_off && off - g->line_off < g->page_cnt * POBJ_M_LINE))
		return 0;
	if (!pobj_geom_in_data(g, off))
		return -EUCLEAN;
	/* In a page of a log, the lane's own links only: a log must not rewrite logs. */
	log = in_log(m, g, off);
	*ground = log;
	if (log <= 0)
		return log;
	start = pobj_geom_page(g, pobj_geom_page_of(g, off));
	if (m->read(m, &chunk, start, sizeof(chunk)))
		return -EIO;
	return off == start + offsetof(struct pobj_m_chunk, next) &&
	       le64_to_cpu(chunk.lane) == lane ? 0 : -EUCLEAN;
}

/* ---- room ------------------------------------------------------------------------------- */

u64 pobj_lane_capacity(const struct pobj_lane *l)
{
	u64 link, chunks, words;

	if (chain_end(l, &link, &chunks, NULL))
		return POBJ_M_PAIRS;
	words = POBJ_M_PAIRS * (1 + l->g->ext_cnt + chunks * chunk_lines(l->g));
	return words < POBJ_M_PACKED_MAX ? words : POBJ_M_PACKED_MAX;
}

int pobj_lane_grow(struct pobj_lane *l, u64 page)
{
	struct pobj_change w[2];
	struct pobj_step steps[2];
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
	return pobj_lane_change(l, w, 2, steps);
}
