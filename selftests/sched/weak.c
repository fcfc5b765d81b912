// SPDX-License-Identifier: BSD-3-Clause
/*
 * The protocol under weak memory: the real library on the view machine (engine/view.c). First the
 * machine itself, by litmus tests: what C11 forbids is never seen, what it allows is. Then pairs of
 * operations, with stale reads and races; then each place that makes atomic accesses, relaxed:
 * who notices? Prints TAP.
 *
 *	WEAK_LONG=1	all of it (make prove-weak); else a part
 *	WEAK_SECONDS=n	for the places that are relaxed, each (10)
 *
 *	WEAK_C11=1	no more than C11 promises: a read-modify-write is no fence
 *
 *	weak FIRST SECOND PREEMPTS KILLS STALE		one pair only
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "selftests/sched/cases/cases.h"
#include "selftests/sched/engine/view.h"

static u32 points, failed;

static bool point(bool ok, const char *what)
{
	printf("%s %u %s", ok ? "ok" : "not ok", ++points, what);
	failed += !ok;
	return ok;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- litmus tests ------------------------------------------------------------------------ */

static const char here[1];	/* a site */

static u64 seen[2][2];		/* what process p read */
static bool outcome[16];	/* which combinations were seen: bits of seen[][] */
static bool raced;

#define X	0
#define Y	64

static void put(u32 p, u64 at, u64 v, int order)
{
	sched_memory->store(sched_shared(p, at), 8, v, order, here);
}

static u64 get(u32 p, u64 at, int order)
{
	return sched_memory->load(sched_shared(p, at), 8, order, here);
}

static void add(u32 p, u64 at, int order)
{
	sched_memory->rmw(sched_shared(p, at), 8, SCHED_ADD, 1, order, here);
}

static void plain(u32 p, u64 at, enum sched_kind kind)
{
	sched_memory->plain(sched_shared(p, at), 8, kind, here);
}

/* One sends a message, the other reads flag and contents. */
static void message(u32 p, int store, int load)
{
	if (!p) {
		put(p, X, 1, __ATOMIC_RELAXED);
		put(p, Y, 1, store);
	} else {
		seen[1][0] = get(p, Y, load);
		seen[1][1] = get(p, X, __ATOMIC_RELAXED);
	}
}

static void mp_rel_acq(u32 p)
{
	message(p, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE);
}

