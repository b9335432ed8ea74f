/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dma.h - DMA: the sink vector, and the dma space that stands before the sinks.
 *
 * A dma space is the library's table of mappings: which memory of the program a device reaches at which IOVA. Devices
 * are attached to it; each brings a sink that does the work (a model's own table, a vfio-user connection, a kernel
 * IOAS). A map is made in all sinks or in none; an attach replays the table into the new sink.
 *
 * Threads. All vfk_dma_* functions may be called from any thread; one space serialises its changes with a lock that is
 * held across the sinks' ops. A mapping's callbacks must not call functions of the same space or device.
 */
#ifndef VFK_DMA_H
#define VFK_DMA_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/api.h>

VFK_BEGIN

struct vfk_io;
struct vfk_dma_space;

/** the device may read the memory */
#define VFK_DMA_READ  (1u << 0)
/** the device may write the memory */
#define VFK_DMA_WRITE (1u << 1)

/**
 * struct vfk_dma_callbacks - memory that is reached by calls instead of an address
 *
 * @iova and @len lie inside the mapping, which permits the direction. Return 0 or -errno, all or nothing. May be called
 * from any thread, several at once; must not block for long, and not call back into the device or space.
 */
struct vfk_dma_callbacks {
	size_t size; /* sizeof(struct vfk_dma_callbacks) */
	int (*read)(void *ctx, uint64_t iova, void *buf, size_t len);
	int (*write)(void *ctx, uint64_t iova, const void *buf, size_t len);
};

/**
 * struct vfk_dma_mapping - one mapping
 *
 * The memory is given by @vaddr, by @fd and @fd_offset, by both (the same memory: the best, since then each sink takes
 * what it needs), or by @callbacks alone. A model and a kernel reach @vaddr; another process reaches only @fd, and asks
 * by messages for what has none. A kernel device refuses callbacks with -ENOTSUP.
 */
struct vfk_dma_mapping {
	size_t size;	    /* sizeof(struct vfk_dma_mapping) */
	uint64_t iova;	    /* aligned to the space's page size, as is length */
	uint64_t length;    /* > 0; iova + length may be 2^64, not wrap */
	uint32_t prot;	    /* VFK_DMA_READ, VFK_DMA_WRITE or both */
	int fd;		    /* -1: none; borrowed for the call, kept as a duplicate */
	uint64_t fd_offset; /* page-aligned */
	void *vaddr;	    /* NULL: none; borrowed until unmapped */
	const struct vfk_dma_callbacks *callbacks; /* NULL: none; borrowed until unmapped */
	void *ctx;				   /* for the callbacks */
};

/**
 * struct vfk_dma_addr - what to write into the device's registers
 *
 * The IOVA everywhere but without an IOMMU, where it is the physical address and only @contiguous bytes follow it.
 */
struct vfk_dma_addr {
	uint64_t addr;
	uint64_t contiguous;
};

/** an inclusive range of IOVAs */
struct vfk_iova_range {
	uint64_t first;
	uint64_t last;
};

#define VFK_DMA_MAX_RANGES 64

/** without an IOMMU: devices see physical addresses, an IOVA is only a name for the memory and cannot be chosen */
#define VFK_DMA_PHYSICAL   (1u << 0)
/** only huge pages (hugetlbfs, memfds with MFD_HUGETLB) can be mapped, since the kernel moves others */
#define VFK_DMA_HUGE_PAGES (1u << 1)

/** struct vfk_dma_limits - what a sink, or all sinks of a space together, can map */
struct vfk_dma_limits {
	size_t size;	     /* sizeof(struct vfk_dma_limits), set by the caller */
	uint64_t pgsizes;    /* bitmap of page sizes; the lowest bit is the granule */
	uint64_t max_maps;   /* mappings at a time */
	uint32_t num_ranges; /* 0: not known (a vfio-user peer cannot tell); try, and try elsewhere */
	uint32_t flags;	     /* VFK_DMA_PHYSICAL, VFK_DMA_HUGE_PAGES */
	struct vfk_iova_range ranges[VFK_DMA_MAX_RANGES]; /* sorted, disjoint */
};

