/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * io.h - the I/O ops vector: a VFIO device as its user sees it.
 *
 *	        struct vfk_device                     what programs call (device.h)
 *	               |
 *	          checked calls                       index, range, permission, the io's own promises
 *	               |
 *	   [filter] -> [filter] -> backend            each a struct vfk_io; a filter owns the next
 *	                              |
 *	          model | vfio-user socket | kernel
 *
 * The structures are the kernel's own, from <linux/vfio.h>: the field knows them, the kernel and the wire carry them.
 * Whoever implements this vector may trust the caller: the checked calls have validated index, range, flags and sizes
 * before an op runs, and they verify after it what each op promises below. Nobody calls an op directly.
 *
 * Results. An op returns 0 (or a count where it says so) or -errno; `errno` itself is never read above a backend. The
 * codes, on every backend (the conformance suite checks them):
 *
 *	-EINVAL		the caller's fault: an index at or above the count; an access that begins at or after the end of
 *			a region; a range that wraps; flags or sizes that contradict each other; a URI that does not parse
 *	-EACCES		a read, write or mapping that the region's flags do not permit; whatever would change a device that
 *			was opened with the filter readonly
 *	-ENOTSUP	this device or backend cannot: an op that is NULL, an unknown feature, an irq action that the
 *			irq's flags do not offer, a mapping of a region that has none (the kernel's ENOTTY, and
 *			ENOSYS from a vfio-user peer, become this one)
 *	-EIO		the device did not accept the access now: memory or I/O decoding off, a DMA access that failed
 *	-EPERM		a DMA access by a model whose bus master bit is off
 *	-ENOSPC		not that many vectors, from a peer that cannot say how many; a limit on places reached
 *	-EBUSY		in use: a mapping whose users do not let go; a vfio-user server that has a client already
 *	-EEXIST		a DMA mapping that overlaps another one
 *	-ENOENT		no such DMA mapping; no such socket, file or device
 *	-ERANGE		an IOVA outside the usable ranges; a parameter outside its range
 *	-ECONNREFUSED	nobody listens on the socket
 *	-EPROTONOSUPPORT the peer speaks another major version
 *	-ENOTCONN	the peer is gone
 *	-ECONNRESET	the peer went while this request was under way; whether it was executed is unknown. Of a device that
 *			can come back (VFK_IO_RECONNECT) also later, until it is back: not executed then
 *	-EPROTO		the peer broke the protocol; the connection is closed
 *	-ETIMEDOUT	no answer within the bound
 *	-ENODEV		the device is gone
 *	-ENOMEM -EMFILE -ENFILE	as everywhere
 *
 * Any other -errno comes from the device itself, passed up as it was.
 *
 * Threads. All ops but open and close may be called from any number of threads at once; close only when no other op is
 * running and none will follow. An op may block, never longer than the io's timeout.
 *
 * Growing. Every vector begins with its size. Members are only added at the end; one that lies beyond an
 * implementation's size reads as NULL.
 */
#ifndef VFK_IO_H
#define VFK_IO_H

#include <linux/vfio.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/api.h>
#include <vfiokit/dma.h>
#include <vfiokit/guard.h>
#include <vfiokit/uri.h>

VFK_BEGIN

struct vfk_io_ops;
struct vfk_kernel_fds;

/**
 * struct vfk_io - an instance behind the vector
 *
 * An implementation embeds it as the first member of its own structure. Backends and filters of the library's table are
 * allocated by the library (instance_size bytes, zeroed); a program's own is allocated by the program, set up with
 * vfk_io_init(), and given to vfk_device_open_io().
 */
struct vfk_io {
	const struct vfk_io_ops *ops; /* never NULL */
	const struct vfk_dma_ops
		*dma;	     /* NULL: the device takes no mappings; set before open returns */
	struct vfk_io *next; /* a filter's: what it wraps; NULL for a backend */
	const char *name;    /* for texts: the URI; borrowed, outlives the io */
	uint32_t flags;	     /* VFK_IO_*; a backend's, set before open returns */
};

/**
 * Hardware, or what the kernel shows as such: it does DMA and keeps state by itself, whoever uses it. What one user left
 * running in it goes on under the next one, unless it is made quiet and reset between them.
 */
