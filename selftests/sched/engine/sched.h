/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Explorer of interleavings and kills. Three simulated processes run the real library, heap,
 * sessions and reaper, on one tiny pool; a switch may come before every access to what they share,
 * a kill after every store to it. All of this in one real process and thread: a process is a
 * coroutine.
 *
 *	hooks.c		what the compiler (-fsanitize=thread) and lib/core/media.h (POBJ_TRACE)
 *			call at each access; filters private memory, passes the rest to struct
 *			sched_memory
 *	sc.c		sequentially consistent memory, and bugs that are seeded
 *	world.c		the memory: three mappings of one pool and sidecar, private memory,
 *			snapshots
 *	search.c	processes, schedules, kills, the search, the bounds
 *	calls.c		the system as the library sees it: record locks, sleeping, mutexes, memory,
 *			and the registry of open pools
 *
 * Memory. A view is one process' address space: private memory with the handle at its end, then
 * image and sidecar, which all views map from one file. So an address tells the process and the
 * offset by bits (SCHED_STRIDE), and pointers into private memory mean nothing elsewhere, as in
 * real life. All is reset to a snapshot before each execution, line by line, by a list of the lines
 * that were stored to. So whatever stores there must be compiled with the hooks or tell
 * sched_dirty(). After a kill private memory stays as it was, for the judge; no survivor can reach
 * it.
 *
 * Search. Depth first over the choices of an execution, by running it anew. A choice is made
 *	- before an access that conflicts with one of another process: go on, or switch to one that
 *	  can run, which costs a preemption
 *	- when a process ends, waits or dies: who runs next, which costs nothing
 *	- before a process' next access after a store: is it dead, which costs a kill
 *	- when a process tries a record lock that another, who is stopped, holds: is that one dead
 *
 * What is left out, and why nothing is lost. (1) Switches before an access that conflicts with none
 * of another process: the execution in which the switch comes after that access is the same but
 * for the order of two accesses that commute. Which words conflict is learned: who read and who
 * stored each word, and while who was dead; an exploration during which a new conflict shows up is
 * repeated with what it learned, until none does. (2) Kills that are not just after a store: what
 * the dead read or compute after it nobody sees. A process that is stopped and killed later is
 * the same as one killed at once, but to who asks for its lock: hence the fourth choice. (3) Kills
 * after flushes and fences, which change nothing that processes see. (4) Kills within a copy or
 * fill of more than SCHED_BULK bytes, but one in the middle: contents of objects that are nobody's
 * yet.
 *
 * States that were seen are not explored again: when a process has ended or died, all that the rest
 * depends on (memory, stacks, budgets) is hashed, and an execution that comes to a hash seen before
 * in this pass stops. So are ends judged: each different one once. Two different states with the
 * same 64 bits would be taken for one; nothing else can get lost by it.
 *
 * The memory is sequentially consistent here. For other models replace sched_memory: every hook
 * passes the memory order and the address it was called from.
 */
#ifndef POBJ_SCHED_H
#define POBJ_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/core/env.h"
#include "lib/core/media.h"
#include "lib/pool.h"

#define SCHED_PROCS	3U
#define SCHED_REAPER	2U		/* runs when somebody is dead; 0 and 1 have operations */

/* ---- memory (world.c) -------------------------------------------------------------------- */

#define SCHED_BASE	0x200000000000ULL
#define SCHED_STRIDE	(1ULL << 24)	/* from view to view */
#define SCHED_SHARED_AT	(1ULL << 20)	/* in a view: before it private memory, then the handle */
#define SCHED_SHARED	(8ULL << 20)	/* bytes shared */
#define SCHED_SIDE_AT	(256ULL << 10)	/* in what is shared: the sidecar; before it the image */
#define SCHED_LOCKS_AT	(SCHED_SHARED - 4096)	/* stands for record locks; no memory is used */
#define SCHED_LINE	64U
#define SCHED_BULK	64U

static inline void *sched_shared(u32 proc, u64 off)
{
	return (u8 *)SCHED_BASE + proc * SCHED_STRIDE + SCHED_SHARED_AT + off;
}

