// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: the list of them, their life from claim to release, and who may attach.
 *
 *	claim -> (attach ... detach)* -> release
 *	           \-> dead (device unbound) -> release
 *
 * A region is in the list before it takes its device and is hidden until all is in place. So a
 * failure that the device reports at any moment finds its region (pobjk_region_get_holder).
 *
 * pobjk_regions_lock: the list and what is marked so in struct pobjk_region. Attach counts its
 * file under it, release refuses under it; so the two never pass each other (R4).
 */
#include <linux/cred.h>
#include <linux/dax.h>
#include <linux/delay.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>

#include "kmod/pobjk.h"
#include "kmod/trace.h"

#define REGION_FS_MAGIC		0x706f626a	/* "pobj" */
#define RELEASE_TRIES		5	/* times 20 ms */

DEFINE_MUTEX(pobjk_regions_lock);	/* the list; claim, attach and release */
static LIST_HEAD(regions);
static u64 region_last_id;

/*
 * The inodes that data is mapped through. A mount of our own and not the shared anonymous inode,
 * so that unmapping one region touches no other mapping. The type has no owner on purpose: a mount
 * would pin the module, and what pins it are the open files, whose dentries are not of this mount.
 */
static struct vfsmount *region_mnt;

static int region_fs_init_context(struct fs_context *fc)
{
	return init_pseudo(fc, REGION_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type region_fs = {
	.name		 = "pobj",
	.init_fs_context = region_fs_init_context,
	.kill_sb	 = kill_anon_super,
};

/* ---- references ------------------------------------------------------------------------- */

static void region_free(struct kref *ref)
{
	struct pobjk_region *r = container_of(ref, struct pobjk_region, ref);

	WARN_ON(!list_empty(&r->sessions) || r->sidecar || r->pgmap);
	iput(r->inode);
	kvfree(r->touched);
	xa_destroy(&r->bad);
	kfree(r);
}

void pobjk_region_put(struct pobjk_region *r)
{
	kref_put(&r->ref, region_free);
}

static struct pobjk_region *region_alloc(void)
{
	struct pobjk_region *r = kzalloc(sizeof(*r), GFP_KERNEL);
	struct inode *inode;

	if (!r)
		return ERR_PTR(-ENOMEM);
	inode = alloc_anon_inode(region_mnt->mnt_sb);
	if (IS_ERR(inode)) {
		kfree(r);
		return ERR_CAST(inode);
	}
	/* Without it 6.1 offers no 2 MiB faults, and long-term pins of the memory are possible. */
	inode->i_flags |= S_DAX;
	r->inode = inode;
	kref_init(&r->ref);
	init_rwsem(&r->life);
	mutex_init(&r->work);
	spin_lock_init(&r->state);
	xa_init(&r->bad);
	INIT_LIST_HEAD(&r->sessions);
	pobjk_recover_media(r);
	r->uid = current_fsuid();
	r->gid = current_fsgid();
	r->mode = 0600;
	return r;
}

/* May the device be touched? If so it stays until pobjk_region_leave(), see R1. */
bool pobjk_region_enter(struct pobjk_region *r)
{
	down_read(&r->life);
	if (!r->dead)
		return true;
	up_read(&r->life);
	return false;
}

void pobjk_region_leave(struct pobjk_region *r)
{
	up_read(&r->life);
}

/* ---- claim and release ------------------------------------------------------------------ */

static void region_unlist(struct pobjk_region *r)
{
	lockdep_assert_held(&pobjk_regions_lock);
	list_del(&r->node);
	pobjk_device_give(r);
	pobjk_region_put(r);
}

/* Returns a region that only pobjk_region_show() makes visible. The list holds the reference. */
struct pobjk_region *pobjk_region_claim(dev_t dev)
{
	struct pobjk_region *r = region_alloc();
	int err;

	if (IS_ERR(r))
		return r;
	mutex_lock(&pobjk_regions_lock);
	r->id = ++region_last_id;
	list_add_tail(&r->node, &regions);
	mutex_unlock(&pobjk_regions_lock);

	err = pobjk_device_take(r, dev);
	if (!err) {
		r->touched = kvcalloc(BITS_TO_LONGS(pobjk_region_units(r)), sizeof(long),
				      GFP_KERNEL_ACCOUNT);
		if (!r->touched)
			err = -ENOMEM;
	}
	if (!err) {
		err = pobjk_recover_look(r);
		/* No pool, or a damaged one: still a region, so that it can be looked at. */
		if (err != -ENOMEM && err != -ENODEV)
			err = 0;
	}
	if (err) {
		mutex_lock(&pobjk_regions_lock);
		region_unlist(r);
		mutex_unlock(&pobjk_regions_lock);
		return ERR_PTR(err);
	}
	trace_pobj_claim(r);
	return r;
}

void pobjk_region_show(struct pobjk_region *r)
{
	mutex_lock(&pobjk_regions_lock);
	r->visible = true;
	mutex_unlock(&pobjk_regions_lock);
}

static bool region_idle(struct pobjk_region *r)
{
	bool idle = true;

	if (pobjk_region_enter(r)) {
		idle = pobjk_pages_idle(r);
		pobjk_region_leave(r);
	}
	return idle;
}

/*
 * Nothing is attached or mapped; but a page may still be pinned, by a pipe or by I/O under way.
 * The next user of the device must not share it with that. @wait: until it is over; else EBUSY if
 * it lasts.
 */
int pobjk_region_release(struct pobjk_region *r, bool wait)
{
	bool busy;
	u32 tries;

	lockdep_assert_held(&pobjk_regions_lock);
	pobjk_session_sweep(r);
	spin_lock(&r->state);
	busy = r->file_cnt || r->session_cnt;
	spin_unlock(&r->state);
	if (busy)
		return -EBUSY;
	for (tries = 0; !region_idle(r); tries++) {
		if (!wait && tries == RELEASE_TRIES)
			return -EBUSY;
		if (tries == RELEASE_TRIES)
			pr_warn("%s: waiting for pinned pages\n", r->name);
		msleep(20);
	}
	trace_pobj_release(r);
	region_unlist(r);
	return 0;
}

/* The module goes: no file is open any more, and no session begins. */
void pobjk_region_release_all(void)
{
	struct pobjk_region *r, *next;

	list_for_each_entry_safe(r, next, &regions, node) {
		pobjk_session_end_all(r);
		mutex_lock(&pobjk_regions_lock);
		WARN_ON(pobjk_region_release(r, true));
		mutex_unlock(&pobjk_regions_lock);
	}
}

/* ---- finding ---------------------------------------------------------------------------- */

struct pobjk_region *pobjk_region_find(u64 id)
{
	struct pobjk_region *r;

	lockdep_assert_held(&pobjk_regions_lock);
	list_for_each_entry(r, &regions, node)
		if (r->visible && r->id == id)
			return r;
	return ERR_PTR(-ENOENT);
}

static bool region_has_uuid(struct pobjk_region *r, const u8 *uuid)
{
	bool has;

	spin_lock(&r->state);
	has = r->pool && !memcmp(r->uuid, uuid, POBJK_UUID_BYTES);
	spin_unlock(&r->state);
	return has;
}

/*
 * Dead regions count only if there is no other: their pool may be back already, on the same device
 * bound anew. Two living ones are a device and its copy; guessing would corrupt one of them.
 */
struct pobjk_region *pobjk_region_find_uuid(const u8 *uuid)
{
	struct pobjk_region *r, *found = ERR_PTR(-ENOENT);

	lockdep_assert_held(&pobjk_regions_lock);
	list_for_each_entry(r, &regions, node) {
		if (!r->visible || !region_has_uuid(r, uuid))
			continue;
		if (READ_ONCE(r->dead)) {
			if (IS_ERR(found))
				found = ERR_PTR(-ENODEV);
			continue;
		}
		if (!IS_ERR(found))
			return ERR_PTR(-ENOTUNIQ);
		found = r;
	}
	return found;
}

/*
 * The region that holds @dax as @holder, with a reference; NULL if it was given up meanwhile.
 * @holder may be stale, so it is only compared. A claim under way may not know its @dax yet.
 */
struct pobjk_region *pobjk_region_get_holder(const void *holder, const struct dax_device *dax)
{
	struct pobjk_region *r, *found = NULL;

	mutex_lock(&pobjk_regions_lock);
	list_for_each_entry(r, &regions, node) {
		if (r == holder && (!r->dax || r->dax == dax)) {
			kref_get(&r->ref);
			found = r;
			break;
		}
	}
	mutex_unlock(&pobjk_regions_lock);
	return found;
}

/* Before a format: nobody else has @uuid or is about to. @uuid NULL: no longer about to. */
int pobjk_region_reserve_uuid(struct pobjk_region *r, const u8 *uuid)
{
	struct pobjk_region *other;
	int err = 0;

	mutex_lock(&pobjk_regions_lock);
	if (!uuid) {
		memset(r->uuid_next, 0, POBJK_UUID_BYTES);
		goto out;
	}
	list_for_each_entry(other, &regions, node) {
		if (other == r || READ_ONCE(other->dead))
			continue;
		if (region_has_uuid(other, uuid) ||
		    !memcmp(other->uuid_next, uuid, POBJK_UUID_BYTES)) {
			err = -EEXIST;
			goto out;
		}
	}
	memcpy(r->uuid_next, uuid, POBJK_UUID_BYTES);
out:
	mutex_unlock(&pobjk_regions_lock);
	return err;
}

/* ---- looking at ------------------------------------------------------------------------- */

bool pobjk_region_owned(struct pobjk_region *r)
{
	kuid_t uid;

	spin_lock(&r->state);
	uid = r->uid;
	spin_unlock(&r->state);
	return uid_eq(current_fsuid(), uid);
}

/* May the caller attach it? As for a file of the region's owner, group and mode. */
bool pobjk_region_may(struct pobjk_region *r, bool rdonly)
{
	const u32 want = rdonly ? 4 : 6;
	kuid_t uid;
	kgid_t gid;
	u32 bits;

	spin_lock(&r->state);
	uid = r->uid;
	gid = r->gid;
	bits = r->mode;
	spin_unlock(&r->state);

	if (uid_eq(current_fsuid(), uid))
		bits >>= 6;
	else if (gid_valid(gid) && in_group_p(gid))
		bits >>= 3;
	return (bits & want) == want || capable(CAP_DAC_OVERRIDE);
}

void pobjk_region_describe(struct pobjk_region *r, struct pobj_region *out)
{
	memset(out, 0, sizeof(*out));
	out->id = r->id;
	out->dev = new_encode_dev(r->bdev.bdev->bd_dev);
	out->bytes = r->bytes;
	out->node = r->numa_node;
	strscpy(out->name, r->name, sizeof(out->name));
	if (r->sync)
		out->flags |= POBJ_REGION_SYNC;
	if (dax_write_cache_enabled(r->dax))
		out->flags |= POBJ_REGION_CACHED;
	if (READ_ONCE(r->dead))
		out->flags |= POBJ_REGION_DEAD;

	spin_lock(&r->state);
	if (r->pool) {
		out->flags |= POBJ_REGION_POOL;
		memcpy(out->uuid, r->uuid, sizeof(out->uuid));
	}
	if (r->damaged)
		out->flags |= POBJ_REGION_DAMAGED;
	if (r->recovered)
		out->flags |= POBJ_REGION_RECOVERED;
	out->uid = from_kuid_munged(current_user_ns(), r->uid);
	out->gid = from_kgid_munged(current_user_ns(), r->gid);
	out->mode = r->mode;
	out->sessions = r->session_cnt;
	spin_unlock(&r->state);
}

/* Describe up to @cnt regions; returns how many there are. */
u32 pobjk_region_list(struct pobj_region *out, u32 cnt)
{
	struct pobjk_region *r;
	u32 n = 0;

	mutex_lock(&pobjk_regions_lock);
	list_for_each_entry(r, &regions, node) {
		if (!r->visible)
			continue;
		if (n < cnt)
			pobjk_region_describe(r, &out[n]);
		n++;
	}
	mutex_unlock(&pobjk_regions_lock);
	return n;
}

/* ---- module ----------------------------------------------------------------------------- */

int pobjk_region_init(void)
{
	region_mnt = kern_mount(&region_fs);
	return PTR_ERR_OR_ZERO(region_mnt);
}

void pobjk_region_exit(void)
{
	kern_unmount(region_mnt);
}
