// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lists against a model; each misuse; what an operation costs; threads, processes and kills.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_fixture.h"
#include "rounds.h"
#include "lib/heap.h"

#define LISTS		3
#define ELEMENTS_MAX	64

TOID_DECLARE(struct element, 7);
POBJ_LIST_HEAD(list, struct element);
struct element {
	u64 number;
	PMEMoid one[2];	/* next, previous */
	u64 between;
	PMEMoid two[2];
	u64 end;
};

struct root {
	struct list list[LISTS];
	u64 end;
};

static const size_t one = offsetof(struct element, one);
static const size_t two = offsetof(struct element, two);

static struct root *root_of(PMEMobjpool *pop)
{
	return pmemobj_direct(pmemobj_root(pop, sizeof(struct root)));
}

static struct element *elm(PMEMoid oid)
{
	return pmemobj_direct(oid);
}

/* Next and previous id of @oid by the entry at @pe. */
static PMEMoid *entry(PMEMoid oid, size_t pe)
{
	return (PMEMoid *)((char *)pmemobj_direct(oid) + pe);
}

static int number_it(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct element *e = ptr;

	memset(e, 0x77, sizeof(*e));
	e->number = *(u64 *)arg;
	e->between = ~e->number;
	e->end = ~e->number;
	pmemobj_persist(pop, e, sizeof(*e));
	return 0;
}

