// SPDX-License-Identifier: BSD-3-Clause
/*
 * Lists of objects: circular, doubly linked, with a head in the pool. An operation is all or
 * nothing: everything it changes, the words of neighbours and head and the state of an object
 * that it makes or frees, is one change of the log (lib/core/change.c P5), three fence rounds in
 * all.
 *
 *	head	{first}, PMEMmutex	first is null: the list is empty
 *	entry	{next}, {prev}		pe_offset bytes into the object; around the circle
 *
 * An operation is worked out on the side first: struct edit holds the words as they shall be,
 * reads see them before they see the pool. Only words that differ from the pool's are logged: of
 * an id this is mostly the offset, because all elements are in one pool. The entry of a new
 * object is part of its contents: stored before anything refers to it, durable in the first
 * round, not logged.
 *
 * Changes of one list come one after the other, under its head's mutex; a move takes two, in the
 * order of their addresses. A constructor runs before: it may use any list, this one as well.
 *
 * What stands in head and entries is the caller's, and is not believed: an id that leads out of
 * the pool's data, or an element whose neighbours do not know it, is EINVAL, and nothing is
 * changed.
 */
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "libpmemobj/lists_atomic_base.h"
#include "libpmemobj/thread.h"

#define NEXT		0U
#define PREV		((u64)sizeof(PMEMoid))
#define ENTRY_BYTES	(2 * sizeof(PMEMoid))
#define HEAD_LOCK	sizeof(PMEMoid)
#define HEAD_BYTES	(sizeof(PMEMoid) + sizeof(PMEMmutex))

/* Ids that an operation may touch: a move has two entries, four neighbours and two heads. */
#define EDIT_IDS	10U
#define EDIT_WORDS	(2 * EDIT_IDS)

/**
 * struct edit - words as they shall be
 * @tl: lane of the operation
 * @p: the pool; its ids are all that can be here
 * @cnt: words so far
 * @word: each once
 */
struct edit {
	struct pobj_tlane *tl;
	struct pobj_pool *p;
	u32 cnt;
	struct {
		u64 off;
		u64 value;
	} word[EDIT_WORDS];
};

/* A list, as an operation sees it: offset of the head, and where entries are in elements. */
struct list {
	u64 head;
	u64 pe;
};

/* Where to insert; @dest: offset of the element, 0: none, then @before means the head. */
struct where {
	u64 dest;
	bool before;
};

/* ---- ids, seen through the edit ---------------------------------------------------------- */

static u64 word_get(const struct edit *e, u64 off)
{
	u32 i;

	for (i = 0; i < e->cnt; i++) {
		if (e->word[i].off == off)
			return e->word[i].value;
	}
	return le64_to_cpu(pobj_env_load64(pobj_media_ptr(&e->p->media, off)));
}

static void word_set(struct edit *e, u64 off, u64 value)
{
	u32 i;

	for (i = 0; i < e->cnt && e->word[i].off != off; i++)
		;
	e->word[i].off = off;
	e->word[i].value = value;
	if (i == e->cnt)
		e->cnt++;
}

/* Make the id at @at that of the element @elm; 0: null. Off, then uuid: also in the log. */
static void id_set(struct edit *e, u64 at, u64 elm)
{
	word_set(e, at + offsetof(PMEMoid, off), elm);
	word_set(e, at + offsetof(PMEMoid, pool_uuid_lo), elm ? e->p->uuid_lo : 0);
}

/* May the words of [@off, @off + @bytes) be set? They lie in two pages at most. */
static bool range_ok(const struct edit *e, u64 off, u64 bytes)
{
	return pobj_word_ok(e->p->heap, off) &&
	       pobj_word_ok(e->p->heap, off + bytes - sizeof(u64));
}

/* Has the element at @elm an entry that can be? Neither sum goes around the end of u64. */
static bool entry_ok(const struct edit *e, u64 elm, u64 pe)
{
	return elm <= e->p->media.size && pe <= e->p->media.size &&
	       range_ok(e, elm + pe, ENTRY_BYTES);
}

