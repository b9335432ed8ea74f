/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * access.c - one register access as it is written on the command line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "failure.h"
#include "names.h"
#include "number.h"
#include "subcommand.h"

int access_parse_region(struct args *args, const char *text, struct access *access)
{
	uint64_t index;

	access->named = name_to_region(text, &access->region);
	if (access->named)
		return STATUS_OK;
	if (!number_parse(text, 0, UINT32_MAX, &index))
		return args_wrong(args,
				  "no region \"%s\": bar0 to bar5, rom, config, vga, or a number",
				  text);
	access->region = (uint32_t)index;
	return STATUS_OK;
}

static int parse_value(struct args *args, const char *text, struct access *access)
{
	uint64_t max = access->width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * access->width) - 1;

	if (!number_parse(text, 0, max, &access->value))
		return args_wrong(args, "value \"%s\" is no number of %u bytes", text,
				  access->width);
	return STATUS_OK;
}

/* What the name and the word, of which there may be neither, say of the width. */
static int parse_width(struct args *args, const char *width, struct access *access)
{
	uint64_t bytes = access->by_name ? access->reg.width : 0, said = bytes;

	if (!width && !bytes)
		return args_wrong(args, access->by_name ? "the register's width is missing" :
							  "WIDTH is missing");
	if (width && (!number_parse(width, 1, 8, &said) || (said & (said - 1))))
		return args_wrong(args, "width \"%s\" is not 1, 2, 4 or 8", width);
	access->width = (unsigned int)said;
	return STATUS_OK;
}

static int parse_offset(struct args *args, const char *text, struct access *access)
{
	access->by_name = access->named && access->region == VFIO_PCI_CONFIG_REGION_INDEX &&
			  config_register_is_name(text);
	if (access->by_name)
		return config_register_parse(args, text, &access->reg);
	if (!number_parse(text, 0, UINT64_MAX, &access->offset))
		return args_wrong(args, "offset \"%s\" is no number", text);
	return STATUS_OK;
}

int access_parse(struct args *args, const char *region, const char *offset, const char *width,
		 const char *value, struct access *access)
{
	int status = access_parse_region(args, region, access);

	if (status == STATUS_OK)
		status = parse_offset(args, offset, access);
	if (status == STATUS_OK)
		status = parse_width(args, width, access);
	if (status == STATUS_OK && value)
		status = parse_value(args, value, access);
	return status;
}

int access_parse_write(struct args *args, const char *text, struct access *access)
{
	char copy[128], *word[4], *rest = copy;

	if (snprintf(copy, sizeof(copy), "%s", text) < (int)sizeof(copy)) {
		word[0] = strsep(&rest, ":");
		word[1] = strsep(&rest, ":");
		word[2] = strsep(&rest, "=");
		word[3] = rest;
		if (word[3])
			return access_parse(args, word[0], word[1], word[2], word[3], access);
	}
	return args_wrong(args, "\"%s\" is not REGION:OFFSET:WIDTH=VALUE", text);
}

int access_check(struct vfk_device *dev, struct access *access)
{
	char name[NAME_SIZE];

	if (!access->named)
		return STATUS_OK;
	if (vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI)
		return access->by_name ? config_register_find(dev, &access->reg, &access->offset) :
					 STATUS_OK;
	return fail_text(vfk_device_name(dev),
			 "%s is a PCI device's region, this is no PCI device; give its number",
			 name_of_region(VFIO_DEVICE_FLAGS_PCI, access->region, name));
}

/* A register of a device that is no PCI device is in host order. */
union native {
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
};

static uint64_t from_native(const union native *raw, unsigned int width)
{
	switch (width) {
	case 1:
		return raw->u8;
	case 2:
		return raw->u16;
	case 4:
		return raw->u32;
	default:
		return raw->u64;
	}
}

static void to_native(uint64_t value, unsigned int width, union native *raw)
{
	switch (width) {
	case 1:
		raw->u8 = (uint8_t)value;
		break;
	case 2:
		raw->u16 = (uint16_t)value;
		break;
	case 4:
		raw->u32 = (uint32_t)value;
		break;
	default:
		raw->u64 = value;
	}
}

static int judge(struct vfk_device *dev, const struct access *access, ssize_t n)
{
	if (n < 0)
		return fail(vfk_device_name(dev), (int)n);
	if ((size_t)n != access->width)
		return fail_text(vfk_device_name(dev), "region %u ends %zd bytes after 0x%" PRIx64,
				 access->region, n, access->offset);
	return STATUS_OK;
}

int access_get(struct vfk_device *dev, const struct access *access, uint64_t *value)
{
	union native raw;
	int r;

	if (vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI) {
		r = vfk_region_get(dev, access->region, access->offset, access->width, value);
		return r < 0 ? fail(vfk_device_name(dev), r) : STATUS_OK;
	}
	r = judge(dev, access,
		  vfk_region_read(dev, access->region, access->offset, &raw, access->width));
	if (r == STATUS_OK)
		*value = from_native(&raw, access->width);
	return r;
}

int access_put(struct vfk_device *dev, const struct access *access)
{
	union native raw;
	int r;

	if (vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI) {
		r = vfk_region_put(dev, access->region, access->offset, access->width,
				   access->value);
		return r < 0 ? fail(vfk_device_name(dev), r) : STATUS_OK;
	}
	to_native(access->value, access->width, &raw);
	return judge(dev, access,
		     vfk_region_write(dev, access->region, access->offset, &raw, access->width, 0));
}
