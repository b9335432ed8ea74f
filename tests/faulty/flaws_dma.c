/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_dma.c - sinks that lose, keep or mix up mappings, and a device that writes where it must not. */
#include <errno.h>
#include <string.h>

#include "wrapper.h"

#define PAGE	      4096u
#define EDU_DMA_DST   0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_CMD   0x98
#define EDU_TO_MEMORY 2

static int map_nothing(struct vfk_io *io, const struct vfk_dma_mapping *m,
		       struct vfk_dma_addr *addr)
{
	(void)io;
	*addr = (struct vfk_dma_addr){ .addr = m->iova, .contiguous = m->length };
	return 0;
}

static int unmap_nothing(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	(void)io;
	(void)iova;
	(void)length;
	(void)timeout_ms;
	return 0;
}

/* Maps until something is unmapped. */
static int map_before_unmap(struct vfk_io *io, const struct vfk_dma_mapping *m,
			    struct vfk_dma_addr *addr)
{
	if (wrapper(io)->calls)
		return map_nothing(io, m, addr);
	return right_dma.map(io, m, addr);
}

static int unmap_and_count(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	int ret = right_dma.unmap(io, iova, length, timeout_ms);

	wrapper(io)->calls++;
	return ret == -ENOENT ? 0 : ret;
}

static int map_writable(struct vfk_io *io, const struct vfk_dma_mapping *m,
			struct vfk_dma_addr *addr)
{
	struct vfk_dma_mapping other = *m;

	other.prot |= VFK_DMA_WRITE;
	return right_dma.map(io, &other, addr);
}

static int unmap_busy(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	(void)io;
	(void)iova;
	(void)length;
	(void)timeout_ms;
	return -EBUSY;
}

static int unmap_counts(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	int ret = right_dma.unmap(io, iova, length, timeout_ms);

	return ret ? ret : (int)length;
}

static int map_elsewhere(struct vfk_io *io, const struct vfk_dma_mapping *m,
			 struct vfk_dma_addr *addr)
{
	struct vfk_dma_mapping other = *m;

	other.iova += PAGE;
	return right_dma.map(io, &other, addr);
}

static int map_from_start(struct vfk_io *io, const struct vfk_dma_mapping *m,
			  struct vfk_dma_addr *addr)
{
	struct vfk_dma_mapping other = *m;

	other.fd_offset = 0;
	return right_dma.map(io, &other, addr);
}

static int map_part(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	struct vfk_dma_mapping other = *m;

	other.length = PAGE;
	return right_dma.map(io, &other, addr);
}

static int map_refuses_files(struct vfk_io *io, const struct vfk_dma_mapping *m,
			     struct vfk_dma_addr *addr)
{
	return m->fd >= 0 && !m->vaddr ? -ENOTSUP : right_dma.map(io, m, addr);
}

/* The offset in the mapping is taken for the IOVA. */
static int read_offset(void *ctx, uint64_t iova, void *buf, size_t len)
{
	struct wrapper *w = ctx;

	return w->theirs.read(w->ctx, iova - w->shadow, buf, len);
}

static int write_offset(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	struct wrapper *w = ctx;

	return w->theirs.write(w->ctx, iova - w->shadow, buf, len);
}

static int write_dropped(void *ctx, uint64_t iova, const void *buf, size_t len)
{
	(void)ctx;
	(void)iova;
	(void)buf;
	(void)len;
	return 0;
}

static int read_theirs(void *ctx, uint64_t iova, void *buf, size_t len)
{
	struct wrapper *w = ctx;

	return w->theirs.read(w->ctx, iova, buf, len);
}

static int map_with(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr,
		    const struct vfk_dma_callbacks *callbacks)
{
	struct wrapper *w = wrapper(io);
	struct vfk_dma_mapping other = *m;

	if (m->callbacks) {
		w->theirs = *m->callbacks;
		w->ctx = m->ctx;
		w->shadow = m->iova;
		other.callbacks = callbacks;
		other.ctx = w;
	}
	return right_dma.map(io, &other, addr);
}

static int map_offsets(struct vfk_io *io, const struct vfk_dma_mapping *m,
		       struct vfk_dma_addr *addr)
{
	static const struct vfk_dma_callbacks cb = { sizeof(cb), read_offset, write_offset };

	return map_with(io, m, addr, &cb);
}

static int map_drops(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	static const struct vfk_dma_callbacks cb = { sizeof(cb), read_theirs, write_dropped };

	return map_with(io, m, addr, &cb);
}

static int map_no_address(struct vfk_io *io, const struct vfk_dma_mapping *m,
			  struct vfk_dma_addr *addr)
{
	int ret = right_dma.map(io, m, addr);

	*addr = (struct vfk_dma_addr){ 0 };
	return ret;
}

static int map_other_address(struct vfk_io *io, const struct vfk_dma_mapping *m,
			     struct vfk_dma_addr *addr)
{
	int ret = right_dma.map(io, m, addr);

	addr->addr += PAGE;
	return ret;
}

static int map_positive_errno(struct vfk_io *io, const struct vfk_dma_mapping *m,
			      struct vfk_dma_addr *addr)
{
	int ret = right_dma.map(io, m, addr);

	return ret ? ret : EEXIST;
}

static int no_page_sizes(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	int ret = right_dma.limits(io, limits);

	limits->pgsizes = 0;
	return ret;
}

static int odd_ranges(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	int ret = right_dma.limits(io, limits);

	limits->num_ranges = 2;
	limits->ranges[0] = (struct vfk_iova_range){ 0, 0xffffffff };
	limits->ranges[1] = (struct vfk_iova_range){ 0x80000000, UINT64_MAX };
	return ret;
}

