/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grace.h - readers without a lock, and waiting until they have left.
 *
 * Readers announce themselves on one of two counters, then load the pointer that they want to follow. A writer
 * replaces the pointer and waits until it has seen each counter at zero once: whoever could have loaded the old pointer
 * was counted before it was replaced, so then nobody holds it. New readers count on the other one meanwhile, so that a
 * steady stream of them does not keep the writer for ever.
 *
 * A reader that goes on to hold one thing that it found announces itself in a slot instead, and then writes there what
 * it holds: one atomic exchange for both, and nothing is written to the thing, whose cache line may be far away. The
 * writer waits until no slot has a reader from before the pointer was replaced, and can then see who holds a thing. What
 * a slot says of a reader has the count of waits in it: a slot that is taken again is not waited for again.
 *
 * The accesses up to the load of the pointer, and the writer's, are sequentially consistent: the proof needs that a
 * reader's announcement comes before its load of the pointer, and the writer's store of the pointer before its look at
 * the announcements, in one order for all. A reader that leaves a slot only releases: what it read and wrote comes before
 * for a writer that sees it gone. The next one in the slot acquires, and so passes that on to a writer which sees
 * only what the next one left.
 *
 * Threads: readers any number; one writer at a time.
 */
#ifndef VFKI_MODEL_GRACE_H
#define VFKI_MODEL_GRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something that readers may still hold; embedded in it. */
struct vfki_garbage {
	struct vfki_garbage *next;
	void (*free)(struct vfki_garbage *garbage);
};

#define VFKI_GRACE_NEAR	 8 /* slots that one reader tries: a cache line */
#define VFKI_GRACE_SLOTS (16 * VFKI_GRACE_NEAR)

/* 0: free; odd: a reader is inside, who entered when there had been so many waits; else what somebody holds. */
typedef _Atomic uint64_t vfki_grace_slot_t;

struct vfki_grace {
	_Atomic uint32_t waits;	   /* its lowest bit: which counter new readers take */
	_Atomic uint64_t count[2]; /* readers inside */
	vfki_grace_slot_t *slots;  /* VFKI_GRACE_SLOTS */
	struct vfki_garbage *old;  /* retired, not yet freed; the writer's */
};

/* Of one that is zero: returns 0 or -ENOMEM without a text. */
int vfki_grace_init(struct vfki_grace *g);

static inline unsigned int vfki_grace_enter(struct vfki_grace *g)
{
	unsigned int i = atomic_load(&g->waits) & 1;

	atomic_fetch_add(&g->count[i], 1);
	return i;
}

static inline void vfki_grace_leave(struct vfki_grace *g, unsigned int i)
{
	atomic_fetch_sub(&g->count[i], 1);
}

static inline uint64_t vfki_grace_inside(uint32_t waits)
{
	return (uint64_t)waits << 1 | 1;
}

/*
 * Enters by a slot; NULL: none is free near by, count instead. @reader is an address of the reader's own, on its stack or
 * in what it works on: readers of different threads come to different cache lines by it, mostly.
 */
static inline vfki_grace_slot_t *vfki_grace_enter_slot(struct vfki_grace *g, const void *reader)
{
	/* Fibonacci hashing: stacks differ in the middle bits only, and a line is all that is asked for */
	uint64_t hash = ((uint64_t)(uintptr_t)reader >> 4) * 0x9e3779b97f4a7c15ull >> 32;
	vfki_grace_slot_t *slot =
		&g->slots[hash % (VFKI_GRACE_SLOTS / VFKI_GRACE_NEAR) * VFKI_GRACE_NEAR];

	for (unsigned int i = 0; i < VFKI_GRACE_NEAR; i++, slot++) {
		uint64_t is_free = 0;

		if (atomic_load_explicit(slot, memory_order_relaxed))
			continue;
		/* The count of waits before the slot, since an old one only makes a writer wait. */
		if (atomic_compare_exchange_strong(slot, &is_free,
						   vfki_grace_inside(atomic_load(&g->waits))))
			return slot;
	}
	return NULL;
}

/* Leaves, and holds @thing, which is at an even address, until vfki_grace_drop(). */
static inline void vfki_grace_hold(vfki_grace_slot_t *slot, const void *thing)
{
	atomic_store_explicit(slot, (uintptr_t)thing, memory_order_release);
}

/* Leaves and holds nothing, or gives back what is held. */
static inline void vfki_grace_drop(vfki_grace_slot_t *slot)
{
	atomic_store_explicit(slot, 0, memory_order_release);
}

/* What is held in the slot; for its holder. */
static inline void *vfki_grace_held(vfki_grace_slot_t *slot)
{
	return (void *)(uintptr_t)atomic_load_explicit(slot, memory_order_relaxed);
}

/* For the writer, of something that no new reader can find, after a wait that succeeded: whether it is still held. */
bool vfki_grace_holds(struct vfki_grace *g, const void *thing);

/*
 * Sleeps a little, more with each @round (0 and up), unless @deadline has passed: then false. The first rounds do not
 * look at the clock, so that a deadline of now allows for a reader that is just about to leave.
 */
bool vfki_pause(unsigned int round, uint64_t deadline);

/* Waits until all readers that were inside have left; false when some did not by @deadline. */
bool vfki_grace_wait(struct vfki_grace *g, uint64_t deadline);

/* Frees @garbage, which no new reader can find, once nobody can hold it: now, or at a later wait that succeeds. */
void vfki_grace_retire(struct vfki_grace *g, struct vfki_garbage *garbage);

/* Frees what was retired, and the slots; no reader is inside, nor comes. Again, or without init, is allowed. */
void vfki_grace_fini(struct vfki_grace *g);

#endif
