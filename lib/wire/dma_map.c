/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma_map.c - DMA_MAP and DMA_UNMAP. Pure functions.
 */
#include "lib/wire/dma_map.h"

#include "lib/base/error.h"
#include "lib/base/feature.h"
#include "lib/base/range.h"
#include <string.h>

#define ACCESS (VFKI_WIRE_DMA_READABLE | VFKI_WIRE_DMA_WRITEABLE)
#define MODES  (VFKI_WIRE_DMA_MODE_MMAP | VFKI_WIRE_DMA_MODE_FILE)

size_t vfki_enc_dma_map_request(void *buf, uint32_t flags, uint64_t fd_offset, uint64_t addr,
				uint64_t size)
{
	struct vfki_wire_dma_map w = {
		.argsz = sizeof(w),
		.flags = flags,
		.offset = fd_offset,
		.addr = addr,
		.size = size,
	};

	memcpy(buf, &w, sizeof(w));
	return sizeof(w);
}

static int check_map_flags(const struct vfki_wire_dma_map *w, size_t nfds)
{
	uint32_t mode = w->flags & MODES;

	if (w->flags & ~(ACCESS | MODES))
		return vfki_err(-EINVAL, "dma_map: unknown flags in 0x%x", w->flags);
	if (!(w->flags & ACCESS))
		return vfki_err(-EINVAL, "dma_map: neither readable nor writeable");
	if (mode == MODES)
		return vfki_err(-EINVAL, "dma_map: two access modes");
	if (mode && !nfds)
		return vfki_err(-EINVAL,
				"dma_map: an access mode that needs a descriptor, without one");
	return 0;
}

int vfki_dec_dma_map_request(const void *payload, size_t len, size_t nfds,
			     struct vfki_wire_dma_map *map)
{
	struct vfki_wire_dma_map w;
	uint64_t last;
	int r;

	if (len != sizeof(w))
		return vfki_err(-EPROTO, "dma_map: %zu bytes of payload, must be 32", len);
	if (nfds > 1)
		return vfki_err(-EPROTO, "dma_map: %zu descriptors, at most 1", nfds);
	memcpy(&w, payload, sizeof(w));
	if (w.argsz < sizeof(w))
		return vfki_err(-EINVAL, "dma_map: argsz %u, need 32", w.argsz);
	r = check_map_flags(&w, nfds);
	if (r)
		return r;
	if (!vfki_range_last(w.addr, w.size, &last))
		return vfki_err(-EINVAL, "dma_map: 0x%llx bytes at 0x%llx: empty, or wraps",
				(unsigned long long)w.size, (unsigned long long)w.addr);
	if (nfds && !vfki_range_ok(w.offset, w.size, INT64_MAX))
		return vfki_err(-EINVAL, "dma_map: 0x%llx bytes at 0x%llx of a file",
				(unsigned long long)w.size, (unsigned long long)w.offset);
	*map = w;
	return 0;
}

static size_t enc_unmap(void *buf, const struct vfki_wire_unmap *unmap)
{
	struct vfki_wire_dma_unmap w = {
		.argsz = sizeof(w),
		.flags = (unmap->all ? VFKI_WIRE_UNMAP_ALL : 0) |
			 (unmap->bitmap ? VFKI_WIRE_UNMAP_BITMAP : 0),
		.addr = unmap->addr,
		.size = unmap->size,
	};
	struct vfki_wire_bitmap b = { .pgsize = unmap->pgsize, .size = unmap->bitmap_size };

	if (unmap->bitmap)
		w.argsz += (uint32_t)(sizeof(b) + b.size);
	memcpy(buf, &w, sizeof(w));
	if (!unmap->bitmap)
		return sizeof(w);
	memcpy((uint8_t *)buf + sizeof(w), &b, sizeof(b));
	return sizeof(w) + sizeof(b);
}

size_t vfki_enc_dma_unmap_request(void *buf, const struct vfki_wire_unmap *unmap)
{
	return enc_unmap(buf, unmap);
}

size_t vfki_enc_dma_unmap_reply(void *buf, const struct vfki_wire_unmap *unmap)
{
	return enc_unmap(buf, unmap);
}

