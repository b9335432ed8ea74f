/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dump.c - "vfiokit dump": a region's bytes, for people or as they are into a file, whole or not at all.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <vfiokit/pci_rom.h>

#include "access.h"
#include "failure.h"
#include "number.h"
#include "opening.h"
#include "progress.h"
#include "subcommand.h"
#include "whole_file.h"

static const char help[] =
	"usage: vfiokit dump URI REGION [FILE] [--offset N] [--length N] [--width W] [options]\n"
	"\n"
	"Shows a region's bytes, sixteen a line, in the format of \"xxd -g1\", or writes them as they\n"
	"are into FILE, which is there when all of them are; - is standard output. REGION is bar0 to\n"
	"bar5, rom, config, vga, or a number. Reading may have side effects on a device. A ROM ends\n"
	"where the device says so, which may be before its region does; memory decoding, without\n"
	"which it cannot be read, is turned on meanwhile.\n"
	"\n"
	"  --offset N      begin there (0)\n"
	"  --length N      that many bytes (to the end of the region)\n"
	"  --width W       by accesses of 1, 2, 4 or 8 bytes (as large as the device takes them)\n"
	"  --output FILE   the same as FILE alone\n" ARGS_DEVICE_HELP;

enum {
	OPTION_OFFSET = 1,
	OPTION_LENGTH,
	OPTION_WIDTH,
	OPTION_OUTPUT,
};

static const struct option options[] = {
	{ "offset", required_argument, NULL, OPTION_OFFSET },
	{ "length", required_argument, NULL, OPTION_LENGTH },
	{ "width", required_argument, NULL, OPTION_WIDTH },
	{ "output", required_argument, NULL, OPTION_OUTPUT },
	{ NULL },
};

#define CHUNK (64 << 10)
#define LINE  16

struct dump {
	struct args args;
	struct access region;
	uint64_t offset, length; /* length 0: to the end */
	uint64_t width;		 /* 0: not given */
	const char *path;	 /* NULL: show */
	struct vfk_pci *rom;	 /* of a PCI device's ROM; NULL: another region */
	FILE *file;
};

static bool parse_option(struct dump *dump, int option)
{
	bool good;

	switch (option) {
	case OPTION_OFFSET:
		good = number_parse(optarg, 0, UINT64_MAX, &dump->offset);
		break;
	case OPTION_LENGTH:
		good = number_parse(optarg, 1, UINT64_MAX, &dump->length);
		break;
	case OPTION_WIDTH:
		good = number_parse(optarg, 1, 8, &dump->width) &&
		       (dump->width & (dump->width - 1)) == 0;
		break;
	default:
		dump->path = optarg;
		return true;
	}
	if (!good)
		args_wrong(&dump->args, "--%s %s: not a number that it can be",
			   options[option - 1].name, optarg);
	return good;
}

static bool parse(struct dump *dump, int argc, char **argv)
{
	struct args *args = &dump->args;
	int option;

	args_init(args, argc, argv, help, options, ARGS_DEVICE);
	while ((option = args_next(args)) > 0)
		if (!parse_option(dump, option))
			return false;
	if (option < 0 || !args_words(args, 2, dump->path ? 2 : 3))
		return false;
	if (args->num_words > 2)
		dump->path = args->words[2];
	if (dump->width && dump->length % dump->width) {
		args_wrong(args, "--length is not a multiple of --width");
		return false;
	}
	return access_parse_region(args, args->words[1], &dump->region) == STATUS_OK;
}

/* Fits offset and length to the region. */
static int clamp(struct vfk_device *dev, struct dump *dump)
{
	const char *name = vfk_device_name(dev), *region = dump->args.words[1];
	const struct vfk_region_info *info;
	int r = vfk_region_get_info(dev, dump->region.region, &info);

	if (r < 0)
		return fail(name, r);
	if (info->size == 0)
		return fail_text(name, "region %s is not used", region);
	if (dump->offset >= info->size)
		return fail_text(name, "region %s ends at 0x%" PRIx64, region, info->size);
	if (!dump->length)
		dump->length = info->size - dump->offset;
	if (dump->length > info->size - dump->offset)
		return fail_text(name, "region %s ends at 0x%" PRIx64 ", before offset + length",
				 region, info->size);
	return STATUS_OK;
}

static ssize_t read_once(struct vfk_device *dev, const struct dump *dump, uint64_t offset,
			 void *buf, size_t len)
{
	if (dump->rom)
		return vfk_pci_rom_read(dump->rom, offset, buf, len);
	return vfk_region_read(dev, dump->region.region, offset, buf, len);
}

