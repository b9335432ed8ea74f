/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_register.c - names of registers of PCI config space.
 *
 * Names and places: setpci(8), <linux/pci_regs.h>.
 */
#include "config_register.h"

#include <ctype.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <vfiokit/pci.h>

#include "failure.h"
#include "number.h"
#include "subcommand.h"

#define NUM(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name, *setpci;
	uint8_t offset, width;
} headers[] = {
	{ "vendor", "VENDOR_ID", PCI_VENDOR_ID, 2 },
	{ "device", "DEVICE_ID", PCI_DEVICE_ID, 2 },
	{ "command", "COMMAND", PCI_COMMAND, 2 },
	{ "status", "STATUS", PCI_STATUS, 2 },
	{ "revision", "REVISION", PCI_REVISION_ID, 1 },
	{ "class_prog", "CLASS_PROG", PCI_CLASS_PROG, 1 },
	{ "class", "CLASS_DEVICE", PCI_CLASS_DEVICE, 2 },
	{ "cacheline", "CACHE_LINE_SIZE", PCI_CACHE_LINE_SIZE, 1 },
	{ "latency", "LATENCY_TIMER", PCI_LATENCY_TIMER, 1 },
	{ "header", "HEADER_TYPE", PCI_HEADER_TYPE, 1 },
	{ "bist", "BIST", PCI_BIST, 1 },
	{ "bar0", "BASE_ADDRESS_0", PCI_BASE_ADDRESS_0, 4 },
	{ "bar1", "BASE_ADDRESS_1", PCI_BASE_ADDRESS_1, 4 },
	{ "bar2", "BASE_ADDRESS_2", PCI_BASE_ADDRESS_2, 4 },
	{ "bar3", "BASE_ADDRESS_3", PCI_BASE_ADDRESS_3, 4 },
	{ "bar4", "BASE_ADDRESS_4", PCI_BASE_ADDRESS_4, 4 },
	{ "bar5", "BASE_ADDRESS_5", PCI_BASE_ADDRESS_5, 4 },
	{ "cardbus", "CARDBUS_CIS", PCI_CARDBUS_CIS, 4 },
	{ "subvendor", "SUBSYSTEM_VENDOR_ID", PCI_SUBSYSTEM_VENDOR_ID, 2 },
	{ "subdevice", "SUBSYSTEM_ID", PCI_SUBSYSTEM_ID, 2 },
	{ "rom", "ROM_ADDRESS", PCI_ROM_ADDRESS, 4 },
	{ "caps", "CAPABILITIES", PCI_CAPABILITY_LIST, 1 },
	{ "irq_line", "INTERRUPT_LINE", PCI_INTERRUPT_LINE, 1 },
	{ "irq_pin", "INTERRUPT_PIN", PCI_INTERRUPT_PIN, 1 },
	{ "min_gnt", "MIN_GNT", PCI_MIN_GNT, 1 },
	{ "max_lat", "MAX_LAT", PCI_MAX_LAT, 1 },
};

/* By id, as setpci names them. */
static const char *const caps[] = {
	[0x01] = "PM",	  [0x02] = "AGP",   [0x03] = "VPD",    [0x04] = "SLOTID",
	[0x05] = "MSI",	  [0x06] = "CHSWP", [0x07] = "PCIX",   [0x08] = "HT",
	[0x09] = "VNDR",  [0x0a] = "DBG",   [0x0b] = "CCRC",   [0x0c] = "HOTPLUG",
	[0x0d] = "SSVID", [0x0e] = "AGP3",  [0x0f] = "SECURE", [0x10] = "EXP",
	[0x11] = "MSIX",  [0x12] = "SATA",  [0x13] = "AF",     [0x14] = "EA",
};

static const char *const ext_caps[] = {
	[0x01] = "AER",	   [0x02] = "VC",	[0x03] = "DSN",	   [0x04] = "PB",
	[0x05] = "RCLINK", [0x06] = "RCILINK",	[0x07] = "RCEC",   [0x08] = "MFVC",
	[0x09] = "VC2",	   [0x0a] = "RBCB",	[0x0b] = "VNDR",   [0x0d] = "ACS",
	[0x0e] = "ARI",	   [0x0f] = "ATS",	[0x10] = "SRIOV",  [0x11] = "MRIOV",
	[0x12] = "MCAST",  [0x13] = "PRI",	[0x15] = "REBAR",  [0x16] = "DPA",
	[0x17] = "TPH",	   [0x18] = "LTR",	[0x19] = "SECPCI", [0x1a] = "PMUX",
	[0x1b] = "PASID",  [0x1c] = "LNR",	[0x1d] = "DPC",	   [0x1e] = "L1PM",
	[0x1f] = "PTM",	   [0x20] = "M_PCIE",	[0x21] = "FRS",	   [0x22] = "RTR",
	[0x23] = "DVSEC",  [0x24] = "VF_REBAR", [0x25] = "DLNK",   [0x26] = "16GT",
	[0x27] = "LMR",	   [0x28] = "HIER_ID",	[0x29] = "NPEM",
};

