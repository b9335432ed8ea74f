/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open.h - opening a chain of ios: filters before a backend, or before an io of the program's own.
 *
 * Threads: each function alone on its io.
 */
#ifndef VFKI_IO_OPEN_H
#define VFKI_IO_OPEN_H

#include <vfiokit/io.h>

struct vfk_kernel_opts;
struct vfk_model_ops;

#define VFKI_MAX_FILTERS	16
#define VFKI_DEFAULT_TIMEOUT_MS 5000
#define VFKI_MAX_TIMEOUT_MS	3600000

/*
 * Fills @full with @opts (NULL: all defaults) as the library sees them: members that the program did not know are
 * defaults, timeout_ms is never 0. Returns 0; -EINVAL; -ERANGE.
 */
int vfki_open_opts(const struct vfk_open_opts *opts, struct vfk_open_opts *full);

/*
 * Opens what @uri names, and puts the filters of @opts before it. Returns 0 with the outermost io, to be closed with
 * vfki_io_close(io, NULL); on failure nothing is left behind, and the text names the device.
 */
int vfki_io_open(const char *uri, const struct vfk_open_opts *opts, struct vfk_io **io);

/* The same for a model of the program's own; @params is "key=value,..." or NULL. */
int vfki_io_open_model(const struct vfk_model_ops *ops, const char *params,
		       const struct vfk_open_opts *opts, struct vfk_io **io);

/*
 * The same for a device of the kernel's, named by @kernel; @share, or NULL, is the backend of @kernel->share, which
 * -EINVAL says that it is none of the kernel's.
 */
int vfki_io_open_kernel(const struct vfk_kernel_opts *kernel, struct vfk_io *share,
			const struct vfk_open_opts *opts, struct vfk_io **io);

/*
 * Calls the open op of @own, which is the program's, if it has one, and puts the filters of @opts before it. Returns 0
 * with the outermost io, to be closed with vfki_io_close(io, own); on failure @own is as it was before.
 */
int vfki_io_wrap(struct vfk_io *own, const struct vfk_open_opts *opts, struct vfk_io **io);

/* Undoes vfki_io_wrap() for a device that could not be opened: @own is as it was before. */
void vfki_io_unwrap(struct vfk_io *io, struct vfk_io *own);

/* Closes a chain, the outermost first, and frees its instances, but not @own, which is the program's (or NULL). */
void vfki_io_close(struct vfk_io *io, const struct vfk_io *own);

#endif
