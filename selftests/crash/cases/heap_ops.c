// SPDX-License-Identifier: BSD-3-Clause
/*
 * Operations on the heap under exploration, as a program does them. Each says in heap_after what it
 * will have done, and does it. One that cannot be done (nothing to free, no room) changes nothing.
 */
#include "libpmemobj/action_base.h"
#include "pobj.h"
#include "selftests/crash/cases/heap.h"

#define SMALL		64U
#define OTHER		128U
#define LARGE		16400U	/* 65 pages: more than two groups */
#define LARGER		17000U
#define HOLLOW		4096U	/* one object is a slab of 16 pages */

static PMEMoid on_stack;	/* the program's own memory: nothing of it is on the medium */
static u64 words;

void heap_ops_begin(void)
{
	on_stack = (PMEMoid){ 0, 0 };
}

static u64 uuid(void)
{
	return heap_pool->uuid_lo;
}

/* ---- contents ---------------------------------------------------------------------------- */

/* Stamp, null id, stamp: flushed, not fenced, as the library asks of constructors. */
static void contents_write(void *ptr, const struct heap_object *o)
{
	const struct pobj_media *m = &heap_pool->media;
	__le64 *w = ptr;

	pobj_store64(m, w, o->stamp);
	if (o->has_inner) {
		pobj_store64(m, w + 2, 0);
		pobj_store64(m, w + 3, 0);
	}
	pmemobj_flush(heap_pop(), w, 32);
	pobj_store64(m, w + o->tail / 8, o->stamp);
	pmemobj_flush(heap_pop(), w + o->tail / 8, 8);
}

static int construct(PMEMobjpool *pop, void *ptr, void *arg)
{
	(void)pop;
	contents_write(ptr, arg);
	return 0;
}

/* What was to be done could not: the model is as before. */
static void undo_if(bool failed)
{
	if (failed)
		heap_after = heap_before;
}

static struct heap_id new_id(u32 x)
{
	return (struct heap_id){ uuid(), heap_after.obj[x].off };
}

/* ---- allocate ---------------------------------------------------------------------------- */

/* To destination @d, or to @oidp elsewhere. */
static u32 alloc_to(u32 d, PMEMoid *oidp, u64 size, u64 type)
{
	struct heap_object o;
	u32 x = heap_model_add(size, type, 0);

	o = heap_after.obj[x];
	if (d != HEAP_NONE) {
		heap_after.dest[d] = new_id(x);
		oidp = heap_dest(d);
	}
	undo_if(pmemobj_alloc(heap_pop(), oidp, size, type, construct, &o));
	return x;
}

static void op_alloc0(void)
{
	alloc_to(0, NULL, SMALL, 1);
}

static void op_alloc2(void)
{
	alloc_to(2, NULL, SMALL, 1);
}

static void op_alloc_other(void)
{
	alloc_to(3, NULL, OTHER, 1);
}

static void op_alloc_type(void)
{
	alloc_to(1, NULL, SMALL, 2);
}

static void op_alloc_mixed(void)
{
	static u64 type = 2;

	type = type < 6 ? type + 1 : 3;
	alloc_to(1, NULL, SMALL, type);
}

static void op_alloc_none(void)
{
	alloc_to(HEAP_NONE, NULL, SMALL, 1);
}

static void op_alloc_stack(void)
{
	alloc_to(HEAP_NONE, &on_stack, SMALL, 1);
}

static void op_alloc_inner(void)
{
	u32 outer = heap_model_named(0), x;
	struct heap_object o;
	u64 at;

	if (outer == HEAP_NONE || !heap_after.obj[outer].has_inner)
		return;
	at = heap_after.obj[outer].off + HEAP_INNER;
	x = heap_model_add(SMALL, 1, 0);
	o = heap_after.obj[x];
	heap_after.obj[outer].inner = new_id(x);
	undo_if(pmemobj_alloc(heap_pop(), (PMEMoid *)((u8 *)heap_pop() + at), SMALL, 1, construct,
			      &o));
}

static int construct_not(PMEMobjpool *pop, void *ptr, void *arg)
{
	construct(pop, ptr, arg);
	return 1;
}

