/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_bar.h - the BARs of a PCI device, and access to the registers behind them.
 *
 *	vfk_pci_bar_map(pci, 0);			optional: accesses become loads and stores
 *	vfk_pci_write32(pci, 0, DOORBELL, tail);
 *	vfk_pci_read32(pci, 0, STATUS, &status);
 *
 * An access by vfk_pci_read*() or vfk_pci_write*() goes through the BAR's mapping where there is one, and by the vector
 * (vfk_region_get(), vfk_region_put()) where not; what it does is the same. A driver that wants the address itself has
 * vfk_pci_bar_map_range().
 *
 * Decoding. Without memory decoding in the command register the BARs are not there: an access by the vector fails, with
 * -EIO of a kernel device; one through a mapping of a kernel device raises SIGBUS. From when it is turned off, by
 * vfk_pci_set_decode(), a write of the command register through pci.h or by a guest (pci_virtual.h), or because it was off
 * before a ROM was read, until it is turned on so, typed accesses go by the vector. What this library does not see, a
 * device that never decoded, or an address of vfk_pci_bar_map_range(), is the driver's to keep: decoding is on before the
 * first mapped access, and stays on until the last.
 *
 * Order. Through mappings, a vfk_pci_write*() comes after every store to memory that the thread made before it, so a
 * descriptor written before its doorbell is seen; a vfk_pci_read*() comes before every load that the thread makes after
 * it; accesses of one thread to one BAR reach the device in their order. These are the promises of Linux's writel() and
 * readl(). The order between an access through a mapping and one by the vector is undefined: a driver that needs it
 * reads a register of the mapping back first. Raw pointers promise nothing, see vfk_pci_wmb().
 *
 * Writes are posted: they have reached the device for certain when a read of the same BAR that was made after them has
 * returned (PCI 3.0 section 3.2.5).
 */
#ifndef VFK_PCI_BAR_H
#define VFK_PCI_BAR_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/api.h>
#include <vfiokit/bar.h>
#include <vfiokit/io.h>
#include <vfiokit/pci.h>

VFK_BEGIN

#define VFK_PCI_NUM_BARS 6

/* ---- what they are ---- */

/** struct vfk_pci_bar_info - a BAR (PCI 3.0 section 6.2.5.1); constant */
struct vfk_pci_bar_info {
	uint32_t flags; /* VFK_BAR_*; 0 where size is 0 */
	bool upper; /* the upper half of the 64-bit BAR before it, which has no size of its own */
	uint64_t size; /* bytes, as the region of that index has them; 0: nothing there */
	/*
	 * What contradicts itself in it, NULL: nothing; borrowed, valid as long as the struct vfk_pci. A driver can
	 * live with it, since an access names region and offset, and the size bounds it; whoever shows the BAR to a
	 * guest should refuse.
	 */
	const char *oddity;
};

/**
 * vfk_pci_bar_get_info - what a BAR is
 * @bar: 0 to 5; those that the type of header does not have are of size 0
 *
 * Type, width and prefetch are those of the BAR register, the size is that of the region, both read at open. A register
 * that says "64 bits" where that cannot be (in the last place, or with a size in the next one) is told as an oddity;
 * so is a size that is no power of two, too small for its kind, or beyond what the register can hold.
 *
 * Returns 0; -EINVAL @bar; -EPROTO, or what the device said, where it would not tell what the region is.
 */
VFK_API int vfk_pci_bar_get_info(const struct vfk_pci *pci, unsigned int bar,
				 struct vfk_pci_bar_info *info);

/**
 * vfk_pci_bar_next_area - walk those parts of a BAR that can be mapped
 * @area: zeroed to begin with; what the last call set to go on; set to the next one, which begins at a page
 *
 * They are the areas of the region (vfk_region_get_info()) without the pages that MSI-X table and pending bits lie on,
 * unless the region has VFIO_REGION_INFO_CAP_MSIX_MAPPABLE. Where something else is on such a page, it is reached by
 * the vector.
 *
 * Returns 1; 0 there is none left; as vfk_pci_bar_get_info().
 */
VFK_API int vfk_pci_bar_next_area(const struct vfk_pci *pci, unsigned int bar,
				  struct vfk_region_area *area);

/* ---- mapping ---- */

/**
 * vfk_pci_bar_map - have the registers of a BAR accessed through mappings
 *
 * Maps each area that vfk_pci_bar_next_area() tells, as the region's flags permit. A BAR that is mapped stays as it is;
 * one with nothing to map, too, and that is success: all accesses go by the vector, as before. vfk_pci_bar_unmap() or
 * vfk_pci_close() undoes it.
 *
 * The mapping is uncached where the device is hardware. One that combines writes is the caller's affair: VFIO has no
 * way to ask for it by mmap, so a driver that needs it maps the BAR by other means and accesses it with its own code.
 *
 * Returns 0; -EINVAL @bar; -EPROTO a peer's file is shorter than it said; -ENOSPC the guard is full; -ENOMEM; as
 * vfk_pci_bar_get_info(). On failure nothing is mapped.
 */
