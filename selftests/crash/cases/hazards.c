// SPDX-License-Identifier: BSD-3-Clause
/*
 * The hazards H1 to H14 that were met while the protocol was made, each with the shortest sequence
 * that shows it. With the rules as they are a case is clean; with the rule weakened that is there
 * for it (lib/core/weak.h, or flushes and fences deleted) the explorer must find a violation.
 *
 *	H1	an id that names an object of an earlier life is taken for that of the new one
 *	H2	the same by an alias, which the caller did not null
 *	H3	an entry is retired before a fence covered what it did
 *	H4	a free nulls the id of another pool that has the same offset
 *	H5	an id in two lines tears with the caller's next store to it
 *	H5b	the uuid of an id that was not durable is not put back
 *	H6	an id that was not durable when it was freed by comes back as it was
 *	H7	what is published is there, its contents are not
 *	H8	a free that is repeated takes an object from its next owner: of the same lane
 *	H8b	and of another one
 *	H9	a reaper believes an entry that never reached the medium
 *	H10	recovery has nothing to change, so it flushes nothing, and retires
 *	H11	killed after a publish without a log: survivors see what a power cut then takes
 *	H12	recovery retires an entry in the round in which it undoes it
 *	H13	a ring of two slots: an entry half-written damages one that is live
 *	H14	a reaper frees an object that no ring lists; its slab's owner hands it out
 */
#include <setjmp.h>
#include <stdio.h>

#include "pobj.h"
#include "selftests/crash/cases/heap_ops.h"

#define OPS_MAX		6U
#define OFF_MAX		3U
#define FOREIGN		77U

static u64 freed_off;	/* of the object that destination 0 named */

/* ---- what the hazards need beside the operations --------------------------------------------- */

static void id_put(u32 d, struct heap_id id, bool persist)
{
	__le64 *p = (__le64 *)heap_dest(d);

	power_own_data(true);
	pobj_store64(&heap_pool->media, p + 1, id.off);
	pobj_store64(&heap_pool->media, p, id.uuid);
	if (persist)
		pmemobj_persist(heap_pop(), p, sizeof(id));
}

static void between(void)
{
	heap_model_learn();
	heap_before = heap_after;
}

static void free_and_store(struct heap_id id, bool by_log)
{
	heap_callers(true);
	freed_off = heap_after.dest[0].off;
	by_log ? op_publish_free0() : heap_free_from(0);
	id.off = freed_off;
	heap_after.dest[0] = id;
	id_put(0, id, true);
	heap_callers(false);
	between();
}

static void hazard_dangling(void)
{
	free_and_store((struct heap_id){ heap_uuid(), 0 }, true);
}

static void hazard_foreign(void)
{
	free_and_store((struct heap_id){ FOREIGN, 0 }, false);
}

/* Another id of the object, which stays when it is freed. */
static void hazard_alias(void)
{
	heap_callers(true);
	heap_after.dest[1] = heap_after.dest[0];
	id_put(1, heap_after.dest[1], true);
	heap_callers(false);
	between();
	op_publish_free0();
}

static void alloc_to_1(void)
{
	heap_alloc_to(1, NULL, SMALL, 1);
}

/* The caller's words may be there or not, one by one. */
static void dest_may_be(u32 d, struct heap_id a, struct heap_id b)
{
	heap_slack.dest = d;
	heap_slack.before[heap_slack.before_cnt++] = a;
	heap_slack.before[heap_slack.before_cnt++] = b;
}

static void hazard_store_straddling(void)
{
	const struct heap_id id = { FOREIGN, 4096 };

	dest_may_be(2, (struct heap_id){ FOREIGN, 0 }, (struct heap_id){ 0, 4096 });
	heap_after.dest[2] = id;
	id_put(2, id, true);
}

static void hazard_alloc_unpersisted(void)
{
	const struct heap_id id = { FOREIGN, 4096 };

	heap_callers(true);
	id_put(2, id, false);
	heap_after.dest[2] = id;
	heap_before = heap_after;
	heap_callers(false);
	dest_may_be(2, (struct heap_id){ FOREIGN, 0 }, (struct heap_id){ 0, 4096 });
	heap_slack.before[heap_slack.before_cnt++] = (struct heap_id){ 0, 0 };
	op_alloc2();
}

/* The same as the operation on an unpersisted id, but the caller says that it is durable. */
static bool promise;

