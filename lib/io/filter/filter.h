/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.h - what filters are made of.
 *
 * A filter implements the vectors over a next io. Its instance begins with struct vfki_filter; for each op it has
 * either a function of its own, which calls the next io through the checked calls, or the one from here that passes the
 * call on. So a filter sees both vectors whole, and an optional op that the next io lacks stays lacking: the checked call
 * says -ENOTSUP.
 *
 * Mapped accesses would pass a filter by. So mappings are hidden (no MMAP flag, no sparse areas, no files), unless the
 * filter is opened with the option mmap=pass.
 *
 * Threads: as the vector's; the struct is constant once open returned.
 */
#ifndef VFKI_IO_FILTER_FILTER_H
#define VFKI_IO_FILTER_FILTER_H

#include "lib/io/checked.h"
#include <stdbool.h>
#include <vfiokit/io.h>

struct vfki_filter {
	struct vfk_io io;	  /* first, as in every io */
	struct vfki_checked next; /* the door to io.next */
	bool mmap_pass;		  /* accesses through mappings may pass by */
};

/*
 * For a filter's open: reads the option mmap, opens the door to the next io, and takes @dma for its sink vector if the
 * next io has one. vfki_filter_fini() undoes it, in close.
 */
int vfki_filter_init(struct vfki_filter *f, const struct vfk_uri *uri,
		     const struct vfk_dma_ops *dma);
void vfki_filter_fini(struct vfki_filter *f);

static inline struct vfki_filter *vfki_filter(struct vfk_io *io)
{
	return (struct vfki_filter *)io;
}

static inline struct vfki_checked *vfki_filter_next(struct vfk_io *io)
{
	return &vfki_filter(io)->next;
}

/* The ops that pass the call on, under the vectors' names. get_region_info hides mappings. */
int vfki_filter_get_device_info(struct vfk_io *io, struct vfio_device_info *info);
int vfki_filter_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
				struct vfk_region_fds *fds);
int vfki_filter_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info);
int vfki_filter_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set);
ssize_t vfki_filter_region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
				size_t len);
ssize_t vfki_filter_region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
				 size_t len, unsigned int flags);
int vfki_filter_device_feature(struct vfk_io *io, struct vfio_device_feature *feature);
int vfki_filter_reset(struct vfk_io *io);
int vfki_filter_write_multi(struct vfk_io *io, const struct vfk_region_write *writes, size_t count);
int vfki_filter_flush(struct vfk_io *io);
ssize_t vfki_filter_mig_read(struct vfk_io *io, void *buf, size_t len);
ssize_t vfki_filter_mig_write(struct vfk_io *io, const void *buf, size_t len);
int vfki_filter_poll_fd(struct vfk_io *io);
int vfki_filter_dispatch(struct vfk_io *io);

int vfki_filter_map(struct vfk_io *io, const struct vfk_dma_mapping *m, struct vfk_dma_addr *addr);
int vfki_filter_unmap(struct vfk_io *io, uint64_t iova, uint64_t length, uint32_t timeout_ms);
int vfki_filter_limits(struct vfk_io *io, struct vfk_dma_limits *limits);
int vfki_filter_dirty_start(struct vfk_io *io, uint64_t page_size);
int vfki_filter_dirty_stop(struct vfk_io *io);
int vfki_filter_dirty_report(struct vfk_io *io, uint64_t iova, uint64_t length, uint64_t page_size,
			     uint64_t *bitmap);
int vfki_filter_address(struct vfk_io *io, uint64_t iova, uint64_t length,
			struct vfk_dma_addr *addr);

#endif
