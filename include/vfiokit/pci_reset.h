/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_reset.h - bus mastering and decoding of a PCI device, its resets, and those of the slot or bus that it is on.
 *
 * A reset through these functions is more than vfk_device_reset(): the device is stopped before it, and what a program
 * has set up is there after it. In order:
 *
 *	1. Registers of config space are saved: BARs, the command register and the other writable ones of the header, and
 *	   the control registers of the capabilities that this library knows (power management, PCI-X, PCI Express;
 *	   AER, ACS, ARI, ATS, PRI, PASID, LTR, L1 substates, PTM, TPH, resizable BARs). Virtual channels and SR-IOV are
 *	   not among them: of those only the kernel has the other side, the port and the host's view of the functions.
 *	2. INTx, MSI and MSI-X are disabled in the device, which is brought to D0. I/O and memory decoding and bus
 *	   mastering are turned off: no DMA runs into the reset.
 *	3. The reset.
 *	4. Config space is waited for, 1 s at most (PCIe 6.0 section 6.6.1). Saved registers are written where they differ
 *	   now, the command register last. Interrupts are armed and masked as before.
 *
 * Step 4 is done, as far as can be, after a failure of any other, too; messages of a device that was not reset may have
 * been lost then, so each armed vector of MSI or MSI-X is signalled once. It ends with the first access that is not answered
 * in time, or not at all (-ETIMEDOUT, -ENOTCONN, -ECONNRESET, -EPROTO, -ENODEV): a server that hangs is not waited for
 * again and again, and interrupts stay off, as vfk_pci_irq_get_state() says. From 2 to 4 typed register access (pci_bar.h)
 * does not use mappings; a mapping of the program's own must not be touched: on kernel devices that is SIGBUS.
 *
 * A device that does not answer any more, so that its config space reads as ones, or not at all, is reset as well: nothing
 * of step 1 can be had then, and of step 4 only interrupts. Where single registers cannot be read (-EIO) the others are
 * restored, but for the command register: nothing is decoded at addresses that nobody expects.
 *
 * Interrupts are those of pci_irq.h. What was armed past it, by vfk_irq_set_eventfds(), stays armed as far as the device
 * itself keeps it (the reset op of io.h).
 *
 * What the device holds is gone after a reset. It is in D0; a low power entry (pci_power.h) stays in force.
 *
 * Threads: as in pci.h; a reset holds the struct's lock, so what else changes the device's state waits for it.
 */
#ifndef VFK_PCI_RESET_H
#define VFK_PCI_RESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/api.h>

VFK_BEGIN

struct vfk_pci;

/* ---- the command register ---- */

/**
 * vfk_pci_set_master - let the device do DMA and send MSI messages, or not (Bus Master Enable, PCI 3.0 section 6.2.2)
 *
 * Off is in effect when it returns; what the device has sent before may still be on its way.
 *
 * Returns 0; -ENOTSUP the bit is fixed, and the device as it was: one that can be no master.
 */
VFK_API int vfk_pci_set_master(struct vfk_pci *pci, bool on);

/**
 * vfk_pci_set_decode - which accesses the BARs answer (Memory Space Enable and I/O Space Enable, PCI 3.0 section 6.2.2)
 * @memory: memory BARs, and the ROM
 * @io: I/O BARs
 *
 * What is not decoded is -EIO to region accesses, and to typed ones (pci_bar.h), which do not use mappings while memory
 * decoding is off; those that are under way end before it is.
 *
 * Returns 0; -ENOTSUP a bit is fixed, and the device as it was: one without such BARs cannot decode for them.
 */
VFK_API int vfk_pci_set_decode(struct vfk_pci *pci, bool memory, bool io);

/* ---- reset of the device ---- */

