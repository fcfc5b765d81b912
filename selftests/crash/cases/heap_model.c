// SPDX-License-Identifier: BSD-3-Clause
/*
 * What the pool should hold, and whether it does. The verdict reads the medium only: all objects
 * that are allocated there must be those of the model, no more (a leak) and no less, the ids must
 * name them, and contents must be whole. An object that the operation under way makes is known by
 * the id that names it, or else by its stamp: where it will be is for the heap to say.
 */
#include "selftests/crash/cases/heap.h"
#include "selftests/crash/engine/digest.h"

#define FOUND_MAX	1024U
#define UNITS_MAX	(1U << 16)	/* of 16 bytes, in all pages */
#define USE_EVERY	97U		/* that many verdicts are followed by a use of the image */

static const u64 dest_at[HEAP_DESTS] = { 64, 64 + 16, 128 - 8, 192 };	/* the third straddles */

#define LIST_AT		256U		/* heads: an id and a mutex each */
#define LIST_BYTES	(sizeof(PMEMoid) + sizeof(PMEMmutex))

struct heap_model heap_before, heap_after;
struct heap_slack heap_slack;
static u64 next_stamp;

/* ---- what is there ----------------------------------------------------------------------- */

/* An allocated object, as the medium says. */
struct found {
	u64 off;
	u64 type;
	u64 size;
};

struct census {
	struct found found[FOUND_MAX];
	u32 cnt;
	struct heap_id survivor[HEAP_SURVIVORS];
	u64 root;
	u64 root_size;
};

static u64 read_word(const struct pobj_media *m, u64 off)
{
	__le64 v;

	m->read(m, &v, off, sizeof(v));
	return le64_to_cpu(v);
}

static void found_add(struct census *c, u64 off, u64 type, u64 size)
{
	if (c->cnt == FOUND_MAX)
		abort();
	c->found[c->cnt++] = (struct found){ off, type, size };
}

static void slab_look(const struct pobj_media *m, const struct pobj_geom *g, u64 page,
		      const struct pobj_line *l, struct census *c)
{
	u32 i;

	for (i = 0; i < l->cnt; i++) {
		if (!((l->a[i / 64] ^ l->f[i / 64]) >> i % 64 & 1))
			continue;
		found_add(c, pobj_geom_page(g, page) + (u64)i * l->size,
			  l->flags & POBJ_M_F_MIXED ?
				  read_word(m, pobj_line_type_off(g, page, l, i)) : l->type,
			  l->size);
	}
}

static void census_take(const struct pobj_media *m, struct census *c)
{
	const struct pobj_geom *g = &tiny_super.geom;
	struct pobj_line l;
	u64 page, at;
	u32 i;

	c->cnt = 0;
	for (page = 0; page < g->page_cnt; page += l.pages) {
		pobj_line_read(m, g, page, &l);
		if (l.kind == POBJ_M_SLAB)
			slab_look(m, g, page, &l, c);
		else if (l.kind == POBJ_M_LARGE && !(l.flags & POBJ_M_F_ROOT))
			found_add(c, pobj_geom_page(g, page), l.type, l.pages << g->page_shift);
	}
	c->root = read_word(m, POBJ_M_ROOT_OFF);
	c->root_size = read_word(m, POBJ_M_ROOT_OFF + sizeof(u64));
	for (i = 0; i < HEAP_SURVIVORS; i++) {
		at = c->root + HEAP_SURVIVOR + i * sizeof(PMEMoid);
		c->survivor[i] = (struct heap_id){ read_word(m, at), read_word(m, at + 8) };
	}
}

/* ---- is it the model? -------------------------------------------------------------------- */

/* Index + 1 of the found object at an offset, 0: none. Emptied after each use. */
static u16 by_unit[UNITS_MAX];

static u32 unit_of(u64 off)
{
	return (u32)((off - tiny_super.geom.data_off) / 16 % UNITS_MAX);
}

static struct found *find(struct census *c, u64 off)
{
	const u32 i = off % 16 || off < tiny_super.geom.data_off ? 0 : by_unit[unit_of(off)];

