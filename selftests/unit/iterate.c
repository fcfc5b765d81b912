// SPDX-License-Identifier: BSD-3-Clause
/*
 * Iteration over hand-made page lines, from every place, over lines that cannot be and that change
 * meanwhile; and over what the allocator makes, while others allocate and free.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_fixture.h"
#include "rounds.h"
#include "lib/core/line.h"
#include "lib/heap.h"

/* ---- a pool whose lines are made by hand ------------------------------------------------- */

#define OBJECTS_MAX	4096

/* What must be met, in the order of offsets. */
static struct {
	u64 off;
	u64 type;
} object[OBJECTS_MAX];
static u32 object_cnt;

static struct pobj_geom geom;
static u64 uuid_lo;
static char *base;

static void take_bearings(PMEMobjpool *pop)
{
	geom = pobj_pool_raw(pop)->super.geom;
	uuid_lo = pobj_pool_raw(pop)->uuid_lo;
	base = (char *)pop;
	object_cnt = 0;
}

static struct pobj_m_line *line_of(u64 page)
{
	return (struct pobj_m_line *)(base + pobj_geom_line(&geom, page));
}

static void header(u64 page, u32 kind, u32 flags, u32 cnt, u32 size)
{
	line_of(page)->header = cpu_to_le64(pobj_line_header(kind, flags, cnt, size));
}

static void expect(u64 off, u64 type)
{
	object[object_cnt].off = off;
	object[object_cnt++].type = type;
}

/* A slab with every @every-th object from @start on; the rest is free in either way. */
static u64 make_slab(u64 page, u32 size, u32 cnt, u32 flags, u64 type, u32 start, u32 every)
{
	const bool mixed = flags & POBJ_M_F_MIXED;
	const u64 pages = pobj_geom_pages(&geom, (u64)cnt * (size + (mixed ? 8 : 0)));
	struct pobj_m_line *l = line_of(page);
	u64 own, i;
	bool there;

	memset(l, 0, sizeof(*l));
	l->type = cpu_to_le64(mixed ? 0 : type);
	for (i = 0; i < cnt; i++) {
		there = i >= start && (i - start) % every == 0;
		/* there: A or F; not there: none or both. */
		if (i % 2)
			l->slab[i / 64].a |= cpu_to_le64(1ULL << i % 64);
		if (i % 2 ? !there : there)
			l->slab[i / 64].f |= cpu_to_le64(1ULL << i % 64);
		own = mixed ? type + i % 3 : type;
		if (mixed)
			*(__le64 *)(base + pobj_mixed_type_off(pobj_geom_page(&geom, page), size,
							       cnt, i)) = cpu_to_le64(own);
		if (there && !(flags & POBJ_M_F_INTERNAL))
			expect(pobj_geom_page(&geom, page) + i * size, own);
	}
	for (i = 1; i < pages; i++)
		header(page + i, POBJ_M_CONT, 0, 0, i);
	header(page, POBJ_M_SLAB, flags, cnt, size);
	return page + pages;
}

static u64 make_large(u64 page, u32 pages, u32 flags, u64 type)
{
	struct pobj_m_line *l = line_of(page);
	u64 i;

	memset(l, 0, sizeof(*l));
	l->type = cpu_to_le64(type);
	l->large.size = cpu_to_le64((u64)pages << geom.page_shift);
	for (i = 1; i < pages; i++) {
		if ((page + i) % POBJ_M_SECTION_PAGES)
			header(page + i, POBJ_M_FREE, 0, 0, 0);
		else
			header(page + i, POBJ_M_CONT, 0, 0, i);
	}
	header(page, POBJ_M_LARGE, flags, 0, pages);
	if (!(flags & (POBJ_M_F_INTERNAL | POBJ_M_F_ROOT)))
		expect(pobj_geom_page(&geom, page), type);
	return page + pages;
}

