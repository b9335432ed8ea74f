/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * info.c - what the device and its regions are: asked of the kernel once, in open, with all capabilities.
 *
 * That is what makes a register access one system call: the place of each region in the device's file is known. Fetched
 * by the opening thread, read by any.
 */
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/io/kernel/instance.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Largest answer that is believed; the checked calls take no larger one. */
#define MAX_INFO   (1024 * 1024)
/* Each time the kernel says how much room it needs; twice is the rule. */
#define MAX_ROUNDS 3

/*
 * An info structure of @fixed bytes with its chain, which the caller frees; @index is for a region. The three structures
 * begin with argsz and flags; region and interrupt have their index next.
 */
static int fetch(int device, unsigned long request, size_t fixed, const uint32_t *index, void **out)
{
	uint32_t capacity = (uint32_t)fixed;

	for (int round = 0; round < MAX_ROUNDS; round++) {
		uint32_t *info = calloc(1, capacity);
		int ret;

		if (!info)
			return -ENOMEM;
		info[0] = capacity;
		if (index)
			info[2] = *index;
		ret = vfki_kernel_ioctl(device, request, info);
		if (!ret && info[0] <= capacity) {
			*out = info;
			return 0;
		}
		capacity = info[0];
		free(info);
		if (ret < 0)
			return ret;
		if (capacity > MAX_INFO)
			break;
	}
	return -EOVERFLOW;
}

static int fetch_device(struct vfki_kernel *k)
{
	void *info;
	int ret = fetch(k->device, VFIO_DEVICE_GET_INFO, sizeof(struct vfio_device_info), NULL,
			&info);

	if (ret < 0)
		return vfki_err_sys(ret, "device info");
	k->info = info;
	if (!(k->info->flags & VFIO_DEVICE_FLAGS_CAPS))
		k->info->cap_offset = 0;
	if (k->info->num_regions > VFKI_KERNEL_MAX_INDEXES ||
	    k->info->num_irqs > VFKI_KERNEL_MAX_INDEXES)
		return vfki_err(-EOVERFLOW, "device info: %u regions, %u interrupts",
				k->info->num_regions, k->info->num_irqs);
	k->num_regions = k->info->num_regions;
	k->num_irqs = k->info->num_irqs;
	return 0;
}

/* vfio-pci answers EINVAL for a region that this device lacks, VGA, instead of a size of 0. */
static int absent_region(uint32_t index, void **out)
{
	struct vfio_region_info *info = calloc(1, sizeof(*info));

	if (!info)
		return -ENOMEM;
	info->argsz = sizeof(*info);
	info->index = index;
	*out = info;
	return 0;
}

static int fetch_region(struct vfki_kernel *k, uint32_t index)
{
	void *info;
	int ret = fetch(k->device, VFIO_DEVICE_GET_REGION_INFO, sizeof(struct vfio_region_info),
			&index, &info);

	if (ret == -EINVAL)
		ret = absent_region(index, &info);
	if (ret < 0)
		return vfki_err_sys(ret, "region %" PRIu32 ": info", index);
	k->regions[index].info = info;
	k->regions[index].offset = k->regions[index].info->offset;
	return 0;
}

int vfki_kernel_fetch(struct vfki_kernel *k)
{
	int ret = fetch_device(k);

	if (!ret) {
		k->regions = calloc((size_t)k->num_regions + 1, sizeof(*k->regions));
		if (!k->regions)
			ret = vfki_err(-ENOMEM, "no memory");
	}
	for (uint32_t i = 0; !ret && i < k->num_regions; i++)
		ret = fetch_region(k, i);
	if (ret < 0)
		vfki_kernel_forget(k);
	return ret;
}

void vfki_kernel_forget(struct vfki_kernel *k)
{
	for (uint32_t i = 0; k->regions && i < k->num_regions; i++)
		free(k->regions[i].info);
	free(k->regions);
	free(k->info);
	k->regions = NULL;
	k->info = NULL;
}

/* All of what was fetched if there is room, else its fixed part; whether it was all. */
static bool answer(void *out, uint32_t capacity, const void *have, uint32_t size, size_t fixed)
{
	bool all = capacity >= size;

	memcpy(out, have, all ? size : capacity < fixed ? capacity : fixed);
	return all;
}

int vfki_kernel_get_device_info(struct vfk_io *io, struct vfio_device_info *info)
{
	const struct vfki_kernel *k = vfki_kernel_of(io);
	uint32_t capacity = info->argsz;

	if (!answer(info, capacity, k->info, k->info->argsz, sizeof(*info)) &&
	    capacity >= sizeof(*info))
		info->cap_offset = 0;
	return 0;
}

/* A mapping goes through the device's own file. */
static int hand_out(const struct vfki_kernel *k, struct vfk_region_fds *fds)
{
	int fd = vfki_fd_dup(k->device);

	if (fd < 0)
		return vfki_err_sys(fd, "region info: file");
	fds->count = 1;
	fds->flags = VFK_REGION_FD_DEVICE;
	fds->fd[0] = fd;
	return 0;
}

int vfki_kernel_get_region_info(struct vfk_io *io, struct vfio_region_info *info,
				struct vfk_region_fds *fds)
{
	const struct vfki_kernel *k = vfki_kernel_of(io);
	const struct vfio_region_info *have = k->regions[info->index].info;
	bool all = answer(info, info->argsz, have, have->argsz, sizeof(*info));

	if (!all)
		info->cap_offset = 0;
	if (fds && all && have->flags & VFIO_REGION_INFO_FLAG_MMAP)
		return hand_out(k, fds);
	return 0;
}
