/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that the module is built for: 6.1 and 6.12. No other file
 * looks at LINUX_VERSION_CODE.
 */
#ifndef POBJK_COMPAT_H
#define POBJK_COMPAT_H

#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/version.h>

/* ---- an exclusively opened block device ------------------------------------------------- */

struct pobjk_bdev {
	struct block_device *bdev;
	struct file *file;	/* since 6.9 */
};

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)

static inline int pobjk_bdev_open(struct pobjk_bdev *b, dev_t dev, void *holder)
{
	struct file *file = bdev_file_open_by_dev(dev, BLK_OPEN_READ | BLK_OPEN_WRITE, holder,
						  NULL);

	if (IS_ERR(file))
		return PTR_ERR(file);
	b->file = file;
	b->bdev = file_bdev(file);
	return 0;
}

/* Gives up the exclusive hold at once, even if the last reference to the file goes later. */
static inline void pobjk_bdev_close(struct pobjk_bdev *b)
{
	bdev_fput(b->file);
	b->bdev = NULL;
}

#else

#define POBJK_BDEV_MODE		(FMODE_READ | FMODE_WRITE | FMODE_EXCL)

static inline int pobjk_bdev_open(struct pobjk_bdev *b, dev_t dev, void *holder)
{
	struct block_device *bdev = blkdev_get_by_dev(dev, POBJK_BDEV_MODE, holder);

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	b->bdev = bdev;
	return 0;
}

static inline void pobjk_bdev_close(struct pobjk_bdev *b)
{
	blkdev_put(b->bdev, POBJK_BDEV_MODE);
	b->bdev = NULL;
}

#endif

/* ---- memory failure --------------------------------------------------------------------- */

/*
 * The device is about to be removed, as opposed to: a range of it failed. Before 6.7 there is no
 * flag for it, but nothing else reports a range without an end.
 */
static inline bool pobjk_failure_is_removal(u64 len, int flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	if (flags & MF_MEM_PRE_REMOVE)
		return true;
#endif
	return len == U64_MAX;
}

/* ---- mappings --------------------------------------------------------------------------- */

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* Size of a huge fault, as vm_operations_struct.huge_fault gets it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
typedef unsigned int pobjk_fault_size_t;
#define POBJK_FAULT_PMD		((pobjk_fault_size_t)HPAGE_PMD_ORDER)
#else
typedef enum page_entry_size pobjk_fault_size_t;
#define POBJK_FAULT_PMD		PE_SIZE_PMD
#endif

/* Members of file_operations that let MAP_SYNC through to .mmap. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define POBJK_FOPS_MAP_SYNC	.fop_flags = FOP_MMAP_SYNC
#else
#include <linux/mman.h>
#define POBJK_FOPS_MAP_SYNC	.mmap_supported_flags = MAP_SYNC
#endif

#endif
