/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault.h - a filter that makes calls fail, come back short, or come back late.
 *
 *	--filter fault,rate=0.01,seed=7			each call fails with -EIO, one in a hundred
 *	--filter fault,op=region_read,region=0,offset=8,nth=3,errno=ETIMEDOUT
 *	--filter fault,short=on				accesses do less than was asked for
 *	--filter fault,op=region_read+reset,late=100	results come 100 milliseconds late
 *
 * Which calls: op=NAME[+NAME...] (all), region=N, offset=N (calls that touch that byte); of these all, or each with the
 * probability rate=0..1, drawn from seed=N, or the nth=N only. Close alone is never hit. What happens to them: errno=NAME
 * or number (EIO unless short or late is given), short=on (an access of at least two bytes is made with fewer), late=MS
 * (up to the open's timeout; with any of the others, too). Several filters make several rules.
 *
 * A call that fails has not reached the device, unless after=on says that it has. Two cases are not left to chance,
 * since the caller's memory is at stake: a dma_map that fails after=on is taken back, and a dma_unmap that fails with a
 * code that says that the device is gone is done, as its caller will free the memory.
 *
 * Threads: as the vector's.
 */
#ifndef VFKI_IO_FILTER_FAULT_H
#define VFKI_IO_FILTER_FAULT_H

#include <vfiokit/io.h>

extern const struct vfk_io_ops vfki_fault_io_ops;

#endif
