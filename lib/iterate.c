// SPDX-License-Identifier: BSD-3-Clause
/*
 * The objects of a pool, one after the other, in the order of their offsets: the next one of an
 * object is the allocated object with the lowest offset above its own. So an iteration needs no
 * state but the last id, meets nothing twice, and goes on if the object that it stands on was
 * freed or its slab became something else: what matters is the place.
 *
 * Nothing is locked, and everything may change at any instruction. What the page lines say is
 * media, too. So each call judges anew what it reads:
 *
 * - A page is where a span begins if its line says SLAB, LARGE or LOG. CONT and FREE lines say
 *   nothing of a beginning, and inside of a span there are no others: a header is 0 before its
 *   pages are given back (lib/core/side.h V6). A line that cannot be is passed over as one page.
 * - Header and type are read before and after the state. If they are the same, the object had its
 *   place in a slab of that size and type, and was allocated in it, even if that slab is another
 *   one by now.
 * - Page numbers rise with each step, so every call ends.
 *
 * What is near the object comes from its own line. From span to span the way leads through the
 * map of the groups: pages in use by word, and for one type only those groups whose filter may
 * hold it.
 *
 * Root, what the library keeps for itself, and log chunks are passed over.
 */
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "libpmemobj/iterator_base.h"

#define HIDDEN		((u64)(POBJ_M_F_ROOT | POBJ_M_F_INTERNAL) << POBJ_M_HDR_FLAG_SHIFT)
#define MIXED		((u64)POBJ_M_F_MIXED << POBJ_M_HDR_FLAG_SHIFT)
#define SIZE_MIN	16

#define ALWAYS_INLINE	inline __attribute__((always_inline))

/**
 * struct place - a span, as its line said at one moment
 * @line: of its first page
 * @header: of the line; 0: no span begins here
 * @page: its first page
 * @off: of that page
 * @pages: of the span, 1 at least
 */
struct place {
	const struct pobj_m_line *line;
	u64 header;
	u64 page;
	u64 off;
	u64 pages;
};

/**
 * struct walk - what is looked for, and where
 * @p: the pool
 * @g: its geometry
 * @typed: objects of @type only
 * @found: if not NULL: the slab in which the object was found is told here
 */
struct walk {
	const struct pobj_pool *p;
	const struct pobj_geom *g;
	struct place *found;
	u64 type;
	bool typed;
};

static ALWAYS_INLINE u64 word(const __le64 *p)
{
	return le64_to_cpu(pobj_env_load64(p));
}

static ALWAYS_INLINE u32 header_kind(u64 header)
{
	return header >> POBJ_M_HDR_KIND_SHIFT & 0xf;
}

static ALWAYS_INLINE u32 header_cnt(u64 header)
{
	return header >> POBJ_M_HDR_CNT_SHIFT & 0xffff;
}

static ALWAYS_INLINE u32 header_size(u64 header)
{
	return (u32)(header >> POBJ_M_HDR_SIZE_SHIFT);
}

/* Read the line of @page, which is in the pool, and judge it. */
static ALWAYS_INLINE void place_read(const struct walk *w, u64 page, struct place *s)
{
	u64 bytes;
	u32 size, cnt;

	s->page = page;
	s->off = pobj_geom_page(w->g, page);
	s->line = pobj_media_ptr(&w->p->media, pobj_geom_line(w->g, page));
	s->header = word(&s->line->header);
	s->pages = 1;
	size = header_size(s->header);
	switch (header_kind(s->header)) {
	case POBJ_M_SLAB:
		cnt = header_cnt(s->header);
		if (!cnt || cnt > POBJ_M_SLAB_MAX || size < SIZE_MIN || size % 8)
			break;
		bytes = (u64)cnt * (size + (s->header & MIXED ? sizeof(u64) : 0));
		s->pages = pobj_geom_pages(w->g, bytes);
		if (s->pages > w->g->page_cnt - page)
			break;
		return;
	case POBJ_M_LARGE:
	case POBJ_M_LOG:
		s->pages = size;
		if (!s->pages || s->pages > w->g->page_cnt - page)
			break;
		return;
	default:
		break;
	}
	s->header = 0;
	s->pages = 1;
}

/* Is the span still what it was, after its state and @type were read? */
static ALWAYS_INLINE bool place_stays(const struct walk *w, const struct place *s, u64 type)
{
	return word(&s->line->header) == s->header && (!w->typed || word(&s->line->type) == type);
}

/* Has object @idx of a mixed slab the type? It was allocated, and must be so after the answer. */
static bool mixed_is(const struct walk *w, const struct place *s, u32 idx)
{
	const u64 off = pobj_mixed_type_off(s->off, header_size(s->header),
					    header_cnt(s->header), idx);
	const u64 type = word(pobj_media_ptr(&w->p->media, off));
	const u64 state = word(&s->line->slab[idx / 64].a) ^ word(&s->line->slab[idx / 64].f);

	return type == w->type && (state >> idx % 64 & 1);
}

