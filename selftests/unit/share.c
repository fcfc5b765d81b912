// SPDX-License-Identifier: BSD-3-Clause
/*
 * Several processes and one pool in a file: opening, closing and growing the root at once, forked
 * children, and SIGKILL at every bad moment. Processes speak through a shared page.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "files.h"
#include "lib/pool.h"
#include "lib/sidecar.h"
#include "rounds.h"
#include "libpmemobj.h"
#include "pobj.h"

#define MIN	PMEMOBJ_MIN_POOL
#define GATE	(1ULL << 61)		/* byte of lib/file.c that opening locks */

struct page {
	int flag[64];
	uint64_t word[64];
	char text[512];
};

static struct page *shared;
static const char *path;

FIXTURE(share) {
	PMEMobjpool *pop;
};

FIXTURE_SETUP(share)
{
	files_make();
	path = strdup(files_path("pool"));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	self->pop = pmemobj_create(path, "share", MIN, 0600);
	ASSERT_NE(NULL, self->pop);
}

FIXTURE_TEARDOWN(share)
{
	files_remove();
}

static void raise_flag(int i)
{
	__atomic_add_fetch(&shared->flag[i], 1, __ATOMIC_SEQ_CST);
}

static bool wait_flag_ms(int i, int value, int most)
{
	int ms;

	for (ms = 0; ms < most; ms++) {
		if (__atomic_load_n(&shared->flag[i], __ATOMIC_SEQ_CST) >= value)
			return true;
		usleep(1000);
	}
	return false;
}

static bool wait_flag(int i, int value)
{
	return wait_flag_ms(i, value, 10000);
}

static int users(void)
{
	struct pobj_pool_info info;

	return pobj_pool_info(path, &info) ? -9 : info.users;
}

/* A child that holds the pool open until flag @i of 32 and up is raised; it raises @i - 32. */
static int hold(void *arg)
{
	int i = (int)(intptr_t)arg;
	PMEMobjpool *pop = pmemobj_open(path, "share");

	if (!pop) {
		snprintf(shared->text, sizeof(shared->text), "%s", pmemobj_errormsg());
		return 1;
	}
	raise_flag(i);
	if (!wait_flag(32 + i, 1))
		return 2;
	pmemobj_close(pop);
	return 0;
}

static pid_t start_holder(int i)
{
	pid_t pid = files_start(hold, (void *)(intptr_t)i);

	return wait_flag(i, 1) ? pid : -1;
}

/* ---- open, root, close, all at once ------------------------------------------------------- */

static int rounds;

static int open_root_close(void *arg)
{
	int n = (int)(intptr_t)arg, i;
	PMEMobjpool *pop;
	uint64_t *root;

	for (i = 0; i < rounds; i++) {
		pop = pmemobj_open(path, "share");
		if (!pop)
			goto wrong;
		root = pmemobj_direct(pmemobj_root(pop, 64 * sizeof(*root)));
		if (!root || root[n] != (uint64_t)i)
			goto wrong;
		root[n]++;
		pmemobj_persist(pop, &root[n], sizeof(*root));
		pmemobj_close(pop);
	}
	return 0;
wrong:
	printf("# process %d, round %d: %s\n", n, i, pmemobj_errormsg());
	return 1;
}

TEST_F_TIMEOUT(share, open_root_close_at_once, 120)
{
	static const int counts[] = { 2, 3, 8, 16 };
	pid_t pid[16];
	size_t c;
	int i;

	pmemobj_root(self->pop, 64 * 8);
	pmemobj_close(self->pop);
	rounds = 200;
	for (c = 0; c < ARRAY_SIZE(counts); c++) {
		for (i = 0; i < counts[c]; i++)
			pid[i] = files_start(open_root_close, (void *)(intptr_t)i);
		for (i = 0; i < counts[c]; i++)
			EXPECT_EQ(0, files_wait(pid[i]));
		EXPECT_FALSE(files_has_sidecar("pool"));
		EXPECT_EQ(1, pmemobj_check(path, "share"));
		self->pop = pmemobj_open(path, "share");
		ASSERT_NE(NULL, self->pop);
		memset(pmemobj_direct(pmemobj_root(self->pop, 0)), 0, 64 * 8);
		pmemobj_close(self->pop);
	}
}

