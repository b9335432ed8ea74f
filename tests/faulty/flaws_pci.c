/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_pci.c - PCI devices whose BARs and ROM are not what they say. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "wrapper.h"

#define ROM VFIO_PCI_ROM_REGION_INDEX

static int odd_size(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == 0)
		info->size -= 4;
	return ret;
}

/* BAR 0 has 64 bits, and the next one has a size. */
static int size_of_upper_half(struct vfk_io *io, struct vfio_region_info *info,
			      struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == 1) {
		info->size = 4096;
		info->flags = VFIO_REGION_INFO_FLAG_READ;
	}
	return ret;
}

static ssize_t wide_bar(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (region == CONFIG && off == PCI_BASE_ADDRESS_0 && ret == 4)
		((uint8_t *)buf)[0] |= PCI_BASE_ADDRESS_MEM_TYPE_64;
	return ret;
}

static ssize_t swallow(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
		       size_t len, unsigned int flags)
{
	return region == 0 ? (ssize_t)len : right.region_write(io, region, off, buf, len, flags);
}

static int with_rom(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds,
		    uint64_t size)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == ROM) {
		info->size = size;
		info->flags = VFIO_REGION_INFO_FLAG_READ;
	}
	return ret;
}

static int small_rom(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	return with_rom(io, info, fds, 4096);
}

static int huge_rom(struct vfk_io *io, struct vfio_region_info *info, struct vfk_region_fds *fds)
{
	return with_rom(io, info, fds, (4ull << 30) + (64 << 10));
}

static ssize_t rom_again(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	return region == ROM ? -EAGAIN : right.region_read(io, region, off, buf, len);
}

static ssize_t rom_of_zeroes(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			     size_t len)
{
	if (region != ROM)
		return right.region_read(io, region, off, buf, len);
	memset(buf, 0, len);
	return (ssize_t)len;
}

/* Another byte with each read. */
static ssize_t rom_of_whims(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	if (region != ROM)
		return right.region_read(io, region, off, buf, len);
	memset(buf, (int)wrapper(io)->calls++, len);
	return (ssize_t)len;
}

/* The ROM's BAR keeps what was written to it first, a mask of 4096 bytes. */
static ssize_t sized_once(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			  size_t len, unsigned int flags)
{
	if (region != CONFIG || off != PCI_ROM_ADDRESS)
		return right.region_write(io, region, off, buf, len, flags);
	wrapper(io)->calls++;
	return (ssize_t)len;
}

static ssize_t read_mask(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	static const uint8_t mask[4] = { 0, 0xf0, 0xff, 0xff };

	if (region != CONFIG || off != PCI_ROM_ADDRESS || len != 4 || !wrapper(io)->calls)
		return right.region_read(io, region, off, buf, len);
	memcpy(buf, mask, 4);
	return 4;
}

const struct flaw flaws_pci[] = {
	{ .name = "a BAR's size is no power of two",
	  .fails = "pci_bar_is_its_region",
	  .says = "info.oddity",
	  .rule = "PCI 3.0 section 6.2.5.1",
	  .ops = { .get_region_info = odd_size } },
	{ .name = "the upper half of a 64-bit BAR has a size",
	  .fails = "pci_bar_is_its_region",
	  .says = "info.oddity",
	  .rule = "PCI 3.0 section 6.2.5.1",
	  .ops = { .get_region_info = size_of_upper_half, .region_read = wide_bar } },
	{ .name = "registers cannot be written",
	  .fails = "pci_bar_register",
	  .says = "want e->scratch_reads(value)",
	  .rule = "io.h: region_write",
	  .ops = { .region_write = swallow } },
	{ .name = "a ROM says again for ever",
	  .passes = "pci_rom_loads_or_says_why",
	  .rule = "seed 8: reading ended never",
	  .ops = { .get_region_info = small_rom, .region_read = rom_again } },
	{ .name = "a ROM of 4 GiB and 64 KiB",
	  .passes = "pci_rom_loads_or_says_why",
	  .rule = "seed 8: its size was taken for 64 KiB",
	  .ops = { .get_region_info = huge_rom, .region_read = rom_of_zeroes } },
	{ .name = "a ROM reads differently each time",
	  .fails = "pci_rom_loads_or_says_why",
	  .says = "memcmp",
	  .rule = "PCI 3.0 section 6.3",
	  .ops = { .get_region_info = small_rom, .region_read = rom_of_whims } },
	{ .name = "the ROM's BAR keeps the ones that it was sized with",
	  .fails = "pci_rom_probe_restores",
	  .says = "want (long long)before",
	  .rule = "PCI 3.0 section 6.2.5.2",
	  .ops = { .region_write = sized_once, .region_read = read_mask } },
	{ .name = NULL },
};