static void op_alloc_cancelled(void)
{
	struct heap_object o = { .stamp = 1, .tail = SMALL - 8, .has_inner = true };

	if (!pmemobj_alloc(heap_pop(), heap_dest(0), SMALL, 1, construct_not, &o))
		abort();
}

static void op_zalloc(void)
{
	u32 x = heap_model_add(OTHER, 3, 0);

	heap_after.obj[x].stamp = 0;
	heap_after.dest[1] = new_id(x);
	undo_if(pmemobj_zalloc(heap_pop(), heap_dest(1), OTHER, 3));
}

static void op_strdup(void)
{
	static const char text[] = "as it was said, so it is written....as it wa";
	u64 stamp;
	u32 x;

	memcpy(&stamp, text, sizeof(stamp));
	x = heap_model_add(sizeof(text), 4, stamp);
	heap_after.obj[x].tail = 36;
	heap_after.obj[x].has_inner = false;
	heap_after.dest[3] = new_id(x);
	undo_if(pmemobj_strdup(heap_pop(), heap_dest(3), text, 4));
}

/* ---- free -------------------------------------------------------------------------------- */

static void free_from(u32 d)
{
	u32 x = heap_model_named(d);

	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	heap_after.dest[d] = (struct heap_id){ 0, 0 };
	pmemobj_free(heap_dest(d));
}

static void op_free0(void)
{
	free_from(0);
}

static void op_free1(void)
{
	free_from(1);
}

static void op_free2(void)
{
	free_from(2);
}

static void op_free3(void)
{
	free_from(3);
}

static void op_free_stack(void)
{
	u32 x = heap_model_at(on_stack.off);

	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	pmemobj_free(&on_stack);
}

/* The id within the object that destination 0 names. */
static void op_free_inner(void)
{
	u32 outer = heap_model_named(0), x;

	if (outer == HEAP_NONE || !heap_after.obj[outer].has_inner)
		return;
	x = heap_model_at(heap_after.obj[outer].inner.off);
	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	heap_after.obj[outer].inner = (struct heap_id){ 0, 0 };
	pmemobj_free((PMEMoid *)((u8 *)heap_pop() + heap_after.obj[outer].off + HEAP_INNER));
}

/* By a thread whose lane does not own the slab. */
static void op_free0_remote(void)
{
	heap_thread(1);
	free_from(0);
}

static void op_alloc0_remote(void)
{
	heap_thread(1);
	alloc_to(0, NULL, SMALL, 1);
}

/* The caller promises that the id is durable, and it is. */
static void op_free0_durable(void)
{
	u32 x = heap_model_named(0);

	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	heap_after.dest[0] = (struct heap_id){ 0, 0 };
	if (pobj_xfree(heap_dest(0), POBJ_XFREE_DURABLE))
		abort();
}

/* ---- reallocate --------------------------------------------------------------------------- */

static void realloc_to(u32 d, u64 size)
{
	u32 x = heap_model_named(d), new;
	struct heap_object *o;

	if (x == HEAP_NONE)
		return;
	new = heap_model_add(size, heap_after.obj[x].type, 0);
	o = &heap_after.obj[new];
	*o = heap_after.obj[x];
	o->off = HEAP_NEW + new;
	o->size = size;
	if (o->tail + 8 > size)
		o->tail = 0;
	heap_after.obj[x].live = false;
	heap_after.dest[d] = new_id(new);
	undo_if(pmemobj_realloc(heap_pop(), heap_dest(d), size, o->type));
}

static void op_realloc(void)
{
	u32 x = heap_model_named(0);

	if (x != HEAP_NONE)
		realloc_to(0, heap_after.obj[x].size == SMALL ? OTHER : SMALL);
}

static void op_realloc_remote(void)
{
	heap_thread(1);
	op_realloc();
}

/* ---- actions ----------------------------------------------------------------------------- */

#define ACTS	24U

static struct pobj_action act[ACTS];
static u32 act_cnt;
static u32 act_obj[ACTS];
static u32 act_obj_cnt;

