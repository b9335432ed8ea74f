/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inventory.h - what a device has, asked index by index.
 *
 * A kernel device answers -EINVAL for an index below its count that this device does not have (VGA,
 * the error interrupt of a device that is not PCI Express): such an index is shown as unused.
 */
#ifndef INVENTORY_H
#define INVENTORY_H

#include <stdbool.h>
#include <vfiokit/device.h>

/* All three return 0 or -errno, vfk_error() set. */
int inventory_region(struct vfk_device *dev, uint32_t index, struct vfk_region_info *info);
int inventory_irq(struct vfk_device *dev, uint32_t index, struct vfk_irq_info *info);

struct pci_identity {
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class_code;
	uint8_t revision;
};

int inventory_pci(struct vfk_device *dev, struct pci_identity *id);

#endif
