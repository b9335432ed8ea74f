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
#include <vfiokit/bar.h>
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

	/**
	 * region_read, region_write - an access to a region that is neither BAR nor config space
	 *
	 * Of VFIO_PCI_VGA_REGION_INDEX (@off is the legacy address: 0x3b0 to 0x3bb, 0x3c0 to 0x3df, 0xa0000 to
	 * 0xbffff, @off + @len inside one of them), of VFIO_PCI_ROM_REGION_INDEX where it was declared without data
	 * (reads only), and of the model's own regions that have no memory. @off + @len lies inside the region; @len is
	 * any size > 0. Return the count, 1 to @len, or -errno. NULL: -EIO.
	 */
	ssize_t (*region_read)(struct vfk_model *model, void *self, unsigned int region,
			       uint64_t off, void *buf, size_t len);
	ssize_t (*region_write)(struct vfk_model *model, void *self, unsigned int region,
				uint64_t off, const void *buf, size_t len);
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

/** struct vfk_model_bar - a BAR; zero-initialise, set size */
struct vfk_model_bar {
	size_t size; /* sizeof(struct vfk_model_bar) */
	uint64_t length; /* a power of two: memory at least 16, I/O 4 to 256; less than a page may have fd, too */
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

/** users may map the pages of table and pending bits, too: VFIO_REGION_INFO_CAP_MSIX_MAPPABLE */
#define VFK_MSIX_MAPPABLE (1u << 0)

/** struct vfk_model_msix - an MSI-X capability; zero-initialise, set size */
struct vfk_model_msix {
	size_t size;		/* sizeof(struct vfk_model_msix) */
	unsigned int vectors;	/* 1 to 2048 */
	unsigned int table_bar; /* a memory BAR, declared before */
	unsigned int pba_bar;	/* the same, or another one */
	uint32_t table;		/* offset of the table in its BAR, 8-byte aligned */
	uint32_t pba;		/* offset of the pending bits in theirs, 8-byte aligned */
	uint32_t flags;		/* VFK_MSIX_* */
};

/**
 * vfk_model_add_msix_split - an MSI-X capability with table and pending bits where @msix says
 *
 * As vfk_model_add_msix(). They must not lie in memory that users may map, unless flags say VFK_MSIX_MAPPABLE: then who
 * maps the page sees the model's memory there, while accesses by message, and interrupts, know the toolkit's table only.
 */
VFK_API int vfk_model_add_msix_split(struct vfk_model *model, const struct vfk_model_msix *msix);

/**
 * vfk_model_set_irq_flags - what the info of MSI or MSI-X says
 * @index: VFIO_PCI_MSI_IRQ_INDEX or VFIO_PCI_MSIX_IRQ_INDEX, declared before
 * @flags: of VFIO_IRQ_INFO_MASKABLE (only with mask bits, as MSI-X has; SET_IRQS may mask single vectors) and
 *	VFIO_IRQ_INFO_NORESIZE (vectors are added by disabling and arming anew; MSI always)
 *
 * Without this call both say MASKABLE where they can, and MSI-X does not say NORESIZE. vfio-pci never says MASKABLE for
 * them, and says NORESIZE for MSI-X where it cannot allocate vectors one by one.
 *
 * Returns 0; -EINVAL.
 */
VFK_API int vfk_model_set_irq_flags(struct vfk_model *model, unsigned int index, uint32_t flags);

/** vfk_model_add_pm - a power management capability (PCI PM 1.2): D0 and D3hot, no PME. Returns 0; -EEXIST; -ENOSPC */
VFK_API int vfk_model_add_pm(struct vfk_model *model);

#define VFK_PM_D1 (1u << 0) /* the state D1 */
#define VFK_PM_D2 (1u << 1) /* the state D2 */
#define VFK_PM_SOFT_RESET \
	(1u << 2) /* No_Soft_Reset is clear: the way from D3hot to D0 resets the device */

/**
 * vfk_model_add_pm_states - a power management capability with more to it
 * @flags: VFK_PM_*
 *
 * In every state but D0 BARs do not answer (-EIO), and the device does no DMA. A device with either kind of power
 * management capability also has the features VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, _ENTRY_WITH_WAKEUP and _EXIT, as
 * vfio-pci has them: whatever reaches the device wakes it; see vfk_model_wake(). Memory that users have mapped stays
 * what it is: who wants to know that it is out of bounds meanwhile asks vfk_model_low_power().
 *
 * Returns 0; -EINVAL; -EEXIST; -ENOSPC.
 */
VFK_API int vfk_model_add_pm_states(struct vfk_model *model, uint32_t flags);

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

/** vfk_model_add_doorbell: only writes of the given value */
#define VFK_DOORBELL_MATCH (1u << 0)

/**
 * vfk_model_add_doorbell - a register that an eventfd can stand for (vfio-user's ioeventfds)
 * @bar: declared before
 * @off: aligned to @width
 * @width: 1, 2, 4 or 8
 * @flags: VFK_DOORBELL_MATCH or 0
 * @value: what bar_write is given; without MATCH the value of the write is lost, and this stands for any
 *
 * A user that takes the eventfd (vfk_region_get_io_fds(), a monitor that gives it to KVM) writes the register by signalling
 * it, without waiting: the model's bar_write is called soon after, once for all signals since it was last called. It is not
 * called while decoding is off. Writes by the usual way reach bar_write as ever. The eventfds are watched by dispatch where the
 * opener said VFK_OPEN_DISPATCH, else by the worker thread, which is started when somebody takes them.
 *
 * Returns 0; -EINVAL; -EEXIST it overlaps another, and is not the same register with another value; -ENOSPC more than 256;
 * -ENOMEM.
 */
VFK_API int vfk_model_add_doorbell(struct vfk_model *model, unsigned int bar, uint64_t off,
				   unsigned int width, uint32_t flags, uint64_t value);

/**
 * struct vfk_model_cap - a capability of any kind; zero-initialise, set size
 *
 * Everything in it is borrowed for the call. What its bits mean is the model's business: see config_write.
 */
struct vfk_model_cap {
	size_t size;	      /* sizeof(struct vfk_model_cap) */
	uint16_t id;	      /* PCI_CAP_ID_*, PCI_EXT_CAP_ID_* of <linux/pci_regs.h> */
	uint8_t version;      /* 0 to 15; of extended capabilities */
	const void *data;     /* what follows the header; NULL: zeros */
	const void *writable; /* as long: bits that can be written; NULL: none */
	const void *clears;   /* as long: bits that a written 1 clears; NULL: none */
	size_t len;	      /* 0 to 190; extended 0 to 3836 */
};

/**
 * vfk_model_add_cap - a capability in the first 256 bytes (PCI 3.0 section 6.7)
 * @cap: its header is two bytes, id and next
 * @off: set to the capability's offset in config space; may be NULL
 *
 * Those that the toolkit acts on (power management, MSI, MSI-X, PCI Express) have functions of their own, and are
 * -EINVAL here. Returns 0; -EINVAL; -ENOSPC.
 */
VFK_API int vfk_model_add_cap(struct vfk_model *model, const struct vfk_model_cap *cap,
			      unsigned int *off);

/**
 * vfk_model_add_ext_cap - an extended capability, from 0x100 on (PCIe 6.0 section 7.6)
 * @cap: its header is four bytes: id, version, next
 * @off: set to the capability's offset in config space; may be NULL
 *
 * Returns 0; -EINVAL, also where PCI Express was not declared before; -ENOSPC.
 */
VFK_API int vfk_model_add_ext_cap(struct vfk_model *model, const struct vfk_model_cap *cap,
				  unsigned int *off);

/** reads end where the data does, short; what begins behind it is -EIO */
#define VFK_ROM_SHORT (1u << 0)

/** struct vfk_model_rom - an expansion ROM; zero-initialise, set size */
struct vfk_model_rom {
	size_t size;	  /* sizeof(struct vfk_model_rom) */
	const void *data; /* its content; copied. NULL: reads go to the model's region_read */
	size_t len;	  /* of data */
	uint64_t length; /* of the region: a power of two, 2 KiB to 2 GiB; 0: the least that holds the data */
	uint32_t flags; /* VFK_ROM_* */
};

/**
 * vfk_model_add_rom - an expansion ROM (PCI 3.0 section 6.2.5.2), region VFIO_PCI_ROM_REGION_INDEX
 *
 * Its BAR is sized by the BAR protocol. The region is read-only, and answers as vfio-pci's does: only while memory
 * decoding is on, else -EIO, whatever the enable bit of its BAR; what lies behind the data reads as ones. Nobody looks
 * at whether the data is an image.
 *
 * Returns 0; -EINVAL; -EEXIST; -ENOMEM.
 */
VFK_API int vfk_model_add_rom(struct vfk_model *model, const struct vfk_model_rom *rom);

/**
 * vfk_model_add_vga - legacy VGA, region VFIO_PCI_VGA_REGION_INDEX, of 0xc0000 bytes
 *
 * Accesses to the legacy ranges go to the model's region_read and region_write, cut off where their range ends; others
 * are -EINVAL. As in vfio-pci, decoding has no part in it. Returns 0; -EEXIST.
 */
VFK_API int vfk_model_add_vga(struct vfk_model *model);

/** struct vfk_model_region - a region of the model's own; zero-initialise, set size, fd and flags */
struct vfk_model_region {
	size_t size;	  /* sizeof(struct vfk_model_region) */
	uint64_t length;  /* > 0 */
	uint32_t flags;	  /* VFIO_REGION_INFO_FLAG_READ, _WRITE */
	uint32_t type;	  /* VFIO_REGION_INFO_CAP_TYPE */
	uint32_t subtype; /* of type */
	int fd; /* as in struct vfk_model_bar, as the next three; -1: the model answers accesses */
	uint64_t fd_offset;
	const struct vfk_region_area *areas;
	uint32_t num_areas;
};

/**
 * vfk_model_add_region - a device-specific region, behind those of vfio-pci
 * @index: set to its index, VFIO_PCI_NUM_REGIONS and up; may be NULL
 *
 * Returns 0; -EINVAL; -EMFILE; -ENOSPC there are 16.
 */
VFK_API int vfk_model_add_region(struct vfk_model *model, const struct vfk_model_region *region,
				 unsigned int *index);

/** struct vfk_model_function - a function of a slot */
struct vfk_model_function {
	uint16_t segment;
	uint8_t bus;
	uint8_t devfn; /* device << 3 | function */
	bool owned;    /* it belongs to whoever has this device, or to nobody */
};

/**
 * vfk_model_add_hot_reset - the slot can be reset (VFIO_DEVICE_PCI_HOT_RESET), in process
 * @functions: all that such a reset resets, the first one being the device itself, which is owned; copied
 * @count: 1 to 8
 *
 * The device answers as the kernel does by cdev: with ids (1 for the first function, and so on), and without groups. A
 * reset is the model's reset; while one function is not owned it is refused (-EINVAL). vfio-user has no such command.
 *
 * Returns 0; -EINVAL; -EEXIST.
 */
VFK_API int vfk_model_add_hot_reset(struct vfk_model *model,
				    const struct vfk_model_function *functions, size_t count);

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

/**
 * vfk_model_config_set - write config space at @off from the device's side: no masks
 *
 * Inside init it may also break what was declared, the links of a capability chain for one: the toolkit itself does not
 * walk them. Returns 0; -EINVAL.
 */
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

/**
 * vfk_model_limit_vectors - fewer vectors can be had than there are
 * @index: VFIO_PCI_MSI_IRQ_INDEX or VFIO_PCI_MSIX_IRQ_INDEX, declared before
 * @vectors: how many at once; 0: none
 *
 * As where the interrupt controller of a machine has no more: SET_IRQS that would enable more arms nothing and says how
 * many there are, or, none or to add some, -ENOSPC. What is armed stays. Inside the model's functions only.
 *
 * Returns 0; -EINVAL.
 */
VFK_API int vfk_model_limit_vectors(struct vfk_model *model, unsigned int index,
				    unsigned int vectors);

/** vfk_model_error - an uncorrectable error happened: signals VFIO_PCI_ERR_IRQ_INDEX, if somebody listens */
VFK_API void vfk_model_error(struct vfk_model *model);

/** vfk_model_request - the device is asked back: signals VFIO_PCI_REQ_IRQ_INDEX, if somebody listens */
VFK_API void vfk_model_request(struct vfk_model *model);

/**
 * vfk_model_wake - the device wakes up by itself, as by PME
 *
 * A wake-up eventfd that was given with LOW_POWER_ENTRY_WITH_WAKEUP is signalled, and the device stays awake; else
 * nothing happens.
 */
VFK_API void vfk_model_wake(struct vfk_model *model);

/** vfk_model_low_power - whether the device may sleep: between a low power entry and an exit, or a wake-up that ended it */
VFK_API bool vfk_model_low_power(const struct vfk_model *model);

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
	void *priv;    /* the toolkit's */
	uint64_t iova; /* where it begins */
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

/**
 * vfk_dma_ref_at - find a range in memory that is held already
 * @ref: from vfk_model_dma_get() and not put since; all zero: holds nothing
 * @len: > 0
 *
 * For a model that comes to the same memory again and again (a ring, a queue): it takes the ring once, all of it, finds
 * each entry by two comparisons, and puts the reference when dma_unmap tells that the mapping goes, or bus mastering is to
 * be looked at again. What vfk_model_dma_get() checked is not checked again: use the range as @prot there said.
 *
 * Returns the address; NULL: the range is not wholly inside, ask vfk_model_dma_get(). Threads: any, beside no put.
 */
static inline void *vfk_dma_ref_at(const struct vfk_dma_ref *ref, uint64_t iova, size_t len)
{
	uint64_t off = iova - ref->iova;

	return off < ref->len && len <= ref->len - off ? (char *)ref->ptr + off : NULL;
}

/** vfk_model_dma_put - give back what vfk_model_dma_get() took; memory taken to be written counts as written, all of it */
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
