// SPDX-License-Identifier: BSD-3-Clause
/*
 * lib/core/geom.c: layouts for all sizes, held against bounds that are computed anew in 128 bits;
 * and every field damaged, which the check must refuse exactly when an invariant is broken.
 */
#include "kselftest_harness.h"
#include "core_pool.h"

typedef __int128 wide;

#define KiB	(1ULL << 10)
#define MiB	(1ULL << 20)
#define GiB	(1ULL << 30)
#define TiB	(1ULL << 40)

/* G1..G3 of geom.h, and a size that no sum over it can wrap. */
static bool in_bounds(const struct pobj_geom *g, u64 media)
{
	wide lanes_end = (wide)g->lane_off + (wide)g->lane_cnt * (17 + (wide)g->ext_cnt) * 64;
	wide page = (wide)1 << (g->page_shift & 63);

	return g->page_shift >= 8 && g->page_shift <= 30 &&
	       g->lane_cnt >= 1 && g->lane_cnt <= 1024 && g->ext_cnt <= 0xffff &&
	       g->page_cnt >= 1 && g->pool_size <= media && g->pool_size <= 1ULL << 62 &&
	       !(g->pool_size % 64) && g->lane_off >= 8192 + 64 && !(g->lane_off % 64) &&
	       lanes_end <= g->line_off && !(g->line_off % 64) &&
	       (wide)g->line_off + (wide)g->page_cnt * 64 <= g->data_off &&
	       !((wide)g->data_off % page) &&
	       (wide)g->data_off + (wide)g->page_cnt * page <= g->pool_size;
}

