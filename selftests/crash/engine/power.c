// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* The power-loss explorer: see power.h for model and method. */
#include <stdio.h>
#include <stdlib.h>

#include "selftests/crash/engine/power.h"

#define LINE		POBJ_M_LINE
#define CONTENTS_MAX	80	/* contents of one line between two fences */
#define DEPTH_MAX	4
#define CHOICES_MAX	256	/* decisions in one run */

/*
 * A line with more than one possible content on the medium. content[0] is what is durable for
 * certain; memory holds the last of the ordered ones.
 */
struct dirty {
	u32 line;
	u32 cnt;
	u32 flushed;		/* contents up to here become certain at the next fence */
	u8 content[CONTENTS_MAX][LINE];
};

/* A machine: memory as the program sees it, and what the medium may hold instead. */
struct machine {
	u8 *mem;		/* program's view */
	u64 size;
	struct dirty **dirty;	/* by line, NULL where medium equals memory */
	u32 *list;		/* lines with a dirty record */
	u32 list_cnt;
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
};

static struct {
	const struct power_case *c;
	const struct pobj_media *m;
	struct machine watched;
	struct level level[DEPTH_MAX];
	int depth;		/* recoveries we are inside of */
	bool paused;
} ex;

struct power_count power_count;
char power_first[512];

extern struct pobj_site __start_pobj_sites[];
extern struct pobj_site __stop_pobj_sites[];

struct pobj_site *power_sites(u32 *cnt)
{
	*cnt = (u32)(__stop_pobj_sites - __start_pobj_sites);
	return __start_pobj_sites;
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
	k->mem = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
	if (!k->mem)
		die("out of memory");
	k->dirty = must_alloc(size / LINE * sizeof(*k->dirty));
	k->list = must_alloc(size / LINE * sizeof(*k->list));
	k->list_cnt = 0;
}

static void machine_clean(struct machine *k)
{
	u32 i;

	for (i = 0; i < k->list_cnt; i++) {
		free(k->dirty[k->list[i]]);
		k->dirty[k->list[i]] = NULL;
	}
	k->list_cnt = 0;
}

static void machine_free(struct machine *k)
{
	machine_clean(k);
	free(k->mem);
	free(k->dirty);
	free(k->list);
	memset(k, 0, sizeof(*k));
}

static struct dirty *machine_dirty(struct machine *k, u32 line)
{
	struct dirty *d = k->dirty[line];

	if (d)
		return d;
	d = malloc(sizeof(*d));
	if (!d)
		die("out of memory");
	d->line = line;
	d->cnt = 1;
	d->flushed = 0;
	memcpy(d->content[0], k->mem + (u64)line * LINE, LINE);
	k->dirty[line] = d;
	k->list[k->list_cnt++] = line;
	return d;
}

static void machine_copy(struct machine *to, const struct machine *from)
{
	u32 i, line;

	machine_clean(to);
	memcpy(to->mem, from->mem, from->size);
	for (i = 0; i < from->list_cnt; i++) {
		line = from->list[i];
		to->dirty[line] = malloc(sizeof(struct dirty));
		if (!to->dirty[line])
			die("out of memory");
		/* only the contents in use */
		memcpy(to->dirty[line], from->dirty[line],
		       offsetof(struct dirty, content) + from->dirty[line]->cnt * LINE);
		to->list[to->list_cnt++] = line;
	}
}

