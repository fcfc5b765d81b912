// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/* A tiny pool in memory: every border of the engine within 24 KiB. */
#include "selftests/crash/cases/cases.h"

struct pobj_super tiny_super;
u8 tiny_bytes[TINY_BYTES] __attribute__((aligned(4096)));
struct pobj_media tiny;

static int plain_read(const struct pobj_media *m, void *dst, u64 off, u64 len)
{
	memcpy(dst, (const u8 *)m->base + off, len);
	return 0;
}

void tiny_format_args(struct pobj_format_args *a, u8 id)
{
	memset(a, 0, sizeof(*a));
	pobj_geom_make(&a->geom, TINY_BYTES, TINY_PAGE_SHIFT, TINY_LANES, TINY_EXT);
	memset(a->uuid, id, sizeof(a->uuid));
	a->mode = 0600;
	a->layout = "tiny";
}

void tiny_make(void)
{
	struct pobj_format_args a;

	memset(tiny_bytes, 0, sizeof(tiny_bytes));
	tiny = (struct pobj_media){ .base = tiny_bytes, .size = TINY_BYTES, .read = plain_read };
	tiny_format_args(&a, 1);
	if (pobj_super_format(&tiny, &a) || pobj_super_load(&tiny, &tiny_super, NULL))
		abort();
}

int tiny_recover(const struct pobj_media *m)
{
	struct pobj_super s;		/* not static: recoveries nest */
	struct pobj_recovery r;

	return pobj_recover_pool(m, &s, &r, NULL);
}

bool tiny_check(const struct pobj_media *m)
{
	struct pobj_census c;

	return !pobj_check_pool(m, &tiny_super, &c, NULL, NULL) && !c.problems;
}
