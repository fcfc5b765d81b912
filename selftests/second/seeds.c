// SPDX-License-Identifier: BSD-3-Clause
/*
 * One bug of each kind, by name: the tools that judge the tests must find it, in a program that was
 * built as the tests are. "none" is the same program without a bug.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the compiler must not see through. */
#define opaque(v)	__asm__ __volatile__("" : "+r"(v) : : "memory")

static int shared;
static int *flag;
static long *volatile kept;

static void uninit(void)
{
	int *p = malloc(sizeof(*p));

	opaque(p);
	if (*p)
		puts("set");
	free(p);
}

static void overflow(void)
{
	char *p = malloc(24);
	size_t at = 24;

	opaque(p);
	opaque(at);
	p[at] = 1;
	opaque(p);
	free(p);
}

static void use_after_free(void)
{
	long *p = malloc(sizeof(*p));
	long *same = p;

	opaque(same);
	free(p);
	*same = 1;
	opaque(same);
}

static void leak(void)
{
	kept = malloc(sizeof(long));
	*kept = 1;
	kept = NULL;
}

/* In a child, which the tool must follow. */
static void child_leak(void)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		leak();
		exit(0);
	}
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
}

/* Only its report can tell: it does not get to its end. */
static void killed_child(void)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		overflow();
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	exit(WIFSIGNALED(status) ? 99 : WEXITSTATUS(status));
}

static void shift(void)
{
	int by = 40;

	opaque(by);
	shared = 1 << by;
}

static void *race_on(void *arg)
{
	int i;

	for (i = 0; i < 1000; i++) {
		shared++;
		opaque(i);
	}
	return arg;
}

static void race(void)
{
	pthread_t t[2];
	int i;

	for (i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, race_on, NULL);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

static void *hand_over(void *arg)
{
	shared = 1;
	__atomic_store_n(flag, 1, arg ? __ATOMIC_RELEASE : __ATOMIC_RELAXED);
	return NULL;
}

/* A plain word behind an atomic one: right if @released, a race if not. */
static void message(int released)
{
	pthread_t t;
	int word = 0;

	flag = &word;
	pthread_create(&t, NULL, hand_over, released ? &word : NULL);
	while (!__atomic_load_n(flag, released ? __ATOMIC_ACQUIRE : __ATOMIC_RELAXED))
		;
	if (shared != 1)
		puts("not there");
	pthread_join(t, NULL);
}

static void released(void)
{
	message(1);
}

static void relaxed(void)
{
	message(0);
}

static void none(void)
{
}

static const struct {
	const char *name;
	void (*run)(void);
} seeds[] = {
	{ "uninit", uninit }, { "overflow", overflow }, { "use_after_free", use_after_free },
	{ "leak", leak }, { "child_leak", child_leak }, { "killed_child", killed_child },
	{ "shift", shift }, { "race", race }, { "relaxed", relaxed }, { "released", released },
	{ "none", none }, { NULL, NULL },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc == 2 && seeds[i].name; i++) {
		if (!strcmp(argv[1], seeds[i].name)) {
			seeds[i].run();
			return 0;
		}
	}
	return 2;
}
