/* SPDX-License-Identifier: BSD-3-Clause */
/* rom.h - the expansion ROM, once it was loaded. */
#ifndef VFKI_PCI_ROM_H
#define VFKI_PCI_ROM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/pci_rom.h>

struct vfki_pci_rom {
	size_t len;	       /* constant once @data is there */
	uint8_t *_Atomic data; /* NULL: not loaded; set under pci->lock, then constant; owned */
};

void vfki_pci_rom_fini(struct vfk_pci *pci);

/*
 * rom_image.c: the image at @off of @len bytes of a ROM. Sets @image but for its matching the device. Returns 0; -EPROTO
 * with a text that does not name the device.
 */
int vfki_pci_rom_parse(const uint8_t *rom, size_t len, size_t off, struct vfk_pci_rom_image *image);

#endif
