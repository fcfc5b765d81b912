// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: which address spaces use a region, and when they stop.
 *
 * A session is known by (region, mm). It is bound to the files that the mm attached or mapped and
 * ends, once,
 *	by death	the last user of the mm is gone (mmu notifier): all its threads are dead
 *			and store no more, whoever still holds its files
 *	by detach	it unbound its last file, and maps neither data nor sidecar
 *	by close	the same, when the last file was closed. Data mappings hold their file open.
 *			A sidecar mapping does not, it is of the shmem file; so a session that still
 *			maps the sidecar goes on without a file until it dies, or until the next
 *			close or release sweeps it up
 *
 * Whether an mm maps something is read from the mapping (pobjk_mapped_by), not counted: so nothing
 * can be counted wrong, and the sidecar's mappings stay plain shmem mappings.
 *
 * Why there is never a mapping without a session: mmap binds first, with mmap_lock held for
 * writing; detach looks and unbinds with mmap_lock held for reading; the close of a file cannot
 * pass an mmap of it.
 *
 * Who ends a session is decided by an exchange of session->ended, not under region->state, because
 * death may come after another end has dropped the region. The mmu notifier may be called until
 * mmu_notifier_put() and a grace period later; then the session is freed.
 */
#include <linux/atomic.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include "kmod/pobjk.h"
#include "kmod/trace.h"

/* A session uses a file. Both lists are under region->state. */
struct pobjk_bind {
	struct list_head in_session;
	struct list_head in_file;
	struct pobjk_session *session;
	struct pobjk_file *file;
};

static atomic64_t session_last_id = ATOMIC64_INIT(0);
static atomic64_t session_last_sweep = ATOMIC64_INIT(0);

/* Sessions that are not freed: the module must not go before them. */
static atomic_t session_live = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(session_gone);

static void session_put(struct pobjk_session *s)
{
	if (refcount_dec_and_test(&s->ref))
		mmu_notifier_put(&s->mn);
}

static void bind_free(struct pobjk_bind *b)
{
	list_del(&b->in_session);
	list_del(&b->in_file);
	kfree(b);
}

/* ---- end -------------------------------------------------------------------------------- */

/* The caller has won session->ended. */
static void session_unlist(struct pobjk_session *s, enum pobjk_end how)
{
	struct pobjk_region *r = s->region;
	struct file *sidecar = NULL;
	struct pobjk_bind *b, *next;

	spin_lock(&r->state);
	list_del(&s->node);
	list_for_each_entry_safe(b, next, &s->binds, in_session)
		bind_free(b);
	if (how == POBJK_END_DEATH && s->wrote)
		r->tainted = true;
	if (!--r->session_cnt) {
		/* The last one: what the dead left in the lanes, nobody else knows any more. */
		sidecar = r->sidecar;
		r->sidecar = NULL;
		if (r->tainted)
			r->recovered = false;
		r->tainted = false;
	}
	spin_unlock(&r->state);

	trace_pobj_session_end(r, s->id, how);
	if (sidecar)
		fput(sidecar);
	session_put(s);
	pobjk_region_put(r);
}

static bool session_win(struct pobjk_session *s)
{
	return !xchg(&s->ended, 1);
}

/* End @s if it has no file, no mapping, and gets neither meanwhile. Holds its own reference. */
static void session_end_unused(struct pobjk_region *r, struct pobjk_session *s,
			       enum pobjk_end how)
{
	struct file *sidecar = NULL;
	bool end, used;
	u32 seq;

	spin_lock(&r->state);
	used = READ_ONCE(s->ended) || !list_empty(&s->binds);
	seq = s->seq;
	if (!used && r->sidecar)
		sidecar = get_file(r->sidecar);
	spin_unlock(&r->state);

	/* Data cannot be mapped: its mapping would hold a file. */
	if (sidecar) {
		used = pobjk_mapped_by(sidecar->f_mapping, s->mn.mm, NULL);
		fput(sidecar);
	}
	if (used)
		return;
	spin_lock(&r->state);
	/* Won in the lock, so that a bind sees it; a death may have won already. */
	end = list_empty(&s->binds) && s->seq == seq && session_win(s);
	spin_unlock(&r->state);
	if (end)
		session_unlist(s, how);
}

