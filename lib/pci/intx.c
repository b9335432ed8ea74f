/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * intx.c - what only a level has: the eventfd that unmasks it.
 *
 * With the lock held.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <stdio.h>

/* Another one was refused, and the one before taken away already. The text of the refusal stays. */
static void put_back(struct vfk_pci *pci)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	char before[VFKI_ERROR_SIZE], why[VFKI_ERROR_SIZE];

	snprintf(before, sizeof(before), "%s", vfk_error());
	if (!vfk_irq_set_unmask_eventfd(pci->dev, v->info.index, 0, v->resample)) {
		vfki_err(0, "%s", before);
		return;
	}
	snprintf(why, sizeof(why), "%s", vfk_error());
	vfki_fd_close(v->resample);
	v->resample = -1;
	vfki_err(0, "%s; and the one before could not be restored: %s", before, why);
}

static int set_resample(struct vfk_pci *pci, int fd)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	int mine = -1, ret = 0;

	if (v->info.index != VFIO_PCI_INTX_IRQ_INDEX)
		return vfki_err(-EINVAL, "%s: INTx is not enabled", vfki_pci_name(pci));
	if (fd >= 0) {
		mine = vfki_pci_eventfd(pci, fd, v->num);
		if (mine < 0)
			return mine;
	}
	/* Linux refuses a second one while there is a first */
	if (!pci->irqs.quiesced && v->resample >= 0)
		ret = vfk_irq_set_unmask_eventfd(pci->dev, v->info.index, 0, -1);
	if (!ret && !pci->irqs.quiesced && mine >= 0) {
		ret = vfk_irq_set_unmask_eventfd(pci->dev, v->info.index, 0, mine);
		if (ret < 0 && v->resample >= 0)
			put_back(pci);
	}
	if (ret < 0) {
		vfki_fd_close(mine);
		return ret;
	}
	vfki_fd_close(v->resample);
	v->resample = mine;
	return 0;
}

int vfk_pci_irq_set_resample_fd(struct vfk_pci *pci, int fd)
{
	int ret;

	vfki_pci_lock(pci);
	ret = set_resample(pci, fd);
	vfki_pci_unlock(pci);
	return ret;
}
