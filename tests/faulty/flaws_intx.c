/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_intx.c - what goes wrong with a level interrupt: masking, automasking, the resample eventfd. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "wrapper.h"

#define EDU_RAISE 0x60

static ssize_t not_automasked(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			      size_t len, unsigned int flags)
{
	ssize_t ret = right.region_write(io, region, off, buf, len, flags);

	if (region == 0 && off == EDU_RAISE)
		vfk_irq_unmask(wrapper(io)->inner, INTX, 0, 1);
	return ret;
}

static int no_unmask(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return set->flags & VFIO_IRQ_SET_ACTION_UNMASK ? 0 : right.set_irqs(io, set);
}

static int no_mask(struct vfk_io *io, const struct vfio_irq_set *set)
{
	return set->flags & VFIO_IRQ_SET_ACTION_MASK ? 0 : right.set_irqs(io, set);
}

static int unmask_fires(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	if (set->flags & VFIO_IRQ_SET_ACTION_UNMASK)
		vfk_irq_trigger(wrapper(io)->inner, INTX, 0, 1);
	return ret;
}

static int no_resample(struct vfk_io *io, const struct vfio_irq_set *set)
{
	const uint32_t flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK;

	return set->flags == flags ? 0 : right.set_irqs(io, set);
}

static int mask_counts(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return ret == 0 && set->flags & VFIO_IRQ_SET_ACTION_MASK ? (int)set->count : ret;
}

static int mask_positive_errno(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return set->flags & VFIO_IRQ_SET_ACTION_MASK && ret < 0 ? -ret : ret;
}

static int mask_never_fails(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return set->flags & VFIO_IRQ_SET_ACTION_MASK && ret < 0 ? 0 : ret;
}

static int unmask_never_fails(struct vfk_io *io, const struct vfio_irq_set *set)
{
	int ret = right.set_irqs(io, set);

	return set->flags & VFIO_IRQ_SET_ACTION_UNMASK && ret < 0 ? 0 : ret;
}

static int no_loopback(struct vfk_io *io, const struct vfio_irq_set *set)
{
	if (set->index == INTX && set->count &&
	    set->flags == (VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER))
		return 0;
	return right.set_irqs(io, set);
}

/* The command register without Interrupt Disable, or with it for ever once it was set. */
static ssize_t write_disable(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			     size_t len, bool for_ever)
{
	uint16_t cmd;

	if (region != CONFIG || off != PCI_COMMAND || len != 2)
		return right.region_write(io, region, off, buf, len, 0);
	memcpy(&cmd, buf, 2);
	wrapper(io)->shadow |= cmd & PCI_COMMAND_INTX_DISABLE;
	cmd &= (uint16_t)~PCI_COMMAND_INTX_DISABLE;
	if (for_ever)
		cmd |= (uint16_t)wrapper(io)->shadow;
	return right.region_write(io, region, off, &cmd, 2, 0);
}

static ssize_t never_disabled(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			      size_t len, unsigned int flags)
{
	(void)flags;
	return write_disable(io, region, off, buf, len, false);
}

static ssize_t stays_disabled(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			      size_t len, unsigned int flags)
{
	(void)flags;
	return write_disable(io, region, off, buf, len, true);
}

const struct flaw flaws_intx[] = {
	{ .name = "INTx is not automasked",
	  .fails = "intx_fires_once",
	  .says = "want -ETIMEDOUT",
	  .rule = "linux/vfio.h: AUTOMASKED",
	  .ops = { .region_write = not_automasked } },
	{ .name = "an unmask signals though the line is low",
	  .fails = "intx_fires_once",
	  .says = "want -ETIMEDOUT",
	  .rule = "an INTx is a level",
	  .ops = { .set_irqs = unmask_fires } },
	{ .name = "an unmask does not signal a line that is high",
	  .fails = "intx_unmask_while_high",
	  .says = "got -110",
	  .rule = "an INTx is a level",
	  .ops = { .set_irqs = no_unmask } },
	{ .name = "a mask is ignored",
	  .fails = "intx_masked_by_caller",
	  .says = "want -ETIMEDOUT",
	  .rule = "linux/vfio.h: ACTION_MASK",
	  .ops = { .set_irqs = no_mask } },
	{ .name = "a mask returns a positive number",
	  .fails = "intx_masked_by_caller",
	  .says = "set irqs: returned 1",
	  .rule = "seed 6: a number of vectors is for arming only",
	  .ops = { .set_irqs = mask_counts } },
	{ .name = "a mask that fails returns +errno",
	  .fails = "irq_mask_not_enabled",
	  .says = "got -71",
	  .rule = "seed 2: -errno is the control channel",
	  .ops = { .set_irqs = mask_positive_errno } },
	{ .name = "a mask never fails",
	  .fails = "irq_mask_not_enabled",
	  .says = "vfk_irq_mask(t->dev, INTX, 0, 1): got 0",
	  .rule = "seed 7: the result of mask is not to be lost",
	  .ops = { .set_irqs = mask_never_fails } },
	{ .name = "an unmask never fails",
	  .fails = "irq_mask_not_enabled",
	  .says = "vfk_irq_unmask(t->dev, INTX, 0, 1): got 0",
	  .rule = "seed 7: the result of unmask is not to be lost",
	  .ops = { .set_irqs = unmask_never_fails } },
	{ .name = "Interrupt Disable is ignored",
	  .fails = "intx_disabled_in_command",
	  .says = "want -ETIMEDOUT",
	  .rule = "PCI 3.0 section 6.2.2",
	  .ops = { .region_write = never_disabled } },
	{ .name = "Interrupt Disable cannot be cleared",
	  .fails = "intx_disabled_in_command",
	  .says = "got -110",
	  .rule = "PCI 3.0 section 6.2.2",
	  .ops = { .region_write = stays_disabled } },
	{ .name = "the unmask eventfd is taken and not watched",
	  .fails = "intx_resample",
	  .says = "got -110",
	  .rule = "linux/vfio.h: DATA_EVENTFD with ACTION_UNMASK",
	  .ops = { .set_irqs = no_resample } },
	{ .name = "INTx cannot be triggered from software",
	  .fails = "irq_loopback_intx",
	  .says = "got -110",
	  .rule = "linux/vfio.h: ACTION_TRIGGER is a loopback",
	  .ops = { .set_irqs = no_loopback } },
	{ .name = NULL },
};
