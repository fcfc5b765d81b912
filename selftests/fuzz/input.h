/* SPDX-License-Identifier: BSD-3-Clause */
/* What the fuzzer makes up: INPUT_HEAD bytes that say what to do, then the image. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "selftests/fuzz/use.h"

#define INPUT_HEAD	64U
#define INPUT_BYTES	(INPUT_HEAD + HOUSE_BYTES)

#define INPUT_SHIFT	4U	/* flag: the medium changes while it is recovered */
#define INPUT_SHIFT_AT	USE_BYTES	/* at which read, and (2 bytes) which word */

_Static_assert(USE_BYTES + 3 <= INPUT_HEAD, "head holds the script");

/* Put the image of an input into the house. */
static inline void input_take(const u8 *data, size_t size)
{
	const size_t bytes = size < INPUT_HEAD ? 0 : size - INPUT_HEAD;

	house_take(bytes < HOUSE_BYTES ? bytes : HOUSE_BYTES);
	if (bytes)
		memcpy(house_image, data + INPUT_HEAD, bytes < HOUSE_BYTES ? bytes : HOUSE_BYTES);
}

#endif
