// SPDX-License-Identifier: BSD-3-Clause
/*
 * Two operations at once, a reaper, and kills: all pairs of kinds, in all schedules within bounds.
 * Prints TAP: a point for each search, with what it did, and one for each seeded bug, which must be
 * found.
 *
 *	SCHED_LONG=1		all of it (make prove-kill); else a sample
 *	SCHED_SECONDS=n		how long the searches go on that have no end in reach (600)
 *	SCHED_WORKERS=n		processes that search (one for each CPU)
 *	SCHED_ONLY=n		only search n of the long run's, and no seeded bugs
 *	SCHED_LOG=file		a line for each pair that is done
 *	SCHED_RESUME=1		pairs that this program's log says are done and clean count as done
 *
 *	kill FIRST SECOND PREEMPTS KILLS [BUG]	one pair only, and tell more; SCHED_TRACE=1: each
 *						access; SCHED_RANDOM=seed SCHED_SECONDS=n
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "selftests/sched/cases/seeds.h"

#define TELL	10U	/* pairs whose first violation is told in full */
#define PAIRS	4096U	/* at most */
#define WORKERS	256U	/* at most */
#define SAMPLE	16U	/* so far apart are the kinds of a pair in the table */
#define SEED_SECONDS 600.0	/* to find a seeded bug at random */

/* Which pairs? */
enum pairs { PAIRS_ALL, PAIRS_ENTRIES, PAIRS_SAMPLE, PAIRS_FOUND };

/**
 * struct search - one line of the table
 * @timed: SCHED_SECONDS for all pairs together, at random; else each to the end
 */
struct search {
	const char *name;
	enum pairs pairs;
	u32 preempts;
	u32 kills;
	bool timed;
};

static const struct search searches_short[] = {
	{ "pairs that found bugs, 1 preemption, 1 kill", PAIRS_FOUND, 1, 1, false },
	{ "a sample of pairs, 1 preemption, 1 kill", PAIRS_SAMPLE, 1, 1, false },
};

static const struct search searches_long[] = {
	{ "all pairs, 1 preemption, 1 kill", PAIRS_ALL, 1, 1, false },
	{ "pairs of entries, 2 preemptions, 1 kill", PAIRS_ENTRIES, 2, 1, false },
	{ "all pairs, 3 preemptions, 1 kill", PAIRS_ALL, 3, 1, true },
	{ "all pairs, 2 preemptions, 2 kills", PAIRS_ALL, 2, 2, true },
};

/* Pairs that found bugs of the library. */
static const struct {
	const char *first;
	const char *second;
} found[] = {
	/* A slab was one before the group told its type; a lost page ended the look at a group. */
	{ "alloc_in_new_slab", "thread_exits_with_reservations" },
	/* A free was taken back between two looks at it (V10). */
	{ "alloc_refills", "realloc_remote" },
};

/*
 * What the workers share.
 * @least: executions of the pair that had the fewest
 * @before: pairs that the log says were done
 */
static struct board {
	u32 next;
	u32 pairs;
	u32 complete;
	u32 before;
	u64 least;
	struct sched_count sum;
	u64 done[PAIRS];	/* of each kind: operations that came to their ends */
	bool wanted[PAIRS];	/* kinds that are in one of the pairs */
	char first[sizeof(sched_first)];
	u32 told;
	bool skip[PAIRS];
	u32 pair[WORKERS];	/* that each is at */
} *board;

static struct sched_count total;	/* of all searches; @complete is not used */
static u32 total_pairs, total_cut;	/* cut: by time, or by too many violations */
static int log_fd = -1;

/* @seed: NULL, or a bug; the state to begin with is made without it. */
static void explore(const struct kind *a, const struct kind *b, const struct sched_bounds *bounds,
		    const struct seed *seed, struct sched_count *count)
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
	if (seed) {
		sched_seed = &seed->bug;
		pobj_weak_rules = seed->weak;
	}
	sched_explore(&c, bounds, count);
	sched_seed = NULL;
	pobj_weak_rules = 0;
}

/* ---- searches ----------------------------------------------------------------------------- */

static bool was_found(const struct kind *a, const struct kind *b)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(found); i++) {
		if (!strcmp(found[i].first, a->name) && !strcmp(found[i].second, b->name))
			return true;
	}
	return false;
}

/* Pair @n of the search; false: it is not of those wanted. */
static bool pair_wanted(const struct search *s, u32 n, const struct kind **a, const struct kind **b)
{
	*a = &kinds[n / kind_cnt];
	*b = &kinds[n % kind_cnt];
	if (s->pairs == PAIRS_ENTRIES)
		return (*a)->entry && (*b)->entry;
	if (s->pairs == PAIRS_FOUND)
		return was_found(*a, *b);
	/* Each kind once as the first and once as the second. */
	if (s->pairs == PAIRS_SAMPLE)
		return (n / kind_cnt + SAMPLE) % kind_cnt == n % kind_cnt;
	return true;
}

