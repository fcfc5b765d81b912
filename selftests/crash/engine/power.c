// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* The power-loss explorer: see power.h for model and method. */
#include <stdio.h>
#include <stdlib.h>

#include "selftests/crash/engine/digest.h"
#include "selftests/crash/engine/machine.h"
#include "selftests/crash/engine/power.h"

#define DEPTH_MAX	4
#define CHOICES_MAX	256	/* decisions in one run */
#define IGNORED_MAX	32
#define KNOWN_BITS	15	/* verdicts that are kept: 1 << KNOWN_BITS */

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

static void violation(const char *what)
{
	power_count.violations++;
	if (!power_first[0])
		snprintf(power_first, sizeof(power_first), "%s", what);
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
		power_die("more decisions than CHOICES_MAX: raise it");
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
		power_die("read beyond the pool");
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
		v->undecided = power_alloc(k->size / LINE * sizeof(*v->undecided));
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
	bytes = power_alloc(len);
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
	bytes = power_alloc(len);
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
	machine_flush(k, offset_in(m, p), len, ex.thread);
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
	machine_fence(k, ex.thread);
	maybe_kill(v);
	if (!v && !ex.depth && power_fenced)
		power_fenced();
	return 0;
}

/* ---- the watched operation --------------------------------------------------------------- */

void power_begin(const struct pobj_media *m, const struct power_case *c)
{
	if (c->depth > DEPTH_MAX)
		power_die("deeper than DEPTH_MAX");
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
		power_die("more than IGNORED_MAX is ignored: raise it");
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
