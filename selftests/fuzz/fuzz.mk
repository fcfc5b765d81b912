# SPDX-License-Identifier: BSD-3-Clause
#
# Hostile media: libFuzzer targets and an exhaustive program, with ASan and UBSan, built by clang
# whatever CC is. "make check" runs them with fixed seeds and counts, "make fuzz" for a time.

.PHONY: fuzz fuzz-programs

F          := build/fuzz
FUZZ_CC    ?= clang
FUZZ_SECONDS ?= 600
fuzz-san   := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# The library is watched for coverage, what watches it is not; and mutations need no sanitizer, nor
# hints from comparisons: they know the format.
fuzz-cc     = $(FUZZ_CC) -O2 -g $(pobj-cflags) $(gnu-cflags) -DPOBJ_BUILD_TAG=$(tag)ULL \
	$(if $(filter %/mutate.c,$<),,$(fuzz-san)) \
	$(if $(filter lib/%,$<),-fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp)
# In the house there are no other sessions (house.c).
fuzz-link   = $(call say,LINK)$(FUZZ_CC) $(fuzz-san) $(2) -Wl,--wrap=pobj_session_reap -o $@ $(filter %.o,$^) $(1) $(lib-libs)

fuzz-objs  = $(patsubst %.c,$(F)/obj/%.o,$(1))
fuzz-lib   := $(call fuzz-objs,$(sort $(wildcard lib/*.c lib/core/*.c)))
fuzz-house := $(call fuzz-objs,$(addprefix selftests/fuzz/,house.c image.c judge.c use.c))
fuzz-own   := $(call fuzz-objs,$(wildcard selftests/fuzz/*.c))
fuzz-mutate := $(call fuzz-objs,selftests/fuzz/mutate.c)

$(F)/obj/%.o: %.c tools/build/user.mk selftests/fuzz/fuzz.mk | build/setup.stamp
	$(call say,CC)mkdir -p $(@D)
	$q$(fuzz-cc) -c -o $@ $<

$(F)/obj/lib/core/super.o: $(media)

$(F)/every $(F)/seeds: $(F)/%: $(F)/obj/selftests/fuzz/%.o $(fuzz-house) $(fuzz-lib)
	$(call fuzz-link)

$(F)/core $(F)/heap: $(F)/%: $(F)/obj/selftests/fuzz/%.o $(fuzz-mutate) $(fuzz-house) $(fuzz-lib)
	$(call fuzz-link,,-fsanitize=fuzzer)

# Seeded defects, one function of the library each: its object is made anew with the function called
# real_NAME, and defect.c has a NAME that does wrong; or defect.h has, if it is inline. Each must be
# found.
fuzz-defects := target:core/ext:pobj_lane_may_undo:core geometry:core/geom:pobj_geom_check:core \
	circle:core/ext:pobj_ext_next:core reference:core/object:pobj_object_find:core \
	slab:slab:inline:heap
fuzz-part = $(word $(2),$(subst :, ,$(1)))

define fuzz-defect
$(F)/defect/$(1)/real.o: lib/$(2).c selftests/fuzz/fuzz.mk | build/setup.stamp
	$$(call say,CC)mkdir -p $$(@D)
	$$q$$(fuzz-cc) $(if $(filter inline,$(3)),-DDEFECT_$(1) -include selftests/fuzz/defect.h,\
		-D$(3)=real_$(3)) -c -o $$@ $$<
$(F)/defect/$(1)/wrong.o: selftests/fuzz/defect.c selftests/fuzz/fuzz.mk | build/setup.stamp
	$$(call say,CC)mkdir -p $$(@D)
	$$q$$(fuzz-cc) -DDEFECT_$(1) -c -o $$@ $$<
$(F)/defect/$(1)/$(4): $(F)/obj/selftests/fuzz/$(4).o $(fuzz-mutate) $(fuzz-house) \
		$(filter-out $(F)/obj/lib/$(2).o,$(fuzz-lib)) $(F)/defect/$(1)/real.o \
		$(F)/defect/$(1)/wrong.o
	$$(call fuzz-link,,-fsanitize=fuzzer)
fuzz-programs: $(F)/defect/$(1)/$(4)
endef
$(foreach d,$(fuzz-defects),$(eval $(call fuzz-defect,$(call fuzz-part,$(d),1),$(call \
	fuzz-part,$(d),2),$(call fuzz-part,$(d),3),$(call fuzz-part,$(d),4))))

fuzz-programs: $(F)/every $(F)/seeds $(F)/core $(F)/heap

# Beside the programs of other folders. Not prerequisites: the script is there already.
check check-host: fuzz-programs
check check-host: host-programs += $(F)/every selftests/fuzz/check.sh

fuzz: fuzz-programs ## hostile media, FUZZ_SECONDS=600 on all CPUs; summary at the end
	@selftests/fuzz/run -t $(FUZZ_SECONDS) $(F)

.PRECIOUS: $(F)/obj/%.o
-include $(shell find $(F) -name '*.d' 2>/dev/null)
