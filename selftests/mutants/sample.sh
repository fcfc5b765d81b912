#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# A few mutants that the quickest tests must notice: the tool that makes and tries them works, and
# so do those tests. All mutants: make prove-mutants.
exec "$(dirname "$0")/prove" --sample -o build/mutants
