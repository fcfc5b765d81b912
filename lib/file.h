/* SPDX-License-Identifier: BSD-3-Clause */
/* Pools in files: see file.c. */
#ifndef POBJ_LIB_FILE_H
#define POBJ_LIB_FILE_H

#include "lib/backend.h"

/*
 * Is anybody (another process, or this one) using the pool in the file @fd? Waits for opens in
 * progress. 1, 0, or -errno. With @keep and result 0 nobody can open it until @fd is closed.
 */
int pobj_file_in_use(int fd, const char *path, bool keep);

/* Map @p->media.size bytes of @fd for use by a pool; p->media is filled in. */
int pobj_file_map(struct pobj_pool *p, int fd, void *at);

/* Processes that have the pool in @fd open now; this one must not. -1: cannot be told. */
int pobj_file_users(int fd);

/*
 * fcntl(@fd, @cmd) for a lock of @type (F_WRLCK, F_RDLCK, F_UNLCK) on one byte, again after
 * signals. 0 or -errno.
 */
int pobj_file_lock(int fd, int cmd, short type, u64 byte);

/*
 * Session slots that other processes hold on the sidecar's file @sfd: those of living sessions, and
 * for a moment that of one which is being reaped.
 */
int pobj_file_count_locks(int sfd);

#endif
