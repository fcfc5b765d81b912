// SPDX-License-Identifier: BSD-3-Clause
/*
 * Finding regions. The kernel lists what is claimed; what is not is found in /sys/block, by
 * queue/dax, and by the superblocks the caller may read. A pool is known by its UUID: the number
 * in pmemN follows the order of probing and changes from boot to boot.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/backend.h"
#include "lib/errormsg.h"
#include "lib/place.h"
#include "pobj.h"

#define HEAD_BYTES	8192UL		/* holds both superblock copies */

int pobj_ctl_open(void)
{
	int fd = open("/dev/pobj", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		return pobj_err(-ENODEV,
				"/dev/pobj is not there, the module is not loaded; "
				"run: modprobe pobj");
	if (errno == EACCES)
		return pobj_err(-EACCES,
				"/dev/pobj: permission denied; join the group that owns it (pobj)");
	return pobj_err_sys(-errno, "/dev/pobj");
}

void pobj_place_path(const struct pobj_place *place, char path[64])
{
	snprintf(path, 64, "/dev/%.32s", (const char *)place->region.name);
}

/* ---- devices that nobody claimed --------------------------------------------------------- */

/* First line of /sys/block/NAME/FILE; false if there is none. */
static bool sys_read(const char *name, const char *file, char *buf, int bytes)
{
	char path[320];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/%s", name, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(buf, bytes, f);
	fclose(f);
	return ok;
}

/* A superblock reader over the first bytes of a device, which were read. */
struct head {
	struct pobj_media m;
	u8 *bytes;
};

static int head_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	const struct head *h = (const struct head *)m;

	if (off > HEAD_BYTES || len > HEAD_BYTES - off)
		return -EIO;
	memcpy(dst, h->bytes + off, len);
	return 0;
}

/* Read the superblock of an unclaimed device. Past the page cache, which may be stale. */
static void place_look_inside(struct pobj_place *place)
{
	struct head h = { .m = { .read = head_read } };
	struct pobj_super *s;
	char path[64];
	int fd;

	pobj_place_path(place, path);
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	place->unreadable = fd < 0;
	if (fd < 0)
		return;
	s = malloc(sizeof(*s));
	h.bytes = aligned_alloc(4096, HEAD_BYTES);
	h.m.size = place->region.bytes;
	if (!s || !h.bytes || pread(fd, h.bytes, HEAD_BYTES, 0) != (ssize_t)HEAD_BYTES) {
		place->unreadable = true;
	} else if (pobj_super_load(&h.m, s, NULL)) {
		place->damaged = pobj_super_present(&h.m);
	} else {
		memcpy(place->region.uuid, s->uuid, sizeof(s->uuid));
		place->region.flags |= POBJ_REGION_POOL;
		place->region.uid = s->uid;
		place->region.gid = s->gid;
		place->region.mode = s->mode;
	}
	free(h.bytes);
	free(s);
	close(fd);
}

/* Describe the block device @name; false if it is not one with DAX. */
static bool place_from_device(const char *name, struct pobj_place *place)
{
	char buf[64];

	memset(place, 0, sizeof(*place));
	if (strlen(name) >= sizeof(place->region.name) || strchr(name, '/') ||
	    !sys_read(name, "queue/dax", buf, sizeof(buf)) || atoi(buf) != 1)
		return false;
	memcpy(place->region.name, name, strlen(name));
	place->region.node = -1;
	if (sys_read(name, "device/numa_node", buf, sizeof(buf)))
		place->region.node = atoi(buf);
	if (sys_read(name, "size", buf, sizeof(buf)))
		place->region.bytes = strtoull(buf, NULL, 10) * 512;
	place_look_inside(place);
	return true;
}

/* ---- regions ----------------------------------------------------------------------------- */

static struct pobj_region *regions_read(int ctl, u32 *cnt)
{
	struct pobj_ioc_list list = { .size = sizeof(list), .region_bytes =
				      sizeof(struct pobj_region) };
	struct pobj_region *regions = NULL, *more;

	do {
		list.cnt = list.out_cnt + 8;
		more = realloc(regions, list.cnt * sizeof(*regions));
		if (!more) {
			free(regions);
			pobj_err_sys(-ENOMEM, "list of regions");
			return NULL;
		}
		regions = more;
		list.regions = (uintptr_t)regions;
		if (ioctl(ctl, POBJ_IOC_LIST, &list)) {
			pobj_err_sys(-errno, "/dev/pobj: list of regions");
			free(regions);
			return NULL;
		}
	} while (list.out_cnt > list.cnt);
	*cnt = list.out_cnt;
	return regions;
}

/* A dead region has no device: what bears its name came back, or is another one. */
static bool is_claimed(const struct pobj_region *regions, u32 cnt, const char *name)
{
	u32 i;

	for (i = 0; i < cnt; i++) {
		if (!(regions[i].flags & POBJ_REGION_DEAD) &&
		    !strcmp((const char *)regions[i].name, name))
			return true;
	}
	return false;
}

