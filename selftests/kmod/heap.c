// SPDX-License-Identifier: BSD-3-Clause
/*
 * The heap on regions, from one process: on an NVDIMM, where flushes of the CPU make data durable,
 * and on virtio-pmem, where each fence is an fsync; then on two NVDIMMs at once, with ids across.
 *
 * Each test leaves its pool to the teardown, where it must check clean.
 */
#include "heap.h"

#include <pthread.h>

FIXTURE(heap)
{
	struct h_place place;
	PMEMobjpool *pop;
};

FIXTURE_VARIANT(heap)
{
	int node;
};

FIXTURE_VARIANT_ADD(heap, nvdimm)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(heap, virtio)
{
	.node = H_VIRTIO,
};

FIXTURE_SETUP(heap)
{
	int ctl = t_reset(), ret;

	ASSERT_LE(0, ctl);
	close(ctl);
	ASSERT_EQ(0, h_share());
	ret = h_place_empty(&self->place, variant->node);
	T_NEED(ret != -ENXIO, "no device");
	ASSERT_EQ(0, ret);
	self->pop = pmemobj_create(self->place.name, H_LAYOUT, 0, 0600);
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
}

FIXTURE_TEARDOWN(heap)
{
	if (self->pop)
		pmemobj_close(self->pop);
	H_GOOD(h_check(self->place.name, NULL));
	close(t_reset());
	t_bind_all();
}

/* Close, release the device, open again: nothing but the medium knows of the heap. */
#define AGAIN() do {									\
	pmemobj_close(self->pop);							\
	ASSERT_EQ(0, pobj_region_release(self->place.name));				\
	self->pop = pmemobj_open(self->place.name, H_LAYOUT);				\
	ASSERT_NE(NULL, self->pop)							\
		TH_LOG("%s", pmemobj_errormsg());					\
} while (0)

static size_t count(PMEMobjpool *pop)
{
	size_t n = 0;
	PMEMoid o;

	POBJ_FOREACH(pop, o)
		n++;
	return n;
}

static size_t count_type(PMEMobjpool *pop, __u64 type)
{
	size_t n = 0;
	PMEMoid o;

	for (o = POBJ_FIRST_TYPE_NUM(pop, type); !OID_IS_NULL(o); o = POBJ_NEXT_TYPE_NUM(o))
		n++;
	return n;
}

/* ---- objects of all sizes ----------------------------------------------------------------- */

/* A place of its own for each size, up to 4 MiB. */
static const __u64 sizes[] = {
	16, 24, 64, 100, 128, 1000, 4000, 4096, 16384, 16400, 65536,
	2 << 20, (2 << 20) + 8, 4 << 20,
};

