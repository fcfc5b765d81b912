# SPDX-License-Identifier: BSD-3-Clause
# objbench and poolbench, each twice: X with this library, X-peer with Debian's libpmemobj. Both link
# the shared library, as programs of users do: calls and thread-local words cost the same way.

bench-pair := $(O)/selftests/bench/objbench $(O)/selftests/bench/poolbench
bench-peer := $(addsuffix -peer,$(bench-pair))
# These know no library.
bench-tools := $(addprefix $(O)/selftests/bench/,fencecount flushcost known)
bench-programs := $(bench-pair) $(bench-peer) $(bench-tools)
other-programs := $(filter-out $(bench-tools),$(other-programs))
bench-src = $(sort $(wildcard selftests/bench/$(1)/*.c))
# Nothing here aborts a transaction, so nothing comes back by longjmp.
bench-cflags = -Wno-clobbered $(if $(wildcard include/libpmemobj/tx.h),,-DOBJBENCH_NO_TX)

tests: $(bench-programs)

$(bench-tools): $(O)/%: $(O)/obj/%.o
	$(call link)
$(O)/selftests/bench/fencecount: $(O)/obj/selftests/bench/x86/insn.o

$(O)/obj/selftests/bench/objbench/ops.o: pobj-cflags += $(bench-cflags)

# The peer's headers: without -Iinclude.
$(O)/peer/%.o: %.c tools/build/user.mk selftests/bench/bench.mk | build/setup.stamp
	$(call say,CC)mkdir -p $(@D)
	$q$(CC) $(CFLAGS) $(filter-out -Iinclude%,$(pobj-cflags)) -Wno-clobbered $(gnu-cflags) \
		$(test-cflags) -c -o $@ $<

define bench-rules
$(O)/selftests/bench/$(1): $$(patsubst %.c,$(O)/obj/%.o,$$(call bench-src,$(1))) \
		$(O)/lib/libpobj-user.so.1
	$$(call say,LINK)mkdir -p $$(@D)
	$$q$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ -pthread -Wl,-rpath,'$$$$ORIGIN/../../lib'

$(O)/selftests/bench/$(1)-peer: $$(patsubst %.c,$(O)/peer/%.o,$$(call bench-src,$(1)))
	$$(call say,LINK)mkdir -p $$(@D)
	$$q$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ -pthread -lpmemobj
endef
$(foreach p,objbench poolbench,$(eval $(call bench-rules,$(p))))

.PRECIOUS: $(O)/peer/%.o
-include $(shell find $(O)/peer -name '*.d' 2>/dev/null)
