#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The measuring tools measure right: fencecount on a program whose instructions are known and on
# libpmemobj, whose figures are known; poolbench on libpmemobj; the runner and the API matrix on
# stubs whose answers are known. Of this library only that everything runs with it: no figure of it
# is judged here. Prints TAP. O=DIR is the build folder.
set -u
build=${O:-build}
bench=$build/selftests/bench
for need in fencecount known objbench objbench-peer poolbench poolbench-peer; do
	[ -x "$bench/$need" ] || { echo "Bail out! $bench/$need is not there; run: make tests"; exit 1; }
done
tmp=$(mktemp -d)
shm=$(mktemp -d /dev/shm/bench-test.XXXXXX)
trap 'rm -rf "$tmp" "$shm"' EXIT
n=0

# point NAME COMMAND...: with a bad status, show what was printed
point() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $n $name"
	else
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n $name"
	fi
}
skip() {
	n=$((n + 1))
	echo "ok $n $1 # SKIP $2"
}
same() {
	diff "$1" "$2"
}

# ---- fencecount

"$bench/fencecount" -c -t "$tmp/trace" "$bench/known" >"$tmp/counts"
case $? in
0)
	# region ops rounds sfence mfence clwb clflushopt clflush ntstore ntbytes lines same other lock
	cat >"$tmp/want" <<-END
	loop 10 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.0 0.000 0.000 0.000 0.000
	store 10 2.000 2.000 1.000 2.000 1.000 1.000 0.000 0.0 3.000 1.000 0.000 0.000
	nt 10 1.000 1.000 0.000 0.000 0.000 0.000 5.000 124.0 3.000 0.000 0.000 0.000
	lock 10 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.0 0.000 0.000 0.000 2.000
	END
	tr , ' ' <"$tmp/counts" | sed 1d | cut -d' ' -f1,2,4-15 >"$tmp/got"
	point "fencecount: fences, flushes, non-temporal stores, LOCKs" same "$tmp/want" "$tmp/got"

	# Twenty for the loop and a few around; four and the marks' share of a few around a string.
	# shellcheck disable=SC2016 # of awk
	point "fencecount: instructions" awk -F, '
		$1 == "loop" { a = $3 >= 2 && $3 < 6 }
		$1 == "lock" { b = $3 >= 4 && $3 < 15 }
		END { exit !(a && b) }' "$tmp/counts"

	# Lines of each operation of "store", counted from its first: 0 0 1 2, the next one at 3.
	awk '/^BEGIN store/ { on = 1 } /^END/ { on = 0 }
		on && match($0, /line=[0-9a-f]*/) { print substr($0, RSTART + 5, RLENGTH - 5) }' \
		"$tmp/trace" | while read -r line; do
		: "${first:=$line}"
		echo $((0x$line - 0x$first))
	done >"$tmp/got"
	for i in 0 3 6 9 12 15 18 21 24 27; do
		printf '%d\n' $i $i $((i + 1)) $((i + 2))
	done >"$tmp/want"
	point "fencecount: addresses of flushes" same "$tmp/want" "$tmp/got"
	;;
4) for what in "fences and flushes" instructions addresses; do
	skip "fencecount: $what" "no CLWB or AVX-512F"
done ;;
*) point "fencecount runs" false ;;
esac

status() {
	local want=$1
	shift
	"$@"
	[ $? = "$want" ]
}
point "fencecount: exit status of the program" status 3 "$bench/fencecount" sh -c 'exit 3'
point "fencecount: a signal" status 134 "$bench/fencecount" sh -c 'kill -ABRT $$'

# What everybody who counted found: 4 fence rounds and 9 LOCKed instructions, 3 and 7.
PMEM_IS_PMEM_FORCE=1 "$bench/fencecount" -c "$bench/objbench-peer" -c -n 20 -m 64 -f "$shm/pool" \
	alloc64 free64 | cut -d, -f1,4,15 | sed 1d >"$tmp/got"
