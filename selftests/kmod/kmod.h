/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * What the tests of the module share: the devices of the guest, the ioctls, a pool to work on.
 *
 * The tests are written from include/uapi/linux/pobj.h, not from the module. A device is found by
 * its NUMA node, never by the number in pmemN, which changes from boot to boot. A test that dies
 * leaves claims, poison and unbound devices behind: t_reset(), the first step of each test, puts
 * all back, so programs and tests run in any order.
 *
 * Functions return 0 or more, or -errno. child.h has processes, fault.h access that may fail,
 * image.h what is on the medium.
 */
#ifndef POBJ_SELFTESTS_KMOD_H
#define POBJ_SELFTESTS_KMOD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/pobj.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

/* The harness calls tests under setjmp(); after a longjmp() it looks at none of their variables. */
#pragma GCC diagnostic ignored "-Wclobbered"

#define T_PAGE		4096ULL
#define T_HUGE		(2ULL << 20)
#define T_ALICE		1000
#define T_BOB		1001
#define T_GROUP		900
#define T_RW		(PROT_READ | PROT_WRITE)

#ifndef MAP_SYNC
#define MAP_SYNC	0x80000
#endif

/* ---- small things ------------------------------------------------------------------------- */

static inline void t_sleep_ms(long ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static inline long t_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The first line of a file, without its newline. */
static inline int t_read(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, len - 1);
	n = n < 0 ? -errno : n;
	close(fd);
	if (n < 0)
		return n;
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return n;
}

/* The number in a file; @otherwise if there is none. */
static inline long long t_number(const char *path, long long otherwise)
{
	char buf[64];

	return t_read(path, buf, sizeof(buf)) > 0 ? strtoll(buf, NULL, 0) : otherwise;
}

static inline int t_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static inline void t_uuid(__u8 uuid[16])
{
	if (getrandom(uuid, 16, 0) != 16)
		abort();
	uuid[0] |= 1;
}

/* ---- devices ------------------------------------------------------------------------------ */

/**
 * struct t_dev - a block device with DAX
 * @name: of this boot, pmem0
 * @path: its node in /dev
 * @nd: its name on the nd bus, pfn0.0
 * @node: NUMA node, -1 if the platform does not say
 * @rdev: device number
 * @bytes: size
 * @phys: physical address of its first byte, 0 if not known
 */
struct t_dev {
	char name[32];
	char path[64];
	char nd[64];
	int node;
	dev_t rdev;
	__u64 bytes;
	__u64 phys;
};

#define T_ND	"/sys/bus/nd/devices"
#define T_PMEM	"/sys/bus/nd/drivers/nd_pmem"

static inline int t_dev_fill(struct t_dev *d, const char *name)
{
	char path[PATH_MAX], link[PATH_MAX];
	struct stat st;
	ssize_t n;

	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%.31s", name);
	snprintf(d->path, sizeof(d->path), "/dev/%s", d->name);
	snprintf(path, sizeof(path), "/sys/block/%s/queue/dax", d->name);
	if (t_number(path, 0) != 1)
		return -ENOTSUP;
	snprintf(path, sizeof(path), "/sys/block/%s/device", d->name);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = 0;
	snprintf(d->nd, sizeof(d->nd), "%.63s", strrchr(link, '/') + 1);
	snprintf(path, sizeof(path), "/sys/block/%s/device/numa_node", d->name);
	d->node = t_number(path, -1);
	snprintf(path, sizeof(path), "/sys/block/%s/device/resource", d->name);
	d->phys = t_number(path, 0);
	snprintf(path, sizeof(path), "/sys/block/%s/size", d->name);
	d->bytes = t_number(path, 0) * 512;
	if (stat(d->path, &st))
		return -errno;
	d->rdev = st.st_rdev;
	return 0;
}

static inline int t_block_dir(DIR **dir, const char *path, const char *prefix, char name[32])
{
	struct dirent *e;

	if (!*dir)
		*dir = opendir(path);
	while (*dir) {
		e = readdir(*dir);
		if (!e) {
			closedir(*dir);
			*dir = NULL;
			break;
		}
		if (!strncmp(e->d_name, prefix, strlen(prefix))) {
			snprintf(name, 32, "%.31s", e->d_name);
			return 1;
		}
	}
	return 0;
}

/* The device of a NUMA node, which is not virtio-pmem's. */
static inline int t_dev_find(struct t_dev *d, int node)
{
	DIR *dir = NULL;
	char name[32];

	while (t_block_dir(&dir, "/sys/block", "pmem", name)) {
		if (t_dev_fill(d, name) || d->node != node || strncmp(d->nd, "pfn", 3))
			continue;
		closedir(dir);
		return 0;
	}
	return -ENODEV;
}

