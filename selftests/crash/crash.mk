# SPDX-License-Identifier: BSD-3-Clause
# The long run of the power explorer, on all CPUs.
.PHONY: prove-power
prove-power: $(O)/selftests/crash/power ## lose power in pairs and triples of all operations, and random ones
	$< --prove
