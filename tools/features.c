/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * features.c - "vfiokit features": which features a device offers, and the list of those known.
 */
#include <stdio.h>
#include <vfiokit/device.h>

#include "args.h"
#include "failure.h"
#include "opening.h"
#include "output.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit features URI [--json] [options]\n"
	"\n"
	"Probes every feature that the library knows, and shows whether the device lets it be read\n"
	"(get), written (set), or neither (-).\n"
	"\n"
	"  --json          as JSON: features, each with id, name, and ops\n" ARGS_DEVICE_HELP;

static json_object *ops_array(uint32_t ops)
{
	json_object *array = json_object_new_array();

	if (ops & VFIO_DEVICE_FEATURE_GET)
		json_object_array_add(array, json_object_new_string("get"));
	if (ops & VFIO_DEVICE_FEATURE_SET)
		json_object_array_add(array, json_object_new_string("set"));
	return array;
}

static int probe_all(struct vfk_device *dev, json_object *array)
{
	uint32_t ops;
	int r;

	for (uint32_t id = 0; id <= VFIO_DEVICE_FEATURE_MASK; id++) {
		json_object *feature;

		if (!vfk_feature_name(id))
			continue;
		r = vfk_feature_probe(dev, id, &ops);
		if (r < 0)
			return fail(vfk_device_name(dev), r);
		feature = json_object_new_object();
		json_object_object_add(feature, "id", json_object_new_int64(id));
		json_object_object_add(feature, "name",
				       json_object_new_string(vfk_feature_name(id)));
		json_object_object_add(feature, "ops", ops_array(ops));
		json_object_array_add(array, feature);
	}
	return STATUS_OK;
}

static void print_text(json_object *array)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		json_object *feature = json_object_array_get_idx(array, i);
		json_object *ops = json_object_object_get(feature, "ops");

		printf("%3d %-28s", json_object_get_int(json_object_object_get(feature, "id")),
		       json_object_get_string(json_object_object_get(feature, "name")));
		for (size_t k = 0; k < json_object_array_length(ops); k++)
			printf(" %s", json_object_get_string(json_object_array_get_idx(ops, k)));
		puts(json_object_array_length(ops) ? "" : " -");
	}
}

int cmd_features(int argc, char **argv)
{
	json_object *root, *array;
	struct vfk_device *dev;
	struct args args;
	int status;

	args_init(&args, argc, argv, help, NULL, ARGS_DEVICE | ARGS_JSON);
	if (args_next(&args) < 0 || !args_words(&args, 1, 1))
		return args.status;
	if (opening_open(&args, args.words[0], 0, &dev) != STATUS_OK)
		return STATUS_FAILED;

	root = json_object_new_object();
	array = json_object_new_array();
	json_object_object_add(root, "uri", json_object_new_string(args.words[0]));
	json_object_object_add(root, "features", array);
	status = probe_all(dev, array);
	if (status == STATUS_OK && args.json)
		output_json(json_object_get(root));
	else if (status == STATUS_OK)
		print_text(array);
	json_object_put(root);
	vfk_device_close(dev);
	return status;
}
