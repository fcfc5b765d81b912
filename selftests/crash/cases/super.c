// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* Format, and repair of a superblock copy. */
#include "selftests/crash/cases/cases.h"

static enum power_state format_state(const struct pobj_media *m, int err, const char **why)
{
	struct pobj_super s;		/* not static: recoveries nest */
	struct pobj_census c;

	if (pobj_super_load(m, &s, NULL))
		return POWER_OLD;	/* no pool: what a crash in a format may leave */
	*why = "pool is damaged";
	if (err || pobj_check_pool(m, &s, &c, NULL, NULL) || c.problems)
		return POWER_WRONG;
	*why = "old superblock over a new pool";
	if (s.uuid[0] == 1)	/* not begun: then the large object of the old pool is there */
		return c.larges == 1 ? POWER_OLD : POWER_WRONG;
	*why = "new superblock over an old pool";
	return c.larges ? POWER_WRONG : POWER_NEW;
}

static const struct power_case format_case = {
	.recover = tiny_recover, .state = format_state, .depth = 1, .one_odd = true,
};

void case_format(void)
{
	struct pobj_format_args a;
	struct pobj_lane lane;
	struct pobj_change w[2];
	struct pobj_step steps[2];
	u64 line;

	/* Over garbage, and over a pool that was in use. */
	tiny_make();
	memset(tiny_bytes, 0x5a, sizeof(tiny_bytes));
	tiny_format_args(&a, 2);
	power_begin(&tiny, &format_case);
	if (pobj_super_format(&tiny, &a))
		abort();
	power_end();

	tiny_make();
	pobj_lane_take(&lane, &tiny, &tiny_super.geom, 1, NULL);
	line = pobj_geom_line(&tiny_super.geom, 2);
	w[0] = (struct pobj_change){ line + 16, 3 << TINY_PAGE_SHIFT };
	w[1] = (struct pobj_change){ line, pobj_line_header(POBJ_M_LARGE, 0, 0, 3) };
	if (pobj_lane_change(&lane, w, 2, steps))
		abort();
	tiny_format_args(&a, 2);
	power_begin(&tiny, &format_case);
	if (pobj_super_format(&tiny, &a))
		abort();
	power_end();
}

static enum power_state repair_state(const struct pobj_media *m, int err, const char **why)
{
	struct pobj_super s;		/* not static: recoveries nest */

	*why = "superblock lost";
	if (err || pobj_super_load(m, &s, NULL) || s.uuid[0] != 1)
		return POWER_WRONG;
	*why = "copy was not repaired";
	return s.bad_copies ? POWER_WRONG : POWER_NEW;
}

static const struct power_case repair_case = {
	.recover = tiny_recover, .state = repair_state, .depth = 2, .kill = true, .one_odd = true,
};

void case_repair(void)
{
	static const u64 copies[] = { POBJ_M_SUPER_OFF0, POBJ_M_SUPER_OFF1 };

	for (int i = 0; i < 2; i++) {
		tiny_make();
		tiny_bytes[copies[i] + 100] ^= 1;
		power_begin(&tiny, &repair_case);
		if (tiny_recover(&tiny))
			abort();
		power_end();
	}
}
