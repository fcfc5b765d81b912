# SPDX-License-Identifier: BSD-3-Clause
#
# The library, the tools and the test programs. A new file in one of the folders is found by its
# place. SAN=1 builds everything with ASan and UBSan, in build/san. V=1 shows the commands.
#
#   lib/*.c lib/core/*.c      build/lib/libpobj-user.{so.1,a}
#   tools/pobjctl/*.c         build/bin/pobjctl
#   tools/examples/X.c        build/bin/X
#   selftests/DIR/X.c         build/selftests/DIR/X; with selftests/lib/*.c
#   selftests/unit/core_X.c   sees lib/core only, always with ASan and UBSan
#   tools/man/X.N.scd         build/man/X.N
#   selftests/DIR/*.mk        what a folder wants otherwise

.PHONY: lib tools tests man install

O := build$(if $(SAN),/san)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

CC       ?= gcc
AR       ?= ar
CFLAGS   ?= -O3 -g
CFLAGS   += $(if $(SAN),$(SANFLAGS))
# Appended to what the caller gives: these are not a matter of taste.
pobj-cflags := -std=gnu11 -Wall -Wextra -Werror -Iinclude -Iinclude/uapi -I. -pthread -MMD -MP
# The examples show what a user writes; all else takes glibc whole. Empty, as sources define it.
gnu-cflags  := -D_GNU_SOURCE=
# What the library exports is the business of its symbol map alone. It is optimised as a whole, with
# gcc: an operation runs through five files, and a tenth of its instructions were calls. The objects
# hold plain code, too: some tests put functions of their own in place of the library's.
lto         := $(if $(SAN),,$(if $(findstring Free Software,$(shell $(CC) --version)),-flto=auto))
lib-cflags  := -fPIC -fno-semantic-interposition $(if $(lto),$(lto) -ffat-lto-objects)
test-cflags := -Ibuild/kselftest -Iselftests/lib -Wno-unused-parameter -Wno-sign-compare
say = @$(if $(V),,printf '  %-4s %s\n' $(1) $@;)
q   = $(if $(V),,@)
lib-libs    := -lblkid -pthread
tool-libs   := -ljson-c

objs = $(patsubst %.c,$(O)/obj/%.o,$(sort $(wildcard $(1))))
lib-objs  := $(call objs,lib/*.c lib/core/*.c)
ctl-objs  := $(call objs,tools/pobjctl/*.c)
test-objs := $(call objs,selftests/lib/*.c)
examples  := $(patsubst tools/examples/%.c,$(O)/bin/%,$(wildcard tools/examples/*.c))

# Programs by folder: on the host, in the guest, and those that are only built.
programs = $(patsubst %.c,$(O)/%,$(sort $(foreach d,$(1),$(wildcard selftests/$(d)/*.c))))
host-programs  := $(call programs,unit crash kill compat)
guest-programs := $(call programs,kmod)
other-programs := $(call programs,bench)
core-programs  := $(filter $(O)/selftests/unit/core_%,$(host-programs))

-include $(wildcard selftests/*/*.mk)

so  := $(O)/lib/libpobj-user.so.1
a   := $(O)/lib/libpobj-user.a
map := $(wildcard lib/libpobj-user.map)

