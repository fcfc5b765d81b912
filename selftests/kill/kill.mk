# SPDX-License-Identifier: BSD-3-Clause
# Calls by which the library changes what processes share, beside its stores (points.h).
kill-calls := mmap munmap fcntl shm_open shm_unlink ftruncate fchown fchmod close
$(O)/selftests/kill/step: override LDFLAGS += $(kill-calls:%=-Wl,--wrap=%)

.PHONY: prove-kill-real
prove-kill-real: $(O)/selftests/kill/step ## kill at every instruction of every operation; takes long
	POBJ_KILL_EVERY=1 POBJ_KILL_SHARDS=2 $(O)/selftests/kill/step
