# SPDX-License-Identifier: BSD-3-Clause
#
# pobj: persistent memory objects, kernel module and library. "make help" lists what there is to do.

VERSION := 0.1.0

PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=
KVER    ?= 6.1

# Every job at once, unless the caller says otherwise, or another make that called this one.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-print-directory -r
export KVER POBJ_CACHE

.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
.PHONY: all help setup clean distclean

all: tools man modules ## build the library, the tools, their man pages and the module

include tools/build/user.mk
include tools/build/kernel.mk
include tools/build/check.mk
include tools/build/bench.mk

setup: build/setup.stamp ## install what is missing of the packages that building and testing need

# Fast when all is there. The stamp saves the work while neither the list nor the machine changed.
build/setup.stamp: tools/setup/packages tools/setup/install $(wildcard /var/lib/dpkg/status)
	@tools/setup/install
	@mkdir -p build && touch $@

help: ## show this list
	@echo 'make TARGET [KVER=6.1|6.12]'
	@sed -n 's/^\([a-z_-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | sort | \
		awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

clean: ## remove what was built; downloaded kernels stay
	rm -rf $(filter-out build/cache build/kernel build/kselftest build/kernel-scripts,$(wildcard build/*))

distclean: ## remove the whole build folder
	rm -rf build
