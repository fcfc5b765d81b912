// SPDX-License-Identifier: BSD-3-Clause
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"

static char folder[64];

void files_make(void)
{
	const char *in = getenv("POBJ_TEST_DIR");

	snprintf(folder, sizeof(folder), "%.32s/pobj-test.XXXXXX", in ? in : "/dev/shm");
	if (!mkdtemp(folder))
		abort();
}

const char *files_path(const char *name)
{
	static _Thread_local char path[8][384];
	static _Thread_local unsigned int next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
	return p;
}

void files_remove(void)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		shm_unlink(files_sidecar(e->d_name) + strlen("/dev/shm"));
		if (unlink(files_path(e->d_name)))
			rmdir(files_path(e->d_name));
	}
	if (d)
		closedir(d);
	rmdir(folder);
}

int files_sparse(const char *name, off_t bytes)
{
	int fd = open(files_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int err = fd < 0 || ftruncate(fd, bytes) ? -1 : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

void *files_read(const char *name, size_t *bytes)
{
	int fd = open(files_path(name), O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p = NULL;

	if (fd >= 0 && !fstat(fd, &st)) {
		p = malloc(st.st_size + 1);
		if (p && pread(fd, p, st.st_size, 0) == st.st_size) {
			*bytes = st.st_size;
		} else {
			free(p);
			p = NULL;
		}
	}
	if (fd >= 0)
		close(fd);
	return p;
}

int files_copy(const char *from, const char *to)
{
	size_t bytes, at;
	char *p = files_read(from, &bytes);
	int fd, err = -1;

	if (!p || files_sparse(to, bytes))
		return -1;
	fd = open(files_path(to), O_RDWR | O_CLOEXEC);
	for (at = 0; fd >= 0 && at < bytes; at += 4096) {
		size_t n = bytes - at < 4096 ? bytes - at : 4096;
		static const char zeros[4096];

		if (memcmp(p + at, zeros, n) && pwrite(fd, p + at, n, at) != (ssize_t)n)
			break;
	}
	if (fd >= 0) {
		err = at < bytes ? -1 : 0;
		close(fd);
	}
	free(p);
	return err;
}

off_t files_size(const char *name)
{
	struct stat st;

	return stat(files_path(name), &st) ? -1 : st.st_size;
}

const char *files_sidecar(const char *name)
{
	static _Thread_local char path[96];
	struct stat st;

	memset(&st, 0, sizeof(st));
	stat(files_path(name), &st);
	snprintf(path, sizeof(path), "/dev/shm/pobj.%llx.%llx", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return path;
}

int files_has_sidecar(const char *name)
{
	return !access(files_sidecar(name), F_OK);
}

int files_count(const char *of)
{
	DIR *d = opendir(of);
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

int files_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[8192];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	return n;
}

pid_t files_start(int (*child)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(child(arg));
	}
	return pid;
}

int files_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int files_in_child(int (*child)(void *arg), void *arg)
{
	return files_wait(files_start(child, arg));
}
