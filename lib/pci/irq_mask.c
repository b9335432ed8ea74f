/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq_mask.c - masking a vector: in the device where it can, else by exchanging its eventfd.
 *
 * Why the exchange loses nothing. A device that takes another eventfd for a vector signals, for each interrupt, either
 * the old one or the new one; when the call has returned, only the new one. So
 *
 *	mask	the collector is put in the place of the user's eventfd. What came before is with the user, what comes
 *		after it is with the collector, which nobody empties.
 *	unmask	first the user's eventfd is put back, and only then the collector is emptied: whatever was signalled to
 *		it was so before the exchange was over, and is found. Then the user's is signalled, if there was anything.
 *		Emptied first, the collector would swallow what comes between the two.
 *
 * Linux has no such exchange for a message: vfio-pci frees the interrupt and requests it anew. A function with mask bits
 * keeps what comes between in its pending bit; one without has sent it to nobody. For those a signal is owed after each
 * mask.
 *
 * With the lock held, which orders mask, unmask, and what arms anew.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <poll.h>

static bool device_masks(const struct vfki_pci_vectors *v)
{
	return v->info.flags & VFIO_IRQ_INFO_MASKABLE;
}

int vfk_pci_irq_masks_in(struct vfk_pci *pci, uint32_t index)
{
	struct vfk_irq_info info;
	int ret;

	if (index > VFIO_PCI_MSIX_IRQ_INDEX)
		return vfki_err(-EINVAL,
				"%s: interrupt index %" PRIu32 " is none of INTx, MSI, MSI-X",
				vfki_pci_name(pci), index);
	ret = vfki_pci_irq_info(pci, index, &info);
	if (ret < 0)
		return ret;
	if (!info.count)
		return vfki_err(-ENOTSUP, "%s: the device has no %s", vfki_pci_name(pci),
				vfki_pci_irq_name(index));
	return info.flags & VFIO_IRQ_INFO_MASKABLE ? VFK_PCI_IRQ_MASK_DEVICE :
						     VFK_PCI_IRQ_MASK_LIBRARY;
}

/* ---- the library's own ---- */

static int exchange(struct vfk_pci *pci, uint32_t vector, bool masked)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	struct vfki_pci_vector *vec = &v->vector[vector];
	int ret = 0;

	vec->masked = masked;
	/* one that is not armed is not in the device */
	if (!pci->irqs.quiesced && vec->fd >= 0)
		ret = vfki_pci_vectors_put(pci, v, vector, 1);
	if (ret < 0) {
		vec->masked = !masked;
		vfki_pci_vector_again(pci, vector);
	}
	return ret;
}

static int mask_here(struct vfk_pci *pci, uint32_t vector)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	struct vfki_pci_vector *vec = &v->vector[vector];
	int ret;

	if (vec->masked)
		return 0;
	if (vec->collector < 0) {
		ret = vfki_pci_eventfd(pci, -1, v->num);
		if (ret < 0)
			return ret;
		vec->collector = ret;
	}
	ret = exchange(pci, vector, true);
	if (!ret && v->forgets)
		vec->owed = true;
	return ret;
}

static int unmask_here(struct vfk_pci *pci, uint32_t vector)
{
	struct vfki_pci_vector *vec = &pci->irqs.now.vector[vector];

	return vec->masked ? exchange(pci, vector, false) : 0;
}

/* What was held back, once. */
static void settle(struct vfk_pci *pci, struct vfki_pci_vector *vec)
{
	uint64_t count = 0;

	if (vec->collector >= 0 && !vfki_eventfd_drain(vec->collector, &count) && count)
		vec->owed = true;
	if (!vec->owed)
		return;
	vec->owed = false;
	vfki_pci_vector_owe(pci, vec);
}

/* ---- both ---- */

static int mask(struct vfk_pci *pci, uint32_t vector)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	int ret = vfki_pci_irq_check(pci, vector);

	if (ret < 0)
		return ret;
	if (!device_masks(v))
		return mask_here(pci, vector);
	if (!pci->irqs.quiesced)
		ret = vfk_irq_mask(pci->dev, v->info.index, vector, 1);
	if (!ret)
		v->vector[vector].masked = true;
	return ret;
}

