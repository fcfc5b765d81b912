#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# The counting of selftests/run.sh: every way in which a test program can go wrong is a failure.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0

# counts NAME EXPECTED SCRIPT: a program of that text is counted like that
counts() {
	n=$((n + 1))
	rm -rf "$tmp/out"
	printf '#!/bin/sh\n%s\n' "$3" >"$tmp/prog"
	chmod +x "$tmp/prog"
	TEST_TIMEOUT=1 selftests/run.sh -o "$tmp/out" "$tmp/prog" >/dev/null
	got=$(selftests/run.sh -t "$tmp/out")
	rc=$?
	case $2 in
	*" 0 failed"*) want=0 ;;
	*) want=1 ;;
	esac
	if [ "$got" = "$2" ] && [ "$rc" = $want ]; then
		echo "ok $n $1"
	else
		echo "# got '$got', status $rc; expected '$2'"
		echo "not ok $n $1"
	fi
}

counts "two points" "2 passed, 0 failed" 'echo 1..2; echo ok 1; echo ok 2'
counts "a plan at the end" "1 passed, 0 failed" 'echo ok 1; echo 1..1'
counts "a failed point" "1 passed, 1 failed" 'echo 1..2; echo ok 1; echo not ok 2; exit 1'
counts "a skipped point" "1 passed, 0 failed, 1 skipped" 'echo 1..2; echo ok 1; echo "ok 2 # SKIP why"'
counts "a point too few" "1 passed, 1 failed" 'echo 1..2; echo ok 1'
counts "no plan" "1 passed, 1 failed" 'echo ok 1'
counts "an error with all points good" "1 passed, 1 failed" 'echo 1..1; echo ok 1; exit 3'
counts "a crash" "1 passed, 1 failed" 'echo 1..1; echo ok 1; kill -SEGV $$'
counts "a hang" "1 passed, 1 failed" 'echo 1..1; echo ok 1; sleep 5'
counts "silence" "0 passed, 1 failed" ':'
counts "bail out" "1 passed, 1 failed" 'echo 1..1; echo ok 1; echo "Bail out!"'

n=$((n + 1))
mkdir -p "$tmp/none"
if got=$(selftests/run.sh -t "$tmp/none") || [ "$got" != "0 passed, 0 failed" ]; then
	echo "not ok $n nothing ran"
else
	echo "ok $n nothing ran"
fi
n=$((n + 1))
selftests/run.sh -n "$tmp/none" selftests/unit/x
if got=$(selftests/run.sh -t "$tmp/none") || [ "$got" != "0 passed, 1 failed" ]; then
	echo "not ok $n noted and never run"
else
	echo "ok $n noted and never run"
fi
n=$((n + 1))
for p in one two three; do
	printf '#!/bin/sh\necho 1..1; echo ok 1\n' >"$tmp/$p" && chmod +x "$tmp/$p"
done
TEST_JOBS=2 selftests/run.sh -o "$tmp/some" "$tmp/one" "$tmp/two" "$tmp/three" >/dev/null
if got=$(selftests/run.sh -t "$tmp/some") && [ "$got" = "3 passed, 0 failed" ]; then
	echo "ok $n two at a time"
else
	echo "not ok $n two at a time"
fi
echo "1..$n"
