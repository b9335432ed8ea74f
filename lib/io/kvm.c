/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kvm.c - KVM's vfio device (Documentation/virt/kvm/devices/vfio.rst of Linux); see kvm.h.
 *
 * Any thread.
 */
#include "kvm.h"
#include "lib/base/error.h"
#include <linux/kvm.h>
#include <stdint.h>
#include <sys/ioctl.h>

int vfki_kvm_tell(int kvm_fd, int file, bool add)
{
	int32_t fd = file;
	struct kvm_device_attr attr = {
		/* since Linux 6.5 the same numbers are for any VFIO file, groups and cdevs alike */
		.group = KVM_DEV_VFIO_GROUP,
		.attr = add ? KVM_DEV_VFIO_GROUP_ADD : KVM_DEV_VFIO_GROUP_DEL,
		.addr = (uintptr_t)&fd,
	};

	if (!ioctl(kvm_fd, KVM_SET_DEVICE_ATTR, &attr))
		return 0;
	return vfki_err_sys(errno == ENOTTY ? -ENOTSUP : -errno, "KVM's vfio device");
}
