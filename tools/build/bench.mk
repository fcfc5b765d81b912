# SPDX-License-Identifier: BSD-3-Clause
#
# Measuring and comparing, against Debian's libpmemobj. What is measured depends on the machine, so
# none of it is a check.

.PHONY: bench bench-sustained api-matrix

bench: $(bench-programs) ## compare with libpmemobj; build/bench/bench.{json,svg}
	@selftests/bench/run -b $(O)/selftests/bench -o $(O)/bench

bench-sustained: $(bench-programs) ## 10^8 operations in a nearly full pool; minutes
	@selftests/bench/run -s -b $(O)/selftests/bench -o $(O)/bench

api-matrix: lib ## which names of libpmemobj are there; build/api-matrix.md
	@tools/api-matrix -l $(so) -o $(O)/api-matrix.md
