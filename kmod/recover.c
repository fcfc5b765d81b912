// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contents of a region: looking at the superblock, recovery and formatting by lib/core, and
 * making data durable. This file is what lib/core stands on in the kernel.
 *
 *	read	machine checks are survived, known bad ranges are not read
 *	flush	by cache lines, where caches are volatile
 *	fence	SFENCE, and where the device has a volatile cache of its own, a flush of it
 *
 * region->work: one recovery or formatting at a time; the others wait, and a signal ends the wait.
 * While lib/core works we are inside pobjk_region_enter(), so the device cannot go. Nobody maps
 * data meanwhile: it is not recovered before, and formatting makes it so first.
 */
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/dax.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "kmod/pobjk.h"
#include "kmod/trace.h"
#include "lib/core/recover.h"

#define FLUSH_STEP_BYTES	((u64)HPAGE_PMD_SIZE)

/* ---- what lib/core stands on ------------------------------------------------------------ */

static struct pobjk_region *media_region(const struct pobj_media *m)
{
	return container_of(m, struct pobjk_region, media);
}

static int media_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	const unsigned long first = off >> PAGE_SHIFT;

	if (!len)
		return 0;
	if (pobjk_poison_hits(media_region(m), first, ((off + len - 1) >> PAGE_SHIFT) - first + 1))
		return -EIO;
	return copy_mc_to_kernel(dst, pobj_media_ptr(m, off), len) ? -EIO : 0;
}

static void media_flush(const struct pobj_media *m, const void *p, u64 len)
{
	struct dax_device *dax = media_region(m)->dax;
	u64 step;

	for (; len > FLUSH_STEP_BYTES; p += step, len -= step) {
		step = FLUSH_STEP_BYTES;
		dax_flush(dax, (void *)p, step);
		cond_resched();
	}
	dax_flush(dax, (void *)p, len);
}

static int media_fence(const struct pobj_media *m)
{
	struct pobjk_region *r = media_region(m);

	wmb();	/* what dax_flush() began is durable; pairs with nothing: the medium looks */
	return r->sync ? 0 : blkdev_issue_flush(r->bdev.bdev);
}

void pobjk_recover_media(struct pobjk_region *r)
{
	r->media.read = media_read;
	r->media.flush = media_flush;
	r->media.fence = media_fence;
}

/* ---- what is in it ---------------------------------------------------------------------- */

/* The region holds the pool of @geom; @recovered: and it may be mapped. */
static void recover_adopt(struct pobjk_region *r, const struct pobj_geom *geom, const u8 *uuid,
			  kuid_t uid, kgid_t gid, u32 mode, bool recovered)
{
	const u64 sidecar = PAGE_ALIGN(pobj_geom_sidecar_bytes(geom));

	spin_lock(&r->state);
	memcpy(r->uuid, uuid, POBJK_UUID_BYTES);
	r->uid = uid;
	r->gid = gid;
	r->mode = mode & 0666;
	r->sidecar_bytes = sidecar;
	r->pool = true;
	r->damaged = false;
	r->recovered = recovered;
	spin_unlock(&r->state);
}

static void recover_adopt_super(struct pobjk_region *r, const struct pobj_super *s, bool recovered)
{
	/* An owner that is no valid number is nobody. */
	recover_adopt(r, &s->geom, s->uuid, make_kuid(&init_user_ns, s->uid),
		      make_kgid(&init_user_ns, s->gid), s->mode, recovered);
}

/* Learn what is there. The region has a pool if this succeeds. */
int pobjk_recover_look(struct pobjk_region *r)
{
	struct pobj_super *s = kzalloc(sizeof(*s), GFP_KERNEL);
	bool damaged = false;
	int err = -ENODEV;

	if (!s)
		return -ENOMEM;
	if (pobjk_region_enter(r)) {
		err = pobj_super_load(&r->media, s, NULL);
		damaged = err && pobj_super_present(&r->media);
		pobjk_region_leave(r);
	}
	if (!err) {
		recover_adopt_super(r, s, false);
	} else {
		spin_lock(&r->state);
		r->damaged = damaged;
		spin_unlock(&r->state);
	}
	kfree(s);
	return err;
}

/* ---- recovery --------------------------------------------------------------------------- */

static int recover_run(struct pobjk_region *r, struct pobj_ioc_recover *a)
{
	struct pobj_super *s = kzalloc(sizeof(*s), GFP_KERNEL);
	struct pobj_recovery did = {};
	struct pobj_finding f = {};
	int err = -ENODEV;

	if (!s)
		return -ENOMEM;
	if (pobjk_region_enter(r)) {
		err = pobj_recover_pool(&r->media, s, &did, &f);
		pobjk_region_leave(r);
	}
	if (!err) {
		recover_adopt_super(r, s, true);
		spin_lock(&r->state);
		r->recoveries++;
		spin_unlock(&r->state);
	} else {
		a->out_diag = f.diag;
		a->out_diag_off = f.off;
		a->out_diag_found = f.found;
		a->out_diag_expected = f.expected;
	}
	a->out_lanes = did.lanes;
	a->out_live = did.live;
	a->out_undone = did.undone;
	a->out_redone = did.redone;
	a->out_repaired = did.repaired;
	kfree(s);
	trace_pobj_recover(r, a, err);
	return err;
}

int pobjk_recover(struct pobjk_region *r, struct pobj_ioc_recover *a)
{
	int err = 0;

	if (mutex_lock_interruptible(&r->work))
		return -EINTR;
	if (READ_ONCE(r->dead))
		err = -ENODEV;
	else if (READ_ONCE(r->recovered))
		a->out_flags = POBJ_RECOVER_WAS_DONE;
	else
		err = recover_run(r, a);
	mutex_unlock(&r->work);
	return err ? err : pobjk_sidecar_make(r);
}

