/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reconnect.h - a device whose server is lost, and comes back without its state.
 *
 * A vfio-user device that is opened with reconnect=S outlives its server. When the connection ends, for whatever reason:
 *
 *	- calls under way and later ones fail with -ECONNRESET. None is executed twice; whether one that was under way was
 *	  executed is unknown. Writes that were posted and not sent are dropped, which the next flush says.
 *	- the program is told once: by the function of vfk_device_set_lost(), by vfk_device_epoch(), and by the poll
 *	  descriptor, which is readable until the device is back. A wait for interrupts ends with -ECONNRESET.
 *	- vfk_dma_unmap(), vfk_irq_disable() and whatever else takes away has its effect: the device has let go already. A map
 *	  for a space in which the device is fails.
 *	- memory mapped by vfk_region_map() stays, and nobody is behind it; vfk_device_check() says so.
 *
 * vfk_device_reconnect() is the program's word that it knows of the loss. It finds the server again, makes sure that the
 * device is the same one, and says again what the old server had been told: what the device can reach, which eventfds its
 * interrupts signal and which of them are masked, where its regions are mapped. The device's own state is another matter:
 * registers, config space (command, BARs, MSI enables) and buffers are as after power-on, doorbells have to be asked for
 * again (vfk_region_get_io_fds()), and a migration begins anew. The driver initialises the device as it did at first.
 *
 *	while (run(dev) == -ECONNRESET) {
 *		if (vfk_device_reconnect(dev, vfk_device_epoch(dev)))
 *			break;
 *		initialise(dev);
 *	}
 *
 * Threads: vfk_device_set_lost() and _epoch() any; vfk_device_reconnect() any, see there. No thread is made for any of it.
 */
#ifndef VFK_RECONNECT_H
#define VFK_RECONNECT_H

#include <stdint.h>
#include <vfiokit/api.h>
#include <vfiokit/device.h>

VFK_BEGIN

/**
 * vfk_device_set_lost - who is told of a loss
 * @lost: called once for each loss, with its epoch; NULL: nobody
 * @ctx: for @lost; borrowed, until @lost is replaced and no call on the device is under way
 *
 * It is called on a thread that is inside a call on the device, whichever finds out first, before that call returns, and
 * with the lock of a dma space held if it is a call on one. So it takes note (sets a flag, signals an eventfd) and may ask
 * for vfk_device_epoch(); it must not call any other function with this device, or with a space that the device is in.
 *
 * Returns 0; -ENOTSUP the device cannot come back.
 */
VFK_API int vfk_device_set_lost(struct vfk_device *dev, void (*lost)(void *ctx, uint64_t epoch),
				void *ctx);

/**
 * vfk_device_epoch - how often the device has lost its state
 *
 * 0 at first, and for a device that cannot come back. It is raised before any call returns the -ECONNRESET of that loss.
 */
VFK_API uint64_t vfk_device_epoch(const struct vfk_device *dev);

/**
 * vfk_device_reconnect - bring a lost device back
 * @epoch: the loss that the caller knows of
 *
 * Waits for the server, at most as long as reconnect=S said: while nobody listens, the socket is not there, the server has a
 * client still, or dies or is silent once more. Then compares (device info, the infos of regions and interrupts that were
 * asked for, a PCI device's ids and class) and restores: limits, dirty tracking and mappings of its dma space, interrupts,
 * mapped regions at their old addresses. All or nothing: after a failure the device is lost as before, and it may be tried
 * again. Pages that the old server may have written without saying so count as dirty.
 *
 * Other calls on the device fail meanwhile; those that change its interrupts, its mapped regions or its space may wait,
 * for as long as the server takes to be told again. It does not return before calls under way at the loss have failed,
 * waits for interrupts included. Calls of attach and detach must not run at once with it.
 *
 * Returns 0: calls work again; -ESTALE the device has been lost again since @epoch, or not so often yet; -EALREADY it is
 * not lost; -EBUSY another thread is at it; -ENODEV another device answers, the text says what differs; -ETIMEDOUT no
 * server within S seconds; -EACCES, -EPROTO, -EPROTONOSUPPORT; -ECONNRESET it was lost once more while it was restored; what
 * the server says to one of the restoring calls, -ENOSPC for example; -ENOTSUP the device cannot come back.
 */
VFK_API int vfk_device_reconnect(struct vfk_device *dev, uint64_t epoch);

VFK_END

#endif