/* Element that the id at @at names, 0 for the null id. 0 or -EINVAL. */
static int id_get(const struct edit *e, u64 at, u64 pe, u64 *elm)
{
	*elm = word_get(e, at + offsetof(PMEMoid, off));
	if (*elm && (word_get(e, at + offsetof(PMEMoid, pool_uuid_lo)) != e->p->uuid_lo ||
		     !entry_ok(e, *elm, pe)))
		return pobj_err(-EINVAL,
				"%s: the id at 0x%llx of a list leads to no element of the pool",
				e->p->path, (unsigned long long)at);
	return 0;
}

/* ---- lists, seen through the edit -------------------------------------------------------- */

/* Neighbours of @elm, which must know it, so that nothing else is torn apart. */
static int neighbours(const struct edit *e, const struct list *l, u64 elm, u64 *prev, u64 *next)
{
	u64 back, forth;
	int err;

	err = id_get(e, elm + l->pe + NEXT, l->pe, next);
	if (!err)
		err = id_get(e, elm + l->pe + PREV, l->pe, prev);
	if (err)
		return err;
	if (*next && *prev) {
		err = id_get(e, *next + l->pe + PREV, l->pe, &back);
		if (!err)
			err = id_get(e, *prev + l->pe + NEXT, l->pe, &forth);
		if (err)
			return err;
		if (back == elm && forth == elm)
			return 0;
	}
	return pobj_err(-EINVAL, "%s: the object at 0x%llx is in no list by its entry at %llu",
			e->p->path, (unsigned long long)elm, (unsigned long long)l->pe);
}

/* Take @elm out. Its own entry is left as it is. 0 or -EINVAL. */
static int edit_unlink(struct edit *e, const struct list *l, u64 elm)
{
	u64 prev, next, first;
	int err;

	err = id_get(e, l->head, l->pe, &first);
	if (!err)
		err = neighbours(e, l, elm, &prev, &next);
	if (err)
		return err;
	if (!first || (next == elm && first != elm))
		return pobj_err(-EINVAL, "%s: the object at 0x%llx is not in the list at 0x%llx",
				e->p->path, (unsigned long long)elm, (unsigned long long)l->head);
	if (next == elm) {
		id_set(e, l->head, 0);
		return 0;
	}
	id_set(e, prev + l->pe + NEXT, next);
	id_set(e, next + l->pe + PREV, prev);
	if (first == elm)
		id_set(e, l->head, next);
	return 0;
}

/* The same, and null its entry. */
static int edit_remove(struct edit *e, const struct list *l, u64 elm)
{
	int err = edit_unlink(e, l, elm);

	if (err)
		return err;
	id_set(e, elm + l->pe + NEXT, 0);
	id_set(e, elm + l->pe + PREV, 0);
	return 0;
}

/*
 * Find between which elements an object comes, and whether it will be the first. An empty list:
 * both 0. 0 or -EINVAL.
 */
static int find_gap(const struct edit *e, const struct list *l, const struct where *w, u64 *left,
		    u64 *right, bool *is_first)
{
	u64 first, dest = w->dest;
	int err;

	err = id_get(e, l->head, l->pe, &first);
	if (err)
		return err;
	*left = 0;
	*right = 0;
	*is_first = true;
	if (!dest && !first)
		return 0;
	if (!first)
		return pobj_err(-EINVAL, "%s: the list at 0x%llx is empty, so dest is not in it",
				e->p->path, (unsigned long long)l->head);
	/* The end is before the first one, around the circle. */
	*is_first = w->before && (!dest || dest == first);
	if (!dest)
		dest = first;
	err = neighbours(e, l, dest, left, right);
	if (err)
		return err;
	if (w->before || !w->dest)
		*right = dest;
	else
		*left = dest;
	return 0;
}

/* Link neighbours and head to @elm. */
static void edit_link(struct edit *e, const struct list *l, u64 elm, u64 left, u64 right,
		      bool is_first)
{
	if (left) {
		id_set(e, left + l->pe + NEXT, elm);
		id_set(e, right + l->pe + PREV, elm);
	}
	if (is_first)
		id_set(e, l->head, elm);
}

