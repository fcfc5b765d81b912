#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The tests of the object API against the libpmemobj that Debian has: what they ask for is what the
# original does. One point for each program, and one for the header that has every macro once.
set -u
if ! pkg-config --exists libpmemobj; then
	echo "1..0 # SKIP libpmemobj-dev is not there"
	exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export PMEM_IS_PMEM_FORCE=1	# flush in the CPU: no msync on files in memory
programs=${*:-objects iterate actions lists roots random}
flags="-std=gnu11 -O2 -D_GNU_SOURCE= -DTHEIRS -Wall -Wextra -Werror -Wno-unused-parameter
	-Wno-sign-compare -Ibuild/kselftest -Iselftests/lib $(pkg-config --cflags libpmemobj)"
n=0

for program in $programs; do
	n=$((n + 1))
	# shellcheck disable=SC2046,SC2086 # words
	if ! gcc $flags -o "$tmp/$program" "selftests/compat/$program.c" selftests/lib/files.c \
		$(pkg-config --libs libpmemobj) -pthread >"$tmp/log" 2>&1; then
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n $program: does not compile"
	elif timeout 280 "$tmp/$program" >"$tmp/log" 2>&1 && ! grep -q '^not ok' "$tmp/log"; then
		echo "ok $n $program: $(grep -c '^ok' "$tmp/log") tests"
	else
		grep -v '^ok' "$tmp/log" | sed -e 's/^not ok/# not ok/' -e '/^#/!s/^/# /'
		echo "not ok $n $program"
	fi
done
n=$((n + 1))
# shellcheck disable=SC2086 # words
if gcc $flags -fsyntax-only selftests/compat/objects.h >"$tmp/log" 2>&1; then
	echo "ok $n objects.h compiles"
else
	sed 's/^/# /' "$tmp/log"
	echo "not ok $n objects.h compiles"
fi
echo "1..$n"
