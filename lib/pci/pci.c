/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci.c - opening and closing a PCI device, and what it is.
 *
 * Threads: open and close alone.
 */
#include "instance.h"
#include "lib/base/error.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdlib.h>

#define MULTIFUNCTION 0x80 /* PCI 3.0 section 6.2.1, Header Type */

static int read_subsystem(struct vfk_pci *pci)
{
	struct vfk_pci_identity *id = &pci->identity;
	uint32_t v;
	int ret;

	if (id->header_type != PCI_HEADER_TYPE_NORMAL)
		return 0;
	ret = vfk_pci_config_read(pci, PCI_SUBSYSTEM_VENDOR_ID, 4, &v);
	if (ret < 0)
		return ret;
	id->subvendor = (uint16_t)v;
	id->subdevice = (uint16_t)(v >> 16);
	return 0;
}

static int read_identity(struct vfk_pci *pci)
{
	struct vfk_pci_identity *id = &pci->identity;
	uint32_t ids, class, type;
	int ret = vfk_pci_config_read(pci, PCI_VENDOR_ID, 4, &ids);

	if (!ret)
		ret = vfk_pci_config_read(pci, PCI_CLASS_REVISION, 4, &class);
	if (!ret)
		ret = vfk_pci_config_read(pci, PCI_HEADER_TYPE, 1, &type);
	if (ret < 0)
		return ret;
	if (ids == UINT32_MAX)
		return vfki_err(-ENODEV, "%s: config space reads as ones", vfki_pci_name(pci));
	*id = (struct vfk_pci_identity){
		.vendor = (uint16_t)ids,
		.device = (uint16_t)(ids >> 16),
		.class_code = class >> 8,
		.revision = (uint8_t) class,
		.header_type = (uint8_t)(type & ~MULTIFUNCTION),
		.multifunction = type & MULTIFUNCTION,
	};
	return read_subsystem(pci);
}

/* Interrupts may be fewer: the indices of errors and requests came later (Linux 3.11, 4.0). */
static int check_shape(const struct vfk_device *dev)
{
	uint32_t regions = vfk_device_num_regions(dev);

	if (!(vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI))
		return vfki_err(-ENOTSUP, "%s: no PCI device", vfk_device_name(dev));
	if (regions <= VFIO_PCI_CONFIG_REGION_INDEX)
		return vfki_err(-EPROTO,
				"%s: it says that it is a PCI device, and has %" PRIu32
				" regions: config space would be the eighth",
				vfk_device_name(dev), regions);
	return 0;
}

/* Any part may be closed that was not opened: it is zero then. */
static void release(struct vfk_pci *pci)
{
	vfki_pci_irqs_fini(pci);
	vfki_pci_rom_fini(pci);
	vfki_pci_bars_fini(pci);
	vfki_pci_config_fini(pci);
	pthread_mutex_destroy(&pci->lock);
	free(pci);
}

int vfk_pci_open(struct vfk_device *dev, struct vfk_pci **out)
{
	struct vfk_pci *pci;
	int ret = check_shape(dev);

	if (ret < 0)
		return ret;
	pci = calloc(1, sizeof(*pci));
	if (!pci)
		return vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
	pci->dev = dev;
	pthread_mutex_init(&pci->lock, NULL);
	ret = vfki_pci_config_init(pci);
	if (!ret)
		ret = read_identity(pci);
	if (!ret)
		ret = vfki_pci_caps_read(pci);
	if (!ret)
		ret = vfki_pci_bars_init(pci);
	if (!ret)
		ret = vfki_pci_irqs_init(pci);
	if (ret < 0) {
		release(pci);
		return ret;
	}
	*out = pci;
	return 0;
}

void vfk_pci_close(struct vfk_pci *pci)
{
	if (!pci)
		return;
	vfki_pci_power_fini(pci);
	release(pci);
}

struct vfk_device *vfk_pci_device(const struct vfk_pci *pci)
{
	return pci->dev;
}

void vfk_pci_get_identity(const struct vfk_pci *pci, struct vfk_pci_identity *identity)
{
	*identity = pci->identity;
}
