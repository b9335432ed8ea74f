/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msix.c - where MSI-X keeps its table and its pending bits: read once, and checked against the BARs.
 *
 * Read in open; asked from any thread.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdarg.h>
#include <stdio.h>

#define ENTRY	 16 /* bytes: PCI 3.0 section 6.8.2 */
#define PBA_UNIT 64 /* entries of a quadword of pending bits */
#define MAX_BIR	 5
#define BIR_MASK ((uint32_t)PCI_MSIX_TABLE_BIR)

/* Remembers the result and its text, for whoever asks. */
static int __attribute__((format(printf, 3, 4)))
wrong(struct vfki_pci_msix *m, int result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, ap);
	va_end(ap);
	return m->result = result;
}

/* Whether @size bytes at @off lie inside @bar; @what is for the text. */
static int check_place(struct vfk_pci *pci, const char *what, uint32_t bar, uint64_t off,
		       uint64_t size)
{
	struct vfki_pci_msix *m = &pci->irqs.msix;
	const struct vfk_region_info *region;
	int ret;

	if (bar > MAX_BIR)
		return wrong(m, -EPROTO, "MSI-X %s: BAR indicator %" PRIu32, what, bar);
	ret = vfk_region_get_info(pci->dev, bar, &region);
	if (ret < 0)
		return wrong(m, ret, "MSI-X %s: BAR %" PRIu32 ": its info cannot be had", what,
			     bar);
	if (!vfki_range_ok(off, size, region->size))
		return wrong(m, -EPROTO,
			     "MSI-X %s: 0x%" PRIx64 " bytes at 0x%" PRIx64 ": BAR %" PRIu32
			     " has 0x%" PRIx64,
			     what, size, off, bar, region->size);
	return 0;
}

static void check(struct vfk_pci *pci)
{
	const struct vfk_pci_msix_info *i = &pci->irqs.msix.info;

	if (check_place(pci, "table", i->table_bar, i->table_offset, i->table_size) ||
	    check_place(pci, "PBA", i->pba_bar, i->pba_offset, i->pba_size))
		return;
	/* PCI 3.0 section 6.8.2: they may share a page, and must not overlap. */
	if (i->table_bar == i->pba_bar &&
	    vfki_ranges_overlap(i->table_offset, i->table_size, i->pba_offset, i->pba_size))
		wrong(&pci->irqs.msix, -EPROTO, "MSI-X table and PBA overlap");
}

/* Of a device that does not tell how many vectors can be had nothing else about MSI-X is worth knowing. */
static int ask_usable(struct vfk_pci *pci)
{
	struct vfki_pci_msix *m = &pci->irqs.msix;
	struct vfk_irq_info info;
	int ret;

	if (vfk_device_num_irqs(pci->dev) <= VFIO_PCI_MSIX_IRQ_INDEX)
		return 0;
	ret = vfk_irq_get_info(pci->dev, VFIO_PCI_MSIX_IRQ_INDEX, &info);
	if (!ret)
		m->info.usable = (uint32_t)vfki_min_u64(m->info.count, info.count);
	else if (!vfki_pci_is_gone(ret))
		wrong(m, ret, "MSI-X: its interrupt info cannot be had: %s", vfk_error());
	return vfki_pci_is_gone(ret) ? ret : 0;
}

int vfki_pci_msix_init(struct vfk_pci *pci)
{
	struct vfki_pci_msix *m = &pci->irqs.msix;
	uint32_t cap, control, table, pba, count;
	int ret;

	if (vfk_pci_cap_find(pci, PCI_CAP_ID_MSIX, &cap) < 0) {
		wrong(m, -ENOENT, "no MSI-X");
		return 0;
	}
	if (vfki_pci_cap_find_whole(pci, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF, &cap) < 0) {
		wrong(m, -EPROTO, "MSI-X: the capability does not fit into config space");
		return 0;
	}
	ret = vfk_pci_config_read(pci, cap + PCI_MSIX_FLAGS, 2, &control);
	if (!ret)
		ret = vfk_pci_config_read(pci, cap + PCI_MSIX_TABLE, 4, &table);
	if (!ret)
		ret = vfk_pci_config_read(pci, cap + PCI_MSIX_PBA, 4, &pba);
	if (ret < 0)
		return ret;
	count = (control & PCI_MSIX_FLAGS_QSIZE) + 1;
	m->info = (struct vfk_pci_msix_info){
		.cap = cap,
		.count = count,
		.table_bar = table & BIR_MASK,
		.table_offset = table & ~BIR_MASK,
		.table_size = (uint64_t)count * ENTRY,
		.pba_bar = pba & BIR_MASK,
		.pba_offset = pba & ~BIR_MASK,
		.pba_size = (uint64_t)(count + PBA_UNIT - 1) / PBA_UNIT * (PBA_UNIT / 8),
	};
	ret = ask_usable(pci);
	if (!ret && !m->result)
		check(pci);
	return ret;
}

int vfk_pci_msix_get_info(const struct vfk_pci *pci, struct vfk_pci_msix_info *info)
{
	const struct vfki_pci_msix *m = &pci->irqs.msix;

	if (m->result < 0)
		return vfki_err(m->result, "%s: %s", vfki_pci_name(pci), m->why);
	*info = m->info;
	return 0;
}
