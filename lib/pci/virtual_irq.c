/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_irq.c - the guest's interrupts: which kind its registers ask for, and that the device has it enabled.
 *
 * The guest has INTx while it has neither MSI nor MSI-X enabled; of both MSI-X wins, as enabling both is undefined (PCI 3.0
 * section 6.8).
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "virtual.h"
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include <vfiokit/pci_irq.h>

int vfki_virtual_irqs_init(struct vfk_pci_virtual *v)
{
	struct vfk_irq_info info;
	int ret = vfki_pci_irq_info(v->pci, VFIO_PCI_INTX_IRQ_INDEX, &info);

	if (ret < 0)
		return ret;
	v->irqs.intx = info.count;
	if (!v->irqs.intx)
		vfki_virtual_set(v, PCI_INTERRUPT_PIN, 1, 0xff, 0, 0);
	return 0;
}

/* ---- what the registers ask for ---- */

struct wish {
	uint32_t index, vectors;
};

static uint32_t msi_vectors(const struct vfk_pci_virtual *v, uint32_t flags)
{
	uint32_t n = 1u << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4);

	/* More than it was offered the guest does not get, whatever it writes. */
	return n > v->msi.vectors ? v->msi.vectors : n;
}

static struct wish find_wish(const struct vfk_pci_virtual *v)
{
	uint32_t msix = v->msix.cap ? vfki_virtual_get(v, v->msix.cap + PCI_MSIX_FLAGS, 2) : 0;
	uint32_t msi = v->msi.cap ? vfki_virtual_get(v, v->msi.cap + PCI_MSI_FLAGS, 2) : 0;

	if (msix & PCI_MSIX_FLAGS_ENABLE)
		return (struct wish){ VFIO_PCI_MSIX_IRQ_INDEX, v->msix.vectors };
	if (msi & PCI_MSI_FLAGS_ENABLE)
		return (struct wish){ VFIO_PCI_MSI_IRQ_INDEX, msi_vectors(v, msi) };
	if (v->irqs.begun && v->irqs.intx)
		return (struct wish){ VFIO_PCI_INTX_IRQ_INDEX, 1 };
	return (struct wish){ VFKI_NO_IRQ, 0 };
}

/* ---- making it so ---- */

static void note(struct vfki_virtual_events *ev, uint32_t index, uint32_t vectors)
{
	if (index == VFKI_NO_IRQ || ev->num_irqs == sizeof(ev->irqs) / sizeof(*ev->irqs))
		return;
	ev->irqs[ev->num_irqs].index = index;
	ev->irqs[ev->num_irqs].vectors = vectors;
	ev->num_irqs++;
}

static void become(struct vfk_pci_virtual *v, const struct wish *wish, uint32_t granted,
		   struct vfki_virtual_events *ev)
{
	note(ev, v->irqs.index, 0);
	note(ev, wish->index, wish->vectors);
	ev->end = 0; /* what was noted of vectors before has no meaning any more */
	v->irqs.index = wish->index;
	v->irqs.vectors = wish->vectors;
	v->irqs.granted = granted;
	if (wish->index == VFIO_PCI_MSI_IRQ_INDEX)
		vfki_virtual_msi_begin(v);
	else if (wish->index == VFIO_PCI_MSIX_IRQ_INDEX)
		vfki_virtual_msix_begin(v);
}

/* As many as can be had, none of them armed. */
static int enable_all_unarmed(struct vfk_pci_virtual *v, const struct wish *wish)
{
	int *fds = malloc(wish->vectors * sizeof(*fds)), ret;

	if (!fds)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(v->pci));
	for (uint32_t i = 0; i < wish->vectors; i++)
		fds[i] = -1;
	ret = vfk_pci_irq_enable(v->pci, wish->index, 1, wish->vectors, fds);
	free(fds);
	return ret;
}

/*
 * MSI-X begins without a vector where they can be added. Where they cannot, each one more would take all others away for a
 * while.
 */
