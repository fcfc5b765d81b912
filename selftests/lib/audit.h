/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Holds what processes share of an open pool (lib/core/side.h) against the medium, and counts what
 * the pool holds. For pools that are quiet: no operation is in flight, and the dead are reaped.
 */
#ifndef SELFTESTS_AUDIT_H
#define SELFTESTS_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "libpmemobj.h"

#define AUDIT_TEXT	256

/**
 * struct audit - what an audit found
 * @violations: how many
 * @text: the first one
 * @used: pages marked used in groups whose map is built
 * @slabs, @larges, @logs: spans, by what they hold; the root is a large one
 * @objects: objects of the user, allocated
 * @sessions: slots with a session
 * @lanes: lanes of sessions
 * @owned: owned spans
 */
struct audit {
	unsigned int violations;
	char text[AUDIT_TEXT];
	uint64_t used;
	uint64_t slabs;
	uint64_t larges;
	uint64_t logs;
	uint64_t objects;
	uint64_t sessions;
	uint64_t lanes;
	uint64_t owned;
};

/*
 * Audit the pool, which must be open here. Returns the number of violations of:
 * Q1. (V1) In a group whose map is built a page is marked used if one span covers it: a line's; one
 *     that is owned and has no line; or a large one in the ring of a lane. Never two. Else it is
 *     marked free, or its group in doubt. A group whose map is not built has no owned span.
 * Q2. (V2) The owned bit of a page is set if its owner word is; that is a lane of a session, and at
 *     the page a slab, or a span without a line, begins. A lane of this process knows each slab
 *     that it owns, and how many of the others.
 * Q3. (V9) No lane has an intent or holds; one without a session has no ring, owns nothing, and in
 *     its log no entry is live but NOPs.
 * Q4. (V5) A session that has a lane has a slot; the process of a slot with a session lives.
 *     Objects are reserved only in slabs that are owned, and are not allocated.
 * Q5. (V7) An unowned slab with room is hinted at in its group's @room, and each object's type in
 *     @types.
 * Q6. The check of the medium (lib/core/check.h) finds nothing.
 */
unsigned int audit_pool(PMEMobjpool *pop, struct audit *a);

/**
 * struct audit_shape - how far the others got: what they left in what they share, counted
 *
 * Of all sessions but this process' own. May be taken while nothing is in order.
 */
struct audit_shape {
	uint64_t sessions;
	uint64_t lanes;
	uint64_t intents;
	uint64_t ring;
	uint64_t ring_pages;
	uint64_t holds;
	uint64_t live[8];	/* log entries, by their kind; but NOPs */
	uint64_t unreadable;	/* logs */
	uint64_t owned;		/* bits; the owners' words, too */
	uint64_t owners;
	uint64_t doubts;
	uint64_t used;		/* pages in groups whose map is built */
	uint64_t reserved;	/* objects */
	uint64_t slabs;
	uint64_t larges;
	uint64_t logs;
	uint64_t objects;
};

void audit_shape(PMEMobjpool *pop, struct audit_shape *shape);

/* An object, as the lines tell. */
struct audit_object {
	uint64_t off;
	uint64_t type;
	uint64_t size;
};

/*
 * All objects of the user by rising offset, up to @room of them into @o. Returns how many there
 * are.
 */
uint64_t audit_objects(PMEMobjpool *pop, struct audit_object *o, uint64_t room);

/* Pages of the longest run that is in no span. */
uint64_t audit_largest_free(PMEMobjpool *pop);

/*
 * Is everything that is free to be had, and only once? Allocate objects of @size until ENOMEM, see
 * that no two overlap and that the lines tell the same, free them. Returns how many there were, or
 * -1 with what is wrong in @text. With the same on a new pool: nothing was lost.
 */
int64_t audit_fill(PMEMobjpool *pop, size_t size, uint64_t type, char text[AUDIT_TEXT]);

#endif
