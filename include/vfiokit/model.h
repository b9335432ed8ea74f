/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.h - write a PCI device in software.
 *
 * A model's author supplies an identity, BARs and behaviour. The toolkit supplies the rest: a type-0 config space with
 * its write masks, capability chains, BAR sizing, INTx, MSI and MSI-X, DMA by IOVA, deferred work, and the io vector, so
 * that the model is a VFIO device like any other: in the same process, or exported by a server.
 *
 *	struct counter { uint32_t value; };		the instance, @self
 *
 *	init:	declare identity, BARs, interrupts with the vfk_model_set_ and _add_ functions
 *	read, write, reset:	behave
 *
 * It behaves as vfio-pci does where both can be asked: after open, memory and I/O decoding are on and bus mastering is off;
 * an access to a BAR whose decoding is off fails with -EIO; MSI and MSI-X are switched by SET_IRQS, and the enable bits
 * of config space follow and can be written too; reset keeps config space, armed interrupts and mappings.
 *
 * Threads. The toolkit calls one function of a model at a time (each instance has a lock), so a model's author writes
 * single-threaded code. Those functions marked "any thread" below may be called from threads of the model's own as well;
 * all others only from inside the model's functions.
 */
#ifndef VFK_MODEL_H
#define VFK_MODEL_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/api.h>
#include <vfiokit/dma.h>
#include <vfiokit/io.h>
#include <vfiokit/uri.h>

VFK_BEGIN

struct vfk_device;
struct vfk_model;

/**
 * struct vfk_model_ops - a kind of model
 *
 * init is mandatory; a member that is NULL has the meaning given with it. @self is the instance: instance_size bytes,
 * zeroed before init, the model's own.
 */
struct vfk_model_ops {
	size_t size;		   /* sizeof(struct vfk_model_ops) */
	const char *name;	   /* as in "model:name" */
	const char *help;	   /* one line: what it is, and its parameters */
	const char *const *params; /* NULL-terminated names of its URI parameters; NULL: none */
	size_t instance_size;

	/**
	 * init - declare the device
	 *
	 * The only place to call the functions under "declaring". @uri holds the parameters. Returns 0 or -errno; on
	 * failure fini is not called.
	 */
	int (*init)(struct vfk_model *model, void *self, const struct vfk_uri *uri);

	/** fini - free what init took; deferred work has been cancelled, mappings are gone. NULL: nothing to free */
	void (*fini)(struct vfk_model *model, void *self);

	/**
	 * bar_read, bar_write - an access to a BAR
	 *
	 * @off + @len lies inside the BAR; @len is any size that the BAR's declaration allows, else the access never
	 * gets here. Data is as on the bus: little-endian. Return 0 or -errno (-EIO: the device does not answer; a
	 * monitor shows its guest all ones). NULL: -EIO.
	 */
	int (*bar_read)(struct vfk_model *model, void *self, unsigned int bar, uint64_t off,
			void *buf, size_t len);
	int (*bar_write)(struct vfk_model *model, void *self, unsigned int bar, uint64_t off,
			 const void *buf, size_t len);

	/** reset - registers as after power-on; the toolkit drops INTx and pending messages, cancels deferred work. NULL: nothing */
	void (*reset)(struct vfk_model *model, void *self);

	/**
	 * config_write - told after a write to config space took effect
	 *
	 * For a model that acts on its own capabilities. NULL: not told.
	 */
	void (*config_write)(struct vfk_model *model, void *self, unsigned int off, size_t len);

	/**
	 * dma_map, dma_unmap - told of a new mapping, and of one that is about to go
	 *
	 * After dma_unmap returns, the toolkit waits for the references of vfk_model_dma_get() to be put; a model that
	 * keeps one in the range puts it here. NULL: not told.
	 */
	void (*dma_map)(struct vfk_model *model, void *self, uint64_t iova, uint64_t length,
			uint32_t prot);
	void (*dma_unmap)(struct vfk_model *model, void *self, uint64_t iova, uint64_t length);

	/**
	 * device_feature - a feature of the model's own
	 *
	 * Checked as in io.h. NULL, or -ENOTSUP: the device has none such.
	 */
	int (*device_feature)(struct vfk_model *model, void *self,
			      struct vfio_device_feature *feature);
};

/* ---- declaring: only inside init ---- */

struct vfk_model_identity {
	uint16_t vendor, device;
	uint16_t subvendor, subdevice;
	uint32_t class_code; /* 24 bits: class, subclass, programming interface */
	uint8_t revision;
};

/** vfk_model_set_identity - what lspci shows. Returns 0; -EINVAL class_code has more than 24 bits */
VFK_API int vfk_model_set_identity(struct vfk_model *model,
				   const struct vfk_model_identity *identity);

