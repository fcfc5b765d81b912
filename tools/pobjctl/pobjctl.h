/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pobjctl - list, inspect, check and recover pools and regions.
 *
 * One verb is one file, which holds its code and its help. main.c has the table of verbs and reads
 * the options, out.c turns values into text and JSON, fail.c turns errors into advice.
 */
#ifndef POBJCTL_H
#define POBJCTL_H 1

#include <stdbool.h>

#define __printf(fmt, args)	__attribute__((__format__(printf, fmt, args)))

#define EXIT_OK		0
#define EXIT_PROBLEM	1	/* a check found something, or something could not be done */
#define EXIT_USAGE	2

struct options {
	bool json;
	bool bytes;
};

#define VERB_JSON	0x1	/* takes --json */
#define VERB_BYTES	0x2	/* takes --bytes */

/**
 * struct verb - what "pobjctl NAME" does
 * @name: its name
 * @args: its arguments, as usage shows them
 * @summary: one line, without a full stop
 * @details: more lines of help, each with its newline
 * @example: a command line
 * @flags: VERB_*
 * @min_args: number of arguments, at least
 * @max_args: and at most; -1 for any number
 * @run: does it; returns EXIT_*
 */
struct verb {
	const char *name;
	const char *args;
	const char *summary;
	const char *details;
	const char *example;
	unsigned int flags;
	int min_args;
	int max_args;
	int (*run)(int cnt, char **args, const struct options *opt);
};

extern const struct verb verb_list;
extern const struct verb verb_info;
extern const struct verb verb_check;
extern const struct verb verb_recover;
extern const struct verb verb_claim;
extern const struct verb verb_release;

#endif