/* End what has neither files nor mappings. */
void pobjk_session_sweep(struct pobjk_region *r)
{
	const u64 sweep = atomic64_inc_return(&session_last_sweep);
	struct pobjk_session *s, *found;

	for (;;) {
		found = NULL;
		spin_lock(&r->state);
		list_for_each_entry(s, &r->sessions, node) {
			if (s->sweep < sweep && !s->ended && list_empty(&s->binds)) {
				s->sweep = sweep;
				refcount_inc(&s->ref);
				found = s;
				break;
			}
		}
		spin_unlock(&r->state);
		if (!found)
			return;
		session_end_unused(r, found, POBJK_END_CLOSE);
		session_put(found);
	}
}

/* The module goes. What is left has no file, it only maps the sidecar. */
void pobjk_session_end_all(struct pobjk_region *r)
{
	struct pobjk_session *s, *found;

	for (;;) {
		found = NULL;
		spin_lock(&r->state);
		list_for_each_entry(s, &r->sessions, node) {
			if (session_win(s)) {
				found = s;
				break;
			}
		}
		spin_unlock(&r->state);
		if (!found)
			break;
		session_unlist(found, POBJK_END_CLOSE);
	}
	/* Deaths that won are on their way. */
	wait_event(session_gone, !READ_ONCE(r->session_cnt));
}

/* mmu_notifier_ops.release: all threads of the mm are dead, its mappings are still there. */
static void session_died(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct pobjk_session *s = container_of(mn, struct pobjk_session, mn);

	if (session_win(s))
		session_unlist(s, POBJK_END_DEATH);
}

static void session_free(struct mmu_notifier *mn)
{
	kfree(container_of(mn, struct pobjk_session, mn));
	atomic_dec(&session_live);
	wake_up_all(&session_gone);
}

static const struct mmu_notifier_ops session_mn_ops = {
	.release	= session_died,
	.free_notifier	= session_free,
};

/* ---- begin ------------------------------------------------------------------------------ */

static struct pobjk_session *session_find(struct pobjk_region *r, struct mm_struct *mm)
{
	struct pobjk_session *s;

	lockdep_assert_held(&r->state);
	list_for_each_entry(s, &r->sessions, node)
		if (s->mn.mm == mm && !READ_ONCE(s->ended))
			return s;
	return NULL;
}

/* A session of the caller that is in no list yet. Takes mmap_lock for writing unless held. */
static struct pobjk_session *session_alloc(struct pobjk_region *r, bool mmap_locked)
{
	struct pobjk_session *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	refcount_set(&s->ref, 1);
	INIT_LIST_HEAD(&s->binds);
	s->region = r;
	s->ended = 1;	/* not begun: death is not ours to handle */
	s->mn.ops = &session_mn_ops;
	atomic_inc(&session_live);
	err = mmap_locked ? __mmu_notifier_register(&s->mn, current->mm) :
			    mmu_notifier_register(&s->mn, current->mm);
	if (err) {
		session_free(&s->mn);
		return ERR_PTR(err);
	}
	return s;
}

static void bind_link(struct pobjk_bind *b, struct pobjk_file *pf, struct pobjk_session *s)
{
	b->file = pf;
	b->session = s;
	list_add(&b->in_session, &s->binds);
	list_add(&b->in_file, &pf->binds);
	s->seq++;
}

static struct pobjk_bind *bind_find(struct pobjk_file *pf, struct mm_struct *mm)
{
	struct pobjk_bind *b;

	lockdep_assert_held(&pf->region->state);
	list_for_each_entry(b, &pf->binds, in_file)
		if (b->session->mn.mm == mm && !READ_ONCE(b->session->ended))
			return b;
	return NULL;
}

