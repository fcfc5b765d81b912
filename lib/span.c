// SPDX-License-Identifier: BSD-3-Clause
/*
 * Pages: which are in use, and who has them. The truth is the page lines; what stands here is a map
 * of it in the sidecar, one word for 32 pages, computed section by section when first wanted (V8).
 *
 * Slabs lie within one group, so one compare-and-swap takes their pages. Large spans take several
 * words, one after the other, and give back what they took if another was quicker: everybody makes
 * progress, nobody waits. The lane's intent covers pages on their way (V1).
 *
 * A lane looks for pages where it found the last ones, so that neighbouring slabs mostly have one
 * owner: lines and sidecar records of neighbours share what the CPU fetches together.
 */
#include "lib/heap.h"

#define SECTION_PAGES	POBJ_SECTION_PAGES
#define LINES_AHEAD	24

static u64 bits_of(u64 first, u64 cnt)
{
	return (cnt < 64 ? (1ULL << cnt) - 1 : ~0ULL) << first;
}

/* ---- the map ----------------------------------------------------------------------------- */

/*
 * What the lines of a section tell: pages in use, and hints. Most slabs are like the one
 * before: what their header means is worked out once.
 */
struct section {
	u64 first;
	u64 end;
	u64 used[POBJ_SECTION_GROUPS];
	u64 room[POBJ_SECTION_GROUPS];
	u64 types[POBJ_SECTION_GROUPS];
	struct {
		u64 header;
		u64 type;
		u64 pages;
		u64 room_bit;
		u64 type_bits;
		u32 cnt;
	} like;
};

static void section_use(struct section *s, u64 page, u64 pages)
{
	const u64 end = pages < s->end - page ? page + pages : s->end;

	for (; page < end; page++)
		s->used[(page - s->first) / POBJ_GROUP_PAGES] |=
			bits_of(page % POBJ_GROUP_PAGES, 1);
}

/* Work out what a slab's header means; false: it is none, or not as we make them. */
static bool section_like(struct pobj_heap *h, struct section *s, u64 page)
{
	const struct pobj_m_line *line = pobj_heap_line(h, page);
	struct pobj_seen seen;

	pobj_line_see(h, page, &seen);
	if (!seen.size)
		return false;
	s->like.header = pobj_line_word(&line->header);
	s->like.type = seen.type;
	s->like.pages = pobj_seen_pages(h, &seen);
	s->like.room_bit = POBJ_ROOM_BIT(seen.size, seen.type, seen.mixed);
	s->like.type_bits = seen.mixed ? ~0ULL : POBJ_TYPE_BIT(seen.type);
	s->like.cnt = seen.cnt;
	return true;
}

/* The commonest: a slab as we make them. Its pages; 0: look closer. */
static inline u64 section_slab(struct pobj_heap *h, struct section *s, u64 page, u64 header)
{
	const u64 i = (page - s->first) / POBJ_GROUP_PAGES;
	const struct pobj_m_line *line = pobj_heap_line(h, page);
	u64 pages;

	if (POBJ_UNLIKELY(header != s->like.header ||
			  pobj_line_word(&line->type) != s->like.type) &&
	    !section_like(h, s, page))
		return 0;
	pages = s->like.pages;
	if (page % POBJ_GROUP_PAGES + pages > POBJ_GROUP_PAGES || pages > s->end - page)
		return 0;
	s->used[i] |= bits_of(page % POBJ_GROUP_PAGES, pages);
	s->types[i] |= s->like.type_bits;
	if (pobj_line_has_room(line, s->like.cnt))
		s->room[i] |= s->like.room_bit;
	return pages;
}

/* Any other line with a header. Its pages. */
static u64 section_other(struct pobj_heap *h, struct section *s, u64 page)
{
	struct pobj_finding f;
	struct pobj_line l;

	pobj_line_read(&h->media, h->g, page, &l);
	if (l.kind == POBJ_M_CONT)
		return 1;		/* behind the end of its span, or of one that is gone */
	/* A line that makes no sense: nobody may have its page. */
	if (pobj_line_check(h->g, page, &l, &f))
		l.pages = 1;
	section_use(s, page, l.pages);
	s->types[(page - s->first) / POBJ_GROUP_PAGES] |=
		l.flags & POBJ_M_F_MIXED ? ~0ULL : POBJ_TYPE_BIT(l.type);
	return l.pages;
}

