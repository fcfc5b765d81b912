// SPDX-License-Identifier: BSD-3-Clause
/*
 * Random operations of every kind against a model of what must be there. Each object that the model
 * knows has a pattern of its own over all its bytes, looked at when it changes and at the end; at
 * times, and after each reopen, iteration must give the objects of the model and no others.
 *
 * usage: random [-v VARIANT] [-t TEST], as every kselftest. RANDOM_SEED adds to the seeds.
 */
#include <wchar.h>

#include "compat.h"
#include "rounds.h"

#define OPS		200000
#define TYPES		5
#define IN_POOL		(SLOTS / 8)	/* destinations that are slots of the root */
#define KNOWN		(IN_POOL + 256)	/* the others are in memory */
#define GROUP		12		/* ids changed at once, at most */

#ifdef THEIRS
#define FULL_BY_CHANCE	(OPS / 10)	/* each of its size classes takes 256 KiB at once */
#else
#define FULL_BY_CHANCE	(OPS / 1000)
#endif

struct known {
	PMEMoid *dest;
	size_t size;		/* bytes that have the pattern */
	uint64_t seed;
	uint64_t type;
};

struct model {
	PMEMobjpool *pop;
	struct known k[KNOWN];
	PMEMoid in_memory[KNOWN - IN_POOL];
	uint64_t state;
	uint64_t next;		/* seed of the next object */
	size_t max;		/* size of the usual objects */
	size_t cnt;
	size_t full;		/* operations that found no room */
	size_t done;
	char wrong[500];
};

FIXTURE(random) {
	char *path;
	struct model *m;
};

FIXTURE_VARIANT(random) {
	uint64_t seed;
	size_t bytes;
	size_t max;
	size_t full_min;	/* operations that find no room */
	size_t full_max;
};

FIXTURE_VARIANT_ADD(random, roomy) {
	.seed = 1, .bytes = 256 * MIB, .max = 3000,
};

FIXTURE_VARIANT_ADD(random, tight) {
	.seed = 2, .bytes = PMEMOBJ_MIN_POOL, .max = 30000, .full_min = OPS / 100, .full_max = OPS,
};

FIXTURE_VARIANT_ADD(random, small_pool_small_objects) {
	.seed = 3, .bytes = PMEMOBJ_MIN_POOL, .max = 400, .full_max = FULL_BY_CHANCE,
};

static void wrong(struct model *m, const char *what)
{
	if (!m->wrong[0])
		snprintf(m->wrong, sizeof(m->wrong), "operation %zu: %s: %s", m->done, what,
			 pmemobj_errormsg());
}

/* The root may be elsewhere after a reopen. */
static bool attach(struct model *m)
{
	struct compat_root *root = pmemobj_direct(pmemobj_root(m->pop, sizeof(*root)));
	size_t i;

	for (i = 0; root && i < KNOWN; i++)
		m->k[i].dest = i < IN_POOL ? &root->slot[i * 8] : &m->in_memory[i - IN_POOL];
	return root;
}

FIXTURE_SETUP(random)
{
	const char *more = getenv("RANDOM_SEED");

	files_make();
	self->path = strdup(files_path("pool"));
	self->m = calloc(1, sizeof(*self->m));
	self->m->state = variant->seed + (more ? strtoull(more, NULL, 0) : 0);
	self->m->state *= 0x9e3779b97f4a7c15;
	self->m->max = variant->max;
	self->m->pop = pmemobj_create(self->path, LAYOUT, variant->bytes, 0600);
	ASSERT_NE(NULL, self->m->pop)
		TH_LOG("%s", pmemobj_errormsg());
	ASSERT_TRUE(attach(self->m));
}

FIXTURE_TEARDOWN(random)
{
	if (self->m->pop)
		pmemobj_close(self->m->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, LAYOUT));
	files_remove();
	free(self->path);
	free(self->m);
}

/* ---- the model --------------------------------------------------------------------------- */

