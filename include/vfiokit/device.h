/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.h - a VFIO device, wherever it lives: regions, interrupts, features, a reset.
 *
 * Errors are those of the table in io.h; every failure sets vfk_error().
 *
 * What may run at once:
 *
 *	vfk_device_open*, vfk_device_close	alone: no other call on the device runs or follows close
 *	vfk_device_attach_dma, _detach_dma	alone with respect to each other and to vfk_device_reconnect()
 *	everything else				any number of threads at once
 *
 * Lock order in the library: dma space, model, interrupts of a model, connection, error text (none). No lock is held
 * while a mapping's callbacks or a model's functions run, but the model's own and the space's.
 *
 * The library prints nothing, unless the environment has VFK_DEBUG=1 when a device is opened or a server made: then standard
 * error shows each operation of that device, as the filter "trace,mmap=pass" before all others does (what no filter lets
 * pass, kernel.h's files and ioeventfds, is -ENOTSUP then), and each connection: what was agreed on, why it ended, each try to
 * reconnect, what was refused or dropped, why a device could not be opened. Ignored in programs that have more rights than their user
 * (secure_getenv(3)).
 */
#ifndef VFK_DEVICE_H
#define VFK_DEVICE_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/api.h>
#include <vfiokit/dma.h>
#include <vfiokit/io.h>

VFK_BEGIN

struct vfk_device;

/* ---- opening ---- */

/**
 * vfk_device_open - open the device that a URI names
 * @uri: see uri.h
 * @opts: NULL for the defaults; borrowed
 * @dev: set to the device, owned by the caller, vfk_device_close() gives it back; untouched on failure
 *
 * Returns 0; -EINVAL the URI does not parse, or has an unknown option or scheme (the text lists the known ones);
 * -ENOENT no such model or socket; -ECONNREFUSED; -EBUSY the server has a client; -ETIMEDOUT it is silent;
 * -EPROTONOSUPPORT; -EPROTO; -ENOMEM; what the backend's open says.
 */
VFK_API int vfk_device_open(const char *uri, const struct vfk_open_opts *opts,
			    struct vfk_device **dev);

/**
 * vfk_device_open_io - open a device on the caller's own io
 * @io: set up with vfk_io_init() and ready for use; taken on success (the device calls its close op, the memory stays the
 *      caller's and must outlive the device); untouched on failure
 * @opts: filters are put before @io
 *
 * Returns as vfk_device_open().
 */
VFK_API int vfk_device_open_io(struct vfk_io *io, const struct vfk_open_opts *opts,
			       struct vfk_device **dev);

/**
 * vfk_device_close - close a device, undoing everything that was done through it; NULL is allowed
 *
 * Hardware that memory is mapped for is stopped before it is given back: bus mastering of a PCI device (VFK_IO_HARDWARE) is
 * turned off; any other is reset if no IOMMU keeps it from the memory (VFK_IO_NOIOMMU).
 *
 * vfk_error() is afterwards what it was before.
 */
VFK_API void vfk_device_close(struct vfk_device *dev);

/** vfk_device_name - the URI or name, for texts; borrowed, valid as long as @dev */
VFK_API const char *vfk_device_name(const struct vfk_device *dev);

/**
 * vfk_device_check - whether what was read through mappings can be believed
 *
 * After accesses through vfk_region_map() to a device with a guard (guard.h): a page that the device's process took
 * away reads as zeroes. Cheap. Of a device that can come back (reconnect.h) also whether its server is there, which is one
 * poll() more.
 *
 * Returns 0; -EPROTO a file of the device's shrank under a mapping: from now on every access fails so, or if the device can
 * come back, it is lost; -ECONNRESET it is lost.
 */
VFK_API int vfk_device_check(struct vfk_device *dev);

/* ---- device info ---- */

/** vfk_device_flags - VFIO_DEVICE_FLAGS_*: RESET, and the type (PCI, PLATFORM, CCW, AP) */
VFK_API uint32_t vfk_device_flags(const struct vfk_device *dev);

/** vfk_device_num_regions - how many region indices there are; at most 512 */
VFK_API uint32_t vfk_device_num_regions(const struct vfk_device *dev);

/** vfk_device_num_irqs - how many interrupt indices there are; at most 512 */
VFK_API uint32_t vfk_device_num_irqs(const struct vfk_device *dev);

/**
 * vfk_device_cap - a capability of the device info's chain
 * @id: VFIO_DEVICE_INFO_CAP_*
 * @cap: set to the structure, header included; borrowed, valid as long as @dev
 * @len: set to the bytes that may be read at @cap
 *
 * Returns 0; -ENOENT when the chain has none such.
 */
VFK_API int vfk_device_cap(const struct vfk_device *dev, uint16_t id, const void **cap,
			   size_t *len);

/* ---- regions ---- */

/** struct vfk_region_info - what a region is; the library's own copy, the same for as long as the device is open */
struct vfk_region_info {
	uint32_t index;
	uint32_t flags; /* VFIO_REGION_INFO_FLAG_* */
	uint64_t size;	/* bytes; 0: the index is not used */
	uint64_t offset; /* in the file that a mapping uses; of interest to a kernel device's user only */
	const struct vfk_region_area
		*areas; /* what can be mapped: sorted, disjoint, inside the region */
	uint32_t num_areas; /* 0 when MMAP is not set; 1, the whole, when there is no sparse capability */
	const void *caps; /* the capability chain as the device gave it, checked; NULL if none */
	size_t caps_len;
	uint32_t caps_offset; /* of caps in the structure: the chain's next fields count from there */
};

/**
 * vfk_region_get_info - what region @index is
 * @info: set to the cached info; borrowed, valid as long as @dev
 *
 * The first call for an index asks the device. Returns 0; -EINVAL @index at or above the count; -EPROTO a chain, size or
 * area that contradicts itself.
 */
VFK_API int vfk_region_get_info(struct vfk_device *dev, uint32_t index,
				const struct vfk_region_info **info);

/**
 * vfk_region_cap - a capability of a region's chain
 * @id: VFIO_REGION_INFO_CAP_*
 * @cap: set to the structure, header included; borrowed, valid as long as the device
 * @len: set to the bytes that may be read at @cap
 *
 * Returns 0; -ENOENT.
 */
VFK_API int vfk_region_cap(const struct vfk_region_info *info, uint16_t id, const void **cap,
			   size_t *len);

/**
 * vfk_region_find - the device-specific region of a type
 * @type: VFIO_REGION_TYPE_*, or VFIO_REGION_TYPE_PCI_VENDOR_TYPE with the vendor's id in its low 16 bits
 * @subtype: VFIO_REGION_SUBTYPE_*
 * @info: set to the info of the first region with this type (VFIO_REGION_INFO_CAP_TYPE); borrowed, valid as long as @dev
 *
 * The infos of all regions are asked for, once. A region whose info is refused or broken is passed over.
 *
 * Returns 0; -ENOENT the device has none such; a transport error.
 */
VFK_API int vfk_region_find(struct vfk_device *dev, uint32_t type, uint32_t subtype,
			    const struct vfk_region_info **info);

/**
 * vfk_region_read - read from a region, as pread does
 * @index: region
 * @off: offset in it
 * @buf: filled with bytes as the device has them
 * @len: how many; an access of 1, 2, 4 or 8 bytes is never split
 *
 * Returns the count: @len, or less at the end of what there is; 0 for @len 0; -EINVAL index, @off at or after the end, or a
 * range that wraps; -EACCES the region cannot be read; -EIO; a transport error.
 */
VFK_API ssize_t vfk_region_read(struct vfk_device *dev, uint32_t index, uint64_t off, void *buf,
				size_t len);

/**
 * vfk_region_write - write to a region, as pwrite does
 * @flags: 0 or VFK_WRITE_POSTED
 *
 * Returns as vfk_region_read(); -EACCES the region cannot be written.
 */
VFK_API ssize_t vfk_region_write(struct vfk_device *dev, uint32_t index, uint64_t off,
				 const void *buf, size_t len, unsigned int flags);

/**
 * vfk_region_get - read one little-endian register
 * @width: 1, 2, 4 or 8 bytes
 * @value: set to the register's value in host order
 *
 * Returns 0; -EINVAL a bad width; -EIO the read was short; else as vfk_region_read().
 */
VFK_API int vfk_region_get(struct vfk_device *dev, uint32_t index, uint64_t off, unsigned int width,
			   uint64_t *value);

/** vfk_region_put - write one little-endian register; bits of @value above @width are -EINVAL; as vfk_region_get() */
VFK_API int vfk_region_put(struct vfk_device *dev, uint32_t index, uint64_t off, unsigned int width,
			   uint64_t value);

/** vfk_region_flush - wait until this thread's posted writes reached the device. Returns 0 or a transport error */
VFK_API int vfk_region_flush(struct vfk_device *dev);

/**
 * vfk_region_write_multi - several small writes in order, one request where the backend has such
 * @writes: borrowed
 * @count: at most 4096
 *
 * Returns 0, all were done; -errno of the first that failed, those after it were not done.
 */
VFK_API int vfk_region_write_multi(struct vfk_device *dev, const struct vfk_region_write *writes,
				   size_t count);

/**
 * vfk_region_map - map part of a region into the process
 * @index: region
 * @off: page-aligned offset in it
 * @len: bytes, > 0; the range must lie inside one area of the region's info
 * @prot: PROT_READ, PROT_WRITE or both, as the region's flags permit
 * @addr: set to the address; vfk_region_unmap() or vfk_device_close() takes it back
 *
 * An access through the mapping passes no filter and no check; its order to messages is undefined.
 *
 * Returns 0; -ENOTSUP the region or this part of it has no mapping; -EINVAL not aligned, outside one area, empty; -EACCES
 * @prot; -EPROTO a peer's file is shorter than it said; -ENOSPC the guard is full; -ENOMEM.
 */
VFK_API int vfk_region_map(struct vfk_device *dev, uint32_t index, uint64_t off, uint64_t len,
			   int prot, void **addr);

/** vfk_region_unmap - take back what vfk_region_map() gave at @addr. Returns 0; -ENOENT no mapping begins there */
VFK_API int vfk_region_unmap(struct vfk_device *dev, void *addr);

/**
 * vfk_region_get_io_fds - files that stand for writes to parts of a region: doorbells that are rung without a message
 * @index: region
 * @fds: filled; each file is owned by the caller, close-on-exec
 * @max: room in @fds; VFK_REGION_MAX_IO_FDS is enough for every device
 * @count: set to the number there is; if that is more than @max, none is handed out
 *
 * Signalling an eventfd writes the register some time later; its order to other accesses is undefined. It passes no filter
 * (filters hide these files, unless mmap=pass). A call takes back what earlier ones handed out, where the device can; one
 * with a @max of 0 does only that.
 *
 * Returns 0, also when there is none; -ENOTSUP the device has nothing of the kind; -EINVAL @index; -EPROTO an entry that cannot
 * be; -EMFILE; a transport error.
 */
VFK_API int vfk_region_get_io_fds(struct vfk_device *dev, uint32_t index,
				  struct vfk_region_io_fd *fds, size_t max, size_t *count);

/* ---- interrupts ---- */

/** struct vfk_irq_info - what an interrupt index is; constant */
struct vfk_irq_info {
	uint32_t index;
	uint32_t flags; /* VFIO_IRQ_INFO_* */
	uint32_t count; /* vectors; 0: the index is not used */
};

/** vfk_irq_get_info - what interrupt @index is. Returns 0; -EINVAL @index at or above the count */
VFK_API int vfk_irq_get_info(struct vfk_device *dev, uint32_t index, struct vfk_irq_info *info);

/**
 * vfk_irq_set_eventfds - arm vectors
 * @index: interrupt
 * @start: first vector
 * @count: vectors, > 0
 * @fds: an eventfd each, borrowed (the device keeps a duplicate); -1 disarms that vector
 *
 * Arming the first vector enables the index.
 *
 * After a failure an index that was off is off. In one that was on no vector of the range has a new eventfd; those that had
 * one may have lost it (the text says which, where that is known), and are armed again or disarmed by the caller.
 *
 * Returns 0; a positive n: only n vectors can be had, none was armed; -ENOSPC the same, number unknown: halve and try
 * again; -EINVAL index, range, not an eventfd, or another kind is enabled; else as the table says.
 */
VFK_API int vfk_irq_set_eventfds(struct vfk_device *dev, uint32_t index, uint32_t start,
				 uint32_t count, const int *fds);

/** vfk_irq_mask - mask vectors. Returns 0; -ENOTSUP the index is not MASKABLE; -EINVAL range, or not enabled */
VFK_API int vfk_irq_mask(struct vfk_device *dev, uint32_t index, uint32_t start, uint32_t count);

/** vfk_irq_unmask - unmask vectors; one that is pending fires. Returns as vfk_irq_mask() */
VFK_API int vfk_irq_unmask(struct vfk_device *dev, uint32_t index, uint32_t start, uint32_t count);

/** vfk_irq_trigger - signal armed vectors from software, as a loopback test does. Returns 0; -EINVAL not enabled */
VFK_API int vfk_irq_trigger(struct vfk_device *dev, uint32_t index, uint32_t start, uint32_t count);

/** what a call with one bool a vector does */
enum vfk_irq_action {
	VFK_IRQ_MASK,
	VFK_IRQ_UNMASK,
	VFK_IRQ_TRIGGER,
};

/** vfk_irq_set_bools - mask, unmask or trigger those vectors from @start on whose byte in @bools is not 0 */
VFK_API int vfk_irq_set_bools(struct vfk_device *dev, uint32_t index, enum vfk_irq_action action,
			      uint32_t start, uint32_t count, const uint8_t *bools);

/**
 * vfk_irq_set_unmask_eventfd - unmask an automasked vector when an eventfd is signalled
 * @fd: borrowed; -1 takes it away
 *
 * The resample eventfd of an INTx. Somebody has to watch it: for a model in this process that was opened without
 * VFK_OPEN_DISPATCH, the first call asks for one worker thread, which vfk_device_close() ends.
 *
 * Returns 0; -ENOTSUP the device cannot; -EINVAL as vfk_irq_mask().
 */
VFK_API int vfk_irq_set_unmask_eventfd(struct vfk_device *dev, uint32_t index, uint32_t start,
				       int fd);

/** vfk_irq_disable - disarm all vectors of @index; one that is not enabled is success. Returns 0; -EINVAL */
VFK_API int vfk_irq_disable(struct vfk_device *dev, uint32_t index);

/**
 * vfk_irq_wait - wait until one of several eventfds is signalled, serving the device meanwhile
 * @fds: eventfds, with one reader each; borrowed
 * @num: 1 to 2048
 * @timeout_ms: -1: for ever
 * @counts: set to each eventfd's count, 0 where it was not signalled
 *
 * Serving: a vfio-user server's DMA requests are answered, a model's deferred work runs. A program with an event loop
 * of its own uses vfk_device_poll_fd() and vfk_device_dispatch() instead.
 *
 * Returns how many eventfds were signalled, > 0; -ETIMEDOUT; -EINVAL; -EINTR a signal handler ran; -ENOTCONN, -EPROTO
 * the device's peer is gone, -ECONNRESET if it can come back (reconnect.h).
 */
VFK_API int vfk_irq_wait(struct vfk_device *dev, const int *fds, size_t num, int timeout_ms,
			 uint64_t *counts);

/** vfk_device_set_irqs - VFIO_DEVICE_SET_IRQS as it is, checked; the results of vfk_irq_set_eventfds() */
VFK_API int vfk_device_set_irqs(struct vfk_device *dev, const struct vfio_irq_set *set);

/* ---- features ---- */

/**
 * vfk_feature_name - a feature's name, the kernel's in lower case ("dma_logging_start")
 * @id: VFIO_DEVICE_FEATURE_*
 *
 * Returns static text; NULL when the library does not know the feature.
 */
VFK_API const char *vfk_feature_name(uint32_t id);

/**
 * vfk_feature_probe - which of GET and SET the device offers for a feature
 * @ops: set to VFIO_DEVICE_FEATURE_GET, _SET, both ored, or 0
 *
 * Returns 0, also when it offers none; a transport error.
 */
VFK_API int vfk_feature_probe(struct vfk_device *dev, uint32_t id, uint32_t *ops);

/**
 * vfk_feature_get - read a feature's structure
 * @data: filled; in some features also input, as in the kernel's API
 * @len: the structure's size
 *
 * Returns 0; -ENOTSUP; -EINVAL @len is not the feature's size.
 */
VFK_API int vfk_feature_get(struct vfk_device *dev, uint32_t id, void *data, size_t len);

/** vfk_feature_set - write a feature's structure; @data may be NULL with @len 0. Returns as vfk_feature_get() */
VFK_API int vfk_feature_set(struct vfk_device *dev, uint32_t id, const void *data, size_t len);

/** vfk_device_feature - VFIO_DEVICE_FEATURE as it is, checked */
VFK_API int vfk_device_feature(struct vfk_device *dev, struct vfio_device_feature *feature);

/** vfk_device_mig_read - read migration data; the count, 0 at the end of what there is now; -ENOTSUP */
VFK_API ssize_t vfk_device_mig_read(struct vfk_device *dev, void *buf, size_t len);

/** vfk_device_mig_write - write migration data; the count; -ENOTSUP */
VFK_API ssize_t vfk_device_mig_write(struct vfk_device *dev, const void *buf, size_t len);

/**
 * vfk_device_precopy_info - how much migration data there is still to be read before the device need stop
 * @info: argsz is set by the caller; the rest is filled, with estimates
 *
 * Returns 0; -EINVAL argsz, or the device is not in PRE_COPY or PRE_COPY_P2P; -ENOTSUP.
 */
VFK_API int vfk_device_precopy_info(struct vfk_device *dev, struct vfk_precopy_info *info);

/* ---- reset ---- */

/** vfk_device_reset - reset the device; see the reset op in io.h for what is kept. Returns 0; -ENOTSUP; -EIO */
VFK_API int vfk_device_reset(struct vfk_device *dev);

/**
 * vfk_device_hot_reset_info - which devices a hot reset of this one resets, too
 * @info: argsz is its capacity, at least the size of the structure; filled
 *
 * After success argsz is the size needed for all devices; if that is more than the capacity, count is 0. Flags say
 * whether the devices' ids are those of groups or of an iommufd (VFIO_DEVICE_GET_PCI_HOT_RESET_INFO).
 *
 * Returns 0; -ENOTSUP it cannot be hot reset.
 */
VFK_API int vfk_device_hot_reset_info(struct vfk_device *dev, struct vfio_pci_hot_reset_info *info);

/**
 * vfk_device_group - the IOMMU group by which a device was opened
 * @group: set to its number, as in the answer of vfk_device_hot_reset_info()
 *
 * Returns 0; -ENOTSUP it is no device of the kernel's, or was opened by cdev, or nobody knows: a filter stands before it,
 * or the group's file was handed in without the device's name.
 */
VFK_API int vfk_device_group(struct vfk_device *dev, uint32_t *group);

/**
 * vfk_device_hot_reset - reset the slot or bus of a device
 * @others: the further devices on it, all of them open here; NULL if there are none
 * @num_others: how many, at most 64
 *
 * By group their groups prove that they are ours; by cdev they must be bound to the same iommufd, and @others is not
 * looked at.
 *
 * Returns 0; -ENOTSUP; -EPERM or -EINVAL some device on it is not ours: the text names it; -EAGAIN.
 */
VFK_API int vfk_device_hot_reset(struct vfk_device *dev, struct vfk_device *const *others,
				 size_t num_others);

/* ---- DMA ---- */

/**
 * vfk_device_set_dma_mask - how many address bits the device's own DMA engine has
 * @bits: 12 to 64; 64 until set
 *
 * What a driver knows of its device (QEMU's edu: 28). vfk_dma_alloc() stays below it.
 *
 * Returns 0; -ERANGE.
 */
VFK_API int vfk_device_set_dma_mask(struct vfk_device *dev, unsigned int bits);

/**
 * vfk_device_attach_dma - let a device do DMA in a space
 * @space: must outlive the attachment
 *
 * All mappings of the space are made in the device, or none. Returns 0; -ENOTSUP the device takes no mappings; -EBUSY it is
 * attached already; -ERANGE, -ENOSPC, -ENOTSUP a mapping of the space does not suit the device; a transport error.
 *
 * -EBUSY also when the device took some of the mappings, refused another, and uses one that it took, so that it does not
 * let go: it stays attached then, with a part of the mappings. Nothing is safe but to detach it, again and again if need
 * be, or to close it; the space keeps what the device may reach as with any other attached device.
 */
VFK_API int vfk_device_attach_dma(struct vfk_device *dev, struct vfk_dma_space *space);

/**
 * vfk_device_detach_dma - take a device out of its space
 *
 * Without an IOMMU nothing keeps the device from memory that it was told of: stop it before, as before any unmap.
 *
 * Returns 0, also when it is in none; -EBUSY users of a mapping did not let go: it is attached as before. A mapping that
 * it had let go and does not take back, which the text names, is out of its reach then.
 */
VFK_API int vfk_device_detach_dma(struct vfk_device *dev);

/* ---- events ---- */

/**
 * vfk_device_poll_fd - a descriptor to poll for readability
 *
 * Returns it (borrowed, constant); -ENOTSUP when this device never needs vfk_device_dispatch(). Of a device that came back
 * (reconnect.h) it is the same number for another file: what keeps files, as epoll does, has to be given it again.
 */
VFK_API int vfk_device_poll_fd(struct vfk_device *dev);

/** vfk_device_dispatch - do what is to be done, without blocking for more; see dispatch in io.h */
VFK_API int vfk_device_dispatch(struct vfk_device *dev);

VFK_END

#endif
