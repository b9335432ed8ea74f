/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk_use.h - what this machine uses of the disks that are behind a PCI function.
 *
 * The kernel would take a disk from under its filesystem without a word.
 */
#ifndef DISK_USE_H
#define DISK_USE_H

#include <stdbool.h>
#include <stddef.h>

#include "pci_slot.h"

/*
 * Whether one of its disks, a partition, or what is made of them (RAID, volumes, encryption), is mounted, is swap space, or
 * is claimed otherwise; text says which and how. A mount of another namespace is a claim.
 */
bool disk_use_find(const struct pci_slot *slot, char *text, size_t size);

#endif
