/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pobj.h - regions, recovery and inspection: what libpmemobj never had.
 *
 * The object API is in <libpmemobj.h>. Wherever that API or this one takes a path, "pobj:NAME"
 * names a region of /dev/pobj: NAME is the UUID of a pool, or the name of a block device of this
 * boot ("pobj:pmem0"). Any other string is the path of a file.
 *
 * Functions return 0 or a negative errno value. What went wrong, and what to do about it, is
 * then in pobj_errormsg(), for the calling thread. All functions are thread-safe. None prints.
 */
#ifndef POBJ_H
#define POBJ_H 1

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POBJ_UUID_TEXT	37	/* bytes of a UUID in text form, with its NUL */

/* Text for the last error of this thread; never NULL, valid until the thread's next failure. */
const char *pobj_errormsg(void);

/* ---- objects ------------------------------------------------------------------------------ */

/*
 * What the caller promises of the id it frees by: that it is durable where it stands, because the
 * library wrote it, or the caller persisted it. Then nothing but it needs to be written: faster by
 * one line. If the promise is broken, an older id may stand there again after a power cut; the
 * object is free all the same.
 */
#define POBJ_XFREE_DURABLE	(1ULL << 0)

struct pmemoid;

/*
 * Free the object that *@oidp names and null *@oidp, both or neither, as pmemobj_free() does; that
 * is this with flags 0. 0, also for a null id; -EINVAL: no object is allocated there,
 * unknown flags; -EAGAIN: no lane is free. Nothing was changed then.
 */
int pobj_xfree(struct pmemoid *oidp, uint64_t flags);

struct pmemobjpool;

/*
 * Give back what processes held that died with @pop open, and undo or finish what they were doing.
 * The library does so at each open, before it hands on a lock that a dead process held, and
 * when memory or lanes run out; call it before touching shared data after learning of a
 * death in another way. Never waits: who is being reaped by another process is left to that
 * one. How many were reaped; -EINVAL: @pop is not open in this process; -EIO, -EUCLEAN: a
 * log cannot be recovered.
 */
int pobj_pool_reap(struct pmemobjpool *pop);

/* ---- regions ---------------------------------------------------------------------------- */

/* pobj_region_info.flags */
#define POBJ_INFO_CLAIMED	(1U << 0)	/* the module holds the device */
#define POBJ_INFO_POOL		(1U << 1)	/* a pool is on it */
#define POBJ_INFO_RECOVERED	(1U << 2)	/* and was recovered in this claim */
#define POBJ_INFO_SYNC		(1U << 3)	/* CPU flushes make data durable; else fsync */
#define POBJ_INFO_CACHED	(1U << 4)	/* CPU caches are volatile: flushes are needed */
#define POBJ_INFO_DEAD		(1U << 5)	/* device was unbound under us */
#define POBJ_INFO_UNREADABLE	(1U << 6)	/* device could not be opened by the caller */
#define POBJ_INFO_DAMAGED	(1U << 7)	/* a pool is on it that cannot be opened as it is */

/**
 * struct pobj_region_info - a device that holds or can hold a pool
 * @id: number of the region, 0 if not claimed
 * @bytes: size
 * @uuid: of the pool, as text; empty if there is none
 * @device: name of the block device, without /dev
 * @flags: POBJ_INFO_*
 * @node: NUMA node, -1 if the platform does not say
 * @uid: owner
 * @gid: group
 * @mode: permission bits
 * @sessions: attached processes
 * @faults_2m: faults that mapped 2 MiB since the claim (0 if the region could not be attached)
 * @faults_4k: faults that mapped 4 KiB
 * @bad_cnt: bad ranges of the device
 * @bad_bytes: bytes in them
 */
struct pobj_region_info {
	uint64_t id;
	uint64_t bytes;
	char uuid[POBJ_UUID_TEXT];
	char device[32];
	uint32_t flags;
	int32_t node;
	uint32_t uid;
	uint32_t gid;
	uint32_t mode;
	uint32_t sessions;
	uint64_t faults_2m;
	uint64_t faults_4k;
	uint64_t bad_cnt;
	uint64_t bad_bytes;
};

/*
 * Call @each for every claimed region, then for every DAX block device that is not claimed. A
 * value other than 0 from @each ends the list and is returned. Without the module only the
 * second part is there. -ENOMEM.
 */
int pobj_region_list(int (*each)(const struct pobj_region_info *r, void *arg), void *arg);

/*
 * Claim the device that @name ("pobj:NAME" or a path below /dev) names; needs read and write
 * access to it, and to /dev/pobj. Done by pmemobj_open and pmemobj_create where it is needed.
 * -ENODEV: the module is not loaded; -EBUSY: claimed, mounted or in use; -EOPNOTSUPP: no DAX.
 */
