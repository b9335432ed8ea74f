/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handover.c - what is done to hardware when its client goes away.
 *
 * Registers: PCI 3.0, section 6.2.2 (Command).
 *
 * Threads: the server's.
 */
#include "handover.h"
#include <linux/pci_regs.h>

int vfki_handover_quiet(struct vfk_device *dev)
{
	uint64_t command;
	int ret;

	if (!(vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI))
		return 0;
	ret = vfk_region_get(dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, &command);
	if (ret || !(command & PCI_COMMAND_MASTER))
		return ret;
	command &= ~(uint64_t)PCI_COMMAND_MASTER;
	return vfk_region_put(dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, command);
}

int vfki_handover_reset(struct vfk_device *dev)
{
	/* No reset ends these. Most devices have neither, and one that is gone is found by the reset. */
	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, NULL, 0);
	vfk_feature_set(dev, VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, NULL, 0);
	return vfk_device_reset(dev);
}