lib: $(if $(lib-objs),$(so) $(a)) ## build the library
tools: lib $(if $(ctl-objs),$(O)/bin/pobjctl) $(examples) ## build pobjctl and the examples
man: $(patsubst tools/man/%.scd,$(O)/man/%,$(wildcard tools/man/*.scd)) ## build the man pages
tests: $(host-programs) $(guest-programs) $(other-programs) ## build the test programs

$(O)/obj/%.o: %.c tools/build/user.mk | build/setup.stamp
	$(call say,CC)mkdir -p $(@D)
	$q$(CC) $(CFLAGS) $(pobj-cflags) $(if $(filter tools/examples/%,$<),,$(gnu-cflags)) \
		$(if $(filter lib/%,$<),$(lib-cflags)) \
		$(if $(filter selftests/%,$<),$(test-cflags)) -c -o $@ $<

# The tag that ties unstable pools to this build; Kbuild derives the same one.
media := $(sort $(wildcard lib/core/*.[ch])) include/uapi/linux/pobj_media.h
tag   := $(shell cat $(media) | cksum | cut -d' ' -f1)
$(O)/obj/lib/core/super.o build/san-core/lib/core/super.o: pobj-cflags += -DPOBJ_BUILD_TAG=$(tag)ULL
$(O)/obj/lib/core/super.o build/san-core/lib/core/super.o: $(media)

# By name: a pattern without a recipe would add nothing.
$(call objs,selftests/*/*.c): | build/kselftest/kselftest_harness.h

# The static library is one object; the shared one knows besides what nobody outside can call.
one := $(O)/obj/libpobj-user.o
$(one): $(lib-objs)
	$(call say,LD)$(CC) $(CFLAGS) $(lib-cflags) $(if $(lto),-flinker-output=nolto-rel) -r -nostdlib \
		-o $@ $^

$(so): $(lib-objs) $(map)
	$(call say,LD)mkdir -p $(@D)
	$q$(CC) $(CFLAGS) $(lib-cflags) $(LDFLAGS) -shared -Wl,-soname,$(@F) -Wl,-z,defs \
		$(map:%=-Wl,--version-script=%) -o $@ $(lib-objs) $(lib-libs)
	@ln -sf $(@F) $(@:.1=)

$(a): $(one)
	$(call say,AR)mkdir -p $(@D); rm -f $@
	$q$(AR) rcs $@ $^

# Programs take the static library, so that they run in a guest and from any folder.
link = $(call say,LINK)mkdir -p $(@D); $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(1) $(lib-libs)

$(O)/bin/pobjctl: $(ctl-objs) $(a)
	$(call link,$(tool-libs))

$(examples): $(O)/bin/%: $(O)/obj/tools/examples/%.o $(a)
	$(call link)

# Crash explorers: the whole library with every store, flush and fence passing their hooks.
trace-objs := $(patsubst %.c,$(O)/trace/%.o,$(sort $(wildcard lib/*.c lib/core/*.c \
	selftests/crash/engine/*.c selftests/crash/cases/*.c)))
crash-programs := $(filter $(O)/selftests/crash/%,$(host-programs))
$(O)/trace/lib/core/super.o: pobj-cflags += -DPOBJ_BUILD_TAG=$(tag)ULL
$(O)/trace/lib/core/super.o: $(media)
$(O)/trace/%.o: %.c tools/build/user.mk | build/setup.stamp
	$(call say,CC)mkdir -p $(@D)
	$q$(CC) $(CFLAGS) -DPOBJ_TRACE $(pobj-cflags) $(gnu-cflags) -c -o $@ $<

$(crash-programs): $(O)/%: $(O)/trace/%.o $(trace-objs)
	$(call link)

$(plain-programs): $(O)/%: $(O)/obj/%.o $(test-objs) $(lib-objs)
	$(call link)

$(filter-out $(core-programs) $(crash-programs) $(plain-programs),$(host-programs) $(guest-programs) $(other-programs)): \
		$(O)/%: $(O)/obj/%.o $(test-objs) $(if $(lib-objs),$(a))
	$(call link)

# lib/core alone, sanitised: what it needs beyond env.h would be missing here.
san-core := $(patsubst %.c,build/san-core/%.o,$(wildcard lib/core/*.c))
build/san-core/%.o: %.c tools/build/user.mk | build/setup.stamp build/kselftest/kselftest_harness.h
	$(call say,CC)mkdir -p $(@D)
	$q$(CC) $(CFLAGS) $(SANFLAGS) $(pobj-cflags) $(gnu-cflags) $(if $(filter selftests/%,$<),$(test-cflags)) -c -o $@ $<

$(core-programs): $(O)/%: build/san-core/%.o $(san-core)
	$(call say,LINK)mkdir -p $(@D)
	$q$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -o $@ $^

$(O)/man/%: tools/man/%.scd | build/setup.stamp
	$(call say,MAN)mkdir -p $(@D)
	$qscdoc <$< >$@

# Kept, and still remade with what they are made of.
.PRECIOUS: $(O)/obj/%.o $(O)/trace/%.o build/san-core/%.o
-include $(shell find $(O)/obj $(O)/trace build/san-core -name '*.d' 2>/dev/null)

install: all ## install library, headers, pobjctl and udev rule below DESTDIR, PREFIX
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/bin \
		$(DESTDIR)$(PREFIX)/include/libpmemobj $(DESTDIR)$(PREFIX)/include/linux \
		$(DESTDIR)/usr/lib/udev/rules.d
	install -m 755 $(so) $(DESTDIR)$(LIBDIR)/libpobj-user.so.$(VERSION)
	ln -sf libpobj-user.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libpobj-user.so.1
	ln -sf libpobj-user.so.1 $(DESTDIR)$(LIBDIR)/libpobj-user.so
	install -m 644 $(a) $(DESTDIR)$(LIBDIR)
	install -m 644 include/*.h $(DESTDIR)$(PREFIX)/include
	install -m 644 include/libpmemobj/*.h $(DESTDIR)$(PREFIX)/include/libpmemobj
	install -m 644 include/uapi/linux/*.h $(DESTDIR)$(PREFIX)/include/linux
	install -m 755 $(O)/bin/pobjctl $(DESTDIR)$(PREFIX)/bin
	for page in $(O)/man/*; do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit; \
	done
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' \
		tools/pkg/libpobj-user.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/libpobj-user.pc
	install -m 644 tools/pkg/90-pobj.rules $(DESTDIR)/usr/lib/udev/rules.d