TEST_F_TIMEOUT(heap, sizes, 60)
{
	struct h_root *root = pmemobj_direct(pmemobj_root(self->pop, sizeof(*root)));
	__u64 seen[H_TYPES] = { 0 }, n = ARRAY_SIZE(sizes), i;
	struct h_make m;

	for (i = 0; i < n; i++) {
		m = (struct h_make){ .words = sizes[i] / 8, .stamp = i + 1 };
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &root->slot[i], sizes[i], i % H_TYPES,
					   h_construct, &m))
			TH_LOG("%llu: %s", sizes[i], pmemobj_errormsg());
		seen[i % H_TYPES]++;
	}
	AGAIN();
	root = pmemobj_direct(pmemobj_root(self->pop, 0));
	for (i = 0; i < n; i++) {
		__u64 *w = pmemobj_direct(root->slot[i]);

		ASSERT_TRUE(h_whole(root->slot[i], i))
			TH_LOG("%s", h_shared->text);
		EXPECT_EQ(sizes[i] / 8, w[0]);
		EXPECT_EQ(i + 1, w[1]);
		EXPECT_EQ(i % H_TYPES, pmemobj_type_num(root->slot[i]));
	}
	EXPECT_EQ(n, count(self->pop));
	for (i = 0; i < H_TYPES; i++)
		EXPECT_EQ(seen[i], count_type(self->pop, i));
	/* Each becomes as large as the next one, the last as small as the first. */
	for (i = 0; i < n; i++) {
		__u64 to = sizes[(i + 1) % n], *w = pmemobj_direct(root->slot[i]), old = w[0];

		if (to / 8 < old)
			h_stamp(self->pop, w, to / 8, to / 8, i + 1);
		ASSERT_EQ(0, pmemobj_realloc(self->pop, &root->slot[i], to, 1));
		if (to / 8 > old)
			h_stamp(self->pop, pmemobj_direct(root->slot[i]), old, to / 8, i + 1);
	}
	AGAIN();
	root = pmemobj_direct(pmemobj_root(self->pop, 0));
	for (i = 0; i < n; i++) {
		ASSERT_TRUE(h_whole(root->slot[i], i))
			TH_LOG("%s", h_shared->text);
		EXPECT_EQ(sizes[(i + 1) % n] / 8, *(__u64 *)pmemobj_direct(root->slot[i]));
	}
	EXPECT_EQ(n, count_type(self->pop, 1));
	for (i = 0; i < n; i++)
		pmemobj_free(&root->slot[i]);
	EXPECT_EQ(0, count(self->pop));
}

