// SPDX-License-Identifier: BSD-3-Clause
/*
 * Loaded into a test program by LD_PRELOAD, where a tool makes everything many times slower: the
 * harness kills a test after so many seconds, and each alarm comes POBJ_PATIENCE times as late.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

unsigned int alarm(unsigned int seconds)
{
	unsigned int (*real)(unsigned int seconds) = dlsym(RTLD_NEXT, "alarm");
	const char *by = getenv("POBJ_PATIENCE");

	if (!real)
		abort();
	return real(by ? seconds * (unsigned int)atoi(by) : seconds);
}
