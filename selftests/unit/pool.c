// SPDX-License-Identifier: BSD-3-Clause
/*
 * pmemobj_create, open, close and check on pools in files, in one process:
 * meaning, errno and message of every use and misuse, and that failures leave nothing behind.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "pool_fixture.h"

/* ---- create and open --------------------------------------------------------------------- */

TEST_F(pool, create_open_close)
{
	struct pobj_pool_info info;
	struct stat st;

	CREATE();
	EXPECT_EQ(0, (uintptr_t)self->pop % (2 << 20));
	EXPECT_EQ(MIN, (size_t)files_size("pool"));
	EXPECT_TRUE(files_has_sidecar("pool"));
	pmemobj_close(self->pop);
	EXPECT_FALSE(files_has_sidecar("pool"));
	EXPECT_EQ(1, pmemobj_check(self->path, "test"));
	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_GE(st.st_blocks * 512, MIN);	/* room was taken at once */

	ASSERT_EQ(0, pobj_pool_info(self->path, &info));
	EXPECT_STREQ("test", info.layout);
	EXPECT_EQ(MIN, info.bytes);
	EXPECT_EQ(4096, info.page_bytes);
	EXPECT_EQ(32, info.lane_cnt);
	EXPECT_EQ(0, info.root_off);
	EXPECT_EQ(0, info.users);
	EXPECT_EQ(0, info.on_region);
	EXPECT_EQ(36, strlen(info.uuid));
	EXPECT_LE((uint64_t)time(NULL) - info.ctime, 60);

	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	ASSERT_EQ(0, pobj_pool_info(self->path, &info));
	EXPECT_EQ(1, info.users);
	pmemobj_close(self->pop);
	self->pop = pmemobj_open(self->path, NULL);
	ASSERT_NE(NULL, self->pop);
	pmemobj_close(self->pop);
}

TEST_F(pool, mode_and_umask)
{
	static const struct {
		mode_t umask, mode, want;
	} cases[] = {
		{ 0, 0666, 0666 }, { 022, 0666, 0644 }, { 077, 0666, 0600 }, { 022, 0600, 0600 },
		{ 0, 0640, 0640 }, { 0, 0, 0 }, { 027, 0777, 0750 },
	};
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		umask(cases[i].umask);
		self->pop = pmemobj_create(self->path, "", MIN, cases[i].mode);
		ASSERT_NE(NULL, self->pop)
			TH_LOG("%s", pmemobj_errormsg());
		ASSERT_EQ(0, stat(self->path, &st));
		EXPECT_EQ(cases[i].want, st.st_mode & 07777);
		/* Who may use the pool may use its shared memory, and nobody else. */
		ASSERT_EQ(0, stat(files_sidecar("pool"), &st));
		EXPECT_EQ(cases[i].want & 0666, st.st_mode & 07777);
		pmemobj_close(self->pop);
		ASSERT_EQ(0, unlink(self->path));
	}
}

TEST_F(pool, open_errors)
{
	char *junk = malloc(MIN), *path;
	int fd;

	FAILS(EINVAL, "path", pmemobj_open(NULL, NULL));
	FAILS(ENOENT, "none", pmemobj_open(files_path("none"), NULL));
	FAILS(ENOENT, "none/x", pmemobj_open(files_path("none/x"), NULL));
	FAILS(ENOENT, "", pmemobj_open("", NULL));
	ASSERT_EQ(0, mkdir(files_path("dir"), 0700));
	FAILS(EISDIR, "dir", pmemobj_open(files_path("dir"), NULL));
	FAILS(EINVAL, "/dev/null", pmemobj_open("/dev/null", NULL));

	ASSERT_EQ(0, files_sparse("empty", 0));
	FAILS(EINVAL, "empty", pmemobj_open(files_path("empty"), NULL));
	ASSERT_EQ(0, files_sparse("byte", 1));
	FAILS(EINVAL, "byte", pmemobj_open(files_path("byte"), NULL));
	ASSERT_EQ(0, files_sparse("zeros", MIN));
	FAILS(EINVAL, "not a pobj pool", pmemobj_open(files_path("zeros"), NULL));
	EXPECT_FALSE(files_has_sidecar("zeros"));

	memset(junk, 0x5a, MIN);
	fd = open(files_path("junk"), O_RDWR | O_CREAT, 0600);
	ASSERT_EQ(MIN, (size_t)write(fd, junk, MIN));
	close(fd);
	FAILS(EINVAL, "junk", pmemobj_open(files_path("junk"), NULL));

	path = malloc(5000);
	memset(path, 'x', 5000);
	path[4999] = 0;
	FAILS(ENAMETOOLONG, "", pmemobj_open(path, NULL));
	FAILS(ENAMETOOLONG, "", pmemobj_create(path, NULL, MIN, 0600));
	path[4095] = 0;
	FAILS(ENAMETOOLONG, "", pmemobj_open(path, NULL));
	free(path);
	free(junk);
}

