#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# The models of the protocol in selftests/model/spin, checked by SPIN: each must hold in all its
# states, and each seeded bug (-DBUG_n) must be found. MODEL_LONG=1: larger ones, too, and all bugs.
# Prints TAP, and at the end a table. A model that was not searched to its end has failed, unless the
# table below says how many seconds it may have: the summary tells those, and how far they came.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
out=$top/build/model
depth=1000000
points=0
failed=0
sought_all=0
bounded=0
table=

# MODEL|its constants|those for bugs|seeded bugs, each N[:constants besides]|seconds, if bounded.
# make check looks for the first two bugs of each model.
short='
pages|-DPAGES=1 -DLENGTH=1 -DNO_SLABS|-DPAGES=1 -DLENGTH=1|1 6 2:-DOPS=2 3 4 5 7 8 9 10 11
slab|-DKILLS=0|-DKILLS=1|1 11 2:-DKILLS=0 3 4 5 6 7 8 9 10 12
session|-DPROCS=3||2 3 1 4 5 6
room|-DKILLS=0|-DKILLS=1|1 3 2 4 5 6
locks|-DKILLS=1||1 2 3 4 5
'
long='
pages|-DPAGES=1 -DLENGTH=1||
pages|-DPAGES=1 -DLENGTH=1 -DREAPERS=2 -DKILLS=2|||180
pages|-DPAGES=2 -DLENGTH=2|||120
slab|-DKILLS=1||
slab|-DKILLS=2||
session|-DPROCS=4||
room|-DKILLS=1||
room|-DKILLS=2||
locks|-DKILLS=1 -DTWICE||
locks|-DKILLS=2||
'

# run MODEL FLAGS [SECONDS], compiled with $optimise: sets $errors, $states, $ended, $what
run() {
	dir=$out/$1
	rm -rf "$dir" && mkdir -p "$dir" && cd "$dir" || exit 1
	errors='' states='' ended=no what=
	# shellcheck disable=SC2086 # words
	if ! spin -a $2 "$top/selftests/model/spin/$1.pml" >spin.out 2>&1; then
		what=$(head -n 1 spin.out)
		return
	fi
	# NOFAIR, NOREDUCE: kills make a process wait at any step, which reduction does not know.
	gcc $optimise -w -DSAFETY -DNOFAIR -DNOREDUCE -DCOLLAPSE -DMEMLIM=12000 -o pan pan.c || return
	# The end of an execution is judged by the model (kill.pml).
	# An interrupt ends the search and prints the counts.
	timeout -s INT "${3:-0}" ./pan -E -m$depth -n >pan.out 2>&1
	errors=$(sed -n 's/.*errors: *\([0-9]*\).*/\1/p' pan.out)
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
	what=$(sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' pan.out | head -n 1)
	grep -q -i -e 'search not completed' -e 'interrupted' -e 'max search depth too small' \
		-e 'out of memory' pan.out || ended=yes
}

# point OK NAME
point() {
	points=$((points + 1))
	if [ "$1" = yes ]; then
		echo "ok $points $2"
	else
		echo "not ok $points $2"
		failed=$((failed + 1))
	fi
}

check_model() {
	optimise=-O1
	run "$1" "$2" "$3"
	ok=no
	[ "$errors" = 0 ] && [ $ended = yes ] && ok=yes
	if [ "$errors" = 0 ] && [ $ended = no ] && [ -n "$3" ] && grep -q -i interrupted pan.out; then
		ok=yes
		ended="no, $3 s"
		bounded=$((bounded + 1))
	fi
	[ $ok = yes ] || echo "# $1 $2: errors $errors, to the end: $ended: $what"
	point $ok "$1 $2: holds in ${states:-?} states${3:+, within $3 s}"
	table="$table#  $1|$2|${states:-?}|$errors|$ended
"
}

check_bug() {
	# Mostly found in less time than it takes to compile.
	optimise=-O0
	run "$1" "$2"
	ok=no
	[ "${errors:-0}" -gt 0 ] && ok=yes
	point $ok "$1 $2: found in ${states:-?} states ($what)"
}

if ! command -v spin >/dev/null; then
	echo "1..0 # SKIP spin is not installed"
	exit 4
fi
models=$short
[ -n "${MODEL_LONG:-}" ] && models=$short$long
found=0
while IFS='|' read -r model flags bug_flags bugs seconds; do
	[ -n "$model" ] || continue
	check_model "$model" "$flags" "$seconds"
	sought=0
	for bug in $bugs; do
		sought=$((sought + 1))
		[ $sought -le 2 ] || [ -n "${MODEL_LONG:-}" ] || break
		sought_all=$((sought_all + 1))
		more=${bug#*:}
		[ "$more" != "$bug" ] || more=
		check_bug "$model" "$bug_flags $more -DBUG_${bug%%:*}"
		[ $ok = yes ] && found=$((found + 1))
	done
done <<END
$models
END
echo "1..$points"
echo "# model, constants, states, errors, searched to the end"
printf '%s' "$table" | column -t -s '|'
echo "# seeded bugs found: $found of $sought_all; points failed: $failed; models bounded by time: $bounded"
[ $failed = 0 ]
