/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_virtual.h - the device as a virtual machine monitor shows it to its guest.
 *
 * A guest may not have the device's config space and MSI-X table as they are: addresses in them are the host's, some
 * capabilities make no sense on a virtual bus, and what the guest writes there has to become calls on interrupts and
 * mappings. A struct vfk_pci_virtual keeps a *virtual config space* of emulated bits over the device's own, *virtual
 * BARs* over its regions, and the MSI-X table and PBA; it does what follows from the guest's accesses, and tells the
 * monitor what the monitor has to do.
 *
 *	vfk_pci_virtual_create(pci, &opts, &v);
 *	vfk_pci_virtual_hide_cap(v, ...), _add_cap(v, ...), _emulate(v, ...)	what is to be different for this guest
 *	vfk_pci_virtual_reset(v);						the guest is switched on
 *	... on the guest's accesses:
 *	vfk_pci_virtual_config_read(v, ...), _config_write(v, ...)
 *	vfk_pci_virtual_bar_read(v, ...), _bar_write(v, ...)			where the BAR is not mapped into the guest
 *	... in bar_changed():
 *	vfk_pci_virtual_bar_areas(v, ...)					what of it can be mapped into the guest
 *	... in irq_changed(), vector_changed():
 *	vfk_pci_virtual_get_vector(v, ...)					message and eventfd, for an irqfd and its route
 *	vfk_pci_virtual_destroy(v);
 *
 * What the guest sees that the device does not have so:
 *
 *	ids, class, multifunction bit	as @opts say, else the device's
 *	BARs				registers of the library's; size and type of the regions; the device's own hold the
 *					host's addresses and are not written
 *	ROM BAR				the same; none for a ROM above VFK_PCI_ROM_MAX; images of the device's have the ids that are
 *					shown
 *	I/O and memory enable		what the guest wrote, which the device gets, too
 *	interrupt line			of the guest's firmware alone
 *	interrupt pin			0 where the device has no INTx interrupt to give
 *	MSI, MSI-X			kept by the library; the enable, mask-all and vector-count bits are also written to the device, as
 *					some servers look at them
 *	PCI Express			device type and link as the guest's bus makes them necessary: @bus; the link's control
 *					register is the guest's alone
 *	every next pointer		only what is shown is linked; a list that is broken ends at the break
 *
 * Hidden unless VFK_PCI_VIRTUAL_KEEP_CAPS is given:
 *
 *	SR-IOV, MR-IOV			virtual functions would be devices of the host's
 *	ARI				says what the next function is, on the host's bus
 *	Resizable BAR, VF Resizable BAR	the virtual BARs have one size
 *	Enhanced Allocation		its addresses are the host's, and cannot be moved
 *	ATS, PRI, PASID			translations of the host's IOMMU
 *	L1 PM Substates, PTM		belong to both ends of the link: the other one is the host's
 *	a second MSI or MSI-X capability, and one that does not fit where it stands, or whose table is outside of its BAR
 *
 * The rest is shown as it is, vendor-specific ones included. A hidden capability's registers read as 0 and take no writes,
 * as far as the library knows how long it is.
 *
 * Errors are those of the table in io.h; every failure sets vfk_error().
 *
 * Threads. create and destroy alone; everything else from any number of threads at once. The virtual device has a lock of
 * its own, before that of struct vfk_pci. The monitor's callbacks run in the thread of the call that caused them, after the
 * state has changed, with no lock held: they may call whatever they like here, and where several threads cause changes
 * they may come late, so they ask for the state rather than trust their arguments' order.
 *
 * Registers: PCI Local Bus Specification 3.0 ("PCI 3.0"), PCI Express Base Specification 6.0 ("PCIe 6.0").
 */
#ifndef VFK_PCI_VIRTUAL_H
#define VFK_PCI_VIRTUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vfiokit/api.h>
#include <vfiokit/bar.h>
#include <vfiokit/io.h>
#include <vfiokit/pci.h>

VFK_BEGIN

struct vfk_pci_virtual;

/** no address: the BAR's decoding is off, or it has not been given one */
#define VFK_PCI_UNMAPPED UINT64_MAX

/** the ROM, where a BAR's number is asked for: 0 to 5 are the BARs */
#define VFK_PCI_VIRTUAL_ROM  6
#define VFK_PCI_VIRTUAL_BARS 7

/**
 * struct vfk_pci_virtual_ops - what the monitor is told; each may be NULL
 */
struct vfk_pci_virtual_ops {
	size_t size; /* sizeof(struct vfk_pci_virtual_ops) */

	/*
	 * The guest enabled an interrupt (VFIO_PCI_INTX_IRQ_INDEX, _MSI_, _MSIX_) with that many vectors, or disabled it: 0.
	 * One at a time is enabled; INTx is while no other is. Its vectors are asked for with vfk_pci_virtual_get_vector().
	 */
	void (*irq_changed)(void *arg, uint32_t index, uint32_t num_vectors);