/* Filled to the brim, half emptied, filled with what is larger, emptied: all room comes back. */
TEST_F_TIMEOUT(heap, filled, 120)
{
	/* Objects of a size until so much is used; the last ones to the brim. */
	static const struct {
		__u64 bytes;
		__u64 percent;
	} fill[] = { { 16384, 15 }, { 200000, 50 }, { 1 << 20, 100 }, { 10000, 100 } };
	struct pobj_pool_census before, after;
	__u64 used = 0, bytes = self->place.dev.bytes, cnt = 0, i, n, most = bytes / 10000 + 1;
	PMEMoid *o = calloc(most, sizeof(*o)), big[2] = { OID_NULL, OID_NULL };

	AGAIN();
	pmemobj_close(self->pop);
	H_GOOD(h_check(self->place.name, &before));
	self->pop = pmemobj_open(self->place.name, H_LAYOUT);
	ASSERT_NE(NULL, self->pop);
	for (i = 0; i < ARRAY_SIZE(fill); i++) {
		const __u64 size = fill[i].bytes;

		while (used < bytes / 100 * fill[i].percent &&
		       !pmemobj_alloc(self->pop, &o[cnt], size, i, NULL, NULL)) {
			__u8 *b = pmemobj_direct(o[cnt]);

			b[0] = (__u8)cnt;
			b[size - 1] = (__u8)cnt;
			used += size;
			cnt++;
		}
	}
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_GT(used, bytes / 100 * 90)
		TH_LOG("%llu of %llu bytes", used, bytes);
	EXPECT_EQ(cnt, count(self->pop));
	EXPECT_EQ(-1, pmemobj_alloc(self->pop, &big[0], 3 << 20, 0, NULL, NULL));
	EXPECT_EQ(ENOMEM, errno);
	for (i = n = 0; i < cnt; i++) {
		__u8 *b = pmemobj_direct(o[i]);
		__u64 size = fill[pmemobj_type_num(o[i])].bytes;

		ASSERT_EQ((__u8)i, b[0]);
		ASSERT_EQ((__u8)i, b[size - 1]);
		if (i % 2)
			continue;
		pmemobj_free(&o[i]);
		ASSERT_TRUE(OID_IS_NULL(o[i]));
		n++;
	}
	EXPECT_EQ(cnt - n, count(self->pop));
	for (i = 0; i < cnt; i += 2) {
		if (pmemobj_alloc(self->pop, &o[i], 12000, 3, NULL, NULL))
			break;
	}
	EXPECT_GT(i, cnt / 2);
	for (i = 0; i < cnt; i++)
		pmemobj_free(&o[i]);
	EXPECT_EQ(0, count(self->pop));
	/* The second is so large that empty slabs must go. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, pmemobj_alloc(self->pop, &big[i], bytes / 10 * (i ? 8 : 4), 0, NULL,
					   NULL))
			TH_LOG("%s", pmemobj_errormsg());
		if (OID_IS_NULL(big[i]))
			continue;
		memset(pmemobj_direct(big[i]), 0x55, 3 << 20);
		pmemobj_free(&big[i]);
	}
	pmemobj_close(self->pop);
	self->pop = NULL;
	H_GOOD(h_check(self->place.name, &after));
	EXPECT_EQ(0, after.spans.large);
	EXPECT_GE(after.free_pages, before.free_pages / 100 * 99);
	free(o);
}

/* ---- the root, actions, lists ------------------------------------------------------------- */

static const __u64 roots[] = { 64, 4000, 20000, 1 << 20, (2 << 20) + 64, 5 << 20 };

TEST_F_TIMEOUT(heap, root_grows, 60)
{
	PMEMoid beside[ARRAY_SIZE(roots)] = { 0 }, root;
	__u64 *w, i, last = 0;

	for (i = 0; i < ARRAY_SIZE(roots); i++) {
		root = pmemobj_root(self->pop, roots[i]);
		ASSERT_FALSE(OID_IS_NULL(root))
			TH_LOG("%llu: %s", roots[i], pmemobj_errormsg());
		EXPECT_EQ(roots[i], pmemobj_root_size(self->pop));
		w = pmemobj_direct(root);
		if (i)
			EXPECT_EQ(i, w[last / 8 - 1]);
		EXPECT_EQ(0, w[roots[i] / 8 - 1]);
		w[roots[i] / 8 - 1] = i + 1;
		pmemobj_persist(self->pop, &w[roots[i] / 8 - 1], 8);
		last = roots[i];
		/* It cannot grow where it is. */
		EXPECT_EQ(0, pmemobj_zalloc(self->pop, &beside[i], 3 << 20, 1));
		if (i % 2)
			AGAIN();
	}
	EXPECT_EQ(ARRAY_SIZE(roots), count(self->pop));
	w = pmemobj_direct(pmemobj_root(self->pop, 0));
	for (i = 0; i < ARRAY_SIZE(roots); i++)
		EXPECT_EQ(i + 1, w[roots[i] / 8 - 1]);
}

TEST_F_TIMEOUT(heap, actions, 60)
{
	struct h_root *root = pmemobj_direct(pmemobj_root(self->pop, sizeof(*root)));
	static const __u64 size[] = { 64, 3000, 100000, 3 << 20 };
	struct pobj_action act[4 * ARRAY_SIZE(size)];
	size_t n, i, live, live_then;
	int round;
	PMEMoid o;

	/* Published, then cancelled, then replaced; all sizes at once. */
	for (round = 0; round < 4; round++) {
		for (n = i = 0; i < ARRAY_SIZE(size); i++) {
			o = pmemobj_reserve(self->pop, &act[n++], size[i], i);
			ASSERT_FALSE(OID_IS_NULL(o));
			h_stamp(self->pop, pmemobj_direct(o), 0, size[i] / 8, round + 1);
			if (!OID_IS_NULL(root->slot[i]))
				pmemobj_defer_free(self->pop, root->slot[i], &act[n++]);
			pmemobj_set_value(self->pop, &act[n++], &root->slot[i].pool_uuid_lo,
					  o.pool_uuid_lo);
			pmemobj_set_value(self->pop, &act[n++], &root->slot[i].off, o.off);
		}
		if (round % 2)
			pmemobj_cancel(self->pop, act, n);
		else
			ASSERT_EQ(0, pmemobj_publish(self->pop, act, n));
		/* Reserved and neither published nor cancelled: gone with the process' pool. */
		o = pmemobj_reserve(self->pop, &act[0], 200000, 1);
		ASSERT_FALSE(OID_IS_NULL(o));
		AGAIN();
		root = pmemobj_direct(pmemobj_root(self->pop, 0));
		H_GOOD(h_judge_open(self->pop, &live));
		EXPECT_EQ(ARRAY_SIZE(size), live);
		for (i = 0; i < ARRAY_SIZE(size); i++)
			EXPECT_EQ((round & ~1) + 1, ((__u64 *)pmemobj_direct(root->slot[i]))[1]);
	}
	for (n = i = 0; i < ARRAY_SIZE(size); i++) {
		pmemobj_defer_free(self->pop, root->slot[i], &act[n++]);
		pmemobj_set_value(self->pop, &act[n++], &root->slot[i].off, 0);
	}
	ASSERT_EQ(0, pmemobj_publish(self->pop, act, n));
	AGAIN();
	H_GOOD(h_judge_open(self->pop, &live_then));
	EXPECT_EQ(0, live_then);
}

#define ID(name)	TOID(struct name)
#define LINK		POBJ_LIST_ENTRY(struct job)

TOID_DECLARE(struct job, 3);
POBJ_LIST_HEAD(queue, struct job);
typedef ID(job) job_id;

struct job {
	__u64 number;
	LINK entry;
};

/* NULL, or what is wrong: @q has @cnt elements whose numbers begin with @first, by steps of 2. */
static const char *queue_is(struct queue *q, __u64 first, __u64 cnt)
{
	__u64 n = 0, back = 0;
	job_id j;

	POBJ_LIST_FOREACH(j, q, entry) {
		if (D_RO(j)->number != first + 2 * n)
			return "an element is not in its place";
		n++;
	}
	POBJ_LIST_FOREACH_REVERSE(j, q, entry) {
		back++;
		if (D_RO(j)->number != first + 2 * (n - back))
			return "an element is not in its place from behind";
	}
	return n == cnt && back == cnt ? NULL : "a list has more or fewer elements";
}

#define JOBS	40

TEST_F_TIMEOUT(heap, lists, 60)
{
	struct queue *q = pmemobj_direct(pmemobj_root(self->pop, 2 * sizeof(*q)));
	job_id j, next;
	struct job *at;
	__u64 i;
	PMEMoid o;

	for (i = 0; i < JOBS; i++) {
		o = POBJ_LIST_INSERT_NEW_HEAD(self->pop, &q[0], entry, sizeof(struct job) + i * 50,
					      NULL, NULL);
		ASSERT_FALSE(OID_IS_NULL(o))
			TH_LOG("%s", pmemobj_errormsg());
		at = pmemobj_direct(o);
		at->number = JOBS - 1 - i;
		pmemobj_persist(self->pop, &at->number, 8);
	}
	/* Every second one goes to the other list. */
	for (i = 0, j = POBJ_LIST_FIRST(&q[0]); i < JOBS; i++) {
		next = POBJ_LIST_NEXT(j, entry);
		if (i % 2)
			ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_TAIL(self->pop, &q[0], &q[1], j, entry,
								 entry));
		j = next;
	}
	AGAIN();
	q = pmemobj_direct(pmemobj_root(self->pop, 0));
	H_GOOD(queue_is(&q[0], 0, JOBS / 2));
	H_GOOD(queue_is(&q[1], 1, JOBS / 2));
	EXPECT_EQ(JOBS, count(self->pop));
	/* One list is freed, the other one only let go. */
	while (!POBJ_LIST_EMPTY(&q[0]))
		ASSERT_EQ(0, POBJ_LIST_REMOVE_FREE(self->pop, &q[0], POBJ_LIST_FIRST(&q[0]),
						   entry));
	EXPECT_EQ(JOBS / 2, count(self->pop));
	H_GOOD(queue_is(&q[1], 1, JOBS / 2));
	while (!POBJ_LIST_EMPTY(&q[1]))
		ASSERT_EQ(0, POBJ_LIST_REMOVE(self->pop, &q[1], POBJ_LIST_FIRST(&q[1]), entry));
	AGAIN();
	q = pmemobj_direct(pmemobj_root(self->pop, 0));
	EXPECT_TRUE(POBJ_LIST_EMPTY(&q[0]) && POBJ_LIST_EMPTY(&q[1]));
	EXPECT_EQ(JOBS / 2, count_type(self->pop, 3));
}

