/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_iommu.c - the DMA of kernel devices, with a kernel that a test decides: ioctl() is replaced.
 *
 * What a real kernel does is tested in the virtual machine. Here are the answers that no machine at hand gives: page tables
 * that tell written pages, containers of old and of broken kernels, and failures in the middle.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/vfio.h>
#include <sys/mman.h>

#include "lib/io/kernel/instance.h"
#include "lib/io/kernel/iommu_kind.h"
#include "lib/io/kernel/iommufd_compat.h"
#include <vfiokit/error.h>

#define PAGE 4096ull

/* ---- the kernel ---- */

static struct {
	int fail[64]; /* errno for a command, by its number; 0: none */
	unsigned int maps, unmaps, starts, stops, attached, detached, hwpts, destroyed;
	uint32_t attached_to;
	bool no_dirty;	    /* no page table tells written pages */
	bool own_hwpt;	    /* a device takes no page table but one made for it */
	uint32_t recording; /* the page tables that do, a bit each from 100 on */
	uint64_t dirty;	    /* told for every mapping */
	uint64_t last_iova, last_length;
	uint32_t last_flags;
	bool by_file;
	void (*info)(struct vfio_iommu_type1_info *info);
} k;

static int *failure(unsigned long request)
{
	return &k.fail[request & 63];
}

