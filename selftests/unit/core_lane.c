// SPDX-License-Identifier: BSD-3-Clause
/*
 * lib/core/lane.c, the writing half: sequences and slots over many operations, capacity at every
 * border of the log, growth, targets that must be refused, and that words change as asked.
 */
#include "kselftest_harness.h"
#include "core_pool.h"

#include "lib/core/object.h"

FIXTURE(lane) {
	struct core_pool p;
	struct pobj_lane l;
	const struct pobj_geom *g;
};

#define SELF	FIXTURE_DATA(lane) * self

FIXTURE_SETUP(lane)
{
	core_pool_make(&self->p, 65536, 8, 2, 2);
	self->g = &self->p.s.geom;
	ASSERT_EQ(0, pobj_lane_take(&self->l, &self->p.m, self->g, 1, NULL));
}

FIXTURE_TEARDOWN(lane)
{
	core_pool_free(&self->p);
}

/* Words in free data pages from page 0 on: targets that nothing else uses. */
static struct pobj_step steps[65536];

static void words_make(const struct pobj_geom *g, struct pobj_change *w, u32 cnt, u64 salt)
{
	u32 i;

	for (i = 0; i < cnt; i++) {
		w[i].target = CORE_PAGE(g, 0) + 8 * i;
		w[i].value = salt + i;
	}
}

static bool words_hold(const struct core_pool *p, const struct pobj_change *w, u32 cnt)
{
	u32 i;

	for (i = 0; i < cnt; i++) {
		if (core_get(p, w[i].target) != w[i].value)
			return false;
	}
	return true;
}

TEST_F(lane, sequences_rise_and_slots_rotate)
{
	struct pobj_lane_view v;
	struct pobj_lane again;
	struct pobj_change w[3];
	u64 i, s, tag;

	EXPECT_EQ(0, self->l.seq);
	for (i = 0; i < 150000; i++) {
		words_make(self->g, w, 1 + i % 3, i);
		ASSERT_EQ(0, pobj_lane_change(&self->l, w, 1 + i % 3, steps));
		ASSERT_EQ(2 * (i + 1), self->l.seq);
		ASSERT_EQ(self->l.seq, self->l.retired);
		ASSERT_TRUE(words_hold(&self->p, w, 1 + i % 3));
		/* The two newest: entry, and the NOP that retires it. */
		tag = core_get(&self->p, pobj_geom_slot(self->g, 1, self->l.seq) + 56);
		ASSERT_EQ(core_tag(self->l.seq, POBJ_M_ENTRY_NOP), tag);
		tag = core_get(&self->p, pobj_geom_slot(self->g, 1, self->l.seq - 1) + 56);
		ASSERT_EQ(core_tag(self->l.seq - 1, POBJ_M_ENTRY_UNDO), tag);
		if (i % 997 && i > 40)
			continue;
		ASSERT_EQ(0, pobj_lane_read(&self->p.m, self->g, 1, &v, NULL));
		ASSERT_EQ(self->l.seq, v.newest);
		ASSERT_EQ(self->l.seq - 1, v.retired);
		ASSERT_FALSE(v.torn);
		for (s = self->l.seq; s && s + 16 > self->l.seq; s--) {
			ASSERT_EQ(s, v.entry[s % 16].seq);
			ASSERT_EQ(s & 1 ? POBJ_M_ENTRY_UNDO : POBJ_M_ENTRY_NOP,
				  v.entry[s % 16].kind);
		}
		/* P4: who takes the lane up goes on above. */
		ASSERT_EQ(0, pobj_lane_take(&again, &self->p.m, self->g, 1, NULL));
		ASSERT_EQ(self->l.seq, again.seq);
		ASSERT_EQ(self->l.seq, again.retired);
	}
	/* Nothing but lane 1 and page 0 was touched. */
	for (i = 0; i < pobj_geom_lane_bytes(self->g); i++)
		ASSERT_EQ(0, self->p.mem[pobj_geom_lane(self->g, 0) + i]);
	EXPECT_EQ(0, core_problems(&self->p));
}

