/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * The on-media format of a pobj pool. Nothing else defines it: the module, the library, the
 * tools and the tests all include this file, and lib/core holds the only code that interprets it.
 *
 * DOC: Layout
 *
 * All numbers are little-endian. All references are byte offsets from the start of the pool, so
 * a pool works at any address. A "line" is 64 bytes, aligned to 64: the unit of persistence. A
 * "page" is 2^page_shift bytes, the unit of allocation of spans.
 *
 *	0       +--------------------------+
 *	        | superblock, copy 0       |  struct pobj_m_super, 2 KiB
 *	4 KiB   +--------------------------+
 *	        | superblock, copy 1       |  its own 4 KiB, so that one poisoned block spares it
 *	8 KiB   +--------------------------+
 *	        | root record              |  struct pobj_m_root, 1 line
 *	lane_off+--------------------------+
 *	        | lane 0: head | 16 slots  |  struct pobj_m_lane_head, struct pobj_m_slot
 *	        |         | ext_cnt lines  |  struct pobj_m_ext
 *	        | lane 1 ...               |  lane_cnt lanes
 *	line_off+--------------------------+
 *	        | line of page 0           |  struct pobj_m_line, one for each page
 *	        | line of page 1 ...       |
 *	data_off+--------------------------+
 *	        | page 0                   |  aligned to 4 KiB in small pools, 2 MiB in large ones,
 *	        | page 1 ...               |  to the page size in the tiny pools that tests use
 *	        | page page_cnt - 1        |
 *	        +--------------------------+  <= pool size
 *
 * Metadata stands together in front, so that an overrun of user data does not hit it and a scan
 * of it is sequential. The persistent truth is: superblock, root record, lane logs, page lines.
 * Everything else (who owns a slab, what is reserved, where there is room) is volatile and lives
 * in the sidecar, which a power cut may take.
 *
 * DOC: What the medium promises
 *
 * A line reaches the medium as a prefix of the stores made to it, in their order; aligned 8-byte
 * stores are atomic; different lines are independent. Therefore a record that fits a line is
 * complete when its last word, the tag, is there. Media that are not byte-addressable (a file in
 * the page cache) do not promise this; there the checksum in each record decides.
 *
 * DOC: Checksums
 *
 * CRC32C (Castagnoli, reflected) over the record with the checksum itself as 0, first value ~0, the
 * result not inverted (RFC 3720 inverts it).
 *
 * DOC: Compatibility
 *
 * Unknown bits in feat_compat are ignored, in feat_ro_compat allow reading only, in feat_incompat
 * forbid opening. POBJ_M_INCOMPAT_UNSTABLE says that the format is still moving: such a pool
 * opens only with the build whose tag the superblock holds.
 */
#ifndef _UAPI_LINUX_POBJ_MEDIA_H
#define _UAPI_LINUX_POBJ_MEDIA_H

#include <linux/types.h>

#define POBJ_M_LINE		64	/* bytes in a cache line, the unit of persistence */
#define POBJ_M_LAYOUT_MAX	1024	/* bytes of the layout name, with its NUL */

/* ---- superblock ------------------------------------------------------------------------- */

#define POBJ_M_SUPER_OFF0	0
#define POBJ_M_SUPER_OFF1	4096
#define POBJ_M_SUPER_CNT	2
#define POBJ_M_ROOT_OFF		8192	/* root record; lanes come behind it */
#define POBJ_M_HEADER_END	(POBJ_M_ROOT_OFF + POBJ_M_LINE)

#define POBJ_M_MAGIC		0x4c4f4f504a424f50ULL	/* "POBJPOOL" read as __le64 */

/* Pool opens only with the very build that made it (see "Compatibility"). */
#define POBJ_M_INCOMPAT_UNSTABLE	(1ULL << 63)

#define POBJ_M_COMPAT_KNOWN	0ULL
#define POBJ_M_RO_COMPAT_KNOWN	0ULL
#define POBJ_M_INCOMPAT_KNOWN	POBJ_M_INCOMPAT_UNSTABLE

