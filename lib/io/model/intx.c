/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * intx.c - the interrupt pin: a level, told by an eventfd.
 *
 * Signalling masks (AUTOMASKED); unmasking signals again while the level stands. Interrupt Disable of the command
 * register holds the signal back, and clearing it unmasks too, as vfio-pci has it. While messages are enabled the pin
 * is silent (PCI 3.0, section 6.8.1.3: a function that uses MSI must not use INTx); the level is kept, and told when
 * they are off again.
 *
 * Threads: vfk_model_set_intx() from any; the rest under the model's lock. State is under irqs->lock.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/eventfd.h"
#include "lib/base/fd.h"

void vfki_intx_deliver(struct vfk_model *m)
{
	struct vfki_irqs *irqs = &m->irqs;

	if (irqs->kind != VFIO_PCI_INTX_IRQ_INDEX || irqs->intx.fd < 0 || !irqs->intx.level ||
	    irqs->intx.masked || irqs->intx.disabled || atomic_load(&irqs->by_message))
		return;
	irqs->intx.masked = true;
	vfki_irq_signal(m, irqs->intx.fd);
}

void vfki_intx_disabled(struct vfk_model *m, bool disabled)
{
	struct vfki_irqs *irqs = &m->irqs;

	if (irqs->intx.disabled && !disabled)
		irqs->intx.masked = false;
	irqs->intx.disabled = disabled;
	vfki_intx_deliver(m);
}

void vfk_model_set_intx(struct vfk_model *m, bool asserted)
{
	struct vfki_irqs *irqs = &m->irqs;

	vfki_lock_take(&irqs->lock);
	if (irqs->intx.present && irqs->intx.level != asserted) {
		irqs->intx.level = asserted;
		vfki_intx_deliver(m);
	}
	vfki_lock_drop(&irqs->lock);
}

static void unmask(struct vfk_model *m)
{
	struct vfki_irqs *irqs = &m->irqs;

	vfki_lock_take(&irqs->lock);
	irqs->intx.masked = false;
	vfki_intx_deliver(m);
	vfki_lock_drop(&irqs->lock);
}

static void mask(struct vfk_model *m)
{
	vfki_lock_take(&m->irqs.lock);
	m->irqs.intx.masked = true;
	vfki_lock_drop(&m->irqs.lock);
}

static void drop_unmask_fd(struct vfk_model *m)
{
	int fd = m->irqs.intx.unmask_fd;

	if (fd < 0)
		return;
	vfki_work_unwatch(m, fd);
	vfki_fd_close(fd);
	m->irqs.intx.unmask_fd = -1;
}

void vfki_intx_release(struct vfk_model *m)
{
	struct vfki_irqs *irqs = &m->irqs;

	drop_unmask_fd(m);
	vfki_lock_take(&irqs->lock);
	vfki_fd_close(irqs->intx.fd);
	irqs->intx.fd = -1;
	irqs->intx.masked = false;
	if (irqs->kind == VFIO_PCI_INTX_IRQ_INDEX)
		irqs->kind = VFKI_IRQ_NONE;
	vfki_lock_drop(&irqs->lock);
}

static int arm(struct vfk_model *m, const struct vfio_irq_set *set)
{
	struct vfki_irqs *irqs = &m->irqs;
	int fd, ret = vfki_irq_take_fd(m, set, 0, &fd);

	if (ret < 0)
		return ret;
	vfki_lock_take(&irqs->lock);
	vfki_fd_close(irqs->intx.fd);
	irqs->intx.fd = fd;
	irqs->kind = VFIO_PCI_INTX_IRQ_INDEX;
	vfki_intx_deliver(m);
	vfki_lock_drop(&irqs->lock);
	return 0;
}

static int set_unmask_fd(struct vfk_model *m, const struct vfio_irq_set *set)
{
	int fd, ret = vfki_irq_take_fd(m, set, 0, &fd);

	if (ret < 0)
		return ret;
	if (fd < 0) {
		drop_unmask_fd(m);
		return 0;
	}
	ret = m->irqs.intx.unmask_fd >= 0 ?
		      vfki_err(-EBUSY, "%s: INTx has an unmask eventfd already", m->io.name) :
		      vfki_work_watch(m, fd);
	if (ret < 0) {
		vfki_fd_close(fd);
		return ret;
	}
	m->irqs.intx.unmask_fd = fd;
	return 0;
}

int vfki_intx_resample(struct vfk_model *m)
{
	uint64_t count;

	if (m->irqs.intx.unmask_fd < 0 || vfki_eventfd_drain(m->irqs.intx.unmask_fd, &count))
		return 0;
	unmask(m);
	return 1;
}

static int trigger(struct vfk_model *m, const struct vfio_irq_set *set)
{
	struct vfki_irqs *irqs = &m->irqs;

	if (irqs->kind != VFIO_PCI_INTX_IRQ_INDEX)
		return vfki_irq_not_enabled(m, VFIO_PCI_INTX_IRQ_INDEX);
	vfki_lock_take(&irqs->lock);
	if (vfki_irq_wanted(set, 0) && !irqs->intx.disabled)
		vfki_irq_signal(m, irqs->intx.fd);
	vfki_lock_drop(&irqs->lock);
	return 0;
}

static int set_trigger(struct vfk_model *m, const struct vfio_irq_set *set)
{
	uint32_t kind = m->irqs.kind;

	if (!set->count && set->flags & VFIO_IRQ_SET_DATA_NONE) {
		if (kind == VFIO_PCI_INTX_IRQ_INDEX)
			vfki_intx_release(m);
		return 0;
	}
	if (!m->irqs.intx.present || set->start || set->count != 1)
		return vfki_err(-EINVAL, "%s: INTx: vectors %u + %u of %d", m->io.name, set->start,
				set->count, m->irqs.intx.present);
	if (!(set->flags & VFIO_IRQ_SET_DATA_EVENTFD))
		return trigger(m, set);
	if (kind != VFIO_PCI_INTX_IRQ_INDEX && kind != VFKI_IRQ_NONE)
		return vfki_irq_not_enabled(m, VFIO_PCI_INTX_IRQ_INDEX);
	return arm(m, set);
}

int vfki_intx_set(struct vfk_model *m, const struct vfio_irq_set *set)
{
	if (set->flags & VFIO_IRQ_SET_ACTION_TRIGGER)
		return set_trigger(m, set);
	if (m->irqs.kind != VFIO_PCI_INTX_IRQ_INDEX)
		return vfki_irq_not_enabled(m, VFIO_PCI_INTX_IRQ_INDEX);
	if (set->start || set->count != 1)
		return vfki_err(-EINVAL, "%s: INTx: vectors %u + %u of 1", m->io.name, set->start,
				set->count);
	if (set->flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		if (set->flags & VFIO_IRQ_SET_ACTION_UNMASK)
			return set_unmask_fd(m, set);
		return vfki_err(-ENOTSUP, "%s: INTx: cannot be masked by an eventfd", m->io.name);
	}
	if (!vfki_irq_wanted(set, 0))
		return 0;
	if (set->flags & VFIO_IRQ_SET_ACTION_MASK)
		mask(m);
	else
		unmask(m);
	return 0;
}
