# SPDX-License-Identifier: BSD-3-Clause
#
# Tests and checks. Each is a program that prints TAP; selftests/run.sh runs them and counts.

.PHONY: check check-host check-vm lint demo

host-scripts := $(shell find selftests/lint selftests/unit selftests/tools selftests/compat selftests/second \
	-name '*.sh' -perm -u+x 2>/dev/null | sort)
vm-scripts := $(shell find selftests/vm -name '*.sh' -perm -u+x 2>/dev/null | sort)
lints := $(addprefix tools/lint/,arrows spdx headers readme sparse-core sparse-kmod checkpatch)
run := TEST_JOBS=$(shell nproc) selftests/run.sh

build/kselftest/kselftest_harness.h: | build/setup.stamp
	@tools/setup/kselftest
build/kernel-scripts/checkpatch.pl: build/kselftest/kselftest_harness.h ;

checks-need := build/kernel-scripts/checkpatch.pl $(kernel)

lint: $(checks-need) ## sparse, checkpatch, include arrows, SPDX lines
	@rm -rf build/test && $(run) -o build/test $(lints)
	@$(run) -t build/test

check-host: all tests second-needs $(checks-need) ## checks and the tests that need no virtual machine
	@rm -rf build/test && $(run) -o build/test $(lints) $(host-scripts) $(host-programs)
	@$(run) -t build/test

check-vm: all tests $(checks-need) ## the tests in a virtual machine
	@rm -rf build/test && $(run) -o build/test $(vm-scripts)
	@selftests/guest.sh build/test $(guest-programs)
	@$(run) -t build/test

check: all tests second-needs $(checks-need) ## everything; the last line counts it. KVER=6.12 for that kernel
	@rm -rf build/test && tools/lint/tree -b
	@$(run) -o build/test $(lints) $(host-scripts) $(host-programs) $(vm-scripts)
	@selftests/guest.sh build/test $(guest-programs)
	@$(run) -o build/test tools/lint/tree
	@$(run) -t build/test

demo: all ## a guided tour in a virtual machine
	@tools/demo/run
