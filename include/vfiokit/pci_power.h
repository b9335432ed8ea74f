/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_power.h - power of a PCI device: D-states, which the device's driver chooses, and runtime low power, which it
 * permits the host to choose.
 *
 * D-states are those of the PCI Bus Power Management Interface Specification 1.2 ("PCI PM 1.2"). Outside of D0 a device
 * answers accesses to config space only. While it is not in D0, or low power is entered, typed register access
 * (pci_bar.h) does not use mappings, and a mapping of the program's own must not be touched: on kernel devices that is
 * SIGBUS. That holds as well where its state was written by the functions for config space, or by a guest (pci_virtual.h).
 *
 * Threads: as in pci.h.
 */
#ifndef VFK_PCI_POWER_H
#define VFK_PCI_POWER_H

#include <stdint.h>
#include <vfiokit/api.h>

VFK_BEGIN

struct vfk_pci;

enum vfk_pci_power_state {
	VFK_PCI_D0,
	VFK_PCI_D1,
	VFK_PCI_D2,
	VFK_PCI_D3HOT,
};

/**
 * vfk_pci_power_states - which power states the device has
 * @states: set to a bit for each, 1u << VFK_PCI_D*; D0 alone where there is no power management capability
 *
 * Returns 0.
 */
VFK_API int vfk_pci_power_states(struct vfk_pci *pci, uint32_t *states);

/** vfk_pci_get_power_state - the state that the device is in; D0 without a power management capability. Returns 0 */
VFK_API int vfk_pci_get_power_state(struct vfk_pci *pci, enum vfk_pci_power_state *state);

/**
 * vfk_pci_set_power_state - bring the device to a power state
 * @state: a deeper one than it is in, or D0
 *
 * Waits as long as the transition takes (PCI PM 1.2 section 5.6.1: 10 ms to and from D3hot, 200 us to and from D2), and
 * reads back that it took place. A device that loses its state on the way from D3hot to D0 (No_Soft_Reset is 0) gets
 * config space and interrupts back as in steps 1, 2 and 4 of pci_reset.h; its registers are as after a reset.
 *
 * Before it leaves D0 the driver stops what the device does: bus mastering and decoding are left as they are.
 *
 * Returns 0, also when it is there already; -EINVAL @state is none, or lies between where it is and D0; -ENOTSUP the
 * device lacks @state; -EIO it did not go there, and is where it was.
 */
VFK_API int vfk_pci_set_power_state(struct vfk_pci *pci, enum vfk_pci_power_state state);

/**
 * vfk_pci_low_power_enter - permit the host to put the device into a low power state whenever nobody uses it
 *
 * VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY. Any access, of a register or by another function here, wakes the device, which
 * may sleep again after it.
 *
 * Returns 0; -ENOTSUP the device does not offer it; -EINVAL it is entered already.
 */
VFK_API int vfk_pci_low_power_enter(struct vfk_pci *pci);

/**
 * vfk_pci_low_power_enter_with_wakeup - the same, until something wakes the device
 * @fd: eventfd that is signalled then; borrowed. The device does not sleep again before the next entry
 *
 * VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP. Mappings stay unused until vfk_pci_low_power_exit(), also after the
 * wake-up.
 *
 * Returns 0; -ENOTSUP; -EINVAL it is entered already, or @fd is no eventfd.
 */
VFK_API int vfk_pci_low_power_enter_with_wakeup(struct vfk_pci *pci, int fd);

/** vfk_pci_low_power_exit - end it; also where it was not entered. Returns 0; -ENOTSUP the device does not offer it */
VFK_API int vfk_pci_low_power_exit(struct vfk_pci *pci);

VFK_END

#endif