/* Offset of the first object of a slab from @idx on; 0: none is what we look for. */
static ALWAYS_INLINE u64 slab_from(const struct walk *w, const struct place *s, u32 idx)
{
	const u32 cnt = header_cnt(s->header);
	const u64 type = w->typed ? word(&s->line->type) : 0;
	u64 bits, mask = ~0ULL << idx % 64;
	u32 pair;

	if (w->typed && !(s->header & MIXED) && type != w->type)
		return 0;
	for (pair = idx / 64; pair * 64 < cnt; pair++, mask = ~0ULL) {
		bits = word(&s->line->slab[pair].a) ^ word(&s->line->slab[pair].f);
		for (bits &= mask; bits; bits &= bits - 1) {
			idx = pair * 64 + (u32)__builtin_ctzll(bits);
			/* No state beyond the last object: but that is media, too. */
			if (POBJ_UNLIKELY(idx >= cnt))
				return 0;
			if (w->typed && (s->header & MIXED) && !mixed_is(w, s, idx))
				continue;
			if (POBJ_UNLIKELY(!place_stays(w, s, type)))
				return 0;
			if (w->found)
				*w->found = *s;
			return s->off + (u64)idx * header_size(s->header);
		}
	}
	return 0;
}

/* Offset of the first object of the span; 0: none is what we look for. */
static u64 place_first(const struct walk *w, const struct place *s)
{
	u64 type;

	if (s->header & HIDDEN)
		return 0;
	switch (header_kind(s->header)) {
	case POBJ_M_SLAB:
		return slab_from(w, s, 0);
	case POBJ_M_LARGE:
		type = w->typed ? word(&s->line->type) : 0;
		return type == w->type && place_stays(w, s, type) ? s->off : 0;
	default:
		return 0;
	}
}

/* Pages in use of @group from @page on; none if it holds nothing of the type. */
static u32 group_from(const struct walk *w, u64 group, u64 page)
{
	const u64 map = pobj_group_map(w->p->heap, group);
	const struct pobj_side_group *side = &w->p->heap->groups[group];

	/* After the map: its being there makes a clear bit mean that there is none (V7). */
	if (w->typed && !(__atomic_load_n(&side->types, __ATOMIC_ACQUIRE) & POBJ_TYPE_BIT(w->type)))
		return 0;
	return (u32)(map & POBJ_MAP_PAGES) & ~0U << page % POBJ_GROUP_PAGES;
}

/* Offset of the first object in a span that begins at @page or behind it; 0: there is none. */
static u64 walk_from(const struct walk *w, u64 page)
{
	const u64 page_cnt = w->g->page_cnt;
	struct place s;
	u64 group, next, off;
	u32 used;

	while (page < page_cnt) {
		group = page / POBJ_GROUP_PAGES;
		next = (group + 1) * POBJ_GROUP_PAGES;
		for (used = group_from(w, group, page); used;
		     used &= ~0U << page % POBJ_GROUP_PAGES) {
			page = group * POBJ_GROUP_PAGES + (u32)__builtin_ctz(used);
			if (page >= page_cnt)
				return 0;
			place_read(w, page, &s);
			off = s.header ? place_first(w, &s) : 0;
			if (off)
				return off;
			page += s.pages;
			if (page >= next)
				break;
		}
		/* A large span may reach over groups. */
		page = used && page > next ? page : next;
	}
	return 0;
}

/* Offset of the next object above @off; 0: there is none. */
static ALWAYS_INLINE u64 walk_above(const struct walk *w, u64 off)
{
	u64 page, next, distance;
	struct place s;
	u32 idx;

	page = (off - w->g->data_off) >> w->g->page_shift;	/* off below data: far beyond */
	if (POBJ_UNLIKELY(page >= w->g->page_cnt))
		return off < w->g->data_off ? walk_from(w, 0) : 0;
	place_read(w, page, &s);
	if (!s.header) {
		/* Inside of a span, a CONT line may name the head. Else go on behind this page. */
		next = word(&s.line->header);
		distance = header_size(next);
		if (header_kind(next) != POBJ_M_CONT || !distance || distance > page)
			return walk_from(w, page + 1);
		place_read(w, page - distance, &s);
		if (s.pages <= distance)
			return walk_from(w, page + 1);
	}
	if (header_kind(s.header) == POBJ_M_SLAB && !(s.header & HIDDEN)) {
		/* Short operands: a long division takes twice as many cycles on many CPUs. */
		if (__builtin_expect((off - s.off) >> 32 == 0, 1))
			idx = (u32)(off - s.off) / header_size(s.header);
		else
			idx = (u32)((off - s.off) / header_size(s.header));
		next = idx + 1 < header_cnt(s.header) ? slab_from(w, &s, idx + 1) : 0;
		if (__builtin_expect(next != 0, 1))
			return next;
	}
	return walk_from(w, s.page + s.pages);
}

/* ---- API --------------------------------------------------------------------------------- */

static PMEMoid oid_make(u64 uuid_lo, u64 off)
{
	return off ? (PMEMoid){ uuid_lo, off } : OID_NULL;
}

