// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device of a region: taking it and giving it back.
 *
 * Three holds are needed. The block device, opened exclusively: nobody mounts it or claims it
 * twice. The holder of its dax_device: removal and memory failure are reported to us. A reference
 * to its dev_pagemap: its struct pages stay; where a stacked device does not pass a removal on to
 * us, the remover waits for that reference instead of pulling the pages away under a mapping.
 */
#include <linux/dax.h>
#include <linux/memremap.h>
#include <linux/pfn_t.h>

#include "kmod/pobjk.h"

#define DEVICE_STEP_PAGES	(1UL << 18)	/* 1 GiB: badblocks_check() counts sectors in int */

/* A device without DAX, said where whoever set it up will look: what it is and what to do. */
static void device_explain(struct block_device *bdev)
{
	struct device *parent = disk_to_dev(bdev->bd_disk)->parent;
	const char *ns = parent ? dev_name(parent) : "";

	if (strncmp(ns, "namespace", 9) && strncmp(ns, "btt", 3)) {
		pr_info_ratelimited("%pg: no DAX, cannot be a region\n", bdev);
		return;
	}
	pr_info_ratelimited("%pg: %s has no DAX. Make it fsdax (its contents are lost): ndctl create-namespace -f -e %s -m fsdax\n",
			    bdev, ns, strncmp(ns, "btt", 3) ? ns : "NAMESPACE");
}

/* One address and one row of page frames for all of it, whatever is bad in between. */
static int device_measure(struct pobjk_region *r)
{
	const pgoff_t start = PHYS_PFN(r->dax_off);
	unsigned long page, pages = pobjk_region_pages(r);
	void *kaddr;
	pfn_t pfn;
	long n;
	int id, err = 0;

	id = dax_read_lock();
	for (page = 0; page < pages; page += n) {
		/* This mode looks at a place even if it is known to be bad. */
		n = dax_direct_access(r->dax, start + page, min(pages - page, DEVICE_STEP_PAGES),
				      DAX_RECOVERY_WRITE, &kaddr, &pfn);
		if (n <= 0) {
			err = n ? n : -EIO;
			break;
		}
		if (!page) {
			r->kaddr = kaddr;
			r->pfn = pfn_t_to_pfn(pfn);
		}
		if (!pfn_t_devmap(pfn) || kaddr != r->kaddr + PFN_PHYS(page) ||
		    pfn_t_to_pfn(pfn) != r->pfn + page) {
			err = -EOPNOTSUPP;
			break;
		}
		cond_resched();
	}
	dax_read_unlock(id);
	return err;
}

/*
 * Do CPU flushes alone persist? dax_synchronous() should say; but 6.1 and 6.12 do not clear the
 * flags of a dax_device that they allocate in the memory of another, so that virtio-pmem, bound
 * after an NVDIMM was unbound, may pass for synchronous. Behind virtio is a file of the host:
 * never.
 */
static bool device_is_sync(struct pobjk_region *r)
{
	struct device *dev;

	for (dev = disk_to_dev(r->bdev.bdev->bd_disk); dev; dev = dev->parent)
		if (dev->bus && !strcmp(dev->bus->name, "virtio"))
			return false;
	return dax_synchronous(r->dax);
}

static int device_take_dax(struct pobjk_region *r)
{
	struct block_device *bdev = r->bdev.bdev;
	int err;

	if (!blk_queue_dax(bdev->bd_disk->queue)) {
		device_explain(bdev);
		return -EOPNOTSUPP;
	}
	if (!PAGE_ALIGNED(get_start_sect(bdev) << SECTOR_SHIFT) ||
	    !PAGE_ALIGNED(bdev_nr_bytes(bdev))) {
		pr_info_ratelimited("%pg: partition is not aligned to pages\n", bdev);
		return -EOPNOTSUPP;
	}
	r->dax = fs_dax_get_by_bdev(bdev, &r->dax_off, r, &pobjk_holder_ops);
	/* It is there: so another partition of it has a holder. */
	if (!r->dax)
		return -EBUSY;
	err = device_measure(r);
	if (err)
		return err;
	r->sync = device_is_sync(r);
	r->media.base = r->kaddr;
	r->media.size = r->bytes;
	/* Behind it is somebody's page cache, which writes back what it likes, when it likes. */
	r->media.lines_tear = !r->sync;
	return 0;
}

int pobjk_device_take(struct pobjk_region *r, dev_t dev)
{
	struct block_device *bdev;
	int err;

	err = pobjk_bdev_open(&r->bdev, dev, r);
	if (err)
		return err;
	bdev = r->bdev.bdev;
	if (bdev_read_only(bdev))
		return -EROFS;
	r->bytes = bdev_nr_bytes(bdev) & PAGE_MASK;
	if (!r->bytes)
		return -ENXIO;
	snprintf(r->name, sizeof(r->name), "%pg", bdev);
	r->numa_node = dev_to_node(disk_to_dev(bdev->bd_disk));
	err = device_take_dax(r);
	if (err)
		return err;

	/* Nothing that was written to the block device comes late and hits the pool. */
	err = sync_blockdev(bdev);
	if (err)
		return err;
	invalidate_bdev(bdev);

	down_write(&r->life);
	if (!r->dead)
		r->pgmap = get_dev_pagemap(r->pfn, NULL);
	err = r->pgmap ? 0 : -ENXIO;
	up_write(&r->life);
	return err;
}

void pobjk_device_drop_pgmap(struct pobjk_region *r)
{
	struct dev_pagemap *pgmap;

	down_write(&r->life);
	pgmap = r->pgmap;
	r->pgmap = NULL;
	up_write(&r->life);
	put_dev_pagemap(pgmap);
}

/* Also undoes half a pobjk_device_take(). */
void pobjk_device_give(struct pobjk_region *r)
{
	if (pobjk_region_enter(r)) {
		if (r->touched)
			pobjk_pages_forget(r);
		pobjk_region_leave(r);
	}
	pobjk_device_drop_pgmap(r);
	/* The holder goes before the exclusive hold: the next one needs both. */
	if (r->dax)
		fs_put_dax(r->dax, r);
	if (r->bdev.bdev) {
		/* What the block device's cache holds is older than what was stored by mapping. */
		invalidate_bdev(r->bdev.bdev);
		pobjk_bdev_close(&r->bdev);
	}
}
