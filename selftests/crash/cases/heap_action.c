// SPDX-License-Identifier: BSD-3-Clause
/* Operations that reserve, publish and cancel: several objects and words at once. */
#include "libpmemobj/action_base.h"
#include "selftests/crash/cases/heap_ops.h"

#define ACTS	40U

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

u64 heap_next_word(void)
{
	u64 most = 0;
	u32 i;

	for (i = 0; i < HEAP_WORDS; i++) {
		if (heap_after.word[i] > most && heap_after.word[i] < 1ULL << 32)
			most = heap_after.word[i];
	}
	return most + 1;
}

static void set_words(u32 cnt)
{
	const u64 value = heap_next_word();
	u32 i;

	for (i = 0; i < cnt; i++) {
		heap_after.word[i] = value;
		set_word(heap_word(i), value);
	}
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
	set_words(14);
	acts_publish();
}

/*
 * So many words: one slot of the log holds 3; with the extension lines of a lane 9; with a chunk of
 * the smallest pages 18, with two 27.
 */
static void publish_words(u32 cnt)
{
	acts_begin();
	set_words(cnt);
	acts_publish();
}

#define WORDS(n)			\
	void op_words##n(void)		\
	{				\
		publish_words(n);	\
	}

WORDS(1)
WORDS(2)
WORDS(3)
WORDS(4)
WORDS(8)
WORDS(9)
WORDS(10)
WORDS(17)
WORDS(18)
WORDS(19)
WORDS(27)
WORDS(28)

void op_words_remote(void)
{
	heap_thread(1);
	publish_words(10);
}

void op_publish_object_word(void)
{
	acts_begin();
	reserve(SMALL, 1);
	set_words(1);
	acts_publish();
}

/* Freed by an undo entry, which is retired on return. */
void op_publish_free0(void)
{
	acts_begin();
	defer_free(0);
	acts_publish();
}

/* What nobody names: @cnt of them at once, more than a ring or the room in place holds. */
static void publish_frees(u32 cnt)
{
	u32 x;

	acts_begin();
	for (; cnt; cnt--) {
		x = heap_loose_object(cnt % 2);
		if (x == HEAP_NONE)
			break;
		pmemobj_defer_free(heap_pop(), heap_oid_of(x), &act[act_cnt++]);
		heap_after.obj[x].live = false;
	}
	acts_publish();
}

void op_publish_frees_many(void)
{
	publish_frees(6);
}

void op_publish_frees_many_remote(void)
{
	heap_thread(1);
	publish_frees(6);
}

void op_publish_free_alone(void)
{
	publish_frees(1);
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

void op_publish_two_large(void)
{
	acts_begin();
	reserve(LARGE, 1);
	reserve(LARGER, 2);
	set_id(1);
	acts_publish();
}

/* A large object goes, and a small one comes. */
void op_publish_large_free(void)
{
	acts_begin();
	defer_free(2);
	reserve(SMALL, 1);
	set_id(2);
	acts_publish();
}

void op_xreserve_large(void)
{
	u32 x = heap_model_add(LARGE, 5, 0);
	PMEMoid oid;

	acts_begin();
	oid = pmemobj_xreserve(heap_pop(), &act[0], LARGE, 5, POBJ_XALLOC_ZERO);
	if (OID_IS_NULL(oid)) {
		heap_after = heap_before;
		return;
	}
	heap_after.obj[x].off = oid.off;
	heap_after.obj[x].stamp = 0;
	act_cnt = 1;
	acts_publish();
}
