/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci.h - a PCI device: its config space and capabilities.
 *
 * A struct vfk_pci stands on an open struct vfk_device whose flags say VFIO_DEVICE_FLAGS_PCI, and is the same thing
 * whatever is behind that. The headers beside this one are about its parts:
 *
 *	pci_bar.h	BARs, registers
 *	pci_rom.h	the expansion ROM
 *	pci_irq.h	INTx, MSI, MSI-X, error and device-request notifiers
 *	pci_power.h	power states, runtime low power
 *	pci_reset.h	resets, bus mastering and decoding
 *	pci_vga.h	the legacy VGA ranges
 *	pci_virtual.h	the device as a monitor shows it to its guest
 *
 * A driver opens the device, then the PCI device on it:
 *
 *	vfk_device_open("kernel:0000:03:00.0", NULL, &dev);
 *	vfk_pci_open(dev, &pci);
 *	...
 *	vfk_pci_close(pci);
 *	vfk_device_close(dev);
 *
 * Register layouts are those of the PCI Local Bus Specification 3.0 ("PCI 3.0") and of the PCI Express Base
 * Specification 6.0 ("PCIe 6.0"); <linux/pci_regs.h> has names for them.
 *
 * A device that was lost and came back (reconnect.h): mappings of BARs are at their addresses, and interrupts that were armed
 * are armed again with their eventfds and masks, so that registers and waits go on as they are. What lived in config space
 * is as after power-on: command register, BARs, the enable bits of MSI and MSI-X, power state, whatever capabilities hold.
 * The driver does what it did after vfk_pci_open(): decoding and bus mastering (pci_reset.h), its own capabilities'
 * registers, vfk_pci_irq_disable() and vfk_pci_irq_enable() if it touches their enable bits; and its device's registers. What was
 * read in open does not change, since another device is not taken back. The struct vfk_pci stays valid; a monitor resets
 * its guest's view with the guest.
 *
 * Errors are those of the table in io.h; every failure sets vfk_error(). What reaches the device may fail with any of
 * its transport errors, which are not repeated with each function.
 *
 * Threads. vfk_pci_open() and vfk_pci_close() alone; everything else from any number of threads at once, unless its own
 * text says otherwise. What changes the device's state and is more than one access takes the struct's lock, which comes
 * before all locks in the order of device.h.
 */
#ifndef VFK_PCI_H
#define VFK_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/api.h>

VFK_BEGIN

struct vfk_device;
struct vfk_pci;

/**
 * vfk_pci_open - the PCI device that a device is
 * @dev: borrowed; must outlive the struct vfk_pci, of which one at a time should exist for a device
 * @pci: set to it, owned by the caller, vfk_pci_close() gives it back; untouched on failure
 *
 * Reads the header and the lists of capabilities, and changes nothing of the device. A list that is broken is no
 * failure: the capabilities before the break are known, and vfk_pci_cap_next() tells of it.
 *
 * A device with fewer interrupts than VFIO_PCI_NUM_IRQS (an old kernel's, a server's own choice) does not have those
 * that are missing: they are -ENOTSUP, as the ones with a count of 0.
 *
 * Returns 0; -ENOTSUP it is no PCI device; -EPROTO it has too few regions for a PCI device (config space is the eighth),
 * or no config space, or one shorter than its header; -ENODEV its config space reads as ones: nobody answers; -ENOMEM.
 */
VFK_API int vfk_pci_open(struct vfk_device *dev, struct vfk_pci **pci);

/**
 * vfk_pci_close - undo what was done through it, backwards; NULL is allowed. The struct vfk_device stays open
 *
 * The device is in D0 after it, low power is exited, interrupts and notifiers are off. Registers that were written,
 * bus mastering and decoding among them, stay as they are.
 */
VFK_API void vfk_pci_close(struct vfk_pci *pci);

/** vfk_pci_device - the device it stands on; borrowed */
VFK_API struct vfk_device *vfk_pci_device(const struct vfk_pci *pci);

