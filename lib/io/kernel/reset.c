/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reset.c - reset of the device, and hot reset of the slot or bus that it is on; the end of its DMA.
 *
 * Any thread; the kernel serialises.
 */
#include "lib/base/error.h"
#include "lib/base/range.h"
#include "lib/base/vfio_compat.h"
#include "lib/io/kernel/instance.h"
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD	    offsetof(struct vfio_pci_hot_reset_info, devices)
/* Members beyond that are not named; a bus has no more (32 devices of 8 functions). */
#define MAX_MEMBERS 256

int vfki_kernel_reset(struct vfk_io *io)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	int ret = vfki_kernel_ioctl(k->device, VFIO_DEVICE_RESET, NULL);

	if (ret == -EAGAIN) /* the kernel only tries to lock it */
		return vfki_err(ret, "reset: the device is being unbound from its driver, or reset "
				     "with others; if it stays, try again");
	if (ret < 0)
		return vfki_err_sys(ret, "reset");
	vfki_kernel_end_stream(k); /* the device is in the state RUNNING again */
	return 0;
}

/* PCI 3.0 section 6.2.2: Bus Master Enable; config space is little-endian. */
static bool stop_master(const struct vfki_kernel *k)
{
	off_t at = (off_t)(k->regions[VFIO_PCI_CONFIG_REGION_INDEX].offset + PCI_COMMAND);
	uint8_t low;

	if (pread(k->device, &low, 1, at) != 1)
		return false;
	low &= (uint8_t)~PCI_COMMAND_MASTER;
	/* the answer to a read comes behind what the device wrote before it */
	return pwrite(k->device, &low, 1, at) == 1 && pread(k->device, &low, 1, at) == 1 &&
	       !(low & PCI_COMMAND_MASTER);
}

void vfki_kernel_stop_dma(struct vfki_kernel *k)
{
	bool pci = k->info->flags & VFIO_DEVICE_FLAGS_PCI &&
		   k->num_regions > VFIO_PCI_CONFIG_REGION_INDEX;

	if (!(pci && stop_master(k)))
		(void)vfki_kernel_ioctl(k->device, VFIO_DEVICE_RESET, NULL);
}

/* ENOSPC comes with the count of devices that there are. */
int vfki_kernel_hot_reset_info(struct vfk_io *io, struct vfio_pci_hot_reset_info *info)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	uint32_t capacity = info->argsz;
	size_t need;
	int ret;

	info->flags = 0;
	info->count = 0;
	ret = vfki_kernel_ioctl(k->device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info);
	if (ret == -ENODEV) /* so the kernel says that there is neither slot nor bus to reset */
		ret = -ENOTSUP;
	if (ret < 0 && ret != -ENOSPC)
		return vfki_err_sys(ret, "hot reset info");
	if (!vfki_tail_size(HEAD, info->count, sizeof(info->devices[0]), &need) ||
	    need > UINT32_MAX)
		return vfki_err(-EOVERFLOW, "hot reset info: %" PRIu32 " devices", info->count);
	info->argsz = (uint32_t)need;
	if (need > capacity)
		info->count = 0;
	return 0;
}

/* Appends the devices that keep a hot reset from being done; by group the kernel tells only which are affected. */
static void name_members(const struct vfio_pci_hot_reset_info *info, char *text, size_t size)
{
	bool by_id = info->flags & VFKI_PCI_HOT_RESET_FLAG_DEV_ID;

	for (uint32_t i = 0; i < info->count; i++) {
		const struct vfio_pci_dependent_device *d = &info->devices[i];
		size_t used = strlen(text);

		if (by_id && d->group_id != (uint32_t)VFKI_PCI_DEVID_NOT_OWNED)
			continue;
		snprintf(text + used, size - used, "%s%04x:%02x:%02x.%x", used ? ", " : "",
			 d->segment, d->bus, d->devfn >> 3, d->devfn & 7);
	}
}

static int hot_reset_refused(struct vfk_io *io, int err)
{
	const size_t size = HEAD + MAX_MEMBERS * sizeof(struct vfio_pci_dependent_device);
	struct vfio_pci_hot_reset_info *info = calloc(1, size);
	char who[256] = "";

	if (info) {
		info->argsz = (uint32_t)size;
		if (!vfki_kernel_hot_reset_info(io, info))
			name_members(info, who, sizeof(who));
		free(info);
	}
	if (!*who)
		return vfki_err_sys(err, "hot reset");
	return vfki_err(
		err,
		"hot reset: each device that it resets must be open here and given, and no other: "
		"%s",
		who);
}

int vfki_kernel_hot_reset(struct vfk_io *io, const struct vfio_pci_hot_reset *reset)
{
	struct vfki_kernel *k = vfki_kernel_of(io);
	int ret = vfki_kernel_ioctl(k->device, VFIO_DEVICE_PCI_HOT_RESET, (void *)reset);

	if (ret == -EPERM || ret == -EINVAL)
		return hot_reset_refused(io, ret);
	if (ret < 0)
		return vfki_err_sys(ret, "hot reset");
	vfki_kernel_end_stream(k);
	return 0;
}