TEST_F(lane, three_fence_rounds)
{
	struct pobj_change w[9];
	u32 n;

	for (n = 1; n <= 9; n++) {
		words_make(self->g, w, n, 1);
		core_fences = 0;
		ASSERT_EQ(0, pobj_lane_change(&self->l, w, n, steps));
		EXPECT_EQ(3, core_fences);
	}
}

TEST_F(lane, counts_up_to_the_capacity)
{
	struct pobj_change w[64];
	u64 seq;
	u32 n;

	ASSERT_EQ(9, pobj_lane_capacity(&self->l));	/* 3 in the slot, 3 in each of 2 lines */
	for (n = 1; n <= 9; n++) {
		words_make(self->g, w, n, n * 100);
		ASSERT_EQ(0, pobj_lane_change(&self->l, w, n, steps));
		ASSERT_TRUE(words_hold(&self->p, w, n));
	}
	seq = self->l.seq;
	words_make(self->g, w, 10, 7777);
	EXPECT_EQ(-ENOSPC, pobj_lane_change(&self->l, w, 10, steps));
	EXPECT_EQ(-EINVAL, pobj_lane_change(&self->l, w, 0, steps));
	EXPECT_EQ(-EINVAL, pobj_lane_change(&self->l, w, 65536, steps));
	EXPECT_EQ(-EINVAL, pobj_lane_change(&self->l, w, ~0U, steps));
	EXPECT_EQ(seq, self->l.seq);
	EXPECT_EQ(900, core_get(&self->p, w[0].target));
}

/* A page of 256 bytes takes 3 lines beside its head: 9 words more with each chunk. */
TEST_F(lane, grows_chunk_by_chunk)
{
	struct pobj_change w[200];
	struct pobj_census c;
	u32 chunk, want = 9, n;
	u64 page;

	for (chunk = 0; chunk < 20; chunk++) {
		words_make(self->g, w, want + 1, chunk * 1000);
		ASSERT_EQ(-ENOSPC, pobj_lane_change(&self->l, w, want + 1, steps));
		page = self->g->page_cnt - 1 - chunk * 2;
		memset(self->p.mem + CORE_PAGE(self->g, page), 0xff, 256);	/* P9 */
		ASSERT_EQ(0, pobj_lane_grow(&self->l, page));
		want += 9;
		ASSERT_EQ(want, pobj_lane_capacity(&self->l));
		for (n = want - 10; n <= want; n++) {
			words_make(self->g, w, n, chunk * 1000 + n);
			ASSERT_EQ(0, pobj_lane_change(&self->l, w, n, steps));
			ASSERT_TRUE(words_hold(&self->p, w, n));
		}
		words_make(self->g, w, want + 1, 5);
		ASSERT_EQ(-ENOSPC, pobj_lane_change(&self->l, w, want + 1, steps));
		ASSERT_EQ(0, pobj_check_pool(&self->p.m, &self->p.s, &c, NULL, NULL));
		ASSERT_EQ(0, c.problems);
		ASSERT_EQ(chunk + 1, c.logs);
	}
}

/* Lanes without own lines, and lanes with the most: what 16 bits can count is the end. */
TEST(capacity_ends_at_65535)
{
	struct pobj_change *w = calloc(65536, sizeof(*w));
	struct core_pool p;
	struct pobj_lane l;
	u64 page;
	u32 i;

	core_pool_make(&p, 64 << 20, 16, 1, 0);
	ASSERT_EQ(0, pobj_lane_take(&l, &p.m, &p.s.geom, 0, NULL));
	ASSERT_EQ(3, pobj_lane_capacity(&l));
	for (page = 100; pobj_lane_capacity(&l) < 65535; page++) {
		ASSERT_EQ(3 + (page - 100) * 1023 * 3, pobj_lane_capacity(&l));
		ASSERT_EQ(0, pobj_lane_grow(&l, page));
	}
	ASSERT_EQ(100 + 22, page);
	ASSERT_EQ(0, pobj_lane_grow(&l, page));
	ASSERT_EQ(65535, pobj_lane_capacity(&l));
	for (i = 0; i < 65536; i++) {
		w[i].target = CORE_PAGE(&p.s.geom, 200) + i * 8;
		w[i].value = i ^ 0x5555;
	}
	ASSERT_EQ(-EINVAL, pobj_lane_change(&l, w, 65536, steps));
	for (i = 65533; i <= 65535; i++) {
		w[0].value++;
		ASSERT_EQ(0, pobj_lane_change(&l, w, i, steps));
		ASSERT_TRUE(words_hold(&p, w, i));
	}
	EXPECT_EQ(0, core_problems(&p));
	core_pool_free(&p);

	core_pool_make(&p, 64 << 20, 12, 2, 65535);
	ASSERT_EQ(0, pobj_lane_take(&l, &p.m, &p.s.geom, 1, NULL));
	ASSERT_EQ(65535, pobj_lane_capacity(&l));
	for (i = 0; i < 65535; i++)
		w[i].target = CORE_PAGE(&p.s.geom, 20) + i * 8;
	ASSERT_EQ(0, pobj_lane_change(&l, w, 65535, steps));
	ASSERT_TRUE(words_hold(&p, w, 65535));
	EXPECT_EQ(0, core_problems(&p));
	core_pool_free(&p);
	free(w);
}

