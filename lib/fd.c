// SPDX-License-Identifier: BSD-3-Clause
/*
 * Descriptors that hold something (a lock, an attachment) must not live on in a forked child: the
 * parent's hold on a pool would outlast the parent. They are close-on-exec, and a child that does
 * not exec closes them in its fork handler. Children made behind libc's back (clone, vfork) keep
 * them until they exec; so whoever closes a pool also gives up its locks explicitly (file.c).
 *
 * fork_lock covers only the moment between making a descriptor and noting it, so that a fork never
 * waits for an open that itself waits for another process.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/fd.h"
#include "lib/registry.h"

/* Two for each open pool, and some for calls that open one for a moment. */
#define FDS	(2 * POBJ_OPEN_MAX + 1024)

static int kept[FDS];			/* descriptor + 1, 0: unused; under fork_lock */
static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
	pthread_mutex_lock(&fork_lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&fork_lock);
}

static void after_fork_in_child(void)
{
	unsigned int i;

	for (i = 0; i < FDS; i++) {
		if (kept[i])
			close(kept[i] - 1);
		kept[i] = 0;
	}
	pthread_mutex_unlock(&fork_lock);
	pobj_registry_forget();
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void pobj_fork_block(void)
{
	pthread_once(&fork_once, watch_forks);
	pthread_mutex_lock(&fork_lock);
}

void pobj_fork_allow(void)
{
	pthread_mutex_unlock(&fork_lock);
}

void pobj_fd_keep(int fd)
{
	unsigned int i;

	/* If the table is full a child keeps the descriptor: an inconvenience, no harm. */
	for (i = 0; fd >= 0 && i < FDS; i++) {
		if (!kept[i]) {
			kept[i] = fd + 1;
			return;
		}
	}
}

int pobj_fd_open(const char *path, int flags, mode_t mode)
{
	int fd;

	pobj_fork_block();
	fd = open(path, flags | O_CLOEXEC, mode);
	pobj_fd_keep(fd);
	pobj_fork_allow();
	return fd;
}

int pobj_fd_shm_open(const char *name, int flags, mode_t mode)
{
	int fd;

	pobj_fork_block();
	fd = shm_open(name, flags, mode);	/* close-on-exec by itself */
	pobj_fd_keep(fd);
	pobj_fork_allow();
	return fd;
}

void pobj_fd_close(int fd)
{
	unsigned int i;

	pobj_fork_block();
	for (i = 0; i < FDS; i++) {
		if (kept[i] == fd + 1)
			kept[i] = 0;
	}
	close(fd);
	pobj_fork_allow();
}