/* Most pages that any layout with data at a multiple of @unit could have. */
static u64 most_pages(const struct pobj_geom *g, u64 unit)
{
	u64 lo = 0, hi = g->pool_size >> g->page_shift, mid;
	wide data;

	while (lo < hi) {
		mid = hi - (hi - lo) / 2;
		data = ((wide)g->line_off + (wide)mid * 64 + unit - 1) / unit * unit;
		if (data + ((wide)mid << g->page_shift) <= g->pool_size)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

static u64 random_size(u64 *x)
{
	u64 bits = 14 + core_random(x) % 29;		/* up to 8 TiB */

	return (core_random(x) & ((2ULL << bits) - 1)) + 12 * KiB;
}

static int judge(struct __test_metadata *_metadata, const struct pobj_geom *g, u64 size, u32 shift,
		 u32 lanes, u32 ext)
{
	u64 page = 1ULL << g->page_shift, unit, most;
	struct pobj_finding f;

	EXPECT_TRUE(in_bounds(g, size));
	EXPECT_EQ(0, pobj_geom_check(g, size, &f));
	EXPECT_EQ(size / 64 * 64, g->pool_size);
	EXPECT_EQ(ext, g->ext_cnt);
	EXPECT_EQ(shift ? shift : 12, g->page_shift);
	if (lanes)
		EXPECT_EQ(lanes, g->lane_cnt);
	EXPECT_EQ(0, g->lane_off % 128);
	EXPECT_EQ(0, g->line_off % 128);
	/* Alignment: huge pages where they cost little, 4 KiB below, pages in tiny pools. */
	unit = g->pool_size >= 128 * MiB ? 2 * MiB : g->pool_size >= 2 * MiB ? 4096 : page;
	if (unit < page)
		unit = page;
	EXPECT_EQ(0, g->data_off % unit);
	/* Waste: less than an alignment and 1/64 of the pages beyond what it has to cost. */
	most = most_pages(g, unit);
	EXPECT_LE(g->page_cnt, most);
	EXPECT_GE(g->page_cnt + most / 64 + unit / page + 1, most);
	if (!lanes && !shift && ext == POBJ_EXT_CNT && size >= 8 * MiB)
		EXPECT_GE((g->page_cnt << g->page_shift) + unit, size - size / 32 -
			  (g->page_cnt * 64));
	return _metadata->passed;
}

TEST(every_size_is_laid_out_right)
{
	u64 x = 1, size;
	u32 i, shift, lanes, ext, made = 0, err;
	struct pobj_geom g;

	for (i = 0; i < 200000; i++) {
		size = random_size(&x);
		shift = core_random(&x) & 1 ? 0 : 8 + core_random(&x) % 23;
		lanes = core_random(&x) & 1 ? 0 : 1 + core_random(&x) % 1024;
		ext = core_random(&x) % 4 ? POBJ_EXT_CNT : core_random(&x) % 0x10000;
		memset(&g, 0xee, sizeof(g));
		err = pobj_geom_make(&g, size, shift, lanes, ext);
		if (err) {
			ASSERT_EQ(-ENOSPC, (int)err);
			continue;
		}
		made++;
		ASSERT_TRUE(judge(_metadata, &g, size, shift, lanes, ext))
			TH_LOG("size %llu shift %u lanes %u ext %u", (unsigned long long)size,
			       shift, lanes, ext);
	}
	EXPECT_GT(made, 100000);
}

/* Every size in steps of a line around the borders where a choice changes. */
TEST(borders)
{
	static const u64 borders[] = { 12 * KiB, 16 * KiB, 32 * KiB, 2 * MiB, 8 * MiB, 128 * MiB,
				       256 * MiB, 504 * MiB, GiB, 4 * GiB, TiB };
	struct pobj_geom g;
	u64 size;
	size_t i;
	int d, err;

	for (i = 0; i < ARRAY_SIZE(borders); i++) {
		for (d = -300; d <= 300; d++) {
			size = borders[i] + d * 32;
			err = pobj_geom_make(&g, size, 0, 0, POBJ_EXT_CNT);
			ASSERT_TRUE(err ? err == -ENOSPC :
				    judge(_metadata, &g, size, 0, 0, POBJ_EXT_CNT));
		}
	}
}

/* A pool is refused for lack of room only if there is none. */
TEST(no_room_only_without_room)
{
	struct pobj_geom g, h;
	u64 size, need, x = 5;
	u32 shift, lanes;
	int i;

	for (i = 0; i < 20000; i++) {
		shift = 8 + core_random(&x) % 8;
		lanes = 1 + core_random(&x) % 8;
		size = 8 * KiB + core_random(&x) % (64 * KiB);
		if (pobj_geom_make(&g, size, shift, lanes, 2) != -ENOSPC)
			continue;
		/* header, lanes, one line, one page behind the next multiple of its size */
		need = 8192 + 64 + 64 + lanes * 19 * 64 + 64 + 64;
		need = ((need >> shift) + 1 + 1) << shift;
		ASSERT_LT(size, need);
		ASSERT_EQ(0, pobj_geom_make(&h, need + 64, shift, lanes, 2));
	}
}

TEST(lanes_grow_with_the_pool)
{
	struct pobj_geom g;
	u64 size;

	for (size = 8 * MiB; size <= 8 * TiB; size += size / 7 / 64 * 64) {
		ASSERT_EQ(0, pobj_geom_make(&g, size, 0, 0, POBJ_EXT_CNT));
		EXPECT_LE(g.lane_cnt * pobj_geom_lane_bytes(&g), size / 100);
		EXPECT_GE(g.lane_cnt, 32);
		if (size >= 504 * MiB)
			EXPECT_EQ(1024, g.lane_cnt);
	}
	ASSERT_EQ(0, pobj_geom_make(&g, 8 * MiB, 0, 0, POBJ_EXT_CNT));
	EXPECT_EQ(12, g.page_shift);
	ASSERT_EQ(0, pobj_geom_make(&g, 32 * KiB, 8, 2, 2));
	EXPECT_EQ(2, g.lane_cnt);
	EXPECT_GE(g.page_cnt, 32);
	ASSERT_EQ(0, pobj_geom_make(&g, 32 * KiB, 0, 2, 2));
	EXPECT_GE(g.page_cnt, 1);
}

/* Where the number of lanes changes its slope, and the steps next to that. */
TEST(lanes_at_the_borders)
{
	static const struct {
		u64 size;
		u32 lanes;
	} want[] = {
		{ 64 * KiB, 2 }, { 768000 - 64, 2 }, { 768000, 3 },	/* 1 % */
		{ 2 * MiB, 8 }, { 8192000 - 64, 31 }, { 8192000, 32 },
		{ 8 * MiB - 64, 32 }, { 8 * MiB, 32 },			/* 1 % would be 33 soon */
		{ 9 * MiB - 512 * KiB - 64, 32 }, { 9 * MiB - 512 * KiB, 33 }, { 9 * MiB, 34 },
		{ 64 * MiB, 144 }, { 256 * MiB - 64, 527 }, { 256 * MiB, 528 },
		{ 504 * MiB - 64, 1023 }, { 504 * MiB, 1024 }, { 504 * MiB + 512 * KiB, 1024 },
		{ GiB, 1024 }, { TiB, 1024 },
	};
	struct pobj_geom g;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		ASSERT_EQ(0, pobj_geom_make(&g, want[i].size, 0, 0, POBJ_EXT_CNT));
		EXPECT_EQ(want[i].lanes, g.lane_cnt)
			TH_LOG("size %llu", (unsigned long long)want[i].size);
	}
}

/* What is left for pages. Lines alone cost 1.54 %. */
TEST(share_of_pages)
{
	static const struct {
		u64 size;
		u32 per_mille;
	} want[] = { { 8 * MiB, 973 }, { 64 * MiB, 978 }, { 256 * MiB, 976 }, { GiB, 980 } };
	struct pobj_geom g;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		ASSERT_EQ(0, pobj_geom_make(&g, want[i].size, 0, 0, POBJ_EXT_CNT));
		EXPECT_GE(pobj_geom_data_bytes(&g) * 1000, want[i].size * want[i].per_mille)
			TH_LOG("size %llu: %llu bytes of pages", (unsigned long long)want[i].size,
			       (unsigned long long)pobj_geom_data_bytes(&g));
	}
}

