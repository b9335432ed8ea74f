/* SPDX-License-Identifier: BSD-3-Clause */
/* every_feature.c - a device with all features, which looks at what it is given; see every_feature.h. */
#include "every_feature.h"
#include "input.h"
#include "lib/base/feature.h"
#include "lib/base/vfio_compat.h"
#include <errno.h>
#include <fcntl.h>

static void every_close(struct vfk_io *io)
{
	(void)io;
}

static int every_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	(void)io;
	info->argsz = 16;
	info->flags = VFIO_DEVICE_FLAGS_RESET;
	info->num_regions = 1;
	info->num_irqs = 0;
	return 0;
}

static int every_region_info(struct vfk_io *io, struct vfio_region_info *info,
			     struct vfk_region_fds *fds)
{
	(void)io;
	(void)fds;
	info->argsz = sizeof(*info);
	info->flags = VFIO_REGION_INFO_FLAG_READ;
	info->size = 4096;
	info->offset = 0;
	info->cap_offset = 0;
	return 0;
}

static int every_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	(void)io;
	(void)info;
	return -EINVAL;
}

static int every_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	(void)io;
	(void)set;
	return -EINVAL;
}

static ssize_t every_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	(void)io;
	(void)region;
	(void)off;
	memset(buf, 0, len);
	return (ssize_t)len;
}

static ssize_t every_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			   size_t len, unsigned int flags)
{
	(void)io;
	(void)region;
	(void)off;
	(void)buf;
	(void)flags;
	return (ssize_t)len;
}

static int every_reset(struct vfk_io *io)
{
	(void)io;
	return 0;
}

/* Ranges and bitmaps are the caller's own memory: each byte of them can be used. */
static void use_ranges(const void *data)
{
	struct vfio_device_feature_dma_logging_control control;
	const struct vfio_device_feature_dma_logging_range *range;

	memcpy(&control, data, sizeof(control));
	range = (const void *)(uintptr_t)control.ranges;
	REQUIRE(control.page_size && !(control.page_size & (control.page_size - 1)));
	for (uint32_t i = 0; i < control.num_ranges; i++)
		REQUIRE(range[i].length && range[i].iova + (range[i].length - 1) >= range[i].iova);
}

static void use_bitmap(const void *data)
{
	struct vfio_device_feature_dma_logging_report report;
	uint64_t size;

	memcpy(&report, data, sizeof(report));
	REQUIRE(!vfki_feature_bitmap_size(report.iova, report.length, report.page_size, &size));
	memset((void *)(uintptr_t)report.bitmap, 0xff, size);
}

static void use_fd(const void *data)
{
	struct vfio_device_low_power_entry_with_wakeup entry;

	memcpy(&entry, data, sizeof(entry));
	REQUIRE(entry.wakeup_eventfd < 0 || fcntl(entry.wakeup_eventfd, F_GETFD) >= 0);
}

static int every_feature(struct vfk_io *io, struct vfio_device_feature *f)
{
	const struct vfki_feature *feature;

	(void)io;
	REQUIRE(!vfki_feature_check(f, &feature) && feature->exported);
	if (f->flags & VFIO_DEVICE_FEATURE_PROBE)
		return 0;
	if (feature->id == VFIO_DEVICE_FEATURE_DMA_LOGGING_START)
		use_ranges(f->data);
	else if (feature->id == VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT)
		use_bitmap(f->data);
	else if (feature->id == VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP)
		use_fd(f->data);
	else if (f->flags & VFIO_DEVICE_FEATURE_GET)
		memset(f->data, 0, vfki_feature_data_size(feature, f->flags));
	return 0;
}

static ssize_t every_mig_read(struct vfk_io *io, void *buf, size_t len)
{
	(void)io;
	memset(buf, 0, len);
	return (ssize_t)len;
}

static ssize_t every_mig_write(struct vfk_io *io, const void *buf, size_t len)
{
	const uint8_t *bytes = buf;
	volatile uint8_t seen;

	(void)io;
	for (size_t i = 0; i < len; i++)
		seen = bytes[i];
	(void)seen;
	return (ssize_t)len;
}

const struct vfk_io_ops every_feature_ops = {
	.size = sizeof(every_feature_ops),
	.name = "every",
	.help = "every feature",
	.instance_size = sizeof(struct vfk_io),
	.close = every_close,
	.get_device_info = every_device_info,
	.get_region_info = every_region_info,
	.get_irq_info = every_irq_info,
	.set_irqs = every_set_irqs,
	.region_read = every_read,
	.region_write = every_write,
	.device_feature = every_feature,
	.reset = every_reset,
	.mig_read = every_mig_read,
	.mig_write = every_mig_write,
};