static void reserve(u64 size, u64 type)
{
	u32 x = heap_model_add(size, type, 0);
	PMEMoid oid = pmemobj_reserve(heap_pop(), &act[act_cnt], size, type);

	if (OID_IS_NULL(oid)) {
		heap_after.obj[x].live = false;
		return;
	}
	act_cnt++;
	act_obj[act_obj_cnt++] = x;
	heap_after.obj[x].off = oid.off;
	contents_write(pmemobj_direct(oid), &heap_after.obj[x]);
}

static void set_word(u64 *ptr, u64 value)
{
	pmemobj_set_value(heap_pop(), &act[act_cnt++], ptr, value);
}

/* Let destination @d name the last object reserved. */
static void set_id(u32 d)
{
	u64 off;

	if (!act_obj_cnt)
		return;
	off = heap_after.obj[act_obj[act_obj_cnt - 1]].off;
	heap_after.dest[d] = (struct heap_id){ uuid(), off };
	set_word(&heap_dest(d)->off, off);
	set_word(&heap_dest(d)->pool_uuid_lo, uuid());
}

static void defer_free(u32 d)
{
	u32 x = heap_model_named(d);

	if (x == HEAP_NONE)
		return;
	pmemobj_defer_free(heap_pop(), *heap_dest(d), &act[act_cnt++]);
	heap_after.obj[x].live = false;
	heap_after.dest[d] = (struct heap_id){ 0, 0 };
	set_word(&heap_dest(d)->off, 0);
	set_word(&heap_dest(d)->pool_uuid_lo, 0);
}

static void set_words(void)
{
	u32 i;

	heap_after.words = ++words;
	for (i = 0; i < HEAP_WORDS; i++)
		set_word(heap_word(i), words);
}

static void acts_begin(void)
{
	act_cnt = 0;
	act_obj_cnt = 0;
}

static void acts_publish(void)
{
	if (act_cnt && pmemobj_publish(heap_pop(), act, act_cnt)) {
		pmemobj_cancel(heap_pop(), act, act_cnt);
		undo_if(true);
	}
	acts_begin();
}

static void op_publish1(void)
{
	acts_begin();
	reserve(SMALL, 1);
	acts_publish();
}

static void op_publish1_remote(void)
{
	heap_thread(1);
	op_publish1();
}

/* Of one slab mostly: one word. */
static void op_publish2(void)
{
	acts_begin();
	reserve(SMALL, 1);
	reserve(SMALL, 1);
	acts_publish();
}

static void op_publish_slabs(void)
{
	acts_begin();
	reserve(SMALL, 1);
	reserve(OTHER, 1);
	acts_publish();
}

static void op_publish_id(void)
{
	acts_begin();
	reserve(SMALL, 1);
	set_id(2);
	acts_publish();
}

static void op_publish_swap(void)
{
	acts_begin();
	defer_free(0);
	defer_free(2);
	reserve(SMALL, 1);
	set_id(0);
	acts_publish();
}

static void op_publish_frees_remote(void)
{
	heap_thread(1);
	acts_begin();
	defer_free(0);
	defer_free(3);
	acts_publish();
}

/* More than the log holds: it grows. */
static void op_publish_big(void)
{
	acts_begin();
	reserve(SMALL, 1);
	set_id(0);
	set_words();
	acts_publish();
}

static void op_cancel(void)
{
	acts_begin();
	reserve(SMALL, 1);
	reserve(OTHER, 2);
	pmemobj_cancel(heap_pop(), act, act_cnt);
	heap_after = heap_before;
}

/* One thread reserves, and makes what it wrote durable; the other publishes. */
static void op_publish_across(void)
{
	acts_begin();
	reserve(SMALL, 1);
	set_id(1);
	pmemobj_drain(heap_pop());
	heap_thread(1);
	acts_publish();
}

/* What the library wrote for the one must be durable when the other has published. */
static void op_publish_zeros_across(void)
{
	u32 x = heap_model_add(1024, 5, 0);
	PMEMoid oid;

	acts_begin();
	oid = pmemobj_xreserve(heap_pop(), &act[0], 1024, 5, POBJ_XALLOC_ZERO);
	if (OID_IS_NULL(oid)) {
		heap_after = heap_before;
		return;
	}
	heap_after.obj[x].off = oid.off;
	heap_after.obj[x].stamp = 0;
	act_cnt = 1;
	heap_thread(1);
	acts_publish();
}

