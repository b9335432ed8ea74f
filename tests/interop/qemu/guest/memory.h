/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A few pages of the guest's memory that the device can reach: through the guest's IOMMU at an
 * address of our choice, or without one at the address where they physically are. One thread.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct vfio;

struct memory {
	uint8_t *bytes;	  /* locked */
	size_t size;	  /* a whole number of pages */
	size_t mapped;	  /* of the mmap beneath: more with a huge page */
	uint64_t address; /* what the device is told; contiguous for size bytes */
};

void memory_open(struct memory *memory, struct vfio *vfio, size_t size);
void memory_close(struct memory *memory);

/* Takes the pages away from the device; they stay ours. IOMMU only. */
void memory_unmap(struct memory *memory, struct vfio *vfio);

#endif
