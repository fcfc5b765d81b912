# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel module. KVER=6.1 or 6.12 builds for a Debian kernel that is fetched when needed;
# KDIR=/lib/modules/$(uname -r)/build builds for another.

.PHONY: modules modules_install

ifdef KDIR
kmod := build/kmod-custom
else
kmod := build/kmod-$(KVER)
kernel := build/kernel/$(KVER)/version
KDIR := $(abspath build/kernel/$(KVER)/headers)
endif

build/kernel/%/version: | build/setup.stamp
	@tools/setup/kernel $*

modules: $(kernel) | build/setup.stamp ## build pobj.ko for KVER (build/kmod-KVER/pobj.ko)
	+@tools/build/module $(KDIR) $(kmod)

modules_install: modules ## install pobj.ko below DESTDIR
	+$(MAKE) -C $(KDIR) M=$(abspath $(kmod)) INSTALL_MOD_PATH=$(DESTDIR) CONFIG_MODULE_SIG_ALL= modules_install
