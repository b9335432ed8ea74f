/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iommu_kind.h - the inside of an iommu, and what each kind of it does its own way.
 *
 *	iommu.c		the table of mappings, counted for the devices that share it; the sink vector
 *	iommu_dirty.c	which pages were written
 *	iommu_refusal.c	why the kernel refused a mapping, and what to do
 *	type1.c		a container of type1 or type1v2
 *	ioas.c		an IOAS, and its page tables that tell written pages
 *	noiommu.c	physical addresses, from the IOAS or from pagemap
 *
 * Threads: under the iommu's lock, but for what is constant.
 */
#ifndef VFKI_IO_KERNEL_IOMMU_KIND_H
#define VFKI_IO_KERNEL_IOMMU_KIND_H

#include "lib/base/guard.h"
#include "lib/io/kernel/iommu.h"
#include "lib/io/mappings.h"
#include <pthread.h>
#include <stdatomic.h>

/* Devices that share one iommu: a bit each in a word. */
#define VFKI_IOMMU_DEVICES 64

/* One mapping. The space's table has one as well; this one knows what the kernel was told. */
struct vfki_iommu_entry {
	struct vfki_mapping m;	 /* first; fd is kept only where there is no address */
	struct vfki_guarded mem; /* a file that came alone, where the kernel takes addresses only */
	uint64_t users;		 /* a bit for each device that mapped it */
	struct vfk_dma_addr addr; /* what its devices are told */
	uint64_t *dirty;	  /* a bit a granule, not yet reported; NULL: not recorded */
};

/* Written pages of a mapping that is gone. */
struct vfki_iommu_gone {
	struct vfki_iommu_gone *next;
	uint64_t first, last; /* as of its mapping */
	uint64_t dirty[];
};

struct vfki_iommu_kind;

struct vfki_iommu {
	const struct vfki_iommu_kind *kind; /* constant, as are fd and ioas */
	atomic_uint count;
	int fd;		      /* container or iommufd; -1: none */
	uint32_t ioas;	      /* id; 0: none */
	pthread_mutex_t lock; /* all below */
	struct vfki_mappings maps;
	uint64_t devices;	/* a bit for each handle */
	uint64_t dirty_users;	/* of those, who records */
	uint64_t dirty_granule; /* bytes for each bit, while anybody records */
	struct vfki_iommu_gone *gone;
	size_t num_gone;
	bool dirty_lost; /* of so many mappings that are gone that all counts as written */
	uint32_t hwpts[VFKI_IOMMU_DEVICES]; /* ids of page tables that tell written pages */
	size_t num_hwpts;
	uint64_t tracking; /* a bit for each hwpt: those that record */
};

/*
 * A kind of iommu. Ops return 0 or -errno; @dma is who asks, for its name in texts. Those of written pages may be NULL:
 * there is no telling.
 */
struct vfki_iommu_kind {
	/* Sets e->addr; e->users is empty. Failure: with a text, nothing changed. */
	int (*map)(struct vfki_iommu *i, const struct vfki_kernel_dma *dma,
		   struct vfki_iommu_entry *e);

	/* Success: the kernel has let go. With e->dirty set the last written pages are put there. */
	int (*unmap)(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e);

	/* The address for a part of a mapping; NULL: the IOVA. */
	int (*address)(struct vfki_iommu *i, const char *name, const struct vfki_iommu_entry *e,
		       uint64_t iova, uint64_t length, struct vfk_dma_addr *addr);

	int (*limits)(struct vfki_iommu *i, const char *name, struct vfk_dma_limits *limits);

	/* Attaches and detaches a device; NULL: there is nothing to do. */
	int (*attach)(struct vfki_iommu *i, struct vfki_kernel_dma *dma);
	void (*detach)(struct vfki_iommu *i, struct vfki_kernel_dma *dma);

	/* Begins to record for one more device, and sets the granule. */
	int (*dirty_start)(struct vfki_iommu *i, const struct vfki_kernel_dma *dma);
	/* Ends it for all. */
	void (*dirty_stop)(struct vfki_iommu *i);
	/* Ors what was written since the last call into e->dirty. */
	int (*dirty_fetch)(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e);

	/* Before the file is closed; every mapping is gone. NULL: nothing to do. */
	void (*destroy)(struct vfki_iommu *i);
};

/* iommu.c: @fd is duplicated; -1 is none. */
int vfki_iommu_create(const char *name, const struct vfki_iommu_kind *kind, int fd,
		      struct vfki_iommu **iommu);

/* Frees one that nobody else has, without telling the kernel. */
void vfki_iommu_forget(struct vfki_iommu *iommu);

/* One ioctl on the iommu's file: 0, or -errno without a text; ENOTTY as ENOTSUP. */
int vfki_iommu_ioctl(const struct vfki_iommu *i, unsigned long request, void *arg);

/* Gives a mapping that came as a file alone an address. 0; -errno with a text. */
int vfki_iommu_map_file(const char *name, struct vfki_iommu_entry *e);

static inline uint64_t vfki_iommu_entry_length(const struct vfki_iommu_entry *e)
{
	return vfki_mapping_length(&e->m);
}

/* iommu_refusal.c: makes of the kernel's -errno for a map what <vfiokit/dma.h> says, with a text; returns it. */
int vfki_iommu_refusal(struct vfki_iommu *i, const char *name, const struct vfki_iommu_entry *e,
		       int err);

/* How much memory the process may lock, and has locked, for a text; "" when that is not known. */
void vfki_iommu_memlock(char *text, size_t size);

/* iommu_dirty.c: the bits of an entry, when somebody records; 0 or -ENOMEM with a text. */
int vfki_iommu_dirty_mapped(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e);
/* Keeps the bits of an entry that is about to be freed. */
void vfki_iommu_dirty_unmapped(struct vfki_iommu *i, struct vfki_iommu_entry *e);
/* Counts all of an entry as written. */
void vfki_iommu_dirty_all(const struct vfki_iommu *i, struct vfki_iommu_entry *e);
/* Words of a bitmap with a bit a granule. */
size_t vfki_iommu_dirty_words(const struct vfki_iommu *i, const struct vfki_iommu_entry *e);
/* The device does not record any more; with the last the kernel stops, and what was recorded is forgotten. */
void vfki_iommu_dirty_leave(struct vfki_iommu *i, uint64_t device);
int vfki_iommu_dirty_start(struct vfk_io *io, uint64_t page_size);
int vfki_iommu_dirty_stop(struct vfk_io *io);
int vfki_iommu_dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			    uint64_t *bitmap);

/* Pure; for tests as well: moves the bits of [first, last] from @bits, of a mapping at @base, into @bitmap of pages from @first. */
void vfki_iommu_dirty_move(uint64_t *bits, uint64_t base, uint64_t base_last, uint64_t granule,
			   uint64_t first, uint64_t last, uint64_t page, uint64_t *bitmap);

#endif