static int enable_msix(struct vfk_pci_virtual *v, const struct wish *wish)
{
	struct vfk_irq_info info;
	int ret = vfki_pci_irq_info(v->pci, wish->index, &info);

	if (ret < 0)
		return ret;
	if (info.flags & VFIO_IRQ_INFO_NORESIZE)
		return enable_all_unarmed(v, wish);
	return vfk_pci_irq_enable(v->pci, wish->index, 0, 0, NULL);
}

/*
 * What was enabled before goes off with it, and stays if the new one cannot be had. A guest that is granted fewer vectors
 * of MSI than it asked for never sees the others fire, as with an interrupt line that is not connected; it has no way to
 * be told.
 */
static int enable(struct vfk_pci_virtual *v, const struct wish *wish)
{
	if (wish->index == VFIO_PCI_MSIX_IRQ_INDEX)
		return enable_msix(v, wish);
	return vfk_pci_irq_enable(v->pci, wish->index, 1, wish->vectors, NULL);
}

int vfki_virtual_irqs_off(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev)
{
	const struct wish none = { VFKI_NO_IRQ, 0 };
	int ret;

	if (v->irqs.index == VFKI_NO_IRQ)
		return 0;
	ret = vfk_pci_irq_disable(v->pci);
	if (!ret)
		become(v, &none, 0, ev);
	return ret;
}

int vfki_virtual_irqs_settle(struct vfk_pci_virtual *v, struct vfki_virtual_events *ev)
{
	struct wish wish = find_wish(v);
	int ret;

	if (wish.index == v->irqs.index && wish.vectors == v->irqs.vectors)
		return 0;
	if (wish.index == VFKI_NO_IRQ)
		return vfki_virtual_irqs_off(v, ev);
	ret = enable(v, &wish);
	if (ret < 0)
		return ret;
	become(v, &wish, (uint32_t)ret, ev);
	return 0;
}

/* ---- vectors ---- */

int vfki_virtual_irq_arm(struct vfk_pci_virtual *v, uint32_t vector)
{
	int ret, fd = vfki_eventfd_create();

	if (fd < 0)
		return vfki_err_sys(fd, "%s: vector %" PRIu32, vfki_pci_name(v->pci), vector);
	ret = vfk_pci_irq_set_fd(v->pci, vector, fd);
	close(fd);
	return ret;
}

int vfki_virtual_irq_mask(struct vfk_pci_virtual *v, uint32_t vector, bool mask)
{
	if (v->irqs.index == VFIO_PCI_MSI_IRQ_INDEX && vector >= v->irqs.granted)
		return 0;
	return mask ? vfk_pci_irq_mask(v->pci, vector) : vfk_pci_irq_unmask(v->pci, vector);
}

/* What cannot be asked for reads as not pending: the vector fires all the same when it is unmasked. */
bool vfki_virtual_irq_pending(struct vfk_pci_virtual *v, uint32_t vector)
{
	bool pending = false;

	return vfk_pci_irq_pending(v->pci, vector, &pending) == 0 && pending;
}

/* ---- asking ---- */

int vfk_pci_virtual_get_vector(struct vfk_pci_virtual *v, uint32_t index, uint32_t vector,
			       struct vfk_pci_virtual_vector *info)
{
	struct vfk_pci_virtual_vector got = { .eventfd = -1 };
	bool known;

	pthread_mutex_lock(&v->lock);
	known = index == v->irqs.index && vector < v->irqs.vectors;
	if (known && index == VFIO_PCI_MSI_IRQ_INDEX)
		vfki_virtual_msi_vector(v, vector, &got);
	else if (known && index == VFIO_PCI_MSIX_IRQ_INDEX)
		vfki_virtual_msix_vector(v, vector, &got);
	if (known)
		got.eventfd = vfk_pci_irq_fd(v->pci, vector);
	pthread_mutex_unlock(&v->lock);
	if (!known)
		return vfki_err(-EINVAL,
				"%s: virtual device: interrupt %" PRIu32 " has no vector %" PRIu32
				" enabled",
				vfki_pci_name(v->pci), index, vector);
	if (got.eventfd < 0)
		got.eventfd = -1;
	*info = got;
	return 0;
}
