// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * The library on regions: what selftests/unit asks of pools in files, asked of "pobj:" devices.
 */
#include "child.h"

#include <sys/mount.h>

#include <libpmemobj.h>
#include <pobj.h>

FIXTURE(library)
{
	struct t_dev dev;
	char name[64];		/* pobj:pmemN */
	char uuid[64];		/* pobj:UUID */
	PMEMobjpool *pop;
};

FIXTURE_VARIANT(library)
{
	int node;
};

FIXTURE_VARIANT_ADD(library, node0)
{
	.node = 0,
};

FIXTURE_VARIANT_ADD(library, node1)
{
	.node = 1,
};

/* Nothing of a pool stays on the device: the superblocks go, past the page cache. */
static int wipe(const struct t_dev *d)
{
	void *zeros = aligned_alloc(4096, 16384);
	int fd = open(d->path, O_RDWR | O_DIRECT | O_CLOEXEC), err = 0;

	memset(zeros, 0, 16384);
	if (fd < 0 || pwrite(fd, zeros, 16384, 0) != 16384)
		err = -errno;
	if (fd >= 0)
		close(fd);
	free(zeros);
	return err;
}

FIXTURE_SETUP(library)
{
	struct pobj_pool_info info;
	int ctl = t_reset();

	ASSERT_LE(0, ctl);
	close(ctl);
	ASSERT_EQ(0, chown("/dev/pobj", 0, T_GROUP));	/* as the udev rule does */
	ASSERT_EQ(0, t_dev_find(&self->dev, variant->node));
	ASSERT_EQ(0, wipe(&self->dev));
	snprintf(self->name, sizeof(self->name), "pobj:%s", self->dev.name);
	self->pop = pmemobj_create(self->name, "library", 0, 0600);
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	ASSERT_EQ(0, pobj_pool_info(self->name, &info));
	snprintf(self->uuid, sizeof(self->uuid), "pobj:%s", info.uuid);
}

FIXTURE_TEARDOWN(library)
{
	if (self->pop)
		pmemobj_close(self->pop);
	wipe(&self->dev);
	close(t_reset());
}

TEST_F(library, keeps_what_was_stored)
{
	char *text;

	text = pmemobj_direct(pmemobj_root(self->pop, 100));
	ASSERT_NE(NULL, text);
	pmemobj_memcpy_persist(self->pop, text, "kept", 5);
	/* It grows, and by more than a page of the mapping. */
	text = pmemobj_direct(pmemobj_root(self->pop, 5 << 20));
	ASSERT_NE(NULL, text);
	EXPECT_STREQ("kept", text);
	EXPECT_EQ(0, text[(5 << 20) - 1]);
	pmemobj_close(self->pop);
	self->pop = NULL;
	ASSERT_EQ(0, pobj_region_release(self->name));
	/* By its UUID, of a device that nobody has claimed. */
	self->pop = pmemobj_open(self->uuid, "library");
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	EXPECT_EQ(5 << 20, pmemobj_root_size(self->pop));
	EXPECT_STREQ("kept", pmemobj_direct(pmemobj_root(self->pop, 0)));
}

TEST_F(library, errors)
{
	char other[64];

	EXPECT_EQ(NULL, pmemobj_open(self->name, "library"));
	EXPECT_EQ(EEXIST, errno);
	pmemobj_close(self->pop);
	self->pop = NULL;
	EXPECT_EQ(NULL, pmemobj_open(self->name, "another"));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(NULL, pmemobj_create(self->name, "library", 0, 0600));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(NULL, pmemobj_create(self->name, "library", 64 << 20, 0600));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(NULL, pmemobj_open("pobj:pmem77", NULL));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(NULL, pmemobj_open("pobj:00000000-1111-2222-3333-444444444444", NULL));
	EXPECT_EQ(ENODEV, errno);
	/* A device without DAX: the message says how to get it. */
	if (!access("/sys/block/loop0", F_OK) || !system("modprobe -q loop")) {
		EXPECT_EQ(NULL, pmemobj_create("pobj:loop0", NULL, 0, 0600));
		EXPECT_EQ(EOPNOTSUPP, errno);
		EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "ndctl create-namespace"))
			TH_LOG("%s", pmemobj_errormsg());
	}
	/* The path of the device is not a file. */
	snprintf(other, sizeof(other), "%s", self->dev.path);
	EXPECT_EQ(NULL, pmemobj_open(other, NULL));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "pobj:"));
}