	/* A vector of the enabled interrupt may have another message, mask or eventfd. */
	void (*vector_changed)(void *arg, uint32_t index, uint32_t vector);

	/* The guest's address of a BAR (or VFK_PCI_VIRTUAL_ROM) is another one: VFK_PCI_UNMAPPED where there is none now. */
	void (*bar_changed)(void *arg, unsigned int bar, uint64_t address);

	/* The guest put the device into D0 to D3 (@state 0 to 3). */
	void (*power_changed)(void *arg, unsigned int state);
};

/** where the guest sees the device: PCIe 6.0 section 7.5.3.2 allows a type only there */
enum vfk_pci_virtual_bus {
	/* no PCI Express: the capability as it is, no extended ones */
	VFK_PCI_BUS_CONVENTIONAL,
	/* in a root complex: an endpoint is an integrated one, without a link; a legacy endpoint has no such capability */
	VFK_PCI_BUS_ROOT,
	/* below a port: an integrated endpoint is one with a link, which is made up */
	VFK_PCI_BUS_PORT,
};

/** where the guest sees the MSI-X table: where the device has it */
#define VFK_PCI_MSIX_KEEP   0u
/** in another place if it shares a page with other registers, which could not be mapped then */
#define VFK_PCI_MSIX_AUTO   1u
/** in BAR @n, 0 to 5 */
#define VFK_PCI_MSIX_BAR(n) ((n) + 2u)

/** ids of struct vfk_pci_virtual_opts that are to be shown */
#define VFK_PCI_VIRTUAL_VENDOR	  (1u << 0)
#define VFK_PCI_VIRTUAL_DEVICE	  (1u << 1)
#define VFK_PCI_VIRTUAL_SUBVENDOR (1u << 2)
#define VFK_PCI_VIRTUAL_SUBDEVICE (1u << 3)
#define VFK_PCI_VIRTUAL_CLASS	  (1u << 4)

/** no capability is hidden for its meaning: the monitor hides what it does not want */
#define VFK_PCI_VIRTUAL_KEEP_CAPS     (1u << 0)
/** the guest sees no ROM */
#define VFK_PCI_VIRTUAL_NO_ROM	      (1u << 1)
/** the bit for several functions in the header type */
#define VFK_PCI_VIRTUAL_MULTIFUNCTION (1u << 2)

struct vfk_pci_virtual_opts {
	size_t size;			       /* sizeof(struct vfk_pci_virtual_opts) */
	const struct vfk_pci_virtual_ops *ops; /* NULL: none; must outlive the virtual device */
	void *arg;			       /* for the ops */
	uint32_t flags;			       /* VFK_PCI_VIRTUAL_KEEP_CAPS, ... */
	enum vfk_pci_virtual_bus bus;
	uint32_t msix; /* VFK_PCI_MSIX_* */
	uint32_t ids;  /* which of the next are shown: VFK_PCI_VIRTUAL_VENDOR, ... */
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class_code;  /* 24 bits */
	const char *rom_file; /* the ROM, for vfk_pci_rom_set_file(); NULL: the device's */
};

/**
 * vfk_pci_virtual_create - a virtual device over a PCI device
 * @pci: borrowed; must outlive the virtual device, of which one at a time should exist for it; its interrupts are left to
 *       the virtual device from vfk_pci_virtual_reset() on
 * @opts: borrowed for the call; NULL: all zero, nothing is changed that need not be
 * @v: set to it, owned by the caller, vfk_pci_virtual_destroy() gives it back; untouched on failure
 *
 * Nothing of the device is changed, no callback is called, and no interrupt is enabled: vfk_pci_virtual_reset() begins.
 *
 * Where the table may go: no I/O BAR; not the upper half of a 64-bit BAR; an unused BAR gets one of the table's size (of 64
 * bits where the next one is unused too); one in use is doubled, and the table is in its upper half: a 32-bit BAR up to
 * 1 GiB, a 64-bit one up to 2 GiB, since the capability's offsets have 32 bits (PCI 3.0 section 6.8.2.4).
 * VFK_PCI_MSIX_AUTO takes an unused one, then the smallest in use; where there is none the table stays.
 *
 * Returns 0; -ENOTSUP a bridge, or a PCI Express device that is no endpoint; -EINVAL options: a size, flag, bus or BAR that
 * is none, or a BAR that the table may not go to; -EPROTO the device's BARs contradict its regions; what
 * vfk_pci_rom_set_file() says of the file; -ENOMEM.
 */
VFK_API int vfk_pci_virtual_create(struct vfk_pci *pci, const struct vfk_pci_virtual_opts *opts,
				   struct vfk_pci_virtual **v);