TEST(impossible_wishes)
{
	struct pobj_geom g;

	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, GiB, 7, 0, 23));
	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, GiB, 1, 0, 23));
	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, GiB, 31, 0, 23));
	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, GiB, ~0U, 0, 23));
	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, GiB, 12, 1025, 23));
	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, GiB, 12, ~0U, 23));
	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, GiB, 12, 0, 65536));
	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, GiB, 12, 0, ~0U));
	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, ~0ULL, 12, 0, 23));
	EXPECT_EQ(-EINVAL, pobj_geom_make(&g, (1ULL << 62) + 1, 12, 0, 23));
	EXPECT_EQ(0, pobj_geom_make(&g, 1ULL << 62, 12, 0, 23));
	EXPECT_TRUE(in_bounds(&g, 1ULL << 62));
	EXPECT_EQ(-ENOSPC, pobj_geom_make(&g, 0, 0, 0, 23));
	EXPECT_EQ(-ENOSPC, pobj_geom_make(&g, 63, 0, 0, 23));
	EXPECT_EQ(-ENOSPC, pobj_geom_make(&g, 8 * KiB, 0, 0, 23));
	EXPECT_EQ(-ENOSPC, pobj_geom_make(&g, GiB, 30, 0, 23));
}

static void field_set(struct pobj_geom *g, int field, u64 v)
{
	switch (field) {
	case 0:
		g->pool_size = v;
		break;
	case 1:
		g->lane_off = v;
		break;
	case 2:
		g->line_off = v;
		break;
	case 3:
		g->data_off = v;
		break;
	case 4:
		g->page_cnt = v;
		break;
	case 5:
		g->page_shift = (u32)v;
		break;
	case 6:
		g->lane_cnt = (u32)v;
		break;
	default:
		g->ext_cnt = (u32)v;
	}
}

static u64 field_get(const struct pobj_geom *g, int field)
{
	const u64 v[] = { g->pool_size, g->lane_off, g->line_off, g->data_off, g->page_cnt,
			  g->page_shift, g->lane_cnt, g->ext_cnt };

	return v[field];
}

static u64 damaged(u64 now, u32 how, u64 *x)
{
	static const u64 sets[] = { 0, 1, ~0ULL, 0xffffffff, 1ULL << 32, 1ULL << 62, 1ULL << 63,
				    ~0ULL - 63, ~0ULL - 4095, 64, 4096, 8192, 8256, 0x7fffffff };
	static const int64_t adds[] = { 1, -1, 8, -8, 64, -64, 128, -128, 4096, -4096, 2 << 20,
				    -(2 << 20) };

	if (how < ARRAY_SIZE(sets))
		return sets[how];
	how -= ARRAY_SIZE(sets);
	if (how < ARRAY_SIZE(adds))
		return now + (u64)adds[how];
	how -= ARRAY_SIZE(adds);
	if (how < 64)
		return now ^ 1ULL << how;
	return core_random(x) >> core_random(x) % 64;
}

#define WAYS	(14 + 12 + 64 + 20)

/* Sizes with which sums of offsets could wrap are refused, however large the medium is. */
TEST(sizes_that_no_medium_has)
{
	struct pobj_geom g;

	ASSERT_EQ(0, pobj_geom_make(&g, 1 << 24, 0, 0, 23));
	g.pool_size = 1ULL << 62;
	EXPECT_EQ(0, pobj_geom_check(&g, ~0ULL, NULL));
	g.pool_size += POBJ_M_LINE;
	EXPECT_EQ(-EUCLEAN, pobj_geom_check(&g, ~0ULL, NULL));
	g.pool_size = 1ULL << 63;
	EXPECT_EQ(-EUCLEAN, pobj_geom_check(&g, ~0ULL, NULL));
}

