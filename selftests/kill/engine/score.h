/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The score of kills at every instruction: a row for each operation, from all processes that share
 * the work.
 */
#ifndef SELFTESTS_SCORE_H
#define SELFTESTS_SCORE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SCORE_ROWS	256
#define SCORE_SHARDS	16
#define SCORE_TEXT	384

/**
 * struct score_row - an operation, as one shard saw it
 * @points: points (points.h) at which it was killed
 * @last: no point comes after these: the operation was gone through to its end
 * @length: instructions that it had, points included
 * @kills: at how many of them it was killed
 * @part: some of its calls happened
 * @ends: kills at the next point, because there were no more instructions before it
 * @longs: points followed by so many instructions that not each was tried
 * @unlike: kills between points that left something that no kill at a point does
 */
struct score_row {
	char name[48];
	uint64_t points;
	uint64_t last;
	uint64_t length;
	uint64_t kills;
	uint64_t old, part, new;
	uint64_t ends;
	uint64_t longs;
	uint64_t unlike;
	uint64_t violations;
	char text[SCORE_TEXT];		/* the first that is unlike or wrong */
};

static struct score {
	unsigned int shards;
	unsigned int rows[SCORE_SHARDS];
	struct score_row row[SCORE_SHARDS][SCORE_ROWS];
} *score;

static unsigned int score_shard;

static void score_begin(unsigned int shards)
{
	score = mmap(NULL, sizeof(*score), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (score == MAP_FAILED || !shards || shards > SCORE_SHARDS)
		abort();
	score->shards = shards;
}

/* All shards ask for the rows in the same order. */
static struct score_row *score_row(const char *name)
{
	struct score_row *r;

	if (score->rows[score_shard] == SCORE_ROWS)
		abort();
	r = &score->row[score_shard][score->rows[score_shard]++];
	snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

static void score_add(struct score_row *sum, const struct score_row *r)
{
	sum->kills += r->kills;
	sum->old += r->old;
	sum->part += r->part;
	sum->new += r->new;
	sum->ends += r->ends;
	sum->unlike += r->unlike;
	sum->violations += r->violations;
	if (!sum->text[0])
		memcpy(sum->text, r->text, sizeof(sum->text));
}

/* What all shards did of row @i. */
static void score_sum(unsigned int i, struct score_row *sum)
{
	unsigned int s;

	*sum = score->row[0][i];
	for (s = 1; s < score->shards; s++)
		score_add(sum, &score->row[s][i]);
}

#define SCORE_HEAD	"operation                instr  kills    old  part   new wrong"

static void score_print_row(const struct score_row *r)
{
	printf("%-22.22s%8llu%7llu%7llu%6llu%6llu%6llu", r->name, (unsigned long long)r->length,
	       (unsigned long long)r->kills, (unsigned long long)r->old,
	       (unsigned long long)r->part, (unsigned long long)r->new,
	       (unsigned long long)(r->violations + r->unlike));
}

static void score_tell(const char *what, uint64_t cnt)
{
	printf("%10llu %s\n", (unsigned long long)cnt, what);
}

/* In two columns, so that it fits a screen. Returns how much was wrong. */
static uint64_t score_print(void)
{
	const unsigned int rows = score->rows[0], half = (rows + 1) / 2;
	struct score_row all = { .name = "all" }, r;
	unsigned int i, s, unfinished = 0;

	printf("%s  %s\n", SCORE_HEAD, SCORE_HEAD);
	for (i = 0; i < half; i++) {
		score_sum(i, &r);
		score_print_row(&r);
		if (i + half < rows) {
			printf("  ");
			score_sum(i + half, &r);
			score_print_row(&r);
		}
		printf("\n");
	}
	for (i = 0; i < rows; i++) {
		score_sum(i, &r);
		if (r.text[0])
			printf("%s: %s\n", r.name, r.text);
		score_add(&all, &r);
		all.points += r.points;
		all.length += r.length;
		all.longs += r.longs;
		for (s = 0; s < score->shards; s++)
			unfinished += !score->row[s][i].last;
	}
	score_tell("operations", rows);
	score_tell("instructions", all.length);
	score_tell("  of them points, where others can tell (points.h)", all.points);
	score_tell("  killed at", all.kills);
	score_tell("  passed over", all.length > all.kills ? all.length - all.kills : 0);
	score_tell("points that more instructions follow than are all tried", all.longs);
	score_tell("more kills at points", all.ends);
	score_tell("outcomes: old", all.old);
	score_tell("outcomes: some of the operation's calls", all.part);
	score_tell("outcomes: new", all.new);
	score_tell("kills that left what no kill at a point does", all.unlike);
	score_tell("operations not gone through to the end", unfinished);
	score_tell("violations", all.violations);
	return all.unlike + all.violations + unfinished + !rows;
}

#endif
