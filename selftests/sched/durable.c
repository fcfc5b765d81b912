// SPDX-License-Identifier: BSD-3-Clause
/*
 * Interleavings joined with power loss in one search (cases/durable.h): two operations at once, a
 * reaper, and power lost at every fence of any of them and after every call. Prints TAP: a point
 * for each seeded bug, which takes several processes and a power loss to see, and must be found;
 * and one for each search.
 *
 *	DURABLE_LONG=1		all of it (make prove-durable); else a sample
 *	DURABLE_SEARCH=n	the nth search only
 *	DURABLE_SECONDS=n	how long the search goes on that has no end in reach (60)
 *	DURABLE_WORKERS=n	processes that search (one for each CPU)
 *
 *	durable FIRST SECOND PREEMPTS KILLS DEPTH [BUG]		one pair only, and tell more
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "selftests/sched/cases/durable.h"

#define TELL	10U	/* pairs whose first violation is told in full */
/* Which pairs? */
enum pairs { PAIRS_ALL, PAIRS_ENTRIES, PAIRS_SAMPLE };

/**
 * struct search - one line of the table
 * @depth: power is lost, and again in recoveries, so often
 * @timed: schedules at random; else to the end
 */
struct search {
	const char *name;
	enum pairs pairs;
	u32 preempts;
	u32 kills;
	int depth;
	bool timed;
};

static const struct search searches_short[] = {
	{ "a sample of pairs, 1 preemption", PAIRS_SAMPLE, 1, 0, 1, false },
	{ "pairs of entries, no preemption, power lost twice", PAIRS_ENTRIES, 0, 0, 2, false },
};

static const struct search searches_long[] = {
	{ "pairs of entries, 1 preemption, power lost twice", PAIRS_ENTRIES, 1, 0, 2, false },
	{ "pairs of entries, 2 preemptions", PAIRS_ENTRIES, 2, 0, 1, false },
	{ "pairs of entries, 1 preemption, 1 kill", PAIRS_ENTRIES, 1, 1, 1, false },
	{ "all pairs, 1 preemption", PAIRS_ALL, 1, 0, 1, false },
	{ "all pairs, 2 preemptions, 1 kill", PAIRS_ALL, 2, 1, 1, true },
};

/* What the workers share. */
static struct board {
	u32 next;
	u32 pairs;
	u32 complete;
	struct sched_count sum;
	struct durable_count durable;
	struct power_count power;
	u64 done[128];		/* of each kind: operations that came to their ends */
	char first[sizeof(sched_first)];
	u32 told;
} *board;

static void explore(const struct kind *a, const struct kind *b, const struct sched_bounds *bounds,
		    int depth, struct sched_count *count)
{
	static char name[256];
	static const struct sched_case c = {
		.name = name, .run = pair_run, .reap = pair_reap, .reaped = pool_reaped,
		.judge = durable_judge,
	};

	snprintf(name, sizeof(name), "%s | %s", a->name, b->name);
	sched_end_tag = judge_tag;
	sched_name = pool_name;
	power_first[0] = 0;
	durable_setup(depth);
	pair_make(a, b);
	durable_begin();
	sched_explore(&c, bounds, count);
	durable_end();
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
		return (n / kind_cnt + 31) % kind_cnt == n % kind_cnt;
	return true;
}

