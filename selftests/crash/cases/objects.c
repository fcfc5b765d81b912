// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Objects of a slab through a lane's log: every sequence of up to three operations over four
 * destinations (two in one line, one that straddles lines, one alone), with what a caller may do
 * between them. After each recovery every bit and every destination must be as before or after the
 * operation, contents included.
 */
#include "lib/core/object.h"
#include "selftests/crash/cases/cases.h"

#define OBJECTS		4U	/* in the slab */
#define OBJECT_BYTES	64U
#define DESTS		4U
#define SLAB_PAGE	2U
#define DEST_PAGE	5U
#define LARGE_PAGE	7U
#define LARGE_BYTES	300U

struct id {
	u64 uuid;
	u64 off;
};

/* What the pool should hold. */
struct model {
	bool allocated[OBJECTS];
	u64 contents[OBJECTS];		/* first and last word of each allocated object */
	struct id dest[DESTS];
	bool large;
};

static const u64 dest_at[DESTS] = { 0, 16, 64 + 56, 128 + 32 };
static struct model before, after;
static struct pobj_lane lane;
static u64 next_contents;

static u64 dest_off(u32 d)
{
	return pobj_geom_page(&tiny_super.geom, DEST_PAGE) + dest_at[d];
}

static u64 object_off(u32 x)
{
	return pobj_geom_page(&tiny_super.geom, SLAB_PAGE) + x * OBJECT_BYTES;
}

static u64 read_word(const struct pobj_media *m, u64 off)
{
	__le64 v;

	m->read(m, &v, off, sizeof(v));
	return le64_to_cpu(v);
}

static bool equals(const struct pobj_media *m, const struct model *want)
{
	struct pobj_object o;
	u32 i;

	for (i = 0; i < DESTS; i++) {
		if (read_word(m, dest_off(i)) != want->dest[i].uuid ||
		    read_word(m, dest_off(i) + 8) != want->dest[i].off)
			return false;
	}
	if (pobj_object_find(m, &tiny_super.geom, pobj_ref(LARGE_PAGE, POBJ_M_REF_LARGE), &o,
			     NULL) ||
	    o.allocated != want->large)
		return false;
	for (i = 0; i < OBJECTS; i++) {
		if (pobj_object_find(m, &tiny_super.geom, pobj_ref(SLAB_PAGE, i), &o, NULL) ||
		    o.allocated != want->allocated[i])
			return false;
		if (o.allocated && (read_word(m, object_off(i)) != want->contents[i] ||
				    read_word(m, object_off(i) + OBJECT_BYTES - 8) !=
					    want->contents[i]))
			return false;
	}
	return true;
}

static enum power_state objects_state(const struct pobj_media *m, int err, const char **why)
{
	*why = "recovery refused";
	if (err)
		return POWER_WRONG;
	*why = "check finds problems";
	if (!tiny_check(m))
		return POWER_WRONG;
	*why = "objects and ids are neither as before nor as after";
	return equals(m, &after) ? POWER_NEW : equals(m, &before) ? POWER_OLD : POWER_WRONG;
}

static struct power_case objects_case = { .recover = tiny_recover, .state = objects_state };

/* ---- operations -------------------------------------------------------------------------- */

static u32 find_free(void)
{
	u32 i;

	for (i = 0; i < OBJECTS && after.allocated[i]; i++)
		;
	return i;
}

/* The object that destination @d names, OBJECTS if none. */
static u32 named(u32 d)
{
	u32 i;

	for (i = 0; i < OBJECTS; i++) {
		if (after.dest[d].off == object_off(i) && after.dest[d].uuid &&
		    after.allocated[i])
			return i;
	}
	return OBJECTS;
}

/* New contents for the free object @x, as a constructor writes them: flushed, not fenced. */
static void construct(u32 x)
{
	__le64 *p = pobj_media_ptr(&tiny, object_off(x));

	after.contents[x] = ++next_contents;
	pobj_store64(&tiny, p, next_contents);
	pobj_store64(&tiny, p + OBJECT_BYTES / 8 - 1, next_contents);
	pobj_flush(&tiny, p, OBJECT_BYTES);
}

static void expect(int err)
{
	if (err)
		abort();
}

static struct pobj_change object_change(u32 x, bool allocate, bool owned)
{
	return (struct pobj_change){ POBJ_M_TARGET_OBJECT | pobj_ref(SLAB_PAGE, x),
				     (u64)allocate | (owned ? POBJ_OWNED : 0) };
}

static void do_alloc(u32 d, bool owned)
{
	const u64 uuid = pobj_super_uuid_lo(&tiny_super);
	u32 x = find_free(), old = named(d), cnt = 0;
	struct pobj_change c[4];
	struct pobj_step steps[4];

	if (x == OBJECTS)
		return;
	construct(x);
	after.allocated[x] = true;
	after.dest[d] = (struct id){ uuid, object_off(x) };
	c[cnt++] = object_change(x, true, owned);
	if (old != OBJECTS) {			/* replace */
		after.allocated[old] = false;
		c[cnt++] = object_change(old, false, owned);
	}
	c[cnt++] = (struct pobj_change){ dest_off(d) + 8, object_off(x) };
	c[cnt++] = (struct pobj_change){ dest_off(d), uuid };
	expect(pobj_lane_change(&lane, c, cnt, steps));
}

