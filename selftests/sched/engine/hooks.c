// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * What the compiler and lib/core/media.h call at each access. Compiled without the hooks itself.
 * Most accesses are to private memory: one subtraction and comparison tells. Loads and stores of
 * the code itself happen after their hook has returned; atomic ones, and traced stores to the
 * medium, are made by the hook.
 */
#include "selftests/sched/engine/sched.h"

#define SITE	__builtin_return_address(0)

const struct sched_memory *sched_memory = &sched_sc;

/* In what is shared? */
static inline bool is_shared(const void *p)
{
	const u64 at = (u64)p - SCHED_BASE;

	return at < SCHED_PROCS * SCHED_STRIDE && (at & (SCHED_STRIDE - 1)) >= SCHED_SHARED_AT;
}

static inline bool is_private(const void *p)
{
	return (u64)p - SCHED_BASE < SCHED_PROCS * SCHED_STRIDE;
}

static inline void plain(const void *p, u32 size, enum sched_kind kind, const void *site)
{
	if (__builtin_expect(!is_private(p), 1))
		return;
	if (is_shared(p))
		sched_memory->plain(p, size, kind, site);
	else if (kind != SCHED_READ)
		sched_dirty(p, size);
}

/* ---- plain accesses ---------------------------------------------------------------------- */

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}

#define PLAIN(n)								\
void __tsan_read##n(void *p) { plain(p, n, SCHED_READ, SITE); }			\
void __tsan_write##n(void *p) { plain(p, n, SCHED_WRITE, SITE); }		\
void __tsan_unaligned_read##n(void *p) { plain(p, n, SCHED_READ, SITE); }	\
void __tsan_unaligned_write##n(void *p) { plain(p, n, SCHED_WRITE, SITE); }	\
void __tsan_volatile_read##n(void *p) { plain(p, n, SCHED_READ, SITE); }	\
void __tsan_volatile_write##n(void *p) { plain(p, n, SCHED_WRITE, SITE); }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *p, unsigned long len)
{
	plain(p, (u32)len, SCHED_READ, SITE);
}

void __tsan_write_range(void *p, unsigned long len)
{
	plain(p, (u32)len, SCHED_WRITE, SITE);
}

/* ---- atomic accesses --------------------------------------------------------------------- */

#define ATOMIC_RMW(n, type, name, op)						\
type __tsan_atomic##n##_##name(type *p, type v, int order)		\
{										\
	type old;								\
										\
	if (is_shared((void *)p))						\
		return (type)sched_memory->rmw((void *)p, n / 8, op, v, order, SITE); \
	old = *p;								\
	plain((void *)p, n / 8, SCHED_WRITE, SITE);				\
	*p = (type)sched_changed(op, old, v);						\
	return old;								\
}

#define ATOMIC_CAS(n, type, kind)						\
int __tsan_atomic##n##_compare_exchange_##kind(type *p, type *e, type v, int ok, \
					       int fail);			\
int __tsan_atomic##n##_compare_exchange_##kind(type *p, type *e, type v, int ok, \
					       int fail)			\
{										\
	return cas##n(p, e, v, ok, fail, SITE);					\
}

#define ATOMIC(n, type)								\
type __tsan_atomic##n##_load(const type *p, int order)			\
{										\
	if (is_shared((void *)p))						\
		return (type)sched_memory->load((void *)p, n / 8, order, SITE);	\
	return *p;								\
}										\
void __tsan_atomic##n##_store(type *p, type v, int order)		\
{										\
	if (is_shared((void *)p)) {						\
		sched_memory->store((void *)p, n / 8, v, order, SITE);		\
		return;								\
	}									\
	plain((void *)p, n / 8, SCHED_WRITE, SITE);				\
	*p = v;									\
}										\
static int cas##n(type *p, type *e, type v, int ok, int fail, const void *site) \
{										\
	u64 expected = *e;							\
	bool done;								\
										\
	if (is_shared((void *)p)) {						\
		done = sched_memory->cas((void *)p, n / 8, &expected, v, ok, fail, site); \
		*e = (type)expected;						\
		return done;							\
	}									\
	done = *p == *e;							\
	plain((void *)p, n / 8, SCHED_WRITE, site);				\
	if (done)								\
		*p = v;								\
	else									\
		*e = *p;							\
	return done;								\
}										\
ATOMIC_CAS(n, type, strong)							\
ATOMIC_CAS(n, type, weak)							\
ATOMIC_RMW(n, type, exchange, SCHED_XCHG)					\
ATOMIC_RMW(n, type, fetch_add, SCHED_ADD)					\
ATOMIC_RMW(n, type, fetch_sub, SCHED_SUB)					\
ATOMIC_RMW(n, type, fetch_and, SCHED_AND)					\
ATOMIC_RMW(n, type, fetch_or, SCHED_OR)						\
ATOMIC_RMW(n, type, fetch_xor, SCHED_XOR)