/** vfk_pci_virtual_destroy - disable the interrupts that it enabled, and forget it; no callback; NULL is allowed */
VFK_API void vfk_pci_virtual_destroy(struct vfk_pci_virtual *v);

/**
 * vfk_pci_virtual_reset - what the guest sees is as after a reset of its machine
 *
 * Decoding, bus mastering and all interrupts but INTx off, BARs without an address, MSI-X entries masked, power state D0.
 * What differs from before is told by callbacks. The device itself is reset by vfk_pci_reset() and the like, before.
 *
 * Returns 0; what enabling INTx or writing the command register failed with: the rest is done.
 */
VFK_API int vfk_pci_virtual_reset(struct vfk_pci_virtual *v);

/* ---- config space ---- */

/**
 * vfk_pci_virtual_config_read - a guest reads a register
 * @off: a multiple of @width, below 4096
 * @width: 1, 2 or 4 bytes
 * @value: set to its value in host order; on any failure to all ones, which is what a guest has to get then
 *
 * The device is asked unless all of the bits are emulated. Beyond the end of config space there are ones, and no failure.
 *
 * Returns 0; -EINVAL @off or @width; what the device failed with.
 */
VFK_API int vfk_pci_virtual_config_read(struct vfk_pci_virtual *v, uint32_t off, unsigned int width,
					uint32_t *value);

/**
 * vfk_pci_virtual_config_write - a guest writes a register
 * @value: bits above @width are -EINVAL
 *
 * The device gets what it keeps itself of the register: the bytes with bits that are not emulated, in one access where
 * all bytes have such, else in aligned parts; emulated bits in them are written as the device has them. Then what follows
 * is done: decoding, interrupts, power; a function-level reset also resets what the guest sees, as
 * vfk_pci_virtual_reset(). On failure the emulated bits are as before.
 *
 * Returns 0; -EINVAL; what the device, or enabling an interrupt, failed with.
 */
VFK_API int vfk_pci_virtual_config_write(struct vfk_pci_virtual *v, uint32_t off,
					 unsigned int width, uint32_t value);

/**
 * vfk_pci_virtual_emulate - emulate some bits of a register
 * @off: any, below the end of config space
 * @width: 1, 2 or 4 bytes; @off a multiple of it
 * @mask: the bits that become the library's
 * @value: what they are
 * @writable: those of them that the guest can change; without effect but on what it reads
 *
 * For a monitor's own quirks. What the library acts on (command, BARs, MSI, MSI-X) keeps its meaning whoever emulates it.
 *
 * Returns 0; -EINVAL @off, @width, or bits that are not in @mask or not in the register.
 */
VFK_API int vfk_pci_virtual_emulate(struct vfk_pci_virtual *v, uint32_t off, unsigned int width,
				    uint32_t mask, uint32_t value, uint32_t writable);

/**
 * vfk_pci_virtual_find_cap - a capability as the guest finds it
 * @extended: in the extended list
 * @id: PCI_CAP_ID_* or PCI_EXT_CAP_ID_*
 * @off: set to its offset; may be NULL
 *
 * Returns 0; -ENOENT the guest finds none.
 */
VFK_API int vfk_pci_virtual_find_cap(struct vfk_pci_virtual *v, bool extended, uint16_t id,
				     uint32_t *off);

/**
 * vfk_pci_virtual_hide_cap - hide all capabilities of an id from the guest
 *
 * Before vfk_pci_virtual_reset(). MSI or MSI-X that is hidden cannot be enabled by the guest.
 *
 * Returns 0; -ENOENT the guest finds none.
 */
VFK_API int vfk_pci_virtual_hide_cap(struct vfk_pci_virtual *v, bool extended, uint16_t id);

/**
 * vfk_pci_virtual_add_cap - add a capability to the standard list, which the device does not have
 * @id: PCI_CAP_ID_*
 * @data: its bytes after id and next pointer; borrowed for the call
 * @len: how many, at least 0; header and data have @len + 2 bytes
 * @writable: which bits of @data the guest can change; NULL: none
 * @off: where: a multiple of 4 from 0x40 on, or 0 for a hole that is free; set to where it is
 *
 * Free is where no capability is, be it hidden, and where the device has zeroes: there may be registers that no
 * capability tells of. A chosen @off is believed to be free of those.
 *
 * Returns 0; -EINVAL @off or @len; -EEXIST a capability is at @off; -ENOSPC no hole; a read that failed; -ENOMEM.
 */
VFK_API int vfk_pci_virtual_add_cap(struct vfk_pci_virtual *v, uint8_t id, const void *data,
				    size_t len, const void *writable, uint32_t *off);