/* May @off be named by a log of lane 1? As the format says, asked anew. */
static bool may(const struct pobj_geom *g, const u64 *chunk_of_1, const u64 *chunk_of_0, u64 off)
{
	if (off % 8)
		return false;
	if (off == 8192 || off == 8200 || off == pobj_geom_lane(g, 1))
		return true;
	if (off >= g->line_off && off < g->line_off + g->page_cnt * 64)
		return true;
	if (off < g->data_off || off >= g->data_off + (g->page_cnt << g->page_shift))
		return false;
	if (off - *chunk_of_0 < 256)
		return false;
	if (off - *chunk_of_1 < 256)
		return off == *chunk_of_1;
	return true;
}

TEST_F(lane, targets)
{
	u64 c1 = CORE_PAGE(self->g, 5), c0 = CORE_PAGE(self->g, 6), off, seq, i;
	static const u64 far[] = { 65536, 65537, 65536 + 64, 1ULL << 32, 1ULL << 62, 1ULL << 63,
				   ~0ULL - 7, ~0ULL, ~0ULL - 63, ~0ULL - 255 };
	struct pobj_change w[2];
	struct pobj_lane l0;
	u8 *before = core_alloc(65536);
	bool ground;

	ASSERT_EQ(0, pobj_lane_grow(&self->l, 5));
	ASSERT_EQ(0, pobj_lane_take(&l0, &self->p.m, self->g, 0, NULL));
	ASSERT_EQ(0, pobj_lane_grow(&l0, 6));
	for (off = 0; off < 65536 + 512; off++)
		ASSERT_EQ(may(self->g, &c1, &c0, off),
			  !pobj_lane_may_undo(&self->p.m, self->g, 1, off, &ground))
			TH_LOG("offset %llx", (unsigned long long)off);
	for (i = 0; i < ARRAY_SIZE(far); i++)
		EXPECT_NE(0, pobj_lane_may_undo(&self->p.m, self->g, 1, far[i], &ground));

	/* Refused before anything is written: also when it is the last of several. */
	memcpy(before, self->p.mem, 65536);
	seq = self->l.seq;
	w[0].target = CORE_PAGE(self->g, 0);
	w[0].value = 1;
	for (off = 0; off < 65536 + 512; off += off < 9000 ? 1 : 4) {
		if (may(self->g, &c1, &c0, off))
			continue;
		w[1].target = off;
		w[1].value = 1;
		ASSERT_EQ(-EINVAL, pobj_lane_change(&self->l, w, 2, steps));
	}
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		w[1].target = far[i];
		ASSERT_EQ(-EINVAL, pobj_lane_change(&self->l, w, 2, steps));
	}
	EXPECT_EQ(seq, self->l.seq);
	EXPECT_EQ(0, memcmp(before, self->p.mem, 65536));
	free(before);
}

/* A broken chain is an error for who wants to grow it, and leaves the slot's own words. */
TEST_F(lane, broken_chain)
{
	struct pobj_change w[4];

	core_set(&self->p, pobj_geom_lane(self->g, 1), CORE_PAGE(self->g, 9) + 8);
	EXPECT_EQ(-EUCLEAN, pobj_lane_grow(&self->l, 3));
	EXPECT_EQ(3, pobj_lane_capacity(&self->l));
	words_make(self->g, w, 4, 1);
	EXPECT_EQ(0, pobj_lane_change(&self->l, w, 3, steps));
	EXPECT_EQ(-ENOSPC, pobj_lane_change(&self->l, w, 4, steps));
}

