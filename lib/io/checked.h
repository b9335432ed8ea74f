/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checked.h - the one door to an io: nobody calls an op of the vectors but through here.
 *
 * Before an op: index, range, flags, sizes and permissions are checked, and an op that is missing is -ENOTSUP. After it:
 * what the op promises in <vfiokit/io.h> and <vfiokit/dma.h>; an io that breaks a promise gets -EPROTO in its name, and
 * nothing above ever sees a count or an index that it would have to check. Every failure has a text that begins with
 * the io's name.
 *
 * Whoever owns an io (the device, a filter its next) has a struct vfki_checked for it, which remembers what an io must
 * answer alike every time.
 *
 * Threads: any number at once, but init and fini alone. An access to a region whose info is known takes no lock.
 */
#ifndef VFKI_IO_CHECKED_H
#define VFKI_IO_CHECKED_H

#include "lib/base/error.h"
#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/dma.h>
#include <vfiokit/io.h>

/* More than the largest device that is known to exist has (s390 CCW: 4, AP: 0; PCI with vendor regions: below 100). */
#define VFKI_MAX_INDEXES 512
/* MSI-X has 2048 (PCI 3.0 section 6.8.2). */
#define VFKI_MAX_VECTORS 65536
/* Largest info structure that is taken from an io, its capability chain included. */
#define VFKI_MAX_INFO	 (1024 * 1024)
#define VFKI_MAX_WRITES	 4096

/* A member of a vector, NULL when it lies beyond what the vector's author knew. */
#define VFKI_OP(ops, member)                                                           \
	((ops)->size >= offsetof(__typeof__(*(ops)), member) + sizeof((ops)->member) ? \
		 (ops)->member :                                                       \
		 NULL)

/* What an access to a region is checked against. */
struct vfki_region_limit {
	atomic_uint flags; /* VFIO_REGION_INFO_FLAG_*; VFKI_LIMIT_KNOWN once size is valid */
	uint64_t size;	   /* written once, before KNOWN; at most INT64_MAX */
	/* The size where it is known, the access permitted, and vfki_io_is_whole(); else 0. */
	_Atomic uint64_t whole_read, whole_write;
};

/* The same for an interrupt. */
struct vfki_irq_limit {
	atomic_uint flags; /* VFIO_IRQ_INFO_*, VFKI_LIMIT_KNOWN */
	uint32_t count;	   /* at most VFKI_MAX_VECTORS */
};

#define VFKI_LIMIT_KNOWN (1u << 31)

struct vfki_checked {
	struct vfk_io *io; /* borrowed */
	ssize_t (*region_read)(struct vfk_io *, uint32_t, uint64_t, void *, size_t);
	ssize_t (*region_write)(struct vfk_io *, uint32_t, uint64_t, const void *, size_t,
				unsigned int);
	uint32_t usual_regions; /* num_regions, or 0 when foreign */
	uint32_t num_regions;
	uint32_t num_irqs;
	bool foreign; /* not of the library's table: its ops may fail without a text */
	struct vfki_region_limit *regions;
	struct vfki_irq_limit *irqs;
	struct vfio_device_info info; /* without its chain; argsz is the room that all of it needs */
	pthread_mutex_t lock;	      /* recording a limit, which happens once an index */
};

/* checked.c: asks for the device info. Returns 0; -EINVAL the vector is incomplete; -EPROTO; -ENOMEM; the op's. */
int vfki_checked_init(struct vfki_checked *c, struct vfk_io *io);
void vfki_checked_fini(struct vfki_checked *c);

/* Whether the vectors have all that is mandatory: 0 or -EINVAL with a text that names what is missing. */
int vfki_io_check_ops(const struct vfk_io_ops *ops, const char *name);
int vfki_io_check_dma(const struct vfk_dma_ops *dma, const char *name);

/*
 * The ops, in the vector's order; parameters and results are the op's, checked. What a function adds is said with it.
 * info->argsz is the capacity of @info, whose bytes behind its fixed part are zero. When it fits, the chain is sound.
 */
int vfki_checked_get_device_info(struct vfki_checked *c, struct vfio_device_info *info);
int vfki_checked_get_region_info(struct vfki_checked *c, struct vfio_region_info *info,
				 struct vfk_region_fds *fds);
/* Asks each time; vfki_checked_irq_limit() does once. */
int vfki_checked_get_irq_info(struct vfki_checked *c, struct vfio_irq_info *info);
int vfki_checked_device_feature(struct vfki_checked *c, struct vfio_device_feature *feature);
int vfki_checked_reset(struct vfki_checked *c);
ssize_t vfki_checked_mig_read(struct vfki_checked *c, void *buf, size_t len);
ssize_t vfki_checked_mig_write(struct vfki_checked *c, const void *buf, size_t len);
int vfki_checked_precopy_info(struct vfki_checked *c, struct vfk_precopy_info *info);
int vfki_checked_set_lost(struct vfki_checked *c, void (*lost)(void *ctx, uint64_t epoch),
			  void *ctx);