#define VFK_IO_HARDWARE	 (1u << 0)
/** No IOMMU stands between the device and memory: whoever programs it reaches all memory of the machine */
#define VFK_IO_NOIOMMU	 (1u << 1)
/** The connection to the device may be lost, and made again (the ops set_lost and reconnect) */
#define VFK_IO_RECONNECT (1u << 2)

/** the device's user polls the io's poll_fd and calls dispatch; the io starts no thread for deferred work */
#define VFK_OPEN_DISPATCH (1u << 0)

/**
 * struct vfk_open_opts - how to open; zero-initialise, set size
 *
 * Everything in it is borrowed for the call, but for @guard, which must outlive the device.
 */
struct vfk_open_opts {
	size_t size;	/* sizeof(struct vfk_open_opts) */
	uint32_t flags; /* VFK_OPEN_*; others are -EINVAL */
	uint32_t timeout_ms; /* bound on every wait for a peer; 0: 5000; at most 3600000 (else -ERANGE) */
	const char *const *filters; /* descriptions, outermost first */
	size_t num_filters;	    /* at most 16 */
	struct vfk_guard *guard;    /* NULL: mappings of a peer's files are not guarded */
};

/** part of a region that can be mapped; offset in the region */
struct vfk_region_area {
	uint64_t offset;
	uint64_t length;
};

#define VFK_REGION_MAX_FDS 16

/** fd 0 is the whole device: whoever has it can do everything with it (the kernel backend's device fd) */
#define VFK_REGION_FD_DEVICE   (1u << 0)
/** fd i belongs to sparse area i, with offset[i] in it; otherwise fd 0 serves the region, at vfio_region_info.offset */
#define VFK_REGION_FD_PER_AREA (1u << 1)

/**
 * struct vfk_region_fds - the files through which a region is mapped
 *
 * With VFK_REGION_FD_PER_AREA, count is the number of the region's sparse areas; fd[i] of -1: area i cannot be mapped.
 */
struct vfk_region_fds {
	size_t size;	/* set by the caller */
	uint32_t count; /* 0, 1, or the number of areas; at most VFK_REGION_MAX_FDS */
	uint32_t flags; /* VFK_REGION_FD_* */
	int fd[VFK_REGION_MAX_FDS];
	uint64_t offset[VFK_REGION_MAX_FDS]; /* PER_AREA: where in fd[i] area i begins */
};

/**
 * region_write: do not wait until the device has the write. A failure of the device is not reported, and later writes are
 * done all the same; the order is kept (see flush). A vfio-user device sends it at once, or where it was opened with
 * batch=US, within that time.
 */
#define VFK_WRITE_POSTED (1u << 0)

/** one write of write_multi: at most 8 bytes */
struct vfk_region_write {
	uint64_t offset;
	uint32_t region;
	uint32_t len; /* 1, 2, 4 or 8 */
	uint8_t data[8];
};

/**
 * struct vfk_precopy_info - how much there is to read of the pre-copy data: struct vfio_precopy_info of <linux/vfio.h>,
 * which headers before Linux 6.2 lack
 */
struct vfk_precopy_info {
	uint32_t argsz; /* sizeof(struct vfk_precopy_info), set by the caller */
	uint32_t flags; /* 0, or what VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2 gives a meaning to */
	uint64_t initial_bytes; /* of the device's first data, an estimate; 0: the rest may follow in STOP_COPY */
	uint64_t dirty_bytes; /* of what changed since, an estimate */
};

/* What a file of region_io_fds is. The numbers are the vfio-user specification's, the last one's libvfio-user's. */
#define VFK_IO_FD_IOEVENTFD  0 /* signalled for a write */
#define VFK_IO_FD_IOREGIONFD 1 /* takes messages for reads and writes; no kernel has it */
#define VFK_IO_FD_SHADOW \
	2 /* signalled for a write, after the value was stored at shadow_offset of shadow_fd */

/** only writes of the value datamatch (KVM_IOEVENTFD_FLAG_DATAMATCH of <linux/kvm.h>, as the other bits of flags) */
#define VFK_IO_FD_DATAMATCH (1u << 0)

/** files that one region can have */
#define VFK_REGION_MAX_IO_FDS 256

