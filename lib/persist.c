// SPDX-License-Identifier: BSD-3-Clause
/*
 * How data becomes durable: which instructions this CPU has for it, and what a medium needs.
 *
 *	medium	flush				fence			large copies
 *	CACHED	CLWB | CLFLUSHOPT | CLFLUSH	SFENCE			non-temporal
 *	EADR	-				SFENCE			non-temporal
 *	PAGES	note the pages			msync of noted pages	ordinary
 *	DRAM	-				-			ordinary
 *
 * Rules
 *	M1  an aligned 8-byte word that a move or set covers as a whole is written by one store,
 *	    unless PMEMOBJ_F_RELAXED: it is old or new for a reader, after a kill and after a power
 *	    cut. libc's memmove does not promise that (it stores overlapping pieces).
 *	M2  non-temporal stores are durable after the fence alone, in no order among themselves or
 *	    with the lines around them. They fill whole lines only; what remains of a line at
 *	    either end is stored and flushed.
 *	M3  SFENCE follows CLFLUSH, too: CLFLUSH needs none, but non-temporal stores do.
 *	M4  a fence reports every failure of what this thread flushed, once. The kernel itself
 *	    reports a failed writeback once per open file and forgets the data: a second msync
 *	    would succeed. So nothing is tried again, and the pool is not to be trusted after it.
 *
 * Only SSE2 is used for copies. AVX2 was measured: the same within 2 % from 64 bytes to 64 KiB,
 * since the stores wait for lines, not for instructions. AVX-512 and MOVDIR64B are unknown to
 * valgrind and QEMU.
 */
#ifndef __x86_64__
#error "flush instructions are known for x86-64 only"
#endif
#include <cpuid.h>
#include <emmintrin.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/persist.h"
#include "libpmemobj/base.h"

#define LINE_BYTES	64UL
#define PAGE_BYTES	4096UL

/* ---- lines ------------------------------------------------------------------------------- */

