/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel.h - what only a device of the kernel's VFIO has: its files, KVM, ioeventfds.
 *
 * A driver needs none of this. It is for those who embed the library in a monitor or a broker, where some of the files
 * are opened by somebody with more rights, and some must be shown to others.
 *
 * Where the device is no kernel device, or a filter stands before it (whose sight these would escape), all calls but
 * vfk_kernel_open() return -ENOTSUP.
 *
 * Threads: as in device.h; vfk_kernel_open() alone on its device, and on the one that it shares with.
 */
#ifndef VFK_KERNEL_H
#define VFK_KERNEL_H

#include <linux/vfio.h>
#include <stddef.h>
#include <stdint.h>
#include <vfiokit/api.h>
#include <vfiokit/io.h>

VFK_BEGIN

struct vfk_device;

/**
 * struct vfk_kernel_opts - which device, and what is open already
 *
 * Begin with VFK_KERNEL_OPTS_INIT. Descriptors are borrowed for the call: the device keeps duplicates.
 */
struct vfk_kernel_opts {
	size_t size;
	const char *
		device; /* as in a URI: PCI address, sysfs path, cdev path; NULL: @device_fd says it */
	const char *iommu;    /* auto, type1, iommufd, noiommu; NULL: auto */
	const char *vf_token; /* a UUID; NULL: none */
	int device_fd;	      /* a cdev, bound or not, or what a group gave; -1: opened */
	int group_fd;	      /* in a container already, or not; -1: opened if needed */
	int container_fd;     /* -1: opened if needed */
	int iommufd;	      /* -1: opened if needed */
	uint32_t dev_id;      /* of a cdev that is bound already: what the bind gave */
	/*
	 * KVM's vfio device, which learns of this one before it is in use, and keeps it open until
	 * vfk_kernel_detach_kvm(); -1: none
	 */
	int kvm_fd;
	/*
	 * A device of the kernel's, opened by the library: this one joins its container or IOAS, and its group if it
	 * is the same, as far as the kernel lets it; else it gets its own. Both belong into one dma space then. NULL: none.
	 */
	struct vfk_device *share;
};

#define VFK_KERNEL_OPTS_INIT                                                      \
	{                                                                         \
		sizeof(struct vfk_kernel_opts), 0, 0, 0, -1, -1, -1, -1, 0, -1, 0 \
	}

/**
 * vfk_kernel_open - open a device of the kernel's with files that the caller has
 * @kernel: which; a device_fd without the container or iommufd that belongs to it cannot do DMA through the library
 * @opts: as for vfk_device_open(); NULL for the defaults
 * @dev: set to the device, owned by the caller
 *
 * Returns as vfk_device_open(); -EBUSY another driver or program has the device, or its group is not viable; -EACCES no
 * permission, or the VF token is missing or wrong; -ENOENT no VFIO in this kernel; -ENODEV no such device, or no driver
 * has it. The text says what to do.
 */
VFK_API int vfk_kernel_open(const struct vfk_kernel_opts *kernel, const struct vfk_open_opts *opts,
			    struct vfk_device **dev);

/** struct vfk_kernel_fds - the files behind a device; borrowed, valid as long as it is open; -1: has none */
struct vfk_kernel_fds {
	size_t size; /* sizeof(struct vfk_kernel_fds), set by the caller */
	int device;
	int group;	  /* way in by group */
	int container;	  /* the same */
	int iommufd;	  /* way in by cdev */
	uint32_t ioas_id; /* the same; 0: none */
	uint32_t dev_id;  /* the same */
	int group_id;	  /* way in by group: its number; -1: not known */
};

/**
 * vfk_kernel_get_fds - the files behind a device
 * @fds: size is set by the caller; the rest is filled
 *
 * Whoever gets the device's can do everything with it. Returns 0; -EINVAL; -ENOTSUP.
 */
VFK_API int vfk_kernel_get_fds(struct vfk_device *dev, struct vfk_kernel_fds *fds);

/**
 * vfk_kernel_attach_kvm - tell a virtual machine of the device
 * @kvm_fd: KVM's vfio device (KVM_CREATE_DEVICE with KVM_DEV_TYPE_VFIO); borrowed
 *
 * Some mediated devices must be told earlier: vfk_kernel_opts.kvm_fd.
 *
 * Returns 0; -EEXIST it knows; -ENOTSUP; another -errno of KVM's.
 */
VFK_API int vfk_kernel_attach_kvm(struct vfk_device *dev, int kvm_fd);

/** vfk_kernel_detach_kvm - undo it. Returns 0; -ENOENT it does not know the device */
VFK_API int vfk_kernel_detach_kvm(struct vfk_device *dev, int kvm_fd);

/**
 * vfk_kernel_ioeventfd - have the kernel write a register whenever an eventfd is signalled
 * @index: region
 * @off: offset in it
 * @width: 1, 2, 4 or 8 bytes
 * @value: what to write
 * @fd: the eventfd, borrowed; -1 takes the one with the same offset, width and value away
 *
 * It ends with vfk_device_close(), whoever else has the device's file.
 *
 * Returns 0; -ENOTSUP not for this region, width or device; -EINVAL outside the region; -EEXIST; -ENODEV there is none to
 * take away; -ENOMEM.
 */
VFK_API int vfk_kernel_ioeventfd(struct vfk_device *dev, uint32_t index, uint64_t off,
				 unsigned int width, uint64_t value, int fd);

VFK_END

#endif