/* Pair @n is done; @done: operations of both that came to their ends. */
static void board_add(u32 n, const struct sched_count *c, const u64 done[2])
{
	u64 least = __atomic_load_n(&board->least, __ATOMIC_RELAXED);

	while (c->executions < least &&
	       !__atomic_compare_exchange_n(&board->least, &least, c->executions, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	__atomic_fetch_add(&board->done[n / kind_cnt], done[0], __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->done[n % kind_cnt], done[1], __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->complete, c->complete, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.executions, c->executions, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.kills, c->kills, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.kills2, c->kills2, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.pruned, c->pruned, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.judged, c->judged, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.steps, c->steps, __ATOMIC_RELAXED);
	__atomic_fetch_add(&board->sum.violations, c->violations, __ATOMIC_RELAXED);
}

/* ---- the log ------------------------------------------------------------------------------ */

/* Of this program: another one may do other things. */
static u64 program_hash(void)
{
	FILE *f = fopen("/proc/self/exe", "re");
	u64 h = 0xcbf29ce484222325ULL;
	int c;

	while (f && (c = getc_unlocked(f)) != EOF)
		h = (h ^ (u64)c) * 0x100000001b3ULL;
	if (f)
		fclose(f);
	return h;
}

static void log_open(void)
{
	const char *path = getenv("SCHED_LOG");
	char head[64], was[64] = "";
	int flags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC;
	bool mine;

	if (!path)
		return;
	snprintf(head, sizeof(head), "sched %016llx\n", (unsigned long long)program_hash());
	log_fd = open(path, flags, 0666);
	mine = log_fd >= 0 && getenv("SCHED_RESUME") &&
	       pread(log_fd, was, strlen(head), 0) == (ssize_t)strlen(head) && !strcmp(was, head);
	if (log_fd < 0 || (!mine && (ftruncate(log_fd, 0) ||
				     write(log_fd, head, strlen(head)) != (ssize_t)strlen(head)))) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

static void log_pair(const struct search *s, const struct kind *a, const struct kind *b,
		     const struct sched_count *c)
{
	char line[512];

	if (log_fd < 0)
		return;
	snprintf(line, sizeof(line),
		 "%u %u %s %s: %llu executions %llu %llu kills %llu ends %llu steps %llu %llu done "
		 "%llu violations %s\n",
		 s->preempts, s->kills, a->name, b->name, (unsigned long long)c->executions,
		 (unsigned long long)c->kills, (unsigned long long)c->kills2,
		 (unsigned long long)c->judged, (unsigned long long)c->steps,
		 (unsigned long long)pair_done[0], (unsigned long long)pair_done[1],
		 (unsigned long long)c->violations, c->complete ? "complete" : "cut");
	/* In one go: others write there, too. */
	if (write(log_fd, line, strlen(line)) < 0)
		perror("log");
}

/* Pairs of this search that are done and clean. */
static void log_read(const struct search *s)
{
	unsigned long long n[8];
	char line[512], first[64], second[64], end[16];
	const struct kind *a, *b;
	u32 preempts, kills, i;
	FILE *f = log_fd < 0 || s->timed ? NULL : fopen(getenv("SCHED_LOG"), "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%u %u %63s %63[^:]: %llu executions %llu %llu kills %llu ends "
			   "%llu steps %llu %llu done %llu violations %15s", &preempts, &kills,
			   first, second, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7],
			   end) != 13 || strcmp(end, "complete") || n[7] ||
		    preempts != s->preempts || kills != s->kills)
			continue;
		i = (u32)(kind_named(first) - kinds) * kind_cnt + (u32)(kind_named(second) - kinds);
		if (!pair_wanted(s, i, &a, &b) || board->skip[i])
			continue;
		board->skip[i] = true;
		board->before++;
		board_add(i, &(struct sched_count){
			.executions = n[0], .kills = n[1], .kills2 = n[2], .judged = n[3],
			.steps = n[4], .complete = true,
		}, (const u64[]){ n[5], n[6] });
	}
	if (f)
		fclose(f);
}

/* ---- workers ------------------------------------------------------------------------------ */

static void worker(const struct search *s, double each, u32 self)
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
		if (!pair_wanted(s, n, &a, &b) || board->skip[n])
			continue;
		board->pair[self] = n;
		struct sched_count count = { .executions = 0 };

		sched_tell = __atomic_load_n(&board->told, __ATOMIC_RELAXED) < TELL;
		bounds.seconds = each;
		bounds.random = s->timed ? n + 1 : 0;
		explore(a, b, &bounds, NULL, &count);
		board_add(n, &count, pair_done);
		log_pair(s, a, b, &count);
		if (count.violations && !__atomic_fetch_add(&board->told, 1, __ATOMIC_RELAXED))
			memcpy(board->first, sched_first, sizeof(board->first));
	}
	exit(0);
}

