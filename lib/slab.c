// SPDX-License-Identifier: BSD-3-Clause
/*
 * Slabs: where small objects come from. A lane owns a few of each class and type it uses, and hands
 * out their objects from private masks, without a LOCK. When these are used up:
 *
 *	1. look into the owned ones again: others may have freed objects there
 *	2. adopt a slab that nobody owns and that has room, if one is near
 *	3. make a new one from free pages
 *	4. adopt one from anywhere
 *	5. retire this lane's frees, give up what the lane does not need, dissolve empty slabs, take
 *	   over from parked lanes and from the dead; and begin anew
 *
 * Finding is by hints (V7), never by trust: a slab is read when it is owned, in the order of V4.
 *
 * A slab is made without a log: its line, header last, becomes durable no later than its
 * first object does, whose state is in it, and an empty slab that is left over does no
 * harm.
 *
 * Typed and mixed. Objects of one type stand together, so they need no headers, and
 * iterating over a type costs what it has. A small pool with many types would drown in
 * half-empty slabs: there, from the fifth type of a class on, a lane puts further types
 * into slabs that are mixed.
 */
#include <stdlib.h>

#include "lib/heap.h"
#include "lib/session.h"

#define ADOPT_NEAR	64U		/* groups: 8 MiB of 4 KiB pages */
#define MIXED_POOL	(64ULL << 20)	/* pools below this have mixed slabs */
#define MIXED_FROM	4U		/* after so many types of a class */

/* ---- lines ------------------------------------------------------------------------------- */

static u64 pair_reserved(const struct pobj_side_page *side, u32 w)
{
	return pobj_side_load(&side->reserved_a[w]) ^ pobj_side_load(&side->reserved_b[w]);
}

/* ---- hints ------------------------------------------------------------------------------- */

static struct pobj_side_group *group_of(const struct pobj_heap *h, u64 page)
{
	return &h->groups[page / POBJ_GROUP_PAGES];
}

/* Set bits of a filter that are not set; the test saves the LOCK nearly always. */
static void filter_set(u64 *filter, u64 bits)
{
	if ((pobj_side_load(filter) & bits) != bits)
		__atomic_fetch_or(filter, bits, __ATOMIC_ACQ_REL);
}

void pobj_slab_hint(struct pobj_heap *h, u64 page)
{
	const struct pobj_m_line *line = pobj_heap_line(h, page);
	struct pobj_seen s;

	/* An owned slab is hinted at when it is given up. */
	if (pobj_side_load(&h->pages[page].owner))
		return;
	pobj_line_see(h, page, &s);
	if (s.size && pobj_line_has_room(line, s.cnt))
		filter_set(&group_of(h, page)->room, POBJ_ROOM_BIT(s.size, s.type, s.mixed));
}

/* Pages of a group at which an unowned slab may begin. */
static u64 group_unowned(const struct pobj_heap *h, u64 group, u64 map)
{
	return map & ~pobj_side_load(&h->groups[group].owned) & POBJ_MAP_PAGES;
}

/* Which room bits does a group deserve? */
static u64 group_room(struct pobj_heap *h, u64 group)
{
	u64 pages = group_unowned(h, group, pobj_group_map(h, group)), room = 0, page;
	struct pobj_seen s;

	for (; pages; pages &= pages - 1) {
		page = group * POBJ_GROUP_PAGES + (u64)__builtin_ctzll(pages);
		pobj_line_see(h, page, &s);
		if (s.size && pobj_line_has_room(pobj_heap_line(h, page), s.cnt))
			room |= POBJ_ROOM_BIT(s.size, s.type, s.mixed);
	}
	return room;
}

/*
 * A bit of a filter promised what was not there: clear it, and look once more (V7). With an
 * intent for the group, so that somebody looks if we die in between.
 */
static void room_clear(struct pobj_tlane *tl, u64 group, u64 bit)
{
	struct pobj_heap *h = tl->p->heap;

	pobj_intent_set(tl->side, group * POBJ_GROUP_PAGES, POBJ_GROUP_PAGES);
	__atomic_fetch_and(&h->groups[group].room, ~bit, __ATOMIC_ACQ_REL);
	filter_set(&h->groups[group].room, group_room(h, group) & bit);
	pobj_intent_clear(tl->side);
}

