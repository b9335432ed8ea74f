/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PCI device as sysfs shows it: found by its ids, given to vfio-pci, its IOMMU group. One thread.
 */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include <stdint.h>

struct pci_device {
	char address[32]; /* DDDD:BB:DD.F */
	char group[16];	  /* number of the IOMMU group, once bound */
};

/* 0, or -ENODEV. */
int pci_find(uint16_t vendor, uint16_t device, struct pci_device *found);

/* Takes the device from the driver that it has, if any, and gives it to vfio-pci. 0 or -errno. */
int pci_bind_vfio(struct pci_device *device);

#endif