/* ---- lists -------------------------------------------------------------------------------- */

static PMEMoid oid_of(u32 x)
{
	return (PMEMoid){ uuid(), heap_after.obj[x].off };
}

static u32 list_drop(u32 l, u32 at)
{
	const u32 x = heap_after.list[l][at];

	heap_after.list_cnt[l]--;
	memmove(&heap_after.list[l][at], &heap_after.list[l][at + 1],
		(heap_after.list_cnt[l] - at) * sizeof(u32));
	return x;
}

static void list_add(u32 l, u32 at, u32 x)
{
	memmove(&heap_after.list[l][at + 1], &heap_after.list[l][at],
		(heap_after.list_cnt[l] - at) * sizeof(u32));
	heap_after.list_cnt[l]++;
	heap_after.list[l][at] = x;
}

/* A new object at the head, or before the last one. */
static void insert_new(bool first)
{
	const u32 cnt = heap_after.list_cnt[0];
	struct heap_object o;
	PMEMoid dest = { 0, 0 };
	u32 x;

	if (cnt == HEAP_LIST_MAX)
		return;
	if (cnt && !first)
		dest = oid_of(heap_after.list[0][cnt - 1]);
	x = heap_model_add(OTHER, 6, 0);
	o = heap_after.obj[x];
	list_add(0, cnt && !first ? cnt - 1 : 0, x);
	undo_if(OID_IS_NULL(pmemobj_list_insert_new(heap_pop(), HEAP_ENTRY, heap_list(0), dest, 1,
						    OTHER, 6, construct, &o)));
}

static void op_list_new(void)
{
	insert_new(true);
}

static void op_list_new_inside(void)
{
	insert_new(false);
}

static void list_remove(bool and_free)
{
	PMEMoid oid;
	u32 x;

	if (!heap_after.list_cnt[0])
		return;
	oid = oid_of(heap_after.list[0][0]);
	x = list_drop(0, 0);
	heap_after.obj[x].live = !and_free;
	undo_if(pmemobj_list_remove(heap_pop(), HEAP_ENTRY, heap_list(0), oid, and_free));
}

static void op_list_remove(void)
{
	list_remove(false);
}

static void op_list_free(void)
{
	list_remove(true);
}

static void op_list_free_remote(void)
{
	heap_thread(1);
	list_remove(true);
}

/* The last one of the first list goes to the second. */
static void op_list_move(void)
{
	u32 cnt = heap_after.list_cnt[0];
	const PMEMoid none = { 0, 0 };
	PMEMoid oid;

	if (!cnt || heap_after.list_cnt[1] == HEAP_LIST_MAX)
		return;
	oid = oid_of(heap_after.list[0][cnt - 1]);
	list_add(1, 0, list_drop(0, cnt - 1));
	undo_if(pmemobj_list_move(heap_pop(), HEAP_ENTRY, heap_list(0), HEAP_ENTRY, heap_list(1),
				  none, 1, oid));
}

/* And back again, out of its list and into it as an object that is there. */
static void op_list_insert(void)
{
	const PMEMoid none = { 0, 0 };
	PMEMoid oid;
	u32 x;

	if (!heap_after.list_cnt[1] || heap_after.list_cnt[0] == HEAP_LIST_MAX)
		return;
	oid = oid_of(heap_after.list[1][0]);
	x = list_drop(1, 0);
	if (pmemobj_list_remove(heap_pop(), HEAP_ENTRY, heap_list(1), oid, 0))
		abort();
	heap_before = heap_after;
	list_add(0, heap_after.list_cnt[0], x);
	undo_if(pmemobj_list_insert(heap_pop(), HEAP_ENTRY, heap_list(0), none, 0, oid));
}

