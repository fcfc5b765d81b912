// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The extensive check: every invariant of the format that can be judged from the medium alone.
 * It is what the tests, pobjctl and the explorers hold a pool against after each recovery.
 */
#include "lib/core/check.h"
#include "lib/core/lane.h"
#include "lib/core/line.h"

struct check {
	const struct pobj_media *m;
	const struct pobj_geom *g;
	struct pobj_census *c;
	int (*each)(void *arg, const struct pobj_finding *f);
	void *arg;
	u64 root_page;		/* page of the ROOT span, page_cnt if there is none */
	u64 root_size;
	u64 chained;		/* log chunks found in chains */
};

static int report(struct check *k, const struct pobj_finding *f)
{
	k->c->problems++;
	return k->each ? k->each(k->arg, f) : 0;
}

static int report_at(struct check *k, u32 diag, u64 off, u64 found, u64 expected)
{
	struct pobj_finding f;

	pobj_found(&f, 0, diag, off, found, expected);
	return report(k, &f);
}

/* C4, for one lane: count the chunks of its chain. */
static int check_chain(struct check *k, u32 lane)
{
	struct pobj_ext_walk w;
	struct pobj_finding f;
	u64 before = 0;
	int err;

	for (err = pobj_ext_first(&w, k->m, k->g, lane, &f); !err; err = pobj_ext_next(&w, &f)) {
		k->chained += w.chunks - before;
		before = w.chunks;
	}
	return err == -ENOSPC ? 0 : report(k, &f);
}

/* C1 */
static int check_lane(struct check *k, u32 lane)
{
	struct pobj_lane_view v;
	struct pobj_finding f;
	u64 seq;
	int err;

	k->c->lanes++;
	err = pobj_lane_read(k->m, k->g, lane, &v, &f);
	if (err)
		return report(k, &f);
	for (seq = v.newest; seq > v.retired; seq--) {
		if (v.entry[seq % POBJ_SLOTS].kind != POBJ_M_ENTRY_NOP)
			k->c->live++;
	}
	return check_chain(k, lane);
}

/* Must the page say where the head of its span is? Else it may, and no span begins there. */
static bool must_continue(const struct pobj_line *head, u64 page)
{
	return head->kind == POBJ_M_SLAB || page % POBJ_M_SECTION_PAGES == 0;
}

/* Lines of the pages inside a span (C2). */
static int check_inside(struct check *k, u64 first, const struct pobj_line *head)
{
	struct pobj_finding f;
	struct pobj_line l;
	u64 page;
	int err;

	for (page = first + 1; page < first + head->pages; page++) {
		if (pobj_line_read(k->m, k->g, page, &l)) {
			err = report_at(k, POBJ_DIAG_MEDIA, pobj_geom_line(k->g, page), 0, 0);
		} else if (must_continue(head, page) ? !pobj_line_continues(&l, page - first) :
						       !pobj_line_is_free(&l)) {
			err = report_at(k, POBJ_DIAG_LINE, pobj_geom_line(k->g, page), l.kind,
					page - first);
		} else {
			err = pobj_line_check(k->g, page, &l, &f);
			if (err)
				err = report(k, &f);
		}
		if (err)
			return err;
	}
	return 0;
}

static int check_span(struct check *k, u64 page, const struct pobj_line *l)
{
	switch (l->kind) {
	case POBJ_M_SLAB:
		k->c->slabs++;
		break;
	case POBJ_M_LOG:
		k->c->logs++;
		break;
	default:
		k->c->larges++;
	}
	if (!(l->flags & POBJ_M_F_ROOT))
		return 0;
	if (k->root_page != k->g->page_cnt)	/* C3: one only */
		return report_at(k, POBJ_DIAG_ROOT, pobj_geom_line(k->g, page), page,
				 k->root_page);
	k->root_page = page;
	k->root_size = l->large_size;
	return 0;
}

/* C2 */
static int check_lines(struct check *k)
{
	struct pobj_finding f;
	struct pobj_line l;
	u64 page, run = 0;
	int err;

	for (page = 0; page < k->g->page_cnt; page += l.pages) {
		if (pobj_line_read(k->m, k->g, page, &l)) {
			pobj_found(&f, 0, POBJ_DIAG_MEDIA, pobj_geom_line(k->g, page), 0, 0);
			err = 1;
		} else {
			err = pobj_line_check(k->g, page, &l, &f);
		}
		if (err) {
			err = report(k, &f);
			l.pages = 1;
			run = 0;
		} else if (pobj_line_is_free(&l)) {
			k->c->free_pages++;
			if (++run > k->c->largest_free)
				k->c->largest_free = run;
		} else {
			run = 0;
			err = check_span(k, page, &l);
			if (!err)
				err = check_inside(k, page, &l);
		}
		if (err)
			return err;
	}
	return 0;
}

/* C3 */
static int check_root(struct check *k)
{
	struct pobj_m_root root;
	u64 off, size;

	if (k->m->read(k->m, &root, POBJ_M_ROOT_OFF, sizeof(root)))
		return report_at(k, POBJ_DIAG_MEDIA, POBJ_M_ROOT_OFF, 0, 0);
	off = le64_to_cpu(root.off);
	size = le64_to_cpu(root.size);
	if (k->root_page == k->g->page_cnt)
		return off || size ? report_at(k, POBJ_DIAG_ROOT, POBJ_M_ROOT_OFF, off, 0) : 0;
	if (off != pobj_geom_page(k->g, k->root_page))
		return report_at(k, POBJ_DIAG_ROOT, POBJ_M_ROOT_OFF, off,
				 pobj_geom_page(k->g, k->root_page));
	if (size != k->root_size)
		return report_at(k, POBJ_DIAG_ROOT, POBJ_M_ROOT_OFF + sizeof(u64), size,
				 k->root_size);
	return 0;
}

int pobj_check_pool(const struct pobj_media *m, const struct pobj_super *s, struct pobj_census *c,
		    int (*each)(void *arg, const struct pobj_finding *f), void *arg)
{
	struct check k = {
		.m = m, .g = &s->geom, .c = c, .each = each, .arg = arg,
		.root_page = s->geom.page_cnt,
	};
	u32 lane;
	int err;

	memset(c, 0, sizeof(*c));
	for (lane = 0; lane < s->geom.lane_cnt; lane++) {
		err = check_lane(&k, lane);
		if (err)
			return err;
	}
	err = check_lines(&k);
	if (!err)
		err = check_root(&k);
	/* C4: as many as there are, each in a chain of its own lane: none twice, none lost. */
	if (!err && k.chained != c->logs)
		err = report_at(&k, POBJ_DIAG_CHUNK, s->geom.line_off, k.chained, c->logs);
	return err;
}
