/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.h - the client's memory: what DMA_MAP made, and where it is in this process.
 *
 * Each mapping of the client is one of the server's dma space, which passes it to the device. The table here knows
 * beside it what must be given back when it goes.
 *
 * Threads: the server's.
 */
#ifndef VFKI_SERVER_WINDOW_H
#define VFKI_SERVER_WINDOW_H

#include "lib/base/guard.h"
#include "lib/io/mappings.h"
#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/dma.h>

/* One of the client's mappings. */
struct vfki_window {
	struct vfki_mapping
		range; /* only its range is used; first, so that the table's pointers are windows */
	struct vfki_guarded memory; /* addr NULL: reached by its file, or by messages */
};

struct vfki_windows {
	struct vfki_mappings table; /* of struct vfki_window */
	struct vfk_guard *guard;    /* NULL: none */
};

/*
 * Maps @m, whose vaddr is NULL, in @space. With @address, its file is mapped into this process first, and m->vaddr set.
 * Returns 0; -EEXIST; -EINVAL: the file is too short or no regular file, or what the space says; -EACCES: it was not opened
 * for what prot says; -ENOMEM; what the space says.
 */
int vfki_windows_map(struct vfki_windows *w, struct vfk_dma_space *space, struct vfk_dma_mapping *m,
		     bool address);

/* Whether no mapping reaches over either end of the range: 0 or -EINVAL. */
int vfki_windows_check(const struct vfki_windows *w, uint64_t first, uint64_t last);

/*
 * Takes back what lies inside the range and is not in use. Returns 0 when all of it is gone; -EBUSY when some is in use;
 * what the device says that refuses for another reason. What did not go is as it was. Never waits.
 */
int vfki_windows_unmap(struct vfki_windows *w, struct vfk_dma_space *space, uint64_t first,
		       uint64_t last);

/* Whether the client has cut off a file under a mapping. */
bool vfki_windows_hit(const struct vfki_windows *w);

/* The table's own memory; it is empty. */
void vfki_windows_fini(struct vfki_windows *w);

#endif