static inline struct pobj_pool *sched_handle(u32 proc)
{
	return (struct pobj_pool *)((u8 *)sched_shared(proc, 0) - POBJ_HANDLE_BYTES);
}

/* Again in a forked process, which else would share the memory of the other one. */
void sched_world_make(void);

/* All of it is 0 again; what it held is no start any more. */
void sched_world_clear(void);

/* What it holds now is the state to begin with. */
void sched_world_keep(void);
void sched_world_restore(void);

/* After that: is all as it was? If not, something was stored without a hook. */
bool sched_world_is_kept(void);

/* Whoever stores without hooks tells before or after. Any address. */
void sched_dirty(const void *p, u64 len);

/* Of what differs from the start, in shared memory and the private memory of those in @procs. */
u64 sched_world_hash(u32 procs);

/* Memory of the process at hand. */
void *sched_alloc(size_t bytes);

/* ---- accesses (hooks.c) ------------------------------------------------------------------ */

enum sched_kind { SCHED_READ, SCHED_WRITE, SCHED_RMW };
enum sched_rmw { SCHED_XCHG, SCHED_ADD, SCHED_SUB, SCHED_AND, SCHED_OR, SCHED_XOR };

/* What @old becomes. */
static inline u64 sched_changed(enum sched_rmw op, u64 old, u64 v)
{
	switch (op) {
	case SCHED_XCHG:
		return v;
	case SCHED_ADD:
		return old + v;
	case SCHED_SUB:
		return old - v;
	case SCHED_AND:
		return old & v;
	case SCHED_OR:
		return old | v;
	case SCHED_XOR:
		return old ^ v;
	}
	abort();
}

/**
 * struct sched_memory - how shared memory answers; addresses are of the process at hand
 * @plain: before a plain access, which the code itself makes when this returns
 * @load, @store, @rmw: make atomic accesses; @order: __ATOMIC_*; @site: where in the code. Traced
 *	stores to the medium come here as well, word by word, as releases
 * @cas: compare and exchange; *@expected is set if it fails
 * @fence: __atomic_thread_fence
 * @flush, @persist: CLWB and SFENCE of the medium
 * @begin: an execution begins; @sync: the process at hand takes or leaves a lock of the system;
 *	@died: a process did; @hash: of what it keeps beside memory. May be NULL
 */
struct sched_memory {
	void (*plain)(const void *p, u32 size, enum sched_kind kind, const void *site);
	u64 (*load)(const void *p, u32 size, int order, const void *site);
	void (*store)(void *p, u32 size, u64 v, int order, const void *site);
	u64 (*rmw)(void *p, u32 size, enum sched_rmw op, u64 v, int order, const void *site);
	bool (*cas)(void *p, u32 size, u64 *expected, u64 v, int ok, int fail, const void *site);
	void (*fence)(int order, const void *site);
	void (*flush)(const void *p, u64 len, const void *site);
	void (*persist)(const void *site);
	void (*begin)(void);
	void (*sync)(void);
	void (*died)(u32 proc);
	u64 (*hash)(void);
};

extern const struct sched_memory sched_sc;	/* sequentially consistent (search.c) */
extern const struct sched_memory *sched_memory;	/* the one that is used */

/*
 * A bug that is seeded: how a store to offset @off of what is shared goes wrong. Returns false: the
 * store is lost; may change *@v. NULL: none. Loads: what is read instead; @early is called before
 * a load, and before a switch that may come before it, @begin when an execution begins.
 */
struct sched_seed {
	const char *name;
	bool (*store)(u64 off, u64 *v);
	u64 (*load)(u64 off, u64 v);
	bool (*split)(u64 off);	/* a read-modify-write is a load and a store */
	void (*early)(u64 off);
	void (*begin)(void);
};

extern const struct sched_seed *sched_seed;
extern unsigned int pobj_weak_rules;	/* of lib/core that are broken (lib/core/weak.h) */

/* ---- processes (search.c) ---------------------------------------------------------------- */