/* Insert @elm, which is not new: its entry is logged like the rest. 0 or -EINVAL. */
static int edit_insert(struct edit *e, const struct list *l, const struct where *w, u64 elm)
{
	u64 left, right;
	bool is_first;
	int err;

	if (w->dest == elm)
		return pobj_err(-EINVAL, "%s: an object cannot be inserted beside itself",
				e->p->path);
	err = find_gap(e, l, w, &left, &right, &is_first);
	if (err)
		return err;
	id_set(e, elm + l->pe + NEXT, right ? right : elm);
	id_set(e, elm + l->pe + PREV, left ? left : elm);
	edit_link(e, l, elm, left, right, is_first);
	return 0;
}

/* ---- from edit to operation -------------------------------------------------------------- */

/* Add those words that change to @op. */
static void edit_add(const struct edit *e, struct pobj_op *op)
{
	const __le64 *at;
	u32 i;

	for (i = 0; i < e->cnt; i++) {
		at = pobj_media_ptr(&e->p->media, e->word[i].off);
		if (le64_to_cpu(pobj_env_load64(at)) != e->word[i].value)
			pobj_op_word(op, e->word[i].off, e->word[i].value);
	}
}

/* Commit @op. 0 or -errno with the message. */
static int op_commit(const struct edit *e, struct pobj_op *op)
{
	const int err = pobj_op_commit(op);

	if (err == -ENOMEM)
		return pobj_err(err, "%s: no room for the log of a list operation", e->p->path);
	return err ? pobj_err_sys(err, "%s: a list cannot be written", e->p->path) : 0;
}

/* Make the edit happen. 0 or -errno with the message. */
static int edit_commit(const struct edit *e)
{
	struct pobj_op op;

	pobj_op_begin(&op, e->tl);
	edit_add(e, &op);
	return op_commit(e, &op);
}

/* The same, and free the element @elm, which is no other list's business then. */
static int edit_commit_free(const struct edit *e, u64 elm)
{
	struct pobj_spot spot;
	struct pobj_op op;

	if (pobj_object_at(e->p->heap, e->tl, elm, &spot) || spot.root)
		return pobj_err(-EINVAL, "%s: there is no object at 0x%llx to be freed", e->p->path,
				(unsigned long long)elm);
	pobj_op_begin(&op, e->tl);
	edit_add(e, &op);
	pobj_op_free(&op, &spot);
	return op_commit(e, &op);
}

/*
 * The same with a new object, whose entry names @left and @right. It is stored directly: nothing
 * refers to the object yet. Durable in the first round of the commit, before any change.
 */
static int edit_commit_new(const struct edit *e, const struct list *l,
			   const struct pobj_spot *spot, u64 left, u64 right)
{
	const struct pobj_media *m = e->tl->log.m;
	__le64 *entry = pobj_media_ptr(m, spot->off + l->pe);
	struct pobj_op op;

	pobj_store64(m, &entry[0], e->p->uuid_lo);
	pobj_store64(m, &entry[1], right ? right : spot->off);
	pobj_store64(m, &entry[2], e->p->uuid_lo);
	pobj_store64(m, &entry[3], left ? left : spot->off);
	pobj_flush(m, entry, ENTRY_BYTES);
	pobj_op_begin(&op, e->tl);
	edit_add(e, &op);
	pobj_op_alloc(&op, spot, 0);
	return op_commit(e, &op);
}

/* ---- what callers give ------------------------------------------------------------------- */

/* Begin an operation on @pop. 0 or -errno with the message. */
static int edit_begin(struct edit *e, PMEMobjpool *pop)
{
	if (!pobj_pool_of(pop))
		return -errno;
	e->tl = pobj_tlane_of(pop);
	if (!e->tl)
		return -errno;
	e->p = e->tl->p;
	e->cnt = 0;
	return 0;
}

