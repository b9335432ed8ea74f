/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping.h - one DMA mapping, and a sorted table of them.
 *
 * The dma space keeps such a table, and so does every sink that must find memory by IOVA: a model, and the client that
 * answers a server's DMA requests. A table holds pointers: an owner that needs more than struct vfki_mapping embeds
 * it in a structure of its own, and a mapping's address stays the same while it is in the table.
 *
 * Threads: a table has no lock, its owner has one. vfki_mapping_read() and _write() may run at once on one mapping.
 */
#ifndef VFKI_IO_MAPPING_H
#define VFKI_IO_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/dma.h>

/* One mapping. At least one of vaddr, fd and callbacks is there; callbacks never together with the others. */
struct vfki_mapping {
	uint64_t first;	    /* IOVA */
	uint64_t last;	    /* >= first, so that one which ends at 2^64 needs no care */
	uint64_t fd_offset; /* fd_offset + length fits off_t */
	void *vaddr;	    /* NULL: none; borrowed from whoever mapped */
	const struct vfk_dma_callbacks *callbacks; /* NULL: none; borrowed likewise */
	void *ctx;				   /* for the callbacks */
	uint32_t prot;				   /* VFK_DMA_READ, VFK_DMA_WRITE or both */
	int fd;					   /* -1: none; a close-on-exec duplicate, owned */
};

/*
 * Fills @m from @src, whose fd is duplicated; vfki_mapping_fini() undoes it.
 * Returns 0; -EINVAL with a text: size, length, prot, no memory or contradicting memory, a wrap, a regular file that is
 * shorter than the mapping; -EMFILE, -EBADF. Alignment is the dma space's business.
 */
int vfki_mapping_init(struct vfki_mapping *m, const struct vfk_dma_mapping *src);

/* Closes the duplicate. The structure itself is its owner's. */
void vfki_mapping_fini(struct vfki_mapping *m);

/* The public form of @m, for a sink's map; borrows everything from @m. */
void vfki_mapping_export(const struct vfki_mapping *m, struct vfk_dma_mapping *dst);

/* Bytes; a mapping of the whole address space does not occur: 2^64 is refused by init, as its length is a u64. */
static inline uint64_t vfki_mapping_length(const struct vfki_mapping *m)
{
	return m->last - m->first + 1;
}

/*
 * Copies between @buf and the memory at @iova, by address, else by callbacks, else by file. The range lies inside the
 * mapping; prot is not looked at. Returns 0; -EIO when a file ends early; what a callback returned; -errno of the file.
 */
int vfki_mapping_read(const struct vfki_mapping *m, uint64_t iova, void *buf, size_t len);
int vfki_mapping_write(const struct vfki_mapping *m, uint64_t iova, const void *buf, size_t len);

/* A table of mappings, sorted and disjoint. Zero-initialised it is empty. */
struct vfki_mappings {
	struct vfki_mapping **at; /* sorted by first; none overlaps another */
	size_t count;
	size_t room; /* of at */
};

/* Frees the table, not what it points to: empty it first. */
void vfki_mappings_fini(struct vfki_mappings *t);

/* Makes room for one more, so that the next insert cannot fail for want of memory. Returns 0 or -ENOMEM. */
int vfki_mappings_reserve(struct vfki_mappings *t);

/* Returns 0; -EEXIST with a text when it overlaps one that is there; -ENOMEM. */
int vfki_mappings_insert(struct vfki_mappings *t, struct vfki_mapping *m);

/* @m is in the table. Its owner frees it. Never fails. */
void vfki_mappings_remove(struct vfki_mappings *t, const struct vfki_mapping *m);

/* The mapping that contains @iova, or NULL. */
struct vfki_mapping *vfki_mappings_find(const struct vfki_mappings *t, uint64_t iova);

/* The mapping of exactly this range, or NULL. */
struct vfki_mapping *vfki_mappings_exact(const struct vfki_mappings *t, uint64_t iova,
					 uint64_t length);

/*
 * Index of the first mapping that ends at or above @iova; count if there is none. A walk over a range begins here and
 * goes on while at[i]->first <= the range's last.
 */
size_t vfki_mappings_lower(const struct vfki_mappings *t, uint64_t iova);

/* Whether the whole range is mapped with all of @prot, by one mapping or by adjacent ones: 0 or -EFAULT with a text. */
int vfki_mappings_check(const struct vfki_mappings *t, uint64_t iova, size_t len, uint32_t prot);

/*
 * VFK_DMA_READ: memory into @buf; VFK_DMA_WRITE: @buf into memory. Checks first, as vfki_mappings_check(): -EFAULT
 * means that nothing was moved. Then as vfki_mapping_read() and _write(). @len of 0 is success.
 */
int vfki_mappings_access(const struct vfki_mappings *t, uint64_t iova, void *buf, size_t len,
			 uint32_t prot);

#endif
