/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * Digests of images, 128 bits. That of an image is the sum of those of its lines, so it follows a
 * change of few lines at the cost of these. Two images of the 10^8 of a long run have the same one
 * by chance with a probability of 10^-22.
 */
#ifndef POBJ_CRASH_DIGEST_H
#define POBJ_CRASH_DIGEST_H

#include "lib/core/env.h"

struct power_digest {
	u64 a;
	u64 b;
};

static inline u64 digest_mix(u64 x, u64 y)
{
	const unsigned __int128 p = (unsigned __int128)x * y;

	return (u64)p ^ (u64)(p >> 64);
}

/* Of @cnt words in the order of @p; @salt: what and where they are. */
static inline struct power_digest digest_words(u64 salt, const void *p, u64 cnt)
{
	struct power_digest d = { salt ^ 0x9e3779b97f4a7c15ULL, salt ^ 0xc2b2ae3d27d4eb4fULL };
	u64 i, w[2];

	for (i = 0; i < cnt; i += 2) {
		w[1] = 0;
		memcpy(w, (const u8 *)p + i * 8, (cnt - i < 2 ? cnt - i : 2) * 8);
		d.a = digest_mix(d.a ^ w[0], 0xa0761d6478bd642fULL ^ w[1]);
		d.b = digest_mix(d.b ^ w[1], 0xe7037ed1a0b428dbULL ^ w[0]);
	}
	d.a = digest_mix(d.a ^ salt, 0x8ebc6af09c88c6e3ULL);
	d.b = digest_mix(d.b ^ cnt, 0x589965cc75374cc3ULL);
	return d;
}

static inline void digest_add(struct power_digest *sum, struct power_digest d)
{
	sum->a += d.a;
	sum->b += d.b;
}

static inline void digest_sub(struct power_digest *sum, struct power_digest d)
{
	sum->a -= d.a;
	sum->b -= d.b;
}

#endif
