/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sparse.h - which parts of a region can be mapped: the SPARSE_MMAP capability.
 *
 * struct vfio_region_info_cap_sparse_mmap of <linux/vfio.h> lists areas by offset and size. What a
 * kernel, a peer or a model put there is checked before use: each inside the region, none
 * overlapping another. Areas of size 0 occur and mean nothing.
 *
 * Threads: any; pure functions.
 */
#ifndef VFKI_BASE_SPARSE_H
#define VFKI_BASE_SPARSE_H

#include "lib/base/capchain.h"
#include <linux/vfio.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The areas of @cap, a SPARSE_MMAP capability of a region of @region_size bytes, in the order they
 * are listed. @areas may be NULL to check and count only. Returns 0 with *n the number in the
 * capability, zero-sized ones included; -EPROTO when one reaches beyond the region or two overlap;
 * -E2BIG when @areas has fewer than *n places.
 */
int vfki_sparse_decode(const struct vfki_cap *cap, uint64_t region_size,
		       struct vfio_region_sparse_mmap_area *areas, size_t max, size_t *n);

/* Bytes of a capability with @n areas, its header included; 0 when that is not expressible. */
size_t vfki_sparse_size(size_t n);

/* Fills what vfki_caps_add() returned for a capability of vfki_sparse_size(@n) bytes. */
void vfki_sparse_encode(void *cap, const struct vfio_region_sparse_mmap_area *areas, size_t n);

#endif