/* Not over what somebody else keeps there. */
TEST_F(library, spares_signatures)
{
	char *page = aligned_alloc(4096, 4096);
	int fd;

	pmemobj_close(self->pop);
	self->pop = NULL;
	ASSERT_EQ(0, pobj_region_release(self->name));
	ASSERT_EQ(0, wipe(&self->dev));
	memset(page, 0, 4096);
	*(__u32 *)(page + 1024) = htole32(1);		/* swap version */
	*(__u32 *)(page + 1028) = htole32(1000);	/* its last page */
	memcpy(page + 4096 - 10, "SWAPSPACE2", 10);
	fd = open(self->dev.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(4096, pwrite(fd, page, 4096, 0));
	close(fd);
	EXPECT_EQ(NULL, pmemobj_create(self->name, NULL, 0, 0600));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "wipefs"))
		TH_LOG("%s", pmemobj_errormsg());
	ASSERT_EQ(0, wipe(&self->dev));
	self->pop = pmemobj_create(self->name, "library", 0, 0600);
	EXPECT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	free(page);
}

static int store_beside(int sock, void *arg)
{
	PMEMobjpool *pop = pmemobj_open(arg, "library");
	char *text;

	(void)sock;
	if (!pop)
		return errno;
	text = pmemobj_direct(pmemobj_root(pop, 64));
	if (!text || strcmp(text, "from the first"))
		return 200;
	pmemobj_memcpy_persist(pop, text, "from the second", 16);
	pmemobj_close(pop);
	return 0;
}

TEST_F(library, two_processes)
{
	struct pobj_pool_census census;
	struct t_child c;
	char *text;

	text = pmemobj_direct(pmemobj_root(self->pop, 64));
	ASSERT_NE(NULL, text);
	pmemobj_memcpy_persist(self->pop, text, "from the first", 15);
	ASSERT_EQ(0, t_spawn(&c, store_beside, self->uuid));
	EXPECT_EQ(0, t_wait(c.pid));
	EXPECT_STREQ("from the second", text);
	/* A check of what is open would report operations in progress. */
	EXPECT_EQ(-EBUSY, pobj_pool_check(self->name, NULL, NULL, &census));
}

static int die_in_constructor(PMEMobjpool *pop, void *ptr, void *arg)
{
	(void)pop;
	(void)ptr;
	(void)arg;
	raise(SIGKILL);
	return 0;
}

static int die_with_the_lock(int sock, void *arg)
{
	PMEMobjpool *pop = pmemobj_open(arg, "library");

	(void)sock;
	if (!pop)
		return errno;
	pmemobj_root_construct(pop, 8000, die_in_constructor, NULL);
	return 201;
}

/* Whoever holds the pool lock is killed: the next one gets it, and the root is as it was. */
TEST_F(library, killed_with_the_pool_lock)
{
	struct t_child c;

	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 64)));
	ASSERT_EQ(0, t_spawn(&c, die_with_the_lock, self->uuid));
	EXPECT_EQ(-SIGKILL, t_wait(c.pid));
	EXPECT_EQ(64, pmemobj_root_size(self->pop));
	EXPECT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 9000)));
	EXPECT_EQ(9000, pmemobj_root_size(self->pop));
}

/* The last user is killed: the region asks for recovery, opening does it. */
TEST_F(library, killed_alone)
{
	struct pobj_pool_recovery r;
	struct pobj_pool_census census;
	struct pobj_pool_info info;
	struct t_child c;

	pmemobj_close(self->pop);
	self->pop = NULL;
	ASSERT_EQ(0, t_spawn(&c, die_with_the_lock, self->name));
	EXPECT_EQ(-SIGKILL, t_wait(c.pid));
	ASSERT_EQ(0, pobj_pool_info(self->name, &info));
	EXPECT_EQ(1, info.on_region);
	EXPECT_EQ(0, info.users);
	EXPECT_EQ(0, info.region.flags & POBJ_INFO_RECOVERED);
	EXPECT_EQ(variant->node, info.region.node);
	ASSERT_EQ(0, pobj_pool_recover(self->name, &r));
	EXPECT_EQ(0, r.was_done);
	EXPECT_EQ(info.lane_cnt, r.lanes);
	ASSERT_EQ(0, pobj_pool_recover(self->name, &r));
	EXPECT_EQ(1, r.was_done);
	ASSERT_EQ(0, pobj_pool_check(self->name, NULL, NULL, &census));
	EXPECT_EQ(0, census.problems);
	EXPECT_EQ(info.page_cnt, census.free_pages);
	self->pop = pmemobj_open(self->name, "library");
	EXPECT_NE(NULL, self->pop);
}

/* A forked child has no pool until it opens one, and its end does not disturb the parent. */
static int use_without_open(PMEMobjpool *pop, const char *name)
{
	if (!OID_IS_NULL(pmemobj_root(pop, 10)) || errno != EINVAL)
		return 1;
	pop = pmemobj_open(name, "library");
	return pop && pmemobj_root_size(pop) == 64 ? 0 : 2;
}

