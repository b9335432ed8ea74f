/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grace.c - waiting until lock-free readers have left; see grace.h.
 *
 * Threads: one writer at a time. Readers never wait for it.
 */
#include "grace.h"
#include "lib/base/clock.h"
#include "lib/base/range.h"
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

/* Where slots begin: on a cache line, so that readers of two lines do not meet. */
#define LINE (VFKI_GRACE_NEAR * sizeof(vfki_grace_slot_t))

/* Rounds that give up the processor instead of sleeping: a reader that copies a page is gone by then. */
#define YIELDS 64

bool vfki_pause(unsigned int round, uint64_t deadline)
{
	struct timespec ts = { 0, 0 };

	if (round < YIELDS) {
		sched_yield();
		return true;
	}
	if (vfki_now_ns() >= deadline)
		return false;
	/* Up to a millisecond: an unmap is no hot path, and its caller may share the processor with the reader. */
	ts.tv_nsec = (long)vfki_min_u64(20000ull * (round - YIELDS + 1), VFKI_NS_PER_MS);
	nanosleep(&ts, NULL);
	return true;
}

int vfki_grace_init(struct vfki_grace *g)
{
	g->slots = aligned_alloc(LINE, VFKI_GRACE_SLOTS * sizeof(g->slots[0]));
	if (!g->slots)
		return -ENOMEM;
	for (unsigned int i = 0; i < VFKI_GRACE_SLOTS; i++)
		atomic_init(&g->slots[i], 0);
	return 0;
}

static bool wait_count(struct vfki_grace *g, uint64_t deadline)
{
	unsigned int i = atomic_fetch_add(&g->waits, 1) & 1;

	for (unsigned int round = 0; atomic_load(&g->count[i]); round++) {
		if (!vfki_pause(round, deadline))
			return false;
	}
	return true;
}

/* Whether a reader is in the slot that entered before @now. */
static bool has_old_reader(vfki_grace_slot_t *slot, uint64_t now)
{
	uint64_t value = atomic_load(slot);

	return value & 1 && value != now;
}

/* Who enters from here on by the newest count of waits finds the newest pointer. */
static bool wait_slots(struct vfki_grace *g, uint64_t deadline)
{
	uint64_t now = vfki_grace_inside(atomic_load(&g->waits));

	for (unsigned int i = 0; i < VFKI_GRACE_SLOTS; i++) {
		for (unsigned int round = 0; has_old_reader(&g->slots[i], now); round++) {
			if (!vfki_pause(round, deadline))
				return false;
		}
	}
	return true;
}

bool vfki_grace_holds(struct vfki_grace *g, const void *thing)
{
	for (unsigned int i = 0; i < VFKI_GRACE_SLOTS; i++) {
		if (atomic_load(&g->slots[i]) == (uintptr_t)thing)
			return true;
	}
	return false;
}

bool vfki_grace_wait(struct vfki_grace *g, uint64_t deadline)
{
	struct vfki_garbage *dead, *next;

	if (!wait_count(g, deadline) || !wait_count(g, deadline) || !wait_slots(g, deadline))
		return false;
	for (dead = g->old, g->old = NULL; dead; dead = next) {
		next = dead->next;
		dead->free(dead);
	}
	return true;
}

void vfki_grace_retire(struct vfki_grace *g, struct vfki_garbage *garbage)
{
	garbage->next = g->old;
	g->old = garbage;
	vfki_grace_wait(g, 0);
}

void vfki_grace_fini(struct vfki_grace *g)
{
	struct vfki_garbage *next;

	for (; g->old; g->old = next) {
		next = g->old->next;
		g->old->free(g->old);
	}
	free(g->slots);
	g->slots = NULL;
}
