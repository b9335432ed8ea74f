/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h - the parts of a device's regions that are mapped into this process.
 *
 * Threads: any; the lock is a leaf, but for who restores a lost device.
 */
#ifndef VFKI_DEVICE_MAP_H
#define VFKI_DEVICE_MAP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <vfiokit/guard.h>

struct vfk_device;
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

/*
 * A lost device's, in two steps, with the lock: renew maps all of them once more, elsewhere, or none (-errno with a text);
 * settle moves those to the old addresses, after which nothing is held against a file that shrank before. When there is
 * no settle, drop_renewed takes them back.
 */
int vfki_maps_renew_locked(struct vfk_device *dev);
int vfki_maps_settle_locked(struct vfki_maps *maps, struct vfk_guard *guard);
void vfki_maps_drop_renewed_locked(struct vfki_maps *maps, struct vfk_guard *guard);

#endif
