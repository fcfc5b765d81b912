// SPDX-License-Identifier: BSD-3-Clause
/* Fuzz target: the library. Every BY_PATH-th input goes through pmemobj_open(), too. */
#include "selftests/fuzz/input.h"

#define BY_PATH	1024U

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u64 nr;

	if (size < INPUT_HEAD)
		return 0;
	if (!(++nr % BY_PATH)) {
		input_take(data, size);
		use_by_path(data);
	}
	input_take(data, size);
	use(data);
	return 0;
}
