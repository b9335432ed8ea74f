/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.h - what filters are made of.
 *
 * A filter stands before a next io, and its vectors are all alike: every op packs its arguments into a struct vfki_call
 * and hands it to the one function that the filter is, its around. That looks at the call, and passes it on with
 * vfki_filter_pass(), or does not. So a filter sees both vectors whole, one that concerns itself with a few ops says
 * nothing of the others, and an optional op that the next io lacks stays lacking: the checked call says -ENOTSUP.
 *
 * What would pass a filter by is hidden: the kernel's files and ioeventfds always, mappings (no MMAP flag, no sparse
 * areas, no files) and doorbells (region_io_fds) unless the filter is opened with the option mmap=pass.
 *
 * Threads: as the vector's; the struct is constant once open returned.
 */
#ifndef VFKI_IO_FILTER_FILTER_H
#define VFKI_IO_FILTER_FILTER_H

#include "call.h"
#include "lib/io/checked.h"
#include <stdbool.h>
#include <vfiokit/io.h>

/* Returns what the op is to return. */
typedef ssize_t vfki_filter_around(struct vfk_io *io, struct vfki_call *call);

struct vfki_filter {
	struct vfk_io io;	  /* first, as in every io */
	struct vfki_checked next; /* the door to io.next */
	vfki_filter_around *around;
	bool mmap_pass; /* accesses through mappings may pass by */
};

/*
 * For a filter's open: reads the option mmap, opens the door to the next io, and takes the sink vector if the next io has
 * one. vfki_filter_close() undoes it.
 */
int vfki_filter_init(struct vfki_filter *f, const struct vfk_uri *uri, vfki_filter_around *around);

static inline struct vfki_filter *vfki_filter(struct vfk_io *io)
{
	return (struct vfki_filter *)io;
}

/* Makes the call on the next io, through the checked calls, and hides mappings in what it answers. */
ssize_t vfki_filter_pass(struct vfk_io *io, const struct vfki_call *call);

/* Returns after @ns, whatever signals come. */
void vfki_filter_sleep(uint64_t ns);

/* The vector's ops, for VFKI_FILTER_OPS below; close is for filters without anything of their own to close. */
void vfki_filter_close(struct vfk_io *io);
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
int vfki_filter_hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info);
int vfki_filter_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset);
int vfki_filter_precopy_info(struct vfk_io *io, struct vfk_precopy_info *info);
int vfki_filter_region_io_fds(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds,
			      size_t max, size_t *count);
int vfki_filter_set_lost(struct vfk_io *io, void (*lost)(void *ctx, uint64_t epoch), void *ctx);
int vfki_filter_reconnect(struct vfk_io *io, enum vfk_reconnect step);

/* All members of a filter's vector but name, help, instance_size, open and close. */
#define VFKI_FILTER_OPS                                                                           \
	.size = sizeof(struct vfk_io_ops), .get_device_info = vfki_filter_get_device_info,        \
	.get_region_info = vfki_filter_get_region_info, .get_irq_info = vfki_filter_get_irq_info, \
	.set_irqs = vfki_filter_set_irqs, .region_read = vfki_filter_region_read,                 \
	.region_write = vfki_filter_region_write, .device_feature = vfki_filter_device_feature,   \
	.reset = vfki_filter_reset, .write_multi = vfki_filter_write_multi,                       \
	.flush = vfki_filter_flush, .mig_read = vfki_filter_mig_read,                             \
	.mig_write = vfki_filter_mig_write, .poll_fd = vfki_filter_poll_fd,                       \
	.dispatch = vfki_filter_dispatch, .hot_reset_info = vfki_filter_hot_reset_info,           \
	.hot_reset = vfki_filter_hot_reset, .precopy_info = vfki_filter_precopy_info,             \
	.region_io_fds = vfki_filter_region_io_fds, .set_lost = vfki_filter_set_lost,             \
	.reconnect = vfki_filter_reconnect

#endif
