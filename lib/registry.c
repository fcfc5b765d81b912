// SPDX-License-Identifier: BSD-3-Clause
/*
 * The pools that this process has open, for finding one by address or by UUID.
 *
 * Readers take no lock. Writers hold registry_lock, fill an entry and store its base last; a
 * reader that sees a base (acquire) sees the rest. Closing a pool while another thread uses it is
 * the caller's race, as it is in libpmemobj.
 *
 * A forked child has neither mappings nor handles of its parent (nor descriptors: fd.c); it forgets
 * them.
 */
#define PMEMOBJ_DIRECT_NON_INLINE	/* it is defined here */
#include <pthread.h>
#include <stdatomic.h>

#include "lib/errormsg.h"
#include "lib/fd.h"
#include "lib/registry.h"

struct open_pool {
	atomic_uintptr_t base;		/* 0: entry is unused */
	atomic_uint_fast64_t size;
	atomic_uint_fast64_t uuid_lo;
};

static struct open_pool pools[POBJ_OPEN_MAX];
static atomic_uint high_water;		/* entries ever used */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * What the inline pmemobj_direct of libpmemobj/base.h reads. The counter makes all threads' caches
 * worthless. It begins at 1, so that the cache of a thread that never filled it, all zero, never
 * fits, not even an id with UUID 0.
 */
int _pobj_cache_invalidate = 1;
__thread struct _pobj_pcache _pobj_cached_pool;

void pobj_registry_lock(void)
{
	pthread_mutex_lock(&registry_lock);
}

void pobj_registry_unlock(void)
{
	pthread_mutex_unlock(&registry_lock);
}

/* After the entry is unused: pairs with the acquire in pmemobj_direct. */
static void forget_cached(void)
{
	__atomic_fetch_add(&_pobj_cache_invalidate, 1, __ATOMIC_RELEASE);
}

/* Whoever held the lock when the parent forked is not in the child. */
void pobj_registry_forget(void)
{
	unsigned int i, n = atomic_load_explicit(&high_water, memory_order_relaxed);

	for (i = 0; i < n; i++)
		atomic_store_explicit(&pools[i].base, 0, memory_order_relaxed);
	forget_cached();
	pthread_mutex_init(&registry_lock, NULL);
}

static struct open_pool *find_by_uuid(u64 uuid_lo)
{
	unsigned int i, n = atomic_load_explicit(&high_water, memory_order_acquire);

	for (i = 0; i < n; i++) {
		if (atomic_load_explicit(&pools[i].base, memory_order_acquire) &&
		    atomic_load_explicit(&pools[i].uuid_lo, memory_order_relaxed) == uuid_lo)
			return &pools[i];
	}
	return NULL;
}

static struct open_pool *find_by_address(uintptr_t addr)
{
	unsigned int i, n = atomic_load_explicit(&high_water, memory_order_acquire);
	uintptr_t base;

	for (i = 0; i < n; i++) {
		base = atomic_load_explicit(&pools[i].base, memory_order_acquire);
		if (base && addr >= base &&
		    addr - base < atomic_load_explicit(&pools[i].size, memory_order_relaxed))
			return &pools[i];
	}
	return NULL;
}

int pobj_registry_add(struct pobj_pool *p)
{
	struct open_pool *o;
	unsigned int i;

	if (find_by_uuid(p->uuid_lo))
		return pobj_err(-EEXIST,
				"%s: this pool, or a copy with the same UUID, is open in this process already",
				p->path);
	for (i = 0; i < POBJ_OPEN_MAX; i++) {
		o = &pools[i];
		if (atomic_load_explicit(&o->base, memory_order_relaxed))
			continue;
		atomic_store_explicit(&o->size, p->media.size, memory_order_relaxed);
		atomic_store_explicit(&o->uuid_lo, p->uuid_lo, memory_order_relaxed);
		atomic_store_explicit(&o->base, (uintptr_t)p->media.base, memory_order_release);
		if (i >= atomic_load_explicit(&high_water, memory_order_relaxed))
			atomic_store_explicit(&high_water, i + 1, memory_order_release);
		return 0;
	}
	return pobj_err(-ENFILE, "%s: %u pools are open, no more can", p->path, POBJ_OPEN_MAX);
}

void pobj_registry_remove(struct pobj_pool *p)
{
	struct open_pool *o = find_by_address((uintptr_t)p->media.base);

	if (o)
		atomic_store_explicit(&o->base, 0, memory_order_release);
	forget_cached();
}

bool pobj_registry_holds(const struct pobj_pool *p)
{
	const uintptr_t base = (uintptr_t)p + POBJ_HANDLE_BYTES;
	struct open_pool *o = find_by_address(base);

	return o && atomic_load_explicit(&o->base, memory_order_relaxed) == base;
}

int pobj_registry_each(int (*each)(struct pobj_pool *p, const void *arg), const void *arg)
{
	unsigned int i, n = atomic_load_explicit(&high_water, memory_order_relaxed);
	uintptr_t base;
	int ret;

	for (i = 0; i < n; i++) {
		base = atomic_load_explicit(&pools[i].base, memory_order_relaxed);
		ret = base ? each(pobj_pool_raw((PMEMobjpool *)base), arg) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

/* ---- look-ups of the API ----------------------------------------------------------------- */

struct pobj_pool *pobj_pool_of(PMEMobjpool *pop)
{
	struct open_pool *o = find_by_address((uintptr_t)pop);

	if (o && atomic_load_explicit(&o->base, memory_order_relaxed) == (uintptr_t)pop)
		return pobj_pool_raw(pop);
	pobj_err(-EINVAL,
		 "not a pool that this process has open (a forked child opens pools for itself)");
	return NULL;
}

PMEMobjpool *pmemobj_pool_by_ptr(const void *addr)
{
	struct open_pool *o = find_by_address((uintptr_t)addr);

	return o ? (PMEMobjpool *)atomic_load_explicit(&o->base, memory_order_relaxed) : NULL;
}

PMEMobjpool *pmemobj_pool_by_oid(PMEMoid oid)
{
	struct open_pool *o = oid.off ? find_by_uuid(oid.pool_uuid_lo) : NULL;

	return o ? (PMEMobjpool *)atomic_load_explicit(&o->base, memory_order_relaxed) : NULL;
}

void *pmemobj_direct(PMEMoid oid)
{
	struct _pobj_pcache *last = &_pobj_cached_pool;
	PMEMobjpool *pop;
	int now;

	if (!oid.off)
		return NULL;
	/* Before the look-up: what a close meanwhile makes wrong is then cached as outdated. */
	now = __atomic_load_n(&_pobj_cache_invalidate, __ATOMIC_ACQUIRE);
	if (last->uuid_lo != oid.pool_uuid_lo || last->invalidate != now) {
		pop = pmemobj_pool_by_oid(oid);
		if (!pop)
			return NULL;
		last->pop = pop;
		last->uuid_lo = oid.pool_uuid_lo;
		last->invalidate = now;
	}
	return (char *)last->pop + oid.off;
}

PMEMoid pmemobj_oid(const void *addr)
{
	struct open_pool *o = find_by_address((uintptr_t)addr);
	PMEMoid oid = { 0, 0 };

	if (!o)
		return oid;
	oid.pool_uuid_lo = atomic_load_explicit(&o->uuid_lo, memory_order_relaxed);
	oid.off = (uintptr_t)addr - atomic_load_explicit(&o->base, memory_order_relaxed);
	return oid;
}
