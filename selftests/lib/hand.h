/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads that do one thing after the other, when told, and live on in between. */
#ifndef SELFTESTS_HAND_H
#define SELFTESTS_HAND_H

#include <pthread.h>
#include <semaphore.h>

struct hand {
	pthread_t thread;
	sem_t go;
	sem_t done;
	int (*work)(void *arg);		/* NULL: end */
	void *arg;
	int result;
};

static void *hand_live(void *arg)
{
	struct hand *h = arg;

	for (;;) {
		sem_wait(&h->go);
		if (!h->work)
			return NULL;
		h->result = h->work(h->arg);
		sem_post(&h->done);
	}
}

static inline int hand_start(struct hand *h)
{
	sem_init(&h->go, 0, 0);
	sem_init(&h->done, 0, 0);
	return pthread_create(&h->thread, NULL, hand_live, h);
}

/* Tell it, and wait until it is done: what @work returned. */
static inline int hand_do(struct hand *h, int (*work)(void *arg), void *arg)
{
	h->work = work;
	h->arg = arg;
	sem_post(&h->go);
	sem_wait(&h->done);
	return h->result;
}

/* The thread has ended at return. */
static inline void hand_end(struct hand *h)
{
	h->work = NULL;
	sem_post(&h->go);
	pthread_join(h->thread, NULL);
}

#endif