#define VFK_BAR_IO	 (1u << 0) /* I/O space; else memory */
#define VFK_BAR_64	 (1u << 1) /* 64 bits: takes the next BAR's place too */
#define VFK_BAR_PREFETCH (1u << 2)

/** struct vfk_model_bar - a BAR; zero-initialise, set size */
struct vfk_model_bar {
	size_t size;	     /* sizeof(struct vfk_model_bar) */
	uint64_t length;     /* a power of two: memory at least 16, I/O 4 to 256 */
	uint32_t flags;	     /* VFK_BAR_* */
	uint32_t min_access; /* smallest access passed to the model, 0: 1; smaller ones are -EINVAL */
	uint32_t max_access; /* largest single access, 0: any; larger ones are split at this size, aligned */
	/*
	 * Memory of the BAR that users may map, -1: none; borrowed, duplicated. The toolkit answers accesses to what can
	 * be mapped from it; the model sees only those to the rest.
	 */
	int fd;
	uint64_t fd_offset; /* page-aligned, where the BAR begins in it */
	const struct vfk_region_area
		*areas;	    /* what of it can be mapped; NULL: all; borrowed for the call */
	uint32_t num_areas; /* at most 16 */
};

/**
 * vfk_model_add_bar - declare BAR @index (0 to 5)
 *
 * Returns 0; -EINVAL length, flags, index, areas; -EEXIST the place is taken.
 */
VFK_API int vfk_model_add_bar(struct vfk_model *model, unsigned int index,
			      const struct vfk_model_bar *bar);

/** vfk_model_add_intx - the device has an interrupt pin (INTA). Returns 0; -EEXIST */
VFK_API int vfk_model_add_intx(struct vfk_model *model);

/**
 * vfk_model_add_msi - an MSI capability (PCI 3.0 section 6.8.1), 64-bit
 * @vectors: 1, 2, 4, 8, 16 or 32
 * @maskable: with per-vector mask and pending bits
 *
 * Returns 0; -EINVAL; -EEXIST; -ENOSPC config space is full.
 */
VFK_API int vfk_model_add_msi(struct vfk_model *model, unsigned int vectors, bool maskable);

/**
 * vfk_model_add_msix - an MSI-X capability (PCI 3.0 section 6.8.2)
 * @vectors: 1 to 2048
 * @bar: the memory BAR, declared before, that holds table and PBA
 * @table: offset of the table in it, 8-byte aligned
 * @pba: offset of the pending bits, 8-byte aligned
 *
 * The toolkit answers accesses to both; the model never sees them. Returns 0; -EINVAL; -EEXIST; -ENOSPC.
 */
VFK_API int vfk_model_add_msix(struct vfk_model *model, unsigned int vectors, unsigned int bar,
			       uint32_t table, uint32_t pba);

/** vfk_model_add_pm - a power management capability (PCI PM 1.2): D0 and D3hot, no PME. Returns 0; -EEXIST; -ENOSPC */
VFK_API int vfk_model_add_pm(struct vfk_model *model);

/** vfk_model_add_pcie - a PCI Express capability, version 2, of an endpoint (PCIe 6.0 section 7.5.3). Returns as _pm */
VFK_API int vfk_model_add_pcie(struct vfk_model *model);

/**
 * vfk_model_add_vendor_cap - a vendor-specific capability (PCI 3.0 section 6.7, appendix H)
 * @data: what follows the three bytes of id, next and length; borrowed
 * @writable: a mask of the same length of bits that can be written; NULL: none
 * @len: 0 to 240
 * @off: set to the capability's offset in config space; may be NULL
 *
 * Returns 0; -EINVAL; -ENOSPC.
 */
VFK_API int vfk_model_add_vendor_cap(struct vfk_model *model, const void *data,
				     const void *writable, size_t len, unsigned int *off);

/**
 * vfk_model_use_deferred_work - the model will call vfk_model_defer() with a delay
 *
 * In process this asks for one worker thread (which the device's close ends); where the opener said
 * VFK_OPEN_DISPATCH, as a server's loop does, dispatch runs the work. Returns 0; -ENOMEM; -EMFILE; -EAGAIN no thread.
 */
VFK_API int vfk_model_use_deferred_work(struct vfk_model *model);

/* ---- config space ---- */

/** vfk_model_config_get - read @width (1, 2, 4) bytes of config space at @off, without side effects; 0 outside it */
VFK_API uint32_t vfk_model_config_get(const struct vfk_model *model, unsigned int off,
				      unsigned int width);

