/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vga.c - the legacy VGA ranges.
 *
 * Any thread; there is no state.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <vfiokit/pci_vga.h>

#define VGA VFIO_PCI_VGA_REGION_INDEX

static const struct vfk_region_area ranges[] = {
	{ 0xa0000, 0x20000 },
	{ 0x3b0, 12 },
	{ 0x3c0, 32 },
};

int vfk_pci_vga_present(struct vfk_pci *pci)
{
	const struct vfk_region_info *info;
	int ret;

	/* The index came with Linux 3.9; a device may have fewer. */
	if (vfk_device_num_regions(pci->dev) <= VGA)
		return 0;
	ret = vfk_region_get_info(pci->dev, VGA, &info);
	if (ret == -EINVAL) /* vfio-pci, where it has none */
		return 0;
	return ret < 0 ? ret : info->size > 0;
}

static int check(struct vfk_pci *pci, uint64_t addr, size_t len)
{
	int ret = vfk_pci_vga_present(pci);

	if (ret < 0)
		return ret;
	if (!ret)
		return vfki_err(-ENOENT, "%s: no VGA region", vfki_pci_name(pci));
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (vfki_range_within(addr, len, ranges[i].offset, ranges[i].length))
			return 0;
	}
	return vfki_err(-EINVAL, "%s: VGA: %zu bytes at 0x%" PRIx64 ": in none of its ranges",
			vfki_pci_name(pci), len, addr);
}

ssize_t vfk_pci_vga_read(struct vfk_pci *pci, uint64_t addr, void *buf, size_t len)
{
	int ret = check(pci, addr, len);

	return ret < 0 ? ret : vfk_region_read(pci->dev, VGA, addr, buf, len);
}

ssize_t vfk_pci_vga_write(struct vfk_pci *pci, uint64_t addr, const void *buf, size_t len)
{
	int ret = check(pci, addr, len);

	return ret < 0 ? ret : vfk_region_write(pci->dev, VGA, addr, buf, len, 0);
}
