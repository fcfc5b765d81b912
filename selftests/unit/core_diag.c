// SPDX-License-Identifier: BSD-3-Clause
/* lib/core/diag.c: every finding has words and advice, for any number. */
#include "kselftest_harness.h"
#include "lib/core/diag.h"

static bool is_a_line(const char *s)
{
	return s && strlen(s) > 5 && !strchr(s, '\n') && s[strlen(s) - 1] != '.' &&
	       s[strlen(s) - 1] != ' ';
}

TEST(every_finding_has_text_and_advice)
{
	u32 i, j;

	for (i = 0; i < POBJ_DIAG_CNT; i++) {
		EXPECT_TRUE(is_a_line(pobj_diag_text(i)))
			TH_LOG("finding %u", i);
		EXPECT_TRUE(is_a_line(pobj_diag_advice(i)))
			TH_LOG("finding %u", i);
		for (j = 0; j < i; j++)
			EXPECT_NE(0, strcmp(pobj_diag_text(i), pobj_diag_text(j)));
	}
}

TEST(unknown_numbers)
{
	static const u32 numbers[] = { POBJ_DIAG_CNT, POBJ_DIAG_CNT + 1, 1000, 0x7fffffff,
				       0x80000000, ~0U };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		EXPECT_TRUE(is_a_line(pobj_diag_text(numbers[i])));
		EXPECT_TRUE(is_a_line(pobj_diag_advice(numbers[i])));
	}
}

TEST(found_fills_and_returns)
{
	struct pobj_finding f;

	EXPECT_EQ(-EUCLEAN, pobj_found(&f, -EUCLEAN, POBJ_DIAG_ROOT, 1, 2, 3));
	EXPECT_EQ(POBJ_DIAG_ROOT, f.diag);
	EXPECT_EQ(1, f.off);
	EXPECT_EQ(2, f.found);
	EXPECT_EQ(3, f.expected);
	EXPECT_EQ(-EIO, pobj_found(NULL, -EIO, 0, 0, 0, 0));
}

TEST_HARNESS_MAIN
