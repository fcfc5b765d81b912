// SPDX-License-Identifier: BSD-3-Clause
/*
 * The protocol under weak memory: the real library on the view machine (engine/view.c). First the
 * machine itself, by litmus tests: what C11 forbids is never seen, what it allows is. Then pairs of
 * operations, with stale reads and races; then each place that makes atomic accesses, relaxed:
 * one that nobody notices must have its reason in weak.txt. Prints TAP; to be run at the top of
 * the tree.
 *
 *	WEAK_LONG=1	all of it (make prove-model); else a part
 *	WEAK_LONG=places	without the longer search of the pairs
 *	WEAK_TELL=1	tell who noticed each place
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

/**
 * struct scenario - two operations
 * @small: searched with a preemption and a kill for each place that is relaxed
 */
static const struct scenario {
	const char *first;
	const char *second;
	bool small;
} scenarios[] = {
	/* An owner hands out, another one frees. */
	{ "alloc_refills", "free_remote", true },
	{ "alloc_refills", "realloc_remote", false },
	/* Two take pages. */
	{ "alloc_in_new_slab", "alloc_in_new_slab", false },
	{ "alloc_free_large", "alloc_large", false },
	/* One gives up what the other may adopt. */
	{ "thread_exits", "alloc_adopts", false },
	{ "alloc_adopts", "free_unowned", true },
	/* Publishing what another lane owns; others look. */
	{ "other_thread_publishes", "alloc_refills", true },
	{ "publish_two", "free_remote", true },
	/* A slab is made, or goes, while another looks by hints. */
	{ "dissolve", "alloc_in_new_slab", false },
	{ "free_in_full_slab", "alloc_adopts", false },
	/* Sessions. */
	{ "open", "alloc_small", false },
	{ "open", "close", false },
	{ "list_begins", "list_begins", false },
};

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

/**
 * struct level - how far to search
 * @late: in the long run only
 * @small: only scenarios that are
 */
struct level {
	u32 preempts;
	u32 kills;
	u32 stale;
	bool late;
	bool small;
};

/* The cheap ones first. A place that is noticed is searched no further. */
static const struct level levels[] = {
	{ .preempts = 1, .stale = 1 },
	{ .preempts = 2, .stale = 1, .late = true },
	{ .preempts = 1, .kills = 1, .stale = 1, .late = true, .small = true },
};

#define LEVELS	ARRAY_SIZE(levels)

/* Of each site, by level, the scenarios in which it can matter: a bit each. */
static u32 matters[VIEW_SITES][ARRAY_SIZE(levels)];

static bool is_fence(const struct view_site *s)
{
	return s->order == __ATOMIC_SEQ_CST || s->order == __ATOMIC_ACQ_REL;
}

/* @level: of levels[], or none of them. */
static void scenarios_all(const struct level *l, u32 level)
{
	const struct sched_bounds bounds = { .preempts = l->preempts, .kills = l->kills };
	struct sched_count count;
	double began;
	const struct view_site *s;
	u32 i, n;

	view_stale_max = l->stale;
	for (i = 0; i < ARRAY_SIZE(scenarios); i++) {
		if (l->small && !scenarios[i].small)
			continue;
		memset(&count, 0, sizeof(count));
		began = seconds_now(CLOCK_PROCESS_CPUTIME_ID);
		for (n = 0; n < VIEW_SITES; n++) {
			view_site[n].hits = 0;
			view_site[n].met = 0;
		}
		explore(scenarios[i].first, scenarios[i].second, &bounds, &count);
		for (n = 0; level < LEVELS && n < view_site_cnt; n++) {
			/* One that both acquires and releases is a fence, too. */
			s = &view_site[n];
			matters[n][level] |= (u32)(s->met || (s->hits && is_fence(s))) << i;
		}
		point(!count.violations && count.complete, "weak memory: ");
		printf("%s | %s: %u preemptions, %u kills, %u stale reads: %llu executions, ",
		       scenarios[i].first, scenarios[i].second, bounds.preempts, bounds.kills,
		       view_stale_max, (unsigned long long)count.executions);
		printf("%llu ends, %llu violations; %.1f s\n", (unsigned long long)count.judged,
		       (unsigned long long)count.violations,
		       seconds_now(CLOCK_PROCESS_CPUTIME_ID) - began);
	}
}

/* ---- one place relaxed ------------------------------------------------------------------- */

/**
 * struct place - a line of the library that makes atomic accesses which are not relaxed
 * @text: file, function, what it does, the line itself: found again when lines move
 * @scenarios: by level, those in which it can matter, a bit each
 * @sites: the compiler's copies of it
 * @reason: why relaxing it goes unnoticed; NULL: it must be noticed
 * @late: it is noticed, but only by the long run
 * @level: search that noticed it, LEVELS: none
 */
struct place {
	char text[384];
	u32 scenarios[ARRAY_SIZE(levels)];
	u32 sites;
	const char *reason;
	bool late;
	u32 level;
};

static struct place place[VIEW_SITES];
static u32 place_cnt;
static u32 place_of[VIEW_SITES];	/* of a site; + 1 */

