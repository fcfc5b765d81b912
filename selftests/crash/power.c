// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Power loss and kills at every step of what changes a pool: format, repair of a superblock,
 * words through a lane's log at every border of it, growth of the log, root creation and growth
 * by the real library. Then the same with each flush and each fence deleted in turn: that must be
 * noticed, or the site must stand in the list of survivors, with its reason.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/core/check.h"
#include "lib/core/lane.h"
#include "lib/core/line.h"
#include "lib/core/recover.h"
#include "lib/persist.h"
#include "lib/pool.h"
#include "libpmemobj.h"
#include "selftests/crash/engine/power.h"

/* ---- a tiny pool in memory --------------------------------------------------------------- */

#define POOL_BYTES	(24 * 1024)
#define PAGE_SHIFT	8
#define LANES		2
#define EXT		2

static struct pobj_super super;		/* of the pool under exploration */
static u8 pool_bytes[POOL_BYTES] __attribute__((aligned(4096)));
static struct pobj_media tiny;

static int plain_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	memcpy(dst, (const u8 *)m->base + off, len);
	return 0;
}

static void format_args(struct pobj_format_args *a, u8 id)
{
	memset(a, 0, sizeof(*a));
	pobj_geom_make(&a->geom, POOL_BYTES, PAGE_SHIFT, LANES, EXT);
	memset(a->uuid, id, sizeof(a->uuid));
	a->mode = 0600;
	a->layout = "tiny";
}

static void tiny_make(void)
{
	struct pobj_format_args a;

	memset(pool_bytes, 0, sizeof(pool_bytes));
	tiny = (struct pobj_media){ .base = pool_bytes, .size = POOL_BYTES, .read = plain_read };
	format_args(&a, 1);
	if (pobj_super_format(&tiny, &a) || pobj_super_load(&tiny, &super, NULL))
		abort();
}

/* ---- common verdicts --------------------------------------------------------------------- */

static int recover_all(const struct pobj_media *m)
{
	struct pobj_super s;		/* not static: recoveries nest */
	struct pobj_recovery r;

	return pobj_recover_pool(m, &s, &r, NULL);
}

static bool check_ok(const struct pobj_media *m)
{
	struct pobj_census c;

	return !pobj_check_pool(m, &super, &c, NULL, NULL) && !c.problems;
}

/* ---- words ------------------------------------------------------------------------------- */

static struct pobj_word words[64];
static u64 old_value[64];
static u32 word_cnt;

static enum power_state words_state(const struct pobj_media *m, int err, const char **why)
{
	u32 i, olds = 0, news = 0;
	__le64 v;

	if (err) {
		*why = "recovery refused";
		return POWER_WRONG;
	}
	for (i = 0; i < word_cnt; i++) {
		m->read(m, &v, words[i].target, sizeof(v));
		olds += le64_to_cpu(v) == old_value[i];
		news += le64_to_cpu(v) == words[i].value;
	}
	if (!check_ok(m)) {
		*why = "check finds problems";
		return POWER_WRONG;
	}
	*why = "words are neither all old nor all new";
	return news == word_cnt ? POWER_NEW : olds == word_cnt ? POWER_OLD : POWER_WRONG;
}

static struct power_case words_case = {
	.recover = recover_all, .state = words_state, .kill = true,
};

/* Set @cnt words in up to three lines, over and over, so that slots rotate. */
static void explore_words(u32 cnt, int rounds, int chunks, int depth)
{
	struct pobj_lane lane;
	u32 i, round;

	tiny_make();
	if (pobj_lane_take(&lane, &tiny, &super.geom, 1, NULL))
		abort();
	for (i = 0; i < (u32)chunks; i++) {
		if (pobj_lane_grow(&lane, super.geom.page_cnt - 1 - i))
			abort();
	}
	word_cnt = cnt;
	words_case.depth = depth;
	for (round = 0; round < (u32)rounds; round++) {
		for (i = 0; i < cnt; i++) {
			words[i].target = pobj_geom_page(&super.geom, 0) + (i % 3) * 64 + i / 3 * 8;
			old_value[i] = words[i].value;
			words[i].value = ((u64)round << 32 | i) + 1;
			if (!round)
				old_value[i] = 0;
		}
		power_begin(&tiny, &words_case);
		if (pobj_lane_set_words(&lane, words, cnt))
			abort();
		power_end();
	}
	memset(words, 0, sizeof(words));
}

