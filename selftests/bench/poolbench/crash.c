// SPDX-License-Identifier: BSD-3-Clause
/*
 * crash.c - open a pool whose last user was killed in the middle of an operation.
 *
 * The process that forks never touches the library: each opener is as new as after an exec.
 */
#include "selftests/bench/poolbench/poolbench.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE 1000 /* objects that the victim holds */

/* Allocate and free until killed; says on @ready when it does. */
static void victim(const char *path, size_t size, int ready)
{
	static PMEMoid oids[LIVE];
	PMEMobjpool *pop = pmemobj_open(path, LAYOUT);
	unsigned int seed = 1;

	CHECK(pop);
	for (unsigned long n = 0;; n++) {
		PMEMoid *oid = &oids[rand_r(&seed) % LIVE];

		if (!OID_IS_NULL(*oid))
			pmemobj_free(oid);
		else
			CHECK(!pmemobj_alloc(pop, oid, size, 1, NULL, NULL));
		if (n == LIVE)
			CHECK(write(ready, "", 1) == 1);
	}
}

static int kill_one(const char *path, size_t size)
{
	int ready[2], status;
	pid_t pid;
	char c;

	if (pipe(ready))
		return -errno;
	pid = fork();
	if (!pid) {
		close(ready[0]);
		victim(path, size, ready[1]);
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &c, 1) != 1)
		return -EIO;
	usleep(10000);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ready[0]);
	return WIFSIGNALED(status) ? 0 : -EIO;
}

static int open_one(const char *path)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		double t = now_us();
		PMEMobjpool *pop = pmemobj_open(path, LAYOUT);

		t = now_us() - t;
		CHECK(pop);
		pmemobj_close(pop);
		printf("open %.1f\n", t);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

int do_crash(int argc, char **argv)
{
	size_t size = strtoul(argv[1], NULL, 0);
	int runs = atoi(argv[2]);

	for (int i = 0; i < runs; i++) {
		if (kill_one(argv[0], size) || open_one(argv[0])) {
			fprintf(stderr, "poolbench: a victim or an opener failed\n");
			return 1;
		}
	}
	return 0;
}
