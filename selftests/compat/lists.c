// SPDX-License-Identifier: BSD-3-Clause
/* Lists of objects: every macro, and random changes against arrays that say what must be there. */
#include "compat.h"

POBJ_LAYOUT_BEGIN(lists);
POBJ_LAYOUT_ROOT(lists, struct compat_root);
POBJ_LAYOUT_TOID(lists, struct node);
POBJ_LAYOUT_TOID(lists, struct heads);
POBJ_LAYOUT_END(lists);

/* checkpatch knows the kernel's list heads only. */
#define NODES(name)	POBJ_LIST_HEAD(name, struct node)
#define LINK		POBJ_LIST_ENTRY(struct node)
#define HEADS		4		/* two linked by e, two by f */

NODES(nodes);

struct heads {
	struct nodes list[HEADS];
};

struct node {
	uint64_t n;
	LINK e;
	char between[50];
	LINK f;
};

typedef ID(node) node_t;

static node_t null_node;

static int make_node(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct node *node = ptr;

	if (!arg)
		return -1;
	memset(node, 0x5a, sizeof(*node));
	node->n = *(uint64_t *)arg;
	pmemobj_persist(pop, node, sizeof(*node));
	return 0;
}

static node_t new_node(PMEMobjpool *pop, uint64_t n)
{
	node_t node = null_node;

	if (POBJ_NEW(pop, &node, struct node, make_node, &n))
		abort();
	return node;
}

static struct nodes *heads(PMEMobjpool *pop, struct compat_root *root)
{
	if (OID_IS_NULL(root->slot[0]) &&
	    pmemobj_zalloc(pop, &root->slot[0], sizeof(struct heads),
			   TOID_TYPE_NUM(struct heads)))
		abort();
	return ((struct heads *)pmemobj_direct(root->slot[0]))->list;
}

/* Is the list @head, linked by e or by f, those numbers? Forward, backward, and by hand. */
static bool list_is(struct nodes *head, bool by_f, const uint64_t *n, size_t cnt)
{
	node_t node, first = POBJ_LIST_FIRST(head);
	size_t i = 0;

	if (POBJ_LIST_EMPTY(head))
		return !cnt && TOID_IS_NULL(first);
	if (by_f) {
		POBJ_LIST_FOREACH(node, head, f)
			if (i == cnt || D_RO(node)->n != n[i++])
				return false;
		if (i != cnt)
			return false;
		POBJ_LIST_FOREACH_REVERSE(node, head, f)
			if (!i || D_RO(node)->n != n[--i])
				return false;
		node = POBJ_LIST_LAST(head, f);
		if (!TOID_EQUALS(POBJ_LIST_NEXT(node, f), first) ||
		    !TOID_EQUALS(POBJ_LIST_PREV(first, f), node))
			return false;
		return !i && D_RO(node)->n == n[cnt - 1];
	}
	POBJ_LIST_FOREACH(node, head, e)
		if (i == cnt || D_RO(node)->n != n[i++])
			return false;
	if (i != cnt)
		return false;
	POBJ_LIST_FOREACH_REVERSE(node, head, e)
		if (!i || D_RO(node)->n != n[--i])
			return false;
	node = POBJ_LIST_LAST(head, e);
	if (!TOID_EQUALS(POBJ_LIST_NEXT(node, e), first) ||
	    !TOID_EQUALS(POBJ_LIST_PREV(first, e), node))
		return false;
	return !i && D_RO(node)->n == n[cnt - 1];
}

#define LIST_IS(head, by_f, ...) do {						\
	uint64_t want[] = { __VA_ARGS__ };					\
										\
	EXPECT_TRUE(list_is((head), (by_f), want, ARRAY_SIZE(want)));		\
} while (0)
#define LIST_IS_EMPTY(head, by_f)	EXPECT_TRUE(list_is((head), (by_f), NULL, 0))