printf '%s\n' alloc64,4.000,9.000 free64,3.000,7.000 >"$tmp/want"
point "objbench: libpmemobj's alloc and free" same "$tmp/want" "$tmp/got"
point "objbench: an operation that is not there" status 2 "$bench/objbench-peer" -f "$shm/pool" x
times() {
	"$bench/objbench-peer" -f "$shm/pool" -m 64 -s 0.01 -r 1 -t 2 alloc64 alu |
		awk '$2 == 2 && $3 > 0 && $4 >= $3 && $5 > 0 { n++ } END { exit n != 2 }'
}
point "objbench: times" times

# ---- poolbench

fill() {
	PMEM_NO_FLUSH=1 "$bench/poolbench-peer" fill "$shm/pool" 8 64 >"$tmp/out" || return
	cat "$tmp/out"
	# Less than the pool has room for, more than a tenth of it; 16 bytes of header.
	awk '$1 == "objects" && $2 > 13107 && $2 < 131072 { a = 1 } $1 == "off_line" && $2 == 16 { b = 1 }
		END { exit !(a && b) }' "$tmp/out"
}
point "poolbench: fill" fill
full() {
	"$bench/poolbench-peer" full "$shm/pool" 64 | awk '$2 > 0 { n++ } END { exit n != 2 }'
}
point "poolbench: a full pool says so" full
point "poolbench: one with room is not taken for full" \
	status 1 sh -c "$bench/poolbench-peer fill $shm/pool 8 64 10 && $bench/poolbench-peer full $shm/pool 64"
crash() {
	"$bench/poolbench-peer" crash "$shm/pool" 64 3 | awk '$1 == "open" && $2 > 0 { n++ } END { exit n != 3 }'
}
point "poolbench: open after a kill" crash
churn() {
	PMEM_NO_FLUSH=1 "$bench/poolbench-peer" churn "$shm/churn" 16 20000 >"$tmp/out" || return
	cat "$tmp/out"
	awk '$1 == "pair" && $2 > 0 && $3 > 0 { n++ } END { exit n < 3 }' "$tmp/out" &&
		[ ! -e "$shm/churn" ] && [ ! -e "$shm/churn.fresh" ]
}
point "poolbench: churn, and no pool left" churn

# ---- this library

every() {
	"$bench/objbench" -f "$shm/pool" -m 128 -s 0.001 -r 1 >"$tmp/out" && cat "$tmp/out" &&
		[ "$(wc -l <"$tmp/out")" -ge 30 ]
}
point "objbench: every operation with this library" every
commands() {
	"$bench/poolbench" fill "$shm/pool" 8 64 && "$bench/poolbench" full "$shm/pool" 64 &&
		"$bench/poolbench" fill "$shm/pool" 8 64 1000 &&
		"$bench/poolbench" crash "$shm/pool" 64 2 &&
		"$bench/poolbench" churn "$shm/pool" 16 20000
}
point "poolbench: every command with this library" commands

# ---- the runner, on stubs

mkdir "$tmp/stubs"
cat >"$tmp/stubs/fencecount" <<'END'
#!/bin/sh
shift
exec "$@"
END
cat >"$tmp/stubs/objbench" <<'END'
#!/bin/sh
for op; do :; done
case $0 in
*-peer) count="4000,4.00 9.00 205" ;;
*) count="400,3.04 0.04 100" ;;
esac
set -- $count $1 "$@"
[ "$op" != "${FAIL:-}" ] || { echo "objbench: it broke" >&2; exit 1; }
case " $* " in
*" -c "*)
	echo region,ops,insn,rounds,sfence,mfence,clwb,clflushopt,clflush,ntstore,ntbytes,lock
	echo "$op,20,$1,4,0,1,1,1,0,64,$2"
	;;
*) echo "$op 1 1 1 $3" ;;
esac
END
cat >"$tmp/stubs/poolbench" <<'END'
#!/bin/sh
case $1 in
fill)
	echo >>"$2"
	case $3 in 8) echo objects 100000 ;; 256) echo objects 4100000 ;; *) echo objects 9000000 ;; esac
	echo off_line 0
	;;
