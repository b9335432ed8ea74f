/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space_limits.c - what all sinks of a space together can map; see space.h.
 *
 * Pure functions.
 */
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "space.h"
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void vfki_limits_none(struct vfk_dma_limits *limits)
{
	*limits = (struct vfk_dma_limits){
		.size = sizeof(*limits),
		.pgsizes = ~((uint64_t)sysconf(_SC_PAGESIZE) - 1),
		.max_maps = UINT64_MAX,
	};
}

uint64_t vfki_limits_granule(const struct vfk_dma_limits *limits)
{
	return limits->pgsizes & -limits->pgsizes;
}

/*
 * What is in both lists. Each is sorted and disjoint, and so is the result. More places than there are means that the
 * highest ranges are left out: nothing is promised there.
 */
static uint32_t intersect(const struct vfk_dma_limits *a, const struct vfk_dma_limits *b,
			  struct vfk_iova_range *out)
{
	uint32_t i = 0, j = 0, n = 0;

	while (i < a->num_ranges && j < b->num_ranges && n < VFK_DMA_MAX_RANGES) {
		const struct vfk_iova_range *x = &a->ranges[i], *y = &b->ranges[j];
		uint64_t first = x->first > y->first ? x->first : y->first;
		uint64_t last = vfki_min_u64(x->last, y->last);

		if (first <= last)
			out[n++] = (struct vfk_iova_range){ first, last };
		if (x->last < y->last)
			i++;
		else
			j++;
	}
	return n;
}

static uint32_t copy_ranges(const struct vfk_dma_limits *from, struct vfk_iova_range *out)
{
	for (uint32_t i = 0; i < from->num_ranges; i++)
		out[i] = from->ranges[i];
	return from->num_ranges;
}

int vfki_limits_join(struct vfk_dma_limits *limits, const struct vfk_dma_limits *sink,
		     const char *name)
{
	struct vfk_dma_limits joined = *limits;

	joined.pgsizes &= sink->pgsizes;
	if (!joined.pgsizes)
		return vfki_err(-ENOTSUP,
				"%s: dma attach: no page size in common: 0x%" PRIx64
				" and 0x%" PRIx64,
				name, limits->pgsizes, sink->pgsizes);
	joined.max_maps = vfki_min_u64(limits->max_maps, sink->max_maps);
	joined.flags |= sink->flags;
	if (sink->num_ranges && limits->num_ranges)
		joined.num_ranges = intersect(limits, sink, joined.ranges);
	else if (sink->num_ranges)
		joined.num_ranges = copy_ranges(sink, joined.ranges);
	/* none would mean that nobody knows */
	if (sink->num_ranges && !joined.num_ranges)
		return vfki_err(-ERANGE, "%s: dma attach: no usable range in common", name);
	*limits = joined;
	return 0;
}

static bool in_a_range(const struct vfk_dma_limits *limits, const struct vfki_mapping *m)
{
	for (uint32_t i = 0; i < limits->num_ranges; i++) {
		if (m->first >= limits->ranges[i].first && m->last <= limits->ranges[i].last)
			return true;
	}
	return !limits->num_ranges;
}

/* The text names as many of the ranges as it has room for. */
static int not_in_a_range(const struct vfk_dma_limits *limits, const struct vfki_mapping *m)
{
	char text[VFKI_ERROR_SIZE / 2] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < limits->num_ranges && used + 48 < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%s0x%" PRIx64 "-0x%" PRIx64, i ? ", " : "",
					 limits->ranges[i].first, limits->ranges[i].last);
	return vfki_err(-ERANGE,
			"dma map: 0x%" PRIx64 "-0x%" PRIx64
			" is not in a usable range; those are %s",
			m->first, m->last, text);
}

int vfki_limits_suit(const struct vfk_dma_limits *limits, const struct vfki_mapping *m)
{
	uint64_t granule = vfki_limits_granule(limits);

	/* of the last byte, since a mapping may end at 2^64 */
	if (!vfki_is_aligned(m->first, granule) || !vfki_is_aligned(m->last + 1, granule))
		return vfki_err(-EINVAL,
				"dma map: 0x%" PRIx64 "-0x%" PRIx64
				" is not whole pages of 0x%" PRIx64,
				m->first, m->last, granule);
	return in_a_range(limits, m) ? 0 : not_in_a_range(limits, m);
}
