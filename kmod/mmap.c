// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of a region's data: mmap and faults.
 *
 * A fault maps 2 MiB where it can: address, offset and page frame aligned alike, the whole 2 MiB
 * inside the mapping and the region, and nothing bad in it. Else 4 KiB.
 *
 * Faults take region->life for reading, below mmap_lock; 2 MiB faults of 6.12 come under the lock
 * of the vma alone. Whoever takes life for writing changes something and then unmaps: so a fault
 * either sees the change or what it maps is unmapped after it.
 *
 * A mapping belongs to the mm that made it. VM_DONTCOPY keeps it out of children; a process may
 * clear that (MADV_DOFORK), so what a child inherits after all is made an orphan: it maps nothing.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pfn_t.h>
#include <linux/rbtree.h>

#include "kmod/pobjk.h"
#include "kmod/trace.h"

/* Does @mm map something of @mapping? @file: by this file only. */
bool pobjk_mapped_by(struct address_space *mapping, struct mm_struct *mm, struct file *file)
{
	struct vm_area_struct *vma;
	struct rb_node *n;
	bool mapped = false;

	i_mmap_lock_read(mapping);
	for (n = rb_first_cached(&mapping->i_mmap); n && !mapped; n = rb_next(n)) {
		vma = rb_entry(n, struct vm_area_struct, shared.rb);
		mapped = vma->vm_mm == mm && (!file || vma->vm_file == file);
	}
	i_mmap_unlock_read(mapping);
	return mapped;
}

/* ---- faults ----------------------------------------------------------------------------- */

static vm_fault_t fault_4k(struct pobjk_region *r, struct vm_fault *vmf)
{
	const unsigned long page = vmf->pgoff;
	vm_fault_t ret;

	if (page >= pobjk_region_pages(r))
		return VM_FAULT_SIGBUS;
	if (pobjk_poison_hits(r, page, 1))
		return VM_FAULT_HWPOISON;
	pobjk_pages_prepare(r, page);
	ret = vmf_insert_mixed(vmf->vma, vmf->address,
			       __pfn_to_pfn_t(r->pfn + page, PFN_DEV | PFN_MAP));
	if (ret == VM_FAULT_NOPAGE)
		atomic64_inc(&r->faults_4k);
	return ret;
}

/* Is there a page table already, as for neighbours of a bad page? Then 4 KiB it stays. */
static bool has_table(pmd_t pmd)
{
	return !pmd_none(pmd) && !pmd_trans_huge(pmd) && !pmd_devmap(pmd);
}

static vm_fault_t fault_2m(struct pobjk_region *r, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	const unsigned long addr = vmf->address & PMD_MASK;
	unsigned long page;
	vm_fault_t ret;

	if (addr < vma->vm_start || addr + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	page = linear_page_index(vma, addr);
	if (!IS_ALIGNED(r->pfn + page, HPAGE_PMD_NR) ||
	    page + HPAGE_PMD_NR > pobjk_region_pages(r) ||
	    has_table(READ_ONCE(*vmf->pmd)) || pobjk_poison_hits(r, page, HPAGE_PMD_NR))
		return VM_FAULT_FALLBACK;
	/* The whole of it may lie in two units, if the data is not aligned to 2 MiB. */
	pobjk_pages_prepare(r, page);
	pobjk_pages_prepare(r, page + HPAGE_PMD_NR - 1);
	ret = vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(r->pfn + page, PFN_DEV | PFN_MAP),
				 vmf->flags & FAULT_FLAG_WRITE);
	if (ret == VM_FAULT_NOPAGE)
		atomic64_inc(&r->faults_2m);
	return ret;
}

/* vm_private_data of a mapping without a session; else it is NULL. */
#define ORPHAN		((void *)1)

static bool is_orphan(const struct vm_area_struct *vma)
{
	return vma->vm_private_data == ORPHAN;
}

static struct pobjk_region *vmf_region(struct vm_fault *vmf)
{
	struct pobjk_file *pf = vmf->vma->vm_file->private_data;

	return pf->region;
}

static vm_fault_t pobjk_vm_fault(struct vm_fault *vmf)
{
	struct pobjk_region *r = vmf_region(vmf);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (!is_orphan(vmf->vma) && pobjk_region_enter(r)) {
		ret = fault_4k(r, vmf);
		pobjk_region_leave(r);
	}
	trace_pobj_fault(r, vmf, 0, ret);
	return ret;
}

static vm_fault_t pobjk_vm_huge_fault(struct vm_fault *vmf, pobjk_fault_size_t size)
{
	struct pobjk_region *r = vmf_region(vmf);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (size != POBJK_FAULT_PMD)
		return VM_FAULT_FALLBACK;
	if (!is_orphan(vmf->vma) && pobjk_region_enter(r)) {
		ret = fault_2m(r, vmf);
		pobjk_region_leave(r);
	}
	trace_pobj_fault(r, vmf, HPAGE_PMD_ORDER, ret);
	return ret;
}

/*
 * @vma is a part or a copy of another: cut, moved, or inherited by a new mm, which has no session
 * yet. In the last case this comes before the page tables are copied; the flag prevents that.
 */
static void pobjk_vm_open(struct vm_area_struct *vma)
{
	struct pobjk_file *pf = vma->vm_file->private_data;

	if (!pobjk_session_id(pf->region, vma->vm_mm)) {
		vma->vm_private_data = ORPHAN;
		vm_flags_set(vma, VM_WIPEONFORK | VM_DONTCOPY);
	}
}

static const struct vm_operations_struct pobjk_vm_ops = {
	.open		= pobjk_vm_open,
	.fault		= pobjk_vm_fault,
	.huge_fault	= pobjk_vm_huge_fault,
};

/* ---- mmap ------------------------------------------------------------------------------- */

static int mmap_data(struct pobjk_file *pf, struct vm_area_struct *vma)
{
	struct pobjk_region *r = pf->region;
	const unsigned long pages = pobjk_region_pages(r);
	u64 id;
	int err;

	if (vma->vm_pgoff >= pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -ENXIO;
	/* A first look, so that a mapping that is refused does not begin a session. */
	if (!READ_ONCE(r->recovered))
		return -EUCLEAN;
	err = pobjk_session_bind(pf, true, &id);
	if (err)
		return err;
	spin_lock(&r->state);
	if (!r->recovered)
		err = -EUCLEAN;
	else if (vma->vm_flags & VM_MAYWRITE)
		pobjk_session_wrote(r, vma->vm_mm);
	spin_unlock(&r->state);
	if (err)
		return err;
	vm_flags_set(vma, VM_MIXEDMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &pobjk_vm_ops;
	return 0;
}

int pobjk_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct pobjk_file *pf = file->private_data;

	/* VM_SHARED is not set for a file that cannot be written. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (READ_ONCE(pf->region->dead))
		return -ENXIO;
	if ((vma->vm_flags & VM_SYNC) && !pf->region->sync)
		return -EOPNOTSUPP;
	if (vma->vm_pgoff >= POBJ_MMAP_SIDECAR >> PAGE_SHIFT)
		return pobjk_sidecar_mmap(pf, vma);
	return mmap_data(pf, vma);
}
