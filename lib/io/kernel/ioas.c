/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ioas.c - the IOMMU of device cdevs: an IOAS of an iommufd, and page tables of it that tell written pages.
 *
 * A device is attached to a page table made for it that tells written pages, where its IOMMU can do that; else to the IOAS,
 * and the kernel finds or makes a page table. All of them follow what is mapped in the IOAS.
 *
 * Threads: under the iommu's lock.
 */
#include "lib/io/kernel/ioas.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include "lib/io/kernel/iommufd_compat.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

static void destroy_object(struct vfki_iommu *i, uint32_t id)
{
	struct vfki_iommu_destroy d = { .size = sizeof(d), .id = id };

	(void)vfki_iommu_ioctl(i, VFKI_IOMMU_DESTROY, &d);
}

/* ---- devices ---- */

static int attach_to(const struct vfki_kernel_dma *dma, uint32_t pt_id)
{
	struct vfki_device_attach_iommufd_pt a = { .argsz = sizeof(a), .pt_id = pt_id };

	return ioctl(dma->device_fd, VFKI_DEVICE_ATTACH_IOMMUFD_PT, &a) < 0 ? -errno : 0;
}

/* A page table of another device may do: devices of one group cannot but share it. */
static bool attach_to_known(struct vfki_iommu *i, struct vfki_kernel_dma *dma)
{
	for (size_t n = 0; n < i->num_hwpts; n++) {
		if (!attach_to(dma, i->hwpts[n])) {
			dma->hwpt_id = i->hwpts[n];
			return true;
		}
	}
	return false;
}

/* Fails where the IOMMU cannot tell written pages, and for a device without one, such as an mdev. */
static bool attach_to_new(struct vfki_iommu *i, struct vfki_kernel_dma *dma)
{
	struct vfki_hwpt_alloc a = {
		.size = sizeof(a),
		.flags = VFKI_HWPT_ALLOC_DIRTY_TRACKING,
		.dev_id = dma->dev_id,
		.pt_id = i->ioas,
	};

	if (i->num_hwpts == VFKI_IOMMU_DEVICES || vfki_iommu_ioctl(i, VFKI_IOMMU_HWPT_ALLOC, &a))
		return false;
	if (attach_to(dma, a.out_hwpt_id)) {
		destroy_object(i, a.out_hwpt_id);
		return false;
	}
	dma->hwpt_id = a.out_hwpt_id;
	i->hwpts[i->num_hwpts++] = a.out_hwpt_id;
	return true;
}

int vfki_ioas_attach(struct vfki_iommu *i, struct vfki_kernel_dma *dma)
{
	int ret = attach_to(dma, i->ioas);

	if (ret == -EADDRINUSE)
		return vfki_err(-ERANGE,
				"%s: cannot share this IOAS: memory is mapped where its IOMMU "
				"reserves addresses",
				dma->name);
	if (ret < 0)
		return vfki_err_sys(ret, "%s: attaching the device to the IOAS", dma->name);
	return 0;
}

static int attach(struct vfki_iommu *i, struct vfki_kernel_dma *dma)
{
	if (attach_to_known(i, dma) || attach_to_new(i, dma))
		return 0;
	return vfki_ioas_attach(i, dma);
}

void vfki_ioas_detach(struct vfki_iommu *i, struct vfki_kernel_dma *dma)
{
	struct vfki_device_detach_iommufd_pt d = { .argsz = sizeof(d) };

	(void)i; /* a page table without a device may serve the next one */
	(void)ioctl(dma->device_fd, VFKI_DEVICE_DETACH_IOMMUFD_PT, &d);
}

/* ---- what can be mapped ---- */

