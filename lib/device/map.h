/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h - the parts of a device's regions that are mapped into this process.
 *
 * Threads: any; the lock is a leaf.
 */
#ifndef VFKI_DEVICE_MAP_H
#define VFKI_DEVICE_MAP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <vfiokit/guard.h>

struct vfki_map;

struct vfki_maps {
	pthread_mutex_t lock;	/* first and the list behind it */
	struct vfki_map *first; /* a list; programs have a handful of them */
	atomic_ullong seen;	/* hits of the guard when the list was last looked through */
	atomic_bool broken; /* one of them was hit: the file's owner is not to be trusted any more */
};

void vfki_maps_init(struct vfki_maps *maps);

/* Unmaps what is left. */
void vfki_maps_fini(struct vfki_maps *maps, struct vfk_guard *guard);

/* -EPROTO with a text about @name once a mapping was hit; 0. */
int vfki_maps_check(struct vfki_maps *maps, const struct vfk_guard *guard, const char *name);

#endif
