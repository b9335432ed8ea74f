/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lspci.h - a device's config space, shown by the real lspci.
 */
#ifndef LSPCI_H
#define LSPCI_H

#include <vfiokit/device.h>

/*
 * Runs lspci on a copy of the config space, with num further arguments, and waits for it. Returns
 * STATUS_OK, or prints the failure and returns STATUS_FAILED.
 */
int lspci_show(struct vfk_device *dev, char *const *arguments, int num);

#endif
