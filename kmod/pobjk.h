/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside pobj.ko: the objects, who owns them and in which order their locks are taken.
 *
 * Objects
 *
 *	region	 a claimed device. Reference-counted: by the list of regions (from claim to
 *		 release), by each region file and by each session
 *	file	 an open region file. Holds the region, and is bound to the sessions that use it
 *	session	 one address space that uses a region. Known by (region, mm)
 *	bind	 "this session uses this file". A session with no binds and no mappings ends
 *
 * Lock order: a lock is only taken while holding locks above it.
 *
 *	region->work	   mutex     long work on the contents: recovery, formatting
 *	pobjk_regions_lock mutex     the list of regions; claim, attach, release: one at a time
 *	mm->mmap_lock
 *	region->life	   rwsem     read: the device is there and its memory may be touched;
 *				     write: it dies, or a range of it becomes bad
 *	i_mmap_rwsem	   rwsem     of the region's inode or of the sidecar: who maps it
 *	region->state	   spinlock  everything marked "state" below
 *
 * No user memory is touched (copy_to_user) under any of them: that may fault on a mapping of a
 * region, and may take as long as whoever serves the fault pleases.
 *
 * Invariants
 *
 *	R1. dead is set under life held for writing and never cleared. Whoever holds life for
 *	    reading and sees !dead may use kaddr, struct pages and the badblocks list until it
 *	    lets go: removal of the device waits for it.
 *	R2. recovered implies pool. Data is mapped only by an mm that has a session, and the
 *	    mapping began while recovered was set.
 *	R3. sidecar is there only while a session is; sidecar_id changes with each one.
 *	R4. A region with files or sessions is not released.
 */
#ifndef POBJK_H
#define POBJK_H

#undef pr_fmt
#define pr_fmt(fmt)		"pobj: " fmt

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/xarray.h>

#include <linux/pobj.h>

#include "kmod/compat.h"
#include "lib/core/media.h"
#include "lib/core/super.h"

struct dax_device;
struct dev_pagemap;

#define POBJK_UUID_BYTES	16
#define POBJK_UNIT_PAGES	HPAGE_PMD_NR	/* pages are prepared by units of 2 MiB */

/* ---- region ----------------------------------------------------------------------------- */

struct pobjk_region {
	struct kref ref;
	u64 id;

	/* The list, under pobjk_regions_lock. Hidden while a claim is not complete. */
	struct list_head node;
	bool visible;
	u8 uuid_next[POBJK_UUID_BYTES];	/* of a format under way, else 0 */

	/* The device: set by claim, then constant. */
	struct pobjk_bdev bdev;
	struct dax_device *dax;
	u64 dax_off;			/* where the region starts in @dax */
	u64 bytes;
	void *kaddr;			/* of offset 0; the whole region is contiguous */
	unsigned long pfn;
	bool sync;
	int numa_node;
	char name[sizeof_field(struct pobj_region, name)];
	struct inode *inode;		/* data is mapped through its i_mapping */
	struct pobj_media media;	/* how lib/core gets at the contents */

	/* Life. */
	struct rw_semaphore life;
	bool dead;
	struct dev_pagemap *pgmap;
	struct xarray bad;		/* pages that failed, by number; written under life */
	unsigned long *touched;		/* units whose struct pages were prepared */

	struct mutex work;		/* recovery and formatting, one at a time */

	/* State. */
	spinlock_t state;
	bool pool;
	bool damaged;			/* a superblock is there that cannot be used; not pool */
	bool recovered;
	bool tainted;			/* a session that may have written died */
	u8 uuid[POBJK_UUID_BYTES];
	kuid_t uid;
	kgid_t gid;
	u32 mode;
	u64 sidecar_bytes;
	u64 sidecar_id;
	struct file *sidecar;
	struct list_head sessions;
	u32 session_cnt;
	u32 file_cnt;
	u64 recoveries;

	atomic64_t faults_2m;
	atomic64_t faults_4k;
};

extern struct mutex pobjk_regions_lock;

static inline unsigned long pobjk_region_pages(const struct pobjk_region *r)
{
	return r->bytes >> PAGE_SHIFT;
}

static inline unsigned long pobjk_region_units(const struct pobjk_region *r)
{
	return DIV_ROUND_UP(pobjk_region_pages(r), POBJK_UNIT_PAGES);
}

/* region.c */
struct pobjk_region *pobjk_region_claim(dev_t dev);
void pobjk_region_show(struct pobjk_region *r);
int pobjk_region_release(struct pobjk_region *r, bool wait);
struct pobjk_region *pobjk_region_find(u64 id);
struct pobjk_region *pobjk_region_find_uuid(const u8 *uuid);
struct pobjk_region *pobjk_region_get_holder(const void *holder, const struct dax_device *dax);
int pobjk_region_reserve_uuid(struct pobjk_region *r, const u8 *uuid);
void pobjk_region_put(struct pobjk_region *r);
bool pobjk_region_owned(struct pobjk_region *r);
bool pobjk_region_may(struct pobjk_region *r, bool rdonly);
void pobjk_region_describe(struct pobjk_region *r, struct pobj_region *out);
u32 pobjk_region_list(struct pobj_region *out, u32 cnt);
void pobjk_region_release_all(void);
bool pobjk_region_enter(struct pobjk_region *r);
void pobjk_region_leave(struct pobjk_region *r);
int pobjk_region_init(void);
void pobjk_region_exit(void);

