/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Flushes and fences whose deletion the explorer does not notice, each with the reason why it
 * stays. A new survivor fails the run: it is either not needed, and goes, or gets its line here.
 * { file, function, kind, which one of its kind in the function, reason }
 */
{
	"lib/pool.c", "pmemobj_close", POBJ_SITE_FENCE, 1,
	"drains what the caller flushed: the library's own operations have fenced, and what frees left "
	"is drained by pobj_heap_detach(), lane by lane"
},
