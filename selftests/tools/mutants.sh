#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# The tool that makes and tries mutants: a few of them, which the quickest tests must notice. All
# of them: make prove-mutants.
exec "$(dirname "$0")/../mutants/prove" --sample -o build/mutants
