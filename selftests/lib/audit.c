// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "lib/core/check.h"
#include "lib/heap.h"
#include "lib/session.h"

/* An audit at work. @cover: by page, spans that cover it; @larges: by lane, large ones it owns. */
struct work {
	struct pobj_pool *p;
	struct pobj_heap *h;
	struct audit *a;
	unsigned char *cover;
	u32 *larges;
};

static void __attribute__((format(printf, 2, 3))) wrong(struct work *w, const char *format, ...)
{
	va_list args;

	if (w->a->violations++)
		return;
	va_start(args, format);
	vsnprintf(w->a->text, sizeof(w->a->text), format, args);
	va_end(args);
}

static u64 side_load(const u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static struct pobj_side_group *group_of(const struct work *w, u64 page)
{
	return &w->h->groups[page / POBJ_GROUP_PAGES];
}

static u64 bit_of(u64 page)
{
	return 1ULL << page % POBJ_GROUP_PAGES;
}

static bool line_is_head(const struct pobj_line *l)
{
	return !pobj_line_is_free(l);
}

static u64 line_state(const struct pobj_line *l, u32 pair)
{
	return l->a[pair] ^ l->f[pair];
}

/* ---- sessions and lanes (Q3, Q4) --------------------------------------------------------- */

/* Does another process hold the slot? */
static bool slot_is_held(const struct work *w, u32 slot)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1,
			    .l_start = (off_t)(w->p->lock_base + slot) };
	const int cmd = w->p->lock_cmd == F_OFD_SETLK ? F_OFD_GETLK : F_GETLK;

	return !fcntl(w->p->lock_fd, cmd, &fl) && fl.l_type != F_UNLCK;
}

static void audit_sessions(struct work *w)
{
	u32 i;

	for (i = 0; i < POBJ_SESSION_SLOTS; i++) {
		const u64 session = side_load(&w->h->sessions[i]);

		if (!session)
			continue;
		w->a->sessions++;
		if (i == w->p->slot ? session != w->p->session : !slot_is_held(w, i))
			wrong(w, "slot %u: session %llu is dead", i, (unsigned long long)session);
	}
}

static void audit_log(struct work *w, u32 lane)
{
	struct pobj_lane_view v;
	struct pobj_finding f;
	u64 seq;

	if (pobj_lane_read(&w->h->media, w->h->g, lane, &v, &f)) {
		wrong(w, "lane %u: its log cannot be read", lane);
		return;
	}
	for (seq = v.newest; seq > v.retired; seq--) {
		if (v.entry[seq % POBJ_M_SLOT_CNT].kind != POBJ_M_ENTRY_NOP)
			wrong(w, "lane %u: nobody has it, entry %llu is live", lane,
			      (unsigned long long)seq);
	}
}

static void audit_lane(struct work *w, u32 lane)
{
	const struct pobj_side_lane *l = &w->h->lanes[lane];
	const u64 session = side_load(&l->session);
	u32 i;

	if (side_load(&l->intent_page))
		wrong(w, "lane %u: intent for page %llu", lane,
		      (unsigned long long)side_load(&l->intent_page) - 1);
	if (side_load(&l->hold_cnt))
		wrong(w, "lane %u: %llu holds", lane, (unsigned long long)l->hold_cnt);
	if (session) {
		w->a->lanes++;
		if (lane >= pobj_heap_lanes(w->h))
			wrong(w, "lane %u: beyond those ever taken", lane);
		if (!pobj_session_lives(w->p, session))
			wrong(w, "lane %u: session %llu has no slot", lane,
			      (unsigned long long)session);
		return;
	}
	for (i = 0; i < POBJ_RING_CNT; i++) {
		if (side_load(&l->ring[i]) || side_load(&l->ring_pages[i]))
			wrong(w, "lane %u: nobody has it, and an object is in its ring", lane);
	}
	audit_log(w, lane);
}

/* ---- pages and spans (Q1, Q2, Q4, Q5) ---------------------------------------------------- */

static void cover(struct work *w, u64 page, u64 pages)
{
	const u64 end = page + pages < w->h->g->page_cnt ? page + pages : w->h->g->page_cnt;

	for (; page < end; page++)
		w->cover[page] += w->cover[page] < 2;
}