	return i && c->found[i - 1].off == off ? &c->found[i - 1] : NULL;
}

static bool is_survivors(const struct census *c, u64 off)
{
	u32 i;

	for (i = 0; i < HEAP_SURVIVORS; i++) {
		if (c->survivor[i].off == off)
			return true;
	}
	return false;
}

/* What a survivor allocated is whatever its ids name, and nothing else. */
static const char *survivors_differ(struct census *c, u32 *cnt)
{
	const struct heap_id *id;
	u32 i;

	*cnt = 0;
	for (i = 0; i < HEAP_SURVIVORS; i++) {
		id = &c->survivor[i];
		if (!id->off && !id->uuid)
			continue;
		if (id->uuid != heap_pool->uuid_lo || !find(c, id->off))
			return "a survivor's id names no object";
		++*cnt;
	}
	return NULL;
}

/* The object that the operation made: named by an id, or with its stamp and not in the model. */
static u64 new_object_off(const struct pobj_media *m, const struct heap_model *want,
			  const struct census *c, u32 k)
{
	u32 i, d;

	for (d = 0; d < HEAP_DESTS; d++) {
		if (want->dest[d].off == HEAP_NEW + k)
			return read_word(m, c->root + dest_at[d] + sizeof(u64));
	}
	for (i = 0; i < want->cnt; i++) {
		if (want->obj[i].live && want->obj[i].has_inner && want->obj[i].off < HEAP_NEW &&
		    want->obj[i].inner.off == HEAP_NEW + k)
			return read_word(m, want->obj[i].off + HEAP_INNER + sizeof(u64));
	}
	for (i = 0; i < c->cnt; i++) {
		if (!is_survivors(c, c->found[i].off) &&
		    read_word(m, c->found[i].off) == want->obj[k].stamp)
			return c->found[i].off;
	}
	return 0;
}

static bool id_is(const struct pobj_media *m, u64 at, const struct heap_id *want, const u64 *off)
{
	return read_word(m, at) == want->uuid &&
	       read_word(m, at + sizeof(u64)) ==
		       (want->off >= HEAP_NEW ? off[want->off - HEAP_NEW] : want->off);
}

/* Is the list @l a ring of its objects, in both directions? */
static bool list_is(const struct pobj_media *m, const struct census *c,
		    const struct heap_model *want, u32 l, const u64 *off)
{
	const u32 cnt = want->list_cnt[l];
	struct heap_id id = { heap_pool->uuid_lo, 0 };
	u64 at;
	u32 i;

	at = c->root + LIST_AT + l * LIST_BYTES;
	if (!cnt)
		return !read_word(m, at + sizeof(u64));
	id.off = off[want->list[l][0]];
	if (!id_is(m, at, &id, off))
		return false;
	for (i = 0; i < cnt; i++) {
		at = off[want->list[l][i]] + HEAP_ENTRY;
		id.off = off[want->list[l][(i + 1) % cnt]];
		if (!id_is(m, at, &id, off))
			return false;
		id.off = off[want->list[l][(i + cnt - 1) % cnt]];
		if (!id_is(m, at + sizeof(id), &id, off))
			return false;
	}
	return true;
}

static const char *object_differs(const struct pobj_media *m, const struct heap_object *o, u64 at,
				  const struct found *f, const u64 *off)
{
	if (!f)
		return "an object is not allocated";
	if (f->type != o->type || f->size < o->size)
		return "an object has another type or size";
	if (read_word(m, at) != o->stamp || (o->tail && read_word(m, at + o->tail) != o->stamp))
		return "an object's contents are torn";
	if (o->has_inner && !id_is(m, at + HEAP_INNER, &o->inner, off))
		return "an id within an object is another one";
	return NULL;
}

static u64 word_at(u32 w)
{
	return w < 8 ? w * 8 : w < 14 ? 208 + (w - 8) * 8 : 512 + (w - 14) * 8;
}

static bool word_is(u64 value, const struct heap_model *want, u32 w, bool slack)
{
	return value == want->word[w] ||
	       (slack && heap_slack.words >> w & 1 &&
		(value == heap_before.word[w] || value == heap_after.word[w]));
}

