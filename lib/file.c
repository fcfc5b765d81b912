// SPDX-License-Identifier: BSD-3-Clause
/*
 * Pools in files: on a DAX file system (MAP_SYNC), in the page cache (msync), or in memory
 * (tmpfs, which no power cut spares, but every kill does).
 *
 * Who may do what is settled by record locks, which the kernel drops when a process ends. On the
 * pool file, far behind its end, two bytes, as locks of the open file description: they survive
 * that the program opens and closes the file elsewhere, which loses locks of the process kind.
 *
 *	GATE	exclusive, while opening, closing, recovering: one at a time, waits
 *	USE	shared, as long as the pool is open; who gets it exclusively is alone
 *
 * The sidecar is a shared-memory object named by device and inode of the pool file. The first
 * opener removes what it finds and makes a new one; the last to close removes it. An opener who
 * is not alone must find it, or it sits in another /dev/shm (a container) and must not join: two
 * sidecars for one pool would hand out everything twice.
 *
 * On the sidecar's own file each session holds the byte of its slot (session.c), as a lock of the
 * process: these are not inherited by fork, so a lock held means that its very process lives.
 * Nobody else opens that file in our process, so the trap of this kind (any close drops the lock)
 * is out of reach. A child closes the descriptors it inherits (fd.c), else it would keep USE alive.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/core/recover.h"
#include "lib/core/side.h"
#include "lib/errormsg.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/sidecar.h"
#include "libpmemobj/pool_base.h"

#define LOCK_GATE	(1ULL << 61)
#define LOCK_USE	(LOCK_GATE + 1)
#define LOCK_SLOT	(1ULL << 61)	/* on the sidecar's file: slot i is byte LOCK_SLOT + i */

int pobj_file_lock(int fd, int cmd, short type, u64 byte)
{
	struct flock fl = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1,
	};
	int err;

	do {
		err = fcntl(fd, cmd, &fl) ? -errno : 0;
	} while (err == -EINTR);
	return err;
}

static int lock_gate(int fd, const char *path)
{
	int err = pobj_file_lock(fd, F_OFD_SETLKW, F_WRLCK, LOCK_GATE);

	return err ? pobj_err_sys(err, "%s: cannot lock the pool file", path) : 0;
}

/* 1: USE is ours exclusively, 0: others have it, or -errno. */
static int lock_alone(int fd)
{
	int err = pobj_file_lock(fd, F_OFD_SETLK, F_WRLCK, LOCK_USE);

	if (err == -EAGAIN || err == -EACCES)
		return 0;
	return err ? err : 1;
}

static void sidecar_name(int fd, char name[64])
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	fstat(fd, &st);
	snprintf(name, 64, "/pobj.%llx.%llx", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
}

int pobj_file_in_use(int fd, const char *path, bool keep)
{
	char name[64];
	int err, alone;

	err = lock_gate(fd, path);
	if (err)
		return err;
	alone = lock_alone(fd);
	if (alone < 0)
		return pobj_err_sys(alone, "%s: cannot lock the pool file", path);
	if (alone) {
		/* What a killed last user left behind. */
		sidecar_name(fd, name);
		shm_unlink(name);
	}
	if (!alone || !keep) {
		if (alone)
			pobj_file_lock(fd, F_OFD_SETLK, F_UNLCK, LOCK_USE);
		pobj_file_lock(fd, F_OFD_SETLK, F_UNLCK, LOCK_GATE);
	}
	return !alone;
}

int pobj_file_count_locks(int sfd)
{
	struct flock fl;
	int users = 0;
	u32 i;

	/* One by one: of several in a range F_GETLK tells any, not the first. */
	for (i = 0; i < POBJ_SESSION_SLOTS; i++) {
		fl = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET,
				     .l_start = (off_t)(LOCK_SLOT + i), .l_len = 1 };
		users += !fcntl(sfd, F_GETLK, &fl) && fl.l_type != F_UNLCK;
	}
	return users;
}

int pobj_file_users(int fd)
{
	char name[64];
	int sfd, users;

	sidecar_name(fd, name);
	sfd = shm_open(name, O_RDWR, 0);
	if (sfd < 0)
		return errno == ENOENT ? 0 : -1;
	users = pobj_file_count_locks(sfd);
	close(sfd);
	return users;
}

/* ---- open and create --------------------------------------------------------------------- */

/*
 * A file that shall become a pool must not hold anything, whoever made it: between our making it
 * and the gate somebody else may have been quicker. It gets its size only behind the gate.
 */
