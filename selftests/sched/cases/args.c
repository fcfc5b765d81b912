// SPDX-License-Identifier: BSD-3-Clause
/* What the programs are told, and how long they take. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "selftests/sched/cases/cases.h"

const struct kind *kind_named(const char *name)
{
	u32 i;

	for (i = 0; i < kind_cnt; i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	printf("Bail out! there is no kind %s\n", name);
	exit(1);
}

u32 number_of(const char *variable, u32 otherwise)
{
	const char *text = getenv(variable);

	return text && atoi(text) > 0 ? (u32)atoi(text) : otherwise;
}

double seconds_now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