/* Something of everything. Groups are of 32 pages, and slabs stay within one, but for one. */
static void make_zoo(void)
{
	u64 page;

	page = make_slab(0, 64, 64, 0, 1, 0, 1);
	page = make_slab(page, 16, 192, 0, 2, 191, 1);
	page = make_slab(page, 48, 85, 0, 3, 84, 1);
	make_slab(page + 3, 1000, 20, 0, 1, 3, 7);
	header(page + 9, POBJ_M_LOG, 0, 0, 1);
	make_slab(20, 128, 192, 0, 1, 0, 5);			/* 6 pages */
	make_slab(26, 96, 40, 0, 7, 40, 1);			/* empty */
	make_slab(27, 24, 150, POBJ_M_F_MIXED, 1, 1, 2);	/* types 1, 2, 3 */
	make_slab(29, 256, 16, POBJ_M_F_INTERNAL, 1, 0, 1);
	page = make_large(30, 70, 0, 5);			/* over groups */
	/* CONT lines of earlier spans, within a large one and on free pages. */
	header(40, POBJ_M_CONT, 0, 0, 13);
	header(70, POBJ_M_CONT, 0, 0, 50);
	page = make_large(page, 2, POBJ_M_F_ROOT, 0);
	header(page, POBJ_M_CONT, 0, 0, 1);
	page = make_large(page + 1, 1, POBJ_M_F_INTERNAL, 1);
	page = make_large(page, 1, 0, ~0ULL);
	make_slab(160, 2048, 192, POBJ_M_F_MIXED, 9, 100, 90);	/* more than a group */
	make_slab(300, 16384, 3, 0, 0, 1, 1);
	make_large(500, 700, 0, 1);				/* over sections */
	make_slab(1200, 64, 64, 0, 1, 63, 1);
	make_large(geom.page_cnt - 40, 39, 0, 2);
	make_slab(geom.page_cnt - 1, 4096, 1, 0, 4, 0, 1);
}

/* The object that comes next to @off. */
static u64 above(u64 off, bool typed, u64 type)
{
	u32 i;

	for (i = 0; i < object_cnt; i++) {
		if (object[i].off > off && (!typed || object[i].type == type))
			return object[i].off;
	}
	return 0;
}

static u64 next_of(u64 off)
{
	const PMEMoid oid = { uuid_lo, off };

	return pmemobj_next(oid).off;
}

static u64 next_typed(u64 off, u64 type)
{
	const PMEMoid oid = { uuid_lo, off };

	return pobj_next_type(oid, type).off;
}

static const u64 types[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, ~0ULL
};

/* The zoo is met by a process that finds it on the medium. */
#define OPEN_ZOO() do {								\
	CREATE();								\
	take_bearings(self->pop);						\
	make_zoo();								\
	pmemobj_close(self->pop);						\
	self->pop = pmemobj_open(self->path, "test");				\
	ASSERT_NE(NULL, self->pop);						\
	base = (char *)self->pop;						\
} while (0)

TEST_F(pool, nothing_there)
{
	CREATE();
	errno = 0;
	EXPECT_TRUE(OID_IS_NULL(pmemobj_first(self->pop)));
	EXPECT_TRUE(OID_IS_NULL(pobj_first_type(self->pop, 0)));
	EXPECT_TRUE(OID_IS_NULL(pobj_first_type(self->pop, 77)));
	EXPECT_EQ(0, errno);
	/* Nor is the root. */
	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 100000)));
	errno = 0;
	EXPECT_TRUE(OID_IS_NULL(pmemobj_first(self->pop)));
	EXPECT_TRUE(OID_IS_NULL(pobj_first_type(self->pop, 0)));
	EXPECT_TRUE(OID_IS_NULL(pmemobj_next(pmemobj_root(self->pop, 0))));
	EXPECT_EQ(0, errno);
	pmemobj_close(self->pop);
}

static bool is_null_einval(PMEMoid oid)
{
	return oid.off == 0 && oid.pool_uuid_lo == 0 && errno == EINVAL &&
	       strlen(pmemobj_errormsg());
}

