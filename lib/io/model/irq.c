/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - interrupt info, SET_IRQS, and what the kinds of interrupts share; see irq.h.
 *
 * What SET_IRQS accepts and refuses is what drivers/vfio/pci/vfio_pci_intrs.c of Linux accepts and refuses, with two
 * exceptions that the vector's contract makes: disabling what is not enabled is success, and MSI and MSI-X vectors can
 * be masked one by one, which their info says.
 *
 * Threads: SET_IRQS and vfki_irqs_apply() under the model's lock.
 */
#include "irq.h"
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "lib/base/fd.h"
#include <string.h>

static const char *const names[VFIO_PCI_NUM_IRQS] = { "INTx", "MSI", "MSI-X", "error", "request" };

int vfki_irqs_init(struct vfk_model *m)
{
	struct vfki_irqs *irqs = &m->irqs;

	*irqs = (struct vfki_irqs){
		.kind = VFKI_IRQ_NONE,
		.intx = { .fd = -1, .unmask_fd = -1 },
		.msi = { .index = VFIO_PCI_MSI_IRQ_INDEX, .flags = VFIO_IRQ_INFO_NORESIZE },
		.msix = { .index = VFIO_PCI_MSIX_IRQ_INDEX, .flags = VFIO_IRQ_INFO_MASKABLE },
		.notifier = { -1, -1 },
	};
	return vfki_signaller_create(&irqs->signaller);
}

void vfki_irqs_fini(struct vfk_model *m)
{
	vfki_intx_release(m);
	vfki_messages_fini(&m->irqs.msi);
	vfki_messages_fini(&m->irqs.msix);
	vfki_fd_close_all(m->irqs.notifier, 2);
	vfki_signaller_destroy(m->irqs.signaller);
	m->irqs.signaller = NULL;
}

void vfki_irq_info(const struct vfk_model *m, struct vfio_irq_info *info)
{
	const struct vfki_irqs *irqs = &m->irqs;

	info->flags = VFIO_IRQ_INFO_EVENTFD;
	switch (info->index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		info->flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
		info->count = irqs->intx.present;
		break;
	case VFIO_PCI_MSI_IRQ_INDEX:
		info->flags |= irqs->msi.flags;
		info->count = irqs->msi.count;
		break;
	case VFIO_PCI_MSIX_IRQ_INDEX:
		info->flags |= irqs->msix.flags;
		info->count = irqs->msix.count;
		break;
	default:
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
		info->count = 1;
	}
}

void vfki_irq_signal(struct vfk_model *m, int fd)
{
	/* A failure means that its owner gave us something that is no eventfd any more: there is nobody to tell. */
	if (fd >= 0)
		vfki_signaller_signal(m->irqs.signaller, fd);
}

bool vfki_irq_wanted(const struct vfio_irq_set *set, uint32_t i)
{
	return set->flags & VFIO_IRQ_SET_DATA_NONE || set->data[i];
}

int vfki_irq_take_fd(const struct vfk_model *m, const struct vfio_irq_set *set, uint32_t i, int *fd)
{
	int32_t given;

	memcpy(&given, set->data + i * sizeof(given), sizeof(given));
	*fd = -1;
	if (given < 0)
		return 0;
	if (!vfki_fd_is_eventfd(given))
		return vfki_err(-EINVAL, "%s: %s %u: file descriptor %d is no eventfd", m->io.name,
				names[set->index], set->start + i, given);
	*fd = vfki_fd_dup(given);
	if (*fd < 0)
		return vfki_err_sys(*fd, "%s: %s %u: eventfd", m->io.name, names[set->index],
				    set->start + i);
	return 0;
}

int vfki_irq_not_enabled(const struct vfk_model *m, uint32_t index)
{
	if (m->irqs.kind == VFKI_IRQ_NONE || m->irqs.kind == index)
		return vfki_err(-EINVAL, "%s: %s: not enabled", m->io.name, names[index]);
	return vfki_err(-EINVAL, "%s: %s: %s is enabled", m->io.name, names[index],
			names[m->irqs.kind]);
}

/* Models raise these from threads of their own. */
static void replace_notifier(struct vfk_model *m, int *slot, int fd)
{
	vfki_lock_take(&m->irqs.lock);
	vfki_fd_close(*slot);
	*slot = fd;
	vfki_lock_drop(&m->irqs.lock);
}

static void notify(struct vfk_model *m, uint32_t index)
{
	vfki_lock_take(&m->irqs.lock);
	vfki_irq_signal(m, m->irqs.notifier[index - VFIO_PCI_ERR_IRQ_INDEX]);
	vfki_lock_drop(&m->irqs.lock);
}

void vfk_model_error(struct vfk_model *m)
{
	notify(m, VFIO_PCI_ERR_IRQ_INDEX);
}

void vfk_model_request(struct vfk_model *m)
{
	notify(m, VFIO_PCI_REQ_IRQ_INDEX);
}

