// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The superblock: read, judge, repair, write.
 *
 * Rules:
 * S1. A copy is good when magic, length, checksum and every field are right. Of two good copies
 *     the one with the higher seq holds; the other is rewritten by recovery.
 * S2. Copies are written one at a time, copy 1 first, each flushed and fenced before the next is
 *     begun: at every moment one of them is whole.
 * S3. Format: both copies are wiped whole, and fenced, before anything else is changed, and come
 *     back only after all other metadata is durable. A crash leaves no pool or the whole new pool.
 *     Wiping the magic alone is not enough: when the new copy is written, the new magic may arrive
 *     before the rest and bring the old superblock back over new contents.
 * S4. Nothing is used before its copy was read out and its checksum verified; after that the
 *     medium is not looked at again (it may change under a hostile hand).
 */
#include "lib/core/super.h"

#define WIPE_STEP	(4ULL << 20)

static const u64 super_off[POBJ_M_SUPER_CNT] = { POBJ_M_SUPER_OFF0, POBJ_M_SUPER_OFF1 };

/* Ties UNSTABLE pools to this build; Makefile and Kbuild derive it from the sources. */
#ifndef POBJ_BUILD_TAG
#error "POBJ_BUILD_TAG is set by the build"
#endif

static u32 super_crc(const struct pobj_m_super *raw)
{
	static const __le32 none;
	const u8 *p = (const u8 *)raw;
	const size_t crc_off = offsetof(struct pobj_m_super, crc);
	u32 crc;

	crc = pobj_env_crc32c(~0U, p, crc_off);
	crc = pobj_env_crc32c(crc, &none, sizeof(none));
	return pobj_env_crc32c(crc, p + crc_off + sizeof(none),
			       sizeof(*raw) - crc_off - sizeof(none));
}

static void super_decode(struct pobj_super *s)
{
	const struct pobj_m_super *raw = &s->raw;

	s->seq = le64_to_cpu(raw->seq);
	s->ctime = le64_to_cpu(raw->ctime);
	s->feat_ro_compat = le64_to_cpu(raw->feat_ro_compat);
	memcpy(s->uuid, raw->uuid, sizeof(s->uuid));
	s->uid = le32_to_cpu(raw->uid);
	s->gid = le32_to_cpu(raw->gid);
	s->mode = le32_to_cpu(raw->mode);
	s->geom.pool_size = le64_to_cpu(raw->pool_size);
	s->geom.lane_off = le64_to_cpu(raw->lane_off);
	s->geom.line_off = le64_to_cpu(raw->line_off);
	s->geom.data_off = le64_to_cpu(raw->data_off);
	s->geom.page_cnt = le64_to_cpu(raw->page_cnt);
	s->geom.page_shift = le32_to_cpu(raw->page_shift);
	s->geom.lane_cnt = le32_to_cpu(raw->lane_cnt);
	s->geom.ext_cnt = le32_to_cpu(raw->ext_cnt);
}

/* Judge the copy in @s->raw, which stood at @off, and decode it. */
static int super_judge(const struct pobj_media *m, u64 off, struct pobj_super *s,
		       struct pobj_finding *f)
{
	const struct pobj_m_super *raw = &s->raw;
	u64 incompat;
	u32 crc;

	if (le64_to_cpu(raw->magic) != POBJ_M_MAGIC)
		return pobj_found(f, -EMEDIUMTYPE, POBJ_DIAG_NOT_A_POOL, off,
				  le64_to_cpu(raw->magic), POBJ_M_MAGIC);
	crc = super_crc(raw);
	if (le32_to_cpu(raw->crc) != crc)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_SUPER_CRC,
				  off + offsetof(struct pobj_m_super, crc),
				  le32_to_cpu(raw->crc), crc);
	incompat = le64_to_cpu(raw->feat_incompat);
	if (incompat & ~POBJ_M_INCOMPAT_KNOWN)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_INCOMPAT,
				  off + offsetof(struct pobj_m_super, feat_incompat),
				  incompat, POBJ_M_INCOMPAT_KNOWN);
	if ((incompat & POBJ_M_INCOMPAT_UNSTABLE) && le64_to_cpu(raw->build) != POBJ_BUILD_TAG)
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_BUILD,
				  off + offsetof(struct pobj_m_super, build),
				  le64_to_cpu(raw->build), POBJ_BUILD_TAG);
	if (le32_to_cpu(raw->bytes) != sizeof(*raw))
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_SUPER_FIELD,
				  off + offsetof(struct pobj_m_super, bytes),
				  le32_to_cpu(raw->bytes), sizeof(*raw));
	super_decode(s);
	if (!pobj_super_uuid_lo(s))
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_SUPER_FIELD,
				  off + offsetof(struct pobj_m_super, uuid), 0, 1);
	if (raw->layout[POBJ_M_LAYOUT_MAX - 1])
		return pobj_found(f, -EUCLEAN, POBJ_DIAG_SUPER_FIELD,
				  off + offsetof(struct pobj_m_super, layout),
				  raw->layout[POBJ_M_LAYOUT_MAX - 1], 0);
	return pobj_geom_check(&s->geom, m->size, f);
}