static int unmask(struct vfk_pci *pci, uint32_t vector)
{
	struct vfki_pci_vectors *v = &pci->irqs.now;
	int ret = vfki_pci_irq_check(pci, vector);

	if (ret < 0)
		return ret;
	if (!device_masks(v))
		ret = unmask_here(pci, vector);
	else if (!pci->irqs.quiesced) /* also where we did not mask: the device itself may have */
		ret = vfk_irq_unmask(pci->dev, v->info.index, vector, 1);
	if (ret < 0)
		return ret;
	v->vector[vector].masked = false;
	settle(pci, &v->vector[vector]);
	return 0;
}

int vfk_pci_irq_mask(struct vfk_pci *pci, uint32_t vector)
{
	int ret;

	vfki_pci_lock(pci);
	ret = mask(pci, vector);
	vfki_pci_unlock(pci);
	return ret;
}

int vfk_pci_irq_unmask(struct vfk_pci *pci, uint32_t vector)
{
	int ret;

	vfki_pci_lock(pci);
	ret = unmask(pci, vector);
	vfki_pci_unlock(pci);
	return ret;
}

/* ---- pending ---- */

static int intx_pending(struct vfk_pci *pci, bool *pending)
{
	uint32_t status;
	int ret = vfk_pci_config_read(pci, PCI_STATUS, 2, &status);

	if (!ret)
		*pending = status & PCI_STATUS_INTERRUPT;
	return ret;
}

/* PCI 3.0 section 6.8.1.10: the place of the pending bits depends on the width of the address. */
static int msi_pending(struct vfk_pci *pci, uint32_t vector, bool *pending)
{
	uint32_t cap, flags = 0, bits, reg;
	int ret = vfki_pci_cap_find_whole(pci, PCI_CAP_ID_MSI, PCI_MSI_FLAGS + 2, &cap);

	if (!ret)
		ret = vfk_pci_config_read(pci, cap + PCI_MSI_FLAGS, 2, &flags);
	reg = flags & PCI_MSI_FLAGS_64BIT ? PCI_MSI_PENDING_64 : PCI_MSI_PENDING_32;
	if (!ret && flags & PCI_MSI_FLAGS_MASKBIT)
		ret = vfki_pci_cap_find_whole(pci, PCI_CAP_ID_MSI, reg + 4, &cap);
	if (ret == -ENOENT || (!ret && !(flags & PCI_MSI_FLAGS_MASKBIT)))
		return vfki_err(-ENOTSUP, "%s: MSI has no pending bits", vfki_pci_name(pci));
	if (!ret)
		ret = vfk_pci_config_read(pci, cap + reg, 4, &bits);
	if (!ret)
		*pending = vector < 32 && bits >> vector & 1;
	return ret;
}

static int msix_pending(struct vfk_pci *pci, uint32_t vector, bool *pending)
{
	struct vfk_pci_msix_info info;
	uint64_t bits;
	int ret = vfk_pci_msix_get_info(pci, &info);

	if (!ret)
		ret = vfk_region_get(pci->dev, info.pba_bar, info.pba_offset + vector / 32 * 4, 4,
				     &bits);
	if (!ret)
		*pending = bits >> vector % 32 & 1;
	return ret;
}

static int pending_in_device(struct vfk_pci *pci, uint32_t vector, bool *pending)
{
	switch (pci->irqs.now.info.index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return intx_pending(pci, pending);
	case VFIO_PCI_MSI_IRQ_INDEX:
		return msi_pending(pci, vector, pending);
	default:
		return msix_pending(pci, vector, pending);
	}
}

static int is_pending(struct vfk_pci *pci, uint32_t vector, bool *pending)
{
	const struct vfki_pci_vectors *v = &pci->irqs.now;
	int ret = vfki_pci_irq_check(pci, vector);

	if (ret < 0)
		return ret;
	if (pci->irqs.quiesced)
		return vfki_err(-EBUSY, "%s: interrupts are quiesced", vfki_pci_name(pci));
	if (!device_masks(v)) {
		struct pollfd p = { .fd = v->vector[vector].collector, .events = POLLIN };

		/* a negative descriptor is passed over */
		*pending = v->vector[vector].masked && poll(&p, 1, 0) == 1 && p.revents & POLLIN;
		return 0;
	}
	return pending_in_device(pci, vector, pending);
}

int vfk_pci_irq_pending(struct vfk_pci *pci, uint32_t vector, bool *pending)
{
	int ret;

	vfki_pci_lock(pci);
	ret = is_pending(pci, vector, pending);
	vfki_pci_unlock(pci);
	return ret;
}