static void hazard_free_unpersisted(void)
{
	const u32 x = heap_model_named(0);

	heap_slack.dest = 3;
	heap_slack.before[heap_slack.before_cnt++] = (struct heap_id){ 0, heap_after.dest[0].off };
	heap_slack.before[heap_slack.before_cnt++] = heap_after.dest[0];
	heap_slack.before[heap_slack.before_cnt++] =
		(struct heap_id){ FOREIGN, heap_after.dest[0].off };
	heap_slack.after[heap_slack.after_cnt++] = heap_after.dest[3];
	heap_slack.after[heap_slack.after_cnt++] =
		(struct heap_id){ FOREIGN, heap_after.dest[0].off };
	heap_after.obj[x].live = false;
	heap_after.dest[3] = (struct heap_id){ 0, 0 };
	id_put(3, heap_after.dest[0], false);
	if (pobj_xfree(heap_dest(3), promise ? POBJ_XFREE_DURABLE : 0))
		abort();
}

static void hazard_foreign_3(void)
{
	heap_callers(true);
	heap_after.dest[3] = (struct heap_id){ FOREIGN, 4096 };
	id_put(3, heap_after.dest[3], true);
	heap_callers(false);
	between();
}

/* ---- H14 ------------------------------------------------------------------------------------- */

static jmp_buf killed;
static u32 fences;

static void kill_at_first(void)
{
	power_fenced = NULL;
	longjmp(killed, 1);
}

/* The reaper's second fence is behind it: the state is free, and the entry is still live. */
static void owner_goes_on(void)
{
	if (++fences < 2)
		return;
	power_fenced = NULL;
	heap_thread(0);
	alloc_to_1();
	between();
	heap_thread(1);
}

/* The thread of the other lane dies in a free, right after its entry is durable; it is reaped. */
static void hazard_reaped(void)
{
	struct pobj_recovery r = { 0 };
	struct pobj_finding f;
	struct pobj_tlane *tl;
	const u32 x = heap_model_named(0);

	heap_thread(1);
	tl = pobj_last_seat.tl;
	heap_callers(true);
	power_fenced = kill_at_first;
	if (!setjmp(killed))
		pmemobj_free(heap_dest(0));
	heap_after.obj[x].live = false;
	heap_after.dest[0] = (struct heap_id){ 0, 0 };
	heap_before = heap_after;
	heap_callers(false);
	fences = 0;
	power_fenced = owner_goes_on;
	if (pobj_recover_lane(&heap_pool->media, &heap_pool->super, tl->log.lane, &r, &f) ||
	    pobj_lane_take(&tl->log, &heap_pool->heap->media, tl->log.g, tl->log.lane, &f))
		abort();
	power_fenced = NULL;
	memset(tl->side->ring, 0, sizeof(tl->side->ring));
}

/* ---- the cases ------------------------------------------------------------------------------- */

/* A flush or fence to be deleted: the @nth of its kind in @func. */
struct off {
	const char *func;
	enum pobj_site_kind kind;
	u32 nth;
};