/**
 * struct vfk_dma_ops - the sink vector; one for each kind of io, called with the io
 *
 * The space has checked alignment, overlap and limits; it calls no two ops of one sink at once. map, unmap and limits
 * are mandatory; the dirty_ members may be NULL, which reads as -ENOTSUP, and so may address and unmap_all.
 */
struct vfk_dma_ops {
	size_t size; /* sizeof(struct vfk_dma_ops) of the implementation */

	/**
	 * map - make the device reach the memory
	 *
	 * Before: no mapping overlaps. @m is borrowed; its fd is duplicated if kept.
	 * After: success: @addr is set. Failure: nothing changed.
	 * Errors: -EEXIST overlap all the same; -ERANGE outside what this device can reach; -ENOTSUP this kind of
	 * memory; -ENOSPC too many mappings; -EINVAL the file is shorter than the mapping; transport errors.
	 */
	int (*map)(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr);

	/**
	 * unmap - take one mapping back
	 *
	 * Before: @iova and @length are exactly those of an earlier map.
	 * After: success: the device cannot reach the memory any more, nobody uses it. Failure: the mapping is intact.
	 * @timeout_ms bounds the wait for users (a model's transfer) to let go; 0 tries once.
	 * Errors: -EBUSY users did not let go in time; -ENOENT, -ENODEV and the transport errors (-ENOTCONN,
	 * -ECONNRESET, -EPROTO, -ETIMEDOUT) say that the device does not reach the memory any more; any other, that it
	 * still may.
	 */
	int (*unmap)(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms);

	/** limits - what can be mapped; limits->size is set; constant while the io is open */
	int (*limits)(struct vfk_io *io, struct vfk_dma_limits *limits);

	/** dirty_start - begin to record which pages the device writes; @page_size is a power of two */
	int (*dirty_start)(struct vfk_io *io, uint64_t page_size);

	/** dirty_stop - end recording, forget what was recorded */
	int (*dirty_stop)(struct vfk_io *io);

	/**
	 * dirty_report - or the pages written since the last report into @bitmap, and clear them
	 *
	 * Bit n is the page at iova + n * page_size; @bitmap has at least the bits of @length, 64-bit words in host
	 * order, and may hold bits already.
	 */
	int (*dirty_report)(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			    uint64_t *bitmap);

	/**
	 * address - what the device must be given for a part of a mapping
	 *
	 * Before: the range lies inside one mapping. After: @addr is set as by map; contiguous is at most @length.
	 * NULL: the device is given IOVAs.
	 */
	int (*address)(struct vfk_io *io, uint64_t iova, uint64_t length,
		       struct vfk_dma_addr *addr);

	/**
	 * unmap_all - take all mappings back, where that is one step; the device is detached or closed
	 *
	 * After: success: as if each had been unmapped. Failure, whatever it is: each is unmapped after it, and one that
	 * is gone by then is success there, or -ENOENT. NULL, or -ENOTSUP: there is no such step.
	 * @timeout_ms as in unmap. The transport errors say that the device reaches none of them any more.
	 */
	int (*unmap_all)(struct vfk_io *io, uint32_t timeout_ms);
};

/**
 * vfk_dma_space_create - make an empty space
 * @space: set to the new space, owned by the caller
 *
 * Returns 0; -ENOMEM.
 */
VFK_API int vfk_dma_space_create(struct vfk_dma_space **space);

/**
 * vfk_dma_space_destroy - unmap everything, and free the space
 * @space: NULL is allowed; no device may be attached any more (vfk_device_detach_dma(), vfk_device_close())
 *
 * Returns 0; -EBUSY when a device is attached, and the space lives on.
 */
VFK_API int vfk_dma_space_destroy(struct vfk_dma_space *space);

