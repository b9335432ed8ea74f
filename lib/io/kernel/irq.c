/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * irq.c - interrupts: the kernel's own calls, as they are.
 *
 * Any thread; the kernel serialises.
 */
#include "lib/base/error.h"
#include "lib/io/kernel/instance.h"
#include <inttypes.h>

/* vfio-pci answers EINVAL for an interrupt that this device lacks, that of errors, instead of a count of 0. */
int vfki_kernel_get_irq_info(struct vfk_io *io, struct vfio_irq_info *info)
{
	const struct vfki_kernel *k = vfki_kernel_of(io);
	uint32_t index = info->index;
	int ret;

	*info = (struct vfio_irq_info){ .argsz = sizeof(*info), .index = index };
	ret = vfki_kernel_ioctl(k->device, VFIO_DEVICE_GET_IRQ_INFO, info);
	if (ret == -EINVAL) {
		*info = (struct vfio_irq_info){ .argsz = sizeof(*info), .index = index };
		return 0;
	}
	return ret < 0 ? vfki_err_sys(ret, "irq %" PRIu32 ": info", index) : 0;
}

int vfki_kernel_set_irqs(struct vfk_io *io, const struct vfio_irq_set *set)
{
	const struct vfki_kernel *k = vfki_kernel_of(io);
	int ret = vfki_kernel_ioctl(k->device, VFIO_DEVICE_SET_IRQS, (void *)set);

	if (ret >= 0)
		return ret;
	return vfki_err_sys(ret == -EBADF ? -EINVAL : ret,
			    "set irqs: index %" PRIu32 ", start %" PRIu32 ", count %" PRIu32
			    ", flags 0x%" PRIx32,
			    set->index, set->start, set->count, set->flags);
}

void vfki_kernel_disarm_all(struct vfki_kernel *k)
{
	for (uint32_t i = 0; i < k->num_irqs; i++) {
		struct vfio_irq_set set = {
			.argsz = sizeof(set),
			.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = i,
		};

		/* refused for those that are not enabled */
		(void)vfki_kernel_ioctl(k->device, VFIO_DEVICE_SET_IRQS, &set);
	}
}
