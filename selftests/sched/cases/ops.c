// SPDX-License-Identifier: BSD-3-Clause
/*
 * The kinds of operations, those of selftests/kill/cases, and the states in which two processes
 * begin theirs: at neighbouring objects and slabs, one in the slab of the other, in slabs that
 * nobody owns, in a pool without room.
 */
#include <errno.h>

#include "lib/session.h"
#include "selftests/sched/cases/cases.h"

struct hand *hands[SCHED_PROCS];
struct model before[2];
const struct kind *pair[2];
u64 pair_done[2];

static bool setting_up;

static struct hand *hand(u32 proc)
{
	return hands[proc];
}

/* A call of the operation has returned. It counts, or failed; then the operation ends. */
static bool did(u32 proc, bool ok)
{
	if (ok)
		hand(proc)->did++;
	else
		hand(proc)->failed = errno;
	return ok;
}

#define STAMP(size, type)	((u64)(type) << 32 | (size))

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void note(u32 of, u32 d, u64 size, u64 type, u64 stamp)
{
	if (setting_up)
		before[of].d[d] = (struct thing){ size, type, stamp };
}

static int stamp(PMEMobjpool *pop, void *ptr, void *arg)
{
	memcpy(ptr, arg, sizeof(u64));
	pmemobj_persist(pop, ptr, sizeof(u64));
	return 0;
}

/* ---- what hands do ------------------------------------------------------------------------ */

/* Process @proc allocates to an id of process @of. */
static bool put_for(u32 proc, u32 of, u32 d, u64 size, u64 type)
{
	struct hand *h = hand(proc);
	u64 s = STAMP(size, type);

	if (pmemobj_alloc(h->pop, &h->table->part[of].d[d], size, type, stamp, &s))
		return false;
	note(of, d, size, type, s);
	return true;
}

static void put(u32 proc, u32 d, u64 size)
{
	did(proc, put_for(proc, proc, d, size, TYPE));
}

static void drop(u32 proc, u32 d)
{
	struct hand *h = hand(proc);

	pmemobj_free(&h->mine->d[d]);
	did(proc, OID_IS_NULL(h->mine->d[d]));
	note(proc, d, 0, 0, 0);
}

static void resize(u32 proc, u64 size)
{
	did(proc, !pmemobj_realloc(hand(proc)->pop, &hand(proc)->mine->d[0], size, TYPE));
}

static void list_add(u32 proc)
{
	struct hand *h = hand(proc);
	u64 s = STAMP(ELEMENT, TYPE);
	PMEMoid oid;

	oid = pmemobj_list_insert_new(h->pop, ENTRY, &h->table->list, OID_NULL, 0, ELEMENT, TYPE,
				      stamp, &s);
	did(proc, !OID_IS_NULL(oid));
	if (setting_up)
		before[proc % 2].list++;
}

/* An element is none any more, and freed. Who looks at a list has its lock. */
static void list_drop(u32 proc)
{
	struct hand *h = hand(proc);
	PMEMoid oid;
	int err;

	/* Without a lock of the caller's the first may be gone: then the next one. */
	do {
		oid = h->table->list.first;
		err = pmemobj_list_remove(h->pop, ENTRY, &h->table->list, oid, 1);
	} while (err && errno == EINVAL);
	did(proc, !err);
}

static struct pobj_action *next_act(struct hand *h)
{
	return &h->act[h->acts++];
}

static PMEMoid reserve(struct hand *h, u64 size)
{
	PMEMoid oid = pmemobj_reserve(h->pop, next_act(h), size, TYPE);
	u64 s = STAMP(size, TYPE);

	if (OID_IS_NULL(oid))
		h->acts--;
	else
		stamp(h->pop, pmemobj_direct(oid), &s);
	return oid;
}

static void name(struct hand *h, u32 d, PMEMoid oid)
{
	pmemobj_set_value(h->pop, next_act(h), &h->mine->d[d].off, oid.off);
	pmemobj_set_value(h->pop, next_act(h), &h->mine->d[d].pool_uuid_lo, oid.pool_uuid_lo);
}

