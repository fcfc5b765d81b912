// SPDX-License-Identifier: BSD-3-Clause
/* pobjctl list: claimed regions, and DAX devices that are not claimed. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "fail.h"
#include "out.h"
#include "pobjctl.h"
#include "region.h"

struct list {
	const struct options *opt;
	struct json_object *array;	/* NULL: text */
	size_t cnt;
};

static int print_region(const struct pobj_region_info *r, void *arg)
{
	char size[OUT_SIZE_TEXT], owner[REGION_OWNER_TEXT] = "-", mode[12] = "-", node[12] = "-";
	struct list *list = arg;

	list->cnt++;
	if (list->array) {
		out_json_append(list->array, region_json(r));
		return 0;
	}

	if (list->cnt == 1)
		printf("%-10s %-11s %*s %-36s %4s %-13s %4s %8s  %s\n", "DEVICE", "VERDICT",
		       list->opt->bytes ? 16 : 10, "SIZE", "POOL", "NODE", "OWNER", "MODE",
		       "SESSIONS", "BAD");
	if (r->node >= 0)
		snprintf(node, sizeof(node), "%d", r->node);
	if (r->flags & (POBJ_INFO_CLAIMED | POBJ_INFO_POOL)) {
		region_owner(owner, r);
		snprintf(mode, sizeof(mode), "%04o", r->mode);
	}
	printf("%-10s %-11s %*s %-36s %4s %-13s %4s %8u  ", r->device, region_verdict(r),
	       list->opt->bytes ? 16 : 10, out_size(size, r->bytes, list->opt->bytes),
	       *r->uuid ? r->uuid : "-", node, owner, mode, r->sessions);
	if (r->bad_cnt)
		printf("%s in %" PRIu64 "\n", out_size(size, r->bad_bytes, list->opt->bytes),
		       r->bad_cnt);
	else
		puts("-");
	return 0;
}

static int list_regions(int cnt, char **args, const struct options *opt)
{
	struct list list = { opt, opt->json ? out_json_array() : NULL, 0 };
	int err = pobj_region_list(print_region, &list);
	struct fail fail;

	(void)cnt;
	(void)args;
	if (err)
		fail_report(&fail, verb_list.name, NULL, err);
	if (list.array)
		out_json_print(list.array);
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
