// SPDX-License-Identifier: BSD-3-Clause
/*
 * The real library on a hostile image: recover, open, walk, allocate, free, reallocate, lists,
 * actions, the root, close, open again. What must hold for any image: each call ends; objects lie
 * within the data of the pool, from the first byte to the last usable one, and ascend; nothing but
 * the pool is stored to, and of it neither superblocks nor the logs of lanes that nobody has. And
 * for an image with which the check found nothing: objects do not overlap, have the size and type
 * asked for, and the check finds nothing afterwards, and nothing live.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/core/check.h"
#include "libpmemobj.h"
#include "pobj.h"
#include "selftests/fuzz/image.h"
#include "selftests/fuzz/judge.h"
#include "selftests/fuzz/use.h"

#define OIDS		32U
#define HEAD_BYTES	80U	/* of a list: an id and a lock */
#define ENTRY_BYTES	32U

enum step { STEP_WALK, STEP_WALK_TYPE, STEP_ALLOC, STEP_ZALLOC_INTO, STEP_FREE, STEP_FREE_ANY,
	    STEP_REALLOC, STEP_ZREALLOC, STEP_ROOT, STEP_INSERT_NEW, STEP_INSERT, STEP_REMOVE,
	    STEP_MOVE, STEP_ACTIONS, STEP_LOOK, STEP_REOPEN, STEP_CNT };

u64 use_done;

/**
 * struct user - who uses the pool
 * @base: the pool; @g: its geometry
 * @clean: the check found nothing
 * @oid: objects met or made, @cnt of them; null: freed
 */
struct user {
	PMEMobjpool *pop;
	u8 *base;
	struct pobj_geom g;
	u64 uuid;
	bool tear;
	bool clean;
	PMEMoid oid[OIDS];
	u32 cnt;
};

static const u32 sizes[] = {
	1, 16, 24, 40, 64, 80, 100, 128, 200, 256, 320, 500, 1000, 2000, 4000, 7168, 7169, 9000,
	20000, 1U << 31,
};

const u8 use_all[USE_BYTES] = {
	0,
	STEP_WALK, 0, 0, STEP_WALK_TYPE, 3, 0, STEP_LOOK, 7, 9, STEP_ALLOC, 1, 1,
	STEP_ALLOC, 4, 2, STEP_REALLOC, 1, 7, STEP_ZALLOC_INTO, 2, 5, STEP_INSERT_NEW, 5, 1,
	STEP_INSERT, 5, 3, STEP_REMOVE, 5, 1, STEP_ACTIONS, 3, 2, STEP_FREE, 0, 0,
	STEP_FREE, 1, 0, STEP_FREE, 2, 0, STEP_ROOT, 3, 0, STEP_ALLOC, 17, 1,
	STEP_FREE_ANY, 11, 40, STEP_REOPEN, 0, 0, STEP_ALLOC, 18, 1, STEP_WALK, 0, 0,
};

/* ---- rules ------------------------------------------------------------------------------- */

/* Is it an object in the data? Returns its usable bytes; 0: there is no object (any more). */
static u64 object_bytes(const struct user *u, PMEMoid oid)
{
	const u64 bytes = OID_IS_NULL(oid) ? 0 : pmemobj_alloc_usable_size(oid);
	const u64 end = u->g.data_off + pobj_geom_data_bytes(&u->g);

	if (bytes && (oid.off < u->g.data_off || oid.off >= end || bytes > end - oid.off))
		house_bad("an object reaches out of the pool's data");
	return bytes;
}

/* As a user does: all of it. */
static void object_fill(const struct user *u, PMEMoid oid, u8 byte)
{
	memset(u->base + oid.off, byte, object_bytes(u, oid));
}

static void remember(struct user *u, PMEMoid oid)
{
	if (u->cnt < OIDS)
		u->oid[u->cnt++] = oid;
	else
		u->oid[oid.off / 16 % OIDS] = oid;
}

/* An object of the user's; NULL: he has none. */
static PMEMoid *choose(struct user *u, u8 which)
{
	return u->cnt ? &u->oid[which % u->cnt] : NULL;
}

static void walk(struct user *u, bool typed, u64 type)
{
	u64 last = 0, end = 0, bytes;
	PMEMoid oid;

	for (oid = typed ? pobj_first_type(u->pop, type) : pmemobj_first(u->pop);
	     !OID_IS_NULL(oid);
	     oid = typed ? pobj_next_type(oid, type) : pmemobj_next(oid)) {
		/* So it ends, too. */
		if (oid.off <= last)
			house_bad("iteration goes back");
		last = oid.off;
		bytes = object_bytes(u, oid);
		if (u->clean && (!bytes || oid.off < end))
			house_bad("iteration meets what is no object, or overlaps");
		if (u->clean && typed && pmemobj_type_num(oid) != type)
			house_bad("iteration by type meets another type");
		end = oid.off + bytes;
		if (!typed && u->cnt < OIDS)
			remember(u, oid);
	}
}