TEST_F(pool, ids_of_nothing)
{
	PMEMoid oid;

	OPEN_ZOO();
	oid = pmemobj_first(self->pop);
	ASSERT_FALSE(OID_IS_NULL(oid));
	EXPECT_EQ(uuid_lo, oid.pool_uuid_lo);
	EXPECT_EQ(uuid_lo, pmemobj_next(oid).pool_uuid_lo);
	errno = 0;
	EXPECT_TRUE(is_null_einval(pmemobj_next(OID_NULL)));
	errno = 0;
	EXPECT_TRUE(is_null_einval(pobj_next_type(OID_NULL, 1)));
	errno = 0;
	EXPECT_TRUE(is_null_einval(pmemobj_next((PMEMoid){ uuid_lo, 0 })));
	errno = 0;
	EXPECT_TRUE(is_null_einval(pmemobj_next((PMEMoid){ uuid_lo + 1, oid.off })));
	errno = 0;
	EXPECT_TRUE(is_null_einval(pobj_next_type((PMEMoid){ uuid_lo + 1, oid.off }, 1)));
	errno = 0;
	EXPECT_TRUE(is_null_einval(pmemobj_first((PMEMobjpool *)(base + 4096))));
	errno = 0;
	EXPECT_TRUE(is_null_einval(pobj_first_type(NULL, 1)));
	pmemobj_close(self->pop);
	errno = 0;
	EXPECT_TRUE(is_null_einval(pmemobj_next(oid)));
}

TEST_F(pool, each_once_in_order)
{
	PMEMoid oid;
	u32 i, n = 0, t;

	OPEN_ZOO();
	POBJ_FOREACH(self->pop, oid) {
		ASSERT_LT(n, object_cnt);
		ASSERT_EQ(object[n].off, oid.off);
		n++;
	}
	EXPECT_EQ(object_cnt, n);
	for (t = 0; t < ARRAY_SIZE(types); t++) {
		oid = pobj_first_type(self->pop, types[t]);
		for (i = 0; i < object_cnt; i++) {
			if (object[i].type != types[t])
				continue;
			ASSERT_EQ(object[i].off, oid.off);
			oid = pobj_next_type(oid, types[t]);
		}
		EXPECT_TRUE(OID_IS_NULL(oid));
	}
	pmemobj_close(self->pop);
}

/* One type first: the filter must be there before anything else was asked for. */
TEST_F(pool, typed_before_all)
{
	OPEN_ZOO();
	EXPECT_EQ(object[object_cnt - 1].off, pobj_first_type(self->pop, 4).off);
	pmemobj_close(self->pop);
}

/* It is the place that counts: inside of objects, free ones, spans of any kind, outside of all. */
TEST_F(pool, from_every_place)
{
	u64 off, end, step;
	u32 t;

	OPEN_ZOO();
	end = geom.data_off + pobj_geom_data_bytes(&geom);
	for (off = geom.data_off, step = 8; off < end; off += step) {
		ASSERT_EQ(above(off, false, 0), next_of(off))
			TH_LOG("from 0x%llx", (unsigned long long)off);
		/* All types from some, type 1 from each. */
		for (t = 0; t < ARRAY_SIZE(types); t++) {
			if (off % 64 && t != 1)
				continue;
			ASSERT_EQ(above(off, true, types[t]), next_typed(off, types[t]))
				TH_LOG("from 0x%llx, type %u", (unsigned long long)off, t);
		}
		if (off == geom.data_off + 34 * 4096)
			step = 344;
	}
	for (off = 1; off < geom.data_off; off += 4091)
		ASSERT_EQ(object[0].off, next_of(off));
	EXPECT_EQ(object[0].off, next_of(geom.data_off - 1));
	EXPECT_EQ(0, next_of(end - 1));
	EXPECT_EQ(0, next_of(end));
	EXPECT_EQ(0, next_of(end + 12345));
	EXPECT_EQ(0, next_of(~0ULL));
	EXPECT_EQ(0, next_of(1ULL << 63));
	pmemobj_close(self->pop);
}

