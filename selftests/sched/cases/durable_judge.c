// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a recovered image may be: durable linearizability. Every call that had returned when power
 * was lost is there; each call in flight is there wholly or not at all, whatever became of the
 * other's. The check of the medium finds nothing; each object has one name and holds what it
 * should, and each name is that of an object.
 *
 * When all have ended and a call of the dead was settled by the reaper, everybody has seen how:
 * then an image may hold only what memory holds.
 */
#include <stdio.h>

#include "lib/core/check.h"
#include "lib/core/line.h"
#include "lib/core/recover.h"
#include "selftests/sched/cases/durable.h"

#define OBJECTS	512U
#define CALLS	8U

struct durable_allowed durable_allowed;

static struct object {
	u64 off;
	u64 type;
	u64 size;
} objects[OBJECTS];
static u64 object_cnt;
static struct part part[2];
static char text[256];

/* ---- reading ------------------------------------------------------------------------------ */

static const struct pobj_geom *geom(void)
{
	return &sched_handle(SCHED_REAPER)->super.geom;
}

static u64 table_off(void)
{
	return (u64)hands[SCHED_REAPER]->table - (u64)sched_shared(SCHED_REAPER, 0);
}

static u64 word_at(const struct pobj_media *m, u64 off)
{
	u64 v = 0;

	return m->read(m, &v, off, sizeof(v)) ? ~0ULL : v;
}

static PMEMoid id_at(const struct pobj_media *m, u64 off)
{
	PMEMoid oid = OID_NULL;

	m->read(m, &oid, off, sizeof(oid));
	return oid;
}

static void object_add(u64 off, u64 type, u64 size)
{
	if (object_cnt < OBJECTS)
		objects[object_cnt] = (struct object){ off, type, size };
	object_cnt++;
}

static void slab_read(const struct pobj_media *m, u64 page, const struct pobj_line *l)
{
	u64 type;
	u32 i;

	for (i = 0; i < l->cnt; i++) {
		if (!((l->a[i / 64] ^ l->f[i / 64]) >> i % 64 & 1))
			continue;
		type = l->type;
		if (l->flags & POBJ_M_F_MIXED)
			type = word_at(m, pobj_line_type_off(geom(), page, l, i));
		object_add(pobj_geom_page(geom(), page) + (u64)i * l->size, type, l->size);
	}
}

/* All objects of the user by rising offset. The check has seen all lines right. */
static bool objects_read(const struct pobj_media *m)
{
	const struct pobj_geom *g = geom();
	struct pobj_line l;
	u64 page;

	object_cnt = 0;
	for (page = 0; page < g->page_cnt; page += l.pages) {
		if (pobj_line_read(m, g, page, &l))
			return false;
		if (l.flags & (POBJ_M_F_ROOT | POBJ_M_F_INTERNAL))
			continue;
		if (l.kind == POBJ_M_LARGE)
			object_add(pobj_geom_page(g, page), l.type, l.pages << g->page_shift);
		else if (l.kind == POBJ_M_SLAB)
			slab_read(m, page, &l);
	}
	return object_cnt <= OBJECTS;
}

static const struct object *object_find(u64 off)
{
	u64 i;

	for (i = 0; i < object_cnt && i < OBJECTS; i++) {
		if (objects[i].off == off)
			return &objects[i];
	}
	return NULL;
}

/* ---- the model ---------------------------------------------------------------------------- */

static bool thing_is(const struct pobj_media *m, const struct thing *t, const struct object *o)
{
	u64 at;

	if (o->type != t->type || o->size < t->size || o->size > t->size * 5 / 4 + 255)
		return false;
	for (at = 0; !t->stamp && at + 8 <= t->size; at += 8) {
		if (word_at(m, o->off + at))
			return false;
	}
	return t->stamp == ANY || word_at(m, o->off) == t->stamp;
}

/* Does process @p's part of the table say what the model does? Counts the objects it names. */
static bool part_is(const struct pobj_media *m, u32 p, const struct model *model, u64 *named)
{
	const struct object *o;
	const PMEMoid *d;
	u32 i;

	for (i = 0; i < DESTS; i++) {
		d = &part[p].d[i];
		if (!model->d[i].size) {
			if (d->off || d->pool_uuid_lo) {
				snprintf(text, sizeof(text), "process %u: id %u is not null", p, i);
				return false;
			}
			continue;
		}
		o = object_find(d->off);
		if (!o || !thing_is(m, &model->d[i], o) ||
		    d->pool_uuid_lo != sched_handle(SCHED_REAPER)->uuid_lo) {
			snprintf(text, sizeof(text), "process %u: id %u is 0x%llx, which is %s", p,
				 i, (unsigned long long)d->off,
				 o ? "another object" : "none");
			return false;
		}
		++*named;
	}
	for (i = 0; i < WORDS; i++) {
		if (part[p].word[i] != model->word[i]) {
			snprintf(text, sizeof(text), "process %u: word %u is %llu", p, i,
				 (unsigned long long)part[p].word[i]);
			return false;
		}
	}
	return true;
}

/* Are there @want elements, there and back? */
static bool list_is(const struct pobj_media *m, int64_t want)
{
	const struct thing element = { ELEMENT, TYPE, (u64)TYPE << 32 | ELEMENT };
	const PMEMoid first = id_at(m, table_off() + offsetof(struct table, list.first));
	const struct object *o;
	PMEMoid oid = first, next;
	int64_t i;

	for (i = 0; i < want; i++) {
		o = object_find(oid.off);
		if (!o || !thing_is(m, &element, o))
			return false;
		next = id_at(m, oid.off + ENTRY);
		if (!object_find(next.off) ||
		    id_at(m, next.off + ENTRY + sizeof(PMEMoid)).off != oid.off)
			return false;
		oid = next;
		if (oid.off == first.off ? i < want - 1 : i == want - 1)
			return false;
	}
	return want || !oid.off;
}

