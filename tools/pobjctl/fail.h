/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What could not be done: the library says why, and the tool adds what to do next where it knows
 * more: the verb, the kind of path, whether the module is loaded.
 */
#ifndef POBJCTL_FAIL_H
#define POBJCTL_FAIL_H 1

#include "pobjctl.h"

struct json_object;

/**
 * struct fail - one error
 * @err: negative errno value
 * @cause: what was wrong
 * @advice: what to do next; empty if @cause says it
 */
struct fail {
	int err;
	char cause[2048];
	char advice[2048];
};

/*
 * Print to stderr why @verb failed with @err for @path, or for no path in particular (NULL). Call
 * it right behind the failed call of the library.
 */
void fail_report(struct fail *f, const char *verb, const char *path, int err);

/* Print a note to stderr, in the same form. */
__printf(1, 2) void fail_note(const char *fmt, ...);

/* The error as an object; null for NULL. */
struct json_object *fail_json(const struct fail *f);

/* errno of opening /dev/pobj for reading and writing, 0 if it works */
int fail_control(void);

#define CONTROL_PATH	"/dev/pobj"
#define CONTROL_GROUP	"join the group pobj: usermod -aG pobj USER, then log in again"
#define CONTROL_LOAD	"modprobe pobj"
#define REGION_PREFIX	"pobj:"

#endif
