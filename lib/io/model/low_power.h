/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * low_power.h - runtime low power of a model: the features LOW_POWER_ENTRY, _ENTRY_WITH_WAKEUP and _EXIT.
 *
 * After entry the device may sleep whenever nobody uses it. Whatever reaches the device wakes it; with a wake-up
 * eventfd the first such access signals it and ends the permission to sleep, without one the device sleeps again after
 * the access. A model that is asleep differs in nothing else: its registers answer, as what reads them has woken it.
 *
 * Threads: under the model's lock, but for what model.h says of the functions of the model's; state that those change
 * is under irqs->lock.
 */
#ifndef VFKI_MODEL_LOW_POWER_H
#define VFKI_MODEL_LOW_POWER_H

#include <linux/vfio.h>
#include <stdatomic.h>
#include <stdbool.h>

struct vfk_model;

struct vfki_low_power {
	_Atomic bool engaged; /* it may sleep; written under irqs->lock */
	int wakeup;	      /* eventfd, -1: none; owned; under irqs->lock */
	bool watched; /* accesses to BARs come by vfki_low_power_access(); under the model's lock */
};

void vfki_low_power_init(struct vfk_model *m);
void vfki_low_power_fini(struct vfk_model *m);

/* Serves the three features; -ENOTSUP, without a text, if @feature is none of them, or there is no such thing here. */
int vfki_low_power_feature(struct vfk_model *m, const struct vfio_device_feature *feature);

/* The slow half of the next one. */
void vfki_low_power_wake(struct vfk_model *m);

/* Somebody is about to use the device. */
#define vfki_low_power_access(m)                \
	do {                                    \
		if ((m)->low_power.watched)     \
			vfki_low_power_wake(m); \
	} while (0)

#endif
