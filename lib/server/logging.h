/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * logging.h - which pages the device wrote, for clients.
 *
 * A client starts, asks and stops by the DMA_LOGGING features. A device that has these is asked itself; for one that has
 * not, the server's dma space records: so models, and hardware behind an IOMMU that can, have them too. DMA_UNMAP asks by
 * its bitmap once more, for memory that goes.
 *
 * Threads: the server's.
 */
#ifndef VFKI_SERVER_LOGGING_H
#define VFKI_SERVER_LOGGING_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>

struct vfki_session;
struct vfki_wire_unmap;

struct vfki_logging {
	uint64_t page_size; /* 0: not started */
	bool by_space;	    /* the device has no such features of its own */
};

/* As vfk_device_feature() for the device of @s. */
int vfki_logging_feature(struct vfki_session *s, struct vfio_device_feature *f);

/* Whether a DMA_UNMAP can be answered with a bitmap: 0 or -EINVAL. */
int vfki_logging_check(const struct vfki_session *s, const struct vfki_wire_unmap *unmap);

/* The pages of what was unmapped, into @bitmap of unmap->bitmap_size bytes: all, where the device cannot tell. */
void vfki_logging_report(struct vfki_session *s, const struct vfki_wire_unmap *unmap,
			 uint64_t *bitmap);

/* The client is gone. */
void vfki_logging_end(struct vfki_session *s);

#endif
