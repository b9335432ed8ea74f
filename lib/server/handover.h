/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handover.h - what is done to hardware when its client goes away.
 *
 * A model's state is kept for the next client, as the specification says. Hardware goes on by itself: what one client
 * started would write into what the next one maps, and raise the next one's interrupts.
 *
 * Threads: the server's.
 */
#ifndef VFKI_SERVER_HANDOVER_H
#define VFKI_SERVER_HANDOVER_H

#include <vfiokit/device.h>

/* It does no more DMA, and raises no interrupt by message: 0, or -errno of a device that cannot be told. */
int vfki_handover_quiet(struct vfk_device *dev);

/*
 * After its interrupts are off, and while the client's memory is mapped still: forgets what the client set up. Returns 0;
 * -ENOTSUP it cannot be reset; what the reset says.
 */
int vfki_handover_reset(struct vfk_device *dev);

#endif