/* ---- root growth, raced ------------------------------------------------------------------- */

static int grow_in_steps(void *arg)
{
	int n = (int)(intptr_t)arg, i;
	PMEMobjpool *pop = pmemobj_open(path, "share");
	size_t size, before;
	PMEMoid oid;

	if (!pop)
		return 1;
	raise_flag(0);
	if (!wait_flag(1, 1))
		return 2;
	for (i = 0; i < 60; i++) {
		size = 8 + (size_t)(i * 8 + n) * 700;
		before = pmemobj_root_size(pop);
		oid = pmemobj_root(pop, size);
		if (OID_IS_NULL(oid) || pmemobj_root_size(pop) < size ||
		    pmemobj_root_size(pop) < before)
			return 3;
	}
	raise_flag(2);
	if (!wait_flag(2, 8))
		return 4;
	oid = pmemobj_root(pop, 0);
	shared->word[n] = oid.off;
	shared->word[8 + n] = pmemobj_root_size(pop);
	shared->word[16 + n] = *(uint64_t *)pmemobj_direct(oid);
	pmemobj_close(pop);
	return 0;
}

TEST_F_TIMEOUT(share, root_growth_raced, 60)
{
	pid_t pid[8];
	int i;

	*(uint64_t *)pmemobj_direct(pmemobj_root(self->pop, 8)) = 0x1122334455667788;
	pmemobj_close(self->pop);
	for (i = 0; i < 8; i++)
		pid[i] = files_start(grow_in_steps, (void *)(intptr_t)i);
	ASSERT_TRUE(wait_flag(0, 8));
	EXPECT_EQ(8, users());
	raise_flag(1);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, files_wait(pid[i]));
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(shared->word[0], shared->word[i]);
		EXPECT_EQ(8 + (59 * 8 + 7) * 700, shared->word[8 + i]);
		EXPECT_EQ(0x1122334455667788, shared->word[16 + i]);
	}
	EXPECT_EQ(1, pmemobj_check(path, "share"));
}

/* ---- what one sees of the other ----------------------------------------------------------- */

static int read_and_answer(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(path, NULL);
	uint64_t *root = pop ? pmemobj_direct(pmemobj_root(pop, 0)) : NULL;

	if (!root || root[0] != 4711)
		return 1;
	root[1] = 4712;
	raise_flag(0);
	if (!wait_flag(1, 1))
		return 2;
	if (root[2] != 4713)
		return 3;
	pmemobj_close(pop);
	return 0;
}

TEST_F(share, stores_are_seen)
{
	uint64_t *root = pmemobj_direct(pmemobj_root(self->pop, 24));
	pid_t pid;

	ASSERT_NE(NULL, root);
	root[0] = 4711;
	pid = files_start(read_and_answer, NULL);
	ASSERT_TRUE(wait_flag(0, 1));
	EXPECT_EQ(4712, root[1]);
	root[2] = 4713;
	raise_flag(1);
	EXPECT_EQ(0, files_wait(pid));
	EXPECT_TRUE(files_has_sidecar("pool"));
	pmemobj_close(self->pop);
	EXPECT_FALSE(files_has_sidecar("pool"));
}

TEST_F(share, users_are_counted)
{
	pid_t pid[4];
	int i;

	EXPECT_EQ(1, users());
	for (i = 0; i < 4; i++) {
		pid[i] = start_holder(i);
		ASSERT_GT(pid[i], 0);
		EXPECT_EQ(2 + i, users());
	}
	raise_flag(32 + 2);
	EXPECT_EQ(0, files_wait(pid[2]));
	EXPECT_EQ(4, users());
	kill(pid[0], SIGKILL);
	EXPECT_EQ(1000 + SIGKILL, files_wait(pid[0]));
	EXPECT_EQ(3, users());
	pmemobj_close(self->pop);
	EXPECT_EQ(2, users());
	raise_flag(32 + 1);
	raise_flag(32 + 3);
	files_wait(pid[1]);
	files_wait(pid[3]);
	EXPECT_EQ(0, users());
}

