/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_info.c - what a device says of itself, wrongly. */
#include <errno.h>

#include "wrapper.h"

static int few_regions(struct vfk_io *io, struct vfio_device_info *info)
{
	int ret = right.get_device_info(io, info);

	info->num_regions = VFIO_PCI_NUM_REGIONS - 1;
	return ret;
}

static int few_irqs(struct vfk_io *io, struct vfio_device_info *info)
{
	int ret = right.get_device_info(io, info);

	info->num_irqs = VFIO_PCI_NUM_IRQS - 1;
	return ret;
}

static int two_types(struct vfk_io *io, struct vfio_device_info *info)
{
	int ret = right.get_device_info(io, info);

	info->flags |= VFIO_DEVICE_FLAGS_PLATFORM;
	return ret;
}

static int no_type(struct vfk_io *io, struct vfio_device_info *info)
{
	int ret = right.get_device_info(io, info);

	info->flags &= ~(uint32_t)VFIO_DEVICE_FLAGS_PCI;
	return ret;
}

static int many_regions(struct vfk_io *io, struct vfio_device_info *info)
{
	int ret = right.get_device_info(io, info);

	info->num_regions = UINT32_MAX;
	return ret;
}

static int info_positive(struct vfk_io *io, struct vfio_device_info *info)
{
	right.get_device_info(io, info);
	return (int)info->argsz;
}

/* The number of times that the device was closed makes the difference. */
static void close_and_count(struct vfk_io *io)
{
	wrapper(io)->calls++;
	right.close(io);
}

static int other_irqs(struct vfk_io *io, struct vfio_device_info *info)
{
	int ret = right.get_device_info(io, info);

	info->num_irqs += wrapper(io)->calls;
	return ret;
}

static int other_size(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == REGION_READ_ONLY)
		info->size += 4096ull * wrapper(io)->calls;
	return ret;
}

static int other_count(struct vfk_io *io, struct vfio_irq_info *info)
{
	int ret = right.get_irq_info(io, info);

	if (info->index == VFIO_PCI_REQ_IRQ_INDEX)
		info->count += wrapper(io)->calls;
	return ret;
}

static int growing(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == CONFIG)
		info->size += 4096ull * wrapper(io)->calls++;
	return ret;
}

static int other_region(struct vfk_io *io, struct vfio_region_info *info,
			struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	info->index++;
	return ret;
}

static int huge_region(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == 0)
		info->size = UINT64_MAX;
	return ret;
}

static int small_config(struct vfk_io *io, struct vfio_region_info *info,
			struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == CONFIG)
		info->size = 32;
	return ret;
}

static int read_only_config(struct vfk_io *io, struct vfio_region_info *info,
			    struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == CONFIG)
		info->flags &= ~(uint32_t)VFIO_REGION_INFO_FLAG_WRITE;
	return ret;
}

static int other_irq(struct vfk_io *io, struct vfio_irq_info *info)
{
	int ret = right.get_irq_info(io, info);

	info->index++;
	return ret;
}

static int irq_without_eventfd(struct vfk_io *io, struct vfio_irq_info *info)
{
	int ret = right.get_irq_info(io, info);

	info->flags &= ~(uint32_t)VFIO_IRQ_INFO_EVENTFD;
	return ret;
}

static int automasked_only(struct vfk_io *io, struct vfio_irq_info *info)
{
	int ret = right.get_irq_info(io, info);

	info->flags &= ~(uint32_t)VFIO_IRQ_INFO_MASKABLE;
	return ret;
}

static int all_maskable(struct vfk_io *io, struct vfio_irq_info *info)
{
	int ret = right.get_irq_info(io, info);

	info->flags |= VFIO_IRQ_INFO_MASKABLE;
	return ret;
}

static int two_intx(struct vfk_io *io, struct vfio_irq_info *info)
{
	int ret = right.get_irq_info(io, info);

	if (info->index == INTX)
		info->count = 2;
	return ret;
}

static int irq_argsz(struct vfk_io *io, struct vfio_irq_info *info)
{
	int ret = right.get_irq_info(io, info);

	info->argsz = 0;
	return ret;
}

static int unused_irq(struct vfk_io *io, struct vfio_irq_info *info)
{
	int ret = right.get_irq_info(io, info);

	return ret == 0 && !info->count ? -EINVAL : ret;
}

