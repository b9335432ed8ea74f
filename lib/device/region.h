/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region.h - what the device knows of one of its regions.
 *
 * Threads: any; constant once vfki_region_find() has returned it.
 */
#ifndef VFKI_DEVICE_REGION_H
#define VFKI_DEVICE_REGION_H

#include <stdint.h>
#include <vfiokit/device.h>

struct vfki_region {
	struct vfk_region_info pub;    /* first */
	struct vfio_region_info *info; /* with its chain, of argsz bytes; owned */
	uint32_t cap_areas; /* areas in the capability, empty ones included; 1 when there is none */
	uint32_t *cap_index;		/* for each of pub.areas, which of those it is */
	struct vfk_region_area areas[]; /* pub.areas */
};

/* The first call for an index asks the device. Returns 0; as vfk_region_get_info(). */
int vfki_region_find(struct vfk_device *dev, uint32_t index, const struct vfki_region **region);

#endif
