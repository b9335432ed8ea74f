/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alloc.c - memory at an address that every device can reach: the library chooses the IOVA, and where there is no IOMMU,
 * memory until its physical address suits.
 *
 * Any thread; choosing and mapping under the space's lock.
 */
#include "alloc_memory.h"
#include "iova.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "space.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* How much memory is tried, without an IOMMU, before the masks are taken to be too narrow. */
#define PHYSICAL_TRIES 64

/* The highest address that all devices of the space can put on the bus. */
static uint64_t mask_locked(const struct vfk_dma_space *space)
{
	unsigned int bits = 64;

	for (size_t i = 0; i < space->num_sinks; i++) {
		unsigned int own = atomic_load(&space->sinks[i]->mask_bits);

		bits = own < bits ? own : bits;
	}
	return UINT64_MAX >> (64 - bits);
}

/* Whether devices can reach all of a mapping at its physical addresses. */
static int check_physical_locked(struct vfk_dma_space *space, const struct vfki_mapping *m,
				 struct vfk_dma_addr addr, uint64_t mask)
{
	uint64_t done = 0, length = vfki_mapping_length(m);
	int ret = 0;

	while (!ret) {
		if (addr.addr > mask || addr.contiguous - 1 > mask - addr.addr)
			return vfki_err(-ERANGE,
					"dma map: without an IOMMU, and the memory is at 0x%" PRIx64
					": the devices reach up to 0x%" PRIx64,
					addr.addr, mask);
		done += addr.contiguous;
		if (done >= length)
			break;
		ret = vfki_checked_dma_address(space->sinks[0]->io, m->first + done, length - done,
					       &addr);
	}
	return ret;
}

static int map_physical_locked(struct vfk_dma_space *space, struct vfki_mapping *m,
			       struct vfk_dma_addr *addr, bool *kept)
{
	int ret = vfki_space_map_locked(space, m, addr, kept);

	if (ret < 0)
		return ret;
	ret = check_physical_locked(space, m, *addr, mask_locked(space));
	if (ret < 0) {
		/* nobody was told the address, so that nobody uses it */
		(void)vfki_sinks_unmap_locked(space, m, vfki_space_deadline(0));
		vfki_mappings_remove(&space->maps, m);
		*kept = false;
	}
	return ret;
}

/* Maps @m at the first IOVA that no sink refuses. */
static int map_somewhere_locked(struct vfk_dma_space *space, struct vfki_mapping *m,
				struct vfk_dma_addr *addr, bool *kept)
{
	bool physical = space->limits.flags & VFK_DMA_PHYSICAL;
	struct vfki_iova_search search = {
		.maps = &space->maps,
		.limits = &space->limits,
		.granule = vfki_limits_granule(&space->limits),
		.mask = physical ? UINT64_MAX : mask_locked(space),
		.length = vfki_mapping_length(m),
	};
	uint64_t iova, tried = 0;

	*kept = false;
	for (unsigned int n = 0; n < VFKI_IOVA_TRIES; n++) {
		int ret;

		if (vfki_iova_find(&search, vfki_iova_start(&search, n), &iova) < 0 ||
		    iova == tried)
			continue;
		tried = iova;
		m->first = iova;
		m->last = iova + (search.length - 1);
		if (physical)
			return map_physical_locked(space, m, addr, kept);
		ret = vfki_space_map_locked(space, m, addr, kept);
		/* refused by a sink that cannot say beforehand what it can map */
		if (ret != -ERANGE && ret != -EEXIST)
			return ret;
	}
	return vfki_err(-ENOSPC,
			"dma alloc: no address for 0x%" PRIx64 " bytes up to 0x%" PRIx64 "%s",
			search.length, search.mask, tried ? ": the device refuses" : "");
}

static int map_somewhere(struct vfk_dma_space *space, const struct vfk_dma_mapping *mapping,
			 uint64_t *iova, struct vfk_dma_addr *addr, bool *kept)
{
	struct vfki_mapping *m = calloc(1, sizeof(*m));
	struct vfk_dma_mapping what;
	struct vfk_dma_addr got;
	int ret;

	*kept = false;
	if (!m)
		return vfki_err(-ENOMEM, "dma map: no memory");
	if (mapping->size < sizeof(what)) {
		ret = vfki_err(-EINVAL, "dma map: mapping: size %zu, need %zu", mapping->size,
			       sizeof(what));
		goto free_mapping;
	}
	what = *mapping;
	what.iova = 0;
	ret = vfki_mapping_init(m, &what);
	if (ret < 0)
		goto free_mapping;
	pthread_mutex_lock(&space->lock);
	ret = map_somewhere_locked(space, m, &got, kept);
	if (!ret) {
		*iova = m->first;
		*addr = got;
	}
	pthread_mutex_unlock(&space->lock);
	if (!*kept)
		vfki_space_free_mapping(m);
	return ret;
free_mapping:
	free(m);
	return ret;
}

