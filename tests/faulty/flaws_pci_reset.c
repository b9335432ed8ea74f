/* SPDX-License-Identifier: BSD-3-Clause */
/* flaws_pci_reset.c - PCI devices that resets, power states and the command register do something else to. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "wrapper.h"

static uint32_t value_of(const void *buf, size_t len)
{
	uint8_t bytes[4] = { 0 };

	memcpy(bytes, buf, len < 4 ? len : 4);
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* ---- the command register ---- */

static ssize_t always_master(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			     size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (region == CONFIG && off == PCI_COMMAND && ret > 0)
		((uint8_t *)buf)[0] |= PCI_COMMAND_MASTER;
	return ret;
}

static ssize_t note_decoding(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			     size_t len, unsigned int flags)
{
	if (region == CONFIG && off == PCI_COMMAND && !(value_of(buf, len) & PCI_COMMAND_MEMORY))
		wrapper(io)->calls = 1;
	return right.region_write(io, region, off, buf, len, flags);
}

/* Once it was off, it stays off. */
static ssize_t no_decoding(struct vfk_io *io, uint32_t region, uint64_t off, void *buf, size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (region == CONFIG && off == PCI_COMMAND && ret > 0 && wrapper(io)->calls)
		((uint8_t *)buf)[0] &= (uint8_t)~PCI_COMMAND_MEMORY;
	return ret;
}

/* ---- resets ---- */

static int note_reset(struct vfk_io *io)
{
	wrapper(io)->calls++;
	return right.reset(io);
}

/* A register that is lost in a reset, and takes nothing after it. */
static ssize_t lost_register(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			     size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (region == CONFIG && off <= PCI_CACHE_LINE_SIZE &&
	    (uint64_t)ret > PCI_CACHE_LINE_SIZE - off && wrapper(io)->calls)
		((uint8_t *)buf)[PCI_CACHE_LINE_SIZE - off] = 0x5a;
	return ret;
}

/* A slot that is there for whoever asks a second time. */
static int late_slot(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	size_t need = sizeof(*info) + sizeof(info->devices[0]);

	if (!wrapper(io)->calls++)
		return -ENODEV;
	info->count = info->argsz >= need;
	info->argsz = (uint32_t)need;
	if (info->count)
		memset(info->devices, 0, sizeof(info->devices[0]));
	return 0;
}

static int any_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	(void)io;
	(void)reset;
	return 0;
}

static int one_more_each_time(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	uint32_t count = ++wrapper(io)->calls;
	size_t need = sizeof(*info) + count * sizeof(info->devices[0]);

	if (info->argsz >= need) {
		memset(info->devices, 0, count * sizeof(info->devices[0]));
		info->count = count;
	}
	info->argsz = (uint32_t)need;
	return 0;
}

/* ---- power ---- */

static bool is_power(struct vfk_io *io, uint32_t region, uint64_t off)
{
	return region == CONFIG && off >= PCI_STD_HEADER_SIZEOF &&
	       off == wrapper_cap(io, PCI_CAP_ID_PM) + PCI_PM_CTRL;
}

static ssize_t awake_at_all_times(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
				  size_t len)
{
	ssize_t ret = right.region_read(io, region, off, buf, len);

	if (region >= VFIO_PCI_ROM_REGION_INDEX || ret != -EIO)
		return ret;
	memset(buf, 0, len);
	return (ssize_t)len;
}

static ssize_t refuses_d1(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			  size_t len, unsigned int flags)
{
	if (is_power(io, region, off) && (value_of(buf, len) & PCI_PM_CTRL_STATE_MASK) == 1)
		return (ssize_t)len;
	return right.region_write(io, region, off, buf, len, flags);
}

static ssize_t sleeps_for_good(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
			       size_t len, unsigned int flags)
{
	if (is_power(io, region, off) && !(value_of(buf, len) & PCI_PM_CTRL_STATE_MASK))
		return (ssize_t)len;
	return right.region_write(io, region, off, buf, len, flags);
}

static int enters_twice(struct vfk_io *io, struct vfio_device_feature *feature)
{
	uint32_t id = feature->flags & VFIO_DEVICE_FEATURE_MASK;
	int ret = right.device_feature(io, feature);

	return id == VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY && ret == -EINVAL ? 0 : ret;
}

const struct flaw flaws_pci_reset[] = {
	{ .name = "a register takes nothing after a reset",
	  .fails = "pci_reset_keeps_setup",
	  .says = "config 0x0c",
	  .rule = "what was written to config space is read from it",
	  .base = BASE_TESTDEV,
	  .ops = { .reset = note_reset, .region_read = lost_register } },
	{ .name = "a slot that comes and goes",
	  .fails = "pci_reset_lacking",
	  .says = "want -ENOTSUP",
	  .rule = "hot_reset_info: of one device it is the same each time",
	  .ops = { .hot_reset_info = late_slot, .hot_reset = any_hot_reset } },
	{ .name = "each question finds one device more on the bus",
	  .fails = "pci_hot_reset_info",
	  .says = "same: got",
	  .rule = "hot_reset_info: of one device it is the same each time",
	  .base = BASE_TESTDEV,
	  .ops = { .hot_reset_info = one_more_each_time } },
	{ .name = "bus mastering cannot be turned off",
	  .fails = "pci_set_master",
	  .says = "vfk_pci_set_master(pci, 0): got -95",
	  .rule = "PCI 3.0 section 6.2.2",
	  .base = BASE_TESTDEV,
	  .ops = { .region_read = always_master } },
	{ .name = "decoding cannot be turned on again",
	  .fails = "pci_set_decode",
	  .says = "vfk_pci_set_decode(pci, true, false): got -95",
	  .rule = "PCI 3.0 section 6.2.2",
	  .base = BASE_TESTDEV,
	  .ops = { .region_read = no_decoding, .region_write = note_decoding } },
	{ .name = "BARs answer in D3hot",
	  .fails = "pci_power_d3hot",
	  .says = "want -EIO",
	  .rule = "PCI PM 1.2 section 5.4.1",
	  .base = BASE_TESTDEV,
	  .ops = { .region_read = awake_at_all_times } },
	{ .name = "D1 is offered, and not entered",
	  .fails = "pci_power_states",
	  .says = "got -5",
	  .rule = "PCI PM 1.2 section 3.2.3",
	  .base = BASE_TESTDEV,
	  .ops = { .region_write = refuses_d1 } },
	{ .name = "D0 is not reached any more",
	  .fails = "pci_power_close_wakes",
	  .says = "want VFK_PCI_D0",
	  .rule = "PCI PM 1.2 section 5.4",
	  .base = BASE_TESTDEV,
	  .ops = { .region_write = sleeps_for_good } },
	{ .name = "low power can be entered twice",
	  .fails = "pci_low_power",
	  .says = "got 0 (0x0), want -EINVAL",
	  .rule = "linux/vfio.h: VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY",
	  .base = BASE_TESTDEV,
	  .ops = { .device_feature = enters_twice } },
	{ .name = "the guest's reset leaves bus mastering on",
	  .fails = "virtual_reset",
	  .says = "PCI_COMMAND_MASTER",
	  .rule = "PCI 3.0 section 6.2.2",
	  .base = BASE_TESTDEV,
	  .ops = { .region_read = always_master } },
	{ .name = NULL },
};
