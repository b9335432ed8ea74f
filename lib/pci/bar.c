/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bar.c - what the BARs are: their registers, their regions, and what of that contradicts itself.
 *
 * Reading happens in open; asking from any thread.
 */
#include "bar.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stdio.h>

#define MSIX_ENTRY 16 /* PCI 3.0 section 6.8.2 */

/* PCI 3.0 section 6.2.5.1, PCI-to-PCI bridge 1.2 section 3.2.5, PC Card 8.0 volume 7 section 4.5.2 */
static unsigned int num_bars(const struct vfk_pci *pci)
{
	switch (pci->identity.header_type) {
	case PCI_HEADER_TYPE_NORMAL:
		return 6;
	case PCI_HEADER_TYPE_BRIDGE:
		return 2;
	case PCI_HEADER_TYPE_CARDBUS:
		return 1;
	default:
		return 0;
	}
}

static __attribute__((format(printf, 2, 3))) void odd(struct vfki_pci_bar *b, const char *fmt, ...)
{
	va_list ap;

	if (b->info.oddity) /* the first is what matters */
		return;
	va_start(ap, fmt);
	vsnprintf(b->text, sizeof(b->text), fmt, ap);
	va_end(ap);
	b->info.oddity = b->text;
}

static uint32_t flags_of(uint32_t reg)
{
	if (reg & PCI_BASE_ADDRESS_SPACE_IO)
		return VFK_BAR_IO;
	return ((reg & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64 ?
			VFK_BAR_64 :
			0) |
	       (reg & PCI_BASE_ADDRESS_MEM_PREFETCH ? VFK_BAR_PREFETCH : 0);
}

static void judge_size(struct vfki_pci_bar *b)
{
	uint64_t size = b->info.size, least = b->info.flags & VFK_BAR_IO ? 4 : 16;

	if (!vfki_is_pow2(size))
		odd(b, "its size 0x%" PRIx64 " is no power of two", size);
	else if (size < least)
		odd(b, "its size 0x%" PRIx64 " is too small for its kind", size);
	else if (!(b->info.flags & VFK_BAR_64) && size > 1u << 31)
		odd(b, "its size 0x%" PRIx64 " is beyond a register of 32 bits", size);
}

/* Asks for the region; a BAR of which the device tells nothing is only that one's affair. */
static int read_region(struct vfk_pci *pci, unsigned int i)
{
	struct vfki_pci_bar *b = &pci->bars.bar[i];
	const struct vfk_region_info *info;
	int ret = vfk_region_get_info(pci->dev, i, &info);

	if (!ret) {
		b->info.size = info->size;
		return 0;
	}
	if (vfki_pci_is_gone(ret))
		return ret;
	b->error = ret;
	snprintf(b->text, sizeof(b->text), "%s", vfk_error());
	return 0;
}

static int read_bar(struct vfk_pci *pci, unsigned int i)
{
	struct vfki_pci_bar *b = &pci->bars.bar[i];
	uint32_t reg;
	int ret = read_region(pci, i);

	if (ret < 0 || !b->info.size)
		return ret;
	ret = vfk_pci_config_read(pci, PCI_BASE_ADDRESS_0 + 4 * i, 4, &reg);
	if (ret < 0)
		return ret;
	b->info.flags = flags_of(reg);
	if (!(reg & PCI_BASE_ADDRESS_SPACE_IO) &&
	    (reg & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_MASK)
		odd(b, "its register has the reserved type");
	return 0;
}

/* A 64-bit BAR takes the next place; whatever is said of that one is not so. */
static void pair(struct vfki_pci_bar *b, struct vfki_pci_bar *next)
{
	if (!next) {
		b->info.flags &= ~(uint32_t)VFK_BAR_64;
		odd(b, "its register says 64 bits, and there is no place for the upper half");
		return;
	}
	if (next->info.size)
		odd(b, "it has 64 bits, and its upper half has a size of its own, 0x%" PRIx64,
		    next->info.size);
	next->info = (struct vfk_pci_bar_info){ .upper = true };
	next->error = 0;
}

static int find_holes(struct vfk_pci *pci)
{
	struct vfki_pci_hole *hole = pci->bars.hole;
	uint32_t off, table, pba, n;
	int ret;

	/* A capability that its list is too short for says nothing. */
	if (vfki_pci_cap_find_whole(pci, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF, &off) < 0)
		return 0;
	ret = vfk_pci_config_read(pci, off + PCI_MSIX_FLAGS, 2, &n);
	if (!ret)
		ret = vfk_pci_config_read(pci, off + PCI_MSIX_TABLE, 4, &table);
	if (!ret)
		ret = vfk_pci_config_read(pci, off + PCI_MSIX_PBA, 4, &pba);
	if (ret < 0)
		return ret;
	n = (n & PCI_MSIX_FLAGS_QSIZE) + 1;
	hole[0] = (struct vfki_pci_hole){ .bar = table & PCI_MSIX_TABLE_BIR,
					  .off = table & PCI_MSIX_TABLE_OFFSET,
					  .len = n * MSIX_ENTRY };
	hole[1] = (struct vfki_pci_hole){ .bar = pba & PCI_MSIX_PBA_BIR,
					  .off = pba & PCI_MSIX_PBA_OFFSET,
					  .len = (n + 63) / 64 * 8 };
	return 0;
}

int vfki_pci_bars_init(struct vfk_pci *pci)
{
	struct vfki_pci_bar *bar = pci->bars.bar;
	unsigned int n = num_bars(pci);

	for (unsigned int i = 0; i < n; i++) {
		int ret = read_bar(pci, i);

		if (ret < 0)
			return ret;
	}
	for (unsigned int i = 0; i < n; i++) {
		if (bar[i].info.flags & VFK_BAR_64)
			pair(&bar[i], i + 1 < n ? &bar[i + 1] : NULL);
		if (bar[i].info.size)
			judge_size(&bar[i]);
	}
	return find_holes(pci);
}

const struct vfki_pci_bar *vfki_pci_bar_find(const struct vfk_pci *pci, unsigned int bar, int *ret)
{
	const struct vfki_pci_bar *b;

	if (bar >= VFK_PCI_NUM_BARS) {
		*ret = vfki_err(-EINVAL, "%s: BAR %u: there are %d", vfki_pci_name(pci), bar,
				VFK_PCI_NUM_BARS);
		return NULL;
	}
	b = &pci->bars.bar[bar];
	*ret = b->error ? vfki_err(b->error, "%s", b->text) : 0;
	return b->error ? NULL : b;
}

int vfk_pci_bar_get_info(const struct vfk_pci *pci, unsigned int bar, struct vfk_pci_bar_info *info)
{
	int ret;
	const struct vfki_pci_bar *b = vfki_pci_bar_find(pci, bar, &ret);

	if (b)
		*info = b->info;
	return ret;
}