/* Does the lane know that it owns the slab? Of lanes of other processes only they can tell. */
static bool owner_knows(const struct work *w, u64 page, u64 owner)
{
	const struct pobj_tlane *tl = w->h->by_lane[owner - 1];
	const u64 slot = side_load(&w->h->pages[page].slot);

	return !tl || (slot < tl->slab_cnt && tl->slab[slot] && tl->slab[slot]->page == page);
}

static void audit_owner(struct work *w, u64 page, const struct pobj_line *l)
{
	const u64 owner = side_load(&w->h->pages[page].owner);
	const bool bit = side_load(&group_of(w, page)->owned) & bit_of(page);

	if (!owner != !bit)
		wrong(w, "page %llu: owner %llu, its bit is %u", (unsigned long long)page,
		      (unsigned long long)owner, bit);
	if (!owner)
		return;
	w->a->owned++;
	if (!side_load(&group_of(w, page)->map))
		wrong(w, "page %llu: owned, and its group is not built", (unsigned long long)page);
	if (owner > w->h->g->lane_cnt || !side_load(&w->h->lanes[owner - 1].session))
		wrong(w, "page %llu: owned by lane %llu, which nobody has",
		      (unsigned long long)page, (unsigned long long)owner - 1);
	if (!line_is_head(l)) {
		cover(w, page, side_load(&w->h->pages[page].slot));
		w->larges[owner <= w->h->g->lane_cnt ? owner - 1 : 0]++;
	} else if (l->kind != POBJ_M_SLAB) {
		wrong(w, "page %llu: owned, and kind %u begins there", (unsigned long long)page,
		      l->kind);
	} else if (owner <= w->h->g->lane_cnt && !owner_knows(w, page, owner)) {
		wrong(w, "page %llu: a slab owned by lane %llu, which does not know",
		      (unsigned long long)page, (unsigned long long)owner - 1);
	}
}

static void audit_larges(struct work *w)
{
	const struct pobj_tlane *tl;
	u32 lane;

	for (lane = 0; lane < w->h->g->lane_cnt; lane++) {
		tl = w->h->by_lane[lane];
		if (tl && tl->larges != w->larges[lane])
			wrong(w, "lane %u: owns %u large spans, and counts %u", lane,
			      w->larges[lane], tl->larges);
	}
}

static void audit_reserved(struct work *w, u64 page, const struct pobj_line *l)
{
	const struct pobj_side_page *side = &w->h->pages[page];
	const bool slab = l->kind == POBJ_M_SLAB && side_load(&side->owner);
	u64 reserved;
	u32 i;

	for (i = 0; i < POBJ_M_SLAB_PAIRS; i++) {
		reserved = side_load(&side->reserved_a[i]) ^ side_load(&side->reserved_b[i]);
		if (reserved && !slab)
			wrong(w, "page %llu: reserved 0x%llx where no owned slab begins",
			      (unsigned long long)page, (unsigned long long)reserved);
		else if (reserved & line_state(l, i))
			wrong(w, "page %llu: reserved and allocated 0x%llx",
			      (unsigned long long)page,
			      (unsigned long long)(reserved & line_state(l, i)));
	}
}

static void audit_types(struct work *w, u64 page, u64 type)
{
	if (!(side_load(&group_of(w, page)->types) & POBJ_TYPE_BIT(type)))
		wrong(w, "page %llu: objects of type %llu, and no bit says so",
		      (unsigned long long)page, (unsigned long long)type);
}

static u64 mixed_type(const struct work *w, u64 page, const struct pobj_line *l, u32 idx)
{
	const __le64 *at = pobj_media_ptr(&w->h->media, pobj_line_type_off(w->h->g, page, l, idx));

	return le64_to_cpu(*at);
}