/* device.c */
int pobjk_device_take(struct pobjk_region *r, dev_t dev);
void pobjk_device_give(struct pobjk_region *r);
void pobjk_device_drop_pgmap(struct pobjk_region *r);

/* pages.c */
void pobjk_pages_prepare(struct pobjk_region *r, unsigned long page);
void pobjk_pages_forget(struct pobjk_region *r);
bool pobjk_pages_idle(struct pobjk_region *r);
void pobjk_pages_wait_idle(struct pobjk_region *r);

/* poison.c */
struct dax_holder_operations;
extern const struct dax_holder_operations pobjk_holder_ops;
bool pobjk_poison_hits(struct pobjk_region *r, unsigned long page, unsigned long cnt);
void pobjk_poison_count(struct pobjk_region *r, u64 *cnt, u64 *bytes);
int pobjk_poison_init(void);
void pobjk_poison_exit(void);

/* ---- sessions --------------------------------------------------------------------------- */

/**
 * struct pobjk_session - one address space that uses a region
 * @ref: the region's list of sessions holds one, and whoever looks at it without region->state
 * @mn: tells when the address space is gone; keeps the mm_struct (not its memory)
 * @region: holds a reference until the session has ended
 * @id: never reused
 * @node: in region->sessions; state
 * @binds: files that use it; state
 * @seq: changes with each bind; state
 * @sweep: number of the last sweep that looked at it; state
 * @wrote: data was mapped by a file that may write; state
 * @ended: who sets it ends the session (session.c)
 */
struct pobjk_session {
	refcount_t ref;
	struct mmu_notifier mn;
	struct pobjk_region *region;
	u64 id;
	struct list_head node;
	struct list_head binds;
	u32 seq;
	u64 sweep;
	bool wrote;
	int ended;
};

enum pobjk_end { POBJK_END_DEATH, POBJK_END_DETACH, POBJK_END_CLOSE };

/**
 * struct pobjk_file - an open region file
 * @region: holds a reference
 * @binds: sessions that use it; region->state
 * @rdonly: attached for reading only
 */
struct pobjk_file {
	struct pobjk_region *region;
	struct list_head binds;
	bool rdonly;
};

/* session.c */
int pobjk_session_bind(struct pobjk_file *pf, bool mmap_locked, u64 *id);
void pobjk_session_wrote(struct pobjk_region *r, struct mm_struct *mm);
int pobjk_session_detach(struct pobjk_file *pf, struct file *file);
u64 pobjk_session_id(struct pobjk_region *r, struct mm_struct *mm);
bool pobjk_session_sole(struct pobjk_region *r, struct mm_struct *mm);
void pobjk_session_unbind_file(struct pobjk_file *pf);
void pobjk_session_sweep(struct pobjk_region *r);
void pobjk_session_end_all(struct pobjk_region *r);
void pobjk_session_exit(void);

/* sidecar.c */
int pobjk_sidecar_make(struct pobjk_region *r);
struct file *pobjk_sidecar_take(struct pobjk_region *r);
int pobjk_sidecar_mmap(struct pobjk_file *pf, struct vm_area_struct *vma);

/* ---- files ------------------------------------------------------------------------------ */

/* file.c */
struct file *pobjk_file_open(struct pobjk_region *r, bool rdonly);

/* mmap.c */
int pobjk_mmap(struct file *file, struct vm_area_struct *vma);
bool pobjk_mapped_by(struct address_space *mapping, struct mm_struct *mm, struct file *file);

/* recover.c */
void pobjk_recover_media(struct pobjk_region *r);
int pobjk_recover_look(struct pobjk_region *r);
int pobjk_recover(struct pobjk_region *r, struct pobj_ioc_recover *a);
int pobjk_recover_format(struct pobjk_region *r, struct pobj_ioc_format *a);
int pobjk_recover_fsync(struct pobjk_region *r, u64 start, u64 end);

/* ---- ioctls ----------------------------------------------------------------------------- */

/**
 * struct pobjk_call - an ioctl under way
 * @file: on which file
 * @arg: its struct, complete, zeros where the caller's is shorter
 * @uarg: the caller's
 * @bytes: bytes of the caller's struct that this kernel knows
 */
struct pobjk_call {
	struct file *file;
	void *arg;
	void __user *uarg;
	size_t bytes;
};

/**
 * struct pobjk_ioctl - how to serve an ioctl
 * @nr: _IOC_NR
 * @bytes: size of the struct
 * @min: its size when it was first released: less is EINVAL
 * @fn: does it; calls pobjk_respond() when there is something to hand back
 */
struct pobjk_ioctl {
	unsigned int nr;
	size_t bytes;
	size_t min;
	int (*fn)(struct pobjk_call *c);
};

/* main.c */
long pobjk_dispatch(const struct pobjk_ioctl *table, size_t cnt, struct file *file,
		    unsigned int cmd, unsigned long arg);
int pobjk_respond(struct pobjk_call *c);

/* control.c */
extern const struct file_operations pobjk_control_fops;

#endif
