// SPDX-License-Identifier: BSD-3-Clause
/*
 * Pools in memory, with all that the library keeps beside a mapping: handle, sidecar, session,
 * registry entry, lanes. Three: the one that is watched; a copy of a recovered image, to be used;
 * and what a survivor has, who reaps the watched one's session in the memory of an exploration.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "lib/registry.h"
#include "lib/session.h"
#include "selftests/crash/cases/heap.h"

#define POOL_BYTES_MAX	(1ULL << 20)
#define SIDE_BYTES_MAX	(16ULL << 20)
#define SESSION		1
#define REAPER		2

/* A handle, the pool behind it, and its sidecar. */
struct house {
	struct pobj_pool *p;
	u8 *side;
	u8 side_head[4096];	/* as after pobj_sidecar_join() */
	u64 uuid_lo;		/* in the registry, 0: it is not there */
	u64 side_used;		/* bytes of the sidecar that may differ from 0 */
};

struct pobj_pool *heap_pool;
const struct heap_shape *heap_shape;
bool heap_survivor_works;

static struct house watched, used, survivor;	/* the last one's handle is before the image */
static struct pobj_super super;
static struct pobj_tlane *lanes[HEAP_THREADS];

_Static_assert(POWER_FRONT >= POBJ_HANDLE_BYTES, "a handle fits before an image");

static int plain_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	memcpy(dst, (const u8 *)m->base + off, len);
	return 0;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("Bail out! %s: %s\n", what, pmemobj_errormsg());
	exit(1);
}

