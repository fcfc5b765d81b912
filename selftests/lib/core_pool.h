/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool in a heap block of exactly its size, so that ASan sees any access beyond it, for the
 * tests of lib/core; and log lines made by hand, sealed or not.
 */
#ifndef SELFTESTS_CORE_POOL_H
#define SELFTESTS_CORE_POOL_H

#include <stdlib.h>

#include "lib/core/check.h"
#include "lib/core/lane.h"
#include "lib/core/line.h"
#include "lib/core/recover.h"

#define CORE_PAGE(g, n)	pobj_geom_page((g), (n))

struct core_pool {
	struct pobj_media m;
	struct pobj_super s;
	u8 *mem;
	u64 bytes;
};

/* Reads done so far; the one with number core_read_fail (from 1) and its successors fail. */
static u64 core_reads, core_read_fail;
/* This one alone fails: who goes on after an error is not stopped by the next one. */
static u64 core_read_fail_once;
static u64 core_read_bad_off = ~0ULL;	/* a read that touches this offset fails */
static u64 core_flushes, core_fences;

static inline int core_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	if (!pobj_media_holds(m, off, len))
		abort();		/* "the caller has checked the bounds" */
	core_reads++;
	if ((core_read_fail && core_reads >= core_read_fail) ||
	    (core_read_fail_once && core_reads == core_read_fail_once))
		return -EIO;
	if (core_read_bad_off >= off && core_read_bad_off - off < len)
		return -EIO;
	memcpy(dst, (const u8 *)m->base + off, len);
	return 0;
}

static inline void core_flush(const struct pobj_media *m, const void *p, u64 len)
{
	if (!pobj_media_holds(m, (u64)((const u8 *)p - (const u8 *)m->base), len))
		abort();
	core_flushes++;
}

/* The fence with number core_fence_fail fails; @core_at_failure: what stood on the medium then. */
static u64 core_fence_fail;
static u8 *core_at_failure;

static inline int core_fence(const struct pobj_media *m)
{
	core_fences++;
	if (!core_fence_fail || core_fences != core_fence_fail)
		return 0;
	memcpy(core_at_failure, m->base, m->size);
	return -EIO;
}

static inline struct pobj_media core_media(void *mem, u64 bytes)
{
	return (struct pobj_media){ .base = mem, .size = bytes, .read = core_read,
				    .flush = core_flush, .fence = core_fence };
}

static inline void *core_alloc(u64 bytes)
{
	void *p = NULL;

	if (posix_memalign(&p, 4096, bytes))
		abort();
	return p;
}

/* Format a pool over garbage and load it. */
static inline void core_pool_make(struct core_pool *p, u64 bytes, u32 page_shift, u32 lanes,
				  u32 ext)
{
	struct pobj_format_args a;

	memset(&a, 0, sizeof(a));
	memset(p, 0, sizeof(*p));
	p->bytes = bytes;
	p->mem = core_alloc(bytes);
	memset(p->mem, 0xa5, bytes);
	p->m = core_media(p->mem, bytes);
	if (pobj_geom_make(&a.geom, bytes, page_shift, lanes, ext))
		abort();
	memset(a.uuid, 7, sizeof(a.uuid));
	a.mode = 0640;
	a.ctime = 1234567;
	a.layout = "core";
	if (pobj_super_format(&p->m, &a) || pobj_super_load(&p->m, &p->s, NULL))
		abort();
}

static inline void core_pool_free(struct core_pool *p)
{
	free(p->mem);
}

static inline u64 core_get(const struct core_pool *p, u64 off)
{
	__le64 v;

	memcpy(&v, p->mem + off, sizeof(v));
	return le64_to_cpu(v);
}

static inline void core_set(struct core_pool *p, u64 off, u64 value)
{
	__le64 v = cpu_to_le64(value);

	memcpy(p->mem + off, &v, sizeof(v));
}

static inline void core_set32(struct core_pool *p, u64 off, u32 value)
{
	__le32 v = cpu_to_le32(value);

	memcpy(p->mem + off, &v, sizeof(v));
}

/* Checksum of the log line at @off: of all of it, the upper half of word 6 being 0. */
static inline void core_seal_line(struct core_pool *p, u64 off)
{
	u64 crc;

	core_set32(p, off + 52, 0);
	crc = pobj_env_crc32c(~0U, p->mem + off, POBJ_M_LINE);
	core_set32(p, off + 52, (u32)crc);
}

/* A log line with @words of @word, and whatever count, distance and tag are asked for. */
static inline void core_log_line(struct core_pool *p, u64 off, const u64 *word, u32 words, u32 cnt,
				 u32 dist, u64 tag)
{
	u32 i;

	for (i = 0; i < 6; i++)
		core_set(p, off + 8 * i, i < words ? word[i] : 0);
	core_set(p, off + 48, (u64)(cnt & 0xffff) | (u64)(dist & 0xffff) << 16);
	core_set(p, off + 56, tag);
	core_seal_line(p, off);
}

static inline u64 core_tag(u64 seq, u32 kind)
{
	return seq << POBJ_M_TAG_KIND_BITS | kind;
}

static inline void core_slot(struct core_pool *p, u32 lane, u64 seq, u32 kind, u32 cnt, u64 retired,
			     const u64 *word, u32 words)
{
	core_log_line(p, pobj_geom_slot(&p->s.geom, lane, seq), word, words, cnt,
		      (u32)(seq - retired), core_tag(seq, kind));
}

/* NOPs with sequences up to @newest, as a lane that has worked has them. */
static inline void core_nops(struct core_pool *p, u32 lane, u64 newest)
{
	u64 seq = newest < POBJ_M_SLOT_CNT ? 1 : newest - POBJ_M_SLOT_CNT + 1;

	for (; seq <= newest; seq++)
		core_slot(p, lane, seq, POBJ_M_ENTRY_NOP, 0, seq - 1, NULL, 0);
}

static inline u64 core_own_ext(const struct core_pool *p, u32 lane, u32 i)
{
	return pobj_geom_lane(&p->s.geom, lane) + (1 + POBJ_M_SLOT_CNT + i) * POBJ_M_LINE;
}

static inline void core_seal_super(struct core_pool *p, u64 off)
{
	core_set32(p, off + 8, 0);
	core_set32(p, off + 8, pobj_env_crc32c(~0U, p->mem + off, sizeof(struct pobj_m_super)));
}

static inline int core_recover(struct core_pool *p, struct pobj_recovery *r,
			       struct pobj_finding *f)
{
	return pobj_recover_pool(&p->m, &p->s, r, f);
}

/* Problems that the extensive check finds. */
static inline u64 core_problems(struct core_pool *p)
{
	struct pobj_census c;

	if (pobj_check_pool(&p->m, &p->s, &c, NULL, NULL))
		abort();
	return c.problems;
}

/* xorshift64*: the same numbers on every run. */
static inline u64 core_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif
