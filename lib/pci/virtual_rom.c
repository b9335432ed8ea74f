/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtual_rom.c - the ROM that the guest reads: loaded when it is read for the first time.
 *
 * An image names the device that it is for. Where the guest sees other ids, firmware would pass it over, so the ids in the
 * device's images follow. A file is the user's business.
 */
#include "instance.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "virtual.h"
#include <stdlib.h>
#include <string.h>
#include <vfiokit/pci_rom.h>

#define ROM_MIN 2048 /* what an expansion ROM BAR can say: PCI 3.0 section 6.2.5.2 */

/* In an image: PCI 3.0 section 6.3.1. */
#define IMAGE_SIZE 0x02 /* of x86 code: what is summed up, in 512 bytes */
#define IMAGE_CHECKSUM \
	0x06 /* the first byte after the entry point, which nothing gives a meaning to */
#define IMAGE_PCIR  0x18
#define PCIR_VENDOR 0x04
#define PCIR_DEVICE 0x06

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

/* ---- ids ---- */

/* The bytes of code for a PC add up to 0. A length that is none is as wrong as it was. */
static void sum_up(uint8_t *image, size_t len)
{
	size_t size = image[IMAGE_SIZE] * 512u;
	uint8_t sum = 0;

	if (size > len)
		return;
	for (size_t i = 0; i < size; i++)
		sum += image[i];
	image[IMAGE_CHECKSUM] -= sum;
}

/* Where its header and data structure are has been checked by whoever told of the image. */
static void fix_image(const struct vfk_pci_virtual *v, uint8_t *rom,
		      const struct vfk_pci_rom_image *image)
{
	const struct vfk_pci_identity *id = &v->pci->identity;
	uint8_t *bytes = rom + image->offset, *pcir = bytes + get16(bytes + IMAGE_PCIR);
	bool own = v->rom.vendor == id->vendor && v->rom.device == id->device;

	if (image->vendor != id->vendor || (own && image->matches))
		return;
	put16(pcir + PCIR_VENDOR, v->rom.vendor);
	put16(pcir + PCIR_DEVICE, v->rom.device);
	if (image->code_type == VFK_PCI_ROM_X86)
		sum_up(bytes, image->length);
}

/* Images that are broken end the walk, and are shown as they are. */
static void fix_ids(struct vfk_pci_virtual *v, uint8_t *rom)
{
	struct vfk_pci_rom_image image = { .data = NULL };

	while (vfk_pci_rom_next_image(v->pci, &image) == 1)
		fix_image(v, rom, &image);
}

/* ---- loading ---- */

static int load(struct vfk_pci_virtual *v)
{
	const void *data;
	size_t len;
	int ret = vfk_pci_rom_load(v->pci, &data, &len);

	if (ret < 0)
		return ret;
	v->rom.image = malloc(len);
	if (!v->rom.image)
		return vfki_err(-ENOMEM, "%s: no memory", vfki_pci_name(v->pci));
	memcpy(v->rom.image, data, len);
	v->rom.len = len;
	if (v->rom.fix)
		fix_ids(v, v->rom.image);
	return 0;
}

/* Once: a guest reads a ROM byte by byte, and each of them would wait for a device that does not answer. */
static int load_once(struct vfk_pci_virtual *v)
{
	if (!v->rom.loaded) {
		v->rom.error = load(v);
		v->rom.loaded = true;
		return v->rom.error;
	}
	if (v->rom.error < 0)
		return vfki_err(v->rom.error, "%s: the ROM could not be read",
				vfki_pci_name(v->pci));
	return 0;
}

int vfki_virtual_rom_read(struct vfk_pci_virtual *v, uint64_t off, uint8_t *buf, size_t len)
{
	int ret;

	pthread_mutex_lock(&v->rom.lock);
	ret = load_once(v);
	/* Behind what there is, up to the BAR's size, there are ones. */
	if (!ret && off < v->rom.len)
		memcpy(buf, v->rom.image + off, (size_t)vfki_min_u64(len, v->rom.len - off));
	pthread_mutex_unlock(&v->rom.lock);
	return ret;
}

/* ---- size ---- */

/* One that is larger than the specification permits is none for a guest. */
static int find_size(struct vfk_pci_virtual *v, bool file, uint64_t *size)
{
	uint64_t bytes, pow2 = ROM_MIN;
	uint32_t decoded;
	int ret = vfk_pci_rom_get_size(v->pci, &bytes);

	*size = 0;
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	if (bytes > VFK_PCI_ROM_MAX)
		return 0;
	while (pow2 < bytes)
		pow2 <<= 1;
	*size = pow2;
	if (file)
		return 0;
	ret = vfk_pci_rom_probe_bar(v->pci, &decoded);
	if (!ret && decoded > pow2 && decoded <= VFK_PCI_ROM_MAX)
		*size = decoded;
	/* A BAR that cannot be sized is no reason to hide what can be read. */
	return ret == -ENOENT || ret == -EPROTO ? 0 : ret;
}

int vfki_virtual_rom_init(struct vfk_pci_virtual *v, const struct vfk_pci_virtual_opts *opts)
{
	const struct vfk_pci_identity *id = &v->pci->identity;
	int ret = 0;

	v->bars[VFK_PCI_VIRTUAL_ROM].address = VFK_PCI_UNMAPPED;
	if (opts->flags & VFK_PCI_VIRTUAL_NO_ROM)
		return 0;
	if (opts->rom_file)
		ret = vfk_pci_rom_set_file(v->pci, opts->rom_file);
	if (ret < 0)
		return ret;
	v->rom.fix = !opts->rom_file;
	v->rom.vendor = opts->ids & VFK_PCI_VIRTUAL_VENDOR ? opts->vendor : id->vendor;
	v->rom.device = opts->ids & VFK_PCI_VIRTUAL_DEVICE ? opts->device : id->device;
	return find_size(v, opts->rom_file, &v->bars[VFK_PCI_VIRTUAL_ROM].size);
}

void vfki_virtual_rom_fini(struct vfk_pci_virtual *v)
{
	free(v->rom.image);
}
