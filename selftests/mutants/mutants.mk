# SPDX-License-Identifier: BSD-3-Clause
# Mutants of the library (points.py), and what notices them (prove). MATCH=PATTERN: only those; ALL=1:
# survivors that are listed, too.
.PHONY: prove-mutants
prove-mutants: build/kselftest/kselftest_harness.h ## change the library in one place at a time; a test must notice. Hours; goes on where it stopped
	@selftests/mutants/prove -o $(O)/mutants $(if $(MATCH),-m '$(MATCH)') $(if $(ALL),-a)
