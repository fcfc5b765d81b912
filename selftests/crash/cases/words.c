// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* Words through a lane's log, at every border of it; growth of the log. */
#include "selftests/crash/cases/cases.h"

static struct pobj_change words[64];
static struct pobj_step steps[64];
static u64 old_value[64];
static u32 word_cnt;

static enum power_state words_state(const struct pobj_media *m, int err, const char **why)
{
	u32 i, olds = 0, news = 0;
	__le64 v;

	if (err) {
		*why = "recovery refused";
		return POWER_WRONG;
	}
	for (i = 0; i < word_cnt; i++) {
		m->read(m, &v, words[i].target, sizeof(v));
		olds += le64_to_cpu(v) == old_value[i];
		news += le64_to_cpu(v) == words[i].value;
	}
	if (!tiny_check(m)) {
		*why = "check finds problems";
		return POWER_WRONG;
	}
	*why = "words are neither all old nor all new";
	return news == word_cnt ? POWER_NEW : olds == word_cnt ? POWER_OLD : POWER_WRONG;
}

static struct power_case words_case = {
	.recover = tiny_recover, .state = words_state, .kill = true,
};

/* Set @cnt words in up to three lines, over and over, so that slots rotate. */
static void explore_words(u32 cnt, int rounds, int chunks, int depth)
{
	struct pobj_lane lane;
	u32 i, round;
	u64 data;

	tiny_make();
	data = pobj_geom_page(&tiny_super.geom, 0);
	if (pobj_lane_take(&lane, &tiny, &tiny_super.geom, 1, NULL))
		abort();
	for (i = 0; i < (u32)chunks; i++) {
		if (pobj_lane_grow(&lane, tiny_super.geom.page_cnt - 1 - i))
			abort();
	}
	word_cnt = cnt;
	words_case.depth = depth;
	for (round = 0; round < (u32)rounds; round++) {
		for (i = 0; i < cnt; i++) {
			words[i].target = data + i % 3 * 64 + i / 3 * 8;
			old_value[i] = words[i].value;
			words[i].value = ((u64)round << 32 | i) + 1;
			if (!round)
				old_value[i] = 0;
		}
		power_begin(&tiny, &words_case);
		if (pobj_lane_change(&lane, words, cnt, steps))
			abort();
		power_end();
	}
	memset(words, 0, sizeof(words));
}

void case_words_few(void)
{
	explore_words(1, 18, 0, 2);	/* past the ring of 16 slots */
	explore_words(3, 2, 0, 3);	/* slot full */
}

void case_words_ext(void)
{
	explore_words(4, 2, 0, 2);	/* first extension line */
	explore_words(9, 1, 0, 2);	/* own lines full */
}

void case_words_chunk(void)
{
	explore_words(10, 1, 1, 1);	/* first line of a chunk */
	explore_words(18, 1, 1, 1);	/* chunk full */
	explore_words(19, 1, 2, 1);	/* second chunk */
}

/* As after the death of one process among others: its lane alone. */
static int recover_one_lane(const struct pobj_media *m)
{
	struct pobj_recovery r = { 0 };

	return pobj_recover_lane(m, &tiny_super, 1, &r, NULL);
}

void case_words_one_lane(void)
{
	words_case.recover = recover_one_lane;
	explore_words(3, 2, 0, 2);
	explore_words(5, 1, 0, 2);
	words_case.recover = tiny_recover;
}

static const struct power_case tear_case = {
	.recover = tiny_recover, .state = words_state, .depth = 2, .kill = true,
	.lines_tear = true,
};

void case_words_tear(void)
{
	struct pobj_lane lane;
	u64 data;

	tiny_make();
	data = pobj_geom_page(&tiny_super.geom, 0);
	pobj_lane_take(&lane, &tiny, &tiny_super.geom, 1, NULL);
	word_cnt = 5;
	for (u32 i = 0; i < word_cnt; i++) {
		words[i] = (struct pobj_change){ data + i * 64, i + 1 };
		old_value[i] = 0;
	}
	power_begin(&tiny, &tear_case);
	if (pobj_lane_change(&lane, words, word_cnt, steps))
		abort();
	power_end();
	memset(words, 0, sizeof(words));
}

/* ---- growth of the log ------------------------------------------------------------------- */

static u64 chunks_before;

static enum power_state grow_state(const struct pobj_media *m, int err, const char **why)
{
	struct pobj_census c;

	*why = "recovery refused";
	if (err)
		return POWER_WRONG;
	*why = "check finds problems";
	if (pobj_check_pool(m, &tiny_super, &c, NULL, NULL) || c.problems)
		return POWER_WRONG;
	*why = "number of chunks";
	return c.logs == chunks_before ? POWER_OLD :
	       c.logs == chunks_before + 1 ? POWER_NEW : POWER_WRONG;
}

static const struct power_case grow_case = {
	.recover = tiny_recover, .state = grow_state, .depth = 2, .kill = true,
};

void case_grow(void)
{
	struct pobj_lane lane;

	tiny_make();
	/* Pages full of what was there before. */
	memset(tiny_bytes + tiny_super.geom.data_off, 0xa5, TINY_BYTES - tiny_super.geom.data_off);
	pobj_lane_take(&lane, &tiny, &tiny_super.geom, 1, NULL);
	for (chunks_before = 0; chunks_before < 3; chunks_before++) {
		power_begin(&tiny, &grow_case);
		if (pobj_lane_grow(&lane, 3 + chunks_before))
			abort();
		power_end();
	}
}