/* A slab becomes something else while an iteration stands in it. */
TEST_F(pool, place_changes)
{
	u64 at, page = 20;

	CREATE();
	take_bearings(self->pop);
	make_slab(page, 128, 192, 0, 1, 0, 1);
	make_slab(page + 8, 64, 3, 0, 2, 0, 1);
	/* Who makes a slab says in the group's filter what it holds; here nobody will. */
	pobj_group_map(pobj_pool_raw(self->pop)->heap, page / POBJ_GROUP_PAGES);
	pobj_pool_raw(self->pop)->heap->groups[page / POBJ_GROUP_PAGES].types = ~0ULL;
	at = pobj_geom_page(&geom, page);
	EXPECT_EQ(at + 128, next_of(at));
	/* Freed: the one it stands on, and the next. */
	line_of(page)->slab[0].a ^= cpu_to_le64(3);
	EXPECT_EQ(at + 256, next_of(at));
	EXPECT_EQ(at + 256, next_typed(at, 1));

	/* Of the page behind: another size. */
	at = pobj_geom_page(&geom, page) + 4096 + 128;
	EXPECT_EQ(at + 128, next_of(at));
	object_cnt = 0;
	make_slab(page, 96, 192, 0, 3, 0, 1);
	EXPECT_EQ(above(at, false, 0), next_of(at));
	EXPECT_EQ(above(at, true, 3), next_typed(at, 3));
	EXPECT_NE(0, next_of(at));
	EXPECT_EQ(pobj_geom_page(&geom, page + 8), next_typed(at, 2));
	/* Its pages now begin two slabs, one of them just here. */
	object_cnt = 0;
	header(page, POBJ_M_FREE, 0, 0, 0);
	make_slab(page + 1, 64, 128, 0, 3, 0, 1);
	EXPECT_EQ(above(at, false, 0), next_of(at));
	make_slab(page + 3, 64, 128, 0, 1, 0, 1);
	EXPECT_EQ(above(at, true, 1), next_typed(at, 1));
	/* Free, with a CONT line left behind that names a free page; then a short slab. */
	header(page + 1, POBJ_M_CONT, 0, 0, 1);
	header(page + 2, POBJ_M_FREE, 0, 0, 0);
	EXPECT_EQ(pobj_geom_page(&geom, page + 3), next_of(at));
	make_slab(page, 64, 64, 0, 1, 0, 1);
	EXPECT_EQ(pobj_geom_page(&geom, page + 3), next_of(at));
	/* A large one, from the same page or from the one before. */
	make_large(page + 1, 2, 0, 1);
	EXPECT_EQ(pobj_geom_page(&geom, page + 3), next_of(at));
	EXPECT_EQ(pobj_geom_page(&geom, page + 1), next_of(pobj_geom_page(&geom, page + 1) - 1));
	make_large(page, 3, 0, 1);
	EXPECT_EQ(pobj_geom_page(&geom, page + 3), next_of(at));
	/* More objects than a line can tell of: nothing. */
	header(page, POBJ_M_FREE, 0, 0, 0);
	make_slab(page + 1, 16, 192, 0, 1, 0, 300);
	make_slab(page + 2, 16, 192, 0, 0, 0, 1);
	header(page + 1, POBJ_M_SLAB, 0, 193, 16);
	EXPECT_EQ(pobj_geom_page(&geom, page + 2), next_of(pobj_geom_page(&geom, page + 1)));
	/* The last page: the types of that many would be behind the end of the pool. */
	make_slab(geom.page_cnt - 1, 24, 170, 0, 1, 0, 1);
	at = pobj_geom_page(&geom, geom.page_cnt - 1);
	EXPECT_EQ(at + 24, next_of(at));
	header(geom.page_cnt - 1, POBJ_M_SLAB, POBJ_M_F_MIXED, 170, 24);
	EXPECT_EQ(0, next_of(at));
	pmemobj_close(self->pop);
}

