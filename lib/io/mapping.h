/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping.h - one DMA mapping. A table of them is mappings.h.
 *
 * Threads: vfki_mapping_read() and _write() may run at once on one mapping.
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

#endif
