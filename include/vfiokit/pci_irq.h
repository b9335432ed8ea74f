/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_irq.h - interrupts of a PCI device: INTx, MSI, MSI-X, and the notifiers of errors and of device requests.
 *
 * Of INTx, MSI and MSI-X one is enabled at a time, with a number of vectors; each vector has an eventfd, the caller's or
 * one that the library makes. A driver:
 *
 *	n = vfk_pci_irq_enable(pci, VFK_PCI_IRQ_BEST, 1, 8, NULL);
 *	fd = vfk_pci_irq_fd(pci, 0);
 *	vfk_irq_wait(dev, &fd, 1, -1, &count);		(or poll() and read() it)
 *	vfk_pci_irq_disable(pci);
 *
 * MSI and MSI-X are messages: each is one signal. INTx is a level, and its irq info says VFIO_IRQ_INFO_AUTOMASKED: the
 * device masks it with each signal. So its driver's loop is
 *
 *	wait for the eventfd; do what the device's registers ask for; vfk_pci_irq_unmask(pci, 0)
 *
 * in this order. While the device still asserts the line, unmasking signals again: an interrupt that comes between the
 * last look at the registers and the unmask is not lost. A monitor that forwards the end of its guest's interrupt may do
 * the last step by an eventfd instead, vfk_pci_irq_set_resample_fd().
 *
 * A second eventfd is not needed to tell that a vector was masked: a masked vector's signal comes when it is unmasked,
 * once, however often the device raised it.
 *
 * Descriptors. A vector costs the library's own (a duplicate of the caller's, or the one it made), and the device's
 * duplicate where the device is in this process; a vector that the library masks has one more. So 2048 vectors
 * need about 4096 descriptors and the usual soft limit of 1024 is too low. The library leaves RLIMIT_NOFILE alone; where
 * it is the obstacle, the error is -EMFILE and the text tells the limit.
 *
 * Whoever enables interrupts here leaves vfk_irq_set_eventfds(), _mask(), _unmask() and vfk_irq_disable() alone on the same
 * three indices. vfk_irq_trigger() signals what the device has for a vector, which is the library's own while the
 * library masks it.
 *
 * Errors and threads as in pci.h; all of these take the struct's lock.
 */
#ifndef VFK_PCI_IRQ_H
#define VFK_PCI_IRQ_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/api.h>

VFK_BEGIN

struct vfk_pci;

/** no kind is enabled */
#define VFK_PCI_IRQ_NONE UINT32_MAX
/** MSI-X if it can be had, else MSI, else INTx */
#define VFK_PCI_IRQ_BEST (UINT32_MAX - 1)

/* ---- one kind, some vectors ---- */

/**
 * vfk_pci_irq_enable - enable INTx, MSI or MSI-X
 * @index: VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX or VFK_PCI_IRQ_BEST
 * @min: vectors that the caller cannot do without; at least 1, but for MSI-X without a vector
 * @max: vectors that it has a use for; those beyond what the device has are left out. With MSI-X and @min 0, 0 enables
 *       MSI-X without a vector: the device is in that mode, and vectors come one by one with vfk_pci_irq_set_fd()
 * @fds: @max eventfds, borrowed (the library keeps duplicates), -1 for a vector that is not to be armed yet; NULL: the
 *       library makes one for each vector
 *
 * As many vectors as can be had are enabled. Where the device says that it can have only so many, that many are asked for
 * next; where it cannot say how many, half of them; never fewer than @min.
 *
 * What was enabled before is off first, another kind or the same one. Where the new cannot be had it comes back, with its
 * eventfds and masks. Messages that fell into the gap are lost, so each of its armed vectors is signalled once then; the
 * text says so if it could not come back either, see vfk_pci_irq_get_state().
 *
 * Nothing is masked. Bus mastering, which messages need, is vfk_pci_set_master() of pci_reset.h.
 *
 * Returns the number of vectors, @min to @max; -ENOTSUP the device does not have this kind; -ENOSPC fewer than @min can
 * be had; -EINVAL @index, @min above @max or 0, or an @fds that is no eventfd; -EMFILE, -ENFILE, -ENOMEM.
 */
