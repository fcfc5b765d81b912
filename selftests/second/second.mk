# SPDX-License-Identifier: BSD-3-Clause
# The tests' programs as memcheck, TSan, ASan and UBSan see them (judge). Each tool has a tree: the
# regular one, build/tsan and build/san. All of them are built when tests are.
second-src := $(wildcard selftests/unit/*.c selftests/compat/*.c)
second-lib := $(second-src:.c=)
second-own := $(addprefix build/second/,patience.so forks.so seeds seeds-tsan seeds-san) \
	$(patsubst selftests/unit/%.c,build/second/plain/%,$(wildcard selftests/unit/core_*.c))
second-needs := $(second-own) second-tsan second-san

.PHONY: second-opinion second-needs second-tsan second-san

second-opinion: tests second-needs ## judge the tests by memcheck, TSan, ASan and UBSan, all of them
	@rm -rf build/second/test
	@for tool in memcheck tsan san; do \
		TEST_TIMEOUT=3600 SECOND_ALL=1 selftests/run.sh -o build/second/test \
			selftests/second/$$tool.sh; \
		sed -n 's/^# \([a-z]*: [0-9]* programs\)/      \1/p' \
			build/second/test/second.$$tool.tap; done
	@selftests/run.sh -t build/second/test

second-needs: $(second-needs)

# Nothing is inlined away that a report should name. lto and O as user.mk has them, but for this.
second-tsan: | build/setup.stamp build/kselftest/kselftest_harness.h
	+@$(MAKE) O=build/tsan lto= CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=thread' \
		$(addprefix build/tsan/,$(filter-out selftests/unit/core_%,$(second-lib)))

# -Wno-restrict: with what these sanitizers put between, gcc takes members of one struct for one. And
# it takes a thread-local variable for null where it moves that check out of a loop; null traps anyway.
second-san: | build/setup.stamp build/kselftest/kselftest_harness.h
	+@$(MAKE) SAN=1 CFLAGS='-O1 -g -Wno-restrict $(SANFLAGS) -fno-sanitize=null' $(addprefix build/san/,$(filter-out selftests/unit/core_%,$(second-lib)) \
		selftests/kill/random)

# lib/core and its tests once more: user.mk builds these with ASan, which valgrind cannot run.
build/second/plain/%: $(O)/obj/selftests/unit/%.o $(call objs,lib/core/*.c)
	$(call say,LINK)mkdir -p $(@D); $(CC) $(CFLAGS) -fno-lto $(LDFLAGS) -o $@ $^

build/second/%.so: selftests/second/%.c selftests/second/second.mk | build/setup.stamp
	$(call say,LINK)mkdir -p $(@D); $(CC) -O1 -g $(pobj-cflags) $(gnu-cflags) -fPIC -shared -o $@ $< -ldl

second-seeds = $(call say,LINK)mkdir -p $(@D); $(CC) -O1 -g $(pobj-cflags) $(gnu-cflags) $(1) -o $@ $<

build/second/seeds: selftests/second/seeds.c selftests/second/second.mk | build/setup.stamp
	$(call second-seeds)
build/second/seeds-tsan: selftests/second/seeds.c selftests/second/second.mk | build/setup.stamp
	$(call second-seeds,-fsanitize=thread)
build/second/seeds-san: selftests/second/seeds.c selftests/second/second.mk | build/setup.stamp
	$(call second-seeds,$(SANFLAGS))
