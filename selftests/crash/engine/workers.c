// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* Work in shards: see workers.h. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "selftests/crash/engine/workers.h"

struct shared {
	u32 next;
	u32 done;
};

void *workers_memory(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		printf("Bail out! no memory to share\n");
		exit(1);
	}
	return p;
}

u32 workers_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return (u32)CPU_COUNT(&set);
}

static void work(struct shared *s, u32 shards, void (*run)(u32 shard), void (*end)(void))
{
	u32 shard;

	while ((shard = __atomic_fetch_add(&s->next, 1, __ATOMIC_ACQ_REL)) < shards) {
		run(shard);
		__atomic_add_fetch(&s->done, 1, __ATOMIC_ACQ_REL);
	}
	if (end)
		end();
	fflush(stdout);
	_exit(0);
}

u32 workers_run(u32 workers, u32 shards, void (*run)(u32 shard), void (*end)(void))
{
	struct shared *s = workers_memory(sizeof(*s));
	u32 i, left, failed = 0;
	pid_t pid;
	int how;

	fflush(stdout);
	for (i = 0; i < workers; i++) {
		pid = fork();
		if (!pid)
			work(s, shards, run, end);
		failed += pid < 0;
	}
	while ((pid = wait(&how)) > 0) {
		if (WIFEXITED(how) && !WEXITSTATUS(how))
			continue;
		failed++;
		printf("# worker %d died: %s %d\n", (int)pid,
		       WIFSIGNALED(how) ? "signal" : "exit",
		       WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
	}
	left = shards - s->done;
	munmap(s, sizeof(*s));
	return left ? left : failed;
}