/* An object that was just made. */
static void made(struct user *u, PMEMoid oid, u64 size, u64 type)
{
	const u64 bytes = object_bytes(u, oid);
	u32 i;

	use_done++;
	if (!u->clean)
		return;
	if (bytes < size || pmemobj_type_num(oid) != type)
		house_bad("an object is not what was asked for");
	for (i = 0; i < u->cnt; i++) {
		const u64 other = object_bytes(u, u->oid[i]);

		if (other && u->oid[i].off != oid.off && u->oid[i].off < oid.off + bytes &&
		    oid.off < u->oid[i].off + other)
			house_bad("an object was handed out where another is");
	}
}

/* ---- steps ------------------------------------------------------------------------------- */

static void step_alloc(struct user *u, u64 size, u64 type)
{
	PMEMoid oid;

	if (pmemobj_alloc(u->pop, &oid, size, type, NULL, NULL))
		return;
	made(u, oid, size, type);
	object_fill(u, oid, (u8)(0xc0 + type));
	remember(u, oid);
}

static void step_zalloc_into(struct user *u, u8 which, u64 size, u64 type)
{
	PMEMoid *at = choose(u, which);
	PMEMoid *dest;

	if (!at || object_bytes(u, *at) < sizeof(*dest))
		return;
	dest = (PMEMoid *)(u->base + at->off);
	if (pmemobj_zalloc(u->pop, dest, size, type))
		return;
	made(u, *dest, size, type);
	if (which & 1)
		pmemobj_free(dest);
}

static void step_realloc(struct user *u, u8 which, u64 size, u64 type, bool zero)
{
	PMEMoid *at = choose(u, which);
	int err;

	if (!at)
		return;
	err = zero ? pmemobj_zrealloc(u->pop, at, size, type) :
		     pmemobj_realloc(u->pop, at, size, type);
	if (!err && !OID_IS_NULL(*at))
		made(u, *at, size, type);
}

/* An offset out of the air: any, one that stands somewhere, or where objects may begin. */
static PMEMoid any_oid(const struct user *u, u8 a, u8 b)
{
	const u64 at = ((u64)a << 8 | b) * 8 % (u->g.pool_size - 8);
	const u64 page = pobj_geom_page(&u->g, a % u->g.page_cnt);

	switch (b % 4) {
	case 0:
		return (PMEMoid){ u->uuid, at };
	case 1:
		return (PMEMoid){ u->uuid, image_word(u->base, at) };
	default:
		return (PMEMoid){ u->uuid, page + (b % 4 == 3 ? b / 4 * 16 : 0) };
	}
}

static void step_free_any(struct user *u, u8 a, u8 b)
{
	PMEMoid oid = any_oid(u, a, b);

	use_done += !pobj_xfree(&oid, 0);
}

/* Does the object have room for a list's head, or entry at @pe? NULL: no. */
static u8 *has_room(struct user *u, const PMEMoid *at, u64 bytes)
{
	return at && object_bytes(u, *at) >= bytes && !((uintptr_t)(u->base + at->off) % 8) ?
	       u->base + at->off : NULL;
}

static void step_list(struct user *u, enum step what, u8 a, u8 b)
{
	PMEMoid *list = choose(u, a), *elm = choose(u, b), *other = choose(u, (u8)(a + 1));
	const PMEMoid dest = b & 4 && other ? *other : OID_NULL;
	const u64 pe = (u64)(b % 4) * 16;
	void *head = has_room(u, list, HEAD_BYTES);
	PMEMoid oid;
	int err = -1;

	if (!head || !elm)
		return;
	if (a & 8)
		memset(head, 0, sizeof(PMEMoid));
	switch (what) {
	case STEP_INSERT_NEW:
		oid = pmemobj_list_insert_new(u->pop, pe, head, dest, b & 1, pe + ENTRY_BYTES + b,
					      b % 8, NULL, NULL);
		if (OID_IS_NULL(oid))
			break;
		made(u, oid, pe + ENTRY_BYTES + b, b % 8);
		remember(u, oid);
		break;
	case STEP_INSERT:
		err = pmemobj_list_insert(u->pop, pe, head, dest, b & 1, *elm);
		break;
	case STEP_REMOVE:
		memcpy(&oid, head, sizeof(oid));
		err = pmemobj_list_remove(u->pop, pe, head, b & 1 ? oid : *elm, b & 8);
		break;
	default:
		if (has_room(u, other, HEAD_BYTES))
			err = pmemobj_list_move(u->pop, pe, head, pe, u->base + other->off,
						OID_NULL, b & 1, *elm);
	}
	use_done += !err;
}

