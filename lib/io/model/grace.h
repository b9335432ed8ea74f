/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grace.h - readers without a lock, and waiting until they have left.
 *
 * Readers announce themselves on one of two counters, then load the pointer that they want to follow. A writer
 * replaces the pointer and waits until it has seen each counter at zero once: whoever could have loaded the old pointer
 * was counted before it was replaced, so then nobody holds it. New readers count on the other one meanwhile, so that a
 * steady stream of them does not keep the writer for ever.
 *
 * All accesses are sequentially consistent: the proof needs that a reader's count comes before its load of the pointer,
 * and the writer's store of the pointer before its look at the count, in one order for all.
 *
 * Threads: readers any number; one writer at a time.
 */
#ifndef VFKI_MODEL_GRACE_H
#define VFKI_MODEL_GRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Something that readers may still hold; embedded in it. */
struct vfki_garbage {
	struct vfki_garbage *next;
	void (*free)(struct vfki_garbage *garbage);
};

struct vfki_grace {
	_Atomic uint32_t parity;   /* which counter new readers take: its lowest bit */
	_Atomic uint64_t count[2]; /* readers inside */
	struct vfki_garbage *old;  /* retired, not yet freed; the writer's */
};

static inline unsigned int vfki_grace_enter(struct vfki_grace *g)
{
	unsigned int i = atomic_load(&g->parity) & 1;

	atomic_fetch_add(&g->count[i], 1);
	return i;
}

static inline void vfki_grace_leave(struct vfki_grace *g, unsigned int i)
{
	atomic_fetch_sub(&g->count[i], 1);
}

/*
 * Sleeps a little, more with each @round (0 and up), unless @deadline has passed: then false. The first rounds do not
 * look at the clock, so that a deadline of now allows for a reader that is just about to leave.
 */
bool vfki_pause(unsigned int round, uint64_t deadline);

/* Waits until all readers that were inside have left; false when some did not by @deadline. */
bool vfki_grace_wait(struct vfki_grace *g, uint64_t deadline);

/* Frees @garbage, which no new reader can find, once nobody can hold it: now, or at a later wait that succeeds. */
void vfki_grace_retire(struct vfki_grace *g, struct vfki_garbage *garbage);

/* Frees what was retired; no reader is inside, nor comes. */
void vfki_grace_fini(struct vfki_grace *g);

#endif
