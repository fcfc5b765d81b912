/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/pool_base.h - create, open and close pools; the root object.
 */
#ifndef LIBPMEMOBJ_POOL_BASE_H
#define LIBPMEMOBJ_POOL_BASE_H 1

#include <sys/types.h>

#include <libpmemobj/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PMEMOBJ_MIN_POOL ((size_t)(8 * 1024 * 1024))	/* least size of a new pool */
#define PMEMOBJ_MIN_PART ((size_t)(2 * 1024 * 1024))	/* least size of a file of a pool set */

/*
 * A path "pobj:NAME" names a region of /dev/pobj, NAME being the UUID of its pool or the name of
 * its block device; any other path is a file. Open, create and close are thread-safe. Several
 * processes may have one pool open at once; one process opens a pool once (EEXIST).
 *
 * On failure NULL with errno, and pmemobj_errormsg() says what to do:
 *	EINVAL		not a pool, other layout, bad size or layout name
 *	EUCLEAN		damaged pool: nothing was changed
 *	ENOENT, EACCES	as open(2)
 *	EEXIST		create: file or pool is there; open: this process has it open
 *	EBUSY		other processes use the pool in a way that this one cannot join
 *	ENODEV		pobj: the module is not loaded, or no such region
 */

/*
 * Open an existing pool. @layout: NULL for any, else it must be equal. Recovers what a crash
 * left unfinished, if nobody has the pool open.
 */
PMEMobjpool *pmemobj_open(const char *path, const char *layout);

/*
 * Create a pool. @poolsize: bytes, PMEMOBJ_MIN_POOL at least, for a new file; 0 for an existing
 * file of that size whose first bytes are zero, and for a region, which is taken whole.
 * @mode: permission bits.
 */
PMEMobjpool *pmemobj_create(const char *path, const char *layout, size_t poolsize, mode_t mode);

/* End the use of a pool by this process. Ids and addresses into it are invalid then. */
void pmemobj_close(PMEMobjpool *pop);

/* 1: consistent; 0: not; -1: could not be checked (errno). The pool must not be open. */
int pmemobj_check(const char *path, const char *layout);

/* A pointer of the caller that goes with the open pool; volatile, NULL at open. */
void pmemobj_set_user_data(PMEMobjpool *pop, void *data);
void *pmemobj_get_user_data(PMEMobjpool *pop);

/*
 * The root object, created at first use, zeroed, and enlarged when @size is larger than before:
 * then it moves, the old contents are kept and what is added is zero. All or nothing, whenever
 * power fails; safe from several threads and processes. OID_NULL with errno ENOMEM or EINVAL.
 */
PMEMoid pmemobj_root(PMEMobjpool *pop, size_t size);

typedef int (*pmemobj_constr)(PMEMobjpool *pop, void *ptr, void *arg);

/*
 * The same; @constructor initialises the object (contents kept so far, then zeros) before it
 * becomes the root. If it returns non-zero nothing changes, and errno is ECANCELED.
 */
PMEMoid pmemobj_root_construct(PMEMobjpool *pop, size_t size, pmemobj_constr constructor,
			       void *arg);

/* Bytes asked for at the last pmemobj_root; 0 if there is no root. */
size_t pmemobj_root_size(PMEMobjpool *pop);

#ifdef __cplusplus
}
#endif

#endif
