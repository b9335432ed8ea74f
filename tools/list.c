/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list.c - "vfiokit list": the backends, filters and models of this build.
 */
#include <stdio.h>
#include <vfiokit/io.h>
#include <vfiokit/model.h>

#include "args.h"
#include "output.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit list [--json]\n"
	"\n"
	"Shows what this build has: the backends (schemes of device URIs), the filters (for --filter)\n"
	"and the bundled models (for model: URIs), each with its options.\n"
	"\n"
	"  --json          as JSON: backends, filters and models, each with name and help\n";

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

static void show(const char *title, json_object *array)
{
	size_t n = json_object_array_length(array);

	printf("%s:%s\n", title, n ? "" : " none");
	for (size_t i = 0; i < n; i++) {
		json_object *object = json_object_array_get_idx(array, i);

		printf("  %-12s%s\n",
		       json_object_get_string(json_object_object_get(object, "name")),
		       json_object_get_string(json_object_object_get(object, "help")));
	}
}

int cmd_list(int argc, char **argv)
{
	json_object *root;
	struct args args;

	args_init(&args, argc, argv, help, NULL, ARGS_JSON);
	if (args_next(&args) < 0 || !args_words(&args, 0, 0))
		return args.status;

	root = json_object_new_object();
	json_object_object_add(root, "backends", vectors(vfk_io_backend));
	json_object_object_add(root, "filters", vectors(vfk_io_filter));
	json_object_object_add(root, "models", models());
	if (args.json) {
		output_json(root);
		return STATUS_OK;
	}
	json_object_object_foreach(root, title, array)
		show(title, array);
	json_object_put(root);
	return STATUS_OK;
}
