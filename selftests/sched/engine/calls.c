// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The system, as the library in a simulated process sees it; by the linker's --wrap. Record locks
 * are held by processes and dropped when one is killed; sleeping lets others run; time only passes
 * when somebody looks. Memory comes from the process' arena. In the engine's own hands (sched_proc
 * is SCHED_PROCS) memory and mutexes are those of libc.
 *
 * Lib/registry.c is not linked: the same answers are given here for the process at hand.
 */
#define PMEMOBJ_DIRECT_NON_INLINE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/backend.h"
#include "lib/file.h"
#include "lib/registry.h"
#include "libpmemobj/base.h"
#include "selftests/sched/engine/sched.h"
#include "selftests/sched/engine/system.h"

#define LOCKS	64U
#define MUTEXES	4U
#define ERRNO(e)	(e)	/* not negative: as pthread returns it */

/* What is not memory of the library, and is as at the beginning again for each execution. */
static struct calls {
	u32 lock[LOCKS];		/* process + 1 */
	struct {
		u64 off;
		u32 owner;		/* process + 1 */
		bool orphan;		/* its owner died */
	} mutex[MUTEXES];
	bool open[SCHED_PROCS];		/* in the registry */
	u64 ns;
} now, kept;

static void (*thread_end)(void *value);

void sched_calls_forget(void)
{
	memset(&now, 0, sizeof(now));
}

void sched_calls_reset(void)
{
	now = kept;
}

void sched_calls_keep(void)
{
	kept = now;
}

u64 sched_calls_hash(void)
{
	u64 h = now.ns;
	u32 i;

	for (i = 0; i < LOCKS; i++)
		h = h * 31 + now.lock[i];
	for (i = 0; i < MUTEXES; i++)
		h = h * 31 + now.mutex[i].owner * 2 + now.mutex[i].orphan;
	return h;
}

void sched_calls_died(u32 proc)
{
	u32 i;

	for (i = 0; i < LOCKS; i++) {
		if (now.lock[i] == proc + 1)
			now.lock[i] = 0;
	}
	for (i = 0; i < MUTEXES; i++) {
		if (now.mutex[i].owner == proc + 1) {
			now.mutex[i].owner = 0;
			now.mutex[i].orphan = true;
		}
	}
	now.open[proc] = false;
}

/* ---- memory ------------------------------------------------------------------------------ */

#define ROOM	16U	/* before an allocation: its size */

static bool in_arena(const void *p)
{
	return (u64)p - SCHED_BASE < SCHED_PROCS * SCHED_STRIDE;
}

void *__wrap_malloc(size_t bytes)
{
	u8 *p;

	if (sched_proc == SCHED_PROCS)
		return __real_malloc(bytes);
	p = sched_alloc(bytes + ROOM);
	if (!p)
		abort();
	memcpy(p, &bytes, sizeof(bytes));
	return p + ROOM;
}

void *__wrap_calloc(size_t n, size_t bytes)
{
	if (sched_proc == SCHED_PROCS)
		return __real_calloc(n, bytes);
	return __wrap_malloc(n * bytes);
}

void *__wrap_realloc(void *p, size_t bytes)
{
	size_t old;
	void *more;

	if (sched_proc == SCHED_PROCS)
		return __real_realloc(p, bytes);
	more = __wrap_malloc(bytes);
	if (p) {
		memcpy(&old, (u8 *)p - ROOM, sizeof(old));
		memcpy(more, p, old < bytes ? old : bytes);
	}
	return more;
}

void __wrap_free(void *p)
{
	if (!in_arena(p))
		__real_free(p);
}

/* ---- record locks ------------------------------------------------------------------------ */

/* A lock of the system orders all that its holders do. */
static void sync_all(void)
{
	if (sched_memory->sync)
		sched_memory->sync();
}

/* Bytes of slots, and those of their judges (lib/session.c), which are far away. */
static u64 lock_index(u64 byte)
{
	return byte >> 62 ? LOCKS / 2 + (byte & ((1ULL << 62) - 1)) : byte;
}

int __wrap_pobj_file_lock(int fd, int cmd, short type, u64 byte)
{
	const u64 off = lock_index(byte);
	u32 *l = &now.lock[off];

	(void)fd;
	(void)cmd;
	if (off >= LOCKS)
		return -EINVAL;
	sched_point(SCHED_LOCKS_AT + off * 8, 8, SCHED_RMW);
	sync_all();
	if (type == F_UNLCK) {
		if (*l == sched_proc + 1)
			*l = 0;
		return 0;
	}
	if (*l && *l != sched_proc + 1 && !sched_maybe_dead(*l - 1))
		return -EAGAIN;
	*l = sched_proc + 1;
	sync_all();
	return 0;
}

/* The judge asks whether another process has a slot. */
int __wrap_fcntl(int fd, int cmd, ...)
{
	struct flock *fl;
	va_list ap;
	void *arg;
	u32 owner;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (sched_proc == SCHED_PROCS || (cmd != F_GETLK && cmd != F_OFD_GETLK))
		return __real_fcntl(fd, cmd, arg);
	fl = arg;
	owner = fl->l_start < LOCKS ? now.lock[fl->l_start] : 0;
	if (!owner || owner == sched_proc + 1)
		fl->l_type = F_UNLCK;
	return 0;
}

/* ---- waiting, time, threads -------------------------------------------------------------- */

int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
	(void)t;
	(void)left;
	sched_wait();
	return 0;
}

int __wrap_usleep(useconds_t us)
{
	(void)us;
	sched_wait();
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	if (sched_proc == SCHED_PROCS)
		return __real_clock_gettime(clock, t);
	now.ns += 25000000;
	t->tv_sec = 1000 + (time_t)(now.ns / 1000000000);
	t->tv_nsec = (long)(now.ns % 1000000000);
	return 0;
}

