// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Processes as coroutines, and the search over their schedules and deaths (sched.h).
 *
 * The choices of an execution are a list; the next execution repeats it up to the last choice that
 * has an alternative, and takes that. That works if an execution depends on its choices only, which
 * is checked: a choice that is repeated must have as many alternatives as before.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include "lib/heap.h"
#include "selftests/sched/engine/sched.h"

#define WORDS		(SCHED_SHARED / 8)
#define STACK_BYTES	(256U << 10)
#define STEPS_MAX	200000U		/* an execution that takes more does not end */
#define IDLE_MAX	4U		/* rounds in which all wait */
#define REAPS_MAX	4U		/* attempts at those who are dead */
#define TRAIL_MAX	65536U
#define EVENTS		64U
#define VIOLATIONS_MAX	100U		/* of one exploration, which then is not complete */
#define CHECK_EACH	512U		/* executions: then memory is checked, too */

enum { NOBODY = SCHED_PROCS };

/* ---- processes --------------------------------------------------------------------------- */

/* Memory of one thread of a process. */
struct thread {
	struct pobj_last_seat last;
	struct seat *seats;
	int err;
};

struct proc {
	void *sp;
	enum sched_state state;
	bool reaps;		/* its work is now to reap */
	bool stored;		/* since it last might have died */
	u64 waits_since;	/* progress when it began to wait */
	u32 at;			/* which of its threads */
	u32 steps;
	struct thread thread[2];
};

static struct proc proc[SCHED_PROCS], proc_kept[SCHED_PROCS];
static u8 *stacks;
static void *engine_sp;

bool sched_on;
u32 sched_proc = NOBODY;
u32 sched_tell = 3;
char sched_first[4096];
u64 (*sched_end_tag)(void);
const char *(*sched_name)(u64 off);

__asm__(".text\n"
	".globl sched_switch\n"
	".type sched_switch, @function\n"
	"sched_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size sched_switch, . - sched_switch\n");

static void thread_load(u32 p)
{
	const struct thread *t = &proc[p].thread[proc[p].at];

	pobj_last_seat = t->last;
	pobj_seats = t->seats;
	errno = t->err;
}

static void thread_save(u32 p)
{
	struct thread *t = &proc[p].thread[proc[p].at];

	t->last = pobj_last_seat;
	t->seats = pobj_seats;
	t->err = errno;
}

void sched_as(u32 p, void (*f)(u32 proc))
{
	const u32 before = sched_proc;
	const bool on = sched_on;

	if (before != NOBODY)
		thread_save(before);
	sched_on = false;
	sched_proc = p;
	thread_load(p);
	f(p);
	thread_save(p);
	sched_on = on;
	sched_proc = before;
	if (before != NOBODY)
		thread_load(before);
}

void sched_procs_clear(void)
{
	memset(proc, 0, sizeof(proc));
}

u32 sched_self(void)
{
	return sched_proc;
}

void sched_thread(u32 thread)
{
	thread_save(sched_proc);
	proc[sched_proc].at = thread;
	thread_load(sched_proc);
}

void sched_thread_exit(void)
{
	sched_calls_thread_end(pobj_seats);
}

/* Who asks is told which thread of the process runs. */
pthread_t __wrap_pthread_self(void)
{
	return 1 + (sched_proc == NOBODY ? 0 : proc[sched_proc].at);
}

/* ---- the search -------------------------------------------------------------------------- */

static const struct sched_case *the_case;
static const struct sched_bounds *bounds;
static struct sched_count *count;

struct choice {
	u16 cnt;
	u16 pick;
};

static struct choice trail[TRAIL_MAX];
static u32 trail_len, depth;
static u32 repeated;		/* choices that are those of the execution before */

/* Of the execution at hand. */
static u32 dead, preempts, kills, target, steps;
static u64 progress;
static sigjmp_buf ended_badly;
static const char *why;
static volatile sig_atomic_t in_execution;

/* What is told of a violation. */
static struct event {
	const char *what;
	const void *site;
	u64 off;
	u32 proc;
	u32 other;
	u32 step;
} event[EVENTS];
static u32 event_cnt;

/* For executions at random: at which of the points something happens. */
static u64 rng;
static u32 point_no, points_seen, planned[8], planned_kill[8];

static u64 random_next(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng * 0x2545f4914f6cdd1dULL;
}

