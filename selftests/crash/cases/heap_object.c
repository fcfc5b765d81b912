// SPDX-License-Identifier: BSD-3-Clause
/*
 * Operations on single objects: allocate, free, reallocate; from different places, to different
 * places, by either thread.
 */
#include "pobj.h"
#include "selftests/crash/cases/heap_ops.h"

static PMEMoid on_stack;	/* the program's own memory: nothing of it is on the medium */
static u64 mixed_type;

void heap_ops_begin(void)
{
	on_stack = OID_NULL;
	mixed_type = 2;
}

/* ---- contents ---------------------------------------------------------------------------- */

void heap_contents_write(void *ptr, const struct heap_object *o)
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

int heap_construct(PMEMobjpool *pop, void *ptr, void *arg)
{
	(void)pop;
	heap_contents_write(ptr, arg);
	return 0;
}

/* ---- allocate ---------------------------------------------------------------------------- */

u32 heap_alloc_to(u32 d, PMEMoid *oidp, u64 size, u64 type)
{
	struct heap_object o;
	u32 x = heap_model_add(size, type, 0);

	o = heap_after.obj[x];
	if (d != HEAP_NONE) {
		heap_after.dest[d] = heap_new_id(x);
		oidp = heap_dest(d);
	}
	heap_undo_if(pmemobj_alloc(heap_pop(), oidp, size, type, heap_construct, &o));
	return x;
}

void op_alloc0(void)
{
	heap_alloc_to(0, NULL, SMALL, 1);
}

void op_alloc2(void)
{
	heap_alloc_to(2, NULL, SMALL, 1);
}

void op_alloc_other(void)
{
	heap_alloc_to(3, NULL, OTHER, 1);
}

void op_alloc_type(void)
{
	heap_alloc_to(1, NULL, SMALL, 2);
}

void op_alloc_mixed(void)
{
	mixed_type = mixed_type < 6 ? mixed_type + 1 : 3;
	heap_alloc_to(1, NULL, SMALL, mixed_type);
}

void op_alloc_none(void)
{
	heap_alloc_to(HEAP_NONE, NULL, SMALL, 1);
}

void op_alloc_stack(void)
{
	heap_alloc_to(HEAP_NONE, &on_stack, SMALL, 1);
}

void op_alloc_inner(void)
{
	u32 outer = heap_model_named(0), x;
	struct heap_object o;
	u64 at;

	if (outer == HEAP_NONE || !heap_after.obj[outer].has_inner)
		return;
	at = heap_after.obj[outer].off + HEAP_INNER;
	x = heap_model_add(SMALL, 1, 0);
	o = heap_after.obj[x];
	heap_after.obj[outer].inner = heap_new_id(x);
	heap_undo_if(pmemobj_alloc(heap_pop(), (PMEMoid *)((u8 *)heap_pop() + at), SMALL, 1,
				   heap_construct, &o));
}

static int construct_not(PMEMobjpool *pop, void *ptr, void *arg)
{
	heap_construct(pop, ptr, arg);
	return 1;
}

void op_alloc_cancelled(void)
{
	struct heap_object o = { .stamp = 1, .tail = SMALL - 8, .has_inner = SMALL >= 64 };

	if (!pmemobj_alloc(heap_pop(), heap_dest(0), SMALL, 1, construct_not, &o))
		abort();
}

void op_zalloc(void)
{
	u32 x = heap_model_add(OTHER, 3, 0);

	heap_after.obj[x].stamp = 0;
	heap_after.dest[1] = heap_new_id(x);
	heap_undo_if(pmemobj_zalloc(heap_pop(), heap_dest(1), OTHER, 3));
}

void op_strdup(void)
{
	static const char text[] = "as it was said, so it is written....as it wa";
	u64 stamp;
	u32 x;

	memcpy(&stamp, text, sizeof(stamp));
	x = heap_model_add(sizeof(text), 4, stamp);
	heap_after.obj[x].tail = 36;
	heap_after.obj[x].has_inner = false;
	heap_after.dest[3] = heap_new_id(x);
	heap_undo_if(pmemobj_strdup(heap_pop(), heap_dest(3), text, 4));
}