TEST_F(pool, a_text_file_is_not_a_pool)
{
	char text[4096] = "root:x:0:0:root:/root:/bin/sh\n", *now;
	size_t bytes;
	int fd = open(files_path("passwd"), O_RDWR | O_CREAT, 0600);

	ASSERT_EQ(3000, write(fd, text, 3000));
	close(fd);
	FAILS(EINVAL, "not a pobj pool", pmemobj_open(files_path("passwd"), NULL));
	FAILS(EEXIST, "passwd", pmemobj_create(files_path("passwd"), "", MIN, 0600));
	FAILS(EEXIST, "holds data", pmemobj_create(files_path("passwd"), "", 0, 0600));
	EXPECT_EQ(-1, pmemobj_check(files_path("passwd"), NULL));
	now = files_read("passwd", &bytes);
	ASSERT_NE(NULL, now);
	EXPECT_EQ(3000, bytes);
	EXPECT_EQ(0, memcmp(text, now, 3000));
	free(now);
}

static int as_nobody(void *path)
{
	if (getuid() == 0 && (setgid(65534) || setuid(65534)))
		return 9;
	if (pmemobj_open(path, NULL) || errno != EACCES)
		return 1;
	if (!strstr(pmemobj_errormsg(), path))
		return 2;
	if (pmemobj_check(path, NULL) != -1 || errno != EACCES)
		return 3;
	if (pmemobj_create("/proc/version.pool", "", MIN, 0600))
		return 4;
	if (pmemobj_open("/etc/passwd", NULL) || errno != EACCES)
		return 5;
	return 0;
}

TEST_F(pool, no_permission)
{
	CREATE();
	pmemobj_close(self->pop);
	if (getuid())
		chmod(self->path, 0);
	EXPECT_EQ(0, files_in_child(as_nobody, (void *)self->path));
}

TEST_F(pool, create_errors)
{
	char layout[1025];

	FAILS(EINVAL, "path", pmemobj_create(NULL, "", MIN, 0600));
	FAILS(EINVAL, "minimum", pmemobj_create(self->path, "", 1, 0600));
	FAILS(EINVAL, "minimum", pmemobj_create(self->path, "", MIN - 1, 0600));
	FAILS(EFBIG, "", pmemobj_create(self->path, "", SIZE_MAX, 0600));
	FAILS(EFBIG, "", pmemobj_create(self->path, "", (size_t)INT64_MAX + 1, 0600));
	EXPECT_EQ(-1, files_size("pool"));
	/* Too large for any file system: what was made is removed. */
	errno = 0;
	EXPECT_EQ(NULL, pmemobj_create(self->path, "", INT64_MAX, 0600));
	EXPECT_TRUE(errno == EFBIG || errno == ENOSPC || errno == EINVAL);
	EXPECT_EQ(-1, files_size("pool"));

	memset(layout, 'l', sizeof(layout));
	layout[1024] = 0;
	FAILS(EINVAL, "layout", pmemobj_create(self->path, layout, MIN, 0600));
	EXPECT_EQ(-1, files_size("pool"));
	layout[1023] = 0;
	self->pop = pmemobj_create(self->path, layout, MIN, 0600);
	ASSERT_NE(NULL, self->pop);
	pmemobj_close(self->pop);
	self->pop = pmemobj_open(self->path, layout);
	ASSERT_NE(NULL, self->pop);
	pmemobj_close(self->pop);

	FAILS(EEXIST, "pool", pmemobj_create(self->path, layout, MIN, 0600));
	FAILS(EEXIST, "holds data", pmemobj_create(self->path, layout, 0, 0600));
	FAILS(ENOENT, "none", pmemobj_create(files_path("none"), "", 0, 0600));
	FAILS(ENOENT, "none/x", pmemobj_create(files_path("none/x"), "", MIN, 0600));
	ASSERT_EQ(0, mkdir(files_path("dir"), 0700));
	FAILS(EEXIST, "dir", pmemobj_create(files_path("dir"), "", MIN, 0600));
	FAILS(EISDIR, "dir", pmemobj_create(files_path("dir"), "", 0, 0600));
	EXPECT_EQ(1, pmemobj_check(self->path, layout));
}

