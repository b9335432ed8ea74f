/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq_later.c - eventfds that vectors get, lose and exchange while their kind is enabled; vectors beyond those enabled.
 *
 * With the lock held.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <inttypes.h>

/* What is to be undone when the device does not take it. */
struct before {
	uint32_t base, num;
	int fd;
};

static void undo(struct vfki_pci_vectors *v, uint32_t vector, const struct before *b)
{
	v->vector[vector].fd = b->fd;
	v->base = b->base;
	v->num = b->num;
}

/* The device fixed the number when it enabled: off, and on with more. */
static int enable_anew(struct vfk_pci *pci, uint32_t vector, const struct before *b)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	int ret = vfk_irq_disable(pci->dev, v->info.index);

	if (ret < 0)
		return ret;
	ret = vfki_pci_irqs_rearm(pci, b->num);
	if (ret < 0) {
		undo(v, vector, b);
		vfki_pci_irqs_come_back(pci);
	}
	return ret;
}

static int put(struct vfk_pci *pci, uint32_t vector, const struct before *b)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	bool beyond = vector >= b->num;

	if (pci->irqs.quiesced)
		return 0;
	if (beyond && v->info.flags & VFIO_IRQ_INFO_NORESIZE)
		return enable_anew(pci, vector, b);
	return vfki_pci_vectors_put(pci, v, vector, 1);
}

static int check(struct vfk_pci *pci, uint32_t vector)
{
	const struct vfki_pci_vectors *v = &pci->irqs.now;

	if (v->info.index == VFK_PCI_IRQ_NONE)
		return vfki_err(-EINVAL, "%s: no interrupts are enabled", vfki_pci_name(pci));
	if (vector >= v->info.count)
		return vfki_err(-EINVAL, "%s: %s: vector %" PRIu32 " of %" PRIu32,
				vfki_pci_name(pci), vfki_pci_irq_name(v->info.index), vector,
				v->info.count);
	return 0;
}

static int set_fd(struct vfk_pci *pci, uint32_t vector, int fd)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	struct before b = { .base = v->base, .num = v->num };
	int ret = check(pci, vector), mine = -1;

	if (ret < 0 || (fd < 0 && vector >= v->num))
		return ret;
	if (fd >= 0) {
		mine = vfki_pci_eventfd(pci, fd, v->num);
		if (mine < 0)
			return mine;
	}
	b.fd = v->vector[vector].fd;
	v->vector[vector].fd = mine;
	if (vector >= v->num)
		v->num = vector + 1;
	if (v->info.flags & VFIO_IRQ_INFO_NORESIZE)
		v->base = v->num;
	ret = put(pci, vector, &b);
	if (ret < 0) {
		undo(v, vector, &b);
		if (b.fd >= 0 && !pci->irqs.quiesced)
			vfki_pci_vector_again(pci, vector);
		vfki_fd_close(mine);
		return ret;
	}
	/* see irq_mask.c: the exchange may have lost one */
	if (v->forgets && b.fd >= 0 && mine >= 0)
		vfki_pci_vector_owe(pci, &v->vector[vector]);
	vfki_fd_close(b.fd);
	return 0;
}

int vfk_pci_irq_set_fd(struct vfk_pci *pci, uint32_t vector, int fd)
{
	int ret;

	if (fd < -1)
		return vfki_err(-EINVAL, "%s: descriptor %d", vfki_pci_name(pci), fd);
	vfki_pci_lock(pci);
	ret = set_fd(pci, vector, fd);
	vfki_pci_unlock(pci);
	return ret;
}
