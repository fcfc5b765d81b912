// SPDX-License-Identifier: BSD-3-Clause
/*
 * pmemobj_volatile: one word says for which run the value beside it was made. It is the run id when
 * it was, else a word of locks.h: held while somebody makes it. If he dies, the next one begins
 * anew, after what the dead one left was recovered.
 */
#include <errno.h>
#include <limits.h>

#include "lib/errormsg.h"
#include "lib/locks.h"

_Static_assert(sizeof(struct pmemvlt) == sizeof(u64), "a pmemvlt is one word");

static void *make(struct pobj_pool *p, u64 *word, void *ptr, int (*constr)(void *ptr, void *arg),
		  void *arg)
{
	const u64 run_id = p->sidecar->run_id;
	int err;

	err = pobj_word_take(p, word, &run_id, NULL);
	if (err == -EALREADY)
		return ptr;
	if (err) {
		pobj_err_sys(err, "%s: a dead process' volatile value", p->path);
		return NULL;
	}
	err = constr ? constr(ptr, arg) : 0;
	pobj_word_give(word, pobj_word_mine(p), err ? pobj_word_free(p) : run_id, INT_MAX);
	return err ? NULL : ptr;
}

void *pmemobj_volatile(PMEMobjpool *pop, struct pmemvlt *vlt, void *ptr, size_t size,
		       int (*constr)(void *ptr, void *arg), void *arg)
{
	struct pobj_pool *p = pobj_pool_raw(pop);
	u64 *word = (u64 *)&vlt->runid;

	(void)size;	/* for checkers of memory; ours has no such thing */
	if (!pobj_lock_usable(p)) {
		errno = pobj_lock_unusable();
		return NULL;
	}
	if (__builtin_expect(pobj_word_load(word) == p->sidecar->run_id, 1))
		return ptr;
	return make(p, word, ptr, constr, arg);
}
