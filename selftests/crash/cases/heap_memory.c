// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a program stores by itself, and makes durable by the library's functions for that: words of
 * the root, in two lines. Power lost inside leaves each word old or new; after return all are new.
 * Non-temporal stores are recorded as stores and flushes here: what the next fence covers and
 * leaves uncertain until then is the same.
 */
#include <errno.h>

#include "libpmemobj/base.h"
#include "selftests/crash/cases/heap_ops.h"

#define FIRST	18U	/* four words at the end of a line, and four in the next */
#define CNT	8U

static u64 source[CNT];

/* @cnt words from @first on get new values, in the model; returns them. */
static const u64 *words_new(u32 first, u32 cnt)
{
	u32 i;

	power_own_data(true);
	for (i = 0; i < cnt; i++) {
		source[i] = heap_next_word() + i;
		heap_slack.words |= 1ULL << (first + i);
	}
	for (i = 0; i < cnt; i++)
		heap_after.word[first + i] = source[i];
	return source;
}

static void copy(unsigned int flags)
{
	const u64 *from = words_new(FIRST, CNT);

	pmemobj_memcpy(heap_pop(), heap_word(FIRST), from, CNT * sizeof(u64), flags);
}

void op_memcpy(void)
{
	pmemobj_memcpy_persist(heap_pop(), heap_word(FIRST), words_new(FIRST, CNT),
			       CNT * sizeof(u64));
}

void op_memcpy_nodrain(void)
{
	copy(PMEMOBJ_F_MEM_NODRAIN);
	pmemobj_drain(heap_pop());
}

void op_memcpy_noflush(void)
{
	copy(PMEMOBJ_F_MEM_NOFLUSH);
	pmemobj_persist(heap_pop(), heap_word(FIRST), CNT * sizeof(u64));
}

void op_memcpy_nontemporal(void)
{
	copy(PMEMOBJ_F_MEM_NONTEMPORAL);
}

/* Over its own source. */
void op_memmove(void)
{
	u32 i;

	power_own_data(true);
	for (i = 0; i < CNT; i++) {
		heap_after.word[FIRST + 1 + i] = heap_before.word[FIRST + i];
		heap_slack.words |= 1ULL << (FIRST + 1 + i);
	}
	pmemobj_memmove(heap_pop(), heap_word(FIRST + 1), heap_word(FIRST), CNT * sizeof(u64), 0);
}

static void set_model(u64 *value)
{
	const u8 byte = (u8)heap_next_word();
	u32 i;

	power_own_data(true);
	memset(value, byte, sizeof(*value));
	for (i = 0; i < CNT; i++) {
		heap_after.word[FIRST + i] = *value;
		heap_slack.words |= 1ULL << (FIRST + i);
	}
}

void op_memset(void)
{
	u64 value;

	set_model(&value);
	pmemobj_memset_persist(heap_pop(), heap_word(FIRST), (u8)value, CNT * sizeof(u64));
}

void op_memset_flags(void)
{
	u64 value;

	set_model(&value);
	pmemobj_memset(heap_pop(), heap_word(FIRST), (u8)value, CNT * sizeof(u64),
		       PMEMOBJ_F_MEM_NODRAIN | PMEMOBJ_F_MEM_WC);
	pmemobj_drain(heap_pop());
}

/* The program's own stores: two words of two lines. */
static void store_two(void)
{
	const u64 *v = words_new(FIRST + 3, 2);

	pobj_store64(&heap_pool->media, (__le64 *)heap_word(FIRST + 3), v[0]);
	pobj_store64(&heap_pool->media, (__le64 *)heap_word(FIRST + 4), v[1]);
}

void op_persist(void)
{
	store_two();
	pmemobj_persist(heap_pop(), heap_word(FIRST + 3), 2 * sizeof(u64));
}

void op_xpersist(void)
{
	store_two();
	if (pmemobj_xpersist(heap_pop(), heap_word(FIRST + 3), 2 * sizeof(u64),
			     PMEMOBJ_F_RELAXED))
		abort();
}

void op_flush_drain(void)
{
	store_two();
	pmemobj_flush(heap_pop(), heap_word(FIRST + 3), sizeof(u64));
	if (pmemobj_xflush(heap_pop(), heap_word(FIRST + 4), sizeof(u64), 0))
		abort();
	pmemobj_drain(heap_pop());
}

/* ---- memory among those who live ------------------------------------------------------------ */

/* Locks are worth nothing after power was lost, and disturb nothing. */
void op_locks_zero(void)
{
	void *spare = (u8 *)heap_list(0) + HEAP_SPARE;

	pmemobj_mutex_zero(heap_pop(), (PMEMmutex *)((PMEMoid *)heap_list(1) + 1));
	pmemobj_rwlock_zero(heap_pop(), spare);
	pmemobj_cond_zero(heap_pop(), spare);
}

void op_locks(void)
{
	PMEMmutex *mutex = (PMEMmutex *)((PMEMoid *)heap_list(1) + 1);
	PMEMrwlock *rw = (PMEMrwlock *)((u8 *)heap_list(0) + HEAP_SPARE);

	power_ignore(rw, sizeof(*rw));
	if (pmemobj_mutex_lock(heap_pop(), mutex) || pmemobj_mutex_unlock(heap_pop(), mutex) ||
	    pmemobj_rwlock_wrlock(heap_pop(), rw) || pmemobj_rwlock_unlock(heap_pop(), rw))
		abort();
}

void op_volatile(void)
{
	struct pmemvlt *v = (struct pmemvlt *)((u8 *)heap_list(0) + HEAP_VOLATILE);

	power_ignore(v, sizeof(*v));
	if (!pmemobj_volatile(heap_pop(), v, v + 1, sizeof(u64), NULL, NULL))
		abort();
}
