// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control file /dev/pobj: claim, release, list, attach.
 *
 * Opening it gives no right to any device: a claim takes a file of the device that the caller could
 * open for reading and writing, attach goes by the region's owner and mode.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/kdev_t.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kmod/pobjk.h"
#include "kmod/trace.h"

#define CONTROL_LIST_MAX	65536U

/* ---- claim and release ------------------------------------------------------------------ */

/* Which device may the caller claim? */
static int claim_dev(const struct pobj_ioc_claim *a, dev_t *dev)
{
	const fmode_t rw = FMODE_READ | FMODE_WRITE;
	struct file *file;
	int err = 0;

	if (a->fd == -1) {
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		if (a->dev > U32_MAX)
			return -ENXIO;
		*dev = new_decode_dev(a->dev);
		return 0;
	}
	if (a->dev)
		return -EINVAL;
	file = a->fd < 0 ? NULL : fget(a->fd);
	if (!file)
		return -EBADF;
	if (!S_ISBLK(file_inode(file)->i_mode))
		err = -ENOTBLK;
	else if ((file->f_mode & rw) != rw)
		err = -EACCES;
	else
		*dev = file_inode(file)->i_rdev;
	fput(file);
	return err;
}

static int control_claim(struct pobjk_call *c)
{
	struct pobj_ioc_claim *a = c->arg;
	struct pobjk_region *r;
	dev_t dev;
	int err;

	if (a->flags)
		return -EOPNOTSUPP;
	if (a->__reserved)
		return -EINVAL;
	err = claim_dev(a, &dev);
	if (err)
		return err;
	r = pobjk_region_claim(dev);
	if (IS_ERR(r))
		return PTR_ERR(r);
	a->out_id = r->id;
	err = pobjk_respond(c);
	if (err) {
		mutex_lock(&pobjk_regions_lock);
		WARN_ON(pobjk_region_release(r, false));
		mutex_unlock(&pobjk_regions_lock);
		return err;
	}
	pobjk_region_show(r);
	return 0;
}

static int control_release(struct pobjk_call *c)
{
	struct pobj_ioc_release *a = c->arg;
	struct pobjk_region *r;
	int err;

	if (a->flags)
		return -EOPNOTSUPP;
	mutex_lock(&pobjk_regions_lock);
	r = pobjk_region_find(a->id);
	if (IS_ERR(r))
		err = PTR_ERR(r);
	else if (!pobjk_region_owned(r) && !capable(CAP_SYS_ADMIN))
		err = -EPERM;
	else
		err = pobjk_region_release(r, false);
	mutex_unlock(&pobjk_regions_lock);
	return err;
}

/* ---- list ------------------------------------------------------------------------------- */

/* As copy_struct_from_user() the other way round: what the caller knows more of is 0. */
static int list_store(void __user *to, size_t to_bytes, const struct pobj_region *region)
{
	const size_t n = min(to_bytes, sizeof(*region));

	if (copy_to_user(to, region, n) || clear_user(to + n, to_bytes - n))
		return -EFAULT;
	return 0;
}

static int control_list(struct pobjk_call *c)
{
	struct pobj_ioc_list *a = c->arg;
	struct pobj_region *regions;
	u32 i, cnt, there;
	int err = 0;

	if (a->flags)
		return -EOPNOTSUPP;
	if (a->__reserved)
		return -EINVAL;
	if (a->cnt && a->region_bytes < offsetofend(struct pobj_region, id))
		return -EINVAL;

	/* Into memory of our own first: no user memory is touched under the lock of the list. */
	cnt = min3(a->cnt, pobjk_region_list(NULL, 0), CONTROL_LIST_MAX);
	regions = kvcalloc(cnt, sizeof(*regions), GFP_KERNEL_ACCOUNT);
	if (cnt && !regions)
		return -ENOMEM;
	there = pobjk_region_list(regions, cnt);
	for (i = 0; i < min(cnt, there) && !err; i++) {
		err = list_store(u64_to_user_ptr(a->regions) + (u64)i * a->region_bytes,
				 a->region_bytes, &regions[i]);
		cond_resched();
	}
	kvfree(regions);
	if (err)
		return err;
	a->out_cnt = there;
	return pobjk_respond(c);
}

/* ---- attach ----------------------------------------------------------------------------- */

static struct file *attach_open(const struct pobj_ioc_attach *a)
{
	const bool rdonly = a->flags & POBJ_ATTACH_RDONLY;
	struct pobjk_region *r;
	struct file *file;

	mutex_lock(&pobjk_regions_lock);
	r = a->id ? pobjk_region_find(a->id) : pobjk_region_find_uuid(a->uuid);
	if (IS_ERR(r))
		file = ERR_CAST(r);
	else if (READ_ONCE(r->dead))
		file = ERR_PTR(-ENODEV);
	else if (!pobjk_region_may(r, rdonly))
		file = ERR_PTR(-EACCES);
	else
		file = pobjk_file_open(r, rdonly);
	mutex_unlock(&pobjk_regions_lock);
	return file;
}

static int control_attach(struct pobjk_call *c)
{
	struct pobj_ioc_attach *a = c->arg;
	struct pobjk_file *pf;
	struct file *file;
	u64 session;
	int fd, err;

	if (a->flags & ~POBJ_ATTACH_RDONLY)
		return -EOPNOTSUPP;
	if (a->__reserved)
		return -EINVAL;
	file = attach_open(a);
	if (IS_ERR(file))
		return PTR_ERR(file);
	pf = file->private_data;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto put_file;
	}
	/* From here on the close of the file undoes all. */
	err = pobjk_session_bind(pf, false, &session);
	if (err)
		goto put_fd;
	a->out_fd = fd;
	a->out_session = session;
	err = pobjk_respond(c);
	if (err)
		goto put_fd;
	trace_pobj_attach(pf->region, session, pf->rdonly);
	fd_install(fd, file);
	return 0;

put_fd:
	put_unused_fd(fd);
put_file:
	fput(file);
	return err;
}

#define CONTROL_IOCTL(_nr, _struct, _last, _fn) {				\
	.nr = _IOC_NR(_nr), .bytes = sizeof(struct _struct),			\
	.min = offsetofend(struct _struct, _last), .fn = (_fn) }

static const struct pobjk_ioctl control_ioctls[] = {
	CONTROL_IOCTL(POBJ_IOC_CLAIM, pobj_ioc_claim, out_id, control_claim),
	CONTROL_IOCTL(POBJ_IOC_RELEASE, pobj_ioc_release, id, control_release),
	CONTROL_IOCTL(POBJ_IOC_LIST, pobj_ioc_list, __reserved, control_list),
	CONTROL_IOCTL(POBJ_IOC_ATTACH, pobj_ioc_attach, out_session, control_attach),
};

static long control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return pobjk_dispatch(control_ioctls, ARRAY_SIZE(control_ioctls), file, cmd, arg);
}

const struct file_operations pobjk_control_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= control_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};