static int fake_type1(unsigned long request, void *arg)
{
	struct vfio_iommu_type1_dma_map *m = arg;
	struct vfio_iommu_type1_dma_unmap *u = arg;
	struct vfio_iommu_type1_dirty_bitmap *d = arg;
	struct vfio_iommu_type1_dirty_bitmap_get get;
	struct vfio_bitmap bitmap;

	switch (request) {
	case VFIO_IOMMU_GET_INFO:
		k.info(arg);
		return 0;
	case VFIO_IOMMU_MAP_DMA:
		k.maps++;
		k.last_iova = m->iova;
		k.last_length = m->size;
		k.last_flags = m->flags;
		return 0;
	case VFIO_IOMMU_UNMAP_DMA:
		k.unmaps++;
		if (u->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) {
			memcpy(&bitmap, u->data, sizeof(bitmap));
			*(uint64_t *)bitmap.data = k.dirty;
		}
		return 0;
	case VFIO_IOMMU_DIRTY_PAGES:
		k.starts += !!(d->flags & VFIO_IOMMU_DIRTY_PAGES_FLAG_START);
		k.stops += !!(d->flags & VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
		if (d->flags & VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP) {
			memcpy(&get, d->data, sizeof(get));
			assert_int_equal(get.bitmap.pgsize, PAGE);
			*(uint64_t *)get.bitmap.data = k.dirty;
		}
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

static int attach(struct vfki_device_attach_iommufd_pt *a)
{
	if (k.own_hwpt && a->pt_id == k.attached_to) {
		errno = EINVAL;
		return -1;
	}
	k.attached++;
	k.attached_to = a->pt_id;
	return 0;
}

/* Where one begins to record it has nothing written (iommufd's iopt_set_dirty_tracking()). */
static int set_tracking(const struct vfki_hwpt_set_dirty_tracking *t)
{
	uint32_t bit = 1u << (t->hwpt_id - 100);

	k.starts += t->flags == VFKI_HWPT_DIRTY_TRACKING_ENABLE;
	k.stops += !t->flags;
	k.recording = t->flags ? k.recording | bit : k.recording & ~bit;
	if (t->flags)
		k.dirty = 0;
	return 0;
}

static int fake_iommufd(unsigned long request, void *arg)
{
	struct vfki_ioas_map *m = arg;
	struct vfki_hwpt_set_dirty_tracking *t = arg;

	switch (request) {
	case VFKI_IOMMU_IOAS_ALLOC:
		((struct vfki_ioas_alloc *)arg)->out_ioas_id = 7;
		return 0;
	case VFKI_IOMMU_HWPT_ALLOC:
		if (k.no_dirty) {
			errno = EOPNOTSUPP;
			return -1;
		}
		((struct vfki_hwpt_alloc *)arg)->out_hwpt_id = 100 + k.hwpts++;
		return 0;
	case VFKI_DEVICE_ATTACH_IOMMUFD_PT:
		return attach(arg);
	case VFKI_DEVICE_DETACH_IOMMUFD_PT:
		k.detached++;
		return 0;
	case VFKI_IOMMU_DESTROY:
		k.destroyed++;
		return 0;
	case VFKI_IOMMU_IOAS_MAP:
	case VFKI_IOMMU_IOAS_MAP_FILE: /* iova and length are at the same place */
		k.maps++;
		k.by_file = request == VFKI_IOMMU_IOAS_MAP_FILE;
		k.last_iova = m->iova;
		k.last_length = m->length;
		k.last_flags = m->flags;
		return 0;
	case VFKI_IOMMU_IOAS_UNMAP:
		k.unmaps++;
		return 0;
	case VFKI_IOMMU_HWPT_SET_DIRTY_TRACKING:
		return set_tracking(t);
	case VFKI_IOMMU_HWPT_GET_DIRTY_BITMAP:
		/* so AMD's IOMMU does */
		if (!(k.recording &
		      1u << (((struct vfki_hwpt_get_dirty_bitmap *)arg)->hwpt_id - 100))) {
			errno = EINVAL;
			return -1;
		}
		*(uint64_t *)(uintptr_t)((struct vfki_hwpt_get_dirty_bitmap *)arg)->data |= k.dirty;
		return 0;
	}
	return fake_type1(request, arg);
}

int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	if (*failure(request)) {
		errno = *failure(request);
		return -1;
	}
	return fake_iommufd(request, arg);
}

/* ---- what is tested ---- */

static struct vfki_kernel a, b;
static struct vfki_iommu *iommu;
static char memory[16 * 4096] __attribute__((aligned(4096)));

static const struct vfk_dma_ops *const ops = &vfki_kernel_dma_ops;

/* Two ranges, page sizes, 100 mappings left, written pages. */
static void good_info(struct vfio_iommu_type1_info *info)
{
	struct {
		struct vfio_iommu_type1_info info;
		struct vfio_info_cap_header ranges;
		uint32_t nr_ranges, reserved;
		struct vfio_iova_range range[2];
		struct vfio_iommu_type1_info_cap_migration migration;
		struct vfio_iommu_type1_info_dma_avail avail;
	} all = {
		.info = {
			.argsz = sizeof(all),
			.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
			.iova_pgsizes = 0x201000,
			.cap_offset = sizeof(all.info),
		},
		.ranges = { 1, 1, offsetof(__typeof__(all), migration) },
		.nr_ranges = 2,
		.range = { { 0, 0xfedfffff }, { 0xfef00000, 0x7fffffffff } },
		.migration = {
			{ 2, 1, offsetof(__typeof__(all), avail) }, 0, 0x201000, 1 << 20
		},
		.avail = { { 3, 1, 0 }, 100 },
	};

	if (info->argsz < sizeof(all)) {
		info->argsz = sizeof(all);
		return;
	}
	memcpy(info, &all, sizeof(all));
}

static void old_info(struct vfio_iommu_type1_info *info)
{
	info->flags = VFIO_IOMMU_INFO_PGSIZES;
	info->iova_pgsizes = PAGE;
}

static void broken_info(struct vfio_iommu_type1_info *info)
{
	good_info(info);
	info->cap_offset = 5000;
}

static void growing_info(struct vfio_iommu_type1_info *info)
{
	info->argsz *= 2;
}

static int setup(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	k.info = good_info;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	return 0;
}

static void enter(struct vfki_kernel *dev, const char *name)
{
	assert_int_equal(vfki_kernel_dma_init(&dev->dma, name, iommu, -1, 11), 0);
}

static void open_both(void)
{
	enter(&a, "a");
	enter(&b, "b");
	vfki_iommu_put(iommu);
}

static void open_type1(void)
{
	assert_int_equal(vfki_iommu_type1("a", -1, &iommu), 0);
	open_both();
}

static void open_ioas(void)
{
	assert_int_equal(vfki_iommu_ioas("a", -1, false, &iommu), 0);
	assert_int_equal(vfki_iommu_ioas_id(iommu), 7);
	open_both();
}

static void close_both(void)
{
	vfki_kernel_dma_fini(&a.dma);
	vfki_kernel_dma_fini(&b.dma);
	vfki_kernel_dma_fini(&b.dma); /* none any more */
}

static struct vfk_dma_mapping mapping(uint64_t iova, uint64_t pages)
{
	return (struct vfk_dma_mapping){
		.size = sizeof(struct vfk_dma_mapping),
		.iova = iova,
		.length = pages * PAGE,
		.prot = VFK_DMA_READ | VFK_DMA_WRITE,
		.fd = -1,
		.vaddr = memory,
	};
}

static int map(struct vfki_kernel *dev, struct vfk_dma_mapping m)
{
	struct vfk_dma_addr addr = { 0 };
	int ret = ops->map(&dev->io, &m, &addr);

	if (!ret) {
		assert_int_equal(addr.addr, m.iova);
		assert_int_equal(addr.contiguous, m.length);
	}
	return ret;
}

static int unmap(struct vfki_kernel *dev, uint64_t iova, uint64_t pages)
{
	return ops->unmap(&dev->io, iova, pages * PAGE, 0);
}

static void test_counted(void **state)
{
	struct vfk_dma_mapping m = mapping(0x10000, 2);

	(void)state;
	open_type1();
	assert_int_equal(map(&a, m), 0);
	assert_int_equal(map(&b, m), 0);
	assert_int_equal(k.maps, 1);
	assert_int_equal(k.last_flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
	assert_int_equal(map(&a, m), -EEXIST);
	m.vaddr = memory + PAGE;
	assert_int_equal(map(&b, m), -EEXIST);
	assert_int_equal(unmap(&b, 0x10000, 1), -ENOENT);
	assert_int_equal(unmap(&b, 0x10000, 2), 0);
	assert_int_equal(unmap(&b, 0x10000, 2), -ENOENT);
	assert_int_equal(k.unmaps, 0);
	assert_int_equal(unmap(&a, 0x10000, 2), 0);
	assert_int_equal(k.unmaps, 1);
	/* what a device leaves behind goes with it, unless the other has it, too */
	m.vaddr = memory;
	assert_int_equal(map(&a, m), 0);
	assert_int_equal(map(&b, m), 0);
	assert_int_equal(map(&a, mapping(0x40000, 1)), 0);
	vfki_kernel_dma_fini(&a.dma);
	assert_int_equal(k.unmaps, 2);
	close_both();
	assert_int_equal(k.unmaps, 3);
}

static void test_differs(void **state)
{
	struct vfk_dma_mapping m = mapping(0x10000, 1), file = m;
	int fd = memfd_create("test", MFD_CLOEXEC), other = memfd_create("test", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 8192) | ftruncate(other, 8192), 0);
	open_type1();
	assert_int_equal(map(&a, m), 0);
	m.prot = VFK_DMA_READ;
	assert_int_equal(map(&b, m), -EEXIST);
	file.vaddr = NULL;
	file.fd = fd;
	assert_int_equal(map(&b, file), -EEXIST);
	assert_int_equal(unmap(&a, 0x10000, 1), 0);
	assert_int_equal(map(&a, file), 0);
	assert_int_equal(map(&b, file), 0);
	assert_int_equal(unmap(&b, 0x10000, 1), 0);
	file.fd = other;
	assert_int_equal(map(&b, file), -EEXIST);
	file.fd = fd;
	file.fd_offset = 4096;
	assert_int_equal(map(&b, file), -EEXIST);
	close_both();
	close(fd);
	close(other);
}

static int read_nothing(void *ctx, uint64_t iova, void *buf, size_t len)
{
	(void)ctx, (void)iova, (void)buf, (void)len;
	return -EIO;
}

static void test_refused(void **state)
{
	static const struct vfk_dma_callbacks callbacks = { sizeof(callbacks), read_nothing, NULL };
	struct vfk_dma_mapping m = mapping(0x10000, 1);

	(void)state;
	open_type1();
	m.vaddr = NULL;
	m.prot = VFK_DMA_READ;
	m.callbacks = &callbacks;
	assert_int_equal(map(&a, m), -ENOTSUP);
	assert_non_null(strstr(vfk_error(), "share the memory"));
	m = mapping(0x10000, 1);
	*failure(VFIO_IOMMU_MAP_DMA) = ENOSPC;
	assert_int_equal(map(&a, m), -ENOSPC);
	assert_non_null(strstr(vfk_error(), "dma_entry_limit"));
	*failure(VFIO_IOMMU_MAP_DMA) = ENOMEM;
	assert_int_equal(map(&a, m), -ENOMEM);
	*failure(VFIO_IOMMU_MAP_DMA) = EINVAL;
	assert_int_equal(map(&a, m), -EINVAL);
	assert_int_equal(map(&a, mapping(0xfee00000, 1)), -ERANGE);
	assert_non_null(strstr(vfk_error(), "0x0-0xfedfffff, 0xfef00000-0x7fffffffff"));
	m.vaddr = memory + 1;
	assert_int_equal(map(&a, m), -EINVAL);
	assert_non_null(strstr(vfk_error(), "multiples of 0x1000"));
	*failure(VFIO_IOMMU_MAP_DMA) = EIO;
	assert_int_equal(map(&a, m), -EIO);
	m.vaddr = memory;
	*failure(VFIO_IOMMU_MAP_DMA) = EFAULT;
	assert_int_equal(map(&a, m), -EINVAL);
	*failure(VFIO_IOMMU_MAP_DMA) = 0;
	/* nothing was left of any */
	assert_int_equal(map(&a, m), 0);
	*failure(VFIO_IOMMU_UNMAP_DMA) = EBUSY;
	assert_int_equal(unmap(&a, 0x10000, 1), -EBUSY);
	*failure(VFIO_IOMMU_UNMAP_DMA) = 0;
	assert_int_equal(unmap(&a, 0x10000, 1), 0);
	close_both();
}

/* What the kernel says of memory that is not there, or not for writing. */
static void test_no_pages(void **state)
{
	struct vfk_dma_mapping m = mapping(0x10000, 2);
	char *gap = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(gap, MAP_FAILED);
	open_type1();
	*failure(VFIO_IOMMU_MAP_DMA) = EFAULT;
	m.vaddr = gap;
	assert_int_equal(map(&a, m), -EINVAL);
	assert_non_null(strstr(vfk_error(), "may not be written"));
	assert_int_equal(munmap(gap + PAGE, PAGE), 0);
	m.prot = VFK_DMA_READ;
	assert_int_equal(map(&a, m), -EINVAL);
	assert_non_null(strstr(vfk_error(), "no memory at the address"));
	close_both();
	munmap(gap, PAGE);
}

static void test_limits(void **state)
{
	struct vfk_dma_limits l;

	(void)state;
	open_type1();
	assert_int_equal(ops->limits(&a.io, &l), 0);
	assert_int_equal(l.pgsizes, 0x201000);
	assert_int_equal(l.max_maps, 100);
	assert_int_equal(l.num_ranges, 2);
	assert_int_equal(l.ranges[1].first, 0xfef00000);
	assert_int_equal(l.flags, 0);
	/* what is mapped is not counted as lost */
	assert_int_equal(map(&a, mapping(0x10000, 1)), 0);
	assert_int_equal(ops->limits(&a.io, &l), 0);
	assert_int_equal(l.max_maps, 101);
	k.info = old_info;
	assert_int_equal(ops->limits(&a.io, &l), 0);
	assert_int_equal(l.num_ranges, 0);
	assert_int_equal(l.max_maps, 65535);
	assert_int_equal(ops->dirty_start(&a.io, PAGE), -ENOTSUP);
	k.info = broken_info;
	assert_int_equal(ops->limits(&a.io, &l), 0);
	assert_int_equal(l.num_ranges, 0);
	k.info = growing_info;
	assert_int_equal(ops->limits(&a.io, &l), -EIO);
	close_both();
}

static uint64_t report(struct vfki_kernel *dev, uint64_t iova, uint64_t pages, uint64_t page)
{
	uint64_t bits = 0;

	assert_int_equal(ops->dirty_report(&dev->io, iova, pages * PAGE, page, &bits), 0);
	return bits;
}

/* The same of both kinds: what the kernel tells once is told in pieces, in larger pages, and beyond an unmap. */
static void check_dirty(void)
{
	uint64_t bits;

	k.stops = 0;
	assert_int_equal(map(&a, mapping(0x10000, 8)), 0);
	assert_int_equal(ops->dirty_report(&a.io, 0x10000, PAGE, PAGE, &bits), -EINVAL);
	assert_int_equal(ops->dirty_start(&a.io, PAGE), 0);
	assert_int_equal(ops->dirty_start(&a.io, PAGE), -EALREADY);
	k.dirty = 0xa5;
	assert_int_equal(report(&a, 0x10000, 4, PAGE), 0x5);
	k.dirty = 0;
	assert_int_equal(report(&a, 0x10000, 4, PAGE), 0);
	assert_int_equal(report(&a, 0x14000, 2, PAGE), 0x2);
	assert_int_equal(report(&a, 0x0, 32, 2 * PAGE), 1 << 11);
	k.dirty = 0xff;
	assert_int_equal(report(&a, 0x10000, 1, PAGE), 1);
	k.dirty = 0x81;
	/* mapped while it records, and gone again before anybody asks */
	assert_int_equal(map(&a, mapping(0x20000, 8)), 0);
	assert_int_equal(unmap(&a, 0x20000, 8), 0);
	k.dirty = 0;
	assert_int_equal(report(&a, 0x20000, 4, PAGE), 1);
	assert_int_equal(report(&a, 0x20000, 8, PAGE), 0x80);
	assert_int_equal(report(&a, 0x20000, 8, PAGE), 0);
	assert_int_equal(report(&a, 0x10000, 8, PAGE), 0xfe);
	assert_int_equal(k.stops, 0);
	assert_int_equal(ops->dirty_stop(&a.io), 0);
	assert_true(k.stops >= 1);
	assert_int_equal(ops->dirty_report(&a.io, 0x10000, PAGE, PAGE, &bits), -EINVAL);
	k.dirty = 1;
	assert_int_equal(unmap(&a, 0x10000, 8), 0);
}

static void test_dirty_type1(void **state)
{
	(void)state;
	open_type1();
	assert_int_equal(ops->dirty_start(&a.io, 2048), -ENOTSUP);
	check_dirty();
	/* two that record: the kernel stops with the last */
	k.starts = k.stops = 0;
	assert_int_equal(ops->dirty_start(&a.io, PAGE), 0);
	assert_int_equal(ops->dirty_start(&b.io, PAGE), 0);
	assert_int_equal(k.starts, 1);
	vfki_kernel_dma_fini(&a.dma);
	assert_int_equal(k.stops, 0);
	close_both();
	assert_int_equal(k.stops, 1);
}

static void test_dirty_fails(void **state)
{
	uint64_t bits = 0;

	(void)state;
	open_type1();
	*failure(VFIO_IOMMU_DIRTY_PAGES) = EACCES;
	assert_int_equal(ops->dirty_start(&a.io, PAGE), -ENOTSUP);
	*failure(VFIO_IOMMU_DIRTY_PAGES) = 0;
	assert_int_equal(map(&a, mapping(0x10000, 1)), 0);
	assert_int_equal(ops->dirty_start(&a.io, PAGE), 0);
	*failure(VFIO_IOMMU_DIRTY_PAGES) = EINVAL;
	assert_int_equal(ops->dirty_report(&a.io, 0x10000, PAGE, PAGE, &bits), -EINVAL);
	close_both();
}

static void test_dirty_ioas(void **state)
{
	(void)state;
	open_ioas();
	/* one page table for both, since the second device takes that of the first */
	assert_int_equal(k.hwpts, 1);
	assert_int_equal(k.attached, 2);
	check_dirty();
	/* what cannot be read before it goes counts as written */
	assert_int_equal(ops->dirty_start(&a.io, PAGE), 0);
	assert_int_equal(map(&a, mapping(0x30000, 2)), 0);
	*failure(VFKI_IOMMU_HWPT_GET_DIRTY_BITMAP) = EIO;
	assert_int_equal(unmap(&a, 0x30000, 2), 0);
	*failure(VFKI_IOMMU_HWPT_GET_DIRTY_BITMAP) = 0;
	assert_int_equal(report(&a, 0x30000, 4, PAGE), 3);
	/* nothing is kept of what was told to the last page */
	assert_int_equal(iommu->num_gone, 0);
	/* another device that begins, too, takes nothing of what the first has written */
	assert_int_equal(map(&a, mapping(0x30000, 2)), 0);
	k.dirty = 1;
	assert_int_equal(ops->dirty_start(&b.io, PAGE), 0);
	assert_int_equal(report(&a, 0x30000, 2, PAGE), 1);
	close_both();
	assert_int_equal(k.detached, 2);
	assert_int_equal(k.destroyed, 2); /* page table, IOAS */
}

static void test_own_page_table(void **state)
{
	(void)state;
	k.own_hwpt = true;
	open_ioas();
	assert_int_equal(k.hwpts, 2);
	assert_int_equal(ops->dirty_start(&b.io, PAGE), 0);
	assert_int_equal(k.attached_to, 101);
	/* that of the device which does not record is not asked */
	assert_int_equal(map(&b, mapping(0x10000, 8)), 0);
	k.dirty = 4;
	assert_int_equal(report(&b, 0x10000, 8, PAGE), 4);
	close_both();
	assert_int_equal(k.destroyed, 3);
}

static void test_no_dirty_ioas(void **state)
{
	(void)state;
	k.no_dirty = true;
	open_ioas();
	assert_int_equal(k.attached_to, 7);
	assert_int_equal(ops->dirty_start(&a.io, PAGE), -ENOTSUP);
	assert_int_equal(map(&a, mapping(0x10000, 1)), 0);
	assert_int_equal(k.last_flags, VFKI_IOAS_MAP_FIXED_IOVA | VFKI_IOAS_MAP_READABLE |
					       VFKI_IOAS_MAP_WRITEABLE);
	close_both();
	assert_int_equal(k.unmaps, 1);
}

/* A memfd goes as a file, where the kernel can; as memory elsewhere. */
static void test_map_file(void **state)
{
	struct vfk_dma_mapping m = mapping(0x10000, 1);
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	open_ioas();
	m.fd = fd;
	m.prot = VFK_DMA_READ;
	assert_int_equal(map(&a, m), 0);
	assert_true(k.by_file);
	assert_int_equal(k.last_flags, VFKI_IOAS_MAP_FIXED_IOVA | VFKI_IOAS_MAP_READABLE);
	assert_int_equal(unmap(&a, 0x10000, 1), 0);
	m.vaddr = NULL;
	for (int missing = 0; missing < 2; missing++) {
		*failure(VFKI_IOMMU_IOAS_MAP_FILE) = missing ? ENOTTY : 0;
		assert_int_equal(map(&a, m), 0);
		assert_int_equal(map(&b, m), 0);
		assert_int_equal(k.by_file, !missing);
		assert_int_equal(unmap(&a, 0x10000, 1), 0);
		assert_int_equal(unmap(&b, 0x10000, 1), 0);
	}
	close_both();
	close(fd);
}

/* A file that must not be written is not given to the kernel for writing, which would not look. */
static void test_map_sealed_file(void **state)
{
	struct vfk_dma_mapping m = mapping(0x10000, 1);
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	open_ioas();
	m.fd = fd;
	m.vaddr = NULL;
	assert_int_equal(map(&a, m), -EPERM);
	assert_int_equal(k.maps, 0);
	m.prot = VFK_DMA_READ;
	assert_int_equal(map(&a, m), 0);
	assert_true(k.by_file);
	close_both();
	close(fd);
}

static void test_ioas_fails(void **state)
{
	(void)state;
	*failure(VFKI_IOMMU_IOAS_ALLOC) = ENOTTY;
	assert_int_equal(vfki_iommu_ioas("a", -1, false, &iommu), -ENOTSUP);
	*failure(VFKI_IOMMU_IOAS_ALLOC) = 0;
	assert_int_equal(vfki_iommu_ioas("a", -1, false, &iommu), 0);
	*failure(VFKI_DEVICE_ATTACH_IOMMUFD_PT) = EADDRINUSE;
	assert_int_equal(vfki_kernel_dma_init(&a.dma, "a", iommu, -1, 1), -ERANGE);
	assert_null(a.dma.iommu);
	*failure(VFKI_DEVICE_ATTACH_IOMMUFD_PT) = 0;
	enter(&a, "a");
	vfki_iommu_put(iommu);
	*failure(VFKI_IOMMU_IOAS_UNMAP) = EDEADLOCK;
	assert_int_equal(map(&a, mapping(0x10000, 1)), 0);
	assert_int_equal(unmap(&a, 0x10000, 1), -EBUSY);
	close_both();
}

static void test_many_devices(void **state)
{
	static struct vfki_kernel many[65];

	(void)state;
	assert_int_equal(vfki_iommu_type1("a", -1, &iommu), 0);
	for (int n = 0; n < 64; n++)
		enter(&many[n], "many");
	assert_int_equal(vfki_kernel_dma_init(&many[64].dma, "many", iommu, -1, 0), -ENOSPC);
	vfki_kernel_dma_fini(&many[5].dma);
	enter(&many[64], "many");
	for (int n = 0; n < 65; n++)
		vfki_kernel_dma_fini(&many[n].dma);
	vfki_iommu_put(iommu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_counted, setup),
		cmocka_unit_test_setup(test_differs, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_no_pages, setup),
		cmocka_unit_test_setup(test_limits, setup),
		cmocka_unit_test_setup(test_dirty_type1, setup),
		cmocka_unit_test_setup(test_dirty_fails, setup),
		cmocka_unit_test_setup(test_dirty_ioas, setup),
		cmocka_unit_test_setup(test_own_page_table, setup),
		cmocka_unit_test_setup(test_no_dirty_ioas, setup),
		cmocka_unit_test_setup(test_map_file, setup),
		cmocka_unit_test_setup(test_map_sealed_file, setup),
		cmocka_unit_test_setup(test_ioas_fails, setup),
		cmocka_unit_test_setup(test_many_devices, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
