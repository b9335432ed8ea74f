/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vectors.c - kernel-vectors URI: MSI of a device that has several vectors, of which this machine grants one. Whoever can
 * do with one gets it; who cannot gets none, and has none. Prints results.
 */
#include <errno.h>
#include <stdint.h>

#include "said.h"

#define MSI VFIO_PCI_MSI_IRQ_INDEX

static void try_vectors(struct vfk_device *dev, struct vfk_pci *pci, uint32_t count)
{
	struct vfk_pci_irq_state state;
	uint64_t signals = 0;
	int fd;

	said(vfk_pci_irq_enable(pci, MSI, count, count, NULL), -ENOSPC, "all or none: none");
	printf("says: %s\n", vfk_error());
	vfk_pci_irq_get_state(pci, &state);
	said(state.index == VFK_PCI_IRQ_NONE, true, "nothing is enabled");
	said(vfk_irq_trigger(dev, MSI, 0, 1), -EINVAL, "nor does the kernel have it enabled");
	said(vfk_pci_irq_enable(pci, MSI, 1, count, NULL), 1, "as many as can be had: one");
	fd = vfk_pci_irq_fd(pci, 0);
	said(vfk_irq_trigger(dev, MSI, 0, 1), 0, "it is signalled");
	said(vfk_irq_wait(dev, &fd, 1, 5000, &signals), 1, "it arrives");
}

int main(int argc, char **argv)
{
	struct vfk_irq_info info = { 0 };
	struct vfk_device *dev = NULL;
	struct vfk_pci *pci = NULL;

	if (argc != 2)
		return 2;
	said(vfk_device_open(argv[1], NULL, &dev), 0, "the device opens");
	if (!dev)
		return 1;
	said(vfk_pci_open(dev, &pci), 0, "as a PCI device");
	said(vfk_irq_get_info(dev, MSI, &info), 0, "what it has of MSI");
	said(info.count > 1, true, "several vectors");
	if (pci)
		try_vectors(dev, pci, info.count);
	vfk_pci_close(pci);
	vfk_device_close(dev);
	return 0;
}
