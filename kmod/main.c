// SPDX-License-Identifier: GPL-2.0-only
/*
 * pobj.ko: lends persistent memory to processes through /dev/pobj. include/uapi/linux/pobj.h says
 * what it does, kmod/pobjk.h how it is built.
 *
 * Here: the module's beginning and end, and the passing of ioctl structs.
 *
 * End of the module: every open file pins it, so none is open. Claimed regions are released, and
 * what may still be called is waited for: mmu notifiers (session.c), reports of devices (poison.c).
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kmod/pobjk.h"
#define CREATE_TRACE_POINTS
#include "kmod/trace.h"

/* ---- ioctl structs ---------------------------------------------------------------------- */

static const struct pobjk_ioctl *find_ioctl(const struct pobjk_ioctl *table, size_t cnt,
					    unsigned int cmd)
{
	size_t i;

	/* The size in @cmd is not looked at, so that structs may grow. */
	if (_IOC_TYPE(cmd) != POBJ_IOC_TYPE)
		return NULL;
	for (i = 0; i < cnt; i++)
		if (table[i].nr == _IOC_NR(cmd))
			return &table[i];
	return NULL;
}

long pobjk_dispatch(const struct pobjk_ioctl *table, size_t cnt, struct file *file,
		    unsigned int cmd, unsigned long arg)
{
	const struct pobjk_ioctl *op = find_ioctl(table, cnt, cmd);
	struct pobjk_call c = { .file = file, .uarg = (void __user *)arg };
	u32 size;
	long ret;

	if (!op)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)c.uarg))
		return -EFAULT;
	if (size < op->min)
		return -EINVAL;
	c.bytes = min_t(size_t, size, op->bytes);
	c.arg = kzalloc(op->bytes, GFP_KERNEL);
	if (!c.arg)
		return -ENOMEM;
	ret = copy_struct_from_user(c.arg, op->bytes, c.uarg, size);
	if (!ret)
		ret = op->fn(&c);
	kfree(c.arg);
	return ret;
}

/* Hand the struct back. Not to be undone by an error after it. */
int pobjk_respond(struct pobjk_call *c)
{
	return copy_to_user(c->uarg, c->arg, c->bytes) ? -EFAULT : 0;
}

/* ---- module ----------------------------------------------------------------------------- */

static struct miscdevice pobjk_misc = {
	.minor		= MISC_DYNAMIC_MINOR,
	.name		= "pobj",
	.nodename	= "pobj",
	.mode		= 0660,
	.fops		= &pobjk_control_fops,
};

static int __init pobjk_init(void)
{
	int err;

	err = pobjk_region_init();
	if (err)
		return err;
	err = pobjk_poison_init();
	if (err)
		goto region_exit;
	err = misc_register(&pobjk_misc);
	if (err)
		goto poison_exit;
	return 0;

poison_exit:
	pobjk_poison_exit();
region_exit:
	pobjk_region_exit();
	return err;
}

static void __exit pobjk_exit(void)
{
	misc_deregister(&pobjk_misc);
	pobjk_region_release_all();
	pobjk_session_exit();
	pobjk_poison_exit();
	pobjk_region_exit();
}

module_init(pobjk_init);
module_exit(pobjk_exit);
MODULE_DESCRIPTION("Persistent memory for processes");
MODULE_LICENSE("GPL");
