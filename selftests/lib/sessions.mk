# SPDX-License-Identifier: BSD-3-Clause
# The tests of sessions see each dead one that is given to the reaper, and say how that ends. They
# also stop a process before it locks a slot.
$(O)/selftests/unit/session $(O)/selftests/kmod/session: \
	override LDFLAGS += -Wl,--wrap=pobj_reap_session,--wrap=pobj_file_lock