static void defer(struct hand *h, u32 d)
{
	pmemobj_defer_free(h->pop, h->mine->d[d], next_act(h));
	name(h, d, OID_NULL);
}

static void publish(u32 proc)
{
	struct hand *h = hand(proc);

	did(proc, !pmemobj_publish(h->pop, h->act, h->acts));
	h->acts = 0;
}

/* Give up all slabs: others may adopt them. */
static void let_go(u32 proc)
{
	pobj_slabs_give_up(pobj_tlane_of(hand(proc)->pop));
}

/* ---- allocate ----------------------------------------------------------------------------- */

static void with_64(u32 proc)
{
	put(proc, 1, SMALL);
}

static void with_128(u32 proc)
{
	put(proc, 7, OTHER);
}

static void with_nothing(u32 proc)
{
	(void)proc;
}

static void put_64(u32 proc)
{
	put(proc, 0, SMALL);
}

static void put_large(u32 proc)
{
	put(proc, 0, LARGE);
}

static void put_vast(u32 proc)
{
	put(proc, 0, VAST);
}

static void put_straddling(u32 proc)
{
	put(proc, 3, SMALL);
}

static void put_nowhere(u32 proc)
{
	struct hand *h = hand(proc);
	u64 s = STAMP(SMALL, TYPE);

	did(proc, !pmemobj_alloc(h->pop, &h->out, SMALL, TYPE, stamp, &s));
}

/* A slab with one place, that nobody owns. */
static void slab_to_adopt(u32 proc, u32 of)
{
	u32 d;

	for (d = 2; d < 6; d++)
		must(put_for(proc, of, d, SMALL, TYPE));
	pmemobj_free(&hand(proc)->table->part[of].d[4]);
	note(of, 4, 0, 0, 0);
	let_go(proc);
}

/* The only object of its slab is free, and may not be had: its free is not retired. */
static void slab_in_quarantine(u32 proc, u32 of)
{
	must(put_for(proc, of, 2, HOLLOW, TYPE));
	let_go(proc);
	pmemobj_free(&hand(proc)->table->part[of].d[2]);
	note(of, 2, 0, 0, 0);
}

static void put_hollow(u32 proc)
{
	put(proc, 0, HOLLOW);
}

static void many_types(u32 proc)
{
	u32 d;

	for (d = 4; d < 8; d++)
		must(put_for(proc, proc, d, SMALL, TYPE + d));
}

static void put_fifth_type(u32 proc)
{
	did(proc, put_for(proc, proc, 0, SMALL, 99));
}

static void zalloc_small(u32 proc)
{
	did(proc, !pmemobj_zalloc(hand(proc)->pop, &hand(proc)->mine->d[0], 320, TYPE));
}

static void zalloc_large(u32 proc)
{
	did(proc, !pmemobj_zalloc(hand(proc)->pop, &hand(proc)->mine->d[0], LARGE, TYPE));
}

static void dup_text(u32 proc)
{
	PMEMoid *d = &hand(proc)->mine->d[0];

	did(proc, !pmemobj_strdup(hand(proc)->pop, d, "A hundred bottles of beer", TYPE));
}

/* ---- free, reallocate --------------------------------------------------------------------- */

static void with_two(u32 proc)
{
	put(proc, 0, SMALL);
	put(proc, 1, SMALL);
}

static void two_of_other(u32 proc, u32 of)
{
	must(put_for(proc, of, 0, SMALL, TYPE) && put_for(proc, of, 1, SMALL, TYPE));
}

static void two_of_nobody(u32 proc, u32 of)
{
	two_of_other(proc, of);
	let_go(proc);
}

/* A slab of one object: full. */
static void full_of_nobody(u32 proc, u32 of)
{
	must(put_for(proc, of, 0, HOLLOW, TYPE));
	let_go(proc);
}

static void with_other(u32 proc)
{
	put(proc, 2, SMALL);
}

/* If another two stand in the slab it is full. */
static void put_third(u32 proc)
{
	put(proc, 2, SMALL);
}

static void drop_it(u32 proc)
{
	drop(proc, 0);
}

static void with_large(u32 proc)
{
	put(proc, 0, LARGE);
}

