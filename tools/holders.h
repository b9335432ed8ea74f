/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holders.h - which process has a VFIO device open.
 *
 * Taking such a device from vfio-pci would hang in the kernel, beyond any signal, until it is closed.
 */
#ifndef HOLDERS_H
#define HOLDERS_H

#include <stdbool.h>
#include <stddef.h>

#include "pci_slot.h"

/* Whether one is found; text names it then. Processes of other containers are not seen. */
bool holders_find(const struct pci_slot *slot, char *text, size_t size);

#endif
