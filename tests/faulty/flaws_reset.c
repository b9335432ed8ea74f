/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_reset.c - resets that do too much, too little, or not what the info says. */
#include <errno.h>
#include <linux/pci_regs.h>

#include "wrapper.h"

static int loses_irqs(struct vfk_io *io)
{
	vfk_irq_disable(wrapper(io)->inner, MSI);
	return right.reset(io);
}

static int loses_command(struct vfk_io *io)
{
	int ret = right.reset(io);

	vfk_region_put(wrapper(io)->inner, CONFIG, PCI_COMMAND, 2, 0);
	return ret;
}

static int loses_bar(struct vfk_io *io)
{
	int ret = right.reset(io);

	vfk_region_put(wrapper(io)->inner, CONFIG, PCI_BASE_ADDRESS_0, 4, 0);
	return ret;
}

static int does_nothing(struct vfk_io *io)
{
	(void)io;
	return 0;
}

static int loses_mappings(struct vfk_io *io)
{
	vfk_device_detach_dma(wrapper(io)->inner);
	return right.reset(io);
}

static int only_once(struct vfk_io *io)
{
	return wrapper(io)->calls++ ? -EBUSY : right.reset(io);
}

static int counts(struct vfk_io *io)
{
	right.reset(io);
	return 1;
}

static int refuses(struct vfk_io *io)
{
	(void)io;
	return -ENOTTY;
}

static int hides_reset(struct vfk_io *io, struct vfio_device_info *info)
{
	int ret = right.get_device_info(io, info);

	info->flags &= ~(uint32_t)VFIO_DEVICE_FLAGS_RESET;
	return ret;
}

const struct flaw flaws_reset[] = {
	{ .name = "a reset disarms the interrupts",
	  .fails = "irq_survives_reset",
	  .says = "got -22",
	  .rule = "reset: armed interrupts are kept",
	  .ops = { .reset = loses_irqs } },
	{ .name = "a reset clears the command register",
	  .fails = "reset_keeps_config",
	  .says = "want (long long)command",
	  .rule = "reset: config space is kept",
	  .ops = { .reset = loses_command } },
	{ .name = "a reset clears a BAR",
	  .fails = "reset_keeps_config",
	  .says = "want (long long)bar",
	  .rule = "reset: config space is kept",
	  .ops = { .reset = loses_bar } },
	{ .name = "a reset does not clear the registers",
	  .fails = "reset_clears_registers",
	  .says = "leaves its registers as they are",
	  .rule = "reset: registers are as after power-on",
	  .ops = { .reset = does_nothing } },
	{ .name = "a reset leaves INTx asserted",
	  .fails = "reset_drops_intx",
	  .says = "want -ETIMEDOUT",
	  .rule = "reset: an asserted INTx is dropped",
	  .ops = { .reset = does_nothing } },
	{ .name = "a reset drops the DMA mappings",
	  .fails = "engine_dma_survives_reset",
	  .says = "out[i]: got",
	  .rule = "reset: DMA mappings are kept",
	  .ops = { .reset = loses_mappings } },
	{ .name = "a second reset fails",
	  .fails = "reset_twice",
	  .says = "got -16",
	  .rule = "reset: any number of times",
	  .ops = { .reset = only_once } },
	{ .name = "a reset returns a number",
	  .fails = "reset_twice",
	  .says = "got -71",
	  .rule = "reset: 0 or -errno",
	  .ops = { .reset = counts } },
	{ .name = "a device says that it can be reset, and cannot",
	  .fails = "reset_twice",
	  .says = "got -95",
	  .rule = "VFIO_DEVICE_FLAGS_RESET",
	  .ops = { .reset = refuses } },
	{ .name = "a reset though the device says that it has none",
	  .passes = "reset_not_offered",
	  .rule = "the checked calls refuse before the io is asked",
	  .ops = { .get_device_info = hides_reset } },
	{ .name = NULL },
};