VFK_API int vfk_pci_bar_map(struct vfk_pci *pci, unsigned int bar);

/**
 * vfk_pci_bar_unmap - have the registers of a BAR accessed by the vector again
 *
 * Accesses that are under way in other threads are waited for. Returns 0, also where it was not mapped; -EINVAL @bar;
 * -EBUSY an access has not ended for 5 seconds (somebody left it by longjmp?): it stays mapped.
 */
VFK_API int vfk_pci_bar_unmap(struct vfk_pci *pci, unsigned int bar);

/**
 * vfk_pci_bar_map_range - map part of a BAR for the caller's own accesses
 * @off: where it begins, at any byte
 * @len: bytes, > 0
 * @prot: PROT_READ, PROT_WRITE or both, as the region's flags permit
 * @addr: set to the address of the byte at @off; vfk_pci_bar_unmap_range() or vfk_pci_close() takes it back
 *
 * The range lies inside one area of vfk_pci_bar_next_area(). What is behind the address is little-endian. Accesses are
 * made through volatile pointers, naturally aligned, of the widths that the device takes; <vfiokit/pci_bar.h> says at its
 * head when they are allowed and below, with vfk_pci_wmb(), how they are ordered; after them vfk_device_check()
 * tells whether a peer took the memory away. Resets and power states below D0 forbid them.
 *
 * Returns 0; -ENOTSUP the range, or part of it, cannot be mapped; -EINVAL @bar, empty, beyond the end, not one area;
 * -EACCES @prot; as vfk_pci_bar_map().
 */
VFK_API int vfk_pci_bar_map_range(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint64_t len,
				  int prot, void **addr);

/** vfk_pci_bar_unmap_range - take back what vfk_pci_bar_map_range() gave. Returns 0; -ENOENT it did not give @addr */
VFK_API int vfk_pci_bar_unmap_range(struct vfk_pci *pci, void *addr);

/* ---- registers ---- */

/**
 * vfk_pci_read8, _read16, _read32, _read64 - read a register
 * @off: in the BAR
 * @value: set to its value in host order; untouched on failure
 *
 * The device sees one access, little-endian. Through the mapping if @off is a multiple of the width (and a 64-bit one
 * only where a pointer has 64 bits), else by the vector, which passes it on as it is. No lock, no allocation. It must
 * not be left by longjmp out of a signal handler.
 *
 * Returns 0; -EINVAL @bar, or beyond its end; -EACCES the region cannot be read; -EIO; -EPROTO a page of the mapping was
 * taken away by the device's process (with a guard); as vfk_region_get().
 */
VFK_API int vfk_pci_read8(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint8_t *value);
VFK_API int vfk_pci_read16(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint16_t *value);
VFK_API int vfk_pci_read32(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint32_t *value);
VFK_API int vfk_pci_read64(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint64_t *value);

/** vfk_pci_write8, _write16, _write32, _write64 - write a register; as the reads; -EACCES it cannot be written */
VFK_API int vfk_pci_write8(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint8_t value);
VFK_API int vfk_pci_write16(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint16_t value);
VFK_API int vfk_pci_write32(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint32_t value);
VFK_API int vfk_pci_write64(struct vfk_pci *pci, unsigned int bar, uint64_t off, uint64_t value);

/* ---- barriers for raw pointers ---- */

/*
 * vfk_pci_wmb - stores to memory and to mapped BARs before it are seen by the device before stores after it
 * vfk_pci_rmb - loads from memory and from mapped BARs before it are done before loads after it
 *
 *	ring[tail] = descriptor;	status = *interrupt_status;
 *	vfk_pci_wmb();			vfk_pci_rmb();
 *	*doorbell = tail;		completion = ring[head];
 *
 * C11's fences are no substitute. They order accesses between threads, which see each other's caches: on arm64 they
 * reach as far as the other CPUs ("inner shareable") and no device; on POWER a release fence is lwsync, which leaves
 * device memory alone; and on x86 it is nothing but a hint to the compiler, which is enough for a mapping that is
 * uncached, and not for one that combines writes. These two are enough for both. volatile is needed as well, it keeps
 * the compiler from merging or splitting an access.
 *
 * Of an architecture that is not listed here they are not declared, and the library reaches its BARs by the vector.
 */
#if defined(__x86_64__)
#define VFK_PCI_WMB "sfence"
#define VFK_PCI_RMB "lfence"
#elif defined(__aarch64__)
#define VFK_PCI_WMB "dmb oshst"
#define VFK_PCI_RMB "dmb oshld"
#elif defined(__powerpc64__)
#define VFK_PCI_WMB "sync"
#define VFK_PCI_RMB "sync"
#elif defined(__riscv)
#define VFK_PCI_WMB "fence ow, ow"
#define VFK_PCI_RMB "fence ir, ir"
#endif

#ifdef VFK_PCI_WMB
static inline void vfk_pci_wmb(void)
{
	__asm__ __volatile__(VFK_PCI_WMB : : : "memory");
}

static inline void vfk_pci_rmb(void)
{
	__asm__ __volatile__(VFK_PCI_RMB : : : "memory");
}
#endif

VFK_END

#endif