static void __noreturn end_badly(const char *what)
{
	why = what;
	siglongjmp(ended_badly, 1);
}

static void note(const char *what, u32 p, u32 other)
{
	if (event_cnt < EVENTS)
		event[event_cnt++] = (struct event){
			.what = what, .proc = p, .other = other, .step = steps,
			.site = sched_site,
		};
}

static u32 choose(u32 cnt)
{
	if (cnt < 2)
		return 0;
	if (depth == TRAIL_MAX)
		end_badly("more choices than can be kept");
	if (bounds->random)
		trail[depth] = (struct choice){ cnt, random_next() % cnt };
	else if (depth >= trail_len)
		trail[depth] = (struct choice){ cnt, 0 };
	else if (trail[depth].cnt != cnt)
		end_badly("an execution cannot be repeated");
	if (depth >= trail_len)
		trail_len = depth + 1;
	return trail[depth++].pick;
}

u32 sched_choose(u32 cnt)
{
	return choose(cnt);
}

/* The next list of choices; false: there is none. */
static bool trail_next(void)
{
	while (trail_len && trail[trail_len - 1].pick + 1 == trail[trail_len - 1].cnt)
		trail_len--;
	if (!trail_len)
		return false;
	trail[trail_len - 1].pick++;
	return true;
}

/* ---- conflicts --------------------------------------------------------------------------- */

/*
 * Of a word: in byte p who stored it, in byte SCHED_PROCS + p who read it; bit m: process p did,
 * while those in mask m were dead. @known: what this pass goes by; @seen: with what it found.
 */
static u64 known[WORDS], seen[WORDS];
static u32 seen_list[WORDS], seen_cnt;
static bool learned;

/*
 * Bits that conflict with an access of process p, while those in mask @gone are dead and those in
 * @done have ended: of others that may still do something, while p lives.
 */
static u64 against[2][SCHED_PROCS][8][8];
static u64 conflicts[2];		/* of these, the ones for the process at hand now */

/* Bit m: the mask m of the dead is or may still come, and p is not in it. */
static u8 masks_of(u32 p, u32 gone)
{
	u8 bits = 0;
	u32 m;

	for (m = 0; m < 8; m++) {
		if ((m & gone) == gone && !(m >> p & 1))
			bits |= 1 << m;
	}
	return bits;
}

static void against_make(void)
{
	u32 p, q, gone, done;
	u64 *a;

	for (p = 0; p < SCHED_PROCS; p++) {
		for (gone = 0; gone < 8; gone++) {
			for (done = 0; done < 8; done++) {
				a = &against[0][p][gone][done];
				for (q = 0; q < SCHED_PROCS; q++) {
					if (q != p && !((gone | done) >> q & 1))
						*a |= (u64)masks_of(p, gone) << 8 * q;
				}
				against[1][p][gone][done] = *a | *a << 8 * SCHED_PROCS;
			}
		}
	}
}

/* A word has a new bit: is there now a conflict that there was not? */
static bool is_news(u64 word, u32 p, bool store, u32 m)
{
	/* With one that lived when p did this, and did it while p lived. */
	return word & against[store][p][0][0] &
	       ~((m & 1 ? 0xff0000ffULL : 0) | (m & 2 ? 0xff0000ff00ULL : 0) |
		 (m & 4 ? 0xff0000ff0000ULL : 0));
}

static void learn(u32 word, u32 p, bool store)
{
	const u64 bit = 1ULL << (8 * (store ? p : SCHED_PROCS + p) + dead);

	if (seen[word] & bit)
		return;
	if (!seen[word])
		seen_list[seen_cnt++] = word;
	if (!learned && is_news(seen[word], p, store, dead))
		learned = true;
	seen[word] |= bit;
}

static void learned_use(void)
{
	u32 i;

	for (i = 0; i < seen_cnt; i++)
		known[seen_list[i]] = seen[seen_list[i]];
	learned = false;
}

static void learned_forget(void)
{
	u32 i;

	for (i = 0; i < seen_cnt; i++) {
		known[seen_list[i]] = 0;
		seen[seen_list[i]] = 0;
	}
	seen_cnt = 0;
	learned = false;
}

/* ---- where in the code ------------------------------------------------------------------- */