__attribute__((noinline, cold))
static PMEMoid next_of_nothing(PMEMoid oid)
{
	if (!oid.off)
		pobj_err(-EINVAL, "the null id has no next object");
	else
		pobj_err(-EINVAL,
			 "the pool of the id is not open (a forked child opens pools for itself)");
	return OID_NULL;
}

static PMEMoid first(PMEMobjpool *pop, bool typed, u64 type)
{
	struct pobj_pool *p = pobj_pool_of(pop);
	struct walk w = { .p = p, .type = type, .typed = typed };

	if (!p)
		return OID_NULL;
	w.g = &p->super.geom;
	return oid_make(p->uuid_lo, walk_from(&w, 0));
}

/*
 * The slab in which this thread's last iteration stands, so that the next object in it is
 * found without a division and without the pool. Valid while no pool was closed and the
 * line's header is the same.
 */
static __thread struct {
	u64 uuid_lo;
	u64 off;		/* of object 0 */
	u64 bytes;		/* of all objects */
	u64 header;
	const struct pobj_m_line *line;
	u32 inverse;		/* 2^32 / size, rounded up */
	int closed;
} last_slab __attribute__((tls_model("initial-exec")));

static ALWAYS_INLINE int closed_now(void)
{
	return __atomic_load_n(&_pobj_cache_invalidate, __ATOMIC_ACQUIRE);
}

static void last_slab_is(u64 uuid_lo, const struct place *s, int closed)
{
	const u32 size = header_size(s->header);

	last_slab.uuid_lo = uuid_lo;
	last_slab.off = s->off;
	last_slab.bytes = (u64)header_cnt(s->header) * size;
	last_slab.header = s->header;
	last_slab.line = s->line;
	last_slab.inverse = (u32)((1ULL << 32) / size + ((1ULL << 32) % size != 0));
	last_slab.closed = closed;
}

/* Offset of the next object in the same slab; 0: look further. */
static ALWAYS_INLINE u64 next_in_slab(PMEMoid oid, bool typed, u64 type)
{
	const u64 in = oid.off - last_slab.off;
	const struct walk w = { .type = type, .typed = typed };
	struct place s;
	u32 idx;

	if (last_slab.uuid_lo != oid.pool_uuid_lo || in >= last_slab.bytes ||
	    last_slab.closed != closed_now() || word(&last_slab.line->header) != last_slab.header)
		return 0;
	s.header = last_slab.header;
	s.line = last_slab.line;
	s.off = last_slab.off;
	/* Exact for the start of an object, and for no other place needed. */
	idx = (u32)(in * last_slab.inverse >> 32);
	if (POBJ_UNLIKELY((u64)idx * header_size(s.header) != in))
		return 0;
	return idx + 1 < header_cnt(s.header) ? slab_from(&w, &s, idx + 1) : 0;
}

static PMEMoid next_slowly(PMEMoid oid, bool typed, u64 type)
{
	/*
	 * The pool as every access to an object finds it, mostly in the thread's cache; by an
	 * offset that every pool has, because that of @oid may be anything.
	 */
	const int closed = closed_now();
	const char *at = pmemobj_direct((PMEMoid){ oid.pool_uuid_lo, 1 });
	struct place found = { .header = 0 };
	struct walk w = { .type = type, .typed = typed, .found = &found };
	u64 off;

	if (POBJ_UNLIKELY(!at || !oid.off))
		return next_of_nothing(oid);
	w.p = pobj_pool_raw((PMEMobjpool *)(at - 1));
	w.g = &w.p->super.geom;
	off = walk_above(&w, oid.off);
	/* Of a mixed slab each object has to be looked at. */
	if (off && found.header && !(found.header & MIXED))
		last_slab_is(oid.pool_uuid_lo, &found, closed);
	return oid_make(oid.pool_uuid_lo, off);
}

static ALWAYS_INLINE PMEMoid next(PMEMoid oid, bool typed, u64 type)
{
	const u64 off = next_in_slab(oid, typed, type);

	return off ? (PMEMoid){ oid.pool_uuid_lo, off } : next_slowly(oid, typed, type);
}

/*
 * First object of the pool; OID_NULL: there is none, or errno EINVAL: @pop is not open. Any
 * number of threads and processes may iterate and change the pool at once; nothing is written.
 */
PMEMoid pmemobj_first(PMEMobjpool *pop)
{
	return first(pop, false, 0);
}

/* Next object; OID_NULL: there is no more, or errno EINVAL: null, or of a pool that is not open. */
PMEMoid pmemobj_next(PMEMoid oid)
{
	return next(oid, false, 0);
}

/* The same for objects of type @type_num. */
PMEMoid pobj_first_type(PMEMobjpool *pop, uint64_t type_num)
{
	return first(pop, true, type_num);
}

/* @oid may be of any type: it is the place that counts. */
PMEMoid pobj_next_type(PMEMoid oid, uint64_t type_num)
{
	return next(oid, true, type_num);
}
