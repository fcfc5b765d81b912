// SPDX-License-Identifier: BSD-3-Clause
/*
 * fencecount - what an operation costs in instructions, exactly and for any library.
 *
 * usage: fencecount [-c] [-t FILE] PROGRAM [ARGUMENT...]
 *	-c	CSV instead of a table
 *	-t	every fence, flush and non-temporal store to FILE
 *
 * Single-steps the main thread of PROGRAM between the marks of fencecount.h and looks at every
 * instruction. All figures are per operation:
 *
 *	insn		instructions; a repeated string instruction is one
 *	rounds		fences with a flush or non-temporal store since the one before: these wait
 *	sfence mfence	all fences
 *	clwb clflushopt clflush ntstore ntbytes
 *	lines		different cache lines written back in the whole region
 *	again_same	flushes of a line already written back since the last fence: waste
 *	again_other	the same since the begin of the region
 *	lock		LOCKed instructions, xchg with memory among them
 *	syscall
 *
 * A program with a single thread makes glibc leave out the LOCK prefix: start a second one.
 * Outside the marks the program runs at full speed, inside 10,000 to 100,000 instructions a second.
 * Exit status: that of PROGRAM; 128 and its signal; 2 for wrong usage, 3 if it cannot be traced.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "selftests/bench/fencecount.h"
#include "selftests/bench/x86/insn.h"

#define INSN_BITS 20	/* different instructions in all regions, at most half of 2^INSN_BITS */
#define LINE_BITS 18	/* different lines in one region, likewise */

/**
 * struct line - a cache line that was written back
 * @number: address / 64
 * @region: in which region; what earlier ones left here is free to be overwritten
 * @epoch: before which fence, at last
 */
struct line {
	uint64_t number;
	uint32_t region;
	uint32_t epoch;
};

struct counts {
	uint64_t kind[INSN_KINDS];
	uint64_t total, rounds, nt_bytes, lines, again_same, again_other;
};

/* What is counted now. */
static struct {
	char name[64];
	unsigned long nops;
	struct counts counts;
	uint32_t number;	/* of the region */
	uint32_t epoch;
	unsigned int lines;
	bool pending;		/* written back, and no fence since */
	uint64_t last_rip;
} region;

static struct insn *insns;
static unsigned int n_insns;
static struct line *lines;
static pid_t pid;
static bool csv;
static FILE *trace;

static void die(const char *what)
{
	fprintf(stderr, "fencecount: %s\n", what);
	kill(pid, SIGKILL);
	exit(3);
}

static void read_memory(uint64_t address, void *buf, size_t len)
{
	struct iovec local = { buf, len }, remote = { (void *)address, len };

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)len)
		return;
	/* Over the end of a mapping: as far as it goes, by words; nops behind. */
	memset(buf, 0x90, len);
	for (size_t i = 0; i < len; i += sizeof(long)) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKTEXT, pid, address + i, 0);
		if (errno)
			return;
		memcpy((char *)buf + i, &word, len - i < sizeof(word) ? len - i : sizeof(word));
	}
}

static unsigned int hash(uint64_t key, int bits)
{
	return key * 0x9e3779b97f4a7c15ULL >> (64 - bits);
}

/* The instruction at @rip, decoded once. */
static const struct insn *insn_at(uint64_t rip)
{
	for (unsigned int i = hash(rip, INSN_BITS);; i = (i + 1) % (1U << INSN_BITS)) {
		struct insn *insn = &insns[i];

		if (insn->known && insn->rip == rip)
			return insn;
		if (insn->known)
			continue;
		if (++n_insns > 1U << (INSN_BITS - 1))
			die("too many different instructions");
		insn->known = true;
		insn->rip = rip;
		read_memory(rip, insn->bytes, INSN_MAX);
		insn_decode(insn);
		return insn;
	}
}

static void count_line(uint64_t number, bool flush)
{
	for (unsigned int i = hash(number, LINE_BITS);; i = (i + 1) % (1U << LINE_BITS)) {
		struct line *line = &lines[i];

		if (line->region != region.number) {
			if (++region.lines > 1U << (LINE_BITS - 1))
				die("too many different lines");
			*line = (struct line){ number, region.number, region.epoch };
			region.counts.lines++;
			return;
		}
		if (line->number != number)
			continue;
		if (flush && line->epoch == region.epoch)
			region.counts.again_same++;
		else if (flush)
			region.counts.again_other++;
		line->epoch = region.epoch;
		return;
	}
}

static const char *const kind_names[INSN_KINDS] = {
	[INSN_SFENCE] = "sfence", [INSN_MFENCE] = "mfence", [INSN_CLWB] = "clwb",
	[INSN_CLFLUSHOPT] = "clflushopt", [INSN_CLFLUSH] = "clflush", [INSN_NT] = "ntstore",
};

/* Count the instruction that @regs is about to execute. */
static void count(const struct insn *insn, const struct user_regs_struct *regs)
{
	struct counts *c = &region.counts;
	uint64_t line;

	/* A trap comes after each repetition. */
	if (insn->kind == INSN_REP && region.last_rip == insn->rip)
		return;
	region.last_rip = insn->rip;
	c->total++;
	c->kind[insn->kind]++;
	switch (insn->kind) {
	case INSN_SFENCE:
	case INSN_MFENCE:
		if (trace)
			fprintf(trace, "%s rip=%" PRIx64 "\n", kind_names[insn->kind], insn->rip);
		c->rounds += region.pending;
		region.pending = false;
		region.epoch++;
		break;
	case INSN_NT:
	case INSN_CLWB:
	case INSN_CLFLUSHOPT:
	case INSN_CLFLUSH:
		line = insn_address(insn, regs) >> 6;
		if (trace)
			fprintf(trace, "%s line=%" PRIx64 " rip=%" PRIx64 "\n",
				kind_names[insn->kind], line, insn->rip);
		c->nt_bytes += insn->nt_bytes;
		count_line(line, insn->kind != INSN_NT);
		region.pending = true;
		break;
	}
}

