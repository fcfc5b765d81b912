// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lanes in the hands of threads: a thread takes one of a pool at its first operation there,
 * and gives it back when it exits or the pool is closed. Lane 0 is not used.
 *
 * A lane whose slabs hold reservations is not given back: these belong to the session, and another
 * thread of it may publish them. It is parked, and the next thread of the process that needs a lane
 * takes it first.
 */
#include <stdlib.h>

#include "lib/core/recover.h"
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "lib/registry.h"
#include "lib/session.h"

#define FIRST_LANE	1U

/* ---- the thread's own ---------------------------------------------------------------------- */

/* The pools in which a thread has a lane. */
struct seat {
	struct pobj_pool *p;
	u64 live_id;
	struct pobj_tlane *tl;
	struct seat *next;
};

__thread struct pobj_last_seat pobj_last_seat;
static __thread struct seat *seats;

static pthread_once_t seats_once = PTHREAD_ONCE_INIT;
static pthread_key_t seats_key;

static void tlane_leave(struct pobj_tlane *tl);

/* A thread ends. Pools that were closed since are not touched: their handles are gone. */
static void seats_leave(void *arg)
{
	struct seat *s = arg, *next;

	pobj_registry_lock();
	for (; s; s = next) {
		next = s->next;
		if (pobj_registry_holds(s->p) && s->p->live_id == s->live_id)
			tlane_leave(s->tl);
		free(s);
	}
	seats = NULL;
	pobj_last_seat = (struct pobj_last_seat){ .pop = NULL };
	pobj_registry_unlock();
}

static void seats_init(void)
{
	pthread_key_create(&seats_key, seats_leave);
}

static int seat_remember(struct pobj_pool *p, struct pobj_tlane *tl)
{
	struct seat *s = seats;

	/* The place of a pool that is closed serves again. */
	while (s && (s->p != p || s->live_id == p->live_id))
		s = s->next;
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return pobj_err_sys(-ENOMEM, "%s", p->path);
		s->next = seats;
		seats = s;
		pthread_once(&seats_once, seats_init);
		pthread_setspecific(seats_key, seats);
	}
	s->p = p;
	s->live_id = p->live_id;
	s->tl = tl;
	return 0;
}

static struct pobj_tlane *seat_find(const struct pobj_pool *p)
{
	struct seat *s;

	for (s = seats; s; s = s->next) {
		if (s->p == p && s->live_id == p->live_id)
			return s->tl;
	}
	return NULL;
}

/* ---- taking ------------------------------------------------------------------------------ */

u32 pobj_heap_lanes(const struct pobj_heap *h)
{
	return (u32)__atomic_load_n(h->lanes_used, __ATOMIC_ACQUIRE);
}

u64 pobj_heap_frees(const struct pobj_heap *h)
{
	const u32 lanes = pobj_heap_lanes(h);
	u64 sum = 0;
	u32 lane;

	for (lane = 0; lane < lanes; lane++)
		sum += __atomic_load_n(&h->lanes[lane].frees, __ATOMIC_ACQUIRE);
	return sum;
}

