// SPDX-License-Identifier: BSD-3-Clause
/*
 * What went wrong, in words, for the thread it happened to. A text names the thing, what was
 * wrong and, where there is something to do, what to do. The library itself never prints.
 */
#include <stdarg.h>
#include <stdio.h>

#include "lib/errormsg.h"
#include "libpmemobj/base.h"
#include "pobj.h"

/* Room for a longest path and a sentence; a longer text is cut. */
static _Thread_local char message[8192];

const char *pobj_errormsg(void)
{
	return message;
}

const char *pmemobj_errormsg(void)
{
	return message;
}

int pobj_err(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	errno = -err;
	return err;
}

int pobj_err_sys(int err, const char *fmt, ...)
{
	char words[128];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (len >= 0 && (size_t)len < sizeof(message))
		snprintf(message + len, sizeof(message) - len, ": %s",
			 strerror_r(-err, words, sizeof(words)));
	errno = -err;
	return err;
}

int pobj_err_finding(int err, const char *what, const struct pobj_finding *f)
{
	/* Nothing is wrong with what stands there: a write failed. */
	if (f->diag == POBJ_DIAG_NONE)
		return pobj_err_sys(err, "%s: recovery cannot write", what);
	return pobj_err(err, "%s: %s (at offset 0x%llx: found 0x%llx, expected 0x%llx); %s", what,
			pobj_diag_text(f->diag), (unsigned long long)f->off,
			(unsigned long long)f->found, (unsigned long long)f->expected,
			pobj_diag_advice(f->diag));
}
