/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process that kills itself after the n-th instruction that others can notice.
 *
 * While it is armed, what it shares (every MAP_SHARED mapping that the library made) is mapped
 * read-only. So each store faults; the handler makes the page writable, lets one instruction pass
 * (the trap flag), and protects the page again. After that instruction, and after each system call
 * that changes what is shared (kill.mk), is a point: all instructions up to the next one are alike
 * to everybody else, so a kill at one of them is a kill at any. A LOCKed instruction that does not
 * change anything, and each step of a repeated one, are points, too.
 *
 * In the bulk, which is what objects hold, only the first of several stores to a page counts.
 *
 * That they are alike is what this rests on, so it is tried, too: the process can be killed any
 * number of instructions after a point. From the point on the trap flag stays set, in all threads
 * that come by. Instructions of these wrappers count, and one right after a system call is taken
 * with it. Whoever comes to the next point first is killed there.
 *
 * The kill is a SIGKILL like any other. The kernel ends the process before it goes on.
 */
#ifndef SELFTESTS_POINTS_H
#define SELFTESTS_POINTS_H

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <ucontext.h>
#include <unistd.h>

#define POINTS_RANGES	16
#define POINTS_PAGE	4096UL
#define TRAP_FLAG	0x100L		/* in EFLAGS: trap after the next instruction */

/**
 * struct points_death - where a process was killed
 * @point: points passed before
 * @stepped: instructions since then
 * @length: instructions since points.kill_at; @point tells whether those were all
 */
struct points_death {
	uint64_t point;
	uint64_t stepped;
	uint64_t length;
};

static struct {
	struct {
		char *at;
		size_t bytes;
	} range[POINTS_RANGES];
	char *bulk, *bulk_end;		/* bulk, but for what stands from @each to @each_end */
	char *each, *each_end;
	char *loose;			/* page of the bulk that is left writable */
	char *open[4];			/* pages that the instruction at hand may write */
	unsigned int opened;
	bool armed;
	uint64_t done;			/* points passed */
	uint64_t kill_at;
	uint64_t kill_after;		/* instructions after that point */
	bool stepping;			/* that point is passed */
	uint64_t stepped;		/* instructions since */
	struct points_death *death;
} points;
static __thread bool points_waits;

static bool points_hold(const char *p)
{
	unsigned int i;

	for (i = 0; i < POINTS_RANGES; i++) {
		if (p >= points.range[i].at && p < points.range[i].at + points.range[i].bytes)
			return true;
	}
	return false;
}

static void points_protect(int prot)
{
	unsigned int i;

	for (i = 0; i < POINTS_RANGES; i++) {
		if (points.range[i].bytes &&
		    mprotect(points.range[i].at, points.range[i].bytes, prot))
			abort();
	}
}