/* The list with @head and entries at @pe. 0 or -EINVAL. */
static int list_of(const struct edit *e, const void *head, size_t pe, struct list *l)
{
	l->head = (u64)((uintptr_t)head - (uintptr_t)e->p->media.base);
	l->pe = pe;
	if (!range_ok(e, l->head, HEAD_BYTES))
		return pobj_err(-EINVAL, "%s: at %p there can be no head of a list of this pool",
				e->p->path, head);
	return 0;
}

/* Offset of the element @oid. 0 or -EINVAL. */
static int element_of(const struct edit *e, PMEMoid oid, const struct list *l, u64 *elm)
{
	*elm = oid.off;
	if (OID_IS_NULL(oid))
		return pobj_err(-EINVAL, "%s: the null id cannot be an element of a list",
				e->p->path);
	if (oid.pool_uuid_lo != e->p->uuid_lo)
		return pobj_err(-EINVAL, "%s: an element of a list is of another pool", e->p->path);
	if (!entry_ok(e, *elm, l->pe))
		return pobj_err(-EINVAL, "%s: an object at 0x%llx cannot have an entry at %llu",
				e->p->path, (unsigned long long)*elm, (unsigned long long)l->pe);
	return 0;
}

/* Where @dest and @before say. 0 or -EINVAL. */
static int where_of(const struct edit *e, PMEMoid dest, int before, const struct list *l,
		    struct where *w)
{
	w->before = before != 0;
	w->dest = 0;
	return OID_IS_NULL(dest) ? 0 : element_of(e, dest, l, &w->dest);
}

static PMEMmutex *list_mutex(const struct edit *e, u64 head)
{
	return pobj_media_ptr(&e->p->media, head + HEAD_LOCK);
}

/* Lock the list at @head. 0 or -errno with the message. */
static int list_lock(const struct edit *e, u64 head)
{
	int err = pmemobj_mutex_lock(pobj_pool_pop(e->p), list_mutex(e, head));

	return err ? pobj_err_sys(-err, "%s: the lock of the list at 0x%llx", e->p->path,
				  (unsigned long long)head) : 0;
}

static void list_unlock(const struct edit *e, u64 head)
{
	pmemobj_mutex_unlock(pobj_pool_pop(e->p), list_mutex(e, head));
}

/* Lock two lists, which may be one. */
static int lists_lock(const struct edit *e, u64 a, u64 b)
{
	const u64 low = a < b ? a : b;
	const u64 high = a < b ? b : a;
	int err;

	err = list_lock(e, low);
	if (err || low == high)
		return err;
	err = list_lock(e, high);
	if (err)
		list_unlock(e, low);
	return err;
}

static void lists_unlock(const struct edit *e, u64 a, u64 b)
{
	list_unlock(e, a);
	if (a != b)
		list_unlock(e, b);
}

/* ---- API --------------------------------------------------------------------------------- */

/*
 * All are thread-safe, among processes as well, and durable at return. 0, or -1 (OID_NULL) with
 * errno, and nothing is changed:
 *	EINVAL	head, dest or oid are null or not of this pool, or not in the list
 *	ENOMEM	no room for the object or for the log
 *	EAGAIN	all lanes of the pool are taken by live threads
 *	EIO	the medium could not be written: the pool is to be closed
 */
int pmemobj_list_insert(PMEMobjpool *pop, size_t pe_offset, void *head, PMEMoid dest, int before,
			PMEMoid oid)
{
	struct where w;
	struct edit e;
	struct list l;
	u64 elm;
	int err;

	err = edit_begin(&e, pop);
	if (!err)
		err = list_of(&e, head, pe_offset, &l);
	if (!err)
		err = element_of(&e, oid, &l, &elm);
	if (!err)
		err = where_of(&e, dest, before, &l, &w);
	if (!err)
		err = list_lock(&e, l.head);
	if (err)
		return -1;
	err = edit_insert(&e, &l, &w, elm);
	if (!err)
		err = edit_commit(&e);
	list_unlock(&e, l.head);
	return err ? -1 : 0;
}

