/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq_saved.h - the interrupts of a device that may be lost, as they were set, to be set again.
 *
 * Threads: any; the loss's irq_lock, which is held across the op: what is saved is what the device has.
 */
#ifndef VFKI_DEVICE_IRQ_SAVED_H
#define VFKI_DEVICE_IRQ_SAVED_H

#include <linux/vfio.h>
#include <stdint.h>

struct vfk_device;

/* num_irqs of them in dev->loss.irqs. Returns 0; -ENOMEM. */
int vfki_irqs_saved_init(struct vfk_device *dev);
void vfki_irqs_saved_fini(struct vfk_device *dev);

/* Sets and saves. What takes away from a device that is lost is saved all the same. Returns as vfk_device_set_irqs(). */
int vfki_irqs_saved_set(struct vfk_device *dev, const struct vfio_irq_set *set);

/* With irq_lock: sets all again, in a device that has none. Returns 0; -ENODEV fewer vectors can be had; the op's. */
int vfki_irqs_saved_restore(struct vfk_device *dev);

#endif
