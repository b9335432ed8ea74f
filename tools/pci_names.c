/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_names.c - what PCI devices are called, by udev's hardware database.
 *
 * The database is opened for each question: it is a mapped file, and few are asked.
 */
#include "pci_names.h"

#ifdef WITH_UDEV

#include <libudev.h>
#include <stdio.h>
#include <string.h>

static const char *value_of(struct udev_list_entry *list, const char *key)
{
	struct udev_list_entry *entry = udev_list_entry_get_by_name(list, key);

	return entry ? udev_list_entry_get_value(entry) : NULL;
}

bool pci_name(const char *modalias, char text[PCI_NAME_SIZE])
{
	struct udev *udev = udev_new();
	struct udev_hwdb *hwdb = udev ? udev_hwdb_new(udev) : NULL;
	struct udev_list_entry *list =
		hwdb ? udev_hwdb_get_properties_list_entry(hwdb, modalias, 0) : NULL;
	const char *vendor = value_of(list, "ID_VENDOR_FROM_DATABASE");
	const char *model = value_of(list, "ID_MODEL_FROM_DATABASE");

	snprintf(text, PCI_NAME_SIZE, "%s%s%s", vendor ? vendor : "", vendor && model ? " " : "",
		 model ? model : "");
	udev_hwdb_unref(hwdb);
	udev_unref(udev);
	return text[0];
}

#else

bool pci_name(const char *modalias, char text[PCI_NAME_SIZE])
{
	(void)modalias;
	text[0] = '\0';
	return false;
}

#endif
