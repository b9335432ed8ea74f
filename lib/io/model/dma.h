/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma.h - a model's view of memory: the sink of its dma space, and access by IOVA.
 *
 * The table of mappings never changes under its readers: a map or unmap makes a new one, which shares most nodes with
 * the old one, and replaces the pointer. Access finds its mapping inside the grace period (grace.h), without a lock. A
 * transfer stays inside for as long as it copies; a reference that the model keeps is in a slot instead, with its
 * mapping's name, or counted on its mapping when there is no slot, so that it holds up nobody else's unmap.
 *
 * To take and to put a reference touches no mapping: with tens of thousands of them each is in memory when its turn
 * comes, and not in a cache. What must be known of it is in the table's leaf.
 *
 * Threads: the sink's ops one at a time (the space serialises them); access from any number of threads.
 */
#ifndef VFKI_MODEL_DMA_H
#define VFKI_MODEL_DMA_H

#include "grace.h"
#include "lib/base/guard.h"
#include "lib/io/mappings_node.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/dma.h>

struct vfk_model;
struct vfki_dirty;

struct vfki_dma_entry {
	struct vfki_mapping m;		  /* first: a table's pointers are pointers to entries */
	struct vfki_guarded mem;	  /* our mapping of a file that came without an address */
	_Atomic uint64_t refs;		  /* taken by the model, which found no slot */
	struct vfki_dirty *_Atomic dirty; /* NULL: not recorded */
};

struct vfki_dma_table {
	struct vfki_garbage garbage; /* first */
	struct vfki_mappings t;	     /* never changes once others see it */
	_Atomic vfki_spot_t last;    /* hit last, of this table */
	/* Nodes that go with it, since the next table has others in their place; NULL while it is the newest. */
	struct vfki_mapping_node *nodes;
};

struct vfki_dma {
	struct vfki_dma_table *_Atomic table; /* never NULL between init and fini */
	struct vfki_grace grace;
	_Atomic bool bus_master;
	struct vfk_guard *guard;     /* the opener's; NULL */
	_Atomic uint64_t dirty_page; /* page size of the record; 0: nothing is recorded */
	uint64_t dirty_pages;	     /* of all records, but those that are given up */
	struct vfki_dirty *unmapped; /* records of mappings that are gone, not yet reported */
	uint32_t num_unmapped;
	bool dirty_lost; /* too many of those: everything counts as dirty */
};

extern const struct vfk_dma_ops vfki_model_dma_ops;

/* Returns 0 or -ENOMEM. */
int vfki_dma_init(struct vfk_model *m);

/* Tells the model that its mappings go, and takes them away; what it still holds references to lives until fini. */
void vfki_dma_unmap_all(struct vfk_model *m);

/* Frees everything; no reference is put after this. */
void vfki_dma_fini(struct vfk_model *m);

#endif