/* Locks are worth nothing after power was lost, and disturb nothing. */
static void op_locks(void)
{
	void *spare = (u8 *)heap_list(0) + HEAP_SPARE;

	pmemobj_mutex_zero(heap_pop(), (PMEMmutex *)((PMEMoid *)heap_list(1) + 1));
	pmemobj_rwlock_zero(heap_pop(), spare);
	pmemobj_cond_zero(heap_pop(), spare);
}

/* ---- the caller's own stores -------------------------------------------------------------- */

static void id_store(u32 d, struct heap_id id, bool persist)
{
	__le64 *p = (__le64 *)heap_dest(d);

	pobj_store64(&heap_pool->media, p + 1, id.off);
	pobj_store64(&heap_pool->media, p, id.uuid);
	if (persist)
		pmemobj_persist(heap_pop(), p, 16);
}

/* An id moves to another place. */
static void op_move(void)
{
	heap_after.dest[1] = heap_after.dest[0];
	heap_after.dest[0] = (struct heap_id){ 0, 0 };
	id_store(1, heap_after.dest[1], true);
	id_store(0, heap_after.dest[0], true);
}

/* Another pool's id with the offset of an object of ours. */
static void op_foreign(void)
{
	heap_after.dest[2] = (struct heap_id){ 77, heap_after.dest[0].off };
	id_store(2, heap_after.dest[2], true);
}

/* H6 of the protocol: an id is stored, not persisted, and freed by. */
static void op_free_unpersisted(void)
{
	u32 x = heap_model_named(0);

	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	heap_after.dest[3] = (struct heap_id){ 0, 0 };
	id_store(3, heap_after.dest[0], false);
	pmemobj_free(heap_dest(3));
}

static void op_root(void)
{
	heap_after.root_size += 256;
	undo_if(OID_IS_NULL(pmemobj_root(heap_pop(), heap_after.root_size)));
}

static void op_reopen(void)
{
	heap_reopen();
}

const struct heap_op heap_ops[] = {
	{ "alloc to 0", op_alloc0, false },
	{ "alloc to 2, which straddles", op_alloc2, false },
	{ "alloc within the object at 0", op_alloc_inner, false },
	{ "alloc another class to 3", op_alloc_other, false },
	{ "alloc another type to 1", op_alloc_type, false },
	{ "alloc of many types to 1", op_alloc_mixed, false },
	{ "alloc without destination", op_alloc_none, false },
	{ "alloc to the stack", op_alloc_stack, false },
	{ "alloc by the other thread", op_alloc0_remote, false },
	{ "alloc that its constructor cancels", op_alloc_cancelled, false },
	{ "zalloc to 1", op_zalloc, false },
	{ "strdup to 3", op_strdup, false },
	{ "free from 0", op_free0, false },
	{ "free from 0, which is durable", op_free0_durable, false },
	{ "free from 1", op_free1, false },
	{ "free from 2", op_free2, false },
	{ "free from 3", op_free3, false },
	{ "free from the stack", op_free_stack, false },
	{ "free within the object at 0", op_free_inner, false },
	{ "free from 0 by the other thread", op_free0_remote, false },
	{ "realloc at 0", op_realloc, false },
	{ "realloc at 0 by the other thread", op_realloc_remote, false },
	{ "publish 1", op_publish1, false },
	{ "publish 1 by the other thread", op_publish1_remote, false },
	{ "publish 2 of a word", op_publish2, false },
	{ "publish 2 of two slabs", op_publish_slabs, false },
	{ "publish with an id", op_publish_id, false },
	{ "publish with frees", op_publish_swap, false },
	{ "publish frees by the other thread", op_publish_frees_remote, false },
	{ "publish more than the log holds", op_publish_big, false },
	{ "reserve here, publish there", op_publish_across, false },
	{ "reserve zeros here, publish there", op_publish_zeros_across, false },
	{ "reserve and cancel", op_cancel, false },
	{ "list: a new one at the head", op_list_new, false },
	{ "list: a new one inside", op_list_new_inside, false },
	{ "list: remove", op_list_remove, false },
	{ "list: remove and free", op_list_free, false },
	{ "list: remove and free by the other thread", op_list_free_remote, false },
	{ "list: move to another", op_list_move, false },
	{ "list: take out and insert", op_list_insert, true },
	{ "zero locks", op_locks, false },
	{ "move an id", op_move, true },
	{ "store a foreign id", op_foreign, true },
	{ "free by an id that is not persisted", op_free_unpersisted, true },
	{ "grow the root", op_root, false },
	{ "close and open", op_reopen, false },
};