/* ---- owned slabs ------------------------------------------------------------------------- */

/* Put @s into the lane's table. 0 or -ENOMEM. */
static int slab_enlist(struct pobj_tlane *tl, struct pobj_slab *s)
{
	struct pobj_slab **more;
	u32 i, cnt;

	for (i = 0; i < tl->slab_cnt && tl->slab[i]; i++)
		;
	if (i == tl->slab_cnt) {
		cnt = tl->slab_cnt ? tl->slab_cnt * 2 : 16;
		more = realloc(tl->slab, cnt * sizeof(struct pobj_slab *));
		if (!more)
			return -ENOMEM;
		memset(more + tl->slab_cnt, 0, (cnt - tl->slab_cnt) * sizeof(struct pobj_slab *));
		tl->slab = more;
		tl->slab_cnt = cnt;
	}
	tl->slab[i] = s;
	s->index = i;
	pobj_side_store(&s->side->slot, i);	/* whoever settles doubts reads it */
	return 0;
}

/* The private side of a slab that the lane owns. NULL: no memory. */
static struct pobj_slab *slab_make(struct pobj_tlane *tl, u64 page, const struct pobj_seen *seen)
{
	struct pobj_heap *h = tl->p->heap;
	struct pobj_slab *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->page = page;
	s->line = pobj_heap_line(h, page);
	s->side = &h->pages[page];
	s->off = pobj_geom_page(h->g, page);
	s->type = seen->type;
	s->size = seen->size;
	s->cnt = seen->cnt;
	s->mixed = seen->mixed;
	if (slab_enlist(tl, s)) {
		free(s);
		return NULL;
	}
	return s;
}

static void slab_detach(struct pobj_slab *s)
{
	struct pobj_slab_set *set = s->set;
	u32 i;

	if (!set)
		return;
	for (i = 0; set->slab[i] != s; i++)
		;
	set->slab[i] = set->slab[--set->cnt];
	set->cur = 0;
	s->set = NULL;
}

static void slab_forget(struct pobj_tlane *tl, struct pobj_slab *s)
{
	slab_detach(s);
	tl->slab[s->index] = NULL;
	free(s);
}

/* V5: may the slab change its owner? */
static bool slab_idle(const struct pobj_slab *s)
{
	u32 w;

	for (w = 0; w < POBJ_M_SLAB_PAIRS; w++) {
		if (s->taken[w] || pair_reserved(s->side, w))
			return false;
	}
	return true;
}

static void slab_give_up(struct pobj_tlane *tl, struct pobj_slab *s)
{
	const u64 page = s->page;

	slab_forget(tl, s);
	pobj_span_disown(tl->p->heap, tl->side, page);
	__atomic_store_n(&tl->side->frees, tl->side->frees + 1, __ATOMIC_RELEASE);
}

u32 pobj_slabs_give_up(struct pobj_tlane *tl)
{
	u32 i, kept = 0;

	for (i = 0; i < tl->slab_cnt; i++) {
		if (!tl->slab[i])
			continue;
		if (slab_idle(tl->slab[i]))
			slab_give_up(tl, tl->slab[i]);
		else
			kept++;
	}
	return kept;
}

void pobj_slabs_aside_give_up(struct pobj_tlane *tl)
{
	u32 i;

	for (i = 0; i < tl->slab_cnt; i++) {
		if (tl->slab[i] && !tl->slab[i]->set && slab_idle(tl->slab[i]))
			slab_give_up(tl, tl->slab[i]);
	}
}