TEST_F(heap, insert)
{
	struct nodes *l = heads(self->pop, self->root);
	node_t n[10];
	uint64_t i;

	for (i = 1; i < 10; i++)
		n[i] = new_node(self->pop, i);
	LIST_IS_EMPTY(l, false);
	ASSERT_EQ(0, POBJ_LIST_INSERT_HEAD(self->pop, l, n[1], e));
	LIST_IS(l, false, 1);
	ASSERT_EQ(0, POBJ_LIST_INSERT_HEAD(self->pop, l, n[2], e));
	LIST_IS(l, false, 2, 1);
	ASSERT_EQ(0, POBJ_LIST_INSERT_TAIL(self->pop, l, n[3], e));
	LIST_IS(l, false, 2, 1, 3);
	ASSERT_EQ(0, POBJ_LIST_INSERT_AFTER(self->pop, l, n[2], n[4], e));
	LIST_IS(l, false, 2, 4, 1, 3);
	ASSERT_EQ(0, POBJ_LIST_INSERT_BEFORE(self->pop, l, n[3], n[5], e));
	LIST_IS(l, false, 2, 4, 1, 5, 3);
	ASSERT_EQ(0, POBJ_LIST_INSERT_BEFORE(self->pop, l, n[2], n[6], e));
	LIST_IS(l, false, 6, 2, 4, 1, 5, 3);
	ASSERT_EQ(0, POBJ_LIST_INSERT_AFTER(self->pop, l, n[3], n[7], e));
	LIST_IS(l, false, 6, 2, 4, 1, 5, 3, 7);
	/* A second list, which begins with the tail, by the other link of the same nodes. */
	ASSERT_EQ(0, POBJ_LIST_INSERT_TAIL(self->pop, &l[2], n[1], f));
	ASSERT_EQ(0, POBJ_LIST_INSERT_TAIL(self->pop, &l[2], n[2], f));
	LIST_IS(&l[2], true, 1, 2);
	LIST_IS(l, false, 6, 2, 4, 1, 5, 3, 7);
	HEAP_REOPEN();
	l = heads(self->pop, self->root);
	LIST_IS(&l[2], true, 1, 2);
	LIST_IS(l, false, 6, 2, 4, 1, 5, 3, 7);
	EXPECT_EQ(9, objects_of_type(self->pop, TOID_TYPE_NUM(struct node)));
}

TEST_F(heap, insert_new)
{
	struct nodes *l = heads(self->pop, self->root);
	uint64_t n[7] = { 0, 1, 2, 3, 4, 5, 6 };
	node_t node;
	PMEMoid o;

	o = POBJ_LIST_INSERT_NEW_HEAD(self->pop, l, e, sizeof(struct node), make_node, &n[1]);
	ASSERT_FALSE(OID_IS_NULL(o));
	EXPECT_EQ(TOID_TYPE_NUM(struct node), pmemobj_type_num(o));
	EXPECT_TRUE(OID_EQUALS(o, POBJ_LIST_FIRST(l).oid));
	o = POBJ_LIST_INSERT_NEW_TAIL(self->pop, l, e, sizeof(struct node), make_node, &n[2]);
	ASSERT_FALSE(OID_IS_NULL(o));
	EXPECT_TRUE(OID_EQUALS(o, POBJ_LIST_LAST(l, e).oid));
	LIST_IS(l, false, 1, 2);
	node = POBJ_LIST_FIRST(l);
	o = POBJ_LIST_INSERT_NEW_AFTER(self->pop, l, node, e, 5000, make_node, &n[3]);
	EXPECT_LE(5000, pmemobj_alloc_usable_size(o));
	o = POBJ_LIST_INSERT_NEW_BEFORE(self->pop, l, node, e, sizeof(struct node), make_node,
					&n[4]);
	LIST_IS(l, false, 4, 1, 3, 2);
	o = POBJ_LIST_INSERT_NEW_HEAD(self->pop, l, e, sizeof(struct node), make_node, &n[5]);
	o = POBJ_LIST_INSERT_NEW_TAIL(self->pop, l, e, sizeof(struct node), make_node, &n[6]);
	LIST_IS(l, false, 5, 4, 1, 3, 2, 6);
	EXPECT_EQ(6, objects_of_type(self->pop, TOID_TYPE_NUM(struct node)));
	/* The constructor says no, or there is no room. */
	FAILS_OID(ECANCELED, POBJ_LIST_INSERT_NEW_HEAD(self->pop, l, e, sizeof(struct node),
						       make_node, NULL));
	FAILS_OID(ENOMEM, POBJ_LIST_INSERT_NEW_TAIL(self->pop, l, e, HEAP_BYTES, make_node, &n[1]));
	LIST_IS(l, false, 5, 4, 1, 3, 2, 6);
	EXPECT_EQ(6, objects_of_type(self->pop, TOID_TYPE_NUM(struct node)));
	/* Without a constructor. */
	o = POBJ_LIST_INSERT_NEW_HEAD(self->pop, &l[2], f, sizeof(struct node), NULL, NULL);
	ASSERT_FALSE(OID_IS_NULL(o));
	((struct node *)pmemobj_direct(o))->n = 77;
	LIST_IS(&l[2], true, 77);
}

