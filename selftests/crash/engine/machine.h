/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * The machine that loses power: memory as a program sees it, and of each line the contents that the
 * medium may hold instead, as stores, flushes and fences leave them (power.h tells the model).
 */
#ifndef POBJ_CRASH_MACHINE_H
#define POBJ_CRASH_MACHINE_H

#include "selftests/crash/engine/digest.h"
#include "selftests/crash/engine/power.h"

#define LINE		POBJ_M_LINE
#define CONTENTS_MAX	400	/* contents of one line between two fences */

/*
 * A line with more than one possible content on the medium. content[0] is what is durable for
 * certain; memory holds the last of the ordered ones.
 */
struct dirty {
	u32 line;
	u32 cnt;
	u32 flushed[POWER_THREADS];	/* contents up to here its fence makes certain */
	struct power_digest digest;	/* of all contents; when power is lost */
	u8 content[CONTENTS_MAX][LINE];
};

/* A machine: memory as the program sees it, and what the medium may hold instead. */
struct machine {
	u8 *mem;		/* program's view */
	u64 size;
	struct dirty **dirty;	/* by line, NULL where medium equals memory */
	u32 *list;		/* lines with a dirty record */
	u32 list_cnt;
	bool *changed;		/* by line: memory is not as it was copied */
	u32 *change;		/* these lines */
	u32 change_cnt;
	struct power_digest *line;	/* digests of memory by line, but for what changed since */
	struct power_digest sum;	/* of them */
};

/* End the program: what is tried does not fit. */
void __attribute__((noreturn)) power_die(const char *why);

/* Zeroed, or the program ends. */
void *power_alloc(size_t bytes);

/* @k is empty: memory of @size bytes, and POWER_FRONT before it. */
void machine_make(struct machine *k, u64 size);
void machine_free(struct machine *k);

/* Nothing is uncertain any more. */
void machine_clean(struct machine *k);

/* Bring the digests up to date; and make them all. */
void machine_digest(struct machine *k);
void machine_digest_all(struct machine *k);

/* Of memory, and of what the medium may hold instead; of what is flushed, too, if @flushed. */
struct power_digest machine_sum(struct machine *k, bool flushed);

/* The line's memory is about to change. */
void machine_change(struct machine *k, u32 line);

/* Add the record @d of another machine; only the contents in use. */
void machine_add(struct machine *to, const struct dirty *d);

/* The same memory, of which the digests must be up to date; and with what is uncertain in it. */
void machine_copy_memory(struct machine *to, const struct machine *from);
void machine_copy(struct machine *to, const struct machine *from);

/* Store an aligned word; and bytes in no particular order, within one line. */
void machine_store_word(struct machine *k, u64 off, const void *src);
void machine_store_bulk_line(struct machine *k, u64 off, const u8 *src, u64 len);

/* By @thread: a fence makes certain what its own thread has flushed. */
void machine_flush(struct machine *k, u64 off, u64 len, u32 thread);
void machine_fence(struct machine *k, u32 thread);

#endif
