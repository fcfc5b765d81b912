// SPDX-License-Identifier: GPL-2.0-only
/*
 * The struct pages of a region's memory: what they carry while it is mapped, and who else holds
 * them.
 *
 * A shared futex is known by the inode and the index of its page. Without them FUTEX_WAIT fails
 * with EFAULT, and glibc's process-shared mutexes abort. So mapping and index are set before the
 * page is first mapped, and cleared before the device is given back: the next user of the device
 * must not find a mapping there that is gone.
 *
 * Pages are prepared by units of 2 MiB, at the first fault in a unit; region->touched has a bit for
 * each. Only touched units were ever mapped, so only they can be pinned.
 *
 * All functions: the caller is inside pobjk_region_enter(), or is the one who made it dead.
 */
#include <linux/delay.h>
#include <linux/mm.h>

#include "kmod/pobjk.h"

#define PAGES_IDLE_REFS		1	/* of a page that the device alone holds */
#define PAGES_WARN_ROUNDS	250	/* times 20 ms */

static unsigned long unit_pages(struct pobjk_region *r, unsigned long unit)
{
	return min_t(unsigned long, POBJK_UNIT_PAGES,
		     pobjk_region_pages(r) - unit * POBJK_UNIT_PAGES);
}

/* Make the unit that @page is in ready to be mapped. Any number may do it at once. */
void pobjk_pages_prepare(struct pobjk_region *r, unsigned long page)
{
	const unsigned long unit = page / POBJK_UNIT_PAGES;
	unsigned long i, n, first = unit * POBJK_UNIT_PAGES;
	struct page *p;

	/* pairs with set_bit() below: whoever sees the bit sees the pages */
	if (test_bit_acquire(unit, r->touched))
		return;
	n = unit_pages(r, unit);
	for (i = 0; i < n; i++) {
		p = pfn_to_page(r->pfn + first + i);
		p->index = first + i;
		WRITE_ONCE(p->mapping, r->inode->i_mapping);
	}
	/* the pages before the bit, which is tested by another fault (above) */
	smp_mb__before_atomic();
	set_bit(unit, r->touched);
}

void pobjk_pages_forget(struct pobjk_region *r)
{
	unsigned long unit, i, n;
	struct page *p;

	for_each_set_bit(unit, r->touched, pobjk_region_units(r)) {
		n = unit_pages(r, unit);
		for (i = 0; i < n; i++) {
			p = pfn_to_page(r->pfn + unit * POBJK_UNIT_PAGES + i);
			WRITE_ONCE(p->mapping, NULL);
			p->index = 0;
		}
		clear_bit(unit, r->touched);
		cond_resched();
	}
}

/* Does nobody hold a page: no pipe, no I/O under way? Final only when nothing is mapped. */
bool pobjk_pages_idle(struct pobjk_region *r)
{
	unsigned long unit, i, n;

	for_each_set_bit(unit, r->touched, pobjk_region_units(r)) {
		n = unit_pages(r, unit);
		for (i = 0; i < n; i++)
			if (page_ref_count(pfn_to_page(r->pfn + unit * POBJK_UNIT_PAGES + i)) !=
			    PAGES_IDLE_REFS)
				return false;
		cond_resched();
	}
	return true;
}

/*
 * For a device that goes away: its pages are about to vanish, so whoever pinned one must let go
 * first. Cannot be interrupted, because the removal cannot.
 */
void pobjk_pages_wait_idle(struct pobjk_region *r)
{
	u32 round = 0;

	while (!pobjk_pages_idle(r)) {
		if (++round == PAGES_WARN_ROUNDS)
			pr_warn("%s: removal waits for pinned pages\n", r->name);
		msleep(20);
	}
}