enum sched_state { SCHED_READY, SCHED_WAITS, SCHED_DONE, SCHED_DEAD };

/**
 * struct sched_case - what is explored
 * @name: for reports
 * @run: the operation of process 0 or 1
 * @reap: what the reaper does, any process
 * @reaped: is nobody dead that is not reaped?
 * @judge: an execution has ended: NULL, or what is wrong. Called once for each different end
 */
struct sched_case {
	const char *name;
	void (*run)(u32 proc);
	void (*reap)(u32 proc);
	bool (*reaped)(void);
	const char *(*judge)(void);
};

/**
 * struct sched_bounds - how far to search
 * @preempts, @kills: at most
 * @seconds: stop after that time, 0: go to the end
 * @random: executions at random, with this seed, instead of all in order; 0: in order
 * @violations: stop after so many; 0: 100, for more say nothing new
 */
struct sched_bounds {
	u32 preempts;
	u32 kills;
	double seconds;
	u64 random;
	u32 violations;
};

/* What an exploration did. The counts are of all passes; @last: executions of the last one. */
struct sched_count {
	u64 executions;
	u64 last;
	u64 kills;		/* executions with a kill */
	u64 kills2;		/* with two */
	u64 pruned;		/* executions that came to a state seen before */
	u64 judged;		/* ends that were judged, all different */
	u64 violations;
	u64 passes;
	u64 steps;		/* accesses to what is shared */
	bool complete;
};

/* Explore from the state that was kept. Adds to *@c. */
void sched_explore(const struct sched_case *c, const struct sched_bounds *b,
		   struct sched_count *count);

/* For the judge and the case. */
enum sched_state sched_state_of(u32 proc);
u32 sched_dead(void);			/* bit mask */

/* All processes are as they begin. */
void sched_procs_clear(void);

/* Call @f as process @proc, outside of any schedule. */
void sched_as(u32 proc, void (*f)(u32 proc));

/* In a process: which one; which of its two threads runs; end that thread. */
u32 sched_self(void);
void sched_thread(u32 thread);
void sched_thread_exit(void);

/* Also what is not yet known to differ: mixed into what tells ends apart. */
extern u64 (*sched_end_tag)(void);

/* What stands at offset @off of what is shared; for traces, may be NULL. */
extern const char *(*sched_name)(u64 off);

extern u32 sched_tell;			/* violations to tell in full */
extern char sched_first[4096];		/* the first one */

/* ---- between the files ------------------------------------------------------------------- */

struct seat;
extern __thread struct seat *pobj_seats;	/* tlane.c calls it seats */
extern struct pobj_site __start_pobj_sites[], __stop_pobj_sites[];
extern const void *sched_site;		/* of the last access */

#define __noreturn	__attribute__((__noreturn__))

/* Registers that a coroutine keeps are on its stack. */
void sched_switch(void **save, void *to);

/* A point at which the process at hand may be stopped or killed, before an access. */
void sched_point(u64 off, u32 size, enum sched_kind kind);
/* The same before a fence, if the order of fences is looked at: whatever others have to do. */
void sched_point_fence(void);
/* Something is wrong, and the execution ends. */
void sched_fail(const char *what) __noreturn;
/* One of @cnt ways on, which are all gone in the end; 0 is the one that costs nothing. */
u32 sched_choose(u32 cnt);
/* It waits: until another one has done something. */
void sched_wait(void);
/* Somebody asks for what process @holder has: it may be dead. Is it now? */
bool sched_maybe_dead(u32 holder);
/* Are accesses points of a schedule now? */
extern bool sched_on;
extern u32 sched_proc;			/* at hand; SCHED_PROCS: none */

/* Of calls.c: nothing is locked or open; as kept; keep; somebody died. */
void sched_calls_forget(void);
void sched_calls_reset(void);
void sched_calls_keep(void);
void sched_calls_died(u32 proc);
u64 sched_calls_hash(void);
void sched_calls_thread_end(void *value);
extern const struct pobj_backend sched_backend;

#endif
