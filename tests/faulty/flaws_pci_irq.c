/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_pci_irq.c - PCI devices whose vectors, masks and notifiers are not what lib/pci takes them for. */
#include <errno.h>
#include <string.h>

#include "wrapper.h"

#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
#define REQ  VFIO_PCI_REQ_IRQ_INDEX

#define ARM	 (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define TRIGGER	 (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)
#define RESAMPLE (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK)

static bool is_arm(const struct vfio_irq_set *set)
{
	return set->flags == ARM;
}

static bool is_trigger(const struct vfio_irq_set *set)
{
	return set->flags == TRIGGER && set->count;
}

static bool is_disable(const struct vfio_irq_set *set)
{
	return set->flags == TRIGGER && !set->count;
}

static bool is_masking(const struct vfio_irq_set *set)
{
	return set->flags & VFIO_IRQ_SET_ACTION_MASK;
}

static bool is_unmasking(const struct vfio_irq_set *set)
{
	return set->flags & VFIO_IRQ_SET_ACTION_UNMASK && !(set->flags & VFIO_IRQ_SET_DATA_EVENTFD);
}

static int msix_arms_nothing(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_arm(set) && set->index == MSIX ? 0 : right.set_irqs(io, set);
}

static int arms_nothing(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_arm(set) ? 0 : right.set_irqs(io, set);
}

static int no_disable(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_disable(set) ? 0 : right.set_irqs(io, set);
}

static int first_as_well(struct vfk_io *io, const struct vfio_irq_set *set)
{
	if (is_trigger(set) && set->start)
		vfk_irq_trigger(wrapper(io)->inner, set->index, 0, 1);
	return right.set_irqs(io, set);
}

/* A vector fires once; that it was armed anew does not matter. */
static int fires_once(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_trigger(set) && wrapper(io)->calls++ ? 0 : right.set_irqs(io, set);
}

static int needs_an_eventfd(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int32_t fd;

	memcpy(&fd, set->data, is_arm(set) ? sizeof(fd) : 0);
	return is_arm(set) && fd < 0 ? -EINVAL : right.set_irqs(io, set);
}

static int later_ends_the_first(struct vfk_io *io, const struct vfio_irq_set *set)
{
	const int none = -1;

	if (is_arm(set) && set->start)
		vfk_irq_set_eventfds(wrapper(io)->inner, set->index, 0, 1, &none);
	return right.set_irqs(io, set);
}

/* The one that a vector was armed with first stays. */
static int no_exchange(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_arm(set) && wrapper(io)->calls++ ? 0 : right.set_irqs(io, set);
}

static int no_mask(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_masking(set) ? 0 : right.set_irqs(io, set);
}

static int no_unmask(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_unmasking(set) ? 0 : right.set_irqs(io, set);
}

static int no_resample(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return set->flags == RESAMPLE ? 0 : right.set_irqs(io, set);
}

static int insists(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return is_disable(set) && set->index == REQ ? 0 : right.set_irqs(io, set);
}

static int last_is_first(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int fds[64];

	if (!is_arm(set) || set->index != MSIX || set->count != 64)
		return right.set_irqs(io, set);
	memcpy(fds, set->data, sizeof(fds));
	fds[63] = fds[0];
	return vfk_irq_set_eventfds(wrapper(io)->inner, set->index, 0, 64, fds);
}

/* As Linux does with MSI: one less each time it is asked. */
static int always_one_less(struct vfk_io *io, const struct vfio_irq_set *set)
{
	if (is_arm(set) && set->count > 2)
		return (int)set->count - 1;
	return right.set_irqs(io, set);
}

