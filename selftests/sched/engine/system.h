/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* The functions that calls.c stands for, as the linker calls them (--wrap). */
#ifndef POBJ_SCHED_SYSTEM_H
#define POBJ_SCHED_SYSTEM_H

#include <pthread.h>
#include <stddef.h>
#include <time.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void __real_free(void *p);
int __real_fcntl(int fd, int cmd, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *t);
long __real_syscall(long number, ...);
int __real_pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *a);
int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_trylock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);

#endif
