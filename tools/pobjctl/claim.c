// SPDX-License-Identifier: BSD-3-Clause
/* pobjctl claim and release: the module takes a device, and gives it back. */
#include <stdio.h>
#include <string.h>

#include <pobj.h>

#include "fail.h"
#include "out.h"
#include "pobjctl.h"

/* "pmem0" can only be a device here, unlike a path elsewhere. */
static int run(const char *verb, const char *done, const char *arg, int (*fn)(const char *name))
{
	char name[4096];
	struct fail fail;
	int err;

	snprintf(name, sizeof(name), "%s%s",
		 strchr(arg, '/') || !strncmp(arg, REGION_PREFIX, strlen(REGION_PREFIX)) ?
		 "" : REGION_PREFIX, arg);
	err = fn(name);
	if (err) {
		fail_report(&fail, verb, name, err);
		return EXIT_PROBLEM;
	}
	out_text(stdout, name);
	printf(": %s\n", done);
	return EXIT_OK;
}

static int run_claim(int cnt, char **args, const struct options *opt)
{
	(void)cnt;
	(void)opt;
	return run("claim", "claimed", args[0], pobj_region_claim);
}

static int run_release(int cnt, char **args, const struct options *opt)
{
	(void)cnt;
	(void)opt;
	return run("release", "released", args[0], pobj_region_release);
}

const struct verb verb_claim = {
	.name = "claim",
	.args = "DEV",
	.summary = "Give a device to the module",
	.details =
		"DEV is pmem0, pobj:pmem0 or /dev/pmem0, in fsdax mode and not mounted. Opening or\n"
		"creating a pool on it does the same. It lasts until \"release\", until the device is\n"
		"unbound or the module is removed.\n",
	.example = "pobjctl claim pmem0",
	.min_args = 1,
	.max_args = 1,
	.run = run_claim,
};

const struct verb verb_release = {
	.name = "release",
	.args = "NAME",
	.summary = "Take a device back from the module",
	.details =
		"NAME is pmem0, pobj:pmem0, /dev/pmem0 or the UUID of the pool on it. No process may\n"
		"be attached. The pool stays on the device.\n",
	.example = "pobjctl release pmem0",
	.min_args = 1,
	.max_args = 1,
	.run = run_release,
};
