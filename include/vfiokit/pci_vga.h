/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_vga.h - the legacy ranges of a VGA device, which have fixed addresses and no BAR (PCI-to-PCI bridge 1.2, section
 * 3.2.5.18):
 *
 *	0xa0000 to 0xbffff	memory
 *	0x3b0 to 0x3bb		I/O ports
 *	0x3c0 to 0x3df		I/O ports
 *
 * They are in a region of their own, VFIO_PCI_VGA_REGION_INDEX, at offsets that equal the addresses (<linux/vfio.h>).
 * With vfio-pci it is there only in kernels with CONFIG_VFIO_PCI_VGA, for x86's primary or other VGA devices.
 */
#ifndef VFK_PCI_VGA_H
#define VFK_PCI_VGA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/api.h>
#include <vfiokit/pci.h>

VFK_BEGIN

/** vfk_pci_vga_present - whether the legacy ranges can be reached. Returns 1; 0; -EPROTO; a transport error */
VFK_API int vfk_pci_vga_present(struct vfk_pci *pci);

/**
 * vfk_pci_vga_read - read from one of the legacy ranges
 * @addr: a legacy address: of memory, or a port
 * @buf: filled with bytes as the device has them
 * @len: how many; the access lies inside one range; one of 1, 2, 4 or 8 bytes is never split
 *
 * Returns the count, as vfk_region_read(); -ENOENT the device has no such region; -EINVAL not inside one range; -EIO
 * decoding of memory or I/O is off.
 */
VFK_API ssize_t vfk_pci_vga_read(struct vfk_pci *pci, uint64_t addr, void *buf, size_t len);

/** vfk_pci_vga_write - write to one of the legacy ranges; as vfk_pci_vga_read() */
VFK_API ssize_t vfk_pci_vga_write(struct vfk_pci *pci, uint64_t addr, const void *buf, size_t len);

VFK_END

#endif