/* ---- what is durable ---------------------------------------------------------------------- */

/* Interrupts of the virtio device so far: there is one for each flush that it finished. */
static __u64 irq_cnt(const struct t_dev *d)
{
	char path[PATH_MAX], real[PATH_MAX], line[1024], *name, *at, *end;
	__u64 sum = 0;
	bool more;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s", d->name);
	name = realpath(path, real) ? strstr(real, "/virtio") : NULL;
	if (!name)
		return 0;
	name++;
	name[strcspn(name, "/")] = 0;
	f = fopen("/proc/interrupts", "re");
	while (f && fgets(line, sizeof(line), f)) {
		at = strchr(line, ':');
		if (!at || !strstr(line, name))
			continue;
		/* A number for each CPU, then words. */
		do {
			sum += strtoull(++at, &end, 10);
			more = end != at;
			at = end;
		} while (more && *at == ' ');
	}
	if (f)
		fclose(f);
	return sum;
}

/* Kills cannot tell whether a fence waited for the device; its interrupts do. */
TEST_F_TIMEOUT(heap, fences_reach_the_device, 60)
{
	struct h_root *root = pmemobj_direct(pmemobj_root(self->pop, sizeof(*root)));
	__u64 before, i;

	/* The first one has a slab to make. */
	ASSERT_EQ(0, pmemobj_zalloc(self->pop, &root->slot[0], 64, 1));
	for (i = 1; i < 10 && !self->place.sync; i++) {
		before = irq_cnt(&self->place.dev);
		ASSERT_EQ(0, pmemobj_zalloc(self->pop, &root->slot[i], 64, 1));
		EXPECT_LE(before + 3, irq_cnt(&self->place.dev));
		before = irq_cnt(&self->place.dev);
		pmemobj_free(&root->slot[i]);
		EXPECT_LT(before, irq_cnt(&self->place.dev));
	}
}

