/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every function and macro of the object API once, as C and as C++, and the sizes that are on media
 * or in programs: types.sh compiles it with each compiler there is. Nothing here is to be run.
 */
#ifndef SELFTESTS_COMPAT_OBJECTS_H
#define SELFTESTS_COMPAT_OBJECTS_H

#include <libpmemobj.h>
#include <time.h>

/* checkpatch takes (struct t) before a name for a cast. */
#define ID(t)		TOID(struct t)
#define NODES(name)	POBJ_LIST_HEAD(name, struct node)
#define LINK		POBJ_LIST_ENTRY(struct node)
#define TRANSIENT	PMEMvlt(number_t)

typedef int number_t;

POBJ_LAYOUT_BEGIN(all);
POBJ_LAYOUT_ROOT(all, struct root);
POBJ_LAYOUT_TOID(all, struct node);
POBJ_LAYOUT_TOID(all, number_t);
POBJ_LAYOUT_END(all);

typedef ID(node) node_t;
typedef ID(root) root_t;

NODES(list);

struct root {
	struct list a, b;
	PMEMmutex mutex;
	PMEMrwlock rwlock;
	PMEMcond cond;
	TRANSIENT transient;
};

struct node {
	LINK e;
	LINK f;
	int value;
};

static int constr(PMEMobjpool *pop, void *ptr, void *arg)
{
	pmemobj_persist(pop, ptr, arg ? 1 : 2);
	return 0;
}

static int vconstr(void *ptr, void *arg)
{
	*(int *)ptr = !!arg;
	return 0;
}

