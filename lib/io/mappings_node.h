/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mappings_node.h - a node of a table of mappings, for the files that make up the table.
 *
 * A leaf's entries are mappings, sorted by their last address; those of other nodes are nodes, by the last address below
 * each. So one search serves both. A node fills a few cache lines with what a search looks at, and nothing else.
 */
#ifndef VFKI_IO_MAPPINGS_NODE_H
#define VFKI_IO_MAPPINGS_NODE_H

#include "mappings.h"
#include <stdbool.h>

#define VFKI_NODE_SLOTS 64

struct vfki_mapping_node {
	struct vfki_mapping_node
		*next;	    /* in a list of an edit or a change; nobody who reads looks at it */
	unsigned int count; /* > 0 */
	unsigned int level; /* 0: leaf */
	bool fresh;	    /* made by the edit that is under way */
	bool dead;	    /* and thrown away by it again */
	uint64_t last[VFKI_NODE_SLOTS];
	void *to[VFKI_NODE_SLOTS]; /* struct vfki_mapping, or struct vfki_mapping_node */
};

/* The first entry that ends at or above @iova; count if there is none. No branch that is hard to foretell. */
static inline unsigned int vfki_node_lower(const struct vfki_mapping_node *n, uint64_t iova)
{
	unsigned int at = 0, left = n->count;

	while (left > 1) {
		unsigned int half = left / 2;

		at = n->last[at + half - 1] < iova ? at + half : at;
		left -= half;
	}
	return at + (left && n->last[at] < iova);
}

#endif