static void words_few(void)
{
	explore_words(1, 18, 0, 2);	/* past the ring of 16 slots */
	explore_words(3, 2, 0, 3);	/* slot full */
}

static void words_ext(void)
{
	explore_words(4, 2, 0, 2);	/* first extension line */
	explore_words(9, 1, 0, 2);	/* own lines full */
}

static void words_chunk(void)
{
	explore_words(10, 1, 1, 1);	/* first line of a chunk */
	explore_words(18, 1, 1, 1);	/* chunk full */
	explore_words(19, 1, 2, 1);	/* second chunk */
}

/* As after the death of one process among others: its lane alone. */
static int recover_one_lane(const struct pobj_media *m)
{
	struct pobj_recovery r = { 0 };

	return pobj_recover_lane(m, &super.geom, 1, &r, NULL);
}

static void words_one_lane(void)
{
	words_case.recover = recover_one_lane;
	explore_words(3, 2, 0, 2);
	explore_words(5, 1, 0, 2);
	words_case.recover = recover_all;
}

static const struct power_case tear_case = {
	.recover = recover_all, .state = words_state, .depth = 2, .kill = true,
	.lines_tear = true,
};

static void words_tear(void)
{
	struct pobj_lane lane;

	tiny_make();
	pobj_lane_take(&lane, &tiny, &super.geom, 1, NULL);
	word_cnt = 5;
	for (u32 i = 0; i < word_cnt; i++) {
		words[i] = (struct pobj_word){ pobj_geom_page(&super.geom, 0) + i * 64, i + 1 };
		old_value[i] = 0;
	}
	power_begin(&tiny, &tear_case);
	if (pobj_lane_set_words(&lane, words, word_cnt))
		abort();
	power_end();
	memset(words, 0, sizeof(words));
}

/* ---- growth of the log ------------------------------------------------------------------- */

static u64 chunks_before;

static enum power_state grow_state(const struct pobj_media *m, int err, const char **why)
{
	struct pobj_census c;

	*why = "recovery refused";
	if (err)
		return POWER_WRONG;
	*why = "check finds problems";
	if (pobj_check_pool(m, &super, &c, NULL, NULL) || c.problems)
		return POWER_WRONG;
	*why = "number of chunks";
	return c.logs == chunks_before ? POWER_OLD :
	       c.logs == chunks_before + 1 ? POWER_NEW : POWER_WRONG;
}

static const struct power_case grow_case = {
	.recover = recover_all, .state = grow_state, .depth = 2, .kill = true,
};

static void grow(void)
{
	struct pobj_lane lane;

	tiny_make();
	/* Pages full of what was there before. */
	memset(pool_bytes + super.geom.data_off, 0xa5, POOL_BYTES - super.geom.data_off);
	pobj_lane_take(&lane, &tiny, &super.geom, 1, NULL);
	for (chunks_before = 0; chunks_before < 3; chunks_before++) {
		power_begin(&tiny, &grow_case);
		if (pobj_lane_grow(&lane, 3 + chunks_before))
			abort();
		power_end();
	}
}

/* ---- format and superblock --------------------------------------------------------------- */

static enum power_state format_state(const struct pobj_media *m, int err, const char **why)
{
	struct pobj_super s;		/* not static: recoveries nest */
	struct pobj_census c;

