/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region.h - the regions of a model that are neither BAR nor config space: expansion ROM, VGA, and those of its own.
 *
 * The toolkit answers from the data or memory that the model declared; where it declared none, the model does.
 *
 * Threads: declared before any other thread sees the model, constant afterwards; accesses from any.
 */
#ifndef VFKI_MODEL_REGION_H
#define VFKI_MODEL_REGION_H

#include "memory.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vfk_model;

#define VFKI_REGIONS 16 /* of a model's own, behind those of vfio-pci */

struct vfki_rom {
	uint64_t length; /* of the BAR; 0: there is none */
	uint32_t flags;	 /* VFK_ROM_* */
	uint8_t *data;	 /* NULL: the model answers; owned */
	size_t len;
};

struct vfki_own_region {
	uint64_t length;
	uint32_t flags; /* VFIO_REGION_INFO_FLAG_READ, _WRITE */
	uint32_t type;
	uint32_t subtype;
	struct vfki_memory memory;
};

struct vfki_model_regions {
	struct vfki_rom rom;
	bool vga;
	uint32_t count; /* of own */
	struct vfki_own_region own[VFKI_REGIONS];
};

void vfki_model_regions_fini(struct vfk_model *m);

/* Of a region that is not a BAR, but config space, too; as get_region_info of the vector. */
int vfki_model_region_info(struct vfk_model *m, struct vfio_region_info *info,
			   struct vfk_region_fds *fds);

/* What an info says in capabilities. */
struct vfki_model_region_caps {
	const struct vfki_memory *memory; /* NULL: none can be mapped */
	bool msix_mappable;
	bool typed;
	uint32_t type;
	uint32_t subtype;
};

/* Completes an info that has its size and permissions: what can be mapped, capabilities, files. */
int vfki_model_region_answer(const struct vfk_model *m, struct vfio_region_info *info,
			     struct vfk_region_fds *fds, const struct vfki_model_region_caps *caps);

/* The vector's accesses to regions that are neither, with the lock not held. */
ssize_t vfki_model_region_read(struct vfk_model *m, uint32_t region, uint64_t off, void *buf,
			       size_t len);
ssize_t vfki_model_region_write(struct vfk_model *m, uint32_t region, uint64_t off, const void *buf,
				size_t len);

/* rom.c: with the lock held; the range is inside. Returns as the op of the vector. */
ssize_t vfki_rom_read(struct vfk_model *m, uint64_t off, void *buf, size_t len);
void vfki_rom_fini(struct vfk_model *m);

/* The model's own answer, and what is wrong with it. With the lock held. */
ssize_t vfki_model_region_ask(struct vfk_model *m, uint32_t region, uint64_t off, void *buf,
			      size_t len);

#endif