const u32 heap_op_cnt = ARRAY_SIZE(heap_ops);

/* ---- large objects ----------------------------------------------------------------------- */

static void op_large0(void)
{
	alloc_to(0, NULL, LARGE, 1);
}

static void op_large_none(void)
{
	alloc_to(HEAP_NONE, NULL, LARGE, 2);
}

static void op_realloc_large(void)
{
	u32 x = heap_model_named(0);

	if (x != HEAP_NONE)
		realloc_to(0, heap_after.obj[x].size < LARGE ? LARGE :
			      heap_after.obj[x].size < LARGER ? LARGER : SMALL);
}

static void op_publish_large(void)
{
	acts_begin();
	reserve(LARGE, 1);
	set_id(2);
	defer_free(0);
	acts_publish();
}

static void op_publish_large_alone(void)
{
	acts_begin();
	reserve(LARGE, 1);
	pmemobj_drain(heap_pop());
	heap_thread(1);
	acts_publish();
}

static void op_cancel_large(void)
{
	acts_begin();
	reserve(LARGE, 1);
	heap_thread(1);
	pmemobj_cancel(heap_pop(), act, act_cnt);
	heap_after = heap_before;
}

/* By the other thread, which does not know what ours left unfenced. */
static void op_large_remote(void)
{
	heap_thread(1);
	alloc_to(2, NULL, LARGE, 1);
}

/* More than there can be: empty slabs are dissolved in vain. */
static void op_too_large(void)
{
	alloc_to(HEAP_NONE, NULL, tiny_super.geom.page_cnt << tiny_super.geom.page_shift, 1);
}

/*
 * This thread dissolves slabs, in vain; the other one takes their pages, and frees the large object
 * that would hide a slab which comes back: to it what lies behind the large one would belong.
 */
static void op_dissolve_across(void)
{
	op_too_large();
	heap_after = heap_before;
	heap_thread(1);
	alloc_to(2, NULL, LARGE, 1);
	heap_model_learn();
	heap_before = heap_after;
	alloc_to(3, NULL, 1024, 5);
	heap_model_learn();
	heap_before = heap_after;
	free_from(2);
}

/* Slabs of another class take pages that a large object or other slabs had. */
static void op_fill(void)
{
	heap_after = heap_before;
	alloc_to(3, NULL, 1024, 5);
}

const struct heap_op heap_large_ops[] = {
	{ "large to 0", op_large0, false },
	{ "large without destination", op_large_none, false },
	{ "large to 2 by the other thread", op_large_remote, false },
	{ "larger than the pool", op_too_large, false },
	{ "larger than the pool, then large by the other thread", op_dissolve_across, true },
	{ "small to 0", op_alloc0, false },
	{ "free from 0", op_free0, false },
	{ "free from 2", op_free2, false },
	{ "free from 0 by the other thread", op_free0_remote, false },
	{ "realloc at 0", op_realloc_large, false },
	{ "publish large with an id and a free", op_publish_large, false },
	{ "publish large by the other thread", op_publish_large_alone, false },
	{ "reserve and cancel large", op_cancel_large, false },
	{ "4 pages to 3", op_fill, false },
	{ "free from 3", op_free3, false },
	{ "grow the root", op_root, false },
	{ "close and open", op_reopen, false },
};

const u32 heap_large_op_cnt = ARRAY_SIZE(heap_large_ops);

/* ---- start states ------------------------------------------------------------------------- */

static void step(void (*run)(void))
{
	heap_before = heap_after;
	run();
	heap_model_learn();
	heap_thread(0);
}

static void steps(void (*run)(void), u32 cnt)
{
	while (cnt--)
		step(run);
}

static void start_empty(void)
{
}

static void start_half(void)
{
	step(op_alloc0);
	step(op_alloc2);
	step(op_alloc_inner);
	step(op_alloc_other);
	step(op_alloc_none);
	step(op_alloc_type);
	step(op_alloc_stack);
}