/* Take the driver away from a device. Waits for what is pinned. */
static inline int t_dev_unbind(const struct t_dev *d)
{
	return t_write(T_PMEM "/unbind", d->nd);
}

static inline int t_dev_bind(struct t_dev *d)
{
	int ret = t_write(T_PMEM "/bind", d->nd), node = d->node, i;

	for (i = 0; !ret && i < 50; i++) {
		if (!t_dev_find(d, node))
			return 0;
		t_sleep_ms(100);
	}
	return ret ? ret : -ETIMEDOUT;
}

/* ---- ioctls ------------------------------------------------------------------------------- */

static inline int t_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static inline int t_ctl(void)
{
	int fd = open("/dev/pobj", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int t_claim_fd(int ctl, int fd, __u64 *id)
{
	struct pobj_ioc_claim c = { .size = sizeof(c), .fd = fd };
	int ret = t_ioctl(ctl, POBJ_IOC_CLAIM, &c);

	if (id)
		*id = c.out_id;
	return ret;
}

static inline int t_claim_dev(int ctl, dev_t dev, __u64 *id)
{
	struct pobj_ioc_claim c = { .size = sizeof(c), .fd = -1, .dev = dev };
	int ret = t_ioctl(ctl, POBJ_IOC_CLAIM, &c);

	if (id)
		*id = c.out_id;
	return ret;
}

static inline int t_claim(int ctl, const struct t_dev *d, __u64 *id)
{
	int fd = open(d->path, O_RDWR | O_CLOEXEC), ret;

	*id = 0;
	if (fd < 0)
		return -errno;
	ret = t_claim_fd(ctl, fd, id);
	close(fd);
	return ret;
}

static inline int t_release(int ctl, __u64 id)
{
	struct pobj_ioc_release r = { .size = sizeof(r), .id = id };

	return t_ioctl(ctl, POBJ_IOC_RELEASE, &r);
}

/* How many regions there are, the first @cnt stored. */
static inline int t_list(int ctl, struct pobj_region *r, __u32 cnt)
{
	struct pobj_ioc_list l = { .size = sizeof(l), .regions = (uintptr_t)r,
				   .region_bytes = sizeof(*r), .cnt = cnt };
	int ret = t_ioctl(ctl, POBJ_IOC_LIST, &l);

	return ret ? ret : (int)l.out_cnt;
}

static inline int t_region(int ctl, __u64 id, struct pobj_region *r)
{
	struct pobj_region all[64];
	int cnt = t_list(ctl, all, 64), i;

	for (i = 0; i < cnt && i < 64; i++) {
		if (all[i].id != id)
			continue;
		*r = all[i];
		return 0;
	}
	return cnt < 0 ? cnt : -ENOENT;
}

/* Wait until the region has @want sessions; how many it has then. */
static inline int t_sessions(int ctl, __u64 id, __u32 want)
{
	long end = t_now_ms() + 5000;
	struct pobj_region r;
	int ret;

	do {
		ret = t_region(ctl, id, &r);
		if (ret || r.sessions == want)
			break;
		t_sleep_ms(10);
	} while (t_now_ms() < end);
	return ret ? ret : (int)r.sessions;
}

/* A region file. */
static inline int t_attach(int ctl, __u64 id, __u32 flags, __u64 *session)
{
	struct pobj_ioc_attach a = { .size = sizeof(a), .flags = flags, .id = id, .out_fd = -1 };
	int ret = t_ioctl(ctl, POBJ_IOC_ATTACH, &a);

	if (session)
		*session = a.out_session;
	return ret ? ret : a.out_fd;
}

static inline int t_attach_uuid(int ctl, const __u8 uuid[16], __u32 flags)
{
	struct pobj_ioc_attach a = { .size = sizeof(a), .flags = flags, .out_fd = -1 };
	int ret;

	memcpy(a.uuid, uuid, 16);
	ret = t_ioctl(ctl, POBJ_IOC_ATTACH, &a);
	return ret ? ret : a.out_fd;
}

static inline int t_detach(int fd)
{
	struct pobj_ioc_detach d = { .size = sizeof(d) };

	return t_ioctl(fd, POBJ_IOC_DETACH, &d);
}

static inline int t_info(int fd, struct pobj_ioc_info *i)
{
	memset(i, 0, sizeof(*i));
	i->size = sizeof(*i);
	return t_ioctl(fd, POBJ_IOC_INFO, i);
}

static inline int t_recover(int fd, struct pobj_ioc_recover *r)
{
	struct pobj_ioc_recover own;

	if (!r)
		r = &own;
	memset(r, 0, sizeof(*r));
	r->size = sizeof(*r);
	return t_ioctl(fd, POBJ_IOC_RECOVER, r);
}

/* A request to format, for the test to change. */
static inline void t_format_init(struct pobj_ioc_format *f, const __u8 uuid[16], __u32 flags)
{
	memset(f, 0, sizeof(*f));
	f->size = sizeof(*f);
	f->flags = flags;
	f->mode = 0600;
	memcpy(f->uuid, uuid, 16);
	strcpy((char *)f->layout, "kmod");
}

static inline int t_format(int fd, const __u8 uuid[16], __u32 flags)
{
	struct pobj_ioc_format f;

	t_format_init(&f, uuid, flags);
	return t_ioctl(fd, POBJ_IOC_FORMAT, &f);
}

/* ---- mappings ----------------------------------------------------------------------------- */

/* Mappings of this process, so that t_pool_drop() can end its session. */
static struct t_mapping {
	void *addr;
	size_t len;
} t_mappings[64];

/* mmap() that answers MAP_FAILED with errno, like mmap(), and remembers. */
static inline void *t_mmap(int fd, size_t len, int prot, int flags, __u64 off)
{
	void *p = mmap(NULL, len, prot, flags, fd, off);
	unsigned int i;

	for (i = 0; p != MAP_FAILED && i < ARRAY_SIZE(t_mappings); i++) {
		if (t_mappings[i].len)
			continue;
		t_mappings[i] = (struct t_mapping){ p, len };
		break;
	}
	return p;
}

static inline void *t_map(int fd, size_t len, __u64 off)
{
	return t_mmap(fd, len, T_RW, MAP_SHARED, off);
}

/* 0, or -errno if it cannot be mapped; unmapped at once. */
static inline int t_try_map(int fd, size_t len, int prot, int flags, __u64 off)
{
	void *p = mmap(NULL, len, prot, flags, fd, off);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

static inline void t_unmap_all(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t_mappings); i++) {
		if (t_mappings[i].len)
			munmap(t_mappings[i].addr, t_mappings[i].len);
		t_mappings[i].len = 0;
	}
}

/* ---- a clean start ------------------------------------------------------------------------ */

static inline int t_release_all(int ctl)
{
	long end = t_now_ms() + 8000;
	struct pobj_region r[16];
	int cnt, i, ret;

	do {
		cnt = t_list(ctl, r, 16);
		for (ret = 0, i = 0; i < cnt && i < 16; i++)
			ret = t_release(ctl, r[i].id) ?: ret;
		if (cnt <= 0)
			return cnt;
		if (ret)
			t_sleep_ms(20);
	} while (t_now_ms() < end);
	return ret ? ret : -EBUSY;
}

/* Make a namespace raw (or fsdax again, from what its info block says). No data is lost. */
static inline int t_ns_raw(const char *ns, bool raw)
{
	char path[PATH_MAX];
	int region = 0, i;

	snprintf(path, sizeof(path), T_ND "/%s/force_raw", ns);
	if (!raw)
		t_write(T_PMEM "/unbind", ns);
	if (t_write(path, raw ? "1" : "0"))
		return -ENOTSUP;
	/* An fsdax namespace hands itself over to a pfn device, which looks like a failure. */
	t_write(T_PMEM "/bind", ns);
	if (sscanf(ns, "namespace%d", &region) != 1)
		return -EINVAL;
	snprintf(path, sizeof(path), "/sys/block/pmem%d/queue/dax", region);
	for (i = 0; i < 50; i++) {
		if (t_number(path, -1) == !raw)
			return 0;
		t_sleep_ms(100);
	}
	return -ETIMEDOUT;
}

/* Bind what a test left unbound, and put raw namespaces back. */
static inline void t_bind_all(void)
{
	char name[32], path[PATH_MAX], buf[64];
	DIR *dir = NULL;

	while (t_block_dir(&dir, T_ND, "namespace", name)) {
		snprintf(path, sizeof(path), T_ND "/%s/force_raw", name);
		if (t_number(path, 0) == 1)
			t_ns_raw(name, false);
		/* In use as it is, not by a pfn device: virtio-pmem's. */
		snprintf(path, sizeof(path), T_ND "/%s/driver", name);
		if (!access(path, F_OK))
			continue;
		snprintf(path, sizeof(path), T_ND "/%s/holder", name);
		if (t_read(path, buf, sizeof(buf)) >= 0 && !buf[0])
			t_write(T_PMEM "/bind", name);
	}
	while (t_block_dir(&dir, T_ND, "pfn", name)) {
		snprintf(path, sizeof(path), T_ND "/%s/driver", name);
		if (!access(path, F_OK))
			continue;
		snprintf(path, sizeof(path), T_ND "/%s/namespace", name);
		if (t_read(path, buf, sizeof(buf)) > 0 && buf[0])
			t_write(T_PMEM "/bind", name);
	}
}

/* Binding anew forgets poison that a test injected. */
static inline int t_heal_all(void)
{
	char name[32], path[PATH_MAX], buf[64];
	DIR *dir = NULL;
	struct t_dev d;

	while (t_block_dir(&dir, "/sys/block", "pmem", name)) {
		snprintf(path, sizeof(path), "/sys/block/%s/badblocks", name);
		if (t_read(path, buf, sizeof(buf)) <= 0 || !buf[0] || t_dev_fill(&d, name))
			continue;
		if (t_dev_unbind(&d) || t_dev_bind(&d)) {
			closedir(dir);
			return -EIO;
		}
	}
	return 0;
}

/* No regions, no poison, all bound; the control file. */
static inline int t_reset(void)
{
	int ctl, ret;

	if (access("/dev/pobj", F_OK) && system("modprobe pobj"))
		return -ENODEV;
	ctl = t_ctl();
	if (ctl < 0)
		return ctl;
	ret = t_release_all(ctl);
	t_bind_all();
	if (!ret)
		ret = t_heal_all();
	if (!ret)
		return ctl;
	fprintf(stderr, "# cannot begin cleanly: %s\n", strerror(-ret));
	close(ctl);
	return ret;
}

/* ---- a pool ------------------------------------------------------------------------------- */

/**
 * struct t_pool - a region that is claimed, attached and freshly formatted
 * @dev: its device
 * @ctl: control file
 * @fd: region file
 * @id: number of the region
 * @session: of this process
 * @uuid: of the pool
 * @info: what POBJ_IOC_INFO said after formatting
 * @free: an offset of 2 MiB pages that hold no metadata, in the middle of the region
 */
struct t_pool {
	struct t_dev dev;
	int ctl;
	int fd;
	__u64 id;
	__u64 session;
	__u8 uuid[16];
	struct pobj_ioc_info info;
	__u64 free;
};

static inline int t_pool_make(struct t_pool *p, int node)
{
	const char *what = "reset";
	int ret;

	p->fd = -1;
	p->ctl = t_reset();
	ret = p->ctl < 0 ? p->ctl : 0;
	if (!ret) {
		ret = t_dev_find(&p->dev, node);
		if (ret)
			return -ENXIO;
		what = "claim";
		ret = t_claim(p->ctl, &p->dev, &p->id);
	}
	if (!ret) {
		what = "attach";
		p->fd = t_attach(p->ctl, p->id, 0, &p->session);
		ret = p->fd < 0 ? p->fd : 0;
	}
	if (!ret) {
		what = "format";
		t_uuid(p->uuid);
		ret = t_format(p->fd, p->uuid, POBJ_FORMAT_FORCE);
	}
	if (!ret) {
		what = "info";
		ret = t_info(p->fd, &p->info);
		p->free = p->info.out_region.bytes / 2 & ~(T_HUGE - 1);
	}
	if (ret)
		fprintf(stderr, "# no pool: %s: %s\n", what, strerror(-ret));
	return ret;
}

/* Detach, release, claim and attach again; not recovered afterwards. */
static inline int t_pool_cycle(struct t_pool *p)
{
	int ret;

	t_unmap_all();
	close(p->fd);
	p->fd = -1;
	ret = t_release(p->ctl, p->id);
	if (!ret)
		ret = t_claim(p->ctl, &p->dev, &p->id);
	if (ret)
		return ret;
	p->fd = t_attach(p->ctl, p->id, 0, &p->session);
	return p->fd < 0 ? p->fd : 0;
}

static inline void t_pool_drop(struct t_pool *p)
{
	t_unmap_all();
	if (p->fd >= 0)
		close(p->fd);
	t_release_all(p->ctl);
	close(p->ctl);
}

/* Skip only what the guest lacks. exit: in the 6.1 harness a skip in the setup runs the test. */
#define T_NEED(cond, fmt, ...) do { \
	if (!(cond)) \
		SKIP(_exit(255), fmt, ##__VA_ARGS__); \
} while (0)

#define T_POOL_MAKE(p, node) do { \
	int __ret = t_pool_make(p, node); \
	T_NEED(__ret != -ENXIO, "no fsdax device on node %d", node); \
	ASSERT_EQ(0, __ret); \
} while (0)

#endif /* POBJ_SELFTESTS_KMOD_H */
