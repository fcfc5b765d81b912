/* SPDX-License-Identifier: BSD-3-Clause */
/* A child that does an operation, and dies in it. */
#ifndef SELFTESTS_KILL_KID_H
#define SELFTESTS_KILL_KID_H

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "selftests/kill/engine/hand.h"

/* Where to die: @after instructions after a point. */
struct place {
	uint64_t point;
	uint64_t after;
};

static void kid(const struct op *op, struct place at, struct points_death *death)
{
	struct hand *h = calloc(1, sizeof(*h));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	points_begin(at.point, at.after, death);
	if (op->prologue) {
		hand_open(h);
		hand_root(h);
		op->prologue(h);
	}
	points_arm();
	op->run(h);
	stage->points = points_disarm();
	_exit(0);
}

/* Returns 1: killed; 0: it came to its end; -1: it failed. */
static int kid_wait(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 1;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status))
		snprintf(stage->text, sizeof(stage->text), "signal %d", WTERMSIG(status));
	return -1;
}

static int kid_run(const struct op *op, struct place at, struct points_death *death)
{
	pid_t pid = fork();

	if (!pid)
		kid(op, at, death);
	return kid_wait(pid);
}

#endif
