/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-3-Clause */
/*
 * ioctls of /dev/pobj.
 *
 * DOC: Files
 *
 * /dev/pobj is the control file: it claims and releases devices, lists regions and attaches them.
 * Attaching returns a region file, which is mapped, queried, formatted and recovered, and can be
 * passed over a socket.
 *
 * DOC: General ioctl format
 *
 * Every struct begins with its size, as the caller was compiled. A shorter struct than the
 * kernel's is extended with zeros; a longer one is accepted if what the kernel does not know is
 * zero. Results are in fields out_*, as far as the caller's struct reaches. Reserved fields must
 * be 0. Errors common to all:
 *
 *	ENOTTY		no such ioctl on this file
 *	E2BIG		a field that this kernel does not know is not 0
 *	EINVAL		struct shorter than it was when it was first released, or a field is wrong
 *	EOPNOTSUPP	an unknown flag or a value that is not supported
 *	EFAULT		bad address
 *	ENOMEM		out of memory
 *	ENODEV		the device of the region is gone (unbound); but POBJ_IOC_INFO and _DETACH
 *			still work
 *
 * DOC: Life of a region
 *
 * claim -> attach, use, detach (any number of processes, any number of times) -> release. A claim
 * lasts until release or until the module is removed; it does not end with the process that made
 * it. When the device is unbound under it the region is dead: all that is left to do is release.
 *
 * DOC: Sessions
 *
 * A session is one attachment of one address space. It begins with POBJ_IOC_ATTACH, or with the
 * first mmap of a region file that another process passed over, and ends with POBJ_IOC_DETACH,
 * with the close of the file that began it once nothing is mapped, or when the address space is
 * gone ("death"), whoever still holds the file. Who attaches a region twice has one session, which
 * lasts until both files are detached or closed. The sidecar lives from the first session of a
 * region to the end of the last.
 *
 * A session that mapped data by a file attached for writing and ended by death leaves its lanes to
 * the others. When the last session ends and one has died so, the pool must be recovered again.
 *
 * DOC: mmap of a region file
 *
 * Offset 0 is the data of the region (POBJ_MMAP_DATA), POBJ_MMAP_SIDECAR is the sidecar. Both are
 * shared only (MAP_PRIVATE: EINVAL), are not inherited by fork and do not grow. Data that a child
 * inherits after all, by MADV_DOFORK, raises SIGBUS there: a child maps for itself. A write mapping
 * of a file attached read-only: EACCES. MAP_SYNC where the device is not synchronous: EOPNOTSUPP.
 * Beyond the end, or the region is gone: ENXIO. Data that was not recovered in this claim, or is
 * not formatted: EUCLEAN; a sidecar where there is no pool: ENXIO. Access to the data of a region
 * that was unbound raises SIGBUS (BUS_ADRERR), to a poisoned page SIGBUS (BUS_MCEERR_AR). fsync and
 * msync make data durable on devices with a volatile cache of their own, such as virtio-pmem;
 * elsewhere they write back the CPU caches of all that was mapped in the range, which CLWB and
 * SFENCE do at less cost.
 */
#ifndef _UAPI_LINUX_POBJ_H
#define _UAPI_LINUX_POBJ_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define POBJ_IOC_TYPE		0xB7

#define POBJ_MMAP_DATA		0ULL
#define POBJ_MMAP_SIDECAR	(1ULL << 60)

#define POBJ_LAYOUT_MAX		1024	/* bytes of the layout name, with its NUL */

/*
 * What was wrong with the contents of a region: out_diag of POBJ_IOC_RECOVER and POBJ_IOC_FORMAT.
 * lib/core/diag.c has a text for each.
 */
