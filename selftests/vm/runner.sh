#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# tools/vm/run tells apart what can happen to a guest, and images survive a lost machine.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0
vm() {
	tools/vm/run --log "$tmp/console" "$@" >"$tmp/out" 2>"$tmp/err"
}

# is NAME EXPECTED GOT [TEXT]: equal, and the output has TEXT
is() {
	n=$((n + 1))
	if [ "$2" = "$3" ] && { [ $# -lt 4 ] || grep -q -- "$4" "$tmp/out" "$tmp/err"; }; then
		echo "ok $n $1"
	else
		echo "# expected '$2', got '$3'"
		tail -n 20 "$tmp/out" "$tmp/err" | sed 's/^/# /'
		echo "not ok $n $1"
	fi
}
echo 1..10

echo data >"$tmp/data"
vm --image-dir "$tmp/img" --share "$tmp" '
	cat /host/data /sys/devices/system/node/online
	cat /sys/block/pmem*/queue/dax | tr "\n" " "
	for p in /dev/pmem?; do echo early | dd of=$p bs=512 seek=8 conv=fsync 2>/dev/null; done
	echo back >/host/result; exit 7'
is "the status of the command passes through" 7 $?
is "two nodes, two NVDIMMs with DAX, a shared folder" "data 0-1 1 1 " "$(tr '\n' ' ' <"$tmp/out")"
is "the guest writes to the shared folder" back "$(cat "$tmp/result")"

# The machine is lost in the middle; the same images start again.
vm --image-dir "$tmp/img" --share "$tmp" --pidfile "$tmp/pid" '
	for p in /dev/pmem?; do
		head -c 4102 $p | tail -c 6
		echo after | dd of=$p bs=512 seek=8 conv=fsync 2>/dev/null
	done
	echo written >/host/state; sleep 100' &
job=$!
for _ in $(seq 600); do
	[ -e "$tmp/state" ] && break
	sleep 0.1
done
kill -9 "$(cat "$tmp/pid")"
wait $job
is "a killed QEMU is reported" 137 $? "QEMU was killed"
is "images live from boot to boot" "early early " "$(tr '\n' ' ' <"$tmp/out")"
vm --image-dir "$tmp/img" 'for p in /dev/pmem?; do head -c 4102 $p | tail -c 6; done'
is "images survive a lost machine" "after after " "$(tr '\n' ' ' <"$tmp/out")"

vm --nodes 1 --nvdimm 0 'echo "<4>WARNING: CPU: 0 PID: 1 at seeded.c:1" >/dev/kmsg'
is "a warning of the kernel fails a command that succeeded" 121 $? seeded.c
vm --nodes 1 --nvdimm 0 'echo c >/proc/sysrq-trigger'
is "a crash is a crash" 120 $? "Kernel panic"
vm --nodes 1 --nvdimm 0 --timeout 15 'sleep 100'
is "a hang is a timeout" 124 $?
vm --nodes 1 --nvdimm 0 'su alice -c "id -un; touch /tmp/a && ! touch /etc/a" 2>/dev/null'
is "a second user who is not root" "0 alice" "$? $(cat "$tmp/out")"
