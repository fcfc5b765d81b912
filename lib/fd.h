/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors that a forked child must not keep: see fd.c. */
#ifndef POBJ_LIB_FD_H
#define POBJ_LIB_FD_H

#include <sys/types.h>

/* open(2) and shm_open(3), close-on-exec; a forked child closes the descriptor. */
int pobj_fd_open(const char *path, int flags, mode_t mode);
int pobj_fd_shm_open(const char *name, int flags, mode_t mode);

/* close(2) of any descriptor, kept or not. */
void pobj_fd_close(int fd);

/* Between making a descriptor otherwise and pobj_fd_keep() no fork may come. */
void pobj_fork_block(void);
void pobj_fork_allow(void);
void pobj_fd_keep(int fd);

/* Called in a forked child, single-threaded, after it closed the descriptors. */
void pobj_registry_forget(void);

#endif
