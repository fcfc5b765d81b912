// SPDX-License-Identifier: BSD-3-Clause
/*
 * Looking at a pool without touching it. A file is mapped privately: pages are shared until
 * written. A device is read past the page cache, which knows nothing of stores through DAX
 * mappings, into anonymous memory: metadata only, and log chunks; data pages stay zero.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/backend.h"
#include "lib/core/line.h"
#include "lib/errormsg.h"
#include "lib/fd.h"
#include "lib/persist.h"
#include "lib/region.h"
#include "lib/snapshot.h"

#define READ_UNIT	(1UL << 20)

static int snapshot_map(struct pobj_snapshot *s, const char *path, int flags, int fd)
{
	s->media.base = mmap(NULL, s->media.size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_NORESERVE | flags, fd, 0);
	if (s->media.base == MAP_FAILED) {
		s->media.base = NULL;
		return pobj_err_sys(-errno, "%s: cannot be mapped", path);
	}
	pobj_persist_setup(&s->media, POBJ_MEDIUM_DRAM);
	return 0;
}

/* Copy from the mapped region, whose pages may be poisoned. As pread() returns. */
static ssize_t mapped_read(struct pobj_snapshot *s, u64 off, u64 len)
{
	const struct pobj_media from = { .base = s->mapped, .size = s->media.size };
	int err = s->media.read(&from, pobj_media_ptr(&s->media, off), off, len);

	if (!err)
		return (ssize_t)len;
	errno = -err;
	return -1;
}

/* Read [off, off + len) of the device to its place. */
static int device_read(struct pobj_snapshot *s, const char *path, u64 off, u64 len)
{
	u64 end = (off + len + 4095) & ~4095ULL, at = off & ~4095ULL;
	u64 unit;
	ssize_t n;

	while (at < end && at < s->media.size) {
		unit = end - at < READ_UNIT ? end - at : READ_UNIT;
		if (unit > s->media.size - at)
			unit = s->media.size - at;
		n = s->mapped ? mapped_read(s, at, unit) :
				pread(s->fd, pobj_media_ptr(&s->media, at), unit, (off_t)at);
		if (n <= 0)
			return pobj_err_sys(n ? -errno : -EIO,
					    "%s: cannot be read at offset 0x%llx", path,
					    (unsigned long long)at);
		at += (u64)n;
	}
	return 0;
}

/* What of a device a check reads: everything before the pages, and the log chunks among them. */
static int device_read_metadata(struct pobj_snapshot *s, const char *path, bool whole)
{
	const struct pobj_geom *g = &s->super.geom;
	struct pobj_line l;
	u64 page;
	int err;

	if (!whole)
		return device_read(s, path, 0, g->line_off);
	err = device_read(s, path, 0, g->data_off);
	for (page = 0; !err && page < g->page_cnt; page++) {
		if (!pobj_line_read(&s->media, g, page, &l) && l.kind == POBJ_M_LOG)
			err = device_read(s, path, pobj_geom_page(g, page),
					  pobj_geom_page_bytes(g));
	}
	return err;
}

/*
 * Who may not read the device may still attach the region. It can be mapped once it was recovered.
 */
static int region_map(struct pobj_snapshot *s, const char *path)
{
	struct pobj_place place;

	s->fd = pobj_region_attach(pobj_region_name(path), POBJ_ATTACH_RDONLY, &place);
	if (s->fd < 0)
		return s->fd;
	s->mapped = mmap(NULL, s->media.size, PROT_READ, MAP_SHARED, s->fd, POBJ_MMAP_DATA);
	if (s->mapped != MAP_FAILED)
		return 0;
	s->mapped = NULL;
	if (errno == EUCLEAN)
		return pobj_err(-EACCES,
				"%s: not recovered yet, and its device may not be read; run: pobjctl recover %s",
				path, path);
	return pobj_err_sys(-errno, "%s: cannot be mapped", path);
}

static int device_open(struct pobj_snapshot *s, const char *path)
{
	char device[64];
	int ctl, err;

	/* Without the module the devices can be looked at all the same. */
	ctl = pobj_ctl_open();
	err = pobj_place_find(ctl, pobj_region_name(path), &s->place);
	if (ctl >= 0)
		close(ctl);
	if (err)
		return err;
	s->on_region = true;
	s->media.size = s->place.region.bytes;
	pobj_place_path(&s->place, device);
	s->fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (s->fd < 0 && errno == EACCES && s->place.region.id)
		err = region_map(s, path);
	else if (s->fd < 0)
		err = pobj_err_sys(-errno, "%s: %s cannot be read", path, device);
	if (err)
		return err;
	err = snapshot_map(s, path, MAP_ANONYMOUS, -1);
	return err ? err : device_read(s, path, 0, POBJ_M_HEADER_END);
}

static int file_open(struct pobj_snapshot *s, const char *path)
{
	struct stat st;

	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st))
		return pobj_err_sys(-errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return pobj_err(-EMEDIUMTYPE, "%s: not a regular file%s", path,
				S_ISBLK(st.st_mode) ? "; name a device as pobj:DEVICE" : "");
	if (st.st_size < POBJ_M_HEADER_END)
		return pobj_err(-EMEDIUMTYPE, "%s: not a pobj pool: %lld bytes are too few", path,
				(long long)st.st_size);
	s->media.size = (u64)st.st_size;
	return snapshot_map(s, path, 0, s->fd);
}

int pobj_snapshot_take(struct pobj_snapshot *s, const char *path, bool whole)
{
	int err;

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	err = pobj_region_name(path) ? device_open(s, path) : file_open(s, path);
	if (!err) {
		err = pobj_super_load(&s->media, &s->super, &s->finding);
		if (err)
			pobj_err_finding(err, path, &s->finding);
	}
	if (!err && s->on_region)
		err = device_read_metadata(s, path, whole);
	if (err)
		pobj_snapshot_drop(s);
	return err;
}

void pobj_snapshot_drop(struct pobj_snapshot *s)
{
	int saved = errno;

	if (s->media.base)
		munmap(s->media.base, s->media.size);
	if (s->mapped)
		munmap(s->mapped, s->media.size);
	s->mapped = NULL;
	if (s->fd >= 0)
		pobj_fd_close(s->fd);
	s->media.base = NULL;
	s->fd = -1;
	errno = saved;
}
