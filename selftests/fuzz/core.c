// SPDX-License-Identifier: BSD-3-Clause
/* Fuzz target: lib/core, as the module runs it: superblock, recovery, check. */
#include "selftests/fuzz/input.h"
#include "selftests/fuzz/judge.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (size < INPUT_HEAD)
		return 0;
	input_take(data, size);
	if (data[0] & INPUT_SHIFT) {
		house_shift = data[INPUT_SHIFT_AT];
		house_shift_off = ((u64)data[INPUT_SHIFT_AT + 1] << 8 |
				   data[INPUT_SHIFT_AT + 2]) * sizeof(u64);
		memcpy(&house_shift_value, data + 1, sizeof(house_shift_value));
		judge_shifting(data[0] & USE_TEAR);
		house_shift = 0;
	} else {
		judge(data[0] & USE_TEAR);
	}
	return 0;
}
