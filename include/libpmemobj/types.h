/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/types.h - object ids that know the type of their object, and layouts.
 *
 * A typed id is a PMEMoid in memory and on media; the type exists for the compiler only. Mixing
 * two types is an error in C++ and, in C, an error or (TOID_EQUALS) a warning.
 *
 *	TOID_DECLARE(struct node, 7);
 *	struct node { TOID(struct node) next; int value; };
 *
 * Macros evaluate a typed id that they are given once, but for TOID_EQUALS and TOID_ASSIGN, which
 * do so twice.
 */
#ifndef LIBPMEMOBJ_TYPES_H
#define LIBPMEMOBJ_TYPES_H 1

#include <libpmemobj/base.h>

/* ---- the type of an id ------------------------------------------------------------------- */

/*
 * TOID(struct node) is union node_pobj_toid, TOID(node_t) is union _pobj_toid_node_t_pobj_toid:
 * the keyword is pasted into one of these names and so disappears. That is why @t is one word, or
 * one after struct, union or enum.
 */
#define _pobj_toid_struct
#define _pobj_toid_union
#define _pobj_toid_enum

#define TOID(t)			_POBJ_TOID_UNION(t)
#define _POBJ_TOID_UNION(t)	union _pobj_toid_##t##_pobj_toid

/*
 * Only @oid is ever stored. The pointers carry, in the types they point to, the object's type and
 * the two halves of its number: a constant has no other place in a type of C. All 64 bits of a
 * type number can be used.
 */
#define TOID_DECLARE(type, i)						\
	TOID(type) {							\
		PMEMoid oid;						\
		type *_type;						\
		char (*_num_lo)[((uint64_t)(i) & 0xffffffffU) + 1];	\
		char (*_num_hi)[((uint64_t)(i) >> 32) + 1];		\
	}

/* The type number of roots that are declared with the two macros that say ROOT. */
#define POBJ_ROOT_TYPE_NUM	0
#define TOID_DECLARE_ROOT(t)	TOID_DECLARE(t, POBJ_ROOT_TYPE_NUM)

/* As declared, constant: nothing is read from the pool. */
#define TOID_TYPE_NUM_OF(o) \
	((uint64_t)(sizeof(*(o)._num_hi) - 1) << 32 | (uint64_t)(sizeof(*(o)._num_lo) - 1))
#define TOID_TYPE_NUM(t)	TOID_TYPE_NUM_OF(*(TOID(t) *)0)

#define TOID_TYPEOF(o)		__typeof__(*(o)._type)
#define TOID_OFFSETOF(o, field)	offsetof(TOID_TYPEOF(o), field)

/* ---- values ------------------------------------------------------------------------------ */

/* For the macros of this library: the id @id as type @toid; an expression, in C++ as well. */
#define _POBJ_TOID(toid, id)	(__extension__ (toid) { (id) })

#define TOID_NULL(t)		_POBJ_TOID(TOID(t), OID_NULL)
#define TOID_IS_NULL(o)		((o).oid.off == 0)

/* Any PMEMoid can be assigned: this is where the caller vouches for the type. */
#define TOID_ASSIGN(o, value)	__extension__ ({ (o).oid = (value); (o); })

/* The second half is true and there for its type check. */
#define TOID_EQUALS(lhs, rhs) \
	(OID_EQUALS((lhs).oid, (rhs).oid) && sizeof((lhs)._type == (rhs)._type) != 0)

/* As stored with the object, against the type in the program: a look-up in the pool. */
#define TOID_VALID(o)		(pmemobj_type_num((o).oid) == TOID_TYPE_NUM_OF(o))
#define OID_INSTANCEOF(o, t)	(pmemobj_type_num(o) == TOID_TYPE_NUM(t))

/* Address of the object, to write or to read it; NULL for a null id. */
#define DIRECT_RW(o)		((TOID_TYPEOF(o) *)pmemobj_direct((o).oid))
#define DIRECT_RO(o)		((const TOID_TYPEOF(o) *)pmemobj_direct((o).oid))
#define D_RW(o)			DIRECT_RW(o)
#define D_RO(o)			DIRECT_RO(o)

/* ---- layouts ----------------------------------------------------------------------------- */

/*
 * A layout numbers its types 1, 2, 3, ... in the order of their lines; the root has number 0 and
 * no place in that order. Lines are added at the end only: the numbers are on media.
 *
 *	POBJ_LAYOUT_BEGIN(phones);
 *	POBJ_LAYOUT_ROOT(phones, struct book);
 *	POBJ_LAYOUT_TOID(phones, struct person);
 *	POBJ_LAYOUT_END(phones);
 *
 * __COUNTER__ grows by one at each use: nothing else may use it between BEGIN and END.
 */
#define POBJ_LAYOUT_BEGIN(name)		enum { _pobj_layout_##name##_begin = __COUNTER__ }
#define POBJ_LAYOUT_ROOT(name, t)	TOID_DECLARE_ROOT(t)
#define POBJ_LAYOUT_TOID(name, t)	TOID_DECLARE(t, __COUNTER__ - _pobj_layout_##name##_begin)
#define POBJ_LAYOUT_END(name)						\
	enum {								\
		_pobj_layout_##name##_types =				\
			__COUNTER__ - _pobj_layout_##name##_begin - 1	\
	}

#define POBJ_LAYOUT_NAME(name)		#name
#define POBJ_LAYOUT_TYPES_NUM(name)	((size_t)_pobj_layout_##name##_types)

#endif