static void step_actions(struct user *u, u8 a, u8 b)
{
	struct pobj_action act[10];
	PMEMoid *at = choose(u, a), *gone = choose(u, b);
	u32 i, n = 0;
	PMEMoid oid;

	oid = pmemobj_xreserve(u->pop, &act[0], sizes[a % ARRAY_SIZE(sizes)], b % 8,
			       b & 8 ? POBJ_XALLOC_ZERO : 0);
	if (OID_IS_NULL(oid))
		return;
	n++;
	object_fill(u, oid, 0);		/* not an object yet: nothing is filled */
	if (gone && (b & 1) && !OID_IS_NULL(*gone))
		pmemobj_defer_free(u->pop, *gone, &act[n++]);
	for (i = 0; at && i < b / 16U % 8 && object_bytes(u, *at) >= 8 * (i + 1); i++)
		pmemobj_set_value(u->pop, &act[n++], (u64 *)(u->base + at->off) + i, oid.off + i);
	if ((a & 16) || pmemobj_publish(u->pop, act, n)) {
		pmemobj_cancel(u->pop, act, n);
		return;
	}
	if (n == 1)
		made(u, oid, 1, b % 8);
	remember(u, oid);
}

static void step_look(struct user *u, u8 a, u8 b)
{
	PMEMoid oid = any_oid(u, a, b);
	u64 page;

	/* Where spans begin, and where they do not. */
	for (page = 0; !(b & 1) && page < u->g.page_cnt; page++) {
		oid.off = pobj_geom_page(&u->g, page);
		if (object_bytes(u, oid) && page % 4 == a % 4)
			remember(u, oid);
	}
	pmemobj_type_num(oid);
	if (object_bytes(u, oid))
		remember(u, oid);
	object_bytes(u, pmemobj_next(oid));
	object_bytes(u, pobj_next_type(oid, b % 8));
	pmemobj_root_size(u->pop);
}

static void step_root(struct user *u, u64 size)
{
	const PMEMoid oid = pmemobj_root(u->pop, size);
	const u64 bytes = object_bytes(u, oid);

	if (OID_IS_NULL(oid))
		return;
	if (bytes < size)
		house_bad("a root is smaller than asked for");
	use_done++;
}

/*
 * Did an operation find the pool damaged, or a write fail? It is left as a kill leaves it then,
 * with what is live. True of a pool with which the check found nothing: a finding.
 */
static bool is_broken(const struct user *u)
{
	const bool broken = pobj_pool_raw(u->pop)->broken;

	if (broken && u->clean)
		house_bad("a pool with which the check found nothing broke in use");
	return broken;
}

/* False: it is refused, which may be if it broke. */
static bool reopen(struct user *u)
{
	const struct pobj_media *m = house_media(u->tear);
	struct pobj_recovery r;
	struct pobj_finding f;
	struct pobj_super s;
	bool broken = is_broken(u);

	house_close(u->pop);
	u->pop = NULL;
	if (pobj_recover_pool(m, &s, &r, &f)) {
		if (!broken)
			house_bad("a pool that was in use and closed is refused");
		return false;
	}
	if (r.live && !broken)
		house_bad("a pool that was in use and closed has something to recover");
	u->pop = house_open(u->tear);
	if (!u->pop)
		house_bad("a pool that was in use cannot be opened");
	return true;
}

static void steps(struct user *u, const u8 script[USE_BYTES], bool may_reopen)
{
	const u8 *s = script + 1;
	u64 size;
	u32 i;

	for (i = 0; i < USE_STEPS; i++, s += 3) {
		size = sizes[s[1] % ARRAY_SIZE(sizes)];
		switch ((enum step)(s[0] % STEP_CNT)) {
		case STEP_WALK:
		case STEP_WALK_TYPE:
			walk(u, s[0] % STEP_CNT == STEP_WALK_TYPE, s[1] % 8);
			break;
		case STEP_ALLOC:
			step_alloc(u, size, s[2] % 8);
			break;
		case STEP_ZALLOC_INTO:
			step_zalloc_into(u, s[2], size, s[2] % 8);
			break;
		case STEP_FREE:
			if (choose(u, s[1]))
				pmemobj_free(choose(u, s[1]));
			break;
		case STEP_FREE_ANY:
			step_free_any(u, s[1], s[2]);
			break;
		case STEP_REALLOC:
		case STEP_ZREALLOC:
			step_realloc(u, s[2], size, s[2] / 32,
				     s[0] % STEP_CNT == STEP_ZREALLOC);
			break;
		case STEP_ROOT:
			step_root(u, (u64)s[1] * 50);
			break;
		case STEP_ACTIONS:
			step_actions(u, s[1], s[2]);
			break;
		case STEP_LOOK:
			step_look(u, s[1], s[2]);
			break;
		case STEP_REOPEN:
			if (may_reopen && !reopen(u))
				return;
			break;
		default:
			step_list(u, s[0] % STEP_CNT, s[1], s[2]);
		}
	}
}

