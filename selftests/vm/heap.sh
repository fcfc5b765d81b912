#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# usage: selftests/vm/heap.sh [KILLS [CUTS]]
#
# Power cuts in the middle of heap operations. A virtual machine works on a pool on an NVDIMM, which
# is a file of the host. CUTS times (16) in each boot the machine is stopped at a moment of no
# choice, the file copied, and the machine let go on: the copy is what a power cut at that moment
# would have left. It is recovered and judged here, by the library on a file. In the end the machine
# is killed and boots again, KILLS times (1): then the module recovers and the guest judges.
#
# A second pool, on the other NVDIMM, is worked on in the wrong order: that must be seen. Prints
# TAP. What no kill of a machine can show are stores that were not flushed (selftests/crash does).
set -u
kills=${1:-1} cuts=${2:-16}
root=$(cd "$(dirname "$0")/../.." && pwd)
churn=$root/build/selftests/vm/churn

# In memory, where there is room: the NVDIMMs, and a copy of what is on them.
dir=
if [ -d /dev/shm ] && [ -w /dev/shm ] &&
	[ "$(df -k --output=avail /dev/shm | tail -n 1)" -gt 400000 ]; then
	dir=/dev/shm
fi
tmp=$(mktemp -d)
mem=$(mktemp -d ${dir:+-p $dir})
machine='' qemu=''
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	[ -z "$qemu" ] || kill -CONT "$qemu" 2>/dev/null
	[ -z "$machine" ] || { kill "$machine"; wait "$machine"; } 2>/dev/null
	rm -rf "$tmp" "$mem"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

n=0
# point NAME GOOD [FILE]: GOOD is 0; else FILE tells more
point() {
	n=$((n + 1))
	[ "$2" = 0 ] || { [ -z "${3:-}" ] || tail -n 20 "$3" | sed 's/^/# /'; printf 'not '; }
	echo "ok $n $1"
}
give_up() {
	tail -n 20 "$tmp/out" "$tmp/err" | sed 's/^/# /'
	echo "Bail out! $*"
	exit 1
}

boot() {
	rm -f "$tmp/pid"
	: >"$tmp/out"
	"$root/tools/vm/run" --nodes 2 --nvdimm-size 64M --image-dir "$mem/images" \
		--pidfile "$tmp/pid" --log "$tmp/console" --timeout "${VM_TIMEOUT:-600}" \
		--add "$root/selftests/vm/heap_guest" --add "$churn" \
		-- heap_guest "$1" >"$tmp/out" 2>"$tmp/err" </dev/null &
	machine=$!
	until grep -q '^work has begun$' "$tmp/out"; do
		kill -0 $machine 2>/dev/null || give_up "the guest ended before its time"
		sleep 0.05
	done
	qemu=$(cat "$tmp/pid")
}

# Until no thread of the machine runs: only then is the copy of one moment.
stop() {
	kill -STOP "$qemu"
	while cat /proc/"$qemu"/task/*/stat 2>/dev/null | sed 's/.*) //' | grep -q '^[^Tt]'; do
		:
	done
}

# copy NODE: the pool of this node, as it is now
copy() {
	local off bytes
	read -r off bytes < <(sed -n "s/^pool $1 //p" "$tmp/out" | tr -d '\r' | tail -n 1)
	dd if="$mem/images/nv$1" of="$mem/copy$1" bs=1M iflag=skip_bytes,count_bytes \
		skip="$off" count="$bytes" conv=sparse status=none
}

# judge NODE: the copy. Its caches are its memory: nothing needs to be written to a disk.
judge() {
	PMEM_IS_PMEM_FORCE=1 "$churn" -j "$mem/copy$1" >"$tmp/judge$1" 2>&1
}

echo "1..$((kills * 2 + 2))"
seen=0 recovered=0 made=0
boot new
for ((k = 1; k <= kills; k++)); do
	bad=0
	for ((i = 0; i < cuts && bad == 0; i++)); do
		sleep 0.$((RANDOM % 3))$((RANDOM % 10))
		stop
		copy 0
		[ $k != 1 ] || copy 1
		kill -CONT "$qemu"
		judge 0 || bad=$?
		made=$((made + 1))
		grep -q 'undone 0 redone 0 ' "$tmp/judge0" || recovered=$((recovered + 1))
		[ $k = 1 ] || continue
		rc=0
		judge 1 || rc=$?
		[ $rc != 1 ] || seen=$((seen + 1))
	done
	point "boot $k: all is whole after each of $i cuts" $bad "$tmp/judge0"
	[ $k != 1 ] || point "the wrong order was seen in $seen of $i" $((seen == 0)) "$tmp/judge1"
	kill -9 "$qemu"
	rc=0
	{ wait $machine || rc=$?; } 2>/dev/null
	machine='' qemu=''
	[ $rc = 137 ] || give_up "the machine ended with status $rc"
	boot again
	rc=$(sed -n 's/^judged \([0-9]*\).*/\1/p' "$tmp/out")
	grep '^done' "$tmp/out" | sed 's/^/# /'
	point "boot $((k + 1)): all is whole after the kill" "${rc:-1}" "$tmp/out"
done
point "$recovered of $made cuts left something to recover" $((recovered == 0))
