// SPDX-License-Identifier: BSD-3-Clause
/*
 * strings_writer: store strings in a pool until somebody kills us.
 *
 * Each is reported when it is durable. string_log.h has the order in which things are stored, and
 * why. Build: cc strings_writer.c $(pkg-config --cflags --libs libpobj-user)
 */
#include <libpmemobj.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "string_log.h"

#define PIECE	64	/* bytes of a string that are made up and stored at a time */

static const char usage[] =
	"usage: strings_writer [OPTION...] POOL\n\n"
	"Store strings in POOL (a file, or pobj:NAME) until killed, going on where the last writer\n"
	"ended. Prints \"begin with N strings\", then \"stored N strings\" for each that is durable, N\n"
	"being how many there are.\n\n"
	"  -c BYTES  create the pool first; 0 for pobj:NAME, which is taken whole\n"
	"  -n COUNT  end after so many strings\n"
	"  -e COUNT  report only every so many strings (1)\n"
	"  -b        break it: store the index before the string\n";

static PMEMobjpool *pop;
static struct log *log_root;	/* the root object: moves when it grows */
static uint64_t slots;

static void die(const char *what)
{
	fprintf(stderr, "strings_writer: %s%s\n", what, pmemobj_errormsg());
	exit(1);
}

/* Find the log, made or enlarged to @want slots. */
static int log_resize(uint64_t want)
{
	PMEMoid root = pmemobj_root(pop, log_bytes(want));

	if (OID_IS_NULL(root))
		return -1;
	log_root = pmemobj_direct(root);
	slots = log_slots(pmemobj_root_size(pop));
	return 0;
}

/* The next text, which depends on @state alone: words of two to nine letters. */
static void make_up(char *text, size_t length, uint64_t *state)
{
	size_t i;

	for (i = 0; i < length; i++) {
		*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
		text[i] = *state >> 61 ? 'a' + (char)((*state >> 33) % 26) : ' ';
	}
}

/* Store string @n in its slot, in many small steps, and make it durable. */
static void store_string(uint64_t n)
{
	struct log_slot *s = &log_root->slot[n % slots];
	uint64_t state = n * 0x9e3779b97f4a7c15ULL + 1;
	uint64_t length = 1000 + (state >> 20) % (sizeof(s->text) - 1000);
	uint64_t at, bytes;
	char piece[PIECE];

	for (at = 0; at < length; at += bytes) {
		bytes = length - at < PIECE ? length - at : PIECE;
		make_up(piece, bytes, &state);
		pmemobj_memcpy(pop, s->text + at, piece, bytes, PMEMOBJ_F_MEM_NODRAIN);
	}
	s->number = n;
	s->length = length;
	s->checksum = log_checksum(n, s->text, length);
	/* Drains, and so waits for the pieces, too. Can tell of a failure, which persist cannot. */
	if (pmemobj_xpersist(pop, &s->number, sizeof(*s) - sizeof(s->text), 0))
		die("string: ");
}

static void store_index(uint64_t count)
{
	log_root->count = count;
	if (pmemobj_xpersist(pop, &log_root->count, sizeof(log_root->count), 0))
		die("index: ");
}

int main(int argc, char **argv)
{
	unsigned long long every = 1, end = ~0ULL, bytes = 0, n;
	int create = 0, wrong_order = 0, o;

	while ((o = getopt(argc, argv, "c:n:e:bh")) != -1) {
		switch (o) {
		case 'c':
			create = 1;
			bytes = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			end = strtoull(optarg, NULL, 0);
			break;
		case 'e':
			every = strtoull(optarg, NULL, 0);
			break;
		case 'b':
			wrong_order = 1;
			break;
		default:
			fputs(usage, o == 'h' ? stdout : stderr);
			return o == 'h' ? 0 : 2;
		}
	}
	if (optind + 1 != argc || !every) {
		fputs(usage, stderr);
		return 2;
	}

	pop = create ? pmemobj_create(argv[optind], LOG_LAYOUT, bytes, 0600) :
		       pmemobj_open(argv[optind], LOG_LAYOUT);
	if (!pop)
		die("");
	if (log_resize(LOG_SLOTS_STEP))
		die("no room for the log: ");

	n = log_root->count;
	if (end != ~0ULL)
		end += n;
	printf("begin with %llu strings\n", n);
	fflush(stdout);
	for (; n < end; n++) {
		/* As long as nothing was overwritten, string n is in slot n of any number. */
		if (n == slots && slots < LOG_SLOTS_MAX && log_resize(slots + LOG_SLOTS_STEP))
			die("the log cannot grow: ");
		if (wrong_order)
			store_index(n + 1);
		store_string(n);
		if (!wrong_order)
			store_index(n + 1);
		if ((n + 1) % every == 0 || n + 1 == end) {
			printf("stored %llu strings\n", n + 1);
			fflush(stdout);
		}
	}
	pmemobj_close(pop);
	return 0;
}
