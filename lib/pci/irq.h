/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.h - interrupts of a PCI device.
 */
#ifndef VFKI_PCI_IRQ_H
#define VFKI_PCI_IRQ_H

#include <stdint.h>
#include <vfiokit/pci_irq.h>

struct vfk_pci;

/* What early setup found; constant. */
struct vfki_pci_msix {
	int result;   /* of vfk_pci_msix_get_info() */
	char why[96]; /* its text; of a failure */
	struct vfk_pci_msix_info info;
};

struct vfki_pci_irqs {
	struct vfki_pci_msix msix;
};

/* Reads the MSI-X capability. Returns 0, also when what it says is wrong; an access's error. */
int vfki_pci_irqs_init(struct vfk_pci *pci);

/* msix.c */
int vfki_pci_msix_init(struct vfk_pci *pci);

#endif
