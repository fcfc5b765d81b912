/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Work in shards, by child processes, one for each CPU. Each takes the next shard until there is
 * none. What they find goes into memory that all share.
 */
#ifndef POBJ_CRASH_WORKERS_H
#define POBJ_CRASH_WORKERS_H

#include "lib/core/env.h"

/* Zeroed memory that children made later share. Exits without memory. */
void *workers_memory(size_t bytes);

/* CPUs that we may use. */
u32 workers_cpus(void);

/**
 * workers_run - do all shards
 * @workers: number of children
 * @shards: @run is called for each of 0 .. @shards - 1, once
 * @end: NULL, or: called in each child before it exits
 *
 * Returns the number of shards that were not finished: a child died.
 */
u32 workers_run(u32 workers, u32 shards, void (*run)(u32 shard), void (*end)(void));

#endif