static void site_text(const void *site, char *text, size_t room)
{
	const struct pobj_site *s = site;
	char command[128];
	FILE *f;

	text[0] = 0;
	if (s >= __start_pobj_sites && s < __stop_pobj_sites) {
		snprintf(text, room, "%s:%u %s", s->file, s->line, s->func);
		return;
	}
	snprintf(command, sizeof(command), "addr2line -s -f -p -e /proc/%d/exe %p 2>&1",
		 (int)getpid(), (const char *)site - 1);
	f = popen(command, "r");
	if (f && fgets(text, (int)room, f))
		text[strcspn(text, "\n")] = 0;
	if (f)
		pclose(f);
}

/* ---- points ------------------------------------------------------------------------------ */

static u32 done_mask(void)
{
	u32 p, mask = 0;

	for (p = 0; p < SCHED_PROCS; p++)
		mask |= (proc[p].state == SCHED_DONE) << p;
	/* Somebody may still die, then it will run. */
	return mask | (dead || kills ? 0 : 1U << SCHED_REAPER);
}

/* Somebody began, ended or died. */
static void conflicts_find(void)
{
	const u32 done = done_mask();

	if (sched_proc == NOBODY)
		return;
	conflicts[0] = against[0][sched_proc][dead][done];
	conflicts[1] = against[1][sched_proc][dead][done];
}

static bool can_run(u32 p)
{
	if (proc[p].state == SCHED_WAITS)
		return proc[p].waits_since != progress;
	return proc[p].state == SCHED_READY && (p != SCHED_REAPER || proc[p].reaps || dead);
}

/* Those that can run, but @not. */
static u32 runnable(u32 list[SCHED_PROCS], u32 not)
{
	u32 p, cnt = 0;

	for (p = 0; p < SCHED_PROCS; p++) {
		if (p != not && can_run(p))
			list[cnt++] = p;
	}
	return cnt;
}

static void leave(void)
{
	sched_switch(&proc[sched_proc].sp, engine_sp);
}

static void coroutine(void)
{
	const u32 p = sched_proc;

	if (proc[p].reaps || p == SCHED_REAPER)
		the_case->reap(p);
	else
		the_case->run(p);
	sched_point(0, 0, SCHED_READ);		/* killed after the last store */
	proc[p].state = SCHED_DONE;
	proc[p].stored = false;
	progress++;
	leave();
	abort();
}

static void coroutine_make(u32 p)
{
	u64 *sp = (u64 *)(stacks + (p + 1) * STACK_BYTES);

	*--sp = 0;
	*--sp = (u64)coroutine;
	sp -= 6;
	proc[p].sp = sp;
	proc[p].state = SCHED_READY;
	proc[p].stored = true;
}

static void die(u32 p)
{
	note("is killed", p, NOBODY);
	dead |= 1U << p;
	kills--;
	proc[p].state = SCHED_DEAD;
	sched_calls_died(p);
	if (sched_memory->died)
		sched_memory->died(p);
	progress++;
	if (proc[SCHED_REAPER].state == SCHED_DONE)
		coroutine_make(SCHED_REAPER);
	conflicts_find();
}

bool sched_maybe_dead(u32 holder)
{
	if (holder == sched_proc || !sched_on || !kills || proc[holder].state == SCHED_DEAD ||
	    proc[holder].state == SCHED_DONE)
		return false;
	if (!choose(2))
		return false;
	die(holder);
	return true;
}

/* At random: is something planned here? Returns the alternative. */
static u32 random_pick(u32 others, bool may_die)
{
	u32 i, no = point_no++;

	for (i = 0; may_die && i < bounds->kills; i++) {
		if (planned_kill[i] == no)
			return 1 + others;
	}
	for (i = 0; others && i < bounds->preempts; i++) {
		if (planned[i] == no)
			return 1 + random_next() % others;
	}
	return 0;
}

/* Something may happen to the process at hand. */
static void stop_here(u32 others, const u32 *list, bool may_die)
{
	const u32 p = sched_proc;
	u32 pick;

	if (bounds->random) {
		pick = random_pick(others, may_die);
		if (depth < TRAIL_MAX)
			trail[depth++] = (struct choice){ 1 + others + may_die, pick };
	} else {
		pick = choose(1 + others + may_die);
	}
	if (!pick)
		return;
	if (pick > others) {
		die(p);
		leave();
		abort();
	}
	preempts--;
	target = list[pick - 1];
	note("is stopped for", p, target);
	leave();
}

/* SCHED_TRACE=1: each access of an execution that went wrong; it is run once more for that. */
static bool tracing;

