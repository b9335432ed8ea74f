/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names.c - names of types, regions, interrupts and flags, after <linux/vfio.h>. Pure tables.
 */
#include <linux/vfio.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "names.h"

/* Absent from the oldest headers that we build with (Linux 6.1). */
#ifndef VFIO_DEVICE_FLAGS_CDX
#define VFIO_DEVICE_FLAGS_CDX (1 << 8)
#endif

#define NUM(array) (sizeof(array) / sizeof((array)[0]))

struct flag {
	uint32_t bit;
	const char *name;
};

static const struct flag device_flags[] = {
	{ VFIO_DEVICE_FLAGS_RESET, "reset" },	    { VFIO_DEVICE_FLAGS_PCI, "pci" },
	{ VFIO_DEVICE_FLAGS_PLATFORM, "platform" }, { VFIO_DEVICE_FLAGS_AMBA, "amba" },
	{ VFIO_DEVICE_FLAGS_CCW, "ccw" },	    { VFIO_DEVICE_FLAGS_AP, "ap" },
	{ VFIO_DEVICE_FLAGS_FSL_MC, "fsl_mc" },	    { VFIO_DEVICE_FLAGS_CAPS, "caps" },
	{ VFIO_DEVICE_FLAGS_CDX, "cdx" },	    { 0, NULL },
};

static const struct flag region_flags[] = {
	{ VFIO_REGION_INFO_FLAG_READ, "read" },
	{ VFIO_REGION_INFO_FLAG_WRITE, "write" },
	{ VFIO_REGION_INFO_FLAG_MMAP, "mmap" },
	{ VFIO_REGION_INFO_FLAG_CAPS, "caps" },
	{ 0, NULL },
};

static const struct flag irq_flags[] = {
	{ VFIO_IRQ_INFO_EVENTFD, "eventfd" },
	{ VFIO_IRQ_INFO_MASKABLE, "maskable" },
	{ VFIO_IRQ_INFO_AUTOMASKED, "automasked" },
	{ VFIO_IRQ_INFO_NORESIZE, "noresize" },
	{ 0, NULL },
};

static const struct flag *const flag_tables[] = {
	[DEVICE_FLAGS] = device_flags,
	[REGION_FLAGS] = region_flags,
	[IRQ_FLAGS] = irq_flags,
};

static const char *const pci_regions[] = {
	[VFIO_PCI_BAR0_REGION_INDEX] = "bar0", [VFIO_PCI_BAR1_REGION_INDEX] = "bar1",
	[VFIO_PCI_BAR2_REGION_INDEX] = "bar2", [VFIO_PCI_BAR3_REGION_INDEX] = "bar3",
	[VFIO_PCI_BAR4_REGION_INDEX] = "bar4", [VFIO_PCI_BAR5_REGION_INDEX] = "bar5",
	[VFIO_PCI_ROM_REGION_INDEX] = "rom",   [VFIO_PCI_CONFIG_REGION_INDEX] = "config",
	[VFIO_PCI_VGA_REGION_INDEX] = "vga",
};

static const char *const pci_irqs[] = {
	[VFIO_PCI_INTX_IRQ_INDEX] = "intx", [VFIO_PCI_MSI_IRQ_INDEX] = "msi",
	[VFIO_PCI_MSIX_IRQ_INDEX] = "msix", [VFIO_PCI_ERR_IRQ_INDEX] = "err",
	[VFIO_PCI_REQ_IRQ_INDEX] = "req",
};

static const char *const ccw_irqs[] = {
	[VFIO_CCW_IO_IRQ_INDEX] = "io",
	[VFIO_CCW_CRW_IRQ_INDEX] = "crw",
	[VFIO_CCW_REQ_IRQ_INDEX] = "req",
};

/* The headers of Linux 6.1 do not name these. */
static const char *const ap_irqs[] = { "req", "cfg_chg" };

const char *name_of_type(uint32_t flags)
{
	const uint32_t not_types = VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_CAPS;

	for (const struct flag *flag = device_flags; flag->name; flag++)
		if (flags & flag->bit & ~not_types)
			return flag->name;
	return "unknown";
}

const char *name_of_region(uint32_t flags, uint32_t index, char text[NAME_SIZE])
{
	if ((flags & VFIO_DEVICE_FLAGS_PCI) && index < NUM(pci_regions))
		snprintf(text, NAME_SIZE, "%s", pci_regions[index]);
	else if ((flags & VFIO_DEVICE_FLAGS_CCW) && index == VFIO_CCW_CONFIG_REGION_INDEX)
		snprintf(text, NAME_SIZE, "config");
	else
		snprintf(text, NAME_SIZE, "region%u", index);
	return text;
}

const char *name_of_irq(uint32_t flags, uint32_t index, char text[NAME_SIZE])
{
	if ((flags & VFIO_DEVICE_FLAGS_PCI) && index < NUM(pci_irqs))
		snprintf(text, NAME_SIZE, "%s", pci_irqs[index]);
	else if ((flags & VFIO_DEVICE_FLAGS_CCW) && index < NUM(ccw_irqs))
		snprintf(text, NAME_SIZE, "%s", ccw_irqs[index]);
	else if ((flags & VFIO_DEVICE_FLAGS_AP) && index < NUM(ap_irqs))
		snprintf(text, NAME_SIZE, "%s", ap_irqs[index]);
	else
		snprintf(text, NAME_SIZE, "irq%u", index);
	return text;
}

static bool find(const char *const *names, size_t num, const char *name, uint32_t *index)
{
	for (size_t i = 0; i < num; i++) {
		if (strcmp(names[i], name) == 0) {
			*index = (uint32_t)i;
			return true;
		}
	}
	return false;
}

bool name_to_region(const char *name, uint32_t *index)
{
	return find(pci_regions, NUM(pci_regions), name, index);
}

bool name_to_irq(const char *name, uint32_t *index)
{
	return find(pci_irqs, NUM(pci_irqs), name, index);
}

static const char *name_of_bit(enum flag_kind kind, unsigned int bit, char text[NAME_SIZE])
{
	for (const struct flag *flag = flag_tables[kind]; flag->name; flag++)
		if (flag->bit == 1u << bit)
			return flag->name;
	snprintf(text, NAME_SIZE, "bit%u", bit);
	return text;
}

json_object *names_of_flags(enum flag_kind kind, uint32_t flags)
{
	json_object *array = json_object_new_array();
	char text[NAME_SIZE];

	for (unsigned int bit = 0; bit < 32; bit++)
		if (flags & 1u << bit)
			json_object_array_add(array,
					      json_object_new_string(name_of_bit(kind, bit, text)));
	return array;
}

void print_flags(enum flag_kind kind, uint32_t flags)
{
	char text[NAME_SIZE];

	for (unsigned int bit = 0; bit < 32; bit++)
		if (flags & 1u << bit)
			printf(" %s", name_of_bit(kind, bit, text));
}
