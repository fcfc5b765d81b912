// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Memory that is sequentially consistent for the processes (engine/sc.c), and a medium behind it
 * that the power explorer watches. It is told of a store after it was made: of an atomic one at
 * once; of a plain one, which the code makes when the hook has returned, at the next event.
 */
#include <stdio.h>
#include <sys/time.h>

#include "selftests/sched/cases/durable.h"

#define SEEN	(1U << 22)	/* moments that are kept; a power of two */
#define LINES	(SCHED_SIDE_AT / SCHED_LINE)

enum durable_bug durable_bug;
struct durable_count durable_count;

static struct pobj_media watch;
static struct power_case the_case;
static bool watching;
static bool setting_up;		/* the state to begin with is being made */

static struct pobj_site here;
static struct {
	u64 off;
	u64 len;
	u32 proc;
} pending;			/* a plain store */
static u32 did[2];		/* calls that had returned at the last event */

/* For bugs: when did who flush, when were there fences? */
static struct {
	u64 clock;
	u64 flushed[SCHED_PROCS];
	u64 fenced[SCHED_PROCS];
	u64 line[SCHED_PROCS][LINES];
} bug;

const struct pobj_media *durable_media(void)
{
	return &watch;
}

static int plain_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	memcpy(dst, (const u8 *)m->base + off, len);
	return 0;
}

static u64 off_of(const void *p)
{
	return ((u64)p - SCHED_BASE) % SCHED_STRIDE - SCHED_SHARED_AT;
}

/* ---- in the engine's own hands ------------------------------------------------------------ */

struct aside {
	u32 proc;
	bool on;
};

/* What the explorer allocates is not the process', nor are its accesses points. */
static struct aside step_aside(void)
{
	const struct aside a = { sched_proc, sched_on };

	sched_on = false;
	sched_proc = SCHED_PROCS;
	return a;
}

static void step_back(struct aside a)
{
	sched_proc = a.proc;
	sched_on = a.on;
}

/* ---- moments that were ------------------------------------------------------------------- */

static struct power_digest *seen;
static u32 seen_cnt;

static bool is_new(struct power_digest d, int depth)
{
	u64 i;

	d.a += !d.a;
	for (i = d.a & (SEEN - 1); seen[i].a; i = (i + 1) & (SEEN - 1)) {
		if (seen[i].a == d.a && seen[i].b == d.b) {
			durable_count.again += !depth;
			return false;
		}
	}
	/* When there are too many all are forgotten: some are then tried again. */
	if (seen_cnt == SEEN / 2) {
		memset(seen, 0, SEEN * sizeof(*seen));
		seen_cnt = 0;
		i = d.a & (SEEN - 1);
	}
	seen[i] = d;
	seen_cnt++;
	durable_count.losses += !depth;
	durable_count.after_kill += !depth && sched_dead();
	return true;
}

/* ---- events ------------------------------------------------------------------------------- */

static void violation_pass(u64 before)
{
	static char text[sizeof(power_first) + 64];

	if (power_count.violations == before)
		return;
	snprintf(text, sizeof(text), "%s (calls returned: %u, %u)", power_first, hands[0]->did,
		 hands[1]->did);
	power_first[0] = 0;
	sched_fail(text);
}

static void settle(void)
{
	u8 *const base = watch.base;
	struct aside a;
	__le64 word;
	u64 off;

	if (!pending.len)
		return;
	a = step_aside();
	power_thread(pending.proc);
	for (off = pending.off / 8 * 8; off < pending.off + pending.len; off += 8) {
		memcpy(&word, base + off, sizeof(word));
		power_trace_words(&here, &watch, (__le64 *)(base + off), &word, 1);
	}
	pending.len = 0;
	step_back(a);
}

/* What a new pool holds is durable. */
static void watch_begin(u32 proc)
{
	watch = sched_handle(proc)->media;
	watch.base = sched_shared(0, 0);
	watch.read = plain_read;
	power_begin(&watch, &the_case);
	power_pause(true);
	watching = true;
}

/* Is what the process at hand does recorded? */
static bool is_recorded(void)
{
	struct aside a;

	if (sched_on)
		return true;
	if (!setting_up || sched_proc >= SCHED_PROCS)
		return false;
	if (!watching) {
		const u32 proc = sched_proc;

		a = step_aside();
		watch_begin(proc);
		step_back(a);
	}
	return true;
}

/* Bytes of the image are about to be stored, or just were. */
static void stored(const void *p, u64 len)
{
	const u64 off = off_of(p);

	if (!is_recorded() || off >= watch.size)
		return;
	pending.off = off;
	pending.len = len;
	pending.proc = sched_proc;
}

/* Before whatever changes the medium. */
static void event(void)
{
	const u64 before = power_count.violations;
	struct aside a;

	if (!is_recorded())
		return;
	settle();
	if (setting_up)
		return;
	if (did[0] == hands[0]->did && did[1] == hands[1]->did)
		return;
	did[0] = hands[0]->did;
	did[1] = hands[1]->did;
	a = step_aside();
	durable_allow();
	power_returned();
	step_back(a);
	violation_pass(before);
}

void durable_returned(void)
{
	settle();
	power_returned();
}

/* ---- bugs --------------------------------------------------------------------------------- */