static void trace(u64 off, enum sched_kind kind)
{
	static const char *const what[] = { "reads", "stores", "changes" };
	u64 now = 0;
	char text[256];

	if (off < SCHED_LOCKS_AT)
		now = *(u64 *)sched_shared(0, off & ~7ULL);
	site_text(sched_site, text, sizeof(text));
	printf("#   %5u process %u %s %s, now 0x%llx, in %s\n", steps, sched_proc, what[kind],
	       sched_name ? sched_name(off) : "", (unsigned long long)now, text);
}

void sched_point(u64 off, u32 size, enum sched_kind kind)
{
	struct proc *me;
	u32 list[SCHED_PROCS], others = 0, word, last;
	bool may_die;
	u64 hot = 0;

	if (!sched_on) {
		if (kind != SCHED_READ && off < SCHED_LOCKS_AT)
			sched_dirty(sched_shared(0, off), size);
		return;
	}
	me = &proc[sched_proc];
	if (__builtin_expect(tracing, 0) && size)
		trace(off, kind);
	if (++steps > STEPS_MAX)
		end_badly("an execution does not end");
	if (size) {
		last = (u32)((off + size - 1) / 8);
		for (word = (u32)(off / 8); word <= last; word++) {
			learn(word, sched_proc, kind != SCHED_READ);
			hot |= known[word] & conflicts[kind != SCHED_READ];
		}
	}
	may_die = kills && me->stored;
	if (hot && preempts)
		others = runnable(list, sched_proc);
	if (may_die || others)
		stop_here(others, list, may_die);
	me->stored = false;
	if (kind == SCHED_READ)
		return;
	me->stored = true;
	progress++;
	if (off < SCHED_LOCKS_AT)
		sched_dirty(sched_shared(0, off), size);
}

/*
 * A kill after the fence leaves less on its way to the medium than one before it, and the others
 * see the same: before it is enough.
 */
void sched_point_fence(void)
{
	struct proc *me = &proc[sched_proc];
	u32 list[SCHED_PROCS], others = 0;
	bool may_die;

	if (!sched_on)
		return;
	may_die = kills && me->stored;
	if (preempts)
		others = runnable(list, sched_proc);
	if (may_die || others)
		stop_here(others, list, may_die);
	me->stored = false;
}

void sched_fail(const char *what)
{
	end_badly(what);
}

void sched_wait(void)
{
	if (!sched_on)
		end_badly("somebody waits where nobody else runs");
	sched_point(0, 0, SCHED_READ);
	proc[sched_proc].state = SCHED_WAITS;
	proc[sched_proc].waits_since = progress;
	leave();
}

enum sched_state sched_state_of(u32 p)
{
	return proc[p].state;
}

u32 sched_dead(void)
{
	return dead;
}

/* ---- states that were seen ---------------------------------------------------------------- */

#define STATES	(1U << 22)

struct states {
	u64 *hash;
	u32 cnt;
};

static struct states ends, switches;