/* Zeros, and a constructor on top; the flag says that the library need not flush what it zeroes. */
void op_xalloc(void)
{
	u32 x = heap_model_add(OTHER, 3, 0);
	struct heap_object o = heap_after.obj[x];

	heap_after.dest[1] = heap_new_id(x);
	heap_undo_if(pmemobj_xalloc(heap_pop(), heap_dest(1), OTHER, 3,
				    POBJ_XALLOC_ZERO | POBJ_XALLOC_NO_FLUSH, heap_construct, &o));
}

void op_wcsdup(void)
{
	static const wchar_t text[] = L"ab, and more ab";
	u64 stamp;
	u32 x;

	memcpy(&stamp, text, sizeof(stamp));
	x = heap_model_add(sizeof(text), 4, stamp);
	heap_after.obj[x].tail = 0;
	heap_after.obj[x].has_inner = false;
	heap_after.dest[3] = heap_new_id(x);
	heap_undo_if(pmemobj_wcsdup(heap_pop(), heap_dest(3), text, 4));
}

/*
 * The largest that has a slab, and the smallest that has not: of some pages each where these are
 * of 4 KiB. Where they are the smallest there are 28 more lines to such an object, and the
 * combinations are too many.
 */
static bool class_max_is_few_pages(void)
{
	return pobj_geom_pages(&tiny_super.geom, heap_pool->heap->class_max) <= 4;
}

void op_alloc_class_max(void)
{
	if (class_max_is_few_pages())
		heap_alloc_to(1, NULL, heap_pool->heap->class_max, 1);
}

void op_alloc_large_min(void)
{
	if (class_max_is_few_pages())
		heap_alloc_to(1, NULL, heap_pool->heap->class_max + 1, 1);
}

/* ---- free -------------------------------------------------------------------------------- */

void heap_free_from(u32 d)
{
	u32 x = heap_model_named(d);

	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	heap_after.dest[d] = (struct heap_id){ 0, 0 };
	pmemobj_free(heap_dest(d));
}

void op_free0(void)
{
	heap_free_from(0);
}

void op_free1(void)
{
	heap_free_from(1);
}

void op_free2(void)
{
	heap_free_from(2);
}

void op_free3(void)
{
	heap_free_from(3);
}

void op_free_stack(void)
{
	u32 x = heap_model_at(on_stack.off);

	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	pmemobj_free(&on_stack);
}

/* The id within the object that destination 0 names. */
void op_free_inner(void)
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
void op_free0_remote(void)
{
	heap_thread(1);
	heap_free_from(0);
}

void op_alloc0_remote(void)
{
	heap_thread(1);
	heap_alloc_to(0, NULL, SMALL, 1);
}

/* The caller promises that the id is durable, and it is. */
void op_free0_durable(void)
{
	u32 x = heap_model_named(0);

	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	heap_after.dest[0] = (struct heap_id){ 0, 0 };
	if (pobj_xfree(heap_dest(0), POBJ_XFREE_DURABLE))
		abort();
}

static bool is_named(u64 off)
{
	u32 i;

	for (i = 0; i < HEAP_DESTS; i++) {
		if (heap_after.dest[i].off == off)
			return true;
	}
	for (i = 0; i < heap_after.cnt; i++) {
		if (heap_after.obj[i].live && heap_after.obj[i].has_inner &&
		    heap_after.obj[i].inner.off == off)
			return true;
	}
	return false;
}

u32 heap_loose_object(bool last)
{
	const struct heap_object *o = heap_after.obj;
	u32 i, best = HEAP_NONE;
	bool further;

	for (i = 0; i < heap_after.cnt; i++) {
		if (!o[i].live || o[i].off >= HEAP_NEW)
			continue;
		further = best == HEAP_NONE || o[i].off > o[best].off;
		if ((best == HEAP_NONE || further == last) && !heap_model_listed(i) &&
		    !is_named(o[i].off))
			best = i;
	}
	return best;
}