TEST_F(heap, remove)
{
	struct nodes *l = heads(self->pop, self->root);
	node_t n[6];
	uint64_t i;

	for (i = 1; i < 6; i++) {
		n[i] = new_node(self->pop, i);
		ASSERT_EQ(0, POBJ_LIST_INSERT_TAIL(self->pop, l, n[i], e));
	}
	ASSERT_EQ(0, POBJ_LIST_REMOVE(self->pop, l, n[3], e));
	LIST_IS(l, false, 1, 2, 4, 5);
	EXPECT_EQ(3, D_RO(n[3])->n);
	ASSERT_EQ(0, POBJ_LIST_REMOVE(self->pop, l, n[1], e));
	LIST_IS(l, false, 2, 4, 5);
	ASSERT_EQ(0, POBJ_LIST_REMOVE(self->pop, l, n[5], e));
	LIST_IS(l, false, 2, 4);
	EXPECT_EQ(5, objects_of_type(self->pop, TOID_TYPE_NUM(struct node)));
	ASSERT_EQ(0, POBJ_LIST_REMOVE_FREE(self->pop, l, n[2], e));
	LIST_IS(l, false, 4);
	EXPECT_EQ(4, objects_of_type(self->pop, TOID_TYPE_NUM(struct node)));
	/* What was taken out goes in again. */
	ASSERT_EQ(0, POBJ_LIST_INSERT_HEAD(self->pop, l, n[3], e));
	LIST_IS(l, false, 3, 4);
	ASSERT_EQ(0, POBJ_LIST_REMOVE_FREE(self->pop, l, n[3], e));
	ASSERT_EQ(0, POBJ_LIST_REMOVE_FREE(self->pop, l, n[4], e));
	LIST_IS_EMPTY(l, false);
	EXPECT_EQ(2, objects_of_type(self->pop, TOID_TYPE_NUM(struct node)));
	/* An emptied list is as good as a new one. */
	ASSERT_EQ(0, POBJ_LIST_INSERT_TAIL(self->pop, l, n[1], e));
	LIST_IS(l, false, 1);
	ASSERT_EQ(0, POBJ_LIST_REMOVE(self->pop, l, n[1], e));
	LIST_IS_EMPTY(l, false);
}

