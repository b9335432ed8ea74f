/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mappings_node.h - a node of a table of mappings, for the files that make up the table, and for who finds memory by IOVA
 * so often that cache lines count.
 *
 * A leaf's entries are mappings, sorted by their last address; those of other nodes are nodes, by the last address below
 * each. So one search serves both. What a search looks at fills four cache lines, which are fetched all at once; beside
 * each other are then the things that a finder asks of a mapping, so that the mapping itself, one of tens of thousands
 * that lie anywhere, stays where it is: in memory.
 */
#ifndef VFKI_IO_MAPPINGS_NODE_H
#define VFKI_IO_MAPPINGS_NODE_H

#include "mappings.h"
#include <stdbool.h>

#define VFKI_CACHE_LINE 64
#define VFKI_NODE_SLOTS 30

/* A mapping as its leaf knows it: as it was when it was inserted. */
struct vfki_mapping_brief {
	uint64_t first;
	char *vaddr;   /* NULL: none */
	uintptr_t tag; /* the mapping; in the bits that its alignment leaves, prot */
};

struct vfki_mapping_node {
	struct vfki_mapping_node
		*next;	/* in a list of an edit or a change; nobody who reads looks at it */
	uint16_t count; /* > 0 */
	uint8_t level;	/* 0: leaf */
	bool fresh;	/* made by the edit that is under way */
	bool dead;	/* and thrown away by it again */
	uint64_t last[VFKI_NODE_SLOTS];
	union {
		struct vfki_mapping_brief brief[VFKI_NODE_SLOTS]; /* of a leaf */
		struct vfki_mapping_node *child[VFKI_NODE_SLOTS]; /* of the others */
	};
};

_Static_assert(offsetof(struct vfki_mapping_node, brief) <= 4 * VFKI_CACHE_LINE,
	       "vfki_node_fetch() fetches what is searched");
_Static_assert(VFKI_NODE_SLOTS < VFKI_CACHE_LINE, "a spot has room for the index");
_Static_assert((VFK_DMA_READ | VFK_DMA_WRITE) < _Alignof(struct vfki_mapping),
	       "a tag has room for prot");

/* Begins to bring what a search looks at into the cache. */
static inline void vfki_node_fetch(const struct vfki_mapping_node *n)
{
	for (unsigned int line = 0; line < 4; line++)
		__builtin_prefetch((const char *)n + (size_t)line * VFKI_CACHE_LINE);
}

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

static inline struct vfki_mapping *vfki_brief_mapping(const struct vfki_mapping_brief *b)
{
	return (struct vfki_mapping *)(b->tag & ~(uintptr_t)(VFK_DMA_READ | VFK_DMA_WRITE));
}

static inline uint32_t vfki_brief_prot(const struct vfki_mapping_brief *b)
{
	return b->tag & (VFK_DMA_READ | VFK_DMA_WRITE);
}

/* ---- a place in a leaf, in one word, so that it can be remembered atomically; as long-lived as its node ---- */

typedef uintptr_t vfki_spot_t; /* 0: none */

static inline const struct vfki_mapping_node *vfki_spot_node(vfki_spot_t spot)
{
	return (const struct vfki_mapping_node *)(spot & ~(uintptr_t)(VFKI_CACHE_LINE - 1));
}

static inline uint64_t vfki_spot_last(vfki_spot_t spot)
{
	return vfki_spot_node(spot)->last[spot % VFKI_CACHE_LINE];
}

static inline const struct vfki_mapping_brief *vfki_spot_brief(vfki_spot_t spot)
{
	return &vfki_spot_node(spot)->brief[spot % VFKI_CACHE_LINE];
}

static inline bool vfki_spot_holds(vfki_spot_t spot, uint64_t iova)
{
	return iova <= vfki_spot_last(spot) && iova >= vfki_spot_brief(spot)->first;
}

/* Where the first mapping is that ends at or above @iova, or 0; touches no mapping. */
vfki_spot_t vfki_mappings_spot(const struct vfki_mappings *t, uint64_t iova);

#endif