enum pobj_diag {
	POBJ_DIAG_NONE = 0,
	POBJ_DIAG_NOT_A_POOL,		/* no magic in either superblock */
	POBJ_DIAG_SUPER_CRC,		/* magic is there, checksum is wrong, in both copies */
	POBJ_DIAG_SUPER_FIELD,		/* a field of the superblock is impossible */
	POBJ_DIAG_INCOMPAT,		/* features that this build does not know */
	POBJ_DIAG_BUILD,		/* unstable format of another build */
	POBJ_DIAG_TRUNCATED,		/* medium is smaller than the pool */
	POBJ_DIAG_LANE_CRC,		/* a log slot is damaged */
	POBJ_DIAG_LANE_FIELD,		/* a log entry holds an impossible field */
	POBJ_DIAG_LANE_TARGET,		/* a log entry points where it may not */
	POBJ_DIAG_LANE_SEQ,		/* the sequences of a lane do not fit together */
	POBJ_DIAG_LINE,			/* a page line is impossible or overlaps another span */
	POBJ_DIAG_ROOT,			/* root record does not name a root object */
	POBJ_DIAG_CHUNK,		/* the chain of log chunks of a lane is broken */
	POBJ_DIAG_MEDIA,		/* the medium cannot be read (poison) */
	POBJ_DIAG_SIGNATURE,		/* a pool is there already */
	POBJ_DIAG_TOO_SMALL,		/* no room for a pool with this geometry */
	POBJ_DIAG_CNT
};

/* ---- control file ----------------------------------------------------------------------- */

/**
 * struct pobj_ioc_claim - ioctl(POBJ_IOC_CLAIM)
 * @size: sizeof(struct pobj_ioc_claim)
 * @flags: must be 0
 * @fd: the block device, opened by the caller for reading and writing; or -1
 * @__reserved: must be 0
 * @dev: with @fd -1: device number as in struct stat, needs CAP_SYS_ADMIN; else 0
 * @out_id: number of the region, not reused until the module is removed
 *
 * Take the device exclusively and make it a region. The region's owner and mode are those of the
 * pool on it; without a pool, the caller's fsuid and fsgid, and 0600.
 *
 *	EBADF		@fd is not open
 *	ENOTBLK		@fd is not a block device
 *	EACCES		@fd is not open for reading and writing
 *	EPERM		@fd is -1 and the caller lacks CAP_SYS_ADMIN
 *	EBUSY		the device is claimed, mounted or otherwise in exclusive use
 *	EOPNOTSUPP	the device has no DAX: on NVDIMMs, a raw or sector namespace; make it
 *			fsdax with: ndctl create-namespace -f -e NAMESPACE -m fsdax
 *	EROFS		the device is read-only
 *	ENXIO		no such device
 */
struct pobj_ioc_claim {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 __reserved;
	__aligned_u64 dev;
	__aligned_u64 out_id;
};

/**
 * struct pobj_ioc_release - ioctl(POBJ_IOC_RELEASE)
 * @size: sizeof(struct pobj_ioc_release)
 * @flags: must be 0
 * @id: number of the region
 *
 * Give the device back. For the owner of the region, or CAP_SYS_ADMIN.
 *
 *	ENOENT		no such region
 *	EPERM		not the owner
 *	EBUSY		the region is attached, or a page of it is pinned (I/O under way, a pipe)
 */
struct pobj_ioc_release {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
};

/* pobj_region.flags, pobj_ioc_info.out_flags */
#define POBJ_REGION_POOL	(1U << 0)	/* holds a formatted pool */
#define POBJ_REGION_RECOVERED	(1U << 1)	/* pool was recovered in this claim */
#define POBJ_REGION_SYNC	(1U << 2)	/* CLWB + SFENCE persist; MAP_SYNC works */
#define POBJ_REGION_CACHED	(1U << 3)	/* CPU caches are volatile: CLWB is needed */
#define POBJ_REGION_DEAD	(1U << 4)	/* device was unbound; release it */
#define POBJ_REGION_RDONLY	(1U << 5)	/* this file was attached read-only */
#define POBJ_REGION_DAMAGED	(1U << 6)	/* a pool is there that cannot be used as it is */

/**
 * struct pobj_region - one element of what POBJ_IOC_LIST returns
 * @id: number of the region
 * @dev: device number of the block device, as in struct stat
 * @bytes: size of the data
 * @uuid: UUID of the pool, all 0 if there is none
 * @flags: POBJ_REGION_*
 * @node: NUMA node, -1 if the platform does not say
 * @uid: owner
 * @gid: group
 * @mode: permission bits
 * @sessions: attached address spaces
 * @name: name of the block device, NUL-terminated
 */
