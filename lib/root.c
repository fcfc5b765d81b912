// SPDX-License-Identifier: BSD-3-Clause
/*
 * The root object: made once, grows by moving.
 *
 * It is a large object with the ROOT flag: a span of whole pages whose line says so, and the root
 * record that names it. Making or moving it changes three or four words in different lines (root
 * offset and size, header of the new line, header of the old one), which go through the lane of
 * the thread together (lib/core/change.c, P5): all or none. Contents, type and size of the new span
 * lie where nothing refers to yet; they are flushed before and become durable in the first round.
 *
 * One at a time, under the pool lock, among all processes. What is only read is read under it,
 * too: between the rounds the words are not yet what they will be after a crash.
 */
#include "lib/core/lane.h"
#include "lib/core/line.h"
#include "lib/errormsg.h"
#include "lib/heap.h"
#include "lib/sidecar.h"
#include "libpmemobj/pool_base.h"

/* What the root record says, decoded. */
struct root {
	u64 off;
	u64 size;
};

static struct root root_read(const struct pobj_pool *p)
{
	const struct pobj_m_root *raw = pobj_media_ptr(&p->media, POBJ_M_ROOT_OFF);
	struct root r = {
		.off = le64_to_cpu(pobj_env_load64(&raw->off)),
		.size = le64_to_cpu(pobj_env_load64(&raw->size)),
	};

	return r;
}

/* The record is hostile input like all media: does it name a span that is a root? */
static int root_check(const struct pobj_pool *p, const struct root *r)
{
	const struct pobj_geom *g = &p->super.geom;
	struct pobj_finding f;
	struct pobj_line l;
	u64 page;

	if (!r->off && !r->size)
		return 0;
	pobj_found(&f, 0, POBJ_DIAG_ROOT, POBJ_M_ROOT_OFF, r->off, 0);
	if (!pobj_geom_in_data(g, r->off) || (r->off - g->data_off) % pobj_geom_page_bytes(g))
		return pobj_err_finding(-EUCLEAN, p->path, &f);
	page = pobj_geom_page_of(g, r->off);
	if (pobj_line_read(&p->media, g, page, &l) || pobj_line_check(g, page, &l, &f) ||
	    l.kind != POBJ_M_LARGE || !(l.flags & POBJ_M_F_ROOT) || l.large_size != r->size)
		return pobj_err_finding(-EUCLEAN, p->path, &f);
	return 0;
}

/* Fill the new span: old contents, zeros, constructor. */
static int root_fill(struct pobj_pool *p, const struct root *old, const struct pobj_spot *spot,
		     pmemobj_constr constructor, void *arg)
{
	char *object = pobj_media_ptr(&p->media, spot->off);
	struct pobj_finding f;

	/* By damaged lines spans overlap: what was free is in the old root. */
	if (old->off < spot->off + spot->size && spot->off < old->off + old->size) {
		pobj_found(&f, 0, POBJ_DIAG_ROOT, POBJ_M_ROOT_OFF, old->off, 0);
		return pobj_err_finding(-EUCLEAN, p->path, &f);
	}
	if (old->size)
		pobj_store_copy(&p->media, object, pobj_media_ptr(&p->media, old->off), old->size);
	pobj_store_fill(&p->media, object + old->size, 0, spot->size - old->size);
	if (constructor && constructor(pobj_pool_pop(p), object, arg))
		return pobj_err(-ECANCELED, "%s: the root's constructor cancelled", p->path);
	pobj_flush(&p->media, object, spot->size);
	return 0;
}

/* persist order P5: contents and old words, then these words, then retirement. */
static int root_move(struct pobj_tlane *tl, const struct root *old, const struct pobj_spot *spot,
		     u64 size)
{
	struct pobj_heap *h = tl->p->heap;
	struct pobj_spot from;
	struct pobj_op op;
	int err;

	pobj_op_begin(&op, tl);
	pobj_op_alloc(&op, spot, POBJ_M_F_ROOT);
	pobj_op_word(&op, POBJ_M_ROOT_OFF + offsetof(struct pobj_m_root, off), spot->off);
	pobj_op_word(&op, POBJ_M_ROOT_OFF + offsetof(struct pobj_m_root, size), size);
	if (old->size) {
		from = (struct pobj_spot){
			.page = pobj_geom_page_of(h->g, old->off), .off = old->off,
			.pages = pobj_geom_pages(h->g, old->size), .idx = POBJ_M_REF_LARGE,
		};
		from.line = pobj_heap_line(h, from.page);
		pobj_op_free(&op, &from);
	}
	err = pobj_op_commit(&op);
	return err ? pobj_err_sys(err, "%s: the root cannot be written", tl->p->path) : 0;
}

/* The span of a root is taken as any large object's; the calling thread's lane covers it. */
static int root_make(struct pobj_pool *p, struct root *r, u64 size, pmemobj_constr constructor,
		     void *arg)
{
	struct pobj_tlane *tl = pobj_tlane_of(pobj_pool_pop(p));
	struct pobj_spot spot;
	int err;

	if (!tl)
		return -errno;
	err = pobj_large_take(tl, size, 0, &spot);
	if (err)
		return pobj_take_failed(p, size, err);
	err = root_fill(p, r, &spot, constructor, arg);
	if (!err)
		err = root_move(tl, r, &spot, size);
	if (err) {
		if (!p->broken)
			pobj_large_cancel(tl, &spot);
		return err;
	}
	pobj_large_settle(tl, &spot);
	r->off = spot.off;
	r->size = size;
	return 0;
}

PMEMoid pmemobj_root_construct(PMEMobjpool *pop, size_t size, pmemobj_constr constructor,
			       void *arg)
{
	struct pobj_pool *p = pobj_pool_of(pop);
	PMEMoid oid = { 0, 0 };
	struct root r;
	int err;

	if (!p || pobj_pool_lock(p))
		return oid;
	r = root_read(p);
	err = root_check(p, &r);
	if (!err && !size && !r.size)
		err = pobj_err(-EINVAL, "%s: there is no root yet, and none of 0 bytes", p->path);
	else if (!err && size > r.size)
		err = root_make(p, &r, size, constructor, arg);
	pobj_pool_unlock(p);
	if (!err) {
		oid.pool_uuid_lo = p->uuid_lo;
		oid.off = r.off;
	}
	return oid;
}

PMEMoid pmemobj_root(PMEMobjpool *pop, size_t size)
{
	return pmemobj_root_construct(pop, size, NULL, NULL);
}

size_t pmemobj_root_size(PMEMobjpool *pop)
{
	struct pobj_pool *p = pobj_pool_of(pop);
	struct root r;

	if (!p || pobj_pool_lock(p))
		return 0;
	r = root_read(p);
	pobj_pool_unlock(p);
	return r.size;
}