VFK_API int vfk_pci_irq_enable(struct vfk_pci *pci, uint32_t index, uint32_t min, uint32_t max,
			       const int *fds);

/**
 * vfk_pci_irq_disable - disable what is enabled, close the library's eventfds
 *
 * Returns 0, also when nothing was; on failure all is as it was.
 */
VFK_API int vfk_pci_irq_disable(struct vfk_pci *pci);

/** struct vfk_pci_irq_state - what is enabled */
struct vfk_pci_irq_state {
	uint32_t index; /* VFIO_PCI_*_IRQ_INDEX, or VFK_PCI_IRQ_NONE */
	uint32_t count; /* vectors, armed or not; 0 for MSI-X without a vector */
	bool quiesced;	/* off in the device: in low power, in a reset, or because it could not be
			   brought back: vfk_pci_irq_enable() and _disable() end this */
};

/** vfk_pci_irq_get_state - which kind is enabled, with how many vectors */
VFK_API void vfk_pci_irq_get_state(struct vfk_pci *pci, struct vfk_pci_irq_state *state);

/**
 * vfk_pci_irq_fd - a vector's eventfd
 *
 * Takes the lock, so ask once, not with each interrupt.
 *
 * Returns the library's eventfd or duplicate, borrowed: valid until the vector gets another one, another kind is enabled,
 * or interrupts are disabled; -ENOENT the vector is not armed; -EINVAL it is not one of the enabled ones.
 */
VFK_API int vfk_pci_irq_fd(struct vfk_pci *pci, uint32_t vector);

/**
 * vfk_pci_irq_set_fd - give a vector an eventfd, another one, or none
 * @vector: also one beyond those enabled, below the count of the kind's irq info: it and those before it are then
 *          enabled
 * @fd: borrowed, the library keeps a duplicate; -1: the vector is not armed any more
 *
 * A vector beyond those enabled is armed as it is where the irq info lacks VFIO_IRQ_INFO_NORESIZE. Where it says so,
 * everything is disabled and enabled anew with more vectors: messages that fall into that gap are lost, so each vector
 * that was armed is signalled once after it.
 *
 * A mask stays. MSI of a function without mask bits may lose a message while one eventfd is exchanged for another: the
 * new one is signalled once.
 *
 * Returns 0; -EINVAL nothing is enabled, @vector, no eventfd; -ENOSPC there are not so many vectors; -EMFILE, -ENOMEM. On
 * failure all is as it was, or the text says that it could not come back.
 */
VFK_API int vfk_pci_irq_set_fd(struct vfk_pci *pci, uint32_t vector, int fd);

/* ---- masks ---- */

/** who masks a vector */
enum vfk_pci_irq_mask {
	VFK_PCI_IRQ_MASK_DEVICE,  /* its irq info says VFIO_IRQ_INFO_MASKABLE */
	VFK_PCI_IRQ_MASK_LIBRARY, /* the device signals an eventfd of the library's meanwhile */
};

/**
 * vfk_pci_irq_masks_in - who masks the vectors of a kind
 * @index: VFIO_PCI_{INTX,MSI,MSIX}_IRQ_INDEX
 *
 * Returns an enum vfk_pci_irq_mask; -EINVAL @index; -ENOTSUP the device does not have this kind.
 */
VFK_API int vfk_pci_irq_masks_in(struct vfk_pci *pci, uint32_t index);

/**
 * vfk_pci_irq_mask - hold back a vector's signals
 *
 * After it returns the vector's eventfd is not signalled by the device; what was signalled before is in it. A vector that
 * is not armed can be masked, too. Masking INTx is for good, while the device's own automask ends with any unmask.
 *
 * Returns 0, also when it is masked; -EINVAL it is not one of the enabled ones; -EMFILE.
 */
VFK_API int vfk_pci_irq_mask(struct vfk_pci *pci, uint32_t vector);