/** struct vfk_region_io_fd - a file that stands for writes to a part of a region */
struct vfk_region_io_fd {
	uint64_t offset;    /* of the part, in the region */
	uint64_t length;    /* of it; 0: writes of any size that begin at offset */
	uint32_t type;	    /* VFK_IO_FD_* */
	uint32_t flags;	    /* VFK_IO_FD_DATAMATCH */
	uint64_t datamatch; /* IOREGIONFD: its user data */
	int fd;		    /* owned by whoever was given it, close-on-exec */
	int shadow_fd;	    /* SHADOW: likewise; else -1 */
	uint64_t shadow_offset;
};

/** the steps of the op reconnect */
enum vfk_reconnect {
	VFK_RECONNECT_BEGIN, /* connect and negotiate; from now on the ops serve this thread alone */
	VFK_RECONNECT_DONE,  /* they serve all threads */
	VFK_RECONNECT_ABANDON, /* end the connection: the device is lost, as before or anew */
};

/**
 * struct vfk_io_ops - the vector
 *
 * Mandatory are all members down to reset; the rest may be NULL, which reads as -ENOTSUP.
 */
struct vfk_io_ops {
	size_t size;	      /* sizeof(struct vfk_io_ops) of the implementation */
	const char *name;     /* the URI's scheme, or the filter's name */
	const char *help;     /* one line: what it is, and its options */
	size_t instance_size; /* of the structure that embeds struct vfk_io */

	/**
	 * open - bring the instance to life
	 *
	 * Does: parses what @uri says of it, connects, negotiates. Sets io->dma if the device takes mappings.
	 * Before: @io is zeroed but for ops, name and, for a filter, next, which is open.
	 * After: success: every other op may be called. Failure: nothing is left behind, close will not be called; a
	 * filter does not close next.
	 * Errors: any of the table above; -EINVAL for an option that is not known.
	 * Threads: alone.
	 * NULL is allowed for a program's own io (vfk_device_open_io() then calls nothing).
	 */
	int (*open)(struct vfk_io *io, const struct vfk_uri *uri, const struct vfk_open_opts *opts);

	/**
	 * close - undo open
	 *
	 * Does: disables the device's interrupts, drops its mappings, frees all but the instance itself. A filter
	 * does not close next: its owner does.
	 * Before: no other op is running. After: no op will be called.
	 */
	void (*close)(struct vfk_io *io);

	/**
	 * get_device_info - what device this is
	 *
	 * Does: fills flags, num_regions, num_irqs, and the capability chain if there is one.
	 * Before: info->argsz is the capacity of @info, at least the size of its first four members.
	 * After: info->argsz is the size needed for everything. If that is more than the capacity, the chain is left
	 * out (cap_offset 0) and the caller may ask again. The answer never changes while the io is open.
	 */
	int (*get_device_info)(struct vfk_io *io, struct vfio_device_info *info);

	/**
	 * get_region_info - what a region is, and by which files it can be mapped
	 *
	 * Before: info->argsz is the capacity of @info, at least sizeof(*info); info->index is below num_regions;
	 * fds->size is set. @fds may be NULL: none wanted.
	 * After: as get_device_info for argsz; the index is as it was. Files in @fds are owned by the caller, close-on-exec;
	 * each call hands out new ones. A call that returned with argsz above the capacity hands out none.
	 */
	int (*get_region_info)(struct vfk_io *io, struct vfio_region_info *info,
			       struct vfk_region_fds *fds);

	/**
	 * get_irq_info - what an interrupt index is
	 *
	 * Before: info->argsz is sizeof(*info), info->index below num_irqs. After: flags and count are set.
	 */
	int (*get_irq_info)(struct vfk_io *io, struct vfio_irq_info *info);

	/**
	 * set_irqs - arm, disarm, mask, unmask or trigger interrupts
	 *
	 * Does: exactly what VFIO_DEVICE_SET_IRQS does, to all vectors of the range or to none.
	 * Before: one DATA_* and one ACTION_* flag; start and count within the index's count; argsz covers the data;
	 * @set and the eventfds in it are borrowed: an io that keeps one duplicates it. Arming the first vector of an
	 * index enables it (INTx, MSI and MSI-X exclude each other), -1 in place of an eventfd disarms that vector,
	 * DATA_NONE|ACTION_TRIGGER with count 0 disables the index. An eventfd is not known to be one: -EINVAL if not.
	 * After: 0; or a positive n: only n vectors can be had, and none was enabled (arming only). -ENOSPC says the
	 * same without the number. An io never blocks on signalling an eventfd, even a full one.
	 * A failure to give other eventfds to vectors of an index that is on cannot be undone everywhere: Linux lets go
	 * of an eventfd before it takes the next, and a vfio-user request of many goes in parts. Then vectors of the
	 * range may have none, and no vector has a new one; all others have what they had. An index that was off is off.
	 * Errors: -EINVAL another interrupt kind is enabled, or the vector is not; -ENOTSUP the action is not offered.
	 */
	int (*set_irqs)(struct vfk_io *io, const struct vfio_irq_set *set);

