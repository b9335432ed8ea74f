/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.h - the inside of a device, and what the server needs of it beside the public functions.
 *
 * Each noun of a device has its own file here: region, map, irq, feature, and the dma space, which stands on its own.
 * All of them reach the io through the door in @io.
 *
 * Threads: those of the functions in <vfiokit/device.h>. What is not constant says what guards it.
 */
#ifndef VFKI_DEVICE_DEVICE_H
#define VFKI_DEVICE_DEVICE_H

#include "lib/io/checked.h"
#include "loss.h"
#include "map.h"
#include "space.h"
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/device.h>

/* An answer whose size an io tells differently each time is asked for this often. */
#define VFKI_MAX_ROUNDS 3

struct vfki_region;

struct vfk_device {
	struct vfki_checked io;	 /* first, for the sake of register accesses */
	uint32_t free_regions;	 /* constant; below it, an access needs no look at the guard */
	struct vfk_guard *guard; /* constant; NULL: none */
	struct vfk_io
		*own; /* constant; the program's io at the end of the chain, NULL: the library's */
	struct vfio_device_info *info; /* constant; with its chain, of argsz bytes */
	struct vfki_region *_Atomic
		*regions;      /* num_regions; each NULL until asked for, then constant */
	atomic_bool *armed;    /* num_irqs; whether eventfds were given for the index */
	struct vfki_maps maps; /* has its own lock */
	struct vfki_sink sink; /* what the device is for a dma space */
	struct vfk_dma_space
		*space; /* attached to, or NULL; changed by attach and detach, which run alone */
	struct vfki_loss loss;
};

/* The device info with its chain; argsz is its size. Borrowed, as long as the device. */
const struct vfio_device_info *vfki_device_info(const struct vfk_device *dev);

/*
 * What region @index is, as the device answers it now, with its whole chain (@info, for the caller to free()) and, if
 * @fds is given, new files that it is mapped through, for the caller to close. With VFK_REGION_FD_PER_AREA their number
 * is that of the capability's areas. Returns 0; -EINVAL; -EPROTO; the op's.
 */
int vfki_device_region_info(struct vfk_device *dev, uint32_t index, struct vfio_region_info **info,
			    struct vfk_region_fds *fds);

/* What is behind all filters. */
struct vfk_io *vfki_device_backend(const struct vfk_device *dev);

/* VFK_IO_* of the backend, whatever filters stand before it. */
uint32_t vfki_device_io_flags(const struct vfk_device *dev);

/* Whether the device is in a dma space. */
static inline bool vfki_device_in_space(const struct vfk_device *dev)
{
	return dev->space;
}

/* -EPROTO with a text once a file of the device's shrank under one of our mappings, -ECONNRESET if it can come back; 0. */
int vfki_device_check_maps(struct vfk_device *dev);
static inline int vfki_device_check(struct vfk_device *dev)
{
	return __builtin_expect(!dev->guard, 1) ? 0 : vfki_device_check_maps(dev);
}

/* region.c */
void vfki_regions_free(struct vfk_device *dev);

/* irq.c: disarms what was armed through this device. */
void vfki_irqs_disable_all(struct vfk_device *dev);

#endif
