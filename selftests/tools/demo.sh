#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The demo's part on a file: it finds nothing torn in the right order and something in the wrong
# one, its reader sees damage, its exit status tells the truth, and nothing is left behind. Prints
# TAP. selftests/vm/demo.sh has the other part.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/tmp"
export TMPDIR=$tmp/tmp
bin=$PWD/build/bin
[ -x "$bin/strings_writer" ] || { echo "Bail out! no $bin/strings_writer; run: make tools"; exit 1; }
unset BREAK KILLS FILE_KILLS
n=0 rc=0

# point NAME CONDITION...: with a bad one, show what was printed
point() {
	name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n $name"
	else
		{ echo "status $rc"; cat "$tmp/out"; } | sed 's/^/# /'
		echo "not ok $n $name"
	fi
}
run() {
	rc=0
	"$@" >"$tmp/out" 2>&1 </dev/null || rc=$?
}
# says REGEX STATUS: the command ended so, and printed that
says() {
	[ $rc = "$2" ] && grep -qE -- "$1" "$tmp/out"
}
empty() {
	[ -z "$(ls -A "$1")" ]
}
echo 1..13

# ---- the demo

run env KILLS=0 FILE_KILLS=40 tools/demo/run
point "the right order: nothing is torn" says '^  torn: +0$' 0
point "nothing is lost" says '^  lost: +0 ' 0
point "strings were hit in mid-write" says '^  absent: +[1-9]' 0
run env KILLS=0 FILE_KILLS=40 BREAK=1 tools/demo/run
point "the wrong order: strings are torn" says '^  torn: +[1-9]' 1
point "and it says that they must be" says '^Result: strings are torn, as they must' 1
run env KILLS=0 FILE_KILLS=0 BREAK=1 tools/demo/run
point "a broken order that breaks nothing is no success" says 'NOTHING TORE' 2
run env KILLS=some tools/demo/run
point "a number of kills that is none" says 'are numbers' 2
run timeout -s TERM 1 env KILLS=0 FILE_KILLS=10000 tools/demo/run
sleep 0.5
point "nothing is left behind, not even after TERM" empty "$TMPDIR"

# ---- its programs

pool=$tmp/pool
run "$bin/strings_writer" -c $((32 << 20)) -n 1500 -e 100 "$pool"
point "the writer reports what it stored" says '^stored 1500 strings$' 0
run "$bin/strings_reader" -a 1500 "$pool"
point "the reader finds it whole" says '^1500 strings: 1024 in the log, 1024 whole, 0 torn, 0 lost$' 0
run "$bin/strings_reader" -a 1501 "$pool"
point "the reader sees a lost string" says ', 0 torn, 1 lost$' 1
run "$bin/strings_writer" "$tmp/missing"
point "the writer without a pool fails" says '^strings_writer: ' 1

# Change one letter. Number and length of a string lie behind its text, 8168 bytes.
run python3 -c '
import struct, sys
with open(sys.argv[1], "r+b") as f:
    data = f.read()
    at = data.find(struct.pack("<Q", 1200))
    while not 1000 <= struct.unpack_from("<Q", data, at + 8)[0] <= 8168:
        at = data.index(struct.pack("<Q", 1200), at + 1)
    f.seek(at - 8168)
    f.write(b"!")
' "$pool"
run "$bin/strings_reader" "$pool"
point "the reader sees a torn string" says '^torn: string 1200$' 1
