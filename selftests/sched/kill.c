// SPDX-License-Identifier: BSD-3-Clause
/*
 * Two operations at once, a reaper, and kills: all pairs of kinds, in all schedules within bounds.
 * Prints TAP: a point for each search, with what it did, and one for each seeded bug, which must be
 * found.
 *
 *	SCHED_LONG=1		all of it (make prove-kill); else a sample
 *	SCHED_SECONDS=n		how long the searches go on that have no end in reach (600)
 *	SCHED_WORKERS=n		processes that search (one for each CPU)
 *
 *	kill FIRST SECOND PREEMPTS KILLS [BUG]	one pair only, and tell more; SCHED_TRACE=1: each
 *						access; SCHED_RANDOM=seed SCHED_SECONDS=n
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "selftests/sched/cases/seeds.h"

#define TELL	10U	/* pairs whose first violation is told in full */

/* Which pairs? */
enum pairs { PAIRS_ALL, PAIRS_ENTRIES, PAIRS_SAMPLE };

/**
 * struct search - one line of the table
 * @seconds: 0: to the end
 */
struct search {
	const char *name;
	enum pairs pairs;
	u32 preempts;
	u32 kills;
	bool timed;
};

static const struct search searches_short[] = {
	{ "a sample of pairs, 1 preemption, 1 kill", PAIRS_SAMPLE, 1, 1, false },
};

static const struct search searches_long[] = {
	{ "all pairs, 1 preemption, 1 kill", PAIRS_ALL, 1, 1, false },
	{ "pairs of entries, 2 preemptions, 1 kill", PAIRS_ENTRIES, 2, 1, false },
	{ "all pairs, 3 preemptions, 1 kill", PAIRS_ALL, 3, 1, true },
	{ "all pairs, 2 preemptions, 2 kills", PAIRS_ALL, 2, 2, true },
};

/* What the workers share. */
static struct board {
	u32 next;
	u32 pairs;
	u32 complete;
	struct sched_count sum;
	u64 done[128];		/* of each kind: operations that came to their ends */
	char first[sizeof(sched_first)];
	u32 told;
} *board;

static double seconds_now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static u32 number_of(const char *variable, u32 otherwise)
{
	const char *text = getenv(variable);

	return text && atoi(text) > 0 ? (u32)atoi(text) : otherwise;
}

