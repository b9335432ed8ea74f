/* SPDX-License-Identifier: BSD-3-Clause */
/* cases_config.c - PCI config space: what can be written, BAR sizing, decoding, the capability list. */
#include <errno.h>
#include <linux/pci_regs.h>

#include "case.h"
#include "engine.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX

static void config_ids_read_only(struct t *t)
{
	uint64_t ids, class;

	case_need_pci(t);
	ids = case_get(t, CONFIG, PCI_VENDOR_ID, 4);
	class = case_get(t, CONFIG, PCI_CLASS_REVISION, 4);
	case_put(t, CONFIG, PCI_VENDOR_ID, 4, ~ids & 0xffffffff);
	case_put(t, CONFIG, PCI_CLASS_REVISION, 4, ~class & 0xffffffff);
	CHECK_EQ(t, case_get(t, CONFIG, PCI_VENDOR_ID, 4), (long long)ids);
	CHECK_EQ(t, case_get(t, CONFIG, PCI_CLASS_REVISION, 4), (long long)class);
}

static void config_command_bits(struct t *t)
{
	case_need_pci(t);
	case_command(t, 0, PCI_COMMAND_MASTER);
	if (!(case_get(t, CONFIG, PCI_COMMAND, 2) & PCI_COMMAND_MASTER)) /* PCI 3.0, 6.2.2 */
		case_skip("the device can be no bus master");
	case_command(t, PCI_COMMAND_MASTER, 0);
	CHECK_EQ(t, case_get(t, CONFIG, PCI_COMMAND, 2) & PCI_COMMAND_MASTER, 0);
}

static void config_bar_sizing(struct t *t)
{
	bool seen = false;

	case_need_pci(t);
	for (unsigned int i = 0; i < 6; i++) {
		uint64_t size = case_region(t, i)->size, old, mask;
		unsigned int reg = PCI_BASE_ADDRESS_0 + 4 * i;

		if (!size)
			continue;
		seen = true;
		old = case_get(t, CONFIG, reg, 4);
		case_put(t, CONFIG, reg, 4, 0xffffffff);
		mask = case_get(t, CONFIG, reg, 4);
		mask &= mask & PCI_BASE_ADDRESS_SPACE_IO ? ~(uint64_t)3 : ~(uint64_t)15;
		case_put(t, CONFIG, reg, 4, old);
		CHECK_EQ(t, (~mask & 0xffffffff) + 1, (long long)size);
		CHECK_EQ(t, case_get(t, CONFIG, reg, 4), (long long)old);
	}
	if (!seen)
		case_skip("no BAR");
}

static void config_memory_decoding(struct t *t)
{
	const struct engine *e = engine_find(t);
	uint64_t v = 0;

	CHECK_OK(t, vfk_region_get(t->dev, e->bar, e->scratch, 4, &v));
	case_command(t, PCI_COMMAND_MEMORY, 0);
	CHECK_EQ(t, vfk_region_get(t->dev, e->bar, e->scratch, 4, &v), -EIO);
	CHECK_EQ(t, vfk_region_put(t->dev, e->bar, e->scratch, 4, 0), -EIO);
	case_command(t, 0, PCI_COMMAND_MEMORY);
	CHECK_OK(t, vfk_region_get(t->dev, e->bar, e->scratch, 4, &v));
}

static void config_capability_list(struct t *t)
{
	unsigned int pos, n = 0;

	case_need_pci(t);
	if (!(case_get(t, CONFIG, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		case_skip("no capability list");
	for (pos = (unsigned int)case_get(t, CONFIG, PCI_CAPABILITY_LIST, 1) & ~3u; pos;
	     pos = (unsigned int)case_get(t, CONFIG, pos + PCI_CAP_LIST_NEXT, 1) & ~3u) {
		CHECK(t, pos >= PCI_STD_HEADER_SIZEOF);
		CHECK(t, ++n <= 48);
	}
}

/* PCIe 6.0, section 7.6.3; an absent list is a header of zeros. */
static void config_extended_list(struct t *t)
{
	unsigned int n = 0, next;

	case_need_pci(t);
	if (case_region(t, CONFIG)->size <= PCI_CFG_SPACE_SIZE)
		case_skip("no extended config space");
	for (unsigned int pos = PCI_CFG_SPACE_SIZE; pos; pos = next) {
		CHECK(t, pos >= PCI_CFG_SPACE_SIZE && !(pos & 3));
		CHECK(t, ++n <= (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8);
		next = PCI_EXT_CAP_NEXT(case_get(t, CONFIG, pos, 4));
	}
}

/* PCI 3.0, section 6.2.5.2: bit 0 enables, addresses begin at bit 11. */
static void config_rom_sizing(struct t *t)
{
	uint64_t size, old, mask;

	case_need_pci(t);
	size = case_region(t, VFIO_PCI_ROM_REGION_INDEX)->size;
	if (!size)
		case_skip("no expansion ROM");
	old = case_get(t, CONFIG, PCI_ROM_ADDRESS, 4);
	case_put(t, CONFIG, PCI_ROM_ADDRESS, 4, PCI_ROM_ADDRESS_MASK & 0xffffffff);
	mask = case_get(t, CONFIG, PCI_ROM_ADDRESS, 4) & PCI_ROM_ADDRESS_MASK;
	case_put(t, CONFIG, PCI_ROM_ADDRESS, 4, old);
	CHECK_EQ(t, (~mask & 0xffffffff) + 1, (long long)size);
	CHECK_EQ(t, case_get(t, CONFIG, PCI_ROM_ADDRESS, 4), (long long)old);
}

/* The irq info's counts are those of the capabilities. */
static void config_msi_count(struct t *t)
{
	unsigned int pos, guard = 0, msi = 0, msix = 0;

	case_need_pci(t);
	if (!(case_get(t, CONFIG, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		case_skip("no capability list");
	for (pos = (unsigned int)case_get(t, CONFIG, PCI_CAPABILITY_LIST, 1) & ~3u;
	     pos && guard < 48; guard++) {
		unsigned int id = (unsigned int)case_get(t, CONFIG, pos, 1);
		unsigned int flags = (unsigned int)case_get(t, CONFIG, pos + 2, 2);

		if (id == PCI_CAP_ID_MSI)
			msi = 1u << ((flags & PCI_MSI_FLAGS_QMASK) >> 1);
		if (id == PCI_CAP_ID_MSIX)
			msix = (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
		pos = (unsigned int)case_get(t, CONFIG, pos + PCI_CAP_LIST_NEXT, 1) & ~3u;
	}
	CHECK_EQ(t, case_irq(t, VFIO_PCI_MSI_IRQ_INDEX).count, msi);
	CHECK_EQ(t, case_irq(t, VFIO_PCI_MSIX_IRQ_INDEX).count, msix);
}

const struct vfk_case vfk_cases_config[] = {
	{ "config_ids_read_only", config_ids_read_only },
	{ "config_command_bits", config_command_bits },
	{ "config_bar_sizing", config_bar_sizing },
	{ "config_memory_decoding", config_memory_decoding },
	{ "config_capability_list", config_capability_list },
	{ "config_extended_list", config_extended_list },
	{ "config_rom_sizing", config_rom_sizing },
	{ "config_msi_count", config_msi_count },
	{ NULL, NULL },
};