struct pobj_region {
	__aligned_u64 id;
	__aligned_u64 dev;
	__aligned_u64 bytes;
	__u8 uuid[16];
	__u32 flags;
	__s32 node;
	__u32 uid;
	__u32 gid;
	__u32 mode;
	__u32 sessions;
	__u8 name[32];
};

/**
 * struct pobj_ioc_list - ioctl(POBJ_IOC_LIST)
 * @size: sizeof(struct pobj_ioc_list)
 * @flags: must be 0
 * @regions: address of an array of struct pobj_region
 * @region_bytes: sizeof(struct pobj_region) of the caller, at least 8; elements are spaced by it
 * @cnt: elements that the array holds
 * @out_cnt: regions there are; if above @cnt, only the first @cnt were stored
 * @__reserved: must be 0
 */
struct pobj_ioc_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 regions;
	__u32 region_bytes;
	__u32 cnt;
	__u32 out_cnt;
	__u32 __reserved;
};

#define POBJ_ATTACH_RDONLY	(1U << 0)	/* map for reading only */

/**
 * struct pobj_ioc_attach - ioctl(POBJ_IOC_ATTACH)
 * @size: sizeof(struct pobj_ioc_attach)
 * @flags: POBJ_ATTACH_*
 * @id: number of the region, or 0 to find it by @uuid
 * @uuid: UUID of the pool, when @id is 0
 * @out_fd: the region file, close-on-exec
 * @__reserved: must be 0
 * @out_session: session of the caller; never reused
 *
 *	ENOENT		no such region
 *	ENOTUNIQ	several regions have this UUID, as a device and its copy: attach by @id
 *	EACCES		mode of the region does not allow it
 *	EMFILE, ENFILE	too many open files
 */
struct pobj_ioc_attach {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
	__u8 uuid[16];
	__s32 out_fd;
	__u32 __reserved;
	__aligned_u64 out_session;
};

/* ---- region file ------------------------------------------------------------------------ */

/**
 * struct pobj_ioc_detach - ioctl(POBJ_IOC_DETACH)
 * @size: sizeof(struct pobj_ioc_detach)
 * @flags: must be 0
 *
 * End the caller's session, unless another file of the region keeps it. Closing the file does it
 * too, once nothing is mapped.
 *
 *	ENOENT		the caller's address space has no session by this file
 *	EBUSY		the caller still maps data by this file, or the sidecar
 *	EINTR		a signal came while waiting for an mmap under way
 */
struct pobj_ioc_detach {
	__u32 size;
	__u32 flags;
};

/**
 * struct pobj_ioc_info - ioctl(POBJ_IOC_INFO)
 * @size: sizeof(struct pobj_ioc_info)
 * @flags: must be 0
 * @out_region: as POBJ_IOC_LIST returns it
 * @out_session: session of the caller, 0 if it has none
 * @out_sidecar_bytes: bytes of the sidecar that can be mapped; 0 if there is no pool
 * @out_sidecar_id: number of the present sidecar, never reused: the generation of what is in it
 * @out_faults_2m: faults that mapped 2 MiB, since the claim
 * @out_faults_4k: faults that mapped 4 KiB, since the claim
 * @out_bad_cnt: bad ranges known (from the device's list and from memory failures)
 * @out_bad_bytes: bytes in them
 * @out_recoveries: successful POBJ_IOC_RECOVER that did work, since the claim
 */
struct pobj_ioc_info {
	__u32 size;
	__u32 flags;
	struct pobj_region out_region;
	__aligned_u64 out_session;
	__aligned_u64 out_sidecar_bytes;
	__aligned_u64 out_sidecar_id;
	__aligned_u64 out_faults_2m;
	__aligned_u64 out_faults_4k;
	__aligned_u64 out_bad_cnt;
	__aligned_u64 out_bad_bytes;
	__aligned_u64 out_recoveries;
};

