/* SPDX-License-Identifier: BSD-3-Clause */
/* io.h - an io of the program's own: a platform device, for the cases that a PCI model cannot serve. */
#ifndef OWN_IO_H
#define OWN_IO_H

#include <vfiokit/device.h>

/* Opens the device on an io of its own, which lives as long as the process. */
int own_io_open(const struct vfk_open_opts *opts, struct vfk_device **dev);

#endif
