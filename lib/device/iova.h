/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iova.h - finding addresses for a device's memory.
 *
 * Threads: pure functions on what the caller has locked.
 */
#ifndef VFKI_DEVICE_IOVA_H
#define VFKI_DEVICE_IOVA_H

#include "lib/io/mappings.h"
#include <stdint.h>
#include <vfiokit/dma.h>

/* How often an address is tried before the sinks are taken to refuse all. */
#define VFKI_IOVA_TRIES 64

/* Where an address may be. */
struct vfki_iova_search {
	const struct vfki_mappings *maps; /* skipped */
	const struct vfk_dma_limits
		*limits;  /* the result is within one of its ranges, if there are any */
	uint64_t granule; /* power of two; the result and length are multiples */
	uint64_t mask;	  /* the result's last byte is not above it */
	uint64_t length;  /* > 0 */
};

/* The lowest address at or above @from that is free: 0, or -ENOSPC without a text. 0 itself is never given. */
int vfki_iova_find(const struct vfki_iova_search *s, uint64_t from, uint64_t *iova);

/*
 * Where to search at the @n-th try (0 to VFKI_IOVA_TRIES - 1), when what was found before was refused: first from the
 * bottom in steps that double, since refused places are mostly small and low, then evenly over all that is below mask.
 */
uint64_t vfki_iova_start(const struct vfki_iova_search *s, unsigned int n);

#endif
