// SPDX-License-Identifier: BSD-3-Clause
/*
 * Looking at pools from outside: info, recover, check, and the list of regions. Each works on a
 * path, leaves no pool open, and takes the registry lock only where this process' own open pools
 * matter.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/backend.h"
#include "lib/core/check.h"
#include "lib/core/lane.h"
#include "lib/core/recover.h"
#include "lib/errormsg.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/region.h"
#include "lib/registry.h"
#include "lib/snapshot.h"
#include "libpmemobj/pool_base.h"
#include "pobj.h"

/* ---- regions ----------------------------------------------------------------------------- */

static void describe_region(const struct pobj_place *place, struct pobj_region_info *out)
{
	static const struct {
		u32 region;
		u32 info;
	} flags[] = {
		{ POBJ_REGION_POOL, POBJ_INFO_POOL },
		{ POBJ_REGION_RECOVERED, POBJ_INFO_RECOVERED },
		{ POBJ_REGION_SYNC, POBJ_INFO_SYNC },
		{ POBJ_REGION_CACHED, POBJ_INFO_CACHED },
		{ POBJ_REGION_DEAD, POBJ_INFO_DEAD },
	};
	const struct pobj_region *r = &place->region;
	size_t i;

	memset(out, 0, sizeof(*out));
	out->id = r->id;
	out->bytes = r->bytes;
	out->node = r->node;
	out->uid = r->uid;
	out->gid = r->gid;
	out->mode = r->mode;
	out->sessions = r->sessions;
	memcpy(out->device, r->name, sizeof(out->device));
	out->device[sizeof(out->device) - 1] = 0;
	if (r->flags & POBJ_REGION_POOL)
		pobj_uuid_text(r->uuid, out->uuid);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (r->flags & flags[i].region)
			out->flags |= flags[i].info;
	}
	if (r->id)
		out->flags |= POBJ_INFO_CLAIMED;
	if (place->unreadable)
		out->flags |= POBJ_INFO_UNREADABLE;
	if (place->damaged)
		out->flags |= POBJ_INFO_DAMAGED;
}

/* Counters are told to those who may attach; the rest of the description to all. */
static void describe_counters(int ctl, const struct pobj_place *place,
			      struct pobj_region_info *out)
{
	struct pobj_ioc_attach attach = { .size = sizeof(attach), .flags = POBJ_ATTACH_RDONLY,
					  .id = place->region.id };
	struct pobj_ioc_info info;

	if (ctl < 0 || !place->region.id || ioctl(ctl, POBJ_IOC_ATTACH, &attach))
		return;
	if (!pobj_region_query(attach.out_fd, "region", &info)) {
		out->faults_2m = info.out_faults_2m;
		out->faults_4k = info.out_faults_4k;
		out->bad_cnt = info.out_bad_cnt;
		out->bad_bytes = info.out_bad_bytes;
	}
	close(attach.out_fd);
}

struct listing {
	int ctl;
	int (*each)(const struct pobj_region_info *r, void *arg);
	void *arg;
};

static int list_one(const struct pobj_place *place, void *arg)
{
	const struct listing *l = arg;
	struct pobj_region_info info;

	describe_region(place, &info);
	describe_counters(l->ctl, place, &info);
	return l->each(&info, l->arg);
}

int pobj_region_list(int (*each)(const struct pobj_region_info *r, void *arg), void *arg)
{
	struct listing l = { .each = each, .arg = arg };
	int ret;

	l.ctl = pobj_ctl_open();
	ret = pobj_place_each(l.ctl, list_one, &l);
	if (l.ctl >= 0)
		close(l.ctl);
	return ret;
}

/* ---- info -------------------------------------------------------------------------------- */

static u64 count_live(const struct pobj_snapshot *s, u64 *bad_lanes)
{
	struct pobj_lane_view v;
	u64 seq, live = 0;
	u32 lane;

	*bad_lanes = 0;
	for (lane = 0; lane < s->super.geom.lane_cnt; lane++) {
		if (pobj_lane_read(&s->media, &s->super.geom, lane, &v, NULL)) {
			++*bad_lanes;
			continue;
		}
		for (seq = v.newest; seq > v.retired; seq--)
			live += v.entry[seq % POBJ_M_SLOT_CNT].kind != POBJ_M_ENTRY_NOP;
	}
	return live;
}

struct file_id {
	dev_t dev;
	ino_t ino;
};

/* Descriptor of the sidecar's file + 1 if @p lies in the file. */
static int pool_is_file(struct pobj_pool *p, const void *arg)
{
	const struct file_id *id = arg;

	return p->ino && p->ino == id->ino && p->dev == id->dev ? p->lock_fd + 1 : 0;
}

static int count_users(int fd)
{
	struct file_id id = { 0, 0 };
	struct stat st;
	int users;

	if (!fstat(fd, &st)) {
		id.dev = st.st_dev;
		id.ino = st.st_ino;
	}
	pobj_registry_lock();
	/*
	 * The sidecar's file must not be opened a second time in a process that has the pool open:
	 * closing it would drop the lock of that session (file.c). Ask through the open one, which
	 * tells of the others.
	 */
	users = pobj_registry_each(pool_is_file, &id);
	users = users ? 1 + pobj_file_count_locks(users - 1) : pobj_file_users(fd);
	pobj_registry_unlock();
	return users;
}