static void with_straddling(u32 proc)
{
	put(proc, 3, SMALL);
}

static void drop_straddling(u32 proc)
{
	drop(proc, 3);
}

static void with_four_large(u32 proc)
{
	u32 d;

	for (d = 4; d < 8; d++)
		put(proc, d, LARGE);
}

static void drop_four(u32 proc)
{
	u32 d;

	for (d = 4; d < 8; d++)
		drop(proc, d);
}

static void with_freed(u32 proc)
{
	with_two(proc);
	drop(proc, 0);
}

static void put_drop_large(u32 proc)
{
	put(proc, 0, LARGE);
	if (!hand(proc)->failed)
		drop(proc, 0);
}

static void with_256(u32 proc)
{
	put(proc, 0, WIDE);
}

static void resize_64(u32 proc)
{
	resize(proc, SMALL);
}

static void resize_256(u32 proc)
{
	resize(proc, WIDE);
}

static void resize_large(u32 proc)
{
	resize(proc, LARGE);
}

/* ---- actions ------------------------------------------------------------------------------ */

static void reserve_some(u32 proc)
{
	static const u64 size[] = { SMALL, SMALL, OTHER, LARGE };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		if (!did(proc, !OID_IS_NULL(reserve(hand(proc), size[i]))))
			return;
	}
}

static void cancel_some(u32 proc)
{
	struct hand *h = hand(proc);

	pmemobj_cancel(h->pop, h->act, h->acts);
	h->acts = 0;
	h->did++;
}

/* What it gives back it takes again, as soon as it is there. */
static void reserve_again(u32 proc)
{
	cancel_some(proc);
	did(proc, !OID_IS_NULL(reserve(hand(proc), LARGE)));
}

static void prepare_word(u32 proc)
{
	struct hand *h = hand(proc);

	pmemobj_set_value(h->pop, next_act(h), &h->mine->word[2], 42);
}

static void prepare_two(u32 proc)
{
	struct hand *h = hand(proc);

	name(h, 0, reserve(h, SMALL));
	name(h, 4, reserve(h, LARGE));
	prepare_word(proc);
}

/* The slab that has the reserved one runs dry meanwhile. */
static void reserve_put_publish(u32 proc)
{
	struct hand *h = hand(proc);
	u32 d;

	name(h, 0, reserve(h, SMALL));
	for (d = 2; d < 6; d++) {
		if (d != 3)
			put(proc, d, SMALL);
	}
	if (!h->failed)
		publish(proc);
}

static void prepare_nameless(u32 proc)
{
	u32 i;

	for (i = 0; i < 3; i++)
		reserve(hand(proc), SMALL);
}

static void prepare_nameless_large(u32 proc)
{
	reserve(hand(proc), LARGE);
}

static void other_at_5(u32 proc, u32 of)
{
	must(put_for(proc, of, 5, SMALL, TYPE));
}

static void prepare_frees(u32 proc)
{
	struct hand *h = hand(proc);

	name(h, 0, reserve(h, SMALL));
	put(proc, 6, LARGE);
	put(proc, 7, SMALL);
	defer(h, 5);
	defer(h, 6);
	defer(h, 7);
}

static void prepare_free_of_full(u32 proc)
{
	struct hand *h = hand(proc);

	name(h, 4, reserve(h, SMALL));
	defer(h, 0);
}

static void prepare_words(u32 proc)
{
	struct hand *h = hand(proc);
	u32 i;

	for (i = 0; i < WORDS; i++)
		pmemobj_set_value(h->pop, next_act(h), &h->mine->word[i], 7);
}

/* ---- lists -------------------------------------------------------------------------------- */

static void list_of_two(u32 proc)
{
	list_add(proc);
	list_add(proc);
}

static void list_of_others(u32 proc, u32 of)
{
	(void)of;
	list_of_two(proc);
	let_go(proc);
}

/* ---- threads, open and close -------------------------------------------------------------- */

static void with_thread(u32 proc)
{
	sched_thread(1);
	put(proc, 4, SMALL);
	put(proc, 5, SMALL);
	put(proc, 6, LARGE);
	drop(proc, 5);
	drop(proc, 6);
	sched_thread(0);
}