static void section_read(struct pobj_heap *h, struct section *s)
{
	u64 page = s->first, head, pages, header;
	struct pobj_line l;

	/* What reaches in from before says so in its CONT line here. */
	if (page && !pobj_line_head(&h->media, h->g, page, &l, &head) && head < page) {
		pages = head + l.pages - page;
		section_use(s, page, pages);
		page += pages;
	}
	for (; page < s->end; page += pages) {
		pages = 1;
		/* The next head is some lines on: too far for the CPU to guess. */
		__builtin_prefetch(pobj_heap_line(h, page) + LINES_AHEAD);
		header = pobj_line_word(&pobj_heap_line(h, page)->header);
		if (!header)
			continue;
		pages = section_slab(h, s, page, header);
		if (!pages)
			pages = section_other(h, s, page);
	}
	/* Beyond the last page there is nothing to have. */
	for (page = s->end; page < s->first + SECTION_PAGES; page++)
		s->used[(page - s->first) / POBJ_GROUP_PAGES] |=
			bits_of(page % POBJ_GROUP_PAGES, 1);
}

static void section_build(struct pobj_heap *h, u64 section)
{
	struct section s = { .first = section * SECTION_PAGES };
	struct pobj_side_group *group;
	u64 i, none;

	s.end = s.first + SECTION_PAGES < h->g->page_cnt ? s.first + SECTION_PAGES : h->g->page_cnt;
	section_read(h, &s);
	for (i = 0; i < POBJ_SECTION_GROUPS; i++) {
		if (section * POBJ_SECTION_GROUPS + i >= h->group_cnt)
			break;
		group = &h->groups[section * POBJ_SECTION_GROUPS + i];
		/* Hints first: who sees the map may believe that a clear bit means none (V7). */
		if (s.types[i])
			__atomic_fetch_or(&group->types, s.types[i], __ATOMIC_RELAXED);
		if (s.room[i])
			__atomic_fetch_or(&group->room, s.room[i], __ATOMIC_RELAXED);
		none = 0;
		__atomic_compare_exchange_n(&group->map, &none, POBJ_MAP_BUILT | s.used[i], false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);	/* V8 */
	}
}

u64 pobj_group_map(struct pobj_heap *h, u64 group)
{
	u64 map = pobj_side_load(&h->groups[group].map);

	if (POBJ_UNLIKELY(!map)) {
		section_build(h, group / POBJ_SECTION_GROUPS);
		map = pobj_side_load(&h->groups[group].map);
	}
	return map;
}

void pobj_span_build(struct pobj_heap *h, u64 page, u64 pages)
{
	u64 group;

	for (group = page / POBJ_GROUP_PAGES; group <= (page + pages - 1) / POBJ_GROUP_PAGES;
	     group++)
		pobj_group_map(h, group);
}

/*
 * Change the use of pages of one group: @set or clear @bits. False if some of them are not as they
 * must be before.
 */
