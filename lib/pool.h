/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An open pool, as this process sees it: the handle.
 *
 * A PMEMobjpool * is the address at which the pool is mapped, so pop + offset is an address. The
 * handle lies in private memory directly before it, at a fixed distance: found by one
 * subtraction, and gone from a forked child (MADV_WIPEONFORK), where the mapping is gone, too.
 *
 *	reserved  | handle (private) | pool (shared) | sidecar elsewhere
 *	          ^ pop - POBJ_HANDLE_BYTES
 *	                             ^ pop, aligned to 2 MiB
 */
#ifndef POBJ_LIB_POOL_H
#define POBJ_LIB_POOL_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/core/super.h"
#include "lib/persist.h"
#include "libpmemobj/base.h"

struct pobj_backend;
struct pobj_sidecar;
struct pobj_heap;

#define POBJ_HANDLE_BYTES	16384

/**
 * struct pobj_pool - the handle
 * @media: the mapping and how to persist
 * @super: superblock as it was at open; only layout changes need more
 * @backend: what the pool lies on
 * @fd: pool file, or region file
 * @lock_fd: file whose record locks say who lives (session.c): the sidecar's, or the region file
 * @lock_cmd: how to lock there: F_SETLK or F_OFD_SETLK
 * @lock_base: byte of session slot 0
 * @sidecar: shared volatile state, @sidecar_bytes of it
 * @slot: the session's slot
 * @session: its number, not 0 while it is begun; unique as long as the sidecar lives
 * @reaping: a thread of this process reaps dead sessions
 * @dev: file backend: device of the pool file
 * @ino: file backend: its inode
 * @uuid_lo: pool_uuid_lo of object ids
 * @reserve: address range that holds handle and pool, @reserve_bytes of it
 * @alone: while opening: nobody else has the pool open
 * @broken: a write to the medium failed: nothing may be changed until the pool is opened anew
 * @made: while creating: the file is ours to remove
 * @heap: this process' part of the heap (lib/heap.h)
 * @live_id: number of this opening, unique in the process; 0 while operations are not possible
 * @user_data: the caller's
 * @path: as given to open, for messages
 */
struct pobj_pool {
	struct pobj_media media;
	struct pobj_super super;
	const struct pobj_backend *backend;
	struct pobj_sidecar *sidecar;
	size_t sidecar_bytes;
	int fd;
	int lock_fd;
	int lock_cmd;
	u32 slot;
	u64 lock_base;
	u64 session;
	dev_t dev;
	ino_t ino;
	u64 uuid_lo;
	void *reserve;
	size_t reserve_bytes;
	bool reaping;
	bool alone;
	bool broken;
	bool made;
	struct pobj_heap *heap;
	u64 live_id;
	void *user_data;
	char path[4096];
};

_Static_assert(sizeof(struct pobj_pool) <= POBJ_HANDLE_BYTES, "handle fits before the pool");

/* Handle of @pop, or NULL with errno EINVAL and a message if it is not open in this process. */
struct pobj_pool *pobj_pool_of(PMEMobjpool *pop);

/* The same without a check, where there is no way to report: hot, void functions. */
static inline struct pobj_pool *pobj_pool_raw(PMEMobjpool *pop)
{
	return (struct pobj_pool *)((char *)pop - POBJ_HANDLE_BYTES);
}

/* For backends, while opening: -EEXIST if this process has the file open already. */
int pobj_pool_not_open(dev_t dev, ino_t ino, const char *path);

struct pobj_wish;

/* For backends that format in this process: map the place with @map and make a pool of it. */
int pobj_pool_format_mapped(struct pobj_pool *p, const struct pobj_wish *create,
			    int (*map)(struct pobj_pool *p));

static inline PMEMobjpool *pobj_pool_pop(const struct pobj_pool *p)
{
	return (PMEMobjpool *)p->media.base;
}

#endif
