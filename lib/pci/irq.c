/* SPDX-License-Identifier: BSD-3-Clause */
/* irq.c - interrupts of a PCI device. */
#include "instance.h"

int vfki_pci_irqs_init(struct vfk_pci *pci)
{
	return vfki_pci_msix_init(pci);
}
