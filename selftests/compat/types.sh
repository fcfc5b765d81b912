#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The macros of the API with every compiler there is, in C and C++, without a warning; mistakes that
# they are there to catch are caught; pmemobj_direct is inline unless it is asked not to be.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -Iinclude -Iinclude/uapi"
n=0

# judge NAME: by the status of the command before
judge() {
	local status=$?
	n=$((n + 1))
	if [ $status = 0 ]; then
		echo "ok $n $1"
	else
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n $1"
	fi
}

for part in type object; do
	printf '%s\n' "#include \"selftests/compat/${part}s.h\"" \
		"int main(void) { return every_${part}_macro(0); }" >"$tmp/$part.c"
	cp "$tmp/$part.c" "$tmp/$part.cc"
done

# With optimisation: some warnings need it.
for how in "gcc -std=c11" "gcc -std=gnu17" "clang -std=c11" "g++ -std=c++17" "clang++ -std=c++17" \
	"gcc -std=c11 -DPMEMOBJ_DIRECT_NON_INLINE"; do
	if ! command -v "${how%% *}" >/dev/null; then
		n=$((n + 1))
		echo "ok $n $how # SKIP not there"
		continue
	fi
	for part in type object; do
		file=$tmp/$part.c
		case $how in *++*) file=$tmp/$part.cc ;; esac
		case $how in *NON_INLINE*) sed -i 's/pmemobj_direct_inline/pmemobj_direct/' "$file" ;; esac
		# shellcheck disable=SC2086 # words
		$how $warnings -I. -O2 -c -o "$tmp/all.o" "$file" >"$tmp/log" 2>&1
		judge "every $part macro: $how"
	done
done

# refused LINE: does not compile; the same program without it does
refused() {
	{
		echo '#include <libpmemobj.h>'
		echo 'TOID_DECLARE(struct a, 1); struct a { int x; };'
		echo 'TOID_DECLARE(struct b, 2); struct b { int x; };'
		echo 'void f(TOID(struct a) a, TOID(struct b) b); void f(TOID(struct a) a, TOID(struct b) b)'
		echo "{ (void)a; (void)b; $1 }"
	} >"$tmp/no.c"
	cp "$tmp/no.c" "$tmp/no.cc"
	# shellcheck disable=SC2086
	for how in "gcc -std=c11 $warnings" "g++ -std=c++17 $warnings"; do
		file=$tmp/no.c
		case $how in g++*) file=$tmp/no.cc ;; esac
		! $how -fsyntax-only "$file" >"$tmp/log" 2>&1 || return 1
		sed 's/(void)b; .*}/(void)b; }/' "$file" >"$tmp/yes.${file##*.}"
		$how -fsyntax-only "$tmp/yes.${file##*.}" >"$tmp/log" 2>&1 || return 1
	done
}
for line in "a = b;" "(void)TOID_EQUALS(a, b);" "D_RO(a)->x = 1;" "struct b *p = D_RW(a); (void)p;" \
	"TOID_ASSIGN(a, b);" "D_RW(a)->y = 1;" "(void)sizeof(TOID(struct c));"; do
	refused "$line"
	judge "refused: $line"
done

printf '%s\n' '#include <libpmemobj.h>' 'void *f(PMEMoid oid) { return pmemobj_direct(oid); }' \
	>"$tmp/direct.c"
# names FLAG...: what the object file wants from the library
names() {
	gcc -O2 "$@" -Iinclude -c -o "$tmp/direct.o" "$tmp/direct.c" >"$tmp/log" 2>&1 &&
		nm -u "$tmp/direct.o" | awk '$2 !~ /GLOBAL_OFFSET/ { print $2 }' | tr '\n' ' '
}
names >"$tmp/log"
grep -qx '_pobj_cache_invalidate _pobj_cached_pool pmemobj_direct ' "$tmp/log"
judge "inline by default"
names -DPMEMOBJ_DIRECT_NON_INLINE >"$tmp/log"
grep -qx 'pmemobj_direct ' "$tmp/log"
judge "PMEMOBJ_DIRECT_NON_INLINE: a call"

echo "1..$n"