static void states_forget(struct states *s)
{
	if (!s->hash)
		s->hash = mmap(NULL, STATES * sizeof(*s->hash), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	else if (s->cnt)
		madvise(s->hash, STATES * sizeof(*s->hash), MADV_DONTNEED);
	s->cnt = 0;
}

/* True: not seen before. When there are too many all are forgotten: some are then seen again. */
static bool state_is_new(struct states *s, u64 hash)
{
	u32 i;

	if (s->cnt > STATES / 2)
		states_forget(s);
	hash += !hash;
	for (i = (u32)(hash % STATES); s->hash[i]; i = (i + 1) % STATES) {
		if (s->hash[i] == hash)
			return false;
	}
	s->hash[i] = hash;
	s->cnt++;
	return true;
}

static u64 mix(u64 h, u64 v)
{
	h = (h ^ v) * 0xff51afd7ed558ccdULL;
	return h ^ h >> 29;
}

static u64 memory_hash(void)
{
	return mix(sched_world_hash(~dead), sched_calls_hash()) +
	       (sched_end_tag ? sched_end_tag() * 0x9e3779b97f4a7c15ULL : 0) +
	       (sched_memory->hash ? sched_memory->hash() : 0);
}

/* All that the rest of the execution depends on, while none of the processes is at hand. */
static u64 whole_hash(void)
{
	u64 h = mix(memory_hash(), (u64)dead << 40 | (u64)preempts << 20 | kills);
	const struct proc *me;
	const u64 *w;
	u32 p;

	for (p = 0; p < SCHED_PROCS; p++) {
		me = &proc[p];
		h = mix(h, (u64)me->state << 8 | me->reaps << 3 | me->stored << 2 | me->at);
		if (me->state == SCHED_DEAD)
			continue;
		for (w = (u64 *)me->thread; w < (u64 *)(me->thread + 2); w++)
			h = mix(h, *w);
		if (me->state == SCHED_DONE)
			continue;
		h = mix(h, (u64)me->sp + (me->waits_since == progress));
		for (w = me->sp; w < (u64 *)(stacks + (p + 1) * STACK_BYTES); w++)
			h = mix(h, *w);
	}
	return h;
}

/* ---- one execution ------------------------------------------------------------------------ */

static void enter(u32 p)
{
	proc[p].state = SCHED_READY;
	sched_proc = p;
	thread_load(p);
	conflicts_find();
	sched_on = true;
	sched_switch(&engine_sp, proc[p].sp);
	sched_on = false;
	thread_save(p);
	sched_proc = NOBODY;
}

/* Nobody can run. Does anybody, after all? */
static bool wake(u32 *idle, u32 *reaps)
{
	u32 p, waiting = 0;

	for (p = 0; p < SCHED_PROCS; p++)
		waiting += proc[p].state == SCHED_WAITS;
	if (waiting) {
		/* Sleep ends by itself, too. */
		if (++*idle > IDLE_MAX)
			end_badly("all wait for each other");
		progress++;
		return true;
	}
	if (!dead || the_case->reaped())
		return false;
	if (++*reaps > REAPS_MAX)
		end_badly("the dead are not reaped");
	for (p = SCHED_REAPER; proc[p].state == SCHED_DEAD; p = (p + 1) % SCHED_PROCS)
		;
	coroutine_make(p);
	proc[p].reaps = true;
	note("reaps", p, NOBODY);
	return true;
}

static void execution_begin(void)
{
	u32 p, i;

	sched_world_restore();
	if (!(count->executions % CHECK_EACH) && !sched_world_is_kept()) {
		printf("Bail out! a store that no hook saw\n");
		exit(1);
	}
	sched_calls_reset();
	if (sched_memory->begin)
		sched_memory->begin();
	memcpy(proc, proc_kept, sizeof(proc));
	for (p = 0; p < SCHED_PROCS; p++)
		coroutine_make(p);
	dead = 0;
	preempts = bounds->preempts;
	kills = bounds->kills;
	steps = 0;
	progress = 0;
	depth = 0;
	repeated = trail_len;
	event_cnt = 0;
	sched_on = false;
	sched_proc = NOBODY;
	if (!bounds->random)
		return;
	trail_len = 0;
	if (point_no > points_seen)
		points_seen = point_no;
	point_no = 0;
	for (i = 0; i < ARRAY_SIZE(planned); i++) {
		planned[i] = random_next() % (points_seen + 1);
		planned_kill[i] = random_next() % (points_seen + 1);
	}
}

/* False: it came to a state from which all that can follow was explored, or is being so. */
static bool execution_run(void)
{
	u32 list[SCHED_PROCS], cnt, next, idle = 0, reaps = 0;
	u64 before = ~0ULL;
	bool ended = false;		/* somebody did, or died */

	for (;;) {
		if (ended && depth >= repeated && !bounds->random &&
		    !state_is_new(&switches, whole_hash()))
			return false;
		cnt = runnable(list, NOBODY);
		if (!cnt) {
			if (progress != before)
				idle = 0;
			if (!wake(&idle, &reaps))
				return true;
			before = progress;
			continue;
		}
		next = target < SCHED_PROCS ? target : list[choose(cnt)];
		target = SCHED_PROCS;
		note("runs", next, NOBODY);
		enter(next);
		ended = proc[next].state == SCHED_DONE || proc[next].state == SCHED_DEAD;
	}
}

/* ---- violations --------------------------------------------------------------------------- */

static void violation(const char *what)
{
	char text[256];
	u32 i;

	count->violations++;
	if (!sched_first[0])
		snprintf(sched_first, sizeof(sched_first), "%s: %s", the_case->name, what);
	if (!sched_tell)
		return;
	sched_tell--;
	printf("# %s: %s\n", the_case->name, what);
	for (i = 0; i < event_cnt; i++) {
		site_text(event[i].site, text, sizeof(text));
		printf("#   process %u %s", event[i].proc, event[i].what);
		if (event[i].other != NOBODY)
			printf(" %u", event[i].other);
		printf(", step %u%s%s\n", event[i].step,
		       strcmp(event[i].what, "runs") ? ", before " : "",
		       strcmp(event[i].what, "runs") ? text : "");
	}
	fflush(stdout);
}

static void crashed(int sig)
{
	static char text[64];

	if (!in_execution && sig == SIGVTALRM)
		return;
	if (!in_execution)
		_exit(128 + sig);
	snprintf(text, sizeof(text), sig == SIGVTALRM ? "no access for a long time" :
		 "signal %d", sig);
	why = text;
	siglongjmp(ended_badly, 1);
}

static void signals_catch(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGVTALRM };
	static u8 alt[65536];
	const stack_t stack = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_NODEFER };
	u32 i;

	sigaltstack(&stack, NULL);
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
}

