// SPDX-License-Identifier: BSD-3-Clause
/* pobjctl info: what the superblock of a pool says, and who uses the pool. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fail.h"
#include "out.h"
#include "pobjctl.h"
#include "region.h"

#define FIELD(member, kind)	OUT_FIELD(struct pobj_pool_info, member, kind)

static const struct out_field fields[] = {
	FIELD(uuid, OUT_TEXT),
	FIELD(layout, OUT_TEXT),
	FIELD(bytes, OUT_U64),
	FIELD(ctime, OUT_U64),
	FIELD(page_bytes, OUT_U64),
	FIELD(page_cnt, OUT_U64),
	FIELD(data_off, OUT_U64),
	FIELD(lane_cnt, OUT_U64),
	FIELD(lane_bytes, OUT_U64),
	FIELD(root_off, OUT_U64),
	FIELD(root_bytes, OUT_U64),
	FIELD(unstable, OUT_BOOL),
	FIELD(bad_copies, OUT_U32),
	FIELD(bad_lanes, OUT_U64),
	FIELD(live_entries, OUT_U64),
	FIELD(users, OUT_I32),
	FIELD(on_region, OUT_BOOL),
};

static const char *verdict(const struct pobj_pool_info *info)
{
	const struct pobj_region_info *r = &info->region;

	if (info->on_region && (r->flags & POBJ_INFO_DEAD))
		return "dead";
	if (info->bad_lanes)
		return "damaged";
	if (info->bad_copies)
		return "repairable";
	if (info->users > 0)
		return "in-use";
	if (info->live_entries)
		return "unrecovered";
	if (info->on_region && (r->flags & POBJ_INFO_CLAIMED) && !(r->flags & POBJ_INFO_RECOVERED))
		return "unrecovered";
	return "ready";
}

static void print_json(const char *path, const struct pobj_pool_info *info, const struct fail *fail)
{
	struct json_object *obj = out_json_object();

	out_json_put(obj, "path", out_json_text(path));
	out_json_put(obj, "verdict", out_json_text(info ? verdict(info) : "failed"));
	out_json_fields(obj, fields, OUT_CNT(fields), info);
	out_json_put(obj, "region", region_json(info && info->on_region ? &info->region : NULL));
	out_json_put(obj, "error", fail_json(fail));
	out_json_print(obj);
}

static __printf(2, 3) void row(const char *name, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printf("%-13s ", name);
	out_text(stdout, text);
	putchar('\n');
}

static void print_region(const struct pobj_region_info *r, bool bytes)
{
	char owner[REGION_OWNER_TEXT], size[OUT_SIZE_TEXT];

	row("device", "%s, %s", r->device, out_size(size, r->bytes, bytes));
	row("region", "%s", region_verdict(r));
	if (r->node >= 0)
		row("node", "%d", r->node);
	row("owner", "%s, mode %04o", region_owner(owner, r), r->mode);
	if (r->flags & POBJ_INFO_CLAIMED) {
		row("durable by", "%s", !(r->flags & POBJ_INFO_SYNC) ? "fsync" :
		    r->flags & POBJ_INFO_CACHED ? "CPU flush" : "store (caches are persistent)");
		row("faults", "%" PRIu64 " of 2 MiB, %" PRIu64 " of 4 KiB", r->faults_2m,
		    r->faults_4k);
	}
	if (r->bad_cnt)
		row("bad blocks", "%s in %" PRIu64 " range%s",
		    out_size(size, r->bad_bytes, bytes), r->bad_cnt, out_s(r->bad_cnt));
}

static void print_text(const char *path, const struct pobj_pool_info *info, bool bytes)
{
	char size[OUT_SIZE_TEXT], word[OUT_QUOTE_TEXT], when[64] = "";
	time_t seconds = info->ctime;
	struct tm tm;
	bool unfinished = info->live_entries && info->users <= 0;

	out_quote(word, path);
	row("pool", "%s", path);
	row("verdict", "%s", verdict(info));
	row("uuid", "%s", info->uuid);
	row("layout", "%s", *info->layout ? info->layout : "(none)");
	row("size", "%s", out_size(size, info->bytes, bytes));
	if (info->ctime <= INT64_MAX && localtime_r(&seconds, &tm) &&
	    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm))
		row("created", "%s", when);
	else
		row("created", "%" PRIu64 " s after 1970", info->ctime);
	row("pages", "%" PRIu64 " of %s, from 0x%" PRIx64, info->page_cnt,
	    out_size(size, info->page_bytes, bytes), info->data_off);
	row("lanes", "%" PRIu64 " of %s", info->lane_cnt, out_size(size, info->lane_bytes, bytes));
	if (info->root_off)
		row("root", "%s at 0x%" PRIx64, out_size(size, info->root_bytes, bytes),
		    info->root_off);
	else
		row("root", "none yet");
	row("format", "%s", info->unstable ? "unstable: opens with this build only" : "stable");
	if (info->bad_copies)
		row("superblock", "%u cop%s damaged; repair it, run: pobjctl recover %s",
		    info->bad_copies, info->bad_copies == 1 ? "y" : "ies", word);
	else
		row("superblock", "both copies good");
	if (info->bad_lanes)
		row("damaged", "%" PRIu64 " lane%s; see: pobjctl check %s", info->bad_lanes,
		    out_s(info->bad_lanes), word);
	row("live entries", "%" PRIu64 "%s%s", info->live_entries,
	    unfinished ? "; opening the pool undoes them, or run: pobjctl recover " : "",
	    unfinished ? word : "");
	if (info->users < 0)
		row("users", "not known");
	else
		row("users", "%d", info->users);
	if (info->on_region)
		print_region(&info->region, bytes);
}

static int run(int cnt, char **args, const struct options *opt)
{
	struct pobj_pool_info info;
	const char *path = args[0];
	struct fail fail;
	int err;

	(void)cnt;
	memset(&info, 0, sizeof(info));
	err = pobj_pool_info(path, &info);
	if (err)
		fail_report(&fail, "info", path, err);
	if (opt->json)
		print_json(path, err ? NULL : &info, err ? &fail : NULL);
	else if (!err)
		print_text(path, &info, opt->bytes);
	return err ? EXIT_PROBLEM : EXIT_OK;
}

const struct verb verb_info = {
	.name = "info",
	.args = "PATH",
	.summary = "Describe a pool",
	.details =
		"Reads only; works on a pool that is open elsewhere and on one that needs recovery.\n"
		"Verdicts: ready, in-use, unrecovered (recover it, or just open it), repairable (a\n"
		"superblock copy is damaged, recovery rewrites it), dead (the device was unbound).\n",
	.example = "pobjctl info pobj:pmem0",
	.flags = VERB_JSON | VERB_BYTES,
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