static const char *order_name(int order)
{
	static const char *const name[] = { "relaxed", "consume", "acquire", "release", "acq_rel",
					    "seq_cst" };

	return name[order];
}

/* Line @n of @path, without what stands around it. */
static void line_of(const char *path, u32 n, char *text, size_t room)
{
	FILE *f = fopen(path, "r");
	char line[256] = "?", *from;

	while (f && n-- && fgets(line, sizeof(line), f))
		;
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = 0;
	from = line + strspn(line, "\t ");
	from[strcspn(from, "\t")] = 0;		/* a comment beside it */
	snprintf(text, room, "%s", from);
}

static void place_add(u32 site, const char *path, u32 line, const char *func)
{
	const struct view_site *s = &view_site[site];
	const char *file = strstr(path, "/lib/");
	char source[256], text[384];
	u32 i, n;

	line_of(path, line, source, sizeof(source));
	snprintf(text, sizeof(text), "%s %s %s %s: %s", file ? file + 1 : path, func,
		 order_name(s->order), s->what, source);
	for (i = 0; i < place_cnt && strcmp(place[i].text, text); i++)
		;
	if (i == place_cnt)
		strcpy(place[place_cnt++].text, text);
	for (n = 0; n < LEVELS; n++)
		place[i].scenarios[n] |= matters[site][n];
	place[i].sites++;
	place_of[site] = i + 1;
}

static bool site_counts(const struct view_site *s)
{
	return s->order != __ATOMIC_RELAXED && s->at != here;
}

/* What addr2line says of a site, innermost function first: the first that is in no header. */
static void site_read(FILE *f, u32 site)
{
	char func[128], path[384], keep_func[128] = "?", keep_path[384] = "?";
	u32 line = 0, found = 0;
	char *colon;

	while (fgets(func, sizeof(func), f) && strncmp(func, "0x", 2)) {
		if (!fgets(path, sizeof(path), f))
			break;
		colon = strrchr(path, ':');
		if (found || !colon)
			continue;
		found = colon[-1] == 'c';
		line = (u32)atoi(colon + 1);
		*colon = 0;
		func[strcspn(func, "\n")] = 0;
		strcpy(keep_func, func);
		strcpy(keep_path, path);
	}
	place_add(site, keep_path, line, keep_func);
}

/* All places that were seen. */
static void places_find(void)
{
	static char command[VIEW_SITES * 20];
	const struct pobj_site *m;
	char path[256], line[64];
	int used;
	FILE *f;
	u32 i;

	used = snprintf(command, sizeof(command), "addr2line -a -f -i -e /proc/%d/exe",
			(int)getpid());
	for (i = 0; i < view_site_cnt; i++) {
		m = view_site[i].at;
		if (!site_counts(&view_site[i]))
			continue;
		if (m >= __start_pobj_sites && m < __stop_pobj_sites) {
			snprintf(path, sizeof(path), "./%s", m->file);
			place_add(i, path, m->line, m->func);
			continue;
		}
		used += snprintf(command + used, sizeof(command) - (size_t)used, " %p",
				 (const void *)((const char *)view_site[i].at - 1));
	}
	/* The line with the address of the next one ends what is said of one. */
	f = popen(command, "r");
	if (!f || !fgets(line, sizeof(line), f)) {
		printf("Bail out! addr2line does not work\n");
		exit(1);
	}
	for (i = 0; i < view_site_cnt; i++) {
		if (site_counts(&view_site[i]) && !place_of[i])
			site_read(f, i);
	}
	pclose(f);
}

/* Selftests/sched/weak.txt: PLACE => REASON, or + PLACE for those that the long run notices. */
static u32 reasons_read(void)
{
	FILE *f = fopen("selftests/sched/weak.txt", "r");
	char line[1024], *bar, *text;
	u32 i, idle = 0;

	if (!f) {
		printf("Bail out! no selftests/sched/weak.txt: not at the top of the tree?\n");
		exit(1);
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!*line || *line == '#')
			continue;
		text = *line == '+' ? line + 2 : line;
		bar = strstr(text, " => ");
		if (bar)
			*bar = 0;
		for (i = 0; i < place_cnt && strcmp(place[i].text, text); i++)
			;
		if (i == place_cnt || (*line != '+' && !bar)) {
			printf("# weak.txt: no such place, or no reason: %s\n", line);
			idle++;
		} else if (*line == '+') {
			place[i].late = true;
		} else {
			place[i].reason = strdup(bar + 4);
		}
	}
	fclose(f);
	return idle;
}

static void place_weaken(u32 at, bool weak)
{
	u32 i;

	for (i = 0; i < view_site_cnt; i++) {
		if (place_of[i] == at + 1)
			view_site[i].weak = weak;
	}
}

/* Nobody else reads what it stores, or stores what it reads: nothing that the search could tell. */
static bool place_alone(const struct place *p)
{
	u32 n;

	for (n = 0; n < LEVELS && !p->scenarios[n]; n++)
		;
	return n == LEVELS;
}

