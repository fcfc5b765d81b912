// SPDX-License-Identifier: BSD-3-Clause
/*
 * Hostile images. A 32 KiB pool with work in progress in both lanes, log chunks, a root and two
 * slabs; every byte of its metadata in turn set to 00, FF, ^1 and ^80; then 200,000 images with
 * several changes that bear right checksums. Recovery and check must end, with an error or a pool
 * that is consistent: a second recovery has nothing to do, and the verdict of the check is the
 * same. They must stay inside the image (a heap block, guarded by ASan) and write only where an
 * entry may point; and a refusal must change nothing.
 */
#include "kselftest_harness.h"
#include "core_pool.h"

#define BYTES	32768

static struct core_pool p;
static u8 *seed_image, *before, *after;
static u64 recovered, refused, clean;

static void words_of(const struct pobj_geom *g, u64 *word, u32 from, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		word[2 * i] = CORE_PAGE(g, 1) + 8 * (from + i);
		word[2 * i + 1] = 100 + from + i;
	}
}

/* A slab of 16 objects at @page: 4 pages, 5 if it is mixed. */
static void slab_make(const struct pobj_geom *g, u64 page, u32 flags)
{
	const u64 line = pobj_geom_line(g, page);
	u32 i;

	core_set(&p, line, pobj_line_header(POBJ_M_SLAB, flags, 16, 64));
	core_set(&p, line + 16, 0xff0f);
	core_set(&p, line + 24, 0x00f0);
	for (i = 1; i < (flags & POBJ_M_F_MIXED ? 5 : 4); i++)
		core_set(&p, line + i * POBJ_M_LINE, pobj_line_header(POBJ_M_CONT, 0, 0, i));
}

static void image_make(void)
{
	struct pobj_ext_walk w;
	struct pobj_lane lane;
	struct pobj_change word;
	struct pobj_step step;
	const struct pobj_geom *g;
	u64 pairs[6];
	u32 i, n;

	core_pool_make(&p, BYTES, 8, 2, 2);
	g = &p.s.geom;
	/* A root, a span of many pages, two slabs, two log chunks of lane 1, one of lane 0. */
	core_set(&p, 8192, CORE_PAGE(g, 3));
	core_set(&p, 8200, 700);
	core_set(&p, pobj_geom_line(g, 3), pobj_line_header(POBJ_M_LARGE, POBJ_M_F_ROOT, 0, 3));
	core_set(&p, pobj_geom_line(g, 3) + 16, 700);
	core_set(&p, pobj_geom_line(g, 8), pobj_line_header(POBJ_M_LARGE, 0, 0, 20));
	core_set(&p, pobj_geom_line(g, 8) + 16, 20 * 256 - 5);
	core_set(&p, pobj_geom_line(g, 9), pobj_line_header(POBJ_M_CONT, 0, 0, 1));
	slab_make(g, 30, 0);
	slab_make(g, 35, POBJ_M_F_MIXED);
	/* Left behind, in the large span and in free pages. */
	core_set(&p, pobj_geom_line(g, 12), pobj_line_header(POBJ_M_CONT, 0, 0, 2));
	core_set(&p, pobj_geom_line(g, 50), pobj_line_header(POBJ_M_CONT, 0, 0, 3));
	for (i = 0; i < 2; i++) {
		if (pobj_lane_take(&lane, &p.m, g, i, NULL) || pobj_lane_grow(&lane, 40 + i) ||
		    (i && pobj_lane_grow(&lane, 44)))
			abort();
		for (n = 0; n < 9 + i; n++) {
			word.target = CORE_PAGE(g, 2);
			word.value = n;
			if (pobj_lane_change(&lane, &word, 1, &step))
				abort();
		}
	}
	/* Live: lane 0 with one slot, lane 1 with own lines and chunks. */
	words_of(g, pairs, 0, 3);
	core_slot(&p, 0, 21, POBJ_M_ENTRY_UNDO, 3, 20, pairs, 6);
	core_slot(&p, 1, 25, POBJ_M_ENTRY_UNDO, 20, 24, pairs, 6);
	if (pobj_ext_first(&w, &p.m, g, 1, NULL))
		abort();
	for (i = 3; i < 20; i += n) {
		n = 20 - i < 3 ? 20 - i : 3;
		words_of(g, pairs, i, n);
		core_log_line(&p, w.off, pairs, 2 * n, n, 0, core_tag(25, POBJ_M_ENTRY_UNDO));
		pobj_ext_next(&w, NULL);
	}
	seed_image = core_alloc(BYTES);
	before = core_alloc(BYTES);
	after = core_alloc(BYTES);
	memcpy(seed_image, p.mem, BYTES);
}