int vfki_ioas_limits(struct vfki_iommu *i, const char *name, struct vfk_dma_limits *l)
{
	struct vfki_ioas_range ranges[VFK_DMA_MAX_RANGES];
	struct vfki_ioas_iova_ranges r = {
		.size = sizeof(r),
		.ioas_id = i->ioas,
		.num_iovas = VFK_DMA_MAX_RANGES,
		.allowed_iovas = (uintptr_t)ranges,
	};
	int ret = vfki_iommu_ioctl(i, VFKI_IOMMU_IOAS_IOVA_RANGES, &r);

	/* more than there is room for: the lowest were given */
	if (ret < 0 && ret != -EMSGSIZE)
		return vfki_err_sys(ret, "%s: usable ranges of the IOAS", name);
	l->num_ranges = r.num_iovas < VFK_DMA_MAX_RANGES ? r.num_iovas : VFK_DMA_MAX_RANGES;
	for (uint32_t n = 0; n < l->num_ranges; n++)
		l->ranges[n] = (struct vfk_iova_range){ ranges[n].start, ranges[n].last };
	if (vfki_is_pow2(r.out_iova_alignment) &&
	    r.out_iova_alignment > (uint64_t)sysconf(_SC_PAGESIZE))
		l->pgsizes = ~(r.out_iova_alignment - 1);
	return 0;
}

/* ---- mappings ---- */

static uint32_t map_flags(const struct vfki_iommu_entry *e)
{
	return VFKI_IOAS_MAP_FIXED_IOVA | (e->m.prot & VFK_DMA_READ ? VFKI_IOAS_MAP_READABLE : 0) |
	       (e->m.prot & VFK_DMA_WRITE ? VFKI_IOAS_MAP_WRITEABLE : 0);
}

static int map_address(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e)
{
	struct vfki_ioas_map map = {
		.size = sizeof(map),
		.flags = map_flags(e),
		.ioas_id = i->ioas,
		.length = vfki_iommu_entry_length(e),
		.iova = e->m.first,
	};
	int ret = vfki_iommu_map_file(name, e);

	if (ret < 0)
		return ret;
	map.user_va = (uintptr_t)e->m.vaddr;
	ret = vfki_iommu_ioctl(i, VFKI_IOMMU_IOAS_MAP, &map);
	return ret < 0 ? vfki_iommu_refusal(i, name, e, ret) : 0;
}