static int fence_fail_at;

static int failing_fence(const struct pobj_media *m)
{
	return --fence_fail_at ? 0 : -EIO;
}

/* A fence that fails ends the operation; what stands on the medium can be recovered. */
TEST_F(lane, failing_fence)
{
	struct pobj_recovery r;
	struct pobj_change w[5];
	u64 old;
	int at;

	for (at = 1; at <= 3; at++) {
		words_make(self->g, w, 5, at * 50);
		old = core_get(&self->p, w[4].target);
		self->p.m.fence = failing_fence;
		fence_fail_at = at;
		ASSERT_EQ(-EIO, pobj_lane_change(&self->l, w, 5, steps));
		self->p.m.fence = core_fence;
		memset(&r, 0, sizeof(r));
		ASSERT_EQ(0, pobj_recover_lane(&self->p.m, &self->p.s, 1, &r, NULL));
		/* Before the last round it is undone. */
		ASSERT_EQ(at == 3 ? w[4].value : old, core_get(&self->p, w[4].target));
		ASSERT_EQ(at == 3 ? 0 : 5, r.undone);
		ASSERT_EQ(0, pobj_lane_take(&self->l, &self->p.m, self->g, 1, NULL));
	}
}

/* A slab of 16 objects of 64 bytes, at page 20; its word A. */
static void slab_make(struct core_pool *p, u64 allocated)
{
	u64 i;

	for (i = 1; i < 4; i++)
		core_set(p, pobj_geom_line(&p->s.geom, 20 + i),
			 pobj_line_header(POBJ_M_CONT, 0, 0, (u32)i));
	core_set(p, pobj_geom_line(&p->s.geom, 20),
		 pobj_line_header(POBJ_M_SLAB, 0, 16, 64));
	core_set(p, pobj_geom_line(&p->s.geom, 20) + 16, allocated);
}

#define OBJECT(n)	(POBJ_M_TARGET_OBJECT | pobj_ref(20, (n)))

static int allocate(struct core_pool *p, struct pobj_lane *l)
{
	struct pobj_step s = {
		.target = OBJECT(5), .value = 1 << 5, .kind = POBJ_STEP_A,
		.at = pobj_media_ptr(&p->m, pobj_geom_line(&p->s.geom, 20) + 16),
	};

	return pobj_lane_alloc_step(l, &s, CORE_PAGE(&p->s.geom, 2), 77, 88);
}

static int free_one(struct core_pool *p, struct pobj_lane *l)
{
	return pobj_lane_free(l, pobj_ref(20, 1), CORE_PAGE(&p->s.geom, 2), true);
}

/* The id straddles two lines: a fence more. */
static int free_straddling(struct core_pool *p, struct pobj_lane *l)
{
	return pobj_lane_free(l, pobj_ref(20, 1), CORE_PAGE(&p->s.geom, 2) + 56, false);
}

static int publish_one(struct core_pool *p, struct pobj_lane *l)
{
	return pobj_lane_publish(l, 20, 0, 1 << 7);
}

/* With a free that is not retired. */
static int publish_several(struct core_pool *p, struct pobj_lane *l)
{
	int err = free_one(p, l);

	return err ? err : pobj_lane_publish(l, 20, 0, 3 << 7);
}

static int free_and_retire(struct core_pool *p, struct pobj_lane *l)
{
	int err = free_one(p, l);

	return err ? err : pobj_lane_retire(l);
}

static int change_five(struct core_pool *p, struct pobj_lane *l)
{
	struct pobj_change w[5];

	words_make(&p->s.geom, w, 5, 9);
	return pobj_lane_change(l, w, 5, steps);
}

static int change_object(struct core_pool *p, struct pobj_lane *l)
{
	const struct pobj_change c = { OBJECT(1), 0 };

	return pobj_lane_change(l, &c, 1, steps);
}

