// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* The power-loss explorer: see power.h for model and method. */
#include <stdio.h>
#include <stdlib.h>

#include "selftests/crash/engine/digest.h"
#include "selftests/crash/engine/power.h"

#define LINE		POBJ_M_LINE
#define CONTENTS_MAX	400	/* contents of one line between two fences */
#define DEPTH_MAX	4
#define CHOICES_MAX	256	/* decisions in one run */
#define IGNORED_MAX	32
#define KNOWN_BITS	15	/* verdicts that are kept: 1 << KNOWN_BITS */

/*
 * A line with more than one possible content on the medium. content[0] is what is durable for
 * certain; memory holds the last of the ordered ones.
 */
struct dirty {
	u32 line;
	u32 cnt;
	u32 flushed[POWER_THREADS];	/* contents up to here its fence makes certain */
	struct power_digest digest;	/* of all contents; when power is lost */
	u8 content[CONTENTS_MAX][LINE];
};

/* A machine: memory as the program sees it, and what the medium may hold instead. */
struct machine {
	u8 *mem;		/* program's view */
	u64 size;
	struct dirty **dirty;	/* by line, NULL where medium equals memory */
	u32 *list;		/* lines with a dirty record */
	u32 list_cnt;
	bool *changed;		/* by line: memory is not as it was copied */
	u32 *change;		/* these lines */
	u32 change_cnt;
	struct power_digest *line;	/* digests of memory by line, but for what changed since */
	struct power_digest sum;	/* of them */
};

/*
 * What was judged. Recovery and verdict are functions of the image alone, with the model that the
 * verdict compares to: where the same image comes up again, recovered from other lines that were
 * undecided or at another moment, the verdict is known. A line that recovery left undecided counts
 * by all that it may hold; @states are then those of all images in question.
 */
struct known {
	struct power_digest key;
	u32 states;
};

struct level {
	struct machine at;	/* the machine when power was lost */
	struct machine run;	/* the one that recovers */
	bool *undecided;	/* by line of @run */
	struct pobj_media m;
	u32 choice[CHOICES_MAX];
	u32 options[CHOICES_MAX];
	u32 used;		/* choices consumed in this run */
	u32 made;		/* choices prescribed */
	bool newest;		/* one_odd: the rest is new (else old) */
	u32 odd;		/* one_odd: 1 + index of the line that differs, 0 for none */
	u32 odd_pick;
	/* What is being judged, with choices from @from on open; none if @judging is false. */
	bool judging;
	u32 from;
	struct known judged;
};

static struct {
	const struct power_case *c;
	const struct pobj_media *m;
	struct machine watched;
	struct machine kept;
	struct level level[DEPTH_MAX];
	int depth;		/* recoveries we are inside of */
	struct power_digest model;	/* what the verdict compares to, at this moment */
	struct known known[1U << KNOWN_BITS];
	bool paused;
	bool own_data;
	u32 thread;
	struct {
		u64 off;
		u64 len;
	} ignore[IGNORED_MAX];
	u32 ignored;
} ex;

struct power_count power_count;
char power_first[512];
u32 power_tell;
unsigned int pobj_weak_rules;
void (*power_fenced)(void);
bool (*power_wanted)(struct power_digest d, int depth);

extern struct pobj_site __start_pobj_sites[];
extern struct pobj_site __stop_pobj_sites[];

struct pobj_site *power_sites(u32 *cnt)
{
	*cnt = (u32)(__stop_pobj_sites - __start_pobj_sites);
	return __start_pobj_sites;
}

unsigned int power_site_nth(const struct pobj_site *s)
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

static void die(const char *why)
{
	printf("Bail out! %s\n", why);
	exit(1);
}

static void violation(const char *what)
{
	power_count.violations++;
	if (!power_first[0])
		snprintf(power_first, sizeof(power_first), "%s", what);
}

/* ---- machines ---------------------------------------------------------------------------- */

static void *must_alloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p)
		die("out of memory");
	return p;
}

static void machine_make(struct machine *k, u64 size)
{
	k->size = size;
	k->mem = aligned_alloc(4096, POWER_FRONT + (size + 4095) / 4096 * 4096);
	if (!k->mem)
		die("out of memory");
	k->mem += POWER_FRONT;
	k->dirty = must_alloc(size / LINE * sizeof(*k->dirty));
	k->list = must_alloc(size / LINE * sizeof(*k->list));
	k->list_cnt = 0;
	k->changed = must_alloc(size / LINE * sizeof(*k->changed));
	k->change = must_alloc(size / LINE * sizeof(*k->change));
	k->change_cnt = 0;
	k->line = must_alloc(size / LINE * sizeof(*k->line));
	k->sum = (struct power_digest){ 0, 0 };
}