int pobj_pool_info(const char *path, struct pobj_pool_info *info)
{
	struct pobj_snapshot *s = malloc(sizeof(*s));
	const struct pobj_geom *g;
	struct pobj_m_root root;
	int err;

	if (!s || !path) {
		free(s);
		return path ? pobj_err_sys(-ENOMEM, "%s", path) :
			      pobj_err(-EINVAL, "no path given");
	}
	err = pobj_snapshot_take(s, path, false);
	if (err)
		goto out;
	g = &s->super.geom;
	memset(info, 0, sizeof(*info));
	pobj_uuid_text(s->super.uuid, info->uuid);
	memcpy(info->layout, pobj_super_layout(&s->super), sizeof(info->layout));
	info->bytes = g->pool_size;
	info->ctime = s->super.ctime;
	info->page_bytes = pobj_geom_page_bytes(g);
	info->page_cnt = g->page_cnt;
	info->data_off = g->data_off;
	info->lane_cnt = g->lane_cnt;
	info->lane_bytes = pobj_geom_lane_bytes(g);
	info->unstable = !!(le64_to_cpu(s->super.raw.feat_incompat) & POBJ_M_INCOMPAT_UNSTABLE);
	info->bad_copies = !!s->super.bad_copies;	/* two would not have been loaded */
	info->live_entries = count_live(s, &info->bad_lanes);
	info->users = s->on_region ? (s->place.region.id ? (int)s->place.region.sessions : 0) :
				     count_users(s->fd);
	if (!s->media.read(&s->media, &root, POBJ_M_ROOT_OFF, sizeof(root))) {
		info->root_off = le64_to_cpu(root.off);
		info->root_bytes = le64_to_cpu(root.size);
	}
	info->on_region = s->on_region;
	if (s->on_region) {
		int ctl = pobj_ctl_open();

		describe_region(&s->place, &info->region);
		describe_counters(ctl, &s->place, &info->region);
		if (ctl >= 0)
			close(ctl);
	}
	pobj_snapshot_drop(s);
out:
	free(s);
	return err;
}

/* ---- recover ----------------------------------------------------------------------------- */

static void recovery_done(const struct pobj_recovery *r, struct pobj_pool_recovery *out)
{
	out->lanes = r->lanes;
	out->live = r->live;
	out->undone = r->undone;
	out->redone = r->redone;
	out->repaired = r->repaired;
}

static int recover_mapped(int fd, u64 size, const char *path, struct pobj_pool_recovery *out)
{
	struct pobj_pool *p = calloc(1, sizeof(*p));
	struct pobj_recovery r;
	struct pobj_finding f = { 0 };
	int err;

	if (!p)
		return pobj_err_sys(-ENOMEM, "%s", path);
	p->media.size = size;
	snprintf(p->path, sizeof(p->path), "%s", path);
	err = pobj_file_map(p, fd, NULL);
	if (!err) {
		err = pobj_recover_pool(&p->media, &p->super, &r, &f);
		if (err)
			pobj_err_finding(err, path, &f);
		else
			recovery_done(&r, out);
		munmap(p->media.base, size);
	}
	free(p);
	return err;
}

static int recover_file(const char *path, struct pobj_pool_recovery *out)
{
	struct stat st;
	int fd, err;

	fd = pobj_fd_open(path, O_RDWR, 0);
	if (fd < 0 || fstat(fd, &st)) {
		err = pobj_err_sys(-errno, "%s", path);
	} else if (!S_ISREG(st.st_mode)) {
		err = pobj_err(-EMEDIUMTYPE, "%s: not a regular file%s", path,
			       S_ISBLK(st.st_mode) ? "; name a device as pobj:DEVICE" : "");
	} else if (st.st_size < POBJ_M_HEADER_END) {
		err = pobj_err(-EMEDIUMTYPE, "%s: not a pobj pool: %lld bytes are too few", path,
			       (long long)st.st_size);
	} else {
		err = pobj_file_in_use(fd, path, true);
		if (err > 0) {
			out->was_done = 1;	/* whoever opened it first has recovered it */
			err = 0;
		} else if (!err) {
			err = recover_mapped(fd, (u64)st.st_size, path, out);
		}
	}
	if (fd >= 0)
		pobj_fd_close(fd);
	return err;
}

static int recover_region(const char *path, struct pobj_pool_recovery *out)
{
	struct pobj_ioc_recover r;
	struct pobj_place place;
	int fd, err;

	fd = pobj_region_attach(pobj_region_name(path), 0, &place);
	if (fd < 0)
		return fd;
	err = pobj_region_recover(fd, path, &r);
	if (!err) {
		out->was_done = !!(r.out_flags & POBJ_RECOVER_WAS_DONE);
		out->lanes = r.out_lanes;
		out->live = r.out_live;
		out->undone = r.out_undone;
		out->redone = r.out_redone;
		out->repaired = r.out_repaired;
	}
	pobj_fd_close(fd);
	return err;
}

