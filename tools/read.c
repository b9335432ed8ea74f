/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * read.c - "vfiokit read": one register, once or many times.
 *
 * Standard output is buffered in large pieces, so that a repeated read does to the system what the
 * reads do, and hardly more.
 */
#include <inttypes.h>
#include <stdio.h>

#include "access.h"
#include "failure.h"
#include "number.h"
#include "opening.h"
#include "output.h"
#include "progress.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit read URI REGION OFFSET WIDTH [--repeat N] [--json] [options]\n"
	"       vfiokit read URI config REGISTER [WIDTH] ...\n"
	"\n"
	"Reads a register and prints it in hexadecimal, all digits of its width; a PCI device's is\n"
	"little-endian. REGION is bar0 to bar5, rom, config, vga, or a number; OFFSET is in bytes,\n"
	"decimal or after 0x; WIDTH is 1, 2, 4 or 8 bytes, and the device sees one access of it.\n"
	"\n" CONFIG_REGISTER_HELP "\n"
	"  --repeat N      read N times, a line each\n"
	"  --json          as JSON: values as hexadecimal text\n" ARGS_DEVICE_HELP;

enum {
	OPTION_REPEAT = 1,
};

static const struct option options[] = {
	{ "repeat", required_argument, NULL, OPTION_REPEAT },
	{ NULL },
};

struct read {
	struct args args;
	struct access access;
	uint64_t repeat;
};

/* Whether to go on; if not, exit with read->args.status. */
static bool parse(struct read *read, int argc, char **argv)
{
	struct args *args = &read->args;
	int option;

	read->repeat = 1;
	args_init(args, argc, argv, help, options, ARGS_DEVICE | ARGS_JSON);
	while ((option = args_next(args)) > 0) {
		if (!number_parse(optarg, 1, 1000000000, &read->repeat)) {
			args_wrong(args, "--repeat %s: not a number from 1 to 1000000000", optarg);
			return false;
		}
	}
	return option == 0 && args_words(args, 3, 4) &&
	       access_parse(args, args->words[1], args->words[2],
			    args->num_words > 3 ? args->words[3] : NULL, NULL,
			    &read->access) == STATUS_OK;
}

/* values: an array to add to, NULL to print */
static int read_all(struct vfk_device *dev, const struct read *read, json_object *values)
{
	int digits = (int)read->access.width * 2, status = STATUS_OK;
	struct progress progress;
	uint64_t value, i;

	progress_start(&progress, read->args.progress, vfk_device_name(dev), "reading",
		       read->repeat);
	for (i = 0; i < read->repeat && status == STATUS_OK; i++) {
		status = access_get(dev, &read->access, &value);
		if (status == STATUS_OK && values)
			json_object_array_add(values, output_hex(value, digits));
		else if (status == STATUS_OK)
			printf("0x%0*" PRIx64 "\n", digits, value);
		progress_step(&progress, i + 1);
	}
	progress_stop(&progress);
	return status;
}

static int read_json(struct vfk_device *dev, const struct read *read)
{
	json_object *root = json_object_new_object(), *values = json_object_new_array();
	int status;

	json_object_object_add(root, "uri", json_object_new_string(vfk_device_name(dev)));
	json_object_object_add(root, "region", json_object_new_int64(read->access.region));
	json_object_object_add(root, "offset", json_object_new_uint64(read->access.offset));
	json_object_object_add(root, "width", json_object_new_int64(read->access.width));
	json_object_object_add(root, "values", values);
	status = read_all(dev, read, values);
	if (status == STATUS_OK)
		output_json(root);
	else
		json_object_put(root);
	return status;
}

int cmd_read(int argc, char **argv)
{
	/* Standard output's until the process ends. */
	static char output[1 << 16];
	struct vfk_device *dev;
	struct read read;
	int status;

	if (!parse(&read, argc, argv))
		return read.args.status;
	if (opening_open(&read.args, read.args.words[0], 0, &dev) != STATUS_OK)
		return STATUS_FAILED;
	setvbuf(stdout, output, _IOFBF, sizeof(output));
	status = access_check(dev, &read.access);
	if (status == STATUS_OK)
		status = read.args.json ? read_json(dev, &read) : read_all(dev, &read, NULL);
	vfk_device_close(dev);
	return status;
}