static void audit_slab(struct work *w, u64 page, const struct pobj_line *l)
{
	const bool mixed = l->flags & POBJ_M_F_MIXED;
	const bool built = side_load(&group_of(w, page)->map);
	u32 i, used = 0;

	w->a->slabs++;
	for (i = 0; i < l->cnt; i++) {
		if (!(line_state(l, i / 64) >> i % 64 & 1))
			continue;
		used++;
		if (built)
			audit_types(w, page, mixed ? mixed_type(w, page, l, i) : l->type);
	}
	w->a->objects += used;
	if (built && used < l->cnt && !side_load(&w->h->pages[page].owner) &&
	    !(side_load(&group_of(w, page)->room) & POBJ_ROOM_BIT(l->size, l->type, mixed)))
		wrong(w, "page %llu: a slab with %u of %u objects of %u bytes, and no bit says so",
		      (unsigned long long)page, used, l->cnt, l->size);
}

static void audit_head(struct work *w, u64 page, const struct pobj_line *l)
{
	cover(w, page, l->pages);
	if (l->kind == POBJ_M_SLAB) {
		audit_slab(w, page, l);
	} else if (l->kind == POBJ_M_LARGE) {
		w->a->larges++;
		w->a->objects += !(l->flags & (POBJ_M_F_ROOT | POBJ_M_F_INTERNAL));
		if (side_load(&group_of(w, page)->map))
			audit_types(w, page, l->type);
	} else {
		w->a->logs++;
	}
}

static void audit_lines(struct work *w)
{
	struct pobj_line l;
	u64 page, next = 0;

	for (page = 0; page < w->h->g->page_cnt; page++) {
		pobj_line_read(&w->h->media, w->h->g, page, &l);
		if (page < next) {
			/* Inside of a span: whatever the line says, nothing begins here. */
			l.kind = POBJ_M_FREE;
		} else if (line_is_head(&l)) {
			next = page + l.pages;
			audit_head(w, page, &l);
		}
		audit_owner(w, page, &l);
		audit_reserved(w, page, &l);
	}
}

/* Large objects that were freed, and whose pages are not given back yet. */
static void audit_rings(struct work *w)
{
	const u32 lanes = pobj_heap_lanes(w->h);
	u32 lane, i;

	for (lane = 0; lane < lanes; lane++) {
		for (i = 0; i < POBJ_RING_CNT; i++) {
			const u64 ref = side_load(&w->h->lanes[lane].ring[i]);
			const u64 pages = side_load(&w->h->lanes[lane].ring_pages[i]);

			if (ref && pages)
				cover(w, pobj_ref_page(ref - 1), pages);
		}
	}
}

static void audit_map(struct work *w)
{
	u64 page, map;

	for (page = 0; page < w->h->group_cnt * POBJ_GROUP_PAGES; page++) {
		map = side_load(&group_of(w, page)->map);
		if (!map)
			continue;
		if (!(map & POBJ_MAP_BUILT))
			wrong(w, "page %llu: a map 0x%llx that is not built",
			      (unsigned long long)page, (unsigned long long)map);
		if (page >= w->h->g->page_cnt) {
			if (!(map & bit_of(page)))
				wrong(w, "page %llu: beyond the last, and not marked",
				      (unsigned long long)page);
			continue;
		}
		w->a->used += !!(map & bit_of(page));
		/* Left to whoever runs out of memory. */
		if (!w->cover[page] && (side_load(&group_of(w, page)->owned) & POBJ_OWNED_DOUBT))
			continue;
		if (!(map & bit_of(page)) != !w->cover[page] || w->cover[page] > 1)
			wrong(w, "page %llu: marked %s, covered by %s",
			      (unsigned long long)page, map & bit_of(page) ? "used" : "free",
			      w->cover[page] > 1 ? "several spans" :
			      w->cover[page] ? "a span" : "none");
	}
}

/* ---- the medium (Q6) --------------------------------------------------------------------- */

static int medium_found(void *arg, const struct pobj_finding *f)
{
	wrong(arg, "medium at 0x%llx: diagnosis %u, found 0x%llx, expected 0x%llx",
	      (unsigned long long)f->off, f->diag, (unsigned long long)f->found,
	      (unsigned long long)f->expected);
	return 0;
}

