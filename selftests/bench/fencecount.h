/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fencecount.h - marks of the regions that fencecount counts.
 *
 *	FC_BEGIN("name", nops);
 *	... the code under test, @nops times ...
 *	FC_END();
 *
 * A mark is a prctl() with an unknown option: not traced, it fails and does no harm. Only the main
 * thread is counted. Regions do not nest.
 */
#ifndef SELFTESTS_BENCH_FENCECOUNT_H
#define SELFTESTS_BENCH_FENCECOUNT_H

#include <sys/syscall.h>
#include <unistd.h>

#define FC_MAGIC 0x46434e54UL /* "FCNT" */
#define FC_MARK_BEGIN 1UL
#define FC_MARK_END 2UL

#define FC_BEGIN(name, nops)							\
	((void)syscall(SYS_prctl, FC_MAGIC, FC_MARK_BEGIN, (unsigned long)(nops), \
		       (const char *)(name), 0UL))
#define FC_END() ((void)syscall(SYS_prctl, FC_MAGIC, FC_MARK_END, 0UL, 0UL, 0UL))

#endif