/* A copy of the superblock that is damaged: told, and repaired by who opens the pool. */
TEST_F(pool, damaged_copy_is_told)
{
	struct pobj_pool_info info;
	int fd;

	CREATE();
	pmemobj_close(self->pop);
	ASSERT_EQ(0, pobj_pool_info(self->path, &info));
	EXPECT_EQ(0, info.bad_copies);
	fd = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(1, pwrite(fd, "x", 1, 4096 + 700));
	close(fd);
	ASSERT_EQ(0, pobj_pool_info(self->path, &info));
	EXPECT_EQ(1, info.bad_copies);
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	pmemobj_close(self->pop);
	ASSERT_EQ(0, pobj_pool_info(self->path, &info));
	EXPECT_EQ(0, info.bad_copies);
}

TEST_F(pool, create_in_a_file_that_is_there)
{
	struct pobj_pool_info info;

	ASSERT_EQ(0, files_sparse("zeros", MIN + 4096));
	self->pop = pmemobj_create(files_path("zeros"), "z", 0, 0600);
	ASSERT_NE(NULL, self->pop)
		TH_LOG("%s", pmemobj_errormsg());
	EXPECT_EQ(0, ((char *)self->pop)[MIN]);
	pmemobj_close(self->pop);
	ASSERT_EQ(0, pobj_pool_info(files_path("zeros"), &info));
	EXPECT_EQ(MIN + 4096, info.bytes);
	EXPECT_EQ(1, pmemobj_check(files_path("zeros"), "z"));
	/* A size for a file that is there is refused, and the file stays. */
	ASSERT_EQ(0, files_sparse("more", MIN));
	FAILS(EEXIST, "more", pmemobj_create(files_path("more"), "z", MIN, 0600));
	EXPECT_EQ(MIN, (size_t)files_size("more"));
	EXPECT_FALSE(files_has_sidecar("more"));
}

/* The least size holds for files that are there, too; and a refusal removes nobody's file. */
TEST_F(pool, create_in_a_file_that_is_too_small)
{
	static const off_t sizes[] = { 0, 1, 4096, 8192, 32768, 1 << 20, MIN - 4096, MIN - 1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, files_sparse("small", sizes[i]));
		FAILS(EINVAL, "small", pmemobj_create(files_path("small"), "", 0, 0600));
		EXPECT_EQ(sizes[i], files_size("small"));
	}
}

TEST_F(pool, layouts)
{
	CREATE();
	pmemobj_close(self->pop);
	FAILS(EINVAL, "layout", pmemobj_open(self->path, "other"));
	FAILS(EINVAL, "layout", pmemobj_open(self->path, ""));
	FAILS(EINVAL, "layout", pmemobj_open(self->path, "tes"));
	FAILS(EINVAL, "layout", pmemobj_open(self->path, "test2"));
	EXPECT_FALSE(files_has_sidecar("pool"));
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
	EXPECT_EQ(0, pmemobj_check(self->path, "other"));
	unlink(self->path);
	self->pop = pmemobj_create(self->path, NULL, MIN, 0600);
	ASSERT_NE(NULL, self->pop);
	pmemobj_close(self->pop);
	self->pop = pmemobj_open(self->path, "");
	ASSERT_NE(NULL, self->pop);
	pmemobj_close(self->pop);
}