unsigned int audit_pool(PMEMobjpool *pop, struct audit *a)
{
	struct work w = { .p = pobj_pool_raw(pop), .h = pobj_pool_raw(pop)->heap, .a = a };
	struct pobj_census census;
	u32 lane;

	memset(a, 0, sizeof(*a));
	w.cover = calloc(1, w.h->g->page_cnt);
	w.larges = calloc(w.h->g->lane_cnt, sizeof(*w.larges));
	if (!w.cover || !w.larges)
		abort();
	audit_sessions(&w);
	for (lane = 0; lane < w.h->g->lane_cnt; lane++)
		audit_lane(&w, lane);
	audit_lines(&w);
	audit_rings(&w);
	audit_map(&w);
	audit_larges(&w);
	pobj_check_pool(&w.h->media, &w.p->super, &census, medium_found, &w);
	free(w.larges);
	free(w.cover);
	return a->violations;
}

/* ---- shape ------------------------------------------------------------------------------- */

static u64 bits_of(u64 word)
{
	return (u64)__builtin_popcountll(word);
}

static void shape_log(const struct work *w, u32 lane, struct audit_shape *shape)
{
	struct pobj_lane_view v;
	struct pobj_finding f;
	u64 seq;

	if (pobj_lane_read(&w->h->media, w->h->g, lane, &v, &f)) {
		shape->unreadable++;
		return;
	}
	/* One NOP more or less means nothing. */
	for (seq = v.newest; seq > v.retired; seq--) {
		const u32 kind = v.entry[seq % POBJ_M_SLOT_CNT].kind;

		if (kind != POBJ_M_ENTRY_NOP)
			shape->live[kind % ARRAY_SIZE(shape->live)]++;
	}
}

static void shape_lane(const struct work *w, u32 lane, struct audit_shape *shape)
{
	const struct pobj_side_lane *l = &w->h->lanes[lane];
	const u64 session = side_load(&l->session);
	u32 i;

	if (!session || session == w->p->session)
		return;
	shape->lanes++;
	shape->intents += !!side_load(&l->intent_page);
	for (i = 0; i < POBJ_RING_CNT; i++) {
		shape->ring += !!side_load(&l->ring[i]);
		shape->ring_pages += side_load(&l->ring_pages[i]);
	}
	shape->holds += side_load(&l->hold_cnt);
	shape_log(w, lane, shape);
}

static void shape_page(const struct work *w, u64 page, struct audit_shape *shape)
{
	const struct pobj_side_page *side = &w->h->pages[page];
	struct pobj_line l;
	u32 i;

	shape->owners += !!side_load(&side->owner);
	pobj_line_read(&w->h->media, w->h->g, page, &l);
	shape->slabs += l.kind == POBJ_M_SLAB;
	shape->larges += l.kind == POBJ_M_LARGE;
	shape->logs += l.kind == POBJ_M_LOG;
	shape->objects += l.kind == POBJ_M_LARGE;
	for (i = 0; i < POBJ_M_SLAB_PAIRS; i++) {
		shape->reserved += bits_of(side_load(&side->reserved_a[i]) ^
					   side_load(&side->reserved_b[i]));
		if (l.kind == POBJ_M_SLAB)
			shape->objects += bits_of(line_state(&l, i));
	}
}

void audit_shape(PMEMobjpool *pop, struct audit_shape *shape)
{
	const struct work w = { .p = pobj_pool_raw(pop), .h = pobj_pool_raw(pop)->heap };
	const u32 lanes = pobj_heap_lanes(w.h);
	u64 i, map, owned;

	memset(shape, 0, sizeof(*shape));
	for (i = 0; i < POBJ_SESSION_SLOTS; i++)
		shape->sessions += i != w.p->slot && side_load(&w.h->sessions[i]);
	for (i = 1; i < lanes; i++)
		shape_lane(&w, (u32)i, shape);
	for (i = 0; i < w.h->group_cnt; i++) {
		map = side_load(&w.h->groups[i].map);
		owned = side_load(&w.h->groups[i].owned);
		shape->used += bits_of(map & POBJ_MAP_PAGES);
		shape->owned += bits_of(owned & POBJ_MAP_PAGES);
		shape->doubts += !!(owned & POBJ_OWNED_DOUBT);
	}
	for (i = 0; i < w.h->g->page_cnt; i++)
		shape_page(&w, i, shape);
}

/* ---- objects ----------------------------------------------------------------------------- */

