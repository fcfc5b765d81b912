/* SPDX-License-Identifier: BSD-3-Clause */
/* A folder of its own for each test, in memory; pool files in it; children. */
#ifndef SELFTESTS_FILES_H
#define SELFTESTS_FILES_H

#include <sys/types.h>

/* A new folder; files_path() names things in it, files_remove() takes it away with all in it. */
void files_make(void);
const char *files_path(const char *name);
void files_remove(void);

/* A file of @bytes, all zero and sparse. 0 or -1. */
int files_sparse(const char *name, off_t bytes);
int files_copy(const char *from, const char *to);

/* Bytes of the file, malloc'ed; NULL on an error. */
void *files_read(const char *name, size_t *bytes);
off_t files_size(const char *name);	/* -1: it is not there */

/* Is the sidecar of the pool file there? Its path, for opening it; valid until the next call. */
const char *files_sidecar(const char *name);
int files_has_sidecar(const char *name);

/* Descriptors of this process, and mappings. */
int files_count(const char *folder);
int files_mappings(void);

/* Run @child in a forked child: its exit code, or 1000 + signal. */
int files_in_child(int (*child)(void *arg), void *arg);
/* The same without waiting: pid. */
pid_t files_start(int (*child)(void *arg), void *arg);
int files_wait(pid_t pid);

#endif