static bool dest_is(const struct pobj_media *m, u64 at, const struct heap_model *want, u32 d,
		    const u64 *off, bool slack)
{
	const bool after = want == &heap_after;
	const struct heap_id *also = after ? heap_slack.after : heap_slack.before;
	u64 i, cnt = after ? heap_slack.after_cnt : heap_slack.before_cnt;

	if (id_is(m, at, &want->dest[d], off))
		return true;
	if (!slack || heap_slack.dest != d)
		return false;
	for (i = 0; i < cnt && !id_is(m, at, &also[i], off); i++)
		;
	return i < cnt;
}

/* @off: filled with where the objects are. @slack: what heap_slack allows is no difference. */
static const char *differs(const struct pobj_media *m, struct census *c,
			   const struct heap_model *want, u64 *off, bool slack)
{
	const struct heap_object *o;
	const char *why;
	u32 i, live = 0, survivors;

	why = survivors_differ(c, &survivors);
	if (why)
		return why;
	if (c->root_size != want->root_size)
		return "the root has another size";
	for (i = 0; i < want->cnt; i++) {
		o = &want->obj[i];
		off[i] = !o->live ? 0 : o->off < HEAP_NEW ? o->off : new_object_off(m, want, c, i);
	}
	for (i = 0; i < want->cnt; i++) {
		if (!want->obj[i].live)
			continue;
		why = object_differs(m, &want->obj[i], off[i], find(c, off[i]), off);
		if (why)
			return why;
		live++;
	}
	if (live != c->cnt - survivors)
		return "an object is allocated that nobody should have";
	for (i = 0; i < HEAP_DESTS; i++) {
		if (!dest_is(m, c->root + dest_at[i], want, i, off, slack))
			return "an id is another one";
	}
	for (i = 0; i < HEAP_WORDS; i++) {
		if (!word_is(read_word(m, c->root + word_at(i)), want, i, slack))
			return "a word is another one";
	}
	for (i = 0; i < HEAP_LISTS; i++) {
		if (!list_is(m, c, want, i, off))
			return "a list is another one";
	}
	return NULL;
}

static void units_fill(const struct census *c, bool fill)
{
	u32 i;

	for (i = 0; i < c->cnt; i++)
		by_unit[unit_of(c->found[i].off)] = fill ? (u16)(i + 1) : 0;
}

enum power_state heap_state(const struct pobj_media *m, int err, const char **why)
{
	static u32 verdicts;
	u64 off[HEAP_OBJECTS], found_off[FOUND_MAX];
	static struct census c;		/* nothing nests in a verdict */
	enum power_state state;
	const char *not_new;
	u32 i;

	*why = err == -ENOTEMPTY ? "a reaper leaves something" : "recovery refused";
	if (err)
		return POWER_WRONG;
	*why = "check finds problems";
	if (!tiny_check(m))
		return POWER_WRONG;
	census_take(m, &c);
	units_fill(&c, true);
	not_new = differs(m, &c, &heap_after, off, false);
	*why = not_new;
	/* What only half-way is allowed is as good as old. */
	state = !not_new ? POWER_NEW :
		!differs(m, &c, &heap_before, off, true) ? POWER_OLD :
		(heap_slack.words || heap_slack.after_cnt) &&
		!differs(m, &c, &heap_after, off, true) ? POWER_OLD : POWER_WRONG;
	units_fill(&c, false);
	if (state == POWER_WRONG || ++verdicts % USE_EVERY)
		return state;
	for (i = 0; i < c.cnt; i++)
		found_off[i] = c.found[i].off;
	*why = heap_use(m, found_off, c.cnt);
	return *why ? POWER_WRONG : state;
}

static void digest_model(struct power_digest *sum, const struct heap_model *w, u64 salt)
{
	digest_add(sum, digest_words(salt, w->obj, w->cnt * sizeof(w->obj[0]) / 8));
	digest_add(sum, digest_words(salt + 1, &w->cnt,
				     (sizeof(*w) - offsetof(struct heap_model, cnt)) / 8));
}