int pobj_place_each(int ctl, int (*each)(const struct pobj_place *place, void *arg), void *arg)
{
	struct pobj_region *regions = NULL;
	struct pobj_place place;
	struct dirent *e;
	u32 i, cnt = 0;
	int ret = 0;
	DIR *d;

	if (ctl >= 0) {
		regions = regions_read(ctl, &cnt);
		if (!regions)
			return -errno;
	}
	for (i = 0; i < cnt && !ret; i++) {
		memset(&place, 0, sizeof(place));
		place.region = regions[i];
		place.damaged = regions[i].flags & POBJ_REGION_DAMAGED;
		ret = each(&place, arg);
	}
	d = opendir("/sys/block");
	while (!ret && d && (e = readdir(d))) {
		if (e->d_name[0] != '.' && !is_claimed(regions, cnt, e->d_name) &&
		    place_from_device(e->d_name, &place))
			ret = each(&place, arg);
	}
	if (d)
		closedir(d);
	free(regions);
	return ret;
}

/* ---- by name ----------------------------------------------------------------------------- */

struct search {
	const char *name;
	u8 uuid[16];
	bool by_uuid;
	u32 hits;
	struct pobj_place *place;
};

static int search_one(const struct pobj_place *place, void *arg)
{
	struct search *s = arg;
	bool hit;

	if (s->by_uuid)
		hit = (place->region.flags & POBJ_REGION_POOL) &&
		      !memcmp(place->region.uuid, s->uuid, sizeof(s->uuid));
	else
		hit = !strcmp((const char *)place->region.name, s->name);
	if (!hit)
		return 0;
	/* A dead region counts if there is no other, as in the module. */
	if (!s->hits || !(place->region.flags & POBJ_REGION_DEAD)) {
		s->hits += !s->hits || !(s->place->region.flags & POBJ_REGION_DEAD);
		*s->place = *place;
	}
	return 0;
}

/* Why the device called @name is no place. */
static int no_such_place(const char *name)
{
	char buf[64], path[320];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/%s", name);
	if (strlen(name) < 64 && stat(path, &st))
		return pobj_err(-ENODEV,
				"pobj:%s: no pool with this UUID and no block device of this name; run: pobjctl list",
				name);
	if (sys_read(name, "queue/dax", buf, sizeof(buf)) && atoi(buf) == 0)
		return pobj_err(-EOPNOTSUPP,
				"pobj:%s: the device has no DAX; if it is an NVDIMM namespace, make it fsdax (this erases it): ndctl list -N, then ndctl create-namespace -f -e NAMESPACE -m fsdax",
				name);
	return pobj_err(-ENODEV, "pobj:%s: not a block device with DAX; run: pobjctl list", name);
}

int pobj_place_find(int ctl, const char *name, struct pobj_place *place)
{
	struct search s = { .place = place };
	int err;

	if (!strncmp(name, "/dev/", 5))
		name += 5;
	s.name = name;
	s.by_uuid = pobj_uuid_parse(name, s.uuid);
	err = pobj_place_each(ctl, search_one, &s);
	if (err)
		return err;
	if (!s.hits)
		return no_such_place(name);
	if (s.hits > 1)
		return pobj_err(-ENOTUNIQ,
				"pobj:%s: %u devices hold a pool with this UUID (copies); name the device instead",
				name, s.hits);
	return 0;
}

int pobj_place_claim(int ctl, struct pobj_place *place)
{
	struct pobj_ioc_claim claim = { .size = sizeof(claim) };
	char path[64];
	int fd, err;

	pobj_place_path(place, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return pobj_err_sys(-errno, "%s: to claim a device it must be opened for writing",
				    path);
	claim.fd = fd;
	err = ioctl(ctl, POBJ_IOC_CLAIM, &claim) ? -errno : 0;
	close(fd);
	switch (err) {
	case 0:
		place->region.id = claim.out_id;
		return 0;
	case -EBUSY:
		return pobj_err(err, "%s: the device is mounted or otherwise in use", path);
	case -EOPNOTSUPP:
		return pobj_err(err,
				"%s: the device has no DAX; if it is an NVDIMM namespace, make it fsdax (this erases it): ndctl create-namespace -f -e NAMESPACE -m fsdax",
				path);
	default:
		return pobj_err_sys(err, "%s: cannot be claimed", path);
	}
}

/* ---- API --------------------------------------------------------------------------------- */

int pobj_region_claim(const char *name)
{
	const char *region = pobj_region_name(name);
	struct pobj_place place;
	int ctl, err;

	ctl = pobj_ctl_open();
	if (ctl < 0)
		return ctl;
	err = pobj_place_find(ctl, region ? region : name, &place);
	if (!err && place.region.id)
		err = pobj_err(-EBUSY, "%s: claimed already", name);
	else if (!err)
		err = pobj_place_claim(ctl, &place);
	close(ctl);
	return err;
}

int pobj_region_release(const char *name)
{
	struct pobj_ioc_release release = { .size = sizeof(release) };
	const char *region = pobj_region_name(name);
	struct pobj_place place;
	int ctl, err;

	ctl = pobj_ctl_open();
	if (ctl < 0)
		return ctl;
	err = pobj_place_find(ctl, region ? region : name, &place);
	if (!err && !place.region.id)
		err = pobj_err(-ENOENT, "%s: not claimed", name);
	if (!err) {
		release.id = place.region.id;
		err = ioctl(ctl, POBJ_IOC_RELEASE, &release) ? -errno : 0;
		if (err == -EBUSY)
			pobj_err(err, "%s: processes are attached", name);
		else if (err == -EPERM)
			pobj_err(err, "%s: only its owner or root can release a region", name);
		else if (err)
			pobj_err_sys(err, "%s: cannot be released", name);
	}
	close(ctl);
	return err;
}