int pobj_region_claim(const char *name);

/* Give the device back. -EBUSY: processes are attached; -EPERM: not the owner; -ENOENT. */
int pobj_region_release(const char *name);

/* ---- pools ------------------------------------------------------------------------------ */

/**
 * struct pobj_pool_info - what the superblock of a pool says
 * @uuid: as text
 * @layout: name of the layout
 * @bytes: size of the pool
 * @ctime: creation, seconds since 1970
 * @page_bytes: page size
 * @page_cnt: pages
 * @data_off: offset of page 0
 * @lane_cnt: lanes
 * @lane_bytes: bytes of a lane
 * @root_off: offset of the root object, 0 if there is none
 * @root_bytes: its size
 * @unstable: the format is tied to this build
 * @bad_copies: superblock copies that are damaged and will be repaired by a recovery
 * @bad_lanes: lanes whose log is damaged; then the pool does not open
 * @live_entries: log entries of an operation that did not finish; 0 after recovery when idle
 * @users: processes that have the pool open now, -1 if not known
 * @on_region: the pool is on a region, and @region is filled
 * @region: see pobj_region_list()
 */
struct pobj_pool_info {
	char uuid[POBJ_UUID_TEXT];
	char layout[1024];
	uint64_t bytes;
	uint64_t ctime;
	uint64_t page_bytes;
	uint64_t page_cnt;
	uint64_t data_off;
	uint64_t lane_cnt;
	uint64_t lane_bytes;
	uint64_t root_off;
	uint64_t root_bytes;
	int unstable;
	uint32_t bad_copies;
	uint64_t bad_lanes;
	uint64_t live_entries;
	int32_t users;
	int on_region;
	struct pobj_region_info region;
};

/*
 * Describe the pool at @path. Reads only; works on a pool that is open elsewhere (live_entries
 * is then a moment's view), and on one that needs recovery. -EMEDIUMTYPE: not a pool; -EUCLEAN:
 * damaged; -EIO: cannot be read; what open(2) says.
 */
int pobj_pool_info(const char *path, struct pobj_pool_info *info);

/**
 * struct pobj_pool_recovery - what a recovery did
 * @was_done: nothing was to be done: somebody has the pool open, or it was recovered in this claim
 * @lanes: lanes read
 * @live: log entries that were live
 * @undone: words put back
 * @redone: frees repeated
 * @repaired: superblock copies rewritten
 */
struct pobj_pool_recovery {
	int was_done;
	uint64_t lanes;
	uint64_t live;
	uint64_t undone;
	uint64_t redone;
	uint64_t repaired;
};

/*
 * Bring the pool at @path to the state after its last finished operation. pmemobj_open does it
 * by itself. On an error nothing was changed; a device that was not claimed stays claimed. It
 * also removes what a killed last user of a file pool left in /dev/shm. -EMEDIUMTYPE, -EUCLEAN,
 * -EIO; what open(2) says.
 */
int pobj_pool_recover(const char *path, struct pobj_pool_recovery *r);

/**
 * struct pobj_problem - one thing that a check found
 * @fatal: the pool cannot be used as it is; else it is repaired by a recovery
 * @off: where in the pool
 * @found: value there
 * @expected: value or bound expected
 * @text: what is wrong, one line
 * @advice: what to do about it, one line
 */
struct pobj_problem {
	int fatal;
	uint64_t off;
	uint64_t found;
	uint64_t expected;
	const char *text;
	const char *advice;
};

/**
 * struct pobj_pool_census - what a check counted
 * @problems: problems found, reported or not
 * @fatal: of them, fatal ones
 * @lanes: lanes read
 * @live_entries: live log entries
 * @pages: pages of the pool
 * @free_pages: pages in no span
 * @largest_free: pages of the longest free run
 * @spans: spans by what they hold: slabs, large objects, log chunks
 */
struct pobj_pool_census {
	uint64_t problems;
	uint64_t fatal;
	uint64_t lanes;
	uint64_t live_entries;
	uint64_t pages;
	uint64_t free_pages;
	uint64_t largest_free;
	struct {
		uint64_t slab;
		uint64_t large;
		uint64_t log;
	} spans;
};

/*
 * Read and verify all metadata of the pool at @path, calling @each (may be NULL) for each
 * problem; a value other than 0 from it ends the check and is returned. Reads only. 0: checked,
 * see @c->problems; -EMEDIUMTYPE: not a pool; -EBUSY: the pool is open (what it would report are
 * operations in progress); what open(2) says.
 */
int pobj_pool_check(const char *path, int (*each)(const struct pobj_problem *p, void *arg),
		    void *arg, struct pobj_pool_census *c);

#ifdef __cplusplus
}
#endif

#endif