/* ---- threads ------------------------------------------------------------------------------ */

#define THREADS	4

struct thread {
	pthread_t thread;
	struct h_worker w;
	int steps;
};

static void *work(void *arg)
{
	struct thread *t = arg;
	int i;

	for (i = 0; i < t->steps && !h_failed(); i++)
		h_step(&t->w);
	return NULL;
}

TEST_F_TIMEOUT(heap, threads, 120)
{
	struct thread t[THREADS];
	size_t live;
	int i;

	for (i = 0; i < THREADS; i++) {
		h_worker_init(&t[i].w, self->pop, i, i);
		t[i].steps = self->place.sync ? 6000 : 60;
		ASSERT_EQ(0, pthread_create(&t[i].thread, NULL, work, &t[i]));
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i].thread, NULL);
	ASSERT_STREQ("", h_shared->text);
	AGAIN();
	H_GOOD(h_judge_open(self->pop, &live));
	EXPECT_GT(live, THREADS * H_PART / 8);
}

/* ---- two pools ---------------------------------------------------------------------------- */

FIXTURE(two_heaps)
{
	struct h_place place[2];
	PMEMobjpool *pop[2];
	struct h_root *root[2];
};

FIXTURE_SETUP(two_heaps)
{
	int ctl = t_reset(), i, ret;

	ASSERT_LE(0, ctl);
	close(ctl);
	ASSERT_EQ(0, h_share());
	for (i = 0; i < 2; i++) {
		ret = h_place_empty(&self->place[i], i);
		T_NEED(ret != -ENXIO, "no fsdax device on node %d", i);
		ASSERT_EQ(0, ret);
		self->pop[i] = pmemobj_create(self->place[i].name, H_LAYOUT, 0, 0600);
		ASSERT_NE(NULL, self->pop[i])
			TH_LOG("%s", pmemobj_errormsg());
		self->root[i] = pmemobj_direct(pmemobj_root(self->pop[i], sizeof(struct h_root)));
	}
}

