/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bind.c - "vfiokit bind": PCI devices to vfio-pci.
 */
#include <stdio.h>

#include "bind_batch.h"
#include "iommu_group.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit bind ADDRESS [--group] [--force]\n"
	"\n"
	"Moves a PCI device from its driver to vfio-pci, so that kernel:ADDRESS can be used. The driver\n"
	"is remembered in /run/vfiokit for \"vfiokit unbind\". What fails half way is undone. Needs root.\n"
	"\n"
	"A disk that is mounted, is swap space or is in use otherwise is left where it is.\n"
	"\n"
	"  --group         the other members of the device's IOMMU group as well, but for bridges\n"
	"  --force         take a disk that is in use all the same\n";

/* Bound is not usable yet while another member is with its driver. */
static void tell_group(const struct pci_slot *slot)
{
	struct iommu_group group;
	char text[512];

	if (!iommu_group_of(slot->folder, &group))
		return;
	if (!iommu_group_viable(&group, text, sizeof(text)))
		printf("%s: group %s is not viable: %s (--group binds all)\n", slot->address,
		       group.number, text);
	iommu_group_free(&group);
}

static bool may_go(const struct pci_slot *slot)
{
	return !pci_slot_is_bridge(slot);
}

static void tell(const struct binding *binding)
{
	if (binding->moved)
		printf("%s: %s -> vfio-pci\n", binding->slot.address, bind_batch_driver(binding));
	else
		printf("%s: with %s already\n", binding->slot.address, binding->was.driver);
}

int cmd_bind(int argc, char **argv)
{
	struct bind_batch batch;
	struct args args;
	int status;

	if (!bind_batch_parse(&batch, &args, argc, argv, help, true))
		return args.status;
	status = bind_batch_run(&batch, may_go, binding_take, binding_undo_take);
	for (size_t i = 0; status == STATUS_OK && i < batch.num; i++)
		tell(&batch.at[i]);
	if (status == STATUS_OK)
		tell_group(&batch.at[0].slot);
	bind_batch_free(&batch);
	return status;
}