bool config_register_is_name(const char *text)
{
	return isalpha((unsigned char)*text);
}

static bool parse_header(const char *name, struct config_register *reg)
{
	for (size_t i = 0; i < NUM(headers); i++) {
		if (strcasecmp(name, headers[i].name) && strcasecmp(name, headers[i].setpci))
			continue;
		reg->offset = headers[i].offset;
		reg->width = headers[i].width;
		return true;
	}
	return false;
}

/* An id of just so many hexadecimal digits. */
static bool parse_id(const char *text, size_t digits, uint16_t *id)
{
	if (strlen(text) != digits || strspn(text, "0123456789abcdefABCDEF") != digits)
		return false;
	*id = (uint16_t)strtoul(text, NULL, 16);
	return true;
}

/* What follows CAP or ECAP. */
static bool parse_which(const char *text, const char *const *names, size_t num, size_t digits,
			uint16_t *id)
{
	if (*text != '_')
		return parse_id(text, digits, id);
	for (size_t i = 0; i < num; i++) {
		if (names[i] && strcasecmp(text + 1, names[i]) == 0) {
			*id = (uint16_t)i;
			return true;
		}
	}
	return false;
}

static bool parse_cap(const char *name, struct config_register *reg)
{
	reg->in_cap = true;
	reg->extended = strncasecmp(name, "ECAP", 4) == 0;
	if (reg->extended)
		return parse_which(name + 4, ext_caps, NUM(ext_caps), 4, &reg->id);
	return strncasecmp(name, "CAP", 3) == 0 &&
	       parse_which(name + 3, caps, NUM(caps), 2, &reg->id);
}

static bool parse_width(const char *suffix, unsigned int *width)
{
	switch (*suffix && !suffix[1] ? tolower((unsigned char)*suffix) : 0) {
	case 'b':
		*width = 1;
		return true;
	case 'w':
		*width = 2;
		return true;
	case 'l':
		*width = 4;
		return true;
	default:
		return false;
	}
}

/* setpci's +10 is 16, ours would be ten: it is neither. */
static bool parse_plus(const char *text, uint64_t *plus)
{
	bool digit = isdigit((unsigned char)text[0]) && !text[1];

	return (digit || strncmp(text, "0x", 2) == 0) && number_parse(text, 0, 0xfff, plus);
}

int config_register_parse(struct args *args, const char *text, struct config_register *reg)
{
	char copy[64], *suffix, *plus;
	uint64_t more = 0;

	*reg = (struct config_register){ 0 };
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return args_wrong(args, "no register \"%s\"", text);
	suffix = copy;
	plus = strsep(&suffix, ".");
	strsep(&plus, "+");
	if (!parse_header(copy, reg) && !parse_cap(copy, reg))
		return args_wrong(args, "no register \"%s\": see vfiokit %s --help", text,
				  args->argv[0]);
	if (plus && !parse_plus(plus, &more))
		return args_wrong(args,
				  "register \"%s\": \"+%s\": a digit, or hexadecimal after 0x",
				  text, plus);
	if (suffix && !parse_width(suffix, &reg->width))
		return args_wrong(args, "register \"%s\": its width is not B, W or L", text);
	reg->offset += (uint32_t)more;
	return STATUS_OK;
}

int config_register_find(struct vfk_device *dev, const struct config_register *reg,
			 uint64_t *offset)
{
	struct vfk_pci *pci;
	uint32_t cap = 0;
	int ret;

	if (reg->in_cap) {
		ret = vfk_pci_open(dev, &pci);
		if (ret < 0)
			return fail(vfk_device_name(dev), ret);
		ret = reg->extended ? vfk_pci_ext_cap_find(pci, reg->id, &cap) :
				      vfk_pci_cap_find(pci, (uint8_t)reg->id, &cap);
		vfk_pci_close(pci);
		if (ret < 0)
			return fail(vfk_device_name(dev), ret);
	}
	*offset = (uint64_t)cap + reg->offset;
	return STATUS_OK;
}
