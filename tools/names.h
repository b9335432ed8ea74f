/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names.h - what the numbers of VFIO are called: the kernel's names, in lower case.
 */
#ifndef NAMES_H
#define NAMES_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#define NAME_SIZE 24

/* "pci", "platform", "ccw", "ap" and so on, from VFIO_DEVICE_FLAGS_*; "unknown" if none. */
const char *name_of_type(uint32_t device_flags);

/* "bar0", or "region12" where the index has no name of its own; text is filled and returned. */
const char *name_of_region(uint32_t device_flags, uint32_t index, char text[NAME_SIZE]);

/* "msi", or "irq7"; text is filled and returned. */
const char *name_of_irq(uint32_t device_flags, uint32_t index, char text[NAME_SIZE]);

/* The index of a PCI region's or interrupt's name; false if there is no such name. */
bool name_to_region(const char *name, uint32_t *index);
bool name_to_irq(const char *name, uint32_t *index);

enum flag_kind {
	DEVICE_FLAGS,
	REGION_FLAGS,
	IRQ_FLAGS,
};

/* An array of the flags' names, owned by the caller; a bit without a name is "bit7". */
json_object *names_of_flags(enum flag_kind kind, uint32_t flags);

/* The same to stdout, a space before each. */
void print_flags(enum flag_kind kind, uint32_t flags);

#endif
