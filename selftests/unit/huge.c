// SPDX-License-Identifier: BSD-3-Clause
/*
 * A pool of 20 GiB, sparse, on the disk of the build: an object larger than libpmemobj can make.
 * And a pool beside a copy of it.
 *
 * The file of 20 GiB has no name: it is gone when the test ends, however it does.
 */
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <sys/stat.h>

#include "pool_fixture.h"
#include "audit.h"

#define GIB		((uint64_t)1 << 30)
#define POOL		(20 * GIB)
#define HUGE		(17 * GIB)
#define DISK		GIB		/* most that it may take there */

static uint64_t blocks_bytes(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? UINT64_MAX : (uint64_t)st.st_blocks * 512;
}

/* The folder that this program is in: build/selftests/unit. */
static int open_nameless(void)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n < 0)
		return -1;
	exe[n] = 0;
	return open(dirname(exe), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static uint64_t of_type(PMEMobjpool *pop, uint64_t type, PMEMoid *last)
{
	uint64_t n = 0;
	PMEMoid o;

	POBJ_FOREACH(pop, o) {
		if (pmemobj_type_num(o) == type) {
			*last = o;
			n++;
		}
	}
	return n;
}

/* Bytes far from each other, each with a value of its own. */
static const uint64_t marks[] = { 0, 4095, HUGE / 2, HUGE - 4097, HUGE - 1 };

static bool marked(const unsigned char *p)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		if (p[marks[i]] != 0xa0 + i)
			return false;
	}
	return true;
}

static void mark(PMEMobjpool *pop, unsigned char *p)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		p[marks[i]] = (unsigned char)(0xa0 + i);
		pmemobj_persist(pop, p + marks[i], 1);
	}
}

#define REFUSED(size) do {							\
	errno = 0;								\
	EXPECT_EQ(-1, pmemobj_alloc(pop, &root[1], size, 3, NULL, NULL));	\
	EXPECT_EQ(ENOMEM, errno);						\
	EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "no room"));			\
	EXPECT_TRUE(OID_IS_NULL(root[1]));					\
	errno = 0;								\
	EXPECT_TRUE(OID_IS_NULL(pmemobj_reserve(pop, &act, size, 3)));		\
	EXPECT_EQ(ENOMEM, errno);						\
} while (0)

TEST_F_TIMEOUT(pool, of_17_gib, 240)
{
	struct pobj_pool_census c;
	struct pobj_action act;
	PMEMobjpool *pop;
	PMEMoid *root, oid, seen;
	char path[64];
	int fd, round;

	setenv("PMEM_IS_PMEM_FORCE", "1", 1);
	fd = open_nameless();
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, POOL));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	pop = pmemobj_create(path, "huge", 0, 0600);
	ASSERT_NE(NULL, pop)
		TH_LOG("%s", pmemobj_errormsg());
	root = pmemobj_direct(pmemobj_root(pop, 2 * sizeof(*root)));
	ASSERT_NE(NULL, root);
	REFUSED(PMEMOBJ_MAX_ALLOC_SIZE);
	REFUSED(PMEMOBJ_MAX_ALLOC_SIZE + 1);
	REFUSED((size_t)1 << 44);
	REFUSED(SIZE_MAX);
	REFUSED(POOL);
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, pmemobj_alloc(pop, &root[0], HUGE, 1, NULL, NULL))
			TH_LOG("round %d: %s", round, pmemobj_errormsg());
		oid = root[0];
		EXPECT_LE(HUGE, pmemobj_alloc_usable_size(oid));
		EXPECT_GT(HUGE + 2 * 1024 * 1024, pmemobj_alloc_usable_size(oid));
		EXPECT_EQ(1, pmemobj_type_num(oid));
		mark(pop, pmemobj_direct(oid));
		/* The inside of it is no object, wherever. */
		seen = (PMEMoid){ oid.pool_uuid_lo, oid.off + HUGE / 2 };
		EXPECT_EQ(-EINVAL, pobj_xfree(&seen, 0));
		REFUSED(HUGE);
		if (round == 2)
			break;
		pmemobj_free(&root[0]);
		EXPECT_TRUE(OID_IS_NULL(root[0]));
		EXPECT_EQ(-EINVAL, pobj_xfree(&oid, 0));
	}
	/* No room for both, and nothing lost by trying. */
	errno = 0;
	EXPECT_EQ(-1, pmemobj_realloc(pop, &root[0], 18 * GIB, 1));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_TRUE(OID_EQUALS(oid, root[0]));
	EXPECT_TRUE(marked(pmemobj_direct(oid)));
	/* As large as it is: it stays. */
	EXPECT_EQ(0, pmemobj_realloc(pop, &root[0], HUGE, 1));
	EXPECT_TRUE(OID_EQUALS(oid, root[0]));
	/* What is beside it. */
	EXPECT_EQ(0, pmemobj_alloc(pop, &root[1], GIB, 2, NULL, NULL));
	EXPECT_FALSE(oid.off < root[1].off + GIB && root[1].off < oid.off + HUGE);
	EXPECT_EQ(1, of_type(pop, 1, &seen));
	EXPECT_EQ(1, of_type(pop, 2, &seen));
	pmemobj_close(pop);

	ASSERT_EQ(0, pobj_pool_check(path, NULL, NULL, &c));
	EXPECT_EQ(0, c.problems);
	EXPECT_EQ(0, c.live_entries);
	EXPECT_EQ(3, c.spans.large);

	pop = pmemobj_open(path, "huge");
	ASSERT_NE(NULL, pop)
		TH_LOG("%s", pmemobj_errormsg());
	root = pmemobj_direct(pmemobj_root(pop, 2 * sizeof(*root)));
	EXPECT_EQ(1, of_type(pop, 1, &seen));
	EXPECT_TRUE(OID_EQUALS(oid, seen));
	EXPECT_TRUE(OID_EQUALS(oid, root[0]));
	EXPECT_TRUE(marked(pmemobj_direct(oid)));
	EXPECT_LE(HUGE, pmemobj_alloc_usable_size(oid));
	/* Room for what is larger when both are gone. */
	pmemobj_free(&root[0]);
	pmemobj_free(&root[1]);
	EXPECT_EQ(0, pmemobj_alloc(pop, &root[1], 19 * GIB, 3, NULL, NULL))
		TH_LOG("%s", pmemobj_errormsg());
	EXPECT_EQ(1, of_type(pop, 3, &seen));
	pmemobj_close(pop);
	EXPECT_EQ(0, fsync(fd));
	EXPECT_GT(DISK, blocks_bytes(fd));
	close(fd);
}

