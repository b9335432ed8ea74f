/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma_map.h - DMA_MAP and DMA_UNMAP.
 *
 * Specification: "VFIO_USER_DMA_MAP", "VFIO_USER_DMA_UNMAP"; the access modes are in its newest
 * draft, the unmap flags and the dirty bitmap in no text but in implementations, as in struct
 * vfio_iommu_type1_dma_unmap of <linux/vfio.h>. Page alignment and overlap are the dma space's
 * business.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_WIRE_DMA_MAP_H
#define VFKI_WIRE_DMA_MAP_H

#include "lib/wire/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFKI_WIRE_DMA_READABLE	(1u << 0)
#define VFKI_WIRE_DMA_WRITEABLE (1u << 1)
#define VFKI_WIRE_DMA_MODE_MMAP (1u << 2)
#define VFKI_WIRE_DMA_MODE_FILE (1u << 3)

#define VFKI_WIRE_UNMAP_BITMAP (1u << 0)
#define VFKI_WIRE_UNMAP_ALL    (1u << 1)

/* 32 bytes. Readable and writeable are also VFK_DMA_READ and VFK_DMA_WRITE. */
size_t vfki_enc_dma_map_request(void *buf, uint32_t flags, uint64_t fd_offset, uint64_t addr,
				uint64_t size);

/*
 * -EPROTO: not 32 bytes, more than one descriptor. -EINVAL: argsz below 32, unknown flags, neither
 * readable nor writeable, both access modes, a mode without a descriptor, a size of 0, an address
 * or file range that wraps. The reply has no payload (vfki_dec_empty()).
 */
int vfki_dec_dma_map_request(const void *payload, size_t len, size_t nfds,
			     struct vfki_wire_dma_map *map);

/* A decoded DMA_UNMAP. */
struct vfki_wire_unmap {
	uint64_t addr;
	uint64_t size;
	bool all;	      /* everything; addr and size are 0 */
	bool bitmap;	      /* the reply is to tell which pages were written */
	uint64_t pgsize;      /* for the bitmap */
	uint64_t bitmap_size; /* bytes; whole 64-bit words, enough for the range */
};

/* 24 bytes, or 40 with a bitmap. */
#define VFKI_WIRE_UNMAP_MAX 40
size_t vfki_enc_dma_unmap_request(void *buf, const struct vfki_wire_unmap *unmap);

/*
 * @max_bitmap: our limit on the reply's bitmap. -EPROTO: neither 24 bytes nor 40 with the bitmap
 * flag. -EINVAL: argsz below 24 (or too small for the bitmap), unknown flags, ALL with an address,
 * a size or a bitmap, a size of 0 or a range that wraps without it, a page size that is no power of
 * two, a bitmap smaller than the range needs. -E2BIG: a bitmap above @max_bitmap.
 */
int vfki_dec_dma_unmap_request(const void *payload, size_t len, uint64_t max_bitmap,
			       struct vfki_wire_unmap *unmap);

/*
 * The request's own structure again, 24 or 40 bytes; a bitmap of unmap->bitmap_size bytes follows.
 */
size_t vfki_enc_dma_unmap_reply(void *buf, const struct vfki_wire_unmap *unmap);

/*
 * *bitmap is set to the bitmap in the payload, NULL if none was asked for. -EPROTO when it is not
 * there. A reply without any payload passes: some servers send that.
 */
int vfki_dec_dma_unmap_reply(const void *payload, size_t len, const struct vfki_wire_unmap *asked,
			     const void **bitmap);

#endif
