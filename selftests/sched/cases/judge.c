// SPDX-License-Identifier: BSD-3-Clause
/*
 * What must be true when all have ended and the dead are reaped:
 *
 *	what is shared is as selftests/lib/audit.h says
 *	each call that returned happened, one that a kill cut off happened wholly or not at all
 *	each object has one name, and what it should hold
 *	a survivor gets all room that is left, once; and when all is freed, the whole pool
 */
#include <errno.h>
#include <stdio.h>

#include "selftests/lib/audit.h"
#include "selftests/sched/cases/cases.h"

#define OBJECTS	2048U

static struct audit_object objects[OBJECTS];
static u64 object_cnt;
static char text[512];
static const char *wrong;

/* ---- the model --------------------------------------------------------------------------- */

void model_of(u32 p, u64 calls, struct model *m)
{
	const struct item *i;
	u32 k;
	int n;

	*m = before[p];
	for (k = 0; k < ITEMS && pair[p]->item[k].kind; k++) {
		i = &pair[p]->item[k];
		if (i->call >= calls)
			continue;
		if (i->kind == OBJECT)
			m->d[i->at] = i->thing;
		for (n = 0; i->kind == WORD && n < i->cnt; n++)
			m->word[i->at + (u32)n] = i->value;
		if (i->kind == LOOSE)
			m->loose += i->cnt;
		if (i->kind == LIST)
			m->list += i->cnt;
	}
}

static const struct audit_object *object_find(u64 off)
{
	u64 i;

	for (i = 0; i < object_cnt; i++) {
		if (objects[i].off == off)
			return &objects[i];
	}
	return NULL;
}

static bool thing_is(const struct thing *t, const struct audit_object *o)
{
	const u64 *word = sched_shared(sched_self(), o->off);
	u64 i;

	if (o->type != t->type || o->size < t->size || o->size > t->size * 5 / 4 + 255)
		return false;
	for (i = 0; !t->stamp && i < t->size / sizeof(*word); i++) {
		if (word[i])
			return false;
	}
	return t->stamp == ANY || *word == t->stamp;
}

static const struct table *the_table(void)
{
	return sched_shared(sched_self(), (u64)hands[SCHED_REAPER]->table -
			    (u64)sched_shared(SCHED_REAPER, 0));
}

/* Does process @p's part of the table say what the model does? Counts the objects it names. */
static bool part_is(u32 p, const struct model *m, u64 *named)
{
	const struct part *part = &the_table()->part[p];
	const struct audit_object *o;
	u32 i;

	for (i = 0; i < DESTS; i++) {
		if (!m->d[i].size) {
			if (part->d[i].off || part->d[i].pool_uuid_lo) {
				snprintf(text, sizeof(text), "process %u: id %u is not null", p, i);
				return false;
			}
			continue;
		}
		o = object_find(part->d[i].off);
		if (!o || !thing_is(&m->d[i], o) ||
		    part->d[i].pool_uuid_lo != sched_handle(sched_self())->uuid_lo) {
			snprintf(text, sizeof(text), "process %u: id %u is 0x%llx, which %s", p, i,
				 (unsigned long long)part->d[i].off,
				 o ? "is another object" : "is none");
			return false;
		}
		++*named;
	}
	for (i = 0; i < WORDS; i++) {
		if (part->word[i] != m->word[i]) {
			snprintf(text, sizeof(text), "process %u: word %u is %llu", p, i,
				 (unsigned long long)part->word[i]);
			return false;
		}
	}
	return true;
}

/* Are there @want elements, there and back? */
static bool list_is(int64_t want)
{
	const struct thing element = { ELEMENT, TYPE, (u64)TYPE << 32 | ELEMENT };
	const PMEMoid first = the_table()->list.first;
	const struct audit_object *o;
	const PMEMoid *next, *prev;
	PMEMoid oid = first;
	int64_t i;

	for (i = 0; i < want; i++) {
		o = object_find(oid.off);
		if (!o || !thing_is(&element, o))
			return false;
		next = sched_shared(sched_self(), oid.off + ENTRY);
		if (!object_find(next->off))
			return false;
		prev = (PMEMoid *)sched_shared(sched_self(), next->off + ENTRY) + 1;
		if (prev->off != oid.off)
			return false;
		oid = *next;
		if (oid.off == first.off ? i < want - 1 : i == want - 1)
			return false;
	}
	return want || !oid.off;
}

/* No two names are the same. */
static bool names_differ(void)
{
	const struct table *t = the_table();
	u64 off[2 * DESTS];
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(off); i++) {
		off[i] = t->part[i / DESTS].d[i % DESTS].off;
		for (k = 0; k < i && off[i]; k++) {
			if (off[k] != off[i])
				continue;
			snprintf(text, sizeof(text), "ids %u and %u are the same", i, k);
			return false;
		}
	}
	return true;
}

