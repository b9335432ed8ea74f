/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * messages.c - MSI and MSI-X vectors: eventfds, masks, pending bits.
 *
 * A vector is held back by its mask bit (MSI capability or MSI-X table), by the MSI-X function mask, by a mask of
 * SET_IRQS, and while it has no eventfd: vfio-pci keeps the bit of a vector masked that nobody asked for. What is held
 * back is pending. MSI without mask bits cannot hold back: what nobody receives is lost, as on the bus.
 *
 * Threads: vfk_model_msi() from any; SET_IRQS under the model's lock. State is under irqs->lock.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include <stdlib.h>

int vfki_messages_init(struct vfki_messages *msg, uint32_t index, uint32_t count, bool maskable)
{
	msg->vector = calloc(count, sizeof(*msg->vector));
	if (index == VFIO_PCI_MSIX_IRQ_INDEX)
		msg->table = calloc(count, VFKI_MSIX_ENTRY);
	if (!msg->vector || (index == VFIO_PCI_MSIX_IRQ_INDEX && !msg->table)) {
		vfki_messages_fini(msg);
		return vfki_err(-ENOMEM, "no memory for %u vectors", count);
	}
	msg->index = index;
	msg->count = count;
	msg->granted = count;
	msg->limit = count;
	msg->maskable = maskable;
	/* As vfio-pci, but for the masks, which it does not have. */
	msg->flags = index == VFIO_PCI_MSI_IRQ_INDEX ? VFIO_IRQ_INFO_NORESIZE : 0;
	if (maskable)
		msg->flags |= VFIO_IRQ_INFO_MASKABLE;
	for (uint32_t i = 0; i < count; i++) {
		msg->vector[i] = (struct vfki_vector){ .fd = -1, .next = -1 };
		if (msg->table)
			vfki_msix_mask(msg, i, true);
	}
	return 0;
}

void vfki_messages_fini(struct vfki_messages *msg)
{
	for (uint32_t i = 0; i < msg->count; i++)
		vfki_fd_close(msg->vector[i].fd);
	free(msg->vector);
	free(msg->table);
	*msg = (struct vfki_messages){ .index = msg->index };
}

static bool is_masked(const struct vfki_messages *msg, uint32_t i)
{
	if (msg->vector[i].masked)
		return true;
	return msg->table ? msg->all_masked || vfki_msix_masked(msg, i) : msg->mask >> i & 1;
}

static void send(struct vfk_model *m, struct vfki_messages *msg, uint32_t i)
{
	struct vfki_vector *v = &msg->vector[i];

	if (msg->maskable && (v->fd < 0 || is_masked(msg, i))) {
		v->pending = true;
		return;
	}
	v->pending = false;
	vfki_irq_signal(m, v->fd);
}

void vfki_messages_deliver(struct vfk_model *m, struct vfki_messages *msg)
{
	if (!msg->enabled || !msg->maskable)
		return;
	for (uint32_t i = 0; i < msg->count; i++) {
		if (msg->vector[i].pending)
			send(m, msg, i);
	}
}

uint32_t vfki_messages_pending(const struct vfki_messages *msg, uint32_t first, uint32_t n)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < n && first + i < msg->count; i++)
		bits |= (uint32_t)msg->vector[first + i].pending << i;
	return bits;
}

void vfki_messages_forget(struct vfki_messages *msg)
{
	for (uint32_t i = 0; i < msg->count; i++)
		msg->vector[i].pending = false;
}

