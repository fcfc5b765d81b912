// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sidecar: memory that the processes of a pool share and that dies with the last of them.
 *
 * It is a shmem file. Mapping it at POBJ_MMAP_SIDECAR of a region file makes a mapping of that
 * shmem file, so everything about it (futexes, swapping, who is charged) is the kernel's ordinary
 * business. There is one from the first session to the end of the last (R3); what still maps an old
 * one keeps an old one, which nobody else gets any more.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>

#include "kmod/pobjk.h"

static atomic64_t sidecar_last_id = ATOMIC64_INIT(0);

/* There is a session of a pool: make the sidecar if it is not there. */
int pobjk_sidecar_make(struct pobjk_region *r)
{
	struct file *file;
	u64 bytes;

	spin_lock(&r->state);
	bytes = r->pool && !r->sidecar && r->session_cnt ? r->sidecar_bytes : 0;
	spin_unlock(&r->state);
	if (!bytes)
		return 0;

	/* Sparse: nothing is accounted until it is touched. */
	file = shmem_file_setup("pobj-sidecar", bytes, VM_NORESERVE);
	/* It says ENOSPC where no inode could be allocated, too. */
	if (IS_ERR(file))
		return PTR_ERR(file) == -ENOSPC ? -ENOMEM : PTR_ERR(file);
	spin_lock(&r->state);
	if (r->pool && !r->sidecar && r->session_cnt && r->sidecar_bytes == bytes) {
		r->sidecar = file;
		r->sidecar_id = atomic64_inc_return(&sidecar_last_id);
		file = NULL;
	}
	spin_unlock(&r->state);
	if (file)
		fput(file);
	return 0;
}

/* Take it off the region, to be put by the caller: the pool it belongs to is going. */
struct file *pobjk_sidecar_take(struct pobjk_region *r)
{
	struct file *file = r->sidecar;

	lockdep_assert_held(&r->state);
	r->sidecar = NULL;
	return file;
}

int pobjk_sidecar_mmap(struct pobjk_file *pf, struct vm_area_struct *vma)
{
	const unsigned long base = POBJ_MMAP_SIDECAR >> PAGE_SHIFT;
	struct pobjk_region *r = pf->region;
	unsigned long pages = vma_pages(vma), page = vma->vm_pgoff - base;
	struct file *sidecar = NULL;
	u64 id;
	int err;

	err = pobjk_session_bind(pf, true, &id);
	if (err)
		return err;
	spin_lock(&r->state);
	if (r->sidecar)
		sidecar = get_file(r->sidecar);
	spin_unlock(&r->state);
	if (!sidecar)
		return -ENXIO;	/* no pool */

	err = -ENXIO;
	if (page <= i_size_read(file_inode(sidecar)) >> PAGE_SHIFT &&
	    pages <= (i_size_read(file_inode(sidecar)) >> PAGE_SHIFT) - page) {
		vma->vm_pgoff = page;
		vma_set_file(vma, sidecar);
		err = call_mmap(sidecar, vma);
		vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	}
	fput(sidecar);
	return err;
}