static void do_free(u32 d, bool owned)
{
	u32 x = named(d);

	if (x == OBJECTS)
		return;
	after.allocated[x] = false;
	after.dest[d] = (struct id){ 0, 0 };
	expect(pobj_lane_free(&lane, pobj_ref(SLAB_PAGE, x), dest_off(d), owned));
}

static bool names_large(u32 d)
{
	return after.large && after.dest[d].uuid &&
	       after.dest[d].off == pobj_geom_page(&tiny_super.geom, LARGE_PAGE);
}

/* A large object comes and goes by the header word of its line; the rest of the line before. */
static void do_alloc_large(u32 d)
{
	const u64 line = pobj_geom_line(&tiny_super.geom, LARGE_PAGE);
	const u64 uuid = pobj_super_uuid_lo(&tiny_super);
	__le64 *size = pobj_media_ptr(&tiny, line + offsetof(struct pobj_m_line, large.size));
	struct pobj_change c[3];
	struct pobj_step steps[3];

	if (after.large || named(d) != OBJECTS)
		return;
	pobj_store64(&tiny, size, LARGE_BYTES);
	after.large = true;
	after.dest[d] = (struct id){ uuid, pobj_geom_page(&tiny_super.geom, LARGE_PAGE) };
	c[0] = (struct pobj_change){ line, pobj_line_header(POBJ_M_LARGE, 0, 0, 2) };
	c[1] = (struct pobj_change){ dest_off(d) + 8, after.dest[d].off };
	c[2] = (struct pobj_change){ dest_off(d), uuid };
	expect(pobj_lane_change(&lane, c, 3, steps));
}

static void do_free_large(u32 d)
{
	if (!names_large(d))
		return;
	after.large = false;
	after.dest[d] = (struct id){ 0, 0 };
	expect(pobj_lane_free(&lane, pobj_ref(LARGE_PAGE, POBJ_M_REF_LARGE), dest_off(d), true));
}

static void do_publish(u32 most)
{
	u64 bits = 0;
	u32 x;

	for (x = find_free(); most-- && x != OBJECTS; x = find_free()) {
		construct(x);
		after.allocated[x] = true;
		bits |= 1ULL << x;
	}
	if (bits)
		expect(pobj_lane_publish(&lane, SLAB_PAGE, 0, bits));
}

/* The caller stores an id of another pool, with the offset of an object of ours, and persists. */
static void do_foreign(u32 d)
{
	__le64 *p = pobj_media_ptr(&tiny, dest_off(d));

	after.dest[d] = (struct id){ 77, object_off(1) };
	pobj_store64(&tiny, p + 1, after.dest[d].off);
	pobj_store64(&tiny, p, after.dest[d].uuid);
	pobj_flush(&tiny, p, 16);
	pobj_fence(&tiny);
}

/*
 * The caller copies an id to where another stood, does not persist it, and frees by it: on the
 * medium the older id may still stand there, and must not come back. In the middle it may.
 */
static void do_free_unpersisted(void)
{
	__le64 *p = pobj_media_ptr(&tiny, dest_off(3));
	u32 x = named(0);

	if (x == OBJECTS)
		return;
	do_foreign(3);
	after.allocated[x] = false;
	after.dest[3] = (struct id){ 0, 0 };
	pobj_store64(&tiny, p + 1, object_off(x));
	pobj_store64(&tiny, p, pobj_super_uuid_lo(&tiny_super));
	expect(pobj_lane_free(&lane, pobj_ref(SLAB_PAGE, x), dest_off(3), true));
}

/* Not the library's own: what it leaves is judged, not what it may leave half-way. */
static bool is_callers(u32 op)
{
	return op == 10 || op == 14;
}

static void do_op(u32 op)
{
	switch (op) {
	case 0: case 1: case 2: case 3:
		do_alloc(op, true);
		break;
	case 4: case 5: case 6:
		do_free(op - 4, true);
		break;
	case 7:
		do_free(0, false);
		break;
	case 8:
		do_alloc(2, false);
		break;
	case 9:
		do_publish(1);
		break;
	case 10:
		do_foreign(3);
		break;
	case 11:
		do_alloc_large(1);
		break;
	case 12:
		do_free_large(1);
		break;
	case 13:
		do_publish(2);
		break;
	case 14:
		do_free_unpersisted();
		break;
	}
}

#define OPS	15U

static void slab_make(void)
{
	struct pobj_m_line *line;

	tiny_make();
	line = pobj_media_ptr(&tiny, pobj_geom_line(&tiny_super.geom, SLAB_PAGE));
	line->header = cpu_to_le64(pobj_line_header(POBJ_M_SLAB, 0, OBJECTS, OBJECT_BYTES));
	memset(&after, 0, sizeof(after));
	if (pobj_lane_take(&lane, &tiny, &tiny_super.geom, 1, NULL))
		abort();
}

/* Explore the operations of @seq, base-OPS digits. */
static void explore_sequence(u32 seq, u32 length)
{
	slab_make();
	power_begin(&tiny, &objects_case);
	for (; length; length--, seq /= OPS) {
		before = after;
		power_pause(is_callers(seq % OPS));
		do_op(seq % OPS);
		power_pause(false);
		power_returned();
	}
	power_end();
}

void case_objects(void)
{
	u32 seq;

	objects_case.kill = true;
	objects_case.depth = 2;
	for (seq = 0; seq < OPS * OPS; seq++)
		explore_sequence(seq, 2);
	objects_case.kill = false;
	objects_case.depth = 1;
	for (seq = 0; seq < OPS * OPS * OPS; seq++)
		explore_sequence(seq, 3);
}