int vfk_model_msi(struct vfk_model *m, unsigned int vector)
{
	struct vfki_irqs *irqs = &m->irqs;
	struct vfki_messages *msg;
	int ret = 0;

	vfki_lock_take(&irqs->lock);
	msg = irqs->msix.enabled ? &irqs->msix : &irqs->msi;
	if (!msg->enabled)
		ret = vfki_err(-ENOTSUP, "%s: neither MSI nor MSI-X is enabled", m->io.name);
	else if (vector >= msg->count)
		ret = vfki_err(-EINVAL, "%s: vector %u of %u", m->io.name, vector, msg->count);
	else
		/*
		 * PCI 3.0, section 6.8.1.3: a function that got fewer MSI vectors than it asked for may change only
		 * as many low bits of the message; the events of the others fold onto them.
		 */
		send(m, msg, msg->table ? vector : vector & (msg->granted - 1));
	vfki_lock_drop(&irqs->lock);
	return ret;
}

bool vfk_model_msi_enabled(const struct vfk_model *m)
{
	return atomic_load(&m->irqs.by_message);
}

static struct vfki_messages *messages_of(struct vfk_model *m, unsigned int index)
{
	if (index == VFIO_PCI_MSI_IRQ_INDEX)
		return &m->irqs.msi;
	return index == VFIO_PCI_MSIX_IRQ_INDEX ? &m->irqs.msix : NULL;
}

int vfk_model_limit_vectors(struct vfk_model *m, unsigned int index, unsigned int vectors)
{
	struct vfki_messages *msg = messages_of(m, index);

	if (!msg || vectors > msg->count)
		return vfki_err(-EINVAL, "%s: irq %u: a limit of %u vectors", m->io.name, index,
				vectors);
	msg->limit = vectors;
	return 0;
}

int vfk_model_set_irq_flags(struct vfk_model *m, unsigned int index, uint32_t flags)
{
	const uint32_t known = VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_NORESIZE;
	struct vfki_messages *msg = messages_of(m, index);
	int ret = vfki_model_declaring(m, "interrupt flags");

	if (ret < 0)
		return ret;
	if (!msg || !msg->count || flags & ~known ||
	    (flags & VFIO_IRQ_INFO_MASKABLE && !msg->maskable) ||
	    (!msg->table && !(flags & VFIO_IRQ_INFO_NORESIZE)))
		return vfki_err(-EINVAL, "%s: irq %u: flags 0x%x", m->io.name, index, flags);
	msg->flags = flags;
	return 0;
}

/* ---- SET_IRQS ---- */

static void drop_next(struct vfki_messages *msg, const struct vfio_irq_set *set, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		vfki_fd_close(msg->vector[set->start + i].next);
}

/* Everything that can fail, for all vectors, before anything is changed. */
static int prepare(const struct vfk_model *m, struct vfki_messages *msg,
		   const struct vfio_irq_set *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		int ret = vfki_irq_take_fd(m, set, i, &msg->vector[set->start + i].next);

		if (ret < 0) {
			drop_next(msg, set, i);
			return ret;
		}
	}
	return 0;
}

static void commit(struct vfki_messages *msg, const struct vfio_irq_set *set)
{
	for (uint32_t i = set->start; i < set->start + set->count; i++) {
		struct vfki_vector *v = &msg->vector[i];

		vfki_fd_close(v->fd);
		v->fd = v->next;
		v->next = -1;
		/* As a kernel does when an interrupt gets its handler, and loses it. */
		if (msg->table)
			vfki_msix_mask(msg, i, v->fd < 0);
	}
}

/* What a kernel answers whose interrupt controller has no more: how many there are, or that there is none. */
static int too_many(const struct vfk_model *m, const struct vfki_messages *msg, bool first)
{
	if (first && msg->limit)
		return (int)msg->limit;
	return vfki_err(-ENOSPC, "%s: irq %u: only %u vectors can be had", m->io.name, msg->index,
			msg->limit);
}

