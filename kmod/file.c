// SPDX-License-Identifier: GPL-2.0-only
/*
 * The region file: what an attached process holds. Its ioctls, its close.
 *
 * The file is an anonymous inode's, but maps by the region's own inode (f_mapping). It pins the
 * module by f_op.owner, until after its release; a mapping pins the file. So no code of ours runs
 * for a mapping or file once the module may go.
 */
#include <linux/anon_inodes.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kmod/pobjk.h"
#include "kmod/trace.h"

static struct pobjk_file *call_file(struct pobjk_call *c)
{
	return c->file->private_data;
}

/* ---- ioctls ----------------------------------------------------------------------------- */

static int file_detach(struct pobjk_call *c)
{
	struct pobj_ioc_detach *a = c->arg;

	if (a->flags)
		return -EOPNOTSUPP;
	return pobjk_session_detach(call_file(c), c->file);
}

static int file_info(struct pobjk_call *c)
{
	struct pobj_ioc_info *a = c->arg;
	struct pobjk_file *pf = call_file(c);
	struct pobjk_region *r = pf->region;
	u64 cnt, bytes;

	if (a->flags)
		return -EOPNOTSUPP;
	pobjk_region_describe(r, &a->out_region);
	if (pf->rdonly)
		a->out_region.flags |= POBJ_REGION_RDONLY;
	a->out_session = pobjk_session_id(r, current->mm);
	a->out_faults_2m = atomic64_read(&r->faults_2m);
	a->out_faults_4k = atomic64_read(&r->faults_4k);
	pobjk_poison_count(r, &cnt, &bytes);
	a->out_bad_cnt = cnt;
	a->out_bad_bytes = bytes;
	spin_lock(&r->state);
	a->out_sidecar_bytes = r->pool ? r->sidecar_bytes : 0;
	a->out_sidecar_id = r->sidecar ? r->sidecar_id : 0;
	a->out_recoveries = r->recoveries;
	spin_unlock(&r->state);
	return pobjk_respond(c);
}

static int file_recover(struct pobjk_call *c)
{
	struct pobj_ioc_recover *a = c->arg;
	struct pobjk_file *pf = call_file(c);
	int err, err2;

	if (a->flags)
		return -EOPNOTSUPP;
	if (pf->rdonly)
		return -EACCES;
	memset_startat(a, 0, out_flags);
	err = pobjk_recover(pf->region, a);
	err2 = pobjk_respond(c);
	return err ? err : err2;
}

static int file_format(struct pobjk_call *c)
{
	struct pobj_ioc_format *a = c->arg;
	struct pobjk_file *pf = call_file(c);
	int err, err2;

	if (a->flags & ~POBJ_FORMAT_FORCE)
		return -EOPNOTSUPP;
	if (pf->rdonly)
		return -EACCES;
	if ((a->mode & ~0777) || !memchr_inv(a->uuid, 0, sizeof(u64)) ||
	    strnlen((const char *)a->layout, sizeof(a->layout)) == sizeof(a->layout))
		return -EINVAL;
	a->out_diag = POBJ_DIAG_NONE;
	err = pobjk_recover_format(pf->region, a);
	err2 = pobjk_respond(c);
	return err ? err : err2;
}

/* Size of a struct when it was released: up to and with its last member then. */
#define FILE_IOCTL(_nr, _struct, _last, _fn) {					\
	.nr = _IOC_NR(_nr), .bytes = sizeof(struct _struct),			\
	.min = offsetofend(struct _struct, _last), .fn = (_fn) }

static const struct pobjk_ioctl file_ioctls[] = {
	FILE_IOCTL(POBJ_IOC_DETACH, pobj_ioc_detach, flags, file_detach),
	FILE_IOCTL(POBJ_IOC_INFO, pobj_ioc_info, out_recoveries, file_info),
	FILE_IOCTL(POBJ_IOC_RECOVER, pobj_ioc_recover, out_repaired, file_recover),
	FILE_IOCTL(POBJ_IOC_FORMAT, pobj_ioc_format, layout, file_format),
};

static long file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return pobjk_dispatch(file_ioctls, ARRAY_SIZE(file_ioctls), file, cmd, arg);
}

/* ---- other operations ------------------------------------------------------------------- */

static int file_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct pobjk_file *pf = file->private_data;

	return pobjk_recover_fsync(pf->region, start, end);
}

static void file_free(struct pobjk_file *pf)
{
	struct pobjk_region *r = pf->region;

	spin_lock(&r->state);
	r->file_cnt--;
	spin_unlock(&r->state);
	kfree(pf);
	pobjk_region_put(r);
}

static int file_release(struct inode *inode, struct file *file)
{
	struct pobjk_file *pf = file->private_data;

	pobjk_session_unbind_file(pf);
	file_free(pf);
	return 0;
}

static const struct file_operations file_fops = {
	.owner			= THIS_MODULE,
	.release		= file_release,
	.unlocked_ioctl		= file_ioctl,
	.compat_ioctl		= compat_ptr_ioctl,
	.mmap			= pobjk_mmap,
	.get_unmapped_area	= thp_get_unmapped_area,
	.fsync			= file_fsync,
	.llseek			= noop_llseek,
	POBJK_FOPS_MAP_SYNC,
};

/* A file of @r, which the caller keeps from being released (pobjk_regions_lock). */
struct file *pobjk_file_open(struct pobjk_region *r, bool rdonly)
{
	struct pobjk_file *pf = kzalloc(sizeof(*pf), GFP_KERNEL_ACCOUNT);
	struct file *file;

	if (!pf)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&pf->binds);
	pf->rdonly = rdonly;
	pf->region = r;
	kref_get(&r->ref);
	spin_lock(&r->state);
	r->file_cnt++;
	spin_unlock(&r->state);

	file = anon_inode_getfile("[pobj]", &file_fops, pf,
				  (rdonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (IS_ERR(file))
		file_free(pf);
	else
		file->f_mapping = r->inode->i_mapping;
	return file;
}