/* Who comes late takes the lowest free slot: the locks then stand in another order. */
TEST_F(share, users_are_counted_after_a_slot_is_taken_again)
{
	pid_t pid[3];
	int i;

	for (i = 0; i < 3; i++) {
		pid[i] = start_holder(i);
		ASSERT_GT(pid[i], 0);
	}
	raise_flag(32);
	EXPECT_EQ(0, files_wait(pid[0]));
	EXPECT_EQ(3, users());
	pid[0] = start_holder(5);
	EXPECT_EQ(4, users());
	pmemobj_close(self->pop);
	EXPECT_EQ(3, users());
	for (i = 1; i < 6; i++)
		raise_flag(32 + i);
	for (i = 0; i < 3; i++)
		files_wait(pid[i]);
}

/* ---- forked children ---------------------------------------------------------------------- */

static PMEMobjpool *parents;
static PMEMoid parents_root;

static int use_the_parents_pool(void *arg)
{
	PMEMobjpool *pop;

	errno = 0;
	if (!OID_IS_NULL(pmemobj_root(parents, 10)) || errno != EINVAL)
		return 1;
	if (!strstr(pmemobj_errormsg(), "fork"))
		return 2;
	if (pmemobj_root_size(parents) || pmemobj_direct(parents_root) ||
	    pmemobj_pool_by_oid(parents_root) || pmemobj_pool_by_ptr(parents))
		return 3;
	pmemobj_close(parents);
	/* Opened for itself it works, beside the parent. */
	pop = pmemobj_open(path, "share");
	if (!pop)
		return 4;
	if (!pmemobj_direct(parents_root) || *(int *)pmemobj_direct(parents_root) != 99)
		return 5;
	if (users() != 2)
		return 6;
	if (arg)
		pmemobj_close(pop);
	return 0;
}

TEST_F(share, forked_child)
{
	int i;

	parents = self->pop;
	parents_root = pmemobj_root(self->pop, 10);
	*(int *)pmemobj_direct(parents_root) = 99;
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, files_in_child(use_the_parents_pool, (void *)(intptr_t)i));
		/* Its end has not loosened the parent's hold. */
		EXPECT_TRUE(files_has_sidecar("pool"));
		EXPECT_EQ(1, users());
		EXPECT_EQ(-1, pmemobj_check(path, NULL));
		EXPECT_EQ(EBUSY, errno);
		EXPECT_TRUE(OID_EQUALS(parents_root, pmemobj_root(self->pop, 10)));
	}
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(path, NULL));
}

static int wait_for_flag_9(void *arg)
{
	raise_flag(8);
	return !wait_flag(9, 1);
}

/* Opens, forks a child that does nothing but live, and is killed. */
static int open_and_fork(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(path, NULL);
	pid_t pid;

	if (!pop)
		return 1;
	pid = fork();
	if (!pid)
		_exit(wait_for_flag_9(NULL));
	if (!wait_flag(8, 1))
		return 2;
	raise_flag(7);
	pause();
	return 3;
}

static int open_once(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(path, NULL);

	if (!pop)
		return 1;
	if (arg && OID_IS_NULL(pmemobj_root(pop, (size_t)(uintptr_t)arg)))
		return 2;
	pmemobj_close(pop);
	return 0;
}

/* The same, with an end: an open that hangs is a failure, not a hang of the test. */
static int opens_in_time(void *arg)
{
	pid_t pid = files_start(open_once, arg);
	int ms, status;

	for (ms = 0; ms < 5000; ms++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
		usleep(1000);
	}
	kill(pid, SIGKILL);
	files_wait(pid);
	return -1;
}

TEST_F(share, killed_parent_of_a_living_child)
{
	pid_t pid;

	pmemobj_close(self->pop);
	pid = files_start(open_and_fork, NULL);
	ASSERT_TRUE(wait_flag(7, 1));
	kill(pid, SIGKILL);
	EXPECT_EQ(1000 + SIGKILL, files_wait(pid));
	EXPECT_EQ(0, opens_in_time(NULL));
	EXPECT_FALSE(files_has_sidecar("pool"));
	raise_flag(9);
}

