/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What tests of recovery share: images made by hand, of a pool with two lanes, and what recovery
 * must do with them. A refusal changes nothing, whatever was verified before.
 */
#ifndef SELFTESTS_CORE_RECOVER_H
#define SELFTESTS_CORE_RECOVER_H

#include "kselftest_harness.h"
#include "core_pool.h"

#include "lib/core/object.h"

#define BYTES	32768
#define UNDO	POBJ_M_ENTRY_UNDO
#define NOP	POBJ_M_ENTRY_NOP

FIXTURE(recover) {
	struct core_pool p;
	const struct pobj_geom *g;
	struct pobj_recovery r;
	struct pobj_finding f;
	u8 *image;
	u64 t;			/* a word in data page 0 */
};

FIXTURE_SETUP(recover)
{
	core_pool_make(&self->p, BYTES, 8, 2, 2);
	self->g = &self->p.s.geom;
	self->image = core_alloc(BYTES);
	self->t = CORE_PAGE(self->g, 0);
}

FIXTURE_TEARDOWN(recover)
{
	core_pool_free(&self->p);
	free(self->image);
}

#define SELF	FIXTURE_DATA(recover) * self

/* Recovery must end with @err, and on an error change no byte. */
static inline bool ends(SELF, int err)
{
	int got;

	memcpy(self->image, self->p.mem, BYTES);
	memset(&self->f, 0, sizeof(self->f));
	got = core_recover(&self->p, &self->r, &self->f);
	if (got != err)
		printf("# recovery: %d instead of %d, finding %u at %llx: %llx\n", got, err,
		       self->f.diag, (unsigned long long)self->f.off,
		       (unsigned long long)self->f.found);
	if (got && memcmp(self->image, self->p.mem, BYTES)) {
		printf("# a refusal has changed the image\n");
		return false;
	}
	return got == err;
}

/* A second recovery finds nothing to do. */
static inline bool settled(SELF)
{
	return ends(self, 0) && !self->r.undone && !self->r.live &&
	       !memcmp(self->image, self->p.mem, BYTES);
}

/* An entry of @cnt words t, t + 8, ... with old values 1000, 1001, ... in lane @lane. */
static inline void undo_entry(SELF, u32 lane, u64 seq, u32 cnt)
{
	struct pobj_ext_walk w;
	u64 word[6];
	u32 i, n, done;

	for (done = 0; done < cnt; done += n) {
		n = cnt - done < 3 ? cnt - done : 3;
		for (i = 0; i < n; i++) {
			word[2 * i] = self->t + 8 * (done + i);
			word[2 * i + 1] = 1000 + done + i;
			core_set(&self->p, word[2 * i], 5555);
		}
		if (!done) {
			core_slot(&self->p, lane, seq, UNDO, cnt, seq - 1, word, 2 * n);
			continue;
		}
		if (done == 3 ? pobj_ext_first(&w, &self->p.m, self->g, lane, NULL) :
				pobj_ext_next(&w, NULL))
			abort();
		core_log_line(&self->p, w.off, word, 2 * n, n, 0, core_tag(seq, UNDO));
	}
}

static inline bool words_are(SELF, u32 cnt, bool old)
{
	u32 i;

	for (i = 0; i < cnt; i++) {
		if (core_get(&self->p, self->t + 8 * i) != (old ? 1000 + i : 5555))
			return false;
	}
	return true;
}

/* Hang page @page into the chain of @lane by hand, at @link. */
static inline void chunk(SELF, u32 lane, u64 link, u64 page)
{
	core_set(&self->p, pobj_geom_line(self->g, page),
		 pobj_line_header(POBJ_M_LOG, POBJ_M_F_INTERNAL, 0, 1));
	memset(self->p.mem + CORE_PAGE(self->g, page), 0, 256);
	core_set(&self->p, CORE_PAGE(self->g, page) + 8, lane);
	core_set(&self->p, link, CORE_PAGE(self->g, page));
}

static inline void chunks(SELF, u32 lane, u32 cnt)
{
	u64 link = pobj_geom_lane(self->g, lane);
	u32 i;

	for (i = 0; i < cnt; i++) {
		chunk(self, lane, link, 20 + lane + 2 * i);
		link = CORE_PAGE(self->g, 20 + lane + 2 * i);
	}
}

#endif