static uint64_t below(struct model *m, uint64_t n)
{
	return (rnd(&m->state) >> 11) % n;
}

static size_t some_size(struct model *m)
{
	switch (below(m, 32)) {
	case 0:
		return 1 + below(m, 64 * KIB);
	case 1:
		return 1 + below(m, 16);
	case 2:
		return below(m, 40) ? 64 : 1 + below(m, MIB);
	default:
		return 1 + below(m, 1 + below(m, m->max));
	}
}

static bool is_null(const struct known *k)
{
	return OID_IS_NULL(*k->dest);
}

static void verify(struct model *m, const struct known *k)
{
	const void *p = pmemobj_direct(*k->dest);

	if (is_null(k)) {
		wrong(m, "an id is null");
		return;
	}
	if (pmemobj_type_num(*k->dest) != k->type)
		wrong(m, "type number");
	if (pmemobj_alloc_usable_size(*k->dest) < k->size)
		wrong(m, "usable size");
	if (!pattern_holds(p, 0, k->size, k->seed))
		wrong(m, "contents");
}

/* @k has a new object: give it its pattern. */
static void made(struct model *m, struct known *k, size_t size, uint64_t type)
{
	void *p = pmemobj_direct(*k->dest);

	k->size = size;
	k->type = type;
	k->seed = m->next++;
	pattern_fill(p, 0, size, k->seed);
	pmemobj_persist(m->pop, p, size);
	m->cnt++;
}

/* No room: that changed nothing. */
static void no_room(struct model *m, const struct known *k, bool was_null)
{
	if (errno != ENOMEM)
		wrong(m, "an operation failed");
	if (was_null != is_null(k))
		wrong(m, "a failed operation changed an id");
	m->full++;
}

/* Iteration gives what the model has. */
static bool all_there(struct model *m)
{
	size_t i, n = 0, of_type[TYPES] = { 0 };
	PMEMoid *oid = calloc(KNOWN, sizeof(*oid));
	bool same;

	for (i = 0; i < KNOWN; i++) {
		if (is_null(&m->k[i]))
			continue;
		verify(m, &m->k[i]);
		of_type[m->k[i].type - TYPE_MIN]++;
		oid[n++] = *m->k[i].dest;
	}
	same = n == m->cnt && objects_are(m->pop, oid, n);
	for (i = 0; i < TYPES; i++)
		same = same && objects_of_type(m->pop, i + TYPE_MIN) == of_type[i];
	free(oid);
	return same;
}

/* ---- operations -------------------------------------------------------------------------- */

static void op_alloc(struct model *m, struct known *k, uint64_t type)
{
	size_t size = some_size(m);
	struct make c = { .seed = m->next, .size = size, .result = !below(m, 20) };
	bool constructed = false, zero = false;
	int err;

	switch (below(m, 5)) {
	case 0:
		err = pmemobj_alloc(m->pop, k->dest, size, type, NULL, NULL);
		break;
	case 1:
		constructed = true;
		err = pmemobj_alloc(m->pop, k->dest, size, type, make_pattern, &c);
		break;
	case 2:
		zero = true;
		err = pmemobj_zalloc(m->pop, k->dest, size, type);
		break;
	case 3:
		zero = true;
		err = pmemobj_xalloc(m->pop, k->dest, size, type, POBJ_XALLOC_ZERO, NULL, NULL);
		break;
	default:
		err = pmemobj_realloc(m->pop, k->dest, size, type);
	}
	if (constructed && c.calls && c.result) {
		if (!err || errno != ECANCELED || !is_null(k))
			wrong(m, "a cancelled constructor");
		return;
	}
	if (err) {
		no_room(m, k, true);
		return;
	}
	if (zero && !all_zero(pmemobj_direct(*k->dest), 0, size))
		wrong(m, "zeros");
	if (constructed && !pattern_holds(pmemobj_direct(*k->dest), 0, size, c.seed))
		wrong(m, "what the constructor wrote");
	made(m, k, size, type);
}