/* ---- a copy ------------------------------------------------------------------------------ */

/* Objects of its own in a pool that somebody has a copy of. */
static bool busy(PMEMobjpool *pop, uint64_t type)
{
	PMEMoid *root = pmemobj_direct(pmemobj_root(pop, 64 * sizeof(*root))), seen;
	const uint64_t before = of_type(pop, type, &seen);
	int i, round;

	for (round = 0; round < 50; round++) {
		for (i = 0; i < 64; i++) {
			if (pmemobj_alloc(pop, &root[i], i % 8 ? 200 : 100000, type, NULL, NULL))
				return false;
			*(uint64_t *)pmemobj_direct(root[i]) = type;
		}
		if (of_type(pop, type, &seen) != before + 64)
			return false;
		for (i = 0; i < 64; i++) {
			if (*(uint64_t *)pmemobj_direct(root[i]) != type)
				return false;
			pmemobj_free(&root[i]);
		}
	}
	return pmemobj_alloc(pop, &root[0], 200, type, NULL, NULL) == 0;
}

static int use_copy(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(files_path("copy"), "test");
	bool ok;

	if (!pop)
		return 1;
	ok = busy(pop, 8);
	pmemobj_close(pop);
	return ok ? 0 : 2;
}

/* In which the pool is open, and then is not. */
static int use_copy_later(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(files_path("pool"), "test");

	if (!pop)
		return 1;
	errno = 0;
	if (pmemobj_open(files_path("copy"), "test") || errno != EEXIST)
		return 3;
	pmemobj_close(pop);
	return use_copy(arg);
}

TEST_F_TIMEOUT(pool, beside_its_copy, 60)
{
	struct audit a;
	PMEMoid oid = OID_NULL, seen;
	pid_t pid;

	CREATE();
	ASSERT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 64 * sizeof(PMEMoid))));
	ASSERT_EQ(0, pmemobj_alloc(self->pop, &oid, 100, 9, NULL, NULL));
	pmemobj_close(self->pop);
	ASSERT_EQ(0, files_copy("pool", "copy"));
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	pid = files_start(use_copy, NULL);
	EXPECT_TRUE(busy(self->pop, 7));
	EXPECT_EQ(0, files_wait(pid));
	EXPECT_EQ(0, audit_pool(self->pop, &a))
		TH_LOG("%s", a.text);
	/* Ids would be ambiguous. */
	FAILS(EEXIST, "same UUID", pmemobj_open(files_path("copy"), "test"));
	EXPECT_TRUE(files_has_sidecar("pool"));
	EXPECT_FALSE(files_has_sidecar("copy"));
	/* That attempt has hurt neither. */
	EXPECT_EQ(64, pmemobj_root_size(self->pop) / sizeof(PMEMoid));
	EXPECT_EQ(1, of_type(self->pop, 7, &seen));
	EXPECT_EQ(0, of_type(self->pop, 8, &seen));
	EXPECT_EQ(1, of_type(self->pop, 9, &seen));
	pmemobj_free(&oid);
	EXPECT_EQ(0, files_in_child(use_copy_later, NULL));
	pmemobj_close(self->pop);
	self->pop = pmemobj_open(files_path("copy"), "test");
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	EXPECT_EQ(0, of_type(self->pop, 7, &seen));
	EXPECT_EQ(2, of_type(self->pop, 8, &seen));
	EXPECT_EQ(1, of_type(self->pop, 9, &seen));
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(files_path("copy"), "test"));
	EXPECT_EQ(1, pmemobj_check(self->path, "test"));
}

TEST_HARNESS_MAIN