int vfk_dma_map_any(struct vfk_dma_space *space, const struct vfk_dma_mapping *mapping,
		    uint64_t *iova, struct vfk_dma_addr *addr)
{
	bool kept;

	return map_somewhere(space, mapping, iova, addr, &kept);
}

/* What an alloc needs to know of the space. */
struct wanted {
	uint64_t length; /* the host's pages, or the sinks' if those are larger */
	uint64_t mask;
	uint32_t flags; /* VFK_DMA_PHYSICAL, VFK_DMA_HUGE_PAGES */
};

static int look_at_space(struct vfk_dma_space *space, uint64_t length, struct wanted *w)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), granule;

	pthread_mutex_lock(&space->lock);
	granule = vfki_limits_granule(&space->limits);
	w->flags = space->limits.flags;
	w->mask = mask_locked(space);
	pthread_mutex_unlock(&space->lock);
	if (!length || !vfki_align_up(length, granule > page ? granule : page, &w->length) ||
	    w->length > INT64_MAX || w->length > SIZE_MAX)
		return vfki_err(-EINVAL, "dma alloc: 0x%" PRIx64 " bytes", length);
	if (w->flags & VFK_DMA_PHYSICAL && w->length - 1 > w->mask)
		return vfki_err(-ENOSPC,
				"dma alloc: 0x%" PRIx64
				" bytes: the devices reach up to 0x%" PRIx64,
				w->length, w->mask);
	return 0;
}

static int create_memory(const struct wanted *w, struct vfki_memory *memory)
{
	int ret;

	if (w->flags & VFK_DMA_HUGE_PAGES)
		return vfki_memory_create_huge(w->length, memory);
	/* physical memory is contiguous within a page only, and there may be larger ones */
	if (w->flags & VFK_DMA_PHYSICAL && w->length > (uint64_t)sysconf(_SC_PAGESIZE)) {
		ret = vfki_memory_create_huge(w->length, memory);
		if (ret != -ENOMEM)
			return ret;
	}
	return vfki_memory_create(w->length, memory);
}

/* *kept: a device has the memory and does not let go; it must stay, even though nobody knows it any more. */
static int alloc_once(struct vfk_dma_space *space, const struct wanted *w, uint32_t prot,
		      struct vfki_memory *memory, struct vfk_dma_buffer *b, bool *kept)
{
	struct vfk_dma_mapping what = { .size = sizeof(what), .length = w->length, .prot = prot };
	int ret = create_memory(w, memory);

	*kept = true;
	if (ret < 0)
		return ret;
	what.fd = b->fd = memory->fd;
	what.vaddr = b->vaddr = memory->vaddr;
	b->length = w->length;
	return map_somewhere(space, &what, &b->iova, &b->dev, kept);
}

/* What lies too high is held until the search is over, so that the next try is given something else. */
static int alloc_physical(struct vfk_dma_space *space, const struct wanted *w, uint32_t prot,
			  struct vfk_dma_buffer *b)
{
	struct vfki_memory held[PHYSICAL_TRIES];
	size_t count = 0;
	bool kept;
	int ret;

	do {
		ret = alloc_once(space, w, prot, &held[count], b, &kept);
		if (!kept)
			count++;
	} while (ret == -ERANGE && !kept && count < PHYSICAL_TRIES);
	/* the memory ran out before any suited: it is the masks that are too narrow for what there is */
	if (ret == -ERANGE || (ret == -ENOMEM && count))
		ret = vfki_err(-ENOSPC,
			       "dma alloc: no memory below 0x%" PRIx64
			       ", where the devices reach without an IOMMU",
			       w->mask);
	while (count-- > 0)
		vfki_memory_free(held[count].fd, held[count].vaddr);
	return ret;
}

int vfk_dma_alloc(struct vfk_dma_space *space, uint64_t length, uint32_t prot,
		  struct vfk_dma_buffer *buffer)
{
	struct vfk_dma_buffer b = { .size = buffer->size };
	struct vfki_memory memory;
	struct wanted w;
	bool kept;
	int ret;

	if (buffer->size < sizeof(b))
		return vfki_err(-EINVAL, "dma alloc: buffer: size %zu, need %zu", buffer->size,
				sizeof(b));
	ret = look_at_space(space, length, &w);
	if (ret < 0)
		return ret;
	if (w.flags & VFK_DMA_PHYSICAL) {
		ret = alloc_physical(space, &w, prot, &b);
	} else {
		ret = alloc_once(space, &w, prot, &memory, &b, &kept);
		if (!kept)
			vfki_memory_free(memory.fd, memory.vaddr);
	}
	if (!ret)
		*buffer = b;
	return ret;
}

int vfk_dma_free(struct vfk_dma_space *space, struct vfk_dma_buffer *buffer)
{
	int ret = vfk_dma_unmap(space, buffer->iova, buffer->length);

	if (ret < 0)
		return ret;
	vfki_memory_free(buffer->fd, buffer->vaddr);
	*buffer = (struct vfk_dma_buffer){ .size = buffer->size, .fd = -1 };
	return 0;
}
