/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inventory.c - what a device has, asked index by index.
 */
#include <errno.h>

#include "inventory.h"

int inventory_region(struct vfk_device *dev, uint32_t index, struct vfk_region_info *info)
{
	const struct vfk_region_info *known;
	int r = vfk_region_get_info(dev, index, &known);

	if (r == 0)
		*info = *known;
	if (r != -EINVAL || index >= vfk_device_num_regions(dev))
		return r;
	*info = (struct vfk_region_info){ .index = index };
	return 0;
}

int inventory_irq(struct vfk_device *dev, uint32_t index, struct vfk_irq_info *info)
{
	int r = vfk_irq_get_info(dev, index, info);

	if (r != -EINVAL || index >= vfk_device_num_irqs(dev))
		return r;
	*info = (struct vfk_irq_info){ .index = index };
	return 0;
}

static int get(struct vfk_device *dev, unsigned int offset, unsigned int width, uint64_t *value)
{
	return vfk_region_get(dev, VFIO_PCI_CONFIG_REGION_INDEX, offset, width, value);
}

/* PCI 3.0 section 6.1: the layout of a type 0 header; the subsystem's ids are there only in it. */
int inventory_pci(struct vfk_device *dev, struct pci_identity *id)
{
	uint64_t ids, class_revision, header, subsystem = 0;
	int r;

	if ((r = get(dev, 0x00, 4, &ids)) < 0 || (r = get(dev, 0x08, 4, &class_revision)) < 0 ||
	    (r = get(dev, 0x0e, 1, &header)) < 0)
		return r;
	if ((header & 0x7f) == 0 && (r = get(dev, 0x2c, 4, &subsystem)) < 0)
		return r;
	*id = (struct pci_identity){
		.vendor = ids & 0xffff,
		.device = ids >> 16 & 0xffff,
		.subvendor = subsystem & 0xffff,
		.subdevice = subsystem >> 16 & 0xffff,
		.class_code = class_revision >> 8 & 0xffffff,
		.revision = class_revision & 0xff,
	};
	return 0;
}
