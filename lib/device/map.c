/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.c - mapping parts of regions into the process, through the files that the io hands out.
 *
 * A peer's file is believed only as far as fstat() and the guard confirm it. Any thread.
 */
#include "map.h"
#include "device.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/guard.h"
#include "lib/base/range.h"
#include "region.h"
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct request {
	uint32_t index;
	uint64_t off, len;
	int prot;
};

struct vfki_map {
	struct vfki_guarded mem;
	struct vfki_guarded renewed; /* of a lost device, until it is moved to where mem is */
	struct request rq;
	struct vfki_map *next;
};

void vfki_maps_init(struct vfki_maps *maps)
{
	pthread_mutex_init(&maps->lock, NULL);
}

void vfki_maps_fini(struct vfki_maps *maps, struct vfk_guard *guard)
{
	while (maps->first) {
		struct vfki_map *map = maps->first;

		maps->first = map->next;
		vfki_guarded_unmap(guard, &map->mem);
		free(map);
	}
	pthread_mutex_destroy(&maps->lock);
}

static bool any_hit(struct vfki_maps *maps)
{
	bool hit = false;

	pthread_mutex_lock(&maps->lock);
	for (struct vfki_map *map = maps->first; map && !hit; map = map->next)
		hit = vfki_guarded_hit(&map->mem);
	pthread_mutex_unlock(&maps->lock);
	return hit;
}

int vfki_maps_check(struct vfki_maps *maps, const struct vfk_guard *guard, const char *name)
{
	uint64_t hits = vfki_guard_hits(guard);

	if (hits != atomic_load(&maps->seen)) {
		if (any_hit(maps))
			atomic_store(&maps->broken, true);
		atomic_store(&maps->seen, hits);
	}
	if (!atomic_load(&maps->broken))
		return 0;
	return vfki_err(-EPROTO, "%s: a file of the device's shrank under a mapping", name);
}

static int refuse(const struct vfk_device *dev, const struct request *rq, int err, const char *why)
{
	return vfki_err(err,
			"%s: region %" PRIu32 ": map of 0x%" PRIx64 " bytes at 0x%" PRIx64 ": %s",
			vfk_device_name(dev), rq->index, rq->len, rq->off, why);
}

