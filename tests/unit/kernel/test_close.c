/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_close.c - what is undone when a kernel device is closed, in which order; the device's file may live on, since it was
 * handed in. ioctl() is replaced, and the device's file is a memfd.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/mman.h>

#include "lib/device/device.h"
#include "lib/io/kernel/instance.h"
#include "lib/io/kernel/iommufd_compat.h"
#include <vfiokit/kernel.h>

#define CONFIG	   VFIO_PCI_CONFIG_REGION_INDEX
#define SIZE	   4096
#define IOEVENTFDS 8

static char memory[4096] __attribute__((aligned(4096)));

static struct {
	uint32_t flags; /* of the device */
	int ioeventfd_result;
	size_t num_ioeventfds;
	struct vfio_device_ioeventfd ioeventfds[IOEVENTFDS];
	unsigned int maps, resets;
	bool stopped_first; /* when the last mapping went */
	int device;
} k;

static uint8_t command(void)
{
	uint8_t low = 0;

	assert_int_equal(pread(k.device, &low, 1, CONFIG * SIZE + PCI_COMMAND), 1);
	return low;
}

static void set_command(uint8_t low)
{
	assert_int_equal(pwrite(k.device, &low, 1, CONFIG * SIZE + PCI_COMMAND), 1);
}

static int region_info(struct vfio_region_info *info)
{
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	info->size = SIZE;
	info->offset = (uint64_t)info->index * SIZE;
	return 0;
}

/* As the kernel: one for each place, width and value. */
static int ioeventfd(const struct vfio_device_ioeventfd *e)
{
	size_t i = 0;

	if (k.ioeventfd_result) {
		errno = -k.ioeventfd_result;
		return -1;
	}
	while (i < k.num_ioeventfds &&
	       (k.ioeventfds[i].offset != e->offset || k.ioeventfds[i].data != e->data ||
		k.ioeventfds[i].flags != e->flags))
		i++;
	if ((i < k.num_ioeventfds) == (e->fd >= 0)) {
		errno = e->fd >= 0 ? EEXIST : ENODEV;
		return -1;
	}
	if (e->fd < 0)
		k.ioeventfds[i] = k.ioeventfds[--k.num_ioeventfds];
	else
		k.ioeventfds[k.num_ioeventfds++] = *e;
	return 0;
}

static int answer(unsigned long request, void *arg)
{
	struct vfio_device_info *info = arg;

	switch (request) {
	case VFIO_DEVICE_GET_INFO:
		info->flags = k.flags;
		info->num_regions = CONFIG + 1;
		info->num_irqs = 0;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return region_info(arg);
	case VFIO_DEVICE_RESET:
		k.resets++;
		return 0;
	case VFIO_DEVICE_IOEVENTFD:
		return ioeventfd(arg);
	case VFKI_IOMMU_IOAS_ALLOC:
		((struct vfki_ioas_alloc *)arg)->out_ioas_id = 7;
		return 0;
	case VFKI_IOMMU_IOAS_IOVA_RANGES:
		((struct vfki_ioas_iova_ranges *)arg)->num_iovas = 1;
		*(struct vfki_ioas_range *)(uintptr_t)((struct vfki_ioas_iova_ranges *)arg)
			 ->allowed_iovas = (struct vfki_ioas_range){ 0, UINT64_MAX };
		((struct vfki_ioas_iova_ranges *)arg)->out_iova_alignment = 1;
		return 0;
	case VFKI_IOMMU_IOAS_MAP:
	case VFKI_IOMMU_IOAS_MAP_FILE:
		k.maps++;
		return 0;
	case VFKI_IOMMU_IOAS_UNMAP:
		k.maps--;
		k.stopped_first = k.resets || !(command() & PCI_COMMAND_MASTER);
		return 0;
	case VFKI_IOMMU_DESTROY:
	case VFKI_DEVICE_ATTACH_IOMMUFD_PT:
	case VFKI_DEVICE_DETACH_IOMMUFD_PT:
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	return answer(request, arg);
}

static struct vfk_device *open_device(const struct vfk_open_opts *opts)
{
	struct vfk_kernel_opts o = VFK_KERNEL_OPTS_INIT;
	struct vfk_device *dev = NULL;
	int iommufd = memfd_create("iommufd", MFD_CLOEXEC);

	o.device_fd = k.device;
	o.iommufd = iommufd;
	o.dev_id = 1;
	assert_int_equal(vfk_kernel_open(&o, opts, &dev), 0);
	close(iommufd);
	return dev;
}

static int setup(void **state)
{
	(void)state;
	memset(&k, 0, sizeof(k));
	k.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	k.device = memfd_create("device", MFD_CLOEXEC);
	return ftruncate(k.device, (CONFIG + 1) * SIZE);
}

static int teardown(void **state)
{
	(void)state;
	return close(k.device);
}

/* ---- ioeventfds ---- */

static void test_ioeventfds(void **state)
{
	struct vfk_device *dev = open_device(NULL);

	(void)state;
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x10, 4, 1, k.device), 0);
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x10, 4, 2, k.device), 0);
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x10, 2, 2, k.device), 0);
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x10, 4, 2, k.device), -EEXIST);
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x10, 4, 2, -1), 0);
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x10, 4, 2, -1), -ENODEV);
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x10, 4, 2, k.device), 0);
	assert_int_equal(k.num_ioeventfds, 3);
	vfk_device_close(dev);
	assert_int_equal(k.num_ioeventfds, 0);
}