/* Reads up to len bytes; fewer where the device has no more. */
static ssize_t read_chunk(struct vfk_device *dev, const struct dump *dump, uint64_t offset,
			  uint8_t *buf, size_t len)
{
	size_t step = dump->width ? dump->width : len, done = 0;
	ssize_t n;

	while (done < len) {
		if (step > len - done)
			step = len - done;
		n = read_once(dev, dump, offset + done, buf + done, step);
		if (n < 0)
			return n;
		done += (size_t)n;
		if ((size_t)n < step)
			break;
	}
	return (ssize_t)done;
}

static void show_line(FILE *file, uint64_t offset, const uint8_t *bytes, size_t len)
{
	fprintf(file, "%08" PRIx64 ":", offset);
	for (size_t i = 0; i < LINE; i++)
		if (i < len)
			fprintf(file, " %02x", bytes[i]);
		else
			fputs("   ", file);
	fputs("  ", file);
	for (size_t i = 0; i < len; i++)
		fputc(bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '.', file);
	fputc('\n', file);
}

/* Whether the output took it. */
static bool emit(const struct dump *dump, uint64_t offset, const uint8_t *bytes, size_t len)
{
	if (dump->path)
		return fwrite(bytes, 1, len, dump->file) == len;
	for (size_t i = 0; i < len; i += LINE)
		show_line(dump->file, offset + i, bytes + i, len - i < LINE ? len - i : LINE);
	return !ferror(dump->file);
}

/* The device had no more, of what it said that it has. */
static int ended(struct vfk_device *dev, const struct dump *dump, uint64_t done)
{
	if (dump->rom && done)
		return STATUS_OK;
	return fail_text(vfk_device_name(dev), "region %s ends at 0x%" PRIx64 ", before its size",
			 dump->args.words[1], dump->offset + done);
}

static int copy(struct vfk_device *dev, const struct dump *dump, struct progress *progress)
{
	uint64_t done = 0;
	uint8_t buf[CHUNK];

	while (done < dump->length) {
		size_t want = dump->length - done < CHUNK ? dump->length - done : CHUNK;
		ssize_t n = read_chunk(dev, dump, dump->offset + done, buf, want);

		if (n < 0)
			return fail(vfk_device_name(dev), (int)n);
		if (!emit(dump, dump->offset + done, buf, (size_t)n))
			return fail_text(vfk_device_name(dev), "%s: %s",
					 dump->path ? dump->path : "standard output",
					 strerror(errno));
		done += (size_t)n;
		progress_step(progress, done);
		if ((size_t)n < want)
			return ended(dev, dump, done);
	}
	return STATUS_OK;
}

static int copy_with_progress(struct vfk_device *dev, const struct dump *dump)
{
	struct progress progress;
	int status;

	progress_start(&progress, dump->args.progress, vfk_device_name(dev), "dumping",
		       dump->length);
	status = copy(dev, dump, &progress);
	progress_stop(&progress);
	return status;
}

static int dump_region(struct vfk_device *dev, struct dump *dump)
{
	struct whole_file whole;
	int status;

	if (clamp(dev, dump) != STATUS_OK)
		return STATUS_FAILED;
	if (!dump->path || strcmp(dump->path, "-") == 0) {
		dump->file = stdout;
		return copy_with_progress(dev, dump);
	}
	status = whole_file_begin(&whole, vfk_device_name(dev), dump->path);
	if (status != STATUS_OK)
		return status;
	dump->file = whole.file;
	return whole_file_end(&whole, copy_with_progress(dev, dump));
}

static int dump_device(struct vfk_device *dev, struct dump *dump)
{
	int status = access_check(dev, &dump->region), ret;

	if (status != STATUS_OK)
		return status;
	if (dump->region.region == VFIO_PCI_ROM_REGION_INDEX &&
	    (vfk_device_flags(dev) & VFIO_DEVICE_FLAGS_PCI)) {
		ret = vfk_pci_open(dev, &dump->rom);
		if (ret < 0)
			return fail(vfk_device_name(dev), ret);
	}
	status = dump_region(dev, dump);
	vfk_pci_close(dump->rom);
	return status;
}

int cmd_dump(int argc, char **argv)
{
	struct dump dump = { 0 };
	struct vfk_device *dev;
	int status;

	if (!parse(&dump, argc, argv))
		return dump.args.status;
	if (opening_open(&dump.args, dump.args.words[0], 0, &dev) != STATUS_OK)
		return STATUS_FAILED;
	status = dump_device(dev, &dump);
	vfk_device_close(dev);
	return status;
}