static void thread_end(u32 proc)
{
	sched_thread(1);
	sched_thread_exit();
	sched_thread(0);
	hand(proc)->did++;
}

static void park(u32 proc)
{
	sched_thread(1);
	reserve_some(proc);
	sched_thread_exit();
	sched_thread(0);
}

static void cancel_in_thread(u32 proc)
{
	sched_thread(1);
	put(proc, 0, SMALL);
	/* An operation ends with the call that fails. */
	if (!hand(proc)->failed)
		cancel_some(proc);
	sched_thread_exit();
	sched_thread(0);
}

static void publish_in_thread(u32 proc)
{
	sched_thread(1);
	publish(proc);
	sched_thread_exit();
	sched_thread(0);
}

static void busy(u32 proc)
{
	with_two(proc);
	reserve_some(proc);
	put(proc, 4, LARGE);
	put(proc, 5, LARGE);
	drop(proc, 0);
	drop(proc, 4);
}

static void grow_root(u32 proc)
{
	struct hand *h = hand(proc);

	did(proc, !OID_IS_NULL(pmemobj_root(h->pop, pmemobj_root_size(h->pop) + 512)));
}

static void reap(u32 proc)
{
	must(pobj_session_reap(pobj_pool_raw(hand(proc)->pop)) >= 0);
}

/* ---- a full pool -------------------------------------------------------------------------- */

/* Pages in a row that nobody has; those that are reserved look free on the medium. */
static u64 largest_run(PMEMobjpool *pop)
{
	struct pobj_heap *h = pobj_pool_raw(pop)->heap;
	u64 page, run = 0, most = 0;

	for (page = 0; page < h->g->page_cnt; page++) {
		run = pobj_group_map(h, page / POBJ_GROUP_PAGES) >> page % POBJ_GROUP_PAGES & 1 ?
		      0 : run + 1;
		if (run > most)
			most = run;
	}
	return most;
}

/* No more than two pages are left; then they are slabs, and empty. */
static void fill(u32 proc)
{
	struct hand *h = hand(proc);
	u64 pages, size;
	PMEMoid oid;

	while ((pages = largest_run(h->pop)) > 2) {
		size = (pages - 2) * 256;
		must(!pmemobj_alloc(h->pop, &oid, size > HOLLOW ? size : 256, TYPE, NULL, NULL));
		before[proc].loose++;
	}
	put(proc, 0, SMALL);
	drop(proc, 0);
	let_go(proc);
	put(proc, 0, OTHER);
	drop(proc, 0);
}

static void put_192(u32 proc)
{
	put(proc, 0, 192);
}

/* ---- the kinds ---------------------------------------------------------------------------- */

#define LARGE_PAGES	(LARGE / 256 + 1)
#define VAST_PAGES	(VAST / 256 + 1)

#define MAKES(call, d, size) \
	{ OBJECT, call, d, 1, { size, TYPE, STAMP(size, TYPE) }, 0 }
#define HOLDS(call, d, size, type, stamp) \
	{ OBJECT, call, d, 1, { size, type, stamp }, 0 }
#define FREES(call, d)			{ OBJECT, call, d, 1, { 0, 0, 0 }, 0 }
#define SETS(call, word, cnt, value)	{ WORD, call, word, cnt, { 0, 0, 0 }, value }
#define LEAVES(call, cnt)		{ LOOSE, call, 0, cnt, { 0, 0, 0 }, 0 }
#define LISTS(call, cnt)		{ LIST, call, 0, cnt, { 0, 0, 0 }, 0 }