/* Lock or unlock the byte that an opener needs, through a description of our own. */
static int gate(int fd, short type)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = GATE, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &fl);
}

static void *open_in_thread(void *arg)
{
	raise_flag(10);
	return pmemobj_open(path, NULL);
}

/* The first open of a process waits at the gate while another thread forks. */
static int fork_during_the_first_open(void *arg)
{
	pthread_t t;
	void *pop;
	pid_t pid;

	if (pthread_create(&t, NULL, open_in_thread, NULL) || !wait_flag(10, 1))
		return 1;
	usleep(100000);
	pid = fork();
	if (!pid)
		_exit(wait_for_flag_9(NULL));
	if (!wait_flag(8, 1))
		return 2;
	raise_flag(11);
	pthread_join(t, &pop);
	if (!pop)
		return 3;
	pmemobj_close(pop);
	return 0;
}

static int create_pool(void *arg)
{
	PMEMobjpool *pop = pmemobj_create(path, "share", MIN, 0600);

	if (!pop)
		return 1;
	pmemobj_close(pop);
	return 0;
}

/* Without the fixture: this process, and so its children, never had a pool open. */
TEST(fork_while_another_thread_opens_the_first_pool)
{
	int fd, opened;
	pid_t pid;

	if (!rounds_can_step())
		SKIP(return, "valgrind stops all threads where one waits by F_OFD_SETLKW");
	files_make();
	path = strdup(files_path("pool"));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_EQ(0, files_in_child(create_pool, NULL));
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, gate(fd, F_WRLCK));
	pid = files_start(fork_during_the_first_open, NULL);
	ASSERT_TRUE(wait_flag(11, 1));
	ASSERT_EQ(0, gate(fd, F_UNLCK));
	EXPECT_EQ(0, files_wait(pid));
	/* The pool was opened and closed; a child that never heard of it still lives. */
	opened = opens_in_time(NULL);
	raise_flag(9);
	EXPECT_EQ(0, opened);
	files_remove();
}

static int clone_child(void *arg)
{
	return wait_for_flag_9(NULL);
}

/* A child made behind the back of libc's fork handlers must not keep the pool shut. */
TEST_F(share, close_lets_go_whoever_inherited_the_descriptors)
{
	pid_t pid;
	int opened;

	pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		_exit(clone_child(NULL));
	ASSERT_TRUE(wait_flag(8, 1));
	pmemobj_close(self->pop);
	opened = opens_in_time(NULL);
	raise_flag(9);
	files_wait(pid);
	EXPECT_EQ(0, opened);
}

/* ---- kills -------------------------------------------------------------------------------- */

static int stop_here(PMEMobjpool *pop, void *ptr, void *arg)
{
	memset(ptr, 0x66, 5000);
	raise_flag(12);
	pause();
	return 0;
}

static int construct_for_ever(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(path, NULL);

	if (pop)
		pmemobj_root_construct(pop, 20000, stop_here, NULL);
	return 1;
}

static int wait_for_the_root(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(path, NULL);
	char *root;

	if (!pop)
		return 1;
	raise_flag(13);
	root = pmemobj_direct(pmemobj_root(pop, (size_t)(uintptr_t)arg));
	if (!root || root[0] != 0x11 || root[99] != 0x11)
		return 2;
	if ((size_t)(uintptr_t)arg > 100 && root[100])
		return 3;
	if (pmemobj_root_size(pop) != ((size_t)(uintptr_t)arg ? (size_t)(uintptr_t)arg : 100))
		return 4;
	pmemobj_close(pop);
	return 0;
}

