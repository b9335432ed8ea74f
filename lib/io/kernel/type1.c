/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * type1.c - the IOMMU of a legacy container, VFIO_TYPE1_IOMMU and VFIO_TYPE1v2_IOMMU; see iommu_kind.h.
 *
 * Threads: under the iommu's lock.
 */
#include "lib/base/capchain.h"
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/io/kernel/iommu_kind.h"
#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

/* How often a growing answer is asked for. */
#define MAX_ROUNDS 3

/* What vfio_iommu_type1 has for its parameter dma_entry_limit, unless told otherwise. */
#define DEFAULT_MAPS 65535

/* ---- what the container says of itself ---- */

static struct vfio_iommu_type1_info *ask(struct vfki_iommu *i, uint32_t argsz, int *ret)
{
	struct vfio_iommu_type1_info *info = calloc(1, argsz);

	if (!info) {
		*ret = -ENOMEM;
		return NULL;
	}
	info->argsz = argsz;
	*ret = vfki_iommu_ioctl(i, VFIO_IOMMU_GET_INFO, info);
	if (*ret < 0 || info->argsz > argsz) {
		uint32_t need = info->argsz;

		free(info);
		if (!*ret)
			*ret = (int)vfki_min_u64(need, INT32_MAX);
		return NULL;
	}
	return info;
}

/* The answer with its whole chain, and its length; to be freed. */
static struct vfio_iommu_type1_info *get_info(struct vfki_iommu *i, const char *name, size_t *len,
					      int *err)
{
	uint32_t argsz = 512;
	int ret = 0;

	for (int round = 0; round < MAX_ROUNDS; round++) {
		struct vfio_iommu_type1_info *info = ask(i, argsz, &ret);

		if (info) {
			*len = argsz;
			return info;
		}
		if (ret < 0)
			break;
		argsz = (uint32_t)ret;
	}
	*err = ret < 0 ? vfki_err_sys(ret, "%s: what the IOMMU can map", name) :
			 vfki_err(-EIO, "%s: the IOMMU's description grows", name);
	return NULL;
}

/*
 * The capability @id, header included, copied into @out, of which @size bytes are there; returns how many bytes there are
 * beginning with the header, 0 if there is none.
 */
static size_t get_cap(const struct vfio_iommu_type1_info *info, size_t len, uint16_t id, void *out,
		      size_t size, const uint8_t **at)
{
	const size_t header = sizeof(struct vfio_info_cap_header);
	struct vfki_cap cap;

	if (!(info->flags & VFIO_IOMMU_INFO_CAPS) ||
	    vfki_caps_find(info, len, sizeof(*info), info->cap_offset, id, &cap) != 1 ||
	    cap.room < size - header)
		return 0;
	*at = (const uint8_t *)info + cap.offset;
	memcpy(out, *at, size);
	return cap.room + header;
}

static void get_ranges(const struct vfio_iommu_type1_info *info, size_t len,
		       struct vfk_dma_limits *limits)
{
	struct vfio_iommu_type1_info_cap_iova_range cap;
	const uint8_t *at = NULL;
	size_t have =
		get_cap(info, len, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, &cap, sizeof(cap), &at);
	uint64_t places = have ? (have - sizeof(cap)) / sizeof(struct vfio_iova_range) : 0;

	/* more than there is room for: the highest are left out, nothing is promised there */
	for (uint32_t n = 0; have && n < cap.nr_iovas && n < places && n < VFK_DMA_MAX_RANGES;
	     n++) {
		struct vfio_iova_range r;

		memcpy(&r, at + sizeof(cap) + n * sizeof(r), sizeof(r));
		limits->ranges[limits->num_ranges++] = (struct vfk_iova_range){ r.start, r.end };
	}
}

static int limits(struct vfki_iommu *i, const char *name, struct vfk_dma_limits *l)
{
	struct vfio_iommu_type1_info_dma_avail avail;
	const uint8_t *at;
	size_t len;
	int ret = 0;
	struct vfio_iommu_type1_info *info = get_info(i, name, &len, &ret);

	if (!info)
		return ret;
	if (info->flags & VFIO_IOMMU_INFO_PGSIZES && info->iova_pgsizes)
		l->pgsizes = info->iova_pgsizes;
	get_ranges(info, len, l);
	/* what is left, so that the sum stays the same while mappings come and go */
	l->max_maps = DEFAULT_MAPS;
	if (get_cap(info, len, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, &avail, sizeof(avail), &at))
		l->max_maps = (uint64_t)avail.avail + i->maps.count;
	free(info);
	return 0;
}

/* ---- mappings ---- */

static int map(struct vfki_iommu *i, const struct vfki_kernel_dma *dma, struct vfki_iommu_entry *e)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = (e->m.prot & VFK_DMA_READ ? VFIO_DMA_MAP_FLAG_READ : 0) |
			 (e->m.prot & VFK_DMA_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.iova = e->m.first,
		.size = vfki_iommu_entry_length(e),
	};
	int ret = vfki_iommu_map_file(dma->name, e);

	if (ret < 0)
		return ret;
	map.vaddr = (uintptr_t)e->m.vaddr;
	ret = vfki_iommu_ioctl(i, VFIO_IOMMU_MAP_DMA, &map);
	return ret < 0 ? vfki_iommu_refusal(i, dma->name, e, ret) : 0;
}

/* An unmap whose answer has the pages written until the very end: a struct vfio_bitmap follows the structure. */
union unmap_dirty {
	struct vfio_iommu_type1_dma_unmap unmap;
	uint8_t room[sizeof(struct vfio_iommu_type1_dma_unmap) + sizeof(struct vfio_bitmap)];
};

