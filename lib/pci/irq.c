/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - which kind of interrupt is enabled, with which vectors: enabling, switching, disabling.
 *
 * Public functions take the lock.
 */
#include "irq.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "lib/base/range.h"
#include <inttypes.h>
#include <stdio.h>

int vfki_pci_irqs_init(struct vfk_pci *pci)
{
	int ret;

	vfki_pci_vectors_init(&pci->irqs.now);
	ret = vfki_signaller_create(&pci->irqs.signaller);
	if (ret < 0)
		return vfki_err(ret, "%s: no memory", vfki_pci_name(pci));
	return vfki_pci_msix_init(pci);
}

void vfki_pci_irqs_fini(struct vfk_pci *pci)
{
	struct vfki_pci_irqs *irqs = &pci->irqs;

	if (!irqs->signaller)
		return; /* it was not opened so far */
	vfki_pci_notifiers_fini(pci);
	(void)vfki_pci_irqs_quiesce(pci);
	vfki_pci_vectors_release(&irqs->now);
	vfki_signaller_destroy(irqs->signaller);
}

const char *vfki_pci_irq_name(uint32_t index)
{
	static const char *const names[] = { "INTx", "MSI", "MSI-X", "error notifier",
					     "request notifier" };

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : "interrupts";
}

int vfki_pci_irq_info(struct vfk_pci *pci, uint32_t index, struct vfk_irq_info *info)
{
	const struct vfki_pci_msix *msix = &pci->irqs.msix;
	int ret;

	*info = (struct vfk_irq_info){ .index = index };
	if (index >= vfk_device_num_irqs(pci->dev))
		return 0;
	ret = vfk_irq_get_info(pci->dev, index, info);
	/* vfio-pci, of a device that is not PCI Express */
	if (ret == -EINVAL && index == VFIO_PCI_ERR_IRQ_INDEX)
		return 0;
	if (!ret && index == VFIO_PCI_MSIX_IRQ_INDEX && !msix->result)
		info->count = msix->info.usable;
	return ret;
}

int vfki_pci_irq_check(struct vfk_pci *pci, uint32_t vector)
{
	const struct vfki_pci_vectors *v = &pci->irqs.now;

	if (v->info.index == VFK_PCI_IRQ_NONE)
		return vfki_err(-EINVAL, "%s: no interrupts are enabled", vfki_pci_name(pci));
	if (vector >= v->num)
		return vfki_err(-EINVAL, "%s: %s: vector %" PRIu32 " of %" PRIu32,
				vfki_pci_name(pci), vfki_pci_irq_name(v->info.index), vector,
				v->num);
	return 0;
}

/* ---- enabling ---- */

/* What is wanted. */
struct wish {
	uint32_t index, min, max;
	const int *fds;
	bool off; /* what was enabled before has been switched off for it */
};

static int check_wish(struct vfk_pci *pci, const struct wish *w)
{
	bool no_vector = w->index == VFIO_PCI_MSIX_IRQ_INDEX && !w->min && !w->max;

	if (w->index > VFIO_PCI_MSIX_IRQ_INDEX && w->index != VFK_PCI_IRQ_BEST)
		return vfki_err(-EINVAL,
				"%s: interrupt index %" PRIu32 " is none of INTx, MSI, MSI-X",
				vfki_pci_name(pci), w->index);
	if (w->min > w->max || (!w->min && !no_vector))
		return vfki_err(-EINVAL, "%s: %" PRIu32 " to %" PRIu32 " vectors",
				vfki_pci_name(pci), w->min, w->max);
	return 0;
}

/* The last thing before the new is armed, so that all that can fail by itself has been done. */
static int switch_off(struct vfk_pci *pci, struct wish *w)
{
	struct vfki_pci_irqs *irqs = &pci->irqs;
	int ret;

	if (irqs->quiesced)
		return vfki_pci_irqs_quiesce(pci);
	if (w->off || irqs->now.info.index == VFK_PCI_IRQ_NONE)
		return 0;
	ret = vfk_irq_disable(pci->dev, irqs->now.info.index);
	w->off = !ret;
	return ret;
}

