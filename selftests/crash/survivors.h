/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Flushes and fences whose deletion the explorer does not notice, each with the reason why it
 * stays. A new survivor fails the run: it is either not needed, and goes, or gets its line here.
 * { file, function, kind, which one of its kind in the function, reason }
 */
{
	"lib/pool.c", "pmemobj_close", POBJ_SITE_FENCE, 1,
	"drains what the caller flushed; the library's own operations have fenced"
},
{
	"lib/core/recover.c", "lanes_act", POBJ_SITE_FENCE, 2,
	"another thread may store to a recovered word and persist it with its own fence, which "
	"does not cover this one's NOP; one thread cannot show it"
},
{
	"lib/core/recover.c", "lane_retire", POBJ_SITE_FLUSH, 1,
	"callers store to words that recovery put back, and other lanes free what it settled, before "
	"this lane has a newer entry; here nobody stores after a recovery but the next one"
},
{
	"lib/reap.c", "lane_reap", POBJ_SITE_FENCE, 1,
	"pages that are given back next can be taken by a process whose own fences do not cover the "
	"line of the slab that was there; here the reaper itself takes them"
},
