/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma.h - what the server needs of a dma space beside the public functions.
 *
 * Threads: as <vfiokit/dma.h>.
 */
#ifndef VFKI_DEVICE_DMA_H
#define VFKI_DEVICE_DMA_H

#include <stdint.h>
#include <vfiokit/dma.h>

/*
 * vfk_dma_unmap_range() with a bound of its own in place of the space's; 0 tries once. On -EBUSY *unmapped (may be NULL)
 * counts what went, the rest is intact, and the same call may be made again later.
 */
int vfki_dma_unmap_range_try(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
			     uint32_t timeout_ms, uint64_t *unmapped);

#endif
