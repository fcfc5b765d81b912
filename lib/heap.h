/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The heap of an open pool, as this process works on it. What processes share is in the pool and in
 * the sidecar (lib/core/side.h has the rules V1 to V10); what stands here is private, and
 * can be lost at any instruction: it is rebuilt from the shared state.
 *
 * From a request down: alloc.c, action.c, list.c (what the caller asks for) -> slab.c,
 * large.c (which object) -> span.c (which pages), tlane.c (by which lane) ->
 * lib/core/change.c (how it becomes durable). object.c finds objects by their ids,
 * iterate.c one after the other, reap.c cleans up after the dead.
 */
#ifndef POBJ_LIB_HEAP_H
#define POBJ_LIB_HEAP_H

#include <pthread.h>

#include "lib/core/lane.h"
#include "lib/core/line.h"
#include "lib/core/object.h"
#include "lib/core/side.h"
#include "lib/pool.h"
#include "lib/sidecar.h"

#define POBJ_UNLIKELY(c)	__builtin_expect(!!(c), 0)

/* Bits of the groups' filters (lib/core/side.h V7): a type; objects of a size and type. */
#define POBJ_TYPE_BIT(type)	(1ULL << ((u64)(type) * 0x9e3779b97f4a7c15ULL >> 58))
#define POBJ_ROOM_BIT(size, type, mixed) \
	POBJ_TYPE_BIT((u64)(type) * 8191 + (size) * 2 + (mixed))

