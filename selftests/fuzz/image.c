// SPDX-License-Identifier: BSD-3-Clause
/*
 * Images made by the library itself: a pool with spans of every kind, and then what a cut leaves
 * when an operation, and another one in the next lane, are broken off at one of their fences.
 */
#include <stdio.h>

#include "lib/core/super.h"
#include "libpmemobj.h"
#include "selftests/fuzz/image.h"

#define LARGE_BYTES	7200U	/* the first size that has a span of its own here */
#define IDS		8U
#define WORDS		8U	/* more than a lane's own lines hold: a log chunk */

/* What stands in the root object. */
struct nest {
	struct {
		PMEMoid first;
		PMEMmutex lock;
	} list;
	PMEMoid id[IDS];
	u64 word[WORDS];
};

#define ENTRY_OFF	16U
#define ELEMENT_BYTES	80U

static u8 used[HOUSE_BYTES];	/* the pool that worked, closed */

/* ---- checksums --------------------------------------------------------------------------- */

void image_seal_super(u8 *image, u64 off)
{
	u8 *crc = image + off + offsetof(struct pobj_m_super, crc);
	__le32 v = 0;

	memcpy(crc, &v, sizeof(v));
	v = cpu_to_le32(pobj_env_crc32c(~0U, image + off, sizeof(struct pobj_m_super)));
	memcpy(crc, &v, sizeof(v));
}

void image_seal_line(u8 *image, u64 off)
{
	const u64 packed = off + offsetof(struct pobj_m_slot, packed);
	const u64 low = image_word(image, packed) & 0xffffffff;

	image_set(image, packed, low);
	image_set(image, packed, low | (u64)pobj_env_crc32c(~0U, image + off, POBJ_M_LINE) <<
					       POBJ_M_PACKED_CRC_SHIFT);
}

static int plain_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	memcpy(dst, (const u8 *)m->base + off, len);
	return 0;
}

bool image_geom(const u8 *image, u64 bytes, struct pobj_geom *g)
{
	const struct pobj_media m = { .base = (void *)image, .size = bytes, .read = plain_read };
	struct pobj_super s;

	if (!pobj_super_load(&m, &s, NULL)) {
		*g = s.geom;
		return true;
	}
	pobj_geom_make(g, HOUSE_BYTES, IMAGE_PAGE_SHIFT, IMAGE_LANES, IMAGE_EXT);
	return false;
}

/* ---- a pool ------------------------------------------------------------------------------ */

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, pmemobj_errormsg());
	house_bad("a seed cannot be made");
}

static void make_fresh(void)
{
	struct pobj_format_args a = { .layout = "fuzz", .mode = 0600, .ctime = 1234567 };

	house_take(HOUSE_BYTES);
	memset(house_image, 0xa5, HOUSE_BYTES);
	memset(a.uuid, 7, sizeof(a.uuid));
	must(!pobj_geom_make(&a.geom, HOUSE_BYTES, IMAGE_PAGE_SHIFT, IMAGE_LANES, IMAGE_EXT) &&
	     !pobj_super_format(house_media(false), &a), "format");
}

static struct nest *nest_of(PMEMobjpool *pop)
{
	return pmemobj_direct(pmemobj_root(pop, sizeof(struct nest)));
}

static int set_words(PMEMobjpool *pop, struct nest *n)
{
	struct pobj_action act[WORDS];
	u32 i;

	for (i = 0; i < WORDS; i++)
		pmemobj_set_value(pop, &act[i], &n->word[i], n->word[i] + 100 + i);
	return pmemobj_publish(pop, act, WORDS);
}

static PMEMoid insert_new(PMEMobjpool *pop, struct nest *n)
{
	return pmemobj_list_insert_new(pop, ENTRY_OFF, &n->list, OID_NULL, 1, ELEMENT_BYTES, 3,
				       NULL, NULL);
}

static void make_used(void)
{
	PMEMobjpool *pop;
	struct nest *n;
	PMEMoid oid;
	u64 i;

	make_fresh();
	pop = house_open(false);
	n = nest_of(pop);
	must(n && !set_words(pop, n), "root and log");
	must(!pmemobj_alloc(pop, &n->id[0], LARGE_BYTES, 7, NULL, NULL), "large");
	/* From the fifth type on they are in a mixed slab. */
	for (i = 0; i < 7; i++)
		must(!pmemobj_alloc(pop, i < 6 ? &n->id[1 + i] : &oid, 16, 1 + i, NULL, NULL),
		     "types");
	/* Two pages for one object. */
	must(!pmemobj_zalloc(pop, &n->id[7], 320, 2), "slab of two pages");
	for (i = 0; i < 3; i++)
		must(!OID_IS_NULL(insert_new(pop, n)), "list");
	pmemobj_free(&n->id[2]);
	house_close(pop);
	memcpy(used, house_image, HOUSE_BYTES);
}