/** struct vfk_pci_identity - what a driver is chosen by (PCI 3.0 section 6.2.1); constant */
struct vfk_pci_identity {
	uint16_t vendor, device;
	uint16_t subvendor, subdevice; /* 0 where header_type has none */
	uint32_t class_code;	       /* 24 bits: class, subclass, programming interface */
	uint8_t revision;
	uint8_t header_type; /* PCI_HEADER_TYPE_*, without the bit for several functions */
	bool multifunction;
};

/** vfk_pci_get_identity - what it is; read at open */
VFK_API void vfk_pci_get_identity(const struct vfk_pci *pci, struct vfk_pci_identity *identity);

/* ---- config space ---- */

/** vfk_pci_config_size - bytes of config space: at least 64, 4096 at most; 256 without extended config space */
VFK_API uint32_t vfk_pci_config_size(const struct vfk_pci *pci);

/**
 * vfk_pci_config_read - read a register of config space
 * @off: its offset, a multiple of @width
 * @width: 1, 2 or 4 bytes; the access reaches the device as one
 * @value: set to its value in host order, whatever the host's is
 *
 * Returns 0; -EINVAL @width, @off not aligned, or beyond the end.
 */
VFK_API int vfk_pci_config_read(struct vfk_pci *pci, uint32_t off, unsigned int width,
				uint32_t *value);

/** vfk_pci_config_write - write a register of config space; -EINVAL also where @value has more than @width bytes */
VFK_API int vfk_pci_config_write(struct vfk_pci *pci, uint32_t off, unsigned int width,
				 uint32_t value);

/**
 * vfk_pci_config_modify - clear some bits of a register and set others
 * @clear: bits to be 0
 * @set: bits to be 1; they win over @clear
 * @old: set to the value before; may be NULL
 *
 * One read, and one write where that changes a bit; under the lock, so two of them never lose a bit. Not for registers
 * in which a written 1 clears (the status registers): their other bits would be cleared too.
 *
 * Returns as vfk_pci_config_write().
 */
VFK_API int vfk_pci_config_modify(struct vfk_pci *pci, uint32_t off, unsigned int width,
				  uint32_t clear, uint32_t set, uint32_t *old);

/* ---- capabilities ---- */

/** struct vfk_pci_cap - a capability (PCI 3.0 section 6.7), or an extended one (PCIe 6.0 section 7.6) */
struct vfk_pci_cap {
	bool extended;	 /* its id is a PCI_EXT_CAP_ID_*; else a PCI_CAP_ID_* */
	uint8_t version; /* of an extended one */
	uint16_t id;
	uint16_t offset; /* in config space, of its header; 0: begin the walk */
};

/**
 * vfk_pci_cap_next - walk the capabilities: first the standard list, then the extended one
 * @cap: zeroed to begin with; what the last call set to go on; set to the next one
 *
 * The order is the device's. Each is told once, however the list is linked.
 *
 * Returns 1; 0 there is none left; -EPROTO there is none left that can be trusted: a list loops, leads out of its part
 * of config space, or into the header (the text says where); -ENOENT @cap is none of the device's.
 */
VFK_API int vfk_pci_cap_next(const struct vfk_pci *pci, struct vfk_pci_cap *cap);

/**
 * vfk_pci_cap_find - the first standard capability of an id
 * @id: PCI_CAP_ID_*
 * @off: set to its offset; may be NULL
 *
 * Returns 0; -ENOENT there is none.
 */
VFK_API int vfk_pci_cap_find(const struct vfk_pci *pci, uint8_t id, uint32_t *off);

/** vfk_pci_ext_cap_find - the first extended capability of an id, PCI_EXT_CAP_ID_*; as vfk_pci_cap_find() */
VFK_API int vfk_pci_ext_cap_find(const struct vfk_pci *pci, uint16_t id, uint32_t *off);

VFK_END

#endif