/**
 * vfk_dma_map - make memory reachable for all attached devices, and those attached later
 * @space: the space
 * @mapping: what to map where; borrowed for the call (see the members for what is kept)
 * @addr: set to the address that the device must be given; may be NULL
 *
 * Returns 0; -EINVAL not aligned, empty, wrapping, no memory given, a file too short; -EEXIST overlaps a mapping;
 * -ERANGE outside the usable ranges of an attached device; -ENOSPC more than max_maps; -ENOTSUP a sink cannot map this
 * kind of memory, or there is no IOMMU, so that an IOVA cannot be chosen (VFK_DMA_PHYSICAL: take vfk_dma_map_any());
 * -ENOMEM also when the limit on locked memory does not permit it; a transport error. After a failure no sink has the
 * mapping, but for -EBUSY: one device refused it and another, which uses it already, does not let go; it stays, and
 * vfk_dma_unmap() takes it back.
 */
VFK_API int vfk_dma_map(struct vfk_dma_space *space, const struct vfk_dma_mapping *mapping,
			struct vfk_dma_addr *addr);

/**
 * vfk_dma_map_any - as vfk_dma_map(), at an IOVA that the library chooses
 * @space: the space
 * @mapping: its iova is not looked at
 * @iova: set to the IOVA, by which the mapping is unmapped
 * @addr: set to the address that the device must be given, and how much follows it there
 *
 * The way to map memory of one's own for a device without an IOMMU: there @addr is physical, and for what lies beyond
 * its contiguous bytes vfk_dma_address() must be asked. The IOVA is chosen as by vfk_dma_alloc().
 *
 * Returns as vfk_dma_map(); -ENOSPC no IOVA is free; -ERANGE also when the memory lies at physical addresses that the
 * device cannot reach.
 */
VFK_API int vfk_dma_map_any(struct vfk_dma_space *space, const struct vfk_dma_mapping *mapping,
			    uint64_t *iova, struct vfk_dma_addr *addr);

/**
 * vfk_dma_address - what the device must be given for a part of a mapping
 * @space: the space
 * @iova: where the part begins
 * @length: > 0; the part lies inside one mapping
 * @addr: set to the address, and to how many of @length bytes follow it there
 *
 * The IOVA itself, but without an IOMMU. Returns 0; -ENOENT not mapped, or not by one mapping; -EINVAL.
 */
VFK_API int vfk_dma_address(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
			    struct vfk_dma_addr *addr);

/**
 * vfk_dma_unmap - take back exactly one mapping
 * @space: the space
 * @iova: its IOVA
 * @length: its length
 *
 * Waits, within the space's bound (1 second unless set), until no model uses the memory.
 *
 * Returns 0; -ENOENT no mapping begins there; -EINVAL one does, of another length, or the range lies inside one;
 * -EBUSY users did not let go; any other -errno of a device that is there and refused. After a failure the mapping is
 * intact in every sink, but in one that had let go and does not take it back, which the text names. A device that is gone
 * (-ENOTCONN and the like) refuses nothing.
 */
VFK_API int vfk_dma_unmap(struct vfk_dma_space *space, uint64_t iova, uint64_t length);

/**
 * vfk_dma_unmap_range - take back all mappings that lie wholly inside a range
 * @space: the space
 * @iova: first address
 * @length: of the range; iova + length may be 2^64
 * @unmapped: set to the number of bytes unmapped, also when a failure came after some; may be NULL
 *
 * No mapping inside is success. Returns 0; -EINVAL when a mapping straddles either end (then nothing was unmapped), or
 * the range wraps or is empty; -EBUSY as vfk_dma_unmap(): those before it are unmapped.
 */
VFK_API int vfk_dma_unmap_range(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
				uint64_t *unmapped);

/** vfk_dma_unmap_all - take back all mappings; as vfk_dma_unmap_range() over everything */
VFK_API int vfk_dma_unmap_all(struct vfk_dma_space *space, uint64_t *unmapped);

/**
 * vfk_dma_set_timeout - how long an unmap waits for a model's transfers
 * @timeout_ms: 0: try once and return -EBUSY; at most 3600000
 *
 * Returns 0; -ERANGE.
 */
VFK_API int vfk_dma_set_timeout(struct vfk_dma_space *space, uint32_t timeout_ms);

/**
 * vfk_dma_get_limits - what can be mapped, all attached devices together
 * @limits: size is set by the caller
 *
 * num_ranges is 0 when no attached device can tell. Returns 0; -EINVAL.
 */
