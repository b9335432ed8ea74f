/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list.c - "vfiokit list": what this build has, and which devices this machine has for it.
 */
#include <stdio.h>
#include <vfiokit/io.h>
#include <vfiokit/model.h>

#include "args.h"
#include "kernel_devices.h"
#include "output.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit list [--json]\n"
	"\n"
	"Shows what this build has: the backends (schemes of device URIs), the filters (for --filter)\n"
	"and the bundled models (for model: URIs), each with its options.\n"
	"\n"
	"Then the devices of this machine that kernel: URIs can name: PCI devices with class, driver,\n"
	"IOMMU group and the group's other members; mediated devices; VFIO character devices. A device\n"
	"that is viable has no driver of the kernel's on it nor on another member of its group: it can\n"
	"be used once it is bound to vfio-pci (vfiokit bind). What is not says why.\n"
	"\n"
	"  --json          as JSON: backends, filters, models, each with name and help; pci, mdevs, cdevs\n";

static json_object *entry(const char *name, const char *text)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "name", json_object_new_string(name));
	json_object_object_add(object, "help", json_object_new_string(text ? text : ""));
	return object;
}

static json_object *vectors(const struct vfk_io_ops *(*get)(size_t i))
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; get(i); i++)
		json_object_array_add(array, entry(get(i)->name, get(i)->help));
	return array;
}

static json_object *backends(void)
{
	return vectors(vfk_io_backend);
}

static json_object *filters(void)
{
	return vectors(vfk_io_filter);
}

static json_object *parameters(const char *const *names)
{
	json_object *array = json_object_new_array();

	for (; names && *names; names++)
		json_object_array_add(array, json_object_new_string(*names));
	return array;
}

static json_object *models(void)
{
	json_object *array = json_object_new_array();
	const struct vfk_model_ops *ops;

	for (size_t i = 0; (ops = vfk_model_bundled(i)); i++) {
		json_object *object = entry(ops->name, ops->help);

		json_object_object_add(object, "params", parameters(ops->params));
		json_object_array_add(array, object);
	}
	return array;
}

static void print_entries(json_object *array)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		json_object *object = json_object_array_get_idx(array, i);

		printf("  %-12s%s\n",
		       json_object_get_string(json_object_object_get(object, "name")),
		       json_object_get_string(json_object_object_get(object, "help")));
	}
}

static const struct section {
	const char *key, *title;
	json_object *(*make)(void);
	void (*print)(json_object *array);
} sections[] = {
	{ "backends", "backends", backends, print_entries },
	{ "filters", "filters", filters, print_entries },
	{ "models", "models", models, print_entries },
	{ "pci", "PCI devices", kernel_devices_pci, kernel_devices_print_pci },
	{ "mdevs", "mediated devices", kernel_devices_mdev, kernel_devices_print_mdev },
	{ "cdevs", "VFIO character devices", kernel_devices_cdev, kernel_devices_print_cdev },
};

#define NUM_SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void show(const struct section *section, json_object *array)
{
	printf("%s:%s\n", section->title, json_object_array_length(array) ? "" : " none");
	section->print(array);
}

int cmd_list(int argc, char **argv)
{
	json_object *root, *array;
	struct args args;

	args_init(&args, argc, argv, help, NULL, ARGS_JSON);
	if (args_next(&args) < 0 || !args_words(&args, 0, 0))
		return args.status;

	root = json_object_new_object();
	for (size_t i = 0; i < NUM_SECTIONS; i++) {
		array = sections[i].make();
		json_object_object_add(root, sections[i].key, array);
		if (!args.json)
			show(&sections[i], array);
	}
	if (args.json)
		output_json(root);
	else
		json_object_put(root);
	return STATUS_OK;
}