static const struct hazard {
	const char *name;
	heap_run op[OPS_MAX];
	unsigned int weak;
	struct off off[OFF_MAX];
	bool kill;
	int depth;
	bool promise;
} hazards[] = {
	{ .name = "H1", .op = { op_alloc0, hazard_dangling, op_alloc0 },
	  .weak = POBJ_WEAK_FINISH, .depth = 2 },
	{ .name = "H2", .op = { op_alloc0, hazard_alias, alloc_to_1 },
	  .weak = POBJ_WEAK_FINISH, .depth = 2 },
	{ .name = "H3", .op = { op_alloc0, op_free0, alloc_to_1 },
	  .weak = POBJ_WEAK_RETIRE, .depth = 1 },
	{ .name = "H4", .op = { op_alloc0, hazard_foreign, alloc_to_1 },
	  .weak = POBJ_WEAK_FOREIGN, .depth = 2 },
	{ .name = "H5", .op = { op_alloc2, op_free2, hazard_store_straddling },
	  .weak = POBJ_WEAK_STRADDLE, .depth = 1 },
	{ .name = "H5b", .op = { op_alloc0, hazard_alloc_unpersisted },
	  .weak = POBJ_WEAK_UUID, .depth = 2 },
	{ .name = "H6", .op = { op_alloc0, hazard_foreign_3, hazard_free_unpersisted },
	  .promise = true, .depth = 1 },
	{ .name = "H7", .op = { op_alloc0, op_publish1 },
	  .weak = POBJ_WEAK_CONTENTS, .depth = 1 },
	{ .name = "H8", .op = { op_alloc0, op_free0, op_publish2 },
	  .weak = POBJ_WEAK_REUSE, .depth = 1 },
	{ .name = "H8b", .op = { op_alloc0, op_alloc_none, op_alloc_none, op_alloc_none,
				 op_free0_remote, op_publish1 },
	  .weak = POBJ_WEAK_QUARANTINE, .depth = 1 },
	{ .name = "H9", .op = { op_alloc0, op_free0 },
	  .off = { { "lane_flush_slots", POBJ_SITE_FLUSH, 1 } }, .kill = true, .depth = 2 },
	{ .name = "H10", .op = { op_alloc0, op_alloc2 },
	  .off = { { "object_settle", POBJ_SITE_FLUSH, 1 }, { "undo_pairs", POBJ_SITE_FLUSH, 1 },
		   { "null_id", POBJ_SITE_FLUSH, 1 } }, .kill = true, .depth = 2 },
	{ .name = "H11", .op = { op_alloc0, op_publish1 },
	  .weak = POBJ_WEAK_HINT, .kill = true, .depth = 1 },
	{ .name = "H12", .op = { op_alloc0, op_alloc2 },
	  .off = { { "lanes_act", POBJ_SITE_FENCE, 1 } }, .kill = true, .depth = 2 },
	{ .name = "H13", .op = { op_alloc0, op_alloc2, op_alloc_type,
				 op_free2, op_free1, op_free0 },
	  .weak = POBJ_WEAK_SLOTS, .depth = 1 },
	{ .name = "H14", .op = { op_alloc0, op_alloc_none, op_alloc_none, op_alloc_none,
				 hazard_reaped },
	  .weak = POBJ_WEAK_RING, .depth = 1 },
};

static void off_set(const struct hazard *h, bool off)
{
	struct pobj_site *s;
	u32 i, k, cnt;

	s = power_sites(&cnt);
	for (k = 0; k < OFF_MAX && h->off[k].func; k++) {
		for (i = 0; i < cnt; i++) {
			if (s[i].kind == h->off[k].kind && !strcmp(s[i].func, h->off[k].func) &&
			    power_site_nth(&s[i]) == h->off[k].nth)
				break;
		}
		if (i == cnt)
			abort();	/* there is none: the rule is elsewhere now */
		s[i].off = off;
	}
}

/* Returns the violations. */
static u64 hazard_run(const struct hazard *h)
{
	const struct heap_depth how = { h->kill, h->depth, false };

	return heap_explore_runs(&heap_starts[0], h->op, OPS_MAX, &how);
}

void case_hazards(void)
{
	const struct power_count before = power_count;
	const u32 tell = power_tell;
	const struct hazard *h;
	char first[sizeof(power_first)];
	u64 bad, missed = 0, clean = 0;
	u32 i;

	memcpy(first, power_first, sizeof(first));
	for (i = 0; i < ARRAY_SIZE(hazards); i++) {
		h = &hazards[i];
		power_first[0] = 0;
		power_tell = 0;
		bad = hazard_run(h);
		clean += !bad;
		if (bad && tell)
			printf("# %s: %s\n", h->name, power_first);
		pobj_weak_rules = h->weak;
		promise = h->promise;
		off_set(h, true);
		power_first[0] = 0;
		if (!hazard_run(h)) {
			if (tell)
				printf("# %s: not found with its rule weakened\n", h->name);
			missed++;
		} else if (tell > 1) {
			printf("# %s, weakened: %s\n", h->name, power_first);
		}
		off_set(h, false);
		promise = false;
		pobj_weak_rules = 0;
	}
	if (tell)
		printf("# %u hazards, %llu clean, %llu found with the rule weakened\n", i,
		       (unsigned long long)clean, (unsigned long long)(i - missed));
	/* What was sought and found is none. */
	power_count.violations = before.violations + (i - clean) + missed;
	power_tell = tell;
	memcpy(power_first, first, sizeof(first));
	if (power_count.violations != before.violations && !power_first[0])
		snprintf(power_first, sizeof(power_first), "a hazard: see above");
}