	/**
	 * region_read - read from a region, as pread does
	 *
	 * Does: reads @len bytes at @off into @buf, bytes as the device has them. An access of 1, 2, 4 or 8 bytes
	 * reaches the device as one access.
	 * Before: the region is readable; @off is inside it, @off + @len does not pass its end; @len > 0.
	 * After: the count read, 1 to @len; short only where the device has no more (a ROM smaller than its region).
	 * Errors: -EIO decoding is off or the device failed the access.
	 */
	ssize_t (*region_read)(struct vfk_io *io, uint32_t region, uint64_t off, void *buf,
			       size_t len);

	/**
	 * region_write - write to a region, as pwrite does
	 *
	 * As region_read. @flags: VFK_WRITE_POSTED lets the io return before the device has the write; later calls on
	 * this io, by the same thread, are executed after it. An io that cannot post does the write.
	 */
	ssize_t (*region_write)(struct vfk_io *io, uint32_t region, uint64_t off, const void *buf,
				size_t len, unsigned int flags);

	/**
	 * device_feature - probe, get or set a feature
	 *
	 * Before: the feature is one of the library's feature table; feature->argsz covers header and data; PROBE,
	 * GET, SET as in VFIO_DEVICE_FEATURE. Structures are in the kernel's form, pointers included; they are the
	 * caller's own, never a peer's.
	 * After: 0; GET has filled the data.
	 * Errors: -ENOTSUP the device does not have the feature, or not this operation on it.
	 */
	int (*device_feature)(struct vfk_io *io, struct vfio_device_feature *feature);

	/**
	 * reset - bring the device to its initial state
	 *
	 * After: registers and buffers of the device are as after power-on. Kept, as vfio-pci keeps them: config
	 * space (BARs, command, MSI enables), armed interrupts, DMA mappings. An asserted INTx is dropped.
	 * Errors: -ENOTSUP the device info does not say VFIO_DEVICE_FLAGS_RESET.
	 */
	int (*reset)(struct vfk_io *io);

	/* ---- optional from here ---- */

	/**
	 * write_multi - several small writes in order, as one request
	 *
	 * Before: every write lies inside a writable region. After: 0, all were done; -errno, those after the failing
	 * one were not. Where it is NULL, the caller falls back to region_write.
	 */
	int (*write_multi)(struct vfk_io *io, const struct vfk_region_write *writes, size_t count);

	/** flush - wait until every posted write of this thread has reached the device; 0 or a transport error */
	int (*flush)(struct vfk_io *io);

	/**
	 * mig_read - read the migration data stream
	 *
	 * Before: a saving state was set through the MIG_DEVICE_STATE feature. After: the count, 0 at the end of what
	 * there is now. The migration data fd never leaves the backend.
	 */
	ssize_t (*mig_read)(struct vfk_io *io, void *buf, size_t len);

	/** mig_write - write the migration data stream; the count, never 0 for @len > 0; else as mig_read */
	ssize_t (*mig_write)(struct vfk_io *io, const void *buf, size_t len);

	/**
	 * poll_fd - a file that becomes readable when dispatch has work
	 *
	 * Returns the descriptor (borrowed, the same while the io is open), or -ENOTSUP when there never is any work.
	 */
	int (*poll_fd)(struct vfk_io *io);

	/**
	 * dispatch - do the work that is there, without blocking for more
	 *
	 * Does: answers a server's DMA requests, runs a model's deferred work. After: the number of things done, 0 if
	 * there was nothing; -ENOTCONN or -EPROTO when the peer is gone for good.
	 * Threads: any; two at once share the work.
	 */
	int (*dispatch)(struct vfk_io *io);

	/**
	 * hot_reset_info - which devices a reset of the slot or bus resets
	 *
	 * Before: info->argsz is the capacity of @info, at least sizeof(*info). After: argsz is the size needed for all
	 * of them; if that is more than the capacity, count is 0.
	 */
	int (*hot_reset_info)(struct vfk_io *io, struct vfio_pci_hot_reset_info *info);

