/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eventfd.h - eventfds that are shared with a peer who may be hostile.
 *
 * An eventfd's flags and count belong to everybody who holds it. A write() blocks for ever when the
 * peer has filled it and made it blocking, whatever was checked before. The signaller asks the
 * kernel instead to signal it as the completion of an asynchronous read that is already done
 * (IOCB_FLAG_RESFD, io_submit(2)): that adds one, sticks at the maximum, and never waits. Where
 * asynchronous I/O is not to be had, it polls and writes; then a peer that makes the eventfd
 * blocking and fills it between the two can still block the caller, until it reads it
 * (SECURITY.md).
 *
 * Threads: a signaller may be used by any number of threads at once.
 */
#ifndef VFKI_BASE_EVENTFD_H
#define VFKI_BASE_EVENTFD_H

#include <stdbool.h>
#include <stdint.h>

struct vfki_signaller;

/* Returns 0 or -ENOMEM. Missing asynchronous I/O is not a failure. */
int vfki_signaller_create(struct vfki_signaller **out);

/* NULL is allowed. */
void vfki_signaller_destroy(struct vfki_signaller *s);

/*
 * Adds 1 to the eventfd. A full one stays full, and that is success: its owner has not read what is
 * there. Returns 0; -EINVAL when @fd is no eventfd; -EBADF when it is not open.
 */
int vfki_signaller_signal(struct vfki_signaller *s, int fd);

/*
 * Whether signalling cannot block even when the peer changes the eventfd meanwhile; false in the
 * poll-and-write mode.
 */
bool vfki_signaller_is_async(struct vfki_signaller *s);

/*
 * Makes @s poll and write, as where asynchronous I/O is missing; for measuring and testing. Not
 * while it is in use.
 */
void vfki_signaller_force_write(struct vfki_signaller *s);

/* A new eventfd, close-on-exec and non-blocking, or -errno. */
int vfki_eventfd_create(void);

/*
 * Reads and clears the count without ever waiting, whatever the descriptor's flags are.
 * Returns 0; -EAGAIN when the count is zero; another -errno when @fd cannot be read so.
 */
int vfki_eventfd_drain(int fd, uint64_t *count);

#endif