full) printf '%s\n' "first 4000" "later 50" ;;
crash) printf '%s\n' "open 1000" "open 9000" "open 2000" ;;
churn) printf '%s\n' "full_bytes 1" "pair 70 100" "pair 80 100" "pair 300 300" "refused 0" ;;
esac
END
cp "$tmp/stubs/objbench" "$tmp/stubs/objbench-peer"
cp "$tmp/stubs/poolbench" "$tmp/stubs/poolbench-peer"
chmod +x "$tmp"/stubs/*

# runs STATUS LAST_LINE OPTION...
runs() {
	local want=$1 last=$2
	shift 2
	selftests/bench/run -b "$tmp/stubs" -o "$tmp/out.d" "$@" >"$tmp/table" 2>"$tmp/err"
	local got=$?
	cat "$tmp/table" "$tmp/err"
	[ $got = "$want" ] && [ "$(tail -n 1 "$tmp/table")" = "$last" ]
}
# row WORDS: there is a line of the table with these, in any number of blanks
row() {
	tr -s ' ' <"$tmp/table" | grep -F -- "$1" || { cat "$tmp/table"; return 1; }
}
# json EXPRESSION: of the report r and its figures f["GROUP NAME"]
json() {
	python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
f = {x["group"] + " " + x["name"]: x for x in r["figures"]}
sys.exit(not eval(sys.argv[2].replace("\n", " ")))' "$tmp/out.d/${2:-bench}.json" "$1"
}
left() {
	(cd /dev/shm && echo pobj-bench-*)
}
before=$(left)
point "runner: goals missed are no error" runs 0 "18 of 26 goals met" -g counts,speed,space,churn
point "runner: fence rounds, met within a tenth" \
	row " allocate 64 B to a destination 3.04 4.00 3 met"
point "runner: missed" row " free 3.04 4.00 1 MISSED"
point "runner: instructions" row " free 400 4000 350 MISSED"
point "runner: LOCKed" row " free what another thread allocated 0.04 9.00 1 met"
point "runner: a ratio" row " allocate 64 B to a destination, ns 100 205 x2.05 (2.05..2.05) x2 met"
point "runner: payload" row " 8 MiB pool full of 64 B objects: payload, % 76.3 76.3 85 MISSED"
point "runner: the median of pairs" row " 2 million operations at 90 % full 0.80 0.80 (0.75..0.90) 0.8 met"
point "JSON: figures" json 'f["rounds alloc64"]["ours"] == 3.04 and f["rounds alloc64"]["goal"] == 3
	and f["rounds alloc64"]["met"] and not f["speed free64"]["met"]
	and f["speed free64"]["ratio"] == 2.05 and f["lines alloc64"]["peer"] == 4
	and r["goals"] == {"met": 18, "all": 26}'
point "JSON: no paths, no dates" status 1 grep -nE '"/|/dev|/tmp|20[0-9][0-9]-|[0-9]:[0-9]' "$tmp/out.d/bench.json"
bars() {
	python3 - "$tmp/out.d/bench.svg" <<-'END'
	import sys, xml.etree.ElementTree as tree
	r = tree.parse(sys.argv[1]).getroot()
	bars = [e for e in r if e.tag.endswith("rect")]
	# ten counted, seven timed, two of each; two of the legend and the ground
	print(len(bars))
	sys.exit(len(bars) != 2 * (10 + 7) + 3)
	END
}
point "SVG: well-formed, a bar for each figure" bars

export FAIL=zalloc64
point "runner: a failure is one, the rest is measured" runs 1 "11 of 15 goals met" -g counts
point "runner: it says why" row "ours: objbench: it broke"
point "JSON: no figure where there is none" json '"ours" not in f["rounds zalloc64"]
	and "ours" in f["rounds free64"] and not f["rounds zalloc64"]["met"]'
unset FAIL

if [ "$(df --output=avail -m /dev/shm | tail -n 1)" -ge 1300 ]; then
	point "runner: waiting" runs 0 "3 of 3 goals met" -g time
	point "runner: the median of opens" \
		row " open after a kill, 1 GiB, 8 million objects, ms 2.00 2.00 3 met"
else
	skip "runner: waiting" "small /dev/shm"
fi
if [ "$(nproc)" -ge 2 ]; then
	point "runner: scaling" runs 0 "1 of 1 goals met" -g scaling
else
	skip "runner: scaling" "one CPU"
fi
rm "$tmp/stubs/poolbench-peer"
point "runner: a program that is not there" runs 1 "2 of 3 goals met" -g space
point "runner: ours stands where theirs failed" row " 256 MiB pool full of 64 B objects: payload, % 97.8 - 97 met"
point "runner: an unknown group" status 2 selftests/bench/run -b "$tmp/stubs" -o "$tmp/out.d" -g counts,x
cp "$tmp/stubs/poolbench" "$tmp/stubs/poolbench-peer"
point "runner: the long run" runs 0 "1 of 1 goals met" -s
point "JSON of it" json 'f["churn sustained"]["ours"] == 0.8' sustained
point "runner: no pools left" [ "$before" = "$(left)" ]

# ---- API matrix, on two small libraries

mkdir -p "$tmp/a/libpmemobj" "$tmp/b/libpmemobj" "$tmp/a/uapi"
cat >"$tmp/b/libpmemobj.h" <<'END'
#ifndef LIBPMEMOBJ_H
#define LIBPMEMOBJ_H
#include <libpmemobj/base.h>
#endif
END
cp "$tmp/b/libpmemobj.h" "$tmp/a"
cat >"$tmp/b/libpmemobj/base.h" <<'END'
#define POBJ_DOES_ALLOC(p) POBJ_STEP(p)
#define POBJ_STEP(p) pmemobj_alloc(p)
#define POBJ_PLAIN 1
#define _POBJ_HIDDEN 1
#define helper(x) x
typedef struct pmemoid { long off; } PMEMoid;
enum pobj_kind { POBJ_KIND_A, POBJ_KIND_B };
int pmemobj_alloc(void *p);
int pmemobj_free(void *p);
int pmemobj_drain(void *p);
static inline int POBJ_INLINE(void *p)
{
	if (p) {
		return 0;
	}
	return pmemobj_free(p);
}
END
# Ours declares what it does not export, lacks a constant, and has a name of its own.
sed -e 's/, POBJ_KIND_B//' -e '/pmemobj_drain/d' -e '$a int pobj_own(void);' \
	"$tmp/b/libpmemobj/base.h" >"$tmp/a/libpmemobj/base.h"
: >"$tmp/a/pobj.h"
echo 'int _pobj_word; int pmemobj_alloc(void *p) { return !p; } int pmemobj_free(void *p) { return !p; }
int pmemobj_drain(void *p) { return !p; }' >"$tmp/b.c"
echo 'int _pobj_word; int pmemobj_free(void *p) { return !p; } int pobj_own(void) { return 0; }' >"$tmp/a.c"
for lib in a b; do gcc -shared -fPIC -o "$tmp/$lib.so" "$tmp/$lib.c"; done
matrix() {
	tools/api-matrix -l "$tmp/a.so" -i "$tmp/a" -L "$tmp/b.so" -I "$tmp/b" -o "$tmp/matrix.md"
}
matrix >"$tmp/got"
echo "there: 1 of 3 functions, 1 of 1 symbols, 1 of 1 inline functions, 1 of 3 macros, 3 of 3 types," \
	"1 of 2 constants; ours only: 1" >"$tmp/want"
point "API matrix: counts" same "$tmp/want" "$tmp/got"
# shellcheck disable=SC2016 # of markdown
sed -n 's/^| `\(.*\)` | \(.*\) | \(.*\) |$/\1 \2 \3/p' "$tmp/matrix.md" | LC_ALL=C sort >"$tmp/got"
LC_ALL=C sort >"$tmp/want" <<'END'
POBJ_DOES_ALLOC macro not yet: needs pmemobj_alloc
POBJ_INLINE inline there
POBJ_KIND_A constant there
POBJ_KIND_B constant not yet
POBJ_PLAIN macro there
POBJ_STEP macro not yet: needs pmemobj_alloc
PMEMoid type there
pmemoid type there
pobj_kind type there
_pobj_word symbol there
pmemobj_alloc function not yet
pmemobj_drain function not yet
pmemobj_free function there
pobj_own function ours only
END
point "API matrix: names" same "$tmp/want" "$tmp/got"
rm "$tmp/a/libpmemobj.h"
point "API matrix: no headers" status 1 matrix
# shellcheck disable=SC2016 # its first argument
point "API matrix: all of libpmemobj's functions" \
	sh -c 'tools/api-matrix -o "$0" | grep "of 106 functions, [0-9] of 3 symbols"' "$tmp/matrix.md"

echo "1..$n"
