#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What "make install" leaves: a library that exports what its headers declare and nothing else,
# headers, pkg-config file; and the program of the README, built as the README says. Prints TAP.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
dest=$tmp/dest so=$tmp/dest/usr/lib/libpobj-user.so
: >"$tmp/out"
n=0

# point NAME CONDITION...: with a bad one, show what was printed
point() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >>"$tmp/out" 2>&1; then
		echo "ok $n $name"
	else
		sed 's/^/# /' "$tmp/out"
		echo "not ok $n $name"
	fi
	: >"$tmp/out"
}
plain_make() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u DESTDIR -u PREFIX -u LIBDIR make "$@" </dev/null
}
# same FILE FILE: equal; else the difference is printed
same() {
	diff "$1" "$2"
}
echo 1..14

# ---- what is there

point "make install" plain_make install DESTDIR="$dest" PREFIX=/usr

cat >"$tmp/want" <<END
usr/bin/pobjctl
usr/include/libpmemobj.h
$(cd include && printf 'usr/include/%s\n' libpmemobj/*.h)
usr/include/linux/pobj.h
usr/include/linux/pobj_media.h
usr/include/pobj.h
usr/lib/libpobj-user.a
usr/lib/libpobj-user.so
usr/lib/libpobj-user.so.1
usr/lib/pkgconfig/libpobj-user.pc
usr/lib/udev/rules.d/90-pobj.rules
usr/share/man/man1/pobjctl.1
END
(cd "$dest" && find . ! -type d ! -name '*.so.*.*') | sed 's|^\./||' | LC_ALL=C sort |
	grep -v '^usr/share/man/man[2-8]/' >"$tmp/got"
LC_ALL=C sort -o "$tmp/want" "$tmp/want"
point "what is installed, and where" same "$tmp/want" "$tmp/got"

objdump -p "$so" >"$tmp/dynamic"
point "the soname" grep -qE '^ +SONAME +libpobj-user\.so\.1$' "$tmp/dynamic"
point "the links lead to a library" cmp "$so" "$so.1"

# ---- symbols

nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort >"$tmp/exported"
point "only names that begin with pmemobj_, pobj_ or _pobj_ are exported" \
	same /dev/null <(grep -vE '^(pmemobj|pobj|_pobj)_' "$tmp/exported")
point "each has a version" \
	same /dev/null <(nm -D --defined-only "$so" | awk '$2 != "A" && $3 !~ /@@LIBPOBJ_USER_/')
printf '#include <libpmemobj.h>\n#include <pobj.h>\n' |
	gcc -E -P -I"$dest/usr/include" - | tr '\n' ' ' | sed 's/[;}]/&\n/g' |
	sed -nE -e '/^ *(typedef|struct|static)/!s/.*\b((pmemobj|pobj)_[a-z0-9_]+) *\(.*/\1/p' \
		-e 's/^ *extern [^(]*\b(_pobj_[a-z_]+);/\1/p' |
	sort >"$tmp/declared"
point "the headers declare what is exported, and all of it" same "$tmp/declared" "$tmp/exported"

# ---- pkg-config, headers

export PKG_CONFIG_SYSROOT_DIR=$dest PKG_CONFIG_LIBDIR=$dest/usr/lib/pkgconfig
point "pkg-config knows it" pkg-config --print-errors --exists libpobj-user
point "its version is that of the Makefile" \
	[ "$(pkg-config --modversion libpobj-user)" = "$(sed -n 's/^VERSION := //p' Makefile)" ]
ours() {
	printf '#include <%s>\n' libpmemobj.h pobj.h linux/pobj.h >"$tmp/a.$1"
	echo 'int main(void) { return !pobj_errormsg(); }' >>"$tmp/a.$1"
	shift
	# shellcheck disable=SC2046 # words
	"$@" -Wall -Wextra -Werror $(pkg-config --cflags --libs libpobj-user) -o "$tmp/a.out"
}
point "the installed headers and library from C" ours c cc -std=c11 "$tmp/a.c"
point "and from C++" ours cc c++ -std=c++17 "$tmp/a.cc"

# ---- the program of the README

awk '/^```/ { if (on) exit; on = $0 == "```c"; next } on' README.md >"$tmp/notes.c"
point "the README prints tools/examples/notes.c" \
	same <(sed '1,/^ *\/\*.*\*\/$/d' tools/examples/notes.c) "$tmp/notes.c"

line=$(grep -m 1 -E '^(\$ )?cc .*notes\.c' README.md | sed 's/^\$ //')
build() {
	cd "$tmp" && echo "$line" && [ -n "$line" ] && eval "$line"
}
point "it builds by the line that the README gives" build

# Twice: the second run finds what the first stored.
run_twice() {
	cd "$tmp" && export LD_LIBRARY_PATH=$dest/usr/lib || return
	./notes pool milk >first && ./notes pool bread >second
	cat first second
	[ "$(cat first)" = milk ] && [ "$(cat second)" = "milk
bread" ]
}
point "it finds what it stored" run_twice
