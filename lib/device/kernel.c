/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel.c - what <vfiokit/kernel.h> offers of a device beyond opening it; by the vector, as everything here.
 *
 * Any thread.
 */
#include "device.h"
#include "lib/base/error.h"
#include "lib/io/kvm.h"
#include <inttypes.h>
#include <vfiokit/kernel.h>

int vfk_kernel_get_fds(struct vfk_device *dev, struct vfk_kernel_fds *fds)
{
	return vfki_checked_kernel_fds(&dev->io, fds);
}

int vfk_kernel_ioeventfd(struct vfk_device *dev, uint32_t index, uint64_t off, unsigned int width,
			 uint64_t value, int fd)
{
	return vfki_checked_ioeventfd(&dev->io, index, off, width, value, fd);
}

/* ---- KVM ---- */

/* A group has its devices with it. */
static int tell_kvm(struct vfk_device *dev, int kvm_fd, bool add)
{
	struct vfk_kernel_fds fds = { .size = sizeof(fds) };
	int ret = vfki_checked_kernel_fds(&dev->io, &fds);

	if (ret < 0)
		return ret;
	ret = vfki_kvm_tell(kvm_fd, fds.group >= 0 ? fds.group : fds.device, add);
	return ret < 0 ? vfki_err_prefix(ret, "%s", vfk_device_name(dev)) : 0;
}

int vfk_kernel_attach_kvm(struct vfk_device *dev, int kvm_fd)
{
	return tell_kvm(dev, kvm_fd, true);
}

int vfk_kernel_detach_kvm(struct vfk_device *dev, int kvm_fd)
{
	return tell_kvm(dev, kvm_fd, false);
}
