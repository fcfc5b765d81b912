/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/* The superblock: see super.c. */
#ifndef POBJ_CORE_SUPER_H
#define POBJ_CORE_SUPER_H

#include "lib/core/diag.h"
#include "lib/core/geom.h"
#include "lib/core/media.h"

/**
 * struct pobj_super - a superblock that was read, verified and decoded
 * @geom: where everything is; all offsets are in bounds of the medium and do not overlap
 * @bad_copies: bit i is set if copy i is missing or differs from the one that was taken
 * @raw: the copy that was taken; its layout is NUL-terminated
 *
 * Too large for a kernel stack.
 */
struct pobj_super {
	struct pobj_geom geom;
	u64 seq;
	u64 ctime;
	u64 feat_ro_compat;
	u8 uuid[16];
	u32 uid;
	u32 gid;
	u32 mode;
	u32 bad_copies;
	struct pobj_m_super raw;
};

/**
 * struct pobj_format_args - what a new pool shall be
 * @geom: from pobj_geom_make()
 * @zeroed: the medium is known to hold zeros only (a new file): do not touch every metadata line
 * @raw: room for pobj_super_format(), kept off the kernel stack
 */
struct pobj_format_args {
	struct pobj_geom geom;
	u64 ctime;
	u8 uuid[16];
	u32 uid;
	u32 gid;
	u32 mode;
	const char *layout;
	bool zeroed;
	struct pobj_m_super raw;
};

/*
 * Read and verify. 0; -EMEDIUMTYPE not a pool; -EUCLEAN damaged; -EIO both copies unreadable.
 * @f (may be NULL) says what and where. Writes nothing.
 */
int pobj_super_load(const struct pobj_media *m, struct pobj_super *s, struct pobj_finding *f);

/*
 * Rewrite the copy named in @s->bad_copies from the good one; where its place cannot be read it
 * stays as it is, and stays named. Returns 0 or what fence says.
 */
int pobj_super_repair(const struct pobj_media *m, struct pobj_super *s);

/*
 * Make an empty pool. A crash at any point leaves the medium without a valid superblock or with
 * the complete new pool, never with the old pool's superblock over new contents. 0; -EINVAL;
 * what fence says.
 */
int pobj_super_format(const struct pobj_media *m, struct pobj_format_args *a);

/* Does any copy carry the magic number, whole or not? What a format must not overwrite unasked. */
bool pobj_super_present(const struct pobj_media *m);

/* May this version write to the pool? 0; -EUCLEAN with @f filled: features it does not know. */
int pobj_super_writable(const struct pobj_super *s, struct pobj_finding *f);

static inline const char *pobj_super_layout(const struct pobj_super *s)
{
	return (const char *)s->raw.layout;
}

static inline u64 pobj_super_uuid_lo(const struct pobj_super *s)
{
	__le64 lo;

	memcpy(&lo, s->uuid, sizeof(lo));
	return le64_to_cpu(lo);
}

#endif
