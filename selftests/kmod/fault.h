/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* Access to memory that may raise SIGSEGV or SIGBUS: says which, instead of dying. */
#ifndef POBJ_SELFTESTS_KMOD_FAULT_H
#define POBJ_SELFTESTS_KMOD_FAULT_H

#include "kmod.h"

#include <setjmp.h>

/**
 * struct t_fault - what an access came to
 * @sig: SIGSEGV, SIGBUS, or 0: it went well
 * @code: si_code
 * @addr: si_addr
 */
struct t_fault {
	int sig;
	int code;
	void *addr;
};

static sigjmp_buf t_fault_jmp;
static volatile struct t_fault t_fault_last;

static inline void t_fault_handler(int sig, siginfo_t *si, void *context)
{
	t_fault_last.sig = sig;
	t_fault_last.code = si->si_code;
	t_fault_last.addr = si->si_addr;
	siglongjmp(t_fault_jmp, 1);
}

static inline struct t_fault t_touch(void *p, bool write)
{
	struct sigaction act = { .sa_sigaction = t_fault_handler, .sa_flags = SA_SIGINFO };
	volatile __u8 *byte = p;
	struct sigaction segv, bus;
	struct t_fault f = { 0 };

	sigaction(SIGSEGV, &act, &segv);
	sigaction(SIGBUS, &act, &bus);
	t_fault_last.sig = 0;
	if (!sigsetjmp(t_fault_jmp, 1)) {
		if (write)
			*byte = 0x5a;
		else
			(void)*byte;
	} else {
		f.sig = t_fault_last.sig;
		f.code = t_fault_last.code;
		f.addr = t_fault_last.addr;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return f;
}

static inline struct t_fault t_load(void *p)
{
	return t_touch(p, false);
}

static inline struct t_fault t_store(void *p)
{
	return t_touch(p, true);
}

#endif /* POBJ_SELFTESTS_KMOD_FAULT_H */
