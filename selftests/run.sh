#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# usage: selftests/run.sh -o DIR PROGRAM...    run programs that print TAP, TEST_JOBS=1 at a time
#        selftests/run.sh -1 DIR PROGRAM       the same of one
#        selftests/run.sh -n DIR PROGRAM...    only note them, each as "was not run"
#        selftests/run.sh -t DIR               print "N passed, N failed" over all that ran
#
# DIR gets, for each program, NAME.tap with what it printed and NAME.sum with "passed failed
# skipped". A program fails once more if it ends with an error and no failed point, by a signal, by
# the time limit (TEST_TIMEOUT seconds), or without the number of points that its plan announced.
# -o and -n succeed whatever the tests say; -t fails if a point failed or none was counted.
# Works in busybox's shell too: the guest runs it.
set -u

# selftests/unit/core_geom -> unit.core_geom
name() {
	echo "$1" | sed -e 's|.*selftests/||' -e 's|^tools/||' -e 's|\.sh$||' -e 's|^/*||' -e 's|/|.|g'
}

# count FILE STATUS: "passed failed skipped reason"
count() {
	awk -v status="$2" '
	/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0; planned = 1; if (/# *SKIP/) { all = 1 } }
	/^not ok/ { points++; if (/# *TODO/) skipped++; else failed++; next }
	/^ok/ { points++; if (/# *SKIP/) skipped++; else passed++; next }
	/^Bail out!/ { bail = 1 }
	END {
		if (all && plan == 0) { skipped++; plan = points }
		if (status == 124) why = "timeout"
		else if (status > 128) why = "signal " (status - 128)
		else if (bail) why = "bailed out"
		else if (!planned) why = "no plan"
		else if (plan != points) why = "planned " plan ", saw " points + 0
		else if (status != 0 && status != 4 && !failed) why = "status " status
		if (why != "") failed++
		print passed + 0, failed + 0, skipped + 0, why
	}' "$1"
}

# explain FILE ENDED_BADLY: the failed points with the words before each, and how it ended
explain() {
	{
		awk '
		/^(not )?ok/ { if (/^not/) printf "%s%s\n", words, $0; words = ""; n = 0; next }
		n++ < 12 { words = words $0 "\n" }' "$1" | head -n 60
		[ "$2" = 0 ] || { echo "... its last lines:"; tail -n 10 "$1"; }
	} | sed 's/^/    | /'
}

run() {
	prog=$1 n=$(name "$1")
	case $prog in */*) ;; *) prog=./$prog ;; esac
	/usr/bin/timeout -k 5 "${TEST_TIMEOUT:-600}" "$prog" </dev/null >"$dir/$n.tap" 2>&1
	# shellcheck disable=SC2046 # words
	set -- $(count "$dir/$n.tap" $?)
	echo "$1 $2 $3" >"$dir/$n.sum"
	text="$1 passed"
	[ "$2" = 0 ] || text="$text, $2 failed"
	[ "$3" = 0 ] || text="$text, $3 skipped"
	passed=$2
	shift 3
	[ $# = 0 ] || text="$text ($*)"
	# In one piece: others may be printing, too.
	if [ "$passed" = 0 ]; then
		printf 'ok    %-28s %s\n' "$n" "$text"
	else
		printf 'FAIL  %-28s %s\n%s\n' "$n" "$text" "$(explain "$dir/$n.tap" $#)"
	fi
}

total() {
	cat "$1"/*.sum 2>/dev/null | awk '
	{ passed += $1; failed += $2; skipped += $3 }
	END {
		printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
		exit failed > 0 || passed == 0
	}'
}

mode=$1 dir=$2
shift 2
mkdir -p "$dir"
case $mode in
-o) if [ "${TEST_JOBS:-1}" = 1 ]; then
	for p; do run "$p"; done
    else
	printf '%s\n' "$@" | xargs -P "$TEST_JOBS" -n 1 "$0" -1 "$dir"
    fi ;;
-1) run "$1" ;;
-n) for p; do
	echo "not ok 1 was not run" >"$dir/$(name "$p").tap"
	echo "0 1 0" >"$dir/$(name "$p").sum"
done ;;
-t) total "$dir" ;;
esac
