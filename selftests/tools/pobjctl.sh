#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# pobjctl as its users see it: exit status, error texts, the shape of the JSON, and that check
# finds and recover repairs what is damaged. Prints TAP. O=DIR is the build folder.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${O:-build}
case $build in /*) ;; *) build=$root/$build ;; esac
PATH=$build/bin:$PATH
mkpool=$build/selftests/tools/mkpool
for need in "$build/bin/pobjctl" "$mkpool"; do
	[ -x "$need" ] || { echo "Bail out! $need is not there; run: make all tests"; exit 1; }
done
command -v python3 >/dev/null || { echo "1..0 # SKIP no python3"; exit 4; }

tmp=$(mktemp -d)
chmod 755 "$tmp"
holder=
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	[ -z "$holder" ] || kill "$holder" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
cd "$tmp" || exit 1
: >out
: >err

n=0 bad=0 rc=0
# point NAME STATUS: count it; with a bad one, show what the command printed
point() {
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n $1"
	else
		bad=1
		{ echo "status $rc"; cat out err; } | sed 's/^/# /'
		echo "not ok $n $1"
	fi
}
skip() {
	n=$((n + 1))
	echo "ok $n $1 # SKIP $2"
}
# run STATUS ARGUMENT...: pobjctl ends with that status
run() {
	want=$1
	shift
	pobjctl "$@" >out 2>err </dev/null
	rc=$?
	[ $rc = "$want" ]
	good=$?
}
# says FILE WORDS: and FILE (out, err) has the words, in any case
says() {
	grep -qiE -- "$2" "$1" || good=1
}
silent() {
	[ ! -s "$1" ] || good=1
}
# json EXPRESSION: standard output is JSON, and the Python expression on it (d) is true
json() {
	python3 - "$1" <<'EOF' 2>>err || good=1
import json, sys
with open("out") as f:
	d = json.load(f)
sys.exit(0 if eval(sys.argv[1]) else 1)
EOF
}
# shape: the JSON on standard output has exactly the fields, in that order and of those types,
# that standard input lists
shape() {
	cat >shape.want
	python3 - <<'EOF' >shape.got 2>>err || good=1
import json
def walk(v, at):
	if isinstance(v, dict):
		for k in v:
			walk(v[k], at + "." + k)
	elif isinstance(v, list):
		print(at + "[]")
		if v:
			walk(v[0], at + "[]")
	else:
		print(at, "null" if v is None else type(v).__name__)
with open("out") as f:
	walk(json.load(f), "")
EOF
	cmp -s shape.want shape.got || { diff shape.want shape.got >>err; good=1; }
}
# damage FILE OFFSET...: change a byte there
damage() {
	file=$1
	shift
	for at; do
		old=$(od -An -tu1 -j "$at" -N 1 "$file" | tr -d ' ')
		# shellcheck disable=SC2059 # an octal escape
		printf "\\$(printf %03o $((old ^ 255)))" |
			dd of="$file" bs=1 seek="$at" conv=notrunc status=none
	done
}

"$mkpool" pool $((16 << 20)) >out 2>err || { sed 's/^/# /' err; echo "Bail out! no pool"; exit 1; }

# ---- usage

run 2
says err "no verb"
says err "run: pobjctl --help"
silent out
point "no arguments: usage error" $good
run 2 frobnicate
says err "frobnicate"
says err "run: pobjctl --help"
point "unknown verb: usage error" $good
run 2 --frobnicate
point "unknown option before the verb: usage error" $good
run 2 check --frobnicate pool
says err "frobnicate"
says err "run: pobjctl check --help"
point "unknown option: usage error" $good
run 2 check -j pool
says err "wrong option: -j"
point "unknown short option: usage error" $good
run 2 check --json=yes pool
point "an option with a value that it does not take: usage error" $good
for verb in info check recover claim release; do
	run 2 $verb
	says err "usage: pobjctl $verb"
	silent out
	point "$verb without an argument: usage error" $good
done
run 2 info pool pool
point "info of two pools: usage error" $good
run 2 list pool
point "list with an argument: usage error" $good
run 2 check pool ""
silent out
point "an empty argument: usage error" $good
run 0 --help
for verb in list info check recover claim release; do
	says out "^ *$verb "
done
says out "exit status: 0"
silent err
point "--help names the verbs and the exit status" $good
for verb in list info check recover claim release; do
	run 0 $verb --help
	says out "^usage: pobjctl $verb"
	says out "^example: pobjctl $verb"
	says out "exit status: 0"
	point "$verb --help has an example and the exit status" $good
done
run 0 --version
says out "^pobjctl $(sed -n 's/^VERSION := //p' "$root/Makefile")\$"
point "--version is the version of the Makefile" $good
pobjctl info pool >/dev/full 2>err
rc=$?
good=0
[ $rc = 1 ] || good=1
says err "cannot write"
point "a report that cannot be written is an error" $good

# ---- a sound pool

run 0 info pool
says out "^verdict +ready"
says out "^layout +mkpool"
says out "^size +16 MiB"
says out "^root +64 B"
silent err
point "info of a sound pool" $good
run 0 info --bytes pool
says out "^size +16777216\$"
point "info --bytes: exact sizes" $good
run 0 info --json pool
json 'd["bytes"] == 16 << 20 and d["layout"] == "mkpool" and d["root_bytes"] == 64'
json 'd["users"] == 0 and d["live_entries"] == 0 and d["bad_copies"] == 0 and d["error"] is None'
json 'len(d["uuid"]) == 36 and d["ctime"] > 1600000000 and d["region"] is None'
json 'd["data_off"] + d["page_cnt"] * d["page_bytes"] <= d["bytes"]'
silent err
point "info --json: values" $good
shape <<'EOF'
.path str
.verdict str
.uuid str
.layout str
.bytes int
.ctime int
.page_bytes int
.page_cnt int
.data_off int
.lane_cnt int
.lane_bytes int
.root_off int
.root_bytes int
.unstable bool
.bad_copies int
.bad_lanes int
.live_entries int
.users int
.on_region bool
.region null
.error null
EOF
point "info --json: fields" $good

run 0 check pool
says out "^pool: clean: 0 problems"
silent err
point "check of a sound pool" $good
run 0 check --json pool
json 'd[0]["verdict"] == "clean" and d[0]["problems"] == [] and d[0]["error"] is None'
json 'd[0]["census"]["problems"] == 0 and d[0]["census"]["spans"]["large"] == 1'
json '0 < d[0]["census"]["largest_free"] <= d[0]["census"]["free_pages"] < d[0]["census"]["pages"]'
silent err
point "check --json: values" $good
shape <<'EOF'
[]
[].path str
[].verdict str
[].problems[]
[].census.problems int
[].census.fatal int
[].census.lanes int
[].census.live_entries int
[].census.pages int
[].census.free_pages int
[].census.largest_free int
[].census.spans.slab int
[].census.spans.large int
[].census.spans.log int
[].error null
EOF
point "check --json: fields" $good

cp pool pool.before
run 0 recover pool
says out "^pool: clean: [0-9]+ lanes read, 0 live entries\$"
silent err
point "recover of a sound pool" $good
run 0 recover --json pool
json 'd[0]["verdict"] == "clean" and d[0]["live"] == 0 and d[0]["repaired"] == 0'
json 'd[0]["lanes"] > 0 and d[0]["was_done"] is False'
point "recover --json: values" $good
shape <<'EOF'
[]
[].path str
[].verdict str
[].was_done bool
[].lanes int
[].live int
[].undone int
[].redone int
[].repaired int
[].error null
EOF
point "recover --json: fields" $good
run 0 check pool
cmp -s pool pool.before || good=1
point "recover changed no byte of a sound pool" $good

run 0 list --json
json 'isinstance(d, list)'
point "list --json is an array" $good
run 0 list
point "list" $good

# ---- an open pool

mkfifo to
# hold: a process opens the pool and keeps it open until descriptor 3 is closed
hold() {
	rm -f held
	"$mkpool" --hold pool <to >held 2>&1 &
	holder=$!
	exec 3>to
	i=0
	while [ ! -s held ] && [ $i -lt 100 ]; do
		sleep 0.1
		i=$((i + 1))
	done
}
hold
run 0 info --json pool
json 'd["verdict"] == "in-use" and d["users"] == 1'
point "info of an open pool" $good
run 1 check pool
says err "^pobjctl: pool: "
says err "fuser"
silent out
point "check of an open pool: busy, and how to see who" $good
run 0 recover --json pool
json 'd[0]["was_done"] and d[0]["verdict"] == "was-done"'
point "recover of an open pool has nothing to do" $good
exec 3>&-
wait "$holder"
rc=$? holder=
cat held >err
point "the holder could close it" $rc
run 0 check pool
point "and it is clean" $good
hold
kill -9 "$holder"
wait "$holder" 2>/dev/null
holder=
exec 3>&-
run 0 info --json pool
json 'd["verdict"] == "ready" and d["users"] == 0'
point "a killed process uses it no more" $good
run 0 recover --json pool
json 'd[0]["was_done"] is False and d[0]["verdict"] == "clean"'
point "recover behind a killed process" $good
run 0 check pool
point "and it is clean, too" $good
"$mkpool" --hold pool </dev/null >held 2>err
rc=$?
point "the next process opens and closes it" $rc

# ---- not pools

# fails VERB PATH NAMES WORDS: every form of the verb fails with one of these errno and has the WORDS
fails() {
	verb=$1 path=$2 name=$3 words=$4
	run 1 "$verb" "$path"
	says err "^pobjctl: "
	says err "$words"
	[ "$(wc -l <err)" = 1 ] || good=1
	silent out
	point "$verb of $path: $words" $good
	run 1 "$verb" --json "$path"
	says err "$words"
	if [ "$verb" = info ]; then at='d'; else at='d[0]'; fi
	json "${at}['verdict'] == 'failed' and ${at}['error']['name'] in '$name'.split()"
	json "${at}['path'] == '$path' and ${at}['error']['errno'] > 0 and ${at}['error']['text']"
	point "$verb --json of $path: $name" $good
}
for verb in info check recover; do
	fails "$verb" missing ENOENT "pobjctl: missing: .*no such file.*check the path"
	fails "$verb" /etc/passwd EMEDIUMTYPE "/etc/passwd: .*not a (pobj )?pool"
	fails "$verb" /dev/null EMEDIUMTYPE "/dev/null: .*not a"
	fails "$verb" "$tmp" "EISDIR EMEDIUMTYPE" "name a pool file in this directory"
done
run 1 info --json missing
shape <<'EOF'
.path str
.verdict str
.uuid null
.layout null
.bytes null
.ctime null
.page_bytes null
.page_cnt null
.data_off null
.lane_cnt null
.lane_bytes null
.root_off null
.root_bytes null
.unstable null
.bad_copies null
.bad_lanes null
.live_entries null
.users null
.on_region null
.region null
.error.errno int
.error.name str
.error.text str
.error.advice str
EOF
point "info --json of what is no pool has all fields" $good
: >empty
run 1 info empty
says err "^pobjctl: empty: .*not a"
point "info of an empty file" $good
run 1 check --json missing pool empty
json '[e["verdict"] for e in d] == ["failed", "clean", "failed"]'
point "check goes on behind a failed path" $good
[ -e /dev/pobj ] || {
	run 1 info pobj:pmem99
	says err "^pobjctl: pobj:pmem99: .*run: "
	point "info of a device that is not there" $good
	run 1 claim pmem99
	says err "^pobjctl: pobj:pmem99: .*modprobe pobj"
	point "claim of a device that is not there" $good
	run 1 release pmem99
	says err "^pobjctl: pobj:pmem99: .*modprobe pobj"
	point "release of a device that is not there" $good
}

# ---- damaged pools

cp pool short
truncate -s $((8 << 20)) short
run 1 check --json short
json 'd[0]["verdict"] == "fatal" and d[0]["problems"][0]["fatal"]'
json '"truncated" in d[0]["problems"][0]["text"] and d[0]["problems"][0]["advice"]'
point "check of a truncated pool: fatal" $good
run 1 recover short
says err "truncated"
point "recover of a truncated pool fails and says why" $good
run 1 info short
says err "truncated"
point "info of a truncated pool fails and says why" $good

for copy in 0 1; do
	off=$((copy * 4096))
	cp pool hurt
	damage hurt $((off + 1024))
	run 1 check hurt
	says out "^hurt: repairable at 0x[0-9a-f]+: "
	says out "^    .*recover"
	says out "^hurt: repairable: 1 problem, 0 fatal;"
	silent err
	point "copy $copy damaged: check calls it repairable" $good
	run 1 check --json hurt
	json 'd[0]["verdict"] == "repairable" and d[0]["census"]["problems"] == 1'
	json "len(d[0]['problems']) == 1 and not d[0]['problems'][0]['fatal']"
	json "$off <= d[0]['problems'][0]['off'] < $off + 2048"
	json '"recover" in d[0]["problems"][0]["advice"] and "both" not in d[0]["problems"][0]["text"]'
	shape <<'EOF'
[]
[].path str
[].verdict str
[].problems[]
[].problems[].fatal bool
[].problems[].off int
[].problems[].found int
[].problems[].expected int
[].problems[].text str
[].problems[].advice str
[].census.problems int
[].census.fatal int
[].census.lanes int
[].census.live_entries int
[].census.pages int
[].census.free_pages int
[].census.largest_free int
[].census.spans.slab int
[].census.spans.large int
[].census.spans.log int
[].error null
EOF
	point "copy $copy damaged: check --json" $good
	run 0 info --json hurt
	json 'd["verdict"] == "repairable" and d["bad_copies"] == 1 and d["layout"] == "mkpool"'
	point "copy $copy damaged: info" $good
	run 0 info hurt
	says out "run: pobjctl recover hurt"
	point "copy $copy damaged: info says what to run" $good
	run 0 recover --json hurt
	json 'd[0]["verdict"] == "recovered" and d[0]["repaired"] == 1 and d[0]["live"] == 0'
	point "copy $copy damaged: recover repairs it" $good
	run 0 check hurt
	says out "clean"
	cmp -s hurt pool || good=1
	point "copy $copy damaged: clean again, and the same as before" $good
done

cp pool dead
damage dead 1024 $((4096 + 1024))
cp dead dead.before
run 1 check dead
says out "^dead: fatal at 0x"
says out "^dead: fatal: "
silent err
point "both copies damaged: check calls it fatal" $good
run 1 info dead
says err "^pobjctl: dead: .*(checksum|damaged)"
point "both copies damaged: info fails and says why" $good
run 1 recover --json dead
json 'd[0]["verdict"] == "failed" and d[0]["error"]["name"] == "EUCLEAN"'
cmp -s dead dead.before || good=1
point "both copies damaged: recover fails and changes nothing" $good

pobjctl info --json pool >out
# Less than 4 KiB lies between the last line and the first page.
line=$(python3 -c 'import json; print(json.load(open("out"))["data_off"] - 8192)')
cp pool line
damage line "$line"
run 1 check line
says out "^line: fatal at $(printf 0x%x "$line"): "
says out "^    found 0x[0-9a-f]+, expected 0x[0-9a-f]+\$"
says out "^line: fatal: 1 problem, 1 fatal;"
point "a damaged page line: check says where, and calls it fatal" $good

cp pool wiped
dd if=/dev/zero of=wiped bs=4096 count=1 conv=notrunc status=none
run 1 check wiped
says out "^wiped: repairable"
point "copy 0 wiped: repairable" $good
run 0 recover wiped
cmp -s wiped pool || good=1
point "copy 0 wiped: recover brings it back" $good
dd if=/dev/zero of=wiped bs=4096 count=2 conv=notrunc status=none
run 1 check wiped
says err "not a"
point "both copies wiped: not a pool" $good

# ---- permissions, names

cp pool read-only
chmod 644 read-only
cp pool secret
chmod 600 secret
nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
if [ "$(id -u)" != 0 ]; then
	skip "info of an unreadable file" "needs root"
	skip "check as a user who may read only" "needs root"
	skip "recover as a user who may read only" "needs root"
elif ! $nobody "$build/bin/pobjctl" --version >/dev/null 2>&1; then
	skip "info of an unreadable file" "another user cannot run pobjctl here"
	skip "check as a user who may read only" "another user cannot run pobjctl here"
	skip "recover as a user who may read only" "another user cannot run pobjctl here"
else
	$nobody "$build/bin/pobjctl" info secret >out 2>err
	rc=$? good=0
	[ $rc = 1 ] || good=1
	says err "^pobjctl: secret: .*permission denied.*ls -l secret"
	point "info of an unreadable file" $good
	$nobody "$build/bin/pobjctl" check read-only >out 2>err
	rc=$? good=0
	[ $rc = 0 ] || good=1
	says out "clean"
	point "check as a user who may read only" $good
	$nobody "$build/bin/pobjctl" recover read-only >out 2>err
	rc=$? good=0
	[ $rc = 1 ] || good=1
	says err "permission denied"
	point "recover as a user who may read only" $good
fi

odd=$(printf 'a b\033[31m\377')
cp hurt "$odd"
run 0 info "$odd"
says out '^pool +a b\\x1b\[31m\\xff$'
point "a name that a terminal would interpret is escaped" $good
run 0 info --json "$odd"
json 'd["path"] == "a b\x1b[31m\ufffd"'
point "a name that is not UTF-8 is still JSON" $good
cp pool ./-dash
run 0 check -- -dash
point "a name with a dash, behind --" $good

echo "1..$n"
exit $bad
