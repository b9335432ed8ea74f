/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reconnect.h - the socket's part of bringing a lost device back; what it was told before is the device layer's.
 *
 * Threads: set_lost before any other op; of reconnect one call at a time, begin to end in one thread.
 */
#ifndef VFKI_IO_USER_RECONNECT_H
#define VFKI_IO_USER_RECONNECT_H

#include <vfiokit/io.h>

int vfki_user_set_lost(struct vfk_io *io, void (*lost)(void *ctx, uint64_t epoch), void *ctx);
int vfki_user_reconnect(struct vfk_io *io, enum vfk_reconnect step);

#endif
