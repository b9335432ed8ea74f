/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unbind.c - "vfiokit unbind": PCI devices back to the drivers that they were taken from.
 */
#include <stdio.h>

#include "bind_batch.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit unbind ADDRESS [--group]\n"
	"\n"
	"Gives a PCI device back to the driver that \"vfiokit bind\" took it from. What fails half way is\n"
	"undone. Needs root.\n"
	"\n"
	"  --group         the other members of the device's IOMMU group that were bound as well\n";

int cmd_unbind(int argc, char **argv)
{
	struct bind_batch batch;
	struct args args;
	int status;

	if (!bind_batch_parse(&batch, &args, argc, argv, help, false))
		return args.status;
	status = bind_batch_run(&batch, binding_is_remembered, binding_give_back,
				binding_undo_give_back);
	for (size_t i = 0; status == STATUS_OK && i < batch.num; i++)
		printf("%s: vfio-pci -> %s\n", batch.at[i].slot.address,
		       bind_batch_driver(&batch.at[i]));
	bind_batch_free(&batch);
	return status;
}