/* ---- in the house ------------------------------------------------------------------------ */

/* What use must leave alone: superblocks, and lane 0, which is no thread's. */
static u8 untouched[2 * sizeof(struct pobj_m_super)], lane0[HOUSE_BYTES];

static void untouched_keep(const struct pobj_geom *g)
{
	memcpy(untouched, house_image, sizeof(untouched) / 2);
	memcpy(untouched + sizeof(untouched) / 2, house_image + POBJ_M_SUPER_OFF1,
	       sizeof(untouched) / 2);
	memcpy(lane0, house_image + g->lane_off, pobj_geom_lane_bytes(g));
}

static void untouched_check(const struct pobj_geom *g)
{
	if (memcmp(untouched, house_image, sizeof(untouched) / 2) ||
	    memcmp(untouched + sizeof(untouched) / 2, house_image + POBJ_M_SUPER_OFF1,
		   sizeof(untouched) / 2))
		house_bad("use has changed a superblock");
	if (memcmp(lane0, house_image + g->lane_off, pobj_geom_lane_bytes(g)))
		house_bad("use has changed the log of a lane that nobody has");
}

enum use_found use(const u8 script[USE_BYTES])
{
	const bool reap = script[0] & USE_REAP;
	struct user u = { .tear = script[0] & USE_TEAR };
	const struct pobj_media *m = house_media(u.tear);
	struct pobj_recovery r;
	struct pobj_super s;
	bool broken;
	u64 live;

	if (!reap && pobj_recover_pool(m, &s, &r, NULL))
		return USE_REFUSED;
	u.pop = house_open(u.tear);
	if (!u.pop && !reap)
		house_bad("a pool that was recovered cannot be opened");
	if (!u.pop)
		return USE_REFUSED;
	if (reap && house_reap(u.pop)) {
		house_close(u.pop);
		return USE_REFUSED;
	}
	s = pobj_pool_raw(u.pop)->super;
	u.base = house_image;
	u.g = s.geom;
	u.uuid = pobj_super_uuid_lo(&s);
	u.clean = !judge_problems(m, &s, NULL);
	untouched_keep(&u.g);
	steps(&u, script, !reap);
	broken = !u.pop || is_broken(&u);
	if (u.pop)
		house_close(u.pop);
	untouched_check(&u.g);
	if (judge_problems(m, &s, &live) && u.clean)
		house_bad("the check finds problems afterwards");
	if (live && !reap && !broken)
		house_bad("live entries after close");
	return u.clean ? USE_CLEAN : USE_PROBLEMS;
}

/* ---- by path ----------------------------------------------------------------------------- */

void use_by_path(const u8 script[USE_BYTES])
{
	static int fd = -1;
	static char path[32];
	struct user u = { .cnt = 0 };
	struct pobj_pool_recovery done;
	const u64 bytes = house_media(false)->size;
	struct pobj_pool_census census;
	struct pobj_pool_info info;
	struct pobj_super s;
	struct pobj_recovery r;
	int refused;

	if (fd < 0) {
		fd = memfd_create("hostile", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (fd < 0 || ftruncate(fd, (off_t)bytes) ||
	    pwrite(fd, house_image, bytes, 0) != (ssize_t)bytes)
		house_bad("no file in memory");
	refused = pobj_recover_pool(house_media(false), &s, &r, NULL);
	pobj_pool_info(path, &info);
	pobj_pool_check(path, NULL, NULL, &census);
	if (script[1] & 1)
		pobj_pool_recover(path, &done);
	u.pop = pmemobj_open(path, NULL);
	if (!u.pop != !!refused)
		house_bad("open by path and recovery disagree");
	if (!u.pop)
		return;
	u.base = (u8 *)u.pop;
	u.g = s.geom;
	u.uuid = pobj_super_uuid_lo(&s);
	u.clean = !judge_problems(house_media(false), &s, NULL);
	steps(&u, script, false);
	pmemobj_close(u.pop);
}