TEST_F(pool, truncated)
{
	static const off_t sizes[] = { MIN - 1, MIN - 64, MIN / 2, 65536, 8193, 8192, 4096 + 2048,
				       4096, 2048 };
	size_t i;

	CREATE();
	pmemobj_close(self->pop);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, truncate(self->path, sizes[i]));
		FAILS(EUCLEAN, "truncated", pmemobj_open(self->path, NULL));
		EXPECT_EQ(sizes[i], files_size("pool"));
	}
	ASSERT_EQ(0, truncate(self->path, 2047));
	FAILS(EINVAL, "not a pobj pool", pmemobj_open(self->path, NULL));
}

/* A file that grew behind the pool is still the pool. */
TEST_F(pool, longer_file)
{
	CREATE();
	pmemobj_close(self->pop);
	ASSERT_EQ(0, truncate(self->path, 3 * MIN + 5));
	EXPECT_EQ(1, pmemobj_check(self->path, "test"));
	self->pop = pmemobj_open(self->path, "test");
	ASSERT_NE(NULL, self->pop);
	pmemobj_close(self->pop);
}

static int count_problems(const struct pobj_problem *p, void *arg)
{
	int *fatal = arg;

	*fatal += p->fatal;
	return !p->text || !p->advice;
}

TEST_F(pool, check_verdicts)
{
	struct pobj_pool_recovery r;
	struct pobj_pool_census c;
	char bad[64];
	int fd, fatal = 0;

	EXPECT_EQ(-1, pmemobj_check(files_path("none"), NULL));
	EXPECT_EQ(ENOENT, errno);
	CREATE();
	errno = 0;
	EXPECT_EQ(-1, pmemobj_check(self->path, NULL));	/* it is open */
	EXPECT_EQ(EBUSY, errno);
	pmemobj_root(self->pop, 5000);
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
	ASSERT_EQ(0, pobj_pool_check(self->path, count_problems, &fatal, &c));
	EXPECT_EQ(1, c.spans.large);
	EXPECT_EQ(c.pages - 2, c.free_pages);
	EXPECT_EQ(c.pages - 2, c.largest_free);

	memset(bad, 0x77, sizeof(bad));
	fd = open(self->path, O_RDWR);
	/* One copy of the superblock: a problem, not a fatal one; the check repairs nothing. */
	ASSERT_EQ(64, pwrite(fd, bad, 64, 500));
	ASSERT_EQ(0, pobj_pool_check(self->path, count_problems, &fatal, &c));
	EXPECT_EQ(1, c.problems);
	EXPECT_EQ(0, c.fatal);
	EXPECT_EQ(0, fatal);
	EXPECT_EQ(1, pmemobj_check(self->path, NULL));
	ASSERT_EQ(0, pobj_pool_recover(self->path, &r));
	EXPECT_EQ(1, r.repaired);
	EXPECT_EQ(0, r.was_done);
	ASSERT_EQ(0, pobj_pool_check(self->path, NULL, NULL, &c));
	EXPECT_EQ(0, c.problems);
	/* The root record: fatal, and nobody gets a root. */
	ASSERT_EQ(64, pwrite(fd, bad, 64, 8192));
	EXPECT_EQ(0, pmemobj_check(self->path, NULL));
	self->pop = pmemobj_open(self->path, NULL);
	if (self->pop) {
		errno = 0;
		EXPECT_TRUE(OID_IS_NULL(pmemobj_root(self->pop, 1)));
		EXPECT_EQ(EUCLEAN, errno);
		pmemobj_close(self->pop);
	}
	/* A lane: damaged, does not open, and nothing is changed. */
	ASSERT_EQ(64, pwrite(fd, bad, 64, 8192 + 128 + 64 * 3));
	FAILS(EUCLEAN, "log entry", pmemobj_open(self->path, NULL));
	EXPECT_EQ(-EUCLEAN, pobj_pool_recover(self->path, &r));
	EXPECT_EQ(0, pmemobj_check(self->path, NULL));
	/* Both copies. */
	ASSERT_EQ(64, pwrite(fd, bad, 64, 500));
	ASSERT_EQ(64, pwrite(fd, bad, 64, 4596));
	FAILS(EUCLEAN, "superblock", pmemobj_open(self->path, NULL));
	EXPECT_EQ(0, pmemobj_check(self->path, NULL));
	ASSERT_EQ(0, pobj_pool_check(self->path, NULL, NULL, &c));
	EXPECT_EQ(1, c.fatal);
	close(fd);
}

