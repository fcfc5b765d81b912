/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every macro of libpmemobj/types.h once, as C and as C++: types.c runs it, types.sh compiles it
 * with each compiler there is.
 */
#ifndef SELFTESTS_COMPAT_TYPES_H
#define SELFTESTS_COMPAT_TYPES_H

#include <libpmemobj.h>

#define BIG_NUMBER	0xfedcba9876543210ULL

/* checkpatch takes (struct t) before a name for a cast. */
#define ID(t)		TOID(struct t)
#define NUMBER_ID	TOID(union number)
#define PLAIN_ID	TOID(plain_t)

typedef long plain_t;

POBJ_LAYOUT_BEGIN(types);
POBJ_LAYOUT_ROOT(types, struct book);
POBJ_LAYOUT_TOID(types, struct person);
POBJ_LAYOUT_TOID(types, union number);
POBJ_LAYOUT_TOID(types, plain_t);
POBJ_LAYOUT_END(types);

POBJ_LAYOUT_BEGIN(other);
POBJ_LAYOUT_TOID(other, struct elsewhere);
POBJ_LAYOUT_END(other);

POBJ_LAYOUT_BEGIN(none);
POBJ_LAYOUT_END(none);

TOID_DECLARE(struct big, BIG_NUMBER);
TOID_DECLARE(struct last, -1);
TOID_DECLARE_ROOT(struct second_root);

struct book {
	ID(person) first;
	NUMBER_ID number;
	PLAIN_ID plain;
};

struct person {
	ID(person) next;
	int age;
};

union number {
	int i;
	double d;
};

/* The numbers are constants of the compiler. */
enum {
	NUMBER_BOOK = TOID_TYPE_NUM(struct book),
	NUMBER_SECOND_ROOT = TOID_TYPE_NUM(struct second_root),
	NUMBER_PERSON = TOID_TYPE_NUM(struct person),
	NUMBER_UNION = TOID_TYPE_NUM(union number),
	NUMBER_PLAIN = TOID_TYPE_NUM(plain_t),
	NUMBER_ELSEWHERE = TOID_TYPE_NUM(struct elsewhere),
};

static const uint64_t number_big = TOID_TYPE_NUM(struct big);
static const uint64_t number_last = TOID_TYPE_NUM(struct last);

/* Line of the first surprise, or 0. @pop is an open pool. */
static inline int every_type_macro(PMEMobjpool *pop)
{
	ID(person) p = TOID_NULL(struct person), q;
	ID(book) root = POBJ_ROOT(pop, struct book);
	const ID(book) same = root;
	ID(big) big = TOID_NULL(struct big);
	TOID_TYPEOF(p) here = { TOID_NULL(struct person), 3 };
	NUMBER_ID u = TOID_NULL(union number);
	PMEMoid inside = root.oid;

	if (OID_IS_NULL(root.oid) || !OID_IS_NULL(p.oid) || !OID_EQUALS(root.oid, same.oid))
		return __LINE__;
	if (TOID_IS_NULL(root) || !TOID_IS_NULL(p) || !TOID_IS_NULL(big) || !TOID_IS_NULL(u))
		return __LINE__;
	if (sizeof(p) != sizeof(PMEMoid) || (void *)&p != (void *)&p.oid)
		return __LINE__;

	if (NUMBER_BOOK != POBJ_ROOT_TYPE_NUM || NUMBER_SECOND_ROOT != POBJ_ROOT_TYPE_NUM ||
	    NUMBER_PERSON != 1 || NUMBER_UNION != 2 || NUMBER_PLAIN != 3 || NUMBER_ELSEWHERE != 1)
		return __LINE__;
	if (POBJ_LAYOUT_TYPES_NUM(types) != 3 || POBJ_LAYOUT_TYPES_NUM(other) != 1 ||
	    POBJ_LAYOUT_TYPES_NUM(none) != 0)
		return __LINE__;
	if (number_big != BIG_NUMBER || TOID_TYPE_NUM_OF(big) != BIG_NUMBER ||
	    number_last != UINT64_MAX || TOID_TYPE_NUM_OF(p) != 1)
		return __LINE__;
	if (POBJ_LAYOUT_NAME(types)[0] != 't' || sizeof(POBJ_LAYOUT_NAME(types)) != 6)
		return __LINE__;

	/* Assigning gives the id, and an untyped id takes any type. */
	inside.off += TOID_OFFSETOF(root, number);
	q = TOID_ASSIGN(p, inside);
	if (!TOID_EQUALS(p, q) || !OID_EQUALS(p.oid, inside) || p.oid.off == root.oid.off)
		return __LINE__;
	q = TOID_NULL(struct person);
	if (TOID_EQUALS(p, q) || !TOID_EQUALS(root, same))
		return __LINE__;
	TOID_ASSIGN(u, p.oid);
	if ((void *)D_RW(u) != (void *)&D_RW(root)->number)
		return __LINE__;

	/* Writing and reading; a null id has no address. */
	D_RW(root)->first = q;
	DIRECT_RW(root)->number = u;
	if (!TOID_EQUALS(D_RO(root)->number, u) || !TOID_IS_NULL(DIRECT_RO(same)->first))
		return __LINE__;
	if (D_RW(q) || D_RO(q) || DIRECT_RW(q) || DIRECT_RO(q) || here.age != 3)
		return __LINE__;
	if (pmemobj_direct(root.oid) != (pmemobj_direct)(root.oid) ||
	    pmemobj_direct_inline(root.oid) != D_RO(POBJ_ROOT(pop, struct book)))
		return __LINE__;
	return 0;
}

#endif