static void op_string(struct model *m, struct known *k, uint64_t type)
{
	static char s[400];
	static wchar_t w[100];
	size_t len = below(m, 399);

	if (below(m, 2)) {
		memset(s, 'a' + len % 26, len);
		s[len] = 0;
		if (pmemobj_strdup(m->pop, k->dest, s, type)) {
			no_room(m, k, true);
			return;
		}
		if (strcmp(s, pmemobj_direct(*k->dest)))
			wrong(m, "a string");
		made(m, k, len + 1, type);
	} else {
		len /= 4;
		wmemset(w, 0x100 + len, len);
		w[len] = 0;
		if (pmemobj_wcsdup(m->pop, k->dest, w, type)) {
			no_room(m, k, true);
			return;
		}
		if (wcscmp(w, pmemobj_direct(*k->dest)))
			wrong(m, "a wide string");
		made(m, k, (len + 1) * sizeof(wchar_t), type);
	}
}

static void op_free(struct model *m, struct known *k)
{
	verify(m, k);
	if (below(m, 8))
		pmemobj_free(k->dest);
	else if (pmemobj_realloc(m->pop, k->dest, 0, k->type))
		wrong(m, "resizing to 0");
	if (!is_null(k))
		wrong(m, "a freed id is not null");
	m->cnt--;
}

static void op_realloc(struct model *m, struct known *k, uint64_t type)
{
	size_t size = below(m, 4) ? some_size(m) : 1 + below(m, 2 * k->size), kept = k->size;
	bool zero = below(m, 2);
	size_t usable = pmemobj_alloc_usable_size(*k->dest);
	PMEMoid old = *k->dest;
	char *p = pmemobj_direct(old);
	int err;

#ifdef THEIRS
	if (size == usable)	/* then it forgets the new type number */
		type = k->type;
#endif
	verify(m, k);
	if (zero)		/* bytes beyond the usable ones are those that are added */
		pattern_fill(p, k->size, usable, k->seed);
	err = zero ? pmemobj_zrealloc(m->pop, k->dest, size, type) :
		     pmemobj_realloc(m->pop, k->dest, size, type);
	if (err) {
		no_room(m, k, false);
		if (!OID_EQUALS(old, *k->dest))
			wrong(m, "a failed operation moved an object");
		verify(m, k);
		return;
	}
	p = pmemobj_direct(*k->dest);
	if (kept > size)
		kept = size;
	if (!pattern_holds(p, 0, kept, k->seed))
		wrong(m, "resizing lost contents");
	if (zero && usable < size && !all_zero(p, usable, size))
		wrong(m, "resizing added no zeros");
	m->cnt--;
	made(m, k, size, type);
}

/* The two words of an id as two actions. */
static void set_oid(struct model *m, struct pobj_action *act, PMEMoid *at, PMEMoid to)
{
	pmemobj_set_value(m->pop, &act[0], &at->pool_uuid_lo, to.pool_uuid_lo);
	pmemobj_set_value(m->pop, &act[1], &at->off, to.off);
}

