// SPDX-License-Identifier: BSD-3-Clause
/*
 * Open, create and close: the same steps for every backend, in the order of backend.h.
 *
 * Lock order: registry lock (this process) -> what the backend holds against other processes
 * while opening. Both may wait; operations on an open pool take neither.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/backend.h"
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "lib/registry.h"
#include "lib/session.h"
#include "lib/sidecar.h"
#include "libpmemobj/pool_base.h"

/* ---- address space ----------------------------------------------------------------------- */

/*
 * Reserve addresses for handle and pool and move the handle there. @p was allocated; the new
 * place is returned, or NULL.
 */
static struct pobj_pool *pool_settle(struct pobj_pool *p)
{
	struct pobj_pool *at;
	uintptr_t base;
	char *reserve;
	size_t bytes;

	/* The pool's size in whole 2 MiB, one unit to align, one to hold the handle. */
	bytes = (p->media.size + POBJ_MAP_ALIGN - 1) / POBJ_MAP_ALIGN * POBJ_MAP_ALIGN +
		2 * POBJ_MAP_ALIGN;
	reserve = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserve == MAP_FAILED) {
		pobj_err_sys(-errno, "%s: no room in the address space for %zu bytes", p->path,
			     bytes);
		return NULL;
	}
	base = ((uintptr_t)reserve + POBJ_HANDLE_BYTES + POBJ_MAP_ALIGN - 1) / POBJ_MAP_ALIGN *
	       POBJ_MAP_ALIGN;
	at = (struct pobj_pool *)(base - POBJ_HANDLE_BYTES);
	if (mprotect(at, POBJ_HANDLE_BYTES, PROT_READ | PROT_WRITE) ||
	    madvise(at, POBJ_HANDLE_BYTES, MADV_WIPEONFORK)) {
		pobj_err_sys(-errno, "%s: no memory for the handle", p->path);
		munmap(reserve, bytes);
		return NULL;
	}
	p->reserve = reserve;
	p->reserve_bytes = bytes;
	p->media.base = (void *)base;
	memcpy(at, p, sizeof(*p));
	free(p);
	return at;
}

/* Close what is open of @p, settled or not, and free it. errno and message stay. */
static void pool_drop(struct pobj_pool *p)
{
	int saved = errno;

	pobj_heap_detach(p);
	pobj_session_end(p);
	p->backend->close(p);
	if (p->reserve)
		munmap(p->reserve, p->reserve_bytes);
	else
		free(p);
	errno = saved;
}

/* ---- the steps --------------------------------------------------------------------------- */

static int same_file(struct pobj_pool *p, const void *arg)
{
	const struct pobj_pool *other = arg;

	return p->ino && p->dev == other->dev && p->ino == other->ino;
}

int pobj_pool_not_open(dev_t dev, ino_t ino, const char *path)
{
	struct pobj_pool other = { .dev = dev, .ino = ino };

	if (!pobj_registry_each(same_file, &other))
		return 0;
	return pobj_err(-EEXIST, "%s: this process has the pool open already", path);
}

int pobj_pool_format_mapped(struct pobj_pool *p, const struct pobj_wish *create,
			    int (*map)(struct pobj_pool *p))
{
	struct pobj_format_args a = { .layout = create->layout, .mode = create->mode };
	int err;

	err = pobj_geom_make(&a.geom, p->media.size, 0, 0, POBJ_EXT_CNT);
	if (err)
		return pobj_err(err, "%s: no pool can be made of %llu bytes", p->path,
				(unsigned long long)p->media.size);
	err = pobj_uuid_make(a.uuid);
	if (err)
		return err;
	a.ctime = (u64)time(NULL);
	a.uid = (u32)geteuid();
	a.gid = (u32)getegid();
	a.zeroed = create->size != 0;
	err = map(p);
	if (!err)
		err = pobj_super_format(&p->media, &a);
	return err ? pobj_err_sys(err, "%s: cannot write the new pool", p->path) : 0;
}

/* Load the superblock that was made consistent and hold it against what the caller expects. */
static int pool_identify(struct pobj_pool *p, const char *layout, bool created)
{
	struct pobj_finding f;
	int err;

	err = pobj_super_load(&p->media, &p->super, &f);
	/* A new pool with another tag: on a region it is the module that formats. */
	if (err && created && f.diag == POBJ_DIAG_BUILD)
		return pobj_err(err,
				"%s: module and library are of different builds; load the module of this one",
				p->path);
	if (err)
		return pobj_err_finding(err, p->path, &f);
	if (layout && strcmp(layout, pobj_super_layout(&p->super)))
		return pobj_err(-EINVAL, "%s: layout is \"%s\", not \"%s\"", p->path,
				pobj_super_layout(&p->super), layout);
	p->uuid_lo = pobj_super_uuid_lo(&p->super);
	return 0;
}

