// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Power loss and kills at every step of what changes a pool: format, repair of a superblock,
 * words through a lane's log at every border of it, growth of the log, root creation and growth
 * by the real library, the operations of the heap. Then the same with each flush and each fence
 * deleted in turn: that must be noticed, or the site must stand in the list of survivors, with its
 * reason.
 */
#include <stdio.h>

#include "selftests/crash/cases/cases.h"

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "words in the slot, past the ring of slots", case_words_few },
	{ "words in extension lines", case_words_ext },
	{ "words in log chunks", case_words_chunk },
	{ "words, their lane recovered alone", case_words_one_lane },
	{ "words on a medium where lines tear", case_words_tear },
	{ "growth of the log", case_grow },
	{ "format over garbage and over a pool", case_format },
	{ "repair of a superblock copy", case_repair },
	{ "root created and grown by the library", case_root },
	{ "objects: allocate, free, replace, publish, in sequences", case_objects },
	{ "hazards: each is none, and found where its rule is weakened", case_hazards },
	{ "heap: each operation, kills and reapers", case_heap_kills },
	{ "heap: borders", case_heap_borders },
	{ "heap: sequences", case_heap_pairs },
};

#define TESTS	ARRAY_SIZE(tests)

/* Sites whose deletion need not be noticed; see survivors.h. */
static const struct {
	const char *file, *func;
	enum pobj_site_kind kind;
	unsigned int nth;
	const char *why;
} survivors[] = {
#include "selftests/crash/survivors.h"
	{ NULL, NULL, 0, 0, NULL }
};

static const char *survivor_reason(const struct pobj_site *s)
{
	for (size_t i = 0; survivors[i].file; i++) {
		if (strstr(s->file, survivors[i].file) && !strcmp(s->func, survivors[i].func) &&
		    s->kind == survivors[i].kind && power_site_nth(s) == survivors[i].nth)
			return survivors[i].why;
	}
	return NULL;
}

static const char *const kind_name[] = { "store", "flush", "fence" };

/* POWER_LONG=1 in the environment: survivors are tried, too. */
static bool power_long(void)
{
	const char *s = getenv("POWER_LONG");

	return s && *s == '1';
}

/* Delete the flushes and fences at @where, "file:line"; false: there are none. */
static bool sites_off(const char *where)
{
	char at[128];
	bool some = false;
	struct pobj_site *all;
	u32 i, cnt;

	all = power_sites(&cnt);
	for (i = 0; i < cnt; i++) {
		snprintf(at, sizeof(at), "%s:%u", all[i].file, all[i].line);
		if (all[i].kind == POBJ_SITE_STORE || strcmp(at, where))
			continue;
		all[i].off = true;
		some = true;
	}
	return some;
}

/*
 * One rule by itself, for those who look for a fault: its name begins with @name; without the
 * flushes and fences at all of @off, which ends with NULL.
 */
static int run_named(const char *name, char *const *off)
{
	struct power_count before = power_count;
	u32 i;

	for (; *off; off++) {
		if (sites_off(*off))
			continue;
		printf("Bail out! no flush or fence at %s\n", *off);
		return 1;
	}
	for (i = 0; i < TESTS; i++) {
		if (strncmp(tests[i].name, name, strlen(name)))
			continue;
		power_tell = 40;
		tests[i].run();
		printf("# %s: %llu violations; %s\n", tests[i].name,
		       (unsigned long long)(power_count.violations - before.violations),
		       power_first);
		printf("# %llu moments, %llu in recovery, %llu kills, %llu recoveries\n",
		       (unsigned long long)(power_count.points - before.points),
		       (unsigned long long)(power_count.nested - before.nested),
		       (unsigned long long)(power_count.kills - before.kills),
		       (unsigned long long)(power_count.recoveries - before.recoveries));
	}
	return power_count.violations != before.violations;
}

/* The long run: all cases here, the heap's in children. */
static int prove(void)
{
	struct power_count heap, *c = &power_count;
	unsigned int silent = 0;
	struct pobj_site *sites;
	u64 hits[4096] = { 0 }, least;
	u32 i, cnt, left;

	for (i = 0; i < TESTS; i++) {
		/* A fork has no pools of its parent: what opens any is for the children. */
		if (!strncmp(tests[i].name, "heap", 4) || tests[i].run == case_hazards)
			continue;
		power_tell = 1;
		tests[i].run();
	}
	sites = power_sites(&cnt);
	for (i = 0; i < cnt && i < ARRAY_SIZE(hits); i++)
		hits[i] = sites[i].hits;
	power_tell = 20;
	left = prove_heap(hits, cnt, &heap, &least);
	for (i = 0; i < cnt && i < ARRAY_SIZE(hits); i++) {
		if (hits[i])
			continue;
		printf("# never executed: %s:%u %s\n", sites[i].file, sites[i].line,
		       kind_name[sites[i].kind]);
		silent++;
	}
	printf("# %-18s %9llu moments %9llu in recovery %8llu kills %10llu recoveries\n",
	       "engine and root", (unsigned long long)c->points, (unsigned long long)c->nested,
	       (unsigned long long)c->kills, (unsigned long long)c->recoveries);
	printf("# %llu recoveries, %llu at least of each kind; %llu led to images judged before\n",
	       (unsigned long long)(c->recoveries + heap.recoveries), (unsigned long long)least,
	       (unsigned long long)(c->known + heap.known));
	printf("# %u stores, flushes and fences of the library, %u never executed\n", cnt, silent);
	printf("# capped: %llu moments of format and repair (power.h, one_odd)\n",
	       (unsigned long long)c->odd);
	printf("# %u shards not done, %llu violations\n", left,
	       (unsigned long long)(c->violations + heap.violations));
	return left || silent || c->violations || heap.violations;
}