	if (pobj_super_load(m, &s, NULL))
		return POWER_OLD;	/* no pool: what a crash in a format may leave */
	*why = "pool is damaged";
	if (err || pobj_check_pool(m, &s, &c, NULL, NULL) || c.problems)
		return POWER_WRONG;
	*why = "old superblock over a new pool";
	if (s.uuid[0] == 1)	/* not begun: then the large object of the old pool is there */
		return c.larges == 1 ? POWER_OLD : POWER_WRONG;
	*why = "new superblock over an old pool";
	return c.larges ? POWER_WRONG : POWER_NEW;
}

static const struct power_case format_case = {
	.recover = recover_all, .state = format_state, .depth = 1, .one_odd = true,
};

static void format(void)
{
	struct pobj_format_args a;
	struct pobj_lane lane;
	struct pobj_word w[2];

	/* Over garbage, and over a pool that was in use. */
	tiny_make();
	memset(pool_bytes, 0x5a, sizeof(pool_bytes));
	format_args(&a, 2);
	power_begin(&tiny, &format_case);
	if (pobj_super_format(&tiny, &a))
		abort();
	power_end();

	tiny_make();
	pobj_lane_take(&lane, &tiny, &super.geom, 1, NULL);
	w[0] = (struct pobj_word){ pobj_geom_line(&super.geom, 2) + 16, 3 << PAGE_SHIFT };
	w[1] = (struct pobj_word){ pobj_geom_line(&super.geom, 2),
				   pobj_line_header(POBJ_M_LARGE, 0, 0, 3) };
	if (pobj_lane_set_words(&lane, w, 2))
		abort();
	format_args(&a, 2);
	power_begin(&tiny, &format_case);
	if (pobj_super_format(&tiny, &a))
		abort();
	power_end();
}

static enum power_state repair_state(const struct pobj_media *m, int err, const char **why)
{
	struct pobj_super s;		/* not static: recoveries nest */

	*why = "superblock lost";
	if (err || pobj_super_load(m, &s, NULL) || s.uuid[0] != 1)
		return POWER_WRONG;
	*why = "copy was not repaired";
	return s.bad_copies ? POWER_WRONG : POWER_NEW;
}

static const struct power_case repair_case = {
	.recover = recover_all, .state = repair_state, .depth = 2, .kill = true, .one_odd = true,
};

static void repair(void)
{
	static const u64 copies[] = { POBJ_M_SUPER_OFF0, POBJ_M_SUPER_OFF1 };

	for (int i = 0; i < 2; i++) {
		tiny_make();
		pool_bytes[copies[i] + 100] ^= 1;
		power_begin(&tiny, &repair_case);
		if (recover_all(&tiny))
			abort();
		power_end();
	}
}

/* ---- root, by the real library ----------------------------------------------------------- */

static u64 root_old, root_new;		/* sizes */
static u8 root_fill_byte;

static int fill_root(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	(void)arg;
	pobj_store_fill(&p->media, (u8 *)ptr + root_old, root_fill_byte, root_new - root_old);
	return 0;
}

/* Byte @i of the root: each growth has filled what it added with its own byte. */
static u8 root_byte(u64 i)
{
	static const u64 sizes[] = { 40, 300, 600, 601 };
	u8 b;

	for (b = 0; i >= sizes[b]; b++)
		;
	return (u8)(b + 1);
}

static enum power_state root_state(const struct pobj_media *m, int err, const char **why)
{
	struct pobj_m_root root;
	u64 i, off, size;
	u8 byte;

	*why = "recovery refused";
	if (err)
		return POWER_WRONG;
	*why = "check finds problems";
	if (!check_ok(m))
		return POWER_WRONG;
	m->read(m, &root, POBJ_M_ROOT_OFF, sizeof(root));
	off = le64_to_cpu(root.off);
	size = le64_to_cpu(root.size);
	*why = "root has another size";
	if (size != root_old && size != root_new)
		return POWER_WRONG;
	*why = "root contents are torn";
	for (i = 0; i < size; i++) {
		m->read(m, &byte, off + i, 1);
		if (byte != root_byte(i))
			return POWER_WRONG;
	}
	return size == root_new ? POWER_NEW : POWER_OLD;
}

