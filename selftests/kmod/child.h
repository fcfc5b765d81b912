/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Other processes: they attach on their own, talk over a socket, and die when the test does.
 *
 * A child has no file of its parent but the socket, so it is a session of its own and holds no
 * region of the test's. It says in its exit status what went wrong: 0 or a positive errno.
 */
#ifndef POBJ_SELFTESTS_KMOD_CHILD_H
#define POBJ_SELFTESTS_KMOD_CHILD_H

#include "kmod.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct t_child {
	pid_t pid;
	int sock;
};

static struct t_child t_children[64];

/* fork() whose child cannot outlive the test; it keeps all files. */
static inline pid_t t_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(255);
	memset(t_children, 0, sizeof(t_children));
	return 0;
}

/* Exit status, or -signal. */
static inline int t_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1000;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int t_spawn(struct t_child *c, int (*fn)(int sock, void *arg), void *arg)
{
	struct timeval limit = { .tv_sec = 25 };
	int s[2];
	unsigned int i;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s))
		return -errno;
	setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	c->pid = t_fork();
	if (c->pid < 0)
		return -errno;
	if (!c->pid) {
		dup2(s[1], 3);
		close_range(4, ~0U, 0);
		_exit(fn(3, arg));
	}
	close(s[1]);
	c->sock = s[0];
	for (i = 0; i < ARRAY_SIZE(t_children); i++) {
		if (t_children[i].pid)
			continue;
		t_children[i] = *c;
		break;
	}
	return 0;
}

/* Wait for the end of a child: exit status, or -signal. */
static inline int t_join(struct t_child *c)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t_children); i++) {
		if (t_children[i].pid == c->pid)
			t_children[i].pid = 0;
	}
	close(c->sock);
	return t_wait(c->pid);
}

static inline int t_kill(struct t_child *c)
{
	kill(c->pid, SIGKILL);
	return t_join(c);
}

static inline void t_kill_all(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t_children); i++) {
		if (t_children[i].pid)
			t_kill(&t_children[i]);
	}
}

/* fn in a child of its own, to its end. */
static inline int t_call(int (*fn)(int sock, void *arg), void *arg)
{
	struct t_child c;
	int ret = t_spawn(&c, fn, arg);

	return ret ? ret : t_join(&c);
}

/* ---- the socket --------------------------------------------------------------------------- */

static inline int t_put(int sock, __u64 value)
{
	return send(sock, &value, sizeof(value), MSG_NOSIGNAL) == sizeof(value) ? 0 : -EPIPE;
}

static inline int t_get(int sock, __u64 *value)
{
	__u64 ignored;

	if (!value)
		value = &ignored;
	*value = 0;
	return recv(sock, value, sizeof(*value), MSG_WAITALL) == sizeof(*value) ? 0 : -EPIPE;
}

static inline int t_put_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -EPIPE;
}

static inline int t_get_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd = -EPIPE;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return fd;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* ---- other users -------------------------------------------------------------------------- */

/* Become another user for good, without any capability. */
static inline int t_become(uid_t uid, gid_t gid, const gid_t *groups, int cnt)
{
	if (setgroups(cnt, groups) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	return prctl(PR_SET_PDEATHSIG, SIGKILL) ? -errno : 0;
}

/* In a child: what must hold, or the test fails with the place and errno. */
#define T_CHILD(cond) do { \
	if (!(cond)) { \
		fprintf(stderr, "# %s:%d: in a child: %s (errno %d)\n", __FILE__, __LINE__, \
			#cond, errno); \
		_exit(254); \
	} \
} while (0)

#endif /* POBJ_SELFTESTS_KMOD_CHILD_H */