static inline int every_object_macro(PMEMobjpool *pop)
{
	root_t r = POBJ_ROOT(pop, struct root);
	node_t n = TOID_NULL(struct node), m;
	struct root *root = D_RW(r);
	struct pobj_action act[4];
	PMEMoid x, y;
	struct timespec ts = { 0, 0 };
	PMEMoid (*first)(PMEMobjpool *p, uint64_t num) = POBJ_FIRST_TYPE_NUM;
	PMEMoid (*next)(PMEMoid oid) = POBJ_NEXT_TYPE_NUM;
	uint64_t bits = POBJ_XALLOC_VALID_FLAGS | POBJ_ACTION_XRESERVE_VALID_FLAGS;
	int err = 0, *v;

	if (PMEMOBJ_MAX_ALLOC_SIZE <= 0x3FFDFFFC0 || PMEMOBJ_MIN_PART > PMEMOBJ_MIN_POOL || !bits)
		return -1;
	err |= POBJ_NEW(pop, &n, struct node, constr, NULL);
	err |= POBJ_NEW(pop, NULL, struct node, NULL, NULL);
	err |= POBJ_ALLOC(pop, &n, struct node, 2 * sizeof(struct node), constr, root);
	err |= POBJ_ZNEW(pop, &n, struct node);
	err |= POBJ_ZNEW(pop, NULL, number_t);
	err |= POBJ_ZALLOC(pop, &n, struct node, 100);
	err |= POBJ_REALLOC(pop, &n, struct node, 200);
	err |= POBJ_ZREALLOC(pop, &n, struct node, 300);
	POBJ_FREE(&n);
	bits = POBJ_XALLOC_ZERO | POBJ_XALLOC_NO_FLUSH | POBJ_CLASS_ID(1) | POBJ_ARENA_ID(2);
	err |= pmemobj_xalloc(pop, &x, 64, TOID_TYPE_NUM(struct node), bits, NULL, NULL);
	err |= pmemobj_alloc(pop, &x, 64, 1, NULL, NULL) | pmemobj_zalloc(pop, &x, 64, 1);
	err |= pmemobj_realloc(pop, &x, 64, 1) | pmemobj_zrealloc(pop, &x, 64, 1);
	err |= pmemobj_strdup(pop, &x, "s", 1) | pmemobj_wcsdup(pop, &x, L"s", 1);
	pmemobj_free(&x);
	err |= TOID_VALID(n) && OID_INSTANCEOF(n.oid, struct node) && pmemobj_type_num(n.oid);
	err |= pmemobj_alloc_usable_size(n.oid) < sizeof(struct node);
	v = (int *)pmemobj_volatile(pop, &root->transient.vlt, &root->transient.value,
				    sizeof(root->transient.value), vconstr, NULL);
	err |= *v;

	x = pmemobj_first(pop);
	x = pmemobj_next(x);
	n = POBJ_FIRST(pop, struct node);
	n = POBJ_NEXT(n);
	POBJ_FOREACH(pop, x)
		err |= OID_IS_NULL(x);
	POBJ_FOREACH_SAFE(pop, x, y)
		pmemobj_free(&x);
	POBJ_FOREACH_TYPE(pop, n)
		err |= D_RO(n)->value;
	POBJ_FOREACH_SAFE_TYPE(pop, n, m)
		POBJ_FREE(&n);
	x = next(first(pop, 3));

	n = POBJ_RESERVE_NEW(pop, struct node, &act[0]);
	n = POBJ_RESERVE_ALLOC(pop, struct node, 100, &act[1]);
	n = POBJ_XRESERVE_NEW(pop, struct node, &act[2], POBJ_XALLOC_ZERO);
	n = POBJ_XRESERVE_ALLOC(pop, struct node, 100, &act[3], POBJ_CLASS_ID(3));
	x = pmemobj_reserve(pop, act, 1, 1);
	x = pmemobj_xreserve(pop, act, 1, 1, 0);
	pmemobj_defer_free(pop, x, act);
	pmemobj_set_value(pop, act, &x.off, act[0].heap.offset + act[0].heap.usable_size);
	err |= act[0].type == POBJ_ACTION_TYPE_HEAP || act[1].type == POBJ_ACTION_TYPE_MEM;
	err |= pmemobj_publish(pop, act, 4);
	pmemobj_cancel(pop, act, 4);

	n = POBJ_LIST_FIRST(&root->a);
	m = POBJ_LIST_LAST(&root->a, e);
	err |= POBJ_LIST_EMPTY(&root->a);
	n = POBJ_LIST_NEXT(n, e);
	n = POBJ_LIST_PREV(n, e);
	POBJ_LIST_FOREACH(n, &root->a, e)
		err |= D_RO(n)->value;
	POBJ_LIST_FOREACH_REVERSE(n, &root->a, e)
		err |= D_RO(n)->value;
	err |= POBJ_LIST_INSERT_HEAD(pop, &root->a, n, e);
	err |= POBJ_LIST_INSERT_TAIL(pop, &root->a, n, e);
	err |= POBJ_LIST_INSERT_AFTER(pop, &root->a, m, n, e);
	err |= POBJ_LIST_INSERT_BEFORE(pop, &root->a, m, n, e);
	x = POBJ_LIST_INSERT_NEW_HEAD(pop, &root->a, e, sizeof(struct node), constr, NULL);
	x = POBJ_LIST_INSERT_NEW_TAIL(pop, &root->a, e, sizeof(struct node), NULL, NULL);
	x = POBJ_LIST_INSERT_NEW_AFTER(pop, &root->a, m, e, sizeof(struct node), NULL, NULL);
	x = POBJ_LIST_INSERT_NEW_BEFORE(pop, &root->a, m, e, sizeof(struct node), NULL, NULL);
	err |= POBJ_LIST_REMOVE(pop, &root->a, n, e);
	err |= POBJ_LIST_REMOVE_FREE(pop, &root->a, n, e);
	err |= POBJ_LIST_MOVE_ELEMENT_HEAD(pop, &root->a, &root->b, n, e, f);
	err |= POBJ_LIST_MOVE_ELEMENT_TAIL(pop, &root->a, &root->b, n, e, f);
	err |= POBJ_LIST_MOVE_ELEMENT_AFTER(pop, &root->a, &root->b, m, n, e, f);
	err |= POBJ_LIST_MOVE_ELEMENT_BEFORE(pop, &root->a, &root->b, m, n, e, f);

	pmemobj_mutex_zero(pop, &root->mutex);
	err |= pmemobj_mutex_lock(pop, &root->mutex) | pmemobj_mutex_trylock(pop, &root->mutex);
	err |= pmemobj_mutex_timedlock(pop, &root->mutex, &ts);
	err |= pmemobj_mutex_unlock(pop, &root->a.lock);
	pmemobj_rwlock_zero(pop, &root->rwlock);
	err |= pmemobj_rwlock_rdlock(pop, &root->rwlock);
	err |= pmemobj_rwlock_wrlock(pop, &root->rwlock);
	err |= pmemobj_rwlock_timedrdlock(pop, &root->rwlock, &ts);
	err |= pmemobj_rwlock_timedwrlock(pop, &root->rwlock, &ts);
	err |= pmemobj_rwlock_tryrdlock(pop, &root->rwlock);
	err |= pmemobj_rwlock_trywrlock(pop, &root->rwlock);
	err |= pmemobj_rwlock_unlock(pop, &root->rwlock);
	pmemobj_cond_zero(pop, &root->cond);
	err |= pmemobj_cond_broadcast(pop, &root->cond) | pmemobj_cond_signal(pop, &root->cond);
	err |= pmemobj_cond_timedwait(pop, &root->cond, &root->mutex, &ts);
	err |= pmemobj_cond_wait(pop, &root->cond, &root->mutex);
	return err;
}

/* In C++ an array of -1 is as wrong. */
#define SAME(name, a, b)	typedef char _same_##name[(a) == (b) ? 1 : -1]
SAME(action, sizeof(struct pobj_action), 128);
SAME(mutex, sizeof(PMEMmutex), 64);
SAME(rwlock, sizeof(PMEMrwlock), 64);
SAME(cond, sizeof(PMEMcond), 64);
SAME(head, sizeof(struct list), 80);
SAME(link, offsetof(struct node, f), 32);
SAME(vlt, sizeof(struct pmemvlt), 8);

#endif
