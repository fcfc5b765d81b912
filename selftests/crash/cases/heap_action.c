// SPDX-License-Identifier: BSD-3-Clause
/* Operations that reserve, publish and cancel: several objects and words at once. */
#include "libpmemobj/action_base.h"
#include "selftests/crash/cases/heap_ops.h"

#define ACTS	24U

static struct pobj_action act[ACTS];
static u32 act_cnt;
static u32 act_obj[ACTS];
static u32 act_obj_cnt;
static u64 words;

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
	heap_contents_write(pmemobj_direct(oid), &heap_after.obj[x]);
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
	heap_after.dest[d] = (struct heap_id){ heap_uuid(), off };
	set_word(&heap_dest(d)->off, off);
	set_word(&heap_dest(d)->pool_uuid_lo, heap_uuid());
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
		heap_undo_if(true);
	}
	acts_begin();
}

void op_publish1(void)
{
	acts_begin();
	reserve(SMALL, 1);
	acts_publish();
}

void op_publish1_remote(void)
{
	heap_thread(1);
	op_publish1();
}

/* Of one slab mostly: one word. */
void op_publish2(void)
{
	acts_begin();
	reserve(SMALL, 1);
	reserve(SMALL, 1);
	acts_publish();
}

void op_publish_slabs(void)
{
	acts_begin();
	reserve(SMALL, 1);
	reserve(OTHER, 1);
	acts_publish();
}

void op_publish_id(void)
{
	acts_begin();
	reserve(SMALL, 1);
	set_id(2);
	acts_publish();
}

void op_publish_swap(void)
{
	acts_begin();
	defer_free(0);
	defer_free(2);
	reserve(SMALL, 1);
	set_id(0);
	acts_publish();
}

void op_publish_frees_remote(void)
{
	heap_thread(1);
	acts_begin();
	defer_free(0);
	defer_free(3);
	acts_publish();
}

/* More than the log holds: it grows. */
void op_publish_big(void)
{
	acts_begin();
	reserve(SMALL, 1);
	set_id(0);
	set_words();
	acts_publish();
}

void op_cancel(void)
{
	acts_begin();
	reserve(SMALL, 1);
	reserve(OTHER, 2);
	pmemobj_cancel(heap_pop(), act, act_cnt);
	heap_after = heap_before;
}

/* One thread reserves, and makes what it wrote durable; the other publishes. */
void op_publish_across(void)
{
	acts_begin();
	reserve(SMALL, 1);
	set_id(1);
	pmemobj_drain(heap_pop());
	heap_thread(1);
	acts_publish();
}

/* What the library wrote for the one must be durable when the other has published. */
void op_publish_zeros_across(void)
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

/* ---- of large objects -------------------------------------------------------------------- */

void op_publish_large(void)
{
	acts_begin();
	reserve(LARGE, 1);
	set_id(2);
	defer_free(0);
	acts_publish();
}

void op_publish_large_alone(void)
{
	acts_begin();
	reserve(LARGE, 1);
	pmemobj_drain(heap_pop());
	heap_thread(1);
	acts_publish();
}

void op_cancel_large(void)
{
	acts_begin();
	reserve(LARGE, 1);
	heap_thread(1);
	pmemobj_cancel(heap_pop(), act, act_cnt);
	heap_after = heap_before;
}