/* Accepted exactly when in bounds: nothing wrong gets in, nothing right is refused. */
TEST(damaged_fields)
{
	u64 x = 77, size, accepted = 0, refused = 0;
	struct pobj_geom g, h;
	struct pobj_finding f;
	int i, a, b, err;
	u32 how;

	for (i = 0; i < 600; i++) {
		size = random_size(&x);
		if (pobj_geom_make(&g, size, i % 3 ? 0 : 8 + core_random(&x) % 23,
				   i & 1 ? 0 : 1 + core_random(&x) % 16, i % 5 ? 23 : i))
			continue;
		for (a = 0; a < 8; a++) {
			for (how = 0; how < WAYS; how++) {
				h = g;
				field_set(&h, a, damaged(field_get(&g, a), how, &x));
				if (how % 3 == 2) {	/* a second one with it */
					b = core_random(&x) % 8;
					field_set(&h, b, damaged(field_get(&g, b),
								 core_random(&x) % WAYS, &x));
				}
				f.diag = 0;
				err = pobj_geom_check(&h, size, &f);
				ASSERT_EQ(in_bounds(&h, size) ? 0 : -EUCLEAN, err)
					TH_LOG("field %d: %llx for %llx", a,
					       (unsigned long long)field_get(&h, a),
					       (unsigned long long)field_get(&g, a));
				if (err) {
					ASSERT_TRUE(f.diag == POBJ_DIAG_SUPER_FIELD ||
						    f.diag == POBJ_DIAG_TRUNCATED);
					refused++;
				} else {
					accepted++;
				}
			}
		}
	}
	EXPECT_GT(refused, 100000);
	EXPECT_GT(accepted, 1000);
}

TEST(all_random)
{
	struct pobj_geom g;
	u64 x = 99, media;
	int i, a;

	for (i = 0; i < 300000; i++) {
		for (a = 0; a < 8; a++)
			field_set(&g, a, core_random(&x) >> core_random(&x) % 64);
		if (i & 1) {
			g.page_shift = 8 + g.page_shift % 23;
			g.lane_cnt = 1 + g.lane_cnt % 4;
			g.ext_cnt %= 8;
			g.pool_size &= ~63ULL;
			g.lane_off = 8256 + (g.lane_off % 64) * 64;
			g.line_off = g.lane_off + (g.line_off % 256) * 64;
		}
		media = core_random(&x) >> core_random(&x) % 64;
		ASSERT_EQ(in_bounds(&g, media) ? 0 : -EUCLEAN, pobj_geom_check(&g, media, NULL));
	}
}

TEST(places)
{
	struct pobj_geom g;
	u64 page;

	ASSERT_EQ(0, pobj_geom_make(&g, MiB, 0, 4, 23));
	EXPECT_EQ(2560, pobj_geom_lane_bytes(&g));
	EXPECT_EQ(g.lane_off + 3 * 2560, pobj_geom_lane(&g, 3));
	EXPECT_EQ(g.lane_off + 64, pobj_geom_slot(&g, 0, 16));
	EXPECT_EQ(g.lane_off + 2560 + 64 * 16, pobj_geom_slot(&g, 1, 15));
	EXPECT_FALSE(pobj_geom_in_data(&g, g.data_off - 1));
	EXPECT_TRUE(pobj_geom_in_data(&g, g.data_off));
	EXPECT_TRUE(pobj_geom_in_data(&g, g.data_off + g.page_cnt * 4096 - 1));
	EXPECT_FALSE(pobj_geom_in_data(&g, g.data_off + g.page_cnt * 4096));
	EXPECT_FALSE(pobj_geom_in_data(&g, ~0ULL));
	EXPECT_FALSE(pobj_geom_in_data(&g, 0));
	for (page = 0; page < g.page_cnt; page++) {
		EXPECT_EQ(page, pobj_geom_page_of(&g, pobj_geom_page(&g, page)));
		EXPECT_EQ(page, pobj_geom_page_of(&g, pobj_geom_page(&g, page) + 4095));
	}
	EXPECT_EQ(0, pobj_geom_pages(&g, 0));
	EXPECT_EQ(1, pobj_geom_pages(&g, 1));
	EXPECT_EQ(1, pobj_geom_pages(&g, 4096));
	EXPECT_EQ(2, pobj_geom_pages(&g, 4097));
	EXPECT_GE(pobj_geom_sidecar_bytes(&g), 4 * MiB);
	EXPECT_EQ(0, pobj_geom_sidecar_bytes(&g) % 4096);
}

TEST_HARNESS_MAIN
