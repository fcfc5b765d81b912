// SPDX-License-Identifier: BSD-3-Clause
/*
 * Pools on regions. The kernel does most of what file.c does with locks: it knows who is attached,
 * recovers before it lets anybody map, and makes the sidecar. What is left is to find the region,
 * claim its device where nobody did, and map.
 *
 * Who of the attached lives, one asks the other by record locks (session.c) on the region file.
 * All anonymous files of the system share its inode, and so the bytes: LOCK_SLOT is a place where
 * nobody else locks by chance, and each region has its own part there, by its number. Who locks
 * there on purpose, by an anonymous file of his own, can keep pools from being opened and the dead
 * from being reaped; he cannot make a living session look dead.
 */
#include <blkid/blkid.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/backend.h"
#include "lib/core/side.h"
#include "lib/errormsg.h"
#include "lib/fd.h"
#include "lib/region.h"

#define LOCK_SLOT	(1ULL << 61)	/* on the region file: slots of region 0, of 1, ... */

const char *pobj_region_name(const char *path)
{
	return strncmp(path, "pobj:", 5) ? NULL : path + 5;
}

const struct pobj_backend *pobj_backend_for(const char *path)
{
	return pobj_region_name(path) ? &pobj_backend_region : &pobj_backend_file;
}

/* ---- ioctls ------------------------------------------------------------------------------ */

static int region_attach_id(int ctl, const char *name, u32 flags, u64 id)
{
	struct pobj_ioc_attach attach = { .size = sizeof(attach), .flags = flags, .id = id };
	int err;

	pobj_fork_block();
	err = ioctl(ctl, POBJ_IOC_ATTACH, &attach) ? -errno : 0;
	if (!err)
		pobj_fd_keep(attach.out_fd);
	pobj_fork_allow();
	errno = -err;
	if (!err)
		return attach.out_fd;
	if (errno == EACCES)
		return pobj_err(-EACCES,
				"pobj:%s: the region's owner and mode do not let you in; see: pobjctl info pobj:%s",
				name, name);
	return pobj_err_sys(-errno, "pobj:%s: cannot be attached", name);
}

int pobj_region_attach(const char *name, u32 flags, struct pobj_place *place)
{
	int ctl, fd;

	ctl = pobj_ctl_open();
	if (ctl < 0)
		return ctl;
	fd = pobj_place_find(ctl, name, place);
	if (!fd && !place->region.id)
		fd = pobj_place_claim(ctl, place);
	if (fd == -EBUSY)	/* somebody else may have been quicker to claim it */
		fd = pobj_place_find(ctl, name, place);
	if (!fd && !place->region.id)
		fd = pobj_err(-EBUSY, "pobj:%s: the device is mounted or otherwise in use", name);
	if (!fd)
		fd = region_attach_id(ctl, name, flags, place->region.id);
	close(ctl);
	return fd;
}

int pobj_region_recover(int fd, const char *what, struct pobj_ioc_recover *r)
{
	struct pobj_finding f;
	int err;

	memset(r, 0, sizeof(*r));
	r->size = sizeof(*r);
	do {
		err = ioctl(fd, POBJ_IOC_RECOVER, r) ? -errno : 0;
	} while (err == -EINTR);
	if (!err)
		return 0;
	if (err == -EMEDIUMTYPE && r->out_diag == POBJ_DIAG_NONE)
		r->out_diag = POBJ_DIAG_NOT_A_POOL;
	if (r->out_diag == POBJ_DIAG_NONE)
		return pobj_err_sys(err, "%s: recovery", what);
	pobj_found(&f, 0, r->out_diag, r->out_diag_off, r->out_diag_found, r->out_diag_expected);
	return pobj_err_finding(err, what, &f);
}

int pobj_region_query(int fd, const char *what, struct pobj_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return ioctl(fd, POBJ_IOC_INFO, info) ? pobj_err_sys(-errno, "%s: query", what) : 0;
}

/* ---- backend ----------------------------------------------------------------------------- */

/* Refuse a device on which anything is known to live: libblkid knows more than we ever shall. */
static int refuse_signature(const char *path, const char *device)
{
	const char *type = NULL;
	blkid_probe probe;
	int err = 0, ret;

	probe = blkid_new_probe_from_filename(device);
	if (!probe)
		return pobj_err_sys(-errno, "%s: %s cannot be probed for signatures", path, device);
	blkid_probe_enable_partitions(probe, 1);
	ret = blkid_do_safeprobe(probe);
	if (ret == 0 || ret == -2) {
		if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL))
			blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL);
		err = pobj_err(-EEXIST,
			       "%s: %s holds a signature (%s); if its contents are of no use, wipe it first: wipefs -a %s",
			       path, device, type ? type : "more than one", device);
	} else if (ret < 0) {
		err = pobj_err(-EIO, "%s: %s cannot be probed for signatures", path, device);
	}
	blkid_free_probe(probe);
	return err;
}

