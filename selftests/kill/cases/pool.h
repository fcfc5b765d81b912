/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To die in: what is done to the pool as a whole: threads come and go, it is opened and closed, its
 * root grows, it is full.
 */
#ifndef SELFTESTS_KILL_POOL_H
#define SELFTESTS_KILL_POOL_H

#include "selftests/kill/cases/action.h"

/* ---- threads, open and close -------------------------------------------------------------- */

static void *work_and_exit(void *arg)
{
	struct hand *h = arg;

	put(h, 4, 64);
	put(h, 5, 64);
	put(h, 6, LARGE);
	drop(h, 5);
	drop(h, 6);
	pthread_barrier_wait(&h->barrier);
	pthread_barrier_wait(&h->barrier);
	points_step();
	return NULL;
}

static void with_thread(struct hand *h)
{
	pthread_barrier_init(&h->barrier, NULL, 2);
	if (pthread_create(&h->thread, NULL, work_and_exit, h))
		fail("thread");
	pthread_barrier_wait(&h->barrier);
}

static void end_thread(struct hand *h)
{
	points_hand_over();
	pthread_barrier_wait(&h->barrier);
	pthread_join(h->thread, NULL);
	points_return();
}

static void *reserve_and_exit(void *arg)
{
	points_step();
	reserve_some(arg);
	return NULL;
}

static void *cancel_and_exit(void *arg)
{
	points_step();
	put(arg, 0, 64);
	cancel_some(arg);
	return NULL;
}

static void in_thread(struct hand *h, void *(*run)(void *arg))
{
	points_hand_over();
	if (pthread_create(&h->thread, NULL, run, h))
		fail("thread");
	pthread_join(h->thread, NULL);
	points_return();
}

static void park(struct hand *h)
{
	in_thread(h, reserve_and_exit);
}

static void unpark(struct hand *h)
{
	in_thread(h, cancel_and_exit);
}

OP(thread_exits) = {
	.prologue = with_thread, .run = end_thread,
	.scans = true,
};

OP(thread_exits_with_reservations) = {
	.prologue = with_64, .run = park,
	.scans = true,
};

OP(thread_takes_parked_lane) = {
	.prologue = park, .run = unpark, .item = { MAKES(0, 0, 64, TYPE) },
	.scans = true,
};

static void *publish_and_exit(void *arg)
{
	points_step();
	publish(arg);
	return NULL;
}

/* Reservations of a lane that is in use: others toggle them. */
static void cancel_by_other(struct hand *h)
{
	in_thread(h, cancel_and_exit);
}

static void publish_by_other(struct hand *h)
{
	in_thread(h, publish_and_exit);
}

OP(other_thread_cancels) = {
	.prologue = reserve_some, .run = cancel_by_other, .item = { MAKES(0, 0, 64, TYPE) },
	.scans = true,
};

OP(other_thread_publishes) = {
	.prologue = prepare_two, .run = publish_by_other,
	.item = { MAKES(0, 0, 64, TYPE), MAKES(0, 4, LARGE, TYPE), SETS(0, 2, 1, 42) },
	.scans = true,
};

static void busy(struct hand *h)
{
	with_two(h);
	reserve_some(h);
	put(h, 4, LARGE);
	put(h, 5, LARGE);
	drop(h, 0);
	drop(h, 4);
}

static void close_pool(struct hand *h)
{
	pmemobj_close(h->pop);
}

OP(close_shared) = {
	.prologue = busy, .run = close_pool,
	.scans = true,
};

OP(close_last) = {
	.prologue = busy, .run = close_pool, .alone = true,
	.scans = true,
};

OP(open_shared) = {
	.run = hand_open,
	.scans = true,
};

OP(open_first) = {
	.run = hand_open, .alone = true,
	.scans = true,
};

static void grow_root(struct hand *h)
{
	if (OID_IS_NULL(pmemobj_root(h->pop, pmemobj_root_size(h->pop) + 8192)))
		fail("root");
}

OP(root_grows) = {
	.prologue = with_two, .run = grow_root,
};

/* ---- a full pool -------------------------------------------------------------------------- */

/* Leave room for two slabs. */
static void fill(struct hand *h)
{
	const struct pobj_class *c = pobj_pool_raw(h->pop)->heap->classes;
	const uint64_t left = c[pobj_class_of(64)].pages + c[pobj_class_of(128)].pages;

	put(h, 15, (audit_largest_free(h->pop) - left) * 4096);
}

static void two_empty_slabs(struct hand *h)
{
	put(h, 0, 64);
	drop(h, 0);
	let_go(h);
	put(h, 0, 128);
	drop(h, 0);
}

static void put_320(struct hand *h)
{
	put(h, 0, 320);
}

OP(dissolve) = {
	.setup = fill, .prologue = two_empty_slabs, .run = put_320,
	.item = { MAKES(0, 0, 320, TYPE) },
	.scans = true,
};

#endif