static void mp_rel_rlx(u32 p)
{
	message(p, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static void mp_rlx_acq(u32 p)
{
	message(p, __ATOMIC_RELAXED, __ATOMIC_ACQUIRE);
}

/* The flag is changed once more by the reader's own read-modify-write: a release sequence. */
static void mp_sequence(u32 p)
{
	if (!p) {
		put(p, X, 1, __ATOMIC_RELAXED);
		put(p, Y, 1, __ATOMIC_RELEASE);
		add(p, Y, __ATOMIC_RELAXED);
	} else {
		seen[1][0] = get(p, Y, __ATOMIC_ACQUIRE) == 2;
		seen[1][1] = get(p, X, __ATOMIC_RELAXED);
	}
}

static void store_buffer(u32 p, int order)
{
	put(p, p ? Y : X, 1, order);
	seen[p][0] = get(p, p ? X : Y, order == __ATOMIC_RELEASE ? __ATOMIC_ACQUIRE : order);
}

static void sb_rel_acq(u32 p)
{
	store_buffer(p, __ATOMIC_RELEASE);
}

static void sb_sc(u32 p)
{
	store_buffer(p, __ATOMIC_SEQ_CST);
}

static void sb_fence(u32 p)
{
	put(p, p ? Y : X, 1, __ATOMIC_RELAXED);
	sched_memory->fence(__ATOMIC_SEQ_CST, here);
	seen[p][0] = get(p, p ? X : Y, __ATOMIC_RELAXED);
}

/* Two reads of one word do not go back. */
static void corr(u32 p)
{
	if (!p) {
		put(p, X, 1, __ATOMIC_RELAXED);
	} else {
		seen[1][0] = get(p, X, __ATOMIC_RELAXED);
		seen[1][1] = get(p, X, __ATOMIC_RELAXED);
	}
}

/* No read-modify-write is lost. */
static void both_add(u32 p)
{
	add(p, X, __ATOMIC_RELAXED);
	seen[p][0] = get(p, X, __ATOMIC_RELAXED) == 2;
}

static void plain_rel_acq(u32 p)
{
	if (!p) {
		plain(p, X, SCHED_WRITE);
		put(p, Y, 1, __ATOMIC_RELEASE);
	} else if (get(p, Y, __ATOMIC_ACQUIRE)) {
		plain(p, X, SCHED_READ);
	}
}

static void plain_rlx(u32 p)
{
	if (!p) {
		plain(p, X, SCHED_WRITE);
		put(p, Y, 1, __ATOMIC_RELAXED);
	} else if (get(p, Y, __ATOMIC_ACQUIRE)) {
		plain(p, X, SCHED_READ);
	}
}

/**
 * struct litmus - a test of the machine
 * @bad: combination of what was read, bits [process 0 first, 0 second, 1 first, 1 second]
 * @allowed: it must be seen; else it must not
 * @race: a race must be seen, or must not be
 */
static const struct litmus {
	const char *name;
	void (*run)(u32 p);
	u32 bad;
	bool allowed;
	bool race;
} litmus[] = {
	{ "message, release and acquire", mp_rel_acq, 4, false, false },
	{ "message, load is relaxed", mp_rel_rlx, 4, true, false },
	{ "message, store is relaxed", mp_rlx_acq, 4, true, false },
	{ "message through a release sequence", mp_sequence, 4, false, false },
	{ "store buffer, release and acquire", sb_rel_acq, 0, true, false },
	{ "store buffer, sequentially consistent", sb_sc, 0, false, false },
	{ "store buffer, fences", sb_fence, 0, false, false },
	{ "a read does not go back", corr, 4, false, false },
	{ "both add: nobody sees two", both_add, 0, false, false },
	{ "plain contents, release and acquire", plain_rel_acq, 15, false, false },
	{ "plain contents, store is relaxed", plain_rlx, 15, false, true },
};

static const struct litmus *at_hand;

static void litmus_run(u32 p)
{
	seen[p][0] = 0;
	seen[p][1] = 0;
	at_hand->run(p);
}

static u64 litmus_tag(void)
{
	return seen[0][0] | seen[0][1] << 1 | seen[1][0] << 2 | seen[1][1] << 3;
}

static const char *litmus_judge(void)
{
	outcome[litmus_tag()] = true;
	raced |= !!view_race();
	return NULL;
}

static bool nobody_reaps(void)
{
	return true;
}

static void litmus_all(void)
{
	static const struct sched_bounds bounds = { .preempts = 2 };
	const struct sched_case c = {
		.name = "litmus", .run = litmus_run, .reap = litmus_run, .reaped = nobody_reaps,
		.judge = litmus_judge,
	};
	struct sched_count count;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(litmus); i++) {
		at_hand = &litmus[i];
		memset(&count, 0, sizeof(count));
		memset(outcome, 0, sizeof(outcome));
		raced = false;
		sched_world_clear();
		sched_procs_clear();
		sched_calls_forget();
		sched_world_keep();
		sched_calls_keep();
		sched_end_tag = litmus_tag;
		sched_explore(&c, &bounds, &count);
		point(outcome[litmus[i].bad] == litmus[i].allowed && raced == litmus[i].race &&
		      count.complete && !count.violations, "litmus: ");
		printf("%s: %s%s, %llu executions\n", litmus[i].name,
		       outcome[litmus[i].bad] ? "seen" : "not seen", raced ? ", a race" : "",
		       (unsigned long long)count.executions);
	}
}

static void site_name(const void *at, char *text, size_t room)
{
	const struct pobj_site *m = at;
	char command[128], line[256];
	FILE *f;

	text[0] = 0;
	if (m >= __start_pobj_sites && m < __stop_pobj_sites) {
		snprintf(text, room, "%s:%u %s", m->file, m->line, m->func);
		return;
	}
	snprintf(command, sizeof(command), "addr2line -s -f -p -i -e /proc/%d/exe %p",
		 (int)getpid(), (const char *)at - 1);
	f = popen(command, "r");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		snprintf(text + strlen(text), room - strlen(text), "%s", line);
	}
	if (f)
		pclose(f);
}

