#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The demo's part on a region of /dev/pobj, with one machine killed. Prints TAP.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/tmp"
unset BREAK
echo 1..4
rc=0
TMPDIR=$tmp/tmp KILLS=1 FILE_KILLS=0 tools/demo/run >"$tmp/out" 2>&1 </dev/null || rc=$?

n=0
# point NAME REGEX...: the demo succeeded and printed all that
point() {
	n=$((n + 1))
	name=$1
	shift
	good=$rc
	for want; do
		grep -qE -- "$want" "$tmp/out" || good=1
	done
	if [ "$good" = 0 ]; then
		echo "ok $n $name"
	else
		{ echo "status $rc"; cat "$tmp/out"; } | sed 's/^/# /'
		echo "not ok $n $name"
	fi
}
point "the demo succeeds, strings were written" '^  strings written: +[1-9]'
point "none is torn, none is lost" '^  torn: +0$' '^  lost: +0 '
point "the pool was found by its UUID and recovered" \
	'^  boot 2: pool found on pmem[01], node [01]; recovery: (clean|recovered):'
rc=$(find "$tmp/tmp" -mindepth 1 | wc -l)
point "nothing is left behind"