static bool map_change(struct pobj_heap *h, u64 group, u64 bits, bool set)
{
	u64 *map = &h->groups[group].map;
	u64 old = pobj_group_map(h, group), new;

	do {
		if (set ? (old & bits) : (old & bits) != bits)
			return false;
		/* The version may wrap into the bit above it. */
		new = ((old ^ bits) + POBJ_MAP_VERSION) | POBJ_MAP_BUILT;
	} while (!__atomic_compare_exchange_n(map, &old, new, true, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	return true;
}

/* Bits of [page, end) that lie in the group of @page; *@next: first page after them. */
static u64 bits_in_group(u64 page, u64 end, u64 *next)
{
	const u64 group_end = (page / POBJ_GROUP_PAGES + 1) * POBJ_GROUP_PAGES;

	*next = end < group_end ? end : group_end;
	return bits_of(page % POBJ_GROUP_PAGES, *next - page);
}

static void map_clear(struct pobj_heap *h, u64 page, u64 pages)
{
	const u64 end = page + pages;
	u64 next, bits;

	for (; page < end; page = next) {
		bits = bits_in_group(page, end, &next);
		map_change(h, page / POBJ_GROUP_PAGES, bits, false);
	}
}

/* All of the pages or none. */
static bool map_take(struct pobj_heap *h, u64 first, u64 pages)
{
	const u64 end = first + pages;
	u64 page, next, bits;

	for (page = first; page < end; page = next) {
		bits = bits_in_group(page, end, &next);
		if (!map_change(h, page / POBJ_GROUP_PAGES, bits, true)) {
			if (page > first)
				map_clear(h, first, page - first);
			return false;
		}
	}
	return true;
}

/* ---- intent and ownership ---------------------------------------------------------------- */

void pobj_intent_set(struct pobj_side_lane *by, u64 page, u64 pages)
{
	pobj_side_store(&by->intent_cnt, pages);
	pobj_side_store(&by->intent_page, page + 1);
}

void pobj_intent_clear(struct pobj_side_lane *by)
{
	pobj_side_store(&by->intent_page, 0);
}

/* The rest of owning, under an intent. */
static bool own(struct pobj_heap *h, const struct pobj_side_lane *by, u64 page)
{
	u64 none = 0;

	if (!__atomic_compare_exchange_n(&h->pages[page].owner, &none, (u64)(by - h->lanes) + 1,
					 false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return false;
	__atomic_fetch_or(&h->groups[page / POBJ_GROUP_PAGES].owned,
			  1ULL << page % POBJ_GROUP_PAGES, __ATOMIC_ACQ_REL);
	return true;
}

/* The rest of giving up. The bit is the owner's to change, so it goes first. */
static void disown(struct pobj_heap *h, u64 page)
{
	__atomic_fetch_and(&h->groups[page / POBJ_GROUP_PAGES].owned,
			   ~(1ULL << page % POBJ_GROUP_PAGES), __ATOMIC_ACQ_REL);
	__atomic_exchange_n(&h->pages[page].owner, 0, __ATOMIC_ACQ_REL);
}

bool pobj_span_own(struct pobj_heap *h, struct pobj_side_lane *by, u64 page)
{
	bool got;

	if (pobj_side_load(&h->pages[page].owner))
		return false;
	pobj_intent_set(by, page, 1);				/* V2 */
	got = own(h, by, page);
	pobj_intent_clear(by);
	return got;
}

void pobj_span_disown(struct pobj_heap *h, struct pobj_side_lane *by, u64 page)
{
	pobj_intent_set(by, page, 1);				/* V2 */
	disown(h, page);
	/* Who freed objects there and saw an owner left the hint to him (V7). */
	pobj_slab_hint(h, page);
	pobj_intent_clear(by);
}

void pobj_span_give(struct pobj_heap *h, struct pobj_side_lane *by, u64 page, u64 pages)
{
	pobj_intent_set(by, page, pages);				/* V1 */
	if (pobj_side_load(&h->pages[page].owner) == (u64)(by - h->lanes) + 1)
		disown(h, page);
	map_clear(h, page, pages);
	pobj_intent_clear(by);
}

void pobj_span_reap(struct pobj_heap *h, struct pobj_side_lane *by, u64 page, u64 pages)
{
	pobj_intent_set(by, page, pages);				/* V1 */
	disown(h, page);
	pobj_span_settle(h, by, page, pages);
	pobj_intent_clear(by);
}

/* ---- taking ------------------------------------------------------------------------------ */

/*
 * CONT lines: the way from a page to the head of its span; of a large one only where a section
 * begins. They are durable before the header is (the fence of whoever stores it), and mean nothing
 * until then.
 */
static void write_inside(struct pobj_heap *h, u64 page, u64 pages)
{
	const u64 step = pages <= POBJ_GROUP_PAGES ? 1 : POBJ_M_SECTION_PAGES;
	struct pobj_m_line *line;
	u64 i;

	for (i = (page / step + 1) * step; i < page + pages; i += step) {
		line = pobj_heap_line(h, i);
		pobj_store64(&h->media, &line->header,
			     pobj_line_header(POBJ_M_CONT, 0, 0, (u32)(i - page)));
		pobj_flush(&h->media, line, sizeof(*line));
	}
}

/*
 * Take and own a run that looked free. It may have been taken meanwhile; or its head may be owned
 * for an instant by one who takes it for the slab it was.
 */
static bool run_take(struct pobj_tlane *tl, u64 page, u64 pages)
{
	struct pobj_heap *h = tl->p->heap;
	bool got = false;

	pobj_intent_set(tl->side, page, pages);			/* V1 */
	if (map_take(h, page, pages)) {
		/* With the owner this covers the pages, while no line does. */
		pobj_side_store(&h->pages[page].slot, pages);
		got = own(h, tl->side, page);
		if (got)
			write_inside(h, page, pages);
		else
			map_clear(h, page, pages);
	}
	pobj_intent_clear(tl->side);
	return got;
}

/* First of @n set bits in a row, or 64. */
static u32 find_run(u64 bits, u32 n)
{
	u32 have = 1, step;

	while (have < n && bits) {
		step = have < n - have ? have : n - have;
		bits &= bits >> step;
		have += step;
	}
	return bits ? (u32)__builtin_ctzll(bits) : 64;
}

/* @n pages of this group. */
static inline bool group_take(struct pobj_tlane *tl, u64 group, u32 n, u64 *page)
{
	struct pobj_heap *h = tl->p->heap;
	u64 lost = 0;
	u32 at;

	for (;;) {
		at = find_run(~(pobj_group_map(h, group) | lost) & POBJ_MAP_PAGES, n);
		if (at >= 64)
			return false;
		*page = group * POBJ_GROUP_PAGES + at;
		if (run_take(tl, *page, n))
			return true;
		/* Somebody was quicker, or has the head for an instant. Room may be here only. */
		lost |= bits_of(at, 1);
	}
}

/* @n pages in one group, searching all groups from the cursor. */
static bool take_in_group(struct pobj_tlane *tl, u32 n, u64 *page)
{
	struct pobj_heap *h = tl->p->heap;
	u64 i, group = tl->cursor < h->group_cnt ? tl->cursor : 0;

	for (i = 0; i < h->group_cnt; i++) {
		if (group_take(tl, group, n, page)) {
			tl->cursor = group;
			return true;
		}
		if (++group == h->group_cnt)
			group = 0;
	}
	return false;
}

int pobj_span_take_small(struct pobj_tlane *tl, u32 pages, u64 *page)
{
	const u64 frees = pobj_heap_frees(tl->p->heap) + 1;

	if (tl->missed[pages] == frees)
		return -ENOMEM;
	if (take_in_group(tl, pages, page))
		return 0;
	tl->missed[pages] = frees;
	return -ENOMEM;
}

/* A search for the smallest run that is large enough: @best, of @best_len pages so far. */
struct fit {
	u64 want;
	u64 start;	/* of the run at hand */
	u64 len;
	u64 best;
	u64 best_len;
	u64 patience;	/* groups to look at after one was found */
};

#define FIT_PATIENCE	64U	/* 8 MiB of 4 KiB pages */

static void fit_note(struct fit *f)
{
	if (f->len >= f->want && f->len < f->best_len) {
		f->best = f->start;
		f->best_len = f->len;
	}
}

static void fit_end(struct fit *f)
{
	fit_note(f);
	f->len = 0;
}

/* Look at one more group; false: enough was seen. */
static bool fit_group(struct fit *f, u64 group, u64 used)
{
	u64 page = group * POBJ_GROUP_PAGES, n;
	const u64 end = page + POBJ_GROUP_PAGES;

	used |= ~POBJ_MAP_PAGES;
	while (page < end) {
		n = (u64)__builtin_ctzll(used);		/* free ones in a row; bit 32 is set */
		if (n) {
			if (!f->len)
				f->start = page;
			f->len += n;
		} else {
			fit_end(f);
			n = ~used ? (u64)__builtin_ctzll(~used) : 64;
		}
		page += n;
		/* Ones from above: what lies beyond the group is not free. */
		used = n < 64 ? used >> n | ~(~0ULL >> n) : ~0ULL;
	}
	/* A run much larger than what is wanted is not worth measuring to its end. */
	if (f->len >= f->want + FIT_PATIENCE * POBJ_GROUP_PAGES)
		fit_note(f);
	return f->best_len != f->want && (f->best_len == ~0ULL || f->patience--);
}

/* Find a run of @want pages from group @from up to @to. */
static bool fit_find(struct pobj_heap *h, u64 want, u64 from, u64 to, u64 *page)
{
	struct fit f = { .want = want, .best_len = ~0ULL, .patience = FIT_PATIENCE };
	u64 group;

	for (group = from; group < to; group++) {
		if (!fit_group(&f, group, pobj_group_map(h, group) & POBJ_MAP_PAGES))
			break;
	}
	fit_end(&f);
	*page = f.best;
	return f.best_len != ~0ULL;
}

int pobj_span_take_large(struct pobj_tlane *tl, u64 pages, u64 *page)
{
	struct pobj_heap *h = tl->p->heap;
	const u64 frees = pobj_heap_frees(h) + 1;
	u32 tries;

	if (pages > h->g->page_cnt ||
	    (tl->large_missed == frees && pages >= tl->large_missed_pages))
		return -ENOMEM;
	for (tries = 0; tries < 64; tries++) {
		if (tl->large_cursor >= h->group_cnt)
			tl->large_cursor = 0;
		if (!fit_find(h, pages, tl->large_cursor, h->group_cnt, page) &&
		    (!tl->large_cursor || !fit_find(h, pages, 0, h->group_cnt, page)))
			break;
		tl->large_cursor = *page / POBJ_GROUP_PAGES;
		if (run_take(tl, *page, pages))
			return 0;
	}
	tl->large_missed = frees;
	tl->large_missed_pages = pages;
	return -ENOMEM;
}

/* ---- what the dead left ------------------------------------------------------------------- */

static bool in_range(u64 page, u64 first, u64 pages)
{
	return page >= first && page - first < pages;
}

/* Does an intent, ring or hold of a lane but @by speak for @page? */
static bool page_in_hands(struct pobj_heap *h, const struct pobj_side_lane *by, u64 page)
{
	const u32 lanes = pobj_heap_lanes(h);
	const struct pobj_side_lane *l;
	u64 first, n, i, *hold;
	u32 lane;

	for (lane = 0; lane < lanes; lane++) {
		l = &h->lanes[lane];
		if (l == by)
			continue;
		first = pobj_side_load(&l->intent_page);
		if (first && in_range(page, first - 1, pobj_side_load(&l->intent_cnt)))
			return true;
		for (i = 0; i < POBJ_RING_CNT; i++) {
			first = pobj_side_load(&l->ring[i]);
			n = pobj_side_load(&l->ring_pages[i]);
			if (first && n && in_range(page, pobj_ref_page(first - 1), n))
				return true;
		}
		hold = h->holds + (u64)lane * POBJ_HOLD_CNT;
		n = pobj_side_load(&l->hold_cnt);
		for (i = 0; i + 1 < n; i++) {
			first = pobj_side_load(&hold[i]);
			if (first && pobj_ref_idx(first - 1) == POBJ_M_REF_LARGE &&
			    in_range(page, pobj_ref_page(first - 1), pobj_side_load(&hold[++i])))
				return true;
		}
	}
	return false;
}

/* V1: settle this group again before saying ENOMEM. Set before what we settle for is forgotten. */
static void group_doubt(struct pobj_heap *h, u64 group)
{
	if (!(pobj_side_load(&h->groups[group].owned) & POBJ_OWNED_DOUBT))
		__atomic_fetch_or(&h->groups[group].owned, POBJ_OWNED_DOUBT, __ATOMIC_ACQ_REL);
}

/*
 * Does the span at @head, on the medium or owned, cover @page? A span gets its line while it is
 * owned, and loses it so: the owner is looked at before the line and after it. An owner without a
 * line may be one by mistake, who came for the slab that was there and leaves without the pages: so
 * what he alone covers is left in doubt, unless he is @by, whose spans are settled next.
 */
static bool head_covers(struct pobj_heap *h, const struct pobj_side_lane *by, u64 head, u64 page)
{
	u64 owner = pobj_side_load(&h->pages[head].owner);
	u64 owned = owner ? pobj_side_load(&h->pages[head].slot) : 0;
	struct pobj_line l;

	pobj_line_read(&h->media, h->g, head, &l);
	if (l.kind != POBJ_M_FREE && l.kind != POBJ_M_CONT)
		return in_range(page, head, l.pages);
	if (!owned) {
		owner = pobj_side_load(&h->pages[head].owner);
		owned = owner ? pobj_side_load(&h->pages[head].slot) : 0;
	}
	if (!in_range(page, head, owned))
		return false;
	if (!by || owner != (u64)(by - h->lanes) + 1)
		group_doubt(h, page / POBJ_GROUP_PAGES);
	return true;
}

static bool page_covered(struct pobj_heap *h, const struct pobj_side_lane *by, u64 page)
{
	const u64 section = page / SECTION_PAGES * SECTION_PAGES;
	struct pobj_line l;
	u64 head;

	for (head = page + 1; head-- > section;) {
		if (head_covers(h, by, head, page))
			return true;
	}
	pobj_line_read(&h->media, h->g, section, &l);
	return l.kind == POBJ_M_CONT && l.size <= section &&
	       head_covers(h, by, section - l.size, page);
}

/* Is the page, which is marked used, covered by nothing? */
static bool page_is_lost(struct pobj_heap *h, const struct pobj_side_lane *by, u64 page)
{
	/* Twice: taking goes from hand to span, giving the other way. */
	const bool before = page_in_hands(h, by, page);

	if (page_covered(h, by, page))
		return false;
	if (!before && !page_in_hands(h, by, page))
		return true;
	group_doubt(h, page / POBJ_GROUP_PAGES);
	return false;
}

void pobj_span_settle(struct pobj_heap *h, struct pobj_side_lane *by, u64 page, u64 pages)
{
	const u64 end = page + pages < h->g->page_cnt ? page + pages : h->g->page_cnt;
	u64 next, bit, old, lost, i, group;

	for (; page < end; page = next) {
		bits_in_group(page, end, &next);
		group = page / POBJ_GROUP_PAGES;
		old = pobj_group_map(h, group);
		do {
			lost = 0;
			for (i = page; i < next; i++) {
				bit = bits_of(i % POBJ_GROUP_PAGES, 1);
				if ((old & bit) && page_is_lost(h, by, i))
					lost |= bit;
			}
		} while (lost && !__atomic_compare_exchange_n(&h->groups[group].map, &old,
							      ((old ^ lost) + POBJ_MAP_VERSION) |
							      POBJ_MAP_BUILT, false,
							      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	}
}

bool pobj_spans_resettle(struct pobj_heap *h)
{
	bool changed = false;
	u64 group, map;

	for (group = 0; group < h->group_cnt; group++) {
		if (!(pobj_side_load(&h->groups[group].owned) & POBJ_OWNED_DOUBT))
			continue;
		/* First: who marks it meanwhile marks it for the next time. */
		__atomic_fetch_and(&h->groups[group].owned, ~POBJ_OWNED_DOUBT, __ATOMIC_ACQ_REL);
		map = pobj_side_load(&h->groups[group].map);
		pobj_span_settle(h, NULL, group * POBJ_GROUP_PAGES, POBJ_GROUP_PAGES);
		changed |= pobj_side_load(&h->groups[group].map) != map;
	}
	return changed;
}
