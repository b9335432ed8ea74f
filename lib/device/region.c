/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * region.c - what the regions of a device are, and accesses to them.
 *
 * Any thread, no lock: an info is made whole and then published, and whoever comes second throws his away.
 */
#include "region.h"
#include "device.h"
#include "lib/base/capchain.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include "lib/base/sparse.h"
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)

static int keeps_growing(const struct vfk_device *dev, uint32_t index)
{
	return vfki_err(-EPROTO, "%s: region %" PRIu32 ": info: it needs more room each time",
			vfk_device_name(dev), index);
}

/* An io says how much room it needs; that may not grow for ever. */
static int fetch(struct vfk_device *dev, uint32_t index, uint32_t capacity,
		 struct vfk_region_fds *fds, struct vfio_region_info **out)
{
	for (int round = 0; round < VFKI_MAX_ROUNDS; round++) {
		struct vfio_region_info *info = calloc(1, capacity);
		int ret;

		if (!info)
			return vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
		info->argsz = capacity;
		info->index = index;
		ret = vfki_checked_get_region_info(&dev->io, info, fds);
		if (!ret && info->argsz <= capacity) {
			*out = info;
			return 0;
		}
		capacity = info->argsz;
		free(info);
		if (ret < 0)
			return ret;
	}
	return keeps_growing(dev, index);
}

static int by_offset(const void *a, const void *b)
{
	const struct vfio_region_sparse_mmap_area *const *l = a, *const *r = b;

	return ((*l)->offset > (*r)->offset) - ((*l)->offset < (*r)->offset);
}

static struct vfki_region *region_alloc(size_t num_areas)
{
	struct vfki_region *r;
	size_t size;

	if (!vfki_tail_size(sizeof(*r), num_areas, sizeof(r->areas[0]) + sizeof(r->cap_index[0]),
			    &size))
		return NULL;
	r = calloc(1, size);
	if (r)
		r->cap_index = (uint32_t *)&r->areas[num_areas];
	return r;
}

/* @caps as the capability lists them; those of no size mean nothing, the rest is sorted. */
static struct vfki_region *with_areas(const struct vfio_region_sparse_mmap_area *caps, size_t n)
{
	const struct vfio_region_sparse_mmap_area **order = calloc(n + 1, sizeof(*order));
	struct vfki_region *r = region_alloc(n);
	uint32_t used = 0;

	if (!order || !r) {
		free(r);
		r = NULL;
		goto free_order;
	}
	for (size_t i = 0; i < n; i++) {
		if (caps[i].size)
			order[used++] = &caps[i];
	}
	qsort(order, used, sizeof(struct vfio_region_sparse_mmap_area *), by_offset);
	for (uint32_t i = 0; i < used; i++) {
		r->areas[i] = (struct vfk_region_area){ order[i]->offset, order[i]->size };
		r->cap_index[i] = (uint32_t)(order[i] - caps);
	}
	r->cap_areas = (uint32_t)n;
	r->pub.num_areas = used;
free_order:
	free(order);
	return r;
}

static int from_sparse(const struct vfio_region_info *info, const struct vfki_cap *cap,
		       struct vfki_region **out)
{
	struct vfio_region_sparse_mmap_area *caps;
	size_t n;
	int ret = vfki_sparse_decode(cap, info->size, NULL, 0, &n);

	if (ret < 0)
		return ret;
	caps = calloc(n + 1, sizeof(*caps));
	if (!caps)
		return vfki_err(-ENOMEM, "no memory");
	ret = vfki_sparse_decode(cap, info->size, caps, n, &n);
	if (ret < 0)
		goto free_caps;
	*out = with_areas(caps, n);
	ret = *out ? 0 : vfki_err(-ENOMEM, "no memory");
free_caps:
	free(caps);
	return ret;
}

/* A region with its areas, from an info whose chain is sound. */
static int find_areas(const struct vfio_region_info *info, struct vfki_region **out)
{
	struct vfio_region_sparse_mmap_area whole = { .size = info->size };
	bool mappable = info->flags & VFIO_REGION_INFO_FLAG_MMAP;
	struct vfki_cap cap;
	int found = 0;

	if (mappable)
		found = vfki_caps_find(info, info->argsz, sizeof(*info), info->cap_offset,
				       VFIO_REGION_INFO_CAP_SPARSE_MMAP, &cap);
	if (found < 0)
		return found;
	if (found)
		return from_sparse(info, &cap, out);
	*out = with_areas(&whole, mappable);
	return *out ? 0 : vfki_err(-ENOMEM, "no memory");
}

