// SPDX-License-Identifier: BSD-3-Clause
/* Sessions of a pool in a file: lib/session.c by locks of the process (lib/file.c). */
#include <fcntl.h>

#include "sessions.h"
#include "pobj.h"

#define SLOTS_AT	(1LL << 61)	/* byte of slot 0 on the sidecar's file */

static const char *place_make(void)
{
	PMEMobjpool *pop;
	const char *name;

	files_make();
	name = strdup(files_path("pool"));
	pop = pmemobj_create(name, "session", PMEMOBJ_MIN_POOL, 0600);
	if (!pop)
		return NULL;
	pmemobj_close(pop);
	return name;
}

static void place_drop(void)
{
	files_remove();
}

static int users(void)
{
	struct pobj_pool_info info;

	return pobj_pool_info(path, &info) ? NONE : info.users;
}

static int users_as_others_see_it(void *arg)
{
	return users();
}

TEST_F(session, users_are_counted_by_slots)
{
	OPEN_CREW(3);
	EXPECT_EQ(4, users());
	EXPECT_EQ(4, files_in_child(users_as_others_see_it, NULL));
	lose(1);
	/* The dead is none, reaped or not. */
	EXPECT_EQ(3, users());
	EXPECT_EQ(1, pobj_session_reap(self->p));
	EXPECT_EQ(3, users());
	EXPECT_EQ(0, ask(0, CLOSE, 0));
	EXPECT_EQ(2, users());
	EXPECT_EQ(2, files_in_child(users_as_others_see_it, NULL));
}

/* A process that holds the slots from @arg on. */
static int hold_slots(void *arg)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			    .l_start = SLOTS_AT + (intptr_t)arg,
			    .l_len = POBJ_SESSION_SLOTS - (intptr_t)arg };
	int fd = open(files_sidecar("pool"), O_RDWR | O_CLOEXEC);

	if (fd < 0 || fcntl(fd, F_SETLK, &fl))
		return 1;
	ADD(stage->inside);
	return !SOON(GET(stage->leave));
}

TEST_F(session, no_slot_is_free)
{
	pid_t pid;

	ASSERT_EQ(0, self->p->slot);
	pid = files_start(hold_slots, (void *)2);
	ASSERT_TRUE(SOON(GET(stage->inside) == 1));
	EXPECT_EQ(0, ask(0, OPEN, 0));
	EXPECT_EQ(1, stage->slot[0]);
	EXPECT_EQ(-EUSERS, ask(1, OPEN, 0));
	/* One who dies makes room at once. */
	lose(0);
	EXPECT_EQ(0, ask(1, OPEN, 0));
	EXPECT_EQ(1, stage->slot[1]);
	SET(stage->leave, 1);
	EXPECT_EQ(0, files_wait(pid));
}

/* The last slot is one like the others. */
TEST_F(session, last_slot)
{
	uint64_t *last = &self->words[POBJ_SESSION_SLOTS - 1];

	*last = 4000;
	EXPECT_TRUE(pobj_session_lives(self->p, 4000));
	EXPECT_EQ(1, pobj_session_reap(self->p));
	EXPECT_EQ(1, stage->reaps[4000]);
	EXPECT_EQ(0, *last);
	EXPECT_EQ(0, last[1]);
}

TEST_HARNESS_MAIN
