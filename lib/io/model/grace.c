/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grace.c - waiting until lock-free readers have left; see grace.h.
 *
 * Threads: one writer at a time. Readers never wait for it.
 */
#include "grace.h"
#include "lib/base/clock.h"
#include "lib/base/range.h"
#include <sched.h>
#include <stddef.h>
#include <time.h>

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

bool vfki_grace_wait(struct vfki_grace *g, uint64_t deadline)
{
	struct vfki_garbage *dead, *next;

	for (int pass = 0; pass < 2; pass++) {
		unsigned int i = atomic_fetch_add(&g->parity, 1) & 1;

		for (unsigned int round = 0; atomic_load(&g->count[i]); round++) {
			if (!vfki_pause(round, deadline))
				return false;
		}
	}
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
}
