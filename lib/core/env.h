/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Where lib/core runs. This is the only file of it that may know: everything else here is plain
 * C on these names, compiled unchanged into pobj.ko, the library, the tools and the tests.
 *
 *	u8 .. u64, le64_to_cpu() and friends	fixed-size and little-endian types
 *	pobj_env_crc32c(seed, p, len)		CRC32C without the final inversion
 *	pobj_env_crc32c_line(w)			the same of eight words, seed ~0
 *	pobj_env_store64/_load64		one untorn access each, in program order
 *	pobj_env_xor64				a LOCKed toggle of bits
 *	pobj_env_barrier()			the compiler moves no access across
 *	ARRAY_SIZE, memcpy, memset, memcmp, errno values
 */
#ifndef POBJ_CORE_ENV_H
#define POBJ_CORE_ENV_H

/* Where a call would cost as much as the work. */
#define pobj_env_inline inline __attribute__((__always_inline__))

#ifdef __KERNEL__

#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/atomic.h>
#include <asm/byteorder.h>

static inline u32 pobj_env_crc32c(u32 seed, const void *p, size_t len)
{
	return __crc32c_le(seed, p, len);
}

static inline u32 pobj_env_crc32c_line(const __le64 w[8])
{
	return __crc32c_le(~0U, (const u8 *)w, 64);
}

#define pobj_env_barrier()	barrier()

/* Little-endian words only: the module is for x86-64. */
static inline void pobj_env_xor64(__le64 *p, u64 bits)
{
	atomic64_xor(bits, (atomic64_t *)p);
}

#else

#include <endian.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#ifdef __CHECKER__
#define pobj_env_force __attribute__((force))
#else
#define pobj_env_force
#endif

static inline u64 le64_to_cpu(__le64 v)
{
	return le64toh((pobj_env_force u64)v);
}

static inline u32 le32_to_cpu(__le32 v)
{
	return le32toh((pobj_env_force u32)v);
}

static inline __le64 cpu_to_le64(u64 v)
{
	return (pobj_env_force __le64)htole64(v);
}

static inline __le32 cpu_to_le32(u32 v)
{
	return (pobj_env_force __le32)htole32(v);
}

static inline void pobj_env_xor64(__le64 *p, u64 bits)
{
	__atomic_fetch_xor((pobj_env_force u64 *)p, (pobj_env_force u64)cpu_to_le64(bits),
			   __ATOMIC_SEQ_CST);
}

/* lib/core/crc32c.c; the kernel has its own. */
u32 pobj_env_crc32c(u32 seed, const void *p, size_t len);

/* On values, not on memory: a log line need not be built before it is stored. */
static pobj_env_inline u32 pobj_env_crc32c_line(const __le64 w[8])
{
#ifdef __x86_64__
	if (__builtin_expect(__builtin_cpu_supports("sse4.2") != 0, 1)) {
		u64 c = ~0U;

		__asm__("crc32q %1, %0" : "+r"(c) : "rm"(w[0]));
		__asm__("crc32q %1, %0" : "+r"(c) : "rm"(w[1]));
		__asm__("crc32q %1, %0" : "+r"(c) : "rm"(w[2]));
		__asm__("crc32q %1, %0" : "+r"(c) : "rm"(w[3]));
		__asm__("crc32q %1, %0" : "+r"(c) : "rm"(w[4]));
		__asm__("crc32q %1, %0" : "+r"(c) : "rm"(w[5]));
		__asm__("crc32q %1, %0" : "+r"(c) : "rm"(w[6]));
		__asm__("crc32q %1, %0" : "+r"(c) : "rm"(w[7]));
		return (u32)c;
	}
#endif
	{
		const __le64 copy[8] = { w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7] };

		return pobj_env_crc32c(~0U, copy, sizeof(copy));
	}
}

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#endif
#define pobj_env_barrier()	__asm__ __volatile__("" ::: "memory")

#endif /* __KERNEL__ */

#ifdef __KERNEL__

static inline void pobj_env_store64(__le64 *p, __le64 v)
{
	*(volatile __le64 *)p = v;
}

static inline __le64 pobj_env_load64(const __le64 *p)
{
	return *(const volatile __le64 *)p;
}

#else

/* Plain instructions on x86-64; as atomics, because other threads read and store the same words. */
static inline void pobj_env_store64(__le64 *p, __le64 v)
{
	__atomic_store_n((pobj_env_force volatile u64 *)p, (pobj_env_force u64)v,
			 __ATOMIC_RELEASE);
}

static inline __le64 pobj_env_load64(const __le64 *p)
{
	return (pobj_env_force __le64)__atomic_load_n((pobj_env_force const volatile u64 *)p,
						      __ATOMIC_ACQUIRE);
}

#endif

#endif