static int check_null(void *arg)
{
	return pmemobj_check(NULL, NULL) == -1 ? 0 : 1;
}

TEST_F(pool, check_of_no_path)
{
	EXPECT_EQ(0, files_in_child(check_null, NULL));
}

TEST_F(pool, one_open_per_process)
{
	CREATE();
	FAILS(EEXIST, "open already", pmemobj_open(self->path, "test"));
	FAILS(EEXIST, "", pmemobj_create(self->path, "test", MIN, 0600));
	FAILS(EEXIST, "", pmemobj_create(self->path, "test", 0, 0600));
	ASSERT_EQ(0, link(self->path, files_path("hard")));
	FAILS(EEXIST, "open already", pmemobj_open(files_path("hard"), "test"));
	ASSERT_EQ(0, symlink(self->path, files_path("soft")));
	FAILS(EEXIST, "open already", pmemobj_open(files_path("soft"), "test"));
	/* None of that has disturbed the pool. */
	EXPECT_TRUE(files_has_sidecar("pool"));
	EXPECT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 10)));
	pmemobj_close(self->pop);
	unlink(files_path("hard"));
	unlink(files_path("soft"));
}

static int open_copy(void *path)
{
	PMEMobjpool *pop = pmemobj_open(path, NULL);

	if (!pop)
		return 1;
	pmemobj_close(pop);
	return 0;
}

TEST_F(pool, copies)
{
	PMEMobjpool *second;

	CREATE();
	pmemobj_root(self->pop, 64);
	pmemobj_close(self->pop);
	ASSERT_EQ(0, files_copy("pool", "copy"));
	self->pop = pmemobj_open(self->path, NULL);
	ASSERT_NE(NULL, self->pop);
	FAILS(EEXIST, "UUID", pmemobj_open(files_path("copy"), NULL));
	EXPECT_FALSE(files_has_sidecar("copy"));
	EXPECT_EQ(0, files_in_child(open_copy, (void *)files_path("copy")));
	pmemobj_close(self->pop);
	second = pmemobj_open(files_path("copy"), NULL);
	EXPECT_NE(NULL, second);
	pmemobj_close(second);
}

TEST_F(pool, failures_leave_nothing_behind)
{
	int fds, maps, i, round;

	CREATE();
	pmemobj_close(self->pop);
	ASSERT_EQ(0, files_copy("pool", "lane"));
	i = open(files_path("lane"), O_RDWR);
	ASSERT_EQ(8, pwrite(i, "damaged!", 8, 8192 + 128 + 64 + 48));
	close(i);
	ASSERT_EQ(0, files_sparse("zeros", MIN));
	for (round = 0; round < 2; round++) {
		fds = files_count("/proc/self/fd");
		maps = files_mappings();
		for (i = 0; i < 50; i++) {
			EXPECT_EQ(NULL, pmemobj_open(self->path, "other"));
			EXPECT_EQ(NULL, pmemobj_open(files_path("none"), NULL));
			EXPECT_EQ(NULL, pmemobj_open(files_path("lane"), NULL));
			EXPECT_EQ(NULL, pmemobj_open(files_path("zeros"), NULL));
			EXPECT_EQ(NULL, pmemobj_create(self->path, "", MIN, 0600));
			EXPECT_EQ(NULL, pmemobj_create(files_path("new"), "", INT64_MAX, 0600));
			self->pop = pmemobj_open(self->path, NULL);
			ASSERT_NE(NULL, self->pop);
			EXPECT_EQ(NULL, pmemobj_open(self->path, NULL));
			pmemobj_close(self->pop);
			EXPECT_EQ(1, pmemobj_check(self->path, NULL));
		}
	}
	EXPECT_EQ(fds, files_count("/proc/self/fd"));
	if (!getenv("LD_PRELOAD"))	/* valgrind maps for itself */
		EXPECT_EQ(maps, files_mappings());
	EXPECT_EQ(-1, files_size("new"));
}