static u64 random_of(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* ---- against a model --------------------------------------------------------------------- */

static struct model {
	PMEMoid oid[ELEMENTS_MAX];
	u32 cnt;
} model[LISTS];

static void model_insert(struct model *m, u32 at, PMEMoid oid)
{
	memmove(&m->oid[at + 1], &m->oid[at], (m->cnt - at) * sizeof(oid));
	m->oid[at] = oid;
	m->cnt++;
}

static PMEMoid model_remove(struct model *m, u32 at)
{
	PMEMoid oid = m->oid[at];

	m->cnt--;
	memmove(&m->oid[at], &m->oid[at + 1], (m->cnt - at) * sizeof(oid));
	return oid;
}

/* All words of the list and its elements are as the model says. */
static bool list_is(PMEMobjpool *pop, const struct list *l, const struct model *m, size_t pe)
{
	const PMEMoid null = OID_NULL;
	u32 i;

	if (memcmp(&l->pe_first, m->cnt ? &m->oid[0] : &null, sizeof(null)))
		return false;
	for (i = 0; i < m->cnt; i++) {
		const PMEMoid *e = entry(m->oid[i], pe);

		if (!OID_EQUALS(e[0], m->oid[(i + 1) % m->cnt]) ||
		    !OID_EQUALS(e[1], m->oid[(i + m->cnt - 1) % m->cnt]) ||
		    pmemobj_pool_by_oid(e[0]) != pop ||
		    elm(m->oid[i])->between != ~elm(m->oid[i])->number ||
		    elm(m->oid[i])->end != ~elm(m->oid[i])->number)
			return false;
	}
	return true;
}

/* A place in list @m of the model: what to ask for, and the index that it means. */
static u32 some_place(const struct model *m, u64 *state, PMEMoid *dest, int *before)
{
	u32 at = m->cnt ? random_of(state) % m->cnt : 0;

	*before = random_of(state) % 2;
	*dest = OID_NULL;
	if (!m->cnt || random_of(state) % 3 == 0)
		return *before ? 0 : m->cnt;
	*dest = m->oid[at];
	return *before ? at : at + 1;
}

/* By entry one in lists 0 and 1, by two in list 2. */
static size_t pe_of(u32 list)
{
	return list < 2 ? one : two;
}

TEST_F(pool, as_the_model)
{
	struct model *m, *to;
	u32 i, at, place, list, dest_list;
	u64 state = 12345, number = 0;
	PMEMoid oid, dest, it;
	struct root *r;
	int before;

	CREATE();
	r = root_of(self->pop);
	ASSERT_NE(NULL, r);
	memset(model, 0, sizeof(model));
	for (i = 0; i < rounds(6000); i++) {
		list = random_of(&state) % LISTS;
		m = &model[list];
		at = m->cnt ? random_of(&state) % m->cnt : 0;
		switch (random_of(&state) % 6) {
		case 0:
		case 1:
			if (m->cnt > (i / 1000 % 2 ? 2 : 15))
				break;
			place = some_place(m, &state, &dest, &before);
			number++;
			oid = pmemobj_list_insert_new(self->pop, pe_of(list), &r->list[list], dest,
						      before, sizeof(struct element), 7, number_it,
						      &number);
			ASSERT_FALSE(OID_IS_NULL(oid))
				TH_LOG("%s", pmemobj_errormsg());
			ASSERT_EQ(7, pmemobj_type_num(oid));
			ASSERT_EQ(number, elm(oid)->number);
			model_insert(m, place, oid);
			break;
		case 2:
			if (!m->cnt)
				break;
			oid = model_remove(m, at);
			ASSERT_EQ(0, pmemobj_list_remove(self->pop, pe_of(list), &r->list[list],
							 oid, 1));
			break;
		case 3:
			/* Out, and in again somewhere else. */
			if (!m->cnt)
				break;
			oid = model_remove(m, at);
			ASSERT_EQ(0, pmemobj_list_remove(self->pop, pe_of(list), &r->list[list],
							 oid, 0));
			ASSERT_TRUE(list_is(self->pop, &r->list[list], m, pe_of(list)));
			ASSERT_EQ(0, entry(oid, pe_of(list))[0].off);
			ASSERT_EQ(0, entry(oid, pe_of(list))[1].off);
			list = random_of(&state) % LISTS;
			m = &model[list];
			place = some_place(m, &state, &dest, &before);
			ASSERT_EQ(0, pmemobj_list_insert(self->pop, pe_of(list), &r->list[list],
							 dest, before, oid));
			model_insert(m, place, oid);
			break;
		default:
			if (!m->cnt)
				break;
			oid = model_remove(m, at);
			dest_list = random_of(&state) % LISTS;
			to = &model[dest_list];
			place = some_place(to, &state, &dest, &before);
			ASSERT_EQ(0, pmemobj_list_move(self->pop, pe_of(list), &r->list[list],
						       pe_of(dest_list), &r->list[dest_list], dest,
						       before, oid))
				TH_LOG("%s", pmemobj_errormsg());
			model_insert(to, place, oid);
			if (pe_of(list) != pe_of(dest_list)) {
				ASSERT_EQ(0, entry(oid, pe_of(list))[0].off);
				ASSERT_EQ(0, entry(oid, pe_of(list))[1].off);
			}
		}
		for (list = 0; list < LISTS; list++)
			ASSERT_TRUE(list_is(self->pop, &r->list[list], &model[list], pe_of(list)))
				TH_LOG("step %u, list %u", i, list);
		if (i % 1000 != 999)
			continue;
		pmemobj_close(self->pop);
		ASSERT_EQ(1, pmemobj_check(self->path, NULL));
		self->pop = pmemobj_open(self->path, "test");
		ASSERT_NE(NULL, self->pop);
		r = root_of(self->pop);
	}
	/* No object but those of the lists. */
	i = 0;
	POBJ_FOREACH(self->pop, it)
		i++;
	EXPECT_EQ(model[0].cnt + model[1].cnt + model[2].cnt, i);
	EXPECT_LT(0, i);
	pmemobj_close(self->pop);
}

/* Beside itself, and to where it is. */
TEST_F(pool, move_to_the_same_place)
{
	struct model m = { .cnt = 0 };
	struct root *r;
	u64 number, i;
	PMEMoid oid;

	CREATE();
	r = root_of(self->pop);
	for (number = 0; number < 3; number++) {
		oid = pmemobj_list_insert_new(self->pop, one, &r->list[0], OID_NULL,
					      POBJ_LIST_DEST_TAIL, sizeof(struct element), 7,
					      number_it, &number);
		model_insert(&m, m.cnt, oid);
		for (i = 0; i <= number; i++) {
			oid = m.oid[i];
			EXPECT_EQ(0, pmemobj_list_move(self->pop, one, &r->list[0], one,
						       &r->list[0], oid, 0, oid));
			EXPECT_EQ(0, pmemobj_list_move(self->pop, one, &r->list[0], one,
						       &r->list[0], oid, 1, oid));
			if (i)
				EXPECT_EQ(0, pmemobj_list_move(self->pop, one, &r->list[0], one,
							       &r->list[0], m.oid[i - 1], 0, oid));
			if (i < number)
				EXPECT_EQ(0, pmemobj_list_move(self->pop, one, &r->list[0], one,
							       &r->list[0], m.oid[i + 1], 1, oid));
			EXPECT_TRUE(list_is(self->pop, &r->list[0], &m, one));
		}
		EXPECT_EQ(0, pmemobj_list_move(self->pop, one, &r->list[0], one, &r->list[0],
					       OID_NULL, POBJ_LIST_DEST_HEAD, m.oid[0]));
		EXPECT_EQ(0, pmemobj_list_move(self->pop, one, &r->list[0], one, &r->list[0],
					       OID_NULL, POBJ_LIST_DEST_TAIL, m.oid[number]));
		EXPECT_TRUE(list_is(self->pop, &r->list[0], &m, one));
	}
	pmemobj_close(self->pop);
}

/* ---- misuse ------------------------------------------------------------------------------ */

static int cancel(PMEMobjpool *pop, void *ptr, void *arg)
{
	memset(ptr, 0x11, sizeof(struct element));
	return 1;
}

static u32 objects(PMEMobjpool *pop)
{
	PMEMoid it;
	u32 n = 0;

	POBJ_FOREACH(pop, it)
		n++;
	return n;
}

/* @call is -1 with @want in errno, has a message, and changed nothing. */
#define REFUSED(want, call) do {						\
	errno = 0;								\
	EXPECT_EQ(-1, (call));							\
	EXPECT_EQ(want, errno);							\
	EXPECT_LT(0, strlen(pmemobj_errormsg()));				\
	EXPECT_TRUE(list_is(pop, &r->list[0], &m, one));			\
	EXPECT_EQ(0, r->list[1].pe_first.oid.off);				\
	EXPECT_EQ(5, objects(pop));						\
	EXPECT_EQ(0, memcmp(&before, elm(loose), sizeof(before)));		\
} while (0)

