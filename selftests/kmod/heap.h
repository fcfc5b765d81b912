/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the heap on regions share: a fresh pool on a device, and objects that say
 * whether they are whole.
 *
 * The root is a table of slots, in parts: who works on a part is alone there. An object begins with
 * its length and a stamp that no other object has, and repeats the stamp to its end: what is handed
 * out twice, or cut off, shows.
 */
#ifndef POBJ_SELFTESTS_KMOD_HEAP_H
#define POBJ_SELFTESTS_KMOD_HEAP_H

#include "child.h"

#include <libpmemobj.h>
#include <pobj.h>

/* ---- places ------------------------------------------------------------------------------- */

#define H_VIRTIO	(-1)	/* instead of a node: the virtio-pmem device */
#define H_LAYOUT	"heap"

/**
 * struct h_place - a device for a pool
 * @dev: the device
 * @name: pobj:pmemN
 * @sync: CPU flushes make data durable there
 */
struct h_place {
	struct t_dev dev;
	char name[64];
	bool sync;
};

/* It comes up a little after its driver. */
static inline int h_find_virtio(struct t_dev *d)
{
	char name[32], path[PATH_MAX], real[PATH_MAX];
	DIR *dir = NULL;
	int tries;

	if (system("modprobe -q virtio_pmem"))
		return -ENODEV;
	for (tries = 0; tries < 30; tries++) {
		while (t_block_dir(&dir, "/sys/block", "pmem", name)) {
			snprintf(path, sizeof(path), "/sys/block/%s", name);
			if (!realpath(path, real) || !strstr(real, "/virtio") ||
			    t_dev_fill(d, name))
				continue;
			closedir(dir);
			return 0;
		}
		t_sleep_ms(100);
	}
	return -ENODEV;
}

/* The device of @node. -ENXIO: there is none. */
static inline int h_place_find(struct h_place *pl, int node)
{
	if (node == H_VIRTIO ? h_find_virtio(&pl->dev) : t_dev_find(&pl->dev, node))
		return -ENXIO;
	pl->sync = node != H_VIRTIO;
	snprintf(pl->name, sizeof(pl->name), "pobj:%s", pl->dev.name);
	return 0;
}

