/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mappings.h - a table of DMA mappings, sorted and disjoint.
 *
 * The dma space keeps such a table, and so does every sink that must find memory by IOVA: a model, the client that
 * answers a server's DMA requests, the server itself. A table holds pointers: an owner that needs more than struct
 * vfki_mapping embeds it in a structure of its own, and a mapping's address stays the same while it is in the table.
 *
 * It is a B+ tree: a client may have 65535 mappings, and a change must cost it alone, not all of them. A change is made
 * in place, or in a copy of the few nodes that it touches, so that who reads the old table goes on undisturbed.
 *
 * Threads: a table has no lock, its owner has one. A table that is changed by copies only may be read at any time.
 */
#ifndef VFKI_IO_MAPPINGS_H
#define VFKI_IO_MAPPINGS_H

#include "mapping.h"
#include <stddef.h>
#include <stdint.h>

struct vfki_mapping_node;

/* Zero-initialised it is empty. */
struct vfki_mappings {
	struct vfki_mapping_node *root; /* NULL: empty */
	size_t count;
};

/* Frees the table, not what it points to. */
void vfki_mappings_fini(struct vfki_mappings *t);

/* ---- finding ---- */

/* The mapping that contains @iova, or NULL. */
struct vfki_mapping *vfki_mappings_find(const struct vfki_mappings *t, uint64_t iova);

/* The mapping of exactly this range, or NULL. */
struct vfki_mapping *vfki_mappings_exact(const struct vfki_mappings *t, uint64_t iova,
					 uint64_t length);

/* The first mapping that ends at or above @iova, or NULL. */
struct vfki_mapping *vfki_mappings_from(const struct vfki_mappings *t, uint64_t iova);

/* The mapping behind @m, which need not be in the table any more; NULL if there is none. */
struct vfki_mapping *vfki_mappings_after(const struct vfki_mappings *t,
					 const struct vfki_mapping *m);

/* Deeper than any table that fits into memory: a node other than the root has at least 7 children. */
#define VFKI_MAPPINGS_DEPTH 16

/* A walk in the order of addresses, over a table that does not change meanwhile. */
struct vfki_mappings_walk {
	struct {
		const struct vfki_mapping_node *node;
		unsigned int at;
	} level[VFKI_MAPPINGS_DEPTH]; /* 0: leaf */
	unsigned int depth;
};

/* The first mapping that ends at or above @iova, and those behind it, one by one; NULL past the last. */
struct vfki_mapping *vfki_mappings_begin(const struct vfki_mappings *t, uint64_t iova,
					 struct vfki_mappings_walk *walk);
struct vfki_mapping *vfki_mappings_next(struct vfki_mappings_walk *walk);

/* ---- changing in place ---- */

/* Returns 0; -EEXIST with a text when it overlaps one that is there; -ENOMEM. */
int vfki_mappings_insert(struct vfki_mappings *t, struct vfki_mapping *m);

/* A mapping that is not in the table is left alone. Its owner frees it. Never fails. */
void vfki_mappings_remove(struct vfki_mappings *t, const struct vfki_mapping *m);

/* ---- changing by copies ---- */

/* Nodes that are in one of two tables only, the one before a change and the one after it. */
struct vfki_mappings_change {
	struct vfki_mapping_node *before; /* free them when nobody reads the old table any more ... */
	struct vfki_mapping_node *after; /* ... or these, and the change was not made */
};

/*
 * @new becomes what @old is, with @m or without it; the two share all nodes but those of @change. Returns as the functions
 * above, and nothing is changed on failure; -ENOMEM also for a removal, -ENOENT @m is not there.
 */
int vfki_mappings_with(const struct vfki_mappings *old, struct vfki_mapping *m,
		       struct vfki_mappings *new, struct vfki_mappings_change *change);
int vfki_mappings_without(const struct vfki_mappings *old, const struct vfki_mapping *m,
			  struct vfki_mappings *new, struct vfki_mappings_change *change);

/* Frees the nodes of one side of a change; NULL is allowed. */
void vfki_mappings_free_nodes(struct vfki_mapping_node *nodes);

/* ---- access ---- */

/* Whether the whole range is mapped with all of @prot, by one mapping or by adjacent ones: 0 or -EFAULT with a text. */
int vfki_mappings_check(const struct vfki_mappings *t, uint64_t iova, size_t len, uint32_t prot);

/*
 * VFK_DMA_READ: memory into @buf; VFK_DMA_WRITE: @buf into memory. Checks first, as vfki_mappings_check(): -EFAULT
 * means that nothing was moved. Then as vfki_mapping_read() and _write(). @len of 0 is success.
 */
int vfki_mappings_access(const struct vfki_mappings *t, uint64_t iova, void *buf, size_t len,
			 uint32_t prot);

#endif