/* Records come and go by the million: those not in use are kept. */
static struct dirty *spare[256];
static u32 spare_cnt;

static struct dirty *dirty_make(void)
{
	struct dirty *d = spare_cnt ? spare[--spare_cnt] : malloc(sizeof(*d));

	if (!d)
		die("out of memory");
	return d;
}

static void dirty_free(struct dirty *d)
{
	if (spare_cnt < ARRAY_SIZE(spare))
		spare[spare_cnt++] = d;
	else
		free(d);
}

static struct power_digest line_digest(const struct machine *k, u32 line)
{
	return digest_words(line, k->mem + (u64)line * LINE, LINE / 8);
}

/* Bring the digests up to date. */
static void machine_digest(struct machine *k)
{
	struct power_digest d;
	u32 i, line;

	for (i = 0; i < k->change_cnt; i++) {
		line = k->change[i];
		d = line_digest(k, line);
		digest_sub(&k->sum, k->line[line]);
		digest_add(&k->sum, d);
		k->line[line] = d;
	}
}

/* The same, all of it. */
static void machine_digest_all(struct machine *k)
{
	u32 line;

	k->sum = (struct power_digest){ 0, 0 };
	for (line = 0; line < k->size / LINE; line++) {
		k->line[line] = line_digest(k, line);
		digest_add(&k->sum, k->line[line]);
	}
}

/* The line's memory is about to change. */
static void machine_change(struct machine *k, u32 line)
{
	if (k->changed[line])
		return;
	k->changed[line] = true;
	k->change[k->change_cnt++] = line;
}

static void machine_clean(struct machine *k)
{
	u32 i;

	for (i = 0; i < k->list_cnt; i++) {
		dirty_free(k->dirty[k->list[i]]);
		k->dirty[k->list[i]] = NULL;
	}
	k->list_cnt = 0;
}

static void machine_free(struct machine *k)
{
	machine_clean(k);
	if (k->mem)
		free(k->mem - POWER_FRONT);
	free(k->dirty);
	free(k->list);
	free(k->changed);
	free(k->change);
	free(k->line);
	memset(k, 0, sizeof(*k));
}

static struct dirty *machine_dirty(struct machine *k, u32 line)
{
	struct dirty *d = k->dirty[line];

	machine_change(k, line);
	if (d)
		return d;
	d = dirty_make();
	d->line = line;
	d->cnt = 1;
	memset(d->flushed, 0, sizeof(d->flushed));
	memcpy(d->content[0], k->mem + (u64)line * LINE, LINE);
	k->dirty[line] = d;
	k->list[k->list_cnt++] = line;
	return d;
}

/* Add the record @d of another machine; only the contents in use. */
static void machine_add(struct machine *to, const struct dirty *d)
{
	struct dirty *copy = dirty_make();

	memcpy(copy, d, offsetof(struct dirty, content) + d->cnt * LINE);
	to->dirty[d->line] = copy;
	to->list[to->list_cnt++] = d->line;
}

/* The same memory, and nothing uncertain. Few lines differ mostly, and digests tell which. */
static void machine_copy_memory(struct machine *to, const struct machine *from)
{
	u32 i;

	machine_clean(to);
	for (i = 0; i < to->change_cnt; i++) {
		to->line[to->change[i]] = (struct power_digest){ 0, 0 };	/* unknown */
		to->changed[to->change[i]] = false;
	}
	to->change_cnt = 0;
	for (i = 0; i < from->size / LINE; i++) {
		if (to->line[i].a == from->line[i].a && to->line[i].b == from->line[i].b)
			continue;
		memcpy(to->mem + (u64)i * LINE, from->mem + (u64)i * LINE, LINE);
		to->line[i] = from->line[i];
	}
	to->sum = from->sum;
}

static void machine_copy(struct machine *to, const struct machine *from)
{
	u32 i;

	machine_copy_memory(to, from);
	for (i = 0; i < from->list_cnt; i++)
		machine_add(to, from->dirty[from->list[i]]);
}

