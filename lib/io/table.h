/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.h - the table of bundled backends and filters.
 *
 * Threads: any; constant data.
 */
#ifndef VFKI_IO_TABLE_H
#define VFKI_IO_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/io.h>

struct vfk_kernel_opts;
struct vfk_model_ops;

/* NULL, with a text that lists those that there are. */
const struct vfk_io_ops *vfki_io_find_backend(const char *scheme);
const struct vfk_io_ops *vfki_io_find_filter(const char *name);

/* Whether @ops is one of the table: then its failures have a text. */
bool vfki_io_is_bundled(const struct vfk_io_ops *ops);

/*
 * Whether all that @ops, which is one of the table, answers to a read or write inside @region is a failure with a text or
 * the whole length: then the door has nothing to check behind it.
 */
bool vfki_io_is_whole(const struct vfk_io_ops *ops, uint32_t region);

/* The backend for models, and how an instance of it, not yet open, is given the model of a program. */
const struct vfk_io_ops *vfki_io_model_backend(void);
void vfki_io_set_model(struct vfk_io *io, const struct vfk_model_ops *ops);

/* The same for kernel devices; @share, or NULL, is an open instance of that backend. Borrowed until it is open. */
const struct vfk_io_ops *vfki_io_kernel_backend(void);
void vfki_io_set_kernel(struct vfk_io *io, const struct vfk_kernel_opts *opts,
			struct vfk_io *share);

#endif
