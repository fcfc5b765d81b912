// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * A view machine: shared memory as C11 has it, with relaxed, acquire, release and sequentially
 * consistent accesses, for the schedules of search.c.
 *
 * A word is a history of messages. A process has a view: for each word the newest message that it
 * knows of. A load takes any message that is not older than its view of the word, an acquiring one
 * joins the view that came with the message; a store appends a message, a releasing one with the
 * process' view. A read-modify-write takes the newest message and hands on the view that came
 * with it (release sequence). Sequentially consistent accesses agree besides, word by word, on what
 * the newest of their stores is; such fences join a view of their own, both ways.
 *
 * A message is appended at the end of its word's history when the store is made. So stores of
 * different processes to one word are ordered as they are scheduled, and a load sees no store that
 * is still to come (no load buffering). The search goes through the schedules anyway.
 *
 * Plain accesses, those that the code makes without an atomic instruction, must be ordered with
 * all conflicting ones of other processes by what happens before: else it is a race, and a
 * violation. For that, views carry for each process how many of its accesses are known.
 *
 * Two machines. C11 promises nothing of a store that precedes a read-modify-write, or a load that
 * follows it, unless both are sequentially consistent; on x86-64, the one machine that pobj is
 * for, it is a LOCKed instruction, which is a fence as well. view_locked says so. A compiler may
 * still move other accesses over it, as its order allows: so it is a fence for what follows if it
 * acquires, for what precedes if it releases, and none if it is relaxed.
 *
 * System calls on locks order all: the kernel's view is joined both ways, and who was killed has
 * left his.
 *
 * Bounds. An execution may choose at most view_stale_max times something older than the newest
 * message; of neighbours in a history with the same value, that was read before, only the newest is
 * offered. Accesses of other sizes than a word read the newest message.
 */
#include "selftests/sched/engine/view.h"

#define WORDS		(SCHED_SHARED / 8)
#define LOCS		4096U
#define MSGS		8192U
#define NONE		0xffffU

struct view {
	u16 ts[LOCS];		/* by location: newest message known */
	u32 known[SCHED_PROCS];	/* accesses of each process that happened before */
};

/**
 * struct loc - a word that was accessed atomically or stored to
 * @first, @last: messages; @cnt of them. The first is what the word held before
 * @sc: newest one of a sequentially consistent store
 * @read, @wrote, @plain_read, @plain_wrote: by process: number of its last such access
 */
struct loc {
	u32 word;
	u16 first;
	u16 last;
	u16 cnt;
	u16 sc;
	u32 read[SCHED_PROCS];
	u32 wrote[SCHED_PROCS];
	u32 plain_read[SCHED_PROCS];
	u32 plain_wrote[SCHED_PROCS];
	bool deferred;		/* the newest is what a plain store makes of it */
};

struct msg {
	u64 value;
	u16 ts;
	u16 next;
	u16 locs;		/* how much of @view counts */
	bool carries;		/* a view */
	struct view *view;
	struct view_site *site;	/* whose view it is */
};

static u16 loc_of[WORDS];	/* + 1 */
static struct loc locs[LOCS];
static u32 loc_cnt;
static struct msg msgs[MSGS];
static struct view views[MSGS];
static u32 msg_cnt;
static struct view mine[SCHED_PROCS], kernel, fences;
static u32 clock_of[SCHED_PROCS];
static u32 stale;
static const char *race;

struct view_site view_site[VIEW_SITES];
u32 view_site_cnt;
u32 view_stale_max = 2;
bool view_locked = true;
u64 view_overflows;
const void *view_race_site;

static u64 off_of(const void *p)
{
	return ((u64)p - SCHED_BASE) % SCHED_STRIDE - SCHED_SHARED_AT;
}

static void join(struct view *to, const struct view *from, u32 cnt)
{
	u32 i;

	for (i = 0; i < cnt; i++) {
		if (to->ts[i] < from->ts[i])
			to->ts[i] = from->ts[i];
	}
	for (i = 0; i < SCHED_PROCS; i++) {
		if (to->known[i] < from->known[i])
			to->known[i] = from->known[i];
	}
}

static void copy(struct view *to, const struct view *from, u32 cnt)
{
	memcpy(to->ts, from->ts, cnt * sizeof(to->ts[0]));
	memcpy(to->known, from->known, sizeof(to->known));
}

