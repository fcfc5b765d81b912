// SPDX-License-Identifier: BSD-3-Clause
/*
 * strings_reader: is every string of the log whole?
 *
 * Opening the pool recovers it: what an operation of the library left half done is undone. That
 * a string is whole or absent is the writer's doing, by its order (string_log.h).
 */
#include <libpmemobj.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "string_log.h"

static const char usage[] =
	"usage: strings_reader [OPTION...] POOL\n\n"
	"Verify number, length and checksum of each string in POOL. Prints each torn string, the\n"
	"state of the slot behind the last one, and at the end one line of sums.\n\n"
	"  -a COUNT  so many strings were reported as stored: fewer is an error\n\n"
	"Exit status: 0 all strings are whole; 1 some are torn or lost; 2 cannot read.\n";

static int is_blank(const struct log_slot *s)
{
	const char *byte = (const char *)s;
	size_t i;

	for (i = 0; i < sizeof(*s); i++)
		if (byte[i])
			return 0;
	return 1;
}

/* What the slot for the string behind the last one holds. */
static const char *next_slot(const struct log *log, uint64_t slots)
{
	const struct log_slot *s = &log->slot[log->count % slots];

	if (log->count == slots && slots < LOG_SLOTS_MAX)
		return "not there yet";
	if (log_whole(s, log->count))
		return "complete, not in the index";
	if (log->count >= slots ? log_whole(s, log->count - slots) : is_blank(s))
		return "untouched";
	return "half written";
}

int main(int argc, char **argv)
{
	unsigned long long acknowledged = 0, n, first, whole = 0, torn = 0, lost;
	const struct log *log;
	PMEMobjpool *pop;
	uint64_t slots;
	int o;

	while ((o = getopt(argc, argv, "a:h")) != -1) {
		switch (o) {
		case 'a':
			acknowledged = strtoull(optarg, NULL, 0);
			break;
		default:
			fputs(usage, o == 'h' ? stdout : stderr);
			return o == 'h' ? 0 : 2;
		}
	}
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		return 2;
	}

	pop = pmemobj_open(argv[optind], LOG_LAYOUT);
	if (!pop) {
		fprintf(stderr, "strings_reader: %s\n", pmemobj_errormsg());
		return 2;
	}
	if (pmemobj_root_size(pop) < log_bytes(LOG_SLOTS_STEP)) {
		fputs("strings_reader: the pool holds no log yet\n", stderr);
		return 2;
	}
	log = pmemobj_direct(pmemobj_root(pop, 0));
	slots = log_slots(pmemobj_root_size(pop));

	/* In a full log, the string that was being written at the kill replaced the oldest. */
	first = log->count > slots ? log->count - slots : 0;
	if (log->count >= slots && slots == LOG_SLOTS_MAX &&
	    !log_whole(&log->slot[first % slots], first))
		first++;
	for (n = first; n < log->count; n++) {
		if (log_whole(&log->slot[n % slots], n)) {
			whole++;
		} else {
			torn++;
			printf("torn: string %llu\n", n);
		}
	}
	lost = acknowledged > log->count ? acknowledged - log->count : 0;
	printf("next: %s\n", next_slot(log, slots));
	printf("%llu strings: %llu in the log, %llu whole, %llu torn, %llu lost\n",
	       (unsigned long long)log->count, log->count - first, whole, torn, lost);
	pmemobj_close(pop);
	return torn || lost;
}
