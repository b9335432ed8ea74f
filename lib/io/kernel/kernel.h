/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel.h - the backend "kernel": a device of the kernel's VFIO, by its group and container or its cdev and iommufd.
 *
 * Threads: as every io, see <vfiokit/io.h>; an op is one system call, and nothing is kept that it would have to lock,
 * but the migration stream.
 */
#ifndef VFKI_IO_KERNEL_KERNEL_H
#define VFKI_IO_KERNEL_KERNEL_H

#include <vfiokit/io.h>

struct vfk_kernel_opts;

extern const struct vfk_io_ops vfki_kernel_io_ops;

/*
 * For an instance that is not open yet: what its URI says is not looked at, @opts is. @share, or NULL, is the io of
 * @opts->share. Both are borrowed until open returns.
 */
void vfki_kernel_set_opts(struct vfk_io *io, const struct vfk_kernel_opts *opts,
			  struct vfk_io *share);

#endif