static int check_request(const struct vfk_device *dev, const struct request *rq,
			 const struct vfk_region_info *info)
{
	if (!rq->prot || rq->prot & ~(PROT_READ | PROT_WRITE))
		return refuse(dev, rq, -EINVAL, "protection is neither read nor write");
	if (!rq->len || !vfki_is_aligned(rq->off, (uint64_t)sysconf(_SC_PAGESIZE)))
		return refuse(dev, rq, -EINVAL, "empty, or not at a page");
	if (!(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return refuse(dev, rq, -ENOTSUP, "the region cannot be mapped");
	if (!vfki_range_ok(rq->off, rq->len, info->size))
		return refuse(dev, rq, -EINVAL, "beyond its end");
	if ((rq->prot & PROT_READ && !(info->flags & VFIO_REGION_INFO_FLAG_READ)) ||
	    (rq->prot & PROT_WRITE && !(info->flags & VFIO_REGION_INFO_FLAG_WRITE)))
		return refuse(dev, rq, -EACCES, "not permitted");
	return 0;
}

/* The area that the whole range lies in. */
static int find_area(const struct vfk_device *dev, const struct request *rq,
		     const struct vfk_region_info *info, uint32_t *area)
{
	bool touched = false;

	for (uint32_t i = 0; i < info->num_areas; i++) {
		const struct vfk_region_area *a = &info->areas[i];

		if (vfki_range_within(rq->off, rq->len, a->offset, a->length)) {
			*area = i;
			return 0;
		}
		touched = touched || vfki_ranges_overlap(rq->off, rq->len, a->offset, a->length);
	}
	if (touched)
		return refuse(dev, rq, -EINVAL, "not within one area that can be mapped");
	return refuse(dev, rq, -ENOTSUP, "this part of the region cannot be mapped");
}

/* Which file serves an area, and where in it the request begins. */
static int find_file(const struct vfk_device *dev, const struct request *rq,
		     const struct vfki_region *r, uint32_t area, const struct vfk_region_fds *fds,
		     int *fd, uint64_t *at)
{
	uint64_t base = r->pub.offset, in = rq->off;
	uint32_t i = 0;

	if (fds->flags & VFK_REGION_FD_PER_AREA) {
		i = r->cap_index[area];
		base = i < fds->count ? fds->offset[i] : 0;
		in -= r->areas[area].offset;
	}
	if (i >= fds->count || fds->fd[i] < 0)
		return refuse(dev, rq, -ENOTSUP, "there is no file for it");
	if (!vfki_add_u64(base, in, at))
		return refuse(dev, rq, -EPROTO, "its place in the file wraps");
	*fd = fds->fd[i];
	return 0;
}

static int map_file(struct vfk_device *dev, const struct request *rq, int fd, uint64_t at,
		    struct vfki_guarded *mem)
{
	int ret = vfki_guarded_map(dev->guard, fd, at, rq->len, rq->prot, mem);

	if (ret == -ENODATA) /* the peer said more than there is */
		ret = -EPROTO;
	return ret < 0 ? vfki_err_prefix(ret, "%s: region %" PRIu32, vfk_device_name(dev),
					 rq->index) :
			 0;
}

/* Asks for the files, maps one, and closes them all: a mapping needs no descriptor. */
static int map_request(struct vfk_device *dev, const struct request *rq,
		       const struct vfki_region *r, uint32_t area, struct vfki_guarded *mem)
{
	struct vfio_region_info *info;
	struct vfk_region_fds fds;
	uint64_t at = 0;
	int fd = -1, ret = vfki_device_region_info(dev, rq->index, &info, &fds);

	if (ret < 0)
		return ret;
	ret = find_file(dev, rq, r, area, &fds, &fd, &at);
	if (!ret)
		ret = map_file(dev, rq, fd, at, mem);
	vfki_fd_close_all(fds.fd, fds.count);
	free(info);
	return ret;
}

/* False: the device was lost since @epoch, so the file is one of a server that is gone. */
static bool add(struct vfk_device *dev, struct vfki_map *map, uint64_t epoch)
{
	bool same;

	pthread_mutex_lock(&dev->maps.lock);
	same = atomic_load(&dev->loss.epoch) == epoch;
	if (same) {
		map->next = dev->maps.first;
		dev->maps.first = map;
	}
	pthread_mutex_unlock(&dev->maps.lock);
	return same;
}

int vfk_region_map(struct vfk_device *dev, uint32_t index, uint64_t off, uint64_t len, int prot,
		   void **addr)
{
	struct request rq = { index, off, len, prot };
	uint64_t epoch = atomic_load(&dev->loss.epoch);
	const struct vfki_region *r;
	struct vfki_map *map;
	uint32_t area = 0;
	int ret = vfki_region_find(dev, index, &r);

	if (!ret)
		ret = check_request(dev, &rq, &r->pub);
	if (!ret)
		ret = find_area(dev, &rq, &r->pub, &area);
	if (ret)
		return ret;
	map = calloc(1, sizeof(*map));
	if (!map)
		return refuse(dev, &rq, -ENOMEM, "no memory");
	ret = map_request(dev, &rq, r, area, &map->mem);
	if (ret < 0) {
		free(map);
		return ret;
	}
	map->rq = rq;
	if (!add(dev, map, epoch)) {
		vfki_guarded_unmap(dev->guard, &map->mem);
		free(map);
		return refuse(dev, &rq, -ECONNRESET, "the server was lost");
	}
	*addr = map->mem.addr;
	return 0;
}

static struct vfki_map *take(struct vfki_maps *maps, const void *addr)
{
	struct vfki_map **at, *map;

	pthread_mutex_lock(&maps->lock);
	for (at = &maps->first; *at && (*at)->mem.addr != addr; at = &(*at)->next)
		;
	map = *at;
	if (map)
		*at = map->next;
	pthread_mutex_unlock(&maps->lock);
	return map;
}

int vfk_region_unmap(struct vfk_device *dev, void *addr)
{
	struct vfki_map *map = take(&dev->maps, addr);

	if (!map)
		return vfki_err(-ENOENT, "%s: no mapping begins at %p", vfk_device_name(dev), addr);
	/* a hit must not be forgotten with its mapping */
	if (vfki_guarded_hit(&map->mem))
		atomic_store(&dev->maps.broken, true);
	vfki_guarded_unmap(dev->guard, &map->mem);
	free(map);
	return 0;
}

/* ---- of a lost device ---- */

static int renew(struct vfk_device *dev, struct vfki_map *map)
{
	const struct vfki_region *r;
	uint32_t area = 0;
	int ret = vfki_region_find(dev, map->rq.index, &r);

	if (!ret)
		ret = find_area(dev, &map->rq, &r->pub, &area);
	if (!ret)
		ret = map_request(dev, &map->rq, r, area, &map->renewed);
	if (ret)
		return ret;
	/* Another size of page needs another place. */
	if (map->renewed.base_len == map->mem.base_len &&
	    (uintptr_t)map->renewed.addr - (uintptr_t)map->renewed.base ==
		    (uintptr_t)map->mem.addr - (uintptr_t)map->mem.base)
		return 0;
	return refuse(dev, &map->rq, -ENODEV, "the file is of other pages than before");
}

int vfki_maps_renew_locked(struct vfk_device *dev)
{
	int ret = 0;

	for (struct vfki_map *map = dev->maps.first; map && !ret; map = map->next)
		ret = renew(dev, map);
	if (ret)
		vfki_maps_drop_renewed_locked(&dev->maps, dev->guard);
	return ret;
}

int vfki_maps_settle_locked(struct vfki_maps *maps, struct vfk_guard *guard)
{
	for (struct vfki_map *map = maps->first; map; map = map->next) {
		int ret = vfki_guarded_move(guard, &map->renewed, &map->mem);

		if (ret)
			return ret;
	}
	atomic_store(&maps->seen, vfki_guard_hits(guard));
	atomic_store(&maps->broken, false);
	return 0;
}

void vfki_maps_drop_renewed_locked(struct vfki_maps *maps, struct vfk_guard *guard)
{
	for (struct vfki_map *map = maps->first; map; map = map->next)
		vfki_guarded_unmap(guard, &map->renewed);
}