/**
 * struct pobj_ioc_recover - ioctl(POBJ_IOC_RECOVER)
 * @size: sizeof(struct pobj_ioc_recover)
 * @flags: must be 0
 * @out_flags: 1 if the pool had been recovered in this claim already and nothing was done
 * @out_diag: enum pobj_diag, what was wrong when EUCLEAN is returned
 * @out_diag_off: offset of it
 * @out_diag_found: value found there
 * @out_diag_expected: value or bound expected
 * @out_lanes: lanes read
 * @out_live: log entries that were live
 * @out_undone: words put back
 * @out_redone: frees repeated
 * @out_repaired: superblock copies rewritten from the other
 *
 * Bring the pool back to the state after the last finished operation: superblock, then lanes
 * (time grows with the number of lanes, not with the size). Needed once a claim, and again after
 * a death (see "Sessions"); then, until it succeeded, the data cannot be mapped. Two at
 * once: one works, the other waits for it. Needs a file attached for writing.
 *
 *	EUCLEAN		contents are damaged: @out_diag says how, nothing was changed
 *	EMEDIUMTYPE	not formatted
 *	EIO		the medium cannot be read, at @out_diag_off
 *	EACCES		attached read-only
 *	EINTR		a signal came while waiting for another recovery
 */
struct pobj_ioc_recover {
	__u32 size;
	__u32 flags;
	__u32 out_flags;
	__u32 out_diag;
	__aligned_u64 out_diag_off;
	__aligned_u64 out_diag_found;
	__aligned_u64 out_diag_expected;
	__aligned_u64 out_lanes;
	__aligned_u64 out_live;
	__aligned_u64 out_undone;
	__aligned_u64 out_redone;
	__aligned_u64 out_repaired;
};

#define POBJ_RECOVER_WAS_DONE	(1U << 0)	/* out_flags */

#define POBJ_FORMAT_FORCE	(1U << 0)	/* even if a pool is there */

/**
 * struct pobj_ioc_format - ioctl(POBJ_IOC_FORMAT)
 * @size: sizeof(struct pobj_ioc_format)
 * @flags: POBJ_FORMAT_*
 * @uuid: UUID of the new pool; its first 8 bytes must not be 0, and no region may have it
 * @mode: permission bits of the region from now on; of them 0666 count
 * @page_shift: log2 of the page size, 0 for the default
 * @lane_cnt: number of lanes, 0 for the default
 * @out_diag: enum pobj_diag, what was wrong
 * @layout: name of the layout, NUL-terminated
 *
 * Make an empty pool of the whole region, owned by the caller; it counts as recovered. The
 * contents are lost. The caller looks for signatures of others (file systems, partition tables)
 * before; a pool is refused here. After EIO or ENODEV there may be no pool.
 *
 *	EEXIST		a pool is there and POBJ_FORMAT_FORCE is not given, or @uuid is in use
 *	EBUSY		somebody else is attached, or data or sidecar are mapped
 *	EACCES		attached read-only
 *	ENOSPC		region is too small
 *	EIO		the medium cannot be written, or is known to be bad where metadata stands
 *	EINTR		a signal came while waiting for a recovery or another format
 */
struct pobj_ioc_format {
	__u32 size;
	__u32 flags;
	__u8 uuid[16];
	__u32 mode;
	__u32 page_shift;
	__u32 lane_cnt;
	__u32 out_diag;
	__u8 layout[POBJ_LAYOUT_MAX];
};

/*
 * The number alone says which ioctl it is: the kernel ignores the size encoded here, so that
 * structs may grow.
 */
#define POBJ_IOC_CLAIM		_IOWR(POBJ_IOC_TYPE, 0x00, struct pobj_ioc_claim)
#define POBJ_IOC_RELEASE	_IOWR(POBJ_IOC_TYPE, 0x01, struct pobj_ioc_release)
#define POBJ_IOC_LIST		_IOWR(POBJ_IOC_TYPE, 0x02, struct pobj_ioc_list)
#define POBJ_IOC_ATTACH		_IOWR(POBJ_IOC_TYPE, 0x03, struct pobj_ioc_attach)
#define POBJ_IOC_DETACH		_IOWR(POBJ_IOC_TYPE, 0x10, struct pobj_ioc_detach)
#define POBJ_IOC_INFO		_IOWR(POBJ_IOC_TYPE, 0x11, struct pobj_ioc_info)
#define POBJ_IOC_RECOVER	_IOWR(POBJ_IOC_TYPE, 0x12, struct pobj_ioc_recover)
#define POBJ_IOC_FORMAT		_IOWR(POBJ_IOC_TYPE, 0x13, struct pobj_ioc_format)

#endif /* _UAPI_LINUX_POBJ_H */
