# SPDX-License-Identifier: BSD-3-Clause
# Calls by which the library changes what processes share, beside its stores (engine/points.h).
kill-calls := mmap munmap fcntl shm_open shm_unlink ftruncate fchown fchmod close
$(O)/selftests/kill/step: override LDFLAGS += $(kill-calls:%=-Wl,--wrap=%)

# Real kills: at every instruction of every operation; then at random, eight processes on one pool,
# on memory, and with flushes forced.
kill-real-needs := $(O)/selftests/kill/step $(O)/selftests/kill/random
define kill-real
POBJ_KILL_EVERY=1 POBJ_KILL_SHARDS=2 $(O)/selftests/kill/step
POBJ_SEED=1 POBJ_KILLS=100000 POBJ_MORE_US=500 $(O)/selftests/kill/random
PMEM_IS_PMEM_FORCE=1 POBJ_SEED=2 POBJ_KILLS=100000 POBJ_MORE_US=500 $(O)/selftests/kill/random
endef

.PHONY: prove-kill-real
prove-kill-real: $(kill-real-needs) ## kill processes at every instruction, and 200,000 times at random; takes long
	$(kill-real)
