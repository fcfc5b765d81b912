// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* Shared memory that is sequentially consistent: each access is a point, then happens at once. */
#include "selftests/sched/engine/sched.h"

const struct sched_seed *sched_seed;
const void *sched_site;

/* Rules of lib/core/weak.h that are broken: see cases/seeds.c. */
unsigned int pobj_weak_rules;

static u64 off_of(const void *p)
{
	return ((u64)p - SCHED_BASE) % SCHED_STRIDE - SCHED_SHARED_AT;
}

static u64 get(const void *p, u32 size)
{
	switch (size) {
	case 1:
		return *(const u8 *)p;
	case 2:
		return *(const u16 *)p;
	case 4:
		return *(const u32 *)p;
	default:
		return *(const u64 *)p;
	}
}

static void put(void *p, u32 size, u64 v)
{
	switch (size) {
	case 1:
		*(u8 *)p = (u8)v;
		break;
	case 2:
		*(u16 *)p = (u16)v;
		break;
	case 4:
		*(u32 *)p = (u32)v;
		break;
	default:
		*(u64 *)p = v;
	}
}

static void sc_plain(const void *p, u32 size, enum sched_kind kind, const void *site)
{
	sched_site = site;
	sched_point(off_of(p), size, kind);
}

static u64 sc_load(const void *p, u32 size, int order, const void *site)
{
	u64 v;

	(void)order;
	sched_site = site;
	if (__builtin_expect(sched_seed && sched_on && sched_seed->early, 0))
		sched_seed->early(off_of(p));
	sched_point(off_of(p), size, SCHED_READ);
	v = get(p, size);
	if (__builtin_expect(sched_seed && sched_on && sched_seed->load, 0))
		v = sched_seed->load(off_of(p), v);
	return v;
}

static void sc_store(void *p, u32 size, u64 v, int order, const void *site)
{
	(void)order;
	sched_site = site;
	sched_point(off_of(p), size, SCHED_WRITE);
	if (__builtin_expect(sched_seed && sched_on && sched_seed->store, 0) &&
	    !sched_seed->store(off_of(p), &v))
		return;
	put(p, size, v);
}

static u64 sc_rmw(void *p, u32 size, enum sched_rmw op, u64 v, int order, const void *site)
{
	u64 old, new;

	(void)order;
	sched_site = site;
	if (__builtin_expect(sched_seed && sched_on && sched_seed->split, 0) &&
	    sched_seed->split(off_of(p))) {
		old = sc_load(p, size, order, site);
		sc_store(p, size, sched_changed(op, old, v), order, site);
		return old;
	}
	sched_point(off_of(p), size, SCHED_RMW);
	old = get(p, size);
	new = sched_changed(op, old, v);
	if (__builtin_expect(sched_seed && sched_on && sched_seed->store, 0) &&
	    !sched_seed->store(off_of(p), &new))
		return old;
	put(p, size, new);
	return old;
}

static bool sc_cas(void *p, u32 size, u64 *expected, u64 v, int ok, int fail, const void *site)
{
	u64 old;

	(void)ok;
	(void)fail;
	sched_site = site;
	sched_point(off_of(p), size, SCHED_RMW);
	old = get(p, size);
	if (old != *expected) {
		*expected = old;
		return false;
	}
	if (__builtin_expect(sched_seed && sched_on && sched_seed->store, 0) &&
	    !sched_seed->store(off_of(p), &v))
		return true;
	put(p, size, v);
	return true;
}

static void sc_fence(int order, const void *site)
{
	(void)order;
	(void)site;
}

/* Processes do not see them. */
static void sc_flush(const void *p, u64 len, const void *site)
{
	(void)p;
	(void)len;
	(void)site;
}

static void sc_persist(const void *site)
{
	(void)site;
}

static void sc_begin(void)
{
	if (sched_seed && sched_seed->begin)
		sched_seed->begin();
}

const struct sched_memory sched_sc = {
	.plain = sc_plain, .load = sc_load, .store = sc_store, .rmw = sc_rmw, .cas = sc_cas,
	.fence = sc_fence, .flush = sc_flush, .persist = sc_persist, .begin = sc_begin,
};
