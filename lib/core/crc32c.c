// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * CRC32C (Castagnoli, reflected polynomial 0x82f63b78), the checksum of superblock and log
 * entries. In the kernel the kernel's own serves; here the SSE4.2 instruction where the CPU has
 * it, else four bits at a time. No inversion at either end: callers pass ~0 as first seed.
 */
#include "lib/core/env.h"

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
static u32 crc_sse42(u32 crc, const u8 *p, size_t len)
{
	u64 c = crc;
	u64 v;

	for (; len >= sizeof(v); p += sizeof(v), len -= sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		c = __builtin_ia32_crc32di(c, v);
	}
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
		return crc_sse42(seed, p, len);
#endif
	return crc_table(seed, p, len);
}

#endif
