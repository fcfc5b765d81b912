/* SPDX-License-Identifier: BSD-3-Clause */
/* What the processes of one pool share and a power cut may take: see sidecar.c. */
#ifndef POBJ_LIB_SIDECAR_H
#define POBJ_LIB_SIDECAR_H

#include <pthread.h>

#include "lib/core/super.h"

#define POBJ_SIDECAR_MAGIC	0x706f626a73696465ULL
#define POBJ_BOOT_ID_BYTES	40

/**
 * struct pobj_sidecar - the head of a sidecar
 * @magic: POBJ_SIDECAR_MAGIC
 * @uuid: of the pool
 * @boot_id: of the kernel that runs; a sidecar found from another boot is stale
 * @run_id: number of this sidecar, never 0: a new one begins when nobody has the pool open
 * @sessions: sessions begun so far
 * @lanes_used: lanes that were ever taken, + 1
 * @reaps: how often a reaper was done with the logs of a dead session (rule V10)
 * @lock_session: session that holds @pool_lock, 0 while it holds nothing that matters
 * @pool_lock: serialises making and growing the root
 *
 * All zero is a valid beginning. Every word moves once, by compare-and-swap from 0, to a value
 * that each opener computes alike (or, for run_id, that the first one chooses): so there is no
 * initialiser that could be killed half-way, and none that comes late and wipes a lock in use.
 */
struct pobj_sidecar {
	u64 magic;
	u8 uuid[16];
	u8 boot_id[POBJ_BOOT_ID_BYTES];
	u64 run_id;
	u64 sessions;
	u64 lanes_used;
	u64 lock_session;
	u64 reaps;
	u64 reserved[3];
	union {
		pthread_mutex_t pool_lock;
		u64 pool_lock_line[8];	/* a line of its own */
	};
};

_Static_assert(offsetof(struct pobj_sidecar, pool_lock) % 64 == 0, "lock has its own line");
_Static_assert(sizeof(struct pobj_sidecar) == offsetof(struct pobj_sidecar, pool_lock) + 64,
	       "lock fits its line");

/*
 * Join the sidecar mapped at @sc, whether anybody did before or not. 0; -EBUSY: it belongs to
 * another pool or boot; -EIO: the boot id cannot be read. @what names the pool in messages.
 */
int pobj_sidecar_join(struct pobj_sidecar *sc, const struct pobj_super *s, const char *what);

struct pobj_pool;

/*
 * Take the pool lock. When its holder died, its session is reaped first, by whomever: what it left
 * half-done is undone then. 0; -EDEADLK: this thread holds it (a root constructor that asks for the
 * root); -EIO: a write failed earlier; recovery's errors.
 */
int pobj_pool_lock(struct pobj_pool *p);
void pobj_pool_unlock(struct pobj_pool *p);

#endif
