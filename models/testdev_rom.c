/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * testdev_rom.c - the test device's expansion ROM (PCI Firmware Specification 3.0, section 5).
 *
 * Two images of 4 KiB each, or of half the ROM: for a PC's BIOS, whose bytes add up to 0, and for EFI. Their code is
 * nothing that could run.
 *
 * Threads: inside init, but for testdev_rom_read().
 */
#include "testdev.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNIT	  512u
#define IMAGE_MAX 4096u

#define PCIR_AT	       0x20
#define PCIR_LENGTH    0x1c
#define PCIR_IMAGE_LEN 0x10

#define CODE_PC	 0
#define CODE_EFI 3
#define LAST	 0x80

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put_image(uint8_t *image, size_t len, uint8_t code, uint8_t indicator)
{
	uint8_t *pcir = image + PCIR_AT;

	image[0] = 0x55;
	image[1] = 0xaa;
	put16(image + 0x18, PCIR_AT);
	memcpy(pcir, "PCIR", 4);
	put16(pcir + 4, TESTDEV_VENDOR);
	put16(pcir + 6, TESTDEV_DEVICE);
	put16(pcir + 0xa, PCIR_LENGTH);
	pcir[0xc] = 3;
	put16(pcir + 0xe, 0x00ff); /* class and subclass; the interface before them is 0 */
	put16(pcir + PCIR_IMAGE_LEN, (unsigned int)(len / UNIT));
	pcir[0x14] = code;
	pcir[0x15] = indicator;
}

/* Its size in units and what the processor jumps to: a far return. */
static void put_pc_image(uint8_t *image, size_t len)
{
	uint8_t sum = 0;

	put_image(image, len, CODE_PC, 0);
	image[2] = (uint8_t)(len / UNIT);
	image[3] = 0xcb;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + image[i]);
	image[len - 1] = (uint8_t)-sum;
}

/* Its size in units, the signature 0x0ef1, a boot service driver for x86-64, not compressed. */
static void put_efi_image(uint8_t *image, size_t len)
{
	put_image(image, len, CODE_EFI, LAST);
	put16(image + 2, (unsigned int)(len / UNIT));
	put16(image + 4, 0x0ef1);
	put16(image + 8, 0xb);
	put16(image + 0xa, 0x8664);
	put16(image + 0x16, 0x40);
}

static void spoil(uint8_t *data, size_t image, enum testdev_rom how)
{
	uint8_t *length = data + PCIR_AT + PCIR_IMAGE_LEN;

	switch (how) {
	case TESTDEV_ROM_BROKEN:
		data[0] = 0;
		data[image] = 0;
		break;
	case TESTDEV_ROM_EMPTY:
		memset(data, 0xff, 2 * image);
		break;
	case TESTDEV_ROM_LOOP:
		put16(length, 0);
		data[2] = 0;
		break;
	case TESTDEV_ROM_TOO_LONG:
		put16(length, 0xffff);
		data[2] = 0xff;
		break;
	case TESTDEV_ROM_OK:
	case TESTDEV_ROM_OFF:
	case TESTDEV_ROM_SHORT:
	case TESTDEV_ROM_FAIL:
	case TESTDEV_ROM_AGAIN:
		break;
	}
}

static int add_images(struct vfk_model *model, const struct testdev_params *params,
		      struct vfk_model_rom *rom)
{
	size_t image = params->rom_size / 2 < IMAGE_MAX ? params->rom_size / 2 : IMAGE_MAX;
	uint8_t *data = calloc(2, image);
	int ret;

	if (!data)
		return -ENOMEM;
	put_pc_image(data, image);
	put_efi_image(data + image, image);
	spoil(data, image, params->rom);
	rom->data = data;
	rom->len = 2 * image;
	ret = vfk_model_add_rom(model, rom);
	free(data);
	return ret;
}

int testdev_add_rom(struct vfk_model *model, const struct testdev_params *params)
{
	struct vfk_model_rom rom = {
		.size = sizeof(rom),
		.length = params->rom_size,
		.flags = params->rom == TESTDEV_ROM_SHORT ? VFK_ROM_SHORT : 0,
	};

	if (params->rom == TESTDEV_ROM_OFF)
		return 0;
	if (params->rom == TESTDEV_ROM_FAIL || params->rom == TESTDEV_ROM_AGAIN)
		return vfk_model_add_rom(model, &rom);
	return add_images(model, params, &rom);
}

ssize_t testdev_rom_read(const struct testdev_params *params)
{
	return params->rom == TESTDEV_ROM_AGAIN ? -EAGAIN : -EIO;
}
