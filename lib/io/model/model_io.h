/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model_io.h - the backend "model": a device written in software, in this process.
 *
 * Threads: as every io, see <vfiokit/io.h>.
 */
#ifndef VFKI_MODEL_IO_H
#define VFKI_MODEL_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/io.h>
#include <vfiokit/model.h>

extern const struct vfk_io_ops vfki_model_io_ops;

/* Whether what a model answers for @region is looked at here: a BAR's access moves all, or fails with a text. */
bool vfki_model_io_is_whole(uint32_t region);

/*
 * Makes an instance of this backend, before its open, one of the caller's own model instead of a bundled one: open then
 * does not look at the URI's target. @ops is borrowed and outlives the io.
 */
void vfki_model_io_set_ops(struct vfk_io *io, const struct vfk_model_ops *ops);

#endif