TEST_F(share, killed_with_the_pool_lock)
{
	static const size_t sizes[] = { 0, 5000, 9000 };
	pid_t holder, waiter;
	size_t i;

	memset(pmemobj_direct(pmemobj_root(self->pop, 100)), 0x11, 100);
	pmemobj_close(self->pop);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(shared, 0, sizeof(*shared));
		holder = files_start(construct_for_ever, NULL);
		ASSERT_TRUE(wait_flag(12, 1));
		waiter = files_start(wait_for_the_root, (void *)sizes[i]);
		ASSERT_TRUE(wait_flag(13, 1));
		usleep(20000);
		kill(holder, SIGKILL);
		EXPECT_EQ(1000 + SIGKILL, files_wait(holder));
		EXPECT_EQ(0, files_wait(waiter));
		EXPECT_EQ(1, pmemobj_check(path, NULL));
		EXPECT_FALSE(files_has_sidecar("pool"));
	}
}

static bool sleeps(pid_t pid)
{
	char name[64], state = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
	f = fopen(name, "r");
	if (f && fscanf(f, "%*d %*s %c", &state) != 1)
		state = 0;
	if (f)
		fclose(f);
	return state == 'S';
}

/*
 * As if another had waited too, had been woken and killed then, and we had the lock meanwhile:
 * nothing in it says that somebody waits.
 */
TEST_F_TIMEOUT(share, a_wake_up_for_the_pool_lock_is_lost, 20)
{
	struct pobj_pool *p = pobj_pool_raw(self->pop);
	int *word = &p->sidecar->pool_lock.__data.__lock;
	pid_t pid;

	memset(pmemobj_direct(pmemobj_root(self->pop, 100)), 0x11, 100);
	ASSERT_EQ(0, pobj_pool_lock(p));
	pid = files_start(wait_for_the_root, (void *)200);
	while (!(__atomic_load_n(word, __ATOMIC_ACQUIRE) & (int)FUTEX_WAITERS) || !sleeps(pid))
		usleep(1000);
	__atomic_fetch_and(word, (int)~FUTEX_WAITERS, __ATOMIC_ACQ_REL);
	pobj_pool_unlock(p);
	EXPECT_EQ(0, files_wait(pid));
}

TEST_F(share, last_user_killed)
{
	struct pobj_pool_recovery r;
	pid_t pid;
	int i;

	pmemobj_close(self->pop);
	for (i = 0; i < 3; i++) {
		memset(shared, 0, sizeof(*shared));
		pid = start_holder(0);
		kill(pid, SIGKILL);
		EXPECT_EQ(1000 + SIGKILL, files_wait(pid));
		EXPECT_TRUE(files_has_sidecar("pool"));
		EXPECT_EQ(0, users());
		/* Whoever comes next tidies up: an open, a recovery, a check. */
		EXPECT_EQ(i == 2, i == 0 ? opens_in_time(NULL) :
				  i == 1 ? pobj_pool_recover(path, &r) : pmemobj_check(path, NULL));
		EXPECT_FALSE(files_has_sidecar("pool"));
	}
}

static int grow_until_killed(void *arg)
{
	PMEMobjpool *pop = pmemobj_open(path, NULL);
	uint64_t *root;
	size_t size, i, old;

	if (!pop)
		return 1;
	raise_flag(14);
	for (;;) {
		old = pmemobj_root_size(pop);
		size = old + 4096 + old / 8;
		if (size > MIN / 4)
			return 0;
		root = pmemobj_direct(pmemobj_root(pop, size));
		if (!root)
			return 2;
		for (i = old / 8; i < size / 8; i++)
			root[i] = i;
		/* Up to here it is complete. */
		__atomic_store_n(&shared->word[0], size, __ATOMIC_SEQ_CST);
	}
}