/**
 * vfk_pci_virtual_add_gpudirect_clique - tell NVIDIA's driver which GPUs may reach each other directly
 * @clique: 0 to 15; GPUs of one clique do peer-to-peer DMA, which the monitor has found to work on the host
 *
 * A vendor-specific capability of 8 bytes at 0xc8, or, where the device has one there, at 0xd4, where newer GPUs (Turing and
 * later) look for it: after NVIDIA's notes of 2017 and 2023 (virtual_nvidia.c cites them), as QEMU does.
 *
 * Returns 0; -ERANGE @clique; -ENOTSUP no display controller of NVIDIA's; -EEXIST both places are taken, or it was added.
 */
VFK_API int vfk_pci_virtual_add_gpudirect_clique(struct vfk_pci_virtual *v, unsigned int clique);

/* ---- BARs ---- */

/** struct vfk_pci_virtual_bar - a BAR as the guest sees it */
struct vfk_pci_virtual_bar {
	uint64_t size; /* a power of two; 0: there is none, or it is the upper half of the one before */
	uint32_t flags;	  /* VFK_BAR_* */
	uint64_t address; /* as the guest programmed it, or VFK_PCI_UNMAPPED */
};

/**
 * vfk_pci_virtual_get_bar - size, type and address
 * @bar: 0 to 5, or VFK_PCI_VIRTUAL_ROM
 *
 * Returns 0; -EINVAL @bar.
 */
VFK_API int vfk_pci_virtual_get_bar(struct vfk_pci_virtual *v, unsigned int bar,
				    struct vfk_pci_virtual_bar *info);

/**
 * vfk_pci_virtual_bar_read - a guest reads from a BAR that is not mapped into it, or from the ROM
 * @off: offset in it
 * @buf: filled with bytes as the device has them, wholly: with ones where the device fails or ends
 * @len: as many as the guest's access has; more are allowed
 *
 * MSI-X table and PBA are the library's, the rest is the device's: an access that is in one part reaches the device as one.
 *
 * Returns 0; -EINVAL @bar, or a range beyond the virtual BAR; what the device failed with, @buf being filled.
 */
VFK_API int vfk_pci_virtual_bar_read(struct vfk_pci_virtual *v, unsigned int bar, uint64_t off,
				     void *buf, size_t len);

/** vfk_pci_virtual_bar_write - a guest writes; to the ROM and the PBA without effect; as vfk_pci_virtual_bar_read() */
VFK_API int vfk_pci_virtual_bar_write(struct vfk_pci_virtual *v, unsigned int bar, uint64_t off,
				      const void *buf, size_t len);

/**
 * vfk_pci_virtual_bar_areas - what of a BAR can be mapped into the guest
 * @bar: 0 to 5
 * @address: where the guest has it
 * @areas: filled; offsets are those in the BAR and in the region of the same number (vfk_region_map())
 * @num: how many fit into @areas; set to how many there are, which may be more
 *
 * They are whole pages, and none has the MSI-X table or the PBA in it. Of the last page the region may have only the
 * beginning, which is what vfk_region_map() maps then: the rest of the page is the device's own, or the region would have
 * no area there. A BAR that is smaller than a page is one page if @address is page-aligned, so that the guest can have
 * nothing else in it, and none if not.
 *
 * None while the device is in D1 to D3, in low power, or in a reset: a mapped access would fail.
 *
 * Returns 0; -EINVAL @bar; as vfk_pci_bar_next_area().
 */
VFK_API int vfk_pci_virtual_bar_areas(struct vfk_pci_virtual *v, unsigned int bar, uint64_t address,
				      struct vfk_region_area *areas, size_t *num);

/* ---- interrupts ---- */

/** struct vfk_pci_virtual_vector - a vector as the guest set it up */
struct vfk_pci_virtual_vector {
	uint64_t address; /* of the message; 0 for INTx */
	uint32_t data;
	bool masked; /* by the guest: by entry, capability, or the function's mask */
	int eventfd; /* what is signalled; borrowed, valid until another interrupt is enabled; -1: not armed */
};

/**
 * vfk_pci_virtual_get_vector - a vector of the interrupt that is enabled
 * @index: VFIO_PCI_INTX_IRQ_INDEX, _MSI_, _MSIX_
 *
 * An MSI-X vector gets its eventfd when the guest unmasks it for the first time; of a device whose irq info says
 * VFIO_IRQ_INFO_NORESIZE as many as can be had are enabled with MSI-X itself, without one. While it is masked the eventfd
 * is not signalled, so it can stay with the guest's irqfds. INTx is masked by the device whenever it fires, and unmasked
 * by vfk_pci_irq_unmask() or a resample eventfd, vfk_pci_irq_set_resample_fd(), when the guest has acknowledged it.
 *
 * Returns 0; -EINVAL @index is not what is enabled, or has no such vector.
 */
VFK_API int vfk_pci_virtual_get_vector(struct vfk_pci_virtual *v, uint32_t index, uint32_t vector,
				       struct vfk_pci_virtual_vector *info);

VFK_END

#endif