/* The more telling of two verdicts: damage tells more than absence, absence more than -EIO. */
static bool tells_more(int err, int than)
{
	return err == -EUCLEAN ? than != -EUCLEAN : err == -EMEDIUMTYPE && than == -EIO;
}

/* Read copy @i out and judge it. */
static int super_read(const struct pobj_media *m, u32 i, struct pobj_super *s,
		      struct pobj_finding *f)
{
	if (!pobj_media_holds(m, super_off[i], sizeof(s->raw)))
		return pobj_found(f, -EMEDIUMTYPE, POBJ_DIAG_NOT_A_POOL, super_off[i], m->size,
				  super_off[i] + sizeof(s->raw));
	if (m->read(m, &s->raw, super_off[i], sizeof(s->raw)))
		return pobj_found(f, -EIO, POBJ_DIAG_MEDIA, super_off[i], 0, 0);
	return super_judge(m, super_off[i], s, f);
}

int pobj_super_load(const struct pobj_media *m, struct pobj_super *s, struct pobj_finding *f)
{
	struct pobj_finding found[POBJ_M_SUPER_CNT];
	int err[POBJ_M_SUPER_CNT];
	u64 seq[POBJ_M_SUPER_CNT] = { 0, 0 };
	__le32 crc[POBJ_M_SUPER_CNT] = { 0, 0 };
	u32 i, best;

	for (i = 0; i < POBJ_M_SUPER_CNT; i++) {
		err[i] = super_read(m, i, s, &found[i]);
		if (err[i])
			continue;
		seq[i] = s->seq;
		crc[i] = s->raw.crc;
	}
	if (err[0] && err[1]) {
		best = tells_more(err[1], err[0]);
		if (f)
			*f = found[best];
		return err[best];
	}
	best = err[0] || (!err[1] && seq[1] > seq[0]);
	/* Judged anew: what is used must be what was verified (S4). */
	err[best] = super_read(m, best, s, f);
	if (err[best])
		return err[best];
	s->bad_copies = 0;
	if (err[!best] || seq[!best] != s->seq || crc[!best] != s->raw.crc)
		s->bad_copies = 1U << !best;
	return 0;
}

int pobj_super_writable(const struct pobj_super *s, struct pobj_finding *f)
{
	if (!(s->feat_ro_compat & ~POBJ_M_RO_COMPAT_KNOWN))
		return 0;
	return pobj_found(f, -EUCLEAN, POBJ_DIAG_INCOMPAT,
			  offsetof(struct pobj_m_super, feat_ro_compat), s->feat_ro_compat,
			  POBJ_M_RO_COMPAT_KNOWN);
}

/* persist order S2: a copy is durable before the next thing happens. */
static int super_write(const struct pobj_media *m, u32 copy, const struct pobj_m_super *raw)
{
	void *dst = pobj_media_ptr(m, super_off[copy]);

	pobj_store_copy(m, dst, raw, sizeof(*raw));
	pobj_flush(m, dst, sizeof(*raw));
	return pobj_fence(m);
}

/* Can the place of copy @i be read? What cannot may not even be mapped. */
static bool super_readable(const struct pobj_media *m, u32 i)
{
	u8 line[POBJ_M_LINE];
	u64 off;

	for (off = 0; off < sizeof(struct pobj_m_super); off += sizeof(line)) {
		if (m->read(m, line, super_off[i] + off, sizeof(line)))
			return false;
	}
	return true;
}