VFK_API int vfk_dma_get_limits(struct vfk_dma_space *space, struct vfk_dma_limits *limits);

/**
 * vfk_dma_access - read or write mapped memory by IOVA, as a device would
 * @space: the space
 * @iova: address
 * @buf: the data
 * @len: bytes; may span adjacent mappings
 * @prot: VFK_DMA_READ: from memory into @buf; VFK_DMA_WRITE: from @buf into memory
 *
 * For a program that stands in for a device. Returns 0; -EFAULT when part of it is not mapped or not permitted (nothing
 * was moved); -EINVAL; what a callback returned.
 */
VFK_API int vfk_dma_access(struct vfk_dma_space *space, uint64_t iova, void *buf, size_t len,
			   uint32_t prot);

/** struct vfk_dma_buffer - memory from vfk_dma_alloc() */
struct vfk_dma_buffer {
	size_t size;		 /* sizeof(struct vfk_dma_buffer), set by the caller */
	void *vaddr;		 /* zeroed, readable and writable */
	uint64_t length;	 /* as asked, rounded up to the page size; the file may be longer */
	uint64_t iova;		 /* where it is mapped */
	struct vfk_dma_addr dev; /* what to give to the device */
	int fd; /* its memfd: sealed against shrinking and growing; owned by the buffer */
};

/**
 * vfk_dma_alloc - allocate memory that every backend can share, and map it at an IOVA that every device can reach
 * @space: the space
 * @length: bytes, > 0; rounded up to the page size
 * @prot: VFK_DMA_READ, VFK_DMA_WRITE or both
 * @buffer: size is set by the caller; the rest is filled; give it back with vfk_dma_free()
 *
 * The IOVA lies in the usable ranges of all attached devices and under their DMA masks (vfk_device_set_dma_mask()); where
 * a device cannot tell its ranges and refuses one, another is tried, a bounded number of times.
 *
 * Without an IOMMU the memory is one of huge pages where there are any, so that it is contiguous; where it must be
 * (VFK_DMA_HUGE_PAGES) and none is free, -ENOMEM. Then it is the physical addresses that lie under the masks.
 *
 * Returns 0; -EINVAL; -ENOSPC no IOVA is free, or no memory under the masks; -ENOMEM; -EMFILE; else as vfk_dma_map().
 */
VFK_API int vfk_dma_alloc(struct vfk_dma_space *space, uint64_t length, uint32_t prot,
			  struct vfk_dma_buffer *buffer);

/**
 * vfk_dma_free - unmap and free what vfk_dma_alloc() gave
 * @buffer: unchanged on failure, zeroed with fd -1 on success
 *
 * Returns 0; -EBUSY as vfk_dma_unmap(): the buffer is intact.
 */
VFK_API int vfk_dma_free(struct vfk_dma_space *space, struct vfk_dma_buffer *buffer);

/**
 * vfk_dma_dirty_start - begin to record which pages the attached devices write
 * @page_size: a power of two, at least 4096
 *
 * Returns 0; -ENOTSUP when an attached device cannot, and none records then; -EINVAL; -EALREADY.
 */
VFK_API int vfk_dma_dirty_start(struct vfk_dma_space *space, uint64_t page_size);

/**
 * vfk_dma_dirty_stop - end recording
 *
 * Returns 0; -EINVAL when it was not started; the -errno of the first device that failed to stop, and recording has ended all
 * the same.
 */
VFK_API int vfk_dma_dirty_stop(struct vfk_dma_space *space);

/**
 * vfk_dma_dirty_report - the pages written since the last report
 * @iova: first address, aligned to the page size
 * @length: bytes, a multiple of the page size
 * @bitmap: one bit a page, 64-bit words in host order; overwritten
 * @words: its length
 *
 * Returns 0; -EINVAL not started, not aligned, or too few @words; the -errno of a device that failed: the bitmap then has
 * all bits set, since nothing may be missed.
 */
VFK_API int vfk_dma_dirty_report(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
				 uint64_t *bitmap, size_t words);

VFK_END

#endif