/* Memfds and tmpfs files, which have seals, and dma-bufs. The kernel would not look whether the file may be written. */
static bool can_take(int fd, uint32_t prot)
{
	int seals = vfki_fd_seals(fd), mode = fcntl(fd, F_GETFL);
	struct statfs fs;

	if (mode < 0 || (mode & O_ACCMODE) == O_WRONLY ||
	    (prot & VFK_DMA_WRITE && (mode & O_ACCMODE) != O_RDWR))
		return false;
	if (seals >= 0)
		return !(prot & VFK_DMA_WRITE && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
	return !fstatfs(fd, &fs) && fs.f_type == DMA_BUF_MAGIC;
}

/*
 * Whether the kernel took the file itself: memory that came so outlives a change of the process's address space. It
 * takes memfds, and some dma-bufs; of a regular file it may find out only when it is used that it cannot.
 */
static bool map_file(struct vfki_iommu *i, const struct vfki_iommu_entry *e)
{
	struct vfki_ioas_map_file map = {
		.size = sizeof(map),
		.flags = map_flags(e),
		.ioas_id = i->ioas,
		.fd = e->m.fd,
		.start = e->m.fd_offset,
		.length = vfki_iommu_entry_length(e),
		.iova = e->m.first,
	};

	if (e->m.fd < 0 || !can_take(e->m.fd, e->m.prot))
		return false;
	return !vfki_iommu_ioctl(i, VFKI_IOMMU_IOAS_MAP_FILE, &map);
}

int vfki_ioas_map(struct vfki_iommu *i, const struct vfki_kernel_dma *dma,
		  struct vfki_iommu_entry *e)
{
	/* a refusal has its text from the way by address, which every kernel has */
	return map_file(i, e) ? 0 : map_address(i, dma->name, e);
}

int vfki_ioas_unmap(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e)
{
	struct vfki_ioas_unmap u = {
		.size = sizeof(u),
		.ioas_id = i->ioas,
		.iova = e->m.first,
		.length = vfki_iommu_entry_length(e),
	};
	int ret;

	/* the bits go with the mapping; what is written after this is written to memory that is being taken away */
	if (e->dirty && i->kind->dirty_fetch(i, name, e) < 0)
		vfki_iommu_dirty_all(i, e);
	ret = vfki_iommu_ioctl(i, VFKI_IOMMU_IOAS_UNMAP, &u);
	if (ret >= 0 || ret == -ENOENT)
		return 0;
	vfki_err_sys(ret, "%s: DMA unmap of 0x%" PRIx64 "-0x%" PRIx64, name, e->m.first, e->m.last);
	return -EBUSY;
}

/* ---- written pages ---- */

static int set_tracking(struct vfki_iommu *i, uint32_t hwpt, uint32_t flags)
{
	struct vfki_hwpt_set_dirty_tracking t = {
		.size = sizeof(t),
		.flags = flags,
		.hwpt_id = hwpt,
	};

	return vfki_iommu_ioctl(i, VFKI_IOMMU_HWPT_SET_DIRTY_TRACKING, &t);
}

static uint64_t bit_of_hwpt(const struct vfki_iommu *i, uint32_t hwpt)
{
	size_t n = 0;

	while (i->hwpts[n] != hwpt)
		n++;
	return 1ull << n;
}

static int dirty_start(struct vfki_iommu *i, const struct vfki_kernel_dma *dma)
{
	uint64_t bit;
	int ret = 0;

	if (!dma->hwpt_id)
		return vfki_err(-ENOTSUP, "%s: its IOMMU does not record written pages", dma->name);
	/* a start forgets what was recorded, that of another device which has the page table, too */
	bit = bit_of_hwpt(i, dma->hwpt_id);
	if (!(i->tracking & bit))
		ret = set_tracking(i, dma->hwpt_id, VFKI_HWPT_DIRTY_TRACKING_ENABLE);
	if (ret < 0)
		return vfki_err_sys(ret, "%s: recording written pages", dma->name);
	i->tracking |= bit;
	i->dirty_granule = (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static void dirty_stop(struct vfki_iommu *i)
{
	for (size_t n = 0; n < i->num_hwpts; n++) {
		if (i->tracking & 1ull << n)
			(void)set_tracking(i, i->hwpts[n], 0);
	}
	i->tracking = 0;
}

/* The kernel sets bits and clears none. An IOMMU may refuse to tell of a page table that does not record. */
static int dirty_fetch(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e)
{
	for (size_t n = 0; n < i->num_hwpts; n++) {
		struct vfki_hwpt_get_dirty_bitmap d = {
			.size = sizeof(d),
			.hwpt_id = i->hwpts[n],
			.iova = e->m.first,
			.length = vfki_iommu_entry_length(e),
			.page_size = i->dirty_granule,
			.data = (uintptr_t)e->dirty,
		};
		int ret = 0;

		if (i->tracking & 1ull << n)
			ret = vfki_iommu_ioctl(i, VFKI_IOMMU_HWPT_GET_DIRTY_BITMAP, &d);
		if (ret < 0)
			return vfki_err_sys(ret, "%s: written pages of 0x%" PRIx64 "-0x%" PRIx64,
					    name, e->m.first, e->m.last);
	}
	return 0;
}

/* ---- the whole ---- */

void vfki_ioas_destroy(struct vfki_iommu *i)
{
	while (i->num_hwpts)
		destroy_object(i, i->hwpts[--i->num_hwpts]);
	destroy_object(i, i->ioas);
}

static const struct vfki_iommu_kind ioas_kind = {
	.map = vfki_ioas_map,
	.unmap = vfki_ioas_unmap,
	.limits = vfki_ioas_limits,
	.attach = attach,
	.detach = vfki_ioas_detach,
	.dirty_start = dirty_start,
	.dirty_stop = dirty_stop,
	.dirty_fetch = dirty_fetch,
	.destroy = vfki_ioas_destroy,
};

int vfki_iommu_ioas(const char *name, int iommufd, bool noiommu, struct vfki_iommu **out)
{
	struct vfki_ioas_alloc a = { .size = sizeof(a) };
	struct vfki_iommu *i;
	int ret = vfki_iommu_create(name, noiommu ? &vfki_noiommu_ioas_kind : &ioas_kind, iommufd,
				    &i);

	if (ret < 0)
		return ret;
	ret = vfki_iommu_ioctl(i, VFKI_IOMMU_IOAS_ALLOC, &a);
	if (ret < 0) {
		/* nothing is in it yet that would have to be destroyed */
		vfki_iommu_forget(i);
		return vfki_err_sys(ret, "%s: an IOAS of the iommufd", name);
	}
	i->ioas = a.out_ioas_id;
	*out = i;
	return 0;
}
