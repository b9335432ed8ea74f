/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.h - a filter that writes one line for each operation, with what was asked, what came back, and how long it took.
 *
 *	--filter trace			to standard error
 *	--filter trace,file=PATH	appended to a file
 *
 *	region_read(region=0, offset=0x8, length=4) = 4 data=78030000 [3.1 us]
 *
 * Threads: as the vector's; lines of several threads do not mix.
 */
#ifndef VFKI_IO_FILTER_TRACE_H
#define VFKI_IO_FILTER_TRACE_H

#include <vfiokit/io.h>

extern const struct vfk_io_ops vfki_trace_io_ops;

#endif
