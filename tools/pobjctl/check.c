// SPDX-License-Identifier: BSD-3-Clause
/* pobjctl check: verify all metadata of pools. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include <pobj.h>

#include "fail.h"
#include "out.h"
#include "pobjctl.h"

#define PROBLEM(member, kind)	OUT_FIELD(struct pobj_problem, member, kind)
#define CENSUS(member)		OUT_FIELD(struct pobj_pool_census, member, OUT_U64)
#define SPANS(member) \
	{ #member, OUT_U64, offsetof(struct pobj_pool_census, spans.member) }

static const struct out_field problem_fields[] = {
	PROBLEM(fatal, OUT_BOOL),
	PROBLEM(off, OUT_U64),
	PROBLEM(found, OUT_U64),
	PROBLEM(expected, OUT_U64),
};

static const struct out_field census_fields[] = {
	CENSUS(problems),
	CENSUS(fatal),
	CENSUS(lanes),
	CENSUS(live_entries),
	CENSUS(pages),
	CENSUS(free_pages),
	CENSUS(largest_free),
};

static const struct out_field span_fields[] = {
	SPANS(slab),
	SPANS(large),
	SPANS(log),
};

struct check {
	const char *path;
	struct json_object *problems;	/* NULL: text */
};

static int print_problem(const struct pobj_problem *p, void *arg)
{
	const struct check *check = arg;
	struct json_object *obj;

	if (check->problems) {
		obj = out_json_object();
		out_json_fields(obj, problem_fields, OUT_CNT(problem_fields), p);
		out_json_put(obj, "text", out_json_text(p->text));
		out_json_put(obj, "advice", out_json_text(p->advice));
		out_json_append(check->problems, obj);
		return 0;
	}

	out_text(stdout, check->path);
	printf(": %s at 0x%" PRIx64 ": ", p->fatal ? "fatal" : "repairable", p->off);
	out_text(stdout, p->text);
	if (p->found != p->expected)
		printf("\n    found 0x%" PRIx64 ", expected 0x%" PRIx64, p->found, p->expected);
	if (p->advice && *p->advice) {
		fputs("\n    ", stdout);
		out_text(stdout, p->advice);
	}
	putchar('\n');
	return 0;
}

static const char *verdict(const struct pobj_pool_census *c)
{
	if (c->fatal)
		return "fatal";
	if (c->problems)
		return "repairable";
	return c->live_entries ? "unrecovered" : "clean";
}

static void print_census(const char *path, const struct pobj_pool_census *c)
{
	out_text(stdout, path);
	printf(": %s: %" PRIu64 " problem%s, %" PRIu64 " fatal; %" PRIu64 " lane%s, %" PRIu64
	       " live entr%s; %" PRIu64 " page%s, %" PRIu64 " free, longest run %" PRIu64
	       "; spans: %" PRIu64 " slab, %" PRIu64 " large, %" PRIu64 " log\n",
	       verdict(c), c->problems, out_s(c->problems), c->fatal, c->lanes, out_s(c->lanes),
	       c->live_entries, c->live_entries == 1 ? "y" : "ies", c->pages, out_s(c->pages),
	       c->free_pages, c->largest_free, c->spans.slab, c->spans.large, c->spans.log);
}

static struct json_object *census_json(const struct pobj_pool_census *c)
{
	struct json_object *obj = out_json_object(), *spans = out_json_object();

	out_json_fields(obj, census_fields, OUT_CNT(census_fields), c);
	out_json_fields(spans, span_fields, OUT_CNT(span_fields), c);
	out_json_put(obj, "spans", spans);
	return obj;
}

static int check_one(const char *path, struct json_object *array)
{
	struct check check = { path, array ? out_json_array() : NULL };
	struct pobj_pool_census census;
	struct json_object *obj;
	struct fail fail;
	int err;

	memset(&census, 0, sizeof(census));
	err = pobj_pool_check(path, print_problem, &check, &census);
	if (err)
		fail_report(&fail, "check", path, err);
	if (!array) {
		if (!err)
			print_census(path, &census);
	} else {
		obj = out_json_object();
		out_json_put(obj, "path", out_json_text(path));
		out_json_put(obj, "verdict", out_json_text(err ? "failed" : verdict(&census)));
		out_json_put(obj, "problems", check.problems);
		out_json_put(obj, "census", census_json(err ? NULL : &census));
		out_json_put(obj, "error", fail_json(err ? &fail : NULL));
		out_json_append(array, obj);
	}
	return err || census.problems ? EXIT_PROBLEM : EXIT_OK;
}

static int run(int cnt, char **args, const struct options *opt)
{
	struct json_object *array = opt->json ? out_json_array() : NULL;
	int i, ret = EXIT_OK;

	for (i = 0; i < cnt; i++)
		if (check_one(args[i], array))
			ret = EXIT_PROBLEM;
	if (array)
		out_json_print(array);
	return ret;
}

const struct verb verb_check = {
	.name = "check",
	.args = "PATH...",
	.summary = "Verify all metadata of pools that nobody has open",
	.details =
		"Reads only. Prints each problem with its offset, then one line that counts. Verdicts:\n"
		"clean, unrecovered (sound, but an operation did not finish: opening the pool or\n"
		"\"recover\" undoes it), repairable (\"recover\" repairs it), fatal (restore a backup).\n",
	.example = "pobjctl check --json /mnt/pool pobj:pmem0",
	.flags = VERB_JSON,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