TEST_F(pool, close_of_what_is_not_open)
{
	char on_stack[64];

	CREATE();
	pmemobj_close(NULL);
	pmemobj_close((PMEMobjpool *)on_stack);
	pmemobj_close((PMEMobjpool *)((char *)self->pop + 64));
	EXPECT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 10)));
	pmemobj_close(self->pop);
	pmemobj_close(self->pop);
	errno = 0;
	EXPECT_TRUE(OID_IS_NULL(pmemobj_root(self->pop, 10)));
	EXPECT_EQ(EINVAL, errno);
	errno = 0;
	EXPECT_EQ(0, pmemobj_root_size(self->pop));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(OID_IS_NULL(pmemobj_root(NULL, 10)));
	EXPECT_TRUE(OID_IS_NULL(pmemobj_root((PMEMobjpool *)on_stack, 10)));
}

TEST_F(pool, user_data)
{
	int x;

	CREATE();
	EXPECT_EQ(NULL, pmemobj_get_user_data(self->pop));
	pmemobj_set_user_data(self->pop, &x);
	EXPECT_EQ(&x, pmemobj_get_user_data(self->pop));
	pmemobj_close(self->pop);
	self->pop = pmemobj_open(self->path, NULL);
	EXPECT_EQ(NULL, pmemobj_get_user_data(self->pop));
	pmemobj_close(self->pop);
}

/* ---- ids --------------------------------------------------------------------------------- */

TEST_F(pool, ids_and_addresses)
{
	PMEMobjpool *other;
	PMEMoid oid, far;
	char *root, local;

	CREATE();
	other = pmemobj_create(files_path("other"), "o", MIN, 0600);
	ASSERT_NE(NULL, other);
	oid = pmemobj_root(self->pop, 100);
	far = pmemobj_root(other, 100);
	ASSERT_FALSE(OID_IS_NULL(oid));
	EXPECT_NE(oid.pool_uuid_lo, far.pool_uuid_lo);
	EXPECT_EQ(oid.off, far.off);
	EXPECT_FALSE(OID_EQUALS(oid, far));
	root = pmemobj_direct(oid);
	EXPECT_EQ((char *)self->pop + oid.off, root);
	EXPECT_EQ((char *)other + far.off, pmemobj_direct(far));
	EXPECT_EQ(root, pmemobj_direct(oid));
	EXPECT_EQ(self->pop, pmemobj_pool_by_ptr(root));
	EXPECT_EQ(self->pop, pmemobj_pool_by_ptr(self->pop));
	EXPECT_EQ(self->pop, pmemobj_pool_by_ptr((char *)self->pop + MIN - 1));
	EXPECT_EQ(NULL, pmemobj_pool_by_ptr((char *)self->pop + MIN));
	EXPECT_EQ(NULL, pmemobj_pool_by_ptr((char *)self->pop - 1));
	EXPECT_EQ(NULL, pmemobj_pool_by_ptr(&local));
	EXPECT_EQ(NULL, pmemobj_pool_by_ptr(NULL));
	EXPECT_EQ(self->pop, pmemobj_pool_by_oid(oid));
	EXPECT_EQ(other, pmemobj_pool_by_oid(far));
	EXPECT_EQ(NULL, pmemobj_pool_by_oid(OID_NULL));
	EXPECT_EQ(NULL, pmemobj_pool_by_oid((PMEMoid){ oid.pool_uuid_lo + 1, oid.off }));
	EXPECT_EQ(NULL, pmemobj_direct(OID_NULL));
	EXPECT_EQ(NULL, pmemobj_direct((PMEMoid){ 0, 64 }));
	EXPECT_EQ(NULL, pmemobj_direct((PMEMoid){ oid.pool_uuid_lo, 0 }));
	EXPECT_EQ(NULL, pmemobj_direct((PMEMoid){ ~oid.pool_uuid_lo, 64 }));
	EXPECT_TRUE(OID_EQUALS(oid, pmemobj_oid(root)));
	EXPECT_EQ(oid.off + 7, pmemobj_oid(root + 7).off);
	EXPECT_TRUE(OID_IS_NULL(pmemobj_oid(&local)));
	EXPECT_TRUE(OID_IS_NULL(pmemobj_oid(NULL)));

	pmemobj_close(self->pop);
	EXPECT_EQ(NULL, pmemobj_direct(oid));
	EXPECT_EQ(NULL, pmemobj_pool_by_oid(oid));
	EXPECT_EQ(NULL, pmemobj_pool_by_ptr(root));
	EXPECT_TRUE(OID_IS_NULL(pmemobj_oid(root)));
	EXPECT_EQ((char *)other + far.off, pmemobj_direct(far));
	self->pop = pmemobj_open(self->path, NULL);
	EXPECT_EQ((char *)self->pop + oid.off, pmemobj_direct(oid));
	pmemobj_close(other);
	EXPECT_EQ(NULL, pmemobj_direct(far));
	EXPECT_EQ((char *)self->pop + oid.off, pmemobj_direct(oid));
	pmemobj_close(self->pop);
}

