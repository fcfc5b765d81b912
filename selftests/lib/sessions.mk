# SPDX-License-Identifier: BSD-3-Clause
# The tests of sessions see each dead one that is given to the reaper, and say how that ends. They
# also stop a process before it locks a slot. For that they take the library's objects one by one.
plain-programs := $(O)/selftests/unit/session $(O)/selftests/kmod/session
$(plain-programs): \
	override LDFLAGS += -fno-lto -Wl,--wrap=pobj_reap_session,--wrap=pobj_file_lock
