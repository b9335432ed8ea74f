/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_irq.h - interrupts of a PCI device.
 *
 * Errors and threads as in pci.h.
 */
#ifndef VFK_PCI_IRQ_H
#define VFK_PCI_IRQ_H

#include <stdint.h>
#include <vfiokit/api.h>

VFK_BEGIN

struct vfk_pci;

/* ---- MSI-X: where it is ---- */

/** struct vfk_pci_msix_info - the MSI-X capability (PCI 3.0 section 6.8.2), checked against the BARs; constant */
struct vfk_pci_msix_info {
	uint32_t cap;	/* offset of the capability in config space */
	uint32_t count; /* entries of the table: 1 to 2048 */
	uint32_t usable; /* vectors that can be had: @count, or less where the interrupt's info says less */
	uint32_t table_bar;    /* 0 to 5, which is the region's index too */
	uint64_t table_offset; /* in that BAR; a multiple of 8 */
	uint64_t table_size;   /* bytes: 16 an entry */
	uint32_t pba_bar;      /* where the pending bits are, likewise */
	uint64_t pba_offset;
	uint64_t pba_size; /* bytes: whole quadwords of a bit an entry */
};

/**
 * vfk_pci_msix_get_info - where the MSI-X table and the pending bits of a device are
 * @info: set
 *
 * Found out once, by vfk_pci_open(). A device that gives a wrong place can be opened, and its vectors enabled: only those
 * who reach for table or pending bits need to know.
 *
 * Returns 0; -ENOENT the device has no MSI-X; -EPROTO table or pending bits are in no BAR (an indicator above 5), do not
 * lie inside theirs, or overlap; what asking for a BAR's region info said.
 */
VFK_API int vfk_pci_msix_get_info(const struct vfk_pci *pci, struct vfk_pci_msix_info *info);

VFK_END

#endif