int vfki_checked_reconnect(struct vfki_checked *c, enum vfk_reconnect step);
int vfki_checked_poll_fd(struct vfki_checked *c);
int vfki_checked_dispatch(struct vfki_checked *c);

/* checked_kernel.c: what only a kernel device has */
int vfki_checked_hot_reset_info(struct vfki_checked *c, struct vfio_pci_hot_reset_info *info);
int vfki_checked_hot_reset(struct vfki_checked *c, const struct vfio_pci_hot_reset *reset);
int vfki_checked_ioeventfd(struct vfki_checked *c, uint32_t region, uint64_t off,
			   unsigned int width, uint64_t value, int fd);
int vfki_checked_kernel_fds(struct vfki_checked *c, struct vfk_kernel_fds *fds);

/* checked_irqs.c: what Linux's vfio_set_irqs_validate_and_prepare() refuses is -EINVAL. */
int vfki_checked_set_irqs(struct vfki_checked *c, const struct vfio_irq_set *set);

/*
 * Whether an access lies inside @whole, which is whole_read or whole_write of its region: then the op may be called with
 * nothing to be looked at before or behind it. A length of 0 wraps, and does not.
 */
static inline bool vfki_checked_is_whole(const _Atomic uint64_t *whole, uint64_t off, size_t len)
{
	uint64_t size = atomic_load_explicit(whole, memory_order_relaxed);

	return off < size && len - 1 < size - off;
}

/* checked_access.c: @len of 0 is 0; what reaches beyond the region's end is cut there. */
ssize_t vfki_checked_region_read(struct vfki_checked *c, uint32_t region, uint64_t off, void *buf,
				 size_t len);
ssize_t vfki_checked_region_write(struct vfki_checked *c, uint32_t region, uint64_t off,
				  const void *buf, size_t len, unsigned int flags);
/* Falls back to single writes; a write in the list that is not permitted is refused before any is done. */
int vfki_checked_write_multi(struct vfki_checked *c, const struct vfk_region_write *writes,
			     size_t count);
/* 0 where there is no flush: nothing was posted then. */
int vfki_checked_flush(struct vfki_checked *c);

/* checked_dma.c: -ENOTSUP when the io takes no mappings. */
int vfki_checked_dma_map(struct vfki_checked *c, const struct vfk_dma_mapping *m,
			 struct vfk_dma_addr *addr);
int vfki_checked_dma_unmap(struct vfki_checked *c, uint64_t iova, uint64_t length,
			   uint32_t timeout_ms);
/* -ENOTSUP where anything in the chain has no op for it. */
int vfki_checked_dma_unmap_all(struct vfki_checked *c, uint32_t timeout_ms);
int vfki_checked_dma_limits(struct vfki_checked *c, struct vfk_dma_limits *limits);
/* Where there is no op for it, the IOVA. */
int vfki_checked_dma_address(struct vfki_checked *c, uint64_t iova, uint64_t length,
			     struct vfk_dma_addr *addr);
int vfki_checked_dirty_start(struct vfki_checked *c, uint64_t page_size);
int vfki_checked_dirty_stop(struct vfki_checked *c);
int vfki_checked_dirty_report(struct vfki_checked *c, uint64_t iova, uint64_t length,
			      uint64_t page_size, uint64_t *bitmap);

/* checked_io_fds.c */
int vfki_checked_region_io_fds(struct vfki_checked *c, uint32_t region,
			       struct vfk_region_io_fd *fds, size_t max, size_t *count);
/* Closes what was handed out. */
void vfki_io_fds_close(const struct vfk_region_io_fd *fds, size_t count);

/* For the files of the door alone. */

/* Before an op, so that vfki_checked_end() can tell whether the op left a text. */
void vfki_checked_begin(const struct vfki_checked *c);

/*
 * After an op that returns 0 or -errno: a positive result is a broken promise. A failure gets a text that begins with
 * the io's name; ENOTTY and ENOSYS become ENOTSUP.
 */
int vfki_checked_end(const struct vfki_checked *c, const char *op, long ret);

/* -ENOTSUP, with a text, for an op that is missing. */
int vfki_checked_lacks(const struct vfki_checked *c, const char *op);

/* -EPROTO, with a text that @op of this io broke its promise. */
VFKI_COLD int vfki_checked_broken(const struct vfki_checked *c, const char *op, const char *fmt,
				  ...) __attribute__((format(printf, 3, 4)));

/* The limits of an index, asked for at the first time. -EINVAL when there is no such index. */
int vfki_checked_region_limit(struct vfki_checked *c, uint32_t region, uint64_t *size,
			      uint32_t *flags);
int vfki_checked_irq_limit(struct vfki_checked *c, uint32_t index, uint32_t *count,
			   uint32_t *flags);

#endif