#define POBJ_FLUSH_LINES(name)								\
static void flush_##name(const struct pobj_media *m, const void *p, u64 len)		\
{											\
	const char *line = (const char *)((uintptr_t)p & ~(LINE_BYTES - 1));		\
	const char *end = (const char *)p + len;					\
											\
	(void)m;									\
	if (!len)									\
		return;									\
	do {										\
		__asm__ __volatile__(#name " %0" : : "m"(*line) : "memory");		\
		line += LINE_BYTES;							\
	} while (line < end);								\
}											\
											\
static void flush_line_##name(const struct pobj_media *m, const void *p)		\
{											\
	(void)m;									\
	__asm__ __volatile__(#name " %0" : : "m"(*(const char *)p) : "memory");		\
}

POBJ_FLUSH_LINES(clwb)
POBJ_FLUSH_LINES(clflushopt)
POBJ_FLUSH_LINES(clflush)

static void flush_nothing(const struct pobj_media *m, const void *p, u64 len)
{
	(void)m;
	(void)p;
	(void)len;
}

static void flush_line_nothing(const struct pobj_media *m, const void *p)
{
	(void)m;
	(void)p;
}

static int fence_stores(const struct pobj_media *m)
{
	(void)m;
	__asm__ __volatile__("sfence" : : : "memory");
	return 0;
}

static int fence_nothing(const struct pobj_media *m)
{
	(void)m;
	return 0;
}

/* ---- pages ------------------------------------------------------------------------------- */

/*
 * What this thread flushed and has not fenced, as page ranges of the media they lie in. Ranges of
 * one medium neither overlap nor touch. Every msync is an fsync to the file system, a wait for
 * the disk however small the range: so a full list joins ranges, and writes what lies between,
 * rather than wait more often.
 */
#define PENDING_MAX	16

struct page_range {
	const void *base;
	uintptr_t start;
	uintptr_t end;
};

static _Thread_local struct {
	u32 cnt;
	int err;		/* of a range that could not wait for its fence */
	struct page_range range[PENDING_MAX];
} pending;

static void pending_drop(u32 i)
{
	memmove(&pending.range[i], &pending.range[i + 1],
		(--pending.cnt - i) * sizeof(pending.range[0]));
}

static int pages_sync(uintptr_t start, uintptr_t end)
{
	return msync((void *)start, end - start, MS_SYNC) ? -errno : 0;
}

static bool ranges_touch(const struct page_range *a, const struct page_range *b)
{
	return a->base == b->base && a->start <= b->end && b->start <= a->end;
}

static void range_join(struct page_range *a, const struct page_range *b)
{
	if (b->start < a->start)
		a->start = b->start;
	if (b->end > a->end)
		a->end = b->end;
}

/* Index of the range that must grow least to hold @r; cnt if none is of the same medium. */
static u32 pending_nearest(const struct page_range *r)
{
	uintptr_t best = UINTPTR_MAX;
	u32 found = pending.cnt;
	u32 i;

	for (i = 0; i < pending.cnt; i++) {
		const struct page_range *q = &pending.range[i];
		uintptr_t gap = q->end < r->start ? r->start - q->end : q->start - r->end;

		if (q->base == r->base && gap < best) {
			best = gap;
			found = i;
		}
	}
	return found;
}

static void flush_pages(const struct pobj_media *m, const void *p, u64 len)
{
	struct page_range r = {
		.base = m->base,
		.start = (uintptr_t)p & ~(PAGE_BYTES - 1),
		.end = ((uintptr_t)p + len + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1),
	};
	u32 i;
	int err;

	if (!len)
		return;
again:
	for (i = 0; i < pending.cnt; i++) {
		if (!ranges_touch(&pending.range[i], &r))
			continue;
		/* The grown range may touch others now: take it out and put it in again. */
		range_join(&r, &pending.range[i]);
		pending_drop(i);
		goto again;
	}
	if (pending.cnt == PENDING_MAX) {
		i = pending_nearest(&r);
		if (i < pending.cnt) {
			range_join(&r, &pending.range[i]);
			pending_drop(i);
			goto again;
		}
		/*
		 * Sixteen other pools are waiting: the oldest goes out now. ENOMEM: it was closed
		 * with the range pending, and nobody is left to tell.
		 */
		err = pages_sync(pending.range[0].start, pending.range[0].end);
		if (err && err != -ENOMEM && !pending.err)
			pending.err = err;
		pending_drop(0);
	}
	pending.range[pending.cnt++] = r;
}

static int fence_pages(const struct pobj_media *m)
{
	uintptr_t end = (uintptr_t)m->base + m->size;
	int first = pending.err;
	u32 i = 0;

	pending.err = 0;
	while (i < pending.cnt) {
		struct page_range r = pending.range[i];
		int err = 0;

		if (r.base != m->base) {
			i++;
			continue;
		}
		pending_drop(i);
		/* Beyond the end: left behind by a larger pool that lay here before. */
		if (r.end > end)
			r.end = end;
		if (r.start < r.end)
			err = pages_sync(r.start, r.end);
		if (!first)
			first = err;
	}
	return first;
}

/* ---- reading ----------------------------------------------------------------------------- */

/*
 * The kernel copies, so what cannot be read (poison, a page beyond a truncated file's end, a
 * removed device) is an error and not a signal. It writes our own memory "remotely" and reads the
 * pool as a plain system call reads its argument. Not process_vm_readv: that pins the pool's
 * pages, which a device being removed must wait for, and reads them at their kernel address,
 * where poison not yet known is fatal to the machine. A call costs more than a microsecond, for a
 * line as for a page: read much at once.
 */
static int read_safely(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	const char *src = pobj_media_ptr(m, off);
	char *to = dst;

	/* Zeroes where nothing was read; and memcheck does not see the kernel's stores. */
	memset(to, 0, len);
	while (len) {
		struct iovec from = { .iov_base = (void *)src, .iov_len = len };
		struct iovec into = { .iov_base = to, .iov_len = len };
		/* Our own thread, not getpid(): the first thread may have ended. */
		ssize_t got = process_vm_writev(gettid(), &from, 1, &into, 1, 0);

		if (got < 0 && errno != EFAULT) {
			/* An emulator does not know the call, or a sandbox does not allow it. */
			memcpy(to, src, len);
			return 0;
		}
		if (got <= 0)
			return -EIO;
		src += got;
		to += got;
		len -= got;
	}
	return 0;
}

/* ---- what this machine and its user want ------------------------------------------------- */

static pthread_once_t config_once = PTHREAD_ONCE_INIT;

static struct {
	void (*flush)(const struct pobj_media *m, const void *p, u64 len);
	void (*flush_line)(const struct pobj_media *m, const void *p);
	const char *flush_name;
	int is_pmem;			/* PMEM_IS_PMEM_FORCE: 0, 1, or -1 for unset */
	int no_flush;			/* PMEM_NO_FLUSH, likewise */
	size_t nt_min;			/* copies of so many bytes are non-temporal */
} config;

static int env_flag(const char *name)
{
	const char *v = secure_getenv(name);

	if (!v || (strcmp(v, "0") && strcmp(v, "1")))
		return -1;
	return v[0] - '0';
}

static void config_init(void)
{
	unsigned int eax, ebx = 0, ecx, edx;
	const char *nt = secure_getenv("PMEM_MOVNT_THRESHOLD");
	char *end;

	config.is_pmem = env_flag("PMEM_IS_PMEM_FORCE");
	config.no_flush = env_flag("PMEM_NO_FLUSH");

	/* CLFLUSH and SSE2 are part of every x86-64. */
	config.flush = flush_clflush;
	config.flush_line = flush_line_clflush;
	config.flush_name = "clflush";
	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		ebx = 0;
	if ((ebx & bit_CLWB) && env_flag("PMEM_NO_CLWB") != 1) {
		config.flush = flush_clwb;
		config.flush_line = flush_line_clwb;
		config.flush_name = "clwb";
	} else if ((ebx & bit_CLFLUSHOPT) && env_flag("PMEM_NO_CLFLUSHOPT") != 1) {
		config.flush = flush_clflushopt;
		config.flush_line = flush_line_clflushopt;
		config.flush_name = "clflushopt";
	}

	config.nt_min = 256;
	if (nt && *nt >= '0' && *nt <= '9') {
		unsigned long long n = strtoull(nt, &end, 10);

		if (!*end)
			config.nt_min = n;
	}
	if (env_flag("PMEM_NO_MOVNT") == 1)
		config.nt_min = SIZE_MAX;
}

enum pobj_medium pobj_persist_forced(enum pobj_medium kind)
{
	pthread_once(&config_once, config_init);
	if (config.is_pmem < 0)
		return kind;
	return config.is_pmem ? POBJ_MEDIUM_CACHED : POBJ_MEDIUM_PAGES;
}

const char *pobj_persist_flush_name(void)
{
	pthread_once(&config_once, config_init);
	return config.no_flush == 1 ? "none" : config.flush_name;
}

void pobj_persist_setup(struct pobj_media *m, enum pobj_medium kind)
{
	pthread_once(&config_once, config_init);
	if (kind == POBJ_MEDIUM_CACHED && config.no_flush == 1)
		kind = POBJ_MEDIUM_EADR;
	else if (kind == POBJ_MEDIUM_EADR && config.no_flush == 0)
		kind = POBJ_MEDIUM_CACHED;

	m->read = read_safely;
	m->lines_tear = kind == POBJ_MEDIUM_PAGES;
	switch (kind) {
	case POBJ_MEDIUM_CACHED:
		m->flush = config.flush;
		m->flush_line = config.flush_line;
		m->fence = fence_stores;
		break;
	case POBJ_MEDIUM_EADR:
		m->flush = flush_nothing;
		m->flush_line = flush_line_nothing;
		m->fence = fence_stores;
		break;
	case POBJ_MEDIUM_PAGES:
		m->flush = flush_pages;
		m->flush_line = NULL;
		m->fence = fence_pages;
		break;
	case POBJ_MEDIUM_DRAM:
		m->flush = flush_nothing;
		m->flush_line = flush_line_nothing;
		m->fence = fence_nothing;
		break;
	}
}

/* ---- copies ------------------------------------------------------------------------------ */

#ifdef POBJ_TRACE

void pobj_persist_move(const struct pobj_media *m, void *dst, const void *src, size_t len,
		       unsigned int flags)
{
	if (!len)
		return;
	pobj_store_copy(m, dst, src, len);
	if (!(flags & PMEMOBJ_F_MEM_NOFLUSH))
		pobj_flush(m, dst, len);
}

void pobj_persist_set(const struct pobj_media *m, void *dst, int c, size_t len, unsigned int flags)
{
	if (!len)
		return;
	pobj_store_fill(m, dst, c, len);
	if (!(flags & PMEMOBJ_F_MEM_NOFLUSH))
		pobj_flush(m, dst, len);
}

#else

typedef u8 __attribute__((may_alias)) piece1;
typedef u16 __attribute__((may_alias)) piece2;
typedef u32 __attribute__((may_alias)) piece4;
typedef u64 __attribute__((may_alias)) piece8;

/*
 * The walk over [d, d + len) that copies and fills share: pieces of 1, 2, 4 and 8 bytes until d is
 * aligned for the next larger one, then lines, then smaller pieces again. Each piece is aligned to
 * its size. @STEP(n) handles n bytes at d and moves on.
 */
#define WALK(STEP) do {						\
	if ((uintptr_t)d & 15) {				\
		if (((uintptr_t)d & 1) && len >= 1)		\
			STEP(1);				\
		if (((uintptr_t)d & 2) && len >= 2)		\
			STEP(2);				\
		if (((uintptr_t)d & 4) && len >= 4)		\
			STEP(4);				\
		if (((uintptr_t)d & 8) && len >= 8)		\
			STEP(8);				\
	}							\
	while (len >= 64)					\
		STEP(64);					\
	while (len >= 16)					\
		STEP(16);					\
	if (len) {						\
		if (len & 8)					\
			STEP(8);				\
		if (len & 4)					\
			STEP(4);				\
		if (len & 2)					\
			STEP(2);				\
		if (len & 1)					\
			STEP(1);				\
	}							\
} while (0)

/* One store each, kept apart from its neighbours (M1): volatile, or a barrier behind it. */
#define POBJ_PIECE(n)							\
static inline void copy_##n(u8 *d, const u8 *s)				\
{									\
	piece##n v;							\
									\
	memcpy(&v, s, sizeof(v));					\
	*(volatile piece##n *)d = v;					\
}									\
									\
static inline void fill_##n(u8 *d, __m128i v)				\
{									\
	*(volatile piece##n *)d = (piece##n)_mm_cvtsi128_si64(v);	\
}

POBJ_PIECE(1)
POBJ_PIECE(2)
POBJ_PIECE(4)
POBJ_PIECE(8)

static inline void copy_16(u8 *d, const u8 *s)
{
	_mm_store_si128((__m128i *)d, _mm_loadu_si128((const __m128i *)s));
	pobj_env_barrier();
}

/* All loads before the first store: the line may overlap its own source. */
static inline void copy_64(u8 *d, const u8 *s)
{
	__m128i v0 = _mm_loadu_si128((const __m128i *)s);
	__m128i v1 = _mm_loadu_si128((const __m128i *)s + 1);
	__m128i v2 = _mm_loadu_si128((const __m128i *)s + 2);
	__m128i v3 = _mm_loadu_si128((const __m128i *)s + 3);

	_mm_store_si128((__m128i *)d, v0);
	_mm_store_si128((__m128i *)d + 1, v1);
	_mm_store_si128((__m128i *)d + 2, v2);
	_mm_store_si128((__m128i *)d + 3, v3);
	pobj_env_barrier();
}

static inline void stream_64(u8 *d, __m128i v0, __m128i v1, __m128i v2, __m128i v3)
{
	_mm_stream_si128((__m128i *)d, v0);
	_mm_stream_si128((__m128i *)d + 1, v1);
	_mm_stream_si128((__m128i *)d + 2, v2);
	_mm_stream_si128((__m128i *)d + 3, v3);
}

/* Ascending: right where dst does not lie inside the source behind its start. */
static void copy_up(u8 *d, const u8 *s, size_t len)
{
#define COPY_STEP(n) (copy_##n(d, s), d += (n), s += (n), len -= (n))
	WALK(COPY_STEP);
#undef COPY_STEP
}

/* Descending: the same walk from the end. */
static void copy_down(u8 *d, const u8 *s, size_t len)
{
	d += len;
	s += len;
#define COPY_STEP(n) (d -= (n), s -= (n), len -= (n), copy_##n(d, s))
	WALK(COPY_STEP);
#undef COPY_STEP
}

static void stream_up(u8 *d, const u8 *s, size_t len)
{
	for (; len; d += LINE_BYTES, s += LINE_BYTES, len -= LINE_BYTES)
		stream_64(d, _mm_loadu_si128((const __m128i *)s),
			  _mm_loadu_si128((const __m128i *)s + 1),
			  _mm_loadu_si128((const __m128i *)s + 2),
			  _mm_loadu_si128((const __m128i *)s + 3));
	/* The compiler knows nothing of SFENCE's part in this. */
	pobj_env_barrier();
}

/* @v: the byte, sixteen times. */
static inline void fill_16(u8 *d, __m128i v)
{
	_mm_store_si128((__m128i *)d, v);
	pobj_env_barrier();
}

static inline void fill_64(u8 *d, __m128i v)
{
	_mm_store_si128((__m128i *)d, v);
	_mm_store_si128((__m128i *)d + 1, v);
	_mm_store_si128((__m128i *)d + 2, v);
	_mm_store_si128((__m128i *)d + 3, v);
	pobj_env_barrier();
}

static void fill(u8 *d, __m128i v, size_t len)
{
#define FILL_STEP(n) (fill_##n(d, v), d += (n), len -= (n))
	WALK(FILL_STEP);
#undef FILL_STEP
}

static void stream_fill(u8 *d, __m128i v, size_t len)
{
	for (; len; d += LINE_BYTES, len -= LINE_BYTES)
		stream_64(d, v, v, v, v);
	pobj_env_barrier();
}

/*
 * Bytes from @d up to the first whole line, if at least one line of @len bytes from there is to
 * be written by non-temporal stores; else @len. They need SFENCE in the medium's fence.
 */
static size_t before_stream(const struct pobj_media *m, const u8 *d, size_t len, unsigned int flags)
{
	size_t head = -(uintptr_t)d & (LINE_BYTES - 1);
	bool wanted = len >= config.nt_min;

	if (flags & (PMEMOBJ_F_MEM_NONTEMPORAL | PMEMOBJ_F_MEM_WC))
		wanted = config.nt_min != SIZE_MAX;
	else if (flags & (PMEMOBJ_F_MEM_TEMPORAL | PMEMOBJ_F_MEM_WB))
		wanted = false;
	if (!wanted || (flags & PMEMOBJ_F_MEM_NOFLUSH) || m->fence != fence_stores)
		return len;
	return len >= head + LINE_BYTES ? head : len;
}

/* Store @len bytes by ordinary stores and flush them, unless told not to. */
static void move_part(const struct pobj_media *m, u8 *d, const u8 *s, size_t len,
		      unsigned int flags)
{
	if (!len)
		return;
	if (flags & PMEMOBJ_F_RELAXED)
		memmove(d, s, len);
	else if ((uintptr_t)d - (uintptr_t)s >= len)
		copy_up(d, s, len);
	else
		copy_down(d, s, len);
	if (!(flags & PMEMOBJ_F_MEM_NOFLUSH))
		pobj_flush(m, d, len);
}

void pobj_persist_move(const struct pobj_media *m, void *dst, const void *src, size_t len,
		       unsigned int flags)
{
	const u8 *s = src;
	u8 *d = dst;
	size_t head = len;
	size_t body;

	/* A move to higher addresses over its own source runs down; what it reads is cached. */
	if ((uintptr_t)d - (uintptr_t)s >= len)
		head = before_stream(m, d, len, flags);
	move_part(m, d, s, head, flags);
	if (head == len)
		return;
	body = (len - head) & ~(LINE_BYTES - 1);
	stream_up(d + head, s + head, body);
	head += body;
	move_part(m, d + head, s + head, len - head, flags);
}

static void set_part(const struct pobj_media *m, u8 *d, __m128i v, size_t len, unsigned int flags)
{
	if (!len)
		return;
	if (flags & PMEMOBJ_F_RELAXED)
		memset(d, (u8)_mm_cvtsi128_si32(v), len);
	else
		fill(d, v, len);
	if (!(flags & PMEMOBJ_F_MEM_NOFLUSH))
		pobj_flush(m, d, len);
}

void pobj_persist_set(const struct pobj_media *m, void *dst, int c, size_t len, unsigned int flags)
{
	__m128i v = _mm_set1_epi8((char)c);
	u8 *d = dst;
	size_t head = before_stream(m, d, len, flags);
	size_t body;

	set_part(m, d, v, head, flags);
	if (head == len)
		return;
	body = (len - head) & ~(LINE_BYTES - 1);
	stream_fill(d + head, v, body);
	head += body;
	set_part(m, d + head, v, len - head, flags);
}

#endif
