/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * notifier.c - being told of errors, and asked to give the device back.
 *
 * Nothing is remembered: the device keeps the eventfd, through resets too. Any thread.
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
	if (fd < 0)
		return vfk_irq_disable(pci->dev, index);
	ret = vfk_irq_set_eventfds(pci->dev, index, 0, 1, &fd);
	return ret;
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
