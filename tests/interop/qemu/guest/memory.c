/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for DMA, see memory.h. Without an IOMMU it is a huge page, which the kernel does not move
 * behind our back, and whose physical address is in /proc/self/pagemap
 * (the kernel's Documentation/admin-guide/mm/pagemap.rst).
 */
#include "memory.h"
#include "tap.h"
#include "vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Below the device's 28 bits and far from zero. */
#define IOVA		0x100000
#define HUGE_SIZE	(2u << 20)
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_FRAME	((1ull << 55) - 1)

static uint64_t physical(const void *at)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		tap_bail("/proc/self/pagemap: %s", strerror(errno));
	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)at / page * sizeof(entry))) !=
	    sizeof(entry))
		tap_bail("/proc/self/pagemap: no entry");
	close(fd);
	if (!(entry & PAGEMAP_PRESENT) || !(entry & PAGEMAP_FRAME))
		tap_bail("/proc/self/pagemap: no frame number");
	return (entry & PAGEMAP_FRAME) * page;
}

static void reserve_huge_page(void)
{
	FILE *f = fopen("/proc/sys/vm/nr_hugepages", "we");

	if (!f || fputs("1\n", f) < 0 || fclose(f))
		tap_bail("/proc/sys/vm/nr_hugepages: %s", strerror(errno));
}

static void map(struct memory *memory, struct vfio *vfio)
{
	struct vfio_iommu_type1_dma_map request = {
		.argsz = sizeof(request),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory->bytes,
		.iova = IOVA,
		.size = memory->size,
	};

	if (ioctl(vfio->container, VFIO_IOMMU_MAP_DMA, &request) < 0)
		tap_bail("map of 0x%zx bytes: %s", memory->size, strerror(errno));
	memory->address = IOVA;
}

void memory_open(struct memory *memory, struct vfio *vfio, size_t size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED;

	memory->size = size;
	memory->mapped = size;
	if (vfio->noiommu) {
		reserve_huge_page();
		memory->mapped = HUGE_SIZE;
		flags |= MAP_HUGETLB;
	}
	memory->bytes = mmap(NULL, memory->mapped, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (memory->bytes == MAP_FAILED)
		tap_bail("mmap of 0x%zx bytes: %s", memory->mapped, strerror(errno));
	memset(memory->bytes, 0, memory->mapped);
	if (vfio->noiommu)
		memory->address = physical(memory->bytes);
	else
		map(memory, vfio);
}

void memory_unmap(struct memory *memory, struct vfio *vfio)
{
	struct vfio_iommu_type1_dma_unmap request = {
		.argsz = sizeof(request),
		.iova = memory->address,
		.size = memory->size,
	};

	if (ioctl(vfio->container, VFIO_IOMMU_UNMAP_DMA, &request) < 0)
		tap_bail("unmap: %s", strerror(errno));
	if (request.size != memory->size)
		tap_bail("unmap of 0x%zx bytes unmapped 0x%llx", memory->size,
			 (unsigned long long)request.size);
}

void memory_close(struct memory *memory)
{
	munmap(memory->bytes, memory->mapped);
}