static int grow(struct core_pool *p, struct pobj_lane *l)
{
	return pobj_lane_grow(l, 5);
}

static int (*const operations[])(struct core_pool *p, struct pobj_lane *l) = {
	allocate, free_one, free_straddling, publish_one, publish_several, free_and_retire,
	change_five, change_object, grow,
};

static void prepare(SELF)
{
	core_pool_free(&self->p);
	/* No extension lines of its own: the chain is read for each entry that needs them. */
	core_pool_make(&self->p, 65536, 8, 2, 0);
	core_nops(&self->p, 1, 3);
	slab_make(&self->p, 0xf);
	if (pobj_lane_take(&self->l, &self->p.m, self->g, 1, NULL) ||
	    pobj_lane_grow(&self->l, 4))
		abort();
}

static u8 flushed_line[65536 / 64];
static u32 flushed_at_first_fence;

static void mark_flushed(const struct pobj_media *m, const void *p, u64 len)
{
	u64 off = (u64)((const u8 *)p - (const u8 *)m->base), line;

	for (line = off / 64; line <= (off + len - 1) / 64; line++)
		flushed_line[line] = 1;
}

static int count_flushed(const struct pobj_media *m)
{
	u64 line;

	if (core_fences++)
		return 0;
	for (line = 0; line < ARRAY_SIZE(flushed_line); line++)
		flushed_at_first_fence += flushed_line[line];
	return 0;
}

/*
 * P9: all of a chunk, and the slot, by the first fence; not its head alone. What stood in the other
 * lines could be extension lines of the very entries to come.
 */
TEST_F(lane, chunk_is_durable_before_its_link)
{
	u64 off;

	prepare(self);
	self->p.m.flush = mark_flushed;
	self->p.m.fence = count_flushed;
	core_fences = 0;
	ASSERT_EQ(0, grow(&self->p, &self->l));
	EXPECT_EQ(256 / 64 + 1, flushed_at_first_fence);
	for (off = 0; off < 256; off += 64)
		EXPECT_EQ(1, flushed_line[(CORE_PAGE(self->g, 5) + off) / 64]);
}

/* What the operations are for: words A and F of the slab, and the id. */
TEST_F(lane, operations_do_what_they_say)
{
	const struct {
		u64 a, f, off, uuid;
	} after[] = {
		{ 0x2f, 0, 88, 77 }, { 0xd, 0, 0, 0 }, { 0xf, 2, 4711, 4712 },
		{ 0x8f, 0, 4711, 4712 }, { 0x18d, 0, 0, 0 }, { 0xd, 0, 0, 0 },
		{ 0xf, 0, 4711, 4712 }, { 0xf, 2, 4711, 4712 }, { 0xf, 0, 4711, 4712 },
	};
	u64 slab, id;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		prepare(self);
		slab = pobj_geom_line(self->g, 20);
		id = CORE_PAGE(self->g, 2);
		core_set(&self->p, id, 4712);
		core_set(&self->p, id + 8, 4711);
		core_set(&self->p, id + 56, 4712);
		core_set(&self->p, id + 64, 4711);
		ASSERT_EQ(0, operations[i](&self->p, &self->l));
		EXPECT_EQ(after[i].a, core_get(&self->p, slab + 16))
			TH_LOG("operation %zu", i);
		EXPECT_EQ(after[i].f, core_get(&self->p, slab + 24))
			TH_LOG("operation %zu", i);
		EXPECT_EQ(after[i].off, core_get(&self->p, id + 8))
			TH_LOG("operation %zu", i);
		EXPECT_EQ(after[i].uuid, core_get(&self->p, id));
		EXPECT_EQ(operations[i] == free_straddling ? 0 : 4712,
			  core_get(&self->p, id + 56));
		EXPECT_EQ(operations[i] == free_straddling ? 0 : 4711,
			  core_get(&self->p, id + 64));
		EXPECT_EQ(0, core_problems(&self->p));
	}
}