/* None is left behind, nor is one asked for that there is not. */
static void test_refused_ioeventfds(void **state)
{
	struct vfk_device *dev = open_device(NULL);

	(void)state;
	k.ioeventfd_result = -ENOSPC;
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x10, 4, 1, k.device), -ENOSPC);
	k.ioeventfd_result = 0;
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x20, 4, 1, k.device), 0);
	k.ioeventfd_result = -EIO;
	assert_int_equal(vfk_kernel_ioeventfd(dev, 0, 0x20, 4, 1, -1), -EIO);
	k.ioeventfd_result = 0;
	vfk_device_close(dev);
	assert_int_equal(k.num_ioeventfds, 0);
}

/* ---- without an IOMMU ---- */

/* What opening finds out from sysfs. */
static void take_iommu_away(struct vfk_device *dev)
{
	struct vfk_io *io = vfki_device_backend(dev);

	vfki_kernel_of(io)->noiommu = true;
	io->flags |= VFK_IO_NOIOMMU;
}

static struct vfk_dma_space *use(struct vfk_device *dev)
{
	struct vfk_dma_mapping m = { .size = sizeof(m),
				     .iova = 0x10000,
				     .length = sizeof(memory),
				     .prot = VFK_DMA_READ | VFK_DMA_WRITE,
				     .fd = -1,
				     .vaddr = memory };
	struct vfk_dma_space *space;

	assert_int_equal(vfk_dma_space_create(&space), 0);
	assert_int_equal(vfk_device_attach_dma(dev, space), 0);
	assert_int_equal(vfk_dma_map(space, &m, NULL), 0);
	assert_int_equal(k.maps, 1);
	set_command(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return space;
}

static void close_in_use(const struct vfk_open_opts *opts, bool iommu)
{
	struct vfk_device *dev = open_device(opts);
	struct vfk_dma_space *space;

	if (!iommu)
		take_iommu_away(dev);
	space = use(dev);
	vfk_device_close(dev);
	assert_int_equal(k.maps, 0);
	assert_int_equal(vfk_dma_space_destroy(space), 0);
}

static void test_stopped_before_its_memory_goes(void **state)
{
	(void)state;
	close_in_use(NULL, false);
	assert_true(k.stopped_first);
	assert_int_equal(command(), PCI_COMMAND_MEMORY);
	assert_int_equal(k.resets, 0);
}

/* What would stop it does not get there. */
static void test_stopped_behind_a_filter(void **state)
{
	const char *filter = "fault,op=region_write";
	const struct vfk_open_opts opts = { .size = sizeof(opts),
					    .filters = &filter,
					    .num_filters = 1 };

	(void)state;
	close_in_use(&opts, false);
	assert_true(k.stopped_first);
	assert_int_equal(command(), PCI_COMMAND_MEMORY);
}

static void test_another_bus_is_reset(void **state)
{
	(void)state;
	k.flags = VFIO_DEVICE_FLAGS_PLATFORM | VFIO_DEVICE_FLAGS_RESET;
	close_in_use(NULL, false);
	assert_true(k.stopped_first);
	assert_true(k.resets > 0);
}

/* The IOMMU would keep it from the memory, and report each try. */
static void test_stopped_behind_an_iommu(void **state)
{
	(void)state;
	close_in_use(NULL, true);
	assert_true(k.stopped_first);
	assert_int_equal(command(), PCI_COMMAND_MEMORY);
	assert_int_equal(k.resets, 0);
}

/* One that cannot be stopped from here: its memory is taken back all the same. */
static void test_not_stopped_behind_an_iommu(void **state)
{
	const char *filter = "fault,op=region_write";
	const struct vfk_open_opts opts = { .size = sizeof(opts),
					    .filters = &filter,
					    .num_filters = 1 };

	(void)state;
	close_in_use(&opts, true);
	assert_false(k.stopped_first);
	assert_int_equal(k.resets, 0);
}

static void test_another_bus_is_not_reset_behind_an_iommu(void **state)
{
	(void)state;
	k.flags = VFIO_DEVICE_FLAGS_PLATFORM | VFIO_DEVICE_FLAGS_RESET;
	close_in_use(NULL, true);
	assert_int_equal(k.resets, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ioeventfds),
		TEST(test_refused_ioeventfds),
		TEST(test_stopped_before_its_memory_goes),
		TEST(test_stopped_behind_a_filter),
		TEST(test_another_bus_is_reset),
		TEST(test_stopped_behind_an_iommu),
		TEST(test_not_stopped_behind_an_iommu),
		TEST(test_another_bus_is_not_reset_behind_an_iommu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