/* Has another process had a fence since this one's last flush? */
static bool others_fenced(u32 self)
{
	u32 p;

	for (p = 0; p < SCHED_PROCS; p++) {
		if (p != self && bug.flushed[self] && bug.fenced[p] > bug.flushed[self])
			return true;
	}
	return false;
}

static bool others_flushed(u32 self, u64 line)
{
	u32 p;

	for (p = 0; p < SCHED_PROCS; p++) {
		if (p != self && bug.line[p][line] > bug.fenced[p])
			return true;
	}
	return false;
}

static bool fence_is_left_out(u32 self)
{
	bool out = false;

	if (durable_bug == DURABLE_SHARED_FENCE)
		out = others_fenced(self);
	else if (durable_bug == DURABLE_LAZY_REAPER)
		out = self == SCHED_REAPER;
	if (!out)
		bug.fenced[self] = ++bug.clock;
	return out;
}

static bool flush_is_left_out(u32 self, u64 off, u64 len)
{
	const u64 last = (off + len - 1) / SCHED_LINE;
	u64 line;

	bug.flushed[self] = ++bug.clock;
	if (durable_bug == DURABLE_SHARED_FLUSH && off / SCHED_LINE == last &&
	    others_flushed(self, last))
		return true;
	for (line = off / SCHED_LINE; line <= last && line < LINES; line++)
		bug.line[self][line] = bug.clock;
	return false;
}

/* ---- accesses ---------------------------------------------------------------------------- */

static void medium_plain(const void *p, u32 size, enum sched_kind kind, const void *site)
{
	if (kind == SCHED_READ) {
		sched_sc.plain(p, size, kind, site);
		return;
	}
	event();
	sched_sc.plain(p, size, kind, site);
	settle();		/* what others stored meanwhile */
	stored(p, size);
}

/* This store was made. What others stored last, while this process was stopped before it, first. */
static void settle_store(const void *p, u64 len)
{
	settle();
	stored(p, len);
	settle();
}

static void medium_store(void *p, u32 size, u64 v, int order, const void *site)
{
	event();
	sched_sc.store(p, size, v, order, site);
	settle_store(p, size);
}

static u64 medium_rmw(void *p, u32 size, enum sched_rmw op, u64 v, int order, const void *site)
{
	u64 old;

	event();
	old = sched_sc.rmw(p, size, op, v, order, site);
	settle_store(p, size);
	return old;
}

static bool medium_cas(void *p, u32 size, u64 *expected, u64 v, int ok, int fail, const void *site)
{
	bool done;

	event();
	done = sched_sc.cas(p, size, expected, v, ok, fail, site);
	settle_store(p, size);
	return done;
}

static void medium_flush(const void *p, u64 len, const void *site)
{
	const u64 off = off_of(p);
	struct aside a;

	(void)site;
	if (!is_recorded() || !len || off >= watch.size)
		return;
	event();
	if (!setting_up && flush_is_left_out(sched_proc, off, len))
		return;
	power_thread(sched_proc);
	a = step_aside();
	power_trace_flush(&here, &watch, (u8 *)watch.base + off, len);
	step_back(a);
}

static void medium_fence(const void *site)
{
	u64 before;
	struct aside a;

	if (!is_recorded())
		return;
	event();
	sched_site = site;
	sched_point_fence();
	event();
	if (!setting_up && fence_is_left_out(sched_proc))
		return;
	before = power_count.violations;
	power_thread(sched_proc);
	a = step_aside();
	if (!setting_up)
		durable_allow();
	power_trace_fence(&here, &watch);
	step_back(a);
	violation_pass(before);
}

/* ---- executions -------------------------------------------------------------------------- */

static void medium_begin(void)
{
	/* One execution may recover a great many images. */
	const struct itimerval limit = { .it_value.tv_sec = 300 };

	setitimer(ITIMER_VIRTUAL, &limit, NULL);
	power_again();
	pending.len = 0;
	did[0] = 0;
	did[1] = 0;
	if (durable_bug)
		memset(&bug, 0, sizeof(bug));
}

static u64 medium_hash(void)
{
	struct power_digest d;
	u64 h;

	settle();
	d = power_watched();
	h = d.a + d.b * 3 + did[0] * 64 + did[1];
	if (durable_bug)
		h += digest_words(1, &bug, sizeof(bug) / 8).a;
	return h;
}

static struct sched_memory medium;

void durable_setup(int depth)
{
	if (!seen)
		seen = calloc(SEEN, sizeof(*seen));
	if (!seen) {
		printf("Bail out! out of memory\n");
		exit(1);
	}
	the_case = durable_case;
	the_case.depth = depth;
	medium = sched_sc;
	medium.plain = medium_plain;
	medium.store = medium_store;
	medium.rmw = medium_rmw;
	medium.cas = medium_cas;
	medium.flush = medium_flush;
	medium.persist = medium_fence;
	medium.begin = medium_begin;
	medium.hash = medium_hash;
	sched_memory = &medium;
	power_wanted = is_new;
	pending.len = 0;
	setting_up = true;
}

void durable_begin(void)
{
	settle();
	setting_up = false;
	power_pause(false);
	power_keep();
}

void durable_end(void)
{
	if (watching)
		power_stop();
	watching = false;
	sched_memory = &sched_sc;
}