/* Words of the sidecar: others store them, too. Plain instructions on x86-64. */
static inline u64 pobj_side_load(const u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void pobj_side_store(u64 *p, u64 v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* ---- size classes (class.c) -------------------------------------------------------------- */

#define POBJ_CLASSES		36
#define POBJ_CLASS_MAX		16384U	/* larger objects always have spans of their own */

/**
 * struct pobj_class - objects of one size
 * @size: bytes, a multiple of 16
 * @pages: of a slab that wastes little; a slab may have fewer
 */
struct pobj_class {
	u32 size;
	u32 pages;
};

/* Class of @size, which is 1 .. POBJ_CLASS_MAX. */
u32 pobj_class_of(size_t size);

/* Set up the classes for pools of geometry @g. Returns the size of the largest that it can have. */
u32 pobj_classes_make(struct pobj_class *classes, const struct pobj_geom *g);

/* Objects of @size that a slab of @pages holds; @mixed: with their type numbers. */
u32 pobj_class_count(const struct pobj_geom *g, u32 size, u32 pages, bool mixed);

/* ---- what a line says of a slab ------------------------------------------------------------ */

static inline u64 pobj_line_word(const __le64 *p)
{
	return le64_to_cpu(pobj_env_load64(p));
}

/* What the line of a page says of a slab that begins there; size 0: none does. */
struct pobj_seen {
	u64 type;
	u32 size;
	u32 cnt;
	bool mixed;
};

/* Mask of the objects that pair @w of a slab of @cnt has. */
static inline u64 pobj_pair_valid(u32 cnt, u32 w)
{
	if (cnt >= (w + 1) * 64)
		return ~0ULL;
	return cnt > w * 64 ? (1ULL << (cnt - w * 64)) - 1 : 0;
}

static inline u64 pobj_pair_state(const struct pobj_m_line *line, u32 w)
{
	return pobj_line_word(&line->slab[w].a) ^ pobj_line_word(&line->slab[w].f);
}

static inline bool pobj_line_has_room(const struct pobj_m_line *line, u32 cnt)
{
	const u64 s[] = { pobj_pair_state(line, 0), pobj_pair_state(line, 1),
			  pobj_pair_state(line, 2) };

	return (s[0] & s[1] & s[2]) != ~0ULL &&
	       ((pobj_pair_valid(cnt, 0) & ~s[0]) || (pobj_pair_valid(cnt, 1) & ~s[1]) ||
		(pobj_pair_valid(cnt, 2) & ~s[2]));
}

static inline bool pobj_line_is_empty(const struct pobj_m_line *line)
{
	return !(pobj_pair_state(line, 0) | pobj_pair_state(line, 1) | pobj_pair_state(line, 2));
}

/* ---- slabs (slab.c) ---------------------------------------------------------------------- */

/*
 * A lane owns at most this many slabs of one class and type between operations, beside those with
 * reservations. So what a thread that stopped can keep from others is POBJ_SLABS_OWNED slabs for
 * each class and type it used (K of the design), and ENOMEM can come early by no more.
 */
#define POBJ_SLABS_OWNED	8U

struct pobj_tlane;

/**
 * struct pobj_slab - a slab that a lane of this process owns
 * @page: of its head
 * @line: its line
 * @side: its record in the sidecar
 * @off: of object 0
 * @type: type number of its objects; mixed: 0
 * @size: bytes of an object
 * @cnt: objects
 * @mixed: objects have type numbers of their own
 * @avail: objects that the lane may hand out
 * @taken: objects that an operation in flight has
 * @set: the lane's slabs of that class and type; NULL: kept for its reservations only
 * @index: in tl->slabs
 */
struct pobj_slab {
	u64 page;
	struct pobj_m_line *line;
	struct pobj_side_page *side;
	u64 off;
	u64 type;
	u32 size;
	u32 cnt;
	bool mixed;
	u64 avail[POBJ_M_SLAB_PAIRS];
	u64 taken[POBJ_M_SLAB_PAIRS];
	struct pobj_slab_set *set;
	u32 index;
};

/**
 * struct pobj_slab_set - a lane's slabs of one class and type
 * @type, @cls: the key; @mixed: of any type, then @type is 0
 * @next: set with the same hash
 * @slab: owned ones, @cnt of them
 * @cur: the one to look at first
 * @cursor: group where the search for a slab to adopt goes on
 * @missed: pobj_heap_frees() + 1 before the last search of the whole pool that found none
 */
struct pobj_slab_set {
	u64 type;
	u32 cls;
	bool mixed;
	struct pobj_slab_set *next;
	struct pobj_slab *slab[POBJ_SLABS_OWNED];
	u32 cnt;
	u32 cur;
	u64 cursor;
	u64 missed;
};

/**
 * struct pobj_spot - an object, found or handed out: where it and its state are
 * @page: of the head of its span
 * @idx: in the slab; POBJ_M_REF_LARGE
 * @off: of the object
 * @size: bytes that the caller may use
 * @slab: the slab if the lane at hand owns it, else NULL
 * @line: line of the head
 * @pages: large: of the span
 * @root: it is the root object
 */
struct pobj_spot {
	u64 page;
	u64 off;
	u64 size;
	u64 pages;
	struct pobj_m_line *line;
	struct pobj_slab *slab;
	u32 idx;
	bool root;
};

static inline u64 pobj_spot_ref(const struct pobj_spot *s)
{
	return pobj_ref(s->page, s->idx);
}

static inline bool pobj_spot_is_large(const struct pobj_spot *s)
{
	return s->idx == POBJ_M_REF_LARGE;
}

/* ---- lanes in the hands of threads (tlane.c) --------------------------------------------- */

#define POBJ_SET_HASH	64U

/**
 * struct pobj_tlane - a lane that this process has, and the slabs it owns
 * @log: the lane's log
 * @p: the pool
 * @side: what others know of it
 * @holds: its holds (lib/core/side.h)
 * @ring_next: place in side->ring for the next one
 * @set: slab sets by hash; @last the one used last
 * @sets_of: typed sets of each class
 * @slab: owned slabs, NULL where there is none, @slab_cnt places
 * @larges: large objects that are taken or reserved, owned by this lane (changed by all threads)
 * @cursor: group where the search for pages goes on
 * @large_cursor: the same for large objects
 * @missed: by number of pages: pobj_heap_frees() + 1 before the last search that found no such run
 * @large_missed: the same for runs of @large_missed_pages
 * @next: in the heap's list; @parked: no thread has it, but reservations name it
 * @thread: whose it is
 */
struct pobj_tlane {
	struct pobj_lane log;
	struct pobj_pool *p;
	struct pobj_side_lane *side;
	u64 *holds;
	u32 ring_next;
	struct pobj_slab_set *last;
	struct pobj_slab_set *set[POBJ_SET_HASH];
	u32 sets_of[POBJ_CLASSES];
	struct pobj_slab **slab;
	u32 slab_cnt;
	u32 larges;
	u64 cursor;
	u64 large_cursor;
	u64 missed[POBJ_GROUP_PAGES + 1];
	u64 large_missed;
	u64 large_missed_pages;
	struct pobj_tlane *next;
	bool parked;
	pthread_t thread;
};

/**
 * struct pobj_heap - this process' part of a pool's heap
 * @media: as the pool's, but reads are plain loads
 * @g: geometry
 * @side: areas of the sidecar; @sessions, @lanes, @holds, @groups, @pages: where they are mapped
 * @lanes_used: in its head: lanes that were ever taken, + 1; @reaps: see V10
 * @group_cnt: groups of pages
 * @lines, @data_off, @page_shift, @data_bytes: of @g, where they are at hand
 * @classes: size classes; @class_max: size of the largest that this pool has
 * @lock: protects @tlanes; never held while anything of the pool changes
 * @tlanes: lanes of this process; @by_lane: the same by number
 */
struct pobj_heap {
	struct pobj_media media;
	const struct pobj_geom *g;
	struct pobj_side side;
	u64 *sessions;
	struct pobj_side_lane *lanes;
	u64 *holds;
	struct pobj_side_group *groups;
	struct pobj_side_page *pages;
	u64 *lanes_used;
	u64 *reaps;
	u64 group_cnt;
	struct pobj_m_line *lines;
	u64 data_off;
	u64 data_bytes;
	u32 page_shift;
	struct pobj_class classes[POBJ_CLASSES];
	u32 class_max;
	pthread_mutex_t lock;
	struct pobj_tlane *tlanes;
	struct pobj_tlane *by_lane[POBJ_LANES_MAX];
};

/* Set up p->heap, whose superblock is loaded and whose sidecar is joined. 0 or -ENOMEM. */
int pobj_heap_attach(struct pobj_pool *p);

/*
 * Give back all lanes of this process and free p->heap. Other threads of the process use
 * the pool no more.
 */
void pobj_heap_detach(struct pobj_pool *p);

/*
 * Which lane the thread used last, of which pool; @closed: _pobj_cache_invalidate at that
 * time, which every close changes. In the first block of TLS: no call to find it.
 */
extern __thread struct pobj_last_seat {
	PMEMobjpool *pop;
	u64 live_id;
	struct pobj_tlane *tl;
	u64 uuid_lo;
	int closed;
} pobj_last_seat __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The rest of pobj_tlane_of(). */
struct pobj_tlane *pobj_tlane_find(PMEMobjpool *pop);
struct pobj_tlane *pobj_tlane_find_oid(PMEMoid oid);

/*
 * The calling thread's lane of @pop; it takes one at its first operation. NULL with errno
 * and message: EINVAL: not open here (a forked child); EAGAIN: no lane is free; EIO: an
 * earlier write failed.
 */
static inline struct pobj_tlane *pobj_tlane_of(PMEMobjpool *pop)
{
	if (pobj_last_seat.pop == pop && pobj_last_seat.live_id == pobj_pool_raw(pop)->live_id)
		return pobj_last_seat.tl;
	return pobj_tlane_find(pop);
}

/* The same of the pool that @oid names. Also EINVAL: it is not open here. */
static inline struct pobj_tlane *pobj_tlane_of_oid(PMEMoid oid)
{
	if (pobj_last_seat.uuid_lo == oid.pool_uuid_lo &&
	    pobj_last_seat.closed == __atomic_load_n(&_pobj_cache_invalidate, __ATOMIC_ACQUIRE) &&
	    pobj_last_seat.live_id == pobj_pool_raw(pobj_last_seat.pop)->live_id)
		return pobj_last_seat.tl;
	return pobj_tlane_find_oid(oid);
}

/* A write failed: what reached the medium is not known. Marks the pool broken; returns @err. */
int pobj_heap_broken(struct pobj_pool *p, int err);

/*
 * Objects freed and slabs given up so far, by all: a search that failed is repeated after it
 * rose.
 */
u64 pobj_heap_frees(const struct pobj_heap *h);

/* Lanes that were ever taken, + 1. */
u32 pobj_heap_lanes(const struct pobj_heap *h);

/* Give back those parked lanes of this process that need not be kept any more. */
void pobj_tlanes_sweep(struct pobj_pool *p);

/*
 * For the reaper, and for close: give back all spans that lane @by owns, its reservations included,
 * and what its intent and holds speak of (reap.c). The lane's log is recovered.
 */
void pobj_reap_spans(struct pobj_heap *h, struct pobj_side_lane *by);

/* ---- lists of what is freed (quarantine.c) ----------------------------------------------- */

/* List object @ref (large: with @pages) before it is freed by an entry of its own. */
static inline void pobj_ring_add(struct pobj_tlane *tl, u64 ref, u64 pages)
{
	struct pobj_side_lane *side = tl->side;
	const u32 i = tl->ring_next++ % POBJ_RING_CNT;

	/*
	 * What stands here, four frees old, is retired for good: each entry retires all but its
	 * predecessor as soon as it is durable. It is a small one: who frees a large one retires it
	 * at once.
	 */
	__atomic_store_n(&side->frees, side->frees + 1, __ATOMIC_RELEASE);
	if (POBJ_UNLIKELY(pages))
		__atomic_store_n(&side->ring_pages[i], pages, __ATOMIC_RELEASE);
	__atomic_store_n(&side->ring[i], ref + 1, __ATOMIC_RELEASE);
}

/*
 * Retire all frees of the lane, empty its ring, give back the pages of large ones. 0 or what fence
 * says.
 */
int pobj_ring_retire(struct pobj_tlane *tl);

/* Take those objects of the slab at @page that are in the lane's own ring out of @bits. */
void pobj_ring_mask(const struct pobj_tlane *tl, u64 page, u64 bits[POBJ_M_SLAB_PAIRS]);

/* The same for rings and holds of all lanes @but one. */
void pobj_quarantine_mask(const struct pobj_heap *h, u64 page, u64 bits[POBJ_M_SLAB_PAIRS],
			  const struct pobj_tlane *but);

/* ---- slabs ------------------------------------------------------------------------------- */

/*
 * Take an object of @size bytes (up to class_max) and type @type. It is marked in @taken until
 * pobj_slab_settle(). @unlogged: it may be published by another lane or without a log, so
 * it must not be one whose free is not retired. 0; -ENOMEM; what fence says.
 */
int pobj_slab_take(struct pobj_tlane *tl, size_t size, u64 type, bool unlogged,
		   struct pobj_spot *spot);

/*
 * Give up slabs that the lane keeps for their reservations only and that have none any more. Cold:
 * inlined, it would cost every publish its registers.
 */
void pobj_slabs_aside_give_up(struct pobj_tlane *tl) __attribute__((cold, noinline));

/* The operation that took @spot is over: @back: hand it out again. */
void pobj_slab_settle(struct pobj_slab *s, u32 idx, bool back);

/* If an unowned slab with room begins at @page, tell those who look for one (V7). */
void pobj_slab_hint(struct pobj_heap *h, u64 page);

/* Give up those slabs of the lane that nobody needs. Returns how many must stay. */
u32 pobj_slabs_give_up(struct pobj_tlane *tl);

/*
 * Before saying ENOMEM: retire frees, sweep parked lanes, reap the dead, dissolve empty slabs. 1 if
 * something changed, 0 if not, -errno.
 */
int pobj_heap_squeeze(struct pobj_tlane *tl);

/* Give the pages of empty slabs back: all unowned ones and the lane's own. Returns the pages. */
u64 pobj_slabs_dissolve(struct pobj_tlane *tl);

/* The state of an object of a slab as a step: A if @spot->slab is ours, else F. @allocated: now. */
static inline void pobj_spot_step(const struct pobj_spot *spot, bool allocated,
				  struct pobj_step *step)
{
	const u32 w = spot->idx / 64;

	step->target = POBJ_M_TARGET_OBJECT | pobj_spot_ref(spot);
	step->old = allocated;
	step->value = 1ULL << spot->idx % 64;
	step->at = spot->slab ? &spot->line->slab[w].a : &spot->line->slab[w].f;
	step->kind = spot->slab ? POBJ_STEP_A : POBJ_STEP_F;
}

/* Offset of the type number of an object in a mixed slab. */
static inline u64 pobj_mixed_type_off(u64 slab_off, u32 size, u32 cnt, u32 idx)
{
	return slab_off + (u64)cnt * size + (u64)idx * sizeof(u64);
}

/* ---- large objects (large.c) ------------------------------------------------------------- */

/*
 * Take a span for a large object, and write all of its lines but the header, not flushed
 * durable: the next fence of this thread does. The span is owned by the lane. 0; -ENOMEM;
 * what fence says.
 */
int pobj_large_take(struct pobj_tlane *tl, u64 size, u64 type, struct pobj_spot *spot);

/* Step that makes it an object, with @flags (POBJ_M_F_*), or (@allocate false) free. */
void pobj_large_step(struct pobj_heap *h, const struct pobj_spot *spot, u32 flags, bool allocate,
		     struct pobj_step *step);

/* It is published: no lane's any more. Any thread of the session may call it. */
void pobj_large_settle(struct pobj_tlane *tl, const struct pobj_spot *spot);

/* It is not used: give its pages back. Any thread of the session may call it. */
void pobj_large_cancel(struct pobj_tlane *tl, const struct pobj_spot *spot);

/* ---- pages (span.c) ---------------------------------------------------------------------- */

/* Map word of a group, computed if nobody did before. */
u64 pobj_group_map(struct pobj_heap *h, u64 group);

/* Compute all groups that [page, page + pages) touches. */
void pobj_span_build(struct pobj_heap *h, u64 page, u64 pages);

/* Take @pages in one group, own them for the lane, and write their CONT lines. 0 or -ENOMEM. */
int pobj_span_take_small(struct pobj_tlane *tl, u32 pages, u64 *page);

/* Take @pages in one run, own them, and write their CONT lines (flushed, not fenced). */
int pobj_span_take_large(struct pobj_tlane *tl, u64 pages, u64 *page);

/*
 * Give back pages: nothing on the medium says for good that they are in use. @by: the lane
 * that owns them, or acts for it.
 */
void pobj_span_give(struct pobj_heap *h, struct pobj_side_lane *by, u64 page, u64 pages);

/*
 * Say that the pages are changing hands, or the hints about them (V1, V2, V7): if the lane dies its
 * reaper settles them. One intent at a time.
 */
void pobj_intent_set(struct pobj_side_lane *by, u64 page, u64 pages);
void pobj_intent_clear(struct pobj_side_lane *by);

/* Own the span at @page for lane @by if nobody does. */
bool pobj_span_own(struct pobj_heap *h, struct pobj_side_lane *by, u64 page);

/* It is owned no more. @by: the lane that owned it, or acts for it. */
void pobj_span_disown(struct pobj_heap *h, struct pobj_side_lane *by, u64 page);

/* The dead lane @by owned @page, which no line speaks of: give back what nothing covers. */
void pobj_span_reap(struct pobj_heap *h, struct pobj_side_lane *by, u64 page, u64 pages);

/*
 * Give back pages of [page, page + pages) that are marked used and covered by nothing (V1).
 * What @by (NULL: no lane) speaks for does not count.
 */
void pobj_span_settle(struct pobj_heap *h, struct pobj_side_lane *by, u64 page, u64 pages);

/* Settle what was left in doubt. Did anything change? */
bool pobj_spans_resettle(struct pobj_heap *h);

/* ---- objects by their ids (object.c) ----------------------------------------------------- */

/* pobj_object_at(), for what is not in a slab. */
int pobj_object_large(const struct pobj_heap *h, u64 header, struct pobj_spot *spot);

/*
 * The slab that begins at @page, which is the lane's. NULL: the lane holds that page for something
 * else, a large object say, and it was a damaged line that told of a slab.
 */
static inline struct pobj_slab *pobj_own_slab(const struct pobj_heap *h,
					      const struct pobj_tlane *tl, u64 page)
{
	/* The lane's alone now. Who has the page next may come to it by way of another process. */
	const u64 slot = __atomic_load_n(&h->pages[page].slot, __ATOMIC_RELAXED);
	struct pobj_slab *s = POBJ_UNLIKELY(slot >= tl->slab_cnt) ? NULL : tl->slab[slot];

	return s && s->page == page ? s : NULL;
}

/*
 * Find the allocated object at @off. 0; -EINVAL: there is none (also for the inside of
 * one). @tl may be NULL: then spot->slab is. What is read from the medium is judged: the
 * offset may be dangling, or never have been one.
 */
static inline int pobj_object_at(const struct pobj_heap *h, const struct pobj_tlane *tl, u64 off,
				 struct pobj_spot *spot)
{
	const u64 mixed = (u64)POBJ_M_F_MIXED << POBJ_M_HDR_FLAG_SHIFT;
	u64 in = off - h->data_off;		/* below the data this is a large number */
	u64 page = in >> h->page_shift, header;
	struct pobj_m_line *line;
	u32 idx, size, cnt;

	if (POBJ_UNLIKELY(in >= h->data_bytes))
		return -EINVAL;
	line = h->lines + page;
	header = pobj_line_word(&line->header);
	if ((header & 0xf) == POBJ_M_CONT) {
		if (POBJ_UNLIKELY(header >> POBJ_M_HDR_SIZE_SHIFT > page))
			return -EINVAL;
		page -= header >> POBJ_M_HDR_SIZE_SHIFT;
		line = h->lines + page;
		header = pobj_line_word(&line->header);
	}
	spot->page = page;
	spot->off = off;
	spot->line = line;
	/* Kind and flags in one look. */
	if (POBJ_UNLIKELY((header & 0xffff & ~mixed) != POBJ_M_SLAB))
		return pobj_object_large(h, header, spot);

	in -= page << h->page_shift;
	size = (u32)(header >> POBJ_M_HDR_SIZE_SHIFT);
	cnt = (header >> POBJ_M_HDR_CNT_SHIFT) & 0xffff;
	if (POBJ_UNLIKELY(!size || size % 8 || in >> 32 || cnt > POBJ_M_SLAB_MAX))
		return -EINVAL;
	idx = (u32)in / size;
	/* The pool may end before the slab does, by a line that is damaged. */
	if (POBJ_UNLIKELY(idx >= cnt || (u32)in != idx * size ||
			  size > h->data_off + h->data_bytes - off))
		return -EINVAL;
	spot->idx = idx;
	spot->size = size;
	spot->pages = 0;
	spot->root = false;
	spot->slab = NULL;
	if (tl && __atomic_load_n(&h->pages[page].owner, __ATOMIC_ACQUIRE) == tl->log.lane + 1) {
		spot->slab = pobj_own_slab(h, tl, page);
		if (POBJ_UNLIKELY(!spot->slab))
			return -EINVAL;
	}
	return pobj_pair_state(line, idx / 64) >> idx % 64 & 1 ? 0 : -EINVAL;
}

/* Its type number. */
u64 pobj_spot_type(const struct pobj_heap *h, const struct pobj_spot *spot);

/* Line of a page. */
static inline struct pobj_m_line *pobj_heap_line(const struct pobj_heap *h, u64 page)
{
	return h->lines + page;
}

/* Pages of a slab, whatever its line says. */
static inline u64 pobj_seen_pages(const struct pobj_heap *h, const struct pobj_seen *s)
{
	return pobj_geom_pages(h->g, (u64)s->cnt * (s->size + (s->mixed ? sizeof(u64) : 0)));
}

/*
 * Judge the line of @page as that of a slab. Any @page may be asked for: those that the last group
 * lacks are marked as in use, and behind the last line there is user data. A slab that would not
 * end within the pool is none: its owner would hand out, and give back, what is not there.
 */
static inline void pobj_line_see(const struct pobj_heap *h, u64 page, struct pobj_seen *s)
{
	const u64 mixed = (u64)POBJ_M_F_MIXED << POBJ_M_HDR_FLAG_SHIFT;
	const struct pobj_m_line *line = pobj_heap_line(h, page);
	const u64 header = pobj_line_word(&line->header);

	s->size = (u32)(header >> POBJ_M_HDR_SIZE_SHIFT);
	s->cnt = (header >> POBJ_M_HDR_CNT_SHIFT) & 0xffff;
	s->mixed = header & mixed;
	s->type = pobj_line_word(&line->type);
	/* Kind and flags in one look. */
	if ((header & 0xffff & ~mixed) != POBJ_M_SLAB || !s->cnt || s->cnt > POBJ_M_SLAB_MAX ||
	    page >= h->g->page_cnt || pobj_seen_pages(h, s) > h->g->page_cnt - page)
		s->size = 0;
}

/* Is the page one of a log? */
static inline bool pobj_page_is_log(const struct pobj_heap *h, u64 page)
{
	return (le64_to_cpu(pobj_env_load64(&h->lines[page].header)) & 0xf) == POBJ_M_LOG;
}

/*
 * May the word at @off (or the id: two words) be logged and set by an operation: is it in the data,
 * aligned, in no log?
 */
static inline bool pobj_words_ok(const struct pobj_heap *h, u64 off, u64 bytes)
{
	const u64 in = off - h->data_off;	/* below the data this is a large number */
	const u64 page = in >> h->page_shift, last = (in + bytes - 1) >> h->page_shift;

	return !(off % sizeof(u64)) && in <= h->data_bytes - bytes && !pobj_page_is_log(h, page) &&
	       (last == page || !pobj_page_is_log(h, last));
}

/* A word lies in one page. */
static inline bool pobj_word_ok(const struct pobj_heap *h, u64 off)
{
	const u64 in = off - h->data_off;

	return !(off % sizeof(u64)) && in <= h->data_bytes - sizeof(u64) &&
	       !pobj_page_is_log(h, in >> h->page_shift);
}

/* ---- changes (op.c) ---------------------------------------------------------------------- */

#define POBJ_OP_INLINE	16

/**
 * struct pobj_op - an operation that is being put together
 *
 * Add what it takes, then commit or drop. On commit everything happens or nothing.
 */
struct pobj_op {
	struct pobj_tlane *tl;
	struct pobj_step *step;
	struct pobj_spot *freed;
	u32 cnt;
	u32 room;
	u32 freed_cnt;
	u32 freed_room;
	int err;
	struct pobj_step step_inline[POBJ_OP_INLINE];
	struct pobj_spot freed_inline[4];
};

static inline void pobj_op_begin(struct pobj_op *op, struct pobj_tlane *tl)
{
	op->tl = tl;
	op->step = op->step_inline;
	op->freed = op->freed_inline;
	op->cnt = 0;
	op->room = POBJ_OP_INLINE;
	op->freed_cnt = 0;
	op->freed_room = ARRAY_SIZE(op->freed_inline);
	op->err = 0;
}

/* One more step, which there is no room for: NULL without memory. */
struct pobj_step *pobj_op_more(struct pobj_op *op);

static inline struct pobj_step *pobj_op_step(struct pobj_op *op)
{
	return op->cnt < op->room ? &op->step[op->cnt++] : pobj_op_more(op);
}

/* Set the word at @off, for which pobj_word_ok() holds (or a word of the root record). */
static inline void pobj_op_word(struct pobj_op *op, u64 off, u64 value)
{
	struct pobj_step *s = pobj_op_step(op);

	if (!s)
		return;
	s->target = off;
	s->value = value;
	s->at = pobj_media_ptr(&op->tl->p->heap->media, off);
	s->kind = POBJ_STEP_WORD;
}

/* Write an id: off, then uuid. */
void pobj_op_id(struct pobj_op *op, u64 off, PMEMoid oid);
/* Make a taken or reserved object allocated. @flags: POBJ_M_F_* for a large one. */
static inline void pobj_op_alloc(struct pobj_op *op, const struct pobj_spot *spot, u32 flags)
{
	struct pobj_step *s = pobj_op_step(op);

	if (!s)
		return;
	if (pobj_spot_is_large(spot))
		pobj_large_step(op->tl->p->heap, spot, flags, true, s);
	else
		pobj_spot_step(spot, false, s);
}

/* Free an allocated one. */
void pobj_op_free(struct pobj_op *op, const struct pobj_spot *spot);
/*
 * Make it all happen: 0; -ENOMEM: the log cannot grow; fence's errors. The op is over either way;
 * taken objects are still the caller's to settle.
 */
int pobj_op_commit(struct pobj_op *op);
/* Forget it all. */
void pobj_op_drop(struct pobj_op *op);

/* ---- operations that more than one file needs (alloc.c) ----------------------------------- */

/* Take an object of any size. @unlogged as in pobj_slab_take(). */
int pobj_take(struct pobj_tlane *tl, u64 size, u64 type, bool unlogged, struct pobj_spot *spot);

/* The operation on a taken object is over; @back: it was not used. */
void pobj_settle(struct pobj_tlane *tl, const struct pobj_spot *spot, bool back);

/* Message for what pobj_take() and pobj_op_commit() return; returns err, with errno set. */
int pobj_take_failed(struct pobj_pool *p, u64 size, int err);

/* Offset of @p in the pool, or 0 if it lies elsewhere. */
static inline u64 pobj_heap_off(const struct pobj_heap *h, const void *p)
{
	const u64 off = (u64)((const char *)p - (const char *)h->media.base);

	return off < h->media.size ? off : 0;
}

#endif