/* Which objects may the lane hand out? In the order of V4. False: none. */
static bool slab_refill(struct pobj_tlane *tl, struct pobj_slab *s)
{
	const u64 *count = tl->p->heap->reaps;
	u64 avail[POBJ_M_SLAB_PAIRS], reaps;
	u32 w;

	do {
		reaps = pobj_side_load(count);				/* V10 */
		for (w = 0; w < POBJ_M_SLAB_PAIRS; w++)
			avail[w] = pobj_pair_valid(s->cnt, w) & ~pair_reserved(s->side, w) &
				   ~s->taken[w];
		for (w = 0; w < POBJ_M_SLAB_PAIRS; w++)
			avail[w] &= ~pobj_pair_state(s->line, w);
		if (avail[0] | avail[1] | avail[2])
			pobj_quarantine_mask(tl->p->heap, s->page, avail, tl);
	} while (pobj_side_load(count) != reaps);
	memcpy(s->avail, avail, sizeof(avail));
	return avail[0] | avail[1] | avail[2];
}

/* ---- sets -------------------------------------------------------------------------------- */

static struct pobj_slab_set *set_find(const struct pobj_tlane *tl, u32 cls, u64 type, bool mixed)
{
	const u32 hash = (u32)((type * 0x9e3779b97f4a7c15ULL >> 58) ^ cls) % POBJ_SET_HASH;
	struct pobj_slab_set *set;

	for (set = tl->set[hash]; set; set = set->next) {
		if (set->type == type && set->cls == cls && set->mixed == mixed)
			break;
	}
	return set;
}

static struct pobj_slab_set *set_make(struct pobj_tlane *tl, u32 cls, u64 type, bool mixed)
{
	const u32 hash = (u32)((type * 0x9e3779b97f4a7c15ULL >> 58) ^ cls) % POBJ_SET_HASH;
	struct pobj_slab_set *set = set_find(tl, cls, type, mixed);

	if (set)
		return set;
	set = calloc(1, sizeof(*set));
	if (!set)
		return NULL;
	set->type = type;
	set->cls = cls;
	set->mixed = mixed;
	set->cursor = tl->cursor;
	set->next = tl->set[hash];
	tl->set[hash] = set;
	tl->sets_of[cls] += !mixed;
	return set;
}

/* The set for new objects of this class and type. */
static struct pobj_slab_set *set_for(struct pobj_tlane *tl, u32 cls, u64 type)
{
	const struct pobj_heap *h = tl->p->heap;
	struct pobj_slab_set *set = tl->last;

	if (set && set->type == type && set->cls == cls && !set->mixed)
		return set;
	set = set_find(tl, cls, type, false);
	if (!set && h->g->pool_size < MIXED_POOL && tl->sets_of[cls] >= MIXED_FROM &&
	    h->classes[cls].size <= pobj_geom_page_bytes(h->g) / 4)
		return set_make(tl, cls, 0, true);
	if (!set)
		set = set_make(tl, cls, type, false);
	tl->last = set;
	return set;
}

/* Make room for one more slab in the set. */
static void set_make_room(struct pobj_tlane *tl, struct pobj_slab_set *set)
{
	struct pobj_slab *s = NULL;
	u32 i;

	if (set->cnt < POBJ_SLABS_OWNED)
		return;
	pobj_slabs_aside_give_up(tl);
	for (i = 0; i < set->cnt; i++) {
		s = set->slab[i];
		if (slab_idle(s)) {
			slab_give_up(tl, s);
			return;
		}
	}
	/* All have reservations: the oldest is kept aside until these are gone. */
	slab_detach(set->slab[0]);
}

static void set_add(struct pobj_tlane *tl, struct pobj_slab_set *set, struct pobj_slab *s)
{
	s->set = set;		/* first: those without a set may be given up */
	set_make_room(tl, set);
	set->cur = set->cnt;
	set->slab[set->cnt++] = s;
}

/* ---- adopting ---------------------------------------------------------------------------- */

static bool seen_fits(const struct pobj_seen *s, const struct pobj_slab_set *set, u32 size)
{
	return s->size == size && s->mixed == set->mixed && s->type == set->type;
}