FIXTURE_TEARDOWN(two_heaps)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (self->pop[i])
			pmemobj_close(self->pop[i]);
		H_GOOD(h_check(self->place[i].name, NULL));
	}
	close(t_reset());
}

/* Objects of each pool, named by slots of the other. */
TEST_F_TIMEOUT(two_heaps, destination_in_the_other, 60)
{
	PMEMoid stack = OID_NULL, o;
	struct h_make m;
	__u64 i, *w;
	int k;

	for (i = 0; i < 2 * H_PART; i++) {
		k = i % 2;
		m = (struct h_make){ .words = 2 + i * 10, .stamp = i + 1 };
		ASSERT_EQ(0, pmemobj_alloc(self->pop[k], &self->root[!k]->slot[i], m.words * 8, k,
					   h_construct, &m));
		o = self->root[!k]->slot[i];
		EXPECT_EQ(self->pop[k], pmemobj_pool_by_oid(o));
		EXPECT_EQ(self->pop[k], pmemobj_pool_by_ptr(pmemobj_direct(o)));
		EXPECT_EQ(0, memcmp(&o, &self->root[!k]->slot[i], sizeof(o)));
	}
	EXPECT_EQ(H_PART, count(self->pop[0]));
	EXPECT_EQ(H_PART, count(self->pop[1]));
	EXPECT_EQ(H_PART, count_type(self->pop[1], 1));
	/* In another order, each on its own; an id of a pool that is not open leads nowhere. */
	for (k = 0; k < 2; k++) {
		pmemobj_close(self->pop[k]);
		self->pop[k] = NULL;
	}
	self->pop[1] = pmemobj_open(self->place[1].name, H_LAYOUT);
	ASSERT_NE(NULL, self->pop[1]);
	self->root[1] = pmemobj_direct(pmemobj_root(self->pop[1], 0));
	o = self->root[1]->slot[0];
	EXPECT_FALSE(OID_IS_NULL(o));
	EXPECT_EQ(NULL, pmemobj_direct(o));
	pmemobj_free(&self->root[1]->slot[0]);
	EXPECT_FALSE(OID_IS_NULL(self->root[1]->slot[0]));
	self->pop[0] = pmemobj_open(self->place[0].name, H_LAYOUT);
	ASSERT_NE(NULL, self->pop[0]);
	self->root[0] = pmemobj_direct(pmemobj_root(self->pop[0], 0));
	for (i = 0; i < 2 * H_PART; i++) {
		PMEMoid *slot = &self->root[!(i % 2)]->slot[i];

		ASSERT_TRUE(h_whole(*slot, i))
			TH_LOG("%s", h_shared->text);
		w = pmemobj_direct(*slot);
		EXPECT_EQ(i + 1, w[1]);
		if (i % 3 == 0) {
			ASSERT_EQ(0, pmemobj_realloc(self->pop[i % 2], slot, 9000 + i * 8, 2));
			h_stamp(self->pop[i % 2], pmemobj_direct(*slot), w[0], w[0], i + 1);
		}
		/* The wrong pool's handle changes nothing. */
		if (i % 3 == 1) {
			o = *slot;
			EXPECT_EQ(-1, pmemobj_realloc(self->pop[!(i % 2)], slot, 5000, 2));
			EXPECT_EQ(EINVAL, errno);
			EXPECT_TRUE(OID_EQUALS(o, *slot));
		}
	}
	for (i = 0; i < 2 * H_PART; i++) {
		pmemobj_free(&self->root[!(i % 2)]->slot[i]);
		EXPECT_TRUE(OID_IS_NULL(self->root[!(i % 2)]->slot[i]));
	}
	EXPECT_EQ(0, count(self->pop[0]) + count(self->pop[1]));
	/* One on the stack is durable nowhere, and found by iteration. */
	ASSERT_EQ(0, pmemobj_zalloc(self->pop[1], &stack, 100, 0));
	o = pmemobj_first(self->pop[1]);
	EXPECT_TRUE(OID_EQUALS(stack, o));
	pmemobj_free(&stack);
}

