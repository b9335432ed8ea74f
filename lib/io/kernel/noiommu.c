/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * noiommu.c - devices without an IOMMU: nothing is mapped, and the program must be told physical addresses.
 *
 * With a noiommu cdev the memory is put into an IOAS all the same: that pins it, and the kernel tells where it is. With
 * a noiommu container there is nothing that pins; /proc/self/pagemap tells where a page is now. Pages of the ordinary
 * kind are moved by the kernel when it likes, locked or not, and a device would go on writing to where they were; so only
 * huge pages of hugetlbfs are taken there, which stay.
 *
 * An IOVA is only a name for the memory here. So that one which is given to a device by mistake does no harm, they are
 * taken from where no physical memory can be.
 *
 * Threads: under the iommu's lock.
 */
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/base/range.h"
#include "lib/io/kernel/ioas.h"
#include "lib/io/kernel/iommufd_compat.h"
#include "lib/io/kernel/pagemap.h"
#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

/* x86-64 and arm64 have at most 52 bits of physical addresses. */
#define FIRST_IOVA (1ull << 52)
#define LAST_IOVA  ((1ull << 56) - 1)

#define MAX_MAPS 65535

/* Linux 5.14, asm-generic/mman-common.h; the C library's header may be older */
#define VFKI_MADV_POPULATE_READ	 22
#define VFKI_MADV_POPULATE_WRITE 23

/* ---- by IOAS ---- */

static int ioas_address(struct vfki_iommu *i, const char *name, const struct vfki_iommu_entry *e,
			uint64_t iova, uint64_t length, struct vfk_dma_addr *addr)
{
	struct vfki_ioas_noiommu_get_pa g = {
		.size = sizeof(g),
		.ioas_id = i->ioas,
		.iova = iova,
		.length = length,
	};
	int ret = vfki_iommu_ioctl(i, VFKI_IOMMU_IOAS_NOIOMMU_GET_PA, &g);

	(void)e;
	if (ret == -EPERM)
		return vfki_err(ret, "%s: physical addresses are told to CAP_SYS_RAWIO only", name);
	if (ret < 0)
		return vfki_err_sys(ret, "%s: physical address of 0x%" PRIx64, name, iova);
	*addr = (struct vfk_dma_addr){ g.out_phys, g.length };
	return 0;
}

static int ioas_map(struct vfki_iommu *i, const struct vfki_kernel_dma *dma,
		    struct vfki_iommu_entry *e)
{
	int ret = vfki_ioas_map(i, dma, e);

	if (ret < 0)
		return ret;
	ret = ioas_address(i, dma->name, e, e->m.first, vfki_iommu_entry_length(e), &e->addr);
	if (ret < 0)
		goto unmap;
	return 0;
unmap:
	/* the first failure is the one to tell; this one would only say that the entry stays in a file of ours */
	(void)vfki_ioas_unmap(i, dma->name, e);
	return ret;
}

/* Where IOVAs do no harm, within what the IOAS takes. */
static int ioas_limits(struct vfki_iommu *i, const char *name, struct vfk_dma_limits *l)
{
	int ret = vfki_ioas_limits(i, name, l);
	uint32_t kept = 0;

	if (ret < 0)
		return ret;
	for (uint32_t n = 0; n < l->num_ranges; n++) {
		struct vfk_iova_range r = l->ranges[n];

		r.first = r.first > FIRST_IOVA ? r.first : FIRST_IOVA;
		r.last = vfki_min_u64(r.last, LAST_IOVA);
		if (r.first <= r.last)
			l->ranges[kept++] = r;
	}
	if (!kept)
		return vfki_err(-ENOTSUP, "%s: the IOAS has no addresses above physical ones",
				name);
	l->num_ranges = kept;
	l->flags = VFK_DMA_PHYSICAL;
	return 0;
}

const struct vfki_iommu_kind vfki_noiommu_ioas_kind = {
	.map = ioas_map,
	.unmap = vfki_ioas_unmap,
	.address = ioas_address,
	.limits = ioas_limits,
	.attach = vfki_ioas_attach,
	.detach = vfki_ioas_detach,
	.destroy = vfki_ioas_destroy,
};

/* ---- by pagemap ---- */

static int page_address(struct vfki_iommu *i, const char *name, const struct vfki_iommu_entry *e,
			uint64_t iova, uint64_t length, struct vfk_dma_addr *addr)
{
	(void)i;
	return vfki_pagemap_address(name, (const char *)e->m.vaddr + (iova - e->m.first), length,
				    addr);
}

/*
 * So that every page is somewhere, the program's own copy where it may write. No lock is taken: of hugetlbfs there is no
 * need for one, and of other memory, which is refused after this, it might be the program's.
 */
static int bring_in(const struct vfki_iommu_entry *e)
{
	size_t length = (size_t)vfki_iommu_entry_length(e);

	if (!madvise(e->m.vaddr, length, VFKI_MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return -errno;
	if (!(e->m.prot & VFK_DMA_WRITE) && !madvise(e->m.vaddr, length, VFKI_MADV_POPULATE_READ))
		return 0;
	/* Linux before 5.14 */
	if (mlock(e->m.vaddr, length))
		return -errno;
	munlock(e->m.vaddr, length);
	return 0;
}

static int page_map(struct vfki_iommu *i, const struct vfki_kernel_dma *dma,
		    struct vfki_iommu_entry *e)
{
	uint64_t length = vfki_iommu_entry_length(e);
	int ret = vfki_iommu_map_file(dma->name, e);

	(void)i;
	if (ret < 0)
		return ret;
	ret = bring_in(e);
	if (ret < 0)
		return vfki_iommu_refusal(i, dma->name, e, ret == -ENOMEM ? ret : -EFAULT);
	ret = vfki_pagemap_check_huge(dma->name, e->m.vaddr, length);
	if (ret < 0)
		return ret;
	return page_address(i, dma->name, e, e->m.first, length, &e->addr);
}

/* Huge pages stay as they are until their owner unmaps them. */
static int page_unmap(struct vfki_iommu *i, const char *name, struct vfki_iommu_entry *e)
{
	(void)i;
	(void)name;
	(void)e;
	return 0;
}

static int page_limits(struct vfki_iommu *i, const char *name, struct vfk_dma_limits *l)
{
	(void)i;
	(void)name;
	l->max_maps = MAX_MAPS;
	l->num_ranges = 1;
	l->ranges[0] = (struct vfk_iova_range){ FIRST_IOVA, LAST_IOVA };
	l->flags = VFK_DMA_PHYSICAL | VFK_DMA_HUGE_PAGES;
	return 0;
}

static const struct vfki_iommu_kind noiommu_kind = {
	.map = page_map,
	.unmap = page_unmap,
	.address = page_address,
	.limits = page_limits,
};

int vfki_iommu_noiommu(const char *name, int container, struct vfki_iommu **iommu)
{
	return vfki_iommu_create(name, &noiommu_kind, container, iommu);
}
