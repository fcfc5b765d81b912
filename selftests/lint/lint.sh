#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# The checks can fail: each is given a fault and must see it, and given the tree's own rules obeyed
# and must be content.
set -u
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0

# sees NAME COMMAND...: the check must fail, and not because it could not run
sees() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/log" 2>&1 || ! grep -q '^not ok' "$tmp/log"; then
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n sees $name"
	else
		echo "ok $n sees $name"
	fi
}
content() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $n content with $name"
	else
		sed 's/^/# /' "$tmp/log"
		echo "not ok $n content with $name"
	fi
}

# A tree of one file, for the checks that walk a tree.
tree() {
	rm -rf "$tmp/tree"
	mkdir -p "$tmp/tree/${1%/*}" "$tmp/tree/lib/core" "$tmp/tree/include/uapi/linux" "$tmp/tree/LICENSES"
	: >"$tmp/tree/lib/heap.h" >"$tmp/tree/lib/core/geom.h" >"$tmp/tree/include/pobj.h"
	: >"$tmp/tree/include/uapi/linux/pobj.h" >"$tmp/tree/LICENSES/BSD-3-Clause"
	printf '%s\n' "$2" >"$tmp/tree/$1"
	git init -q "$tmp/tree"
}

tree lib/core/a.c '#include "lib/heap.h"'
sees "lib/core using lib" tools/lint/arrows "$tmp/tree"
tree lib/core/a.c '#include "../heap.h"'
sees "lib/core using lib by a relative path" tools/lint/arrows "$tmp/tree"
tree lib/core/a.c '#include <stdio.h>'
sees "lib/core using libc" tools/lint/arrows "$tmp/tree"
tree kmod/a.c '#include "lib/heap.h"'
sees "kmod using lib" tools/lint/arrows "$tmp/tree"
tree tools/pobjctl/a.c '#include "lib/core/geom.h"'
sees "a tool using lib/core" tools/lint/arrows "$tmp/tree"
tree include/uapi/linux/pobj_a.h '#include "lib/core/geom.h"'
sees "uapi using lib/core" tools/lint/arrows "$tmp/tree"
tree lib/a.c '#include "selftests/lib/test.h"'
sees "lib using a test" tools/lint/arrows "$tmp/tree"
tree kmod/a.c '#include "lib/core/geom.h"
#include <linux/pobj.h>
#include <linux/module.h>'
content "kmod using lib/core and uapi" tools/lint/arrows "$tmp/tree"
tree tools/pobjctl/a.c '#include <pobj.h>
#include <stdio.h>
#include <linux/pobj.h>'
content "a tool using public headers" tools/lint/arrows "$tmp/tree"

tree lib/a.c 'int a;'
sees "a missing SPDX line" tools/lint/spdx "$tmp/tree"
tree lib/a.c '// SPDX-License-Identifier: GPL-2.0-only'
sees "the wrong licence for a folder" tools/lint/spdx "$tmp/tree"
tree lib/a.c '// SPDX-License-Identifier: BSD-3-Clause'
content "an SPDX line" tools/lint/spdx "$tmp/tree"
rm "$tmp/tree/LICENSES/BSD-3-Clause"
sees "a missing licence text" tools/lint/spdx "$tmp/tree"

cat >"$tmp/endian.c" <<'EOF'
#include <linux/types.h>
#include "lib/core/env.h"
u64 next(__le64 v);
u64 next(__le64 v)
{
	return ADD;
}
EOF
sed 's/ADD/v + 1/' "$tmp/endian.c" >"$tmp/bad.c"
sed 's/ADD/le64_to_cpu(v) + 1/' "$tmp/endian.c" >"$tmp/good.c"
sees "a missing le64_to_cpu" tools/lint/sparse-core "$tmp/bad.c"
content "le64_to_cpu" tools/lint/sparse-core "$tmp/good.c"

printf '%s\n' '// SPDX-License-Identifier: BSD-3-Clause' 'int f(int a)' '{' '    return a;' '}' >"$tmp/style.c"
sees "spaces for a tab" tools/lint/checkpatch "$tmp/style.c"
printf '%s\n' '// SPDX-License-Identifier: BSD-3-Clause' 'int f(int a)' '{' '	if (a) return 1;' '	return a;' '}' >"$tmp/style.c"
sees "two statements on a line" tools/lint/checkpatch "$tmp/style.c"
printf '%s\n' '// SPDX-License-Identifier: BSD-3-Clause' 'int f(int a)' '{' '	return a;' '}' >"$tmp/style.c"
content "kernel style" tools/lint/checkpatch "$tmp/style.c"

printf '%s\n' 'static inline size_t f(void) { return 0; }' >"$tmp/alone.h"
sees "a header that needs another one first" tools/lint/headers "$tmp/alone.h"

printf '%s\n' 'Build it:' '' '    make bananas' >"$tmp/README.md"
sees "a target that is not there" tools/lint/readme "$tmp/README.md"
printf '%s\n' 'To make sure, run `make help`:' '```' '$ make -j2 KVER=6.1 check' '```' >"$tmp/README.md"
content "targets that are there" tools/lint/readme "$tmp/README.md"

# What tests leave behind; git is asked about the tree that it is called in.
here=$PWD
tree lib/a.c ''
in_tree() { (cd "$tmp/tree" && "$here/tools/lint/tree" "$@" "$tmp/before"); }
in_tree -b
content "a tree as it was" in_tree
: >"$tmp/tree/lib/left.pyc"
sees "a file that was left in the tree" in_tree
echo "1..$n"
