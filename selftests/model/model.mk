# SPDX-License-Identifier: BSD-3-Clause
#
# Models of the protocol for SPIN; and the protocol itself under weak memory (selftests/sched/weak.c).
.PHONY: prove-model

check check-host: host-scripts += selftests/model/spin.sh

prove-model: $(O)/selftests/sched/weak ## model-check the protocol, also under weak memory; 15 minutes
	@selftests/model/prove $<
