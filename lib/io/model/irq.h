/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.h - the interrupts of a model: INTx, MSI, MSI-X, and vfio-pci's error and device-request notifiers.
 *
 * INTx is a level, MSI and MSI-X are messages. SET_IRQS gives eventfds and switches one of the three on; config space
 * and the MSI-X table enable and mask as on the bus. A model raises without asking which of it is in force.
 *
 * Threads: SET_IRQS and everything that follows config space runs under the model's lock; what a model calls to raise
 * may come from any thread, and takes only irqs->lock, which is a leaf: nothing else is taken under it, and signalling
 * an eventfd never blocks.
 */
#ifndef VFKI_MODEL_IRQ_H
#define VFKI_MODEL_IRQ_H

#include "lock.h"
#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vfk_model;
struct vfki_signaller;

#define VFKI_IRQ_NONE	  VFIO_PCI_NUM_IRQS
#define VFKI_MSI_VECTORS  32   /* PCI 3.0, section 6.8.1.3 */
#define VFKI_MSIX_VECTORS 2048 /* PCI 3.0, section 6.8.2.3 */
#define VFKI_MSIX_ENTRY \
	16 /* bytes of a table entry: address, upper address, data, vector control */
#define VFKI_MSIX_CONTROL 12 /* offset of vector control in it */

struct vfki_vector {
	int fd;	      /* -1: disarmed; owned */
	int next;     /* while a SET_IRQS is being prepared; under the model's lock */
	bool masked;  /* by SET_IRQS */
	bool pending; /* raised while it could not be sent */
};

/* MSI or MSI-X. */
struct vfki_messages {
	uint32_t index;	  /* VFIO_PCI_MSI_IRQ_INDEX or _MSIX_ */
	uint32_t count;	  /* vectors declared; 0: no such capability */
	uint32_t granted; /* vectors in use: fewer when fewer were enabled, and NORESIZE */
	uint32_t limit;	  /* how many can be had at once; 0: none */
	uint32_t flags;	  /* VFIO_IRQ_INFO_MASKABLE, _NORESIZE */
	bool enabled;	  /* by config space */
	bool maskable;	  /* has mask and pending bits */
	bool all_masked;  /* MSI-X function mask */
	uint32_t mask;	  /* MSI mask bits */
	uint8_t *table;	  /* MSI-X table, count entries; NULL for MSI */
	struct vfki_vector *vector; /* count of them */
};

struct vfki_irqs {
	struct vfki_lock lock;
	struct vfki_signaller *signaller;
	uint32_t kind; /* which of INTx, MSI, MSI-X SET_IRQS switched on; VFKI_IRQ_NONE */
	struct {
		bool present;
		bool level;    /* as the model drives it; the status register shows it */
		bool masked;   /* by SET_IRQS, or since it was signalled */
		bool disabled; /* in the command register */
		int fd;	       /* -1: none */
		int unmask_fd; /* unmasks when it is signalled; -1: none; under the model's lock */
	} intx;
	struct vfki_messages msi;
	struct vfki_messages msix;
	uint32_t msix_bar; /* where the table is; meaningful when msix.count, as the next ones */
	uint32_t msix_table;
	uint32_t msix_pba_bar;
	uint32_t msix_pba;
	int notifier[2];	 /* ERR, REQ; -1: none; owned */
	_Atomic bool by_message; /* msi.enabled || msix.enabled; read without the lock */
};

/* irq.c */
int vfki_irqs_init(struct vfk_model *m);
void vfki_irqs_fini(struct vfk_model *m);
void vfki_irq_info(const struct vfk_model *m, struct vfio_irq_info *info);
int vfki_irq_set(struct vfk_model *m, const struct vfio_irq_set *set);
/* Follows config space: enables, masks, INTx disable. What is free to go then is signalled. */
void vfki_irqs_apply(struct vfk_model *m);
/* Drops the level and what is pending; what is armed stays. */
void vfki_irqs_reset(struct vfk_model *m);
/* Live bits over @len bytes read from config space at @off: interrupt status, MSI pending. */
void vfki_irqs_overlay(struct vfk_model *m, uint32_t off, uint8_t *buf, size_t len);
/* With the lock held. */
void vfki_irq_signal(struct vfk_model *m, int fd);
/* The n-th bool of @set, true for DATA_NONE. */
bool vfki_irq_wanted(const struct vfio_irq_set *set, uint32_t i);
/* A duplicate of the n-th eventfd of @set: -1 where it holds none; -EINVAL when it is no eventfd, -EMFILE. */
int vfki_irq_take_fd(const struct vfk_model *m, const struct vfio_irq_set *set, uint32_t i,
		     int *fd);
/* -EINVAL with a text that says what is on. */
int vfki_irq_not_enabled(const struct vfk_model *m, uint32_t index);

/* intx.c */
int vfki_intx_set(struct vfk_model *m, const struct vfio_irq_set *set);
/* With the lock held: signals if all that stands in its way is gone. */
void vfki_intx_deliver(struct vfk_model *m);
void vfki_intx_disabled(struct vfk_model *m, bool disabled);
/* Looks at the unmask eventfd, if there is one, and unmasks when it was signalled; returns 1 then, else 0. */
int vfki_intx_resample(struct vfk_model *m);
void vfki_intx_release(struct vfk_model *m);

/* messages.c: both kinds; msix.c: what only MSI-X has. With the lock held but for _init, _fini, _set. */
int vfki_messages_init(struct vfki_messages *msg, uint32_t index, uint32_t count, bool maskable);
void vfki_messages_fini(struct vfki_messages *msg);
int vfki_messages_set(struct vfk_model *m, struct vfki_messages *msg,
		      const struct vfio_irq_set *set);
void vfki_messages_deliver(struct vfk_model *m, struct vfki_messages *msg);
uint32_t vfki_messages_pending(const struct vfki_messages *msg, uint32_t first, uint32_t n);
void vfki_messages_forget(struct vfki_messages *msg);

bool vfki_msix_masked(const struct vfki_messages *msg, uint32_t vector);
void vfki_msix_mask(struct vfki_messages *msg, uint32_t vector, bool masked);
/* Accesses to table and pending bits; @off from their beginning, the range inside. These take the lock. */
void vfki_msix_table_read(struct vfk_model *m, uint64_t off, void *buf, size_t len);
void vfki_msix_table_write(struct vfk_model *m, uint64_t off, const void *buf, size_t len);
void vfki_msix_pba_read(struct vfk_model *m, uint64_t off, void *buf, size_t len);

static inline uint64_t vfki_msix_table_size(const struct vfki_irqs *irqs)
{
	return (uint64_t)irqs->msix.count * VFKI_MSIX_ENTRY;
}

/* Whole quadwords. */
static inline uint64_t vfki_msix_pba_size(const struct vfki_irqs *irqs)
{
	return ((uint64_t)irqs->msix.count + 63) / 64 * 8;
}

#endif