/* ---- threads ----------------------------------------------------------------------------- */

static pthread_barrier_t start;
static int wins, losses, wrongs;

static void *own_pools(void *arg)
{
	char name[32];
	PMEMobjpool *pop;
	PMEMoid oid;
	int i;

	snprintf(name, sizeof(name), "t%d", (int)(intptr_t)arg);
	pthread_barrier_wait(&start);
	for (i = 0; i < 8; i++) {
		pop = pmemobj_create(files_path(name), name, MIN, 0600);
		if (!pop)
			goto wrong;
		oid = pmemobj_root(pop, 4000);
		if (OID_IS_NULL(oid) || pmemobj_pool_by_oid(oid) != pop)
			goto wrong;
		strcpy(pmemobj_direct(oid), name);
		pmemobj_close(pop);
		pop = pmemobj_open(files_path(name), name);
		if (!pop || strcmp(pmemobj_direct(pmemobj_root(pop, 0)), name))
			goto wrong;
		pmemobj_close(pop);
		if (pmemobj_check(files_path(name), name) != 1 || unlink(files_path(name)))
			goto wrong;
	}
	return NULL;
wrong:
	__atomic_add_fetch(&wrongs, 1, __ATOMIC_RELAXED);
	printf("# %s: %s\n", name, pmemobj_errormsg());
	return NULL;
}

static void *same_pool(void *arg)
{
	PMEMobjpool *pop;

	pthread_barrier_wait(&start);
	errno = 0;
	pop = arg ? pmemobj_create(files_path("same"), "", MIN, 0600) :
		    pmemobj_open(files_path("same"), NULL);
	if (pop)
		__atomic_add_fetch(&wins, 1, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(errno == EEXIST ? &losses : &wrongs, 1, __ATOMIC_RELAXED);
	return pop;
}

#define THREADS	16

TEST_F_TIMEOUT(pool, threads, 60)
{
	pthread_t t[THREADS];
	PMEMobjpool *won;
	void *got;
	int i, round;

	pthread_barrier_init(&start, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, own_pools, (void *)(intptr_t)i));
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(0, wrongs);
	for (round = 0; round < 20; round++) {
		wins = 0;
		losses = 0;
		won = NULL;
		for (i = 0; i < THREADS; i++)
			ASSERT_EQ(0, pthread_create(&t[i], NULL, same_pool,
						    (void *)(intptr_t)!round));
		for (i = 0; i < THREADS; i++) {
			pthread_join(t[i], &got);
			won = got ? got : won;
		}
		EXPECT_EQ(1, wins);
		EXPECT_EQ(THREADS - 1, losses);
		EXPECT_EQ(0, wrongs);
		ASSERT_NE(NULL, won);
		pmemobj_close(won);
	}
	EXPECT_EQ(1, pmemobj_check(files_path("same"), NULL));
}