static void begin(const struct user_regs_struct *regs)
{
	memset(&region.counts, 0, sizeof(region.counts));
	memset(region.name, 0, sizeof(region.name));
	read_memory(regs->r10, region.name, sizeof(region.name) - 1);
	region.nops = regs->rdx ? regs->rdx : 1;
	region.number++;
	region.epoch++;
	region.lines = 0;
	region.pending = false;
	region.last_rip = 0;
	if (trace)
		fprintf(trace, "BEGIN %s\n", region.name);
}

static void head(void)
{
	if (csv)
		puts("region,ops,insn,rounds,sfence,mfence,clwb,clflushopt,clflush,ntstore,"
		     "ntbytes,lines,again_same,again_other,lock,syscall");
	else
		printf("%-26s %6s %8s %7s %7s %7s %9s %7s %8s %7s %8s %8s %6s %7s\n",
		       "region (per op)", "ops", "insn", "fences", "rounds", "clwb",
		       "clfl(opt)", "ntst", "ntbytes", "lines", "ag-same", "ag-other", "lock",
		       "syscall");
}

static double per_op(uint64_t n)
{
	return (double)n / region.nops;
}

static void end(void)
{
	const struct counts *c = &region.counts;
	const uint64_t *k = c->kind;

	if (csv)
		printf("%s,%lu,%.2f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.1f,%.3f,%.3f,%.3f,"
		       "%.3f,%.3f\n",
		       region.name, region.nops, per_op(c->total), per_op(c->rounds),
		       per_op(k[INSN_SFENCE]), per_op(k[INSN_MFENCE]), per_op(k[INSN_CLWB]),
		       per_op(k[INSN_CLFLUSHOPT]), per_op(k[INSN_CLFLUSH]), per_op(k[INSN_NT]),
		       per_op(c->nt_bytes), per_op(c->lines), per_op(c->again_same),
		       per_op(c->again_other), per_op(k[INSN_LOCK]), per_op(k[INSN_SYSCALL]));
	else
		printf("%-26s %6lu %8.1f %7.2f %7.2f %7.2f %9.2f %7.2f %8.1f %7.2f %8.2f %8.2f "
		       "%6.2f %7.3f\n",
		       region.name, region.nops, per_op(c->total),
		       per_op(k[INSN_SFENCE] + k[INSN_MFENCE]), per_op(c->rounds),
		       per_op(k[INSN_CLWB]), per_op(k[INSN_CLFLUSHOPT] + k[INSN_CLFLUSH]),
		       per_op(k[INSN_NT]), per_op(c->nt_bytes), per_op(c->lines),
		       per_op(c->again_same), per_op(c->again_other), per_op(k[INSN_LOCK]),
		       per_op(k[INSN_SYSCALL]));
	fflush(stdout);
	if (trace)
		fprintf(trace, "END %s\n", region.name);
}

/* Let the program run to its next stop. Exits with the program. */
static int next_stop(bool stepping, int sig)
{
	int status;

	if (ptrace(stepping ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, pid, 0, sig) < 0 ||
	    waitpid(pid, &status, 0) < 0)
		die(strerror(errno));
	if (WIFEXITED(status))
		exit(WEXITSTATUS(status));
	if (WIFSIGNALED(status))
		exit(128 + WTERMSIG(status));
	return WSTOPSIG(status);
}

static void run(void)
{
	struct user_regs_struct regs;
	bool stepping = false, in_syscall = false;
	int sig = 0;

	for (;;) {
		const struct insn *insn;
		int stop = next_stop(stepping, sig);

		sig = 0;
		if (stop == (SIGTRAP | 0x80)) { /* entering or leaving a system call */
			ptrace(PTRACE_GETREGS, pid, 0, &regs);
			in_syscall = !in_syscall;
			if (!in_syscall || regs.orig_rax != SYS_prctl || regs.rdi != FC_MAGIC ||
			    regs.rsi != FC_MARK_BEGIN)
				continue;
			begin(&regs);
			next_stop(false, 0);
			in_syscall = false;
			stepping = true;
		} else if (stop != SIGTRAP) {
			sig = stop;
			continue;
		} else if (!stepping) {
			continue;
		}
		ptrace(PTRACE_GETREGS, pid, 0, &regs);
		insn = insn_at(regs.rip);
		if (insn->kind == INSN_SYSCALL && regs.rax == SYS_prctl && regs.rdi == FC_MAGIC &&
		    regs.rsi == FC_MARK_END) {
			end();
			stepping = false;
			continue;
		}
		count(insn, &regs);
	}
}

int main(int argc, char **argv)
{
	int opt, status;

	while ((opt = getopt(argc, argv, "+ct:")) != -1) {
		if (opt == 'c') {
			csv = true;
		} else if (opt == 't') {
			trace = fopen(optarg, "we");
			if (!trace)
				return perror(optarg), 2;
		} else {
			return 2;
		}
	}
	if (optind == argc) {
		fprintf(stderr, "usage: fencecount [-c] [-t FILE] PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	insns = calloc(1U << INSN_BITS, sizeof(*insns));
	lines = calloc(1U << LINE_BITS, sizeof(*lines));
	if (!insns || !lines)
		return perror("fencecount"), 3;
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execvp(argv[optind], argv + optind);
		perror(argv[optind]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return perror("fencecount"), 3;
	if (!WIFSTOPPED(status))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
	ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	head();
	run();
}