TEST_F(library, fork)
{
	pid_t pid;

	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 64)));
	pid = t_fork();
	if (!pid)
		_exit(use_without_open(self->pop, self->name));
	EXPECT_EQ(0, t_wait(pid));
	EXPECT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 128)));
}

static int open_as(uid_t uid, const char *name, bool recovered)
{
	const gid_t group = T_GROUP;
	struct pobj_pool_info info;
	PMEMobjpool *pop;

	if (setgroups(1, &group) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		return 100;
	pop = pmemobj_open(name, "library");
	if (!pop)
		return errno;
	pmemobj_close(pop);
	/* The device itself may not be read: the region is. */
	return recovered && pobj_pool_info(name, &info) ? 101 : 0;
}

/* Owner and mode of the pool decide, and hold after the device was released. */
TEST_F(library, modes)
{
	pid_t pid;

	pid = t_fork();
	if (!pid)
		_exit(open_as(T_BOB, self->uuid, false));
	EXPECT_EQ(EACCES, t_wait(pid));
	pmemobj_close(self->pop);
	ASSERT_EQ(0, pobj_region_release(self->name));
	ASSERT_EQ(0, wipe(&self->dev));
	self->pop = pmemobj_create(self->name, "library", 0, 0666);
	ASSERT_NE(NULL, self->pop);
	pid = t_fork();
	if (!pid)
		_exit(open_as(T_BOB, self->name, true));
	EXPECT_EQ(0, t_wait(pid));
}

static int count_region(const struct pobj_region_info *r, void *arg)
{
	unsigned int *found = arg;

	if (r->flags & POBJ_INFO_CLAIMED)
		found[0]++;
	else
		found[1]++;
	return 0;
}

TEST_F(library, list)
{
	unsigned int found[2] = { 0, 0 };

	EXPECT_EQ(0, pobj_region_list(count_region, found));
	EXPECT_EQ(1, found[0]);
	EXPECT_LE(1, found[1]);
	EXPECT_EQ(-EBUSY, pobj_region_release(self->name));
	EXPECT_EQ(-EBUSY, pobj_region_claim(self->name));
}

/* VmFlags of the mapping that holds @addr: does it have @flag? */
static bool vm_flag(const void *addr, const char *flag)
{
	char line[512];
	bool inside = false, has = false;
	unsigned long from, to;
	FILE *f = fopen("/proc/self/smaps", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)addr >= from && (unsigned long)addr < to;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag);
	}
	if (f)
		fclose(f);
	return has;
}

/* A pool in a file of a DAX file system is mapped with MAP_SYNC; on another one it is not. */
TEST_F(library, dax_file)
{
	static const struct {
		const char *options;
		bool sync;
	} how[] = { { "dax", true }, { "dax=never", false } };
	char cmd[128];
	size_t i;

	pmemobj_close(self->pop);
	self->pop = NULL;
	ASSERT_EQ(0, pobj_region_release(self->name));
	ASSERT_EQ(0, wipe(&self->dev));
	snprintf(cmd, sizeof(cmd), "mke2fs -F -b 4096 %s >/dev/null 2>&1", self->dev.path);
	ASSERT_EQ(0, system(cmd));
	mkdir("/tmp/pobj-dax", 0700);
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		ASSERT_EQ(0, mount(self->dev.path, "/tmp/pobj-dax", "ext4", 0, how[i].options));
		self->pop = pmemobj_create("/tmp/pobj-dax/pool", "library", 16 << 20, 0600);
		ASSERT_NE(NULL, self->pop)
			TH_LOG("%s", pmemobj_errormsg());
		EXPECT_EQ(how[i].sync, vm_flag(self->pop, " sf"));
		pmemobj_memcpy_persist(self->pop, pmemobj_direct(pmemobj_root(self->pop, 64)),
				       "kept", 5);
		pmemobj_close(self->pop);
		ASSERT_EQ(0, umount("/tmp/pobj-dax"));
		ASSERT_EQ(0, mount(self->dev.path, "/tmp/pobj-dax", "ext4", 0, how[i].options));
		self->pop = pmemobj_open("/tmp/pobj-dax/pool", "library");
		ASSERT_NE(NULL, self->pop);
		EXPECT_STREQ("kept", pmemobj_direct(pmemobj_root(self->pop, 0)));
		pmemobj_close(self->pop);
		self->pop = NULL;
		unlink("/tmp/pobj-dax/pool");
		ASSERT_EQ(0, umount("/tmp/pobj-dax"));
	}
}

TEST_HARNESS_MAIN