/* Own the slab at @page if it still is what it looked like, and has something for us. */
static bool slab_adopt(struct pobj_tlane *tl, struct pobj_slab_set *set, u64 page, u32 size)
{
	struct pobj_heap *h = tl->p->heap;
	struct pobj_slab *s = NULL;
	struct pobj_seen seen;

	if (!pobj_span_own(h, tl->side, page))
		return false;
	pobj_line_see(h, page, &seen);
	if (seen_fits(&seen, set, size))
		s = slab_make(tl, page, &seen);
	if (s && slab_refill(tl, s)) {
		set_add(tl, set, s);
		return true;
	}
	if (s)
		slab_forget(tl, s);
	pobj_span_disown(h, tl->side, page);
	return false;
}

static bool group_adopt(struct pobj_tlane *tl, struct pobj_slab_set *set, u64 group)
{
	struct pobj_heap *h = tl->p->heap;
	const u32 size = h->classes[set->cls].size;
	const u64 map = pobj_group_map(h, group), bit = POBJ_ROOM_BIT(size, set->type, set->mixed);
	u64 pages, page;
	struct pobj_seen seen;

	if (!(pobj_side_load(&h->groups[group].room) & bit))
		return false;
	for (pages = group_unowned(h, group, map); pages; pages &= pages - 1) {
		page = group * POBJ_GROUP_PAGES + (u64)__builtin_ctzll(pages);
		pobj_line_see(h, page, &seen);
		if (seen_fits(&seen, set, size) &&
		    pobj_line_has_room(pobj_heap_line(h, page), seen.cnt) &&
		    slab_adopt(tl, set, page, size))
			return true;
	}
	room_clear(tl, group, bit);
	return false;
}

static bool set_adopt(struct pobj_tlane *tl, struct pobj_slab_set *set, u64 groups)
{
	struct pobj_heap *h = tl->p->heap;

	for (; groups; groups--) {
		if (set->cursor >= h->group_cnt)
			set->cursor = 0;
		if (group_adopt(tl, set, set->cursor))
			return true;
		set->cursor++;
	}
	return false;
}

/* ---- making ------------------------------------------------------------------------------ */

/*
 * Pages for a slab, and how many objects it has then: as many as are best, or fewer. Never
 * more than the objects need: the line would not cover the rest.
 */
static int slab_pages(struct pobj_tlane *tl, const struct pobj_class *c, struct pobj_seen *seen,
		      u64 *page)
{
	struct pobj_heap *h = tl->p->heap;
	const u32 each = c->size + (seen->mixed ? sizeof(u64) : 0);
	const u32 least = (u32)pobj_geom_pages(h->g, each);
	u32 n;
	int err = -ENOMEM;

	for (n = c->pages < least ? least : c->pages; err == -ENOMEM && n >= least; n--) {
		seen->cnt = pobj_class_count(h->g, c->size, n, seen->mixed);
		n = (u32)pobj_geom_pages(h->g, (u64)seen->cnt * each);
		err = pobj_span_take_small(tl, n, page);
	}
	return err;
}

static int set_extend(struct pobj_tlane *tl, struct pobj_slab_set *set)
{
	struct pobj_heap *h = tl->p->heap;
	const struct pobj_class *c = &h->classes[set->cls];
	struct pobj_seen seen = { .type = set->type, .size = c->size, .mixed = set->mixed };
	__le64 words[7] = { cpu_to_le64(set->type) };
	struct pobj_m_line *line;
	struct pobj_slab *s;
	u64 page;
	int err;

	err = slab_pages(tl, c, &seen, &page);
	if (err)
		return err;
	line = pobj_heap_line(h, page);
	pobj_store_words(&h->media, &line->type, words, 7);
	/* An empty slab may be left over, but not one whose pages do not lead to it. */
	if (pobj_seen_pages(h, &seen) > 1) {
		err = pobj_fence(&h->media);
		if (err)
			return pobj_heap_broken(tl->p, err);
	}
	/* Before the header: whoever adopts the slab, if we die in between, does not look again. */
	if (!set->mixed)
		filter_set(&group_of(h, page)->types, POBJ_TYPE_BIT(set->type));
	/*
	 * P1: the header is stored last. Not flushed: whoever changes the state of an object here
	 * does it in this line, and takes the header along.
	 */
	pobj_store64(&h->media, &line->header,
		     pobj_line_header(POBJ_M_SLAB, set->mixed ? POBJ_M_F_MIXED : 0, seen.cnt,
				      c->size));
	s = slab_make(tl, page, &seen);
	if (!s) {
		pobj_span_disown(h, tl->side, page);
		return -ENOMEM;
	}
	slab_refill(tl, s);
	set_add(tl, set, s);
	return 0;
}

