// SPDX-License-Identifier: BSD-3-Clause
/* lib/memory.c: pmemobj_persist and the copies, on a handle made by hand; hooks that count. */
#include <sys/mman.h>

#include "lib/pool.h"
#include "kselftest_harness.h"

#define PAGE	4096UL

static int flushes, fences, fence_result;
static const void *flushed;
static u64 flushed_len;

static void note_flush(const struct pobj_media *m, const void *p, u64 len)
{
	flushes++;
	flushed = p;
	flushed_len = len;
}

static int note_fence(const struct pobj_media *m)
{
	fences++;
	return fence_result;
}

static bool flushed_was(const void *p, u64 len)
{
	const bool was = flushed == p && flushed_len == len;

	flushed = NULL;
	flushed_len = 0;
	return was;
}

FIXTURE(memory) {
	struct pobj_pool *p;
	PMEMobjpool *pop;
	char *mem;
};

FIXTURE_SETUP(memory)
{
	char *at = mmap(NULL, POBJ_HANDLE_BYTES + 16 * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, at);
	self->mem = at + POBJ_HANDLE_BYTES;
	self->pop = (PMEMobjpool *)self->mem;
	self->p = pobj_pool_raw(self->pop);
	ASSERT_EQ(at, (char *)self->p);
	strcpy(self->p->path, "/pool");
	self->p->media.base = self->mem;
	self->p->media.size = 16 * PAGE;
	self->p->media.flush = note_flush;
	self->p->media.fence = note_fence;
}

FIXTURE_TEARDOWN(memory)
{
}

TEST_F(memory, persist_is_flush_and_one_fence)
{
	pmemobj_persist(self->pop, self->mem + 5, 100);
	EXPECT_EQ(1, flushes);
	EXPECT_EQ(1, fences);
	EXPECT_TRUE(flushed_was(self->mem + 5, 100));
	pmemobj_flush(self->pop, self->mem, 200);
	EXPECT_TRUE(flushed_was(self->mem, 200));
	EXPECT_EQ(2, flushes);
	EXPECT_EQ(1, fences);
	pmemobj_drain(self->pop);
	EXPECT_EQ(2, flushes);
	EXPECT_EQ(2, fences);
}

TEST_F(memory, flags_without_a_copy)
{
	unsigned int flag;

	EXPECT_EQ(0, pmemobj_xpersist(self->pop, self->mem, 8, 0));
	EXPECT_EQ(0, pmemobj_xpersist(self->pop, self->mem + 1, 300, PMEMOBJ_F_RELAXED));
	EXPECT_TRUE(flushed_was(self->mem + 1, 300));
	EXPECT_EQ(0, pmemobj_xflush(self->pop, self->mem, 8, 0));
	EXPECT_EQ(0, pmemobj_xflush(self->pop, self->mem + 2, 400, PMEMOBJ_F_RELAXED));
	EXPECT_TRUE(flushed_was(self->mem + 2, 400));
	EXPECT_EQ(4, flushes);
	EXPECT_EQ(2, fences);
	for (flag = 1; flag != PMEMOBJ_F_RELAXED; flag <<= 1) {
		errno = 0;
		EXPECT_EQ(-1, pmemobj_xpersist(self->pop, self->mem, 8, flag));
		EXPECT_EQ(EINVAL, errno);
		errno = 0;
		EXPECT_EQ(-1, pmemobj_xflush(self->pop, self->mem, 8, flag | PMEMOBJ_F_RELAXED));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "pmemobj_xflush"));
	EXPECT_EQ(4, flushes);
	EXPECT_EQ(2, fences);
}

TEST_F(memory, copies_return_dest_and_drain_by_flags)
{
	static const struct {
		unsigned int flags;
		int flushes;
		int fences;
	} expected[] = {
		{ 0, 1, 1 },
		{ PMEMOBJ_F_RELAXED | PMEMOBJ_F_MEM_NONTEMPORAL, 1, 1 },
		{ PMEMOBJ_F_MEM_NODRAIN, 1, 0 },
		{ PMEMOBJ_F_MEM_NOFLUSH, 0, 0 },
		{ PMEMOBJ_F_MEM_NOFLUSH | PMEMOBJ_F_MEM_NONTEMPORAL, 0, 0 },
		{ 1U << 20, 1, 1 },
	};
	char src[100];
	char *d = self->mem + 3;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		flushes = 0;
		fences = 0;
		memset(src, i + 1, sizeof(src));
		EXPECT_EQ(d, pmemobj_memcpy(self->pop, d, src, 100, expected[i].flags));
		EXPECT_EQ(0, memcmp(d, src, 100));
		EXPECT_EQ(expected[i].flushes, flushed_was(d, 100));
		EXPECT_EQ(d + 1, pmemobj_memmove(self->pop, d + 1, d, 100, expected[i].flags));
		EXPECT_EQ(0, memcmp(d + 1, src, 100));
		EXPECT_EQ(expected[i].flushes, flushed_was(d + 1, 100));
		EXPECT_EQ(d, pmemobj_memset(self->pop, d, 0, 100, expected[i].flags));
		EXPECT_EQ(expected[i].flushes, flushed_was(d, 100));
		EXPECT_EQ(0, d[0] | d[99]);
		EXPECT_EQ((int)i + 1, d[100]);
		EXPECT_EQ(3 * expected[i].flushes, flushes);
		EXPECT_EQ(3 * expected[i].fences, fences);
	}
	flushes = 0;
	fences = 0;
	EXPECT_EQ(d, pmemobj_memcpy_persist(self->pop, d, src, 100));
	EXPECT_EQ(d, pmemobj_memset_persist(self->pop, d, 9, 99));
	EXPECT_EQ(9, d[98]);
	EXPECT_EQ(src[99], d[99]);
	EXPECT_EQ(2, flushes);
	EXPECT_EQ(2, fences);
}

/* Nothing to store is nothing to flush; what was flushed before is waited for all the same. */
TEST_F(memory, length_0_drains)
{
	EXPECT_EQ(self->mem, pmemobj_memcpy_persist(self->pop, self->mem, "", 0));
	EXPECT_EQ(self->mem, pmemobj_memset_persist(self->pop, self->mem, 1, 0));
	EXPECT_EQ(0, flushes);
	EXPECT_EQ(2, fences);
}

TEST_F(memory, failed_writeback_is_told)
{
	char src[8] = { 0 };

	fence_result = -EIO;
	errno = 0;
	EXPECT_EQ(-1, pmemobj_xpersist(self->pop, self->mem, 8, 0));
	EXPECT_EQ(EIO, errno);
	EXPECT_NE(NULL, strstr(pmemobj_errormsg(), "/pool"));
	errno = 0;
	pmemobj_persist(self->pop, self->mem, 8);
	EXPECT_EQ(EIO, errno);
	errno = 0;
	pmemobj_drain(self->pop);
	EXPECT_EQ(EIO, errno);
	errno = 0;
	EXPECT_EQ(self->mem, pmemobj_memcpy_persist(self->pop, self->mem, src, 8));
	EXPECT_EQ(EIO, errno);
	errno = 0;
	EXPECT_EQ(self->mem, pmemobj_memset(self->pop, self->mem, 1, 8, PMEMOBJ_F_MEM_NODRAIN));
	EXPECT_EQ(0, errno);
}

TEST_HARNESS_MAIN
