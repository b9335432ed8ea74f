/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.h - a filter that shows each operation, as a line of text or as the vfio-user messages that it would be.
 *
 *	--filter trace				lines, to standard error
 *	--filter trace,file=PATH		lines, appended to a file
 *	--filter trace,file=PATH.pcapng		a capture for Wireshark, appended to a file (see messages.h, tools/wireshark)
 *	--filter trace,file=PATH,format=pcapng	the same for a file of any name, a pipe among them
 *
 *	region_read(region=0 (bar0), offset=0x8, length=4) = 4 data=78030000 [3.1 us]
 *
 * What an operation was given stands in the parentheses, behind them what came back and how long it took.
 *
 * A pipe's reader must come within 3 s, else open is -ENXIO. When one is too slow to make room within 1 s, a capture
 * ends: it is closed. Lines are lost instead, and the next that there is room for is preceded by how many; so with
 * standard error.
 *
 * Threads: as the vector's; lines and messages of several threads do not mix.
 */
#ifndef VFKI_IO_FILTER_TRACE_H
#define VFKI_IO_FILTER_TRACE_H

#include <vfiokit/io.h>

extern const struct vfk_io_ops vfki_trace_io_ops;

#endif