void heap_digest(struct power_digest *d)
{
	*d = (struct power_digest){ 0, 0 };
	digest_model(d, &heap_before, 2);
	digest_model(d, &heap_after, 4);
	digest_add(d, digest_words(6, &heap_slack, sizeof(heap_slack) / 8));
}

/* ---- keeping it -------------------------------------------------------------------------- */

void heap_model_begin(void)
{
	memset(&heap_after, 0, sizeof(heap_after));
	next_stamp = 0;
	if (OID_IS_NULL(pmemobj_root(heap_pop(), HEAP_ROOT)))
		abort();
	heap_after.root_size = HEAP_ROOT;
	heap_slack = (struct heap_slack){ .dest = HEAP_NONE };
	heap_before = heap_after;
}

u32 heap_model_add(u64 size, u64 type, u64 stamp)
{
	struct heap_object *o;
	u32 i;

	for (i = 0; i < heap_after.cnt && heap_after.obj[i].live; i++)
		;
	if (i == HEAP_OBJECTS)
		abort();
	if (i == heap_after.cnt)
		heap_after.cnt++;
	o = &heap_after.obj[i];
	*o = (struct heap_object){
		.off = HEAP_NEW + i, .stamp = stamp, .tail = size - size % 8 - 8, .size = size,
		.type = type, .live = true, .has_inner = size >= 64,
	};
	if (!stamp)
		o->stamp = (next_stamp += 2) << 32 | 1;
	return i;
}

static u64 learnt(u64 off, const u64 *at)
{
	return off >= HEAP_NEW ? at[off - HEAP_NEW] : off;
}

void heap_model_learn(void)
{
	static struct census c;
	u64 off[HEAP_OBJECTS];
	u32 i;

	census_take(&heap_pool->media, &c);
	units_fill(&c, true);
	differs(&heap_pool->media, &c, &heap_after, off, false);
	units_fill(&c, false);
	for (i = 0; i < heap_after.cnt; i++) {
		if (!heap_after.obj[i].live)
			continue;
		heap_after.obj[i].off = off[i];
		heap_after.obj[i].inner.off = learnt(heap_after.obj[i].inner.off, off);
	}
	for (i = 0; i < HEAP_DESTS; i++)
		heap_after.dest[i].off = learnt(heap_after.dest[i].off, off);
}

u64 heap_first_free_page(void)
{
	const struct pobj_geom *g = &tiny_super.geom;
	struct pobj_line l;
	u64 page;

	for (page = 0; page < g->page_cnt; page += l.pages) {
		pobj_line_read(&heap_pool->media, g, page, &l);
		if (pobj_line_is_free(&l))
			break;
	}
	return page;
}

bool heap_model_listed(u32 x)
{
	u32 l, i;

	for (l = 0; l < HEAP_LISTS; l++) {
		for (i = 0; i < heap_after.list_cnt[l]; i++) {
			if (heap_after.list[l][i] == x)
				return true;
		}
	}
	return false;
}

u32 heap_model_at(u64 off)
{
	u32 i;

	for (i = 0; i < heap_after.cnt; i++) {
		if (heap_after.obj[i].live && heap_after.obj[i].off == off)
			return heap_model_listed(i) ? HEAP_NONE : i;
	}
	return HEAP_NONE;
}

u32 heap_model_named(u32 d)
{
	return heap_after.dest[d].uuid == heap_pool->uuid_lo ?
		       heap_model_at(heap_after.dest[d].off) : HEAP_NONE;
}

static u8 *root_now(void)
{
	return (u8 *)heap_pop() + read_word(&heap_pool->media, POBJ_M_ROOT_OFF);
}

PMEMoid *heap_dest(u32 d)
{
	return (PMEMoid *)(root_now() + dest_at[d]);
}

u64 *heap_word(u32 w)
{
	return (u64 *)(root_now() + word_at(w));
}

void *heap_list(u32 l)
{
	return root_now() + LIST_AT + l * LIST_BYTES;
}
