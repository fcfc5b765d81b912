/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * string_log.h - the persistent log of strings that strings_writer fills and strings_reader reads.
 *
 * It is the root object of a pool. String n lies in slot n % slots; when the log cannot grow any
 * more, the newest strings take the place of the oldest. One word, count, says how far the log
 * goes. A slot is complete before count includes it:
 *
 *	1. text, number, length, checksum of string n	store, flush, drain (= persist)
 *	2. count = n + 1				8 bytes: all of it or nothing; persist
 *
 * Killed before 2, the string is absent, and what step 1 left in the slot means nothing. Killed
 * after 2, it is there and whole. In the other order it could be there and torn.
 */
#ifndef STRING_LOG_H
#define STRING_LOG_H

#include <stdint.h>
#include <string.h>

#define LOG_LAYOUT	"string_log"
#define LOG_SLOTS_STEP	64		/* slots that the log grows by */
#define LOG_SLOTS_MAX	1024		/* and at most: 8 MiB */

struct log_slot {
	char text[8192 - 24];
	uint64_t number;
	uint64_t length;
	uint64_t checksum;
};

struct log {
	uint64_t count;			/* the index: strings stored since the log began */
	uint64_t unused[7];
	struct log_slot slot[];
};

static inline size_t log_bytes(uint64_t slots)
{
	return sizeof(struct log) + slots * sizeof(struct log_slot);
}

static inline uint64_t log_slots(size_t root_bytes)
{
	return (root_bytes - sizeof(struct log)) / sizeof(struct log_slot);
}

/* FNV-1a, eight bytes at a time: any change of one word changes it. */
static inline uint64_t log_checksum(uint64_t number, const char *text, uint64_t length)
{
	uint64_t sum = 0xcbf29ce484222325ULL ^ number, word;
	uint64_t at;

	for (at = 0; at < length; at += sizeof(word)) {
		word = 0;
		memcpy(&word, text + at, length - at < sizeof(word) ? length - at : sizeof(word));
		sum = (sum ^ word) * 0x100000001b3ULL;
	}
	return sum;
}

/* Is string @number in the slot, from its first byte to its last? */
static inline int log_whole(const struct log_slot *s, uint64_t number)
{
	return s->number == number && s->length && s->length <= sizeof(s->text) &&
	       s->checksum == log_checksum(number, s->text, s->length);
}

#endif
