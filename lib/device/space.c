/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * space.c - dma spaces, and making mappings in them; see space.h.
 *
 * Any thread, under the space's lock.
 */
#include "space.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/io/open.h"
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int vfk_dma_space_create(struct vfk_dma_space **out)
{
	struct vfk_dma_space *space = calloc(1, sizeof(*space));

	if (!space)
		return vfki_err(-ENOMEM, "dma space: no memory");
	pthread_mutex_init(&space->lock, NULL);
	vfki_limits_none(&space->limits);
	space->timeout_ms = VFKI_UNMAP_TIMEOUT_MS;
	*out = space;
	return 0;
}

int vfk_dma_space_destroy(struct vfk_dma_space *space)
{
	struct vfki_mappings_walk walk;
	struct vfki_mapping *m;
	size_t sinks;

	if (!space)
		return 0;
	pthread_mutex_lock(&space->lock);
	sinks = space->num_sinks;
	pthread_mutex_unlock(&space->lock);
	if (sinks)
		return vfki_err(-EBUSY, "dma space: %zu devices are attached", sinks);
	for (m = vfki_mappings_begin(&space->maps, 0, &walk); m; m = vfki_mappings_next(&walk))
		vfki_space_free_mapping(m);
	vfki_mappings_fini(&space->maps);
	free(space->sinks);
	pthread_mutex_destroy(&space->lock);
	free(space);
	return 0;
}

int vfk_dma_set_timeout(struct vfk_dma_space *space, uint32_t timeout_ms)
{
	if (timeout_ms > VFKI_MAX_TIMEOUT_MS)
		return vfki_err(-ERANGE, "dma space: timeout of %" PRIu32 " ms, at most %d",
				timeout_ms, VFKI_MAX_TIMEOUT_MS);
	pthread_mutex_lock(&space->lock);
	space->timeout_ms = timeout_ms;
	pthread_mutex_unlock(&space->lock);
	return 0;
}

int vfk_dma_get_limits(struct vfk_dma_space *space, struct vfk_dma_limits *limits)
{
	size_t size = limits->size;

	if (size < sizeof(*limits))
		return vfki_err(-EINVAL, "dma limits: size %zu, need %zu", size, sizeof(*limits));
	pthread_mutex_lock(&space->lock);
	*limits = space->limits;
	pthread_mutex_unlock(&space->lock);
	limits->size = size;
	return 0;
}

uint64_t vfki_space_deadline(uint32_t timeout_ms)
{
	return vfki_deadline_ns(timeout_ms);
}

uint32_t vfki_space_ms_left(uint64_t deadline)
{
	uint64_t now = vfki_now_ns();

	return now < deadline ? (uint32_t)((deadline - now + 999999u) / 1000000u) : 0;
}

void vfki_space_free_mapping(struct vfki_mapping *m)
{
	vfki_mapping_fini(m);
	free(m);
}

static int check_file_offset(const struct vfki_mapping *m)
{
	if (m->fd >= 0 && !vfki_is_aligned(m->fd_offset, (uint64_t)sysconf(_SC_PAGESIZE)))
		return vfki_err(-EINVAL, "dma map: file offset 0x%" PRIx64 " is not at a page",
				m->fd_offset);
	return 0;
}

int vfki_space_map_locked(struct vfk_dma_space *space, struct vfki_mapping *m,
			  struct vfk_dma_addr *addr, bool *kept)
{
	int ret = check_file_offset(m);

	*kept = false;
	if (!ret)
		ret = vfki_limits_suit(&space->limits, m);
	if (ret < 0)
		return ret;
	if (space->maps.count >= space->limits.max_maps)
		return vfki_err(-ENOSPC, "dma map: there are %zu mappings, no more can be had",
				space->maps.count);
	ret = vfki_mappings_insert(&space->maps, m);
	if (ret < 0)
		return ret;
	ret = vfki_sinks_map_locked(space, m, addr, kept);
	if (!*kept)
		vfki_mappings_remove(&space->maps, m);
	return ret;
}

static int map_chosen_locked(struct vfk_dma_space *space, struct vfki_mapping *m,
			     struct vfk_dma_addr *addr, bool *kept)
{
	*kept = false;
	if (space->limits.flags & VFK_DMA_PHYSICAL)
		return vfki_err(
			-ENOTSUP,
			"dma map: 0x%" PRIx64
			": without an IOMMU nothing can be mapped at a chosen address; take "
			"vfk_dma_map_any() or vfk_dma_alloc(), and the address that they tell",
			m->first);
	return vfki_space_map_locked(space, m, addr, kept);
}

int vfk_dma_map(struct vfk_dma_space *space, const struct vfk_dma_mapping *mapping,
		struct vfk_dma_addr *addr)
{
	struct vfki_mapping *m = calloc(1, sizeof(*m));
	struct vfk_dma_addr got;
	bool kept;
	int ret;

	if (!m)
		return vfki_err(-ENOMEM, "dma map: no memory");
	ret = vfki_mapping_init(m, mapping);
	if (ret < 0) {
		free(m);
		return ret;
	}
	pthread_mutex_lock(&space->lock);
	ret = map_chosen_locked(space, m, &got, &kept);
	pthread_mutex_unlock(&space->lock);
	if (!kept)
		vfki_space_free_mapping(m);
	if (!ret && addr)
		*addr = got;
	return ret;
}

static int address_locked(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
			  struct vfk_dma_addr *addr)
{
	const struct vfki_mapping *m = vfki_mappings_find(&space->maps, iova);

	if (!m || m->last - iova < length - 1)
		return vfki_err(-ENOENT,
				"dma address: 0x%" PRIx64 " + 0x%" PRIx64 " is not in one mapping",
				iova, length);
	/* all sinks have the same address for the same memory, else it could not have been mapped */
	if (space->num_sinks)
		return vfki_checked_dma_address(space->sinks[0]->io, iova, length, addr);
	*addr = (struct vfk_dma_addr){ iova, length };
	return 0;
}

int vfk_dma_address(struct vfk_dma_space *space, uint64_t iova, uint64_t length,
		    struct vfk_dma_addr *addr)
{
	uint64_t last;
	int ret;

	if (!vfki_range_last(iova, length, &last))
		return vfki_err(-EINVAL,
				"dma address: range 0x%" PRIx64 " + 0x%" PRIx64
				" is empty or wraps",
				iova, length);
	pthread_mutex_lock(&space->lock);
	ret = address_locked(space, iova, length, addr);
	pthread_mutex_unlock(&space->lock);
	return ret;
}