/**
 * struct pobj_m_super - what the pool is and where its parts are
 * @magic: POBJ_M_MAGIC
 * @crc: CRC32C of the whole struct with this field 0
 * @bytes: sizeof(struct pobj_m_super)
 * @seq: number of this version; of two valid copies the higher one holds
 * @feat_compat: features that may be ignored
 * @feat_ro_compat: features that must be known for writing
 * @feat_incompat: features that must be known for opening
 * @build: tag of the build that made an UNSTABLE pool
 * @uuid: identity; the first 8 bytes, as __le64, are pool_uuid_lo of a PMEMoid and never 0
 * @ctime: creation, seconds since 1970
 * @pool_size: bytes, a multiple of POBJ_M_LINE
 * @lane_off: first lane
 * @line_off: first page line
 * @data_off: page 0
 * @page_cnt: number of pages
 * @page_shift: log2 of the page size
 * @lane_cnt: number of lanes
 * @ext_cnt: extension lines of each lane
 * @uid: owner of a pool on a device (a pool in a file has the owner of the file)
 * @gid: its group
 * @mode: its permission bits (rw for owner, group, others)
 * @reserved: 0
 * @layout: name of the layout, NUL-terminated, the rest 0
 *
 * Written whole, copy 1 before copy 0, with a fence between; so one copy is always valid.
 */
struct pobj_m_super {
	__le64 magic;
	__le32 crc;
	__le32 bytes;
	__le64 seq;
	__le64 feat_compat;
	__le64 feat_ro_compat;
	__le64 feat_incompat;
	__le64 build;
	__u8 uuid[16];
	__le64 ctime;
	__le64 pool_size;
	__le64 lane_off;
	__le64 line_off;
	__le64 data_off;
	__le64 page_cnt;
	__le32 page_shift;
	__le32 lane_cnt;
	__le32 ext_cnt;
	__le32 uid;
	__le32 gid;
	__le32 mode;
	__u8 reserved[880];
	__u8 layout[POBJ_M_LAYOUT_MAX];
};

/* ---- root record ------------------------------------------------------------------------ */

/**
 * struct pobj_m_root - the one object that everything else is reached from
 * @off: the root object, 0 while there is none
 * @size: bytes asked for, 0 while there is none
 * @reserved: 0
 *
 * Invariant: @off and @size are both 0, or @off is the start of a span whose line is
 * POBJ_M_LARGE with POBJ_M_F_ROOT and holds at least @size bytes. Changed only under an undo
 * entry, hence without a checksum.
 */
struct pobj_m_root {
	__le64 off;
	__le64 size;
	__le64 reserved[6];
};

/* ---- lanes ------------------------------------------------------------------------------ */

#define POBJ_M_SLOT_CNT		16	/* slots of a lane, used in rotation */

/**
 * struct pobj_m_lane_head - what a lane has beside its slots
 * @chunk: first log chunk (a page whose line is POBJ_M_LOG), 0 while the lane's own extension
 *	lines have always been enough
 * @reserved: 0
 *
 * Changed only under an undo entry of the same lane.
 */
struct pobj_m_lane_head {
	__le64 chunk;
	__le64 reserved[7];
};

/* Kinds of log entries: the low 8 bits of a tag. A tag of 0 was never written. */
#define POBJ_M_ENTRY_NOP	1	/* nothing; says how far earlier entries are retired */
#define POBJ_M_ENTRY_UNDO	2	/* {target, old value} pairs, put back while live */
#define POBJ_M_ENTRY_FREE	3	/* {object, destination}: freed again while live */

/*
 * A pair of an undo entry names a word of the pool, or, with this bit, an object: then the rest is
 * a reference, and the old value is 1 if it was allocated, else 0.
 */
#define POBJ_M_TARGET_OBJECT	(1ULL << 63)

/* Reference to an object: page of the head line of its span << 16 | index in the slab. */
#define POBJ_M_REF_IDX_BITS	16
#define POBJ_M_REF_LARGE	0xffffU	/* index of the object of a large span */

#define POBJ_M_TAG_KIND_BITS	8	/* tag = sequence << 8 | kind */
#define POBJ_M_SEQ_MAX		((1ULL << 56) - 1)

/* The packed word of a slot or extension line: count, distance and checksum. */
#define POBJ_M_PACKED_CNT_SHIFT		0	/* 16 bits: words of an undo entry */
#define POBJ_M_PACKED_DIST_SHIFT	16	/* 16 bits: sequence - retired-upto */
#define POBJ_M_PACKED_CRC_SHIFT		32	/* CRC32C of the line with these 32 bits 0 */
#define POBJ_M_PACKED_MAX		0xffffU

/**
 * struct pobj_m_slot - one log entry, one line
 * @word: by kind. UNDO: up to three pairs {target, old value}. FREE: reference of the object,
 *	offset of the destination that holds its id or 0, 0, 0, 0, 0. NOP: 1 + page whose line was
 *	changed without an entry of its own, or 0, the rest 0
 * @packed: count (UNDO: number of pairs in all), distance to retired-upto, checksum
 * @tag: sequence and kind; stored last
 *
 * Sequence s stands in slot s mod POBJ_M_SLOT_CNT. Sequences of a lane begin at 1 and rise by one:
 * the slots hold the newest sequence and its 15 predecessors, as far as there are that many. Only
 * the slot that comes next may be damaged: a power cut left it half-written.
 */
