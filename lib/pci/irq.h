/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.h - interrupts of a PCI device: what is armed and masked, and how it comes back after the device was quiet.
 *
 * What the library remembers is complete: from it alone everything can be armed again, without the caller.
 *
 * Threads: everything with the lock held, but for what is constant.
 */
#ifndef VFKI_PCI_IRQ_H
#define VFKI_PCI_IRQ_H

#include <stdbool.h>
#include <stdint.h>
#include <vfiokit/device.h>
#include <vfiokit/pci_irq.h>

struct vfk_pci;
struct vfki_signaller;

struct vfki_pci_vector {
	int fd;	       /* its user's; -1: not armed; owned */
	int collector; /* in the device's hands while the library masks; -1: not made yet; owned */
	bool masked;
	bool owed; /* a signal may have been lost while it was masked: unmask gives one */
};

/* INTx, MSI or MSI-X, enabled or about to be. */
struct vfki_pci_vectors {
	struct vfk_irq_info info; /* its index is VFK_PCI_IRQ_NONE where nothing is enabled */
	bool forgets;  /* a message that comes while an eventfd is exchanged may be lost */
	uint32_t base; /* enabled at once; the rest was added one by one; 0: none, still enabled */
	uint32_t num;  /* enabled */
	struct vfki_pci_vector *vector; /* info.count of them */
	int *fds;			/* as many, for the device; of one call */
	int resample;			/* INTx's; -1: none; owned */
};

/* What early setup found; constant. */
struct vfki_pci_msix {
	int result;    /* of vfk_pci_msix_get_info() */
	char why[256]; /* its text; of a failure */
	struct vfk_pci_msix_info info;
};

struct vfki_pci_irqs {
	struct vfki_pci_msix msix;
	struct vfki_pci_vectors now;
	bool quiesced; /* off in the device, whatever now says */
	bool unsure;   /* quiesced, but the device did not take that it is off: to be said again */
	uint32_t notifiers; /* bit n: that of index n has an eventfd */
	struct vfki_signaller *signaller;
};

/* irq.c */
int vfki_pci_irqs_init(struct vfk_pci *pci);
/* Disables what is enabled. */
void vfki_pci_irqs_fini(struct vfk_pci *pci);
/* What a kind is; a count of 0 where the device does not have it. Returns 0 or a transport error. */
int vfki_pci_irq_info(struct vfk_pci *pci, uint32_t index, struct vfk_irq_info *info);
/* Whether @vector is one of the enabled ones: 0 or -EINVAL with a text. */
int vfki_pci_irq_check(struct vfk_pci *pci, uint32_t vector);
const char *vfki_pci_irq_name(uint32_t index);

/* irq_vectors.c: what is remembered */
void vfki_pci_vectors_init(struct vfki_pci_vectors *v);
/* @n vectors with duplicates of @fds, or with new eventfds; on failure @v is as after init. */
int vfki_pci_vectors_make(struct vfk_pci *pci, struct vfki_pci_vectors *v,
			  const struct vfk_irq_info *info, uint32_t n, const int *fds);
void vfki_pci_vectors_shrink(struct vfki_pci_vectors *v, uint32_t n);
/* Closes everything. */
void vfki_pci_vectors_release(struct vfki_pci_vectors *v);
/* A duplicate of a caller's eventfd, or a new one for @fd -1: or -errno with a text. */
int vfki_pci_eventfd(struct vfk_pci *pci, int fd, uint32_t vectors);
/* The text of -EMFILE: says the limit. */
int vfki_pci_descriptors_short(struct vfk_pci *pci, uint32_t vectors);

/* irq_arm.c: what is in the device */
/* Arms the vectors of @v from @start on with what the device is to have for them. */
int vfki_pci_vectors_put(struct vfk_pci *pci, struct vfki_pci_vectors *v, uint32_t start,
			 uint32_t count);
/*
 * After the device refused another eventfd for a vector that is armed: the one that is remembered, again. Linux lets go
 * of a vector's eventfd before it takes the next. The text of the refusal stays; with an addition if this fails too.
 */
void vfki_pci_vector_again(struct vfk_pci *pci, uint32_t vector);
/* Enables as many of @v's vectors as can be had, never fewer than @min, and forgets the others. */
int vfki_pci_vectors_arm_most(struct vfk_pci *pci, struct vfki_pci_vectors *v, uint32_t min);
/*
 * Everything was off in the device: armed and masked again as remembered, or all off. The first @before vectors were on
 * before that: what they may have lost is made up for.
 */
int vfki_pci_irqs_rearm(struct vfk_pci *pci, uint32_t before);
/* The same after a failure, whose text stays; with an addition if this fails too, and then it is quiesced. */
void vfki_pci_irqs_come_back(struct vfk_pci *pci);
/* They were off, and messages may have come that nobody received: a signal for each vector. A level is still there. */
void vfki_pci_irqs_bridge_gap(struct vfk_pci *pci);
/* Signals a vector, now or when it is unmasked. */
void vfki_pci_vector_owe(struct vfk_pci *pci, struct vfki_pci_vector *vec);

/*
 * For what makes the device forget its interrupts, resets above all; with the lock held.
 *
 * quiesce: INTx, MSI and MSI-X are off in the device; what was armed and masked is remembered. Idempotent.
 * restore: armed and masked again as remembered; nothing to do is success. A failure leaves it quiesced, and says so.
 */
int vfki_pci_irqs_quiesce(struct vfk_pci *pci);
int vfki_pci_irqs_restore(struct vfk_pci *pci);

/* notifier.c */
/* Takes away those that were set. */
void vfki_pci_notifiers_fini(struct vfk_pci *pci);

/* msix.c */
/* Reads the MSI-X capability. Returns 0, also when what it says is wrong; an access's error. */
int vfki_pci_msix_init(struct vfk_pci *pci);

#endif
