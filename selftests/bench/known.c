// SPDX-License-Identifier: BSD-3-Clause
/*
 * known - a program whose instructions are known, to test fencecount with. Prints nothing; exit
 * status 4 if the CPU has no CLWB or AVX-512F.
 *
 * Regions, each of N operations:
 *	loop	nothing but a counted loop: 2 instructions each, and 2 around
 *	store	3 fences of which 2 wait; 3 lines flushed, one twice between two fences
 *	nt	all widths of non-temporal stores: 4 + 8 + 16 + 32 + 64 bytes on three lines
 *	lock	a LOCKed add, an xchg with memory, an xchg of registers, 100 repeated stores
 */
#include <cpuid.h>
#include <stdint.h>

#include "selftests/bench/fencecount.h"

#define N 10

static uint64_t buf[4096] __attribute__((aligned(4096)));

static void do_loop(void)
{
	uint64_t n = N;

	FC_BEGIN("loop", N);
	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n));
	FC_END();
}

static void do_store(void)
{
	FC_BEGIN("store", N);
	for (uint64_t i = 0; i < N; i++) {
		uint64_t *line = buf + 24 * i;

		/* High registers, an index with scale, long and short displacements, %rip. */
		__asm__ volatile("mov %0, %%r12\n\t"
				 "mov $8, %%r13\n\t"
				 "clwb (%%r12)\n\t"
				 "clflushopt -64(%%r12,%%r13,8)\n\t"
				 "sfence\n\t"
				 "sfence\n\t"
				 "clflush 64(%%r12)\n\t"
				 "clwb 128(%%r12)\n\t"
				 "mfence\n\t"
				 : : "r"(line) : "r12", "r13", "memory");
	}
	FC_END();
}

__attribute__((target("avx512f"))) static void do_nt(void)
{
	FC_BEGIN("nt", N);
	for (uint64_t i = 0; i < N; i++) {
		uint64_t *line = buf + 24 * i;

		__asm__ volatile("mov %0, %%r15\n\t"
				 "movnti %%eax, (%%r15)\n\t"
				 "movnti %%rax, 8(%%r15)\n\t"
				 "movntdq %%xmm0, 16(%%r15)\n\t"
				 "vmovntdq %%ymm0, 64(%%r15)\n\t"
				 "vmovntdq %%zmm0, 128(%%r15)\n\t"
				 "sfence\n\t"
				 : : "r"(line) : "r15", "memory");
	}
	FC_END();
}

static void do_lock(void)
{
	FC_BEGIN("lock", N);
	for (int i = 0; i < N; i++) {
		uint64_t *to = buf, n = 100;

		__asm__ volatile("lock addq $1, (%0)\n\t"
				 "xchg %%rax, (%0)\n\t"
				 "xchg %%rbx, %%rdx\n\t"
				 "rep stosq"
				 : "+D"(to), "+c"(n) : : "rax", "rbx", "rdx", "memory");
	}
	FC_END();
}

int main(void)
{
	unsigned int a, b, c, d;

	/* CPUID leaf 7: EBX bit 24 is CLWB, bit 23 CLFLUSHOPT. */
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 23 & 1) || !(b >> 24 & 1) ||
	    !__builtin_cpu_supports("avx512f"))
		return 4;
	do_loop();
	do_store();
	do_nt();
	do_lock();
	return 0;
}
