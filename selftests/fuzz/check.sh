#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzzes hostile media with fixed seeds and counts, and then builds that have each a seeded defect,
# which must be found within SELF_RUNS executions. Prints TAP. Needs the programs of fuzz.mk.
set -u

CORE_RUNS=${CORE_RUNS:-550000}
HEAP_RUNS=${HEAP_RUNS:-500000}
SELF_RUNS=${SELF_RUNS:-100000}

here=$(dirname "$0")
bin=$(realpath "${FUZZ_BIN:-$here/../../build/fuzz}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0 bad=0 sum=0

point() { # STATUS TEXT
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		bad=1
	fi
}

# fuzz PROGRAM RUNS SEED TIMEOUT: 0 if nothing was found; its words are in $tmp/log
fuzz() {
	mkdir -p "$tmp/found"
	"$1" -runs="$2" -seed="$3" -timeout="$4" -max_len=24640 -len_control=0 -mutate_depth=1 \
		-reduce_inputs=0 -print_final_stats=1 -artifact_prefix="$tmp/found/" \
		"$tmp/seed" >"$tmp/log" 2>&1
}

stat() { # NAME: of libFuzzer's final statistics
	sed -n "s/^stat::$1: *//p" "$tmp/log"
}

# Seconds that the programs run so far took: into $cpu. In this shell, or they are not its own.
take_cpu() {
	times >"$tmp/times"
	cpu=$(awk 'NR == 2 { for (i = 1; i < 3; i++) { split($i, t, /[ms]/); s += t[1] * 60 + t[2] }
		printf "%.1f", s }' "$tmp/times")
}

# What a finding looks like, and the input that makes it, kept for the next build.
explain() {
	grep -E '^VERDICT|^ALARM|ERROR: |runtime error:|^SUMMARY' "$tmp/log" | head -n 4 |
		sed 's/^/# /'
	for f in "$tmp"/found/*; do
		[ -f "$f" ] && mkdir -p "$bin/found" && cp "$f" "$bin/found" &&
			echo "# again: build/fuzz/$1 build/fuzz/found/${f##*/}"
	done
}

echo "TAP version 13"
mkdir "$tmp/seed"
seeds=$("$bin/seeds" "$tmp/seed")
point $? "inputs to begin with: $seeds"

for target in core heap; do
	[ $target = core ] && runs=$CORE_RUNS || runs=$HEAP_RUNS
	take_cpu
	before=$cpu
	fuzz "$bin/$target" "$runs" 1 25
	status=$?
	take_cpu
	# libFuzzer counts the inputs it begins with as well.
	ran=$(stat number_of_executed_units)
	sum=$((sum + ${ran:-0}))
	[ "$status" = 0 ] || explain $target
	awk -v t=$target -v n="${ran:-0}" -v a="$before" -v b="$cpu" 'BEGIN {
		s = b - a; printf "# %s: %d executions in %.0f s of CPU, %.0f/s\n", t, n, s, s ? n / s : 0 }'
	sed -n 's/.*DONE *cov: \([0-9]*\).*corp: \([0-9]*\).*/# coverage: \1 edges; corpus: \2/p' "$tmp/log"
	point $status "$target: no crash, no hang, no wrong verdict"
done
[ "$sum" -ge $((CORE_RUNS + HEAP_RUNS)) ]
point $? "$sum executions"

# Self-check: without one judgement of the library each.
for defect in target/core geometry/core reference/core circle/core slab/heap; do
	rm -rf "$tmp/found"
	! fuzz "$bin/defect/$defect" "$SELF_RUNS" 1 3
	status=$?
	# A program that is not there finds nothing.
	[ -x "$bin/defect/$defect" ] || status=1
	how=$(sed -n -e 's/^VERDICT: //p' -e 's/^SUMMARY: [A-Za-z]*: \([a-zA-Z-]*\).*/\1/p' "$tmp/log" |
		head -n 1)
	at=$(stat number_of_executed_units)
	point $status "defect $defect is found: ${how:-no} (${at:-?} executions of $SELF_RUNS)"
done
echo "1..$n"
exit $bad
