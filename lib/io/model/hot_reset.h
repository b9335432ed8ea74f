/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hot_reset.h - hot reset of a model: which functions share its slot, and whose they are.
 *
 * Threads: declared before any other thread sees the model, constant afterwards; the ops from any.
 */
#ifndef VFKI_MODEL_HOT_RESET_H
#define VFKI_MODEL_HOT_RESET_H

#include <stdint.h>
#include <vfiokit/io.h>
#include <vfiokit/model.h>

#define VFKI_FUNCTIONS 8 /* of a slot: PCI 3.0, section 6.2.1 (Header Type) */

struct vfki_slot {
	uint32_t count; /* of functions; 0: no hot reset */
	struct vfk_model_function functions[VFKI_FUNCTIONS];
};

/* The ops of the vector. */
int vfki_model_hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info);
int vfki_model_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset);

#endif