static u64 random_of(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* Lines of noise: each answer is in the data and above, and there is an end. */
TEST_F(pool, lines_that_cannot_be)
{
	static const u32 sizes[] = { 0, 1, 8, 15, 16, 20, 64, 4096, 1 << 20, ~0U };
	static const u32 cnts[] = { 0, 1, 64, 192, 193, 0xffff };
	u64 state = 4711, i, page, off, last, end, *w, n;
	int round;

	OPEN_ZOO();
	/* The map of what is in use is known before: the lines alone are what lies. */
	for (off = 0; off < pobj_geom_data_bytes(&geom); off += 4096)
		next_of(geom.data_off + off);
	end = geom.data_off + pobj_geom_data_bytes(&geom);
	for (round = 0; round < rounds(200); round++) {
		for (i = 0; i < 400; i++) {
			page = random_of(&state) % (i % 2 ? 200 : geom.page_cnt);
			w = (u64 *)line_of(page);
			w[random_of(&state) % 8] = random_of(&state);
			if (i % 4 == 0)
				continue;
			header(page, random_of(&state) % 6, i % 3 ? 0 : random_of(&state) & 0xfff,
			       cnts[random_of(&state) % ARRAY_SIZE(cnts)],
			       sizes[random_of(&state) % ARRAY_SIZE(sizes)]);
		}
		for (n = 0, last = 1; (off = next_of(last)) != 0; last = off, n++) {
			ASSERT_GT(off, last);
			ASSERT_GE(off, geom.data_off);
			ASSERT_LT(off, end);
		}
		ASSERT_LE(n, geom.page_cnt * POBJ_M_SLAB_MAX);
		for (last = 1; (off = next_typed(last, 1)) != 0; last = off) {
			ASSERT_GT(off, last);
			ASSERT_GE(off, geom.data_off);
			ASSERT_LT(off, end);
		}
		for (i = 0; i < 400; i++) {
			last = geom.data_off + random_of(&state) % pobj_geom_data_bytes(&geom);
			off = next_of(last);
			ASSERT_TRUE(!off || (off > last && off < end));
			off = next_typed(last, 2);
			ASSERT_TRUE(!off || (off > last && off < end));
		}
	}
	pmemobj_close(self->pop);
}

/* ---- what the allocator makes ------------------------------------------------------------ */

static int by_off(const void *a, const void *b)
{
	const u64 x = ((const PMEMoid *)a)->off, y = ((const PMEMoid *)b)->off;

	return x < y ? -1 : x > y;
}

#define MANY	3000

static u64 type_of(u32 i)
{
	return i % 7 == 6 ? 1000000 + i / 100 : i % 7;
}

static size_t size_of(u32 i)
{
	static const size_t sizes[] = { 8, 64, 100, 700, 1500, 5000, 20000 };

	return sizes[i * 31 % 1000 < 970 ? i % 3 : i % ARRAY_SIZE(sizes)];
}

TEST_F(pool, allocated)
{
	static PMEMoid oid[MANY];
	PMEMoid it, next;
	u32 i, n, t, met;
	int round;
	u64 type;

	CREATE();
	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 100)));
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &oid[i], size_of(i), type_of(i), NULL, NULL))
			TH_LOG("%u: %s", i, pmemobj_errormsg());
	for (i = 0, n = 0; i < MANY; i++) {
		if (i % 5 == 4)
			pmemobj_free(&oid[i]);
		else
			oid[n++] = oid[i];
	}
	qsort(oid, n, sizeof(*oid), by_off);
	for (round = 0; round < 2; round++) {
		i = 0;
		POBJ_FOREACH(self->pop, it) {
			ASSERT_LT(i, n);
			ASSERT_TRUE(OID_EQUALS(oid[i], it));
			i++;
		}
		ASSERT_EQ(n, i);
		for (t = 0, met = 0; t < 8 + MANY / 100; t++) {
			type = t < 8 ? t : 1000000 + t - 8;
			it = pobj_first_type(self->pop, type);
			for (i = 0; i < n; i++) {
				if (pmemobj_type_num(oid[i]) != type)
					continue;
				ASSERT_EQ(oid[i].off, it.off);
				it = pobj_next_type(it, type);
				met++;
			}
			ASSERT_TRUE(OID_IS_NULL(it));
		}
		ASSERT_EQ(n, met);
		/* Once more, with a map that is made of the lines. */
		pmemobj_close(self->pop);
		self->pop = pmemobj_open(self->path, "test");
		ASSERT_NE(NULL, self->pop);
	}
	/* Free while it goes: first the object it stands on, then all by the safe loop. */
	i = 0;
	POBJ_FOREACH(self->pop, it) {
		if (i++ % 2) {
			next = it;
			pmemobj_free(&next);
		}
	}
	EXPECT_EQ(n, i);
	i = 0;
	POBJ_FOREACH_SAFE(self->pop, it, next) {
		pmemobj_free(&it);
		i++;
	}
	EXPECT_EQ((n + 1) / 2, i);
	EXPECT_TRUE(OID_IS_NULL(pmemobj_first(self->pop)));
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