/* What users see of the chain begins at its first capability, so no other may stand before it. */
static int check_order(const struct vfio_region_info *info)
{
	struct vfki_caps walk;
	struct vfki_cap cap;
	int ret;

	vfki_caps_begin(&walk, info, info->argsz, sizeof(*info), info->cap_offset);
	while ((ret = vfki_caps_next(&walk, &cap)) == 1) {
		if (cap.offset < info->cap_offset)
			return vfki_err(-EPROTO,
					"capability at %" PRIu32 ", before the first at %" PRIu32,
					cap.offset, info->cap_offset);
	}
	return ret;
}

/* Takes @info on success. */
static int region_create(struct vfio_region_info *info, struct vfki_region **out)
{
	struct vfki_region *r;
	int ret = check_order(info);

	if (ret < 0)
		return ret;
	ret = find_areas(info, &r);
	if (ret < 0)
		return ret;
	r->info = info;
	r->pub.index = info->index;
	r->pub.flags = info->flags;
	r->pub.size = info->size;
	r->pub.offset = info->offset;
	r->pub.areas = r->areas;
	if (info->cap_offset) {
		r->pub.caps = (const char *)info + info->cap_offset;
		r->pub.caps_len = info->argsz - info->cap_offset;
		r->pub.caps_offset = info->cap_offset;
	}
	*out = r;
	return 0;
}

static void region_free(struct vfki_region *r)
{
	if (!r)
		return;
	free(r->info);
	free(r);
}

void vfki_regions_free(struct vfk_device *dev)
{
	for (uint32_t i = 0; i < dev->io.num_regions; i++)
		region_free(atomic_load(&dev->regions[i]));
}

static int region_load(struct vfk_device *dev, uint32_t index, struct vfki_region **out)
{
	struct vfki_region *r, *there = NULL;
	struct vfio_region_info *info;
	int ret = fetch(dev, index, sizeof(*info), NULL, &info);

	if (ret < 0)
		return ret;
	ret = region_create(info, &r);
	if (ret) {
		free(info);
		return vfki_err_prefix(ret, "%s: region %" PRIu32, vfk_device_name(dev), index);
	}
	if (!atomic_compare_exchange_strong(&dev->regions[index], &there, r)) {
		region_free(r);
		r = there;
	}
	*out = r;
	return 0;
}

int vfki_region_find(struct vfk_device *dev, uint32_t index, const struct vfki_region **region)
{
	struct vfki_region *r;
	int ret;

	if (index >= dev->io.num_regions)
		return vfki_err(-EINVAL, "%s: region %" PRIu32 ": the device has %" PRIu32,
				vfk_device_name(dev), index, dev->io.num_regions);
	r = atomic_load(&dev->regions[index]);
	if (!r) {
		ret = region_load(dev, index, &r);
		if (ret)
			return ret;
	}
	*region = r;
	return 0;
}

int vfki_device_region_info(struct vfk_device *dev, uint32_t index, struct vfio_region_info **info,
			    struct vfk_region_fds *fds)
{
	const struct vfki_region *r;
	int ret = vfki_region_find(dev, index, &r);

	if (ret < 0)
		return ret;
	if (fds)
		*fds = (struct vfk_region_fds){ .size = sizeof(*fds) };
	ret = fetch(dev, index, r->info->argsz, fds, info);
	if (ret < 0 || !fds || !(fds->flags & VFK_REGION_FD_PER_AREA) || fds->count == r->cap_areas)
		return ret;
	ret = vfki_err(-EPROTO, "%s: region %" PRIu32 ": %" PRIu32 " files for %" PRIu32 " areas",
		       vfk_device_name(dev), index, fds->count, r->cap_areas);
	vfki_fd_close_all(fds->fd, fds->count);
	fds->count = 0;
	free(*info);
	return ret;
}

int vfk_region_get_info(struct vfk_device *dev, uint32_t index, const struct vfk_region_info **info)
{
	const struct vfki_region *r = NULL;
	int ret = vfki_region_find(dev, index, &r);

	if (ret)
		return ret;
	*info = &r->pub;
	return 0;
}