/* Bind @pf to the caller's session, which begins if there is none. @id receives its number. */
int pobjk_session_bind(struct pobjk_file *pf, bool mmap_locked, u64 *id)
{
	struct pobjk_region *r = pf->region;
	struct pobjk_session *s, *new = NULL;
	struct pobjk_bind *b;
	bool bound;

	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return -ENOMEM;
	for (;;) {
		spin_lock(&r->state);
		bound = bind_find(pf, current->mm);
		s = session_find(r, current->mm);
		if (!s && new) {
			s = new;
			new = NULL;
			s->id = atomic64_inc_return(&session_last_id);
			s->ended = 0;
			kref_get(&r->ref);
			list_add_tail(&s->node, &r->sessions);
			r->session_cnt++;
		}
		if (s)
			break;
		spin_unlock(&r->state);
		new = session_alloc(r, mmap_locked);
		if (IS_ERR(new)) {
			kfree(b);
			return PTR_ERR(new);
		}
	}
	if (!bound)
		bind_link(b, pf, s);
	*id = s->id;
	spin_unlock(&r->state);

	if (bound)
		kfree(b);
	if (new)
		session_put(new);	/* another thread of this process was faster */
	return pobjk_sidecar_make(r);
}

/* ---- detach and close ------------------------------------------------------------------- */

/* End the use of @pf by the caller's session. Calls must not hold mmap_lock. */
int pobjk_session_detach(struct pobjk_file *pf, struct file *file)
{
	struct pobjk_region *r = pf->region;
	struct mm_struct *mm = current->mm;
	struct pobjk_session *s = NULL;
	struct file *sidecar = NULL;
	struct pobjk_bind *b;
	int err = 0;

	/* No thread of the caller is in the middle of an mmap. */
	if (mmap_read_lock_killable(mm))
		return -EINTR;
	spin_lock(&r->state);
	b = bind_find(pf, mm);
	if (!b)
		err = -ENOENT;
	else if (list_is_singular(&b->session->binds) && r->sidecar)
		sidecar = get_file(r->sidecar);
	spin_unlock(&r->state);

	if (!err && (pobjk_mapped_by(r->inode->i_mapping, mm, file) ||
		     (sidecar && pobjk_mapped_by(sidecar->f_mapping, mm, NULL))))
		err = -EBUSY;
	if (!err) {
		spin_lock(&r->state);
		b = bind_find(pf, mm);
		if (b) {
			s = b->session;
			refcount_inc(&s->ref);
			bind_free(b);
		} else {
			err = -ENOENT;	/* another thread was faster */
		}
		spin_unlock(&r->state);
	}
	mmap_read_unlock(mm);
	if (sidecar)
		fput(sidecar);
	if (s) {
		session_end_unused(r, s, POBJK_END_DETACH);
		session_put(s);
	}
	return err;
}

/* @pf is closed. */
void pobjk_session_unbind_file(struct pobjk_file *pf)
{
	struct pobjk_region *r = pf->region;
	struct pobjk_bind *b, *next;

	spin_lock(&r->state);
	list_for_each_entry_safe(b, next, &pf->binds, in_file)
		bind_free(b);
	spin_unlock(&r->state);
	pobjk_session_sweep(r);
}

/* ---- looking at ------------------------------------------------------------------------- */

/* Number of the session that @mm has; 0 for none. */
u64 pobjk_session_id(struct pobjk_region *r, struct mm_struct *mm)
{
	struct pobjk_session *s;
	u64 id = 0;

	spin_lock(&r->state);
	s = session_find(r, mm);
	if (s)
		id = s->id;
	spin_unlock(&r->state);
	return id;
}

/* Has no other mm a session? */
bool pobjk_session_sole(struct pobjk_region *r, struct mm_struct *mm)
{
	struct pobjk_session *s;

	lockdep_assert_held(&r->state);
	list_for_each_entry(s, &r->sessions, node)
		if (s->mn.mm != mm)
			return false;
	return true;
}

/* @mm, which has a session, gets a mapping that it may write by. */
void pobjk_session_wrote(struct pobjk_region *r, struct mm_struct *mm)
{
	struct pobjk_session *s;

	lockdep_assert_held(&r->state);
	s = session_find(r, mm);
	if (!WARN_ON_ONCE(!s))
		s->wrote = true;
}

/* After the last region is released. */
void pobjk_session_exit(void)
{
	wait_event(session_gone, !atomic_read(&session_live));
	mmu_notifier_synchronize();
}
