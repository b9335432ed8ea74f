/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reset.h - what comes before and after every kind of reset; see <vfiokit/pci_reset.h>.
 *
 * Threads: with pci->lock held.
 */
#ifndef VFKI_PCI_RESET_H
#define VFKI_PCI_RESET_H

#include "saved.h"

struct vfk_pci;

/* Saves registers and stops the device. Returns 0, or what failed: then everything is as before. */
int vfki_pci_stop(struct vfk_pci *pci, struct vfki_pci_saved *saved);

/*
 * Undoes it, as far as can be.
 *
 * @why: how what came between ended; its text is kept, and what cannot be restored is added to it. Returns 0, or what
 * could not be done.
 */
int vfki_pci_resume(struct vfk_pci *pci, const struct vfki_pci_saved *saved, int why);

/* The reset of the slot or bus, where the device is alone on it. */
int vfki_pci_hot_reset_alone(struct vfk_pci *pci);

/* Whether it is: 1, 0 (also where there is no such reset), -errno. */
int vfki_pci_is_alone(struct vfk_pci *pci);

#endif