static const struct kind *kind_named(const char *name)
{
	u32 i;

	for (i = 0; i < kind_cnt; i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	printf("Bail out! there is no kind %s\n", name);
	exit(1);
}

static void explore(const struct kind *a, const struct kind *b, const struct sched_bounds *bounds,
		    struct sched_count *count)
{
	static char name[256];
	static const struct sched_case c = {
		.name = name, .run = pair_run, .reap = pair_reap, .reaped = pool_reaped,
		.judge = judge,
	};

	snprintf(name, sizeof(name), "%s | %s", a->name, b->name);
	sched_end_tag = judge_tag;
	sched_name = pool_name;
	pair_make(a, b);
	sched_explore(&c, bounds, count);
}

/* ---- searches ----------------------------------------------------------------------------- */

/* Pair @n of the search; false: it is not of those wanted. */
static bool pair_wanted(const struct search *s, u32 n, const struct kind **a, const struct kind **b)
{
	*a = &kinds[n / kind_cnt];
	*b = &kinds[n % kind_cnt];
	if (s->pairs == PAIRS_ENTRIES)
		return (*a)->entry && (*b)->entry;
	/* Each kind once as the first and once as the second. */
	if (s->pairs == PAIRS_SAMPLE)
		return (n / kind_cnt * 20 + 11) % kind_cnt == n % kind_cnt;
	return true;
}

static void board_add(const struct sched_count *c)
{
	__atomic_fetch_add(&board->complete, c->complete, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.executions, c->executions, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.kills, c->kills, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.kills2, c->kills2, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.pruned, c->pruned, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.judged, c->judged, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.steps, c->steps, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.violations, c->violations, __ATOMIC_RELAXED);
}

static void worker(const struct search *s, double each)
{
	struct sched_bounds bounds = { .preempts = s->preempts, .kills = s->kills };
	const struct kind *a, *b;
	u32 n;

	sched_world_make();
	sched_first[0] = 0;
	for (;;) {
		n = __atomic_fetch_add(&board->next, 1, __ATOMIC_RELAXED);
		if (n >= kind_cnt * kind_cnt)
			break;
		if (!pair_wanted(s, n, &a, &b))
			continue;
		struct sched_count count = { .executions = 0 };

		sched_tell = __atomic_load_n(&board->told, __ATOMIC_RELAXED) < TELL;
		bounds.seconds = each;
		bounds.random = s->timed ? n + 1 : 0;
		explore(a, b, &bounds, &count);
		board_add(&count);
		__atomic_fetch_add(&board->done[n / kind_cnt], pair_done[0], __ATOMIC_RELAXED);
		__atomic_fetch_add(&board->done[n % kind_cnt], pair_done[1], __ATOMIC_RELAXED);
		if (count.violations && !__atomic_fetch_add(&board->told, 1, __ATOMIC_RELAXED))
			memcpy(board->first, sched_first, sizeof(board->first));
	}
	exit(0);
}

/* Returns whether nothing is wrong. */
static bool search_run(const struct search *s, u32 no)
{
	const u32 workers = number_of("SCHED_WORKERS", (u32)sysconf(_SC_NPROCESSORS_ONLN));
	const double began = seconds_now(CLOCK_MONOTONIC);
	const struct kind *a, *b;
	double each = 0;
	int status;
	bool ok = true;
	u32 i;

	memset(board, 0, sizeof(*board));
	for (i = 0; i < kind_cnt * kind_cnt; i++)
		board->pairs += pair_wanted(s, i, &a, &b);
	if (s->timed)
		each = (double)number_of("SCHED_SECONDS", 600) * workers / board->pairs;
	fflush(stdout);
	for (i = 0; i < workers; i++) {
		if (!fork())
			worker(s, each);
	}
	for (i = 0; i < workers; i++) {
		if (wait(&status) < 0 || status)
			ok = false;
	}
	for (i = 0; i < kind_cnt; i++) {
		if (board->done[i] || (s->pairs == PAIRS_ENTRIES && !kinds[i].entry))
			continue;
		printf("# %s never came to its end\n", kinds[i].name);
		ok = false;
	}
	ok = ok && !board->sum.violations && (s->timed || board->complete == board->pairs);
	printf("%s %u %s: %u pairs%s, %llu executions, ", ok ? "ok" : "not ok", no, s->name,
	       board->pairs, s->timed ? " in part" : board->complete == board->pairs ?
	       " to the end" : ", SOME NOT TO THE END",
	       (unsigned long long)board->sum.executions);
	printf("%llu with a kill, %llu with two, %llu ends judged, %llu violations; %.0f s\n",
	       (unsigned long long)board->sum.kills, (unsigned long long)board->sum.kills2,
	       (unsigned long long)board->sum.judged, (unsigned long long)board->sum.violations,
	       seconds_now(CLOCK_MONOTONIC) - began);
	if (board->first[0])
		printf("# first: %s\n", board->first);
	fflush(stdout);
	return ok;
}

/* ---- seeded bugs -------------------------------------------------------------------------- */

static bool seed_find(const struct seed *s, const struct kind *a, const struct kind *b)
{
	const struct sched_bounds bounds = { .preempts = 1, .kills = 1 };
	struct sched_count count = { .executions = 0 };

	sched_tell = 0;
	sched_first[0] = 0;
	/* The state to begin with is made without the bug: only schedules see it. */
	sched_seed = &s->bug;
	explore(a, b, &bounds, &count);
	sched_seed = NULL;
	printf("# %s: %s after %llu executions\n", s->bug.name, sched_first[0] ? sched_first :
	       "nothing", (unsigned long long)count.executions);
	return count.violations;
}

static bool seed_run(const struct seed *s, u32 no)
{
	const bool found = seed_find(s, kind_named(s->first), kind_named(s->second));

	printf("%s %u seeded bug is found: %s\n", found ? "ok" : "not ok", no, s->bug.name);
	fflush(stdout);
	return found;
}

/* ---- one pair ----------------------------------------------------------------------------- */

static int one_pair(char **argv, const char *seed)
{
	const double began = seconds_now(CLOCK_PROCESS_CPUTIME_ID);
	const struct sched_bounds bounds = {
		.preempts = (u32)atoi(argv[3]), .kills = (u32)atoi(argv[4]),
		.random = number_of("SCHED_RANDOM", 0),
		.seconds = number_of("SCHED_SECONDS", 0),
	};
	struct sched_count c = { .executions = 0 };
	double s;
	u32 i;

	for (i = 0; seed && i < seed_cnt; i++) {
		if (!strcmp(seeds[i].bug.name, seed))
			sched_seed = &seeds[i].bug;
	}
	explore(kind_named(argv[1]), kind_named(argv[2]), &bounds, &c);
	s = seconds_now(CLOCK_PROCESS_CPUTIME_ID) - began;
	printf("%s | %s: %llu executions, %llu in the last of %llu passes, %llu killed, ",
	       argv[1], argv[2], (unsigned long long)c.executions, (unsigned long long)c.last,
	       (unsigned long long)c.passes, (unsigned long long)c.kills);
	printf("%llu and %llu came to their ends, ", (unsigned long long)pair_done[0],
	       (unsigned long long)pair_done[1]);
	printf("%llu pruned, %llu judged, %llu violations; ", (unsigned long long)c.pruned,
	       (unsigned long long)c.judged, (unsigned long long)c.violations);
	printf("%.0f accesses each; %.2f s of CPU, %.0f executions/s\n",
	       (double)c.steps / (double)c.executions, s,
	       (double)c.executions / s);
	return !!c.violations;
}

int main(int argc, char **argv)
{
	const bool all = getenv("SCHED_LONG");
	const struct search *s = all ? searches_long : searches_short;
	const u32 cnt = all ? ARRAY_SIZE(searches_long) : ARRAY_SIZE(searches_short);
	bool ok = true;
	u32 i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sched_world_make();
	if (argc > 4)
		return one_pair(argv, argc > 5 ? argv[5] : NULL);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	printf("TAP version 13\n1..%u\n", cnt + seed_cnt);
	for (i = 0; i < seed_cnt; i++)
		ok &= seed_run(&seeds[i], 1 + i);
	for (i = 0; i < cnt; i++)
		ok &= search_run(&s[i], 1 + seed_cnt + i);
	return !ok;
}