static int file_prepare(struct pobj_pool *p, const struct pobj_wish *create, u64 size)
{
	static const char zeros[8192];
	char head[sizeof(zeros)];
	ssize_t n;
	int err;

	n = pread(p->fd, head, sizeof(head), 0);
	if (n < 0)
		return pobj_err_sys(-errno, "%s: cannot be read", p->path);
	if ((create->size && size) || memcmp(head, zeros, (size_t)n))
		return pobj_err(-EEXIST,
				"%s: the file holds data; a pool is made of a new file, or of one that begins with 8 KiB of zeros",
				p->path);
	if (!create->size && size < PMEMOBJ_MIN_POOL)
		return pobj_err(-EINVAL, "%s: %llu bytes are below the minimum of %zu", p->path,
				(unsigned long long)size, PMEMOBJ_MIN_POOL);
	if (!create->size)
		return 0;
	p->made = true;
	/* Room now, rather than SIGBUS at some later store. */
	err = posix_fallocate(p->fd, 0, (off_t)create->size);
	return err ? pobj_err_sys(-err, "%s: cannot allocate %llu bytes", p->path,
				  (unsigned long long)create->size) : 0;
}

static int file_open(struct pobj_pool *p, const struct pobj_wish *create)
{
	const int make = create && create->size ? O_CREAT | O_EXCL : 0;
	struct stat st;
	int err;

	p->fd = pobj_fd_open(p->path, O_RDWR | make, create ? create->mode : 0);
	if (p->fd < 0 || fstat(p->fd, &st))
		return pobj_err_sys(-errno, "%s", p->path);
	if (!S_ISREG(st.st_mode))
		return pobj_err(-EINVAL, "%s: not a regular file%s", p->path,
				S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode) ?
				"; name a device as pobj:DEVICE" : "");
	err = pobj_pool_not_open(st.st_dev, st.st_ino, p->path);
	if (err)
		return err;
	err = lock_gate(p->fd, p->path);
	if (err)
		return err;
	err = lock_alone(p->fd);
	if (err < 0)
		return pobj_err_sys(err, "%s: cannot lock the pool file", p->path);
	p->alone = err;
	if (create && !p->alone)
		return pobj_err(-EBUSY, "%s: another process uses the file", p->path);
	/* Read behind the gate: whoever makes the file holds it until it has its size. */
	if (fstat(p->fd, &st))
		return pobj_err_sys(-errno, "%s", p->path);
	if (create) {
		err = file_prepare(p, create, (u64)st.st_size);
		if (err)
			return err;
	}
	if (fstat(p->fd, &st))
		return pobj_err_sys(-errno, "%s", p->path);
	p->media.size = (u64)st.st_size;
	p->dev = st.st_dev;
	p->ino = st.st_ino;
	return 0;
}

/* Map the file at @at (NULL: anywhere) and find out what its medium needs. */
int pobj_file_map(struct pobj_pool *p, int fd, void *at)
{
	const int fixed = at ? MAP_FIXED : 0;
	enum pobj_medium kind = POBJ_MEDIUM_CACHED;
	struct statfs sf;
	void *map;

	map = mmap(at, p->media.size, PROT_READ | PROT_WRITE,
		   MAP_SHARED_VALIDATE | MAP_SYNC | fixed, fd, 0);
	if (map == MAP_FAILED) {
		map = mmap(at, p->media.size, PROT_READ | PROT_WRITE, MAP_SHARED | fixed, fd, 0);
		if (map == MAP_FAILED)
			return pobj_err_sys(-errno, "%s: cannot be mapped", p->path);
		kind = POBJ_MEDIUM_PAGES;
		if (!fstatfs(fd, &sf) && (sf.f_type == TMPFS_MAGIC || sf.f_type == RAMFS_MAGIC ||
					  sf.f_type == HUGETLBFS_MAGIC))
			kind = POBJ_MEDIUM_DRAM;
	}
	p->media.base = map;
	if (madvise(map, p->media.size, MADV_DONTFORK))
		return pobj_err_sys(-errno, "%s: MADV_DONTFORK", p->path);
	pobj_persist_setup(&p->media, pobj_persist_forced(kind));
	return 0;
}

static int file_mmap(struct pobj_pool *p)
{
	return pobj_file_map(p, p->fd, p->media.base);
}

static int file_format(struct pobj_pool *p, const struct pobj_wish *create)
{
	return pobj_pool_format_mapped(p, create, file_mmap);
}

static int file_map(struct pobj_pool *p)
{
	struct pobj_recovery r;
	struct pobj_finding f = { 0 };
	int err;

	err = file_mmap(p);
	if (err || !p->alone)
		return err;
	err = pobj_recover_pool(&p->media, &p->super, &r, &f);
	return err ? pobj_err_finding(err, p->path, &f) : 0;
}