#define STAY	500

/* Allocate and free objects of type 2 and 3 until told to stop; stop[1] counts them. */
static void churn(PMEMobjpool *pop, int *stop, u64 seed)
{
	PMEMoid mine[100] = { OID_NULL };
	u32 i;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		i = random_of(&seed) % ARRAY_SIZE(mine);
		if (!OID_IS_NULL(mine[i]))
			pmemobj_free(&mine[i]);
		else if (!pmemobj_alloc(pop, &mine[i], size_of(random_of(&seed) % 1000),
					2 + random_of(&seed) % 2, NULL, NULL))
			__atomic_fetch_add(&stop[1], 1, __ATOMIC_RELAXED);
	}
	for (i = 0; i < ARRAY_SIZE(mine); i++)
		pmemobj_free(&mine[i]);
}

struct churner {
	PMEMobjpool *pop;
	int *stop;
	u64 seed;
};

static void *churn_thread(void *arg)
{
	struct churner *c = arg;

	churn(c->pop, c->stop, c->seed);
	return NULL;
}

/* Threads and a process change the pool: what stays is met once each time. */
TEST_F(pool, others_change_it)
{
	static PMEMoid oid[STAY];
	PMEMoid it, last, gap;
	struct churner c[2];
	pthread_t thread[2];
	int *stop, status;
	u32 i, n, all;
	pid_t pid;

	CREATE();
	stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, stop);
	for (i = 0; i < STAY; i++) {
		/* With gaps between them. */
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &oid[i], size_of(i), 1 + i % 2, NULL, NULL));
		ASSERT_EQ(0, pmemobj_alloc(self->pop, &gap, size_of(i), 1 + i % 2, NULL, NULL));
		pmemobj_free(i % 3 ? &gap : &oid[i]);
		if (i % 3 == 0)
			oid[i] = gap;
	}
	qsort(oid, STAY, sizeof(*oid), by_off);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		PMEMobjpool *pop = pmemobj_open(self->path, "test");

		if (!pop)
			_exit(1);
		churn(pop, stop, 99);
		pmemobj_close(pop);
		_exit(0);
	}
	for (i = 0; i < 2; i++) {
		c[i] = (struct churner){ self->pop, stop, i + 1 };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, churn_thread, &c[i]));
	}
	for (all = 0; all < rounds(300) ||
	     __atomic_load_n(&stop[1], __ATOMIC_RELAXED) < rounds(3000); all++) {
		n = 0;
		last = OID_NULL;
		POBJ_FOREACH(self->pop, it) {
			ASSERT_GT(it.off, last.off);
			last = it;
			ASSERT_TRUE(n == STAY || oid[n].off >= it.off)
				TH_LOG("missed 0x%llx", (unsigned long long)oid[n].off);
			n += n < STAY && oid[n].off == it.off;
		}
		ASSERT_EQ(STAY, n);
		n = 0;
		for (it = pobj_first_type(self->pop, 1); !OID_IS_NULL(it);
		     it = pobj_next_type(it, 1)) {
			/* All of type 1 stay. */
			ASSERT_EQ(1, pmemobj_type_num(it));
			ASSERT_NE(NULL, bsearch(&it, oid, STAY, sizeof(it), by_off));
			n++;
		}
		ASSERT_EQ(STAY / 2, n);
	}
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	n = 0;
	POBJ_FOREACH(self->pop, it)
		n++;
	EXPECT_EQ(STAY, n);
	pmemobj_close(self->pop);
}

TEST_HARNESS_MAIN
