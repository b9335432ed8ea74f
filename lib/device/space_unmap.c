/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space_unmap.c - taking mappings back: one exactly, those inside a range, or all; see space.h.
 *
 * Any thread, under the space's lock, which a wait for users holds: within the bound, no other change of this space.
 */
#include "dma.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "space.h"
#include <inttypes.h>

int vfki_space_unmap_locked(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
			    uint64_t deadline)
{
	struct vfki_mapping *m = vfki_mappings_exact(&space->maps, iova, length), *other;
	int ret;

	if (!m) {
		other = vfki_mappings_find(&space->maps, iova);
		if (other)
			return vfki_err(-EINVAL,
					"dma unmap: 0x%" PRIx64 " + 0x%" PRIx64
					" is part of 0x%" PRIx64 "-0x%" PRIx64,
					iova, length, other->first, other->last);
		return vfki_err(-ENOENT, "dma unmap: nothing is mapped at 0x%" PRIx64, iova);
	}
	ret = vfki_sinks_unmap_locked(space, m, deadline);
	if (ret < 0)
		return ret;
	vfki_mappings_remove(&space->maps, m);
	vfki_space_free_mapping(m);
	return 0;
}

int vfk_dma_unmap(struct vfk_dma_space *space, uint64_t iova, uint64_t length)
{
	int ret;

	pthread_mutex_lock(&space->lock);
	ret = vfki_space_unmap_locked(space, iova, length, vfki_space_deadline(space->timeout_ms));
	pthread_mutex_unlock(&space->lock);
	return ret;
}

/* -EINVAL when a mapping reaches over either end of the range. */
static int check_ends(const struct vfki_mappings *t, uint64_t first, uint64_t last)
{
	const struct vfki_mapping *m = vfki_mappings_find(t, first);

	if (!m || m->first == first)
		m = vfki_mappings_find(t, last);
	if (!m || (m->first >= first && m->last <= last))
		return 0;
	return vfki_err(-EINVAL,
			"dma unmap: 0x%" PRIx64 "-0x%" PRIx64 " reaches over an end of 0x%" PRIx64
			"-0x%" PRIx64,
			m->first, m->last, first, last);
}

/* Unmaps from the range's beginning, as far as it goes. */
static int unmap_run(struct vfk_dma_space *space, uint64_t first, uint64_t last, uint64_t deadline,
		     uint64_t *unmapped)
{
	struct vfki_mappings *t = &space->maps;
	struct vfki_mapping *m = vfki_mappings_from(t, first), *next;

	for (; m && m->first <= last; m = next) {
		int ret = vfki_sinks_unmap_locked(space, m, deadline);

		if (ret < 0)
			return ret;
		*unmapped += vfki_mapping_length(m);
		next = vfki_mappings_after(t, m);
		vfki_mappings_remove(t, m);
		vfki_space_free_mapping(m);
	}
	return 0;
}

static int unmap_between(struct vfk_dma_space *space, uint64_t first, uint64_t last,
			 uint64_t deadline, uint64_t *unmapped)
{
	uint64_t done = 0;
	int ret = check_ends(&space->maps, first, last);

	if (!ret)
		ret = unmap_run(space, first, last, deadline, &done);
	if (unmapped)
		*unmapped = done;
	return ret;
}

int vfki_dma_unmap_range_try(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
			     uint32_t timeout_ms, uint64_t *unmapped)
{
	uint64_t last;
	int ret;

	if (unmapped)
		*unmapped = 0;
	if (!vfki_range_last(iova, length, &last))
		return vfki_err(-EINVAL,
				"dma unmap: range 0x%" PRIx64 " + 0x%" PRIx64 " is empty or wraps",
				iova, length);
	pthread_mutex_lock(&space->lock);
	ret = unmap_between(space, iova, last, vfki_space_deadline(timeout_ms), unmapped);
	pthread_mutex_unlock(&space->lock);
	return ret;
}

static uint32_t timeout_of(struct vfk_dma_space *space)
{
	uint32_t timeout_ms;

	pthread_mutex_lock(&space->lock);
	timeout_ms = space->timeout_ms;
	pthread_mutex_unlock(&space->lock);
	return timeout_ms;
}

int vfk_dma_unmap_range(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
			uint64_t *unmapped)
{
	return vfki_dma_unmap_range_try(space, iova, length, timeout_of(space), unmapped);
}

int vfk_dma_unmap_all(struct vfk_dma_space *space, uint64_t *unmapped)
{
	int ret;

	pthread_mutex_lock(&space->lock);
	ret = unmap_between(space, 0, UINT64_MAX, vfki_space_deadline(space->timeout_ms), unmapped);
	pthread_mutex_unlock(&space->lock);
	return ret;
}
