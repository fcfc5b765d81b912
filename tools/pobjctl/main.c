// SPDX-License-Identifier: BSD-3-Clause
/* pobjctl: finds the verb, reads its options, runs it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "pobjctl.h"

#ifndef POBJ_VERSION
#define POBJ_VERSION	"0.1.0"	/* as in Makefile */
#endif

static const struct verb *const verbs[] = {
	&verb_list, &verb_info, &verb_check, &verb_recover, &verb_claim, &verb_release,
};

static const char exit_help[] =
	"Exit status: 0 fine; 1 problems found, or something could not be done; 2 wrong usage.\n";

static void print_usage(FILE *to)
{
	size_t i;

	fputs("usage: pobjctl VERB [OPTION...] [ARGUMENT...]\n"
	      "       pobjctl VERB --help\n"
	      "       pobjctl --help | --version\n\n"
	      "Show, check and recover pools of persistent memory. A pool is the PATH of a file, or\n"
	      "pobj:NAME, where NAME is the UUID of a pool or the name of a device (pobj:pmem0).\n\n",
	      to);
	for (i = 0; i < OUT_CNT(verbs); i++)
		fprintf(to, "  %-8s %-8s  %s\n", verbs[i]->name, verbs[i]->args, verbs[i]->summary);
	fprintf(to, "\n%s", exit_help);
}

static void verb_usage(FILE *to, const struct verb *v)
{
	fprintf(to, "usage: pobjctl %s%s%s%s%s\n", v->name,
		v->flags & VERB_JSON ? " [--json]" : "",
		v->flags & VERB_BYTES ? " [--bytes]" : "", *v->args ? " " : "", v->args);
}

static void verb_help(const struct verb *v)
{
	verb_usage(stdout, v);
	printf("\n%s.\n%s\n", v->summary, v->details);
	if (v->flags & VERB_JSON)
		puts("  --json   print JSON on stdout; messages go to stderr");
	if (v->flags & VERB_BYTES)
		puts("  --bytes  print exact sizes in bytes");
	printf("  --help   print this\n\nExample: %s\n\n%s", v->example, exit_help);
}

static int bad_usage(const struct verb *v, const char *text, const char *what)
{
	fprintf(stderr, "pobjctl%s%s: %s", v ? " " : "", v ? v->name : "", text);
	if (what) {
		fputs(": ", stderr);
		out_text(stderr, what);
	}
	fputc('\n', stderr);
	if (v)
		verb_usage(stderr, v);
	fprintf(stderr, "run: pobjctl%s%s --help\n", v ? " " : "", v ? v->name : "");
	return EXIT_USAGE;
}

/* The option that getopt refused; @last is the word it read last. */
static const char *bad_option(char name[3], const char *last)
{
	if (!optopt || !strncmp(last, "--", 2))
		return last;
	snprintf(name, 3, "-%c", optopt);
	return name;
}

static int verb_run(const struct verb *v, int argc, char **argv)
{
	struct options opt = { 0 };
	struct option known[4] = { { "help", no_argument, NULL, 'h' } };
	char name[3];
	int cnt = 1, i, o;

	if (v->flags & VERB_JSON)
		known[cnt++] = (struct option){ "json", no_argument, NULL, 'j' };
	if (v->flags & VERB_BYTES)
		known[cnt++] = (struct option){ "bytes", no_argument, NULL, 'b' };

	opterr = 0;
	while ((o = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		switch (o) {
		case 'h':
			verb_help(v);
			return EXIT_OK;
		case 'j':
			opt.json = true;
			break;
		case 'b':
			opt.bytes = true;
			break;
		default:
			return bad_usage(v, "wrong option", bad_option(name, argv[optind - 1]));
		}
	}
	cnt = argc - optind;
	if (cnt < v->min_args)
		return bad_usage(v, "argument is missing", v->args);
	if (v->max_args >= 0 && cnt > v->max_args)
		return bad_usage(v, "one argument too many", argv[optind + v->max_args]);
	for (i = 0; i < cnt; i++)
		if (!*argv[optind + i])
			return bad_usage(v, "argument is empty", NULL);
	return v->run(cnt, argv + optind, &opt);
}

static int dispatch(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	size_t i;

	if (!name)
		return bad_usage(NULL, "no verb given", NULL);
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_usage(stdout);
		return EXIT_OK;
	}
	if (!strcmp(name, "--version")) {
		puts("pobjctl " POBJ_VERSION);
		return EXIT_OK;
	}
	for (i = 0; i < OUT_CNT(verbs); i++)
		if (!strcmp(name, verbs[i]->name))
			return verb_run(verbs[i], argc - 1, argv + 1);
	return bad_usage(NULL, *name == '-' ? "wrong option" : "no such verb", name);
}

int main(int argc, char **argv)
{
	int ret = dispatch(argc, argv);

	/* A report that did not reach its reader, say on a full disk, is no success. */
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "pobjctl: cannot write the result: %s\n", strerror(errno));
		return EXIT_PROBLEM;
	}
	return ret;
}