static u64 end_of_metadata(void)
{
	return p.s.geom.line_off + p.s.geom.page_cnt * POBJ_M_LINE;
}

/* May recovery have changed the byte at @off? @g is the geometry it believed in. */
static bool may_change(const struct pobj_geom *g, u64 off)
{
	u64 lane, at;

	if (off < 2048 || (off >= 4096 && off < 4096 + 2048))
		return true;		/* repair: compared below */
	if (off >= 8192 && off < 8208)
		return true;
	if (off >= g->lane_off && off - g->lane_off < g->lane_cnt * pobj_geom_lane_bytes(g)) {
		lane = (off - g->lane_off) / pobj_geom_lane_bytes(g);
		at = off - pobj_geom_lane(g, (u32)lane);
		return at < 8 || (at >= 64 && at < 64 * 17);	/* link, slots */
	}
	return off >= g->line_off && off < g->data_off + pobj_geom_data_bytes(g);
}

/* Recover and check what stands in p.mem. NULL, or what is wrong. */
static const char *judge(void)
{
	struct pobj_recovery r;
	struct pobj_census c, d;
	struct pobj_finding f = { 0 };
	u64 off;
	int err;

	memcpy(before, p.mem, BYTES);
	err = core_recover(&p, &r, &f);
	if (err) {
		refused++;
		if (err != -EUCLEAN && err != -EMEDIUMTYPE)
			return "another error than damaged or no pool";
		if (!f.diag || f.diag >= POBJ_DIAG_CNT)
			return "an error without a finding";
		if (memcmp(before, p.mem, BYTES))
			return "a refusal has changed the image";
		/* The check still ends, if there is a superblock. */
		if (!pobj_super_load(&p.m, &p.s, NULL) &&
		    pobj_check_pool(&p.m, &p.s, &c, NULL, NULL))
			return "check ended early";
		return memcmp(before, p.mem, BYTES) ? "check has changed the image" : NULL;
	}
	recovered++;
	for (off = 0; off < BYTES; off++) {
		if (!(off % 512) && !memcmp(before + off, p.mem + off, 512))
			off += 511;
		else if (before[off] != p.mem[off] && !may_change(&p.s.geom, off))
			return "recovery wrote where it may not";
	}
	if (memcmp(p.mem, p.mem + 4096, 2048))
		return "superblock copies differ after recovery";
	if (pobj_check_pool(&p.m, &p.s, &c, NULL, NULL))
		return "check ended early";
	if (c.live)
		return "live entries after recovery";
	clean += !c.problems;
	memcpy(after, p.mem, BYTES);
	if (core_recover(&p, &r, &f))
		return "a second recovery is refused";
	if (r.live || r.undone || r.repaired || memcmp(after, p.mem, BYTES))
		return "a second recovery has something to do";
	if (pobj_check_pool(&p.m, &p.s, &d, NULL, NULL) || memcmp(&c, &d, sizeof(c)))
		return "the check changes its verdict";
	return NULL;
}