struct pobj_m_slot {
	__le64 word[6];
	__le64 packed;
	__le64 tag;
};

#define POBJ_M_PAIRS		3	/* {target, old value} pairs in a slot or extension line */

/**
 * struct pobj_m_ext - extension line of an undo entry with more than POBJ_M_PAIRS words
 * @pair: target offset and old value
 * @packed: as in a slot; count = pairs used in this line, distance = 0
 * @tag: the same as the tag of the entry's slot
 *
 * Line i of an entry is the i-th of the lane's own lines; when they are used up it goes on in
 * the lane's chain of log chunks.
 */
struct pobj_m_ext {
	struct {
		__le64 target;
		__le64 old;
	} pair[POBJ_M_PAIRS];
	__le64 packed;
	__le64 tag;
};

/**
 * struct pobj_m_chunk - first line of a log chunk; extension lines fill the rest of its page
 * @next: next chunk of the chain, 0 at the end
 * @lane: number of the lane it belongs to
 * @reserved: 0
 */
struct pobj_m_chunk {
	__le64 next;
	__le64 lane;
	__le64 reserved[6];
};

/* ---- page lines ------------------------------------------------------------------------- */

/*
 * The header word of a page line. The line of the first page of a span is its head and describes
 * it. Of its other pages, a POBJ_M_CONT line with the exact distance is the way to the head:
 *
 *	slab	each has one: objects begin in any of them
 *	large	each that begins a section has one; so what a section has in use is found without
 *		reading what is before it. The others have header 0, or a POBJ_M_CONT left over
 *
 * They are durable before the head's header is stored, and stay behind when that is set to 0. So a
 * POBJ_M_CONT line says something only if the page that it names is the head of a span that covers
 * this page; else the page is free.
 */
#define POBJ_M_HDR_KIND_SHIFT	0	/* 4 bits */
#define POBJ_M_HDR_FLAG_SHIFT	4	/* 12 bits */
#define POBJ_M_HDR_CNT_SHIFT	16	/* 16 bits: objects in a slab, else 0 */
#define POBJ_M_HDR_SIZE_SHIFT	32	/* 32 bits: slab: object size in bytes; else pages */

#define POBJ_M_FREE		0	/* page is free, or is not the first of its span */
#define POBJ_M_SLAB		1	/* objects of one class */
#define POBJ_M_LARGE		2	/* one object */
#define POBJ_M_LOG		3	/* log chunk of a lane, one page */
#define POBJ_M_CONT		4	/* page of a span that began size pages before, or free */
#define POBJ_M_KIND_CNT		5

#define POBJ_M_F_ROOT		0x001	/* the root object: hidden from iteration */
#define POBJ_M_F_INTERNAL	0x002	/* not a user object: hidden from iteration */
#define POBJ_M_F_MIXED		0x004	/* slab whose objects have each a type number of its own */
#define POBJ_M_F_KNOWN		0x007

#define POBJ_M_SLAB_PAIRS	3	/* {A, F} pairs in a line, of 64 objects each */
#define POBJ_M_SLAB_MAX		(64 * POBJ_M_SLAB_PAIRS)	/* objects of a slab at most */
#define POBJ_M_SECTION_PAGES	512	/* a page whose number is a multiple begins a section */

/**
 * struct pobj_m_line - state of a span
 * @header: kind, flags, count and size
 * @type: type number of the object or objects; mixed slab: 0
 * @slab.a: slab: word A of 64 objects, written by the owner lane only, with plain stores
 * @slab.f: slab: word F of 64 objects, toggled by everybody else; allocated = A xor F
 * @large.size: large: bytes asked for
 * @large.reserved: 0
 *
 * The header is stored last: a line with a header is complete. Of a POBJ_M_CONT line only the
 * header counts.
 *
 * Behind the last object of a mixed slab, at offset count * size of the span, is an array of count
 * __le64: the type number of each object. It is stored and durable before the object's state.
 */
struct pobj_m_line {
	__le64 header;
	__le64 type;
	union {
		struct {
			__le64 a;
			__le64 f;
		} slab[POBJ_M_SLAB_PAIRS];
		struct {
			__le64 size;
			__le64 reserved[5];
		} large;
	};
};

