/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * info.c - "vfiokit info": a device's regions, interrupts, features, and PCI identity.
 *
 * Everything is asked first, into JSON; the text for people is made from it. So a device that fails
 * half-way leaves a line on stderr and nothing on stdout.
 */
#include <inttypes.h>
#include <stdio.h>

#include "args.h"
#include "failure.h"
#include "inventory.h"
#include "names.h"
#include "opening.h"
#include "output.h"
#include "subcommand.h"

static const char help[] =
	"usage: vfiokit info URI [--json] [options]\n"
	"\n"
	"Shows what the device is: type, regions, interrupts, the features that it offers, and the\n"
	"identity of a PCI device. Indices that it does not use are shown only in JSON.\n"
	"\n"
	"  --json          as JSON; sizes, counts, indices and offsets are integers\n" ARGS_DEVICE_HELP;

static void add_int(json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static json_object *sparse_areas(const struct vfk_region_info *info)
{
	json_object *array = json_object_new_array();
	const void *cap;
	size_t len;

	/* Without the capability there is one area, the whole: that is what the flag "mmap" says. */
	if (vfk_region_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP, &cap, &len) < 0)
		return array;
	for (uint32_t i = 0; i < info->num_areas; i++) {
		json_object *area = json_object_new_object();

		add_int(area, "offset", info->areas[i].offset);
		add_int(area, "size", info->areas[i].length);
		json_object_array_add(array, area);
	}
	return array;
}

static int add_region(struct vfk_device *dev, uint32_t index, json_object *array)
{
	struct vfk_region_info info;
	char name[NAME_SIZE];
	json_object *region;
	int r = inventory_region(dev, index, &info);

	if (r < 0)
		return r;
	region = json_object_new_object();
	add_int(region, "index", index);
	json_object_object_add(
		region, "name",
		json_object_new_string(name_of_region(vfk_device_flags(dev), index, name)));
	add_int(region, "size", info.size);
	json_object_object_add(region, "flags", names_of_flags(REGION_FLAGS, info.flags));
	json_object_object_add(region, "sparse", sparse_areas(&info));
	json_object_array_add(array, region);
	return 0;
}

static int add_irq(struct vfk_device *dev, uint32_t index, json_object *array)
{
	struct vfk_irq_info info;
	char name[NAME_SIZE];
	json_object *irq;
	int r = inventory_irq(dev, index, &info);

	if (r < 0)
		return r;
	irq = json_object_new_object();
	add_int(irq, "index", index);
	json_object_object_add(
		irq, "name",
		json_object_new_string(name_of_irq(vfk_device_flags(dev), index, name)));
	add_int(irq, "count", info.count);
	json_object_object_add(irq, "flags", names_of_flags(IRQ_FLAGS, info.flags));
	json_object_array_add(array, irq);
	return 0;
}

static int add_each(struct vfk_device *dev, json_object *root, const char *key, uint32_t count,
		    int (*add)(struct vfk_device *dev, uint32_t index, json_object *array))
{
	json_object *array = json_object_new_array();
	int r = 0;

	json_object_object_add(root, key, array);
	for (uint32_t i = 0; i < count && r == 0; i++)
		r = add(dev, i, array);
	return r;
}

static int add_pci(struct vfk_device *dev, json_object *root)
{
	json_object *pci = json_object_new_object();
	struct pci_identity id;
	int r;

	json_object_object_add(root, "pci", pci);
	r = inventory_pci(dev, &id);
	if (r < 0)
		return r;
	json_object_object_add(pci, "vendor", output_hex(id.vendor, 4));
	json_object_object_add(pci, "device", output_hex(id.device, 4));
	json_object_object_add(pci, "subvendor", output_hex(id.subvendor, 4));
	json_object_object_add(pci, "subdevice", output_hex(id.subdevice, 4));
	json_object_object_add(pci, "class", output_hex(id.class_code, 6));
	json_object_object_add(pci, "revision", output_hex(id.revision, 2));
	return 0;
}

static int add_features(struct vfk_device *dev, json_object *root)
{
	json_object *array = json_object_new_array();
	uint32_t ops;
	int r = 0;

	json_object_object_add(root, "features", array);
	for (uint32_t id = 0; id <= VFIO_DEVICE_FEATURE_MASK && r == 0; id++) {
		if (!vfk_feature_name(id))
			continue;
		r = vfk_feature_probe(dev, id, &ops);
		if (r == 0 && ops)
			json_object_array_add(array, json_object_new_string(vfk_feature_name(id)));
	}
	return r;
}