TEST(seed_is_sound)
{
	struct pobj_recovery r;
	struct pobj_census c;

	image_make();
	ASSERT_EQ(0, core_recover(&p, &r, NULL));
	EXPECT_EQ(23, r.undone);
	EXPECT_EQ(2, r.live);
	ASSERT_EQ(0, pobj_check_pool(&p.m, &p.s, &c, NULL, NULL));
	EXPECT_EQ(0, c.problems);
	EXPECT_EQ(3, c.logs);
	EXPECT_EQ(2, c.larges);
	EXPECT_EQ(2, c.slabs);
	memcpy(p.mem, seed_image, BYTES);
	EXPECT_EQ(NULL, judge());
	EXPECT_EQ(1, clean);
}

/* Bytes of metadata: all before the pages, and the log chunks among them. */
TEST(every_byte)
{
	const struct pobj_geom *g;
	const char *wrong;
	u64 off, cases = 0;
	int way;
	u8 old;

	image_make();
	g = &p.s.geom;
	for (off = 0; off < BYTES; off++) {
		if (off >= end_of_metadata() && (off < CORE_PAGE(g, 40) || off >= CORE_PAGE(g, 45)))
			continue;
		old = seed_image[off];
		for (way = 0; way < 4; way++) {
			memcpy(p.mem, seed_image, BYTES);
			p.mem[off] = way == 0 ? 0 : way == 1 ? 0xff : way == 2 ? old ^ 1 :
				     old ^ 0x80;
			if (p.mem[off] == old)
				continue;
			cases++;
			wrong = judge();
			ASSERT_EQ(NULL, wrong)
				TH_LOG("byte %llx: %02x for %02x: %s", (unsigned long long)off,
				       p.mem[off], old, wrong);
		}
	}
	TH_LOG("%llu images: %llu recovered, %llu of them without a problem, %llu refused",
	       (unsigned long long)cases, (unsigned long long)recovered,
	       (unsigned long long)clean, (unsigned long long)refused);
	EXPECT_GT(cases, 50000);
	EXPECT_GT(refused, 1000);
	EXPECT_GT(clean, 10000);
}

/* A value that looks like something: an offset, a small number, a border, noise. */
static u64 hostile_value(u64 *x)
{
	const struct pobj_geom *g = &p.s.geom;

	switch (core_random(x) % 10) {
	case 0:
		return 0;
	case 1:
		return core_random(x) % 64;
	case 2:
		return CORE_PAGE(g, core_random(x) % (g->page_cnt + 1));
	case 3:
		return pobj_geom_line(g, core_random(x) % (g->page_cnt + 1));
	case 4:
		return core_random(x) % BYTES & ~7ULL;
	case 5:
		return ~0ULL - core_random(x) % 300;
	case 6:
		return pobj_line_header(core_random(x) % 7, core_random(x) % 16,
					core_random(x) % 20 << core_random(x) % 12,
					core_random(x) % 70);
	case 7:
		return 1ULL << core_random(x) % 64;
	case 8:
		return pobj_geom_lane(g, core_random(x) % 2) + core_random(x) % 4 * 8;
	default:
		return core_random(x);
	}
}