/* Each fence of each operation fails, alone: the operation ends there, and stores no more. */
TEST_F(lane, nothing_is_stored_behind_a_failed_fence)
{
	u64 total, n;
	size_t i;

	core_at_failure = core_alloc(65536);
	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		prepare(self);
		core_fences = 0;
		ASSERT_EQ(0, operations[i](&self->p, &self->l));
		total = core_fences;
		ASSERT_LT(0, total);
		for (n = 1; n <= total; n++) {
			prepare(self);
			core_fences = 0;
			core_fence_fail = n;
			EXPECT_EQ(-EIO, operations[i](&self->p, &self->l))
				TH_LOG("operation %zu, fence %llu", i, (unsigned long long)n);
			core_fence_fail = 0;
			EXPECT_EQ(n, core_fences);
			EXPECT_EQ(0, memcmp(core_at_failure, self->p.mem, 65536));
		}
	}
	free(core_at_failure);
}

/* Each read of each operation fails, alone: told, and no word has changed. */
TEST_F(lane, each_read_fails_once)
{
	u64 total, n, reads = 0, data, slab;
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		prepare(self);
		data = CORE_PAGE(self->g, 0);
		slab = pobj_geom_line(self->g, 20);
		core_reads = 0;
		ASSERT_EQ(0, operations[i](&self->p, &self->l));
		total = core_reads;
		reads += total;
		for (n = 1; n <= total; n++) {
			prepare(self);
			core_set(&self->p, data, 4711);
			core_reads = 0;
			core_read_fail_once = n;
			err = operations[i](&self->p, &self->l);
			core_read_fail_once = 0;
			/* What cannot be counted is no room. */
			EXPECT_TRUE(err == -EIO || (operations[i] == change_five && err == -ENOSPC))
				TH_LOG("operation %zu, read %llu: %d", i, (unsigned long long)n,
				       err);
			EXPECT_EQ(4711, core_get(&self->p, data));
			/* Its free may have happened before. */
			if (operations[i] != publish_several && operations[i] != free_and_retire)
				EXPECT_EQ(0xf, core_get(&self->p, slab + 16));
		}
	}
	EXPECT_LT(12, reads);
}

/* Words that cannot be read are not judged allowed. */
TEST_F(lane, places_are_judged_by_what_was_read)
{
	u64 end, data, link, n, total;
	bool ground;

	prepare(self);
	end = CORE_PAGE(self->g, self->g->page_cnt);
	data = CORE_PAGE(self->g, 7);
	EXPECT_EQ(0, pobj_lane_may_null(&self->p.m, self->g, data));
	EXPECT_EQ(0, pobj_lane_may_null(&self->p.m, self->g, end - 16));
	EXPECT_EQ(-EUCLEAN, pobj_lane_may_null(&self->p.m, self->g, end - 8));
	EXPECT_EQ(-EUCLEAN, pobj_lane_may_null(&self->p.m, self->g, ~0ULL - 7));
	EXPECT_EQ(-EUCLEAN, pobj_lane_may_null(&self->p.m, self->g, data + 4));
	EXPECT_EQ(-EUCLEAN, pobj_lane_may_null(&self->p.m, self->g, CORE_PAGE(self->g, 0) - 8));
	/* Either half in a log. */
	link = CORE_PAGE(self->g, 4);
	EXPECT_EQ(-ENOENT, pobj_lane_may_null(&self->p.m, self->g, link));
	EXPECT_EQ(-ENOENT, pobj_lane_may_null(&self->p.m, self->g, link - 8));
	EXPECT_EQ(-ENOENT, pobj_lane_may_null(&self->p.m, self->g, link + 256 - 8));
	for (n = 1; n <= 2; n++) {
		core_reads = 0;
		core_read_fail_once = n;
		EXPECT_EQ(-EIO, pobj_lane_may_null(&self->p.m, self->g, data));
	}
	core_read_fail_once = 0;
	core_reads = 0;
	ASSERT_EQ(0, pobj_lane_may_undo(&self->p.m, self->g, 1, link, &ground));
	total = core_reads;
	for (n = 1; n <= total; n++) {
		core_reads = 0;
		core_read_fail_once = n;
		EXPECT_EQ(-EIO, pobj_lane_may_undo(&self->p.m, self->g, 1, link, &ground));
	}
	core_read_fail_once = 0;
}

