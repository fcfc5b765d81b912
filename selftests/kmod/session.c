// SPDX-License-Identifier: BSD-3-Clause
/*
 * Sessions of a pool on a region: the tests of selftests/unit/session.c, where the locks are of the
 * open file description of the region file (lib/region.c).
 */
#include "child.h"

#include "sessions.h"
#include "pobj.h"

static char names[2][64];

static int pool_on_node(int node)
{
	struct t_dev dev;
	PMEMobjpool *pop;
	char *zeros;
	int fd, err;

	if (t_dev_find(&dev, node))
		return -ENXIO;
	zeros = aligned_alloc(4096, 16384);
	memset(zeros, 0, 16384);
	fd = open(dev.path, O_RDWR | O_DIRECT | O_CLOEXEC);
	err = fd < 0 || pwrite(fd, zeros, 16384, 0) != 16384 ? -EIO : 0;
	close(fd);
	free(zeros);
	if (err)
		return err;
	snprintf(names[node], sizeof(names[node]), "pobj:%s", dev.name);
	pop = pmemobj_create(names[node], "session", 0, 0600);
	if (!pop)
		return -errno;
	pmemobj_close(pop);
	return 0;
}

static const char *place_make(void)
{
	int ctl = t_reset();

	if (ctl < 0)
		return NULL;
	close(ctl);
	return pool_on_node(0) ? NULL : names[0];
}

static void place_drop(void)
{
	close(t_reset());
}

/* All anonymous files share one inode: the locks of two regions must not meet there. */
TEST_F(session, regions_do_not_meet)
{
	PMEMobjpool *other;
	struct pobj_pool *p;

	ASSERT_EQ(0, pool_on_node(1));
	OPEN_CREW(2);
	other = pmemobj_open(names[1], NULL);
	ASSERT_NE(NULL, other)
		TH_LOG("%s", pmemobj_errormsg());
	p = pobj_pool_of(other);
	EXPECT_EQ(1, p->session);
	EXPECT_EQ(0, p->slot);
	EXPECT_LE(POBJ_SESSION_SLOTS, p->lock_base > self->p->lock_base ?
				      p->lock_base - self->p->lock_base :
				      self->p->lock_base - p->lock_base);
	lose(0);
	EXPECT_EQ(0, pobj_session_reap(p));
	EXPECT_EQ(1, pobj_session_reap(self->p));
	pmemobj_close(other);
	EXPECT_EQ(1, ask(1, LIVES, self->p->session));
	EXPECT_EQ(0, ask(1, REAP, 0));
}

/* A second open in one process fails late, when it has a session already: the first one stays. */
TEST_F(session, second_open_is_refused)
{
	OPEN_CREW(1);
	EXPECT_EQ(NULL, pmemobj_open(path, NULL));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(2, slots_in_use(self->p));
	EXPECT_EQ(1, ask(0, LIVES, self->p->session));
	EXPECT_EQ(0, ask(0, REAP, 0));
	EXPECT_EQ(0, pobj_session_reap(self->p));
}

TEST_HARNESS_MAIN
