# SPDX-License-Identifier: BSD-3-Clause
#
# Models of the protocol for SPIN.
.PHONY: prove-model

check check-host: host-scripts += selftests/model/spin.sh

prove-model: ## check the models of the protocol in all their states; takes long
	MODEL_LONG=1 selftests/model/spin.sh
