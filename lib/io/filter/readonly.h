/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * readonly.h - a filter through which a device can be looked at and not changed.
 *
 * Refused with -EACCES: writes to regions, SET of any feature (a probe is a question, and passes), reset and hot reset,
 * writing migration data, DMA mappings (the device writes and reads memory by them), dirty tracking (it is SET of a
 * feature, and a report clears what it tells), and set_irqs of every kind: to arm an interrupt enables it in the device
 * and takes it from whoever has it, to mask or trigger one is seen by them. Reading migration data empties a stream that
 * only a SET can begin, so it passes and finds none.
 *
 * Regions are shown without their WRITE flag, so a program finds out before it tries, and a mapping can be had for
 * reading only, with mmap=pass: files are opened anew for reading. A file that cannot be, a kernel device's among them,
 * is not handed out, and the region not mapped. What a read changes in the device, it changes.
 *
 * Threads: as the vector's.
 */
#ifndef VFKI_IO_FILTER_READONLY_H
#define VFKI_IO_FILTER_READONLY_H

#include <vfiokit/io.h>

extern const struct vfk_io_ops vfki_readonly_io_ops;

#endif
