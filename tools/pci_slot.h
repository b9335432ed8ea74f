/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_slot.h - a PCI function of this machine, and the driver that has it.
 */
#ifndef PCI_SLOT_H
#define PCI_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "sysfs.h"

#define PCI_DEVICES "/sys/bus/pci/devices"
#define PCI_DRIVERS "/sys/bus/pci/drivers"

#define PCI_ADDRESS_SIZE 20

struct pci_slot {
	char address[PCI_ADDRESS_SIZE]; /* "0000:03:00.0", as sysfs has it */
	char folder[SYSFS_PATH_SIZE];
};

/*
 * From an address with or without its domain, in either case: whether it is one. Whether there is such
 * a function is pci_slot_there()'s to say.
 */
bool pci_slot_parse(const char *text, struct pci_slot *slot);
bool pci_slot_there(const struct pci_slot *slot);

/* "" for none; false then. */
bool pci_slot_driver(const struct pci_slot *slot, char driver[SYSFS_NAME_SIZE]);

/* What driver_override says, "" if nothing. */
void pci_slot_override(const struct pci_slot *slot, char driver[SYSFS_NAME_SIZE]);

/* What is part of the machine, and not for programs: vfio-pci refuses most of them. */
bool pci_slot_is_bridge(const struct pci_slot *slot);

#endif
