/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a pool lies on. The order in which pool.c calls:
 *
 *	open	 find the place, take what keeps others from recovering it meanwhile; then
 *		 p->media.size is set
 *	format	 (create only) make an empty pool there
 *	map	 make the pool consistent if nobody has it open, and map it at p->media.base
 *	sidecar	 map the sidecar at p->sidecar; p->super was loaded
 *	ready	 let the others in
 *	close	 undo all of it, from any point on; unmaps nothing of the pool itself
 *
 * Each returns 0 or -errno with the message set.
 */
#ifndef POBJ_LIB_BACKEND_H
#define POBJ_LIB_BACKEND_H

#include "lib/pool.h"

/* What pmemobj_create asks for. */
struct pobj_wish {
	const char *layout;
	u64 size;		/* 0: take the place as it is */
	mode_t mode;
};

struct pobj_backend {
	const char *name;
	int (*open)(struct pobj_pool *p, const struct pobj_wish *create);
	int (*format)(struct pobj_pool *p, const struct pobj_wish *create);
	int (*map)(struct pobj_pool *p);
	int (*sidecar)(struct pobj_pool *p);
	int (*ready)(struct pobj_pool *p);
	void (*close)(struct pobj_pool *p);
	/* A create failed after open: remove what open made. */
	void (*discard)(struct pobj_pool *p);
};

extern const struct pobj_backend pobj_backend_file;
extern const struct pobj_backend pobj_backend_region;

/* "pobj:NAME" or a file? */
const struct pobj_backend *pobj_backend_for(const char *path);

/* Name behind "pobj:", or NULL if @path is a file's. */
const char *pobj_region_name(const char *path);

/* A new random UUID whose first 8 bytes are not 0. */
int pobj_uuid_make(u8 uuid[16]);

/* Text form of @uuid. */
void pobj_uuid_text(const u8 uuid[16], char text[37]);

/* Read a text form; false if @text is not one. */
bool pobj_uuid_parse(const char *text, u8 uuid[16]);

/* Bytes to reserve of the address space for a mapping of @bytes at a multiple of 2 MiB. */
#define POBJ_MAP_ALIGN	(2UL << 20)

#endif
