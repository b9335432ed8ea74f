/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saved.h - the registers of config space that a reset loses, and that a program has set up.
 *
 * They are those that Linux's pci_save_state() has (drivers/pci/pci.c), as far as they are a user's of the device:
 *
 *	the writable ones of the header; PM; PCI-X; PCI Express: device and link control, 1 and 2; L1 substates; LTR;
 *	AER; ACS; ARI; PTM; PASID, ATS, PRI; TPH with its table; resizable BARs
 *
 * and without
 *
 *	MSI, MSI-X	interrupts are armed, not written
 *	VC, MFVC	a virtual channel is an agreement of both ends of a link, in which the port is not ours: enabled
 *			here alone its negotiation would never end. The kernel restores them, which has both ends
 *	SR-IOV, and	how many functions there are, and where, is the affair of whoever has the host; the kernel
 *	VF resizable BARs	restores them, and vfio-pci lets nobody write them
 *	slot, root, DPC	registers of ports, and so is what a bridge forwards: none is given to user space
 *
 * Of a device of the kernel's most of them are restored by then, and what is as it was is not written.
 *
 * Threads: with pci->lock held.
 */
#ifndef VFKI_PCI_SAVED_H
#define VFKI_PCI_SAVED_H

#include <stdbool.h>
#include <stdint.h>

struct vfk_pci;

#define VFKI_PCI_SAVED_MAX 128

struct vfki_pci_saved_register {
	uint16_t off;
	uint8_t width;
	uint32_t mask;	 /* bits that are put back; the others stay as they are found */
	uint32_t clears; /* bits that a written 1 clears: written as 0 */
	uint32_t value;
};

struct vfki_pci_saved {
	bool dead;     /* config space did not answer: there is nothing */
	uint32_t lost; /* registers that could not be read */
	uint32_t count;
	struct vfki_pci_saved_register regs[VFKI_PCI_SAVED_MAX]; /* in the order of putting back */
};

/* Reads them all; one that is -EIO is lost, and no failure: a reset may be what helps. Returns 0 or an access's error. */
int vfki_pci_saved_take(struct vfk_pci *pci, struct vfki_pci_saved *saved);

/*
 * Writes those that differ from what the device has now. Returns 0; or the first error, with a text that names the
 * register: all were tried then, but the command register, without which the device does nothing.
 */
int vfki_pci_saved_put_back(struct vfk_pci *pci, const struct vfki_pci_saved *saved);

#endif