/* ---- dissolving -------------------------------------------------------------------------- */

static bool slab_nothing_left(struct pobj_heap *h, u64 page, const struct pobj_seen *s)
{
	u64 all[POBJ_M_SLAB_PAIRS], left[POBJ_M_SLAB_PAIRS];
	u32 w;

	for (w = 0; w < POBJ_M_SLAB_PAIRS; w++) {
		if (pair_reserved(&h->pages[page], w))
			return false;
	}
	if (!pobj_line_is_empty(pobj_heap_line(h, page)))
		return false;
	for (w = 0; w < POBJ_M_SLAB_PAIRS; w++) {
		all[w] = pobj_pair_valid(s->cnt, w);
		left[w] = all[w];
	}
	pobj_quarantine_mask(h, page, left, NULL);
	return !memcmp(all, left, sizeof(all));
}

/* Is the slab, which this lane owns, free of everything (V6)? */
static bool slab_dissolvable(struct pobj_heap *h, u64 page, const struct pobj_seen *s)
{
	bool nothing;
	u64 reaps;

	do {
		reaps = pobj_side_load(h->reaps);			/* V10 */
		nothing = slab_nothing_left(h, page, s);
	} while (pobj_side_load(h->reaps) != reaps);
	return nothing;
}

/* Slabs whose headers were set to 0 and are not fenced yet. */
struct gone {
	u64 page[POBJ_GROUP_PAGES];
	u64 pages[POBJ_GROUP_PAGES];
	u32 cnt;
	u64 sum;
};

static int gone_give(struct pobj_tlane *tl, struct gone *g)
{
	struct pobj_heap *h = tl->p->heap;
	int err = g->cnt ? pobj_fence(&h->media) : 0;		/* V6 */

	if (err)
		return pobj_heap_broken(tl->p, err);
	for (; g->cnt; g->cnt--) {
		pobj_span_give(h, tl->side, g->page[g->cnt - 1], g->pages[g->cnt - 1]);
		g->sum += g->pages[g->cnt - 1];
	}
	return 0;
}

/* The lane owns the slab at @page, and has nothing private of it. */
static void gone_add(struct pobj_tlane *tl, struct gone *g, u64 page, const struct pobj_seen *s)
{
	struct pobj_heap *h = tl->p->heap;
	struct pobj_m_line *line = pobj_heap_line(h, page);

	g->page[g->cnt] = page;
	g->pages[g->cnt] = pobj_seen_pages(h, s);
	/* With the owner this covers the pages once the header is gone (V1). */
	__atomic_store_n(&h->pages[page].slot, g->pages[g->cnt++], __ATOMIC_RELEASE);
	pobj_store64(&h->media, &line->header, 0);
	pobj_flush(&h->media, line, sizeof(*line));
	if (g->cnt == POBJ_GROUP_PAGES)
		gone_give(tl, g);
}

static void group_dissolve(struct pobj_tlane *tl, u64 group, struct gone *g)
{
	struct pobj_heap *h = tl->p->heap;
	u64 pages, page;
	struct pobj_seen s;

	for (pages = group_unowned(h, group, pobj_group_map(h, group)); pages; pages &= pages - 1) {
		page = group * POBJ_GROUP_PAGES + (u64)__builtin_ctzll(pages);
		pobj_line_see(h, page, &s);
		if (!s.size || !pobj_line_is_empty(pobj_heap_line(h, page)) ||
		    !pobj_span_own(h, tl->side, page))
			continue;
		pobj_line_see(h, page, &s);
		if (s.size && slab_dissolvable(h, page, &s))
			gone_add(tl, g, page, &s);
		else
			pobj_span_disown(h, tl->side, page);
	}
}

