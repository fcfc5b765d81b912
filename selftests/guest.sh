#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# usage: selftests/guest.sh DIR PROGRAM...
#
# Run the programs, and the executable selftests/kmod/*.sh, in one virtual machine (KVER) that has,
# beside its NVDIMMs, a virtio-pmem device. Results go to DIR as selftests/run.sh leaves them. One more point says whether the guest came to its end
# with a clean kernel log. What the guest never came to counts as failed.
set -u
dir=$1
shift
rm -rf "$dir/guest"
mkdir -p "$dir/guest"

add="--add selftests/run.sh:/selftests"
tests=
for p in "$@" $(find selftests/kmod -name '*.sh' 2>/dev/null | sort); do
	add="$add --add $p:/selftests/kmod"
	[ -x "$p" ] && tests="$tests /selftests/kmod/${p##*/}"
done
# shellcheck disable=SC2086 # lists of words
{
	set -- $tests
	[ $# -gt 0 ] || exit 0
	selftests/run.sh -n "$dir/guest" "$@"
	truncate -s 64M "$dir/virtio-pmem"
	virtio="-object memory-backend-file,id=vp,share=on,mem-path=$dir/virtio-pmem,size=64M"
	virtio="$virtio -device virtio-pmem-pci,memdev=vp"
	tools/vm/run $add --qemu "$virtio" --share "$dir/guest" --timeout "${VM_TIMEOUT:-1500}" \
		"TEST_TIMEOUT=${TEST_TIMEOUT:-300} /selftests/run.sh -o /host $*"
}
rc=$?

if [ $rc = 0 ]; then
	echo "ok 1 the guest came to its end, its kernel log is clean"
	echo "1 0 0" >"$dir/guest.sum"
else
	echo "not ok 1 the virtual machine ended with status $rc"
	echo "0 1 0" >"$dir/guest.sum"
fi >"$dir/guest.tap"
sed "s/^/      guest on ${KVER:-6.1}: /" "$dir/guest.tap"
for f in "$dir/guest"/*; do
	mv "$f" "$dir/guest.${f##*/}"
done
rmdir "$dir/guest"
rm -f "$dir/virtio-pmem"