/* How many calls of its operation can have happened? From the first up to *@last. */
static u32 calls_of(u32 p, u32 *last)
{
	*last = hands[p]->did + (sched_state_of(p) == SCHED_DEAD);
	return hands[p]->did;
}

static bool model_holds(void)
{
	u32 calls[2], first[2], last[2], p;
	struct model m[2];
	u64 named;

	for (p = 0; p < 2; p++)
		first[p] = calls_of(p, &last[p]);
	for (calls[0] = first[0]; calls[0] <= last[0]; calls[0]++) {
		for (calls[1] = first[1]; calls[1] <= last[1]; calls[1]++) {
			named = 1;		/* the table */
			for (p = 0; p < 2; p++)
				model_of(p, calls[p], &m[p]);
			if (!part_is(0, &m[0], &named) || !part_is(1, &m[1], &named))
				continue;
			if (!list_is(m[0].list + m[1].list)) {
				snprintf(text, sizeof(text), "the list is not one of %lld elements",
					 (long long)(m[0].list + m[1].list));
				continue;
			}
			named += (u64)(m[0].list + m[1].list + m[0].loose + m[1].loose);
			if (object_cnt == named)
				return names_differ();
			snprintf(text, sizeof(text), "%llu objects, %llu have names",
				 (unsigned long long)object_cnt, (unsigned long long)named);
		}
	}
	return false;
}

/* ---- the survivor ------------------------------------------------------------------------- */

static PMEMobjpool *pop_of(u32 p)
{
	return pobj_pool_pop(sched_handle(p));
}

static bool is_open(u32 p)
{
	return pobj_pool_of(pop_of(p)) && sched_handle(p)->session;
}

static bool audit_is_clean(const char *when)
{
	struct audit a;

	if (!audit_pool(pop_of(sched_self()), &a))
		return true;
	snprintf(text, sizeof(text), "%s: %s", when, a.text);
	wrong = text;
	return false;
}

static void others_close(u32 self)
{
	u32 p;

	for (p = 0; p < SCHED_PROCS; p++) {
		if (p != self && sched_state_of(p) != SCHED_DEAD)
			sched_as(p, judge_close);
	}
}

void judge_close(u32 p)
{
	if (is_open(p))
		pmemobj_close(pop_of(p));
}

/* Free all: the whole pool must be there again. */
static void empty(u32 self)
{
	PMEMobjpool *pop = pop_of(self);
	struct audit a;
	PMEMoid oid;
	u64 i, root;

	object_cnt = audit_objects(pop, objects, OBJECTS);
	for (i = 0; i < object_cnt; i++) {
		oid = (PMEMoid){ sched_handle(self)->uuid_lo, objects[i].off };
		pmemobj_free(&oid);
		if (oid.off) {
			wrong = "an object cannot be freed";
			return;
		}
	}
	pobj_heap_squeeze(pobj_tlane_of(pop));
	pobj_heap_squeeze(pobj_tlane_of(pop));
	root = pobj_geom_pages(sched_handle(self)->heap->g, pmemobj_root_size(pop));
	if (audit_pool(pop, &a) || a.objects || a.slabs || a.larges != 1 ||
	    a.used != a.logs + root) {
		snprintf(text, sizeof(text), "all is freed, and %s%llu slabs, %llu pages are left",
			 a.text, (unsigned long long)a.slabs,
			 (unsigned long long)(a.used - a.logs - root));
		wrong = text;
	}
}

static void survive(u32 self)
{
	if (!is_open(self))
		pool_open(self);
	object_cnt = audit_objects(pop_of(self), objects, OBJECTS);
	if (!audit_is_clean("at the end"))
		return;
	text[0] = 0;
	if (!model_holds()) {
		wrong = text;
		return;
	}
	others_close(self);
	/* One that had an operation may have reservations, and keep their slabs. */
	if (self != SCHED_REAPER) {
		pool_close(self);
		pool_open(self);
	}
	if (!audit_is_clean("when others have closed"))
		return;
	if (audit_fill(pop_of(self), SMALL, TYPE, text) < 0) {
		wrong = text;
		return;
	}
	empty(self);
}

const char *judge(void)
{
	u32 p, self;

	wrong = NULL;
	for (p = 0; p < 2; p++) {
		if (hands[p]->failed && !(hands[p]->failed == ENOMEM &&
					  (pair[0]->full || pair[1]->full))) {
			snprintf(text, sizeof(text), "process %u: %s", p,
				 strerror(hands[p]->failed));
			return text;
		}
	}
	for (self = SCHED_REAPER; sched_state_of(self) == SCHED_DEAD; self = (self + 1) % 3)
		;
	sched_as(self, survive);
	return wrong;
}

u64 judge_tag(void)
{
	return (hands[0]->did * 8 + hands[1]->did) * 65536 +
	       (u64)hands[0]->failed * 256 + (u64)hands[1]->failed;
}