/* By an id in the program's own memory. */
static void free_loose(bool last)
{
	const u32 x = heap_loose_object(last);
	PMEMoid oid;

	if (x == HEAP_NONE)
		return;
	oid = heap_oid_of(x);
	heap_after.obj[x].live = false;
	pmemobj_free(&oid);
}

void op_free_first(void)
{
	free_loose(false);
}

void op_free_last(void)
{
	free_loose(true);
}

void op_free_first_remote(void)
{
	heap_thread(1);
	free_loose(false);
}

/* ---- reallocate --------------------------------------------------------------------------- */

/* In the model: what destination @d names becomes another object. False: it names none. */
static bool realloc_model(u32 d, u64 size, u64 type)
{
	u32 x = heap_model_named(d), new;
	struct heap_object *o;

	if (x == HEAP_NONE)
		return false;
	new = heap_model_add(size, type, 0);
	o = &heap_after.obj[new];
	*o = heap_after.obj[x];
	o->off = HEAP_NEW + new;
	o->size = size;
	o->type = type;
	if (o->tail + 8 > size)
		o->tail = 0;
	if (size < 64) {
		o->has_inner = false;
		o->inner = (struct heap_id){ 0, 0 };
	}
	heap_after.obj[x].live = false;
	heap_after.dest[d] = heap_new_id(new);
	return true;
}

void heap_realloc_to(u32 d, u64 size)
{
	const u32 x = heap_model_named(d);
	u64 type;

	if (x == HEAP_NONE)
		return;
	type = heap_after.obj[x].type;
	realloc_model(d, size, type);
	heap_undo_if(pmemobj_realloc(heap_pop(), heap_dest(d), size, type));
}

void op_realloc(void)
{
	u32 x = heap_model_named(0);

	if (x != HEAP_NONE)
		heap_realloc_to(0, heap_after.obj[x].size == SMALL ? OTHER : SMALL);
}

void op_realloc_remote(void)
{
	heap_thread(1);
	op_realloc();
}

/* It fits where it is. */
void op_realloc_stays(void)
{
	u32 x = heap_model_named(0);

	if (x != HEAP_NONE && pmemobj_realloc(heap_pop(), heap_dest(0), heap_after.obj[x].size,
					      heap_after.obj[x].type))
		abort();
}

/* The same size, another type: it moves. */
void op_realloc_type(void)
{
	u32 x = heap_model_named(0);
	u64 size, type;

	if (x == HEAP_NONE)
		return;
	size = heap_after.obj[x].size;
	type = heap_after.obj[x].type == 1 ? 2 : 1;
	realloc_model(0, size, type);
	heap_undo_if(pmemobj_realloc(heap_pop(), heap_dest(0), size, type));
}

void op_realloc_free(void)
{
	u32 x = heap_model_named(0);

	if (x == HEAP_NONE)
		return;
	heap_after.obj[x].live = false;
	heap_after.dest[0] = (struct heap_id){ 0, 0 };
	if (pmemobj_realloc(heap_pop(), heap_dest(0), 0, heap_after.obj[x].type))
		abort();
}

/* An id that names nothing gets an object; what is in it is nobody's. */
void op_realloc_null(void)
{
	u32 x;

	if (heap_after.dest[1].off)
		return;
	x = heap_model_add(OTHER, 3, 0);
	heap_after.obj[x].stamp = 0;
	heap_after.dest[1] = heap_new_id(x);
	heap_undo_if(pmemobj_zrealloc(heap_pop(), heap_dest(1), OTHER, 3));
}

/* What it gains is zero: so is the last word, if the old one had none there. */
void op_zrealloc(void)
{
	const u32 x = heap_model_named(1);
	u64 type;

	if (x == HEAP_NONE)
		return;
	type = heap_after.obj[x].type;
	realloc_model(1, heap_after.obj[x].size + OTHER, type);
	heap_undo_if(pmemobj_zrealloc(heap_pop(), heap_dest(1), heap_before.obj[x].size + OTHER,
				      type));
}