/* ---- explorations ------------------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* NULL, or what is wrong. */
static const char *execution_judge(void)
{
	if (sigsetjmp(ended_badly, 0))
		return why;
	if (!execution_run()) {
		count->pruned++;
		return NULL;
	}
	if (!state_is_new(&ends, whole_hash()))
		return NULL;
	count->judged++;
	return the_case->judge();
}

static void execute(void)
{
	const struct itimerval watch = { .it_value.tv_sec = 20 };
	const char *bad;

	/* Now and then is enough: it is for endless loops. */
	if (!(count->executions & 1023))
		setitimer(ITIMER_VIRTUAL, &watch, NULL);
	execution_begin();
	in_execution = true;
	bad = execution_judge();
	in_execution = false;
	sched_on = false;
	sched_proc = NOBODY;
	target = SCHED_PROCS;
	count->executions++;
	count->kills += kills < bounds->kills;
	count->kills2 += kills + 1 < bounds->kills;
	count->steps += steps;
	if (!bad)
		return;
	violation(bad);
	if (!getenv("SCHED_TRACE") || !sched_tell)
		return;
	tracing = true;
	execution_begin();
	in_execution = true;
	states_forget(&ends);
	bad = execution_judge();
	printf("#   once more: %s\n", bad ? bad : "nothing is wrong");
	in_execution = false;
	tracing = false;
	target = SCHED_PROCS;
}

/* One pass; false: time is over, or nobody wants to know more. */
static bool pass(double until)
{
	const u64 violations = count->violations;
	const u64 most = bounds->violations ? bounds->violations : VIOLATIONS_MAX;

	count->passes++;
	count->last = 0;
	trail_len = 0;
	states_forget(&switches);
	do {
		execute();
		count->last++;
		if (count->violations - violations >= most)
			return false;
		if (until > 0 && !(count->last % 64) && seconds() > until)
			return false;
		if (bounds->random && learned)
			learned_use();
	} while (bounds->random || trail_next());
	return true;
}

void sched_explore(const struct sched_case *c, const struct sched_bounds *b,
		   struct sched_count *result)
{
	static struct sched_bounds less;
	const double until = b->seconds > 0 ? seconds() + b->seconds : 0;
	bool whole = true;

	if (!stacks) {
		stacks = mmap(NULL, SCHED_PROCS * STACK_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		against_make();
		signals_catch();
	}
	the_case = c;
	count = result;
	target = SCHED_PROCS;
	memcpy(proc_kept, proc, sizeof(proc));
	learned_forget();
	states_forget(&ends);
	points_seen = 0;
	point_no = 0;
	rng = b->random * 0x9e3779b97f4a7c15ULL + 1;

	/* What the searches within narrower bounds learn saves passes of the wide one. */
	less = *b;
	less.random = 0;
	bounds = &less;
	for (less.preempts = 0; whole && less.preempts < b->preempts; less.preempts++) {
		if (b->random && less.preempts)
			break;
		whole = pass(until);
		learned_use();
	}
	bounds = b;
	do {
		learned_use();
		whole = whole && pass(until);
	} while (whole && learned && !b->random);
	count->complete = whole;
	sched_world_restore();
	if (!sched_world_is_kept()) {
		printf("Bail out! a store that no hook saw\n");
		exit(1);
	}
	sched_calls_reset();
	memcpy(proc, proc_kept, sizeof(proc));
}
