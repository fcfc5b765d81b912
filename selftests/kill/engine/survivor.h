/* SPDX-License-Identifier: BSD-3-Clause */
/* The survivor: how much of an operation happened? Then it goes on, and clears all away. */
#ifndef SELFTESTS_KILL_SURVIVOR_H
#define SELFTESTS_KILL_SURVIVOR_H

#include "selftests/kill/engine/hand.h"

#define OBJECTS	4096

static struct audit_object objects[OBJECTS];

static void model_apply(struct model *m, const struct item *i)
{
	unsigned int n;

	if (i->kind == OBJECT)
		m->d[i->at] = i->thing;
	for (n = 0; i->kind == WORD && n < i->cnt; n++)
		m->word[i->at + n] = i->value;
	if (i->kind == LOOSE)
		m->loose += i->cnt;
	if (i->kind == LIST)
		m->list = i->cnt;
}

static const struct audit_object *object_find(uint64_t off, uint64_t cnt)
{
	uint64_t i;

	for (i = 0; i < cnt; i++) {
		if (objects[i].off == off)
			return &objects[i];
	}
	return NULL;
}

static bool thing_is(const struct thing *t, const struct audit_object *o)
{
	const uint64_t *word = (const uint64_t *)((const char *)me.pop + o->off);
	uint64_t i;

	if (o->type != t->type || o->size < t->size ||
	    o->size > (t->size <= POBJ_CLASS_MAX ? t->size * 5 / 4 + 15 : t->size + 4095))
		return false;
	for (i = 0; !t->stamp && i < t->size / sizeof(*word); i++) {
		if (word[i])
			return false;
	}
	return t->stamp == ANY || *word == t->stamp;
}

/* Are there @want elements, there and back? */
static bool list_is(uint64_t want, uint64_t cnt)
{
	const struct thing element = { ELEMENT, TYPE, STAMP(ELEMENT, TYPE) };
	PMEMoid oid = me.root->list.first;
	const struct audit_object *o;
	const PMEMoid *next, *prev;
	uint64_t i;

	for (i = 0; i < want; i++) {
		o = object_find(oid.off, cnt);
		if (!o || !thing_is(&element, o))
			return false;
		next = (const PMEMoid *)((const char *)me.pop + oid.off + ENTRY);
		if (!object_find(next->off, cnt))
			return false;
		prev = (const PMEMoid *)((const char *)me.pop + next->off + ENTRY) + 1;
		if (!OID_EQUALS(*prev, oid))
			return false;
		oid = *next;
		if (OID_EQUALS(oid, me.root->list.first) != (i == want - 1))
			return false;
	}
	return want || OID_IS_NULL(oid);
}

/* Is the pool as @m says? Else @text says what is not. */
static bool model_holds(const struct model *m, uint64_t cnt, char *text)
{
	const struct audit_object *o;
	uint64_t named = 0;
	unsigned int i, k;

	for (i = 0; i < DESTS; i++) {
		const PMEMoid oid = me.root->d[i];

		if (!m->d[i].size && (oid.off || oid.pool_uuid_lo)) {
			snprintf(text, AUDIT_TEXT, "id %u is not null", i);
			return false;
		}
		if (!m->d[i].size)
			continue;
		o = object_find(oid.off, cnt);
		if (!o || !thing_is(&m->d[i], o) ||
		    oid.pool_uuid_lo != pobj_pool_raw(me.pop)->uuid_lo) {
			snprintf(text, AUDIT_TEXT, "id %u is 0x%llx, which %s", i,
				 (unsigned long long)oid.off,
				 o ? "is another object" : "is none");
			return false;
		}
		named++;
		for (k = 0; k < i; k++) {
			if (me.root->d[k].off == oid.off) {
				snprintf(text, AUDIT_TEXT, "ids %u and %u are the same", i, k);
				return false;
			}
		}
	}
	for (i = 0; i < WORDS; i++) {
		if (me.root->word[i] != m->word[i]) {
			snprintf(text, AUDIT_TEXT, "word %u is %llu", i,
				 (unsigned long long)me.root->word[i]);
			return false;
		}
	}
	if (!list_is(m->list, cnt)) {
		snprintf(text, AUDIT_TEXT, "the list is not one of %llu elements",
			 (unsigned long long)m->list);
		return false;
	}
	named += m->list;
	if (cnt != named + m->loose)
		snprintf(text, AUDIT_TEXT, "%llu objects, ids name %llu", (unsigned long long)cnt,
			 (unsigned long long)named);
	return cnt == named + m->loose;
}

/* How many of the operation's calls happened? -1: none of the answers fits. */
static int op_outcome(const struct op *op, char text[AUDIT_TEXT], unsigned int *groups)
{
	const uint64_t cnt = audit_objects(me.pop, objects, OBJECTS);
	struct model m = stage->before;
	unsigned int g, i;
	int outcome = -1;

	*groups = 0;
	for (i = 0; i < OPS_ITEMS && op->item[i].kind; i++)
		*groups = op->item[i].group + 1;
	for (g = 0; outcome < 0; g++) {
		if (model_holds(&m, cnt, text))
			outcome = (int)g;
		if (g == *groups)
			break;
		for (i = 0; i < OPS_ITEMS; i++) {
			if (op->item[i].kind && op->item[i].group == g)
				model_apply(&m, &op->item[i]);
		}
	}
	return outcome;
}

/* Work on at destination 0, which the dead was about to change. */
static void go_on(void)
{
	uint64_t size = 64;
	unsigned int i;

	if (!OID_IS_NULL(me.root->d[0])) {
		size = pmemobj_alloc_usable_size(me.root->d[0]);
		drop(&me, 0);
	}
	for (i = 0; i < 3; i++)
		put(&me, i, size);
	drop(&me, 1);
	put(&me, 1, size);
	list_add(&me);
	list_drop(&me);
	for (i = 0; i < 3; i++)
		drop(&me, i);
}

/* Free all objects, give back all slabs. */
static void clean(void)
{
	const uint64_t cnt = audit_objects(me.pop, objects, OBJECTS);
	PMEMoid oid;
	uint64_t i;

	for (i = 0; i < cnt; i++) {
		oid = (PMEMoid){ pobj_pool_raw(me.pop)->uuid_lo, objects[i].off };
		pmemobj_free(&oid);
	}
	hand_clear(&me);
	pobj_heap_squeeze(pobj_tlane_of(me.pop));
	memset(&stage->before, 0, sizeof(stage->before));
}

#endif