const struct flaw flaws_info[] = {
	{ .name = "fewer regions than PCI has",
	  .fails = "info_pci_indices",
	  .says = "VFIO_PCI_NUM_REGIONS is false",
	  .rule = "linux/vfio.h: the indices of vfio-pci are fixed",
	  .ops = { .get_device_info = few_regions } },
	{ .name = "fewer interrupts than PCI has",
	  .fails = "info_pci_indices",
	  .says = "VFIO_PCI_NUM_IRQS is false",
	  .rule = "linux/vfio.h: the indices of vfio-pci are fixed",
	  .ops = { .get_device_info = few_irqs } },
	{ .name = "a device of two types",
	  .fails = "info_type",
	  .says = "open failed",
	  .rule = "linux/vfio.h: one type",
	  .ops = { .get_device_info = two_types } },
	{ .name = "a device of no type",
	  .fails = "info_type",
	  .says = "type != 0 is false",
	  .rule = "linux/vfio.h: one type",
	  .ops = { .get_device_info = no_type } },
	{ .name = "four thousand million regions",
	  .fails = "info_stable",
	  .says = "4294967295 regions",
	  .rule = "at most 512",
	  .ops = { .get_device_info = many_regions } },
	{ .name = "device info returns what it has written",
	  .fails = "info_stable",
	  .says = "open failed",
	  .rule = "get_device_info: 0 or -errno",
	  .ops = { .get_device_info = info_positive } },
	{ .name = "another number of interrupts when it is opened again",
	  .fails = "info_stable",
	  .says = "want r.irqs = ",
	  .rule = "a device stays what it is",
	  .ops = { .close = close_and_count, .get_device_info = other_irqs } },
	{ .name = "another size of a region when it is opened again",
	  .fails = "info_stable",
	  .says = "->size: got 8192",
	  .rule = "a device stays what it is",
	  .ops = { .close = close_and_count, .get_region_info = other_size } },
	{ .name = "another number of vectors when it is opened again",
	  .fails = "info_stable",
	  .says = ".count: got",
	  .rule = "a device stays what it is",
	  .ops = { .close = close_and_count, .get_irq_info = other_count } },
	{ .name = "a region that grows while the device is open",
	  .fails = "region_access_before_info",
	  .says = "not what it was at first",
	  .rule = "seed 5: accesses are checked against the info, which must stay true",
	  .ops = { .get_region_info = growing } },
	{ .name = "the info of another region",
	  .fails = "info_regions_stable",
	  .says = "asked for 0, got 1",
	  .rule = "get_region_info: the index is as it was",
	  .ops = { .get_region_info = other_region } },
	{ .name = "a region as large as everything",
	  .fails = "info_regions_stable",
	  .says = "size 0xffffffffffffffff",
	  .rule = "a size that an offset can hold",
	  .ops = { .get_region_info = huge_region } },
	{ .name = "32 bytes of config space",
	  .fails = "info_pci_indices",
	  .says = ">= PCI_STD_HEADER_SIZEOF is false",
	  .rule = "PCI 3.0 section 6.1",
	  .ops = { .get_region_info = small_config } },
	{ .name = "config space that cannot be written",
	  .fails = "info_pci_indices",
	  .says = "want VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE",
	  .rule = "vfio-pci's config region",
	  .ops = { .get_region_info = read_only_config } },
	{ .name = "the info of another interrupt",
	  .fails = "info_irqs",
	  .says = "asked for 0, got 1",
	  .rule = "get_irq_info",
	  .ops = { .get_irq_info = other_irq } },
	{ .name = "an interrupt that takes no eventfd",
	  .fails = "info_irqs",
	  .says = "VFIO_IRQ_INFO_EVENTFD is false",
	  .rule = "nobody could receive it",
	  .ops = { .get_irq_info = irq_without_eventfd } },
	{ .name = "an interrupt is automasked, and cannot be unmasked",
	  .fails = "info_irqs",
	  .says = "VFIO_IRQ_INFO_MASKABLE is false",
	  .rule = "linux/vfio.h: AUTOMASKED needs an unmask",
	  .ops = { .get_irq_info = automasked_only } },
	{ .name = "an interrupt says that it can be masked, and cannot",
	  .fails = "irq_mask_offered",
	  .says = "vfk_irq_mask",
	  .rule = "linux/vfio.h: MASKABLE",
	  .ops = { .get_irq_info = all_maskable } },
	{ .name = "two vectors of INTx",
	  .fails = "info_pci_indices",
	  .says = "<= 1 is false",
	  .rule = "a PCI function has one INTx",
	  .ops = { .get_irq_info = two_intx } },
	{ .name = "irq info without a size",
	  .fails = "info_irqs",
	  .says = "argsz 0",
	  .rule = "get_irq_info",
	  .ops = { .get_irq_info = irq_argsz } },
	{ .name = "the info of an unused interrupt fails",
	  .fails = "info_irqs",
	  .says = "got -22",
	  .rule = "get_irq_info: an index below the count has one",
	  .ops = { .get_irq_info = unused_irq } },
	{ .name = NULL },
};
