/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recall.h - the kernel asks for a device back, which is to be unplugged or unbound: the device-request interrupt.
 *
 * The kernel waits until the device is closed, without any bound, and whoever unbinds it with it. So somebody has to listen
 * at all times: the client where it does, the server where there is none or it does not.
 *
 * Threads: the server's.
 */
#ifndef VFKI_SERVER_RECALL_H
#define VFKI_SERVER_RECALL_H

#include <linux/vfio.h>
#include <stdbool.h>
#include <vfiokit/device.h>

struct vfki_recall {
	struct vfk_device *dev;
	int fd;		/* the server's own eventfd; -1: the device is not asked for */
	bool by_client; /* the client listens */
};

/* Listens, if @hardware can be asked for. Returns 0; -errno with a text. */
int vfki_recall_init(struct vfki_recall *r, struct vfk_device *dev, bool hardware);
void vfki_recall_fini(struct vfki_recall *r);

/* A client's SET_IRQS, as vfk_device_set_irqs(): it finds the interrupt as if the server had not listened. */
int vfki_recall_set_irqs(struct vfki_recall *r, const struct vfio_irq_set *set);

/* All interrupts were disarmed, those of a client that is gone. */
void vfki_recall_again(struct vfki_recall *r);

/* Whether the device was asked for. */
bool vfki_recall_came(const struct vfki_recall *r);

#endif