TEST_F(heap, move)
{
	struct nodes *l = heads(self->pop, self->root);
	node_t n[8];
	uint64_t i;

	for (i = 1; i < 8; i++) {
		n[i] = new_node(self->pop, i);
		ASSERT_EQ(0, POBJ_LIST_INSERT_TAIL(self->pop, &l[0], n[i], e));
	}
	/* To a list of the same link, and to one of the other. */
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_HEAD(self->pop, &l[0], &l[1], n[4], e, e));
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_TAIL(self->pop, &l[0], &l[1], n[1], e, e));
	LIST_IS(&l[0], false, 2, 3, 5, 6, 7);
	LIST_IS(&l[1], false, 4, 1);
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_AFTER(self->pop, &l[0], &l[1], n[4], n[7], e, e));
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_BEFORE(self->pop, &l[0], &l[1], n[4], n[6], e, e));
	LIST_IS(&l[0], false, 2, 3, 5);
	LIST_IS(&l[1], false, 6, 4, 7, 1);
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_TAIL(self->pop, &l[1], &l[2], n[4], e, f));
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_HEAD(self->pop, &l[1], &l[2], n[1], e, f));
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_AFTER(self->pop, &l[1], &l[2], n[4], n[6], e, f));
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_BEFORE(self->pop, &l[1], &l[2], n[6], n[7], e, f));
	LIST_IS_EMPTY(&l[1], false);
	LIST_IS(&l[2], true, 1, 4, 7, 6);
	/* Within one list. */
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_HEAD(self->pop, &l[0], &l[0], n[5], e, e));
	LIST_IS(&l[0], false, 5, 2, 3);
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_TAIL(self->pop, &l[0], &l[0], n[5], e, e));
	LIST_IS(&l[0], false, 2, 3, 5);
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_AFTER(self->pop, &l[0], &l[0], n[3], n[2], e, e));
	LIST_IS(&l[0], false, 3, 2, 5);
	ASSERT_EQ(0, POBJ_LIST_MOVE_ELEMENT_BEFORE(self->pop, &l[0], &l[0], n[3], n[5], e, e));
	LIST_IS(&l[0], false, 5, 3, 2);
	EXPECT_EQ(7, objects_of_type(self->pop, TOID_TYPE_NUM(struct node)));
	HEAP_REOPEN();
	l = heads(self->pop, self->root);
	LIST_IS(&l[0], false, 5, 3, 2);
	LIST_IS(&l[2], true, 1, 4, 7, 6);
}

TEST_F(heap, functions)
{
	struct nodes *l = heads(self->pop, self->root);
	size_t e = offsetof(struct node, e), f = offsetof(struct node, f);
	node_t n[4];
	uint64_t i;

	for (i = 1; i < 4; i++)
		n[i] = new_node(self->pop, i);
	ASSERT_EQ(0, pmemobj_list_insert(self->pop, e, l, OID_NULL, POBJ_LIST_DEST_HEAD, n[1].oid));
	ASSERT_EQ(0, pmemobj_list_insert(self->pop, e, l, OID_NULL, POBJ_LIST_DEST_TAIL, n[2].oid));
	ASSERT_EQ(0, pmemobj_list_insert(self->pop, e, l, n[2].oid, POBJ_LIST_DEST_BEFORE,
					 n[3].oid));
	LIST_IS(l, false, 1, 3, 2);
	ASSERT_EQ(0, pmemobj_list_move(self->pop, e, l, f, &l[2], OID_NULL, POBJ_LIST_DEST_TAIL,
				       n[1].oid));
	LIST_IS(l, false, 3, 2);
	LIST_IS(&l[2], true, 1);
	i = 9;
	EXPECT_FALSE(OID_IS_NULL(pmemobj_list_insert_new(self->pop, e, l, n[3].oid,
							 POBJ_LIST_DEST_AFTER, sizeof(struct node),
							 33, make_node, &i)));
	LIST_IS(l, false, 3, 9, 2);
	EXPECT_EQ(1, objects_of_type(self->pop, 33));
	ASSERT_EQ(0, pmemobj_list_remove(self->pop, e, l, n[2].oid, 1));
	ASSERT_EQ(0, pmemobj_list_remove(self->pop, e, l, n[3].oid, 0));
	LIST_IS(l, false, 9);
	EXPECT_EQ(2, objects_of_type(self->pop, TOID_TYPE_NUM(struct node)));
}

/* ---- random changes ---------------------------------------------------------------------- */

#define MOST	60

/* What must be in the lists: number and id of each node. */
struct model {
	uint64_t n[HEADS][MOST];
	node_t node[HEADS][MOST];
	size_t cnt[HEADS];
	uint64_t next;
	size_t nodes;			/* in a list by e or by f */
};

static void model_insert(struct model *m, int h, size_t at, uint64_t n, PMEMoid oid)
{
	memmove(&m->n[h][at + 1], &m->n[h][at], (m->cnt[h] - at) * sizeof(m->n[h][0]));
	memmove(&m->node[h][at + 1], &m->node[h][at], (m->cnt[h] - at) * sizeof(m->node[h][0]));
	m->n[h][at] = n;
	m->node[h][at].oid = oid;
	m->cnt[h]++;
}