/* Replace, remove and add some at once; the destinations are in the pool. */
static void op_publish(struct model *m)
{
	size_t first = below(m, IN_POOL - GROUP), n = 1 + below(m, GROUP), i, acts = 0, size;
	struct pobj_action act[4 * GROUP];
	struct known new[GROUP];
	PMEMoid to[GROUP], before[GROUP];
	bool cancel = !below(m, 4), room = true;

	memset(new, 0, sizeof(new));
	for (i = 0; i < n && room; i++) {
		struct known *k = &m->k[first + i];

		to[i] = OID_NULL;
		before[i] = *k->dest;
		if (below(m, 3) || is_null(k)) {
			size = some_size(m);
			new[i] = (struct known){ .size = size, .type = TYPE_MIN + below(m, TYPES),
						 .seed = m->next++ };
			to[i] = pmemobj_xreserve(m->pop, &act[acts], size, new[i].type,
						 below(m, 2) ? POBJ_XALLOC_ZERO : 0);
			room = !OID_IS_NULL(to[i]);
			if (!room)
				break;
			acts++;
			pattern_fill(pmemobj_direct(to[i]), 0, size, new[i].seed);
			pmemobj_persist(m->pop, pmemobj_direct(to[i]), size);
		}
		if (!is_null(k))
			pmemobj_defer_free(m->pop, *k->dest, &act[acts++]);
		set_oid(m, &act[acts], k->dest, to[i]);
		acts += 2;
	}
	if (!room) {
		if (errno != ENOMEM)
			wrong(m, "reserving failed");
		m->full++;
	}
	if (cancel || !room) {
		pmemobj_cancel(m->pop, act, acts);
	} else if (pmemobj_publish(m->pop, act, acts)) {
		if (errno != ENOMEM)
			wrong(m, "publishing failed");
		m->full++;
		pmemobj_cancel(m->pop, act, acts);
		cancel = true;
	}
	for (i = 0; i < n; i++) {
		struct known *k = &m->k[first + i];

		if (cancel || !room) {
			if (!is_null(k))
				verify(m, k);
			continue;
		}
		if (!OID_EQUALS(*k->dest, to[i]))
			wrong(m, "publishing did not set an id");
		m->cnt += !is_null(k);
		m->cnt -= !OID_IS_NULL(before[i]);
		k->size = new[i].size;
		k->seed = new[i].seed;
		k->type = new[i].type;
		if (!is_null(k))
			verify(m, k);
	}
}

static void random_op(struct model *m)
{
	struct known *k = &m->k[below(m, KNOWN)];
	uint64_t type = TYPE_MIN + below(m, TYPES);

	m->done++;
	if (below(m, 12) == 0)
		op_publish(m);
	else if (is_null(k) && below(m, 6))
		op_alloc(m, k, type);
	else if (is_null(k))
		op_string(m, k, type);
	else if (below(m, 2))
		op_free(m, k);
	else
		op_realloc(m, k, below(m, 3) ? k->type : type);
}

/* All away: then the pool is as good as new. */
static void free_all(struct model *m)
{
	size_t i;

	for (i = 0; i < KNOWN; i++)
		if (!is_null(&m->k[i]))
			op_free(m, &m->k[i]);
}

TEST_F_TIMEOUT(random, operations, 240)
{
	const size_t ops = rounds(OPS);
	struct model *m = self->m;
	PMEMoid o = OID_NULL;
	size_t i;

	for (i = 1; i <= ops && !m->wrong[0]; i++) {
		random_op(m);
		if (i % 20000 == 0)
			ASSERT_TRUE(all_there(m))
				TH_LOG("after %zu operations", i);
		if (i % 50000 == 0) {
			pmemobj_close(m->pop);
			m->pop = pmemobj_open(self->path, LAYOUT);
			ASSERT_NE(NULL, m->pop);
			ASSERT_TRUE(attach(m));
			ASSERT_TRUE(all_there(m))
				TH_LOG("reopened after %zu operations", i);
		}
	}
	EXPECT_STREQ("", m->wrong);
	TH_LOG("%zu objects, %zu times full", m->cnt, m->full);
	if (ops == OPS)	/* else it may not have got there */
		EXPECT_GE(m->full, variant->full_min);
	EXPECT_LE(m->full, variant->full_max);
	free_all(m);
	EXPECT_STREQ("", m->wrong);
	EXPECT_TRUE(all_there(m));
	EXPECT_TRUE(OID_IS_NULL(o));
#ifndef THEIRS
	EXPECT_EQ(0, pmemobj_alloc(m->pop, &o, variant->bytes / 4 * 3, 1, NULL, NULL));
#endif
}

TEST_HARNESS_MAIN