/* ---- what never changes ----------------------------------------------------------------- */

#if defined(__cplusplus)
#define POBJ_M_ASSERT(c, m)	static_assert(c, m)
#else
#define POBJ_M_ASSERT(c, m)	_Static_assert(c, m)
#endif
#define POBJ_M_ASSERT_SIZE(s, n) \
	POBJ_M_ASSERT(sizeof(struct s) == (n), "size of " #s)
#define POBJ_M_ASSERT_OFF(s, f, n) \
	POBJ_M_ASSERT(__builtin_offsetof(struct s, f) == (n), "offset of " #s "." #f)

POBJ_M_ASSERT_SIZE(pobj_m_super, 2048);
POBJ_M_ASSERT_OFF(pobj_m_super, magic, 0);
POBJ_M_ASSERT_OFF(pobj_m_super, crc, 8);
POBJ_M_ASSERT_OFF(pobj_m_super, bytes, 12);
POBJ_M_ASSERT_OFF(pobj_m_super, seq, 16);
POBJ_M_ASSERT_OFF(pobj_m_super, feat_compat, 24);
POBJ_M_ASSERT_OFF(pobj_m_super, feat_ro_compat, 32);
POBJ_M_ASSERT_OFF(pobj_m_super, feat_incompat, 40);
POBJ_M_ASSERT_OFF(pobj_m_super, build, 48);
POBJ_M_ASSERT_OFF(pobj_m_super, uuid, 56);
POBJ_M_ASSERT_OFF(pobj_m_super, ctime, 72);
POBJ_M_ASSERT_OFF(pobj_m_super, pool_size, 80);
POBJ_M_ASSERT_OFF(pobj_m_super, lane_off, 88);
POBJ_M_ASSERT_OFF(pobj_m_super, line_off, 96);
POBJ_M_ASSERT_OFF(pobj_m_super, data_off, 104);
POBJ_M_ASSERT_OFF(pobj_m_super, page_cnt, 112);
POBJ_M_ASSERT_OFF(pobj_m_super, page_shift, 120);
POBJ_M_ASSERT_OFF(pobj_m_super, lane_cnt, 124);
POBJ_M_ASSERT_OFF(pobj_m_super, ext_cnt, 128);
POBJ_M_ASSERT_OFF(pobj_m_super, uid, 132);
POBJ_M_ASSERT_OFF(pobj_m_super, gid, 136);
POBJ_M_ASSERT_OFF(pobj_m_super, mode, 140);
POBJ_M_ASSERT_OFF(pobj_m_super, reserved, 144);
POBJ_M_ASSERT_OFF(pobj_m_super, layout, 1024);
POBJ_M_ASSERT_SIZE(pobj_m_root, POBJ_M_LINE);
POBJ_M_ASSERT_OFF(pobj_m_root, off, 0);
POBJ_M_ASSERT_OFF(pobj_m_root, size, 8);
POBJ_M_ASSERT_SIZE(pobj_m_lane_head, POBJ_M_LINE);
POBJ_M_ASSERT_OFF(pobj_m_lane_head, chunk, 0);
POBJ_M_ASSERT_SIZE(pobj_m_slot, POBJ_M_LINE);
POBJ_M_ASSERT_OFF(pobj_m_slot, word, 0);
POBJ_M_ASSERT_OFF(pobj_m_slot, packed, 48);
POBJ_M_ASSERT_OFF(pobj_m_slot, tag, 56);
POBJ_M_ASSERT_SIZE(pobj_m_ext, POBJ_M_LINE);
POBJ_M_ASSERT_OFF(pobj_m_ext, pair, 0);
POBJ_M_ASSERT_OFF(pobj_m_ext, packed, 48);
POBJ_M_ASSERT_OFF(pobj_m_ext, tag, 56);
POBJ_M_ASSERT_SIZE(pobj_m_chunk, POBJ_M_LINE);
POBJ_M_ASSERT_OFF(pobj_m_chunk, next, 0);
POBJ_M_ASSERT_OFF(pobj_m_chunk, lane, 8);
POBJ_M_ASSERT_SIZE(pobj_m_line, POBJ_M_LINE);
POBJ_M_ASSERT_OFF(pobj_m_line, header, 0);
POBJ_M_ASSERT_OFF(pobj_m_line, type, 8);
POBJ_M_ASSERT_OFF(pobj_m_line, slab, 16);
POBJ_M_ASSERT_OFF(pobj_m_line, large, 16);

#endif /* _UAPI_LINUX_POBJ_MEDIA_H */