enum vfk_pci_reset_method {
	/*
	 * The best that there is, the next one where it fails: _FUNCTION, if that is more than _PM; _HOT; _FUNCTION;
	 * _PM
	 */
	VFK_PCI_RESET_AUTO,
	/*
	 * VFIO_DEVICE_RESET: whoever has the device chooses. Linux prefers FLR (PCIe 6.0 section 6.6.2, or Advanced
	 * Features) to PM, and resets the bus where the device is alone on it.
	 */
	VFK_PCI_RESET_FUNCTION,
	/*
	 * D0 to D3hot and back, of a device whose No_Soft_Reset is 0 (PCI PM 1.2 section 5.4.1). The way back is tried
	 * again where an access fails, three times in all, and also after a failure of the way there; the text says
	 * when the device may be left in D3hot all the same
	 */
	VFK_PCI_RESET_PM,
	/* of the slot or bus, where the device is alone on it; else vfk_pci_hot_reset() */
	VFK_PCI_RESET_HOT,
};

/**
 * vfk_pci_reset_methods - which methods the device has
 * @methods: set to a bit for each, 1u << VFK_PCI_RESET_*; _AUTO is among them when another one is
 *
 * Returns 0, also when there is none.
 */
VFK_API int vfk_pci_reset_methods(struct vfk_pci *pci, uint32_t *methods);

/**
 * vfk_pci_reset - reset the device
 *
 * Returns 0: it was reset, and is set up as before. -EINVAL @method; -ENOTSUP the device has none such; -EIO stuck in a
 * power state; -ENODEV it was reset, and config space still read as ones after 1 s; -ENODATA it was reset, but registers
 * could not be read before; what the reset itself says. The text also tells what could not be restored.
 */
VFK_API int vfk_pci_reset(struct vfk_pci *pci, enum vfk_pci_reset_method method);

/* ---- hot reset ---- */

#define VFK_PCI_HOT_RESET_MAX_OTHERS 64

/** whose a device is that a hot reset resets, too */
enum vfk_pci_owner {
	VFK_PCI_OWNER_OTHER,  /* not the caller's, by all that can be told */
	VFK_PCI_OWNER_CALLER, /* proved: by its group, or by the iommufd */
	VFK_PCI_OWNER_UNKNOWN, /* cannot be told here, as behind a filter; the reset itself will say */
};

/** struct vfk_pci_dependent - a device that a hot reset resets; the device itself is among them */
struct vfk_pci_dependent {
	uint32_t segment; /* PCI domain */
	uint8_t bus, slot, function;
	bool by_group; /* @id is an IOMMU group, else a device's id in the iommufd */
	uint32_t id; /* by iommufd 0: none, the device is not open, but of a group of the caller's */
	unsigned char owner; /* enum vfk_pci_owner */
};

/**
 * vfk_pci_hot_reset_info - which devices a hot reset resets, and whose they are
 * @others: further devices of the caller's, whose groups count as proof; NULL if there are none
 * @num_others: how many, at most VFK_PCI_HOT_RESET_MAX_OTHERS
 * @list: filled with the first @capacity of them, in the order of who answers; NULL with @capacity 0
 * @count: set to how many there are, which may be more
 *
 * By group ownership is that of whole groups, as for the kernel: a device without a driver counts as owned with its
 * group. By cdev the kernel decides, and @others does not matter.
 *
 * Returns 0; -EINVAL @others; -ENOTSUP the device cannot be hot reset.
 */
VFK_API int vfk_pci_hot_reset_info(struct vfk_pci *pci, struct vfk_pci *const *others,
				   size_t num_others, struct vfk_pci_dependent *list,
				   size_t capacity, size_t *count);

/**
 * vfk_pci_hot_reset - reset the slot or bus that a device is on
 * @others: the further devices on it; NULL if there are none
 * @num_others: how many, at most VFK_PCI_HOT_RESET_MAX_OTHERS
 *
 * All given devices are stopped before, and set up as before after it. A device that is reset with them, but not given,
 * is not: that is for whoever uses it.
 *
 * Before anything is touched each device that the reset concerns must be the caller's; else -EPERM, with the addresses
 * of those that are missing in the text.
 *
 * Returns 0; -EPERM; -EINVAL a device is given twice, or too many, or the kernel disagrees on whose they are (everything is as before
 * then); -ENOTSUP; as vfk_pci_reset().
 *
 * Threads: two of them with the same devices may run at once.
 */
VFK_API int vfk_pci_hot_reset(struct vfk_pci *pci, struct vfk_pci *const *others,
			      size_t num_others);

VFK_END

#endif
