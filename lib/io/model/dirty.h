/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirty.h - which pages a model wrote, one bit a page.
 *
 * Each mapping has its own record while recording is on. One whose mapping goes with bits set is kept until it has
 * been reported: the pages were written, whoever maps them next.
 *
 * Threads: marking from any, inside the dma table's grace period; the rest in the sink's ops, one at a time.
 */
#ifndef VFKI_MODEL_DIRTY_H
#define VFKI_MODEL_DIRTY_H

#include "grace.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct vfk_io;
struct vfki_dma;
struct vfki_dma_entry;
struct vfki_mappings;

struct vfki_dirty {
	struct vfki_garbage garbage; /* first; its next also links the list of unmapped ones */
	uint64_t first_page;	     /* IOVA of the first bit, in pages */
	uint64_t last_page;
	unsigned int shift;	/* log2 of the page size */
	_Atomic uint64_t count; /* bits that are set */
	_Atomic uint64_t bits[];
};

/*
 * A clean record for @e, in @d's page size; NULL when nothing is recorded or (*ret = -ENOMEM) there is no memory, or it
 * would be more pages than a device has records for.
 */
struct vfki_dirty *vfki_dirty_create(struct vfki_dma *d, const struct vfki_dma_entry *e, int *ret);

/* Frees one that nobody marks in; NULL is allowed. */
void vfki_dirty_free(struct vfki_dma *d, struct vfki_dirty *record);

/* Marks [iova, iova + len) in those mappings of @t that are recorded. */
void vfki_dirty_mark(const struct vfki_mappings *t, uint64_t iova, size_t len);
void vfki_dirty_mark_entry(struct vfki_dma_entry *e, uint64_t iova, uint64_t len);

/* @e goes, nobody marks in it any more: keeps what it has to report. */
void vfki_dirty_unmapped(struct vfki_dma *d, struct vfki_dma_entry *e);

/* The sink's ops. */
int vfki_dirty_start(struct vfk_io *io, uint64_t page_size);
int vfki_dirty_stop(struct vfk_io *io);
int vfki_dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
		      uint64_t *bitmap);

/* Frees the records of mappings that are gone. */
void vfki_dirty_forget(struct vfki_dma *d);

#endif
