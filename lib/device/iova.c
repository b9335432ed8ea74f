/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iova.c - finding addresses for a device's memory; see iova.h.
 *
 * First fit: the mappings are sorted, so a gap is found in one walk over them. Pure functions.
 */
#include "iova.h"
#include "lib/base/range.h"
#include <errno.h>
#include <stdbool.h>

#define FIRST_STEP (1024 * 1024)

/* The lowest free address within first to last, both inclusive. */
static bool find_between(const struct vfki_iova_search *s, uint64_t first, uint64_t last,
			 uint64_t *iova)
{
	struct vfki_mappings_walk walk;
	const struct vfki_mapping *m;
	uint64_t end;

	if (!vfki_align_up(first, s->granule, &first))
		return false;
	for (m = vfki_mappings_begin(s->maps, first, &walk);
	     vfki_range_last(first, s->length, &end) && end <= last;
	     m = vfki_mappings_next(&walk)) {
		if (!m || m->first > end) {
			*iova = first;
			return true;
		}
		if (m->last >= last || !vfki_align_up(m->last + 1, s->granule, &first))
			return false;
	}
	return false;
}

int vfki_iova_find(const struct vfki_iova_search *s, uint64_t from, uint64_t *iova)
{
	const struct vfk_iova_range all = { 0, UINT64_MAX };
	const struct vfk_iova_range *ranges = s->limits->num_ranges ? s->limits->ranges : &all;
	uint32_t n = s->limits->num_ranges ? s->limits->num_ranges : 1;

	/* devices and drivers take 0 for "none" */
	if (from < s->granule)
		from = s->granule;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t first = ranges[i].first > from ? ranges[i].first : from;
		uint64_t last = vfki_min_u64(ranges[i].last, s->mask);

		if (first <= last && find_between(s, first, last, iova))
			return 0;
	}
	return -ENOSPC;
}

uint64_t vfki_iova_start(const struct vfki_iova_search *s, unsigned int n)
{
	const unsigned int half = VFKI_IOVA_TRIES / 2;
	uint64_t step = s->length > FIRST_STEP ? s->length : FIRST_STEP, start;

	if (!n)
		return 0;
	if (n < half && vfki_mul_u64(step, (uint64_t)1 << (n - 1), &start) && start <= s->mask)
		return start;
	return s->mask / VFKI_IOVA_TRIES * n;
}
