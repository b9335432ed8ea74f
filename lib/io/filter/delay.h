/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * delay.h - a filter that makes each call wait before it is made: a device that is slow, or far away.
 *
 *	--filter delay,us=100				all ops but poll_fd and dispatch, which are no requests
 *	--filter delay,us=100,op=region_read+reset	these
 *
 * The time is a bound from below, as every sleep is, and at most the open's timeout.
 *
 * Threads: as the vector's; calls of several threads wait at the same time.
 */
#ifndef VFKI_IO_FILTER_DELAY_H
#define VFKI_IO_FILTER_DELAY_H

#include <vfiokit/io.h>

extern const struct vfk_io_ops vfki_delay_io_ops;

#endif
