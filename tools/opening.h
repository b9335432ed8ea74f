/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * opening.h - opening the device of a subcommand, guarded against a peer that shrinks its files.
 */
#ifndef OPENING_H
#define OPENING_H

#include <vfiokit/device.h>

#include "args.h"

/*
 * The guard that all devices and servers of the tool share, and its SIGBUS handler, made by the first
 * call; NULL when there is no memory for it.
 */
struct vfk_guard *opening_guard(void);

/*
 * Opens uri with the options of args and VFK_OPEN_ flags. Returns STATUS_OK, or prints the failure and
 * returns STATUS_FAILED. dev is the caller's to close.
 */
int opening_open(struct args *args, const char *uri, uint32_t flags, struct vfk_device **dev);

/*
 * The same for a further device, which shares container or iommufd with first where both are the kernel's and no filter
 * stands before them: a group can be opened once only.
 */
int opening_share(struct args *args, const char *uri, struct vfk_device *first,
		  struct vfk_device **dev);

#endif