/* Whoever sleeps at a word is woken late: he looks for the dead each time. */
long __wrap_syscall(long number, ...)
{
	va_list ap;
	int op;

	va_start(ap, number);
	(void)va_arg(ap, void *);
	op = va_arg(ap, int);
	va_end(ap);
	if (number != SYS_futex)
		abort();
	if ((op & 127) == 1)		/* wake */
		return 0;
	sched_wait();
	errno = ETIMEDOUT;
	return -1;
}

static u64 shared_off(const void *p)
{
	const u64 in = ((u64)p - SCHED_BASE) % SCHED_STRIDE;

	return in_arena(p) && in >= SCHED_SHARED_AT ? in - SCHED_SHARED_AT : 0;
}

static u32 mutex_find(u64 off)
{
	u32 i;

	for (i = 0; i < MUTEXES; i++) {
		if (now.mutex[i].off == off)
			return i;
		if (!now.mutex[i].off) {
			now.mutex[i].off = off;
			return i;
		}
	}
	abort();
}

/* Private ones have one thread only. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	return sched_proc == SCHED_PROCS ? __real_pthread_mutex_lock(m) : 0;
}

/*
 * Shared ones are robust and checked for errors. They are asked for in slices (lib/sidecar.c):
 * here the first slice lasts until they are free.
 */
int __wrap_pthread_mutex_trylock(pthread_mutex_t *m)
{
	const u64 off = shared_off(m);
	u32 i;

	if (!off)
		return __real_pthread_mutex_trylock(m);
	i = mutex_find(off);
	for (;;) {
		sched_point(off, 8, SCHED_RMW);
		if (!now.mutex[i].owner || sched_maybe_dead(now.mutex[i].owner - 1))
			break;
		if (now.mutex[i].owner == sched_proc + 1)
			return ERRNO(EDEADLK);
		sched_wait();
	}
	now.mutex[i].owner = sched_proc + 1;
	sync_all();
	return now.mutex[i].orphan ? ERRNO(EOWNERDEAD) : 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
	const u64 off = shared_off(m);
	u32 i;

	if (!off)
		return sched_proc == SCHED_PROCS ? __real_pthread_mutex_unlock(m) : 0;
	i = mutex_find(off);
	sched_point(off, 8, SCHED_RMW);
	sync_all();
	if (now.mutex[i].orphan)
		abort();		/* nobody gets it any more */
	now.mutex[i].owner = 0;
	return 0;
}

int __wrap_pthread_mutex_consistent(pthread_mutex_t *m)
{
	now.mutex[mutex_find(shared_off(m))].orphan = false;
	return 0;
}

int __wrap_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a)
{
	return a ? __real_pthread_mutex_init(m, a) : 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *m)
{
	(void)m;
	return 0;
}

int __wrap_pthread_key_create(pthread_key_t *key, void (*end)(void *value))
{
	*key = 0;
	thread_end = end;
	return 0;
}

/* The value is what sched_thread_exit() finds in the thread's own memory. */
int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	(void)key;
	(void)value;
	return 0;
}

void sched_calls_thread_end(void *value)
{
	if (value)
		thread_end(value);
}

/* ---- the registry, and what pools lie on -------------------------------------------------- */

int _pobj_cache_invalidate = 1;
__thread struct _pobj_pcache _pobj_cached_pool;

static struct pobj_pool *mine(void)
{
	return sched_proc < SCHED_PROCS && now.open[sched_proc] ? sched_handle(sched_proc) : NULL;
}

void pobj_registry_lock(void)
{
}

void pobj_registry_unlock(void)
{
}

void pobj_registry_forget(void)
{
}

int pobj_registry_add(struct pobj_pool *p)
{
	(void)p;
	now.open[sched_proc] = true;
	return 0;
}

void pobj_registry_remove(struct pobj_pool *p)
{
	(void)p;
	now.open[sched_proc] = false;
}

bool pobj_registry_holds(const struct pobj_pool *p)
{
	return mine() == p;
}

int pobj_registry_each(int (*each)(struct pobj_pool *p, const void *arg), const void *arg)
{
	return mine() ? each(mine(), arg) : 0;
}

struct pobj_pool *pobj_pool_of(PMEMobjpool *pop)
{
	if (mine() && pobj_pool_pop(mine()) == pop)
		return mine();
	errno = EINVAL;
	return NULL;
}

PMEMobjpool *pmemobj_pool_by_ptr(const void *addr)
{
	struct pobj_pool *p = mine();

	return p && (u64)addr - (u64)p->media.base < p->media.size ? pobj_pool_pop(p) : NULL;
}

PMEMobjpool *pmemobj_pool_by_oid(PMEMoid oid)
{
	struct pobj_pool *p = mine();

	return p && oid.off && oid.pool_uuid_lo == p->uuid_lo ? pobj_pool_pop(p) : NULL;
}

void *pmemobj_direct(PMEMoid oid)
{
	PMEMobjpool *pop = pmemobj_pool_by_oid(oid);

	return pop ? (u8 *)pop + oid.off : NULL;
}

PMEMoid pmemobj_oid(const void *addr)
{
	PMEMobjpool *pop = pmemobj_pool_by_ptr(addr);

	return pop ? (PMEMoid){ mine()->uuid_lo, (u64)addr - (u64)pop } : (PMEMoid){ 0, 0 };
}

static void backend_close(struct pobj_pool *p)
{
	(void)p;
}

const struct pobj_backend sched_backend = { .name = "sched", .close = backend_close };