static void object_note(struct audit_object *o, u64 room, u64 *cnt, u64 off, u64 type, u64 size)
{
	if (*cnt < room)
		o[*cnt] = (struct audit_object){ off, type, size };
	++*cnt;
}

u64 audit_objects(PMEMobjpool *pop, struct audit_object *o, u64 room)
{
	const struct work w = { .h = pobj_pool_raw(pop)->heap };
	const struct pobj_geom *g = w.h->g;
	struct pobj_line l;
	u64 page, cnt = 0;
	u32 i;

	for (page = 0; page < g->page_cnt; page += l.pages) {
		pobj_line_read(&w.h->media, g, page, &l);
		if (!l.pages)
			l.pages = 1;
		if (l.flags & (POBJ_M_F_ROOT | POBJ_M_F_INTERNAL))
			continue;
		if (l.kind == POBJ_M_LARGE)
			object_note(o, room, &cnt, pobj_geom_page(g, page), l.type,
				    l.pages << g->page_shift);
		for (i = 0; l.kind == POBJ_M_SLAB && i < l.cnt; i++) {
			if (line_state(&l, i / 64) >> i % 64 & 1)
				object_note(o, room, &cnt,
					    pobj_geom_page(g, page) + (u64)i * l.size,
					    l.flags & POBJ_M_F_MIXED ?
					    mixed_type(&w, page, &l, i) : l.type, l.size);
		}
	}
	return cnt;
}

u64 audit_largest_free(PMEMobjpool *pop)
{
	const struct pobj_pool *p = pobj_pool_raw(pop);
	struct pobj_census census;

	pobj_check_pool(&p->heap->media, &p->super, &census, NULL, NULL);
	return census.largest_free;
}

/* ---- nothing lost, nothing double --------------------------------------------------------- */

static int by_offset(const void *a, const void *b)
{
	const PMEMoid *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* Allocate until there is no more. Returns how many, or -1. */
static int64_t fill(PMEMobjpool *pop, size_t size, u64 type, PMEMoid *oid, u64 room, char *text)
{
	u64 cnt = 0;

	while (cnt < room && !pmemobj_alloc(pop, &oid[cnt], size, type, NULL, NULL))
		cnt++;
	if (cnt < room && errno == ENOMEM)
		return (int64_t)cnt;
	snprintf(text, AUDIT_TEXT, "%llu objects of %zu bytes, then: %s", (unsigned long long)cnt,
		 size, cnt < room ? pmemobj_errormsg() : "the pool has no end");
	return -1;
}

int64_t audit_fill(PMEMobjpool *pop, size_t size, u64 type, char text[AUDIT_TEXT])
{
	const u64 room = pobj_pool_raw(pop)->media.size / size + 1;
	const u64 before = audit_objects(pop, NULL, 0);
	PMEMoid *oid = calloc(room, sizeof(*oid));
	int64_t cnt, ret, i;

	if (!oid)
		abort();
	cnt = fill(pop, size, type, oid, room, text);
	ret = cnt;
	if (cnt > 0)
		qsort(oid, (size_t)cnt, sizeof(*oid), by_offset);
	for (i = 0; i + 1 < cnt; i++) {
		if (oid[i].off + size > oid[i + 1].off && ret >= 0) {
			snprintf(text, AUDIT_TEXT, "objects at 0x%llx and 0x%llx overlap",
				 (unsigned long long)oid[i].off,
				 (unsigned long long)oid[i + 1].off);
			ret = -1;
		}
	}
	if (cnt >= 0 && ret >= 0 && audit_objects(pop, NULL, 0) != before + (u64)cnt) {
		snprintf(text, AUDIT_TEXT, "%llu objects and %lld more are %llu",
			 (unsigned long long)before, (long long)cnt,
			 (unsigned long long)audit_objects(pop, NULL, 0));
		ret = -1;
	}
	for (i = 0; i < cnt; i++)
		pmemobj_free(&oid[i]);
	if (ret >= 0 && audit_objects(pop, NULL, 0) != before) {
		snprintf(text, AUDIT_TEXT, "some of %lld objects are not freed", (long long)cnt);
		ret = -1;
	}
	free(oid);
	return ret;
}