static void *must_map(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

/* ---- houses ------------------------------------------------------------------------------ */

static void house_make(struct house *h)
{
	if (h->p)
		return;
	h->p = must_map(POBJ_HANDLE_BYTES + POOL_BYTES_MAX);
	h->side = must_map(SIDE_BYTES_MAX);
}

/* Zero what a session may have written, the holds apart: these count by hold_cnt. */
static void side_clear(struct house *h)
{
	const struct pobj_geom *g = &super.geom;
	struct pobj_side s;

	pobj_side_layout(g, &s);
	must(s.bytes <= SIDE_BYTES_MAX, "sidecar");
	if (h->side_used)
		memset(h->side, 0, h->side_used < s.holds ? h->side_used : s.holds);
	memset(h->side + s.groups, 0, s.bytes - s.groups);
	h->side_used = s.lanes + g->lane_cnt * sizeof(struct pobj_side_lane);
	memcpy(h->side, h->side_head, sizeof(h->side_head));
}

static void house_register(struct house *h)
{
	pobj_registry_lock();
	pobj_registry_remove(h->p);
	must(!pobj_registry_add(h->p), "registry");
	pobj_registry_unlock();
}

/* Open the pool at @base as session @session; the sidecar is as it is. */
static void house_open(struct house *h, void *base, u64 session)
{
	struct pobj_pool *p = h->p;
	struct pobj_side side;

	p->media = (struct pobj_media){
		.base = base, .size = super.geom.pool_size, .read = plain_read,
	};
	p->super = super;
	p->sidecar = (struct pobj_sidecar *)h->side;
	p->uuid_lo = pobj_super_uuid_lo(&super) + (h == &used);
	p->session = session;
	p->slot = (u32)session - 1;
	p->broken = false;
	p->fd = -1;
	p->lock_fd = -1;
	snprintf(p->path, sizeof(p->path), "explored");
	pobj_side_layout(&super.geom, &side);
	((u64 *)(h->side + side.sessions))[p->slot] = session;
	must(!pobj_heap_attach(p), "heap");
}

static void house_head(struct house *h)
{
	memset(h->side, 0, sizeof(h->side_head));
	must(!pobj_sidecar_join((struct pobj_sidecar *)h->side, &super, "explored"), "sidecar");
	memcpy(h->side_head, h->side, sizeof(h->side_head));
}

/* ---- the watched one --------------------------------------------------------------------- */

/*
 * A lane for each thread; they are used in turn by the one thread that there is. Another number of
 * the opening makes the library believe that it has none yet.
 */
static void lanes_take(void)
{
	const u64 live = heap_pool->live_id;
	u32 i;

	for (i = 0; i < HEAP_THREADS; i++) {
		heap_pool->live_id = live + ((u64)i << 40);
		pobj_last_seat.pop = NULL;
		lanes[i] = pobj_tlane_find(heap_pop());
		must(lanes[i], "lane");
		if (i)
			lanes[i]->thread = pthread_self() + i;	/* so that close takes it over */
	}
	heap_pool->live_id = live;
}

void heap_thread(u32 thread)
{
	pobj_last_seat.pop = heap_pop();
	pobj_last_seat.live_id = heap_pool->live_id;
	pobj_last_seat.tl = lanes[thread];
	power_thread(thread);
}

static void watched_open(void)
{
	side_clear(&watched);
	house_open(&watched, (u8 *)watched.p + POBJ_HANDLE_BYTES, SESSION);
	lanes_take();
	heap_thread(0);
}

void heap_make(const struct heap_shape *shape)
{
	static u8 image[POOL_BYTES_MAX];
	const bool other = heap_shape != shape;
	struct pobj_format_args a = { .mode = 0600, .layout = "tiny", .uuid = { 1, 1 } };
	struct pobj_media m;

	house_make(&watched);
	house_make(&used);
	if (!survivor.side)
		survivor.side = must_map(SIDE_BYTES_MAX);
	heap_pool = watched.p;
	if (heap_pool->heap) {
		/* What the last pool held does not matter any more. */
		pobj_heap_detach(heap_pool);
	}
	m = (struct pobj_media){ .base = (u8 *)watched.p + POBJ_HANDLE_BYTES,
				 .size = shape->bytes, .read = plain_read };
	if (other) {
		must(!pobj_geom_make(&a.geom, shape->bytes, shape->page_shift, 1 + HEAP_THREADS,
				     shape->ext), "geometry");
		memset(m.base, HEAP_GARBAGE, shape->bytes);
		must(!pobj_super_format(&m, &a) && !pobj_super_load(&m, &super, NULL), "format");
		memcpy(image, m.base, shape->bytes);
		heap_shape = shape;
		if (!watched.side_used) {
			house_head(&watched);
			house_head(&used);
		}
	}
	memcpy(m.base, image, shape->bytes);
	tiny_super = super;		/* other cases have their own */
	watched_open();
	if (other)
		house_register(&watched);
}

void heap_reopen(void)
{
	pobj_heap_detach(heap_pool);
	watched_open();
}

/* ---- the survivor ------------------------------------------------------------------------ */

/* A sidecar as the dead session left it. */
static void side_copy(struct house *to, const struct house *from)
{
	const struct pobj_geom *g = &super.geom;
	const struct pobj_side_lane *l;
	struct pobj_side s;
	u64 at;
	u32 i;

	pobj_side_layout(g, &s);
	memcpy(to->side, from->side, s.lanes + g->lane_cnt * sizeof(*l));
	memcpy(to->side + s.groups, from->side + s.groups, s.bytes - s.groups);
	for (i = 0; i < g->lane_cnt; i++) {
		l = (const struct pobj_side_lane *)(from->side + s.lanes) + i;
		at = s.holds + (u64)i * POBJ_HOLD_CNT * sizeof(u64);
		memcpy(to->side + at, from->side + at, l->hold_cnt * sizeof(u64));
	}
}

/* After the reaper nothing is owned or listed, and the map says what the lines say. */
static bool side_settled(struct pobj_pool *p)
{
	struct pobj_heap *h = p->heap;
	u64 group, page, used_pages[64] = { 0 };
	struct pobj_line l;
	u32 lane, i;

	for (lane = 0; lane < h->g->lane_cnt; lane++) {
		if (h->lanes[lane].session || h->lanes[lane].intent_page || h->lanes[lane].hold_cnt)
			return false;
		for (i = 0; i < POBJ_RING_CNT; i++) {
			if (h->lanes[lane].ring[i])
				return false;
		}
	}
	for (page = 0; page < h->g->page_cnt; page += l.pages) {
		pobj_line_read(&h->media, h->g, page, &l);
		for (i = 0; i < l.pages && !pobj_line_is_free(&l); i++)
			used_pages[(page + i) / POBJ_GROUP_PAGES] |=
				1ULL << (page + i) % POBJ_GROUP_PAGES;
	}
	for (page = 0; page < h->g->page_cnt; page++) {
		if (h->pages[page].owner)
			return false;
	}
	for (page = h->g->page_cnt; page < h->group_cnt * POBJ_GROUP_PAGES; page++)
		used_pages[page / POBJ_GROUP_PAGES] |= 1ULL << page % POBJ_GROUP_PAGES;
	for (group = 0; group < h->group_cnt; group++) {
		if (h->groups[group].owned ||
		    (h->groups[group].map &&
		     (h->groups[group].map & POBJ_MAP_PAGES) != used_pages[group]))
			return false;
	}
	return true;
}

/*
 * It goes on, in another thread: whose fences cover nothing of what the reaper flushed. A large
 * object lies where the dead may have had slabs, a small one behind it or in the slabs of the dead.
 * With the large one gone nothing hides a slab that comes back.
 */
static void survivor_works(const struct pobj_media *m)
{
	PMEMobjpool *pop = pobj_pool_pop(survivor.p);
	struct pobj_action act[3];
	PMEMoid *id;
	u64 root;

	memcpy(&root, (const u8 *)m->base + POBJ_M_ROOT_OFF, sizeof(root));
	id = (PMEMoid *)((u8 *)m->base + root + HEAP_SURVIVOR);
	power_thread(1);
	pmemobj_alloc(pop, &id[0], heap_shape->large, 1, NULL, NULL);
	pmemobj_alloc(pop, &id[1], heap_shape->small, 1, NULL, NULL);
	if (OID_IS_NULL(id[0]))
		return;
	/* By its handle: the registry knows only the dead one's for this pool. */
	pmemobj_defer_free(pop, id[0], &act[0]);
	pmemobj_set_value(pop, &act[1], &id[0].off, 0);
	pmemobj_set_value(pop, &act[2], &id[0].pool_uuid_lo, 0);
	must(!pmemobj_publish(pop, act, ARRAY_SIZE(act)), "survivor");
}

int heap_reap(const struct pobj_media *m)
{
	const struct pobj_last_seat seat = pobj_last_seat;
	const int saved = errno;
	int err;

	side_copy(&survivor, &watched);
	survivor.p = (struct pobj_pool *)((u8 *)m->base - POBJ_HANDLE_BYTES);
	memset(survivor.p, 0, sizeof(*survivor.p));
	house_open(&survivor, m->base, REAPER);
	err = pobj_reap_session(survivor.p, SESSION);
	if (!err && !side_settled(survivor.p))
		err = -ENOTEMPTY;
	if (!err && heap_survivor_works)
		survivor_works(m);
	pobj_heap_detach(survivor.p);
	pobj_last_seat = seat;
	errno = saved;
	return err;
}

/* ---- the recovered image, in use --------------------------------------------------------- */

#define USED_MAX	4096U

static PMEMoid use_oid[USED_MAX];
static u8 use_taken[POOL_BYTES_MAX / 16];

/* Mark the object as taken; false if some of it is. */
static bool use_take(PMEMoid oid)
{
	const u64 at = oid.off / 16, units = pmemobj_alloc_usable_size(oid) / 16;

	if (memchr(use_taken + at, 1, units))
		return false;
	memset(use_taken + at, 1, units);
	return true;
}

static const char *use_all(const u64 *off, u32 cnt)
{
	static const u64 sizes[] = { 64, 128, 64, 300 };
	const struct pobj_geom *g = &super.geom;
	PMEMobjpool *pop = pobj_pool_pop(used.p);
	PMEMoid *oid = use_oid;
	struct pobj_census c;
	struct pobj_line l;
	u32 n, i, k;
	u64 at;

	memset(use_taken, 0, g->pool_size / 16);
	for (n = 0; n < cnt; n++) {
		oid[n] = (PMEMoid){ used.p->uuid_lo, off[n] };
		if (!use_take(oid[n]))
			return "after recovery: objects overlap";
	}
	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		for (; !pmemobj_alloc(pop, &oid[n], sizes[k], 1 + k / 2, NULL, NULL); n++) {
			if (!use_take(oid[n]) || n + 1 == USED_MAX)
				return "after recovery: what is in use is handed out";
		}
	}
	for (i = 0; i < n; i++)
		pmemobj_free(&oid[i]);
	/* All is freed: the pages of all slabs can be had for another kind, one for each object. */
	for (n = 0; n < USED_MAX && !pmemobj_alloc(pop, &oid[n], pobj_geom_page_bytes(g) / 4 * 3, 9,
						   NULL, NULL);)
		n++;
	for (at = 0; at < g->page_cnt; at += l.pages) {
		pobj_line_read(&used.p->media, g, at, &l);
		if (l.kind == POBJ_M_LOG || (l.flags & POBJ_M_F_ROOT))
			n += l.pages;
	}
	if (n != g->page_cnt)
		return "after recovery: all is freed, and not all can be had again";
	if (pobj_check_pool(&used.p->media, &super, &c, NULL, NULL) || c.problems)
		return "after recovery and use: check finds problems";
	return NULL;
}

const char *heap_use(const struct pobj_media *m, const u64 *off, u32 cnt)
{
	const struct pobj_last_seat seat = pobj_last_seat;
	static const struct heap_shape *registered;
	const int saved = errno;
	const char *why;
	void *base = (u8 *)used.p + POBJ_HANDLE_BYTES;

	memcpy(base, m->base, m->size);
	side_clear(&used);
	house_open(&used, base, SESSION);
	if (registered != heap_shape)
		house_register(&used);
	registered = heap_shape;
	why = use_all(off, cnt);
	pobj_heap_detach(used.p);
	pobj_last_seat = seat;
	errno = saved;
	return why;
}
