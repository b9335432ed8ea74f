/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_rom.h - the expansion ROM of a PCI device (PCI 3.0 sections 6.2.5.2 and 6.3): its size, its bytes, its images.
 *
 *	struct vfk_pci_rom_image image = { 0 };
 *
 *	while ((ret = vfk_pci_rom_next_image(pci, &image)) == 1)
 *		use(image.code_type, image.data, image.length);
 *
 * The ROM is read when it is first asked for, and kept, if it is not larger than what the specification permits. A ROM
 * decodes only with memory decoding; where that is off, these functions turn it on for as long as they read, and off
 * again, as vfk_pci_set_decode() does. Other writes of the command register, by the functions of pci.h, wait meanwhile.
 */
#ifndef VFK_PCI_ROM_H
#define VFK_PCI_ROM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/api.h>
#include <vfiokit/pci.h>

VFK_BEGIN

/* The largest ROM that a BAR can have (PCI 3.0 section 6.2.5.2), and that the library keeps. */
#define VFK_PCI_ROM_MAX (16u << 20)

/**
 * vfk_pci_rom_get_size - how many bytes of ROM there are to be read
 * @size: set to the size of the ROM's region, or of the file that vfk_pci_rom_set_file() took
 *
 * What the device says; the ROM itself may end before that.
 *
 * Returns 0; -ENOENT there is no ROM; -EPROTO a region info that contradicts itself.
 */
VFK_API int vfk_pci_rom_get_size(struct vfk_pci *pci, uint64_t *size);

/**
 * vfk_pci_rom_probe_bar - the size that the ROM's BAR decodes, by its register
 * @size: set to it, in bytes: a power of two from 2048 to 2^31; untouched on failure
 *
 * All ones but the enable bit are written and what stayed is read back (PCI 3.0 section 6.2.5.2), then the register is as
 * it was, also on failure. A monitor needs this size for its guest; it may differ from vfk_pci_rom_get_size(), which
 * may be the length of what is in the ROM, or of a copy in the memory of the host.
 *
 * Returns 0; -ENOENT nothing can be written there, or the type of header has none; -EPROTO what stayed is no size;
 * -ENODEV nobody answers; a transport error (if the register could not be restored, the text says so).
 */
VFK_API int vfk_pci_rom_probe_bar(struct vfk_pci *pci, uint32_t *size);

/**
 * vfk_pci_rom_read - read bytes of the ROM
 * @off: where, of 64 bits, whatever the size
 * @buf: filled
 * @len: how many; they are read in parts
 *
 * For a ROM of any size. A device that says "again" (-EAGAIN) is asked again, some 60 times a call, a millisecond apart.
 *
 * Returns the count: @len, or less where the ROM ends, 0 at its end or behind; -ENOENT no ROM; -EAGAIN it said so each
 * time; -EIO; a transport error. On failure @buf's content is undefined.
 */
VFK_API ssize_t vfk_pci_rom_read(struct vfk_pci *pci, uint64_t off, void *buf, size_t len);

/**
 * vfk_pci_rom_load - the whole ROM
 * @data: set to its bytes; borrowed, valid until vfk_pci_close()
 * @len: set to how many there are, > 0
 *
 * Read by the first call. What is in it is not looked at. A failure leaves nothing behind, and the next call tries again.
 *
 * Returns 0; -ENOENT no ROM; -EFBIG it has more than VFK_PCI_ROM_MAX bytes: vfk_pci_rom_read() has them; -ENOMEM; as
 * vfk_pci_rom_read(), also where there should be one and not a byte of it can be read.
 */
VFK_API int vfk_pci_rom_load(struct vfk_pci *pci, const void **data, size_t *len);

/**
 * vfk_pci_rom_set_file - take a file for the ROM, instead of the device's
 * @path: a regular file of 1 to VFK_PCI_ROM_MAX bytes; read now, and not looked at any more after that
 *
 * All functions here but vfk_pci_rom_probe_bar() tell of it from now on. Before the ROM was loaded.
 *
 * Returns 0; -EBUSY a ROM was loaded already; -EINVAL not a regular file, or empty; -EFBIG; -ENOMEM; -errno of open and
 * read.
 */
VFK_API int vfk_pci_rom_set_file(struct vfk_pci *pci, const char *path);

/* Code types (PCI Firmware 3.0 section 5.1.2, UEFI 2.10 section 14.4.2); any other number is possible. */
#define VFK_PCI_ROM_X86	 0 /* PC-AT compatible: a legacy BIOS's */
#define VFK_PCI_ROM_OF	 1 /* Open Firmware */
#define VFK_PCI_ROM_HPPA 2
#define VFK_PCI_ROM_EFI	 3

/** struct vfk_pci_rom_image - an image in the ROM (PCI Firmware 3.0 section 5.1, PCI 3.0 section 6.3.1) */
struct vfk_pci_rom_image {
	const void *data; /* borrowed, valid until vfk_pci_close(); NULL: begin the walk */
	uint32_t offset;  /* in the ROM */
	uint32_t length;  /* bytes; a multiple of 512 */
	uint16_t vendor, device;
	uint32_t class_code; /* 24 bits */
	uint16_t revision;   /* of the code, its vendor's */
	uint8_t structure;   /* revision of the PCI data structure: 0 PCI 2.x, 3 PCI Firmware 3.0 */
	uint8_t code_type;   /* VFK_PCI_ROM_* */
	bool last;
	/* What a firmware looks at before it runs an image; both are told, none ends the walk. */
	bool matches; /* vendor and device (or one of its list of devices) are this device's */
	bool checksum; /* the bytes of an x86 image add up to 0; true for other types, which have no sum */
};

/**
 * vfk_pci_rom_next_image - walk the images in the ROM
 * @image: zeroed to begin with; what the last call set to go on; set to the next one
 *
 * Loads the ROM, if it is not.
 *
 * Returns 1; 0 the last one was the last; -EPROTO there is no (further) image where one should be: no signature, no data
 * structure, lengths that lead out of the ROM (the text says which, and where); as vfk_pci_rom_load().
 */
VFK_API int vfk_pci_rom_next_image(struct vfk_pci *pci, struct vfk_pci_rom_image *image);

VFK_END

#endif
