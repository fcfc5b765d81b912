// SPDX-License-Identifier: BSD-3-Clause
/*
 * Mutations that know the format. Bytes changed blindly end at a checksum nearly always; so most
 * mutations pick a record (superblock, root record, head of a lane, slot, extension line, chunk,
 * page line, words of user data), put something plausible into one field, and make the checksum
 * right. Some put a whole entry behind the newest one. A part is left unsealed, and a part is
 * libFuzzer's own, of the image or of the script that comes before it.
 */
#include "selftests/fuzz/image.h"
#include "selftests/fuzz/input.h"

size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed);

/* The image that is being changed, and how it is laid out. */
struct victim {
	u8 *image;
	u64 bytes;
	struct pobj_geom g;
	u64 random;
	bool seal;
};

static u64 draw(struct victim *v)
{
	v->random ^= v->random >> 12;
	v->random ^= v->random << 25;
	v->random ^= v->random >> 27;
	return v->random * 0x2545f4914f6cdd1dULL >> 8;
}

static u64 below(struct victim *v, u64 n)
{
	return n ? draw(v) % n : 0;
}

static u64 get(const struct victim *v, u64 off)
{
	return off + sizeof(u64) <= v->bytes ? image_word(v->image, off) : 0;
}

static void put(struct victim *v, u64 off, u64 value)
{
	if (off + sizeof(u64) <= v->bytes)
		image_set(v->image, off, value);
}

static void seal_line(struct victim *v, u64 off)
{
	if (v->seal && off + POBJ_M_LINE <= v->bytes)
		image_seal_line(v->image, off);
}

/* ---- values ------------------------------------------------------------------------------ */

static u64 any_page(struct victim *v)
{
	return below(v, v->g.page_cnt);
}

/* A page whose line is of @kind, if there is one; else any. */
static u64 page_of_kind(struct victim *v, u32 kind)
{
	const u64 from = any_page(v);
	u64 i, page;

	for (i = 0; i < v->g.page_cnt; i++) {
		page = (from + i) % v->g.page_cnt;
		if ((get(v, pobj_geom_line(&v->g, page)) & 0xf) == kind)
			return page;
	}
	return from;
}

static u64 any_lane(struct victim *v)
{
	return pobj_geom_lane(&v->g, (u32)below(v, v->g.lane_cnt));
}

static u64 any_header(struct victim *v)
{
	static const u32 sizes[] = {
		0, 1, 2, 8, 16, 24, 48, 64, 80, 256, 320, 512, 7168, 1U << 20,
	};
	const u32 kind = (u32)below(v, 6);
	u32 size = sizes[below(v, ARRAY_SIZE(sizes))];
	u32 cnt = kind == POBJ_M_SLAB ? (u32)below(v, 200) : 0;

	if (!below(v, 6))
		cnt = (u32)below(v, 0x10000);
	if (kind != POBJ_M_SLAB || !below(v, 4))
		size = (u32)below(v, v->g.page_cnt + 2);
	return pobj_line_header(kind, below(v, 3) ? 0 : 1U << below(v, 5), cnt, size);
}

/* What the log of a lane may, or just may not, name. */
static u64 any_target(struct victim *v)
{
	switch (below(v, 10)) {
	case 0:
		return POBJ_M_ROOT_OFF + below(v, 4) * 8;
	case 1:
		return any_lane(v) + below(v, 2) * below(v, 20) * 8;
	case 2:
		return pobj_geom_line(&v->g, any_page(v)) + below(v, 8) * 8;
	case 3:
		return pobj_geom_page(&v->g, page_of_kind(v, POBJ_M_LOG)) + below(v, 3) * 8;
	case 4:
		return pobj_geom_page(&v->g, any_page(v)) + below(v, 32) * 8;
	case 5:
		return POBJ_M_TARGET_OBJECT | pobj_ref(page_of_kind(v, POBJ_M_SLAB),
						       (u32)below(v, 20));
	case 6:
		return POBJ_M_TARGET_OBJECT | pobj_ref(page_of_kind(v, POBJ_M_LARGE),
						       POBJ_M_REF_LARGE);
	case 7:
		return POBJ_M_TARGET_OBJECT | pobj_ref(below(v, v->g.page_cnt + 3),
						       (u32)below(v, 0x10000));
	case 8:
		return below(v, v->bytes + 64);
	default:
		return pobj_geom_line(&v->g, v->g.page_cnt) - 8 + below(v, 3) * 8;
	}
}

