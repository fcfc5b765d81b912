// SPDX-License-Identifier: BSD-3-Clause
/*
 * insn.c - prefixes, opcode, ModRM: as much of the instruction set as fencecount asks for.
 */
#include "selftests/bench/x86/insn.h"

#include <string.h>

#define ESCAPE		0x0f	/* first byte of a two-byte opcode */
#define VEX2		0xc5
#define VEX3		0xc4
#define EVEX		0x62
#define OP_MOVNT_INT	0xe7	/* with 66: movntdq; without: movntq, MMX, which nobody uses */
#define OP_MOVNT_FLOAT	0x2b	/* movntps, movntpd */
#define OP_MOVNTI	0xc3
#define OP_GROUP15	0xae	/* fences and flushes, told apart by ModRM */

struct prefixes {
	int len;
	bool p66;
	bool lock;
	bool rep;
	uint8_t rex;
};

static struct prefixes read_prefixes(const uint8_t *b)
{
	struct prefixes p = { 0 };

	for (; p.len < 8; p.len++) {
		switch (b[p.len]) {
		case 0x66:
			p.p66 = true;
			continue;
		case 0xf0:
			p.lock = true;
			continue;
		case 0xf2:
		case 0xf3:
			p.rep = true;
			continue;
		case 0x26: /* segments and address size: of no interest here */
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0x67:
			continue;
		}
		break;
	}
	if ((b[p.len] & 0xf0) == 0x40)
		p.rex = b[p.len++];
	return p;
}

static bool has_memory(uint8_t modrm)
{
	return modrm >> 6 != 3;
}

static bool nt(struct insn *insn, int modrm, int bytes)
{
	insn->kind = INSN_NT;
	insn->modrm = modrm;
	insn->nt_bytes = bytes;
	return true;
}

/* 0f ae /N: N and what ModRM says of memory tell which. */
static bool decode_group15(struct insn *insn, const struct prefixes *p)
{
	uint8_t modrm = insn->bytes[p->len + 2];
	int reg = modrm >> 3 & 7;

	if (p->rep)
		return false;
	if (!has_memory(modrm)) {
		if (reg == 7)
			insn->kind = INSN_SFENCE;
		else if (reg == 6 && !p->p66)
			insn->kind = INSN_MFENCE;
		else if (reg == 5)
			insn->kind = INSN_LFENCE;
	} else {
		insn->modrm = p->len + 2;
		if (p->p66 && reg == 6)
			insn->kind = INSN_CLWB;
		else if (p->p66 && reg == 7)
			insn->kind = INSN_CLFLUSHOPT;
		else if (reg == 7)
			insn->kind = INSN_CLFLUSH;
	}
	return insn->kind != INSN_PLAIN;
}

static bool decode_two_byte(struct insn *insn, const struct prefixes *p)
{
	uint8_t op = insn->bytes[p->len + 1];

	switch (op) {
	case 0x05:
		insn->kind = INSN_SYSCALL;
		return true;
	case OP_GROUP15:
		return decode_group15(insn, p);
	case OP_MOVNTI:
		if (has_memory(insn->bytes[p->len + 2]) && !p->p66)
			return nt(insn, p->len + 2, p->rex & 8 ? 8 : 4);
		return false;
	case OP_MOVNT_INT:
		return p->p66 && nt(insn, p->len + 2, 16);
	case OP_MOVNT_FLOAT:
		return nt(insn, p->len + 2, 16);
	}
	return false;
}

/* AVX and AVX-512: @pp is the prefix 66 in their spelling. */
static bool decode_vector(struct insn *insn, const uint8_t *b)
{
	int at = b - insn->bytes;
	uint8_t op, pp, map, bytes;
	int op_at;

	switch (b[0]) {
	case VEX2:
		op_at = 2;
		map = 1;
		pp = b[1] & 3;
		bytes = b[1] & 4 ? 32 : 16;
		break;
	case VEX3:
		op_at = 3;
		map = b[1] & 0x1f;
		pp = b[2] & 3;
		bytes = b[2] & 4 ? 32 : 16;
		break;
	case EVEX:
		op_at = 4;
		map = b[1] & 7;
		pp = b[2] & 3;
		bytes = 16 << (b[3] >> 5 & 3);
		break;
	default:
		return false;
	}
	op = b[op_at];
	if (map != 1 || !(op == OP_MOVNT_FLOAT || (op == OP_MOVNT_INT && pp == 1)))
		return false;
	if (b[0] != VEX2) { /* stored inverted */
		insn->base_high = !(b[1] & 0x20);
		insn->index_high = !(b[1] & 0x40);
	}
	if (b[0] == EVEX)
		insn->disp8_scale = bytes;
	return nt(insn, at + op_at + 1, bytes);
}

void insn_decode(struct insn *insn)
{
	struct prefixes p = read_prefixes(insn->bytes);
	const uint8_t *b = insn->bytes + p.len;

	insn->kind = INSN_PLAIN;
	insn->modrm = 0;
	insn->nt_bytes = 0;
	insn->disp8_scale = 1;
	insn->base_high = p.rex & 1;
	insn->index_high = p.rex & 2;

	if (b[0] == ESCAPE ? decode_two_byte(insn, &p) : !p.rex && decode_vector(insn, b))
		return;
	if (p.lock || ((b[0] == 0x86 || b[0] == 0x87) && has_memory(b[1])))
		insn->kind = INSN_LOCK;
	else if (p.rep && ((0xa4 <= b[0] && b[0] <= 0xa7) || (0xaa <= b[0] && b[0] <= 0xaf)))
		insn->kind = INSN_REP;
}

static uint64_t reg(const struct user_regs_struct *r, int low, bool high)
{
	const unsigned long long value[] = {
		r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
		r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15,
	};

	return value[low | high << 3];
}

uint64_t insn_address(const struct insn *insn, const struct user_regs_struct *regs)
{
	const uint8_t *b = insn->bytes + insn->modrm;
	int mod = *b >> 6, rm = *b & 7;
	uint64_t address = 0;
	int32_t disp = 0;

	b++;
	if (rm == 4) { /* a SIB byte follows */
		int scale = *b >> 6, index = *b >> 3 & 7, base = *b & 7;

		b++;
		if (index != 4 || insn->index_high)
			address += reg(regs, index, insn->index_high) << scale;
		if (base != 5 || mod)
			address += reg(regs, base, insn->base_high);
		else
			mod = 2; /* no base, four bytes of displacement */
	} else if (rm == 5 && mod == 0) {
		/* Counted from the next instruction; there is no immediate behind. */
		address = insn->rip + (b + sizeof(disp) - insn->bytes);
		mod = 2;
	} else {
		address += reg(regs, rm, insn->base_high);
	}
	if (mod == 1)
		disp = (int8_t)*b * insn->disp8_scale;
	else if (mod == 2)
		memcpy(&disp, b, sizeof(disp));
	return address + (int64_t)disp;
}
