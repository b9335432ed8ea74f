/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vector.c - the ops of the vectors as all filters have them: each makes a struct vfki_call of its arguments.
 *
 * Any thread; the call lives in the op's frame.
 */
#include "vector.h"
#include "filter.h"

static ssize_t around(struct vfk_io *io, struct vfki_call *call)
{
	return vfki_filter(io)->around(io, call);
}

int vfki_filter_get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	struct vfki_call call = { .op = VFKI_CALL_GET_DEVICE_INFO, .device_info = info };

	return (int)around(io, &call);
}

int vfki_filter_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
				struct vfk_region_fds *fds)
{
	struct vfki_call call = { .op = VFKI_CALL_GET_REGION_INFO, .region = { info, fds } };

	return (int)around(io, &call);
}

int vfki_filter_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	struct vfki_call call = { .op = VFKI_CALL_GET_IRQ_INFO, .irq_info = info };

	return (int)around(io, &call);
}

int vfki_filter_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	struct vfki_call call = { .op = VFKI_CALL_SET_IRQS, .irq_set = set };

	return (int)around(io, &call);
}

ssize_t vfki_filter_region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
				size_t len)
{
	struct vfki_call call = {
		.op = VFKI_CALL_REGION_READ,
		.access = { .region = region, .offset = off, .buf = buf, .len = len }
	};

	return around(io, &call);
}

ssize_t vfki_filter_region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
				 size_t len, unsigned int flags)
{
	struct vfki_call call = { .op = VFKI_CALL_REGION_WRITE,
				  .access = { .region = region,
					      .offset = off,
					      .data = buf,
					      .len = len,
					      .flags = flags } };

	return around(io, &call);
}

int vfki_filter_device_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	struct vfki_call call = { .op = VFKI_CALL_DEVICE_FEATURE, .feature = feature };

	return (int)around(io, &call);
}

int vfki_filter_reset(struct vfk_io *io)
{
	struct vfki_call call = { .op = VFKI_CALL_RESET };

	return (int)around(io, &call);
}

int vfki_filter_write_multi(struct vfk_io *io, const struct vfk_region_write *writes, size_t count)
{
	struct vfki_call call = { .op = VFKI_CALL_WRITE_MULTI, .writes = { writes, count } };

	return (int)around(io, &call);
}

int vfki_filter_flush(struct vfk_io *io)
{
	struct vfki_call call = { .op = VFKI_CALL_FLUSH };

	return (int)around(io, &call);
}

ssize_t vfki_filter_mig_read(struct vfk_io *io, void *buf, size_t len)
{
	struct vfki_call call = { .op = VFKI_CALL_MIG_READ, .access = { .buf = buf, .len = len } };

	return around(io, &call);
}

ssize_t vfki_filter_mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	struct vfki_call call = { .op = VFKI_CALL_MIG_WRITE,
				  .access = { .data = buf, .len = len } };

	return around(io, &call);
}

int vfki_filter_poll_fd(struct vfk_io *io)
{
	struct vfki_call call = { .op = VFKI_CALL_POLL_FD };

	return (int)around(io, &call);
}

int vfki_filter_dispatch(struct vfk_io *io)
{
	struct vfki_call call = { .op = VFKI_CALL_DISPATCH };

	return (int)around(io, &call);
}

int vfki_filter_hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	struct vfki_call call = { .op = VFKI_CALL_HOT_RESET_INFO, .hot_reset_info = info };

	return (int)around(io, &call);
}

int vfki_filter_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	struct vfki_call call = { .op = VFKI_CALL_HOT_RESET, .hot_reset = reset };

	return (int)around(io, &call);
}

int vfki_filter_precopy_info(struct vfk_io *io, struct vfk_precopy_info *info)
{
	struct vfki_call call = { .op = VFKI_CALL_PRECOPY_INFO, .precopy = info };

	return (int)around(io, &call);
}

int vfki_filter_region_io_fds(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds,
			      size_t max, size_t *count)
{
	struct vfki_call call = {
		.op = VFKI_CALL_REGION_IO_FDS,
		.io_fds = { .at = fds, .max = max, .count = count, .region = region }
	};

	return (int)around(io, &call);
}

int vfki_filter_set_lost(struct vfk_io *io, void (*lost)(void *ctx, uint64_t epoch), void *ctx)
{
	struct vfki_call call = { .op = VFKI_CALL_SET_LOST, .set_lost = { lost, ctx } };

	return (int)around(io, &call);
}

int vfki_filter_reconnect(struct vfk_io *io, enum vfk_reconnect step)
{
	struct vfki_call call = { .op = VFKI_CALL_RECONNECT, .reconnect = step };

	return (int)around(io, &call);
}

static int map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr)
{
	struct vfki_call call = { .op = VFKI_CALL_DMA_MAP, .map = { m, addr } };

	return (int)around(io, &call);
}

static int unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms)
{
	struct vfki_call call = {
		.op = VFKI_CALL_DMA_UNMAP,
		.range = { .iova = iova, .length = length, .timeout_ms = timeout_ms }
	};

	return (int)around(io, &call);
}

static int limits(struct vfk_io *io, struct vfk_dma_limits *all)
{
	struct vfki_call call = { .op = VFKI_CALL_DMA_LIMITS, .limits = all };

	return (int)around(io, &call);
}

static int dirty_start(struct vfk_io *io, uint64_t page_size)
{
	struct vfki_call call = { .op = VFKI_CALL_DIRTY_START,
				  .range = { .page_size = page_size } };

	return (int)around(io, &call);
}

static int dirty_stop(struct vfk_io *io)
{
	struct vfki_call call = { .op = VFKI_CALL_DIRTY_STOP };

	return (int)around(io, &call);
}

static int dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			uint64_t *bitmap)
{
	struct vfki_call call = { .op = VFKI_CALL_DIRTY_REPORT,
				  .range = { .iova = iova,
					     .length = length,
					     .page_size = page_size,
					     .bitmap = bitmap } };

	return (int)around(io, &call);
}

static int address(struct vfk_io *io, uint64_t iova, uint64_t length, struct vfk_dma_addr *addr)
{
	struct vfki_call call = { .op = VFKI_CALL_DMA_ADDRESS,
				  .range = { .iova = iova, .length = length, .addr = addr } };

	return (int)around(io, &call);
}

static int unmap_all(struct vfk_io *io, uint32_t timeout_ms)
{
	struct vfki_call call = { .op = VFKI_CALL_DMA_UNMAP_ALL,
				  .range = { .timeout_ms = timeout_ms } };

	return (int)around(io, &call);
}

const struct vfk_dma_ops vfki_filter_dma_ops = {
	.size = sizeof(struct vfk_dma_ops),
	.map = map,
	.unmap = unmap,
	.limits = limits,
	.dirty_start = dirty_start,
	.dirty_stop = dirty_stop,
	.dirty_report = dirty_report,
	.address = address,
	.unmap_all = unmap_all,
};
