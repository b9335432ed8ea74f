/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_names.h - what PCI devices are called, by udev's hardware database.
 *
 * Where the tool was built without libudev, or the machine has no database, nothing has a name.
 */
#ifndef PCI_NAMES_H
#define PCI_NAMES_H

#include <stdbool.h>

#define PCI_NAME_SIZE 256

/* From sysfs's modalias: "Red Hat, Inc. QEMU NVM Express Controller"; false, and "", if it has no name. */
bool pci_name(const char *modalias, char text[PCI_NAME_SIZE]);

#endif