static u64 any_value(struct victim *v)
{
	switch (below(v, 12)) {
	case 0:
		return 0;
	case 1:
		return below(v, 64);
	case 2:
		return pobj_geom_page(&v->g, below(v, v->g.page_cnt + 1));
	case 3:
		return below(v, v->bytes) & ~7ULL;
	case 4:
		return ~0ULL - below(v, 300);
	case 5:
		return any_header(v);
	case 6:
		return 1ULL << below(v, 64);
	case 7:
	case 8:
		return any_target(v);
	case 9:
		return pobj_geom_page(&v->g, page_of_kind(v, POBJ_M_LOG));
	case 10:
		return get(v, below(v, v->bytes) & ~7ULL);
	default:
		return draw(v) << 8 | below(v, 256);
	}
}

/* @old, changed a little, or something else. */
static u64 near(struct victim *v, u64 old)
{
	switch (below(v, 4)) {
	case 0:
		return old ^ 1ULL << below(v, 64);
	case 1:
		return old + below(v, 9) - 4;
	default:
		return any_value(v);
	}
}

/* ---- records ----------------------------------------------------------------------------- */

static void change_super(struct victim *v)
{
	const u64 off = 16 + below(v, 16) * 8, both = below(v, 3);
	const bool newer = !below(v, 4);
	u64 copy, at, value = near(v, get(v, off));

	if (off == offsetof(struct pobj_m_super, build) || !below(v, 3))
		value = get(v, off) + (1ULL << 32 * below(v, 2)) * (below(v, 5) - 2);
	for (copy = 0; copy < POBJ_M_SUPER_CNT; copy++) {
		at = copy * POBJ_M_SUPER_OFF1;
		if (both != copy)
			put(v, at + off, value);
		else if (newer)
			put(v, at + offsetof(struct pobj_m_super, seq), below(v, 10));
		if (v->seal && at + sizeof(struct pobj_m_super) <= v->bytes)
			image_seal_super(v->image, at);
	}
}

static void change_heads(struct victim *v)
{
	u64 off;

	switch (below(v, 3)) {
	case 0:
		off = POBJ_M_ROOT_OFF + below(v, 2) * 8;
		break;
	case 1:
		off = any_lane(v);
		break;
	default:
		off = pobj_geom_page(&v->g, page_of_kind(v, POBJ_M_LOG)) + below(v, 2) * 8;
	}
	put(v, off, near(v, get(v, off)));
}

static void change_line(struct victim *v)
{
	const u64 off = pobj_geom_line(&v->g, any_page(v));
	const u64 from = pobj_geom_line(&v->g, any_page(v));
	u64 i;

	switch (below(v, 5)) {
	case 0:
		for (i = 0; i < POBJ_M_LINE; i += sizeof(u64))
			put(v, off + i, get(v, from + i));
		break;
	case 1:
		put(v, off + 8 + below(v, 7) * 8, near(v, get(v, off + 8)));
		break;
	case 2:
		put(v, off + 16 + below(v, 6) * 8, draw(v));
		break;
	default:
		put(v, off, below(v, 2) ? any_header(v) : near(v, get(v, off)));
	}
}

/* Any line of a lane's log, or of a chunk. */
static void change_log_line(struct victim *v)
{
	const u64 lines = pobj_geom_lane_bytes(&v->g) / POBJ_M_LINE;
	u64 off = any_lane(v) + (1 + below(v, lines)) * POBJ_M_LINE;
	const u64 word = below(v, 8);

	if (!below(v, 4))
		off = pobj_geom_page(&v->g, page_of_kind(v, POBJ_M_LOG)) +
		      below(v, pobj_geom_page_bytes(&v->g) / POBJ_M_LINE) * POBJ_M_LINE;
	if (word < 6)
		put(v, off + word * 8, word % 2 ? any_value(v) : any_target(v));
	else
		put(v, off + word * 8, near(v, get(v, off + word * 8)));
	seal_line(v, off);
}

static u64 newest_of(struct victim *v, u64 lane)
{
	u64 seq, newest = 0;
	u32 i;

	for (i = 1; i <= POBJ_M_SLOT_CNT; i++) {
		seq = get(v, lane + i * POBJ_M_LINE + 56) >> POBJ_M_TAG_KIND_BITS;
		if (seq > newest)
			newest = seq;
	}
	return newest;
}

static void put_pairs(struct victim *v, u64 off, u32 cnt, u64 packed, u64 tag)
{
	u64 target;
	u32 i;

	for (i = 0; i < POBJ_M_PAIRS; i++) {
		target = i < cnt ? any_target(v) : 0;
		put(v, off + 16 * i, target);
		put(v, off + 16 * i + 8, i >= cnt ? 0 : target & POBJ_M_TARGET_OBJECT ?
		    below(v, 2) + !below(v, 16) : any_value(v));
	}
	put(v, off + 48, packed);
	put(v, off + 56, tag);
	seal_line(v, off);
}