/** vfk_model_config_set - write config space at @off from the device's side: no masks. Returns 0; -EINVAL */
VFK_API int vfk_model_config_set(struct vfk_model *model, unsigned int off, unsigned int width,
				 uint32_t value);

/* ---- interrupts: any thread ---- */

/**
 * vfk_model_set_intx - drive the interrupt pin
 * @asserted: its level; setting the level that it has does nothing
 *
 * An asserted, unmasked INTx signals its eventfd once and is masked (AUTOMASKED); unmasking while it is still asserted
 * signals again. Without an eventfd, or with INTx disabled in the command register, the level is kept for later.
 */
VFK_API void vfk_model_set_intx(struct vfk_model *model, bool asserted);

/**
 * vfk_model_msi - send message @vector of MSI or MSI-X, whichever is enabled
 *
 * A masked one becomes pending, and is sent when it is unmasked. Returns 0; -ENOTSUP neither is enabled; -EINVAL @vector.
 */
VFK_API int vfk_model_msi(struct vfk_model *model, unsigned int vector);

/** vfk_model_msi_enabled - whether MSI or MSI-X is enabled, so that messages take INTx's place */
VFK_API bool vfk_model_msi_enabled(const struct vfk_model *model);

/* ---- DMA: any thread ---- */

/**
 * vfk_model_dma_read - read memory at @iova, as the device's DMA engine does
 *
 * May span adjacent mappings. Returns 0; -EPERM bus mastering is off; -EFAULT not mapped, or not readable for the
 * device: nothing was read; a transport error from a client that answers by messages.
 */
VFK_API int vfk_model_dma_read(struct vfk_model *model, uint64_t iova, void *buf, size_t len);

/** vfk_model_dma_write - write memory at @iova; as vfk_model_dma_read() */
VFK_API int vfk_model_dma_write(struct vfk_model *model, uint64_t iova, const void *buf,
				size_t len);

/** struct vfk_dma_ref - memory taken by vfk_model_dma_get() */
struct vfk_dma_ref {
	void *ptr;
	size_t len;
	void *priv; /* the toolkit's */
};

/**
 * vfk_model_dma_get - take mapped memory for direct access
 * @iova: address
 * @len: > 0; must lie inside one mapping
 * @prot: VFK_DMA_READ: the device reads; VFK_DMA_WRITE: it writes; or both
 * @ref: filled; give it back with vfk_model_dma_put(), soon: an unmap waits for it
 *
 * Lock-free; no allocation. Returns 0; -EPERM; -EFAULT; -ENOTSUP the memory has no address here (a client without
 * shared memory): use vfk_model_dma_read() and _write().
 */
VFK_API int vfk_model_dma_get(struct vfk_model *model, uint64_t iova, size_t len, uint32_t prot,
			      struct vfk_dma_ref *ref);

/** vfk_model_dma_put - give back what vfk_model_dma_get() took */
VFK_API void vfk_model_dma_put(struct vfk_model *model, struct vfk_dma_ref *ref);

/* ---- deferred work ---- */

/** struct vfk_model_work - something to do later; zero-initialised inside the model's instance */
struct vfk_model_work {
	void (*fn)(struct vfk_model *model, void *self, struct vfk_model_work *work);
	struct vfk_model_work *next; /* the toolkit's */
	uint64_t due;		     /* the toolkit's; 0: not queued */
};

/**
 * vfk_model_defer - run work->fn after @delay_us microseconds
 *
 * With delay 0 it runs at the end of the model's function that is running, before the access returns. Work that is queued
 * already is moved to the new time. A delay needs vfk_model_use_deferred_work(): without it the work runs as with 0.
 */
VFK_API void vfk_model_defer(struct vfk_model *model, struct vfk_model_work *work,
			     uint64_t delay_us);

/** vfk_model_cancel - forget queued work; work that is not queued is left alone */
VFK_API void vfk_model_cancel(struct vfk_model *model, struct vfk_model_work *work);

/* ---- opening, and the bundled models ---- */

/**
 * vfk_device_open_model - open a device on the caller's own model, in process
 * @ops: borrowed, must outlive the device
 * @params: "key=value,key=value" for init, or NULL
 * @opts: as for vfk_device_open()
 *
 * Returns as vfk_device_open(); -EINVAL with a text that says what the model declared wrongly.
 */
VFK_API int vfk_device_open_model(const struct vfk_model_ops *ops, const char *params,
				  const struct vfk_open_opts *opts, struct vfk_device **dev);

/** vfk_model_bundled - the bundled models, one by one; @i: 0 and up. Returns static ops; NULL past the last */
VFK_API const struct vfk_model_ops *vfk_model_bundled(size_t i);

VFK_END

#endif