	/**
	 * hot_reset - reset the slot or bus
	 *
	 * Before: reset->argsz covers its groups' files, which are borrowed; there are none by cdev. After: as reset,
	 * for all devices on it.
	 */
	int (*hot_reset)(struct vfk_io *io, const struct vfio_pci_hot_reset *reset);

	/**
	 * ioeventfd - write a register whenever an eventfd is signalled
	 *
	 * Before: @width bytes at @off lie inside the region, which is writable; @value fits; @fd is borrowed, -1 takes
	 * away what was set up with the same offset, width and value.
	 */
	int (*ioeventfd)(struct vfk_io *io, uint32_t region, uint64_t off, unsigned int width,
			 uint64_t value, int fd);

	/** kernel_fds - the kernel's files behind the device, borrowed; fds->size is set (see kernel.h) */
	int (*kernel_fds)(struct vfk_io *io, struct vfk_kernel_fds *fds);

	/**
	 * precopy_info - how much pre-copy data there is still (VFIO_MIG_GET_PRECOPY_INFO)
	 *
	 * Before: the migration state is PRE_COPY or PRE_COPY_P2P; info->argsz is sizeof(*info). After: 0, and the other
	 * members are set. Errors: -EINVAL another state.
	 */
	int (*precopy_info)(struct vfk_io *io, struct vfk_precopy_info *info);

	/**
	 * region_io_fds - files that stand for writes to parts of a region
	 *
	 * Does: hands out one for each such part (a doorbell). Whoever signals it has the device do the write, later. Those
	 * of an earlier call have no effect any more, where the device can see to that.
	 * Before: @fds has room for @max. After: *count is the number there is; that many are in @fds, owned by the caller,
	 * or none, if that is more than @max. With a @max of 0 those of earlier calls are taken back all the same.
	 */
	int (*region_io_fds)(struct vfk_io *io, uint32_t region, struct vfk_region_io_fd *fds,
			     size_t max, size_t *count);

	/**
	 * set_lost - who is told when the connection is lost
	 *
	 * Does: has @lost called, with @ctx, by each op that fails because the connection has ended, before it returns,
	 * on its thread and with no lock of the io's. @epoch is how many connections have ended, this one included.
	 * Before: no other op but open and the infos was called. Mandatory with VFK_IO_RECONNECT, as is reconnect.
	 */
	int (*set_lost)(struct vfk_io *io, void (*lost)(void *ctx, uint64_t epoch), void *ctx);

	/**
	 * reconnect - a step in bringing back a device that was lost
	 *
	 * Does: BEGIN waits for the server, within a bound that the open was given, and makes the connection anew. All that
	 * the device had been told is forgotten: interrupts, mappings, writes that were held back. Then the caller says it
	 * again, through the other ops; DONE lets all threads do so.
	 * Before: one thread does all steps, one thread at a time. BEGIN: the connection has ended. DONE: BEGIN succeeded.
	 * After: failure of BEGIN or DONE: lost as before; DONE is followed by ABANDON then.
	 * Errors: of BEGIN: -EALREADY the connection has not ended; -ETIMEDOUT there was no server in time, the text says what
	 * the last attempt met; -EACCES, -EPROTO, -EPROTONOSUPPORT and others that no waiting mends: at once. Of DONE:
	 * -ECONNRESET lost again.
	 */
	int (*reconnect)(struct vfk_io *io, enum vfk_reconnect step);
};

/**
 * vfk_io_init - prepare a program's own io
 * @io: embedded in the program's structure; the program's, until it is given to vfk_device_open_io()
 * @ops: the vector; borrowed, must outlive @io
 * @name: for texts; borrowed, must outlive @io
 *
 * Returns 0; -EINVAL with a text that names the first mandatory member that is missing.
 */
VFK_API int vfk_io_init(struct vfk_io *io, const struct vfk_io_ops *ops, const char *name);

/**
 * vfk_io_backend - the bundled backends, one by one
 * @i: 0 and up
 *
 * Returns the vector (static), of which name and help are for showing; NULL when @i is past the last.
 */
VFK_API const struct vfk_io_ops *vfk_io_backend(size_t i);

/** vfk_io_filter - the bundled filters, one by one; as vfk_io_backend() */
VFK_API const struct vfk_io_ops *vfk_io_filter(size_t i);

VFK_END

#endif