/*
 * A further content that the medium may hold; repetitions are left out. Of what no thread has
 * flushed only the last one has a place: the next flush covers all of it.
 */
static void dirty_add(struct dirty *d, const u8 *content)
{
	u32 i, sure = 0;

	if (!memcmp(d->content[d->cnt - 1], content, LINE))
		return;
	for (i = 0; i < POWER_THREADS; i++)
		sure = d->flushed[i] > sure ? d->flushed[i] : sure;
	for (i = sure + 1; i < d->cnt && memcmp(d->content[i], content, LINE); i++)
		;
	if (i < d->cnt) {
		d->cnt--;
		memmove(d->content[i], d->content[i + 1], (size_t)(d->cnt - i) * LINE);
	}
	if (d->cnt == CONTENTS_MAX)
		die("a line has more contents than CONTENTS_MAX: raise it");
	memcpy(d->content[d->cnt++], content, LINE);
}

static void machine_store_word(struct machine *k, u64 off, const void *src)
{
	struct dirty *d = machine_dirty(k, (u32)(off / LINE));

	memcpy(k->mem + off, src, 8);
	dirty_add(d, k->mem + off / LINE * LINE);
}

/* Bytes in no particular order, within one line: prefixes and suffixes of their words. */
static void machine_store_bulk_line(struct machine *k, u64 off, const u8 *src, u64 len)
{
	struct dirty *d = machine_dirty(k, (u32)(off / LINE));
	u8 before[LINE], content[LINE];
	u64 base = off / LINE * LINE, at = off - base, n;

	memcpy(before, k->mem + base, LINE);
	memcpy(content, before, LINE);
	for (n = 8 - at % 8; n < len; n += 8) {		/* suffixes: the last words first */
		memcpy(content, before, LINE);
		memcpy(content + at + n, src + n, len - n);
		dirty_add(d, content);
	}
	memcpy(content, before, LINE);
	for (n = 8 - at % 8; n < len; n += 8) {
		memcpy(content + at, src, n);
		dirty_add(d, content);
	}
	memcpy(k->mem + off, src, len);
	dirty_add(d, k->mem + base);
}

static void machine_flush(struct machine *k, u64 off, u64 len)
{
	u64 line, last;

	if (!len)
		return;
	last = (off + len - 1) / LINE;
	for (line = off / LINE; line <= last; line++) {
		if (k->dirty[line])
			k->dirty[line]->flushed[ex.thread] = k->dirty[line]->cnt - 1;
	}
}

/* What the thread flushed becomes certain; what others flushed is still on its way. */
static void dirty_fence(struct dirty *d)
{
	const u32 sure = d->flushed[ex.thread];
	u32 i;

	if (!sure)
		return;
	memmove(d->content[0], d->content[sure], (size_t)(d->cnt - sure) * LINE);
	d->cnt -= sure;
	for (i = 0; i < POWER_THREADS; i++)
		d->flushed[i] = d->flushed[i] > sure ? d->flushed[i] - sure : 0;
}

static void machine_fence(struct machine *k)
{
	struct dirty *d;
	u32 i, kept = 0, line;

	for (i = 0; i < k->list_cnt; i++) {
		line = k->list[i];
		d = k->dirty[line];
		dirty_fence(d);
		if (d->cnt == 1 && !memcmp(d->content[0], k->mem + (u64)line * LINE, LINE)) {
			dirty_free(d);
			k->dirty[line] = NULL;
		} else {
			k->list[kept++] = line;
		}
	}
	k->list_cnt = kept;
}

/* ---- undecided lines --------------------------------------------------------------------- */

/* Somebody looks at, or writes to, a line of the machine that recovers: decide what it holds. */
static void decide(struct level *v, u32 line)
{
	struct dirty *d = v->at.dirty[line];
	u32 pick;

	if (!v->undecided[line])
		return;
	v->undecided[line] = false;
	if (v->used == CHOICES_MAX)
		die("more decisions than CHOICES_MAX: raise it");
	if (ex.c->one_odd) {
		pick = v->newest ? d->cnt - 1 : 0;
		if (!v->odd)
			v->options[v->used] = d->cnt;
		if (++v->used == v->odd)
			pick = v->odd_pick < d->cnt ? v->odd_pick : d->cnt - 1;
		if (!v->odd)
			v->made = v->used;
	} else {
		if (v->used == v->made) {
			v->choice[v->made] = 0;
			v->options[v->made++] = d->cnt;
		}
		pick = v->choice[v->used++];
	}
	/* Now it is durable, and in memory: the machine has booted with it. */
	machine_change(&v->run, line);
	memcpy(v->run.mem + (u64)line * LINE, d->content[pick], LINE);
}

