/* SPDX-License-Identifier: BSD-3-Clause */
/* rich.c - the registers of rich.h, and what the device says of itself. */
#include "rich.h"
#include <errno.h>
#include <string.h>

static void rich_close(struct vfk_io *io)
{
	(void)io;
}

static int get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	(void)io;
	info->argsz = 16;
	info->flags = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI;
	info->num_regions = 9;
	info->num_irqs = 5;
	return 0;
}

static uint32_t get(struct rich *r, uint64_t off)
{
	switch (off) {
	case RICH_ID:
		return 0x010000ed;
	case RICH_SCRATCH:
		return ~r->registers[off / 4];
	case RICH_LOG_PUT:
		return r->log_end - r->log_begin;
	case RICH_LOG_GET:
		return r->log_begin == r->log_end ? 0 : r->log[r->log_begin++ % RICH_LOG];
	case RICH_ARMED:
		return rich_count(r->armed);
	case RICH_UNMASKED:
		return rich_count(r->unmasked);
	case RICH_ENABLED:
		return r->enabled;
	default:
		return r->registers[off / 4];
	}
}

static int put(struct rich *r, uint64_t off, uint32_t value)
{
	switch (off) {
	case RICH_LOG_PUT:
		r->log[r->log_end++ % RICH_LOG] = value;
		return 0;
	case RICH_BROKEN:
		r->registers[off / 4]++;
		return -EIO;
	case RICH_FIRE:
		rich_fire(r, value);
		return 0;
	default:
		r->registers[off / 4] = value;
		return 0;
	}
}

static ssize_t region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	struct rich *r = rich_of(io);
	uint32_t value;

	if (region != 0 || len != 4 || off % 4) {
		memset(buf, 0, len);
		return (ssize_t)len;
	}
	value = get(r, off);
	memcpy(buf, &value, sizeof(value));
	return (ssize_t)len;
}

static ssize_t region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			    size_t len, unsigned int flags)
{
	struct rich *r = rich_of(io);
	uint32_t value;
	int ret;

	if (region != 0 || len != 4 || off % 4)
		return (ssize_t)len;
	if (flags & VFK_WRITE_POSTED)
		r->registers[RICH_POSTED / 4]++;
	memcpy(&value, buf, sizeof(value));
	ret = put(r, off, value);
	return ret ? ret : (ssize_t)len;
}

static int device_feature(struct vfk_io *io, struct vfio_device_feature *feature)
{
	(void)io;
	(void)feature;
	return -ENOTSUP;
}

static int reset(struct vfk_io *io)
{
	struct rich *r = rich_of(io);

	memset(r->registers, 0, sizeof(r->registers));
	r->registers[RICH_GRANTED / 4] = RICH_VECTORS;
	r->registers[RICH_FAIL_AT / 4] = UINT32_MAX;
	r->log_begin = r->log_end = 0;
	return 0;
}

void rich_init(struct rich *r)
{
	for (size_t i = 0; i < RICH_VECTORS; i++)
		r->armed[i] = r->unmasked[i] = -1;
	reset(&r->io);
	rich_make_files(r);
	vfk_io_init(&r->io, &rich_ops, "rich");
}

const struct vfk_io_ops rich_ops = {
	.size = sizeof(struct vfk_io_ops),
	.name = "rich",
	.help = "for tests",
	.instance_size = sizeof(struct rich),
	.close = rich_close,
	.get_device_info = get_device_info,
	.get_region_info = rich_get_region_info,
	.get_irq_info = rich_get_irq_info,
	.set_irqs = rich_set_irqs,
	.region_read = region_read,
	.region_write = region_write,
	.device_feature = device_feature,
	.reset = reset,
	.mig_read = rich_mig_read,
	.mig_write = rich_mig_write,
	.precopy_info = rich_precopy_info,
	.region_io_fds = rich_region_io_fds,
};
