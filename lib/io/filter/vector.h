/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vector.h - the sink vector that every filter has before a next io that takes mappings.
 *
 * Threads: as the vector's.
 */
#ifndef VFKI_IO_FILTER_VECTOR_H
#define VFKI_IO_FILTER_VECTOR_H

#include <vfiokit/dma.h>

extern const struct vfk_dma_ops vfki_filter_dma_ops;

#endif
