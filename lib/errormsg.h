/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of a thread's last error: see errormsg.c. */
#ifndef POBJ_LIB_ERRORMSG_H
#define POBJ_LIB_ERRORMSG_H

#include "lib/core/diag.h"

/* Set the text and return @err (negative): a failing path is one statement. */
int pobj_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As pobj_err() with ": " and the words for @err behind it. */
int pobj_err_sys(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Text for a finding of lib/core about @what. Returns @err. */
int pobj_err_finding(int err, const char *what, const struct pobj_finding *f);

#endif
