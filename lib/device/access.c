/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access.c - reading and writing a dma space by IOVA, in a device's place.
 *
 * Any thread, under the space's lock, which a mapping's callbacks run under too.
 */
#include "lib/base/error.h"
#include "space.h"

int vfk_dma_access(struct vfk_dma_space *space, uint64_t iova, void *buf, size_t len, uint32_t prot)
{
	int ret;

	if (prot != VFK_DMA_READ && prot != VFK_DMA_WRITE)
		return vfki_err(-EINVAL, "dma access: prot 0x%x is neither read nor write", prot);
	pthread_mutex_lock(&space->lock);
	ret = vfki_mappings_access(&space->maps, iova, buf, len, prot);
	pthread_mutex_unlock(&space->lock);
	return ret;
}