const struct kind kinds[] = {
	{ .name = "alloc_small", .prologue = with_64, .run = put_64,
	  .item = { MAKES(0, 0, SMALL) } },
	{ .name = "alloc_refills", .prologue = with_two, .run = put_third, .entry = true,
	  .item = { MAKES(0, 2, SMALL) } },
	{ .name = "alloc_across_lines", .prologue = with_64, .run = put_straddling,
	  .item = { MAKES(0, 3, SMALL) } },
	{ .name = "alloc_to_no_pool", .prologue = with_64, .run = put_nowhere,
	  .item = { LEAVES(0, 1) } },
	{ .name = "alloc_in_new_slab", .prologue = with_128, .run = put_64,
	  .item = { MAKES(0, 0, SMALL) } },
	{ .name = "alloc_with_new_lane", .prologue = with_nothing, .run = put_64,
	  .item = { MAKES(0, 0, SMALL) } },
	{ .name = "alloc_large", .prologue = with_64, .run = put_large, .pages = LARGE_PAGES,
	  .item = { MAKES(0, 0, LARGE) } },
	{ .name = "alloc_adopts", .other = slab_to_adopt,
	  .nobodys = true, .prologue = with_128, .run = put_64,
	  .item = { MAKES(0, 0, SMALL) } },
	{ .name = "alloc_adopts_none", .other = slab_in_quarantine,
	  .nobodys = true, .prologue = with_128,
	  .run = put_hollow, .pages = 8, .item = { MAKES(0, 0, HOLLOW) } },
	{ .name = "alloc_mixed", .prologue = many_types, .run = put_fifth_type,
	  .item = { HOLDS(0, 0, SMALL, 99, STAMP(SMALL, 99)) } },
	{ .name = "zalloc", .prologue = with_64, .run = zalloc_small,
	  .item = { HOLDS(0, 0, 320, TYPE, 0) } },
	{ .name = "zalloc_of_large", .prologue = with_64, .run = zalloc_large,
	  .pages = LARGE_PAGES, .item = { HOLDS(0, 0, LARGE, TYPE, 0) } },
	{ .name = "strdup_small", .prologue = with_64, .run = dup_text,
	  .item = { HOLDS(0, 0, 26, TYPE, 0x6572646e75682041ULL) } },

	{ .name = "free_own", .prologue = with_two, .run = drop_it, .entry = true,
	  .item = { FREES(0, 0) } },
	{ .name = "free_across_lines", .prologue = with_straddling, .run = drop_straddling,
	  .item = { FREES(0, 3) } },
	{ .name = "free_remote", .other = two_of_other, .prologue = with_other, .run = drop_it,
	  .entry = true, .item = { FREES(0, 0) } },
	{ .name = "free_unowned", .other = two_of_nobody,
	  .nobodys = true, .prologue = with_128, .run = drop_it,
	  .item = { FREES(0, 0) } },
	{ .name = "free_in_full_slab", .other = full_of_nobody,
	  .nobodys = true, .prologue = with_128,
	  .run = drop_it, .pages = 4, .item = { FREES(0, 0) } },
	{ .name = "free_large", .prologue = with_large, .run = drop_it, .pages = LARGE_PAGES,
	  .item = { FREES(0, 0) } },
	{ .name = "free_four_large", .prologue = with_four_large, .run = drop_four,
	  .pages = 4 * LARGE_PAGES,
	  .item = { FREES(0, 4), FREES(1, 5), FREES(2, 6), FREES(3, 7) } },
	{ .name = "alloc_of_freed", .prologue = with_freed, .run = put_64,
	  .item = { MAKES(0, 0, SMALL) } },
	{ .name = "alloc_free_large", .prologue = with_64, .run = put_drop_large, .entry = true,
	  .pages = LARGE_PAGES, .item = { MAKES(0, 0, LARGE), FREES(1, 0) } },

	{ .name = "alloc_vast", .prologue = with_64, .run = put_vast, .pages = 2 * VAST_PAGES,
	  .item = { MAKES(0, 0, VAST) } },
	{ .name = "free_vast", .prologue = put_vast, .run = drop_it, .pages = 2 * VAST_PAGES,
	  .item = { FREES(0, 0) } },

	{ .name = "realloc_up", .prologue = with_two, .run = resize_256, .entry = true,
	  .item = { HOLDS(0, 0, WIDE, TYPE, STAMP(SMALL, TYPE)) } },
	{ .name = "realloc_down", .prologue = with_256, .run = resize_64,
	  .item = { HOLDS(0, 0, SMALL, TYPE, STAMP(WIDE, TYPE)) } },
	{ .name = "realloc_to_large", .prologue = with_two, .run = resize_large,
	  .pages = LARGE_PAGES, .item = { HOLDS(0, 0, LARGE, TYPE, STAMP(SMALL, TYPE)) } },
	{ .name = "realloc_from_large", .prologue = with_large, .run = resize_64,
	  .pages = LARGE_PAGES, .item = { HOLDS(0, 0, SMALL, TYPE, STAMP(LARGE, TYPE)) } },
	{ .name = "realloc_remote", .other = two_of_other, .prologue = with_128,
	  .run = resize_256, .item = { HOLDS(0, 0, WIDE, TYPE, STAMP(SMALL, TYPE)) } },

	{ .name = "reserve_four", .prologue = with_64, .run = reserve_some,
	  .pages = LARGE_PAGES },
	{ .name = "cancel_four", .prologue = reserve_some, .run = cancel_some,
	  .pages = LARGE_PAGES },
	{ .name = "reserve_again", .prologue = reserve_some, .run = reserve_again,
	  .pages = LARGE_PAGES },
	{ .name = "reserve_alloc_publish", .prologue = with_64, .run = reserve_put_publish,
	  .item = { MAKES(0, 2, SMALL), MAKES(1, 4, SMALL), MAKES(2, 5, SMALL),
		    MAKES(3, 0, SMALL) } },
	{ .name = "publish_word", .prologue = prepare_word, .run = publish, .entry = true,
	  .item = { SETS(0, 2, 1, 42) } },
	{ .name = "publish_two", .prologue = prepare_two, .run = publish, .pages = LARGE_PAGES,
	  .item = { MAKES(0, 0, SMALL), MAKES(0, 4, LARGE), SETS(0, 2, 1, 42) } },
	{ .name = "publish_nameless", .prologue = prepare_nameless, .run = publish,
	  .item = { LEAVES(0, 3) } },
	{ .name = "publish_nameless_large", .prologue = prepare_nameless_large, .run = publish,
	  .pages = LARGE_PAGES, .item = { LEAVES(0, 1) } },
	{ .name = "publish_frees", .other = other_at_5, .prologue = prepare_frees,
	  .run = publish, .entry = true, .pages = LARGE_PAGES,
	  .item = { MAKES(0, 0, SMALL), FREES(0, 5), FREES(0, 6), FREES(0, 7) } },
	{ .name = "publish_free_in_full_slab", .other = full_of_nobody, .nobodys = true,
	  .prologue = prepare_free_of_full, .run = publish, .pages = 4,
	  .item = { FREES(0, 0), MAKES(0, 4, SMALL) } },
	{ .name = "publish_many_words", .prologue = prepare_words, .run = publish,
	  .item = { SETS(0, 0, WORDS, 7) } },

	{ .name = "list_begins", .prologue = with_64, .run = list_add, .entry = true,
	  .item = { LISTS(0, 1) } },
	{ .name = "list_grows", .prologue = list_of_two, .run = list_add,
	  .item = { LISTS(0, 1) } },
	{ .name = "list_shrinks", .prologue = list_of_two, .run = list_drop,
	  .item = { LISTS(0, -1) } },
	{ .name = "list_of_others_shrinks", .other = list_of_others,
	  .nobodys = true, .prologue = with_64,
	  .run = list_drop, .item = { LISTS(0, -1) } },

	{ .name = "thread_exits", .prologue = with_thread, .run = thread_end,
	  .pages = LARGE_PAGES },
	{ .name = "thread_exits_with_reservations", .prologue = with_64, .run = park,
	  .pages = LARGE_PAGES },
	{ .name = "thread_takes_parked_lane", .prologue = park, .run = cancel_in_thread,
	  .pages = LARGE_PAGES, .item = { MAKES(0, 0, SMALL) } },
	{ .name = "other_thread_cancels", .prologue = reserve_some, .run = cancel_in_thread,
	  .pages = LARGE_PAGES, .item = { MAKES(0, 0, SMALL) } },
	{ .name = "other_thread_publishes", .prologue = prepare_two, .run = publish_in_thread,
	  .pages = LARGE_PAGES,
	  .item = { MAKES(0, 0, SMALL), MAKES(0, 4, LARGE), SETS(0, 2, 1, 42) } },

	{ .name = "close", .prologue = busy, .run = pool_close, .pages = 3 * LARGE_PAGES },
	{ .name = "open", .run = pool_open, .closed = true },
	{ .name = "root_grows", .prologue = with_two, .run = grow_root, .pages = 8 },
	{ .name = "dissolve", .late = fill, .run = put_192,
	  .full = true, .item = { MAKES(0, 0, 192) } },
	{ .name = "reap", .prologue = with_64, .run = reap },
};

