/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions: who has a pool open, and who died with it open. See session.c. */
#ifndef POBJ_LIB_SESSION_H
#define POBJ_LIB_SESSION_H

#include "lib/pool.h"

/*
 * Begin this process' session of @p: take the record lock of a free slot and give p->session a
 * number that is unique as long as the sidecar lives. If the slot's last session died unreaped, its
 * lanes are reaped first. 0; -EUSERS: no slot is free; other -errno. The message is set. For the
 * thread that opens the pool; its sidecar is joined. A kill at any point leaves nothing, or a dead
 * session.
 */
int pobj_session_begin(struct pobj_pool *p);

/* End it, if it was begun. Its lanes were given back before. */
void pobj_session_end(struct pobj_pool *p);

/*
 * Reap all dead sessions of @p: for each, whose slot's lock can be had, call pobj_reap_session()
 * and free the slot. One reaper at a time for each session, among all processes (the slot's lock)
 * and threads; who comes second does not wait. Returns how many were reaped, or -errno, of the last
 * one that could not be; it stays dead, the others are reaped. Any thread, any number of times; a
 * reaper that is killed is followed by the next.
 */
int pobj_session_reap(struct pobj_pool *p);

/*
 * Does @session live, as far as is known without waiting? A dead one counts as living until it is
 * reaped: so "no" means that what it had may be taken, and who waits for it calls
 * pobj_session_reap() before it asks again. No system call.
 */
bool pobj_session_lives(struct pobj_pool *p, u64 session);

/* lib/reap.c: give back all that the dead @session had. 0 or -errno; may be repeated. */
int pobj_reap_session(struct pobj_pool *p, u64 session);

#endif