/* The same, with no pool on it any more. */
static inline int h_place_empty(struct h_place *pl, int node)
{
	int fd, ret = h_place_find(pl, node);
	void *zeros;

	if (ret)
		return ret;
	/* Past the page cache. */
	zeros = aligned_alloc(4096, 16384);
	if (!zeros)
		return -ENOMEM;
	memset(zeros, 0, 16384);
	fd = open(pl->dev.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ret = fd < 0 || pwrite(fd, zeros, 16384, 0) != 16384 ? -EIO : 0;
	if (fd >= 0)
		close(fd);
	free(zeros);
	return ret;
}

/* NULL, or what is wrong with the pool, which nobody has open. */
static inline const char *h_check(const char *name, struct pobj_pool_census *c)
{
	struct pobj_pool_census own;
	static char text[128];

	if (!c)
		c = &own;
	if (pobj_pool_check(name, NULL, NULL, c))
		return pobj_errormsg();
	if (!c->problems && !c->live_entries)
		return NULL;
	snprintf(text, sizeof(text), "the check finds %llu problems, %llu live entries",
		 (unsigned long long)c->problems, (unsigned long long)c->live_entries);
	return text;
}

/* ---- objects ------------------------------------------------------------------------------ */

#define H_PART		32		/* slots */
#define H_PARTS		8
#define H_SLOTS		(H_PARTS * H_PART)
#define H_TYPES		4

struct h_root {
	PMEMoid slot[H_SLOTS];
	PMEMmutex mutex;
};

/* Shared between a test and its children. */
struct h_page {
	__u64 steps[H_PARTS];	/* as a sign of life */
	int leave;
	int failed;
	char text[400];
};

static struct h_page *h_shared;

static inline int h_share(void)
{
	h_shared = mmap(NULL, sizeof(*h_shared), T_RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return h_shared == MAP_FAILED ? -ENOMEM : 0;
}

/* The first failure of all processes; the others stop, too. */
static inline void h_fail(const char *what, __u64 a, __u64 b)
{
	if (!__atomic_exchange_n(&h_shared->failed, 1, __ATOMIC_SEQ_CST))
		snprintf(h_shared->text, sizeof(h_shared->text), "%s: %#llx, %#llx: %.250s", what,
			 (unsigned long long)a, (unsigned long long)b, pmemobj_errormsg());
}

static inline bool h_failed(void)
{
	return __atomic_load_n(&h_shared->failed, __ATOMIC_RELAXED);
}

static inline __u64 h_rnd(__u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1dULL) >> 11;
}

/* Stamp from word @from to the end; the length says so afterwards. */
static inline void h_stamp(PMEMobjpool *pop, void *at, __u64 from, __u64 words, __u64 value)
{
	__u64 *w = at, i;

	for (i = from ? from : 1; i < words; i++)
		w[i] = value;
	pmemobj_persist(pop, w, words * 8);
	__atomic_store_n(&w[0], words, __ATOMIC_RELEASE);
	pmemobj_persist(pop, w, 8);
}

/* Is @oid an object, whole and of one stamp? @where: for the message. */
static inline bool h_whole(PMEMoid oid, __u64 where)
{
	__u64 *w = pmemobj_direct(oid), usable = pmemobj_alloc_usable_size(oid), i;

	if (!w || pmemobj_type_num(oid) >= H_TYPES) {
		h_fail("a slot names no object", where, oid.off);
		return false;
	}
	if (w[0] < 2 || w[0] * 8 > usable) {
		h_fail("the length of an object", w[0], usable);
		return false;
	}
	for (i = 2; i < w[0]; i++) {
		if (w[i] != w[1]) {
			h_fail("an object has two stamps", w[1], w[i]);
			return false;
		}
	}
	return true;
}

struct h_make {
	__u64 words;
	__u64 stamp;
	bool cancel;
};

static inline int h_construct(PMEMobjpool *pop, void *at, void *arg)
{
	struct h_make *m = arg;

	h_stamp(pop, at, 0, m->words, m->stamp);
	return m->cancel;
}

/* ---- random operations -------------------------------------------------------------------- */

/**
 * struct h_worker - who works on a part of the table
 * @pop: pool of the table
 * @root: the table
 * @part: which part
 * @id: unlike that of any other worker of the test
 * @seed, @stamps: of its objects
 */
struct h_worker {
	PMEMobjpool *pop;
	struct h_root *root;
	int part;
	__u64 id;
	__u64 seed;
	__u64 stamps;
};

static inline void h_worker_init(struct h_worker *w, PMEMobjpool *pop, int part, __u64 id)
{
	*w = (struct h_worker){ .pop = pop, .part = part, .id = id + 1,
				.seed = (id + 1) * 0x9e3779b97f4a7c15ULL };
	w->root = pmemobj_direct(pmemobj_root(pop, sizeof(*w->root)));
	if (!w->root)
		h_fail("root", errno, id);
}

/* Mostly small, now and then larger than any class of a slab. */
static inline __u64 h_some_words(__u64 *seed)
{
	__u64 r = h_rnd(seed);

	return 2 + h_rnd(seed) % (r % 64 == 0 ? 6000 : r % 4 ? 40 : 250);
}

static inline bool h_no_room(int err)
{
	return err == ENOMEM;
}

static inline void h_resize(struct h_worker *w, PMEMoid *slot)
{
	__u64 *h = pmemobj_direct(*slot), words = h_some_words(&w->seed), old = h[0], value = h[1];

	/* Less is said before it is less, more after it is more. */
	if (words < old)
		h_stamp(w->pop, h, words, words, value);
	if (pmemobj_realloc(w->pop, slot, words * 8, h_rnd(&w->seed) % H_TYPES)) {
		if (!h_no_room(errno))
			h_fail("realloc", errno, words);
		return;
	}
	if (words > old)
		h_stamp(w->pop, pmemobj_direct(*slot), old, words, value);
}

/* Two slots at once: each gets a new object, or none, and loses what it had. */
static inline void h_publish(struct h_worker *w, PMEMoid *slot[2])
{
	struct pobj_action act[8];
	size_t n = 0, i;
	__u64 words;
	PMEMoid o;

	for (i = 0; i < 2; i++) {
		o = OID_NULL;
		if (h_rnd(&w->seed) % 4) {
			words = h_some_words(&w->seed);
			o = pmemobj_reserve(w->pop, &act[n], words * 8, h_rnd(&w->seed) % H_TYPES);
			if (OID_IS_NULL(o)) {
				if (!h_no_room(errno))
					h_fail("reserve", errno, words);
				pmemobj_cancel(w->pop, act, n);
				return;
			}
			n++;
			h_stamp(w->pop, pmemobj_direct(o), 0, words, w->id << 32 | ++w->stamps);
		}
		if (!OID_IS_NULL(*slot[i]))
			pmemobj_defer_free(w->pop, *slot[i], &act[n++]);
		pmemobj_set_value(w->pop, &act[n++], &slot[i]->pool_uuid_lo, o.pool_uuid_lo);
		pmemobj_set_value(w->pop, &act[n++], &slot[i]->off, o.off);
	}
	if (h_rnd(&w->seed) % 8 == 0)
		pmemobj_cancel(w->pop, act, n);
	else if (pmemobj_publish(w->pop, act, n))
		h_fail("publish", errno, n);
}

static inline void h_alloc(struct h_worker *w, PMEMoid *slot, bool cancel)
{
	struct h_make m = { h_some_words(&w->seed), w->id << 32 | ++w->stamps, cancel };
	__u64 type = h_rnd(&w->seed) % H_TYPES;

	if (!pmemobj_alloc(w->pop, slot, m.words * 8, type, h_construct, &m)) {
		if (cancel)
			h_fail("alloc did not cancel", 0, 0);
	} else if (!h_no_room(errno) && !(cancel && errno == ECANCELED)) {
		h_fail("alloc", errno, m.words);
	}
}

/* One random operation on the worker's part. What it touches must be whole before. */
static inline void h_step(struct h_worker *w)
{
	__u64 r = h_rnd(&w->seed), at = r % H_PART;
	PMEMoid *part = &w->root->slot[w->part * H_PART];
	PMEMoid *slot = &part[at], *pair[2] = { slot, &part[(at + 1) % H_PART] };

	if (!OID_IS_NULL(*slot) && !h_whole(*slot, at))
		return;
	r = h_rnd(&w->seed);
	if (r % 8 == 0) {
		if (OID_IS_NULL(*pair[1]) || h_whole(*pair[1], at + 1))
			h_publish(w, pair);
	} else if (OID_IS_NULL(*slot)) {
		h_alloc(w, slot, r % 32 == 1);
	} else if (r % 4) {
		pmemobj_free(slot);
		if (!OID_IS_NULL(*slot))
			h_fail("a freed slot is not empty", slot->off, errno);
	} else {
		h_resize(w, slot);
	}
}

/* ---- the pool afterwards ------------------------------------------------------------------ */

static inline int h_by_offset(const void *a, const void *b)
{
	const PMEMoid *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* NULL, or what is wrong: the open pool has what the slots name, whole, and nothing else. */
static inline const char *h_judge_open(PMEMobjpool *pop, size_t *live)
{
	struct h_root *root = pmemobj_direct(pmemobj_root(pop, sizeof(*root)));
	static PMEMoid named[H_SLOTS], found[H_SLOTS + 1];
	size_t n = 0, all = 0, i;
	PMEMoid o;

	*live = 0;
	for (i = 0; i < H_SLOTS; i++) {
		if (OID_IS_NULL(root->slot[i]))
			continue;
		if (!h_whole(root->slot[i], i))
			return h_shared->text;
		named[n++] = root->slot[i];
	}
	qsort(named, n, sizeof(*named), h_by_offset);
	POBJ_FOREACH(pop, o) {
		if (all <= H_SLOTS)
			found[all] = o;
		all++;
	}
	*live = n;
	if (all != n) {
		snprintf(h_shared->text, sizeof(h_shared->text),
			 "%zu objects, %zu slots name one", all, n);
		return h_shared->text;
	}
	qsort(found, n, sizeof(*found), h_by_offset);
	for (i = 0; i < n; i++)
		if (named[i].off != found[i].off)
			return "an object that no slot names, or two slots name one";
	return NULL;
}

/* The same for a pool that nobody has open, which must check clean. */
static inline const char *h_judge(const char *name, size_t *live)
{
	struct pobj_pool_recovery r;
	const char *verdict;
	PMEMobjpool *pop;

	*live = 0;
	if (pobj_pool_recover(name, &r))
		return pobj_errormsg();
	verdict = h_check(name, NULL);
	if (verdict)
		return verdict;
	pop = pmemobj_open(name, H_LAYOUT);
	if (!pop)
		return pobj_errormsg();
	verdict = h_judge_open(pop, live);
	pmemobj_close(pop);
	return verdict;
}

#define H_GOOD(verdict) do { \
	const char *__v = (verdict); \
	EXPECT_EQ(NULL, __v) \
		TH_LOG("%s", __v); \
} while (0)

#endif /* POBJ_SELFTESTS_KMOD_HEAP_H */