/* One kind; @next is what is enabled after success. */
static int try_kind(struct vfk_pci *pci, struct wish *w, uint32_t index,
		    struct vfki_pci_vectors *next)
{
	struct vfk_irq_info info;
	int ret = vfki_pci_irq_info(pci, index, &info);

	if (ret < 0)
		return ret;
	if (!info.count)
		return vfki_err(-ENOTSUP, "%s: the device has no %s", vfki_pci_name(pci),
				vfki_pci_irq_name(index));
	if (w->min > info.count)
		return vfki_err(-ENOSPC, "%s: %s has %" PRIu32 " vectors, need %" PRIu32,
				vfki_pci_name(pci), vfki_pci_irq_name(index), info.count, w->min);
	ret = vfki_pci_vectors_make(pci, next, &info, (uint32_t)vfki_min_u64(w->max, info.count),
				    w->fds);
	if (ret < 0)
		return ret;
	ret = switch_off(pci, w);
	if (!ret)
		ret = vfki_pci_vectors_arm_most(pci, next, w->min);
	if (ret < 0)
		vfki_pci_vectors_release(next);
	return ret;
}

/* Whether another kind may still do, where this one cannot be had. */
static bool may_do(int ret)
{
	return ret == -ENOTSUP || ret == -ENOSPC || ret == -EINVAL;
}

static int try_kinds(struct vfk_pci *pci, struct wish *w, struct vfki_pci_vectors *next)
{
	int ret;

	if (w->index != VFK_PCI_IRQ_BEST)
		return try_kind(pci, w, w->index, next);
	for (uint32_t index = VFIO_PCI_MSIX_IRQ_INDEX;; index--) {
		ret = try_kind(pci, w, index, next);
		if (!may_do(ret) || index == VFIO_PCI_INTX_IRQ_INDEX)
			return ret;
	}
}

static int enable(struct vfk_pci *pci, struct wish *w)
{
	struct vfki_pci_irqs *irqs = &pci->irqs;
	struct vfki_pci_vectors next;
	int ret = check_wish(pci, w);

	if (ret < 0)
		return ret;
	ret = try_kinds(pci, w, &next);
	if (ret < 0) {
		if (w->off)
			vfki_pci_irqs_come_back(pci);
		return ret;
	}
	vfki_pci_vectors_release(&irqs->now);
	irqs->now = next;
	irqs->quiesced = false;
	return (int)next.num;
}

int vfk_pci_irq_enable(struct vfk_pci *pci, uint32_t index, uint32_t min, uint32_t max,
		       const int *fds)
{
	struct wish w = { .index = index, .min = min, .max = max, .fds = fds };
	int ret;

	vfki_pci_lock(pci);
	ret = enable(pci, &w);
	vfki_pci_unlock(pci);
	return ret;
}

int vfk_pci_irq_disable(struct vfk_pci *pci)
{
	int ret;

	vfki_pci_lock(pci);
	ret = vfki_pci_irqs_quiesce(pci);
	if (!ret) {
		vfki_pci_vectors_release(&pci->irqs.now);
		pci->irqs.quiesced = false;
	}
	vfki_pci_unlock(pci);
	return ret;
}

/* ---- asking ---- */

void vfk_pci_irq_get_state(struct vfk_pci *pci, struct vfk_pci_irq_state *state)
{
	const struct vfki_pci_irqs *irqs = &pci->irqs;

	vfki_pci_lock(pci);
	*state = (struct vfk_pci_irq_state){
		.index = irqs->now.info.index,
		.count = irqs->now.num,
		.quiesced = irqs->quiesced,
	};
	vfki_pci_unlock(pci);
}

static int fd_of(struct vfk_pci *pci, uint32_t vector)
{
	int ret = vfki_pci_irq_check(pci, vector);

	if (ret < 0)
		return ret;
	if (pci->irqs.now.vector[vector].fd < 0)
		return vfki_err(-ENOENT, "%s: vector %" PRIu32 " is not armed", vfki_pci_name(pci),
				vector);
	return pci->irqs.now.vector[vector].fd;
}

int vfk_pci_irq_fd(struct vfk_pci *pci, uint32_t vector)
{
	int ret;

	vfki_pci_lock(pci);
	ret = fd_of(pci, vector);
	vfki_pci_unlock(pci);
	return ret;
}