static bool acquires(int order)
{
	return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME ||
	       order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static bool releases(int order)
{
	return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL ||
	       order == __ATOMIC_SEQ_CST;
}

/* ---- sites ------------------------------------------------------------------------------- */

static struct view_site *site_find(const void *at, const char *what, int order)
{
	static struct view_site spare;
	static u16 table[4096];
	u32 i = (u32)(((u64)at * 0x9e3779b97f4a7c15ULL) >> 52);

	for (; table[i]; i = (i + 1) % ARRAY_SIZE(table)) {
		if (view_site[table[i] - 1].at == at)
			return &view_site[table[i] - 1];
	}
	if (view_site_cnt == VIEW_SITES) {
		view_overflows++;
		return &spare;
	}
	view_site[view_site_cnt] = (struct view_site){ .at = at, .what = what, .order = order };
	view_site_cnt++;
	table[i] = (u16)view_site_cnt;
	return &view_site[view_site_cnt - 1];
}

/* An access. The order that counts. */
static int order_at(struct view_site *s, int order)
{
	s->hits++;
	return s->weak ? __ATOMIC_RELAXED : order;
}

/* ---- locations --------------------------------------------------------------------------- */

static u16 msg_add(struct loc *l, u64 value)
{
	struct msg *m;

	if (msg_cnt == MSGS) {
		view_overflows++;
		msg_cnt = MSGS - 1;
	}
	m = &msgs[msg_cnt];
	*m = (struct msg){ .value = value, .next = NONE, .ts = l->cnt, .view = &views[msg_cnt] };
	if (l->cnt)
		msgs[l->last].next = (u16)msg_cnt;
	else
		l->first = (u16)msg_cnt;
	l->last = (u16)msg_cnt;
	msg_cnt++;
	l->cnt++;
	return l->last;
}

/* Its number; what it holds now is its first message. */
static u32 loc_find(u64 off)
{
	const u32 word = (u32)(off / 8);
	struct loc *l;

	if (loc_of[word])
		return loc_of[word] - 1U;
	if (loc_cnt == LOCS) {
		view_overflows++;
		return LOCS - 1;
	}
	l = &locs[loc_cnt];
	memset(l, 0, sizeof(*l));
	l->word = word;
	msg_add(l, *(const u64 *)sched_shared(0, (u64)word * 8));
	loc_cnt++;
	loc_of[word] = (u16)loc_cnt;
	return loc_cnt - 1;
}

/* What a plain store made of it is known by now. */
static struct loc *loc_now(u32 at)
{
	struct loc *l = &locs[at];

	if (l->deferred) {
		l->deferred = false;
		msgs[l->last].value = *(const u64 *)sched_shared(0, (u64)l->word * 8);
	}
	return l;
}

/* ---- races ------------------------------------------------------------------------------- */

static bool unknown(const u32 last[SCHED_PROCS])
{
	u32 p;

	for (p = 0; p < SCHED_PROCS; p++) {
		if (p != sched_proc && last[p] > mine[sched_proc].known[p])
			return true;
	}
	return false;
}

static void tick(void)
{
	mine[sched_proc].known[sched_proc] = ++clock_of[sched_proc];
}

static void race_find(bool raced, const char *what)
{
	if (!raced || race)
		return;
	race = what;
	view_race_site = sched_site;
}

static void atomic_read(struct loc *l)
{
	tick();
	race_find(unknown(l->plain_wrote), "a race: an atomic load and a plain store");
	l->read[sched_proc] = clock_of[sched_proc];
}

static void atomic_write(struct loc *l)
{
	tick();
	race_find(unknown(l->plain_wrote) || unknown(l->plain_read),
		  "a race: an atomic store and a plain access");
	l->wrote[sched_proc] = clock_of[sched_proc];
}

static void view_plain(const void *p, u32 size, enum sched_kind kind, const void *site)
{
	u64 off = off_of(p) & ~7ULL;
	const u64 end = off_of(p) + size;
	struct loc *l;
	u32 at;

	sched_site = site;
	sched_point(off_of(p), size, kind);
	if (!sched_on)
		return;
	for (; off < end; off += 8) {
		at = loc_find(off);
		l = loc_now(at);
		tick();
		race_find(unknown(l->plain_wrote) || unknown(l->wrote),
			  "a race: a plain access and a store");
		if (kind == SCHED_READ) {
			l->plain_read[sched_proc] = clock_of[sched_proc];
			continue;
		}
		race_find(unknown(l->plain_read) || unknown(l->read),
			  "a race: a plain store and a load");
		l->plain_wrote[sched_proc] = clock_of[sched_proc];
		mine[sched_proc].ts[at] = msgs[msg_add(l, 0)].ts;
		l->deferred = true;
	}
}

/* ---- atomic accesses --------------------------------------------------------------------- */

/* Which message a load reads. */
static struct msg *pick(struct loc *l, u32 at, int order, struct view_site *s)
{
	u16 offered[16], least = mine[sched_proc].ts[at], m;
	u32 cnt = 0, n;

	if (order == __ATOMIC_SEQ_CST && least < l->sc)
		least = l->sc;
	if (stale == view_stale_max || msgs[l->last].ts == least)
		return &msgs[l->last];
	for (m = l->first; m != NONE; m = msgs[m].next) {
		if (msgs[m].ts < least)
			continue;
		if (cnt && msgs[offered[cnt - 1]].value == msgs[m].value)
			cnt--;
		if (cnt == ARRAY_SIZE(offered)) {
			view_overflows++;
			memmove(offered, offered + 1, sizeof(offered) - sizeof(offered[0]));
			cnt--;
		}
		offered[cnt++] = m;
	}
	s->stale += cnt > 1;
	n = sched_choose(cnt);
	stale += n > 0;
	return &msgs[offered[cnt - 1 - n]];
}

static void take(const struct msg *m, u32 at, int order, struct view_site *s)
{
	struct view *v = &mine[sched_proc];

	if (m->carries && acquires(order) && unknown(m->view->known)) {
		s->met++;
		m->site->met++;
	}
	if (v->ts[at] < m->ts)
		v->ts[at] = m->ts;
	if (m->carries && acquires(order))
		join(v, m->view, m->locs);
}

/* Append @value; @after: what a read-modify-write has read, NULL: it is a store. */
static void append(struct loc *l, u32 at, u64 value, int order, const struct msg *after,
		   struct view_site *s)
{
	struct view *v = &mine[sched_proc];
	struct msg *m = &msgs[msg_add(l, value)];

	v->ts[at] = m->ts;
	m->site = after && !releases(order) ? after->site : s;
	m->locs = (u16)loc_cnt;
	if (releases(order)) {
		copy(m->view, v, loc_cnt);
		m->carries = true;
	}
	if (after && after->carries) {
		if (!m->carries)
			memset(m->view, 0, sizeof(*m->view));
		join(m->view, after->view, after->locs);
		m->carries = true;
	}
	if (order == __ATOMIC_SEQ_CST)
		l->sc = m->ts;
	/* A location that is new since has ts 0 in a view: as it was. */
}

static u64 get(const void *p, u32 size)
{
	u64 v = 0;

	memcpy(&v, p, size);
	return v;
}

static u64 view_load(const void *p, u32 size, int order, const void *site)
{
	struct view_site *s;
	struct loc *l;
	struct msg *m;
	u32 at;

	sched_site = site;
	sched_point(off_of(p), size, SCHED_READ);
	if (!sched_on)
		return get(p, size);
	s = site_find(site, "load", order);
	order = order_at(s, order);
	at = loc_find(off_of(p));
	l = loc_now(at);
	atomic_read(l);
	m = size == 8 ? pick(l, at, order, s) : &msgs[l->last];
	take(m, at, order, s);
	return size == 8 ? m->value : get(p, size);
}

static void view_store(void *p, u32 size, u64 v, int order, const void *site)
{
	struct view_site *s;
	struct loc *l;
	u32 at;

	sched_site = site;
	sched_point(off_of(p), size, SCHED_WRITE);
	if (!sched_on) {
		memcpy(p, &v, size);
		return;
	}
	s = site_find(site, "store", order);
	order = order_at(s, order);
	at = loc_find(off_of(p));
	l = loc_now(at);
	atomic_write(l);
	memcpy(p, &v, size);
	append(l, at, get(sched_shared(0, (u64)l->word * 8), 8), order, NULL, s);
}

/* Read the newest, and store @v there if that is to be. */
static void replace(void *p, u32 size, u64 v, int order, struct view_site *s)
{
	const u32 at = loc_find(off_of(p));
	struct loc *l = loc_now(at);
	const struct msg *old = &msgs[l->last];

	atomic_read(l);
	atomic_write(l);
	if (view_locked && acquires(order))
		join(&mine[sched_proc], &fences, loc_cnt);
	take(old, at, order, s);
	memcpy(p, &v, size);
	append(l, at, get(sched_shared(0, (u64)l->word * 8), 8), order, old, s);
	if (view_locked && releases(order))
		join(&fences, &mine[sched_proc], loc_cnt);
}

static u64 view_rmw(void *p, u32 size, enum sched_rmw op, u64 v, int order, const void *site)
{
	struct view_site *s;
	u64 old, new;

	sched_site = site;
	sched_point(off_of(p), size, SCHED_RMW);
	old = get(p, size);
	new = sched_changed(op, old, v);
	if (sched_on) {
		s = site_find(site, "change", order);
		replace(p, size, new, order_at(s, order), s);
	} else {
		memcpy(p, &new, size);
	}
	return old;
}

static bool view_cas(void *p, u32 size, u64 *expected, u64 v, int ok, int fail, const void *site)
{
	const u64 old_expected = *expected;
	struct view_site *s = NULL;
	struct loc *l;
	u64 old;
	u32 at;

	sched_site = site;
	sched_point(off_of(p), size, SCHED_RMW);
	old = get(p, size);
	*expected = old;
	if (sched_on) {
		s = site_find(site, "compare", ok);
		ok = order_at(s, ok);
		fail = s->weak ? __ATOMIC_RELAXED : fail;
	}
	if (old == old_expected) {
		if (sched_on)
			replace(p, size, v, ok, s);
		else
			memcpy(p, &v, size);
		return true;
	}
	if (sched_on) {
		at = loc_find(off_of(p));
		l = loc_now(at);
		atomic_read(l);
		take(&msgs[l->last], at, fail, s);
	}
	return false;
}

static void view_fence(int order, const void *site)
{
	struct view *v = &mine[sched_proc];

	(void)site;
	/* Others have no use here; one that is met must not be passed over. */
	if (order != __ATOMIC_SEQ_CST)
		abort();
	if (!sched_on)
		return;
	join(v, &fences, loc_cnt);
	copy(&fences, v, loc_cnt);
}

/* Processes do not see them. */
static void view_flush(const void *p, u64 len, const void *site)
{
	(void)p;
	(void)len;
	(void)site;
}

static void view_persist(const void *site)
{
	(void)site;
}

/* ---- executions -------------------------------------------------------------------------- */

static void view_begin(void)
{
	u32 i;

	for (i = 0; i < loc_cnt; i++)
		loc_of[locs[i].word] = 0;
	for (i = 0; i < SCHED_PROCS; i++)
		memset(&mine[i], 0, sizeof(mine[i]));
	memset(&kernel, 0, sizeof(kernel));
	memset(&fences, 0, sizeof(fences));
	memset(clock_of, 0, sizeof(clock_of));
	loc_cnt = 0;
	msg_cnt = 0;
	stale = 0;
	race = NULL;
}

static void view_sync(void)
{
	if (!sched_on)
		return;
	join(&mine[sched_proc], &kernel, loc_cnt);
	copy(&kernel, &mine[sched_proc], loc_cnt);
}

static void view_died(u32 proc)
{
	join(&kernel, &mine[proc], loc_cnt);
}

static u64 mix(u64 h, u64 v)
{
	h = (h ^ v) * 0xff51afd7ed558ccdULL;
	return h ^ h >> 32;
}

static u64 view_of_hash(const struct view *v, u32 cnt)
{
	u64 h = 0;
	u32 i;

	/* By words: in another execution they have other numbers. */
	for (i = 0; i < cnt; i++) {
		if (v->ts[i])
			h += mix(locs[i].word, v->ts[i]);
	}
	for (i = 0; i < SCHED_PROCS; i++)
		h = mix(h, v->known[i]);
	return h;
}

/* Of all that later accesses depend on. */
static u64 view_hash(void)
{
	u64 h = mix(stale, (u64)race), one;
	u32 i, p;
	u16 m;

	for (i = 0; i < loc_cnt; i++) {
		one = mix(locs[i].word, locs[i].sc);
		for (p = 0; p < SCHED_PROCS; p++) {
			one = mix(one, (u64)locs[i].read[p] << 32 | locs[i].wrote[p]);
			one = mix(one, (u64)locs[i].plain_read[p] << 32 | locs[i].plain_wrote[p]);
		}
		for (m = locs[i].first; m != NONE; m = msgs[m].next) {
			one = mix(one, msgs[m].value);
			if (msgs[m].carries)
				one = mix(one, view_of_hash(msgs[m].view, msgs[m].locs));
		}
		h += one;
	}
	for (p = 0; p < SCHED_PROCS; p++)
		h = mix(h, view_of_hash(&mine[p], loc_cnt));
	return mix(mix(h, view_of_hash(&kernel, loc_cnt)), view_of_hash(&fences, loc_cnt));
}

const char *view_race(void)
{
	return race;
}

const struct sched_memory sched_view = {
	.plain = view_plain, .load = view_load, .store = view_store, .rmw = view_rmw,
	.cas = view_cas, .fence = view_fence, .flush = view_flush, .persist = view_persist,
	.begin = view_begin, .sync = view_sync, .died = view_died, .hash = view_hash,
};
