// SPDX-License-Identifier: BSD-3-Clause
/* pobjctl list: claimed regions, and DAX devices that are not claimed. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* strverscmp() */
#endif
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "out.h"
#include "pobjctl.h"
#include "region.h"

struct list {
	struct pobj_region_info *region;
	size_t cnt;
};

static int add_region(const struct pobj_region_info *r, void *arg)
{
	struct list *list = arg;

	list->region = out_need(reallocarray(list->region, list->cnt + 1, sizeof(*r)));
	list->region[list->cnt++] = *r;
	return 0;
}

/* Claimed ones first, then by name with its number: the same order every time. */
static int compare(const void *left, const void *right)
{
	const struct pobj_region_info *l = left, *r = right;
	const bool l_claimed = l->flags & POBJ_INFO_CLAIMED;
	const bool r_claimed = r->flags & POBJ_INFO_CLAIMED;

	return l_claimed == r_claimed ? strverscmp(l->device, r->device) : r_claimed - l_claimed;
}

static void print_json(const struct list *list)
{
	struct json_object *array = out_json_array();
	size_t i;

	for (i = 0; i < list->cnt; i++)
		out_json_append(array, region_json(&list->region[i]));
	out_json_print(array);
}

static void print_head(int size_width)
{
	printf("%-10s %-11s %*s %-36s %4s %-13s %4s %8s  %s\n", "DEVICE", "VERDICT", size_width,
	       "SIZE", "POOL", "NODE", "OWNER", "MODE", "SESSIONS", "BAD");
}

static void print_row(const struct pobj_region_info *r, int size_width, bool bytes)
{
	char size[OUT_SIZE_TEXT], owner[REGION_OWNER_TEXT] = "-", mode[12] = "-", node[12] = "-";

	if (r->node >= 0)
		snprintf(node, sizeof(node), "%d", r->node);
	if (r->flags & (POBJ_INFO_CLAIMED | POBJ_INFO_POOL)) {
		region_owner(owner, r);
		snprintf(mode, sizeof(mode), "%04o", r->mode);
	}
	printf("%-10s %-11s %*s %-36s %4s %-13s %4s %8u  ", r->device, region_verdict(r),
	       size_width, out_size(size, r->bytes, bytes),
	       *r->uuid ? r->uuid : "-", node, owner, mode, r->sessions);
	if (r->bad_cnt)
		printf("%s in %" PRIu64 "\n", out_size(size, r->bad_bytes, bytes), r->bad_cnt);
	else
		puts("-");
}

static int list_regions(int cnt, char **args, const struct options *opt)
{
	const int size_width = opt->bytes ? 16 : 10;
	struct list list = { 0 };
	int err = pobj_region_list(add_region, &list);
	struct fail fail;
	size_t i;

	(void)cnt;
	(void)args;
	if (err)
		fail_report(&fail, verb_list.name, NULL, err);
	if (list.cnt)
		qsort(list.region, list.cnt, sizeof(*list.region), compare);
	if (opt->json) {
		print_json(&list);
	} else if (list.cnt) {
		print_head(size_width);
		for (i = 0; i < list.cnt; i++)
			print_row(&list.region[i], size_width, opt->bytes);
	}
	free(list.region);
	if (err)
		return EXIT_PROBLEM;

	switch (fail_control()) {
	case EACCES:
	case EPERM:
		fail_note("%s: claimed regions are not shown: no access to " CONTROL_PATH "; %s",
			  verb_list.name, CONTROL_GROUP);
		return EXIT_PROBLEM;
	case ENOENT:
		if (!list.cnt)
			fail_note("%s: no DAX device here, and no " CONTROL_PATH "; run: %s",
				  verb_list.name, CONTROL_LOAD);
		break;
	default:
		if (!list.cnt)
			fail_note("%s: no DAX device here; see what there is, run: ndctl list",
				  verb_list.name);
	}
	return EXIT_OK;
}

const struct verb verb_list = {
	.name = "list",
	.args = "",
	.summary = "List the devices that hold or can hold a pool",
	.details =
		"Claimed regions come first, then DAX devices that are not claimed. Verdicts:\n\n"
		"  ready        claimed, pool recovered        in-use     the same, and attached\n"
		"  unrecovered  claimed, pool not recovered    empty      claimed, without a pool\n"
		"  unclaimed    not claimed, with a pool       no-pool    not claimed, without\n"
		"  unreadable   you may not open the device    dead       the device was unbound\n",
	.example = "pobjctl list --json | jq -r '.[] | select(.flags.pool) | .uuid'",
	.flags = VERB_JSON | VERB_BYTES,
	.run = list_regions,
};