/* Change a word somewhere and make the checksum around it right. */
static void change(u64 *x)
{
	const struct pobj_geom *g = &p.s.geom;
	u64 off, lane, v;

	switch (core_random(x) % 8) {
	case 0:				/* superblock: both copies alike, or one that is newer */
		off = core_random(x) % 18 * 8 + 16;
		v = core_random(x) % 2 ? core_get(&p, off) ^ 1ULL << core_random(x) % 64 :
					 hostile_value(x);
		lane = core_random(x) % 3;
		if (lane != 1)
			core_set(&p, off, v);
		if (lane != 0)
			core_set(&p, 4096 + off, v);
		if (lane != 2)
			core_set(&p, lane * 4096 + offsetof(struct pobj_m_super, seq), 3);
		core_seal_super(&p, 0);
		core_seal_super(&p, 4096);
		break;
	case 1:				/* page lines */
	case 2:
		off = pobj_geom_line(g, core_random(x) % g->page_cnt) + core_random(x) % 4 * 8;
		core_set(&p, off, hostile_value(x));
		break;
	case 3:				/* root record, heads of lanes, heads of chunks */
		lane = core_random(x) % 6;
		off = lane < 2 ? 8192 + lane * 8 : lane < 4 ? pobj_geom_lane(g, lane - 2) :
		      CORE_PAGE(g, 40 + core_random(x) % 5) + lane % 2 * 8;
		core_set(&p, off, hostile_value(x));
		break;
	case 4:				/* the newest slots */
		lane = core_random(x) % 2;
		off = pobj_geom_slot(g, lane, (lane ? 25 : 21) + core_random(x) % 4 - 1);
		v = core_random(x) % 8;
		core_set(&p, off + 8 * v, v < 6 ? hostile_value(x) : core_get(&p, off + 8 * v) ^
			 1ULL << core_random(x) % 40);
		core_seal_line(&p, off);
		break;
	case 5:				/* any slot or own extension line */
		off = pobj_geom_lane(g, core_random(x) % 2) + (1 + core_random(x) % 18) * 64;
		core_set(&p, off + core_random(x) % 8 * 8, hostile_value(x));
		core_seal_line(&p, off);
		break;
	case 6:				/* a line of a chunk */
		off = CORE_PAGE(g, 40 + core_random(x) % 5) + (1 + core_random(x) % 3) * 64;
		core_set(&p, off + core_random(x) % 8 * 8, hostile_value(x));
		core_seal_line(&p, off);
		break;
	default:			/* one more entry, whole */
		lane = core_random(x) % 2;
		v = (lane ? 26 : 22);
		for (off = 0; off < 6; off++)
			core_set(&p, pobj_geom_slot(g, lane, v) + 8 * off, hostile_value(x));
		core_set(&p, pobj_geom_slot(g, lane, v) + 48,
			 core_random(x) % 5 | (core_random(x) % 5) << 16);
		core_set(&p, pobj_geom_slot(g, lane, v) + 56,
			 core_tag(v, core_random(x) % 4 ? POBJ_M_ENTRY_UNDO : core_random(x) % 7));
		core_seal_line(&p, pobj_geom_slot(g, lane, v));
	}
}

TEST(random_with_right_checksums)
{
	static struct pobj_super good;
	const char *wrong, *kinds[8] = { NULL };
	u64 x = 20250101, i, n, k, at, times[8] = { 0 };

	image_make();
	good = p.s;
	for (i = 0; i < 200000; i++) {
		at = x;
		memcpy(p.mem, seed_image, BYTES);
		p.s = good;		/* the places to change */
		for (n = 1 + core_random(&x) % 4; n; n--)
			change(&x);
		p.m.lines_tear = core_random(&x) % 4 == 0;
		wrong = judge();
		for (k = 0; wrong && k < ARRAY_SIZE(kinds); k++) {
			if (!kinds[k])
				TH_LOG("image %llu (state %llx): %s", (unsigned long long)i,
				       (unsigned long long)at, wrong);
			if (!kinds[k] || !strcmp(kinds[k], wrong)) {
				kinds[k] = wrong;
				times[k]++;
				break;
			}
		}
	}
	for (k = 0; k < ARRAY_SIZE(kinds) && kinds[k]; k++)
		TH_LOG("%llu times: %s", (unsigned long long)times[k], kinds[k]);
	EXPECT_EQ(NULL, kinds[0]);
	TH_LOG("%llu recovered, %llu of them without a problem, %llu refused",
	       (unsigned long long)recovered, (unsigned long long)clean,
	       (unsigned long long)refused);
	EXPECT_GT(recovered, 20000);
	EXPECT_GT(refused, 20000);
}

TEST_HARNESS_MAIN