const struct flaw flaws_pci_irq[] = {
	{ .name = "arming MSI-X does nothing",
	  .fails = "pci_irq_best",
	  .says = "vfk_irq_trigger",
	  .rule = "set_irqs: arming the first vector of an index enables it",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = msix_arms_nothing } },
	{ .name = "what is disabled at the close stays enabled",
	  .fails = "pci_irq_close_disables",
	  .says = "got 0 (0x0), want -EINVAL",
	  .rule = "set_irqs: count 0 disables the index",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = no_disable } },
	{ .name = "a vector's signal reaches the first one, too",
	  .fails = "pci_irq_vectors",
	  .says = "case_count(t, vfk_pci_irq_fd(pci, (uint32_t)k)): got 1",
	  .rule = "set_irqs: all vectors of the range, no other",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = first_as_well } },
	{ .name = "\"only one less\" until two are left",
	  .passes = "pci_irq_switch",
	  .rule = "seed 6: a positive n is fewer than were asked for, and the library asks again",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = always_one_less } },
	{ .name = "the kind before stays enabled",
	  .fails = "pci_irq_switch",
	  .says = "vfk_pci_irq_enable(pci, order[i], 1, 1, NULL): got -22",
	  .rule = "set_irqs: count 0 disables the index",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = no_disable } },
	{ .name = "a vector fires once only",
	  .fails = "pci_irq_switch_fails",
	  .says = "got -110",
	  .rule = "a message a request",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = fires_once } },
	{ .name = "MSI-X cannot be enabled without a vector",
	  .fails = "pci_irq_no_vector",
	  .says = "got -22",
	  .rule = "set_irqs: -1 arms nothing, and enables the index all the same",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = needs_an_eventfd } },
	{ .name = "a vector that comes later ends the first one",
	  .fails = "pci_irq_later",
	  .says = "got -110",
	  .rule = "VFIO_IRQ_INFO_NORESIZE is not set",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = later_ends_the_first } },
	{ .name = "a vector keeps the eventfd that it had first",
	  .fails = "pci_irq_mask_of_the_library",
	  .says = "want -ETIMEDOUT",
	  .rule = "set_irqs: arming",
	  .ops = { .set_irqs = no_exchange } },
	{ .name = "a mask holds nothing",
	  .fails = "pci_irq_mask_holds",
	  .says = "want -ETIMEDOUT",
	  .rule = "linux/vfio.h: ACTION_MASK",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = no_mask } },
	{ .name = "an asserted line does not signal again",
	  .fails = "pci_irq_intx_loop",
	  .says = "got -110",
	  .rule = "linux/vfio.h: AUTOMASKED, and ACTION_UNMASK",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = no_unmask } },
	{ .name = "the eventfd that unmasks is not listened to",
	  .fails = "pci_irq_intx_resample",
	  .says = "got -110",
	  .rule = "linux/vfio.h: ACTION_UNMASK with DATA_EVENTFD",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = no_resample } },
	{ .name = "a notifier cannot be taken away",
	  .fails = "pci_irq_notifiers",
	  .says = "want -ETIMEDOUT",
	  .rule = "set_irqs: count 0 disables the index",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = insists } },
	{ .name = "the last vector of all has the first one's eventfd",
	  .fails = "pci_irq_all_vectors",
	  .says = "vfk_irq_wait",
	  .rule = "set_irqs: arming",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = last_is_first } },
	{ .name = "arming does nothing",
	  .fails = "virtual_intx",
	  .says = "vfk_irq_trigger",
	  .rule = "set_irqs: arming the first vector of an index enables it",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = arms_nothing } },
	{ .name = "the guest's MSI stays enabled",
	  .fails = "virtual_msi",
	  .says = "vfk_pci_virtual_config_write(g->v, off, width, value): got -22",
	  .rule = "set_irqs: count 0 disables the index",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = no_disable } },
	{ .name = "a guest's vector stays without the eventfd that it gets later",
	  .fails = "virtual_msix",
	  .says = "vfk_irq_trigger(t->dev, index, 0, 1): got -22",
	  .rule = "set_irqs: arming",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = no_exchange } },
	{ .name = "a guest's vector fires once only",
	  .fails = "virtual_msix_relocated",
	  .says = "got -110",
	  .rule = "a message a request",
	  .base = BASE_TESTDEV,
	  .ops = { .set_irqs = fires_once } },
	{ .name = NULL },
};