/* No two names are the same. */
static bool names_differ(void)
{
	u64 off[2 * DESTS];
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(off); i++) {
		off[i] = part[i / DESTS].d[i % DESTS].off;
		for (k = 0; k < i && off[i]; k++) {
			if (off[k] != off[i])
				continue;
			snprintf(text, sizeof(text), "ids %u and %u are the same", k, i);
			return false;
		}
	}
	return true;
}

/* Do list and number of objects fit to these calls? */
static bool both_are(const struct pobj_media *m, const u64 calls[2], u64 named)
{
	struct model model[2];
	int64_t list;

	model_of(0, calls[0], &model[0]);
	model_of(1, calls[1], &model[1]);
	list = model[0].list + model[1].list;
	if (!list_is(m, list)) {
		snprintf(text, sizeof(text), "the list is not one of %lld elements",
			 (long long)list);
		return false;
	}
	named += 1 + (u64)(list + model[0].loose + model[1].loose);	/* 1: the table */
	if (object_cnt == named)
		return names_differ();
	snprintf(text, sizeof(text), "%llu objects, %llu have names",
		 (unsigned long long)object_cnt, (unsigned long long)named);
	return false;
}

static int problem_tell(void *arg, const struct pobj_finding *f)
{
	(void)arg;
	snprintf(text, sizeof(text), "check at 0x%llx: diagnosis %u, found 0x%llx, not 0x%llx",
		 (unsigned long long)f->off, f->diag, (unsigned long long)f->found,
		 (unsigned long long)f->expected);
	return 1;
}

/* After which calls of both can this image be? A set like @both of struct durable_allowed. */
static u64 calls_of(const struct pobj_media *m)
{
	const struct durable_allowed *a = &durable_allowed;
	u64 named[2][CALLS], calls[2], set = 0;
	bool is[2][CALLS];
	struct pobj_census census;
	struct model model;
	u32 p;

	text[0] = 0;
	if (pobj_check_pool(m, &sched_handle(SCHED_REAPER)->super, &census, problem_tell, NULL))
		return 0;
	if (!objects_read(m)) {
		snprintf(text, sizeof(text), "objects without number");
		return 0;
	}
	for (p = 0; p < 2; p++) {
		m->read(m, &part[p], table_off() + p * sizeof(part[p]), sizeof(part[p]));
		for (calls[p] = a->first[p]; calls[p] <= a->last[p]; calls[p]++) {
			model_of(p, calls[p], &model);
			named[p][calls[p]] = 0;
			is[p][calls[p]] = part_is(m, p, &model, &named[p][calls[p]]);
		}
	}
	for (calls[0] = a->first[0]; calls[0] <= a->last[0]; calls[0]++) {
		for (calls[1] = a->first[1]; calls[1] <= a->last[1]; calls[1]++) {
			if (is[0][calls[0]] && is[1][calls[1]] &&
			    both_are(m, calls, named[0][calls[0]] + named[1][calls[1]]))
				set |= 1ULL << (CALLS * calls[0] + calls[1]);
		}
	}
	return set;
}

/* ---- verdicts ----------------------------------------------------------------------------- */

void durable_allow(void)
{
	struct durable_allowed *a = &durable_allowed;
	u32 p;

	for (p = 0; p < 2; p++) {
		a->first[p] = hands[p]->did;
		a->last[p] = hands[p]->did + (sched_state_of(p) != SCHED_DONE);
		if (a->last[p] >= CALLS)
			abort();
	}
	a->both = ~0ULL;
}

static int image_recover(const struct pobj_media *m)
{
	struct pobj_recovery r;
	struct pobj_finding f;
	struct pobj_super s;

	return pobj_recover_pool(m, &s, &r, &f);
}

static enum power_state image_state(const struct pobj_media *m, int err, const char **why)
{
	u64 set;

	if (err) {
		snprintf(text, sizeof(text), "recovery fails: %d", err);
	} else {
		set = calls_of(m);
		if (set & durable_allowed.both)
			return POWER_NEW;
		if (set)
			snprintf(text, sizeof(text), "a call of the dead is not as others saw it");
	}
	*why = text;
	return POWER_WRONG;
}

static void image_model(struct power_digest *d)
{
	const u64 of[] = {
		(u64)(pair[0] - kinds), (u64)(pair[1] - kinds), durable_bug, pobj_weak_rules,
	};

	*d = digest_words(1, of, ARRAY_SIZE(of));
	digest_add(d, digest_words(2, &durable_allowed, sizeof(durable_allowed) / 8));
}

const struct power_case durable_case = {
	.recover = image_recover, .state = image_state, .model = image_model,
};

const char *durable_judge(void)
{
	static char first[sizeof(power_first)];
	const u64 violations = power_count.violations;
	u32 p;

	for (p = 0; p < 2; p++) {
		if (hands[p]->failed && !pair[0]->full && !pair[1]->full)
			return "an operation failed";
	}
	durable_allow();
	durable_allowed.both = calls_of(durable_media());
	if (!durable_allowed.both)
		return text;
	durable_returned();
	if (power_count.violations == violations)
		return NULL;
	memcpy(first, power_first, sizeof(first));
	power_first[0] = 0;
	return first;
}