/* ---- sidecar, and letting others in ------------------------------------------------------ */

/* Make a new sidecar file, with the pool file's owner and mode: who may one, may the other. */
static int sidecar_make(struct pobj_pool *p, const char *name)
{
	struct stat st;
	int fd, err;

	if (shm_unlink(name) && errno != ENOENT)
		return pobj_err_sys(-errno,
				    "%s: shared memory /dev/shm%s is in the way and cannot be removed",
				    p->path, name);
	fd = pobj_fd_shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return pobj_err_sys(-errno, "%s: cannot make shared memory /dev/shm%s", p->path,
				    name);
	if (fstat(p->fd, &st) || (fchown(fd, st.st_uid, st.st_gid) && errno != EPERM) ||
	    fchmod(fd, st.st_mode & 0666) || ftruncate(fd, (off_t)p->sidecar_bytes)) {
		err = pobj_err_sys(-errno, "%s: cannot set up shared memory /dev/shm%s", p->path,
				   name);
		pobj_fd_close(fd);
		shm_unlink(name);
		return err;
	}
	return fd;
}

static int sidecar_find(struct pobj_pool *p, const char *name)
{
	struct stat st;
	int fd;

	fd = pobj_fd_shm_open(name, O_RDWR, 0);
	if (fd < 0)
		return pobj_err(-EBUSY,
				"%s: another process uses the pool, but its shared memory /dev/shm%s cannot be reached (%s); open the pool where that process runs, or close it there",
				p->path, name, strerror(errno));
	if (fstat(fd, &st) || (u64)st.st_size != p->sidecar_bytes) {
		pobj_fd_close(fd);
		return pobj_err(-EBUSY, "%s: shared memory /dev/shm%s is not of this pool", p->path,
				name);
	}
	return fd;
}

static int file_sidecar(struct pobj_pool *p)
{
	char name[64];
	void *at;
	int fd;

	p->sidecar_bytes = pobj_geom_sidecar_bytes(&p->super.geom);
	sidecar_name(p->fd, name);
	fd = p->alone ? sidecar_make(p, name) : sidecar_find(p, name);
	if (fd < 0)
		return fd;
	p->lock_fd = fd;
	p->lock_cmd = F_SETLK;
	p->lock_base = LOCK_SLOT;
	at = mmap(NULL, p->sidecar_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		  0);
	if (at == MAP_FAILED)
		return pobj_err_sys(-errno, "%s: cannot map its shared memory", p->path);
	p->sidecar = at;
	if (madvise(at, p->sidecar_bytes, MADV_DONTFORK))
		return pobj_err_sys(-errno, "%s: MADV_DONTFORK", p->path);
	return 0;
}

static int file_ready(struct pobj_pool *p)
{
	int err;

	/* From exclusive to shared in one step; then the next may come. */
	err = pobj_file_lock(p->fd, F_OFD_SETLK, F_RDLCK, LOCK_USE);
	if (!err)
		err = pobj_file_lock(p->fd, F_OFD_SETLK, F_UNLCK, LOCK_GATE);
	if (err)
		return pobj_err_sys(err, "%s: cannot lock the pool file", p->path);
	p->alone = false;
	return 0;
}

static void file_close(struct pobj_pool *p)
{
	char name[64];

	if (p->fd < 0)
		return;
	if (p->sidecar) {
		/* The last one puts out the light. Without the gate (an error) nobody does. */
		if (!pobj_file_lock(p->fd, F_OFD_SETLKW, F_WRLCK, LOCK_GATE) &&
		    lock_alone(p->fd) == 1) {
			sidecar_name(p->fd, name);
			shm_unlink(name);
		}
		munmap(p->sidecar, p->sidecar_bytes);
	}
	if (p->lock_fd >= 0)
		pobj_fd_close(p->lock_fd);
	/* Not left to close(): a descriptor that some child inherited would keep them. */
	pobj_file_lock(p->fd, F_OFD_SETLK, F_UNLCK, LOCK_USE);
	pobj_file_lock(p->fd, F_OFD_SETLK, F_UNLCK, LOCK_GATE);
	pobj_fd_close(p->fd);
	p->fd = -1;
	p->lock_fd = -1;
	p->sidecar = NULL;
}

static void file_discard(struct pobj_pool *p)
{
	if (p->made)
		unlink(p->path);
}

const struct pobj_backend pobj_backend_file = {
	.name = "file",
	.open = file_open,
	.format = file_format,
	.map = file_map,
	.sidecar = file_sidecar,
	.ready = file_ready,
	.close = file_close,
	.discard = file_discard,
};