/* What is named stands in slabs of the other lane. */
static void start_remote(void)
{
	step(op_alloc0_remote);
	step(op_alloc_other);
	step(op_alloc_none);
}

static void fill_with(u64 size, u64 type)
{
	u32 live;

	do {
		heap_before = heap_after;
		live = heap_after.cnt;
		alloc_to(HEAP_NONE, NULL, size, type);
		heap_model_learn();
	} while (heap_after.cnt != live);
}

/* Both lists have some. */
static void start_lists(void)
{
	steps(op_list_new, 3);
	step(op_list_move);
	step(op_list_new_inside);
}

/* Nothing is left but for one object of SMALL. */
static void start_one_free(void)
{
	step(op_alloc0);
	step(op_alloc2);
	fill_with(1024, 7);
	fill_with(256, 7);
	fill_with(SMALL, 1);
	step(op_free2);
}

static void start_full(void)
{
	start_one_free();
	step(op_alloc2);
}

/* Slabs with holes, empty slabs, frees that are not retired. */
static void start_fragmented(void)
{
	steps(op_alloc_none, 3);
	step(op_alloc0);
	steps(op_alloc_none, 2);
	step(op_alloc2);
	step(op_alloc_other);
	step(op_free3);
	step(op_free2);
	step(op_free0);
}

/* Types enough that further ones get mixed slabs. */
static void start_mixed(void)
{
	step(op_alloc0);
	step(op_alloc_type);
	steps(op_alloc_mixed, 5);
}

const struct heap_start heap_starts[] = {
	{ "empty", start_empty },
	{ "half full", start_half },
	{ "of the other lane", start_remote },
	{ "fragmented", start_fragmented },
	{ "mixed", start_mixed },
	{ "with lists", start_lists },
	{ "one free", start_one_free },
	{ "full", start_full },
};

const u32 heap_start_cnt = ARRAY_SIZE(heap_starts);

static void start_large(void)
{
	step(op_large0);
}

/* Pages lie in two runs, and slabs are in the way. */
static void start_large_full(void)
{
	step(op_alloc2);
	step(op_large0);
	fill_with(4096, 7);
	fill_with(1024, 7);
	fill_with(SMALL, 1);
}

/* Of @cnt objects of @size made first: the first of @n that lie side by side. */
static u32 neighbours_find(u32 cnt, u32 n, u64 size)
{
	u32 i;

	for (i = 0; i + n <= cnt; i++) {
		if (heap_after.obj[i + n - 1].off == heap_after.obj[i].off + (n - 1) * size)
			return i;
	}
	abort();
}

/*
 * All pages are in slabs, and of the large ones of these so many are empty, side by side, that a
 * large object begins with the first and ends in the last. They are few: while they are dissolved
 * each may be there or not, in all combinations.
 */
static void start_large_dissolve(void)
{
	const u32 n = LARGE / HOLLOW + 1;
	u32 i, cnt, first;
	PMEMoid oid;

	fill_with(HOLLOW, 7);
	cnt = heap_after.cnt;
	fill_with(1024, 7);
	fill_with(SMALL, 1);
	first = neighbours_find(cnt, n, HOLLOW);
	for (i = first; i < first + n; i++) {
		heap_before = heap_after;
		oid = oid_of(i);
		heap_after.obj[i].live = false;
		pmemobj_free(&oid);
	}
	heap_thread(0);
}

/* The same, nobody owns them, and so either thread can dissolve them all. */
static void start_large_unowned(void)
{
	start_large_dissolve();
	heap_reopen();
}

const struct heap_start heap_large_starts[] = {
	{ "empty", start_empty },
	{ "one large", start_large },
	{ "full", start_large_full },
	{ "of empty slabs", start_large_dissolve },
	{ "of empty slabs that nobody owns", start_large_unowned },
};

/* Without the last two: in a pool of many slabs the combinations are too many. */
const u32 heap_section_start_cnt = ARRAY_SIZE(heap_large_starts) - 2;

const u32 heap_large_start_cnt = ARRAY_SIZE(heap_large_starts);
