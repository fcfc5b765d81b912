# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What both parts of the demo share: the programs, and the sums over what the reader said.
# shellcheck disable=SC2034 # they use what is set here

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$root/build/bin
break=${BREAK:+-b} # for the writer
[ "${BREAK:-}" != 0 ] || break=

say() {
	echo "  $*"
}

# An error of the demo itself, or of something it needs.
give_up() {
	echo "demo: $*" >&2
	exit 2
}

# acknowledged FILE: how many strings the writer reported as durable. A killed writer's last line
# may have no end: it does not count.
acknowledged() {
	local n
	n=$(tail -n 2 "$1" | sed -n -E 's/^(begin with|stored) ([0-9]+) strings$/\2/p' | tail -n 1)
	echo "${n:-0}"
}

# What all readers found. A torn string stays in the log: it counts once.
sum_checked=0 sum_whole=0 sum_lost=0 sum_half=0 sum_written=0 before=0
declare -A torn_strings=()
pool_no=0

# A new pool: its strings begin with 0 again.
tally_new_pool() {
	pool_no=$((pool_no + 1))
	before=0
}

# The last line of strings_reader.
sums='^([0-9]+) strings: ([0-9]+) in the log, ([0-9]+) whole, ([0-9]+) torn, ([0-9]+) lost$'

# tally FILE: add what strings_reader printed. Sets count, checked, whole, torn, lost, next.
tally() {
	local word n rest
	count='' next=''
	while read -r word n rest; do
		case $word in
		torn:) torn_strings[$pool_no.$rest]=1 ;;
		next:) next="$n${rest:+ $rest}" ;;
		[0-9]*)
			[[ "$word $n $rest" =~ $sums ]] || continue
			count=${BASH_REMATCH[1]} checked=${BASH_REMATCH[2]}
			whole=${BASH_REMATCH[3]} torn=${BASH_REMATCH[4]} lost=${BASH_REMATCH[5]}
			;;
		esac
	done <"$1"
	[ -n "$count" ] && [ -n "$next" ] || return 1
	sum_written=$((sum_written + count - before)) before=$count
	sum_checked=$((sum_checked + checked)) sum_whole=$((sum_whole + whole))
	sum_lost=$((sum_lost + lost))
	[ "$next" != "half written" ] || sum_half=$((sum_half + 1))
}

# The figures of a part; its exit status: 0 all whole, 1 torn or lost.
figures() {
	local sum_torn=${#torn_strings[@]}
	say "strings written:  $sum_written"
	say "found whole:      $sum_whole of $sum_checked read after the kills; the log keeps the last 1024"
	say "absent:           $sum_half half-written ones, none of them in the index"
	say "torn:             $sum_torn"
	say "lost:             $sum_lost (reported as stored, but not found)"
	[ "$sum_torn" = 0 ] && [ "$sum_lost" = 0 ]
}
