/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notifier.c - being told of errors, and asked to give the device back.
 *
 * No eventfd is remembered: the device keeps it, through resets too. Any thread.
 */
#include "instance.h"
#include "lib/base/error.h"

static int set(struct vfk_pci *pci, uint32_t index, int fd)
{
	struct vfk_irq_info info;
	int ret;

	if (fd < -1)
		return vfki_err(-EINVAL, "%s: descriptor %d", vfki_pci_name(pci), fd);
	ret = vfki_pci_irq_info(pci, index, &info);
	if (ret < 0)
		return ret;
	if (!info.count)
		return vfki_err(-ENOTSUP, "%s: the device has no %s", vfki_pci_name(pci),
				vfki_pci_irq_name(index));
	ret = fd < 0 ? vfk_irq_disable(pci->dev, index) :
		       vfk_irq_set_eventfds(pci->dev, index, 0, 1, &fd);
	if (!ret)
		pci->irqs.notifiers = fd < 0 ? pci->irqs.notifiers & ~(1u << index) :
					       pci->irqs.notifiers | 1u << index;
	return ret;
}

void vfki_pci_notifiers_fini(struct vfk_pci *pci)
{
	for (uint32_t index = VFIO_PCI_REQ_IRQ_INDEX; index >= VFIO_PCI_ERR_IRQ_INDEX; index--) {
		if (pci->irqs.notifiers >> index & 1)
			(void)vfk_irq_disable(pci->dev, index);
	}
}

static int set_locked(struct vfk_pci *pci, uint32_t index, int fd)
{
	int ret;

	vfki_pci_lock(pci);
	ret = set(pci, index, fd);
	vfki_pci_unlock(pci);
	return ret;
}

int vfk_pci_set_err_fd(struct vfk_pci *pci, int fd)
{
	return set_locked(pci, VFIO_PCI_ERR_IRQ_INDEX, fd);
}

int vfk_pci_set_req_fd(struct vfk_pci *pci, int fd)
{
	return set_locked(pci, VFIO_PCI_REQ_IRQ_INDEX, fd);
}
