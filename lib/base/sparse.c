/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sparse.c - the SPARSE_MMAP capability.
 *
 * Threads: any; works on the caller's memory only.
 */
#include "lib/base/sparse.h"

#include "lib/base/error.h"
#include "lib/base/range.h"
#include <string.h>

/* Behind the capability's header: nr_areas, reserved. */
#define FRONT                                                       \
	(offsetof(struct vfio_region_info_cap_sparse_mmap, areas) - \
	 sizeof(struct vfio_info_cap_header))

/* Areas are compared each with each; this bounds what a hostile list costs. */
#define AREAS_MAX 1024

static struct vfio_region_sparse_mmap_area area_at(const struct vfki_cap *cap, size_t i)
{
	struct vfio_region_sparse_mmap_area area;

	memcpy(&area, (const uint8_t *)cap->data + FRONT + i * sizeof(area), sizeof(area));
	return area;
}

static int check_area(const struct vfki_cap *cap, size_t i, uint64_t region_size)
{
	struct vfio_region_sparse_mmap_area a = area_at(cap, i), b;

	if (!vfki_range_ok(a.offset, a.size, region_size))
		return vfki_err(-EPROTO,
				"mappable area %zu (0x%llx bytes at 0x%llx) is outside the region",
				i, (unsigned long long)a.size, (unsigned long long)a.offset);
	for (size_t j = 0; j < i; j++) {
		b = area_at(cap, j);
		if (vfki_ranges_overlap(a.offset, a.size, b.offset, b.size))
			return vfki_err(-EPROTO, "mappable areas %zu and %zu overlap", j, i);
	}
	return 0;
}

int vfki_sparse_decode(const struct vfki_cap *cap, uint64_t region_size,
		       struct vfio_region_sparse_mmap_area *areas, size_t max, size_t *n)
{
	uint32_t nr;
	size_t need;
	int r = 0;

	if (cap->room < FRONT)
		return vfki_err(-EPROTO, "sparse mmap capability is cut off");
	memcpy(&nr, cap->data, sizeof(nr));
	if (nr > AREAS_MAX || !vfki_tail_size(FRONT, nr, sizeof(*areas), &need) || need > cap->room)
		return vfki_err(-EPROTO,
				"sparse mmap capability says %u areas, which it cannot have", nr);
	for (size_t i = 0; !r && i < nr; i++)
		r = check_area(cap, i, region_size);
	if (r)
		return r;
	if (areas && nr > max)
		return vfki_err(-E2BIG, "%u mappable areas, at most %zu can be taken", nr, max);
	for (size_t i = 0; areas && i < nr; i++)
		areas[i] = area_at(cap, i);
	*n = nr;
	return 0;
}

size_t vfki_sparse_size(size_t n)
{
	size_t size;

	if (n > AREAS_MAX || !vfki_tail_size(sizeof(struct vfio_region_info_cap_sparse_mmap), n,
					     sizeof(struct vfio_region_sparse_mmap_area), &size))
		return 0;
	return size;
}

void vfki_sparse_encode(void *cap, const struct vfio_region_sparse_mmap_area *areas, size_t n)
{
	uint32_t nr = (uint32_t)n;

	memcpy((uint8_t *)cap + offsetof(struct vfio_region_info_cap_sparse_mmap, nr_areas), &nr,
	       sizeof(nr));
	if (n)
		memcpy((uint8_t *)cap + offsetof(struct vfio_region_info_cap_sparse_mmap, areas),
		       areas, n * sizeof(*areas));
}
