/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance.h - the inside of a kernel io, for the files of this room only.
 *
 * Written in open, before any other thread has the io, and constant after that, but for the migration stream and the
 * ioeventfds.
 */
#ifndef VFKI_IO_KERNEL_INSTANCE_H
#define VFKI_IO_KERNEL_INSTANCE_H

#include "lib/io/kernel/iommu.h"
#include "lib/io/kernel/target.h"
#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <vfiokit/io.h>
#include <vfiokit/kernel.h>

/* As many as the checked calls take. */
#define VFKI_KERNEL_MAX_INDEXES 512

/* An open group. Devices of one group that were opened to share have it in common: it can be opened once only. */
struct vfki_group {
	atomic_uint users;
	int fd;
	int number;   /* -1: not known */
	bool entered; /* we put it into its container */
};

struct vfki_kernel_region {
	uint64_t offset;	       /* in the device's file */
	struct vfio_region_info *info; /* with its chain; argsz is its size */
};

struct vfki_kernel_ioeventfd;

struct vfki_kernel {
	struct vfk_io io; /* first: the library allocates the whole */
	int device;
	struct vfki_kernel_region *regions; /* num_regions */
	uint32_t num_regions;
	uint32_t num_irqs;
	struct vfio_device_info *info; /* with its chain; argsz is its size */
	struct vfki_group *group;      /* NULL: a cdev, or a device_fd that came alone */
	struct vfki_kernel_dma dma;    /* none: io.dma is NULL */
	bool noiommu;
	bool mediated;	 /* not of a bus that resets it when it is closed */
	uint32_t dev_id; /* iommufd's; 0 by group */
	pthread_mutex_t ioeventfds_lock;
	struct vfki_kernel_ioeventfd *ioeventfds; /* that are set up */
	pthread_mutex_t mig_lock; /* guards mig_fd, also while it is read or written, and mig_state */
	int mig_fd;		  /* the stream of the present migration state; -1: none */
	uint32_t mig_state; /* that it was last put into; VFIO_DEVICE_STATE_RUNNING when it was not */
	/* until open returns: KVM was told of the group or device; and what vfki_kernel_set_opts() was given */
	bool told_kvm;
	const struct vfk_kernel_opts *given;
	struct vfk_io *share;
};

static inline struct vfki_kernel *vfki_kernel_of(struct vfk_io *io)
{
	return (struct vfki_kernel *)io;
}

/* Whether it has an IOAS, and not a container. */
static inline bool vfki_kernel_is_cdev(const struct vfki_kernel *k)
{
	return k->dma.iommu && vfki_iommu_ioas_id(k->dma.iommu);
}

/* What an open needs to know; @opts has all its members. */
struct vfki_kernel_how {
	const struct vfk_kernel_opts *opts;
	struct vfki_target target;
	struct vfki_kernel *share; /* NULL: none */
};

/* kernel.c: one ioctl; the result, or -errno (ENOTTY as ENOTSUP) without a text. */
int vfki_kernel_ioctl(int fd, unsigned long request, void *arg);

/* The same with a number in place of a pointer. */
int vfki_kernel_ioctl_value(int fd, unsigned long request, unsigned long value);

/* -errno with a text for a file of /dev that cannot be opened; @module: whose it is, or NULL. */
int vfki_kernel_cannot_open(int err, const char *path, const char *module);

/*
 * kernel.c: tells KVM of @file, a group or device, before the device is in use, if that was asked for. Returns 0, or -errno
 * with a text; and takes it back, when the open fails after all.
 */
int vfki_kernel_tell_kvm(struct vfki_kernel *k, const struct vfki_kernel_how *how, int file);
void vfki_kernel_untell_kvm(struct vfki_kernel *k, const struct vfk_kernel_opts *opts, int file);

/*
 * group.c, cdev.c: open the device, or take what was handed in, and make its DMA handle. On success device, dma and what
 * else belongs to the way are set; on failure, with a text, nothing is left behind.
 */
int vfki_kernel_open_group(struct vfki_kernel *k, const struct vfki_kernel_how *how);
int vfki_kernel_open_cdev(struct vfki_kernel *k, const struct vfki_kernel_how *how);
void vfki_kernel_put_group(struct vfki_group *group);

/* info.c: asks the kernel for everything that is constant. */
int vfki_kernel_fetch(struct vfki_kernel *k);
void vfki_kernel_forget(struct vfki_kernel *k);
int vfki_kernel_get_device_info(struct vfk_io *io, struct vfio_device_info *info);
int vfki_kernel_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
				struct vfk_region_fds *fds);

/* irq.c */
int vfki_kernel_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info);
int vfki_kernel_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set);
void vfki_kernel_disarm_all(struct vfki_kernel *k);

/* region.c */
ssize_t vfki_kernel_region_read(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
				size_t len);
ssize_t vfki_kernel_region_write(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
				 size_t len, unsigned int flags);

/* ioeventfd.c */
int vfki_kernel_ioeventfd(struct vfk_io *io, uint32_t region, uint64_t off, unsigned int width,
			  uint64_t value, int fd);
/* Takes back those that are left. */
void vfki_kernel_end_ioeventfds(struct vfki_kernel *k);

/* feature.c, migration.c */
int vfki_kernel_device_feature(struct vfk_io *io, struct vfio_device_feature *feature);
int vfki_kernel_set_mig_state(struct vfki_kernel *k, struct vfio_device_feature *feature);
ssize_t vfki_kernel_mig_read(struct vfk_io *io, void *buf, size_t len);
ssize_t vfki_kernel_mig_write(struct vfk_io *io, const void *buf, size_t len);
int vfki_kernel_precopy_info(struct vfk_io *io, struct vfk_precopy_info *info);
/* The stream ends: the device was reset. */
void vfki_kernel_end_stream(struct vfki_kernel *k);
/* The device is about to be closed: it is left as it was found, running. Its DMA is off already. */
void vfki_kernel_end_migration(struct vfki_kernel *k);

/* reset.c */
int vfki_kernel_reset(struct vfk_io *io);
int vfki_kernel_hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info);
int vfki_kernel_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset);
/* Without an IOMMU: the device does no DMA any more, as far as it can be told not to. */
void vfki_kernel_stop_dma(struct vfki_kernel *k);

#endif
