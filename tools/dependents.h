/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dependents.h - the devices that a hot reset resets.
 */
#ifndef DEPENDENTS_H
#define DEPENDENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <vfiokit/pci.h>

/* Lists them, a line each or as JSON. Returns STATUS_OK, or prints the failure and returns STATUS_FAILED. */
int dependents_show(const char *uri, struct vfk_pci *pci, struct vfk_pci *const *others,
		    size_t num_others, bool json);

#endif
