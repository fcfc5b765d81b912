/* SPDX-License-Identifier: BSD-3-Clause */
/* A pool in a file of the test's own folder, for tests within one process. */
#ifndef POBJ_SELFTESTS_POOL_FIXTURE_H
#define POBJ_SELFTESTS_POOL_FIXTURE_H

#include <sys/stat.h>

#include "kselftest_harness.h"
#include "files.h"
#include "libpmemobj.h"
#include "pobj.h"

#define MIN	PMEMOBJ_MIN_POOL

FIXTURE(pool) {
	PMEMobjpool *pop;
	char *path;
};

FIXTURE_SETUP(pool)
{
	umask(022);
	files_make();
	self->path = strdup(files_path("pool"));
	self->pop = NULL;
}

FIXTURE_TEARDOWN(pool)
{
	free(self->path);
	files_remove();
}

#define CREATE() do {								\
	self->pop = pmemobj_create(self->path, "test", MIN, 0600);		\
	ASSERT_NE(NULL, self->pop)						\
		TH_LOG("%s", pmemobj_errormsg());				\
} while (0)

/* @call fails with @want in errno and a message that names @text. */
#define FAILS(want, text, call) do {						\
	errno = 0;								\
	EXPECT_EQ(NULL, (call));						\
	EXPECT_EQ(want, errno)							\
		TH_LOG("%s", pmemobj_errormsg());				\
	EXPECT_NE(NULL, strstr(pmemobj_errormsg(), text))			\
		TH_LOG("%s", pmemobj_errormsg());				\
} while (0)

#endif