/* ---- what a cut leaves ------------------------------------------------------------------- */

enum op { OP_ALLOC, OP_FREE, OP_FREE_LARGE, OP_MOVE, OP_INSERT, OP_REMOVE, OP_WORDS, OP_PUBLISH,
	  OP_CNT };

static const char *const op_names[OP_CNT] = {
	"alloc", "free", "free of a large object", "realloc", "list insert", "list remove",
	"eight words", "publish",
};

static void do_op(PMEMobjpool *pop, struct nest *n, enum op op)
{
	struct pobj_action act[2];
	PMEMoid oid;

	switch (op) {
	case OP_ALLOC:
		pmemobj_alloc(pop, &n->id[2], 16, 6, NULL, NULL);
		break;
	case OP_FREE:
		pmemobj_free(&n->id[6]);
		break;
	case OP_FREE_LARGE:
		pmemobj_free(&n->id[0]);
		break;
	case OP_MOVE:
		pmemobj_realloc(pop, &n->id[1], 48, 1);
		break;
	case OP_INSERT:
		insert_new(pop, n);
		break;
	case OP_REMOVE:
		pmemobj_list_remove(pop, ENTRY_OFF, &n->list, n->list.first, 1);
		break;
	case OP_WORDS:
		set_words(pop, n);
		break;
	default:
		oid = pmemobj_reserve(pop, &act[0], 16, 3);
		pmemobj_set_value(pop, &act[1], &n->word[0], oid.off);
		if (!OID_IS_NULL(oid))
			pmemobj_publish(pop, act, 1 + op % 2);
	}
}

/* In the first lane that is not busy: the pool is not recovered. */
static void make_cut(enum op op, u64 fences)
{
	PMEMobjpool *pop = house_open(false);
	struct nest *n = nest_of(pop);

	must(n, "root");
	house_fences = fences;
	do_op(pop, n, op);
	house_close(pop);
	house_fences = ~0ULL;
}

#define CUTS	(OP_CNT * 4)
#define HURTS	6

static const char *make_hurt(u32 nr)
{
	const u64 other = POBJ_M_SUPER_OFF1, seq = offsetof(struct pobj_m_super, seq);
	struct pobj_geom g;

	switch (nr) {
	case 0:
		memset(house_image, 0, sizeof(struct pobj_m_super));
		return "superblock copy 0 wiped";
	case 1:
		memset(house_image + other, 0xff, sizeof(struct pobj_m_super));
		return "superblock copy 1 wiped";
	case 2:
		image_set(house_image, other + seq, 9);
		image_seal_super(house_image, other);
		return "superblock copy 1 is newer";
	case 3:
		house_take(HOUSE_BYTES - 256);
		return "truncated";
	case 4:
		image_geom(house_image, HOUSE_BYTES, &g);
		make_cut(OP_MOVE, 1);
		house_image[pobj_geom_slot(&g, 1, 1)] ^= 1;
		return "a damaged slot";
	default:
		make_fresh();
		make_cut(OP_WORDS, 1);
		return "the first log chunk on its way";
	}
}

bool image_is_base(u32 nr)
{
	return nr == 1 || (nr >= 2 + OP_CNT && nr < 2 + 2 * OP_CNT);
}

const char *image_make(u32 nr)
{
	static char name[128];
	const u32 cut = nr - 2;
	u32 second;

	if (!nr) {
		make_fresh();
		return "fresh";
	}
	if (nr >= 2 + CUTS + HURTS)
		return NULL;
	if (!image_word(used, 0))
		make_used();
	house_take(HOUSE_BYTES);
	memcpy(house_image, used, HOUSE_BYTES);
	if (nr == 1)
		return "used";
	if (cut >= CUTS)
		return make_hurt(cut - CUTS);
	second = (cut + 3) % OP_CNT;
	make_cut(cut % OP_CNT, cut / OP_CNT);
	make_cut(second, cut / OP_CNT % 2 + 1);
	snprintf(name, sizeof(name), "%s, %u fences; %s", op_names[cut % OP_CNT], cut / OP_CNT,
		 op_names[second]);
	return name;
}
