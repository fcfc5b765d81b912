// SPDX-License-Identifier: BSD-3-Clause
/*
 * Loaded into a test program by LD_PRELOAD under memcheck. A forked child inherits what the library
 * has allocated for the parent's open pools, but the handle that points there is wiped
 * (MADV_WIPEONFORK), on purpose. Nobody can free that memory in the child, and it goes with it. So
 * that the child's other leaks can be told from it, the child keeps copies of the handles it does
 * not have: that memory is reachable, and a block that the child itself loses is lost.
 *
 * Where the parent has more threads, the child inherits what they have allocated, too, and of the
 * stacks and thread-specific words that lead there nothing is left. In such a child leaks are not
 * looked for; all else is.
 *
 * Memory that the kernel leaves out of the child (MADV_DONTFORK) is still there for valgrind, which
 * does not know that advice: its search for leaks runs into a fault at each page of it, a hundred
 * thousand for a sidecar. The child unmaps it once more, so that valgrind knows, and complains of
 * accesses.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <valgrind/valgrind.h>

#define RANGES_MAX	512
#define KEPT_MAX	(8 * RANGES_MAX)

static struct range {
	void *at;
	size_t len;
	int advice;
	void *copy;		/* malloc'ed before the fork; the child's alone after it */
} ranges[RANGES_MAX];
static unsigned int range_cnt;
static void *volatile kept[KEPT_MAX];	/* nobody reads it but valgrind */
static unsigned int kept_cnt;
static bool threads;
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;

static void *next(const char *name)
{
	void *sym = dlsym(RTLD_NEXT, name);

	if (!sym)
		abort();
	return sym;
}

int madvise(void *at, size_t len, int advice)
{
	static int (*real)(void *at, size_t len, int advice);
	int ret;

	if (!real)
		real = next("madvise");
	ret = real(at, len, advice);
	if (ret || (advice != MADV_WIPEONFORK && advice != MADV_DONTFORK))
		return ret;
	pthread_mutex_lock(&ranges_lock);
	if (range_cnt == RANGES_MAX)
		abort();
	ranges[range_cnt++] = (struct range){ at, len, advice, NULL };
	pthread_mutex_unlock(&ranges_lock);
	return 0;
}

static int real_munmap(void *at, size_t len)
{
	static int (*real)(void *at, size_t len);

	if (!real)
		real = next("munmap");
	return real(at, len);
}

int munmap(void *at, size_t len)
{
	unsigned int i;

	pthread_mutex_lock(&ranges_lock);
	for (i = 0; i < range_cnt;) {
		if ((char *)ranges[i].at >= (char *)at && (char *)ranges[i].at < (char *)at + len)
			ranges[i] = ranges[--range_cnt];
		else
			i++;
	}
	pthread_mutex_unlock(&ranges_lock);
	return real_munmap(at, len);
}

static bool has_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int cnt = 0;

	while (d && readdir(d))
		cnt++;
	if (d)
		closedir(d);
	return cnt != 3;	/* ., .. and ours */
}

static void before_fork(void)
{
	struct range *r;

	threads = has_threads();
	pthread_mutex_lock(&ranges_lock);
	for (r = ranges; r < ranges + range_cnt; r++) {
		if (r->advice != MADV_WIPEONFORK)
			continue;
		r->copy = malloc(r->len);
		if (r->copy)
			memcpy(r->copy, r->at, r->len);
	}
}

static void after_fork_in_parent(void)
{
	struct range *r;

	for (r = ranges; r < ranges + range_cnt; r++) {
		free(r->copy);
		r->copy = NULL;
	}
	pthread_mutex_unlock(&ranges_lock);
}

/* The child's copies stay, and so do those that it has from its own parent. */
static void after_fork_in_child(void)
{
	struct range *r;

	for (r = ranges; r < ranges + range_cnt; r++) {
		if (r->advice == MADV_DONTFORK)
			real_munmap(r->at, r->len);
		if (kept_cnt == KEPT_MAX)
			abort();
		kept[kept_cnt++] = r->copy;
	}
	range_cnt = 0;
	if (threads)
		VALGRIND_CLO_CHANGE("--leak-check=no");
	pthread_mutex_unlock(&ranges_lock);
}

__attribute__((constructor)) static void begin(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}