static void decide_range(struct level *v, u64 off, u64 len)
{
	u64 line;

	for (line = off / LINE; len && line <= (off + len - 1) / LINE; line++)
		decide(v, (u32)line);
}

static int level_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	struct level *v = &ex.level[ex.depth - 1];

	if (!pobj_media_holds(m, off, len))
		die("read beyond the pool");
	decide_range(v, off, len);
	memcpy(dst, v->run.mem + off, len);
	return 0;
}

/* ---- exploring --------------------------------------------------------------------------- */

static struct known *known_at(const struct power_digest *key)
{
	return &ex.known[key->a >> (64 - KNOWN_BITS)];
}

/* All images of which @v->judged speaks were judged. */
static void judged_keep(struct level *v)
{
	*known_at(&v->judged.key) = v->judged;
	v->judging = false;
}

static bool level_next_odd(struct level *v)
{
	if (!v->odd || ++v->odd_pick == v->options[v->odd - 1]) {
		v->odd++;
		v->odd_pick = 0;
	}
	if (v->odd <= v->made)
		return true;
	if (v->newest)
		return false;
	v->newest = true;
	v->odd = 0;
	return true;
}

/* Next combination of decisions; false when all were tried. */
static bool level_next(struct level *v)
{
	if (ex.c->one_odd)
		return level_next_odd(v);
	while (v->made) {
		/* A decision of the recovery, not of the verdict: that one is complete. */
		if (v->judging && v->made <= v->from)
			judged_keep(v);
		if (++v->choice[v->made - 1] < v->options[v->made - 1])
			return true;
		v->made--;
	}
	return false;
}

static void level_free(struct level *v)
{
	machine_free(&v->at);
	machine_free(&v->run);
	free(v->undecided);
	v->undecided = NULL;
}

/* Lines that a recovery in which power is lost has not looked at: as uncertain as before. */
static void at_add_undecided(struct level *v, const struct level *outer)
{
	u32 i, line;

	for (i = 0; i < outer->at.list_cnt; i++) {
		line = outer->at.list[i];
		if (outer->undecided[line])
			machine_add(&v->at, outer->at.dirty[line]);
	}
}

/* Which states are allowed: a set of 1 << enum power_state. */
#define ALLOW(state)	(1U << (state))

/* Verdicts hold for one model. */
static void model_look(void)
{
	if (ex.c->model) {
		ex.c->model(&ex.model);
		ex.model.a ^= (uintptr_t)ex.c->state;
	}
}

/* Power is lost, or a process is killed, on @k: that of level @outer, if it is not NULL. */
static void level_begin(struct level *v, struct machine *k, const struct level *outer)
{
	struct dirty *d;
	u32 i;

	if (v->at.size != k->size) {
		level_free(v);
		machine_make(&v->at, k->size);
		machine_make(&v->run, k->size);
		v->undecided = must_alloc(k->size / LINE * sizeof(*v->undecided));
	}
	if (!ex.depth)
		model_look();
	machine_digest(k);
	machine_copy(&v->at, k);
	if (outer)
		at_add_undecided(v, outer);
	/* Flushes that were under way may have arrived or not; none is certain any more. */
	for (i = 0; i < v->at.list_cnt; i++) {
		d = v->at.dirty[v->at.list[i]];
		memset(d->flushed, 0, sizeof(d->flushed));
		d->digest = digest_words(~(u64)d->line, d->content, d->cnt * (LINE / 8));
	}
	memset(v->undecided, 0, k->size / LINE * sizeof(*v->undecided));
	v->made = 0;
	v->used = 0;
	v->newest = false;
	v->odd = 0;
	v->judging = false;
	v->m = *ex.m;
	v->m.base = v->run.mem;
	v->m.read = level_read;
	v->m.lines_tear = ex.c->lines_tear;
}

/* The machine boots with what is on the medium. */
static void run_boot(struct level *v)
{
	struct machine *run = &v->run;
	u32 i, line;

	machine_clean(run);
	for (i = 0; i < run->change_cnt; i++) {
		line = run->change[i];
		memcpy(run->mem + (u64)line * LINE, v->at.mem + (u64)line * LINE, LINE);
		run->line[line] = v->at.line[line];
		run->changed[line] = false;
	}
	run->change_cnt = 0;
	run->sum = v->at.sum;
	for (i = 0; i < v->at.list_cnt; i++)
		v->undecided[v->at.list[i]] = true;
	v->used = 0;
}