/* Returns 0 or -errno; root is filled as far as that went. */
static int describe(struct vfk_device *dev, json_object *root)
{
	uint32_t flags = vfk_device_flags(dev);
	int r;

	json_object_object_add(root, "uri", json_object_new_string(vfk_device_name(dev)));
	json_object_object_add(root, "type", json_object_new_string(name_of_type(flags)));
	json_object_object_add(root, "flags", names_of_flags(DEVICE_FLAGS, flags));
	r = add_each(dev, root, "regions", vfk_device_num_regions(dev), add_region);
	if (r == 0)
		r = add_each(dev, root, "irqs", vfk_device_num_irqs(dev), add_irq);
	if (r == 0 && (flags & VFIO_DEVICE_FLAGS_PCI))
		r = add_pci(dev, root);
	return r < 0 ? r : add_features(dev, root);
}

/* ---- for people ---- */

static const char *text_of(json_object *object, const char *key)
{
	return json_object_get_string(json_object_object_get(object, key));
}

static uint64_t int_of(json_object *object, const char *key)
{
	return json_object_get_uint64(json_object_object_get(object, key));
}

static void print_words(json_object *array)
{
	for (size_t i = 0; i < json_object_array_length(array); i++)
		printf(" %s", json_object_get_string(json_object_array_get_idx(array, i)));
	putchar('\n');
}

static void print_pci(json_object *pci)
{
	/* The numbers stand without 0x in a PCI id, as everywhere else. */
	printf("  pci     %s:%s subsystem %s:%s class %s revision %s\n", text_of(pci, "vendor") + 2,
	       text_of(pci, "device") + 2, text_of(pci, "subvendor") + 2,
	       text_of(pci, "subdevice") + 2, text_of(pci, "class") + 2,
	       text_of(pci, "revision") + 2);
}

static void print_region(json_object *region)
{
	json_object *areas = json_object_object_get(region, "sparse");

	if (int_of(region, "size") == 0)
		return;
	printf("  region  %2" PRIu64 " %-8s %10" PRIu64 " bytes ", int_of(region, "index"),
	       text_of(region, "name"), int_of(region, "size"));
	print_words(json_object_object_get(region, "flags"));
	for (size_t i = 0; i < json_object_array_length(areas); i++) {
		json_object *area = json_object_array_get_idx(areas, i);

		printf("            mmap 0x%" PRIx64 " +0x%" PRIx64 "\n", int_of(area, "offset"),
		       int_of(area, "size"));
	}
}

static void print_irq(json_object *irq)
{
	if (int_of(irq, "count") == 0)
		return;
	printf("  irq     %2" PRIu64 " %-8s %10" PRIu64 " vector%s", int_of(irq, "index"),
	       text_of(irq, "name"), int_of(irq, "count"), int_of(irq, "count") == 1 ? " " : "s");
	print_words(json_object_object_get(irq, "flags"));
}

static void print_each(json_object *array, void (*print)(json_object *entry))
{
	for (size_t i = 0; i < json_object_array_length(array); i++)
		print(json_object_array_get_idx(array, i));
}

static void print_text(json_object *root)
{
	json_object *pci = json_object_object_get(root, "pci");

	printf("%s\n  type    %s\n  flags  ", text_of(root, "uri"), text_of(root, "type"));
	print_words(json_object_object_get(root, "flags"));
	if (pci)
		print_pci(pci);
	print_each(json_object_object_get(root, "regions"), print_region);
	print_each(json_object_object_get(root, "irqs"), print_irq);
	printf("  features");
	print_words(json_object_object_get(root, "features"));
}

int cmd_info(int argc, char **argv)
{
	struct vfk_device *dev;
	json_object *root;
	struct args args;
	int r;

	args_init(&args, argc, argv, help, NULL, ARGS_DEVICE | ARGS_JSON);
	if (args_next(&args) < 0 || !args_words(&args, 1, 1))
		return args.status;
	if (opening_open(&args, args.words[0], 0, &dev) != STATUS_OK)
		return STATUS_FAILED;

	root = json_object_new_object();
	r = describe(dev, root);
	if (r < 0)
		r = fail(args.words[0], r);
	else if (args.json)
		output_json(json_object_get(root));
	else
		print_text(root);
	json_object_put(root);
	vfk_device_close(dev);
	return r;
}
