/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_pci.c - PCI devices whose BARs and ROM are not what they say. */
#include <errno.h>
#include <fcntl.h>
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

static int bar_without_info(struct vfk_io *io, struct vfio_region_info *info,
			    struct vfk_region_fds *fds)
{
	return info->index == 1 ? -EIO : right.get_region_info(io, info, fds);
}

static int vga_without_info(struct vfk_io *io, struct vfio_region_info *info,
			    struct vfk_region_fds *fds)
{
	return info->index == VFIO_PCI_VGA_REGION_INDEX ? -EIO :
							  right.get_region_info(io, info, fds);
}

/* BAR 4 has the MSI-X table. */
static int map_of_nothing(struct vfk_io *io, struct vfio_region_info *info,
			  struct vfk_region_fds *fds)
{
	int ret = right.get_region_info(io, info, fds);

	if (info->index == 4)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return ret;
}

static int map_of_little(struct vfk_io *io, struct vfio_region_info *info,
			 struct vfk_region_fds *fds)
{
	int ret = map_of_nothing(io, info, fds);

	if (info->index != 4 || !fds)
		return ret;
	fds->fd[0] = fcntl(wrapper(io)->fd, F_DUPFD_CLOEXEC, 0);
	fds->count = fds->fd[0] >= 0;
	return ret;
}

/* Where it was when the device was opened; at the BAR's beginning afterwards. */
static ssize_t table_moves(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (region == CONFIG && off >= PCI_STD_HEADER_SIZEOF && len == 4 &&
	    off == wrapper_cap(io, PCI_CAP_ID_MSIX) + PCI_MSIX_TABLE && wrapper(io)->calls++ > 1)
		memcpy(buf, (const uint8_t[4]){ 4 }, 4);
	return ret;
}

/* The highest byte of a register is another one with each read. */
static ssize_t whims(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len,
		     uint64_t reg)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (region == CONFIG && off == reg && len == 4 && ret == 4)
		((uint8_t *)buf)[3] = (uint8_t)wrapper(io)->calls++;
	return ret;
}

static ssize_t class_of_whims(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			      size_t len)
{
	return whims(io, region, off, buf, len, PCI_CLASS_REVISION);
}

static ssize_t bar_of_whims(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	return whims(io, region, off, buf, len, PCI_BASE_ADDRESS_0);
}

/* Its id is right the first time. */
static ssize_t capability_of_whims(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
				   size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (region == CONFIG && off >= PCI_STD_HEADER_SIZEOF && ret > 0 &&
	    off == wrapper_cap(io, PCI_CAP_ID_PM) && wrapper(io)->calls++)
		((uint8_t *)buf)[0] = 0x7e;
	return ret;
}

static ssize_t status_once(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	if (region == CONFIG && off == PCI_STATUS && wrapper(io)->calls++)
		return -EIO;
	return right.region_read(io, region, off, buf, len);
}

/* The first image says that it has 65535 units of 512 bytes. */
static ssize_t endless_image(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			     size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);
	uint8_t *bytes = buf;
	size_t at;

	if (region != ROM || off || ret < 0x40)
		return ret;
	at = (size_t)(bytes[0x18] | bytes[0x19] << 8) + 0x10;
	if (at + 2 <= (size_t)ret)
		memset(bytes + at, 0xff, 2);
	return ret;
}

const struct flaw flaws_pci[] = {
	{ .name = "a BAR's info cannot be had",
	  .fails = "pci_bar_bounds",
	  .says = "vfk_pci_bar_get_info",
	  .rule = "io.h: get_region_info, each index below num_regions",
	  .base = BASE_TESTDEV,
	  .ops = { .get_region_info = bar_without_info } },
	{ .name = "the MSI-X table moves while the device is open",
	  .fails = "pci_bar_areas_without_msix",
	  .says = "touches_msix",
	  .rule = "PCI 3.0 section 6.8.2.4: Table Offset is read-only",
	  .base = BASE_TESTDEV,
	  .ops = { .get_region_info = map_of_little, .region_read = table_moves } },
	{ .name = "a BAR can be mapped, and there is nothing to map",
	  .passes = "pci_bar_map_any",
	  .rule = "typed access goes by the vector then",
	  .base = BASE_TESTDEV,
	  .ops = { .get_region_info = map_of_nothing } },
	{ .name = "a BAR can be mapped, and there is nothing to map",
	  .fails = "pci_bar_map_range",
	  .says = "vfk_pci_bar_map_range",
	  .rule = "VFIO_REGION_INFO_FLAG_MMAP",
	  .base = BASE_TESTDEV,
	  .ops = { .get_region_info = map_of_nothing } },
	{ .name = "what is mapped is shorter than the BAR",
	  .fails = "pci_bar_map_any",
	  .says = "vfk_pci_bar_map(pci, i): got",
	  .rule = "VFIO_REGION_INFO_FLAG_MMAP",
	  .base = BASE_TESTDEV,
	  .ops = { .get_region_info = map_of_little } },
	{ .name = "an image is longer than the ROM",
	  .passes = "pci_rom_images",
	  .rule = "vfk_pci_rom_next_image() tells of it, and trusts no length",
	  .base = BASE_TESTDEV,
	  .ops = { .region_read = endless_image } },
	{ .name = "nobody knows whether there are VGA ranges",
	  .fails = "pci_vga_or_not",
	  .says = "present == 0 || present == 1",
	  .rule = "io.h: get_region_info, each index below num_regions",
	  .ops = { .get_region_info = vga_without_info } },
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
	{ .name = "the class is another one each time",
	  .fails = "virtual_ids",
	  .says = "PCI_CLASS_REVISION",
	  .rule = "PCI 3.0 section 6.2.1",
	  .base = BASE_TESTDEV,
	  .ops = { .region_read = class_of_whims } },
	{ .name = "a capability becomes another one after it was listed",
	  .passes = "virtual_capability_lists",
	  .rule = "what the guest finds was read once",
	  .base = BASE_TESTDEV,
	  .ops = { .region_read = capability_of_whims } },
	{ .name = "the status register cannot be read a second time",
	  .fails = "virtual_capabilities_hidden",
	  .says = "vfk_pci_virtual_config_read",
	  .rule = "io.h: region_read",
	  .base = BASE_TESTDEV,
	  .ops = { .region_read = status_once } },
	{ .name = "a BAR is somewhere else each time",
	  .fails = "virtual_bar_sizing",
	  .says = "want (long long)before",
	  .rule = "PCI 3.0 section 6.2.5.1",
	  .base = BASE_TESTDEV,
	  .ops = { .region_read = bar_of_whims } },
	{ .name = "what the guest writes to a register is lost",
	  .fails = "virtual_bar_access",
	  .says = "want e->scratch_reads(written)",
	  .rule = "io.h: region_write",
	  .base = BASE_TESTDEV,
	  .ops = { .region_write = swallow } },
	{ .name = NULL },
};
