// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device reports: it goes away, or a range of it has failed; and which ranges are bad.
 *
 * Bad ranges come from two places. The disk's badblocks list is what firmware and scrubbing know;
 * dax_direct_access() refuses such a range. region->bad is what the machine reported since the
 * claim. Both are asked at each fault and at each read of recovery.
 *
 * Order of a removal: dead under life (no new access), unmap (no old mapping), wait for pins (no
 * old reference), clear the struct pages, drop the reference to them. Only then do we return, and
 * only then does the driver free the pages. Processes that map the region are not waited for.
 *
 * Order of a failure: record under life, then unmap. A fault that was under way has either seen
 * the record or is undone by the unmapping.
 *
 * We are called inside dax_read_lock(). A region that was released may still be called for a
 * moment, hence the look-up; and the module's text must outlive the call, hence poison_barrier.
 */
#include <linux/badblocks.h>
#include <linux/dax.h>
#include <linux/mm.h>

#include "kmod/pobjk.h"
#include "kmod/trace.h"

#define POISON_STEP_PAGES	(1UL << 18)
#define POISON_STEP_SECTORS	(1U << 30)

/*
 * A dax_device without a device, never alive. kill_dax() of it waits until all that is inside
 * dax_read_lock() has left; nothing else that modules may call does.
 */
static struct dax_device *poison_barrier;

/* ---- what the device reports ------------------------------------------------------------ */

static void region_gone(struct pobjk_region *r)
{
	down_write(&r->life);
	r->dead = true;
	up_write(&r->life);

	unmap_mapping_range(r->inode->i_mapping, 0, 0, 1);
	if (r->touched) {
		pobjk_pages_wait_idle(r);
		pobjk_pages_forget(r);
	}
	pobjk_device_drop_pgmap(r);
}

static int region_failed(struct pobjk_region *r, u64 off, u64 len)
{
	unsigned long page, last;
	int err = 0;

	/* To the region, in whole pages. */
	if (off < r->dax_off) {
		if (len <= r->dax_off - off)
			return 0;
		len -= r->dax_off - off;
		off = r->dax_off;
	}
	off -= r->dax_off;
	if (off >= r->bytes || !len)
		return 0;
	len = min(len, r->bytes - off);
	page = off >> PAGE_SHIFT;
	last = (off + len - 1) >> PAGE_SHIFT;

	down_write(&r->life);
	for (; page <= last && !err; page++)
		err = xa_err(xa_store(&r->bad, page, xa_mk_value(1), GFP_KERNEL));
	up_write(&r->life);

	off &= PAGE_MASK;
	len = (((u64)last + 1) << PAGE_SHIFT) - off;
	unmap_mapping_range(r->inode->i_mapping, off, len, 1);
	pr_warn_ratelimited("%s: memory failure at offset %llu, %llu bytes\n", r->name, off, len);
	return err;
}

static int poison_notify(struct dax_device *dax, u64 off, u64 len, int flags)
{
	struct pobjk_region *r = pobjk_region_get_holder(dax_holder(dax), dax);
	int err = 0;

	if (!r)
		return -ENXIO;
	trace_pobj_failure(r, off, len, flags);
	if (pobjk_failure_is_removal(len, flags))
		region_gone(r);
	else
		err = region_failed(r, off, len);
	pobjk_region_put(r);
	return err;
}

const struct dax_holder_operations pobjk_holder_ops = {
	.notify_failure	= poison_notify,
};

/* ---- which ranges are bad --------------------------------------------------------------- */

/* Is something of these pages bad? Inside pobjk_region_enter(). */
bool pobjk_poison_hits(struct pobjk_region *r, unsigned long page, unsigned long cnt)
{
	const pgoff_t start = PHYS_PFN(r->dax_off);
	unsigned long first = page, step;
	long n = 1;
	int id;

	if (!cnt)
		return false;
	if (xa_find(&r->bad, &first, page + cnt - 1, XA_PRESENT))
		return true;
	id = dax_read_lock();
	for (; cnt && n > 0; page += step, cnt -= step) {
		step = min(cnt, POISON_STEP_PAGES);
		n = dax_direct_access(r->dax, start + page, step, DAX_ACCESS, NULL, NULL);
	}
	dax_read_unlock(id);
	return n <= 0;
}

/* First bad range of the disk's list that ends above @from: clipped to [from, bytes). */
static bool next_listed(struct pobjk_region *r, u64 from, u64 *start, u64 *end)
{
	struct badblocks *bb = r->bdev.bdev->bd_disk->bb;
	const sector_t base = r->dax_off >> SECTOR_SHIFT;
	sector_t s = from >> SECTOR_SHIFT, stop = r->bytes >> SECTOR_SHIFT, first;
	int n, bad;

	if (!bb || !bb->count)
		return false;
	for (; s < stop; s += n) {
		n = min_t(sector_t, stop - s, POISON_STEP_SECTORS);
		if (!badblocks_check(bb, base + s, n, &first, &bad))
			continue;
		*start = max(from, (u64)(first - min(first, base)) << SECTOR_SHIFT);
		*end = min(r->bytes, (u64)(first + bad - base) << SECTOR_SHIFT);
		return *start < *end;
	}
	return false;
}

static bool next_recorded(struct pobjk_region *r, u64 from, u64 *start, u64 *end)
{
	unsigned long page = from >> PAGE_SHIFT;

	if (!xa_find(&r->bad, &page, pobjk_region_pages(r) - 1, XA_PRESENT))
		return false;
	*start = max(from, (u64)page << PAGE_SHIFT);
	*end = ((u64)page + 1) << PAGE_SHIFT;
	return true;
}

/* Ranges and bytes that one list or the other names; what touches is one range. */
void pobjk_poison_count(struct pobjk_region *r, u64 *cnt, u64 *bytes)
{
	u64 from = 0, last = U64_MAX, start, end, start2, end2;
	bool listed, recorded;

	*cnt = 0;
	*bytes = 0;
	/* The disk's list goes with the disk. */
	if (!pobjk_region_enter(r))
		return;
	while (from < r->bytes) {
		listed = next_listed(r, from, &start, &end);
		recorded = next_recorded(r, from, &start2, &end2);
		if (!listed && !recorded)
			break;
		if (!listed || (recorded && start2 < start)) {
			start = start2;
			end = end2;
		}
		if (start != last)
			++*cnt;
		*bytes += end - start;
		from = end;
		last = end;
		cond_resched();
	}
	pobjk_region_leave(r);
}

/* ---- module ----------------------------------------------------------------------------- */

int pobjk_poison_init(void)
{
	poison_barrier = alloc_dax(NULL, NULL);
	if (IS_ERR(poison_barrier))
		return PTR_ERR(poison_barrier);
	kill_dax(poison_barrier);
	return 0;
}

/* After the last region is released: no report is in our code any more. */
void pobjk_poison_exit(void)
{
	kill_dax(poison_barrier);
	put_dax(poison_barrier);
}