u64 pobj_slabs_dissolve(struct pobj_tlane *tl)
{
	struct pobj_heap *h = tl->p->heap;
	struct gone g = { .cnt = 0 };
	struct pobj_slab *s;
	struct pobj_seen seen;
	u64 group;
	u32 i;

	for (i = 0; i < tl->slab_cnt; i++) {
		s = tl->slab[i];
		if (!s || !slab_idle(s))
			continue;
		pobj_line_see(h, s->page, &seen);
		if (!seen.size || !slab_dissolvable(h, s->page, &seen))
			continue;
		group = s->page;
		slab_forget(tl, s);
		gone_add(tl, &g, group, &seen);
	}
	for (group = 0; group < h->group_cnt; group++) {
		/* An empty slab has room, and then its group has a hint; or it is not built. */
		if (pobj_side_load(&h->groups[group].room))
			group_dissolve(tl, group, &g);
	}
	gone_give(tl, &g);
	if (g.sum)
		__atomic_store_n(&tl->side->frees, tl->side->frees + 1, __ATOMIC_RELEASE);
	return g.sum;
}

/* ---- handing out ------------------------------------------------------------------------- */

/* Hand out the lowest of @bits, which are available in pair @w. */
static inline void bit_hand_out(struct pobj_slab *s, u32 w, u64 bits, struct pobj_spot *spot)
{
	const u32 idx = w * 64 + (u32)__builtin_ctzll(bits);

	bits &= -bits;
	s->avail[w] &= ~bits;
	s->taken[w] |= bits;
	spot->page = s->page;
	spot->off = s->off + (u64)idx * s->size;
	spot->size = s->size;
	spot->pages = 0;
	spot->line = s->line;
	spot->slab = s;
	spot->idx = idx;
}

static inline bool slab_hand_out(struct pobj_slab *s, struct pobj_spot *spot)
{
	const u32 w = s->avail[0] ? 0 : s->avail[1] ? 1 : 2;

	if (!s->avail[w])
		return false;
	bit_hand_out(s, w, s->avail[w], spot);
	return true;
}

/* The same, but nothing that the lane's own ring lists. */
static inline bool slab_hand_out_retired(const struct pobj_tlane *tl, struct pobj_slab *s,
					 struct pobj_spot *spot)
{
	u64 bits[POBJ_M_SLAB_PAIRS];
	u32 w;

	/* Nothing is listed once the frees are retired. */
	if (tl->log.sealed >= tl->log.last_free || pobj_weak(POBJ_WEAK_REUSE))
		return slab_hand_out(s, spot);
	memcpy(bits, s->avail, sizeof(bits));
	pobj_ring_mask(tl, s->page, bits);
	w = bits[0] ? 0 : bits[1] ? 1 : 2;
	if (!bits[w])
		return false;
	bit_hand_out(s, w, bits[w], spot);
	return true;
}

static bool set_hand_out(struct pobj_tlane *tl, struct pobj_slab_set *set, bool unlogged,
			 struct pobj_spot *spot)
{
	struct pobj_slab *s;
	u32 i;

	for (i = 0; i < set->cnt; i++) {
		s = set->slab[(set->cur + i) % set->cnt];
		if (unlogged ? slab_hand_out_retired(tl, s, spot) : slab_hand_out(s, spot)) {
			set->cur = (set->cur + i) % set->cnt;
			return true;
		}
	}
	/* 1. Others may have freed something. */
	for (i = 0; i < set->cnt; i++) {
		s = set->slab[i];
		if (slab_refill(tl, s) &&
		    (unlogged ? slab_hand_out_retired(tl, s, spot) : slab_hand_out(s, spot))) {
			set->cur = i;
			return true;
		}
	}
	return false;
}

/* Steps 1 to 4. */
static int set_take(struct pobj_tlane *tl, struct pobj_slab_set *set, bool unlogged,
		    struct pobj_spot *spot)
{
	struct pobj_heap *h = tl->p->heap;
	const u64 near = h->group_cnt < ADOPT_NEAR ? h->group_cnt : ADOPT_NEAR;
	u64 frees;
	int err;

