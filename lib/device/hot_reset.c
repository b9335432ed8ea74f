/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hot_reset.c - reset of the slot or bus that a device is on, with the proof that all devices on it are ours.
 *
 * Any thread.
 */
#include "device.h"
#include "lib/base/error.h"
#include <stdlib.h>
#include <vfiokit/kernel.h>

#define MAX_OTHERS 64

int vfk_device_hot_reset_info(struct vfk_device *dev, struct vfio_pci_hot_reset_info *info)
{
	return vfki_checked_hot_reset_info(&dev->io, info);
}

int vfk_device_group(struct vfk_device *dev, uint32_t *group)
{
	struct vfk_kernel_fds fds = { .size = sizeof(fds) };
	int ret = vfki_checked_kernel_fds(&dev->io, &fds);

	if (ret < 0)
		return ret;
	if (fds.group_id < 0)
		return vfki_err(-ENOTSUP, "%s: its group is not known", vfk_device_name(dev));
	*group = (uint32_t)fds.group_id;
	return 0;
}

/* Adds the group of @dev, once. By cdev there is none, nor is there one where the device is not the kernel's. */
static int add_group(struct vfk_device *dev, struct vfio_pci_hot_reset *reset)
{
	struct vfk_kernel_fds fds = { .size = sizeof(fds) };
	int ret = dev ? vfki_checked_kernel_fds(&dev->io, &fds) :
			vfki_err(-EINVAL, "hot reset: a device is NULL");

	if (ret == -ENOTSUP)
		return 0;
	if (ret < 0 || fds.group < 0)
		return ret;
	for (uint32_t i = 0; i < reset->count; i++) {
		if (reset->group_fds[i] == fds.group)
			return 0;
	}
	reset->group_fds[reset->count++] = fds.group;
	return 0;
}

int vfk_device_hot_reset(struct vfk_device *dev, struct vfk_device *const *others,
			 size_t num_others)
{
	struct vfio_pci_hot_reset *reset;
	size_t size = sizeof(*reset) + (MAX_OTHERS + 1) * sizeof(reset->group_fds[0]);
	int ret;

	if (num_others > MAX_OTHERS || (num_others && !others))
		return vfki_err(-EINVAL, "%s: hot reset: %zu other devices", vfk_device_name(dev),
				num_others);
	reset = calloc(1, size);
	if (!reset)
		return vfki_err(-ENOMEM, "%s: no memory", vfk_device_name(dev));
	reset->argsz = (uint32_t)size;
	ret = add_group(dev, reset);
	for (size_t i = 0; !ret && i < num_others; i++)
		ret = add_group(others[i], reset);
	if (!ret)
		ret = vfki_checked_hot_reset(&dev->io, reset);
	free(reset);
	return ret;
}
