// SPDX-License-Identifier: BSD-3-Clause
/*
 * lib/core/crc32c.c: published vectors, a bit-by-bit model, and both ways of computing it. The
 * file is included, because the slower way is not reachable on CPUs with SSE4.2.
 */
#define pobj_env_crc32c crc_under_test
#include "lib/core/crc32c.c"
#undef pobj_env_crc32c

#include "kselftest_harness.h"

u32 pobj_env_crc32c(u32 seed, const void *p, size_t len);

static u32 model(u32 crc, const u8 *p, size_t len)
{
	int bit;

	while (len--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return crc;
}

/* RFC 3720, B.4, and the usual check string. */
TEST(published_vectors)
{
	u8 buf[32];
	int i;

	EXPECT_EQ(0xe3069283, ~pobj_env_crc32c(~0U, "123456789", 9));
	EXPECT_EQ(0xe3069283, ~crc_table(~0U, (const u8 *)"123456789", 9));
	EXPECT_EQ(0xc1d04330, ~pobj_env_crc32c(~0U, "a", 1));
	EXPECT_EQ(0, ~pobj_env_crc32c(~0U, "", 0));
	memset(buf, 0, sizeof(buf));
	EXPECT_EQ(0x8a9136aa, ~pobj_env_crc32c(~0U, buf, 32));
	memset(buf, 0xff, sizeof(buf));
	EXPECT_EQ(0x62a8ab43, ~pobj_env_crc32c(~0U, buf, 32));
	for (i = 0; i < 32; i++)
		buf[i] = i;
	EXPECT_EQ(0x46dd794e, ~pobj_env_crc32c(~0U, buf, 32));
	for (i = 0; i < 32; i++)
		buf[i] = 31 - i;
	EXPECT_EQ(0x113fdb5c, ~pobj_env_crc32c(~0U, buf, 32));
}

TEST(all_ways_are_equal)
{
	static u8 buf[300];
	u64 x = 88172645463325252ULL;
	size_t at, len;
	u32 seed, want;
	int round;

	for (round = 0; round < 20; round++) {
		for (at = 0; at < sizeof(buf); at++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			buf[at] = x >> 32;
		}
		seed = round ? (u32)x : 0;
		for (at = 0; at < 9; at++) {
			for (len = 0; len <= sizeof(buf) - 9; len++) {
				want = model(seed, buf + at, len);
				ASSERT_EQ(want, crc_table(seed, buf + at, len));
				ASSERT_EQ(want, crc_under_test(seed, buf + at, len));
				ASSERT_EQ(want, pobj_env_crc32c(seed, buf + at, len));
#ifdef __x86_64__
				if (!__builtin_cpu_supports("sse4.2"))
					continue;
				ASSERT_EQ(want, crc_sse42(seed, buf + at, len));
				if (len == POBJ_M_LINE)
					ASSERT_EQ(want, crc_sse42_line(seed, buf + at));
#endif
			}
		}
	}
}

/* A checksum made in pieces is that of the whole: super.c relies on it. */
TEST(pieces)
{
	u8 buf[64];
	size_t i, cut;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = i * 37 + 11;
	for (cut = 0; cut <= sizeof(buf); cut++)
		EXPECT_EQ(pobj_env_crc32c(~0U, buf, sizeof(buf)),
			  pobj_env_crc32c(pobj_env_crc32c(~0U, buf, cut), buf + cut,
					  sizeof(buf) - cut));
}

/* Any one or two wrong bits of a log line, and any burst of 32, change it. */
TEST(detects)
{
	u8 line[64] = { 0 };
	u32 whole, a, b;

	for (a = 0; a < sizeof(line); a++)
		line[a] = a * 29 + 3;
	whole = pobj_env_crc32c(~0U, line, sizeof(line));
	for (a = 0; a < 512; a++) {
		line[a / 8] ^= 1 << a % 8;
		ASSERT_NE(whole, pobj_env_crc32c(~0U, line, sizeof(line)));
		for (b = a + 1; b < 512; b++) {
			line[b / 8] ^= 1 << b % 8;
			ASSERT_NE(whole, pobj_env_crc32c(~0U, line, sizeof(line)));
			line[b / 8] ^= 1 << b % 8;
		}
		line[a / 8] ^= 1 << a % 8;
	}
}

TEST_HARNESS_MAIN
