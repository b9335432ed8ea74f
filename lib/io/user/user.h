/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user.h - the backend "vfio-user": a device in another process, behind a UNIX socket.
 *
 * Threads: as every io, see <vfiokit/io.h>. Requests of several threads are under way at once; the server's own requests
 * (DMA_READ, DMA_WRITE) are answered on whichever thread reads the socket.
 */
#ifndef VFKI_IO_USER_USER_H
#define VFKI_IO_USER_USER_H

#include <vfiokit/io.h>

extern const struct vfk_io_ops vfki_user_io_ops;
/* What an instance has instead that was opened with reconnect=; not to be opened. */
extern const struct vfk_io_ops vfki_user_gated_io_ops;

#endif