const u32 kind_cnt = ARRAY_SIZE(kinds);

/* ---- pairs -------------------------------------------------------------------------------- */

#define PAGES	24U	/* root, table, and what slabs of small objects take */

static void hand_make(u32 proc)
{
	hands[proc] = calloc(1, sizeof(struct hand));
	pool_open(proc);
}

static void hand_table(u32 proc)
{
	struct hand *h = hand(proc);
	PMEMoid *root = pmemobj_direct(pmemobj_root(h->pop, 256));

	h->table = pmemobj_direct(*root);
	h->mine = &h->table->part[proc % 2];
}

static void table_make(u32 proc)
{
	PMEMoid *root;

	hand_make(proc);
	root = pmemobj_direct(pmemobj_root(hand(proc)->pop, 256));
	must(!pmemobj_zalloc(hand(proc)->pop, root, sizeof(struct table), 1));
	hand_table(proc);
	let_go(proc);
}

static void begin_other(u32 proc)
{
	if (pair[1 - proc]->other && !pair[1 - proc]->nobodys)
		pair[1 - proc]->other(proc, 1 - proc);
}

/* What nobody owns is the reaper's work: so that of both lies together. */
static void begin_nobodys(u32 proc)
{
	u32 of;

	for (of = 0; of < 2; of++) {
		if (pair[of]->other && pair[of]->nobodys)
			pair[of]->other(proc, of);
	}
}