int pobj_super_repair(const struct pobj_media *m, struct pobj_super *s)
{
	const u32 bad = s->bad_copies == 1 ? 0 : 1;
	int err;

	if (!s->bad_copies || !super_readable(m, bad))
		return 0;
	err = super_write(m, bad, &s->raw);
	if (!err)
		s->bad_copies = 0;
	return err;
}

bool pobj_super_present(const struct pobj_media *m)
{
	__le64 magic;
	u32 i;

	for (i = 0; i < POBJ_M_SUPER_CNT; i++) {
		if (pobj_media_holds(m, super_off[i], sizeof(magic)) &&
		    !m->read(m, &magic, super_off[i], sizeof(magic)) &&
		    le64_to_cpu(magic) == POBJ_M_MAGIC)
			return true;
	}
	return false;
}

static void super_encode(struct pobj_format_args *a)
{
	const struct pobj_geom *g = &a->geom;
	struct pobj_m_super *raw = &a->raw;

	memset(raw, 0, sizeof(*raw));
	raw->magic = cpu_to_le64(POBJ_M_MAGIC);
	raw->bytes = cpu_to_le32(sizeof(*raw));
	raw->seq = cpu_to_le64(1);
	raw->feat_incompat = cpu_to_le64(POBJ_M_INCOMPAT_UNSTABLE);
	raw->build = cpu_to_le64(POBJ_BUILD_TAG);
	memcpy(raw->uuid, a->uuid, sizeof(raw->uuid));
	raw->ctime = cpu_to_le64(a->ctime);
	raw->pool_size = cpu_to_le64(g->pool_size);
	raw->lane_off = cpu_to_le64(g->lane_off);
	raw->line_off = cpu_to_le64(g->line_off);
	raw->data_off = cpu_to_le64(g->data_off);
	raw->page_cnt = cpu_to_le64(g->page_cnt);
	raw->page_shift = cpu_to_le32(g->page_shift);
	raw->lane_cnt = cpu_to_le32(g->lane_cnt);
	raw->ext_cnt = cpu_to_le32(g->ext_cnt);
	raw->uid = cpu_to_le32(a->uid);
	raw->gid = cpu_to_le32(a->gid);
	raw->mode = cpu_to_le32(a->mode);
	memcpy(raw->layout, a->layout, strlen(a->layout));
	raw->crc = cpu_to_le32(super_crc(raw));
}

/* In steps: there may be gigabytes, and the flush is where the kernel lets others run. */
static int super_wipe_metadata(const struct pobj_media *m, const struct pobj_geom *g)
{
	const u64 end = pobj_geom_line(g, g->page_cnt);
	u64 off, step;

	for (off = POBJ_M_ROOT_OFF; off < end; off += step) {
		step = end - off < WIPE_STEP ? end - off : WIPE_STEP;
		pobj_store_fill(m, pobj_media_ptr(m, off), 0, step);
		pobj_flush(m, pobj_media_ptr(m, off), step);
	}
	return pobj_fence(m);
}

int pobj_super_format(const struct pobj_media *m, struct pobj_format_args *a)
{
	const struct pobj_geom *g = &a->geom;
	u8 *copy;
	u32 i;
	int err;

	if (strlen(a->layout) >= POBJ_M_LAYOUT_MAX || pobj_geom_check(g, m->size, NULL))
		return -EINVAL;
	super_encode(a);

	/* S3: no old superblock over what follows. */
	for (i = 0; i < POBJ_M_SUPER_CNT; i++) {
		copy = pobj_media_ptr(m, super_off[i]);
		pobj_store_fill(m, copy, 0, sizeof(a->raw));
		pobj_flush(m, copy, sizeof(a->raw));
	}
	err = pobj_fence(m);
	if (err)
		return err;
	if (!a->zeroed) {
		err = super_wipe_metadata(m, g);
		if (err)
			return err;
	}
	/* S2 */
	for (i = POBJ_M_SUPER_CNT; i-- > 0;) {
		err = super_write(m, i, &a->raw);
		if (err)
			return err;
	}
	return 0;
}