static void add(u64 *to, u64 n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static void board_add(const struct sched_count *c)
{
	__atomic_fetch_add(&board->complete, c->complete, __ATOMIC_RELAXED);
	add(&board->sum.executions, c->executions);
	add(&board->sum.kills, c->kills);
	add(&board->sum.judged, c->judged);
	add(&board->sum.violations, c->violations);
}

/* What the engines counted in this process. */
static void board_add_all(void)
{
	add(&board->durable.losses, durable_count.losses);
	add(&board->durable.again, durable_count.again);
	add(&board->durable.after_kill, durable_count.after_kill);
	add(&board->power.nested, power_count.nested);
	add(&board->power.recoveries, power_count.recoveries);
	add(&board->power.known, power_count.known);
	add(&board->power.violations, power_count.violations);
}

static void worker(const struct search *s, double each)
{
	struct sched_bounds bounds = { .preempts = s->preempts, .kills = s->kills };
	const struct kind *a, *b;
	u32 n;

	sched_world_make();
	sched_first[0] = 0;
	memset(&durable_count, 0, sizeof(durable_count));
	memset(&power_count, 0, sizeof(power_count));
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
		explore(a, b, &bounds, s->depth, &count);
		board_add(&count);
		add(&board->done[n / kind_cnt], pair_done[0]);
		add(&board->done[n % kind_cnt], pair_done[1]);
		if (count.violations && !__atomic_fetch_add(&board->told, 1, __ATOMIC_RELAXED))
			memcpy(board->first, sched_first, sizeof(board->first));
	}
	board_add_all();
	exit(0);
}

static void search_tell(const struct search *s, u32 no, bool ok, double seconds)
{
	printf("%s %u %s: %u pairs%s, %llu executions, ", ok ? "ok" : "not ok", no, s->name,
	       board->pairs, s->timed ? " in part" : board->complete == board->pairs ?
	       " to the end" : ", SOME NOT TO THE END",
	       (unsigned long long)board->sum.executions);
	printf("%llu with a kill, %llu ends judged; ",
	       (unsigned long long)board->sum.kills, (unsigned long long)board->sum.judged);
	printf("power lost at %llu moments (%llu after a kill, ",
	       (unsigned long long)board->durable.losses,
	       (unsigned long long)board->durable.after_kill);
	printf("%llu more were the same) and %llu in recovery, %llu recoveries, ",
	       (unsigned long long)board->durable.again, (unsigned long long)board->power.nested,
	       (unsigned long long)board->power.recoveries);
	printf("%llu violations; %.0f s\n", (unsigned long long)board->sum.violations, seconds);
	if (board->first[0])
		printf("# first: %s\n", board->first);
	fflush(stdout);
}

/* Returns whether nothing is wrong. */
static bool search_run(const struct search *s, u32 no)
{
	const u32 workers = number_of("DURABLE_WORKERS", (u32)sysconf(_SC_NPROCESSORS_ONLN));
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
		each = (double)number_of("DURABLE_SECONDS", 60) * workers / board->pairs;
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
	/* A search that lost no power would find nothing. */
	ok = ok && !board->sum.violations && !board->power.violations && board->durable.losses &&
	     board->power.recoveries > board->durable.losses &&
	     (!s->kills || board->durable.after_kill) &&
	     (s->timed || board->complete == board->pairs);
	search_tell(s, no, ok, seconds_now(CLOCK_MONOTONIC) - began);
	return ok;
}

/* ---- seeded bugs -------------------------------------------------------------------------- */

/**
 * struct seed - a bug, of the medium or a rule of lib/core/weak.h that is broken
 * @alone: processes one after the other do not show it
 */
struct seed {
	const char *name;
	enum durable_bug bug;
	unsigned int rules;
	const char *first;
	const char *second;
	u32 preempts;
	u32 kills;
	bool alone;
};

static const struct seed seeds[] = {
	{ "another's fence is taken for one's own", DURABLE_SHARED_FENCE, 0,
	  "alloc_refills", "list_begins", 1, 0, true },
	{ "another's flush is taken for one's own", DURABLE_SHARED_FLUSH, 0,
	  "alloc_refills", "publish_frees", 1, 0, true },
	{ "a reaper without fences", DURABLE_LAZY_REAPER, 0,
	  "free_remote", "alloc_refills", 0, 1, false },
	{ "what is freed is handed out by others", DURABLE_NO_BUG, POBJ_WEAK_QUARANTINE,
	  "free_remote", "alloc_refills", 1, 0, false },
	{ "what is freed is not listed", DURABLE_NO_BUG, POBJ_WEAK_RING,
	  "free_unowned", "alloc_adopts", 1, 0, false },
};

