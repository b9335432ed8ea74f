/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_reset.c - reset: what it clears, what it keeps. */
#include <errno.h>
#include <linux/pci_regs.h>

#include "case.h"
#include "engine.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

static void need_reset(struct t *t)
{
	if (!(vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_RESET))
		case_skip("the device has no reset");
}

static void reset_not_offered(struct t *t)
{
	if (vfk_device_flags(t->dev) & VFIO_DEVICE_FLAGS_RESET)
		case_skip("the device has a reset");
	CHECK_EQ(t, vfk_device_reset(t->dev), -ENOTSUP);
}

static void reset_twice(struct t *t)
{
	need_reset(t);
	CHECK_OK(t, vfk_device_reset(t->dev));
	CHECK_OK(t, vfk_device_reset(t->dev));
}

static void reset_keeps_config(struct t *t)
{
	uint64_t command, bar, old;

	case_need_pci(t);
	need_reset(t);
	old = case_get(t, CONFIG, PCI_BASE_ADDRESS_0, 4);
	case_put(t, CONFIG, PCI_BASE_ADDRESS_0, 4,
		 0xe0000000); /* reads as 0 where there is no BAR */
	case_command(t, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	command = case_get(t, CONFIG, PCI_COMMAND, 2);
	bar = case_get(t, CONFIG, PCI_BASE_ADDRESS_0, 4);
	CHECK_OK(t, vfk_device_reset(t->dev));
	CHECK_EQ(t, case_get(t, CONFIG, PCI_COMMAND, 2), (long long)command);
	CHECK_EQ(t, case_get(t, CONFIG, PCI_BASE_ADDRESS_0, 4), (long long)bar);
	case_put(t, CONFIG, PCI_BASE_ADDRESS_0, 4, old);
}

static void reset_clears_registers(struct t *t)
{
	const struct engine *e = engine_find(t);
	uint64_t initial, after;

	need_reset(t);
	CHECK_OK(t, vfk_device_reset(t->dev));
	initial = case_get(t, e->bar, e->scratch, 4);
	case_put(t, e->bar, e->scratch, 4, 0x600df00d);
	CHECK_EQ(t, case_get(t, e->bar, e->scratch, 4), (long long)e->scratch_reads(0x600df00d));
	CHECK_OK(t, vfk_device_reset(t->dev));
	after = case_get(t, e->bar, e->scratch, 4);
	if (after == e->scratch_reads(0x600df00d)) /* QEMU's own edu, below a bus that was reset */
		case_skip("a reset of the device leaves its registers as they are");
	CHECK_EQ(t, after, (long long)initial);
}

const struct vfk_case vfk_cases_reset[] = {
	{ "reset_not_offered", reset_not_offered },
	{ "reset_twice", reset_twice },
	{ "reset_keeps_config", reset_keeps_config },
	{ "reset_clears_registers", reset_clears_registers },
	{ NULL, NULL },
};