/**
 * vfk_pci_irq_unmask - let a vector's signals through; one that was held back comes now, once
 *
 * MSI of a function without mask bits (PCI 3.0 section 6.8.1) that the library masks is signalled in any case: a message
 * that the function sends while its eventfd is exchanged may find nobody in a kernel, and a signal too many does less
 * harm than one too few.
 *
 * Returns as vfk_pci_irq_mask().
 */
VFK_API int vfk_pci_irq_unmask(struct vfk_pci *pci, uint32_t vector);

/**
 * vfk_pci_irq_pending - whether a masked vector has something held back
 * @pending: set
 *
 * Asks who masks: the library's eventfd; or the device's pending bits, those of MSI-X in their BAR (whose decoding must be
 * on), of MSI in its capability; for INTx the device's Interrupt Status.
 *
 * Returns 0; -EINVAL the vector is not one of the enabled ones; -EBUSY interrupts are quiesced; -ENOTSUP the device masks
 * and has no pending bits; as vfk_pci_msix_get_info().
 */
VFK_API int vfk_pci_irq_pending(struct vfk_pci *pci, uint32_t vector, bool *pending);

/**
 * vfk_pci_irq_set_resample_fd - unmask INTx whenever an eventfd is signalled
 * @fd: borrowed, the library keeps a duplicate; -1 takes it away; see vfk_irq_set_unmask_eventfd()
 *
 * Ends with INTx. On failure the one before stays, or the text says that it could not come back.
 *
 * Returns 0; -EINVAL INTx is not enabled, or @fd is no eventfd; -ENOTSUP the device cannot; -EMFILE.
 */
VFK_API int vfk_pci_irq_set_resample_fd(struct vfk_pci *pci, int fd);

/* ---- notifiers ---- */

/**
 * vfk_pci_set_err_fd - be told of an uncorrectable error (AER)
 * @fd: borrowed, the device keeps a duplicate; -1 takes it away
 *
 * Independent of the kinds above, and of resets; ends with vfk_pci_close(). After an error the device's state is unknown: reset it.
 *
 * Returns 0; -ENOTSUP the device has no such notifier; -EINVAL no eventfd.
 */
VFK_API int vfk_pci_set_err_fd(struct vfk_pci *pci, int fd);

/** vfk_pci_set_req_fd - be asked to give the device back; signalled again and again until it is; as the one above */
VFK_API int vfk_pci_set_req_fd(struct vfk_pci *pci, int fd);

/* ---- MSI-X: where it is ---- */

/** struct vfk_pci_msix_info - the MSI-X capability (PCI 3.0 section 6.8.2), checked against the BARs; constant */
struct vfk_pci_msix_info {
	uint32_t cap;	/* offset of the capability in config space */
	uint32_t count; /* entries of the table: 1 to 2048 */
	uint32_t usable; /* vectors that can be had: @count, or less where the interrupt's info says less */
	uint32_t table_bar;    /* 0 to 5, which is the region's index too */
	uint64_t table_offset; /* in that BAR; a multiple of 8 */
	uint64_t table_size;   /* bytes: 16 an entry */
	uint32_t pba_bar;      /* where the pending bits are, likewise */
	uint64_t pba_offset;
	uint64_t pba_size; /* bytes: whole quadwords of a bit an entry */
};

/**
 * vfk_pci_msix_get_info - where the MSI-X table and the pending bits of a device are
 * @info: set
 *
 * Found out once, by vfk_pci_open(). A device that gives a wrong place can be opened, and its vectors enabled: only those
 * who reach for table or pending bits need to know.
 *
 * Returns 0; -ENOENT the device has no MSI-X; -EPROTO table or pending bits are in no BAR (an indicator above 5), do not
 * lie inside theirs, or overlap; what asking for a BAR's region info, or for the interrupt's, said.
 */
VFK_API int vfk_pci_msix_get_info(const struct vfk_pci *pci, struct vfk_pci_msix_info *info);

VFK_END

#endif
