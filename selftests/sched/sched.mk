# SPDX-License-Identifier: BSD-3-Clause
#
# Interleavings and kills: the library once more, with a hook at each access to memory, linked with
# what simulates processes. Two numbers are smaller, because each step is taken a million times: a
# few slots for sessions are as good as many, and each is looked at; with fewer size classes an
# object of five pages is a large one.
.PHONY: prove-kill prove-durable

sched-programs := $(call programs,sched)
sched-flags := -O1 -g -DPOBJ_TRACE -I$(O)/sched/include
# Not as built-ins: those of few bytes would become stores without hooks.
sched-hooks := -fsanitize=thread --param tsan-instrument-func-entry-exit=0 \
	-fno-builtin-memset -fno-builtin-memcpy -fno-builtin-memmove
sched-rename := --redefine-sym memcpy=sched_memcpy --redefine-sym memset=sched_memset \
	--redefine-sym memmove=sched_memmove --globalize-symbol=pobj_seats --redefine-sym seats=pobj_seats
sched-wraps := malloc calloc realloc free pobj_file_lock fcntl nanosleep usleep clock_gettime \
	syscall pthread_self pthread_mutex_lock pthread_mutex_trylock pthread_mutex_unlock \
	pthread_mutex_consistent pthread_mutex_init pthread_mutex_destroy pthread_key_create pthread_setspecific

sched-small := $(O)/sched/include/lib/core/side.h $(O)/sched/include/lib/heap.h

# With hooks; and without.
sched-traced := $(patsubst %.c,$(O)/sched/%.o,$(sort $(filter-out lib/registry.c, \
	$(wildcard lib/*.c lib/core/*.c)) selftests/sched/cases/pool.c selftests/sched/cases/ops.c))
sched-plain := $(patsubst %.c,$(O)/sched/%.o,$(sort $(wildcard selftests/sched/engine/*.c) \
	selftests/sched/cases/args.c selftests/sched/cases/judge.c \
	selftests/sched/cases/seeds.c selftests/lib/audit.c))

$(O)/sched/include/lib/core/side.h: lib/core/side.h
	@mkdir -p $(@D)
	$qsed 's/^\(#define POBJ_SESSION_SLOTS\).*/\1 8U/' $< >$@

$(O)/sched/include/lib/heap.h: lib/heap.h
	@mkdir -p $(@D)
	$qsed 's/^\(#define POBJ_CLASSES\).*/\1 20/' $< >$@

$(O)/sched/lib/core/super.o: pobj-cflags += -DPOBJ_BUILD_TAG=$(tag)ULL
$(O)/sched/lib/core/super.o: $(media)
$(sched-traced): $(O)/sched/%.o: %.c $(sched-small) \
		selftests/sched/sched.mk | build/setup.stamp
	$(call say,CC)mkdir -p $(@D)
	$q$(CC) $(sched-flags) $(sched-hooks) $(pobj-cflags) $(gnu-cflags) -c -o $@ $<
	$qobjcopy $(sched-rename) $@

# Joined with power loss: the explorer of it, and lib/core once more for images of the pool, without
# hooks at each access, which is three times as fast. What both have goes by other names here.
sched-durable := $(patsubst %.c,$(O)/sched/%.o,$(wildcard selftests/sched/cases/durable*.c) \
	selftests/crash/engine/machine.c selftests/crash/engine/power.c)
sched-image := $(patsubst %.c,$(O)/sched/image/%.o,$(wildcard lib/core/*.c))
sched-image-api := pobj_recover_pool pobj_check_pool pobj_line_read
sched-power := -DPOWER_THREADS=3U $(foreach h,words copy fill xor flush fence, \
	-Dpobj_trace_$(h)=power_trace_$(h)) $(foreach f,$(sched-image-api),-D$(f)=image_$(f))

$(O)/selftests/sched/durable: $(sched-durable) $(O)/sched/image.o
$(sched-durable) $(O)/sched/selftests/sched/durable.o: sched-flags += $(sched-power)

$(O)/sched/image/lib/core/super.o: pobj-cflags += -DPOBJ_BUILD_TAG=$(tag)ULL
$(O)/sched/image/lib/core/super.o: $(media)
$(sched-image): $(O)/sched/image/%.o: %.c selftests/sched/sched.mk | build/setup.stamp
	$(call say,CC)mkdir -p $(@D)
	$q$(CC) $(sched-flags) $(sched-power) -O2 $(pobj-cflags) $(gnu-cflags) -c -o $@ $<

$(O)/sched/image.o: $(sched-image)
	$(call say,LD)$(LD) -r -o $@ $^
	$qobjcopy $(sched-image-api:%=-G image_%) -G pobj_weak_rules $@

$(sched-plain) $(sched-durable) $(sched-programs:$(O)/%=$(O)/sched/%.o): $(O)/sched/%.o: %.c \
		$(sched-small) selftests/sched/sched.mk | build/setup.stamp
	$(call say,CC)mkdir -p $(@D)
	$q$(CC) $(sched-flags) -O2 $(pobj-cflags) $(gnu-cflags) -c -o $@ $<

$(sched-programs): $(O)/%: $(O)/sched/%.o $(sched-traced) $(sched-plain)
	$(call say,LINK)mkdir -p $(@D)
	$q$(CC) $(LDFLAGS) $(sched-wraps:%=-Wl,--wrap=%) -no-pie -o $@ $^ $(lib-libs)

.PRECIOUS: $(O)/sched/%.o
-include $(shell find $(O)/sched -name '*.d' 2>/dev/null)

tests: $(sched-programs)
check check-host: host-programs += $(sched-programs)

# The log tells how far it is; SCHED_RESUME=1 goes on from there.
prove-kill: $(O)/selftests/sched/kill $(kill-real-needs) ## kill simulated processes in all schedules, then real ones; takes hours
	SCHED_LONG=1 SCHED_LOG=$(O)/sched/prove-kill.log $<
	$(kill-real)

prove-durable: $(O)/selftests/sched/durable ## lose power in all schedules of two operations
	DURABLE_LONG=1 $<
