// SPDX-License-Identifier: BSD-3-Clause
/*
 * The verdict on recovery. A refusal says what it found and has changed nothing. A recovery has
 * stored only where it may: the bad superblock copy, the root record, links and slots of lanes,
 * page lines, user data; in log chunks nothing but the links. After it nothing is live, a second
 * recovery has nothing to do, and the check says the same before and after that.
 */
#include "selftests/fuzz/house.h"
#include "selftests/fuzz/judge.h"

#define STEP	64U

static u8 before[HOUSE_BYTES], after[HOUSE_BYTES];

u64 judge_problems(const struct pobj_media *m, const struct pobj_super *s, u64 *live)
{
	struct pobj_census c;

	if (pobj_check_pool(m, s, &c, NULL, NULL))
		house_bad("the check ended early");
	if (live)
		*live = c.live;
	return c.problems;
}

/* Kind of the page with the byte at @off, as it was before. */
static u32 kind_before(const struct pobj_geom *g, u64 off)
{
	__le64 header;

	memcpy(&header, before + pobj_geom_line(g, pobj_geom_page_of(g, off)), sizeof(header));
	return le64_to_cpu(header) >> POBJ_M_HDR_KIND_SHIFT & 0xf;
}

/* May recovery have changed the word at @off? */
static bool may_change(const struct pobj_geom *g, u64 off)
{
	u64 at;

	if (off == POBJ_M_ROOT_OFF || off == POBJ_M_ROOT_OFF + sizeof(u64))
		return true;
	if (off >= g->lane_off && off - g->lane_off < g->lane_cnt * pobj_geom_lane_bytes(g)) {
		at = (off - g->lane_off) % pobj_geom_lane_bytes(g);
		return !at || (at >= POBJ_M_LINE && at < POBJ_M_LINE * (1 + POBJ_M_SLOT_CNT));
	}
	if (off >= g->line_off && off - g->line_off < g->page_cnt * POBJ_M_LINE)
		return true;
	if (!pobj_geom_in_data(g, off))
		return false;
	return kind_before(g, off) != POBJ_M_LOG ||
	       !((off - g->data_off) & (pobj_geom_page_bytes(g) - 1));
}

/* Superblock copies: both are what was loaded, and at least one was so before. */
static void judge_copies(const struct pobj_super *s)
{
	static const u64 at[] = { POBJ_M_SUPER_OFF0, POBJ_M_SUPER_OFF1 };
	bool found = false;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		if (memcmp(house_image + at[i], &s->raw, sizeof(s->raw)))
			house_bad("superblock copies differ after recovery");
		found |= !memcmp(before + at[i], &s->raw, sizeof(s->raw));
	}
	if (!found)
		house_bad("recovery made up a superblock");
}

static void judge_stores(const struct pobj_media *m, const struct pobj_super *s)
{
	const u64 super = sizeof(struct pobj_m_super);
	u64 off, i;

	for (off = 0; off < m->size; off += STEP) {
		if (off < super || (off >= POBJ_M_SUPER_OFF1 && off < POBJ_M_SUPER_OFF1 + super))
			continue;		/* judge_copies() */
		for (i = off; memcmp(before + off, house_image + off,
				     m->size - off < STEP ? m->size - off : STEP) &&
		     i < off + STEP && i < m->size; i += sizeof(u64)) {
			if (memcmp(before + i, house_image + i,
				   m->size - i < sizeof(u64) ? m->size - i : sizeof(u64)) &&
			    !may_change(&s->geom, i))
				house_bad("recovery stored where it may not");
		}
	}
}

static void judge_refusal(const struct pobj_media *m, const struct pobj_finding *f, int err)
{
	struct pobj_super s;

	if (err != -EUCLEAN && err != -EMEDIUMTYPE)
		house_bad("another error than damaged or no pool");
	if (!f->diag || f->diag >= POBJ_DIAG_CNT)
		house_bad("an error without a finding");
	if (memcmp(before, house_image, m->size))
		house_bad("a refusal has changed the image");
	if (pobj_super_load(m, &s, NULL))
		return;
	judge_problems(m, &s, NULL);
	if (memcmp(before, house_image, m->size))
		house_bad("the check has changed the image");
}

enum judge_found judge(bool tear)
{
	const struct pobj_media *m = house_media(tear);
	struct pobj_finding f = { 0 };
	struct pobj_recovery r;
	struct pobj_super s;
	u64 problems, live;
	int err;

	memcpy(before, house_image, m->size);
	err = pobj_recover_pool(m, &s, &r, &f);
	if (err) {
		judge_refusal(m, &f, err);
		return JUDGE_REFUSED;
	}
	judge_copies(&s);
	judge_stores(m, &s);
	memcpy(after, house_image, m->size);
	problems = judge_problems(m, &s, &live);
	if (live)
		house_bad("live entries after recovery");
	if (pobj_recover_pool(m, &s, &r, &f))
		house_bad("a second recovery is refused");
	if (r.live || r.undone || r.redone || r.repaired || memcmp(after, house_image, m->size))
		house_bad("a second recovery has something to do");
	if (judge_problems(m, &s, &live) != problems || live)
		house_bad("the check changes its verdict");
	return problems ? JUDGE_PROBLEMS : JUDGE_CLEAN;
}

/* What was verified may be another thing when it is used: still an end, and no wild access. */
void judge_shifting(bool tear)
{
	const struct pobj_media *m = house_media(tear);
	struct pobj_finding f = { 0 };
	struct pobj_recovery r;
	struct pobj_super s;
	int err;

	err = pobj_recover_pool(m, &s, &r, &f);
	if (err && err != -EUCLEAN && err != -EMEDIUMTYPE)
		house_bad("another error than damaged or no pool");
	house_shift = 0;
	if (!pobj_super_load(m, &s, NULL))
		judge_problems(m, &s, NULL);
}
