/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * power.h - the power state of a PCI device, and what must not happen in it.
 *
 * Threads: with pci->lock held, but for init and fini, which run alone.
 */
#ifndef VFKI_PCI_POWER_H
#define VFKI_PCI_POWER_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/pci_power.h>

struct vfk_pci;

/* Each of them holds mapped access back. */
struct vfki_pci_power {
	bool asleep;	/* not in D0, by a write through the library */
	bool low_power; /* entered, and not exited */
};

/* Brings the device to D0, whoever left it, and ends low power, if it was us who entered that. */
void vfki_pci_power_fini(struct vfk_pci *pci);

/*
 * Writes the state, waits as long as the transition takes, and nothing else: what is lost on the way is the caller's
 * business. Returns 0, also for D0 of a device that has only that; -ENOTSUP it has no power management; -EIO it is stuck.
 */
int vfki_pci_power_write(struct vfk_pci *pci, enum vfk_pci_power_state state);

/* Whether a write of config space includes the power state. */
bool vfki_pci_power_is_at(const struct vfk_pci *pci, uint32_t off, unsigned int width);

/* One that does: somebody else's, who does not go by vfk_pci_set_power_state(). */
int vfki_pci_power_config_write(struct vfk_pci *pci, uint32_t off, unsigned int width,
				uint32_t value);

/* Looks whether the device is asleep now: a reset brings it to D0. */
void vfki_pci_power_note(struct vfk_pci *pci);

/* Whether the way from D3hot to D0 resets the device: 1, 0 (also where nobody knows), -errno. */
int vfki_pci_power_resets(struct vfk_pci *pci);

/* Whether config space answers: 1; 0: it reads as ones, or cannot be read; -errno. */
int vfki_pci_power_answers(struct vfk_pci *pci);

/* Waits until config space answers, at most 1 s. Returns 0; -ENODEV it did not. */
int vfki_pci_power_await(struct vfk_pci *pci);

#endif