static void __attribute__((noreturn)) points_die(uint64_t point, uint64_t stepped)
{
	points.death->point = point;
	points.death->stepped = stepped;
	points.death->length = points.stepped;
	/* The kernel marks the locks of the dead, and must be able to. */
	points_protect(PROT_READ | PROT_WRITE);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static void point(void)
{
	uint64_t at;

	if (!points.armed)
		return;
	at = points.done++;
	if (points.stepping)
		points_die(at, 0);
	if (at != points.kill_at)
		return;
	if (!points.kill_after)
		points_die(at, 0);
	points.stepping = true;
}

/* The calling thread's instructions count from here on, if any do. */
static void points_step(void)
{
	if (__atomic_load_n(&points.stepping, __ATOMIC_SEQ_CST))
		__asm__ volatile("sub $128, %%rsp\n\t"
				 "pushf\n\t"
				 "orl %0, (%%rsp)\n\t"
				 "popf\n\t"
				 "sub $-128, %%rsp" : : "i" (TRAP_FLAG) : "memory", "cc");
}

/*
 * The calling thread hands over to another, and waits for it. Its own instructions do not count up
 * to points_return(): they are made at the same time as those of the other, so they would be
 * counted in any order, and their traps would protect the page that the other is about to write.
 */
static void points_hand_over(void)
{
	points_waits = true;
}

static void points_return(void)
{
	points_waits = false;
	points_step();
}

/*
 * The instruction at hand is about to block all signals, as those who make and end threads do. A
 * trap that is blocked would end the process, so it is left out.
 */
static void points_stay_awake(greg_t *gregs)
{
	static __thread uint64_t set;
	const unsigned char *next = (const unsigned char *)gregs[REG_RIP];

	if (next[0] != 0x0f || next[1] != 0x05 || gregs[REG_RAX] != SYS_rt_sigprocmask ||
	    gregs[REG_RDI] == SIG_UNBLOCK || !gregs[REG_RSI])
		return;
	set = *(const uint64_t *)gregs[REG_RSI] & ~(1ULL << (SIGTRAP - 1));
	gregs[REG_RSI] = (greg_t)&set;
}

static bool points_in_bulk(const char *page)
{
	return page >= points.bulk && page < points.bulk_end &&
	       (page >= points.each_end || page + POINTS_PAGE <= points.each);
}

static void points_fault(int sig, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & ~(POINTS_PAGE - 1));
	ucontext_t *uc = context;

	if (!points.armed || !points_hold(page) || points.opened == 4) {
		signal(sig, SIG_DFL);		/* a fault that is meant */
		return;
	}
	if (points.loose && points_hold(points.loose))
		mprotect(points.loose, POINTS_PAGE, PROT_READ);
	points.loose = NULL;
	mprotect(page, POINTS_PAGE, PROT_READ | PROT_WRITE);
	points.open[points.opened++] = page;
	uc->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void points_trap(int sig, siginfo_t *info, void *context)
{
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t stepped;
	bool store;

	(void)sig;
	(void)info;
	if (points_waits) {
		gregs[REG_EFL] &= ~TRAP_FLAG;
		return;
	}
	store = points.opened;
	for (; points.opened; points.opened--) {
		char *page = points.open[points.opened - 1];

		if (points_in_bulk(page))
			points.loose = page;
		else if (points_hold(page))
			mprotect(page, POINTS_PAGE, PROT_READ);
	}
	if (store) {
		point();
	} else if (points.armed && points.stepping) {
		stepped = __atomic_add_fetch(&points.stepped, 1, __ATOMIC_SEQ_CST);
		if (stepped == points.kill_after)
			points_die(points.kill_at, stepped);
	}
	gregs[REG_EFL] &= ~TRAP_FLAG;
	if (points.armed && points.stepping) {
		gregs[REG_EFL] |= TRAP_FLAG;
		points_stay_awake(gregs);
	}
}

/*
 * In a child, before it opens anything: be killed @after instructions after point @kill_at, counted
 * from points_arm() on, and tell @death where that was.
 */
static void points_begin(uint64_t kill_at, uint64_t after, struct points_death *death)
{
	struct sigaction act = { .sa_sigaction = points_fault, .sa_flags = SA_SIGINFO };

	memset(&points, 0, sizeof(points));
	points.kill_at = kill_at;
	points.kill_after = after;
	points.death = death;
	sigaction(SIGSEGV, &act, NULL);
	act.sa_sigaction = points_trap;
	sigaction(SIGTRAP, &act, NULL);
}

static void points_arm(void)
{
	points.armed = true;
	points_protect(PROT_READ);
	point();			/* 0: nothing was changed so far */
	points_step();
}

/* Returns how many points there were. */
static uint64_t points_disarm(void)
{
	points.armed = false;
	points.death->length = points.stepped;
	points_protect(PROT_READ | PROT_WRITE);
	return points.done;
}

/* ---- what the library calls --------------------------------------------------------------- */

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off)
{
	char *p = __real_mmap(at, bytes, prot, flags, fd, off);
	unsigned int i;

	if (p == MAP_FAILED || fd < 0 || (flags & MAP_TYPE) == MAP_PRIVATE)
		return p;
	for (i = 0; i < POINTS_RANGES && points.range[i].bytes; i++)
		;
	if (i == POINTS_RANGES)
		abort();
	points.range[i].at = p;
	points.range[i].bytes = bytes;
	if (points.armed && mprotect(p, bytes, PROT_READ))
		abort();
	return p;
}

int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes)
{
	char *p = at;
	unsigned int i;

	for (i = 0; i < POINTS_RANGES; i++) {
		if (points.range[i].at >= p && points.range[i].at < p + bytes)
			points.range[i].bytes = 0;
	}
	return __real_munmap(at, bytes);
}

/* Locks: others see them. */
int __real_fcntl(int fd, int cmd, void *arg);
int __wrap_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...)
{
	va_list args;
	void *arg;
	int ret;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	ret = __real_fcntl(fd, cmd, arg);
	point();
	points_step();
	return ret;
}

#define POINTS_WRAP(call, args, ...)						\
int __real_##call args;								\
int __wrap_##call args;								\
int __wrap_##call args								\
{										\
	int ret = __real_##call(__VA_ARGS__);					\
										\
	point();								\
	points_step();								\
	return ret;								\
}

POINTS_WRAP(shm_open, (const char *name, int flags, mode_t mode), name, flags, mode)
POINTS_WRAP(shm_unlink, (const char *name), name)
POINTS_WRAP(ftruncate, (int fd, off_t bytes), fd, bytes)
POINTS_WRAP(fchown, (int fd, uid_t uid, gid_t gid), fd, uid, gid)
POINTS_WRAP(fchmod, (int fd, mode_t mode), fd, mode)
POINTS_WRAP(close, (int fd), fd)

#endif