static int check_bitmap(const struct vfki_wire_dma_unmap *w, const struct vfki_wire_bitmap *b,
			uint64_t max_bitmap)
{
	uint64_t need;
	int r = vfki_feature_bitmap_size(w->addr, w->size, b->pgsize, &need);

	if (r)
		return vfki_err_prefix(r, "dma_unmap");
	if (b->size > max_bitmap || need > max_bitmap)
		return vfki_err(-E2BIG, "dma_unmap: a bitmap of %llu bytes, at most %llu",
				(unsigned long long)b->size, (unsigned long long)max_bitmap);
	if (b->size < need || b->size % sizeof(uint64_t))
		return vfki_err(-EINVAL, "dma_unmap: a bitmap of %llu bytes, need %llu",
				(unsigned long long)b->size, (unsigned long long)need);
	if (w->argsz < sizeof(*w) + sizeof(*b) + b->size)
		return vfki_err(-EINVAL, "dma_unmap: argsz %u has no room for the bitmap",
				w->argsz);
	return 0;
}

static int check_unmap(const struct vfki_wire_dma_unmap *w)
{
	uint64_t last;

	if (w->argsz < sizeof(*w))
		return vfki_err(-EINVAL, "dma_unmap: argsz %u, need 24", w->argsz);
	if (w->flags & ~(VFKI_WIRE_UNMAP_ALL | VFKI_WIRE_UNMAP_BITMAP))
		return vfki_err(-EINVAL, "dma_unmap: unknown flags in 0x%x", w->flags);
	if (w->flags & VFKI_WIRE_UNMAP_ALL) {
		if (w->addr || w->size || w->flags & VFKI_WIRE_UNMAP_BITMAP)
			return vfki_err(-EINVAL,
					"dma_unmap: everything, yet with a range or a bitmap");
		return 0;
	}
	if (!vfki_range_last(w->addr, w->size, &last))
		return vfki_err(-EINVAL, "dma_unmap: 0x%llx bytes at 0x%llx: empty, or wraps",
				(unsigned long long)w->size, (unsigned long long)w->addr);
	return 0;
}

int vfki_dec_dma_unmap_request(const void *payload, size_t len, uint64_t max_bitmap,
			       struct vfki_wire_unmap *unmap)
{
	struct vfki_wire_bitmap b = { .size = 0 };
	struct vfki_wire_dma_unmap w;
	bool bitmap;
	int r;

	if (len < sizeof(w))
		return vfki_err(-EPROTO, "dma_unmap: %zu bytes of payload, need 24", len);
	memcpy(&w, payload, sizeof(w));
	bitmap = w.flags & VFKI_WIRE_UNMAP_BITMAP;
	if (len != sizeof(w) + (bitmap ? sizeof(b) : 0))
		return vfki_err(-EPROTO, "dma_unmap: %zu bytes of payload, flags 0x%x", len,
				w.flags);
	r = check_unmap(&w);
	if (!r && bitmap) {
		memcpy(&b, (const uint8_t *)payload + sizeof(w), sizeof(b));
		r = check_bitmap(&w, &b, max_bitmap);
	}
	if (r)
		return r;
	*unmap = (struct vfki_wire_unmap){
		.addr = w.addr,
		.size = w.size,
		.all = w.flags & VFKI_WIRE_UNMAP_ALL,
		.bitmap = bitmap,
		.pgsize = b.pgsize,
		.bitmap_size = b.size,
	};
	return 0;
}

int vfki_dec_dma_unmap_reply(const void *payload, size_t len, const struct vfki_wire_unmap *asked,
			     const void **bitmap)
{
	size_t front = sizeof(struct vfki_wire_dma_unmap),
	       with = front + sizeof(struct vfki_wire_bitmap);

	if (asked->bitmap && (len < with || len - with != asked->bitmap_size))
		return vfki_err(-EPROTO,
				"dma_unmap reply: %zu bytes of payload, asked for a bitmap of %llu",
				len, (unsigned long long)asked->bitmap_size);
	if (!asked->bitmap && len && len != front)
		return vfki_err(-EPROTO, "dma_unmap reply: %zu bytes of payload, must be 24", len);
	*bitmap = asked->bitmap ? (const uint8_t *)payload + with : NULL;
	return 0;
}
