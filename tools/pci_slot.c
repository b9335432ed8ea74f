/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_slot.c - a PCI function of this machine, and the driver that has it.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "pci_slot.h"

/* PCI code and ID assignment specification 1.11, section 1.7: bridges; "other" are non-transparent ones, which are devices */
#define CLASS_BRIDGE	      0x06
#define SUBCLASS_OTHER_BRIDGE 0x80

/* Exactly that many hexadecimal digits, or at least min and at most max. Returns where they end, or NULL. */
static const char *digits(const char *text, size_t min, size_t max)
{
	size_t n = strspn(text, "0123456789abcdefABCDEF");

	return n >= min && n <= max ? text + n : NULL;
}

static const char *after(const char *text, char separator)
{
	return text && *text == separator ? text + 1 : NULL;
}

/* "03:00.0" */
static bool is_short_address(const char *text)
{
	text = after(digits(text, 2, 2), ':');
	text = text ? after(digits(text, 2, 2), '.') : NULL;
	return text && *text >= '0' && *text <= '7' && !text[1];
}

bool pci_slot_parse(const char *text, struct pci_slot *slot)
{
	/* a domain has more than four digits behind some controllers, as Intel's VMD */
	const char *rest = after(digits(text, 4, 8), ':');

	if (!is_short_address(rest ? rest : text))
		return false;
	snprintf(slot->address, sizeof(slot->address), "%s%s", rest ? "" : "0000:", text);
	for (char *c = slot->address; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	snprintf(slot->folder, sizeof(slot->folder), PCI_DEVICES "/%s", slot->address);
	return true;
}

bool pci_slot_there(const struct pci_slot *slot)
{
	return sysfs_exists(PCI_DEVICES, slot->address);
}

bool pci_slot_driver(const struct pci_slot *slot, char driver[SYSFS_NAME_SIZE])
{
	return sysfs_link(slot->folder, "driver", driver);
}

void pci_slot_override(const struct pci_slot *slot, char driver[SYSFS_NAME_SIZE])
{
	if (sysfs_text(slot->folder, "driver_override", driver, SYSFS_NAME_SIZE) &&
	    strcmp(driver, "(null)") == 0)
		driver[0] = '\0';
}

bool pci_slot_is_bridge(const struct pci_slot *slot)
{
	uint64_t class_code;

	return sysfs_number(slot->folder, "class", &class_code) &&
	       class_code >> 16 == CLASS_BRIDGE &&
	       (class_code >> 8 & 0xff) != SUBCLASS_OTHER_BRIDGE;
}
