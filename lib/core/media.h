/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * The one way to a pool: how lib/core and the library read, store, flush and fence.
 *
 * Words:
 *	store	ordinary stores to the mapped pool
 *	flush	start writing lines back (CLWB); nothing is durable yet
 *	fence	wait until what this thread flushed is durable (SFENCE). A fence with something to
 *		wait for is a fence round, and costs about 200 ns whatever the number of lines
 *	read	copy out of the pool, surviving media errors; what is read is hostile until verified
 *
 * Every access that changes a pool is one of the macros below, so a test build (POBJ_TRACE) sees
 * each of them with the place it comes from, its site, and can leave single ones out. A store
 * that bypasses them is found by the explorers' self-check: the recorded image must equal memory.
 */
#ifndef POBJ_CORE_MEDIA_H
#define POBJ_CORE_MEDIA_H

#include "lib/core/env.h"
#include <linux/pobj_media.h>

/**
 * struct pobj_media - a mapped pool and what its medium needs
 * @base: address of offset 0, aligned to a page
 * @size: bytes that may be accessed
 * @lines_tear: the medium does not keep the order of stores within a line (page cache): records
 *	are trusted by their checksum only
 * @read: copy @len bytes at @off out to @dst; 0, or -EIO where the medium cannot be read. The
 *	caller has checked the bounds
 * @flush: start writing back the lines of [@p, @p + @len)
 * @flush_line: the same for the one line that holds @p; NULL: @flush does it
 * @fence: wait for this thread's flushes; 0 or -errno (only msync and fsync can fail)
 */
struct pobj_media {
	void *base;
	u64 size;
	bool lines_tear;
	int (*read)(const struct pobj_media *m, void *dst, u64 off, u64 len);
	void (*flush)(const struct pobj_media *m, const void *p, u64 len);
	void (*flush_line)(const struct pobj_media *m, const void *p);
	int (*fence)(const struct pobj_media *m);
};

static inline void *pobj_media_ptr(const struct pobj_media *m, u64 off)
{
	return (u8 *)m->base + off;
}

/* Is [off, off + len) inside the medium? Survives any off and len. */
static inline bool pobj_media_holds(const struct pobj_media *m, u64 off, u64 len)
{
	return off <= m->size && len <= m->size - off;
}

static pobj_env_inline void pobj_raw_words(__le64 *dst, const __le64 *src, u32 cnt)
{
	u32 i;

	/* A whole line, the commonest: eight stores and no loop. */
	if (__builtin_constant_p(cnt) && cnt == POBJ_M_LINE / sizeof(__le64)) {
		pobj_env_store64(&dst[0], src[0]);
		pobj_env_store64(&dst[1], src[1]);
		pobj_env_store64(&dst[2], src[2]);
		pobj_env_store64(&dst[3], src[3]);
		pobj_env_store64(&dst[4], src[4]);
		pobj_env_store64(&dst[5], src[5]);
		pobj_env_store64(&dst[6], src[6]);
		pobj_env_store64(&dst[7], src[7]);
		return;
	}

	for (i = 0; i < cnt; i++)
		pobj_env_store64(&dst[i], src[i]);
}

#ifdef POBJ_TRACE

enum pobj_site_kind { POBJ_SITE_STORE, POBJ_SITE_FLUSH, POBJ_SITE_FENCE };

/**
 * struct pobj_site - one place that stores, flushes or fences
 * @hits: how often it was executed
 * @off: the tests delete it (mutation): it records nothing and does nothing
 *
 * All sites of a program stand between __start_pobj_sites and __stop_pobj_sites; the index is
 * the site number.
 */
struct pobj_site {
	const char *file;
	const char *func;
	u32 line;
	enum pobj_site_kind kind;
	u64 hits;
	bool off;
};

/* Implemented by selftests/crash/recorder.c. */
void pobj_trace_words(struct pobj_site *s, const struct pobj_media *m, __le64 *dst,
		      const __le64 *src, u32 cnt);
void pobj_trace_copy(struct pobj_site *s, const struct pobj_media *m, void *dst, const void *src,
		     u64 len);
void pobj_trace_fill(struct pobj_site *s, const struct pobj_media *m, void *dst, u8 byte, u64 len);
void pobj_trace_xor(struct pobj_site *s, const struct pobj_media *m, __le64 *dst, u64 bits);
void pobj_trace_flush(struct pobj_site *s, const struct pobj_media *m, const void *p, u64 len);
int pobj_trace_fence(struct pobj_site *s, const struct pobj_media *m);

#define POBJ_SITE(k) ({								\
	static struct pobj_site pobj_site_here					\
		__attribute__((section("pobj_sites"), used, aligned(8))) = {	\
		.file = __FILE__, .func = __func__, .line = __LINE__, .kind = (k) }; \
	&pobj_site_here; })

#define pobj_store_words(m, dst, src, cnt) \
	pobj_trace_words(POBJ_SITE(POBJ_SITE_STORE), (m), (dst), (src), (cnt))
#define pobj_store_copy(m, dst, src, len) \
	pobj_trace_copy(POBJ_SITE(POBJ_SITE_STORE), (m), (dst), (src), (len))
#define pobj_store_fill(m, dst, byte, len) \
	pobj_trace_fill(POBJ_SITE(POBJ_SITE_STORE), (m), (dst), (byte), (len))
#define pobj_store_xor(m, dst, bits) \
	pobj_trace_xor(POBJ_SITE(POBJ_SITE_STORE), (m), (dst), (bits))
#define pobj_flush(m, p, len) \
	pobj_trace_flush(POBJ_SITE(POBJ_SITE_FLUSH), (m), (p), (len))
#define pobj_flush_line(m, p)	pobj_flush((m), (p), 1)
#define pobj_fence(m) \
	pobj_trace_fence(POBJ_SITE(POBJ_SITE_FENCE), (m))

#else

/* Store words in ascending order: the prefix rule holds for them line by line. */
#define pobj_store_words(m, dst, src, cnt) \
	((void)(m), pobj_raw_words((dst), (src), (cnt)))
/* Store bytes in no particular order. */
#define pobj_store_copy(m, dst, src, len) \
	((void)(m), (void)memcpy((dst), (src), (len)))
#define pobj_store_fill(m, dst, byte, len) \
	((void)(m), (void)memset((dst), (byte), (len)))
/* Toggle bits of a word that others toggle, too. LOCKed: only directly after a fence (rule 12). */
#define pobj_store_xor(m, dst, bits) \
	((void)(m), pobj_env_xor64((dst), (bits)))
#define pobj_flush(m, p, len)	((m)->flush((m), (p), (len)))
/* The line that holds @p. */
#define pobj_flush_line(m, p) \
	((m)->flush_line ? (m)->flush_line((m), (p)) : (m)->flush((m), (p), 1))
#define pobj_fence(m)		((m)->fence((m)))

#endif /* POBJ_TRACE */

/* Store one word, untorn, in the place in program order where it stands. */
#define pobj_store64(m, dst, v) do {						\
	__le64 pobj_word_ = cpu_to_le64(v);					\
	pobj_store_words((m), (dst), &pobj_word_, 1);				\
} while (0)

#endif
