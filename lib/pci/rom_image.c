/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rom_image.c - the images in a ROM. Layouts: PCI Firmware Specification 3.0 section 5.1, PCI 3.0 section 6.3.1.
 *
 * Any thread; a loaded ROM is constant.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "rom.h"
#include <string.h>

#define UNIT 512u /* lengths are in these */

/* the header of an image */
#define HEADER_SIZE	 0x1a
#define HEADER_INIT_SIZE 0x02 /* of an x86 image: what is summed up, in units */
#define HEADER_PCIR	 0x18 /* where the PCI data structure is */

/* the PCI data structure */
#define PCIR_SIZE      0x18
#define PCIR_VENDOR    0x04
#define PCIR_DEVICE    0x06
#define PCIR_DEVICES   0x08 /* of revision 3: where a list of devices is, from here; 0: none */
#define PCIR_LENGTH    0x0a
#define PCIR_REVISION  0x0c
#define PCIR_CLASS     0x0d
#define PCIR_IMAGE     0x10 /* length of the image, in units */
#define PCIR_CODE      0x12
#define PCIR_CODE_TYPE 0x14
#define PCIR_INDICATOR 0x15
#define INDICATOR_LAST 0x80

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static int broken(size_t off, const char *why)
{
	return vfki_err(-EPROTO, "ROM: image at 0x%zx: %s", off, why);
}

static bool sum_is_zero(const struct vfk_pci_rom_image *image)
{
	const uint8_t *p = image->data;
	size_t len = p[HEADER_INIT_SIZE] * UNIT;
	uint8_t sum = 0;

	if (image->code_type != VFK_PCI_ROM_X86)
		return true;
	if (!len || len > image->length)
		return false;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	return !sum;
}

static void read_structure(const uint8_t *pcir, struct vfk_pci_rom_image *image)
{
	image->vendor = get16(pcir + PCIR_VENDOR);
	image->device = get16(pcir + PCIR_DEVICE);
	image->structure = pcir[PCIR_REVISION];
	image->class_code = pcir[PCIR_CLASS] | (uint32_t)get16(pcir + PCIR_CLASS + 1) << 8;
	image->length = get16(pcir + PCIR_IMAGE) * UNIT;
	image->revision = get16(pcir + PCIR_CODE);
	image->code_type = pcir[PCIR_CODE_TYPE];
	image->last = pcir[PCIR_INDICATOR] & INDICATOR_LAST;
}

int vfki_pci_rom_parse(const uint8_t *rom, size_t len, size_t off, struct vfk_pci_rom_image *image)
{
	const uint8_t *p = rom + off;
	size_t room, pcir;

	if (!vfki_range_ok(off, HEADER_SIZE, len))
		return broken(off, "the ROM ends before it");
	room = len - off;
	if (p[0] != 0x55 || p[1] != 0xaa)
		return broken(off, "no signature 55 aa");
	pcir = get16(p + HEADER_PCIR);
	if (!vfki_range_ok(pcir, PCIR_SIZE, room))
		return broken(off, "its data structure is beyond the ROM");
	if (memcmp(p + pcir, "PCIR", 4) != 0)
		return broken(off, "no data structure \"PCIR\"");
	if (get16(p + pcir + PCIR_LENGTH) < PCIR_SIZE)
		return broken(off, "its data structure is too short");
	*image = (struct vfk_pci_rom_image){ .data = p, .offset = (uint32_t)off };
	read_structure(p + pcir, image);
	if (!image->length)
		return broken(off, "it has no length");
	if (image->length > room)
		return broken(off, "it is longer than the ROM");
	if (!vfki_range_ok(pcir, PCIR_SIZE, image->length))
		return broken(off, "its data structure is beyond its end");
	image->checksum = sum_is_zero(image);
	return 0;
}

/* The list ends with a 0, or with the image. */
static bool in_list(const struct vfk_pci_rom_image *image, uint16_t device)
{
	const uint8_t *p = image->data;
	size_t pcir = get16(p + HEADER_PCIR), list = get16(p + pcir + PCIR_DEVICES);

	if (image->structure < 3 || !list)
		return false;
	for (size_t at = pcir + list; vfki_range_ok(at, 2, image->length); at += 2) {
		if (!get16(p + at))
			break;
		if (get16(p + at) == device)
			return true;
	}
	return false;
}

static bool matches(const struct vfk_pci *pci, const struct vfk_pci_rom_image *image)
{
	const struct vfk_pci_identity *id = &pci->identity;

	return image->vendor == id->vendor &&
	       (image->device == id->device || in_list(image, id->device));
}

int vfk_pci_rom_next_image(struct vfk_pci *pci, struct vfk_pci_rom_image *image)
{
	struct vfk_pci_rom_image next;
	const void *rom;
	size_t len, off;
	int ret;

	if (image->data && image->last)
		return 0;
	ret = vfk_pci_rom_load(pci, &rom, &len);
	if (ret < 0)
		return ret;
	/* Neither is above 16 MiB, if they are what was set here; else it is beyond the ROM. */
	off = image->data ? (size_t)vfki_min_u64((uint64_t)image->offset + image->length, len) : 0;
	ret = vfki_pci_rom_parse(rom, len, off, &next);
	if (ret < 0)
		return vfki_err_prefix(ret, "%s", vfki_pci_name(pci));
	next.matches = matches(pci, &next);
	*image = next;
	return 1;
}