static int allocate_across(int sock, void *arg)
{
	struct h_place *place = arg;
	struct h_root *root[2];
	PMEMobjpool *pop[2];
	__u64 i, seed = (__u64)getpid() * 77773;
	int k;

	for (k = 0; k < 2; k++) {
		pop[k] = pmemobj_open(place[k].name, H_LAYOUT);
		T_CHILD(pop[k]);
		root[k] = pmemobj_direct(pmemobj_root(pop[k], 0));
	}
	t_put(sock, 1);
	for (i = 0;; i++) {
		PMEMoid *slot;
		struct h_make m = { .words = 2 + h_rnd(&seed) % 100, .stamp = i + 1 };

		k = i % 2;
		slot = &root[!k]->slot[h_rnd(&seed) % (H_SLOTS / 2) * 2 + k];
		if (OID_IS_NULL(*slot))
			T_CHILD(!pmemobj_alloc(pop[k], slot, m.words * 8, 1, h_construct, &m));
		else
			pmemobj_free(slot);
	}
	return 0;
}

/*
 * Killed in the middle: a slot names a whole object or none. What is allocated in one pool and not
 * yet named in the other is not undone, but iteration finds it.
 */
TEST_F_TIMEOUT(two_heaps, killed_between, 120)
{
	static PMEMoid named[H_SLOTS];
	__u64 seed = 5, n, i, lost = 0;
	int round, k;
	struct t_child c;
	PMEMoid o, next;

	for (k = 0; k < 2; k++) {
		pmemobj_close(self->pop[k]);
		self->pop[k] = NULL;
	}
	for (round = 0; round < 12; round++) {
		ASSERT_EQ(0, t_spawn(&c, allocate_across, self->place));
		ASSERT_EQ(0, t_get(c.sock, NULL));
		t_sleep_ms(20 + (long)(h_rnd(&seed) % 60));
		EXPECT_EQ(-SIGKILL, t_kill(&c));
		for (k = 0; k < 2; k++) {
			self->pop[k] = pmemobj_open(self->place[k].name, H_LAYOUT);
			ASSERT_NE(NULL, self->pop[k]);
			self->root[k] = pmemobj_direct(pmemobj_root(self->pop[k], 0));
		}
		for (k = 0; k < 2; k++) {
			for (n = i = 0; i < H_SLOTS; i++) {
				o = self->root[!k]->slot[i];
				if (OID_IS_NULL(o))
					continue;
				/* The object is freed first: its id may stay. */
				if (!pmemobj_alloc_usable_size(o)) {
					self->root[!k]->slot[i] = OID_NULL;
					lost++;
					continue;
				}
				ASSERT_TRUE(h_whole(o, i))
					TH_LOG("%s", h_shared->text);
				named[n++] = o;
			}
			qsort(named, n, sizeof(*named), h_by_offset);
			/* Free what no slot names: the next round begins without. */
			for (o = pmemobj_first(self->pop[k]); !OID_IS_NULL(o); o = next) {
				next = pmemobj_next(o);
				if (bsearch(&o, named, n, sizeof(o), h_by_offset))
					continue;
				lost++;
				pmemobj_free(&o);
			}
			EXPECT_EQ(n, count(self->pop[k]));
		}
		EXPECT_LE(lost, round + 1);
		for (k = 0; k < 2; k++) {
			pmemobj_close(self->pop[k]);
			self->pop[k] = NULL;
		}
	}
	TH_LOG("%llu objects were in one pool only", lost);
}

TEST_HARNESS_MAIN
