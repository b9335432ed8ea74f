/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_config.c - config spaces that no PCI device has. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "wrapper.h"

static ssize_t keep_ids(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			size_t len, unsigned int flags)
{
	struct wrapper *w = wrapper(io);

	if (region == CONFIG && off == PCI_VENDOR_ID && len == 4) {
		memcpy(&w->shadow, buf, 4);
		w->calls++;
	}
	return right.region_write(io, region, off, buf, len, flags);
}

static ssize_t read_kept_ids(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			     size_t len)
{
	struct wrapper *w = wrapper(io);

	if (!w->calls || region != CONFIG || off != PCI_VENDOR_ID || len != 4)
		return right.region_read(io, region, off, buf, len);
	memcpy(buf, &w->shadow, 4);
	return 4;
}

/* Writes the command register with bits of @clear cleared and of @set set. */
static ssize_t write_command(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			     size_t len, uint16_t clear, uint16_t set)
{
	uint16_t cmd;

	if (region != CONFIG || off != PCI_COMMAND || len != 2)
		return right.region_write(io, region, off, buf, len, 0);
	memcpy(&cmd, buf, 2);
	cmd = (uint16_t)((cmd & ~clear) | set);
	return right.region_write(io, region, off, &cmd, 2, 0);
}

static ssize_t no_master(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			 size_t len, unsigned int flags)
{
	(void)flags;
	return write_command(io, region, off, buf, len, PCI_COMMAND_MASTER, 0);
}

static ssize_t always_decode(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			     size_t len, unsigned int flags)
{
	(void)flags;
	return write_command(io, region, off, buf, len, 0, PCI_COMMAND_MEMORY);
}

static ssize_t always_master(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			     size_t len, unsigned int flags)
{
	(void)flags;
	return write_command(io, region, off, buf, len, 0, PCI_COMMAND_MASTER);
}

static ssize_t read_ones(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (ret != -EIO)
		return ret;
	memset(buf, 0xff, len);
	return (ssize_t)len;
}

static ssize_t swallow_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			     size_t len, unsigned int flags)
{
	ssize_t ret = right.region_write(io, region, off, buf, len, flags);

	return ret == -EIO ? (ssize_t)len : ret;
}

/* Says that BAR 0 is twice as large as the region. */
static ssize_t double_bar(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);
	uint32_t v;

	if (ret != 4 || region != CONFIG || off != PCI_BASE_ADDRESS_0)
		return ret;
	memcpy(&v, buf, 4);
	v &= v & 0x80000000 ? v << 1 : v;
	memcpy(buf, &v, 4);
	return ret;
}

static ssize_t bar_keeps_ones(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			      size_t len, unsigned int flags)
{
	if (region == CONFIG && off == PCI_BASE_ADDRESS_0 && wrapper(io)->calls++)
		return (ssize_t)len;
	return right.region_write(io, region, off, buf, len, flags);
}

static ssize_t endless_list(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	uint8_t first = 0;

	if (region == CONFIG)
		right.region_read(io, CONFIG, PCI_CAPABILITY_LIST, &first, 1);
	/* the first one's "next" is the first one */
	if (first && off == first + (uint64_t)PCI_CAP_LIST_NEXT)
		off = PCI_CAPABILITY_LIST;
	return right.region_read(io, region, off, buf, len);
}

static ssize_t low_list(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (region == CONFIG && off == PCI_CAPABILITY_LIST)
		((uint8_t *)buf)[0] = 0x20;
	return ret;
}

static int more_messages(struct vfk_io *io, struct vfio_irq_info *info)
{
	int ret = right.get_irq_info(io, info);

	if (info->index == MSI)
		info->count *= 2;
	return ret;
}

static int longer_bar(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == 0)
		info->size++;
	return ret;
}

const struct flaw flaws_config[] = {
	{ .name = "vendor and device id can be written",
	  .fails = "config_ids_read_only",
	  .says = "want (long long)ids",
	  .rule = "PCI 3.0 section 6.2.1: read-only",
	  .ops = { .region_write = keep_ids, .region_read = read_kept_ids } },
	{ .name = "the bus master bit cannot be set",
	  .fails = "config_command_bits",
	  .says = "the device can be no bus master",
	  .rule = "PCI 3.0 section 6.2.2",
	  .ops = { .region_write = no_master } },
	{ .name = "the bus master bit cannot be cleared",
	  .fails = "config_command_bits",
	  .says = "got 4 (0x4), want 0",
	  .rule = "PCI 3.0 section 6.2.2",
	  .ops = { .region_write = always_master } },
	{ .name = "a device without the bus master bit does DMA",
	  .fails = "engine_dma_needs_bus_master",
	  .says = "b.mem[PAGE + i]: got",
	  .rule = "PCI 3.0 section 6.2.2",
	  .ops = { .region_write = always_master } },
	{ .name = "memory is decoded without the memory bit",
	  .fails = "config_memory_decoding",
	  .says = "got 0 (0x0), want -EIO",
	  .rule = "io.h: -EIO, decoding is off",
	  .ops = { .region_write = always_decode } },
	{ .name = "memory that is not decoded reads as ones",
	  .fails = "config_memory_decoding",
	  .says = "got 0 (0x0), want -EIO",
	  .rule = "io.h: -EIO, decoding is off",
	  .ops = { .region_read = read_ones } },
	{ .name = "memory that is not decoded swallows writes",
	  .fails = "config_memory_decoding",
	  .says = "got 0 (0x0), want -EIO",
	  .rule = "io.h: -EIO, decoding is off",
	  .ops = { .region_write = swallow_write } },
	{ .name = "a BAR says that it is twice as large as its region",
	  .fails = "config_bar_sizing",
	  .says = "want (long long)size",
	  .rule = "PCI 3.0 section 6.2.5.1",
	  .ops = { .region_read = double_bar } },
	{ .name = "a region is a byte longer than its BAR",
	  .fails = "config_bar_sizing",
	  .says = "want (long long)size",
	  .rule = "PCI 3.0 section 6.2.5.1",
	  .ops = { .get_region_info = longer_bar } },
	{ .name = "a BAR keeps the ones that it was sized with",
	  .fails = "config_bar_sizing",
	  .says = "want (long long)old",
	  .rule = "PCI 3.0 section 6.2.5.1",
	  .ops = { .region_write = bar_keeps_ones } },
	{ .name = "the capability list has a loop",
	  .fails = "config_capability_list",
	  .says = "++n <= 48",
	  .rule = "PCI 3.0 section 6.7",
	  .ops = { .region_read = endless_list } },
	{ .name = "the capability list begins in the header",
	  .fails = "config_capability_list",
	  .says = "PCI_STD_HEADER_SIZEOF",
	  .rule = "PCI 3.0 section 6.7",
	  .ops = { .region_read = low_list } },
	{ .name = "more messages than the MSI capability has",
	  .fails = "config_msi_count",
	  .says = "want msi = ",
	  .rule = "PCI 3.0 section 6.8.1.3",
	  .ops = { .get_irq_info = more_messages } },
	{ .name = NULL },
};
