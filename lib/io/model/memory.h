/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.h - memory of a model's region that users may map.
 *
 * The model gives a file; the toolkit keeps a duplicate to hand out, and a mapping of its own, from which it answers
 * accesses by message: they see the same as those through a user's mapping.
 *
 * Threads: declared before any other thread sees the model, constant afterwards; accesses under the model's lock.
 */
#ifndef VFKI_MODEL_MEMORY_H
#define VFKI_MODEL_MEMORY_H

#include "lib/base/guard.h"
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/io.h>

struct vfk_model;

#define VFKI_MEMORY_AREAS VFK_REGION_MAX_FDS

struct vfki_memory {
	int fd;		    /* -1: none; owned */
	uint64_t fd_offset; /* where the region begins in it */
	uint32_t num_areas; /* 0 with fd: all of it can be mapped */
	struct vfio_region_sparse_mmap_area areas[VFKI_MEMORY_AREAS];
	struct vfki_guarded map; /* our own, of all of the region */
};

/* What a model said of it; everything is borrowed. */
struct vfki_memory_decl {
	const char *region; /* for texts: "BAR", "region" */
	unsigned int index;
	uint64_t length; /* of the region */
	int fd;
	uint64_t fd_offset;
	const struct vfk_region_area *areas; /* NULL: all */
	uint32_t num_areas;
};

/* Nothing there; nothing to undo. */
void vfki_memory_init(struct vfki_memory *mem);
void vfki_memory_fini(struct vfki_memory *mem);

/* Takes what was declared, with an fd. Returns 0 or -errno with a text; *@mem is then as after init. */
int vfki_memory_take(const struct vfk_model *m, const struct vfki_memory_decl *decl,
		     struct vfki_memory *mem);

/* Whether any of @len bytes at @off can be mapped by users. */
bool vfki_memory_mappable(const struct vfki_memory *mem, uint64_t off, uint64_t len);

/* An access, inside the region. */
void vfki_memory_read(const struct vfki_memory *mem, uint64_t off, void *buf, size_t len);
void vfki_memory_write(const struct vfki_memory *mem, uint64_t off, const void *buf, size_t len);

#endif