/* The image that recovery left: what it holds for certain, and what it may hold. */
static struct power_digest image_digest(struct level *v)
{
	struct power_digest d;
	u32 i, line;

	machine_digest(&v->run);
	d = v->run.sum;
	for (i = 0; i < v->at.list_cnt; i++) {
		line = v->at.list[i];
		if (!v->undecided[line])
			continue;
		digest_sub(&d, v->run.line[line]);
		digest_add(&d, v->at.dirty[line]->digest);
	}
	digest_add(&d, ex.model);
	return d;
}

/*
 * Judge the recovered image; returns the states it may be in, a set of 1 << enum power_state, of
 * which the ones that are not yet told are to be judged by further decisions.
 */
static u32 judge(struct level *v, int err, const char **why)
{
	const struct known *k;
	struct known now;
	u32 state;

	if (!ex.c->model || err)
		return ALLOW(ex.c->state(&v->m, err, why));
	if (!v->judging) {
		now.key = image_digest(v);
		k = known_at(&now.key);
		if (k->states && k->key.a == now.key.a && k->key.b == now.key.b &&
		    !(k->states & ALLOW(POWER_WRONG))) {
			power_count.known++;
			return k->states;
		}
		v->judging = true;
		v->from = v->used;
		v->judged.key = now.key;
		v->judged.states = 0;
	}
	state = ALLOW(ex.c->state(&v->m, err, why));
	v->judged.states |= state;
	if (v->used == v->from)		/* it looked at nothing undecided */
		judged_keep(v);
	return state;
}

/* Recover the machine of @v by @recover and judge it. */
static u32 recover_and_judge(struct level *v, u32 allowed, const char *when,
			     int (*recover)(const struct pobj_media *m))
{
	const char *why = "";
	char text[256];
	u32 states;
	int err;

	power_count.recoveries++;
	err = recover(&v->m);
	states = judge(v, err, &why);
	if (states & ~allowed) {
		snprintf(text, sizeof(text), "%s: %s", when,
			 states & ALLOW(POWER_WRONG) ? why :
			 states & ~allowed & ALLOW(POWER_OLD) ? "the old state is back" :
			 "the new state is there");
		violation(text);
	}
	return states;
}

/* Of memory, and of what the medium may hold instead. */
static struct power_digest machine_sum(struct machine *k, bool flushed)
{
	struct power_digest sum;
	const struct dirty *d;
	u64 salt;
	u32 i, t;

	machine_digest(k);
	sum = k->sum;
	for (i = 0; i < k->list_cnt; i++) {
		d = k->dirty[k->list[i]];
		salt = ~(u64)d->line;
		for (t = 0; flushed && t < POWER_THREADS; t++)
			salt = digest_mix(salt, d->flushed[t] + 1 + ((u64)t << 32));
		digest_add(&sum, digest_words(salt, d->content, d->cnt * (LINE / 8)));
	}
	return sum;
}

struct power_digest power_watched(void)
{
	return machine_sum(&ex.watched, true);
}

/*
 * A recovery that has stored nothing leaves, if power is lost, only images that are explored
 * anyway. One that has leaves, mostly, what others left.
 */
static bool is_wanted(struct machine *k, const struct level *outer, u32 allowed)
{
	struct power_digest sum, line;
	u32 i;

	if (!power_wanted)
		return true;
	if (outer && !k->list_cnt)
		return false;
	if (!outer)
		model_look();
	sum = machine_sum(k, false);
	for (i = 0; outer && i < outer->at.list_cnt; i++) {
		const u32 no = outer->at.list[i];

		if (!outer->undecided[no])
			continue;
		line = outer->at.dirty[no]->digest;
		digest_sub(&sum, k->line[no]);
		digest_add(&sum, line);
	}
	digest_add(&sum, ex.model);
	sum.a += digest_mix(allowed + 1, 0x9e3779b97f4a7c15ULL + ex.depth);
	return power_wanted(sum, ex.depth);
}

