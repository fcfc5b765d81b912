/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * insn.h - tell the x86-64 instructions that persistence consists of from all others.
 */
#ifndef SELFTESTS_BENCH_INSN_H
#define SELFTESTS_BENCH_INSN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

enum insn_kind {
	INSN_PLAIN,
	INSN_SFENCE,
	INSN_MFENCE,
	INSN_LFENCE,
	INSN_CLWB,
	INSN_CLFLUSHOPT,
	INSN_CLFLUSH,
	INSN_NT,	/* non-temporal store */
	INSN_LOCK,	/* LOCK prefix, or xchg with memory, which locks without one */
	INSN_SYSCALL,
	INSN_REP,	/* repeated string instruction */
	INSN_KINDS
};

#define INSN_MAX 16	/* bytes that the decoder wants to see; the longest has 15 */

/**
 * struct insn - one decoded instruction
 * @rip: where it lies
 * @bytes: what lies there; the rest is the decoder's
 * @kind: what it is
 * @modrm: index in @bytes of its ModRM byte, where it has an address that insn_address() knows
 * @nt_bytes: of INSN_NT, how many it stores
 * @disp8_scale: what a displacement of one byte is multiplied with
 * @base_high, @index_high: the base or index register is one of r8 to r15
 * @known: the slot of a table is in use
 */
struct insn {
	uint64_t rip;
	uint8_t bytes[INSN_MAX];
	uint8_t kind;
	uint8_t modrm;
	uint8_t nt_bytes;
	uint8_t disp8_scale;
	bool base_high;
	bool index_high;
	bool known;
};

/* Fill all but @rip, @bytes and @known. movdir64b and movdiri count as plain. */
void insn_decode(struct insn *insn);

/* The address that a flush or non-temporal store goes to, if it is executed with @regs. */
uint64_t insn_address(const struct insn *insn, const struct user_regs_struct *regs);

#endif