static void begin_late(u32 proc)
{
	if (pair[proc]->late)
		pair[proc]->late(proc);
	hands[proc]->did = 0;
	hands[proc]->failed = 0;
}

static void begin_prologue(u32 proc)
{
	if (pair[proc]->prologue)
		pair[proc]->prologue(proc);
	must(!hands[proc]->failed);
}

static void begin_closed(u32 proc)
{
	if (pair[proc]->closed)
		pool_close(proc);
}

static void begin_each(void (*f)(u32 proc))
{
	u32 p;

	for (p = 0; p < 2; p++)
		sched_as(p, f);
}

void pair_make(const struct kind *a, const struct kind *b)
{
	/* Such numbers of groups that all lanes begin in the first one. */
	const u32 pages = PAGES + a->pages + b->pages;

	memset(pair_done, 0, sizeof(pair_done));
	pair[0] = a;
	pair[1] = b;
	memset(before, 0, sizeof(before));
	memset(hands, 0, sizeof(hands));
	sched_procs_clear();
	sched_calls_forget();
	pool_make(pages <= 32 ? 32 : pages <= 64 ? 64 : 128);
	setting_up = true;
	sched_as(SCHED_REAPER, table_make);
	begin_each(hand_make);
	begin_each(hand_table);
	begin_each(begin_other);
	sched_as(SCHED_REAPER, begin_nobodys);
	begin_each(begin_prologue);
	begin_each(begin_late);
	begin_each(begin_closed);
	setting_up = false;
	sched_world_keep();
	sched_calls_keep();
}

void pair_run(u32 proc)
{
	pair[proc]->run(proc);
	pair_done[proc] += !hand(proc)->failed;
}

void pair_reap(u32 proc)
{
	/* One who has closed opens again; who opens reaps. */
	if (pobj_pool_of(hand(proc)->pop))
		pobj_session_reap(pobj_pool_raw(hand(proc)->pop));
	else
		pool_open(proc);
}

void table_clear(u32 proc)
{
	struct table *t = hand(proc)->table;

	memset(t, 0, sizeof(*t));
}