/* Returns whether nothing is wrong. */
static bool search_run(const struct search *s, u32 no)
{
	const u32 wish = number_of("SCHED_WORKERS", (u32)sysconf(_SC_NPROCESSORS_ONLN));
	const u32 workers = wish < WORKERS ? wish : WORKERS;
	const double began = seconds_now(CLOCK_MONOTONIC);
	const struct kind *a, *b;
	pid_t pid[WORKERS];
	double each = 0;
	int status = 0;
	bool ok = true;
	u32 i;

	memset(board, 0, sizeof(*board));
	board->least = UINT64_MAX;
	for (i = 0; i < kind_cnt * kind_cnt; i++) {
		if (!pair_wanted(s, i, &a, &b))
			continue;
		board->pairs++;
		board->wanted[a - kinds] = true;
		board->wanted[b - kinds] = true;
	}
	if (s->timed)
		each = (double)number_of("SCHED_SECONDS", 600) * workers / board->pairs;
	log_read(s);
	fflush(stdout);
	for (i = 0; i < workers; i++) {
		pid[i] = fork();
		if (!pid[i])
			worker(s, each, i);
	}
	for (i = 0; i < workers; i++) {
		if (waitpid(pid[i], &status, 0) == pid[i] && !status)
			continue;
		printf("# a worker died, status 0x%x, at %s | %s\n", status,
		       kinds[board->pair[i] / kind_cnt].name,
		       kinds[board->pair[i] % kind_cnt].name);
		ok = false;
	}
	for (i = 0; i < kind_cnt; i++) {
		if (board->done[i] || !board->wanted[i])
			continue;
		printf("# %s never came to its end\n", kinds[i].name);
		ok = false;
	}
	ok = ok && !board->sum.violations && (s->timed || board->complete == board->pairs);
	total_pairs += board->pairs;
	total_cut += board->pairs - board->complete;
	total.executions += board->sum.executions;
	total.kills += board->sum.kills;
	total.kills2 += board->sum.kills2;
	total.judged += board->sum.judged;
	total.steps += board->sum.steps;
	total.violations += board->sum.violations;
	printf("%s %u %s: %u pairs, ", ok ? "ok" : "not ok", no, s->name, board->pairs);
	if (s->timed)
		printf("cut off by time after %.2f s each, ", each);
	else
		printf("%u to the end, ", board->complete);
	if (board->before)
		printf("%u of them before, ", board->before);
	printf("%llu executions, %llu or more each, ", (unsigned long long)board->sum.executions,
	       (unsigned long long)board->least);
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
	const struct sched_bounds bounds = {
		.preempts = s->preempts ? s->preempts : 1, .kills = 1, .random = !!s->preempts,
		.seconds = s->preempts ? SEED_SECONDS : 0, .violations = 1,
	};
	struct sched_count count = { .executions = 0 };

	sched_tell = 0;
	sched_first[0] = 0;
	explore(a, b, &bounds, s, &count);
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
	const struct seed *bug = NULL;
	double s;
	u32 i;

	for (i = 0; seed && i < seed_cnt; i++) {
		if (!strcmp(seeds[i].bug.name, seed))
			bug = &seeds[i];
	}
	if (seed && !bug) {
		printf("Bail out! there is no bug %s\n", seed);
		return 1;
	}
	explore(kind_named(argv[1]), kind_named(argv[2]), &bounds, bug, &c);
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
	u32 i, no = 0, bugs = 0, only;
	bool ok = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sched_world_make();
	if (argc > 4)
		return one_pair(argv, argc > 5 ? argv[5] : NULL);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (kind_cnt * kind_cnt > PAIRS) {
		printf("Bail out! more than %u pairs\n", PAIRS);
		return 1;
	}
	log_open();
	only = number_of("SCHED_ONLY", 0);
	if (all && only && only <= cnt) {
		printf("TAP version 13\n1..1\n");
		return !search_run(&s[only - 1], 1);
	}
	for (i = 0; i < seed_cnt; i++)
		bugs += all || !seeds[i].preempts;
	printf("TAP version 13\n1..%u\n", cnt + bugs);
	for (i = 0; i < seed_cnt; i++) {
		if (all || !seeds[i].preempts)
			ok &= seed_run(&seeds[i], ++no);
	}
	if (bugs < seed_cnt)
		printf("# %u seeded bug takes longer to find: make prove-kill\n", seed_cnt - bugs);
	for (i = 0; i < cnt; i++)
		ok &= search_run(&s[i], ++no);
	printf("# in all %u pairs, %u cut off, %llu executions, %llu with a kill, %llu with two, ",
	       total_pairs, total_cut, (unsigned long long)total.executions,
	       (unsigned long long)total.kills, (unsigned long long)total.kills2);
	printf("%llu ends judged, %.1f billion accesses, %llu violations\n",
	       (unsigned long long)total.judged, (double)total.steps / 1e9,
	       (unsigned long long)total.violations);
	return !ok;
}