static bool place_noticed(u32 at, u32 level, u64 *executions)
{
	const struct level *l = &levels[level];
	const struct sched_bounds bounds = { .preempts = l->preempts, .kills = l->kills };
	struct sched_count count = { .executions = 0 };
	u32 i;

	view_stale_max = l->stale;
	place_weaken(at, true);
	for (i = 0; i < ARRAY_SIZE(scenarios) && !count.violations; i++) {
		if (place[at].scenarios[level] >> i & 1)
			explore(scenarios[i].first, scenarios[i].second, &bounds, &count);
	}
	place_weaken(at, false);
	*executions += count.executions;
	return count.violations;
}

/*
 * Relax each place. In the short run those only that it must notice; the reasons of the others are
 * for the long run to check.
 */
static void places_all(bool all)
{
	u32 i, n, tried = 0, noticed = 0, explained = 0, alone = 0, wrong = 0;
	u64 executions = 0;
	const double began = seconds_now(CLOCK_PROCESS_CPUTIME_ID);
	bool found;

	sched_tell = 0;
	for (i = 0; i < place_cnt; i++) {
		place[i].level = LEVELS;
		if (place_alone(&place[i])) {
			alone++;
			if (getenv("WEAK_TELL"))
				printf("#\talone\t%s\n", place[i].text);
			continue;
		}
		if (!all && (place[i].reason || place[i].late))
			continue;
		tried++;
		sched_first[0] = 0;
		for (n = 0; n < LEVELS; n++) {
			if ((all || !levels[n].late) && place_noticed(i, n, &executions))
				break;
		}
		place[i].level = n;
		found = n < LEVELS;
		noticed += found;
		explained += !found && place[i].reason;
		if (!place[i].reason != found) {
			printf("# %s, %s: %s\n", place[i].reason ? "explained" : "not explained",
			       found ? "noticed" : "not noticed", place[i].text);
			wrong++;
		}
		if (found && levels[n].late && !place[i].late)
			printf("# noticed by the long run only: %s\n", place[i].text);
		if (getenv("WEAK_TELL"))
			printf("#\t%u\t%x,%x,%x\t%s\t%s\n", n, place[i].scenarios[0],
			       place[i].scenarios[1], place[i].scenarios[2], place[i].text,
			       sched_first);
	}
	point(!wrong, "places made relaxed: ");
	printf("of %u, of which %u are met by no other process, %u tried, %u noticed, ", place_cnt,
	       alone, tried, noticed);
	printf("%u explained, %u not as they should be; %llu executions, ", explained, wrong,
	       (unsigned long long)executions);
	printf("%.1f s\n", seconds_now(CLOCK_PROCESS_CPUTIME_ID) - began);
	for (n = 0; all && n < LEVELS; n++) {
		for (i = 0, noticed = 0; i < place_cnt; i++)
			noticed += place[i].level == n;
		printf("#   %u noticed with %u preemptions, %u kills, %u stale reads%s\n", noticed,
		       levels[n].preempts, levels[n].kills, levels[n].stale,
		       levels[n].small ? ", of the small pairs only" : "");
	}
}

static int one_pair(char **argv)
{
	const struct sched_bounds bounds = {
		.preempts = (u32)atoi(argv[3]), .kills = (u32)atoi(argv[4]),
	};
	struct sched_count c = { .executions = 0 };
	const double began = seconds_now(CLOCK_PROCESS_CPUTIME_ID);

	view_stale_max = (u32)atoi(argv[5]);
	explore(argv[1], argv[2], &bounds, &c);
	printf("%s | %s: %llu executions, %llu pruned, %llu judged, %llu violations, ", argv[1],
	       argv[2], (unsigned long long)c.executions, (unsigned long long)c.pruned,
	       (unsigned long long)c.judged, (unsigned long long)c.violations);
	printf("%llu overflows; %.2f s\n", (unsigned long long)view_overflows,
	       seconds_now(CLOCK_PROCESS_CPUTIME_ID) - began);
	return !!c.violations || view_overflows;
}

int main(int argc, char **argv)
{
	const bool all = getenv("WEAK_LONG");
	u32 i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sched_memory = &sched_view;
	sched_world_make();
	view_locked = !getenv("WEAK_C11");
	if (argc > 5)
		return one_pair(argv);
	printf("TAP version 13\n");
	litmus_all();
	for (i = 0; i < LEVELS; i++)
		scenarios_all(&levels[i], i);
	places_find();
	point(!reasons_read(), "each line of weak.txt names a place");
	printf("\n");
	places_all(all);
	if (all && strcmp(getenv("WEAK_LONG"), "places"))
		scenarios_all(&(struct level){ .preempts = 1, .kills = 1, .stale = 1 }, LEVELS);
	point(!view_overflows, "no table of the machine was too small: ");
	printf("%llu times\n", (unsigned long long)view_overflows);
	printf("1..%u\n# places that make atomic accesses: %u; points failed: %u\n", points,
	       view_site_cnt, failed);
	return !!failed;
}