TEST_F_TIMEOUT(share, writer_killed_at_random, 120)
{
	uint64_t *root, i, done, x = 42;
	const int all = rounds(200);
	int round, died = 0;
	size_t size;
	pid_t pid;

	pmemobj_close(self->pop);
	for (round = 0; round < all; round++) {
		unlink(path);
		self->pop = pmemobj_create(path, "share", MIN, 0600);
		ASSERT_NE(NULL, self->pop);
		pmemobj_close(self->pop);
		memset(shared, 0, sizeof(*shared));
		pid = files_start(grow_until_killed, NULL);
		ASSERT_TRUE(wait_flag(14, 1));
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		usleep((x >> 33) % 2500);
		kill(pid, SIGKILL);
		died += files_wait(pid) == 1000 + SIGKILL;
		done = shared->word[0];
		ASSERT_EQ(1, pmemobj_check(path, NULL))
			TH_LOG("%s", pmemobj_errormsg());
		self->pop = pmemobj_open(path, NULL);
		ASSERT_NE(NULL, self->pop)
			TH_LOG("%s", pmemobj_errormsg());
		size = pmemobj_root_size(self->pop);
		ASSERT_GE(size, done);
		root = size ? pmemobj_direct(pmemobj_root(self->pop, 0)) : NULL;
		for (i = 0; i < done / 8; i++)
			ASSERT_EQ(i, root[i]);
		for (; i < size / 8; i++)
			ASSERT_TRUE(root[i] == 0 || root[i] == i);
		pmemobj_close(self->pop);
		ASSERT_FALSE(files_has_sidecar("pool"));
		ASSERT_EQ(1, pmemobj_check(path, NULL));
	}
	TH_LOG("%d of %d were killed at work", died, round);
	EXPECT_GT(died, all / 4);
}

/* ---- sidecars in the way ------------------------------------------------------------------ */

/* errno of an open in another process. */
static int open_errno(void *arg)
{
	if (pmemobj_open(path, NULL))
		return 0;
	snprintf(shared->text, sizeof(shared->text), "%s", pmemobj_errormsg());
	return errno;
}

TEST_F(share, sidecar_out_of_reach)
{
	ASSERT_EQ(0, unlink(files_sidecar("pool")));
	EXPECT_EQ(EBUSY, files_in_child(open_errno, NULL));
	EXPECT_NE(NULL, strstr(shared->text, "cannot be reached"));
	EXPECT_NE(NULL, strstr(shared->text, path));
	EXPECT_FALSE(OID_IS_NULL(pmemobj_root(self->pop, 10)));
	pmemobj_close(self->pop);
	EXPECT_EQ(0, opens_in_time(NULL));
}

