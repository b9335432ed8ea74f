/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * call.h - one call of an op of the vectors, as a filter sees it: which op, and its arguments.
 *
 * The arguments are the caller's own, under the op's promises; a filter that passes other ones on changes its copy.
 *
 * Threads: each call belongs to the thread that makes it.
 */
#ifndef VFKI_IO_FILTER_CALL_H
#define VFKI_IO_FILTER_CALL_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/dma.h>
#include <vfiokit/io.h>

enum vfki_call_op {
	VFKI_CALL_OPEN, /* of the filter itself: what it wraps is open already */
	VFKI_CALL_GET_DEVICE_INFO,
	VFKI_CALL_GET_REGION_INFO,
	VFKI_CALL_GET_IRQ_INFO,
	VFKI_CALL_SET_IRQS,
	VFKI_CALL_REGION_READ,
	VFKI_CALL_REGION_WRITE,
	VFKI_CALL_DEVICE_FEATURE,
	VFKI_CALL_RESET,
	VFKI_CALL_WRITE_MULTI,
	VFKI_CALL_FLUSH,
	VFKI_CALL_MIG_READ,
	VFKI_CALL_MIG_WRITE,
	VFKI_CALL_POLL_FD,
	VFKI_CALL_DISPATCH,
	VFKI_CALL_HOT_RESET_INFO,
	VFKI_CALL_HOT_RESET,
	VFKI_CALL_PRECOPY_INFO,
	VFKI_CALL_REGION_IO_FDS,
	VFKI_CALL_SET_LOST,
	VFKI_CALL_RECONNECT,
	VFKI_CALL_DMA_MAP,
	VFKI_CALL_DMA_UNMAP,
	VFKI_CALL_DMA_LIMITS,
	VFKI_CALL_DIRTY_START,
	VFKI_CALL_DIRTY_STOP,
	VFKI_CALL_DIRTY_REPORT,
	VFKI_CALL_DMA_ADDRESS,
	VFKI_CALL_DMA_UNMAP_ALL,
	VFKI_CALL_END,
};

#define VFKI_CALL_BIT(op) (1u << (op))
#define VFKI_CALL_ALL	  (VFKI_CALL_BIT(VFKI_CALL_END) - 1)
_Static_assert(VFKI_CALL_END < 32, "a set of ops is 32 bits");

struct vfki_call_access {
	uint32_t region;
	unsigned int flags; /* VFK_WRITE_*, of a write */
	uint64_t offset;
	void *buf;	  /* of a read */
	const void *data; /* of a write */
	size_t len;
};

struct vfki_call_range {
	uint64_t iova;
	uint64_t length;
	uint64_t page_size;
	uint32_t timeout_ms;
	uint64_t *bitmap;
	struct vfk_dma_addr *addr;
};

struct vfki_call {
	enum vfki_call_op op;
	union {
		struct vfio_device_info *device_info;
		struct {
			struct vfio_region_info *info;
			struct vfk_region_fds *fds;
		} region;
		struct vfio_irq_info *irq_info;
		const struct vfio_irq_set *irq_set;
		struct vfki_call_access access; /* REGION_*; MIG_*: buf, data and len */
		struct vfio_device_feature *feature;
		struct {
			const struct vfk_region_write *at;
			size_t count;
		} writes;
		struct vfio_pci_hot_reset_info *hot_reset_info;
		const struct vfio_pci_hot_reset *hot_reset;
		struct vfk_precopy_info *precopy;
		struct {
			struct vfk_region_io_fd *at;
			size_t max;
			size_t *count;
			uint32_t region;
		} io_fds;
		struct {
			const struct vfk_dma_mapping *mapping;
			struct vfk_dma_addr *addr;
		} map;
		struct vfki_call_range
			range; /* DMA_UNMAP, DMA_UNMAP_ALL (its timeout), DMA_ADDRESS, DIRTY_* */
		struct vfk_dma_limits *limits;
		struct {
			void (*lost)(void *ctx, uint64_t epoch);
			void *ctx;
		} set_lost;
		enum vfk_reconnect reconnect;
	};
};

/* The op's name in the vectors, "region_read" or "dma_map". */
const char *vfki_call_name(enum vfki_call_op op);

/*
 * The option @key of a filter as a set of ops: names with '+' between them. Returns 0; -ENOENT when the option is not
 * there (@ops untouched, no text); -EINVAL.
 */
int vfki_call_ops(const struct vfk_uri *uri, const char *key, uint32_t *ops);

/* Whether the call touches the byte at @offset, or any byte if @offset is NULL, of @region, or of any if that is NULL. */
bool vfki_call_touches(const struct vfki_call *call, const uint32_t *region,
		       const uint64_t *offset);

#endif