/* Power is lost on @k: recover every image it may leave. */
static void explore(struct machine *k, u32 allowed, const char *when)
{
	struct level *v = &ex.level[ex.depth], *outer = ex.depth ? v - 1 : NULL;
	const u32 thread = ex.thread;

	if (!is_wanted(k, outer, allowed))
		return;
	if (ex.depth)
		power_count.nested++;
	else
		power_count.points++;
	level_begin(v, k, outer);
	machine_copy_memory(&v->run, &v->at);
	ex.depth++;
	ex.thread = 0;
	do {
		run_boot(v);
		recover_and_judge(v, allowed, when, ex.c->recover);
	} while (level_next(v));
	if (v->judging)
		judged_keep(v);
	if (ex.c->one_odd && v->at.list_cnt > 1)
		power_count.odd++;
	ex.thread = thread;
	ex.depth--;
}

/* The process is killed on @k; somebody repairs, in memory; then power is lost. */
static void explore_kill_by(struct machine *k, const char *when,
			    int (*recover)(const struct pobj_media *m))
{
	struct level *v = &ex.level[ex.depth];
	const u32 thread = ex.thread;
	u32 states;

	power_count.kills++;
	level_begin(v, k, NULL);
	machine_copy(&v->run, k);
	ex.depth++;
	ex.thread = 0;
	states = recover_and_judge(v, ALLOW(POWER_OLD) | ALLOW(POWER_NEW), when, recover);
	if (ex.own_data)
		states |= ALLOW(POWER_OLD) | ALLOW(POWER_NEW);
	if (!(states & ALLOW(POWER_WRONG)) && ex.depth < DEPTH_MAX)
		explore(&v->run, states, "power lost after a kill was repaired");
	ex.thread = thread;
	ex.depth--;
}

static void explore_kill(struct machine *k)
{
	explore_kill_by(k, "after a kill", ex.c->recover);
	if (ex.c->reap)
		explore_kill_by(k, "after a kill and a reaper", ex.c->reap);
}

static void maybe_kill(const struct level *v)
{
	if (!v && !ex.depth && ex.c->kill && !ex.paused)
		explore_kill(&ex.watched);
}

/* ---- hooks ------------------------------------------------------------------------------- */

/* The machine that @m belongs to, or NULL if nobody watches it. */
static struct machine *machine_of(const struct pobj_media *m, struct level **v)
{
	*v = NULL;
	/* By base: the library copies what describes its medium. */
	if (ex.depth && m->base == ex.level[ex.depth - 1].run.mem) {
		*v = &ex.level[ex.depth - 1];
		return &(*v)->run;
	}
	return ex.m && m->base == ex.m->base ? &ex.watched : NULL;
}

static u64 offset_in(const struct pobj_media *m, const void *p)
{
	return (u64)((const u8 *)p - (const u8 *)m->base);
}

void pobj_trace_words(struct pobj_site *s, const struct pobj_media *m, __le64 *dst,
		      const __le64 *src, u32 cnt)
{
	struct level *v;
	struct machine *k = machine_of(m, &v);
	u64 off = offset_in(m, dst);
	u32 i;

	s->hits++;
	if (s->off)
		return;
	for (i = 0; k && i < cnt; i++) {
		if (v)
			decide_range(v, off + i * 8, 8);
		machine_store_word(k, off + i * 8, &src[i]);
		maybe_kill(v);
	}
	if (!v)
		pobj_raw_words(dst, src, cnt);
}

void pobj_trace_xor(struct pobj_site *s, const struct pobj_media *m, __le64 *dst, u64 bits)
{
	struct level *v;
	struct machine *k = machine_of(m, &v);
	u64 off = offset_in(m, dst), word;

	s->hits++;
	if (s->off)
		return;
	if (!k) {
		pobj_env_xor64(dst, bits);
		return;
	}
	if (v)
		decide_range(v, off, 8);
	memcpy(&word, k->mem + off, 8);
	word ^= bits;
	machine_store_word(k, off, &word);
	maybe_kill(v);
	if (!v)
		pobj_env_xor64(dst, bits);
}

static void trace_bulk(const struct pobj_media *m, void *dst, const u8 *src, u64 len)
{
	struct level *v;
	struct machine *k = machine_of(m, &v);
	u64 off = offset_in(m, dst), done, n;

	for (done = 0; k && done < len; done += n) {
		n = LINE - (off + done) % LINE;
		if (n > len - done)
			n = len - done;
		if (v)
			decide_range(v, off + done, n);
		machine_store_bulk_line(k, off + done, src + done, n);
		maybe_kill(v);
	}
	if (!v)
		memcpy(dst, src, len);
}