int vfk_region_cap(const struct vfk_region_info *info, uint16_t id, const void **cap, size_t *len)
{
	const char *base = info->caps ? (const char *)info->caps - info->caps_offset : NULL;
	struct vfki_cap found;

	if (!base || vfki_caps_find(base, info->caps_offset + info->caps_len, info->caps_offset,
				    info->caps_offset, id, &found) != 1)
		return vfki_err(-ENOENT, "region %" PRIu32 ": no capability %u", info->index, id);
	*cap = base + found.offset;
	*len = found.room + sizeof(struct vfio_info_cap_header);
	return 0;
}

/* Not inlined: an access that needs none of it would have to save registers. */
static __attribute__((noinline)) ssize_t guarded_read(struct vfk_device *dev, uint32_t index,
						      uint64_t off, void *buf, size_t len)
{
	int ret = vfki_device_check(dev);

	return ret ? ret : vfki_checked_region_read(&dev->io, index, off, buf, len);
}

ssize_t vfk_region_read(struct vfk_device *dev, uint32_t index, uint64_t off, void *buf, size_t len)
{
	if (LIKELY(index < dev->free_regions &&
		   vfki_checked_is_whole(&dev->io.regions[index].whole_read, off, len)))
		return dev->io.region_read(dev->io.io, index, off, buf, len);
	return guarded_read(dev, index, off, buf, len);
}

static __attribute__((noinline)) ssize_t guarded_write(struct vfk_device *dev, uint32_t index,
						       uint64_t off, const void *buf, size_t len,
						       unsigned int flags)
{
	int ret = vfki_device_check(dev);

	return ret ? ret : vfki_checked_region_write(&dev->io, index, off, buf, len, flags);
}

ssize_t vfk_region_write(struct vfk_device *dev, uint32_t index, uint64_t off, const void *buf,
			 size_t len, unsigned int flags)
{
	if (LIKELY(!(flags & ~VFK_WRITE_POSTED) && index < dev->free_regions &&
		   vfki_checked_is_whole(&dev->io.regions[index].whole_write, off, len)))
		return dev->io.region_write(dev->io.io, index, off, buf, len, flags);
	return guarded_write(dev, index, off, buf, len, flags);
}

static int check_width(const struct vfk_device *dev, unsigned int width)
{
	if (width != 1 && width != 2 && width != 4 && width != 8)
		return vfki_err(-EINVAL, "%s: a register of %u bytes, need 1, 2, 4 or 8",
				vfk_device_name(dev), width);
	return 0;
}

/* 0 when all of a register was moved. */
static int whole(const struct vfk_device *dev, uint32_t index, uint64_t off, unsigned int width,
		 ssize_t n)
{
	if (n < 0)
		return (int)n;
	if (n != (ssize_t)width)
		return vfki_err(-EIO, "%s: region %" PRIu32 ": %zd of %u bytes at 0x%" PRIx64,
				vfk_device_name(dev), index, n, width, off);
	return 0;
}

int vfk_region_get(struct vfk_device *dev, uint32_t index, uint64_t off, unsigned int width,
		   uint64_t *value)
{
	uint64_t raw = 0;
	int ret = check_width(dev, width);

	if (!ret)
		ret = whole(dev, index, off, width, vfk_region_read(dev, index, off, &raw, width));
	if (!ret)
		*value = le64toh(raw);
	return ret;
}

int vfk_region_put(struct vfk_device *dev, uint32_t index, uint64_t off, unsigned int width,
		   uint64_t value)
{
	uint64_t raw = htole64(value);
	int ret = check_width(dev, width);

	if (ret < 0)
		return ret;
	if (width < 8 && value >> (8 * width))
		return vfki_err(-EINVAL, "%s: 0x%" PRIx64 " has more than %u bytes",
				vfk_device_name(dev), value, width);
	return whole(dev, index, off, width, vfk_region_write(dev, index, off, &raw, width, 0));
}

int vfk_region_flush(struct vfk_device *dev)
{
	return vfki_checked_flush(&dev->io);
}

int vfk_region_write_multi(struct vfk_device *dev, const struct vfk_region_write *writes,
			   size_t count)
{
	int ret = vfki_device_check(dev);

	return ret ? ret : vfki_checked_write_multi(&dev->io, writes, count);
}

int vfk_region_get_io_fds(struct vfk_device *dev, uint32_t index, struct vfk_region_io_fd *fds,
			  size_t max, size_t *count)
{
	return vfki_checked_region_io_fds(&dev->io, index, fds, max, count);
}
