// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* The root object, made and grown by the real library on a tiny pool. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/pool.h"
#include "libpmemobj.h"
#include "selftests/crash/cases/cases.h"

static u64 root_old, root_new;		/* sizes */
static u8 root_fill_byte;

static int fill_root(PMEMobjpool *pop, void *ptr, void *arg)
{
	struct pobj_pool *p = pobj_pool_raw(pop);

	(void)arg;
	pobj_store_fill(&p->media, (u8 *)ptr + root_old, root_fill_byte, root_new - root_old);
	return 0;
}

/* Byte @i of the root: each growth has filled what it added with its own byte. */
static u8 root_byte(u64 i)
{
	static const u64 sizes[] = { 40, 300, 600, 601 };
	u8 b;

	for (b = 0; i >= sizes[b]; b++)
		;
	return (u8)(b + 1);
}

static enum power_state root_state(const struct pobj_media *m, int err, const char **why)
{
	struct pobj_m_root root;
	u64 i, off, size;
	u8 byte;

	*why = "recovery refused";
	if (err)
		return POWER_WRONG;
	*why = "check finds problems";
	if (!tiny_check(m))
		return POWER_WRONG;
	m->read(m, &root, POBJ_M_ROOT_OFF, sizeof(root));
	off = le64_to_cpu(root.off);
	size = le64_to_cpu(root.size);
	*why = "root has another size";
	if (size != root_old && size != root_new)
		return POWER_WRONG;
	*why = "root contents are torn";
	for (i = 0; i < size; i++) {
		m->read(m, &byte, off + i, 1);
		if (byte != root_byte(i))
			return POWER_WRONG;
	}
	return size == root_new ? POWER_NEW : POWER_OLD;
}

static const struct power_case root_case = {
	.recover = tiny_recover, .state = root_state, .depth = 2, .kill = true,
};

void case_root(void)
{
	static const u64 sizes[] = { 40, 300, 600, 601 };
	char path[64];
	PMEMobjpool *pop;
	struct pobj_pool *p;
	int fd;

	tiny_make();
	snprintf(path, sizeof(path), "/dev/shm/pobj-power.%d", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, tiny_bytes, TINY_BYTES) != TINY_BYTES)
		abort();
	close(fd);
	pop = pmemobj_open(path, "tiny");
	if (!pop) {
		printf("# %s\n", pmemobj_errormsg());
		abort();
	}
	p = pobj_pool_raw(pop);
	root_old = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		root_new = sizes[i];
		root_fill_byte = (u8)(i + 1);
		power_begin(&p->media, &root_case);
		if (OID_IS_NULL(pmemobj_root_construct(pop, root_new, fill_root, NULL)))
			abort();
		power_end();
		root_old = root_new;
	}
	pmemobj_close(pop);
	unlink(path);
}