int pobj_pool_recover(const char *path, struct pobj_pool_recovery *r)
{
	memset(r, 0, sizeof(*r));
	if (!path)
		return pobj_err(-EINVAL, "no path given");
	return pobj_region_name(path) ? recover_region(path, r) : recover_file(path, r);
}

/* ---- check ------------------------------------------------------------------------------- */

struct checking {
	int (*each)(const struct pobj_problem *p, void *arg);
	void *arg;
	struct pobj_pool_census *c;
};

static int problem(struct checking *k, const struct pobj_finding *f, int fatal)
{
	struct pobj_problem p = {
		.fatal = fatal, .off = f->off, .found = f->found, .expected = f->expected,
		.text = pobj_diag_text(f->diag), .advice = pobj_diag_advice(f->diag),
	};

	k->c->problems++;
	k->c->fatal += (u64)fatal;
	return k->each ? k->each(&p, k->arg) : 0;
}

static int fatal_problem(void *arg, const struct pobj_finding *f)
{
	return problem(arg, f, 1);
}

static int check_snapshot(struct pobj_snapshot *s, struct checking *k)
{
	const u32 copy = s->super.bad_copies;
	struct pobj_recovery r;
	struct pobj_census c;
	struct pobj_finding f;
	u64 bad_lanes;
	int err = 0, refused;

	k->c->lanes = s->super.geom.lane_cnt;
	k->c->pages = s->super.geom.page_cnt;
	k->c->live_entries = count_live(s, &bad_lanes);
	if (copy) {
		struct pobj_problem p = {
			.off = copy & 1 ? POBJ_M_SUPER_OFF0 : POBJ_M_SUPER_OFF1,
			.text = "one superblock copy is damaged",
			.advice = "run: pobjctl recover; it is rewritten from the other copy",
		};

		k->c->problems++;
		err = k->each ? k->each(&p, k->arg) : 0;
	}
	if (err)
		return err;
	/*
	 * What counts is the pool after recovery: recover the copy, then check it. Where recovery
	 * refuses, the rest is checked as it stands, so that all damage is told.
	 */
	refused = pobj_recover_pool(&s->media, &s->super, &r, &f);
	err = pobj_check_pool(&s->media, &s->super, &c, fatal_problem, k);
	if (!err && refused && !c.problems)
		err = problem(k, &f, 1);
	k->c->free_pages = c.free_pages;
	k->c->largest_free = c.largest_free;
	k->c->spans.slab = c.slabs;
	k->c->spans.large = c.larges;
	k->c->spans.log = c.logs;
	return err;
}

static int check_not_in_use(const char *path)
{
	int fd, ret;

	if (pobj_region_name(path))
		return 0;	/* judged by the kernel's count of sessions, in the snapshot */
	fd = pobj_fd_open(path, O_RDWR, 0);
	if (fd < 0)
		return 0;	/* cannot be locked, so cannot be told; reading decides */
	ret = pobj_file_in_use(fd, path, false);
	pobj_fd_close(fd);
	return ret > 0 ? pobj_err(-EBUSY, "%s: the pool is open; close it to check it", path) : ret;
}

int pobj_pool_check(const char *path, int (*each)(const struct pobj_problem *p, void *arg),
		    void *arg, struct pobj_pool_census *c)
{
	struct checking k = { .each = each, .arg = arg, .c = c };
	struct pobj_snapshot *s;
	int err;

	memset(c, 0, sizeof(*c));
	if (!path)
		return pobj_err(-EINVAL, "no path given");
	err = check_not_in_use(path);
	if (err)
		return err;
	s = malloc(sizeof(*s));
	if (!s)
		return pobj_err_sys(-ENOMEM, "%s", path);
	err = pobj_snapshot_take(s, path, true);
	if (err) {
		/* A pool whose superblock cannot be used: that is the verdict, not an error. */
		if (err == -EUCLEAN)
			err = problem(&k, &s->finding, 1);
	} else {
		if (s->on_region && s->place.region.sessions)
			err = pobj_err(-EBUSY,
				       "%s: the pool is open (sessions: %u); close it to check it",
				       path, s->place.region.sessions);
		else
			err = check_snapshot(s, &k);
		pobj_snapshot_drop(s);
	}
	free(s);
	return err;
}

int pmemobj_check(const char *path, const char *layout)
{
	struct pobj_pool_census c;
	struct pobj_pool_info info;
	int err;

	err = pobj_pool_check(path, NULL, NULL, &c);
	if (!err && c.fatal) {
		pobj_err(-EINVAL, "%s: %llu problems; run: pobjctl check %s", path,
			 (unsigned long long)c.fatal, path);
		return 0;
	}
	if (!err && layout) {
		err = pobj_pool_info(path, &info);
		if (!err && strcmp(info.layout, layout)) {
			pobj_err(-EINVAL, "%s: layout is \"%s\", not \"%s\"", path, info.layout,
				 layout);
			return 0;
		}
	}
	return err ? -1 : 1;
}