static void model_remove(struct model *m, int h, size_t at)
{
	m->cnt[h]--;
	memmove(&m->n[h][at], &m->n[h][at + 1], (m->cnt[h] - at) * sizeof(m->n[h][0]));
	memmove(&m->node[h][at], &m->node[h][at + 1], (m->cnt[h] - at) * sizeof(m->node[h][0]));
}

/* Where to, as dest and before say, for place @at of a list; both ways if there are two. */
static PMEMoid where(struct model *m, int h, size_t at, uint64_t r, int *before)
{
	if (!at && (r & 1 || !m->cnt[h])) {
		*before = POBJ_LIST_DEST_HEAD;
		return OID_NULL;
	}
	if (at == m->cnt[h] && r & 1) {
		*before = POBJ_LIST_DEST_TAIL;
		return OID_NULL;
	}
	*before = !at || (at < m->cnt[h] && r & 2);
	return m->node[h][*before ? at : at - 1].oid;
}

static size_t pe_offset(int h)
{
	return h < 2 ? offsetof(struct node, e) : offsetof(struct node, f);
}

static int random_change(PMEMobjpool *pop, struct nodes *l, struct model *m, uint64_t *seed)
{
	uint64_t r = rnd(seed);
	int h = r % HEADS, to = r >> 8 & (HEADS - 1), before, err;
	size_t at = m->cnt[h] ? (r >> 16) % m->cnt[h] : 0, there;
	uint64_t n;
	PMEMoid dest, o;

	switch (r >> 40 & 3) {
	case 0:		/* a new one */
		if (m->cnt[h] == MOST)
			return 0;
		there = (r >> 16) % (m->cnt[h] + 1);
		dest = where(m, h, there, r >> 50, &before);
		n = m->next++;
		if (r >> 60 & 1) {
			o = pmemobj_list_insert_new(pop, pe_offset(h), &l[h], dest, before,
						    sizeof(struct node), 1, make_node, &n);
			err = OID_IS_NULL(o);
		} else {
			o = new_node(pop, n).oid;
			err = pmemobj_list_insert(pop, pe_offset(h), &l[h], dest, before, o);
		}
		model_insert(m, h, there, n, o);
		m->nodes++;
		return err;
	case 1:		/* one less */
		if (!m->cnt[h])
			return 0;
		o = m->node[h][at].oid;
		model_remove(m, h, at);
		m->nodes--;
		err = pmemobj_list_remove(pop, pe_offset(h), &l[h], o, r >> 60 & 1);
		if (!(r >> 60 & 1))
			pmemobj_free(&o);
		return err;
	default:	/* to another list, or to another place of this one */
		if (!m->cnt[h] || m->cnt[to] == MOST)
			return 0;
		o = m->node[h][at].oid;
		n = m->n[h][at];
		model_remove(m, h, at);
		there = (r >> 24) % (m->cnt[to] + 1);
		dest = where(m, to, there, r >> 50, &before);
		err = pmemobj_list_move(pop, pe_offset(h), &l[h], pe_offset(to), &l[to], dest,
					before, o);
		model_insert(m, to, there, n, o);
		return err;
	}
}

TEST_F_TIMEOUT(heap, random_changes, 120)
{
	struct nodes *l = heads(self->pop, self->root);
	struct model *m = calloc(1, sizeof(*m));
	uint64_t seed = 4711;
	int i, h;

	m->next = 1;
	for (i = 0; i < 40000; i++) {
		ASSERT_EQ(0, random_change(self->pop, l, m, &seed))
			TH_LOG("change %d: %s", i, pmemobj_errormsg());
		for (h = 0; h < HEADS; h++)
			ASSERT_TRUE(list_is(&l[h], h >= 2, m->n[h], m->cnt[h]))
				TH_LOG("change %d", i);
		if (i % 10000 == 9999) {
			EXPECT_EQ(m->nodes, objects_of_type(self->pop, 1));
			HEAP_REOPEN();
			l = heads(self->pop, self->root);
		}
	}
	EXPECT_EQ(m->nodes + 1, objects(self->pop));
	free(m);
}

TEST_HARNESS_MAIN