static int set_notifier(struct vfk_model *m, const struct vfio_irq_set *set)
{
	int *slot = &m->irqs.notifier[set->index - VFIO_PCI_ERR_IRQ_INDEX], fd, ret;

	if (!(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER))
		return vfki_err(-ENOTSUP, "%s: %s: cannot be masked", m->io.name,
				names[set->index]);
	if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		if (set->count != 1)
			return vfki_err(-EINVAL, "%s: %s: %u eventfds", m->io.name,
					names[set->index], set->count);
		ret = vfki_irq_take_fd(m, set, 0, &fd);
		if (ret < 0)
			return ret;
		replace_notifier(m, slot, fd);
		return 0;
	}
	if (!set->count && set->flags & VFIO_IRQ_SET_DATA_NONE) {
		replace_notifier(m, slot, -1);
		return 0;
	}
	if (*slot < 0)
		return vfki_irq_not_enabled(m, set->index);
	if (vfki_irq_wanted(set, 0))
		notify(m, set->index);
	return 0;
}

int vfki_irq_set(struct vfk_model *m, const struct vfio_irq_set *set)
{
	switch (set->index) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return vfki_intx_set(m, set);
	case VFIO_PCI_MSI_IRQ_INDEX:
		return vfki_messages_set(m, &m->irqs.msi, set);
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return vfki_messages_set(m, &m->irqs.msix, set);
	case VFIO_PCI_ERR_IRQ_INDEX:
	case VFIO_PCI_REQ_IRQ_INDEX:
		return set_notifier(m, set);
	default:
		return vfki_err(-EINVAL, "%s: irq %u: there are %d", m->io.name, set->index,
				VFIO_PCI_NUM_IRQS);
	}
}

/* ---- config space ---- */

static void read_msi(const struct vfki_config *c, struct vfki_messages *msi)
{
	const uint8_t *cap = &c->bytes[c->msi];

	if (!c->msi)
		return;
	msi->enabled = cap[PCI_MSI_FLAGS] & PCI_MSI_FLAGS_ENABLE;
	msi->granted = 1u << ((cap[PCI_MSI_FLAGS] & PCI_MSI_FLAGS_QSIZE) >> 4);
	msi->mask = msi->maskable ? vfki_le32(cap + PCI_MSI_MASK_64) : 0;
}

static void read_msix(const struct vfki_config *c, struct vfki_messages *msix)
{
	uint16_t flags = vfki_le16(&c->bytes[c->msix + PCI_MSIX_FLAGS]);

	if (!c->msix)
		return;
	msix->enabled = flags & PCI_MSIX_FLAGS_ENABLE;
	msix->all_masked = flags & PCI_MSIX_FLAGS_MASKALL;
}

void vfki_irqs_apply(struct vfk_model *m)
{
	const struct vfki_config *c = &m->config;
	struct vfki_irqs *irqs = &m->irqs;

	vfki_lock_take(&irqs->lock);
	read_msi(c, &irqs->msi);
	read_msix(c, &irqs->msix);
	atomic_store(&irqs->by_message, irqs->msi.enabled || irqs->msix.enabled);
	vfki_messages_deliver(m, &irqs->msi);
	vfki_messages_deliver(m, &irqs->msix);
	vfki_intx_disabled(m, vfki_le16(&c->bytes[PCI_COMMAND]) & PCI_COMMAND_INTX_DISABLE);
	vfki_lock_drop(&irqs->lock);
}

void vfki_irqs_overlay(struct vfk_model *m, uint32_t off, uint8_t *buf, size_t len)
{
	uint32_t at = m->config.msi + PCI_MSI_PENDING_64, pending;
	struct vfki_irqs *irqs = &m->irqs;

	if (off > at + 4)
		return;
	vfki_lock_take(&irqs->lock);
	/* PCI 3.0, section 6.2.3: Interrupt Status follows the device, whatever Interrupt Disable says. */
	if (irqs->intx.level && off <= PCI_STATUS && PCI_STATUS - off < len)
		buf[PCI_STATUS - off] |= PCI_STATUS_INTERRUPT;
	if (irqs->msi.maskable) {
		pending = vfki_messages_pending(&irqs->msi, 0, irqs->msi.count);
		for (uint32_t i = 0; i < 4; i++) {
			if (at + i >= off && at + i - off < len)
				buf[at + i - off] = (uint8_t)(pending >> 8 * i);
		}
	}
	vfki_lock_drop(&irqs->lock);
}

void vfki_irqs_reset(struct vfk_model *m)
{
	struct vfki_irqs *irqs = &m->irqs;

	vfki_lock_take(&irqs->lock);
	irqs->intx.level = false;
	vfki_messages_forget(&irqs->msi);
	vfki_messages_forget(&irqs->msix);
	vfki_lock_drop(&irqs->lock);
}