static bool seed_find(const struct seed *s, u32 preempts, u32 kills, u64 *executions)
{
	const struct sched_bounds bounds = { .preempts = preempts, .kills = kills };
	struct sched_count count = { .executions = 0 };

	sched_tell = 0;
	sched_first[0] = 0;
	durable_bug = s->bug;
	pobj_weak_rules = s->rules;
	explore(kind_named(s->first), kind_named(s->second), &bounds, 1, &count);
	durable_bug = DURABLE_NO_BUG;
	pobj_weak_rules = 0;
	*executions = count.executions;
	return count.violations;
}

static bool seed_run(const struct seed *s, u32 no)
{
	u64 executions;
	bool ok = true;

	if (s->alone && seed_find(s, 0, 0, &executions)) {
		printf("# %s: also without preemption, %s\n", s->name, sched_first);
		ok = false;
	}
	ok &= seed_find(s, s->preempts, s->kills, &executions);
	printf("# %s: %s after %llu executions\n", s->name, sched_first[0] ? sched_first :
	       "nothing", (unsigned long long)executions);
	printf("%s %u seeded bug is found: %s\n", ok ? "ok" : "not ok", no, s->name);
	fflush(stdout);
	return ok;
}

/* ---- one pair ----------------------------------------------------------------------------- */

static int one_pair(char **argv, const char *seed)
{
	const double began = seconds_now(CLOCK_PROCESS_CPUTIME_ID);
	const struct sched_bounds bounds = {
		.preempts = (u32)atoi(argv[3]), .kills = (u32)atoi(argv[4]),
		.random = number_of("DURABLE_RANDOM", 0),
		.seconds = number_of("DURABLE_SECONDS", 0),
	};
	struct sched_count c = { .executions = 0 };
	u32 i;

	for (i = 0; seed && i < ARRAY_SIZE(seeds); i++) {
		if (strcmp(seeds[i].name, seed))
			continue;
		durable_bug = seeds[i].bug;
		pobj_weak_rules = seeds[i].rules;
	}
	explore(kind_named(argv[1]), kind_named(argv[2]), &bounds, atoi(argv[5]), &c);
	printf("%s | %s: %llu executions, %llu in the last of %llu passes, %llu killed, ",
	       argv[1], argv[2], (unsigned long long)c.executions, (unsigned long long)c.last,
	       (unsigned long long)c.passes, (unsigned long long)c.kills);
	printf("%llu pruned, %llu judged; %llu moments, %llu after a kill, %llu again, ",
	       (unsigned long long)c.pruned, (unsigned long long)c.judged,
	       (unsigned long long)durable_count.losses,
	       (unsigned long long)durable_count.after_kill,
	       (unsigned long long)durable_count.again);
	printf("%llu nested, %llu recoveries, %llu known, %llu violations; %.2f s of CPU\n",
	       (unsigned long long)power_count.nested, (unsigned long long)power_count.recoveries,
	       (unsigned long long)power_count.known, (unsigned long long)c.violations,
	       seconds_now(CLOCK_PROCESS_CPUTIME_ID) - began);
	return !!c.violations;
}

int main(int argc, char **argv)
{
	const bool all = getenv("DURABLE_LONG");
	const struct search *s = all ? searches_long : searches_short;
	const u32 only = number_of("DURABLE_SEARCH", 0);
	u32 cnt = all ? ARRAY_SIZE(searches_long) : ARRAY_SIZE(searches_short);
	bool ok = true;
	u32 i;

	if (only && only <= cnt) {
		s += only - 1;
		cnt = 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	sched_world_make();
	if (argc > 5)
		return one_pair(argv, argc > 6 ? argv[6] : NULL);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	printf("TAP version 13\n1..%u\n", (u32)ARRAY_SIZE(seeds) + cnt);
	for (i = 0; i < ARRAY_SIZE(seeds); i++)
		ok &= seed_run(&seeds[i], 1 + i);
	for (i = 0; i < cnt; i++)
		ok &= search_run(&s[i], 1 + (u32)ARRAY_SIZE(seeds) + i);
	return !ok;
}