static struct pobj_pool *pool_new(const char *path)
{
	struct pobj_pool *p;

	if (strlen(path) >= sizeof(p->path)) {
		pobj_err(-ENAMETOOLONG, "path of %zu bytes is too long", strlen(path));
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (!p) {
		pobj_err_sys(-ENOMEM, "%s", path);
		return NULL;
	}
	memcpy(p->path, path, strlen(path) + 1);
	p->backend = pobj_backend_for(path);
	p->fd = -1;
	p->lock_fd = -1;
	return p;
}

/* Everything from a path to an open pool; @create is NULL for open. Under the registry lock. */
static struct pobj_pool *pool_open(const char *path, const char *layout,
				   const struct pobj_wish *create)
{
	struct pobj_pool *p, *settled;
	int err;

	p = pool_new(path);
	if (!p)
		return NULL;
	err = p->backend->open(p, create);
	if (err)
		goto fail;
	settled = pool_settle(p);
	if (!settled)
		goto fail;
	p = settled;
	if (create)
		err = p->backend->format(p, create);
	if (!err)
		err = p->backend->map(p);
	if (!err)
		err = pool_identify(p, layout, create);
	if (!err)
		err = p->backend->sidecar(p);
	if (!err)
		err = pobj_sidecar_join(p->sidecar, &p->super, p->path);
	if (!err)
		err = pobj_heap_attach(p);
	if (!err)
		err = pobj_session_begin(p);
	if (!err)
		err = p->backend->ready(p);
	if (err)
		goto fail;
	err = pobj_registry_add(p);
	if (!err)
		return p;
fail:
	err = errno;
	if (create)
		p->backend->discard(p);
	errno = err;
	pool_drop(p);
	return NULL;
}

/* libpmemobj's errno for what has none there. */
static void errno_as_documented(void)
{
	if (errno == EMEDIUMTYPE)
		errno = EINVAL;
}

/* ---- API --------------------------------------------------------------------------------- */

PMEMobjpool *pmemobj_open(const char *path, const char *layout)
{
	struct pobj_pool *p;

	if (!path) {
		pobj_err(-EINVAL, "no path given");
		return NULL;
	}
	pobj_registry_lock();
	p = pool_open(path, layout, NULL);
	pobj_registry_unlock();
	if (p)
		return pobj_pool_pop(p);
	errno_as_documented();
	return NULL;
}

PMEMobjpool *pmemobj_create(const char *path, const char *layout, size_t poolsize, mode_t mode)
{
	struct pobj_wish create = { .layout = layout ? layout : "", .size = poolsize,
				    .mode = mode };
	struct pobj_pool *p;

	if (!path) {
		pobj_err(-EINVAL, "no path given");
		return NULL;
	}
	if (strlen(create.layout) >= PMEMOBJ_MAX_LAYOUT) {
		pobj_err(-EINVAL, "%s: layout name has more than %zu bytes", path,
			 PMEMOBJ_MAX_LAYOUT - 1);
		return NULL;
	}
	if (poolsize && poolsize < PMEMOBJ_MIN_POOL) {
		pobj_err(-EINVAL, "%s: pool size %zu is below the minimum of %zu bytes", path,
			 poolsize, PMEMOBJ_MIN_POOL);
		return NULL;
	}
	if (poolsize > INT64_MAX) {
		pobj_err(-EFBIG, "%s: pool size %zu is impossible", path, poolsize);
		return NULL;
	}
	pobj_registry_lock();
	p = pool_open(path, create.layout, &create);
	pobj_registry_unlock();
	if (p)
		return pobj_pool_pop(p);
	errno_as_documented();
	return NULL;
}

void pmemobj_close(PMEMobjpool *pop)
{
	struct pobj_pool *p;

	pobj_registry_lock();
	p = pobj_pool_of(pop);
	if (p) {
		pobj_registry_remove(p);
		pobj_fence(&p->media);
		pool_drop(p);
	}
	pobj_registry_unlock();
}

void pmemobj_set_user_data(PMEMobjpool *pop, void *data)
{
	pobj_pool_raw(pop)->user_data = data;
}

void *pmemobj_get_user_data(PMEMobjpool *pop)
{
	return pobj_pool_raw(pop)->user_data;
}

const char *pmemobj_check_version(unsigned int major_required, unsigned int minor_required)
{
	if (major_required != PMEMOBJ_MAJOR_VERSION) {
		pobj_err(-EINVAL, "libpmemobj major version mismatch (need %u, found %u)",
			 major_required, PMEMOBJ_MAJOR_VERSION);
		return pmemobj_errormsg();
	}
	if (minor_required > PMEMOBJ_MINOR_VERSION) {
		pobj_err(-EINVAL, "libpmemobj minor version mismatch (need %u, found %u)",
			 minor_required, PMEMOBJ_MINOR_VERSION);
		return pmemobj_errormsg();
	}
	return NULL;
}