static int arm(struct vfk_model *m, struct vfki_messages *msg, const struct vfio_irq_set *set)
{
	struct vfki_irqs *irqs = &m->irqs;
	bool first = irqs->kind == VFKI_IRQ_NONE;
	/* Where the info says NORESIZE, what is in use was fixed when it was enabled. */
	uint32_t limit = first ? msg->count : msg->granted;
	int ret;

	if (!set->count || set->start >= limit || set->count > limit - set->start)
		return vfki_err(-EINVAL, "%s: irq %u: vectors %u + %u of %u", m->io.name,
				msg->index, set->start, set->count, limit);
	if (set->start + set->count > msg->limit)
		return too_many(m, msg, first);
	ret = prepare(m, msg, set);
	if (ret < 0)
		return ret;
	vfki_lock_take(&irqs->lock);
	commit(msg, set);
	if (first && msg->table && msg->flags & VFIO_IRQ_INFO_NORESIZE)
		msg->granted = set->start + set->count;
	irqs->kind = msg->index;
	vfki_lock_drop(&irqs->lock);
	if (first && msg->table)
		vfki_config_enable_msix(m);
	else if (first)
		vfki_config_enable_msi(m, set->start + set->count);
	vfki_config_apply(m);
	return 0;
}

static void disable(struct vfk_model *m, struct vfki_messages *msg)
{
	struct vfki_irqs *irqs = &m->irqs;

	if (irqs->kind != msg->index)
		return;
	vfki_lock_take(&irqs->lock);
	for (uint32_t i = 0; i < msg->count; i++) {
		struct vfki_vector *v = &msg->vector[i];

		vfki_fd_close(v->fd);
		*v = (struct vfki_vector){ .fd = -1, .next = -1 };
		if (msg->table)
			vfki_msix_mask(msg, i, true);
	}
	irqs->kind = VFKI_IRQ_NONE;
	if (msg->table)
		msg->granted = msg->count;
	vfki_lock_drop(&irqs->lock);
	if (msg->table)
		vfki_config_disable_msix(m);
	else
		vfki_config_disable_msi(m);
	vfki_config_apply(m);
}

/* Signals by software whatever the masks say: a loopback test of the eventfds. */
static void loop_back(struct vfk_model *m, struct vfki_messages *msg,
		      const struct vfio_irq_set *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (vfki_irq_wanted(set, i))
			vfki_irq_signal(m, msg->vector[set->start + i].fd);
	}
}

static void set_masks(struct vfk_model *m, struct vfki_messages *msg,
		      const struct vfio_irq_set *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		if (vfki_irq_wanted(set, i))
			msg->vector[set->start + i].masked = set->flags & VFIO_IRQ_SET_ACTION_MASK;
	}
	vfki_messages_deliver(m, msg);
}

int vfki_messages_set(struct vfk_model *m, struct vfki_messages *msg,
		      const struct vfio_irq_set *set)
{
	struct vfki_irqs *irqs = &m->irqs;
	bool triggers = set->flags & VFIO_IRQ_SET_ACTION_TRIGGER;

	if (!triggers &&
	    (!(msg->flags & VFIO_IRQ_INFO_MASKABLE) || set->flags & VFIO_IRQ_SET_DATA_EVENTFD))
		return vfki_err(-ENOTSUP, "%s: irq %u: cannot be masked so", m->io.name,
				msg->index);
	if (triggers && !set->count && set->flags & VFIO_IRQ_SET_DATA_NONE) {
		disable(m, msg);
		return 0;
	}
	if (triggers && set->flags & VFIO_IRQ_SET_DATA_EVENTFD &&
	    (irqs->kind == VFKI_IRQ_NONE || irqs->kind == msg->index))
		return arm(m, msg, set);
	if (irqs->kind != msg->index)
		return vfki_irq_not_enabled(m, msg->index);
	if (set->start > msg->granted || set->count > msg->granted - set->start)
		return vfki_err(-EINVAL, "%s: irq %u: vectors %u + %u of %u", m->io.name,
				msg->index, set->start, set->count, msg->granted);
	vfki_lock_take(&irqs->lock);
	if (triggers)
		loop_back(m, msg, set);
	else
		set_masks(m, msg, set);
	vfki_lock_drop(&irqs->lock);
	return 0;
}
