/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dependents.c - "vfiokit reset --list".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <vfiokit/pci_reset.h>

#include "dependents.h"
#include "failure.h"
#include "output.h"
#include "subcommand.h"

#define ADDRESS_SIZE 24
#define MAX_DEVICES  256 /* a bus has no more: 32 devices of 8 functions */

static const char *const owners[] = {
	[VFK_PCI_OWNER_OTHER] = "other",
	[VFK_PCI_OWNER_CALLER] = "ours",
	[VFK_PCI_OWNER_UNKNOWN] = "unknown",
};

static void address_of(const struct vfk_pci_dependent *d, char *text)
{
	snprintf(text, ADDRESS_SIZE, "%04" PRIx32 ":%02x:%02x.%x", d->segment, d->bus, d->slot,
		 d->function);
}

static json_object *as_json(const struct vfk_pci_dependent *d)
{
	json_object *entry = json_object_new_object();
	char address[ADDRESS_SIZE];

	address_of(d, address);
	json_object_object_add(entry, "address", json_object_new_string(address));
	json_object_object_add(entry, "owner", json_object_new_string(owners[d->owner]));
	if (d->by_group)
		json_object_object_add(entry, "group", json_object_new_int64(d->id));
	else if (d->owner == VFK_PCI_OWNER_CALLER && d->id)
		json_object_object_add(entry, "dev_id", json_object_new_int64(d->id));
	return entry;
}

static void print_line(const struct vfk_pci_dependent *d)
{
	char address[ADDRESS_SIZE];

	address_of(d, address);
	printf("%s  %s", address, owners[d->owner]);
	if (d->by_group)
		printf(", of group %" PRIu32, d->id);
	else if (d->owner == VFK_PCI_OWNER_CALLER && d->id)
		printf(", open with id %" PRIu32, d->id);
	else if (d->owner == VFK_PCI_OWNER_CALLER)
		printf(", of a group of ours, not open");
	putchar('\n');
}

static void print_all(const char *uri, const struct vfk_pci_dependent *list, size_t count,
		      bool json)
{
	json_object *root = json ? json_object_new_object() : NULL;
	json_object *devices = json ? json_object_new_array() : NULL;

	for (size_t i = 0; i < count; i++) {
		if (json)
			json_object_array_add(devices, as_json(&list[i]));
		else
			print_line(&list[i]);
	}
	if (!json)
		return;
	json_object_object_add(root, "uri", json_object_new_string(uri));
	json_object_object_add(root, "devices", devices);
	output_json(root);
}

int dependents_show(const char *uri, struct vfk_pci *pci, struct vfk_pci *const *others,
		    size_t num_others, bool json)
{
	struct vfk_pci_dependent *list = calloc(MAX_DEVICES, sizeof(*list));
	size_t count = 0;
	int r;

	if (!list)
		return fail_text(uri, "no memory");
	r = vfk_pci_hot_reset_info(pci, num_others ? others : NULL, num_others, list, MAX_DEVICES,
				   &count);
	if (!r)
		print_all(uri, list, count < MAX_DEVICES ? count : MAX_DEVICES, json);
	free(list);
	return r < 0 ? fail(uri, r) : STATUS_OK;
}
