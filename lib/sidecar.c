// SPDX-License-Identifier: BSD-3-Clause
/*
 * The sidecar: DRAM that the processes of one pool share. Nothing in it is needed after a power
 * cut. On a region the kernel makes it; for a file pool it is a shared-memory object (file.c).
 */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "lib/errormsg.h"
#include "lib/locks.h"
#include "lib/pool.h"
#include "lib/sidecar.h"

/* Move the words of @dst from 0 to those of @src; false if one held something else. */
static bool settle(void *dst, const void *src, size_t bytes)
{
	u64 *d = dst;
	u64 want, old;
	size_t i;
	bool same = true;

	for (i = 0; i < bytes / sizeof(want); i++) {
		memcpy(&want, (const char *)src + i * sizeof(want), sizeof(want));
		if (!want)
			continue;
		old = 0;
		if (!__atomic_compare_exchange_n(&d[i], &old, want, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE) && old != want)
			same = false;
	}
	return same;
}

static int read_boot_id(u8 id[POBJ_BOOT_ID_BYTES])
{
	ssize_t n;
	int fd;

	memset(id, 0, POBJ_BOOT_ID_BYTES);
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return pobj_err_sys(-errno, "boot id of this kernel");
	n = read(fd, id, POBJ_BOOT_ID_BYTES - 1);
	close(fd);
	return n > 0 ? 0 : pobj_err(-EIO, "boot id of this kernel cannot be read");
}

/*
 * A robust, process-shared, error-checking mutex, as the words that are not 0 in it. Those are
 * its kind, which never changes; so settling them cannot disturb a mutex in use.
 */
static int lock_template(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;
	int err;

	memset(lock, 0, sizeof(*lock));
	err = pthread_mutexattr_init(&attr);
	if (err)
		return -err;
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	err = pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return -err;
}

int pobj_sidecar_join(struct pobj_sidecar *sc, const struct pobj_super *s, const char *what)
{
	const u64 magic = POBJ_SIDECAR_MAGIC;
	u8 boot_id[POBJ_BOOT_ID_BYTES];
	pthread_mutex_t lock;
	struct timespec now;
	u64 run_id;
	int err;

	err = read_boot_id(boot_id);
	if (!err)
		err = lock_template(&lock);
	if (err)
		return err;
	if (!settle(&sc->magic, &magic, sizeof(magic)) ||
	    !settle(sc->uuid, s->uuid, sizeof(sc->uuid)) ||
	    !settle(sc->boot_id, boot_id, sizeof(boot_id)))
		return pobj_err(-EBUSY,
				"%s: its shared memory belongs to another pool or an earlier boot; close the pool everywhere and open it again",
				what);
	clock_gettime(CLOCK_REALTIME, &now);
	run_id = (u64)now.tv_sec * 1000000000 + now.tv_nsec + 1;
	settle(&sc->run_id, &run_id, sizeof(run_id));	/* the first one's holds */
	settle(&sc->pool_lock, &lock, sizeof(lock));
	return 0;
}

/* The holder was killed. What it changed is undone by who reaps its session; wait for that. */
static int holder_await(struct pobj_pool *p, u64 session)
{
	int gone = 0;

	while (session && session != p->session && !gone) {
		gone = pobj_holder_gone(p, session & POBJ_WORD_SESSION_MASK);
		if (!gone)
			usleep(1000);
	}
	return gone < 0 ? gone : 0;
}

/*
 * A waiter that was woken and is killed before it has the mutex takes the wake-up with it: whoever
 * got the mutex meanwhile does not know that others wait, and wakes nobody. Neither the kernel nor
 * libc mends that, so those who wait look again after a second at the latest. (The clock may be
 * set; libc's other timed lock is unknown to TSan and helgrind.)
 */
static int lock_in_slices(pthread_mutex_t *lock)
{
	struct timespec until;
	int err;

	for (err = pthread_mutex_trylock(lock); err == EBUSY || err == ETIMEDOUT;
	     err = pthread_mutex_timedlock(lock, &until)) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
	}
	return err;
}

int pobj_pool_lock(struct pobj_pool *p)
{
	struct pobj_sidecar *sc = p->sidecar;
	int err;

	if (p->broken)
		return pobj_err(-EIO,
				"%s: an earlier write to the medium failed; close the pool and open it again, which recovers it",
				p->path);
	err = lock_in_slices(&sc->pool_lock);
	if (err && err != EOWNERDEAD)
		return pobj_err_sys(-err, "%s: pool lock", p->path);
	if (err) {
		/* On an error nobody gets the lock any more, until all have closed the pool. */
		err = holder_await(p, __atomic_load_n(&sc->lock_session, __ATOMIC_ACQUIRE));
		if (err) {
			pthread_mutex_unlock(&sc->pool_lock);
			return err;
		}
		pthread_mutex_consistent(&sc->pool_lock);
	}
	__atomic_store_n(&sc->lock_session, p->session, __ATOMIC_RELEASE);
	return 0;
}

void pobj_pool_unlock(struct pobj_pool *p)
{
	__atomic_store_n(&p->sidecar->lock_session, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&p->sidecar->pool_lock);
}