/* Before the lane is used: whoever looks at all lanes must not miss it. */
static void lanes_used_raise(struct pobj_heap *h, u32 lanes)
{
	u64 old = __atomic_load_n(h->lanes_used, __ATOMIC_ACQUIRE);

	while (old < lanes && !__atomic_compare_exchange_n(h->lanes_used, &old, lanes, false,
							   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}

static struct pobj_tlane *tlane_make(struct pobj_pool *p, u32 lane)
{
	struct pobj_heap *h = p->heap;
	struct pobj_tlane *tl = calloc(1, sizeof(*tl));
	struct pobj_finding f;
	int err;

	if (!tl) {
		pobj_err_sys(-ENOMEM, "%s", p->path);
		return NULL;
	}
	err = pobj_lane_take(&tl->log, &h->media, h->g, lane, &f);
	if (err) {
		pobj_err_finding(err, p->path, &f);
		free(tl);
		return NULL;
	}
	tl->p = p;
	tl->side = &h->lanes[lane];
	tl->holds = h->holds + (u64)lane * POBJ_HOLD_CNT;
	/* Far from each other: 2 MiB of pages each, while there is room. */
	tl->cursor = (u64)(lane - FIRST_LANE) * POBJ_SECTION_GROUPS % h->group_cnt;
	tl->large_cursor = tl->cursor;
	return tl;
}

/* A lane that is nobody's. Low numbers first: others look at all up to the highest in use. */
static struct pobj_tlane *lane_take(struct pobj_pool *p)
{
	struct pobj_heap *h = p->heap;
	struct pobj_tlane *tl;
	u64 nobody;
	u32 lane;

	for (lane = FIRST_LANE; lane < h->g->lane_cnt; lane++) {
		nobody = 0;
		if (__atomic_load_n(&h->lanes[lane].session, __ATOMIC_ACQUIRE))
			continue;
		lanes_used_raise(h, lane + 1);
		if (!__atomic_compare_exchange_n(&h->lanes[lane].session, &nobody, p->session,
						 false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			continue;
		tl = tlane_make(p, lane);
		if (tl)
			return tl;
		__atomic_store_n(&h->lanes[lane].session, 0, __ATOMIC_RELEASE);
		if (errno == ENOMEM)
			return NULL;
		/* A damaged log: recovery has told of it; the next lane will do. */
	}
	errno = EAGAIN;
	return NULL;
}

/* Take a parked lane out of rest, or NULL. */
static struct pobj_tlane *parked_take(struct pobj_heap *h)
{
	struct pobj_tlane *tl;

	pthread_mutex_lock(&h->lock);
	for (tl = h->tlanes; tl && !tl->parked; tl = tl->next)
		;
	if (tl)
		tl->parked = false;
	pthread_mutex_unlock(&h->lock);
	return tl;
}

static void tlane_list(struct pobj_heap *h, struct pobj_tlane *tl)
{
	pthread_mutex_lock(&h->lock);
	tl->next = h->tlanes;
	h->tlanes = tl;
	__atomic_store_n(&h->by_lane[tl->log.lane], tl, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&h->lock);
}

static struct pobj_tlane *tlane_get(struct pobj_pool *p)
{
	struct pobj_tlane *tl = parked_take(p->heap);

	if (!tl) {
		tl = lane_take(p);
		if (!tl && errno == EAGAIN && pobj_session_reap(p) > 0)
			tl = lane_take(p);
		if (!tl && errno == EAGAIN)
			pobj_err(-EAGAIN,
				 "%s: all %u lanes are in use by threads; try again when one has ended, or use a larger pool",
				 p->path, p->heap->g->lane_cnt - FIRST_LANE);
		if (!tl)
			return NULL;
		tlane_list(p->heap, tl);
	}
	tl->thread = pthread_self();
	if (!seat_remember(p, tl))
		return tl;
	tlane_leave(tl);
	errno = ENOMEM;
	return NULL;
}

struct pobj_tlane *pobj_tlane_find(PMEMobjpool *pop)
{
	struct pobj_pool *p = pobj_pool_raw(pop);
	struct pobj_tlane *tl;

	if (p->broken) {
		pobj_err(-EIO,
			 "%s: an earlier write to the medium failed; close the pool and open it again, which recovers it",
			 p->path);
		return NULL;
	}
	if (!p->live_id) {
		/* Wiped by fork, or never opened: the message says it. */
		if (pobj_pool_of(pop))
			pobj_err(-EINVAL, "%s: the pool is being closed", p->path);
		return NULL;
	}
	tl = seat_find(p);
	if (!tl)
		tl = tlane_get(p);
	if (tl) {
		pobj_last_seat.pop = pop;
		pobj_last_seat.live_id = p->live_id;
		pobj_last_seat.tl = tl;
		pobj_last_seat.uuid_lo = p->uuid_lo;
		/* A close since would be the caller's race. */
		pobj_last_seat.closed = __atomic_load_n(&_pobj_cache_invalidate,
							__ATOMIC_ACQUIRE);
	}
	return tl;
}

struct pobj_tlane *pobj_tlane_find_oid(PMEMoid oid)
{
	PMEMobjpool *pop = pmemobj_pool_by_oid(oid);
	struct pobj_tlane *tl = pop ? pobj_tlane_of(pop) : NULL;

	if (!pop)
		pobj_err(-EINVAL, "the object's pool is not open here");
	/* Some other pool was closed: the seat is as good as new. */
	if (tl)
		pobj_last_seat.closed = __atomic_load_n(&_pobj_cache_invalidate,
							__ATOMIC_ACQUIRE);
	return tl;
}

int pobj_heap_broken(struct pobj_pool *p, int err)
{
	p->broken = true;
	p->live_id = 0;
	return err;
}

/* ---- giving back ------------------------------------------------------------------------- */

static void tlane_free(struct pobj_tlane *tl)
{
	struct pobj_slab_set *set, *next;
	u32 i;

	for (i = 0; i < POBJ_SET_HASH; i++) {
		for (set = tl->set[i]; set; set = next) {
			next = set->next;
			free(set);
		}
	}
	for (i = 0; i < tl->slab_cnt; i++)
		free(tl->slab[i]);
	free(tl->slab);
	free(tl);
}

static void tlane_unlist(struct pobj_heap *h, struct pobj_tlane *tl)
{
	struct pobj_tlane **at;

	pthread_mutex_lock(&h->lock);
	for (at = &h->tlanes; *at != tl; at = &(*at)->next)
		;
	*at = tl->next;
	h->by_lane[tl->log.lane] = NULL;
	pthread_mutex_unlock(&h->lock);
}

/* Give up what can be. If nothing is left the lane is nobody's; else it is parked. */
static void tlane_leave(struct pobj_tlane *tl)
{
	struct pobj_heap *h = tl->p->heap;
	int err;

	/* After a failed write the next to open recovers; nothing may change until then. */
	if (tl->p->broken)
		return;
	err = pobj_ring_retire(tl);
	if (err) {
		pobj_heap_broken(tl->p, err);
		return;
	}
	if (pobj_slabs_give_up(tl) || __atomic_load_n(&tl->larges, __ATOMIC_ACQUIRE)) {
		pthread_mutex_lock(&h->lock);
		tl->parked = true;
		pthread_mutex_unlock(&h->lock);
		return;
	}
	tlane_unlist(h, tl);
	__atomic_store_n(&tl->side->session, 0, __ATOMIC_RELEASE);	/* V9 */
	tlane_free(tl);
}

void pobj_tlanes_sweep(struct pobj_pool *p)
{
	struct pobj_heap *h = p->heap;
	const u32 lanes = pobj_heap_lanes(h);
	struct pobj_tlane *tl;
	u32 lane;

	for (lane = FIRST_LANE; lane < lanes; lane++) {
		pthread_mutex_lock(&h->lock);
		tl = h->by_lane[lane];
		if (tl && tl->parked)
			tl->parked = false;
		else
			tl = NULL;
		pthread_mutex_unlock(&h->lock);
		if (tl)
			tlane_leave(tl);
	}
}

/* ---- the heap of a pool ------------------------------------------------------------------- */

/*
 * Reads of a pool in use need no system call each: a bad page raises SIGBUS, as for the
 * caller. Word by word, since others store these words meanwhile.
 */
static int read_plainly(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	const __le64 *from = pobj_media_ptr(m, off);
	__le64 *to = dst;

	for (; len >= sizeof(*to); len -= sizeof(*to))
		*to++ = pobj_env_load64(from++);
	memcpy(to, from, len);
	return 0;
}

int pobj_heap_attach(struct pobj_pool *p)
{
	static u64 opened;
	struct pobj_heap *h = calloc(1, sizeof(*h));
	char *side = (char *)p->sidecar;

	if (!h)
		return pobj_err_sys(-ENOMEM, "%s", p->path);
	h->media = p->media;
	h->media.read = read_plainly;
	h->g = &p->super.geom;
	pobj_side_layout(h->g, &h->side);
	h->sessions = (u64 *)(side + h->side.sessions);
	h->lanes = (struct pobj_side_lane *)(side + h->side.lanes);
	h->holds = (u64 *)(side + h->side.holds);
	h->groups = (struct pobj_side_group *)(side + h->side.groups);
	h->pages = (struct pobj_side_page *)(side + h->side.pages);
	h->lanes_used = &p->sidecar->lanes_used;
	h->reaps = &p->sidecar->reaps;
	h->group_cnt = pobj_side_group_cnt(h->g);
	h->lines = pobj_media_ptr(&h->media, h->g->line_off);
	h->data_off = h->g->data_off;
	h->data_bytes = pobj_geom_data_bytes(h->g);
	h->page_shift = h->g->page_shift;
	pthread_mutex_init(&h->lock, NULL);
	h->class_max = pobj_classes_make(h->classes, h->g);
	p->heap = h;
	p->live_id = __atomic_add_fetch(&opened, 1, __ATOMIC_RELAXED);
	return 0;
}

/*
 * Another thread's lane, which that thread uses no more: what it flushed, its own fence
 * would cover, not ours. So its live entries are recovered, which flushes all they touch.
 */
static void tlane_take_over(struct pobj_tlane *tl)
{
	struct pobj_recovery r = { 0 };
	struct pobj_finding f;

	if (pthread_equal(tl->thread, pthread_self()) || tl->log.sealed >= tl->log.last_free)
		return;
	if (pobj_recover_lane(&tl->p->media, &tl->p->super, tl->log.lane, &r, &f) ||
	    pobj_lane_take(&tl->log, &tl->p->heap->media, tl->p->heap->g, tl->log.lane, &f))
		pobj_heap_broken(tl->p, -EIO);
}

void pobj_heap_detach(struct pobj_pool *p)
{
	struct pobj_heap *h = p->heap;
	struct pobj_tlane *tl;

	if (!h)
		return;
	while ((tl = h->tlanes)) {
		tlane_take_over(tl);
		/* What is still reserved nobody can publish any more. */
		if (!p->broken && !pobj_ring_retire(tl))
			pobj_reap_spans(h, tl->side);
		tlane_unlist(h, tl);
		if (!p->broken)
			__atomic_store_n(&tl->side->session, 0, __ATOMIC_RELEASE);
		tlane_free(tl);
	}
	p->live_id = 0;
	p->heap = NULL;
	pthread_mutex_destroy(&h->lock);
	free(h);
}
