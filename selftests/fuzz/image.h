/* SPDX-License-Identifier: BSD-3-Clause */
/* Images to begin with, and checksums of changed ones: see image.c. */
#ifndef FUZZ_IMAGE_H
#define FUZZ_IMAGE_H

#include "selftests/fuzz/house.h"

#define IMAGE_PAGE_SHIFT	8
#define IMAGE_LANES		3
#define IMAGE_EXT		1

/* Build image number @nr in the house. NULL: there are no more; else what it is. */
const char *image_make(u32 nr);

/*
 * Is it one of those whose every byte is worth changing? Number 1, all that is, and of the cuts
 * those behind the first fence: there each operation has its entries live.
 */
bool image_is_base(u32 nr);

static inline u64 image_word(const u8 *image, u64 off)
{
	__le64 v;

	memcpy(&v, image + off, sizeof(v));
	return le64_to_cpu(v);
}

static inline void image_set(u8 *image, u64 off, u64 value)
{
	const __le64 v = cpu_to_le64(value);

	memcpy(image + off, &v, sizeof(v));
}

/* Make the checksum of the superblock copy at @off right, or that of the log line at @off. */
void image_seal_super(u8 *image, u64 off);
void image_seal_line(u8 *image, u64 off);

/*
 * Geometry that @image, of @bytes, has, if it can have one: false if no superblock is good; then
 * it is that of the images made here.
 */
bool image_geom(const u8 *image, u64 bytes, struct pobj_geom *g);

#endif
