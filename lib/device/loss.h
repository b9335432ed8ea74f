/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loss.h - what a device keeps so that it can be lost and come back; <vfiokit/reconnect.h> says how that looks.
 *
 * A device that cannot come back has none of it, and pays nothing.
 *
 * Lock order: @restoring, @waits, the maps' lock, the saved interrupts' lock, the dma space's; then the io's.
 */
#ifndef VFKI_DEVICE_LOSS_H
#define VFKI_DEVICE_LOSS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vfk_device;
struct vfki_irq_saved;

/* The part of a PCI device's config space that says what it is; 0 elsewhere. */
struct vfki_identity {
	uint32_t id;	/* vendor and device */
	uint32_t class; /* revision and class */
	uint32_t subsystem;
};

struct vfki_loss {
	bool offered; /* constant: the io can reconnect */
	atomic_ullong epoch;
	atomic_ullong known; /* the last epoch that the device is back from; less than epoch: lost */
	pthread_mutex_t told; /* fn and ctx; a leaf */
	void (*fn)(void *ctx, uint64_t epoch);
	void *ctx;
	pthread_mutex_t restoring;     /* held by who reconnects */
	pthread_rwlock_t waits;	       /* held for reading by who polls the device's descriptor */
	struct vfki_identity identity; /* constant */
	pthread_mutex_t irq_lock;      /* irqs, and the calls that change them */
	struct vfki_irq_saved *irqs;   /* num_irqs */
};

/* When the device is made, its tables included, and at its end. */
int vfki_loss_init(struct vfk_device *dev);
void vfki_loss_fini(struct vfk_device *dev);

/* -ECONNRESET with a text while the device is lost; 0. */
int vfki_loss_check(struct vfk_device *dev);

/* Ends the connection, because a file of the device's shrank. Returns -ECONNRESET, or -errno. */
int vfki_loss_force(struct vfk_device *dev);

/* Around a wait on the device's descriptor: 0, then end must follow; -ECONNRESET. */
int vfki_loss_wait_begin(struct vfk_device *dev);
void vfki_loss_wait_end(struct vfk_device *dev);

#endif