	if (set_hand_out(tl, set, unlogged, spot))
		return 0;
	frees = pobj_heap_frees(h) + 1;
	if (set->missed != frees && set_adopt(tl, set, near) &&
	    set_hand_out(tl, set, unlogged, spot))
		return 0;
	err = set_extend(tl, set);
	if (!err && set_hand_out(tl, set, unlogged, spot))
		return 0;
	if (set->missed == frees)
		return -ENOMEM;
	if (set_adopt(tl, set, h->group_cnt) && set_hand_out(tl, set, unlogged, spot))
		return 0;
	set->missed = frees;
	return -ENOMEM;
}

/* Step 5: 1 if something may have changed, 0 if not, -errno. */
int pobj_heap_squeeze(struct pobj_tlane *tl)
{
	const u64 before = pobj_heap_frees(tl->p->heap);
	int err;

	err = pobj_ring_retire(tl);
	if (err)
		return pobj_heap_broken(tl->p, err);
	/* Their reservations may be gone by others' hands. */
	pobj_slabs_aside_give_up(tl);
	pobj_tlanes_sweep(tl->p);
	pobj_session_reap(tl->p);
	if (pobj_spans_resettle(tl->p->heap))
		__atomic_store_n(&tl->side->frees, tl->side->frees + 1, __ATOMIC_RELEASE);
	pobj_slabs_dissolve(tl);
	return tl->p->broken ? -EIO : pobj_heap_frees(tl->p->heap) != before;
}

/* A mixed slab's objects have each their type number: part of the contents. */
static void spot_set_type(struct pobj_heap *h, const struct pobj_spot *spot, u64 type)
{
	const struct pobj_slab *s = spot->slab;
	__le64 *word = pobj_media_ptr(&h->media, pobj_mixed_type_off(s->off, s->size, s->cnt,
								     spot->idx));

	filter_set(&group_of(h, s->page)->types, POBJ_TYPE_BIT(type));
	pobj_store64(&h->media, word, type);
	pobj_flush(&h->media, word, sizeof(*word));
}

/* All but the commonest. */
static int slab_take_slowly(struct pobj_tlane *tl, u32 cls, u64 type, bool unlogged,
			    struct pobj_spot *spot)
{
	struct pobj_slab_set *set = set_for(tl, cls, type);
	struct pobj_slab_set *other;
	int err;

	if (!set)
		return -ENOMEM;
	err = set_take(tl, set, unlogged, spot);
	if (err) {
		err = pobj_heap_squeeze(tl);
		err = err > 0 ? set_take(tl, set, unlogged, spot) : err ? err : -ENOMEM;
	}
	if (err == -ENOMEM) {
		/* No slab of its own: one of the other kind may have a place left. */
		other = set_make(tl, cls, set->mixed ? type : 0, !set->mixed);
		if (other && (set_hand_out(tl, other, unlogged, spot) ||
			      (set_adopt(tl, other, tl->p->heap->group_cnt) &&
			       set_hand_out(tl, other, unlogged, spot))))
			err = 0;
	}
	if (!err && spot->slab->mixed)
		spot_set_type(tl->p->heap, spot, type);
	return err;
}

int pobj_slab_take(struct pobj_tlane *tl, size_t size, u64 type, bool unlogged,
		   struct pobj_spot *spot)
{
	const u32 cls = pobj_class_of(size);
	const struct pobj_slab_set *set = tl->last;

	/*
	 * The same class and type again, and the slab at hand has one. (last: typed, never
	 * mixed.)
	 */
	if (set && set->type == type && set->cls == cls && set->cur < set->cnt &&
	    (unlogged ? slab_hand_out_retired(tl, set->slab[set->cur], spot) :
			slab_hand_out(set->slab[set->cur], spot)))
		return 0;
	return slab_take_slowly(tl, cls, type, unlogged, spot);
}

void pobj_slab_settle(struct pobj_slab *s, u32 idx, bool back)
{
	const u64 bit = 1ULL << idx % 64;

	s->taken[idx / 64] &= ~bit;
	if (back)
		s->avail[idx / 64] |= bit;
}