#define REFUSED_NEW(want, call)	REFUSED(want, OID_IS_NULL(call) ? -1 : 0)

#define INSERT_NEW(pe, head, dest, size, constr) \
	pmemobj_list_insert_new(pop, (pe), (head), (dest), 0, (size), 7, (constr), &number)

TEST_F(pool, misuse)
{
	struct model m = { .cnt = 0 };
	PMEMoid loose, foreign, oid, outside, *broken;
	struct list *h, *h1, private;
	PMEMobjpool *pop, *other;
	struct element before;
	u64 number = 4, i;
	struct root *r;

	CREATE();
	pop = self->pop;
	r = root_of(pop);
	h = &r->list[0];
	h1 = &r->list[1];
	for (i = 0; i < 4; i++)
		model_insert(&m, m.cnt, INSERT_NEW(one, h, OID_NULL, sizeof(before), number_it));
	ASSERT_EQ(0, pmemobj_alloc(pop, &loose, sizeof(before), 7, number_it, &number));
	before = *elm(loose);
	memset(&before.one, 0, sizeof(before.one));
	*elm(loose) = before;
	other = pmemobj_create(files_path("other"), "test", MIN, 0600);
	ASSERT_NE(NULL, other);
	ASSERT_EQ(0, pmemobj_zalloc(other, &foreign, sizeof(before), 7));
	outside = (PMEMoid){ loose.pool_uuid_lo, 0x100 };

	/* Heads. */
	memset(&private, 0, sizeof(private));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, NULL, OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, &private, OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, (char *)pop + 64, OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, (char *)h + 4, OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, pmemobj_direct(foreign), OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, (char *)pop + MIN - 24, OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_remove(pop, one, NULL, m.oid[0], 0));
	REFUSED(EINVAL, pmemobj_list_move(pop, one, h, one, NULL, OID_NULL, 0, m.oid[0]));
	REFUSED(EINVAL, pmemobj_list_move(pop, one, &private, one, h, OID_NULL, 0, m.oid[0]));
	REFUSED_NEW(EINVAL, INSERT_NEW(one, NULL, OID_NULL, sizeof(before), NULL));
	REFUSED_NEW(EINVAL, INSERT_NEW(one, &private, OID_NULL, sizeof(before), NULL));
	REFUSED(EINVAL, pmemobj_list_insert(NULL, one, h, OID_NULL, 0, loose));

	/* Elements and places. */
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, h, OID_NULL, 0, OID_NULL));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, h, OID_NULL, 0, foreign));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, h, OID_NULL, 0, outside));
	REFUSED(EINVAL, pmemobj_list_insert(pop, 0 - (size_t)64, h, OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, 0 - (size_t)64, h1, OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one + 4, h, OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, h, m.oid[0], 0, m.oid[0]));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, h, foreign, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, h, outside, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, h, loose, 0, loose));
	REFUSED(EINVAL, pmemobj_list_insert(pop, one, h1, m.oid[0], 0, loose));
	REFUSED(EINVAL, pmemobj_list_remove(pop, one, h, OID_NULL, 0));
	REFUSED(EINVAL, pmemobj_list_remove(pop, one, h, foreign, 0));
	REFUSED(EINVAL, pmemobj_list_remove(pop, one, h, loose, 0));
	REFUSED(EINVAL, pmemobj_list_remove(pop, one, h, loose, 1));
	REFUSED(EINVAL, pmemobj_list_remove(pop, two, h, m.oid[1], 1));
	REFUSED(EINVAL, pmemobj_list_remove(pop, one, h1, m.oid[1], 1));
	REFUSED(EINVAL, pmemobj_list_move(pop, one, h, one, h1, OID_NULL, 0, loose));
	REFUSED(EINVAL, pmemobj_list_move(pop, one, h1, one, h, OID_NULL, 0, m.oid[0]));
	REFUSED(EINVAL, pmemobj_list_move(pop, one, h, one, h1, m.oid[1], 0, m.oid[0]));
	REFUSED(EINVAL, pmemobj_list_move(pop, one, h, one, h1, m.oid[0], 0, m.oid[0]));
	REFUSED(EINVAL, pmemobj_list_move(pop, one, h, one, h, loose, 0, m.oid[0]));
	REFUSED(EINVAL, pmemobj_list_move(pop, one, h, one, h, OID_NULL, 0, foreign));
	REFUSED(EINVAL, pmemobj_list_move(pop, one, h, one, h, OID_NULL, 0, OID_NULL));

	/* New ones. */
	REFUSED_NEW(ECANCELED, INSERT_NEW(one, h, OID_NULL, sizeof(before), cancel));
	REFUSED_NEW(EINVAL, INSERT_NEW(one, h, loose, sizeof(before), number_it));
	REFUSED_NEW(EINVAL, INSERT_NEW(one, h, foreign, sizeof(before), number_it));
	REFUSED_NEW(EINVAL, INSERT_NEW(one, h, OID_NULL, one + 31, NULL));
	REFUSED_NEW(EINVAL, INSERT_NEW(one, h, OID_NULL, 0, NULL));
	REFUSED_NEW(EINVAL, INSERT_NEW(one + 4, h, OID_NULL, sizeof(before), NULL));
	REFUSED_NEW(EINVAL, INSERT_NEW(one + 4, h1, OID_NULL, sizeof(before), NULL));
	REFUSED_NEW(EINVAL, INSERT_NEW(0 - (size_t)64, h, OID_NULL, sizeof(before), NULL));
	REFUSED_NEW(ENOMEM, INSERT_NEW(one, h, OID_NULL, MIN, NULL));
	REFUSED_NEW(ENOMEM, INSERT_NEW(one, h, OID_NULL, SIZE_MAX, NULL));

	/* What was cancelled is there again: more often than the pool has room. */
	for (i = 0; i < 2000; i++) {
		errno = 0;
		oid = INSERT_NEW(one, h, OID_NULL, i % 2 ? 8000 : 40000, cancel);
		EXPECT_TRUE(OID_IS_NULL(oid));
		ASSERT_EQ(ECANCELED, errno);
	}

	/* Neighbours that lead astray, or do not know the element; a head that does. */
	broken = entry(m.oid[1], one);
	oid = broken[0];
	for (i = 0; i < 5; i++) {
		broken[0] = i == 0 ? foreign : i == 1 ? outside : i == 2 ? loose : m.oid[0];
		if (i == 4)
			broken[0] = (PMEMoid){ foreign.pool_uuid_lo, oid.off };
		errno = 0;
		EXPECT_EQ(-1, pmemobj_list_remove(pop, one, h, m.oid[1], 1));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, pmemobj_list_remove(pop, one, h, m.oid[2], 0));
		EXPECT_EQ(-1, pmemobj_list_insert(pop, one, h, m.oid[1], 0, loose));
		EXPECT_EQ(-1, pmemobj_list_move(pop, one, h, one, h1, OID_NULL, 0, m.oid[1]));
		EXPECT_TRUE(OID_IS_NULL(INSERT_NEW(one, h, m.oid[1], sizeof(before), number_it)));
		broken[0] = oid;
		EXPECT_TRUE(list_is(pop, h, &m, one));
	}
	oid = h->pe_first.oid;
	h->pe_first.oid = outside;
	errno = 0;
	EXPECT_EQ(-1, pmemobj_list_insert(pop, one, h, OID_NULL, 0, loose));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, pmemobj_list_remove(pop, one, h, m.oid[1], 1));
	h->pe_first.oid = oid;
	EXPECT_EQ(5, objects(pop));
	/* And after all that, what is right still works. */
	EXPECT_EQ(0, pmemobj_list_insert(pop, one, h, OID_NULL, 0, loose));
	model_insert(&m, m.cnt, loose);
	EXPECT_TRUE(list_is(pop, h, &m, one));
	/* Freed, an element cannot be freed again; nor can the root be by being one. */
	EXPECT_EQ(0, pmemobj_list_remove(pop, one, h, model_remove(&m, 2), 1));
	EXPECT_TRUE(list_is(pop, h, &m, one));
	oid = pmemobj_root(pop, 4096);
	r = root_of(pop);
	h = &r->list[0];
	EXPECT_EQ(0, pmemobj_list_insert(pop, 1024, &r->list[1], OID_NULL, 0, oid));
	errno = 0;
	EXPECT_EQ(-1, pmemobj_list_remove(pop, 1024, &r->list[1], oid, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, pmemobj_list_remove(pop, 1024, &r->list[1], oid, 0));
	pmemobj_close(other);
	pmemobj_close(pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

/* The constructor runs before the list is locked. */
static int construct_inner(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct root *r = root_of(pop);
	u64 inner = 100;

	number_it(pop, ptr, arg);
	return OID_IS_NULL(pmemobj_list_insert_new(pop, one, &r->list[0], OID_NULL,
						   POBJ_LIST_DEST_HEAD, sizeof(struct element), 7,
						   number_it, &inner));
}

TEST_F(pool, constructor_uses_the_list)
{
	struct root *r;
	u64 number = 1;
	PMEMoid oid;

	CREATE();
	r = root_of(self->pop);
	oid = pmemobj_list_insert_new(self->pop, one, &r->list[0], OID_NULL, POBJ_LIST_DEST_HEAD,
				      sizeof(struct element), 7, construct_inner, &number);
	ASSERT_FALSE(OID_IS_NULL(oid));
	EXPECT_TRUE(OID_EQUALS(oid, r->list[0].pe_first.oid));
	EXPECT_EQ(1, elm(oid)->number);
	EXPECT_EQ(100, elm(elm(oid)->one[0])->number);
	EXPECT_TRUE(OID_EQUALS(oid, elm(elm(oid)->one[0])->one[0]));
	EXPECT_EQ(2, objects(self->pop));
	pmemobj_close(self->pop);
}

/* ---- what it costs ----------------------------------------------------------------------- */

static u32 fences;
static int (*true_fence)(const struct pobj_media *m);

static int count_fence(const struct pobj_media *m)
{
	fences++;
	return true_fence(m);
}

static struct {
	const char *from;
	u64 len;
} flushed[64];
static u32 flushed_cnt;
static void (*true_flush)(const struct pobj_media *m, const void *p, u64 len);

static void note_flush(const struct pobj_media *m, const void *p, u64 len)
{
	if (flushed_cnt < ARRAY_SIZE(flushed)) {
		flushed[flushed_cnt].from = p;
		flushed[flushed_cnt++].len = len;
	}
	true_flush(m, p, len);
}

static bool was_flushed(const void *p, u64 len)
{
	const char *from = p;
	u32 i;

	for (i = 0; i < flushed_cnt; i++) {
		if (flushed[i].from <= from && from + len <= flushed[i].from + flushed[i].len)
			return true;
	}
	return false;
}

/* Pairs of the newest undo entry. */
static u32 logged(PMEMobjpool *pop)
{
	const struct pobj_tlane *tl = pobj_tlane_of(pop);
	struct pobj_lane_view v;
	u64 seq;

	if (pobj_lane_read(tl->log.m, tl->log.g, tl->log.lane, &v, NULL))
		return 0;
	for (seq = v.newest; v.entry[seq % POBJ_M_SLOT_CNT].kind != POBJ_M_ENTRY_UNDO; seq--)
		;
	return v.entry[seq % POBJ_M_SLOT_CNT].cnt;
}

#define COSTS(rounds, pairs, call) do {						\
	fences = 0;								\
	(void)(call);								\
	EXPECT_EQ(rounds, fences);						\
	EXPECT_EQ(pairs, logged(pop));						\
} while (0)

TEST_F(pool, fences_and_words)
{
	PMEMobjpool *pop;
	struct root *r;
	u64 number = 1;
	PMEMoid a, b, c;

	CREATE();
	pop = self->pop;
	r = root_of(pop);
	/* The first few make slabs. */
	a = INSERT_NEW(one, &r->list[0], OID_NULL, sizeof(struct element), NULL);
	b = INSERT_NEW(one, &r->list[0], OID_NULL, sizeof(struct element), NULL);
	true_fence = pobj_pool_raw(pop)->heap->media.fence;
	pobj_pool_raw(pop)->heap->media.fence = count_fence;
	true_flush = pobj_pool_raw(pop)->heap->media.flush;
	pobj_pool_raw(pop)->heap->media.flush = note_flush;
	/* Two offsets and the object: one slot. */
	COSTS(3, 3, c = INSERT_NEW(one, &r->list[0], a, sizeof(struct element), NULL));
	/* Its entry, too, which is not logged. */
	EXPECT_TRUE(was_flushed(entry(c, one), 2 * sizeof(PMEMoid)));
	pobj_pool_raw(pop)->heap->media.flush = true_flush;
	/* Two offsets of neighbours, four words of its own. */
	COSTS(3, 6, pmemobj_list_remove(pop, one, &r->list[0], c, 0));
	COSTS(3, 6, pmemobj_list_insert(pop, one, &r->list[0], a, 0, c));
	/* From the middle to the end: each offset of the circle of three. */
	COSTS(3, 6, pmemobj_list_move(pop, one, &r->list[0], one, &r->list[0], OID_NULL, 0, c));
	COSTS(3, 3, pmemobj_list_remove(pop, one, &r->list[0], c, 1));
	pobj_pool_raw(pop)->heap->media.fence = true_fence;
	(void)b;
	pmemobj_close(pop);
}

/* ---- threads, processes, kills ----------------------------------------------------------- */

#define SHARED	8	/* elements that are there all the time */

/* Is the circle whole? Its elements, counted; -1: it is not. @sum: of their numbers. */
static int circle(PMEMobjpool *pop, struct list *l, size_t pe, u64 *sum)
{
	PMEMoid at = l->pe_first.oid, next;
	int n = 0;

	while (!OID_IS_NULL(at)) {
		if (pmemobj_type_num(at) != 7 || elm(at)->end != ~elm(at)->number || n > 100000)
			return -1;
		next = entry(at, pe)[0];
		if (OID_IS_NULL(next) || !OID_EQUALS(entry(next, pe)[1], at))
			return -1;
		*sum += elm(at)->number;
		n++;
		at = next;
		if (OID_EQUALS(at, l->pe_first.oid))
			break;
	}
	return n;
}

/*
 * Insert, move, remove new objects; move old ones between lists, in both directions. Lists 0 and 1
 * are linked by entry one.
 */
static int play(PMEMobjpool *pop, u64 seed, u32 steps)
{
	struct root *r = root_of(pop);
	PMEMoid mine[8] = { OID_NULL };
	u32 where[8], i, n;
	u64 number = 0;

	for (n = 0; n < steps; n++) {
		i = random_of(&seed) % ARRAY_SIZE(mine);
		if (OID_IS_NULL(mine[i])) {
			where[i] = random_of(&seed) % 2;
			mine[i] = pmemobj_list_insert_new(pop, one, &r->list[where[i]], OID_NULL,
							  (int)(random_of(&seed) % 2),
							  sizeof(struct element), 7, number_it,
							  &number);
			if (OID_IS_NULL(mine[i]))
				return -1;
		} else if (random_of(&seed) % 2) {
			if (pmemobj_list_move(pop, one, &r->list[where[i]], one,
					      &r->list[!where[i]], OID_NULL,
					      (int)(random_of(&seed) % 2), mine[i]))
				return -1;
			where[i] = !where[i];
		} else {
			if (pmemobj_list_remove(pop, one, &r->list[where[i]], mine[i], 1))
				return -1;
			mine[i] = OID_NULL;
		}
	}
	for (i = 0; i < ARRAY_SIZE(mine); i++) {
		if (!OID_IS_NULL(mine[i]) &&
		    pmemobj_list_remove(pop, one, &r->list[where[i]], mine[i], 1))
			return -1;
	}
	return 0;
}

static void make_shared(PMEMobjpool *pop)
{
	struct root *r = root_of(pop);
	u64 number;

	for (number = 1; number <= SHARED; number++)
		pmemobj_list_insert_new(pop, one, &r->list[number % 2], OID_NULL,
					POBJ_LIST_DEST_TAIL, sizeof(struct element), 7, number_it,
					&number);
}

/* Both circles are whole, hold all objects, and those that were shared are there. */
static bool whole(PMEMobjpool *pop, bool others)
{
	struct root *r = root_of(pop);
	u64 sum = 0;
	int a, b;

	a = circle(pop, &r->list[0], one, &sum);
	b = circle(pop, &r->list[1], one, &sum);
	return a >= 0 && b >= 0 && sum == SHARED * (SHARED + 1) / 2 &&
	       (others ? a + b >= SHARED : a + b == SHARED) && objects(pop) == (u32)(a + b);
}

static void *play_thread(void *pop)
{
	return (void *)(intptr_t)play(pop, (u64)pthread_self(), 20000);
}

TEST_F(pool, threads_and_processes)
{
	pthread_t thread[3];
	int status, i;
	void *result;
	pid_t pid;

	CREATE();
	make_shared(self->pop);
	ASSERT_TRUE(whole(self->pop, false));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		PMEMobjpool *pop = pmemobj_open(self->path, "test");
		int bad = !pop || play(pop, 4711, 20000);

		if (pop)
			pmemobj_close(pop);
		_exit(bad);
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, play_thread, self->pop));
	for (i = 0; i < 3; i++) {
		pthread_join(thread[i], &result);
		EXPECT_EQ(NULL, result);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(whole(self->pop, false));
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

/* Killed anywhere: who opens the pool next finds whole lists, and no object that is in none. */
TEST_F(pool, killed)
{
	int round, status, *ready;
	pid_t pid;

	CREATE();
	make_shared(self->pop);
	pmemobj_close(self->pop);
	ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, ready);
	for (round = 0; round < rounds(200); round++) {
		*ready = 0;
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			PMEMobjpool *pop = pmemobj_open(self->path, "test");

			__atomic_store_n(ready, pop ? 1 : 2, __ATOMIC_RELEASE);
			if (pop)
				play(pop, round + 1, ~0U);
			_exit(1);
		}
		while (!__atomic_load_n(ready, __ATOMIC_ACQUIRE))
			usleep(10);
		ASSERT_EQ(1, *ready);
		usleep(round * 37 % 2000);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		self->pop = pmemobj_open(self->path, "test");
		ASSERT_NE(NULL, self->pop);
		ASSERT_TRUE(whole(self->pop, true))
			TH_LOG("round %d", round);
		pmemobj_close(self->pop);
	}
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
}

TEST_HARNESS_MAIN
