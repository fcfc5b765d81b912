# SPDX-License-Identifier: BSD-3-Clause
# Between two steps of the library, and where memory ends: it is taken object by object.
plain-programs += $(O)/selftests/unit/again
$(O)/selftests/unit/again: override LDFLAGS += \
	-fno-lto -Wl,--wrap=pobj_span_disown,--wrap=pobj_span_give,--wrap=pobj_slab_hint \
	-Wl,--wrap=pobj_recover_lane,--wrap=pthread_mutex_trylock,--wrap=calloc