void pobj_trace_copy(struct pobj_site *s, const struct pobj_media *m, void *dst, const void *src,
		     u64 len)
{
	u8 *bytes;

	s->hits++;
	if (s->off || !len)
		return;
	bytes = must_alloc(len);
	memcpy(bytes, src, len);
	trace_bulk(m, dst, bytes, len);
	free(bytes);
}

void pobj_trace_fill(struct pobj_site *s, const struct pobj_media *m, void *dst, u8 byte, u64 len)
{
	u8 *bytes;

	s->hits++;
	if (s->off || !len)
		return;
	bytes = must_alloc(len);
	memset(bytes, byte, len);
	trace_bulk(m, dst, bytes, len);
	free(bytes);
}

void pobj_trace_flush(struct pobj_site *s, const struct pobj_media *m, const void *p, u64 len)
{
	struct level *v;
	struct machine *k = machine_of(m, &v);

	s->hits++;
	if (s->off || !k)
		return;
	machine_flush(k, offset_in(m, p), len);
	maybe_kill(v);
}

int pobj_trace_fence(struct pobj_site *s, const struct pobj_media *m)
{
	struct level *v;
	struct machine *k = machine_of(m, &v);

	s->hits++;
	if (!k || s->off)
		return 0;
	/*
	 * Before the fence: what was flushed may have arrived or not. A recovery that is repeated
	 * only because its verdict has more to decide was explored the first time.
	 */
	if (ex.depth < ex.c->depth && !ex.paused && !(v && v->judging))
		explore(k, ALLOW(POWER_OLD) | ALLOW(POWER_NEW),
			ex.depth ? "power lost in a recovery" : "power lost in the operation");
	machine_fence(k);
	maybe_kill(v);
	if (!v && !ex.depth && power_fenced)
		power_fenced();
	return 0;
}

/* ---- the watched operation --------------------------------------------------------------- */

void power_begin(const struct pobj_media *m, const struct power_case *c)
{
	if (c->depth > DEPTH_MAX)
		die("deeper than DEPTH_MAX");
	ex.m = m;
	ex.c = c;
	ex.depth = 0;
	ex.ignored = 0;
	machine_make(&ex.watched, m->size);
	memcpy(ex.watched.mem, m->base, m->size);
	machine_digest_all(&ex.watched);
}

void power_keep(void)
{
	if (!ex.kept.size)
		machine_make(&ex.kept, ex.watched.size);
	machine_digest(&ex.watched);
	machine_copy(&ex.kept, &ex.watched);
}

void power_again(void)
{
	ex.depth = 0;
	machine_copy(&ex.watched, &ex.kept);
}

void power_ignore(const void *p, u64 len)
{
	if (ex.ignored == IGNORED_MAX)
		die("more than IGNORED_MAX is ignored: raise it");
	ex.ignore[ex.ignored].off = offset_in(ex.m, p);
	ex.ignore[ex.ignored++].len = len;
}

/* What is ignored is taken over as it is. */
static void ignored_take(void)
{
	u64 off, line;
	u32 i;

	for (i = 0; i < ex.ignored; i++) {
		off = ex.ignore[i].off;
		memcpy(ex.watched.mem + off, (const u8 *)ex.m->base + off, ex.ignore[i].len);
		for (line = off / LINE; line <= (off + ex.ignore[i].len - 1) / LINE; line++)
			machine_change(&ex.watched, (u32)line);
	}
}

void power_ignore_none(void)
{
	ignored_take();
	ex.ignored = 0;
}

/* Is memory as it was recorded? */
static bool record_is_whole(void)
{
	ignored_take();
	return !memcmp(ex.watched.mem, ex.m->base, ex.m->size);
}

void power_returned(void)
{
	if (!record_is_whole())
		violation("memory differs from the record: a store bypassed the hooks");
	explore(&ex.watched, ALLOW(POWER_NEW), "power lost after the operation");
}

void power_own_data(bool on)
{
	ex.own_data = on;
}

void power_pause(bool on)
{
	ex.paused = on;
}

void power_thread(u32 thread)
{
	ex.thread = thread;
}

void power_stop(void)
{
	machine_free(&ex.watched);
	machine_free(&ex.kept);
	ex.m = NULL;
}

void power_end(void)
{
	power_returned();
	power_stop();
}
