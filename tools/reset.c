/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reset.c - "vfiokit reset".
 */
#include <vfiokit/device.h>

#include "args.h"
#include "failure.h"
#include "opening.h"
#include "progress.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit reset URI [options]\n"
	"\n"
	"Brings the device's registers and buffers to their initial state; config space is kept.\n"
	"Says nothing when that was done.\n"
	"\n" ARGS_DEVICE_HELP;

int cmd_reset(int argc, char **argv)
{
	struct progress progress;
	struct vfk_device *dev;
	struct args args;
	int r;

	args_init(&args, argc, argv, help, NULL, ARGS_DEVICE);
	if (args_next(&args) < 0 || !args_words(&args, 1, 1))
		return args.status;
	if (opening_open(&args, args.words[0], 0, &dev) != STATUS_OK)
		return STATUS_FAILED;
	progress_start(&progress, args.progress, args.words[0], "resetting", 0);
	r = vfk_device_reset(dev);
	progress_stop(&progress);
	if (r < 0)
		r = fail(args.words[0], r);
	vfk_device_close(dev);
	return r;
}
