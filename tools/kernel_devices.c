/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_devices.c - the devices of this machine that a kernel: URI can name, or could after a bind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu_group.h"
#include "kernel_devices.h"
#include "output.h"
#include "pci_names.h"
#include "pci_slot.h"

#define MDEV_DEVICES "/sys/bus/mdev/devices"
#define CDEVS	     "/sys/class/vfio-dev"

/* ---- parts ---- */

static void add_text(json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text[0] ? json_object_new_string(text) : NULL);
}

static void add_uri(json_object *object, const char *target)
{
	char uri[SYSFS_PATH_SIZE + sizeof("kernel:")];

	snprintf(uri, sizeof(uri), "kernel:%s", target);
	json_object_object_add(object, "uri", json_object_new_string(uri));
}

static void add_link(json_object *object, const char *key, const char *folder, const char *link)
{
	char name[SYSFS_NAME_SIZE];

	sysfs_link(folder, link, name);
	add_text(object, key, name);
}

static const char *text_of(json_object *object, const char *key)
{
	return json_object_get_string(json_object_object_get(object, key));
}

static json_object *members_json(const struct iommu_group *group, const char *self)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < group->num; i++) {
		json_object *member;

		if (strcmp(group->members[i].name, self) == 0)
			continue;
		member = json_object_new_object();
		add_text(member, "name", group->members[i].name);
		add_text(member, "driver", group->members[i].driver);
		json_object_array_add(array, member);
	}
	return array;
}

static void add_verdict(json_object *object, const char *reason)
{
	json_object_object_add(object, "viable", json_object_new_boolean(!reason[0]));
	if (reason[0])
		add_text(object, "reason", reason);
}

/* The group and its other members; reason gets what stands against using the device, "" if nothing. */
static void add_group(json_object *object, const char *folder, const char *self, char *reason,
		      size_t size)
{
	struct iommu_group group;
	uint64_t number;

	if (!iommu_group_of(folder, &group)) {
		json_object_object_add(object, "group", NULL);
		json_object_object_add(object, "members", json_object_new_array());
		snprintf(reason, size, "in no IOMMU group: there is no IOMMU, or it is off");
		return;
	}
	number = strtoull(group.number, NULL, 10);
	json_object_object_add(object, "group", json_object_new_uint64(number));
	json_object_object_add(object, "noiommu", json_object_new_boolean(group.noiommu));
	json_object_object_add(object, "members", members_json(&group, self));
	iommu_group_viable(&group, reason, size);
	iommu_group_free(&group);
}

static json_object *each(const char *folder, json_object *(*describe)(const char *name))
{
	json_object *array = json_object_new_array(), *object;
	struct dirent **entries;
	size_t num = sysfs_entries(folder, &entries);

	for (size_t i = 0; i < num; i++) {
		object = describe(entries[i]->d_name);
		if (object)
			json_object_array_add(array, object);
	}
	sysfs_free_entries(entries, num);
	return array;
}

/* ---- PCI ---- */

static void add_id(json_object *object, const char *key, const char *folder, int width)
{
	uint64_t value;

	if (sysfs_number(folder, key, &value))
		json_object_object_add(object, key, output_hex(value, width));
}

static json_object *describe_pci(const char *name)
{
	char modalias[128], text[PCI_NAME_SIZE], reason[512];
	struct pci_slot slot;
	json_object *object;

	if (!pci_slot_parse(name, &slot))
		return NULL;
	object = json_object_new_object();
	add_text(object, "address", slot.address);
	add_uri(object, slot.address);
	add_id(object, "vendor", slot.folder, 4);
	add_id(object, "device", slot.folder, 4);
	add_id(object, "class", slot.folder, 6);
	if (sysfs_text(slot.folder, "modalias", modalias, sizeof(modalias)) &&
	    pci_name(modalias, text))
		add_text(object, "name", text);
	add_link(object, "driver", slot.folder, "driver");
	add_group(object, slot.folder, slot.address, reason, sizeof(reason));
	if (pci_slot_is_bridge(&slot))
		snprintf(reason, sizeof(reason), "a bridge, which stays with its driver");
	add_verdict(object, reason);
	return object;
}

json_object *kernel_devices_pci(void)
{
	return each(PCI_DEVICES, describe_pci);
}

