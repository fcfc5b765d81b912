// SPDX-License-Identifier: BSD-3-Clause
/* See house.h. The sidecar is trusted: processes that may write it may write the pool. */
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/registry.h"
#include "lib/session.h"
#include "lib/sidecar.h"
#include "selftests/fuzz/house.h"

#define SIDE_BYTES	(16U << 20)
#define GUARD_BYTES	(4U << 20)
#define SESSION		1U
#define DEAD		77U
#define DEAD_SLOT	5U
/* No image can know it: holds of locks in it are those of this run only by chance. */
#define RUN_ID		0x5eedf00d1234567ULL

u8 *house_image;
u64 house_fences = ~0ULL;
u64 house_shift, house_shift_off, house_shift_value;

static struct pobj_pool *pool;
static u8 *side;
static u64 gap[2][2];		/* poisoned parts of the sidecar: from, bytes */
static struct pobj_media medium;

void house_bad(const char *what)
{
	fprintf(stderr, "VERDICT: %s\n", what);
	fflush(NULL);
	abort();
}

static u8 *map_between_guards(u64 bytes)
{
	u8 *p = mmap(NULL, bytes + 2 * GUARD_BYTES, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || mprotect(p + GUARD_BYTES, bytes, PROT_READ | PROT_WRITE))
		house_bad("no memory");
	return p + GUARD_BYTES;
}

static void house_make(void)
{
	pool = (struct pobj_pool *)map_between_guards(POBJ_HANDLE_BYTES + HOUSE_BYTES);
	house_image = (u8 *)pool + POBJ_HANDLE_BYTES;
	side = map_between_guards(SIDE_BYTES);
	__asan_poison_memory_region(pool + 1, POBJ_HANDLE_BYTES - sizeof(*pool));
	strcpy(pool->path, "hostile");
	pool->fd = -1;
	pool->lock_fd = -1;
}

void house_take(u64 bytes)
{
	if (!pool)
		house_make();
	__asan_unpoison_memory_region(house_image, HOUSE_BYTES);
	if (bytes < HOUSE_BYTES)
		__asan_poison_memory_region(house_image + bytes, HOUSE_BYTES - bytes);
	medium.base = house_image;
	medium.size = bytes;
}

/* ---- the medium -------------------------------------------------------------------------- */

static void shift_medium(const struct pobj_media *m)
{
	const __le64 v = cpu_to_le64(house_shift_value);

	if (!house_shift || --house_shift || !pobj_media_holds(m, house_shift_off, sizeof(v)))
		return;
	memcpy((u8 *)m->base + house_shift_off, &v, sizeof(v));
}

static int house_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	if (!pobj_media_holds(m, off, len))
		house_bad("read beyond the medium");
	shift_medium(m);
	memcpy(dst, (const u8 *)m->base + off, len);
	return 0;
}

static void house_flush(const struct pobj_media *m, const void *p, u64 len)
{
	if (!pobj_media_holds(m, (u64)((const u8 *)p - (const u8 *)m->base), len))
		house_bad("flush beyond the medium");
}

static int house_fence(const struct pobj_media *m)
{
	(void)m;
	if (!house_fences)
		return -EIO;
	house_fences--;
	return 0;
}

struct pobj_media *house_media(bool tear)
{
	medium.lines_tear = tear;
	medium.read = house_read;
	medium.flush = house_flush;
	medium.fence = house_fence;
	return &medium;
}

/* ---- sessions ---------------------------------------------------------------------------- */

int __real_pobj_session_reap(struct pobj_pool *p);
int __wrap_pobj_session_reap(struct pobj_pool *p);

/* To look through all slots for the dead is most of what a small pool without room costs. */
int __wrap_pobj_session_reap(struct pobj_pool *p)
{
	return p == pool ? 0 : __real_pobj_session_reap(p);
}

/* ---- the pool ---------------------------------------------------------------------------- */

/* As a sidecar is that was just made; no byte of it costs what the last image left. */
static void side_make(const struct pobj_super *s)
{
	struct pobj_sidecar *sc = (struct pobj_sidecar *)side;
	const struct pobj_geom *g = &s->geom;
	struct pobj_side at;
	u32 i;

	pobj_side_layout(g, &at);
	if (at.bytes + 4096 > SIDE_BYTES)
		house_bad("a small pool wants a large sidecar");
	for (i = 0; i < 2; i++)
		__asan_unpoison_memory_region(side + gap[i][0], gap[i][1]);
	memset(side + at.lanes, 0, g->lane_cnt * sizeof(struct pobj_side_lane));
	memset(side + at.groups, 0, at.bytes - at.groups);
	((u64 *)(side + at.sessions))[SESSION - 1] = SESSION;
	((u64 *)(side + at.sessions))[DEAD_SLOT] = 0;
	gap[0][0] = at.groups + pobj_side_group_cnt(g) * sizeof(struct pobj_side_group);
	gap[0][1] = at.pages - gap[0][0];
	gap[1][0] = at.bytes;
	gap[1][1] = 4096;
	for (i = 0; i < 2; i++)
		__asan_poison_memory_region(side + gap[i][0], gap[i][1]);
	if (!sc->magic && pobj_sidecar_join(sc, s, pool->path))
		house_bad(pmemobj_errormsg());
	memcpy(sc->uuid, s->uuid, sizeof(sc->uuid));
	sc->run_id = RUN_ID;
	sc->lanes_used = 0;
	sc->lock_session = 0;
}

PMEMobjpool *house_open(bool tear)
{
	struct pobj_finding f;
	int err;

	pool->media = *house_media(tear);
	err = pobj_super_load(&pool->media, &pool->super, &f);
	if (err) {
		errno = -err;
		return NULL;
	}
	pool->uuid_lo = pobj_super_uuid_lo(&pool->super);
	side_make(&pool->super);
	pool->sidecar = (struct pobj_sidecar *)side;
	pool->session = SESSION;
	pool->slot = SESSION - 1;
	pool->broken = false;
	pobj_registry_lock();
	err = pobj_heap_attach(pool);
	if (!err)
		err = pobj_registry_add(pool);
	pobj_registry_unlock();
	if (err)
		house_bad("a pool with a superblock cannot be attached");
	return pobj_pool_pop(pool);
}

int house_reap(PMEMobjpool *pop)
{
	struct pobj_heap *h = pool->heap;
	int err;
	u32 i;

	(void)pop;
	h->sessions[DEAD_SLOT] = DEAD;
	for (i = 1; i < h->g->lane_cnt; i++)
		h->lanes[i].session = DEAD;
	*h->lanes_used = h->g->lane_cnt;
	err = pobj_reap_session(pool, DEAD);
	for (i = 1; i < h->g->lane_cnt; i++)
		h->lanes[i].session = 0;
	h->sessions[DEAD_SLOT] = 0;
	return err;
}

void house_close(PMEMobjpool *pop)
{
	(void)pop;
	pobj_registry_lock();
	pobj_registry_remove(pool);
	pobj_heap_detach(pool);
	pobj_registry_unlock();
}