/* ---- format ----------------------------------------------------------------------------- */

/*
 * From now on there is no pool, if nobody but the caller is attached and nobody maps anything.
 * With mmap_lock no other thread of the caller is in the middle of an mmap; other processes would
 * have a session.
 */
static int format_begin(struct pobjk_region *r)
{
	struct file *sidecar = NULL;
	int err = -EBUSY;

	pobjk_session_sweep(r);
	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	spin_lock(&r->state);
	if (pobjk_session_sole(r, current->mm) && !mapping_mapped(r->inode->i_mapping) &&
	    !(r->sidecar && mapping_mapped(r->sidecar->f_mapping))) {
		r->pool = false;
		r->recovered = false;
		r->tainted = false;
		sidecar = pobjk_sidecar_take(r);
		err = 0;
	}
	spin_unlock(&r->state);
	mmap_read_unlock(current->mm);
	if (sidecar)
		fput(sidecar);
	return err;
}

/* May what is there be overwritten, and can it be? */
static int format_check(struct pobjk_region *r, struct pobj_ioc_format *a,
			const struct pobj_geom *geom)
{
	int err = 0;

	if (!pobjk_region_enter(r))
		return -ENODEV;
	if (!(a->flags & POBJ_FORMAT_FORCE) && pobj_super_present(&r->media)) {
		a->out_diag = POBJ_DIAG_SIGNATURE;
		err = -EEXIST;
	} else if (pobjk_poison_hits(r, 0, DIV_ROUND_UP(geom->data_off, PAGE_SIZE))) {
		a->out_diag = POBJ_DIAG_MEDIA;
		err = -EIO;
	}
	pobjk_region_leave(r);
	return err;
}

static int format_run(struct pobjk_region *r, struct pobj_ioc_format *a,
		      struct pobj_format_args *args)
{
	int err;

	err = pobjk_region_reserve_uuid(r, a->uuid);
	if (err)
		return err;
	err = format_check(r, a, &args->geom);
	if (!err)
		err = format_begin(r);
	if (err)
		goto out;
	err = -ENODEV;
	if (pobjk_region_enter(r)) {
		err = pobj_super_format(&r->media, args);
		pobjk_region_leave(r);
	}
	if (err) {
		pobjk_recover_look(r);
		goto out;
	}
	recover_adopt(r, &args->geom, args->uuid, current_fsuid(), current_fsgid(), args->mode,
		      true);
	err = pobjk_sidecar_make(r);
out:
	pobjk_region_reserve_uuid(r, NULL);
	return err;
}

int pobjk_recover_format(struct pobjk_region *r, struct pobj_ioc_format *a)
{
	struct pobj_format_args *args = kzalloc(sizeof(*args), GFP_KERNEL);
	int err;

	if (!args)
		return -ENOMEM;
	err = pobj_geom_make(&args->geom, r->bytes, a->page_shift, a->lane_cnt, POBJ_EXT_CNT);
	if (err) {
		if (err == -ENOSPC)
			a->out_diag = POBJ_DIAG_TOO_SMALL;
		goto out;
	}
	args->ctime = ktime_get_real_seconds();
	memcpy(args->uuid, a->uuid, sizeof(args->uuid));
	args->uid = from_kuid(&init_user_ns, current_fsuid());
	args->gid = from_kgid(&init_user_ns, current_fsgid());
	args->mode = a->mode;
	args->layout = (const char *)a->layout;

	err = -EINTR;
	if (!mutex_lock_interruptible(&r->work)) {
		err = format_run(r, a, args);
		mutex_unlock(&r->work);
	}
out:
	kfree(args);
	return err;
}

/* ---- fsync and msync -------------------------------------------------------------------- */

/*
 * Flush [@off, @stop), at most one unit, around what is bad: the kernel may have unmapped such a
 * page for itself, and nothing can be saved there. Inside pobjk_region_enter().
 */
static void fsync_flush(struct pobjk_region *r, u64 off, u64 stop)
{
	u64 next;

	if (!pobjk_poison_hits(r, off >> PAGE_SHIFT, DIV_ROUND_UP(stop, PAGE_SIZE) -
						     (off >> PAGE_SHIFT))) {
		dax_flush(r->dax, r->kaddr + off, stop - off);
		return;
	}
	for (; off < stop; off = next) {
		next = min(stop, (off & PAGE_MASK) + PAGE_SIZE);
		if (!pobjk_poison_hits(r, off >> PAGE_SHIFT, 1))
			dax_flush(r->dax, r->kaddr + off, next - off);
	}
}

/*
 * Make [@start, @end] durable. Which lines were stored to is not tracked, so all that were ever
 * mapped are flushed: slow, but what msync() promises holds. Libraries flush their lines
 * themselves, and need this only on a device with a volatile cache of its own.
 */
int pobjk_recover_fsync(struct pobjk_region *r, u64 start, u64 end)
{
	unsigned long unit, units;
	u64 off, stop;

	if (start >= r->bytes || start > end)
		return 0;
	end = min(end, r->bytes - 1);
	unit = start / FLUSH_STEP_BYTES;
	units = end / FLUSH_STEP_BYTES + 1;

	/* Entered for each unit: a removal need not wait for all of them. */
	for (;; unit++) {
		if (!pobjk_region_enter(r))
			return -EIO;
		unit = find_next_bit(r->touched, units, unit);
		if (unit >= units)
			break;
		off = max(start, unit * FLUSH_STEP_BYTES);
		stop = min(end + 1, (unit + 1) * FLUSH_STEP_BYTES);
		fsync_flush(r, off, stop);
		pobjk_region_leave(r);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	wmb();	/* as in media_fence() */
	pobjk_region_leave(r);
	return blkdev_issue_flush(r->bdev.bdev);
}