static void print_group(json_object *device)
{
	json_object *members = json_object_object_get(device, "members");
	size_t num = json_object_array_length(members);
	const char *number = text_of(device, "group");

	printf("                ");
	if (number)
		printf("group %s%s, ", number,
		       json_object_get_boolean(json_object_object_get(device, "noiommu")) ?
			       " (no IOMMU)" :
			       "");
	for (size_t i = 0; i < num; i++) {
		json_object *member = json_object_array_get_idx(members, i);
		const char *driver = text_of(member, "driver");

		printf("%s%s (%s)%s", i ? "" : "with ", text_of(member, "name"),
		       driver ? driver : "no driver", ", ");
	}
	if (json_object_get_boolean(json_object_object_get(device, "viable")))
		puts("viable");
	else
		printf("not viable: %s\n", text_of(device, "reason"));
}

static void print_pci(json_object *device)
{
	const char *name = text_of(device, "name"), *driver = text_of(device, "driver");

	/* The numbers stand without 0x in a PCI id, as everywhere else. */
	printf("  %-14s%s:%s class %s driver %s\n", text_of(device, "address"),
	       text_of(device, "vendor") + 2, text_of(device, "device") + 2,
	       text_of(device, "class") + 2, driver ? driver : "none");
	if (name)
		printf("                %s\n", name);
	print_group(device);
}

/* ---- mediated devices ---- */

static json_object *describe_mdev(const char *name)
{
	char folder[SYSFS_PATH_SIZE], parent[SYSFS_NAME_SIZE];
	struct iommu_group group;
	json_object *object;

	if (strlen(name) >= SYSFS_NAME_SIZE)
		return NULL;
	object = json_object_new_object();
	snprintf(folder, sizeof(folder), MDEV_DEVICES "/%s", name);
	add_text(object, "uuid", name);
	add_uri(object, folder);
	/* the parent is the folder that the device itself is in */
	sysfs_real_name(folder, "..", parent);
	add_text(object, "parent", parent);
	add_link(object, "type", folder, "mdev_type");
	add_link(object, "driver", folder, "driver");
	if (iommu_group_of(folder, &group)) {
		json_object_object_add(object, "group",
				       json_object_new_uint64(strtoull(group.number, NULL, 10)));
		iommu_group_free(&group);
	}
	return object;
}

json_object *kernel_devices_mdev(void)
{
	return each(MDEV_DEVICES, describe_mdev);
}

static void print_mdev(json_object *device)
{
	const char *driver = text_of(device, "driver"), *group = text_of(device, "group");

	printf("  %s  %s of %s driver %s", text_of(device, "uuid"), text_of(device, "type"),
	       text_of(device, "parent"), driver ? driver : "none");
	if (group)
		printf(" group %s", group);
	printf("\n                %s\n", text_of(device, "uri"));
}

/* ---- cdevs ---- */

/* Where the device node is, below /dev, as the kernel tells those who make it. */
static bool node_of(const char *folder, char path[SYSFS_PATH_SIZE])
{
	char text[1024], *name, *end;

	if (!sysfs_whole(folder, "uevent", text, sizeof(text)))
		return false;
	name = strstr(text, "DEVNAME=");
	if (!name)
		return false;
	name += strlen("DEVNAME=");
	end = strchr(name, '\n');
	if (end)
		*end = '\0';
	return snprintf(path, SYSFS_PATH_SIZE, "/dev/%s", name) < SYSFS_PATH_SIZE;
}

static json_object *describe_cdev(const char *name)
{
	char folder[SYSFS_PATH_SIZE], path[SYSFS_PATH_SIZE];
	json_object *object;

	snprintf(folder, sizeof(folder), CDEVS "/%s", name);
	/* a kernel without VFIO_DEVICE_CDEV shows the device, and has no node for it */
	if (!node_of(folder, path))
		return NULL;
	object = json_object_new_object();
	add_text(object, "path", path);
	add_uri(object, path);
	add_link(object, "device", folder, "device");
	add_link(object, "bus", folder, "device/subsystem");
	return object;
}

json_object *kernel_devices_cdev(void)
{
	return each(CDEVS, describe_cdev);
}

static void print_cdev(json_object *device)
{
	printf("  %-32s%s %s\n", text_of(device, "path"), text_of(device, "bus"),
	       text_of(device, "device"));
}

/* ---- printing ---- */

static void print_each(json_object *array, void (*print)(json_object *device))
{
	for (size_t i = 0; i < json_object_array_length(array); i++)
		print(json_object_array_get_idx(array, i));
}

void kernel_devices_print_pci(json_object *array)
{
	print_each(array, print_pci);
}

void kernel_devices_print_mdev(json_object *array)
{
	print_each(array, print_mdev);
}

void kernel_devices_print_cdev(json_object *array)
{
	print_each(array, print_cdev);
}