/* ---- pairs of operations ----------------------------------------------------------------- */

static const struct scenario {
	const char *first;
	const char *second;
} scenarios[] = {
	/* An owner hands out, another one frees. */
	{ "alloc_refills", "free_remote" },
	/* Two take pages. */
	{ "alloc_in_new_slab", "alloc_in_new_slab" },
	{ "alloc_free_large", "alloc_large" },
	/* One gives up what the other may adopt. */
	{ "thread_exits", "alloc_adopts" },
	{ "alloc_adopts", "free_unowned" },
	/* Publishing what another lane owns; others look. */
	{ "other_thread_publishes", "alloc_refills" },
	{ "publish_two", "free_remote" },
	/* A slab is made, or goes, while another looks by hints. */
	{ "dissolve", "alloc_in_new_slab" },
	{ "free_in_full_slab", "alloc_adopts" },
	/* Sessions. */
	{ "open", "alloc_small" },
	{ "open", "close" },
	{ "list_begins", "list_begins" },
};

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

static const char *judge_all(void)
{
	static char text[768];
	char site[512];

	if (!view_race())
		return judge();
	if (!sched_tell)
		return view_race();
	site_name(view_race_site, site, sizeof(site));
	snprintf(text, sizeof(text), "%s, in %s", view_race(), site);
	return text;
}

/* What is copied out of the pool is judged afterwards, so it may change meanwhile: word by word. */
static int word_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	const u64 *from = pobj_media_ptr(m, off);
	u64 *to = dst;
	u64 i;

	for (i = 0; i < len / 8; i++)
		to[i] = sched_memory->load(from + i, 8, __ATOMIC_RELAXED, here);
	memcpy(to + i, from + i, len % 8);
	return 0;
}

static void explore(const char *a, const char *b, const struct sched_bounds *bounds,
		    struct sched_count *count)
{
	static char name[256];
	static const struct sched_case c = {
		.name = name, .run = pair_run, .reap = pair_reap, .reaped = pool_reaped,
		.judge = judge_all,
	};
	u32 p;

	snprintf(name, sizeof(name), "%s | %s", a, b);
	sched_end_tag = judge_tag;
	pair_make(kind_named(a), kind_named(b));
	for (p = 0; p < SCHED_PROCS; p++) {
		sched_handle(p)->media.read = word_read;
		sched_dirty(sched_handle(p), sizeof(struct pobj_pool));
	}
	sched_world_keep();
	sched_explore(&c, bounds, count);
}

static void scenarios_all(bool all)
{
	struct sched_bounds bounds = { .preempts = 1, .kills = all };
	struct sched_count count;
	double began;
	u32 i;

	view_stale_max = all ? 2 : 1;
	for (i = 0; i < ARRAY_SIZE(scenarios); i++) {
		memset(&count, 0, sizeof(count));
		began = seconds_now();
		bounds.seconds = all ? 120 : 3;
		explore(scenarios[i].first, scenarios[i].second, &bounds, &count);
		point(!count.violations, "weak memory: ");
		printf("%s | %s: %u preemptions, %u kills, %u stale reads%s: %llu executions, ",
		       scenarios[i].first, scenarios[i].second, bounds.preempts, bounds.kills,
		       view_stale_max, count.complete ? ", to the end" : ", CUT OFF BY TIME",
		       (unsigned long long)count.executions);
		printf("%llu ends, %llu violations; %.1f s\n", (unsigned long long)count.judged,
		       (unsigned long long)count.violations, seconds_now() - began);
	}
}