/* A further content that the medium may hold; repetitions are left out. */
static void dirty_add(struct dirty *d, const u8 *content)
{
	if (!memcmp(d->content[d->cnt - 1], content, LINE))
		return;
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

/* @undecided lines (may be NULL) are in memory what they are on the medium: nothing to flush. */
static void machine_flush(struct machine *k, const bool *undecided, u64 off, u64 len)
{
	u64 line, last;

	if (!len)
		return;
	last = (off + len - 1) / LINE;
	for (line = off / LINE; line <= last; line++) {
		if (k->dirty[line] && !(undecided && undecided[line]))
			k->dirty[line]->flushed = k->dirty[line]->cnt - 1;
	}
}

static void machine_fence(struct machine *k, const bool *undecided)
{
	struct dirty *d;
	u32 i, kept = 0, line;

	for (i = 0; i < k->list_cnt; i++) {
		line = k->list[i];
		d = k->dirty[line];
		if (d->flushed) {
			memmove(d->content[0], d->content[d->flushed],
				(size_t)(d->cnt - d->flushed) * LINE);
			d->cnt -= d->flushed;
			d->flushed = 0;
		}
		if (undecided && undecided[line]) {
			k->list[kept++] = line;
			continue;
		}
		if (d->cnt == 1 && !memcmp(d->content[0], k->mem + (u64)line * LINE, LINE)) {
			free(d);
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
	memcpy(v->run.mem + (u64)line * LINE, d->content[pick], LINE);
	if (v->run.dirty[line]) {
		v->run.dirty[line]->cnt = 1;
		v->run.dirty[line]->flushed = 0;
		memcpy(v->run.dirty[line]->content[0], d->content[pick], LINE);
	}
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
		if (++v->choice[v->made - 1] < v->options[v->made - 1])
			return true;
		v->made--;
	}
	return false;
}

/* Which states are allowed: a set of 1 << enum power_state. */
#define ALLOW(state)	(1U << (state))

static void level_begin(struct level *v, const struct machine *k)
{
	u32 i;

	machine_make(&v->at, k->size);
	machine_make(&v->run, k->size);
	machine_copy(&v->at, k);
	/* Flushes that were under way may have arrived or not; none is certain any more. */
	for (i = 0; i < v->at.list_cnt; i++)
		v->at.dirty[v->at.list[i]]->flushed = 0;
	v->undecided = must_alloc(k->size / LINE * sizeof(*v->undecided));
	v->made = 0;
	v->used = 0;
	v->newest = false;
	v->odd = 0;
	v->m = *ex.m;
	v->m.base = v->run.mem;
	v->m.read = level_read;
	v->m.lines_tear = ex.c->lines_tear;
}

static void level_end(struct level *v)
{
	machine_free(&v->at);
	machine_free(&v->run);
	free(v->undecided);
}

/* Recover the machine of @v and judge it. */
static enum power_state recover_and_judge(struct level *v, u32 allowed, const char *when)
{
	const char *why = "";
	enum power_state state;
	char text[256];
	int err;

	power_count.recoveries++;
	err = ex.c->recover(&v->m);
	state = ex.c->state(&v->m, err, &why);
	if (!(allowed & ALLOW(state))) {
		snprintf(text, sizeof(text), "%s: %s", when,
			 state == POWER_WRONG ? why :
			 state == POWER_OLD ? "the old state is back" : "the new state is there");
		violation(text);
	}
	return state;
}

/* Power is lost on @k: recover every image it may leave. */
static void explore(const struct machine *k, u32 allowed, const char *when)
{
	struct level *v = &ex.level[ex.depth];
	u32 i;

	if (ex.depth)
		power_count.nested++;
	else
		power_count.points++;
	level_begin(v, k);
	ex.depth++;
	do {
		machine_copy(&v->run, &v->at);
		for (i = 0; i < v->at.list_cnt; i++)
			v->undecided[v->at.list[i]] = true;
		v->used = 0;
		recover_and_judge(v, allowed, when);
	} while (level_next(v));
	ex.depth--;
	level_end(v);
}

/* The process is killed on @k; somebody recovers, in memory; then power is lost. */
static void explore_kill(const struct machine *k)
{
	struct level *v = &ex.level[ex.depth];
	enum power_state state;

	power_count.kills++;
	level_begin(v, k);
	machine_copy(&v->run, k);
	ex.depth++;
	state = recover_and_judge(v, ALLOW(POWER_OLD) | ALLOW(POWER_NEW), "after a kill");
	if (state != POWER_WRONG && ex.depth < DEPTH_MAX)
		explore(&v->run, ALLOW(state), "power lost after a kill was repaired");
	ex.depth--;
	level_end(v);
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
	if (ex.depth && m == &ex.level[ex.depth - 1].m) {
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
	machine_flush(k, v ? v->undecided : NULL, offset_in(m, p), len);
	maybe_kill(v);
}

int pobj_trace_fence(struct pobj_site *s, const struct pobj_media *m)
{
	struct level *v;
	struct machine *k = machine_of(m, &v);

	s->hits++;
	if (!k || s->off)
		return 0;
	/* Before the fence: what was flushed may have arrived or not. */
	if (ex.depth < ex.c->depth && !ex.paused)
		explore(k, ALLOW(POWER_OLD) | ALLOW(POWER_NEW),
			ex.depth ? "power lost in a recovery" : "power lost in the operation");
	machine_fence(k, v ? v->undecided : NULL);
	maybe_kill(v);
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
	machine_make(&ex.watched, m->size);
	memcpy(ex.watched.mem, m->base, m->size);
}

void power_returned(void)
{
	if (memcmp(ex.watched.mem, ex.m->base, ex.m->size))
		violation("memory differs from the record: a store bypassed the hooks");
	explore(&ex.watched, ALLOW(POWER_NEW), "power lost after the operation");
}

void power_pause(bool on)
{
	ex.paused = on;
}

void power_end(void)
{
	power_returned();
	machine_free(&ex.watched);
	ex.m = NULL;
}