static const struct power_case root_case = {
	.recover = recover_all, .state = root_state, .depth = 2, .kill = true,
};

static void root(void)
{
	static const u64 sizes[] = { 40, 300, 600, 601 };
	char path[64];
	PMEMobjpool *pop;
	struct pobj_pool *p;
	int fd;

	tiny_make();
	snprintf(path, sizeof(path), "/dev/shm/pobj-power.%d", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, pool_bytes, POOL_BYTES) != POOL_BYTES)
		abort();
	close(fd);
	pop = pmemobj_open(path, "tiny");
	if (!pop) {
		printf("# %s\n", pmemobj_errormsg());
		abort();
	}
	p = pobj_pool_raw(pop);
	root_old = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		root_new = sizes[i];
		root_fill_byte = (u8)(i + 1);
		power_begin(&p->media, &root_case);
		if (OID_IS_NULL(pmemobj_root_construct(pop, root_new, fill_root, NULL)))
			abort();
		power_end();
		root_old = root_new;
	}
	pmemobj_close(pop);
	unlink(path);
}

/* ---- main -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "words in the slot, past the ring of slots", words_few },
	{ "words in extension lines", words_ext },
	{ "words in log chunks", words_chunk },
	{ "words, their lane recovered alone", words_one_lane },
	{ "words on a medium where lines tear", words_tear },
	{ "growth of the log", grow },
	{ "format over garbage and over a pool", format },
	{ "repair of a superblock copy", repair },
	{ "root created and grown by the library", root },
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

/* Which one of its kind @s is in its function, in the order of lines. */
static unsigned int site_nth(const struct pobj_site *s)
{
	unsigned int nth = 1;
	struct pobj_site *all;
	u32 i, cnt;

	all = power_sites(&cnt);
	for (i = 0; i < cnt; i++)
		nth += !strcmp(all[i].file, s->file) && !strcmp(all[i].func, s->func) &&
		       all[i].kind == s->kind && all[i].line < s->line;
	return nth;
}

static const char *survivor_reason(const struct pobj_site *s)
{
	for (size_t i = 0; survivors[i].file; i++) {
		if (strstr(s->file, survivors[i].file) && !strcmp(s->func, survivors[i].func) &&
		    s->kind == survivors[i].kind && site_nth(s) == survivors[i].nth)
			return survivors[i].why;
	}
	return NULL;
}

int main(void)
{
	static const char *const kind[] = { "store", "flush", "fence" };
	struct power_count before, total;
	struct pobj_site *sites;
	unsigned int n = 0, failed = 0, silent = 0, mutants = 0, caught = 0;
	unsigned int unexplained = 0;
	u32 i, cnt;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", TESTS + 2);
	for (i = 0; i < TESTS; i++) {
		before = power_count;
		power_first[0] = 0;
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
	/* Users' data passes lib/memory.c and lib/persist.c; no state of the pool depends on it. */
	for (i = 0; i < cnt; i++) {
		if (!sites[i].hits && !strstr(sites[i].file, "lib/memory.c") &&
		    !strstr(sites[i].file, "lib/persist.c")) {
			printf("# never executed: %s:%u %s\n", sites[i].file, sites[i].line,
			       kind[sites[i].kind]);
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
		sites[i].off = true;
		power_count.violations = 0;
		for (u32 t = 0; t < TESTS && !power_count.violations; t++)
			tests[t].run();
		sites[i].off = false;
		if (power_count.violations) {
			caught++;
			continue;
		}
		why = survivor_reason(&sites[i]);
		printf("# not noticed: %s:%u %s without its %s: %s\n", sites[i].file,
		       sites[i].line, sites[i].func, kind[sites[i].kind], why ? why : "WHY?");
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