static int region_open(struct pobj_pool *p, const struct pobj_wish *create)
{
	const char *name = pobj_region_name(p->path);
	struct pobj_place place;
	struct pobj_ioc_info info;
	char device[64];
	int err;

	if (create && create->size)
		return pobj_err(-EINVAL, "%s: a region is taken whole; pass 0 as pool size",
				p->path);
	p->fd = pobj_region_attach(name, 0, &place);
	if (p->fd < 0)
		return p->fd;
	err = pobj_region_query(p->fd, p->path, &info);
	if (err)
		return err;
	if (create) {
		pobj_place_path(&place, device);
		err = refuse_signature(p->path, device);
		if (err)
			return err;
	}
	p->media.size = info.out_region.bytes;
	return 0;
}

static int region_format(struct pobj_pool *p, const struct pobj_wish *create)
{
	struct pobj_ioc_format f = { .size = sizeof(f), .mode = create->mode };
	int err;

	err = pobj_uuid_make(f.uuid);
	if (err)
		return err;
	memcpy(f.layout, create->layout, strlen(create->layout));
	if (!ioctl(p->fd, POBJ_IOC_FORMAT, &f))
		return 0;
	err = -errno;
	if (err == -EEXIST)
		return pobj_err(err,
				"%s: a pool is there; open it, or wipe it first: dd if=/dev/zero of=/dev/DEVICE bs=8K count=1",
				p->path);
	if (err == -EBUSY)
		return pobj_err(err, "%s: other processes are attached", p->path);
	return pobj_err_sys(err, "%s: cannot be formatted", p->path);
}

static int region_map(struct pobj_pool *p)
{
	struct pobj_ioc_recover r;
	struct pobj_ioc_info info;
	int err, sync;

	err = pobj_region_recover(p->fd, p->path, &r);
	if (!err)
		err = pobj_region_query(p->fd, p->path, &info);
	if (err)
		return err;
	sync = info.out_region.flags & POBJ_REGION_SYNC;
	if (mmap(p->media.base, p->media.size, PROT_READ | PROT_WRITE,
		 MAP_SHARED_VALIDATE | MAP_FIXED | (sync ? MAP_SYNC : 0), p->fd,
		 POBJ_MMAP_DATA) == MAP_FAILED)
		return pobj_err_sys(-errno, "%s: cannot be mapped", p->path);
	if (!sync)
		pobj_persist_setup(&p->media, POBJ_MEDIUM_PAGES);
	else if (info.out_region.flags & POBJ_REGION_CACHED)
		pobj_persist_setup(&p->media, POBJ_MEDIUM_CACHED);
	else
		pobj_persist_setup(&p->media, POBJ_MEDIUM_EADR);
	return 0;
}

static int region_sidecar(struct pobj_pool *p)
{
	struct pobj_ioc_info info;
	void *at;
	int err;

	err = pobj_region_query(p->fd, p->path, &info);
	if (err)
		return err;
	if (info.out_sidecar_bytes < pobj_geom_sidecar_bytes(&p->super.geom))
		return pobj_err(-EPROTO, "%s: module and library do not fit together", p->path);
	p->sidecar_bytes = info.out_sidecar_bytes;
	at = mmap(NULL, p->sidecar_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd,
		  (off_t)POBJ_MMAP_SIDECAR);
	if (at == MAP_FAILED)
		return pobj_err_sys(-errno, "%s: its sidecar cannot be mapped", p->path);
	p->sidecar = at;
	p->lock_fd = p->fd;
	p->lock_cmd = F_OFD_SETLK;
	p->lock_base = LOCK_SLOT + info.out_region.id * POBJ_SESSION_SLOTS;
	return 0;
}

static int region_ready(struct pobj_pool *p)
{
	(void)p;
	return 0;
}

static void region_close(struct pobj_pool *p)
{
	struct pobj_ioc_detach detach = { .size = sizeof(detach) };

	if (p->fd < 0)
		return;
	if (p->sidecar)
		munmap(p->sidecar, p->sidecar_bytes);
	/* Detaching wants nothing mapped; the reserved range stays until the handle goes. */
	if (p->media.base)
		mmap(p->media.base, p->media.size, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	ioctl(p->fd, POBJ_IOC_DETACH, &detach);
	pobj_fd_close(p->fd);
	p->fd = -1;
	p->lock_fd = -1;
	p->sidecar = NULL;
}

static void region_discard(struct pobj_pool *p)
{
	(void)p;	/* the claim stays: it is no harm, and others may have joined it */
}

const struct pobj_backend pobj_backend_region = {
	.name = "region",
	.open = region_open,
	.format = region_format,
	.map = region_map,
	.sidecar = region_sidecar,
	.ready = region_ready,
	.close = region_close,
	.discard = region_discard,
};
