/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * write.c - "vfiokit write": one register.
 */
#include "access.h"
#include "opening.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit write URI REGION OFFSET WIDTH VALUE [options]\n"
	"       vfiokit write URI config REGISTER [WIDTH] VALUE [options]\n"
	"\n"
	"Writes a register, little-endian on a PCI device. REGION is bar0 to bar5, rom, config, vga,\n"
	"or a number; OFFSET and VALUE are decimal or hexadecimal after 0x; WIDTH is 1, 2, 4 or 8\n"
	"bytes, VALUE fits it, and the device sees one access of it. Says nothing when that was done.\n"
	"\n" CONFIG_REGISTER_HELP "\n" ARGS_DEVICE_HELP;

int cmd_write(int argc, char **argv)
{
	struct vfk_device *dev;
	struct access access;
	struct args args;
	char **words;
	int status;

	args_init(&args, argc, argv, help, NULL, ARGS_DEVICE);
	if (args_next(&args) < 0 || !args_words(&args, 4, 5))
		return args.status;
	words = args.words;
	status = access_parse(&args, words[1], words[2], args.num_words > 4 ? words[3] : NULL,
			      words[args.num_words - 1], &access);
	if (status != STATUS_OK)
		return status;
	if (opening_open(&args, words[0], 0, &dev) != STATUS_OK)
		return STATUS_FAILED;
	status = access_check(dev, &access);
	if (status == STATUS_OK)
		status = access_put(dev, &access);
	vfk_device_close(dev);
	return status;
}
