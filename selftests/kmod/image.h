/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * The medium behind the module's back: superblocks and log slots, read and written through the
 * block device while no one maps it, and damaged as a test needs it.
 *
 * Made from include/uapi/linux/pobj_media.h alone, with a CRC32C of its own, so that it does not
 * share the mistakes of lib/core.
 */
#ifndef POBJ_SELFTESTS_KMOD_IMAGE_H
#define POBJ_SELFTESTS_KMOD_IMAGE_H

#include "kmod.h"

#include <endian.h>
#include <linux/pobj_media.h>

/* CRC32C as on the medium: seed ~0, and, unlike RFC 3720, no inversion at the end. */
static inline __u32 t_crc32c(const void *buf, size_t len)
{
	const __u8 *p = buf;
	__u32 crc = ~0U;
	int i;

	while (len--) {
		crc ^= *p++;
		for (i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* O_DIRECT: the page cache of the block device knows nothing of what was stored by mapping. */
static inline int t_img_io(const struct t_dev *d, __u64 off, void *buf, size_t len, bool write)
{
	__u64 from = off & ~(T_PAGE - 1), to = (off + len + T_PAGE - 1) & ~(T_PAGE - 1);
	ssize_t n = to - from;
	__u8 *pages;
	int fd, ret = 0;

	if (!write)
		memset(buf, 0, len);
	fd = open(d->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (posix_memalign((void **)&pages, T_PAGE, n)) {
		close(fd);
		return -ENOMEM;
	}
	if (pread(fd, pages, n, from) != n) {
		ret = -EIO;
	} else if (!write) {
		memcpy(buf, pages + (off - from), len);
	} else {
		memcpy(pages + (off - from), buf, len);
		if (pwrite(fd, pages, n, from) != n || fsync(fd))
			ret = -EIO;
	}
	free(pages);
	close(fd);
	return ret;
}

static inline int t_img_read(const struct t_dev *d, __u64 off, void *buf, size_t len)
{
	return t_img_io(d, off, buf, len, false);
}

static inline int t_img_write(const struct t_dev *d, __u64 off, const void *buf, size_t len)
{
	return t_img_io(d, off, (void *)buf, len, true);
}

/* Nothing that looks like a pool is left. */
static inline int t_img_wipe(const struct t_dev *d)
{
	static const __u8 zero[4 * T_PAGE];

	return t_img_write(d, 0, zero, sizeof(zero));
}

/* ---- superblock --------------------------------------------------------------------------- */

static inline __u64 t_super_off(int copy)
{
	return copy ? POBJ_M_SUPER_OFF1 : POBJ_M_SUPER_OFF0;
}

static inline __u32 t_super_crc(const struct pobj_m_super *s)
{
	struct pobj_m_super copy = *s;

	copy.crc = 0;
	return t_crc32c(&copy, sizeof(copy));
}

static inline bool t_super_ok(const struct pobj_m_super *s)
{
	return le64toh(s->magic) == POBJ_M_MAGIC && le32toh(s->bytes) == sizeof(*s) &&
	       le32toh(s->crc) == t_super_crc(s);
}

static inline int t_super_read(const struct t_dev *d, int copy, struct pobj_m_super *s)
{
	return t_img_read(d, t_super_off(copy), s, sizeof(*s));
}

/* Written with the checksum that its contents need. */
static inline int t_super_write(const struct t_dev *d, int copy, struct pobj_m_super *s)
{
	s->crc = htole32(t_super_crc(s));
	return t_img_write(d, t_super_off(copy), s, sizeof(*s));
}

/* ---- lanes -------------------------------------------------------------------------------- */

static inline __u64 t_lane_off(const struct pobj_m_super *s, __u32 lane)
{
	__u64 lines = 1 + POBJ_M_SLOT_CNT + le32toh(s->ext_cnt);

	return le64toh(s->lane_off) + lane * lines * POBJ_M_LINE;
}

static inline __u64 t_slot_off(const struct pobj_m_super *s, __u32 lane, __u64 seq)
{
	return t_lane_off(s, lane) + (1 + seq % POBJ_M_SLOT_CNT) * POBJ_M_LINE;
}

static inline __u64 t_ext_off(const struct pobj_m_super *s, __u32 lane, __u32 line)
{
	return t_lane_off(s, lane) + (1ULL + POBJ_M_SLOT_CNT + line) * POBJ_M_LINE;
}

/* Fill in the packed word and the tag. @dist: how far behind @seq all is retired. */
static inline void t_slot_seal(struct pobj_m_slot *slot, __u64 seq, int kind, __u16 cnt, __u16 dist)
{
	__u64 packed = (__u64)cnt << POBJ_M_PACKED_CNT_SHIFT |
		       (__u64)dist << POBJ_M_PACKED_DIST_SHIFT;

	slot->tag = htole64(seq << POBJ_M_TAG_KIND_BITS | kind);
	slot->packed = htole64(packed);
	packed |= (__u64)t_crc32c(slot, sizeof(*slot)) << POBJ_M_PACKED_CRC_SHIFT;
	slot->packed = htole64(packed);
}

/* A live undo entry of up to three words. */
static inline int t_undo_write(const struct t_dev *d, const struct pobj_m_super *s, __u32 lane,
			       __u64 seq, __u16 dist, int cnt, const __u64 (*pair)[2])
{
	struct pobj_m_slot slot = { 0 };
	int i;

	for (i = 0; i < cnt && i < POBJ_M_PAIRS; i++) {
		slot.word[2 * i] = htole64(pair[i][0]);
		slot.word[2 * i + 1] = htole64(pair[i][1]);
	}
	t_slot_seal(&slot, seq, POBJ_M_ENTRY_UNDO, cnt, dist);
	return t_img_write(d, t_slot_off(s, lane, seq), &slot, sizeof(slot));
}

static inline int t_nop_write(const struct t_dev *d, const struct pobj_m_super *s, __u32 lane,
			      __u64 seq, __u16 dist)
{
	struct pobj_m_slot slot = { 0 };

	t_slot_seal(&slot, seq, POBJ_M_ENTRY_NOP, 0, dist);
	return t_img_write(d, t_slot_off(s, lane, seq), &slot, sizeof(slot));
}

/*
 * The past of a lane whose next sequence is @seq: slots are used in rotation, so an entry stands
 * among the fifteen before it, all retired.
 */
static inline int t_lane_past(const struct t_dev *d, const struct pobj_m_super *s, __u32 lane,
			      __u64 seq)
{
	__u64 past = seq > POBJ_M_SLOT_CNT ? seq - POBJ_M_SLOT_CNT : 1;
	int ret = 0;

	for (; !ret && past < seq; past++)
		ret = t_nop_write(d, s, lane, past, 1);
	return ret;
}

/* The newest sequence of a lane, 0 if it was never written. */
static inline int t_lane_newest(const struct t_dev *d, const struct pobj_m_super *s, __u32 lane,
				__u64 *seq)
{
	struct pobj_m_slot slot[POBJ_M_SLOT_CNT];
	int ret, i;

	ret = t_img_read(d, t_lane_off(s, lane) + POBJ_M_LINE, slot, sizeof(slot));
	*seq = 0;
	for (i = 0; !ret && i < POBJ_M_SLOT_CNT; i++) {
		__u64 this = le64toh(slot[i].tag) >> POBJ_M_TAG_KIND_BITS;

		*seq = this > *seq ? this : *seq;
	}
	return ret;
}

#endif /* POBJ_SELFTESTS_KMOD_IMAGE_H */