/* The kernel overwrites a bitmap, so what is there already must be put aside. */
static uint64_t *scratch(struct vfki_iommu *i, const struct vfki_iommu_entry *e,
			 struct vfio_bitmap *b)
{
	size_t words = vfki_iommu_dirty_words(i, e);
	uint64_t *bits = calloc(words, sizeof(*bits));

	*b = (struct vfio_bitmap){
		.pgsize = i->dirty_granule,
		.size = words * sizeof(*bits),
		.data = (__u64 *)bits,
	};
	return bits;
}

static void merge(struct vfki_iommu *i, struct vfki_iommu_entry *e, const uint64_t *bits)
{
	size_t words = vfki_iommu_dirty_words(i, e);

	for (size_t n = 0; n < words; n++)
		e->dirty[n] |= bits[n];
}

static int unmap(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e)
{
	union unmap_dirty u = {
		.unmap = {
			.argsz = sizeof(u.unmap),
			.iova = e->m.first,
			.size = vfki_iommu_entry_length(e),
		},
	};
	struct vfio_bitmap bitmap;
	uint64_t *bits = NULL;
	int ret;

	if (e->dirty) {
		bits = scratch(i, e, &bitmap);
		if (!bits)
			return vfki_err(-EBUSY, "%s: DMA unmap: no memory for written pages", name);
		u.unmap.argsz = sizeof(u);
		u.unmap.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
		memcpy(u.room + sizeof(u.unmap), &bitmap, sizeof(bitmap));
	}
	ret = vfki_iommu_ioctl(i, VFIO_IOMMU_UNMAP_DMA, &u);
	if (ret < 0) {
		vfki_err_sys(ret, "%s: DMA unmap of 0x%" PRIx64 "-0x%" PRIx64, name, e->m.first,
			     e->m.last);
		ret = -EBUSY;
	} else if (bits) {
		merge(i, e, bits);
	}
	free(bits);
	return ret;
}

/* ---- written pages ---- */

static int dirty_flags(struct vfki_iommu *i, uint32_t flags)
{
	struct vfio_iommu_type1_dirty_bitmap d = { .argsz = sizeof(d), .flags = flags };

	return vfki_iommu_ioctl(i, VFIO_IOMMU_DIRTY_PAGES, &d);
}

/* The smallest page size, which is the only one that the kernel answers for; 0: it does not record. */
static uint64_t dirty_granule(struct vfki_iommu *i, const char *name, int *ret)
{
	struct vfio_iommu_type1_info_cap_migration cap;
	const uint8_t *at;
	size_t len;
	struct vfio_iommu_type1_info *info = get_info(i, name, &len, ret);
	uint64_t granule = 0;

	if (!info)
		return 0;
	if (get_cap(info, len, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, &cap, sizeof(cap), &at) &&
	    cap.pgsize_bitmap)
		granule = cap.pgsize_bitmap & -cap.pgsize_bitmap;
	else
		*ret = vfki_err(-ENOTSUP,
				"%s: this kernel's container does not record written pages", name);
	free(info);
	return granule;
}

static int dirty_start(struct vfki_iommu *i, const struct vfki_kernel_dma *dma)
{
	int ret = 0;

	if (i->dirty_users)
		return 0;
	i->dirty_granule = dirty_granule(i, dma->name, &ret);
	if (!i->dirty_granule)
		return ret;
	ret = dirty_flags(i, VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
	/* type1 without v2 has the capability, and refuses */
	if (ret == -EACCES)
		ret = -ENOTSUP;
	return ret < 0 ? vfki_err_sys(ret, "%s: recording written pages", dma->name) : 0;
}

static void dirty_stop(struct vfki_iommu *i)
{
	(void)dirty_flags(i, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
}

/* What is asked for follows the structure. */
union get_dirty {
	struct vfio_iommu_type1_dirty_bitmap head;
	uint8_t room[sizeof(struct vfio_iommu_type1_dirty_bitmap) +
		     sizeof(struct vfio_iommu_type1_dirty_bitmap_get)];
};

static int dirty_fetch(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e)
{
	union get_dirty d = {
		.head = { .argsz = sizeof(d), .flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP },
	};
	struct vfio_iommu_type1_dirty_bitmap_get get = {
		.iova = e->m.first,
		.size = vfki_iommu_entry_length(e),
	};
	uint64_t *bits = scratch(i, e, &get.bitmap);
	int ret;

	if (!bits)
		return vfki_err(-ENOMEM, "%s: no memory for written pages", name);
	memcpy(d.room + sizeof(d.head), &get, sizeof(get));
	ret = vfki_iommu_ioctl(i, VFIO_IOMMU_DIRTY_PAGES, &d);
	if (ret < 0)
		vfki_err_sys(ret, "%s: written pages of 0x%" PRIx64 "-0x%" PRIx64, name, e->m.first,
			     e->m.last);
	else
		merge(i, e, bits);
	free(bits);
	return ret;
}

static const struct vfki_iommu_kind type1_kind = {
	.map = map,
	.unmap = unmap,
	.limits = limits,
	.dirty_start = dirty_start,
	.dirty_stop = dirty_stop,
	.dirty_fetch = dirty_fetch,
};

int vfki_iommu_type1(const char *name, int container, struct vfki_iommu **iommu)
{
	return vfki_iommu_create(name, &type1_kind, container, iommu);
}