/* ---- one place relaxed ------------------------------------------------------------------- */

static const char *order_name(int order)
{
	static const char *const name[] = { "relaxed", "consume", "acquire", "release", "acq_rel",
					    "seq_cst" };

	return name[order];
}

static bool site_noticed(const struct view_site *s, double each, u64 *executions)
{
	struct sched_bounds bounds = { .preempts = 1, .seconds = each / ARRAY_SIZE(scenarios) };
	struct sched_count count = { .executions = 0 };
	u32 i;

	view_weak = s->at;
	for (i = 0; i < ARRAY_SIZE(scenarios) && !count.violations; i++)
		explore(scenarios[i].first, scenarios[i].second, &bounds, &count);
	view_weak = NULL;
	*executions += count.executions;
	return count.violations;
}

static void sites_all(double each)
{
	const u32 cnt = view_site_cnt;
	u32 i, strong = 0, noticed = 0;
	u64 executions = 0;
	char text[512];

	view_stale_max = 1;
	sched_tell = 0;
	for (i = 0; i < cnt; i++) {
		if (view_site[i].order == __ATOMIC_RELAXED || view_site[i].at == here)
			continue;
		strong++;
		sched_first[0] = 0;
		site_name(view_site[i].at, text, sizeof(text));
		if (site_noticed(&view_site[i], each, &executions)) {
			noticed++;
			printf("# noticed: %s %s %s: %s\n", order_name(view_site[i].order),
			       view_site[i].what, text, sched_first);
		} else {
			printf("# not noticed: %s %s %s (%llu accesses, %llu with a choice)\n",
			       order_name(view_site[i].order), view_site[i].what, text,
			       (unsigned long long)view_site[i].hits,
			       (unsigned long long)view_site[i].stale);
		}
	}
	point(noticed, "places made relaxed: ");
	printf("%u of %u noticed, %llu executions\n", noticed, strong,
	       (unsigned long long)executions);
}

static int one_pair(char **argv)
{
	const struct sched_bounds bounds = {
		.preempts = (u32)atoi(argv[3]), .kills = (u32)atoi(argv[4]),
	};
	struct sched_count c = { .executions = 0 };
	const double began = seconds_now();

	view_stale_max = (u32)atoi(argv[5]);
	explore(argv[1], argv[2], &bounds, &c);
	printf("%s | %s: %llu executions, %llu pruned, %llu judged, %llu violations, ", argv[1],
	       argv[2], (unsigned long long)c.executions, (unsigned long long)c.pruned,
	       (unsigned long long)c.judged, (unsigned long long)c.violations);
	printf("%llu overflows; %.2f s\n", (unsigned long long)view_overflows,
	       seconds_now() - began);
	return !!c.violations || view_overflows;
}

int main(int argc, char **argv)
{
	const char *each = getenv("WEAK_SECONDS");
	const bool all = getenv("WEAK_LONG");

	setvbuf(stdout, NULL, _IOLBF, 0);
	sched_memory = &sched_view;
	sched_world_make();
	view_locked = !getenv("WEAK_C11");
	if (argc > 5)
		return one_pair(argv);
	printf("TAP version 13\n");
	litmus_all();
	scenarios_all(all);
	if (all)
		sites_all(each ? atof(each) : 10);
	point(!view_overflows, "no table of the machine was too small: ");
	printf("%llu times\n", (unsigned long long)view_overflows);
	printf("1..%u\n# places that make atomic accesses: %u; points failed: %u\n", points,
	       view_site_cnt, failed);
	return !!failed;
}