TEST_F(share, sidecar_of_wrong_content)
{
	struct stat st;
	int fd = open(files_sidecar("pool"), O_RDWR | O_CLOEXEC);
	char *sc = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	static const int at[] = { 0, 8, 24 };		/* magic, UUID, boot id */
	size_t i;

	ASSERT_NE(MAP_FAILED, sc);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		sc[at[i]] ^= 1;
		EXPECT_EQ(EBUSY, files_in_child(open_errno, NULL));
		EXPECT_NE(NULL, strstr(shared->text, "another pool or an earlier boot"));
		sc[at[i]] ^= 1;
	}
	EXPECT_EQ(0, opens_in_time(NULL));
	ASSERT_EQ(0, fstat(fd, &st));
	ASSERT_EQ(0, ftruncate(fd, st.st_size + 4096));
	EXPECT_EQ(EBUSY, files_in_child(open_errno, NULL));
	EXPECT_NE(NULL, strstr(shared->text, "not of this pool"));
	ASSERT_EQ(0, ftruncate(fd, st.st_size));
	/* An old one, with whatever in it, does not hinder the first opener. */
	memset(sc, 0xee, 4096);
	pmemobj_close(self->pop);
	ASSERT_EQ(0, truncate(files_sidecar("pool"), 0) && errno != ENOENT);
	fd = open(files_sidecar("pool"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT_EQ(7, write(fd, "garbage", 7));
	close(fd);
	EXPECT_EQ(0, opens_in_time((void *)100));
	EXPECT_FALSE(files_has_sidecar("pool"));
}

static int open_as_nobody(void *arg)
{
	if (setgid(65534) || setuid(65534))
		return 200;
	return open_errno(NULL);
}

TEST_F(share, sidecar_of_another_user)
{
	int fd;

	if (getuid())
		SKIP(return, "needs root");
	pmemobj_close(self->pop);
	ASSERT_EQ(0, chown(path, 65534, 65534));
	ASSERT_EQ(0, chmod(files_path("."), 0777));
	fd = open(files_sidecar("pool"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	EXPECT_TRUE(files_has_sidecar("pool"));
	EXPECT_NE(0, files_in_child(open_as_nobody, NULL));
	EXPECT_NE(NULL, strstr(shared->text, "in the way"));
	unlink(files_sidecar("pool"));
	EXPECT_EQ(0, files_in_child(open_as_nobody, NULL))
		TH_LOG("%s", shared->text);
}

/* ---- others look on ----------------------------------------------------------------------- */

static int look(void *arg)
{
	struct pobj_pool_recovery r;
	struct pobj_pool_census c;

	if (pobj_pool_recover(path, &r) || !r.was_done)
		return 1;
	if (pobj_pool_check(path, NULL, NULL, &c) != -EBUSY)
		return 2;
	if (pmemobj_check(path, NULL) != -1 || errno != EBUSY)
		return 3;
	if (users() != 1)
		return 4;
	errno = 0;
	if (pmemobj_create(path, "", 0, 0600) || (errno != EBUSY && errno != EEXIST))
		return 5;
	return 0;
}

TEST_F(share, looked_at_while_open)
{
	PMEMoid oid = pmemobj_root(self->pop, 100);

	EXPECT_EQ(0, look(NULL));
	EXPECT_EQ(0, files_in_child(look, NULL));
	EXPECT_TRUE(OID_EQUALS(oid, pmemobj_root(self->pop, 0)));
	EXPECT_TRUE(files_has_sidecar("pool"));
	pmemobj_close(self->pop);
}

/* The trap of record locks: closing any descriptor of a file drops the process' locks on it. */
TEST_F(share, plain_open_and_close_of_the_pool_file)
{
	int i;

	for (i = 0; i < 3; i++)
		close(open(path, O_RDWR | O_CLOEXEC));
	EXPECT_EQ(0, files_in_child(look, NULL));
	pmemobj_check(path, NULL);
	users();
	EXPECT_EQ(0, files_in_child(look, NULL));
	EXPECT_EQ(NULL, pmemobj_open(path, NULL));
	EXPECT_EQ(0, files_in_child(look, NULL));
	pmemobj_close(self->pop);
	EXPECT_EQ(1, pmemobj_check(path, NULL));
}

/* ---- two creators ------------------------------------------------------------------------- */

static void (*between)(void);

/* As the library calls it: after the new file is there, before it is locked. */
int posix_fallocate(int fd, off_t off, off_t len)
{
	long err = syscall(SYS_fallocate, fd, 0, off, len) ? errno : 0;

	if (between)
		between();
	return (int)err;
}

static int create_in_it(void *name)
{
	PMEMobjpool *pop;

	if (!wait_flag(20, 1))
		return 9;
	pop = pmemobj_create(name, "second", 0, 0600);
	if (pop) {
		strcpy(pmemobj_direct(pmemobj_root(pop, 100)), "precious");
		pmemobj_close(pop);
	}
	raise_flag(21);
	return !pop;
}

static void second_creator(void)
{
	between = NULL;
	raise_flag(20);
	/* Where the first one holds the gate by now, the second has to wait. */
	if (!wait_flag_ms(21, 1, 1000))
		raise_flag(22);
}

/* A file that a second one made a pool of meanwhile is not the first one's to overwrite. */
TEST_F(share, two_creators)
{
	char *race = strdup(files_path("race"));
	bool second_made;
	PMEMobjpool *pop;
	pid_t pid;

	pmemobj_close(self->pop);
	pid = files_start(create_in_it, race);
	free(race);
	between = second_creator;
	pop = pmemobj_create(files_path("race"), "first", MIN, 0600);
	if (pop) {
		EXPECT_FALSE(OID_IS_NULL(pmemobj_root(pop, 100)));
		pmemobj_close(pop);
	}
	second_made = !files_wait(pid);
	EXPECT_NE(second_made, !!pop);
	pop = pmemobj_open(files_path("race"), second_made ? "second" : "first");
	ASSERT_NE(NULL, pop)
		TH_LOG("%s", pmemobj_errormsg());
	if (second_made)
		EXPECT_STREQ("precious", pmemobj_direct(pmemobj_root(pop, 0)));
	pmemobj_close(pop);
}

TEST_HARNESS_MAIN
