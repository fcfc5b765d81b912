// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * CRC32C (Castagnoli, reflected polynomial 0x82f63b78), the checksum of superblock and log
 * entries. In the kernel the kernel's own serves; here the SSE4.2 instruction where the CPU has
 * it, else four bits at a time. No inversion at either end: callers pass ~0 as first seed.
 *
 * What is summed is a log line nearly always, in each operation. So 64 bytes have a way without a
 * loop: eight instructions, and two tests that always go the same way. That the CPU has them is
 * a bit that is set before main; there is nothing to ask for at each call.
 */
#include "lib/core/env.h"
#include <linux/pobj_media.h>

#ifdef __KERNEL__
/* crc32c of the kernel, see env.h */
#else

/* crc of the 4-bit values 0..15 under the reflected polynomial */
static const u32 nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
	0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static u32 crc_table(u32 crc, const u8 *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		crc = (crc >> 4) ^ nibble[crc & 15];
		crc = (crc >> 4) ^ nibble[crc & 15];
	}
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static u64 crc_word(u64 crc, const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return __builtin_ia32_crc32di(crc, v);
}

/* Of a whole line. */
__attribute__((target("sse4.2")))
static u32 crc_sse42_line(u32 crc, const u8 *p)
{
	u64 c = crc_word(crc, p);

	c = crc_word(c, p + 8);
	c = crc_word(c, p + 16);
	c = crc_word(c, p + 24);
	c = crc_word(c, p + 32);
	c = crc_word(c, p + 40);
	c = crc_word(c, p + 48);
	return (u32)crc_word(c, p + 56);
}

__attribute__((target("sse4.2")))
static u32 crc_sse42(u32 crc, const u8 *p, size_t len)
{
	u64 c = crc;

	for (; len >= sizeof(c); p += sizeof(c), len -= sizeof(c))
		c = crc_word(c, p);
	crc = (u32)c;
	while (len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

u32 pobj_env_crc32c(u32 seed, const void *p, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return len == POBJ_M_LINE ? crc_sse42_line(seed, p) : crc_sse42(seed, p, len);
#endif
	return crc_table(seed, p, len);
}

#endif