/* ---- versions and messages --------------------------------------------------------------- */

TEST_F(pool, versions)
{
	EXPECT_EQ(NULL, pmemobj_check_version(PMEMOBJ_MAJOR_VERSION, PMEMOBJ_MINOR_VERSION));
	EXPECT_EQ(NULL, pmemobj_check_version(PMEMOBJ_MAJOR_VERSION, 0));
	EXPECT_NE(NULL, pmemobj_check_version(PMEMOBJ_MAJOR_VERSION + 1, 0));
	EXPECT_NE(NULL, pmemobj_check_version(PMEMOBJ_MAJOR_VERSION - 1, 0));
	EXPECT_NE(NULL, pmemobj_check_version(0, 0));
	EXPECT_NE(NULL, strstr(pmemobj_check_version(PMEMOBJ_MAJOR_VERSION,
						     PMEMOBJ_MINOR_VERSION + 1), "minor"));
	EXPECT_NE(NULL, pmemobj_check_version(~0U, ~0U));
}

static void *other_message(void *arg)
{
	if (!pmemobj_errormsg() || *pmemobj_errormsg())
		return "a new thread has a message";
	pmemobj_open("/nonexistent/in-thread", NULL);
	return strstr(pmemobj_errormsg(), "in-thread") ? NULL : "no message of its own";
}

TEST_F(pool, messages_belong_to_the_thread)
{
	pthread_t t;
	void *wrong;

	ASSERT_NE(NULL, pmemobj_errormsg());
	EXPECT_STREQ("", pmemobj_errormsg());
	pmemobj_open("/nonexistent/in-main", NULL);
	ASSERT_EQ(0, pthread_create(&t, NULL, other_message, NULL));
	pthread_join(t, &wrong);
	EXPECT_EQ(NULL, wrong);
	EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "in-main"));
	EXPECT_EQ(pmemobj_errormsg(), pobj_errormsg());
}

/* ---- many -------------------------------------------------------------------------------- */

TEST_F_TIMEOUT(pool, pools_without_end, 120)
{
	struct rlimit files = { 8192, 8192 };
	static PMEMobjpool *pops[1024];
	char name[32];
	int i;

	if (setrlimit(RLIMIT_NOFILE, &files))
		SKIP(return, "cannot open so many files");
	for (i = 0; i < 1025; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		ASSERT_EQ(0, files_sparse(name, MIN));
		if (i == 1024)
			break;
		pops[i] = pmemobj_create(files_path(name), "", 0, 0600);
		ASSERT_NE(NULL, pops[i])
			TH_LOG("pool %d: %s", i, pmemobj_errormsg());
	}
	FAILS(ENFILE, "1024", pmemobj_create(files_path(name), "", 0, 0600));
	EXPECT_EQ(MIN, (size_t)files_size(name));
	EXPECT_FALSE(files_has_sidecar(name));
	for (i = 0; i < 1024; i += 101)
		EXPECT_EQ(pops[i], pmemobj_pool_by_oid(pmemobj_root(pops[i], 10)));
	pmemobj_close(pops[500]);
	pops[500] = pmemobj_open(files_path("n500"), NULL);
	EXPECT_NE(NULL, pops[500]);
	for (i = 0; i < 1024; i++)
		pmemobj_close(pops[i]);
	EXPECT_EQ(NULL, pmemobj_pool_by_ptr(pops[7]));
}

TEST_HARNESS_MAIN
