/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmemobj/action_base.h - prepare now, publish later: any number of changes at once.
 *
 * An action is prepared into a struct of the caller, changes nothing that is persistent, and
 * belongs to the process, not to the thread: another thread may publish or cancel it. What is
 * neither published nor cancelled when the process or the power goes is as if it had never been
 * prepared.
 */
#ifndef LIBPMEMOBJ_ACTION_BASE_H
#define LIBPMEMOBJ_ACTION_BASE_H 1

#include <libpmemobj/base.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pobj_action_type {
	POBJ_ACTION_TYPE_HEAP,		/* an object is allocated or freed */
	POBJ_ACTION_TYPE_MEM,		/* a word is set */
};

/* Of an object that is reserved or to be freed: where, as in its id, and its bytes. */
struct pobj_action_heap {
	uint64_t offset;
	uint64_t usable_size;
};

/**
 * struct pobj_action - one prepared change
 * @type: of these two kinds
 * @data: the library's
 * @heap: of POBJ_ACTION_TYPE_HEAP
 * @data2: the library's
 *
 * To be read by the caller, not to be changed, copied or freed before publish or cancel.
 */
struct pobj_action {
	enum pobj_action_type type;
	uint32_t data[3];
	union {
		struct pobj_action_heap heap;
		uint64_t data2[14];
	};
};

/* The flags that pmemobj_xreserve takes. */
#define POBJ_ACTION_XRESERVE_VALID_FLAGS \
	(POBJ_XALLOC_ZERO | POBJ_XALLOC_ARENA_MASK | POBJ_XALLOC_CLASS_MASK)

/*
 * An object that is the caller's alone until it is published; the caller makes its contents
 * durable. OID_NULL with errno EINVAL, ENOMEM or EAGAIN as pmemobj_alloc. Flags as pmemobj_xalloc;
 * with POBJ_XALLOC_ZERO the zeros are durable.
 */
PMEMoid pmemobj_reserve(PMEMobjpool *pop, struct pobj_action *act, size_t size,
			uint64_t type_num);
PMEMoid pmemobj_xreserve(PMEMobjpool *pop, struct pobj_action *act, size_t size,
			 uint64_t type_num, uint64_t flags);

/* When published: free @oid, which is not OID_NULL. */
void pmemobj_defer_free(PMEMobjpool *pop, PMEMoid oid, struct pobj_action *act);

/* When published: set *@ptr, a word of the pool, to @value. */
void pmemobj_set_value(PMEMobjpool *pop, struct pobj_action *act, uint64_t *ptr, uint64_t value);

/*
 * Do all of @actv, or nothing, whenever power fails; durable at return. 0; -1 with errno ENOMEM
 * (the log cannot grow) or EAGAIN: nothing changed, and the actions are still prepared.
 */
int pmemobj_publish(PMEMobjpool *pop, struct pobj_action *actv, size_t actvcnt);

/* Give back what @actv reserves. Needs no room and cannot fail. */
void pmemobj_cancel(PMEMobjpool *pop, struct pobj_action *actv, size_t actvcnt);

#ifdef __cplusplus
}
#endif

#endif
