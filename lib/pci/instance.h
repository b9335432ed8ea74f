/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance.h - a PCI device that is open: its parts, each of which has its own file or two here.
 *
 * All of them reach the device by the public functions of <vfiokit/device.h>, so what is behind it is nobody's business
 * in this room.
 *
 * Threads: @lock is taken by whatever changes the device's state by more than one access, and guards what is not
 * constant; each part says what of it that is.
 */
#ifndef VFKI_PCI_INSTANCE_H
#define VFKI_PCI_INSTANCE_H

#include "bar.h"
#include "config.h"
#include "irq.h"
#include "power.h"
#include "rom.h"
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <vfiokit/device.h>
#include <vfiokit/pci.h>

struct vfk_pci {
	struct vfk_device *dev; /* borrowed */
	pthread_mutex_t lock;
	struct vfk_pci_identity identity;
	struct vfki_pci_config config; /* constant */
	struct vfki_pci_bars bars;
	struct vfki_pci_irqs irqs;
	struct vfki_pci_power power;
	struct vfki_pci_rom rom;
};

/* For texts. */
static inline const char *vfki_pci_name(const struct vfk_pci *pci)
{
	return vfk_device_name(pci->dev);
}

/* Failures that are about the whole device; any other is about what was asked for. */
static inline bool vfki_pci_is_gone(int ret)
{
	return ret == -ENOMEM || ret == -ENOTCONN || ret == -ECONNRESET || ret == -ETIMEDOUT ||
	       ret == -ENODEV;
}

/* Failures after which the next access may wait as long as this one did, or fails certainly. */
static inline bool vfki_pci_is_cut_off(int ret)
{
	return ret == -ENOTCONN || ret == -ECONNRESET || ret == -ETIMEDOUT || ret == -EPROTO;
}

static inline void vfki_pci_lock(struct vfk_pci *pci)
{
	pthread_mutex_lock(&pci->lock);
}

static inline void vfki_pci_unlock(struct vfk_pci *pci)
{
	pthread_mutex_unlock(&pci->lock);
}

#endif