static int many_ranges(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	int ret = right_dma.limits(io, limits);

	limits->num_ranges = VFK_DMA_MAX_RANGES + 1;
	return ret;
}

static int one_mapping(struct vfk_io *io, struct vfk_dma_limits *limits)
{
	int ret = right_dma.limits(io, limits);

	limits->max_maps = 1;
	return ret;
}

/* The device writes a byte more than it was told to. */
static ssize_t byte_too_many(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			     size_t len, unsigned int flags)
{
	ssize_t ret = right.region_write(io, region, off, buf, len, flags);
	struct wrapper *w = wrapper(io);
	uint64_t value = 0;
	char byte = 'x';

	if (region != 0 || len != 8)
		return ret;
	memcpy(&value, buf, 8);
	if (off == EDU_DMA_DST)
		w->shadow = value;
	if (off == EDU_DMA_COUNT)
		w->shadow += value;
	if (off == EDU_DMA_CMD && value & EDU_TO_MEMORY)
		vfk_dma_access(w->space, w->shadow, &byte, 1, VFK_DMA_WRITE);
	return ret;
}

#define MAP_FLAW(what, test, text, why, ...)                                                   \
	{                                                                                      \
		.name = what, .fails = test, .says = text, .rule = why, .dma = { __VA_ARGS__ } \
	}

const struct flaw flaws_dma[] = {
	MAP_FLAW("a map does nothing", "engine_dma_private_memory", "out[i]: got",
		 "map: the device reaches the memory", .map = map_nothing, .unmap = unmap_nothing),
	MAP_FLAW("an attach does not replay the mappings", "engine_dma_attach_replays",
		 "out[i]: got", "map: the device reaches the memory", .map = map_before_unmap,
		 .unmap = unmap_and_count),
	MAP_FLAW("DMA reaches memory after the unmap", "engine_dma_not_mapped",
		 "b.mem[PAGE + i]: got", "unmap: the device cannot reach the memory any more",
		 .unmap = unmap_nothing),
	MAP_FLAW("DMA writes to what is mapped for reading", "engine_dma_protection",
		 "b.mem[PAGE + i]: got", "dma.h: VFK_DMA_READ, the device may read",
		 .map = map_writable),
	MAP_FLAW("an unmap is always busy", "dma_map_unmap", "got -16",
		 "unmap: -EBUSY when users did not let go in time", .unmap = unmap_busy),
	MAP_FLAW("a mapping lies a page further on", "engine_dma_private_memory", "out[i]: got",
		 "map: iova", .map = map_elsewhere),
	MAP_FLAW("the offset in a file is ignored", "engine_dma_file_only", "out[i]: got",
		 "map: fd_offset", .map = map_from_start),
	MAP_FLAW("only the first page is mapped", "engine_dma_private_memory", "out[i]: got",
		 "map: length", .map = map_part, .unmap = unmap_and_count),
	MAP_FLAW("memory in a file is refused", "engine_dma_file_only", "got -95",
		 "dma.h: memory is given by vaddr, by fd, or both", .map = map_refuses_files),
	MAP_FLAW("callbacks get an offset for the IOVA", "engine_dma_callbacks", "b.reads",
		 "dma.h: iova and len lie inside the mapping", .map = map_offsets),
	MAP_FLAW("callbacks are not told of writes", "engine_dma_callbacks", "b.writes",
		 "dma.h: memory that is reached by calls", .map = map_drops),
	MAP_FLAW("a map tells no address", "dma_map_unmap", "got -71", "map: addr is set",
		 .map = map_no_address),
	MAP_FLAW("a map tells another address", "engine_dma_alloc", "out[i]: got",
		 "map: addr is set", .map = map_other_address),
	MAP_FLAW("a map returns a positive number", "dma_map_unmap", "got -71",
		 "seed 2: -errno is the control channel", .map = map_positive_errno),
	MAP_FLAW("limits without a page size", "dma_limits", "got -71", "limits: a granule",
		 .limits = no_page_sizes),
	MAP_FLAW("limits with ranges that overlap", "dma_limits", "got -71",
		 "limits: sorted, disjoint", .limits = odd_ranges),
	MAP_FLAW("limits with more ranges than there is room for", "dma_limits", "got -71",
		 "limits: at most VFK_DMA_MAX_RANGES", .limits = many_ranges),
	MAP_FLAW("one mapping at a time", "dma_map_unmap", "got -28",
		 "a device that can have two mappings says so", .limits = one_mapping),
	{ .name = "DMA writes a byte too many",
	  .fails = "engine_dma_alloc",
	  .says = "((uint8_t *)buf.vaddr)[i]: got 120",
	  .rule = "engine.h: no other byte",
	  .ops = { .region_write = byte_too_many } },
	{ .name = "an unmap returns what was unmapped",
	  .passes = "dma_map_unmap",
	  .rule = "the space takes a broken promise for the end of the device",
	  .dma = { .unmap = unmap_counts } },
	{ .name = "mappings that overlap are accepted",
	  .passes = "dma_map_overlap",
	  .rule = "the space refuses before a sink is asked",
	  .dma = { .map = map_nothing, .unmap = unmap_nothing } },
	{ .name = "a part can be unmapped",
	  .passes = "dma_unmap_not_exact",
	  .rule = "the space refuses before a sink is asked",
	  .dma = { .map = map_nothing, .unmap = unmap_nothing } },
	{ .name = "a range may end inside a mapping",
	  .passes = "dma_unmap_straddle",
	  .rule = "the space refuses before a sink is asked",
	  .dma = { .map = map_nothing, .unmap = unmap_nothing } },
	{ .name = "a file may be too short",
	  .passes = "dma_file_too_short",
	  .rule = "the space refuses before a sink is asked",
	  .dma = { .map = map_nothing, .unmap = unmap_nothing } },
	{ .name = NULL },
};