/* Operations that are refused: by count, by state, by place; and write nothing. */
TEST_F(lane, refused)
{
	struct pobj_change c = { OBJECT(2), 1 };
	u8 *before = core_alloc(65536);
	u64 end;

	prepare(self);
	end = CORE_PAGE(self->g, self->g->page_cnt);
	memcpy(before, self->p.mem, 65536);
	EXPECT_EQ(-EINVAL, pobj_lane_apply(&self->l, steps, 0));
	EXPECT_EQ(-EINVAL, pobj_lane_apply(&self->l, steps, POBJ_M_PACKED_MAX + 1));
	EXPECT_EQ(-EINVAL, pobj_lane_change(&self->l, &c, 1, steps));	/* it is allocated */
	c.target = OBJECT(9);
	c.value = 0;
	EXPECT_EQ(-EINVAL, pobj_lane_change(&self->l, &c, 1, steps));	/* it is free */
	c.target = POBJ_M_TARGET_OBJECT | pobj_ref(50, POBJ_M_REF_LARGE);
	c.value = 1;
	EXPECT_EQ(-EINVAL, pobj_lane_change(&self->l, &c, 1, steps));	/* large: by words */
	c.target = OBJECT(16);
	EXPECT_EQ(-EINVAL, pobj_lane_change(&self->l, &c, 1, steps));
	EXPECT_EQ(-EINVAL, pobj_lane_free(&self->l, pobj_ref(20, 9), 0, true));
	EXPECT_EQ(-EINVAL, pobj_lane_free(&self->l, pobj_ref(20, 16), 0, true));
	EXPECT_EQ(-EINVAL, pobj_lane_free(&self->l, pobj_ref(20, 1), end - 8, true));
	EXPECT_EQ(-EINVAL, pobj_lane_free(&self->l, pobj_ref(20, 1), CORE_PAGE(self->g, 4), true));
	EXPECT_EQ(0, memcmp(before, self->p.mem, 65536));
	/* And the same where it is right: without a destination, too. */
	EXPECT_EQ(0, pobj_lane_free(&self->l, pobj_ref(20, 1), 0, true));
	EXPECT_EQ(0xd, core_get(&self->p, pobj_geom_line(self->g, 20) + 16));
	free(before);
}

/* P4: so near its last sequence no lane is taken. */
TEST_F(lane, take_refuses_what_is_used_up)
{
	const u64 last = POBJ_M_SEQ_MAX - (1ULL << 40);
	struct pobj_lane l;

	core_nops(&self->p, 1, last);
	EXPECT_EQ(0, pobj_lane_take(&l, &self->p.m, self->g, 1, NULL));
	core_nops(&self->p, 1, last + 1);
	EXPECT_EQ(-EUCLEAN, pobj_lane_take(&l, &self->p.m, self->g, 1, NULL));
}

TEST_F(lane, take_refuses_what_is_not_recovered)
{
	const u64 word[2] = { CORE_PAGE(self->g, 0), 0 };
	struct pobj_finding f;
	struct pobj_lane l;

	core_slot(&self->p, 1, 1, POBJ_M_ENTRY_UNDO, 1, 0, word, 2);
	EXPECT_EQ(-EUCLEAN, pobj_lane_take(&l, &self->p.m, self->g, 1, &f));
	EXPECT_EQ(POBJ_DIAG_LANE_FIELD, f.diag);
	/* retired by a NOP that does not reach far enough */
	core_slot(&self->p, 1, 2, POBJ_M_ENTRY_NOP, 0, 0, NULL, 0);
	EXPECT_EQ(-EUCLEAN, pobj_lane_take(&l, &self->p.m, self->g, 1, &f));
	core_slot(&self->p, 1, 2, POBJ_M_ENTRY_NOP, 0, 1, NULL, 0);
	EXPECT_EQ(0, pobj_lane_take(&l, &self->p.m, self->g, 1, &f));
	EXPECT_EQ(2, l.seq);
	core_read_bad_off = pobj_geom_slot(self->g, 1, 7);
	EXPECT_EQ(-EIO, pobj_lane_take(&l, &self->p.m, self->g, 1, &f));
	EXPECT_EQ(POBJ_DIAG_MEDIA, f.diag);
	EXPECT_EQ(core_read_bad_off, f.off);
}

TEST_HARNESS_MAIN