/* Which test is the @nth to be tried without @s? Those that know most of its file come first. */
static u32 test_nth(const struct pobj_site *s, u32 nth)
{
	u32 first = TESTS - 1;

	if (strstr(s->file, "lib/core/"))
		return nth;
	/* Only a kill shows what reapers forget. */
	while (strstr(s->file, "lib/reap.c") && tests[first].run != case_heap_kills)
		first--;
	return (first + TESTS - nth) % TESTS;
}

int main(int argc, char **argv)
{
	struct power_count before, total;
	struct pobj_site *sites;
	unsigned int n = 0, failed = 0, silent = 0, mutants = 0, caught = 0;
	unsigned int unexplained = 0;
	u32 i, t, cnt, by = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1 && !strcmp(argv[1], "--prove"))
		return prove();
	if (argc > 2 && !strcmp(argv[1], "--seed")) {
		power_tell = 1;
		prove_seed((u32)strtoul(argv[2], NULL, 0));
		return power_count.violations != 0;
	}
	if (argc > 1)
		return run_named(argv[1], argv + 2);
	printf("TAP version 13\n1..%zu\n", TESTS + 2);
	for (i = 0; i < TESTS; i++) {
		before = power_count;
		power_first[0] = 0;
		power_tell = 1;
		tests[i].run();
		if (power_count.violations != before.violations) {
			printf("# %s\n", power_first);
			failed++;
		}
		printf("%sok %u - %s\n", power_count.violations != before.violations ? "not " : "",
		       ++n, tests[i].name);
		printf("# %llu moments, %llu in recovery, %llu kills, %llu recoveries\n",
		       (unsigned long long)(power_count.points - before.points),
		       (unsigned long long)(power_count.nested - before.nested),
		       (unsigned long long)(power_count.kills - before.kills),
		       (unsigned long long)(power_count.recoveries - before.recoveries));
	}
	total = power_count;

	if (failed) {
		/* A violation that is always there would make every mutant look caught. */
		printf("not ok %u - every site was executed # not asked: a rule fails\n", ++n);
		printf("not ok %u - deleting a flush or fence is noticed # not asked\n", ++n);
		return 1;
	}
	sites = power_sites(&cnt);
	for (i = 0; i < cnt; i++) {
		if (!sites[i].hits) {
			printf("# never executed: %s:%u %s\n", sites[i].file, sites[i].line,
			       kind_name[sites[i].kind]);
			silent++;
		}
	}
	printf("%sok %u - every store, flush and fence of the library was executed\n",
	       silent ? "not " : "", ++n);

	for (i = 0; i < cnt; i++) {
		const char *why;

		if (sites[i].kind == POBJ_SITE_STORE || !sites[i].hits)
			continue;
		mutants++;
		/* To be noticed ends a run; not to be takes all of it. */
		why = survivor_reason(&sites[i]);
		if (why && !power_long()) {
			printf("# not tried: %s:%u %s without its %s: %s\n", sites[i].file,
			       sites[i].line, sites[i].func, kind_name[sites[i].kind], why);
			continue;
		}
		sites[i].off = true;
		power_count.violations = 0;
		power_tell = 0;
		for (t = 0; t < TESTS && !power_count.violations; t++) {
			by = test_nth(&sites[i], t);
			tests[by].run();
		}
		sites[i].off = false;
		if (power_count.violations) {
			printf("# %s:%u %s without its %s: noticed by %s\n", sites[i].file,
			       sites[i].line, sites[i].func, kind_name[sites[i].kind],
			       tests[by].name);
			caught++;
			continue;
		}
		printf("# not noticed: %s:%u %s without its %s: %s\n", sites[i].file,
		       sites[i].line, sites[i].func, kind_name[sites[i].kind], why ? why : "WHY?");
		if (!why)
			unexplained++;
	}
	printf("%sok %u - deleted flushes and fences are noticed (%u of %u; others have reasons)\n",
	       unexplained || !caught ? "not " : "", ++n, caught, mutants);
	printf("# in all %llu moments, %llu in recovery, %llu kills, %llu recoveries\n",
	       (unsigned long long)total.points, (unsigned long long)total.nested,
	       (unsigned long long)total.kills, (unsigned long long)total.recoveries);
	return silent || unexplained;
}
