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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <ucontext.h>
#include <unistd.h>

#define POINTS_RANGES	16
#define POINTS_PAGE	4096UL
#define TRAP_FLAG	0x100L		/* in EFLAGS: trap after the next instruction */

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
} points;

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

static void point(void)
{
	if (!points.armed)
		return;
	if (points.done++ != points.kill_at)
		return;
	/* The kernel marks the locks of the dead, and must be able to. */
	points_protect(PROT_READ | PROT_WRITE);
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
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
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	for (; points.opened; points.opened--) {
		char *page = points.open[points.opened - 1];

		if (points_in_bulk(page))
			points.loose = page;
		else if (points_hold(page))
			mprotect(page, POINTS_PAGE, PROT_READ);
	}
	point();
}

/* In a child, before it opens anything: be killed at point @kill_at after points_arm(). */
static void points_begin(uint64_t kill_at)
{
	struct sigaction act = { .sa_sigaction = points_fault, .sa_flags = SA_SIGINFO };

	memset(&points, 0, sizeof(points));
	points.kill_at = kill_at;
	sigaction(SIGSEGV, &act, NULL);
	act.sa_sigaction = points_trap;
	sigaction(SIGTRAP, &act, NULL);
}

static void points_arm(void)
{
	points.armed = true;
	points_protect(PROT_READ);
	point();			/* 0: nothing was changed so far */
}

/* Returns how many points there were. */
static uint64_t points_disarm(void)
{
	points.armed = false;
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
	return ret;								\
}

POINTS_WRAP(shm_open, (const char *name, int flags, mode_t mode), name, flags, mode)
POINTS_WRAP(shm_unlink, (const char *name), name)
POINTS_WRAP(ftruncate, (int fd, off_t bytes), fd, bytes)
POINTS_WRAP(fchown, (int fd, uid_t uid, gid_t gid), fd, uid, gid)
POINTS_WRAP(fchmod, (int fd, mode_t mode), fd, mode)
POINTS_WRAP(close, (int fd), fd)

#endif
