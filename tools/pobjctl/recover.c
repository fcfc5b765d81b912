// SPDX-License-Identifier: BSD-3-Clause
/* pobjctl recover: bring pools to the state after their last finished operation. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include <pobj.h>

#include "fail.h"
#include "out.h"
#include "pobjctl.h"

#define FIELD(member, kind)	OUT_FIELD(struct pobj_pool_recovery, member, kind)

static const struct out_field fields[] = {
	FIELD(was_done, OUT_BOOL),
	FIELD(lanes, OUT_U64),
	FIELD(live, OUT_U64),
	FIELD(undone, OUT_U64),
	FIELD(redone, OUT_U64),
	FIELD(repaired, OUT_U64),
};

static const char *verdict(const struct pobj_pool_recovery *r)
{
	if (r->was_done)
		return "was-done";
	return r->live || r->repaired ? "recovered" : "clean";
}

static void print_text(const char *path, const struct pobj_pool_recovery *r)
{
	out_text(stdout, path);
	printf(": %s: ", verdict(r));
	if (r->was_done) {
		puts("nothing to do: it is open, or was recovered in this claim");
		return;
	}
	printf("%" PRIu64 " lane%s read, %" PRIu64 " live entr%s", r->lanes, out_s(r->lanes),
	       r->live, r->live == 1 ? "y" : "ies");
	if (r->live)
		printf(": %" PRIu64 " word%s put back, %" PRIu64 " free%s repeated", r->undone,
		       out_s(r->undone), r->redone, out_s(r->redone));
	if (r->repaired)
		printf("; %" PRIu64 " superblock cop%s rewritten", r->repaired,
		       r->repaired == 1 ? "y" : "ies");
	putchar('\n');
}

static int recover_one(const char *path, struct json_object *array)
{
	struct pobj_pool_recovery r;
	struct json_object *obj;
	struct fail fail;
	int err;

	memset(&r, 0, sizeof(r));
	err = pobj_pool_recover(path, &r);
	if (err)
		fail_report(&fail, "recover", path, err);
	if (!array) {
		if (!err)
			print_text(path, &r);
	} else {
		obj = out_json_object();
		out_json_put(obj, "path", out_json_text(path));
		out_json_put(obj, "verdict", out_json_text(err ? "failed" : verdict(&r)));
		out_json_fields(obj, fields, OUT_CNT(fields), err ? NULL : &r);
		out_json_put(obj, "error", fail_json(err ? &fail : NULL));
		out_json_append(array, obj);
	}
	return err ? EXIT_PROBLEM : EXIT_OK;
}

static int run(int cnt, char **args, const struct options *opt)
{
	struct json_object *array = opt->json ? out_json_array() : NULL;
	int i, ret = EXIT_OK;

	for (i = 0; i < cnt; i++)
		if (recover_one(args[i], array))
			ret = EXIT_PROBLEM;
	if (array)
		out_json_print(array);
	return ret;
}

const struct verb verb_recover = {
	.name = "recover",
	.args = "PATH...",
	.summary = "Bring pools to the state after their last finished operation",
	.details =
		"Opening a pool does the same; use this after a crash to do it beforehand, or to\n"
		"rewrite a damaged superblock copy. What cannot be recovered is left as it is.\n"
		"Verdicts: recovered, clean (nothing was to be done), was-done (it is open, or was\n"
		"recovered in this claim), failed.\n",
	.example = "pobjctl recover pobj:pmem0 pobj:pmem1",
	.flags = VERB_JSON,
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