/* Extension lines for @left pairs with @tag, in the lane's own lines and its chunks. */
static void put_ext(struct victim *v, u64 lane, u32 left, u64 tag)
{
	const u64 per_chunk = pobj_geom_page_bytes(&v->g) / POBJ_M_LINE - 1;
	u64 off = lane + (1 + POBJ_M_SLOT_CNT) * POBJ_M_LINE, room = v->g.ext_cnt;
	u64 link = get(v, lane);
	u32 n;

	while (left) {
		if (!room) {
			if (!link || link > v->bytes)
				return;
			room = per_chunk;
			off = link + POBJ_M_LINE;
			link = get(v, link);
		}
		n = left < POBJ_M_PAIRS ? left : POBJ_M_PAIRS;
		put_pairs(v, off, n, n, below(v, 16) ? tag : tag - (1 << POBJ_M_TAG_KIND_BITS));
		off += POBJ_M_LINE;
		left -= n;
		room--;
	}
}

/* One more entry, whole, where the next one goes. */
static void add_entry(struct victim *v)
{
	const u64 lane = any_lane(v), seq = newest_of(v, lane) + 1;
	const u64 off = lane + (1 + seq % POBJ_M_SLOT_CNT) * POBJ_M_LINE;
	const u64 dist = 1 + below(v, below(v, 4) ? 3 : 20);
	u32 kind = 1 + (u32)below(v, 3), cnt = 0;
	u64 packed;

	if (!below(v, 16))
		kind = (u32)below(v, 256);
	if (kind == POBJ_M_ENTRY_UNDO)
		cnt = (u32)below(v, below(v, 3) ? 5 : 14);
	if (!below(v, 32))
		cnt = (u32)below(v, 0x10000);
	packed = (u64)cnt | dist << POBJ_M_PACKED_DIST_SHIFT;
	if (cnt > POBJ_M_PAIRS && kind == POBJ_M_ENTRY_UNDO)
		put_ext(v, lane, (cnt < 64 ? cnt : 64) - POBJ_M_PAIRS, pobj_tag(seq, kind));
	put_pairs(v, off, cnt < POBJ_M_PAIRS ? cnt : POBJ_M_PAIRS, packed, pobj_tag(seq, kind));
	if (kind == POBJ_M_ENTRY_UNDO)
		return;
	put(v, off, kind == POBJ_M_ENTRY_NOP ? below(v, v->g.page_cnt + 3) :
	    any_target(v) & ~POBJ_M_TARGET_OBJECT);
	put(v, off + 8, below(v, 2) ? any_target(v) : 0);
	seal_line(v, off);
}

/* User data, where ids of lists and destinations of frees are. */
static void change_data(struct victim *v)
{
	const u64 off = pobj_geom_page(&v->g, any_page(v)) + below(v, 31) * 8;

	if (below(v, 2)) {
		put(v, off, get(v, offsetof(struct pobj_m_super, uuid)));
		put(v, off + 8, any_value(v) & ~0xfULL);
	} else {
		put(v, off, any_value(v));
	}
}

static void change_record(struct victim *v)
{
	switch (below(v, 12)) {
	case 0:
		change_super(v);
		break;
	case 1:
	case 2:
		change_heads(v);
		break;
	case 3:
	case 4:
	case 5:
		change_line(v);
		break;
	case 6:
	case 7:
		change_log_line(v);
		break;
	case 8:
	case 9:
	case 10:
		add_entry(v);
		break;
	default:
		change_data(v);
	}
}

/* ---- for libFuzzer ----------------------------------------------------------------------- */

static void change_head(struct victim *v, u8 *head)
{
	u64 n;

	for (n = 1 + below(v, 4); n; n--)
		head[1 + below(v, USE_BYTES - 1)] = (u8)below(v, 256);
	if (!below(v, 4))
		head[0] = (u8)(below(v, 3) ? 0 : 1U << below(v, 3));
	head[INPUT_SHIFT_AT] = (u8)below(v, 200);
	head[INPUT_SHIFT_AT + 1] = (u8)below(v, v->bytes / 8 / 256 + 1);
	head[INPUT_SHIFT_AT + 2] = (u8)below(v, 256);
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	struct victim v = { .image = data + INPUT_HEAD, .bytes = size - INPUT_HEAD,
			    .random = seed * 0x9e3779b97f4a7c15ULL | 1 };
	u64 n;

	if (size < INPUT_HEAD + POBJ_M_HEADER_END || !below(&v, 32))
		return LLVMFuzzerMutate(data, size, max_size);
	image_geom(v.image, v.bytes, &v.g);
	if (!below(&v, 4))
		change_head(&v, data);
	for (n = 1 + below(&v, 4); n; n--) {
		v.seal = below(&v, 16);
		change_record(&v);
	}
	return size;
}