ATOMIC(8, u8)
ATOMIC(16, u16)
ATOMIC(32, u32)
ATOMIC(64, u64)

void __tsan_atomic_thread_fence(int order)
{
	sched_memory->fence(order, SITE);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/* ---- bytes ------------------------------------------------------------------------------- */

/*
 * Points of a store of many bytes: each word of a small one; of a large one the beginning, the
 * middle and the end.
 */
static void store_bytes(void *dst, const void *src, int byte, u64 len, const void *site)
{
	u8 *to = dst;
	const u8 *from = src;
	u64 n, at;

	if (!is_private(dst)) {
		if (src)
			memmove(dst, src, len);
		else
			memset(dst, byte, len);
		return;
	}
	for (at = 0; at < len; at += n) {
		n = len > SCHED_BULK ? (len + 15) / 16 * 8 : 8 - ((u64)(to + at) & 7);
		if (n > len - at)
			n = len - at;
		plain(to + at, (u32)n, SCHED_WRITE, site);
		if (src)
			memmove(to + at, from + at, n);
		else
			memset(to + at, byte, n);
	}
}

static void copy(void *dst, const void *src, u64 len, const void *site)
{
	u64 at, n;

	/* Before the first store: the two do not overlap, or the source is private. */
	if (is_shared(src)) {
		for (at = 0; at < len; at += n) {
			n = len > SCHED_BULK ? len : 8 - ((u64)src + at) % 8;
			if (n > len - at)
				n = len - at;
			plain((const u8 *)src + at, (u32)n, SCHED_READ, site);
			/* Each word as it is now. */
			if (!is_shared(dst))
				memcpy((u8 *)dst + at, (const u8 *)src + at, n);
		}
		if (!is_shared(dst)) {
			sched_dirty(dst, len);
			return;
		}
	}
	store_bytes(dst, src, 0, len, site);
}

void *sched_memcpy(void *dst, const void *src, size_t len)
{
	copy(dst, src, len, SITE);
	return dst;
}

void *sched_memmove(void *dst, const void *src, size_t len)
{
	if (!is_private(dst) && !is_private(src))
		return memmove(dst, src, len);
	copy(dst, src, len, SITE);
	return dst;
}

void *sched_memset(void *dst, int byte, size_t len)
{
	store_bytes(dst, NULL, byte, len, SITE);
	return dst;
}

/* ---- the medium -------------------------------------------------------------------------- */

void pobj_trace_words(struct pobj_site *s, const struct pobj_media *m, __le64 *dst,
		      const __le64 *src, u32 cnt)
{
	u32 i;

	(void)m;
	s->hits++;
	for (i = 0; i < cnt; i++) {
		if (is_shared(dst + i))
			sched_memory->store(dst + i, 8, src[i], __ATOMIC_RELEASE, s);
		else
			dst[i] = src[i];
	}
}

void pobj_trace_copy(struct pobj_site *s, const struct pobj_media *m, void *dst, const void *src,
		     u64 len)
{
	(void)m;
	s->hits++;
	copy(dst, src, len, s);
}

void pobj_trace_fill(struct pobj_site *s, const struct pobj_media *m, void *dst, u8 byte, u64 len)
{
	(void)m;
	s->hits++;
	store_bytes(dst, NULL, byte, len, s);
}

void pobj_trace_xor(struct pobj_site *s, const struct pobj_media *m, __le64 *dst, u64 bits)
{
	(void)m;
	s->hits++;
	if (is_shared(dst))
		sched_memory->rmw(dst, 8, SCHED_XOR, bits, __ATOMIC_SEQ_CST, s);
	else
		*dst ^= bits;
}

void pobj_trace_flush(struct pobj_site *s, const struct pobj_media *m, const void *p, u64 len)
{
	(void)m;
	s->hits++;
	sched_memory->flush(p, len, s);
}

int pobj_trace_fence(struct pobj_site *s, const struct pobj_media *m)
{
	(void)m;
	s->hits++;
	sched_memory->persist(s);
	return 0;
}
