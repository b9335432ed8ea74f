/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bind_batch.c - the devices that "vfiokit bind" or "unbind" is about: one, or its IOMMU group.
 */
#include <stdlib.h>
#include <string.h>

#include "bind_batch.h"
#include "failure.h"
#include "iommu_group.h"
#include "subcommand.h"

enum { OPTION_GROUP = 1, OPTION_FORCE };

static const struct option options[] = {
	{ "group", no_argument, NULL, OPTION_GROUP },
	{ NULL },
};

static const struct option forcing_options[] = {
	{ "group", no_argument, NULL, OPTION_GROUP },
	{ "force", no_argument, NULL, OPTION_FORCE },
	{ NULL },
};

bool bind_batch_parse(struct bind_batch *batch, struct args *args, int argc, char **argv,
		      const char *help, bool may_force)
{
	int option;

	*batch = (struct bind_batch){ .num = 0 };
	args_init(args, argc, argv, help, may_force ? forcing_options : options, 0);
	while ((option = args_next(args)) > 0)
		*(option == OPTION_GROUP ? &batch->group : &batch->force) = true;
	if (option < 0 || !args_words(args, 1, 1))
		return false;
	batch->at = calloc(1, sizeof(*batch->at));
	if (!batch->at) {
		args->status = fail_text(args->words[0], "no memory");
		return false;
	}
	if (pci_slot_parse(args->words[0], &batch->at[0].slot)) {
		batch->at[0].force = batch->force;
		batch->num = 1;
		return true;
	}
	bind_batch_free(batch);
	args_wrong(args, "\"%s\" is no PCI address like 0000:03:00.0", args->words[0]);
	return false;
}

static int add_group(struct bind_batch *batch, bool (*wanted)(const struct pci_slot *slot))
{
	struct pci_slot slot = batch->at[0].slot;
	struct iommu_group group;
	struct binding *more;

	if (!iommu_group_of(slot.folder, &group))
		return fail_text(slot.address, "in no IOMMU group");
	more = realloc(batch->at, (group.num + 1) * sizeof(*batch->at));
	if (!more) {
		iommu_group_free(&group);
		return fail_text(slot.address, "no memory");
	}
	batch->at = more;
	for (size_t i = 0; i < group.num; i++) {
		const struct iommu_member *member = &group.members[i];

		if (member->pci && strcmp(member->name, batch->at[0].slot.address) &&
		    pci_slot_parse(member->name, &slot) && wanted(&slot))
			batch->at[batch->num++] =
				(struct binding){ .slot = slot, .force = batch->force };
	}
	iommu_group_free(&group);
	return STATUS_OK;
}

int bind_batch_run(struct bind_batch *batch, bool (*wanted)(const struct pci_slot *slot),
		   int (*step)(struct binding *binding), void (*undo)(struct binding *binding))
{
	if (binding_begin(&batch->at[0].slot) != STATUS_OK)
		return STATUS_FAILED;
	if (batch->group && add_group(batch, wanted) != STATUS_OK)
		return STATUS_FAILED;
	for (size_t i = 0; i < batch->num; i++) {
		if (step(&batch->at[i]) == STATUS_OK)
			continue;
		while (i-- > 0)
			undo(&batch->at[i]);
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

void bind_batch_free(struct bind_batch *batch)
{
	free(batch->at);
}

const char *bind_batch_driver(const struct binding *binding)
{
	return binding->was.driver[0] ? binding->was.driver : "no driver";
}