/* Under the lock: insert the object @spot, which is filled. */
static int insert_new(struct edit *e, const struct list *l, const struct where *w,
		      const struct pobj_spot *spot)
{
	u64 left, right;
	bool is_first;
	int err;

	err = find_gap(e, l, w, &left, &right, &is_first);
	if (err)
		return err;
	edit_link(e, l, spot->off, left, right, is_first);
	return edit_commit_new(e, l, spot, left, right);
}

/* Also ECANCELED: the constructor returned non-zero. */
PMEMoid pmemobj_list_insert_new(PMEMobjpool *pop, size_t pe_offset, void *head, PMEMoid dest,
				int before, size_t size, uint64_t type_num,
				pmemobj_constr constructor, void *arg)
{
	struct pobj_spot spot;
	struct where w;
	struct edit e;
	struct list l;
	int err;

	err = edit_begin(&e, pop);
	if (!err)
		err = list_of(&e, head, pe_offset, &l);
	if (!err)
		err = where_of(&e, dest, before, &l, &w);
	if (!err && (size < ENTRY_BYTES || pe_offset > size - ENTRY_BYTES || pe_offset % 8))
		err = pobj_err(-EINVAL, "%s: an object of %zu bytes cannot have an entry at %zu",
			       e.p->path, size, pe_offset);
	if (err)
		return OID_NULL;
	err = pobj_take(e.tl, size, type_num, false, &spot);
	if (err) {
		pobj_take_failed(e.p, size, err);
		return OID_NULL;
	}
	if (constructor && constructor(pop, pobj_media_ptr(&e.p->media, spot.off), arg))
		err = pobj_err(-ECANCELED, "%s: the constructor cancelled", e.p->path);
	if (!err)
		err = list_lock(&e, l.head);
	if (!err) {
		err = insert_new(&e, &l, &w, &spot);
		list_unlock(&e, l.head);
	}
	/* After a write that failed nobody can tell what it is: the pool is to be closed. */
	if (!e.p->broken)
		pobj_settle(e.tl, &spot, err);
	return err ? OID_NULL : (PMEMoid){ e.p->uuid_lo, spot.off };
}

/* Beside itself in one list: it stays where it is. */
static int move(struct edit *e, const struct list *from, const struct list *to,
		const struct where *w, u64 elm)
{
	const bool stays = w->dest == elm && from->head == to->head && from->pe == to->pe;
	int err;

	err = edit_remove(e, from, elm);
	if (err || stays)
		return err;
	err = edit_insert(e, to, w, elm);
	return err ? err : edit_commit(e);
}

int pmemobj_list_move(PMEMobjpool *pop, size_t pe_old_offset, void *head_old,
		      size_t pe_new_offset, void *head_new, PMEMoid dest, int before,
		      PMEMoid oid)
{
	struct list from, to;
	struct where w;
	struct edit e;
	u64 elm;
	int err;

	err = edit_begin(&e, pop);
	if (!err)
		err = list_of(&e, head_old, pe_old_offset, &from);
	if (!err)
		err = list_of(&e, head_new, pe_new_offset, &to);
	if (!err)
		err = element_of(&e, oid, &from, &elm);
	if (!err)
		err = element_of(&e, oid, &to, &elm);
	if (!err)
		err = where_of(&e, dest, before, &to, &w);
	if (!err)
		err = lists_lock(&e, from.head, to.head);
	if (err)
		return -1;
	err = move(&e, &from, &to, &w, elm);
	lists_unlock(&e, from.head, to.head);
	return err ? -1 : 0;
}

int pmemobj_list_remove(PMEMobjpool *pop, size_t pe_offset, void *head, PMEMoid oid, int free)
{
	struct edit e;
	struct list l;
	u64 elm;
	int err;

	err = edit_begin(&e, pop);
	if (!err)
		err = list_of(&e, head, pe_offset, &l);
	if (!err)
		err = element_of(&e, oid, &l, &elm);
	if (!err)
		err = list_lock(&e, l.head);
	if (err)
		return -1;
	err = free ? edit_unlink(&e, &l, elm) : edit_remove(&e, &l, elm);
	if (!err)
		err = free ? edit_commit_free(&e, elm) : edit_commit(&e);
	list_unlock(&e, l.head);
	return err ? -1 : 0;
}
